"""The renderer: complete, deterministic, sharp at any size, and true to what a scene says."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emofeedback.scenes.draw.canvas import Ink
from emofeedback.scenes.draw.elements import ELEMENT_DRAWINGS
from emofeedback.scenes.draw.figures import FIGURE_DRAWINGS
from emofeedback.scenes.draw.places import PLACE_DRAWINGS
from emofeedback.scenes.draw.render import flats_svg, render, render_flats, to_svg
from emofeedback.scenes.draw.sky import PENCIL
from emofeedback.scenes.draw.structures import STRUCTURE_DRAWINGS
from emofeedback.scenes.draw.subjects import placements, subject_boxes, subjects
from emofeedback.scenes.grammar import (
    ELEMENTS,
    FIGURES,
    INDOOR_PLACES,
    KINDS,
    PALETTES,
    PLACES,
    SEASONS,
    STRUCTURES,
    SUBJECTS,
    TIMES,
    WATER_PLACES,
    WEATHERS,
    Scene,
    sample_scene,
    split_of,
)

PLAIN = Scene("meadow", "dog", None, "day", "clear", "summer", "natural", "even", (), 7)


def pixels(scene: Scene, size: int = 64) -> np.ndarray:
    return np.asarray(render(scene, size), dtype=float)


def flat_pixels(scene: Scene, size: int = 64) -> np.ndarray:
    return np.asarray(render_flats(scene, size), dtype=float)


def test_everything_in_the_grammar_has_a_drawing() -> None:
    assert tuple(PLACE_DRAWINGS) == PLACES
    assert set(FIGURE_DRAWINGS) == set(FIGURES)
    assert set(STRUCTURE_DRAWINGS) == set(STRUCTURES)
    assert set(ELEMENT_DRAWINGS) == set(ELEMENTS)


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_a_scene_is_a_pure_function_of_its_seed(seed: int) -> None:
    scene = sample_scene(random.Random(seed), None)
    assert scene == sample_scene(random.Random(seed), None)
    assert to_svg(scene) == to_svg(scene)


def test_the_same_scene_gives_the_same_pixels() -> None:
    assert np.array_equal(pixels(PLAIN), pixels(PLAIN))


@given(st.integers(0, 2**32), st.sampled_from(TIMES), st.sampled_from(WEATHERS), st.sampled_from(PALETTES))
@settings(max_examples=40, deadline=None)
def test_flats_know_no_hour_or_palette_and_of_the_weather_outlines_only(
    seed: int, time: str, weather: str, palette: str
) -> None:
    scene = replace(sample_scene(random.Random(seed), None), elements=(), season="winter", weather="clear")
    other = replace(scene, time=time, weather=weather, palette=palette, light="dim")
    if scene.place not in WATER_PLACES + INDOOR_PLACES:
        assert (flats_svg(other) == flats_svg(scene)) == (weather in ("clear", "cloudy", "overcast", "fog"))
    assert (PENCIL in flats_svg(other)) == (weather in ("rain", "thunderstorm", "snow", "wind"))


def test_flats_are_where_the_picture_has_them() -> None:
    """By day, in clear weather and plain colours, what stands on the ground is in the picture as it is in the flats."""
    ground = slice(40, 64)
    drawn, flats = pixels(PLAIN)[ground], flat_pixels(PLAIN)[ground]
    assert np.abs(drawn - flats).mean() < 12
    assert np.all(flat_pixels(PLAIN)[2, 2] == 255), "no sky"
    night = replace(PLAIN, time="night", weather="overcast")
    assert np.array_equal(render_flats(night, 64), render_flats(PLAIN, 64)) and pixels(night).mean() < 100


@pytest.mark.parametrize("weather", ["rain", "thunderstorm", "snow", "wind"])
def test_what_falls_and_blows_is_in_the_flats_where_the_picture_has_it(weather: str) -> None:
    clear = replace(PLAIN, season="winter", time="night")
    fallen = replace(clear, weather=weather)
    marks = np.abs(flat_pixels(fallen) - flat_pixels(clear)).sum(2) > 60
    # the picture is brighter there than close by
    bright = pixels(fallen).sum(2)
    assert 0.005 < marks.mean() < 0.2
    around = np.roll(marks, 3, axis=1) & ~marks
    assert bright[marks].mean() > bright[around].mean() + 10


@pytest.mark.parametrize("size", [128, 512])
def test_any_size_shows_the_same_picture(size: int) -> None:
    picture = render(PLAIN, size)
    assert picture.size == (size, size) and picture.mode == "RGB"
    small = np.asarray(picture.resize((32, 32)), dtype=float)
    assert np.abs(small - np.asarray(render(PLAIN, 256).resize((32, 32)), dtype=float)).mean() < 4


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_is_large_and_near_the_centre(subject: str) -> None:
    shown = np.abs(pixels(replace(PLAIN, subject=subject)) - pixels(replace(PLAIN, subject=None))).sum(2) > 24
    rows, columns = np.nonzero(shown)
    assert shown.mean() > 0.03
    top = 0.1 if subject in ("airplane", "hot-air balloon") else 0.3  # these fly
    assert 0.3 < columns.mean() / 64 < 0.7 and top < rows.mean() / 64 < 0.95


@pytest.mark.parametrize("subject", KINDS)
def test_every_kind_has_a_look_of_its_own(subject: str) -> None:
    count = 2 if subject == "child" else 1  # the first of several children is a boy
    looks = [pixels(replace(PLAIN, subject=subject, kind=kind, count=count)) for kind in (None, *KINDS[subject])]
    for i, a in enumerate(looks):
        for b in looks[:i]:
            assert (np.abs(a - b).sum(2) > 60).mean() > 0.001


def test_trains_stand_on_one_line_that_crosses_none_of_them() -> None:
    scene = replace(PLAIN, place="meadow", subject="train", count=3)
    assert len({p.y for p in placements(scene)}) == 1
    drawn = subjects(scene, Ink("#ffffff", 0.0, haze="#ffffff", season="summer"), random.Random(0))
    assert drawn.count("H102L103") == 1 and drawn.index("H102L103") < drawn.index("scale("), "the bed lies below all"


@given(st.integers(0, 2**31), st.sampled_from(["child", "dog", "horse", "person"]), st.sampled_from([1, 2, 3]))
@settings(max_examples=40, deadline=None)
def test_no_crown_of_a_park_stands_right_behind_a_head(layout: int, subject: str, count: int) -> None:
    """A tree moves aside where it would look like a hat, as far as there is room."""
    scene = replace(PLAIN, place="park", subject=subject, count=count, layout=layout)
    heads = [(left + right) / 2 for _, (left, _, right, _) in subject_boxes(scene)]
    inner = [float(x) for x in re.findall(r'<circle cx="([0-9.]+)" cy="4[34].[0-9]+" r="9', to_svg(scene))]
    assert len(inner) == 2 and all(abs(x - head) > 4 for x in inner for head in heads)


@pytest.mark.parametrize("element", ELEMENTS)
def test_every_element_can_be_seen(element: str) -> None:
    time = {"fireworks": "night", "moon": "night", "starry sky": "night", "sunbeams": "sunset"}.get(element, "day")
    without = replace(PLAIN, time=time, place="seaside" if element == "surf" else PLAIN.place)
    shown = np.abs(pixels(replace(without, elements=(element,))) - pixels(without)).sum(2) > 24
    assert shown.mean() > 0.012


@pytest.mark.parametrize(("aspect", "values"), [("time", TIMES), ("weather", WEATHERS), ("season", SEASONS)])
def test_every_setting_looks_different_from_every_other(aspect: str, values: tuple[str, ...]) -> None:
    season = {"season": "winter"} if aspect == "weather" else {}
    made = [pixels(replace(PLAIN, **season, **{aspect: value})) for value in values]
    for i, a in enumerate(made):
        for b in made[:i]:
            assert np.abs(a - b).mean() > 2


def test_night_is_darker_than_day_and_vivid_more_colourful_than_muted() -> None:
    assert pixels(replace(PLAIN, time="night")).mean() < 0.6 * pixels(PLAIN).mean()
    spread = {p: pixels(replace(PLAIN, palette=p)).std(axis=2).mean() for p in ("vivid", "muted")}
    assert spread["vivid"] > 2 * spread["muted"]


def test_held_out_pairs_never_occur_in_training() -> None:
    rng = random.Random(0)
    for _ in range(500):
        scene = sample_scene(rng, "train")
        assert {split_of(scene.place, s) for s in (scene.subject, scene.companion)} == {"train"}
        held = sample_scene(rng, "held-out")
        assert split_of(held.place, held.subject) == "held-out"


@pytest.mark.parametrize(
    "wrong",
    [
        {"place": "moonbase"},
        {"companion": "dog"},
        {"subject": "house", "companion": "dog"},
        {"elements": ("fireworks",)},
        {"weather": "snow"},
        {"elements": ("moon", "fireworks"), "time": "night"},
        {"elements": ("flowers", "kites")},
        {"elements": ("kites", "carnival", "flowers")},
        {"elements": ("surf",)},
        {"place": "bedroom", "elements": ("graves",)},
        {"subject": "house", "pose": "smiling"},
        {"subject": None, "colour": "red"},
        {"count": 4},
    ],
)
def test_impossible_scenes_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError):
        replace(PLAIN, **wrong)
