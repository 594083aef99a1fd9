"""Sheets, paths, and figures of continuity against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.continuum import (
    along,
    continuity,
    grid_affects,
    lab,
    parse_path,
    perceptual_step,
    requests_for,
    sheet_continuity,
)
from emofeedback.errors import UserError
from emofeedback.records import Picture

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
