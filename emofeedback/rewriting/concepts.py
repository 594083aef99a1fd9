"""Concrete, drawable concepts: how they are written, and how they are checked against what a prompt already says.

A prompt's own words are never taken away: of two that contradict each other the viewer's concept goes, with a reason.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product

from emofeedback.affect import EMOTIONS
from emofeedback.errors import UserError
from emofeedback.rewriting.viewers import KINDS, Kind
from emofeedback.scenes.captions import ASPECTS, Mentions, parse
from emofeedback.scenes.contradictions import contradicted
from emofeedback.scenes.grammar import (
    ELEMENTS,
    FAR_ELEMENTS,
    GROUND_ELEMENTS,
    SEASONS,
    SKY_ELEMENTS,
    TIMES,
    WEATHERS,
    elements_possible,
    poseable,
    setting_possible,
)
from emofeedback.scenes.lexicon import PLACE_PHRASES, UNSPOKEN, canonical_phrase
from emofeedback.scenes.vocabulary import content_unknown, unknown_words, vocabulary

Key = tuple[str, str]
"""(aspect, concept) of the scene world; ("", words) of anything else."""

KIND_OF: dict[str, Kind] = {
    "place": "place",
    "time": "time",
    "season": "season",
    "weather": "weather",
    "light": "light",
    "palette": "colour",
    "elements": "object",
    "subject": "object",
    "pose": "gesture",
}
GROUPS = (SKY_ELEMENTS, FAR_ELEMENTS, GROUND_ELEMENTS)
_MORE_FEELINGS = """
    sad angry amused amusing awesome content contented exciting fearful scary scared frightening disgusting disgusted
    joy joyful happiness melancholy melancholic peaceful terror terrifying horror furious rage emotion mood
"""
FEELINGS = frozenset(EMOTIONS) | frozenset(_MORE_FEELINGS.split())
"""Words that name a feeling; a picture shows things."""
MAX_WORDS = 80
_LINE = re.compile(rf"\s*({'|'.join(KINDS)})\s*:\s*(.+?)[\s.]*", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept: its kind, the words that draw it, and what it is to the scene world (None: nothing known)."""

    kind: Kind
    words: str
    known: Key | None = None

    def line(self) -> str:
        return f"{self.kind}: {self.words}"

    def key(self) -> Key:
        """What tells it from others."""
        return self.known or ("", " ".join(_WORD.findall(self.words.lower())))


def scene_concept(aspect: str, concept: str, room: bool = False) -> Concept:
    """A concept of the scene world in its canonical words, or those for a room (see `canonical_phrase`).

    Raises:
        ValueError: there is no such concept, or nothing is said for it.
    """
    words = PLACE_PHRASES[concept][0] if aspect == "place" else canonical_phrase(aspect, concept, room)
    if not words:
        raise ValueError(f"nothing is said for {aspect} {concept!r}")
    return Concept(KIND_OF[aspect], words, (aspect, concept))


def concept_of(line: str) -> Concept:
    """A concept from a line such as "weather: in fog".

    Raises:
        UserError: it is not written so, or too long.
    """
    match = _LINE.fullmatch(line)
    if match is None or len(match[2]) > MAX_WORDS or re.search(r"[<>{}\n]", match[2]):
        known = ", ".join(KINDS)
        raise UserError(f"Write each concept as KIND: a few words, such as weather: in fog; kinds are {known}.")
    kind: Kind = match[1].lower()  # type: ignore[assignment]
    named = list(_named(match[2]))
    fitting = [key for key in named if KIND_OF[key[0]] == kind] or named
    drawn = fitting and (kind != "gesture" or KIND_OF[fitting[0][0]] == kind)
    return Concept(kind, match[2], fitting[0] if drawn else None)


@lru_cache(maxsize=4096)
def named_in(text: str) -> tuple[Concept, ...]:
    """The concepts of the scene world that a sentence names, people and animals left out, in text order."""
    found = []
    for aspect, concept in _named(text):
        if aspect != "subject" and (aspect, concept) not in UNSPOKEN:
            found.append(scene_concept(aspect, concept))
    return tuple(found)


def _named(text: str) -> tuple[Key, ...]:
    """What a text names; a cottage at its beginning is something to see, not the subject of a prompt."""
    return tuple(parse(f"with {text}").phrases)


