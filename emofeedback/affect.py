"""Valence and arousal: the pair itself, its scales, and names for points of the plane.

Valence (unpleasant .. pleasant) and arousal (calm .. excited) are stored in [-1, 1] everywhere and
converted at the edges. The plane and its words follow Russell, "A circumplex model of affect" (1980).
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from emofeedback.errors import UserError
from emofeedback.text import is_finite, short, told


@dataclass(frozen=True, slots=True)
class Affect:
    """A point of the valence-arousal plane, both coordinates in [-1, 1].

    Raises:
        UserError: a coordinate is not a finite number in [-1, 1].
    """

    valence: float
    arousal: float

    def __post_init__(self) -> None:
        for name in ("valence", "arousal"):
            value = getattr(self, name)
            if not is_finite(value):
                raise UserError(f"{name} must be a number from -1 to 1, not {short(repr(value))}.")
            if not -1.0 <= value <= 1.0:
                raise UserError(f"{name} must lie between -1 and 1, but is {told(value)}.")
            object.__setattr__(self, name, float(value))

    @classmethod
    def clamped(cls, valence: float, arousal: float) -> "Affect":
        """The nearest point of the plane; for estimates that may overshoot, never for user input."""
        return cls(max(-1.0, min(1.0, valence)), max(-1.0, min(1.0, arousal)))

    def distance(self, other: "Affect") -> float:
        """Euclidean distance in the plane, in [0, 2 sqrt 2]."""
        return math.hypot(self.valence - other.valence, self.arousal - other.arousal)


# Positions are set by us after the circumplex of Russell (1980): octants of the plane, and Mikels et al.
# (2005) categories placed where their words lie on it. They are shortcuts for the sliders, not norms.
EMOTIONS: dict[str, Affect] = {
    "happy": Affect(0.8, 0.2),
    "excited": Affect(0.65, 0.7),
    "alert": Affect(0.0, 0.8),
    "afraid": Affect(-0.65, 0.7),
    "miserable": Affect(-0.8, 0.1),
    "gloomy": Affect(-0.65, -0.6),
    "sleepy": Affect(0.0, -0.8),
    "serene": Affect(0.7, -0.65),
    "amusement": Affect(0.7, 0.4),
    "awe": Affect(0.45, 0.5),
    "contentment": Affect(0.7, -0.45),
    "excitement": Affect(0.65, 0.75),
    "anger": Affect(-0.6, 0.75),
    "disgust": Affect(-0.7, 0.3),
    "fear": Affect(-0.65, 0.65),
    "sadness": Affect(-0.7, -0.5),
    "neutral": Affect(0.0, 0.0),
}
Mikels = Literal["amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness"]
MIKELS: tuple[Mikels, ...] = get_args(Mikels)
"""The eight categories of Mikels et al. (2005), doi 10.3758/BF03192732; each has a point in EMOTIONS."""
PRESETS: tuple[str, ...] = ("happy", "excited", "alert", "afraid", "miserable", "gloomy", "sleepy", "serene")


def emotion(name: str) -> Affect:
    """The plane's point for a named emotion.

    Raises:
        UserError: the name is unknown; the message lists the known ones.
    """
    try:
        return EMOTIONS[name.strip().lower()]
    except KeyError:
        raise UserError(f"Unknown emotion {name!r}; known are {', '.join(EMOTIONS)}.") from None


def nearest_emotion(affect: Affect) -> str:
    """The named emotion that lies closest to a point."""
    return min(EMOTIONS, key=lambda name: EMOTIONS[name].distance(affect))


def mood_name(affect: Affect) -> str:
    """The word of the pad that lies closest to a point: a PRESET, or "neutral"; all are adjectives."""
    return min((*PRESETS, "neutral"), key=lambda name: EMOTIONS[name].distance(affect))


def to_scale(value: float, low: float, high: float) -> float:
    """[-1, 1] -> [low, high], linear (SAM, Glasgow and BASS use 1..9, OASIS 1..7)."""
    return low + (value + 1.0) * (high - low) / 2.0


def from_scale(value: float, low: float, high: float) -> float:
    """[low, high] -> [-1, 1], linear."""
    return 2.0 * (value - low) / (high - low) - 1.0
