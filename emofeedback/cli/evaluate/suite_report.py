"""report.json and report.html of a suite, whether it was just drawn or only graded again."""

from collections.abc import Sequence

from emofeedback.cli.console import CommandResult, Console
from emofeedback.errors import UserError
from emofeedback.evaluation.report import Measure, report
from emofeedback.evaluation.suite.plan import ARMS
from emofeedback.evaluation.suite.store import SuiteFolder
from emofeedback.files.storage import write_json
from emofeedback.settings import Settings

SAID = ("distance to the target", "valence error", "arousal error", "seconds a picture", "pictures drawn a picture")


def suite_result(
    folder: SuiteFolder, command: str, metrics: Sequence[str], settings: Settings, console: Console
) -> CommandResult:
    """Everything that is known of the suite, by everybody who has graded it whole."""
    from emofeedback.evaluation.report_page import write_report_page
    from emofeedback.evaluation.suite.suite_figures import cost_measures, look_measures, rater_view
    from emofeedback.evaluation.suite.suite_page import suite_sections

    raters = folder.raters()
    if not folder.drawn() or not raters:
        raise UserError(f"Nothing in {folder.path} was drawn and graded whole; run `evaluate suite` until it is done.")
    console.progress("counting")
    views = [rater_view(folder, rater) for rater in raters]
    shared = [*cost_measures(folder), *look_measures(folder)]
    if metrics:
        from emofeedback.build import prepare_device
        from emofeedback.evaluation.suite.learned_metrics import learned_measures

        console.progress("learned metrics")
        shared += learned_measures(metrics, folder, prepare_device(settings))
    models = {key: value for key, value in folder.plan.models.items() if key != "judge_identity"}
    models |= {"raters": ", ".join(raters)}
    measures = [*views[0].measures, *shared]
    data = report("evaluate suite", command, folder.plan.seed, models, measures)
    data["plan"] = folder.plan.as_json()
    data["raters"] = {
        view.rater: {
            "measures": [m.as_json() for m in view.measures],
            "observations": {m.name: [round(v, 6) for v in m.values] for m in view.measures if m.values},
        }
        for view in views
    }
    data["out"] = str(folder.path)
    write_json(folder.path / "report.json", data)
    write_report_page(folder.path / "report.html", data, suite_sections(folder, views, shared))
    return CommandResult(data, _text(folder, measures))


def _text(folder: SuiteFolder, measures: Sequence[Measure]) -> str:
    """A table for a terminal."""
    found = {measure.name: measure for measure in measures}
    lines = [f"{'':34}" + "".join(f"{name[:14]:>16}" for name in ("distance", "valence", "arousal", "s", "pictures"))]
    for arm in folder.drawn():
        cells = [found.get(f"{arm}: {name}") for name in SAID]
        lines.append(f"{ARMS[arm].title:34}" + "".join(f"{'' if m is None else f'{m.value:.3f}':>16}" for m in cells))
    zero = found.get(f"{folder.drawn()[0]}: distance of a constant 0")
    lines += [f"{'the answer that is always 0':34}" + ("" if zero is None else f"{zero.value:>16.3f}"), ""]
    lines += [m.line() for m in measures if " less " in m.name]
    return "\n".join([*lines, "", f"Report: {folder.path / 'report.html'}"])
