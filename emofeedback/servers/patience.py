"""Asking servers with patience: a deadline for each answer, tries with growing pauses, keys that are never logged."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from huggingface_hub.errors import HfHubHTTPError, HTTPError

from emofeedback.errors import UserError
from emofeedback.redaction import redacted

logger = logging.getLogger(__name__)
T = TypeVar("T")


class ServerFailed(Exception):
    """No usable answer within the deadline and the tries."""


class Refused(Exception):
    """The server does not take this kind of request (400, 413, 415, 422): ask in another way."""


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
            check: told the status and message of an HTTP error; raises where another try is no use.

        Raises:
            ServerFailed: no usable answer came in time.
        """
        begun = self.clock()
        reason = "no answer"
        for attempt in range(self.tries):
            left = self.deadline - (self.clock() - begun)
            if left <= 0:
                break
            wait = self.pause * 2**attempt
            try:
                return within(left, lambda left=left: request(left))  # type: ignore[misc]
            except HfHubHTTPError as error:
                status = error.response.status_code
                check(status, str(error))
                reason = f"status {status}"
                wait = max(wait, _retry_after(error))
            except TimeoutError:
                reason = f"no answer within {self.deadline:g} s"
                break
            except (HTTPError, OSError) as error:
                reason = f"connection failed: {type(error).__name__}"
            except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
                reason = f"half a reply: {type(error).__name__}"
            left = self.deadline - (self.clock() - begun)
            if attempt + 1 == self.tries or wait >= left:
                break
            logger.info("%s: %s; trying again in %.1f s", host, reason, wait)
            self.sleep(wait)
        logger.warning("%s: given up (%s)", host, reason)
        raise ServerFailed(reason)


def check_status(host: str, model: str, status: int, key_variable: str) -> None:
    """Raise where an HTTP status says that another try is no use.

    Raises:
        Refused: the server does not take such a request.
        UserError: the key, the address or the model's name is wrong.
    """
    if status in (401, 403):
        raise UserError(f"{host} refuses the key (status {status}); set {key_variable} to one it takes.")
    if status == 404:
        raise UserError(f"{host} knows no model {model!r} or no such address; check both.")
    if status in (400, 413, 415, 422):
        raise Refused(f"status {status}")
    if status < 500 and status not in (408, 409, 425, 429):
        raise UserError(f"{host} answers with status {status}; check its address.")


def host_of(url: str) -> str:
    """Host and port of an address, without user and password."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or redacted(url)}{f':{parts.port}' if parts.port else ''}"
    except ValueError:  # no address: a port that is no number, half a bracket
        return redacted(url)


def within(seconds: float, call: Callable[[], T]) -> T:
    """The call's result, or TimeoutError: a client's own limit restarts with every byte that trickles in.

    The call runs on in a thread of its own that does not keep the process alive.
    """
    box: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue()

    def work() -> None:
        try:
            box.put((call(), None))
        except BaseException as error:
            box.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        result, error = box.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _retry_after(error: HfHubHTTPError) -> float:
    """Seconds that the server asks for; 0 where it gives none."""
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0
