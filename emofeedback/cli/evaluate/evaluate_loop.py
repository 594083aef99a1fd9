"""`evaluate loop`: what feedback gains over the best of as many pictures, or what each part of a run is worth."""

from emofeedback.cli.console import CommandResult, Console, names_in
from emofeedback.cli.evaluate.evaluate_options import LoopOptions
from emofeedback.cli.evaluate.evaluation_report import EvaluationOrder, EvaluationResult, evaluated, measured_rewriter
from emofeedback.evaluation.protocols.ablation import Ablation, evaluate_ablation
from emofeedback.evaluation.protocols.feedback_gain import LoopModels, LoopSize, evaluate_loop

PAIRS = 100
ABLATION = 24
"""Prompts, each with eight emotions."""


def run(arguments: LoopOptions, console: Console) -> CommandResult:
    """Run the loop for many prompts and targets; the rater grades."""

    def measure(given: EvaluationOrder) -> EvaluationResult:
        from emofeedback.build import build_generator, build_judge, build_rater, build_rewriter

        settings, size = given.settings, LoopSize(arguments.rounds, arguments.candidates)
        generator, judge = build_generator(settings), build_judge(settings)
        models = LoopModels(generator, judge, build_rater(settings, judge))
        names = {"generator": generator.name, "judge": judge.name, "rater": models.rater.name}
        flags = f" --rounds {size.rounds} --candidates {size.candidates}"
        if not arguments.ablation:
            measures = evaluate_loop(models, size, count=given.count, seed=settings.seed, progress=given.progress)
            return EvaluationResult(measures, names, flags)
        rewriter = measured_rewriter(settings)
        company = build_rewriter(settings.changed(rewriter=rewriter), names_in(arguments.viewers))
        assert company is not None
        ablation = Ablation(size, arguments.strength)
        measures = evaluate_ablation(
            models, company, ablation, count=given.count, seed=settings.seed, progress=given.progress
        )
        flags += f" --ablation --strength {arguments.strength:g} --rewriter {rewriter}"
        return EvaluationResult(measures, {**names, "rewriter": company.name}, flags)

    return evaluated("loop", ABLATION if arguments.ablation else PAIRS, arguments, console, measure)
