"""Calibration of a judge against people's ratings: one monotone map per axis, bound to the judge it was fitted on.

Vision-language judges rank pictures well and overstate strength; an affine map mends slope and offset, an isotonic one
any monotone distortion (least squares under order, Barlow et al. 1972).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.optimize import isotonic_regression

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.protocols import Judge, ShowsPrompt
from emofeedback.records import Attempt, Critique, Picture, Reading

Method = Literal["affine", "isotonic"]
FORMAT = 1


@dataclass(frozen=True, slots=True)
class AxisMap:
    """A monotone, piecewise linear map of readings to calibrated readings, both in [-1, 1].

    Between knots it is linear; beyond them an affine map (two knots) goes on and an isotonic one stays level. Results
    are clipped to [-1, 1].
    """

    method: Method
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __call__(self, value: float) -> float:
        return float(np.clip(self._line(value), -1.0, 1.0))

    def slope(self, value: float, sd: float) -> float:
        """By how much a spread around a value is stretched: the chord's slope over one sd on both sides."""
        width = max(sd, 1e-3)
        return abs(self._line(value + width) - self._line(value - width)) / (2 * width)

    def _line(self, value: float) -> float:
        if self.method == "affine":
            (x0, x1), (y0, y1) = self.x, self.y
            return y0 + (value - x0) * (y1 - y0) / (x1 - x0)
        return float(np.interp(value, self.x, self.y))


def fit(read: Sequence[float] | np.ndarray, rated: Sequence[float] | np.ndarray, method: Method) -> AxisMap:
    """The rising map with the least squared error from readings to ratings, both in [-1, 1].

    Raises:
        ValueError: there are fewer than two pairs, or a value is not finite.
    """
    x, y = np.asarray(read, dtype=np.float64), np.asarray(rated, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(x) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("a fit needs two or more pairs of finite values")
    if method == "affine":
        dx = x - x.mean()
        spread = float(dx @ dx)
        # a judge that ranks pictures backwards knows nothing: its best rising map is the constant
        gain = max(0.0, float(dx @ (y - y.mean())) / spread) if spread > 1e-12 else 0.0
        offset = float(y.mean() - gain * x.mean())
        return AxisMap("affine", (-1.0, 1.0), (offset - gain, offset + gain))
    knots, levels = isotonic(x, y)
    return AxisMap("isotonic", tuple(knots), tuple(levels))


def isotonic(x: np.ndarray, y: np.ndarray) -> tuple[list[float], list[float]]:
    """Least squares among nondecreasing functions.

    Returns:
        Knots and levels: each block's least and greatest x, both at the block's mean; equal x share one level.
    """
    points, inverse = np.unique(x, return_inverse=True)
    weights = np.bincount(inverse).astype(np.float64)
    means = np.bincount(inverse, weights=y) / weights
    found = isotonic_regression(means, weights=weights)
    knots, levels = [], []
    for first, end in pairwise(found.blocks.tolist()):
        for point in dict.fromkeys((float(points[first]), float(points[end - 1]))):
            knots.append(point)
            levels.append(float(found.x[first]))
    return knots, levels


@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps for both axes, the judge they belong to and the data they were fitted on."""

    name: str
    judge: str  # the judge's identity
    method: Method
    valence: AxisMap
    arousal: AxisMap
    data: dict[str, Any]

    def apply(self, reading: Reading) -> Reading:
        """The calibrated reading, which names this calibration."""
        valence, arousal = reading.affect.valence, reading.affect.arousal
        return replace(
            reading,
            affect=Affect(self.valence(valence), self.arousal(arousal)),
            valence_sd=reading.valence_sd * self.valence.slope(valence, reading.valence_sd),
            arousal_sd=reading.arousal_sd * self.arousal.slope(arousal, reading.arousal_sd),
            calibration=self.name,
        )

    def as_json(self) -> dict[str, Any]:
        axes = {
            name: {"x": list(m.x), "y": list(m.y)} for name, m in (("valence", self.valence), ("arousal", self.arousal))
        }
        kept = {key: value for key, value in asdict(self).items() if key in ("name", "judge", "method", "data")}
        return {"format": FORMAT, **kept, **axes}


class _Axis(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    x: list[float] = Field(min_length=1, max_length=100_000)
    y: list[float] = Field(min_length=1, max_length=100_000)

    def map(self, method: Method) -> AxisMap:
        if len(self.x) != len(self.y) or any(b <= a for a, b in pairwise(self.x)):
            raise ValueError("knots must rise and have one level each")
        if method == "affine" and len(self.x) != 2:
            raise ValueError("an affine map has two knots")
        return AxisMap(method, tuple(self.x), tuple(self.y))


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    format: Literal[1]
    name: str = Field(min_length=1)
    judge: str = Field(min_length=1)
    method: Method
    valence: _Axis
    arousal: _Axis
    data: dict[str, Any]


def load_calibration(path: Path) -> Calibration:
    """A calibration from its file.

    Raises:
        UserError: the file is missing, damaged or something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = _File.model_validate(content)
        maps = found.valence.map(found.method), found.arousal.map(found.method)
    except FileNotFoundError:
        raise UserError(
            f"There is no calibration {path}; make one with `evaluate judge --ratings ... --save`."
        ) from None
    except (OSError, ValueError, ValidationError):
        raise UserError(f"{path} is not a calibration or is damaged; make it again with `evaluate judge`.") from None
    return Calibration(found.name, found.judge, found.method, *maps, found.data)


class Named(Protocol):
    """A judge or a rater."""

    name: str


def identity_of(judge: Named) -> str:
    """What a calibration is bound to: the judge's own identity, else its name."""
    return str(getattr(judge, "identity", "") or judge.name)


class CalibratedJudge:
    """A judge whose readings go through a calibration; its advice sees the calibrated readings of the loop.

    Implements `protocols.Judge`, and `ShowsPrompt` where the judge does. Gradients do not pass through the maps, so
    that what a judge offers for training is not offered here.

    Raises:
        UserError: the calibration was fitted on another judge.
    """

    def __init__(self, judge: Judge, calibration: Calibration) -> None:
        own = identity_of(judge)
        if calibration.judge != own:
            raise UserError(
                f"The calibration {calibration.name!r} was fitted on {calibration.judge}, not on {own}; "
                "fit one on this judge with `evaluate judge --ratings`."
            )
        self.judge, self.calibration = judge, calibration
        self.name = judge.name
        self.elsewhere = bool(getattr(judge, "elsewhere", False))
        if isinstance(judge, ShowsPrompt):
            self.shows = judge.shows
        self.identity = f"{own}+{calibration.name}"  # fitting again starts from the bare judge

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """Calibrated readings, each naming the calibration."""
        readings = self.judge.read(pictures)
        return [None if reading is None else self.calibration.apply(reading) for reading in readings]

    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        """The judge's advice on its calibrated readings."""
        return self.judge.advise(attempts, target)

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """The judge's own answer."""
        return self.judge.content_kept(prompt, reading)


def bare(reader: Named) -> Named:
    """The judge without its calibration."""
    return reader.judge if isinstance(reader, CalibratedJudge) else reader
