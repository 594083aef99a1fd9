"""Velocity matching on re-noised clean latents, weighted by the advantage: what awm and nft share.

Notation: v* = eps - x_0, the matching target of a clean sample re-noised to a random time; v_theta the prediction of
the policy that learns; ||.||^2 and <.,.> are means over the dimensions of a sample; A the advantage within its group.
Losses are not averaged over the batch, so that samples without a reward can be left out and micro-batches and
processes weighed exactly. All is computed in float32.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from emofeedback.finetuning.experience import Experience, asked_levels, extremes, renoise
from emofeedback.finetuning.job_settings import FinetuneSettings
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Sampling
from emofeedback.flow.schedule import interpolate, velocity


def squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """||predicted - target||^2, the mean over the dimensions; [B, ...] twice -> [B]."""
    return (predicted.float() - target.float()).square().flatten(1).mean(1)


def centred(advantages: Tensor, chosen: Tensor) -> Tensor:
    """Advantages [P, G] whose sum over the chosen [P, G] of each group is 0; 0 elsewhere.

    They were centred over the whole group, and the extremes that are learned from need not lie evenly about its mean.
    """
    count = chosen.sum(1, keepdim=True).clamp(min=1)
    mean = torch.where(chosen, advantages, 0.0).sum(1, keepdim=True) / count
    return torch.where(chosen, advantages - mean, 0.0)


class VelocityMatching(ABC):
    """The collector of awm and nft.

    A student is asked at its own noise levels alone. Its velocity there leads along a chord, not to the mean of clean
    pictures, so it is off the matching target by something that has nothing to do with the advantage; advantages of
    what is learned from sum to 0 in a group, so that this cancels and the pull towards the better pictures remains.
    """

    def __init__(self, policy: LoraPolicy, settings: FinetuneSettings) -> None:
        self.policy, self.settings = policy, settings

    @abstractmethod
    def loss(self, predicted: Tensor, anchor: Tensor, target: Tensor, advantage: Tensor) -> Tensor:
        """Losses [B] of predicted velocities [B, ...]; `anchor` are those of the policy that is kept near."""

    def sampling(self, seed: int) -> Sampling:
        return Sampling(*self.settings.rollout)

    def items(self, experience: Experience) -> Tensor:
        return self._chosen(experience).flatten().nonzero().flatten()

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        levels = asked_levels(self.policy, self.settings.rollout[0])
        noise, times = renoise(experience, items, turn, self.settings.turns, levels)
        clean, conditions = experience.rollout.clean[items], experience.conditions.rows(items)
        noisy = interpolate(clean, noise, times)
        predicted = self.policy.velocity(noisy, times, conditions)
        if turn == 0 and self.settings.anchor == "old":
            anchor = predicted.detach()  # the policy is still the one that sampled
        else:
            anchor = self.policy.velocity(noisy, times, conditions, self.settings.anchor)
        return self.loss(predicted, anchor, velocity(clean, noise), self.advantages(experience).flatten()[items])

    def advantages(self, experience: Experience) -> Tensor:
        """Advantages [P, G] of the items; 0 elsewhere."""
        return centred(experience.advantages, self._chosen(experience))

    def _chosen(self, experience: Experience) -> Tensor:
        return extremes(experience, self.settings.extremes)
