"""Fine-tuning jobs on a tiny random generator: they learn, stop, go on and never touch the base."""

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from fake_openai import HANG, FakeOpenAI, serve
from fakes import ColourJudge
from tiny_finetune import PatchyJudge, job, tiny_generator

from emofeedback.affect import Affect
from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.files.training_state import load_state
from emofeedback.finetuning.adapter_export import export_adapter
from emofeedback.finetuning.advantages import group_advantages
from emofeedback.finetuning.audit import Guard
from emofeedback.finetuning.experience import Experience
from emofeedback.finetuning.job_settings import FinetuneSettings, Targets, Tasks, scene_prompts
from emofeedback.finetuning.job_store import read_record
from emofeedback.finetuning.policy.rollout import Rollout, Sampling, draw_rollout
from emofeedback.finetuning.rewards import AffectReward, CachedReader
from emofeedback.finetuning.trainer import STATE
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.records import Picture, PictureRequest, Reading, Seen
from emofeedback.servers.chat import ChatServer
from emofeedback.servers.patience import Patience


def base_weights(generator) -> dict[str, torch.Tensor]:  # type: ignore[no-untyped-def]
    named = generator.pipeline.transformer.state_dict().items()
    weights = {k.replace(".base_layer", ""): v for k, v in named if "lora_" not in k}
    return {**weights, **{f"vae.{k}": v for k, v in generator.pipeline.vae.state_dict().items()}}


@pytest.mark.parametrize("objective", ["awm", "nft", "grpo", "direct", "dpo"])
def test_every_objective_changes_the_adapter_and_nothing_else(objective: str, tmp_path: Path) -> None:
    trainer = job(tmp_path, objective=objective, audit_every=100)
    before = trainer.policy.state()
    rewards = [trainer.update() for _ in range(2)]
    after = trainer.policy.state()
    still = {key for key in before if "lora_B" in key and torch.equal(before[key], after[key])}
    assert all("blocks.1.attn.add_q_proj" in key for key in still)  # the last block drops what its words ask for
    base, expected = base_weights(trainer.policy.generator), base_weights(tiny_generator())
    assert base.keys() == expected.keys()
    assert all(torch.equal(base[key], expected[key]) for key in base)
    assert all(entry["loss"] is not None and entry["gradient"] > 0 for entry in rewards)
    assert rewards[0]["drift"] < rewards[1]["drift"] or objective in ("grpo", "direct")


def test_a_colour_is_learned(tmp_path: Path) -> None:
    trainer = job(tmp_path, learning_rate=3e-2, beta=0.3, audit_every=100, prompts=3, group=16, passes=4)
    requests = trainer.updater.requests(99)  # an update that is never reached

    def rewards() -> torch.Tensor:
        policy = trainer.policy
        conditions = policy.conditions(requests)
        rollout = draw_rollout(policy, conditions, [r.seed for r in requests], Sampling(2))
        with torch.no_grad():
            red, green = policy.decode(rollout.clean, conditions)[:, :2].mean((2, 3)).unbind(1)
        return -((red - 0.7).square() + (green + 0.7).square())

    before = rewards()
    for _ in range(7):
        trainer.update()
    assert rewards().mean() > before.mean() + 0.5 * before.std()


def test_a_killed_job_goes_on_to_the_bit(tmp_path: Path) -> None:
    straight = job(tmp_path / "straight", updates=3, audit_every=2)
    straight.run()
    job(tmp_path / "killed", updates=2, audit_every=2).run()
    killed = tmp_path / "killed"
    with (killed / "metrics.jsonl").open("a") as stream:  # written after the last state, and cut short
        stream.write('{"kind": "update", "update": 3, "reward": 9}\n{"kind": "upd')
    resumed = job(killed, updates=3, audit_every=2)
    resumed.load()
    resumed.run()
    expected, found = (load_state(trainer.out / STATE) for trainer in (straight, resumed))
    assert all(torch.equal(expected["policy"][key], found["policy"][key]) for key in expected["policy"])
    ours, theirs = expected["optimizer"]["state"], found["optimizer"]["state"]
    assert all(torch.equal(ours[i][k], theirs[i][k]) for i in ours for k in ours[i])
    assert all(bool(value.any()) for key, value in found["policy"].items() if "blocks.0" in key)

    def figures(folder: Path) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in line.items() if not k.startswith(("seconds", "elapsed"))} for line in lines]

    assert figures(tmp_path / "straight") == figures(killed)


