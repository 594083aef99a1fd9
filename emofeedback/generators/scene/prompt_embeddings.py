"""What a generator makes of words: embeddings that are kept, a feature to compare texts by, words it does not know."""

import copy
import re
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from diffusers import StableDiffusion3Pipeline
from numpy.typing import NDArray
from torch import Tensor

from emofeedback.generators.scene.known_words import CAPTIONS
from emofeedback.generators.token_cut import beyond_limit
from emofeedback.scenes.captions import to_caption_words
from emofeedback.scenes.vocabulary import content_unknown

KEPT = 512
"""Prompts whose embeddings are kept."""


class ScenePromptEncoder:
    """The text encoders of a pipeline.

    `many`, `unknown` and `left_out` may be called while another thread draws: a fast tokenizer keeps how it pads and
    cuts from one call to the next, so that each has one of its own.

    Args:
        vocabulary: the words seen in training; empty = any word.
        captions: the edition of the captions seen in training. From CAPTIONS on prompts are put into caption words.
    """

    def __init__(
        self,
        pipeline: StableDiffusion3Pipeline,
        vocabulary: Sequence[str],
        device: torch.device,
        captions: int = 1,
    ) -> None:
        self.pipeline, self.vocabulary, self.device = pipeline, frozenset(vocabulary), device
        self.captions = captions
        self._kept: OrderedDict[str, tuple[Tensor, Tensor]] = OrderedDict()
        self._comparing, self._counting = copy.deepcopy(pipeline.tokenizer), copy.deepcopy(pipeline.tokenizer)

    def __call__(self, prompts: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
        """Embeddings [1, L, D] and pooled embeddings [1, P] of each prompt; the oldest are dropped beyond KEPT."""
        # one by one: what a prompt is encoded with changes its rounding, and a picture is to depend on its request only
        for prompt in dict.fromkeys(prompts):
            if prompt not in self._kept:
                self._kept[prompt] = self.together([prompt])
            self._kept.move_to_end(prompt)
        found = [self._kept[prompt] for prompt in prompts]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def together(self, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Embeddings [B, L, D] and pooled embeddings [B, P] of all prompts in one pass; nothing is kept."""
        embeds, _, pooled, _ = self.pipeline.encode_prompt(
            list(map(self.said, prompts)),
            None,
            None,
            device=self.device,
            do_classifier_free_guidance=False,
            max_sequence_length=1,
        )
        return embeds, pooled

    @torch.no_grad()
    def features(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Pooled embeddings [B, P], by which the visual prompt bank compares texts."""
        return torch.cat([pooled for _, pooled in self(prompts)]).float().cpu().numpy()

    def many(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """As `features`, but in one pass, and what is too long is cut; nothing is kept."""
        ids = self._comparing(
            list(map(self.said, prompts)),
            padding="max_length",
            truncation=True,
            max_length=self._comparing.model_max_length,
            return_tensors="pt",
        ).input_ids.to(self.device)
        with torch.no_grad():
            parts = [encoder(ids).text_embeds for encoder in (self.pipeline.text_encoder, self.pipeline.text_encoder_2)]
        return torch.cat(parts, dim=-1).float().cpu().numpy()

    def said(self, prompt: str) -> str:
        """What the text encoders are given for a prompt: caption words, or the prompt as it stands.

        Trained on today's captions, always caption words. Trained on those of an earlier, smaller world, where the
        prompt has words that it has not and its caption has none: "a puppy" is "a small dog".
        """
        if self.captions >= CAPTIONS:
            return to_caption_words(prompt)
        if self.vocabulary and self._strange(prompt):
            caption = to_caption_words(prompt)
            if caption and not self._strange(caption):
                return caption
        return prompt

    def unknown(self, prompt: str) -> tuple[str, ...]:
        """Words of the prompt that the encoders are not given in any form, in order, each once.

        Where a prompt is put into caption words: those that name something to see which captions have no word for.
        """
        if not self.vocabulary:
            return ()
        return content_unknown(prompt) if self.said(prompt) != prompt else self._strange(prompt)

    def _strange(self, text: str) -> tuple[str, ...]:
        """Words of a text that training never showed."""
        words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", text.lower())
        known = self.vocabulary
        return tuple(
            dict.fromkeys(w for w in words if w not in known and not all(p in known for p in re.split(r"['’-]", w)))
        )

    def left_out(self, prompt: str) -> str:
        """The end of a prompt that lies beyond what the text encoders read; empty where they read all of it."""
        return beyond_limit(self._counting, self.said(prompt), self._counting.model_max_length)
