"""What the scene world's affect model says of words: of a caption that leaves things unsaid, and of concepts in it.

What is said counts as depicted. Time, weather and season are always there in a picture, so where they are unsaid the
mean over all of them counts; an unsaid palette or light is the default look, unsaid poses and elements are not there.
A caption is thus a vector x of how far each item is depicted, in [0, 1], and its sums are

    x P + sum over pairs (i, j) of x_i x_j Q_ij        P: `item_sums` of each item; Q: the effects of pairs

so that what two additions do together is what each does alone plus one term for the two of them (`together`).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from emofeedback.affect import Affect
from emofeedback.rewriting.concepts import Key
from emofeedback.scenes.affect_model import PARTS, Array, Item, item_sums, kind_items, load_effects, raw_affect
from emofeedback.scenes.captions import Mentions
from emofeedback.scenes.grammar import (
    COLOURS,
    ELEMENTS,
    LIGHTS,
    MAX_COUNT,
    PALETTES,
    PLACES,
    POSES,
    SEASONS,
    SIZES,
    SUBJECTS,
    TIMES,
    WEATHERS,
    poseable,
)

ALWAYS = {"time": TIMES, "weather": WEATHERS, "season": SEASONS}
DEFAULT = {"palette": "natural", "light": "even"}
ITEMS: tuple[Item, ...] = tuple(
    (aspect, concept)
    for aspect, concepts in {
        "place": PLACES,
        "subject": SUBJECTS,
        "companion": SUBJECTS,
        "colour": COLOURS,
        "size": SIZES,
        "count": tuple(map(str, range(2, MAX_COUNT + 1))),
        **ALWAYS,
        "palette": PALETTES,
        "light": LIGHTS,
        "pose": POSES[1:],
        "element": ELEMENTS,
        "kind": ("people", "animals"),
        "room": ("room",),
    }.items()
    for concept in concepts
)
"""Everything that can be depicted, and the kinds of content that pairs ask of."""
_AT = {item: index for index, item in enumerate(ITEMS)}


@cache
def _tables() -> tuple[Array, Array]:
    """P [I, 6] and Q [2, I, I], a pair in one of its two orders; valence and arousal."""
    pairs = np.zeros((2, len(ITEMS), len(ITEMS)))
    for (first, second), effect in load_effects().pairs.items():
        pairs[:, _AT[first], _AT[second]] = effect
    return np.stack([item_sums(item) for item in ITEMS]), pairs


def depicted(said: Mentions) -> Array:
    """[I] how far each item is depicted, by what a text names."""
    shown = np.zeros(len(ITEMS))
    subject, companion = (*said.subjects, None, None)[:2]
    items: list[Item] = [(role, s) for role, s in (("subject", subject), ("companion", companion)) if s is not None]
    if said.place is not None:
        items += [("place", said.place), *(k for k in kind_items(said.place, None, None))]
    items += kind_items("", subject, companion)
    if subject is not None:
        looks = (("colour", said.colour), ("size", said.size), ("count", str(max(said.count or 1, 1))))
        items += [(aspect, look) for aspect, look in looks if look is not None and look != "1"]
    if said.pose not in (None, "plain") and (not said.subjects or poseable(subject, companion)):
        items.append(("pose", str(said.pose)))
    items += [("element", element) for element in said.elements]
    items += [(aspect, getattr(said, aspect) or default) for aspect, default in DEFAULT.items()]
    for aspect, concepts in ALWAYS.items():
        here = getattr(said, aspect)
        for concept in concepts if here is None else (here,):
            shown[_AT[aspect, concept]] = 1.0 if here is not None else 1 / len(concepts)
    for item in items:
        shown[_AT[item]] = 1.0
    return shown


def caption_sums(said: Mentions) -> Array:
    """(6,) the affect model's sums of what a text names."""
    parts, pairs = _tables()
    shown = depicted(said)
    total = shown @ parts
    total[:2] += shown @ pairs @ shown
    return total


def added(key: Key, said: Mentions) -> Array:
    """(6,) what saying a concept adds to the sums of a caption that left its aspect unsaid."""
    aspect, concept = key
    if aspect == "elements":
        return caption_sums(replace(said, elements=(*said.elements, concept))) - caption_sums(said)
    return caption_sums(replace(said, **{aspect: concept})) - caption_sums(said)  # type: ignore[arg-type]


def together(keys: Sequence[Key]) -> Array:
    """[K, K, 6] what each two concepts of a setting, of different aspects or elements, add beyond what each adds."""
    nothing = depicted(Mentions())
    said = []
    for aspect, concept in keys:
        more = {"elements": (concept,)} if aspect == "elements" else {aspect: concept}
        said.append(depicted(Mentions(**more)) - nothing)  # type: ignore[arg-type]
    change, (_, pairs) = np.stack(said), _tables()
    found = np.zeros((len(keys), len(keys), PARTS))
    found[..., :2] = np.moveaxis(change @ (pairs + pairs.transpose(0, 2, 1)) @ change.T, 0, -1)
    return found


def affect_of(sums: Array) -> Affect:
    """The point on the viewer's scale of sums (6,)."""
    return Affect.clamped(*(float(np.tanh(raw)) for raw in raw_affect(sums)))


def caption_affect(said: Mentions) -> Affect:
    """What a caption should make people feel, as far as it says."""
    return affect_of(caption_sums(said))
