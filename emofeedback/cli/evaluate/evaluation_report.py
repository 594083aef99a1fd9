"""What the subjects of `evaluate` share: the folder, the progress line and report.json."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.evaluate.evaluate_options import EvaluateOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.evaluation.report import Measure, report
from emofeedback.evaluation.report_page import measures_section, write_report_page
from emofeedback.files.storage import results_folder, write_json
from emofeedback.settings import Settings


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What an evaluation came to.

    Attributes:
        models: their names, by what they did.
        flags: of the command that makes the report again, beside --count and --seed.
        command: that command, where it is another.
    """

    measures: Sequence[Measure]
    models: Mapping[str, str]
    flags: str = ""
    command: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluationOrder:
    """What an evaluation is given."""

    settings: Settings
    count: int
    folder: Path
    progress: Callable[[int, int], None]


def evaluated(
    subject: str,
    count: int,
    arguments: EvaluateOptions,
    console: Console,
    measure: Callable[[EvaluationOrder], EvaluationResult],
) -> CommandResult:
    """Measure one subject and write its report.json and report.html.

    Args:
        count: of what is measured, where the command line gives none.
    """
    settings, count = settings_from(arguments), arguments.count or count

    def progress(done: int, total: int) -> None:
        console.bar(f"evaluating the {subject}", done, total)

    with results_folder(settings.out) as folder:
        console.progress("loading the models")
        found = measure(EvaluationOrder(settings, count, folder, progress))
        command = found.command or (
            f"emofeedback evaluate {subject} --count {count} --seed {settings.seed}{found.flags}"
        )
        data = {
            **report(f"evaluate {subject}", command, settings.seed, found.models, found.measures),
            "out": str(folder),
        }
        write_json(folder / "report.json", data)
        write_report_page(folder / "report.html", data, [measures_section("Figures", found.measures)])
    text = "\n".join([*(m.line() for m in found.measures), "", f"Report: {folder / 'report.html'}"])
    return CommandResult(data, text)


def measured_rewriter(settings: Settings) -> str:
    """Which rewriter is measured: there must be one."""
    return "embedded" if settings.rewriter == "none" else settings.rewriter
