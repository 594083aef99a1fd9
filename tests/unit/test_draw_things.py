"""Subjects: every one has a drawing, number, colour and size show, and the boxes hold what is drawn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from emofeedback.scenes.draw.canvas import Ink
from emofeedback.scenes.draw.figures import FIGURE_DRAWINGS
from emofeedback.scenes.draw.render import render
from emofeedback.scenes.draw.structures import STRUCTURE_DRAWINGS
from emofeedback.scenes.draw.subjects import AIRBORNE, COATS, HEIGHTS, WINDOW, placements, subject_boxes
from emofeedback.scenes.grammar import COLOURS, FIGURES, PEOPLE, POSES, SEVERAL, STRUCTURES, SUBJECTS, THINGS, Scene

WITH_COLOUR = STRUCTURES + THINGS


def _scene(subject: str | None, place: str = "meadow", **more: Any) -> Scene:
    fields: dict[str, Any] = {
        "companion": None,
        "time": "day",
        "weather": "clear",
        "season": "summer",
        "palette": "natural",
        "light": "even",
        "elements": (),
        "layout": 5,
    }
    return Scene(place, subject, **(fields | more))


def _pixels(scene: Scene, size: int = 100) -> np.ndarray:
    """The picture as floats (size, size, 3) in [0, 255]."""
    return np.asarray(render(scene, size), dtype=float)


def _changed(a: Scene, b: Scene) -> np.ndarray:
    """Which pixels of the two pictures differ visibly, (100, 100) of bool: one pixel is one picture unit."""
    return np.abs(_pixels(a) - _pixels(b)).max(-1) > 24


def test_every_subject_has_a_drawing_and_a_size() -> None:
    assert set(FIGURE_DRAWINGS) == set(FIGURES)
    assert set(STRUCTURE_DRAWINGS) == set(STRUCTURES)
    assert set(HEIGHTS) == set(SUBJECTS)
    assert set(COATS) == set(COLOURS)


@pytest.mark.parametrize("name", WITH_COLOUR)
def test_a_coat_replaces_the_main_surface(name: str) -> None:
    """The drawing of a thing names the coat's colour itself, and not only a shade of it."""
    draw = (STRUCTURE_DRAWINGS | FIGURE_DRAWINGS)[name]
    plain, coated = (draw(Ink("#ffffff", 0.0, "#ffffff", coat=coat)) for coat in (None, COATS["purple"]))
    assert COATS["purple"] not in plain
    assert coated.count(COATS["purple"]) > plain.count(COATS["purple"])


@pytest.mark.parametrize("name", WITH_COLOUR)
def test_blue_is_bluer_than_red(name: str) -> None:
    red, blue = (_pixels(_scene(name, colour=colour)).mean((0, 1)) for colour in ("red", "blue"))
    assert red[0] - blue[0] > 1.5
    assert blue[2] - red[2] > 1.5


def test_a_companion_keeps_its_own_colour() -> None:
    own, coated = (_scene("car", companion="boat", colour=colour) for colour in (None, "green"))
    (_, boat), (_, car) = subject_boxes(own)
    left, top, right, bottom = boat
    away = np.ones((100, 100), dtype=bool)
    away[int(car[1]) - 1 : int(car[3]) + 3, int(car[0]) - 1 : int(car[2]) + 3] = False
    inside = np.zeros((100, 100), dtype=bool)
    inside[int(top) : int(bottom), int(left) : int(right)] = True
    assert not (_changed(own, coated) & away & inside).any()
    assert _changed(own, coated).any()


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_number_of_complete_copies(name: str, count: int) -> None:
    """The boxes lie in the picture, side by side; what stands on the ground does so low in the picture."""
    boxes = [box for found, box in subject_boxes(_scene(name, count=count)) if found == name]
    assert len(boxes) == count
    for left, top, right, bottom in boxes:
        assert 0.5 <= left < right <= 99.5
        assert 0.5 <= top < bottom <= 99.5
        assert name in AIRBORNE or bottom > 60
    boxes.sort()
    for (_, _, right, _), (left, _, _, _) in zip(boxes, boxes[1:], strict=False):
        assert left > right - 4


@pytest.mark.parametrize("name", WITH_COLOUR)
def test_number_and_size_change_the_picture(name: str) -> None:
    one = _scene(name)
    for other in (replace(one, count=2), replace(one, size="small"), replace(one, size="large")):
        assert _changed(one, other).sum() > 60


@pytest.mark.parametrize("name", SUBJECTS)
def test_small_is_smaller_and_large_larger(name: str) -> None:
    small, own, large = (_height(_scene(name, size=size)) for size in ("small", None, "large"))
    assert small < 0.8 * own
    assert large > 1.1 * own


