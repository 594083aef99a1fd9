"""A visitor's true place among those who wait for the models, in words, while their own work has not begun.

Work that has come as far as `ModelsTurn.wait` tells its place itself. More work than that has room for waits in the
page's own queue, which is looked at here.
"""

from typing import Any

import gradio as gr
from gradio.context import Context

from emofeedback.ui.parts import html
from emofeedback.ui.session import MODELS
from emofeedback.ui.time_left import duration
from emofeedback.ui.turns import Place

TICK = 1.0
"""Seconds between two looks."""


class WaitingLine:
    """Reads the page's queue; to be made while the page is built."""

    def __init__(self) -> None:
        self._page = Context.root_block

    def place(self, session: str | None) -> Place | None:
        """A visitor's place; None where nothing of theirs waits in the queue.

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
        before = [*running, *waiting[:mine]]
        return Place(len(before), any(event.session_hash == session for event in before), None)

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
