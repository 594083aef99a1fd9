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


def names_subject(prompt: str, reading: Reading) -> bool | None:
    """True when a seen subject stands in the prompt, singular or plural; else None.

    A judge of open vocabulary may call a thing by another name, so that a missing word proves nothing.
    """
    asked = {_singular(word) for word in re.findall(r"[^\W\d_]+", prompt.lower())}
    for seen in reading.seen:
        if seen.aspect != "subject":
            continue
        words = re.findall(r"[^\W\d_]+", seen.word.lower())
        if words and _singular(words[-1]) in asked and len(words[-1]) > 2:
            return True
    return None


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
