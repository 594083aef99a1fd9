"""Pairs of a neutral and an emotional prompt with the emotion between them: what text adapters learn from.

A file of pairs has one JSON object a line: {"neutral": "a dog in a park", "emotional": "a dog in a park, under heavy
storm clouds", "valence": -0.6, "arousal": 0.5}, with valence and arousal in [-1, 1]. Where no file is given, the scene
world makes them: place and subject alone, and the same with the setting that comes closest to a random point.
"""

import json
import math
import os
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import ASPECTS, describe
from emofeedback.scenes.edits import best_setting
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.scenes.lexicon import UNSPOKEN, canonical_phrase

SPAN = 0.9  # the points of the default pairs are uniform on [-SPAN, SPAN] per axis
LEAST = 8


@dataclass(frozen=True, slots=True)
class EmotionPair:
    """The same content without and with an emotion; valence and arousal in [-1, 1]."""

    neutral: str
    emotional: str
    valence: float
    arousal: float


def read_pairs(path: Path) -> list[EmotionPair]:
    """The pairs of a file of JSON lines; empty lines are skipped.

    Raises:
        UserError: the file cannot be read, a line is malformed, or there are fewer than LEAST pairs.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UserError(f"{path} cannot be read as text; give a file with one pair in JSON a line.") from None
    pairs = [_pair(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if len(pairs) < LEAST:
        raise UserError(f"{path} holds {len(pairs)} pairs; give {LEAST} or more.")
    return pairs


def _pair(line: str, where: str) -> EmotionPair:
    try:
        record = json.loads(line)
        texts = [record["neutral"], record["emotional"]]
        point = [float(record["valence"]), float(record["arousal"])]
    except (ValueError, TypeError, KeyError):
        raise UserError(f"{where}: a pair needs neutral, emotional, valence and arousal, as JSON.") from None
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise UserError(f"{where}: neutral and emotional are to be texts with words in them.")
    if not all(math.isfinite(value) and -1 <= value <= 1 for value in point):
        raise UserError(f"{where}: valence and arousal lie in [-1, 1]; rescale the ratings.")
    return EmotionPair(*texts, *point)


def scene_pairs(count: int, seed: int) -> list[EmotionPair]:
    """`count` pairs of the scene world; pair i is a pure function of (seed, i) and carries its scene's true affect."""
    return [_scene_pair(random.Random(f"pair/{seed}/{i}")) for i in range(count)]


def own_pairs(folder: Path, count: int, seed: int) -> list[EmotionPair]:
    """`scene_pairs`, kept in a file of `folder`: each takes some 50 ms to find."""
    path = folder / f"pairs-{count}-{seed}.jsonl"
    if path.is_file():
        return read_pairs(path)
    pairs = scene_pairs(count, seed)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{path.name}.new"
    temporary.write_text("".join(json.dumps(asdict(pair)) + "\n" for pair in pairs), encoding="utf-8")
    os.replace(temporary, path)
    return pairs


def _scene_pair(rng: random.Random) -> EmotionPair:
    scene = sample_scene(rng)
    neutral = describe(scene, rng, ())
    found = best_setting(scene, Affect(rng.uniform(-SPAN, SPAN), rng.uniform(-SPAN, SPAN)))
    affect = scene_affect(found)
    phrases = _setting_phrases(found)
    rng.shuffle(phrases)
    return EmotionPair(neutral, ", ".join([neutral, *phrases]), round(affect.valence, 4), round(affect.arousal, 4))


def _setting_phrases(scene: Scene) -> list[str]:
    said = [(aspect, getattr(scene, aspect)) for aspect in ASPECTS if aspect != "elements"]
    said = [pair for pair in said if pair not in UNSPOKEN]
    return [canonical_phrase(*pair) for pair in [*said, *(("elements", e) for e in scene.elements)]]


def density_weights(points: NDArray[np.float64], most: float = 10.0) -> NDArray[np.float64]:
    """1 / density(v, a) of each point, scaled to mean 1: rare emotions count as much as frequent ones.

    The density is a Gaussian kernel estimate with Scott's bandwidth per axis; weights above `most` times the
    smallest are cut, so that a lonely point does not decide alone.

    Args:
        points: (N, 2).
    """
    spread = points.std(0).clip(min=1e-3) * len(points) ** (-1 / 6)
    steps = (points[:, None] - points[None]) / spread
    density = np.exp(-0.5 * (steps**2).sum(-1)).mean(1)
    weights = 1.0 / density
    weights = np.minimum(weights, most * weights.min())
    return weights / weights.mean()
