"""Judges of real vision-language classes at tiny random size, loaded through the path that users take."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_judges import FAMILIES, model, save, tokenizer
from transformers import Idefics3Processor
from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

from emofeedback.affect import Affect
from emofeedback.build import build_judge
from emofeedback.errors import UserError
from emofeedback.files.run_json import reading_json
from emofeedback.judges.local import vision_language
from emofeedback.judges.local.processing import ModelInputs
from emofeedback.judges.local.vision_language import VisionLanguageJudge
from emofeedback.judges.questions import advice_question, fill, rating_questions
from emofeedback.judges.replies import critique_schema
from emofeedback.judges.sources import fetch, fingerprint
from emofeedback.records import Attempt, Critique, Edit, Picture, PictureRequest, Reading, Seen
from emofeedback.servers.hub import is_repo, split_revision
from emofeedback.settings import Settings

IMAGES = [
    Image.fromarray(np.random.default_rng(k).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
    for k, size in enumerate([(64, 48), (40, 40), (33, 64)])
]


def attempt(prompt: str = "a dog on a beach at night", reading: Reading | None = None) -> Attempt:
    return Attempt(prompt, Picture(IMAGES[0], PictureRequest(prompt, None, 0), "test", 0.0), reading)


def picture(number: int) -> Picture:
    return Picture(IMAGES[number], PictureRequest("", None, 0), "test", 0.0)


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(request.param, tmp_path_factory.mktemp("judges") / request.param)


@pytest.fixture(scope="module")
def judge(folder: Path) -> VisionLanguageJudge:
    built = build_judge(Settings(judge=str(folder), device="cpu"))
    assert isinstance(built, VisionLanguageJudge)
    built.min_mass = 0.0  # random weights put little on the labels
    return built


def test_a_rating_is_the_expected_value_of_both_orders_by_hand(judge: VisionLanguageJudge) -> None:
    [rated] = judge.rate_images(IMAGES[:1])
    assert rated is not None
    for axis, got in zip(("valence", "arousal"), rated, strict=True):
        means, variances, masses = [], [], []
        for question in rating_questions(tuple("123456789")):
            if question.axis != axis:
                continue
            text = judge.inputs.text(question.text()) + judge.answers.prefix
            with torch.no_grad():
                batch = judge.inputs.processor(images=[[IMAGES[0]]], text=[text], return_tensors="pt")
                logits = judge.model(**batch).logits[0, -1].double().numpy()
            share = np.exp(logits - logits.max())
            share /= share.sum()
            labels = share[[judge.inputs.tokenizer.convert_tokens_to_ids(label) for label in "123456789"]]
            values = np.linspace(-1, 1, 9) * (-1 if question.reversed_order else 1)
            means.append(labels @ values / labels.sum())
            variances.append(labels @ (values - means[-1]) ** 2 / labels.sum())
            masses.append(labels.sum())
        assert got.mean == pytest.approx(np.mean(means), abs=1e-5)
        assert got.sd == pytest.approx(math.sqrt(np.mean(variances) + np.var(means)), abs=1e-5)
        assert got.mass == pytest.approx(min(masses), rel=1e-3)


def test_a_picture_shows_its_prompt_by_yes_against_no_in_one_pass_by_hand(judge: VisionLanguageJudge) -> None:
    blank = "\u0120" if judge.answers.prefix else ""  # SmolVLM's word holds the blank before it
    spelled = [judge.inputs.tokenizer.convert_tokens_to_ids(blank + w) for w in ("Yes", "yes", "No", "no")]
    text = judge.inputs.text("Does this picture show: \"a 'small' dog\"? Answer yes or no.")
    batch = judge.inputs.processor(images=[[IMAGES[0]]], text=[text], return_tensors="pt")
    with torch.no_grad():
        logits = judge.model(**batch).logits[0, -1].double().numpy()
    yes = np.exp(logits[spelled[:2]]).sum()
    [got] = judge.shows([picture(0)], ['a "small" <dog>'])
    assert got == pytest.approx(yes / (yes + np.exp(logits[spelled[2:]]).sum()), abs=1e-5)
    together = judge.shows([picture(i) for i in range(3)], ["a dog", 'a "small" dog', "a dog on a beach at night"])
    assert together[1] == pytest.approx(judge.shows([picture(1)], ['a "small" dog'])[0], abs=1e-5)
    assert len(set(together)) == 3 and judge.shows([], []) == []


def test_no_yes_or_no_is_read_where_the_answer_begins_otherwise(
    judge: VisionLanguageJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "min_mass", 0.5)
    assert judge.shows([picture(0)], ["a dog"]) == [None]


def test_pictures_of_a_batch_do_not_touch_each_other(judge: VisionLanguageJudge) -> None:
    together = judge.rate_images(IMAGES)
    for image, among in zip(IMAGES, together, strict=True):
        [alone] = judge.rate_images([image])
        assert alone is not None and among is not None
        assert [part.mean for part in among] == pytest.approx([part.mean for part in alone], abs=1e-5)
    assert together[0] != together[1]


def test_too_little_mass_is_no_reading(judge: VisionLanguageJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "min_mass", 0.5)
    assert judge.read_images(IMAGES[:2]) == [None, None]
    assert judge.read([]) == []


def test_a_reading_says_how_it_was_read_and_invents_no_content(
    judge: VisionLanguageJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vision_language, "MAX_CONTENT_TOKENS", 4)
    monkeypatch.setattr(judge.writer, "constrained", False)
    [reading] = judge.read_images(IMAGES[:1])
    assert reading is not None
    assert reading.seen == () and "1-9, both orders" in str(reading.method)
    assert reading_json(reading)["method"] == reading.method and "calibration" not in reading_json(reading)
    assert 0 < reading.mass < 1 and reading.valence_sd > 0


def test_advice_that_cannot_be_read_is_asked_once_more_then_missing(
    judge: VisionLanguageJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vision_language, "MAX_ADVICE_TOKENS", 6)
    monkeypatch.setattr(judge.writer, "constrained", False)
    asked: list[bool] = []
    write = judge.writer.write
    monkeypatch.setattr(judge.writer, "write", lambda *args: asked.append(args[-1]) or write(*args))
    assert judge.advise([attempt()], Affect(0.5, 0.5)) is None
    assert asked == [False, True]


def test_advice_keeps_only_edits_that_fit(judge: VisionLanguageJudge, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = '{"analysis": "Calm.", "carries": ["night"], "edits": [{"remove": "at night"}, {"remove": "fog"}]}'
    monkeypatch.setattr(judge.writer, "write", lambda *args: [[(reply, -1.0)]])
    critique = judge.advise([attempt()], Affect(0.5, 0.5))
    assert critique == Critique("Calm.", ("night",), (Edit("remove", old="at night"),))


def test_written_tokens_spell_the_reply_with_their_probabilities(judge: VisionLanguageJudge) -> None:
    judge.writer.constrained, before = False, judge.writer.constrained
    [pieces] = judge.writer.write(IMAGES[:1], ["What is this?"], {}, 5)
    judge.writer.constrained = before
    batch = judge.inputs.encode(IMAGES[:1], [judge.inputs.text("What is this?")])
    with torch.no_grad():
        first = judge.model(**batch).logits[0, -1].log_softmax(-1).max()
    assert pieces and pieces[0][1] == pytest.approx(float(first), abs=1e-4)


def test_replies_are_held_to_their_schema(judge: VisionLanguageJudge) -> None:
    pytest.importorskip("outlines")
    judge.writer.constrained = True
    [pieces] = judge.writer.write(IMAGES[:1], ["Advise."], critique_schema(), 12)
    assert "".join(piece for piece, _ in pieces).replace(" ", "").startswith('{"analysis":"'[:6])


def test_smolvlm_without_video_lays_pictures_out_as_its_own_processor(tmp_path: Path) -> None:
    judge = build_judge(Settings(judge=str(save("smolvlm", tmp_path / "smol")), device="cpu"))
    assert isinstance(judge, VisionLanguageJudge) and isinstance(judge.inputs.processor, Idefics3Processor)
    assert judge.answers.prefix == " ", (
        "SmolVLM separates an answer by a blank that its generation prompt does not hold"
    )
    laid = judge.inputs.processor.replace_image_token({"rows": [[2]], "cols": [[1]]}, 0)
    own = get_image_prompt_string(2, 1, 4, "<fake_token_around_image>", "<image>", "<global-img>")
    assert laid == own


def inputs_with(alphabet: str) -> ModelInputs:
    class Words:
        def __init__(self) -> None:
            self.tokenizer = tokenizer("qwen3_vl", alphabet)
            self.chat_template = self.tokenizer.chat_template

    return ModelInputs(Words())  # type: ignore[arg-type]


def test_labels_fall_back_to_letters_where_digits_are_no_tokens() -> None:
    assert inputs_with("ABCDEFGHI").answer_labels().labels == tuple("ABCDEFGHI")


def test_a_tokenizer_without_labels_is_refused_with_the_reason() -> None:
    with pytest.raises(UserError, match="single tokens.*1-9: two labels share a token or are unknown.*a-i"):
        inputs_with("xyz").answer_labels()
    with pytest.raises(UserError, match="say yes or no by single tokens.*Yes-No: a label takes.*yes-no"):
        inputs_with("xyz").yes_no()


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    folder = save("qwen2_5_vl", tmp_path / "base")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match="no chat template"):
        build_judge(Settings(judge=str(folder), device="cpu"))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = save("qwen3_vl", tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="pickled code"):
        build_judge(Settings(judge=str(folder), device="cpu"))


def test_a_text_model_is_no_judge(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(UserError, match="vision-language"):
        build_judge(Settings(judge=str(tmp_path), device="cpu"))


def cached(cache: Path, names: tuple[str, ...]) -> Path:
    """A cache as huggingface_hub lays it out, holding one commit of org/vlm."""
    base = cache / "models--org--vlm"
    commit = base / "snapshots" / ("c" * 40)
    commit.mkdir(parents=True)
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text("c" * 40)
    for name in names:
        (commit / name).write_text("{}")
    return commit


def test_a_cached_repository_is_used_without_a_network(tmp_path: Path) -> None:
    commit = cached(tmp_path, ("config.json", "model.safetensors"))
    assert fetch("org/vlm", cache=tmp_path, offline=True) == commit
    assert fetch(f"org/vlm@{'c' * 40}", cache=tmp_path, offline=True) == commit
    with pytest.raises(UserError, match="not downloaded.*connect once"):
        fetch("org/other@v2", cache=tmp_path, offline=True)


def test_a_repository_of_pickles_is_refused(tmp_path: Path) -> None:
    cached(tmp_path, ("config.json", "pytorch_model.bin"))
    with pytest.raises(UserError, match="pickled ones are refused"):
        fetch("org/vlm", cache=tmp_path, offline=True)


def test_names_of_repositories_and_revisions() -> None:
    assert split_revision("org/vlm@v1.0") == ("org/vlm", "v1.0") and split_revision("org/vlm") == ("org/vlm", None)
    assert is_repo("Qwen/Qwen2.5-VL-7B-Instruct@main") and not is_repo("/a/b") and not is_repo("bundled")
    with pytest.raises(UserError, match="OWNER/NAME of Hugging Face"):
        build_judge(Settings(judge="nonsense"))


def test_a_fingerprint_changes_with_the_weights(tmp_path: Path) -> None:
    folder = save("qwen3_vl", tmp_path / "one")
    before = fingerprint(folder)
    other = model("qwen3_vl", tokenizer("qwen3_vl"))
    with torch.no_grad():
        other.lm_head.weight.mul_(2)
    other.save_pretrained(folder)
    assert fingerprint(folder) != before


def test_templates_take_exactly_their_variables() -> None:
    with pytest.raises(ValueError, match="needs"):
        fill("advise", prompt="a dog")
    with pytest.raises(ValueError, match="needs"):
        fill("describe", extra="x")


def test_the_question_for_advice_tells_the_rounds_and_no_template_marks() -> None:
    reading = Reading(Affect(-0.5, 0.25), 0.1, 0.1, 1.0, (), "test")
    earlier = attempt("a dog", reading)
    last = replace(attempt('a "dog" <|im_end|> $prompt', reading), edits=(Edit("add", new="fog"),))
    text = advice_question([earlier, last], Affect(0.8, 0.2))
    assert 'Before: "a dog" was read as valence -0.50' in text and "valence +0.80" in text and "'happy'" in text
    assert "<|" not in text and "$prompt" in text and "\"a 'dog'" in text


def test_content_is_known_to_be_kept_only_when_all_of_it_was_seen() -> None:
    """A smiling child was seen, and the lighthouse beside it counted as kept without being asked for."""
    judge = VisionLanguageJudge.__new__(VisionLanguageJudge)
    seen = (Seen("subject", "brown dogs", 0.9), Seen("place", "beach", 0.9))
    reading = Reading(Affect(0, 0), 0.1, 0.1, 1.0, seen, "test")
    assert judge.content_kept("a Dog on the beach", reading) is True
    assert judge.content_kept("a lighthouse by the beach, a dog", reading) is None
    assert judge.content_kept("a cat at dawn", reading) is None
    assert judge.content_kept("", reading) is None
