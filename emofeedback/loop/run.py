"""The loop: draw candidates, read them, choose, ask for advice, draw again from the edited prompt.

The textual feedback of EmoFeedback2, with what its reviewers asked for: candidates and costs are on record, rounds
stop early, and a person may take over between rounds. `run_loop` goes round by itself; `draw_round` is one turn of it,
for a caller that lets a person accept, drop or rewrite the edits. Both are generators of events, so a page and a
terminal show the same run; closing them stops the drawing within one denoising step.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.files.run_json import visual_json
from emofeedback.loop.candidates import choose, read_candidates
from emofeedback.loop.drawing import CancelFlag, Drawing, Progress, draw_pictures
from emofeedback.loop.rounds import Past, Rules, Turn, next_turn, prompt_after, reached, stop_reason
from emofeedback.loop.waiting import Answered, waited
from emofeedback.protocols import Generator, Judge, LeftOut, left_out_of
from emofeedback.records import Candidate, Cost, Critique, Edit, Picture, Round, Run, StopReason


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What a run is asked for: the user's words, the target, how candidates are drawn, and when it stops."""

    prompt: str
    target: Affect
    drawing: Drawing = Drawing()
    rules: Rules = Rules()


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
    order: RunOrder,
    turn: Turn,
    *,
    past: Past = Past(),  # noqa: B008 (frozen)
    cancel: CancelFlag | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Event]:
    """One round as events, the last of them RoundDone.

    The candidates are drawn from the turn's prompt, or share out its trials on equal seeds; the round's prompt is then
    that of the chosen one. Content is what the order's own words name, whatever edits made of them. The judge is asked
    for advice on the best picture so far, with the `past` in view: on an earlier round's where this one brought no
    gain. It is not asked when this round's picture lies within the tolerance, nor when `cancel` is set after the
    pictures were read; a judge that works elsewhere is left then, and the round goes without its advice. While such a
    judge is waited for there are `Waiting` events.

    Raises:
        Cancelled: `cancel` was set before the pictures were read.
    """
    begun = clock()
    number = len(past.rounds) + 1
    yield RoundStarted(number, turn.prompt)
    pictures: tuple[Picture, ...] = ()
    drawing = order.drawing
    if order.rules.continuation == "image" and turn.base is not None:
        drawing = replace(drawing, start=turn.base.best().picture.image)
    draws = turn.draws(drawing.candidates, drawing.seed, past)
    requests = drawing.requests(draws, order.target, generator.default_steps)
    for message in draw_pictures(generator, requests, cancel):
        if isinstance(message, Progress):
            yield message
        else:
            pictures = message
    drawn = clock()
    yield Drawn(tuple(Candidate(picture, None, None, None) for picture in pictures))
    if cancel is not None and cancel.is_set():
        raise Cancelled("The drawing was stopped.")

    candidates: tuple[Candidate, ...] = ()
    for answer in waited(judge, lambda: read_candidates(judge, pictures, order.target, order.prompt), cancel):
        if isinstance(answer, Answered):
            candidates = answer.value
        else:
            yield answer
    read = clock()
    yield ReadDone(candidates)
    index = choose(candidates)
    candidates = tuple(replace(c, chosen=i == index) for i, c in enumerate(candidates))
    chosen = candidates[index]
    yield Chosen(index, chosen)

    done = Round(number, chosen.picture.request.prompt, candidates, None, None, Cost())
    edits = tuple(turn.trials.get(done.prompt, ()))
    met = reached(chosen, order.rules.tolerance)
    if chosen.reading is not None and not met and not (cancel is not None and cancel.is_set()):
        bare = done
        try:
            cut = left_out_of(generator)
            for advice in waited(judge, lambda: _advised(judge, bare, past.then(bare, edits), order, cut), cancel):
                if isinstance(advice, Answered):
                    done = advice.value
                else:
                    yield advice
            yield Advised(done.critique, done.next_prompt)
        except Cancelled:  # the round itself is whole
            pass
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


def _advised(judge: Judge, done: Round, past: Past, order: RunOrder, left_out: LeftOut | None) -> Round:
    """The round with advice on the best round of a past that ends with it."""
    best = past.best() or done
    critique = judge.advise(past.attempts(best, order.prompt), order.target)
    after = prompt_after(best.prompt, critique, left_out)
    return replace(done, critique=critique, next_prompt=after, advised_on=best.number)


def run_loop(
    generator: Generator,
    judge: Judge,
    order: RunOrder,
    *,
    past: Past = Past(),  # noqa: B008 (frozen)
    first: Turn | None = None,
    cancel: CancelFlag | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Event]:
    """The whole run as events, the last of them Finished.

    Candidates of a later round share out the judge's edits: all of them, and each alone (`rounds.trials_of`). Each
    round goes on from the best one so far and keeps its seeds, so a picture changes only where the words do. A run
    stops when the chosen picture lies within the tolerance, the rounds are used up, the patience is at its end, no
    picture could be read, the advice could not be read twice in a row, or `cancel` is set; finished rounds are always
    in the Run. Where a model fails after a finished round, the Run says so in `failure` instead of raising.

    Args:
        past: rounds to go on from, a branch of an earlier run; the rules' rounds and the Run count them too.
        first: what the first round drawn here draws, in place of the prompt or of what the past asks for.

    Raises:
        UserError: a model failed before any round was done.
    """
    if first is None:
        first = next_turn(past, left_out_of(generator)) if past.rounds else Turn(order.prompt)
    turn, failure = first, None
    stopped: StopReason | None = None
    while stopped is None:
        try:
            for event in draw_round(generator, judge, order, turn, past=past, cancel=cancel, clock=clock):
                if isinstance(event, RoundDone):
                    past = past.then(event.round, event.edits)
                yield event
        except Cancelled:
            stopped = "cancelled"
            break
        except UserError as error:
            if not past.rounds:
                raise
            stopped, failure = "failed", str(error)
            break
        stopped = stop_reason(past.rounds, order.rules, cancel)
        if stopped is None:
            turn = next_turn(past, left_out_of(generator))
    yield Finished(_run(generator, judge, order, past, stopped, failure))


def rule_settings(drawing: Drawing, rules: Rules) -> dict[str, object]:
    """What no single picture's request tells of its run, by the names of `Run.settings`; saved PNGs carry it."""
    return {
        "tolerance": rules.tolerance,
        "patience": rules.patience,
        "continuation": rules.continuation,
        "start_strength": drawing.start_strength,
    }


def _run(
    generator: Generator, judge: Judge, order: RunOrder, past: Past, stopped: StopReason, failure: str | None
) -> Run:
    drawing, rules = order.drawing, order.rules
    settings: dict[str, object] = {
        "rounds": rules.rounds,
        "candidates": drawing.candidates,
        "seed": drawing.seed,
        "strength": drawing.strength,
        "steps": generator.default_steps if drawing.steps is None else drawing.steps,
        "guidance": drawing.guidance,
        **rule_settings(drawing, rules),
        "start_image": drawing.start is not None,
        **({} if drawing.visual is None else {"visual": visual_json(drawing.visual)}),
        **({"negative_prompt": drawing.negative} if drawing.negative else {}),
        **({} if drawing.size is None else {"width": drawing.size[0], "height": drawing.size[1]}),
    }
    return Run(order.prompt, order.target, past.rounds, stopped, generator.name, judge.name, settings, failure)
