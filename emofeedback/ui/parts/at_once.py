"""What the page shows in the browser itself when a button is pressed, before the server has answered."""

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from emofeedback.ui.parts import html

STARTING = "Starting …"
UNFINISHED = "This did not finish; the notice says why."


def say_at_once(pressed: Sequence[Any], status: gr.HTML, downloads: Sequence[gr.DownloadButton] = ()) -> None:
    """Say that work begins and take old files away, so that nobody takes what was made before for what is made now.

    To be called before the listeners that ask the server; whoever answers puts the files back (`gr.update(value=...)`).
    """
    gone = {"__type__": "update", "value": None, "interactive": False}
    answer = [html.progress(STARTING), *[gone] * len(downloads)]
    shown = answer if downloads else answer[0]
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    gr.on(list(pressed), None, None, [status, *downloads], js=f"() => ({json.dumps(shown)})", **quick)


def say_not_begun(job: Any, status: gr.HTML) -> None:
    """Where a job failed, or was not let in, before it said anything: take back what `say_at_once` said.

    The browser asks itself, because a job that was stopped counts as failed there, and has been told otherwise.
    """
    ended = json.dumps(html.progress(UNFINISHED, busy=False))
    script = f"(now) => (now || '').includes({json.dumps(STARTING)}) ? {ended} : now"
    job.failure(None, [status], [status], js=script, queue=False, show_progress="hidden", api_visibility="private")
