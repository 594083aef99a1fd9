"""Rectified flow: times, the straight path between data and noise, its velocity, Euler steps.

Convention of Stable Diffusion 3 (Esser et al. 2024): x_t = (1 - t) x_0 + t eps with t in [0, 1], so sigma = t,
t = 0 is data and t = 1 is noise; the network predicts the velocity dx/dt = eps - x_0.
"""

import torch
from torch import Tensor


def logit_normal_times(
    count: int, generator: torch.Generator | None = None, mean: float = 0.0, std: float = 1.0
) -> Tensor:
    """Training times [count] in (0, 1): sigmoid of a normal variable (Esser et al. 2024, eq. 19)."""
    return torch.sigmoid(mean + std * torch.randn(count, generator=generator))


def shift_times(times: Tensor, shift: float) -> Tensor:
    """Moves times towards noise, s t / (1 + (s - 1) t) (Esser et al. 2024, eq. 23); shift 1 changes nothing."""
    return shift * times / (1.0 + (shift - 1.0) * times)


def sigmas(steps: int, shift: float = 1.0) -> Tensor:
    """Noise levels [steps + 1] from 1 down to 0, evenly spaced, then shifted.

    Raises:
        ValueError: steps is below 1.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    return shift_times(torch.linspace(1.0, 0.0, steps + 1), shift)


def expand(times: Tensor, like: Tensor) -> Tensor:
    """[B] -> [B, 1, ..., 1] with as many dimensions as `like`."""
    return times.reshape(-1, *([1] * (like.dim() - 1))).to(like)


def interpolate(clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """x_t = (1 - t) x_0 + t eps; clean and noise [B, ...], times [B]."""
    t = expand(times, clean)
    return (1.0 - t) * clean + t * noise


def velocity(clean: Tensor, noise: Tensor) -> Tensor:
    """The target eps - x_0, the same at every t."""
    return noise - clean


def euler_step(noisy: Tensor, predicted_velocity: Tensor, sigma: float | Tensor, sigma_next: float | Tensor) -> Tensor:
    """One step of the probability-flow ODE from sigma to sigma_next."""
    return noisy + (sigma_next - sigma) * predicted_velocity


def guided(conditional: Tensor, unconditional: Tensor, guidance: Tensor) -> Tensor:
    """Classifier-free guidance (Ho and Salimans 2022): u + w (c - u); guidance [B], 1 = no guidance."""
    return unconditional + expand(guidance, conditional) * (conditional - unconditional)
