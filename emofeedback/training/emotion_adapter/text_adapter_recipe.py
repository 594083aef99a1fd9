"""The recipe of a text emotion adapter: EmotiCrafter's training, on text encoders alone.

    f_t = f_n + alpha (f_e - f_n)          loss = ||f^ - f_t||^2 / density(v, a)

f_n and f_e are the embeddings of a neutral and an emotional prompt, f^ the adapter's output for f_n at the pair's
valence and arousal. alpha = 1.5 overshoots, as EmotiCrafter does: the mean of many ways to be sad is pale.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emofeedback.files.checksums import write_checksums
from emofeedback.generators.pipelines.emotion_text_adapter import TextAdapterShape, TextEmotionAdapter, encoders_of
from emofeedback.training.common.optim import Learner, Schedule
from emofeedback.training.common.scene_data import batch_indices
from emofeedback.training.common.training_loop import TrainingRun, train
from emofeedback.training.emotion_adapter.emotion_pairs import density_weights, own_pairs, read_pairs
from emofeedback.training.emotion_adapter.text_embeddings import PairBatch, PairEmbeddings, embed_pairs
from emofeedback.training.judge.judge_export import table

ALPHA = 1.5
HELD_OUT = 0.1  # share of the pairs, the last ones of a fixed shuffle
SMALL = 1024  # width of embeddings up to which a smaller network does

CARD = """---
license: apache-2.0
tags: [text-to-image, emotion]
---
# Text emotion adapter

Puts valence and arousal into the text embeddings of one kind of generator, after EmotiCrafter (Dang et al. 2025).
No diffusion model was trained or loaded.

Made for: {encoders}.

## Recipe
`{command}`

{facts}

## Held-out pairs
Squared error of the embeddings against f_n + {alpha} (f_e - f_n), mean over entries, {count} pairs:

{metrics}

## Limits
It has seen the kinds of words in its pairs. {source} Its valence and arousal are those of its pairs, not measured in
pictures: read them back with `sweep` before trusting them.
"""


@dataclass(frozen=True, slots=True)
class AdapterRecipe:
    """How an adapter learns; sizes of the network None = by the width of the embeddings."""

    pairs: int = 4000
    batch: int = 32
    lr: float = 5e-4
    schedule: Schedule = field(default_factory=Schedule)
    average_decay: float = 0.995
    width: int | None = None
    layers: int | None = None

    def shape(self, prompt_dim: int, pooled_dim: int | None) -> TextAdapterShape:
        small = prompt_dim <= SMALL
        return TextAdapterShape(
            prompt_dim,
            pooled_dim,
            width=self.width or (192 if small else 512),
            heads=4 if small else 8,
            layers=self.layers or (4 if small else 12),
        )


def target_of(batch: PairBatch, alpha: float = ALPHA) -> tuple[Tensor, Tensor | None]:
    """f_t of a batch: [B, L, D], and [B, P] or None."""
    embeds = batch.neutral + alpha * (batch.emotional - batch.neutral)
    if batch.pooled_neutral is None or batch.pooled_emotional is None:
        return embeds, None
    return embeds, batch.pooled_neutral + alpha * (batch.pooled_emotional - batch.pooled_neutral)


def squared_errors(batch: PairBatch, embeds: Tensor, pooled: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Mean squared error of each pair against its target, [B], over its tokens; and of the pooled embedding."""
    wanted, wanted_pooled = target_of(batch)
    error = (embeds - wanted).square().mean(-1)
    error = (error * batch.mask).sum(1) / batch.mask.sum(1).clamp(min=1)
    if pooled is None or wanted_pooled is None:
        return error, None
    return error, (pooled - wanted_pooled).square().mean(-1)


class TextAdapterTraining:
    """What the training loop steps: an adapter on the first `count` pairs."""

    name = "the emotion adapter"

    def __init__(
        self, adapter: TextEmotionAdapter, data: PairEmbeddings, count: int, recipe: AdapterRecipe, seed: int
    ) -> None:
        self.adapter, self.data, self.count, self.recipe, self.seed = adapter, data, count, recipe, seed
        self.device = next(adapter.parameters()).device
        optimiser = torch.optim.AdamW(adapter.parameters(), lr=recipe.lr, betas=(0.9, 0.98), weight_decay=0.01)
        self.learner = Learner(adapter, [optimiser], recipe.schedule, recipe.average_decay)
        self.averaged: TextEmotionAdapter = self.learner.average.copy  # type: ignore[assignment]
        self.weights = torch.from_numpy(density_weights(data.points[:count])).float().to(self.device)

    @property
    def samples(self) -> int:
        return min(self.recipe.batch, self.count)

    def state(self) -> dict[str, Any]:
        return self.learner.state()

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state)

    def step(self, number: int, progress: float) -> dict[str, float]:
        rows = batch_indices(self.seed, number, self.samples, self.count)
        loss = _loss(self.adapter, self.data.batch(rows.tolist(), str(self.device)), self.weights[rows])
        loss.backward()
        self.learner.update(number, progress)
        return {"loss": float(loss.detach())}

    def look(self, sheet_path: Path) -> dict[str, float]:
        return {}


