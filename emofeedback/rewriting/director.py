"""The director: orders a company's rewrites, and may merge two of them.

Ordered by maximal marginal relevance (Carbonell & Goldstein 1998): the next is the one that lies closest to the target
and shares least with those before it. Closeness is the judge's where its readings are given, else the affect model's.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from emofeedback.affect import Affect
from emofeedback.loop.candidates import read_candidates
from emofeedback.loop.drawing import CancelFlag, Drawing, Progress, draw_pictures
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.loop.rounds import Turn
from emofeedback.loop.run import Drawn
from emofeedback.loop.waiting import Answered, waited
from emofeedback.protocols import Generator, Judge, LeftOut, Rewriter
from emofeedback.records import Candidate, Edit, Picture, Rewrite
from emofeedback.rewriting.concepts import Content, Key, check, concept_of
from emofeedback.rewriting.embedded import MOST
from emofeedback.rewriting.feeling import caption_affect
from emofeedback.scenes.captions import parse

RELEVANCE = 0.6
"""Share of closeness against difference; 1 orders by closeness alone."""
UNREAD = 1.0
"""Distance that counts where none is known: that of a middling picture."""


def keys_of(rewrite: Rewrite) -> frozenset[Key]:
    """What tells a rewrite's concepts from another's."""
    return frozenset(concept_of(line).key() for line in rewrite.concepts)


def similarity(first: Rewrite, second: Rewrite) -> float:
    """Shared concepts over all concepts of both (Jaccard), in [0, 1]."""
    a, b = keys_of(first), keys_of(second)
    return len(a & b) / len(a | b) if a | b else 1.0


def in_order(
    rewrites: Sequence[Rewrite], distances: Sequence[float | None] | None = None, relevance: float = RELEVANCE
) -> tuple[Rewrite, ...]:
    """The rewrites, each time the best of those left; of rewrites with the same words only the first stays.

    Args:
        distances: to the target, one per rewrite, as a judge read pictures of them; None = the rewrites' own.
        relevance: in [0, 1], see RELEVANCE.
    """
    known = list(distances) if distances is not None else [rewrite.distance for rewrite in rewrites]
    left: dict[str, tuple[float, Rewrite]] = {}
    for away, rewrite in zip(known, rewrites, strict=True):
        left.setdefault(rewrite.prompt, (1.0 - min(1.0, UNREAD if away is None else away), rewrite))
    chosen: list[Rewrite] = []
    while left:

        def worth(prompt: str) -> float:
            close, rewrite = left[prompt]
            alike = max((similarity(rewrite, other) for other in chosen), default=0.0)
            return relevance * close - (1.0 - relevance) * alike

        chosen.append(left.pop(max(left, key=worth))[1])
    return tuple(chosen)


def merged(
    prompt: str, target: Affect, first: Rewrite, second: Rewrite, known_words: Collection[str] = ()
) -> Rewrite | None:
    """One rewrite with the concepts of two in turn, as far as they agree; None where that brings nothing new."""
    lines = [line for pair in zip_longest(first.concepts, second.concepts) for line in pair if line]
    content = Content.of(prompt)
    kept = check(content, map(concept_of, dict.fromkeys(lines)), known_words)[0][:MOST]
    edits = tuple(Edit("add", new=concept.words) for concept in kept)
    words = apply_edits(prompt, edits)
    if words in (first.prompt, second.prompt, prompt):
        return None
    viewers = tuple(dict.fromkeys((*first.viewers, *second.viewers)))
    away = caption_affect(parse(words)).distance(target) if first.distance is not None else None
    return Rewrite(words, viewers, tuple(concept.line() for concept in kept), edits, away)


def read_distances(
    generator: Generator,
    judge: Judge,
    rewrites: Sequence[Rewrite],
    target: Affect,
    drawing: Drawing,
    cancel: CancelFlag | None = None,
) -> Iterator[Progress | Drawn | Answered[list[float | None]]]:
    """What the judge reads in one picture of each rewrite, all from the same seed: distances to the target.

    The last event answers with the distances: None where a picture could not be read, or where it lost
    what the rewrite names. Before it come progress and the pictures.

    Raises:
        Cancelled: `cancel` was set.
    """
    [request] = drawing.requests([("", drawing.seed)], target, generator.preview_steps)
    requests = [replace(request, prompt=rewrite.prompt) for rewrite in rewrites]
    pictures: tuple[Picture, ...] = ()
    for message in draw_pictures(generator, requests, cancel):
        if isinstance(message, Progress):
            yield message
        else:
            pictures = message
    yield Drawn(tuple(Candidate(picture, None, None, None) for picture in pictures))
    for answer in waited(judge, lambda: read_candidates(judge, pictures, target), cancel):
        if isinstance(answer, Answered):
            yield Answered([None if item.content_kept is False else item.distance for item in answer.value])
        else:
            yield answer


def turn_of(
    rewrites: Sequence[Rewrite], prompt: str, seed: int, candidates: int, left_out: LeftOut | None = None
) -> Turn:
    """Round 1 of the loop: its candidates share out the rewrites; the judge's reading then picks among them.

    Args:
        left_out: how the generator cuts long prompts: what viewers add stands before the cut.
    """
    trials = {}
    for rewrite in rewrites[: max(1, candidates)]:
        cut = left_out is not None and bool(left_out(rewrite.prompt))
        words = apply_edits(prompt, rewrite.edits, left_out) if cut and rewrite.edits else rewrite.prompt
        trials[words] = rewrite.edits
    return Turn(next(iter(trials), prompt), trials, seeds=(seed,))


def opening_turn(
    rewriter: Rewriter,
    prompt: str,
    target: Affect,
    seed: int,
    candidates: int,
    left_out: LeftOut | None = None,
) -> Turn:
    """Round 1 of the loop, in the words of a rewriter; in the prompt's own where it gave none."""
    return turn_of(rewriter.rewrite(prompt, target, seed=seed).rewrites, prompt, seed, candidates, left_out)
