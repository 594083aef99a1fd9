"""The table of a suite: every arm's figures by a rater, its cost, and how it compares with the loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from emofeedback.evaluation.report import Measure
from emofeedback.evaluation.suite.plan import ARMS
from emofeedback.evaluation.suite.sheet_figures import (
    Sheets,
    less,
    mean_measure,
    picture_measures,
    reading_measures,
)
from emofeedback.evaluation.suite.store import Grade, SuiteFolder

AGAINST = "loop"
"""The arm that others are compared with, where it was drawn."""


@dataclass(frozen=True)
class RaterView:
    """What one rater makes of a suite: the readings of every arm, and the measures."""

    rater: str
    sheets: dict[str, Sheets]
    measures: list[Measure]


def sheets_by(folder: SuiteFolder, rater: str, arm: str) -> Sheets:
    """A rater's readings of one arm."""
    grades = [folder.grades(rater, arm, i) for i in range(len(folder.plan.prompts))]
    nan = float("nan")
    read = np.array(
        [[[nan, nan] if g.valence is None else [g.valence, g.arousal] for g in row] for row in grades], dtype=float
    )
    return Sheets.of(folder.plan.points(), read, folder.plan.grid)


def rater_view(folder: SuiteFolder, rater: str) -> RaterView:
    """Measures of all arms that were drawn, by one rater; intervals over prompts."""
    plan, arms = folder.plan, folder.drawn()
    sheets = {arm: sheets_by(folder, rater, arm) for arm in arms}
    measures: list[Measure] = []
    kept: dict[str, np.ndarray] = {}
    for arm in arms:
        grades = [folder.grades(rater, arm, i) for i in range(len(plan.prompts))]
        measures += reading_measures(arm, sheets[arm], plan.seed)
        kept[arm] = _by_prompt(grades, lambda grade: grade.kept)
        for what, values in (("content kept", kept[arm]), ("intact", _by_prompt(grades, lambda g: g.realism))):
            if np.isfinite(values).any():
                measures.append(mean_measure(f"{arm}: {what}", values, "share", plan.seed))
    if AGAINST in arms:
        errors = {arm: np.nanmean(sheets[arm].distances(), axis=(1, 2)) for arm in arms}
        for arm in arms:
            if arm != AGAINST:
                name = f"{AGAINST} less {arm}: distance to the target"
                measures.append(less(name, errors[AGAINST], errors[arm], "V-A distance", plan.seed))
    return RaterView(rater, sheets, measures)


def cost_measures(folder: SuiteFolder) -> list[Measure]:
    """What a final picture of each arm costs: seconds, pictures, readings, pieces of advice."""
    rows, plan = [], folder.plan
    for arm in folder.drawn():
        costs = [[cell.cost for cell in folder.cells(arm, i)] for i in range(len(plan.prompts))]
        for what, name, unit in (
            ("seconds", "seconds a picture", "s"),
            ("pictures", "pictures drawn a picture", "pictures"),
            ("readings", "judge's readings a picture", "calls"),
            ("critiques", "judge's advice a picture", "calls"),
        ):
            means = [float(np.mean([getattr(cost, what) for cost in row])) for row in costs]
            rows.append(mean_measure(f"{arm}: {name}", means, unit, plan.seed))
    return rows


def look_measures(folder: SuiteFolder) -> list[Measure]:
    """What the pictures themselves tell, whoever reads them: evenness of sweeps, difference between contents."""
    rows, plan = [], folder.plan
    for arm in folder.drawn():
        sheets = [[picture.image for picture in folder.pictures(arm, i)] for i in range(len(plan.prompts))]
        rows += picture_measures(arm, sheets, plan.grid, plan.seed)
    return rows


def arm_table(measures: Sequence[Measure], arms: Sequence[str], rows: Sequence[str]) -> list[list[Measure | None]]:
    """Measures as a table: one row a figure's name (without its arm), one column an arm."""
    found = {m.name: m for m in measures}
    return [[found.get(f"{arm}: {row}") for arm in arms] for row in rows]


def title_of(arm: str) -> str:
    """An arm's title for a table."""
    return ARMS[arm].title if arm in ARMS else arm


def _by_prompt(grades: Sequence[Sequence[Grade]], of: Callable[[Grade], float | None]) -> np.ndarray:
    """[prompts] means of what is known."""
    rows = [[value for grade in row if (value := of(grade)) is not None] for row in grades]
    return np.array([float(np.mean(row)) if row else np.nan for row in rows])
