"""Valence and arousal as words for models without an emotion adapter: what is seen, never the bare emotion word.

Phrases for light, weather, colour, setting and gesture lie in emotion_words.json at the mean of published norms that
the package ships (`scenes/norms.csv`; gestures have none and are set by us). For each role the phrase nearest to the
target is taken; strength says how many roles speak and how far from neutral they aim. A role that the prompt has
settled itself stays silent, so the content is kept. The result depends on the arguments alone.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from emofeedback.affect import Affect, from_scale
from emofeedback.scenes.norms import load_norms

PER_STRENGTH = 3
"""Roles that speak at strength 1."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase and where it lies, in [-1, 1] after each axis was stretched to the span of all phrases."""

    role: str
    text: str
    valence: float
    arousal: float
    sky: str | None = None

    def distance(self, valence: float, arousal: float) -> float:
        """Euclidean, to a target in [-1, 1]."""
        return math.hypot(self.valence - valence, self.arousal - arousal)


@dataclass(frozen=True, slots=True)
class Role:
    """One way to carry a mood: words of a prompt that settle it, words that it needs, its phrases."""

    name: str
    named: frozenset[str]
    needs: frozenset[str]
    phrases: tuple[Phrase, ...]

    def speaks(self, prompt: str) -> bool:
        """Whether a prompt leaves this role open."""
        words = f" {' '.join(re.findall(r'[a-z]+', prompt.lower()))} "
        if any(f" {word} " in words for word in self.named):
            return False
        return not self.needs or any(f" {word} " in words for word in self.needs)


def with_emotion_words(prompt: str, affect: Affect, strength: float = 1.0) -> str:
    """The prompt, followed by phrases that carry the emotion; as it is at strength 0."""
    phrases = [phrase.text for phrase in emotion_phrases(prompt, affect, strength)]
    return ", ".join([prompt.strip().rstrip(".,;"), *phrases] if prompt.strip() else phrases) if phrases else prompt


def emotion_phrases(prompt: str, affect: Affect, strength: float = 1.0) -> tuple[Phrase, ...]:
    """The phrases that are added to a prompt, the nearest to the target first.

    Args:
        strength: 0 or more; 1 = three roles at the target, 1/3 = one role, near neutral; beyond 1 more roles, and
            farther out.
    """
    count = math.ceil(round(PER_STRENGTH * strength, 9))
    aim = Affect.clamped(affect.valence * min(strength, 2.0), affect.arousal * min(strength, 2.0))
    chosen: list[Phrase] = []
    for phrase in _by_distance(prompt, aim):
        if len(chosen) >= count:
            break
        skies = {other.sky for other in chosen if other.sky}
        if phrase.role not in {other.role for other in chosen} and (phrase.sky is None or skies <= {phrase.sky}):
            chosen.append(phrase)
    return tuple(chosen)


def _by_distance(prompt: str, aim: Affect) -> Iterator[Phrase]:
    open_roles = [role for role in load_roles() if role.speaks(prompt)]
    phrases = [phrase for role in open_roles for phrase in role.phrases]
    yield from sorted(phrases, key=lambda phrase: (phrase.distance(aim.valence, aim.arousal), phrase.text))


@cache
def load_roles() -> tuple[Role, ...]:
    """The shipped roles and phrases; read once per process."""
    text = (
        resources.files("emofeedback.generators.pipelines").joinpath("emotion_words.json").read_text(encoding="utf-8")
    )
    roles = json.loads(text)["roles"]
    points = {(role, entry["text"]): _point(entry) for role, content in roles.items() for entry in content["phrases"]}
    spans = []
    for axis in (0, 1):
        values = [point[axis] for point in points.values()]
        spans.append(((max(values) + min(values)) / 2, (max(values) - min(values)) / 2))

    def phrase(role: str, entry: dict[str, str]) -> Phrase:
        stretched = [
            (value - middle) / half for value, (middle, half) in zip(points[role, entry["text"]], spans, strict=True)
        ]
        return Phrase(role, entry["text"], stretched[0], stretched[1], entry.get("sky"))

    return tuple(
        Role(
            name,
            frozenset(content.get("named", ())),
            frozenset(content.get("needs", ())),
            tuple(phrase(name, entry) for entry in content["phrases"]),
        )
        for name, content in roles.items()
    )


def _point(entry: dict[str, list]) -> tuple[float, float]:  # type: ignore[type-arg]
    """Mean valence and arousal of the norms that an entry names, or what is set for it, in [-1, 1]."""
    if "set" in entry:
        valence, arousal = entry["set"]
        return from_scale(valence, 1, 9), from_scale(arousal, 1, 9)
    norms = [load_norms()[tuple(name.split("/"))] for name in entry["norms"]]  # type: ignore[index]
    return sum(n.valence for n in norms) / len(norms), sum(n.arousal for n in norms) / len(norms)
