"""Looking ahead: of several drafts of advice, the one whose edits should come closest to the target.

A small language model names what a picture shows far better than it weighs what to change. So its drafts are tried on
the scene as it reads it: the affect model of the scenes tells in a millisecond, without drawing, where each would lead
(best of n with a verifier, Cobbe et al. 2021, arXiv 2110.14168). Edits planned on that scene, one steepest change
after the other, stand as one draft more. The sentence is always the model's own.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from emofeedback.affect import Affect
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.records import Critique, Edit, Reading
from emofeedback.scenes.advice import MAX_EDITS, edits_for
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import parse
from emofeedback.scenes.edits import GROUPS, NEAR, steps_towards
from emofeedback.scenes.grammar import ELEMENTS, Scene, poseable
from emofeedback.scenes.lexicon import canonical_phrase
from emofeedback.scenes.outcomes import content_unchanged, edited_scene

EDIT_COST = 0.01  # V-A distance that one edit more must be worth
SURE = 0.5  # probability from which something seen is named to be kept
WRONG_COST = 0.1  # the same for a sentence that contradicts the judge's own reading
FAULTS = {
    "too tense": ("arousal", 1),
    "too calm": ("arousal", -1),
    "too pleasant": ("valence", 1),
    "too unpleasant": ("valence", -1),
}


def seen_scene(reading: Reading) -> Scene | None:
    """The scene that a reading names; None where it names no place, or parts that do not go together."""
    seen = {item.aspect: item.word for item in reading.seen}
    elements = tuple(e for e in ELEMENTS if e in {seen.get("sky"), seen.get("far"), seen.get("ground")})
    faces = poseable(seen.get("subject"), seen.get("companion"))
    try:
        return Scene(
            place=seen["place"],
            subject=seen.get("subject"),
            companion=seen.get("companion"),
            time=seen["time"],
            weather=seen["weather"],
            season=seen["season"],
            palette=seen.get("palette", "natural"),
            light=seen.get("light", "even"),
            elements=elements,
            layout=0,
            pose=seen.get("pose", "plain") if faces else "plain",
        )
    except (KeyError, ValueError):
        return None


def foreseen_distance(scene: Scene, prompt: str, critique: Critique, target: Affect) -> float:
    """How far from the target the edits of a critique should lead, V-A distance; infinite where they change the
    content or contradict themselves."""
    if not content_unchanged(prompt, critique.edits):
        return math.inf
    after = edited_scene(scene, prompt, critique.edits)
    return math.inf if after is None else scene_affect(after).affect().distance(target)


def contradicts(analysis: str, read: Affect, target: Affect) -> bool:
    """Whether a sentence names a fault that the reading does not have: "too calm" of what reads as too tense."""
    return any(
        re.search(rf"\b{words}\b", analysis) and sign * (getattr(read, axis) - getattr(target, axis)) < 0
        for words, (axis, sign) in FAULTS.items()
    )


def planned(scene: Scene, prompt: str, target: Affect) -> list[tuple[Edit, ...]]:
    """Edits by a plan: the most effective changes of the setting as edits of a prompt, one change, two, ..."""
    changes = steps_towards(scene, target, MAX_EDITS, NEAR)
    return [edits for n in range(1, len(changes) + 1) if (edits := edits_for(prompt, changes[:n]))]


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


def most_promising(
    drafts: Sequence[Critique], prompt: str, reading: Reading | None, target: Affect, plan: bool = True
) -> Critique | None:
    """The draft with the best prospect, the first of equals; the first where the picture's scene is not known.

    Args:
        plan: let planned edits compete; where they win, they stand in the place of a draft's.
    """
    scene = seen_scene(reading) if reading is not None else None
    if reading is None or scene is None or not drafts:
        return drafts[0] if drafts else None

    def cost(draft: Critique) -> float:
        away = foreseen_distance(scene, prompt, draft, target) + EDIT_COST * len(draft.edits)
        return away + WRONG_COST * contradicts(draft.analysis, reading.affect, target)

    best = min(drafts, key=cost)
    if plan:
        told = min(drafts, key=lambda draft: contradicts(draft.analysis, reading.affect, target))
        others = [replace(told, edits=edits) for edits in planned(scene, prompt, target)]
        best = min([best, *others], key=cost)
    if not best.edits:
        return best
    for kept in kept_beside(prompt, reading, best.edits):
        with_it = replace(best, edits=(*best.edits, kept))
        # what the edits have made impossible is not to be kept: sunbeams at dusk
        if math.isfinite(foreseen_distance(scene, prompt, with_it, target)):
            best = with_it
    return best
