"""Objectives: their identities, gradients and closed forms, and a toy flow whose reward rises."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.finetuning.advantages import group_advantages
from emofeedback.finetuning.objectives.awm import awm_loss
from emofeedback.finetuning.objectives.direct import direct_loss
from emofeedback.finetuning.objectives.dpo import dpo_loss
from emofeedback.finetuning.objectives.grpo import gaussian_kl, grpo_loss
from emofeedback.finetuning.objectives.nft import nft_loss
from emofeedback.finetuning.objectives.table import OBJECTIVES, objective
from emofeedback.flow import schedule, stochastic

ADVANTAGE = torch.tensor([-5.0, -1.5, 0.0, 0.7, 4.0])


def velocities(count: int) -> Tensor:
    return torch.randn(count, 5, 3, 4, generator=torch.Generator().manual_seed(3))


def test_awm_is_a_weighted_matching_error_and_a_trust_region() -> None:
    predicted, reference, target = velocities(3)
    expected = ADVANTAGE * (predicted - target).square().mean((1, 2))
    expected = expected + (0.3 + (-ADVANTAGE).clamp(min=0)) * (predicted - reference).square().mean((1, 2))
    assert torch.allclose(awm_loss(predicted, reference, target, ADVANTAGE, 0.3), expected, atol=1e-5)


def test_awm_is_bounded_below_however_bad_the_sample() -> None:
    """With beta alone the loss of a sample with A = -2 fell without end, and the policy with it."""
    _, reference, target = velocities(3)
    bad = torch.full((len(target),), -2.0)
    away = [reference + scale * (reference - target) for scale in (1.0, 10.0, 100.0, 1000.0)]
    losses = [float(awm_loss(v, reference, target, bad, 0.1).mean()) for v in away]
    assert losses[3] > losses[2] > losses[0]


@pytest.mark.parametrize("beta", [0.1, 1.0, 2.0])
def test_nft_equals_its_expanded_form(beta: float) -> None:
    """L = ||e||^2 + 2 beta A' <e, d> + beta^2 ||d||^2."""
    predicted, old, target = velocities(3)
    d, e = predicted - old, old - target
    e_d, e_e, d_d = ((a * b).mean((1, 2)) for a, b in ((e, d), (e, e), (d, d)))
    expected = e_e + 2 * beta * ADVANTAGE / 5 * e_d + beta**2 * d_d
    assert torch.allclose(nft_loss(predicted, old, target, ADVANTAGE, beta), expected, atol=1e-4)


@pytest.mark.parametrize("beta", [0.1, 1.0])
def test_nft_has_the_gradient_of_awm_at_the_old_policy(beta: float) -> None:
    old, target = velocities(2)
    predicted = old.clone().requires_grad_()
    (nft,) = torch.autograd.grad(nft_loss(predicted, old, target, ADVANTAGE, beta).sum(), predicted)
    (awm,) = torch.autograd.grad(awm_loss(predicted, old, target, ADVANTAGE, 0.5).sum(), predicted)
    assert awm.abs().max() > 0.01
    assert torch.allclose(nft, beta / 5 * awm, atol=1e-6)


def test_the_ratio_is_one_before_the_first_update_and_the_loss_still_teaches() -> None:
    torch.manual_seed(0)
    policy = nn.Linear(6, 6)
    noisy, noise = torch.randn(2, 5, 6)
    drawn = stochastic.flow_sde_step(noisy, policy(noisy), 0.8, 0.7, noise)
    stored = stochastic.log_prob(drawn.sample, drawn.mean, drawn.std).detach()
    mean, std = stochastic.flow_sde_transition(noisy, policy(noisy), 0.8, 0.7)
    scored = stochastic.log_prob(drawn.sample, mean, std)
    assert torch.equal((scored - stored).exp(), torch.ones(5))
    loss = grpo_loss(scored, stored, ADVANTAGE, 1e-4)
    assert torch.equal(loss, -ADVANTAGE)
    given = torch.autograd.grad(loss.sum(), policy.weight, retain_graph=True)[0]
    expected = torch.autograd.grad((-ADVANTAGE * scored).sum(), policy.weight)[0]
    assert expected.abs().max() > 0.01
    assert torch.allclose(given, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("ratio", "advantage", "teaches"),
    [(1.5, 1.0, False), (1.5, -1.0, True), (0.5, 1.0, True), (0.5, -1.0, False), (1.1, 1.0, True)],
)
def test_grpo_stops_where_the_policy_has_gone_far_enough(ratio: float, advantage: float, teaches: bool) -> None:
    log_prob = torch.tensor([math.log(ratio)], requires_grad=True)
    loss = grpo_loss(log_prob, torch.zeros(1), torch.tensor([advantage]), 0.2)
    loss.sum().backward()
    kept = ratio if teaches else min(max(ratio, 0.8), 1.2)
    assert loss.item() == pytest.approx(-advantage * kept, abs=1e-6)
    assert log_prob.grad is not None
    assert bool(log_prob.grad != 0) == teaches


def test_gaussian_kl_is_that_of_torch_per_dimension() -> None:
    mean, reference = velocities(2)
    std = torch.tensor([0.1, 0.5, 1.0, 2.0, 3.0])
    wide = std.reshape(5, 1, 1).expand_as(mean)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, wide), normal(reference, wide)).mean((1, 2))
    assert torch.allclose(gaussian_kl(mean, reference, std), expected, rtol=1e-4)


def test_direct_raises_the_reward() -> None:
    reward = torch.tensor([0.2, -1.0], requires_grad=True)
    direct_loss(reward).sum().backward()
    assert torch.equal(reward.grad, -torch.ones(2))