def test_a_job_resumes_only_as_what_it_was(tmp_path: Path) -> None:
    job(tmp_path, updates=1, audit_every=100).save()
    with pytest.raises(UserError, match="other settings"):
        job(tmp_path, updates=1, audit_every=100, learning_rate=2e-3).load()
    shutil.rmtree(tmp_path / STATE.parent)
    with pytest.raises(UserError, match="no training state"):
        job(tmp_path, updates=1).load()


def test_cancel_within_an_update_leaves_the_last_whole_one_in_a_loadable_adapter(tmp_path: Path) -> None:
    trainer = job(tmp_path, updates=50, audit_every=100)
    whole: list[dict[str, torch.Tensor]] = []
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += trainer.done
        return asked > 4  # in the middle of the second update

    result = trainer.run(stop, lambda entry: whole.append(trainer.policy.state()))
    assert (result.stopped, result.updates, result.best) == ("cancelled", 1, None)
    assert all(torch.equal(whole[-1][key], value) for key, value in trainer.policy.state().items())
    folder = export_adapter(trainer.policy, trainer.settings, trainer.tasks, result, tmp_path / "adapter")
    tiny_generator().load_adapter(folder)


def test_pictures_that_cannot_be_read_leave_the_group_and_not_its_baseline(tmp_path: Path) -> None:
    trainer = job(tmp_path, PatchyJudge(), prompts=2, group=6, audit_every=100)
    entry = trainer.update()
    assert entry["missing"] == pytest.approx(1 / 3)
    assert entry["loss"] is not None
    blind = job(tmp_path, ColourJudge(blind=True), audit_every=100)
    before = blind.policy.state()
    entry = blind.update()
    assert (entry["reward"], entry["loss"], entry["missing"], entry["zero_variance"]) == (None, None, 1.0, 1.0)
    assert all(torch.equal(before[key], value) for key, value in blind.policy.state().items())


def test_a_judge_blind_to_a_third_does_not_move_the_baseline_of_the_others(tmp_path: Path) -> None:
    """The advantages of the pictures that were read are those of a group that never held the others."""
    whole, patchy = (job(tmp_path, judge, prompts=2, group=6) for judge in (ColourJudge(), PatchyJudge()))
    requests = whole.updater.requests(0)
    assert [len({r.plan_seed for r in requests[i : i + 6]}) for i in (0, 6)] == [1, 1], "a group shares its plan"
    assert requests[0].plan_seed != requests[6].plan_seed and len({r.seed for r in requests}) == 12
    policy = whole.policy
    conditions = policy.conditions(requests)
    clean = draw_rollout(policy, conditions, [r.seed for r in requests], Sampling(2)).clean
    pictures = whole.updater.pictures(clean, conditions, requests)
    seen = torch.tensor([i % 3 != 0 for i in range(12)])
    full, holes = (one.updater.score(pictures, clean) for one in (whole, patchy))
    weights = dict(whole.settings.weights)
    found = group_advantages(holes, weights)
    expected = group_advantages({k: v.flatten()[seen].view(2, 4) for k, v in full.items()}, weights)
    assert torch.equal(found.usable.flatten(), seen)
    assert torch.allclose(found.values.flatten()[seen], expected.values.flatten(), atol=1e-5)
    assert not bool(found.values.flatten()[~seen].any())


class SetBack(ColourJudge):
    """A rater that finds every later audit worse."""

    def __init__(self) -> None:
        super().__init__()
        self.audits = 0

    def _read(self, image) -> Reading:  # type: ignore[no-untyped-def]
        self.audits += 1
        return Reading(Affect(max(-1.0, 0.7 - 0.1 * self.audits), -0.7), 0, 0, 1, (), self.name)


class Rising(AffectReward):
    """A reward that any policy can hack: it only grows."""

    calls = 0.0

    def score(self, pictures, latents=None):  # type: ignore[no-untyped-def]
        self.calls += 1
        return [self.calls + 0.1 * (i % 3) for i in range(len(pictures))]


def test_a_reward_that_rises_alone_stops_the_job_and_the_best_audit_is_kept(tmp_path: Path) -> None:
    trainer = job(tmp_path, rater=SetBack(), updates=20, audit_patience=2, passes=1)
    trainer.rewards["affect"] = Rising(ColourJudge())
    result = trainer.run()
    assert (result.stopped, result.updates, result.best_update) == ("hacked", 2, 0)
    assert all(not bool(value.any()) for key, value in trainer.policy.state().items() if "lora_B" in key)
    assert (tmp_path / "samples" / "update-00001.png").is_file()


class TiredOfRed(ColourJudge):
    """A rater that finds redder pictures farther from every target."""

    def _read(self, image) -> Reading:  # type: ignore[no-untyped-def]
        seen = super()._read(image)
        return Reading(Affect.clamped(-seen.affect.valence, seen.affect.arousal), 0, 0, 1, seen.seen, self.name)


