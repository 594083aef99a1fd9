"""Which change of setting moves a scene to a target emotion, content kept: the search behind all advice.

Every possible setting (about 585,000) is scored at once; the affect model's sums are additive, so the table of
settings is made once per process and a scene only adds its content's sums.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.scenes.affect_model import (
    Array,
    carriers,
    content_items,
    dispersion,
    item_sums,
    raw_affect,
    scene_affect,
    setting_items,
    stretch,
    sums,
)
from emofeedback.scenes.grammar import (
    ELEMENTS,
    FAR_ELEMENTS,
    GROUND_ELEMENTS,
    LIGHTS,
    PALETTES,
    SEASONS,
    SKY_ELEMENTS,
    TIMES,
    WEATHERS,
    Scene,
    setting_possible,
)
from emofeedback.scenes.norms import load_norms

__all__ = ["Change", "apply_changes", "best_setting", "carriers", "changes", "steps_towards"]

SETTING = ("time", "weather", "season", "palette", "light")
CONTENT = ("place", "subject", "companion")
GROUPS = (SKY_ELEMENTS, FAR_ELEMENTS, GROUND_ELEMENTS)
NEAR = 0.06  # distances below this count as reached
CHANGE_COST = 0.003  # squared distance per changed attribute: of two equals, the one that changes less
# squared distance per unit of dispersion: of two equals, the one whose parts agree (no carnival beside ruins)
MIXED_COST = 0.008
MIN_STEP = 0.05  # distance that a single step must gain
BLOCK = 32768  # settings scored at a time, so that the work stays in the processor's cache


@dataclass(frozen=True, slots=True)
class Change:
    """One changed attribute. `aspect` is a field of Scene, "element" for elements; None = nothing there."""

    aspect: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class SettingTable:
    """All possible settings. `parts` (6, N) are the affect model's sums; row n combines bases[base[n]] with
    element_sets[chosen[n]], where an element set names one element or None per group."""

    parts: Array
    bases: list[tuple[str, ...]]
    element_sets: list[tuple[str | None, ...]]
    base: NDArray[np.intp]
    chosen: NDArray[np.intp]


def _present(element_set: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(e for e in ELEMENTS if e in element_set)


@cache
def setting_table() -> SettingTable:
    """The table of all possible settings; made at the first call (about 0.2 s, 20 MB)."""
    norms = load_norms()
    bases: list[tuple[str, ...]] = list(itertools.product(TIMES, WEATHERS, SEASONS, PALETTES, LIGHTS))
    element_sets: list[tuple[str | None, ...]] = list(itertools.product(*[(None, *group) for group in GROUPS]))
    possible = {
        where: [setting_possible(*where, _present(chosen)) for chosen in element_sets]
        for where in itertools.product(TIMES, WEATHERS, SEASONS)
    }
    base, chosen = np.nonzero(np.array([possible[time, weather, season] for time, weather, season, *_ in bases]))
    base_parts = np.stack([sums(zip(SETTING, b, strict=True), norms) for b in bases], axis=1)
    element_parts = np.stack([sums([("element", e) for e in _present(s)], norms) for s in element_sets], axis=1)
    parts = base_parts.astype(np.float32)[:, base] + element_parts.astype(np.float32)[:, chosen]
    return SettingTable(parts, bases, element_sets, base, chosen)


def _change_counts(table: SettingTable, scene: Scene) -> NDArray[np.int8]:
    """(N,) attributes that differ between the scene's setting and each setting of the table."""
    now = [getattr(scene, aspect) for aspect in SETTING]
    in_base = [sum(a != b for a, b in zip(now, base, strict=True)) for base in table.bases]
    held = element_slots(scene)
    in_elements = [sum(a != b for a, b in zip(held, chosen, strict=True)) for chosen in table.element_sets]
    return np.array(in_base, np.int8)[table.base] + np.array(in_elements, np.int8)[table.chosen]


def element_slots(scene: Scene) -> tuple[str | None, ...]:
    """The scene's element of each group (sky, far, ground), None where there is none."""
    return tuple(next((e for e in scene.elements if e in group), None) for group in GROUPS)


def setting_affects(scene: Scene, rows: NDArray[np.intp] | None = None) -> tuple[Array, Array, Array]:
    """Valence, arousal (scene scale) and dispersion of a scene's content in every setting of the table, each (N,).

    `rows` limits it to some settings.
    """
    parts = setting_table().parts
    parts = parts if rows is None else parts[:, rows]
    content = sums(content_items(scene), load_norms()).astype(np.float32)[:, None]
    scored = np.empty((3, parts.shape[1]), np.float32)
    for start in range(0, parts.shape[1], BLOCK):
        block = parts[:, start : start + BLOCK] + content
        valence, arousal = raw_affect(block)
        scored[:, start : start + BLOCK] = stretch(valence, 0), stretch(arousal, 1), dispersion(block)
    return scored[0], scored[1], scored[2]


