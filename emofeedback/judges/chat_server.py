"""Questions with pictures to a chat server: OpenAI-compatible (vLLM, llama.cpp, ...) or hosted through Hugging Face.

Every answer has a deadline. 429, 5xx, broken connections and half replies are tried again after a growing pause; what
the server refuses outright is not. Keys are sent and never logged.
"""

import base64
import io
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from huggingface_hub import InferenceClient, get_session
from huggingface_hub.errors import HfHubHTTPError, HTTPError
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.judges.replies import Piece

logger = logging.getLogger(__name__)

MAX_SIDE = 768
MAX_PNG = 3 * 2**20
"""Bytes of a picture before base64: hosted servers refuse requests of more than a few megabytes."""

T = TypeVar("T")


class ServerFailed(Exception):
    """No usable answer within the deadline and the tries."""


class Refused(Exception):
    """The server does not take this kind of request (400, 413, 415, 422): ask in another way."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice of a reply. pieces and top are None where the server gives no log-probabilities."""

    text: str
    pieces: tuple[Piece, ...] | None
    top: tuple[tuple[Piece, ...], ...] | None  # per token, its likeliest alternatives


class ChatServer:
    """One model on one server.

    Args:
        model: the name that the server knows; for a hosted model its repository.
        url: the server's base, such as http://localhost:8000/v1; None = hosted through Hugging Face.
        provider: of a hosted model; None = the account's first choice.
        key: sent as a bearer token; None = none to a server of one's own, the stored token to Hugging Face.
        deadline: seconds for one answer, tries and pauses included.
        tries: requests for one answer.
        pause: seconds before the second try; doubled each time.
        sleep, clock: stand-ins for tests.
    """

    def __init__(
        self,
        model: str,
        url: str | None = None,
        *,
        provider: str | None = None,
        key: str | None = None,
        deadline: float = 120.0,
        tries: int = 4,
        pause: float = 0.5,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model, self.url, self.provider = model, url, provider
        self.deadline, self.tries, self.pause = deadline, tries, pause
        self._key, self._sleep, self._clock = key, sleep, clock
        self.host = host_of(url) if url else f"Hugging Face ({provider or 'auto'})"

    def ask(
        self,
        image_url: str,
        question: str,
        *,
        max_tokens: int,
        temperature: float,
        top_logprobs: int = 0,
        choices: int = 1,
        seed: int | None = None,
        schema: dict[str, Any] | None = None,
    ) -> list[Answer]:
        """The server's choices, one or more.

        Raises:
            Refused: the server does not take such a request.
            ServerFailed: no usable answer came in time.
            UserError: the key, the address or the model's name is wrong.
        """
        content = [{"type": "image_url", "image_url": {"url": image_url}}, {"type": "text", "text": question}]
        options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
        if top_logprobs:
            options |= {"logprobs": True, "top_logprobs": top_logprobs}
        if choices > 1:
            options["n"] = choices
        if seed is not None:
            options["seed"] = seed
        if schema is not None:
            form = {"name": "reply", "schema": schema, "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": form}

        def request(seconds: float) -> list[Answer]:
            # a server of one's own gets no Hugging Face token: without a key, a word that means nothing is sent
            key = self._key if self._key or self.url is None else "none"
            where: dict[str, Any] = {"base_url": self.url} if self.url else {"provider": self.provider or "auto"}
            with InferenceClient(api_key=key, timeout=seconds, **where) as client:
                messages = [{"role": "user", "content": content}]
                return _answers(client.chat_completion(messages, model=self.model, **options))

        return self._persist(request)

    def _persist(self, request: Callable[[float], T]) -> T:
        begun = self._clock()
        reason = "no answer"
        for attempt in range(self.tries):
            left = self.deadline - (self._clock() - begun)
            if left <= 0:
                break
            wait = self.pause * 2**attempt
            try:
                return within(left, lambda left=left: request(left))  # type: ignore[misc]
            except HfHubHTTPError as error:
                status = error.response.status_code
                self._check(status, str(error))
                reason = f"status {status}"
                wait = max(wait, _retry_after(error))
            except TimeoutError:
                reason = f"no answer within {self.deadline:g} s"
                break
            except (HTTPError, OSError) as error:
                reason = f"connection failed: {type(error).__name__}"
            except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
                reason = f"half a reply: {type(error).__name__}"
            left = self.deadline - (self._clock() - begun)
            if attempt + 1 == self.tries or wait >= left:
                break
            logger.info("%s: %s; trying again in %.1f s", self.host, reason, wait)
            self._sleep(wait)
        logger.warning("%s: given up (%s)", self.host, reason)
        raise ServerFailed(reason)

    def _check(self, status: int, message: str) -> None:
        if status in (401, 403):
            raise UserError(
                f"{self.host} refuses the key (status {status}); set EMOFEEDBACK_JUDGE_KEY to one it takes."
            )
        if status == 404:
            raise UserError(f"{self.host} knows no model {self.model!r} or no such address; check both.")
        if status in (400, 413, 415, 422):
            logger.debug("%s: refused with status %d: %s", self.host, status, self._redacted(message))
            raise Refused(f"status {status}")
        if status < 500 and status not in (408, 409, 425, 429):
            raise UserError(f"{self.host} answers with status {status}; check its address.")

    def _redacted(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def only_model(url: str, key: str | None, deadline: float = 20.0) -> str:
    """The one model that a server offers.

    Raises:
        UserError: the server does not answer, or it offers none or several.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        reply = within(
            deadline, lambda: get_session().get(f"{url.rstrip('/')}/models", headers=headers, timeout=deadline)
        )
        names = [str(entry["id"]) for entry in reply.json()["data"]]
    except (HTTPError, OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"The judge's server at {host_of(url)} does not list its models; start it, or name one as URL#MODEL."
        ) from None
    if len(names) != 1:
        listed = ", ".join(names[:8]) or "none"
        raise UserError(f"The server at {host_of(url)} offers {listed}; name one of them as URL#MODEL.")
    return names[0]


def host_of(url: str) -> str:
    """Host and port of an address, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or url}{f':{parts.port}' if parts.port else ''}"


def picture_url(image: Image.Image) -> str:
    """A PNG data URL of at most MAX_SIDE pixels a side and MAX_PNG bytes."""
    small = image.convert("RGB")
    small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    while True:
        buffer = io.BytesIO()
        small.save(buffer, "PNG")
        if buffer.tell() <= MAX_PNG:
            return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
        small = small.resize((max(1, small.width * 3 // 4), max(1, small.height * 3 // 4)), Image.Resampling.LANCZOS)


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


def _answers(reply: Any) -> list[Answer]:
    """Choices of a chat completion.

    Raises:
        ValueError, TypeError, AttributeError: it is only half a reply.
    """
    answers = []
    for choice in reply.choices:
        text = choice.message.content
        if not isinstance(text, str):
            raise ValueError("a choice without text")
        tokens = choice.logprobs.content if choice.logprobs is not None else None
        if not tokens:
            answers.append(Answer(text, None, None))
            continue
        pieces = tuple((str(token.token), float(token.logprob)) for token in tokens)
        top = tuple(tuple((str(t.token), float(t.logprob)) for t in token.top_logprobs or ()) for token in tokens)
        answers.append(Answer(text, pieces, top if all(top) else None))
    if not answers:
        raise ValueError("no choices")
    return answers


def _retry_after(error: HfHubHTTPError) -> float:
    """Seconds that the server asks for; 0 where it gives none."""
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0
