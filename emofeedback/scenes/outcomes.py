"""What a scene becomes when the words that drew it are edited: advice tried without drawing anything.

Also what a prompt of the user's names: those words are content, whatever aspect they are of, and edits leave them.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import combinations, product

from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.records import Edit
from emofeedback.scenes.captions import Mentions, parse
from emofeedback.scenes.contradictions import contradicted
from emofeedback.scenes.edits import GROUPS
from emofeedback.scenes.grammar import (
    ELEMENTS,
    MAX_ELEMENTS,
    SEASONS,
    TIMES,
    WEATHERS,
    Scene,
    elements_possible,
    poseable,
    setting_possible,
)
from emofeedback.scenes.reading import content_unknown, plain_words, read

UNSPOKEN_LOOK = {"palette": "natural", "light": "even", "pose": "plain"}
"""What is drawn where the words are taken away."""
SETTING = ("time", "weather", "season", "palette", "light", "pose")
LOOKS = ("colour", "size", "count")
"""How the first subject looks; content like the subject itself."""


def content_shown(
    prompt: str,
    places: Collection[str],
    subjects: Collection[str],
    known_places: Collection[str],
    known_subjects: Collection[str],
) -> bool | None:
    """Whether the place and the subjects that a prompt names are among those that are seen.

    False where one is missed that could have been named. None where that cannot be told: the prompt names nothing, or
    something that the world or the reader has no word for, which nobody has seen.

    Args:
        places, subjects: what was seen.
        known_places, known_subjects: what the reader could have named.
    """
    said = parse(prompt)
    named_here = [(said.place, places, known_places)] if said.place is not None else []
    named_here += [(subject, subjects, known_subjects) for subject in said.subjects]
    if any(concept in known and concept not in seen for concept, seen, known in named_here):
        return False
    if not named_here or content_unknown(prompt) or any(concept not in seen for concept, seen, _ in named_here):
        return None
    return True


def content_unchanged(prompt: str, edits: Sequence[Edit]) -> bool:
    """Whether the edits leave the place and the subjects that the prompt names, and bring in no other."""
    before, after = parse(prompt), parse(apply_edits(prompt, edits))
    if any(getattr(before, look) != getattr(after, look) for look in LOOKS):
        return False
    return before.place == after.place and set(before.subjects) == set(after.subjects)


# ---------------------------------------------------------------- the user's words


def named(prompt: str) -> dict[tuple[str, str], str]:
    """(aspect, concept) -> the words for it, for everything that a prompt names.

    Aspects are those of Mentions.phrases; colour, size and number of the first subject come with the subject's words.
    """
    mentions = parse(prompt)
    found = dict(mentions.phrases)
    for look in LOOKS:
        concept = getattr(mentions, look)
        if concept is not None and mentions.subjects:
            found[look, str(concept)] = found["subject", mentions.subjects[0]]
    return found


@lru_cache(maxsize=1024)
def protected(original: str) -> frozenset[tuple[str, str]]:
    """What a user's prompt names, and advice must neither take away nor replace nor contradict."""
    return frozenset(named(original))


def violates(original: str, edited: str) -> bool:
    """Whether an edited prompt takes away, replaces or contradicts what the user's original prompt names.

    It does if a word of the original is gone; if something named or its look is named no more; if there is another
    value for an aspect that the original sets, or another subject or place; if what the original rules out is named
    (see `contradicted`); or if what was added cannot be seen together with what was there.
    """
    before, after = parse(original), parse(edited)
    kept = protected(original)
    said = frozenset(named(edited))
    if not _words(original) <= _words(edited) or not kept <= said:
        return True
    fresh = said - kept
    if fresh & contradicted(original):
        return True
    taken = {aspect for aspect, _ in kept}
    if any(aspect in taken or (aspect in ("subject", *LOOKS) and kept) for aspect, _ in fresh if aspect != "elements"):
        return True
    added = tuple(element for element in after.elements if element not in before.elements)
    if not fresh:
        return False
    together = [(a, b) for a in added for b in before.elements]
    if any(a in group and b in group for a, b in together for group in GROUPS):
        return True
    if added and len(after.elements) > MAX_ELEMENTS:
        return True
    return not _visible(after) and _visible(before)


def _words(text: str) -> Counter[str]:
    """The words of a text that say something, each as often as it stands there."""
    return Counter(word for word in read(text).words if word[0].isalnum() and word not in plain_words())


def _visible(said: Mentions) -> bool:
    """Whether all that is named can be seen together at some time, weather and season."""
    if any(sum(e in group for e in said.elements) > 1 for group in GROUPS):
        return False
    if said.place is not None and not elements_possible(said.place, said.elements):
        return False
    if said.pose is not None and said.subjects and not any(poseable(subject) for subject in said.subjects):
        return False
    options = [
        (said.time,) if said.time else TIMES,
        (said.weather,) if said.weather else WEATHERS,
        (said.season,) if said.season else SEASONS,
    ]
    return any(setting_possible(time, weather, season, said.elements) for time, weather, season in product(*options))


# ---------------------------------------------------------------- the scene after the edits


def edited_scene(scene: Scene, prompt: str, edits: Sequence[Edit]) -> Scene | None:
    """The scene that a picture of `prompt` becomes when the prompt is edited; None = the words contradict themselves.

    What the edits newly name is drawn; what they take away goes (palette, light and pose back to the plain ones, a
    time, weather or season stays as it was); all that the words do not touch stays, unless it has become impossible.
    """
    before, after = parse(prompt), parse(apply_edits(prompt, edits))
    if any(sum(e in group for e in after.elements) > 1 for group in GROUPS):
        return None
    fields: dict[str, str] = {}
    for aspect in SETTING:
        said, says = getattr(before, aspect), getattr(after, aspect)
        if says is not None and says != said:
            fields[aspect] = says
        elif says is None and said is not None and aspect in UNSPOKEN_LOOK:
            fields[aspect] = UNSPOKEN_LOOK[aspect]
    if not poseable(scene.subject, scene.companion):
        fields.pop("pose", None)
    elements = set(scene.elements) - (set(before.elements) - set(after.elements))
    for element in after.elements:
        if element not in before.elements:
            group = next(group for group in GROUPS if element in group)
            elements = elements - set(group) | {element}
    return _possible(scene, fields, elements, after)


def _possible(scene: Scene, fields: dict[str, str], elements: set[str], said: Mentions) -> Scene | None:
    """The changed scene; what is impossible and was not said gives way to what was."""
    if fields.get("weather") == "snow" and said.season is None:
        fields = {**fields, "season": "winter"}
    unsaid = [e for e in ELEMENTS if e in elements and e not in said.elements]
    for dropped in (d for size in range(len(unsaid) + 1) for d in combinations(unsaid, size)):
        try:
            ordered = tuple(e for e in ELEMENTS if e in elements and e not in dropped)
            return replace(scene, **fields, elements=ordered)  # type: ignore[arg-type]
        except ValueError:
            continue
    return None
