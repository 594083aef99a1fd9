"""Sheets, paths, and figures of continuity against closed forms."""

import csv
import io
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import ColourJudge, PaintGenerator
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from emofeedback.affect import EMOTIONS, Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.judges.occlusion import regions, sentences
from emofeedback.records import Picture, Reading
from emofeedback.sweep.animation import FADE, animate, format_of, has_mp4, timeline
from emofeedback.sweep.plane import (
    along,
    blend,
    continuity,
    grid_affects,
    lab,
    parse_blend,
    parse_path,
    perceptual_step,
    requests_for,
    shares,
    sheet_continuity,
)
from emofeedback.sweep.run_sweep import Sweep, SweepOrder, SweepProgress, plan, run_sweep, write_sweep
from emofeedback.sweep.sheets import board_of, sheet

GRAYS = [Image.new("RGB", (64, 64), (v, v, v)) for v in (0, 64, 128, 255)]


def test_lab_of_known_colours() -> None:
    # CIELAB under D65: white 100, black 0, sRGB red (53.24, 80.09, 67.20)
    assert lab(GRAYS[3])[0, 0] == pytest.approx([100, 0, 0], abs=0.05)
    assert lab(GRAYS[0])[0, 0] == pytest.approx([0, 0, 0], abs=0.05)
    assert lab(Image.new("RGB", (8, 8), (255, 0, 0)))[0, 0] == pytest.approx([53.24, 80.09, 67.20], abs=0.1)


def test_black_to_white_is_one_hundred() -> None:
    assert perceptual_step(GRAYS[0], GRAYS[3]) == pytest.approx(100, abs=0.05)


def test_a_jump_shows_in_the_ratio() -> None:
    figures = continuity([GRAYS[0], GRAYS[0], GRAYS[0], GRAYS[3]])
    assert figures.steps == 3
    assert figures.ratio == pytest.approx(3.0)
    assert figures.travel == pytest.approx(100, abs=0.05)
    assert continuity([GRAYS[1]] * 3).ratio == 1.0


def test_a_sheet_tells_its_axes_apart() -> None:
    rows = [[GRAYS[0], GRAYS[3]], [GRAYS[0], GRAYS[3]]]
    figures = sheet_continuity(rows)
    assert figures["valence"].mean_step == pytest.approx(100, abs=0.05)
    assert figures["arousal"].mean_step == 0


def test_the_grid_has_arousal_up_and_valence_to_the_right() -> None:
    rows = grid_affects(5, 0.8)
    assert rows[0][0] == Affect(-0.8, 0.8) and rows[-1][-1] == Affect(0.8, -0.8) and rows[2][2] == Affect(0, 0)


@given(st.lists(st.tuples(*[st.floats(-1, 1)] * 2), min_size=2, max_size=6), st.integers(2, 30))
def test_points_along_a_path_are_evenly_spaced(points: list[tuple[float, float]], frames: int) -> None:
    waypoints = [Affect(*p) for p in points]
    length = sum(a.distance(b) for a, b in zip(waypoints, waypoints[1:], strict=False))
    if length < 1e-6:
        return
    path = along(waypoints, frames)
    assert len(path) == frames
    assert path[0].distance(waypoints[0]) < 1e-6 and path[-1].distance(waypoints[-1]) < 1e-6
    assert max(a.distance(b) for a, b in zip(path, path[1:], strict=False)) <= length / (frames - 1) + 1e-6


def test_parse_path() -> None:
    assert parse_path("-.5,0 0.5,-1") == (Affect(-0.5, 0), Affect(0.5, -1))


@pytest.mark.parametrize("text", ["", "0,0", "0 1", "a,b c,d", "0,0 2,0", "0,0 nan,0", "0,0,0 1,1"])
def test_bad_paths(text: str) -> None:
    with pytest.raises(UserError):
        parse_path(text)


def test_a_path_without_length() -> None:
    with pytest.raises(UserError):
        along([Affect(0, 0), Affect(0, 0)], 3)


@pytest.mark.parametrize("grid", [-1, 1, 16])
def test_bad_grids(grid: int) -> None:
    with pytest.raises(UserError):
        grid_affects(grid)


def test_a_sheet_holds_every_picture_in_place() -> None:
    rows = grid_affects(2)
    shades = iter([(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)])
    pictures = [
        [Picture(Image.new("RGB", (32, 32), next(shades)), r, "m", 0.0) for r in requests_for("x", row, 3)]
        for row in rows
    ]
    assert {p.request.seed for row in pictures for p in row} == {3}
    board = np.asarray(sheet(pictures))
    for colour in [(255, 0, 0), (0, 255, 0), (0, 0, 255), (9, 9, 9)]:
        assert (board == colour).all(axis=-1).sum() >= 32 * 32


def _row(count: int) -> list[Picture]:
    requests = requests_for("x", along([Affect(-1, 0), Affect(1, 0)], count), 0)
    return [Picture(Image.new("RGB", (32, 32), (8 * i, 0, 9)), r, "m", 0.0) for i, r in enumerate(requests)]


@given(st.integers(2, 30))
def test_every_press_on_a_strip_finds_its_picture(count: int) -> None:
    row = _row(count)
    board, drawn = board_of([row]), sheet([row])
    assert drawn.size == board.extent
    for index in range(count):
        x, y = board.corner(index)
        assert board.index_at(x + 16, y + 16) == index
        assert drawn.getpixel((x + 16, y + 16)) == (8 * index, 0, 9)
    assert board.index_at(-1, 3) is None and board.index_at(*board.extent) is None


