"""What the Fine-tune tab consists of: the order left, what happens right."""

from dataclasses import dataclass

import gradio as gr

from emofeedback.finetuning.objectives.table import NAMES, OBJECTIVES
from emofeedback.finetuning.order import AUTO, REGIONS
from emofeedback.records import MAX_SEED
from emofeedback.ui.finetune.finetune_view import charts
from emofeedback.ui.parts import html

FIRST = "Choose what to practise and press Start; the other tabs stay free meanwhile."
OBJECTIVE_INFO = (
    "the judge's gradient learns fastest, but only the bundled judge gives one; the others learn from scores alone"
)


@dataclass(frozen=True)
class OrderForm:
    """The left column; the fields are in the order in which a program gives them."""

    source: gr.Radio
    prompts: gr.Textbox
    region: gr.Radio
    valence: gr.Slider
    arousal: gr.Slider
    objective: gr.Radio
    minutes: gr.Number
    updates: gr.Number
    group: gr.Slider
    steps: gr.Slider
    learning_rate: gr.Number
    seed: gr.Number
    held_out: gr.Textbox
    begin: gr.Dropdown
    start: gr.Button
    stop: gr.Button
    dry: gr.Button


@dataclass(frozen=True)
class JobPanel:
    """The right column."""

    status: gr.HTML
    charts: gr.HTML
    pairs: gr.HTML
    past: gr.Dropdown
    resume: gr.Button
    strength: gr.Slider
    use: gr.Button
    off: gr.Button
    download: gr.DownloadButton
    in_use: gr.HTML
    box: gr.Column
    """Around the earlier jobs; hidden until there is one."""


def order_form() -> OrderForm:
    """Build the left column; components are made in the order in which a program gives them."""
    with gr.Column(elem_classes=["side", "controls"]):
        with gr.Column(elem_classes="board"):
            source = gr.Radio(
                [("64 scenes it knows", "world"), ("my own words", "own")],
                value="world",
                label="What to practise",
                elem_id="finetune-source",
            )
            prompts = gr.Textbox(
                "",
                label="Your words",
                lines=4,
                max_lines=12,
                max_length=20_000,
                visible=False,
                placeholder="one picture a line; lines that begin with # and a blank are left out",
                elem_id="finetune-prompts",
            )
            region = gr.Radio(
                [*((words, region) for region, words in REGIONS.items()), ("one point", "point")],
                value="corners",
                label="Moods to aim at",
                elem_id="finetune-region",
            )
            valence = gr.Slider(-1, 1, 0.7, step=0.05, label="Pleasant (valence)", visible=False, buttons=[])
            arousal = gr.Slider(-1, 1, -0.7, step=0.05, label="Energy (arousal)", visible=False, buttons=[])
            objective = gr.Radio(
                [("what suits the judge", AUTO), *((f"{OBJECTIVES[n].title} ({n})", n) for n in NAMES)],
                value=AUTO,
                label="Way of learning",
                info=OBJECTIVE_INFO,
                elem_id="finetune-objective",
                render=False,
            )
            minutes = gr.Number(
                5,
                label="Minutes",
                info="of learning; pictures drawn by others come on top",
                minimum=0,
                maximum=1440,
                elem_id="finetune-minutes",
            )
        with gr.Row(elem_classes="actions"):
            start = gr.Button("Start", variant="primary", elem_id="finetune-start", scale=3, min_width=80)
            stop = gr.Button("Stop", elem_id="finetune-stop", interactive=False, scale=2, min_width=70)
        dry = gr.Button("Only measure how long it takes", elem_id="finetune-dry")
        with gr.Accordion("How it learns", open=False, elem_classes="expert", elem_id="finetune-expert"):
            objective.render()
            updates = gr.Number(
                0,
                label="Updates",
                precision=0,
                minimum=0,
                maximum=1_000_000,
                info="a budget in place of minutes (set those to 0); 0 = none",
            )
            group = gr.Slider(
                0,
                32,
                0,
                step=1,
                label="Pictures of a group",
                info="of one prompt and target, compared with each other; 0 = what suits the way of learning",
            )
            steps = gr.Slider(
                0, 50, 0, step=1, label="Denoising steps of a picture", info="0 = as pictures are drawn by default"
            )
            learning_rate = gr.Number(
                0, label="Learning rate", minimum=0, maximum=0.1, step=1e-4, info="0 = what suits the way of learning"
            )
            seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED)
            held_out = gr.Textbox(
                "",
                label="Words kept for the check",
                lines=2,
                max_lines=8,
                max_length=20_000,
                info="held-out prompts: never practised, graded by the second rater",
                placeholder="one a line; empty = 16 scenes of its own",
            )
            begin = gr.Dropdown(
                [],
                value=None,
                label="Begin with the adapter of",
                info="an earlier job; empty = the generator itself",
                elem_id="finetune-begin",
                allow_custom_value=True,
            )
    return OrderForm(
        source,
        prompts,
        region,
        valence,
        arousal,
        objective,
        minutes,
        updates,
        group,
        steps,
        learning_rate,
        seed,
        held_out,
        begin,
        start,
        stop,
        dry,
    )


def job_panel() -> JobPanel:
    """Build the right column."""
    with gr.Column(elem_classes="middle"):
        status = gr.HTML(html.progress(FIRST, busy=False), elem_id="finetune-status", elem_classes="first")
        drawn = gr.HTML(charts(()), elem_id="finetune-charts")
        pairs = gr.HTML(elem_id="finetune-pairs")
        with gr.Column(elem_classes="board", elem_id="finetune-jobs", visible=False) as box:
            with gr.Row(elem_classes="actions"):
                past = gr.Dropdown(
                    [],
                    value=None,
                    label="Your jobs",
                    info="newest first; each keeps what it learned as an adapter",
                    elem_id="finetune-past",
                    scale=4,
                    min_width=220,
                    allow_custom_value=True,
                )
                resume = gr.Button("Go on learning", interactive=False, elem_id="finetune-resume", min_width=110)
            strength = gr.Slider(
                0,
                2,
                1,
                step=0.1,
                label="How strongly it is used",
                info="0 = the generator as it came, 1 = as it was learned",
                interactive=False,
                buttons=[],
                elem_id="finetune-strength",
            )
            with gr.Row(elem_classes="actions"):
                use = gr.Button("Use it in all tabs", interactive=False, elem_id="finetune-use", min_width=150)
                off = gr.Button("The original again", interactive=False, elem_id="finetune-off", min_width=120)
                download = gr.DownloadButton(
                    "Download the adapter", interactive=False, elem_id="finetune-download", min_width=160
                )
            in_use = gr.HTML(elem_id="finetune-worn")
    return JobPanel(status, drawn, pairs, past, resume, strength, use, off, download, in_use, box)
