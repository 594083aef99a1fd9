"""The preview on the Create tab: pad, sliders and chips kept in step, and pictures that follow them while they move.

While something moves, `live` draws one picture after the other, as fast as the machine can, in fewer steps where the
generator can do so (`moving_steps`); the page asks for the next one when it has the last one, and always with the
newest values. The first of them clears the page of what belongs to other pictures (`begin`); when nothing newer has
come for a moment, `settle` draws the last one with all steps of a preview, has the judge read it and writes its file.
Both are asked for by live.js.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.loop.drawing import Progress, draw_pictures
from emofeedback.protocols import Generator
from emofeedback.records import Picture, PictureRequest
from emofeedback.ui.create.browse import Browse
from emofeedback.ui.create.create_layout import point_of
from emofeedback.ui.create.create_order import Contributor, CreateOrder, as_drawn_by, read_order
from emofeedback.ui.create.create_state import CreateState, SinglePicture
from emofeedback.ui.create.run_view import RunView, Updates, status_of
from emofeedback.ui.models_turn import ModelsTurn, models_turn
from emofeedback.ui.session import Models, Visit, Visits, friendly

FOLLOW_PAD = "(point) => [point.valence, point.arousal]"
FOLLOW_SLIDERS = "(valence, arousal) => ({ valence: valence ?? 0, arousal: arousal ?? 0 })"
PREVIEW = "Preview"
LOADING = "The models are still loading; previews follow you once they are there."
PATIENCE = 3.0
"""Seconds that a preview waits for the models; what takes longer is somebody's run."""
WORK = "preview"
"""What a run takes the place of."""


@dataclass(frozen=True)
class _Newer:
    """A stop signal that looks whether something newer was asked for."""

    is_set: Callable[[], bool]


