"""`evaluate judge --ratings`: the judge against people's ratings of pictures, and its calibration."""

from emofeedback.cli.console import CommandResult, Console, UsageError, usage
from emofeedback.cli.evaluate.evaluate_options import JudgeOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.evaluation.report import report
from emofeedback.files.storage import results_folder, write_json


def rate_against_people(arguments: JudgeOptions, console: Console) -> CommandResult:
    """Measure the bare judge, fit its calibration, write report.json and calibration.json."""
    settings = settings_from(arguments).changed(calibration=None)  # a calibration is fitted on the judge itself
    if arguments.ratings is None or arguments.images is None:
        raise UsageError("--ratings needs the folder of the rated pictures; give it with --images.")
    from emofeedback.build import build_judge
    from emofeedback.evaluation.protocols.human_ratings import evaluate_ratings, load_ratings, parse_scale

    columns = None if arguments.columns is None else [name.strip() for name in arguments.columns.split(",")]
    with usage():
        scale = parse_scale(arguments.scale)
        ratings = load_ratings(arguments.ratings, arguments.images, scale, columns, arguments.count, settings.seed)
    with results_folder(settings.out) as folder:
        console.progress("loading the judge")
        judge = build_judge(settings)
        if hasattr(judge, "describe"):
            judge.describe = False  # only numbers are compared: no content need be named
        measures, calibration = evaluate_ratings(
            judge,
            ratings,
            arguments.method,
            seed=settings.seed,
            progress=lambda done, total: console.bar("reading rated pictures", done, total),
        )
        saved = arguments.save or folder / "calibration.json"
        write_json(saved, calibration.as_json())
        command = (
            f"emofeedback evaluate judge --ratings {arguments.ratings.name} --images {arguments.images.name} "
            f"--scale {arguments.scale} --method {arguments.method} --seed {settings.seed}"
        )
        command += f" --columns {arguments.columns}" if arguments.columns else ""
        command += f" --count {arguments.count}" if arguments.count else ""
        data = {
            **report("evaluate judge against people", command, settings.seed, {"judge": judge.name}, measures),
            "ratings": ratings.source,
            "calibration": str(saved),
            "out": str(folder),
        }
        write_json(folder / "report.json", data)
    lines = [*(m.line() for m in measures), "", f"Report: {folder / 'report.json'}", f"Calibration: {saved}"]
    return CommandResult(data, "\n".join(lines))
