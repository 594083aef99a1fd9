"""Do the judge's words help, and does it read a generator's pictures as the second rater does?

Both protocols look at pictures of the generator, whose true emotion nobody knows; the rater that guided nothing
grades. An edit is tried alone: same seed, same valence-arousal command, only the words change.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.content import content_scores, content_unit
from emofeedback.evaluation.metrics import bootstrap, pairs_interval, pearson
from emofeedback.evaluation.protocols.generator_and_judge import AXES, BATCH, RESAMPLES, OnProgress, Reader
from emofeedback.evaluation.report import Measure
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.protocols import Generator, Judge
from emofeedback.records import Attempt, Picture, PictureRequest, Reading
from emofeedback.scenes.captions import describe, random_aspects
from emofeedback.scenes.grammar import sample_scene
from emofeedback.sweep.plane import EXTENT

FAR = 0.3  # distance from the target beyond which advice is asked for
GAIN = 0.1  # by which an edited picture shall come closer


def sample_requests(count: int, seed: int, steps: int) -> list[PictureRequest]:
    """Requests as people make them: unseen content, part of a setting in words, a point of the plane at random."""
    rng = random.Random(f"evaluation/advice/{seed}")
    requests = []
    for i in range(count):
        prompt = describe(sample_scene(rng, "held-out"), rng, random_aspects(rng))
        target = Affect(rng.uniform(-EXTENT, EXTENT), rng.uniform(-EXTENT, EXTENT))
        requests.append(PictureRequest(prompt, target, seed=seed + i, steps=steps))
    return requests


def evaluate_agreement(
    generator: Generator, judge: Judge, rater: Reader, *, count: int, seed: int, progress: OnProgress | None = None
) -> list[Measure]:
    """Pearson r per axis between judge and rater on `count` pictures of the generator, and how many names they share.

    Raises:
        UserError: hardly any picture could be read by both.
    """
    pairs: list[tuple[Reading, Reading]] = []
    requests = sample_requests(count, seed, generator.default_steps)
    for begin in range(0, count, BATCH):
        pictures = list(generator.generate(requests[begin : begin + BATCH]))
        both = zip(judge.read(pictures), rater.read(pictures), strict=True)
        pairs += [(said, graded) for said, graded in both if said is not None and graded is not None]
        if progress is not None:
            progress(min(begin + BATCH, count), count)
    if len(pairs) < 3:
        raise UserError("Hardly any picture could be read; train the judge and the rater longer.")
    measures = []
    for name in AXES:
        said = np.array([getattr(j.affect, name) for j, _ in pairs])
        graded = np.array([getattr(r.affect, name) for _, r in pairs])
        r, interval = pearson(graded, said), pairs_interval(pearson, graded, said, seed=seed, resamples=RESAMPLES)
        measures.append(
            Measure(f"{name} on generator samples, judge against rater", r, "r", len(said), interval, (0.9, None))
        )
    shared = [_place(j) == _place(r) for j, r in pairs]
    measures.append(Measure.of("same place named on generator samples", bootstrap(shared, seed=seed), "share"))
    return measures


def _place(reading: Reading) -> str | None:
    return next((seen.word for seen in reading.seen if seen.aspect == "place"), None)


@dataclass(frozen=True, slots=True)
class TriedAdvice:
    """One piece of advice tried: the rater's distances to the target, and whether the content stayed."""

    before: float
    after: float
    kept: float | None  # see `content_scores`


def evaluate_advice(
    generator: Generator,
    judge: Judge,
    rater: Reader,
    *,
    count: int,
    seed: int,
    progress: OnProgress | None = None,
) -> list[Measure]:
    """`count` pictures; where one is more than FAR from its target, the judge's edits are applied and it is redrawn.

    Raises:
        UserError: no picture was far from its target, or none could be read.
    """
    trials: list[TriedAdvice] = []
    asked = silent = 0
    requests = sample_requests(count, seed, generator.default_steps)
    for begin in range(0, count, BATCH):
        pictures = list(generator.generate(requests[begin : begin + BATCH]))
        graded, said = rater.read(pictures), judge.read(pictures)
        redraw: list[tuple[PictureRequest, float]] = []
        for picture, grade, reading in zip(pictures, graded, said, strict=True):
            target = picture.request.affect
            assert target is not None
            if grade is None or reading is None or grade.affect.distance(target) <= FAR:
                continue
            asked += 1
            prompt = _edited(judge, picture, reading, target)
            if prompt is None:
                silent += 1
            else:
                redraw.append((_with_words(picture.request, prompt), grade.affect.distance(target)))
        trials += _tried(generator, rater, redraw)
        if progress is not None:
            progress(min(begin + BATCH, count), count)
    if not trials:
        raise UserError("No advice could be tried: every picture was near its target already, or none could be read.")
    return _measures(trials, asked, silent, seed, content_unit(rater))


def _edited(judge: Judge, picture: Picture, reading: Reading, target: Affect) -> str | None:
    """The prompt after the judge's edits; None where it could not be read or changed nothing."""
    prompt = picture.request.prompt
    critique = judge.advise([Attempt(prompt, picture, reading)], target)
    if critique is None:
        return None
    after = apply_edits(prompt, critique.edits)
    return after if after != prompt else None


def _with_words(request: PictureRequest, prompt: str) -> PictureRequest:
    return PictureRequest(prompt, request.affect, seed=request.seed, steps=request.steps)


def _tried(generator: Generator, rater: Reader, redraw: Sequence[tuple[PictureRequest, float]]) -> list[TriedAdvice]:
    if not redraw:
        return []
    pictures = list(generator.generate([request for request, _ in redraw]))
    trials = []
    grades = rater.read(pictures)
    scores = content_scores(rater, [request.prompt for request, _ in redraw], pictures, grades)
    for (request, before), grade, kept in zip(redraw, grades, scores, strict=True):
        if grade is not None and request.affect is not None:
            trials.append(TriedAdvice(before, grade.affect.distance(request.affect), kept))
    return trials


def _measures(trials: Sequence[TriedAdvice], asked: int, silent: int, seed: int, content: str) -> list[Measure]:
    gains = [trial.before - trial.after for trial in trials]
    kept = [trial.kept for trial in trials if trial.kept is not None]
    measures = [
        Measure.of(
            "edits that come .1 or more closer", bootstrap([g >= GAIN for g in gains], seed=seed), "share", (0.85, None)
        ),
        Measure.of("edits that lead away", bootstrap([g < 0 for g in gains], seed=seed), "share"),
        Measure.of("distance before", bootstrap([t.before for t in trials], seed=seed), "V-A distance"),
        Measure.of("distance after", bootstrap([t.after for t in trials], seed=seed), "V-A distance"),
    ]
    if kept:
        measures.append(Measure.of("content kept by edits", bootstrap(kept, seed=seed), content, (0.95, None)))
    measures.append(Measure("pictures far from their target without advice", silent / asked, "share", asked))
    return measures
