"""The recipe of the bundled generator: flow matching on autoencoder latents from captions and valence-arousal.

Every batch crosses captions of every completeness with {the scene's valence-arousal, none} and drops the words
now and then, so that words, emotion, both or neither can guide the drawing. Text encoders, transformer and
emotion adapter are trained together from scratch, for a number of minutes.
"""

import copy
import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor, nn

from emofeedback.affect import Affect
from emofeedback.files.training_state import load_state, save_state
from emofeedback.flow.pixels import from_bytes, sheet
from emofeedback.flow.schedule import interpolate, logit_normal_times, velocity
from emofeedback.generators.scene.scene_generator import TIMESTEPS, SceneDiffusionGenerator
from emofeedback.records import PictureRequest
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe, random_aspects, vocabulary
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.budget import prepare_host
from emofeedback.training.common.optim import Muon, Optimisers, WeightAverage, split_parameters, trapezoid
from emofeedback.training.common.scene_data import SceneCache, batch_indices, cache_latents
from emofeedback.training.common.training_loop import sit
from emofeedback.training.generator.alignment import SPAN as ALIGNED_SPAN
from emofeedback.training.generator.alignment import Alignment
from emofeedback.training.generator.generator_export import export_generator
from emofeedback.training.generator.networks import (
    GeneratorShape,
    assemble_pipeline,
    build_networks,
    build_tokenizer,
    encode_captions,
    use_plain_attention,
)

logger = logging.getLogger(__name__)
SHEET_PROMPTS = (
    "a lighthouse by the seaside",
    "a cat in a garden",
    "a house in a village",
    "a boat on a lake",
    "a couple in a park",
    "a horse on a meadow",
    "a castle in the mountains",
    "a car on a road",
    "a wolf in the forest at night",
    "a tree in the desert at sunset",
    "a train in the snow",
    "a city in the rain",
)
SHEET_AFFECTS = (Affect(0.7, 0.1), Affect(-0.7, 0.1))


@dataclass(frozen=True, slots=True)
class GeneratorRecipe:
    """Hyper-parameters of the generator's training."""

    batch: int = 128
    muon_lr: float = 2e-2
    adam_lr: float = 8e-4
    warmup_steps: int = 60
    cooldown: float = 0.35  # last share of the time budget
    average_decay: float = 0.999
    drop_text: float = 0.12
    give_affect: float = 0.75
    clip: float = 1.0
    align: float = 0.4  # weight of the alignment with a judge's vision, where one is given
    log_steps: int = 20
    save_seconds: float = 300.0
    sheet_seconds: float = 600.0
    shape: GeneratorShape = field(default_factory=GeneratorShape)


@dataclass(frozen=True, slots=True)
class Batch:
    """Scene numbers, latents float32 [B, C, h, w] (scaled), token ids [B, L], valence, arousal, strength (0, 1) [B]."""

    indices: NDArray[np.int64]
    latents: Tensor
    ids: Tensor
    valence: Tensor
    arousal: Tensor
    strength: Tensor


class BatchMaker:
    """Makes the batch of a step; a pure function of (seed, step), so a resumed run goes on as it would have."""

    def __init__(
        self,
        scenes: Sequence[Scene],
        latents: np.ndarray,
        vae: AutoencoderKL,
        tokenizer: Any,
        recipe: GeneratorRecipe,
        seed: int,
    ) -> None:
        self.scenes, self.latents, self.tokenizer, self.recipe, self.seed = scenes, latents, tokenizer, recipe, seed
        self.shift, self.scale = float(vae.config.shift_factor), float(vae.config.scaling_factor)
        points = [scene_affect(scene) for scene in scenes]
        self.points = torch.tensor([[p.valence, p.arousal] for p in points], dtype=torch.float32)

    def __call__(self, step: int) -> Batch:
        recipe, rng = self.recipe, random.Random(f"{self.seed}/batch/{step}")
        chosen = batch_indices(self.seed, step, recipe.batch, len(self.scenes))
        captions, strength = [], []
        for i in chosen:
            caption = describe(self.scenes[i], rng, random_aspects(rng))
            captions.append("" if rng.random() < recipe.drop_text else caption)
            strength.append(1.0 if rng.random() < recipe.give_affect else 0.0)
        encoded = self.tokenizer(
            captions, padding="max_length", max_length=recipe.shape.text_length, truncation=True, return_tensors="pt"
        )
        latents = (torch.from_numpy(self.latents[chosen].astype(np.float32)) - self.shift) * self.scale
        points = self.points[torch.from_numpy(chosen)]
        return Batch(chosen, latents, encoded.input_ids, points[:, 0], points[:, 1], torch.tensor(strength))


