"""The recipe of the visual adapter: flow matching of a frozen generator that is shown a visual prompt.

The words mostly name place and subject alone and valence-arousal is mostly left out, so that what the words leave
open has to come from the visual prompt. Shown are, by turns, the centre that a scene belongs to, the centres that its
caption retrieves in a group that it belongs to (what drawing will do), and one or two pictures that share its setting
but not its content, so that a picture's mood is learned apart from what it shows.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emofeedback.affect import MIKELS
from emofeedback.flow.pixels import sheet, to_images
from emofeedback.flow.schedule import euler_step, guided, interpolate, logit_normal_times, velocity
from emofeedback.generators.scene.scene_generator import TIMESTEPS, SceneDiffusionGenerator
from emofeedback.generators.visual.bank import VisualBank
from emofeedback.generators.visual.visual_adapter import VisualAdapter, VisualShape
from emofeedback.records import PictureRequest
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe, random_aspects
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.optim import Learner, Muon, Schedule
from emofeedback.training.common.scene_data import batch_indices
from emofeedback.training.common.training_loop import step_generator
from emofeedback.training.generator.networks import PlainJointAttention

SHEET_PROMPTS = ("a lighthouse by the seaside", "a cat in a garden", "a castle in the mountains")
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VisualRecipe:
    """Hyper-parameters of the visual adapter's training."""

    batch: int = 64
    muon_lr: float = 1e-2
    adam_lr: float = 1e-3
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=20, cooldown=0.4))
    average_decay: float = 0.99
    clip: float = 1.0
    time_mean: float = 0.4  # of the logit-normal times: the mood is settled early, where noise is strong
    short_captions: float = 0.7  # place and subject alone
    no_words: float = 0.08
    give_affect: float = 0.1
    own_centre: float = 0.35
    retrieved: float = 0.35  # the rest: other pictures of the same setting
    noise: float = 0.1  # standard deviation, in units of a feature's own


@dataclass(frozen=True, slots=True)
class VisualBatch:
    """Clean latents [B, C, h, w] (scaled), prompt [B, L, D] and pooled embeddings [B, P], features [B, T, E]."""

    clean: Tensor
    prompt: Tensor
    pooled: Tensor
    features: Tensor


class VisualBatches:
    """Makes the batch of a step; a pure function of (seed, step).

    Args:
        latents: [N, C, h, w] of the scenes, scaled as the transformer wants them.
        features: [N, T, E] of the scenes' pictures.
        members: of each centre of the bank.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        latents: NDArray[np.floating],
        features: NDArray[np.floating],
        bank: VisualBank,
        members: Sequence[NDArray[np.int64]],
        generator: SceneDiffusionGenerator,
        recipe: VisualRecipe,
        seed: int,
    ) -> None:
        self.scenes, self.latents, self.features, self.bank = scenes, latents, features, bank
        self.generator, self.recipe, self.seed = generator, recipe, seed
        self.affects = [scene_affect(scene).affect() for scene in scenes]
        self.spread = np.float32(features[:2048].astype(np.float32).std())
        self.centres: list[list[int]] = [[] for _ in scenes]
        for number, rows in enumerate(members):
            for row in rows:
                self.centres[int(row)].append(number)
        self.alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for row, scene in enumerate(scenes):
            for key in _settings(scene):
                self.alike[key].append(row)

    @torch.no_grad()
    def __call__(self, step: int) -> VisualBatch:
        recipe, rng = self.recipe, random.Random(f"{self.seed}/visual/{step}")
        chosen = batch_indices(self.seed, step, recipe.batch, len(self.scenes))
        requests = [self._request(row, rng) for row in chosen.tolist()]
        prompt, pooled = self.generator.texts.together([request.prompt for request in requests])
        words = pooled.float().numpy()
        shown = np.stack([self._shown(row, word, rng) for row, word in zip(chosen.tolist(), words, strict=True)])
        noise = np.random.default_rng((self.seed, step)).standard_normal(shown.shape, dtype=np.float32)
        shown = shown + recipe.noise * self.spread * noise
        clean = torch.from_numpy(self.latents[chosen].astype(np.float32))
        return VisualBatch(clean, *self.generator.with_emotion(prompt, pooled, requests), torch.from_numpy(shown))

    def _request(self, row: int, rng: random.Random) -> PictureRequest:
        recipe, draw = self.recipe, rng.random()
        aspects = () if draw < recipe.short_captions else random_aspects(rng)
        prompt = "" if draw > 1 - recipe.no_words else describe(self.scenes[row], rng, aspects)
        given = rng.random() < recipe.give_affect
        return PictureRequest(prompt, self.affects[row] if given else None, 0, 1.0 if given else 0.0)

    def _shown(self, row: int, words: Array, rng: random.Random) -> Array:
        """The visual prompt [T, E] of a scene; `words` [D] is its caption's text feature."""
        draw, mine = rng.random(), self.centres[row]
        if mine and draw < self.recipe.own_centre:
            return self.bank.visual[rng.choice(mine)]
        if mine and draw < self.recipe.own_centre + self.recipe.retrieved:
            group = self.bank.centres[rng.choice(mine)].group
            hits = self.bank.retrieve(words, group)
            return self.bank.mix([(hit.number, hit.weight) for hit in hits])
        picked = [self._partner(row, rng) for _ in range(rng.choice((1, 1, 2)))]
        return self.features[picked].astype(np.float32).mean(0)

    def _partner(self, row: int, rng: random.Random) -> int:
        """Another scene with as much of this one's setting as there is, or this one."""
        for key in _settings(self.scenes[row]):
            others = self.alike[key]
            if len(others) > 1:
                found = rng.choice(others)
                if found != row:
                    return found
        return row


