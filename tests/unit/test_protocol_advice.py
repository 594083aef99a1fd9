"""The protocols that try a judge's words one by one, on a generator whose answer to words is known."""

from collections.abc import Sequence

import pytest
from fakes import ColourJudge, PaintGenerator

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.protocols.advice_gain import evaluate_advice, evaluate_agreement
from emofeedback.evaluation.protocols.generator_and_judge import RATED, evaluate_judge, share_named
from emofeedback.evaluation.report import Measure
from emofeedback.records import Critique, Edit, Picture, Reading, Seen
from emofeedback.scenes.grammar import Scene


def value(measures: list[Measure], name: str) -> float:
    return next(m.value for m in measures if m.name == name)


def test_words_that_brighten_help_only_where_the_picture_is_too_dark() -> None:
    """Each edit adds .2 valence: it can never lead away by more, and a judge that is silent when right is counted."""
    measures = evaluate_advice(PaintGenerator(), ColourJudge(), ColourJudge(), count=40, seed=1)
    assert value(measures, "distance after") < value(measures, "distance before")
    assert 0 < value(measures, "pictures far from their target without advice") < 1
    assert value(measures, "content kept by edits") == 1.0


def test_words_that_lose_the_content_are_seen() -> None:
    spoiler = ColourJudge(advise=lambda attempts: Critique("No.", (), (Edit("add", new="lost"),)))
    measures = evaluate_advice(PaintGenerator(), spoiler, ColourJudge(), count=20, seed=1)
    assert value(measures, "content kept by edits") == 0.0
    assert value(measures, "edits that come .1 or more closer") == 0.0
    assert value(measures, "distance after") == value(measures, "distance before")


def test_pictures_at_their_targets_leave_nothing_to_try() -> None:
    with pytest.raises(UserError, match="near its target"):
        evaluate_advice(PaintGenerator(obedience=1.0), ColourJudge(), ColourJudge(), count=8, seed=10)


def test_a_judge_agrees_with_itself() -> None:
    measures = evaluate_agreement(PaintGenerator(), ColourJudge(), ColourJudge(), count=20, seed=1)
    assert all(m.value == pytest.approx(1.0) for m in measures)


def test_what_a_rater_does_not_name_is_not_held_against_it() -> None:
    scene = Scene("park", "dog", None, "day", "fog", "autumn", "vivid", "dim", ())
    seen = [Seen(a, w, 0.9) for a, w in (("place", "park"), ("time", "day"), ("weather", "fog"), ("season", "autumn"))]
    reading = Reading(Affect(0, 0), 0.0, 0.0, 1.0, (*seen, Seen("subject", "dog", 0.9)), "rater")
    assert share_named(scene, reading, RATED) == 1.0
    assert share_named(scene, reading) == pytest.approx(5 / 7)


def test_what_a_mirror_moves_is_counted() -> None:
    """A reader that sees .2 and -.1 more in every second batch, which is the mirrored one."""

    class OneSided(ColourJudge):
        mirrored = False

        def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
            more = (0.2, -0.1) if self.mirrored else (0.0, 0.0)
            self.mirrored = not self.mirrored
            at = [(i / len(pictures) - 0.5, 0.5 - i / len(pictures)) for i in range(len(pictures))]
            return [Reading(Affect(v + more[0], a + more[1]), 0.1, 0.1, 1.0, (), "one-sided") for v, a in at]

    measures = evaluate_judge(OneSided(), count=8, seed=0)
    assert value(measures, "valence moved by a mirror") == pytest.approx(0.2)
    assert value(measures, "arousal moved by a mirror") == pytest.approx(0.1)


def test_a_blind_judge_is_a_clear_sentence() -> None:
    with pytest.raises(UserError, match="hardly any"):
        evaluate_judge(ColourJudge(blind=True), count=4, seed=0)