def _height(scene: Scene) -> float:
    ((_, (_, top, _, bottom)),) = subject_boxes(scene)
    return bottom - top


@pytest.mark.parametrize("place", ["meadow", "lake", "harbour"])
@pytest.mark.parametrize("name", ["car", "campfire", "umbrella", "tree", "ship", "airplane", "hot-air balloon", "dog"])
@pytest.mark.parametrize("count", [1, 3])
def test_the_boxes_hold_what_is_drawn(place: str, name: str, count: int) -> None:
    """Against the same picture without its subject, what differs lies in the boxes, but for shadow and reflection."""
    scene = _scene(name, place, count=count)
    empty = _scene(None, place)
    changed = _changed(scene, empty)
    allowed = np.zeros((100, 100), dtype=bool)
    filled = []
    for _, (left, top, right, bottom) in subject_boxes(scene):
        box = np.s_[max(int(top) - 1, 0) : int(bottom) + 2, max(int(left) - 1, 0) : int(right) + 2]
        filled.append(changed[box].mean())
        allowed[box] = True
        low = 4 if name in AIRBORNE else int(bottom) - 3
        allowed[low : int(bottom) + 9, max(int(left) - 3, 0) : int(right) + 5] |= name not in AIRBORNE
    assert not (changed & ~allowed).any()
    assert min(filled) > 0.2


def test_boxes_name_the_subject_and_its_companion() -> None:
    assert subject_boxes(_scene(None)) == []
    assert sorted(name for name, _ in subject_boxes(_scene("dog", companion="house", count=2))) == [
        "dog",
        "dog",
        "house",
    ]


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("size", [None, "large"])
@pytest.mark.parametrize("count", [1, 3])
def test_rooms_show_structures_through_the_window(name: str, size: str | None, count: int) -> None:
    for _, (left, top, right, bottom) in subject_boxes(_scene(name, "bedroom", size=size, count=count)):
        assert WINDOW[0] <= left < right <= WINDOW[2]
        assert WINDOW[1] <= top < bottom <= WINDOW[3] + 1


def test_subjects_stay_where_they_are_when_the_setting_changes() -> None:
    """Feedback changes the setting only; a subject that moved with it would be another picture."""
    scene = _scene("person", "lake", companion="tree", count=2, colour="blue")
    other = replace(scene, time="night", season="winter", weather="snow", pose="cheering", elements=("moon", "pond"))
    assert placements(scene) == placements(other)
    assert placements(scene) != placements(replace(scene, layout=6))


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize(("count", "size"), [(1, None), (1, "small"), (2, None), (3, None), (3, "large")])
def test_people_sit_on_their_bench(name: str, pose: str, count: int, size: str | None) -> None:
    """Each copy is before the bench, its hips on the seat, and all of them are in the picture."""
    if count > 1 and name in SEVERAL:
        return
    scene = _scene(name, "park", companion="bench", pose=pose, count=count, size=size)
    (first, bench), *people = subject_boxes(scene)
    assert first == "bench" and [found for found, _ in people] == [name] * count
    for _, (left, top, right, bottom) in people:
        assert bench[0] - 3 < left < right < bench[2] + 3 and left > 0 and right < 100
        assert top < bench[1] and (bench[1] + bench[3]) / 2 < bottom < bench[3] + 2
    assert placements(scene) == placements(replace(scene, pose="cheering", time="night"))


def test_a_bench_with_someone_is_taken_whichever_is_named_first() -> None:
    (_, bench), (_, man) = subject_boxes(_scene("bench", companion="old man", colour="blue"))
    assert bench[0] < man[0] < man[2] < bench[2]
    (_, dog), (_, bench) = subject_boxes(_scene("dog", companion="bench"))
    assert dog[2] < bench[0] + 3


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("name", ["child", "person", "old man"])
def test_neighbours_do_not_touch_with_arms_up(name: str, count: int) -> None:
    boxes = sorted(box for _, box in subject_boxes(_scene(name, count=count, pose="cheering")))
    for (_, _, right, _), (left, _, _, _) in zip(boxes, boxes[1:], strict=False):
        assert left > right - 2


def test_children_side_by_side_look_different_unless_a_colour_is_said() -> None:
    draw = FIGURE_DRAWINGS["child"]
    looks = [draw(Ink("#ffffff", 0.0, "#ffffff", nth=i)) for i in range(3)]
    assert len(set(looks)) == 3
    assert all(COATS["blue"] in draw(Ink("#ffffff", 0.0, "#ffffff", nth=i, coat=COATS["blue"])) for i in range(3))
