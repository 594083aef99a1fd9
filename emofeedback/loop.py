"""The loop: draw candidates, read them, choose, ask for advice, draw again from the edited prompt.

The textual feedback of EmoFeedback2, with what its reviewers asked for: candidates and costs are on record, rounds
stop early, and a person may take over between rounds. `run_loop` goes round by itself; `draw_round` is one turn of it,
for a caller that lets a person accept, drop or rewrite the edits. Both are generators of events, so a page and a
terminal show the same run; closing them stops the drawing within one denoising step.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle
from typing import Literal

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.drawing import CancelFlag, Drawing, Progress, check_number, check_whole, draw_pictures
from emofeedback.errors import Cancelled, UserError
from emofeedback.protocols import Generator, Judge
from emofeedback.records import (
    Attempt,
    Candidate,
    Cost,
    Critique,
    Edit,
    Picture,
    Round,
    Run,
    StopReason,
)
from emofeedback.revision import apply_edits

TOLERANCE = 0.12
"""Distance to the target at which a run stops: about the second rater's own error on a render."""
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
    number: int = 1,
    history: Sequence[Attempt] = (),
    trials: Mapping[str, Sequence[Edit]] | None = None,
    cancel: CancelFlag | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Event]:
    """One round as events, the last of them RoundDone.

    The candidates are drawn from `prompt`, or share out the prompts of `trials` (see `trials_of`); the round's prompt
    is then that of the chosen one.

    `history` holds the earlier rounds' attempts (see `attempt_of`), `trials` the edits that led to each prompt: the
    judge sees both when it advises. If `cancel` is set after the pictures were read, the round ends without advice.

    Raises:
        Cancelled: `cancel` was set before the pictures were read.
    """
    begun = clock()
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

    candidates = read_candidates(judge, pictures, target)
    read = clock()
    yield ReadDone(candidates)
    index = choose(candidates)
    candidates = tuple(replace(c, chosen=i == index) for i, c in enumerate(candidates))
    chosen = candidates[index]
    prompt = chosen.picture.request.prompt
    yield Chosen(index, chosen)

    critique, next_prompt, critiques = None, None, 0
    if chosen.reading is not None and not (cancel is not None and cancel.is_set()):
        attempt = Attempt(prompt, chosen.picture, chosen.reading, tuple((trials or {}).get(prompt, ())))
        critique, critiques = judge.advise([*history, attempt], target), 1
        next_prompt = prompt_after(prompt, critique)
        yield Advised(critique, next_prompt)
    done = clock()
    cost = Cost(
        seconds=done - begun,
        draw_seconds=drawn - begun,
        read_seconds=read - drawn,
        advise_seconds=done - read,
        pictures=len(pictures),
        readings=len(pictures),
        critiques=critiques,
    )
    yield RoundDone(Round(number, prompt, candidates, critique, next_prompt, cost))


def read_candidates(judge: Judge, pictures: Sequence[Picture], target: Affect) -> tuple[Candidate, ...]:
    """Read pictures and set each beside the target and its prompt's content."""
    candidates = []
    for picture, reading in zip(pictures, judge.read(pictures), strict=True):
        if reading is None:
            candidates.append(Candidate(picture, None, None, None))
            continue
        distance = reading.affect.distance(target)
        candidates.append(Candidate(picture, reading, distance, judge.content_kept(picture.request.prompt, reading)))
    return tuple(candidates)


def choose(candidates: Sequence[Candidate]) -> int:
    """The index of the candidate closest to the target among those that keep the content.

    Where none keeps it, the closest of all; where none could be read, the first.
    """
    return min(range(len(candidates)), key=lambda i: _rank(candidates[i]))


def _rank(candidate: Candidate) -> tuple[bool, bool, float]:
    unread = candidate.distance is None
    return unread, candidate.content_kept is False, math.inf if candidate.distance is None else candidate.distance


def prompt_after(prompt: str, critique: Critique | None) -> str | None:
    """The next prompt a critique asks for; None when it asks for no change."""
    if critique is None or not critique.edits:
        return None
    edited = apply_edits(prompt, critique.edits)
    return None if edited == prompt else edited


