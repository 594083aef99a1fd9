"""`evaluate score`: a suite that was drawn, graded by another rater or by learned metrics; nothing is drawn again."""

from emofeedback.cli.console import CommandResult, Console, names_in
from emofeedback.cli.evaluate.suite_options import ScoreOptions
from emofeedback.cli.evaluate.suite_report import suite_result
from emofeedback.cli.settings_given import settings_from
from emofeedback.errors import UserError


def run(arguments: ScoreOptions, console: Console) -> CommandResult:
    """Have the rater grade the final pictures, beside those who have; report.json and report.html are made again."""
    settings = settings_from(arguments)
    from emofeedback.evaluation.suite.store import SuiteFolder, rater_folder

    folder = SuiteFolder(arguments.folder)
    command = f"emofeedback evaluate score {arguments.folder}"
    if arguments.rater is not None or not folder.raters():
        console.progress("loading the rater")
        from emofeedback.build import build_rater
        from emofeedback.evaluation.raters.grading import same_name
        from emofeedback.evaluation.suite.draw_arms import grade_suite

        rater = build_rater(settings)
        if same_name(rater, folder.plan.models.get("judge_identity", "")):  # type: ignore[arg-type]
            raise UserError(f"{rater.name} guided these pictures, and who guides never grades; name another rater.")
        units, done = list(folder.units()), 0

        def show(arm: str, prompt: int) -> None:
            nonlocal done
            done += 1
            console.bar(f"grading {arm}", done, len(units))

        grade_suite(rater, rater_folder(rater.name), folder, units, show)
        command += f" --rater {settings.rater}"
    command += f" --metrics {arguments.metrics}" if arguments.metrics else ""
    return suite_result(folder, command, names_in(arguments.metrics), settings, console)