def test_a_press_beside_a_sheet_finds_nothing() -> None:
    pictures = [
        [Picture(Image.new("RGB", (32, 32)), r, "m", 0.0) for r in requests_for("x", row, 3)] for row in grid_affects(3)
    ]
    board = board_of(pictures)
    assert board.index_at(10, 10) is None  # the labels at the left
    assert board.index_at(*(c + 1 for c in board.corner(5))) == 5


def test_a_blend_lies_between_its_emotions() -> None:
    assert blend("happy", "afraid", 0) == EMOTIONS["happy"] and blend("happy", "afraid", 1) == EMOTIONS["afraid"]
    half = blend("Happy", "afraid", 0.5)
    assert half.distance(EMOTIONS["happy"]) == pytest.approx(half.distance(EMOTIONS["afraid"]))


def test_the_wanted_share_is_one_of_the_frames() -> None:
    assert shares(5) == [0, 0.25, 0.5, 0.75, 1]
    assert shares(5, 0.3) == [0, 0.3, 0.5, 0.75, 1]
    assert shares(5, 0.01) == [0, 0.01, 0.5, 0.75, 1] and shares(5, 0.0) == shares(5)
    assert parse_blend(" happy , afraid ") == ("happy", "afraid", None)
    assert parse_blend("happy,afraid,0.3") == ("happy", "afraid", 0.3)


@pytest.mark.parametrize(
    "text", ["happy", "happy,", "happy,afraid,2", "happy,afraid,x", "happy,hapy", "a,b,c,d", "nan"]
)
def test_bad_blends(text: str) -> None:
    with pytest.raises(UserError):
        parse_blend(text)


def test_an_animation_goes_there_and_back() -> None:
    shown = timeline(GRAYS)
    stays = [image.getpixel((0, 0))[0] for image, _ in shown[:: FADE + 1]]
    assert stays == [0, 64, 128, 255, 128, 64]
    between = [image.getpixel((0, 0))[0] for image, _ in shown[: FADE + 2]]
    assert between == sorted(between) and len(set(between)) == FADE + 2


@pytest.mark.parametrize("form", ["gif", "webp"])
def test_an_animation_loops_and_keeps_its_time(form: str) -> None:
    content = animate(GRAYS[:2], format_of(form))
    with Image.open(io.BytesIO(content)) as film:
        assert film.format == form.upper() and film.info["loop"] == 0
        seconds = 0
        for index in range(film.n_frames):
            film.seek(index)
            film.load()
            seconds += film.info["duration"]
    assert seconds == round(1000 * sum(s for _, s in timeline(GRAYS[:2])))


def test_mp4_is_written_where_its_package_is_and_refused_with_a_sentence_where_not() -> None:
    if has_mp4():
        assert animate(GRAYS[:2], format_of("mp4"))[4:8] == b"ftyp"
    else:
        with pytest.raises(UserError, match="pip install imageio-ffmpeg"):
            format_of(".mp4")
    with pytest.raises(UserError, match="known are gif, webp, mp4"):
        format_of("avi")
    with pytest.raises(UserError, match="two pictures"):
        animate(GRAYS[:1], "gif")


def test_a_sweep_is_drawn_read_and_written_whole(tmp_path: Path) -> None:
    events = list(run_sweep(PaintGenerator(), ColourJudge(), SweepOrder("a dog", plan(3), seed=4)))
    sweep = events[-1]
    assert isinstance(sweep, Sweep)
    done = [event.done for event in events if isinstance(event, SweepProgress)]
    assert done == sorted(done) and done[-1] == 9
    files = write_sweep(sweep, tmp_path, "webp")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in files.all())
    record = json.loads(files.record.read_text())
    assert [point["image"] for point in record["points"]] == [str(path) for path in files.cells]
    with open(files.table) as table:
        rows = list(csv.DictReader(table))
    assert [float(r["valence"]) for r in rows] == [p.request.affect.valence for p in sweep.cells() if p.request.affect]
    with Image.open(files.cells[2]) as cell:
        making = json.loads(cell.info["emofeedback"])
    assert making["request"]["seed"] == 4 and making["request"]["valence"] == 0.8


def test_a_stopped_sweep_draws_no_further_batch() -> None:
    generator, stop = PaintGenerator(), threading.Event()
    with pytest.raises(Cancelled):
        for _ in run_sweep(generator, ColourJudge(), SweepOrder("a dog", plan(9)), cancel=stop):
            stop.set()
    assert len(generator.calls) == 1  # of four batches


class CornerJudge(ColourJudge):
    """Valence is the brightness of the upper left ninth, arousal is always the same."""

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        found: list[Reading | None] = []
        for picture in pictures:
            width, height = picture.image.size
            part = np.asarray(picture.image.crop((0, 0, width // 3, height // 3)).convert("L"), dtype=float)
            found.append(Reading(Affect(part.mean() / 255, 0.2), 0.1, 0.1, 1.0, (), self.name))
        return found


def test_the_part_that_carries_the_emotion_is_named() -> None:
    image = Image.new("RGB", (96, 96))
    image.paste("white", (0, 0, 32, 32))
    whole = CornerJudge().read([Picture(image, requests_for("", [Affect(0, 0)], 0)[0], "m", 0.0)])[0]
    assert whole is not None
    found = regions(CornerJudge(), image, whole)
    assert len(found) == 9 and found[0].name == "top left" and found[0].valence > 0.3
    assert sentences(found) == [f"top left: more pleasant ({found[0].valence:+.2f})"]


def test_what_the_judge_cannot_read_is_left_out() -> None:
    reading = Reading(Affect(0, 0), 0.1, 0.1, 1.0, (), "j")
    assert regions(ColourJudge(blind=True), GRAYS[0], reading) == [] and sentences([]) == []
