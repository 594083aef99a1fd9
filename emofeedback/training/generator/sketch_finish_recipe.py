"""The recipe of the finish of sketched pictures: what the generator drew after a render's sketch, beside the render.

The generator draws known renders again from much noise (as in SDEdit, Meng et al. 2022, arXiv 2108.01073) after their
sketch, which keeps everything at its place; so its picture and the render differ in what it smears, which the finish
learns to draw. The sketch says where an edge lies, so nothing is in doubt that a critic would have to settle: the patch
critic of the decoder's finish was at chance as soon as it pulled, and its pull was noise.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.files.checksums import sha256, write_checksums
from emofeedback.flow.pixels import from_bytes, sheet, to_images
from emofeedback.generators.scene.few_step import base_digest
from emofeedback.generators.scene.scene_generator import FINISH_FOLDER, SceneDiffusionGenerator
from emofeedback.generators.scene.sketch import sketches_from
from emofeedback.generators.scene.sketch_finish import SketchFinish
from emofeedback.training.common.box_weights import weight_map
from emofeedback.training.common.latents import cache_latents
from emofeedback.training.common.optim import Learner, Muon, Schedule, split_kernels
from emofeedback.training.common.scene_data import SceneCache, ScenePool, batch_indices
from emofeedback.training.common.training_loop import TrainingRun, step_generator, train
from emofeedback.training.generator.autoencoder import AutoencoderRecipe, reconstruction_loss
from emofeedback.training.generator.decoder_finish import redrawn_latents

HELD_OUT = 32  # pictures that measure
SHOWN = 8
FACTS = "finish.json"


@dataclass(frozen=True, slots=True)
class FinishRecipe:
    """Hyper-parameters of the finish's training.

    Attributes:
        redraws, redraw_steps: how many renders are drawn again, in how many guided steps.
        loss: weights of the reconstruction loss, `inside` of the subjects' boxes.
        lines: how much more an error counts on a line of full strength: a bolt or a string is two pixels wide.
    """

    batch: int = 16
    muon_lr: float = 1e-2
    adam_lr: float = 1e-3
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=20, cooldown=0.5))
    average_decay: float = 0.99
    redraws: int = 5000
    redraw_steps: int = 3
    loss: AutoencoderRecipe = field(default_factory=lambda: AutoencoderRecipe(inside=4.0))
    lines: float = 2.0


@dataclass(frozen=True, slots=True)
class FinishData:
    """Renders, and what the generator made of them.

    Attributes:
        rows: of the pool, [n]; drawn: uint8 [n, S, S, 3].
    """

    pool: ScenePool
    rows: NDArray[np.int64]
    drawn: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if not len(self.rows) == len(self.drawn) > 1:
            raise ValueError("pictures and scenes do not belong together")

    @property
    def held_out(self) -> range:
        """Pictures that measure: the last ones."""
        return range(len(self.rows) - max(1, min(HELD_OUT, len(self.rows) // 8)), len(self.rows))


class FinishTraining:
    """What the training loop steps."""

    name = "the finish of sketches"

    def __init__(self, data: FinishData, recipe: FinishRecipe, seed: int) -> None:
        self.data, self.recipe, self.seed = data, recipe, seed
        self.finish = SketchFinish().to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        kernels, rest = split_kernels(self.finish, ends=("take", "give"))
        adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
        muon = Muon(kernels, lr=recipe.muon_lr, weight_decay=0.0)
        self.learner = Learner(self.finish, [muon, adam], recipe.schedule, recipe.average_decay)
        self.averaged: SketchFinish = self.learner.average.copy  # type: ignore[assignment]

    @property
    def samples(self) -> int:
        return self.recipe.batch

    def state(self) -> dict[str, Any]:
        return {"learner": self.learner.state()}

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state["learner"])

    def batch(self, number: int) -> tuple[NDArray[np.int64], Tensor, Tensor, Tensor, Tensor | None]:
        """Places in the data [B], drawn pictures, renders, their flats [B, 3, S, S], weights; a pure function of
        (seed, step).
        """
        places = batch_indices(self.seed, number, self.recipe.batch, self.data.held_out.start)
        drawn, renders, flats = self._shown(places)
        weights = None
        if self.data.pool.boxed:
            boxes = self.data.pool.boxes_of(self.data.rows[places])
            weights = weight_map(boxes, renders.shape[-1], self.recipe.loss.inside)
        if torch.rand((), generator=step_generator(self.seed, number)) < 0.5:
            drawn, renders, flats = (some.flip(-1) for some in (drawn, renders, flats))
            weights = None if weights is None else weights.flip(-1)
        return places, drawn, renders, flats, weights

    def step(self, number: int, progress: float) -> dict[str, float]:
        recipe = self.recipe
        _, drawn, renders, flats, weights = self.batch(number)
        sketches = sketches_from(renders, flats)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = self.finish(drawn, sketches)
        made = made.float()
        weights = (1.0 if weights is None else weights) * (1.0 + recipe.lines * sketches[:, :1])
        loss = reconstruction_loss(made, renders, recipe.loss, weights)
        loss.backward()
        self.learner.update(number, progress)
        return {"loss": float(loss.detach())}

    @torch.inference_mode()
    def look(self, sheet_path: Path) -> dict[str, float]:
        """Held-out scenes: the render, what the generator drew, and that finished; mean absolute error of both."""
        drawn, renders, flats = self._shown(np.asarray(self.data.held_out))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            finished = self.averaged(drawn, sketches_from(renders, flats)).float().clamp(-1, 1)
        shown = [image for some in (renders, drawn, finished) for image in to_images(some[:SHOWN])]
        sheet(shown, columns=min(SHOWN, len(renders))).save(sheet_path)
        before, after = (float((made - renders).abs().mean()) for made in (drawn, finished))
        return {"error_before": before, "error_after": after}

    def _shown(self, places: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Drawn pictures, renders and their flats, [B, 3, S, S] in [-1, 1]."""
        pool, rows = self.data.pool, self.data.rows[places]
        some = self.data.drawn[places], pool.pictures_of(rows), pool.flats_of(rows)
        drawn, renders, flats = map(from_bytes, some)
        return drawn, renders, flats


