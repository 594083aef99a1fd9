"""Visual prompts on full-size models: a public IP-Adapter takes the pictures in the place of our own adapter.

The pictures are a person's own, and those nearest to centres of a bank that was built from a folder of pictures
(`train bank --pictures`). diffusers loads the adapter and encodes the pictures; a strength of 0 skips it altogether.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from diffusers import DiffusionPipeline
from numpy.typing import NDArray
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.generators.pipelines.conditioning import is_out_of_memory
from emofeedback.generators.pipelines.families import IpAdapterSource
from emofeedback.generators.visual.bank import VisualBank
from emofeedback.generators.visual.visual_prompts import TOP
from emofeedback.records import PictureRequest

logger = logging.getLogger(__name__)


class IpAdapterPrompts:
    """An IP-Adapter, and the bank that its pictures come from.

    Args:
        source: where the adapter lies.
        bank: None = a person's own pictures alone.
        words: text features [B, D] of prompts by the bank's text encoder; needed with a bank.
    """

    def __init__(
        self,
        source: IpAdapterSource,
        bank: VisualBank | None = None,
        words: Callable[[Sequence[str]], NDArray[np.float32]] | None = None,
    ) -> None:
        self.source, self.bank, self.words = source, bank, words
        self._blank = Image.new("RGB", (64, 64))

    def attach(self, pipeline: DiffusionPipeline) -> None:
        """Load the adapter onto a pipeline.

        Raises:
            UserError: the pipeline takes no IP-Adapter, or this one cannot be loaded.
        """
        if not hasattr(pipeline, "load_ip_adapter"):
            raise UserError(f"{type(pipeline).__name__} takes no visual prompts; choose an SDXL or SD 1.5 model.")
        repo, subfolder, weights = self.source.repo, self.source.subfolder, self.source.weights
        try:
            pipeline.load_ip_adapter(repo, subfolder=subfolder, weight_name=weights)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            if not isinstance(error, (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError)):
                raise
            logger.debug("loading %s failed", self.source, exc_info=error)
            raise UserError(f"The IP-Adapter {repo} does not fit this model or cannot be fetched.") from None

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

    def arguments(self, pipeline: DiffusionPipeline, request: PictureRequest) -> dict[str, Any]:
        """What a call of a pipeline that it is attached to takes beside the rest for one request; sets the strength."""
        shown = self.pictures(request)
        strength = request.visual.strength if request.visual is not None and shown else 0.0
        pipeline.set_ip_adapter_scale(strength)
        return {"ip_adapter_image": [shown or [self._blank]]}
