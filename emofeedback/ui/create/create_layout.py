"""What the Create tab consists of: the words and Run on top, then the mood, the picture with its candidates, the judge.

What belongs to experts has the class "expert" and is shown by the switch in the page's head.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.affect import EMOTIONS, PRESETS, Affect
from emofeedback.loop.rounds import TOLERANCE
from emofeedback.records import MAX_SEED, Round
from emofeedback.ui.adapters import adapter_line
from emofeedback.ui.parts import html
from emofeedback.ui.parts.circumplex import marks
from emofeedback.ui.parts.pad import as_value, overlay, pad
from emofeedback.ui.upscaling import upscale_switch

START_PROMPT = "a lighthouse by the sea"
CONTINUATIONS = [("same seed", "same_seed"), ("from the best picture", "image")]
FIRST_STATUS = "Set a mood and press Run: four pictures, and what the judge reads in them."
EXAMPLE_STATUS = "An example run. Write your own words, set a mood and press Run."
SHAPES = [
    ("the generator's own", ""),
    ("square", "1:1"),
    ("landscape 3:2", "3:2"),
    ("portrait 2:3", "2:3"),
    ("wide 16:9", "16:9"),
    ("tall 9:16", "9:16"),
]
SHAPE_INFO = "or pixels, such as 1216x832"
RANDOM = -1
"""The seed that stands for another one each run."""


@dataclass(frozen=True)
class CreateControls:
    """What is set: the bar on top and the left column."""

    prompt: gr.Textbox
    unknown: gr.HTML
    tools: gr.HTML
    words_list: gr.HTML
    adapter: gr.HTML
    pad: gr.HTML
    reach: gr.HTML
    marks: gr.HTML
    chips: dict[str, gr.Button]
    valence: gr.Slider
    arousal: gr.Slider
    strength: gr.Slider
    before: gr.Accordion
    rounds: gr.Slider
    candidates: gr.Slider
    seed: gr.Number
    die: gr.Button
    last_seed: gr.Button
    continuation: gr.Radio
    start_strength: gr.Slider
    negative_prompt: gr.Textbox
    size: gr.Dropdown
    steps: gr.Slider
    tolerance: gr.Slider
    patience: gr.Slider
    upscale: gr.Checkbox
    drop: gr.File


@dataclass(frozen=True)
class CreateOutput:
    """The middle column."""

    picture: gr.Image
    live: gr.HTML
    status: gr.HTML
    about: gr.HTML
    star: gr.Button
    strip: gr.HTML
    gallery: gr.HTML
    download: gr.DownloadButton
    left: gr.Dropdown
    right: gr.Dropdown
    compare: gr.ImageSlider


@dataclass(frozen=True)
class JudgeSide:
    """Run and Stop on top, and the right column."""

    run: gr.Button
    stop: gr.Button
    words: gr.HTML
    note: gr.HTML
    edits: gr.HTML
    next_prompt: gr.Textbox
    difference: gr.HTML
    again: gr.Button


@dataclass(frozen=True)
class AskBar:
    """The bar on top."""

    prompt: gr.Textbox
    run: gr.Button
    stop: gr.Button
    unknown: gr.HTML
    tools: gr.HTML
    words_list: gr.HTML
    adapter: gr.HTML


def ask_bar(prompt: str) -> AskBar:
    """Build the bar on top: the words, Run and Stop side by side, and one line for what is to be said on the words."""
    with gr.Column(elem_id="ask", elem_classes="board"):
        with gr.Row(elem_id="ask-row"):
            words = gr.Textbox(
                prompt,
                label="What is in the picture",
                lines=1,
                max_lines=3,
                elem_id="prompt",
                max_length=2000,
                placeholder="a lighthouse by the sea … leave empty for pure mood",
                scale=1,
            )
            with gr.Row(elem_classes="actions", elem_id="actions"):
                run = gr.Button("Run", variant="primary", elem_id="run", scale=3, min_width=90)
                stop = gr.Button("Stop", elem_id="stop", interactive=False, scale=2, min_width=64)
        with gr.Row(elem_id="ask-line"):
            unknown = gr.HTML(elem_id="unknown")
            tools = gr.HTML(_file("tools.html"), elem_id="tools", js_on_load=_file("tools.js"), apply_default_css=False)
        words_list = gr.HTML("", elem_id="words-list", visible="hidden", apply_default_css=False)
        adapter = adapter_line("create-adapter")
    return AskBar(words, run, stop, unknown, tools, words_list, adapter)


def controls(bar: AskBar, target: Affect, first: Mapping[str, Any]) -> CreateControls:
    """Build the left column.

    Args:
        first: what a first visit shows, by name (see `run_view.page_values`), here and below; may be empty.
    """
    with gr.Column(elem_classes=["side", "controls"]):
        with gr.Column(elem_classes=["board", "mood"]):
            with gr.Column(elem_classes="pad-box"):
                plane = pad(target, key="create", elem_id="pad")
                reach = gr.HTML(overlay(""), elem_id="reach", apply_default_css=False)
                over = gr.HTML(first.get("marks", overlay("")), elem_id="marks", apply_default_css=False)
            with gr.Row(elem_classes="chips"):
                chips = {
                    name: gr.Button(name, size="sm", elem_id=f"emotion-{name}", elem_classes=["chip", f"chip-{name}"])
                    for name in PRESETS
                }
            valence = _slider(-1, 1, target.valence, 0.05, "Pleasant", "valence")
            arousal = _slider(-1, 1, target.arousal, 0.05, "Energy", "arousal")
            strength = _slider(0, 2, 1, 0.1, "Strength", "strength")
        # panels that take part in a new run are built in here (`CreateTab.before`); empty, it does not show
        before = gr.Accordion("Before the first round", open=False, visible=False, elem_id="before")
        with gr.Accordion("Rounds, seed and more", open=False, elem_id="more"):
            rounds = _slider(1, 6, 3, 1, "Rounds", "rounds", "the judge's edits make the next one; 1 = step by step")
            candidates = _slider(1, 8, 4, 1, "Pictures", "candidates", "of each round, to choose from")
            with gr.Row(elem_id="seed-row"):
                seed = gr.Number(
                    RANDOM,
                    label="Seed",
                    precision=0,
                    minimum=RANDOM,
                    maximum=MAX_SEED,
                    min_width=110,
                    elem_id="seed",
                    info="-1 = another each run",
                )
                die = gr.Button("Random", size="sm", elem_id="die", min_width=72, scale=0)
                last_seed = gr.Button("Last", size="sm", elem_id="last-seed", min_width=60, scale=0)
            continuation = gr.Radio(CONTINUATIONS, value="same_seed", label="Each next round starts")
            start_strength = _slider(0.1, 1, 0.6, 0.05, "Share redrawn", None, "when starting from the best picture")
            negative_prompt = gr.Textbox(
                "",
                label="Without",
                placeholder="what the picture shall not show",
                max_lines=3,
                max_length=2000,
                elem_id="negative-prompt",
            )
            size = gr.Dropdown(
                SHAPES, value="", label="Shape", allow_custom_value=True, visible=False, elem_id="size", info=SHAPE_INFO
            )
            upscale = upscale_switch()
            with gr.Column(elem_classes="expert"):
                steps = _slider(0, 50, 0, 1, "Steps", None, "0 = the generator's own number")
                tolerance = _slider(0, 0.5, TOLERANCE, 0.01, "Tolerance", None, "stop when this close to the target")
                patience = _slider(0, 6, 0, 1, "Patience", None, "stop after so many rounds without gain; 0 = never")
        drop = gr.File(visible="hidden", elem_id="create-drop", file_types=[".png"], label="A PNG dropped on Create")
    return CreateControls(
        bar.prompt,
        bar.unknown,
        bar.tools,
        bar.words_list,
        bar.adapter,
        plane,
        reach,
        over,
        chips,
        valence,
        arousal,
        strength,
        before,
        rounds,
        candidates,
        seed,
        die,
        last_seed,
        continuation,
        start_strength,
        negative_prompt,
        size,
        steps,
        tolerance,
        patience,
        upscale,
        drop,
    )


def _slider(
    low: float, high: float, value: float, step: float, label: str, name: str | None, info: str | None = None
) -> gr.Slider:
    return gr.Slider(low, high, value, step=step, label=label, info=info, elem_id=name, buttons=[], elem_classes="line")


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def output(first: Mapping[str, Any]) -> CreateOutput:
    """Build the middle column."""
    picture_file, options = first.get("picture"), first.get("options", [])
    with gr.Column(elem_classes="middle"):
        with gr.Column(elem_id="stage", elem_classes="first"):
            picture = gr.Image(
                picture_file,
                label="Picture",
                show_label=False,
                format="png",
                interactive=False,
                type="filepath",
                buttons=["download", "fullscreen"],
                elem_id="picture",
                elem_classes="picture",
                alt_text="The picture on stage",
            )
            live = gr.HTML("", elem_id="live", js_on_load=_file("live.js"), apply_default_css=False)
        told = EXAMPLE_STATUS if first else FIRST_STATUS
        with gr.Row(elem_classes=["first", "under"]):
            status = gr.HTML(html.progress(told, busy=False), elem_id="status")
            star = gr.Button(STAR, elem_id="star", size="md", scale=0, min_width=70, interactive=False)
            download = gr.DownloadButton(
                download_label(False),
                value=picture_file,
                elem_id="download",
                size="md",
                scale=0,
                min_width=110,
                interactive=picture_file is not None,
            )
        about = gr.HTML(
            first.get("about", ""),
            elem_id="about",
            elem_classes="first",
            js_on_load=_file("about.js"),
            apply_default_css=False,
        )
        gallery = gr.HTML(
            first.get("gallery", ""),
            elem_id="gallery",
            elem_classes="first",
            js_on_load=_file("gallery.js"),
            apply_default_css=False,
        )
        strip = gr.HTML(first.get("strip", ""), elem_id="strip", js_on_load=_file("strip.js"), apply_default_css=False)
        with gr.Accordion("Compare two pictures", open=False, elem_id="comparing"):
            with gr.Row():
                left, right = (
                    gr.Dropdown(
                        options, value=first.get(side), label=side.title(), elem_id=f"compare-{side}", min_width=120
                    )
                    for side in ("left", "right")
                )
            compare = gr.ImageSlider(
                first.get("compare"),
                label="Both pictures",
                show_label=False,
                interactive=False,
                max_height=640,
                elem_id="compare",
                type="filepath",
                format="png",
                buttons=["fullscreen"],
            )
    return CreateOutput(picture, live, status, about, star, strip, gallery, download, left, right, compare)


def judge_side(bar: AskBar, first: Mapping[str, Any]) -> JudgeSide:
    """Build the right column."""
    with gr.Column(elem_classes=["side", "judging"]):
        with gr.Column(elem_classes=["board", "reading"]):
            words = gr.HTML(first.get("words", html.notice(EMPTY_WORDS)), elem_id="words", elem_classes="judge")
        with gr.Column(elem_classes=["board", "advice"]):
            gr.HTML("<h4>Words the judge would change</h4>", elem_classes="judge")
            remark = gr.HTML(first.get("note", note(EMPTY_NOTE)), elem_id="note")
            edits = gr.HTML(
                first.get("edits", ""), elem_id="edits", js_on_load=_file("edits.js"), apply_default_css=False
            )
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
            again = gr.Button(NEXT, elem_id="next-round", interactive=bool(first), min_width=120)
    return JudgeSide(bar.run, bar.stop, words, remark, edits, next_prompt, difference, again)


EMPTY_WORDS = "What the judge reads in the picture appears here."
EMPTY_NOTE = "The words that the judge would change appear here after a run, to accept, drop or rewrite."
NEXT = "Draw the next round"
STAR, STARRED = "☆ Keep", "★ Kept"


def download_label(plain: bool) -> str:
    """What the button hands out."""
    return "Download, nothing inside" if plain else "Download"


def download_of(file: str | None, plain: bool) -> Any:
    """The button with a file to hand out, or with none."""
    return gr.update(value=file, label=download_label(plain), interactive=file is not None)


def follow(valence: float | None, arousal: float | None) -> dict[str, float]:
    """The pad's value for the sliders' values."""
    return as_value(Affect.clamped(valence or 0.0, arousal or 0.0))


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
