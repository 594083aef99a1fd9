"""nft: DiffusionNFT, negative-aware fine-tuning. The notation is that of `matching`."""

from torch import Tensor

from emofeedback.finetuning.objectives.matching import VelocityMatching, squared_error

ADVANTAGE_RANGE = 5.0  # |A| that maps to a certain win or loss; the clip of the group advantages


def nft_loss(predicted: Tensor, old: Tensor, target: Tensor, advantage: Tensor, beta: float) -> Tensor:
    """DiffusionNFT: pulls towards winners and pushes off losers through two mirrored policies (Zheng et al. 2025).

    r = clip(A / 5, -1, 1) / 2 + 1/2;  v+- = v_old +- beta (v_theta - v_old)
    L = r ||v+ - v*||^2 + (1 - r) ||v- - v*||^2
      = ||e||^2 + 2 beta A' <e, d> + beta^2 ||d||^2,  d = v_theta - v_old, e = v_old - v*, A' = 2 r - 1

    It is bounded below for every A. At v_theta = v_old and |A| <= 5 its gradient is beta / 5 times that of
    A ||v_theta - v*||^2, the first term of `awm_loss`.

    Args:
        predicted: v_theta [B, ...].
        old: v_old [B, ...] of the policy that sampled.
        target: v* [B, ...].
        advantage: A [B].
        beta: how far the mirrored policies stand off, above 0; 1 makes v+ the policy itself.
    """
    win = (advantage.float() / ADVANTAGE_RANGE).clamp(-1.0, 1.0) / 2.0 + 0.5
    anchor = old.detach().float()
    offset = beta * (predicted.float() - anchor)
    return win * squared_error(anchor + offset, target) + (1.0 - win) * squared_error(anchor - offset, target)


class NegativeAwareMatching(VelocityMatching):
    """The collector of nft."""

    def loss(self, predicted: Tensor, anchor: Tensor, target: Tensor, advantage: Tensor) -> Tensor:
        return nft_loss(predicted, anchor, target, advantage, self.settings.tie)
