"""The one training loop: what it logs and saves, how it stops, and that a killed run goes on as it would have gone."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from forked import fork
from torch import nn

from emofeedback.errors import Cancelled, UserError
from emofeedback.files.training_state import load_state
from emofeedback.training.common import budget, training_loop
from emofeedback.training.common.budget import Budget
from emofeedback.training.common.optim import Learner, Muon, Schedule, WeightAverage
from emofeedback.training.common.training_loop import LOG, STATE, TrainingRun, step_generator, train


class Line:
    """A tiny recipe: a line through noisy points, with dropout so that the global generator matters."""

    name, samples = "the line", 4

    def __init__(self, seed: int = 0, after: Callable[[int], None] = lambda number: None) -> None:
        torch.manual_seed(seed)
        self.seed, self.after = seed, after
        self.model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
        matrices = [p for p in self.model.parameters() if p.ndim == 2]
        rest = [p for p in self.model.parameters() if p.ndim != 2]
        optimisers = [Muon(matrices, lr=1e-2), torch.optim.AdamW(rest, lr=1e-2)]
        self.learner = Learner(self.model, optimisers, Schedule(2), 0.9)

    def step(self, number: int, progress: float) -> dict[str, float]:
        points = torch.randn(self.samples, 3, generator=step_generator(self.seed, number))
        loss = (self.model(points)[:, 0] - points.sum(1)).square().mean()
        loss.backward()
        self.learner.update(number, progress)
        self.after(number)
        return {"loss": float(loss.detach())}

    def state(self) -> dict[str, Any]:
        return self.learner.state()

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state)

    def look(self, sheet: Path) -> dict[str, float]:
        sheet.touch()
        return {"held_out": 1.5}


@dataclass(frozen=True)
class Killed(Exception):
    """Stands in for kill -9: nothing of the loop's cleaning up may matter."""


def run_of(steps: int, **rest: Any) -> TrainingRun:
    return TrainingRun(steps=steps, threads=None, log_steps=1, **rest)


def saved(folder: Path) -> dict[str, Any]:
    """A state without its clock."""
    return {key: value for key, value in load_state(folder / STATE).items() if key != "elapsed"}


def equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, torch.Tensor):
        return torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(equal(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, (list, tuple)):
        return len(ours) == len(theirs) and all(map(equal, ours, theirs))
    return bool(ours == theirs)


def test_a_killed_run_goes_on_to_the_bit_as_it_would_have_gone(tmp_path: Path) -> None:
    train(Line(), run_of(9), tmp_path / "straight")

    def kill(number: int) -> None:
        if number == 6:
            raise Killed

    with pytest.raises(Killed):
        train(Line(after=kill), run_of(9, save_seconds=1e-9), tmp_path / "killed")
    assert load_state(tmp_path / "killed" / STATE)["step"] == 6
    trained = train(Line(), run_of(9, resume=True), tmp_path / "killed")
    assert trained.steps == 9
    assert equal(saved(tmp_path / "straight"), saved(tmp_path / "killed"))
    steps = [json.loads(line)["step"] for line in (tmp_path / "killed" / LOG).read_text().splitlines()]
    assert steps == [*range(1, 10), 9]  # none twice but the last, which the held-out measures follow


def test_the_log_is_cut_back_to_the_state_that_a_run_goes_on_from(tmp_path: Path) -> None:
    train(Line(), run_of(3), tmp_path)
    with (tmp_path / LOG).open("a") as log:
        log.write('{"step": 4, "loss": 9.0, "elapsed": 1}\n{"step": 5, "lo')
    train(Line(), run_of(4, resume=True), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 3, 4, 4] and rows[4]["loss"] != 9.0
    assert {"step", "loss", "samples_per_second", "elapsed"} <= set(rows[0]) and rows[-1]["held_out"] == 1.5
    train(Line(), run_of(2), tmp_path)
    assert len((tmp_path / LOG).read_text().splitlines()) == 3  # a new run begins a new log


def test_minutes_count_active_time_over_all_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    for module in (budget, training_loop):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def tick(number: int) -> None:
        now[0] += 0.01

    first = train(Line(after=tick), TrainingRun(minutes=0.2 / 60, threads=None), tmp_path)
    assert first.seconds == pytest.approx(0.2, abs=0.02)
    now[0] += 100.0
    longer = TrainingRun(minutes=0.4 / 60, threads=None, resume=True)
    second = train(Line(after=tick), longer, tmp_path)
    assert second.steps > first.steps and second.seconds == pytest.approx(0.4, abs=0.02)
    assert train(Line(), longer, tmp_path).steps == second.steps  # nothing is left of the minutes


def test_a_signal_ends_a_run_with_its_state_saved(tmp_path: Path) -> None:
    def stop(number: int) -> None:
        if number == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Cancelled, match="the line was stopped"):
        train(Line(after=stop), run_of(9), tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before
    assert load_state(tmp_path / STATE)["step"] == 4


CHILD = """
import sys, time
from pathlib import Path
from test_training_loop import Line, TrainingRun, train
run = TrainingRun(minutes=5, threads=1, save_seconds=0.2, log_steps=1)
train(Line(after=lambda number: time.sleep(0.02)), run, Path(sys.argv[1]))
"""


def test_kill_9_leaves_a_whole_state(tmp_path: Path) -> None:
    child = fork(CHILD, str(tmp_path))
    child.until((tmp_path / STATE).is_file)
    first = os.stat(tmp_path / STATE).st_mtime_ns
    child.until(lambda: os.stat(tmp_path / STATE).st_mtime_ns != first)
    child.process.kill()
    child.wait()
    rows = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()[:-1]]
    state = load_state(tmp_path / STATE)
    late = [row["step"] for row in rows if row["elapsed"] - state["elapsed"] > 0.2 + 0.1]
    assert len(late) <= 1, "of work lost: save_seconds, rounding, and the step whose state was being written"
    assert train(Line(), run_of(state["step"] + 1, resume=True), tmp_path).steps == state["step"] + 1


