"""The place among those who wait for the models, and the time that is left: from what the queue holds and measured."""

import time
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

from emofeedback.ui.session import MODELS
from emofeedback.ui.time_left import TimeLeft, duration
from emofeedback.ui.waiting_line import Place, WaitingLine, place_words


def line_of(waiting: list[Any], running: list[Any], seconds: dict[str, float], begun: float) -> WaitingLine:
    """A line over a queue as Gradio holds it."""
    times = {fn: SimpleNamespace(count=1, avg_time=mean) for fn, mean in seconds.items()}
    starts = defaultdict(set, {event.fn: {time.time() - begun} for event in running})
    queue = SimpleNamespace(
        event_queue_per_concurrency_id={MODELS: SimpleNamespace(queue=waiting, start_times_per_fn=starts)},
        active_jobs=[running or None, None],
        process_time_per_fn=times,
    )
    line = WaitingLine()
    line._page = SimpleNamespace(_queue=queue)  # type: ignore[assignment]
    return line


def event(session: str, fn: str) -> Any:
    return SimpleNamespace(session_hash=session, fn=fn, concurrency_id=MODELS)


def test_the_place_counts_what_runs_and_what_waits_before() -> None:
    waiting, running = [event("b", "sheet"), event("me", "sheet")], [event("a", "run")]
    line = line_of(waiting, running, {"run": 20.0, "sheet": 7.0}, begun=15.0)
    place = line.place("me")
    assert place is not None and (place.ahead, place.own, round(place.seconds or 0)) == (2, False, 12)
    assert place_words(place) == "2 orders come first, about 12 s …"
    assert line.place("a") is None and line.place(None) is None  # one runs already, the other is nobody
    unknown = line_of(waiting, running, {"run": 20.0}, begun=15.0).place("me")
    assert unknown == Place(2, False, None)  # no sheet was drawn yet, so its time is not guessed
    own = line_of([event("me", "sheet")], [event("me", "run")], {"run": 5.0}, begun=0.0).place("me")
    assert own is not None and place_words(own) == "Your other work comes first, about 5 s …"


def test_the_time_left_is_said_once_it_was_measured() -> None:
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    assert left.words(0.5) == ""
    now[0] = 10.0
    assert left.words(0.01) == left.words(1.0) == ""
    assert left.words(0.25) == ", about 30 s left" and left.words(0.05) == ""
    assert duration(200) == "3 minutes" and duration(0.2) == "1 s"
