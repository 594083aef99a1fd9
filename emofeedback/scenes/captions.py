"""Captions: says a scene in varied English, and reads the concepts that a text names.

Both directions use the tables of `lexicon`, so `parse(describe(scene))` gives back exactly what was said.
"""

import functools
import random
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from emofeedback.scenes.grammar import ELEMENTS, FIGURES, Scene
from emofeedback.scenes.lexicon import (
    ADJECTIVES,
    ALIASES,
    AMERICAN,
    ARTICLES,
    ASPECTS,
    CLEAR_BY_TIME,
    ELEMENT_NOUNS,
    FIGURE_LINKS,
    PLACE_PHRASES,
    SETTING_PHRASES,
    STRUCTURE_LINKS,
    SUBJECT_PHRASES,
    TAILS,
    UNSPOKEN,
    element_links,
    element_tail,
)
from emofeedback.scenes.vocabulary import unknown_words, vocabulary

__all__ = ["ASPECTS", "Mentions", "describe", "parse", "random_aspects", "unknown_words", "vocabulary"]

BRITISH = {american: british for british, american in AMERICAN.items()}
IRREGULAR_PLURALS = {"man": "men", "woman": "women", "child": "children", "person": "persons", "deer": "deer"}


# ---------------------------------------------------------------- saying


def random_aspects(rng: random.Random) -> tuple[str, ...]:
    """Which aspects a caption names: none in a quarter of cases, all in a quarter, else any subset."""
    draw = rng.random()
    if draw < 0.25:
        return ()
    if draw < 0.5:
        return ASPECTS
    return tuple(aspect for aspect in ASPECTS if rng.random() < 0.5)


def describe(scene: Scene, rng: random.Random, aspects: Collection[str] = ASPECTS) -> str:
    """A lower-case caption: the content always, of the setting only the named aspects.

    Rather more than half of the captions hang the setting on as comma phrases, the form prompt edits leave behind.
    The default look (natural palette, even light) is never put into words.

    Raises:
        ValueError: `aspects` names something that is not in ASPECTS.
    """
    unknown = sorted(set(aspects) - set(ASPECTS))
    if unknown:
        raise ValueError(f"unknown aspects {', '.join(unknown)}; known are {', '.join(ASPECTS)}")
    said = [(a, getattr(scene, a)) for a in ASPECTS if a != "elements" and a in aspects]
    said = [pair for pair in said if pair not in UNSPOKEN]
    if "elements" in aspects:
        said += [("elements", element) for element in scene.elements]
    if rng.random() < 0.6:
        rng.shuffle(said)
    style = rng.choices(("comma", "adjective", "plain", "leading"), weights=(0.58, 0.24, 0.1, 0.08))[0]
    adjectives: list[str] = []
    if style == "adjective":
        chosen = [pair for pair in said if pair in ADJECTIVES][: rng.choice((1, 1, 2))]
        adjectives = [rng.choice(ADJECTIVES[pair]) for pair in chosen]
        said = [pair for pair in said if pair not in chosen]
    content = _content(scene, rng, adjectives)
    phrases = [_phrase(aspect, concept, scene.time, rng) for aspect, concept in said]
    text = _join(content, phrases, style, rng)
    return _american(text) if rng.random() < 0.3 else text


def _content(scene: Scene, rng: random.Random, adjectives: list[str]) -> str:
    link, article, noun = split_place(rng.choice(PLACE_PHRASES[scene.place]))
    place = " ".join([*adjectives, noun])
    if article:
        place = f"{article if article == 'the' else article_for(place)} {place}"
    if scene.subject is None:
        return place
    text = rng.choice(SUBJECT_PHRASES[scene.subject])
    if scene.companion is not None:
        links = FIGURE_LINKS if scene.companion in FIGURES else STRUCTURE_LINKS
        text += f" {rng.choice(links)} {rng.choice(SUBJECT_PHRASES[scene.companion])}"
    if rng.random() < 0.08:
        return f"{link} {place}, {text}"
    return f"{text}{', ' if rng.random() < 0.1 else ' '}{link} {place}"


def _phrase(aspect: str, concept: str, time: str, rng: random.Random) -> str:
    if aspect != "elements":
        phrases = SETTING_PHRASES[aspect][concept]
        if concept == "clear":
            phrases += CLEAR_BY_TIME.get(time, ())
        return phrases[0] if rng.random() < 0.3 else rng.choice(phrases)
    links, nouns = element_links(concept), ELEMENT_NOUNS[concept]
    if rng.random() < 0.3:
        return f"{links[0]} {nouns[0]}"
    phrase = f"{rng.choice(links)} {rng.choice(nouns)}"
    tail = element_tail(concept)
    return f"{phrase} {tail}" if tail and rng.random() < 0.25 else phrase


def _join(content: str, phrases: list[str], style: str, rng: random.Random) -> str:
    if not phrases:
        return content
    if style == "plain" and len(phrases) <= 3:
        return " ".join([content, *phrases])
    if style == "leading":
        first = rng.randint(1, min(2, len(phrases)))
        return ", ".join([*phrases[:first], content, *phrases[first:]])
    if style != "comma":
        content, phrases = f"{content} {phrases[0]}", phrases[1:]
    return ", ".join([content, *phrases])


def _american(text: str) -> str:
    return re.sub(r"\w+", lambda m: AMERICAN.get(m[0], m[0]), text)


def split_place(phrase: str) -> tuple[str, str, str]:
    """'by the sea' -> ('by', 'the', 'sea'); the article is '' where there is none."""
    link, rest = phrase.split(" ", 1)
    head, _, tail = rest.partition(" ")
    return (link, head, tail) if head in ARTICLES else (link, "", rest)


def article_for(words: str) -> str:
    """'an' before a vowel letter, else 'a'."""
    return "an" if words[:1].lower() in set("aeiou") else "a"


