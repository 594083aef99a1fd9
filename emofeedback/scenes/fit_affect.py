"""Fits the affect model of the scenes to ratings of their pictures: `python -m emofeedback.scenes.fit_affect FILE`.

    y = artanh(clip(mean of the two ratings, -CLIP, CLIP))                     per axis
    y = b_edition + sum_i (slope_kind(i) * norm_i + d_i + d_i,edition) + sum_pairs e_pair + noise

A Bayesian ridge: b and the slopes of the norms have a wide prior; the deviations d from the scaled norms, the
deviations of an edition of the renderer and the effects of pairs are normal around 0 with variances v_g times that of
the noise, one v_g per group and axis. The variances are those with the least leave-one-out error on the viewer's scale
(closed form, Rasmussen & Williams 2006, eq. 5.12, after tanh), found by coordinate descent over GRID; a family of pairs
that does not earn its place gets v = 0. What an item that was never rated gets is thus its scaled norm. The effects
of the aspects that every scene has are centred, the rest going to b.

The product uses the latest edition of the renderer among the ratings: shared effect plus that edition's deviation.

`ratings.csv`: one row per scene: id, the fields of the scene (elements joined by ";", `layout` the seed of its
drawing), and two ratings each of valence and arousal in [-1, 1] and of `mixed`, 1 = contradictory messages. Rows of
the first edition have no pose, colour, size, count and edition. The viewer is a large general vision-language model,
not a person. It saw contact sheets of 24 numbered pictures and nothing else; the second rating is by another instance
in another order. 60 scenes of the first edition were rated again among those of the second: r = .95 for valence and
.98 for arousal, slopes .93 and .99; later 32 of the second again among 88 with three new elements (ids from 3-0000): r
= .98 and .97, slopes .97 and 1.08. On 120 random photographs of OASIS (Kurdi, Lozano & Banaji 2017, doi
10.3758/s13428-016-0715-3) its blind ratings agree with the means of people at r = .965 for valence and .888 for
arousal. The question: "For every picture rate, spontaneously, what emotion the picture conveys to an average adult
viewer at a glance, the whole picture with its light, colours, weather and things together: valence from -1 (very
unpleasant) through 0 (neutral or truly mixed) to +1 (very pleasant); arousal from -1 (very calm, still, sleepy)
through 0 to +1 (very exciting or agitating). Use two decimals and the whole range, each picture on its own."
"""

import argparse
import csv
import json
import logging
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emofeedback.errors import UserError
from emofeedback.scenes import grammar
from emofeedback.scenes.affect_model import (
    MESSAGE,
    PAIRS,
    Effects,
    Item,
    Pair,
    effects_from,
    kind_items,
    mixed_features,
    pairs_of,
)
from emofeedback.scenes.norms import load_norms

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

CLIP = 0.95  # ratings beyond are drawn in before artanh
WIDE = 30.0  # variance of b and of the slopes, in units of the noise's
GRID = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)  # variances tried, in units of the noise's
EDITION_GRID = (0.03, 0.1, 0.3, 1.0)  # variance of an edition's deviation, as a share of the shared one
COMPANION = 0.5  # share of a subject's effect that it has as a companion
FOLDS = 10
MIXED_RIDGE = 1.0  # penalty on the standardised weights of the mixed model
ASPECTS: dict[str, tuple[str, ...]] = {
    "place": grammar.PLACES,
    "subject": grammar.SUBJECTS,
    "colour": grammar.COLOURS,
    "size": grammar.SIZES,
    "count": tuple(str(n) for n in range(2, grammar.MAX_COUNT + 1)),
    "time": grammar.TIMES,
    "weather": grammar.WEATHERS,
    "season": grammar.SEASONS,
    "palette": grammar.PALETTES,
    "light": grammar.LIGHTS,
    "pose": grammar.POSES[1:],
    "element": grammar.ELEMENTS,
}
GROUPS = {  # which aspects share a variance
    "content": ("place", "subject"),
    "looks": ("colour", "size", "count"),
    "setting": ("time", "season", "palette", "light"),
    "weather": ("weather",),
    "carriers": ("element", "pose"),
}
SLOPES = {  # which aspects share a slope of their norms
    "content": ("place", "subject"),
    "setting": ("time", "weather", "season", "palette", "light"),
    "carriers": ("element", "pose"),
}
CENTRED = ("place", "time", "weather", "season", "palette", "light")
AXES = ("valence", "arousal")


