"""`evaluate rater`: how well the second rater reads scenes."""

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.evaluate.evaluate_options import GradedOptions
from emofeedback.cli.evaluate.evaluation_report import EvaluationOrder, EvaluationResult, evaluated
from emofeedback.evaluation.protocols.generator_and_judge import RATED, evaluate_judge

SCENES = 500
NAMED = 0.97  # share of what a scene holds that the rater shall name


def run(arguments: GradedOptions, console: Console) -> CommandResult:
    """Read known scenes."""
    return evaluated("rater", SCENES, arguments, console, _measure)


def _measure(given: EvaluationOrder) -> EvaluationResult:
    from emofeedback.build import build_rater

    rater, seed = build_rater(given.settings), given.settings.seed
    measures = evaluate_judge(
        rater, count=given.count, seed=seed, aspects=RATED, goal_named=NAMED, progress=given.progress
    )
    return EvaluationResult(measures, {"rater": rater.name})
