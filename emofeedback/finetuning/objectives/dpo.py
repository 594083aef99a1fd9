"""dpo: Diffusion-DPO on the best and the worst picture of each group. The notation is that of `matching`."""

import torch
from torch import Tensor
from torch.nn import functional

from emofeedback.finetuning.experience import Experience, asked_levels, renoise
from emofeedback.finetuning.job_settings import FinetuneSettings
from emofeedback.finetuning.objectives.matching import squared_error
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Sampling
from emofeedback.flow.schedule import interpolate, velocity


def dpo_loss(
    loss_w: Tensor, loss_l: Tensor, ref_loss_w: Tensor, ref_loss_l: Tensor, beta: float, keep: float = 0.0
) -> Tensor:
    """Diffusion-DPO (Wallace et al. 2024, eq. 14): the winner's matching error falls by more than the loser's.

    L = -log sigmoid( -beta / 2 [(l_w - l_l) - (l_w^ref - l_l^ref) + keep max(0, l_w - l_w^ref)] )

    A margin alone can also be won by raising both errors, the loser's more, which ruins the pictures; `keep` charges
    for a winner's error above the base's (DPO-Positive, Pal et al. 2024).

    Args:
        loss_w: ||v_theta - v*||^2 [B] of the winner, at the same time and with the same noise as the loser.
        loss_l: the same of the loser [B].
        ref_loss_w: that of the winner under the frozen base [B].
        ref_loss_l: that of the loser under the frozen base [B].
        beta: strength of the tie to the base; 5000 for Stable Diffusion, with errors averaged over dimensions.
        keep: weight of the winner's rise, 0 or more; 0 is Diffusion-DPO.
    """
    policy = loss_w.float() - loss_l.float()
    reference = (ref_loss_w - ref_loss_l).detach().float()
    rise = functional.relu(loss_w.float() - ref_loss_w.detach().float())
    return -functional.logsigmoid(-beta / 2.0 * (policy - reference + keep * rise))


class Pairs:
    """dpo: the best against the worst of each group, noised alike. Winner and loser keep their own conditions."""

    def __init__(self, policy: LoraPolicy, settings: FinetuneSettings) -> None:
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
