"""The page of a suite: the table of arms, target against reading, sheets, and where it failed."""

from collections.abc import Sequence

import numpy as np

from emofeedback.evaluation.report import Measure
from emofeedback.evaluation.report_page import (
    Section,
    Shown,
    columns_table,
    gallery,
    measures_table,
    plots,
    scatter,
    sheet,
)
from emofeedback.evaluation.suite.plan import ARMS
from emofeedback.evaluation.suite.sheet_figures import AXES
from emofeedback.evaluation.suite.store import SuiteFolder
from emofeedback.evaluation.suite.suite_figures import RaterView, arm_table, title_of

SHEETS, FAILURES = 2, 12
READ_ROWS = (
    ("distance to the target", "low"),
    ("distance of a constant 0", ""),
    *(
        (f"{axis} {row}", end)
        for axis in AXES
        for row, end in (
            ("error", "low"),
            ("error of a constant 0", ""),
            ("slope", ""),
            ("intercept", ""),
            ("Spearman", "high"),
            ("Kendall tau of a sweep", "high"),
            ("steps the right way", "high"),
            ("moved by the other axis", ""),
        )
    ),
    ("content kept", "high"),
    ("intact", "high"),
    ("unreadable", "low"),
)
LOOK_ROWS = (
    ("seconds a picture", "low"),
    ("pictures drawn a picture", ""),
    ("judge's readings a picture", ""),
    ("judge's advice a picture", ""),
    ("largest over mean step", "low"),
    ("difference between contents", "high"),
    ("CLIPScore", "high"),
    ("CLIP-IQA", "high"),
    ("LPIPS, largest over mean step", "low"),
)


def suite_sections(folder: SuiteFolder, views: Sequence[RaterView], others: Sequence[Measure]) -> list[Section]:
    """Everything that a suite's page shows.

    Args:
        views: one a rater, the first of them in most places.
        others: measures that no rater has a part in.
    """
    plan, arms = folder.plan, folder.drawn()
    titles = [title_of(arm) for arm in arms]
    size = f"{len(plan.prompts)} prompts x {plan.grid} x {plan.grid} points"
    found = [Section("Cost and look", _columns(others, arms, titles, LOOK_ROWS), f"{size}; intervals over prompts.")]
    for view in views:
        lead = "Read by this rater, which guided none of the pictures; the answer that is always 0 beside each error."
        found.append(Section(f"By {view.rater}", _columns(view.measures, arms, titles, READ_ROWS), lead))
        against = [m for m in view.measures if " less " in m.name]
        if against:
            lead = "By prompt; below 0 the loop is closer to the target. Wins and losses alike."
            found.append(Section(f"The loop against the others, by {view.rater}", measures_table(against), lead))
    if views:
        found += [_scatters(views, arms), _sheets(folder, arms), _failures(folder, views[0], arms)]
    what = "".join(f"<tr><td>{title_of(arm)}</td><td>{ARMS[arm].text}</td></tr>" for arm in arms)
    found.append(Section("The arms", f'<div class="wide"><table>{what}</table></div>'))
    return found


def _columns(
    measures: Sequence[Measure], arms: Sequence[str], titles: Sequence[str], rows: Sequence[tuple[str, str]]
) -> str:
    names = [name for name, _ in rows]
    table = arm_table(measures, arms, names)
    shown = [(name, row, end) for (name, end), row in zip(rows, table, strict=True) if any(m is not None for m in row)]
    return columns_table(titles, [n for n, _, _ in shown], [row for _, row, _ in shown], [end for *_, end in shown])


def _scatters(views: Sequence[RaterView], arms: Sequence[str]) -> Section:
    shown = [arm for arm in ("adapter", "best-of-n", "loop", "loop-tuned") if arm in arms] or list(arms[:3])
    drawn = []
    for arm in shown:
        for axis, label in enumerate(AXES):
            for k, view in enumerate(views[:2]):
                wanted, read = view.sheets[arm].flat(axis)
                drawn.append(
                    scatter(
                        wanted.ravel().tolist(),
                        read.ravel().tolist(),
                        f"{title_of(arm)}: {label}, {view.rater}",
                        colour=k,
                    )
                )
    return Section(
        "Target and viewer", plots(drawn), "A dot a picture; on the dashed line it is read as it was asked for."
    )


def _sheets(folder: SuiteFolder, arms: Sequence[str]) -> Section:
    shown = [arm for arm in ("adapter", "best-of-n", "loop") if arm in arms] or list(arms[:3])
    body = []
    for prompt in range(min(SHEETS, len(folder.plan.prompts))):
        for arm in shown:
            images = [picture.image for picture in folder.pictures(arm, prompt)]
            body.append(sheet(f"{title_of(arm)}: {folder.plan.prompts[prompt]}", images, folder.plan.grid))
    return Section(
        "Sheets",
        f'<div class="sheets">{"".join(body)}</div>',
        "Valence to the right, arousal upwards. The first prompts, not picked.",
    )


def _failures(folder: SuiteFolder, view: RaterView, arms: Sequence[str]) -> Section:
    arm = next((arm for arm in ("loop", "adapter") if arm in arms), arms[0])
    sheets = view.sheets[arm]
    distances = sheets.distances().reshape(len(sheets.read), -1)
    order = np.argsort(np.where(np.isfinite(distances), -distances, np.inf), axis=None)[:FAILURES]
    shown = []
    for flat in order:
        prompt, point = divmod(int(flat), distances.shape[1])
        if not np.isfinite(distances[prompt, point]):
            continue
        cell = folder.cells(arm, prompt)[point]
        read = sheets.read[prompt].reshape(-1, 2)[point]
        caption = (
            f"{cell.words}: asked {cell.target.valence:+.2f}, {cell.target.arousal:+.2f}; "
            f"read {read[0]:+.2f}, {read[1]:+.2f}"
        )
        shown.append(Shown(folder.pictures(arm, prompt)[point].image, caption))
    return Section(
        f"Where it fails: {title_of(arm)}", gallery(shown), f"The farthest from their targets, by {view.rater}."
    )
