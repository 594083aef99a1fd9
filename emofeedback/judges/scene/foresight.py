"""Looking ahead: of several drafts of advice, the one whose edits should come closest to the target.

A small language model names what a picture shows far better than it weighs what to change. So its drafts are tried on
the scene as it reads it: the affect model of the scenes tells in a millisecond, without drawing, where each would lead
(best of n with a verifier, Cobbe et al. 2021, arXiv 2110.14168). Plans made on that scene stand as drafts beside them.
Every draft is completed first with what shall stay, then the least cost counts; the sentence is always the model's own.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from emofeedback.affect import Affect
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.records import Critique, Edit, Reading
from emofeedback.scenes.advice import MAX_EDITS, barred_by, edits_for, named_by
from emofeedback.scenes.affect_model import mixed_probability, scene_affect
from emofeedback.scenes.captions import parse
from emofeedback.scenes.composition import misplaced
from emofeedback.scenes.edits import GROUPS, NEAR, Named, ordered_changes, outside, plans
from emofeedback.scenes.grammar import ELEMENTS, Scene, poseable
from emofeedback.scenes.lexicon import canonical_phrase
from emofeedback.scenes.moods import against
from emofeedback.scenes.outcomes import content_unchanged, edited_scene, violates

PLANS = 3  # that compete with the model's drafts
EDIT_COST = 0.01  # V-A distance that one edit more must be worth
MIXED_COST = 0.1  # the same for a scene that surely sends contradictory messages
ODD_COST = 0.1  # the same for an edit that brings in what speaks against the mood
WRONG_COST = 0.1  # the same for a sentence that contradicts the reading, or explains by what is not there
SURE = 0.5  # probability from which something seen is named to be kept
FAULTS = {
    "too tense": ("arousal", 1),
    "too calm": ("arousal", -1),
    "too pleasant": ("valence", 1),
    "too unpleasant": ("valence", -1),
}


def seen_scene(reading: Reading, prompt: str = "") -> Scene | None:
    """The scene that a reading names; None where it names no place, or parts that do not go together.

    Two subjects stand in the order of the prompt, where it names them: a picture has no order of its own, but the
    affect model weighs a companion less. Their kinds are those of the prompt: a reading names none.
    """
    seen = {item.aspect: item.word for item in reading.seen}
    elements = tuple(e for e in ELEMENTS if e in {seen.get("sky"), seen.get("far"), seen.get("ground")})
    pair = (seen.get("subject"), seen.get("companion"))
    said = parse(prompt)
    turned = pair[1] is not None and pair[1] in said.subjects[:1]
    for subject, companion in ((pair[1], pair[0]), pair) if turned else (pair,):
        faces = poseable(subject, companion)
        try:
            return Scene(
                place=seen["place"],
                subject=subject,
                companion=companion,
                time=seen["time"],
                weather=seen["weather"],
                season=seen["season"],
                palette=seen.get("palette", "natural"),
                light=seen.get("light", "even"),
                elements=elements,
                layout=0,
                pose=seen.get("pose", "plain") if faces else "plain",
                colour=seen.get("colour") if subject else None,
                size=seen.get("size") if subject else None,
                count=int(seen.get("count", 1)) if subject else 1,
                kind=said.kinds.get(subject or ""),
                companion_kind=said.kinds.get(companion or ""),
            )
        except (KeyError, ValueError):
            continue
    return None


def foreseen_scene(scene: Scene, prompt: str, edits: Sequence[Edit], original: str | None = None) -> Scene | None:
    """The scene that the edits should lead to; None where they change the content or contradict themselves.

    Args:
        original: the user's own words, which edits must leave; None = not known.
    """
    if not edits:
        return scene
    if not content_unchanged(prompt, edits):
        return None
    if original is not None and violates(original, apply_edits(prompt, edits)):
        return None
    return edited_scene(scene, prompt, edits)


def foreseen_distance(
    scene: Scene, prompt: str, critique: Critique, target: Affect, original: str | None = None
) -> float:
    """How far from the target the edits of a critique should lead, V-A distance; infinite where they lead nowhere."""
    after = foreseen_scene(scene, prompt, critique.edits, original)
    return math.inf if after is None else scene_affect(after).affect().distance(target)


def prospect(scene: Scene, prompt: str, critique: Critique, target: Affect, original: str | None = None) -> float:
    """The cost of a critique's edits, in V-A distance: where they lead, how mixed and odd that is, how much changes.

    What is only named to stay is no change. Infinite where the edits lead nowhere.
    """
    after = foreseen_scene(scene, prompt, critique.edits, original)
    if after is None:
        return math.inf
    changed = sum(not edit.keeps for edit in critique.edits)
    odd = sum(_odd(edit, scene, target) for edit in critique.edits)
    away = scene_affect(after).affect().distance(target)
    return away + MIXED_COST * mixed_probability(after) + EDIT_COST * changed + ODD_COST * odd


def _odd(edit: Edit, scene: Scene, target: Affect) -> bool:
    """Whether it brings in what speaks against the mood of the target, or into a scene what does not belong there."""
    odd = against(target) | misplaced(scene)
    return not odd.isdisjoint(parse(edit.new).phrases) if edit.new else False


def contradicts(analysis: str, read: Affect, target: Affect) -> bool:
    """Whether a sentence names a fault that the reading does not have: "too calm" of what reads as too tense."""
    return any(
        re.search(rf"\b{words}\b", analysis) and sign * (getattr(read, axis) - getattr(target, axis)) < 0
        for words, (axis, sign) in FAULTS.items()
    )


def ungrounded(analysis: str, reading: Reading, prompt: str) -> bool:
    """Whether a sentence explains by a thing that neither the reading nor the prompt names: "the truck" of a lake."""
    there = {seen.word for seen in reading.seen} | {concept for _, concept in parse(prompt).phrases}
    return any(
        aspect in ("subject", "elements", "place") and concept not in there
        for aspect, concept in parse(analysis).phrases
    )


def planned(
    scene: Scene, prompt: str, target: Affect, original: str | None = None, known: Named | None = None
) -> list[tuple[Edit, ...]]:
    """Edits by the best few plans: of each the most effective change of the setting, the first two, ...

    What speaks against the mood of the target, or does not belong there, is not brought in, but where there is no other
    way.

    Args:
        known: the concepts that plans may bring in; None = the whole grammar.
    """
    found: dict[tuple[Edit, ...], None] = {}
    barred = frozenset({*barred_by(original), *outside(known)})
    odd = misplaced(scene) - set(parse(original or "").phrases)
    for out in (barred | odd | against(target, poseable(scene.subject, scene.companion), barred | odd), barred):
        for after in plans(scene, target, named_by(original), MAX_EDITS, PLANS, NEAR, out):
            changed = ordered_changes(scene, after, target)
            for n in range(1, len(changed) + 1):
                edits = edits_for(prompt, changed[:n])
                if edits and apply_edits(prompt, edits) != prompt:
                    found.setdefault(edits)
        if found:
            break
    return list(found)


def kept_beside(prompt: str, reading: Reading, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Additions that name the secondary elements a picture shows and neither its prompt nor the edits speak of.

    Left unsaid they are drawn anew when the words change; they carry much of the emotion.
    """
    after, undone = parse(apply_edits(prompt, edits)), parse(", ".join(edit.old for edit in edits if edit.old))
    spoken = {*after.elements, *undone.elements}
    kept = []
    for seen in reading.seen:
        group = next((group for group in GROUPS if seen.word in group), None)
        if group is not None and seen.probability >= SURE and not spoken & set(group):
            kept.append(Edit("add", new=canonical_phrase("elements", seen.word), keeps=True))
    return tuple(kept)


