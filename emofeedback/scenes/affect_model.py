"""The affect model of the scene world: what a scene should make people feel, from published norms of what it shows.

    raw    = sum_i w_i x_i / sum_i w_i  +  colour(palette, light)          per axis, x_i in [-1, 1] from norms.csv
    scaled = tanh((raw - centre) / width)                                  the scene scale, in (-1, 1)

The scene scale is not a human rating: raw means of many things crowd around the middle (sd .15), and ONE strictly
monotone stretch per axis spreads them over the plane. The raw value is kept beside it.

Where each coefficient comes from:
    x_i                 human norms, norms.py
    WEIGHTS             set by us: content first, as the theme of a picture explains its rating far better than colour
                        does (on OASIS r = .86 / .88 against .30 / .39), but elements and weather strongest, so that
                        the setting can move any content over the plane; a companion weighs half a subject
    CONCEPT_WEIGHTS     set by us: a clear sky says little, a natural palette and even light say nothing
    COLOUR_TO_AFFECT    Valdez & Mehrabian 1994, doi 10.1037/0096-3445.123.4.394, standardised variables:
                        P = .69 B + .22 S, A = -.31 B + .60 S (B brightness, S saturation); signs and ratios theirs
    COLOUR_SIZE         set by us: small
    COLOUR_STEPS        set by us: vivid and muted are one step of S up or down, bright and dim one step of B
    CENTRE, WIDTH       set by us: near the raw mean of random scenes (V .07, A -.01), and as wide, that is gentle, as
                        they can be while every place and subject reaches all of {-.8, -.4, 0, .4, .8}^2 within .15
                        by its setting (a wolf in a city at (.8, -.8) is the hardest; V .28 or A .22 misses it)
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.scenes.grammar import Scene
from emofeedback.scenes.norms import Norm, Norms, load_norms

Item = tuple[str, str]
"""(aspect, concept) of something depicted; the aspects are the keys of WEIGHTS."""

WEIGHTS = {
    "place": 0.7,
    "subject": 0.7,
    "companion": 0.35,
    "time": 0.5,
    "weather": 2.0,
    "season": 0.4,
    "palette": 0.8,
    "light": 0.6,
    "element": 2.0,
}
CONCEPT_WEIGHTS: dict[Item, float] = {("weather", "clear"): 0.5, ("palette", "natural"): 0.0, ("light", "even"): 0.0}
COLOUR_TO_AFFECT = np.array([[0.69, 0.22], [-0.31, 0.60]])  # rows valence, arousal; columns brightness, saturation
COLOUR_SIZE = 0.06
COLOUR_STEPS: dict[str, tuple[float, float]] = {  # (brightness, saturation)
    "vivid": (0.0, 1.0),
    "muted": (0.0, -1.0),
    "bright": (1.0, 0.0),
    "dim": (-1.0, 0.0),
}
CENTRE = np.array([0.075, 0.025])  # valence, arousal
WIDTH = np.array([0.27, 0.20])

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class SceneAffect:
    """Valence and arousal on the scene scale, in (-1, 1), and before the stretch (about -.5 .. .6)."""

    valence: float
    arousal: float
    raw_valence: float
    raw_arousal: float

    def affect(self) -> Affect:
        """The scene-scale value as a point of the plane."""
        return Affect.clamped(self.valence, self.arousal)


def content_items(scene: Scene) -> list[Item]:
    """Place, subject and companion, as far as there are any."""
    named = (("place", scene.place), ("subject", scene.subject), ("companion", scene.companion))
    return [(aspect, concept) for aspect, concept in named if concept is not None]


def setting_items(scene: Scene) -> list[Item]:
    """Time, weather, season, palette, light and every element."""
    setting = ("time", "weather", "season", "palette", "light")
    return [(aspect, getattr(scene, aspect)) for aspect in setting] + [("element", e) for e in scene.elements]


def weight(item: Item) -> float:
    """How much an item counts in the mean, >= 0."""
    return CONCEPT_WEIGHTS.get(item, WEIGHTS[item[0]])


def norm_of(item: Item, norms: Norms) -> Norm:
    """The norm of an item; a companion has the norm of that subject."""
    aspect, concept = item
    return norms["subject" if aspect == "companion" else aspect, concept]


def colour(concept: str) -> Array:
    """(2,) valence and arousal that a palette or light adds to the raw mean; zero for anything else."""
    return COLOUR_SIZE * (COLOUR_TO_AFFECT @ np.array(COLOUR_STEPS.get(concept, (0.0, 0.0))))


def sums(items: Iterable[Item], norms: Norms) -> Array:
    """(6,) additive parts of a set of items: those of disjoint sets may be added, then go into `raw_affect`.

    Weight, weighted valence, weighted arousal, colour valence, colour arousal, and the weighted square
    (x / WIDTH) of both axes, from which `dispersion` tells whether a scene sends mixed messages.
    """
    total = np.zeros(6)
    for item in items:
        w, norm, shift = weight(item), norm_of(item, norms), colour(item[1])
        square = (norm.valence / WIDTH[0]) ** 2 + (norm.arousal / WIDTH[1]) ** 2
        total += (w, w * norm.valence, w * norm.arousal, shift[0], shift[1], w * square)
    return total


@cache
def item_sums(item: Item) -> Array:
    """(6,) what one item adds to `sums` under the bundled norms."""
    return sums([item], load_norms())


def raw_affect(parts: Array) -> tuple[Array, Array]:
    """Raw valence and arousal (...) of sums (6, ...)."""
    return parts[1] / parts[0] + parts[3], parts[2] / parts[0] + parts[4]


def stretch(raw: Array, axis: int) -> Array:
    """Raw value -> scene scale in (-1, 1), strictly monotone; axis 0 is valence, 1 arousal."""
    return np.tanh((raw - CENTRE[axis].astype(raw.dtype)) / WIDTH[axis].astype(raw.dtype))


def dispersion(parts: Array) -> Array:
    """Weighted variance (...) of the norms in a scene in units of WIDTH, both axes added; sums (6, ...)."""
    valence = parts[1] / (parts[0] * parts.dtype.type(WIDTH[0]))
    arousal = parts[2] / (parts[0] * parts.dtype.type(WIDTH[1]))
    return parts[5] / parts[0] - valence**2 - arousal**2


def scene_affect(scene: Scene, norms: Norms | None = None) -> SceneAffect:
    """The affect of a scene; `norms` replaces the bundled table."""
    parts = sums(content_items(scene) + setting_items(scene), norms or load_norms())
    valence, arousal = raw_affect(parts)
    return SceneAffect(float(stretch(valence, 0)), float(stretch(arousal, 1)), float(valence), float(arousal))


def carriers(scene: Scene, norms: Norms | None = None) -> list[tuple[str, str, float, float]]:
    """What carries the emotion: (aspect, concept, valence, arousal) of everything depicted, strongest first.

    The shares are those of (raw - CENTRE) / WIDTH, so they add up to artanh of the scene's valence and arousal;
    a concept whose norm lies at the centre has none.
    """
    table = norms or load_norms()
    items = content_items(scene) + setting_items(scene)
    total = sum(weight(item) for item in items)
    shares = []
    for item in items:
        norm = norm_of(item, table)
        pull = weight(item) / total * (np.array([norm.valence, norm.arousal]) - CENTRE) + colour(item[1])
        valence, arousal = pull / WIDTH
        shares.append((item[0], item[1], float(valence), float(arousal)))
    return sorted(shares, key=lambda share: -math.hypot(share[2], share[3]))
