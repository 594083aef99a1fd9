"""The setting search: keeps the content, stays possible, comes close, changes as little as it may."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emofeedback.affect import Affect
from emofeedback.scenes.affect_model import content_items, dispersion, scene_affect, setting_items, sums
from emofeedback.scenes.edits import (
    Change,
    apply_changes,
    best_setting,
    changes,
    neighbours,
    setting_affects,
    setting_table,
    steps_towards,
)
from emofeedback.scenes.grammar import Scene, sample_scene, setting_possible
from emofeedback.scenes.norms import load_norms
from emofeedback.scenes.sampling import make_coherent

scenes = st.integers(0, 10**6).map(lambda seed: sample_scene(random.Random(seed), None))
axis = st.floats(-0.8, 0.8)


@given(scenes, axis, axis)
@settings(max_examples=30, deadline=None)
def test_keeps_the_content_and_stays_possible(scene: Scene, valence: float, arousal: float) -> None:
    after = best_setting(scene, Affect(valence, arousal))
    assert after.content() == scene.content() and after.layout == scene.layout
    assert setting_possible(after.time, after.weather, after.season, after.elements)
    reached = scene_affect(after)
    if scene.companion is None:
        assert abs(reached.valence - valence) < 0.2 and abs(reached.arousal - arousal) < 0.2


@given(scenes, axis, axis, st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_changes_no_more_than_allowed_and_never_ends_farther(
    scene: Scene, valence: float, arousal: float, limit: int
) -> None:
    target = Affect(valence, arousal)
    after = best_setting(scene, target, max_changes=limit)
    assert len(changes(scene, after)) <= limit
    before_distance = scene_affect(scene).affect().distance(target)
    assert scene_affect(after).affect().distance(target) ** 2 <= before_distance**2 + 0.03  # the two small costs


def test_no_change_allowed_is_the_scene_itself() -> None:
    scene = sample_scene(random.Random(3))
    assert best_setting(scene, Affect(0.8, 0.8), max_changes=0) == scene
    with pytest.raises(ValueError, match="0 or more"):
        best_setting(scene, Affect(0.0, 0.0), max_changes=-1)


@pytest.mark.parametrize("valence", [-0.8, 0.0, 0.8])
@pytest.mark.parametrize("arousal", [-0.8, 0.0, 0.8])
@pytest.mark.parametrize(("place", "subject"), [("city", "wolf"), ("garden", "couple"), ("road", "bench")])
def test_the_chosen_setting_is_near_the_target(valence: float, arousal: float, place: str, subject: str) -> None:
    scene = Scene(place, subject, None, "day", "clear", "summer", "natural", "even", ())
    reached = scene_affect(best_setting(scene, Affect(valence, arousal)))
    assert abs(reached.valence - valence) <= 0.15 and abs(reached.arousal - arousal) <= 0.15


def test_the_table_agrees_with_the_model_scene_by_scene() -> None:
    scene = Scene("lake", "boat", None, "day", "clear", "summer", "natural", "even", ())
    table = setting_table()
    valence, arousal, _ = setting_affects(scene)
    for row in range(0, len(valence), len(valence) // 50):
        time, weather, season, palette, light = table.bases[table.base[row]]
        elements = tuple(e for e in table.element_sets[table.chosen[row]] if e is not None)
        single = scene_affect(Scene("lake", "boat", None, time, weather, season, palette, light, elements))
        assert valence[row] == pytest.approx(single.valence, abs=1e-4)
        assert arousal[row] == pytest.approx(single.arousal, abs=1e-4)


@given(scenes, scenes)
@settings(max_examples=200, deadline=None)
def test_changes_round_trip(before: Scene, after: Scene) -> None:
    found = changes(before, after)
    again = apply_changes(before, found)
    assert changes(again, after) == []
    assert all(change.old != change.new for change in found)


def test_a_swapped_element_is_one_change() -> None:
    before = Scene("lake", "boat", None, "night", "clear", "summer", "natural", "even", ("moon", "pond"))
    after = Scene("lake", "boat", None, "night", "clear", "summer", "natural", "even", ("fireworks",))
    assert changes(before, after) == [Change("element", "moon", "fireworks"), Change("element", "pond", None)]


@given(scenes, axis, axis)
@settings(max_examples=25, deadline=None)
def test_steps_come_closer_one_distinct_attribute_at_a_time(scene: Scene, valence: float, arousal: float) -> None:
    target = Affect(valence, arousal)
    steps = steps_towards(scene, target, max_changes=3, close=0.15)
    away = scene_affect(scene).affect().distance(target)
    for n in range(1, len(steps) + 1):
        after = apply_changes(scene, steps[:n])
        assert len(changes(scene, after)) == n and after.content() == scene.content()
        reached = scene_affect(after).affect().distance(target)
        assert reached <= away - 0.05
        away = reached


def test_nothing_is_changed_at_the_target() -> None:
    scene = sample_scene(random.Random(4), None)
    assert steps_towards(scene, scene_affect(scene).affect(), max_changes=3, close=0.15) == []


@given(scenes)
@settings(max_examples=15, deadline=None)
def test_neighbours_differ_in_one_attribute(scene: Scene) -> None:
    for other in neighbours(scene):
        assert len(changes(scene, other)) == 1 and other.content() == scene.content()


def test_coherent_scenes_send_less_mixed_messages() -> None:
    def mixed(found: list[Scene]) -> float:
        parts = [sums(content_items(s) + setting_items(s), load_norms()) for s in found]
        return sum(float(dispersion(p)) for p in parts) / len(parts)

    rng = random.Random(6)
    plain = [sample_scene(rng, None) for _ in range(60)]
    coherent = [make_coherent(scene, rng) for scene in plain]
    assert [s.content() for s in coherent] == [s.content() for s in plain]
    assert mixed(coherent) < 0.85 * mixed(plain)
    assert make_coherent(plain[0], random.Random(1)) == make_coherent(plain[0], random.Random(1))
