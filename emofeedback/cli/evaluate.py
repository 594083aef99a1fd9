"""`evaluate`: one part measured with the second rater (or that rater itself); report.json is written."""

import argparse
from collections.abc import Callable
from dataclasses import replace

from emofeedback.cli.console import Console, Outcome, settings_from
from emofeedback.cli.evaluate_finetune import command_of, measure_finetune
from emofeedback.cli.evaluate_ratings import rate_against_people
from emofeedback.cli.generate import names_of
from emofeedback.evaluation.protocols.ablation import evaluate_ablation
from emofeedback.evaluation.protocols.advice_gain import evaluate_advice, evaluate_agreement
from emofeedback.evaluation.protocols.feedback_gain import evaluate_loop
from emofeedback.evaluation.protocols.generator_and_judge import RATED, evaluate_generator, evaluate_judge
from emofeedback.evaluation.protocols.rewriting_variety import evaluate_rewriting
from emofeedback.evaluation.protocols.visual_effect import arms, evaluate_visual
from emofeedback.evaluation.report import Measure, report
from emofeedback.files.storage import results_folder, write_json
from emofeedback.settings import Settings

COUNTS = {
    "generator": 25,
    "judge": 500,
    "rater": 500,
    "advice": 200,
    "loop": 100,
    "finetune": 40,
    "rewriting": 24,
    "visual": 24,
}
ABLATION = 24
"""Prompts, each with eight emotions."""


def run(arguments: argparse.Namespace, console: Console) -> Outcome:
    """Measure one part; the outcome is the report."""
    if arguments.ratings is not None:
        return rate_against_people(arguments, console)
    settings = settings_from(arguments)
    count = arguments.count or (ABLATION if arguments.ablation else COUNTS[arguments.part])

    def progress(done: int, total: int) -> None:
        console.bar(f"evaluating the {arguments.part}", done, total)

    with results_folder(settings.out) as folder:
        console.progress("loading the models")
        if arguments.part == "finetune":
            measures, models = measure_finetune(arguments, settings, count, folder, console)
        else:
            measures, models = _measure(arguments, settings, count, progress)
        command = f"emofeedback evaluate {arguments.part} --count {count} --seed {settings.seed}"
        if arguments.part == "loop":
            command += f" --rounds {arguments.rounds} --candidates {arguments.candidates}"
            ablation = f" --ablation --strength {arguments.strength:g} --rewriter {rewriter_of(settings)}"
            command += ablation if arguments.ablation else ""
        if arguments.part == "finetune":
            command = command_of(arguments, count, settings.seed)
        if arguments.part == "visual":
            command += f" --seeds {arguments.seeds}" + (f" --tuned {arguments.tuned}" if arguments.tuned else "")
        if arguments.part == "rewriting":
            command += f" --seeds {arguments.seeds} --rewriter {rewriter_of(settings)}"
            command += f" --viewers {arguments.viewers}" if arguments.viewers else ""
        data = {**report(f"evaluate {arguments.part}", command, settings.seed, models, measures), "out": str(folder)}
        write_json(folder / "report.json", data)
    text = "\n".join([*(m.line() for m in measures), "", f"Report: {folder / 'report.json'}"])
    return Outcome(data, text)


def rewriter_of(settings: Settings) -> str:
    """Which rewriter is measured: there must be one."""
    return "embedded" if settings.rewriter == "none" else settings.rewriter


def _measure(
    arguments: argparse.Namespace, settings: Settings, count: int, progress: Callable[[int, int], None]
) -> tuple[list[Measure], dict[str, str]]:
    from emofeedback.build import build_generator, build_judge, build_rater, build_rewriter

    match arguments.part:
        case "generator":
            generator, rater = build_generator(settings), build_rater(settings)
            measures = evaluate_generator(generator, rater, count=count, seed=settings.seed, progress=progress)
            return measures, {"generator": generator.name, "rater": rater.name}
        case "judge":
            judge = build_judge(settings)
            return evaluate_judge(judge, count=count, seed=settings.seed, progress=progress), {"judge": judge.name}
        case "rater":
            rater = build_rater(settings)
            measures = evaluate_judge(
                rater, count=count, seed=settings.seed, aspects=RATED, goal_named=0.97, progress=progress
            )
            return measures, {"rater": rater.name}
        case "advice":
            generator, judge = build_generator(settings), build_judge(settings)
            rater = build_rater(settings, judge)
            measures = evaluate_agreement(generator, judge, rater, count=count, seed=settings.seed, progress=progress)
            measures += evaluate_advice(generator, judge, rater, count=count, seed=settings.seed, progress=progress)
            return measures, {"generator": generator.name, "judge": judge.name, "rater": rater.name}
        case "visual":
            generator, rater = build_generator(settings), build_rater(settings)
            tuned = build_generator(replace(settings, adapter=arguments.tuned)) if arguments.tuned else None
            measures = evaluate_visual(
                arms(generator, tuned), rater, count=count, seed=settings.seed, seeds=arguments.seeds, progress=progress
            )
            return measures, {"generator": generator.name, "rater": rater.name, "tuned": arguments.tuned or "none"}
        case "rewriting":
            company = build_rewriter(replace(settings, rewriter=rewriter_of(settings)), names_of(arguments))
            assert company is not None
            seeds = arguments.seeds
            measures = evaluate_rewriting(company, count=count, seed=settings.seed, seeds=seeds, progress=progress)
            return measures, {"rewriter": company.name}
        case _:
            generator, judge = build_generator(settings), build_judge(settings)
            rater = build_rater(settings, judge)
            models = {"generator": generator.name, "judge": judge.name, "rater": rater.name}
            sizes = {"count": count, "rounds": arguments.rounds, "candidates": arguments.candidates}
            if arguments.ablation:
                company = build_rewriter(replace(settings, rewriter=rewriter_of(settings)), names_of(arguments))
                assert company is not None
                measures = evaluate_ablation(
                    generator,
                    judge,
                    rater,
                    company,
                    **sizes,
                    seed=settings.seed,
                    strength=arguments.strength,
                    progress=progress,
                )
                return measures, {**models, "rewriter": company.name}
            return evaluate_loop(generator, judge, rater, **sizes, seed=settings.seed, progress=progress), models
