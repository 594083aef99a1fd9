"""The place among those who wait for the models, and the time that is left: from what the queue holds and measured."""

from types import SimpleNamespace
from typing import Any

from emofeedback.ui.session import MODELS
from emofeedback.ui.time_left import TimeLeft, duration
from emofeedback.ui.turns import Place
from emofeedback.ui.waiting_line import WaitingLine, place_words


def line_of(waiting: list[Any], running: list[Any]) -> WaitingLine:
    """A line over a queue as Gradio holds it."""
    queue = SimpleNamespace(
        event_queue_per_concurrency_id={MODELS: SimpleNamespace(queue=waiting)}, active_jobs=[running or None, None]
    )
    line = WaitingLine()
    line._page = SimpleNamespace(_queue=queue)  # type: ignore[assignment]
    return line


def event(session: str) -> Any:
    return SimpleNamespace(session_hash=session, concurrency_id=MODELS)


def test_the_place_counts_what_runs_and_what_waits_before() -> None:
    line = line_of([event("b"), event("me")], [event("a")])
    place = line.place("me")
    assert place == Place(2, False, None) and place_words(place) == "2 orders come first …"
    assert line.place("a") is None and line.place(None) is None  # one runs already, the other is nobody
    own = line_of([event("me")], [event("me")]).place("me")
    assert own is not None and place_words(own) == "Your other work comes first …"
    assert place_words(Place(1, False, 12.0)) == "Somebody else's pictures come first, about 12 s …"
    assert place_words(Place(0, False, 0)) == "Next …"


def test_the_time_left_is_said_once_it_was_measured() -> None:
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    assert left.words(0.5) == ""
    now[0] = 10.0
    assert left.words(0.01) == left.words(1.0) == ""
    assert left.words(0.25) == ", about 30 s left" and left.words(0.05) == ""
    assert duration(200) == "3 minutes" and duration(0.2) == "1 s"
