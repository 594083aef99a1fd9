"""What the words leave open is chosen by the emotion: properties over many prompts, points and seeds."""

import math
import random
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from tiny_finetune import tiny_generator
from tiny_visual import tiny_bank

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.suite.draw_arms import SuiteModels, draw_arm
from emofeedback.evaluation.suite.plan import Plan as SuitePlan
from emofeedback.evaluation.suite.plan import in_order
from emofeedback.evaluation.suite.store import SuiteFolder
from emofeedback.finetuning.policy import scene_policy
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.records import PictureRequest, VisualPrompt
from emofeedback.scenes.affect_model import mixed_probability, scene_affect
from emofeedback.scenes.captions import describe, parse, random_aspects, to_caption_words
from emofeedback.scenes.edits import SETTING
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.scenes.planning import ORDINARY, Plan, planned
from emofeedback.training.few_step.student import Student

CORNERS = (Affect(0.7, 0.6), Affect(0.7, -0.6), Affect(-0.7, 0.6), Affect(-0.7, -0.6))


def said(plan: Plan) -> str:
    return ", ".join(plan.words)


def scene_of(text: str) -> Scene:
    """The scene that a whole plan describes; its default look is unspoken."""
    found = parse(text)
    looks = {"palette": found.palette or "natural", "light": found.light or "even", "pose": found.pose or "plain"}
    subject, companion = (*found.subjects, None, None)[:2]
    rest = {"colour": found.colour, "size": found.size, "count": found.count or 1} if subject else {}
    assert found.place and found.time and found.weather and found.season
    when = {"time": found.time, "weather": found.weather, "season": found.season}
    return Scene(found.place, subject, companion, **when, elements=found.elements, **looks, **rest)


@pytest.mark.parametrize(
    "prompt", ["a puppy on the beach", "a train in the mountains", "a house", "a woman in a garden"]
)
def test_at_the_corners_the_scene_stands_where_it_was_asked_to(prompt: str) -> None:
    for corner in CORNERS:
        found = [scene_of(said(planned(prompt, corner, seed))) for seed in range(6)]
        points = [scene_affect(scene) for scene in found]
        assert all((p.valence > 0) == (corner.valence > 0) for p in points)
        assert (
            sum(math.hypot(p.valence - corner.valence, p.arousal - corner.arousal) for p in points) / len(points) < 0.35
        )
        assert sum(mixed_probability(scene) < 0.5 for scene in found) >= 5
        assert len({said(planned(prompt, corner, seed)) for seed in range(6)}) >= 3, "seeds differ"


def test_what_was_said_stays_and_is_not_contradicted() -> None:
    rng = random.Random(5)
    for _ in range(60):
        scene = sample_scene(rng, None)
        prompt = describe(scene, rng, random_aspects(rng))
        before = parse(prompt)
        plan = planned(prompt, Affect(rng.uniform(-1, 1), rng.uniform(-1, 1)), rng.getrandbits(31))
        after, drawn = parse(said(plan)), plan.scene
        assert drawn is not None
        assert after.place == before.place and after.subjects == before.subjects
        assert (after.colour, after.size, after.count) == (before.colour, before.size, before.count)
        for aspect in SETTING:
            assert getattr(before, aspect) in (None, getattr(after, aspect))
            assert getattr(after, aspect) in (None, getattr(drawn, aspect)), "the scene shows what the words say"
        assert set(before.elements) <= set(after.elements) == set(drawn.elements)
        assert (drawn.place, drawn.subject) == (before.place or drawn.place, (*before.subjects, drawn.subject)[0])


def test_the_same_request_is_the_same_plan_and_a_small_step_changes_little() -> None:
    assert planned("a dog in a park", CORNERS[0], 3) == planned("a dog in a park", CORNERS[0], 3)
    path = [planned("a dog in a park", Affect(-0.7 + 0.02 * i, 0.2), 3) for i in range(70)]
    same = sum(a == b for a, b in zip(path, path[1:], strict=False))
    assert same > 30 and len(set(path)) > 5


def test_what_is_denied_or_unwanted_does_not_come_in() -> None:
    for seed in range(8):
        assert "rainbow" not in parse(said(planned("a house, no rainbow", CORNERS[0], seed))).elements
        assert parse(said(planned("a house", CORNERS[2], seed, negative="thunderstorm"))).weather != "thunderstorm"


