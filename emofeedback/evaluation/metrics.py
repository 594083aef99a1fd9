"""Figures: correlation, slope, and bootstrap intervals. Plain numpy on one-dimensional float arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Values = Sequence[float] | np.ndarray


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its bootstrap interval and the number of observations."""

    value: float
    low: float
    high: float
    n: int

    def excludes(self, value: float) -> bool:
        """Whether a value lies outside the interval."""
        return not self.low <= value <= self.high


def pearson(x: Values, y: Values) -> float:
    """Pearson's r in [-1, 1]; nan where a side is constant or there are fewer than two pairs.

    Raises:
        ValueError: the lengths differ or a value is not finite.
    """
    x, y = _pair(x, y)
    if len(x) < 2:
        return float("nan")
    dx, dy = x - x.mean(), y - y.mean()
    norm = np.linalg.norm(dx) * np.linalg.norm(dy)
    scale = max(np.abs(x).max(), np.abs(y).max(), 1e-300)
    return float(np.clip(dx @ dy / norm, -1.0, 1.0)) if norm > 1e-14 * scale * scale else float("nan")


def spearman(x: Values, y: Values) -> float:
    """Spearman's rho: Pearson's r of the ranks, ties at their mean rank."""
    x, y = _pair(x, y)
    return pearson(ranks(x), ranks(y))


def ranks(values: Values) -> np.ndarray:
    """Ranks from 1, ties at their mean rank."""
    array = np.asarray(values, dtype=np.float64)
    _, inverse, counts = np.unique(array, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse.reshape(-1)]


def slope(x: Values, y: Values) -> float:
    """Least-squares slope of y on x; nan where x is constant."""
    x, y = _pair(x, y)
    dx = x - x.mean()
    return float(dx @ (y - y.mean()) / (dx @ dx)) if len(x) > 1 and float(dx @ dx) > 0 else float("nan")


def mean_absolute_error(x: Values, y: Values) -> float:
    """Mean |x - y|."""
    x, y = _pair(x, y)
    return float(np.abs(x - y).mean())


def bootstrap(
    values: Values,
    *,
    seed: int,
    statistic: Callable[[np.ndarray], np.ndarray] = lambda draws: draws.mean(axis=-1),
    resamples: int = 10_000,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap of a statistic over independent observations (Efron 1979).

    `statistic` maps draws [resamples, n] to [resamples].

    Raises:
        ValueError: there are no values or one is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0 or not np.isfinite(array).all():
        raise ValueError("bootstrap needs a non-empty list of finite values")
    rng = np.random.default_rng(seed)
    draws = array[rng.integers(0, len(array), size=(resamples, len(array)))]
    low, high = np.quantile(statistic(draws), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(statistic(array[None])[0]), float(low), float(high), len(array))


def paired_bootstrap(first: Values, second: Values, *, seed: int, resamples: int = 10_000) -> Interval:
    """The mean of first - second over pairs, with its 95 % interval; negative where `first` is smaller."""
    first, second = _pair(first, second)
    return bootstrap(first - second, seed=seed, resamples=resamples)


def _pair(x: Values, y: Values) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two lists of one length, not {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("values must be finite")
    return first, second
