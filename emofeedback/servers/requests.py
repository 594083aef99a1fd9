"""Requests to a server that a user named by its address: the path joined rightly, and nothing sent to another host."""

import base64
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from huggingface_hub import get_session

from emofeedback.errors import UserError
from emofeedback.redaction import hide_in_logs
from emofeedback.servers.patience import host_of

MAX_REDIRECTS = 3


def base_of(url: str, tail: str = "") -> str:
    """A server's base as OpenAI's clients take it, with the rest of a path before the query; no user and password.

    http://host:port alone stands for its /v1.
    """
    parts = urlsplit(bare(url))
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return urlunsplit(parts._replace(path=path + tail))


def bare(url: str) -> str:
    """An address without user, password and fragment."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def authorization(url: str, key: str | None) -> dict[str, str]:
    """The header for a server: user and password where its address has them, else the key as a bearer token."""
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"}
    return {"Authorization": f"Bearer {key}"} if key else {}


def send(method: str, url: str, headers: dict[str, str], seconds: float, body: dict[str, Any] | None = None) -> Any:
    """The server's response. A redirect is followed on the same server only: what is sent is meant for that one.

    Args:
        url: without user and password; they would be logged.

    Raises:
        UserError: the server points to another one.
    """
    hide_in_logs()
    for _ in range(MAX_REDIRECTS + 1):
        reply = get_session().request(method, url, json=body, headers=headers, timeout=seconds, follow_redirects=False)
        where = reply.headers.get("location")
        if not 300 <= reply.status_code < 400 or not where:
            return reply
        target = urljoin(url, where)
        if _origin(target) != _origin(url):
            raise UserError(
                f"The server at {host_of(url)} points to {host_of(target)}, where neither key nor picture is sent; "
                "give that address itself if you trust it."
            )
        url = target
    raise UserError(f"The server at {host_of(url)} points from one address to the next; give its last one.")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
