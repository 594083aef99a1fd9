"""What the page works with: the models (loaded once), the visitors, and work that can be stopped."""

import logging
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from emofeedback.deploy.models import LoadedModels
from emofeedback.errors import Cancelled, UserError
from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.storage import png_bytes
from emofeedback.protocols import Generator, Judge, Upscaler
from emofeedback.records import Picture, Reading, Run
from emofeedback.sweep.plane import Continuity
from emofeedback.sweep.run_sweep import Sweep
from emofeedback.ui.history.history_owner import owner_of
from emofeedback.ui.history.history_writer import HistoryWriter
from emofeedback.ui.limits import Hosting, TimeLimit
from emofeedback.ui.turns import Turns

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])

MODELS = "models"
"""Every listener that touches the models carries this concurrency id; whose turn it is says `Models.lock`."""
PLACES = 32
"""Listeners that wait for their turn at the models, have it or are away; others wait in the page's queue."""
HEAVY: dict[str, Any] = {"concurrency_id": MODELS, "concurrency_limit": PLACES}
MAX_WORDS = 2000
"""Characters of a prompt."""
GRACE, KEPT = 20.0, 1800.0
"""Seconds after a browser tab has left until its work stops, and until its files go: a reload comes back before."""
_TAB = re.compile(r"[0-9a-f]{32}")
IDLE, IDLE_PROGRAM = 24 * 3600.0, 3600.0
"""Seconds after which an idle visit is forgotten: of a page, and of a program, which never says good-bye."""


class Models:
    """The generator and the judge, loaded once on a thread of their own; `lock` guards their use, see `models_turn`.

    With `loaded_models` they are whatever is in them, which is loaded again when it was unloaded.
    """

    def __init__(self, load: Callable[[], tuple[Generator, Judge]], loaded_models: LoadedModels | None = None) -> None:
        self.lock = Turns()
        self.long_work = threading.Lock()  # held by the one job that gives others turns of `lock`
        self.most_waiting: int | None = None  # works in the line of `lock`
        self.loaded_models = loaded_models
        self._load = load
        self._done = threading.Event()
        self._pair: tuple[Generator, Judge] | None = None
        self._error: UserError | None = None
        self._thread = threading.Thread(target=self._work, name="load-models", daemon=True)

    def start(self) -> None:
        """Begin to load; returns at once."""
        self._thread.start()

    def _work(self) -> None:
        try:
            pair = self._load()
            self._pair = pair if self.loaded_models is None else None  # else they are held there alone
        except UserError as error:
            self._error = error
        except Exception:
            log.exception("the models could not be loaded")
            self._error = UserError("The models could not be loaded; the log of the app says why.")
        finally:
            self._done.set()

    def trouble(self, wait: float) -> str | None:
        """The sentence that says why there are no models, as soon as that is known within `wait` seconds."""
        self._done.wait(wait)
        return None if self._error is None else str(self._error)

    @property
    def loading(self) -> bool:
        """Whether they are still being loaded for the first time."""
        return not self._done.is_set()

    def peek(self) -> tuple[Generator, Judge] | None:
        """The pair if it is there already."""
        return self._pair if self.loaded_models is None else self.loaded_models.peek()

    def get(self) -> tuple[Generator, Judge]:
        """The pair; waits until it is loaded.

        Raises:
            UserError: it could not be loaded.
        """
        self._done.wait()
        if self.loaded_models is not None:
            return self.loaded_models.pair()
        if self._pair is None:
            raise self._error or UserError("The models could not be loaded.")
        return self._pair


