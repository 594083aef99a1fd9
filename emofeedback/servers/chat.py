"""Questions to a chat server, with a picture or without: OpenAI-compatible (vLLM, ...) or hosted through Hugging Face.

Every answer has a deadline. 429, 5xx, broken connections and half replies are tried again after a growing pause; what
the server refuses outright is not. Keys are sent and never logged.
"""

import base64
import io
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from huggingface_hub.errors import HTTPError
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.servers.chat_reply import Answer, answers_of
from emofeedback.servers.hosted_client import HostedClient
from emofeedback.servers.patience import Patience, Refused, ServerFailed, StatusError, check_status, host_of
from emofeedback.servers.requests import Door, authorization, base_of, send
from emofeedback.servers.stopping import within
from emofeedback.servers.words import brief, quoted

logger = logging.getLogger(__name__)

MAX_SIDE = 768
MAX_PNG = 3 * 2**20
"""Bytes of a picture before base64: hosted servers refuse requests of more than a few megabytes."""
MAX_NAME = 200
"""Characters of a model's name."""
_OPTIONAL = ("temperature", "seed", "n", "logprobs", "response_format")
"""What a request is also an answerable one without; a server that refuses one of them by its name is spared it."""


@dataclass(frozen=True, slots=True)
class AnswerExtent:
    """How much an answer holds: several choices, and per token the log-probabilities of its likeliest alternatives."""

    choices: int = 1
    top_logprobs: int = 0


class ChatServer:
    """One model on one server.

    Args:
        model: the name that the server knows; for a hosted model its repository.
        url: the server's base, such as http://localhost:8000/v1; None = hosted through Hugging Face.
        provider: of a hosted model; None = the account's first choice.
        key: sent as a bearer token; None = none to a server of one's own, the stored token to Hugging Face.
        key_name: the environment variable that the key comes from, for the sentence that asks for another one.
        patience: how long and how often it is asked for one answer.
        outside: whether it must lie on the public internet (`requests.Door`).

    What a server refuses by its name (a seed, several choices, log-probabilities, a temperature, a schema) is not sent
    to it again, and max_tokens is called max_completion_tokens where it asks for that.
    """

    def __init__(
        self,
        model: str,
        url: str | None = None,
        *,
        provider: str | None = None,
        key: str | None = None,
        key_name: str = "EMOFEEDBACK_JUDGE_KEY",
        patience: Patience = Patience(),  # noqa: B008 (frozen)
        outside: bool = False,
    ) -> None:
        self.model, self.url, self.provider = model, url, provider
        self.patience = patience
        self._key, self._key_name = key, key_name
        self.host = host_of(url) if url else f"Hugging Face ({provider or 'auto'})"
        self._door = Door(outside)
        self._limit = "max_tokens"
        self._spared: frozenset[str] = frozenset()
        self._most_top = 20

    def ask(
        self,
        image_url: str | None,
        question: str,
        *,
        system: str | None = None,
        max_tokens: int,
        temperature: float,
        seed: int | None = None,
        schema: dict[str, Any] | None = None,
        extent: AnswerExtent = AnswerExtent(),
    ) -> list[Answer]:
        """The server's choices, one or more.

        Args:
            image_url: the picture that the question is about; None = words alone.
            system: what the model is told about itself before the question.
            schema: JSON schema that the answer is held to.

        Raises:
            Refused: the server does not take such a request.
            ServerFailed: no usable answer came in time.
            UserError: the key, the address or the model's name is wrong.
        """
        content: str | list[dict[str, Any]] = question
        if image_url is not None:
            content = [{"type": "image_url", "image_url": {"url": image_url}}, {"type": "text", "text": question}]
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system is not None else []
        messages.append({"role": "user", "content": content})
        wishes: dict[str, Any] = {"temperature": temperature}
        if extent.top_logprobs:
            wishes |= {"logprobs": True, "top_logprobs": extent.top_logprobs}
        if extent.choices > 1:
            wishes["n"] = extent.choices
        if seed is not None:
            wishes["seed"] = seed
        if schema is not None:
            form = {"name": "reply", "schema": schema, "strict": True}
            wishes["response_format"] = {"type": "json_schema", "json_schema": form}
        while True:
            options = {self._limit: max_tokens, **self._taken(wishes)}
            try:
                return self.patience.ask(self._request(messages, options), self.host, self._check)
            except Refused as refused:
                if not self._learn(refused.words, options):
                    raise

    def _taken(self, wishes: dict[str, Any]) -> dict[str, Any]:
        """What of the wishes the server has not refused yet."""
        taken = {name: value for name, value in wishes.items() if name not in self._spared}
        if "logprobs" in self._spared:
            taken.pop("top_logprobs", None)
        if "top_logprobs" in taken:
            taken["top_logprobs"] = min(taken["top_logprobs"], self._most_top)
        return taken

    def _learn(self, words: str, sent: dict[str, Any]) -> bool:
        """Whether a refusal names something that can be sent otherwise or left out; later requests are made so."""
        if "max_tokens" in sent and "max_completion_tokens" in words:
            self._limit = "max_completion_tokens"
            return True
        allowed = re.search(r"(?:max(?:imum)? allowed|at most|less than or equal to|<=)\D{0,12}(\d{1,3})\b", words)
        if "logprobs" in words and allowed and 0 < int(allowed[1]) < sent.get("top_logprobs", 0):
            self._most_top = int(allowed[1])
            return True
        named = {name for name in _OPTIONAL if name in sent and _names(words, name)}
        self._spared |= named
        if named:
            logger.info("%s takes no %s; it is left out", self.host, ", ".join(sorted(named)))
        return bool(named)

    def _request(self, messages: list[dict[str, Any]], options: dict[str, Any]) -> Callable[[float], list[Answer]]:
        def request(seconds: float) -> list[Answer]:
            if self.url is None:
                with HostedClient(self.provider, self._key, seconds) as client:
                    return client.answers(self.model, messages, options)
            # Not by the InferenceClient, which writes a schema for such an address in a form of its own that vLLM
            # reads as "any JSON", and would add the stored token of Hugging Face.
            body = {"model": self.model, "messages": messages, **options}
            address, headers = base_of(self.url, "/chat/completions"), authorization(self.url, self._key)
            return answers_of(send("POST", address, headers, seconds + 1, body, self._door).json())

        return request

    def _check(self, status: int, words: str) -> None:
        try:
            check_status(self.host, self.model, status, self._key_name, words)
        except Refused:
            logger.debug("%s: refused with status %d: %s", self.host, status, words)
            raise


