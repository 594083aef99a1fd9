"""The embedded back end: viewers who think with the scene world's grammar and norms. No network, no language model.

A viewer's memory says what an emotion is about and which concepts come to mind first; temperament shifts where the
emotion lies for them and which kinds of concepts they turn to; taste adds and takes away a little. Among the concepts
that agree with the prompt's own scene, a search finds the few that bring it to the felt emotion:

    cost = max(distance - NEAR, 0)^2 + MIXED_COST * contradiction - LIKING * sum of preferences

The seed chooses the memory and adds the viewer's own small whims to the preferences. A prompt that the scene world
does not know gets the memory's drawable details too, as phrases at its end.
"""

import math
import random
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import EMOTIONS, Affect, emotion
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.records import ChainStep, Edit, StepName
from emofeedback.rewriting.chain import RewriteRequest, felt_point, point_line
from emofeedback.rewriting.concepts import (
    Concept,
    Content,
    Key,
    check,
    compatible,
    concept_of,
    named_in,
    objection,
    same_group,
    scene_concept,
)
from emofeedback.rewriting.feeling import added, caption_sums, together
from emofeedback.rewriting.viewers import Memory, Viewer
from emofeedback.scenes.affect_model import Array, contradiction, raw_affect
from emofeedback.scenes.captions import ASPECTS
from emofeedback.scenes.grammar import ELEMENTS, INDOOR_PLACES
from emofeedback.scenes.lexicon import SETTING_PHRASES
from emofeedback.scenes.vocabulary import vocabulary

FEWEST, MOST = 3, 4  # concepts that a rewrite adds
BEAM = 12
NEAR = 0.06  # distances below this count as reached
MIXED_COST = 0.02  # of two equals, the one whose parts agree
LIKING = 0.06  # squared distance that a preference of 1 may cost
REMEMBERED, LIKED, CARRIED = 1.4, 0.25, 0.25
WHIM = 0.1  # scale of the Gumbel noise of a viewer without any steadiness
NEARBY = 0.25  # distance on the plane over which another emotion's memory fades


