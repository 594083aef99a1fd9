"""What requests of one batch have in common, and the count of its steps."""

from dataclasses import dataclass
from typing import Any

from diffusers import DiffusionPipeline
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.protocols import OnStep
from emofeedback.records import PictureRequest


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What the requests of a batch have in common."""

    steps: int
    guidance: float
    strength: float | None  # of the start picture; None = from noise
    size: tuple[int, int] | None = None  # width and height; None = the generator's own

    @property
    def run(self) -> int:
        """Steps that are run, about: a scheduler may add one."""
        return self.steps if self.strength is None else max(1, int(self.steps * self.strength))


def batch_settings(request: PictureRequest, default_steps: int, default_guidance: float) -> BatchSettings:
    """The settings that a request shares with those that can be drawn with it.

    Raises:
        UserError: its steps, strength or start strength is out of range.
    """
    steps = default_steps if request.steps is None else request.steps
    guidance = default_guidance if request.guidance is None else request.guidance
    if not 1 <= steps <= 1000:
        raise UserError(f"steps must lie between 1 and 1000, but is {steps}.")
    if request.strength < 0:
        raise UserError(f"strength must be 0 or more, but is {request.strength:g}.")
    if request.negative and guidance <= 1.0:
        raise UserError(
            "A negative prompt needs guidance, and this request is drawn without; set it above 1, or leave it out."
        )
    if request.start is None:
        return BatchSettings(steps, guidance, None, request.size)
    share = request.start_strength
    if not 0 < share <= 1:
        raise UserError(f"The start strength must be above 0 and at most 1, but is {share:g}.")
    return BatchSettings(
        max(steps, -int(-1 // share)), guidance, share, request.size
    )  # at least one step of the share is run


class StepCounter:
    """Counts a batch's steps for the caller, who may raise from it; a diffusers callback.

    Args:
        done: steps of the batches before.
        steps: of this one, as far as is known before it begins.
        left: steps of the batches after it.
    """

    def __init__(self, on_step: OnStep | None, done: int, steps: int, left: int) -> None:
        self.on_step, self.done, self.steps, self.left = on_step, done, steps, left

    def __call__(self, pipe: DiffusionPipeline, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """Step `step`, from 0, has ended."""
        self.steps = int(pipe.num_timesteps)
        if self.on_step is not None:
            self.on_step(self.done + step + 1, self.done + self.steps + self.left)
        return {}


def fitted(start: Image.Image | None, size: tuple[int, int]) -> Image.Image:
    """A start picture as the model takes it: RGB, of this width and height."""
    if start is None:
        raise ValueError("a start picture is missing")
    picture = start.convert("RGB")
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS)
