"""Emotion in pipelines of every family: by words, or by an adapter on the text embeddings."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from opened_pipelines import CAT, draw

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.generators.pipelines.emotion_words import with_emotion_words
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator


def test_emotion_comes_in_by_words_where_there_is_no_adapter(pipeline: PipelineGenerator) -> None:
    afraid = replace(CAT, affect=Affect(-0.65, 0.7))
    assert pipeline.drawn_prompt(afraid) == with_emotion_words("a cat", Affect(-0.65, 0.7))
    mute = replace(afraid, strength=0.0)
    plain, silent, moved = draw(pipeline, CAT, mute, afraid)
    assert np.array_equal(plain, silent) and not np.array_equal(plain, moved)


class Shift(torch.nn.Module):
    """An emotion adapter that moves all embeddings by valence."""

    def forward(self, embeds: Any, pooled: Any, valence: Any, arousal: Any, strength: Any) -> Any:
        by = (valence * strength)[:, None]
        return embeds + by[:, None], None if pooled is None else pooled + by


def test_a_trained_adapter_takes_the_place_of_the_words(
    pipeline: PipelineGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "emotion", Shift())
    moved = replace(CAT, affect=Affect(0.9, 0.0))
    assert pipeline.drawn_prompt(moved) == "a cat"
    base, shifted = pipeline.condition(CAT), pipeline.condition(moved)
    assert torch.allclose(shifted.embeds, base.embeds + 0.9)
    assert (base.pooled is None) == (not pipeline.family.pooled)
    plain, changed = draw(pipeline, CAT, moved)
    assert not np.array_equal(plain, changed)
    monkeypatch.setattr(pipeline, "emotion", torch.nn.Bilinear(3, 3, 3))
    with pytest.raises(UserError, match="another model"):
        pipeline.condition(moved)
