"""The few-step student of a checkpoint: a LoRA that draws in a few forward passes, with guidance folded in.

It lies in the folder `few_step/` of the generator that it was distilled from, beside a JSON file of facts.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from diffusers import DiffusionPipeline
from torch import nn

from emofeedback.errors import UserError
from emofeedback.files.checksums import CHECKSUMS, sha256
from emofeedback.generators.lora import lora_state, merged
from emofeedback.records import PictureRequest

FEW_STEP, FACTS = "few_step", "few_step.json"
PARTS = ("transformer", "text_encoder", "text_encoder_2", "emotion_adapter", "sketch_adapter")
"""What a student depends on; the autoencoder is not among them."""


@dataclass(frozen=True, slots=True)
class FewStep:
    """Where a student lies and how it draws.

    Attributes:
        sigmas: noise levels of its steps, from 1 down to 0; one more than it has steps.
        default: whether it draws requests that leave the number of steps open.
    """

    folder: Path
    sigmas: tuple[float, ...]
    default: bool = False

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1

    @property
    def preview_steps(self) -> int:
        """Steps of a quick picture after a sketch, which says already what the first steps would find out."""
        return self.steps // 2 if self.steps % 2 == 0 else self.steps

    def levels(self, steps: int) -> tuple[float, ...]:
        """The noise levels of so many steps, a divisor of all.

        Paths after a sketch are nearly straight, so levels between may be passed over.
        """
        return self.sigmas[:: self.steps // steps]

    def has(self, steps: int) -> bool:
        """Whether it draws in so many steps."""
        return self.steps % steps == 0

    def draws(self, request: PictureRequest, steps: int) -> bool:
        """Whether it is the one to draw a request of so many steps.

        Guidance that is asked for is not folded in, and a negative prompt is nothing without guidance.
        """
        return self.has(steps) and request.guidance is None and not request.negative


class StudentTransformer:
    """A student's transformer: that of the pipeline with all its LoRAs, and the student's, in the weights.

    The pipeline itself is left as it is. The copy is made when it is first needed, and again after another LoRA was
    put on the pipeline or one that learns has changed.
    """

    def __init__(self, few_step: FewStep) -> None:
        self.few_step = few_step
        self._made: tuple[tuple[object, ...], nn.Module] | None = None

    def transformer(self, pipeline: DiffusionPipeline) -> nn.Module:
        """Draws without guidance, at the student's noise levels.

        Raises:
            UserError: the student's file is missing, damaged or does not fit.
        """
        state = lora_state(pipeline.transformer)
        if self._made is None or self._made[0] != state:
            self._made = None  # the old copy goes before the new one comes
            self._made = state, merged(pipeline, self.few_step.folder, FEW_STEP)
        return self._made[1]


def read_few_step(checkpoint: Path) -> FewStep | None:
    """The student of a checkpoint folder; None where there is none.

    Raises:
        UserError: its facts are damaged, or it was distilled from other weights than those beside it.
    """
    folder = checkpoint / FEW_STEP
    if not folder.is_dir():
        return None
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        levels = tuple(float(level) for level in facts["sigmas"])
        default, base = bool(facts["default"]), str(facts["base"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{folder / FACTS} is missing or damaged; fetch the checkpoint again.") from None
    falling = all(a > b for a, b in zip(levels[:-1], levels[1:], strict=True))
    if len(levels) < 2 or levels[0] != 1.0 or levels[-1] != 0.0 or not falling:
        raise UserError(f"The sigmas in {folder / FACTS} must fall from 1 to 0; fetch the checkpoint again.")
    if base != base_digest(checkpoint):
        raise UserError(f"{folder} was distilled from other weights than those beside it; distil again or delete it.")
    return FewStep(folder, levels, default)


def base_digest(checkpoint: Path) -> str:
    """One digest of the weights that a student depends on; those that checksums.json lists are not read again."""
    listing = checkpoint / CHECKSUMS
    listed = json.loads(listing.read_text(encoding="utf-8")) if listing.is_file() else {}
    names = sorted(
        str(path.relative_to(checkpoint)) for part in PARTS for path in (checkpoint / part).glob("*.safetensors")
    )
    lines = [f"{name} {listed.get(name) or sha256(checkpoint / name)}" for name in names]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
