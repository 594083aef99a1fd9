"""The recipe of the bundled autoencoder: 8 times smaller, 16 channels, trained on renders.

Muon for the kernels beside AdamW: AdamW alone stalled at three times the loss.

Loss: L1 at full, half and quarter resolution, half an L1 on image gradients (edges of flat-coloured shapes), and a
tiny KL; then, with the encoder frozen, an adversarial finish of the decoder. Perceptual features of a pretrained
network are left out: none may be assumed, and those of the project's own readers would leak into what they judge.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from emofeedback.flow.pixels import from_bytes, sheet, to_images
from emofeedback.training.common.box_weights import weight_map, weighted_mean
from emofeedback.training.common.optim import Learner, Muon, Schedule, split_kernels
from emofeedback.training.common.scene_data import SceneCache, batch_indices, render_cache
from emofeedback.training.common.training_loop import Trained, TrainingRun, step_generator, train
from emofeedback.training.generator.critic import patch_critic

KL_WEIGHT = 1e-4  # on the mean over latent elements, which is 1e-7 or less on their sum
LATENT_NOISE = 0.05  # in units of the latents' spread
HELD_OUT = 256  # renders that measure
SCALED = 1024  # pictures that the latents' scale is taken from


@dataclass(frozen=True, slots=True)
class AutoencoderRecipe:
    """Hyper-parameters of the autoencoder's training.

    Attributes:
        encoder_share: of the run in which the encoder learns too; after it only the decoder does, on latents with a
            little noise such as a generator leaves in them.
        critic_share: of the run, at its end, in which a critic sharpens the decoder; not before `encoder_share`.
        gradient: weight of the L1 of horizontal and vertical differences.
        coarse: weight of the L1 at half and at quarter resolution.
        squared: weight of the squared error, which PSNR measures.
        inside: weight of the subjects' boxes, where the scenes have them; 1 outside.
    """

    batch: int = 16
    adam_lr: float = 2e-3
    muon_lr: float = 2e-2
    critic_lr: float = 1e-3
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=50, cooldown=0.5))
    average_decay: float = 0.998
    encoder_share: float = 0.6
    critic_share: float = 0.25
    gradient: float = 0.5
    coarse: float = 0.5
    squared: float = 0.0
    inside: float = 2.0

    @property
    def critic_from(self) -> float:
        """The share of the run after which the critic takes part."""
        return max(self.encoder_share, 1.0 - self.critic_share)


def build_autoencoder(
    sample_size: int = 128, widths: tuple[int, ...] = (32, 32, 64, 96), latent_channels: int = 16, groups: int = 8
) -> AutoencoderKL:
    """A small AutoencoderKL; each level but the last halves the side, so four levels give f = 8."""
    return AutoencoderKL(
        sample_size=sample_size,
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=groups,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
        scaling_factor=1.0,
        shift_factor=0.0,
    )


def reconstruction_loss(
    made: Tensor, pictures: Tensor, recipe: AutoencoderRecipe | None = None, weights: Tensor | None = None
) -> Tensor:
    """L1 over three scales, L1 of horizontal and vertical differences, squared error; scalar.

    Args:
        made, pictures: [B, 3, H, W].
        weights: [B, 1, H, W]; None = 1 everywhere.
    """
    recipe = recipe or AutoencoderRecipe()
    difference = made - pictures
    loss = weighted_mean(difference.abs(), weights)
    if recipe.squared:
        loss = loss + recipe.squared * weighted_mean(difference.pow(2), weights)
    for axis in (-1, -2):
        across = difference.diff(dim=axis).abs()
        there = None if weights is None else weights.narrow(axis, 1, weights.shape[axis] - 1)
        loss = loss + recipe.gradient * weighted_mean(across, there)
    for factor in (2, 4):
        coarse = None if weights is None else functional.avg_pool2d(weights, factor)
        loss = loss + recipe.coarse * weighted_mean(functional.avg_pool2d(difference, factor).abs(), coarse)
    return loss


class AutoencoderTraining:
    """What the training loop steps: the autoencoder and the critic of its finish."""

    name = "the autoencoder"

    def __init__(
        self, model: AutoencoderKL, cache: SceneCache, held_out: SceneCache, recipe: AutoencoderRecipe, seed: int
    ) -> None:
        self.model, self.cache, self.held_out, self.recipe, self.seed = model.train(), cache, held_out, recipe, seed
        kernels, rest = split_kernels(model, ends=("conv_in", "conv_out"))
        adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
        muon = Muon(kernels, lr=recipe.muon_lr, weight_decay=0.0)
        self.learner = Learner(model, [muon, adam], recipe.schedule, recipe.average_decay)
        self.averaged: AutoencoderKL = self.learner.average.copy  # type: ignore[assignment]
        self.critic = patch_critic(recipe.critic_lr)

    @property
    def samples(self) -> int:
        return self.recipe.batch

    def state(self) -> dict[str, Any]:
        return {"learner": self.learner.state(), **self.critic.state()}

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state["learner"])
        self.critic.load(state)

    def step(self, number: int, progress: float) -> dict[str, float]:
        recipe, noise = self.recipe, step_generator(self.seed, number)
        rows = np.sort(batch_indices(self.seed, number, recipe.batch, len(self.cache)))
        pictures = from_bytes(self.cache.pictures[rows])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            if progress < recipe.encoder_share:
                posterior = self.model.encode(pictures).latent_dist
                latents = posterior.sample(noise)
            else:
                with torch.no_grad():
                    posterior = self.model.encode(pictures).latent_dist
                spread = LATENT_NOISE * posterior.mean.std()
                latents = posterior.mean + spread * torch.randn(posterior.mean.shape, generator=noise)
            made = self.model.decode(latents).sample
        kl = 0.5 * (posterior.mean.float().pow(2) + posterior.var.float() - 1.0 - posterior.logvar.float()).mean()
        weights = None
        if self.cache.boxes is not None:
            weights = weight_map(self.cache.boxes_of(rows), pictures.shape[-1], recipe.inside)
        loss = reconstruction_loss(made.float(), pictures, recipe, weights) + KL_WEIGHT * kl
        losses = {"loss": float(loss.detach()), "kl": float(kl.detach())}
        pulls = progress >= recipe.critic_from
        self.critic.backward(loss, made, pulls)
        if pulls:
            losses["critic"] = self.critic.teach(pictures, made.detach().float())
        self.learner.update(number, progress)
        return losses

    def look(self, sheet_path: Path) -> dict[str, float]:
        """Rows of held-out pictures over their reconstructions; PSNR on all held-out pictures."""
        pictures = from_bytes(self.held_out.pictures[:16])
        made = reconstructed(self.averaged, pictures)
        rows = [x for i in range(0, len(pictures), 8) for x in (pictures[i : i + 8], made[i : i + 8])]
        sheet([image for row in rows for image in to_images(row)], columns=min(8, len(pictures))).save(sheet_path)
        return {"psnr_db": psnr(self.averaged, self.held_out)}


@torch.inference_mode()
def reconstructed(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] in [-1, 1] through the autoencoder, without noise; float32."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return vae.decode(vae.encode(pictures).latent_dist.mean).sample.float()


def psnr(vae: AutoencoderKL, scenes: SceneCache) -> float:
    """Peak signal-to-noise ratio of the reconstructions, in dB, from the mean squared error over all pictures."""
    error = 0.0
    for first in range(0, len(scenes), 64):
        pictures = from_bytes(scenes.pictures[first : first + 64])
        made = reconstructed(vae, pictures).clamp(-1, 1)
        error += float((made - pictures).pow(2).mean()) * len(pictures)
    return 10 * math.log10(4.0 / max(error / len(scenes), 1e-9))


def train_autoencoder(
    cache: SceneCache,
    out: Path,
    run: TrainingRun,
    recipe: AutoencoderRecipe | None = None,
    model: AutoencoderKL | None = None,
    held_out: SceneCache | None = None,
) -> AutoencoderKL:
    """Train, then write the averaged weights with their latent scale and shift to `out` in diffusers format.

    Args:
        model: another architecture than `build_autoencoder`'s, or one to go on with.
        held_out: scenes to measure on; None renders some of the held-out split.

    Raises:
        Cancelled, UserError: as `training_loop.train`.
    """
    run.prepare()
    work, recipe = out / "training", recipe or AutoencoderRecipe()
    held_out = held_out or render_cache(work / "held-out", HELD_OUT, cache.size, run.seed + 1, "held-out")
    training = AutoencoderTraining(model or build_autoencoder(cache.size), cache, held_out, recipe, run.seed)
    trained = train(training, run, work)
    _export(training, out, trained)
    return training.averaged


@torch.inference_mode()
def _export(training: AutoencoderTraining, out: Path, trained: Trained) -> None:
    """Set scale and shift from the latents of some training pictures, and write the model with the run's facts."""
    vae, cache, latents = training.averaged, training.cache, []
    for first in range(0, min(SCALED, len(cache)), 64):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            encoded = vae.encode(from_bytes(cache.pictures[first : first + 64]))
        latents.append(encoded.latent_dist.mean.float())
    every = torch.cat(latents)
    vae.register_to_config(scaling_factor=1.0 / float(every.std()), shift_factor=float(every.mean()))
    vae.save_pretrained(out, safe_serialization=True)
    facts = {
        "steps": trained.steps,
        "batch": training.recipe.batch,
        "loss": trained.loss(),
        "minutes": trained.minutes,
        "psnr_db": psnr(vae, training.held_out),
        "held out": len(training.held_out),
    }
    (out / "training" / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
