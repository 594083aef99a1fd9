"""Figures of valence-arousal sheets as a viewer reads them: obedience of each axis, order, cross-talk, evenness.

A sheet is one prompt at all points; an array holds a point's reading by prompt, row (arousal from high to low) and
column (valence from low to high). Prompts are the unit of every interval. The error of the answer that is always 0
stands beside each error: on such grids it looks better than it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.evaluation.metrics import (
    AXES,
    Interval,
    bootstrap,
    intercept,
    kendall,
    mean_absolute_error,
    over_contents,
    paired_bootstrap,
    slope,
    spearman,
)
from emofeedback.evaluation.report import Measure
from emofeedback.sweep.plane import perceptual_step


@dataclass(frozen=True)
class Sheets:
    """What a rater reads in the sheets of one arm.

    Attributes:
        commanded: [rows, columns, 2] valence and arousal.
        read: [prompts, rows, columns, 2]; nan = not read.
    """

    commanded: np.ndarray
    read: np.ndarray

    @classmethod
    def of(cls, points: Sequence[Affect], readings: np.ndarray, grid: int) -> "Sheets":
        """From points row by row and readings [prompts, points, 2]."""
        wanted = np.array([[p.valence, p.arousal] for p in points]).reshape(grid, grid, 2)
        return cls(wanted, readings.reshape(len(readings), grid, grid, 2))

    def distances(self) -> np.ndarray:
        """[prompts, rows, columns] Euclidean distance of the reading to the point."""
        return np.linalg.norm(self.read - self.commanded, axis=-1)

    def flat(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Commanded and read [prompts, points] of one axis."""
        read = self.read[..., axis].reshape(len(self.read), -1)
        return np.tile(self.commanded[..., axis].ravel(), (len(read), 1)), read

    def sweeps(self, moved: int, seen: int) -> np.ndarray:
        """[prompts, lines, steps] readings of axis `seen` along lines on which axis `moved` alone is commanded,
        upwards."""
        read = self.read[..., seen]
        return read if moved == 0 else read.transpose(0, 2, 1)[..., ::-1]


def taus(sheets: Sheets, axis: int) -> np.ndarray:
    """[prompts] mean over a prompt's sweeps of Kendall's tau of reading and command; a sweep with a gap is left out."""
    lines = sheets.sweeps(axis, axis)
    order = np.arange(lines.shape[-1], dtype=float)
    return np.array([_mean([kendall(order, line) for line in some if np.isfinite(line).all()]) for some in lines])


def rising_steps(sheets: Sheets, axis: int) -> np.ndarray:
    """[prompts] share of neighbouring points between which the reading moves the commanded way."""
    steps = np.diff(sheets.sweeps(axis, axis), axis=-1)
    known = np.isfinite(steps)
    return np.array([_mean((s[k] > 0).astype(float)) for s, k in zip(steps, known, strict=True)])


def cross_talk(sheets: Sheets, axis: int) -> np.ndarray:
    """[prompts] mean absolute slope with which the reading of `axis` moves where the other axis alone is commanded."""
    moved = 1 - axis
    lines = sheets.sweeps(moved, axis)
    values = np.unique(sheets.commanded[..., moved])
    found = []
    for some in lines:
        whole = [line for line in some if np.isfinite(line).all()]
        found.append(_mean([abs(slope(values, line)) for line in whole]))
    return np.array(found)


def evenness(images: Sequence[Sequence[Image.Image]]) -> float:
    """Largest over mean perceptual step along the lines of one sheet, mean over those that move; 1 = even, nan = none.

    Steps are CIELAB distances (see `sweep.plane`).
    """
    ratios = []
    for line in (*images, *zip(*images, strict=True)):
        steps = [perceptual_step(first, second) for first, second in pairwise(line)]
        if max(steps) > 0:
            ratios.append(max(steps) / float(np.mean(steps)))
    return _mean(ratios)


def difference(first: Image.Image, second: Image.Image, side: int = 32) -> float:
    """Root mean square difference of two pictures at `side` pixels, in [0, 1]."""
    small = [
        np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BOX), dtype=float) / 255
        for image in (first, second)
    ]
    return float(np.sqrt(np.mean((small[0] - small[1]) ** 2)))


