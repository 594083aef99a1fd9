"""What a plan keeps apart so that its picture can be read: nothing stands before the subject, nobody sleeps on a quay.

The affect of a scene is the sum of its parts, wherever they stand. A viewer also sees what covers what, and what does
not belong there; blind viewers named these faults most often in pictures that they would not have shown to a friend.
"""

import itertools
import random
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from emofeedback.scenes.contradictions import Key
from emofeedback.scenes.draw.canvas import Ink
from emofeedback.scenes.draw.elements import ELEMENT_DRAWINGS
from emofeedback.scenes.draw.render import BEFORE, BEHIND, document, rasterised
from emofeedback.scenes.draw.subjects import Box, subject_boxes
from emofeedback.scenes.grammar import (
    ELEMENTS,
    FAR_ELEMENTS,
    INDOOR_PLACES,
    LIVING,
    OUTDOOR_PLACES,
    PEOPLE,
    PLACES,
    RARE,
    SEASONS,
    SUBJECTS,
    Scene,
    plausibility,
)

AROUND = ("rainbow", "sunbeams", "starry sky", "sparks", "confetti", "sunlit path", "racing clouds")
"""What lies over all the sky or ground, and goes with what stands there."""
COVERED = 0.08
"""Share of a subject's box from which an element stands before it."""
COVERING = 0.08
"""The same as a share of the element, which may be small before a train."""
PIXELS = 50
"""Of the masks that this is looked up in, along each side."""
STRANGE = 0.0005
"""Weight of a place where one does not expect what was named."""
UNUSUAL = 0.02
"""The same of a kind or an element where something is done that one expects elsewhere."""
SOFT = ("bedroom", "meadow", "garden", "park", "seaside", "island", "lake")
"""Where people lie down to sleep."""
FESTIVE = ("balloons", "confetti", "fireworks", "carnival", "parade", "dancing crowd", "jumping children", "kites")
FITTING = {
    "baby": ("bedroom", "kitchen", "garden", "park", "meadow"),
    "bicycle": ("road", "street", "park", "village", "city", "meadow", "seaside", "lake", "farm"),
    "market stall": ("village", "city", "street", "park"),
    "tent": ("forest", "meadow", "mountains", "lake", "river", "seaside"),
    "bench": ("park", "garden", "seaside", "lake", "river", "village", "street", "city", "forest", "meadow"),
    "balloons": ("park", "garden", "meadow", "village", "street", "seaside"),
    "duck": ("lake", "river", "park"),
    "swan": ("lake", "river", "park"),
    "house": ("village", "meadow", "lake", "garden", "street", "mountains", "farm", "seaside"),
    "car": ("street", "road", "city", "village"),
    "bus": ("street", "road", "city", "village"),
    "truck": ("road", "street", "farm", "city"),
    "chef": ("kitchen", "cafe"),
    "astronaut": ("desert", "mountains"),
    "robot": ("city", "street", "desert", "park", "kitchen"),
    "wizard": ("forest", "mountains", "village", "meadow"),
    "witch": ("forest", "mountains", "village", "meadow"),
    "pirate": ("island", "seaside", "harbour"),
    "clown": ("park", "street", "city", "village", "meadow"),
    "knight": ("meadow", "forest", "mountains", "village"),
    "doctor": ("bedroom", "street", "city"),
    "police officer": ("street", "city", "village", "road"),
    "firefighter": ("street", "city", "village", "road"),
    "bride": ("garden", "park", "seaside", "meadow"),
    "unicorn": ("meadow", "forest", "lake", "waterfall", "mountains"),
    "farmer": ("farm", "meadow", "garden"),
    "tractor": ("farm", "meadow", "road"),
    "fire engine": ("street", "city", "village", "road"),
    "pickup": ("farm", "road", "village", "desert"),
    "taxi": ("street", "city"),
    "motorcycle": ("road", "street", "mountains", "desert", "seaside"),
    "gull": ("seaside", "harbour", "island"),
    "penguin": ("seaside", "island"),
    "chicken": ("farm", "meadow", "garden", "village"),
    "parrot": ("forest", "garden", "island", "park"),
    "lion": ("meadow", "desert", "forest"),
    "tiger": ("forest", "meadow", "river"),
    "zebra": ("meadow", "desert", "river"),
    "polar bear": ("seaside", "island", "mountains"),
    "panda": ("forest", "mountains"),
    "cabin": ("forest", "mountains", "lake", "meadow"),
    "conifer": ("forest", "mountains", "meadow", "park", "lake"),
    "snowman": ("park", "garden", "meadow", "village", "mountains"),
}
"""Where a thing or a kind is expected at first, more narrowly than where it may stand."""
WINTRY = ("snowman", "penguin", "polar bear")
"""Kinds that one expects in winter."""
DULL: frozenset[Key] = frozenset(
    {("weather", "wind"), ("palette", "muted"), ("palette", "warm"), ("light", "dim")}
    | {("elements", element) for element in ("racing clouds", "sparks", "tornado", "rocket")}
)
"""What viewers like least to look at, at the same mood: swirls and streaks across the picture, grey, a brown cast,
darkness, and a rocket, which hardly ever belongs there."""
NIGHT_LIGHTS = ("fireworks", "starry sky", "lanterns", "candles", "moon", "carnival", "fire")
"""What makes a night pleasant to look at."""
_GREEN = ("meadow", "park", "garden", "forest", "farm")
_OPEN = ("meadow", "park", "garden", "farm", "lake", "river", "mountains", "seaside", "island")
_WILD = ("meadow", "forest", "mountains", "river", "lake", "road", "farm", "waterfall")
_TOWN = ("village", "city", "street")
SITES: dict[str, tuple[str, ...]] = {
    "balloons": (*_OPEN, "desert", *_TOWN),
    "kites": (*_OPEN, "road", "village"),
    "confetti": ("park", "garden", "meadow", "farm", "harbour", "seaside", *_TOWN, *INDOOR_PLACES),
    "rocket": ("desert", "meadow", "city", "road", "island", "lake"),
    "drifting leaves": (*_GREEN, "mountains", "river", "lake", "road", "waterfall", "village", "street"),
    "carnival": ("meadow", "park", "farm", "road", "river", "lake", *_TOWN),
    "eruption": ("mountains", "desert"),
    "ruins": ("meadow", "forest", "mountains", "desert", "river", "road", "garden", "park", "waterfall"),
    "cottage": (*_WILD, "garden", "park", "village"),
    "dancing crowd": ("meadow", "park", "garden", "farm", *_TOWN),
    "parade": ("park", "meadow", "road", *_TOWN),
    "lone window": (*_WILD, "desert", "park", "garden", "village", "seaside", "island"),
    "fire": ("meadow", "forest", "mountains", "desert", "road", "farm", "harbour", *_TOWN),
    "graves": ("meadow", "forest", "mountains", "road", "farm", "park", "village"),
    "bare trees": (*_WILD, "park", "garden", "village", "seaside", "desert"),
    "wreck": ("meadow", "forest", "mountains", "desert", "road", "farm", "harbour", *_TOWN),
    "lanterns": ("park", "garden", "harbour", "lake", "river", *_TOWN),
    "flowers": (*_GREEN, "mountains", "river", "lake", "road", "waterfall", "village"),
    "pond": _GREEN,
    "still water": ("meadow", "park", "garden", "forest", "mountains", "lake", "river"),
    "hammock": ("seaside", "island", "garden", "park", "lake", "meadow"),
    "sleeping cat": ("garden", "park", "meadow", "village", "street", "farm", *INDOOR_PLACES),
    "sunlit path": ("meadow", "forest", "park", "garden", "farm", "mountains", "road", "village"),
    "candles": ("garden", "village", "park", *INDOOR_PLACES),
    "empty swing": ("park", "garden", "meadow", "village", "farm"),
    "wilted flowers": (*_GREEN, "road", "village", "mountains", "lake", "river", "street"),
    "jumping children": ("meadow", "park", "garden", "farm", "seaside", "lake", *_TOWN),
    "lonely figure": OUTDOOR_PLACES,
    "stampede": ("meadow", "desert", "farm", "river", "mountains", "road"),
}
"""Where an element is met, so that it does not look pasted in; those without an entry everywhere."""
VEHICLES = ("car", "bicycle", "train", "bus", "truck")
"""Beside which a wreck looks like their own accident, and who sits on a stone looks run over."""
WARM = ("seaside", "island", "desert")
"""Where nobody expects snow."""
HIDDEN = 0.25
"""Share of what stands far away that the subject may hide."""
CROSSED = 0.12
"""The same of what stands close behind it: its posts and branches would seem to grow out of the subject."""
OVERLAP = 0.25
"""Share of the smaller of two elements that the other may share with it."""


