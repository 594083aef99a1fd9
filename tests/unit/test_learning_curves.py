"""flow_grpo's logs as wandb writes and exports them, and our jobs beside them."""

import csv
import json
import math
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import ColourJudge, PaintGenerator

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.protocols.learning_curves import (
    CurvePoint,
    LearningCurve,
    curve_measures,
    read_flow_grpo,
    record_curve,
)
from emofeedback.records import PictureRequest

ROWS = [  # as its training loop logs them: an evaluation at the beginning of an epoch, rewards, then losses
    {"_step": 0, "_runtime": 40.0, "eval_reward_avg": -0.5, "eval_reward_ocr": 0.1, "epoch": 0, "reward_avg": -0.6},
    {"_step": 1, "_runtime": 90.0, "policy_loss": 0.1, "epoch": 0, "inner_epoch": 0},
    {"_step": 2, "_runtime": 140.0, "epoch": 1, "reward_avg": -0.4},
    {"_step": 4, "_runtime": 240.0, "eval_reward_avg": -0.3, "epoch": 2, "reward_avg": -0.35},
    {"_step": 6, "_runtime": 440.0, "eval_reward_avg": -0.1, "epoch": 4},
]


def write(folder: Path, kind: str) -> Path:
    folder.mkdir(parents=True)
    if kind == "jsonl":
        (folder / "history.jsonl").write_text("\n".join(map(json.dumps, ROWS)) + "\n")
    elif kind == "json":
        (folder / "history.json").write_text(json.dumps(ROWS))
    else:
        with (folder / "seed1.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, sorted({key for row in ROWS for key in row}))
            writer.writeheader()
            writer.writerows(ROWS)
    (folder / "wandb-summary.json").write_text('{"eval_reward_avg": -0.1}')
    return folder


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_its_evaluations_are_read_from_their_first(tmp_path: Path, kind: str) -> None:
    [curve] = read_flow_grpo(write(tmp_path / "seed1", kind), pictures_per_epoch=48)
    assert [p.seconds for p in curve.points] == [0.0, 200.0, 400.0]  # loading the models is not training
    assert [p.reward for p in curve.points] == [-0.5, -0.3, -0.1]
    assert [p.pictures for p in curve.points] == [0.0, 96.0, 144.0]
    assert curve.seed == "seed1"
    assert curve.best(300) == pytest.approx(0.2) and curve.best() == pytest.approx(0.4)


def test_what_is_no_log_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        read_flow_grpo(tmp_path / "nowhere")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="eval_reward_avg"):
        read_flow_grpo(tmp_path)
    (tmp_path / "run.wandb").write_bytes(b":W&B")
    with pytest.raises(UserError, match="run.wandb|wandb package"):
        read_flow_grpo(tmp_path)


def line(name: str, slope: float, seed: str = "0") -> LearningCurve:
    """A job whose reward rises by `slope` a second, over 300 s."""
    points = tuple(CurvePoint(float(t), 2.0 * t, -1 + slope * t) for t in range(0, 301, 100))
    return LearningCurve(name, seed, points)


def test_the_share_of_its_time_is_the_ratio_of_the_slopes() -> None:
    theirs = [line("flow_grpo", 0.001, str(k)) for k in range(3)]
    ours = [line("awm", 0.02, str(k)) for k in range(3)] + [line("grpo", 0.002), line("nft", 0.0001)]
    rows = {m.name: m for m in curve_measures(ours, theirs)}
    assert rows["flow_grpo: gain to be reached"].value == pytest.approx(0.3)
    fast = rows["awm: time to flow_grpo's gain"]
    assert fast.value == pytest.approx(0.001 / 0.02) and fast.holds() and fast.n == 3
    assert rows["grpo: time to flow_grpo's gain"].value == pytest.approx(0.5)
    missed = rows["nft: time to flow_grpo's gain"]
    assert math.isnan(missed.value) and missed.holds() is False and "did not reach it" in (missed.note or "")
    assert rows["awm: reward gained in 300 s"].value == pytest.approx(6.0)
    assert len(curve_measures(ours, [])) == 3


class Learner:
    """Stands for a trainer: every update makes its generator a little more obedient and takes one second."""

    settings = SimpleNamespace(objective="awm", seed=7)

    def __init__(self) -> None:
        self.done = self.pictures = 0
        generator = PaintGenerator(0.0)
        self.policy = SimpleNamespace(generator=generator)
        asked = [PictureRequest("a dog", Affect(1.0, 0.0), 0)]
        self.auditor = SimpleNamespace(draw=lambda drawn: list(drawn.generate(asked)))

    def update(self) -> None:
        self.done, self.pictures = self.done + 1, self.pictures + 64
        self.policy.generator.obedience += 0.1


def test_our_curve_is_the_judges_reward_on_held_out_prompts() -> None:
    ticks = count()
    curve = record_curve(Learner(), ColourJudge(), 8.0, looks=4, clock=lambda: float(next(ticks)))  # type: ignore[arg-type]
    assert [p.seconds for p in curve.points] == [0, 2, 4, 6, 8]
    assert [p.pictures for p in curve.points] == [0, 128, 256, 384, 512]
    assert [p.reward for p in curve.points] == pytest.approx(
        [-((1 - o) ** 2) for o in (0, 0.2, 0.4, 0.6, 0.8)], abs=0.02
    )
    assert (curve.name, curve.seed) == ("awm", "7")
    with pytest.raises(UserError, match="none of the held-out"):
        record_curve(Learner(), ColourJudge(blind=True), 8.0)  # type: ignore[arg-type]
