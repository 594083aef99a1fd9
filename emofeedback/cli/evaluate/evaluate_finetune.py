"""`evaluate finetune`: jobs for several seeds (and learning rates), graded on held-out corner tasks."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from emofeedback.cli.console import CommandResult, Console, usage
from emofeedback.cli.evaluate.evaluate_options import TuningOptions
from emofeedback.cli.evaluate.evaluation_report import EvaluationOrder, EvaluationResult, evaluated
from emofeedback.errors import UserError
from emofeedback.evaluation.content import content_unit
from emofeedback.evaluation.protocols.finetuning_gain import (
    DRAWS,
    CornerTask,
    Curve,
    Grades,
    base_measures,
    best_of_each,
    corner_tasks,
    draw_tasks,
    gain_measures,
    grade,
    speed_measure,
)
from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.evaluation.report import Measure
from emofeedback.protocols import Judge
from emofeedback.settings import Settings

if TYPE_CHECKING:
    from emofeedback.finetuning.job_settings import FinetuneSettings

TASKS = 40
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GradedJob:
    """A finished job and its grades."""

    job: "FinetuneSettings"
    updates: int
    pictures: int
    seconds: float
    curve: Curve
    score: float  # of the best audit
    grades: Grades


def run(arguments: TuningOptions, console: Console) -> CommandResult:
    """Jobs against the base and the judge's best of N."""
    return evaluated("finetune", TASKS, arguments, console, lambda given: _measured(arguments, given, console))


def _measured(arguments: TuningOptions, given: EvaluationOrder, console: Console) -> EvaluationResult:
    """Train, grade, compare. Each job's folder stays in the report's.

    The learning rate is searched for each objective with the first seed, by the job's own audit; the tasks that
    grade are drawn from other prompts.
    """
    from emofeedback.build import build_generator, build_judge, build_rater
    from emofeedback.finetuning.job_settings import tasks_of
    from emofeedback.finetuning.order import FinetuneOrder

    settings, count, folder = given.settings, given.count, given.folder
    with usage():
        _plans(arguments, settings, None)  # what is wrong with every judge is refused before one is loaded
    plain = settings.changed(adapter=None)
    judge = build_judge(plain)
    with usage():
        plans = _plans(arguments, settings, judge)
    rater = build_rater(plain, judge)
    generator = build_generator(plain)
    seeds = [settings.seed + k for k in range(arguments.seeds)]
    used = {p for seed in seeds for p in tasks_of(FinetuneOrder(seed=seed)).held_out}
    tasks = corner_tasks(count, settings.seed, sorted(used), arguments.best_of)
    progress = _bar(console, "drawing with the base")
    pictures = draw_tasks(generator, tasks, arguments.best_of, progress)
    base = grade([drawn[:DRAWS] for drawn in pictures], rater, tasks)
    best = grade(best_of_each(pictures, judge, tasks), rater, tasks)
    measures = base_measures(base, best, arguments.best_of, settings.seed, content_unit(rater))
    curves: dict[str, list[Curve]] = {}
    for name, jobs in plans.items():
        first = [_graded_job(job, plain, (judge, rater), tasks, folder, console) for job in jobs]
        chosen = max(first, key=lambda trial: trial.score)
        for trial in first if len(first) > 1 else ():
            row = f"{name} at {trial.job.learning_rate:g}: best audit score"
            measures.append(Measure(row, trial.score, "score", 1))
        others = [replace(chosen.job, seed=seed) for seed in seeds[1:]]
        trials = [chosen, *(_graded_job(job, plain, (judge, rater), tasks, folder, console) for job in others)]
        measures.append(Measure(f"{name}: learning rate", chosen.job.learning_rate, "", 1))
        measures += gain_measures(name, base, best, [trial.grades for trial in trials], settings.seed)
        for what in ("updates", "pictures", "seconds"):
            mean = sum(getattr(trial, what) for trial in trials) / len(trials)
            measures.append(Measure(f"{name}: {what} of a job", mean, "s" if what == "seconds" else what, len(trials)))
        curves[name] = [trial.curve for trial in trials]
    if "awm" in curves and "grpo" in curves:
        measures.append(speed_measure(curves["awm"], curves["grpo"]))
    models = {"generator": generator.name, "judge": judge.name, "rater": rater.name}
    return EvaluationResult(measures, models, command=_command(arguments, ",".join(plans), count, settings.seed))