def train_sketch_finish(
    teacher: Path,
    cache: SceneCache,
    out: Path,
    run: TrainingRun,
    recipe: FinishRecipe | None = None,
    posed: SceneCache | None = None,
    command: str = "",
) -> Path:
    """Train the finish of the generator in `teacher` and write it to `out`; returns `out`.

    Args:
        teacher: a checkpoint folder with a sketch adapter; it is only read.
        cache: scenes of the training split; posed: more of them, of people and animals in poses.
        command: the command line, for the facts beside the weights.

    Raises:
        Cancelled, UserError: as `training_loop.train`; UserError: the teacher is damaged or draws without sketches.
    """
    run.prepare()
    recipe = recipe or FinishRecipe()
    pool = ScenePool.of(cache, posed)
    data = _drawn_again(teacher, pool, recipe, run.seed, out / "training" / "drawn.npz")
    run.prepare()  # what was made before must not change the first weights
    training = FinishTraining(data, recipe, run.seed)
    trained = train(training, run, out / "training")
    training.averaged.save_pretrained(out)
    facts: dict[str, Any] = {"teacher": teacher_digest(teacher), "pictures": len(data.rows)}
    facts |= {"steps": trained.steps, "batch": recipe.batch}
    facts |= {"minutes": trained.minutes, "seed": run.seed, "threads": str(run.threads)}
    facts |= training.look(out / "training" / "samples-final.png")
    facts["command"] = command or f"python -m emofeedback train sketch-finish --minutes {run.minutes:g}"
    (out / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return out


def _drawn_again(teacher: Path, pool: ScenePool, recipe: FinishRecipe, seed: int, path: Path) -> FinishData:
    """What the generator draws after the sketches of some renders, kept in `path` once made."""
    drawn_from = f"{teacher_digest(teacher)} in {recipe.redraw_steps} steps"
    often = pool.batch(seed, 0, 2 * recipe.redraws + len(pool))  # posed scenes come again
    rows = np.array(list(dict.fromkeys(often.tolist()))[: recipe.redraws])
    if path.is_file():
        kept = np.load(path)
        if np.array_equal(kept["rows"], rows) and str(kept["drawn_from"]) == drawn_from:
            return FinishData(pool, rows, kept["drawn"])
    generator = SceneDiffusionGenerator.from_pretrained(teacher)
    generator.plans = False  # the words say all of the scenes that are drawn again
    if generator.sketch is None:
        raise UserError(f"The generator in {teacher} draws without sketches; train it with a sketch adapter first.")
    if generator.size != pool.caches[0].size:
        raise UserError(f"The generator in {teacher} draws at {generator.size} px; give --size {generator.size}.")
    config = generator.pipeline.vae.config
    latents = np.concatenate([cache_latents(part, teacher / "vae") for part in pool.caches])[rows]
    scaled = (torch.from_numpy(latents.astype(np.float32)) - config.shift_factor) * config.scaling_factor
    made = redrawn_latents(generator, [pool.scenes[row] for row in rows], scaled, recipe.redraw_steps, seed)
    with torch.inference_mode():
        images = [image for part in made.split(32) for image in to_images(generator.decode(part))]
    drawn = np.stack([np.asarray(image) for image in images])
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.new.npz")
    np.savez(temporary, rows=rows, drawn=drawn, drawn_from=np.array(drawn_from))
    os.replace(temporary, path)
    return FinishData(pool, rows, drawn)


def teacher_digest(checkpoint: Path) -> str:
    """One digest of the weights that a finish depends on: what draws, and the decoder."""
    decoder = sorted((checkpoint / "vae").glob("*.safetensors"))
    lines = [base_digest(checkpoint), *(sha256(file) for file in decoder)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def install_sketch_finish(trained: Path, checkpoint: Path) -> None:
    """Put a finish into the checkpoint folder of its generator, in bfloat16, with checksums.

    Raises:
        UserError: it was trained with another generator.
    """
    if json.loads((trained / FACTS).read_text(encoding="utf-8"))["teacher"] != teacher_digest(checkpoint):
        raise UserError(f"The finish in {trained} was trained with another generator than {checkpoint}.")
    new = checkpoint / f".{FINISH_FOLDER}.new"
    shutil.rmtree(new, ignore_errors=True)
    SketchFinish.from_pretrained(trained).to(torch.bfloat16).save_pretrained(new)
    shutil.copy(trained / FACTS, new / FACTS)
    shutil.rmtree(checkpoint / FINISH_FOLDER, ignore_errors=True)
    os.replace(new, checkpoint / FINISH_FOLDER)
    write_checksums(checkpoint)
