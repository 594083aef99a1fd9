"""Rendered scenes on disk: resumed, grown, refused, and the weights that their boxes give."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.draw.render import render, render_flats
from emofeedback.scenes.grammar import LIVING, Scene
from emofeedback.training.common import scene_data
from emofeedback.training.common.augmentation import augment, melt, without_subject
from emofeedback.training.common.box_weights import coverage, weight_map, weighted_mean
from emofeedback.training.common.scene_data import SceneCache, ScenePool, batch_indices, render_cache, scene_at


def flat(scene: Scene, size: int) -> Image.Image:
    return Image.new("RGB", (size, size), (scene.layout % 256, scene.layout // 256 % 256, 90))


def middle(scene: Scene) -> Sequence[tuple[str, tuple[float, float, float, float]]]:
    return [(scene.subject, (25.0, 25.0, 75.0, 50.0))] if scene.subject else []


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene_data, "CHUNK", 4)


def cache_of(folder: Path, count: int = 10, **rest: object) -> SceneCache:
    options: dict = {"size": 8, "seed": 3, "split": "train", "workers": 1, "draw": flat, **rest}
    return render_cache(folder / "scenes", count, **options)


def test_scenes_are_a_function_of_seed_and_index(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)
    assert cache.scenes == [scene_at(3, "train", i) for i in range(10)]
    assert cache.pictures.shape == (10, 8, 8, 3) and cache.boxes is None and cache.boxes_of([0, 1]) == [[], []]
    assert np.array_equal(cache.pictures[5], np.asarray(flat(cache.scenes[5], 8)))


def test_posed_scenes_are_people_and_animals_and_a_cache_of_their_own(tmp_path: Path) -> None:
    cache = cache_of(tmp_path, kind="posed")
    assert cache.scenes == [scene_at(3, "train", i, "posed") for i in range(10)]
    assert all(scene.subject in LIVING for scene in cache.scenes)
    assert sum(scene.pose != "plain" for scene in cache.scenes) >= 6
    assert len(cache_of(tmp_path, 12, kind="posed")) == 12
    with pytest.raises(UserError, match="holds other data"):
        cache_of(tmp_path)


def test_a_pool_is_its_caches_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = cache_of(tmp_path / "a"), cache_of(tmp_path / "b", 4, kind="posed", boxes=middle)
    pool = ScenePool([(first, 1), (second, 3)])
    assert pool.scenes == first.scenes + second.scenes and len(pool) == 14 and pool.boxed
    epoch = np.concatenate([pool.batch(0, step, 11) for step in range(2)])
    assert np.array_equal(np.bincount(epoch), [1] * 10 + [3] * 4)
    rows = np.array([9, 10, 13])
    assert np.array_equal(pool.pictures_of(rows), np.stack([first.pictures[9], second.pictures[0], second.pictures[3]]))
    assert pool.boxes_of(rows) == [[], *second.boxes_of([0, 3])]
    flats = [np.asarray(render_flats(pool.scenes[row], 8)) for row in rows]
    assert np.array_equal(pool.flats_of(rows), np.stack(flats))
    alone = ScenePool([(first, 1)])
    assert np.array_equal(alone.batch(5, 3, 4), batch_indices(5, 3, 4, 10)) and not alone.boxed


def test_flats_are_drawn_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = cache_of(tmp_path, 3)

    def broken(scene: Scene, size: int) -> Image.Image:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(scene_data, "render_flats", broken)
        with pytest.raises(OSError, match="full"):
            _ = cache.flats
    assert not (cache.folder / "flats.npy").exists()
    assert cache.flats.shape == (3, 8, 8, 3)
    with monkeypatch.context() as patch:
        patch.setattr(scene_data, "render_flats", broken)
        assert np.array_equal(SceneCache(cache.folder).flats, cache.flats)
    grown = cache_of(tmp_path, 6)
    assert grown.flats.shape == (6, 8, 8, 3) and np.array_equal(grown.flats[:3], cache.flats), (
        "no longer those of three"
    )


def test_a_killed_rendering_goes_on_with_the_chunks_that_it_has(tmp_path: Path) -> None:
    drawn: list[Scene] = []

    def until(most: int) -> scene_data.Draw:
        def draw(scene: Scene, size: int) -> Image.Image:
            if len(drawn) >= most:
                raise KeyboardInterrupt
            drawn.append(scene)
            return flat(scene, size)

        return draw

    with pytest.raises(KeyboardInterrupt):
        cache_of(tmp_path, draw=until(6))
    assert not (tmp_path / "scenes").exists()
    drawn.clear()
    cache = cache_of(tmp_path, draw=until(99))
    again = drawn[scene_data.COMPARED :]  # those before are compared with what is there
    assert again == cache.scenes[4:]
    assert np.array_equal(cache.pictures[3], np.asarray(flat(cache.scenes[3], 8)))
    assert {p.name for p in tmp_path.iterdir()} == {"scenes"}


def test_a_longer_cache_keeps_what_a_shorter_one_drew(tmp_path: Path) -> None:
    short = np.array(cache_of(tmp_path, 9).pictures)
    drawn: list[Scene] = []

    def draw(scene: Scene, size: int) -> Image.Image:
        drawn.append(scene)
        return flat(scene, size)

    cache = cache_of(tmp_path, 13, draw=draw)
    assert len(cache) == 13 and np.array_equal(cache.pictures[:9], short)
    assert len(drawn) == scene_data.COMPARED + 13 - 8
    assert {p.name for p in tmp_path.iterdir()} == {"scenes"}


def test_several_processes_draw_what_one_does(tmp_path: Path) -> None:
    one, two = (cache_of(tmp_path / str(workers), workers=workers, draw=render) for workers in (1, 2))
    assert np.array_equal(one.pictures, two.pictures)


def test_the_processes_that_render_need_no_torch() -> None:
    """Each of them imported torch and diffusers first, which took longer than some hundred pictures."""
    code = "import sys; import emofeedback.training.common.scene_data; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_other_scenes_are_neither_overwritten_nor_taken_for_these(tmp_path: Path) -> None:
    cache_of(tmp_path)
    for other in ({"seed": 4}, {"size": 16}, {"count": 9}):
        with pytest.raises(UserError, match="other data"):
            cache_of(tmp_path, **other)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no rendered scenes"):
        SceneCache(tmp_path)


def test_pictures_of_an_older_renderer_are_refused(tmp_path: Path) -> None:
    """A cache was taken for the scenes of its seed though the renderer or the grammar had changed since."""
    cache_of(tmp_path)
    with pytest.raises(UserError, match="another edition"):
        cache_of(tmp_path, draw=lambda scene, size: Image.new("RGB", (size, size), "red"))


def test_boxes_are_written_beside_the_pictures_and_added_to_a_cache_without(tmp_path: Path) -> None:
    cache_of(tmp_path)
    cache = cache_of(tmp_path, boxes=middle)
    assert cache.boxes is not None
    shown = next(i for i, scene in enumerate(cache.scenes) if scene.subject)
    assert cache.boxes[shown] == [(cache.scenes[shown].subject, (25.0, 25.0, 75.0, 50.0))]
    assert cache.boxes_of(np.array([shown])) == [[(25.0, 25.0, 75.0, 50.0)]]
    assert len((cache.folder / "boxes.jsonl").read_text().splitlines()) == 10
    assert json.loads((cache.folder / "cache.json").read_text())["count"] == 10
    assert not [name for name in os.listdir(cache.folder) if name.startswith(".")]


def test_an_epoch_shows_every_scene_once() -> None:
    seen = np.concatenate([batch_indices(0, step, 4, 10) for step in range(5)])
    assert sorted(seen[:10]) == list(range(10))
    assert sorted(seen[10:]) == list(range(10))


# ---------------------------------------------------------------- what the boxes are for


def test_weights_are_higher_inside_and_shared_at_edges() -> None:
    weights = weight_map([[(25.0, 25.0, 75.0, 50.0)], []], 4, inside=3.0)
    assert weights.shape == (2, 1, 4, 4)
    assert weights[0, 0].tolist() == [[1, 1, 1, 1], [1, 3, 3, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert (weights[1] == 1).all()
    half = coverage([[(12.5, 0.0, 25.0, 25.0)]], 4)
    assert half[0, 0, 0].tolist() == [0.5, 0, 0, 0]
    assert float(coverage([[(0.0, 0.0, 60.0, 100.0), (40.0, 0.0, 100.0, 100.0)]], 8).max()) == 1.0
    errors = torch.rand(2, 3, 4, 4)
    assert float(weighted_mean(errors, torch.full((2, 1, 4, 4), 7.0))) == pytest.approx(float(errors.mean()))
    assert float(weighted_mean(errors, None)) == pytest.approx(float(errors.mean()))
    inside = torch.zeros(1, 1, 4, 4)
    inside[0, 0, 1, 1] = 1.0
    assert float(weighted_mean(inside, weights[:1])) == pytest.approx(3 / 20)


def test_melting_changes_the_subjects_box_and_nothing_else() -> None:
    pixels = torch.rand(24, 3, 16, 16) * 2 - 1
    boxes = [[(25.0, 25.0, 75.0, 50.0)]] * 20 + [[], [], [(30.0, 30.0, 31.0, 31.0)], [(0.0, 0.0, 100.0, 100.0)]]
    made = melt(pixels, boxes, torch.Generator().manual_seed(0))
    changed = (made - pixels).abs().sum(1) > 1e-6
    assert changed[:20, 4:8, 4:12].float().mean((1, 2)).min() > 0.5
    changed[:20, 4:8, 4:12] = False
    assert not changed[:23].any() and changed[23].any()
    assert made.abs().max() <= 1.0


def test_a_scene_without_its_subject_keeps_its_setting() -> None:
    scenes = [scene_at(0, "train", i) for i in range(40)]
    assert any(scene.subject for scene in scenes)
    for scene in scenes:
        empty = without_subject(scene)
        assert empty.content() == (scene.place,) and (empty.weather, empty.elements) == (scene.weather, scene.elements)
        scene_affect(empty)


def test_half_of_the_pictures_are_mirrored_and_no_side_is_named() -> None:
    ramp = torch.linspace(-1, 1, 32).expand(200, 3, 32, 32)
    made = augment(ramp, torch.Generator().manual_seed(0))
    mirrored = (made[..., -8:].mean((1, 2, 3)) < made[..., :8].mean((1, 2, 3))).float().mean()
    assert 0.4 < float(mirrored) < 0.6
    from emofeedback.judges.scene.judge_language import ASPECTS
    from emofeedback.scenes.captions import vocabulary

    words = {*vocabulary(), *(word for answers in ASPECTS.values() for word in answers)}
    assert not {"left", "right", "leftmost", "rightmost", "east", "west"} & words
