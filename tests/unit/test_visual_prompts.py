"""Drawing with visual prompts: what strength 0 leaves alone, what the terms add, what is kept on disk."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_finetune import tiny_generator
from tiny_visual import tiny_visual, visual_generator

from emofeedback.affect import EMOTIONS, Affect
from emofeedback.cli.generate_command import visual_from
from emofeedback.cli.generate_options import GenerateOptions
from emofeedback.cli.settings_given import settings_from as command_settings
from emofeedback.errors import UserError
from emofeedback.files.checksums import write_checksums
from emofeedback.files.png_settings import settings_from
from emofeedback.files.run_json import request_json
from emofeedback.flow.schedule import guided
from emofeedback.generators.scene.scene_condition import SceneCondition
from emofeedback.generators.visual.visual_adapter import VisualAdapter
from emofeedback.generators.visual.visual_prompts import FACTS, VisualPrompts
from emofeedback.loop.drawing import Drawing
from emofeedback.records import PictureRequest, VisualPrompt
from emofeedback.sweep.run_sweep import Sweep, SweepOrder, run_sweep

FEAR = VisualPrompt(emotion="fear", guidance=0.0)
REQUEST = PictureRequest("a cat by a lake", Affect(0.5, -0.5), 3, steps=3)


def pixels(generator, *requests: PictureRequest) -> list[np.ndarray]:  # type: ignore[no-untyped-def]
    return [np.asarray(picture.image) for picture in generator.generate(requests)]


def test_strength_0_is_the_text_only_picture_bit_for_bit() -> None:
    plain, generator = tiny_generator(), visual_generator()
    (wanted,) = pixels(plain, REQUEST)
    none, zero, shown = pixels(
        generator, REQUEST, replace(REQUEST, visual=replace(FEAR, strength=0.0)), replace(REQUEST, visual=FEAR)
    )
    np.testing.assert_array_equal(none, wanted)
    np.testing.assert_array_equal(zero, wanted)
    assert np.abs(shown.astype(int) - wanted).mean() > 1


def test_strength_0_gives_the_same_velocity_within_a_shown_batch() -> None:
    generator = visual_generator()
    batch = [replace(REQUEST, strength=0.0, guidance=1.0, visual=replace(FEAR, strength=s)) for s in (0.0, 1.0)]
    latents = generator.noise([1, 2])
    with torch.inference_mode():
        plain = generator.conditioning(batch)
        without = generator.velocity(latents, 0.7, plain)
        condition, visual = generator.visual_conditioning(batch, plain)
        shown = generator.velocity(latents, 0.7, condition, None, visual)
    torch.testing.assert_close(shown[0], without[0], rtol=0, atol=0)
    assert not torch.allclose(shown[1], without[1], atol=1e-3)


def test_a_fresh_adapter_changes_nothing() -> None:
    generator, visual = tiny_generator(), tiny_visual()
    fresh = VisualAdapter(visual.adapter.shape)
    generator.use_visual(VisualPrompts(visual.bank, fresh, None))
    np.testing.assert_allclose(
        pixels(generator, replace(REQUEST, visual=FEAR))[0].astype(int), pixels(tiny_generator(), REQUEST)[0], atol=1
    )


@pytest.mark.parametrize("negative", [None, "amusement"])
def test_guidance_is_the_documented_sum(negative: str | None) -> None:
    generator = visual_generator()
    asked = replace(REQUEST, guidance=2.5, visual=replace(FEAR, guidance=1.5, negative=negative))
    latents = generator.noise([1])

    def one(visual: VisualPrompt | None, affect: float, prompt: str = REQUEST.prompt) -> torch.Tensor:
        request = PictureRequest(prompt, REQUEST.affect, 3, abs(affect), guidance=1.0, visual=visual)
        plain = generator.conditioning([request])
        if affect < 0:
            words = generator.texts([prompt])[0]
            plain = SceneCondition(*generator.with_emotion(*words, [replace(request, strength=1.0)], -1.0))
        if visual is None:
            return generator.velocity(latents, 0.6, plain)
        condition, shown = generator.visual_conditioning([request], plain)
        return generator.velocity(latents, 0.6, condition, None, shown)

    with torch.inference_mode():
        condition, visual = generator.visual_conditioning([asked], generator.conditioning([asked]))
        found = generator.velocity(latents, 0.6, condition, None, visual)
        c, o, u = one(FEAR, 1.0), one(FEAR, -1.0), one(None, 0.0, "")
        n = one(None if negative is None else replace(FEAR, emotion=negative), 1.0)
        wanted = guided(c, u, torch.tensor([2.5])) + generator.emotion_guidance * (c - o) + 1.5 * (c - n)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)


def test_pictures_do_not_depend_on_their_batch_mates() -> None:
    generator = visual_generator()
    requests = [REQUEST, replace(REQUEST, visual=FEAR), replace(REQUEST, visual=replace(FEAR, emotion="awe"), seed=9)]
    together = pixels(generator, *requests)
    for picture, request in zip(together, requests, strict=True):
        assert np.abs(picture.astype(int) - pixels(generator, request)[0]).max() <= 1


def test_chosen_centres_replace_the_retrieved_ones() -> None:
    generator = visual_generator()
    assert generator.visual is not None
    words = generator.texts.features([REQUEST.prompt])[0]
    hits = generator.visual.bank.retrieve(words, "fear")
    same = replace(FEAR, centres=tuple((hit.number, hit.weight) for hit in hits))
    first, second, other = pixels(
        generator, *(replace(REQUEST, visual=v) for v in (FEAR, same, replace(FEAR, centres=((0, 1.0),))))
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first.astype(int) - other).max() > 1
    with pytest.raises(UserError, match="weight"):
        pixels(generator, replace(REQUEST, visual=replace(FEAR, centres=())))


def test_own_pictures_are_shown_and_weighed() -> None:
    generator = visual_generator()
    red, blue = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    asked = [
        VisualPrompt(centres=c, pictures=p, guidance=0.0)
        for c, p in (
            (None, ((red, 1.0),)),
            (None, ((blue, 1.0),)),
            (None, ((red, 1.0), (blue, 0.0))),
            (((0, 1.0),), ((red, 1.0),)),
        )
    ]
    first, second, third, fourth = pixels(generator, *(replace(REQUEST, visual=v) for v in asked))
    np.testing.assert_array_equal(first, third)
    assert np.abs(first.astype(int) - second).max() > 0 and np.abs(first.astype(int) - fourth).max() > 0


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(UserError, match="no visual prompts"):
        pixels(tiny_generator(), replace(REQUEST, visual=FEAR))
    with pytest.raises(UserError, match="amusement"):
        pixels(visual_generator(), replace(REQUEST, visual=replace(FEAR, emotion="boredom")))
    with pytest.raises(UserError, match="emotion"):
        pixels(visual_generator(), replace(REQUEST, affect=None, visual=VisualPrompt()))
    with pytest.raises(UserError, match="visual strength"):
        Drawing(visual=VisualPrompt(-1.0))


def test_visual_prompts_come_back_from_disk_and_know_their_generator(tmp_path: Path) -> None:
    visual = tiny_visual()
    assert visual.encoder is not None
    visual.bank.save(tmp_path)
    visual.adapter.save_pretrained(tmp_path)
    visual.encoder.save_pretrained(tmp_path)
    (tmp_path / FACTS).write_text(json.dumps({"base": "abc", "guidance": 1.0, "student_guidance": 1.0}))
    write_checksums(tmp_path)
    generator = tiny_generator()
    generator.use_visual(VisualPrompts.from_pretrained(tmp_path, "abc"))
    difference = (
        pixels(generator, replace(REQUEST, visual=FEAR))[0].astype(int)
        - pixels(visual_generator(), replace(REQUEST, visual=FEAR))[0]
    )
    assert np.abs(difference).max() <= 2  # the bank is kept in half precision
    with pytest.raises(UserError, match="another generator"):
        VisualPrompts.from_pretrained(tmp_path, "def")


def test_records_of_visual_prompts_can_be_written_and_read_past() -> None:
    own = VisualPrompt(0.8, "fear", ((1, 0.5),), ((Image.new("RGB", (4, 4)), 1.0),))
    written = request_json(replace(REQUEST, visual=own))
    assert json.loads(json.dumps(written))["visual"] == {
        "strength": 0.8,
        "emotion": "fear",
        "centres": [[1, 0.5]],
        "own_pictures": 1,
        "negative": None,
        "guidance": None,
    }
    assert settings_from(written, "a PNG").prompt == REQUEST.prompt
    assert "visual" not in request_json(REQUEST)
    assert Drawing(visual=own).requests([("a cat", 0)], Affect(0, 0), 4)[0].visual is own


def test_the_command_line_takes_visual_prompts_and_no_flag_is_mistaken_for_a_setting(tmp_path: Path) -> None:
    picture = tmp_path / "own.png"
    Image.new("RGB", (8, 8)).save(picture)
    arguments = GenerateOptions(prompt="a cat", emotion="fear", visual=0.7, visual_picture=[picture])
    visual = visual_from(arguments)
    assert visual is not None and (visual.strength, visual.emotion, len(visual.pictures)) == (0.7, "fear", 1)
    assert command_settings(arguments).visual_prompts is None  # --visual is the strength, not where the prompts lie
    assert visual_from(GenerateOptions(prompt="a cat", emotion="fear")) is None


def test_each_picture_of_a_sweep_is_shown_what_lies_nearest_to_its_own_point() -> None:
    points = [EMOTIONS[name] for name in ("fear", "contentment", "sadness")]
    generator = visual_generator()
    order = SweepOrder("a cat by a lake", [points], seed=3, steps=3, visual=VisualPrompt())
    *_, sweep = run_sweep(generator, None, order)
    assert isinstance(sweep, Sweep)
    for picture, name in zip(sweep.cells(), ("fear", "contentment", "sadness"), strict=True):
        request = PictureRequest("a cat by a lake", EMOTIONS[name], 3, steps=3, visual=VisualPrompt(emotion=name))
        (wanted,) = pixels(generator, request)
        assert np.abs(np.asarray(picture.image).astype(int) - wanted).max() <= 1  # batched or alone