def trials_of(prompt: str, edits: Sequence[Edit]) -> dict[str, tuple[Edit, ...]]:
    """Prompts to try in the next round, each with the edits that make it: all edits, then each edit alone.

    A judge may be right about one edit and overdo it with three; the candidates then show which words help.
    """
    sets = [tuple(edits), *((edit,) for edit in edits)] if len(edits) > 1 else [tuple(edits)]
    trials: dict[str, tuple[Edit, ...]] = {}
    for some in sets:
        trials.setdefault(apply_edits(prompt, some), some)
    return trials


def attempt_of(done: Round, edits: Sequence[Edit] = ()) -> Attempt:
    """What a judge is shown of a finished round; `edits` are those that led to the round's prompt."""
    best = done.best()
    return Attempt(done.prompt, best.picture, best.reading, tuple(edits))


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
    cancel: CancelFlag | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Event]:
    """The whole run as events, the last of them Finished.

    Candidates of a later round share out the judge's edits: all of them, and each alone (`trials_of`). Later rounds
    keep the candidates' seeds, so a picture changes only where the words do; with continuation "image"
    they also start from the last chosen picture at `start_strength`. A run stops when the chosen picture lies within
    `tolerance` of the target, `patience` rounds in a row bring no gain over the best before, the rounds are used up,
    the judge asks for no change, no picture could be read, or `cancel` is set; finished rounds are always in the Run.

    Raises:
        UserError: a setting is out of range.
    """
    check_whole("rounds", rounds, 1, MAX_ROUNDS)
    check_number("tolerance", tolerance, 0.0, 3.0)
    check_whole("patience", patience, 1, MAX_ROUNDS)
    if continuation not in ("same_seed", "image"):
        raise UserError(f"Unknown continuation {continuation!r}; known are same_seed, image.")
    drawing = Drawing(candidates, seed, strength, steps, guidance, start, start_strength)
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
    }

    def turn(
        words: str, drawing: Drawing, history: Sequence[Attempt], trials: Mapping[str, Sequence[Edit]]
    ) -> Iterator[Event]:
        number = len(history) + 1
        return draw_round(
            generator, judge, words, target, drawing,
            number=number, history=history, trials=trials, cancel=cancel, clock=clock,
        )  # fmt: skip

    def finish(done: Sequence[Round], stopped: StopReason) -> Finished:
        return Finished(Run(prompt, target, tuple(done), stopped, generator.name, judge.name, settings))

    stop = partial(stop_reason, rounds=rounds, tolerance=tolerance, patience=patience, cancel=cancel)
    return _rounds(prompt, drawing, continuation, turn, stop, finish)


def _rounds(
    words: str,
    drawing: Drawing,
    continuation: Continuation,
    turn: Callable[[str, Drawing, Sequence[Attempt], Mapping[str, Sequence[Edit]]], Iterator[Event]],
    stop: Callable[[Sequence[Round]], StopReason | None],
    finish: Callable[[Sequence[Round], StopReason], Finished],
) -> Iterator[Event]:
    done: list[Round] = []
    history: list[Attempt] = []
    trials: dict[str, tuple[Edit, ...]] = {}
    stopped: StopReason | None = None
    while stopped is None:
        try:
            for event in turn(words, drawing, tuple(history), trials):
                if isinstance(event, RoundDone):
                    done.append(event.round)
                yield event
        except Cancelled:
            stopped = "cancelled"
            break
        stopped = stop(done)
        if stopped is None:
            last = done[-1]
            history.append(attempt_of(last, trials.get(last.prompt, ())))
            trials = trials_of(last.prompt, last.critique.edits) if last.critique is not None else {}
            words = last.next_prompt or last.prompt
            if continuation == "image":
                drawing = replace(drawing, start=last.best().picture.image)
    yield finish(done, stopped)


def stop_reason(
    done: Sequence[Round], rounds: int, tolerance: float, cancel: CancelFlag | None = None, patience: int = 1
) -> StopReason | None:
    """Why a run stops after its last round so far; None to go on."""
    last = done[-1]
    best = last.best()
    if cancel is not None and cancel.is_set():
        return "cancelled"
    if best.distance is None:
        return "unreadable"
    if best.distance <= tolerance and best.content_kept is not False:
        return "tolerance"
    if len(done) > patience:
        before, lately = done[:-patience], done[-patience:]
        if min(_rank(r.best()) for r in lately) >= min(_rank(r.best()) for r in before):
            return "no_gain"
    if len(done) >= rounds:
        return "rounds"
    return "no_edits" if last.next_prompt is None else None
