"""Scenes to learn from: a few random in every attribute, most coherent, as a person would compose them.

Random scenes alone teach a generator that a pleasant thrill is a thunderstorm over flower beds: most ways to reach a
point of the plane mix opposite messages. A coherent scene lies near a random point and is free of contradiction by the
affect model. Its elements are drawn so that no point of the plane is always shown by the same few: among all sets of
elements that lead there, weights are set by iterative scaling such that no element has more than CAP of the weight,
where the world allows it.
"""

import random
from functools import cache

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.scenes import edits
from emofeedback.scenes.grammar import ELEMENTS, LIGHTS, PALETTES, POSES, Scene, Split, sample_scene

COHERENT_SHARE = 0.96
SPAN = 0.85  # the wanted points are uniform on [-SPAN, SPAN] per axis
WITHIN = 0.14  # distance from the wanted point that counts as there
BASES = 256  # settings without elements that are tried per scene, each with all sets of elements
SLACK = 0.01  # squared distance above the least cost that still counts, where no setting costs nothing
CAP = 0.15  # share of the weight that one element may have
SET_SIZES = (0.12, 0.38, 0.5)  # weight of sets of no, one and two elements
SCALINGS = 20
PLAIN_WEIGHTS = {  # how often each value is tried, in the order of the grammar
    "palette": dict(zip(PALETTES, (0.3, 0.175, 0.175, 0.175, 0.175), strict=True)),
    "light": dict(zip(LIGHTS, (0.4, 0.3, 0.3), strict=True)),
    "pose": dict(zip(POSES, (0.35, 0.13, 0.13, 0.13, 0.13, 0.13), strict=True)),
}


def sample_training_scene(rng: random.Random, split: Split | None = "train") -> Scene:
    """A random or a coherent scene of a split. The same state of `rng` gives the same scene."""
    scene = sample_scene(rng, split)
    return make_coherent(scene, rng) if rng.random() < COHERENT_SHARE else scene


def make_coherent(scene: Scene, rng: random.Random, target: Affect | None = None) -> Scene:
    """The same content in a random setting near a point of the plane whose parts agree.

    Where none of those tried is there and free of contradiction, one of about the least cost (see `edits`).

    Args:
        target: the point, the viewer's scale; None = a random one.
    """
    if target is None:
        target = Affect(rng.uniform(-SPAN, SPAN), rng.uniform(-SPAN, SPAN))
    rows = _bases(scene, rng)
    found = edits.tried(scene, rows, target, WITHIN)
    least = float(found.min())
    fine = found <= (least + SLACK if least > 0 else 0.0)
    chosen = rng.choices(range(found.shape[1]), weights=set_weights(np.any(fine, axis=0)).tolist())[0]
    row = rng.choice(np.nonzero(fine[:, chosen])[0].tolist())
    return edits.in_setting(scene, int(rows[row]), int(chosen))


def _bases(scene: Scene, rng: random.Random) -> NDArray[np.intp]:
    """(BASES,) rows of the setting table, sorted by weather, drawn with PLAIN_WEIGHTS."""
    table = edits.setting_table(scene)
    weight = np.ones(len(table.bases))
    for aspect, weights in PLAIN_WEIGHTS.items():
        column = table.bases[:, edits.SETTING.index(aspect)]
        weight *= np.array(list(weights.values()))[column]
    total = np.cumsum(weight)
    draws = np.array([rng.random() for _ in range(BASES)]) * total[-1]
    rows = np.searchsorted(total, draws, side="right")
    return rows[np.lexsort((rows, table.bases[rows, 1]))]


def set_weights(there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(S,) weights of the element sets that are `there`, summing to 1, such that no element has much more than CAP.

    First by SET_SIZES and evenly within a size; then elements with more than CAP are scaled down in turn.
    """
    members = _members()
    size = members.sum(axis=1).astype(int)
    weight = np.zeros(len(there))
    for count, share in enumerate(SET_SIZES):
        of_size = there & (size == count)
        if of_size.any():
            weight[of_size] = share / of_size.sum()
    weight /= weight.sum()
    for _ in range(SCALINGS):
        held = weight @ members
        if held.max() <= CAP:
            break
        factor = np.where(held > CAP, CAP / np.maximum(held, CAP), 1.0)
        weight = weight * np.where(members, factor, 1.0).min(axis=1)
        weight /= weight.sum()
    return weight


@cache
def _members() -> NDArray[np.bool_]:
    """(S, E) whether each set of elements holds each element."""
    return (edits.set_members()[:, :, None] == np.arange(len(ELEMENTS))).any(axis=1)
