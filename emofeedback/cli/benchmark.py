"""`benchmark`: speed and memory on this machine, beside the goals."""

import argparse
import time

from emofeedback.cli.console import Console, Outcome, settings_from
from emofeedback.evaluation.benchmark import help_seconds, load_measure, measure_speed, memory_measure
from emofeedback.evaluation.report import report
from emofeedback.storage import results_folder, write_json


def run(arguments: argparse.Namespace, console: Console) -> Outcome:
    """Measure; benchmark.json is written where --out is given."""
    settings = settings_from(arguments)
    console.progress("loading the models")
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
    command = f"emofeedback benchmark --repeats {arguments.repeats} --seed {settings.seed}"
    data = report("benchmark", command, settings.seed, models, measures)
    if settings.out is not None:
        with results_folder(settings.out) as folder:
            write_json(folder / "benchmark.json", data)
    return Outcome(data, "\n".join(m.line() for m in measures))
