"""The loop: draw candidates, read them, choose, ask for advice, draw again from the edited prompt.

The textual feedback of EmoFeedback2, with what its reviewers asked for: candidates and costs are on record, rounds
stop early, and a person may take over between rounds. `run_loop` goes round by itself; `draw_round` is one turn of it,
for a caller that lets a person accept, drop or rewrite the edits. Both are generators of events, so a page and a
terminal show the same run; closing them stops the drawing within one denoising step.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from typing import Literal

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.files.run_json import visual_json
from emofeedback.loop.candidates import read_candidates
from emofeedback.loop.drawing import CancelFlag, Drawing, Progress, check_number, check_whole, draw_pictures
from emofeedback.loop.rounds import (
    TOLERANCE,
    Past,
    Turn,
    choose,
    next_turn,
    prompt_after,
    reached,
    stop_reason,
)
from emofeedback.protocols import Generator, Judge
from emofeedback.records import Candidate, Cost, Critique, Edit, Picture, Round, Run, StopReason, VisualPrompt

MAX_ROUNDS = 50

Continuation = Literal["same_seed", "image"]
"""What later rounds start from: the same noise and other words, or also the last chosen picture."""


@dataclass(frozen=True, slots=True)
class RoundStarted:
    number: int  # from 1
    prompt: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """The pictures as soon as they exist: candidates without a reading."""

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class ReadDone:
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    index: int  # into the round's candidates
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Advised:
    """`critique` is None when the judge's reply could not be read; `next_prompt` when it changes nothing."""

    critique: Critique | None
    next_prompt: str | None


@dataclass(frozen=True, slots=True)
class RoundDone:
    round: Round
    edits: tuple[Edit, ...] = ()  # those that led to the round's prompt


@dataclass(frozen=True, slots=True)
class Finished:
    run: Run


Event = RoundStarted | Progress | Drawn | ReadDone | Chosen | Advised | RoundDone | Finished


def draw_round(
    generator: Generator,
    judge: Judge,
    prompt: str,
    target: Affect,
    drawing: Drawing,
    *,
    past: Past = Past(),  # noqa: B008 (frozen)
    trials: Mapping[str, Sequence[Edit]] | None = None,
    tolerance: float | None = None,
    content: str | None = None,
    cancel: CancelFlag | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Event]:
    """One round as events, the last of them RoundDone.

    The candidates are drawn from `prompt`, or share out the prompts of `trials` (see `steering.trials_of`); the
    round's prompt is then that of the chosen one. The judge is asked for advice on the best picture so far, with the
    `past` in view: on an earlier round's where this one brought no gain. It is not asked when this round's picture
    lies within `tolerance` of the target (None = always ask), nor when `cancel` is set after the pictures were read.

    Args:
        content: words that the pictures shall show, where only asking tells (see `read_candidates`).

    Raises:
        Cancelled: `cancel` was set before the pictures were read.
    """
    begun = clock()
    number = len(past.rounds) + 1
    yield RoundStarted(number, prompt)
    pictures: tuple[Picture, ...] = ()
    requests = drawing.requests(prompt, target, generator.default_steps)
    if trials:
        requests = [replace(request, prompt=words) for request, words in zip(requests, cycle(trials), strict=False)]
    for message in draw_pictures(generator, requests, cancel):
        if isinstance(message, Progress):
            yield message
        else:
            pictures = message
    drawn = clock()
    yield Drawn(tuple(Candidate(picture, None, None, None) for picture in pictures))
    if cancel is not None and cancel.is_set():
        raise Cancelled("The drawing was stopped.")

    candidates = read_candidates(judge, pictures, target, content)
    read = clock()
    yield ReadDone(candidates)
    index = choose(candidates)
    candidates = tuple(replace(c, chosen=i == index) for i, c in enumerate(candidates))
    chosen = candidates[index]
    yield Chosen(index, chosen)

    done = Round(number, chosen.picture.request.prompt, candidates, None, None, Cost())
    edits = tuple((trials or {}).get(done.prompt, ()))
    met = tolerance is not None and reached(chosen, tolerance)
    if chosen.reading is not None and not met and not (cancel is not None and cancel.is_set()):
        done = _advised(judge, done, past.then(done, edits), target)
        yield Advised(done.critique, done.next_prompt)
    end = clock()
    cost = Cost(
        seconds=end - begun,
        draw_seconds=drawn - begun,
        read_seconds=read - drawn,
        advise_seconds=end - read,
        pictures=len(pictures),
        readings=len(pictures),
        critiques=int(done.advised_on is not None),
    )
    yield RoundDone(replace(done, cost=cost), edits)


