"""How long a job still takes, from what was measured of it: its own updates and checks, and the turns of others."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

KEPT = 12
"""So many of the last updates tell how long one takes: another job or a warm-up may have slowed earlier ones."""
MOST = 20_000
"""Updates that are counted one by one."""


class Pace:
    """The pace of one job; told each of its events.

    Args:
        updates, minutes: the budget; one of them is None.
        audit_every: updates between two checks by the second rater; None = not known yet.
        clock: seconds. While others use the models a job's own time stands still, and this one goes on.
    """

    def __init__(
        self,
        updates: int | None,
        minutes: float | None,
        audit_every: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.updates, self.budget = updates, None if minutes is None else 60 * minutes
        self.audit_every, self._clock = audit_every, clock
        self.done, self.elapsed = 0, 0.0
        self._audited = -1
        self._update_seconds: deque[float] = deque(maxlen=KEPT)
        self._audit_seconds: deque[float] = deque(maxlen=KEPT)
        self._began: tuple[float, float] | None = None  # by the clock, by the job's own time
        self._told = clock()

    def add(self, entry: Mapping[str, Any], live: bool = True) -> None:
        """An event of the job.

        Args:
            live: it happened now; False = it is read from the job's log.
        """
        seconds = float(entry["elapsed"]) - self.elapsed
        self.elapsed = float(entry["elapsed"])
        if entry["kind"] == "audit":
            self._audited = int(entry["update"])
            self._audit_seconds.append(seconds)
        else:
            self.done = int(entry["update"])
            self._update_seconds.append(float(entry.get("seconds") or seconds))
        self._told = self._clock()
        if live and self._began is None:
            self._began = (self._told, self.elapsed)

    @property
    def measured(self) -> int:
        """Updates that the estimate rests on."""
        return len(self._update_seconds)

    def left(self) -> float | None:
        """Seconds until the job ends; None before an update was measured."""
        if not self._update_seconds or (self.updates is None and self.budget is None):
            return None
        seconds = self._own_seconds() * self._slowed()
        return max(0.0, seconds - (self._clock() - self._told))

    def share(self) -> float:
        """Part of the job that is done, in [0, 1]."""
        left = self.left()
        if left is None:
            return 0.0
        spent = self.elapsed * self._slowed() + self._clock() - self._told
        return min(1.0, spent / max(1e-9, spent + left))

    def _own_seconds(self) -> float:
        """The job's own time that is left, by the trainer's rule: a check before the first update, after every
        `audit_every` and at the end; no update begins that would not leave time for the last check."""
        update = sum(self._update_seconds) / len(self._update_seconds)
        audit = sum(self._audit_seconds) / len(self._audit_seconds) if self._audit_seconds else update
        now, done, audited = self.elapsed, self.done, self._audited
        while done - self.done < MOST:
            if self.audit_every and done % self.audit_every == 0 and audited != done:
                now, audited = now + audit, done
            if self.updates is not None and done >= self.updates:
                break
            if self.budget is not None and done > 0 and now + update / 2 + audit >= self.budget:
                break
            now, done = now + update, done + 1
        else:  # a very long job: its budget is near enough
            if self.budget is not None:
                return self.budget - self.elapsed
            return (now - self.elapsed) * ((self.updates or done) - self.done) / (done - self.done)
        return now - self.elapsed + (audit if audited != done else 0.0)

    def _slowed(self) -> float:
        """Seconds on the clock for one of the job's own."""
        if self._began is None or self.elapsed - self._began[1] < 1.0:
            return 1.0
        return max(1.0, (self._told - self._began[0]) / (self.elapsed - self._began[1]))
