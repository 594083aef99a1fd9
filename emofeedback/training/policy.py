"""The policy of reward fine-tuning: rollouts, velocities and log-probs of a generator that carries a LoRA.

A generator is not a policy: it draws what a user asks for; a policy samples with a known density, keeps what
learning needs, and answers for three sets of weights on one frozen base. Latents and log-probs are float32.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from emofeedback.flow.schedule import clean_estimate, euler_step, sigmas
from emofeedback.flow.stochastic import flow_sde_step, flow_sde_transition, log_prob
from emofeedback.generators.diffusion import SceneDiffusionGenerator
from emofeedback.records import PictureRequest
from emofeedback.training.scene_networks import PlainJointAttention

Weights = Literal["policy", "old", "base"]
"""The LoRA that learns, the one that sampled, or the frozen base without any."""
ATTENTION = (
    "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0",
    "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out",
)  # fmt: skip
Check = Callable[[], None]
"""Called between forward passes; raises `Cancelled` to stop."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What N pictures are drawn from: prompt embeddings [N, L, D] and pooled embeddings [N, P], emotion included."""

    prompt: Tensor
    pooled: Tensor

    def rows(self, index: Tensor | slice) -> "Conditions":
        return Conditions(self.prompt[index], self.pooled[index])


@dataclass(frozen=True, slots=True)
class Step:
    """A stored step from sigma to sigma_next: both ends [N, C, h, w], and log-probs [N] where the step drew noise."""

    sigma: float
    sigma_next: float
    noisy: Tensor
    sample: Tensor
    log_prob: Tensor | None


@dataclass(frozen=True, slots=True)
class Rollout:
    """Clean latents [N, C, h, w] and the steps that were asked to be kept, in order; all float32."""

    clean: Tensor
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a rollout draws. Steps first <= i < last are kept; they draw noise of level `eta` where that is above 0."""

    steps: int
    guidance: float = 1.0
    eta: float = 0.0
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Transition:
    """log-probs [B] of stored samples, with the mean [B, C, h, w] and std [B] of the step under some weights."""

    log_prob: Tensor
    mean: Tensor
    std: Tensor


class Policy(Protocol):
    """What the trainer and the objectives' collectors need of a model."""

    def conditions(self, requests: Sequence[PictureRequest]) -> Conditions: ...

    def rollout(
        self, conditions: Conditions, seeds: Sequence[int], sampling: Sampling, check: Check | None = None
    ) -> Rollout: ...

    def velocity(self, noisy: Tensor, times: Tensor, conditions: Conditions, weights: Weights = "policy") -> Tensor: ...

    def log_prob(
        self, step: Step, rows: Tensor, conditions: Conditions, sampling: Sampling, weights: Weights = "policy"
    ) -> Transition: ...

    def last_step(self, step: Step, rows: Tensor, conditions: Conditions, sampling: Sampling) -> Tensor: ...

    def decode(self, latents: Tensor) -> Tensor: ...

    def parameters(self) -> list[nn.Parameter]: ...

    def remember(self) -> None: ...


class ScenePolicy:
    """A policy over the bundled generator; the base weights are frozen and never written.

    Args:
        generator: without an adapter; it is changed in place and draws with the learning LoRA from now on.
        rank: of the LoRA on the attention projections; alpha equals it, so that a loader that knows no alpha scales
            the exported file right.
        seed: of the LoRA's first matrices; the second are zero, so that policy and base begin equal.
        chunk: pictures of one forward pass of a rollout.
    """

    def __init__(self, generator: SceneDiffusionGenerator, rank: int = 16, seed: int = 0, chunk: int = 64) -> None:
        self.generator, self.chunk = generator, chunk
        pipeline = generator.pipeline
        for module in (pipeline.transformer, pipeline.vae, pipeline.text_encoder, pipeline.text_encoder_2):
            module.requires_grad_(False)
        if generator.adapter is not None:
            generator.adapter.requires_grad_(False)
        if generator.device.type == "cpu" and generator.dtype == torch.bfloat16:
            pipeline.transformer.set_attn_processor(PlainJointAttention())
        config = LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(ATTENTION))
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # two LoRAs on one base are meant
            torch.manual_seed(seed)
            for name in ("old", "policy"):
                pipeline.transformer.add_adapter(config, adapter_name=name)
        self._loras = {name: self._collect(name) for name in ("policy", "old")}
        pipeline.transformer.set_adapter("policy")
        self._layers = [module for module in pipeline.transformer.modules() if isinstance(module, BaseTunerLayer)]
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
        keys = [(r.prompt, r.affect, r.strength) for r in requests]
        for key, request in zip(keys, requests, strict=True):
            if key not in self._encoded:
                plain = PictureRequest(request.prompt, request.affect, 0, request.strength, guidance=1.0)
                prompt, pooled, _ = self.generator.conditioning([plain])
                self._encoded[key] = Conditions(prompt.clone(), pooled.clone())  # a clone can be part of a graph
        found = [self._encoded[key] for key in keys]
        return Conditions(torch.cat([c.prompt for c in found]), torch.cat([c.pooled for c in found]))

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
        """Noise levels [steps + 1] from 1 down to 0, shifted as the pipeline's scheduler says."""
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

    def log_prob(
        self, step: Step, rows: Tensor, conditions: Conditions, sampling: Sampling, weights: Weights = "policy"
    ) -> Transition:
        """The stored samples of `rows` scored under some weights; `conditions` are those of all N pictures."""
        noisy = step.noisy[rows]
        with self.using(weights):
            velocity = self._predict(noisy, torch.tensor(step.sigma), conditions.rows(rows), sampling.guidance)
            mean, std = flow_sde_transition(noisy, velocity, step.sigma, step.sigma_next, sampling.eta)
            return Transition(log_prob(step.sample[rows], mean, std), mean, std)

    def last_step(self, step: Step, rows: Tensor, conditions: Conditions, sampling: Sampling) -> Tensor:
        """Clean latents [B, C, h, w] of the stored last step, with the gradient of that step's velocity."""
        noisy, sigma = step.noisy[rows], torch.tensor(step.sigma)
        velocity = self._predict(noisy, sigma, conditions.rows(rows), sampling.guidance)
        return clean_estimate(noisy, velocity, sigma.expand(len(noisy)))

    def decode(self, latents: Tensor) -> Tensor:
        """Clean latents [B, C, h, w] -> pictures [B, 3, H, W] about [-1, 1]; gradients flow."""
        return self.generator.decode(latents)

    def _predict(self, noisy: Tensor, times: Tensor, conditions: Conditions, guidance: float) -> Tensor:
        if guidance == 1.0:
            return self.generator.velocity(noisy, times, (conditions.prompt, conditions.pooled, None))
        if self._empty is None:
            self._empty = self.conditions([PictureRequest("", None, 0, 0.0)])
        count = len(noisy)
        prompt = torch.cat([self._empty.prompt.expand(count, -1, -1), conditions.prompt])
        pooled = torch.cat([self._empty.pooled.expand(count, -1), conditions.pooled])
        weights = torch.full((1, count), guidance, device=noisy.device)
        return self.generator.velocity(noisy, times, (prompt, pooled, weights))
