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
from emofeedback.machine.progress_bars import without_bars
from emofeedback.scenes.grammar import ELEMENTS, PLACES, SEASONS, SUBJECTS, TIMES, WEATHERS

logger = logging.getLogger(__name__)

ONE_OF: dict[str, tuple[str, ...]] = {"place": PLACES, "time": TIMES, "weather": WEATHERS, "season": SEASONS}
"""Aspects of which a scene shows exactly one concept: softmax over the aspect's logits."""
ANY_OF: dict[str, tuple[str, ...]] = {"subject": SUBJECTS, "element": ELEMENTS}
"""Aspects of which it shows none, one or more: a sigmoid for each concept."""


def _layout() -> tuple[tuple[str, ...], dict[str, slice]]:
    labels, spans = ["valence", "arousal"], {}
    for aspect, words in {**ONE_OF, **ANY_OF}.items():
        spans[aspect] = slice(len(labels), len(labels) + len(words))
        labels += [f"{aspect}: {word}" for word in words]
    return (*labels, "realism"), spans


LABELS, SPANS = _layout()


@dataclass(frozen=True, slots=True)
class RaterReading:
    """What the rater says of a picture.

    content: for place, time, weather and season the likeliest word and its probability.
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
    """Reads pictures with a trained `ResNetForImageClassification` whose labels are LABELS.

    Raises:
        ValueError: the model has other labels.
    """

    def __init__(self, model: ResNetForImageClassification, size: int, device: str = "cpu", batch: int = 64) -> None:
        names: dict[int, str] = model.config.id2label  # type: ignore[assignment]
        found = tuple(names[i] for i in sorted(names))
        if found != LABELS:
            raise ValueError(f"the model has {len(found)} labels that are not the rater's {len(LABELS)}")
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
            with without_bars():
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
            readings += readings_of(self.model(pixel_values=pixels).logits)
        return readings


def readings_of(logits: Tensor) -> list[RaterReading]:
    """Logits [B, labels] -> readings; valence and arousal are clipped to [-1, 1]."""
    logits = logits.float().cpu()
    ratings = logits[:, :2].clamp(-1, 1).tolist()
    realism = logits[:, -1].sigmoid().tolist()
    single = {aspect: logits[:, SPANS[aspect]].softmax(-1).max(-1) for aspect in ONE_OF}
    several = {aspect: logits[:, SPANS[aspect]].sigmoid() for aspect in ANY_OF}

    def present(aspect: str, row: int) -> tuple[tuple[str, float], ...]:
        found = [(w, p) for w, p in zip(ANY_OF[aspect], several[aspect][row].tolist(), strict=True) if p >= 0.5]
        return tuple(sorted(found, key=lambda pair: -pair[1]))

    return [
        RaterReading(
            valence,
            arousal,
            {a: (ONE_OF[a][int(best.indices[i])], float(best.values[i])) for a, best in single.items()},
            present("subject", i),
            present("element", i),
            realism[i],
        )
        for i, (valence, arousal) in enumerate(ratings)
    ]
