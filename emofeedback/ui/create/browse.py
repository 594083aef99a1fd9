"""Moving among what a visitor has on the Create tab: rounds, runs, branches, a choice, edits taken or dropped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.files.png_settings import PictureSettings, read_settings
from emofeedback.loop.prompt_edits import Choice
from emofeedback.protocols import LeftOut
from emofeedback.records import Picture, PictureRequest, Reading, Run
from emofeedback.ui.create.create_layout import EXAMPLE_STATUS, FIRST_STATUS
from emofeedback.ui.create.create_state import CreateState, ShownRun, SinglePicture
from emofeedback.ui.create.example import ExampleRun
from emofeedback.ui.create.run_view import RunView, Updates, compared, difference
from emofeedback.ui.history.saved_run import run_of
from emofeedback.ui.parts import html
from emofeedback.ui.session import Visit, Visits, friendly

BUSY = "Wait until the run is done, or stop it."
NO_ROUND = "There is no such round; choose one from the list."
MAX_EDIT = 200
"""Characters of a rewritten edit."""


class Browse:
    """The visitors' states of the Create tab, and the listeners that only look or choose; none waits for the models."""

    def __init__(self, visits: Visits, example: ExampleRun | None) -> None:
        self.visits, self.example = visits, example
        self.first_status = FIRST_STATUS if example is None else EXAMPLE_STATUS
        self.left_out: LeftOut | None = None  # of the generator at hand
        self._states: WeakKeyDictionary[Visit, CreateState] = WeakKeyDictionary()

    def of(self, visit: Visit) -> CreateState:
        """A visitor's state; a new one holds the example, so that a first visitor can go on from it."""
        if visit not in self._states:
            self._states.setdefault(visit, self.first())
        state = self._states[visit]
        state.plain, state.large, state.left_out = visit.plain, visit.large, self.left_out
        return state

    def at(self, request: gr.Request) -> CreateState:
        """The state of the visitor behind a request."""
        return self.of(self.visits.of(request))

    def first(self) -> CreateState:
        """A state as a new visitor finds it."""
        state = CreateState()
        state.status = self.first_status
        if self.example is not None:
            run = state.begin(self.example.prompt, self.example.target, self.example.files[0][0].parent, "Example")
            for index, done in enumerate(self.example.rounds):
                before = self.example.rounds[index - 1].critique if index else None
                run.add(done, before.edits if before else ())
            state.shown = run.best_number()
        return state

    def connect(self, view: RunView) -> None:
        """Listen to the candidates, the rounds, the edits and the comparison."""
        self.view = view
        s, j, outputs = view.output, view.judge, view.outputs()
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        spoken = {**quick, "queue": True}  # the page shows a refusal as a notice only where it comes from the queue
        s.strip.pick(self.pick, None, outputs, **spoken)
        s.strip.branch(self.branch, None, outputs, **spoken)
        s.strip.show_run(self.show_run, None, outputs, **spoken)
        s.star.click(self.star, None, outputs, **spoken)
        j.edits.input(self.choose, None, [j.next_prompt, j.difference], **quick)
        j.next_prompt.change(self.rewrite, [j.next_prompt], [j.difference], trigger_mode="always_last", **quick)
        gr.on([s.left.input, s.right.input], self.compare, [s.left, s.right], [s.compare], **quick)

    @friendly
    def pick(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Go back to a round: it is shown with its own advice, and the words and the mood are its run's."""
        state, number = self.free(request), number_of(event)
        if not state.show_round(number) or state.run is None:
            raise UserError(NO_ROUND)
        last = state.run.past.rounds[-1].number
        state.status = f"Round {number}. The next round begins a branch here." if number < last else f"Round {number}."
        return self.view.page(state) | self.view.fields(state)

    @friendly
    def branch(self, event: gr.EventData, request: gr.Request) -> Updates:
        """A new run with the history up to a round; the run it comes from is kept."""
        state, number, visit = self.free(request), number_of(event), self.visits.of(request)
        visit.runs += 1
        if state.branch(number, visit.files()) is None:
            raise UserError(NO_ROUND)
        state.status = f"A branch from round {number}: change its edits or the next prompt, then draw on."
        return self.view.page(state) | self.view.fields(state)

    @friendly
    def show_run(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Another of the visitor's runs is shown."""
        state = self.free(request)
        if not state.show_run(number_of(event)) or state.run is None:
            raise UserError("There is no such run; choose one above the rounds.")
        state.status = f"{state.run.title}."
        return self.view.page(state) | self.view.fields(state)

    @friendly
    def star(self, request: gr.Request) -> Updates:
        """The run on stage is kept for good, or no longer."""
        state, visit = self.free(request), self.visits.of(request)
        run = state.run
        if run is None or state.stage != "round" or visit.writer is None or visit.owner is None:
            raise UserError("Press Run first; then its pictures can be kept.")
        starred = not run.starred
        if not visit.writer.star(visit.owner, run, starred):
            visit.save(record_of(run), run)
            visit.writer.star(visit.owner, run, starred)
        run.starred = starred
        state.status = "Kept: it is pinned in History." if starred else "No longer pinned; it stays in History for now."
        return self.view.page(state)

    @friendly
    def choose(self, event: gr.EventData, request: gr.Request) -> tuple[Any, Any]:
        """Edits were taken, dropped or rewritten: the next prompt follows."""
        state = self.at(request)
        try:
            choices = [Choice(bool(row["on"]), str(row["new"])[:MAX_EDIT]) for row in event.rows]
            state.choose(choices)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise UserError("These edits are of an earlier round; choose a round from the list.") from None
        words = state.next_prompt()
        return words, self._difference(state, words)

    def rewrite(self, words: str, request: gr.Request) -> str:
        """The next prompt changed: it is kept where a person wrote it, and the difference follows."""
        state = self.at(request)
        if state.stage != "round":
            return ""
        if not state.busy:
            state.rewrite(words or "")
        return self._difference(state, words or "")

    def _difference(self, state: CreateState, words: str) -> str:
        return difference(state, words) + html.left_out(self.view.left_out(words), "The next prompt")

    @friendly
    def again(self, request: gr.Request) -> Updates:
        """What is on stage once more, with files as the visitor wants them now (the switch in History)."""
        return self.view.page(self.at(request))

    @friendly
    def compare(self, left: str | None, right: str | None, request: gr.Request) -> Any:
        """Two pictures under one slider."""
        found = compared(self.at(request), left, right)
        if found is None:
            raise UserError("Run at least one round, then choose two pictures to compare.")
        return found

    def use(self, event: gr.EventData, request: gr.Request) -> Updates:
        """A person chose a candidate: it becomes the round's picture, here, in history and for all that follows."""
        state, visit = self.free(request), self.visits.of(request)
        run, (number, index) = state.run, candidate_of(event)
        done = run.round(number) if run is not None else None
        if run is None or done is None or not 0 <= index < len(done.candidates):
            raise UserError("There is no such picture; choose one from the row.")
        if run.use(number, index) is None:
            return {self.view.output.status: gr.skip()}
        state.show_round(number)
        changed = run.round(number)
        state.picked = number if number < run.past.rounds[-1].number else None
        state.seed = changed.best().picture.request.seed if changed else state.seed
        state.advising = bool(changed and changed.critique is None and changed.best().reading is not None)
        back = changed is not None and changed.judge_choice is None
        state.status = "The judge's own choice is back." if back else "Your choice. The judge looks at it …"
        visit.save(record_of(run), run, instead=True)
        return self.view.page(state)

    def bring(self, source: Callable[..., Any], inputs: Any, find: Callable[..., Any], title: str) -> None:
        """Put a picture of another tab on stage when a button there is pressed.

        Args:
            source: the button's event.
            find: (value of `inputs`, request) -> (picture, reading, file), or None where there is none.
        """

        @friendly
        def brought(value: Any, request: gr.Request) -> Updates:
            found = find(value, request)
            state = self.at(request)
            if found is None or state.busy:
                return {self.view.output.status: gr.skip()}
            picture, reading, _ = found
            self.show(request, picture, reading, title)
            return self.view.page(state)

        source(brought, inputs, self.view.outputs(), queue=False, show_progress="hidden", api_visibility="private")

    def show(self, request: gr.Request, picture: Picture, reading: Reading | None, title: str, told: str = "") -> None:
        """Put a picture of its own on stage; one without a reading is read by whoever settles it (preview.py)."""
        state, visit = self.at(request), self.visits.of(request)
        target, settled = picture.request.affect, reading is not None
        state.show_single(SinglePicture(title, picture, reading, target, visit.fresh(), told, settled=settled))
        state.status = f"{title}. Press Run to draw from these settings."

    def free(self, request: gr.Request) -> CreateState:
        """The visitor's state.

        Raises:
            UserError: something is at work.
        """
        state = self.at(request)
        if state.busy:
            raise UserError(BUSY)
        return state


def record_of(run: ShownRun) -> Run:
    """A run of the page as history takes it."""
    return run.settled or run_of(run.prompt, run.target, run.past.rounds, "rounds", run.settings)


def dropped_picture(file: Path) -> tuple[Picture, PictureSettings]:
    """A dropped PNG as a picture with the settings that it carries.

    Raises:
        UserError: it is no picture, or carries no settings.
    """
    settings = read_settings(file, name="The dropped file")
    image = open_picture(file, name="The dropped file")
    affect = None
    if settings.valence is not None and settings.arousal is not None:
        affect = Affect(settings.valence, settings.arousal)
    asked = PictureRequest(settings.prompt or "", affect, settings.seed or 0, settings.strength or 1.0, settings.steps)
    return Picture(image, asked, settings.model or "unknown", 0.0), settings


def number_of(event: gr.EventData) -> int:
    """The number that strip.js sends.

    Raises:
        UserError: something else was sent.
    """
    try:
        return int(event.number)
    except (AttributeError, TypeError, ValueError):
        raise UserError("Choose a round from the list.") from None


def candidate_of(event: gr.EventData) -> tuple[int, int]:
    """The round and the candidate that gallery.js sends.

    Raises:
        UserError: something else was sent.
    """
    try:
        return int(event.round), int(event.index)
    except (AttributeError, TypeError, ValueError):
        raise UserError("Choose a picture from the row.") from None
