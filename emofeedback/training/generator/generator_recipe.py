"""The recipe of the bundled generator: flow matching on autoencoder latents from captions and valence-arousal.

Every batch crosses captions of every completeness with {the scene's valence-arousal, none} and {its sketch, none}, and
drops the words now and then, so that words, emotion, a sketch or none of them can guide the drawing. Text encoders,
transformer, emotion adapter and sketch adapter are trained together from scratch. Where the scenes have boxes, the
subject counts more than the rest.
"""

import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor, nn

from emofeedback.affect import Affect
from emofeedback.flow.pixels import from_bytes, sheet
from emofeedback.flow.schedule import interpolate, logit_normal_times, velocity
from emofeedback.generators.scene.known_words import CAPTIONS
from emofeedback.generators.scene.scene_generator import TIMESTEPS, SceneDiffusionGenerator
from emofeedback.generators.scene.sketch import sketches_from
from emofeedback.records import PictureRequest
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import ASPECTS, describe, random_aspects, vocabulary
from emofeedback.training.common.box_weights import weight_map, weighted_mean
from emofeedback.training.common.latents import cache_latents
from emofeedback.training.common.optim import Learner, Muon, Schedule, split_kernels, split_parameters
from emofeedback.training.common.scene_data import SceneCache, ScenePool
from emofeedback.training.common.training_loop import TrainingRun, step_generator, train
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
ADAPTERS = "adapter", "sketch"
WHOLE = 0.4
"""Share of captions that name everything, besides those that do by chance: as prompts do that a plan has completed."""
UNSIZED = 0.5
"""Share of the captions of large and small subjects that leave the size out: a sketch shows it."""
SHEET_AFFECTS = (Affect(0.7, 0.1), Affect(-0.7, 0.1))


@dataclass(frozen=True, slots=True)
class GeneratorRecipe:
    """Hyper-parameters of the generator's training.

    Attributes:
        align: weight of the alignment with a judge's vision, where one is given.
        inside: weight of the subjects' boxes, where the scenes have them; 1 outside.
    """

    batch: int = 128
    muon_lr: float = 2e-2
    adam_lr: float = 8e-4
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=60))
    average_decay: float = 0.999
    drop_text: float = 0.12
    give_affect: float = 0.75
    give_sketch: float = 0.8
    clip: float = 1.0
    align: float = 0.4
    inside: float = 2.0
    shape: GeneratorShape = field(default_factory=GeneratorShape)


@dataclass(frozen=True, slots=True)
class Batch:
    """Scene numbers, latents float32 [B, C, h, w] (scaled), token ids [B, L], valence, arousal, strength (0, 1) [B].

    And sketches [B, 4, S, S], with whether each is given (0, 1) [B].
    """

    indices: NDArray[np.int64]
    latents: Tensor
    ids: Tensor
    valence: Tensor
    arousal: Tensor
    strength: Tensor
    sketches: Tensor
    given: Tensor