@lru_cache(maxsize=1024)
def unclear(scene: Scene) -> frozenset[Key]:
    """(aspect, concept) of what would make the content of a scene hard to read, or is not met in its place."""
    boxes = tuple(box for _, box in subject_boxes(scene))
    barred = {element for element in BEFORE if _covers(element, boxes)}
    if scene.place in INDOOR_PLACES:
        barred |= set(FAR_ELEMENTS)  # the window cuts them off
    else:
        barred |= {element for element in FAR_ELEMENTS if _hidden(element, boxes, HIDDEN)}
        barred |= {element for element in BEHIND if _hidden(element, boxes, CROSSED)}
    if {scene.subject, scene.companion} & set(LIVING):
        barred.add("jumping children")  # they would look like dwarfs
    bars = {("elements", element) for element in barred} | dreadful(scene) | out_of_place(scene)
    if {scene.kind, scene.companion_kind} & set(WINTRY):
        bars |= {("season", season) for season in SEASONS if season != "winter"}
    return frozenset(bars | {("weather", "snow")} if scene.place in WARM else bars)


def out_of_place(scene: Scene) -> frozenset[Key]:
    """(aspect, concept) of the elements that are not met in the place of a scene: still water on a street."""
    return frozenset(("elements", element) for element, places in SITES.items() if scene.place not in places)


