"""Any judge may reward fine-tuning: real classes at tiny random size, a small server, and what each cannot do."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_openai import FakeOpenAI, completion, failure, serve
from fakes import ColourJudge
from PIL import Image
from test_calibration import calibration
from tiny_finetune import HELD_OUT, PROMPTS, DifferentiableColour, settings, tiny_generator
from tiny_judges import save_answering
from tiny_pipelines import save as save_pipeline

from emofeedback.affect import Affect
from emofeedback.build import build_judge, build_rater
from emofeedback.cli import main
from emofeedback.errors import Cancelled, UserError
from emofeedback.evaluation.content import content_judge, content_scores, content_unit
from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.evaluation.raters.grading import GradingRater, same_model
from emofeedback.files.training_state import load_state
from emofeedback.finetuning.advantages import group_advantages
from emofeedback.finetuning.build_finetuner import build_finetuner
from emofeedback.finetuning.job import FinetuneJob, settings_for
from emofeedback.finetuning.job_settings import Targets, Tasks
from emofeedback.finetuning.job_store import read_record
from emofeedback.finetuning.order import AUTO, FinetuneOrder
from emofeedback.finetuning.reward_judge import (
    DifferentiableJudge,
    JobModels,
    objective_for,
    ratings_only,
    reader_key,
    weights_key,
)
from emofeedback.finetuning.trainer import STATE, Finetuner
from emofeedback.judges.calibration import CalibratedJudge, identity_of
from emofeedback.judges.local.vision_language import VisionLanguageJudge
from emofeedback.judges.questions import shows_question
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.records import Picture, PictureRequest, Reading
from emofeedback.servers.chat import ChatServer
from emofeedback.servers.patience import Patience
from emofeedback.settings import Settings

NO_QUALITY = {"affect": 1.0, "content": 0.3, "quality": 0.0}
TASKS = Tasks(PROMPTS, HELD_OUT, Targets("point", Affect(0.7, -0.7)), 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rewarding")
    save_answering(folder / "judge", 1)
    save_answering(folder / "rater", 2)
    save_pipeline("sd3", folder / "sd3")
    return folder


@pytest.fixture(scope="module")
def judge(root: Path) -> VisionLanguageJudge:
    return local(root / "judge")


@pytest.fixture(scope="module")
def rater(root: Path) -> VisionLanguageJudge:
    return local(root / "rater")


def local(folder: Path) -> VisionLanguageJudge:
    found = build_judge(Settings(judge=str(folder), device="cpu"))
    assert isinstance(found, VisionLanguageJudge)
    return found


def trainer(judge: Reader, rater: Reader, out: Path, **given: Any) -> Finetuner:
    chosen = settings(**{"weights": {"affect": 1.0, "content": 0.3, "quality": 0.2}, "audit_every": 100, **given})
    return build_finetuner(tiny_generator(), judge, rater, chosen, TASKS, out)


def some_pictures(count: int) -> list[Picture]:
    return [
        Picture(Image.new("RGB", (32, 32), (60 * i, 0, 0)), PictureRequest("a cat", Affect(0.7, -0.7), i), "test", 0.0)
        for i in range(count)
    ]


class Unsteady:
    """Rates each picture by its own bytes; refuses the first `silent` pictures, or all, with a server's error.

    Asked for a yes or no, it says either with equal probability.
    """

    def __init__(self, silent: float = 0) -> None:
        self.silent, self.pictures = silent, dict[str, int]()
        self.asked: list[str] = []

    def __call__(self, payload: dict[str, Any]) -> Any:
        image, text = (part for part in payload["messages"][0]["content"])
        number = self.pictures.setdefault(image["image_url"]["url"], len(self.pictures))
        if number < self.silent:
            return failure(500)
        if text["text"].startswith("Does "):
            self.asked.append(text["text"])
            return completion(["no"], [{"no": 0.5, "Yes": 0.5}])
        assert text["text"].startswith("How "), "nothing is described"
        turned = "1 means very pleasant" in text["text"] or "1 means very excited" in text["text"]
        label = number % 9 + 1
        return completion(["5"], [{str(10 - label if turned else label): 0.9}])


@contextmanager
def remote(answer: Unsteady) -> Iterator[RemoteJudge]:
    with serve(FakeOpenAI(answer)) as fake:
        yield RemoteJudge(ChatServer("org/vlm", fake.url, patience=Patience(tries=1)), workers=2)


def test_a_vision_language_model_rewards_an_update_by_its_ratings_and_its_yes_or_no(
    judge: VisionLanguageJudge, rater: VisionLanguageJudge, tmp_path: Path
) -> None:
    work = trainer(judge, rater, tmp_path)
    before = work.policy.state()
    entry = work.update()
    assert entry["loss"] is not None and entry["missing"] == 0 and entry["reward_affect"] < 0
    assert any(not torch.equal(before[key], value) for key, value in work.policy.state().items())
    assert 0 < entry["reward_content"] < 1 and work.settings.weights["content"] == 0.3
    assert judge.describe, "the judge of the other tabs still names what it sees"
    audit = work.auditor.grade(work.auditor.draw(work.policy.generator))
    drawn = work.auditor.draw(work.policy.generator)
    shown = [p for p in rater.shows(drawn, [p.request.prompt for p in drawn]) if p is not None]
    assert (audit.read, audit.realism, audit.content_asked, len(shown)) == (2, None, True, 2)
    assert audit.content_kept == pytest.approx(np.mean(shown), abs=1e-5)
    distances = [r.affect.distance(p.request.affect) for p, r in zip(drawn, rater.read(drawn), strict=True)]
    assert audit.score == pytest.approx(-np.mean(np.square(distances)) + 0.3 * np.mean(shown), abs=1e-5)


class Blot(ColourJudge):
    """Rates all pictures alike, and says with what the test gives whether they show their prompt."""

    def __init__(self, shown: list[float | None]) -> None:
        super().__init__()
        self.shown = shown

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        return [Reading(Affect(0, 0), 0.1, 0.1, 1.0, (), self.name)] * len(pictures)

    def shows(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[float | None]:
        return [self.shown[i % len(self.shown)] for i in range(len(pictures))]


def test_content_alone_weighs_the_pictures_of_a_group_where_their_emotion_is_alike(tmp_path: Path) -> None:
    work = trainer(Blot([0.9, 0.2, 0.95, 0.2]), ColourJudge(), tmp_path, prompts=1, weights=NO_QUALITY)
    before, scores = work.policy.state(), work.updater.score(some_pictures(4), torch.zeros(4, 4, 4, 4))
    assert torch.allclose(scores["content"], torch.tensor([[1.0, 2 / 9, 1.0, 2 / 9]])), "beyond doubt is beyond doubt"
    advantages = group_advantages(scores, {"affect": 1.0, "content": 0.3})
    assert torch.allclose(advantages.values, 0.3 * torch.tensor([[1.0, -1.0, 1.0, -1.0]]), atol=1e-3)
    entry = work.update()
    assert entry["reward_content"] == pytest.approx(11 / 18) and entry["zero_variance"] == 0
    assert any(not torch.equal(before[key], value) for key, value in work.policy.state().items())


def test_pictures_that_all_show_their_prompt_teach_nothing_about_content(tmp_path: Path) -> None:
    work = trainer(Blot([0.93, 0.99, 0.96, 1.0]), ColourJudge(), tmp_path, prompts=1, weights=NO_QUALITY)
    entry = work.update()
    assert entry["reward_content"] == 1 and entry["zero_variance"] == 1 and entry["loss"] is None


def test_a_picture_without_a_yes_or_no_has_no_score_and_a_judge_that_never_says_one_ends_the_job(
    tmp_path: Path,
) -> None:
    some = trainer(Blot([None, 0.2, 0.9, 0.5]), ColourJudge(), tmp_path, prompts=1, weights=NO_QUALITY).update()
    assert some["missing"] == pytest.approx(1 / 4) and some["loss"] is not None
    with pytest.raises(UserError, match="neither yes nor no.*update 1"):
        trainer(Blot([None]), ColourJudge(), tmp_path / "none", weights=NO_QUALITY).run()


def test_a_calibration_leaves_the_question_for_content_alone(judge: VisionLanguageJudge) -> None:
    calibrated = CalibratedJudge(judge, replace(calibration(), judge=identity_of(judge)))
    assert content_judge(calibrated) is judge and content_unit(calibrated) == "mean probability"
    pictures = some_pictures(2)
    readings = calibrated.read(pictures)
    assert content_scores(calibrated, ["a cat"] * 2, pictures, [None, *readings[1:]]) == [
        None,
        *judge.shows(pictures[1:], ["a cat"]),
    ]
    colour = ColourJudge()
    assert content_unit(colour) == "share"
    assert content_scores(colour, ["a cat"] * 2, pictures, colour.read(pictures)) == [0.0, 0.0]


def test_stop_is_heard_between_the_parts_that_a_judge_scores(tmp_path: Path) -> None:
    answer = Unsteady()

    def check() -> None:
        if answer.pictures:
            raise Cancelled("Stop.")

    with remote(answer) as judge:
        work = trainer(judge, ColourJudge(), tmp_path, micro_batch=3)
        with pytest.raises(Cancelled):
            work.update(check)
    assert len(answer.pictures) == 6 and not answer.asked, "a group of 4 is drawn in two parts of 3"


def test_a_server_rewards_an_update_and_a_picture_without_an_answer_has_no_score(tmp_path: Path) -> None:
    answer = Unsteady(silent=1)
    with remote(answer) as judge:
        work = trainer(judge, ColourJudge(), tmp_path)
        entry = work.update()
        assert entry["missing"] == pytest.approx(1 / 8) and entry["loss"] is not None
        assert entry["reward_content"] == pytest.approx(0.5 / 0.9)
        assert len(answer.asked) == 7 and set(answer.asked) <= {shows_question(prompt) for prompt in PROMPTS}


def test_a_server_that_fails_stops_the_job_in_one_sentence_and_the_job_goes_on_later(tmp_path: Path) -> None:
    answer = Unsteady()
    with remote(answer) as judge:
        work = trainer(judge, ColourJudge(), tmp_path, updates=3)

        def fail_later(entry: dict[str, Any]) -> None:
            answer.silent = 1e9 if entry["update"] == 1 else answer.silent

        with pytest.raises(UserError, match="gave no answer") as caught:
            FinetuneJob(work).run(lambda: False, fail_later)
        assert str(caught.value).count(". ") == 0
        record = read_record(tmp_path)
        assert record is not None and record.status == "failed" and record.resumable
        assert load_state(tmp_path / STATE)["done"] == 1
        answer.silent = 0
        again = trainer(judge, ColourJudge(), tmp_path, updates=3)
        again.load()
        assert again.run().updates == 3


@pytest.mark.parametrize("quality", [0.0, 0.2])
def test_a_judge_that_reads_nothing_ends_the_job_before_the_budget_is_spent(quality: float, tmp_path: Path) -> None:
    weights = {"affect": 1.0, "content": 0.3, "quality": quality}
    work = trainer(ColourJudge(blind=True), ColourJudge(), tmp_path, updates=50, weights=weights)
    with pytest.raises(UserError, match="could not read a single picture of update 1"):
        work.run()
    assert load_state(tmp_path / STATE)["done"] == 0
    with pytest.raises(UserError, match="a single picture"):
        FinetuneJob(trainer(ColourJudge(blind=True), ColourJudge(), tmp_path)).estimate()


def test_a_rater_that_reads_nothing_is_no_rater(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="second rater colour could not read"):
        trainer(ColourJudge(), ColourJudge(blind=True), tmp_path).run()


def test_direct_is_for_judges_with_a_gradient_and_awm_is_what_suits_the_others(
    judge: VisionLanguageJudge, tmp_path: Path
) -> None:
    calibrated = CalibratedJudge(judge, replace(calibration(), judge=identity_of(judge)))
    for scores in (judge, calibrated, ColourJudge()):
        assert objective_for(scores) == objective_for(scores, AUTO) == "awm"
        assert objective_for(scores, "grpo") == "grpo"
        with pytest.raises(UserError, match="gives scores alone; choose awm"):
            objective_for(scores, "direct")
        assert settings_for(FinetuneOrder(), scores).objective == "awm"
    with pytest.raises(UserError, match="choose awm"):
        trainer(judge, ColourJudge(), tmp_path, objective="direct", weights={})
    with pytest.raises(UserError, match="choose an objective"):
        objective_for(judge, "best")
    assert not isinstance(DifferentiableColour(), DifferentiableJudge)


def test_the_bundled_judge_has_a_gradient() -> None:
    bundled = build_judge(Settings(device="cpu"))
    assert isinstance(bundled, SceneJudge) and objective_for(bundled) == "direct"
    assert content_judge(bundled) is None, "it names what it sees, and from a closed list"
    assert settings_for(FinetuneOrder(), bundled).objective == "direct"


def test_a_job_resumes_only_with_the_judge_it_had(
    judge: VisionLanguageJudge, rater: VisionLanguageJudge, tmp_path: Path
) -> None:
    trainer(judge, rater, tmp_path).save()
    trainer(judge, rater, tmp_path).load()
    with pytest.raises(UserError, match="other settings, prompts or models"):
        trainer(rater, judge, tmp_path).load()
    calibrated = [
        CalibratedJudge(judge, replace(calibration(), judge=identity_of(judge), name=name)) for name in ("one", "two")
    ]
    assert len({reader_key(one, weights_key) for one in (judge, rater, *calibrated)}) == 4
    with remote(Unsteady()) as server:
        keys = {reader_key(one, weights_key) for one in (server, ratings_only(server))}
        assert keys == {"remote:org/vlm"}


def test_a_job_that_an_earlier_version_saved_still_resumes(
    judge: VisionLanguageJudge, rater: VisionLanguageJudge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys of weights learned to see their order, and no job that was saved before resumed any more."""
    keys_then = JobModels.earlier_keys
    with monkeypatch.context() as before:
        before.setattr(JobModels, "keys", keys_then)
        saved = trainer(judge, rater, tmp_path)
        saved.save()
    resumed = trainer(judge, rater, tmp_path)
    assert resumed.keys["generator"] != saved.keys["generator"]
    resumed.load()
    resumed.save()
    assert json.loads(load_state(tmp_path / STATE)["identity"])[-1] == resumed.keys, "from now on with the new key"
    with pytest.raises(UserError, match="other settings, prompts or models"):
        trainer(rater, judge, tmp_path).load()


