"""Scenes to learn from: a few random in every attribute, most coherent, as a person would compose them.

Random scenes alone teach a generator that a pleasant thrill is a thunderstorm over flower beds: most ways to reach a
point of the plane mix opposite messages. A coherent scene lies near a random point and is free of contradiction by the
affect model, or nearly so where too few elements would show that point otherwise. Its elements are drawn so that no
point is always shown by the same few: among all sets of elements that lead there, weights are set by iterative scaling
such that no element has much more than CAP of the weight, where the world allows it. A few scenes stay random, for a
prompt may ask for any combination; most of those that clearly contradict themselves are left out.
"""

import math
import random
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.scenes import edits
from emofeedback.scenes.affect_model import SAFE, SAFE_LOGIT, mixed_probability
from emofeedback.scenes.grammar import ELEMENTS, LIGHTS, LIVING, PALETTES, POSES, Scene, Split, sample_scene

COHERENT_SHARE = 0.88
TORN = 0.5  # probability of a mixed message from which a scene counts as contradicting itself
KEPT_TORN = 0.15  # share of such random scenes that are kept: a prompt may ask for them
LEVELS = ((0.14, SAFE), (0.14, 0.2), (0.14, 0.35), (0.2, 0.35), (0.25, 0.45))
"""(distance, probability of a mixed message) up to which a coherent scene may go, one after the other, until enough
sets of elements lead to the wanted point."""
SPAN = 0.85  # the wanted points are uniform on [-SPAN, SPAN] per axis
BASES = 400  # settings without elements that are tried per scene, each with all sets of elements
SLACK = 0.01  # squared distance above the least cost that still counts, where no setting costs nothing
CAP = 0.13  # share of the weight that one element should have
ENOUGH = 0.15  # share that it may have where this needs no wider search
SET_SIZES = (0.12, 0.38, 0.5)  # weight of sets of no, one and two elements
SCALINGS = 20
PLAIN_WEIGHTS = {  # how often each value is tried, in the order of the grammar
    "palette": dict(zip(PALETTES, (0.3, 0.175, 0.175, 0.175, 0.175), strict=True)),
    "light": dict(zip(LIGHTS, (0.4, 0.3, 0.3), strict=True)),
    "pose": dict(zip(POSES, (0.35, 0.13, 0.13, 0.13, 0.13, 0.13), strict=True)),
}

ASKED_FOR = ("person", "child", "old man", "couple", "family", "baby", "dog", "cat", "horse", "bird")
"""Whom people ask for most: of the other people and animals, half of the posed scenes are left out."""
OUTER = 0.6  # share of the coordinates of posed scenes' points that lie well away from the middle
PLAIN_KEPT = 0.12  # share of the tries without a pose that are kept


def sample_training_scene(rng: random.Random, split: Split | None = "train") -> Scene:
    """A random or a coherent scene of a split. The same state of `rng` gives the same scene."""
    if rng.random() < COHERENT_SHARE:
        return make_coherent(sample_scene(rng, split), rng)
    while True:
        scene = sample_scene(rng, split)
        if mixed_probability(scene) < TORN or rng.random() < KEPT_TORN:
            return scene


def sample_posed_scene(rng: random.Random, split: Split | None = "train") -> Scene:
    """A coherent scene with a person or an animal, mostly in a pose and towards the corners of the plane.

    A cheering dog is one in 200 of the other training scenes (144 of 30,000), and what a glad corner asks for. The same
    state of `rng` gives the same scene.
    """
    while True:
        scene = sample_scene(rng, split)
        if scene.subject in LIVING and (scene.subject in ASKED_FOR or rng.random() < 0.5):
            break
    for _ in range(4):
        posed = make_coherent(scene, rng, Affect(_outer(rng), _outer(rng)))
        if posed.pose != "plain" or rng.random() < PLAIN_KEPT:
            break
    return posed


def _outer(rng: random.Random) -> float:
    """A coordinate of a wanted point."""
    if rng.random() < OUTER:
        return rng.choice((-1, 1)) * rng.uniform(0.35, SPAN)
    return rng.uniform(-SPAN, SPAN)


def make_coherent(scene: Scene, rng: random.Random, target: Affect | None = None) -> Scene:
    """The same content in a random setting near a point of the plane whose parts agree.

    Free of contradiction where enough sets of elements lead there; else those with a little of it count too. Where
    none of those tried is there, one of about the least cost (see `edits`).

    Args:
        target: the point, the viewer's scale; None = a random one.
    """
    if target is None:
        target = Affect(rng.uniform(-SPAN, SPAN), rng.uniform(-SPAN, SPAN))
    rows = _bases(scene, rng)
    away, charge = edits.tried(scene, rows, target)
    fine, weight = agreeing(away, charge)
    if weight is None:
        fine, weight = cheapest(away, charge)
    chosen = rng.choices(range(len(weight)), weights=weight.tolist())[0]
    row = rng.choice(np.nonzero(fine[:, chosen])[0].tolist())
    return edits.in_setting(scene, int(rows[row]), int(chosen))


def agreeing(
    away: NDArray[np.floating],
    charge: NDArray[np.floating],
    levels: Sequence[tuple[float, float]] = LEVELS,
    enough: float = ENOUGH,
    several: int = 1,
) -> tuple[NDArray[np.bool_], NDArray[np.float64] | None]:
    """Which settings (R, S) are near and agree, and weights (S,) of their element sets.

    The first of `levels` with so many settings (`several`) that keeps each element within the share `enough`, else the
    last; no weights where none agrees at all.
    """
    fine, weight = np.zeros(away.shape, bool), None
    for within, level in levels:
        fine = (away <= within) & (charge <= (_logit(level) - SAFE_LOGIT) ** 2)
        sets = np.any(fine, axis=0)
        if sets.any():
            weight = set_weights(sets)
            if np.any(fine, axis=1).sum() >= several and (weight @ _members()).max() <= enough:
                break
    return fine, weight


def cheapest(
    away: NDArray[np.floating], charge: NDArray[np.floating], slack: float = SLACK
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which settings (R, S) cost about the least, where none is near and agrees, and weights (S,) as `agreeing`."""
    cost = np.maximum(away - LEVELS[0][0], 0) ** 2 + edits.MIXED_COST * charge
    fine = cost <= cost.min() + slack
    return fine, set_weights(np.any(fine, axis=0))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


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
