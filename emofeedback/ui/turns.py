"""Whose turn it is at the models: one work at a time, in the order they came, and one visitor's works one by one."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from emofeedback.errors import UserError

FOREVER = 1e9
POLL = 0.2
"""Seconds between two looks at whether one who waits shall stop."""
CLEAR = 10.0
"""Seconds that who wants the models alone waits for works that are away; they hear of it at their next sign of life."""


@dataclass(frozen=True, slots=True)
class Place:
    """How many orders come first, whether one is the visitor's own, and seconds until it is their turn; None = not
    known of all of them."""

    ahead: int
    own: bool
    seconds: float | None


@dataclass(eq=False)
class Ticket:
    """One work's place in the line.

    Attributes:
        number: the lower comes first; a work that comes back from a model elsewhere keeps its own.
        who: whose works go one by one; None = nobody's.
        kind: works of one kind take about the same time.
        lasting: it gives turns of its own, and is not counted as one that comes first.
        ended: why it must not come back.
        held: seconds for which it had its turns so far.
    """

    number: int
    who: object | None = None
    kind: str = ""
    lasting: bool = False
    ended: str | None = None
    held: float = 0.0
    _since: float | None = field(default=None, repr=False)


class Turns:
    """A lock of the models that is given in the order of the tickets.

    A ticket is in the line, has the turn, or is away: its work waits for a model elsewhere, holds nobody up, and comes
    back to the place that its number gives it. With `acquire`, `release` and `with` it is also used as a plain lock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._line: list[Ticket] = []
        self._away: list[Ticket] = []
        self._holder: Ticket | None = None
        self._usual: dict[str, tuple[int, float]] = {}  # kind: how many were done, and their seconds

    # ------------------------------------------------------------ with tickets

    def enter(
        self, who: object | None = None, kind: str = "", lasting: bool = False, most: int | None = None
    ) -> Ticket:
        """A ticket at the end of the line.

        Args:
            most: that may wait; None = any number.

        Raises:
            UserError: so many wait already.
        """
        with self._changed:
            if most is not None and len(self._line) + self.locked() > most:
                orders = "1 order waits" if most == 1 else f"{most} orders wait"
                raise UserError(f"{orders} here already, and more are not taken; try again in a minute.")
            ticket = Ticket(next(self._numbers), who, kind, lasting)
            self._line.append(ticket)
            return ticket

    def wait(self, ticket: Ticket, seconds: float) -> bool:
        """Whether the turn of one in the line has come; waits for it at most so long."""
        with self._changed:
            end = self._clock() + seconds
            while self._next() is not ticket:
                left = end - self._clock()
                if left <= 0:
                    return False
                self._changed.wait(left)
            self._line.remove(ticket)
            self._holder, ticket._since = ticket, self._clock()
            self._changed.notify_all()
            return True

    def has(self, ticket: Ticket) -> bool:
        """Whether it has the turn."""
        return self._holder is ticket

    def go_away(self, ticket: Ticket) -> None:
        """The work waits for a model elsewhere, or comes to its end without a turn: the turn is the next one's."""
        with self._changed:
            if ticket in self._line:
                self._line.remove(ticket)
            else:
                self._free(ticket)
            self._away.append(ticket)
            self._changed.notify_all()

    def come_back(self, ticket: Ticket) -> None:
        """The work goes on here: it is in the line again."""
        with self._changed:
            self._away.remove(ticket)
            self._line.append(ticket)
            self._line.sort(key=lambda one: one.number)
            self._changed.notify_all()

    def to_the_end(self, ticket: Ticket) -> None:
        """The one whose turn it is goes behind all who wait."""
        with self._changed:
            self._free(ticket)
            ticket.number = next(self._numbers)
            self._line.append(ticket)
            self._changed.notify_all()

    def leave(self, ticket: Ticket) -> None:
        """The work is over, or is given up, wherever its ticket is."""
        with self._changed:
            if self._holder is ticket:
                self._free(ticket)
                count, seconds = self._usual.get(ticket.kind, (0, 0.0))
                if ticket.kind:
                    self._usual[ticket.kind] = (count + 1, seconds + ticket.held)
            for where in (self._line, self._away):
                if ticket in where:
                    where.remove(ticket)
            self._changed.notify_all()

    def _free(self, ticket: Ticket) -> None:
        if self._holder is not ticket:
            raise RuntimeError("it is not this one's turn")
        ticket.held += self._clock() - (ticket._since or 0.0)
        self._holder, ticket._since = None, None

    def _next(self) -> Ticket | None:
        """Whose turn comes now; None while somebody has it."""
        if self._holder is not None:
            return None
        return next((ticket for ticket in self._line if not self._own_before(ticket)), None)

    def _own_before(self, ticket: Ticket) -> bool:
        """Whether an earlier work of the same visitor is not over yet."""
        if ticket.who is None:
            return False
        at_work = [*self._line, *self._away, *([self._holder] if self._holder else [])]
        return any(one.who is ticket.who and one.number < ticket.number for one in at_work)

    def place(self, ticket: Ticket) -> Place:
        """Where one in the line stands.

        One that is away counts where it is the same visitor's: it must be over first.
        """
        with self._changed:
            before = [one for one in self._line if one.number < ticket.number]
            holder = self._holder
            if holder is not None and not holder.lasting:
                before.insert(0, holder)
            own_away = [one for one in self._away if one.who is not None and one.who is ticket.who]
            own = bool(own_away) or any(one.who is not None and one.who is ticket.who for one in before)
            seconds = [self._left(one) for one in before if not one.lasting]
            known = [one for one in seconds if one is not None]
            whole = len(known) == len(seconds) and not own_away
            return Place(len(seconds) + len(own_away), own, sum(known) if whole else None)

    def _left(self, ticket: Ticket) -> float | None:
        count, total = self._usual.get(ticket.kind, (0, 0.0))
        if not count:
            return None
        now = 0.0 if ticket._since is None else self._clock() - ticket._since
        return max(0.0, total / count - ticket.held - now)

    @contextmanager
    def turn_of(self, who: object) -> Iterator[None]:
        """A turn for a moment; earlier works of the same visitor are over then."""
        ticket = self.enter(who)
        try:
            self.wait(ticket, FOREVER)
            yield
        finally:
            self.leave(ticket)

    @contextmanager
    def alone(self, why: str) -> Iterator[None]:
        """The turn, while no work is away: those that are end at once, with a sentence that says why."""
        with self:
            with self._changed:
                for ticket in self._away:
                    ticket.ended = why
                self._changed.wait_for(lambda: all(one.lasting for one in self._away), CLEAR)
            yield

    # ------------------------------------------------------------ as a plain lock

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As a lock's. Where it does not block: only while nobody is at work, nor away."""
        ticket = self.enter()
        if not blocking:
            timeout = 0.0
            if self._away:
                self.leave(ticket)
                return False
        if self.wait(ticket, FOREVER if timeout < 0 else timeout):
            return True
        self.leave(ticket)
        return False

    def release(self) -> None:
        """As a lock's."""
        if self._holder is None:
            raise RuntimeError("release unlocked lock")
        self.leave(self._holder)

    def locked(self) -> bool:
        """As a lock's: whether somebody has the turn."""
        return self._holder is not None

    def __enter__(self) -> "Turns":
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
