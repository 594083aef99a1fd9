"""Questions to a chat server, with a picture or without: OpenAI-compatible (vLLM, ...) or hosted through Hugging Face.

Every answer has a deadline. 429, 5xx, broken connections and half replies are tried again after a growing pause; what
the server refuses outright is not. Keys are sent and never logged.
"""

import base64
import io
import logging
from dataclasses import dataclass
from typing import Any

from huggingface_hub import ChatCompletionOutput, InferenceClient
from huggingface_hub.errors import HTTPError
from huggingface_hub.utils import hf_raise_for_status
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.redaction import redacted, secrets_of
from emofeedback.servers.json_reply import Piece
from emofeedback.servers.patience import Patience, Refused, ServerFailed, check_status, host_of, within
from emofeedback.servers.requests import authorization, base_of, send

logger = logging.getLogger(__name__)

MAX_SIDE = 768
MAX_PNG = 3 * 2**20
"""Bytes of a picture before base64: hosted servers refuse requests of more than a few megabytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice of a reply. pieces and top are None where the server gives no log-probabilities."""

    text: str
    pieces: tuple[Piece, ...] | None
    top: tuple[tuple[Piece, ...], ...] | None  # per token, its likeliest alternatives


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
    ) -> None:
        self.model, self.url, self.provider = model, url, provider
        self.patience = patience
        self._key, self._key_name = key, key_name
        self.host = host_of(url) if url else f"Hugging Face ({provider or 'auto'})"

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
        options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
        if extent.top_logprobs:
            options |= {"logprobs": True, "top_logprobs": extent.top_logprobs}
        if extent.choices > 1:
            options["n"] = extent.choices
        if seed is not None:
            options["seed"] = seed
        if schema is not None:
            form = {"name": "reply", "schema": schema, "strict": True}
            options["response_format"] = {"type": "json_schema", "json_schema": form}

        def request(seconds: float) -> list[Answer]:
            if self.url is not None:
                return _answers(self._post(self.url, {"model": self.model, "messages": messages, **options}, seconds))
            provider: Any = self.provider or "auto"
            with InferenceClient(provider=provider, api_key=self._key, timeout=seconds) as client:
                return _answers(client.chat_completion(messages, model=self.model, **options))

        return self.patience.ask(request, self.host, self._check)

    def _post(self, url: str, body: dict[str, Any], seconds: float) -> ChatCompletionOutput:
        """A completion of a server of one's own.

        Not by the InferenceClient, which writes a schema for such an address in a form of its own that vLLM reads as
        "any JSON", and would add the stored token of Hugging Face.
        """
        address, headers = base_of(url, "/chat/completions"), authorization(url, self._key)
        reply = send("POST", address, headers, seconds + 1, body)  # who waits has given up before
        hf_raise_for_status(reply)
        return ChatCompletionOutput.parse_obj_as_instance(reply.content)

    def _check(self, status: int, message: str) -> None:
        try:
            check_status(self.host, self.model, status, self._key_name)
        except Refused:
            logger.debug("%s: refused with status %d: %s", self.host, status, self._redacted(message))
            raise

    def _redacted(self, text: str) -> str:
        return redacted(text, (self._key or "", *secrets_of(self.url or "")))


def only_model(url: str, key: str | None, deadline: float = 20.0) -> str:
    """The one model that a server offers.

    Raises:
        UserError: the server does not answer, or it offers none or several.
    """
    try:
        address, headers = base_of(url, "/models"), authorization(url, key)
        reply = within(deadline, lambda: send("GET", address, headers, deadline))
        names = [str(entry["id"]) for entry in reply.json()["data"]]
    except (HTTPError, OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"The server at {host_of(url)} does not list its models; start it, or name one as URL#MODEL."
        ) from None
    if len(names) != 1:
        listed = ", ".join(names[:8]) or "none"
        raise UserError(f"The server at {host_of(url)} offers {listed}; name one of them as URL#MODEL.")
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