def flow_matching_loss(networks: nn.ModuleDict, batch: Batch, noise_source: torch.Generator) -> Tensor:
    """Mean squared error of the velocity at logit-normal times (Esser et al. 2024); scalar, float32."""
    clean = batch.latents
    times = logit_normal_times(len(clean), noise_source)
    noise = torch.randn(clean.shape, generator=noise_source)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        prompt, pooled = encode_captions(networks, batch.ids)
        prompt, pooled = networks["adapter"](prompt, pooled, batch.valence, batch.arousal, batch.strength)
        predicted = networks["transformer"](
            hidden_states=interpolate(clean, noise, times),
            timestep=times * TIMESTEPS,
            encoder_hidden_states=prompt,
            pooled_projections=pooled,
            return_dict=False,
        )[0]
    return (predicted.float() - velocity(clean, noise)).pow(2).mean()


class GeneratorTrainer:
    """Everything that a sitting needs and that a saved state restores."""

    def __init__(
        self, cache: SceneCache, vae_dir: Path, out: Path, recipe: GeneratorRecipe, seed: int, judge: Path | None = None
    ) -> None:
        torch.manual_seed(seed)
        self.cache, self.out, self.recipe, self.seed = cache, out, recipe, seed
        self.vae = AutoencoderKL.from_pretrained(vae_dir, use_safetensors=True).eval().requires_grad_(False)
        self.tokenizer = build_tokenizer(vocabulary(), recipe.shape.text_length)
        self.networks = build_networks(recipe.shape, self.tokenizer).train()
        self.average = WeightAverage(self.networks, copy.deepcopy(self.networks), recipe.average_decay)
        self.averaged: nn.ModuleDict = self.average.copy  # type: ignore[assignment]
        use_plain_attention(self.networks)
        # The adapter ends in zeros: under AdamW its effect was still invisible after 300 steps.
        matrices_of = (self.networks["transformer"].get_submodule("transformer_blocks"), self.networks["adapter"])
        hidden, rest = split_parameters(matrices_of, self.networks)
        self.alignment: Alignment | None = None
        if judge is not None:
            shape = recipe.shape
            tokens, width = (shape.latent_side // 2) ** 2, shape.heads * shape.head_dim
            self.alignment = Alignment(judge, self.networks["transformer"], tokens, width)
            rest += list(self.alignment.projector.parameters())
        adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        self.optimisers = Optimisers([Muon(hidden, lr=recipe.muon_lr), adam])
        self.batches = BatchMaker(cache.scenes, cache_latents(cache, vae_dir), self.vae, self.tokenizer, recipe, seed)
        self.state_path = out / "training" / "state.safetensors"
        self.step, self.elapsed, self.loss, self.aligned = 0, 0.0, math.nan, math.nan

    def save(self) -> None:
        """Write the whole state in one step."""
        save_state(
            self.state_path,
            {
                "networks": self.networks.state_dict(),
                "average": self.averaged.state_dict(),
                "optimisers": self.optimisers.state_dict(),
                "step": self.step,
                "elapsed": self.elapsed,
                "loss": str(self.loss),
                "seed": self.seed,
                "projector": None if self.alignment is None else self.alignment.projector.state_dict(),
            },
        )

    def load(self) -> None:
        """Go on from the saved state.

        Raises:
            UserError: there is none, or it is damaged.
        """
        state = load_state(self.state_path)
        self.networks.load_state_dict(state["networks"])
        self.averaged.load_state_dict(state["average"])
        if self.alignment is not None and state["projector"] is not None:
            self.alignment.projector.load_state_dict(state["projector"])
        self.optimisers.load_state_dict(state["optimisers"])
        self.step, self.elapsed, self.seed = state["step"], state["elapsed"], state["seed"]
        self.batches.seed, self.loss = self.seed, float(state["loss"])

    def train_step(self, progress: float) -> float:
        """One optimiser step at `progress` in [0, 1] of the budget; the loss of its batch."""
        recipe = self.recipe
        noise_source = torch.Generator().manual_seed(self.seed * 1_000_003 + self.step)
        batch = self.batches(self.step)
        loss = flow_matching_loss(self.networks, batch, noise_source)
        total = loss
        if self.alignment is not None and progress < ALIGNED_SPAN:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                aligned = self.alignment.loss(from_bytes(self.cache.pictures[batch.indices]))
            self.aligned, total = float(aligned.detach()), loss + recipe.align * aligned
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.networks.parameters(), recipe.clip)
        self.optimisers.step(trapezoid(self.step, progress, recipe.warmup_steps, recipe.cooldown))
        self.average.update(self.step)
        value = float(loss.detach())
        self.loss = value if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * value
        self.step += 1
        return value

    def losses(self) -> dict[str, float]:
        """What the log shows: the smoothed loss, and that of the alignment where there is one."""
        aligned = {} if math.isnan(self.aligned) else {"aligned": self.aligned}
        return {"loss": self.loss, **aligned}

    def draw_sheet(self, path: Path) -> None:
        """Twelve prompts at a pleasant and an unpleasant point, eight guided steps, from the averaged weights."""
        pipeline = assemble_pipeline(self.averaged, self.vae, self.tokenizer, self.recipe.shape.shift)
        generator = SceneDiffusionGenerator(pipeline, self.averaged["adapter"])  # type: ignore[arg-type]
        requests = [
            PictureRequest(prompt, affect, seed=i, steps=8)
            for affect in SHEET_AFFECTS
            for i, prompt in enumerate(SHEET_PROMPTS)
        ]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pictures = [picture.image for picture in generator.generate(requests)]
        sheet(pictures, columns=6).save(path)


