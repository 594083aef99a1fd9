"""Writing what visitors make into their history: on a thread of its own, so that nobody waits for PNGs and the disk."""

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

from emofeedback.errors import UserError
from emofeedback.history.store import History
from emofeedback.records import Round, Run
from emofeedback.sweep.run_sweep import Sweep

log = logging.getLogger(__name__)
MAX_OWNERS = 10_000
"""Owners whose preference is remembered beside the disk."""


@dataclass(frozen=True)
class _Saved:
    rounds: tuple[Round, ...]
    key: "Future[str | None]"


class HistoryWriter:
    """Puts runs and sweeps into a history, one after the other."""

    def __init__(self, history: History, revisions: Mapping[str, str] | None = None) -> None:
        """
        Args:
            revisions: of the models, by "generator" and "judge".
        """
        self.history, self.revisions = history, dict(revisions or {})
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="history")  # one thread: a run follows what it continues
        self._lock = Lock()
        self._last: WeakKeyDictionary[object, _Saved] = WeakKeyDictionary()
        self._trouble: dict[str, str] = {}
        self._wanted: dict[str, bool] = {}

    def save(self, owner: str, made: Run | Sweep, group: object | None = None, *, instead: bool = False) -> None:
        """Save it soon. Within a group (an object, the same for a run that goes on) the longer run takes the shorter
        one's place; a branch, whose earlier rounds are not all the same, is kept beside it.

        Args:
            instead: it takes the earlier one's place whatever its rounds are: a person chose another picture of one.
        """
        with self._lock:
            before = self._last.get(group) if group is not None else None
            rounds = made.rounds if isinstance(made, Run) else ()
            if before is not None and begins_with(before.rounds, rounds) and len(before.rounds) == len(rounds):
                return
            goes_on = before is not None and (instead or begins_with(before.rounds, rounds))
            key = self._pool.submit(self._write, owner, made, before.key if goes_on and before else None)
            if group is not None:
                self._last[group] = _Saved(rounds, key)

    def _write(self, owner: str, made: Run | Sweep, earlier: "Future[str | None] | None") -> str | None:
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

    def star(self, owner: str, group: object, starred: bool) -> bool:
        """Pin what was last saved of a group, or unpin it; waits for it. False: nothing was.

        Raises:
            UserError: too much is pinned already.
        """
        with self._lock:
            saved = self._last.get(group)
        key = saved.key.result() if saved is not None else None
        if key is None:
            return False
        self.history.pin(key, owner, starred)
        return True

    def metadata(self, owner: str) -> bool:
        """Whether the owner wants settings inside saved PNGs: as they said last, where the disk does not tell."""
        if len(self._wanted) > MAX_OWNERS:
            self._wanted.clear()
        try:
            self._wanted[owner] = self.history.metadata(owner)
        except UserError as error:
            log.warning("a preference was not read: %s", error)
            self._trouble[owner] = f"Nothing is kept now: {error}"
        return self._wanted.get(owner, True)

    def settle(self) -> None:
        """Wait until everything handed over so far is on disk."""
        self._pool.submit(lambda: None).result()

    def trouble(self, owner: str) -> str | None:
        """The sentence that says why the owner's last run was not kept."""
        return self._trouble.get(owner)


def begins_with(shorter: tuple[Round, ...], longer: tuple[Round, ...]) -> bool:
    """Whether the longer one begins with the very rounds of the shorter one."""
    return len(shorter) <= len(longer) and all(a is b for a, b in zip(shorter, longer, strict=False))
