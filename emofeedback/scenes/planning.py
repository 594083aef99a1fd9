"""Plans a picture: what the words leave open is chosen so that the whole scene carries the emotion.

A few words name place and subject; hour, weather, colours, pose and what stands around are open, and most of the
emotion lies in them. A small generator that must choose them all from noise tends to means of what it could choose: two
poses at once, every glad thing in every glad picture. So they are chosen first, as words, from the
settings that keep all that was said, whose point on the plane is near the target and whose parts agree
(`affect_model`), and the generator draws what was chosen, after a sketch of it where it can. The same seed chooses by
the same random numbers, whatever the target is: along a path through the plane a plan changes where it must, not
everywhere. Where no emotion is asked for, what the words leave open is that of an ordinary day.
"""

import functools
import random
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.scenes import edits
from emofeedback.scenes.affect_model import SAFE, Item, scene_affect
from emofeedback.scenes.captions import describe, parse, says_several, to_caption_words
from emofeedback.scenes.composition import (
    DULL,
    NIGHT_LIGHTS,
    crowded,
    dreadful,
    out_of_place,
    place_weights,
    sleepless,
    unclear,
)
from emofeedback.scenes.contradictions import clashing
from emofeedback.scenes.grammar import (
    ELEMENTS,
    FIGURES,
    LIVING,
    PEOPLE,
    PLACES,
    SEASONS,
    SEVERAL,
    SKY_ELEMENTS,
    SUBJECTS,
    TIMES,
    WEATHERS,
    Scene,
    poseable,
    sample_scene,
    sample_setting,
)
from emofeedback.scenes.lexicon import PLACE_PHRASES, canonical_phrase, split_place
from emofeedback.scenes.moods import FELT, against, jarring, readable
from emofeedback.scenes.reading import Mentions, doings
from emofeedback.scenes.sampling import LEVELS, PLAIN_WEIGHTS, agreeing, cheapest

TRIED = 160  # settings without elements that are looked at, each with all sets of elements
ORDER = ("pose", "elements", "palette", "light", "weather", "time", "season")
"""What is said first, and left out last where the words grow too long."""
CLOSER = {"small": None, None: "large", "large": "large"}
"""People and animals are drawn one size larger than named: their bearing and face carry the emotion."""
TRIED_PLACES = 4  # where no place was said
CLOSE, CLEAR, FAR = 0.35, 0.4, 0.3  # distances up to which nothing is dull, nothing unclear, nothing against the mood
CONTRARY = 1.6
"""How much farther off a plan may be where what was said speaks against the mood: more of it only mixes the message."""
NEARNESS = ((0.06, SAFE), (0.09, SAFE), *LEVELS)
"""As `sampling.LEVELS`: what can be met well is met well."""
VARIED = 0.4  # share of the plans that one element may have
SEVERAL_SETTINGS, ROOM = 6, 0.015
"""How many of the settings tried shall be near enough for seeds to differ; else squared distance above the least."""
SETTINGS = 30  # random settings until one goes with what was said
ORDINARY: dict[str, tuple[str, ...]] = {
    "time": ("day", "dawn", "sunset"),
    "weather": ("clear", "cloudy"),
    "season": SEASONS,
    "palette": ("natural", "warm"),
    "light": ("even", "bright"),
    "pose": ("plain", "smiling"),
    "elements": (),
}
"""The settings of a picture for which no emotion was asked, where the words leave them open; first the plainest."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn for a prompt.

    Attributes:
        words: the prompt in caption words, then phrases for what it leaves open, the most telling first.
        scene: that shows their place, subject, one companion and setting; None where what was said cannot be one scene
            of the world.
    """

    words: tuple[str, ...]
    scene: Scene | None


@functools.lru_cache(maxsize=2048)
def planned(prompt: str, target: Affect | None, seed: int, negative: str = "") -> Plan:
    """The plan of a prompt; a pure function.

    Args:
        prompt: empty, or without anything that can be drawn: place and subject are chosen too.
        target: the point that the scene is to stand at, the viewer's scale; None = that of what was said, on an
            ordinary day.
        negative: what shall not come in.
    """
    said = parse(prompt)
    deeds = doings(prompt)
    base = _base(said, says_several(prompt), deeds, random.Random(f"{seed}/plan"))
    if base is None:
        return Plan((to_caption_words(prompt),), None)
    unfit = clashing(prompt) | frozenset(parse(negative).phrases)
    if target is None:
        target, unfit = _plain_mood(base, said), unfit | _unusual(said)
    scene = _in_setting(base, target, seed, said, unfit)
    if said.place is None and not said.subjects and not said.phrases and not deeds:
        named = describe(replace(scene, elements=()), random.Random(f"{seed}/words"), ())
        return Plan((named, *_phrases(scene, said)), scene)
    words = to_caption_words(prompt)
    if said.place is None:
        words = _placed(words, PLACE_PHRASES[scene.place][0])
    return Plan((words, *_phrases(scene, said)), scene)


