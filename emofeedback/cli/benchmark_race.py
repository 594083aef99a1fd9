"""`benchmark finetune --against DIR`: this project's objectives and flow_grpo on one pair of axes, seed by seed."""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from emofeedback.cli.benchmark_options import BenchmarkOptions
from emofeedback.cli.console import CommandResult, Console, UsageError, usage
from emofeedback.files.storage import results_folder, write_json
from emofeedback.settings import Settings

OBJECTIVES = ("awm", "nft", "grpo")
MINUTES = 5.0


def race(arguments: BenchmarkOptions, settings: Settings, console: Console) -> CommandResult:
    """Read their logs, run our jobs, write benchmark.json (with all curves) and benchmark.html."""
    from emofeedback.build import build_generator, build_judge, build_rater
    from emofeedback.evaluation.protocols.learning_curves import (
        LearningCurve,
        curve_measures,
        read_flow_grpo,
        record_curve,
    )
    from emofeedback.evaluation.report import report
    from emofeedback.evaluation.report_page import Line, Section, curves, measures_section, write_report_page
    from emofeedback.finetuning.build_finetuner import build_finetuner
    from emofeedback.finetuning.job_settings import FinetuneSettings, read_list, tasks_of
    from emofeedback.finetuning.order import FinetuneOrder
    from emofeedback.finetuning.reward_judge import objective_for

    if arguments.updates is not None:
        raise UsageError("Curves over time take --minutes, not --updates.")
    assert arguments.against is not None
    theirs = read_flow_grpo(arguments.against, arguments.pictures_per_epoch, arguments.reward)
    minutes = arguments.minutes or MINUTES
    names = read_list(arguments.objectives or "") or list(OBJECTIVES)
    judge = build_judge(settings)
    with usage():
        objectives = [objective_for(judge, name) for name in names]
    rater = build_rater(settings, judge)
    ours: list[LearningCurve] = []
    name = ""
    for objective in objectives:
        for seed in range(settings.seed, settings.seed + arguments.seeds):
            generator = build_generator(settings.changed(adapter=None))
            name, job = generator.name, FinetuneSettings(objective=objective, minutes=minutes, seed=seed)

            def show(done: int, trained: float, label: str = f"{objective}, seed {seed}") -> None:
                console.progress(f"{label}: update {done}, {trained:.0f} s")

            with TemporaryDirectory() as folder:
                tasks = tasks_of(FinetuneOrder(seed=seed))
                trainer = build_finetuner(generator, judge, rater, job, tasks, Path(folder))
                ours.append(record_curve(trainer, judge, 60 * minutes, progress=show))
    measures = curve_measures(ours, theirs, 60 * minutes, settings.seed)
    command = f"emofeedback benchmark finetune --against {arguments.against} --objectives {','.join(objectives)}"
    command += f" --minutes {minutes:g} --seeds {arguments.seeds} --reward {arguments.reward} --seed {settings.seed}"
    command += f" --pictures-per-epoch {arguments.pictures_per_epoch:g}" if arguments.pictures_per_epoch else ""
    models = {"generator": name, "judge": judge.name}
    data = report("benchmark finetune against flow_grpo", command, settings.seed, models, measures)
    data["curves"] = [asdict(curve) for curve in (*ours, *theirs)]
    lines = [m.line() for m in measures]
    if settings.out is not None:
        with results_folder(settings.out) as out:
            write_json(out / "benchmark.json", data)
            every = [*ours, *theirs]
            over_time = [Line(f"{c.name}, {c.seed}", [(p.seconds, p.reward) for p in c.points]) for c in every]
            drawn = [
                Line(f"{c.name}, {c.seed}", [(p.pictures, p.reward) for p in c.points if p.pictures is not None])
                for c in every
            ]
            pages = curves(over_time, "seconds of training", "held-out reward", "A line a job.")
            pages += curves([line for line in drawn if line.points], "pictures drawn", "held-out reward")
            sections = [Section("Held-out reward", pages), measures_section("Figures", measures)]
            write_report_page(out / "benchmark.html", data, sections)
            lines += ["", f"Report: {out / 'benchmark.html'}"]
    return CommandResult(data, "\n".join(lines))
