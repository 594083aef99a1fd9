"""Visual prompts on the page: on or off, how strongly, which references the words find, one's own picture."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
from PIL import Image

from emofeedback.affect import MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.generators.visual.bank import Hit, VisualBank
from emofeedback.records import VisualPrompt
from emofeedback.ui.create.create_layout import CreateControls
from emofeedback.ui.create.create_order import CreateOrder
from emofeedback.ui.parts import html
from emofeedback.ui.session import Models, Visit, Visits, friendly

SHOWN = 3
NEAREST = "nearest to the mood"
NOTHING = "nothing in particular"
OFF = "References appear here when pictures guide the drawing."
LOADING = "The models are still loading; the references appear with the next change."
NONE = "This generator has no visual prompts."
SWITCH_OFF = "This generator has no visual prompts; untick “Guide by pictures of the emotion”."
OWN_ALONE = "This generator is guided by pictures of your own alone; add one below."
ELSEWHERE = "The picture's own references are not in this bank; change a word, the mood or the emotion to find others."


@dataclass(frozen=True)
class FixedReferences:
    """References that came back with a picture's settings: they stay as long as words, mood and emotion do.

    Attributes:
        centres: (number in the bank, weight); () = those that the words find.
    """

    centres: tuple[tuple[int, float], ...] = ()
    prompt: str = ""
    target: Affect | None = None
    emotion: str | None = None

    def fits(self, prompt: str, target: Affect, emotion: str | None) -> bool:
        near = self.target is not None and self.target.distance(target) < 1e-4
        return bool(self.centres) and near and (self.prompt, self.emotion) == (prompt, emotion)

    def __str__(self) -> str:
        count = len(self.centres)
        return f"{count} of the picture's own" if count else "those that the words find"


FOUND = FixedReferences()


@dataclass(eq=False)
class ReferencesState:
    """What a visitor has set. `weights` are those of the references in their order; 1 is as they were found."""

    on: bool = False
    strength: float = 1.0
    emotion: str | None = None
    negative: str | None = None  # an emotion to lead away from
    weights: tuple[float, ...] = (1.0,) * SHOWN
    fixed: FixedReferences = FOUND
    file: str | None = None  # of one's own picture
    own: Image.Image | None = None
    own_weight: float = 1.0

    def visual(self, hits: Sequence[Hit], fixed: bool = False) -> VisualPrompt:
        """The visual prompt of a run; as long as no weight was touched, each round's words find their own centres.

        Args:
            fixed: the hits are a picture's own, whatever words come.

        Raises:
            UserError: every reference was dropped and there is no picture of one's own.
        """
        own = ((self.own, self.own_weight),) if self.own is not None and self.own_weight > 0 else ()
        if not own and not fixed and set(self.weights) == {1.0}:
            return VisualPrompt(self.strength, self.emotion, negative=self.negative)
        weights = (*self.weights, *[1.0] * len(hits))  # a picture may bring more references than there are sliders
        kept = [(hit.number, hit.weight * w) for hit, w in zip(hits, weights, strict=False) if w > 0]
        if not kept and not own:
            raise UserError("Every reference is dropped; give one a weight, add a picture, or switch them off.")
        return VisualPrompt(self.strength, self.emotion, tuple(kept), own, self.negative)


class ReferencesPanel:
    """Builds the panel, to be entered where it belongs, and answers its events.

    Args:
        controls: whose prompt and mood the references are found by.
    """

    def __init__(self, models: Models, visits: Visits, controls: CreateControls) -> None:
        self.models, self.visits, self.controls = models, visits, controls
        self._states: WeakKeyDictionary[Visit, ReferencesState] = WeakKeyDictionary()
        style = Path(__file__).with_name("references.css").read_text(encoding="utf-8")
        gr.HTML(f"<style>{style}</style>", visible="hidden", padding=False)
        self.on = gr.Checkbox(False, label="Guide by pictures of the emotion", elem_id="visual-on")
        with gr.Accordion("References", open=False, elem_id="references"):
            self.strength = _slider("Strength", "visual-strength")
            self.emotion = gr.Dropdown([NEAREST, *MIKELS], value=NEAREST, label="Emotion", elem_id="visual-emotion")
            self.negative = gr.Dropdown([NOTHING, *MIKELS], value=NOTHING, label="Away from", elem_id="visual-negative")
            self.cards = gr.HTML(_quiet(OFF), elem_id="reference-cards", apply_default_css=False)
            self.weights = [_slider(f"Weight {i}", f"reference-{i}") for i in range(1, SHOWN + 1)]
            self.own = gr.Image(
                label="Your own picture",
                alt_text="Your own picture",
                type="filepath",
                elem_id="visual-own",
                height=160,
                sources=["upload", "clipboard"],
            )
            self.own_weight = _slider("Weight", "visual-own-weight")
        self.fixed = gr.State(FOUND)
        self.knobs = {
            self.on,
            self.strength,
            self.emotion,
            self.negative,
            *self.weights,
            self.own,
            self.own_weight,
            self.fixed,
        }
        self.asked = {*self.knobs, controls.prompt, controls.valence, controls.arousal}
        self._connect()

    kept = ("visual_on", "visual_strength", "visual_emotion", "visual_negative")
    """Of `fields`, those that the browser keeps over a reload."""

    def fields(self) -> dict[str, Any]:
        """The components by the names that `restore` knows them by."""
        weights = {f"visual_weight_{i}": slider for i, slider in enumerate(self.weights, 1)}
        return weights | {
            "visual_on": self.on,
            "visual_strength": self.strength,
            "visual_emotion": self.emotion,
            "visual_negative": self.negative,
            "visual_references": self.fixed,
            "visual_own": self.own,
        }

    def _connect(self) -> None:
        c = self.controls
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
        # once the mood stands still: a drag makes dozens of changes a second, and previews would wait behind them
        for again in (self.on.input, self.emotion.input, c.tools.settled):
            again(self.found, self.asked, [self.cards], trigger_mode="always_last", **quick)
        changed = [self.strength.input, self.negative.input, *(w.input for w in self.weights), self.own_weight.input]
        gr.on(changed, self.changed, self.knobs, None, trigger_mode="always_last", **quick)
        # what a preview follows: once a slider is let go, where `input` tells every step
        settled: dict[str, Any] = {"trigger_mode": "multiple", **quick}
        self.switched = self.on.input(self.changed, self.knobs, None, **settled)
        sliders = [self.strength, *self.weights, self.own_weight]
        tunings = [self.emotion.input, self.negative.input, *(slider.release for slider in sliders)]
        self.tuned = gr.on(tunings, self.changed, self.knobs, None, **settled)
        # a picture may be refused, and the page shows that as a notice only where it comes from the queue
        self.own.change(self.changed, self.knobs, None, trigger_mode="always_last", **{**quick, "queue": True})

    def of(self, visit: Visit) -> ReferencesState:
        """A visitor's state."""
        return self._states.setdefault(visit, ReferencesState())

    def contribute(self, visit: Visit, order: CreateOrder) -> CreateOrder:
        """The order with the visual prompt in every picture, where it is switched on.

        Raises:
            UserError: the generator has no visual prompts, or every reference was dropped.
        """
        state = self.of(visit)
        if not state.on:
            return order
        self.models.get()
        if self._prompts() is None:
            raise UserError(SWITCH_OFF)
        _, hits = self._hits(order.prompt, order.target, state)
        fixed = state.fixed.fits(order.prompt, order.target, state.emotion)
        return replace(order, drawing=replace(order.drawing, visual=state.visual(hits, fixed)))

    @friendly
    def changed(self, data: Mapping[Any, Any], request: gr.Request) -> None:
        """Something was set; `data` holds the values of `knobs`."""
        state, own = self.of(self.visits.of(request)), data[self.own]
        emotion, negative = data[self.emotion], data[self.negative]
        state.on, state.strength = bool(data[self.on]), float(data[self.strength])
        state.emotion = None if emotion == NEAREST else emotion
        state.negative, state.fixed = None if negative == NOTHING else negative, data[self.fixed]
        state.weights = tuple(float(data[slider]) for slider in self.weights)
        state.own_weight = float(data[self.own_weight])
        if own != state.file:
            state.file, state.own = own, None  # a refused picture leaves none
            state.own = None if own is None else open_picture(Path(own), name="Your picture")

    @friendly
    def found(self, data: Mapping[Any, Any], request: gr.Request) -> str:
        """The references of the present words and mood; `data` holds the values of `asked`."""
        self.changed(data, request)
        if not data[self.on]:
            return _quiet(OFF)
        if self.models.peek() is None:
            return _quiet(LOADING)
        if self._prompts() is None:
            return _quiet(NONE)
        c, state = self.controls, self.of(self.visits.of(request))
        try:
            mood = Affect.clamped(data[c.valence], data[c.arousal])
            bank, hits = self._hits(data[c.prompt] or "", mood, state)
        except UserError as error:
            return _quiet(str(error))
        return _quiet(OWN_ALONE) if bank is None else reference_cards(bank, hits)

    def settings_of(self, visual: VisualPrompt | None) -> dict[Any, Any]:
        """What the panel shows for a picture that was drawn by the nearest references, or by none."""
        if visual is None:
            return {self.on: False}
        return {
            self.on: True,
            self.strength: visual.strength,
            self.emotion: NEAREST,
            self.negative: NOTHING,
            **dict.fromkeys(self.weights, 1.0),
            self.own: None,
            self.fixed: FOUND,
        }

    def _prompts(self) -> Any:
        """The visual prompts of the generator at hand; None where it has none."""
        pair = self.models.peek()
        return None if pair is None else getattr(pair[0], "visual", None)

    def _hits(self, prompt: str, target: Affect, state: ReferencesState) -> tuple[VisualBank | None, Sequence[Hit]]:
        """The bank of the generator at hand and what it finds, or what is fixed; None where there is no bank.

        Raises:
            UserError: what is fixed is of another bank.
        """
        visual, generator = self._prompts(), self.models.get()[0]
        bank: VisualBank | None = visual.bank
        if bank is None:
            return None, ()
        if state.fixed.fits(prompt, target, state.emotion):
            if any(number >= len(bank.centres) for number, _ in state.fixed.centres):
                raise UserError(ELSEWHERE)
            return bank, tuple(Hit(number, 1.0, weight) for number, weight in state.fixed.centres)
        features = getattr(visual, "words", None) or generator.texts.many  # type: ignore[attr-defined]
        words = features([prompt])[0]
        return bank, bank.retrieve(words, bank.group(target, state.emotion), SHOWN)


def reference_cards(bank: VisualBank, hits: Sequence[Hit]) -> str:
    """The nearest pictures of retrieved centres: emotion or cell, share, caption, valence and arousal."""
    figures, total = [], sum(hit.weight for hit in hits) or 1.0
    for place, hit in enumerate(hits, 1):
        centre = bank.centres[hit.number]
        at = f"V {centre.affect.valence:+.2f} · A {centre.affect.arousal:+.2f}".replace("-", "−")
        figures.append(
            f'<figure><img src="{_data(bank.pictures[hit.number])}" alt="{html.text(centre.caption)}">'
            f"<figcaption><b>{place} · {html.text(centre.group)} · {hit.weight / total:.0%}</b>"
            f'<span title="{html.text(centre.caption)}">{html.text(centre.caption)}</span>'
            f"{at}, mean of {centre.members} pictures</figcaption></figure>"
        )
    return f'<div class="references">{"".join(figures)}</div>'


def _slider(label: str, name: str) -> gr.Slider:
    return gr.Slider(0, 2, 1, step=0.1, label=label, buttons=[], elem_id=name, elem_classes="line")


def _data(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _quiet(sentence: str) -> str:
    return f'<p class="quiet">{html.text(sentence)}</p>'
