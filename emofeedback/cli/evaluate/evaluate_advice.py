"""`evaluate advice`: whether the judge's words help, and whether it reads drawn pictures as the rater does."""

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.evaluate.evaluate_options import GradedOptions
from emofeedback.cli.evaluate.evaluation_report import EvaluationOrder, EvaluationResult, evaluated
from emofeedback.evaluation.protocols.advice_gain import evaluate_advice, evaluate_agreement

PICTURES = 200


def run(arguments: GradedOptions, console: Console) -> CommandResult:
    """Draw pictures, try the judge's edits on those that are far from their target."""
    return evaluated("advice", PICTURES, arguments, console, _measure)


def _measure(given: EvaluationOrder) -> EvaluationResult:
    from emofeedback.build import build_generator, build_judge, build_rater

    settings, progress = given.settings, given.progress
    generator, judge = build_generator(settings), build_judge(settings)
    rater = build_rater(settings, judge)
    measures = evaluate_agreement(generator, judge, rater, count=given.count, seed=settings.seed, progress=progress)
    measures += evaluate_advice(generator, judge, rater, count=given.count, seed=settings.seed, progress=progress)
    return EvaluationResult(measures, {"generator": generator.name, "judge": judge.name, "rater": rater.name})