def test_dpo_closed_form() -> None:
    w, l, ref_w, ref_l = torch.tensor([[0.2], [0.5], [0.3], [0.4]])  # noqa: E741
    margin = -500.0 / 2 * ((0.2 - 0.5) - (0.3 - 0.4))
    expected = math.log1p(math.exp(-margin))
    assert dpo_loss(w, l, ref_w, ref_l, 500.0).item() == pytest.approx(expected, abs=1e-6)
    assert dpo_loss(ref_w, ref_l, ref_w, ref_l, 5000.0).item() == pytest.approx(math.log(2), abs=1e-6)


def test_swapped_pairs_swap_the_sign_of_the_dpo_gradient() -> None:
    first = torch.tensor([0.3], requires_grad=True)
    second = torch.tensor([0.3], requires_grad=True)
    reference = torch.tensor([0.3])
    slopes = []
    for winner, loser in ((first, second), (second, first)):
        loss = dpo_loss(winner, loser, reference, reference, 10.0)
        slopes.append(torch.stack(torch.autograd.grad(loss.sum(), (first, second))).flatten())
    assert torch.allclose(slopes[0], torch.tensor([2.5, -2.5]))  # beta / 4: down with the winner's error
    assert torch.allclose(slopes[0], -slopes[1])


def test_dpo_charges_for_a_winner_whose_error_rises() -> None:
    risen, fallen, loser = torch.tensor([0.35]), torch.tensor([0.20]), torch.tensor([0.60])
    references = torch.tensor([0.30]), torch.tensor([0.40])
    margin = (0.35 - 0.60) - (0.30 - 0.40) + 3.0 * 0.05
    expected = math.log1p(math.exp(10.0 / 2 * margin))
    assert dpo_loss(risen, loser, *references, 10.0, 3.0).item() == pytest.approx(expected, rel=1e-5)
    free = dpo_loss(fallen, loser, *references, 10.0)
    assert torch.equal(dpo_loss(fallen, loser, *references, 10.0, 3.0), free)


@pytest.mark.parametrize("loss", [awm_loss, nft_loss])
def test_references_get_no_gradient_and_half_precision_becomes_float32(loss: Callable[..., Tensor]) -> None:
    predicted, held, target = (v.bfloat16() for v in velocities(3))
    predicted.requires_grad_()
    held.requires_grad_()
    found = loss(predicted, held, target, ADVANTAGE, 0.5)
    assert found.dtype == torch.float32
    assert found.shape == (5,)
    found.sum().backward()
    assert predicted.grad is not None
    assert held.grad is None


def test_objectives_by_name() -> None:
    assert {name: one.needs for name, one in OBJECTIVES.items()} == {
        "awm": "clean",
        "nft": "clean",
        "grpo": "trajectories",
        "direct": "differentiable",
        "dpo": "pairs",
    }
    assert objective("awm").name == "awm"
    with pytest.raises(UserError, match="direct, awm, nft, grpo, dpo; 'ppo' is not one"):
        objective("ppo")


class ToyFlow(nn.Module):
    """The exact velocity for N(0, 0.5^2 I) in two dimensions plus a correction that starts at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.correction = nn.Sequential(nn.Linear(3, 32), nn.SiLU(), nn.Linear(32, 2))
        nn.init.zeros_(self.correction[2].weight)
        nn.init.zeros_(self.correction[2].bias)

    def base(self, noisy: Tensor, times: Tensor) -> Tensor:
        t = times[:, None]
        return (t - (1 - t) * 0.25) / ((1 - t) ** 2 * 0.25 + t**2) * noisy

    def forward(self, noisy: Tensor, times: Tensor) -> Tensor:
        return self.base(noisy, times) + self.correction(torch.cat([noisy, times[:, None]], 1))

    @torch.no_grad()
    def sample(self, count: int, draw: torch.Generator, steps: int = 8) -> Tensor:
        noisy = torch.randn(count, 2, generator=draw)
        levels = schedule.sigmas(steps)
        for sigma, sigma_next in zip(levels[:-1], levels[1:], strict=True):
            noisy = schedule.euler_step(noisy, self(noisy, sigma.expand(count)), sigma, sigma_next)
        return noisy


def toy_reward(clean: Tensor) -> Tensor:
    """-squared distance to (1, 1): -2.5 under the base."""
    return -(clean - 1.0).square().sum(1)


@pytest.mark.parametrize(("name", "beta", "rate"), [("awm", 0.5, 0.1), ("nft", 1.0, 0.5)])
def test_the_reward_of_a_toy_flow_rises(name: str, beta: float, rate: float) -> None:
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    flow = ToyFlow()
    before = toy_reward(flow.sample(512, torch.Generator().manual_seed(9))).mean()
    weights = list(flow.parameters())
    for _ in range(40):
        clean = flow.sample(64, draw)
        advantage = group_advantages({"toy": toy_reward(clean).reshape(4, 16)}, {"toy": 1.0}).values.flatten()
        times, noise = torch.rand(64, generator=draw), torch.randn(64, 2, generator=draw)
        noisy, target = schedule.interpolate(clean, noise, times), schedule.velocity(clean, noise)
        with torch.no_grad():
            held = flow(noisy, times)
        loss_of = awm_loss if name == "awm" else nft_loss
        slopes = torch.autograd.grad(loss_of(flow(noisy, times), held, target, advantage, beta).mean(), weights)
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight -= rate * slope
    after = toy_reward(flow.sample(512, torch.Generator().manual_seed(9))).mean()
    assert before < -2.2
    assert after > before + 1.0
