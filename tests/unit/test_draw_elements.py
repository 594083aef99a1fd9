"""Elements, weather and light: each can be seen, each says what it should, none moves what it must not."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest

from emofeedback.scenes.draw.canvas import Ink, jitter, scattered
from emofeedback.scenes.draw.elements import ELEMENT_DRAWINGS
from emofeedback.scenes.draw.render import render
from emofeedback.scenes.draw.sky import scene_ink, weather_in_front
from emofeedback.scenes.grammar import ELEMENTS, PALETTES, TIMES, WATER_PLACES, Scene

PLAIN = Scene("meadow", "dog", None, "day", "clear", "summer", "natural", "even", (), 7)


def pixels(scene: Scene, size: int = 64) -> np.ndarray:
    return np.asarray(render(scene, size), dtype=float)


def scene_with(element: str, **setting: str) -> tuple[Scene, Scene]:
    """A possible scene without and with the element, by day where it can be."""
    bare = replace(PLAIN, place="lake" if element == "surf" else "meadow", **setting)
    for time in ("day", "night"):
        try:
            return replace(bare, time=time), replace(bare, time=time, elements=(element,))
        except ValueError:
            continue
    raise AssertionError(f"{element} is possible neither by day nor by night")


def luminance(picture: np.ndarray) -> float:
    return float((picture @ np.array([0.299, 0.587, 0.114])).mean())


def saturation(picture: np.ndarray) -> float:
    return float((picture.max(axis=2) - picture.min(axis=2)).mean())


def drawn_weather(scene: Scene) -> str:
    return weather_in_front(scene, scene_ink(scene, random.Random(scene.layout)))


def test_the_registry_holds_every_element() -> None:
    assert set(ELEMENT_DRAWINGS) == set(ELEMENTS)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("setting", [{}, {"palette": "muted", "light": "dim"}])
def test_each_element_changes_the_picture(element: str, setting: dict[str, str]) -> None:
    without, shown = scene_with(element, **setting)
    changed = np.abs(pixels(shown) - pixels(without)).sum(axis=2) > 24
    assert changed.mean() > 0.02


@pytest.mark.parametrize("element", ELEMENTS)
def test_no_element_covers_the_subject(element: str) -> None:
    """Where the dog stands, at most a third of it may change much."""
    without, shown = scene_with(element)
    dog = np.abs(pixels(without) - pixels(replace(without, subject=None))).sum(axis=2) > 40
    changed = np.abs(pixels(shown) - pixels(without)).sum(axis=2) > 120
    assert changed[dog].mean() < 0.34


def test_elements_look_unlike_each_other() -> None:
    at_night = {}
    for element in ELEMENTS:
        place = "lake" if element == "surf" else "meadow"
        try:
            at_night[element] = pixels(replace(PLAIN, place=place, time="night", elements=(element,)), 32)
        except ValueError:
            continue
    names = list(at_night)
    for i, a in enumerate(names):
        for b in names[:i]:
            assert np.abs(at_night[a] - at_night[b]).mean() > 1.0, (a, b)


@pytest.mark.parametrize("time", TIMES)
def test_vivid_is_far_more_saturated_than_muted(time: str) -> None:
    vivid, muted = (pixels(replace(PLAIN, time=time, palette=p)) for p in ("vivid", "muted"))
    assert saturation(vivid) > 3 * saturation(muted)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("palette", PALETTES)
def test_bright_is_far_lighter_than_dim(time: str, palette: str) -> None:
    even, bright, dim = (
        luminance(pixels(replace(PLAIN, time=time, palette=palette, light=light)))
        for light in ("even", "bright", "dim")
    )
    assert bright > 1.08 * even and dim < 0.88 * even and bright > 1.4 * dim


def test_warm_is_golden_and_cold_is_blue() -> None:
    def red_over_blue(palette: str) -> float:
        picture = pixels(replace(PLAIN, palette=palette)).mean(axis=(0, 1))
        return float(picture[0] / picture[2])

    assert red_over_blue("warm") > 1.3 * red_over_blue("natural") > 1.3 * 1.2 * red_over_blue("cold")


@pytest.mark.parametrize("weather", ["rain", "thunderstorm", "snow", "fog", "wind"])
def test_weather_falls_elsewhere_in_another_layout(weather: str) -> None:
    winter = replace(PLAIN, weather=weather, season="winter")
    assert drawn_weather(winter) == drawn_weather(winter)
    assert drawn_weather(winter) != drawn_weather(replace(winter, layout=8))


def test_snowflakes_come_in_many_sizes_and_on_no_grid() -> None:
    flakes = re.findall(
        r'cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', drawn_weather(replace(PLAIN, weather="snow", season="winter"))
    )
    xs, ys, radii = (np.array([float(f[k]) for f in flakes]) for k in range(3))
    assert radii.max() > 2.5 * radii.min()
    assert len(set(xs.round(1))) > 0.8 * len(flakes) and len(set(ys.round(1))) > 0.8 * len(flakes)


def test_the_setting_does_not_move_the_content() -> None:
    """Clouds once drew from the generator that also places the subject: a change of weather moved the dog."""
    rng = random.Random(7)
    ink = scene_ink(PLAIN, rng)
    before = rng.getstate()
    for drawing in ELEMENT_DRAWINGS.values():
        drawing(ink)
    for weather in ("rain", "snow", "wind", "fog", "thunderstorm"):
        weather_in_front(replace(PLAIN, weather=weather, season="winter"), ink)
    assert rng.getstate() == before


def test_jitter_depends_on_layout_and_name_only() -> None:
    def first(layout: int, name: str, spent: int = 0) -> float:
        ink = Ink("#ffffff", 0.0, "#ffffff", rng=random.Random(layout))
        for _ in range(spent):
            ink.rng.random()
        return jitter(ink, name).random()

    assert first(1, "snow") == first(1, "snow", spent=5)
    assert len({first(1, "snow"), first(2, "snow"), first(1, "rain")}) == 3


def test_scattered_places_keep_apart() -> None:
    placed = np.array(scattered(random.Random(0), 30, (0, 0, 100, 100), tries=20))
    gaps = np.linalg.norm(placed[:, None] - placed[None], axis=2)
    assert gaps[~np.eye(30, dtype=bool)].min() > 4


def test_surf_is_drawn_on_every_shore() -> None:
    for place in WATER_PLACES:
        if place in ("island", "harbour"):
            continue
        calm = replace(PLAIN, place=place)
        assert np.abs(pixels(replace(calm, elements=("surf",))) - pixels(calm)).mean() > 8
