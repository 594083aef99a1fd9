"""Asking servers with patience: a deadline for each answer, tries with growing pauses, keys that are never logged."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

from emofeedback.errors import UserError
from emofeedback.redaction import redacted
from emofeedback.servers.stopping import pause, within
from emofeedback.servers.words import is_filtered, quoted, remedy, words_of

logger = logging.getLogger(__name__)
T = TypeVar("T")

START_IT = "start it or check its address"


class ServerFailed(Exception):
    """No usable answer within the deadline and the tries.

    Attributes:
        advice: what a person can do about it.
        timed_out: whether the whole deadline went by without an answer.
    """

    def __init__(self, reason: str, advice: str = START_IT, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.advice, self.timed_out = advice, timed_out


class Refused(Exception):
    """The server does not take this kind of request (400, 413, 415, 422): ask in another way.

    Attributes:
        words: what the server says about it; "" = nothing.
    """

    def __init__(self, reason: str, words: str = "") -> None:
        super().__init__(reason)
        self.words = words


class StatusError(Exception):
    """A reply whose HTTP status is an error.

    Attributes:
        status: the HTTP status.
        words: what the server says about it, short and without secrets; "" = nothing.
        retry_after: seconds that the server asks to wait for; 0 where it gives none.
    """

    def __init__(self, status: int, words: str, retry_after: float = 0.0) -> None:
        super().__init__(f"status {status}")
        self.status, self.words, self.retry_after = status, words, retry_after


class Unreadable(ValueError):
    """A reply that is no answer; the message says what it is, and may quote it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often a server is asked.

    Args:
        deadline: seconds for one answer, tries and pauses included.
        tries: requests for one answer.
        pause: seconds before the second try; doubled each time.
        sleep, clock: stand-ins for tests.
    """

    deadline: float = 120.0
    tries: int = 4
    pause: float = 0.5
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def ask(self, request: Callable[[float], T], host: str, check: Callable[[int, str], None]) -> T:
        """What `request(seconds left)` gives; 429, 5xx, broken connections and half replies are tried again.

        Args:
            check: told the status and the server's words of an HTTP error; raises where another try is no use.

        Raises:
            ServerFailed: no usable answer came in time.
            Cancelled: the work was stopped meanwhile (`stopping.stoppable`).
        """
        begun = self.clock()
        reason, advice = "no answer", START_IT
        for attempt in range(self.tries):
            left = self.deadline - (self.clock() - begun)
            if left <= 0:
                break
            wait, advice = self.pause * 2**attempt, START_IT
            try:
                return within(left, lambda left=left: request(left))  # type: ignore[misc]
            except OfflineModeIsEnabled:
                raise UserError(f"{host} cannot be asked while HF_HUB_OFFLINE is set; unset it.") from None
            except (StatusError, HfHubHTTPError) as failed:
                error = failed if isinstance(failed, StatusError) else _of_hub(failed)
                check(error.status, error.words)
                reason = f"status {error.status}{f', {quoted(error.words)}' if error.words else ''}"
                advice = "try again later" if error.status == 429 else "see what its log says"
                wait = max(wait, error.retry_after)
            except TimeoutError:
                reason = f"no answer within {self.deadline:g} s"
                logger.warning("%s: %s", host, reason)
                raise ServerFailed(reason, timed_out=True) from None
            except (HTTPError, OSError) as error:
                reason = f"connection failed: {type(error).__name__}"
            except Unreadable as error:
                reason, advice = f"half a reply: {error}", "check that its address is that of a model server"
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
                reason = f"half a reply: {type(error).__name__}"
            left = self.deadline - (self.clock() - begun)
            if attempt + 1 == self.tries or wait >= left:
                break
            logger.info("%s: %s; trying again in %.1f s", host, reason, wait)
            pause(wait, self.sleep)
        logger.warning("%s: given up (%s)", host, reason)
        raise ServerFailed(reason, advice)


def check_status(host: str, model: str, status: int, key_variable: str, words: str = "", chat: bool = True) -> None:
    """Raise where an HTTP status says that another try is no use.

    Args:
        words: what the server says about it.
        chat: whether it is one that reads and writes; else it draws.

    Raises:
        Refused: the server does not take such a request.
        UserError: the key, the address, the model's name or the way that it is run is wrong.
    """
    said = f", {quoted(words)}" if words else ""
    if (mend := remedy(status, words, chat)) is not None and not is_filtered(words):
        raise UserError(f"{host} refuses (status {status}{said}): {mend}.")
    if status in (401, 403) and not is_filtered(words):
        raise UserError(f"{host} refuses the key (status {status}{said}); set {key_variable} to one it takes.")
    if status == 404:
        raise UserError(f"{host} knows no model {model!r} or no such address{said}; check both.")
    if status in (400, 403, 413, 415, 422) or (is_filtered(words) and status != 429):
        raise Refused(f"status {status}{said}", words)
    if status < 500 and status not in (408, 409, 425, 429):
        raise UserError(f"{host} answers with status {status}{said}; check its address.")


def host_of(url: str) -> str:
    """Host and port of an address, without user and password."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or redacted(url)}{f':{parts.port}' if parts.port else ''}"
    except ValueError:  # no address: a port that is no number, half a bracket
        return redacted(url)


def retry_after(value: str | None) -> float:
    """Seconds of a Retry-After header; 0 where there is none, or it is a date."""
    try:
        return max(0.0, float(value or "0"))
    except ValueError:
        return 0.0


def _of_hub(error: HfHubHTTPError) -> StatusError:
    response = error.response
    try:
        content = response.content
    except Exception:  # a streamed body that was not read
        content = b""
    return StatusError(response.status_code, words_of(content), retry_after(response.headers.get("retry-after")))
