"""Files appear whole or not at all; pictures carry their making; hostile pictures give one sentence."""

import errno
import io
import json
import os
from pathlib import Path

import pytest
from fakes import ColourJudge, PaintGenerator
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.files.open_picture import MAX_SIDE, open_picture, square
from emofeedback.files.run_json import run_json
from emofeedback.files.storage import png_bytes, results_folder, write_json, write_rows, write_whole
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import Finished, RunOrder, run_loop
from emofeedback.records import Picture, PictureRequest, Reading
from emofeedback.settings import Settings

PICTURE = Picture(
    Image.new("RGB", (8, 8), "red"), PictureRequest("a dog, 雪 🎆", Affect(0.5, -0.25), 7, 1.5, 12, 3.5), "m", 0.1
)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"old": 1})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_ctrl_c_while_writing_leaves_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_png_tells_how_it_was_made() -> None:
    reading = Reading(Affect(0.1, 0.2), 0.1, 0.1, 0.9, (), "j")
    image = Image.open(io.BytesIO(png_bytes(PICTURE, reading)))
    making = json.loads(image.text["emofeedback"])
    assert making["request"]["prompt"] == PICTURE.request.prompt
    assert (making["request"]["valence"], making["request"]["seed"], making["reading"]["arousal"]) == (0.5, 7, 0.2)
    prompt, line = image.text["parameters"].split("\n")
    assert prompt == PICTURE.request.prompt
    assert line.startswith("Steps: 12, CFG scale: 3.5, Seed: 7, Size: 8x8, Model: m, Valence: 0.5, Arousal: -0.25")


def test_results_never_mix_with_what_is_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with results_folder(out) as first:
        assert first == out
        (first / "a").touch()
    with results_folder(out, now=0.0) as second, results_folder(out, now=0.0) as third:
        (second / "a").touch()
        (third / "a").touch()
    assert len({first, second, third}) == 3 and second.parent == third.parent == out


def test_a_failed_command_leaves_no_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for out in (None, Path("new")):
        with pytest.raises(UserError), results_folder(out):
            raise UserError("failed")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with results_folder(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()


def test_an_unusable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none"), tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="--out"), results_folder(out):
            pass


def test_rows(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", [{"v": 1, "r": None}, {"v": 2, "r": "x,y"}])
    assert (tmp_path / "a.csv").read_text() == 'v,r\n1,\n2,"x,y"\n'


def test_the_fields_that_callers_rely_on() -> None:
    *_, last = run_loop(PaintGenerator(), ColourJudge(), RunOrder("a dog", Affect(0.8, 0), Drawing(2), Rules(2, 0.0)))
    assert isinstance(last, Finished)
    data = json.loads(json.dumps(run_json(last.run), allow_nan=False))
    assert data["target"] == {"valence": 0.8, "arousal": 0.0} and len(data["rounds"]) == 2
    one = data["rounds"][0]
    assert {"prompt", "candidates", "critique", "seconds"} <= one.keys()
    assert {"image", "seed", "reading", "distance", "chosen"} == one["candidates"][0].keys()
    assert one["candidates"][0]["reading"].keys() == {
        "valence",
        "arousal",
        "valence_sd",
        "arousal_sd",
        "mass",
        "seen",
        "content_kept",
    }
    assert {"analysis", "edits"} <= one["critique"].keys()
    assert sum(c["chosen"] for c in one["candidates"]) == 1
    assert data["best"]["image"] == "round-02-candidate-01.png"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = (
        Image.new("I;16", (5, 4), 7) if mode == "I;16" else Image.new("RGB", (5, 4), "red").convert("L").convert(mode)
    )
    kind = {"F": "TIFF", "CMYK": "TIFF"}.get(mode, "PNG")
    opened = open_picture(encoded(image, kind))
    assert (opened.mode, opened.size) == ("RGB", (5, 4))


def test_transparency_is_white_and_exif_turns_upright() -> None:
    assert open_picture(encoded(Image.new("RGBA", (2, 2), (255, 0, 0, 0)))).getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_picture(encoded(Image.new("RGB", (20, 10)), "JPEG", exif=exif)).size == (10, 20)


def test_large_pictures_shrink_and_squares_are_cut_from_the_middle() -> None:
    assert open_picture(encoded(Image.new("L", (5000, 50)))).width == MAX_SIDE
    assert square(Image.new("RGB", (40, 20)), 16).size == (16, 16)


def test_hostile_pictures_give_one_sentence(tmp_path: Path) -> None:
    whole = encoded(Image.effect_noise((64, 64), 50))
    huge = bytearray(encoded(Image.new("L", (16, 16))))
    huge[16:24] = (100_000).to_bytes(4, "big") * 2
    for content in (b"", b"GIF89a", b"<svg/>", whole[:200], whole[: len(whole) // 2], bytes(huge), os.urandom(500)):
        with pytest.raises(UserError):
            open_picture(content)
    for path in (tmp_path / "none.png", tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(UserError):
            open_picture(path)
    with pytest.raises(UserError, match="pixels"):
        open_picture(encoded(Image.new("1", (10_000, 6_000))))


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_environment({"EMOFEEDBACK_SEED": "5", "EMOFEEDBACK_DEVICE": "cpu", "EMOFEEDBACK_OUT": "x"})
    assert (settings.seed, settings.device, settings.out, settings.judge) == (5, "cpu", Path("x"), "bundled")
    for wrong in ({"EMOFEEDBACK_SEED": "five"}, {"EMOFEEDBACK_SEED": "-1"}, {"EMOFEEDBACK_DEVICE": "tpu"}):
        with pytest.raises(UserError):
            Settings.from_environment(wrong)
