"""Generators of real pipeline classes at tiny random size, loaded through the path that users take."""

import functools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny_pipelines import FAMILIES, SIZE, save

from emofeedback.affect import Affect
from emofeedback.build import build_generator
from emofeedback.errors import Cancelled, UserError
from emofeedback.flow.schedule import euler_step
from emofeedback.generators.conditioning import call_arguments
from emofeedback.generators.emotion_words import with_emotion_words
from emofeedback.generators.pipeline_files import check_pipeline_folder
from emofeedback.generators.pipelines import PipelineGenerator
from emofeedback.pixels import to_images
from emofeedback.records import PictureRequest
from emofeedback.settings import Settings

CAT = PictureRequest("a cat", None, 1, steps=2)
DOG = PictureRequest("a dog by a boat on a lake", None, 2, steps=2)
FLOW = ("flux2-klein", "sd3", "z-image")


@functools.cache
def folder_of(family: str, root: Path) -> Path:
    return save(family, root / family)


@functools.cache
def generator_of(family: str, root: Path) -> PipelineGenerator:
    torch.set_num_threads(1)
    settings = Settings(generator=str(folder_of(family, root)), device="cpu", dtype="float32", size=SIZE)
    built = build_generator(settings)
    assert isinstance(built, PipelineGenerator)
    return built


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipelines")


@pytest.fixture(params=FAMILIES)
def generator(request: pytest.FixtureRequest, root: Path) -> PipelineGenerator:
    return generator_of(request.param, root)


@pytest.fixture(params=FLOW)
def flow(request: pytest.FixtureRequest, root: Path) -> PipelineGenerator:
    return generator_of(request.param, root)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.int64)


def draw(generator: PipelineGenerator, *requests: PictureRequest) -> list[np.ndarray]:
    return [pixels(picture.image) for picture in generator.generate(requests)]


def lora(generator: PipelineGenerator, path: Path, rank: int = 2) -> Path:
    """A LoRA on one layer of the network, in diffusers' format."""
    name = generator.family.network
    network = getattr(generator.pipeline, name)
    layer = next(n for n, m in network.named_modules() if n.endswith("to_v") and isinstance(m, torch.nn.Linear))
    linear = network.get_submodule(layer)
    state = {
        f"{name}.{layer}.lora_A.weight": torch.randn(rank, linear.in_features, generator=torch.Generator()),
        f"{name}.{layer}.lora_B.weight": torch.ones(linear.out_features, rank),
    }
    path.mkdir(parents=True, exist_ok=True)
    save_file(state, path / "pytorch_lora_weights.safetensors")
    return path


def test_a_picture_depends_on_its_request_alone(generator: PipelineGenerator) -> None:
    steps: list[tuple[int, int]] = []
    both = [CAT, DOG]
    pictures = list(generator.generate(both, lambda done, total: steps.append((done, total))))
    assert [picture.request for picture in pictures] == both
    assert {picture.model for picture in pictures} == {generator.family.key} and pictures[0].image.size == (SIZE, SIZE)
    assert steps == [(1, 2), (2, 2)]
    [alone] = draw(generator, DOG)
    assert np.abs(alone - pixels(pictures[1].image)).max() <= 1  # a batch may round otherwise
    other = pixels(pictures[0].image)
    assert np.abs(other - alone).max() > 20
    [reseeded] = draw(generator, replace(DOG, seed=3))
    assert np.abs(reseeded - alone).max() > 20


def test_words_and_guidance_have_an_effect(generator: PipelineGenerator) -> None:
    plain, words, guided = draw(
        generator, replace(DOG, guidance=1.0), replace(DOG, prompt="a cat", guidance=1.0), replace(DOG, guidance=6.0)
    )
    assert not np.array_equal(plain, words)
    distilled = generator.described.distilled  # guidance is folded in: what is asked for is ignored
    assert np.array_equal(plain, guided) == distilled


def test_cancel_ends_within_a_step_and_leaves_the_generator_usable(generator: PipelineGenerator) -> None:
    before = draw(generator, CAT)
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        list(generator.generate([replace(CAT, steps=9)], stop))
    assert seen == [1]
    assert np.array_equal(draw(generator, CAT), before)


