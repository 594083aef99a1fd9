"""What the Create tab consists of: controls left, the picture with its rounds in the middle, the judge right."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.affect import EMOTIONS, PRESETS, Affect
from emofeedback.loop.rounds import TOLERANCE
from emofeedback.records import MAX_SEED, Round
from emofeedback.ui.parts import cards, html
from emofeedback.ui.parts.circumplex import marks
from emofeedback.ui.parts.pad import as_value, overlay, pad
from emofeedback.ui.upscaling import upscale_switch

START_PROMPT = "a lighthouse by the sea"
CONTINUATIONS = [("same seed", "same_seed"), ("from the best picture", "image")]
FIRST_STATUS = "Choose a mood, then press Run all, or Next round to go step by step."
EXAMPLE_STATUS = "An example run. Write your own words, set a mood and press Run all."


@dataclass(frozen=True)
class CreateControls:
    """The left column."""

    prompt: gr.Textbox
    unknown: gr.HTML
    pad: gr.HTML
    marks: gr.HTML
    chips: dict[str, gr.Button]
    valence: gr.Slider
    arousal: gr.Slider
    strength: gr.Slider
    before: gr.Accordion
    rounds: gr.Slider
    candidates: gr.Slider
    seed: gr.Number
    randomize: gr.Checkbox
    continuation: gr.Radio
    start_strength: gr.Slider
    steps: gr.Slider
    tolerance: gr.Slider
    patience: gr.Slider
    upscale: gr.Checkbox


@dataclass(frozen=True)
class CreateOutput:
    """The middle column."""

    picture: gr.Image
    status: gr.HTML
    strip: gr.HTML
    gallery: gr.Gallery
    download: gr.DownloadButton
    left: gr.Dropdown
    right: gr.Dropdown
    compare: gr.ImageSlider


@dataclass(frozen=True)
class JudgeSide:
    """The right column."""

    next_round: gr.Button
    run: gr.Button
    stop: gr.Button
    words: gr.HTML
    note: gr.HTML
    edits: gr.HTML
    next_prompt: gr.Textbox
    difference: gr.HTML
    again: gr.Button


def controls(prompt: str, target: Affect, first: Mapping[str, Any]) -> CreateControls:
    """Build the left column.

    Args:
        first: what a first visit shows, by name (see `run_view.page_values`), here and below; may be empty.
    """
    with gr.Column(elem_classes=["side", "controls"]):
        words = gr.Textbox(
            prompt,
            label="What is in the picture",
            lines=2,
            max_lines=4,
            elem_id="prompt",
            max_length=2000,
            placeholder="a lighthouse by the sea … leave empty for pure mood",
        )
        unknown = gr.HTML(elem_id="unknown")
        with gr.Column(elem_classes=["board", "mood"]):
            with gr.Column(elem_classes="pad-box"):
                plane = pad(target, key="create", elem_id="pad")
                over = gr.HTML(first.get("marks", overlay("")), elem_id="marks", apply_default_css=False)
            with gr.Row(elem_classes="chips"):
                chips = {
                    name: gr.Button(name, size="sm", elem_id=f"emotion-{name}", elem_classes=["chip", f"chip-{name}"])
                    for name in PRESETS
                }
            valence = _slider(-1, 1, target.valence, 0.05, "Valence", "valence")
            arousal = _slider(-1, 1, target.arousal, 0.05, "Arousal", "arousal")
            strength = _slider(0, 2, 1, 0.1, "Strength", "strength")
        # panels that take part in a new run are built in here (`CreateTab.before`); empty, it does not show
        before = gr.Accordion("Before the first round", open=False, visible=False, elem_id="before")
        with gr.Accordion("Rounds, seed and more", open=False, elem_id="more"):
            rounds = _slider(1, 6, 3, 1, "Rounds", "rounds")
            candidates = _slider(1, 8, 4, 1, "Candidates", "candidates")
            with gr.Row():
                seed = gr.Number(
                    0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, min_width=100, elem_id="seed"
                )
                randomize = gr.Checkbox(False, label="New seed each run", min_width=100)
            continuation = gr.Radio(CONTINUATIONS, value="same_seed", label="Each next round starts")
            start_strength = _slider(0.1, 1, 0.6, 0.05, "Share redrawn", None, "when starting from the best picture")
            steps = _slider(0, 50, 0, 1, "Steps", None, "0 = the generator's own number")
            tolerance = _slider(0, 0.5, TOLERANCE, 0.01, "Tolerance", None, "stop when this close to the target")
            patience = _slider(0, 6, 0, 1, "Patience", None, "stop after so many rounds without gain; 0 = never")
            upscale = upscale_switch()
    return CreateControls(
        words,
        unknown,
        plane,
        over,
        chips,
        valence,
        arousal,
        strength,
        before,
        rounds,
        candidates,
        seed,
        randomize,
        continuation,
        start_strength,
        steps,
        tolerance,
        patience,
        upscale,
    )


def _slider(
    low: float, high: float, value: float, step: float, label: str, name: str | None, info: str | None = None
) -> gr.Slider:
    return gr.Slider(low, high, value, step=step, label=label, info=info, elem_id=name, buttons=[], elem_classes="line")


def output(first: Mapping[str, Any]) -> CreateOutput:
    """Build the middle column."""
    picture_file, options = first.get("picture"), first.get("options", [])
    with gr.Column(elem_classes="middle"):
        picture = gr.Image(
            picture_file,
            label="Picture",
            show_label=False,
            format="png",
            interactive=False,
            type="filepath",
            buttons=["download", "fullscreen"],
            elem_id="picture",
            elem_classes=["picture", "first"],
            alt_text="The picture that was chosen",
        )
        told = EXAMPLE_STATUS if first else FIRST_STATUS
        with gr.Row(elem_classes=["first", "under"]):
            status = gr.HTML(html.progress(told, busy=False), elem_id="status")
            download = gr.DownloadButton(
                download_label(False),
                value=picture_file,
                elem_id="download",
                size="md",
                scale=0,
                min_width=120,
                interactive=picture_file is not None,
            )
        script = Path(__file__).with_name("strip.js").read_text(encoding="utf-8")
        strip = gr.HTML(first.get("strip", cards.EMPTY), elem_id="strip", js_on_load=script)
        gallery = gr.Gallery(
            first.get("gallery", []),
            label="Candidates of the round",
            show_label=False,
            columns=4,
            height="auto",
            format="png",
            object_fit="cover",
            elem_id="gallery",
            interactive=False,
            buttons=["download"],
        )
        with gr.Accordion("Compare two rounds", open=False, elem_id="comparing"):
            with gr.Row():
                left, right = (
                    gr.Dropdown(
                        options, value=first.get(side), label=side.title(), elem_id=f"compare-{side}", min_width=120
                    )
                    for side in ("left", "right")
                )
            compare = gr.ImageSlider(
                first.get("compare"),
                label="Both rounds",
                show_label=False,
                interactive=False,
                max_height=480,
                elem_id="compare",
                type="filepath",
                format="png",
                buttons=["fullscreen"],
            )
    return CreateOutput(picture, status, strip, gallery, download, left, right, compare)


def judge_side(first: Mapping[str, Any]) -> JudgeSide:
    """Build the right column."""
    with gr.Column(elem_classes=["side", "judging"]):
        with gr.Row(elem_classes=["board", "actions"], elem_id="actions"):
            run = gr.Button("Run all", variant="primary", elem_id="run", scale=4, min_width=80)
            next_round = gr.Button("Next round", elem_id="next-round", scale=4, min_width=80)
            stop = gr.Button("Stop", elem_id="stop", interactive=False, scale=2, min_width=56)
        with gr.Column(elem_classes=["board", "reading"]):
            empty = html.notice("What the judge reads in the picture appears here.")
            words = gr.HTML(first.get("words", empty), elem_id="words", elem_classes="judge")
        with gr.Column(elem_classes=["board", "advice"]):
            gr.HTML("<h4>Its edits</h4>", elem_classes="judge")
            empty = note("The words that the judge would change appear here, to accept, drop or rewrite.")
            remark = gr.HTML(first.get("note", empty), elem_id="note")
            script = Path(__file__).with_name("edits.js").read_text(encoding="utf-8")
            edits = gr.HTML(first.get("edits", ""), elem_id="edits", js_on_load=script, apply_default_css=False)
            next_prompt = gr.Textbox(
                first.get("next_prompt", ""),
                label="The next prompt",
                lines=2,
                max_lines=5,
                elem_id="next-prompt",
                max_length=2000,
                placeholder="the same words again",
            )
            difference = gr.HTML(first.get("difference", ""), elem_id="difference")
            again = gr.Button("Draw again with these words", elem_id="again", interactive=bool(first), min_width=120)
    return JudgeSide(next_round, run, stop, words, remark, edits, next_prompt, difference, again)


def download_label(plain: bool) -> str:
    """What the button hands out."""
    return "Download PNG, nothing inside" if plain else "Download PNG"


def download_of(file: str | None, plain: bool) -> Any:
    """The button with a file to hand out, or with none."""
    return gr.update(value=file, label=download_label(plain), interactive=file is not None)


def follow(valence: float, arousal: float) -> dict[str, float]:
    """The pad's value for the sliders' values."""
    return as_value(Affect.clamped(valence, arousal))


def note(sentence: str) -> str:
    return f'<p class="quiet">{html.text(sentence)}</p>' if sentence else ""


def marks_of(rounds: tuple[Round, ...] | list[Round], shown: Round | None) -> str:
    """What lies on the pad: the path of all rounds and the readings of the shown one."""
    candidates = shown.candidates if shown is not None else ()
    readings = [c.reading for c in candidates if c.reading is not None and not c.chosen]
    chosen = next((c.reading for c in candidates if c.chosen), None)
    bests = [r.best().reading for r in rounds]
    return overlay(marks(readings, chosen, [read.affect for read in bests if read is not None]))


def point_of(name: str) -> Affect:
    """A preset's point, on the sliders' grid."""
    at = EMOTIONS[name]
    return Affect(round(at.valence * 20) / 20, round(at.arousal * 20) / 20)


def everything(*parts: Any) -> list[Any]:
    """The components of layout records, flat."""
    found: list[Any] = []
    for part in parts:
        for value in vars(part).values():
            found += list(value.values()) if isinstance(value, dict) else [value]
    return found
