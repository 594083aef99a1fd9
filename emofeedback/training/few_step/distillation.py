"""Few-step distillation of the bundled generator: a LoRA whose few unguided passes end where guided ones do.

Piecewise rectified flow (Yan et al. 2024, arXiv 2405.07510): the time axis is cut into as many windows as the student
takes steps; inside a window the student learns the constant velocity between the two points of the teacher's guided
trajectory at its ends. Both points follow from the noise, so there is nothing to average over and nothing blurs.
Left out: the paper's synchronised re-sampling of trajectories; here they are drawn once (`distill_data`).
"""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from emofeedback.files.training_state import load_state, save_state
from emofeedback.flow.pixels import sheet, to_images
from emofeedback.generators.scene.few_step import base_digest
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.records import PictureRequest
from emofeedback.training.common.budget import prepare_host
from emofeedback.training.common.optim import Optimisers, WeightAverage, trapezoid
from emofeedback.training.common.scene_data import batch_indices
from emofeedback.training.common.training_loop import sit
from emofeedback.training.few_step.student import Points, Student, chord_loss, chord_points
from emofeedback.training.few_step.student_export import export_few_step
from emofeedback.training.few_step.trajectories import (
    TrajectoryCache,
    TrajectoryPlan,
    draw_trajectories,
    make_trajectories,
)

HELD_OUT = 64
"""The first trajectories are for measuring and never trained on."""
SHOWN = 24
COLUMNS = 8


@dataclass(frozen=True, slots=True)
class DistillRecipe:
    """Hyper-parameters of the student's training."""

    steps: int = 4
    rank: int = 24
    batch: int = 64
    rate: float = 2e-3  # of AdamW
    warmup_steps: int = 50
    cooldown: float = 0.35  # last share of the time budget
    average_decay: float = 0.998
    clip: float = 1.0
    at_start: float = 0.6  # share of the points that lie at a window's start, where the student steps from
    log_steps: int = 20
    save_seconds: float = 300.0
    sheet_seconds: float = 600.0


class Distiller:
    """Everything that a sitting needs and that a saved state restores.

    Args:
        held_out: trajectories, the first ones, that measure and are not learned from.
    """

    def __init__(
        self, student: Student, cache: TrajectoryCache, held_out: range, out: Path, recipe: DistillRecipe, seed: int
    ) -> None:
        self.student, self.cache, self.held_out = student, cache, held_out
        self.out, self.recipe, self.seed = out, recipe, seed
        self.average = WeightAverage(student.weights, copy.deepcopy(student.weights), recipe.average_decay)
        adam = torch.optim.AdamW(
            student.weights.parameters(), lr=recipe.rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
        )
        self.optimisers = Optimisers([adam])
        self.state_path = out / "training" / "state.safetensors"
        self.step, self.elapsed, self.loss = 0, 0.0, math.nan

    def save(self) -> None:
        """Write the whole state in one step."""
        save_state(
            self.state_path,
            {
                "weights": self.student.weights.state_dict(),
                "average": self.average.copy.state_dict(),
                "optimisers": self.optimisers.state_dict(),
                "step": self.step,
                "elapsed": self.elapsed,
                "loss": str(self.loss),
                "seed": self.seed,
            },
        )

    def load(self) -> None:
        """Go on from the saved state.

        Raises:
            UserError: there is none, or it is damaged.
        """
        state = load_state(self.state_path)
        self.student.weights.load_state_dict(state["weights"])
        self.average.copy.load_state_dict(state["average"])
        self.optimisers.load_state_dict(state["optimisers"])
        self.step, self.elapsed, self.seed = state["step"], state["elapsed"], state["seed"]
        self.loss = float(state["loss"])

    def batch(self, step: int) -> tuple[Points, list[PictureRequest]]:
        """The batch of a step; a pure function of (seed, step)."""
        recipe, count = self.recipe, len(self.cache) - len(self.held_out)
        source = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        chosen = [len(self.held_out) + int(i) for i in batch_indices(self.seed, step, recipe.batch, count)]
        windows = torch.randint(recipe.steps, (recipe.batch,), generator=source)
        places = torch.rand(recipe.batch, generator=source)
        places[torch.rand(recipe.batch, generator=source) < recipe.at_start] = 0.0
        points = chord_points(self.cache.latents(chosen), self.student.levels, windows, places)
        return points, self.cache.requests(chosen)

    def train_step(self, progress: float) -> float:
        """One optimiser step at `progress` in [0, 1] of the budget; the loss of its batch."""
        recipe = self.recipe
        loss = chord_loss(self.student.velocity, *self.batch(self.step))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.weights.parameters(), recipe.clip)
        self.optimisers.step(trapezoid(self.step, progress, recipe.warmup_steps, recipe.cooldown))
        self.average.update(self.step)
        value = float(loss.detach())
        self.loss = value if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * value
        self.step += 1
        return value

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the student has the averaged weights."""
        kept = [p.detach().clone() for p in self.student.weights]
        try:
            self._put(self.average.averaged)
            yield
        finally:
            self._put(kept)

    @torch.no_grad()
    def _put(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self.student.weights, values, strict=True):
            parameter.copy_(value)

    def distance(self) -> float:
        """Mean squared distance of the student's held-out latents to the teacher's, from the same noise."""
        drawn = self.student.draw(self.cache.latents(self.held_out)[:, 0], self.cache.requests(self.held_out))
        return distance_to_teacher(self.cache, self.held_out, drawn)

    @torch.no_grad()
    def losses(self) -> dict[str, float]:
        """What the log shows: the smoothed loss."""
        return {"loss": self.loss}

    def draw_sheet(self, path: Path) -> None:
        """Held-out trajectories: every other row the teacher's pictures, the averaged student's below them."""
        shown = range(min(SHOWN, len(self.held_out)))
        ends, generator = self.cache.latents(shown), self.student.generator
        with self.averaged():
            ours = self.student.draw(ends[:, 0], self.cache.requests(shown))
        theirs, drawn = (to_images(generator.decode(x.to(generator.device))) for x in (ends[:, -1], ours))
        rows: list[Image.Image] = []
        for begin in range(0, len(theirs) - len(theirs) % COLUMNS or len(theirs), COLUMNS):
            rows += theirs[begin : begin + COLUMNS] + drawn[begin : begin + COLUMNS]
        sheet(rows, min(COLUMNS, len(theirs))).save(path)


def distance_to_teacher(cache: TrajectoryCache, indices: Sequence[int], drawn: Tensor) -> float:
    """Mean squared distance of clean latents [B, C, h, w] to those at the trajectories' ends."""
    return float((drawn.cpu() - cache.latents(indices)[:, -1]).pow(2).mean())


