"""The Create tab: preview on release, runs shown round by round, rounds steered by hand, branches."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.drawing import Drawing, Progress, draw_pictures
from emofeedback.errors import Cancelled, UserError
from emofeedback.loop import Continuation, Event, draw_round, run_loop
from emofeedback.records import PictureRequest
from emofeedback.steering import Past, Turn, next_turn
from emofeedback.storage import png_bytes, write_whole
from emofeedback.ui import create_layout as layout
from emofeedback.ui import html
from emofeedback.ui.bench import Bench, Sheaf
from emofeedback.ui.browse import Browse
from emofeedback.ui.circumplex import marks
from emofeedback.ui.desk import MAX_SEED, MODELS, Models, Visit, Visits, friendly, friendly_stream
from emofeedback.ui.example import Example
from emofeedback.ui.history_keep import kept
from emofeedback.ui.pad import as_value, overlay, point
from emofeedback.ui.run_view import RunView, Updates, scene

FOLLOW_PAD = "(point) => [point.valence, point.arousal]"
FOLLOW_SLIDERS = "(valence, arousal) => ({ valence, arousal })"


@dataclass(frozen=True)
class Order:
    """The controls' values when a button was pressed."""

    prompt: str
    target: Affect
    rounds: int
    strength: float
    drawing: Drawing
    continuation: Continuation
    tolerance: float
    patience: int


