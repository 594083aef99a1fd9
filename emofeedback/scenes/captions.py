"""Captions: says a scene in varied English, and puts a user's words into the words that captions are made of.

Saying uses the tables of `lexicon` and `reading` knows them all, so `parse(describe(scene))` gives back exactly what
was said.
"""

import functools
import random
import re
from collections.abc import Collection

from emofeedback.scenes.grammar import FIGURES, LIVING, SEVERAL, Scene
from emofeedback.scenes.lexicon import (
    ADJECTIVES,
    AMERICAN,
    ASPECTS,
    CLEAR_BY_TIME,
    COLOUR_WORDS,
    COUNT_WORDS,
    ELEMENT_NOUNS,
    FIGURE_LINKS,
    PLACE_PHRASES,
    POSE_ADJECTIVES,
    SETTING_PHRASES,
    SIZE_WORDS,
    STRUCTURE_LINKS,
    SUBJECT_PHRASES,
    UNCOUNTED,
    UNSPOKEN,
    canonical_phrase,
    element_links,
    element_tail,
    split_place,
)
from emofeedback.scenes.reading import Match, Mentions, Reading, kind_of, normal_word, parse, plural, read, tokens_of
from emofeedback.scenes.vocabulary import unknown_words, vocabulary

__all__ = [
    "ASPECTS",
    "Mentions",
    "describe",
    "normal_word",
    "parse",
    "random_aspects",
    "split_place",
    "to_caption_words",
    "unknown_words",
    "vocabulary",
]


def random_aspects(rng: random.Random) -> tuple[str, ...]:
    """Which aspects a caption names: none in a quarter of cases, all in a quarter, else any subset."""
    draw = rng.random()
    if draw < 0.25:
        return ()
    if draw < 0.5:
        return ASPECTS
    return tuple(aspect for aspect in ASPECTS if rng.random() < 0.5)


