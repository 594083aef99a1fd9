"""The finish of sketched pictures: network, recipe, and where it is put."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageDraw
from tiny_finetune import tiny_checkpoint, tiny_generator
from torch import Tensor

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.flow.pixels import from_images
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.scene.sketch import pencil
from emofeedback.generators.scene.sketch_finish import FinishShape, SketchFinish
from emofeedback.records import PictureRequest
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.scene_data import SceneCache, ScenePool, render_cache
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.generator import sketch_finish_recipe
from emofeedback.training.generator.autoencoder import AutoencoderRecipe, reconstruction_loss
from emofeedback.training.generator.sketch_finish_recipe import (
    FinishData,
    FinishRecipe,
    FinishTraining,
    install_sketch_finish,
    train_sketch_finish,
)

RECIPE = FinishRecipe(batch=4, redraws=10, redraw_steps=2)


def framed(scene: Scene, size: int) -> Image.Image:
    """A ground of the scene's own colour with a white frame somewhere on it."""
    image = Image.new("RGB", (size, size), (scene.layout % 200, 60, 90))
    at = 2 + scene.layout % (size // 2)
    ImageDraw.Draw(image).rectangle((at, at, at + size // 3, at + size // 3), outline="white")
    return image


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SceneCache:
    return render_cache(
        tmp_path_factory.mktemp("data") / "scenes", 12, 16, seed=3, split="train", workers=1, draw=framed
    )


def some_finish() -> SketchFinish:
    """Far from the identity."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        finish = SketchFinish(FinishShape((8, 8, 8)))
        torch.nn.init.normal_(finish.give.weight, std=0.3)
    return finish.eval()


def other_checkpoint(folder: Path) -> Path:
    tiny_checkpoint(folder)
    vae = AutoencoderKL.from_pretrained(folder / "vae")
    with torch.no_grad():
        vae.decoder.conv_out.bias += 1.0
    vae.save_pretrained(folder / "vae")
    return folder


def test_it_begins_as_the_identity_and_comes_back_from_its_file(tmp_path: Path) -> None:
    pixels, sketches = torch.rand(2, 3, 16, 16) * 2 - 1, torch.rand(2, 4, 16, 16)
    assert torch.equal(SketchFinish()(pixels, sketches), pixels)
    finish = some_finish()
    finish.save_pretrained(tmp_path)
    again = SketchFinish.from_pretrained(tmp_path)
    torch.testing.assert_close(again(pixels, sketches), finish(pixels, sketches))
    assert not torch.equal(finish(pixels, sketches), finish(pixels, 0 * sketches)), "it sees the sketch"
    (tmp_path / "config.json").write_text('{"widths": 3}')
    with pytest.raises(UserError, match="damaged"):
        SketchFinish.from_pretrained(tmp_path)
    with pytest.raises(UserError, match="missing"):
        SketchFinish.from_pretrained(tmp_path / "nowhere")


def test_pictures_with_a_scene_are_finished_and_others_are_not() -> None:
    generator = tiny_generator()
    generator.plans, generator.texts.left_out = True, lambda text: ""  # type: ignore[method-assign]
    asked = [PictureRequest("a dog", Affect(0.7, 0.6), 7), PictureRequest("snow in summer in a desert", None, 7)]
    before = from_images([picture.image for picture in generator.generate(asked)])
    generator.finish = some_finish()
    after = from_images([picture.image for picture in generator.generate(asked)])
    assert torch.equal(after[1], before[1]) and not torch.equal(after[0], before[0])
    generator.sketches = False
    generator.finish = None
    without = from_images([picture.image for picture in generator.generate(asked)])
    generator.finish = some_finish()
    assert torch.equal(from_images([picture.image for picture in generator.generate(asked)]), without)


def test_it_learns_to_draw_what_is_smeared_where_the_lines_are(cache: SceneCache, tmp_path: Path) -> None:
    pool = ScenePool.of(cache)
    renders = from_images([Image.fromarray(picture) for picture in cache.pictures])
    smeared = torch.nn.functional.avg_pool2d(renders, 5, 1, 2)
    drawn = ((smeared + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    data = FinishData(pool, np.arange(12), drawn)
    training = FinishTraining(data, RECIPE, 0)
    losses = [training.step(i, 0.1)["loss"] for i in range(60)]
    assert sum(losses[-10:]) < 0.75 * sum(losses[:10])
    found = training.look(tmp_path / "sheet.png")
    assert found["error_after"] < found["error_before"], "on pictures that it has not seen"
    assert max(max(training.batch(i)[0]) for i in range(20)) < data.held_out.start
    assert pencil(renders).amax() == 1
    with pytest.raises(ValueError, match="belong together"):
        FinishData(pool, np.arange(12), drawn[:4])


def test_a_thin_line_counts_for_more_than_what_lies_around_it(
    cache: SceneCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed = []

    def kept(made: Tensor, renders: Tensor, loss: AutoencoderRecipe, weights: Tensor) -> Tensor:
        weighed.append((pencil(renders), weights))
        return reconstruction_loss(made, renders, loss, weights)

    monkeypatch.setattr(sketch_finish_recipe, "reconstruction_loss", kept)
    training = FinishTraining(FinishData(ScenePool.of(cache), np.arange(12), cache.pictures), RECIPE, 0)
    training.step(0, 0.1)
    lines, weights = weighed[0]
    assert not training.data.pool.boxed
    torch.testing.assert_close(weights, 1 + RECIPE.lines * lines)
    assert weights.max() == 1 + RECIPE.lines and weights.min() == 1


def test_a_generators_finish_is_trained_and_put_into_its_folder(cache: SceneCache, tmp_path: Path) -> None:
    teacher, run = tiny_checkpoint(tmp_path / "teacher"), TrainingRun(steps=3, threads=1)
    assert SceneDiffusionGenerator.from_pretrained(teacher).finish is None
    out = train_sketch_finish(teacher, cache, tmp_path / "out", run, RECIPE, posed=cache)
    facts = json.loads((out / "finish.json").read_text())
    assert facts["steps"] == 3 and facts["pictures"] == 10 and "train sketch-finish" in facts["command"]
    listed = (teacher / "checksums.json").read_text()
    install_sketch_finish(out, teacher)
    loaded = SceneDiffusionGenerator.from_pretrained(teacher)
    assert loaded.finish is not None and (teacher / "checksums.json").read_text() != listed
    rows = np.load(out / "training" / "drawn.npz")["rows"]
    assert len(set(rows.tolist())) == len(rows), "what measures was not learned from"
    with pytest.raises(UserError, match="another generator"):
        install_sketch_finish(out, other_checkpoint(tmp_path / "other"))
    kept = (out / "training" / "drawn.npz").stat().st_mtime_ns
    again = train_sketch_finish(teacher, cache, tmp_path / "out", replace(run, resume=True), RECIPE, posed=cache)
    assert again == out and (out / "training" / "drawn.npz").stat().st_mtime_ns == kept, "drawn once"


def test_a_generator_without_sketches_has_nothing_to_finish(cache: SceneCache, tmp_path: Path) -> None:
    teacher = tiny_checkpoint(tmp_path / "teacher")
    other = render_cache(tmp_path / "large", 4, 32, seed=3, split="train", workers=1, draw=framed)
    with pytest.raises(UserError, match="--size 16"):
        train_sketch_finish(teacher, other, tmp_path / "a", TrainingRun(steps=1), RECIPE)
    (teacher / "sketch_adapter" / "config.json").unlink()
    (teacher / "sketch_adapter" / "model.safetensors").unlink()
    (teacher / "sketch_adapter").rmdir()
    (teacher / "checksums.json").unlink()
    with pytest.raises(UserError, match="without sketches"):
        train_sketch_finish(teacher, cache, tmp_path / "b", TrainingRun(steps=1), RECIPE)


def test_rewards_read_the_pictures_that_are_drawn() -> None:
    """A policy's pictures are finished as the generator's are, and a gradient goes through the finish."""
    generator = tiny_generator()
    generator.plans, generator.texts.left_out = True, lambda text: ""  # type: ignore[method-assign]
    generator.finish = some_finish()
    policy = ScenePolicy(generator, rank=2)
    asked = [
        PictureRequest("a dog", Affect(0.7, 0.6), 7, steps=2, guidance=1.0),
        PictureRequest("snow in summer in a desert", None, 8),
    ]
    conditions = policy.conditions(asked)
    clean = torch.randn(2, *policy.latent_shape(), requires_grad=True)
    pixels = policy.decode(clean, conditions)
    plain = generator.decode(clean)
    assert torch.equal(pixels[1], plain[1]) and not torch.allclose(pixels[0], plain[0])
    pixels[0].mean().backward()
    assert clean.grad is not None and clean.grad[0].any()
    assert not any(p.requires_grad for p in generator.finish.parameters())