# ---------------------------------------------------------------- reading

LINKS = frozenset(
    {
        "in",
        "at",
        "under",
        "with",
        "by",
        "on",
        "near",
        "beside",
        "among",
        "during",
        "behind",
        "amid",
        "through",
        "beneath",
        "over",
    }
)
MODIFIERS = frozenset(
    {
        "heavy",
        "light",
        "strong",
        "thick",
        "small",
        "big",
        "large",
        "old",
        "full",
        "some",
        "many",
        "late",
        "early",
        "bright",
        "pouring",
    }
)
FUNCTION_WORDS = (
    LINKS | frozenset(ARTICLES) | frozenset({"and", "or", "of", "to", "next", "as", "while", "where", "is", "are"})
)
_TOKEN = re.compile(r"[^\W_]+|[^\w\s'’-]")


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a text names. Of contradicting words for one aspect the first counts; `subjects` are in text order.

    phrases maps (aspect, concept) to the words of the text that name it; its aspects are those of ASPECTS and
    "place" and "subject".
    """

    place: str | None = None
    subjects: tuple[str, ...] = ()
    time: str | None = None
    weather: str | None = None
    season: str | None = None
    palette: str | None = None
    light: str | None = None
    elements: tuple[str, ...] = ()
    phrases: dict[tuple[str, str], str] = field(default_factory=dict)


def parse(text: str) -> Mentions:
    """The concepts that a caption or a user's words name: at each word the longest known phrase counts."""
    tokens = [(normal_word(m[0]), m.start(), m.end()) for m in _TOKEN.finditer(text)]
    words = [word for word, _, _ in tokens]
    table, longest = _table()
    phrases: dict[tuple[str, str], str] = {}
    at, free = 0, 0  # free: first token that no earlier phrase has taken
    while at < len(words):
        for length in range(min(longest, len(words) - at), 0, -1):
            key = table.get(tuple(words[at : at + length]))
            if key is None:
                continue
            start, end = (at, at + length) if key[0] in ("place", "subject") else _widen(words, at, at + length, free)
            phrases.setdefault(key, text[tokens[start][1] : tokens[end - 1][2]])
            at = free = end
            break
        else:
            at += 1
    first: dict[str, str] = {}
    for aspect, concept in phrases:
        first.setdefault(aspect, concept)
    return Mentions(
        place=first.get("place"),
        subjects=tuple(concept for aspect, concept in phrases if aspect == "subject"),
        time=first.get("time"),
        weather=first.get("weather"),
        season=first.get("season"),
        palette=first.get("palette"),
        light=first.get("light"),
        elements=tuple(e for e in ELEMENTS if ("elements", e) in phrases),
        phrases=phrases,
    )


def _widen(words: list[str], start: int, end: int, free: int) -> tuple[int, int]:
    """Take in the link, article and modifier before a noun and the tail behind it: 'in a light [rain]'.

    A word that stands before another noun ('a [winter] forest') stays alone.
    """
    if " ".join(words[end : end + 3]) in TAILS:
        end += 3
    if words[start] in LINKS or (end < len(words) and words[end].isalnum() and words[end] not in FUNCTION_WORDS):
        return start, end
    left = start
    if left > free and words[left - 1] in MODIFIERS:
        left -= 1
    if left > free and words[left - 1] in ARTICLES:
        left -= 1
    if left > free and words[left - 1] in LINKS:
        return left - 1, end
    return start, end


def normal_word(word: str) -> str:
    """Lower case, British spelling."""
    lower = word.lower()
    return BRITISH.get(lower, lower)


@functools.cache
def _table() -> tuple[dict[tuple[str, ...], tuple[str, str]], int]:
    """Word tuple -> (aspect, concept), and the longest tuple's length."""
    table: dict[tuple[str, ...], tuple[str, str]] = {}

    def enter(phrase: str, aspect: str, concept: str, number: bool = False) -> None:
        words = tuple(normal_word(w) for w in _TOKEN.findall(phrase))
        forms = [words, *((*words[:-1], last) for last in _numbers(words[-1]))] if number else [words]
        for form in forms:
            if table.setdefault(form, (aspect, concept)) != (aspect, concept) and form == words:
                raise ValueError(f"{phrase!r} names both {concept!r} and {table[form]}")

    for place, phrases in PLACE_PHRASES.items():
        for phrase in phrases:
            enter(split_place(phrase)[2], "place", place)
    clear = {("weather", "clear"): tuple(phrase for phrases in CLEAR_BY_TIME.values() for phrase in phrases)}
    setting = {(a, c): phrases for a, concepts in SETTING_PHRASES.items() for c, phrases in concepts.items()}
    for group in (setting, clear, ADJECTIVES, ALIASES):
        for (aspect, concept), phrases in group.items():
            for phrase in phrases:
                enter(phrase, aspect, concept)
    for aspect, nouns in (("subject", SUBJECT_PHRASES), ("elements", ELEMENT_NOUNS)):
        for concept, phrases in nouns.items():
            for phrase in phrases:
                head, _, rest = phrase.partition(" ")
                enter(rest if head in ARTICLES else phrase, aspect, concept, number=True)
    return table, max(map(len, table))


def _numbers(noun: str) -> list[str]:
    """The plural of a noun, and the singular where it looks like a plural."""
    plural = IRREGULAR_PLURALS.get(noun) or re.sub(r"(?<=[^aeiou])y$", "ie", noun) + "s"
    if noun.endswith(("ch", "s", "x", "sh")):
        plural = noun + "es"
    elif noun.endswith("lf"):
        plural = noun[:-1] + "ves"
    return [plural, *([noun[:-1]] if noun.endswith("s") and not noun.endswith("ss") else [])]