def train_generator(
    cache: SceneCache,
    vae_dir: Path,
    out: Path,
    minutes: float,
    resume: bool = False,
    threads: int = 2,
    seed: int = 0,
    batch: int = 128,
    recipe: GeneratorRecipe | None = None,
    command: str = "",
    judge: Path | None = None,
) -> Path:
    """Train for `minutes` (earlier sittings included) and export the pipeline to `out`; returns `out`.

    Args:
        vae_dir: what `train_autoencoder` wrote.
        recipe: replaces the standard one and `batch`.
        judge: whose vision the transformer's tokens are aligned with; None does without.
        command: the command line, for the model card.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `resume` goes on from it.
        UserError: `resume` without a saved state.
    """
    prepare_host(threads)
    recipe = recipe or GeneratorRecipe(batch=batch)
    trainer = GeneratorTrainer(cache, vae_dir, out, recipe, seed, judge)
    if resume:
        trainer.load()
    sit(trainer, minutes, out / "training", "Training of the generator was stopped; its state is saved.")
    facts: dict[str, float | int | str] = {
        "scenes": len(cache),
        "pixels": cache.size,
        "steps": trainer.step,
        "batch": recipe.batch,
        "minutes": round(trainer.elapsed / 60, 1),
        "loss": round(trainer.loss, 4),
        "seed": trainer.seed,
        "threads": threads,
        "command": command or f"python -m emofeedback train generator --minutes {minutes:g}",
    }
    export_generator(trainer.averaged, trainer.vae, trainer.tokenizer, recipe.shape.shift, vocabulary(), out, facts)
    return out
