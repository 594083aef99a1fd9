"""The company of viewers on the page: asked before round 1, their chains shown, edited and run again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
from pydantic import ValidationError

from emofeedback.affect import Affect
from emofeedback.drawing import Drawing
from emofeedback.errors import UserError
from emofeedback.records import Chain, Rewrite
from emofeedback.rewriting.chain import STEPS
from emofeedback.rewriting.company import Company
from emofeedback.rewriting.director import in_order, read_distances, turn_of
from emofeedback.rewriting.embedded import EmbeddedThinker
from emofeedback.rewriting.viewers import (
    MAX_VIEWERS,
    MIKELS,
    Memory,
    Taste,
    Temperament,
    Viewer,
    choose_viewers,
    load_viewers,
)
from emofeedback.ui import html, viewers_cards
from emofeedback.ui.create_layout import Controls
from emofeedback.ui.desk import MODELS, Models, Visit, Visits, friendly, friendly_stream
from emofeedback.ui.order import Order

STALE = "These chains are of earlier words; ask the viewers again."
MEMORIES_HINT = "fear: the night when fog hid the rocks\ncontentment: lanterns by the pond at dusk"


@dataclass(eq=False)
class Board:
    """What a visitor has of the company: its viewers, the last chains, and what round 1 shall take of them."""

    viewers: tuple[Viewer, ...]
    chosen: tuple[str, ...]
    on: bool = False
    chains: tuple[Chain, ...] = ()
    rewrites: tuple[Rewrite, ...] = ()
    missing: tuple[str, ...] = ()
    used: tuple[Rewrite, ...] = ()
    read: dict[str, float] = field(default_factory=dict)  # rewritten prompt: the judge's distance to the target
    shown: int | None = None
    stamp: int = 0

    def fits(self, prompt: str, target: Affect) -> bool:
        """Whether what was taken for round 1 is of these words and this target."""
        return bool(self.used and self.chains) and (self.chains[0].prompt, self.chains[0].target) == (prompt, target)


class ViewersPanel:
    """Builds the panel, to be entered where it shall stand, and answers its events.

    Args:
        models: draw and read one quick picture of each rewrite, where that is asked for.
        company: its back end thinks; its viewers are the ones to choose from. None = all bundled ones, embedded.
        controls: whose prompt, target and seed the viewers are asked about.
    """

    def __init__(self, models: Models, visits: Visits, company: Company | None, controls: Controls) -> None:
        company = company or Company(EmbeddedThinker(), load_viewers())
        self.models, self.visits, self.company, self.controls = models, visits, company, controls
        self._boards: WeakKeyDictionary[Visit, Board] = WeakKeyDictionary()
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
                self.form = self._form()
                self.add = gr.Button("Add this viewer", size="md", elem_id="add-this-viewer")
        self._connect()

    @staticmethod
    def _form() -> list[Any]:
        likes = "in fog, at dusk"
        return [
            gr.Textbox(label="Name", max_length=40, elem_id="viewer-name"),
            gr.Textbox(label="Who this is", max_length=300, placeholder="a ferryman who hates crowds"),
            gr.Textbox(label="Temperament", max_length=300, placeholder="quiet; slow to be moved"),
            gr.Slider(-0.3, 0.3, 0, step=0.05, label="Feels things more pleasantly", buttons=[]),
            gr.Slider(-0.3, 0.3, 0, step=0.05, label="Feels things more strongly", buttons=[]),
            gr.Textbox(label="Memories, one a line", lines=4, max_length=4000, placeholder=MEMORIES_HINT),
            gr.Textbox(label="Likes to see", max_length=400, placeholder=likes),
            gr.Textbox(label="Dislikes", max_length=400),
        ]

    def _connect(self) -> None:
        c = self.controls
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        shown = [self.chains, self.status]
        self.on.input(self.switched, [self.on], None, queue=False, **quick)
        self.who.input(self.chose, [self.who], None, queue=False, **quick)
        self.ask.click(self.asked, [c.prompt, c.valence, c.arousal, c.seed], shown, **quick)
        models = {"concurrency_id": MODELS, "concurrency_limit": 1}
        self.judge.click(self.judged, [c.strength], shown, **quick, **models)
        self.chains.rerun(self.rerun, None, shown, **quick)
        # queued: what goes wrong outside of the queue is not shown as a notice
        self.chains.use(self.use, None, [self.on, self.status], **quick)
        self.add.click(self.added, self.form, [self.who, self.status], **quick)

    def of(self, visit: Visit) -> Board:
        """A visitor's board."""
        if visit not in self._boards:
            names = tuple(viewer.name for viewer in self.company.viewers)
            self._boards[visit] = Board(self.company.viewers, names)
        return self._boards[visit]

    def contribute(self, visit: Visit, order: Order) -> Order:
        """Round 1 in the viewers' words, where they are switched on: those that were taken, else fresh ones.

        Raises:
            UserError: no viewer is chosen, or none gave a rewrite.
        """
        board = self.of(visit)
        if not board.on:
            return order
        rewrites: Sequence[Rewrite] = board.used
        if not board.fits(order.prompt, order.target):
            with visit.meter.work(visit.user):
                rewrites = self._company(board).rewrite(order.prompt, order.target, seed=order.drawing.seed).rewrites
        d = order.drawing
        return replace(order, first=turn_of(rewrites, order.prompt, d.seed, d.candidates))

    def _company(self, board: Board) -> Company:
        return self.company.of(choose_viewers(board.viewers, board.chosen))

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
        board, words, target = self.of(visit), (prompt or "").strip(), Affect(valence, arousal)
        company = self._company(board)
        yield gr.skip(), html.text(f"{len(company.viewers)} viewers think …")
        with visit.meter.work(visit.user):
            chains, missing = company.chains(words, target, seed=int(seed or 0))
        board.chains, board.missing, board.used = chains, missing, ()
        if not chains:
            board.rewrites = ()
            raise UserError(f"No viewer gave a rewrite ({missing[0]}) Try again, or use another rewriter.")
        self._direct(board)
        first = board.rewrites[0].viewers[0]
        board.shown = next(i for i, chain in enumerate(chains) if chain.viewer == first)
        yield self._cards(board), html.text(f"{len(chains)} chains. Edit any step, or use them for round 1.")

    @friendly_stream
    def judged(self, strength: float, request: gr.Request) -> Iterator[tuple[Any, Any]]:
        """One quick picture of each rewrite, read by the judge: the director orders them by that."""
        visit = self.visits.of(request)
        board = self.of(visit)
        if not board.chains:
            raise UserError("Ask the viewers first; then the judge can order what they wrote.")
        chain, rewrites, stamp = board.chains[0], board.rewrites, board.stamp
        yield gr.skip(), html.text(f"The judge reads {len(rewrites)} quick pictures …")
        generator, judge = self.models.get()
        with self.models.lock, visit.work() as cancel:
            drawing = Drawing(1, chain.seed, float(strength))
            found = read_distances(generator, judge, rewrites, chain.target, drawing, cancel)
        if board.stamp != stamp:
            raise UserError(STALE)
        board.read = {rewrite.prompt: away for rewrite, away in zip(rewrites, found, strict=True) if away is not None}
        board.rewrites, board.used, board.stamp = in_order(rewrites, found), (), board.stamp + 1
        yield self._cards(board), html.text("Ordered by what the judge reads, and by what differs.")

    @friendly
    def rerun(self, event: gr.EventData, request: gr.Request) -> tuple[Any, Any]:
        """A step as the person wrote it, and the chain again from there."""
        visit = self.visits.of(request)
        board = self.of(visit)
        try:
            index, step, lines = int(event.chain), str(event.step), str(event.words)[:4000].splitlines()
            chain = board.chains[index] if index >= 0 else None
        except (AttributeError, IndexError, TypeError, ValueError):
            chain, step, lines = None, "", []
        if chain is None or step not in STEPS:
            raise UserError(STALE)
        company = self.company.of(board.viewers)
        with visit.meter.work(visit.user):
            again = company.rerun(chain, step, lines)  # type: ignore[arg-type]
        board.chains = (*board.chains[:index], again, *board.chains[index + 1 :])
        board.shown, board.used = index, ()
        self._direct(board)
        return self._cards(board), html.text(f"{chain.viewer}'s chain was made again from there.")

    @friendly
    def use(self, event: gr.EventData, request: gr.Request) -> tuple[Any, Any]:
        """Round 1 takes the ticked chains; the switch goes on."""
        board = self.of(self.visits.of(request))
        try:
            ticked = {str(item) for item in event.chains}
        except (AttributeError, TypeError):
            ticked = set()
        names = {board.chains[int(i)].viewer for i in ticked if i.isdecimal() and int(i) < len(board.chains)}
        board.used = tuple(
            rewrite
            for rewrite in board.rewrites
            if (rewrite.viewers[0] in names if rewrite.chain is not None else "merged" in ticked)
        )
        if not board.used:
            raise UserError("Tick at least one chain, or ask the viewers first.")
        board.on = True
        count = "1 rewrite" if len(board.used) == 1 else f"{len(board.used)} rewrites"
        return True, html.text(f"Round 1 takes {count}, the first ones for its candidates. Press Run all.")

    @friendly
    def added(
        self, name: str, who: str, temper: str, valence: float, arousal: float, memories: str, likes: str,
        dislikes: str, request: gr.Request,
    ) -> tuple[Any, Any]:  # fmt: skip
        """A viewer of the visitor's own; nobody else sees them."""
        board = self.of(self.visits.of(request))
        viewer = viewer_of(name, who, temper, valence, arousal, memories, likes, dislikes)
        others = [known for known in board.viewers if known.name.lower() != viewer.name.lower()]
        if len(others) >= MAX_VIEWERS:
            raise UserError(f"There are {MAX_VIEWERS} viewers already; give one of their names to replace that one.")
        board.viewers = (*others, viewer)
        names = [known.name for known in board.viewers]
        board.chosen = tuple(known for known in names if known in board.chosen or known == viewer.name)
        told = html.text(f"{viewer.name} has joined. Ask the viewers.")
        return gr.update(choices=names, value=list(board.chosen)), told

    def _direct(self, board: Board) -> None:
        found = self.company.directed(board.chains[0].prompt, board.chains[0].target, board.chains)
        board.rewrites, board.read, board.stamp = found.rewrites, {}, board.stamp + 1

    @staticmethod
    def _cards(board: Board) -> str:
        return viewers_cards.cards(
            board.chains, board.rewrites, board.missing, board.viewers, board.shown, board.stamp, board.read
        )