class EmbeddedThinker:
    """Implements `chain.Thinker`.

    Args:
        known_words: what the generator can draw: a prompt that stays within these words gets no others; empty = any.
    """

    name = "embedded"
    parallel = 1

    def __init__(self, known_words: Collection[str] | None = None) -> None:
        self.known_words = vocabulary() if known_words is None else frozenset(known_words)

    def think(self, step: StepName, viewer: Viewer, request: RewriteRequest, before: Sequence[ChainStep]) -> ChainStep:
        """One step; deterministic in its arguments."""
        match step:
            case "emotion":
                return self._emotion(viewer, request)
            case "about":
                return self._about(viewer, request, before[0])
            case "concepts":
                return self._concepts(viewer, request, before[0], before[1])
            case "check":
                concepts = [concept_of(line) for line in before[2].lines]
                kept, dropped = check(Content.of(request.prompt), concepts, self.known_words)
                return ChainStep("check", tuple(c.line() for c in kept) or ("",), dropped)
            case _:
                words = [Edit("add", new=concept_of(line).words) for line in before[3].lines if line]
                return ChainStep("prompt", (apply_edits(request.prompt, words) or "a scene",))

    @staticmethod
    def _emotion(viewer: Viewer, request: RewriteRequest) -> ChainStep:
        temper, target = viewer.temperament, request.target
        felt = Affect.clamped(target.valence + temper.valence, target.arousal + temper.arousal)
        return ChainStep(
            "emotion", (request.emotion(), point_line(felt), temper.words), (f"asked: {point_line(target)}",)
        )

    @staticmethod
    def _about(viewer: Viewer, request: RewriteRequest, felt: ChainStep) -> ChainStep:
        memories = _fitting(viewer.memories, felt)
        if not memories:
            return ChainStep("about", (f"{felt.lines[0]} in general",), ("nothing that this viewer remembers fits",))
        rng = random.Random(f"about/{request.seed}/{viewer.name}")
        # of the memories of an emotion the first is the strongest; the steadier a viewer, the more often it is that one
        fading = [max(0.05, 1.0 - viewer.temperament.steadiness) ** min(rank, 3) for rank in range(len(memories))]
        weights = [_nearness(memory, felt) * fade for memory, fade in zip(memories, fading, strict=True)]
        memory = rng.choices(memories, weights)[0]
        return ChainStep("about", (memory.about, *memory.details), (f"{viewer.name} remembers",))

    def _concepts(self, viewer: Viewer, request: RewriteRequest, felt: ChainStep, about: ChainStep) -> ChainStep:
        content, remembered = Content.of(request.prompt), _remembered(about)
        wanted = preferences(viewer, remembered, request.seed)
        room = content.mentions.place in INDOOR_PLACES
        reached = reach(content, felt_point(felt.lines), wanted, self.known_words)
        chosen = {concept.key(): scene_concept(*concept.key(), room) for concept in reached}
        keys = {concept.key() for concept in remembered}
        liked = {c.key() for words in viewer.taste.likes for c in named_in(words)}
        lines, notes = [], []
        for concept in sorted(chosen.values(), key=lambda c: c.key() not in keys):
            lines.append(concept.line())
            why = "remembered" if concept.key() in keys else "leads to the emotion"
            notes.append(f"{concept.words}: {why}{', and liked' if concept.key() in liked else ''}")
        # what cannot join the prompt is written down too: the next step says why it goes
        barred = [c for c in remembered if objection(c, content, (), self.known_words)]
        lines += [c.line() for c in barred] + list(about.lines[1:])
        left = [c.words for c in remembered if c.key() not in chosen and c not in barred]
        notes += [f"{words}: remembered, but leads elsewhere here" for words in left]
        return ChainStep("concepts", tuple(lines), tuple(notes))


def _fitting(memories: Sequence[Memory], felt: ChainStep) -> list[Memory]:
    """The memories of the emotion, or where there are none, those of emotions nearby."""
    same = [memory for memory in memories if memory.emotion == felt.lines[0].lower()]
    return same or [memory for memory in memories if _nearness(memory, felt) > math.exp(-3)]


def _remembered(about: ChainStep) -> tuple[Concept, ...]:
    """The concepts of the scene world in a memory: those of its sentence, and the details that are such."""
    found = list(named_in(about.lines[0]))
    for line in about.lines[1:]:
        known = concept_of(line).known
        if known is not None and known[0] not in ("subject", "place"):
            found.append(scene_concept(*known))
    return tuple({concept.key(): concept for concept in found}.values())


def _nearness(memory: Memory, felt: ChainStep) -> float:
    name = felt.lines[0].lower()
    here = emotion(name) if name in EMOTIONS else felt_point(felt.lines)
    return math.exp(-emotion(memory.emotion).distance(here) / NEARBY)


@cache
def setting_concepts() -> tuple[Concept, ...]:
    """Everything that can be said of a setting."""
    found = [scene_concept(aspect, c) for aspect in ASPECTS[:-1] for c in SETTING_PHRASES[aspect]]
    return tuple(found + [scene_concept("elements", element) for element in ELEMENTS])


def preferences(viewer: Viewer, remembered: Sequence[Concept], seed: int) -> Mapping[Key, float]:
    """How gladly a viewer turns to each concept: memory, taste, temperament, and the whims of a seed."""
    rng = random.Random(f"whims/{seed}/{viewer.name}")
    likes = {c.key() for words in viewer.taste.likes for c in named_in(words)}
    dislikes = {c.key() for words in viewer.taste.dislikes for c in named_in(words)}
    keys = {concept.key() for concept in remembered}
    scale = WHIM * (1.0 - viewer.temperament.steadiness)
    wanted = {}
    for concept in setting_concepts():
        key = concept.key()
        whim = -scale * math.log(-math.log(max(rng.random(), 1e-12)))
        carried = CARRIED * viewer.temperament.carriers.get(concept.kind, 0.0)
        wanted[key] = REMEMBERED * (key in keys) + LIKED * ((key in likes) - (key in dislikes)) + carried + whim
    return wanted


