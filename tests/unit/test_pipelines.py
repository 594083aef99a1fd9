"""Generators of real pipeline classes at tiny random size: what is drawn."""

from dataclasses import replace

import numpy as np
import pytest
from opened_pipelines import CAT, DOG, draw, pixels
from PIL import Image
from tiny_pipelines import SIZE

from emofeedback.errors import Cancelled, UserError
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator


def test_a_picture_depends_on_its_request_alone(pipeline: PipelineGenerator) -> None:
    steps: list[tuple[int, int]] = []
    both = [CAT, DOG]
    pictures = list(pipeline.generate(both, lambda done, total: steps.append((done, total))))
    assert [picture.request for picture in pictures] == both
    assert {picture.model for picture in pictures} == {pipeline.family.key} and pictures[0].image.size == (SIZE, SIZE)
    assert steps == [(1, 2), (2, 2)]
    [alone] = draw(pipeline, DOG)
    assert np.abs(alone - pixels(pictures[1].image)).max() <= 1  # a batch may round otherwise
    other = pixels(pictures[0].image)
    assert np.abs(other - alone).max() > 20
    [reseeded] = draw(pipeline, replace(DOG, seed=3))
    assert np.abs(reseeded - alone).max() > 20


def test_words_and_guidance_have_an_effect(pipeline: PipelineGenerator) -> None:
    plain, words, guided = draw(
        pipeline, replace(DOG, guidance=1.0), replace(DOG, prompt="a cat", guidance=1.0), replace(DOG, guidance=6.0)
    )
    assert not np.array_equal(plain, words)
    distilled = pipeline.described.distilled  # guidance is folded in: what is asked for is ignored
    assert np.array_equal(plain, guided) == distilled


def test_cancel_ends_within_a_step_and_leaves_the_generator_usable(pipeline: PipelineGenerator) -> None:
    before = draw(pipeline, CAT)
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        list(pipeline.generate([replace(CAT, steps=9)], stop))
    assert seen == [1]
    assert np.array_equal(draw(pipeline, CAT), before)


def test_a_start_picture_shows_through_as_far_as_asked(pipeline: PipelineGenerator) -> None:
    starts = [Image.new("RGB", (48, 40), colour) for colour in ((220, 60, 30), (30, 60, 220))]
    requests = [
        replace(CAT, steps=4, start=start, start_strength=strength, guidance=1.0)
        for strength in (0.25, 1.0)
        for start in starts
    ]
    steps: list[tuple[int, int]] = []
    drawn = [pixels(p.image) for p in pipeline.generate(requests, lambda done, total: steps.append((done, total)))]
    assert steps == [(k, 5) for k in range(1, 6)] and drawn[0].shape == (SIZE, SIZE, 3)
    near, far = np.abs(drawn[0] - drawn[1]).mean(), np.abs(drawn[2] - drawn[3]).mean()
    assert near > 2 * far
    least = replace(requests[0], steps=1, start_strength=0.3)  # a third of one step: still one is run
    assert len(list(pipeline.generate([least]))) == 1


def test_bad_requests_are_one_sentence(pipeline: PipelineGenerator) -> None:
    begun = replace(CAT, start=Image.new("RGB", (8, 8)), start_strength=0.0)
    for wrong in (replace(CAT, steps=0), replace(CAT, strength=-1.0), begun):
        with pytest.raises(UserError):
            list(pipeline.generate([wrong]))
    assert pipeline.unknown_words("zeppelin") == () and pipeline.left_out("a cat") == ""
    assert pipeline.left_out("a cat " * 600) != ""


def test_what_is_asked_beside_a_drawing_leaves_its_tokenizer_alone(pipeline: PipelineGenerator) -> None:
    """A fast tokenizer keeps how it pads and cuts: the page asked for the end of a prompt, and a drawing broke off."""
    tokenizer, _ = pipeline.texts.family.tokenizer_of(pipeline.texts.pipeline)
    tokenizer("a cat", padding="max_length", truncation=True, max_length=9)
    assert pipeline.left_out("a cat " * 600)
    if tokenizer.is_fast:
        backend = tokenizer.backend_tokenizer
        assert backend.padding["length"] == backend.truncation["max_length"] == 9


def test_a_negative_prompt_leads_away_from_its_words(pipeline: PipelineGenerator) -> None:
    assert pipeline.takes_negative == (not pipeline.described.distilled)
    if pipeline.described.distilled:  # it draws without guidance, and says so
        with pytest.raises(UserError, match="negative prompt needs guidance"):
            list(pipeline.generate([replace(CAT, negative="a boat")]))
        return
    asked = replace(CAT, guidance=6.0)
    plain, without, other = draw(pipeline, asked, replace(asked, negative="a boat"), replace(asked, negative="a fire"))
    assert not np.array_equal(plain, without) and not np.array_equal(without, other)
    [alone] = draw(pipeline, replace(asked, negative="a boat"))
    assert np.abs(alone - without).max() <= 1  # each request of a batch has its own
    with pytest.raises(UserError, match="negative prompt needs guidance"):
        list(pipeline.generate([replace(CAT, guidance=1.0, negative="a boat")]))


def test_any_size_that_the_pipeline_allows(pipeline: PipelineGenerator) -> None:
    sizes = pipeline.sizes
    wide = (SIZE, SIZE - sizes.multiple) if SIZE - sizes.multiple >= sizes.low else (SIZE + sizes.multiple, SIZE)
    plain, shaped = pipeline.generate([CAT, replace(CAT, size=wide)])
    assert plain.image.size == (SIZE, SIZE) and shaped.image.size == wide
    begun = replace(CAT, size=wide, start=Image.new("RGB", (40, 40), "navy"), start_strength=0.6)
    assert next(iter(pipeline.generate([begun]))).image.size == wide
    for wrong in ((SIZE + 1, SIZE), (SIZE, 100 * SIZE)):
        with pytest.raises(UserError, match=f"multiple of {sizes.multiple}"):
            list(pipeline.generate([replace(CAT, size=wrong)]))


def test_away_from_its_own_words_a_picture_is_that_without_guidance(pipeline: PipelineGenerator) -> None:
    """u + w (c - u) with u = c is c, whatever w is."""
    if pipeline.described.distilled:
        pytest.skip("it draws without guidance")
    plain, own = draw(pipeline, replace(CAT, guidance=1.0), replace(CAT, guidance=6.0, negative=CAT.prompt))
    assert np.abs(plain - own).max() <= 2
