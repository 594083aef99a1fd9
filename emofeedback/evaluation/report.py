"""Measures and the report around them: every figure with its n, interval, seeds, machine and command."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from math import isfinite, nan
from pathlib import Path
from typing import Any

from emofeedback import __version__
from emofeedback.evaluation.metrics import Interval
from emofeedback.generators.pipelines.memory import gpu_gigabytes


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. `goal` is the range it should lie in, either end open; None = reported without a goal.

    A figure that could not be taken is not a number, null as JSON, and its `note` says why. `values` are the
    observations that it is the mean of, in the order of the protocol, for paired comparisons of two reports.
    """

    name: str
    value: float
    unit: str
    n: int
    interval: tuple[float, float] | None = None
    goal: tuple[float | None, float | None] | None = None
    note: str | None = None
    values: tuple[float, ...] = field(default=(), repr=False, compare=False)

    @classmethod
    def missing(cls, name: str, unit: str, note: str) -> "Measure":
        """A figure that could not be taken, and why."""
        return cls(name, nan, unit, 0, note=note)

    @classmethod
    def of(
        cls, name: str, interval: Interval, unit: str, goal: tuple[float | None, float | None] | None = None
    ) -> "Measure":
        """A measure from a bootstrap interval."""
        return cls(name, interval.value, unit, interval.n, (interval.low, interval.high), goal, values=interval.values)

    def holds(self) -> bool | None:
        """Whether the value lies in the goal; None without a goal. A value that is not a number never does."""
        if self.goal is None:
            return None
        low, high = self.goal
        return isfinite(self.value) and (low is None or self.value >= low) and (high is None or self.value <= high)

    def goal_text(self) -> str | None:
        """The goal in words: "<= 0.5", ">= 0.9", "0.7 .. 1.1"."""
        if self.goal is None:
            return None
        low, high = self.goal
        if low is not None and high is not None:
            return f"{low:g} .. {high:g}"
        return f">= {low:g}" if low is not None else f"<= {high:g}"

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": _finite(self.value),
            "unit": self.unit,
            "goal": self.goal_text(),
            "holds": self.holds(),
            "n": self.n,
            "interval": None if self.interval is None else [_finite(end) for end in self.interval],
            **({} if self.note is None else {"note": self.note}),
        }

    def line(self) -> str:
        """For a terminal."""
        if self.note is not None and not isfinite(self.value):
            return f"{self.name}: {self.note}"
        spread = "" if self.interval is None else f" [{self.interval[0]:.3g}, {self.interval[1]:.3g}]"
        mark = {True: "holds", False: "missed", None: ""}[self.holds()]
        goal = "" if self.goal is None else f"; goal {self.goal_text()}: {mark}"
        return f"{self.name}: {self.value:.3g} {self.unit}{spread} (n={self.n}){goal}".replace("  ", " ")


def report(
    kind: str, command: str, seed: int, models: Mapping[str, str], measures: Sequence[Measure]
) -> dict[str, Any]:
    """The whole report as JSON."""
    return {
        "report": kind,
        "command": command,
        "seed": seed,
        "models": dict(models),
        "machine": machine(),
        "version": __version__,
        "measures": [m.as_json() for m in measures],
        "observations": {m.name: [round(value, 6) for value in m.values] for m in measures if len(m.values) > 1},
    }


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = {}
    for name in ("torch", "diffusers", "transformers", "numpy"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": cores,
        "gpu": None if (gpu := gpu_gigabytes()) is None else gpu[0],
        "python": platform.python_version(),
        "packages": packages,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
