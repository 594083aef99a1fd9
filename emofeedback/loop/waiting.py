"""Waiting for a model that works elsewhere: one hears that it goes on, can stop it, and can let others work."""

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from emofeedback.servers.stopping import stoppable

T = TypeVar("T")
TICK = 0.5
"""Seconds between signs of life."""


class CancelFlag(Protocol):
    """What `threading.Event` offers of itself here."""

    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """Denoising steps done and in all, of this round's batches."""

    step: int
    steps: int


class WaitsElsewhere:
    """An event that says: a model elsewhere is waited for, and nothing is computed here until the next one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Waiting(Progress, WaitsElsewhere):
    """Nothing new from a model that works elsewhere."""


@dataclass(frozen=True, slots=True)
class Answered(Generic[T]):
    """What was waited for."""

    value: T


def elsewhere(model: object) -> bool:
    """Whether a generator or a judge works on another machine."""
    return bool(getattr(model, "elsewhere", False))


def waited(model: object, call: Callable[[], T], cancel: CancelFlag | None = None) -> Iterator[Waiting | Answered[T]]:
    """Call a model: signs of life while one that works elsewhere is waited for, then its answer.

    When `cancel` is set, or this generator is closed, its requests end within a moment. A model of this machine is
    called as it is.

    Raises:
        Cancelled: `cancel` was set meanwhile. Whatever the call raises is raised here too.
    """
    if not elsewhere(model):
        yield Answered(call())
        return
    box: queue.SimpleQueue[Answered[T] | BaseException] = queue.SimpleQueue()
    closed = threading.Event()

    def work() -> None:
        try:
            with stoppable(lambda: closed.is_set() or (cancel is not None and cancel.is_set())):
                box.put(Answered(call()))
        except BaseException as error:
            box.put(error)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="waits-for-model", daemon=True).start()
    try:
        while True:
            try:
                message = box.get(timeout=TICK)
            except queue.Empty:
                yield Waiting(0, 0)
                continue
            if isinstance(message, BaseException):
                raise message
            yield message
            return
    finally:
        closed.set()
