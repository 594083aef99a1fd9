"""`evaluate visual`: how far visual prompts move the emotion."""

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.evaluate.evaluate_options import VisualOptions
from emofeedback.cli.evaluate.evaluation_report import EvaluationOrder, EvaluationResult, evaluated
from emofeedback.evaluation.protocols.visual_effect import conditions, evaluate_visual

PROMPTS = 24


def run(arguments: VisualOptions, console: Console) -> CommandResult:
    """Draw the same prompts alone, with the emotion's word, with its visual prompt, and after DPO."""

    def measure(given: EvaluationOrder) -> EvaluationResult:
        from emofeedback.build import build_generator, build_rater

        settings = given.settings
        generator, rater = build_generator(settings), build_rater(settings)
        tuned = build_generator(settings.changed(adapter=arguments.tuned)) if arguments.tuned else None
        measures = evaluate_visual(
            conditions(generator, tuned),
            rater,
            count=given.count,
            seed=settings.seed,
            seeds=arguments.seeds,
            progress=given.progress,
        )
        models = {"generator": generator.name, "rater": rater.name, "tuned": arguments.tuned or "none"}
        flags = f" --seeds {arguments.seeds}" + (f" --tuned {arguments.tuned}" if arguments.tuned else "")
        return EvaluationResult(measures, models, flags)

    return evaluated("visual", PROMPTS, arguments, console, measure)
