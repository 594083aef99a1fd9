"""Figures: correlation, slope, agreement, and bootstrap intervals, by scipy.stats on float arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

AXES = ("valence", "arousal")
"""In this order wherever the last axis of an array has two entries."""
Values = Sequence[float] | np.ndarray
Statistic = Callable[[np.ndarray, np.ndarray], float]
"""A figure of pairs (x, y), such as `slope`."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its bootstrap interval, the number of observations, and those, where it is their mean."""

    value: float
    low: float
    high: float
    n: int
    values: tuple[float, ...] = field(default=(), repr=False, compare=False)


def pearson(x: Values, y: Values) -> float:
    """Pearson's r in [-1, 1]; nan where a side is constant or there are fewer than two pairs.

    Raises:
        ValueError: the lengths differ or a value is not finite.
    """
    x, y = _pair(x, y)
    return float("nan") if _constant(x) or _constant(y) else float(stats.pearsonr(x, y).statistic)


def spearman(x: Values, y: Values) -> float:
    """Spearman's rho: Pearson's r of the ranks, ties at their mean rank; nan where Pearson's is."""
    x, y = _pair(x, y)
    if _constant(x) or _constant(y):
        return float("nan")
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1])


def slope(x: Values, y: Values) -> float:
    """Least-squares slope of y on x; nan where x is constant."""
    x, y = _pair(x, y)
    if _constant(x):
        return float("nan")
    away = x - x.mean()  # bootstraps call this by the thousand: no p-values, unlike scipy's linregress
    return float(away @ (y - y.mean()) / (away @ away))


def intercept(x: Values, y: Values) -> float:
    """What the least-squares line of y on x gives at 0; nan where x is constant."""
    x, y = _pair(x, y)
    return float(y.mean() - slope(x, y) * x.mean())


def kendall(x: Values, y: Values) -> float:
    """Kendall's tau-b in [-1, 1]; 0 where y is constant (nothing is ordered), nan where x is."""
    x, y = _pair(x, y)
    if _constant(x):
        return float("nan")
    return 0.0 if _constant(y) else float(stats.kendalltau(x, y).statistic)


def mean_absolute_error(x: Values, y: Values) -> float:
    """Mean |x - y|."""
    x, y = _pair(x, y)
    return float(np.abs(x - y).mean())


def bootstrap(values: Values, *, seed: int, resamples: int = 10_000) -> Interval:
    """The mean with its 95 % percentile bootstrap interval over independent observations (Efron 1979).

    Raises:
        ValueError: there are no values or one is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0 or not np.isfinite(array).all():
        raise ValueError("bootstrap needs a non-empty list of finite values")
    value = float(array.mean())
    if len(array) == 1:
        return Interval(value, value, value, 1, (value,))
    found = stats.bootstrap(
        (array,), np.mean, n_resamples=resamples, method="percentile", vectorized=True, rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high), len(array), tuple(array.tolist()))


def paired_bootstrap(first: Values, second: Values, *, seed: int, resamples: int = 10_000) -> Interval:
    """The mean of first - second over pairs, with its 95 % interval; negative where `first` is smaller."""
    first, second = _pair(first, second)
    return bootstrap(first - second, seed=seed, resamples=resamples)


def ratio_bootstrap(above: Values, below: Values, *, seed: int, resamples: int = 10_000) -> Interval:
    """The ratio of two means over the same observations, with its 95 % interval; nan where the lower mean is 0."""
    above, below = _pair(above, below)
    if len(above) == 0 or below.mean() == 0:
        return Interval(float("nan"), float("nan"), float("nan"), len(above))
    rows = np.random.default_rng(seed).integers(0, len(above), size=(resamples, len(above)))
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = above[rows].mean(1) / below[rows].mean(1)
    low, high = np.quantile(draws[np.isfinite(draws)], [0.025, 0.975])
    return Interval(float(above.mean() / below.mean()), float(low), float(high), len(above))


def pairs_interval(
    statistic: Callable[[np.ndarray, np.ndarray], float], x: Values, y: Values, *, seed: int, resamples: int
) -> tuple[float, float]:
    """95 % percentile bootstrap interval over pairs of a statistic such as `pearson`; draws without a value go."""
    x, y = _pair(x, y)
    rng = np.random.default_rng(seed)
    picks = (rng.integers(0, len(x), len(x)) for _ in range(resamples))
    draws = [value for pick in picks if np.isfinite(value := statistic(x[pick], y[pick]))]
    low, high = np.quantile(draws, [0.025, 0.975]) if draws else (np.nan, np.nan)
    return float(low), float(high)


def over_contents(statistic: Statistic, x: np.ndarray, y: np.ndarray, *, seed: int, resamples: int = 500) -> Interval:
    """A statistic of all known pairs with its 95 % percentile interval over contents.

    Pictures of one content (a prompt's sheet) are not independent, so whole rows are resampled.

    Args:
        x, y: [contents, points]; pairs of which one is nan count as missing.

    Returns:
        `n` is the number of known pairs; nan where nothing is known.
    """
    if x.shape != y.shape or x.ndim != 2:
        raise ValueError(f"expected two arrays [contents, points] of one shape, not {x.shape} and {y.shape}")
    known = np.isfinite(x) & np.isfinite(y)

    def of(rows: np.ndarray) -> float:
        chosen = known[rows]
        return statistic(x[rows][chosen], y[rows][chosen]) if chosen.any() else float("nan")

    rng = np.random.default_rng(seed)
    picks = [rng.integers(0, len(x), len(x)) for _ in range(resamples)]
    draws = [value for rows in picks if np.isfinite(value := of(rows))]
    low, high = np.quantile(draws, [0.025, 0.975]) if draws else (np.nan, np.nan)
    return Interval(of(np.arange(len(x))), float(low), float(high), int(known.sum()))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Intraclass correlations of several raters (two-way random effects, absolute agreement).

    single: of one rater, ICC(2,1); mean: of the mean over the raters, ICC(2,k).
    """

    single: float
    mean: float
    pictures: int
    raters: int


def agreement(ratings: np.ndarray) -> Agreement:
    """ICC(2,1) and ICC(2,k) of Shrout & Fleiss (1979), doi 10.1037/0033-2909.86.2.420.

    Args:
        ratings: [pictures, raters]; only pictures that everybody rated count.

    Returns:
        nan where fewer than two pictures or raters are left, or where nothing differs.
    """
    table = np.asarray(ratings, dtype=np.float64)
    table = table[np.isfinite(table).all(axis=1)]
    n, k = table.shape
    if n < 2 or k < 2:
        return Agreement(float("nan"), float("nan"), n, k)
    grand, pictures, raters = table.mean(), table.mean(axis=1), table.mean(axis=0)
    between = k * ((pictures - grand) ** 2).sum() / (n - 1)
    judges = n * ((raters - grand) ** 2).sum() / (k - 1)
    rest = ((table - pictures[:, None] - raters[None] + grand) ** 2).sum() / ((n - 1) * (k - 1))
    single = between + (k - 1) * rest + k * (judges - rest) / n
    mean = between + (judges - rest) / n
    top = between - rest
    return Agreement(top / single if single > 0 else float("nan"), top / mean if mean > 0 else float("nan"), n, k)


def _constant(values: np.ndarray) -> bool:
    """Whether all values are one but for rounding; fewer than two are."""
    return len(values) < 2 or bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def _pair(x: Values, y: Values) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two lists of one length, not {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("values must be finite")
    return first, second
