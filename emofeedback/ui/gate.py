"""What stands before the page: which names the host answers to, who a caller is, how much may be uploaded."""

import hmac
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gradio.utils import get_upload_folder
from starlette.datastructures import Headers, MutableHeaders  # comes with gradio
from starlette.requests import Request

from emofeedback.ui.limits import CALLER, HOUR, Asgi, Hosting, Scope, refuse

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
MAX_BODY = 16 * 2**20
"""Bytes of a request that is no upload."""
MEASURED_SECONDS = 5.0
"""How long the measured size of the upload folder stands."""
FOREIGN_NAME = (
    "This studio is reached by the names of its own machine alone, such as http://localhost:7860; behind a proxy set "
    "EMOFEEDBACK_PROXIED=1."
)
CROSS_SITE = "Another web page sent this file; open the studio itself and upload it there."
TOO_LARGE = "This request is larger than what is taken here."


class Gate:
    """ASGI middleware before all others of the page."""

    def __init__(self, app: Asgi, hosting: Hosting, clock: Callable[[], float] = time.monotonic) -> None:
        self.app, self.hosting = app, hosting
        self.uploads = Uploads(hosting, clock)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self.hosting.local and host_of(headers.get("host", "")) not in LOCAL_NAMES:
            await refuse(send, FOREIGN_NAME, 421)
            return
        self._tell_caller(scope)
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        upload = scope["path"].rstrip("/").endswith("/gradio_api/upload")
        most = self.hosting.max_upload_mb * 2**20 + 2**16 if upload else MAX_BODY
        length = headers.get("content-length", "")
        size = int(length) if length.isascii() and length.isdigit() else most
        reason = None if size <= most else (413, TOO_LARGE)
        if upload and reason is None:
            reason = (403, CROSS_SITE) if cross_site(headers, self.hosting.local) else self.uploads.refusal(scope, size)
        if reason is not None:
            await refuse(send, reason[1], reason[0])
            return
        await self.app(scope, receive if length else bounded(receive, most), send)

    def _tell_caller(self, scope: Scope) -> None:
        """The MCP server calls this one again over HTTP, with the headers of its caller: who that is stands in one of
        them, which nobody else can write."""
        headers = MutableHeaders(scope=scope)
        given = headers.get(CALLER)
        if given is not None and not hmac.compare_digest(given.partition(":")[0].encode(), self.hosting.token.encode()):
            del headers[CALLER]
            given = None
        if given is None and "/gradio_api/mcp" in scope["path"]:
            headers[CALLER] = f"{self.hosting.token}:{self.hosting.user(Request({**scope, 'type': 'http'}))}"


class Uploads:
    """How much visitors have uploaded: each within the last hour, and all that still lies there."""

    def __init__(self, hosting: Hosting, clock: Callable[[], float]) -> None:
        self.hosting, self.clock = hosting, clock
        self._of: dict[str, deque[tuple[float, int]]] = {}
        self._measured: tuple[float, int] = (-1e9, 0)
        self._since = 0  # bytes taken after that

    def refusal(self, scope: Scope, size: int) -> tuple[int, str] | None:
        """Why an upload of `size` bytes is not taken; None = it is, and counts."""
        user, now = self.hosting.user(Request(scope)), self.clock()
        for name in list(self._of):
            while self._of[name] and self._of[name][0][0] < now - HOUR:
                self._of[name].popleft()
            if not self._of[name]:
                del self._of[name]
        mine, total = self.hosting.uploads_mb_per_hour, self.hosting.total_uploads_mb
        spent = sum(bytes_ for _, bytes_ in self._of.get(user, ()))
        if mine is not None and spent + size > mine * 2**20:
            return (
                429,
                f"You have uploaded {mine} MB within an hour, as much as this host takes from one; come back later.",
            )
        if total is not None and self._held(now) + size > total * 2**20:
            return 507, "This host holds as many uploads as it has room for; come back later."
        self._of.setdefault(user, deque()).append((now, size))
        self._since += size
        return None

    def _held(self, now: float) -> int:
        if now - self._measured[0] > MEASURED_SECONDS:
            self._measured, self._since = (now, folder_size(Path(get_upload_folder()))), 0
        return self._measured[1] + self._since


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    found = 0
    for where, _, files in os.walk(folder):
        for name in files:
            try:
                found += os.lstat(os.path.join(where, name)).st_size
            except OSError:
                continue
    return found


def host_of(host: str) -> str:
    """The name in a Host header or an origin, without port and brackets; "" = there is none."""
    try:
        return urlsplit(host if "//" in host else f"//{host}").hostname or ""
    except ValueError:
        return ""


def cross_site(headers: Headers, local: bool) -> bool:
    """Whether a web page of another site sent a request.

    Args:
        local: the host has no other names than this machine's; only then can an old browser's Origin be judged.
    """
    told = headers.get("sec-fetch-site")
    if told is not None:
        return told == "cross-site"
    origin = headers.get("origin")
    return local and origin is not None and host_of(origin) not in LOCAL_NAMES


def bounded(receive: Callable[[], Any], most: int) -> Callable[[], Any]:
    """`receive` of a request that does not tell its length: the caller is cut off after so many bytes."""
    got = 0

    async def receiving() -> Any:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        return {"type": "http.disconnect"} if got > most else message

    return receiving


def no_trust_in_peers() -> None:
    """Who calls is whom the connection comes from: uvicorn otherwise believes X-Forwarded-For from this machine."""
    os.environ.setdefault("FORWARDED_ALLOW_IPS", "")
