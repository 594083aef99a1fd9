"""JSON that a language model wrote: found among prose, and refused where anything about it is doubtful."""

import json
import re
from typing import Any

Piece = tuple[str, float]
"""A token's text and its log-probability."""
MAX_REPLY = 20_000  # characters; a longer reply is a runaway
MAX_OPENINGS = 24
"""Places of a reply where an object may begin that are tried."""
_THOUGHT = re.compile(r"</(?:think|thinking|thought|reasoning)>|<\|channel\|>\s*final\s*<\|message\|>", re.IGNORECASE)
"""What ends a model's thoughts. What begins them may stand in the prompt already."""
_THINKS = re.compile(r"<(?:think|thinking|thought|reasoning)>|<\|channel\|>\s*analysis\b", re.IGNORECASE)


def thought_end(text: str) -> int:
    """How many characters of a reply are thoughts before the answer; all where thoughts begin and never end."""
    last = max((match.end() for match in _THOUGHT.finditer(text)), default=0)
    return len(text) if _THINKS.search(text, last) else last


def without_thinking(text: str) -> str:
    """The text with blanks in place of what the model thought: every character stays where it was."""
    end = thought_end(text)
    return " " * end + text[end:]


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object of a reply. Prose, a code fence, thoughts and stray braces may surround it; a second object not.

    Returns:
        The object, or None when there is none, it is cut off, holds NaN or a doubled key, or is not alone.
    """
    found = located_object(text)
    return None if found is None else found[0]


def located_object(text: str) -> tuple[dict[str, Any], int] | None:
    """`json_object`, and where in the text it begins."""
    if len(text) > MAX_REPLY:
        return None
    text = without_thinking(text)
    decoder = json.JSONDecoder(parse_constant=_reject_constant, object_pairs_hook=_unique_keys)
    found: tuple[dict[str, Any], int] | None = None
    start, end = text.find("{"), 0
    for _ in range(MAX_OPENINGS):
        if start < 0:
            return found
        try:
            value, end = decoder.raw_decode(text, start)
        except _Doubled:
            return None
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if found is not None or not isinstance(value, dict):
                return None
            found = value, start
        start = text.find("{", end)
    return None


def loose_schema(schema: Any) -> Any:
    """A JSON schema without limits of length: they blow up an automaton, and validation checks them anyway."""
    if isinstance(schema, dict):
        dropped = ("minLength", "maxLength", "maxItems", "title")
        items = schema.items()
        return {key: loose_schema(value) for key, value in items if key not in dropped or isinstance(value, dict)}
    return [loose_schema(item) for item in schema] if isinstance(schema, list) else schema


class _Doubled(Exception):
    """A key is given twice."""


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise _Doubled
    return dict(pairs)
