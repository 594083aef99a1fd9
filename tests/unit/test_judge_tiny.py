"""The bundled judge with its real classes at tiny random size: reading, gradients, advice, training, loading."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.judges.ratings import expected_rating
from emofeedback.judges.replies import fits, parse_critique
from emofeedback.judges.scene.judge_language import ASPECTS, JudgeTokens, answers_of, build_tokenizer, plain_words
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.records import Attempt, Edit, Picture, PictureRequest, Reading, Seen
from emofeedback.scenes.captions import vocabulary
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.training.common.scene_data import SceneCache, ScenePool, render_cache, scene_at
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.judge.advice_lessons import example_for, prepare_examples
from emofeedback.training.judge.judge_recipe import JudgeData, JudgeRecipe, build_judge, train_judge

TINY = {"vision_width": 64, "vision_layers": 1, "width": 64, "layers": 1, "feed_forward": 64}
SIZE = 32


def flat(scene: Scene, size: int) -> Image.Image:
    """A stand-in for the renderer: one colour per place."""
    shade = 20 * len(scene.place)
    return Image.new("RGB", (size, size), (shade, 255 - shade, 128))


@pytest.fixture(scope="module")
def judge() -> SceneJudge:
    torch.manual_seed(0)
    examples = [example_for(i, i, scene_at(0, "train", i), 0) for i in range(8)]
    tokenizer = build_tokenizer([" ".join(sorted(vocabulary())), *(e.reply for e in examples)])
    return SceneJudge(build_judge(tokenizer, SIZE, **TINY), tokenizer)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SceneCache:
    return render_cache(tmp_path_factory.mktemp("data") / "cache", 12, SIZE, 0, "train", workers=1, draw=flat)


def picture(seed: int = 0, prompt: str = "a cat by a lake at night") -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
    return Picture(Image.fromarray(pixels), PictureRequest(prompt, None, 0), "test", 0.0)


def blank(shade: int, prompt: str) -> Picture:
    return Picture(Image.new("RGB", (SIZE, SIZE), (shade,) * 3), PictureRequest(prompt, None, 0), "test", 0.0)


def test_a_reading_depends_on_the_pixels_and_on_nothing_else(
    judge: SceneJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emofeedback.judges.scene.scene_judge.MIN_MASS", 0.0)
    small_batches = SceneJudge(judge.model, judge.tokens.tokenizer, batch=2)
    # black and white lie further apart than two pictures of noise, of which random weights see little
    pictures = [blank(0, "a happy cat"), blank(255, "a cat"), blank(0, "a terrible storm")]
    first, second, third = (r.affect for r in small_batches.read(pictures) if r is not None)
    assert first.distance(third) < 1e-5 < first.distance(second)
    assert judge.query_logits(torch.zeros(1, 3, SIZE, SIZE)).shape[:2] == (1, 2 + len(ASPECTS))


def ratings_of(judge: SceneJudge, pixels: torch.Tensor) -> torch.Tensor:
    """Valence and arousal [B, 2] of pixels [B, 3, H, W] in [-1, 1]."""
    return expected_rating(judge.query_logits(pixels)[:, :2], judge.tokens.rating_ids).mean


def test_a_picture_without_mass_on_ratings_is_not_read(judge: SceneJudge) -> None:
    assert judge.read([picture()]) == [None]  # random weights: 21 of some hundred tokens


def test_ratings_are_differentiable_in_the_pixels_at_any_size_and_more_than_once(judge: SceneJudge) -> None:
    for size in (SIZE, 48):
        pixels = torch.rand(2, 3, size, size, requires_grad=True)
        rated = ratings_of(judge, pixels)
        assert rated.shape == (2, 2)
        rated.sum().backward()
        assert pixels.grad is not None and pixels.grad.abs().sum() > 0


def test_answers_name_subjects_in_one_order(judge: SceneJudge) -> None:
    rng = random.Random(0)
    for _ in range(200):
        scene = sample_scene(rng)
        answers = answers_of(scene)
        assert list(answers) == list(ASPECTS)
        assert all(word in ASPECTS[aspect] for aspect, word in answers.items())
    one = Scene("lake", "cat", "dog", "day", "clear", "summer", "natural", "even", ())
    other = Scene("lake", "dog", "cat", "day", "clear", "summer", "natural", "even", ())
    assert answers_of(one) == answers_of(other)


def test_replies_survive_the_tokenizer(judge: SceneJudge) -> None:
    for i in range(8):
        reply = example_for(i, i, scene_at(0, "train", i), 0).reply
        ids = judge.tokens.reply(reply)
        assert judge.tokens.tokenizer.unk_token_id not in ids
        assert len(ids) < 90
        assert parse_critique(judge.tokens.text(ids)) == parse_critique(reply)


@pytest.mark.parametrize("prompt", ["<image> <image><+7>", "猫が湖のほとりに 🌊", "", '{"add": "fog"}', "word " * 500])
def test_no_prompt_can_break_the_sequence(judge: SceneJudge, prompt: str) -> None:
    ids = judge.tokens.advice([(prompt, None)], Affect(0.2, -0.4))
    assert ids.count(judge.tokens.image_id) == judge.tokens.image_tokens
    assert len(ids) < judge.tokens.image_tokens + 13 + 60
    assert "<" not in plain_words(prompt)


def test_advice_from_random_weights_is_none_not_a_guess(judge: SceneJudge) -> None:
    assert judge.advise([Attempt("a cat", picture(), None)] * 5, Affect(0.5, 0.5)) is None


def test_the_first_draft_is_the_greedy_one_however_many_are_written(judge: SceneJudge) -> None:
    ids = torch.tensor([judge.tokens.advice([("a cat", None)], Affect(0.2, -0.4))])
    pixels = torch.zeros(1, 3, judge.size, judge.size)
    with torch.no_grad():
        alone, among = judge._write(ids, pixels, 1), judge._write(ids, pixels, 4)
    assert len(alone) == 1 and len(among) == 4
    assert among[0] == alone[0]


def test_advice_that_is_written_is_returned_without_unfitting_edits(
    judge: SceneJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = '{"analysis": "Calm.", "carries": [], "edits": [{"remove": "at night"}, {"remove": "at dawn"}]}'
    monkeypatch.setattr(judge, "_write", lambda ids, pixels, count: [reply] * count)
    critique = judge.advise([Attempt("A cat At Night", picture(), None)], Affect(0.5, 0.5))
    assert critique is not None and critique.edits == (Edit("remove", old="at night"),)
    assert judge.advise([Attempt("a cat", picture(), None)], Affect(0.5, 0.5)) is None
    assert fits(Edit("add", new="fog"), "")


def test_content_is_kept_when_place_and_subjects_are_seen(judge: SceneJudge) -> None:
    seen = (Seen("place", "lake", 1.0), Seen("subject", "dog", 1.0), Seen("companion", "cat", 1.0))
    reading = Reading(Affect(0, 0), 0.1, 0.1, 1.0, seen, "test")
    assert judge.content_kept("a cat by a lake at night", reading) is True
    assert judge.content_kept("a cat and a dog by a lake", reading) is True
    assert judge.content_kept("a horse by a lake", reading) is False
    assert judge.content_kept("a cat in a forest", reading) is False
    assert judge.content_kept("something nice", reading) is None
    # nobody has seen the violin; that the horse is missing is seen all the same
    assert judge.content_kept("a cat by a lake with a violin", reading) is None
    assert judge.content_kept("a horse by a lake with a violin", reading) is False


def test_no_subject_is_missing_where_the_judge_is_not_sure_what_it_sees_in_its_stead(judge: SceneJudge) -> None:
    for unsure in ((Seen("subject", "dog", 0.3),), ()):
        reading = Reading(Affect(0, 0), 0.1, 0.1, 1.0, (Seen("place", "lake", 1.0), *unsure), "test")
        assert judge.content_kept("a horse by a lake", reading) is None
        assert judge.content_kept("a horse in a forest", reading) is False, "the place is another one for sure"
    dog = Reading(Affect(0, 0), 0.1, 0.1, 1.0, (Seen("place", "lake", 1.0), Seen("subject", "dog", 0.3)), "test")
    assert judge.content_kept("a dog by a lake", dog) is True


def test_a_tokenizer_without_the_judges_tokens_is_refused() -> None:
    foreign = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"<unk>": 0}, "<unk>")), unk_token="<unk>")
    with pytest.raises(ValueError, match="one token"):
        JudgeTokens(foreign, 4)


def test_lessons_are_kept_and_made_again_alike(tmp_path: Path) -> None:
    scenes = [scene_at(0, "train", i) for i in range(3)]
    made = prepare_examples(tmp_path / "lessons.jsonl", scenes, 5, 0, workers=1)
    assert prepare_examples(tmp_path / "lessons.jsonl", scenes, 5, 0, workers=1) == made
    assert made[0].index == made[3].index and made[0] != made[3]
    assert all(parse_critique(e.reply) is not None for e in made)


def test_a_melted_subject_is_not_to_be_named(judge: SceneJudge, cache: SceneCache) -> None:
    boxed, tokens, examples = SceneCache(cache.folder), judge.tokens, [example_for(0, 0, cache.scenes[0], 0)]
    boxed.boxes = [[("subject", (0.0, 0.0, 100.0, 100.0))] for _ in cache.scenes]
    none = tokens.tokenizer.get_vocab()["<=none>"]
    column = list(ASPECTS).index("subject")
    shares = []
    for scenes in (boxed, cache):
        data = JudgeData(ScenePool.of(scenes), examples, tokens, cache.pictures[:0], 0)
        _, ratings, answers = data.readings(0, 300, torch.Generator().manual_seed(0))
        assert ratings.shape == (300, 2) and answers.shape == (300, len(ASPECTS))
        shares.append(float((answers[:, column] == none).float().mean()))
    assert 0.03 < shares[0] - shares[1] < 0.2


def test_training_writes_a_checkpoint_that_reads_as_trained(cache: SceneCache, tmp_path: Path) -> None:
    run, recipe = TrainingRun(steps=3, threads=1), JudgeRecipe(examples=6, readings=4, lessons=2)
    model = train_judge(cache, tmp_path, run, recipe, held_out=cache, architecture=TINY)
    listed = json.loads((tmp_path / "checksums.json").read_text())
    assert {"config.json", "tokenizer.json"} <= set(listed)
    assert "| steps |" in (tmp_path / "README.md").read_text()
    plain = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert type(plain) is type(model)
    judge = SceneJudge.from_pretrained(tmp_path)
    pixels = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    with torch.no_grad():
        trained = ratings_of(SceneJudge(model, judge.tokens.tokenizer), pixels)
        assert torch.allclose(ratings_of(judge, pixels), trained, atol=0.05)  # bfloat16 storage


def test_training_goes_on_from_a_judge(cache: SceneCache, tmp_path: Path) -> None:
    recipe = JudgeRecipe(examples=6, readings=4, lessons=2)
    first = train_judge(
        cache, tmp_path / "a", TrainingRun(steps=3, threads=1), recipe, held_out=cache, architecture=TINY
    )
    still = TrainingRun(steps=0, threads=1)
    begun = train_judge(cache, tmp_path / "b", still, recipe, held_out=cache, start_from=tmp_path / "a")
    for ours, theirs in zip(begun.parameters(), first.parameters(), strict=True):
        assert torch.allclose(ours, theirs.bfloat16().float())
    words = [(tmp_path / run / "tokenizer.json").read_text() for run in "ab"]
    assert words[0] == words[1]
    assert "local_files_only" not in (tmp_path / "b" / "tokenizer_config.json").read_text()
    with pytest.raises(UserError, match="no checkpoint"):
        train_judge(cache, tmp_path / "c", still, recipe, held_out=cache, start_from=tmp_path / "nothing")


def test_a_damaged_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint"):
        SceneJudge.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llava"')
    with pytest.raises(UserError, match="scene judge"):
        SceneJudge.from_pretrained(tmp_path)
