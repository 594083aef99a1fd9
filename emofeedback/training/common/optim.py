"""How a recipe moves its weights: Muon for matrices and AdamW for the rest, one schedule, an average of the weights.

Muon is torch's (Jordan et al. 2024), which takes matrices only: a convolution's kernel is shown to it as one.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

GOING_ON = 0.4
"""Share of a recipe's learning rate for weights that are trained already."""


class Muon(torch.optim.Muon):
    """torch's Muon on matrices and on kernels [out, in, h, w], which are viewed as matrices [out, in h w].

    The update is scaled by sqrt(max(1, rows / columns)), so one learning rate serves all shapes.

    The views share the weights' memory: parameters may be written in place (`load_state_dict` does), not replaced.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float = 2e-2, weight_decay: float = 0.01) -> None:
        self._sources = list(params)
        self._matrices = [_as_matrix(p) for p in self._sources]
        super().__init__(self._matrices, lr=lr, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for source, matrix in zip(self._sources, self._matrices, strict=True):
            if source.data_ptr() != matrix.data_ptr():
                raise RuntimeError("a parameter was moved after its optimiser was made")
            if source is not matrix:
                matrix.grad = None if source.grad is None else _flat(source.grad, source)
        super().step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in (*self._sources, *self._matrices):
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()


def _flat(tensor: Tensor, like: Tensor) -> Tensor:
    """[out, in, h, w] -> [out, in h w] in the order in which `like` lies in memory; which does not matter to Muon."""
    return (tensor if like.is_contiguous() else tensor.permute(0, 2, 3, 1)).flatten(1)


def _as_matrix(parameter: nn.Parameter) -> nn.Parameter:
    if parameter.ndim == 2:
        return parameter
    with torch.no_grad():
        return nn.Parameter(_flat(parameter.detach(), parameter))


class WeightAverage:
    """Exponential moving average of a module's parameters, kept in a copy of the module; buffers are copied.

    The decay grows as (1 + n) / (10 + n) up to `decay`, so short runs average over their last tenth.
    """

    def __init__(self, source: nn.Module, decay: float = 0.999) -> None:
        self.source, self.decay = source, decay
        self.copy = copy.deepcopy(source).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Fold the source's weights after optimiser step `step` (from 0) into the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.copy.parameters()), list(self.source.parameters()), 1.0 - decay)
        for kept, current in zip(self.copy.buffers(), self.source.buffers(), strict=True):
            kept.copy_(current)  # statistics of batch norms


@dataclass(frozen=True, slots=True)
class Schedule:
    """Share of the peak learning rate: linear warm-up, flat, linear to 0.

    Attributes:
        warmup: steps.
        cooldown: last share of the run.
    """

    warmup: int = 50
    cooldown: float = 0.3

    def __call__(self, step: int, progress: float) -> float:
        """The share at step `step` (from 0), `progress` in [0, 1] of the run."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        fall = min(1.0, max(0.0, (1.0 - progress) / self.cooldown)) if self.cooldown else 1.0
        return min(rise, fall)


class Learner:
    """A module with its optimisers, schedule and average: one update, and one state that a run goes on from.

    Args:
        optimisers: of the module's parameters, and of others that learn beside it.
        decay: of the average.
        clip: largest norm of the module's gradient.
    """

    def __init__(
        self,
        module: nn.Module,
        optimisers: Sequence[torch.optim.Optimizer],
        schedule: Schedule,
        decay: float,
        clip: float = 1.0,
    ) -> None:
        self.module, self.optimisers, self.schedule, self.clip = module, list(optimisers), schedule, clip
        self.average = WeightAverage(module, decay)
        self._peaks = [[group["lr"] for group in o.param_groups] for o in self.optimisers]

    def update(self, step: int, progress: float) -> None:
        """Clip the gradients, step all optimisers at the schedule's rate, clear the gradients, average."""
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.clip)
        share = self.schedule(step, progress)
        for optimiser, peaks in zip(self.optimisers, self._peaks, strict=True):
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["lr"] = share * peak
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.average.update(step)

    def state(self) -> dict[str, Any]:
        """Weights, average and optimisers, as `training_state.save_state` takes them."""
        return {
            "model": self.module.state_dict(),
            "average": self.average.copy.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.module.load_state_dict(state["model"])
        self.average.copy.load_state_dict(state["average"])
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)


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