def test_without_words_there_is_a_scene_all_the_same() -> None:
    for prompt in ("", "joy", "xyzzy"):
        found = parse(said(planned(prompt, CORNERS[1], 4)))
        assert found.place is not None
    assert parse(said(planned("", CORNERS[1], 4))) != parse(said(planned("", CORNERS[1], 5)))


def test_what_cannot_be_one_scene_is_drawn_as_it_was_said() -> None:
    prompt = "snow in summer in a desert"
    assert planned(prompt, CORNERS[0], 1) == Plan((to_caption_words(prompt),), None)


def planning_generator() -> SceneDiffusionGenerator:
    """Draws whole plans; a tiny tokenizer would cut them."""
    generator = tiny_generator()
    generator.plans, generator.texts.left_out = True, lambda text: ""  # type: ignore[method-assign]
    return generator


def test_student_and_policy_are_told_the_words_that_the_generator_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = planning_generator()
    asked: list[str] = []
    encode = generator.texts.together
    monkeypatch.setattr(generator.texts, "together", lambda texts: (asked.extend(texts), encode(texts))[1])
    request = PictureRequest("a dog", CORNERS[0], 7)
    words = generator.words_drawn(request)
    Student(generator, 4, 4, seed=0).conditions([request])
    assert asked == [words]
    asked.clear()
    monkeypatch.setattr(scene_policy, "KEPT", 2)
    policy = ScenePolicy(planning_generator(), rank=2)
    monkeypatch.setattr(policy.generator.texts, "together", lambda texts: (asked.extend(texts), encode(texts))[1])
    first = policy.conditions([replace(request, seed=1, plan_seed=7), replace(request, seed=2, plan_seed=7)])
    assert words in asked and torch.equal(first.prompt[0], first.prompt[1]), "a group shares its plan"
    policy.conditions([replace(request, plan_seed=seed) for seed in range(20, 26)])
    assert len(policy._encoded) == 2, "a long job does not keep all of its plans"


def test_the_request_that_is_drawn() -> None:
    generator = planning_generator()
    request = PictureRequest("a dog", CORNERS[0], 7)
    words = generator.words_drawn(request)
    assert words != "a dog" and "dog" in parse(words).subjects
    generator.texts.left_out = lambda text: text[40:]  # type: ignore[method-assign]
    assert len(generator.words_drawn(request)) <= 40 and "dog" in generator.words_drawn(request)
    begun = replace(request, start=Image.new("RGB", (16, 16)))
    assert generator.words_drawn(begun) == "a dog"
    generator.texts.left_out = lambda text: ""  # type: ignore[method-assign]
    weak = generator.words_drawn(replace(request, strength=0.1))
    assert weak == said(planned("a dog", Affect(0.07, 0.06), 7)) != words
    for other in (replace(request, affect=None), replace(request, strength=0.0)):
        assert generator.words_drawn(other) == said(planned("a dog", None, 7)) != weak
    assert generator.words_drawn(replace(request, seed=8, plan_seed=7)) == words
    assert generator.words_drawn(replace(request, plan_seed=8)) != words
    generator.plans = False
    assert generator.words_drawn(request) == "a dog"


@pytest.mark.parametrize("prompt", ["", "a puppy on the beach", "a lighthouse in a storm, at night", "a graveyard"])
def test_without_an_emotion_the_day_is_an_ordinary_one(prompt: str) -> None:
    """Drawn from the words alone, without a sketch, people and animals melted."""
    asked, found = parse(prompt), [planned(prompt, None, seed) for seed in range(12)]
    for plan in found:
        scene = plan.scene
        assert scene is not None and (not prompt or scene.elements == asked.elements)
        for aspect, usual in ORDINARY.items():
            named = getattr(asked, aspect)
            if prompt and aspect != "elements":
                assert getattr(scene, aspect) in ((named,) if named else usual)
    assert len(set(found)) > 4 and planned(prompt, None, 3) == found[3]