def dreadful(scene: Scene) -> frozenset[Key]:
    """(aspect, concept) of what nobody wants to see beside a subject, whatever the mood.

    Who sits on rails; somebody tiny beside whoever is the subject, who would look like a dwarf.
    """
    barred = {"wreck", "lonely figure"} if {scene.subject, scene.companion} & set(VEHICLES) else set()
    if {scene.subject, scene.companion} & set(LIVING):
        barred.add("lonely figure")
    if {scene.subject, scene.companion} & {"baby", "child"}:
        barred.add("graves")
    return frozenset(("elements", element) for element in barred)


@cache
def crowded() -> frozenset[frozenset[str]]:
    """Pairs of elements of which one is drawn over the other."""
    pairs = set()
    for one, other in itertools.combinations([e for e in ELEMENTS if e not in AROUND], 2):
        a, b = _footprint(one), _footprint(other)
        if (a & b).sum() > OVERLAP * min(a.sum(), b.sum()):
            pairs.add(frozenset((one, other)))
    return frozenset(pairs)


def misplaced(scene: Scene) -> frozenset[Key]:
    """What does not belong into a scene, whatever the mood: what makes it unclear, and sleep where nobody sleeps."""
    return unclear(scene) | ({("pose", "asleep")} if sleepless(scene) else frozenset())


def sleepless(scene: Scene) -> bool:
    """Whether nobody can be asleep in a scene: people who stand about or celebrate, and several of them in one heap."""
    if not {scene.subject, scene.companion} & set(PEOPLE):
        return False
    several = scene.count > 1 or scene.companion is not None
    return several or scene.place not in SOFT or bool(set(scene.elements) & set(FESTIVE))


def place_weights(things: tuple[str, ...], doings: tuple[tuple[str, ...], ...] = ()) -> list[float]:
    """How well each place goes with subjects, kinds and elements that were named, in the order of `PLACES`.

    Args:
        doings: for each thing that is done, the places where one expects it (`reading.doings`). It counts for more than
            where kinds and elements are met: a witch who cooks stands in a kitchen.
    """
    unmet = UNUSUAL if doings else STRANGE
    weights = []
    for place in PLACES:
        weight = 1.0
        for thing in things:
            if not _is_met(thing, place):
                weight *= STRANGE if thing in SUBJECTS else unmet
        for fits in doings:
            weight *= 1.0 if place in fits else STRANGE
        weights.append(weight)
    return weights


def _is_met(thing: str, place: str) -> bool:
    """Whether one expects a subject, a kind or an element in a place."""
    if thing in FITTING:
        return place in FITTING[thing]
    if thing not in SUBJECTS:
        return place in SITES.get(thing, PLACES)
    return plausibility(place, thing) > RARE


def _covers(element: str, boxes: tuple[Box, ...]) -> bool:
    """Whether an element is drawn over much of a subject, or much of it over the subjects."""
    mask = _footprint(element)
    for box in boxes:
        left, top, right, bottom = (round(side * PIXELS / 100) for side in box)
        inside = mask[top : max(bottom, top + 1), left : max(right, left + 1)]
        if inside.size and (inside.mean() > COVERED or inside.sum() > COVERING * mask.sum()):
            return True
    return False


def _hidden(element: str, boxes: tuple[Box, ...], share: float) -> bool:
    """Whether the subjects hide more than a share of what stands behind them."""
    mask, behind = _footprint(element), np.zeros((PIXELS, PIXELS), bool)
    for box in boxes:
        left, top, right, bottom = (round(side * PIXELS / 100) for side in box)
        behind[top:bottom, left:right] = True
    return bool((mask & behind).sum() > share * mask.sum())


@cache
def _footprint(element: str) -> NDArray[np.bool_]:
    """(P, P) where an element is drawn."""
    ink = Ink("#ffffff", 0.0, haze="#ffffff", season="summer", rng=random.Random(0))
    ground = '<rect width="100" height="100" fill="#ff00ff"/>'
    drawn = np.asarray(rasterised(document(ground + ELEMENT_DRAWINGS[element](ink)), PIXELS), dtype=np.int16)
    return np.asarray(np.abs(drawn - (255, 0, 255)).sum(axis=-1) > 60)
