"""People and animals: every pose can be told from plain, stays in the drawing box, and wears the colour asked for."""

import functools
import io

import numpy as np
import pytest
import resvg_py
from PIL import Image

from emofeedback.scenes.draw.canvas import Ink, rgb
from emofeedback.scenes.draw.figures import FIGURE_DRAWINGS
from emofeedback.scenes.grammar import ANIMALS, LIVING, PEOPLE, POSES

MARGIN = 25


def ink(pose: str = "plain", coat: str | None = None) -> Ink:
    """White light, so that the coat's own colour arrives."""
    return Ink(ambient="#ffffff", ambient_share=0.0, haze="#ffffff", pose=pose, coat=coat)


@functools.cache
def pixels(name: str, pose: str = "plain", coat: str | None = None) -> np.ndarray:
    """RGBA in [0, 255], one pixel per local unit, with a margin round the box of x in [-50, 50], y in [-100, 0]."""
    side = 100 + 2 * MARGIN
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-50 - MARGIN} {-100 - MARGIN} {side} {side}">'
        f"{FIGURE_DRAWINGS[name](ink(pose, coat))}</svg>"
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True)
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"), dtype=float)


def test_living_subjects_are_people_and_animals() -> None:
    assert set(LIVING) == set(PEOPLE) | set(ANIMALS)


@pytest.mark.parametrize("name", LIVING)
def test_poses_differ_by_more_than_a_detail(name: str) -> None:
    seen = {pose: pixels(name, pose) for pose in POSES}
    for i, one in enumerate(POSES):
        for other in POSES[i + 1 :]:
            changed = (np.abs(seen[one] - seen[other]).max(axis=2) > 40).sum()
            assert changed > 60, f"{name}: {one} and {other} differ in {changed} pixels of 10000"


@pytest.mark.parametrize("name", PEOPLE)
def test_poses_change_the_outline_of_people(name: str) -> None:
    plain = pixels(name)[..., 3] > 127
    for pose in POSES[1:]:
        outline = pixels(name, pose)[..., 3] > 127
        shared = (plain & outline).sum() / (plain | outline).sum()
        assert shared < 0.93, f"{name}, {pose}: {shared:.2f} of the area is that of the plain pose"


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("name", LIVING)
def test_drawing_stays_in_its_box(name: str, pose: str) -> None:
    alpha = pixels(name, pose)[..., 3]
    box = alpha[MARGIN : MARGIN + 100, MARGIN : MARGIN + 100]
    assert (box > 127).sum() > 700
    # one pixel is left for the smoothing of edges
    outside = alpha.copy()
    outside[MARGIN - 1 : MARGIN + 101, MARGIN - 1 : MARGIN + 101] = 0
    assert outside.max() < 64


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("name", LIVING)
def test_main_surface_takes_the_colour_of_the_scene(name: str, pose: str) -> None:
    colour = "#10c0a0"
    picture = pixels(name, pose, colour)
    wanted = 255 * np.array(rgb(colour))
    near = (np.abs(picture[..., :3] - wanted).max(axis=2) < 6) & (picture[..., 3] > 250)
    assert near.sum() > 60
    assert not ((np.abs(pixels(name, pose)[..., :3] - wanted).max(axis=2) < 6).sum() > 5)
