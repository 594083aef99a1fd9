"""Known words: what the scene world's captions and edits can say, and which words of a text lie outside of it."""

import functools
import re
import unicodedata
from collections.abc import Collection

from emofeedback.scenes.grammar import ELEMENTS
from emofeedback.scenes.lexicon import (
    ADJECTIVES,
    AMERICAN,
    ARTICLES,
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
    TAILS,
    UNCOUNTED,
    element_links,
)
from emofeedback.scenes.reading import content_unknown, nearest_known, plural, single_words

__all__ = ["content_unknown", "nearest_known", "understood_words", "unknown_words", "vocabulary"]


@functools.cache
def vocabulary() -> frozenset[str]:
    """Every word that `describe` and the canonical edit phrases can produce, lower-case."""
    phrases: list[str] = [*FIGURE_LINKS, *STRUCTURE_LINKS, *ARTICLES, *TAILS]
    for table in (PLACE_PHRASES, SUBJECT_PHRASES, CLEAR_BY_TIME, ELEMENT_NOUNS, *SETTING_PHRASES.values()):
        phrases += [phrase for group in table.values() for phrase in group]
    for looks in (COLOUR_WORDS, SIZE_WORDS, POSE_ADJECTIVES):
        phrases += [word for group in looks.values() for word in group]
    phrases += [words for group in COUNT_WORDS.values() for words in group]
    phrases += [plural(p) for group in SUBJECT_PHRASES.values() for p in group if p not in UNCOUNTED]
    phrases += [word for group in ADJECTIVES.values() for word in group]
    phrases += [link for element in ELEMENTS for link in element_links(element)]
    words = {word for phrase in phrases for word in phrase.replace("-", " ").split()}
    return frozenset(words | {AMERICAN[word] for word in words if word in AMERICAN})


@functools.cache
def understood_words() -> frozenset[str]:
    """Every single word that the world understands, lower-case: drawn, describing, or plain."""
    words = single_words() | vocabulary()
    american = {british: american for british, american in AMERICAN.items() if british in words}
    return words | frozenset(american.values())


def unknown_words(text: str, known: Collection[str]) -> tuple[str, ...]:
    """Words of a text that are not among the known lower-case words, each once, in order and as written.

    Emoji, symbols, numbers and words of other scripts count as words; plain plurals and 's forms of known words
    are known.
    """
    known = known if isinstance(known, (set, frozenset)) else set(known)
    found: dict[str, str] = {}
    for word in _words(unicodedata.normalize("NFC", text)):
        lower = word.lower()
        if not any(form in known for form in _base_forms(lower)):
            found.setdefault(lower, word)
    return tuple(found.values())


def _words(text: str) -> list[str]:
    """Runs of letters, digits and marks, and runs of symbols; an apostrophe between letters belongs to the word."""
    words: list[str] = []
    kind = ""
    for position, char in enumerate(text):
        category = unicodedata.category(char)[0]
        here = "word" if category in "LN" else "symbol" if category in "SC" and not char.isspace() else ""
        joins = category == "M" or char in "\u200d\ufe0f"
        if (joins or (char in "'’" and text[position + 1 : position + 2].isalpha() and kind == "word")) and kind:
            words[-1] += char
            continue
        if here and here == kind:
            words[-1] += char
        elif here:
            words.append(char)
        kind = here
    return words


def _base_forms(word: str) -> list[str]:
    word = word.replace("’", "'")
    stem = re.sub(r"'s?$", "", word)
    forms = [word, stem]
    for ending, base in (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f")):
        if len(stem) > len(ending) + 2 and stem.endswith(ending):
            forms.append(stem[: -len(ending)] + base)
    return forms