# ---------------------------------------------------------------- reading


@dataclass(frozen=True)
class Rated:
    """A rated scene: what it depicts (kinds of content apart), the means of its two ratings, and the edition."""

    items: tuple[Item, ...]
    kinds: tuple[Item, ...]
    affect: tuple[float, float]
    mixed: float
    agreement: tuple[tuple[float, float], tuple[float, float]]
    edition: int


def read_ratings(path: Path) -> list[Rated]:
    """The rated scenes of a file.

    Raises:
        UserError: one sentence that names the row: an unknown item, no number or one out of range, a doubled id.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The ratings {path} cannot be read: {error}.") from None
    if not rows:
        raise UserError(f"The ratings {path} hold no rows.")
    seen: set[str] = set()
    rated = []
    for row in rows:
        name = row.get("id") or "without an id"
        if name in seen:
            raise UserError(f"Row {name} of the ratings: this id is there twice.")
        seen.add(name)
        try:
            rated.append(_rated(row))
        except ValueError as error:
            raise UserError(f"Row {name} of the ratings: {error}.") from None
    return rated


def _rated(row: Mapping[str, Any]) -> Rated:
    items: list[Item] = []
    for aspect in (
        "place",
        "subject",
        "companion",
        "colour",
        "size",
        "count",
        "time",
        "weather",
        "season",
        "palette",
        "light",
        "pose",
    ):
        value = row.get(aspect) or ""
        known = ASPECTS["subject" if aspect == "companion" else aspect]
        if value in known:
            items.append((aspect, value))
        elif (aspect, value) not in (("pose", "plain"), ("count", "1")) and (value or aspect in CENTRED):
            raise ValueError(f"{aspect} {value!r} is unknown")
    elements = [e for e in (row.get("elements") or "").split(";") if e]
    for element in elements:
        if element not in grammar.ELEMENTS or elements.count(element) > 1:
            raise ValueError(f"element {element!r} is unknown or there twice")
    items += [("element", e) for e in elements]
    numbers = {
        k: [_number(row, f"{k}_{n}", low) for n in (1, 2)]
        for k, low in (("valence", -1), ("arousal", -1), ("mixed", 0))
    }
    edition = row.get("edition") or "1"
    if not edition.isdigit():
        raise ValueError(f"edition {edition!r} is not a whole number")
    content = (row["place"], row.get("subject") or None, row.get("companion") or None)
    return Rated(
        items=tuple(items),
        kinds=tuple(kind_items(*content)),
        affect=(sum(numbers["valence"]) / 2, sum(numbers["arousal"]) / 2),
        mixed=sum(numbers["mixed"]) / 2,
        agreement=(tuple(numbers["valence"]), tuple(numbers["arousal"])),  # type: ignore[arg-type]
        edition=int(edition),
    )


def _number(row: Mapping[str, Any], column: str, low: float) -> float:
    try:
        value = float(row.get(column) or "nan")
    except ValueError:
        value = math.nan
    if not low <= value <= 1.0:
        raise ValueError(f"{column} must be a number from {low} to 1, not {row.get(column)!r}")
    return value


# ---------------------------------------------------------------- the design


@dataclass(frozen=True)
class Design:
    """Columns of the regression. `matrix` (N, C); `group` (C,) names the variance of each column; `factor` (C,) is
    "" for shared columns, else "edition"; `keys` (C,) says what each is: ("intercept",), ("slope", axis, kind),
    ("item", item), ("pair", pair), each with its edition behind it where it is an edition's."""

    matrix: Array
    group: list[str]
    edition: NDArray[np.bool_]
    keys: list[tuple[Any, ...]]


