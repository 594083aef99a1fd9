"""`benchmark growth`: how cost grows with candidates, steps and users, where it goes, and what a batch saves."""

from emofeedback.cli.benchmark_options import BenchmarkOptions
from emofeedback.cli.console import CommandResult, Console
from emofeedback.files.storage import results_folder, write_json
from emofeedback.settings import Settings


def growth(arguments: BenchmarkOptions, settings: Settings, console: Console) -> CommandResult:
    """Measure; benchmark.json and benchmark.html are written where --out is given.

    For other sizes of pictures: EMOFEEDBACK_SIZE, and again.
    """
    from emofeedback.build import build_generator, build_judge
    from emofeedback.evaluation.growth import measure_growth
    from emofeedback.evaluation.report import report
    from emofeedback.evaluation.report_page import Section, curves, measures_section, write_report_page

    generator, judge = build_generator(settings), build_judge(settings)
    measures, growths = measure_growth(
        generator, judge, repeats=arguments.repeats, seed=settings.seed, progress=console.progress
    )
    models = {"generator": f"{generator.name}, {generator.size} px", "judge": judge.name}
    command = f"emofeedback benchmark growth --repeats {arguments.repeats} --seed {settings.seed}"
    data = report("benchmark growth", command, settings.seed, models, measures)
    lines = [m.line() for m in measures]
    if settings.out is not None:
        with results_folder(settings.out) as folder:
            write_json(folder / "benchmark.json", data)
            drawn = "".join(curves([g.curve()], g.name, "seconds") for g in growths)
            sections = [Section("How cost grows", drawn), measures_section("Figures", measures)]
            write_report_page(folder / "benchmark.html", data, sections)
            lines += ["", f"Report: {folder / 'benchmark.html'}"]
    return CommandResult(data, "\n".join(lines))