def viewer_of(
    name: str | None, who: str | None, temper: str | None, valence: float, arousal: float, memories: str | None,
    likes: str | None, dislikes: str | None,
) -> Viewer:  # fmt: skip
    """A viewer from the form.

    Raises:
        UserError: a field is empty, too long, or not written as it must be.
    """
    found = []
    for line in (memories or "").splitlines():
        feeling, colon, about = line.partition(":")
        if not line.strip():
            continue
        if not colon or feeling.strip().lower() not in MIKELS:
            raise UserError(f"Begin each memory with one of {', '.join(MIKELS)}, then a colon and what it is about.")
        found.append((feeling.strip().lower(), about))
    try:
        return Viewer(
            name=name or "",
            who=who or "",
            temperament=Temperament(words=temper or "", valence=valence, arousal=arousal),
            memories=tuple(Memory(emotion=feeling, about=about) for feeling, about in found),  # type: ignore[arg-type]
            taste=Taste(likes=_phrases(likes), dislikes=_phrases(dislikes)),
        )
    except ValidationError as error:
        first = error.errors()[0]
        names = {"words": "temperament", "who": "who this is", "about": "memories"}
        path = [str(part) for part in first["loc"] if not isinstance(part, int)]
        where = names.get(path[-1], path[-1]) if path else "form"
        only = "letters, digits and blanks only"
        wrong = only if first["type"] == "string_pattern_mismatch" else first["msg"].lower()
        raise UserError(f"Look at the field {where!r}: {wrong}.") from None


def _phrases(text: str | None) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in (text or "").split(",") if phrase.strip())
