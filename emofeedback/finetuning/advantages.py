"""Advantages: how much better a picture scored than the others of its group (same prompt, same target).

Each reward is normalised within its group before the weighted sum; else the reward with the largest spread decides
alone and the harder one stalls. A reward that could not be read is NaN, never 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.finetuning.job_settings import SMALLEST_GROUP

SPREAD_OF_ROUNDING = 1e-6  # rewards of one group closer than this, relative to max(1, |reward|), count as equal


@dataclass(frozen=True)
class GroupAdvantages:
    """Advantages of P groups of G pictures.

    Attributes:
        values: [P, G] float32 in [-clip, clip]; 0 where not usable and in groups without variance.
        zero_variance_share: share in [0, 1] of the groups that carry no signal: no reward differs within them.
        usable: [P, G] bool, False where a reward is missing.
    """

    values: Tensor
    zero_variance_share: float
    usable: Tensor


def group_advantages(
    rewards: Mapping[str, Tensor], weights: Mapping[str, float], clip: float = 5.0, eps: float = 1e-4
) -> GroupAdvantages:
    """Group-relative advantages (Shao et al. 2024, GRPO, sec. 4.1), each reward normalised before the sum.

    A = clip( sum_k w_k (r_k - mean_group r_k) / (std_group r_k + eps), -clip, clip )

    mean and std (of the population) run over the usable pictures of the group: those no reward of which is missing,
    so that the advantages of a group sum to 0 before clipping. A reward of weight 0 is only watched: it neither
    counts nor makes a picture unusable.

    Args:
        rewards: name -> [P, G]; NaN where the reward could not be read.
        weights: name -> weight of that reward, for the same names.
        clip: largest absolute advantage.
        eps: added to the standard deviation, in units of the reward.

    Raises:
        UserError: groups below 4, no weighted reward, or names that differ between rewards and weights.
        ValueError: shapes differ, or a reward is infinite.
    """
    stacked, factors = _weighted(rewards, weights)
    usable = stacked.isfinite().all(0)
    kept = torch.where(usable, stacked, 0.0)
    count = usable.sum(1, keepdim=True).clamp(min=1)
    centred = torch.where(usable, kept - kept.sum(2, keepdim=True) / count, 0.0)
    std = (centred.square().sum(2, keepdim=True) / count).sqrt()
    varies = _varies(stacked, usable)
    normalised = torch.where(varies[..., None], centred / (std + eps), 0.0)
    values = (factors[:, None, None] * normalised).sum(0).clamp(-clip, clip)
    return GroupAdvantages(values, 1.0 - varies.any(0).float().mean().item(), usable)


def spread_within(rewards: Tensor) -> float | None:
    """How far a reward differs within its groups: the mean of their standard deviations (of the population).

    Args:
        rewards: [P, G]; NaN where the reward could not be read.

    Returns:
        0 where every group's rewards are equal up to rounding; None where no group has two that could be read.
    """
    known = rewards.isfinite()
    counted = known.sum(1) >= 2
    if not bool(counted.any()):
        return None
    kept, known = rewards[counted].double(), known[counted]
    count = known.sum(1, keepdim=True)
    mean = torch.where(known, kept, 0.0).sum(1, keepdim=True) / count
    std = (torch.where(known, kept - mean, 0.0).square().sum(1, keepdim=True) / count).sqrt()
    varies = _varies(kept[None], known)[0]
    return float(torch.where(varies, std[:, 0], 0.0).mean())


def _weighted(rewards: Mapping[str, Tensor], weights: Mapping[str, float]) -> tuple[Tensor, Tensor]:
    """The rewards that count, [K, P, G] float32, and their weights [K]."""
    if set(rewards) != set(weights):
        raise UserError(f"give one weight per reward: rewards {sorted(rewards)}, weights {sorted(weights)}")
    names = [name for name in rewards if weights[name] != 0.0]
    if not names:
        raise UserError("give at least one reward a weight other than 0: without one there is nothing to learn")
    shapes = {tuple(rewards[name].shape) for name in names}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2 or 0 in next(iter(shapes)):
        raise ValueError(f"rewards must share one shape [groups, pictures], not {sorted(shapes)}")
    size = next(iter(shapes))[1]
    if size < SMALLEST_GROUP:
        raise UserError(
            f"use groups of {SMALLEST_GROUP} pictures or more, not {size}: an advantage compares a picture with the "
            "others of its group, and with so few it is noise or nothing at all"
        )
    stacked = torch.stack([rewards[name].float() for name in names])
    if bool(stacked.isinf().any()):
        raise ValueError("a reward is infinite; a reward that could not be read is NaN")
    return stacked, torch.tensor([weights[name] for name in names], device=stacked.device)


def _varies(rewards: Tensor, usable: Tensor) -> Tensor:
    """[K, P]: whether the usable entries of a group differ by more than rounding."""
    top = torch.where(usable, rewards, -torch.inf).amax(2)
    low = torch.where(usable, rewards, torch.inf).amin(2)
    scale = torch.where(usable, rewards.abs(), 0.0).amax(2).clamp(min=1.0)
    return top - low > SPREAD_OF_ROUNDING * scale