def _settings(scene: Scene) -> tuple[tuple[object, ...], ...]:
    """Keys of what a setting shows, the most particular first; what weighs most in the affect is in all of them."""
    core = scene.weather, scene.elements
    return ((*core, scene.time, scene.light, scene.palette), (*core, scene.time), core)


def visual_loss(
    generator: SceneDiffusionGenerator, batch: VisualBatch, source: torch.Generator, time_mean: float = 0.0
) -> Tensor:
    """Mean squared error of the velocity with the visual prompt at full strength; scalar, float32."""
    clean = batch.clean
    times = logit_normal_times(len(clean), source, time_mean)
    noise = torch.randn(clean.shape, generator=source)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        predicted = generator.pipeline.transformer(
            hidden_states=interpolate(clean, noise, times),
            timestep=times * TIMESTEPS,
            encoder_hidden_states=batch.prompt,
            pooled_projections=batch.pooled,
            joint_attention_kwargs={"ip_adapter_image_embeds": batch.features, "ip_scale": torch.ones(len(clean))},
            return_dict=False,
        )[0]
    return (predicted.float() - velocity(clean, noise)).pow(2).mean()


class VisualTraining:
    """What the training loop steps: an adapter on a frozen generator."""

    name = "the visual prompts"

    def __init__(
        self, generator: SceneDiffusionGenerator, batches: VisualBatches, recipe: VisualRecipe, seed: int
    ) -> None:
        self.generator, self.batches, self.recipe, self.seed = generator, batches, recipe, seed
        transformer = generator.pipeline.transformer
        for module in (transformer, generator.pipeline.vae, generator.adapter):
            if module is not None:
                module.requires_grad_(False)
        transformer.set_attn_processor(PlainJointAttention())
        config, (tokens, width) = transformer.config, batches.bank.visual.shape[1:]
        self.adapter = VisualAdapter(
            VisualShape(tokens, width, config.num_layers, config.num_attention_heads, config.attention_head_dim)
        )
        matrices, rest = self.adapter.parameters_by_kind()
        adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        muon = Muon(matrices, lr=recipe.muon_lr)
        self.learner = Learner(self.adapter, [muon, adam], recipe.schedule, recipe.average_decay, recipe.clip)
        self.averaged: VisualAdapter = self.learner.average.copy  # type: ignore[assignment]
        self.adapter.attach(transformer)

    @property
    def samples(self) -> int:
        return self.recipe.batch

    def state(self) -> dict[str, Any]:
        return self.learner.state()

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state)

    def step(self, number: int, progress: float) -> dict[str, float]:
        source = step_generator(self.seed, number)
        loss = visual_loss(self.generator, self.batches(number), source, self.recipe.time_mean)
        loss.backward()
        self.learner.update(number, progress)
        return {"loss": float(loss.detach())}

    @torch.no_grad()
    def look(self, sheet_path: Path) -> dict[str, float]:
        """One row a prompt: without a visual prompt, then with each emotion's, by the averaged adapter, unguided."""
        generator, transformer = self.generator, self.generator.pipeline.transformer
        self.averaged.attach(transformer)
        pictures = []
        for prompt in SHEET_PROMPTS:
            shown = np.zeros_like(self.batches.bank.visual[: len(MIKELS) + 1])
            words = generator.texts.features([prompt])[0]
            for i, name in enumerate(MIKELS):
                hits = self.batches.bank.retrieve(words, name)
                shown[i + 1] = self.batches.bank.mix([(hit.number, hit.weight) for hit in hits])
            strength = torch.ones(len(shown))
            strength[0] = 0.0
            latents = draw_plain(generator, prompt, torch.from_numpy(shown), strength)
            pictures += to_images(generator.decode(latents))
        sheet(pictures, len(MIKELS) + 1).save(sheet_path)
        self.adapter.attach(transformer)
        return {}


def draw_plain(
    generator: SceneDiffusionGenerator,
    prompt: str,
    features: Tensor,
    strength: Tensor,
    steps: int = 8,
    guidance: float = 3.0,
) -> Tensor:
    """Latents [B, C, h, w] of one noise with several visual prompts, guided away from neither words nor picture."""
    count, levels = len(features), generator.levels(steps).tolist()
    latents = generator.noise([0] * count)
    embeds, pooled = (torch.cat(rows) for rows in zip(*generator.texts([prompt] * count + [""] * count), strict=True))
    shown, scale = torch.cat([features, features]), torch.cat([strength, torch.zeros_like(strength)])
    for level, level_next in zip(levels[:-1], levels[1:], strict=True):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            predicted = generator.pipeline.transformer(
                hidden_states=latents.repeat(2, 1, 1, 1),
                timestep=torch.full((2 * count,), level * TIMESTEPS),
                encoder_hidden_states=embeds,
                pooled_projections=pooled,
                return_dict=False,
                joint_attention_kwargs={"ip_adapter_image_embeds": shown, "ip_scale": scale},
            )[0].float()
        with_both, without = predicted.chunk(2)
        latents = euler_step(latents, guided(with_both, without, torch.full((count,), guidance)), level, level_next)
    return latents
