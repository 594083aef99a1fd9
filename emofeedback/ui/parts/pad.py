"""The pad: the valence-arousal plane as an input, in step with the sliders beside it."""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.affect import EMOTIONS, PRESETS, Affect
from emofeedback.errors import UserError
from emofeedback.ui.parts import html
from emofeedback.ui.parts.circumplex import MARGIN, SIZE, SPAN, ground

SCALES = {"signed": "−1…1", "nine": "1–9", "grid": "9×9"}
HELP = "Arrow keys move the target, with Shift in larger steps; Home returns to the centre."

# Whatever the value is, the drawing stands: a value that is no point would take the whole component away.
VALENCE, AROUSAL = (f"Math.max(-1, Math.min(1, Number(value && value.{axis}) || 0))" for axis in ("valence", "arousal"))
# Texts of users never enter a template: Gradio evaluates it as JavaScript. Only numbers and our own SVG do.
TEMPLATE = """
<div class="pad">
  <div class="pad-head">
    <p class="pad-now" aria-hidden="true">
      <span title="{said_v}">Pleasant <b>{valence}</b></span>
      <span title="{said_a}">Energy <b>{arousal}</b></span></p>
    <fieldset class="pad-scale expert"><legend>Scale</legend>{scales}</fieldset>
  </div>
  <div class="pad-plane" tabindex="0" role="slider" aria-roledescription="2D slider"
       aria-label="Target: valence to the right, arousal upwards" aria-description="{help}" title="{help}"
       aria-valuemin="-1" aria-valuemax="1" aria-valuenow="${{{v}}}"
       aria-valuetext="valence ${{({v}).toFixed(2)}}, arousal ${{({a}).toFixed(2)}}">
    <svg class="plane" viewBox="0 0 {size:g} {size:g}" aria-hidden="true" focusable="false">{ground}
      <g class="target thumb" transform="translate(${{{x}}} ${{{y}}})"><circle class="halo" r="19"/><circle r="10"/>
        <path d="M-15 0h9m12 0h9M0 -15v9m0 12v9"/></g>
    </svg>
  </div>
</div>
"""


def pad(value: Affect, *, key: str = "pad", **options: Any) -> gr.HTML:
    """A dragged point; the component's value is {"valence", "arousal"} (see `as_value`, `point`).

    Events: `input` on each move, `release` when a drag or a key press ends. What was read lies over it in a component
    of its own (`overlay`): an update of anything but the value would reset the point while it is being dragged.
    """
    template = TEMPLATE.format(
        size=SIZE,
        ground=ground(key),
        help=HELP,
        v=VALENCE,
        a=AROUSAL,
        said_v=html.VALENCE,
        said_a=html.AROUSAL,
        valence=_number(VALENCE),
        arousal=_number(AROUSAL),
        x=f"{MARGIN:g} + ({VALENCE} + 1) / 2 * {SPAN:g}",
        y=f"{MARGIN:g} + (1 - {AROUSAL}) / 2 * {SPAN:g}",
        scales="".join(
            f'<label><input type="radio" name="scale-{key}" value="{name}"><span>{label}</span></label>'
            for name, label in SCALES.items()
        ),
    )
    # the named moods as they stand on the sliders' grid
    moods = {name: [round(20 * x) / 20 for x in (at.valence, at.arousal)] for name, at in named_moods().items()}
    script = Path(__file__).with_name("pad.js").read_text(encoding="utf-8").replace("__MOODS__", json.dumps(moods))
    return gr.HTML(as_value(value), html_template=template, js_on_load=script, apply_default_css=False, **options)


def named_moods() -> dict[str, Affect]:
    """The moods that have a chip."""
    return {name: EMOTIONS[name] for name in PRESETS}


def as_value(at: Affect) -> dict[str, float]:
    """The point as the browser keeps it."""
    return {"valence": at.valence, "arousal": at.arousal}


def point(value: Any) -> Affect:
    """The point that a browser sent; checked, not trusted.

    Raises:
        UserError: it is no point of the plane.
    """
    try:
        return Affect(value["valence"], value["arousal"])
    except (TypeError, KeyError):
        raise UserError("The pad's point must have a valence and an arousal from -1 to 1.") from None


def _number(name: str) -> str:
    """A coordinate in the three scales, of which CSS shows one."""
    sign = f'${{({name} < 0 ? "−" : "+") + Math.abs({name}).toFixed(2)}}'
    return (
        f'<span class="in-signed">{sign}</span><span class="in-nine">${{(5 + 4 * {name}).toFixed(1)}}</span>'
        f'<span class="in-grid">${{Math.round(5 + 4 * {name})}}</span>'
    )


def overlay(marks: str) -> str:
    """Marks (SVG, see `circumplex.marks`) as a drawing that lies on the pad's plane."""
    return f'<svg class="plane" viewBox="0 0 {SIZE:g} {SIZE:g}" aria-hidden="true">{marks}</svg>'
