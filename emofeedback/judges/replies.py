"""The one place where a model's reply becomes a record. Anything malformed is None, never a guess."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from emofeedback.loop.prompt_edits import holds_phrase
from emofeedback.records import Critique, Edit, Seen
from emofeedback.servers.json_reply import Piece, json_object, located_object, loose_schema, without_thinking

Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Analysis = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]

Pair = tuple[float, float]
"""Valence and arousal in [-1, 1]."""

_STRICT = ConfigDict(extra="ignore", strict=True, json_schema_extra={"additionalProperties": False})
"""A decoder is held to the fields alone; a reply may say more (a confidence, a reason), which is not read."""
_ACTIONS = ({"replace", "with"}, {"add"}, {"remove"})
_WORDS = set().union(*_ACTIONS)


def _one_action(edit: Any) -> Any:
    """An edit that holds the words of one action, whatever it says beside them."""
    if not isinstance(edit, dict) or _WORDS & edit.keys() not in _ACTIONS:
        raise ValueError("an edit is one of replace and with, add, or remove")
    return edit


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
    edits: list[Annotated[_Replace | _Add | _Remove, BeforeValidator(_one_action)]] = Field(max_length=16)


class _Content(BaseModel):
    model_config = _STRICT
    place: Phrase
    subjects: list[Phrase] = Field(max_length=12)
    time: Phrase
    weather: Phrase
    light: Phrase
    colours: list[Phrase] = Field(max_length=12)

    def named(self) -> list[tuple[str, str]]:
        """(aspect, word) of everything that was seen; "none" names nothing."""
        said: list[tuple[str, str]] = []
        for key, aspect in _ASPECTS.items():
            found = getattr(self, key)
            said += [(aspect, word) for word in ([found] if isinstance(found, str) else found)]
        return [(aspect, word) for aspect, word in dict.fromkeys(said) if word.lower().strip(" .") not in _NOTHING]


_ASPECTS = {
    "place": "place",
    "subjects": "subject",
    "time": "time",
    "weather": "weather",
    "light": "light",
    "colours": "palette",
}
"""The aspect that each key of a description tells of."""
_NOTHING = ("none", "unknown", "n/a", "not visible", "null", "-", "")


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


def fits(edit: Edit, prompt: str) -> bool:
    """Whether the prompt holds, in whole words, what the edit replaces or removes."""
    return edit.action == "add" or holds_phrase(prompt, edit.old)


_JSON_STRING = re.compile(r'"(?P<inner>(?:[^"\\]|\\.)*)"(?P<colon>\s*:)?')


def critique_for(text: str, prompt: str) -> Critique | None:
    """`parse_critique`, what is named twice named once, and only the edits that fit the prompt.

    None also when edits were given and none fits.
    """
    critique = parse_critique(text)
    if critique is None:
        return None
    fitting = tuple(dict.fromkeys(edit for edit in critique.edits if fits(edit, prompt)))
    if critique.edits and not fitting:
        return None
    carries = tuple(dict.fromkeys(critique.carries))
    return Critique(_said_once(critique.analysis, carries), carries, fitting)


def _said_once(analysis: str, carries: Sequence[str]) -> str:
    """A sentence in which "the storm and the storm" is "the storm"; "again and again" stays.

    Only a noun with its article, or one that carries the emotion, is named twice by mistake.
    """
    nouns = "|".join([r"the [\w ]+?", *map(re.escape, carries)])
    return re.sub(rf"\b({nouns}) and \1\b", r"\1", analysis, flags=re.IGNORECASE)


def critique_among(replies: Iterable[str], prompt: str) -> Critique | None:
    """The first `critique_for` that can be read; later replies are not asked for once there is one."""
    return next((critique for text in replies if (critique := critique_for(text, prompt)) is not None), None)


def parse_content(text: str) -> list[tuple[str, str]] | None:
    """(aspect, word) of everything that a description names, or None when anything in the reply is malformed."""
    found = json_object(text)
    if found is None:
        return None
    try:
        return _Content.model_validate(found).named()
    except ValidationError:
        return None


def seen_in(pieces: Sequence[Piece]) -> tuple[Seen, ...] | None:
    """What a description names, each word with the product of its tokens' probabilities; None when malformed."""
    text = "".join(piece for piece, _ in pieces)
    named = parse_content(text)
    found = located_object(text)
    if named is None or found is None:
        return None
    places = _word_places(text, found[1])
    seen = []
    for aspect, word in named:
        if (aspect, word.strip()) not in places:  # it stands where no word of that aspect is looked for
            return None
        start, stop = places[aspect, word.strip()]
        logs, begin = [], 0
        for piece, log in pieces:
            end = begin + len(piece)
            if piece and end > start and begin < stop:
                logs.append(log)
            begin = end
        seen.append(Seen(aspect, word, min(1.0, math.exp(sum(logs)))))
    return tuple(seen)


