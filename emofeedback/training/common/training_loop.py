"""The one training loop: steps until the minutes are used up, a log, sheets to look at, saved states, a clean stop.

A recipe says what a step does and what its state is; the loop does everything else. All that is random in step k is a
function of (seed, k), so a run that was stopped or killed goes on as it would have gone. Schedules follow the clock,
not a number of steps, for a run is seldom alone on its machine.
"""

import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from emofeedback.errors import Cancelled, UserError
from emofeedback.files.training_state import load_state, save_state
from emofeedback.training.common.budget import Budget, RunLog, StopSignal, prepare_host

STATE, LOG = "state.safetensors", "log.jsonl"
FORMAT = "training loop 1"
SMOOTHING = 0.98  # of the logged losses


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """How long a recipe is trained, and how often it is logged, saved and looked at.

    Attributes:
        minutes: of active time over all resumes; preparing data does not count.
        steps: in place of the minutes; the result then does not depend on the clock.
        resume: go on from the saved state, where there is one.
        seed: of everything random; a resumed run keeps the one it began with.
        threads: of torch; None leaves them as they are.
        save_seconds: what a killed run loses at most, but for one step longer than that.
        look_seconds: between sheets.
        log_steps: between lines of the log.
    """

    minutes: float = 60.0
    steps: int | None = None
    resume: bool = False
    seed: int = 0
    threads: int | None = 2
    save_seconds: float = 120.0
    look_seconds: float = 600.0
    log_steps: int = 20

    def __post_init__(self) -> None:
        if self.minutes < 0 or (self.steps is not None and self.steps < 0):
            raise ValueError("a run has no negative length")

    def split(self, share: float) -> tuple["TrainingRun", "TrainingRun"]:
        """Two runs, the first with a share of this one's length; each resumes where it has a state."""
        lengths = [(part * self.minutes, self.steps and round(part * self.steps)) for part in (share, 1.0 - share)]
        first, second = (replace(self, minutes=minutes, steps=steps) for minutes, steps in lengths)
        return first, second

    def progress(self, budget: Budget, step: int) -> float:
        """Share of the run, in [0, 1], after `step` steps."""
        if self.steps is None:
            return budget.progress()
        return min(1.0, step / self.steps) if self.steps else 1.0

    def prepare(self) -> None:
        """Set up the host and seed what is random before the first step, such as first weights."""
        if self.threads is not None:
            prepare_host(self.threads)
        torch.manual_seed(self.seed)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run came to: steps and active seconds, resumes included, and smoothed losses."""

    steps: int
    seconds: float
    losses: Mapping[str, float] = field(default_factory=dict)

    @property
    def minutes(self) -> float:
        return round(self.seconds / 60, 1)

    def loss(self, name: str = "loss") -> float:
        """A smoothed loss; NaN where no step was made."""
        return self.losses.get(name, math.nan)


class TrainingRecipe(Protocol):
    """What the loop trains."""

    @property
    def name(self) -> str:
        """For sentences: "the judge"."""

    @property
    def samples(self) -> int:
        """Samples of one step."""

    def step(self, number: int, progress: float) -> Mapping[str, float]:
        """Step `number` (from 0) at `progress` in [0, 1] of the run; its losses."""

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on, as `save_state` takes it."""

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""

    def look(self, sheet: Path) -> Mapping[str, float]:
        """Draw something to look at into the file `sheet`, where there is something; held-out measures for the log."""


def step_generator(seed: int, number: int) -> torch.Generator:
    """The random numbers of step `number`."""
    return torch.Generator().manual_seed(seed * 1_000_003 + number)


def train(recipe: TrainingRecipe, run: TrainingRun, folder: Path) -> Trained:
    """Train until the run's minutes or steps are used up; state, log and sheets lie in `folder`.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `run.resume` goes on from it.
        UserError: the state is damaged or belongs to another seed or recipe, or the losses are no numbers any more.
    """
    return _Loop(recipe, run, folder).run()


