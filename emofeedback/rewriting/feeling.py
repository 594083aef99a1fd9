"""What the scene world's affect model says of words: of a caption that leaves things unsaid, and of concepts in it.

What is said counts as depicted. Time, weather and season are always there in a picture, so where they are unsaid the
mean over all of them counts; an unsaid palette or light is the default look, and unsaid elements are not there.
"""

from functools import cache

import numpy as np

from emofeedback.affect import Affect
from emofeedback.rewriting.concepts import Key
from emofeedback.scenes.affect_model import PARTS, Array, item_sums, raw_affect
from emofeedback.scenes.captions import Mentions
from emofeedback.scenes.grammar import SEASONS, TIMES, WEATHERS

ALWAYS = {"time": TIMES, "weather": WEATHERS, "season": SEASONS}


@cache
def unsaid(aspect: str) -> Array:
    """(6,) the mean sums of an aspect that every picture has."""
    return np.mean([item_sums((aspect, concept)) for concept in ALWAYS[aspect]], axis=0)


@cache
def added(key: Key) -> Array:
    """(6,) what saying a concept adds to the sums of a caption that left its aspect unsaid."""
    aspect, concept = key
    parts = item_sums(("element" if aspect == "elements" else aspect, concept))
    return parts - unsaid(aspect) if aspect in ALWAYS else parts


def caption_sums(said: Mentions) -> Array:
    """(6,) the affect model's sums of what a text names."""
    total = sum((unsaid(aspect) for aspect in ALWAYS), np.zeros(PARTS))
    for role, subject in zip(("subject", "companion"), said.subjects, strict=False):
        total = total + item_sums((role, subject))
    if said.place is not None:
        total = total + item_sums(("place", said.place))
    for aspect in ("time", "weather", "season", "palette", "light"):
        concept = getattr(said, aspect)
        if concept is not None:
            total = total + added((aspect, concept))
    return sum((added(("elements", element)) for element in said.elements), total)


def affect_of(sums: Array) -> Affect:
    """The point on the viewer's scale of sums (6,)."""
    return Affect.clamped(*(float(np.tanh(raw)) for raw in raw_affect(sums)))


def caption_affect(said: Mentions) -> Affect:
    """What a caption should make people feel, as far as it says."""
    return affect_of(caption_sums(said))
