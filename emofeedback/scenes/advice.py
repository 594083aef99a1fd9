"""The teacher of the judge's advice: for a known scene, what carries its emotion and which words to change.

Advice is computed from the affect model, so it exists only where the scene behind a picture is known; the judge
learns from it to advise on pixels. The wording is canonical and short, for a small model must learn to write it.
"""

import json
import random
from collections.abc import Sequence

from emofeedback.affect import Affect
from emofeedback.records import Critique, Edit
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import Mentions, parse
from emofeedback.scenes.edits import Change, carriers, steps_towards
from emofeedback.scenes.grammar import Scene
from emofeedback.scenes.lexicon import CARRIER_NOUNS, canonical_phrase

__all__ = ["CLOSE", "MAX_EDITS", "advise", "canonical_phrase", "carrier_noun", "critique_to_json", "edits_for"]

CLOSE = 0.15  # Euclidean distance on the plane below which nothing is changed
OFF = 0.12  # difference on one axis from which it is called a fault
MAX_EDITS = 3
MIN_PULL = 0.05  # share of a carrier (stretch units) along the fault, from which it is named
PLURAL_WORDS = frozenset(
    {
        "colours",
        "fireworks",
        "balloons",
        "sunbeams",
        "crows",
        "kites",
        "ruins",
        "graves",
        "trees",
        "lanterns",
        "flowers",
        "mountains",
    }
)
BARE = frozenset({"spring", "summer", "autumn", "winter", "dawn", "daylight", "dusk"})
TEMPLATES = ("{carriers} {make} it {fault}.", "It is {fault} because of {carriers}.")


def advise(scene: Scene, prompt: str, target: Affect, rng: random.Random) -> Critique:
    """Advice that moves a scene to a target: one sentence, what carries the emotion, at most MAX_EDITS prompt edits.

    Args:
        scene: what the picture shows.
        prompt: the words that drew it; where they name what has to change, the edits replace those very words.
        target: the wanted point, scene scale.
        rng: chooses the sentence's template, nothing else.
    """
    now = scene_affect(scene).affect()
    if now.distance(target) < CLOSE:
        kept = _pulling(scene, target.valence, target.arousal)
        return Critique("It is close to the target.", tuple(kept), ())
    gap = (now.valence - target.valence, now.arousal - target.arousal)
    named = _pulling(scene, *gap)
    wanted = steps_towards(scene, target, MAX_EDITS, CLOSE)
    return Critique(_analysis(named, *gap, rng), tuple(named), edits_for(prompt, wanted))


def edits_for(prompt: str, wanted: Sequence[Change]) -> tuple[Edit, ...]:
    """Changes of a scene as edits of the prompt, at most MAX_EDITS.

    What the prompt names is replaced (or removed, where the new concept is left unsaid); what it does not name is
    added; nothing is said about what was unsaid and stays so, nor about what the prompt names already.
    """
    mentions = parse(prompt)
    edits = [edit for change in wanted if (edit := _edit(change, mentions)) is not None]
    return tuple(edits[:MAX_EDITS])


def _edit(change: Change, mentions: Mentions) -> Edit | None:
    aspect = "elements" if change.aspect == "element" else change.aspect
    new = canonical_phrase(aspect, change.new) if change.new is not None else ""
    mentioned = change.old if aspect == "elements" else getattr(mentions, aspect)
    if (aspect, change.new) in mentions.phrases:
        new = ""
        if mentioned == change.new:
            return None
    old = mentions.phrases.get((aspect, mentioned), "") if mentioned is not None else ""
    if old and new:
        return Edit("replace", old=old, new=new)
    if old:
        return Edit("remove", old=old)
    return Edit("add", new=new) if new else None


def carrier_noun(aspect: str, concept: str) -> str:
    """The word for something depicted, without an article: "storm", "dim light", "wolf"."""
    return CARRIER_NOUNS.get(("elements" if aspect == "element" else aspect, concept), concept)


def _pulling(scene: Scene, valence: float, arousal: float) -> list[str]:
    """The nouns of the one or two carriers that pull the most along a direction of the plane."""
    length = max(1e-6, (valence**2 + arousal**2) ** 0.5)
    pulls = [((dv * valence + da * arousal) / length, carrier_noun(a, c)) for a, c, dv, da in carriers(scene)]
    best = sorted((pull for pull in pulls if pull[0] > MIN_PULL), key=lambda pull: -pull[0])[:2]
    return [noun for pull, noun in best if pull > best[0][0] / 3]


def _analysis(named: Sequence[str], valence_gap: float, arousal_gap: float, rng: random.Random) -> str:
    faults = []
    if abs(arousal_gap) >= OFF or abs(arousal_gap) > abs(valence_gap):
        faults.append((abs(arousal_gap), "too tense" if arousal_gap > 0 else "too calm"))
    if abs(valence_gap) >= OFF or abs(valence_gap) >= abs(arousal_gap):
        faults.append((abs(valence_gap), "too pleasant" if valence_gap > 0 else "too unpleasant"))
    fault = " and ".join(words for _, words in sorted(faults, reverse=True))
    if not named:
        return f"It is {fault}."
    nouns = " and ".join(noun if noun in BARE else f"the {noun}" for noun in named)
    plural = len(named) > 1 or named[0].split()[-1] in PLURAL_WORDS
    text = rng.choice(TEMPLATES).format(carriers=nouns, make="make" if plural else "makes", fault=fault)
    return text[0].upper() + text[1:]


def critique_to_json(critique: Critique) -> str:
    """The reply a judge is taught to write: one line of JSON with "analysis", "carries" and "edits"."""
    edits = []
    for edit in critique.edits:
        if edit.action == "replace":
            edits.append({"replace": edit.old, "with": edit.new})
        else:
            edits.append({edit.action: edit.new if edit.action == "add" else edit.old})
    reply = {"analysis": critique.analysis, "carries": list(critique.carries), "edits": edits}
    return json.dumps(reply, ensure_ascii=False)
