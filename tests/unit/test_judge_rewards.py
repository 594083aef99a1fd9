"""Rewards of a judge's replies: closed forms, and advice tried on scenes whose affect is known."""

import random

import pytest

from emofeedback.affect import Affect
from emofeedback.judges.replies import critique_for
from emofeedback.records import Critique, Edit
from emofeedback.scenes.advice import advise
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.scenes.outcomes import content_unchanged, edited_scene
from emofeedback.training.judge.judge_rewards import (
    AdviceOutcome,
    advice_outcome,
    attributes_reward,
    explanation_reward,
    keeping_reward,
    label_reward,
    move_reward,
)

SCENE = Scene("lake", "dog", None, "night", "rain", "autumn", "natural", "dim", ("crows",))
PROMPT = "a dog by a lake, at night, in the rain, in dim light, with crows"


def test_readings_are_right_within_a_threshold_and_graded_beyond() -> None:
    assert label_reward(0.2, 0.2) == 1.0 and label_reward(None, 0.2) == 0.0 and label_reward(-1.0, 1.0) == 0.0


def test_attributes_count_by_share() -> None:
    true = {"place": "lake", "subject": "dog", "time": "night", "weather": "rain"}
    assert attributes_reward({"place": "Lake ", "subject": "cat", "time": "night"}, true) == 0.5
    assert attributes_reward(None, true) == 0.0


@pytest.mark.parametrize(
    ("edits", "changed"),
    [
        ((Edit("replace", "in the rain", "in the snow"),), {"weather": "snow", "season": "winter"}),
        ((Edit("remove", old="in dim light"),), {"light": "even"}),
        ((Edit("remove", old="with crows"),), {"elements": ()}),
        (
            (Edit("replace", "with crows", "with a rainbow"), Edit("replace", "at night", "at dawn")),
            {"elements": ("rainbow",), "time": "dawn"},
        ),
        ((Edit("add", new="with a cottage"),), {"elements": ("crows", "cottage")}),
        ((Edit("add", new="in a storm"),), {}),  # the prompt still says rain first
    ],
)
def test_edited_words_become_the_edited_scene(edits: tuple[Edit, ...], changed: dict[str, object]) -> None:
    found = edited_scene(SCENE, PROMPT, edits)
    assert found is not None
    for name in ("place", "subject", "time", "weather", "season", "palette", "light", "elements"):
        assert getattr(found, name) == changed.get(name, getattr(SCENE, name)), name


def test_two_things_of_one_group_contradict_each_other() -> None:
    assert edited_scene(SCENE, PROMPT, (Edit("add", new="with a rainbow"),)) is None


def test_what_was_not_said_gives_way_to_what_is() -> None:
    moonlit = Scene("lake", "dog", None, "night", "clear", "summer", "natural", "even", ("moon",))
    found = edited_scene(moonlit, "a dog by a lake", (Edit("add", new="by day"),))
    assert found is not None and found.time == "day" and found.elements == ()


def test_the_teachers_advice_is_rewarded_and_its_opposite_is_not() -> None:
    gains, scores = [], []
    for number in range(40):
        rng = random.Random(number)
        scene = sample_scene(rng)
        prompt = describe(scene, rng)
        target = Affect(round(rng.uniform(-0.8, 0.8), 1), round(rng.uniform(-0.8, 0.8), 1))
        outcome = advice_outcome(scene, prompt, target, advise(scene, prompt, target, rng))
        assert outcome.kept and outcome.before == scene_affect(scene).affect().distance(target)
        if outcome.far:
            gains.append(outcome.gain)
            scores.append(move_reward(outcome))
    assert sum(gain >= 0.1 for gain in gains) >= 0.85 * len(gains)
    assert sum(scores) / len(scores) > 1.3


def test_rewards_order_what_advice_does() -> None:
    def outcome(
        after: float | None, edits: int = 1, kept: bool = True, needless: int = 0, before: float = 0.8
    ) -> AdviceOutcome:
        return AdviceOutcome(before, after, kept, edits, needless)

    good, small, idle, bad = (move_reward(outcome(after)) for after in (0.1, 0.75, 0.8, 1.0))
    assert good > 1.5 > small > idle == 0.0 > bad
    assert move_reward(None) < move_reward(outcome(None)) == 0.0
    close = AdviceOutcome(0.05, 0.05, True, 0, 0)
    assert move_reward(close) == 1.0 and keeping_reward(close) == 1.0
    assert move_reward(AdviceOutcome(0.05, 0.6, True, 1, 1)) < 0
    assert keeping_reward(outcome(0.8, edits=0)) == 0.0  # keeping everything is no merit where something was wrong
    assert keeping_reward(outcome(0.1)) == 1.0 > keeping_reward(outcome(0.1, needless=1)) > 0
    assert keeping_reward(outcome(0.1, kept=False)) == keeping_reward(None) == -1.0


def test_needless_edits_are_those_whose_absence_changes_nothing() -> None:
    target = Affect(0.8, 0.0)
    useful, idle = Edit("replace", "in the rain", "in sunshine"), Edit("add", new="in autumn")
    critique = Critique("It is too unpleasant.", ("rain",), (useful, idle))
    assert advice_outcome(SCENE, PROMPT, target, critique).needless == 1


def test_content_is_kept_or_lost() -> None:
    assert content_unchanged(PROMPT, (Edit("add", new="in winter"),))
    assert not content_unchanged(PROMPT, (Edit("replace", "a dog", "a cat"),))
    assert not content_unchanged(PROMPT, (Edit("add", new="with a horse"),))


def test_explanations_are_true_or_not() -> None:
    target = Affect(0.9, -0.5)
    true = Critique("The rain makes it too unpleasant.", ("rain", "crows"), ())
    false = Critique("The fireworks make it too pleasant.", ("fireworks",), ())
    assert explanation_reward(SCENE, target, true) == 1.0
    assert explanation_reward(SCENE, target, false) == 0.0


def test_the_products_parser_is_the_one_used() -> None:
    reply = '{"analysis": "x", "carries": [], "edits": [{"replace": "in fog", "with": "by day"}, {"add": "by day"}]}'
    critique = critique_for(reply, PROMPT)
    assert critique is not None and len(critique.edits) == 1
