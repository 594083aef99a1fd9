"""`benchmark`: speed and memory here: of drawing and reading, how cost grows, of fine-tuning, of full-size shapes."""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from emofeedback.cli.benchmark_growth import growth
from emofeedback.cli.benchmark_options import BenchmarkOptions
from emofeedback.cli.benchmark_race import race
from emofeedback.cli.console import CommandResult, Console, UsageError, usage
from emofeedback.cli.settings_given import settings_from
from emofeedback.evaluation.report import Measure, report
from emofeedback.evaluation.report_page import measures_section, write_report_page
from emofeedback.evaluation.speed_benchmark import help_seconds, load_measure, measure_speed, memory_measure
from emofeedback.files.storage import results_folder, write_json
from emofeedback.settings import Settings

MINUTES = 2.0  # of each objective, where no budget is given
Measured = tuple[list[Measure], dict[str, str], str]  # measures, models and the command


def run(arguments: BenchmarkOptions, console: Console) -> CommandResult:
    """Measure; benchmark.json is written where --out is given. Not done where nothing could be measured."""
    settings = settings_from(arguments)
    console.progress("loading the models")
    parts: dict[str, Callable[[BenchmarkOptions, Settings, Console], Measured]] = {
        "speed": _speed,
        "finetune": _finetune,
        "shapes": _shapes,
    }
    if arguments.against is not None:
        if arguments.part != "finetune":
            raise UsageError("--against belongs to `benchmark finetune`.")
        return race(arguments, settings, console)
    if arguments.part == "growth":
        return growth(arguments, settings, console)
    measures, models, command = parts[arguments.part](arguments, settings, console)
    kind = "benchmark" if arguments.part == "speed" else f"benchmark {arguments.part}"
    data = report(kind, command, settings.seed, models, measures)
    if settings.out is not None:
        with results_folder(settings.out) as folder:
            write_json(folder / "benchmark.json", data)
            write_report_page(folder / "benchmark.html", data, [measures_section("Figures", measures)])
    return CommandResult(data, "\n".join(m.line() for m in measures), any(m.n for m in measures))


def _speed(arguments: BenchmarkOptions, settings: Settings, console: Console) -> Measured:
    begun = time.perf_counter()
    from emofeedback.build import build_generator, build_judge, build_upscaler

    generator, judge, upscaler = build_generator(settings), build_judge(settings), build_upscaler(settings)
    loaded = time.perf_counter() - begun
    measures = [help_seconds(arguments.repeats), load_measure(loaded)]
    measures += measure_speed(
        generator,
        judge,
        repeats=arguments.repeats,
        seed=settings.seed,
        upscaler=upscaler,
        progress=lambda name: console.progress(name),
    )
    measures += memory_measure()
    models = {"generator": generator.name, "judge": judge.name}
    return measures, models, f"emofeedback benchmark --repeats {arguments.repeats} --seed {settings.seed}"


def _finetune(arguments: BenchmarkOptions, settings: Settings, console: Console) -> Measured:
    """Every objective on a fresh generator, each for the same budget; nothing is kept."""
    from emofeedback.build import build_generator, build_judge, build_rater
    from emofeedback.finetuning.benchmark_finetuning import measure_learning
    from emofeedback.finetuning.build_finetuner import build_finetuner
    from emofeedback.finetuning.job_settings import FinetuneSettings, read_list, tasks_of
    from emofeedback.finetuning.objectives.table import NAMES, objective
    from emofeedback.finetuning.order import FinetuneOrder
    from emofeedback.finetuning.reward_judge import objective_for, suits

    with usage():
        for name in read_list(arguments.objectives or ""):
            objective(name)  # refused before a model is loaded
    judge = build_judge(settings)
    with usage():
        objectives = [objective_for(judge, name) for name in read_list(arguments.objectives or "")]
        objectives = objectives or [name for name in NAMES if suits(judge, name)]
        minutes = None if arguments.updates else arguments.minutes or MINUTES
        jobs = [
            FinetuneSettings(objective=name, minutes=minutes, updates=arguments.updates, seed=settings.seed)
            for name in objectives
        ]
    rater = build_rater(settings, judge)
    plain, measures, name = settings.changed(adapter=None), [], ""
    for job in jobs:
        generator = build_generator(plain)
        name = generator.name

        def show(done: int, objective: str = job.objective) -> None:
            console.progress(f"measuring {objective}: update {done}")

        with TemporaryDirectory() as folder:
            tasks = tasks_of(FinetuneOrder(seed=settings.seed))
            measures += measure_learning(build_finetuner(generator, judge, rater, job, tasks, Path(folder)), show)
    budget = f"--updates {arguments.updates}" if arguments.updates else f"--minutes {minutes:g}"
    command = f"emofeedback benchmark finetune --objectives {','.join(objectives)} {budget} --seed {settings.seed}"
    return measures, {"generator": name, "judge": judge.name, "rater": rater.name}, command


def _shapes(arguments: BenchmarkOptions, settings: Settings, console: Console) -> Measured:
    """Published models' sizes with random weights; nothing is downloaded."""
    scale, size = arguments.scale, arguments.size
    if size is not None and size % 16:
        raise UsageError(f"--size must be a multiple of 16, not {size}.")
    if size is not None and scale == "tiny":
        raise UsageError("Tiny shapes have a size of their own; leave out --size.")
    from emofeedback.build import prepare_device
    from emofeedback.evaluation.shapes.shape_benchmark import NO_GPU, SCALES, measure_shapes

    shapes = SCALES[scale]
    measures = measure_shapes(
        shapes,
        prepare_device(settings),
        size=size,
        repeats=arguments.repeats,
        seed=settings.seed,
        progress=lambda text: console.progress(text),
    )
    if not any(measure.n for measure in measures):
        why = "the memory of the GPU does not suffice for any of these models"
        if any(measure.note == NO_GPU for measure in measures):
            why = "full-size models need a CUDA GPU (--scale tiny tries the command without one)"
        console.note(f"Nothing was measured, because {why}.")
    models = {
        "generator": ", ".join(f"{shape.name} shape, random weights" for shape in shapes.generators),
        "judge": f"{shapes.judge.name} shape, random weights",
    }
    given = (f" --size {size}" if size else "") + ("" if scale == "full" else f" --scale {scale}")
    command = f"emofeedback benchmark shapes{given} --repeats {arguments.repeats} --seed {settings.seed}"
    return measures, models, command
