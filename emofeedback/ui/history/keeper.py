"""Keeping what visitors make: on a thread of its own, so that nobody waits for PNGs and the disk."""

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Protocol
from weakref import WeakKeyDictionary

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.history.store import History
from emofeedback.loop.rounds import Past
from emofeedback.loop.run import Event
from emofeedback.records import Candidate, Cost, Picture, Reading, Round, Run, StopReason
from emofeedback.sweep.run_sweep import Sweep
from emofeedback.ui.session import Visit

log = logging.getLogger(__name__)


class Growing(Protocol):
    """A run as it grows on the page; `settled` is the loop's own record once it has ended."""

    @property
    def prompt(self) -> str: ...
    @property
    def target(self) -> Affect: ...
    @property
    def past(self) -> Past: ...
    @property
    def settled(self) -> Run | None: ...


@dataclass(frozen=True)
class _Kept:
    rounds: tuple[Round, ...]
    key: "Future[str | None]"


class Keeper:
    """Puts runs and sweeps into a history, one after the other."""

    def __init__(self, history: History, revisions: Mapping[str, str] | None = None) -> None:
        """
        Args:
            revisions: of the models, by "generator" and "judge".
        """
        self.history, self.revisions = history, dict(revisions or {})
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="history")  # one thread: a run follows what it continues
        self._lock = Lock()
        self._last: WeakKeyDictionary[object, _Kept] = WeakKeyDictionary()
        self._trouble: dict[str, str] = {}

    def __call__(self, owner: str, made: Run | Sweep, group: object | None = None) -> None:
        """Keep it soon. Within a group (an object, the same for a run that goes on) the longer run takes the shorter
        one's place; a branch, whose earlier rounds are not all the same, stands beside it."""
        with self._lock:
            before = self._last.get(group) if group is not None else None
            rounds = made.rounds if isinstance(made, Run) else ()
            if before is not None and _same(before.rounds, rounds) and len(before.rounds) == len(rounds):
                return
            goes_on = before is not None and _same(before.rounds, rounds)
            key = self._pool.submit(self._save, owner, made, before.key if goes_on and before else None)
            if group is not None:
                self._last[group] = _Kept(rounds, key)

    def _save(self, owner: str, made: Run | Sweep, earlier: "Future[str | None] | None") -> str | None:
        try:
            replacing = earlier.result() if earlier is not None else None
            key = self.history.add(made, owner, revisions=self.revisions, replacing=replacing)
        except UserError as error:
            log.warning("a run was not kept: %s", error)
            self._trouble[owner] = f"Your last run could not be kept: {error}"
        except Exception:
            log.exception("a run was not kept")
            self._trouble[owner] = "Your last run could not be kept; the log of the app says why."
        else:
            self._trouble.pop(owner, None)
            return key
        return None

    def metadata(self, owner: str) -> bool:
        """Whether the owner wants settings inside saved PNGs."""
        return self.history.metadata(owner)

    def settle(self) -> None:
        """Wait until everything handed over so far is on disk."""
        self._pool.submit(lambda: None).result()

    def trouble(self, owner: str) -> str | None:
        """The sentence that says why the owner's last run was not kept."""
        return self._trouble.get(owner)


def _same(shorter: tuple[Round, ...], longer: tuple[Round, ...]) -> bool:
    """Whether the longer one begins with the very rounds of the shorter one."""
    return len(shorter) <= len(longer) and all(a is b for a, b in zip(shorter, longer, strict=False))


def kept(events: Iterator[Event], visit: Visit, run: Growing) -> Iterator[Event]:
    """The same events; when they end, whatever ends them, the rounds that are done go into the visitor's history.

    Args:
        run: grows while the events are shown; its next calls continue the same entry.
    """
    begun, cancel = run.past.rounds, visit.cancel
    try:
        yield from events
    finally:
        rounds = run.past.rounds
        if len(rounds) > len(begun) or not _same(rounds, begun):
            settled = run.settled
            whole = settled is not None and len(settled.rounds) == len(rounds) and _same(settled.rounds, rounds)
            stopped: StopReason = "cancelled" if cancel.is_set() else "rounds"
            visit.keep(settled if settled and whole else run_of(run.prompt, run.target, rounds, stopped), run)


def single(picture: Picture, reading: Reading | None, target: Affect) -> Run:
    """One picture as a run of one round."""
    distance = None if reading is None else reading.affect.distance(target)
    only = Candidate(picture, reading, distance, None, chosen=True)
    done = Round(1, picture.request.prompt, (only,), None, None, Cost(seconds=picture.seconds, pictures=1))
    return run_of(picture.request.prompt, target, (done,), "rounds")


def run_of(prompt: str, target: Affect, rounds: tuple[Round, ...], stopped: StopReason) -> Run:
    """A run made by hand, round by round; its settings are those that its first pictures were drawn with."""
    first = rounds[0].candidates[0]
    request = first.picture.request
    settings: dict[str, object] = {
        "rounds": len(rounds),
        "candidates": len(rounds[0].candidates),
        "seed": request.seed,
        "strength": request.strength,
        "steps": request.steps,
        "guidance": request.guidance,
        "start_image": request.start is not None,
        "start_strength": request.start_strength,
    }
    readers = [c.reading.judge for done in rounds for c in done.candidates if c.reading is not None]
    return Run(prompt, target, rounds, stopped, first.picture.model, readers[0] if readers else "", settings)
