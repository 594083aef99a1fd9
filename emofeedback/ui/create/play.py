"""Work that outlives the page that asked for it: it goes on, on a thread of its own, while its page is loaded again."""

import contextvars
import threading
from collections.abc import Callable, Iterator

from emofeedback.errors import Cancelled

WAIT = 1.0
"""Seconds after which a follower looks whether anybody still listens to it."""


class Play:
    """One run or round at work; any number of pages may follow it."""

    def __init__(self, task: Callable[["Play"], None]) -> None:
        """
        Args:
            task: does the work and calls `tell` at each change; raises Cancelled where it was stopped.
        """
        self.stopped = False
        self.error: Exception | None = None
        self.done = False
        self._news = threading.Condition()
        self._count = self._large = 0
        self._task = task
        context = contextvars.copy_context()  # a hosted GPU is lent to the request that asked
        self._thread = threading.Thread(target=context.run, args=(self._work,), name="create-run", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._task(self)
        except Cancelled:
            self.stopped = True
        except Exception as error:
            self.error = error
        with self._news:
            self.done = True
            self._news.notify_all()

    def tell(self, large: bool) -> None:
        """Something changed: `large` = more than how far it is."""
        with self._news:
            self._count += 1
            self._large = self._count if large else self._large
            self._news.notify_all()

    def follow(self) -> Iterator[bool]:
        """Whether there was a large change, each time that there was any; ends with the work."""
        seen = 0
        while True:
            with self._news:
                if self._count == seen and not self.done:
                    self._news.wait(WAIT)
                large, changed, done = self._large > seen, self._count > seen, self.done
                seen = self._count
            if changed:
                yield large
            if done:
                return

    def join(self, seconds: float) -> None:
        """Wait until it has ended, but not longer than this."""
        self._thread.join(seconds)
