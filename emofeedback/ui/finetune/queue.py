"""The jobs that wait for the one place, a job's turn in it, and what a visitor has of fine-tuning."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emofeedback.errors import Cancelled
from emofeedback.finetuning.job_store import JobStore
from emofeedback.ui.session import Models, Visit
from emofeedback.ui.worker import TICK, Post, on_thread


@dataclass(eq=False)
class VisitorJob:
    """The job that one visitor has ordered, or had last."""

    stop: threading.Event = field(default_factory=threading.Event)
    waiting: bool = False  # ordered, but its turn has not come
    busy: bool = False
    job: str | None = None  # the folder's name of the last one

    def order(self) -> None:
        """A button was pressed: from now on Stop counts."""
        if not self.busy:
            self.stop, self.waiting = threading.Event(), True

    def begin(self) -> threading.Event:
        """The work begins; its stop signal."""
        if not self.waiting:
            self.stop = threading.Event()
        self.waiting, self.busy = False, True
        return self.stop


Left = Callable[[], float | None]
"""Seconds that a job still takes; None = not known."""


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """How many jobs are before this one, and the seconds that they still take; None = not known of all of them."""

    ahead: int
    seconds: float | None = None


class JobQueue:
    """Jobs in the order they came: this machine has room for one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tickets: list[object] = []
        self._left: dict[object, Left] = {}

    def enter(self, left: Left = lambda: None) -> object:
        """A ticket, behind all others.

        Args:
            left: what its job still takes, asked whenever somebody behind it wants to know.
        """
        ticket = object()
        with self._changed:
            self._tickets.append(ticket)
            self._left[ticket] = left
        return ticket

    def place(self, ticket: object) -> QueuePlace:
        """Where it stands."""
        with self._changed:
            before = [self._left[one]() for one in self._tickets[: self._tickets.index(ticket)]]
        known = [seconds for seconds in before if seconds is not None]
        return QueuePlace(len(before), sum(known) if len(known) == len(before) else None)

    def ahead(self, ticket: object, timeout: float = 0.0) -> int:
        """How many are before it; waits up to `timeout` seconds for that to change."""
        with self._changed:
            if timeout and self._tickets.index(ticket):
                self._changed.wait(timeout)
            return self._tickets.index(ticket)

    def leave(self, ticket: object) -> None:
        """Make room for the next; a ticket that has left already stays away."""
        with self._changed:
            if ticket in self._tickets:
                self._tickets.remove(ticket)
                del self._left[ticket]
            self._changed.notify_all()


def store_of(root: Path, visit: Visit) -> JobStore:
    """Where a visitor's jobs lie: kept below `root` for one who comes back, else with the visit's other files."""
    if visit.owner is None:
        return JobStore(visit.folder / "jobs")
    return JobStore(root / hashlib.sha256(visit.owner.encode()).hexdigest()[:24])


def queued(
    models: Models,
    jobs: JobQueue,
    visit: Visit,
    stop: threading.Event,
    task: Callable[[Post], None],
    left: Left = lambda: None,
) -> Iterator[object]:
    """Run `task` as `on_thread` does, when its turn in the queue has come.

    Yields a `QueuePlace` while others are before it, then what the task posts, and None as a sign of life.

    Args:
        left: what the task still takes, for those who wait behind it.

    Raises:
        Cancelled: `stop` was set before the task began.
    """
    ticket = jobs.enter(left)
    started = False
    try:
        while jobs.ahead(ticket) or models.long_work.locked():  # a job that a program ordered holds no ticket
            place = jobs.place(ticket)
            yield place if place.ahead else QueuePlace(1)
            if place.ahead:
                jobs.ahead(ticket, TICK)
            else:
                stop.wait(TICK)
            if stop.is_set() or visit.gone:
                raise Cancelled("Stopped.")
        started = True
        yield from on_thread(models, visit, stop, task, after=lambda: jobs.leave(ticket))
    finally:
        stop.set()  # the page may be gone
        if not started:
            jobs.leave(ticket)
