"""Flow-matching pipelines seen as one thing: noise, velocity, decode; what image-to-image and training need of them.

Latents are [B, C, h, w], as the pipelines take them in `latents=`: FLUX.2's are folded 2 x 2 and normalised, those of
Stable Diffusion 3 and Z-Image are scaled. The path is x(sigma) = (1 - sigma) x0 + sigma noise and the velocity its
derivative dx/dsigma = noise - x0, whatever a network itself predicts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import DiffusionPipeline
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3 import calculate_shift
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.generators.pipelines.conditioning import TextCondition
from emofeedback.generators.pipelines.families import Family

THOUSAND = 1000.0


@dataclass(frozen=True, slots=True)
class FlowCondition:
    """What the transformer is told about a batch; guidance w in u + w (c - u), 1 = none."""

    conditions: Sequence[TextCondition]
    unconditional: TextCondition | None
    guidance: float


class FlowView:
    """A flow pipeline of one of the families flux2-klein, sd3, z-image.

    Args:
        size: side of the pictures in pixels.

    Raises:
        UserError: the family does not predict velocities.
    """

    def __init__(self, pipeline: DiffusionPipeline, family: Family, size: int) -> None:
        if not family.flow:
            raise UserError(f"{family.title} does not predict velocities; choose FLUX.2-klein, SD3.5 or Z-Image.")
        self.pipeline, self.family, self.size = pipeline, family, size

    @property
    def device(self) -> torch.device:
        return self.pipeline._execution_device

    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one picture's latents."""
        channels = int(self.pipeline.transformer.config.in_channels)
        cell = self.pipeline.vae_scale_factor * (2 if self.family.key == "flux2-klein" else 1)
        return channels, self.size // cell, self.size // cell

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Noise [B, C, h, w], drawn on the CPU one picture at a time, so alike on every device and in every batch."""
        sources = (torch.Generator().manual_seed(seed) for seed in seeds)
        return torch.cat([torch.randn((1, *self.shape()), generator=source) for source in sources]).to(self.device)

    def levels(self, steps: int) -> Tensor:
        """Noise levels [steps + 1] from the first down to 0, as the pipeline's own scheduler sets them."""
        scheduler = self.pipeline.scheduler
        scheduler = type(scheduler).from_config(scheduler.config)
        given: dict[str, object] = {"num_inference_steps": steps}
        config = scheduler.config
        channels, height, width = self.shape()
        cells = height * width if self.family.key == "flux2-klein" else (height // 2) * (width // 2)
        if self.family.key == "flux2-klein":
            given = {"sigmas": self.linear(steps), "mu": compute_empirical_mu(cells, steps)}
        elif self.family.key == "z-image":
            given = {"sigmas": self.linear(steps)}
        if self.family.key != "flux2-klein" and config.get("use_dynamic_shifting"):
            given["mu"] = calculate_shift(
                cells,
                config.get("base_image_seq_len", 256),
                config.get("max_image_seq_len", 4096),
                config.get("base_shift", 0.5),
                config.get("max_shift", 1.15),
            )
        scheduler.set_timesteps(**given)
        return scheduler.sigmas.float().cpu()

    @staticmethod
    def linear(steps: int) -> list[float]:
        """Noise levels before the scheduler shifts them."""
        return [1.0 - i / steps for i in range(steps)]

    def encode(self, pixels: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] in [-1, 1] -> latents [B, C, h, w], float32."""
        vae = self.pipeline.vae
        mean = vae.encode(pixels.to(self.device, vae.dtype)).latent_dist.mode().float()
        if self.family.key == "flux2-klein":
            folded = self.pipeline._patchify_latents(mean)
            centre, spread = self._normalisation(folded)
            return (folded - centre) / spread
        return (mean - vae.config.shift_factor) * vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, C, h, w] -> pictures [B, 3, H, W] about [-1, 1], float32."""
        vae = self.pipeline.vae
        if self.family.key == "flux2-klein":
            centre, spread = self._normalisation(latents)
            plain = self.pipeline._unpatchify_latents(latents * spread + centre)
        else:
            plain = latents / vae.config.scaling_factor + vae.config.shift_factor
        return vae.decode(plain.to(vae.dtype)).sample.float()

    def _normalisation(self, like: Tensor) -> tuple[Tensor, Tensor]:
        norm, config = self.pipeline.vae.bn, self.pipeline.vae.config
        mean = norm.running_mean.view(1, -1, 1, 1).to(like)
        return mean, (norm.running_var.view(1, -1, 1, 1) + config.batch_norm_eps).sqrt().to(like)

    def velocity(self, latents: Tensor, sigma: float | Tensor, condition: FlowCondition) -> Tensor:
        """Guided velocity [B, C, h, w] in float32 at one noise level, or at one for each picture [B]."""
        levels = torch.as_tensor(sigma, dtype=torch.float32, device=latents.device).expand(len(latents))
        towards = self._predict(latents, levels, condition.conditions)
        if condition.guidance == 1.0 or condition.unconditional is None:
            return towards
        away = self._predict(latents, levels, [condition.unconditional] * len(latents))
        return away + condition.guidance * (towards - away)

    def _predict(self, latents: Tensor, levels: Tensor, conditions: Sequence[TextCondition]) -> Tensor:
        pipe, transformer = self.pipeline, self.pipeline.transformer
        dtype = transformer.dtype
        noisy = latents.to(dtype)
        match self.family.key:
            case "sd3":
                pooled = torch.stack([c.pooled for c in conditions if c.pooled is not None])
                return transformer(
                    hidden_states=noisy,
                    timestep=levels * THOUSAND,
                    encoder_hidden_states=torch.stack([c.embeds for c in conditions]).to(dtype),
                    pooled_projections=pooled.to(dtype),
                    return_dict=False,
                )[0].float()
            case "flux2-klein":
                words = torch.stack([c.embeds for c in conditions]).to(dtype)
                cells = pipe._prepare_latent_ids(noisy).to(noisy.device)
                packed = transformer(
                    hidden_states=pipe._pack_latents(noisy),
                    timestep=levels.to(dtype),
                    guidance=None,
                    encoder_hidden_states=words,
                    txt_ids=pipe._prepare_text_ids(words).to(noisy.device),
                    img_ids=cells,
                    return_dict=False,
                )[0]
                _, height, width = self.shape()
                return pipe._unpack_latents_with_ids(packed, cells, height, width).float()
            case _:
                pictures = list(noisy.unsqueeze(2).unbind(0))
                words_list = [c.embeds.to(dtype) for c in conditions]
                # Z-Image counts time from noise to picture and predicts picture less noise
                outputs = transformer(pictures, 1.0 - levels, words_list, return_dict=False)[0]
                return -torch.stack([output.float() for output in outputs]).squeeze(2)