def train_text_adapter(
    base: Path,
    out: Path,
    run: TrainingRun,
    recipe: AdapterRecipe | None = None,
    pairs: Path | None = None,
    device: str = "cpu",
    command: str = "python -m emofeedback train adapter",
) -> dict[str, float]:
    """Train an adapter for the text encoders of `base`, measure it on held-out pairs, write it to `out`.

    Args:
        base: a generator's folder in diffusers format.
        pairs: a file of pairs; None = pairs of the scene world.

    Returns:
        The held-out errors.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `run.resume` goes on from it.
        UserError: the base or the pairs cannot be used, or there is nothing to resume.
    """
    run.prepare()
    recipe, seed = recipe or AdapterRecipe(), run.seed
    known = own_pairs(out / "training", recipe.pairs, seed) if pairs is None else read_pairs(pairs)
    order = np.random.default_rng(seed).permutation(len(known))
    shuffled = [known[i] for i in order]
    data = embed_pairs(out / "training" / "embeddings", base, shuffled, device)
    held = max(2, round(HELD_OUT * len(data)))
    count = len(data) - held
    adapter = TextEmotionAdapter(recipe.shape(data.prompt_dim, data.pooled_dim), encoders_of(base)).to(device)
    training = TextAdapterTraining(adapter, data, count, recipe, seed)
    trained = train(training, run, out / "training")
    average = training.averaged
    metrics = measure_adapter(average, data, range(count), range(count, len(data)), device)
    facts: dict[str, float | int | str] = {"steps": trained.steps, "minutes": trained.minutes, "loss": trained.loss()}
    facts |= {"pairs": count, "threads": str(run.threads), "seed": seed}
    facts["weights of the adapter"] = sum(p.numel() for p in average.parameters())
    average.save_pretrained(out)
    source = "They were made from the scene world's captions." if pairs is None else f"They came from {pairs.name}."
    _write_card(out, average, facts, metrics, held, command, source)
    return metrics


def _loss(adapter: TextEmotionAdapter, batch: PairBatch, weights: Tensor) -> Tensor:
    ones = torch.ones_like(batch.valence)
    embeds, pooled = adapter(batch.neutral, batch.pooled_neutral, batch.valence, batch.arousal, ones, batch.mask)
    error, pooled_error = squared_errors(batch, embeds, pooled)
    return (weights * (error if pooled_error is None else error + pooled_error)).mean()


@torch.no_grad()
def measure_adapter(
    adapter: TextEmotionAdapter, data: PairEmbeddings, train: Sequence[int], held_out: Sequence[int], device: str
) -> dict[str, float]:
    """Held-out error of the adapter, of the neutral prompt as it is, and of the training pairs' mean residual."""
    adapter = adapter.eval()
    mean, pooled_mean = _mean_residual(data, train, device)
    sums: dict[str, list[float]] = {}
    for start in range(0, len(held_out), 16):
        batch = data.batch(list(held_out)[start : start + 16], device)
        ones = torch.ones_like(batch.valence)
        pooled = batch.pooled_neutral
        moved = None if pooled is None or pooled_mean is None else pooled + pooled_mean
        guesses = {
            "adapter": adapter(batch.neutral, pooled, batch.valence, batch.arousal, ones, batch.mask),
            "identity": (batch.neutral, pooled),
            "mean residual": (batch.neutral + mean, moved),
        }
        for name, guess in guesses.items():
            error, pooled_error = squared_errors(batch, *guess)
            sums.setdefault(f"{name}, prompt", []).extend(error.tolist())
            if pooled_error is not None:
                sums.setdefault(f"{name}, pooled", []).extend(pooled_error.tolist())
    return {name: float(np.mean(values)) for name, values in sums.items()}


def _mean_residual(data: PairEmbeddings, rows: Sequence[int], device: str) -> tuple[Tensor, Tensor | None]:
    """Mean of f_t - f_n over pairs, place by place."""
    total: Any = 0.0
    pooled_total: Any = 0.0
    for start in range(0, len(rows), 64):
        batch = data.batch(list(rows)[start : start + 64], device)
        wanted, pooled = target_of(batch)
        total = total + (wanted - batch.neutral).sum(0)
        if pooled is not None and batch.pooled_neutral is not None:
            pooled_total = pooled_total + (pooled - batch.pooled_neutral).sum(0)
    found = None if isinstance(pooled_total, float) else pooled_total / len(rows)
    return total / len(rows), found


def _write_card(
    out: Path,
    adapter: TextEmotionAdapter,
    facts: dict[str, float | int | str],
    metrics: dict[str, float],
    held: int,
    command: str,
    source: str,
) -> None:
    encoders = "; ".join(f"{part}: {what}" for part, what in adapter.trained_for.items())
    card = CARD.format(
        encoders=encoders,
        command=command,
        facts=table(facts),
        alpha=ALPHA,
        count=held,
        source=source,
        metrics=table({name: f"{value:.5g}" for name, value in metrics.items()}),
    )
    for name, text in (("README.md", card), ("metrics.json", json.dumps(metrics, indent=1) + "\n")):
        temporary = out / f".{name}.new"
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, out / name)
    write_checksums(out)
