"""Optimisers of the recipes: Muon for hidden matrices, AdamW for the rest, an average of the weights, a schedule.

Muon (Jordan et al. 2024): momentum, then the update matrix is replaced by its nearest semi-orthogonal matrix
through a quintic Newton-Schulz iteration.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """[N, R, C] -> about U V^T of each matrix, singular values in about [0.7, 1.2] (Jordan et al. 2024)."""
    a, b, c = NEWTON_SCHULZ
    x = matrices.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Muon over matrices; those of one shape are orthogonalised in one batch.

    A convolution's weight [out, in, h, w] is taken as the matrix [out, in h w].

    The update is scaled by sqrt(max(1, rows / columns)), so one learning rate serves all shapes.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float = 2e-2, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        super().__init__(list(params), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = {}
            for param in group["params"]:
                if param.grad is not None:
                    by_shape.setdefault(param.shape, []).append(param)
            for shape, params in by_shape.items():
                updates = []
                for param in params:
                    assert param.grad is not None
                    state = self.state[param]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(param)
                    average: Tensor = state["momentum"]
                    average.lerp_(param.grad, 1.0 - group["momentum"])
                    updates.append(param.grad.lerp(average, group["momentum"]))  # Nesterov
                directions = orthogonalise(torch.stack(updates).flatten(2)).view(len(params), *shape)
                scale = max(1.0, shape[0] / shape[1:].numel()) ** 0.5
                for param, direction in zip(params, directions, strict=True):
                    param.mul_(1.0 - group["lr"] * group["weight_decay"])
                    param.add_(direction, alpha=-group["lr"] * scale)


class WeightAverage:
    """Exponential moving average of a module's parameters, kept in a copy of the module.

    The decay grows as (1 + n) / (10 + n) up to `decay`, so short runs average over their last tenth.
    """

    def __init__(self, source: nn.Module, copy: nn.Module, decay: float = 0.999) -> None:
        self.source, self.copy, self.decay = list(source.parameters()), copy.requires_grad_(False).eval(), decay
        self.averaged: list[Tensor] = list(copy.parameters())

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Fold the source's weights after optimiser step `step` (from 0) into the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.averaged, [p.detach() for p in self.source], 1.0 - decay)


class Optimisers:
    """Several optimisers that follow one learning-rate schedule."""

    def __init__(self, optimisers: Sequence[torch.optim.Optimizer]) -> None:
        self.optimisers = list(optimisers)
        self.peaks = [[group["lr"] for group in o.param_groups] for o in self.optimisers]

    def step(self, share: float) -> None:
        """Step all at `share` of their peak learning rates, then clear the gradients."""
        for optimiser, peaks in zip(self.optimisers, self.peaks, strict=True):
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = share * peak
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        return [o.state_dict() for o in self.optimisers]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        for optimiser, state in zip(self.optimisers, states, strict=True):
            optimiser.load_state_dict(state)


def split_parameters(
    matrices_of: Iterable[nn.Module], everything: nn.Module
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(Muon's, AdamW's) parameters: the 2-D weights in `matrices_of` but for adaptive norms, and all the rest."""
    hidden = [p for m in matrices_of for n, p in m.named_parameters() if p.ndim == 2 and "norm" not in n]
    chosen = {id(p) for p in hidden}
    return hidden, [p for p in everything.parameters() if id(p) not in chosen]


def split_kernels(model: nn.Module, ends: Sequence[str]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(Muon's, AdamW's) parameters of a convolutional network: all kernels but those of `ends`, and the rest."""
    kernels = [p for n, p in model.named_parameters() if p.ndim == 4 and not any(end in n for end in ends)]
    chosen = {id(p) for p in kernels}
    return kernels, [p for p in model.parameters() if id(p) not in chosen]


def trapezoid(step: int, progress: float, warmup: int, cooldown: float) -> float:
    """Share of the peak rate: linear warm-up over `warmup` steps, flat, linear to 0 over the last `cooldown` share."""
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    fall = min(1.0, max(0.0, (1.0 - progress) / cooldown)) if cooldown else 1.0
    return min(rise, fall)
