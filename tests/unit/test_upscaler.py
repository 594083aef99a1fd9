"""The upscaler: begins as a plain enlargement, learns, is saved, resumes; pairs fit and its card tells what it does."""

import json
import random
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from tiny_finetune import tiny_generator
from torch.nn import functional

from emofeedback.errors import UserError
from emofeedback.flow.pixels import from_bytes
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.scene.upscaler import SceneUpscaler, UpscalerShape
from emofeedback.scenes.draw.render import render
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.training.common.scene_data import SceneCache, render_cache
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.upscaler.drawn_pairs import DrawnPairs, draw_pairs
from emofeedback.training.upscaler.upscaler_recipe import (
    UpscalerData,
    UpscalerRecipe,
    UpscalerTraining,
    begin_as,
    redraws,
    train_upscaler,
)

RECIPE = UpscalerRecipe(batch=4, crop=8, width=8, blocks=1, critic_from=0.5)


def disc(scene: Scene, size: int) -> Image.Image:
    """A sharp disc, which a plain enlargement cannot draw."""
    y, x = (np.mgrid[: 8 * size, : 8 * size] + 0.5) / (8 * size) - 0.5
    inside = x**2 + y**2 < 0.05 + scene.layout % 7 / 60
    fine = Image.fromarray(np.where(inside[..., None], [250, 200, 40], [20, 60, 120]).astype(np.uint8))
    return fine.resize((size, size), Image.Resampling.BOX)  # edges as soft as a renderer's


def boxes(scene: Scene) -> list[tuple[str, tuple[float, float, float, float]]]:
    return [("disc", (25.0, 25.0, 75.0, 75.0))]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[SceneCache, SceneCache]:
    folder = tmp_path_factory.mktemp("data")
    small, large = (render_cache(folder / str(side), 16, side, 3, "train", 1, disc, boxes) for side in (16, 64))
    return small, large


def test_an_untrained_upscaler_enlarges_plainly_at_any_size() -> None:
    for height, width in ((16, 16), (15, 18), (7, 5)):
        pixels = torch.rand(2, 3, height, width) * 2 - 1
        plain = functional.interpolate(pixels, scale_factor=4.0, mode="bilinear", align_corners=False)
        assert torch.equal(SceneUpscaler(UpscalerShape(8, 1))(pixels), plain)


def test_pictures_come_back_in_order_at_four_times_their_side() -> None:
    images = [Image.new("RGB", (side, 8), (value, 0, 0)) for side, value in ((8, 9), (8, 99), (12, 199), (8, 250))]
    made = SceneUpscaler(UpscalerShape(8, 1)).upscale(images)
    assert [image.size for image in made] == [(32, 32), (32, 32), (48, 32), (32, 32)]
    assert [np.asarray(image)[0, 0, 0] for image in made] == [9, 99, 199, 250]
    assert SceneUpscaler(UpscalerShape(8, 1)).upscale([]) == []


def test_the_shipped_size_is_small() -> None:
    count = sum(p.numel() for p in SceneUpscaler().parameters())
    assert 350_000 <= count <= 600_000 and 2 * count < 3e6  # bytes in bfloat16


def test_it_is_saved_and_loaded_and_damage_is_told(tmp_path: Path) -> None:
    torch.manual_seed(0)
    upscaler = SceneUpscaler(UpscalerShape(8, 2))
    for parameter in upscaler.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    upscaler.save_pretrained(tmp_path)
    pixels = torch.rand(1, 3, 8, 8)
    loaded = SceneUpscaler.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded(pixels), upscaler(pixels).detach())
    assert not any(p.requires_grad for p in loaded.parameters())
    (tmp_path / "config.json").write_text('{"model": "Another"}')
    with pytest.raises(UserError, match="no upscaler"):
        SceneUpscaler.from_pretrained(tmp_path)
    with pytest.raises(UserError, match="no checkpoint"):
        SceneUpscaler.from_pretrained(tmp_path / "nowhere")


