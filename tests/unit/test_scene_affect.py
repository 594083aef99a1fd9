"""The affect model: bounded, monotone in every norm, spread over the plane, and every content reaches every mood."""

import itertools
import math
import random
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emofeedback.scenes import grammar
from emofeedback.scenes.affect_model import (
    WEIGHTS,
    carriers,
    content_items,
    scene_affect,
    setting_items,
    weight,
)
from emofeedback.scenes.edits import setting_affects
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.scenes.norms import OASIS_TO_GLASGOW, load_norms, norm_rows, oasis_to_glasgow

PLAIN = Scene("village", "cat", None, "day", "clear", "summer", "natural", "even", ())
scenes = st.integers(0, 10**6).map(lambda seed: sample_scene(random.Random(seed), None))


def test_every_concept_of_the_grammar_has_one_norm() -> None:
    aspects = {
        "place": grammar.PLACES,
        "subject": grammar.SUBJECTS,
        "time": grammar.TIMES,
        "weather": grammar.WEATHERS,
        "season": grammar.SEASONS,
        "palette": grammar.PALETTES,
        "light": grammar.LIGHTS,
        "element": grammar.ELEMENTS,
    }
    wanted = [(aspect, concept) for aspect, concepts in aspects.items() for concept in concepts]
    assert [(row["aspect"], row["concept"]) for row in norm_rows()] == wanted
    assert set(load_norms()) == set(wanted)


def test_norms_follow_from_the_figures_beside_them() -> None:
    for row in norm_rows():
        for axis in ("valence", "arousal"):
            value = float(row[axis])
            if row["source"] == "glasgow":
                assert value == float(row[f"glasgow_{axis}"])
            elif row["source"] == "both":
                picture = oasis_to_glasgow(axis, float(row[f"oasis_{axis}"]))
                assert value == pytest.approx((float(row[f"glasgow_{axis}"]) + picture) / 2, abs=2e-3)
            else:
                assert row["note"], f"{row['concept']} has no note"


def test_the_matching_constants_are_those_of_the_table() -> None:
    rows = [row for row in norm_rows() if row["source"] == "both"]
    assert len(rows) == 20
    for axis, constants in OASIS_TO_GLASGOW.items():
        oasis = np.array([float(row[f"oasis_{axis}"]) for row in rows])
        glasgow = np.array([float(row[f"glasgow_{axis}"]) for row in rows])
        assert constants == pytest.approx((oasis.mean(), oasis.std(), glasgow.mean(), glasgow.std()), abs=1e-3)


def test_a_concept_without_a_norm_is_only_set_where_it_weighs_nothing() -> None:
    assert {key for key, norm in load_norms().items() if norm.source == "set"} == {
        ("palette", "natural"),
        ("light", "even"),
    }
    assert weight(("palette", "natural")) == weight(("light", "even")) == 0
    assert WEIGHTS["element"] >= max(WEIGHTS.values()) and WEIGHTS["companion"] < WEIGHTS["subject"]


@given(scenes)
@settings(max_examples=200, deadline=None)
def test_bounded(scene: Scene) -> None:
    affect = scene_affect(scene)
    assert -1 < affect.valence < 1 and -1 < affect.arousal < 1
    assert -1 < affect.raw_valence < 1 and -1 < affect.raw_arousal < 1


@given(scenes, st.data(), st.floats(0.01, 0.5), st.sampled_from(["valence", "arousal"]))
@settings(max_examples=200, deadline=None)
def test_raising_a_norm_never_lowers_the_scene(scene: Scene, data: st.DataObject, rise: float, axis: str) -> None:
    items = content_items(scene) + setting_items(scene)
    aspect, concept = item = data.draw(st.sampled_from(items))
    key = ("subject" if aspect == "companion" else aspect, concept)
    norm = load_norms()[key]
    raised = MappingProxyType({**load_norms(), key: replace(norm, **{axis: getattr(norm, axis) + rise})})
    before, after = scene_affect(scene), scene_affect(scene, raised)
    other = "arousal" if axis == "valence" else "valence"
    assert getattr(after, other) == getattr(before, other)
    if weight(item) > 0:
        assert getattr(after, axis) > getattr(before, axis)
    else:
        assert getattr(after, axis) == getattr(before, axis)


@given(scenes)
@settings(max_examples=100, deadline=None)
def test_carriers_add_up_to_the_scene(scene: Scene) -> None:
    affect, shares = scene_affect(scene), carriers(scene)
    assert len(shares) == len(content_items(scene) + setting_items(scene))
    assert math.tanh(sum(share[2] for share in shares)) == pytest.approx(affect.valence)
    assert math.tanh(sum(share[3] for share in shares)) == pytest.approx(affect.arousal)


def test_a_storm_carries_a_stormy_scene() -> None:
    assert carriers(replace(PLAIN, time="dusk", weather="thunderstorm", season="autumn"))[0][:2] == (
        "weather",
        "thunderstorm",
    )


@pytest.mark.parametrize(
    ("setting", "valence", "arousal"),
    [
        ({"time": "night", "palette": "vivid", "elements": ("fireworks", "carnival")}, 1, 1),
        ({"time": "night", "weather": "thunderstorm", "elements": ("fire",)}, -1, 1),
        ({"weather": "wind", "elements": ("tornado", "eruption")}, -1, 1),
        (
            {
                "weather": "overcast",
                "season": "autumn",
                "palette": "muted",
                "light": "dim",
                "elements": ("ruins", "graves"),
            },
            -1,
            -1,
        ),
        ({"weather": "fog", "season": "winter", "elements": ("crows", "bare trees")}, -1, -1),
        ({"time": "night", "elements": ("moon", "cottage", "lanterns")}, 1, -1),
        ({"time": "dusk", "elements": ("cottage", "pond")}, 1, -1),
    ],
)
def test_moods_lie_where_one_expects_them(setting: dict, valence: int, arousal: int) -> None:
    affect = scene_affect(replace(PLAIN, **setting))
    assert affect.valence * valence > 0.2 and affect.arousal * arousal > 0.2


def test_random_scenes_spread_over_the_plane() -> None:
    rng = random.Random(0)
    sampled = [scene_affect(sample_scene(rng, None)) for _ in range(1500)]
    plane = np.array([(affect.valence, affect.arousal) for affect in sampled])
    assert np.abs(plane.mean(0)).max() < 0.17
    assert np.all((plane.std(0) > 0.4) & (plane.std(0) < 0.53))
    assert abs(np.corrcoef(plane.T)[0, 1]) < 0.3


def test_every_content_reaches_every_mood_by_its_setting() -> None:
    grid = np.array([-0.8, -0.4, 0.0, 0.4, 0.8], np.float32)
    missed = []
    for place, subject in itertools.product(grammar.PLACES, (None, *grammar.SUBJECTS)):
        valence, arousal, _ = setting_affects(replace(PLAIN, place=place, subject=subject))
        row, column = np.rint((valence + 0.8) / 0.4), np.rint((arousal + 0.8) / 0.4)
        row, column = row.clip(0, 4).astype(int), column.clip(0, 4).astype(int)
        near = (np.abs(valence - grid[row]) <= 0.15) & (np.abs(arousal - grid[column]) <= 0.15)
        reached = np.zeros((5, 5), bool)
        reached[row[near], column[near]] = True
        missed += [(place, subject, float(grid[i]), float(grid[j])) for i, j in np.argwhere(~reached)]
    assert not missed
