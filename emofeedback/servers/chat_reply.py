"""A chat completion as answers: texts, and log-probabilities where they are some. Nothing of a reply is trusted."""

import math
from dataclasses import dataclass
from typing import Any

from emofeedback.servers.json_reply import Piece
from emofeedback.servers.patience import StatusError, Unreadable
from emofeedback.servers.words import brief, quoted

MAX_CHOICES = 64
MAX_TEXT = 50_000
"""Characters of an answer; ten times what any question here asks for."""
SUM_OF_ROUNDING = 1.05
"""What the probabilities of one token's alternatives may sum to; above it they are none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice of a reply.

    Attributes:
        text: without half characters; "" where the model said nothing.
        pieces: its tokens with their log-probabilities; None where the server gives none.
        top: per token, its likeliest alternatives; None where the server gives none.
        note: why the text is not what was asked for, as far as the reply tells; "" = it tells nothing.
    """

    text: str
    pieces: tuple[Piece, ...] | None
    top: tuple[tuple[Piece, ...], ...] | None
    note: str = ""


def answers_of(found: Any) -> list[Answer]:
    """The choices of a chat completion.

    Raises:
        Unreadable: it is none.
        StatusError: it is an error that was sent as a success.
    """
    if not isinstance(found, dict):
        raise Unreadable("it is no chat completion")
    choices = found.get("choices")
    if not isinstance(choices, list) or not choices:
        if (said := found.get("error") or found.get("detail")) is not None:
            status = said.get("code") if isinstance(said, dict) else None
            words = said.get("message") if isinstance(said, dict) else said
            failed = status if isinstance(status, int) and 400 <= status < 600 else 502
            raise StatusError(failed, brief(words if isinstance(words, str) else ""))
        raise Unreadable("it holds no choices")
    return [_answer(choice) for choice in choices[:MAX_CHOICES]]


def _answer(choice: Any) -> Answer:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise Unreadable("a choice without a message")
    refusal, thought = message.get("refusal"), message.get("reasoning_content") or message.get("reasoning")
    ended = choice.get("finish_reason")
    text = _text(message.get("content"))
    note = ""
    if isinstance(refusal, str) and refusal:
        note = f"the model refuses: {quoted(refusal)}"
    elif ended == "content_filter":
        note = "the server's content filter held the answer back"
    elif not text and isinstance(thought, str) and thought:
        note = "it thinks before it answers; switch that off on the server, or choose a model that does not think"
    if text is None and not note:
        raise Unreadable("a choice without text")
    pieces, top = _logprobs(choice.get("logprobs")) if text else (None, None)
    return Answer(_whole(text or ""), pieces, top, note)


def _text(content: Any) -> str | None:
    """A message's text, which some servers give as a list of parts; None where there is none."""
    if isinstance(content, list):
        texts = [part for part in content if isinstance(part, dict) and part.get("type", "text") == "text"]
        said = [text for part in texts if isinstance(text := part.get("text"), str)]
        content = "".join(said) if texts and len(said) == len(texts) else None
    if isinstance(content, str) and len(content) > MAX_TEXT:
        raise Unreadable(f"an answer of {len(content)} characters")
    return content if isinstance(content, str) else None


def _logprobs(found: Any) -> tuple[tuple[Piece, ...] | None, tuple[tuple[Piece, ...], ...] | None]:
    """The tokens and the alternatives of each; None where anything about them is no log-probability."""
    tokens = found.get("content") if isinstance(found, dict) else None
    if not isinstance(tokens, list) or not tokens:
        return None, None
    pieces = [_piece(token) for token in tokens]
    if any(piece is None for piece in pieces):
        return None, None
    top = [_alternatives(token.get("top_logprobs")) for token in tokens]
    known = tuple(piece for piece in pieces if piece is not None)
    return known, None if any(not part for part in top) else tuple(part for part in top if part)


def _alternatives(found: Any) -> tuple[Piece, ...] | None:
    pieces = [_piece(entry) for entry in found] if isinstance(found, list) else []
    known = tuple(piece for piece in pieces if piece is not None)
    if len(known) != len(pieces) or sum(math.exp(log) for _, log in known) > SUM_OF_ROUNDING:
        return None
    return known


def _piece(found: Any) -> Piece | None:
    token, log = (found.get("token"), found.get("logprob")) if isinstance(found, dict) else (None, None)
    if not isinstance(token, str) or isinstance(log, bool) or not isinstance(log, (int, float)):
        return None
    try:
        value = float(log)
    except OverflowError:
        return None
    # -9999 and -Infinity stand for "never"; rounding may leave a little above 0
    return (_whole(token), min(0.0, value)) if value <= 1e-3 else None


def _whole(text: str) -> str:
    """Text without half characters, which cannot be written to any file."""
    return text.encode("utf-8", "replace").decode()