def diversity(sheets: Sequence[Sequence[Image.Image]]) -> np.ndarray:
    """[prompts] how far a prompt's pictures lie from those of the next prompt at the same point, in [0, 1].

    Low where every content comes to look alike at one corner of the plane.
    """
    found = []
    for index, pictures in enumerate(sheets):
        other = sheets[(index + 1) % len(sheets)]
        found.append(_mean([difference(a, b) for a, b in zip(pictures, other, strict=True)]))
    return np.array(found)


def reading_measures(name: str, sheets: Sheets, seed: int) -> list[Measure]:
    """The rows of one arm that need readings alone."""
    distance = np.array([_mean(values[np.isfinite(values)]) for values in sheets.distances()])
    nothing = np.linalg.norm(sheets.commanded, axis=-1)
    rows = [
        _mean_of(f"{name}: distance to the target", distance, "V-A distance", seed),
        Measure(f"{name}: distance of a constant 0", float(nothing.mean()), "V-A distance", nothing.size),
    ]
    for axis, label in enumerate(AXES):
        wanted, read = sheets.flat(axis)
        errors = np.array([_mean(row[np.isfinite(row)]) for row in np.abs(read - wanted)])
        rows += [
            _mean_of(f"{name}: {label} error", errors, "mean absolute", seed),
            Measure(
                f"{name}: {label} error of a constant 0",
                mean_absolute_error(wanted.ravel(), np.zeros(wanted.size)),
                "mean absolute",
                wanted.size,
            ),
            Measure.of(f"{name}: {label} slope", _over(slope, wanted, read, seed), "read per commanded"),
            Measure.of(f"{name}: {label} intercept", _over(intercept, wanted, read, seed), "read at 0"),
            Measure.of(f"{name}: {label} Spearman", _over(spearman, wanted, read, seed), "rho"),
            _mean_of(f"{name}: {label} Kendall tau of a sweep", taus(sheets, axis), "tau", seed),
            _mean_of(f"{name}: {label} steps the right way", rising_steps(sheets, axis), "share", seed),
            _mean_of(f"{name}: {label} moved by the other axis", cross_talk(sheets, axis), "absolute slope", seed),
        ]
    unread = ~np.isfinite(sheets.read[..., 0])
    rows.append(Measure(f"{name}: unreadable", float(unread.mean()), "share", unread.size))
    return rows


def picture_measures(name: str, sheets: Sequence[Sequence[Image.Image]], grid: int, seed: int) -> list[Measure]:
    """The rows of one arm that need its pictures: [prompts][points]."""

    def rows_of(pictures: Sequence[Image.Image]) -> list[list[Image.Image]]:
        return [list(pictures[i : i + grid]) for i in range(0, len(pictures), grid)]

    even = np.array([evenness(rows_of(pictures)) for pictures in sheets])
    return [
        _mean_of(f"{name}: largest over mean step", even, "1 = even", seed),
        _mean_of(f"{name}: difference between contents", diversity(sheets), "RMS difference", seed),
    ]


def less(name: str, first: np.ndarray, second: np.ndarray, unit: str, seed: int) -> Measure:
    """The mean difference of two figures by prompt; negative where the first is smaller."""
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        return Measure.missing(name, unit, "no prompt is known on both sides")
    return Measure.of(name, paired_bootstrap(first[known], second[known], seed=seed), unit)


def mean_measure(name: str, values: Sequence[float] | np.ndarray, unit: str, seed: int) -> Measure:
    """A mean over prompts with its interval; nan values are left out."""
    return _mean_of(name, np.asarray(values, dtype=float), unit, seed)


def _mean_of(name: str, values: np.ndarray, unit: str, seed: int) -> Measure:
    known = values[np.isfinite(values)]
    if not len(known):
        return Measure.missing(name, unit, "not known for any prompt")
    found = Measure.of(name, bootstrap(known, seed=seed, resamples=2000), unit)
    return found if len(known) == len(values) else replace(found, values=())  # gaps would pair the wrong prompts


def _over(statistic, wanted: np.ndarray, read: np.ndarray, seed: int) -> Interval:  # type: ignore[no-untyped-def]
    return over_contents(statistic, wanted, read, seed=seed)


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