def _word_places(text: str, begin: int) -> dict[tuple[str, str], tuple[int, int]]:
    """Where a description's words stand in its reply: (aspect, word) -> first position, last + 1."""
    places: dict[tuple[str, str], tuple[int, int]] = {}
    aspect = ""
    for match in _JSON_STRING.finditer(text, begin):
        if match["colon"]:
            aspect = _ASPECTS.get(json.loads(f'"{match["inner"]}"'), "")
            continue
        inner = match["inner"]
        start = match.start("inner") + len(inner) - len(inner.lstrip())
        word = json.loads(f'"{inner}"').strip()
        places.setdefault((aspect, word), (start, start + len(inner.strip())))
    return places


def seen_among(replies: Sequence[str]) -> tuple[Seen, ...] | None:
    """What several sampled descriptions name, each word with the share of the readable ones that name it, half or more.

    Returns:
        None when fewer than half of the replies can be read.
    """
    readable = [named for text in replies if (named := parse_content(text)) is not None]
    if not readable or 2 * len(readable) < len(replies):
        return None
    counts = Counter((aspect, word.lower()) for named in readable for aspect, word in dict.fromkeys(named))
    half = [(key, n) for key, n in counts.items() if 2 * n >= len(readable)]
    return tuple(Seen(aspect, word, n / len(readable)) for (aspect, word), n in half)


_LEADING_LABEL = re.compile(
    r"""^[\s"'*`(\[]*(?:rating|answer|score)?[\s:=*]*([A-Za-z0-9]+)[\s"'*`.)\]]*$""", re.IGNORECASE
)


def parse_label(text: str, labels: Sequence[str]) -> int | None:
    """The index of the one label that a short answer gives ("7", " 7.", "**7**", "Rating: 7"), else None."""
    match = _LEADING_LABEL.match(without_thinking(text).strip())
    return labels.index(match[1]) if match is not None and match[1] in labels else None


def parse_yes(text: str) -> bool | None:
    """Whether a short answer says yes or no ("Yes.", "**no**", "Answer: yes"), else None."""
    match = _LEADING_LABEL.match(without_thinking(text).strip())
    return {"yes": True, "no": False}.get(match[1].lower()) if match is not None else None


def parse_pair(text: str) -> Pair | None:
    """Both numbers of `{"valence": v, "arousal": a}` in [-1, 1]; None where anything in the reply is malformed."""
    found = json_object(text)
    if found is None or set(found) != {"valence", "arousal"}:
        return None
    values = found["valence"], found["arousal"]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            return None
        if not -1 <= value <= 1:
            return None
    return float(values[0]), float(values[1])


def critique_schema() -> dict[str, Any]:
    """JSON schema of a critique, for constrained decoding."""
    return loose_schema(_Reply.model_json_schema(by_alias=True))


def content_schema() -> dict[str, Any]:
    """JSON schema of a description, for constrained decoding."""
    return loose_schema(_Content.model_json_schema())
