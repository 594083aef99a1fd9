"""Sharing one machine among many: who is who, what each may take, and the rules of a public host."""

import hmac
import ipaddress
import json
import secrets
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from emofeedback.errors import UserError
from emofeedback.finetuning.order import FinetuneOrder
from emofeedback.protocols import Judge
from emofeedback.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import gradio as gr

    from emofeedback.finetuning.job import FinetuneJob

Scope = MutableMapping[str, Any]
Asgi = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
OpenJob = Callable[[FinetuneOrder, Judge, Path], "FinetuneJob"]
"""Makes a job in a folder; called on the job's thread, so it may import and load what is heavy."""

HOUR = 3600.0
PUBLIC_JOBS, PUBLIC_MINUTES, PUBLIC_UPLOAD_MB, PUBLIC_FINETUNE = 3, 10.0, 8, 0.0
PRIVATE_UPLOAD_MB = 32
PUBLIC_UPLOADS, PUBLIC_TOTAL_MB = 20, 2048
"""Files of the largest size that one user may upload within an hour, and what all uploads together may take."""
PUBLIC_PICTURE_STEPS = 4000
"""Pictures times denoising steps of one call."""
CALLER = "x-emofeedback-caller"
"""Header by which the page's own MCP server says for whom it calls."""
UPLOAD_RULE = (
    "This is a shared host. Upload only pictures that are yours to share and that show nobody without their consent. "
    "They are read here, kept for a day at most, and never used for training."
)


@dataclass(frozen=True, slots=True)
class Hosting:
    """The rules of one host; None = no limit.

    Args:
        public: strangers reach it.
        proxied: behind a proxy whose X-Forwarded-For tells the visitor's address.
        jobs_per_user: queued and running at once.
        minutes_per_hour: of work of the models for one user; the job that passes the limit still ends.
        finetune_minutes: the longest fine-tuning job; 0 = none at all.
        queue_size: jobs of all users that may wait.
        max_upload_mb: of one file.
        uploads_mb_per_hour: of one user.
        total_uploads_mb: of all files that lie here.
        picture_steps: pictures times denoising steps of one call.
        local: only the person at this machine reaches it, by the machine's own names.
        token: what proves that the page's own MCP server calls.
    """

    public: bool = False
    proxied: bool = False
    jobs_per_user: int | None = None
    minutes_per_hour: float | None = None
    finetune_minutes: float | None = None
    queue_size: int = 64
    max_upload_mb: int = PRIVATE_UPLOAD_MB
    uploads_mb_per_hour: int | None = None
    total_uploads_mb: int | None = None
    picture_steps: int | None = None
    local: bool = False
    token: str = field(default_factory=secrets.token_hex, repr=False, compare=False)

    @classmethod
    def of(cls, settings: Settings, local: bool = False) -> "Hosting":
        """The rules that settings ask for; on a public host what is not set is limited.

        Args:
            local: nobody else reaches the host (see `serves_others`).
        """
        public = settings.public

        def rule(given: Any, private: Any, shared: Any) -> Any:
            return given if given is not None else (shared if public else private)

        upload = rule(settings.max_upload_mb, PRIVATE_UPLOAD_MB, PUBLIC_UPLOAD_MB)
        return cls(
            public=public,
            proxied=settings.proxied,
            jobs_per_user=rule(settings.jobs_per_user, None, PUBLIC_JOBS),
            minutes_per_hour=rule(settings.minutes_per_hour, None, PUBLIC_MINUTES),
            finetune_minutes=rule(settings.finetune_minutes, None, PUBLIC_FINETUNE),
            queue_size=rule(settings.queue_size, 64, 64),
            max_upload_mb=upload,
            uploads_mb_per_hour=PUBLIC_UPLOADS * upload if public else None,
            total_uploads_mb=PUBLIC_TOTAL_MB if public else None,
            picture_steps=PUBLIC_PICTURE_STEPS if public else None,
            local=local and not public,
        )

    def user(self, request: Any) -> str:
        """Who is behind a request: the name they logged in with, or their address.

        Behind a proxy the last public address of X-Forwarded-For counts: anybody can write what is left of it.
        """
        name = getattr(request, "username", None)
        if name:
            return f"name:{name}"
        proof, _, caller = str(_headers(request).get(CALLER, "")).partition(":")
        if caller and hmac.compare_digest(proof.encode(), self.token.encode()):
            return caller
        if self.proxied:
            for part in reversed(str(_headers(request).get("x-forwarded-for", "")).split(",")):
                try:
                    address = ipaddress.ip_address(part.strip())
                except ValueError:
                    continue
                if address.is_global:
                    return str(address)
        client = getattr(request, "client", None)
        return str(getattr(client, "host", "unknown"))

    def check_work(self, pictures: int, steps: int) -> None:
        """Refuse a call that would keep the models from everybody for long.

        Args:
            steps: denoising steps of each picture.

        Raises:
            UserError: it is more than the host gives to one call.
        """
        if self.picture_steps is not None and pictures * steps > self.picture_steps:
            raise UserError(
                f"{pictures} pictures of {steps} steps are too much for one call on this host; ask for fewer pictures, "
                f"or for at most {max(1, self.picture_steps // pictures)} steps."
            )

    def job_opener(self, open_job: OpenJob | None) -> OpenJob | None:
        """`open_job` within the limit of this host; None where there is no fine-tuning."""
        limit = self.finetune_minutes
        if open_job is None or limit == 0:
            return None
        if limit is None:
            return open_job

        def limited(order: FinetuneOrder, judge: Judge, out: Path) -> "FinetuneJob":
            if order.minutes is None or order.minutes > limit:
                raise UserError(f"Fine-tuning on this host may take {limit:g} minutes; set minutes to that or less.")
            return open_job(order, judge, out)

        return limited


