"""Distilling a picture encoder into `LatentEncoder`, which reads the generator's latents."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emofeedback.generators.visual.encoders import LatentEncoder
from emofeedback.training.common.optim import Learner, Muon, Schedule, split_kernels
from emofeedback.training.common.scene_data import batch_indices
from emofeedback.training.common.training_loop import TrainingRun, train

Rows = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class EncoderRecipe:
    """Hyper-parameters of the distillation."""

    batch: int = 128
    muon_lr: float = 5e-3
    adam_lr: float = 1e-3
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=20, cooldown=0.5))
    average_decay: float = 0.99


class EncoderTraining:
    """What the training loop steps: an encoder of latents [N, C, h, w] that says features [N, T, E]."""

    name = "the picture encoder"

    def __init__(self, latents: Rows, features: Rows, recipe: EncoderRecipe, seed: int) -> None:
        self.latents, self.features, self.recipe, self.seed = latents, features, recipe, seed
        self.encoder = LatentEncoder(latents.shape[1], features.shape[-1])
        kernels, rest = split_kernels(self.encoder, ("layers.0.",))
        adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.99), weight_decay=0.0)
        muon = Muon(kernels, lr=recipe.muon_lr)
        self.learner = Learner(self.encoder, [muon, adam], recipe.schedule, recipe.average_decay)

    @property
    def samples(self) -> int:
        return self.recipe.batch

    def state(self) -> dict[str, Any]:
        return self.learner.state()

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state)

    def step(self, number: int, progress: float) -> dict[str, float]:
        rows = batch_indices(self.seed, number, self.recipe.batch, len(self.latents))
        seen = torch.from_numpy(self.latents[rows].astype(np.float32))
        wanted = torch.from_numpy(self.features[rows].astype(np.float32))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = (self.encoder(seen).float() - wanted).square().mean()
        loss.backward()
        self.learner.update(number, progress)
        return {"loss": float(loss.detach())}

    def look(self, sheet_path: Path) -> dict[str, float]:
        return {}


def distil_encoder(
    latents: Rows, features: Rows, run: TrainingRun, work: Path, held_out: int = 512
) -> tuple[LatentEncoder, float]:
    """An encoder of latents that says what `features` say, and its share of their variance on held-out pictures.

    Args:
        latents: [N, C, h, w], scaled; features: [N, T, E], standardised.
        work: folder of the state and the log.
        held_out: the last pictures; they measure and are not learned from.
    """
    count = len(latents) - held_out
    training = EncoderTraining(latents[:count], features[:count], EncoderRecipe(), run.seed)
    train(training, run, work)
    encoder: LatentEncoder = training.learner.average.copy  # type: ignore[assignment]
    with torch.no_grad():
        told = encoder(torch.from_numpy(latents[count:].astype(np.float32))).float().numpy()
    wanted = features[count:].astype(np.float32)
    explained = 1.0 - float(((told - wanted) ** 2).sum() / ((wanted - wanted.mean((0, 1))) ** 2).sum())
    return encoder, explained
