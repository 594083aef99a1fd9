"""Objectives of reward fine-tuning: functions of tensors to one loss per sample, [B].

No model, sampler or device appears here. Losses are not averaged over the batch, so that the caller can leave out
samples without a reward and weigh micro-batches and processes exactly. All is computed in float32.

Notation: v* = eps - x_0, the matching target of a clean sample re-noised to a random time; v_theta the prediction of
the policy that learns; ||.||^2 and <.,.> are means over the dimensions of a sample; A the advantage within its group.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional

from emofeedback.errors import UserError

ADVANTAGE_RANGE = 5.0  # |A| that NFT maps to a certain win or loss; the clip of the group advantages

Needs = Literal["clean", "trajectories", "pairs", "differentiable"]


@dataclass(frozen=True)
class Objective:
    """An objective by name and what a collector must supply for it.

    Attributes:
        name: as the user writes it.
        needs: "clean" latents with a reward, from any sampler; "trajectories" with the log-prob of each step;
            "pairs" of a winner and a loser; or a reward "differentiable" in the picture.
    """

    name: str
    needs: Needs


OBJECTIVES: dict[str, Objective] = {
    one.name: one
    for one in (
        Objective("awm", "clean"),
        Objective("nft", "clean"),
        Objective("grpo", "trajectories"),
        Objective("direct", "differentiable"),
        Objective("dpo", "pairs"),
    )
}


def objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        UserError: the name is not known.
    """
    if name not in OBJECTIVES:
        raise UserError(f"choose an objective among {', '.join(OBJECTIVES)}; {name!r} is not one")
    return OBJECTIVES[name]


def squared_error(predicted: Tensor, target: Tensor) -> Tensor:
    """||predicted - target||^2, the mean over the dimensions; [B, ...] twice -> [B]."""
    return (predicted.float() - target.float()).square().flatten(1).mean(1)


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


def direct_loss(reward: Tensor) -> Tensor:
    """-r for a reward [B] differentiable in the picture (Xu et al. 2023, ReFL; Clark et al. 2024, DRaFT-1).

    The picture decodes x0^ = x_m - t_m v_theta after m steps without gradient.
    """
    return -reward.float()


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
