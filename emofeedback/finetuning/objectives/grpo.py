"""grpo: a clipped policy gradient over the noisy steps of a rollout (Flow-GRPO)."""

import torch
from torch import Tensor

from emofeedback.finetuning.experience import Experience, extremes
from emofeedback.finetuning.job_settings import FinetuneSettings, derive
from emofeedback.finetuning.objectives.matching import squared_error
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Sampling


def grpo_loss(log_prob: Tensor, old_log_prob: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """Clipped policy-gradient loss of one step of a trajectory (Schulman et al. 2017, PPO, eq. 7; Flow-GRPO).

    rho = exp(logp - logp_old);  L = max(-A rho, -A clip(rho, 1 - clip, 1 + clip))

    Args:
        log_prob: logp [B] of the stored step under the policy that learns, a mean over dimensions.
        old_log_prob: logp_old [B] of the same step under the policy that sampled.
        advantage: A [B].
        clip: half width of the trust interval of rho; 1e-5 to 1e-4 for log-probs averaged over dimensions.
    """
    ratio = (log_prob.float() - old_log_prob.detach().float()).exp()
    gain = advantage.float()
    return (-gain * ratio).maximum(-gain * ratio.clamp(1.0 - clip, 1.0 + clip))


def gaussian_kl(mean: Tensor, reference_mean: Tensor, std: Tensor) -> Tensor:
    """KL divergence of two Gaussian steps of equal std per dimension, [B]: ||mean - mean_ref||^2 / (2 std^2).

    std [B] is that of the whole step. Public Flow-GRPO trainers leave sqrt(-dt) out of it: their KL is -dt times
    this one, and a KL weight published with them is to be multiplied by -dt.
    """
    return squared_error(mean, reference_mean.detach()) / (2.0 * std.float().square())


class Trajectories:
    """grpo: the clipped ratio over stored noisy steps, and the divergence from the base.

    The last step draws no noise unless it is the only one: nothing would take that noise out of the picture again.
    """

    def __init__(self, policy: LoraPolicy, settings: FinetuneSettings) -> None:
        self.policy, self.settings = policy, settings

    def sampling(self, seed: int) -> Sampling:
        steps, guidance = self.settings.rollout
        noisy = max(1, steps - 1)
        width = min(self.settings.window or noisy, noisy)
        first = derive(seed, "window") % (noisy - width + 1)
        return Sampling(steps, guidance, self.settings.eta, first, first + width)

    def items(self, experience: Experience) -> Tensor:
        """A picture at a step: row + N * step."""
        rows = extremes(experience, self.settings.extremes).flatten().nonzero().flatten()
        count = len(experience.rollout.clean)
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
