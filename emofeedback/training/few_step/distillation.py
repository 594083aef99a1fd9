"""Few-step distillation of the bundled generator: a LoRA whose few unguided passes end where guided ones do.

Piecewise rectified flow (Yan et al. 2024, arXiv 2405.07510): the time axis is cut into as many windows as the student
takes steps; inside a window the student learns the constant velocity between the two points of the teacher's guided
trajectory at its ends. Both points follow from the noise, so a student of the teacher's size had nothing to average
over; a LoRA of four steps has, and a critic of latents may pull it from such averages to what the teacher draws.
Left out: the paper's synchronised re-sampling of trajectories; here they are drawn once (`trajectories`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from emofeedback.flow.pixels import sheet, to_images
from emofeedback.generators.scene.few_step import base_digest
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.records import PictureRequest
from emofeedback.training.common.optim import Learner, Schedule
from emofeedback.training.common.scene_data import batch_indices
from emofeedback.training.common.training_loop import TrainingRun, step_generator, train
from emofeedback.training.few_step.latent_critic import LatentCritic
from emofeedback.training.few_step.student import Points, Student, chord_loss, chord_points
from emofeedback.training.few_step.student_export import export_few_step
from emofeedback.training.few_step.trajectories import (
    TrajectoryCache,
    TrajectoryPlan,
    draw_trajectories,
    make_trajectories,
)
from emofeedback.training.generator.critic import TaughtCritic, pulled_gradient

HELD_OUT = 64
"""The first trajectories are for measuring and never trained on."""
SHOWN = 24
COLUMNS = 8


@dataclass(frozen=True, slots=True)
class DistillRecipe:
    """Hyper-parameters of the student's training.

    Attributes:
        rate: of AdamW.
        at_start: share of the points that lie at a window's start, where the student steps from.
        critic: whether a critic takes part; critic_from: the share of the run after which it pulls (before that it
            only learns, from the warm-up on); critic_pull: its gradient in units of the regression's.
    """

    steps: int = 4
    rank: int = 24
    batch: int = 64
    rate: float = 2e-3
    schedule: Schedule = field(default_factory=Schedule)
    average_decay: float = 0.998
    clip: float = 1.0
    at_start: float = 0.6
    critic: bool = False
    critic_from: float = 0.3
    critic_pull: float = 0.35
    critic_rate: float = 1e-3


class Distillation:
    """What the training loop steps.

    Args:
        held_out: trajectories, the first ones, that measure and are not learned from.
    """

    name = "the few-step student"

    def __init__(
        self, student: Student, cache: TrajectoryCache, held_out: range, recipe: DistillRecipe, seed: int
    ) -> None:
        self.student, self.cache, self.held_out = student, cache, held_out
        self.recipe, self.seed = recipe, seed
        adam = torch.optim.AdamW(
            student.weights.parameters(), lr=recipe.rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
        )
        self.learner = Learner(student.weights, [adam], recipe.schedule, recipe.average_decay, recipe.clip)
        self.critic: TaughtCritic | None = None
        if recipe.critic:
            network = LatentCritic(cache.latents([0]).shape[2]).to(student.generator.device)
            self.critic = TaughtCritic(network, recipe.critic_rate)

    @property
    def samples(self) -> int:
        return self.recipe.batch

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"learner": self.learner.state()}
        if self.critic is not None:
            state |= self.critic.state()
        return state

    def load(self, state: dict[str, Any]) -> None:
        if (self.critic is not None) != ("critic" in state):
            raise ValueError("one of both has a critic")
        self.learner.load(state["learner"])
        if self.critic is not None:
            self.critic.load(state)

    def batch(self, step: int) -> tuple[Points, list[PictureRequest]]:
        """The batch of a step; a pure function of (seed, step)."""
        recipe, count = self.recipe, len(self.cache) - len(self.held_out)
        source = step_generator(self.seed, step)
        chosen = [len(self.held_out) + int(i) for i in batch_indices(self.seed, step, recipe.batch, count)]
        windows = torch.randint(recipe.steps, (recipe.batch,), generator=source)
        places = torch.rand(recipe.batch, generator=source)
        places[torch.rand(recipe.batch, generator=source) < recipe.at_start] = 0.0
        points = chord_points(self.cache.latents(chosen), self.student.levels, windows, places)
        return points, self.cache.requests(chosen)

    def step(self, number: int, progress: float) -> dict[str, float]:
        points, requests = self.batch(number)
        predicted = self.student.velocity(points.noisy, points.times, requests)
        loss = chord_loss(predicted, points)
        losses = {"loss": float(loss.detach())}
        if self.critic is None:
            loss.backward()
        else:
            self._backward_with_critic(loss, predicted, points, progress)
            losses["critic"] = self._teach_critic(points, predicted.detach())
        self.learner.update(number, progress)
        return losses

    def _backward_with_critic(self, loss: Tensor, predicted: Tensor, points: Points, progress: float) -> None:
        if progress < self.recipe.critic_from:
            loss.backward()
            return
        assert self.critic is not None
        network = self.critic.network

        def score(velocity: Tensor) -> Tensor:
            scores: Tensor = network(points.arrived(velocity), points.arrival)
            return scores

        predicted.backward(pulled_gradient(loss, predicted, score, self.recipe.critic_pull))

    def _teach_critic(self, points: Points, predicted: Tensor) -> float:
        """One step of the critic on the teacher's latents and the student's; its loss."""
        assert self.critic is not None
        real = points.arrived(points.velocity.to(predicted.device))
        return self.critic.teach(real, points.arrived(predicted), points.arrival)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the student has the averaged weights."""
        kept = [p.detach().clone() for p in self.student.weights]
        try:
            self._put(list(self.learner.average.copy.parameters()))
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

    def look(self, sheet_path: Path) -> dict[str, float]:
        """Held-out trajectories: every other row the teacher's pictures, the averaged student's below them."""
        shown = range(min(SHOWN, len(self.held_out)))
        ends, generator = self.cache.latents(shown), self.student.generator
        with self.averaged():
            ours = self.student.draw(ends[:, 0], self.cache.requests(shown))
            distance = self.distance()
        with torch.no_grad():
            theirs, drawn = (to_images(generator.decode(x.to(generator.device))) for x in (ends[:, -1], ours))
        rows: list[Image.Image] = []
        for begin in range(0, len(theirs) - len(theirs) % COLUMNS or len(theirs), COLUMNS):
            rows += theirs[begin : begin + COLUMNS] + drawn[begin : begin + COLUMNS]
        sheet(rows, min(COLUMNS, len(theirs))).save(sheet_path)
        return {"distance": distance}


