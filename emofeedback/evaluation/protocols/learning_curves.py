"""Learning curves of reward fine-tuning on one pair of axes: this project's jobs beside those of flow_grpo.

flow_grpo (Liu et al. 2025, arXiv 2505.05470; github.com/yifan123/flow_grpo) is run by whoever measures, as it is. It
logs to wandb: `eval_reward_NAME` on its test prompts every `eval_freq` epochs, `reward_NAME` and `epoch` of what it
trains on, and wandb adds `_runtime` (seconds). One run is read from `history.jsonl` (a row a step), from an export as
CSV or JSON, or from the `.wandb` file of an offline run where the wandb package is installed.
"""

import csv
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emofeedback.errors import UserError
from emofeedback.evaluation.metrics import bootstrap
from emofeedback.evaluation.report import Measure
from emofeedback.protocols import Judge

if TYPE_CHECKING:
    from emofeedback.finetuning.trainer import Finetuner

SHARE = 0.1
"""Of flow_grpo's time, in which its reward after `SECONDS` is to be reached."""
SECONDS = 300.0
REFERENCE = "flow_grpo"
EVALUATED, RUNTIME, EPOCH = "eval_reward_", "_runtime", "epoch"


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Reward on held-out prompts after so much training; `pictures` None = not known."""

    seconds: float
    pictures: float | None
    reward: float


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """One job: points in the order of time, the first before any update, at 0 seconds."""

    name: str
    seed: str
    points: tuple[CurvePoint, ...]

    def gains(self) -> list[tuple[float, float]]:
        """(seconds, reward less the first one)."""
        return [(point.seconds, point.reward - self.points[0].reward) for point in self.points]

    def best(self, seconds: float = math.inf) -> float:
        """The highest gain within so many seconds."""
        return max(gain for at, gain in self.gains() if at <= seconds)

    def reaches(self, gain: float) -> float:
        """Seconds after which a gain is there; inf = never. Between two points it is taken as a straight line."""
        before: tuple[float, float] | None = None
        for at, value in self.gains():
            if value >= gain:
                if before is None or value == before[1]:
                    return at
                return before[0] + (at - before[0]) * (gain - before[1]) / (value - before[1])
            before = (at, value)
        return math.inf


def held_out_reward(trainer: "Finetuner", judge: Judge) -> float:
    """Minus the mean squared distance that the judge reads in the trainer's held-out pictures: the reward that both
    sides are given, on prompts that neither trains on.

    Raises:
        UserError: the judge could read none of them.
    """
    pictures = trainer.auditor.draw(trainer.policy.generator)
    readings = judge.read(pictures)
    found = [
        reading.affect.distance(picture.request.affect) ** 2
        for picture, reading in zip(pictures, readings, strict=True)
        if reading is not None and picture.request.affect is not None
    ]
    if not found:
        raise UserError(f"{judge.name} could read none of the held-out pictures; choose another judge.")
    return -float(np.mean(found))


def record_curve(
    trainer: "Finetuner",
    judge: Judge,
    seconds: float,
    looks: int = 8,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[int, float], None] | None = None,
) -> LearningCurve:
    """Train for so many seconds and look at the held-out reward at even times; looks do not count as training.

    Args:
        looks: after the start, besides the one before the first update.
        progress: called with the updates done and the seconds trained.
    """
    settings = trainer.settings
    points = [CurvePoint(0.0, 0.0, held_out_reward(trainer, judge))]
    trained = 0.0
    while trained < seconds:
        begun = clock()
        trainer.update()
        trained += clock() - begun
        if progress is not None:
            progress(trainer.done, trained)
        if trained >= min(seconds, len(points) * seconds / looks):
            points.append(CurvePoint(trained, float(trainer.pictures), held_out_reward(trainer, judge)))
    return LearningCurve(settings.objective, str(settings.seed), tuple(points))


def read_flow_grpo(folder: Path, pictures_per_epoch: float | None = None, reward: str = "avg") -> list[LearningCurve]:
    """The runs of flow_grpo below a folder, one curve a file of logs.

    Args:
        pictures_per_epoch: pictures that one of its epochs draws (its log says "Total number of samples per epoch").
        reward: the name behind `eval_reward_`.

    Raises:
        UserError: there is no log, it cannot be read, or it evaluates nothing.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}; give the one that holds flow_grpo's logs.")
    files = [path for ending in ("jsonl", "json", "csv", "wandb") for path in sorted(folder.rglob(f"*.{ending}"))]
    curves: list[LearningCurve] = []
    without = 0
    for path in files:
        if path.name in ("wandb-metadata.json", "wandb-summary.json") or path.name.endswith("_metadata.jsonl"):
            continue
        curve = _curve(path, _rows(path), pictures_per_epoch, reward)
        if curve is None:
            without += 1
        else:
            curves.append(curve)
    if not curves:
        looked = f"; {without} files were looked at" if without else ""
        raise UserError(
            f"{folder} holds no log of flow_grpo with {EVALUATED}{reward} and {RUNTIME}{looked}: export the run's "
            "history as CSV or JSON lines, see docs/evaluation-finetuning.md."
        )
    return curves


