"""The advice teacher: bounded, canonical, and its edits lead the prompt to the improved scene."""

import collections
import json
import random
import re
from collections.abc import Iterator

import numpy as np

from emofeedback.affect import Affect
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.records import Critique, Edit
from emofeedback.scenes.advice import CLOSE, MAX_EDITS, advise, carrier_noun, critique_to_json, edits_for
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import ASPECTS, describe, parse, random_aspects
from emofeedback.scenes.edits import carriers, changes, ordered_changes, worthy_plans
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.scenes.lexicon import UNSPOKEN


def random_target(rng: random.Random) -> Affect:
    return Affect(rng.uniform(-0.8, 0.8), rng.uniform(-0.8, 0.8))


def cases(count: int, seed: int) -> Iterator[tuple[Scene, Affect, str, random.Random]]:
    """Random scenes, targets (some of them near) and captions."""
    rng = random.Random(seed)
    for n in range(count):
        scene, target = sample_scene(rng, split=None), random_target(rng)
        if n % 4 == 0:
            now = scene_affect(scene)
            target = Affect.clamped(now.valence + rng.gauss(0, 0.15), now.arousal + rng.gauss(0, 0.15))
        yield scene, target, describe(scene, rng, random_aspects(rng)), rng


def test_edited_prompt_names_the_improved_scene() -> None:
    """An edit says its change: read again, the prompt names the new concept, and the same content as before."""
    for scene, target, prompt, rng in cases(80, 11):
        critique = advise(scene, prompt, target, rng)
        before, after = parse(prompt), parse(changed := apply_edits(prompt, critique.edits))
        assert (after.place, after.subjects) == (before.place, before.subjects), (prompt, changed)
        if critique.edits:
            assert changed != prompt
            planned = [
                other
                for other in worthy_plans(scene, target, (), MAX_EDITS)
                if critique.edits == edits_for(prompt, ordered_changes(scene, other, target))
            ]
            assert planned
            for change in changes(scene, planned[0]):
                key = ("elements" if change.aspect == "element" else change.aspect, change.new)
                said = change.new is not None and key not in UNSPOKEN
                assert not said or key in after.phrases, (prompt, critique.edits, changed)
        assert not re.search(r",,|  |, ?$|^,| ,|\b(a|an|the|and),|,and", changed), changed


def test_what_the_user_named_is_never_edited() -> None:
    """The user's own words stay; what an earlier round added may go again."""
    for scene, target, original, rng in cases(120, 5):
        prompt = f"{original}, in the rain" if parse(original).weather is None else original
        critique = advise(scene, prompt, target, rng, original=original)
        after = parse(apply_edits(prompt, critique.edits))
        for aspect, concept in parse(original).phrases:
            assert (aspect, concept) in after.phrases, (original, critique.edits)
        for edit in critique.edits:
            assert not edit.old or edit.old not in original or edit.old == "in the rain"


def test_the_next_plan_is_tried_where_the_first_changes_no_word() -> None:
    """The words ask for all that the best plan would change, but the picture does not show it."""
    found = 0
    for scene, target, _, rng in cases(60, 3):
        best = next(iter(worthy_plans(scene, target, (), MAX_EDITS)), None)
        if best is None or len(scene.elements) + len(best.elements) > 2:
            continue
        prompt = describe(best, rng)
        if apply_edits(prompt, edits_for(prompt, changes(scene, best))) == prompt:
            found += bool(advise(scene, prompt, target, rng).edits)
    assert found >= 5


def test_every_cause_pulls_where_the_sentence_says() -> None:
    """Never "too calm because of the tornado": each fault's causes have its sign on its axis."""
    sides = {
        "too pleasant": (2, 1),
        "too unpleasant": (2, -1),
        "too tense": (3, 1),
        "too calm": (3, -1),
    }
    clauses_seen = 0
    for scene, target, prompt, rng in cases(500, 1):
        now = scene_affect(scene)
        critique = advise(scene, prompt, target, rng)
        if "close to the target" in critique.analysis:
            continue
        pulls = collections.defaultdict(lambda: np.zeros(2))
        for aspect, concept, valence, arousal in carriers(scene):
            pulls[carrier_noun(aspect, concept)] += (valence, arousal)
        for clause in critique.analysis.rstrip(".").split(", and "):
            faults = re.findall(r"too \w+", clause)
            assert faults, critique.analysis
            named = [
                noun for noun in critique.carries if re.search(rf"(^| |The |the ){re.escape(noun)}\b", clause, re.I)
            ]
            for fault in faults:
                axis, sign = sides[fault]
                gap = (now.valence - target.valence, now.arousal - target.arousal)[axis - 2]
                assert gap * sign > 0, critique.analysis
                assert all(pulls[noun][axis - 2] * sign > 0 for noun in named), (critique.analysis, dict(pulls))
            clauses_seen += bool(named)
    assert clauses_seen > 400


def test_no_fault_is_called_close() -> None:
    """Close to the target and too calm (a little or not) is a contradiction."""
    closes = 0
    for scene, target, prompt, rng in cases(500, 2):
        critique = advise(scene, prompt, target, rng)
        near = scene_affect(scene).affect().distance(target) < CLOSE
        assert ("close to the target" in critique.analysis) == near
        assert ("too " in critique.analysis) != near
        assert not near or critique.edits == ()
        closes += near
    assert closes > 30


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
