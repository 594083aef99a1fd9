"""What a scene becomes when the words that drew it are edited: advice tried without drawing anything."""

from collections.abc import Sequence
from dataclasses import replace

from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.records import Edit
from emofeedback.scenes.captions import Mentions, parse
from emofeedback.scenes.edits import GROUPS
from emofeedback.scenes.grammar import ELEMENTS, Scene

UNSPOKEN_LOOK = {"palette": "natural", "light": "even"}  # what is drawn where the words are taken away
SETTING = ("time", "weather", "season", "palette", "light")


def content_unchanged(prompt: str, edits: Sequence[Edit]) -> bool:
    """Whether the edits leave the place and the subjects that the prompt names, and bring in no other."""
    before, after = parse(prompt), parse(apply_edits(prompt, edits))
    return before.place == after.place and set(before.subjects) == set(after.subjects)


def edited_scene(scene: Scene, prompt: str, edits: Sequence[Edit]) -> Scene | None:
    """The scene that a picture of `prompt` becomes when the prompt is edited; None = the words contradict themselves.

    What the edits newly name is drawn; what they take away goes (a palette and a light back to the plain ones, a
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
    for kept in (elements, elements & set(said.elements)):
        try:
            ordered = tuple(e for e in ELEMENTS if e in kept)
            return replace(scene, **fields, elements=ordered)  # type: ignore[arg-type]
        except ValueError:
            continue
    return None