class BatchMaker:
    """Makes the batch of a step; a pure function of (seed, step), so a resumed run goes on as it would have."""

    def __init__(
        self,
        pool: ScenePool,
        latents: np.ndarray,
        vae: AutoencoderKL,
        tokenizer: Any,
        recipe: GeneratorRecipe,
        seed: int,
    ) -> None:
        self.pool, self.latents, self.tokenizer, self.recipe, self.seed = pool, latents, tokenizer, recipe, seed
        self.shift, self.scale = float(vae.config.shift_factor), float(vae.config.scaling_factor)
        points = [scene_affect(scene) for scene in pool.scenes]
        self.points = torch.tensor([[p.valence, p.arousal] for p in points], dtype=torch.float32)

    def __call__(self, step: int) -> Batch:
        recipe, rng = self.recipe, random.Random(f"{self.seed}/batch/{step}")
        chosen = self.pool.batch(self.seed, step, recipe.batch)
        captions, strength, given = [], [], []
        for i in chosen:
            aspects = ASPECTS if rng.random() < WHOLE else random_aspects(rng)
            scene = self.pool.scenes[i]
            if scene.size is not None and rng.random() < UNSIZED:
                scene = replace(scene, size=None)
            caption = describe(scene, rng, aspects)
            captions.append("" if rng.random() < recipe.drop_text else caption)
            strength.append(1.0 if rng.random() < recipe.give_affect else 0.0)
            given.append(1.0 if rng.random() < recipe.give_sketch else 0.0)
        encoded = self.tokenizer(
            captions, padding="max_length", max_length=recipe.shape.text_length, truncation=True, return_tensors="pt"
        )
        latents = (torch.from_numpy(self.latents[chosen].astype(np.float32)) - self.shift) * self.scale
        points = self.points[torch.from_numpy(chosen)]
        strengths, sketched = torch.tensor(strength), torch.tensor(given)
        drawn, flats = self.pool.pictures_of(chosen), self.pool.flats_of(chosen)
        sketches = sketches_from(from_bytes(drawn), from_bytes(flats))
        return Batch(chosen, latents, encoded.input_ids, points[:, 0], points[:, 1], strengths, sketches, sketched)


def flow_matching_loss(
    networks: nn.ModuleDict, batch: Batch, noise_source: torch.Generator, weights: Tensor | None = None
) -> Tensor:
    """Mean squared error of the velocity at logit-normal times (Esser et al. 2024); scalar, float32.

    Args:
        weights: of the places of the latents, [B, 1, h, w]; None = all alike.
    """
    clean = batch.latents
    times = logit_normal_times(len(clean), noise_source)
    noise = torch.randn(clean.shape, generator=noise_source)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        prompt, pooled = encode_captions(networks, batch.ids)
        prompt, pooled = networks["adapter"](prompt, pooled, batch.valence, batch.arousal, batch.strength)
        residuals = networks["sketch"](batch.sketches) * batch.given[:, None, None, None]
        predicted = networks["transformer"](
            hidden_states=interpolate(clean, noise, times),
            timestep=times * TIMESTEPS,
            encoder_hidden_states=prompt,
            pooled_projections=pooled,
            block_controlnet_hidden_states=list(residuals.unbind(1)),
            return_dict=False,
        )[0]
    return weighted_mean((predicted.float() - velocity(clean, noise)).pow(2), weights)


