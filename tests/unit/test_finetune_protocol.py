"""What fine-tuning gained: closed forms of the figures, and both commands over tiny jobs."""

import json
from pathlib import Path

import numpy as np
import pytest
from fakes import ColourJudge
from PIL import Image
from tiny_finetune import job, tiny_generator

from emofeedback.cli import main
from emofeedback.evaluation.protocols.finetuning_gain import (
    Grades,
    base_measures,
    best_of_each,
    corner_tasks,
    draw_tasks,
    gain_measures,
    grade,
    speed_measure,
    spread,
)


def grades(error: float, kept: float = 1.0, diversity: float = 0.4, count: int = 6) -> Grades:
    wobble = 1 + 0.01 * np.arange(count)
    return Grades(error * wobble, np.full(count, kept), np.full(count, diversity))


def test_the_share_of_the_gap_is_what_tuning_saves_of_what_choosing_saves() -> None:
    base, best, tuned = grades(1.0), grades(0.5), [grades(0.8, 0.9), grades(0.6, 1.0, 0.3)]
    rows = {m.name: m for m in gain_measures("awm", base, best, tuned, 0)}
    closed = rows["awm: share of the gap to best of N closed"]
    assert closed.value == pytest.approx(0.6) and closed.holds() is True
    assert closed.interval is not None and closed.interval[0] <= 0.6 + 1e-9 and closed.interval[1] >= 0.6 - 1e-9
    assert rows["awm: share closed by training seed 1"].value == pytest.approx(0.8)
    assert rows["awm: content kept against the base"].value == pytest.approx(0.95)
    assert rows["awm: diversity against the base"].holds() is False
    harmful = {m.name: m for m in gain_measures("awm", base, best, [grades(1.2)], 0)}
    assert harmful["awm: share of the gap to best of N closed"].value == pytest.approx(-0.4)
    assert base_measures(base, best, 16, 0)[0].value == pytest.approx(1.025)


def test_tasks_lie_at_the_corners_and_use_other_prompts_than_the_audit() -> None:
    tasks = corner_tasks(8, 3)
    assert all(min(abs(t.target.valence), abs(t.target.arousal)) >= 0.6 for t in tasks)
    corners = {(t.target.valence > 0, t.target.arousal > 0) for t in tasks}
    assert len(corners) == 4 and len({t.prompt for t in tasks}) == 8
    seeds = [seed for t in tasks for seed in t.seeds]
    assert len(set(seeds)) == len(seeds) == 8 * 16
    avoided = {t.prompt for t in tasks[:4]}
    assert not avoided & {t.prompt for t in corner_tasks(8, 3, sorted(avoided))}
    assert corner_tasks(8, 3) == tasks


def test_spread_is_zero_for_copies_and_one_for_black_against_white() -> None:
    black, white = Image.new("RGB", (64, 64)), Image.new("RGB", (64, 64), "white")
    assert spread([black, black, black]) == 0.0
    assert spread([black, white]) == pytest.approx(1.0)


def test_the_judge_s_choice_is_never_worse_by_its_own_reading() -> None:
    tasks = corner_tasks(2, 0, best_of=4)
    pictures = draw_tasks(tiny_generator(), tasks, 4)
    one = grade(pictures, ColourJudge(), tasks)
    best = grade(best_of_each(pictures, ColourJudge(), tasks), ColourJudge(), tasks)
    assert (best.error <= one.error + 1e-9).all()


def test_awm_s_time_is_measured_to_what_grpo_reaches() -> None:
    grpo = [(0.0, -1.0), (100.0, -0.4), (300.0, -0.5)]
    assert speed_measure([[(0.0, -1.0), (60.0, -0.4)]], [grpo]).value == pytest.approx(0.2)
    assert speed_measure([[(0.0, -1.0), (60.0, -0.6)]], [grpo]).holds() is False


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emofeedback.build.build_generator", lambda settings: tiny_generator())
    for name in ("judge", "rater"):
        monkeypatch.setattr(f"emofeedback.build.build_{name}", lambda *given: ColourJudge())

    def build(generator, judge, rater, chosen, tasks, out):  # type: ignore[no-untyped-def]
        return job(out, objective=chosen.objective, learning_rate=chosen.learning_rate, updates=2, seed=chosen.seed)

    monkeypatch.setattr("emofeedback.finetuning.build_finetuner.build_finetuner", build)


def test_benchmark_finetune_measures_every_objective_that_is_asked_for(
    tiny: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "finetune", "--objectives", "awm,grpo", "--updates", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = {m["name"]: m for m in report["measures"]}
    for name in ("awm", "grpo"):
        assert rows[f"{name}: updates"]["value"] == 2
        assert rows[f"{name}: pictures per second"]["value"] > 0 and rows[f"{name}: time of an update"]["unit"] == "s"
        assert rows[f"{name}: reward gained"]["unit"] == "per minute"
    assert main(["benchmark", "finetune", "--objectives", "best"]) == 2
    assert "choose an objective" in capsys.readouterr().err


def test_evaluate_finetune_searches_the_rate_and_reports(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--count", "2", "--best-of", "4", "--seeds", "1", "--objectives", "awm,grpo", "--updates", "2"]
    flags += ["--learning-rates", "1e-3,1e-2", "--out", str(tmp_path), "--json"]
    assert main(["evaluate", "finetune", *flags]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert json.loads(capsys.readouterr().out)["measures"] == report["measures"]
    rows = {m["name"]: m for m in report["measures"]}
    assert "awm at 0.01: best audit score" in rows and rows["awm: learning rate"]["value"] in (1e-3, 1e-2)
    assert rows["awm: updates of a job"]["value"] == 2
    assert "awm: time to what grpo reaches" in rows and "awm: share of the gap to best of N closed" in rows
    assert (tmp_path / "awm-0.01-seed0" / "adapter").is_dir()
    assert "--learning-rates 1e-3,1e-2" in report["command"]
    assert main(["evaluate", "finetune", "--learning-rates", "fast"]) == 2
