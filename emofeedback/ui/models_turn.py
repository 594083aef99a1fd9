"""A visitor's work at the models: its place in the line, its turn, and others' turns while a model elsewhere works."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from emofeedback.errors import Cancelled, UserError
from emofeedback.loop.waiting import Answered, CancelFlag, Progress, WaitsElsewhere, waited
from emofeedback.ui.limits import MeteredWork
from emofeedback.ui.session import Models, Visit
from emofeedback.ui.turns import POLL, Place

E = TypeVar("E")
S = TypeVar("S")
T = TypeVar("T")
TICK = 1.0
"""Seconds between two looks at the place."""


class ModelsTurn:
    """One work of a visitor; made by `models_turn`.

    Attributes:
        cancel: stops the work, and takes it out of the line.
    """

    def __init__(self, models: Models, visit: Visit, kind: str, most: int | None) -> None:
        self.models, self.visit = models, visit
        self._ticket = models.lock.enter(visit, kind, most=most)
        self.cancel = visit.begins(kind)
        self._metered = MeteredWork()
        self._account = ExitStack()

    @property
    def here(self) -> bool:
        """Whether it is this work's turn."""
        return self.models.lock.has(self._ticket)

    def wait(self, patience: float | None = None) -> Iterator[Place]:
        """Wait until the models are loaded and it is this work's turn.

        Yields:
            Its place, at once where others come first, then about once a second.

        Args:
            patience: seconds after which it is given up; None = never.

        Raises:
            Cancelled: it was stopped, or the patience is at its end.
            UserError: there are no models, or the visitor has used up what the host gives to one user, or their
                adapter does not fit.
        """
        begun, told = time.monotonic(), 0.0
        while self.models.loading or not self.models.lock.wait(self._ticket, POLL if told else 0.0):
            if self.models.loading:
                self.models.trouble(wait=POLL)
            now = time.monotonic()
            self._check()
            if patience is not None and now - begun >= patience:
                raise Cancelled("Somebody else has the models.")
            if not self.models.loading and now - told >= TICK:
                told = now
                yield self.models.lock.place(self._ticket)
        self._check()
        self._metered = self._account.enter_context(self.visit.time_limit.work(self.visit.user))
        self._apply_adapter()

    def begin(self, patience: float | None = None) -> None:
        """As `wait`, for a caller who shows no place."""
        for _ in self.wait(patience):
            pass

    def over(self, events: Iterator[E]) -> Generator[E, None, None]:
        """The same events; after one that says that a model elsewhere is waited for, others have their turns.

        Before the next event that is more than progress the work's turn has come again. Work that was stopped meanwhile
        ends at once, without a turn (see `here`).

        Raises:
            UserError: the models were changed meanwhile.
        """
        try:
            for event in events:
                if isinstance(event, WaitsElsewhere):
                    self._go_away()
                elif not isinstance(event, Progress):
                    self._come_back()
                yield event
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def ask(
        self, model: object, call: Callable[[], T], sign: S, cancel: CancelFlag | None = None
    ) -> Generator[S, None, T]:
        """Call a model; returns its answer.

        Yields:
            `sign` as a sign of life, where one that works elsewhere is waited for: others have their turns meanwhile.

        Args:
            cancel: in place of the work's own.

        Raises:
            Cancelled: it was stopped. Whatever the call raises is raised here too.
        """
        for answer in self.over(waited(model, call, cancel or self.cancel)):
            if isinstance(answer, Answered):
                self._check()
                return answer.value
            yield sign
        raise AssertionError("unreachable")

    def answer(self, model: object, call: Callable[[], T], cancel: CancelFlag | None = None) -> T:
        """As `ask`, for a caller who shows no sign of life."""
        asking = self.ask(model, call, None, cancel)
        while True:
            try:
                next(asking)
            except StopIteration as done:
                value: T = done.value
                return value

    def _go_away(self) -> None:
        if self.here:
            self.models.lock.go_away(self._ticket)
        self._check_ended()

    def _come_back(self) -> None:
        if self.here:
            return
        self._check_ended()
        if self.cancel.is_set():
            return
        lock, begun = self.models.lock, time.monotonic()
        lock.come_back(self._ticket)
        while not lock.wait(self._ticket, POLL):
            if self.cancel.is_set():
                lock.go_away(self._ticket)
                return
        self._metered.waited += time.monotonic() - begun
        self._apply_adapter()

    def _apply_adapter(self) -> None:
        if self.visit.apply_adapter is not None:
            self.visit.apply_adapter(self.visit)

    def _check(self) -> None:
        if self.cancel.is_set():
            raise Cancelled("Stopped.")

    def _check_ended(self) -> None:
        if self._ticket.ended is not None:
            raise UserError(self._ticket.ended)

    def end(self) -> None:
        """The work is over."""
        self._account.close()
        self.models.lock.leave(self._ticket)
        self.visit.ends(self.cancel)


@contextmanager
def models_turn(models: Models, visit: Visit, kind: str, brief: bool = False) -> Iterator[ModelsTurn]:
    """A visitor's work at the models, which enters the line here; inside, `wait` or `begin` comes first.

    Works of one visitor go one by one, also while one of them waits for a model elsewhere.

    Args:
        kind: what stops together (`Visit.stop`), and takes about the same time.
        brief: it is let into a full line, too: it does not wait for long.

    Raises:
        UserError: as many wait as the host lets in.
    """
    turn = ModelsTurn(models, visit, kind, None if brief else models.most_waiting)
    try:
        yield turn
    finally:
        turn.end()
