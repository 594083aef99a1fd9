"""How long work still takes, from how long its first part took."""

import time
from collections.abc import Callable

MEASURED, SOON = 0.08, 1.0
"""Share and seconds of the work before which nothing is said."""


class TimeLeft:
    """Begins to measure when it is made."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()

    def words(self, done: float) -> str:
        """As ", about 6 s left"; empty while too little was measured, and at the very end.

        Args:
            done: share of the work, in [0, 1].
        """
        spent = self._clock() - self._begun
        if done < MEASURED or spent < SOON or done >= 1:
            return ""
        left = spent * (1 - done) / done
        return f", about {duration(left)} left" if left >= SOON else ""


def duration(seconds: float) -> str:
    """Seconds as people say them: "8 s", "2 minutes"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} minutes"
