"""JSON that a language model wrote: found among prose, and refused where anything about it is doubtful."""

import json
import re
from typing import Any

Piece = tuple[str, float]
"""A token's text and its log-probability."""
MAX_REPLY = 20_000  # characters; a longer reply is a runaway
THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object of a reply. Prose, a code fence or a <think> block may surround it; a second object may not.

    Returns:
        The object, or None when there is none, it is cut off, holds NaN or a doubled key, or is not alone.
    """
    text = THINKING.sub("", text)
    start = text.find("{")
    if start < 0 or len(text) > MAX_REPLY:
        return None
    decoder = json.JSONDecoder(parse_constant=_reject_constant, object_pairs_hook=_unique_keys)
    try:
        found, end = decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return found if "{" not in text[end:] and isinstance(found, dict) else None


def loose_schema(schema: Any) -> Any:
    """A JSON schema without limits of length: they blow up an automaton, and validation checks them anyway."""
    if isinstance(schema, dict):
        dropped = ("minLength", "maxLength", "maxItems", "title")
        items = schema.items()
        return {key: loose_schema(value) for key, value in items if key not in dropped or isinstance(value, dict)}
    return [loose_schema(item) for item in schema] if isinstance(schema, list) else schema


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)