def _command(arguments: TuningOptions, objectives: str, count: int, seed: int) -> str:
    """The command that makes the same report."""
    rates = f" --learning-rates {arguments.learning_rates}" if arguments.learning_rates else ""
    budget = f"--updates {arguments.updates}" if arguments.updates else f"--minutes {arguments.minutes or 5:g}"
    return (
        f"emofeedback evaluate finetune --count {count} --best-of {arguments.best_of} --seeds {arguments.seeds} "
        f"--objectives {objectives} {budget}{rates} --seed {seed}"
    )


def _plans(arguments: TuningOptions, settings: Settings, judge: Judge | None) -> "dict[str, list[FinetuneSettings]]":
    """For each objective one job a learning rate, all with the first seed; without a judge, of objectives as named."""
    from emofeedback.finetuning.job_settings import FinetuneSettings, read_list
    from emofeedback.finetuning.objectives.table import automatic
    from emofeedback.finetuning.reward_judge import objective_for

    rates: list[dict[str, float]] = [{}]
    if arguments.learning_rates:
        try:
            rates = [{"learning_rate": float(text)} for text in read_list(arguments.learning_rates)]
        except ValueError:
            raise UserError("--learning-rates takes numbers such as 3e-4,1e-3.") from None
    minutes = None if arguments.updates else arguments.minutes or 5.0
    named = read_list(arguments.objectives or "")
    if judge is None:
        names = named or [automatic(True)]
    else:
        names = [objective_for(judge, name) for name in named] or [objective_for(judge)]
    return {
        name: [
            FinetuneSettings(objective=name, minutes=minutes, updates=arguments.updates, seed=settings.seed, **rate)  # type: ignore[arg-type]
            for rate in rates
        ]
        for name in names
    }


def _graded_job(
    job: "FinetuneSettings",
    settings: Settings,
    readers: tuple[Judge, Reader],
    tasks: list[CornerTask],
    folder: Path,
    console: Console,
) -> GradedJob:
    """One job on a fresh generator in a folder of its own, then the tasks drawn with its adapter."""
    from emofeedback.build import build_generator
    from emofeedback.finetuning.build_finetuner import build_finetuner
    from emofeedback.finetuning.job import FinetuneJob
    from emofeedback.finetuning.job_settings import tasks_of
    from emofeedback.finetuning.order import FinetuneOrder

    name = f"{job.objective}-{job.learning_rate:g}-seed{job.seed}"
    generator, (judge, rater) = build_generator(settings), readers
    training = tasks_of(FinetuneOrder(seed=job.seed))
    work = FinetuneJob(build_finetuner(generator, judge, rater, job, training, folder / name))
    result = work.run(lambda: False, lambda entry: console.progress(f"{name}: update {entry['update']}")).result
    curve = [(e["elapsed"], e["score"]) for e in work.trainer.log.read() if e["kind"] == "audit"]
    drawn = draw_tasks(generator, tasks, DRAWS, _bar(console, f"drawing with {name}"))
    score = result.best.score if result.best is not None else float("-inf")
    logger.info("%s: %d updates in %.0f s, best audit score %.3f", name, result.updates, result.seconds, score)
    return GradedJob(job, result.updates, result.pictures, result.seconds, curve, score, grade(drawn, rater, tasks))


def _bar(console: Console, label: str) -> Callable[[int, int], None]:
    return lambda done, total: console.bar(label, done, total)
