"""Places and rooms: drawn in every hour, season and weather, told apart at a glance, and dry inside."""

import itertools
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from emofeedback.scenes.draw import render as renderer
from emofeedback.scenes.draw.land import H
from emofeedback.scenes.draw.places import PLACE_DRAWINGS
from emofeedback.scenes.draw.rooms import BOTTOM, LEFT, RIGHT, ROOM_DRAWINGS, TOP
from emofeedback.scenes.grammar import INDOOR_PLACES, PLACES, SEASONS, TIMES, WEATHERS, Scene

PLAIN = Scene("meadow", None, None, "day", "clear", "summer", "natural", "even", (), 7)
SIZE = 50


def pixels(scene: Scene) -> np.ndarray:
    """(SIZE, SIZE, 3) in 0..255."""
    return np.asarray(renderer.render(scene, SIZE), dtype=float)


def inside_window(picture: np.ndarray) -> np.ndarray:
    """The pixels of the window's opening."""
    k = SIZE / 100
    return picture[int(TOP * k) : int(BOTTOM * k), int(LEFT * k) : int(RIGHT * k)]


def test_every_place_has_a_drawing() -> None:
    assert tuple(PLACE_DRAWINGS) == PLACES
    assert tuple(ROOM_DRAWINGS) == INDOOR_PLACES


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_drawn_in_every_hour_season_and_weather(place: str) -> None:
    settings = [(time, "winter", weather) for time in TIMES for weather in WEATHERS]
    settings += [(time, season, "clear") for time in TIMES for season in SEASONS]
    for time, season, weather in settings:
        drawing = renderer.to_svg(replace(PLAIN, place=place, time=time, season=season, weather=weather))
        ElementTree.fromstring(drawing)
        assert "nan" not in drawing


@pytest.mark.parametrize("time", TIMES)
def test_any_two_places_differ_below_the_sky(time: str) -> None:
    made = {place: pixels(replace(PLAIN, place=place, time=time)) for place in PLACES}
    for a, b in itertools.combinations(PLACES, 2):
        changed = np.abs(made[a] - made[b]).max(axis=2) > 12
        assert changed.mean() > 0.12, (a, b)


@pytest.mark.parametrize("place", PLACES)
def test_the_hour_and_winter_reach_every_place(place: str) -> None:
    day = pixels(replace(PLAIN, place=place))
    assert np.abs(pixels(replace(PLAIN, place=place, season="winter")) - day).mean() > 1
    for time in set(TIMES) - {"day"}:
        assert np.abs(pixels(replace(PLAIN, place=place, time=time)) - day).mean() > 6


@pytest.mark.parametrize("season", SEASONS)
def test_the_season_can_be_seen_in_every_place(season: str) -> None:
    for place in PLACES:
        own = pixels(replace(PLAIN, place=place, season=season))
        for other in set(SEASONS) - {season}:
            assert np.abs(pixels(replace(PLAIN, place=place, season=other)) - own).mean() > 0.3, (place, other)


@pytest.mark.parametrize("place", INDOOR_PLACES)
@pytest.mark.parametrize("weather", ["rain", "thunderstorm", "snow", "fog", "wind"])
def test_weather_falls_outside_the_room_only(place: str, weather: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = replace(PLAIN, place=place, weather=weather, season="winter")
    falling = pixels(scene)
    monkeypatch.setattr(renderer, "weather_in_front", lambda scene, ink: "")
    monkeypatch.setattr(renderer, "fog_behind", lambda scene, ink: "")
    dry = pixels(scene)
    assert np.abs(inside_window(falling) - inside_window(dry)).mean() > 0.5
    inside_window(falling)[:] = inside_window(dry)
    assert np.array_equal(falling, dry)


@pytest.mark.parametrize("place", INDOOR_PLACES)
@pytest.mark.parametrize("element", ["fireworks", "tornado", "crows", "carnival", "eruption", "ruins", "cottage"])
def test_sky_and_far_elements_are_seen_through_the_window(place: str, element: str) -> None:
    time = "night" if element == "fireworks" else "day"
    scene = replace(PLAIN, place=place, time=time)
    shown = np.abs(pixels(replace(scene, elements=(element,))) - pixels(scene)).max(axis=2) > 12
    assert inside_window(shown).mean() > 0.03
    assert inside_window(shown).sum() == shown.sum()


@pytest.mark.parametrize("place", INDOOR_PLACES)
def test_a_room_at_night_is_lit_by_warm_lamps(place: str) -> None:
    night = pixels(replace(PLAIN, place=place, time="night"))
    floor = night[int(0.85 * SIZE) :].mean(axis=(0, 1))
    meadow = pixels(replace(PLAIN, time="night"))[int(0.85 * SIZE) :].mean(axis=(0, 1))
    assert floor.mean() > meadow.mean() and floor[0] > 1.2 * floor[2]
    assert inside_window(night).mean() < 0.6 * inside_window(pixels(replace(PLAIN, place=place))).mean()


@pytest.mark.parametrize("place", INDOOR_PLACES)
def test_the_sun_through_the_window_lights_a_part_of_the_floor(place: str) -> None:
    luma = {w: pixels(replace(PLAIN, place=place, weather=w))[-8:].mean(axis=2) for w in ("clear", "overcast", "fog")}
    sunny, even = luma["clear"] / luma["overcast"], luma["fog"] / luma["overcast"]
    assert sunny.std() > 0.04 and sunny.std() > 2 * even.std()


def test_still_water_reflects_the_sky() -> None:
    low = slice(int((H + 2) * SIZE / 100), int(0.76 * SIZE))
    lake = {time: pixels(replace(PLAIN, place="lake", time=time))[low].mean(axis=(0, 1)) for time in ("day", "sunset")}
    assert lake["sunset"][0] > lake["sunset"][2] and lake["day"][2] > lake["day"][0]
