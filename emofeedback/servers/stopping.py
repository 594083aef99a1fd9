"""Waiting that can be ended from outside, by the person who presses Stop and by a deadline, and lets others work."""

import contextvars
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from emofeedback.errors import Cancelled

Job = TypeVar("Job")
T = TypeVar("T")
P = ParamSpec("P")

POLL = 0.1
"""Seconds between two looks at whether the work shall stop."""


class Abandoned:
    """Tells a call that nobody waits for it any more: what it registered is called once, then or at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given_up = False
        self._closers: list[Callable[[], None]] = []

    def on_give_up(self, close: Callable[[], None]) -> None:
        """Call `close` when the call is given up."""
        with self._lock:
            self._closers.append(close)
            given_up = self._given_up
        if given_up:
            close()

    def give_up(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._given_up = True
            closers = list(self._closers)
        for close in closers:
            close()


_STOP: contextvars.ContextVar[Callable[[], bool] | None] = contextvars.ContextVar("stop", default=None)
_MEANWHILE: contextvars.ContextVar[Callable[[], AbstractContextManager[None]] | None] = contextvars.ContextVar(
    "meanwhile", default=None
)
_CALL: contextvars.ContextVar[Abandoned | None] = contextvars.ContextVar("call", default=None)


@contextmanager
def stoppable(stop: Callable[[], bool]) -> Iterator[None]:
    """Requests to servers that are made inside end within `POLL` seconds after `stop()` is true, with `Cancelled`.

    Blocks inside of each other count together. Threads of `each_of` and `within` belong to the block that they were
    started in.
    """
    outer = _STOP.get()
    token = _STOP.set(stop if outer is None else lambda: stop() or outer())
    try:
        yield
    finally:
        _STOP.reset(token)


@contextmanager
def meanwhile(enter: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Calls of models elsewhere (`works_elsewhere`) that are made inside happen within a context of `enter`."""
    token = _MEANWHILE.set(enter)
    try:
        yield
    finally:
        _MEANWHILE.reset(token)


def works_elsewhere(call: Callable[P, T]) -> Callable[P, T]:
    """Marks a model's method that waits for a server and computes nothing here, see `meanwhile`."""

    @wraps(call)
    def marked(*args: P.args, **kwargs: P.kwargs) -> T:
        enter = _MEANWHILE.get()
        if enter is None:
            return call(*args, **kwargs)
        token = _MEANWHILE.set(None)  # once, whatever it calls
        try:
            with enter():
                return call(*args, **kwargs)
        finally:
            _MEANWHILE.reset(token)

    return marked


def check_stop() -> None:
    """Raise `Cancelled` where the block that this is called in shall stop."""
    stop = _STOP.get()
    if stop is not None and stop():
        raise Cancelled("Stopped.")


def this_call() -> Abandoned:
    """The call of `within` that this is called in; outside of any, one that is never given up."""
    return _CALL.get() or Abandoned()


def pause(seconds: float, sleep: Callable[[float], None]) -> None:
    """Sleep, but no longer than until the work shall stop.

    Raises:
        Cancelled: it shall stop.
    """
    if _STOP.get() is None:
        sleep(seconds)
    else:
        within(math.inf, lambda: sleep(seconds))


def within(seconds: float, call: Callable[[], T]) -> T:
    """The call's result, or TimeoutError: a client's own limit restarts with every byte that trickles in.

    The call runs on a thread of its own that does not keep the process alive. Where it is not waited for any longer it
    is given up (`this_call`).

    Raises:
        Cancelled: the block that this is called in shall stop.
    """
    box: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue()
    abandoned, stop = Abandoned(), _STOP.get()
    end = time.monotonic() + seconds

    def work() -> None:
        _CALL.set(abandoned)
        try:
            box.put((call(), None))
        except BaseException as error:
            box.put((None, error))

    check_stop()
    threading.Thread(target=contextvars.copy_context().run, args=(work,), name="request", daemon=True).start()
    finished = False
    try:
        while True:
            left = max(0.0, end - time.monotonic())
            try:
                result, error = box.get(timeout=left if stop is None else min(left, POLL))
                break
            except queue.Empty:
                check_stop()
                if time.monotonic() >= end:
                    raise TimeoutError from None
        finished = True
    finally:
        if not finished:
            abandoned.give_up()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def each_of(work: Callable[[Job], T], jobs: Sequence[Job], workers: int) -> list[T]:
    """The results of all jobs in order, several at a time. Where one raises, the requests of the others stop too."""
    halted = threading.Event()
    with stoppable(halted.is_set):
        pool = ThreadPoolExecutor(workers, thread_name_prefix="server-job")
        try:
            running = [pool.submit(contextvars.copy_context().run, work, job) for job in jobs]
            return [future.result() for future in running]
        except BaseException:
            halted.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