def completed(
    scene: Scene, prompt: str, reading: Reading, critique: Critique, target: Affect, original: str | None = None
) -> Critique:
    """A critique with what shall stay named beside its changes, as far as both go together (no sunbeams at dusk)."""
    if not critique.edits:
        return critique
    for kept in kept_beside(prompt, reading, critique.edits):
        edits = (*critique.edits, kept)
        if not _odd(kept, scene, target) and foreseen_scene(scene, prompt, edits, original) is not None:
            critique = replace(critique, edits=edits)
    return critique


def most_promising(
    drafts: Sequence[Critique],
    prompt: str,
    reading: Reading | None,
    target: Affect,
    plan: bool = True,
    original: str | None = None,
    known: Named | None = None,
) -> Critique | None:
    """The draft with the best prospect, the first of equals; the first where the picture's scene is not known.

    Args:
        plan: let planned edits compete; where they win, they stand in the place of a draft's.
        original: the user's own words; drafts that take one away, replace or contradict it do not count.
        known: the concepts that plans may bring in; None = the whole grammar.
    """
    scene = seen_scene(reading, prompt) if reading is not None else None
    if reading is None or scene is None or not drafts:
        return drafts[0] if drafts else None

    def wrong(draft: Critique) -> int:
        return contradicts(draft.analysis, reading.affect, target) + ungrounded(draft.analysis, reading, prompt)

    def cost(draft: Critique) -> float:
        return prospect(scene, prompt, draft, target, original) + WRONG_COST * wrong(draft)

    told = min(drafts, key=wrong)
    options = list(drafts)
    if plan:
        options += [replace(told, edits=edits) for edits in planned(scene, prompt, target, original, known)]
    best = min((completed(scene, prompt, reading, option, target, original) for option in options), key=cost)
    return best if math.isfinite(cost(best)) else replace(told, edits=())