def _advised(judge: Judge, done: Round, past: Past, target: Affect) -> Round:
    """The round with advice on the best round of a past that ends with it."""
    best = past.best() or done
    critique = judge.advise(past.attempts(best), target)
    return replace(done, critique=critique, next_prompt=prompt_after(best.prompt, critique), advised_on=best.number)


def run_loop(
    generator: Generator,
    judge: Judge,
    prompt: str,
    target: Affect,
    *,
    rounds: int = 3,
    candidates: int = 4,
    seed: int = 0,
    strength: float = 1.0,
    steps: int | None = None,
    guidance: float | None = None,
    tolerance: float = TOLERANCE,
    patience: int = 1,
    continuation: Continuation = "same_seed",
    start: Image.Image | None = None,
    start_strength: float = 0.6,
    past: Past = Past(),  # noqa: B008 (frozen)
    first: Turn | None = None,
    visual: VisualPrompt | None = None,
    cancel: CancelFlag | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Event]:
    """The whole run as events, the last of them Finished.

    Candidates of a later round share out the judge's edits: all of them, and each alone (`steering.trials_of`). Each
    round goes on from the best one so far and keeps its candidates' seeds, so a picture changes only where the words
    do; with continuation "image" they also start from that round's chosen picture at `start_strength`. A run stops
    when the chosen picture lies within `tolerance` of the target, `patience` rounds in a row bring no gain over the
    best before, the rounds are used up, the judge asks for no change, no picture could be read, the advice could not
    be read twice in a row, or `cancel` is set; finished rounds are always in the Run.

    Args:
        past: rounds to go on from, a branch of an earlier run; `rounds` and the Run count them too.
        visual: a visual prompt of every picture; where it leaves its centres open, each prompt retrieves its own.
        first: what the first round drawn here draws, in place of `prompt` or of what the past asks for.

    Raises:
        UserError: a setting is out of range.
    """
    check_whole("rounds", rounds, 1, MAX_ROUNDS)
    check_number("tolerance", tolerance, 0.0, 3.0)
    check_whole("patience", patience, 1, MAX_ROUNDS)
    if continuation not in ("same_seed", "image"):
        raise UserError(f"Unknown continuation {continuation!r}; known are same_seed, image.")
    drawing = Drawing(candidates, seed, strength, steps, guidance, start, start_strength, visual)
    settings: dict[str, object] = {
        "rounds": rounds,
        "candidates": candidates,
        "seed": seed,
        "strength": strength,
        "steps": generator.default_steps if steps is None else steps,
        "guidance": guidance,
        "tolerance": tolerance,
        "patience": patience,
        "continuation": continuation,
        "start_image": start is not None,
        "start_strength": start_strength,
        **({} if visual is None else {"visual": visual_json(visual)}),
    }

    def draw(turn: Turn, past: Past) -> Iterator[Event]:
        from_picture = continuation == "image" and turn.base is not None
        image = turn.base.best().picture.image if from_picture and turn.base is not None else start
        return draw_round(
            generator,
            judge,
            turn.prompt,
            target,
            replace(drawing, seed=turn.seed, start=image),
            past=past,
            trials=turn.trials,
            tolerance=tolerance,
            content=prompt,
            cancel=cancel,
            clock=clock,
        )

    def finish(done: Sequence[Round], stopped: StopReason) -> Finished:
        return Finished(Run(prompt, target, tuple(done), stopped, generator.name, judge.name, settings))

    stop = partial(stop_reason, rounds=rounds, tolerance=tolerance, patience=patience, cancel=cancel)
    if first is None:
        first = next_turn(past) if past.rounds else Turn(prompt, seed=seed)
    return _rounds(first, past, draw, stop, finish)


def _rounds(
    turn: Turn,
    past: Past,
    draw: Callable[[Turn, Past], Iterator[Event]],
    stop: Callable[[Sequence[Round]], StopReason | None],
    finish: Callable[[Sequence[Round], StopReason], Finished],
) -> Iterator[Event]:
    stopped: StopReason | None = None
    while stopped is None:
        try:
            for event in draw(turn, past):
                if isinstance(event, RoundDone):
                    past = past.then(event.round, event.edits)
                yield event
        except Cancelled:
            stopped = "cancelled"
            break
        stopped = stop(past.rounds)
        if stopped is None:
            turn = next_turn(past)
    yield finish(past.rounds, stopped)
