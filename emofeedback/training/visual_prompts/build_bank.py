"""Building a visual prompt bank: groups of captioned, rated pictures, k-means on their captions, means of their looks.

The encoders' features come as arrays, so that any pair of encoders will do (`generators/visual/encoders.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.generators.visual.bank import Centre, VisualBank

Array = NDArray[np.float32]
CELLS = (-0.8, -0.4, 0.0, 0.4, 0.8)
"""Valence and arousal of the cells' centres."""
RADIUS = 0.3
"""A picture belongs to an emotion that lies within this distance of its own valence and arousal."""
FEWEST = 24
"""Pictures of a group; one that has fewer within reach takes the nearest."""
THUMBNAIL = 64


class Pictures(Protocol):
    """Pictures by their row."""

    def __getitem__(self, row: int, /) -> Image.Image: ...


@dataclass(frozen=True, slots=True)
class BankPlan:
    """How many centres an emotion and a cell of the plane get, and the seed of the clustering."""

    emotion_centres: int = 16
    cell_centres: int = 6
    seed: int = 0


@dataclass(frozen=True)
class Rated:
    """N captioned, rated pictures and what the encoders make of them.

    Args:
        affects: [N, 2] valence and arousal in [-1, 1].
        text: [N, D] features of the captions; visual: [N, T, E] of the pictures, as the encoders give them.
    """

    captions: Sequence[str]
    affects: Array
    text: Array
    visual: Array

    def __post_init__(self) -> None:
        count = len(self.captions)
        if not count or {len(self.affects), len(self.text), len(self.visual)} != {count}:
            raise ValueError("captions, affects and features must be of one length above 0")


def k_means(points: NDArray[np.floating], count: int, seed: int, rounds: int = 100) -> tuple[Array, NDArray[np.int64]]:
    """Lloyd's k-means (1982) from k-means++ seeds (Arthur and Vassilvitskii 2007).

    A cluster that runs empty takes the point that lies farthest from its own centre.

    Args:
        points: [N, D], N >= 1; count: clusters asked for, at most N are made.

    Returns:
        centres [K, D] and the cluster [N] of each point; every cluster has a member.
    """
    data = np.asarray(points, dtype=np.float64)
    rng = np.random.default_rng(seed)
    count = min(count, len(np.unique(data, axis=0)))
    centres = data[[int(rng.integers(len(data)))]]
    while len(centres) < count:
        nearest = _squared(data, centres).min(1)
        centres = np.concatenate([centres, data[[int(rng.choice(len(data), p=nearest / nearest.sum()))]]])
    labels = np.full(len(data), -1)
    for _ in range(rounds):
        squared = _squared(data, centres)
        new = squared.argmin(1)
        for empty in np.setdiff1d(np.arange(count), new):
            alone = np.bincount(new, minlength=count)[new] == 1
            far = int(np.where(alone, -1.0, squared[np.arange(len(data)), new]).argmax())
            new[far] = empty
        if (new == labels).all():
            break
        labels = new
        centres = np.stack([data[labels == k].mean(0) for k in range(count)])
    return centres.astype(np.float32), labels


def _squared(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances [N, K], never below 0."""
    cross = points @ centres.T
    return np.maximum((points**2).sum(1)[:, None] - 2 * cross + (centres**2).sum(1), 0.0)


def groups_of(affects: Array) -> dict[str, tuple[Affect, NDArray[np.int64]]]:
    """Members of each of Mikels' eight emotions and of each cell of the plane; groups overlap.

    A cell that no picture falls into is left out.
    """
    found: dict[str, tuple[Affect, NDArray[np.int64]]] = {}
    for name in MIKELS:
        point = EMOTIONS[name]
        away = np.hypot(affects[:, 0] - point.valence, affects[:, 1] - point.arousal)
        order = np.argsort(away, kind="stable")
        found[name] = point, order[: max(int((away <= RADIUS).sum()), min(FEWEST, len(order)))]
    places = np.abs(affects[:, :, None] - np.array(CELLS)).argmin(2)
    for v, valence in enumerate(CELLS):
        for a, arousal in enumerate(CELLS):
            rows = np.flatnonzero((places[:, 0] == v) & (places[:, 1] == a))
            if len(rows):
                found[f"{valence:g},{arousal:g}"] = Affect(valence, arousal), rows
    return found


def build_bank(
    rated: Rated,
    pictures: Pictures,
    encoders: Mapping[str, str],
    plan: BankPlan | None = None,
    standard: tuple[Array, Array] | None = None,
) -> tuple[VisualBank, list[NDArray[np.int64]]]:
    """The bank, and the members [M] of each of its centres.

    Args:
        pictures: by row of `rated`; only those nearest to a centre are read.
        standard: mean and standard deviation [E] that standardise the visual features; None = their own.

    Raises:
        UserError: a picture is missing.
    """
    plan = plan or BankPlan()
    mean = rated.text.mean(0).astype(np.float32)
    unit = rated.text - mean
    unit = (unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-8)).astype(np.float32)
    visual_mean, visual_std = standard or (rated.visual.mean((0, 1)), rated.visual.std((0, 1)) + 1e-3)
    visual = (rated.visual - visual_mean) / visual_std
    groups, centres, members, texts, looks, small = {}, [], [], [], [], []
    for place, (name, (point, rows)) in enumerate(groups_of(rated.affects).items()):
        wanted = plan.emotion_centres if name in MIKELS else plan.cell_centres
        _, labels = k_means(unit[rows], wanted, plan.seed + place)
        groups[name] = point
        for cluster in range(labels.max() + 1):
            mine = rows[labels == cluster]
            text, look = unit[mine].mean(0), visual[mine].mean(0)
            # near in looks, for the picture is to show what the centre's visual feature stands for
            nearest = int(mine[((visual[mine] - look) ** 2).sum((1, 2)).argmin()])
            affect = Affect.clamped(*(float(x) for x in rated.affects[mine].mean(0)))
            centres.append(Centre(name, affect, len(mine), rated.captions[nearest]))
            members.append(mine)
            texts.append(text / max(float(np.linalg.norm(text)), 1e-8))
            looks.append(look)
            try:
                picture = pictures[nearest]
            except (KeyError, IndexError):
                raise UserError(f"Picture {nearest} of the bank's source is missing; give the whole folder.") from None
            small.append(picture.convert("RGB").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS))
    arrays = np.stack(texts), mean, np.stack(looks), visual_mean, visual_std
    text, text_mean, look, look_mean, look_std = (array.astype(np.float32) for array in arrays)
    bank = VisualBank(tuple(centres), groups, text, text_mean, look, look_mean, look_std, tuple(small), dict(encoders))
    return bank, members
