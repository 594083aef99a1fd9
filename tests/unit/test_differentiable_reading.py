"""The reward of `direct`: the bundled judge's reading of tensors, on answers that are set by hand."""

import pytest
import torch
from test_judge_tiny import SIZE, judge, ratings_of  # noqa: F401 (a fixture)

from emofeedback.finetuning.job_settings import scene_prompts
from emofeedback.finetuning.rewards import DifferentiableReading
from emofeedback.judges.scene.judge_language import ASPECTS
from emofeedback.judges.scene.scene_judge import SceneJudge, named_content

PROMPT = next(p for p in scene_prompts(20, 0, "train") if all(named_content(p)))
SURE = 40.0  # a logit that makes an answer certain


def test_its_affect_is_the_judges_rating(judge: SceneJudge) -> None:  # noqa: F811
    pixels, targets = torch.randn(2, 3, SIZE, SIZE, requires_grad=True), torch.tensor([[0.7, -0.7], [-0.2, 0.1]])
    with torch.enable_grad():
        found = DifferentiableReading(judge, affect=1.0, content=0.0).score_tensor(pixels, targets, ["", ""])
    with torch.enable_grad():
        read = ratings_of(judge, pixels)
    assert torch.allclose(found, -(read - targets).square().sum(1), atol=1e-5)
    found.sum().backward()
    assert pixels.grad is not None and float(pixels.grad.abs().sum()) > 0


def test_content_is_the_mean_probability_of_what_the_prompt_names(
    judge: SceneJudge,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, subjects = named_content(PROMPT)
    assert place is not None
    logits = torch.zeros(3, 2 + len(ASPECTS), len(judge.tokens.tokenizer))

    def answer(row: int, aspect: str, word: str) -> None:
        token = judge.tokens.answer_ids[aspect][ASPECTS[aspect].index(word)]
        logits[row, 2 + list(ASPECTS).index(aspect), token] = SURE

    first, *others = sorted(subjects)
    for row in (0, 1):
        answer(row, "companion", first)  # as the second subject of the picture
        for word in others:
            answer(row, "subject", word)
    answer(0, "place", place)
    monkeypatch.setattr(judge, "query_logits", lambda pixels: logits)
    score = DifferentiableReading(judge, affect=0.0, content=2.0)
    found = score.score_tensor(torch.zeros(3, 3, SIZE, SIZE), torch.zeros(3, 2), [PROMPT, PROMPT, ""])
    share = len(subjects) / (len(subjects) + 1)
    assert found.tolist() == pytest.approx([2.0, 2 * share, 2.0], abs=0.05)  # nothing named counts as kept
