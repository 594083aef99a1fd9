"""The safety checker that some Stable Diffusion repositories ship; asked about pictures where a host wants it."""

from collections.abc import Sequence

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image


class SafetyCheck:
    """Takes the checker off a pipeline, which would blacken pictures unasked, and keeps it.

    Attributes:
        name: of the checker's class; None where the repository ships none.
    """

    def __init__(self, pipeline: DiffusionPipeline) -> None:
        self._checker = getattr(pipeline, "safety_checker", None)
        self._extractor = getattr(pipeline, "feature_extractor", None)
        self.name = None if self._checker is None or self._extractor is None else type(self._checker).__name__
        if self._checker is not None:
            pipeline.safety_checker = None

    @torch.no_grad()
    def flags(self, images: Sequence[Image.Image]) -> list[bool]:
        """For each picture, whether it is flagged."""
        if self.name is None or self._checker is None or self._extractor is None:
            return [False] * len(images)
        weight = next(self._checker.parameters())
        inputs = self._extractor(list(images), return_tensors="pt").pixel_values.to(weight.device, weight.dtype)
        arrays = [np.asarray(image.convert("RGB"), dtype=np.float32) / 255 for image in images]
        _, flags = self._checker(images=arrays, clip_input=inputs)
        return [bool(flag) for flag in flags]
