"""Bringing settings back into the Create tab: shown beside those that are there, and only then, if wanted, put in.

The contract with the Create tab. `Restore()` is made before the tabs. A tab that offers settings puts them into
`offer` (a dict of FIELDS and more, or None) by a listener and names that listener to `follow`. When all tabs are built,
`connect` is given the Create tab's components by the names of FIELDS. Whoever must follow a restore (the pad, a
preview) subscribes with `after(function, inputs, outputs)` before `connect`; `applied` holds the fields that were put
in last.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.affect import MIKELS, Affect, nearest_emotion
from emofeedback.records import VisualPrompt
from emofeedback.ui.create.create_layout import CONTINUATIONS, SHAPES
from emofeedback.ui.create.references_panel import FOUND, NEAREST, NOTHING, FixedReferences
from emofeedback.ui.parts import html

CREATE = (
    "prompt",
    "valence",
    "arousal",
    "strength",
    "seed",
    "steps",
    "candidates",
    "rounds",
    "tolerance",
    "patience",
    "continuation",
    "start_strength",
    "negative_prompt",
    "size",
)
VISUAL = (
    "visual_on",
    "visual_strength",
    "visual_emotion",
    "visual_negative",
    "visual_references",
    "visual_weight_1",
    "visual_weight_2",
    "visual_weight_3",
    "visual_own",
)
FIELDS = (*CREATE, *VISUAL)
EMPTY = object()
"""Offered where something that is on the page shall go."""
LABELS = {
    "prompt": "Words",
    "valence": "Pleasant",
    "arousal": "Energy",
    "strength": "Strength",
    "seed": "Seed",
    "steps": "Steps",
    "candidates": "Pictures",
    "rounds": "Rounds",
    "tolerance": "Tolerance",
    "patience": "Patience",
    "continuation": "Each next round starts",
    "start_strength": "Share redrawn",
    "negative_prompt": "Without",
    "size": "Shape",
    "visual_on": "Guide by pictures",
    "visual_strength": "Their strength",
    "visual_emotion": "Their emotion",
    "visual_negative": "Away from",
    "visual_references": "References",
    "visual_weight_1": "Weight 1",
    "visual_weight_2": "Weight 2",
    "visual_weight_3": "Weight 3",
    "visual_own": "Your own picture",
}
MAX_SHOWN = 300
"""Characters of a prompt in the table."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that a restore would change; `limited` = the offer lies beyond what the page takes."""

    field: str
    before: Any
    after: Any
    limited: bool = False


class Restore:
    """Holds what is offered, the panel that asks, and who wants to know."""

    def __init__(self) -> None:
        self.offer = gr.State(None)
        self.applied = gr.State(None)
        self._sources: list[Any] = []
        self._at_once: list[Any] = []
        self._followers: list[tuple[Callable[..., Any], Collection[Any], Sequence[Any]]] = []
        self._limits: dict[str, tuple[float | None, float | None]] = {}
        self._randomize: list[gr.Checkbox] = []
        self._fields: tuple[str, ...] = FIELDS

    def panel(self) -> None:
        """Build the question, hidden until something is offered."""
        with gr.Column(visible=False, elem_id="restore", elem_classes=["board", "restore"]) as self.box:
            self.table = gr.HTML()
            with gr.Row(elem_classes="actions"):
                self.yes = gr.Button("Put into Create", variant="primary", elem_id="restore-yes", min_width=90)
                self.no = gr.Button("Leave as it is", elem_id="restore-no", min_width=90)

    def follow(self, listener: Any) -> None:
        """Ask once this listener, which fills `offer`, has succeeded."""
        self._sources.append(listener)

    def at_once(self, listener: Any) -> None:
        """Put in without asking once this listener, which fills `offer`, has succeeded: a person pressed a button for
        it."""
        self._at_once.append(listener)

    def after(self, function: Callable[..., Any], inputs: Collection[Any], outputs: Sequence[Any]) -> None:
        """Call a handler each time that settings were put in."""
        self._followers.append((function, inputs, outputs))

    def connect(self, controls: Mapping[str, Any], tabs: gr.Tabs, randomize: gr.Checkbox | None = None) -> None:
        """Listen, once all tabs are built.

        Args:
            controls: the Create tab's components by the names of FIELDS, those of VISUAL only where there are any;
                each holds a plain value.
            tabs: of the page; Create's id is "create".
            randomize: "New seed each run", switched off where a seed comes back.
        """
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        self._fields = tuple(name for name in FIELDS if name in controls or name in CREATE)
        now = [controls[name] for name in self._fields]
        self._limits = {
            name: (getattr(controls[name], "minimum", None), getattr(controls[name], "maximum", None))
            for name in self._fields
        }
        for source in self._sources:
            source.success(self.ask, [self.offer, *now], [self.table, self.box, self.yes], **quick)
        self._randomize = [randomize] if randomize is not None else []
        there = [*now, self.applied, self.offer, self.box, tabs, *self._randomize]
        self.no.click(lambda: (None, gr.update(visible=False)), None, [self.offer, self.box], **quick)
        for said in (self.yes.click, *(listener.success for listener in self._at_once)):
            put_in = said(self.put_in, [self.offer, *now], there, **quick)
            for function, inputs, outputs in self._followers:
                put_in.success(function, inputs, list(outputs), **quick)

    def changes(self, offer: Mapping[str, Any], now: Sequence[Any]) -> list[FieldChange]:
        """What would change, field by field."""
        found = []
        offer = {**offer, **visual_fields(offer)}
        for field, before in zip(self._fields, now, strict=True):
            value = offer.get(field)
            if value is None or (value is EMPTY and before is None):
                continue
            if value is EMPTY:
                found.append(FieldChange(field, before, None))
                continue
            low, high = self._limits.get(field, (None, None))
            after = value
            if isinstance(value, (int, float)):
                after = value if low is None else max(low, after)
                after = after if high is None else min(high, after)
            if after != before and not (field == "seed" and after != value):  # another seed is another picture
                found.append(FieldChange(field, before, after, after != value))
        return found

    def ask(self, offer: dict[str, Any] | None, *now: Any) -> tuple[Any, ...]:
        """Show what would change; nothing is changed yet."""
        if offer is None:
            return gr.skip(), gr.update(visible=False), gr.skip()
        changes = self.changes(offer, now)
        return changes_table(offer, changes), gr.update(visible=True), gr.update(interactive=bool(changes))

    def put_in(self, offer: dict[str, Any] | None, *now: Any) -> tuple[Any, ...]:
        """The person said yes."""
        extra = len(self._randomize)
        if offer is None:
            return (gr.skip(),) * (len(self._fields) + 4 + extra)
        changed = {change.field: change.after for change in self.changes(offer, now)}
        values = [changed.get(name, gr.skip()) for name in self._fields]
        fixed = gr.skip() if offer.get("seed") is None else False  # the seed that came back shall be used
        return (*values, changed, None, gr.update(visible=False), gr.Tabs(selected="create"), *[fixed] * extra)


