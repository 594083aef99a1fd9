"""What stands behind the page: the models (loaded once), the visitors, and work that can be stopped."""

import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.continuum import Continuity
from emofeedback.errors import Cancelled, UserError
from emofeedback.loop import attempt_of
from emofeedback.protocols import Generator, Judge
from emofeedback.records import Attempt, Edit, Round

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])

MODELS = "models"
"""Every listener that touches the models carries this concurrency id: one at a time."""
MAX_SEED = 2**31 - 1


class Models:
    """The generator and the judge, loaded once on a thread of their own; `lock` guards their use."""

    def __init__(self, load: Callable[[], tuple[Generator, Judge]]) -> None:
        self.lock = threading.Lock()
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
            self._pair = self._load()
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

    def peek(self) -> tuple[Generator, Judge] | None:
        """The pair if it is there already."""
        return self._pair

    def get(self) -> tuple[Generator, Judge]:
        """The pair; waits until it is loaded.

        Raises:
            UserError: it could not be loaded.
        """
        self._done.wait()
        if self._pair is None:
            raise self._error or UserError("The models could not be loaded.")
        return self._pair


@dataclass(eq=False)
class Visit:
    """One browser tab: its files, the stop signal of its work, and the rounds of its run so far."""

    folder: Path
    cancel: threading.Event = field(default_factory=threading.Event)
    running: bool = False
    preview_wanted: bool = True
    target: Affect | None = None
    rounds: list[Round] = field(default_factory=list)
    edits: list[tuple[Edit, ...]] = field(default_factory=list)  # for each round, those that led to its prompt
    runs: int = 0
    figures: dict[str, Continuity] = field(default_factory=dict)  # of the last sheet
    gone: bool = False  # the browser tab was closed
    dress: Callable[["Visit"], None] | None = None  # puts the visitor's adapter on the generator, or takes it off

    def begin(self, target: Affect) -> None:
        """Forget the last run and open a folder for the next."""
        self.runs += 1
        self.target = target
        self.rounds, self.edits = [], []

    def files(self) -> Path:
        """The folder of the run at hand."""
        folder = self.folder / f"run-{self.runs:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def history(self) -> list[Attempt]:
        """What a judge is shown of the rounds so far."""
        return [attempt_of(done, edits) for done, edits in zip(self.rounds, self.edits, strict=True)]

    @contextmanager
    def work(self) -> Iterator[threading.Event]:
        """Mark the visitor as busy and hand out a fresh stop signal; to be entered under the models' lock."""
        self.cancel = threading.Event()
        self.running = True
        try:
            if self.dress is not None:
                self.dress(self)
            yield self.cancel
        finally:
            self.running = False
            self.cancel.set()


class Visits:
    """All visitors by session; what one does is not seen by another."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root
        self.dress: Callable[[Visit], None] | None = None
        self._lock = threading.Lock()
        self._visits: dict[str, Visit] = {}

    def of(self, request: gr.Request | None) -> Visit:
        """The visitor behind a request; a call without a session gets a visit of its own."""
        key = getattr(request, "session_hash", None)
        with self._lock:
            if key is None or key not in self._visits:
                visit = Visit(Path(tempfile.mkdtemp(prefix="emofeedback-", dir=self._root)), dress=self.dress)
                if key is None:
                    return visit
                self._visits[key] = visit
            return self._visits[key]

    def leave(self, request: gr.Request) -> None:
        """Stop the visitor's work and drop their files."""
        with self._lock:
            visit = self._visits.pop(request.session_hash or "", None)
        if visit is not None:
            visit.gone = True
            visit.cancel.set()
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
