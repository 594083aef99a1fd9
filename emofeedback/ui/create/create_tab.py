"""The Create tab: runs shown round by round, rounds steered by hand, choices, variations; the preview is in preview.py.

Work goes on a thread of its own (play.py) and changes the visitor's state; the page is drawn from that state alone, by
whoever follows the work: the listener that began it, or the page that was loaded again meanwhile.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.errors import Cancelled, UserError
from emofeedback.loop.rounds import Past, Rules, Turn, next_turn, prompt_after
from emofeedback.loop.run import Event, Finished, Progress, RoundDone, draw_round, run_loop
from emofeedback.protocols import Generator, Judge
from emofeedback.records import Picture
from emofeedback.ui.create import create_layout as layout
from emofeedback.ui.create.browse import BUSY, Browse, candidate_of, dropped_picture, record_of
from emofeedback.ui.create.create_order import Contributor, CreateOrder, as_drawn_by, read_order, seed_of
from emofeedback.ui.create.create_state import CreateState, ShownRun, Work
from emofeedback.ui.create.drawable import drawable_words
from emofeedback.ui.create.example import ExampleRun
from emofeedback.ui.create.play import Play
from emofeedback.ui.create.preview import Preview
from emofeedback.ui.create.restore import CREATE
from emofeedback.ui.create.run_view import STOPPED, RunView, Updates, ended, page_values, picture_shown, round_files
from emofeedback.ui.history.saved_run import saving
from emofeedback.ui.models_turn import models_turn
from emofeedback.ui.parts import html
from emofeedback.ui.parts.at_once import UNFINISHED, say_at_once
from emofeedback.ui.parts.pad import overlay
from emofeedback.ui.parts.reach import region
from emofeedback.ui.session import HEAVY, MAX_WORDS, Models, Visit, Visits, friendly, friendly_stream, notice
from emofeedback.ui.waiting_line import place_words

NOT_STARTED = "This did not start; the notice says why."
CREATE_WORK = "create"
"""What Stop of this tab stops."""
NEAR = 0.55
"""Share of the noise schedule that a variation runs again on its picture."""


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
        self.browse.left_out = self.left_out
        state = self.browse.first()
        first = page_values(state) if state.runs else {}
        with gr.Column(elem_id="create"):
            bar = layout.ask_bar(example.prompt if example else layout.START_PROMPT)
            with gr.Row(elem_classes=["page-columns", "create"]):
                self.controls = layout.controls(bar, target, first)
                self.output = layout.output(first)
                self.judge = layout.judge_side(bar, first)
        self.tab_name = gr.Textbox(visible=False)  # of the browser tab, given by page.js
        self.view = RunView(self.controls, self.output, self.judge, self.left_out, visits.writer is not None)
        self.preview = Preview(models, visits, self.browse, self.view, self.always)
        self.follow = layout.follow
        self._connect()
        self.browse.connect(self.view)

    def before(self) -> gr.Accordion:
        """The place "Before the first round", to be entered with `with`; it shows once something is built in it."""
        self.controls.before.visible = True
        return self.controls.before

    def knobs(self) -> set[Any]:
        """The components that an order is read from."""
        return {getattr(self.controls, name) for name in CREATE}

    def _connect(self) -> None:
        c, s, j = self.controls, self.output, self.judge
        heavy: dict[str, Any] = {"api_visibility": "private", **HEAVY}
        # while a job waits, Gradio writes its place in the line over the status
        shown = {"show_progress": "minimal", "show_progress_on": [s.status]}
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        knobs, outputs = self.knobs(), self.view.outputs()
        jobs = []
        for pressed, work in (([j.run.click], self.run), ([j.again.click], self.step)):
            say_at_once(pressed, s.status, [s.download])
            asked = gr.on(pressed, self.wait, None, outputs, **quick)
            job = asked.success(work, knobs | {j.next_prompt}, outputs, **heavy, **shown)
            job.failure(self.turned_away, None, outputs, **quick)
            jobs.append(job)
        used = s.gallery.use(friendly(self.browse.use), None, outputs, **{**quick, "queue": True})
        advised = used.success(self.advise, None, outputs, **heavy, **shown)
        varied = s.gallery.vary(self.vary, knobs, outputs, **heavy, **shown)
        for job in (advised, varied):
            job.failure(self.turned_away, None, outputs, **quick)
        self.preview.connect(knobs, quick)
        j.stop.click(self.stop, None, outputs, cancels=[*jobs, advised, varied], **quick)
        c.prompt.change(self.remarks, [c.prompt], [c.unknown], trigger_mode="always_last", **quick)
        c.prompt.change(self.reach, [c.prompt], [c.reach], trigger_mode="always_last", **quick)
        c.die.click(None, None, [c.seed], js=f"() => {layout.RANDOM}", **quick)
        c.last_seed.click(self.last_seed, None, [c.seed], **quick)
        s.about.reuse(None, None, [c.seed], js="() => window.emo.lastSeed", **quick)
        c.tools.words(self.drawable, None, [c.words_list], **quick)
        c.drop.upload(
            self.dropped, [c.drop], list(dict.fromkeys([*outputs, *self._fields(), c.drop])), **{**quick, "queue": True}
        )

    # ------------------------------------------------------------ what this browser keeps

    def _fields(self) -> list[Any]:
        return [getattr(self.controls, name) for name in CREATE]

    def keep(self, page: gr.Blocks, more: dict[str, Any], then: list[tuple[Callable[..., Any], Any, Any]]) -> None:
        """Bring settings and the last run back when the page is loaded; keep the settings at every change.

        Args:
            more: components of panels that are kept too, by name.
            then: (handler, inputs, outputs) to call when the settings are back.
        """
        c = self.controls
        fields = {name: getattr(c, name) for name in CREATE} | more
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        everything = [*fields.values(), c.pad]
        script = json.dumps([described(name, component) for name, component in fields.items()])
        back = page.load(None, None, everything, js=f"() => window.emo.start({script})", **quick)
        gr.on(
            [component.change for component in fields.values()],
            None,
            list(fields.values()),
            None,
            js="(...values) => window.emo.keep(...values)",
            **quick,
        )
        put = c.tools.put(None, None, everything, js="() => window.emo.take()", **quick)
        self.preview.draw_after(put.then)
        for function, inputs, outputs in then:
            back.then(function, inputs, outputs, **quick)
            put.then(function, inputs, outputs, **quick)
        page.load(self._offers_once_loaded, None, [c.negative_prompt, c.size], **quick)
        arrived = page.load(
            self.arrive,
            [self.tab_name, c.prompt],
            [*self.view.outputs(), c.unknown, c.reach],
            js="(name, prompt) => [window.emo.tab(), prompt]",
            **quick,
        )
        arrived.then(
            self.resume,
            None,
            self.view.outputs(),
            show_progress="hidden",
            api_visibility="private",
            concurrency_id="create-follow",
            concurrency_limit=None,
        )

    def arrive(self, tab: str | None, prompt: str | None, request: gr.Request) -> Updates:
        """The page was loaded: what this browser tab had on stage is there again, also while a run goes on."""
        visit = self.visits.arrive(request, tab)
        state = self.browse.of(visit)
        if not state.busy:
            self.preview.stop(visit)
        if state.waiting and state.play_ended:
            state.waiting, state.status = False, "Your run left the line when the page was loaded again; press Run."
        if state.status == self.browse.first_status:
            return {self.controls.reach: self.reach(prompt)}  # nothing has happened: as the page shows it already
        return self.view.page(state) | {self.controls.reach: self.reach(prompt)}

    @friendly_stream
    def resume(self, request: gr.Request) -> Iterator[Updates]:
        """Follow a run that goes on since before the page was loaded."""
        state = self.browse.at(request)
        yield {self.output.status: gr.skip()}
        if state.play is not None and not state.play_ended:
            yield from self._follow(state, state.play)

    # ------------------------------------------------------------ words, seeds, files

    def offers(self) -> list[Any]:
        """Which controls the generator at hand has a use for: a negative prompt, a size."""
        pair = self.models.peek()
        if pair is None:
            return [gr.skip(), gr.skip()]
        return [gr.update(visible=pair[0].takes_negative), gr.update(visible=pair[0].sizes is not None)]

    def _offers_once_loaded(self) -> list[Any]:
        self.models.trouble(wait=20)
        return self.offers()

    def drawing_shown(self, request: gr.Request) -> Picture:
        """The picture on stage.

        Raises:
            UserError: there is none, or a run is at work.
        """
        state = self.browse.free(request)
        picture = picture_shown(state)
        if picture is None:
            raise UserError("There is no picture yet; press Run first.")
        return picture

    @friendly
    def file_shown(self, request: gr.Request) -> str:
        """The file of the picture on stage, for another tab to take."""
        self.drawing_shown(request)
        file = page_values(self.browse.at(request))["picture"]
        if not isinstance(file, str):
            raise UserError("The preview still moves; press once it stands still.")
        return file

    def left_out(self, prompt: str) -> str:
        """The end of a prompt that the generator at hand leaves out; empty where it takes all of it."""
        pair = self.models.peek()
        generator: Any = pair[0] if pair else None
        return generator.left_out(prompt) if prompt and hasattr(generator, "left_out") else ""

    def remarks(self, prompt: str) -> str:
        """Under the prompt: the end that the generator leaves out, else the words that it does not know."""
        pair = self.models.peek()
        if pair is None or not prompt:
            return ""
        return html.left_out(self.left_out(prompt)) or html.unknown_words(prompt, pair[0].unknown_words(prompt))

    def reach(self, prompt: str | None) -> str:
        """The moods that what the prompt names can carry, shaded on the pad."""
        return overlay(region(prompt or ""))

    def drawable(self) -> str:
        """The words that the generator at hand draws."""
        pair = self.models.peek()
        return "" if pair is None else drawable_words(pair[0])

    def last_seed(self, request: gr.Request) -> Any:
        """The seed of the picture on stage, or of the last one drawn."""
        state = self.browse.at(request)
        seed = state.round.best().picture.request.seed if state.stage == "round" and state.round else state.seed
        if seed is None:
            raise notice(UserError("Nothing was drawn yet; run once, then its seed can be used again."))
        return seed

    @friendly
    def dropped(self, file: str | None, request: gr.Request) -> Updates:
        """A PNG was dropped on the tab: its picture on stage, its settings in the fields."""
        state = self.browse.free(request)
        if file is None:
            return {self.output.status: gr.skip()}
        picture, found = dropped_picture(Path(file))
        told = "Its settings are in the fields. Press Run to draw from them."
        self.browse.show(request, picture, None, "Your file", told)
        self.preview.read_now(request)
        c = self.controls
        updates = self.view.page(state) | {c.drop: None}
        for name in CREATE:
            value = getattr(found, name, None)
            low, high = (getattr(getattr(c, name), side, None) for side in ("minimum", "maximum"))
            if value is None:
                continue
            if isinstance(value, (int, float)) and low is not None and high is not None:
                value = max(low, min(high, value))
            updates[getattr(c, name)] = value
        if found.valence is not None and found.arousal is not None:
            updates[c.pad] = {"valence": found.valence, "arousal": found.arousal}
        return updates

    # ------------------------------------------------------------ runs and rounds

    @friendly
    def wait(self, request: gr.Request) -> Updates:
        """A button was pressed: until its turn comes the page says so, and Stop takes it out of the line."""
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        if state.busy:
            raise UserError(BUSY)
        state.waiting = True
        loading, busy = self.models.peek() is None, self.models.lock.locked()
        state.status = "Loading the models …" if loading else "Waiting for your turn …" if busy else "Starting …"
        self.preview.stop(visit)
        # what was written into the next prompt a moment ago is read by the job itself: it is left alone
        return {part: value for part, value in self.view.page(state).items() if part is not self.judge.next_prompt}

    def turned_away(self, request: gr.Request) -> Updates:
        """A job failed or was not let in; what went wrong is said by a notice."""
        state = self.browse.at(request)
        if state.waiting and state.play_ended:
            state.waiting, state.status = False, NOT_STARTED
        if state.advising:
            state.advising, state.status = False, "Your choice is kept; the judge was not asked about it."
        return self.view.page(state)

    @friendly
    def stop(self, request: gr.Request) -> Updates:
        """Stop whatever runs: it ends within one denoising step. What still waits leaves the line."""
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        with state.lock:  # a run that is just beginning sees it, or is seen here
            waited = state.waiting and state.work is None
            state.waiting = state.advising = False
            if state.play is not None:
                state.play.stopped = True
        visit.stop(CREATE_WORK)
        if state.play is not None:
            state.play.join(10)
        state.status = "You left the line; nothing was drawn." if waited else STOPPED
        return self.view.page(state)

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
        """All rounds of a new run, each shown as it happens; a fresh branch goes on from where it begins."""
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        if not state.waiting:  # stopped before its turn came
            yield {self.output.status: gr.skip()}
            return
        yield self.view.chrome(state)
        with self._begins(state):
            order = self._ordered(read_order(self.controls, data), visit)
            run, past = state.run, Past()
            first: Turn | None = None
            goes_on = state.stage == "round" and state.branched and run is not None and run.prompt == order.prompt
            if goes_on and run is not None:
                past, first = self._turn(state, run, order, data[self.judge.next_prompt], share_out=True)
            else:
                order, run = self._contributed(order, visit), None
                first = order.first
        rounds = max(order.rules.rounds, len(past.rounds) + 1) if goes_on else order.rules.rounds

        def events(cancel: Any) -> Iterator[Event]:
            generator, judge = self.models.get()
            going = as_drawn_by(generator, replace(order, rules=replace(order.rules, rounds=rounds)))
            return run_loop(generator, judge, going, past=past, first=first, cancel=cancel)

        yield from self._play(visit, order, run, past, rounds, events)

    @friendly_stream
    def step(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One round more of the run on stage, from the edits and the next prompt as the person left them.

        From a round that was gone back to it begins a branch.
        """
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        if not state.waiting:  # stopped before its turn came
            yield {self.output.status: gr.skip()}
            return
        yield self.view.chrome(state)
        with self._begins(state):
            run = state.run
            if run is None or state.stage != "round":
                raise UserError("Press Run first; the next round goes on from a round.")
            order = self._ordered(read_order(self.controls, data), visit)
            order = replace(order, prompt=run.prompt)
            past, turn = self._turn(state, run, order, data[self.judge.next_prompt], share_out=False)
            if state.picked and state.picked < run.past.rounds[-1].number:
                visit.runs += 1
                run, past = state.branch(state.picked, visit.files()), past.up_to(state.picked)

        def events(cancel: Any) -> Iterator[Event]:
            generator, judge = self.models.get()
            return draw_round(generator, judge, as_drawn_by(generator, order), turn, past=past, cancel=cancel)

        yield from self._play(visit, order, run, past, len(past.rounds) + 1, events)

    @friendly_stream
    def vary(self, data: dict[Any, Any], event: gr.EventData, request: gr.Request) -> Iterator[Updates]:
        """Pictures near one of the row: its words, its mood, and most of its drawing."""
        visit = self.visits.of(request)
        state = self.browse.free(request)
        number, index = candidate_of(event)
        source = state.run
        done = source.round(number) if source is not None else None
        if source is None or done is None or not 0 <= index < len(done.candidates):
            raise UserError("There is no such picture; choose one from the row.")
        item = done.candidates[index]
        state.waiting, state.status = True, "Starting …"
        yield self.view.page(state)
        with self._begins(state):
            words = item.picture.request.prompt
            order = self._ordered(replace(read_order(self.controls, data), prompt=words, target=source.target), visit)
            drawing = replace(order.drawing, start=item.picture.image, start_strength=NEAR, seed=seed_of(layout.RANDOM))
            order = replace(order, drawing=drawing, rules=Rules(1, order.rules.tolerance))
        title = f"{state.title()} · variations of {source.title.split(' · ')[0].lower()}"

        def events(cancel: Any) -> Iterator[Event]:
            generator, judge = self.models.get()
            return draw_round(generator, judge, as_drawn_by(generator, order), Turn(words), cancel=cancel)

        yield from self._play(visit, order, None, Past(), 1, events, title)

    @friendly_stream
    def advise(self, request: gr.Request) -> Iterator[Updates]:
        """The judge says which words it would change for the picture that a person chose."""
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        if not state.advising or state.run is None:
            yield {self.output.status: gr.skip()}
            return
        run, number = state.run, state.shown
        try:
            with models_turn(self.models, visit, CREATE_WORK) as turn:
                for place in turn.wait():
                    yield {self.output.status: html.progress(place_words(place))}
                _, judge = self.models.get()
                done = run.round(number)
                if done is not None and done.critique is None:
                    attempts = run.past.up_to(number).attempts(done, run.prompt)
                    alive = {self.output.status: gr.skip()}
                    critique = yield from turn.ask(judge, partial(judge.advise, attempts, run.target), alive)
                    if state.advising and run.round(number) is done:  # not stopped meanwhile
                        after = prompt_after(done.prompt, critique, self.left_out)
                        cost = replace(done.cost, critiques=1)
                        run.put(replace(done, critique=critique, next_prompt=after, advised_on=done.number, cost=cost))
                        visit.save(record_of(run), run, instead=True)
                        state.status = "Your choice. The judge's edits are for it now; the next round goes on from it."
        except Exception:
            state.status = "Your choice is kept; the judge's advice on it did not come."
            raise
        finally:
            state.advising = False
        yield self.view.page(state)

    @contextmanager
    def _begins(self, state: CreateState) -> Iterator[None]:
        """While an order is read: what goes wrong leaves the page as it was, and says so."""
        try:
            yield
        except Exception:
            state.waiting, state.status = False, NOT_STARTED
            raise

    @staticmethod
    def _turn(
        state: CreateState, run: ShownRun, order: CreateOrder, words: str | None, share_out: bool
    ) -> tuple[Past, Turn]:
        """The run's past as the new target sees it, and the next turn as the person left it."""
        past = run.past if order.target == run.target else run.past.aimed_at(order.target)
        if not (words or "").strip() and state.base() is None:
            return past, next_turn(past, state.left_out)
        return past, state.turn((words or "").strip(), past, share_out)

    def _play(
        self,
        visit: Visit,
        order: CreateOrder,
        run: ShownRun | None,
        past: Past,
        rounds: int,
        events: Callable[[Any], Iterator[Event]],
        title: str = "",
    ) -> Iterator[Updates]:
        """Begin the work of a run, new (None) or going on, and show it."""
        state = self.browse.of(visit)
        if run is None:
            visit.runs += 1
            run = ShownRun(title or state.title(), order.prompt, order.target, visit.files())
        going = run

        def task(play: Play) -> None:
            def too_much(pair: tuple[Generator, Judge] | None) -> None:
                steps = order.drawing.steps or (1 if pair is None else pair[0].default_steps)
                self.visits.hosting.check_work(rounds * order.drawing.candidates, steps)

            try:
                too_much(self.models.peek())
                with models_turn(self.models, visit, CREATE_WORK) as turn:
                    if play.stopped:
                        turn.cancel.set()
                    for place in turn.wait():
                        state.status = place_words(place)
                        play.tell(False)
                    too_much(self.models.get())
                    whole = False
                    with state.working(Work(going, rounds, here=lambda: turn.here)):
                        state.waiting = False
                        going.past, going.target, going.settings = past, order.target, order.settings()
                        for event in saving(turn.over(events(turn.cancel)), visit, going, turn.cancel):
                            state.take(event)
                            if isinstance(event, RoundDone):
                                with state.lock:  # the page writes the same files
                                    round_files(state, going, event.round)  # a slow upscaler works in its turn
                            if isinstance(event, Finished) and state.work is not None:
                                state.status, whole = ended(event, state.work), True
                            play.tell(not isinstance(event, Progress))
                if not whole:  # a round by hand
                    state.status = told(state)
            except Exception as error:
                state.status = STOPPED if play.stopped or isinstance(error, Cancelled) else UNFINISHED
                raise
            finally:
                state.waiting = False

        with state.lock:
            begins = state.waiting  # otherwise it was stopped while the order was read
            if begins:
                state.status = "Starting …" if self.models.peek() is not None else "Loading the models …"
                state.play = Play(task)
        if not begins or state.play is None:
            yield self.view.page(state)
            return
        yield from self._follow(state, state.play)

    def _follow(self, state: CreateState, play: Play) -> Iterator[Updates]:
        """Show some work until it ends; raises what ended it, where that was a fault."""
        for large in play.follow():
            if not play.stopped and not play.done:  # the whole of it follows then
                yield (
                    self.view.page(state)
                    if large
                    else {self.output.status: self.view.chrome(state)[self.output.status]}
                )
        yield self.view.page(state)
        if play.error is not None:
            raise play.error


def told(state: CreateState) -> str:
    """What a round by hand came to."""
    advice = state.advisory()
    edits = advice.critique.edits if advice and advice.critique else ()
    what = "Take, drop or rewrite the judge's edits, then draw on." if edits else "See what the judge reads."
    return f"Round {state.shown} is done. {what}"


def described(name: str, component: Any) -> dict[str, Any]:
    """A field for the browser, which keeps its value: its kind, its range and what it usually is (page.js)."""
    found: dict[str, Any] = {"name": name, "usual": component.value}
    match component:
        case gr.Textbox():
            return found | {"kind": "text", "high": MAX_WORDS}
        case gr.Checkbox():
            return found | {"kind": "bool"}
        case gr.Dropdown() if component.allow_custom_value:
            return found | {"kind": "text", "high": 40}
        case gr.Radio() | gr.Dropdown():
            return found | {"kind": "choice", "choices": [value for _, value in component.choices]}
    step = component.step if isinstance(component, gr.Slider) else 1
    kind = "whole" if float(step).is_integer() else "number"
    return found | {"kind": kind, "low": component.minimum, "high": component.maximum}