def serves_others(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether more than the person at this machine reaches the studio, as far as its settings and gradio's tell."""
    if settings.public or settings.proxied or environ.get("SPACE_ID") or environ.get("GRADIO_ROOT_PATH"):
        return True
    if environ.get("GRADIO_SHARE", "").lower() in ("1", "true"):
        return True
    name = environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"
    try:
        return not ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name.lower() != "localhost"


@dataclass
class MeteredWork:
    """One job of a user: seconds within it that it left the models to others."""

    waited: float = 0.0


class TimeLimit:
    """How long the models worked for each user within the last hour."""

    def __init__(self, minutes_per_hour: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = None if minutes_per_hour is None else 60 * minutes_per_hour
        self.clock = clock
        self._lock = Lock()
        self._spent: dict[str, deque[tuple[float, float]]] = {}  # user: (when it ended, seconds)

    def left(self, user: str) -> float:
        """Seconds of work that the user may still ask for; infinite without a limit."""
        if self.limit is None:
            return float("inf")
        with self._lock:
            return self.limit - sum(seconds for _, seconds in self._recent(user))

    def _recent(self, user: str) -> deque[tuple[float, float]]:
        now = self.clock()
        for name in list(self._spent):
            while self._spent[name] and self._spent[name][0][0] < now - HOUR:
                self._spent[name].popleft()
            if not self._spent[name]:
                del self._spent[name]
        return self._spent.get(user, deque())

    @contextmanager
    def work(self, user: str) -> "Iterator[MeteredWork]":
        """Measure one job; what it tells to have waited does not count.

        Raises:
            UserError: the user's hour is used up.
        """
        if self.limit is not None and self.left(user) <= 0:
            with self._lock:
                oldest = self._recent(user)[0][0]
            wait = max(1, round((oldest + HOUR - self.clock()) / 60))
            raise UserError(
                f"You have used your {self.limit / 60:g} minutes of this host's models within an hour; "
                f"go on in {wait} min, or run the studio on your own machine."
            )
        begun, job = self.clock(), MeteredWork()
        try:
            yield job
        finally:
            if self.limit is not None:
                with self._lock:
                    self._spent.setdefault(user, deque()).append((self.clock(), self.clock() - begun - job.waited))


class JobLimit:
    """ASGI middleware: turns away a job of a user who already has as many as the host allows, waiting or running."""

    def __init__(self, app: Asgi, page: "gr.Blocks", hosting: Hosting) -> None:
        self.app, self.page, self.hosting = app, page, hosting
        self._entering: Counter[str] = Counter()  # on their way into the queue: many at once are counted too

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        limit = self.hosting.jobs_per_user
        if limit is not None and scope["type"] == "http" and scope["method"] == "POST" and _joins(scope["path"]):
            from starlette.requests import Request  # comes with gradio

            user = self.hosting.user(Request(scope))
            if jobs_of(self.page, self.hosting, user) + self._entering[user] >= limit:
                jobs = "1 job" if limit == 1 else f"{limit} jobs"
                await refuse(send, f"You already have {jobs} here; wait until one is done, or stop it.")
                return
            self._entering[user] += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self._entering[user] -= 1
                if not self._entering[user]:
                    del self._entering[user]
            return
        await self.app(scope, receive, send)


def _joins(path: str) -> bool:
    """Whether a POST to a path puts something into the queue."""
    return path.endswith("/queue/join") or "/gradio_api/call/" in path


def jobs_of(page: "gr.Blocks", hosting: Hosting, user: str) -> int:
    """How many events of a user wait or run. Gradio has no public view of its queue; this is the one place."""
    queue = page._queue
    waiting = [event for line in queue.event_queue_per_concurrency_id.values() for event in line.queue]
    running = [event for jobs in queue.active_jobs if jobs for event in jobs]
    return sum(hosting.user(event.request) == user for event in {id(e): e for e in (*waiting, *running)}.values())


async def refuse(send: Callable[[Any], Awaitable[None]], sentence: str, status: int = 429) -> None:
    """Answer a request with one sentence."""
    body = json.dumps({"detail": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _headers(request: Any) -> Mapping[str, str]:
    """Those of a request; none where it did not come over HTTP."""
    return getattr(request, "headers", None) or {}
