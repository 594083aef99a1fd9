"""What the History tab consists of: filters left, the runs in the middle, the open run right."""

from dataclasses import dataclass

import gradio as gr

from emofeedback.affect import PRESETS
from emofeedback.ui.history.history_view import EMPTY, OPEN_ONE
from emofeedback.ui.parts import html

KINDS = [
    ("any", ""),
    ("run with rounds", "feedback"),
    ("single picture", "picture"),
    ("sheet of moods", "sheet"),
    ("path of moods", "path"),
]
MOODS = [("any", ""), *((name, name) for name in (*PRESETS, "neutral"))]
METADATA_INFO = "Prompt, seed, models and reading travel inside each PNG; off, a saved picture tells nothing."


@dataclass(frozen=True)
class Filters:
    """The left column."""

    words: gr.Textbox
    mood: gr.Dropdown
    kind: gr.Dropdown
    model: gr.Dropdown
    pinned: gr.Checkbox
    since: gr.DateTime
    until: gr.DateTime
    valence_low: gr.Slider
    valence_high: gr.Slider
    arousal_low: gr.Slider
    arousal_high: gr.Slider


@dataclass(frozen=True)
class Files:
    """Under the filters: a dropped PNG, and whether PNGs carry their settings."""

    drop: gr.File
    dropped: gr.HTML
    metadata: gr.Checkbox


@dataclass(frozen=True)
class Listing:
    """The middle column."""

    note: gr.HTML
    gallery: gr.Gallery
    newer: gr.Button
    place: gr.HTML
    older: gr.Button
    told: gr.HTML
    choose_all: gr.Button
    choose_none: gr.Button
    export: gr.Button
    download: gr.DownloadButton
    pager: gr.Row
    basket: gr.Row


@dataclass(frozen=True)
class Opened:
    """The right column."""

    empty: gr.HTML
    box: gr.Column
    title: gr.HTML
    restore: gr.Button
    pin: gr.Button
    choose: gr.Button
    delete: gr.Button
    sure: gr.Column
    question: gr.HTML
    really: gr.Button
    keep: gr.Button
    gallery: gr.Gallery
    rounds: gr.HTML


def filters() -> Filters:
    """Build the filters."""
    words = gr.Textbox(
        label="Search",
        placeholder="words or a mood",
        elem_id="history-words",
        max_lines=1,
        max_length=200,
    )
    with gr.Row():
        mood = gr.Dropdown(MOODS, value="", label="Mood", elem_id="history-mood", min_width=110)
        kind = gr.Dropdown(KINDS, value="", label="Kind", elem_id="history-kind", min_width=110)
    pinned = gr.Checkbox(False, label="Only pinned runs", elem_id="history-pinned")
    with gr.Accordion("Dates, model and more", open=False, elem_id="history-more"):
        with gr.Row():
            since = gr.DateTime(label="From", include_time=False, type="string", elem_id="history-since", min_width=120)
            until = gr.DateTime(label="To", include_time=False, type="string", elem_id="history-until", min_width=120)
        model = gr.Dropdown([("every model", "")], value="", label="Model", elem_id="history-model", min_width=110)
        with gr.Column(elem_classes="expert"):
            valence_low = gr.Slider(-1, 1, -1, step=0.05, label="Valence from", buttons=[])
            valence_high = gr.Slider(-1, 1, 1, step=0.05, label="Valence to", buttons=[])
            arousal_low = gr.Slider(-1, 1, -1, step=0.05, label="Arousal from", buttons=[])
            arousal_high = gr.Slider(-1, 1, 1, step=0.05, label="Arousal to", buttons=[])
    return Filters(words, mood, kind, model, pinned, since, until, valence_low, valence_high, arousal_low, arousal_high)


def files() -> Files:
    """Build the drop zone and the switch."""
    drop = gr.File(
        label="Drop a PNG: its settings come back", height=150, elem_id="history-drop", elem_classes="dropzone"
    )
    dropped = gr.HTML(elem_id="history-dropped")
    metadata = gr.Checkbox(True, label="Settings inside saved PNGs", info=METADATA_INFO, elem_id="history-metadata")
    return Files(drop, dropped, metadata)


def listing() -> Listing:
    """Build the runs."""
    note = gr.HTML(html.notice(EMPTY), elem_id="history-note")
    gallery = gr.Gallery(
        label="Runs",
        show_label=False,
        columns=4,
        height="auto",
        object_fit="cover",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="history-gallery",
        visible=False,
    )
    with gr.Row(elem_classes="pager", visible=False) as pager:
        newer = gr.Button("Newer", size="sm", interactive=False, elem_id="history-newer", min_width=70)
        place = gr.HTML(elem_id="history-place")
        older = gr.Button("Older", size="sm", interactive=False, elem_id="history-older", min_width=70)
    with gr.Row(elem_classes=["board", "basket"], visible=False) as basket:
        told = gr.HTML(elem_id="history-chosen")
        choose_all = gr.Button("Select these", size="sm", elem_id="history-all", min_width=90)
        choose_none = gr.Button("Select none", size="sm", elem_id="history-none", min_width=90)
        export = gr.Button("Export as zip", size="sm", elem_id="history-export", interactive=False, min_width=90)
        download = gr.DownloadButton("Download", size="sm", visible=False, elem_id="history-download", min_width=90)
    return Listing(note, gallery, newer, place, older, told, choose_all, choose_none, export, download, pager, basket)


def opened() -> Opened:
    """Build the open run."""
    empty = gr.HTML(html.notice(OPEN_ONE), elem_id="history-none-open")
    with gr.Column(visible=False, elem_classes="board", elem_id="history-open") as box:
        title = gr.HTML(elem_id="history-title")
        with gr.Row(elem_classes="actions"):
            restore = gr.Button("Use in Create", variant="primary", elem_id="history-restore", scale=2, min_width=90)
            pin = gr.Button("Pin", elem_id="history-pin", min_width=60)
        with gr.Row(elem_classes="actions"):
            choose = gr.Button("Select", elem_id="history-choose", min_width=60)
            delete = gr.Button("Delete", elem_id="history-delete", min_width=60)
        with gr.Column(visible=False, elem_classes="sure", elem_id="history-sure") as sure:
            question = gr.HTML()
            with gr.Row(elem_classes="actions"):
                really = gr.Button("Delete for good", variant="stop", elem_id="history-really", min_width=90)
                keep = gr.Button("Keep it", elem_id="history-keep", min_width=60)
        gallery = gr.Gallery(
            label="Pictures of this run",
            show_label=False,
            columns=2,
            height="auto",
            format="png",
            object_fit="cover",
            interactive=False,
            buttons=["download", "fullscreen"],
            elem_id="history-pictures",
        )
        rounds = gr.HTML(elem_id="history-rounds", elem_classes="judge")
    return Opened(empty, box, title, restore, pin, choose, delete, sure, question, really, keep, gallery, rounds)