def _plain_mood(base: Scene, said: Mentions) -> Affect:
    """The mood of a scene in the plainest setting that goes with what was said."""
    plain = {aspect: concepts[0] for aspect, concepts in ORDINARY.items() if concepts and getattr(said, aspect) is None}
    try:
        return scene_affect(replace(base, **plain)).affect()  # type: ignore[arg-type]
    except ValueError:  # what was said is not of such a day
        return scene_affect(base).affect()


def _unusual(said: Mentions) -> frozenset[Item]:
    """What no ordinary setting has, but for what was said."""
    every = {(aspect, concept) for aspect, concepts in edits.OPTIONS.items() for concept in concepts}
    every |= {("elements", element) for element in ELEMENTS}
    usual = {(aspect, concept) for aspect, concepts in ORDINARY.items() for concept in concepts}
    return frozenset(every - usual - set(said.phrases))


def _placed(words: str, place: str) -> str:
    """Caption words with a place, behind the subject where there is one: 'a cat in a garden, in spring'."""
    parts = words.split(", ") if words else []
    for i, part in enumerate(parts):
        if parse(part).subjects:
            return ", ".join([*parts[:i], f"{part} {place}", *parts[i + 1 :]])
    return ", ".join([split_place(place)[2], *parts])


def _phrases(scene: Scene, said: Mentions) -> list[str]:
    """What of the scene's setting was not said, in words."""
    found = []
    for aspect in ORDER:
        if aspect == "elements":
            found += [canonical_phrase(aspect, e) for e in scene.elements if e not in said.elements]
        elif aspect == "pose" and scene.pose == "cheering" and said.pose is None and scene.subject not in PEOPLE:
            found.append("cheering")  # with arms raised is nobody but people
        elif getattr(said, aspect) is None:
            found.append(canonical_phrase(aspect, getattr(scene, aspect)))
    return [phrase for phrase in found if phrase]


def _base(said: Mentions, several: bool, deeds: tuple[tuple[str, ...], ...], rng: random.Random) -> Scene | None:
    """A scene that shows what was said, the rest at random; None where there is none in the world.

    Args:
        several: whether more than one of the first subject shall be seen, however many.
        deeds: where one expects what is done.
    """
    if said.place is None and not said.subjects and not said.phrases and not deeds:
        return sample_scene(rng, None)
    subject, companion = _shown(said.subjects)
    looks: dict[str, Any] = {}
    if subject is not None:
        named = subject == said.subjects[0]  # colour, size and number are said of the first
        size = said.size if named else None
        looks = {"colour": said.colour if named else None, "size": CLOSER[size] if subject in LIVING else size}
        looks["count"] = said.count if named and said.count and subject not in SEVERAL else 1
        if named and several:
            looks["count"] = rng.choice((2, 3))
        looks["kind"] = said.kinds.get(subject)
    if companion is not None:
        looks["companion_kind"] = said.kinds.get(companion)
    fixed = {a: getattr(said, a) for a in edits.SETTING if getattr(said, a) is not None}
    elements = tuple(e for e in ELEMENTS if e in said.elements)
    # a kind is expected somewhere more narrowly than its subject: a tractor is no lorry
    things = [said.kinds.get(thing, thing) for thing in (subject, companion) if thing]
    weights = place_weights((*things, *elements), deeds)
    for _ in range(1 if said.place is not None else TRIED_PLACES):
        place = said.place or rng.choices(PLACES, weights=weights)[0]
        layout = rng.getrandbits(31)
        for _ in range(SETTINGS):
            setting = sample_setting(rng, place, poseable(subject, companion)) | {"elements": elements} | fixed
            try:
                return Scene(place, subject, companion, **setting, **looks, layout=layout)
            except ValueError:
                continue
    return None


def _shown(subjects: Sequence[str]) -> tuple[str | None, str | None]:
    """Subject and companion of a scene, which shows a companion beside a figure: somebody comes first."""
    if not subjects:
        return None, None
    subject = subjects[0]
    if subject not in FIGURES:
        subject = next((s for s in subjects[1:] if s in FIGURES), subject)
    companion = next((s for s in subjects if s != subject and s in SUBJECTS), None)
    return subject, companion if subject in FIGURES else None


