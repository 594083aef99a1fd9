"""The words that a generator draws, to be pressed into the prompt: those of the scene world that it knows."""

from typing import Any

from emofeedback.scenes.grammar import (
    ANIMALS,
    ELEMENTS,
    LIGHTS,
    PALETTES,
    PEOPLE,
    PLACES,
    POSES,
    SEASONS,
    STRUCTURES,
    THINGS,
    TIMES,
    WEATHERS,
)
from emofeedback.scenes.lexicon import PLACE_PHRASES, SUBJECT_PHRASES, canonical_phrase
from emofeedback.ui.parts.html import text

OPEN = "openvocabularytest"
"""A word of no language: a generator that says nothing on it takes any words."""
KINDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Places", "place", PLACES),
    ("People", "subject", PEOPLE),
    ("Animals", "subject", ANIMALS),
    ("Things", "subject", THINGS + STRUCTURES),
    ("Hour", "time", TIMES),
    ("Weather", "weather", WEATHERS),
    ("Season", "season", SEASONS),
    ("Colours", "palette", PALETTES[1:]),
    ("Light", "light", LIGHTS[1:]),
    ("Bearing", "pose", POSES[1:]),
    ("And with", "elements", ELEMENTS),
)


def drawable_words(generator: Any) -> str:
    """The words by kind, each a button; a sentence where the generator takes any."""
    if not generator.unknown_words(OPEN):
        return '<div class="drawable"><p>This generator takes any words.</p></div>'
    groups = []
    for title, aspect, concepts in KINDS:
        phrases = dict.fromkeys(_phrase(aspect, concept) for concept in concepts)
        known = [phrase for phrase in phrases if phrase and not generator.unknown_words(phrase)]
        if known:
            buttons = "".join(
                f'<button type="button" data-use="{text(phrase)}">{text(phrase)}</button>' for phrase in known
            )
            groups.append(f"<h4>{title}</h4><p>{buttons}</p>")
    return f'<div class="drawable">{"".join(groups)}</div>'


def _phrase(aspect: str, concept: str) -> str:
    spoken = {"place": PLACE_PHRASES, "subject": SUBJECT_PHRASES}.get(aspect)
    return canonical_phrase(aspect, concept) if spoken is None else spoken[concept][0]
