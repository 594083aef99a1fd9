"""Moving among the rounds of the Create tab: back to one, branch from one, between runs; edits taken or dropped."""

from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from emofeedback.errors import UserError
from emofeedback.loop.prompt_edits import Choice
from emofeedback.ui.create.create_state import CreateState
from emofeedback.ui.create.example import ExampleRun
from emofeedback.ui.create.run_view import RunView, Updates, compared, difference, page_values
from emofeedback.ui.session import Visit, Visits, friendly

BUSY = "Wait until the run is done, or stop it."
MAX_EDIT = 200
"""Characters of a rewritten edit."""


class Browse:
    """The visitors' states of the Create tab, and the listeners that only look or choose; none waits for the models."""

    def __init__(self, visits: Visits, example: ExampleRun | None) -> None:
        self.visits, self.example = visits, example
        self._states: WeakKeyDictionary[Visit, CreateState] = WeakKeyDictionary()

    def of(self, visit: Visit) -> CreateState:
        """A visitor's state; a new one holds the example, so that a first visitor can go on from it."""
        if visit not in self._states:
            self._states.setdefault(visit, self.first())
        state = self._states[visit]
        state.plain, state.large = visit.plain, visit.large
        return state

    def first(self) -> CreateState:
        """A state as a new visitor finds it."""
        state = CreateState()
        if self.example is not None:
            run = state.begin(self.example.prompt, self.example.target, self.example.files[0][0].parent, "Example")
            run.shipped = True
            for index, done in enumerate(self.example.rounds):
                before = self.example.rounds[index - 1].critique if index else None
                run.add(done, before.edits if before else ())
            state.shown = run.best_number()
            state.file = page_values(state).get("picture")
        return state

    def connect(self, view: RunView) -> None:
        """Listen to the strip, the edits and the comparison."""
        self.view = view
        s, j, outputs = view.output, view.judge, view.outputs()
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        spoken = {**quick, "queue": True}  # the page shows a refusal as a notice only where it comes from the queue
        s.strip.pick(self.pick, None, outputs, **spoken)
        s.strip.branch(self.branch, None, outputs, **spoken)
        s.strip.show_run(self.show_run, None, outputs, **spoken)
        j.edits.input(self.choose, None, [j.next_prompt, j.difference], **quick)
        j.next_prompt.change(self.rewrite, [j.next_prompt], [j.difference], trigger_mode="always_last", **quick)
        gr.on([s.left.input, s.right.input], self.compare, [s.left, s.right], [s.compare], **quick)

    @friendly
    def pick(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Go back to a round: it is shown with its own advice."""
        state = self._free(request)
        run, number = state.run, _number(event)
        if run is None or run.round(number) is None:
            raise UserError("There is no such round; choose one from the strip.")
        state.shown = state.picked = number
        last = run.past.rounds[-1].number
        told = f"Round {number}. Next round begins a branch here." if number < last else f"Round {number}, the last."
        return self.view.present(state) | self.view.idle(told, state)

    @friendly
    def branch(self, event: gr.EventData, request: gr.Request) -> Updates:
        """A new run with the history up to a round; the run it comes from is kept."""
        state, number, visit = self._free(request), _number(event), self.visits.of(request)
        visit.runs += 1
        if state.branch(number, visit.files()) is None:
            raise UserError("There is no such round; choose one from the strip.")
        told = f"A branch from round {number}: change its edits or the next prompt, then Next round or Run all."
        return self.view.present(state) | self.view.idle(told, state)

    @friendly
    def show_run(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Another of the visitor's runs is shown."""
        state, index = self._free(request), _number(event)
        if not 0 <= index < len(state.runs):
            raise UserError("There is no such run; choose one above the strip.")
        state.at, state.picked, state.branched = index, None, False
        run = state.runs[index]
        state.shown = run.best_number()
        return self.view.present(state) | self.view.idle(f"{run.title}.", state)

    @friendly
    def choose(self, event: gr.EventData, request: gr.Request) -> tuple[Any, Any]:
        """Edits were taken, dropped or rewritten: the next prompt follows."""
        state = self.of(self.visits.of(request))
        try:
            choices = [Choice(bool(row["on"]), str(row["new"])[:MAX_EDIT]) for row in event.rows]
            state.choose(choices)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise UserError("These edits are of an earlier round; choose a round from the strip.") from None
        words = state.next_prompt()
        return words, difference(state, words)

    def rewrite(self, words: str, request: gr.Request) -> str:
        """The next prompt changed, by hand or by an edit: the difference follows."""
        return difference(self.of(self.visits.of(request)), words or "")

    @friendly
    def again(self, request: gr.Request) -> Updates:
        """The round on stage once more, with files as the visitor wants them now (the switch in History)."""
        state = self.of(self.visits.of(request))
        started = state.run is not None and state.run.past.rounds and not state.busy
        return self.view.present(state) if started else {self.view.output.status: gr.skip()}

    @friendly
    def compare(self, left: int | None, right: int | None, request: gr.Request) -> Any:
        """Two rounds' pictures under one slider."""
        state = self.of(self.visits.of(request))
        if state.run is None or left is None or right is None:
            raise UserError("Run at least one round, then choose two to compare.")
        return compared(state, state.run, int(left), int(right))

    def _free(self, request: gr.Request) -> CreateState:
        visit = self.visits.of(request)
        if self.of(visit).busy:
            raise UserError(BUSY)
        return self.of(visit)


def _number(event: gr.EventData) -> int:
    """The number that strip.js sends.

    Raises:
        UserError: something else was sent.
    """
    try:
        return int(event.number)
    except (AttributeError, TypeError, ValueError):
        raise UserError("Choose a round from the strip.") from None
