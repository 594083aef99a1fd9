"""The policy of reward fine-tuning: rollouts, velocities and log-probs of a generator that carries a LoRA.

A checkpoint's few-step student can be the policy: its frozen base is then the student (base and student's LoRA summed
once), the learning LoRA lies on top, and the same LoRA lies on the generator's own transformer, with shared weights.
So what is exported is what the generator adds to the student when it draws in few steps, and to the base when it
draws in many.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.flow.schedule import euler_step, sigmas
from emofeedback.flow.stochastic import flow_sde_step, flow_sde_transition, log_prob
from emofeedback.generators.diffusion import SceneDiffusionGenerator
from emofeedback.generators.visual_adapter import set_inner_attention
from emofeedback.generators.visual_prompts import shown_fully, shows
from emofeedback.records import PictureRequest
from emofeedback.training.policy_lora import common_rank, lora_weights, share_loras, student_transformer
from emofeedback.training.rollout import Check, Conditions, Rollout, Sampling, Step, Transition, Weights
from emofeedback.training.scene_networks import PlainJointAttention

ATTENTION = (
    "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0",
    "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out",
)  # fmt: skip


class ScenePolicy:
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

    def __init__(
        self, generator: SceneDiffusionGenerator, rank: int = 16, seed: int = 0, chunk: int = 64,
        checkpointing: bool = False, start: tuple[Path, float] | None = None, student: bool = False,
    ) -> None:  # fmt: skip
        self.generator, self.chunk, self.student = generator, chunk, student
        pipeline = generator.pipeline
        begun = None if start is None else lora_weights(generator, *start)
        for module in (pipeline.transformer, pipeline.vae, pipeline.text_encoder, pipeline.text_encoder_2):
            module.requires_grad_(False)
        if generator.adapter is not None:
            generator.adapter.requires_grad_(False)
        self.transformer: nn.Module = student_transformer(generator) if student else pipeline.transformer
        both: tuple[Any, ...] = (pipeline.transformer, self.transformer) if student else (pipeline.transformer,)
        if generator.device.type == "cpu" and generator.dtype == torch.bfloat16:
            for transformer in both:
                set_inner_attention(transformer, PlainJointAttention())
        layers = list(ATTENTION) if begun is None else sorted({key.split(".lora_")[0] for key in begun})
        self.rank = rank if begun is None else common_rank(begun)
        config = LoraConfig(r=self.rank, lora_alpha=self.rank, init_lora_weights="gaussian", target_modules=layers)
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # two LoRAs on one base are meant
            torch.manual_seed(seed)
            for transformer in both:
                for name in ("old", "policy"):
                    transformer.add_adapter(config, adapter_name=name)
        self._loras = {name: self._collect(name) for name in ("policy", "old")}
        if student:
            share_loras(pipeline.transformer, self.transformer)
        for transformer in both:
            transformer.set_adapter("policy")
        if checkpointing:
            both[-1].enable_gradient_checkpointing()
        self._layers = [module for t in both for module in t.modules() if isinstance(module, BaseTunerLayer)]
        if begun is not None:
            self.load_state(begun)
        self.remember()
        self._encoded: dict[tuple[object, ...], Conditions] = {}
        self._empty: Conditions | None = None

    def _collect(self, name: str) -> dict[str, nn.Parameter]:
        """The parameters of one LoRA, kept in float32, by their name without the LoRA's."""
        mark, found = f".{name}.", {}
        for key, parameter in self.generator.pipeline.transformer.named_parameters():
            if mark in key and ".lora_" in key:
                parameter.data = parameter.data.float()
                found[key.replace(mark, ".")] = parameter
        return found

    def parameters(self) -> list[nn.Parameter]:
        """What learns."""
        return list(self._loras["policy"].values())

    def state(self, weights: Literal["policy", "old"] = "policy") -> dict[str, Tensor]:
        """A copy of one LoRA's weights."""
        return {key: p.detach().clone() for key, p in self._loras[weights].items()}

    @torch.no_grad()
    def load_state(self, state: dict[str, Tensor], weights: Literal["policy", "old"] = "policy") -> None:
        """Put weights that `state` gave back in place."""
        for key, parameter in self._loras[weights].items():
            parameter.copy_(state[key])

    def remember(self) -> None:
        """Make the present weights the "old" ones."""
        self.load_state(self.state(), "old")

    @contextmanager
    def using(self, weights: Weights) -> Iterator[None]:
        """Draw with other weights inside; gradients are off there, because peft freezes what it does not use."""
        if weights == "policy":
            yield
            return
        try:
            for layer in self._layers:
                if weights == "old":
                    layer.set_adapter(["old"])
                else:
                    layer.enable_adapters(False)
            with torch.no_grad():
                yield
        finally:
            for layer in self._layers:
                layer.enable_adapters(True)
                layer.set_adapter(["policy"])

    @torch.no_grad()
    def conditions(self, requests: Sequence[PictureRequest]) -> Conditions:
        """Conditions [N] of requests; each (prompt, affect, strength) is encoded once."""
        found = [self._encode(request) for request in requests]
        prompt, pooled = torch.cat([c.prompt for c in found]), torch.cat([c.pooled for c in found])
        away = [c.opposite_prompt for c in found if c.opposite_prompt is not None]
        away_pooled = [c.opposite_pooled for c in found if c.opposite_pooled is not None]
        visual = self._visual(requests) if any(shows(request) for request in requests) else None
        if len(away) < len(found):
            return Conditions(prompt, pooled, visual=visual)
        return Conditions(prompt, pooled, torch.cat(away), torch.cat(away_pooled), visual)

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
        key = (request.prompt, request.affect, request.strength)
        if key not in self._encoded:
            asked = PictureRequest(request.prompt, request.affect, 0, request.strength, guidance=2.0)
            prompt, pooled, _ = self.generator.conditioning([asked])
            # in order: without anything, with the opposite emotion (if any), as asked; a clone can be part of a graph
            rows = [(prompt[i : i + 1].clone(), pooled[i : i + 1].clone()) for i in range(len(prompt))]
            self._encoded[key] = Conditions(*rows[-1], *(rows[1] if len(rows) == 3 else ()))
        return self._encoded[key]

    def encode_once(self, requests: Sequence[PictureRequest]) -> None:
        """Encode what a job will ask for, then take the text encoders off a device that is not the CPU.

        Afterwards the policy draws these prompts and the empty one alone.
        """
        pipeline, device = self.generator.pipeline, self.generator.device
        self.conditions([*requests, PictureRequest("", None, 0, 0.0)])
        if device.type != "cpu":
            for encoder in (pipeline.text_encoder, pipeline.text_encoder_2):
                encoder.to("cpu")
            torch.cuda.empty_cache()

    @torch.no_grad()
    def rollout(
        self, conditions: Conditions, seeds: Sequence[int], sampling: Sampling, check: Check | None = None
    ) -> Rollout:
        """Draw one latent per condition; the same seed gives the noise that the generator starts from."""
        parts = []
        for begin in range(0, len(seeds), self.chunk):
            here = slice(begin, begin + self.chunk)
            parts.append(self._rollout(conditions.rows(here), seeds[here], sampling, check))
        steps = []
        for pieces in zip(*(part.steps for part in parts), strict=True):
            log_probs = [p.log_prob for p in pieces if p.log_prob is not None]
            noisy, sample = torch.cat([p.noisy for p in pieces]), torch.cat([p.sample for p in pieces])
            log_prob_ = torch.cat(log_probs) if log_probs else None
            steps.append(Step(pieces[0].sigma, pieces[0].sigma_next, noisy, sample, log_prob_))
        return Rollout(torch.cat([part.clean for part in parts]), tuple(steps))

    def _rollout(
        self, conditions: Conditions, seeds: Sequence[int], sampling: Sampling, check: Check | None
    ) -> Rollout:
        sources = [torch.Generator().manual_seed(seed) for seed in seeds]
        latents = self._noise(sources)
        steps: list[Step] = []
        levels = self.levels(sampling.steps)
        for i, (sigma, sigma_next) in enumerate(zip(levels[:-1], levels[1:], strict=True)):
            if check is not None:
                check()
            velocity = self._predict(latents, torch.tensor(sigma), conditions, sampling.guidance)
            if not sampling.first <= i < sampling.last:
                latents = euler_step(latents, velocity, sigma, sigma_next)
                continue
            noise = self._noise(sources) if sampling.eta > 0 else torch.zeros_like(latents)
            drawn = flow_sde_step(latents, velocity, sigma, sigma_next, noise, sampling.eta)
            density = log_prob(drawn.sample, drawn.mean, drawn.std) if sampling.eta > 0 else None
            steps.append(Step(sigma, sigma_next, latents, drawn.sample, density))
            latents = drawn.sample
        return Rollout(latents, tuple(steps))

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

    def _noise(self, sources: Sequence[torch.Generator]) -> Tensor:
        """Noise [B, C, h, w] from one source each, drawn on the CPU."""
        config = self.generator.pipeline.transformer.config
        shape = (1, config.in_channels, config.sample_size, config.sample_size)
        return torch.cat([torch.randn(shape, generator=g) for g in sources]).to(self.generator.device)

    def velocity(self, noisy: Tensor, times: Tensor, conditions: Conditions, weights: Weights = "policy") -> Tensor:
        """Velocity [B, C, h, w] without guidance at times [B]; a gradient flows for "policy" alone."""
        with self.using(weights):
            return self._predict(noisy, times, conditions, 1.0)

    @torch.no_grad()
    def denoiser(self, noisy: Tensor, times: Tensor, conditions: Conditions) -> Tensor:
        """Velocity [B, C, h, w] of the base, without LoRA and not distilled: a denoiser at every time [B]."""
        with self.using("base"):
            return self.generator.velocity(noisy, times, (conditions.prompt, conditions.pooled, None))

    def log_prob(
        self, step: Step, rows: Tensor, conditions: Conditions, sampling: Sampling, weights: Weights = "policy"
    ) -> Transition:
        """The stored samples of `rows` scored under some weights; `conditions` are those of all N pictures."""
        noisy = step.noisy[rows]
        with self.using(weights):
            velocity = self._predict(noisy, torch.tensor(step.sigma), conditions.rows(rows), sampling.guidance)
            mean, std = flow_sde_transition(noisy, velocity, step.sigma, step.sigma_next, sampling.eta)
            return Transition(log_prob(step.sample[rows], mean, std), mean, std)

    def last_steps(
        self, steps: Sequence[Step], rows: Tensor, conditions: Conditions, sampling: Sampling,
        weights: Weights = "policy",
    ) -> Tensor:  # fmt: skip
        """Clean latents [B, C, h, w] of the stored last steps, drawn again with the gradient of their velocities."""
        latents, told = steps[0].noisy[rows], conditions.rows(rows)
        with self.using(weights):
            for step in steps:
                velocity = self._predict(latents, torch.tensor(step.sigma), told, sampling.guidance)
                latents = euler_step(latents, velocity, step.sigma, step.sigma_next)
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """Clean latents [B, C, h, w] -> pictures [B, 3, H, W] about [-1, 1]; gradients flow."""
        return self.generator.decode(latents)

    def _predict(self, noisy: Tensor, times: Tensor, conditions: Conditions, guidance: float) -> Tensor:
        if guidance == 1.0:
            told = conditions.prompt, conditions.pooled, None
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
        return self.generator.velocity(noisy, times, (prompt, pooled, levels), self.transformer, visual)
