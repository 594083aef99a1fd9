"""Runs of the page as history takes them: saved when their events end, or made from rounds drawn one by one."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from emofeedback.affect import Affect
from emofeedback.loop.rounds import Past
from emofeedback.loop.run import Event
from emofeedback.loop.waiting import CancelFlag
from emofeedback.records import Candidate, Cost, Picture, Reading, Round, Run, StopReason
from emofeedback.ui.history.history_writer import begins_with
from emofeedback.ui.session import Visit


class GrowingRun(Protocol):
    """A run as it grows on the page; `settled` is the loop's own record once it has ended."""

    @property
    def prompt(self) -> str: ...
    @property
    def target(self) -> Affect: ...
    @property
    def past(self) -> Past: ...
    @property
    def settled(self) -> Run | None: ...
    @property
    def settings(self) -> Mapping[str, object]: ...


def saving(events: Iterator[Event], visit: Visit, run: GrowingRun, cancel: CancelFlag) -> Iterator[Event]:
    """The same events; when they end, whatever ends them, the rounds that are done go into the visitor's history.

    Args:
        run: grows while the events are shown; its next calls continue the same entry.
        cancel: says whether the run was stopped.
    """
    begun = run.past.rounds
    try:
        yield from events
    finally:
        rounds = run.past.rounds
        if len(rounds) > len(begun) or not begins_with(rounds, begun):
            settled = run.settled
            whole = settled is not None and len(settled.rounds) == len(rounds) and begins_with(settled.rounds, rounds)
            stopped: StopReason = "cancelled" if cancel.is_set() else "rounds"
            visit.save(
                settled if settled and whole else run_of(run.prompt, run.target, rounds, stopped, run.settings), run
            )


def single(picture: Picture, reading: Reading | None, target: Affect) -> Run:
    """One picture as a run of one round."""
    distance = None if reading is None else reading.affect.distance(target)
    only = Candidate(picture, reading, distance, None, chosen=True)
    done = Round(1, picture.request.prompt, (only,), None, None, Cost(seconds=picture.seconds, pictures=1))
    return run_of(picture.request.prompt, target, (done,), "rounds")


def run_of(
    prompt: str,
    target: Affect,
    rounds: tuple[Round, ...],
    stopped: StopReason,
    rules: Mapping[str, object] | None = None,
) -> Run:
    """A run made by hand, round by round; its settings are those that its first pictures were drawn with.

    Args:
        rules: settings that no picture tells of, see `CreateOrder.settings`; None = there are none.
    """
    first = rounds[0].candidates[0]
    request = first.picture.request
    settings: dict[str, object] = {
        "rounds": len(rounds),
        "candidates": len(rounds[0].candidates),
        "seed": request.seed,
        "strength": request.strength,
        "steps": request.steps,
        "guidance": request.guidance,
        "start_image": request.start is not None,
        "start_strength": request.start_strength,
        **({"negative_prompt": request.negative} if request.negative else {}),
        **({} if request.size is None else {"width": request.size[0], "height": request.size[1]}),
        **(rules or {}),
    }
    readers = [c.reading.judge for done in rounds for c in done.candidates if c.reading is not None]
    return Run(prompt, target, rounds, stopped, first.picture.model, readers[0] if readers else "", settings)