def test_pieces_of_a_pair_show_the_same_place(pair: tuple[SceneCache, SceneCache]) -> None:
    small, large = pair
    dark = np.full((16, 16, 16, 3), 5, dtype=np.uint8)
    batch = UpscalerData(small, large, [], UpscalerRecipe(batch=12, crop=8), 0).batch(2)
    assert batch.small.shape == (12, 3, 8, 8) and batch.large.shape == (12, 3, 32, 32)
    shrunk = functional.avg_pool2d(batch.large, 4)
    assert float((shrunk - batch.small).abs().mean()) < 0.1 < float((shrunk.flip(-1) - batch.small).abs().mean())
    assert batch.weights is not None and {1.0, 2.0} <= set(batch.weights.flatten().tolist())
    spoilt = UpscalerData(small, large, [dark], UpscalerRecipe(batch=12, crop=8), 0).batch(2)
    black = spoilt.small.amax((1, 2, 3)) < -0.9
    assert 0 < int(black.sum()) < 12
    with pytest.raises(ValueError, match="same scenes"):
        UpscalerData(small, small_of_other_scenes(small), [], RECIPE, 0)


def small_of_other_scenes(cache: SceneCache) -> SceneCache:
    other = SceneCache(cache.folder)
    other.scenes = other.scenes[::-1]
    return other


def test_it_learns_edges_that_an_enlargement_lacks(pair: tuple[SceneCache, SceneCache]) -> None:
    torch.manual_seed(0)
    recipe = UpscalerRecipe(batch=8, crop=16, width=16, blocks=1, adam_lr=5e-3)
    training = UpscalerTraining(UpscalerData(*pair, [], recipe, 0), recipe)
    before = training.measure()["psnr_db"]
    losses = [training.step(i, 0.1)["loss"] for i in range(100)]
    assert sum(losses[-20:]) < 0.97 * sum(losses[:20])
    assert training.measure()["psnr_db"] > before + 0.3


def test_training_writes_a_checkpoint_with_its_card(pair: tuple[SceneCache, SceneCache], tmp_path: Path) -> None:
    small, large = pair
    out = tmp_path / "scene-upscaler"
    model = train_upscaler(small, large, out, TrainingRun(steps=4, threads=1, log_steps=1), RECIPE)
    loaded = SceneUpscaler.from_pretrained(out)
    pixels = from_bytes(np.array(small.pictures[:1]))
    with torch.no_grad():
        torch.testing.assert_close(loaded(pixels), model(pixels), atol=0.02, rtol=0.02)  # bfloat16 storage
    assert {"config.json", "model.safetensors", "training.json"} <= set(
        json.loads((out / "checksums.json").read_text())
    )
    card = (out / "README.md").read_text()
    assert "{" not in card and "train upscaler" in card
    assert (out / "training" / "samples-final.png").is_file()
    last = json.loads((out / "training" / "log.jsonl").read_text().splitlines()[-1])
    assert {"psnr_db", "bicubic_db", "critic"} <= set(last)


def test_redraws_stay_near_their_render_and_are_kept(pair: tuple[SceneCache, SceneCache], tmp_path: Path) -> None:
    small, _ = pair
    path = tmp_path / "redraws.npy"
    made = redraws(small, 3, tiny_generator(), path, seed=0)
    assert made.shape == (3, 16, 16, 3) and made.dtype == np.uint8 and made.std() > 0
    before = path.stat().st_mtime_ns
    assert np.array_equal(redraws(small, 3, tiny_generator(), path, seed=0), made)
    assert path.stat().st_mtime_ns == before


def squares(count: int, seed: int) -> DrawnPairs:
    """Lit squares: the flats have their edges, the drawn pictures their colours, blurred."""
    rng = np.random.default_rng(seed)
    large = np.zeros((count, 64, 64, 3), np.uint8)
    flats = np.full_like(large, 255)
    for i in range(count):
        x, y = rng.integers(4, 30, 2)
        large[i] = rng.integers(40, 120, 3)
        large[i, y : y + 29, x : x + 29] = rng.integers(140, 250, 3)
        flats[i, y : y + 29, x : x + 29] = (200, 60, 40)
    small = [Image.fromarray(one).reduce(4).filter(ImageFilter.GaussianBlur(1)) for one in large]
    scenes = tuple(sample_scene(random.Random(i), None) for i in range(count))
    return DrawnPairs(np.stack([np.asarray(one) for one in small]), large, flats, scenes, RECIPE, seed)