def family(pair: Pair) -> str:
    """The name of a pair's family: "weather|time"."""
    return f"{pair[0][0]}|{pair[1][0]}"


def item_names() -> list[Item]:
    """All items that have an effect, in the order of the grammar."""
    return [(aspect, concept) for aspect, concepts in ASPECTS.items() for concept in concepts]


def _item_counts(rated: Sequence[Rated]) -> Array:
    """(N, I) how much of each item a scene has; a companion counts as COMPANION of the subject."""
    index = {item: n for n, item in enumerate(item_names())}
    counts = np.zeros((len(rated), len(index)))
    for row, one in enumerate(rated):
        for aspect, concept in one.items:
            if aspect == "companion":
                counts[row, index["subject", concept]] += COMPANION
            else:
                counts[row, index[aspect, concept]] += 1.0
    return counts


def norm_values(axis: int) -> Array:
    """(I,) the norm of each item on an axis, in [-1, 1]; 0 where there is none."""
    norms = load_norms()
    values = []
    for item in item_names():
        norm = norms.get(item)
        values.append(0.0 if norm is None else (norm.valence, norm.arousal)[axis])
    return np.array(values)


def design(rated: Sequence[Rated], axis: int) -> Design:
    """The regression's columns on one axis (0 valence, 1 arousal)."""
    items, counts = item_names(), _item_counts(rated)
    kind_of = {aspect: kind for kind, aspects in SLOPES.items() for aspect in aspects}
    group_of = {aspect: group for group, aspects in GROUPS.items() for aspect in aspects}
    columns: list[tuple[tuple[Any, ...], str, Array]] = [(("intercept",), "wide", np.ones(len(rated)))]
    norms = norm_values(axis)
    for kind in SLOPES:
        mask = np.array([kind_of.get(aspect) == kind for aspect, _ in items])
        columns.append((("slope", kind), "wide", counts @ (norms * mask)))
    columns += [(("item", item), group_of[item[0]], counts[:, n]) for n, item in enumerate(items)]
    rows_of: dict[Pair, list[int]] = {}
    for row, one in enumerate(rated):
        for pair in pairs_of([*one.items, *one.kinds]):
            rows_of.setdefault(pair, []).append(row)
    for pair, rows in sorted(rows_of.items()):
        present = np.zeros(len(rated))
        present[rows] = 1.0
        columns.append((("pair", pair), family(pair), present))
    shared = len(columns)
    editions = sorted({one.edition for one in rated})
    if len(editions) > 1:
        for edition in editions:
            here = np.array([float(one.edition == edition) for one in rated])
            columns += [
                (key + (edition,), group, column * here) for key, group, column in columns[:shared] if key[0] != "slope"
            ]
    return Design(
        np.stack([column for *_, column in columns], axis=1),
        [group for _, group, _ in columns],
        np.arange(len(columns)) >= shared,
        [key for key, *_ in columns],
    )


def variances(plan: Design, chosen: Mapping[str, float]) -> Array:
    """(C,) prior variance of each column in units of the noise's."""
    base = np.array([WIDE if group == "wide" else chosen[group] for group in plan.group])
    # an edition's own level may differ as much as its items do
    own = np.array([chosen["setting"] if group == "wide" else chosen[group] for group in plan.group])
    return np.where(plan.edition, chosen["edition"] * own, base)


# ---------------------------------------------------------------- fitting


def target(rated: Sequence[Rated], axis: int) -> Array:
    """(N,) the mean ratings on the artanh scale."""
    return np.arctanh(np.clip([one.affect[axis] for one in rated], -CLIP, CLIP))


def leave_one_out(kernel: Array, y: Array) -> Array:
    """(N,) each y predicted from the others, for y ~ N(0, kernel + I)."""
    inverse = np.linalg.inv(kernel + np.eye(len(y)))
    return y - inverse @ y / np.diag(inverse)


