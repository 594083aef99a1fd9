"""Which change of setting moves a scene to a target emotion, content kept: the search behind all advice.

    cost = max(distance - near, 0)^2 + MIXED_COST * contradiction + CHANGE_COST * changed attributes

The minimum over all possible settings (14,400 of time, weather, season, palette, light and pose times 433 sets of at
most two elements) is exact. The affect model's sums are additive but for pairs, and all pairs lie within the sums of a
base (time .. pose), within an element set, or between an element and the weather: so one table of bases and one of
element sets per weather hold everything (7 MB), and blocks of their outer sums are scored at a time.
"""

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.scenes.affect_model import (
    PAIRS,
    SAFE_LOGIT,
    Array,
    Item,
    carriers,
    content_items,
    kind_items,
    load_effects,
    look_items,
    pair_sums,
    pairs_of,
    scene_affect,
    sums,
)
from emofeedback.scenes.grammar import (
    ELEMENTS,
    FAR_ELEMENTS,
    GROUND_ELEMENTS,
    LIGHTS,
    MAX_ELEMENTS,
    PALETTES,
    POSES,
    SEASONS,
    SKY_ELEMENTS,
    TIMES,
    WEATHERS,
    Scene,
    elements_possible,
    poseable,
    setting_possible,
)

__all__ = ["Change", "apply_changes", "best_setting", "carriers", "changes", "plans", "steps_towards"]

SETTING = ("time", "weather", "season", "palette", "light", "pose")
OPTIONS = {
    "time": TIMES,
    "weather": WEATHERS,
    "season": SEASONS,
    "palette": PALETTES,
    "light": LIGHTS,
    "pose": POSES,
}
CONTENT = ("place", "subject", "companion", "colour", "size", "count")
GROUPS = (SKY_ELEMENTS, FAR_ELEMENTS, GROUND_ELEMENTS)
NEAR = 0.06  # distances below this count as reached
CHANGE_COST = 0.004  # squared distance per changed attribute: of two equals, the one that changes less
MIXED_COST = 0.02  # squared distance per unit of contradiction: parts that agree go before small gains of distance
MIN_STEP = 0.05  # distance that a plan must gain per change
TRIED = 8  # plans that are looked at until one is worth its changes, or changes a word
PREFIX = ("time", "weather", "season")  # what decides which elements are possible

Named = Collection[Item]
"""(aspect, concept) of what a user's own words name, as `parse(...).phrases` has them; the aspect of an element is
"element" or "elements", and aspects of the content are ignored, for it never changes."""


@dataclass(frozen=True, slots=True)
class Change:
    """One changed attribute. `aspect` is a field of Scene, "element" for elements; None = nothing there."""

    aspect: str
    old: Any
    new: Any


@dataclass(frozen=True)
class SettingTable:
    """The settings of one kind of content.

    Attributes:
        bases: (B, 6) index of each base's concept in `OPTIONS`, in the order of `SETTING`.
        base_parts: (6, B) the affect model's sums of the bases, with the pairs within them.
        element_parts: (W, 6, S) those of the element sets under each weather.
    """

    bases: NDArray[np.int8]
    base_parts: Array
    element_parts: Array


