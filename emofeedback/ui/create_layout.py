"""What the Create tab consists of: controls left, the picture with its rounds in the middle, the judge right."""

from dataclasses import dataclass

import gradio as gr

from emofeedback.affect import EMOTIONS, PRESETS, Affect
from emofeedback.records import Candidate, Round
from emofeedback.ui import html
from emofeedback.ui.circumplex import plane
from emofeedback.ui.desk import MAX_SEED
from emofeedback.ui.example import Example

START_PROMPT = "a lighthouse by the sea"
CONTINUATIONS = [("same seed", "same_seed"), ("from the last picture", "image")]


@dataclass(frozen=True)
class Controls:
    """The left column."""

    prompt: gr.Textbox
    unknown: gr.HTML
    chips: dict[str, gr.Button]
    valence: gr.Slider
    arousal: gr.Slider
    run: gr.Button
    stop: gr.Button
    rounds: gr.Slider
    candidates: gr.Slider
    strength: gr.Slider
    seed: gr.Number
    randomize: gr.Checkbox
    continuation: gr.Radio
    start_strength: gr.Slider
    steps: gr.Slider
    tolerance: gr.Slider
    patience: gr.Slider


@dataclass(frozen=True)
class Stage:
    """The middle column."""

    picture: gr.Image
    status: gr.HTML
    strip: gr.HTML
    gallery: gr.Gallery
    download: gr.DownloadButton


@dataclass(frozen=True)
class JudgeSide:
    """The right column."""

    plane: gr.HTML
    words: gr.HTML
    suggestion: gr.HTML
    edits: gr.CheckboxGroup
    next_prompt: gr.Textbox
    next_round: gr.Button


def controls(prompt: str, target: Affect) -> Controls:
    """Build the left column."""
    with gr.Column(elem_classes=["side", "controls"]):
        words = gr.Textbox(
            prompt, label="What is in the picture", lines=2, max_lines=5, elem_id="prompt", max_length=2000,
            placeholder="a lighthouse by the sea … leave empty for pure mood",
        )  # fmt: skip
        unknown = gr.HTML(elem_id="unknown")
        with gr.Column(elem_classes="board"):
            with gr.Row(elem_classes="chips"):
                chips = {
                    name: gr.Button(name, size="sm", elem_id=f"emotion-{name}", elem_classes=["chip", f"chip-{name}"])
                    for name in PRESETS
                }
            valence = gr.Slider(
                -1, 1, target.valence, step=0.05, label="Valence", info="unpleasant … pleasant", elem_id="valence",
                buttons=[],
            )  # fmt: skip
            arousal = gr.Slider(
                -1, 1, target.arousal, step=0.05, label="Arousal", info="calm … excited", elem_id="arousal",
                buttons=[],
            )  # fmt: skip
            strength = gr.Slider(
                0, 2, 1, step=0.1, label="Strength", info="0 draws from the words alone", elem_id="strength",
                buttons=[],
            )  # fmt: skip
        with gr.Row(elem_classes="actions"):
            run = gr.Button("Run", variant="primary", elem_id="run", scale=3, min_width=80)
            stop = gr.Button("Stop", elem_id="stop", interactive=False, scale=2, min_width=70)
        with gr.Row(elem_classes=["board", "tight"]):
            rounds = gr.Slider(1, 6, 3, step=1, label="Rounds", elem_id="rounds", min_width=100, buttons=[])
            candidates = gr.Slider(1, 8, 4, step=1, label="Candidates", elem_id="candidates", min_width=100, buttons=[])
        with gr.Accordion("Advanced", open=False):
            with gr.Row():
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, min_width=100)
                randomize = gr.Checkbox(False, label="New seed each run", min_width=100)
            continuation = gr.Radio(CONTINUATIONS, value="same_seed", label="Each next round starts")
            start_strength = gr.Slider(
                0.1, 1, 0.6, step=0.05, label="How much of the last picture is redrawn",
            )  # fmt: skip
            steps = gr.Slider(0, 50, 0, step=1, label="Steps", info="0 = the generator's own number")
            tolerance = gr.Slider(0, 0.5, 0.12, step=0.01, label="Stop when this close to the target")
            patience = gr.Slider(1, 6, 1, step=1, label="Stop after rounds without gain")
    return Controls(
        words, unknown, chips, valence, arousal, run, stop, rounds, candidates, strength, seed, randomize,
        continuation, start_strength, steps, tolerance, patience,
    )  # fmt: skip


