"""The company of viewers on the page: asked before round 1, their chains shown, edited and run again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.waiting import Answered
from emofeedback.protocols import left_out_of
from emofeedback.records import Chain, Rewrite
from emofeedback.rewriting.chain import STEPS
from emofeedback.rewriting.company import Company
from emofeedback.rewriting.director import in_order, read_distances, turn_of
from emofeedback.rewriting.viewers import Viewer, choose_viewers
from emofeedback.ui.create import viewers_cards
from emofeedback.ui.create.create_layout import CreateControls
from emofeedback.ui.create.create_order import CreateOrder, seed_of
from emofeedback.ui.create.own_viewers import (
    browser_kept,
    joined,
    kept_json,
    kept_viewers,
    viewer_form,
    viewer_of,
    written,
)
from emofeedback.ui.models_turn import models_turn
from emofeedback.ui.parts import html
from emofeedback.ui.session import HEAVY, PLACES, Models, Visit, Visits, friendly, friendly_stream
from emofeedback.ui.waiting_line import place_words

STALE = "These chains are of earlier words; ask the viewers again."


@dataclass(eq=False)
class ViewersState:
    """What a visitor has of the company: its viewers, the last chains, and what round 1 shall take of them."""

    company: tuple[Viewer, ...]
    chosen: tuple[str, ...]
    on: bool = False
    chains: tuple[Chain, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    missing: tuple[str, ...] = ()
    used: tuple[Rewrite, ...] = ()
    read: dict[str, float] = field(default_factory=dict)  # rewritten prompt: the judge's distance to the target
    shown: int | None = None
    stamp: int = 0
    own: tuple[Viewer, ...] = ()  # the visitor's, whom nobody else sees
    came: bool = False  # whom the browser kept are there, or the visitor has added somebody since

    @property
    def viewers(self) -> tuple[Viewer, ...]:
        """All of them; one of the visitor's own takes the place of another of the same name."""
        return joined(self.company, self.own)

    def fits(self, prompt: str, target: Affect) -> bool:
        """Whether what was taken for round 1 is of these words and this target."""
        return bool(self.used and self.chains) and (self.chains[0].prompt, self.chains[0].target) == (prompt, target)


