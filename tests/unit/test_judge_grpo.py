"""The GRPO stages of judges at tiny size, through trl: shared prefixes, rewards, training, resuming, export."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from test_judge_tiny import SIZE, TINY, flat
from tiny_judges import save
from transformers import AutoModelForImageTextToText

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.flow.pixels import from_bytes
from emofeedback.judges.local.vision_language import VisionLanguageJudge
from emofeedback.judges.questions import LABEL_SETS
from emofeedback.judges.scene.judge_language import JudgeTokens, build_tokenizer
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.scenes.captions import vocabulary
from emofeedback.training.common.optim import Schedule
from emofeedback.training.common.scene_data import SceneCache, render_cache, scene_at
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.judge import base_model_stages as judge_base
from emofeedback.training.judge.advice_lessons import example_for
from emofeedback.training.judge.base_model_stages import BaseRecipe, train_judge_base
from emofeedback.training.judge.judge_comparison import compare_judges, finish_grpo
from emofeedback.training.judge.judge_export import export_judge
from emofeedback.training.judge.judge_grpo import (
    AdviceGrader,
    GrpoRecipe,
    advice_tasks,
    judge_processor,
    question_text,
    train_judge_grpo,
)
from emofeedback.training.judge.judge_recipe import build_judge
from emofeedback.training.judge.lesson_grader import LessonGrader
from emofeedback.training.judge.lessons import LessonPicture, lesson_for, shown_scenes
from emofeedback.training.judge.shared_prefix import pad_left, score_replies, write_replies

needs_trl = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="trl is optional")
END = 2


@pytest.fixture(scope="module")
def judge() -> SceneJudge:
    torch.manual_seed(0)
    examples = [example_for(i, i, scene_at(0, "train", i), 0) for i in range(8)]
    tokenizer = build_tokenizer([" ".join(sorted(vocabulary())), *(e.reply for e in examples)])
    model = build_judge(tokenizer, SIZE, **TINY)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)  # replies of a fresh model hardly differ
    return SceneJudge(model, tokenizer)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SceneCache:
    return render_cache(tmp_path_factory.mktemp("data") / "cache", 12, SIZE, 0, "train", workers=1, draw=flat)


def rows_of(judge: SceneJudge, cache: SceneCache, count: int = 3) -> tuple[list[list[int]], torch.Tensor]:
    tasks = advice_tasks(cache, judge, count, 0)
    rows = [judge.tokens.advice(task.attempts, task.target) for task in tasks]
    return rows, from_bytes(cache.pictures[:count])


def test_a_shared_prefix_scores_replies_as_whole_sequences_do(judge: SceneJudge, cache: SceneCache) -> None:
    rows, pixels = rows_of(judge, cache)
    assert len({len(row) for row in rows}) > 1  # so that some are padded
    owner = torch.tensor([0, 2, 1, 2])
    replies = torch.randint(5, 60, (4, 6), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(replies)
    mask[1, 4:] = 0
    found = score_replies(judge.model, pad_left(rows, pixels, 0), owner, replies, mask)
    for k, question in enumerate(owner.tolist()):
        length = int(mask[k].sum())
        ids = torch.tensor([rows[question] + replies[k, :length].tolist()])
        with torch.no_grad():
            logits = judge.model(input_ids=ids, pixel_values=pixels[question : question + 1]).logits[0]
        begin = len(rows[question])
        expected = logits[begin - 1 : -1].log_softmax(-1).gather(-1, replies[k, :length, None]).squeeze(-1)
        torch.testing.assert_close(found.log_probs[k, :length], expected, atol=2e-4, rtol=1e-4)


def test_greedy_replies_of_a_group_are_those_written_alone(judge: SceneJudge, cache: SceneCache) -> None:
    rows, pixels = rows_of(judge, cache)
    together = write_replies(judge.model, pad_left(rows, pixels, 0), 2, END, 12, temperature=0.0)
    for k, row in enumerate(rows):
        ids = torch.tensor([row])
        alone: list[int] = []
        while len(alone) < 12 and END not in alone:
            with torch.no_grad():
                logits = judge.model(input_ids=ids, pixel_values=pixels[k : k + 1]).logits[0, -1]
            alone.append(int(logits.argmax()))
            ids = torch.cat([ids, torch.tensor([[alone[-1]]])], 1)
        assert together[2 * k] == together[2 * k + 1] == alone


def test_sampled_replies_differ_and_follow_the_seed(judge: SceneJudge, cache: SceneCache) -> None:
    rows, pixels = rows_of(judge, cache, 2)
    prefix = pad_left(rows, pixels, 0)
    torch.manual_seed(3)
    first = write_replies(judge.model, prefix, 4, END, 8)
    torch.manual_seed(3)
    assert write_replies(judge.model, prefix, 4, END, 8) == first
    assert len({tuple(reply) for reply in first[:4]}) > 1


def test_a_question_survives_the_way_through_text_and_template(judge: SceneJudge, cache: SceneCache) -> None:
    processor = judge_processor(judge.tokens.tokenizer, SIZE)
    for task in advice_tasks(cache, judge, 12, 0):
        content = [{"type": "image"}, {"type": "text", "text": question_text(task, judge.tokens)}]
        text = processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
        found = processor(images=[Image.fromarray(cache.pictures[task.index])], text=text)
        assert list(found["input_ids"][0]) == judge.tokens.advice(task.attempts, task.target)
        pixels = torch.as_tensor(np.asarray(found["pixel_values"][0]))
        torch.testing.assert_close(pixels, from_bytes(cache.pictures[task.index][None])[0], atol=1e-5, rtol=0)


def test_replies_are_graded_on_the_known_scene(judge: SceneJudge, cache: SceneCache) -> None:
    tasks = advice_tasks(cache, judge, 8, 0)
    grader = AdviceGrader(tasks, cache.scenes, judge.tokens)
    replies = [judge.tokens.reply(example_for(i, i, cache.scenes[i], 0).reply) for i in range(8)]
    movement, keeping, explanation = grader.rewards()
    numbers = list(range(8))
    moved = movement(completion_ids=replies, task=numbers)
    assert np.mean(moved) > 0.8 and np.mean(keeping(completion_ids=replies, task=numbers)) > 0.7
    assert np.mean(explanation(completion_ids=replies, task=numbers)) > 0.8
    noise = [replies[0][:3]] * 8
    assert movement(completion_ids=noise, task=numbers) == [-0.5] * 8


@needs_trl
def test_the_second_stage_trains_exports_and_resumes(
    judge: SceneJudge, cache: SceneCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a random model writes nothing that can be read, so all its replies are worth the same: reward something else
    def odd(completion_ids: list[list[int]], **_: object) -> list[float]:
        return [float(ids[0] % 2) for ids in completion_ids]

    monkeypatch.setattr(AdviceGrader, "rewards", lambda self: [odd, odd, odd])
    base, out = tmp_path / "base", tmp_path / "out"
    export_judge(judge.model, judge.tokens.tokenizer, base, {"minutes": 1}, {"read": 1.0})
    recipe = GrpoRecipe(groups=2, replies=4, most=6, tasks=8, lr=1e-2, schedule=Schedule(0, 0.0))
    before = SceneJudge.from_pretrained(base)
    vision = {k: v.clone() for k, v in before.model.model.vision_tower.state_dict().items()}
    after, facts = train_judge_grpo(base, cache, out, TrainingRun(steps=2, threads=1), recipe)
    assert facts["updates"] == 2
    assert all(torch.equal(v, vision[k]) for k, v in after.model.model.vision_tower.state_dict().items())
    moved = [
        not torch.equal(a, b)
        for (name, a), b in zip(after.model.named_parameters(), before.model.parameters(), strict=True)
        if ".language_model.layers." in name
    ]
    assert any(moved)
    entry = json.loads((out / "training" / "log.jsonl").read_text().splitlines()[0])
    assert {"reward", "kl", "reading_kl", "rewards/odd/mean"} <= set(entry)
    comparison = finish_grpo(before, after, cache, out, facts, count=6)
    assert {row["name"] for row in comparison["advice"]} >= {"mean reward", "readable"}
    assert "## Second stage" in (out / "README.md").read_text()
    assert json.loads((out / "grpo.json").read_text())["scenes"] == 6
    assert SceneJudge.from_pretrained(out).size == SIZE
    _, more = train_judge_grpo(base, cache, out, TrainingRun(steps=3, resume=True, threads=1), recipe)
    assert more["updates"] == 3 and float(more["minutes"]) >= float(facts["minutes"])
    steps = [json.loads(line)["step"] for line in (out / "training" / "log.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == [1, 2, 3]


def test_two_judges_are_compared_on_the_same_scenes(judge: SceneJudge, cache: SceneCache) -> None:
    found = compare_judges(judge, judge, cache, 6, 0)
    assert all(row["difference"]["value"] == 0 for row in found["advice"])


def test_lessons_ask_what_the_product_asks(cache: SceneCache) -> None:
    labels = LABEL_SETS[0]
    shown = shown_scenes(cache.pictures, cache.scenes)
    lessons = [lesson_for(i, i % 12, shown[i % 12], labels, 0) for i in range(60)]
    assert {lesson.task for lesson in lessons} == {"rate", "describe", "advise"}
    grader = LessonGrader(lessons, shown, labels)
    for lesson in lessons:  # the true answer earns what can be earned
        assert grader.form(lesson, lesson.answer) == 1.0
        rating, content = grader.rating(lesson, lesson.answer), grader.content(lesson, lesson.answer)
        assert (rating is None) == (lesson.task != "rate") and (content is None) == (lesson.task != "describe")
        assert (grader.movement(lesson, lesson.answer) is None) == (lesson.task != "advise")
        if rating is not None:
            assert rating > 0.9  # labels are 1/4 apart
        if content is not None:
            assert content == 1.0
        assert grader.form(lesson, "I see.") == 0.0
    rated = LessonPicture(shown[0].image, Affect(0.5, -0.5))
    assert {lesson_for(i, 0, rated, labels, 0).task for i in range(20)} == {"rate"}


@needs_trl
@pytest.mark.parametrize("family", ["smolvlm", "qwen2_5_vl"])
def test_a_base_becomes_a_judge_in_both_stages(family: str, cache: SceneCache, tmp_path: Path) -> None:
    base = save(family, tmp_path / "base")
    shown = shown_scenes(cache.pictures, cache.scenes)
    recipe = BaseRecipe(rank=2, lessons=12, batch=2, groups=1, replies=4, most=4, supervised_lr=1e-2, grpo_lr=1e-2)
    out = train_judge_base(base, shown, tmp_path / "out", TrainingRun(steps=4, threads=1), recipe=recipe)
    judge = VisionLanguageJudge.from_folder(out, name="x", identity="x", device="cpu")
    assert len(judge.rate_images([shown[0].image])) == 1
    for stage in ("supervised", "grpo"):
        lines = (out / "training" / stage / "log.jsonl").read_text().splitlines()
        assert "loss" in json.loads(lines[0]), stage
    written = {str(file.relative_to(out)) for folder in (out, out / "lora") for file in folder.iterdir()}
    assert {"lora/adapter_model.safetensors", "README.md", "checksums.json"} <= written
    assert "lora/ref" not in written, "the reference that GRPO diverges from is no part of the judge"
    card = (out / "README.md").read_text()
    assert "12 rendered scenes" in card and "then GRPO" in card and (out / "lora" / "README.md").read_text() == card
    drawn = load_file(out / "lora" / "adapter_model.safetensors")
    name = next(name for name in drawn if "q_proj.lora_A" in name)
    step = 2.0 * drawn[name.replace("lora_A", "lora_B")] @ drawn[name]
    weight = name.removeprefix("base_model.model.").replace(".lora_A", "")
    before, after = (AutoModelForImageTextToText.from_pretrained(folder).state_dict()[weight] for folder in (base, out))
    torch.testing.assert_close(after - before, step, atol=1e-6, rtol=1e-3)


def test_without_trl_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: SceneCache) -> None:
    monkeypatch.setattr(judge_base.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="trl"):
        train_judge_base(tmp_path, [], tmp_path, TrainingRun())
    with pytest.raises(UserError, match="trl"):
        train_judge_grpo(tmp_path, cache, tmp_path, TrainingRun())


def test_tokens_of_a_reply_are_read_as_the_product_reads_them(judge: SceneJudge) -> None:
    tokens: JudgeTokens = judge.tokens
    reply = example_for(0, 0, scene_at(0, "train", 0), 0).reply
    assert json.loads(tokens.text(tokens.reply(reply)[:-1])).keys() == json.loads(reply).keys()