def test_who_guides_never_grades(judge: VisionLanguageJudge, root: Path) -> None:
    given = Settings(rater=str(root / "judge"), device="cpu")
    with pytest.raises(UserError, match="who guides never grades"):
        build_rater(given, judge)
    calibrated = CalibratedJudge(judge, replace(calibration(), judge=identity_of(judge)))
    with pytest.raises(UserError, match="who guides never grades"):
        build_rater(given, calibrated)
    assert isinstance(build_rater(given), VisionLanguageJudge)
    assert isinstance(build_rater(given.changed(rater=str(root / "rater")), judge), VisionLanguageJudge)
    assert isinstance(build_rater(given.changed(rater="bundled"), judge), GradingRater)


def test_a_model_is_known_again_under_another_name(judge: VisionLanguageJudge, root: Path) -> None:
    copy = VisionLanguageJudge.from_folder(root / "judge", name="a", identity="org/a@1234", device="cpu")
    other = VisionLanguageJudge.from_folder(root / "rater", name="b", identity="Org/VLM@1234", device="cpu")
    assert same_model(judge, copy) and not same_model(judge, other)
    with remote(Unsteady()) as server:
        assert same_model(server, other) and same_model(other, server) and not same_model(server, copy)


def test_no_such_rater_is_said_in_a_sentence(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no rater 'nobody'"):
        build_rater(Settings(rater="nobody", device="cpu"))
    with pytest.raises(UserError, match="There is no checkpoint"):
        build_rater(Settings(rater=str(tmp_path), device="cpu"))


def test_real_models_named_by_the_environment_alone_run_a_whole_job(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = {"prompts": PROMPTS, "held-out": HELD_OUT}
    for name, prompts in lists.items():
        (tmp_path / name).write_text("\n".join(prompts))
    for name, folder in (("GENERATOR", "sd3"), ("JUDGE", "judge"), ("RATER", "rater")):
        monkeypatch.setenv(f"EMOFEEDBACK_{name}", str(root / folder))
    for name, value in (("DEVICE", "cpu"), ("SIZE", "32"), ("DTYPE", "float32"), ("THREADS", "1")):
        monkeypatch.setenv(f"EMOFEEDBACK_{name}", value)
    small = ["--prompts", str(tmp_path / "prompts"), "--held-out", str(tmp_path / "held-out"), "--updates", "1"]
    small += ["--prompts-per-update", "1", "--group", "4", "--steps", "2", "--rank", "2", "--audit-pictures", "2"]
    small += ["--passes", "1", "--out", str(tmp_path / "job")]
    assert main(["finetune", *small, "--objective", "direct"]) == 2
    assert "choose awm" in capsys.readouterr().err and not (tmp_path / "job").exists()
    assert main(["finetune", *small, "--rater", str(root / "judge")]) == 1
    assert "who guides never grades" in capsys.readouterr().err
    assert main(["finetune", *small, "--json"]) == 0
    said = capsys.readouterr()
    assert "the objective is awm" in said.err
    done = json.loads(said.out)
    assert done["updates"] == 1 and done["base"]["realism"] is None and Path(done["adapter"]).is_dir()
    assert done["base"]["content_asked"] and 0 < done["base"]["content_kept"] < 1
    assert "probability that the prompt is shown" in (Path(done["adapter"]) / "README.md").read_text()
    record = read_record(tmp_path / "job")
    assert record is not None and record.settings["objective"] == "awm"
    assert main(["finetune", "--out", str(tmp_path / "job"), "--resume", "--updates", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["updates"] == 2


def test_evaluate_takes_such_a_rater_and_no_judge_as_its_own(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--count", "4", "--device", "cpu", "--rater", str(root / "rater"), "--out", str(tmp_path), "--json"]
    assert main(["evaluate", "rater", *flags]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["models"]["rater"] == "rater"
    assert {m["name"]: m["value"] for m in report["measures"]}["unreadable"] == 0
    assert main(["evaluate", "loop", *flags, "--judge", str(root / "rater")]) == 1
    assert "who guides never grades" in capsys.readouterr().err