def reach(content: Content, felt: Affect, wanted: Mapping[Key, float], known: Collection[str]) -> list[Concept]:
    """FEWEST to MOST concepts that bring the prompt's scene to a point, preferred ones first; a beam search.

    Fewer where the prompt leaves less open.
    """
    every, (joint, all_beside) = setting_concepts(), _tables()
    rows = _open(content.prompt, frozenset(known))
    if not rows:
        return []
    parts = np.stack([added(every[row].key(), content.mentions) for row in rows])
    joint, beside = joint[np.ix_(rows, rows)], all_beside[np.ix_(rows, rows)]
    liking = np.array([wanted[every[row].key()] for row in rows])
    start = caption_sums(content.mentions)
    taken, best, least = np.zeros((1, len(rows)), bool), np.zeros(len(rows), bool), math.inf
    sums, liked = start[None], np.zeros(1)
    for size in range(1, MOST + 1):
        free = np.array([beside[row].all(axis=0) for row in taken])  # [beam, C]: what can join, itself left out
        totals = sums[:, None] + parts + np.einsum("bt,tcp->bcp", taken.astype(float), joint)
        likes = liked[:, None] + liking
        costs = np.where(free, _cost(totals, felt) - LIKING * likes, math.inf)
        grown: dict[bytes, tuple[int, int]] = {}
        for flat in np.argsort(costs, axis=None, kind="stable")[: BEAM * size]:
            state, at = divmod(int(flat), len(rows))
            if math.isfinite(costs[state, at]):
                grown.setdefault(_with(taken[state], at).tobytes(), (state, at))  # a set is reached in many orders
        if not grown:
            break
        states, ats = (np.array(part) for part in zip(*list(grown.values())[:BEAM], strict=True))
        cost = float(costs[states[0], ats[0]])
        taken = np.stack([_with(taken[state], at) for state, at in zip(states, ats, strict=True)])
        sums, liked = totals[states, ats], likes[states, ats]
        if size <= FEWEST or cost < least:
            least, best = cost, taken[0]
    return [every[rows[index]] for index in np.flatnonzero(best)]


@lru_cache(maxsize=256)
def _open(prompt: str, known: frozenset[str]) -> list[int]:
    """Which of the setting's concepts a prompt leaves open."""
    content = Content.of(prompt)
    return [i for i, concept in enumerate(setting_concepts()) if objection(concept, content, (), known) is None]


def _with(taken: NDArray[np.bool_], at: int) -> NDArray[np.bool_]:
    more = taken.copy()
    more[at] = True
    return more


@cache
def _tables() -> tuple[Array, NDArray[np.bool_]]:
    """Of all setting concepts: what each two add together [C, C, 6], and which can be said beside each other [C, C]."""
    keys = [concept.key() for concept in setting_concepts()]
    return together(keys), np.array([[_beside(first, second) for second in keys] for first in keys])


def _cost(sums: Array, felt: Affect) -> Array:
    """[...] for sums [..., 6]."""
    columns = np.moveaxis(sums, -1, 0)
    valence, arousal = raw_affect(columns)
    away = np.hypot(np.tanh(valence) - felt.valence, np.tanh(arousal) - felt.arousal)
    return np.maximum(away - NEAR, 0.0) ** 2 + MIXED_COST * contradiction(columns)


def _beside(first: Key, second: Key) -> bool:
    """Whether two concepts can be said beside each other: one per aspect, or per part of the picture."""
    if first == second or (first[0] == second[0] and first[0] != "elements"):
        return False
    if first[0] == second[0] == "elements" and same_group(first[1], second[1]):
        return False
    return compatible(first, second)