@dataclass(eq=False)
class Visit:
    """One browser tab: its files, and the stop signals of its works."""

    folder: Path
    works: list[tuple[str, threading.Event]] = field(default_factory=list)  # what waits or runs: kind, stop signal
    runs: int = 0
    figures: dict[str, Continuity] = field(default_factory=dict)  # of the last sheet
    gone: bool = False  # the browser tab was closed
    user: str = "unknown"
    time_limit: TimeLimit = field(default_factory=lambda: TimeLimit(None))
    used: float = field(default_factory=time.monotonic)
    left: float | None = None  # when the browser tab left last
    paged: bool = False  # a browser shows the page; otherwise a program calls the API
    apply_adapter: Callable[["Visit"], None] | None = None  # puts their adapter on, or the host's
    owner: str | None = None  # under whose name runs are saved; None = nobody's, they are not
    writer: HistoryWriter | None = None
    upscaler: Callable[[], Upscaler | None] | None = None  # of the generator at hand
    upscale: bool = True  # this visitor's switch

    @property
    def large(self) -> LargePictures:
        """In which size this visitor sees and keeps pictures."""
        return LargePictures(self.upscaler() if self.upscale and self.upscaler is not None else None)

    tab: str | None = None  # the browser tab's own name, by which it comes back after a reload

    def save(self, made: Run | Sweep, group: object | None = None, *, instead: bool = False) -> None:
        """Put a run or a sweep into the visitor's history; returns at once, what goes wrong is told there.

        Args:
            group: the same object for a run that goes on: the longer one then takes the shorter one's place.
            instead: this one takes that place though it is no longer, see `HistoryWriter.save`.
        """
        if self.owner is not None and self.writer is not None:
            self.writer.save(self.owner, made, group, instead=instead)

    @property
    def plain(self) -> bool:
        """Whether this visitor's PNGs shall tell nothing of how they were made (the switch in History)."""
        return self.owner is not None and self.writer is not None and not self.writer.metadata(self.owner)

    def png(
        self, picture: Picture, reading: Reading | None = None, settings: Mapping[str, object] | None = None
    ) -> bytes:
        """A picture as this visitor wants their files: with its settings and its run's inside, or without."""
        return png_bytes(picture, reading, metadata=not self.plain, settings=settings)

    def files(self) -> Path:
        """The folder of the run at hand."""
        folder = self.folder / f"run-{self.runs:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def fresh(self) -> Path:
        """A folder of its own, for files that are written while others of this visitor may be written too."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="files-", dir=self.folder))

    @property
    def running(self) -> bool:
        """Whether any work of theirs waits for the models or runs."""
        return bool(self.works)

    def begins(self, kind: str) -> threading.Event:
        """A work waits or runs from now on; its stop signal."""
        stop = threading.Event()
        self.works.append((kind, stop))
        return stop

    def ends(self, stop: threading.Event) -> None:
        """The work with this stop signal is over."""
        for work in list(self.works):
            if work[1] is stop:
                self.works.remove(work)
        self.used = time.monotonic()
        stop.set()

    def stop(self, *kinds: str) -> None:
        """Stop the works of these kinds, waiting and running; of all kinds where none is named."""
        for kind, stop in list(self.works):
            if not kinds or kind in kinds:
                stop.set()


class Visits:
    """All visitors by session; what one does is not seen by another."""

    def __init__(self, root: Path | None = None, hosting: Hosting | None = None) -> None:
        self._root = root
        self.hosting = hosting or Hosting()
        self.time_limit = TimeLimit(self.hosting.minutes_per_hour)
        self.apply_adapter: Callable[[Visit], None] | None = None
        self.writer: HistoryWriter | None = None
        self.upscaler: Callable[[], Upscaler | None] | None = None
        self._lock = threading.Lock()
        self._visits: dict[str, Visit] = {}
        self._tabs: dict[tuple[str, str | None], Visit] = {}  # (name of the browser tab, owner)

    def of(self, request: gr.Request | None) -> Visit:
        """The visitor behind a request; a call without a session gets a visit of its own."""
        key = getattr(request, "session_hash", None)
        with self._lock:
            if key is None or key not in self._visits:
                folder = Path(tempfile.mkdtemp(prefix="emofeedback-", dir=self._root))
                visit = Visit(
                    folder,
                    time_limit=self.time_limit,
                    apply_adapter=self.apply_adapter,
                    owner=owner_of(request),
                    writer=self.writer,
                    upscaler=self.upscaler,
                )
                if key is None:
                    return visit
                self._forget_idle()
                self._visits[key] = visit
            visit = self._visits[key]
            visit.used, visit.user = time.monotonic(), self.hosting.user(request)
            visit.owner = owner_of(request)
            return visit

    def arrive(self, request: gr.Request, tab: str | None = None) -> Visit:
        """A browser has loaded the page.

        Args:
            tab: the browser tab's own name, 32 hexadecimal digits; one that was here before, under the same owner, has
                its visit again.
        """
        known = isinstance(tab, str) and _TAB.fullmatch(tab) is not None
        visit, key = self.of(request), request.session_hash or ""
        if known and tab is not None:
            with self._lock:
                before = self._tabs.setdefault((tab, visit.owner), visit)
                if before is not visit and not before.gone:
                    self._visits[key] = before
                    shutil.rmtree(visit.folder, ignore_errors=True)
                    visit = before
                else:
                    self._tabs[tab, visit.owner] = visit
                visit.tab = tab
        visit.paged, visit.used = True, time.monotonic()
        return visit

    def _forget_idle(self) -> None:
        """Drop visits that have done nothing for long."""
        now = time.monotonic()
        for key, visit in list(self._visits.items()):
            if not visit.running and now - visit.used > (IDLE if visit.paged else IDLE_PROGRAM):
                del self._visits[key]
                self._drop(visit)

    def over(self, session: str) -> None:
        """A program's call that had a session for itself has ended: its visit goes, with its files."""
        with self._lock:
            visit = self._visits.get(session)
            if visit is not None and not visit.paged and not visit.running:
                del self._visits[session]
                self._drop(visit)

    def leave(self, request: gr.Request) -> None:
        """The page was closed: stop the visitor's work and drop their files; soon, where it may be loaded again.

        A program whose call is at work has not left: on a busy machine its sign of life may come late, and where it
        does go away the call is closed.
        """
        with self._lock:
            visit = self._visits.get(request.session_hash or "")
            if visit is not None and visit.running and not visit.paged:
                return
            self._visits.pop(request.session_hash or "", None)
            if visit is None or visit in self._visits.values():  # two pages may show one tab's visit
                return
            if visit.tab is None:
                visit.stop()
                self._drop(visit)
                return
        left = visit.left = time.monotonic()
        for seconds, act in ((GRACE, visit.stop), (KEPT, lambda: self._drop(visit))):
            timer = threading.Timer(seconds, self._unless_back, (visit, left, act))
            timer.daemon = True
            timer.start()

    def _unless_back(self, visit: Visit, left: float, act: Callable[[], None]) -> None:
        with self._lock:
            if visit not in self._visits.values() and visit.left == left:  # it has not come back and left again
                act()

    def _drop(self, visit: Visit) -> None:
        """Forget a visit; called under the lock."""
        self._tabs = {name: known for name, known in self._tabs.items() if known is not visit}
        visit.gone = True
        shutil.rmtree(visit.folder, ignore_errors=True)


def notice(error: Exception) -> gr.Error:
    """Any error as a notice on the page: the sentence of a `UserError`, otherwise a general one and a log entry."""
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, UserError):
        sentence = str(error)
    elif isinstance(error, Cancelled):
        sentence = "Stopped."
    else:
        log.error("a request failed", exc_info=error)
        sentence = "This did not work; the log of the app says why."
    safe = sentence.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return gr.Error(safe, title="Please check", print_exception=False)


def friendly(function: F) -> F:
    """Turn errors of a handler into notices; keeps the signature, which Gradio reads."""

    @wraps(function)
    def handler(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise notice(error) from error

    return handler  # type: ignore[return-value]


def friendly_stream(function: F) -> F:
    """The same for a handler that yields."""

    @wraps(function)
    def handler(*args: Any, **kwargs: Any) -> Any:
        try:
            yield from function(*args, **kwargs)
        except Exception as error:
            raise notice(error) from error

    return handler  # type: ignore[return-value]
