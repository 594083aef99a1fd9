"""Looking ahead of advice: edits tried on a known scene, and the draft that leads nearest."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emofeedback.affect import Affect
from emofeedback.judges.scene.foresight import (
    contradicts,
    foreseen_distance,
    kept_beside,
    most_promising,
    planned,
    prospect,
    seen_scene,
    ungrounded,
)
from emofeedback.judges.scene.judge_language import UNREMARKABLE, answers_of
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.loop.rounds import trials_of
from emofeedback.records import Critique, Edit, Reading, Seen
from emofeedback.scenes.advice import MAX_EDITS, edits_for
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe, parse, random_aspects
from emofeedback.scenes.edits import apply_changes, steps_towards
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.scenes.moods import against
from emofeedback.scenes.outcomes import content_unchanged, edited_scene

CALM = Scene("lake", "boat", None, "day", "clear", "summer", "natural", "even", ())
PROMPT = "a boat on a lake"


def reading_of(scene: Scene) -> Reading:
    """What a judge that errs in nothing says of a scene."""
    seen = tuple(Seen(a, word, 1.0) for a, word in answers_of(scene).items() if word not in UNREMARKABLE)
    return Reading(scene_affect(scene).affect(), 0.1, 0.1, 1.0, seen, "perfect")


def draft(*edits: Edit) -> Critique:
    return Critique("", (), edits)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_a_perfect_reading_gives_back_its_scene(seed: int) -> None:
    scene = sample_scene(random.Random(seed), None)
    words = " and ".join(word for word in (scene.subject, scene.companion) if word is not None)
    seen = seen_scene(reading_of(scene), words)
    assert seen is not None
    unseen = {"layout": scene.layout, "kind": scene.kind, "companion_kind": scene.companion_kind}
    assert replace(seen, **unseen) == scene


def test_two_subjects_stand_in_the_order_of_the_prompt() -> None:
    """Judges answer in the grammar's order; the companion weighs less, so a swap moved the prospect by up to .36."""
    scene = replace(CALM, subject="dog", companion="child")
    for prompt, first in (("a dog and a child", "dog"), ("a child and a dog", "child"), ("by a lake", "child")):
        seen = seen_scene(reading_of(scene), prompt)
        assert seen is not None and seen.subject == first


def test_plans_bring_in_only_what_is_known() -> None:
    """A generator of an earlier grammar was told to add a hammock that it cannot draw."""
    known = {("palette", "vivid"), ("weather", "clear"), ("elements", "balloons"), ("pose", "plain")}
    scene = replace(CALM, weather="fog", subject="child")
    for valence in (-0.7, 0.7):
        found = planned(scene, "a child by a lake in fog", Affect(valence, 0.6), known=known)
        brought = {key for edits in found for edit in edits for key in parse(edit.new).phrases}
        assert brought <= known and (brought or valence < 0)


def test_nothing_that_speaks_against_the_mood_is_brought_in() -> None:
    storm = replace(CALM, weather="thunderstorm", time="night", subject="child")
    for target in (Affect(0.7, 0.6), Affect(0.7, -0.6), Affect(-0.7, -0.6)):
        out = against(target)
        proposed = planned(storm, "a child by a lake", target, "a child by a lake")
        assert proposed
        for edits in proposed:
            assert not out & set(parse(", ".join(edit.new for edit in edits if edit.new)).phrases)


def test_what_a_user_named_is_left_alone() -> None:
    """A hut in the prompt was an element of the world, and advice took it away."""
    prompt = "a boat on a lake at night, with a carnival"
    scene = replace(CALM, time="night", elements=("carnival",))
    for valence in (-0.7, 0.7):
        for arousal in (-0.7, 0.7):
            best = most_promising([draft()], prompt, reading_of(scene), Affect(valence, arousal), original=prompt)
            assert best is not None
            said = parse(apply_edits(prompt, best.edits))
            assert said.time == "night" and "carnival" in said.elements and said.subjects == ("boat",)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.8, 0.8), st.floats(-0.8, 0.8))
def test_the_teachers_edits_lead_where_its_changes_lead(seed: int, valence: float, arousal: float) -> None:
    rng = random.Random(seed)
    scene = sample_scene(rng, None)
    changed = steps_towards(scene, Affect(valence, arousal), MAX_EDITS, 0.15)
    said = [change for change in changed if change.new is not None]
    prompt = describe(scene, rng)
    if len(said) == len(changed):  # what goes without a word needs the old word in the prompt; that is edits_for's test
        assert edited_scene(scene, prompt, edits_for(prompt, changed)) == apply_changes(scene, changed)


def test_the_most_promising_draft_counts_and_content_is_kept() -> None:
    storm, sun = Edit("add", new="in a thunderstorm"), Edit("add", new="under a rainbow")
    other = Edit("replace", old="a boat", new="a wolf")
    drafts = [draft(sun), draft(other), draft(storm)]
    assert most_promising(drafts, PROMPT, reading_of(CALM), Affect(-0.8, 0.8), plan=False) == drafts[2]
    assert most_promising(drafts, PROMPT, reading_of(CALM), Affect(0.8, 0.3), plan=False) == drafts[0]
    assert foreseen_distance(CALM, PROMPT, drafts[1], Affect(0.0, 0.0)) == math.inf
    assert not content_unchanged(PROMPT, drafts[1].edits)


