"""A light critic of latents: the student's arrivals shall be told from the teacher's by no patch.

Where the student cannot follow the teacher, regression gives the mean of what may be there, and a mean of
latents is a ghost. A critic of patches makes it commit (as in adversarial distillation, Sauer et al. 2023, arXiv
2311.17042, whose pretrained features are left out: none may be assumed).
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from emofeedback.flow.schedule import expand


class LatentCritic(nn.Module):
    """Latents [B, C, h, w] at noise levels [B] -> scores [B, 1, h/2, w/2] of overlapping patches of 12 cells."""

    def __init__(self, channels: int, width: int = 48) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Conv2d(channels + 1, width, 3, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(2 * width, 2 * width, 3, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(2 * width, 1, 1)),
        )

    def forward(self, latents: Tensor, levels: Tensor) -> Tensor:
        level = expand(levels.to(latents.device), latents).expand(-1, 1, *latents.shape[2:])
        scores: Tensor = self.layers(torch.cat([latents, level.to(latents.dtype)], 1))
        return scores
