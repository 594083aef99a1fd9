"""What a long check counted: told as it goes on, and kept in a file, from which one that was broken off goes on."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emofeedback.errors import UserError
from emofeedback.files.storage import write_json

PAUSE = 5.0
"""Seconds between two lines, and two writings of the file."""
SHOWN = 20
"""Faults that a report holds."""


class CheckReport:
    """Steps done by their kind, and what was wrong.

    Args:
        wanted: kind -> how many.
        seed: of the check; a report of another one is not gone on with.
        file: where it is kept; None = nowhere.
        tell: is given a line now and then.

    Raises:
        UserError: `file` is there and is no report of this check.
    """

    def __init__(
        self,
        wanted: Mapping[str, int],
        seed: int,
        file: Path | None = None,
        tell: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wanted, self.seed, self.file, self._tell, self._clock = dict(wanted), seed, file, tell, clock
        self.done = dict.fromkeys(wanted, 0)
        self.first_faults: list[str] = []
        self.faults = 0
        self.seconds, self.slowest = 0.0, 0.0
        if file is not None and file.exists():
            self._go_on(file)
        self._before, self._begun, self._said = self.seconds, clock(), -PAUSE
        self._steps = 0  # of this process

    def _go_on(self, file: Path) -> None:
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            if found["seed"] != self.seed or found["done"].keys() != self.done.keys():
                raise ValueError("of another check")
            self.done = {kind: int(count) for kind, count in found["done"].items()}
            self.faults, self.first_faults = int(found["faults"]), [str(fault) for fault in found["first_faults"]]
            self.seconds, self.slowest = float(found["seconds"]), float(found["slowest_seconds"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{file} is no report of this check with seed {self.seed}; name another file, or move it away."
            ) from None

    def left(self, kind: str) -> range:
        """The numbers of the steps of a kind that are not done yet."""
        return range(self.done[kind], self.wanted[kind])

    def count(self, kind: str, wrong: list[str], seconds: float = 0.0) -> None:
        """One step more.

        Args:
            wrong: its faults.
            seconds: that it took, where the slowest matters.
        """
        self.first_faults = [*self.first_faults, *(f"{kind} {self.done[kind]}: {w}" for w in wrong)][:SHOWN]
        self.faults += len(wrong)
        self.done[kind] += 1
        self._steps += 1
        self.slowest = max(self.slowest, seconds)
        now = self._clock()
        self.seconds = self._before + now - self._begun
        if now - self._said >= PAUSE or not self.left(kind):
            self._said = now
            self._tell(self.line(kind))
            self.keep()

    def line(self, kind: str) -> str:
        """How far it is."""
        left = sum(len(self.left(known)) for known in self.wanted)
        per_step = (self.seconds - self._before) / max(1, self._steps)
        seconds = left * per_step
        time_left = f", about {seconds:.0f} s left" if seconds < 90 else f", about {seconds / 60:.0f} min left"
        return (
            f"{kind}: {self.done[kind]} of {self.wanted[kind]}, {self.faults} faults in all{time_left if left else ''}"
        )

    def keep(self) -> None:
        """Write the file."""
        if self.file is not None:
            write_json(self.file, self.as_json())

    def as_json(self) -> dict[str, Any]:
        """The report."""
        return {
            "seed": self.seed,
            "done": self.done,
            "complete": not any(self.left(kind) for kind in self.wanted),
            "faults": self.faults,
            "first_faults": self.first_faults,
            "seconds": round(self.seconds, 1),
            "slowest_seconds": round(self.slowest, 2),
        }
