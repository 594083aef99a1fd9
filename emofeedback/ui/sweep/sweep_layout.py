"""What the Continuum tab consists of: what to sweep at the left, the sheet in the middle, one picture at the right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from emofeedback.affect import EMOTIONS, Affect
from emofeedback.records import MAX_SEED
from emofeedback.sweep.animation import formats
from emofeedback.ui.adapters import adapter_line
from emofeedback.ui.parts import html
from emofeedback.ui.parts.circumplex import MARGIN, SIZE, SPAN, ground, place
from emofeedback.ui.sweep.sheet_view import empty_sheet, path_label

MAX_GRID, MAX_FRAMES = 9, 49
SHEET, PATH, BLEND = "Sheet", "Path", "Blend"
MODES = (SHEET, PATH, BLEND)
FIRST = "One prompt, one seed, every mood: see how the picture changes."
PICK = "Press a picture of the sheet to see it large, with what the judge reads in it."

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
    adapter: gr.HTML
    """Says where a fine-tuned adapter draws."""
    shape: Mapping[str, gr.Group]
    """By mode: the group that it shows."""


@dataclass(frozen=True)
class SweepOutput:
    """The middle and the right column."""

    sheet: gr.HTML
    status: gr.HTML
    figures: gr.HTML
    moving: gr.HTML
    cell: gr.State
    """Index of the picture that is shown; None = none is."""
    picture: gr.Image
    words: gr.HTML
    open: gr.Button
    read: gr.Button
    files: gr.DownloadButton
    clip: gr.DownloadButton
    whole: gr.DownloadButton
    empty: gr.HTML
    made: gr.Column
    """In place of `empty` once something was drawn."""


def controls(prompt: str) -> SweepControls:
    """Build the left column."""
    with gr.Column(elem_classes=["side", "controls"]):
        words = gr.Textbox(
            prompt,
            label="What is in the picture",
            lines=2,
            max_lines=4,
            max_length=2000,
            elem_id="sweep-prompt",
            placeholder="leave empty for pure mood",
        )
        mode = gr.Radio(
            MODES,
            value=SHEET,
            label="What to draw",
            info="a sheet of all moods, a path through them, or a blend of two",
            elem_id="sweep-mode",
        )
        with gr.Group() as sheet_group:
            grid = gr.Slider(
                3,
                MAX_GRID,
                5,
                step=1,
                label="Grid",
                info="so many moods each way",
                elem_id="sweep-grid",
                buttons=[],
            )
        with gr.Group(visible=False) as path_group:
            drawn = gr.HTML(path_plane(()), js_on_load=CLICK, elem_id="sweep-plane")
            path = gr.Textbox(
                "",
                label="Path",
                info="press points on the plane, or type them: pleasant,energy from -1 to 1",
                placeholder="-0.8,0.6 0,0 0.8,-0.6",
                max_length=2000,
                elem_id="sweep-path",
            )
            with gr.Row(elem_classes="actions"):
                undo = gr.Button("Undo point", size="sm", min_width=80)
                clear = gr.Button("Clear", size="sm", min_width=60)
        with gr.Group(visible=False) as blend_group:
            first = gr.Dropdown(list(EMOTIONS), value="happy", label="From", elem_id="sweep-first")
            second = gr.Dropdown(list(EMOTIONS), value="afraid", label="To", elem_id="sweep-second")
            share = gr.Slider(
                0,
                1,
                0.5,
                step=0.05,
                label="Blend",
                info="the mixture that must be among the pictures: 0 = the first, 1 = the second",
                buttons=[],
            )
        frames = gr.Slider(
            3, MAX_FRAMES, 9, step=1, label="How many pictures", visible=False, elem_id="sweep-frames", buttons=[]
        )
        with gr.Row(elem_classes="actions"):
            draw = gr.Button("Draw the sheet", variant="primary", elem_id="sweep-draw", scale=3, min_width=120)
            stop = gr.Button("Stop", elem_id="sweep-stop", interactive=False, scale=2, min_width=70)
        adapter = adapter_line("sweep-adapter")
        with gr.Accordion("Seed, strength and more", open=False):
            seed = gr.Number(
                0,
                label="Seed",
                info="the same for all pictures, so that only the mood differs",
                precision=0,
                minimum=0,
                maximum=MAX_SEED,
                elem_id="sweep-seed",
            )
            strength = gr.Slider(0, 2, 1, step=0.1, label="How strongly the mood shows", buttons=[])
            visual = gr.Checkbox(False, label="Guide by pictures of the mood", elem_id="sweep-visual")
            visual_strength = gr.Slider(
                0,
                2,
                1,
                step=0.1,
                label="How strongly these pictures guide",
                info="each picture by those of its own mood",
                visible=False,
                elem_id="sweep-visual-strength",
                buttons=[],
            )
            choices = [("none", ""), *((name.upper(), name) for name in formats())]
            animation = gr.Dropdown(choices, value="webp", label="Animation", elem_id="sweep-animation")
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
        adapter,
        shape,
    )


def output() -> SweepOutput:
    """Build the other two columns."""
    script = Path(__file__).with_name("sheet.js").read_text(encoding="utf-8")
    with gr.Column(elem_classes="middle"):
        status = gr.HTML(html.progress(FIRST, busy=False), elem_id="sweep-status", elem_classes="first")
        sheet = gr.HTML(
            empty_sheet(), js_on_load=script, elem_id="sheet", elem_classes="first", apply_default_css=False
        )
        figures = gr.HTML(elem_id="sweep-figures", elem_classes="first", apply_default_css=False)
    with gr.Column(elem_classes=["side", "board"]):
        cell = gr.State(None)
        empty = gr.HTML(html.notice(PICK), elem_id="sweep-none")
        with gr.Column(visible=False, elem_id="sweep-made") as made:
            picture = gr.Image(
                label="Picture",
                show_label=False,
                format="png",
                interactive=False,
                type="filepath",
                buttons=["download", "fullscreen"],
                elem_id="sweep-picture",
                alt_text="The picture that was pressed",
            )
            words = gr.HTML(elem_id="sweep-words", elem_classes="judge")
            with gr.Row(elem_classes="actions"):
                opener = gr.Button("Open in Create", elem_id="sweep-open", size="md", min_width=110)
                read = gr.Button("Read it", elem_id="sweep-read", size="md", min_width=80)
            moving = gr.HTML(elem_id="sweep-moving", apply_default_css=False)
            with gr.Row(elem_classes=["actions", "downloads"]):
                whole = gr.DownloadButton("Sheet", elem_id="sweep-whole", size="sm", min_width=60)
                clip = gr.DownloadButton("Animation", elem_id="sweep-clip", size="sm", min_width=80)
                files = gr.DownloadButton("All files", elem_id="sweep-files", size="sm", min_width=70)
    return SweepOutput(
        sheet, status, figures, moving, cell, picture, words, opener, read, files, clip, whole, empty, made
    )


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
    return (
        f'<svg class="plane" viewBox="0 0 {SIZE:g} {SIZE:g}" role="img" aria-label="{path_label(points)}" '
        f'style="cursor:crosshair">{ground("sweep")}{marks}</svg>'
    )
