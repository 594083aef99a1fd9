"""Scenes to learn from: half of them random in every attribute, half coherent, as a person would compose them.

Random scenes alone teach a generator that a pleasant thrill is a thunderstorm over flower beds: most ways to reach
a point of the plane mix opposite messages. A coherent scene is the best of a few random settings for a random point:
near it, and made of parts that agree.
"""

import math
import random
from dataclasses import replace

import numpy as np

from emofeedback.scenes.affect_model import (
    content_items,
    dispersion,
    item_sums,
    raw_affect,
    setting_items,
    stretch,
)
from emofeedback.scenes.grammar import Scene, Split, sample_scene, sample_setting

COHERENT_SHARE = 0.5
SETTINGS = 40  # drawn per coherent scene
SPAN = 0.95  # the wanted points are uniform on [-SPAN, SPAN] per axis
MIXED_COST = 0.1  # squared distance per unit of dispersion


def sample_training_scene(rng: random.Random, split: Split | None = "train") -> Scene:
    """A random or a coherent scene of a split. The same state of `rng` gives the same scene."""
    scene = sample_scene(rng, split)
    return make_coherent(scene, rng) if rng.random() < COHERENT_SHARE else scene


def make_coherent(scene: Scene, rng: random.Random) -> Scene:
    """The same content in the best of `SETTINGS` random settings for a random point of the plane."""
    target = rng.uniform(-SPAN, SPAN), rng.uniform(-SPAN, SPAN)
    content = sum((item_sums(item) for item in content_items(scene)), np.zeros(6))
    best, least = scene, math.inf
    for _ in range(SETTINGS):
        candidate = replace(scene, **sample_setting(rng))
        parts = sum((item_sums(item) for item in setting_items(candidate)), content)
        valence, arousal = raw_affect(parts)
        away = (float(stretch(valence, 0)) - target[0]) ** 2 + (float(stretch(arousal, 1)) - target[1]) ** 2
        cost = away + MIXED_COST * float(dispersion(parts))
        if cost < least:
            best, least = candidate, cost
    return best