class Preview:
    """Listens to whatever sets the mood.

    Args:
        contributors: panels whose part in every picture a preview shows too.
    """

    def __init__(
        self, models: Models, visits: Visits, browse: Browse, view: RunView, contributors: Sequence[Contributor]
    ) -> None:
        self.models, self.visits, self.browse, self.contributors = models, visits, browse, contributors
        self.view, self.controls, self.output = view, view.controls, view.output
        self._counting = threading.Lock()
        self._knobs: set[Any] = set()

    def connect(self, knobs: set[Any], quick: dict[str, Any]) -> None:
        """Listen."""
        c = self.controls
        self._knobs = knobs
        c.pad.input(None, [c.pad], [c.valence, c.arousal], js=FOLLOW_PAD, **quick)
        gr.on([c.valence.input, c.arousal.input], None, [c.valence, c.arousal], [c.pad], js=FOLLOW_SLIDERS, **quick)
        for name, chip in c.chips.items():
            at = point_of(name)
            script = f"() => [{{valence: {at.valence}, arousal: {at.arousal}}}, {at.valence}, {at.arousal}]"
            moved = chip.click(None, None, [c.pad, c.valence, c.arousal], js=script, **quick)
            self.draw_after(moved.then)
        # the pad's own value goes with it: the sliders may follow a moment later
        self.draw_after(c.pad.input, {c.pad})
        self.draw_after(c.valence.input)
        self.draw_after(c.arousal.input)
        self.draw_after(c.strength.input)
        for listen, answer in ((self.output.live.begun, self.begin), (self.output.live.still, self.settle)):
            listen(answer, None, self.view.outputs(), trigger_mode="always_last", **quick)

    def draw_after(self, listen: Callable[..., Any], more: set[Any] = frozenset()) -> None:  # type: ignore[assignment]
        """Draw when an event happens."""
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        # a move while a preview is drawn must not be lost: the last one is drawn next
        listen(self.live, self._knobs | more, self.view.moving(), trigger_mode="always_last", **quick)

    def after(self, changes: Sequence[Any], matters: Callable[[Visit], bool] = lambda visit: True) -> None:
        """Draw one when a panel's listeners have taken a change of what its visitor's pictures are made with.

        Args:
            matters: whether the change is seen in a picture.
        """

        def draw(data: dict[Any, Any], request: gr.Request) -> Updates:
            return self.live(data, request) if matters(self.visits.of(request)) else self._nothing()

        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        for change in changes:
            change.then(draw, self._knobs, self.view.moving(), trigger_mode="always_last", **quick)

    def _nothing(self) -> Updates:
        return {self.output.status: gr.skip()}

    @friendly
    def live(self, data: dict[Any, Any], request: gr.Request) -> Updates:
        """One quick picture of where things stand now; nothing while a run is at work, or the models are elsewhere."""
        visit = self.visits.of(request)
        state, data = self.browse.of(visit), self._at_pad(data)
        asked = self._ask(state)  # before anything else: a run that is asked for from here on takes its place
        if state.busy:
            return self._nothing()
        if self.models.loading:
            state.status = LOADING
            return {self.output.status: status_of(state)}
        order = read_order(self.controls, data, state.seed)
        for contribute in self.contributors:
            order = contribute(visit, order)
        try:
            with self._models(visit) as turn:
                if turn is None or state.busy or state.asked != asked:
                    return self._nothing()
                self._draw(order, visit, state, turn)
        except Cancelled:
            return self._nothing()
        if state.busy or state.asked != asked:
            return self._nothing()
        state.status = "Preview"
        return self.view.frame(state)

    def _at_pad(self, data: dict[Any, Any]) -> dict[Any, Any]:
        c = self.controls
        if c.pad not in data:
            return data
        try:
            at = Affect(data[c.pad]["valence"], data[c.pad]["arousal"])
        except (TypeError, KeyError):
            raise UserError("The pad's point must have a valence and an arousal from -1 to 1.") from None
        return data | {c.valence: at.valence, c.arousal: at.arousal}

    def _ask(self, state: CreateState) -> int:
        with self._counting:
            state.asked += 1
            return state.asked

    @contextmanager
    def _models(self, visit: Visit) -> Iterator[ModelsTurn | None]:
        """The models for a moment; None where somebody else has them for longer."""
        with models_turn(self.models, visit, WORK, brief=True) as turn:
            try:
                turn.begin(PATIENCE)
            except Cancelled:
                begun = None
            else:
                begun = turn
            yield begun

    def _draw(self, order: CreateOrder, visit: Visit, state: CreateState, turn: ModelsTurn) -> None:
        generator, _ = self.models.get()
        steps = getattr(generator, "moving_steps", generator.preview_steps)
        quick = replace(as_drawn_by(generator, order).drawing, steps=steps)
        [asked] = quick.requests([(order.prompt, quick.seed)], order.target, steps)
        picture = _drawn(generator, asked, turn)
        single = SinglePicture(
            PREVIEW, picture, None, order.target, visit.folder, settings=order.settings(), settled=False
        )
        state.show_single(single)

    @friendly
    def at_once(self, data: dict[Any, Any], request: gr.Request) -> Updates:
        """Other settings came into the fields: what was on stage goes, and a preview of them takes its place."""
        state = self.browse.at(request)
        if state.busy:
            return self._nothing()
        state.clear()
        state.status = "These settings are in the fields. Press Run to draw from them."
        self.live(data, request)
        if state.single is not None:
            self.read_now(request)
        return self.view.page(state)

    def read_now(self, request: gr.Request) -> None:
        """The picture on stage is read and becomes a file, where the models are there."""
        if not self.models.loading:
            self._settle(request)

    @friendly
    def begin(self, request: gr.Request) -> Updates:
        """A move has begun: all around its pictures goes that belongs to others."""
        state = self.browse.at(request)
        if state.busy or state.single is None or state.single.settled:
            return self._nothing()
        moving = self.view.moving()
        return {part: value for part, value in self.view.page(state).items() if part not in moving}

    @friendly
    def settle(self, request: gr.Request) -> Updates:
        """The last picture of a move is read and becomes a file; nothing where a newer one is on its way."""
        return self._settle(request)

    def _settle(self, request: gr.Request) -> Updates:
        visit = self.visits.of(request)
        state = self.browse.of(visit)
        single, asked = state.single, state.asked
        if state.busy or single is None or single.settled:
            return self._nothing()
        with self._models(visit) as turn:
            if turn is None or state.busy or state.asked != asked or state.single is not single:
                return self._nothing()
            generator, judge = self.models.get()
            newer = _Newer(lambda: turn.cancel.is_set() or state.busy or state.asked != asked)
            picture = single.picture
            try:
                if single.title == PREVIEW and picture.request.steps != generator.preview_steps:
                    picture = _drawn(generator, replace(picture.request, steps=generator.preview_steps), turn)
                [read] = turn.answer(judge, partial(judge.read, [picture]), newer)
            except Cancelled:
                return self._nothing()
        if state.busy or state.single is not single:  # a run was asked for, and its status is shown now
            return self._nothing()
        state.single = replace(single, picture=picture, reading=read, folder=visit.fresh(), settled=True)
        state.status = f"{single.title}. Press Run to draw from its settings."
        if single.title == PREVIEW:
            state.status = f"Preview in {picture.seconds:.1f} s. Run draws more and refines them."
        return self.view.page(state)

    def stop(self, visit: Visit) -> None:
        """A preview gives way to a run; what it drew last is on stage as it is."""
        state = self.browse.of(visit)
        self._ask(state)  # one that still waits for the models gives up, however soon the run is over
        visit.stop(WORK)
        if state.single is not None and not state.single.settled:
            state.single = replace(state.single, folder=visit.fresh(), settled=True)


def _drawn(generator: Generator, request: PictureRequest, turn: ModelsTurn) -> Picture:
    drawing = turn.over(draw_pictures(generator, [request], turn.cancel))
    return [message for message in drawing if not isinstance(message, Progress)][0][0]