def distance_to_teacher(cache: TrajectoryCache, indices: Sequence[int], drawn: Tensor) -> float:
    """Mean squared distance of clean latents [B, C, h, w] to those at the trajectories' ends."""
    return float((drawn.cpu() - cache.latents(indices)[:, -1]).pow(2).mean())


def train_few_step(
    teacher: Path,
    out: Path,
    run: TrainingRun,
    trajectories: int,
    data: Path,
    recipe: DistillRecipe | None = None,
    device: str = "cpu",
    command: str = "",
    rendered: bool = False,
    start_from: Path | None = None,
) -> Path:
    """Draw the trajectories, train, export; returns the student.

    Args:
        teacher: a checkpoint folder; it is only read.
        trajectories: how many to learn from; drawing them does not count towards the run's minutes.
        data: the folder that keeps them.
        command: the command line, for the facts beside the weights.
        rendered: trajectories lead to the rendered scenes of plans, not to where the teacher ends.
        start_from: the folder of a student to begin as.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `run.resume` goes on from it.
        UserError: the teacher or the student to begin as is damaged, or `data` or the state belongs to another one.
    """
    run.prepare()
    recipe, seed = recipe or DistillRecipe(), run.seed
    generator = SceneDiffusionGenerator.from_pretrained(teacher, device)
    base = base_digest(teacher)
    plan = TrajectoryPlan.of(generator, base, seed, recipe.steps, rendered)
    make_trajectories(data, generator, plan, trajectories)
    cache = TrajectoryCache(data, plan, trajectories)
    held_out = range(min(HELD_OUT, len(cache) // 4))
    guided = draw_trajectories(generator, cache.requests(held_out), recipe.steps, 1)[:, -1]
    generator = SceneDiffusionGenerator.from_pretrained(teacher, device, torch.float32)
    student = Student(generator, recipe.steps, recipe.rank, seed, start_from)
    distillation = Distillation(student, cache, held_out, recipe, seed)
    before = distillation.distance()  # without a student to begin as, the LoRA still is 0
    trained = train(distillation, run, out / "training")
    with distillation.averaged():
        facts: dict[str, float | int | str] = {
            "base": base,
            "guidance": plan.guidance,
            "emotion_guidance": plan.emotion_guidance,
            "teacher_steps": plan.teacher_steps,
            "trajectories": len(cache),
            "rank": recipe.rank,
            "critic": recipe.critic_pull if recipe.critic else 0.0,
            "updates": trained.steps,
            "batch": recipe.batch,
            "minutes": trained.minutes,
            "loss": round(trained.loss(), 4),
            "distance": round(distillation.distance(), 4),
            "distance_guided": round(distance_to_teacher(cache, held_out, guided), 4),
            "distance_before": round(before, 4),
            "rendered": rendered,
            "start_from": start_from is not None,
            "seed": seed,
            "threads": str(run.threads),
            "command": command or f"python -m emofeedback train few-step --minutes {run.minutes:g}",
        }
        return export_few_step(student.pipeline, student.levels.tolist(), out, facts)