def test_states_that_do_not_fit_are_refused_in_one_sentence(tmp_path: Path) -> None:
    train(Line(), run_of(2), tmp_path)
    with pytest.raises(UserError, match="--seed 0"):
        train(Line(1), run_of(3, resume=True, seed=1), tmp_path)
    other = Line()
    other.learner.module = nn.Linear(2, 2)
    with pytest.raises(UserError, match="does not fit the line") as error:
        train(other, run_of(3, resume=True), tmp_path)
    assert "\n" not in str(error.value)
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:60])
    with pytest.raises(UserError, match="damaged"):
        train(Line(), run_of(3, resume=True), tmp_path)


def test_a_diverged_run_does_not_save_over_its_last_good_state(tmp_path: Path) -> None:
    line = Line()

    def spoil(number: int) -> None:
        if number == 3:
            line.model[0].weight.data.fill_(float("nan"))

    line.after = spoil
    with pytest.raises(UserError, match="is nan at step 4"):
        train(line, run_of(9, save_seconds=3600), tmp_path)
    assert not (tmp_path / STATE).exists()


def test_sheets_are_drawn_by_the_clock_and_at_the_end(tmp_path: Path) -> None:
    train(Line(), run_of(3, look_seconds=0.0), tmp_path)
    assert {p.name for p in tmp_path.glob("*.png")} >= {"samples-000001.png", "samples-final.png"}


def test_a_run_is_split_by_its_length() -> None:
    first, second = TrainingRun(minutes=10, steps=8, seed=3).split(0.25)
    assert (first.minutes, first.steps, second.minutes, second.steps) == (2.5, 2, 7.5, 6) and second.seed == 3
    assert TrainingRun(minutes=10).split(0.25)[1].steps is None
    with pytest.raises(ValueError, match="length"):
        TrainingRun(minutes=-1)
    assert TrainingRun(steps=0).progress(Budget(1.0), 0) == 1.0


# ---------------------------------------------------------------- optimisers


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_kernel_is_moved_as_the_matrix_that_it_is(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    values, gradient = torch.randn(6, 3, 3, 3), torch.randn(6, 3, 3, 3)
    kernel = nn.Parameter(values.clone().to(memory_format=layout))
    matrix = nn.Parameter(values.flatten(1).clone())
    ours, theirs = Muon([kernel], lr=0.1), torch.optim.Muon([matrix], lr=0.1, weight_decay=0.01)
    for _ in range(3):
        kernel.grad, matrix.grad = gradient.clone(), gradient.flatten(1).clone()
        ours.step()
        theirs.step()
    ours.zero_grad()
    assert kernel.grad is None
    assert (kernel.detach() - values).abs().max() > 0.01
    assert torch.allclose(kernel.detach().flatten(1), matrix.detach(), atol=5e-3)  # bfloat16 inside


def test_a_parameter_that_was_moved_after_its_optimiser_was_made_is_told() -> None:
    kernel = nn.Parameter(torch.randn(4, 2, 3, 3))
    optimiser = Muon([kernel])
    kernel.data = kernel.data.clone()
    kernel.grad = torch.ones_like(kernel)
    with pytest.raises(RuntimeError, match="moved"):
        optimiser.step()


def test_the_average_follows_weights_slowly_and_takes_statistics_as_they_are() -> None:
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, decay=0.9)
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.running_mean.fill_(5.0)  # type: ignore[union-attr]
    average.update(0)
    kept = dict(average.copy.named_parameters())["weight"]
    assert kept.tolist() == pytest.approx([1.9, 1.9])
    assert np.allclose(average.copy.running_mean, 5.0)  # type: ignore[arg-type]
    assert not kept.requires_grad and not average.copy.training