def best_setting(scene: Scene, target: Affect, max_changes: int | None = None) -> Scene:
    """The scene with the same content and layout whose setting comes closest to the target on the scene scale.

    Minimises squared distance + CHANGE_COST per changed attribute + MIXED_COST per unit of dispersion over all
    possible settings, exactly.

    Args:
        target: the wanted point, scene scale.
        max_changes: at most so many attributes may change (an element added, removed or swapped is one); None: any.

    Raises:
        ValueError: max_changes is negative.
    """
    if max_changes is not None and max_changes < 0:
        raise ValueError(f"max_changes must be 0 or more, not {max_changes}")
    table = setting_table()
    counts = _change_counts(table, scene)
    rows = None if max_changes is None else np.nonzero(counts <= max_changes)[0]
    valence, arousal, mixed = setting_affects(scene, rows)
    kept = counts if rows is None else counts[rows]
    away = np.hypot(valence - np.float32(target.valence), arousal - np.float32(target.arousal))
    cost = np.maximum(away - np.float32(NEAR), 0.0) ** 2
    cost += np.float32(MIXED_COST) * mixed + np.float32(CHANGE_COST) * kept
    best = int(np.argmin(cost))
    row = best if rows is None else int(rows[best])
    setting = dict(zip(SETTING, table.bases[table.base[row]], strict=True))
    return replace(scene, **setting, elements=_present(table.element_sets[table.chosen[row]]))


def neighbours(scene: Scene) -> Iterator[Scene]:
    """Every possible scene that differs from this one in one attribute of its setting; about forty."""
    options = {"time": TIMES, "weather": WEATHERS, "season": SEASONS, "palette": PALETTES, "light": LIGHTS}
    for aspect, values in options.items():
        for value in values:
            fields: dict[str, Any] = {aspect: value}
            where = {name: fields.get(name, getattr(scene, name)) for name in ("time", "weather", "season")}
            if value != getattr(scene, aspect) and setting_possible(**where, elements=scene.elements):
                yield replace(scene, **fields)
    for k, group in enumerate(GROUPS):
        for element in (None, *group):
            slots = list(element_slots(scene))
            if element != slots[k]:
                slots[k] = element
                elements = _present(slots)
                if setting_possible(scene.time, scene.weather, scene.season, elements):
                    yield replace(scene, elements=elements)


def steps_towards(scene: Scene, target: Affect, max_changes: int, close: float) -> list[Change]:
    """Single changes towards a target, each the best at its turn, the most effective first.

    A few steps of steepest descent instead of the exact optimum: what to change first then depends on the direction
    alone, which a reader of pictures can learn, and whoever follows only the first change gains the most by it.

    Args:
        target: the wanted point, scene scale.
        max_changes: at most so many.
        close: distance at which no more is changed; a change that gains less than MIN_STEP is not made either.
    """
    made: list[Change] = []
    now, away = scene, scene_affect(scene).affect().distance(target)
    while away >= close and len(made) < max_changes:
        fresh = (other for other in neighbours(now) if len(changes(scene, other)) > len(made))  # no attribute twice
        scored = [(*_scored(other, target), other) for other in fresh]
        _, reached, best = min(scored, key=lambda row: row[:2])
        if reached > away - MIN_STEP:
            break
        (change,) = changes(now, best)
        made.append(change)
        now, away = best, reached
    return made


def _scored(scene: Scene, target: Affect) -> tuple[float, float]:
    """The cost of a scene as in `best_setting`, and its distance to the target."""
    parts = np.sum([item_sums(item) for item in content_items(scene) + setting_items(scene)], axis=0)
    valence, arousal = raw_affect(parts)
    away = math.hypot(float(stretch(valence, 0)) - target.valence, float(stretch(arousal, 1)) - target.arousal)
    return max(away - NEAR, 0.0) ** 2 + MIXED_COST * float(dispersion(parts)), away


def changes(before: Scene, after: Scene) -> list[Change]:
    """What differs between two scenes, content first; an element swapped within its group is one change."""
    found = [
        Change(aspect, getattr(before, aspect), getattr(after, aspect))
        for aspect in CONTENT + SETTING
        if getattr(before, aspect) != getattr(after, aspect)
    ]
    slots = zip(element_slots(before), element_slots(after), strict=True)
    return found + [Change("element", old, new) for old, new in slots if old != new]


def apply_changes(scene: Scene, changed: Sequence[Change]) -> Scene:
    """The scene after the changes, all at once: `apply_changes(a, changes(a, b))` is b but for its layout.

    Raises:
        ValueError: the result is not a possible scene.
    """
    elements = set(scene.elements)
    elements -= {c.old for c in changed if c.aspect == "element" and c.old is not None}
    elements |= {c.new for c in changed if c.aspect == "element" and c.new is not None}
    fields = {c.aspect: c.new for c in changed if c.aspect != "element"}
    return replace(scene, **fields, elements=_present(tuple(elements)))  # type: ignore[arg-type]
