"""The affect model of the scene world: what a scene conveys, as a viewer of its pictures rated it.

    valence = tanh(b + sum of the effects of what is depicted + sum of the effects of pairs)          arousal likewise

The scale is the viewer's own, in (-1, 1): there is no stretch. The effects are fitted to ratings of rendered scenes
(`fit_affect`, `ratings.csv`), drawn towards published norms of the words and themes (`norms`), so that an item which
was never rated lies where its norm puts it. They are kept in `effects.json` (`Effects` says what it holds).

A companion counts as `Effects.companion` of the same subject. Pairs are those of `PAIRS`; of two items that are both
depicted, the pair's effect is added to theirs. A pose acts through whoever has a face ("kind"), and weather and
elements act otherwise through the window of a room ("room").

    p, n = sums of the positive and of the negative valence effects of the scene's items, n >= 0;
           each counts by the share of its aspect in MESSAGE
    q, m = the same of arousal
    P(mixed) = 1 / (1 + exp(-(w . f)))      f = features of p, n, q, m (`mixed_features`), w fitted to the ratings

where "mixed" means that the viewer found the picture's messages contradictory.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.scenes.grammar import ANIMALS, INDOOR_PLACES, PEOPLE, Scene

Item = tuple[str, str]
"""(aspect, concept) of something depicted. Aspects: place, subject, companion, colour, size, count, time, weather,
season, palette, light, pose, element; in pairs also the kinds of content, "kind" and "room"."""
Pair = tuple[Item, Item]
"""Two items that are depicted together, in the order of `PAIRS`; of two elements the first in the alphabet first."""

PAIRS = (
    ("weather", "time"),
    ("weather", "element"),
    ("element", "element"),
    ("light", "time"),
    ("palette", "light"),
    ("palette", "weather"),
    ("pose", "kind"),
    ("room", "weather"),
    ("room", "element"),
)
"""Families of pairs that may have an effect of their own."""
PARTS = 6
"""Length of `item_sums`: valence, arousal (before tanh), p, n, q, m."""

MESSAGE = {"place": 0.5, "time": 0.5, "season": 0.5, "palette": 0.5, "light": 0.5, "subject": 0.75, "companion": 0.75}
"""Share of an item's effect that counts as a message of its own; 1 for all other aspects. Dim light contradicts
balloons less than a grave does. Of the shares tried (0, .25, .5, .75, 1) these predict the ratings of `mixed` best, but
that a subject at 1 does as well."""

SAFE = 0.1
"""Probability of a mixed message up to which a scene counts as free of contradiction."""
SAFE_LOGIT = math.log(SAFE / (1 - SAFE))

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Effects:
    """The fitted effects, all on the artanh scale.

    Attributes:
        intercept: (2,) valence and arousal of a scene whose items are all average.
        items: effect (2,) of each item; an item without an entry has none. Companions are looked up as subjects.
        pairs: effect (2,) of each pair that has one.
        companion: share of a subject's effect that it has as a companion.
        mixed: (F,) weights of `mixed_features`.
    """

    intercept: Array
    items: Mapping[Item, Array]
    pairs: Mapping[Pair, Array]
    companion: float
    mixed: Array


@dataclass(frozen=True, slots=True)
class SceneAffect:
    """Valence and arousal on the viewer's scale, in (-1, 1), and before the tanh (about -2 .. 2)."""

    valence: float
    arousal: float
    raw_valence: float
    raw_arousal: float

    def affect(self) -> Affect:
        """The value as a point of the plane."""
        return Affect.clamped(self.valence, self.arousal)


