"""Feedback against best of N at equal pictures and at equal seconds, graded by a rater that guided neither."""

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.content import content_scores, content_unit
from emofeedback.evaluation.metrics import bootstrap, paired_bootstrap
from emofeedback.evaluation.protocols.generator_and_judge import (
    AXES,
    LEAST_READ,
    OnProgress,
    Reader,
    held_out_prompts,
    read_back,
)
from emofeedback.evaluation.report import Measure
from emofeedback.loop.candidates import choose, read_candidates
from emofeedback.loop.drawing import Drawing, draw_pictures
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import Finished, RunOrder, run_loop
from emofeedback.protocols import Generator, Judge
from emofeedback.records import MAX_CANDIDATES, Candidate, Run
from emofeedback.sweep.plane import EXTENT

SEED_STRIDE = 1000  # between the first seeds of two pairs


@dataclass(frozen=True, slots=True)
class Comparison:
    """One prompt and target: rater's distances to the target, content kept, seconds and pictures of each way.

    `read` is what the rater reads in the picture that the feedback run ended with; `as_long` is the distance of the
    best of the `as_long_pictures` that can be drawn and read in the seconds that the feedback run took.
    """

    target: Affect
    read: Affect
    feedback: float
    best_of: float
    as_long: float
    first: float
    feedback_kept: float | None  # see `content_scores`
    best_of_kept: float | None
    feedback_seconds: float
    best_of_seconds: float
    pictures: int
    as_long_pictures: int


@dataclass(frozen=True, slots=True)
class LoopModels:
    """Who draws, who reads and advises, and who grades."""

    generator: Generator
    judge: Judge
    rater: Reader


@dataclass(frozen=True, slots=True)
class LoopSize:
    """Rounds of a run and candidates of a round.

    Raises:
        UserError: best of N could not draw as many pictures at once as the rounds do together.
    """

    rounds: int
    candidates: int

    def __post_init__(self) -> None:
        if self.rounds * self.candidates > MAX_CANDIDATES:
            raise UserError(f"rounds times candidates must be {MAX_CANDIDATES} or fewer here; lower one of them.")


def prompt_target_pairs(count: int, seed: int) -> Iterator[tuple[str, Affect, int]]:
    """`count` unseen prompts, each with a random target and the first seed of its pictures."""
    rng = random.Random(f"evaluation/targets/{seed}")
    prompts = held_out_prompts(count, seed)
    for i in range(count):
        target = Affect(rng.uniform(-EXTENT, EXTENT), rng.uniform(-EXTENT, EXTENT))
        yield prompts[i % len(prompts)], target, seed + SEED_STRIDE * i


def evaluate_loop(
    models: LoopModels,
    size: LoopSize,
    *,
    count: int,
    seed: int,
    clock: Callable[[], float] = time.perf_counter,
    progress: OnProgress | None = None,
) -> list[Measure]:
    """`count` pairs of an unseen prompt and a random target, each once with feedback and once as best of N.

    N is the number of pictures that the feedback run drew, so a run that stops early gives best of N fewer too; at
    equal seconds as many more as fit into the time that the feedback took, at the pace of the first N.

    Raises:
        UserError: hardly any pair could be read.
    """
    found: list[Comparison] = []
    for i, (prompt, target, first) in enumerate(prompt_target_pairs(count, seed)):
        one = compare(models, size, prompt, target, first, clock)
        if one is not None:
            found.append(one)
        if progress is not None:
            progress(i + 1, count)
    if len(found) < 2:
        raise UserError("Hardly any picture could be read; train the judge and the rater longer.")
    return _measures(found, count, seed, content_unit(models.rater))


