"""What ratings say: how far raters agree, what each is worth on photographs of known ratings, how pictures obey.

The bundled second rater stands beside the outside eye everywhere; where they disagree, the outside eye is right.
Prompts are the unit of intervals. The error of the answer that is always 0 stands beside each error.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from emofeedback.evaluation.eye.rating_set import RatedItem, RatingKey
from emofeedback.evaluation.eye.rating_tables import RaterColumn
from emofeedback.evaluation.metrics import (
    AXES,
    agreement,
    bootstrap,
    mean_absolute_error,
    over_contents,
    paired_bootstrap,
    pairs_interval,
    pearson,
    slope,
    spearman,
)
from emofeedback.evaluation.report import Measure

LEAST = 3
"""Pictures without which a correlation says nothing."""
EYE = "outside eye"
AGAINST = ("loop", "best picture")
"""Groups that the others are compared with."""


@dataclass(frozen=True)
class View:
    """One column of ratings under the name that figures carry: the outside eye (mean of its raters) or another."""

    name: str
    ratings: np.ndarray  # [pictures, 2]


def outside_eye(raters: Sequence[RaterColumn]) -> View:
    """The mean rating of every picture over those who rated it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a picture that nobody rated stays nan
        return View(EYE, np.nanmean(np.stack([rater.ratings for rater in raters]), axis=0))


def rating_measures(
    key: RatingKey, raters: Sequence[RaterColumn], beside: RaterColumn | None, seed: int
) -> list[Measure]:
    """All figures of a set.

    Args:
        raters: the outside eye's.
        beside: the second rater, who guided nothing either.
    """
    eye = outside_eye(raters)
    views = [eye] if beside is None else [eye, View(beside.name, beside.ratings)]
    measures = agreement_measures(raters, seed)
    measures += worth_measures(key, [*(View(r.name, r.ratings) for r in raters), *views], seed)
    for group in groups_of(key):
        for view in views:
            measures += group_measures(key.items, group, view, seed)
        measures += judgement_measures(key.items, group, raters, seed)
    for view in views:
        measures += contrast_measures(key.items, groups_of(key), view, seed)
    if beside is not None:
        measures += _pair_measures(f"{beside.name} against the {EYE}", eye.ratings, beside.ratings, seed)
    return measures


def groups_of(key: RatingKey) -> tuple[str, ...]:
    """The groups of pictures that were asked to lie somewhere, by name."""
    return tuple(sorted({s.group for item in key.items for s in item.shown if s.target is not None}))


def members(items: Sequence[RatedItem], group: str) -> Iterator[tuple[int, str, tuple[float, float]]]:
    """(picture, content, target) of a group."""
    for number, item in enumerate(items):
        for shown in item.shown:
            if shown.group == group and shown.target is not None:
                yield number, shown.prompt or item.file, shown.target