def test_flats_sharpen_what_was_drawn_after_them() -> None:
    pairs = squares(24, 5)
    training = UpscalerTraining(pairs, RECIPE)
    assert training.model.takes_scenes
    for step in range(120):
        training.step(step, step / 240)
    model = training.model.eval()
    with_flats, without = 0.0, 0.0
    for row in pairs.held_out:
        seen, target = from_bytes(pairs.seen(row)[None]), from_bytes(pairs.target(row)[None])
        with torch.inference_mode():
            with_flats += float((model(seen, pairs.ink(row)) - target).pow(2).mean())
            without += float((model(seen) - target).pow(2).mean())
    assert with_flats < 0.7 * without


def test_training_begins_with_the_weights_that_it_is_given(pair: tuple[SceneCache, SceneCache], tmp_path: Path) -> None:
    torch.manual_seed(5)
    earlier = SceneUpscaler(UpscalerShape(8, 1))
    torch.nn.init.normal_(earlier.tail.weight, std=0.2)
    earlier.save_pretrained(tmp_path / "earlier")
    still = replace(RECIPE, muon_lr=0.0, adam_lr=0.0)
    run = TrainingRun(steps=1, threads=1, log_steps=1)
    made = train_upscaler(*pair, tmp_path / "out", run, still, start_from=tmp_path / "earlier")
    assert torch.equal(made.tail.weight, earlier.tail.weight)


def test_one_that_looks_at_flats_begins_as_one_that_does_not() -> None:
    torch.manual_seed(3)
    earlier = SceneUpscaler(UpscalerShape(8, 1))
    torch.nn.init.normal_(earlier.tail.weight, std=0.1)
    later = SceneUpscaler(UpscalerShape(8, 1, fine=8))
    begin_as(later, earlier)
    pixels, flats = torch.rand(1, 3, 6, 10) * 2 - 1, torch.rand(1, 3, 24, 40)
    for ink in (None, flats):
        assert torch.allclose(later(pixels, ink), earlier(pixels), atol=1e-5)
    with pytest.raises(UserError, match="another size"):
        begin_as(later, SceneUpscaler(UpscalerShape(16, 1)))


def test_scenes_tell_the_flats_and_what_is_no_scene_tells_nothing() -> None:
    torch.manual_seed(4)
    upscaler = SceneUpscaler(UpscalerShape(8, 1, fine=8))
    torch.nn.init.normal_(upscaler.draw.weight, std=0.1)
    scene = json.dumps(asdict(sample_scene(random.Random(1), None)))
    image = Image.new("RGB", (16, 16), (90, 120, 200))
    plain, after, odd, oblong = upscaler.upscale(
        [image, image, image, image.resize((16, 12))], [None, scene, '{"place": "the moon"}', scene]
    )
    assert plain.tobytes() == odd.tobytes() != after.tobytes() and oblong.size == (64, 48)
    assert upscaler.upscale([image])[0].tobytes() == plain.tobytes()
    for strange in ("", "[" * 100_000, "[]", '{"elements": 7}', scene.replace('"layout": ', '"layout": [1], "x": ')):
        assert upscaler.upscale([image], [strange])[0].tobytes() == plain.tobytes(), strange[:40]
    unhashable = json.dumps(json.loads(scene) | {"layout": [1]})
    assert upscaler.upscale([image], [unhashable])[0].tobytes() == plain.tobytes()


def test_pairs_are_what_the_generator_drew_and_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Path(__file__).parents[2] / "checkpoints" / "scene-generator"
    pairs = draw_pairs(checkpoint, 2, 4, tmp_path, RECIPE, 3)
    assert pairs.drawn.shape == (2, 128, 128, 3) and pairs.large.shape == pairs.flats.shape == (2, 512, 512, 3)
    for row, scene in enumerate(pairs.scenes):
        assert np.array_equal(pairs.large[row], np.asarray(render(scene, 512)))
        smaller = np.asarray(Image.fromarray(pairs.large[row]).reduce(4), dtype=float)
        assert np.abs(pairs.drawn[row] - smaller).mean() < 40, "another scene was drawn"
    monkeypatch.setattr(SceneDiffusionGenerator, "generate", None)
    again = draw_pairs(checkpoint, 2, 4, tmp_path, RECIPE, 3)
    assert np.array_equal(again.drawn, pairs.drawn)
    with pytest.raises(TypeError):
        draw_pairs(checkpoint, 2, 4, tmp_path, RECIPE, 4)
    assert not (tmp_path / "pairs.json").exists(), "the old note would vouch for what was written over"
