"""The second rater: a small residual network that grades what the judge and the generator do, and guides neither.

Another architecture, other seeds and other data than the judge's, so that the two do not share their mistakes. One
label space holds everything it says: valence, arousal, one logit for each concept, realism.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from transformers import ResNetForImageClassification

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.files.checksums import verify_folder
from emofeedback.flow.pixels import from_images
from emofeedback.machine.loading import one_at_a_time
from emofeedback.machine.progress_bars import without_bars
from emofeedback.scenes.grammar import ELEMENTS, PLACES, POSES, SEASONS, SUBJECTS, TIMES, WEATHERS

logger = logging.getLogger(__name__)

ONE_OF: dict[str, tuple[str, ...]] = {
    "place": PLACES,
    "time": TIMES,
    "weather": WEATHERS,
    "season": SEASONS,
    "pose": POSES,
}
"""Aspects of which a scene shows exactly one concept: softmax over the aspect's logits."""
ANY_OF: dict[str, tuple[str, ...]] = {"subject": SUBJECTS, "element": ELEMENTS}
"""Aspects of which it shows none, one or more: a sigmoid for each concept."""


@dataclass(frozen=True, slots=True)
class LabelSpace:
    """The columns of a rater's logits: valence, arousal, one for each concept of each aspect, realism.

    Attributes:
        one_of, any_of: the aspects' words in the order of their columns.
        spans: the columns of each aspect.
    """

    one_of: dict[str, tuple[str, ...]]
    any_of: dict[str, tuple[str, ...]]
    spans: dict[str, slice]

    @classmethod
    def of(cls, labels: Sequence[str]) -> "LabelSpace":
        """The label space that a checkpoint names: this grammar's, or that of an earlier, smaller one.

        Raises:
            ValueError: the labels are not a rater's.
        """
        words: dict[str, list[str]] = {}
        for label in labels[2:-1]:
            aspect, _, word = label.partition(": ")
            words.setdefault(aspect, []).append(word)
        known = {**ONE_OF, **ANY_OF}
        one_of = {aspect: tuple(found) for aspect, found in words.items() if aspect in ONE_OF}
        any_of = {aspect: tuple(found) for aspect, found in words.items() if aspect in ANY_OF}
        space = cls(one_of, any_of, _spans(one_of | any_of))
        strange = any(word not in known.get(aspect, ()) for aspect, found in words.items() for word in found)
        if tuple(labels) != space.labels() or strange or set(any_of) != set(ANY_OF):
            raise ValueError(f"the model has {len(labels)} labels that are not a rater's")
        return space

    def labels(self) -> tuple[str, ...]:
        """The names of all columns."""
        named = [f"{aspect}: {word}" for aspect, words in (self.one_of | self.any_of).items() for word in words]
        return ("valence", "arousal", *named, "realism")


def _spans(aspects: dict[str, tuple[str, ...]]) -> dict[str, slice]:
    spans, at = {}, 2
    for aspect, words in aspects.items():
        spans[aspect] = slice(at, at + len(words))
        at += len(words)
    return spans


WHOLE = LabelSpace(ONE_OF, ANY_OF, _spans(ONE_OF | ANY_OF))
"""The label space of a rater of the whole grammar."""
LABELS, SPANS = WHOLE.labels(), WHOLE.spans


@dataclass(frozen=True, slots=True)
class RaterReading:
    """What the rater says of a picture.

    content: for each aspect of ONE_OF that it knows the likeliest word and its probability.
    subjects, elements: every word at .5 or more, with its probability, likeliest first.
    realism: probability that the picture is an intact scene, in [0, 1].
    """

    valence: float
    arousal: float
    content: dict[str, tuple[str, float]]
    subjects: tuple[tuple[str, float], ...]
    elements: tuple[tuple[str, float], ...]
    realism: float

    def affect(self) -> Affect:
        return Affect(self.valence, self.arousal)

    def shows(self, place: str | None, subjects: Sequence[str]) -> bool:
        """Whether the place (None: any) and all the subjects are seen."""
        seen = {word for word, _ in self.subjects}
        return (place is None or self.content["place"][0] == place) and seen.issuperset(subjects)


class SceneRater:
    """Reads pictures with a trained `ResNetForImageClassification` whose labels are a `LabelSpace`'s.

    Raises:
        ValueError: the model has other labels.
    """

    def __init__(self, model: ResNetForImageClassification, size: int, device: str = "cpu", batch: int = 64) -> None:
        names: dict[int, str] = model.config.id2label  # type: ignore[assignment]
        self.space = LabelSpace.of([names[i] for i in sorted(names)])
        self.model = model.requires_grad_(False).eval().to(device)
        self.size = size
        self.device = torch.device(device)
        self.batch = batch

    @classmethod
    def from_pretrained(cls, path: str | Path, device: str = "cpu") -> "SceneRater":
        """Load a checkpoint folder; computation is in float32.

        Raises:
            UserError: the folder is missing, damaged or not a scene rater.
        """
        folder = Path(path)
        verify_folder(folder, "config.json")
        try:
            with one_at_a_time(), without_bars():
                model = ResNetForImageClassification.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
            return cls(model, model.config.image_size, device)
        except (ValueError, OSError, KeyError, RuntimeError, AttributeError) as error:
            logger.debug("loading %s failed", folder, exc_info=True)
            raise UserError(f"{folder} does not hold a scene rater ({error}); give a folder that does.") from error

    @torch.no_grad()
    def read(self, images: Sequence[Image.Image]) -> list[RaterReading]:
        """One reading per image, of any size."""
        readings: list[RaterReading] = []
        for start in range(0, len(images), self.batch):
            pixels = from_images(images[start : start + self.batch], self.size).to(self.device)
            readings += readings_of(self.model(pixel_values=pixels).logits, self.space)
        return readings


def readings_of(logits: Tensor, space: LabelSpace = WHOLE) -> list[RaterReading]:
    """Logits [B, labels] -> readings; valence and arousal are clipped to [-1, 1]."""
    logits = logits.float().cpu()
    ratings = logits[:, :2].clamp(-1, 1).tolist()
    realism = logits[:, -1].sigmoid().tolist()
    single = {aspect: logits[:, space.spans[aspect]].softmax(-1).max(-1) for aspect in space.one_of}
    several = {aspect: logits[:, space.spans[aspect]].sigmoid() for aspect in space.any_of}

    def present(aspect: str, row: int) -> tuple[tuple[str, float], ...]:
        found = [(w, p) for w, p in zip(space.any_of[aspect], several[aspect][row].tolist(), strict=True) if p >= 0.5]
        return tuple(sorted(found, key=lambda pair: -pair[1]))

    return [
        RaterReading(
            valence,
            arousal,
            {a: (space.one_of[a][int(best.indices[i])], float(best.values[i])) for a, best in single.items()},
            present("subject", i),
            present("element", i),
            realism[i],
        )
        for i, (valence, arousal) in enumerate(ratings)
    ]
