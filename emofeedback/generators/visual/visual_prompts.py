"""Visual prompts of the bundled generator: the bank, the adapter that draws from it, the encoder of one's own pictures.

They lie in one checkpoint folder, bound to the transformer that they were trained with.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusion3Pipeline
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.files.checksums import verify_folder
from emofeedback.generators.scene.scene_condition import SceneCondition
from emofeedback.generators.visual.bank import Hit, VisualBank
from emofeedback.generators.visual.encoders import LatentEncoder
from emofeedback.generators.visual.visual_adapter import CONFIG, VisualAdapter
from emofeedback.records import PictureRequest, VisualPrompt

FACTS = "visual_prompts.json"
TOP = 3
"""Centres that words retrieve."""
Words = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VisualCondition:
    """What the transformer is shown, row by row of a conditioning [kB].

    Attributes:
        features: [kB, T, E]; strength: [kB], 0 = nothing is shown.
        guidance: [B] of the second-last B rows, which guidance leads away from; None = there are no such rows.
    """

    features: Tensor
    strength: Tensor
    guidance: Tensor | None = None

    def joint(self) -> dict[str, Tensor]:
        """`joint_attention_kwargs` of one forward pass; diffusers takes entries out, so each pass needs its own."""
        return {"ip_adapter_image_embeds": self.features, "ip_scale": self.strength}


def shows(request: PictureRequest) -> bool:
    """Whether a request has a visual prompt that has an effect."""
    return request.visual is not None and request.visual.strength > 0


def shown_fully(features: Tensor | None, copies: int) -> VisualCondition | None:
    """Features [N, T, E] at full strength for `copies` rows of each picture; None = nothing is shown.

    The rows of the empty prompt, first of several, are shown nothing.
    """
    if features is None:
        return None
    strength = torch.ones(copies, len(features), device=features.device)
    if copies > 1:
        strength[0] = 0.0
    return VisualCondition(features.repeat(copies, 1, 1), strength.flatten())


class VisualPrompts:
    """A bank with what draws from it.

    Args:
        encoder: of latents [B, C, h, w]; None = a person's own pictures cannot be shown.
        guidance: weight of the guidance away from the negative visual prompt where a request leaves it open;
            `student_guidance` the same for the few-step student.
    """

    def __init__(
        self,
        bank: VisualBank,
        adapter: VisualAdapter,
        encoder: LatentEncoder | None,
        guidance: float = 1.0,
        student_guidance: float = 1.0,
    ) -> None:
        self.bank, self.adapter, self.encoder = bank, adapter, encoder
        self.guidance, self.student_guidance = guidance, student_guidance

    @classmethod
    def from_pretrained(
        cls, folder: Path, base: str | None = None, dtype: torch.dtype = torch.float32, device: str = "cpu"
    ) -> "VisualPrompts":
        """Load a checkpoint folder after checking it.

        Args:
            base: the digest of the generator's weights (`few_step.base_digest`); None = it is not checked.

        Raises:
            UserError: it is incomplete, damaged, or was trained with another generator.
        """
        verify_folder(folder, CONFIG)
        try:
            facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
            made_for = str(facts["base"])
            weights = float(facts["guidance"]), float(facts["student_guidance"])
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{folder / FACTS} is missing or damaged; fetch the checkpoint again.") from None
        if base is not None and base != made_for:
            raise UserError(f"The visual prompts in {folder} were trained with another generator; train them for this.")
        adapter = VisualAdapter.from_pretrained(folder, dtype).to(device)
        encoder = LatentEncoder.from_pretrained(folder).to(device)
        return cls(VisualBank.load(folder), adapter, encoder, *weights)

    def attach(self, pipeline: StableDiffusion3Pipeline) -> None:
        """Let the pipeline's transformer attend to visual tokens.

        Raises:
            UserError: the adapter is of another size.
        """
        self.adapter.attach(pipeline.transformer)

    def retrieve(self, visual: VisualPrompt, request: PictureRequest, words: Words) -> tuple[Hit, ...]:
        """The centres that words [D] find in the group of the request's emotion.

        Raises:
            UserError: there is no such group, or no emotion to search by.
        """
        return self.bank.retrieve(words, self.bank.group(request.affect, visual.emotion), TOP)

    def feature(self, request: PictureRequest, words: Words, own: Sequence[Words] = ()) -> Words:
        """What a request shows, [T, E].

        Args:
            words: [D], the text feature of its prompt; own: [T, E] of each of the person's own pictures.

        Raises:
            UserError: nothing is left to show, or a centre is not in the bank.
        """
        visual = request.visual
        assert visual is not None
        pairs = visual.centres
        if pairs is None and not visual.pictures:
            pairs = tuple((hit.number, hit.weight) for hit in self.retrieve(visual, request, words))
        parts = [(self.bank.mix([(number, 1.0)]), weight) for number, weight in pairs or ()]
        parts += [(feature, weight) for feature, (_, weight) in zip(own, visual.pictures, strict=True)]
        total = sum(weight for _, weight in parts)
        if any(weight < 0 for _, weight in parts) or not total > 0:
            raise UserError("Give at least one visual prompt a weight above 0, and none a weight below 0.")
        return sum(
            (feature * np.float32(weight / total) for feature, weight in parts[1:]),
            parts[0][0] * np.float32(parts[0][1] / total),
        )

    def condition(
        self,
        batch: Sequence[PictureRequest],
        condition: SceneCondition,
        words_of: Callable[[Sequence[str]], Words],
        latents_of: Callable[[Sequence[Image.Image]], Tensor],
        student: bool = False,
    ) -> tuple[SceneCondition, VisualCondition]:
        """A batch's conditioning with rows for the negative visual prompt, and what is shown beside it.

        Args:
            condition: of `SceneDiffusionGenerator.conditioning`; the last B rows are the conditional ones.
            words_of: text features [B, D] of prompts; latents_of: latents [B, C, h, w] of a person's own pictures.

        Raises:
            UserError: a request asks for what is not there.
        """
        prompt, pooled = condition.prompt, condition.pooled
        words = words_of([request.prompt for request in batch])
        own = [self._own(request, latents_of) for request in batch]
        device, count = prompt.device, len(batch)
        blank = np.zeros(self.bank.visual.shape[1:], dtype=np.float32)
        shown = np.stack(
            [self.feature(r, w, o) if shows(r) else blank for r, w, o in zip(batch, words, own, strict=True)]
        )
        strength = torch.tensor([r.visual.strength if r.visual else 0.0 for r in batch], device=device)
        ours = torch.from_numpy(shown).to(device)
        usual = self.student_guidance if student else self.guidance
        asked = [r.visual.guidance if r.visual else 0.0 for r in batch]
        weight = torch.tensor([usual if w is None else w for w in asked], device=device) * (strength > 0)
        copies = len(prompt) // count
        # the empty prompt is shown nothing; the words with the opposite emotion what the words are shown
        rows = [(torch.zeros_like(ours), torch.zeros_like(strength))] * min(1, copies - 1)
        rows += [(ours, strength)] * max(0, copies - 2)
        if bool((weight > 0).any()):
            rows.append(self._away(batch, words, strength))
            prompt, pooled = torch.cat([prompt, prompt[-count:]]), torch.cat([pooled, pooled[-count:]])
        rows.append((ours, strength))
        features, strengths = (torch.cat(parts) for parts in zip(*rows, strict=True))
        leads = weight if len(rows) > copies else None
        told = condition._replace(prompt=prompt, pooled=pooled)
        return told, VisualCondition(features, strengths, leads)

    def _own(self, request: PictureRequest, latents_of: Callable[[Sequence[Image.Image]], Tensor]) -> list[Words]:
        """Features [T, E] of a person's own pictures."""
        if request.visual is None or not request.visual.pictures:
            return []
        if self.encoder is None:
            raise UserError("These visual prompts have no picture encoder; choose centres of the bank instead.")
        latents = latents_of([image for image, _ in request.visual.pictures])
        return list(self.encoder(latents).float().cpu().numpy())

    def _away(self, batch: Sequence[PictureRequest], words: Words, strength: Tensor) -> tuple[Tensor, Tensor]:
        """What guidance leads away from: [B, T, E] and strengths [B], 0 where no negative emotion is named."""
        features = np.zeros((len(batch), *self.bank.visual.shape[1:]), dtype=np.float32)
        named = torch.zeros_like(strength)
        for i, request in enumerate(batch):
            if request.visual is not None and request.visual.negative is not None:
                hits = self.bank.retrieve(words[i], self.bank.group(None, request.visual.negative), TOP)
                features[i] = self.bank.mix([(hit.number, hit.weight) for hit in hits])
                named[i] = strength[i]
        return torch.from_numpy(features).to(strength.device), named
