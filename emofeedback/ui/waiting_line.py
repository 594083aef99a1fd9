"""A visitor's true place among those who wait for the models, in words, while their own work has not begun."""

import time
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from emofeedback.ui.parts import html
from emofeedback.ui.session import MODELS
from emofeedback.ui.time_left import duration

TICK = 1.0
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Place:
    """How many orders come first, whether one is the visitor's own, and seconds until it is their turn; None = not
    known of all of them."""

    ahead: int
    own: bool
    seconds: float | None


class WaitingLine:
    """Reads the page's queue; to be made while the page is built."""

    def __init__(self) -> None:
        self._page = Context.root_block

    def place(self, session: str | None) -> Place | None:
        """A visitor's place; None where nothing of theirs waits.

        Gradio has no public view of its queue: its own list of waiting events is read here, and never changed.
        """
        queue = None if self._page is None else self._page._queue
        line = None if queue is None else queue.event_queue_per_concurrency_id.get(MODELS)
        if queue is None or line is None or session is None:
            return None
        waiting = list(line.queue)
        mine = next((i for i, event in enumerate(waiting) if event.session_hash == session), None)
        if mine is None:
            return None
        running = [event for job in list(queue.active_jobs) if job for event in job if event.concurrency_id == MODELS]
        seconds = [self._left(queue, line, event) for event in running]
        seconds += [self._usual(queue, event) for event in waiting[:mine]]
        before = [*running, *waiting[:mine]]
        known = [one for one in seconds if one is not None]
        own = any(event.session_hash == session for event in before)
        return Place(len(before), own, sum(known) if len(known) == len(before) else None)

    @staticmethod
    def _usual(queue: Any, event: Any) -> float | None:
        """Seconds that such work took on average; None where none was done yet."""
        times = queue.process_time_per_fn.get(event.fn)
        return times.avg_time if times is not None and times.count else None

    def _left(self, queue: Any, line: Any, event: Any) -> float | None:
        usual, begun = self._usual(queue, event), line.start_times_per_fn.get(event.fn)
        if usual is None or not begun:
            return usual
        return max(0.0, usual - (time.time() - min(begun)))

    def show(self, pressed: list[Any], status: gr.HTML) -> None:
        """Keep the status at the visitor's place from the moment that a button is pressed until the work begins.

        To be called before the listener that does the work: the page asks the listeners of a press one after another.
        """
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        timer = gr.Timer(TICK, active=False)
        gr.on(pressed, None, None, [timer], js="() => ({ __type__: 'update', active: true })", **quick)

        def tell(request: gr.Request) -> tuple[Any, Any]:
            place = self.place(request.session_hash)
            if place is None:
                return gr.skip(), gr.Timer(active=False)
            return html.progress(place_words(place)), gr.skip()

        timer.tick(tell, None, [status, timer], **quick)


def place_words(place: Place) -> str:
    """The place as a line on the page."""
    if place.ahead == 0:
        return "Next …"
    if place.own:
        said = "Your other work comes first"
    else:
        said = "Somebody else's pictures come first" if place.ahead == 1 else f"{place.ahead} orders come first"
    return f"{said} …" if place.seconds is None else f"{said}, about {duration(place.seconds)} …"
