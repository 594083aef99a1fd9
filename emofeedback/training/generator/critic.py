"""The adversarial finish of the autoencoder: a patch critic, and its pull on the decoder.

A pixel loss blurs what is in doubt: an edge that may lie at either of two places is drawn as a ramp between them. A
critic that tells renders from reconstructions patch by patch makes the decoder commit to one (Esser et al. 2021,
arXiv 2012.09841). It comes last and briefly, when layout and colours are right already.
"""

from collections.abc import Callable

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


def teach_critic(critic: nn.Module, optimiser: torch.optim.Optimizer, real: Tensor, made: Tensor) -> float:
    """One step of a critic on what is real and what was made, of one shape; its loss."""
    optimiser.zero_grad(set_to_none=True)
    loss = critic_loss(critic(real), critic(made))
    loss.backward()
    optimiser.step()
    return float(loss.detach())


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
