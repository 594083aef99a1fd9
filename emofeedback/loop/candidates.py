"""The candidates of a round: read beside the target, asked for their content, and the best of them chosen."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.protocols import Judge, ShowsPrompt
from emofeedback.records import Candidate, Picture, rank

logger = logging.getLogger(__name__)

SHOWN = 0.5
"""Probability from which a picture counts as one that shows its words."""


def choose(candidates: Sequence[Candidate]) -> int:
    """The index of the best candidate, the first of equals.

    `records.rank` decides, here as over the rounds of a run: readable, content kept, closest to the target.
    """
    return min(range(len(candidates)), key=lambda i: rank(candidates[i]))


def read_candidates(
    judge: Judge, pictures: Sequence[Picture], target: Affect, content: str | None = None
) -> tuple[Candidate, ...]:
    """Read pictures and set each beside the target and its prompt's content.

    Args:
        content: the words whose content shall be seen, the user's own where edits made others of them; None = each
            picture's own prompt.
    """
    candidates = []
    for picture, reading in zip(pictures, judge.read(pictures), strict=True):
        if reading is None:
            candidates.append(Candidate(picture, None, None, None))
            continue
        distance = reading.affect.distance(target)
        words = picture.request.prompt if content is None else content
        candidates.append(Candidate(picture, reading, distance, judge.content_kept(words, reading)))
    return asked_for_content(judge, candidates, content) if isinstance(judge, ShowsPrompt) else tuple(candidates)


def asked_for_content(
    judge: ShowsPrompt, candidates: Sequence[Candidate], content: str | None = None
) -> tuple[Candidate, ...]:
    """Ask whether the candidates show their content, the closest first, until one does; the others stay unknown.

    A judge that reads no more than the pixels cannot know what a prompt named, and the closest picture may have lost
    it. Where the judge gives no answer, nothing is held against a picture.
    """
    found = list(candidates)
    for i in sorted(range(len(found)), key=lambda i: rank(found[i])):
        words = found[i].picture.request.prompt if content is None else content
        if found[i].reading is None or found[i].content_kept is not None or not words.strip():
            break
        try:
            [shown] = judge.shows([found[i].picture], [words])
        except UserError as error:
            logger.warning("Whether the pictures show their words is not known: %s", error)
            break
        if shown is None:
            break
        found[i] = replace(found[i], content_kept=shown >= SHOWN)
        if found[i].content_kept:
            break
    return tuple(found)
