"""The visual prompt bank: for each emotion, centres that a prompt's words find and whose pictures guide a drawing.

After MC-Diffusion of Emotion-Director (arXiv 2512.19479): captions that belong to an emotion are clustered by their
text features; a centre is the mean of its members' text features and, beside it, the mean of their visual features.
Plain numpy: whoever shows or picks centres needs no deep learning library.
"""

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from emofeedback.affect import EMOTIONS, Affect
from emofeedback.errors import UserError

BANK, FEATURES, PICTURES = "bank.json", "bank.safetensors", "nearest.webp"
TEMPERATURE = 0.1
"""Of the softmax that turns the similarities of retrieved centres into weights."""
COLUMNS = 16

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Centre:
    """One cluster of a group.

    Attributes:
        group: the name of the emotion or of the cell of the plane.
        affect: the mean valence and arousal of its members.
        members: how many they are.
        caption: that of the member nearest to the centre, whose picture is kept.
    """

    group: str
    affect: Affect
    members: int
    caption: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved centre: its number in the bank, cosine similarity to the words, share of the query."""

    number: int
    similarity: float
    weight: float


@dataclass(frozen=True)
class VisualBank:
    """Centres of all groups.

    Args:
        groups: the point of the plane that each group stands for.
        text: [N, D], the mean text feature of each centre's members, centred and of unit length.
        text_mean: [D], what was subtracted from text features.
        visual: [N, T, E], the mean of the members' T visual tokens, standardised.
        visual_mean, visual_std: [E], what standardised the picture encoder's features.
        pictures: of each centre's nearest member, small.
        encoders: what made the text and the visual features, by "text" and "visual".

    Raises:
        UserError: the parts do not belong together.
    """

    centres: tuple[Centre, ...]
    groups: Mapping[str, Affect]
    text: Array
    text_mean: Array
    visual: Array
    visual_mean: Array
    visual_std: Array
    pictures: tuple[Image.Image, ...]
    encoders: Mapping[str, str]

    def __post_init__(self) -> None:
        count = len(self.centres)
        fits = self.text.shape == (count, len(self.text_mean)) and self.visual.ndim == 3
        fits = fits and self.visual_mean.shape == self.visual_std.shape == self.visual.shape[2:]
        if not count or not fits or len(self.visual) != count or len(self.pictures) != count:
            raise UserError("The parts of this visual prompt bank do not belong together; build it again.")
        if {centre.group for centre in self.centres} != set(self.groups):
            raise UserError("A group of this visual prompt bank has no centre; build it again.")

    @cached_property
    def _rows(self) -> dict[str, NDArray[np.int64]]:
        return {g: np.array([i for i, c in enumerate(self.centres) if c.group == g]) for g in self.groups}

    def group(self, affect: Affect | None, emotion: str | None = None) -> str:
        """The group to search: an emotion by name, else the one whose point lies nearest.

        Raises:
            UserError: the emotion has no group, or neither is given.
        """
        if emotion is not None:
            if emotion not in self.groups:
                named = ", ".join(g for g in self.groups if g in EMOTIONS)
                raise UserError(f"The visual prompt bank has no {emotion!r}; choose among {named}.")
            return emotion
        if affect is None:
            raise UserError("A visual prompt needs an emotion, or valence and arousal; give one of them.")
        return min(self.groups, key=lambda name: self.groups[name].distance(affect))

    def normal(self, text: Array) -> Array:
        """Text features [..., D] of an encoder -> centred and of unit length."""
        centred = text.astype(np.float32) - self.text_mean
        return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-8)

    def standard(self, visual: Array) -> Array:
        """Visual features [..., E] of the picture encoder -> standardised as the bank's are."""
        return ((visual - self.visual_mean) / self.visual_std).astype(np.float32)

    def retrieve(self, text: Array, group: str, count: int = 3) -> tuple[Hit, ...]:
        """The `count` centres of a group that are most like the words, the best first.

        Args:
            text: [D], the words' feature as the text encoder gives it.
        """
        rows = self._rows[group]
        similarity = self.text[rows] @ self.normal(text)
        best = np.argsort(-similarity, kind="stable")[:count]
        share = np.exp((similarity[best] - similarity[best[0]]) / TEMPERATURE)
        share = share / share.sum()
        return tuple(Hit(int(rows[i]), float(similarity[i]), float(w)) for i, w in zip(best, share, strict=True))

    def mix(self, weights: Sequence[tuple[int, float]]) -> Array:
        """The weighted mean [T, E] of centres' visual features; weights need not sum to 1.

        Raises:
            UserError: a centre is not in the bank, a weight is negative, or all are 0.
        """
        if any(not 0 <= number < len(self.centres) for number, _ in weights):
            raise UserError(f"The visual prompt bank has centres 0 to {len(self.centres) - 1}; choose among them.")
        shares = np.array([weight for _, weight in weights], dtype=np.float32)
        if not len(shares) or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
            raise UserError("Give at least one visual prompt a weight above 0, and none a weight below 0.")
        chosen = self.visual[[number for number, _ in weights]]
        return np.tensordot(shares / shares.sum(), chosen, axes=1).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write bank.json, bank.safetensors (half precision) and nearest.webp; each appears whole."""
        folder.mkdir(parents=True, exist_ok=True)
        about: dict[str, Any] = {
            "encoders": dict(self.encoders),
            "groups": {name: [at.valence, at.arousal] for name, at in self.groups.items()},
            "side": self.pictures[0].width,
            "centres": [asdict(centre) for centre in self.centres],
        }
        names = ("text", "text_mean", "visual", "visual_mean", "visual_std")
        tensors = {name: getattr(self, name) for name in names}
        save_file({k: np.ascontiguousarray(v, dtype=np.float16) for k, v in tensors.items()}, folder / ".features.new")
        (folder / ".bank.new").write_text(json.dumps(about, indent=0) + "\n", encoding="utf-8")
        side, rows = self.pictures[0].width, -(-len(self.pictures) // COLUMNS)
        page = Image.new("RGB", (side * COLUMNS, side * rows))
        for i, picture in enumerate(self.pictures):
            page.paste(picture, (side * (i % COLUMNS), side * (i // COLUMNS)))
        buffer = io.BytesIO()
        page.save(buffer, "WEBP", quality=80, method=6)
        (folder / ".nearest.new").write_bytes(buffer.getvalue())
        for name, new in ((FEATURES, ".features.new"), (PICTURES, ".nearest.new"), (BANK, ".bank.new")):
            os.replace(folder / new, folder / name)

    @classmethod
    def load(cls, folder: Path) -> "VisualBank":
        """Read what `save` wrote.

        Raises:
            UserError: a file is missing or damaged.
        """
        try:
            about = json.loads((folder / BANK).read_text(encoding="utf-8"))
            tensors = {k: v.astype(np.float32) for k, v in load_file(folder / FEATURES).items()}
            side, centres = int(about["side"]), [dict(one) for one in about["centres"]]
            with Image.open(folder / PICTURES) as page:
                boxes = [(side * (i % COLUMNS), side * (i // COLUMNS)) for i in range(len(centres))]
                pictures = tuple(page.convert("RGB").crop((x, y, x + side, y + side)) for x, y in boxes)
            return cls(
                tuple(Centre(c["group"], Affect(**c["affect"]), c["members"], c["caption"]) for c in centres),
                {name: Affect(*point) for name, point in about["groups"].items()},
                tensors["text"],
                tensors["text_mean"],
                tensors["visual"],
                tensors["visual_mean"],
                tensors["visual_std"],
                pictures,
                dict(about["encoders"]),
            )
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            raise UserError(f"The visual prompt bank in {folder} is missing or damaged; fetch it again.") from None
