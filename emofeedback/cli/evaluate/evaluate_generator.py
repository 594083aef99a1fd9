"""`evaluate generator`: how well it draws the valence and arousal that it is asked for."""

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.evaluate.evaluate_options import GradedOptions
from emofeedback.cli.evaluate.evaluation_report import EvaluationOrder, EvaluationResult, evaluated
from emofeedback.evaluation.protocols.generator_and_judge import evaluate_generator

PROMPTS = 25


def run(arguments: GradedOptions, console: Console) -> CommandResult:
    """Draw every prompt over the plane; the rater reads."""
    return evaluated("generator", PROMPTS, arguments, console, _measure)


def _measure(given: EvaluationOrder) -> EvaluationResult:
    from emofeedback.build import build_generator, build_rater

    generator, rater = build_generator(given.settings), build_rater(given.settings)
    measures = evaluate_generator(
        generator, rater, count=given.count, seed=given.settings.seed, progress=given.progress
    )
    return EvaluationResult(measures, {"generator": generator.name, "rater": rater.name})
