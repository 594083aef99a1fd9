"""Between rollouts and objectives: each collector says what a rollout must keep and turns it into losses.

There is one collector for each need that an objective can declare; the trainer holds a collector and never asks
which objective is behind it.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.finetuning.experience import Experience, asked_levels, renoise
from emofeedback.finetuning.job_settings import FinetuneSettings, derive
from emofeedback.finetuning.objectives.direct import Through
from emofeedback.finetuning.objectives.losses import (
    awm_loss,
    dpo_loss,
    gaussian_kl,
    grpo_loss,
    nft_loss,
    objective,
    squared_error,
)
from emofeedback.finetuning.policy.rollout import Policy, Sampling
from emofeedback.finetuning.rewards import DifferentiableReward
from emofeedback.flow.schedule import interpolate, velocity
from emofeedback.training.visual_prompts.dpo_pairs import VisualPairs


class Collector(Protocol):
    """What an objective needs of a rollout, and its losses."""

    def sampling(self, seed: int) -> Sampling:
        """How to draw the rollout of an update."""
        ...

    def items(self, experience: Experience) -> Tensor:
        """Indices [M] of what one optimiser step is summed over; empty = nothing to learn from."""
        ...

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        """Losses [B] of some of the items in optimiser step `turn` of this rollout."""
        ...


def collector(policy: Policy, settings: FinetuneSettings, reward: DifferentiableReward | None = None) -> Collector:
    """The collector for the settings' objective.

    Raises:
        UserError: the objective is unknown, or needs a differentiable reward and there is none.
    """
    match objective(settings.objective).needs:
        case "clean":
            return Matching(policy, settings)
        case "trajectories":
            return Trajectories(policy, settings)
        case "pairs":
            return VisualPairs(policy, settings) if settings.visual else Pairs(policy, settings)
        case _:
            if reward is None:
                raise UserError(f"{settings.objective} needs a judge whose reading is differentiable; choose awm.")
            return Through(policy, settings, reward)


def _informative(experience: Experience, learned: int) -> Tensor:
    """Rows [M] of usable pictures in groups that carry a signal; of each group the `learned` extreme ones.

    The best and the worst of a group carry most of the gradient; leaving out the middle makes an optimiser step
    cheaper by that much.
    """
    advantages, size = experience.advantages, experience.advantages.shape[1]
    alive = experience.usable & (advantages != 0).any(1, keepdim=True)
    if learned < size:
        place = advantages.masked_fill(~experience.usable, torch.inf).argsort(dim=1, stable=True).argsort(dim=1)
        count = experience.usable.sum(1, keepdim=True)
        alive = alive & ((place < learned // 2) | (place >= count - (learned - learned // 2)))
    return alive.flatten().nonzero().flatten()


class Matching:
    """awm and nft: velocity matching on re-noised clean latents, weighted by the advantage.

    A student is asked at its own noise levels alone. Its velocity there leads along a chord, not to the mean of clean
    pictures, so it is off the matching target by something that has nothing to do with the advantage; advantages of a
    group sum to 0, so that this cancels and the pull towards the better pictures remains.
    """

    def __init__(self, policy: Policy, settings: FinetuneSettings) -> None:
        self.policy, self.settings = policy, settings
        self.anchor = settings.anchor
        losses: dict[str, Callable[..., Tensor]] = {"awm": awm_loss, "nft": nft_loss}
        self.loss = losses[settings.objective]

    def sampling(self, seed: int) -> Sampling:
        return Sampling(*self.settings.rollout)

    def items(self, experience: Experience) -> Tensor:
        return _informative(experience, self.settings.extremes)

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        levels = asked_levels(self.policy, self.settings.rollout[0])
        noise, times = renoise(experience, items, turn, self.settings.turns, levels)
        clean, conditions = experience.rollout.clean[items], experience.conditions.rows(items)
        noisy = interpolate(clean, noise, times)
        predicted = self.policy.velocity(noisy, times, conditions)
        if turn == 0 and self.anchor == "old":
            anchor = predicted.detach()  # the policy is still the one that sampled
        else:
            anchor = self.policy.velocity(noisy, times, conditions, self.anchor)
        advantage = experience.advantages.flatten()[items]
        return self.loss(predicted, anchor, velocity(clean, noise), advantage, self.settings.tie)


class Trajectories:
    """grpo: the clipped ratio over stored noisy steps, and the divergence from the base.

    The last step draws no noise unless it is the only one: nothing would take that noise out of the picture again.
    """

    def __init__(self, policy: Policy, settings: FinetuneSettings) -> None:
        self.policy, self.settings = policy, settings

    def sampling(self, seed: int) -> Sampling:
        steps, guidance = self.settings.rollout
        noisy = max(1, steps - 1)
        width = min(self.settings.window or noisy, noisy)
        first = derive(seed, "window") % (noisy - width + 1)
        return Sampling(steps, guidance, self.settings.eta, first, first + width)

    def items(self, experience: Experience) -> Tensor:
        """A picture at a step: row + N * step."""
        rows, count = _informative(experience, self.settings.extremes), len(experience.rollout.clean)
        return torch.cat([rows + count * k for k in range(len(experience.rollout.steps))])

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        count = len(experience.rollout.clean)
        parts = []
        for k in torch.unique(items // count).tolist():
            step, rows = experience.rollout.steps[k], items[items // count == k] % count
            assert step.log_prob is not None
            new = self.policy.log_prob(step, rows, experience.conditions, experience.sampling)
            loss = grpo_loss(
                new.log_prob, step.log_prob[rows], experience.advantages.flatten()[rows], self.settings.ratio_clip
            )
            if self.settings.tie > 0:
                base = self.policy.log_prob(step, rows, experience.conditions, experience.sampling, "base")
                loss = loss + self.settings.tie * gaussian_kl(new.mean, base.mean, new.std)
            parts.append(loss)
        return torch.cat(parts)


class Pairs:
    """dpo: the best against the worst of each group, noised alike. Winner and loser keep their own conditions."""

    def __init__(self, policy: Policy, settings: FinetuneSettings) -> None:
        self.policy, self.settings = policy, settings

    def sampling(self, seed: int) -> Sampling:
        return Sampling(*self.settings.rollout)

    def items(self, experience: Experience) -> Tensor:
        """Groups that hold two usable pictures of different advantage."""
        best, worst = self._ends(experience)
        alive = (experience.usable.sum(1) >= 2) & (best != worst)
        return (alive & (experience.advantages != 0).any(1)).nonzero().flatten()

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        best, worst = (end[items] for end in self._ends(experience))
        levels = asked_levels(self.policy, self.settings.rollout[0])
        noise, times = (torch.cat([x, x]) for x in renoise(experience, best, turn, self.settings.turns, levels))
        rows = torch.cat([best, worst])  # the loser gets the winner's noise and time
        clean, conditions = experience.rollout.clean[rows], experience.conditions.rows(rows)
        noisy = interpolate(clean, noise, times)
        target = velocity(clean, noise)
        base = squared_error(self.policy.velocity(noisy, times, conditions, "base"), target)
        ours = squared_error(self.policy.velocity(noisy, times, conditions), target)
        winners = len(items)
        return dpo_loss(ours[:winners], ours[winners:], base[:winners], base[winners:], self.settings.tie)

    def _ends(self, experience: Experience) -> tuple[Tensor, Tensor]:
        """Rows [P] of each group's best and worst usable picture."""
        groups, size = experience.advantages.shape
        start = size * torch.arange(groups, device=experience.advantages.device)
        best = experience.advantages.masked_fill(~experience.usable, -torch.inf).argmax(1)
        worst = experience.advantages.masked_fill(~experience.usable, torch.inf).argmin(1)
        return start + best, start + worst
