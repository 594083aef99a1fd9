"""The decoder's finish: what the generator leaves in its latents is drawn as crisply as what the encoder makes.

A decoder that has seen the encoder's latents alone turns the small errors of a generator's into smears and tiles.
Here the encoder and the generator stand still, and the decoder learns on latents of known renders that the generator
drew again from noise (as in SDEdit, Meng et al. 2022, arXiv 2108.01073): from a little, or, where a sketch keeps every
line at its place, from much, which is nearly what it draws by itself. It also learns on latents with plain noise (as
Zheng et al. 2025, arXiv 2510.11690, do), and on clean ones, so that it forgets nothing. A patch critic makes it commit
to one edge where a pixel loss would blur two.
"""

import json
import math
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.files.checksums import write_checksums
from emofeedback.flow.pixels import from_bytes, sheet, to_images
from emofeedback.flow.schedule import euler_step, interpolate
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.records import PictureRequest
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.box_weights import weight_map
from emofeedback.training.common.latents import cache_latents
from emofeedback.training.common.optim import Learner, Muon, Schedule, split_kernels
from emofeedback.training.common.scene_data import SceneCache, batch_indices
from emofeedback.training.common.training_loop import TrainingRun, step_generator, train
from emofeedback.training.generator.autoencoder import AutoencoderRecipe, reconstruction_loss
from emofeedback.training.generator.critic import patch_critic

HELD_OUT = 32  # redrawn scenes that measure
REDRAW_LEVELS, SKETCHED_LEVELS = (0.1, 0.6), (0.4, 0.95)
"""Noise levels that latents are drawn again from, without and with a sketch: beyond, it is another picture."""
VAE = "vae"


@dataclass(frozen=True, slots=True)
class DecoderRecipe:
    """Hyper-parameters of the decoder's finish.

    Attributes:
        redrawn: share of a batch that the generator drew again; noisy: share of the clean latents with plain noise of
            up to `noise`, in units of the latents' spread.
        redraws, redraw_steps: how many latents are drawn again, in how many guided steps.
        loss: weights of the reconstruction loss.
        critic_from: share of the run after which the critic pulls; it learns from the start.
        critic_pull: its gradient in units of the reconstruction's.
    """

    batch: int = 16
    muon_lr: float = 5e-3
    adam_lr: float = 5e-4
    critic_lr: float = 1e-3
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=20, cooldown=0.5))
    average_decay: float = 0.995
    redrawn: float = 0.6
    noisy: float = 0.6
    noise: float = 0.35
    redraws: int = 2048
    redraw_steps: int = 3
    loss: AutoencoderRecipe = field(default_factory=AutoencoderRecipe)
    critic_from: float = 0.15
    critic_pull: float = 0.5


@torch.inference_mode()
def redrawn_latents(
    generator: SceneDiffusionGenerator, scenes: Sequence[Scene], latents: Tensor, steps: int, seed: int, batch: int = 32
) -> Tensor:
    """Latents [N, C, h, w] of N scenes, noised to some level and drawn again by the guided generator.

    Args:
        latents: scaled, as the generator draws them; float32.
        steps: guided Euler steps of each. All of a batch begin at one level, drawn from `REDRAW_LEVELS`
            or `SKETCHED_LEVELS`.
    """
    made = []
    for first in range(0, len(latents), batch):
        clean, requests = latents[first : first + batch].to(generator.device), []
        rng = random.Random(f"{seed}/decoder/{first}")
        shown = scenes[first : first + len(clean)]
        for scene in shown:
            prompt = describe(scene, rng)
            requests.append(PictureRequest(prompt, scene_affect(scene).affect(), rng.randrange(2**40)))
        sketches = generator.sketches_of(shown)
        begin = rng.uniform(*(REDRAW_LEVELS if sketches is None else SKETCHED_LEVELS))
        noisy = interpolate(clean, generator.noise([r.seed for r in requests]), torch.full((len(clean),), begin))
        condition = generator.conditioning(requests)._replace(
            sketches=sketches, residuals=generator.residuals_of(sketches)
        )
        levels = torch.linspace(begin, 0.0, steps + 1).tolist()
        for level, level_next in zip(levels[:-1], levels[1:], strict=True):
            noisy = euler_step(noisy, generator.velocity(noisy, level, condition), level, level_next)
        made.append(noisy.cpu())
    return torch.cat(made)


