"""The bundled generator end to end at tiny size: real classes, random pictures, a few steps."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.files.training_state import load_state, save_state
from emofeedback.generators.scene.known_words import read_vocabulary
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.records import PictureRequest
from emofeedback.scenes.captions import vocabulary
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.optim import Schedule
from emofeedback.training.common.scene_data import SceneCache, render_cache
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.generator.autoencoder import (
    AutoencoderRecipe,
    build_autoencoder,
    reconstruction_loss,
    train_autoencoder,
)
from emofeedback.training.generator.generator_recipe import GeneratorRecipe, train_generator
from emofeedback.training.generator.networks import (
    GeneratorShape,
    PlainJointAttention,
    build_networks,
    build_tokenizer,
    encode_captions,
)

TINY = GeneratorShape(
    latent_side=4,
    latent_channels=4,
    pixels=16,
    layers=2,
    heads=2,
    head_dim=16,
    text_length=24,
    text_widths=(32, 32),
    text_layers=(2, 2),
    adapter_width=16,
)
RECIPE = GeneratorRecipe(batch=4, shape=TINY)
RUN = TrainingRun(steps=4, threads=1, log_steps=1)


def flat(scene: Scene, size: int) -> Image.Image:
    return Image.new("RGB", (size, size), (scene.layout % 256, scene.layout // 256 % 256, 90))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SceneCache:
    return render_cache(tmp_path_factory.mktemp("data") / "scenes", 8, 16, seed=3, split="train", workers=1, draw=flat)


@pytest.fixture(scope="module")
def vae_dir(cache: SceneCache, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vae")
    tiny = build_autoencoder(16, widths=(8, 8, 8), latent_channels=4, groups=4)
    train_autoencoder(cache, out, RUN, AutoencoderRecipe(batch=4), tiny, held_out=cache)
    return out


@pytest.fixture(scope="module")
def trained(cache: SceneCache, vae_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_generator(cache, vae_dir, tmp_path_factory.mktemp("run") / "scene-generator", RUN, RECIPE)


@pytest.fixture(scope="module")
def generator(trained: Path) -> SceneDiffusionGenerator:
    return SceneDiffusionGenerator.from_pretrained(trained, dtype=torch.float32)


def stock_pipeline(folder: Path) -> StableDiffusion3Pipeline:
    """As the model card says."""
    return StableDiffusion3Pipeline.from_pretrained(
        folder, text_encoder_3=None, tokenizer_3=None, torch_dtype=torch.float32
    )


def request(prompt: str = "a cat in a garden", seed: int = 1, **rest: object) -> PictureRequest:
    return PictureRequest(prompt, Affect(0.5, -0.5), seed, steps=2, **rest)  # type: ignore[arg-type]


def test_every_word_is_one_token_and_unknown_words_stay_readable() -> None:
    tokenizer = build_tokenizer(["lighthouse", "seaside", "a", "by", "the"], 12)
    ids = tokenizer("A lighthouse by the seaside, zq").input_ids
    assert len(ids) == 2 + 5 + 1 + 2
    assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == "alighthousebytheseaside,zq"


def test_token_ids_are_the_same_after_a_resume() -> None:
    # the tokenizers library breaks ties between merges at random, which scrambled the ids of a resumed training
    words = sorted(vocabulary())
    vocabularies = [build_tokenizer(order, 12).get_vocab() for order in (words, words[::-1])]
    assert vocabularies[0] == vocabularies[1]
    tokenizer = build_tokenizer(words, 12)
    assert all(len(tokenizer.tokenize(word)) == 1 for word in words if word.isalpha())


def test_training_and_inference_see_the_same_text(trained: Path) -> None:
    pipeline = StableDiffusion3Pipeline.from_pretrained(
        trained, text_encoder_3=None, tokenizer_3=None, torch_dtype=torch.float32
    )
    networks = torch.nn.ModuleDict({n: getattr(pipeline, n) for n in ("text_encoder", "text_encoder_2")})
    prompts = ["a cat in a garden", ""]
    ids = pipeline.tokenizer(prompts, padding="max_length", max_length=24, return_tensors="pt").input_ids
    with torch.no_grad():
        ours = encode_captions(networks, ids)
        theirs = pipeline.encode_prompt(prompts, None, None, do_classifier_free_guidance=False, max_sequence_length=1)
    assert ours[0].shape == (2, 25, 64)
    assert torch.allclose(ours[0], theirs[0], atol=1e-5)
    assert torch.allclose(ours[1], theirs[2], atol=1e-5)


def test_plain_attention_computes_what_the_stock_processor_does() -> None:
    torch.manual_seed(0)
    tokenizer = build_tokenizer(["a"], 24)
    transformer = build_networks(TINY, tokenizer)["transformer"]
    for parameter in transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    inputs = {
        "hidden_states": torch.randn(2, 4, 4, 4),
        "encoder_hidden_states": torch.randn(2, 25, 64),
        "pooled_projections": torch.randn(2, 64),
        "timestep": torch.tensor([10.0, 900.0]),
    }
    with torch.no_grad():
        stock = transformer(**inputs).sample
        transformer.set_attn_processor(PlainJointAttention())
        plain = transformer(**inputs).sample
    assert stock.abs().max() > 0.01
    assert torch.allclose(stock, plain, atol=1e-4)


def test_export_is_complete_small_and_free_of_pickle(trained: Path) -> None:
    files = [p for p in trained.rglob("*") if p.is_file() and "training" not in p.relative_to(trained).parts]
    assert {"model_index.json", "README.md", "vocabulary.json", "checksums.json"} <= {p.name for p in files}
    assert {p.suffix for p in files} <= {".json", ".safetensors", ".md", ".txt", ".svg"}
    assert (trained / "emotion_adapter" / "model.safetensors").is_file()
    assert "{" not in (trained / "README.md").read_text().replace("{adapter}", "{")


def test_prompts_are_put_into_the_captions_that_a_checkpoint_was_trained_on(trained: Path, tmp_path: Path) -> None:
    words, captions = read_vocabulary(trained / "vocabulary.json")
    assert set(words) == vocabulary() and captions == 2
    generator = SceneDiffusionGenerator.from_pretrained(trained)
    assert generator.unknown_words("a puppy with a violin, painted") == ("violin",)
    typed, said = (generator.texts([prompt])[0][0] for prompt in ("a puppy on the beach", "a small dog on a beach"))
    assert torch.equal(typed, said)
    assert np.array_equal(*generator.texts.many(["a puppy on the beach", "a small dog on a beach"]))

    # a checkpoint of earlier captions has a bare list of words, and is given a caption where it knows all of that
    earlier = SceneDiffusionGenerator(generator.pipeline, None, ("a", "small", "dog", "on", "the", "beach"))
    assert earlier.texts.said("a dog on the beach") == "a dog on the beach"
    assert earlier.texts.said("a puppy on the beach") == "a small dog on a beach"
    assert earlier.unknown_words("a puppy on the beach") == ()
    assert earlier.texts.said("a kitten on the beach") == "a kitten on the beach"
    assert earlier.unknown_words("a kitten on the beach") == ("kitten",)
    (tmp_path / "vocabulary.json").write_text('["a", "dog"]', encoding="utf-8")
    assert read_vocabulary(tmp_path / "vocabulary.json") == (("a", "dog"), 1)
    for damaged in ('{"captions": 3, "words": []}', '{"captions": 2}', "7"):
        (tmp_path / "vocabulary.json").write_text(damaged, encoding="utf-8")
        with pytest.raises(ValueError, match="edition"):
            read_vocabulary(tmp_path / "vocabulary.json")


def test_stock_diffusers_draws_from_the_folder(trained: Path) -> None:
    pipeline = StableDiffusion3Pipeline.from_pretrained(
        trained, text_encoder_3=None, tokenizer_3=None, torch_dtype=torch.float32
    )
    image = pipeline("a cat", num_inference_steps=2, height=16, width=16, max_sequence_length=1).images[0]
    assert image.size == (16, 16)


def test_requests_of_one_call_may_differ_and_keep_their_order(generator: SceneDiffusionGenerator) -> None:
    start = Image.new("RGB", (16, 16), "red")
    requests = [
        request(),
        replace(request(), steps=3),
        request("a dog by a lake", 2, guidance=1.0),
        request(seed=9, start=start, start_strength=0.5),
        replace(request(), affect=None),
    ]
    steps: list[tuple[int, int]] = []
    pictures = list(generator.generate(requests, lambda done, total: steps.append((done, total))))
    assert [p.request for p in pictures] == requests
    assert steps == [(i + 1, 2 + 3 + 1) for i in range(6)]
    assert all(p.image.size == (16, 16) for p in pictures)


def test_a_picture_does_not_depend_on_its_batch(generator: SceneDiffusionGenerator) -> None:
    alone = next(generator.generate([request()]))
    together = list(generator.generate([request("a wolf", 7), request(), request("a wolf", 7)]))
    levels = [np.asarray(p.image, dtype=int) for p in (alone, together[1])]
    assert np.abs(levels[0] - levels[1]).max() <= 1


def test_cancel_takes_effect_within_one_step(generator: SceneDiffusionGenerator) -> None:
    calls: list[int] = []

    def stop(done: int, total: int) -> None:
        calls.append(done)
        raise Cancelled

    with pytest.raises(Cancelled):
        list(generator.generate([request()], stop))
    assert calls == [1]


def test_encode_then_decode_scale_is_undone(generator: SceneDiffusionGenerator) -> None:
    config = generator.pipeline.vae.config
    with torch.no_grad():
        latents = generator.encode(torch.zeros(1, 3, 16, 16))
        plain = latents / config.scaling_factor + config.shift_factor
        assert torch.allclose(plain, generator.pipeline.vae.encode(torch.zeros(1, 3, 16, 16)).latent_dist.mean)


def test_unknown_words_are_named(generator: SceneDiffusionGenerator) -> None:
    assert generator.unknown_words("A cat and a Dragon by the lake, dragon!") == ("Dragon",)


@pytest.mark.parametrize("harm", ["cut", "changed", "missing", "pickle", "empty"])
def test_damaged_folders_are_refused_in_one_sentence(trained: Path, tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("training"))
    weights = next((folder / "transformer").glob("*.safetensors"))
    content = weights.read_bytes()
    if harm == "cut":
        weights.write_bytes(content[:-100])
        (folder / "checksums.json").unlink()
    elif harm == "changed":
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif harm == "missing":
        weights.unlink()
    elif harm == "pickle":
        torch.save({}, folder / "transformer" / "diffusion_pytorch_model.bin")
    else:
        shutil.rmtree(folder)
    with pytest.raises(UserError) as error:
        SceneDiffusionGenerator.from_pretrained(folder)
    assert "\n" not in str(error.value)


def test_state_survives_the_disk_and_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, {"a": {0: torch.arange(3), "b": [1, (2.5, None)]}, "c": "text"})
    state = load_state(path)
    assert torch.equal(state["a"][0], torch.arange(3))
    assert state["a"]["b"] == [1, (2.5, None)]
    assert state["c"] == "text"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UserError, match="damaged"):
        load_state(path)


def test_rate_rises_holds_and_falls() -> None:
    schedule = Schedule(warmup=10)
    assert [schedule(0, 0.0), schedule(50, 0.5), schedule(90, 0.85), schedule(99, 1.0)] == pytest.approx(
        [0.1, 1, 0.5, 0]
    )
    assert Schedule(0, 0.0)(0, 1.0) == 1.0


def test_log_has_one_json_object_per_line(trained: Path) -> None:
    lines = (trained / "training" / "log.jsonl").read_text().splitlines()
    assert {"step", "loss", "samples_per_second", "elapsed"} <= set(json.loads(lines[-1]))


def test_the_autoencoder_tells_what_it_loses_on_held_out_pictures(cache: SceneCache, vae_dir: Path) -> None:
    rows = [json.loads(line) for line in (vae_dir / "training" / "log.jsonl").read_text().splitlines()]
    facts = json.loads((vae_dir / "training" / "facts.json").read_text())
    assert rows[-1]["psnr_db"] == pytest.approx(facts["psnr_db"]) and facts["held out"] == len(cache)
    assert (vae_dir / "training" / "samples-final.png").is_file()


def test_errors_inside_the_boxes_cost_more() -> None:
    pictures, weights = torch.zeros(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
    weights[..., 2:6, 2:6] = 2.0
    inside, outside = pictures.clone(), pictures.clone()
    inside[..., 3:5, 3:5], outside[..., :2, :2] = 0.5, 0.5
    plain = AutoencoderRecipe(gradient=0.0, coarse=0.0)
    costs = [float(reconstruction_loss(made, pictures, plain, weights)) for made in (inside, outside)]
    assert costs[0] == pytest.approx(2 * costs[1])
    assert float(reconstruction_loss(inside, pictures, plain)) == pytest.approx(0.5 * 4 / 64)
    squared = AutoencoderRecipe(gradient=0.0, coarse=0.0, squared=4.0)
    assert float(reconstruction_loss(inside, pictures, squared)) == pytest.approx((0.5 + 4 * 0.25) * 4 / 64)
    for made in (inside, outside):
        assert float(reconstruction_loss(made, pictures, weights=torch.ones(1, 1, 8, 8))) == pytest.approx(
            float(reconstruction_loss(made, pictures))
        )