class ViewersPanel:
    """Builds the panel, to be entered where it belongs, and answers its events.

    Args:
        models: draw and read one quick picture of each rewrite, where that is asked for.
        company: its back end thinks; its viewers are the ones to choose from.
        kept: what the browser keeps (`browser_kept`), made where the page shows it from the start: what a folded
            panel holds is not read before that is unfolded. None = made here.
        controls: whose prompt, target and seed the viewers are asked about.
    """

    def __init__(
        self,
        models: Models,
        visits: Visits,
        company: Company,
        controls: CreateControls,
        kept: gr.BrowserState | None = None,
    ) -> None:
        self.models, self.visits, self.company, self.controls = models, visits, company, controls
        self._states: WeakKeyDictionary[Visit, ViewersState] = WeakKeyDictionary()
        names = [viewer.name for viewer in company.viewers]
        gr.HTML(viewers_cards.style(), visible="hidden", padding=False)
        self.on = gr.Checkbox(False, label="Let viewers rewrite the prompt", elem_id="rewrite-on")
        with gr.Accordion("The viewers and their chains", open=False, elem_id="company"):
            self.who = gr.CheckboxGroup(names, value=names, label="Viewers", elem_id="viewers")
            with gr.Row():
                self.ask = gr.Button("Ask the viewers", elem_id="ask-viewers", size="md", min_width=120)
                self.judge = gr.Button("Let the judge order", elem_id="order-rewrites", size="md", min_width=120)
            self.status = gr.HTML("", elem_id="viewers-status", elem_classes="quiet")
            self.chains = gr.HTML(
                viewers_cards.EMPTY, elem_id="chains", js_on_load=viewers_cards.script(), apply_default_css=False
            )
            with gr.Accordion("Add a viewer", open=False, elem_id="add-viewer"):
                self.form = viewer_form()
                self.add = gr.Button("Add this viewer", size="md", elem_id="add-this-viewer")
                with gr.Row(visible=False, elem_id="own-viewers") as self.mine:
                    self.which = gr.Dropdown([], label="Yours", elem_id="own-viewer", min_width=120)
                    self.remove = gr.Button("Remove", size="md", elem_id="remove-viewer", min_width=80)
                    self.export = gr.DownloadButton("Save as a file", size="md", elem_id="save-viewer", min_width=80)
        self.kept = kept or browser_kept()
        self.joining = [self.who, self.which, self.mine, self.export, self.status]
        self._connect()

    def _connect(self) -> None:
        c = self.controls
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        shown = [self.chains, self.status]
        self.on.input(self.switched, [self.on], None, queue=False, **quick)
        self.who.input(self.chose, [self.who], None, queue=False, **quick)
        # a language model elsewhere may hang: that holds up who asked it alone
        many = {**quick, "concurrency_limit": PLACES}
        self.ask.click(self.asked, [c.prompt, c.valence, c.arousal, c.seed], shown, **many)
        self.judge.click(self.judged, [c.strength], shown, **quick, **HEAVY)
        self.chains.rerun(self.rerun, None, shown, **many)
        # queued: what goes wrong outside of the queue is not shown as a notice
        self.chains.use(self.use, None, [self.on, self.status], **quick)
        self.add.click(self.added, set(vars(self.form).values()), [*self.joining, self.kept], **quick)
        self.remove.click(self.removed, [self.which], [*self.joining, self.kept], **quick)
        self.which.input(self.exported, [self.which], [self.export], **quick)
        # a busy browser has read its store only after the page said that it was loaded
        self.kept.change(self.read_late, [self.kept], self.joining, **quick)

    def on_load(self, page: gr.Blocks) -> None:
        """Bring a visitor's own viewers back when the page is loaded."""
        page.load(self.came_back, [self.kept], self.joining, show_progress="hidden", api_visibility="private")

    def of(self, visit: Visit) -> ViewersState:
        """A visitor's state."""
        if visit not in self._states:
            names = tuple(viewer.name for viewer in self.company.viewers)
            self._states[visit] = ViewersState(self.company.viewers, names)
        return self._states[visit]

    def contribute(self, visit: Visit, order: CreateOrder) -> CreateOrder:
        """Round 1 in the viewers' words, where they are switched on: those that were taken, else fresh ones.

        Raises:
            UserError: no viewer is chosen, or none gave a rewrite.
        """
        state = self.of(visit)
        if not state.on:
            return order
        rewrites: Sequence[Rewrite] = state.used
        if not state.fits(order.prompt, order.target):
            with visit.time_limit.work(visit.user):
                rewrites = self._company(state).rewrite(order.prompt, order.target, seed=order.drawing.seed).rewrites
        d = order.drawing
        pair = self.models.peek()
        cut = None if pair is None else left_out_of(pair[0])
        return replace(order, first=turn_of(rewrites, order.prompt, d.seed, d.candidates, cut))

    def _company(self, state: ViewersState) -> Company:
        return self.company.of(choose_viewers(state.viewers, state.chosen))

    @friendly
    def switched(self, on: bool, request: gr.Request) -> None:
        """The viewers were switched on or off."""
        self.of(self.visits.of(request)).on = bool(on)

    @friendly
    def chose(self, names: Sequence[str], request: gr.Request) -> None:
        """Other viewers were chosen."""
        self.of(self.visits.of(request)).chosen = tuple(names)

    @friendly_stream
    def asked(
        self, prompt: str | None, valence: float, arousal: float, seed: float | None, request: gr.Request
    ) -> Iterator[tuple[Any, Any]]:
        """The company runs: every chosen viewer walks a chain."""
        visit = self.visits.of(request)
        state, words, target = self.of(visit), (prompt or "").strip(), Affect(valence, arousal)
        company = self._company(state)
        yield gr.skip(), html.text(f"{len(company.viewers)} viewers think …")
        with visit.time_limit.work(visit.user):
            chains, missing = company.chains(words, target, seed=seed_of(seed))
        state.chains, state.missing, state.used = chains, missing, ()
        if not chains:
            state.rewrites = ()
            raise UserError(f"No viewer gave a rewrite ({missing[0]}) Try again, or use another rewriter.")
        self._direct(state)
        first = state.rewrites[0].viewers[0]
        state.shown = next(i for i, chain in enumerate(chains) if chain.viewer == first)
        yield self._cards(state), html.text(f"{len(chains)} chains. Edit any step, or use them for round 1.")

    @friendly_stream
    def judged(self, strength: float, request: gr.Request) -> Iterator[tuple[Any, Any]]:
        """One quick picture of each rewrite, read by the judge: the director orders them by that."""
        visit = self.visits.of(request)
        state = self.of(visit)
        if not state.chains:
            raise UserError("Ask the viewers first; then the judge can order what they wrote.")
        chain, rewrites, stamp = state.chains[0], state.rewrites, state.stamp
        yield gr.skip(), html.text(f"The judge reads {len(rewrites)} quick pictures …")
        found: list[float | None] = []
        with models_turn(self.models, visit, "viewers") as turn:
            for place in turn.wait():
                yield gr.skip(), html.text(place_words(place))
            generator, judge = self.models.get()
            drawing = Drawing(1, chain.seed, float(strength))
            reading = read_distances(generator, judge, rewrites, chain.target, drawing, turn.cancel)
            for event in turn.over(reading):
                if isinstance(event, Answered):
                    found = event.value
                else:
                    yield gr.skip(), gr.skip()
        if state.stamp != stamp:
            raise UserError(STALE)
        state.read = {rewrite.prompt: away for rewrite, away in zip(rewrites, found, strict=True) if away is not None}
        state.rewrites, state.used, state.stamp = in_order(rewrites, found), (), state.stamp + 1
        yield self._cards(state), html.text("Ordered by what the judge reads, and by what differs.")

    @friendly
    def rerun(self, event: gr.EventData, request: gr.Request) -> tuple[Any, Any]:
        """A step as the person wrote it, and the chain again from there."""
        visit = self.visits.of(request)
        state = self.of(visit)
        try:
            index, step, lines = int(event.chain), str(event.step), str(event.words)[:4000].splitlines()
            chain = state.chains[index] if index >= 0 else None
        except (AttributeError, IndexError, TypeError, ValueError):
            chain, step, lines = None, "", []
        if chain is None or step not in STEPS:
            raise UserError(STALE)
        company = self.company.of(state.viewers)
        with visit.time_limit.work(visit.user):
            again = company.rerun(chain, step, lines)  # type: ignore[arg-type]
        state.chains = (*state.chains[:index], again, *state.chains[index + 1 :])
        state.shown, state.used = index, ()
        self._direct(state)
        return self._cards(state), html.text(f"{chain.viewer}'s chain was made again from there.")

    @friendly
    def use(self, event: gr.EventData, request: gr.Request) -> tuple[Any, Any]:
        """Round 1 takes the ticked chains; the switch goes on."""
        state = self.of(self.visits.of(request))
        try:
            ticked = {str(item) for item in event.chains}
        except (AttributeError, TypeError):
            ticked = set()
        names = {state.chains[int(i)].viewer for i in ticked if i.isdecimal() and int(i) < len(state.chains)}
        state.used = tuple(
            rewrite
            for rewrite in state.rewrites
            if (rewrite.viewers[0] in names if rewrite.chain is not None else "merged" in ticked)
        )
        if not state.used:
            raise UserError("Tick at least one chain, or ask the viewers first.")
        state.on = True
        count = "1 rewrite" if len(state.used) == 1 else f"{len(state.used)} rewrites"
        return True, html.text(f"Round 1 takes {count}, the first ones for its candidates. Press Run.")

    @friendly
    def added(self, data: dict[Any, Any], request: gr.Request) -> tuple[Any, ...]:
        """A viewer of the visitor's own; nobody else sees them."""
        visit = self.visits.of(request)
        state = self.of(visit)
        viewer = viewer_of(self.form.values(data))
        others = tuple(known for known in state.own if known.name.lower() != viewer.name.lower())
        joined(state.company, (*others, viewer))
        state.own, state.came = (*others, viewer), True
        state.chosen = tuple(
            known.name for known in state.viewers if known.name in state.chosen or known.name == viewer.name
        )
        told = f"{viewer.name} has joined, and is kept by this browser. Ask the viewers."
        return *self._joined(visit, viewer.name, told), kept_json(state.own)

    @friendly
    def removed(self, name: str | None, request: gr.Request) -> tuple[Any, ...]:
        """One of the visitor's own viewers goes; a bundled one of that name comes back."""
        visit = self.visits.of(request)
        state = self.of(visit)
        if name not in [viewer.name for viewer in state.own]:
            raise UserError("Choose a viewer of your own to remove.")
        state.own = tuple(viewer for viewer in state.own if viewer.name != name)
        names = [viewer.name for viewer in state.viewers]
        state.chosen = tuple(known for known in state.chosen if known in names) or tuple(names)
        return *self._joined(visit, None, f"{name} has left."), kept_json(state.own)

    @friendly
    def came_back(self, kept: Any, request: gr.Request) -> tuple[Any, ...]:
        """The page was loaded: what the browser kept joins, as far as it is sound.

        On a busy machine somebody may have been added before this is heard: whom the visit has then stays.
        """
        visit = self.visits.of(request)
        state, told = self.of(visit), list[str]()
        if not state.own:
            state.own, told = kept_viewers(kept, state.company)
            state.came = bool(kept)
            state.chosen = tuple(viewer.name for viewer in state.viewers)
        *joining, status = self._joined(visit, None, " ".join(told))
        return *joining, status if told else gr.skip()

    @friendly
    def read_late(self, kept: Any, request: gr.Request) -> Any:
        """What the browser kept has changed: news only where it has not been heard, and nobody was added since."""
        return self.came_back(kept, request) if kept and not self.of(self.visits.of(request)).came else gr.skip()

    @friendly
    def exported(self, name: str | None, request: gr.Request) -> Any:
        """The chosen viewer of the visitor's own as a file, like those of EMOFEEDBACK_VIEWERS_DIR."""
        visit = self.visits.of(request)
        viewer = next((viewer for viewer in self.of(visit).own if viewer.name == name), None)
        return gr.update(value=None if viewer is None else str(written(viewer, visit.fresh())))

    def _joined(self, visit: Visit, which: str | None, told: str) -> tuple[Any, ...]:
        """`joining` for the present state."""
        state = self.of(visit)
        names, own = [viewer.name for viewer in state.viewers], [viewer.name for viewer in state.own]
        which = which or (own[0] if own else None)
        chosen = next((viewer for viewer in state.own if viewer.name == which), None)
        return (
            gr.update(choices=names, value=list(state.chosen)),
            gr.update(choices=own, value=which),
            gr.update(visible=bool(own)),
            gr.update(value=None if chosen is None else str(written(chosen, visit.fresh()))),
            html.text(told),
        )

    def _direct(self, state: ViewersState) -> None:
        found = self.company.directed(state.chains[0].prompt, state.chains[0].target, state.chains)
        state.rewrites, state.read, state.stamp = found.rewrites, {}, state.stamp + 1

    @staticmethod
    def _cards(state: ViewersState) -> str:
        return viewers_cards.cards(
            state.chains, state.rewrites, state.missing, state.viewers, state.shown, state.stamp, state.read
        )
