"""`evaluate rewriting`: how varied the rewrites are, and what emotion they carry."""

from emofeedback.cli.console import CommandResult, Console, names_in
from emofeedback.cli.evaluate.evaluate_options import RewritingOptions
from emofeedback.cli.evaluate.evaluation_report import EvaluationOrder, EvaluationResult, evaluated, measured_rewriter
from emofeedback.evaluation.protocols.rewriting_variety import evaluate_rewriting

PROMPTS = 24


def run(arguments: RewritingOptions, console: Console) -> CommandResult:
    """Rewrite prompts by the company of viewers, by one of them, and without their memories."""

    def measure(given: EvaluationOrder) -> EvaluationResult:
        from emofeedback.build import build_rewriter

        name, seed = measured_rewriter(given.settings), given.settings.seed
        company = build_rewriter(given.settings.changed(rewriter=name), names_in(arguments.viewers))
        assert company is not None
        measures = evaluate_rewriting(
            company, count=given.count, seed=seed, seeds=arguments.seeds, progress=given.progress
        )
        flags = f" --seeds {arguments.seeds} --rewriter {name}"
        flags += f" --viewers {arguments.viewers}" if arguments.viewers else ""
        return EvaluationResult(measures, {"rewriter": company.name}, flags)

    return evaluated("rewriting", PROMPTS, arguments, console, measure)
