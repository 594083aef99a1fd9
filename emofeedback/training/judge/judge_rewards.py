"""Rewards of a judge's replies, as pure functions of the reply and of what is known about the picture.

Multi-task as in EmoFeedback2's first stage (arXiv 2511.19982): valence and arousal right within a threshold and
graded by distance, a format that can be read, right answers about the content, and suggestions that move the
emotion. A suggestion is graded on the KNOWN scene of a render: its edits change the prompt's words, the words change
the scene, and the affect model says where that leads. No generator is needed, so a grade costs a millisecond.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emofeedback.affect import Affect
from emofeedback.records import Critique, Edit
from emofeedback.scenes.advice import CLOSE, carrier_noun
from emofeedback.scenes.affect_model import content_items, scene_affect, setting_items
from emofeedback.scenes.grammar import Scene
from emofeedback.scenes.outcomes import content_unchanged, edited_scene

WITHIN = 0.25  # V-A distance up to which a reading counts as right
FAR_OFF = 1.0  # V-A distance from which a reading earns nothing
GAIN = 0.1  # coming this much closer is what a suggestion is for
FAR = 0.3  # distance from which advice is asked to come closer, as in `evaluate advice`


def attributes_reward(named: Mapping[str, str] | None, true: Mapping[str, str]) -> float:
    """Share of the true attributes that are named rightly, in [0, 1]; 0 where nothing could be read."""
    if not named or not true:
        return 0.0
    return sum(named.get(aspect, "").strip().lower() == word for aspect, word in true.items()) / len(true)


@dataclass(frozen=True, slots=True)
class AdviceOutcome:
    """What a piece of advice would do to a known scene; distances on the scene scale.

    `after` is None where the edited words describe nothing possible.
    """

    before: float
    after: float | None
    kept: bool
    edits: int
    needless: int

    @property
    def gain(self) -> float:
        """How much closer the target comes; 0 where the advice leads nowhere."""
        return 0.0 if self.after is None else self.before - self.after

    @property
    def far(self) -> bool:
        """Whether there was anything to change."""
        return self.before >= CLOSE


def advice_outcome(scene: Scene, prompt: str, target: Affect, critique: Critique) -> AdviceOutcome:
    """Try advice on the scene that a picture shows.

    Args:
        scene: what the picture of `prompt` really shows.
        prompt: the words that drew it.
        critique: as the product reads it, so that only fitting edits are left.
    """
    before = scene_affect(scene).affect().distance(target)
    after = _distance(scene, prompt, target, critique.edits)
    needless = 0
    for k in range(len(critique.edits)):
        others = critique.edits[:k] + critique.edits[k + 1 :]
        without = _distance(scene, prompt, target, others)
        needless += after is not None and without is not None and without <= after + 1e-6
    return AdviceOutcome(before, after, content_unchanged(prompt, critique.edits), len(critique.edits), needless)


def move_reward(outcome: AdviceOutcome | None) -> float:
    """1 for coming GAIN closer, and up to 1 for the share of the way that is gone; away from the target below 0.

    Where the picture was close already, 1 - that is the right half of the scale - for leaving it so, and less for
    leading it away. An unreadable reply earns -.5: less than idle advice, more than harmful advice.
    """
    if outcome is None:
        return -0.5
    if not outcome.far:
        if outcome.edits == 0:
            return 1.0
        return 0.0 if outcome.after is None else max(-1.0, 0.5 + 2.0 * min(0.0, outcome.gain))
    share = max(-1.0, min(1.0, outcome.gain / outcome.before))
    return float(outcome.gain >= GAIN) + share


def keeping_reward(outcome: AdviceOutcome | None) -> float:
    """1 where place and subjects of the prompt stay and no edit is needless; lost content or no reply earns -1.

    Nothing is earned by keeping all where something had to change.
    """
    if outcome is None or not outcome.kept:
        return -1.0
    if outcome.far and outcome.edits == 0:
        return 0.0
    return 1.0 - 0.3 * outcome.needless


def _distance(scene: Scene, prompt: str, target: Affect, edits: Sequence[Edit]) -> float | None:
    changed = edited_scene(scene, prompt, edits) if edits else scene
    return None if changed is None else scene_affect(changed).affect().distance(target)


def explanation_reward(scene: Scene, target: Affect, critique: Critique) -> float:
    """Whether the words around the edits are true, in [0, 1]: half for the faults named, half for what carries them.

    A fault is "too tense", "too calm", "too pleasant" or "too unpleasant"; a carrier is anything that is in the scene.
    """
    now = scene_affect(scene).affect()
    gaps = {
        "too tense": now.arousal - target.arousal,
        "too calm": target.arousal - now.arousal,
        "too pleasant": now.valence - target.valence,
        "too unpleasant": target.valence - now.valence,
    }
    said = [gap for fault, gap in gaps.items() if fault in critique.analysis.lower()]
    close = now.distance(target) < CLOSE
    faults = float(close) if not said else sum(gap > 0 for gap in said) / len(said)
    shown = {carrier_noun(aspect, concept) for aspect, concept in content_items(scene) + setting_items(scene)}
    carried = sum(noun in shown for noun in critique.carries) / len(critique.carries) if critique.carries else 0.0
    return 0.5 * faults + 0.5 * carried


def label_reward(said: float | None, true: float) -> float:
    """Of one axis, in [0, 1]: half for a reading within the threshold, half graded by distance; 0 without a reading."""
    if said is None:
        return 0.0
    away = abs(said - true)
    return 0.5 * (away <= WITHIN) + 0.5 * max(0.0, 1.0 - away / FAR_OFF)
