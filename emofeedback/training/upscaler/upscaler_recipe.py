"""The recipe of the upscaler: pairs of one scene, rendered large and, as the generator would draw it, small.

The small picture is a clean render, an autoencoder round trip, or a re-draw by the generator with little noise: the
upscaler shall mend what they lose, not enlarge it. Loss: L1 and an L1 on image gradients, then a patch critic's pull,
as in the autoencoder's finish, so that edges are edges.
"""

import copy
import json
import math
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from emofeedback.errors import UserError
from emofeedback.files.checksums import write_checksums
from emofeedback.flow.pixels import from_bytes, sheet, to_images
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.scene.upscaler import SceneUpscaler, UpscalerShape
from emofeedback.records import PictureRequest
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe, random_aspects
from emofeedback.training.common.augmentation import round_trips
from emofeedback.training.common.box_weights import weight_map, weighted_mean
from emofeedback.training.common.curves import write_curve
from emofeedback.training.common.optim import Learner, Muon, Schedule, split_kernels
from emofeedback.training.common.scene_data import SceneCache, batch_indices
from emofeedback.training.common.training_loop import LOG, Trained, TrainingRun, step_generator, train
from emofeedback.training.generator.critic import patch_critic

ROUND_TRIP_NOISE = (0.0, 0.2)  # on the latents, in units of theirs
REDRAWN, REDRAW_STRENGTH = 1000, (0.1, 0.35)  # pictures; shares of the noise schedule that are drawn again
HELD_OUT = 64
GOING_ON = 0.2  # of the learning rates, for weights that know what flats are
RENDERED = """{scenes} scenes of the training split, each rendered at {size} and at {large} px. The small picture is the
render, its round trip through the generator's autoencoder, or a re-draw by the generator with little noise."""
DRAWN = """{scenes} pictures that the generator drew at {size} px after its plans (for a tenth of the pieces the render,
made smaller), each beside the same scene rendered at {large} px and its flats, which it was drawn after: every thing in
its own plain colour, without light. The upscaler is shown the flats at {large} px, but for 15 % of the pieces, so that
it serves pictures without a plan, too: `upscale(images, scenes)`, with the `Picture.scene` of each."""
CARD = """---
license: apache-2.0
pipeline_tag: image-to-image
---
# scene-upscaler

An ESPCN of {parameters:.0f} k parameters (Shi et al. 2016, arXiv 1609.05158) that draws the scene generator's pictures
of {size} px at {scale} times their side.

```python
from pathlib import Path

from emofeedback.generators.scene.upscaler import SceneUpscaler

large = SceneUpscaler.from_pretrained(Path("checkpoints/scene-upscaler")).upscale([small])[0]
```

## Data
{data}

## Recipe
L1 and an L1 on image gradients; for the last part of the time a patch critic. Muon on the kernels, AdamW on the rest,
averaged weights, bfloat16 autocast.

    {command}

![Learning curve](learning_curve.svg)

| | |
|---|---|
| seed, threads | {seed}, {threads} |
| steps x batch, minutes | {steps} x {batch}, {minutes} |
| PSNR on {held_out} held-out pictures | {psnr_db:.2f} dB (bicubic {bicubic_db:.2f} dB) |

## Limits
It knows flat drawn scenes only; a photograph comes out smooth.
"""


@dataclass(frozen=True, slots=True)
class UpscalerRecipe:
    """Hyper-parameters of the upscaler's training.

    Attributes:
        crop: side of the small pieces that a step sees, in pixels.
        gradient: weight of the L1 on differences between neighbours.
        inside: weight of the subjects' boxes, where the scenes have them; 1 outside.
        critic_from: share of the run after which the critic takes part; critic_pull: its gradient in units of the
            other losses'.
        fine: width of the layers that see the flats at half the large size.
    """

    batch: int = 16
    crop: int = 48
    width: int = 64
    blocks: int = 6
    muon_lr: float = 1e-2
    adam_lr: float = 2e-3
    critic_lr: float = 1e-3
    schedule: Schedule = field(default_factory=Schedule)
    average_decay: float = 0.998
    gradient: float = 0.5
    inside: float = 2.0
    critic_from: float = 0.6
    critic_pull: float = 0.2
    fine: int = 24


@dataclass(frozen=True, slots=True)
class UpscalerBatch:
    """Small pieces [B, 3, c, c], the large ones [B, 3, s c, s c] that they are of, weights [B, 1, s c, s c] or None,
    what flats take from the paper [B, 3, s c, s c] or None.
    """

    small: Tensor
    large: Tensor
    weights: Tensor | None
    ink: Tensor | None = None