def test_of_two_that_lead_alike_the_shorter_counts() -> None:
    near = scene_affect(CALM).affect()
    assert most_promising([draft(Edit("add", new="in summer")), draft()], PROMPT, reading_of(CALM), near) == draft()


@pytest.mark.parametrize("reading", [None, replace(reading_of(CALM), seen=())])
def test_the_first_draft_counts_where_the_scene_is_unknown(reading: Reading | None) -> None:
    drafts = [draft(Edit("add", new="in fog")), draft(Edit("add", new="at night"))]
    assert most_promising(drafts, PROMPT, reading, Affect(0.0, 0.0)) == drafts[0]
    assert most_promising([], PROMPT, reading, Affect(0.0, 0.0)) is None


def test_words_that_contradict_themselves_lead_nowhere() -> None:
    both = (Edit("add", new="under a rainbow"), Edit("add", new="with kites"))
    assert edited_scene(CALM, PROMPT, both) is None


def test_a_sentence_that_contradicts_the_reading_stands_behind_one_that_does_not() -> None:
    read = scene_affect(CALM).affect()
    target = Affect(read.valence, min(1.0, read.arousal + 0.6))
    assert contradicts("The lake makes it too tense.", read, target)
    assert not contradicts("The lake makes it too calm.", read, target)
    edit = Edit("add", new="in a thunderstorm")
    wrong, right = Critique("It is too tense.", (), (edit,)), Critique("It is too calm.", (), (edit,))
    assert most_promising([wrong, right], PROMPT, reading_of(CALM), target, plan=False) == right
    assert most_promising([wrong, right], PROMPT, reading_of(CALM), target).analysis == right.analysis


def test_a_sentence_about_what_is_not_there_stands_behind_one_about_what_is() -> None:
    target, read = Affect(0.0, 0.9), reading_of(CALM)
    made_up, seen = (Critique(f"The {thing} makes it too calm.", (), ()) for thing in ("truck", CALM.place))
    assert ungrounded(made_up.analysis, read, PROMPT) and not ungrounded(seen.analysis, read, PROMPT)
    assert not ungrounded(made_up.analysis, read, "a truck by a lake"), "the prompt has it"
    assert most_promising([made_up, seen], PROMPT, read, target, plan=False) == seen


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.8, 0.8), st.floats(-0.8, 0.8))
@example(2661, 0.0, 0.0)  # its sunbeams do not go with the dusk that the plan brings
def test_a_plan_never_makes_the_prospect_worse(seed: int, valence: float, arousal: float) -> None:
    rng = random.Random(seed)
    scene, target = sample_scene(rng, None), Affect(valence, arousal)
    prompt, idle = describe(scene, rng, random_aspects(rng)), draft()
    best = most_promising([idle], prompt, reading_of(scene), target)
    assert best is not None
    before = prospect(scene, prompt, idle, target)
    assert before >= scene_affect(scene).affect().distance(target)
    assert prospect(scene, prompt, best, target) <= before + 1e-6
    assert all(edits for edits in planned(scene, prompt, target))


def test_elements_beside_a_change_are_named_so_that_they_stay() -> None:
    scene = replace(CALM, elements=("rainbow", "cottage"))
    read = reading_of(scene)
    winter = Edit("add", new="in winter")
    kept = kept_beside(PROMPT, read, (winter,))
    assert all(edit.keeps and edit.action == "add" for edit in kept)
    assert set(parse(apply_edits(PROMPT, kept)).elements) == {"rainbow", "cottage"}
    spoken = kept_beside(f"{PROMPT}, under a rainbow", read, (winter,))
    assert set(parse(", ".join(edit.new for edit in spoken)).elements) == {"cottage"}
    replaced = kept_beside(PROMPT, read, (Edit("add", new="under balloons"),))  # another thing in the sky
    assert set(parse(", ".join(edit.new for edit in replaced)).elements) == {"cottage"}
    undone = kept_beside(f"{PROMPT}, under a rainbow", read, (Edit("remove", old="under a rainbow"),))
    assert set(parse(", ".join(edit.new for edit in undone)).elements) == {"cottage"}


def test_trials_carry_what_is_kept_with_every_change_and_once_leave_it_out() -> None:
    change, other = Edit("add", new="in winter"), Edit("add", new="at night")
    kept = Edit("add", new="with a cottage", keeps=True)
    sets = list(trials_of(PROMPT, (change, other, kept)).values())
    assert sets == [(change, other, kept), (change, other), (change, kept), (other, kept)]
    assert list(trials_of(PROMPT, (change, kept)).values()) == [(change, kept), (change,)]
    assert list(trials_of(PROMPT, (change,)).values()) == [(change,)]
