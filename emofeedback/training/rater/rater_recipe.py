"""The recipe of the second rater: a ResNet-18 of half width on its own renders, with broken pictures as a class.

Per step some pictures are intact (renders, faint autoencoder round trips: all losses) and some are broken (latents
drowned in noise, heavy blur, patches of two scenes mixed: only the loss of realism). Where the scenes have boxes, some
of the broken pictures are renders whose subject has melted: they teach realism, and that no subject is shown.
"""

import copy
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import ResNetConfig, ResNetForImageClassification

from emofeedback.evaluation.raters.scene_rater import ANY_OF, LABELS, ONE_OF, SPANS, SceneRater
from emofeedback.flow.pixels import from_bytes
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.augmentation import augment, melt, round_trips
from emofeedback.training.common.curves import write_curve
from emofeedback.training.common.optim import GOING_ON, Learner, Muon, Schedule, split_kernels
from emofeedback.training.common.scene_data import SceneCache, ScenePool, render_cache
from emofeedback.training.common.training_loop import TrainingRun, step_generator, train
from emofeedback.training.judge.judge_export import replace_files, table

ROUND_TRIP_SHARE = 1 / 3  # of the cache, once faint and once broken
FAINT, BROKEN = (0.0, 0.25), (0.9, 2.0)  # noise on the latents, in units of theirs
HELD_OUT = 512  # scenes that measure
MELTED = 0.4  # share of the broken pictures that are renders with a melted subject
RATING_WEIGHT = 20.0  # squared errors of ratings are small beside cross-entropies
CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: image-classification
---
# scene-rater

A half-width ResNet-18 of {parameters:.1f} M weights that reads valence, arousal, content and intactness in pictures of
the scene world ({size} px). It evaluates the generator and the judge and guides neither: other architecture, seed and
renders than theirs. Load it with `emofeedback.evaluation.raters.scene_rater.SceneRater.from_pretrained` or with
`ResNetForImageClassification.from_pretrained`; pixels go in as [-1, 1].

## Data
Renders of random scenes of the grammar's training split with their scene-scale valence and arousal (not human
ratings), autoencoder round trips with the label of their render, and broken pictures for realism only.

## Recipe
`python -m emofeedback train rater --minutes {minutes}`

![Learning curve](learning_curve.svg)

{facts}

## Held-out metrics
Scenes whose place-subject pairs never occurred in training.

{metrics}

## Limits
Flat drawn scenes only. Realism means intact by the standards of the renderer, nothing else.
"""


@dataclass(frozen=True, slots=True)
class RaterRecipe:
    """Hyper-parameters of the rater's training; Muon has ten times AdamW's rate.

    Attributes:
        intact, broken: pictures per step.
    """

    intact: int = 64
    broken: int = 16
    lr: float = 2e-3
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=60, cooldown=0.4))
    average_decay: float = 0.998
    clip: float = 5.0


def build_rater(
    size: int = 128, widths: Sequence[int] = (32, 64, 128, 256), depth: int = 2
) -> ResNetForImageClassification:
    """A random ResNet of basic blocks with the rater's labels; 2.8 M weights by default."""
    config = ResNetConfig(
        embedding_size=widths[0],
        hidden_sizes=list(widths),
        depths=[depth] * len(widths),
        layer_type="basic",
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
        image_size=size,  # type: ignore[call-arg]
    )
    return ResNetForImageClassification(config)


def truth(scenes: Sequence[Scene]) -> Tensor:
    """Targets [N, labels]: valence, arousal, then 1 for each concept that is shown; realism 1."""
    rows = torch.zeros(len(scenes), len(LABELS))
    column = {label: i for i, label in enumerate(LABELS)}
    for row, scene in zip(rows, scenes, strict=True):
        affect = scene_affect(scene)
        row[:2] = torch.tensor([affect.valence, affect.arousal])
        shown = [(aspect, getattr(scene, aspect)) for aspect in ONE_OF]
        shown += [("subject", s) for s in (scene.subject, scene.companion) if s] + [
            ("element", e) for e in scene.elements
        ]
        row[[column[f"{aspect}: {word}"] for aspect, word in shown] + [-1]] = 1.0
    return rows


def rater_loss(logits: Tensor, targets: Tensor, melted: Tensor | None = None) -> Tensor:
    """Losses of ratings, concepts and realism; rows whose realism target is 0 count for realism only.

    Args:
        melted: [B] booleans: rows that have no realism but teach that no subject is shown.
    """
    intact = targets[:, -1] > 0.5
    loss = F.binary_cross_entropy_with_logits(logits[:, -1], targets[:, -1])
    if melted is not None and bool(melted.any()):
        absent = F.binary_cross_entropy_with_logits(logits[melted, SPANS["subject"]], targets[melted, SPANS["subject"]])
        loss = loss + absent * len(ANY_OF["subject"]) / 4 * float(melted.sum() / intact.sum().clamp(min=1))
    logits, targets = logits[intact], targets[intact]
    loss = loss + RATING_WEIGHT * F.mse_loss(logits[:, :2], targets[:, :2])
    for aspect in ONE_OF:
        loss = loss + F.cross_entropy(logits[:, SPANS[aspect]], targets[:, SPANS[aspect]].argmax(-1)) / len(ONE_OF)
    for aspect, words in ANY_OF.items():
        several = F.binary_cross_entropy_with_logits(logits[:, SPANS[aspect]], targets[:, SPANS[aspect]])
        loss = loss + several * len(words) / 4
    return loss


