"""A server's or a model's own words, made fit to be quoted in a sentence, and what they ask for."""

import json
import re
from collections.abc import Iterable
from typing import Any

from emofeedback.redaction import redacted

LONGEST = 200
"""Characters of a quotation; a server may echo a megabyte."""
_TAG = re.compile(r"<(?:style|script)\b.*?</(?:style|script)>|<[^<>]{0,200}>", re.DOTALL | re.IGNORECASE)
_ROOM = 20_000  # characters that are looked at

_CONTEXT = re.compile(
    r"context[ _](?:length|size|window)|maximum context|max_model_len|exceeds? the available context|"
    r"(?:prompt|input|message)s? (?:is|are) too long|too many (?:input )?tokens",
    re.IGNORECASE,
)
_BLIND = re.compile(
    r"mmproj|image input is not supported|(?:does not|doesn't|not) support (?:image|vision|multimodal)|"
    r"not a multimodal|no vision|missing data required for image|At most 0 image|image_url is only supported|"
    r"image_url['\"` ]+is not supported|unknown variant [`'\"]image_url",
    re.IGNORECASE,
)
_UNPAID = re.compile(
    r"insufficient[ _](?:quota|credit|balance|fund)|current quota|billing|out of credit|credits? (?:is|are) used up|"
    r"exceeded your (?:monthly )?(?:included )?(?:quota|credit)|payment required",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content[ _-]?(?:filter|policy|management)|ResponsibleAI|safety system|flagged", re.IGNORECASE)


def brief(text: str, longest: int = LONGEST, secrets: Iterable[str] = ()) -> str:
    """Text on one line, without secrets, control characters and half characters; cut off where it is long."""
    text = text[:_ROOM].encode("utf-8", "replace").decode()
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    text = redacted(text, secrets)
    return text if len(text) <= longest else text[: longest - 2].rstrip() + " …"


def quoted(text: str) -> str:
    """`brief` text in quotation marks; "" stays "nothing"."""
    short = brief(text)
    return f'"{short}"' if short else "nothing"


def words_of(content: bytes, secrets: Iterable[str] = ()) -> str:
    """What the body of an error says: its message where it is JSON of a known form, else its text without tags.

    Known are the forms of OpenAI ({"error": {"message"}}), Ollama ({"error"}), FastAPI ({"detail"}: text, or a list of
    what is wrong where) and {"message"}.
    """
    text = content[:_ROOM].decode("utf-8", "replace")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return brief(_TAG.sub(" ", text), secrets=secrets)
    return brief(_message(found) or text, secrets=secrets)


def _message(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list):  # FastAPI's list of mistakes; Google wraps its error in a list
        return "; ".join(part for entry in found[:8] if (part := _message(entry)))
    if not isinstance(found, dict):
        return ""
    for key in ("error", "message", "detail", "msg", "error_description"):
        said = _message(found.get(key))
        if said:
            where = found.get("loc")
            place = where[-1] if isinstance(where, list) and where else None
            return f"{place}: {said}" if isinstance(place, str) and key == "msg" else said
    return ""


def is_filtered(words: str) -> bool:
    """Whether a server refuses this picture or these words, not the kind of request."""
    return _FILTERED.search(words) is not None


def remedy(status: int, words: str, chat: bool = True) -> str | None:
    """What the person has to do before any such request can be answered; None = the words tell of no such thing.

    Args:
        chat: whether the server is one that reads and writes; else it draws.
    """
    if chat and _BLIND.search(words):
        return (
            "this model reads no pictures as it is run; choose a vision-language model (llama.cpp: with its --mmproj)"
        )
    if chat and _CONTEXT.search(words):
        return (
            "start it with room for 8192 tokens (vLLM: --max-model-len, llama.cpp: -c, Ollama: OLLAMA_CONTEXT_LENGTH, "
            "LM Studio: Context Length)"
        )
    if status == 402 or _UNPAID.search(words):
        return "the account that the key belongs to has no credit left; top it up, or choose another model"
    return None


__all__ = ["brief", "is_filtered", "quoted", "remedy", "words_of"]
