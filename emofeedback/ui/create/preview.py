"""The preview on the Create tab: pad, sliders and chips kept in step, and one quick picture when a move ends."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled
from emofeedback.files.storage import write_whole
from emofeedback.loop.drawing import Progress, draw_pictures
from emofeedback.records import PictureRequest
from emofeedback.ui.create import create_layout as layout
from emofeedback.ui.create.browse import Browse
from emofeedback.ui.create.create_order import Contributor, CreateOrder, read_order
from emofeedback.ui.create.run_view import RunView, Updates
from emofeedback.ui.parts import html
from emofeedback.ui.parts.circumplex import marks
from emofeedback.ui.parts.pad import as_value, overlay, point
from emofeedback.ui.session import Models, Visit, Visits, friendly, friendly_stream

FOLLOW_PAD = "(point) => [point.valence, point.arousal]"
FOLLOW_SLIDERS = "(valence, arousal) => ({ valence: valence ?? 0, arousal: arousal ?? 0 })"


class Preview:
    """Listens to whatever sets the mood.

    Args:
        contributors: panels whose part in every picture a preview shows too.
    """

    def __init__(
        self, models: Models, visits: Visits, browse: Browse, view: RunView, contributors: Sequence[Contributor]
    ) -> None:
        self.models, self.visits, self.browse, self.contributors = models, visits, browse, contributors
        self.controls, self.output, self.judge = view.controls, view.output, view.judge
        self._draws: dict[str, Any] = {}

    def connect(self, knobs: set[Any], quick: dict[str, Any], heavy: dict[str, Any]) -> list[Any]:
        """Listen; the listeners that draw."""
        c, s, j = self.controls, self.output, self.judge
        c.pad.input(None, [c.pad], [c.valence, c.arousal], js=FOLLOW_PAD, **quick)
        gr.on([c.valence.input, c.arousal.input], None, [c.valence, c.arousal], [c.pad], js=FOLLOW_SLIDERS, **quick)
        where = [c.pad, c.valence, c.arousal]
        moves = [c.pad.release(self.dragged, [c.pad], [c.valence, c.arousal], trigger_mode="multiple", **quick)]
        moves += [
            slider.release(self.moved, [c.valence, c.arousal], where, trigger_mode="multiple", **quick)
            for slider in (c.valence, c.arousal, c.strength)
        ]
        moves += [chip.click(self.preset(name), None, where, **quick) for name, chip in c.chips.items()]
        shown = [s.picture, s.status, s.download, c.marks, j.words]
        # a move while a preview is drawn must not be lost: the last one is drawn when that has given way
        newest = {"trigger_mode": "always_last", "show_progress": "hidden"}
        self._draws = {"inputs": knobs, "outputs": shown, **newest} | heavy
        return [move.then(self.preview, **self._draws) for move in moves]

    def after(self, changes: Sequence[Any], matters: Callable[[Visit], bool] = lambda visit: True) -> None:
        """Draw one when a panel's listeners have taken a change of what its visitor's pictures are made with.

        Args:
            matters: whether the change is seen in a picture.
        """

        def ask(request: gr.Request) -> None:
            if matters(self.visits.of(request)):
                self._ask(request)

        def draw(data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
            if matters(self.visits.of(request)):
                yield from self.preview(data, request)
            else:
                yield {self.output.status: gr.skip()}

        for change in changes:
            asked = change.then(ask, queue=False, show_progress="hidden", api_visibility="private")
            asked.then(draw, **self._draws)

    @friendly
    def dragged(self, value: Any, request: gr.Request) -> tuple[float, float]:
        """The pad was released: the sliders take its values, and a preview follows."""
        at = point(value)
        self._ask(request)
        return at.valence, at.arousal

    def moved(self, valence: float, arousal: float, request: gr.Request) -> tuple[Any, ...]:
        """A slider was released: the pad takes the sliders' values."""
        self._ask(request)
        return as_value(Affect.clamped(valence, arousal)), gr.skip(), gr.skip()

    def preset(self, name: str) -> Callable[[gr.Request], tuple[Any, ...]]:
        """What a chip does: pad and sliders move to the emotion's point."""
        at = layout.point_of(name)

        def press(request: gr.Request) -> tuple[Any, ...]:
            self._ask(request)
            return as_value(at), at.valence, at.arousal

        return press

    def _ask(self, request: gr.Request) -> None:
        """A preview of an earlier point gives way to the one that follows now."""
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        state.asked += 1
        if state.previewing:
            visit.cancel.set()

    @friendly_stream
    def preview(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One picture in few steps, then its reading; nothing while a run is at work."""
        order = read_order(self.controls, data | {self.controls.randomize: False})
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        asked, nothing = state.asked, {self.output.status: gr.skip()}
        yield nothing  # a handler that yields nothing would empty its outputs
        if state.busy:
            return
        self.models.get()
        for contribute in self.contributors:
            order = contribute(visit, order)
        with self.models.lock:
            if state.busy or state.asked != asked:
                return
            state.previewing = True
            try:
                with visit.work() as cancel:
                    yield from self._draw(order, visit, cancel)
            except Cancelled:
                yield nothing
            finally:
                state.previewing = False

    def _draw(self, order: CreateOrder, visit: Visit, cancel: Any) -> Iterator[Updates]:
        generator, judge = self.models.get()
        s = self.output
        d = order.drawing
        asked = PictureRequest(order.prompt, order.target, d.seed, d.strength, generator.preview_steps, visual=d.visual)
        picture = [m for m in draw_pictures(generator, [asked], cancel) if not isinstance(m, Progress)][0][0]
        visit.runs += 1
        sketch, path = visit.files() / "drawn-preview.png", visit.files() / "preview.png"
        write_whole(sketch, visit.png(picture))
        yield {s.picture: str(sketch), s.status: html.progress("Preview; the judge reads …", 1.0)}
        read = judge.read([picture])[0]
        if self.browse.of(visit).busy:  # a run was asked for, and its status is shown now
            return
        write_whole(path, visit.png(picture, read, order.settings()))
        self.browse.of(visit).file = str(path)
        yield {
            s.status: html.progress(f"Preview in {picture.seconds:.1f} s. Run all draws and refines it.", busy=False),
            s.download: layout.download_of(str(path), visit.plain),
            self.controls.marks: overlay(marks((), read)),
            self.judge.words: html.reading(read, order.target) + (html.seen(read.seen) if read else ""),
        }