def _curve(
    path: Path, rows: Iterable[dict[str, Any]], pictures_per_epoch: float | None, reward: str
) -> LearningCurve | None:
    """A run's evaluations; None where there are fewer than two."""
    points: list[CurvePoint] = []
    begun, epoch = None, 0.0
    for row in rows:
        at, value = _number(row.get(RUNTIME)), _number(row.get(f"{EVALUATED}{reward}"))
        # evaluated before the epoch of that number is logged: what was drawn are the epochs before it
        if value is not None and at is not None:
            begun = at if begun is None else begun
            drawn = None if pictures_per_epoch is None else epoch * pictures_per_epoch
            points.append(CurvePoint(at - begun, drawn, value))
        if (number := _number(row.get(EPOCH))) is not None:
            epoch = number + 1
    run = path.stem if path.stem not in ("history", "wandb-history") else path.parent.name
    return LearningCurve(REFERENCE, run, tuple(points)) if len(points) > 1 else None


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a log, in the order of time.

    Raises:
        UserError: the file is damaged, or it needs the wandb package.
    """
    try:
        match path.suffix:
            case ".wandb":
                return _wandb_rows(path)
            case ".csv":
                with path.open(encoding="utf-8-sig", newline="") as file:
                    return list(csv.DictReader(file))
            case ".jsonl":
                lines = path.read_text(encoding="utf-8").splitlines()
                return [row for line in lines if line.strip() and isinstance(row := json.loads(line), dict)]
        found = json.loads(path.read_text(encoding="utf-8"))
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    except (OSError, ValueError, csv.Error, AssertionError) as error:  # the last: wandb's reader of a damaged file
        raise UserError(f"{path} cannot be read as a log ({error}); export it again or leave it out.") from None


def _wandb_rows(path: Path) -> list[dict[str, Any]]:
    """The history of an offline run, by wandb's own reader."""
    try:
        from wandb.proto import wandb_internal_pb2
        from wandb.sdk.internal.datastore import DataStore
    except ImportError:
        raise UserError(
            f"{path.name} needs the wandb package to be read; install it, or export the run's history as CSV."
        ) from None
    store = DataStore()
    store.open_for_scan(str(path))
    rows = []
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            rows.append({(item.key or ".".join(item.nested_key)): json.loads(item.value_json) for item in items})
    return rows


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def curve_measures(
    ours: Sequence[LearningCurve], theirs: Sequence[LearningCurve], seconds: float = SECONDS, seed: int = 0
) -> list[Measure]:
    """Held-out reward gained by each objective, and how soon it has what flow_grpo has after `seconds`.

    Gains are over each job's own start, since pictures before the first update differ between samplers. Jobs (training
    seeds) are the unit.
    """
    rows, jobs = [], [*ours, *theirs]
    for name in dict.fromkeys(curve.name for curve in jobs):
        gains = [curve.best(seconds) for curve in jobs if curve.name == name]
        rows.append(
            Measure.of(f"{name}: reward gained in {seconds:g} s", bootstrap(gains, seed=seed), "held-out reward")
        )
    if not theirs:
        return rows
    goal = float(np.mean([curve.best(seconds) for curve in theirs]))
    rows.append(Measure(f"{REFERENCE}: gain to be reached", goal, "held-out reward", len(theirs)))
    for name in dict.fromkeys(curve.name for curve in ours):
        some = [curve for curve in ours if curve.name == name]
        shares = [curve.reaches(goal) / seconds for curve in some]
        label = f"{name}: time to {REFERENCE}'s gain"
        if all(map(math.isfinite, shares)):
            found = bootstrap(shares, seed=seed)
            rows.append(Measure.of(label, found, f"of its {seconds:g} s", (None, SHARE)))
        else:
            missed = sum(not math.isfinite(share) for share in shares)
            note = f"{missed} of {len(shares)} jobs did not reach it"
            rows.append(Measure(label, math.nan, f"of its {seconds:g} s", len(shares), None, (None, SHARE), note))
    return rows