def choose_variances(plan: Design, y: Array, rounds: int = 3) -> dict[str, float]:
    """The variances with the least leave-one-out error on the viewer's scale.

    Coordinate descent: each in turn goes to the next value of its grid as long as that helps, `rounds` times.
    """
    chosen = {"content": 0.1, "looks": 0.01, "setting": 0.3, "weather": 1.0, "carriers": 1.0, "edition": 0.1}
    chosen |= dict.fromkeys(map("|".join, PAIRS), 0.03)
    owners = {owner for n, owner in enumerate(_owners(plan)) if np.any(plan.matrix[:, n])}
    groups = [g for g in chosen if g in owners] + (["edition"] if plan.edition.any() else [])
    chosen |= {g: 0.0 for g in chosen if "|" in g and g not in groups}
    least = math.inf
    for _ in range(rounds):
        before, inverse = dict(chosen), _inverse(plan, chosen)  # afresh each time: updates gather rounding errors
        least = min(least, _error(y, inverse @ y, np.diag(inverse)))
        for group in groups:
            grid = EDITION_GRID if group == "edition" else GRID
            line = _Line(plan, y, chosen, group, inverse)
            for step in (1, -1):
                moved = False
                while 0 <= (at := grid.index(chosen[group]) + step) < len(grid):
                    if (found := line.error(grid[at])) >= least:
                        break
                    chosen, least, moved = {**chosen, group: grid[at]}, found, True
                if moved:
                    inverse = line.inverse(chosen[group])
                    break
        if chosen == before:
            break
    return chosen


def _owners(plan: Design) -> list[str]:
    """(C,) whose variance scales each column: its group's, and that of the settings for an edition's own level."""
    return ["setting" if g == "wide" and edition else g for g, edition in zip(plan.group, plan.edition, strict=True)]


def _inverse(plan: Design, chosen: Mapping[str, float]) -> Array:
    """(N, N) inverse of the covariance of y in units of the noise's variance."""
    kernel = (plan.matrix * variances(plan, chosen)) @ plan.matrix.T
    return np.asarray(np.linalg.inv(kernel + np.eye(len(kernel))), np.float64)


def _error(y: Array, solved: Array, diagonal: Array) -> float:
    """Leave-one-out error on the viewer's scale, of inverse @ y and of the inverse's diagonal."""
    return float(np.mean((np.tanh(y - solved / diagonal) - np.tanh(y)) ** 2))


class _Line:
    """Other values of one variance. A group of few columns changes the covariance by a matrix of low rank, so that its
    inverse is updated (Woodbury): inverse - left @ core @ left.T; for others it is made afresh."""

    def __init__(self, plan: Design, y: Array, chosen: Mapping[str, float], group: str, inverse: Array) -> None:
        self._plan, self._y, self._chosen, self._group, self._old = plan, y, dict(chosen), group, inverse
        share = np.where(plan.edition, chosen["edition"], 1.0) * (np.array(_owners(plan)) == group)
        columns = plan.matrix[:, share > 0] * np.sqrt(share[share > 0])
        self._low = group != "edition" and columns.shape[1] < len(y) / 2
        if self._low:
            self._left = inverse @ columns
            self._inner = columns.T @ self._left
            self._solved, self._across, self._diagonal = inverse @ y, self._left.T @ y, np.diag(inverse)

    def error(self, value: float) -> float:
        """Leave-one-out error where the variance is `value`."""
        if not self._low:
            inverse = self.inverse(value)
            return _error(self._y, inverse @ self._y, np.diag(inverse))
        spread = self._left @ self._core(value)
        return _error(self._y, self._solved - spread @ self._across, self._diagonal - (spread * self._left).sum(axis=1))

    def inverse(self, value: float) -> Array:
        """(N, N) inverse of the covariance where the variance is `value`."""
        if not self._low:
            return _inverse(self._plan, {**self._chosen, self._group: value})
        return self._old - self._left @ self._core(value) @ self._left.T

    def _core(self, value: float) -> Array:
        change = value - self._chosen[self._group]
        return np.linalg.inv(np.eye(len(self._inner)) / change + self._inner)