@dataclass(frozen=True, slots=True)
class DecoderData:
    """Renders and their latents, unscaled, as the decoder takes them.

    Attributes:
        latents: [N, C, h, w] of the encoder; redrawn: [n, C, h, w] of the generator, for the first n scenes.
    """

    cache: SceneCache
    latents: NDArray[np.float16]
    redrawn: NDArray[np.float16]

    def __post_init__(self) -> None:
        if not len(self.latents) == len(self.cache) >= len(self.redrawn) > 1:
            raise ValueError("latents, redrawn latents and scenes do not belong together")

    @property
    def held_out(self) -> range:
        """Redrawn scenes that measure: the last ones."""
        return range(len(self.redrawn) - max(1, min(HELD_OUT, len(self.redrawn) // 8)), len(self.redrawn))

    @property
    def others(self) -> NDArray[np.int64]:
        """Scenes whose own latents are learned from: those that were not redrawn, else those that do not measure."""
        first, end = len(self.redrawn), len(self.cache)
        return np.arange(first, end) if end > first else np.arange(self.held_out.start)


class DecoderTraining:
    """What the training loop steps: the decoder of an autoencoder, and a critic."""

    name = "the decoder"

    def __init__(self, vae: AutoencoderKL, data: DecoderData, recipe: DecoderRecipe, seed: int) -> None:
        self.vae, self.data, self.recipe, self.seed = vae.requires_grad_(False), data, recipe, seed
        decoder = vae.decoder.train().requires_grad_(True)
        kernels, rest = split_kernels(decoder, ends=("conv_in", "conv_out"))
        adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        muon = Muon(kernels, lr=recipe.muon_lr, weight_decay=0.0)
        self.learner = Learner(decoder, [muon, adam], recipe.schedule, recipe.average_decay)
        self.critic = patch_critic(recipe.critic_lr)
        self.spread = float(torch.from_numpy(data.latents[:256].astype(np.float32)).std())

    @property
    def samples(self) -> int:
        return self.recipe.batch

    def state(self) -> dict[str, Any]:
        return {"learner": self.learner.state(), **self.critic.state()}

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state["learner"])
        self.critic.load(state)

    def batch(self, number: int) -> tuple[NDArray[np.int64], Tensor]:
        """Scene numbers [B] and latents [B, C, h, w] of a step; a pure function of (seed, step)."""
        recipe, source, first = self.recipe, step_generator(self.seed, number), self.data.held_out.start
        again, others = round(recipe.batch * recipe.redrawn), self.data.others
        drawn = batch_indices(self.seed, number, again, first)
        clean = others[batch_indices(self.seed + 1, number, recipe.batch - again, len(others))]
        plain = torch.from_numpy(self.data.latents[clean].astype(np.float32))
        level = self.spread * recipe.noise * torch.rand(len(plain), 1, 1, 1, generator=source)
        level *= torch.rand(len(plain), 1, 1, 1, generator=source) < recipe.noisy
        plain += level * torch.randn(plain.shape, generator=source)
        redrawn = torch.from_numpy(self.data.redrawn[drawn].astype(np.float32))
        return np.concatenate([drawn, clean]), torch.cat([redrawn, plain])

    def step(self, number: int, progress: float) -> dict[str, float]:
        recipe = self.recipe
        rows, latents = self.batch(number)
        pictures = from_bytes(np.stack([self.data.cache.pictures[row] for row in rows]))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = self.vae.decoder(latents.contiguous(memory_format=torch.channels_last))
        weights = None
        if self.data.cache.boxes is not None:
            weights = weight_map(self.data.cache.boxes_of(rows), pictures.shape[-1], recipe.loss.inside)
        made = made.float()
        loss = reconstruction_loss(made, pictures, recipe.loss, weights)
        losses = {"loss": float(loss.detach())}
        pulls = progress >= recipe.critic_from
        self.critic.backward(loss, made, pulls, recipe.critic_pull)
        losses["critic"] = self.critic.teach(pictures, made.detach())
        self.learner.update(number, progress)
        return losses

    @torch.inference_mode()
    def decoded(self, latents: NDArray[np.float16]) -> Tensor:
        """Pictures [n, 3, H, W] of unscaled latents, by the averaged decoder; float32."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made: Tensor = self.learner.average.copy(torch.from_numpy(latents.astype(np.float32)))
        return made.float()

    def look(self, sheet_path: Path) -> dict[str, float]:
        """Held-out scenes: the render, its latents decoded, those that the generator drew again; PSNR of both in dB."""
        rows = list(self.data.held_out)
        pictures = from_bytes(np.stack([self.data.cache.pictures[row] for row in rows]))
        ways = [self.decoded(latents[rows]) for latents in (self.data.latents, self.data.redrawn)]
        shown = [image for some in (pictures, *ways) for image in to_images(some[:8])]
        sheet(shown, columns=min(8, len(rows))).save(sheet_path)
        errors = [float((made.clamp(-1, 1) - pictures).pow(2).mean()) for made in ways]
        clean, redrawn = (10 * math.log10(4.0 / max(error, 1e-9)) for error in errors)
        return {"psnr_clean_db": clean, "psnr_redrawn_db": redrawn}


def train_decoder(
    teacher: Path, cache: SceneCache, out: Path, run: TrainingRun, recipe: DecoderRecipe | None = None
) -> Path:
    """Train the decoder of the generator in `teacher` and write the autoencoder to `out`/vae; returns that folder.

    Args:
        teacher: a checkpoint folder; it is only read. Its encoder, and so its latents, stay as they are.
        cache: scenes of the training split.

    Raises:
        Cancelled, UserError: as `training_loop.train`; UserError: the teacher is damaged or draws at another size.
    """
    run.prepare()
    recipe = recipe or DecoderRecipe()
    generator = SceneDiffusionGenerator.from_pretrained(teacher)
    generator.plans = False  # the words say all of the scenes that are drawn again
    vae = AutoencoderKL.from_pretrained(teacher / VAE, use_safetensors=True)
    side = int(vae.config.sample_size)
    if side != cache.size:
        raise UserError(f"The generator in {teacher} draws at {side} px, not {cache.size}; give --size {side}.")
    latents = cache_latents(cache, teacher / VAE)
    redrawn = _redrawn(generator, cache, latents, vae, recipe, run.seed, out / "training" / "redrawn.npy")
    run.prepare()  # what was made before must not change the critic's first weights
    training = DecoderTraining(vae, DecoderData(cache, latents, redrawn), recipe, run.seed)
    trained = train(training, run, out / "training")
    vae.decoder.load_state_dict(training.learner.average.copy.state_dict())
    vae.eval().save_pretrained(out / VAE, safe_serialization=True)
    facts = {"steps": trained.steps, "batch": recipe.batch, "minutes": trained.minutes, "loss": trained.loss()}
    facts |= training.look(out / "training" / "samples-final.png")
    (out / "training" / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return out / VAE


def _redrawn(
    generator: SceneDiffusionGenerator,
    cache: SceneCache,
    latents: NDArray[np.float16],
    vae: AutoencoderKL,
    recipe: DecoderRecipe,
    seed: int,
    path: Path,
) -> NDArray[np.float16]:
    """Unscaled latents that the generator drew again, kept in `path` once made."""
    count = min(recipe.redraws, len(cache))
    if path.is_file():
        found: NDArray[np.float16] = np.load(path)
        if len(found) == count:
            return found
    shift, scale = float(vae.config.shift_factor), float(vae.config.scaling_factor)
    scaled = (torch.from_numpy(latents[:count].astype(np.float32)) - shift) * scale
    made = redrawn_latents(generator, cache.scenes[:count], scaled, recipe.redraw_steps, seed) / scale + shift
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.new.npy")
    np.save(temporary, made.numpy().astype(np.float16))
    os.replace(temporary, path)
    return np.load(path)


def install_decoder(vae: Path, checkpoint: Path) -> None:
    """Put a finished autoencoder into the checkpoint folder whose encoder it shares, with checksums.

    Raises:
        UserError: the encoders differ.
    """
    ours, theirs = (AutoencoderKL.from_pretrained(folder, use_safetensors=True) for folder in (vae, checkpoint / VAE))
    pairs = zip(ours.encoder.parameters(), theirs.encoder.parameters(), strict=True)
    if not all(torch.equal(one, other) for one, other in pairs):
        raise UserError(f"{vae} has another encoder than {checkpoint}; finish the decoder of that generator.")
    new = checkpoint / f".{VAE}.new"
    shutil.rmtree(new, ignore_errors=True)
    ours.to(torch.bfloat16).save_pretrained(new, safe_serialization=True)
    shutil.rmtree(checkpoint / VAE)
    os.replace(new, checkpoint / VAE)
    write_checksums(checkpoint)
