"""Requests to a server that a user named by its address: the path joined rightly, and nothing sent to another host.

A reply is read up to a number of bytes, after unpacking too, and within the time that the caller has. Hugging Face's
offline mode does not hold for these servers: they may well be on this machine.
"""

import base64
import contextlib
import json
import socket
import ssl
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

import httpx2

from emofeedback.errors import UserError
from emofeedback.redaction import hide_in_logs, secrets_of
from emofeedback.servers.patience import ServerFailed, StatusError, Unreadable, host_of, retry_after
from emofeedback.servers.stopping import this_call
from emofeedback.servers.visitor_addresses import outside_address
from emofeedback.servers.words import quoted, words_of

MAX_REDIRECTS = 3
MAX_REPLY = 2 * 2**20
"""Bytes of a reply in JSON; 200 words with their log-probabilities take a twentieth of it."""
MAX_PICTURE = 64 * 2**20
MAX_ERROR = 64 * 2**10
"""Bytes of an error's text that are read."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply whose status is no error."""

    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """The content as JSON.

        Raises:
            Unreadable: it is none, nests too deep, or holds NaN or Infinity.
        """
        try:
            return json.loads(self.content.decode("utf-8-sig"), parse_constant=_reject)
        except (ValueError, RecursionError):
            raise Unreadable(f"no JSON but {quoted(words_of(self.content))}") from None


@dataclass(frozen=True, slots=True)
class Door:
    """How a server may be reached.

    Args:
        outside: only on the public internet: a visitor named it, on a host that serves others. Its name is looked up
            once for each request, and the address that was checked is the one that is connected to.
        most: bytes of a reply.
    """

    outside: bool = False
    most: int = MAX_REPLY


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


def send(
    method: str,
    url: str,
    headers: Mapping[str, str],
    seconds: float,
    body: Any = None,
    door: Door = Door(),
) -> Reply:
    """The server's reply. A redirect is followed on the same server only: what is sent is meant for that one.

    Args:
        url: without user and password; they would be logged.
        body: sent as JSON; bytes as they are.

    Raises:
        UserError: the server points to another one, or lies inside where it may not.
        StatusError: the status is an error.
        ServerFailed: the reply is too long.
        TimeoutError, OSError, httpx2.HTTPError: no whole reply came in time.
    """
    hide_in_logs()
    secrets = (*_keys(headers.get("Authorization", "")), *secrets_of(url))
    end = time.monotonic() + seconds
    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Accept-Encoding": "identity", "User-Agent": "emofeedback", **headers}
    if content is not None:
        given.setdefault("Content-Type", "application/json")
    address = outside_address(url) if door.outside else None
    with httpx2.Client(timeout=seconds, verify=_certificates(), follow_redirects=False) as client:
        for _ in range(MAX_REDIRECTS + 1):
            request = client.build_request(method, url, content=content, headers=given)
            if address is not None:
                _aim(request, address)
            request.extensions["trace"] = _closed_when_given_up
            response = client.send(request, stream=True)
            where = response.headers.get("location")
            if not 300 <= response.status_code < 400 or not where:
                return _read(response, door.most, end, secrets)
            response.close()
            target = urljoin(url, where)
            if _origin(target) != _origin(url):
                raise UserError(
                    f"The server at {host_of(url)} points to {host_of(target)}, where neither key nor picture is sent; "
                    "give that address itself if you trust it."
                )
            url = bare(target)
    raise UserError(f"The server at {host_of(url)} points from one address to the next; give its last one.")


def _aim(request: httpx2.Request, address: str) -> None:
    """Connect to this address; Host header, the server's name in TLS and its certificate stay those of the URL."""
    if request.url.host != address:
        request.extensions["sni_hostname"] = request.url.host
        request.url = request.url.copy_with(host=address)


def _closed_when_given_up(event: str, info: Mapping[str, Any]) -> None:
    """Of httpx2's "trace" extension: close the connection when nobody waits any more, so that the server stops too."""
    if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
        plug = info["return_value"].get_extra_info("socket")

        def unplug() -> None:
            with contextlib.suppress(OSError):
                plug.shutdown(socket.SHUT_RDWR)

        this_call().on_give_up(unplug)


def _keys(authorized: str) -> tuple[str, ...]:
    """The secrets of an Authorization header: a server may say them again."""
    kind, _, value = authorized.partition(" ")
    if kind != "Basic":
        return (value,)
    pair = base64.b64decode(value).decode("utf-8", "replace")
    return value, pair, pair.partition(":")[2]


def _read(response: httpx2.Response, most: int, end: float, secrets: Iterable[str]) -> Reply:
    try:
        failed = response.status_code >= 300
        content = _content(response, MAX_ERROR if failed else most, end)
        if failed:
            wait = retry_after(response.headers.get("retry-after"))
            raise StatusError(response.status_code, words_of(content[:MAX_ERROR], secrets), wait)
        if len(content) > most:
            raise ServerFailed(f"a reply of more than {most / 2**20:g} MB", "it is no reply of a model; choose another")
        return Reply(response.headers, content)
    finally:
        response.close()


def _content(response: httpx2.Response, most: int, end: float) -> bytes:
    """The body, unpacked, or its first `most` + 1 bytes."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", ""):
        raise Unreadable(f"a reply packed with {quoted(coding)}, which was not asked for")
    unpack = zlib.decompressobj(31) if coding == "gzip" else None
    found = bytearray()
    for part in response.iter_raw():
        if time.monotonic() > end:
            raise TimeoutError
        try:
            found += part if unpack is None else unpack.decompress(part, most + 1 - len(found))
        except zlib.error:
            raise Unreadable("a reply that cannot be unpacked") from None
        if len(found) > most:
            break
    return bytes(found[: most + 1])


@cache
def _certificates() -> ssl.SSLContext:
    """Certificates of this machine's clients; read once, since a client is made for each request."""
    return httpx2.create_ssl_context()


def _reject(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
