"""Flow-matching pipelines seen as one thing: noise, velocity, decode; what image-to-image and training need of them.

Latents are [B, C, h, w], as the pipelines take them in `latents=`: FLUX.2's are folded 2 x 2 and normalised, those of
Stable Diffusion 3 and Z-Image are scaled. The path is x(sigma) = (1 - sigma) x0 + sigma noise and the velocity its
derivative dx/dsigma = noise - x0, whatever a network itself predicts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.generators.pipelines.families import Family, FlowFamily, TextCondition


@dataclass(frozen=True, slots=True)
class FlowCondition:
    """What the transformer is told about a batch; guidance w in u + w (c - u), 1 = none."""

    conditions: Sequence[TextCondition]
    unconditional: TextCondition | None
    guidance: float


class FlowView:
    """A flow pipeline of any flow family.

    Args:
        size: side of the pictures in pixels, or their width and height.

    Raises:
        UserError: the family does not predict velocities.
    """

    def __init__(self, pipeline: DiffusionPipeline, family: Family, size: int | tuple[int, int]) -> None:
        if not isinstance(family, FlowFamily):
            raise UserError(f"{family.title} does not predict velocities; choose FLUX.2-klein, SD3.5 or Z-Image.")
        self.pipeline, self.family = pipeline, family
        self.size = size if isinstance(size, tuple) else (size, size)

    @property
    def device(self) -> torch.device:
        return self.pipeline._execution_device

    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one picture's latents."""
        channels = int(self.pipeline.transformer.config.in_channels)
        pixels = self.pipeline.vae_scale_factor * self.family.latent_side
        return channels, self.size[1] // pixels, self.size[0] // pixels

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Noise [B, C, h, w], drawn on the CPU one picture at a time, so alike on every device and in every batch."""
        sources = (torch.Generator().manual_seed(seed) for seed in seeds)
        return torch.cat([torch.randn((1, *self.shape()), generator=source) for source in sources]).to(self.device)

    def levels(self, steps: int) -> Tensor:
        """Noise levels [steps + 1] from the first down to 0, as the pipeline's own scheduler sets them."""
        scheduler = self.pipeline.scheduler
        scheduler = type(scheduler).from_config(scheduler.config)
        _, height, width = self.shape()
        scheduler.set_timesteps(**self.family.schedule(scheduler.config, steps, height, width))
        return scheduler.sigmas.float().cpu()

    def encode(self, pixels: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] in [-1, 1] -> latents [B, C, h, w], float32."""
        vae = self.pipeline.vae
        mean = vae.encode(pixels.to(self.device, vae.dtype)).latent_dist.mode().float()
        return self.family.from_vae(self.pipeline, mean)

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, C, h, w] -> pictures [B, 3, H, W] about [-1, 1], float32."""
        vae = self.pipeline.vae
        return vae.decode(self.family.to_vae(self.pipeline, latents).to(vae.dtype)).sample.float()

    def velocity(self, latents: Tensor, sigma: float | Tensor, condition: FlowCondition) -> Tensor:
        """Guided velocity [B, C, h, w] in float32 at one noise level, or at one for each picture [B]."""
        levels = torch.as_tensor(sigma, dtype=torch.float32, device=latents.device).expand(len(latents))
        towards = self._predict(latents, levels, condition.conditions)
        if condition.guidance == 1.0 or condition.unconditional is None:
            return towards
        away = self._predict(latents, levels, [condition.unconditional] * len(latents))
        return away + condition.guidance * (towards - away)

    def _predict(self, latents: Tensor, levels: Tensor, conditions: Sequence[TextCondition]) -> Tensor:
        return self.family.predict(self.pipeline, latents.to(self.pipeline.transformer.dtype), levels, conditions)