def describe(scene: Scene, rng: random.Random, aspects: Collection[str] = ASPECTS, every_kind: bool = False) -> str:
    """A lower-case caption: the content always, of the setting only the named aspects.

    Colour, size and number are content and always said. Rather more than half of the captions hang the setting on as
    comma phrases, the form prompt edits leave behind. The default look (natural palette, even light, plain pose) is
    never put into words. A kind for which captions have no words is said as its subject is.

    Args:
        every_kind: such a kind is named, too, as a user would: "a tractor".

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
    bearing = ""
    if style == "adjective":
        chosen = [pair for pair in said if pair in ADJECTIVES][: rng.choice((1, 1, 2))]
        adjectives = [rng.choice(ADJECTIVES[pair]) for pair in chosen]
        # "a sleeping cat" is an element that lies there besides
        if ("pose", scene.pose) in said and scene.pose in POSE_ADJECTIVES and scene.subject in set(LIVING) - {"cat"}:
            bearing = rng.choice(POSE_ADJECTIVES[scene.pose])
            chosen.append(("pose", scene.pose))
        said = [pair for pair in said if pair not in chosen]
    content = _content(scene, rng, adjectives, bearing, every_kind)
    phrases = [_phrase(aspect, concept, scene.time, rng) for aspect, concept in said]
    text = _join(content, phrases, style, rng)
    return _american(text) if rng.random() < 0.3 else text


def _content(scene: Scene, rng: random.Random, adjectives: list[str], bearing: str, every_kind: bool) -> str:
    link, article, noun = split_place(rng.choice(PLACE_PHRASES[scene.place]))
    place = " ".join([*adjectives, noun])
    if article:
        place = f"{article if article == 'the' else article_for(place)} {place}"
    if scene.subject is None:
        return place
    text = _subject(scene, rng, bearing, every_kind)
    if scene.companion is not None:
        links = FIGURE_LINKS if scene.companion in FIGURES else STRUCTURE_LINKS
        phrases = spoken(scene.companion, scene.companion_kind, every_kind)
        # "a woman and a man and a woman" is anybody's guess
        phrases = tuple(phrase for phrase in phrases if " and " not in phrase) or phrases
        text += f" {rng.choice(links)} {rng.choice(phrases)}"
    if rng.random() < 0.08:
        return f"{link} {place}, {text}"
    return f"{text}{', ' if rng.random() < 0.1 else ' '}{link} {place}"


def _subject(scene: Scene, rng: random.Random, bearing: str, every_kind: bool) -> str:
    """The first subject with number, size, bearing and colour."""
    assert scene.subject is not None
    adjectives = [rng.choice(SIZE_WORDS[scene.size])] if scene.size else []
    adjectives += [bearing] if bearing else []
    adjectives += [rng.choice(COLOUR_WORDS[scene.colour])] if scene.colour else []
    phrases = spoken(scene.subject, scene.kind, every_kind)
    count = 1 if scene.subject in SEVERAL else scene.count
    if adjectives or count > 1:
        phrases = tuple(phrase for phrase in phrases if phrase not in UNCOUNTED)
    phrase = rng.choice(phrases)
    number = rng.choice(COUNT_WORDS[count]) if count > 1 else ""
    return noun_phrase(phrase, adjectives, number)


@functools.cache
def spoken(subject: str, kind: str | None, every_kind: bool = False) -> tuple[str, ...]:
    """How captions say a subject of a kind; one without words of its own as the subject, or by its name."""
    phrases = SUBJECT_PHRASES[subject]
    own = tuple(phrase for phrase in phrases if kind_of(subject, tokens_of(phrase)) == kind)
    if not own and every_kind and kind is not None:
        return (f"{article_for(kind)} {kind}",)
    return own or spoken(subject, None)


def noun_phrase(phrase: str, adjectives: Collection[str], number: str) -> str:
    """'a dog' with adjectives and a number word: 'two small dogs'; number "" leaves it single."""
    if not adjectives and not number:
        return phrase
    noun = phrase.split(" ", 1)[1]
    words = " ".join([*adjectives, plural(noun) if number else noun])
    return f"{number or article_for(words)} {words}"


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


def article_for(words: str) -> str:
    """'an' before a vowel letter, else 'a'."""
    return "an" if words[:1].lower() in set("aeiou") and not words.startswith(("ewe", "one ", "unused")) else "a"


# ---------------------------------------------------------------- a user's words


def to_caption_words(text: str) -> str:
    """A user's text in the words of captions, in the order given: 'a puppy on the beach' -> 'a small dog on a beach'.

    What is unknown, denied or contradicts an earlier word is left out; `parse` reads the same concepts from both.
    """
    reading = read(text)
    said = reading.mentions
    parts: list[tuple[str, str]] = []  # (kind, words); kind: subject, place or setting
    seen: set[tuple[str, str]] = set()
    before_place: list[str] = []
    for at, match in enumerate(reading.matches):
        aspect, concept = key = match.sense.key()
        if key in seen or (aspect, concept) in UNSPOKEN:
            continue
        if aspect not in ("subject", "elements") and getattr(said, aspect) != concept:
            continue
        seen.add(key)
        if aspect == "subject":
            first = not any(kind == "subject" for kind, _ in parts)
            many = not first or said.count is None
            parts.append(("subject", _typed_subject(reading, match, first, many)))
        elif aspect == "place":
            words = _typed_place(reading, match, before_place)
            parts.append(("place", words))
        elif _before_place(reading, at) and key in ADJECTIVES:
            word = reading.words[match.start]
            before_place.append(word if word in ADJECTIVES[key] else ADJECTIVES[key][0])
        else:
            parts.append(("setting", canonical_phrase(aspect, concept)))
    if said.pose is not None and ("pose", said.pose) not in seen and ("pose", said.pose) not in UNSPOKEN:
        parts.append(("setting", canonical_phrase("pose", said.pose)))
    return _joined(parts)


def _before_place(reading: Reading, at: int) -> bool:
    """Whether a match is the adjective of a place that is still to be said: 'a [misty] lake'."""
    match = reading.matches[at]
    if match.left != match.start or match.right != match.end or match.end - match.start != 1:
        return False
    for after in reading.matches[at + 1 :]:
        if after.sense.aspect == "place":
            return after.start == match.end and reading.mentions.place == after.sense.concept
        if after.start != match.end:
            return False
        match = after
    return False


def _typed_place(reading: Reading, match: Match, adjectives: list[str]) -> str:
    words = reading.words[match.start : match.end]
    phrases = PLACE_PHRASES[match.sense.concept]
    fitting = [phrase for phrase in phrases if tokens_of(split_place(phrase)[2]) == words]
    link, article, noun = split_place(fitting[0] if fitting else phrases[0])
    place = " ".join([*adjectives, noun])
    if article:
        place = f"{article if article == 'the' else article_for(place)} {place}"
    return f"{link} {place}"


def _typed_subject(reading: Reading, match: Match, first: bool, single: bool) -> str:
    words, concept = reading.words[match.start : match.end], match.sense.concept
    own = spoken(concept, match.sense.kind)
    phrases = (*own, *(phrase for phrase in spoken(concept, None) if phrase not in own))
    fitting = [phrase for phrase in phrases if words in _forms(phrase)]
    # "a young woman" is said as "a woman"
    alike = [phrase for phrase in phrases if words[-1:] in _forms(phrase)]
    phrase = next(iter([*fitting, *alike, *phrases]))
    said = reading.mentions
    adjectives = [SIZE_WORDS[said.size][0]] if first and said.size else []
    adjectives += [COLOUR_WORDS[said.colour][0]] if first and said.colour else []
    number = COUNT_WORDS[said.count][0] if first and said.count else ""
    if phrase in UNCOUNTED and (adjectives or number):
        phrase = phrases[0]
    if not number and phrase not in UNCOUNTED and _is_plural(words, phrase):
        return " ".join([*adjectives, plural(phrase.split(" ", 1)[1])])
    return noun_phrase(phrase, adjectives, number)


@functools.cache
def _forms(phrase: str) -> frozenset[tuple[str, ...]]:
    noun = phrase if phrase in UNCOUNTED else phrase.split(" ", 1)[1]
    noun = noun.removeprefix("a ")
    return frozenset({tokens_of(noun), tokens_of(plural(noun))})


def says_several(prompt: str) -> bool:
    """Whether a prompt's first subject is a plural without a number: 'children in a park'."""
    reading = read(prompt)
    said = reading.mentions
    match = next((m for m in reading.matches if m.sense.aspect == "subject"), None)
    if match is None or said.count is not None or match.sense.concept in SEVERAL:
        return False
    words = reading.words[match.start : match.end]
    phrases = SUBJECT_PHRASES[match.sense.concept]
    fitting = [phrase for phrase in phrases if phrase not in UNCOUNTED and words in _forms(phrase)]
    return _is_plural(words, next(iter([*fitting, *phrases])))


