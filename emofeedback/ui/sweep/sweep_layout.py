"""What the Continuum tab consists of: what to sweep at the left, the sheet in the middle, one picture at the right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gradio as gr

from emofeedback.affect import EMOTIONS, Affect
from emofeedback.records import MAX_SEED
from emofeedback.sweep.animation import formats
from emofeedback.sweep.plane import Continuity
from emofeedback.ui.parts import html
from emofeedback.ui.parts.circumplex import MARGIN, SIZE, SPAN, ground, place

MAX_GRID, MAX_FRAMES = 9, 49
SHEET, PATH, BLEND = "Sheet", "Path", "Blend"
MODES = (SHEET, PATH, BLEND)
EMPTY = "Valence grows to the right, arousal upwards."
PICK = "Press a picture of the sheet to see it here, with its reading."

# A press on the plane tells its point; the template holds only our own drawing.
CLICK = f"""
element.addEventListener("click", (event) => {{
  const svg = element.querySelector("svg");
  if (!svg || !svg.contains(event.target)) return;
  const box = svg.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * {SIZE:g};
  const y = ((event.clientY - box.top) / box.height) * {SIZE:g};
  const clamp = (v) => Math.max(-1, Math.min(1, v));
  trigger("click", {{
    valence: clamp(((x - {MARGIN:g}) / {SPAN:g}) * 2 - 1), arousal: clamp(1 - ((y - {MARGIN:g}) / {SPAN:g}) * 2),
  }});
}});
"""


@dataclass(frozen=True)
class SweepControls:
    """The left column."""

    prompt: gr.Textbox
    mode: gr.Radio
    grid: gr.Slider
    drawn: gr.HTML
    path: gr.Textbox
    undo: gr.Button
    clear: gr.Button
    first: gr.Dropdown
    second: gr.Dropdown
    share: gr.Slider
    frames: gr.Slider
    strength: gr.Slider
    visual: gr.Checkbox
    visual_strength: gr.Slider
    seed: gr.Number
    animation: gr.Dropdown
    draw: gr.Button
    stop: gr.Button
    shape: Mapping[str, gr.Group]
    """By mode: the group that it shows."""


@dataclass(frozen=True)
class SweepOutput:
    """The middle and the right column."""

    sheet: gr.Image
    status: gr.HTML
    figures: gr.HTML
    moving: gr.HTML
    cell: gr.Dropdown
    picture: gr.Image
    words: gr.HTML
    open: gr.Button
    files: gr.DownloadButton
    clip: gr.DownloadButton


def controls(prompt: str) -> SweepControls:
    """Build the left column."""
    with gr.Column(elem_classes=["side", "controls"]):
        words = gr.Textbox(
            prompt,
            label="What is in the picture",
            lines=2,
            max_length=2000,
            elem_id="sweep-prompt",
            placeholder="leave empty for pure mood",
        )
        mode = gr.Radio(MODES, value=SHEET, label="What to draw", elem_id="sweep-mode")
        with gr.Group() as sheet_group:
            grid = gr.Slider(
                3,
                MAX_GRID,
                5,
                step=1,
                label="Grid",
                info="so many moods along each axis",
                elem_id="sweep-grid",
                buttons=[],
            )
        with gr.Group(visible=False) as path_group:
            drawn = gr.HTML(path_plane(()), js_on_load=CLICK, elem_id="sweep-plane")
            path = gr.Textbox(
                "",
                label="Path",
                placeholder="press points on the plane, or type: -0.8,0.6 0,0 0.8,-0.6",
                max_length=2000,
                elem_id="sweep-path",
            )
            with gr.Row():
                undo = gr.Button("Undo point", size="sm", min_width=80)
                clear = gr.Button("Clear", size="sm", min_width=60)
        with gr.Group(visible=False) as blend_group:
            first = gr.Dropdown(list(EMOTIONS), value="happy", label="From", elem_id="sweep-first")
            second = gr.Dropdown(list(EMOTIONS), value="afraid", label="To", elem_id="sweep-second")
            share = gr.Slider(
                0, 1, 0.5, step=0.05, label="Share of the second", info="the blend you are after", buttons=[]
            )
        frames = gr.Slider(
            3, MAX_FRAMES, 9, step=1, label="Pictures", visible=False, elem_id="sweep-frames", buttons=[]
        )
        with gr.Accordion("More", open=False):
            strength = gr.Slider(0, 2, 1, step=0.1, label="Strength of the emotion", buttons=[])
            visual = gr.Checkbox(False, label="Guide by pictures of the emotion", elem_id="sweep-visual")
            visual_strength = gr.Slider(
                0,
                2,
                1,
                step=0.1,
                label="Strength of the pictures",
                info="each picture by those of its own mood",
                visible=False,
                elem_id="sweep-visual-strength",
                buttons=[],
            )
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED)
            choices = [("none", ""), *((name.upper(), name) for name in formats())]
            animation = gr.Dropdown(choices, value="webp", label="Animation", elem_id="sweep-animation")
        with gr.Row(elem_classes="actions"):
            draw = gr.Button("Draw the sheet", variant="primary", elem_id="sweep-draw", scale=3)
            stop = gr.Button("Stop", elem_id="sweep-stop", scale=2, min_width=70)
    shape = {SHEET: sheet_group, PATH: path_group, BLEND: blend_group}
    return SweepControls(
        words,
        mode,
        grid,
        drawn,
        path,
        undo,
        clear,
        first,
        second,
        share,
        frames,
        strength,
        visual,
        visual_strength,
        seed,
        animation,
        draw,
        stop,
        shape,
    )


def output() -> SweepOutput:
    """Build the other two columns."""
    with gr.Column(elem_classes="middle"):
        sheet = gr.Image(
            label="Sheet",
            show_label=False,
            format="png",
            interactive=False,
            height=640,
            type="filepath",
            buttons=["download", "fullscreen"],
            elem_id="sheet",
            elem_classes=["picture", "first"],
            alt_text="The sheet",
        )
        status = gr.HTML(html.progress(EMPTY, busy=False), elem_id="sweep-status", elem_classes="first")
        figures = gr.HTML(elem_id="sweep-figures")
    with gr.Column(elem_classes=["side", "board"]):
        picture = gr.Image(
            label="Picture",
            show_label=False,
            format="png",
            interactive=False,
            type="filepath",
            height=260,
            buttons=["download", "fullscreen"],
            elem_id="sweep-picture",
            alt_text="The picture that was pressed",
        )
        cell = gr.Dropdown([], label="Picture of the sheet", elem_id="sweep-cell", interactive=True)
        words = gr.HTML(html.notice(PICK), elem_id="sweep-words", elem_classes="judge")
        opener = gr.Button("Open in Create", elem_id="sweep-open", interactive=False)
        moving = gr.HTML(elem_id="sweep-moving")
        clip = gr.DownloadButton("Download the animation", interactive=False, elem_id="sweep-clip")
        files = gr.DownloadButton("Download all pictures and the table", interactive=False, elem_id="sweep-files")
    return SweepOutput(sheet, status, figures, moving, cell, picture, words, opener, files, clip)


def path_plane(points: Sequence[Affect]) -> str:
    """The plane with the waypoints so far; a press adds one."""
    marks = ""
    if points:
        where = [place(point) for point in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in where)
        marks = f'<polyline points="{line}" class="path"/>' + "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" class="chosen"/>'
            f'<text x="{x:.1f}" y="{y - 9:.1f}" class="number">{number}</text>'
            for number, (x, y) in enumerate(where, 1)
        )
    spoken = f"Valence-arousal plane with {len(points)} points of the path; they are also in the field below."
    return (
        f'<svg class="plane" viewBox="0 0 {SIZE:g} {SIZE:g}" role="img" aria-label="{spoken}" '
        f'style="cursor:crosshair">{ground("sweep")}{marks}</svg>'
    )


def figure_table(figures: Mapping[str, Continuity]) -> str:
    """The continuity figures, one row per axis."""
    rows = "".join(
        f"<tr><td>{html.text(axis)}</td><td>{f.mean_step:.1f}</td><td>{f.largest_step:.1f}</td>"
        f"<td>{f.ratio:.1f}</td><td>{f.travel:.1f}</td></tr>"
        for axis, f in figures.items()
    )
    return (
        '<table class="figures"><thead><tr><th>Along</th><th>mean step</th><th>largest step</th><th>largest / mean</th>'
        f"<th>end to end</th></tr></thead><tbody>{rows}</tbody></table>"
        '<p class="quiet">Steps between neighbours in ΔE (CIELAB, averaged down to 32 × 32).</p>'
    )
