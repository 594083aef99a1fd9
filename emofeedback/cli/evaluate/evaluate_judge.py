"""`evaluate judge`: how well it reads scenes or, with --ratings, pictures that people have rated."""

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.evaluate.evaluate_options import JudgeOptions
from emofeedback.cli.evaluate.evaluation_report import EvaluationOrder, EvaluationResult, evaluated
from emofeedback.cli.evaluate.judge_against_people import rate_against_people
from emofeedback.evaluation.protocols.generator_and_judge import evaluate_judge

SCENES = 500


def run(arguments: JudgeOptions, console: Console) -> CommandResult:
    """Read known scenes, or rated pictures."""
    if arguments.ratings is not None:
        return rate_against_people(arguments, console)
    return evaluated("judge", SCENES, arguments, console, _measure)


def _measure(given: EvaluationOrder) -> EvaluationResult:
    from emofeedback.build import build_judge

    judge = build_judge(given.settings)
    measures = evaluate_judge(judge, count=given.count, seed=given.settings.seed, progress=given.progress)
    return EvaluationResult(measures, {"judge": judge.name})
