"""Between rollouts and objectives: each collector says what a rollout must keep and turns it into losses.

There is one collector for each need that an objective can declare; the trainer holds a collector and never asks
which objective is behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.flow.schedule import interpolate, velocity
from emofeedback.training.finetune_settings import FinetuneSettings, derive
from emofeedback.training.objectives import (
    awm_loss,
    direct_loss,
    dpo_loss,
    gaussian_kl,
    grpo_loss,
    nft_loss,
    objective,
    squared_error,
)
from emofeedback.training.rewards import DifferentiableReward
from emofeedback.training.rollout import Conditions, Policy, Rollout, Sampling

LATEST, EARLIEST = 0.98, 0.02  # training times lie between: at the very ends there is nothing to learn


@dataclass(frozen=True)
class Experience:
    """One update's pictures, or one process's share of them: P groups of G in order, N = P G.

    Attributes:
        conditions: of N pictures; a collector reads them by row, so samples of one group may differ in theirs.
        targets: [N, 2] valence and arousal.
        advantages: [P, G], 0 where not usable.
        usable: [P, G] bool.
        seed: of this update's noise.
        first: the number of the first picture within the whole update; noise goes by it, not by the process.
    """

    sampling: Sampling
    rollout: Rollout
    conditions: Conditions
    targets: Tensor
    advantages: Tensor
    usable: Tensor
    seed: int
    first: int = 0


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
            return Pairs(policy, settings)
        case _:
            if reward is None:
                raise UserError(f"{settings.objective} needs a judge whose reading is differentiable; choose awm.")
            return LastStep(policy, settings, reward)


def renoise(experience: Experience, rows: Tensor, turn: int, turns: int) -> tuple[Tensor, Tensor]:
    """Noise [B, C, h, w] and times [B] of some pictures in an optimiser step.

    Both follow from the picture's number, whichever process holds it. Over all turns a picture sees every stratum of
    time once.
    """
    clean = experience.rollout.clean
    noise, times = [], []
    for row in rows.tolist():
        number = experience.first + row
        strata = torch.Generator().manual_seed(derive(experience.seed, "strata", number))
        stratum = int(torch.rand(turns, generator=strata).argsort()[turn])
        source = torch.Generator().manual_seed(derive(experience.seed, "noise", turn, number))
        noise.append(torch.randn(clean.shape[1:], generator=source))
        times.append((stratum + float(torch.rand((), generator=source))) / turns)
    return torch.stack(noise).to(clean), (EARLIEST + (LATEST - EARLIEST) * torch.tensor(times)).to(clean)


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
    """awm and nft: velocity matching on re-noised clean latents, weighted by the advantage."""

    def __init__(self, policy: Policy, settings: FinetuneSettings) -> None:
        self.policy, self.settings = policy, settings
        self.anchor = settings.anchor
        losses: dict[str, Callable[..., Tensor]] = {"awm": awm_loss, "nft": nft_loss}
        self.loss = losses[settings.objective]

    def sampling(self, seed: int) -> Sampling:
        return Sampling(self.settings.steps, self.settings.guidance)

    def items(self, experience: Experience) -> Tensor:
        return _informative(experience, self.settings.extremes)

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        noise, times = renoise(experience, items, turn, self.settings.turns)
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
        steps = self.settings.steps
        noisy = max(1, steps - 1)
        width = min(self.settings.window or noisy, noisy)
        first = derive(seed, "window") % (noisy - width + 1)
        return Sampling(steps, self.settings.guidance, self.settings.eta, first, first + width)

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


class LastStep:
    """direct: the reward's own gradient through the decoder and the last step (ReFL, DRaFT-1), tied to the base."""

    def __init__(self, policy: Policy, settings: FinetuneSettings, reward: DifferentiableReward) -> None:
        self.policy, self.settings, self.reward = policy, settings, reward

    def sampling(self, seed: int) -> Sampling:
        steps = self.settings.steps
        return Sampling(steps, self.settings.guidance, 0.0, steps - 1, steps)

    def items(self, experience: Experience) -> Tensor:
        return torch.arange(len(experience.rollout.clean))

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        step = experience.rollout.steps[-1]
        clean = self.policy.last_step(step, items, experience.conditions, experience.sampling)
        loss = direct_loss(self.reward.score_tensor(self.policy.decode(clean), experience.targets[items]))
        if self.settings.tie == 0:
            return loss
        noise, times = renoise(experience, items, turn, self.settings.turns)
        noisy = interpolate(experience.rollout.clean[items], noise, times)
        conditions = experience.conditions.rows(items)
        base = self.policy.velocity(noisy, times, conditions, "base")
        return loss + self.settings.tie * squared_error(self.policy.velocity(noisy, times, conditions), base)


class Pairs:
    """dpo: the best against the worst of each group, noised alike. Winner and loser keep their own conditions."""

    def __init__(self, policy: Policy, settings: FinetuneSettings) -> None:
        self.policy, self.settings = policy, settings

    def sampling(self, seed: int) -> Sampling:
        return Sampling(self.settings.steps, self.settings.guidance)

    def items(self, experience: Experience) -> Tensor:
        """Groups that hold two usable pictures of different advantage."""
        best, worst = self._ends(experience)
        alive = (experience.usable.sum(1) >= 2) & (best != worst)
        return (alive & (experience.advantages != 0).any(1)).nonzero().flatten()

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        best, worst = (end[items] for end in self._ends(experience))
        noise, times = (torch.cat([x, x]) for x in renoise(experience, best, turn, self.settings.turns))
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
