"""One order, whoever gives it: the tab and the command line go on with each other's jobs, and with old ones."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import ColourJudge
from tiny_finetune import tiny_generator

from emofeedback import build
from emofeedback.affect import Affect
from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.finetuning.audit import Auditor
from emofeedback.finetuning.job import planned, settings_for
from emofeedback.finetuning.job_settings import FinetuneSettings, Targets, Tasks, order_of, settings_of, tasks_of
from emofeedback.finetuning.job_store import RECORD, read_record
from emofeedback.finetuning.objectives.table import NAMES
from emofeedback.finetuning.order import FinetuneOrder
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.finetuning.rewards import AffectReward, CachedReader, ContentReward
from emofeedback.finetuning.trainer import Finetuner, Scoring
from emofeedback.settings import Settings
from emofeedback.ui.finetune.past_jobs import continued

FLAGS = ["--objective", "awm", "--group", "4", "--steps", "2", "--prompts-per-update", "2", "--rank", "4"]
FLAGS += ["--audit-pictures", "2", "--audit-every", "1", "--region", "calm-tense"]
TAB = FinetuneOrder(
    ("a cat", "a dog"), ("a lake",), objective="awm", minutes=None, updates=1, group=4, steps=2, learning_rate=0.02
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The models of a job are tiny; its settings and tasks are those that were ordered."""

    def finetuner(generator: Any, judge: Any, rater: Any, job: FinetuneSettings, tasks: Tasks, out: Path) -> Finetuner:
        job = replace(job, weights={"affect": 1.0, "content": 0.3})
        policy = ScenePolicy(tiny_generator(), job.rank or 4, job.seed, job.micro_batch)
        reader = CachedReader(judge)
        auditor = Auditor(tasks.audit(job.audit_pictures), rater, job)
        rewards = {"affect": AffectReward(reader), "content": ContentReward(reader)}
        return Finetuner(policy, Scoring(rewards, auditor), job, tasks, out)

    for name in ("generator", "judge", "rater"):
        monkeypatch.setattr(f"emofeedback.build.build_{name}", lambda *given: ColourJudge())
    monkeypatch.setattr("emofeedback.finetuning.build_finetuner.build_finetuner", finetuner)
    (tmp_path / "prompts.txt").write_text("a cat\na dog\na boat\n")
    (tmp_path / "held-out.txt").write_text("a lake\n")
    return tmp_path


def test_the_tab_goes_on_with_a_job_of_the_command_line(tiny: Path) -> None:
    """The tab said once: started from the command line; go on with it there."""
    out = tiny / "job"
    files = ["--prompts", str(tiny / "prompts.txt"), "--held-out", str(tiny / "held-out.txt")]
    assert main(["finetune", "--updates", "1", *FLAGS, *files, "--out", str(out)]) == 0
    record = read_record(out)
    assert record is not None and record.ordered is not None
    assert (record.ordered["region"], record.ordered["more"]["rank"]) == ("calm-tense", 4)
    job = build.build_finetune_job(Settings(), continued(record, None, 1), ColourJudge(), out)
    job.resume()
    ending = job.run(lambda: False, lambda entry: None)
    assert (ending.result.updates, ending.result.stopped) == (2, "budget")


