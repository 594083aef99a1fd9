"""The policy of reward fine-tuning over any flow pipeline: FLUX.2-klein, Stable Diffusion 3 and 3.5, Z-Image."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from emofeedback.errors import UserError
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Conditions
from emofeedback.generators.pipelines.families import TextCondition
from emofeedback.generators.pipelines.flow_view import FlowCondition
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.generators.visual.visual_prompts import shows
from emofeedback.records import PictureRequest

ATTENTION = ("attn", "attn2", "attention")


class PipelinePolicy(LoraPolicy):
    """A policy over a pipeline that predicts velocities; the base weights are frozen and never written.

    Emotion comes in as the generator draws it: by its adapter on the text embeddings, else by words. A model that
    draws in a few unguided steps counts as a student: its guidance is folded in, and matching asks it at its own
    noise levels.

    Args:
        generator: without an adapter; it is changed in place and draws with the learning LoRA from now on.
        rank: of the LoRA on the attention projections.
        seed: of the LoRA's first matrices; the second are zero, so that policy and base begin equal.
        chunk: pictures of one forward pass of a rollout.
        checkpointing: compute activations again in the backward pass: less memory, more time.

    Raises:
        UserError: the family predicts no velocities, or the weights do not stay on the device.
    """

    generator: PipelineGenerator

    def __init__(
        self, generator: PipelineGenerator, rank: int = 16, seed: int = 0, chunk: int = 4, checkpointing: bool = False
    ) -> None:
        self.view = generator.flow()
        if generator.options.offload != "none":
            raise UserError("Fine-tuning keeps the whole model on the device; set EMOFEEDBACK_OFFLOAD=none.")
        # loading the model anew with a cheaper setting would lose the LoRA
        generator.options = replace(generator.options, cheaper=False)
        self.generator, self.rank, self.chunk = generator, rank, chunk
        self.student = generator.described.distilled or generator.default_guidance == 1.0
        for part in generator.pipeline.components.values():
            if isinstance(part, nn.Module):
                part.requires_grad_(False)
        transformer: Any = generator.pipeline.transformer
        self._attach([transformer], attention_layers(transformer), seed, None, checkpointing)

    @torch.no_grad()
    def conditions(self, requests: Sequence[PictureRequest]) -> Conditions:
        """Conditions [N] of requests, padded to the longest prompt."""
        if any(shows(request) for request in requests):
            raise UserError("Visual prompts are tuned on the bundled generator alone; leave out --visual.")
        found = [self.generator.condition(request) for request in requests]
        lengths = torch.tensor([len(condition.embeds) for condition in found])
        prompt = pad_sequence([condition.embeds for condition in found], batch_first=True)
        pooled = [condition.pooled for condition in found if condition.pooled is not None]
        return Conditions(prompt, torch.stack(pooled) if pooled else prompt[:, 0, :0], lengths=lengths)

    def levels(self, steps: int) -> list[float]:
        """Noise levels [steps + 1] down to 0, as the pipeline's own scheduler sets them."""
        return self.view.levels(steps).tolist()

    def decode(self, latents: Tensor, conditions: Conditions) -> Tensor:
        return self.view.decode(latents)

    @torch.no_grad()
    def denoiser(self, noisy: Tensor, times: Tensor, conditions: Conditions) -> Tensor:
        """Velocity [B, C, h, w] of the base, without LoRA and guidance, at times [B]."""
        return self.velocity(noisy, times, conditions, "base")

    def latent_shape(self) -> tuple[int, int, int]:
        return self.view.shape()

    def predict(self, noisy: Tensor, times: Tensor, conditions: Conditions, guidance: float) -> Tensor:
        if self.generator.described.distilled:
            guidance = 1.0
        away = None if guidance == 1.0 else self.generator.texts.unconditional()
        return self.view.velocity(noisy, times, FlowCondition(self._told(conditions), away, guidance))

    def _told(self, conditions: Conditions) -> list[TextCondition]:
        """One condition for each picture, without the padding."""
        assert conditions.lengths is not None
        pools = conditions.pooled if self.generator.family.pooled else [None] * len(conditions.prompt)
        rows = zip(conditions.prompt, conditions.lengths.tolist(), pools, strict=True)
        return [TextCondition(prompt[:length], pooled) for prompt, length, pooled in rows]


def attention_layers(transformer: nn.Module) -> list[str]:
    """Names of the linear layers of all attentions, those that a family fuses with its feed-forward layers included."""
    return [
        name
        for name, module in transformer.named_modules()
        if isinstance(module, nn.Linear) and set(name.split(".")[:-1]) & set(ATTENTION)
    ]