def break_pictures(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Each picture [B, 3, S, S] broken in one of three ways: blurred, mixed with its neighbour, drowned in noise."""
    count, _, size, _ = pixels.shape
    way = torch.randint(0, 3, (count, 1, 1, 1), generator=generator)
    small = F.interpolate(pixels, size // 8, mode="area")
    blurred = F.interpolate(small, (size, size), mode="bilinear", align_corners=False)
    mask = torch.rand(count, 1, 4, 4, generator=generator) < 0.4
    mask = F.interpolate(mask.float(), (size, size), mode="nearest") > 0.5
    mixed = torch.where(mask, pixels.roll(1, 0), pixels)
    level = 0.25 + 0.5 * torch.rand(count, 1, 1, 1, generator=generator)
    coarse = torch.randn(count, 3, size // 4, size // 4, generator=generator)
    noisy = (pixels + level * F.interpolate(coarse, (size, size), mode="bilinear")).clamp(-1, 1)
    return torch.where(way == 0, blurred, torch.where(way == 1, mixed, noisy))


@dataclass(frozen=True, slots=True)
class RaterBatch:
    """Augmented pictures [B, 3, S, S], targets [B, labels], and which of them are melted, [B] booleans."""

    pixels: Tensor
    targets: Tensor
    melted: Tensor


class RaterData:
    """Batches of augmented pictures and targets; step k is a function of (seed, k).

    Args:
        faint, broken: two round trips each of the pool's first pictures.
    """

    def __init__(self, pool: ScenePool, faint: NDArray[np.uint8], broken: NDArray[np.uint8], seed: int) -> None:
        self.pool, self.faint, self.broken, self.seed = pool, faint, broken, seed
        self.targets = truth(pool.scenes)

    def batch(self, step: int, intact: int, damaged: int) -> RaterBatch:
        """`intact` pictures, then `damaged` ones."""
        generator, count = step_generator(self.seed, step), intact + damaged
        indices = self.pool.batch(self.seed, step, count)
        pictures = self.pool.pictures_of(indices)
        coins = torch.rand(count, generator=generator).tolist()
        melted = torch.rand(count, generator=generator) < MELTED
        melted[:intact] = False
        boxes = self.pool.boxes_of(indices)
        melted &= torch.tensor([bool(found) for found in boxes])
        ready = []  # damaged rows that the autoencoder broke already
        for k, (i, coin) in enumerate(zip(indices, coins, strict=True)):
            if i < len(self.faint) and coin < 0.5 and not melted[k]:
                pictures[k] = self.faint[i] if k < intact else self.broken[i]
                ready.append(k)
        pixels = from_bytes(pictures)
        made = break_pictures(pixels[intact:], generator)
        without = melt(pixels[intact:], boxes[intact:], generator)
        for k in range(intact, count):
            if k not in ready:
                pixels[k] = without[k - intact] if melted[k] else made[k - intact]
        targets = self.targets[indices].clone()
        targets[intact:, -1] = 0.0
        targets[melted, SPANS["subject"]] = 0.0
        return RaterBatch(augment(pixels, generator), targets, melted)


class RaterTraining:
    """What the training loop steps."""

    name = "the rater"

    def __init__(self, model: ResNetForImageClassification, data: RaterData, recipe: RaterRecipe) -> None:
        self.model, self.data, self.recipe = model, data, recipe
        kernels, rest = split_kernels(model, ends=("embedder.embedder",))
        adam = torch.optim.AdamW(rest, lr=recipe.lr, weight_decay=0.05, fused=True)
        muon = Muon(kernels, lr=10 * recipe.lr)
        self.learner = Learner(model, [muon, adam], recipe.schedule, recipe.average_decay, recipe.clip)
        self.averaged: ResNetForImageClassification = self.learner.average.copy  # type: ignore[assignment]

    @property
    def samples(self) -> int:
        return self.recipe.intact + self.recipe.broken

    def state(self) -> dict[str, Any]:
        return self.learner.state()

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state)

    def step(self, number: int, progress: float) -> dict[str, float]:
        batch = self.data.batch(number, self.recipe.intact, self.recipe.broken)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.model(pixel_values=batch.pixels).logits
        loss = rater_loss(logits.float(), batch.targets, batch.melted)
        loss.backward()
        self.learner.update(number, progress)
        return {"loss": float(loss.detach())}

    def look(self, sheet_path: Path) -> dict[str, float]:
        return {}


def train_rater(
    cache: SceneCache,
    out: Path,
    run: TrainingRun,
    recipe: RaterRecipe | None = None,
    vae_dir: Path | None = None,
    held_out: SceneCache | None = None,
    architecture: dict[str, object] | None = None,
    posed: SceneCache | None = None,
    start_from: Path | None = None,
) -> ResNetForImageClassification:
    """Train, measure on held-out scenes, export to `out`.

    Args:
        cache: renders of another seed than the judge's and the generator's.
        vae_dir: the autoencoder of the round trips, faint and broken; None does without.
        held_out: scenes to measure on; None renders some of the held-out split.
        architecture: other sizes than `build_rater`'s.
        posed: more renders, of people and animals in poses.
        start_from: the folder of a rater whose weights this one begins with; it learns more slowly then.

    Raises:
        Cancelled, UserError: as `training_loop.train`; UserError: `start_from` holds no rater.
    """
    run.prepare()
    work, recipe, seed = out / "training", recipe or RaterRecipe(), run.seed
    if start_from is None:
        model = build_rater(cache.size, **(architecture or {}))  # type: ignore[arg-type]
    else:
        recipe = replace(recipe, lr=GOING_ON * recipe.lr)
        model = SceneRater.from_pretrained(start_from).model.float().requires_grad_(True)
    model = model.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    faint = broken = cache.pictures[:0]
    if vae_dir is not None:
        some = cache.pictures[: math.ceil(len(cache) * ROUND_TRIP_SHARE)]
        faint = round_trips(some, vae_dir, work / "faint.npy", FAINT, seed)
        broken = round_trips(some, vae_dir, work / "broken.npy", BROKEN, seed + 1)
    pool = ScenePool.of(cache, posed)
    training = RaterTraining(model, RaterData(pool, faint, broken, seed), recipe)
    trained = train(training, run, work)
    held_out = held_out or render_cache(work / "held-out", HELD_OUT, cache.size, seed + 1, "held-out")
    facts: dict[str, float | int | str] = {"steps": trained.steps, "minutes": trained.minutes}
    facts |= {"pictures per step": training.samples, "loss": trained.loss()}
    facts |= {"scenes": len(pool), "round trips": 2 * len(faint)}
    facts |= {"begun as": "random weights" if start_from is None else "an earlier rater"}
    facts |= {"optimiser": f"Muon {10 * recipe.lr:g} and AdamW {recipe.lr:g}"}
    facts |= {"threads": str(run.threads), "seed": seed, "held out": len(held_out)}
    _export(training.averaged, out, facts, measure_rater(training.averaged, held_out))
    return training.averaged


def measure_rater(model: ResNetForImageClassification, held_out: SceneCache) -> dict[str, float]:
    """Pearson r and mean absolute error per axis, accuracy per aspect, intact and broken told apart."""
    rater = SceneRater(model, held_out.size)
    images = [Image.fromarray(np.asarray(picture)) for picture in held_out.pictures]
    readings = rater.read(images)
    targets = truth(held_out.scenes)
    metrics: dict[str, float] = {}
    for axis, name in enumerate(("valence", "arousal")):
        said = np.array([getattr(r, name) for r in readings])
        true = targets[:, axis].numpy()
        metrics[f"{name} Pearson r"] = float(np.corrcoef(true, said)[0, 1])
        metrics[f"{name} mean absolute error"] = float(np.abs(true - said).mean())
    pairs = list(zip(readings, held_out.scenes, strict=True))
    hits = {a: [r.content[a][0] == getattr(s, a) for r, s in pairs] for a in ONE_OF}
    hits["subject"] = [{w for w, _ in r.subjects} == {s.subject, s.companion} - {None} for r, s in pairs]
    hits["element"] = [{w for w, _ in r.elements} == set(s.elements) for r, s in pairs]
    metrics |= {f"{aspect} right": float(np.mean(found)) for aspect, found in hits.items()}
    metrics["attributes right"] = float(np.mean(list(hits.values())))
    metrics["intact called intact"] = float(np.mean([r.realism > 0.5 for r in readings]))
    with torch.no_grad():
        pixels = break_pictures(from_bytes(np.array(held_out.pictures[:64])), torch.Generator().manual_seed(0))
        metrics["broken called broken"] = float((model(pixel_values=pixels).logits[:, -1] < 0).float().mean())
    return metrics


def _export(
    model: ResNetForImageClassification, out: Path, facts: dict[str, float | int | str], metrics: dict[str, float]
) -> None:
    """Write weights in bfloat16, model card, metrics and checksums to `out`."""
    made = out / ".export"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    copy.deepcopy(model).bfloat16().save_pretrained(made, max_shard_size="9MB")
    parameters, size = sum(p.numel() for p in model.parameters()) / 1e6, model.config.image_size
    card = CARD.format(
        parameters=parameters, size=size, minutes=facts["minutes"], facts=table(facts), metrics=table(dict(metrics))
    )
    (made / "README.md").write_text(card, encoding="utf-8")
    write_curve(out / "training" / "log.jsonl", ("loss",), made / "learning_curve.svg")
    (made / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    replace_files(made, out)
