"""Files appear whole or not at all; pictures carry their making; hostile pictures give one sentence."""

import errno
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import ColourJudge, PaintGenerator
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.files.open_picture import MAX_SIDE, open_picture, square
from emofeedback.files.run_json import candidate_name, run_from_json, run_json
from emofeedback.files.storage import png_bytes, results_folder, write_json, write_rows, write_whole
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import Finished, RunOrder, run_loop
from emofeedback.records import (
    Candidate,
    Cost,
    Critique,
    Edit,
    Picture,
    PictureRequest,
    Reading,
    Round,
    Run,
    Seen,
    VisualPrompt,
)
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


def _a_run() -> Run:
    blank = Image.new("RGB", (4, 4))
    visual = VisualPrompt(0.5, "fear", ((3, 0.25),), (), "awe", 2.0)
    requests = [
        PictureRequest("a dog, brighter", Affect(0.5, -0.25), 7, 0.5, 4, 1.5, visual=visual),
        PictureRequest("a dog", Affect(0.5, -0.25), 8),
    ]
    reading = Reading(Affect(0.25, 0.125), 0.5, 0.25, 0.75, (Seen("place", "sea", 0.5),), "j", "logits", "by people")
    candidates = (
        Candidate(Picture(blank, requests[0], "g+lora", 0.0, drawn_as="a dog, at night"), reading, 0.375, False, True),
        Candidate(Picture(blank, requests[1], "g", 0.0), None, None, None),
    )
    critique = Critique("It is tense.", ("fog",), (Edit("replace", "fog", "sun"), Edit("add", new="birds", keeps=True)))
    cost = Cost(2.5, 1.5, 0.5, 0.5, 2, 2, 1)
    rounds = (
        Round(1, "a dog", candidates, critique, "a dog, brighter", cost, advised_on=1),
        Round(2, "a dog, brighter", tuple(map(replace, candidates)), None, None, cost),
    )
    settings: dict[str, object] = {"steps": 4, "guidance": None, "rounds": 3}
    return Run("a dog", Affect(0.5, -0.25), rounds, "failed", "g", "j", settings, "The judge's server went away.")


def test_a_run_that_is_read_back_is_the_same_but_for_its_pictures() -> None:
    """The example run lost whose picture the advice was about, and everything else that its reader had forgotten."""
    run, opened = _a_run(), []

    def blank(name: str) -> Image.Image:
        opened.append(name)
        return run.rounds[0].candidates[0].picture.image

    text = json.dumps(run_json(run, requests=True), allow_nan=False)
    assert run_from_json(json.loads(text), blank) == run
    assert opened == [candidate_name(number, index) for number in (1, 2) for index in (0, 1)]
    plain = run_from_json(json.loads(json.dumps(run_json(run))), blank)  # as `generate` writes it
    assert json.dumps(run_json(plain)) == json.dumps(run_json(run))
    assert plain.rounds[0].candidates[0].picture.request.steps == 4


def test_runs_of_other_versions_are_read() -> None:
    """Fields of later versions are passed over; those that earlier ones did not write have defaults."""
    data = json.loads(json.dumps(run_json(_a_run(), requests=True)))

    def visit(value: object) -> None:
        for part in list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()):
            visit(part)
        if isinstance(value, dict):
            value["of a later version"] = {"mood": 1}

    visit(data)
    data["settings"].pop("of a later version")
    blank = _a_run().rounds[0].candidates[0].picture.image
    assert run_from_json(data, lambda name: blank) == _a_run()
    for done in data["rounds"]:
        done["seconds"] = done.pop("cost")["seconds"]
        done.pop("advised_on")
        for candidate in done["candidates"]:
            candidate.pop("request")
            candidate.pop("model")
    old = run_from_json(data, lambda name: blank)
    assert old.rounds[0].cost == Cost(2.5) and old.rounds[0].advised_on is None
    assert old.rounds[0].critique == _a_run().rounds[0].critique
    for damage in ({"target": {"valence": 3, "arousal": 0}}, {"rounds": None}, {"prompt": 5}):
        with pytest.raises(ValueError):
            run_from_json({**data, **damage}, lambda name: blank)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = (
        Image.new("I;16", (5, 4), 7) if mode == "I;16" else Image.new("RGB", (5, 4), "red").convert("L").convert(mode)
    )
    kind = {"F": "TIFF", "CMYK": "TIFF"}.get(mode, "PNG")
    opened = open_picture(encoded(image, kind))
    assert (opened.mode, opened.size) == ("RGB", (5, 4))


def test_near_black_stays_near_black() -> None:
    """A 16-bit picture whose brightest pixel was 200 of 65535 was read as if 255 were white."""
    dark = Image.fromarray(np.full((4, 4), 200, dtype=np.uint16))
    for kind in ("PNG", "TIFF"):
        assert open_picture(encoded(dark, kind)).getpixel((0, 0)) == (0, 0, 0)
    bright = Image.fromarray(np.full((4, 4), 65535, dtype=np.uint16))
    assert open_picture(encoded(bright, "PNG")).getpixel((0, 0)) == (255, 255, 255)


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


def test_settings_are_frozen_checked_and_read_the_environment_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOFEEDBACK_SEED", "9")
    settings = Settings(device="cpu")
    assert settings.seed == 0 and Settings.from_environment(os.environ).seed == 9
    assert settings.changed(seed=4) == Settings(device="cpu", seed=4) != settings
    for wrong in ({"seed": -1}, {"device": "tpu"}, {"size": 100}):
        with pytest.raises(UserError):
            settings.changed(**wrong)
    with pytest.raises(ValueError):
        settings.seed = 5  # type: ignore[misc]
    on_space = {"SPACE_ID": "me/it", "EMOFEEDBACK_PROXIED": "0", "EMOFEEDBACK_DATA": "~/kept", "EMOFEEDBACK_OUT": " "}
    hosted = Settings.from_environment(on_space)
    assert (hosted.public, hosted.proxied, hosted.out) == (True, False, None)
    assert hosted.data_dir == Path.home() / "kept"


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_environment({"EMOFEEDBACK_SEED": "5", "EMOFEEDBACK_DEVICE": "cpu", "EMOFEEDBACK_OUT": "x"})
    assert (settings.seed, settings.device, settings.out, settings.judge) == (5, "cpu", Path("x"), "bundled")
    for wrong in ({"EMOFEEDBACK_SEED": "five"}, {"EMOFEEDBACK_SEED": "-1"}, {"EMOFEEDBACK_DEVICE": "tpu"}):
        with pytest.raises(UserError):
            Settings.from_environment(wrong)
