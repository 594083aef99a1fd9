"""The protocols of generator and loop, on a generator whose answer to valence and arousal is known."""

import pytest
from fakes import ColourJudge, PaintGenerator

from emofeedback.evaluation.protocols.feedback_gain import LoopModels, LoopSize, evaluate_loop, further_pictures
from emofeedback.evaluation.protocols.generator_and_judge import evaluate_generator
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
        evaluate_loop(LoopModels(PaintGenerator(1.0), ColourJudge(), ColourJudge()), LoopSize(2, 2), count=6, seed=0)
    )
    assert found["valence after the rounds, slope"].value == pytest.approx(1.0, abs=0.05)
    assert found["valence after the rounds, slope"].goal == (0.8, 1.1)
    assert found["arousal after the rounds, Spearman"].n == 6
    assert found["error with feedback"].value <= found["error of the first picture"].value


def test_best_of_n_may_draw_on_for_as_long_as_the_feedback_took() -> None:
    assert further_pictures(16, 3.0, 2.0) == 8
    assert further_pictures(16, 2.01, 2.0) == 1  # in doubt one picture more for best of N
    assert further_pictures(16, 1.0, 2.0) == further_pictures(16, 1.0, 0.0) == 0
    assert further_pictures(16, 1e9, 1.0) == 64
    ticks = iter(range(10_000))  # every look at the clock is a second, and the feedback looks more often
    found = rows(
        evaluate_loop(
            LoopModels(PaintGenerator(0.5), ColourJudge(), ColourJudge()),
            LoopSize(2, 2),
            count=3,
            seed=0,
            clock=lambda: float(next(ticks)),
        )
    )
    assert found["pictures at equal seconds"].value > found["pictures of a run"].value
    assert found["seconds of best of N"].value == 1.0
    gap = found["error with feedback"].value - found["error of best of N at equal seconds"].value
    assert found["feedback minus best of N at equal seconds"].value == pytest.approx(gap)
