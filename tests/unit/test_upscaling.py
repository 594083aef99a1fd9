"""Upscalers in the product: which one is taken, in tiles, who gets the large picture, and what files tell of it."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_upscalers import KINDS, save

from emofeedback.affect import Affect
from emofeedback.build import build_upscaler
from emofeedback.deploy.zero_gpu import ZeroGpuUpscaler, on_zero_gpu
from emofeedback.errors import OutOfMemory, UserError
from emofeedback.files.large_pictures import MAX_SIDE, LargePictures
from emofeedback.files.png_settings import parse_parameters, read_settings
from emofeedback.files.run_json import run_from_json, run_json
from emofeedback.files.storage import png_bytes
from emofeedback.generators.pipelines import upscalers
from emofeedback.generators.pipelines.upscalers import MULTIPLE, TiledUpscaler, starts
from emofeedback.generators.scene.upscaler import SceneUpscaler, UpscalerShape
from emofeedback.records import Candidate, Cost, Picture, PictureRequest, Reading, Round, Run, Upscaling
from emofeedback.settings import Settings
from emofeedback.sweep.run_sweep import Sweep, sweep_json, write_sweep

SMALL = UpscalerShape(8, 1)
READING = Reading(Affect(0.5, 0.1), 0.1, 0.1, 0.9, (), "j")


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def picture(size: int = 16, **more: object) -> Picture:
    request = PictureRequest("a boat, \u96ea", Affect(0.7, -0.5), 7, steps=4)
    return replace(Picture(noise(size, size), request, "scene-generator", 0.1), **more)  # type: ignore[arg-type]


def thrice(tile: Image.Image) -> Image.Image:
    return tile.resize((3 * tile.width, 3 * tile.height), Image.Resampling.NEAREST)


@pytest.mark.parametrize("size", [(150, 90), (64, 64), (10, 65), (1, 1)])
def test_tiles_make_the_same_picture_as_a_whole_and_stay_small(size: tuple[int, int]) -> None:
    seen: list[tuple[int, int]] = []

    def enlarge(tile: Image.Image) -> Image.Image:
        seen.append(tile.size)
        return thrice(tile)

    image = noise(*size)
    [large] = TiledUpscaler("thrice", 3, enlarge, tile=64).upscale([image])
    assert np.array_equal(np.asarray(large), np.asarray(thrice(image)))
    assert max(max(tile) for tile in seen) <= 64 and all(side % MULTIPLE == 0 for tile in seen for side in tile)


def test_tiles_cover_a_side_and_overlap() -> None:
    for length in range(1, 700, 7):
        begins = starts(length, 96)
        ends = [begin + 96 for begin in begins]
        assert begins[0] == 0 and ends[-1] >= length and (length <= 96 or ends[-1] == length)
        assert all(end - begin >= upscalers.OVERLAP for end, begin in zip(ends, begins[1:], strict=False))


def test_tiles_shrink_where_the_memory_does_not_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upscalers, "free_memory", lambda: None)  # of a GPU; collects garbage for seconds

    def enlarge(tile: Image.Image) -> Image.Image:
        if max(tile.size) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return thrice(tile)

    room, image = 64, noise(200, 200)
    [large] = TiledUpscaler("thrice", 3, enlarge).upscale([image])
    assert np.array_equal(np.asarray(large), np.asarray(thrice(image)))
    room = 32
    with pytest.raises(OutOfMemory, match="choose another upscaler, or none"):
        TiledUpscaler("thrice", 3, enlarge).upscale([image])


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_diffusers_and_transformers_enlarge(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upscalers, "STEPS", 2)
    folder = save(kind, tmp_path / kind)
    upscaler = build_upscaler(Settings(upscaler=str(folder), device="cpu", dtype="float32"))
    assert upscaler is not None and (upscaler.name, upscaler.scale, upscaler.quick) == (kind, KINDS[kind], False)
    image = noise(40, 24)
    first, second = upscaler.upscale([image]), upscaler.upscale([image])
    assert first[0].size == (40 * upscaler.scale, 24 * upscaler.scale)
    assert first[0].tobytes() == second[0].tobytes() and len(set(first[0].getdata())) > 10
    for weights in folder.rglob("*.safetensors"):
        weights.write_bytes(b"cut")
    with pytest.raises(UserError, match=f"{kind} cannot be loaded as an upscaler"):
        build_upscaler(Settings(upscaler=str(folder), device="cpu"))


def test_the_shipped_upscaler_is_taken_for_the_bundled_generator_where_it_is_there(tmp_path: Path) -> None:
    assert Settings().upscaler == "bundled" and Settings.from_environment({}).upscaler == "bundled"
    bare = Settings(checkpoints=tmp_path)
    assert build_upscaler(bare) is None  # not there: no error and no word
    SceneUpscaler(SMALL).save_pretrained(tmp_path / "scene-upscaler")
    shipped = build_upscaler(bare)
    assert isinstance(shipped, SceneUpscaler) and (shipped.name, shipped.scale) == ("scene-upscaler", 4)
    assert build_upscaler(bare.changed(generator="someone/else")) is None
    assert build_upscaler(bare.changed(upscaler="none")) is None
    (tmp_path / "scene-upscaler").rename(tmp_path / "mine")
    named = Settings.from_environment({"EMOFEEDBACK_UPSCALER": str(tmp_path / "mine")})
    assert getattr(build_upscaler(named.changed(generator="someone/else")), "name", None) == "mine"


def test_what_is_no_upscaler_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    (tmp_path / "denoiser").mkdir()
    (tmp_path / "denoiser" / "config.json").write_text('{"model_type": "swin2sr", "upscale": 1}')
    (tmp_path / "empty").mkdir()
    for name, told in (
        ("nowhere", "known are bundled, none, a folder"),
        (str(tmp_path), "StableDiffusionUpscalePipeline"),
        (str(tmp_path / "denoiser"), "enlarges nothing"),
        (str(tmp_path / "empty"), "holds no upscaler"),
    ):
        with pytest.raises(UserError, match=told):
            build_upscaler(Settings(upscaler=name, device="cpu"))


def test_one_place_decides_what_is_enlarged() -> None:
    large, slow = LargePictures(SceneUpscaler(SMALL)), LargePictures(TiledUpscaler("thrice", 3, thrice))
    drawn = picture()
    withheld, wide = picture(withheld=True), picture(MAX_SIDE // 4 + 1)
    done = Upscaling("scene-upscaler", 4)
    assert [p.image.width for p in large.of([drawn, withheld, wide])] == [64, 16, wide.image.width]
    [once] = large.of([drawn])
    assert once.upscaled == done and large.of([once]) == [once] and drawn.upscaled is None
    assert large.upscaling(drawn, chosen=False) == done and slow.upscaling(drawn, chosen=False) is None
    candidates = [Candidate(drawn, None, None, None, chosen=chosen) for chosen in (False, True)]
    assert [p.image.width for p in large.of_round(candidates)] == [64, 64]
    assert [p.image.width for p in slow.of_round(candidates)] == [16, 48]
    assert LargePictures().of([drawn]) == [drawn]


def test_a_png_tells_that_it_was_enlarged_and_its_settings_are_read_as_before() -> None:
    large, drawn = LargePictures(SceneUpscaler(SMALL)), picture()
    rules = {"tolerance": 0.2, "patience": 2, "continuation": "same_seed", "start_strength": 0.6}
    before, after = (png_bytes(p, READING, settings=rules) for p in (drawn, large.of([drawn])[0]))
    assert read_settings(before) == read_settings(after)
    with Image.open(io.BytesIO(after)) as image:
        assert image.size == (64, 64)
        assert json.loads(image.info["emofeedback"])["upscaled"] == {"name": "scene-upscaler", "scale": 4}
        others = dict(parse_parameters(image.info["parameters"]).others)
    assert (others["Size"], others["Postprocess upscale by"]) == ("16x16", "4")
    assert large.of_png(before) == after and large.of_png(after) == after  # as history's is on its way to the page
    assert LargePictures().of_png(before) == before
    bare = large.of_png(png_bytes(drawn, metadata=False))
    with Image.open(io.BytesIO(bare)) as image:
        assert image.size == (64, 64) and not image.info


def test_a_run_tells_what_was_enlarged_and_is_read_back() -> None:
    slow = LargePictures(TiledUpscaler("thrice", 3, thrice))
    candidates = tuple(Candidate(picture(), READING, 0.1, True, chosen=chosen) for chosen in (True, False))
    done = Round(1, "a boat", candidates, None, None, Cost())
    run = Run("a boat", Affect(0.7, -0.5), (done,), "rounds", "g", "j")
    assert "upscaled" not in json.dumps(run_json(run))
    told = run_json(run, upscaling=slow.upscaling)
    assert [c.get("upscaled") for c in told["rounds"][0]["candidates"]] == [{"name": "thrice", "scale": 3}, None]
    assert told["best"]["upscaled"] == {"name": "thrice", "scale": 3}
    back = run_from_json(told, lambda name: picture(48).image).rounds[0].candidates
    assert [c.picture.upscaled for c in back] == [Upscaling("thrice", 3), None]
    assert slow.upscaling(back[0].picture) is None  # it is large already


def test_the_pictures_of_a_sweep_are_written_large_and_its_sheet_as_drawn(tmp_path: Path) -> None:
    cells = tuple(picture(72) for _ in range(2))
    sweep = Sweep("a boat", 7, (cells,), (READING, READING), {}, "g", "j")
    large = LargePictures(SceneUpscaler(SMALL))
    files = write_sweep(sweep, tmp_path, "webp", large=large)
    assert [Image.open(file).size for file in files.cells] == [(288, 288)] * 2
    assert Image.open(files.sheet).size == sweep.board().extent and sweep.board().size == 72
    assert files.animation is not None and Image.open(files.animation).size == (256, 256)
    told = sweep_json(sweep, files, large=large)
    assert json.loads(files.record.read_text())["points"][0]["upscaled"] == {"name": "scene-upscaler", "scale": 4}
    assert told["points"][1]["upscaled"]["scale"] == 4  # type: ignore[index]
    assert "upscaled" not in json.dumps(sweep_json(sweep, files))


def test_on_zero_gpu_a_slow_upscaler_works_where_the_gpu_is_and_a_quick_one_here() -> None:
    class Drawer:
        name, upscaler = "g", TiledUpscaler("thrice", 3, thrice)

    calls: list[str] = []

    def gpu(function: object) -> object:
        def elsewhere(*given: object) -> object:
            calls.append(function.__name__)  # type: ignore[attr-defined]
            return function(*given)  # type: ignore[operator]

        return elsewhere

    drawer, _ = on_zero_gpu((Drawer(), Drawer()), gpu)  # type: ignore[arg-type]
    assert isinstance(drawer.upscaler, ZeroGpuUpscaler) and drawer.upscaler.scale == 3  # type: ignore[attr-defined]
    assert drawer.upscaler.upscale([noise(4, 4)])[0].size == (12, 12) and calls == ["upscale"]  # type: ignore[attr-defined]
    Drawer.upscaler = SceneUpscaler(SMALL)  # type: ignore[assignment]
    drawer, _ = on_zero_gpu((Drawer(), Drawer()), gpu)  # type: ignore[arg-type]
    assert drawer.upscaler is Drawer.upscaler  # type: ignore[attr-defined]


class Noting(SceneUpscaler):
    """Says which scenes it was shown."""

    shown: list[str | None]

    def upscale(self, images: Sequence[Image.Image], scenes: Sequence[str | None] | None = None) -> list[Image.Image]:
        self.shown = list(scenes or [])
        return super().upscale(images, scenes)


def test_an_upscaler_that_looks_at_scenes_is_shown_them_from_a_picture_and_from_its_png() -> None:
    noting = Noting(replace(SMALL, fine=8))
    scene = json.dumps({"place": "lake"})
    drawn, plain = replace(picture(), scene=scene), picture()
    large = LargePictures(noting)
    large.of([drawn, plain])
    assert noting.shown == [scene, None]
    large.of_png(png_bytes(drawn))
    assert noting.shown == [scene]
    blind = SceneUpscaler(SMALL)
    assert blind.upscale([drawn.image], [scene])[0].tobytes() == blind.upscale([drawn.image])[0].tobytes()
