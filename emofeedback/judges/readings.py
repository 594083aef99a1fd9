"""What local and remote vision-language judges share once the numbers are there."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from emofeedback.records import Reading


@dataclass(frozen=True, slots=True)
class AxisRating:
    """One axis: mean and sd on [-1, 1], mass in [0, 1] (probability on rating labels at all)."""

    mean: float
    sd: float
    mass: float


def average(parts: Sequence[AxisRating]) -> AxisRating:
    """The mixture of answers to one question asked in several ways: mean, spread within and between, least mass."""
    mean = sum(part.mean for part in parts) / len(parts)
    variance = sum(part.sd**2 + (part.mean - mean) ** 2 for part in parts) / len(parts)
    return AxisRating(mean, math.sqrt(variance), min(part.mass for part in parts))


FUNCTION_WORD = re.compile(
    "a|an|the|this|that|some|of|in|on|at|by|near|beside|behind|above|below|over|under|between|among|next|to|with|"
    "without|and|or|from|into|through|across|along|around|during|after|before|as|while|is|are|was|were|be|being|it|"
    "its|his|her|their|my|our|your|one|two|three"
)
"""Words of a prompt that name nothing to be seen."""


def names_everything(prompt: str, reading: Reading) -> bool | None:
    """True when each content word of the prompt, singular or plural, is among what was seen; else None.

    A judge of open vocabulary may call a thing by another name, so that a missing word proves nothing: whoever needs
    to know has to ask. One thing that was seen says nothing about the others ("a lighthouse by the sea, a child").
    """
    asked = {_singular(w) for w in re.findall(r"[^\W\d_]+", prompt.lower()) if not FUNCTION_WORD.fullmatch(w)}
    seen = {_singular(w) for item in reading.seen for w in re.findall(r"[^\W\d_]+", item.word.lower())}
    return True if asked and asked <= seen else None


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
