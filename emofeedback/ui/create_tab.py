"""The Create tab: preview on release, a run shown round by round, and rounds by hand."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.loop import Continuation, Drawing, Progress, draw_pictures, draw_round, run_loop
from emofeedback.records import PictureRequest
from emofeedback.revision import apply_edits
from emofeedback.storage import png_bytes, write_whole
from emofeedback.ui import create_layout as layout
from emofeedback.ui import html
from emofeedback.ui.circumplex import plane
from emofeedback.ui.desk import MAX_SEED, MODELS, Models, Visits, friendly, friendly_stream
from emofeedback.ui.example import Example
from emofeedback.ui.run_view import RunView, Updates


@dataclass(frozen=True)
class Order:
    """The controls' values when a button was pressed."""

    prompt: str
    target: Affect
    rounds: int
    candidates: int
    strength: float
    seed: int
    continuation: Continuation
    start_strength: float
    steps: int | None
    tolerance: float
    patience: int


class CreateTab:
    """Builds the tab and answers its events; state lives in the visitor's `Visit`."""

    def __init__(self, models: Models, visits: Visits, example: Example | None) -> None:
        self.models, self.visits = models, visits
        target = example.target if example else Affect(*layout.point_of("serene"))
        prompt = example.rounds[0].prompt if example else layout.START_PROMPT
        with gr.Row(elem_classes="desk"):
            self.controls = layout.controls(prompt, target)
            self.stage = layout.stage(example)
            self.judge = layout.judge_side(example, target)
        self.view = RunView(self.controls, self.stage, self.judge)
        self._connect()

    def _connect(self) -> None:
        c, s, j = self.controls, self.stage, self.judge
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        heavy = quiet | {"concurrency_id": MODELS, "concurrency_limit": 1}
        quick = quiet | {"queue": False}
        knobs: set[Any] = {
            c.prompt, c.valence, c.arousal, c.rounds, c.candidates, c.strength, c.seed, c.randomize, c.continuation,
            c.start_strength, c.steps, c.tolerance, c.patience,
        }  # fmt: skip
        outputs = [
            s.picture, s.status, s.strip, s.gallery, s.download, j.plane, j.words, j.suggestion, j.edits,
            j.next_prompt, j.next_round, c.run, c.stop, c.seed,
        ]  # fmt: skip
        run = gr.on([c.run.click, c.prompt.submit], self.run, knobs, outputs, **heavy)
        step = j.next_round.click(self.step, knobs | {j.next_prompt, j.edits}, outputs, **heavy)
        moves = [
            slider.release(self.moved, [c.valence, c.arousal], [j.plane], **quick)
            for slider in (c.valence, c.arousal, c.strength)
        ] + [
            chip.click(self.preset(name), None, [c.valence, c.arousal, j.plane], **quick)
            for name, chip in c.chips.items()
        ]
        shown = [s.picture, s.status, s.gallery, s.download, j.plane, j.words, j.suggestion]
        previews = [move.then(self.preview, knobs, shown, **heavy) for move in moves]
        c.stop.click(self.stop, None, [s.status, c.run, c.stop, j.next_round], cancels=[run, step, *previews], **quick)
        c.prompt.change(self.unknown, [c.prompt], [c.unknown], trigger_mode="always_last", **quick)
        j.edits.change(self.accept, [j.edits], [j.next_prompt], **quick)

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
            candidates=int(data[c.candidates]),
            strength=float(data[c.strength]),
            seed=seed,
            continuation=data[c.continuation],
            start_strength=float(data[c.start_strength]),
            steps=int(data[c.steps]) or None,
            tolerance=float(data[c.tolerance]),
            patience=int(data[c.patience]),
        )

    def moved(self, valence: float, arousal: float, request: gr.Request) -> Any:
        """A slider was let go: the target moves at once; the preview that follows is dropped while a run is at work."""
        visit = self.visits.of(request)
        visit.preview_wanted = not visit.running
        return plane(Affect.clamped(valence, arousal)) if visit.preview_wanted else gr.skip()

    def preset(self, name: str) -> Callable[[gr.Request], tuple[Any, ...]]:
        """What a chip does: both sliders move, then as in `moved`."""
        valence, arousal = layout.point_of(name)

        def press(request: gr.Request) -> tuple[Any, ...]:
            return valence, arousal, self.moved(valence, arousal, request)

        return press

    def unknown(self, prompt: str) -> str:
        """The words under the prompt that the generator does not know."""
        pair = self.models.peek()
        return html.unknown_words(prompt, pair[0].unknown_words(prompt)) if pair and prompt else ""

    def accept(self, chosen: Sequence[int], request: gr.Request) -> Any:
        """The next prompt with only the accepted edits."""
        visit = self.visits.of(request)
        critique = visit.rounds[-1].critique if visit.rounds else None
        if critique is None:
            return gr.skip()
        return apply_edits(visit.rounds[-1].prompt, [critique.edits[i] for i in chosen if i < len(critique.edits)])

    @friendly
    def stop(self, request: gr.Request) -> Updates:
        """Stop whatever runs: it ends within one denoising step."""
        visit = self.visits.of(request)
        visit.cancel.set()
        return self.view.idle("Stopped. Finished rounds are kept.", visit)

    @friendly_stream
    def preview(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One picture in few steps, then its reading."""
        order, visit, s = self.order(data | {self.controls.randomize: False}), self.visits.of(request), self.stage
        if not visit.preview_wanted:
            return
        generator, judge = self.models.get()
        asked = PictureRequest(order.prompt, order.target, order.seed, order.strength, generator.preview_steps)
        with self.models.lock, visit.work() as cancel:
            for message in draw_pictures(generator, [asked], cancel):
                if isinstance(message, Progress):
                    continue
                picture = message[0]
                visit.runs += 1
                sketch, path = visit.files() / "drawn-preview.png", visit.files() / "preview.png"
                write_whole(sketch, png_bytes(picture))
                yield {s.picture: str(sketch), s.status: html.progress("Preview; the judge reads …", 1.0)}
                read = judge.read([picture])[0]
                write_whole(path, png_bytes(picture, read))
                yield {
                    s.status: html.progress(f"Preview in {picture.seconds:.1f} s. Run refines it.", busy=False),
                    s.download: gr.update(value=str(path), interactive=True),
                    self.judge.plane: plane(order.target, chosen=read),
                    self.judge.words: html.reading(read, order.target) + (html.seen(read.seen) if read else ""),
                    self.judge.suggestion: "",
                }

    @friendly_stream
    def run(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """All rounds, each shown as it happens."""
        order, visit = self.order(data), self.visits.of(request)
        yield self.view.busy(order.seed, loading=self.models.peek() is None)
        try:
            generator, judge = self.models.get()
            with self.models.lock, visit.work() as cancel:
                visit.begin(order.target)
                visit.preview_wanted = False
                events = run_loop(
                    generator, judge, order.prompt, order.target, rounds=order.rounds, candidates=order.candidates,
                    seed=order.seed, strength=order.strength, steps=order.steps, tolerance=order.tolerance,
                    patience=order.patience, continuation=order.continuation,
                    start_strength=order.start_strength, cancel=cancel,
                )  # fmt: skip
                yield self.view.clear(order.target)
                for event in events:
                    yield from self.view.show(event, visit, order.rounds)
        except Exception:
            yield self.view.idle("This run did not finish.", visit)
            raise

    @friendly_stream
    def step(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One more round from the prompt as the person left it."""
        order, visit = self.order(data), self.visits.of(request)
        if not visit.rounds:
            raise UserError("Run once first; then go on round by round.")
        last = visit.rounds[-1]
        prompt = data[self.judge.next_prompt] or last.prompt
        edits = last.critique.edits if last.critique else ()
        accepted = tuple(edits[i] for i in data[self.judge.edits] if i < len(edits))
        first = visit.rounds[0].candidates[0].picture.request
        start = last.best().picture.image if order.continuation == "image" else None
        yield self.view.busy(order.seed, loading=self.models.peek() is None) | {self.controls.seed: gr.skip()}
        try:
            generator, judge = self.models.get()
            with self.models.lock, visit.work() as cancel:
                drawing = Drawing(
                    order.candidates, first.seed, order.strength, order.steps, None, start, order.start_strength
                )
                visit.target = order.target
                events = draw_round(
                    generator, judge, prompt, order.target, drawing, number=len(visit.rounds) + 1,
                    history=visit.history(), trials={prompt: accepted}, cancel=cancel,
                )  # fmt: skip
                for event in events:
                    yield from self.view.show(event, visit, len(visit.rounds) + 1, accepted)
                yield self.view.idle(f"Round {len(visit.rounds)} is done.", visit)
        except Cancelled:
            yield self.view.idle("Stopped.", visit)
        except Exception:
            yield self.view.idle("This round did not finish.", visit)
            raise