def weights(plan: Design, y: Array, variance: Array) -> Array:
    """(C,) the posterior mean of all columns' weights."""
    spread = plan.matrix * variance
    return spread.T @ np.linalg.solve(spread @ plan.matrix.T + np.eye(len(y)), y)


def cross_validated(plan: Design, y: Array, variance: Array, folds: NDArray[np.int_]) -> Array:
    """(N,) predictions on the artanh scale, each from the other folds."""
    spread = plan.matrix * variance
    kernel = spread @ plan.matrix.T
    predicted = np.empty_like(y)
    for fold in range(FOLDS):
        out = folds == fold
        inner = kernel[np.ix_(~out, ~out)] + np.eye(int((~out).sum()))
        predicted[out] = kernel[np.ix_(out, ~out)] @ np.linalg.solve(inner, y[~out])
    return predicted


@dataclass(frozen=True)
class Fitted:
    """One axis: `total` (I,) and `error` (I,) effect and standard error of each item, `pairs` of each pair that has
    one (effect and standard error), the intercept, and the variances relative to the noise's (`noise`, its sd)."""

    intercept: float
    total: Array
    error: Array
    pairs: dict[Pair, tuple[float, float]]
    variance: dict[str, float]
    noise: float


def fit_axis(
    rated: Sequence[Rated], axis: int, chosen: Mapping[str, float], rows: NDArray[np.bool_] | None = None
) -> Fitted:
    """The effects in the latest edition on one axis, with standard errors of the posterior.

    Args:
        chosen: variances as of `choose_variances`.
        rows: (N,) which scenes to fit on; None = all.
    """
    plan = design(rated, axis)
    keep = np.ones(len(rated), bool) if rows is None else rows
    matrix, y = plan.matrix[keep], target(rated, axis)[keep]
    variance = variances(plan, chosen)
    spread = matrix * variance
    kernel = spread @ matrix.T + np.eye(len(y))
    solved = np.linalg.solve(kernel, np.column_stack([y, spread]))
    weight, noise = spread.T @ solved[:, 0], math.sqrt(float(y @ solved[:, 0]) / len(y))
    readout, intercept, pairs = _readout(rated, plan, axis)
    rest = readout @ spread.T @ solved[:, 1:]  # [R, C] what the data take from the prior covariance
    error = noise * np.sqrt(np.maximum(0.0, ((readout * variance - rest) * readout).sum(axis=1)))
    value = readout @ weight
    count = len(item_names())
    return Fitted(
        float(intercept @ weight),
        value[:count],
        error[:count],
        {
            p: (float(v), float(e))
            for p, v, e in zip(pairs, value[count:], error[count:], strict=True)
            if chosen[family(p)]
        },
        dict(chosen),
        noise,
    )


def _readout(rated: Sequence[Rated], plan: Design, axis: int) -> tuple[Array, Array, list[Pair]]:
    """Linear maps from the columns' weights: items then pairs [I + P, C], intercept (C,); and the pairs."""
    items, norms, latest = item_names(), norm_values(axis), max(one.edition for one in rated)
    kind_of = {aspect: kind for kind, aspects in SLOPES.items() for aspect in aspects}
    pairs = [key[1] for key in plan.keys if key[0] == "pair" and len(key) == 2]
    row_of = {("item", item): n for n, item in enumerate(items)} | {
        ("pair", p): len(items) + n for n, p in enumerate(pairs)
    }
    readout, intercept = np.zeros((len(items) + len(pairs), len(plan.keys))), np.zeros(len(plan.keys))
    for column, key in enumerate(plan.keys):
        if key[0] == "slope":
            for n, (aspect, _) in enumerate(items):
                if kind_of.get(aspect) == key[1]:
                    readout[n, column] = norms[n]
        elif len(key) == (1 if key[0] == "intercept" else 2) or key[-1] == latest:
            if key[0] == "intercept":
                intercept[column] = 1.0
            else:
                readout[row_of[key[:2]], column] = 1.0
    for aspect in CENTRED:
        rows = [n for n, item in enumerate(items) if item[0] == aspect]
        mean = readout[rows].mean(axis=0)
        readout[rows] -= mean
        intercept = intercept + mean
    return readout, intercept, pairs