def test_the_command_line_goes_on_with_a_job_of_the_tab(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tiny / "job"
    order = replace(TAB, more={"audit_pictures": 2, "prompts": 2, "rank": 4})
    build.build_finetune_job(Settings(), order, ColourJudge(), out).run(lambda: False, lambda entry: None, order)
    assert main(["finetune", "--resume", "--updates", "2", "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["updates"] == 2
    record = read_record(out)
    assert record is not None and record.settings["updates"] == 2 and record.order().updates == 2
    assert record.ordered is not None and record.ordered["updates"] == 1  # what was asked for first


def test_a_job_on_disk_from_before_orders_had_more_goes_on_with_the_audit_it_began_with(tiny: Path) -> None:
    out = tiny / "job"
    order = replace(TAB, more={"audit_pictures": 2, "prompts": 2, "rank": 4})
    build.build_finetune_job(Settings(), order, ColourJudge(), out).run(lambda: False, lambda entry: None)
    known = json.loads((out / RECORD).read_text())
    known["tasks"]["audit"] = known["tasks"]["audit"][:1] * 2  # as it was: one pair twice
    for ordered in (None, {"prompts": ["a cat"], "held_out": [], "point": None, "objective": "awm"}):
        (out / RECORD).write_text(json.dumps({**known, "order": ordered}))
        record = read_record(out)
        assert record is not None and record.order().prompts == ("a cat", "a dog")
    job = build.build_finetune_job(Settings(), continued(record, None, 1), ColourJudge(), out)
    job.resume()
    asked = job.held_out()
    assert asked[0].affect == asked[1].affect and asked[0].seed != asked[1].seed
    (out / RECORD).write_text(json.dumps({**known, "settings": {"gone": 1}}))
    record = read_record(out)
    assert record is not None
    with pytest.raises(UserError, match="another version"):
        record.order()


@pytest.mark.parametrize("name", NAMES)
def test_settings_and_tasks_tell_the_order_that_makes_them(name: str) -> None:
    more = {"passes": 2, "audit_every": 3, "beta": 0.5, "start_scale": 0.5}
    order = FinetuneOrder(region="point", point=Affect(0.5, -0.5), objective=name, seed=3, start="x", more=more)
    settings, tasks = settings_of(order, name), tasks_of(order)
    again = order_of(json.loads(json.dumps(settings.as_json())), json.loads(json.dumps(tasks.as_json())))
    assert settings_of(again, again.objective) == settings and tasks_of(again).as_json() == tasks.as_json()
    assert settings.passes == 2 and settings.minutes == 5.0
    assert settings_for(FinetuneOrder(), ColourJudge()).objective == "awm"


def test_an_audit_asks_every_prompt_at_several_corners() -> None:
    """Sixteen prompts and four corners turned in step once: 32 pictures were 16 pairs, one corner a prompt."""
    prompts = [f"prompt {i}" for i in range(16)]
    tasks = Tasks(["a cat"], prompts, Targets("corners"), 0).audit(32)
    assert len({(task.prompt, task.affect) for task in tasks}) == 32
    for prompt in prompts:
        assert len({task.affect for task in tasks if task.prompt == prompt}) == 2
    corners = [task.affect for task in tasks]
    assert {corners.count(corner) for corner in corners} == {8}
    seeds = {r.seed for r in Auditor(tasks, ColourJudge(), FinetuneSettings(updates=1)).requests}
    assert len(seeds) == 32
    lonely = Tasks(["a cat"], ["a dog", "a lake", "a boat"], Targets("corners"), 0).audit(12)
    assert len({(task.prompt, task.affect) for task in lonely}) == 12


@pytest.mark.parametrize("minutes", [0.2, 1.0, 3.7, 10.0])
@pytest.mark.parametrize(("update", "audit", "every"), [(2.0, 12.0, 6), (7.0, 3.0, 1), (0.5, 0.0, 4)])
def test_an_estimate_counts_as_the_trainer_does(minutes: float, update: float, audit: float, every: int) -> None:
    """It spread the audits evenly and left out the last one, so that short jobs took longer than was said."""
    settings = FinetuneSettings(minutes=minutes, audit_every=every)
    elapsed, done, audited = 0.0, 0, -1
    while True:
        if done % every == 0 and audited != done:
            elapsed, audited = elapsed + audit, done
        if done and elapsed + update / 2 + audit >= 60 * minutes:
            break
        elapsed, done = elapsed + update, done + 1
    elapsed += audit if audited != done else 0.0
    found, seconds = planned(update, audit, settings)
    assert found == done and seconds == pytest.approx(elapsed)
    assert planned(2.0, 12.0, FinetuneSettings(updates=7)) == (7, 14 + 3 * 12.0)
