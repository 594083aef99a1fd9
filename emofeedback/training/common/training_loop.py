"""One sitting of a training for minutes: steps, a log, sheets to look at, saved states, and a clean stop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from emofeedback.errors import Cancelled
from emofeedback.training.common.budget import Budget, RunLog, StopSignal


class Pace(Protocol):
    """How often a recipe speaks, draws and saves."""

    @property
    def batch(self) -> int: ...
    @property
    def log_steps(self) -> int: ...
    @property
    def save_seconds(self) -> float: ...
    @property
    def sheet_seconds(self) -> float: ...


class Trainer(Protocol):
    """What a sitting moves on; `step` and `elapsed` (seconds, earlier sittings included) are part of its state."""

    step: int
    elapsed: float

    @property
    def recipe(self) -> Pace: ...
    def train_step(self, progress: float) -> float: ...
    def losses(self) -> Mapping[str, float]: ...
    def draw_sheet(self, path: Path) -> None: ...
    def save(self) -> None: ...


def sit(trainer: Trainer, minutes: float, folder: Path, stopped: str) -> None:
    """Train until `minutes` are used up, earlier sittings included; logs and sheets go to `folder`.

    Args:
        stopped: the sentence of a run that was stopped.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved.
    """
    recipe, log, budget = trainer.recipe, RunLog(folder), Budget(minutes, trainer.elapsed)
    since = (trainer.step, trainer.elapsed)
    saved = drawn = trainer.elapsed
    with StopSignal() as stop:
        while budget.progress() < 1.0:
            trainer.train_step(budget.progress())
            trainer.elapsed = budget.elapsed()
            if trainer.step % recipe.log_steps == 0:
                rate = (trainer.step - since[0]) * recipe.batch / (trainer.elapsed - since[1])
                since = (trainer.step, trainer.elapsed)
                log.write(
                    step=trainer.step, **trainer.losses(), samples_per_second=rate, elapsed=round(trainer.elapsed, 1)
                )
            if trainer.elapsed - drawn > recipe.sheet_seconds:
                trainer.draw_sheet(folder / f"samples-{trainer.step:06d}.png")
                drawn = trainer.elapsed
            if stop.stopped or trainer.elapsed - saved > recipe.save_seconds:
                trainer.save()
                saved = trainer.elapsed
            if stop.stopped:
                raise Cancelled(stopped)
    trainer.save()
    trainer.draw_sheet(folder / "samples-final.png")
