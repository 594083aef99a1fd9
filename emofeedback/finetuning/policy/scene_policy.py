"""The policy of reward fine-tuning: rollouts, velocities and log-probs of a generator that carries a LoRA.

A checkpoint's few-step student can be the policy: its frozen base is then the student (base and student's LoRA summed
once), the learning LoRA lies on top, and the same LoRA lies on the generator's own transformer, with shared weights.
So what is exported is what the generator adds to the student when it draws in few steps, and to the base when it
draws in many.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.loras import common_rank, lora_weights, student_transformer
from emofeedback.finetuning.policy.rollout import Conditions
from emofeedback.flow.schedule import sigmas
from emofeedback.generators.scene.scene_condition import SceneCondition
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.visual.visual_adapter import set_inner_attention
from emofeedback.generators.visual.visual_prompts import shown_fully, shows
from emofeedback.records import PictureRequest
from emofeedback.training.generator.networks import PlainJointAttention

KEPT = 512  # conditions of planned words that are kept
ATTENTION = (
    "attn.to_q",
    "attn.to_k",
    "attn.to_v",
    "attn.to_out.0",
    "attn.add_q_proj",
    "attn.add_k_proj",
    "attn.add_v_proj",
    "attn.to_add_out",
)


class ScenePolicy(LoraPolicy):
    """A policy over the bundled generator; the base weights are frozen and never written.

    Args:
        generator: without an adapter; it is changed in place and draws with the learning LoRA from now on.
        rank: of the LoRA on the attention projections; alpha equals it, so that a loader that knows no alpha scales
            the exported file right.
        seed: of the LoRA's first matrices; the second are zero, so that policy and base begin equal.
        chunk: pictures of one forward pass of a rollout.
        checkpointing: keep no activations within the blocks; the backward pass computes them again (a third more
            time, a fraction of the memory).
        start: a LoRA's path and scale to begin with in place of zero; it brings its own rank and layers, and the
            base stays without it.
        student: the policy is the generator's few-step student, which draws at its own noise levels without guidance.

    Raises:
        UserError: `start` is missing, damaged, or fits another generator; or there is no student.
    """

    generator: SceneDiffusionGenerator

    def __init__(
        self,
        generator: SceneDiffusionGenerator,
        rank: int = 16,
        seed: int = 0,
        chunk: int = 64,
        checkpointing: bool = False,
        start: tuple[Path, float] | None = None,
        student: bool = False,
    ) -> None:
        self.generator, self.chunk, self.student = generator, chunk, student
        pipeline = generator.pipeline
        begun = None if start is None else lora_weights(generator, *start)
        for module in (pipeline.transformer, pipeline.vae, pipeline.text_encoder, pipeline.text_encoder_2):
            module.requires_grad_(False)
        for part in (generator.adapter, generator.sketch, generator.finish):
            if part is not None:
                part.requires_grad_(False)
        self.transformer: nn.Module = student_transformer(generator) if student else pipeline.transformer
        both: tuple[Any, ...] = (pipeline.transformer, self.transformer) if student else (pipeline.transformer,)
        if generator.device.type == "cpu" and generator.dtype == torch.bfloat16:
            for transformer in both:
                set_inner_attention(transformer, PlainJointAttention())
        layers = list(ATTENTION) if begun is None else sorted({key.split(".lora_")[0] for key in begun})
        self.rank = rank if begun is None else common_rank(begun)
        self._attach(both, layers, seed, begun, checkpointing)
        self._encoded: dict[tuple[object, ...], Conditions] = {}
        self._empty: Conditions | None = None

    @torch.no_grad()
    def conditions(self, requests: Sequence[PictureRequest]) -> Conditions:
        """Conditions [N] of requests; each (plan, affect, strength) is encoded once."""
        found = [self._encode(request) for request in requests]
        prompt, pooled = torch.cat([c.prompt for c in found]), torch.cat([c.pooled for c in found])
        away = [c.opposite_prompt for c in found if c.opposite_prompt is not None]
        away_pooled = [c.opposite_pooled for c in found if c.opposite_pooled is not None]
        visual = self._visual(requests) if any(shows(request) for request in requests) else None
        sketches, residuals = _filled([c.sketches for c in found]), _filled([c.residuals for c in found])
        if len(away) < len(found):
            return Conditions(prompt, pooled, visual=visual, sketches=sketches, residuals=residuals)
        return Conditions(prompt, pooled, torch.cat(away), torch.cat(away_pooled), visual, None, sketches, residuals)

    def _visual(self, requests: Sequence[PictureRequest]) -> Tensor:
        """Features [N, T, E] of visual prompts out of the generator's bank; all requests have one."""
        prompts = self.generator.visual
        if prompts is None:
            raise UserError(f"{self.generator.name} has no visual prompts to tune with; train them first.")
        words = self.generator.texts.features([request.prompt for request in requests])
        features = [prompts.feature(request, word) for request, word in zip(requests, words, strict=True)]
        return torch.from_numpy(np.stack(features)).to(self.generator.device)

    def _encode(self, request: PictureRequest) -> Conditions:
        """The condition [1] of a request."""
        asked = PictureRequest(
            request.prompt, request.affect, request.seed, request.strength, guidance=2.0, plan_seed=request.plan_seed
        )
        key = (self.generator.words_drawn(asked), self.generator.plan_of(asked), request.affect, request.strength)
        if key not in self._encoded:
            prompt, pooled, *_ = told = self.generator.conditioning([asked])
            # in order: without anything, with the opposite emotion (if any), as asked; a clone can be part of a graph
            rows = [(prompt[i : i + 1].clone(), pooled[i : i + 1].clone()) for i in range(len(prompt))]
            asked_for, (away, away_pooled) = rows[-1], rows[1] if len(rows) == 3 else (None, None)
            sketches, residuals = (None if part is None else part.clone() for part in (told.sketches, told.residuals))
            self._encoded[key] = Conditions(*asked_for, away, away_pooled, sketches=sketches, residuals=residuals)
            if self.generator.plans and len(self._encoded) > KEPT:  # every group has words of its own
                self._encoded.pop(next(iter(self._encoded)))
        return self._encoded[key]

    def encode_once(self, requests: Sequence[PictureRequest]) -> None:
        """Encode what a job will ask for, then take the text encoders off a device that is not the CPU.

        Afterwards the policy draws these prompts and the empty one alone; where each seed has words of its own (see
        `SceneDiffusionGenerator.words_drawn`), the encoders stay.
        """
        pipeline, device = self.generator.pipeline, self.generator.device
        self.conditions([*requests, PictureRequest("", None, 0, 0.0)])
        if device.type != "cpu" and not self.generator.plans:
            for encoder in (pipeline.text_encoder, pipeline.text_encoder_2):
                encoder.to("cpu")
            torch.cuda.empty_cache()

    def levels(self, steps: int) -> list[float]:
        """Noise levels [steps + 1] from 1 down to 0: the student's own, else shifted as the scheduler says.

        Raises:
            ValueError: the student draws in another number of steps.
        """
        few = self.generator.few_step
        if self.student and few is not None:
            if steps != few.steps:
                raise ValueError(f"the student draws in {few.steps} steps, not {steps}")
            return list(few.sigmas)
        return sigmas(steps, float(self.generator.pipeline.scheduler.config.shift)).tolist()

    def latent_shape(self) -> tuple[int, int, int]:
        config = self.generator.pipeline.transformer.config
        return config.in_channels, config.sample_size, config.sample_size

    @torch.no_grad()
    def denoiser(self, noisy: Tensor, times: Tensor, conditions: Conditions) -> Tensor:
        """Velocity [B, C, h, w] of the base, without LoRA and not distilled: a denoiser at every time [B]."""
        with self.using("base"):
            told = SceneCondition(conditions.prompt, conditions.pooled, None, None, conditions.residuals)
            return self.generator.velocity(noisy, times, told)

    def decode(self, latents: Tensor, conditions: Conditions) -> Tensor:
        return self.generator.finished(self.generator.decode(latents), conditions.sketches)

    def predict(self, noisy: Tensor, times: Tensor, conditions: Conditions, guidance: float) -> Tensor:
        if guidance == 1.0:
            told = SceneCondition(conditions.prompt, conditions.pooled, None, None, conditions.residuals)
            visual = shown_fully(conditions.visual, 1)
            return self.generator.velocity(noisy, times, told, self.transformer, visual)
        if self._empty is None:
            self._empty = self.conditions([PictureRequest("", None, 0, 0.0)])
        count, weights = len(noisy), [guidance]
        prompts, pools = [self._empty.prompt.expand(count, -1, -1)], [self._empty.pooled.expand(count, -1)]
        if conditions.opposite_prompt is not None and conditions.opposite_pooled is not None:
            prompts, pools = [*prompts, conditions.opposite_prompt], [*pools, conditions.opposite_pooled]
            weights.append(self.generator.emotion_guidance)
        prompt, pooled = torch.cat([*prompts, conditions.prompt]), torch.cat([*pools, conditions.pooled])
        levels = torch.tensor(weights, device=noisy.device)[:, None].expand(-1, count)
        visual = shown_fully(conditions.visual, len(prompt) // count)
        told = SceneCondition(prompt, pooled, levels, None, conditions.residuals)
        return self.generator.velocity(noisy, times, told, self.transformer, visual)


def _filled(parts: Sequence[Tensor | None]) -> Tensor | None:
    """[N, ...] of N rows [1, ...], 0 for those that are missing; None where all are."""
    given = next((part for part in parts if part is not None), None)
    if given is None:
        return None
    return torch.cat([torch.zeros_like(given) if part is None else part for part in parts])