def test_a_policy_that_only_pleases_its_judge_is_caught_by_the_audit(tmp_path: Path) -> None:
    """The judge is paid in red; the rater, on other prompts, sees nothing but harm in it."""
    trainer = job(
        tmp_path,
        rater=TiredOfRed(),
        learning_rate=3e-2,
        beta=0.3,
        prompts=3,
        group=16,
        passes=4,
        updates=40,
        audit_every=2,
        audit_patience=2,
        audit_pictures=8,
        weights={"affect": 1.0, "content": 0.0},
    )
    result = trainer.run()
    assert result.stopped == "hacked" and result.updates < 40
    rewards = [e["reward"] for e in trainer.log.read() if e["kind"] == "update"]
    audits = [e["score"] for e in trainer.log.read() if e["kind"] == "audit"]
    assert rewards[-1] > rewards[0] and audits[-1] < max(audits)
    assert result.best is not None and result.best.score == max(audits)


def test_the_guard_waits_and_does_not_blame_a_reward_that_stands_still() -> None:
    assert not Guard(2, [(0, 1), (1, 0.9)]).hacked()
    assert Guard(2, [(0, 1), (1, 0.9), (2, 0.8)]).hacked()
    assert not Guard(2, [(0, 1), (0, 0.9), (0, 0.8)]).hacked()
    assert not Guard(2, [(0, 1), (1, 0.9), (2, 1.1)]).hacked()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"group": 3}, "at least 4"),
        ({"minutes": 1.0, "updates": 1}, "not both"),
        ({"updates": None}, "not neither"),
        ({"window": 2}, "belongs to grpo"),
        ({"objective": "grpo", "window": 9, "steps": 6}, "has only 6"),
        ({"objective": "grpo", "eta": 0.0}, "eta above 0"),
        ({"objective": "nft", "beta": 0.0}, "beta above 0"),
        ({"objective": "best"}, "choose an objective"),
        ({"learning_rate": 5.0}, "learning rate must lie"),
        ({"weights": {"affect": 0.0}}, "at least one above 0"),
        ({"learned": 9}, "cannot be learned from"),
        ({"objective": "dpo", "learned": 4}, "by itself"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        FinetuneSettings(**{"updates": 1, **given})  # type: ignore[arg-type]


def test_only_the_extremes_of_a_group_are_learned_from_where_that_is_asked(tmp_path: Path) -> None:
    trainer = job(tmp_path, prompts=2, group=4, learned=2)
    advantages = torch.tensor([[0.1, -2.0, 1.5, 0.4], [0.0, 0.3, -0.2, 9.0]])
    usable = torch.tensor([[True] * 4, [True, True, True, False]])
    rollout = Rollout(torch.zeros(8, 4, 4, 4))
    experience = Experience(
        Sampling(2),
        rollout,
        trainer.policy.conditions(trainer.updater.requests(0)),
        torch.zeros(8, 2),
        advantages.masked_fill(~usable, 0.0),
        usable,
        0,
    )
    assert trainer.updater.collector.items(experience).tolist() == [1, 2, 5, 6]


def test_tasks_follow_from_seed_and_update_and_never_train_on_what_is_held_out() -> None:
    prompts = scene_prompts(12, 0, "train")
    tasks = Tasks(prompts, scene_prompts(4, 0, "held-out"), Targets("corners"), 3)
    assert tasks.draw(5, 4) == tasks.draw(5, 4)
    assert sorted(t.prompt for u in range(3) for t in tasks.draw(u, 4)) == sorted(prompts)
    assert len({t.affect for t in tasks.draw(0, 4)}) == 4
    calm, tense = sorted(set(Targets("calm-tense").draw(6, random.Random(1))), key=lambda p: p.arousal)
    assert calm.valence > 0 > calm.arousal and tense.valence < 0 < tense.arousal
    assert all(abs(p.valence) <= 0.8 for p in Targets("plane").draw(50, random.Random(0)))
    with pytest.raises(UserError, match="also trained on"):
        Tasks(prompts, prompts[:1], Targets("corners"), 0)
    with pytest.raises(UserError, match="not both"):
        Targets("plane", Affect(0, 0))


def test_a_picture_is_read_once_however_many_rewards_ask() -> None:
    class Counting(ColourJudge):
        seen = 0

        def read(self, pictures):  # type: ignore[no-untyped-def]
            self.seen += len(pictures)
            return super().read(pictures)

    judge = Counting()
    reader = CachedReader(judge)
    request = PictureRequest("a cat", Affect(0, 0), 0)
    pictures = [Picture(p.image, request, "", 0.0) for p in tiny_generator().generate([request, request])]
    AffectReward(reader).score(pictures)
    assert AffectReward(reader).score(pictures) == AffectReward(ColourJudge()).score(pictures)
    assert judge.seen == 1


@pytest.mark.parametrize(
    ("flags", "code", "reason"),
    [
        (["--group", "3"], 2, "at least 4"),
        (["--minutes", "1", "--updates", "2"], 2, "not both"),
        (["--target", "7"], 2, "two numbers"),
        (["--target=0.1,0.2", "--region", "plane"], 2, "not both"),
        (["--adapter", "some"], 2, "no adapter at some"),
        (["--prompts", "missing.txt"], 2, "one prompt a line"),
        (["--resume"], 1, "no job in"),
    ],
)
def test_the_command_refuses_in_one_sentence(
    flags: list[str], code: int, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["finetune", "--out", str(tmp_path / "job"), *flags]) == code
    message = capsys.readouterr().err
    assert reason in message
    assert message.count("\n") == 1
    assert not (tmp_path / "job").exists()


def test_the_command_trains_and_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "job"
    for name in ("generator", "judge", "rater"):
        monkeypatch.setattr(f"emofeedback.build.build_{name}", lambda *given: ColourJudge())
    monkeypatch.setattr("emofeedback.finetuning.build_finetuner.build_finetuner", lambda *parts: job(out, updates=1))
    assert main(["finetune", "--updates", "1", "--out", str(out), "--dry-run", "--json"]) == 0
    estimate = json.loads(capsys.readouterr().out)
    assert estimate["updates"] == 1
    assert estimate["seconds_per_update"] > 0
    assert not out.exists()
    assert main(["finetune", "--updates", "1", "--out", str(out), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["stopped"], done["updates"], done["pictures"]) == ("budget", 1, 8)
    assert Path(done["adapter"]).is_dir()
    assert Path(done["sheet"]).is_file()
    assert main(["finetune", "--updates", "1", "--out", str(out)]) == 2  # not empty, and no --resume
    assert main(["finetune", "--updates", "1", "--out", str(out), "--resume"]) == 0
    assert main(["finetune", "--out", str(out), "--resume", "--group", "8"]) == 2
    assert "was started with group 4" in capsys.readouterr().err
    assert main(["finetune", "--out", str(out), "--resume", "--region", "plane"]) == 2
    record = read_record(out)
    assert record is not None and (record.status, record.resumable) == ("budget", True)


class OneAnswerJudge(ColourJudge):
    """Reads the same emotion in every picture, and content in every other."""

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        seen = (Seen("subject", "paint", 0.9),)
        return [Reading(Affect(0, 0), 0.1, 0.1, 0.99, seen * (i % 2), self.name) for i in range(len(pictures))]


def test_a_judge_that_always_answers_the_same_ends_the_job_with_a_sentence(tmp_path: Path) -> None:
    """It trained on the other rewards alone, to the end of the budget, without a word."""
    trainer = job(tmp_path, OneAnswerJudge(), updates=9, audit_every=100)
    entries: list[dict[str, object]] = []
    with pytest.raises(UserError, match="same emotion in all pictures of each group in 3 updates") as caught:
        trainer.run(on_event=entries.append)
    assert str(caught.value).count(". ") == 0
    updates = [entry for entry in entries if entry["kind"] == "update"]
    assert [entry["spread_affect"] for entry in updates] == [0.0] * 3
    assert all(entry["spread_content"] == pytest.approx(0.5) and entry["loss"] is not None for entry in updates)
    assert load_state(tmp_path / STATE)["done"] == 3, "what was learned is kept"


def test_a_reward_with_spread_now_and_then_goes_on(tmp_path: Path) -> None:
    trainer = job(tmp_path, audit_every=100)
    for spreads in ([0.0, 0.0, 0.1, 0.0, 0.0], [0.0, 0.0, None, 0.0, 0.0]):
        trainer.flat = 0
        for spread in spreads:
            trainer._refuse_flat({"spread_affect": spread})
    assert trainer.update()["spread_affect"] > 0


def test_a_job_stops_while_its_judge_on_a_server_hangs(tmp_path: Path) -> None:
    """Stop was heard when the judge had answered, which one that hangs does after minutes."""
    with serve(FakeOpenAI(lambda payload: HANG)) as fake:
        judge = RemoteJudge(ChatServer("m", fake.url, patience=Patience(deadline=25.0)), describe=False)
        trainer = job(tmp_path, judge, audit_every=100, weights={"affect": 1.0, "content": 0.0})
        assert trainer.run(lambda: bool(fake.payloads)).stopped == "cancelled"
