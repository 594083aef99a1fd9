"""Stochastic steps: the flow's own marginals where theory promises them, and the density of what was drawn."""

import pytest
import torch
from torch import Tensor

from emofeedback.flow import schedule, stochastic

MEAN, STD = 1.5, 0.5


def exact_velocity(noisy: Tensor, sigma: Tensor) -> Tensor:
    """E[eps - x_0 | x_t] for x_0 ~ N(MEAN, STD^2)."""
    spread = ((1 - sigma) * STD) ** 2 + sigma**2
    return (sigma - (1 - sigma) * STD**2) / spread * (noisy - (1 - sigma) * MEAN) - MEAN


def sampled(steps: int, eta: float, stop: float = 0.0, shift: float = 3.0) -> tuple[Tensor, Tensor]:
    """20,000 one-dimensional samples at the first sigma that is not above `stop`, and that sigma."""
    draw = torch.Generator().manual_seed(0)
    levels = schedule.sigmas(steps, shift)
    noisy = torch.randn(20_000, 1, generator=draw)
    for sigma, sigma_next in zip(levels[:-1], levels[1:], strict=True):
        noise = torch.randn(noisy.shape, generator=draw)
        noisy = stochastic.flow_sde_step(noisy, exact_velocity(noisy, sigma), sigma, sigma_next, noise, eta=eta).sample
        if sigma_next <= stop:
            return noisy, sigma_next
    raise AssertionError("unreachable")


@pytest.mark.parametrize("eta", [0.3, 0.7])
@pytest.mark.parametrize("stop", [0.0, 0.5])
def test_flow_sde_has_the_marginals_of_the_flow(eta: float, stop: float) -> None:
    noisy, sigma = sampled(100, eta, stop)
    assert abs(noisy.mean() - (1 - sigma) * MEAN) < 0.02
    assert abs(noisy.std() - (((1 - sigma) * STD) ** 2 + sigma**2).sqrt()) < 0.015


def test_flow_sde_comes_nearer_to_the_marginal_as_steps_grow() -> None:
    coarse, fine = (sampled(steps, 0.7)[0].std() for steps in (8, 64))
    assert abs(fine - STD) < 0.5 * abs(coarse - STD)
    assert abs(fine - STD) < 0.03


@pytest.mark.parametrize(("sigma", "sigma_next"), [(1.0, 0.9), (0.6, 0.4), (0.2, 0.0)])
def test_no_noise_is_the_step_of_the_ode(sigma: float, sigma_next: float) -> None:
    noisy, v, noise = torch.randn(3, 2, 2, 4, 4)
    drawn = stochastic.flow_sde_step(noisy, v, sigma, sigma_next, noise, eta=0.0)
    assert torch.allclose(drawn.sample, schedule.euler_step(noisy, v, sigma, sigma_next), atol=1e-5)
    assert torch.equal(drawn.std, torch.zeros(2))


def test_flow_sde_of_one_step_against_the_formula() -> None:
    x, v, t, t_next, eta = 0.3, -1.2, 0.6, 0.5, 0.7
    rate = eta * (t / (1 - t)) ** 0.5
    dt = t_next - t
    mean = x * (1 + rate**2 / (2 * t) * dt) + v * (1 + rate**2 * (1 - t) / (2 * t)) * dt
    drawn = stochastic.flow_sde_step(torch.full((1, 1), x), torch.full((1, 1), v), t, t_next, torch.ones(1, 1), eta)
    assert drawn.mean.item() == pytest.approx(mean, abs=1e-6)
    assert drawn.std.item() == pytest.approx(rate * (-dt) ** 0.5, abs=1e-6)
    assert drawn.sample.item() == pytest.approx(mean + rate * (-dt) ** 0.5, abs=1e-6)


def test_flow_sde_at_pure_noise_puts_the_second_sigma_into_the_pole() -> None:
    noisy = torch.randn(2, 3)
    drawn = stochastic.flow_sde_step(noisy, torch.zeros(2, 3), 1.0, 0.9, torch.zeros(2, 3), eta=0.7)
    assert torch.allclose(drawn.std, torch.full((2,), 0.7 * (1 / 0.1) ** 0.5 * 0.1**0.5))
    assert torch.allclose(drawn.mean, noisy * (1 - 0.49 / 0.1 / 2 * 0.1), atol=1e-6)


def test_log_prob_is_that_of_torch_averaged_over_dimensions() -> None:
    noisy, v, noise = torch.randn(3, 4, 2, 3, 3)
    drawn = stochastic.flow_sde_step(
        noisy, v, torch.tensor([1.0, 0.9, 0.5, 0.3]), torch.tensor([0.9, 0.5, 0.3, 0.1]), noise
    )
    normal = torch.distributions.Normal(drawn.mean, drawn.std.reshape(4, 1, 1, 1).expand_as(drawn.mean))
    expected = normal.log_prob(drawn.sample).flatten(1).mean(1)
    assert torch.allclose(stochastic.log_prob(drawn.sample, drawn.mean, drawn.std), expected, atol=1e-5)


def test_half_precision_goes_in_and_float32_comes_out() -> None:
    noisy, v, noise = torch.randn(3, 2, 3).bfloat16()
    drawn = stochastic.flow_sde_step(noisy, v, 0.5, 0.4, noise)
    scored = stochastic.log_prob(drawn.sample, drawn.mean, drawn.std)
    assert {drawn.sample.dtype, drawn.mean.dtype, drawn.std.dtype, scored.dtype} == {torch.float32}


def test_the_gradient_flows_through_the_mean_and_not_through_the_sample() -> None:
    v = torch.randn(2, 3, requires_grad=True)
    drawn = stochastic.flow_sde_step(torch.randn(2, 3), v, 0.5, 0.4, torch.randn(2, 3))
    assert drawn.mean.requires_grad
    assert not drawn.sample.requires_grad


def test_a_step_without_noise_has_no_density() -> None:
    drawn = stochastic.flow_sde_step(torch.randn(2, 3), torch.randn(2, 3), 0.2, 0.1, torch.randn(2, 3), eta=0.0)
    with pytest.raises(ValueError, match="no density"):
        stochastic.log_prob(drawn.sample, drawn.mean, drawn.std)


@pytest.mark.parametrize(("sigma", "sigma_next"), [(0.5, 0.5), (0.4, 0.6), (1.2, 0.9), (0.2, -0.1), (0.0, 0.0)])
def test_steps_that_do_not_fall_within_the_schedule_are_refused(sigma: float, sigma_next: float) -> None:
    with pytest.raises(ValueError, match="from sigma down"):
        stochastic.flow_sde_step(torch.ones(1, 1), torch.ones(1, 1), sigma, sigma_next, torch.ones(1, 1))