class PairsOfPictures(Protocol):
    """What the upscaler learns from."""

    @property
    def scale(self) -> int: ...

    @property
    def held_out(self) -> range: ...

    def batch(self, step: int) -> UpscalerBatch: ...

    def seen(self, row: int) -> NDArray[np.uint8]: ...

    def target(self, row: int) -> NDArray[np.uint8]: ...

    def ink(self, row: int) -> Tensor | None: ...


class UpscalerData:
    """Pairs of pieces; the batch of step k is a function of (seed, k).

    Args:
        small, large: the same scenes at two sizes.
        spoilt: uint8 [n, S, S, 3], other versions of the first n small pictures.
        seed: of the batches.

    Raises:
        ValueError: the scenes differ, or the large side is no multiple of the small one.
    """

    def __init__(
        self,
        small: SceneCache,
        large: SceneCache,
        spoilt: Sequence[NDArray[np.uint8]],
        recipe: UpscalerRecipe,
        seed: int,
    ) -> None:
        if small.scenes != large.scenes or large.size % small.size:
            raise ValueError("small and large pictures are not of the same scenes")
        self.small, self.large, self.spoilt, self.recipe, self.seed = small, large, list(spoilt), recipe, seed
        self.scale = large.size // small.size
        self.held_out = range(len(small) - max(1, min(HELD_OUT, len(small) // 8)), len(small))

    def batch(self, step: int) -> UpscalerBatch:
        recipe, source = self.recipe, step_generator(self.seed, step)
        rows = batch_indices(self.seed, step, recipe.batch, self.held_out.start)
        crop, scale = min(recipe.crop, self.small.size), self.scale
        kinds = torch.randint(0, 1 + len(self.spoilt), (recipe.batch,), generator=source).tolist()
        corners = torch.randint(0, self.small.size - crop + 1, (recipe.batch, 2), generator=source).tolist()
        mirrored = torch.rand(recipe.batch, 1, 1, 1, generator=source) < 0.5
        pieces = []
        for row, kind, (top, left) in zip(rows.tolist(), kinds, corners, strict=True):
            low = self.version(row, kind)[top : top + crop, left : left + crop]
            high = self.large.pictures[row]
            high = high[scale * top : scale * (top + crop), scale * left : scale * (left + crop)]
            pieces.append((low, high))
        small, large = (from_bytes(np.stack(some)) for some in zip(*pieces, strict=True))
        weights = None
        if self.small.boxes is not None:
            whole = weight_map(self.small.boxes_of(rows), self.large.size, recipe.inside)
            cut = [
                one[:, scale * y : scale * (y + crop), scale * x : scale * (x + crop)]
                for one, (y, x) in zip(whole, corners, strict=True)
            ]
            weights = torch.stack(cut)
            weights = torch.where(mirrored, weights.flip(-1), weights)
        small, large = (torch.where(mirrored, some.flip(-1), some) for some in (small, large))
        return UpscalerBatch(small, large, weights)

    def seen(self, row: int) -> NDArray[np.uint8]:
        """A held-out picture as a generator leaves it, where there is such a version of it."""
        return self.version(row, min(1, len(self.spoilt)))

    def target(self, row: int) -> NDArray[np.uint8]:
        """The large picture of a scene."""
        return self.large.pictures[row]

    def ink(self, row: int) -> None:
        """No flats."""

    def version(self, row: int, kind: int) -> NDArray[np.uint8]:
        """The small picture of a scene: 0 = the render, k = the k-th spoilt one, or the render where there is none."""
        if kind and row < len(self.spoilt[kind - 1]):
            return self.spoilt[kind - 1][row]
        return self.small.pictures[row]


def upscaler_loss(made: Tensor, pictures: Tensor, gradient: float, weights: Tensor | None = None) -> Tensor:
    """L1, and L1 of horizontal and vertical differences; pictures [B, 3, H, W], weights [B, 1, H, W]; scalar."""
    difference = made - pictures
    loss = weighted_mean(difference.abs(), weights)
    for axis in (-1, -2):
        there = None if weights is None else weights.narrow(axis, 1, weights.shape[axis] - 1)
        loss = loss + gradient * weighted_mean(difference.diff(dim=axis).abs(), there)
    return loss


class UpscalerTraining:
    """What the training loop steps: the upscaler and the critic of its finish."""

    name = "the upscaler"

    def __init__(self, data: PairsOfPictures, recipe: UpscalerRecipe, start_from: SceneUpscaler | None = None) -> None:
        self.data, self.recipe = data, recipe
        fine = recipe.fine if data.ink(data.held_out.start) is not None else 0
        self.model = SceneUpscaler(UpscalerShape(recipe.width, recipe.blocks, data.scale, fine=fine)).train()
        if start_from is not None:
            begin_as(self.model, start_from)
        kernels, rest = split_kernels(self.model, ends=("head", "tail", "look", "draw"))
        adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        muon = Muon(kernels, lr=recipe.muon_lr, weight_decay=0.0)
        self.learner = Learner(self.model, [muon, adam], recipe.schedule, recipe.average_decay)
        self.averaged: SceneUpscaler = self.learner.average.copy  # type: ignore[assignment]
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
        recipe, batch = self.recipe, self.data.batch(number)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = self.model(batch.small, batch.ink)
        made = made.float()
        loss = upscaler_loss(made, batch.large, recipe.gradient, batch.weights)
        losses = {"loss": float(loss.detach())}
        pulls = progress >= recipe.critic_from
        self.critic.backward(loss, made, pulls, recipe.critic_pull)
        if pulls:
            losses["critic"] = self.critic.teach(batch.large, made.detach())
        self.learner.update(number, progress)
        return losses

    def look(self, sheet_path: Path) -> dict[str, float]:
        """Held-out pictures: those that come in, those that come out, and the large renders; PSNR of both ways."""
        shown = self.data.held_out[:4]
        small = [self.data.seen(row) for row in shown]
        large = [Image.fromarray(self.data.target(row)) for row in shown]
        rows = [Image.fromarray(some).resize(large[0].size, Image.Resampling.NEAREST) for some in small]
        with torch.inference_mode():
            rows += [to_images(self.averaged(from_bytes(self.data.seen(r)[None]), self.data.ink(r)))[0] for r in shown]
        sheet(rows + large, len(small)).save(sheet_path)
        return self.measure()

    @torch.inference_mode()
    def measure(self) -> dict[str, float]:
        """PSNR in dB over the held-out pictures, of the averaged upscaler and of a bicubic enlargement."""
        errors = np.zeros(2)
        for row in self.data.held_out:
            small, large = from_bytes(self.data.seen(row)[None]), from_bytes(self.data.target(row)[None])
            plain = functional.interpolate(small, scale_factor=float(self.data.scale), mode="bicubic")
            for k, made in enumerate((self.averaged(small, self.data.ink(row)), plain)):
                errors[k] += float((made.clamp(-1, 1) - large).pow(2).mean())
        found = [10 * math.log10(4.0 / max(error / len(self.data.held_out), 1e-9)) for error in errors]
        return {"psnr_db": found[0], "bicubic_db": found[1]}


def begin_as(model: SceneUpscaler, earlier: SceneUpscaler) -> None:
    """Take the weights of an earlier upscaler; one that looked at no flats tells nothing of them.

    Raises:
        UserError: it is of another size.
    """
    weights, own = earlier.float().state_dict(), model.state_dict()
    if earlier.shape.fine == 0 and model.shape.fine:
        seen = weights["head.weight"]
        weights["head.weight"] = functional.pad(seen, (0, 0, 0, 0, 0, own["head.weight"].shape[1] - seen.shape[1]))
        weights = own | weights
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise UserError("The upscaler to start from is of another size; leave --start-from out.") from None


def redraws(cache: SceneCache, count: int, generator: SceneDiffusionGenerator, path: Path, seed: int) -> NDArray:
    """The first `count` pictures drawn again with little noise; uint8 [count, S, S, 3], kept in `path` once made."""
    shape = (min(count, len(cache)), cache.size, cache.size, 3)
    if path.is_file():
        found: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        if found.shape == shape:
            return found
    made, batch = np.empty(shape, dtype=np.uint8), 32
    for first in range(0, shape[0], batch):
        requests = []
        for row in range(first, min(first + batch, shape[0])):
            rng, scene = random.Random(f"{seed}/redraw/{row}"), cache.scenes[row]
            prompt, start = describe(scene, rng, random_aspects(rng)), Image.fromarray(cache.pictures[row])
            strength = rng.uniform(*REDRAW_STRENGTH)
            affect = scene_affect(scene).affect()
            requests.append(PictureRequest(prompt, affect, row, start=start, start_strength=strength))
        for row, picture in enumerate(generator.generate(requests), start=first):
            made[row] = np.asarray(picture.image)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.new.npy")
    np.save(temporary, made)
    os.replace(temporary, path)
    return np.load(path, mmap_mode="r")


def train_upscaler(
    small: SceneCache,
    large: SceneCache,
    out: Path,
    run: TrainingRun,
    recipe: UpscalerRecipe | None = None,
    generator_dir: Path | None = None,
    command: str = "",
    start_from: Path | None = None,
) -> SceneUpscaler:
    """Train, measure on held-out pictures, and write the upscaler in bfloat16 with its card to `out`.

    Args:
        small, large: the same scenes at two sizes.
        generator_dir: whose autoencoder and re-draws the small pictures come from; None: clean renders only.
        start_from: as for `train_on_pairs`.

    Raises:
        Cancelled, UserError: as `train_on_pairs`; UserError: the generator is damaged or draws at another size.
    """
    run.prepare()
    work, recipe, spoilt = out / "training", recipe or UpscalerRecipe(), []
    if generator_dir is not None:
        generator = SceneDiffusionGenerator.from_pretrained(generator_dir, dtype=torch.float32)
        side = int(generator.pipeline.vae.config.sample_size)
        if side != small.size:
            raise UserError(
                f"The generator in {generator_dir} draws at {side} px, not {small.size}; give --size {side}."
            )
        trips = round_trips(small.pictures, generator_dir / "vae", work / "round_trips.npy", ROUND_TRIP_NOISE, run.seed)
        spoilt = [trips, redraws(small, REDRAWN, generator, work / "redraws.npy", run.seed)]
    command = command or f"python -m emofeedback train upscaler --minutes {run.minutes:g}"
    pairs = UpscalerData(small, large, spoilt, recipe, run.seed)
    return train_on_pairs(pairs, len(small), out, run, command, start_from, recipe)


def train_on_pairs(
    pairs: PairsOfPictures,
    pictures: int,
    out: Path,
    run: TrainingRun,
    command: str,
    start_from: Path | None = None,
    recipe: UpscalerRecipe | None = None,
) -> SceneUpscaler:
    """Train on pairs of whatever making, measure on those held out, and write the upscaler with its card to `out`.

    Args:
        pictures: how many pairs there are.
        start_from: the folder of an upscaler whose weights this one begins with.

    Raises:
        Cancelled, UserError: as `training_loop.train`; UserError: `start_from` holds no upscaler of this size.
    """
    run.prepare()  # what was made before must not change the first weights
    begun = None if start_from is None else SceneUpscaler.from_pretrained(start_from)
    recipe = recipe or UpscalerRecipe()
    if begun is not None and begun.takes_scenes:  # at the full rate one that has learned it forgets and flickers
        recipe = replace(recipe, muon_lr=GOING_ON * recipe.muon_lr, adam_lr=GOING_ON * recipe.adam_lr)
    training = UpscalerTraining(pairs, recipe, begun)
    trained = train(training, run, out / "training")
    large = pairs.target(0).shape[0]
    facts = _facts(training, trained, run, command, pictures, large)
    export_upscaler(training.averaged, out, facts)
    return training.averaged


def _facts(
    training: UpscalerTraining, trained: Trained, run: TrainingRun, command: str, pictures: int, large: int
) -> dict[str, float | int | str]:
    data = training.data
    return {
        "scenes": pictures,
        "size": large // data.scale,
        "large": large,
        "scale": data.scale,
        "steps": trained.steps,
        "batch": training.recipe.batch,
        "minutes": trained.minutes,
        "loss": round(trained.loss(), 4),
        "held_out": len(data.held_out),
        **training.measure(),
        "seed": run.seed,
        "threads": str(run.threads),
        "command": command,
    }


def export_upscaler(upscaler: SceneUpscaler, out: Path, facts: dict[str, float | int | str]) -> None:
    """Write weights in bfloat16, configuration, card, learning curve, facts and checksums to `out`."""
    copy.deepcopy(upscaler).to(torch.bfloat16).save_pretrained(out)
    parameters = sum(p.numel() for p in upscaler.parameters()) / 1e3
    write_curve(out / "training" / LOG, ("loss",), out / "learning_curve.svg")
    texts = {
        "README.md": CARD.format(
            **facts, parameters=parameters, data=(DRAWN if upscaler.takes_scenes else RENDERED).format(**facts)
        ),
        "training.json": json.dumps(facts, indent=1) + "\n",
    }
    for name, text in texts.items():
        temporary = out / f".{name}.new"
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, out / name)
    write_checksums(out)
