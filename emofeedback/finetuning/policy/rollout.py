"""Rollouts of a policy, and what travels between policy, objectives and trainer. All is float32."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from emofeedback.flow.schedule import euler_step
from emofeedback.flow.stochastic import flow_sde_step, log_prob

if TYPE_CHECKING:
    from emofeedback.finetuning.policy.lora_policy import LoraPolicy

Weights = Literal["policy", "old", "base"]
"""The LoRA that learns, the one that sampled, or the frozen base without any."""
Check = Callable[[], None]
"""Called between forward passes; raises `Cancelled` to stop."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What N pictures are drawn from: prompt embeddings [N, L, D] and pooled embeddings [N, P], emotion included.

    opposite_prompt, opposite_pooled: the same with the opposite emotion, which guidance leads away from; None where
    no emotion is asked for.
    visual: features [N, T, E] of visual prompts, shown at full strength; None = none.
    lengths: tokens [N] of each prompt, the rest being padding; None = there is none.
    sketches, residuals: sketches [N, 4, S, S] and what they add to the picture tokens [N, R, M, W]; None = none.
    """

    prompt: Tensor
    pooled: Tensor
    opposite_prompt: Tensor | None = None
    opposite_pooled: Tensor | None = None
    visual: Tensor | None = None
    lengths: Tensor | None = None
    sketches: Tensor | None = None
    residuals: Tensor | None = None

    def rows(self, index: Tensor | slice) -> "Conditions":
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return Conditions(**{name: part[index] for name, part in given.items()})

    def shown(self) -> Tensor:
        """The visual features; there must be some."""
        assert self.visual is not None
        return self.visual


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
    """How a rollout draws. Steps first <= i < last are kept; they draw noise of level `eta` where that is above 0.

    guidance: 1 = none, one forward pass a step; else as the generator draws, three (two without an emotion). A
        student has it folded in and draws at 1.
    """

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


@torch.no_grad()
def draw_rollout(
    policy: "LoraPolicy",
    conditions: Conditions,
    seeds: Sequence[int],
    sampling: Sampling,
    check: Check | None = None,
) -> Rollout:
    """Draw one latent per condition with the policy's present weights, `policy.chunk` at once.

    The same seed gives the noise that the generator starts from.
    """
    parts = []
    for begin in range(0, len(seeds), policy.chunk):
        here = slice(begin, begin + policy.chunk)
        parts.append(_draw_chunk(policy, conditions.rows(here), seeds[here], sampling, check))
    steps = []
    for pieces in zip(*(part.steps for part in parts), strict=True):
        log_probs = [p.log_prob for p in pieces if p.log_prob is not None]
        noisy, sample = torch.cat([p.noisy for p in pieces]), torch.cat([p.sample for p in pieces])
        joined = torch.cat(log_probs) if log_probs else None
        steps.append(Step(pieces[0].sigma, pieces[0].sigma_next, noisy, sample, joined))
    return Rollout(torch.cat([part.clean for part in parts]), tuple(steps))


def _draw_chunk(
    policy: "LoraPolicy", conditions: Conditions, seeds: Sequence[int], sampling: Sampling, check: Check | None
) -> Rollout:
    sources = [torch.Generator().manual_seed(seed) for seed in seeds]
    latents = policy.noise(sources)
    steps: list[Step] = []
    levels = policy.levels(sampling.steps)
    for i, (sigma, sigma_next) in enumerate(zip(levels[:-1], levels[1:], strict=True)):
        if check is not None:
            check()
        velocity = policy.predict(latents, torch.tensor(sigma), conditions, sampling.guidance)
        if not sampling.first <= i < sampling.last:
            latents = euler_step(latents, velocity, sigma, sigma_next)
            continue
        noise = policy.noise(sources) if sampling.eta > 0 else torch.zeros_like(latents)
        drawn = flow_sde_step(latents, velocity, sigma, sigma_next, noise, sampling.eta)
        density = log_prob(drawn.sample, drawn.mean, drawn.std) if sampling.eta > 0 else None
        steps.append(Step(sigma, sigma_next, latents, drawn.sample, density))
        latents = drawn.sample
    return Rollout(latents, tuple(steps))
