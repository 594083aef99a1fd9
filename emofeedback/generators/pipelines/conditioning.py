"""Text conditioning of a pipeline: one prompt encoded at a time, its emotion, and what a batch is called with.

One by one, since what a prompt is encoded with changes its rounding and a picture is to depend on its request only.
"""

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.generators.pipelines.emotion_text_adapter import TextEmotionAdapter
from emofeedback.generators.pipelines.families import Family, TextCondition
from emofeedback.generators.token_cut import beyond_limit
from emofeedback.records import PictureRequest

TEXTS = 64  # prompts whose embeddings are kept; 8 MB each at FLUX.2-klein's size


class PromptEncoder:
    """Encodes prompts with a pipeline's text encoders; the last ones are kept.

    `left_out` may be called while another thread draws: a fast tokenizer keeps how it pads and cuts from one call to
    the next, so that it has one of its own.
    """

    def __init__(self, pipeline: DiffusionPipeline, family: Family) -> None:
        self.pipeline, self.family = pipeline, family
        self._kept: OrderedDict[str | None, TextCondition] = OrderedDict()
        tokenizer, self._limit = family.tokenizer_of(pipeline)
        self._counting = copy.deepcopy(tokenizer)

    def encode(self, prompt: str) -> TextCondition:
        """The condition of a prompt."""
        return self._keep(prompt, prompt)

    def away(self, negative: str) -> TextCondition:
        """What guidance leads away from: the words of a negative prompt, else as `unconditional`."""
        return self.encode(negative) if negative else self.unconditional()

    def unconditional(self) -> TextCondition:
        """What guidance leads away from: the empty prompt, or zeros where a model was trained so."""
        empty = self._keep(None, "")
        if not self.family.unconditional_is_zero(self.pipeline):
            return empty
        return TextCondition(
            torch.zeros_like(empty.embeds), None if empty.pooled is None else torch.zeros_like(empty.pooled)
        )

    def forget(self) -> None:
        """Drop what is kept: the encoders have changed."""
        self._kept.clear()

    def _keep(self, key: str | None, prompt: str) -> TextCondition:
        if key not in self._kept:
            with torch.no_grad():
                self._kept[key] = self.family.encode(self.pipeline, prompt)
        self._kept.move_to_end(key)
        while len(self._kept) > TEXTS:
            self._kept.popitem(last=False)
        return self._kept[key]

    def left_out(self, prompt: str) -> str:
        """The end of a prompt that lies beyond what the longest text encoder reads; empty where it reads all of it."""
        return beyond_limit(self._counting, prompt, self._limit)


def call_arguments(
    family: Family, conditions: Sequence[TextCondition], away: Sequence[TextCondition] | None
) -> dict[str, Any]:
    """The conditions of a batch as its pipeline takes them.

    Args:
        away: what guidance leads away from, one a picture; None without guidance.
    """
    given: dict[str, Any] = {"prompt_embeds": family.call_embeds([c.embeds for c in conditions])}
    if family.pooled:
        given["pooled_prompt_embeds"] = torch.stack([_some(c.pooled) for c in conditions])
    if away is not None:
        given["negative_prompt_embeds"] = family.call_embeds([c.embeds for c in away])
        if family.pooled:
            given["negative_pooled_prompt_embeds"] = torch.stack([_some(c.pooled) for c in away])
    return given


def with_emotion(condition: TextCondition, request: PictureRequest, emotion: TextEmotionAdapter) -> TextCondition:
    """A condition with the request's emotion in it; as it is where there is none.

    Raises:
        UserError: the adapter was trained for other text encoders.
    """
    if request.affect is None or request.strength == 0:
        return condition
    point = [request.affect.valence, request.affect.arousal, request.strength]
    valence, arousal, strength = torch.tensor(point, device=condition.embeds.device)[:, None].unbind(0)
    # an adapter's weights need not be of the text encoders' number format
    dtype = next((weight.dtype for weight in emotion.parameters()), condition.embeds.dtype)
    pooled = None if condition.pooled is None else condition.pooled[None].to(dtype)
    try:
        with torch.no_grad():
            embeds, pooled = emotion(condition.embeds[None].to(dtype), pooled, valence, arousal, strength)
    except (RuntimeError, TypeError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        raise UserError("The emotion adapter was trained for another model; give one that fits this one.") from error
    kept = None if pooled is None or condition.pooled is None else pooled[0].to(condition.pooled.dtype)
    return TextCondition(embeds[0].to(condition.embeds.dtype), kept)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, of a GPU or of the machine."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "allocate memory" in text)


def _some(pooled: Tensor | None) -> Tensor:
    if pooled is None:
        raise ValueError("the family needs a pooled embedding")
    return pooled