def effects_from(data: Mapping[str, Any]) -> Effects:
    """Effects of the content of `effects.json`.

    "intercept" [v, a]; "items" {aspect: {concept: [v, a]}}; "pairs" {"aspect|aspect": {"concept|concept": [v, a]}};
    "companion" a share; "mixed" the weights. What else it holds (standard errors, cross-validation) is for readers.
    """
    pairs = {}
    for family, table in data["pairs"].items():
        first, second = family.split("|")
        for concepts, effect in table.items():
            left, right = concepts.split("|")
            pairs[(first, left), (second, right)] = np.array(effect)
    return Effects(
        np.array(data["intercept"]),
        {(aspect, c): np.array(e) for aspect, table in data["items"].items() for c, e in table.items()},
        pairs,
        float(data["companion"]),
        np.array(data["mixed"]),
    )


@cache
def load_effects() -> Effects:
    """The bundled effects; read once per process."""
    text = resources.files("emofeedback.scenes").joinpath("effects.json").read_text(encoding="utf-8")
    loaded = effects_from(json.loads(text))
    return Effects(
        loaded.intercept,
        MappingProxyType(loaded.items),
        MappingProxyType(loaded.pairs),
        loaded.companion,
        loaded.mixed,
    )


# ---------------------------------------------------------------- what a scene consists of


def content_items(scene: Scene) -> list[Item]:
    """Place, subject and companion, as far as there are any."""
    named = (("place", scene.place), ("subject", scene.subject), ("companion", scene.companion))
    return [(aspect, concept) for aspect, concept in named if concept is not None]


def look_items(scene: Scene) -> list[Item]:
    """Colour, size and number of the first subject where they are not the usual ones."""
    looks = (("colour", scene.colour), ("size", scene.size), ("count", str(scene.count) if scene.count > 1 else None))
    return [(aspect, concept) for aspect, concept in looks if concept is not None]


def setting_items(scene: Scene) -> list[Item]:
    """Time, weather, season, palette, light, the pose where there is one, and every element."""
    setting = ("time", "weather", "season", "palette", "light")
    items = [(aspect, getattr(scene, aspect)) for aspect in setting]
    if scene.pose != "plain":
        items.append(("pose", scene.pose))
    return items + [("element", e) for e in scene.elements]


def kind_items(place: str, subject: str | None, companion: str | None) -> list[Item]:
    """What pairs ask of the content: whether people or animals are there, and whether it is a room."""
    there = (subject, companion)
    kinds = [("kind", "people")] if any(s in PEOPLE for s in there) else []
    kinds += [("kind", "animals")] if any(s in ANIMALS for s in there) else []
    return kinds + ([("room", "room")] if place in INDOOR_PLACES else [])


def pairs_of(items: Iterable[Item]) -> list[Pair]:
    """All pairs of the families `PAIRS` among some items, those of `kind_items` included where they are given."""
    by_aspect: dict[str, list[Item]] = {}
    for item in items:
        by_aspect.setdefault(item[0], []).append(item)
    found: list[Pair] = []
    for first, second in PAIRS:
        if first == second:
            held = sorted(by_aspect.get(first, ()))
            found += [(a, b) for i, a in enumerate(held) for b in held[i + 1 :]]
        else:
            found += [(a, b) for a in by_aspect.get(first, ()) for b in by_aspect.get(second, ())]
    return found


# ---------------------------------------------------------------- sums


def item_effect(item: Item, effects: Effects | None = None) -> Array:
    """(2,) the effect of one item; zero where it has none."""
    effects = effects or load_effects()
    aspect, concept = item
    if aspect == "companion":
        return effects.companion * effects.items.get(("subject", concept), np.zeros(2))
    return effects.items.get(item, np.zeros(2))


def item_sums(item: Item, effects: Effects | None = None) -> Array:
    """(6,) what one item adds to the sums of a scene, pairs aside: valence, arousal, p, n, q, m."""
    effect = item_effect(item, effects)
    said, excites = effect * MESSAGE.get(item[0], 1.0)
    return np.array([*effect, max(said, 0), max(-said, 0), max(excites, 0), max(-excites, 0)])