def test_the_emotion_of_a_visual_prompt_plans_where_no_other_was_given() -> None:
    generator = planning_generator()
    bank = tiny_bank()
    generator.visual = SimpleNamespace(bank=bank)  # type: ignore[assignment]
    (name, at), *_ = bank.groups.items()
    request = PictureRequest("a dog", None, 7, visual=VisualPrompt(2.0, name))
    assert generator.plan_of(request) == planned("a dog", at, 7)
    half = Affect(0.5 * at.valence, 0.5 * at.arousal)
    assert generator.plan_of(replace(request, visual=VisualPrompt(0.5, name))) == planned("a dog", half, 7)
    here = replace(request, affect=at, strength=0.0, visual=VisualPrompt(1.0))  # the nearest group
    assert generator.plan_of(here) == planned("a dog", at, 7)
    assert generator.plan_of(replace(here, strength=1.0, affect=CORNERS[0])) == planned("a dog", CORNERS[0], 7)
    own = VisualPrompt(1.0, pictures=((Image.new("RGB", (16, 16)), 1.0),))
    assert generator.plan_of(replace(request, visual=own)) is None


def test_the_suite_draws_with_and_without_a_plan(tmp_path: Path) -> None:
    generator: Any = tiny_generator()
    plan = SuitePlan(("a dog", "a house"), 2, 0.7, 0, 1, 1, in_order(["adapter", "adapter-no-plan"]), {})
    models, folder = SuiteModels(generator, None), SuiteFolder.begin(tmp_path / "suite", plan)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="plans"):
        draw_arm(models, folder, "adapter-no-plan", 0, time.perf_counter)
    generator.plans, generator.texts.left_out = True, lambda text: ""
    drawn = draw_arm(models, folder, "adapter", 0, time.perf_counter)
    bare = draw_arm(models, folder, "adapter-no-plan", 0, time.perf_counter)
    assert all(cell.candidates[0].picture.drawn_as for cell in drawn) and generator.plans
    assert not any(cell.candidates[0].picture.drawn_as for cell in bare)


@pytest.mark.parametrize(
    ("prompt", "subject", "companion", "counts"),
    [
        ("kids playing in the park", "child", None, {2, 3}),
        ("swans on a lake", "swan", None, {2, 3}),
        ("two dogs", "dog", None, {2}),
        ("a bus on the road", "bus", None, {1}),
        ("a sports car in town", "car", None, {1}),
        ("a christmas tree in a park", "tree", None, {1}),
        ("a house and a dog", "dog", "house", {1}),
        ("a bicycle in front of a house", "bicycle", "house", {1}),
        ("a family on the beach", "family", None, {1}),
    ],
)
def test_the_planned_scene_shows_who_was_named_and_how_many(
    prompt: str, subject: str, companion: str | None, counts: set[int]
) -> None:
    scenes = [planned(prompt, CORNERS[1], seed).scene for seed in range(8)]
    assert {(s and s.subject, s and s.companion) for s in scenes} == {(subject, companion)}
    assert {s.count for s in scenes if s} == counts


def test_a_place_is_found_that_shows_what_was_said() -> None:
    """A dancing crowd is seen in few places; where the first place does not go with it, another one may."""
    found = [planned("children at a birthday party", CORNERS[seed % 4], seed).scene for seed in range(24)]
    assert sum(scene is not None for scene in found) >= 23


def test_no_animal_has_its_arms_raised() -> None:
    found = [planned("a horse in a field", Affect(0.7, 0.7), seed) for seed in range(40)]
    cheering = [plan for plan in found if plan.scene and plan.scene.pose == "cheering"]
    assert cheering and not any("arms" in said(plan) for plan in found)
    assert all(parse(said(plan)).pose == "cheering" for plan in cheering)


@pytest.mark.parametrize(
    ("prompt", "size"),
    [
        ("a cat", "large"),
        ("a house and a dog", "large"),
        ("a puppy", None),
        ("a large horse", "large"),
        ("a house", None),
        ("a small house", "small"),
    ],
)
def test_people_and_animals_are_drawn_a_size_larger_than_named(prompt: str, size: str | None) -> None:
    plan = planned(prompt, CORNERS[0], 3)
    assert plan.scene is not None and plan.scene.size == size
    assert parse(said(plan)).size == parse(prompt).size, "the words stay"
