"""awm: advantage-weighted matching. The notation is that of `matching`."""

from torch import Tensor

from emofeedback.finetuning.objectives.matching import VelocityMatching, squared_error


def awm_loss(predicted: Tensor, reference: Tensor, target: Tensor, advantage: Tensor, beta: float) -> Tensor:
    """Advantage-weighted matching (Xue et al. 2025, AWM), one step per rollout, so without the ratio.

    L = A ||v_theta - v*||^2 + (beta + max(0, -A)) ||v_theta - v_ref||^2

    -||v_theta - v*||^2 stands for the log-likelihood of the clean sample. The first term has no lower bound where
    A < 0, so there the second, which holds the policy near the reference, weighs -A more than beta: L is bounded
    below for every A and beta > 0. With beta alone, jobs on the bundled generator diverged after 20 updates. At
    v_theta = v_ref the gradient is that of the first term.

    Args:
        predicted: v_theta [B, ...].
        reference: v_ref [B, ...] of the frozen base or of the policy that sampled.
        target: v* [B, ...].
        advantage: A [B].
        beta: least weight of the trust region, 0 or more.
    """
    advantage = advantage.float()
    tie = beta + (-advantage).clamp(min=0)
    return advantage * squared_error(predicted, target) + tie * squared_error(predicted, reference.detach())


class AdvantageWeightedMatching(VelocityMatching):
    """The collector of awm."""

    def loss(self, predicted: Tensor, anchor: Tensor, target: Tensor, advantage: Tensor) -> Tensor:
        return awm_loss(predicted, anchor, target, advantage, self.settings.tie)
