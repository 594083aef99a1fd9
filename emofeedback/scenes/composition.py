"""What a plan keeps apart so that its picture can be read: nothing stands before the subject, nobody sleeps on a quay.

The affect of a scene is the sum of its parts, wherever they stand. A viewer also sees what covers what, and what does
not belong there; blind viewers named these faults most often in pictures that they would not have shown to a friend.
"""

import random
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from emofeedback.scenes.contradictions import Key
from emofeedback.scenes.draw.canvas import Ink
from emofeedback.scenes.draw.elements import ELEMENT_DRAWINGS
from emofeedback.scenes.draw.render import document, rasterised
from emofeedback.scenes.draw.subjects import subject_boxes
from emofeedback.scenes.grammar import GROUND_ELEMENTS, INDOOR_PLACES, PEOPLE, PLACES, RARE, Scene, plausibility

COVERED = 0.1
"""Share of a subject's box from which an element stands before it."""
BEFORE = 0.3
"""The same as a share of the element, which may be small before a train."""
PIXELS = 50
"""Of the masks that this is looked up in, along each side."""
SOFT = ("bedroom", "meadow", "garden", "park", "seaside", "island", "lake")
"""Where people lie down to sleep."""
FESTIVE = ("balloons", "confetti", "fireworks", "carnival", "parade", "dancing crowd", "jumping children", "kites")
FITTING = {
    "bench": ("park", "garden", "seaside", "lake", "river", "village", "street", "city", "forest", "meadow"),
    "balloons": ("park", "garden", "meadow", "village", "street", "seaside"),
}
"""Where a thing is expected at first, more narrowly than where it may stand."""
DULL: frozenset[Key] = frozenset({("weather", "wind"), ("palette", "muted"), ("light", "dim")})
"""What viewers like least to look at, at the same mood: swirls across all that stands there, grey, and darkness."""
IN_NO_ROOM = ("jumping children", "lonely figure", "wilted flowers")
"""What is too small, or out of place, beside what stands in a room."""


@lru_cache(maxsize=1024)
def unclear(scene: Scene) -> frozenset[Key]:
    """(aspect, concept) of what would make the content of a scene hard to read."""
    barred = {("elements", element) for element in GROUND_ELEMENTS if _covers(element, scene)}
    if scene.place in INDOOR_PLACES:
        barred |= {("elements", element) for element in IN_NO_ROOM}
    return frozenset(barred)


def misplaced(scene: Scene) -> frozenset[Key]:
    """What does not belong into a scene, whatever the mood: what makes it unclear, and sleep where nobody sleeps."""
    return unclear(scene) | ({("pose", "asleep")} if sleepless(scene) else frozenset())


def sleepless(scene: Scene) -> bool:
    """Whether nobody can be asleep in a scene: people who stand about or celebrate, and several of them in one heap."""
    if not {scene.subject, scene.companion} & set(PEOPLE):
        return False
    several = scene.count > 1 or scene.companion is not None
    return several or scene.place not in SOFT or bool(set(scene.elements) & set(FESTIVE))


def place_weights(things: tuple[str, ...]) -> list[float]:
    """How well each place goes with subjects and elements that were named, in the order of `PLACES`."""
    weights = []
    for place in PLACES:
        weight = 1.0
        for thing in things:
            fits = FITTING.get(thing)
            weight *= plausibility(place, thing) if fits is None else (1.0 if place in fits else RARE)
        weights.append(weight)
    return weights


def _covers(element: str, scene: Scene) -> bool:
    mask = _footprint(element)
    for _, box in subject_boxes(scene):
        left, top, right, bottom = (round(side * PIXELS / 100) for side in box)
        inside = mask[top : max(bottom, top + 1), left : max(right, left + 1)]
        if inside.size and (inside.mean() > COVERED or inside.sum() > BEFORE * mask.sum()):
            return True
    return False


@cache
def _footprint(element: str) -> NDArray[np.bool_]:
    """(P, P) where an element is drawn."""
    ink = Ink("#ffffff", 0.0, haze="#ffffff", season="summer", rng=random.Random(0))
    ground = '<rect width="100" height="100" fill="#ff00ff"/>'
    drawn = np.asarray(rasterised(document(ground + ELEMENT_DRAWINGS[element](ink)), PIXELS), dtype=np.int16)
    return np.asarray(np.abs(drawn - (255, 0, 255)).sum(axis=-1) > 60)