# ---------------------------------------------------------------- mixed messages


def item_totals(plan: Design, readout: Array, y: Array, variance: Array, rows: NDArray[np.bool_]) -> Array:
    """(I,) the effects of the items fitted on some of the scenes, without their errors, which take the longest."""
    some = Design(plan.matrix[rows], plan.group, plan.edition, plan.keys)
    return readout[: len(item_names())] @ weights(some, y[rows], variance)


def scene_parts(rated: Sequence[Rated], effect: Array) -> Array:
    """(6, N) the sums of the rated scenes, as `affect_model.scene_sums` has them, pairs left out; effect: (I, 2)."""
    counts = _item_counts(rated)
    messages = counts * np.array([MESSAGE.get(aspect, 1.0) for aspect, _ in item_names()])
    positive, negative = messages @ np.maximum(effect, 0), messages @ np.maximum(-effect, 0)
    return np.stack([*(counts @ effect).T, positive[:, 0], negative[:, 0], positive[:, 1], negative[:, 1]])


def fit_mixed(features: NDArray[np.floating], share: Array) -> Array:
    """(F,) weights of a logistic regression of shares in [0, 1]; ridge on the standardised features, Newton's steps.

    features: (F, N), the first of which is the constant 1.
    """
    spread = np.concatenate([[1.0], features[1:].std(axis=1)])
    x = (features / spread[:, None]).T
    penalty = MIXED_RIDGE * np.eye(len(features))
    penalty[0, 0] = 1e-6
    w = np.zeros(len(features))
    for _ in range(30):
        p = 1.0 / (1.0 + np.exp(-x @ w))
        w = w + np.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) + penalty, x.T @ (share - p) - penalty @ w)
    return w / spread


def auc(score: Array, share: Array) -> float:
    """Area under the ROC curve for shares in [0, 1]: each scene counts as mixed and as unmixed by its share."""
    order = np.argsort(score, kind="stable")
    mixed, plain = share[order], 1 - share[order]
    return float((mixed * (np.cumsum(plain) - plain / 2)).sum() / (mixed.sum() * plain.sum()))


# ---------------------------------------------------------------- the whole fit


@dataclass(frozen=True)
class Report:
    """What `fit` found: both axes, the weights of the mixed model, and how well unseen scenes are predicted."""

    axes: tuple[Fitted, Fitted]
    mixed: Array
    shown: NDArray[np.int_]
    quality: dict[str, Any]


def fit(rated: Sequence[Rated]) -> Report:
    """Variances, effects, the mixed model and the cross-validated figures of rated scenes; half a minute for 1,400."""
    folds = np.random.default_rng(0).permutation(np.arange(len(rated)) % FOLDS)
    chosen: list[dict[str, float]] = []
    without: list[tuple[Design, Array, Array, Array]] = []
    quality: dict[str, Any] = {
        "scenes": len(rated),
        "editions": {str(e): n for e, n in sorted(Counter(one.edition for one in rated).items())},
        "folds": FOLDS,
    }
    for axis, name in enumerate(AXES):
        plan, y = design(rated, axis), target(rated, axis)
        chosen.append(choose_variances(plan, y))
        without.append((plan, _readout(rated, plan, axis)[0], y, variances(plan, chosen[-1])))
        seen = np.array([one.affect[axis] for one in rated])
        both = np.array([one.agreement[axis] for one in rated])
        quality[name] = {"agreement of the two ratings": correlation(both[:, 0], both[:, 1])}
        additive = {group: 0.0 if "|" in group else value for group, value in chosen[-1].items()}
        for kind, values in (("with pairs", chosen[-1]), ("items alone", additive)):
            said = np.tanh(cross_validated(plan, y, variances(plan, values), folds))
            quality[name][kind] = {"r": correlation(said, seen), "mean error": float(np.abs(said - seen).mean())}
    mixed = np.array([one.mixed for one in rated])
    fits = tuple(fit_axis(rated, axis, chosen[axis]) for axis in (0, 1))
    score = np.empty(len(rated))
    for fold in range(FOLDS):
        out = folds == fold
        effect = np.stack([item_totals(*columns, ~out) for columns in without], axis=1)
        features = mixed_features(scene_parts(rated, effect))
        score[out] = fit_mixed(features[:, ~out], mixed[~out]) @ features[:, out]
    quality["mixed"] = {"share of the ratings": float(mixed.mean()), "AUC": auc(score, mixed)}
    weight = fit_mixed(mixed_features(scene_parts(rated, np.stack([f.total for f in fits], axis=1))), mixed)
    return Report((fits[0], fits[1]), weight, (_item_counts(rated) > 0).sum(axis=0), quality)


