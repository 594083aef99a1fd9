"""`benchmark`: speed and memory on this machine, beside the goals; of drawing and reading, or of fine-tuning."""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from emofeedback.cli.console import Console, Outcome, settings_from, usage
from emofeedback.evaluation.benchmark import help_seconds, load_measure, measure_speed, memory_measure
from emofeedback.evaluation.report import Measure, report
from emofeedback.settings import Settings
from emofeedback.storage import results_folder, write_json

MINUTES = 2.0  # of each objective, where no budget is given


def run(arguments: argparse.Namespace, console: Console) -> Outcome:
    """Measure; benchmark.json is written where --out is given."""
    settings = settings_from(arguments)
    console.progress("loading the models")
    if arguments.part == "finetune":
        measures, models, command = _finetune(arguments, settings, console)
    else:
        measures, models, command = _speed(arguments, settings, console)
    data = report("benchmark" if arguments.part == "speed" else "benchmark finetune", command, settings.seed, models,
                  measures)  # fmt: skip
    if settings.out is not None:
        with results_folder(settings.out) as folder:
            write_json(folder / "benchmark.json", data)
    return Outcome(data, "\n".join(m.line() for m in measures))


def _speed(
    arguments: argparse.Namespace, settings: Settings, console: Console
) -> tuple[list[Measure], dict[str, str], str]:
    begun = time.perf_counter()
    from emofeedback.build import build_generator, build_judge

    generator, judge = build_generator(settings), build_judge(settings)
    loaded = time.perf_counter() - begun
    measures = [help_seconds(arguments.repeats), load_measure(loaded)]
    measures += measure_speed(
        generator, judge, repeats=arguments.repeats, seed=settings.seed, progress=lambda name: console.progress(name)
    )
    measures += memory_measure()
    models = {"generator": generator.name, "judge": judge.name}
    return measures, models, f"emofeedback benchmark --repeats {arguments.repeats} --seed {settings.seed}"


def _finetune(
    arguments: argparse.Namespace, settings: Settings, console: Console
) -> tuple[list[Measure], dict[str, str], str]:
    """Every objective on a fresh generator, each for the same budget; nothing is kept."""
    from emofeedback.build import build_generator, build_rater, build_reward_judge
    from emofeedback.training.finetune_benchmark import measure_learning
    from emofeedback.training.finetune_build import build_finetuner
    from emofeedback.training.finetune_job import job_tasks
    from emofeedback.training.finetune_order import FinetuneOrder
    from emofeedback.training.finetune_settings import FinetuneSettings, read_list

    with usage():
        objectives = read_list(arguments.objectives)
        minutes = None if arguments.updates else arguments.minutes or MINUTES
        jobs = [
            FinetuneSettings(objective=name, minutes=minutes, updates=arguments.updates, seed=settings.seed)
            for name in objectives
        ]
    judge, rater = build_reward_judge(settings), build_rater(settings)
    plain, measures, name = replace(settings, adapter=None), [], ""
    for job in jobs:
        generator = build_generator(plain)
        name = generator.name

        def show(done: int, objective: str = job.objective) -> None:
            console.progress(f"measuring {objective}: update {done}")

        with TemporaryDirectory() as folder:
            tasks = job_tasks(FinetuneOrder(seed=settings.seed))
            measures += measure_learning(build_finetuner(generator, judge, rater, job, tasks, Path(folder)), show)
    budget = f"--updates {arguments.updates}" if arguments.updates else f"--minutes {minutes:g}"
    command = f"emofeedback benchmark finetune --objectives {','.join(objectives)} {budget} --seed {settings.seed}"
    return measures, {"generator": name, "judge": judge.name, "rater": rater.name}, command
