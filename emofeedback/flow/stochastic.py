"""Stochastic steps of a rectified flow: they give each step of a sampler a density, which policy gradients need.

Convention of `schedule`: x_t = (1 - t) x_0 + t eps, v = eps - x_0; a step goes from sigma = t down to
sigma_next = t', dt = t' - t < 0. Everything is computed and returned in float32: means and samples kept in
bfloat16 bias the probability ratio.

A step draws x' = mean + std z with z ~ N(0, I). `flow_sde_transition` gives mean and std alone, for scoring a stored
sample under another policy. Flow-SDE converges to the flow's own marginals as steps grow, whatever eta is.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from emofeedback.flow.schedule import expand


@dataclass(frozen=True)
class StochasticStep:
    """One draw of a Gaussian transition.

    Attributes:
        sample: x' [B, ...], float32.
        mean: [B, ...], float32; carries the gradient of the velocity.
        std: [B], float32, of the whole step (sqrt(-dt) is in it); 0 where the step adds no noise.
    """

    sample: Tensor
    mean: Tensor
    std: Tensor


def flow_sde_transition(
    noisy: Tensor, velocity: Tensor, sigma: float | Tensor, sigma_next: float | Tensor, eta: float = 0.7
) -> tuple[Tensor, Tensor]:
    """Mean [B, ...] and std [B] of Flow-GRPO's step; arguments as in `flow_sde_step`."""
    t, t_next = _times(noisy, sigma, sigma_next)
    dt = t_next - t
    # At t = 1 the diffusion has a pole; the public code puts the schedule's second sigma, our t', in its place.
    diffusion = eta**2 * t / (1.0 - torch.where(t == 1.0, t_next, t))
    from_noisy = 1.0 + diffusion / (2.0 * t) * dt
    from_velocity = (1.0 + diffusion * (1.0 - t) / (2.0 * t)) * dt
    x, v = noisy.float(), velocity.float()
    return expand(from_noisy, x) * x + expand(from_velocity, x) * v, (diffusion * -dt).sqrt()


def flow_sde_step(
    noisy: Tensor,
    velocity: Tensor,
    sigma: float | Tensor,
    sigma_next: float | Tensor,
    noise: Tensor,
    eta: float = 0.7,
) -> StochasticStep:
    """Euler-Maruyama step of the SDE that has the flow's marginals (Liu et al. 2025, Flow-GRPO).

    s_t  = eta sqrt(t / (1 - t)), at t = 1 eta sqrt(t / (1 - t'))
    mean = x (1 + s_t^2 / (2 t) dt) + v (1 + s_t^2 (1 - t) / (2 t)) dt
    x'   = mean + s_t sqrt(-dt) z

    Args:
        noisy: x_t [B, ...].
        velocity: predicted v [B, ...].
        sigma: t in (0, 1], one number or [B].
        sigma_next: t' in [0, t), one number or [B].
        noise: z [B, ...], standard normal.
        eta: noise level a, 0 or more; 0 is the Euler step of the ODE.

    Raises:
        ValueError: the sigmas do not fall within [0, 1].
    """
    return _draw(*flow_sde_transition(noisy, velocity, sigma, sigma_next, eta), noise)


def log_prob(sample: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Log density of the Gaussian transition [B], averaged over the dimensions (Liu et al. 2025, Flow-GRPO's code).

    mean over dims of -(x' - mean)^2 / (2 std^2) - log std - log(2 pi) / 2. The mean in place of the sum makes the
    ratio's scale independent of the picture's size, and is why published clip ranges are tiny (1e-5 to 1e-4).

    Args:
        sample: x' [B, ...].
        mean: [B, ...].
        std: [B], above 0.

    Raises:
        ValueError: a std is 0, as for a step without noise.
    """
    if not bool((std > 0).all()):
        raise ValueError("a step without noise has no density: score only steps whose std is above 0")
    spread = std.float()
    squares = (sample.float() - mean.float()).square().flatten(1).mean(1)
    return -squares / (2.0 * spread.square()) - spread.log() - 0.5 * math.log(2.0 * math.pi)


def _draw(mean: Tensor, std: Tensor, noise: Tensor) -> StochasticStep:
    """The sample is data for what follows: no gradient flows through it."""
    return StochasticStep(sample=(mean + expand(std, mean) * noise.float()).detach(), mean=mean, std=std)


def _times(noisy: Tensor, sigma: float | Tensor, sigma_next: float | Tensor) -> tuple[Tensor, Tensor]:
    """Both sigmas as float32 [B], checked to fall within [0, 1]."""
    t, t_next = (
        torch.as_tensor(level, dtype=torch.float32, device=noisy.device).expand(len(noisy))
        for level in (sigma, sigma_next)
    )
    if not bool(((t <= 1.0) & (t_next < t) & (t_next >= 0.0)).all()):
        raise ValueError(f"a step goes from sigma down to sigma_next within [0, 1], not from {sigma} to {sigma_next}")
    return t, t_next