def only_model(url: str, key: str | None, deadline: float = 20.0, outside: bool = False) -> str:
    """The one model that a server offers.

    Args:
        outside: whether it must lie on the public internet.

    Raises:
        UserError: the server does not answer, or it offers none or several.
    """
    host, said = host_of(url), ""
    try:
        address, headers = base_of(url, "/models"), authorization(url, key)
        reply = within(deadline, lambda: send("GET", address, headers, deadline, door=Door(outside)))
        names = [str(entry["id"]).encode("utf-8", "replace").decode() for entry in reply.json()["data"]]
    except StatusError as failed:
        if failed.status in (401, 403):
            raise UserError(f"{host} refuses the key (status {failed.status}, {quoted(failed.words)}).") from None
        said = f" (status {failed.status}, {quoted(failed.words)})"
        names = None
    except ServerFailed as failed:
        said, names = f" ({failed})", None
    except (HTTPError, OSError, ValueError, KeyError, TypeError):
        names = None
    if names is None:
        raise UserError(
            f"The server at {host} does not list its models{said}; start it, or name one as URL#MODEL."
        ) from None
    if len(names) != 1 or len(names[0]) > MAX_NAME:
        listed = ", ".join(brief(name, 60) for name in names[:8]) or "none"
        raise UserError(f"The server at {host} offers {listed}; name one of them as URL#MODEL.")
    return names[0]


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


def _names(words: str, field: str) -> bool:
    """Whether a refusal names a field of the request."""
    if field == "n":  # a letter: only where it stands as a name
        return re.search(r"['\"`]n['\"`]|(?:^|[;,{(] ?)n:|\bn (?:must|should|>|is )", words) is not None
    return re.search(rf"(?<!\w){field}(?!\w)", words) is not None


__all__ = [
    "Answer",
    "AnswerExtent",
    "ChatServer",
    "Refused",
    "ServerFailed",
    "base_of",
    "host_of",
    "only_model",
    "picture_url",
]