def test_a_start_picture_shows_through_as_far_as_asked(generator: PipelineGenerator) -> None:
    starts = [Image.new("RGB", (48, 40), colour) for colour in ((220, 60, 30), (30, 60, 220))]
    requests = [
        replace(CAT, steps=4, start=start, start_strength=strength, guidance=1.0)
        for strength in (0.25, 1.0)
        for start in starts
    ]
    steps: list[tuple[int, int]] = []
    drawn = [pixels(p.image) for p in generator.generate(requests, lambda done, total: steps.append((done, total)))]
    assert steps == [(k, 5) for k in range(1, 6)] and drawn[0].shape == (SIZE, SIZE, 3)
    near, far = np.abs(drawn[0] - drawn[1]).mean(), np.abs(drawn[2] - drawn[3]).mean()
    assert near > 2 * far
    least = replace(requests[0], steps=1, start_strength=0.3)  # a third of one step: still one is run
    assert len(list(generator.generate([least]))) == 1


def test_a_lora_goes_on_and_off(generator: PipelineGenerator, tmp_path: Path) -> None:
    [before] = draw(generator, CAT)
    folder = lora(generator, tmp_path / "tuned")
    generator.load_adapter(folder, 4.0)
    assert generator.name.endswith("+tuned")
    [tuned] = draw(generator, CAT)
    assert not np.array_equal(tuned, before)
    generator.load_adapter(folder, 0.0)
    assert np.abs(draw(generator, CAT)[0] - before).max() <= 1
    generator.pipeline.unload_lora_weights()
    generator._worn, generator.name = None, generator.base_name