def _present(element_set: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(e for e in ELEMENTS if e in element_set)


@cache
def element_sets() -> list[tuple[str | None, ...]]:
    """All sets of at most MAX_ELEMENTS elements: one element or None per group."""
    every = itertools.product(*[(None, *group) for group in GROUPS])
    return [chosen for chosen in every if sum(e is not None for e in chosen) <= MAX_ELEMENTS]


@cache
def _element_possible() -> NDArray[np.bool_]:
    """(T, W, S, E + 1) whether an hour, weather and season allow each element; last, nothing at all."""
    single = [(e,) for e in ELEMENTS] + [()]
    shape = (len(TIMES), len(WEATHERS), len(SEASONS), len(single))
    where = itertools.product(TIMES, WEATHERS, SEASONS)
    return np.array([[setting_possible(*w, e) for e in single] for w in where]).reshape(shape)


@cache
def set_members() -> NDArray[np.intp]:
    """(S, 3) index in ELEMENTS of each slot of the element sets; len(ELEMENTS) where it is empty."""
    index: dict[str | None, int] = {e: n for n, e in enumerate(ELEMENTS)}
    index[None] = len(ELEMENTS)
    return np.array([[index[e] for e in chosen] for chosen in element_sets()])


@cache
def _sets_possible() -> NDArray[np.bool_]:
    """(T, W, S, sets): every rule of the grammar is about one element, so a set is possible where each of its is."""
    return np.all(_element_possible()[..., set_members()], axis=-1)


@cache
def _place_sets(place: str) -> NDArray[np.bool_]:
    """(sets,) whether a place has room for each element set."""
    return np.array([elements_possible(place, _present(chosen)) for chosen in element_sets()])


def setting_table(scene: Scene) -> SettingTable:
    """The settings of content of this kind; made at the first call for a kind and kept."""
    kinds = kind_items(scene.place, scene.subject, scene.companion)
    return _setting_table(tuple(kinds), poseable(scene.subject, scene.companion))


@cache
def _setting_table(kinds: tuple[Item, ...], living: bool) -> SettingTable:
    poses = POSES if living else POSES[:1]
    sizes = [len(values) for values in OPTIONS.values()][:-1] + [len(poses)]
    bases = np.array(list(itertools.product(*map(range, sizes))), np.int8)
    parts = np.zeros((6, len(bases)))
    index = {aspect: bases[:, n].astype(int) for n, aspect in enumerate(SETTING)}
    for aspect, values in OPTIONS.items():
        effects = [sums([(aspect, value)]) if value != "plain" else np.zeros(6) for value in values]
        parts += np.stack(effects, axis=1)[:, index[aspect]]
    for first, second in PAIRS:
        if first in OPTIONS and second in OPTIONS:
            grid = np.array([[pair_sums([((first, a), (second, b))]) for b in OPTIONS[second]] for a in OPTIONS[first]])
            parts += grid[index[first], index[second]].T
    for aspect, values in OPTIONS.items():
        effects = [pair_sums(pairs_of([(aspect, value), *kinds])) for value in values]
        parts += np.stack(effects, axis=1)[:, index[aspect]]
    return SettingTable(bases, parts.astype(np.float32), _element_parts(kinds).astype(np.float32, order="C"))


def _element_parts(kinds: tuple[Item, ...]) -> Array:
    """(W, 6, S) the sums of the element sets under each weather, with their pairs; those of the room and the weather
    are in the base."""
    items: list[Item] = [("element", e) for e in ELEMENTS]
    nothing = np.zeros(6)
    alone = np.stack([*map(sums, ([item] for item in items)), nothing])
    members = set_members()
    found = np.zeros((len(WEATHERS), len(members), 6))
    for slot in members.T:
        found += alone[slot]
    paired = np.zeros_like(found)
    for first, second in PAIRS:
        if (first, second) == ("element", "element"):
            both = np.array([[pair_sums(pairs_of([a, b])) for b in [*items, ("", "")]] for a in [*items, ("", "")]])
            for one, other in itertools.combinations(members.T, 2):
                paired += both[one, other]
        elif "element" in (first, second):
            for n, weather in enumerate(WEATHERS):
                beside = [item for item in [("weather", weather), *kinds] if item[0] in (first, second)]
                single = np.stack([*(pair_sums(pairs_of([item, *beside])) for item in items), nothing])
                for slot in members.T:
                    paired[n] += single[slot]
    return (found + paired).transpose(0, 2, 1)


def shows(table: SettingTable, aspect: str, concepts: Sequence[str]) -> NDArray[np.bool_]:
    """(B,) which bases have one of some concepts of an aspect."""
    found: NDArray[np.bool_] = np.isin(
        table.bases[:, SETTING.index(aspect)], [OPTIONS[aspect].index(c) for c in concepts]
    )
    return found


def content_sums(scene: Scene) -> Array:
    """(6, 1) float32 sums of what no change of setting touches."""
    return sums(content_items(scene) + look_items(scene)).astype(np.float32)[:, None]


def element_slots(scene: Scene) -> tuple[str | None, ...]:
    """The scene's element of each group (sky, far, ground), None where there is none."""
    return tuple(next((e for e in scene.elements if e in group), None) for group in GROUPS)


# ---------------------------------------------------------------- what may change


@dataclass(frozen=True)
class Space:
    """Which settings a search may choose for a scene: `bases` (B,) and `sets` (S,) say which rows of the tables,
    `possible` (T, W, S', sets) which go together; the counts say how many attributes differ from the scene's."""

    bases: NDArray[np.bool_]
    sets: NDArray[np.bool_]
    possible: NDArray[np.bool_]
    base_changes: NDArray[np.int8]
    set_changes: NDArray[np.int8]


def open_settings(scene: Scene, fixed: Named, barred: Named = ()) -> Space:
    """The settings that keep what is fixed and bring in nothing of what is barred; as `plans`."""
    table, sets = setting_table(scene), element_sets()
    now = np.array([OPTIONS[aspect].index(getattr(scene, aspect)) for aspect in SETTING], np.int8)
    differs = table.bases != now
    slots = np.array(_slot_numbers(element_slots(scene)))
    slot_differs = set_members() != slots
    held = [SETTING.index(aspect) for aspect, _ in fixed if aspect in SETTING]
    bases = ~differs[:, held].any(axis=1)
    for aspect, concept in barred:
        if aspect in SETTING and concept in OPTIONS[aspect]:
            n = SETTING.index(aspect)
            bases &= ~(differs[:, n] & (table.bases[:, n] == OPTIONS[aspect].index(concept)))
    named = {concept for aspect, concept in fixed if aspect in ("element", "elements") and concept in ELEMENTS}
    allowed = _place_sets(scene.place).copy()
    for k, group in enumerate(GROUPS):
        own = [ELEMENTS.index(e) for e in group if e in named]
        if own:  # what was named stays, or is at last drawn, and nothing else takes its part of the picture
            stays = [slots[k]] if slots[k] in own else [slots[k], *own]
            allowed &= np.isin(set_members()[:, k], stays)
    unwanted = {concept for aspect, concept in barred if aspect in ("element", "elements")} - set(scene.elements)
    allowed &= np.array([unwanted.isdisjoint(_present(chosen)) for chosen in sets]) if unwanted else True
    most = max(MAX_ELEMENTS, len(named | set(scene.elements)))
    allowed &= np.array([len(named | set(_present(chosen))) <= most for chosen in sets]) if named else True
    return Space(
        bases,
        allowed,
        _sets_possible() & _beside(scene, fixed, named),
        differs.sum(axis=1).astype(np.int8),
        slot_differs.sum(axis=1).astype(np.int8),
    )


def outside(known: Named | None) -> frozenset[Item]:
    """What of the settings is not among the known concepts ("elements" for an element); none where known is None.

    A judge or a generator of an earlier grammar neither sees nor draws it.
    """
    if known is None:
        return frozenset()
    settings = {(aspect, concept) for aspect in SETTING for concept in OPTIONS[aspect]}
    return frozenset(settings | {("elements", e) for e in ELEMENTS}) - frozenset(known)


def _slot_numbers(slots: Sequence[str | None]) -> list[int]:
    return [len(ELEMENTS) if e is None else ELEMENTS.index(e) for e in slots]


def _beside(scene: Scene, fixed: Named, named: Collection[str]) -> NDArray[np.bool_] | bool:
    """(T, W, S, sets) whether the words of a setting could stand beside those of the user; True where all can.

    A picture need not show what its words ask for: whoever wrote "at night" is not advised to add sunbeams, though the
    picture shows day. Words that contradict themselves already bar nothing.
    """
    said = {aspect: concept for aspect, concept in fixed if aspect in PREFIX}
    if not said and not named:
        return True
    possible = _element_possible()
    for n, aspect in enumerate(PREFIX):
        if aspect in said:
            only = np.take(possible, [OPTIONS[aspect].index(said[aspect])], axis=n)
            possible = np.broadcast_to(only, possible.shape)
    own = [ELEMENTS.index(e) for e in named]
    now = tuple(OPTIONS[aspect].index(getattr(scene, aspect)) for aspect in PREFIX)
    members = set_members()
    # what contradicts the words as they stand is not for this search to mend
    there = np.isin(ELEMENTS + ("",), [*named, *scene.elements])
    contradicted = ~possible[now] & there
    fine = possible | contradicted
    beside = fine[..., members].all(axis=-1)
    return beside & fine[..., own].all(axis=-1)[..., None] if own else beside


# ---------------------------------------------------------------- the search


def plans(
    scene: Scene,
    target: Affect,
    fixed: Named = (),
    max_changes: int | None = None,
    count: int = 3,
    near: float = NEAR,
    barred: Named = (),
) -> list[Scene]:
    """The `count` best scenes with the same content, the best first, each in another setting; see the module's cost.

    Args:
        target: the wanted point, the viewer's scale.
        fixed: what the user's own words name: it must not change, and nothing that contradicts it is added.
        max_changes: at most so many attributes may change (an element added, removed or swapped is one); None: any.
        count: at least 1; fewer come back where there are fewer.
        near: distance that counts as reached.
        barred: what must not come in: the user's own words do not go with it.

    Raises:
        ValueError: max_changes is negative.
    """
    if max_changes is not None and max_changes < 0:
        raise ValueError(f"max_changes must be 0 or more, not {max_changes}")
    table, space = setting_table(scene), open_settings(scene, fixed, barred)
    costs, rows, sets = [], [], []
    for block_rows, block_sets in _blocks(table, space, max_changes):
        cost = _costs(table, scene, target, near, block_rows, block_sets)
        cost += np.float32(CHANGE_COST) * (space.base_changes[block_rows, None] + space.set_changes[block_sets])
        time, weather, season = table.bases[block_rows, :3].astype(int).T
        cost[~space.possible[time[:, None], weather[:, None], season[:, None], block_sets]] = np.inf
        flat = cost.ravel()
        best = np.argpartition(flat, count)[:count] if len(flat) > count else np.arange(len(flat))
        costs.append(flat[best])
        rows.append(block_rows[best // len(block_sets)])
        sets.append(block_sets[best % len(block_sets)])
    every, row, chosen = np.concatenate(costs), np.concatenate(rows), np.concatenate(sets)
    order = np.lexsort((chosen, row, every))[:count]
    return [in_setting(scene, int(row[n]), int(chosen[n])) for n in order if np.isfinite(every[n])]


def _blocks(
    table: SettingTable, space: Space, max_changes: int | None
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows of bases with one weather and the element sets to try with them."""
    every = np.nonzero(space.sets)[0]
    if max_changes is None:
        rows = np.nonzero(space.bases)[0]
        where = table.bases[rows, 0].astype(int) * 100 + table.bases[rows, 1] * 10 + table.bases[rows, 2]
        for place in np.unique(where):
            time, weather, season = place // 100, place // 10 % 10, place % 10
            sets = every[space.possible[time, weather, season, every]]
            if len(sets):
                yield rows[where == place], sets
        return
    for changed in range(max_changes + 1):
        rows = np.nonzero(space.bases & (space.base_changes == changed))[0]
        sets = every[space.set_changes[every] <= max_changes - changed]
        for weather in np.unique(table.bases[rows, 1]):
            if len(sets):
                yield rows[table.bases[rows, 1] == weather], sets


def _costs(
    table: SettingTable,
    scene: Scene,
    target: Affect,
    near: float,
    rows: NDArray[np.intp],
    sets: NDArray[np.intp],
) -> Array:
    """(R, S) float32 cost of bases (all of one weather) with element sets, the changes apart."""
    valence, arousal, contradiction = _scored(table, scene, rows, sets)
    valence -= np.float32(target.valence)
    arousal -= np.float32(target.arousal)
    valence *= valence
    arousal *= arousal
    valence += arousal
    np.sqrt(valence, out=valence)
    valence -= np.float32(near)
    np.maximum(valence, 0, out=valence)
    valence *= valence
    contradiction *= np.float32(MIXED_COST)
    valence += contradiction
    return valence


def _scored(
    table: SettingTable, scene: Scene, rows: NDArray[np.intp], sets: NDArray[np.intp]
) -> tuple[Array, Array, Array]:
    """Valence, arousal and contradiction, each (R, S) float32, of bases (all of one weather) with element sets."""
    effects = load_effects()
    base = table.base_parts[:, rows] + content_sums(scene)
    base[:2] += effects.intercept.astype(np.float32)[:, None]
    chosen = table.element_parts[table.bases[rows[0], 1]][:, sets]
    valence = base[0][:, None] + chosen[0]
    np.tanh(valence, out=valence)
    arousal = base[1][:, None] + chosen[1]
    np.tanh(arousal, out=arousal)
    # as in `affect_model.contradiction`, written out because this is where all the time goes
    mixed = effects.mixed.astype(np.float32)
    logit = np.minimum(base[2][:, None] + chosen[2], base[3][:, None] + chosen[3])
    exciting = np.minimum(logit, base[4][:, None] + chosen[4])
    exciting *= mixed[2]
    logit *= mixed[1]
    logit += exciting
    logit += mixed[0] - np.float32(SAFE_LOGIT)
    np.maximum(logit, 0, out=logit)
    logit *= logit
    return valence, arousal, logit


def tried(scene: Scene, rows: NDArray[np.intp], target: Affect) -> tuple[Array, Array]:
    """(R, S) distance and contradiction of bases with all element sets; infinitely far where they do not go together.

    Args:
        rows: (R,) of the setting table.
        target: the point from which the distance is taken, the viewer's scale.
    """
    table, every = setting_table(scene), np.arange(len(element_sets()))
    away = np.empty((len(rows), len(every)), np.float32)
    charge = np.empty_like(away)
    weathers = table.bases[rows, 1]
    for weather in np.unique(weathers):
        own = weathers == weather
        valence, arousal, charge[own] = _scored(table, scene, rows[own], every)
        away[own] = np.hypot(valence - np.float32(target.valence), arousal - np.float32(target.arousal))
    time, weather, season = table.bases[rows, :3].astype(int).T
    possible = _sets_possible()[time, weather, season] & _place_sets(scene.place)
    away[~possible] = np.inf
    return away, charge


def in_setting(scene: Scene, row: int, chosen: int) -> Scene:
    """The scene in the setting of a row of the table and of an element set."""
    table = setting_table(scene)
    setting = {aspect: OPTIONS[aspect][n] for aspect, n in zip(SETTING, table.bases[row], strict=True)}
    return replace(scene, **setting, elements=_present(element_sets()[chosen]))


def setting_affects(scene: Scene, every: int = 1) -> tuple[Array, Array, Array]:
    """Valence, arousal (the viewer's scale) and contradiction of a scene's content in all possible settings, (N,).

    every: of the bases (time .. pose) take only each so-manieth; 1 = all, about 0.15 s.
    """
    table, space = setting_table(scene), open_settings(scene, ())
    some = replace(space, bases=space.bases & (np.arange(len(table.bases)) % every == 0))
    found = [np.stack(_scored(table, scene, *block)).reshape(3, -1) for block in _blocks(table, some, None)]
    valence, arousal, contradiction = np.concatenate(found, axis=1)
    return valence, arousal, contradiction


def best_setting(scene: Scene, target: Affect, max_changes: int | None = None, fixed: Named = ()) -> Scene:
    """The scene with the same content and layout in the setting of least cost: the first of `plans`.

    Raises:
        ValueError: max_changes is negative.
    """
    return plans(scene, target, fixed, max_changes, count=1)[0]


def neighbours(scene: Scene) -> Iterator[Scene]:
    """Every possible scene that differs from this one in one attribute of its setting; about sixty."""
    for aspect, values in OPTIONS.items():
        for value in values:
            if value != getattr(scene, aspect) and (aspect != "pose" or poseable(scene.subject, scene.companion)):
                fields: dict[str, Any] = {aspect: value}
                where = {name: fields.get(name, getattr(scene, name)) for name in PREFIX}
                if setting_possible(**where, elements=scene.elements):
                    yield replace(scene, **fields)
    for k, group in enumerate(GROUPS):
        for element in (None, *group):
            slots = list(element_slots(scene))
            if element != slots[k]:
                slots[k] = element
                elements = _present(slots)
                fits = len(elements) <= MAX_ELEMENTS and elements_possible(scene.place, elements)
                if fits and setting_possible(scene.time, scene.weather, scene.season, elements):
                    yield replace(scene, elements=elements)


def steps_towards(scene: Scene, target: Affect, max_changes: int, close: float, fixed: Named = ()) -> list[Change]:
    """The changes of the best plan, in an order in which each single one leads to a possible scene.

    Of those that can come next the one that ends nearest comes first, so that whoever follows only the first change
    gains the most by it. Nothing is changed where no plan gains MIN_STEP per change.

    Args:
        target: the wanted point, the viewer's scale.
        max_changes: at most so many.
        close: distance at which nothing is changed.
        fixed: what the user's own words name: it must not change, and nothing that contradicts it is added.
    """
    away = scene_affect(scene).affect().distance(target)
    if away < close:
        return []
    for after in worthy_plans(scene, target, fixed, max_changes):
        steps = ordered_changes(scene, after, target)
        if _one_by_one(scene, steps):
            return steps
    return []


def _one_by_one(scene: Scene, steps: Sequence[Change]) -> bool:
    """Whether the scene after each of the steps is possible."""
    try:
        return all(apply_changes(scene, steps[:n]) for n in range(1, len(steps) + 1))
    except ValueError:
        return False


def worthy_plans(
    scene: Scene, target: Affect, fixed: Named = (), max_changes: int | None = None, barred: Named = ()
) -> Iterator[Scene]:
    """Of the TRIED best plans those that are worth their changes, the best first."""
    for after in plans(scene, target, fixed, max_changes, TRIED, barred=barred):
        if worth_it(scene, after, target):
            yield after


def worth_it(scene: Scene, after: Scene, target: Affect) -> bool:
    """Whether a plan comes nearer to the target by MIN_STEP per change."""
    gain = scene_affect(scene).affect().distance(target) - scene_affect(after).affect().distance(target)
    return gain >= MIN_STEP * len(changes(scene, after)) > 0


def ordered_changes(before: Scene, after: Scene, target: Affect) -> list[Change]:
    """The changes from one scene to another, each step a possible scene, the one that ends nearest first."""
    left, now = changes(before, after), before
    made: list[Change] = []
    while left:
        options = []
        for change in left:
            try:
                step = apply_changes(now, [change])
            except ValueError:
                continue
            options.append((scene_affect(step).affect().distance(target), left.index(change), step))
        if not options:  # only together: two elements where one more would be too many
            return made + left
        _, n, now = min(options, key=lambda option: option[:2])
        made.append(left.pop(n))
    return made


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
    """The scene after the changes, all at once: `apply_changes(a, changes(a, b))` is b but for layout and kinds.

    Raises:
        ValueError: the result is not a possible scene.
    """
    elements = set(scene.elements)
    elements -= {c.old for c in changed if c.aspect == "element" and c.old is not None}
    elements |= {c.new for c in changed if c.aspect == "element" and c.new is not None}
    fields: dict[str, Any] = {c.aspect: c.new for c in changed if c.aspect != "element"}
    for aspect, kind in (("subject", "kind"), ("companion", "companion_kind")):
        if aspect in fields:
            fields[kind] = None
    return replace(scene, **fields, elements=_present(tuple(elements)))
