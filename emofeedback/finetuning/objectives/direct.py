"""direct: the reward's own gradient, through judge, decoder and the last steps of a rollout.

With a few-step student all steps fit into one backward pass (DRaFT, Clark et al. 2024), so the gradient also reaches
what the first step decides: layout, hour, weather. With a long sampler the last step alone is drawn again (DRaFT-1,
ReFL). Nothing here needs groups or advantages; the group serves to keep its pictures different from each other.
"""

import torch
from torch import Tensor
from torch.nn import functional

from emofeedback.finetuning.experience import Experience
from emofeedback.finetuning.job_settings import FinetuneSettings
from emofeedback.finetuning.objectives.matching import squared_error
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Sampling
from emofeedback.finetuning.rewards import DifferentiableReward


def direct_loss(reward: Tensor) -> Tensor:
    """-r for a reward [B] differentiable in the picture (Xu et al. 2023, ReFL; Clark et al. 2024, DRaFT-1).

    The picture decodes x0^ = x_m - t_m v_theta after m steps without gradient.
    """
    return -reward.float()


class DirectGradient:
    """The collector of `direct`: reward, tie to the base, spread of a group.

    L = -r + beta ||x_0 - x_0^base||^2 + w max(0, 1 - s / s_base)

    The base draws the same steps from the same noise. A judge's gradient changes more of a picture than the emotion
    asks for, and makes pictures of one target alike; the reward sees neither. The tie asks for the smallest change
    that pleases, and s, the spread of a group's latents, is held at the base's.
    """

    def __init__(self, policy: LoraPolicy, settings: FinetuneSettings, reward: DifferentiableReward) -> None:
        self.policy, self.settings, self.reward = policy, settings, reward

    def sampling(self, seed: int) -> Sampling:
        steps, guidance = self.settings.rollout
        last = self.settings.through or (steps if self.policy.student else 1)
        return Sampling(steps, guidance, 0.0, steps - last, steps)

    def items(self, experience: Experience) -> Tensor:
        return torch.arange(len(experience.rollout.clean))

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        """Losses [B]; the spread is that of the pictures at hand, so micro-batches should hold whole groups."""
        steps, conditions, sampling = experience.rollout.steps, experience.conditions, experience.sampling
        clean = self.policy.last_steps(steps, items, conditions, sampling)
        prompts = [experience.prompts[i] for i in items.tolist()]
        pixels = self.policy.decode(clean, conditions.rows(items))
        loss = direct_loss(self.reward.score_tensor(pixels, experience.targets[items], prompts))
        tie, variety = self.settings.tie, self.settings.variety
        if tie == 0 and variety == 0:
            return loss
        base = self.policy.last_steps(steps, items, conditions, sampling, "base")
        groups = items // experience.advantages.shape[1]
        ours, theirs = group_spread(clean, groups), group_spread(base, groups)
        loss = loss + tie * squared_error(clean, base)
        if ours is None or theirs is None:
            return loss
        return loss + variety * functional.relu(1 - ours / theirs)


def group_spread(latents: Tensor, groups: Tensor) -> Tensor | None:
    """Mean root mean square difference of two samples of one group; None where no group has two.

    Args:
        latents: [B, C, h, w].
        groups: [B], the group of each sample.
    """
    flat = latents.flatten(1)
    first, second = torch.triu_indices(len(flat), len(flat), 1).unbind(0)
    mates = groups[first] == groups[second]
    if not bool(mates.any()):
        return None
    # the root has no gradient at 0
    return ((flat[first[mates]] - flat[second[mates]]).square().mean(1) + 1e-8).sqrt().mean()
