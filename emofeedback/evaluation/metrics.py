"""Figures: correlation, slope, and bootstrap intervals, by scipy.stats on one-dimensional float arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

Values = Sequence[float] | np.ndarray


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its bootstrap interval and the number of observations."""

    value: float
    low: float
    high: float
    n: int


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
    return pearson(stats.rankdata(x), stats.rankdata(y))


def slope(x: Values, y: Values) -> float:
    """Least-squares slope of y on x; nan where x is constant."""
    x, y = _pair(x, y)
    return float("nan") if _constant(x) else float(stats.linregress(x, y).slope)


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
        return Interval(value, value, value, 1)
    found = stats.bootstrap(
        (array,), np.mean, n_resamples=resamples, method="percentile", vectorized=True, rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high), len(array))


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