class CreateTab:
    """Builds the tab and answers its events; what a visitor has on it lives in their `Bench`."""

    def __init__(self, models: Models, visits: Visits, example: Example | None) -> None:
        self.models, self.visits = models, visits
        target = example.target if example else layout.point_of("serene")
        self.browse = Browse(visits, example)
        with gr.Row(elem_classes=["desk", "create"]):
            first = scene(self.browse.first())
            self.controls = layout.controls(example.prompt if example else layout.START_PROMPT, target, first)
            self.stage = layout.stage(first)
            self.judge = layout.judge_side(first)
        self.view = RunView(self.controls, self.stage, self.judge)
        self._connect()
        self.browse.connect(self.view)

    def _connect(self) -> None:
        c, s, j = self.controls, self.stage, self.judge
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        heavy = quiet | {"concurrency_id": MODELS, "concurrency_limit": 1}
        quick = quiet | {"queue": False}
        knobs: set[Any] = {
            c.prompt, c.valence, c.arousal, c.rounds, c.candidates, c.strength, c.seed, c.randomize, c.continuation,
            c.start_strength, c.steps, c.tolerance, c.patience,
        }  # fmt: skip
        outputs = self.view.outputs()
        run = gr.on([j.run.click, c.prompt.submit], self.run, knobs | {j.next_prompt}, outputs, **heavy)
        step = j.next_round.click(self.step, knobs | {j.next_prompt}, outputs, **heavy)
        c.pad.input(None, [c.pad], [c.valence, c.arousal], js=FOLLOW_PAD, **quick)
        gr.on(
            [c.valence.input, c.arousal.input], None, [c.valence, c.arousal], [c.pad], js=FOLLOW_SLIDERS, **quick
        )  # fmt: skip
        where = [c.pad, c.valence, c.arousal]
        moves = [c.pad.release(self.dragged, [c.pad], [c.valence, c.arousal], trigger_mode="multiple", **quick)]
        moves += [
            slider.release(self.moved, [c.valence, c.arousal], where, trigger_mode="multiple", **quick)
            for slider in (c.valence, c.arousal)
        ]
        moves += [
            c.strength.release(self.moved, [c.valence, c.arousal], where, trigger_mode="multiple", **quick),
            *(chip.click(self.preset(name), None, where, **quick) for name, chip in c.chips.items()),
        ]
        shown = [s.picture, s.status, s.download, c.marks, j.words]
        previews = [move.then(self.preview, knobs, shown, **heavy) for move in moves]
        j.stop.click(self.stop, None, outputs, cancels=[run, step, *previews], **quick)
        c.prompt.change(self.remarks, [c.prompt], [c.unknown], trigger_mode="always_last", **quick)

    def order(self, data: dict[Any, Any]) -> Order:
        """The controls as an order; every value is checked here or by the loop.

        Raises:
            UserError: a value is missing or out of range.
        """
        c = self.controls
        if data[c.seed] is None and not data[c.randomize]:
            raise UserError("Give a seed, or let each run take a new one.")
        seed = random.randint(0, MAX_SEED) if data[c.randomize] else int(data[c.seed])
        return Order(
            prompt=data[c.prompt] or "",
            target=Affect(data[c.valence], data[c.arousal]),
            rounds=int(data[c.rounds]),
            strength=float(data[c.strength]),
            drawing=Drawing(
                int(data[c.candidates]), seed, float(data[c.strength]), int(data[c.steps]) or None,
                start_strength=float(data[c.start_strength]),
            ),
            continuation=data[c.continuation],
            tolerance=float(data[c.tolerance]),
            patience=int(data[c.patience]),
        )  # fmt: skip

    @friendly
    def dragged(self, value: Any, request: gr.Request) -> tuple[float, float]:
        """The pad was let go: the sliders stand where it does, and a preview follows."""
        at = point(value)
        self._ask_preview(request)
        return at.valence, at.arousal

    def moved(self, valence: float, arousal: float, request: gr.Request) -> tuple[Any, ...]:
        """A slider was let go: the pad stands where the sliders do."""
        self._ask_preview(request)
        return self.follow(valence, arousal), gr.skip(), gr.skip()

    def _ask_preview(self, request: gr.Request) -> None:
        """A preview of an earlier point gives way to the one that follows now."""
        visit = self.visits.of(request)
        bench = self.browse.of(visit)
        bench.asked += 1
        if bench.previewing:
            visit.cancel.set()

    @staticmethod
    def follow(valence: float, arousal: float) -> dict[str, float]:
        """The pad's value where the sliders stand."""
        return as_value(Affect.clamped(valence, arousal))

    def preset(self, name: str) -> Callable[[gr.Request], tuple[Any, ...]]:
        """What a chip does: pad and sliders move to the emotion's point."""
        at = layout.point_of(name)

        def press(request: gr.Request) -> tuple[Any, ...]:
            self._ask_preview(request)
            return as_value(at), at.valence, at.arousal

        return press

    def remarks(self, prompt: str) -> str:
        """Under the prompt: the words that the generator does not know, and the end that it leaves out."""
        pair = self.models.peek()
        if pair is None or not prompt:
            return ""
        generator: Any = pair[0]
        rest = generator.left_out(prompt) if hasattr(generator, "left_out") else ""  # not every model has a limit
        return html.unknown_words(prompt, generator.unknown_words(prompt)) + html.left_out(rest)

    @friendly
    def stop(self, request: gr.Request) -> Updates:
        """Stop whatever runs: it ends within one denoising step."""
        visit = self.visits.of(request)
        visit.cancel.set()
        bench = self.browse.of(visit)
        shown = self.view.present(bench) if bench.run and bench.run.past.rounds else {}
        return shown | self.view.idle("Stopped. Finished rounds are kept.")

    @friendly_stream
    def preview(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One picture in few steps, then its reading; nothing while a run is at work."""
        order, visit = self.order(data | {self.controls.randomize: False}), self.visits.of(request)
        bench = self.browse.of(visit)
        asked, nothing = bench.asked, {self.stage.status: gr.skip()}
        yield nothing  # a handler that yields nothing would empty its outputs
        if bench.playing:
            return
        self.models.get()
        with self.models.lock:
            if bench.playing or bench.asked != asked:
                return
            bench.previewing = True
            try:
                with visit.work() as cancel:
                    yield from self._preview(order, visit, cancel)
            except Cancelled:
                yield nothing
            finally:
                bench.previewing = False

    def _preview(self, order: Order, visit: Visit, cancel: Any) -> Iterator[Updates]:
        generator, judge = self.models.get()
        s = self.stage
        asked = PictureRequest(order.prompt, order.target, order.drawing.seed, order.strength, generator.preview_steps)
        picture = [m for m in draw_pictures(generator, [asked], cancel) if not isinstance(m, Progress)][0][0]
        visit.runs += 1
        sketch, path = visit.files() / "drawn-preview.png", visit.files() / "preview.png"
        write_whole(sketch, png_bytes(picture))
        yield {s.picture: str(sketch), s.status: html.progress("Preview; the judge reads …", 1.0)}
        read = judge.read([picture])[0]
        write_whole(path, png_bytes(picture, read))
        yield {
            s.status: html.progress(f"Preview in {picture.seconds:.1f} s. Run all refines it.", busy=False),
            s.download: gr.update(value=str(path), interactive=True),
            self.controls.marks: overlay(marks((), read)),
            self.judge.words: html.reading(read, order.target) + (html.seen(read.seen) if read else ""),
        }

    @friendly_stream
    def run(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """All rounds, each shown as it happens; a fresh branch goes on from where it begins."""
        order, visit = self.order(data), self.visits.of(request)
        bench = self.browse.of(visit)
        run, past, first = bench.run, Past(), None
        goes_on = bench.branched and run is not None and run.prompt == order.prompt
        if goes_on and run is not None:
            past, first = self._turn(bench, run, order, data[self.judge.next_prompt], share_out=True)
        rounds = max(order.rounds, len(past.rounds) + 1) if goes_on else order.rounds

        def events(run: Sheaf, cancel: Any) -> Iterator[Event]:
            generator, judge = self.models.get()
            d = order.drawing
            return run_loop(
                generator, judge, order.prompt, order.target, rounds=rounds, candidates=d.candidates, seed=d.seed,
                strength=d.strength, steps=d.steps, tolerance=order.tolerance, patience=order.patience,
                continuation=order.continuation, start_strength=d.start_strength, past=past, first=first,
                cancel=cancel,
            )  # fmt: skip

        yield from self._play(visit, order, run if goes_on else None, past, rounds, events)

    @friendly_stream
    def step(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One round more of the run at hand, from the edits and the prompt as the person left them.

        From a round that was gone back to it begins a branch; with other words in the prompt box, a new run.
        """
        order, visit = self.order(data), self.visits.of(request)
        bench = self.browse.of(visit)
        run, past, turn = bench.run, Past(), Turn(order.prompt, seed=order.drawing.seed)
        if run is not None and run.past.rounds and run.prompt == order.prompt:
            past, turn = self._turn(bench, run, order, data[self.judge.next_prompt], share_out=False)
            if bench.picked and bench.picked < run.past.rounds[-1].number:
                visit.runs += 1
                run, past = bench.branch(bench.picked, visit.files()), past.up_to(bench.picked)
        else:
            run = None

        def events(run: Sheaf, cancel: Any) -> Iterator[Event]:
            generator, judge = self.models.get()
            start = turn.base.best().picture.image if turn.base and order.continuation == "image" else None
            return draw_round(
                generator, judge, turn.prompt, order.target, replace(order.drawing, seed=turn.seed, start=start),
                past=past, trials=turn.trials, tolerance=order.tolerance, cancel=cancel,
            )  # fmt: skip

        yield from self._play(visit, order, run, past, 1, events)
        yield self.view.idle(self._told(bench))

    @staticmethod
    def _told(bench: Bench) -> str:
        """What a round by hand came to."""
        advice = bench.advisory()
        what = "Drop or rewrite its edits, then Next round." if advice and advice.critique else "See what it reads."
        return f"Round {bench.shown} is done. {what}"

    @staticmethod
    def _turn(bench: Bench, run: Sheaf, order: Order, words: str | None, share_out: bool) -> tuple[Past, Turn]:
        """The run's past as the new target sees it, and the next turn as the person left it."""
        past = run.past if order.target == run.target else run.past.aimed_at(order.target)
        if not (words or "").strip() and bench.base() is None:
            return past, next_turn(past)
        return past, bench.turn((words or "").strip(), past, share_out)

    def _play(
        self, visit: Visit, order: Order, run: Sheaf | None, past: Past, rounds: int,
        events: Callable[[Sheaf, Any], Iterator[Event]],
    ) -> Iterator[Updates]:  # fmt: skip
        """Show the events of a run, new (None) or going on, and leave the buttons as they must be."""
        bench = self.browse.of(visit)
        yield self.view.busy(self.models.peek() is None) | {self.controls.seed: order.drawing.seed}
        try:
            self.models.get()
            with self.models.lock, visit.work() as cancel:
                bench.playing = True
                if run is None:
                    visit.runs += 1
                    run = bench.begin(order.prompt, order.target, visit.files())
                    yield self.view.clear(bench)
                run.past, run.target = past, order.target
                for event in kept(events(run, cancel), visit, run):
                    yield from self.view.show(event, bench, run, rounds)
        except Cancelled:
            yield self.view.idle("Stopped. Finished rounds are kept.")
        except Exception:
            yield self.view.idle("This did not finish; the notice says why.")
            raise
        finally:
            bench.playing = False
