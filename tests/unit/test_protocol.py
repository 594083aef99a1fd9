"""The protocols of generator and loop, on a generator whose answer to valence and arousal is known."""

import pytest
from fakes import ColourJudge, PaintGenerator

from emofeedback.evaluation.protocol import evaluate_generator
from emofeedback.evaluation.protocol_loop import evaluate_loop
from emofeedback.evaluation.report import Measure


def rows(measures: list[Measure]) -> dict[str, Measure]:
    return {m.name: m for m in measures}


@pytest.mark.parametrize("obedience", [0.5, 1.0])
def test_the_slope_is_the_share_of_the_command_that_is_obeyed(obedience: float) -> None:
    found = rows(evaluate_generator(PaintGenerator(obedience), ColourJudge(), count=4, seed=0))
    assert found["valence slope"].value == pytest.approx(obedience, abs=0.02)
    assert found["valence slope"].holds() is (obedience == 1.0)
    assert found["valence Spearman"].value == pytest.approx(1.0, abs=0.01)
    assert found["valence error of a constant 0"].value == pytest.approx(0.48)
    assert found["valence error"].value == pytest.approx(0.48 * (1 - obedience), abs=0.02)
    assert found["valence error"].n == 4 * 25


def test_the_loop_reports_what_the_rater_reads_after_the_rounds() -> None:
    found = rows(
        evaluate_loop(PaintGenerator(1.0), ColourJudge(), ColourJudge(), count=6, rounds=2, candidates=2, seed=0)
    )
    assert found["valence after the rounds, slope"].value == pytest.approx(1.0, abs=0.05)
    assert found["valence after the rounds, slope"].goal == (0.8, 1.1)
    assert found["arousal after the rounds, Spearman"].n == 6
    assert found["error with feedback"].value <= found["error of the first picture"].value
