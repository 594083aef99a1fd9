"""Threads that are kept for the next piece of work.

torch sets up threads of its own for every thread that calls it, and takes them down when that one ends: a small picture
that is drawn on a new thread takes half as long again.
"""

import os
import queue
import threading
from collections.abc import Callable

KEPT = 4
"""Threads that wait for work; more of them, that were needed at once, end."""


class _Kept(threading.Thread):
    """Does one piece of work after the other."""

    def __init__(self) -> None:
        super().__init__(name="kept", daemon=True)
        self.given: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self.start()

    def run(self) -> None:
        goes_on = True
        while goes_on:
            work, over = self.given.get()
            try:
                work()
            finally:
                del work  # what it holds is free as soon as it is over
                with _lock:
                    goes_on = len(_idle) < KEPT
                    if goes_on:
                        _idle.append(self)
                over.set()


_lock = threading.Lock()
_idle: list[_Kept] = []


def _begin_anew() -> None:
    """A process that was forked off has none of its parent's threads."""
    global _lock
    _lock = threading.Lock()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def on_kept_thread(work: Callable[[], None]) -> threading.Event:
    """Do some work on a thread that was kept, or on a new one where all are busy.

    Args:
        work: it keeps its errors to itself.

    Returns:
        An event that is set when the work is over.
    """
    with _lock:
        thread = _idle.pop() if _idle else None  # the last one that worked: it is warm
    over = threading.Event()
    (thread or _Kept()).given.put((work, over))
    return over