def compare(
    models: LoopModels, size: LoopSize, prompt: str, target: Affect, seed: int, clock: Callable[[], float]
) -> Comparison | None:
    """One pair; None where a picture could not be read."""
    generator, judge, rater = models.generator, models.judge, models.rater
    begun = clock()
    run: Run | None = None
    order = RunOrder(prompt, target, Drawing(size.candidates, seed), Rules(size.rounds, tolerance=0.0))
    for event in run_loop(generator, judge, order, clock=clock):
        if isinstance(event, Finished):
            run = event.run
    looped = clock()
    best = run.best() if run is not None else None
    if run is None or best is None or best.distance is None:
        return None
    drawn = sum(len(r.candidates) for r in run.rounds)
    many = _drawn(generator, judge, prompt, target, drawn, seed)
    done = clock()
    single = many[choose(many)].picture
    more = further_pictures(drawn, looped - begun, done - looped)
    if more:
        many += _drawn(generator, judge, prompt, target, more, seed + drawn)
    shown = [best.picture, single, many[choose(many)].picture, run.rounds[0].candidates[0].picture]
    graded = rater.read(shown)
    if any(reading is None for reading in graded):
        return None
    feedback_kept, best_of_kept = content_scores(rater, [prompt] * 2, shown[:2], graded[:2])
    feedback, best_of, as_long, first = (reading for reading in graded if reading is not None)
    return Comparison(
        target=target,
        read=feedback.affect,
        feedback=feedback.affect.distance(target),
        best_of=best_of.affect.distance(target),
        as_long=as_long.affect.distance(target),
        first=first.affect.distance(target),
        feedback_kept=feedback_kept,
        best_of_kept=best_of_kept,
        feedback_seconds=looped - begun,
        best_of_seconds=done - looped,
        pictures=drawn,
        as_long_pictures=drawn + more,
    )


def further_pictures(count: int, feedback_seconds: float, best_of_seconds: float) -> int:
    """How many pictures more best of `count` may draw to take as long as the feedback; never fewer than fit."""
    if best_of_seconds <= 0.0:
        return 0
    spare = math.ceil(count * (feedback_seconds / best_of_seconds - 1.0))
    return min(MAX_CANDIDATES, max(0, spare))


def _drawn(
    generator: Generator, judge: Judge, prompt: str, target: Affect, count: int, seed: int
) -> tuple[Candidate, ...]:
    drawing = Drawing(candidates=count, seed=seed)
    requests = drawing.requests(drawing.draws(prompt), target, generator.default_steps)
    *_, pictures = draw_pictures(generator, requests)
    assert isinstance(pictures, tuple)
    return read_candidates(judge, pictures, target)


def _measures(found: list[Comparison], asked: int, seed: int, content: str) -> list[Measure]:
    feedback, best_of, as_long = ([getattr(c, way) for c in found] for way in ("feedback", "best_of", "as_long"))
    gain, in_time = (paired_bootstrap(feedback, other, seed=seed) for other in (best_of, as_long))
    measures = [
        Measure.of("error with feedback", bootstrap(feedback, seed=seed), "V-A distance"),
        Measure.of("error of best of N at equal pictures", bootstrap(best_of, seed=seed), "V-A distance"),
        Measure.of("error of best of N at equal seconds", bootstrap(as_long, seed=seed), "V-A distance"),
        Measure.of("error of the first picture", bootstrap([c.first for c in found], seed=seed), "V-A distance"),
        Measure.of("feedback minus best of N", gain, "V-A distance"),
        Measure("feedback minus best of N, upper end", gain.high, "V-A distance", gain.n, None, (None, 0.0)),
        Measure.of("feedback minus best of N at equal seconds", in_time, "V-A distance"),
        Measure(
            "feedback minus best of N at equal seconds, upper end",
            in_time.high,
            "V-A distance",
            in_time.n,
            None,
            (None, 0.0),
        ),
    ]
    for axis in AXES if len(found) >= LEAST_READ else ():
        commanded = np.array([getattr(c.target, axis) for c in found])
        read = np.array([[getattr(c.read, axis)] for c in found])
        measures += read_back(f"{axis} after the rounds,", commanded[:, None], read, seed, (0.8, 1.1), 0.9)
    for name, kept in (
        ("content kept with feedback", [c.feedback_kept for c in found if c.feedback_kept is not None]),
        ("content kept by best of N", [c.best_of_kept for c in found if c.best_of_kept is not None]),
    ):
        if kept:
            measures.append(Measure.of(name, bootstrap(kept, seed=seed), content))
    measures += [
        Measure.of("pictures of a run", bootstrap([c.pictures for c in found], seed=seed), "pictures"),
        Measure.of("pictures at equal seconds", bootstrap([c.as_long_pictures for c in found], seed=seed), "pictures"),
        Measure.of("seconds with feedback", bootstrap([c.feedback_seconds for c in found], seed=seed), "s"),
        Measure.of("seconds of best of N", bootstrap([c.best_of_seconds for c in found], seed=seed), "s"),
        Measure("pairs that could not be read", (asked - len(found)) / asked, "share", asked),
    ]
    return measures
