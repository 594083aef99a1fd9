"""The teacher of the judge's advice: for a known scene, what carries its emotion and which words to change.

Advice is computed from the affect model, so it exists only where the scene behind a picture is known; the judge
learns from it to advise on pixels. The wording is canonical and short, for a small model must learn to write it.

Each fault has carriers of its own: what is named as the cause of "too tense" pulls towards excitement, by the model.
"""

import json
import random
from collections.abc import Sequence

from emofeedback.affect import Affect
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.records import Critique, Edit
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import Mentions, parse
from emofeedback.scenes.contradictions import contradicted
from emofeedback.scenes.edits import Change, Named, carriers, ordered_changes, worthy_plans
from emofeedback.scenes.grammar import INDOOR_PLACES, Scene
from emofeedback.scenes.lexicon import CARRIER_NOUNS, canonical_phrase

__all__ = ["CLOSE", "MAX_EDITS", "advise", "canonical_phrase", "carrier_noun", "critique_to_json", "edits_for"]

CLOSE = 0.15  # Euclidean distance on the plane below which nothing is changed
OFF = 0.12  # difference on one axis from which it is called a fault
MAX_EDITS = 3
MIN_PULL = 0.05  # share of a carrier (artanh scale) along the fault, from which it is named
MAX_CARRIERS = 2
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
        "sparks",
        "clouds",
        "leaves",
        "candles",
        "children",
        "arms",
        "eyes",
    }
)
BARE = frozenset({"spring", "summer", "autumn", "winter", "dawn", "daylight", "dusk", "confetti", "surf"})
TEMPLATES = ("{carriers} {make} it {fault}", "it is {fault} because of {carriers}")
FAULTS = {  # axis -> what is said where the picture lies above the target, and where it lies below
    "valence": ("too pleasant", "too unpleasant"),
    "arousal": ("too tense", "too calm"),
}


def named_by(original: str | None) -> Named:
    """What a prompt names, as the search wants to have it: (aspect, concept) of each; nothing where there is none."""
    return () if original is None else tuple(parse(original).phrases)


def barred_by(original: str | None) -> Named:
    """What must not come into a picture of a prompt, as the search wants to have it; nothing where there is none."""
    return () if original is None else contradicted(original)


def advise(scene: Scene, prompt: str, target: Affect, rng: random.Random, *, original: str | None = None) -> Critique:
    """Advice that moves a scene to a target: one sentence, what carries the emotion, at most MAX_EDITS prompt edits.

    Args:
        scene: what the picture shows.
        prompt: the words that drew it; where they name what has to change, the edits replace those very words.
        target: the wanted point, the viewer's scale.
        rng: chooses the sentence's template, nothing else.
        original: the user's own words, whose setting is not changed; None = all words may change.
    """
    now = scene_affect(scene).affect()
    if now.distance(target) < CLOSE:
        kept = [noun for axis in FAULTS for noun in _pulling(scene, axis, getattr(target, axis))[:1]]
        return Critique("It is close to the target.", tuple(dict.fromkeys(kept)), ())
    gaps = {axis: getattr(now, axis) - getattr(target, axis) for axis in FAULTS}
    most = max(gaps, key=lambda axis: abs(gaps[axis]))
    faults = sorted((a for a in gaps if a == most or abs(gaps[a]) >= OFF), key=lambda axis: -abs(gaps[axis]))
    causes = {axis: _pulling(scene, axis, gaps[axis])[: MAX_CARRIERS if len(faults) == 1 else 1] for axis in faults}
    named = tuple(dict.fromkeys(noun for nouns in causes.values() for noun in nouns))
    edits = planned_edits(scene, prompt, target, named_by(original), barred_by(original))
    return Critique(_analysis(causes, gaps, rng), named, edits)


def planned_edits(scene: Scene, prompt: str, target: Affect, fixed: Named = (), barred: Named = ()) -> tuple[Edit, ...]:
    """The edits of the best plan that changes a word of the prompt; none where no plan is worth it.

    A plan may change no word: where the picture does not show what its words ask for already.
    """
    for after in worthy_plans(scene, target, fixed, MAX_EDITS, barred):
        edits = edits_for(prompt, ordered_changes(scene, after, target))
        if apply_edits(prompt, edits) != prompt:
            return edits
    return ()


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
    room = mentions.place in INDOOR_PLACES
    new = canonical_phrase(aspect, change.new, room) if change.new is not None else ""
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


def _pulling(scene: Scene, axis: str, direction: float) -> list[str]:
    """The nouns of the carriers that pull the most along an axis, towards the sign of `direction`.

    Those with less than a third of the strongest pull are not among them.
    """
    sign = 1.0 if direction > 0 else -1.0
    pulls: dict[str, float] = {}
    for aspect, concept, valence, arousal in carriers(scene):
        noun = carrier_noun(aspect, concept)
        pulls[noun] = pulls.get(noun, 0.0) + sign * (valence if axis == "valence" else arousal)
    best = sorted((noun for noun in pulls if pulls[noun] > MIN_PULL), key=lambda noun: -pulls[noun])
    return [noun for noun in best if pulls[noun] > pulls[best[0]] / 3]


def _analysis(causes: dict[str, list[str]], gaps: dict[str, float], rng: random.Random) -> str:
    """The sentence: each fault with its own cause; those that share one, or have none, together."""
    template = rng.choice(TEMPLATES)
    by_cause: dict[tuple[str, ...], list[str]] = {}
    for axis, nouns in causes.items():
        by_cause.setdefault(tuple(nouns), []).append(FAULTS[axis][0 if gaps[axis] > 0 else 1])
    clauses = []
    for cause, faults in by_cause.items():
        fault = " and ".join(faults)
        if not cause:
            clauses.append(f"it is {fault}")
            continue
        words = " and ".join(noun if noun in BARE else f"the {noun}" for noun in cause)
        plural = len(cause) > 1 or cause[0].split()[-1] in PLURAL_WORDS
        clauses.append(template.format(carriers=words, make="make" if plural else "makes", fault=fault))
    text = ", and ".join(clauses)
    return text[0].upper() + text[1:] + "."


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
