"""The adversarial finish of the autoencoder: a patch critic, and its pull on the decoder.

A pixel loss blurs what is in doubt: an edge that may lie at either of two places is drawn as a ramp between them. A
critic that tells renders from reconstructions patch by patch makes the decoder commit to one (Esser et al. 2021,
arXiv 2012.09841). It comes last and briefly, when layout and colours are right already.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

PULL = 0.35  # the critic's gradient in units of the reconstruction's


class PatchCritic(nn.Module):
    """Pictures [B, 3, S, S] -> scores [B, 1, S/8 - 1, S/8 - 1], one per overlapping patch of 38 pixels."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        widths = (3, width, 2 * width, 4 * width)
        layers: list[nn.Module] = []
        for i in range(3):
            layers += [
                spectral_norm(nn.Conv2d(widths[i], widths[i + 1], 4, stride=2, padding=1)),
                nn.LeakyReLU(0.2),
            ]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 2)))

    def forward(self, pixels: Tensor) -> Tensor:
        scores: Tensor = self.layers(pixels)
        return scores


def critic_loss(on_real: Tensor, on_made: Tensor) -> Tensor:
    """Hinge loss of the critic (Lim and Ye 2017), scalar; scores of any equal shape."""
    return functional.relu(1.0 - on_real).mean() + functional.relu(1.0 + on_made).mean()


class TaughtCritic:
    """A critic beside a module that it sharpens: it learns to tell what is real from what was made.

    Args:
        network: scores of [B, ...] inputs, and of what is given beside them.
        rate: of AdamW.
    """

    def __init__(self, network: nn.Module, rate: float) -> None:
        self.network = network
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.5, 0.9), weight_decay=0.0)

    def state(self) -> dict[str, Any]:
        """Weights and optimiser, by the names that a recipe's state has them by."""
        return {"critic": self.network.state_dict(), "critic optimiser": self.optimiser.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a recipe's state that holds what `state` gave."""
        self.network.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["critic optimiser"])

    def backward(self, loss: Tensor, made: Tensor, pulls: bool, pull: float = PULL) -> None:
        """The backward pass of a loss of what was made, with the critic's gradient where it pulls by now."""
        if pulls:
            made.backward(pulled_gradient(loss, made, self.network, pull).to(made.dtype))
        else:
            loss.backward()

    def teach(self, real: Tensor, made: Tensor, *beside: Tensor) -> float:
        """One step on what is real and what was made, of one shape; its loss.

        Args:
            beside: what the network is told of both, such as noise levels.
        """
        self.optimiser.zero_grad(set_to_none=True)
        loss = critic_loss(self.network(real, *beside), self.network(made, *beside))
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())


def patch_critic(rate: float) -> TaughtCritic:
    """A critic of pictures as the recipes here use it."""
    return TaughtCritic(PatchCritic().to(memory_format=torch.channels_last), rate)  # type: ignore[call-overload]


def pulled_gradient(
    reconstruction: Tensor, made: Tensor, critic: Callable[[Tensor], Tensor], pull: float = PULL
) -> Tensor:
    """Gradient with respect to `made` [B, 3, S, S] of the reconstruction loss and the critic together.

    The critic's part is scaled to `pull` times the norm of the reconstruction's, picture by picture, so neither can
    drown the other at any stage of the training.
    """
    (fidelity,) = torch.autograd.grad(reconstruction, made, retain_graph=True)
    (taste,) = torch.autograd.grad(-critic(made.float()).mean(), made, retain_graph=True)
    norms = [g.flatten(1).norm(dim=1)[:, None, None, None] for g in (fidelity, taste)]
    return fidelity + pull * norms[0] / (norms[1] + 1e-12) * taste
