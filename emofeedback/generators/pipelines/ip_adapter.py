"""Visual prompts on full-size models: a public IP-Adapter takes the pictures in the place of our own adapter.

The pictures are a person's own, and those nearest to centres of a bank that was built from a folder of pictures
(`train bank --pictures`). diffusers loads the adapter and encodes the pictures; a strength of 0 skips it altogether.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from diffusers import DiffusionPipeline
from numpy.typing import NDArray
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.generators.visual.bank import VisualBank
from emofeedback.records import PictureRequest

logger = logging.getLogger(__name__)
TOP = 3


@dataclass(frozen=True, slots=True)
class IpAdapterSource:
    """Where an IP-Adapter lies: a repository or a folder, a folder inside, the weights' file (safetensors)."""

    repo: str
    subfolder: str
    weights: str


PUBLIC: dict[str, IpAdapterSource] = {
    "sd": IpAdapterSource("h94/IP-Adapter", "models", "ip-adapter_sd15.safetensors"),
    "sdxl": IpAdapterSource("h94/IP-Adapter", "sdxl_models", "ip-adapter_sdxl.safetensors"),
}
"""Public adapters (Ye et al. 2023) by the key of a family in `families`; that of "sd" is for version 1.5."""


class IpAdapterPrompts:
    """An IP-Adapter on a pipeline, and the bank that its pictures come from.

    Args:
        bank: None = a person's own pictures alone.
        words: text features [B, D] of prompts by the bank's text encoder; needed with a bank.

    Raises:
        UserError: the pipeline takes no IP-Adapter, or this one cannot be loaded.
    """

    def __init__(
        self,
        pipeline: DiffusionPipeline,
        source: IpAdapterSource,
        bank: VisualBank | None = None,
        words: Callable[[Sequence[str]], NDArray[np.float32]] | None = None,
    ) -> None:
        if not hasattr(pipeline, "load_ip_adapter"):
            raise UserError(f"{type(pipeline).__name__} takes no visual prompts; choose an SDXL or SD 1.5 model.")
        self.pipeline, self.bank, self.words = pipeline, bank, words
        try:
            pipeline.load_ip_adapter(source.repo, subfolder=source.subfolder, weight_name=source.weights)
        except (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError) as error:
            logger.debug("loading %s failed", source, exc_info=error)
            raise UserError(f"The IP-Adapter {source.repo} does not fit this model or cannot be fetched.") from None
        self._blank = Image.new("RGB", (64, 64))

    def pictures(self, request: PictureRequest) -> list[Image.Image]:
        """What a request shows; a public adapter gives all the same weight, so that only weights of 0 count.

        Raises:
            UserError: there is nothing to show.
        """
        visual = request.visual
        if visual is None or not visual.strength > 0:
            return []
        shown = [picture for picture, weight in visual.pictures if weight > 0]
        pairs = visual.centres
        if self.bank is not None and pairs is None and not shown and self.words is not None:
            group = self.bank.group(request.affect, visual.emotion)
            hits = self.bank.retrieve(self.words([request.prompt])[0], group, TOP)
            pairs = tuple((hit.number, hit.weight) for hit in hits)
        if self.bank is not None:
            shown += [self.bank.pictures[number] for number, weight in pairs or () if weight > 0]
        if not shown:
            raise UserError("There is no picture to guide by; add one, or give a bank made by `train bank --pictures`.")
        return shown

    def arguments(self, request: PictureRequest) -> dict[str, Any]:
        """What a call of the pipeline for this one request takes beside the rest; sets the strength."""
        shown = self.pictures(request)
        strength = request.visual.strength if request.visual is not None and shown else 0.0
        self.pipeline.set_ip_adapter_scale(strength)
        return {"ip_adapter_image": [shown or [self._blank]]}