def visual_fields(offer: Mapping[str, Any]) -> dict[str, Any]:
    """An offer's visual prompt as fields of the page; nothing where its source tells of none."""
    visual: VisualPrompt | None = offer.get("visual")
    if visual is None:
        return {}
    if not visual.strength > 0:
        return {"visual_on": False}
    pairs, at = visual.centres or (), offer.get("valence")
    emotion = visual.emotion if visual.emotion in MIKELS else None
    target = None if at is None else Affect(at, offer["arousal"])
    weight = 0.0 if visual.centres == () else 1.0  # all were dropped for a picture of one's own
    found = {f"visual_weight_{i}": weight for i in (1, 2, 3)} | {
        "visual_on": True,
        "visual_strength": visual.strength,
        "visual_emotion": emotion or NEAREST,
        "visual_negative": visual.negative if visual.negative in MIKELS else NOTHING,
        "visual_references": FixedReferences(pairs, offer.get("prompt") or "", target, emotion) if pairs else FOUND,
    }
    return found if offer.get("own_pictures") else found | {"visual_own": EMPTY}


def lost(offer: Mapping[str, Any]) -> list[str]:
    """What cannot come back, a sentence each."""
    visual: VisualPrompt | None = offer.get("visual")
    left = [
        f"{name.replace('_', ' ')} “{_shown(offer[name])}”" for name in ("guidance",) if offer.get(name) is not None
    ]
    if visual is not None and visual.strength > 0:
        named = (("references of", visual.emotion), ("away from", visual.negative))
        left += [f"{what} “{_shown(name)}”" for what, name in named if name not in (None, *MIKELS)]
        if visual.guidance is not None:
            left.append(f"guidance away “{_shown(visual.guidance)}”")
    said = [f"Left out, for Create has no place for it: {'; '.join(left)}."] if left else []
    count = offer.get("own_pictures")
    if count:
        what = "your own picture" if count == 1 else f"{count} pictures of your own"
        said.append(f"Left out, for saved settings have no place for it: {what}; add it again under References.")
    return said


def changes_table(offer: Mapping[str, Any], changes: Sequence[FieldChange]) -> str:
    """The question as a table: now and then."""
    note = "".join(f"<p class='quiet'>{sentence}</p>" for sentence in lost(offer))
    if not changes:
        return html.notice("Create already holds these settings; just press Run there.") + note
    rows = "".join(
        f'<tr><th scope="row">{LABELS[c.field]}</th><td>{_shown(_named(c, c.before))}</td>'
        f"<td><b>{_shown(_named(c, c.after))}</b>"
        f"{' <small>(the most this page takes)</small>' if c.limited else ''}</td></tr>"
        for c in changes
    )
    mood = ""
    if offer.get("valence") is not None:
        mood = f", nearest to <i>{html.text(nearest_emotion(Affect(offer['valence'], offer['arousal'])))}</i>"
    return (
        f"<h4>These settings of Create would change{mood}</h4><table class='changes'><thead><tr><th></th>"
        f"<th>now</th><th>then</th></tr></thead><tbody>{rows}</tbody></table>{note}"
    )


def _named(change: FieldChange, value: Any) -> Any:
    """A value of a field as people know it, such as the file's name of an uploaded picture."""
    match change.field:
        case "visual_own" if value:
            return Path(value).name
        case "continuation":
            return next((words for words, name in CONTINUATIONS if name == value), value)
        case "size":
            return next((words for words, name in SHAPES if name == (value or "")), value)
        case "patience" if value == 0:
            return "never stop for it"
    return value


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "<em>empty</em>"
    if isinstance(value, bool):
        return "on" if value else "off"
    words = f"{value:g}" if isinstance(value, float) else str(value)
    return html.text(words[:MAX_SHOWN] + ("…" if len(words) > MAX_SHOWN else ""))
