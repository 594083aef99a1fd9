"""What a picture of a mood does not show, though the sum of its parts would come out right.

A viewer adds up what a picture shows, and yet notices the one thing that speaks against the rest: a smile in a storm, a
sleeper at a funeral, a fair in the rain. Such parts are left out of what is planned, as is light in which hardly
anything can be made out.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.scenes.affect_model import load_effects
from emofeedback.scenes.contradictions import Key
from emofeedback.scenes.edits import SettingTable, shows
from emofeedback.scenes.grammar import ELEMENTS, POSES

FELT = 0.3
"""From this coordinate on a mood has a side: pleasant or unpleasant, excited or calm."""
MARKED = 0.4
"""From this coordinate on faces show it."""
LIMITS = {
    "element": (0.05, 0.13),
    "weather": (0.055, 0.2),
    "palette": (0.035, 1.0),
    "light": (0.1, 1.0),
    "time": (0.08, 1.0),
}
"""Effects of valence and arousal (`affect_model`) up to which a thing of an aspect may point to the other side."""
JARRING = 0.06
"""Effect on valence from which an element jars with a mood of the other side."""
PERILOUS: frozenset[Key] = frozenset({("elements", "stampede")})
"""What excites and is no fun, whatever its effects sum up to."""
UNREADABLE = (
    {"light": ("dim",), "time": ("dusk", "night")},
    {"light": ("dim",), "weather": ("fog", "thunderstorm")},
    {"light": ("bright",), "weather": ("fog", "snow")},
    {"time": ("night",), "weather": ("overcast", "rain", "fog")},
    {"time": ("dusk",), "weather": ("fog",)},
    {"season": ("winter",), "weather": ("fog",)},
    {"time": ("night",), "palette": ("muted",)},
    {"light": ("dim",), "palette": ("muted",)},
    {"weather": ("fog",), "palette": ("muted",)},
)
"""Settings of which nothing is left but dark or white; each is all of its aspects at once."""


@lru_cache(maxsize=1024)
def against(target: Affect, living: bool = True, unfit: frozenset[Key] = frozenset()) -> frozenset[Key]:
    """(aspect, concept) of all that speaks against a mood; "elements" for an element, as `Mentions.phrases` has it.

    Args:
        living: somebody in the picture has a face, so that a pose can be seen.
        unfit: what the picture cannot show for other reasons.
    """
    sides = [0 if abs(x) < FELT else 1 if x > 0 else -1 for x in (target.valence, target.arousal)]
    found = {("pose", pose) for pose in _poses_against(target)} if living else set()
    if living and target.arousal <= -MARKED and ("pose", "asleep") not in found | unfit:
        found |= {("pose", "plain"), ("pose", "smiling")}  # who can be asleep is
    if {("pose", pose) for pose in POSES} <= found | unfit:
        found.discard(("pose", "plain"))
    for (aspect, concept), effect in load_effects().items.items():
        if aspect in LIMITS and any(
            side * part < -limit for side, part, limit in zip(sides, effect, LIMITS[aspect], strict=True)
        ):
            found.add(("elements" if aspect == "element" else aspect, concept))
    if target.valence >= FELT:
        found |= PERILOUS
    return frozenset(found)


@lru_cache(maxsize=1024)
def jarring(target: Affect) -> frozenset[Key]:
    """(aspect, concept) of the elements that are never put into a mood, however far its target: a cat that sleeps in a
    gloomy street only mixes the message."""
    side = 0 if abs(target.valence) < FELT else 1 if target.valence > 0 else -1
    effects = load_effects().items
    return frozenset(("elements", e) for e in ELEMENTS if side * effects["element", e][0] < -JARRING)


def readable(table: SettingTable) -> NDArray[np.bool_]:
    """(B,) which settings leave something to be made out."""
    clear = np.ones(len(table.bases), bool)
    for setting in UNREADABLE:
        clear &= ~np.all([shows(table, aspect, concepts) for aspect, concepts in setting.items()], axis=0)
    return clear


def _poses_against(target: Affect) -> set[str]:
    """A face at rest smiles a little, and who sleeps has no sorrow."""
    poses = set()
    if target.valence <= -FELT:
        poses |= {"smiling", "cheering"} | ({"plain", "asleep"} if target.valence <= -MARKED else set())
    if target.valence >= FELT:
        poses |= {"downcast", "alarmed"} | ({"plain"} if min(target.valence, target.arousal) >= MARKED else set())
    if target.arousal >= FELT:
        poses.add("asleep")
    if target.arousal <= -FELT:
        poses |= {"cheering", "alarmed"}
    return poses