@dataclass(frozen=True, slots=True)
class Content:
    """What a prompt says by itself, and so must stay."""

    prompt: str
    mentions: Mentions
    strange: tuple[str, ...]  # words that captions do not have
    unknown: tuple[str, ...]  # of those, words for something to see which the scene world does not know

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, prompt: str) -> "Content":
        return cls(prompt, parse(prompt), unknown_words(prompt, vocabulary()), content_unknown(prompt))

    def known(self) -> bool:
        """Whether the scene world knows everything that the prompt shows."""
        return not self.unknown and (self.mentions.place is not None or bool(self.mentions.subjects))


def objection(concept: Concept, content: Content, kept: Sequence[Concept], known_words: Collection[str]) -> str | None:
    """Why a concept cannot join the prompt and the concepts kept so far; None where nothing speaks against it.

    Args:
        known_words: what the generator can draw, for a prompt that stays within it; empty = anything.
    """
    words = [word.lower() for word in _WORD.findall(concept.words)]
    if not words:
        return "there are no words"
    if any(word in FEELINGS for word in words):
        return "it names a feeling, and a picture shows things"
    if concept.key() in {other.key() for other in kept}:
        return "it is said already"
    if known_words and content.known() and (strange := unknown_words(concept.words, known_words)):
        return f"{strange[0]!r} is nothing that the scene world draws"
    if concept.known is None:
        return "the prompt says it" if " ".join(words) in content.prompt.lower() else None
    return _contradiction(concept.known, content, kept)


def _contradiction(key: Key, content: Content, kept: Sequence[Concept]) -> str | None:
    aspect, concept = key
    said = content.mentions.phrases
    if key in said:
        return "the prompt says it"
    if aspect == "subject":
        return "who is in the picture stays yours"
    if key in contradicted(content.prompt):
        return "it does not go with the prompt's words"
    if aspect == "place" and (content.mentions.place or content.unknown):
        where = said.get(("place", content.mentions.place or ""))
        return f"the place is the prompt's: {where}" if where else "where it is stays yours"
    who, where = content.mentions.subjects, content.mentions.place
    if aspect == "pose" and who and not content.unknown and not any(poseable(subject) for subject in who):
        return "nobody is there who could show it"
    if aspect == "elements" and where is not None and not elements_possible(where, (concept,)):
        return f"it cannot be seen there: {said['place', where]}"
    if aspect != "elements":
        named = next((words for (other, _), words in said.items() if other == aspect), None)
        if named is not None:
            return f"the prompt says {named!r}"
    for other, words in [*said.items(), *((c.known, c.words) for c in kept if c.known)]:
        if other[0] == aspect and (aspect != "elements" or same_group(other[1], concept)):
            return f"it would stand where {words!r} does"
        if not compatible(key, other):
            return f"it cannot be seen together with {words!r}"
    return None


def same_group(first: str, second: str) -> bool:
    """Whether two elements take the same part of the picture."""
    return any(first in group and second in group for group in GROUPS)


@cache
def compatible(first: Key, second: Key) -> bool:
    """Whether two concepts of the setting can be seen together at some time, weather and season."""
    options = {"time": TIMES, "weather": WEATHERS, "season": SEASONS}
    elements = []
    for aspect, concept in (first, second):
        if aspect in options:
            if concept not in options[aspect]:
                return False
            options[aspect] = (concept,)
        elif aspect == "elements":
            elements.append(concept)
    present = tuple(e for e in ELEMENTS if e in elements)
    where = product(options["time"], options["weather"], options["season"])
    return any(setting_possible(time, weather, season, present) for time, weather, season in where)


def check(
    content: Content, concepts: Iterable[Concept], known_words: Collection[str] = ()
) -> tuple[tuple[Concept, ...], tuple[str, ...]]:
    """The concepts that agree with the prompt and with each other, and a sentence for each that was dropped."""
    kept: list[Concept] = []
    dropped: list[str] = []
    for concept in concepts:
        reason = objection(concept, content, kept, known_words)
        if reason is None:
            kept.append(concept)
        else:
            dropped.append(f"dropped {concept.line()!r}: {reason}")
    return tuple(kept), tuple(dropped)


def content_kept(prompt: str, rewritten: str) -> bool:
    """Whether a rewritten prompt still says all that the prompt said: place, subjects, setting and strange words."""
    before, after = Content.of(prompt), parse(rewritten)
    if any(
        getattr(before.mentions, aspect) != getattr(after, aspect)
        for aspect in ("place", *ASPECTS[:-1])
        if getattr(before.mentions, aspect) is not None
    ):
        return False
    if not set(before.mentions.subjects) <= set(after.subjects) or not set(before.mentions.elements) <= set(
        after.elements
    ):
        return False
    words = {word.lower() for word in _WORD.findall(rewritten)}
    return all(part.lower() in words for word in before.strange for part in _WORD.findall(word))