class _Loop:
    def __init__(self, recipe: TrainingRecipe, run: TrainingRun, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.recipe, self.settings, self.folder = recipe, run, folder
        self.step, self.losses = 0, dict[str, float]()
        spent = 0.0
        if run.resume and (folder / STATE).is_file():
            spent = self._resume()
        else:
            (folder / LOG).unlink(missing_ok=True)
        self.log, self.budget = RunLog(folder), Budget(run.minutes, spent)
        self.saved = self.drawn = spent
        self.logged = self.step, spent

    def run(self) -> Trained:
        run = self.settings
        with StopSignal() as stop:
            while self._progress() < 1.0:
                began = time.monotonic()
                self._train_step()
                next_end = self.budget.elapsed() + time.monotonic() - began
                if self.step % run.log_steps == 0:
                    self._write_log({})
                looking = self.budget.elapsed() - self.drawn > run.look_seconds
                if stop.stopped or looking or next_end - self.saved > run.save_seconds:
                    self._save()
                if stop.stopped:
                    raise Cancelled(f"Training of {self.recipe.name} was stopped; its state is saved.")
                if looking:
                    self._look(f"samples-{self.step:06d}.png")
        self._save()
        self._look("samples-final.png")
        return Trained(self.step, self.budget.elapsed(), dict(self.losses))

    def _progress(self) -> float:
        return self.settings.progress(self.budget, self.step)

    def _train_step(self) -> None:
        torch.manual_seed(self.settings.seed * 1_000_003 + self.step)  # dropout and the like
        for name, value in self.recipe.step(self.step, self._progress()).items():
            if not math.isfinite(value):
                raise UserError(
                    f"The {name} of {self.recipe.name} is {value} at step {self.step}; "
                    "resume from the state before it, or start again with a lower learning rate."
                )
            self.losses[name] = SMOOTHING * self.losses.get(name, value) + (1 - SMOOTHING) * value
        self.step += 1

    def _write_log(self, measures: Mapping[str, float]) -> None:
        elapsed = self.budget.elapsed()
        (step, then), self.logged = self.logged, (self.step, elapsed)
        rate = (self.step - step) * self.recipe.samples / max(elapsed - then, 1e-9)
        self.log.write(
            step=self.step, **self.losses, **measures, samples_per_second=round(rate, 3), elapsed=round(elapsed, 1)
        )

    def _look(self, name: str) -> None:
        measures = self.recipe.look(self.folder / name)
        if measures:
            self._write_log(measures)
        self.drawn = self.budget.elapsed()

    def _save(self) -> None:
        self.saved = self.budget.elapsed()
        state = {
            "format": FORMAT,
            "step": self.step,
            "elapsed": self.saved,
            "seed": self.settings.seed,
            "losses": self.losses,
            "recipe": self.recipe.state(),
        }
        save_state(self.folder / STATE, state)

    def _resume(self) -> float:
        """Restore the recipe, cut the log back to the state, and return the seconds spent."""
        path = self.folder / STATE
        state = load_state(path)
        if state.get("format") != FORMAT:
            raise UserError(f"{path} was written by another version; delete it and start without --resume.")
        if state["seed"] != self.settings.seed:
            raise UserError(f"This training began with seed {state['seed']}; resume it with --seed {state['seed']}.")
        try:
            self.recipe.load(state["recipe"])
        except (RuntimeError, KeyError, ValueError) as error:
            what = " ".join(str(error).split())[:160]
            raise UserError(
                f"{path} does not fit {self.recipe.name} ({what}); start without --resume in another folder."
            ) from None
        self.step, self.losses = state["step"], dict(state["losses"])
        cut_log(self.folder / LOG, self.step)
        return float(state["elapsed"])


def cut_log(path: Path, step: int) -> None:
    """Drop the lines of steps that a kill undid, and one that it cut short."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text("".join(kept), encoding="utf-8")
    os.replace(temporary, path)