def correlation(first: Array, second: Array) -> float:
    """Pearson's r."""
    return float(np.corrcoef(first, second)[0, 1])


def as_json(report: Report) -> dict[str, Any]:
    """The content of `effects.json`: what `affect_model.effects_from` reads, standard errors [v, a] of the items, how
    often each was shown, variances and cross-validated figures."""
    valence, arousal = report.axes

    def table(columns: Sequence[Array], digits: int) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for (aspect, concept), *values in zip(item_names(), *columns, strict=True):
            rounded = [round(float(value), digits) for value in values]
            found.setdefault(aspect, {})[concept] = rounded if len(rounded) > 1 else int(values[0])
        return found

    pairs: dict[str, dict[str, list[float]]] = {}
    for pair in sorted({*valence.pairs, *arousal.pairs}):
        effect = [round(fitted.pairs.get(pair, (0.0, 0.0))[0], 4) for fitted in report.axes]
        if any(effect):
            pairs.setdefault(family(pair), {})[f"{pair[0][1]}|{pair[1][1]}"] = effect
    return {
        "intercept": [round(valence.intercept, 4), round(arousal.intercept, 4)],
        "companion": COMPANION,
        "mixed": [round(float(w), 4) for w in report.mixed],
        "items": table((valence.total, arousal.total), 4),
        "pairs": pairs,
        "standard errors": table((valence.error, arousal.error), 3),
        "shown": table((report.shown.astype(float),), 0),
        "variances": {name: fitted.variance for name, fitted in zip(AXES, report.axes, strict=True)},
        "noise": {name: round(fitted.noise, 4) for name, fitted in zip(AXES, report.axes, strict=True)},
        "cross-validation": report.quality,
    }


def effects_of(report: Report) -> Effects:
    """The effects as the product has them."""
    return effects_from(as_json(report))


def write_fit(ratings: Path, effects: Path) -> dict[str, Any]:
    """Fits `ratings` and writes `effects` (JSON).

    Raises:
        UserError: the ratings are not as they should be.
    """
    data = as_json(fit(read_ratings(ratings)))
    effects.write_text(compact(data), encoding="utf-8")
    return data


def compact(data: Mapping[str, Any]) -> str:
    """JSON with one line per concept, so that a new fit shows what moved."""
    text = json.dumps(data, indent=1, ensure_ascii=False)
    return re.sub(r"\[\s+([^\[\]]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(prog="python -m emofeedback.scenes.fit_affect", description=__doc__.split("\n")[0])
    parser.add_argument("ratings", type=Path, nargs="?", default=here / "ratings.csv", help="the rated scenes, CSV")
    parser.add_argument("--effects", type=Path, default=here / "effects.json", help="where the effects go")
    chosen = parser.parse_args(arguments)
    try:
        data = write_fit(chosen.ratings, chosen.effects)
    except UserError as error:
        parser.exit(2, f"{error}\n")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log.info("%s", json.dumps(data["cross-validation"], indent=1))


if __name__ == "__main__":
    main()
