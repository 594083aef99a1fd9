"""The Create tab: runs shown round by round, rounds steered by hand, branches; the preview is in preview.py."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from emofeedback.errors import Cancelled, UserError
from emofeedback.loop.rounds import Past, Turn, next_turn
from emofeedback.loop.run import Event, draw_round, run_loop
from emofeedback.ui.create import create_layout as layout
from emofeedback.ui.create.browse import BUSY, Browse
from emofeedback.ui.create.create_order import Contributor, CreateOrder, read_order
from emofeedback.ui.create.create_state import CreateState, ShownRun
from emofeedback.ui.create.example import ExampleRun
from emofeedback.ui.create.preview import Preview
from emofeedback.ui.create.run_view import RunView, Updates, page_values
from emofeedback.ui.history.saved_run import saving
from emofeedback.ui.parts import html
from emofeedback.ui.parts.at_once import UNFINISHED, say_at_once
from emofeedback.ui.session import MODELS, Models, Visit, Visits, friendly, friendly_stream


class CreateTab:
    """Builds the tab and answers its events; what a visitor has on it lives in their `CreateState`.

    A panel that takes part in a new run is built inside `controls.before` and hands a `Contributor` to `contributors`:

        with create.before():
            panel = ViewersPanel(...)
        create.contributors.append(panel.contribute)
    """

    def __init__(self, models: Models, visits: Visits, example: ExampleRun | None) -> None:
        self.models, self.visits = models, visits
        self.contributors: list[Contributor] = []
        self.always: list[Contributor] = []  # as `contributors`, but asked for every round, of a branch too
        target = example.target if example else layout.point_of("serene")
        self.browse = Browse(visits, example)
        with gr.Row(elem_classes=["page-columns", "create"]):
            first = page_values(self.browse.first())
            self.controls = layout.controls(example.prompt if example else layout.START_PROMPT, target, first)
            self.output = layout.output(first)
            self.judge = layout.judge_side(first)
        self.view = RunView(self.controls, self.output, self.judge)
        self.preview = Preview(models, visits, self.browse, self.view, self.always)
        self.follow = layout.follow
        self._connect()
        self.browse.connect(self.view)

    def before(self) -> gr.Accordion:
        """The place "Before the first round", to be entered with `with`; it shows once something is built in it."""
        self.controls.before.visible = True
        return self.controls.before

    def _connect(self) -> None:
        c, s, j = self.controls, self.output, self.judge
        heavy: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODELS, "concurrency_limit": 1}
        # while a job waits, Gradio writes its place in the line over the status
        shown = {"show_progress": "minimal", "show_progress_on": [s.status]}
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        knobs: set[Any] = {
            c.prompt,
            c.valence,
            c.arousal,
            c.rounds,
            c.candidates,
            c.strength,
            c.seed,
            c.randomize,
            c.continuation,
            c.start_strength,
            c.steps,
            c.tolerance,
            c.patience,
        }
        outputs = self.view.outputs()
        jobs = []
        for pressed, work in (
            ([j.run.click, c.prompt.submit], self.run),
            ([j.next_round.click, j.again.click], self.step),
        ):
            say_at_once(pressed, s.status, [s.download])
            asked = gr.on(pressed, self.wait, None, outputs, **quick)
            job = asked.success(work, knobs | {j.next_prompt}, outputs, **heavy, **shown)
            job.failure(self.turned_away, None, outputs, **quick)
            jobs.append(job)
        previews = self.preview.connect(knobs, quick, heavy)
        j.stop.click(self.stop, None, outputs, cancels=[*jobs, *previews], **quick)
        c.prompt.change(self.remarks, [c.prompt], [c.unknown], trigger_mode="always_last", **quick)

    def remarks(self, prompt: str) -> str:
        """Under the prompt: the words that the generator does not know, and the end that it leaves out."""
        pair = self.models.peek()
        if pair is None or not prompt:
            return ""
        generator: Any = pair[0]
        rest = generator.left_out(prompt) if hasattr(generator, "left_out") else ""  # not every model has a limit
        return html.unknown_words(prompt, generator.unknown_words(prompt)) + html.left_out(rest)

    @friendly
    def wait(self, request: gr.Request) -> Updates:
        """A button was pressed: until its turn comes the page says so, and Stop takes it out of the line."""
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        if state.busy:
            raise UserError(BUSY)
        state.waiting = True
        if state.previewing:
            visit.cancel.set()  # a preview gives way
        return self.view.busy(self.models.peek() is None, waits=self.models.lock.locked())

    def turned_away(self, request: gr.Request) -> Updates:
        """A job failed or was not let in; what went wrong is said by a notice."""
        state = self.browse.of(self.visits.of(request))
        if not state.waiting:
            return {self.output.status: gr.skip()}  # it began, and has said itself how it ended
        state.waiting = False
        return self.view.idle("This did not start; the notice says why.", state)

    @friendly
    def stop(self, request: gr.Request) -> Updates:
        """Stop whatever runs: it ends within one denoising step. What still waits leaves the line."""
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        waited, state.waiting = state.waiting, False
        visit.cancel.set()
        shown = self.view.present(state) if state.run and state.run.past.rounds else {}
        said = "You left the line; nothing was drawn." if waited else "Stopped. Finished rounds are kept."
        return shown | self.view.idle(said, state)

    def _ordered(self, order: CreateOrder, visit: Visit) -> CreateOrder:
        """The order with what panels add to every round."""
        for contribute in self.always:
            order = contribute(visit, order)
        return order

    def _contributed(self, order: CreateOrder, visit: Visit) -> CreateOrder:
        """The order of a new run with what the panels add."""
        for contribute in self.contributors:
            order = contribute(visit, order)
        return order

    @friendly_stream
    def run(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """All rounds, each shown as it happens; a fresh branch goes on from where it begins."""
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        if not state.waiting:  # stopped before its turn came
            yield {self.output.status: gr.skip()}
            return
        yield self.view.busy(self.models.peek() is None)
        try:
            state.waiting = False
            order = self._ordered(read_order(self.controls, data), visit)
            run, past, first = state.run, Past(), None
            goes_on = state.branched and run is not None and run.prompt == order.prompt
            if goes_on and run is not None:
                past, first = self._turn(state, run, order, data[self.judge.next_prompt], share_out=True)
            else:
                order = self._contributed(order, visit)
                first = order.first
        except Exception:
            yield self.view.idle("This did not start; the notice says why.", state)
            raise
        rounds = max(order.rules.rounds, len(past.rounds) + 1) if goes_on else order.rules.rounds

        def events(run: ShownRun, cancel: Any) -> Iterator[Event]:
            generator, judge = self.models.get()
            going = replace(order, rules=replace(order.rules, rounds=rounds))
            return run_loop(generator, judge, going, past=past, first=first, cancel=cancel)

        yield from self._play(visit, order, run if goes_on else None, past, rounds, events)

    @friendly_stream
    def step(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One round more of the run at hand, from the edits and the prompt as the person left them.

        From a round that was gone back to it begins a branch; with other words in the prompt box, a new run.
        """
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        if not state.waiting:  # stopped before its turn came
            yield {self.output.status: gr.skip()}
            return
        yield self.view.busy(self.models.peek() is None)
        try:
            state.waiting = False
            order = self._ordered(read_order(self.controls, data), visit)
            run, past = state.run, Past()
            if run is not None and run.past.rounds and run.prompt == order.prompt:
                past, turn = self._turn(state, run, order, data[self.judge.next_prompt], share_out=False)
                if state.picked and state.picked < run.past.rounds[-1].number:
                    visit.runs += 1
                    run, past = state.branch(state.picked, visit.files()), past.up_to(state.picked)
            else:
                order, run = self._contributed(order, visit), None
                turn = order.first or Turn(order.prompt)
        except Exception:
            yield self.view.idle("This did not start; the notice says why.", state)
            raise

        def events(run: ShownRun, cancel: Any) -> Iterator[Event]:
            generator, judge = self.models.get()
            return draw_round(generator, judge, order, turn, past=past, cancel=cancel)

        yield from self._play(visit, order, run, past, 1, events)
        yield self.view.idle(self._told(state), state)

    @staticmethod
    def _told(state: CreateState) -> str:
        """What a round by hand came to."""
        advice = state.advisory()
        edits = advice.critique.edits if advice and advice.critique else ()
        what = "Take, drop or rewrite the judge's edits, then draw again." if edits else "See what the judge reads."
        return f"Round {state.shown} is done. {what}"

    @staticmethod
    def _turn(
        state: CreateState, run: ShownRun, order: CreateOrder, words: str | None, share_out: bool
    ) -> tuple[Past, Turn]:
        """The run's past as the new target sees it, and the next turn as the person left it."""
        past = run.past if order.target == run.target else run.past.aimed_at(order.target)
        if not (words or "").strip() and state.base() is None:
            return past, next_turn(past)
        return past, state.turn((words or "").strip(), past, share_out)

    def _play(
        self,
        visit: Visit,
        order: CreateOrder,
        run: ShownRun | None,
        past: Past,
        rounds: int,
        events: Callable[[ShownRun, Any], Iterator[Event]],
    ) -> Iterator[Updates]:
        """Show the events of a run, new (None) or going on, and leave the buttons as they must be."""
        state = self.browse.of(visit)
        yield {self.controls.seed: order.drawing.seed}
        try:
            steps = order.drawing.steps or self.models.get()[0].default_steps
            self.visits.hosting.check_work(rounds * order.drawing.candidates, steps)
            with self.models.lock, visit.work() as cancel:
                state.playing = True
                if run is None:
                    visit.runs += 1
                    run = state.begin(order.prompt, order.target, visit.files())
                    yield self.view.clear(state)
                run.past, run.target, run.settings = past, order.target, order.settings()
                for event in saving(events(run, cancel), visit, run):
                    yield from self.view.show(event, state, run, rounds)
        except Cancelled:
            yield self.view.idle("Stopped. Finished rounds are kept.", state)
        except Exception:
            yield self.view.idle(UNFINISHED, state)
            raise
        finally:
            state.playing = False
