"""The advice teacher: bounded, canonical, and its edits lead the prompt to the improved scene."""

import json
import random
import re

from emofeedback.affect import Affect
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.records import Critique, Edit
from emofeedback.scenes.advice import CLOSE, MAX_EDITS, advise, critique_to_json
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import ASPECTS, describe, parse, random_aspects, vocabulary
from emofeedback.scenes.edits import apply_changes, steps_towards
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.scenes.lexicon import UNSPOKEN


def random_target(rng: random.Random) -> Affect:
    return Affect(rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8))


def test_edited_prompt_names_the_improved_scene() -> None:
    rng = random.Random(11)
    for _ in range(60):
        scene, target = sample_scene(rng, split=None), random_target(rng)
        prompt = describe(scene, rng, aspects := random_aspects(rng))
        critique = advise(scene, prompt, target, rng)
        if not critique.edits:
            continue
        steps = steps_towards(scene, target, MAX_EDITS, CLOSE)
        better = apply_changes(scene, steps)
        after = apply_edits(prompt, critique.edits)
        read, changed = parse(after), {change.aspect for change in steps}
        assert (read.place, *read.subjects) == scene.content(), (prompt, after)
        for aspect in ASPECTS[:-1]:
            concept = getattr(better, aspect)
            said = (aspect in aspects or aspect in changed) and (aspect, concept) not in UNSPOKEN
            assert getattr(read, aspect) == (concept if said else None), (prompt, critique.edits, after)
        known = scene.elements if "elements" in aspects else ()
        new = set(better.elements) - set(scene.elements)
        assert set(read.elements) == (set(known) & set(better.elements)) | new, (prompt, critique.edits, after)
        assert set(re.findall(r"\w+", after)) <= vocabulary()
        assert not re.search(r",,|  |, ?$|^,| ,|\b(a|an|the|and),|,and", after), after


def test_replies_are_short_json_with_bounded_edits() -> None:
    rng = random.Random(2)
    for _ in range(60):
        scene, target = sample_scene(rng), random_target(rng)
        critique = advise(scene, describe(scene, rng, random_aspects(rng)), target, rng)
        assert len(critique.edits) <= MAX_EDITS and len(critique.carries) <= 2
        reply = critique_to_json(critique)
        assert len(re.findall(r"\w+", reply)) <= 70
        assert set(json.loads(reply)) == {"analysis", "carries", "edits"}
        assert all(carrier in critique.analysis.lower() or "close" in critique.analysis for carrier in critique.carries)


def test_a_scene_at_its_target_is_left_alone() -> None:
    scene = sample_scene(random.Random(4))
    critique = advise(scene, "a cat", scene_affect(scene).affect(), random.Random(0))
    assert critique.edits == () and "close" in critique.analysis
    assert CLOSE == 0.15


def test_faults_name_the_side_of_the_target() -> None:
    scene = Scene("road", "car", None, "night", "thunderstorm", "winter", "muted", "dim", ("tornado", "wreck"))
    critique = advise(scene, "a car on a road", Affect(0.8, -0.8), random.Random(0))
    assert "too tense" in critique.analysis and "too unpleasant" in critique.analysis
    assert set(critique.carries) <= {"storm", "tornado", "wreck"}
    assert all(edit.action == "add" for edit in critique.edits)  # the prompt names none of it


def test_a_prompt_that_names_another_value_is_replaced_not_doubled() -> None:
    """A picture may not show what its words asked for; the edit must still not leave two hours in one prompt."""
    rng = random.Random(6)
    for _ in range(40):
        scene, target = sample_scene(rng), random_target(rng)
        prompt = "a cat, at midnight, in a gale, in autumn"
        after = apply_edits(prompt, advise(scene, prompt, target, rng).edits)
        named = [aspect for aspect, _ in parse(after).phrases if aspect in ASPECTS[:-1]]
        assert len(named) == len(set(named)), after


def test_json_form() -> None:
    critique = Critique(
        "It is too calm.", ("fog",), (Edit("replace", "at night", "at dawn"), Edit("add", new="x"), Edit("remove", "y"))
    )
    assert critique_to_json(critique) == (
        '{"analysis": "It is too calm.", "carries": ["fog"], "edits": '
        '[{"replace": "at night", "with": "at dawn"}, {"add": "x"}, {"remove": "y"}]}'
    )