def stage(example: Example | None) -> Stage:
    """Build the middle column, with the example's last round in it where there is one."""
    chosen_file, items = None, []
    if example is not None:
        last, files = example.rounds[-1], example.files[-1]
        chosen_file = str(next(f for f, c in zip(files, last.candidates, strict=True) if c.chosen))
        items = [(str(f), caption(c)) for f, c in zip(files, last.candidates, strict=True)]
    with gr.Column(elem_classes="middle"):
        picture = gr.Image(
            chosen_file, label="Picture", show_label=False, format="png", interactive=False, height=480,
            buttons=["download", "fullscreen"], elem_id="picture", elem_classes=["picture", "first"], type="filepath",
            alt_text="The picture that was chosen",
        )  # fmt: skip
        status = gr.HTML(elem_id="status", elem_classes="first", value=_first_status(example))
        strip = gr.HTML(
            html.strip(example.rounds, example.target) if example else html.strip((), Affect(0, 0)), elem_id="strip"
        )
        gallery = gr.Gallery(
            items, label="Candidates of this round", show_label=False, columns=4, height="auto", format="png",
            object_fit="cover", elem_id="gallery", interactive=False, buttons=["download"],
        )  # fmt: skip
        download = gr.DownloadButton(
            "Download PNG with its settings", value=chosen_file, elem_id="download", size="md",
            interactive=chosen_file is not None,
        )  # fmt: skip
    return Stage(picture, status, strip, gallery, download)


def _first_status(example: Example | None) -> str:
    if example is None:
        return html.progress("Choose a mood, then Run.", busy=False)
    return html.progress("A finished run, as an example. Change the words or the mood, then Run.", busy=False)


def judge_side(example: Example | None, target: Affect) -> JudgeSide:
    """Build the right column."""
    drawing, words, suggestion = plane(target), html.notice("What the judge reads in the picture appears here."), ""
    if example is not None:
        last = example.rounds[-1]
        best = last.best()
        drawing = plane_of(example.rounds, last.candidates, target)
        words = html.judgement(best, last.critique, target)
        suggestion = html.suggestion(last.prompt, last.critique, last.next_prompt)
    with gr.Column(elem_classes="side"):
        with gr.Column(elem_classes="board"):
            drawn = gr.HTML(drawing, elem_id="plane")
            said = gr.HTML(words, elem_id="words", elem_classes="judge")
            changes = gr.HTML(suggestion, elem_id="suggestion", elem_classes="suggestion")
        with gr.Accordion("Step by step", open=False, elem_id="step-by-step"):
            edits = gr.CheckboxGroup([], label="Accept these edits", elem_id="edits")
            next_prompt = gr.Textbox("", label="Next prompt", lines=2, elem_id="next-prompt", max_length=2000)
            next_round = gr.Button("Next round", elem_id="next-round", interactive=False)
    return JudgeSide(drawn, said, changes, edits, next_prompt, next_round)


def caption(candidate: Candidate) -> str:
    """Seed and distance of a candidate, for the gallery."""
    mark = "✓ " if candidate.chosen else ""
    away = "" if candidate.distance is None else f" · {candidate.distance:.2f}"
    return f"{mark}seed {candidate.picture.request.seed}{away}"


def plane_of(rounds: tuple[Round, ...] | list[Round], candidates: tuple[Candidate, ...], target: Affect) -> str:
    """The plane with the path of all rounds and the candidates of the one at hand."""
    readings = [c.reading for c in candidates if c.reading is not None and not c.chosen]
    chosen = next((c.reading for c in candidates if c.chosen), None)
    bests = [r.best().reading for r in rounds]
    return plane(target, readings, chosen, [read.affect for read in bests if read is not None])


def point_of(name: str) -> tuple[float, float]:
    """A preset's slider values, on the sliders' grid."""
    at = EMOTIONS[name]
    return round(at.valence * 20) / 20, round(at.arousal * 20) / 20