def _is_plural(words: tuple[str, ...], phrase: str) -> bool:
    """Whether the user's noun is a plural."""
    if any(phrase in SUBJECT_PHRASES[subject] for subject in SEVERAL):
        return False
    if words in _forms(phrase):
        noun = phrase.split(" ", 1)[1]
        return words == tokens_of(plural(noun)) != tokens_of(noun)
    # "kids playing", "birds of prey": the noun stands before
    end = next(
        (i for i, word in enumerate(words) if i and (word in ("of", "in", "with") or word.endswith("ing"))), None
    )
    noun = words[:end][-1]
    return (
        noun in ("people", "folk", "children")
        or noun.endswith("men")
        or (noun.endswith("s") and not noun.endswith(("ss", "us", "is", "'s")))
    )


def _joined(parts: list[tuple[str, str]]) -> str:
    """Subjects and place as one sentence, the setting as comma phrases around it, all in their order."""
    text, before = "", ""
    alone = not any(kind == "subject" for kind, _ in parts)
    structures = {noun for s in SUBJECT_PHRASES if s not in FIGURES for noun in SUBJECT_PHRASES[s]}
    for kind, words in parts:
        if kind == "place" and alone:
            link, article, noun = split_place(words)
            words = f"{article} {noun}" if article else noun
        if not text:
            text = words
        elif before == kind == "subject":
            text += f" {'by' if words in structures else 'and'} {words}"
        elif before == "subject" and kind == "place":
            text += f" {words}"
        else:
            text += f", {words}"
        before = kind
    return text
