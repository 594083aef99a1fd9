"""The one place where a model's reply becomes a record. Anything malformed is None, never a guess."""

import json
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from emofeedback.records import Critique, Edit

Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Analysis = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]

_STRICT = ConfigDict(extra="forbid", strict=True)
_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
MAX_REPLY = 20_000  # characters; a longer reply is a runaway


class _Replace(BaseModel):
    model_config = _STRICT
    replace: Phrase
    new: Phrase = Field(alias="with")

    def edit(self) -> Edit:
        return Edit("replace", old=self.replace, new=self.new)


class _Add(BaseModel):
    model_config = _STRICT
    add: Phrase

    def edit(self) -> Edit:
        return Edit("add", new=self.add)


class _Remove(BaseModel):
    model_config = _STRICT
    remove: Phrase

    def edit(self) -> Edit:
        return Edit("remove", old=self.remove)


class _Reply(BaseModel):
    model_config = _STRICT
    analysis: Analysis
    carries: list[Phrase] = Field(max_length=24)
    edits: list[_Replace | _Add | _Remove] = Field(max_length=16)


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object of a reply. Prose, a code fence or a <think> block may surround it; a second object may not.

    Returns:
        The object, or None when there is none, it is cut off, holds NaN or a doubled key, or is not alone.
    """
    text = _THINKING.sub("", text)
    start = text.find("{")
    if start < 0 or len(text) > MAX_REPLY:
        return None
    decoder = json.JSONDecoder(parse_constant=_reject_constant, object_pairs_hook=_unique_keys)
    try:
        found, end = decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    return found if "{" not in text[end:] and isinstance(found, dict) else None


def parse_critique(text: str) -> Critique | None:
    """A critique from `{"analysis": str, "carries": [str], "edits": [edit]}`.

    An edit is one of {"replace": old, "with": new}, {"add": new}, {"remove": old}. An empty list of edits is
    valid: nothing to change.

    Returns:
        The critique, or None when anything in the reply is malformed.
    """
    found = json_object(text)
    if found is None:
        return None
    try:
        reply = _Reply.model_validate(found)
    except ValidationError:
        return None
    edits = tuple(edit.edit() for edit in reply.edits)
    if any(edit.action == "replace" and edit.old == edit.new for edit in edits):
        return None
    return Critique(reply.analysis, tuple(reply.carries), edits)