def test_a_lora_of_another_family_and_a_pickled_one_are_refused(
    generator: PipelineGenerator, root: Path, tmp_path: Path
) -> None:
    [before] = draw(generator, CAT)
    other = generator_of("sd3" if generator.family.key != "sd3" else "z-image", root)
    with pytest.raises(UserError, match="made for"):
        generator.load_adapter(lora(other, tmp_path / "other"))
    (tmp_path / "old.bin").write_bytes(b"x")
    with pytest.raises(UserError, match="pickled"):
        generator.load_adapter(tmp_path / "old.bin")
    (tmp_path / "half.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(UserError, match="damaged"):
        generator.load_adapter(tmp_path / "half.safetensors")
    with pytest.raises(UserError, match="no adapter"):
        generator.load_adapter(tmp_path / "nowhere")
    assert np.array_equal(draw(generator, CAT)[0], before) and generator.name == generator.base_name


def test_the_velocity_is_the_one_that_the_pipelines_own_loop_steps_along(flow: PipelineGenerator) -> None:
    request = replace(DOG, steps=3, guidance=3.0)
    view, condition = flow.flow(), flow.conditioning([request])
    noise = view.noise([request.seed])
    unfolded = noise if flow.family.key != "flux2-klein" else noise
    given = call_arguments(flow.family, condition.conditions, condition.unconditional)
    scale = 2.0 if flow.family.added_to_guidance else 3.0
    if flow.described.distilled:
        condition = replace(condition, guidance=1.0)
    theirs = flow.pipeline(
        **given, num_inference_steps=3, guidance_scale=scale, latents=unfolded.clone(), height=SIZE, width=SIZE
    ).images[0]
    levels = view.levels(3)
    latents = noise
    with torch.no_grad():
        for level, following in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
            latents = euler_step(latents, view.velocity(latents, level, condition), level, following)
        ours = to_images(view.decode(latents))[0]
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 1
    with torch.no_grad():
        clean = view.encode(torch.rand(1, 3, SIZE, SIZE) * 2 - 1)
    assert clean.shape == noise.shape


def test_noise_is_drawn_alike_in_every_batch(flow: PipelineGenerator) -> None:
    view = flow.flow()
    assert torch.equal(view.noise([5, 6])[1:], view.noise([6]))


def test_an_undistilled_unet_is_no_flow(root: Path) -> None:
    with pytest.raises(UserError, match="velocities"):
        generator_of("sd", root).flow()


def test_emotion_comes_in_by_words_where_there_is_no_adapter(generator: PipelineGenerator) -> None:
    afraid = replace(CAT, affect=Affect(-0.65, 0.7))
    assert generator.drawn_prompt(afraid) == with_emotion_words("a cat", Affect(-0.65, 0.7))
    mute = replace(afraid, strength=0.0)
    plain, silent, moved = draw(generator, CAT, mute, afraid)
    assert np.array_equal(plain, silent) and not np.array_equal(plain, moved)


class Shift(torch.nn.Module):
    """An emotion adapter that moves all embeddings by valence."""

    def forward(self, embeds: Any, pooled: Any, valence: Any, arousal: Any, strength: Any) -> Any:
        by = (valence * strength)[:, None]
        return embeds + by[:, None], None if pooled is None else pooled + by


def test_a_trained_adapter_takes_the_place_of_the_words(
    generator: PipelineGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "emotion", Shift())
    moved = replace(CAT, affect=Affect(0.9, 0.0))
    assert generator.drawn_prompt(moved) == "a cat"
    base, shifted = generator.condition(CAT), generator.condition(moved)
    assert torch.allclose(shifted.embeds, base.embeds + 0.9)
    assert (base.pooled is None) == (not generator.family.pooled)
    plain, changed = draw(generator, CAT, moved)
    assert not np.array_equal(plain, changed)
    monkeypatch.setattr(generator, "emotion", torch.nn.Bilinear(3, 3, 3))
    with pytest.raises(UserError, match="another model"):
        generator.condition(moved)


def test_bad_requests_are_one_sentence(generator: PipelineGenerator) -> None:
    begun = replace(CAT, start=Image.new("RGB", (8, 8)), start_strength=0.0)
    for wrong in (replace(CAT, steps=0), replace(CAT, strength=-1.0), begun):
        with pytest.raises(UserError):
            list(generator.generate([wrong]))
    assert generator.unknown_words("zeppelin") == () and generator.left_out("a cat") == ""
    assert generator.left_out("a cat " * 600) != ""


def test_memory_that_does_not_suffice_halves_the_batch_then_asks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = generator_of("sd", root)
    requests = [replace(CAT, seed=seed, guidance=1.0) for seed in range(2)]
    expected = draw(generator, *requests)
    sizes: list[int] = []
    decode = generator.pipeline.vae.decode

    def small(latents: torch.Tensor, *args: Any, **more: Any) -> Any:
        sizes.append(len(latents))
        if len(latents) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return decode(latents, *args, **more)

    monkeypatch.setattr(generator.pipeline.vae, "decode", small)
    monkeypatch.setattr(generator, "batch", 4)
    room = 1
    assert np.abs(np.array(draw(generator, *requests)) - np.array(expected)).max() <= 1
    assert sizes == [2, 1, 1]
    room = 0
    with pytest.raises(UserError, match="EMOFEEDBACK_CHEAPER"):
        list(generator.generate(requests[:1]))
    cheaper = PipelineGenerator(
        folder_of("sd", root), options=replace(generator.options, cheaper=True, dtype="float32")
    )
    monkeypatch.setattr(cheaper.pipeline.vae, "decode", small)
    assert np.abs(draw(cheaper, requests[0])[0] - expected[0]).max() <= 2
    assert cheaper.options.tiling and cheaper.pipeline.vae.use_tiling


def test_broken_folders_are_one_sentence_each(root: Path, tmp_path: Path) -> None:
    def broken(name: str) -> Path:
        return Path(shutil.copytree(folder_of("sd", root), tmp_path / name))

    cut = broken("cut")
    file = next((cut / "unet").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="cut short"):
        check_pipeline_folder(cut, "cut")
    pickled = broken("pickled")
    next((pickled / "vae").glob("*.safetensors")).rename(pickled / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(UserError, match="pickled weights only"):
        check_pipeline_folder(pickled, "pickled")
    half = broken("half")
    next((half / "text_encoder").glob("*.safetensors")).unlink()
    with pytest.raises(UserError, match="only half"):
        check_pipeline_folder(half, "half")
    sharded = broken("sharded")
    weights = next((sharded / "unet").glob("*.safetensors"))
    one = weights.rename(sharded / "unet" / "diffusion_pytorch_model-00001-of-00002.safetensors")
    listed = {"a": one.name, "b": "diffusion_pytorch_model-00002-of-00002.safetensors"}
    index = sharded / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    with pytest.raises(UserError, match="00002-of-00002"):
        check_pipeline_folder(sharded, "sharded")
    foreign = broken("foreign")
    (foreign / "model_index.json").write_text(json.dumps({"_class_name": "KandinskyPipeline"}))
    with pytest.raises(UserError, match="known are"):
        build_generator(Settings(generator=str(foreign), device="cpu"))


def test_weights_in_16_bits_alone_are_found(root: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folder_of("sd", root), tmp_path / "half-precision"))
    for file in list(folder.rglob("*.safetensors")):
        file.rename(file.with_name(file.name.replace(".safetensors", ".fp16.safetensors")))
    generator = PipelineGenerator(folder, options=generator_of("sd", root).options)
    assert np.array_equal(draw(generator, CAT), draw(generator_of("sd", root), CAT))


def test_what_this_machine_cannot_do_is_one_sentence(root: Path) -> None:
    folder = str(folder_of("sd", root))
    for wrong, words in ((Settings(generator=folder, device="cpu", offload="model"), "OFFLOAD"),
                         (Settings(generator=folder, device="cpu", dtype="float16"), "float16"),
                         (Settings(generator=folder, device="cpu", quantisation="ao-int8"), "torchao")):  # fmt: skip
        with pytest.raises(UserError, match=words):
            build_generator(wrong)