def pair_sums(pairs: Iterable[Pair], effects: Effects | None = None) -> Array:
    """(6,) what pairs add: to valence and arousal only."""
    effects = effects or load_effects()
    total = np.zeros(PARTS)
    for pair in pairs:
        if pair in effects.pairs:
            total[:2] += effects.pairs[pair]
    return total


def sums(items: Iterable[Item], effects: Effects | None = None) -> Array:
    """(6,) the sums of a set of items without their pairs; those of disjoint sets may be added."""
    return sum((item_sums(item, effects) for item in items), np.zeros(PARTS))


def scene_sums(scene: Scene, effects: Effects | None = None) -> Array:
    """(6,) the sums of a whole scene with its pairs."""
    items = content_items(scene) + look_items(scene) + setting_items(scene)
    kinds = kind_items(scene.place, scene.subject, scene.companion)
    return sums(items, effects) + pair_sums(pairs_of(items + kinds), effects)


def raw_affect(parts: Array, effects: Effects | None = None) -> tuple[Array, Array]:
    """Valence and arousal (...) before the tanh of sums (6, ...)."""
    intercept = (effects or load_effects()).intercept.astype(parts.dtype)
    return parts[0] + intercept[0], parts[1] + intercept[1]


def mixed_features(parts: Array) -> Array:
    """(F, ...) what the probability of a mixed message is made of, of sums (6, ...).

    1, the smaller of p and n, and the smallest of p, n and q: what is glad and sad at once is a contradiction, the more
    so the more exciting the scene is. Calm beside excitement alone does not count: as rated, it adds nothing.
    """
    both = np.minimum(parts[2], parts[3])
    return np.stack([np.ones_like(both), both, np.minimum(both, parts[4])])


def mixed_logit(parts: Array, effects: Effects | None = None) -> Array:
    """Log odds (...) that a viewer finds the messages contradictory; sums (6, ...)."""
    weights = (effects or load_effects()).mixed.astype(parts.dtype)
    return np.tensordot(weights, mixed_features(parts), 1)


def contradiction(parts: Array, effects: Effects | None = None) -> Array:
    """The charge (...) >= 0 on sums (6, ...) whose messages contradict each other.

    The square of how far the log odds of `mixed_logit` exceed those of a probability of SAFE; 0 below it.
    """
    logit = mixed_logit(parts, effects)
    return np.maximum(logit - parts.dtype.type(SAFE_LOGIT), 0) ** 2


def mixed_probability(scene: Scene) -> float:
    """The probability that a viewer finds a scene's messages contradictory, in (0, 1)."""
    return 1.0 / (1.0 + math.exp(-float(mixed_logit(scene_sums(scene)))))


def scene_affect(scene: Scene, effects: Effects | None = None) -> SceneAffect:
    """The affect of a scene; `effects` replaces the bundled ones."""
    valence, arousal = (float(raw) for raw in raw_affect(scene_sums(scene, effects), effects))
    return SceneAffect(math.tanh(valence), math.tanh(arousal), valence, arousal)


def carriers(scene: Scene, effects: Effects | None = None) -> list[tuple[str, str, float, float]]:
    """What carries the emotion: (aspect, concept, valence, arousal) of everything depicted, strongest first.

    A share is the item's effect and half of each pair's; that of a pair with a kind of content is the setting's. With
    the intercept and the effects of the subject's looks the shares add up to artanh of the scene's values.
    """
    effects = effects or load_effects()
    items = content_items(scene) + setting_items(scene)
    shares = {item: item_effect(item, effects).copy() for item in items}
    for pair in pairs_of(items + kind_items(scene.place, scene.subject, scene.companion)):
        holders = [item for item in pair if item in shares]
        for item in holders:
            shares[item] = shares[item] + effects.pairs.get(pair, np.zeros(2)) / len(holders)
    found = [(aspect, concept, float(pull[0]), float(pull[1])) for (aspect, concept), pull in shares.items()]
    return sorted(found, key=lambda share: -math.hypot(share[2], share[3]))