def _in_setting(base: Scene, target: Affect, seed: int, said: Mentions, unfit: frozenset[Item]) -> Scene:
    """The scene in a setting near the target whose parts agree, or in one of about the least cost.

    Args:
        unfit: what the words do not go with. What speaks against the mood stays out, too, unless there is no way to the
            target without it.
    """
    table, living = edits.setting_table(base), poseable(base.subject, base.companion)
    rng = np.random.default_rng((seed, zlib.crc32(b"plan")))
    luck = rng.gumbel(size=len(table.bases)), rng.gumbel(size=len(edits.element_sets()))
    unfit |= dreadful(base) | out_of_place(base) | jarring(target)
    if sleepless(base):
        unfit |= {("pose", "asleep")}
    opposed, clear = against(target, living, unfit), readable(table)
    ways: tuple[tuple[frozenset[Item], NDArray[np.bool_], float], ...] = (
        (opposed | unclear(base) | DULL, clear, CLOSE),
        (opposed | unclear(base), clear, CLEAR),
        (opposed, clear, FAR),
        (frozenset(), np.ones_like(clear), np.inf),
    )
    slack = CONTRARY if opposed & set(said.phrases) else 1.0
    found = None
    for barred, bases, within in ways:
        found = _tried(base, target, said, unfit | barred, bases, luck[0]) or found
        if found is not None and found[1].min() <= within * slack:
            break
    if found is None:
        return base
    rows, away, charge = found
    fine, weight = agreeing(away, charge, NEARNESS, VARIED, SEVERAL_SETTINGS)
    if weight is None or np.any(fine, axis=1).sum() < SEVERAL_SETTINGS:
        fine, weight = cheapest(away, charge, ROOM)
    with np.errstate(divide="ignore"):
        chosen = int(np.argmax(np.log(weight) + luck[1]))
    return edits.in_setting(base, int(rows[fine[:, chosen]][0]), chosen)


def _tried(
    base: Scene,
    target: Affect,
    said: Mentions,
    unfit: frozenset[Item],
    bases: NDArray[np.bool_],
    luck: NDArray[np.float64],
) -> tuple[NDArray[np.intp], NDArray[np.floating], NDArray[np.floating]] | None:
    """Rows (R,) of the setting table, the luckiest first, with distance and contradiction (R, S) of their element sets.

    Args:
        bases: rows that may be tried (B,); luck: of each (B,).

    Returns:
        None where nothing keeps what was said and leaves out what is unfit.
    """
    table = edits.setting_table(base)
    space = edits.open_settings(base, said.phrases, unfit)
    fit, sets = _without(table, space, unfit - set(said.phrases))
    rows = np.nonzero(bases & fit)[0]
    if not len(rows) or not sets.any():
        return None
    rows = rows[np.argsort(-(_row_weights(table) + luck)[rows])[:TRIED]]
    order = np.lexsort((np.arange(len(rows)), table.bases[rows, 1]))  # by weather, as `tried` scores them
    away, charge = (np.empty((len(rows), len(sets)), np.float32) for _ in range(2))
    away[order], charge[order] = edits.tried(base, rows[order], target)
    time, weather, season = table.bases[rows, :3].astype(int).T
    away[~(space.possible[time, weather, season] & sets)] = np.inf
    struck = (weather == WEATHERS.index("thunderstorm"))[:, None] & _with(SKY_ELEMENTS)  # lightning strikes through it
    dark = np.isin(time, [TIMES.index(hour) for hour in ("dusk", "night")])[:, None]
    pale = ~dark & _with(("moon",))
    glad = target.valence >= FELT
    gloomy = dark & ~_with(NIGHT_LIGHTS) & glad
    low = np.isin(time, [TIMES.index(hour) for hour in ("sunset", "dusk")])
    veiled = low & np.isin(weather, [WEATHERS.index(grey) for grey in ("overcast", "rain", "snow")])
    drab = np.broadcast_to(veiled[:, None] & glad, away.shape)  # of such a sunset only a brown haze is left
    for odd in (struck, pale, gloomy, drab):
        if np.isfinite(away[~odd]).any():
            away[odd] = np.inf
    return (rows, away, charge) if np.isfinite(away).any() else None


def _without(
    table: edits.SettingTable, space: edits.Space, barred: Collection[Item]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The bases and the sets of a space that show nothing of what is barred."""
    bases, unwanted = space.bases.copy(), [e for e in ELEMENTS if ("elements", e) in barred]
    for aspect, concept in barred:
        if aspect in edits.OPTIONS and concept in edits.OPTIONS[aspect]:
            bases &= ~edits.shows(table, aspect, (concept,))
    wanted = ~np.isin(edits.set_members(), [ELEMENTS.index(e) for e in unwanted]).any(axis=1)
    sets = space.sets & wanted
    return bases, sets & _uncrowded() if (sets & _uncrowded()).any() else sets  # what was said is drawn, if in layers


@functools.cache
def _with(elements: tuple[str, ...]) -> NDArray[np.bool_]:
    """(S,) which sets of elements have one of these."""
    return np.array([any(e in elements for e in chosen) for chosen in edits.element_sets()])


@functools.cache
def _uncrowded() -> NDArray[np.bool_]:
    """(S,) which sets of elements have none before another."""
    pairs = crowded()
    return np.array([not any(pair <= set(chosen) for pair in pairs) for chosen in edits.element_sets()])


def _row_weights(table: edits.SettingTable) -> NDArray[np.float64]:
    """(B,) logarithm of how often each base is tried."""
    total = np.zeros(len(table.bases))
    for aspect, weights in PLAIN_WEIGHTS.items():
        total += np.log(list(weights.values()))[table.bases[:, edits.SETTING.index(aspect)]]
    return total
