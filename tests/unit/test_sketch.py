"""Lines of scenes, and pictures drawn after them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_finetune import tiny_checkpoint, tiny_generator

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.suite.draw_arms import SuiteModels, draw_arm
from emofeedback.evaluation.suite.plan import Plan, in_order
from emofeedback.evaluation.suite.store import SuiteFolder
from emofeedback.files.checksums import write_checksums
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.generators.scene.scene_condition import SceneCondition
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.scene.sketch import SketchAdapter, SketchShape, pencil, sketch_of
from emofeedback.records import Picture, PictureRequest
from emofeedback.training.few_step.student import Student

GLAD = Affect(0.7, 0.6)
SHAPE = SketchShape(16, 2, 32, residuals=2, width=16, blocks=1)


def planning() -> SceneDiffusionGenerator:
    """Draws whole plans after their sketches; a tiny tokenizer would cut the words."""
    generator = tiny_generator()
    generator.plans, generator.texts.left_out = True, lambda text: ""  # type: ignore[method-assign]
    return generator


def pixels_of(pictures: list[Picture]) -> list[Any]:
    return [np.asarray(picture.image).tolist() for picture in pictures]


def test_a_line_is_where_neighbours_differ() -> None:
    picture = torch.full((1, 3, 16, 16), -1.0)
    picture[..., 8:] = 0.2
    lines = pencil(picture)
    assert lines.shape == (1, 1, 16, 16) and lines.sum() == 16 and bool((lines[..., 7] == 1).all())
    assert pencil(torch.zeros(1, 3, 16, 16)).sum() == 0, "a blank sheet has none"


def test_lines_do_not_tell_how_bright_a_picture_is_nor_which_batch_it_was_in() -> None:
    noise = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3)) - 0.5
    assert torch.allclose(pencil(noise), pencil(0.5 * noise - 0.4), atol=1e-5)
    both = torch.cat([noise, torch.zeros_like(noise)])
    assert torch.equal(pencil(both)[:1], pencil(noise))


def test_the_adapter_begins_without_effect_and_comes_back_from_its_file(tmp_path: Path) -> None:
    adapter, sketches = SketchAdapter(SHAPE), torch.rand(3, 4, 16, 16)
    found = adapter(sketches)
    assert found.shape == (3, 2, 4, 32) and not found.any()
    torch.nn.init.normal_(adapter.give.weight)
    adapter.save_pretrained(tmp_path / "sketch")
    again = SketchAdapter.from_pretrained(tmp_path / "sketch")
    assert torch.equal(again(sketches), adapter(sketches)) and adapter(sketches).any()
    (tmp_path / "sketch" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="damaged"):
        SketchAdapter.from_pretrained(tmp_path / "sketch")
    with pytest.raises(UserError, match="config.json is missing"):
        SketchAdapter.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match="divide"):
        SketchAdapter(replace(SHAPE, pixels=15))


def test_a_place_of_the_sketch_reaches_its_own_token() -> None:
    adapter, blank = SketchAdapter(SHAPE), torch.zeros(1, 4, 16, 16)
    torch.nn.init.normal_(adapter.give.weight)
    adapter.blocks = torch.nn.Sequential()  # their norms look at the whole sheet
    drawn = blank.clone()
    drawn[..., 12:, 12:] = 1.0
    changed = (adapter(drawn) - adapter(blank)).abs().amax((0, 1, 3)) > 0
    assert changed[3] and not changed[0]


def test_planned_pictures_are_drawn_after_their_scene_and_others_as_before() -> None:
    generator = planning()
    asked = [
        PictureRequest("a dog", GLAD, 7),
        PictureRequest("snow in summer in a desert", GLAD, 7),
        PictureRequest("a cat", GLAD, 8),
    ]
    residuals = generator.residuals_of(generator.planned_sketches(asked))
    assert residuals is not None and residuals[0].any() and not residuals[1].any()
    plan = generator.plan_of(asked[0])
    assert plan is not None and plan.scene is not None and generator.sketch is not None
    with torch.no_grad():
        expected = generator.sketch(sketch_of(plan.scene, generator.sketch.shape.pixels)[None])
    assert torch.allclose(residuals[:1], expected, atol=1e-5)
    drawn = pixels_of(list(generator.generate(asked)))
    alone = [pixels_of(list(generator.generate([request])))[0] for request in asked]
    assert np.abs(np.array(drawn) - np.array(alone)).max() <= 1, "a batch changes nothing"
    generator.sketches = False
    without = pixels_of(list(generator.generate(asked)))
    assert generator.planned_sketches(asked) is None
    assert without[0] != drawn[0] and np.abs(np.array(without[1]) - np.array(drawn[1])).max() <= 1
    assert generator.words_drawn(asked[0]) != "a dog", "the plan's words stay"


def test_guidance_leads_towards_the_sketch_as_towards_the_words() -> None:
    generator = planning()
    request = PictureRequest("a dog", GLAD, 7, guidance=2.5)
    with torch.inference_mode():
        told = generator.conditioning([request])
        assert told.guidance is not None and told.residuals is not None and len(told.residuals) == 1
        latents = generator.noise([7])
        found = generator.velocity(latents, 0.6, told)
        rows = []
        for i, residuals in enumerate((None, told.residuals, told.residuals)):
            alone = SceneCondition(told.prompt[i : i + 1], told.pooled[i : i + 1], None, None, residuals)
            rows.append(generator.velocity(latents, 0.6, alone))
    expected = rows[0] + 2.5 * (rows[2] - rows[0]) + generator.emotion_guidance * (rows[2] - rows[1])
    assert torch.allclose(found, expected, atol=1e-4)


def test_student_and_policy_draw_after_the_same_sketch() -> None:
    generator, request = planning(), PictureRequest("a dog", GLAD, 7)
    expected = generator.residuals_of(generator.planned_sketches([request]))
    assert expected is not None
    told = Student(planning(), 4, 4, seed=0).conditions([request])
    assert told.residuals is not None and torch.equal(told.residuals, expected)
    policy = ScenePolicy(planning(), rank=2)
    conditions = policy.conditions([request, PictureRequest("snow in summer in a desert", None, 0)])
    assert conditions.residuals is not None and torch.equal(conditions.residuals[:1], expected)
    assert conditions.sketches is not None and not conditions.residuals[1].any() and not conditions.sketches[1].any()
    noisy, times = policy.generator.noise([1, 2]), torch.full((2,), 0.5)
    both = policy.velocity(noisy, times, conditions)
    assert torch.allclose(both[1:], policy.velocity(noisy[1:], times[1:], conditions.rows(slice(1, 2))), atol=1e-5)


def test_a_checkpoint_brings_its_sketch_adapter(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "generator")
    loaded = SceneDiffusionGenerator.from_pretrained(folder, dtype=torch.float32)
    assert loaded.sketch is not None and loaded.sketches
    (folder / "sketch_adapter" / "config.json").write_text("{}", encoding="utf-8")
    write_checksums(folder)
    with pytest.raises(UserError, match=r"sketch adapter in .* is damaged"):
        SceneDiffusionGenerator.from_pretrained(folder)


def test_the_suite_draws_without_sketches_and_puts_them_back(tmp_path: Path) -> None:
    generator: Any = planning()
    plan = Plan(("a dog", "a house"), 2, 0.7, 0, 1, 1, in_order(["adapter", "adapter-no-sketch"]), {})
    models, folder = SuiteModels(generator, None), SuiteFolder.begin(tmp_path / "suite", plan)  # type: ignore[arg-type]
    pictures = {
        arm: [cell.candidates[0].picture for cell in draw_arm(models, folder, arm, 0, lambda: 0.0)] for arm in plan.arms
    }
    with_sketch, without = pictures["adapter"], pictures["adapter-no-sketch"]
    assert [p.drawn_as for p in with_sketch] == [p.drawn_as for p in without]
    assert pixels_of(with_sketch) != pixels_of(without) and generator.sketches
    generator.plans = False
    with pytest.raises(UserError, match="sketches"):
        draw_arm(models, folder, "adapter-no-sketch", 0, lambda: 0.0)