class GeneratorTraining:
    """What the training loop steps: text encoders, transformer and both adapters on the latents of scenes.

    Args:
        posed: more scenes, of people and animals in poses; they come more often.
    """

    name = "the generator"

    def __init__(
        self,
        cache: SceneCache,
        vae_dir: Path,
        recipe: GeneratorRecipe,
        seed: int,
        judge: Path | None = None,
        posed: SceneCache | None = None,
    ) -> None:
        self.recipe, self.seed = recipe, seed
        self.pool = ScenePool.of(cache, posed)
        self.vae = AutoencoderKL.from_pretrained(vae_dir, use_safetensors=True).eval().requires_grad_(False)
        self.tokenizer = build_tokenizer(vocabulary(), recipe.shape.text_length)
        self.networks = build_networks(recipe.shape, self.tokenizer).train()
        # The adapters end in zeros: under AdamW the effect of emotion was still invisible after 300 steps.
        blocks = self.networks["transformer"].get_submodule("transformer_blocks")
        parts = (blocks, *map(self.networks.get_submodule, ADAPTERS))
        hidden, rest = split_parameters(parts, self.networks)
        kernels, _ = split_kernels(self.networks["sketch"], ends=())
        moved = {id(p) for p in kernels}
        hidden, rest = hidden + kernels, [p for p in rest if id(p) not in moved]
        self.alignment: Alignment | None = None
        if judge is not None:
            shape = recipe.shape
            self.alignment = Alignment(judge, (shape.latent_side // 2) ** 2, shape.heads * shape.head_dim)
            rest += list(self.alignment.projector.parameters())
        adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        muon = Muon(hidden, lr=recipe.muon_lr)
        self.learner = Learner(self.networks, [muon, adam], recipe.schedule, recipe.average_decay, recipe.clip)
        self.averaged: nn.ModuleDict = self.learner.average.copy  # type: ignore[assignment]
        use_plain_attention(self.networks)
        if self.alignment is not None:
            self.alignment.watch(self.networks["transformer"])
        latents = np.concatenate([cache_latents(part, vae_dir) for part in self.pool.caches])
        self.batches = BatchMaker(self.pool, latents, self.vae, self.tokenizer, recipe, seed)

    @property
    def samples(self) -> int:
        return self.recipe.batch

    def state(self) -> dict[str, Any]:
        projector = None if self.alignment is None else self.alignment.projector.state_dict()
        return {"learner": self.learner.state(), "projector": projector}

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state["learner"])
        if self.alignment is not None:
            self.alignment.projector.load_state_dict(state["projector"])

    def step(self, number: int, progress: float) -> dict[str, float]:
        recipe, batch, weights = self.recipe, self.batches(number), None
        if self.pool.boxed:
            weights = weight_map(self.pool.boxes_of(batch.indices), batch.latents.shape[-1], recipe.inside)
        loss = flow_matching_loss(self.networks, batch, step_generator(self.seed, number), weights)
        losses, total = {"loss": float(loss.detach())}, loss
        if self.alignment is not None and progress < ALIGNED_SPAN:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                aligned = self.alignment.loss(from_bytes(self.pool.pictures_of(batch.indices)))
            losses["aligned"], total = float(aligned.detach()), loss + recipe.align * aligned
        total.backward()
        self.learner.update(number, progress)
        return losses

    def look(self, sheet_path: Path) -> dict[str, float]:
        """Twelve prompts at a pleasant and an unpleasant point, eight guided steps, from the averaged weights."""
        pipeline = assemble_pipeline(self.averaged, self.vae, self.tokenizer, self.recipe.shape.shift)
        generator = SceneDiffusionGenerator(
            pipeline,
            self.averaged["adapter"],  # type: ignore[arg-type]
            captions=CAPTIONS,
            sketch=self.averaged["sketch"],  # type: ignore[arg-type]
        )
        requests = [
            PictureRequest(prompt, affect, seed=i, steps=8)
            for affect in SHEET_AFFECTS
            for i, prompt in enumerate(SHEET_PROMPTS)
        ]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pictures = [picture.image for picture in generator.generate(requests)]
        sheet(pictures, columns=6).save(sheet_path)
        return {}


def train_generator(
    cache: SceneCache,
    vae_dir: Path,
    out: Path,
    run: TrainingRun,
    recipe: GeneratorRecipe | None = None,
    command: str = "",
    judge: Path | None = None,
    posed: SceneCache | None = None,
) -> Path:
    """Train and export the pipeline to `out`; returns `out`.

    Args:
        vae_dir: what `train_autoencoder` wrote.
        command: the command line, for the model card.
        judge: whose vision the transformer's tokens are aligned with; None does without.
        posed: more scenes, of people and animals in poses.

    Raises:
        Cancelled, UserError: as `training_loop.train`.
    """
    run.prepare()
    recipe = recipe or GeneratorRecipe()
    training = GeneratorTraining(cache, vae_dir, recipe, run.seed, judge, posed)
    trained = train(training, run, out / "training")
    facts: dict[str, float | int | str] = {
        "scenes": len(training.pool),
        "pixels": cache.size,
        "steps": trained.steps,
        "batch": recipe.batch,
        "minutes": trained.minutes,
        "loss": round(trained.loss(), 4),
        "seed": run.seed,
        "threads": str(run.threads),
        "aligned": judge is not None,
        "command": command or f"python -m emofeedback train generator --minutes {run.minutes:g}",
    }
    export_generator(training.averaged, training.vae, training.tokenizer, recipe.shape.shift, vocabulary(), out, facts)
    return out
