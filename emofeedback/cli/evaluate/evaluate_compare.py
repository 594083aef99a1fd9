"""`evaluate compare A B`: two reports, or two arms of a suite (FOLDER#ARM), by paired tests over what they share."""

from html import escape

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.evaluate.suite_options import CompareOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.files.storage import results_folder, write_json


def run(arguments: CompareOptions, console: Console) -> CommandResult:
    """Compare; comparison.json and comparison.html are written where --out is given."""
    settings = settings_from(arguments)
    from emofeedback.evaluation.paired_tests import compare, read_side
    from emofeedback.evaluation.report import report
    from emofeedback.evaluation.report_page import Section, figure, write_report_page

    first, second = read_side(arguments.first), read_side(arguments.second)
    tests = compare(first, second, settings.seed)
    command = f"emofeedback evaluate compare {first.name} {second.name} --seed {settings.seed}"
    sides = {"A": first.name, "B": second.name}
    data = {**report("evaluate compare", command, settings.seed, sides, ()), "tests": [t.as_json() for t in tests]}
    lines = [f"{'':46}{'A':>9}{'B':>9}{'A - B':>9}  95 % interval      p       q"]
    for test in tests:
        interval = f"{test.low:+.3f} .. {test.high:+.3f}"
        lines.append(
            f"{test.name[:45]:46}{test.first:>9.3f}{test.second:>9.3f}{test.difference:>+9.3f}  {interval}  "
            f"{test.p:.4f}  {test.q:.4f}"
        )
    if settings.out is not None:
        head = "".join(f"<th class=n>{name}</th>" for name in ("A", "B", "A − B", "95 %", "p", "Wilcoxon", "q", "n"))
        rows = "".join(
            f"<tr><td>{escape(t.name)}</td><td class=n>{figure(t.first)}</td><td class=n>{figure(t.second)}</td>"
            f"<td class=n>{figure(t.difference)}</td><td class=n>{figure(t.low)} .. {figure(t.high)}</td>"
            f"<td class=n>{t.p:.4f}</td><td class=n>{t.wilcoxon:.4f}</td><td class=n>{t.q:.4f}</td>"
            f"<td class=n>{t.n}</td></tr>"
            for t in tests
        )
        table = f'<div class="wide"><table><tr><th></th>{head}</tr>{rows}</table></div>'
        lead = "By pairs. p: sign-flip permutation test; q: p after Benjamini and Hochberg over all rows."
        with results_folder(settings.out) as folder:
            data["out"] = str(folder)
            write_json(folder / "comparison.json", data)
            write_report_page(folder / "comparison.html", data, [Section("A against B", table, lead)])
            lines += ["", f"Report: {folder / 'comparison.html'}"]
    return CommandResult(data, "\n".join(lines))