def train_few_step(
    teacher: Path,
    out: Path,
    minutes: float,
    trajectories: int,
    data: Path,
    resume: bool = False,
    threads: int = 2,
    seed: int = 0,
    device: str = "cpu",
    recipe: DistillRecipe | None = None,
    command: str = "",
) -> Path:
    """Draw the teacher's trajectories, train for `minutes` (earlier sittings included), export; returns the student.

    Args:
        teacher: a checkpoint folder; it is only read.
        trajectories: how many to learn from; drawing them does not count towards `minutes`.
        data: the folder that keeps them.
        command: the command line, for the facts beside the weights.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `resume` goes on from it.
        UserError: the teacher is damaged, `data` belongs to another teacher, or `resume` without a saved state.
    """
    prepare_host(threads)
    recipe = recipe or DistillRecipe()
    generator = SceneDiffusionGenerator.from_pretrained(teacher, device)
    base = base_digest(teacher)
    plan = TrajectoryPlan.of(generator, base, seed, recipe.steps)
    make_trajectories(data, generator, plan, trajectories)
    cache = TrajectoryCache(data, plan, trajectories)
    held_out = range(min(HELD_OUT, len(cache) // 4))
    guided = draw_trajectories(generator, cache.requests(held_out), recipe.steps, 1)[:, -1]
    generator = SceneDiffusionGenerator.from_pretrained(teacher, device, torch.float32)
    student = Student(generator, recipe.steps, recipe.rank, seed)
    distiller = Distiller(student, cache, held_out, out, recipe, seed)
    unguided = distiller.distance()  # the LoRA still is 0
    if resume:
        distiller.load()
    sit(distiller, minutes, out / "training", "Distillation was stopped; its state is saved.")
    with distiller.averaged():
        after = distiller.distance()
        facts: dict[str, float | int | str] = {
            "base": base,
            "guidance": plan.guidance,
            "emotion_guidance": plan.emotion_guidance,
            "teacher_steps": plan.teacher_steps,
            "trajectories": len(cache),
            "rank": recipe.rank,
            "updates": distiller.step,
            "batch": recipe.batch,
            "minutes": round(distiller.elapsed / 60, 1),
            "loss": round(distiller.loss, 4),
            "distance": round(after, 4),
            "distance_guided": round(distance_to_teacher(cache, held_out, guided), 4),
            "distance_unguided": round(unguided, 4),
            "seed": distiller.seed,
            "threads": threads,
            "command": command or f"python -m emofeedback train few-step --minutes {minutes:g}",
        }
        return export_few_step(student.pipeline, student.levels.tolist(), out, facts)