def agreement_measures(raters: Sequence[RaterColumn], seed: int) -> list[Measure]:
    """ICC(2,1), ICC(2,k), mean r of pairs of raters, and each rater's r with the mean of the others."""
    rows: list[Measure] = []
    if len(raters) < 2:
        return rows
    for axis, label in enumerate(AXES):
        table = np.stack([rater.ratings[:, axis] for rater in raters], axis=1)
        found = agreement(table)
        if found.pictures >= LEAST and math.isfinite(found.single):
            rows.append(Measure(f"{label}: ICC of one rater", found.single, "ICC(2,1)", found.pictures))
            rows.append(Measure(f"{label}: ICC of the mean rater", found.mean, "ICC(2,k)", found.pictures))
        both = [_known(table[:, i], table[:, j]) for i, j in combinations(range(len(raters)), 2)]
        values = [pearson(x, y) for x, y in both if len(x) >= LEAST]
        values = [value for value in values if math.isfinite(value)]
        if values:
            rows.append(Measure(f"{label}: r of two raters", float(np.mean(values)), "mean r", len(values)))
        for index, rater in enumerate(raters):
            others = np.delete(table, index, axis=1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                rest = np.nanmean(others, axis=1)
            x, y = _known(rest, table[:, index])
            if len(x) >= LEAST:
                interval = pairs_interval(pearson, x, y, seed=seed, resamples=500)
                rows.append(Measure(f"{label}: {rater.name} with the others", pearson(x, y), "r", len(x), interval))
    return rows


def worth_measures(key: RatingKey, views: Sequence[View], seed: int) -> list[Measure]:
    """On photographs of known human ratings: r, slope and error of each rater, beside the constant answer."""
    known = [n for n, item in enumerate(key.items) if item.human is not None]
    if len(known) < LEAST:
        return []
    human = np.array([key.items[n].human for n in known], dtype=float)
    rows: list[Measure] = []
    for axis, label in enumerate(AXES):
        mean = human[:, axis].mean()
        error = float(np.abs(human[:, axis] - mean).mean())
        rows.append(Measure(f"known photographs: {label} error of a constant", error, "mean absolute", len(known)))
        for view in {view.name: view for view in views}.values():
            rows += _axis_measures(
                f"{view.name} on known photographs: {label}", human[:, axis], view.ratings[known, axis], seed
            )
    return rows


def group_measures(items: Sequence[RatedItem], group: str, view: View, seed: int) -> list[Measure]:
    """How the pictures of one group obey, as one view sees them."""
    wanted, read = by_prompt(items, group, view)
    name = f"{group}, {view.name}"
    if np.isfinite(read[..., 0]).sum() < LEAST:
        return []
    distances = np.linalg.norm(read - wanted, axis=-1)
    rows = [Measure.of(f"{name}: distance to the target", bootstrap(_row_means(distances), seed=seed), "V-A distance")]
    nothing = np.linalg.norm(wanted, axis=-1)[np.isfinite(distances)]
    rows.append(Measure(f"{name}: distance of a constant 0", float(nothing.mean()), "V-A distance", len(nothing)))
    for axis, label in enumerate(AXES):
        x, y = wanted[..., axis], read[..., axis]
        rows += [
            Measure.of(f"{name}: {label} slope", over_contents(slope, x, y, seed=seed), "read per commanded"),
            Measure.of(f"{name}: {label} r", over_contents(pearson, x, y, seed=seed), "r"),
            Measure.of(f"{name}: {label} Spearman", over_contents(spearman, x, y, seed=seed), "rho"),
            Measure.of(f"{name}: {label} error", over_contents(mean_absolute_error, x, y, seed=seed), "mean absolute"),
        ]
        asked = x[np.isfinite(y)]
        rows.append(
            Measure(f"{name}: {label} error of a constant 0", float(np.abs(asked).mean()), "mean absolute", len(asked))
        )
    for corner, share, n in quadrants(wanted, read):
        rows.append(Measure(f"{name}: right quadrant, {corner}", share, "share", n))
    return rows


def judgement_measures(
    items: Sequence[RatedItem], group: str, raters: Sequence[RaterColumn], seed: int
) -> list[Measure]:
    """What raters said beside valence and arousal of the pictures of one group; intervals over prompts."""
    rows: list[Measure] = []
    for name, unit, counted in (
        ("quality", "1 to 5", None),
        ("melted or missing subject", "share", 1.0),
        ("mixed messages, mild or strong", "share", 1.0),
        ("mixed messages, strong", "share", 2.0),
    ):
        said = [rater.judgements[name.split()[0]] for rater in raters if rater.judgements]
        if not said:
            continue
        table = np.stack(said)  # [raters, pictures]
        counts = table if counted is None else np.where(np.isfinite(table), table >= counted, np.nan)
        told: dict[str, list[float]] = {}
        for number, prompt, _ in members(items, group):
            values = counts[:, number][np.isfinite(counts[:, number])]
            if len(values):
                told.setdefault(prompt, []).append(float(values.mean()))
        if sum(map(len, told.values())) >= LEAST:
            means = np.array([np.mean(values) for values in told.values()])
            rows.append(Measure.of(f"{group}, {EYE}: {name}", bootstrap(means, seed=seed), unit))
    return rows


QUADRANTS = {
    (1, 1): "glad and excited",
    (1, -1): "glad and calm",
    (-1, 1): "sad and excited",
    (-1, -1): "sad and calm",
}
"""By the signs of valence and arousal."""


def quadrants(wanted: np.ndarray, read: np.ndarray) -> list[tuple[str, float, int]]:
    """(quadrant, share read in it, pictures) of the targets that lie inside one."""
    x, y = wanted.reshape(-1, 2), read.reshape(-1, 2)
    known = np.isfinite(y).all(axis=1) & (np.abs(x) > 1e-9).all(axis=1)
    found = []
    for signs, name in QUADRANTS.items():
        inside = known & (np.sign(x) == signs).all(axis=1)
        if inside.any():
            right = (np.sign(y[inside]) == signs).all(axis=1)
            found.append((name, float(right.mean()), int(inside.sum())))
    return found


def contrast_measures(items: Sequence[RatedItem], groups: Sequence[str], view: View, seed: int) -> list[Measure]:
    """The loop (or a run's best picture) less every other group, over prompts that both have at the same points."""
    rows = []
    against = next((group for group in AGAINST if group in groups), None)
    if against is None:
        return []
    ours = _cells(items, against, view)
    for group in groups:
        theirs = _cells(items, group, view) if group != against else {}
        gaps: dict[str, list[tuple[float, float]]] = {}
        for cell in ours.keys() & theirs.keys():
            gaps.setdefault(cell[0], []).append((ours[cell], theirs[cell]))
        if len(gaps) > 1:
            pairs = np.array([np.mean(values, axis=0) for _, values in sorted(gaps.items())])
            gain = paired_bootstrap(pairs[:, 0], pairs[:, 1], seed=seed)
            rows.append(Measure.of(f"{against} less {group}, {view.name}: distance", gain, "V-A distance"))
    return rows


def by_prompt(items: Sequence[RatedItem], group: str, view: View) -> tuple[np.ndarray, np.ndarray]:
    """Targets and ratings [prompts, most pictures of a prompt, 2] of a group; nan where a prompt has fewer."""
    rows: dict[str, list[tuple[tuple[float, float], np.ndarray]]] = {}
    for number, prompt, target in members(items, group):
        rows.setdefault(prompt, []).append((target, view.ratings[number]))
    width = max(map(len, rows.values()))
    wanted, read = (np.full((len(rows), width, 2), np.nan) for _ in range(2))
    for i, row in enumerate(rows.values()):
        for j, (target, rating) in enumerate(row):
            wanted[i, j], read[i, j] = target, rating
    return wanted, read


def _cells(items: Sequence[RatedItem], group: str, view: View) -> dict[tuple[str, tuple[float, float]], float]:
    """Distances by prompt and target."""
    known = ((view.ratings[number], prompt, target) for number, prompt, target in members(items, group))
    return {
        (prompt, target): float(np.linalg.norm(rating - np.array(target)))
        for rating, prompt, target in known
        if np.isfinite(rating).all()
    }


def _pair_measures(name: str, first: np.ndarray, second: np.ndarray, seed: int) -> list[Measure]:
    return [
        measure
        for axis, label in enumerate(AXES)
        for measure in _axis_measures(f"{name}: {label}", first[:, axis], second[:, axis], seed)
    ]


def _axis_measures(name: str, truth: np.ndarray, read: np.ndarray, seed: int) -> list[Measure]:
    """r, slope and error of one column on another."""
    x, y = _known(truth, read)
    if len(x) < LEAST:
        return []
    return [
        Measure(f"{name} r", pearson(x, y), "r", len(x), pairs_interval(pearson, x, y, seed=seed, resamples=500)),
        Measure(
            f"{name} slope",
            slope(x, y),
            "read per rated",
            len(x),
            pairs_interval(slope, x, y, seed=seed, resamples=500),
        ),
        Measure.of(f"{name} error", bootstrap(np.abs(x - y), seed=seed, resamples=2000), "mean absolute"),
    ]


def _known(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(x) & np.isfinite(y)
    return x[known], y[known]


def _row_means(table: np.ndarray) -> np.ndarray:
    return np.array([row[np.isfinite(row)].mean() for row in table if np.isfinite(row).any()])
