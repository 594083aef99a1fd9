"""A training run in the hands of trl, which has a loop and saved states of its own: same minutes, log and stop.

trl saves and restores itself (weights, optimiser, generators of random numbers); here it is told when.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from emofeedback.errors import Cancelled
from emofeedback.training.common.budget import Budget, StopSignal
from emofeedback.training.common.training_loop import LOG, TrainingRun, cut_log

logger = logging.getLogger(__name__)
MOST_STEPS = 1_000_000  # where the minutes end a run, not the steps
Progress = Callable[[int], float]
"""Share of the run, in [0, 1], at an update."""


class RunCallback(TrainerCallback):
    """Ends and saves the run on its own clock, and keeps trl's figures as lines of JSON."""

    def __init__(self, run: TrainingRun, budget: Budget, log: Path, stop: StopSignal) -> None:
        self.run, self.budget, self.log, self.stop = run, budget, log, stop
        self.saved = budget.elapsed()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        if self.stop.stopped or self.run.progress(self.budget, state.global_step) >= 1.0:
            control.should_training_stop = control.should_save = True
        elif self.budget.elapsed() - self.saved > self.run.save_seconds:
            control.should_save = True
        if control.should_save:
            self.saved = self.budget.elapsed()
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        entry = {"step": state.global_step, "elapsed": round(self.budget.elapsed(), 1), **(logs or {})}
        told = ", ".join(f"{name} {entry[name]:.3g}" for name in ("loss", "reward", "kl") if name in entry)
        if told:
            logger.info("step %d, %.0f s: %s", entry["step"], entry["elapsed"], told)
        with self.log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")


def trl_settings(run: TrainingRun, work: Path) -> dict[str, Any]:
    """Settings of a trl trainer that leave length, saving and logging to the run."""
    return {
        "output_dir": str(work),
        "max_steps": MOST_STEPS if run.steps is None else run.steps,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": MOST_STEPS,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "seed": run.seed,
    }


def train_with_trl(build: Callable[[Progress], Any], run: TrainingRun, work: Path, name: str) -> tuple[Any, float]:
    """Build a trl trainer, run it, and return it with the active seconds, resumes included.

    Args:
        build: makes the trainer; it is given the run's progress, for the learning rate.
        name: for the sentence of a run that was stopped.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `run.resume` goes on from it.
    """
    work.mkdir(parents=True, exist_ok=True)
    log = work / LOG
    last = get_last_checkpoint(str(work)) if run.resume else None
    if last is None:
        log.unlink(missing_ok=True)
    else:
        cut_log(log, int(last.rpartition("-")[2]))
    budget = Budget(run.minutes, spent_seconds(log))
    trainer = build(lambda step: run.progress(budget, step))
    with StopSignal() as stop:
        trainer.remove_callback(PrinterCallback)  # what it would print is in the log
        trainer.add_callback(RunCallback(run, budget, log, stop))
        trainer.train(resume_from_checkpoint=last)
    if stop.stopped:
        raise Cancelled(f"Training of {name} was stopped; its state is saved.")
    return trainer, budget.elapsed()


def spent_seconds(log: Path) -> float:
    """Active seconds so far, from the last line of a log; 0 without one."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return float(json.loads(lines[-1])["elapsed"]) if lines else 0.0
