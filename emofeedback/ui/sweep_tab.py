"""The Continuum tab: one prompt, one seed, a grid of moods on one sheet, and how evenly the picture changes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import gradio as gr

from emofeedback.continuum import Continuity, grid_affects, requests_for, sheet, sheet_continuity
from emofeedback.loop import Progress, draw_pictures
from emofeedback.records import Picture
from emofeedback.storage import image_bytes, write_whole
from emofeedback.ui import html
from emofeedback.ui.create_layout import START_PROMPT
from emofeedback.ui.desk import MAX_SEED, MODELS, Models, Visit, Visits, friendly_stream

T = TypeVar("T")
MAX_GRID = 9


class SweepTab:
    """Builds the tab and answers its events."""

    def __init__(self, models: Models, visits: Visits, prompt: str = START_PROMPT) -> None:
        self.models, self.visits = models, visits
        with gr.Row(elem_classes="desk"):
            with gr.Column(elem_classes=["side", "controls"]):
                self.prompt = gr.Textbox(
                    prompt, label="What is in the picture", lines=2, max_length=2000, elem_id="sweep-prompt",
                    placeholder="leave empty for pure mood",
                )  # fmt: skip
                self.grid = gr.Slider(
                    3, MAX_GRID, 5, step=1, label="Grid", info="so many moods along each axis", elem_id="sweep-grid"
                )
                self.strength = gr.Slider(0, 2, 1, step=0.1, label="Strength of the emotion")
                self.seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED)
                with gr.Row(elem_classes="actions"):
                    self.draw = gr.Button("Draw the sheet", variant="primary", elem_id="sweep-draw", scale=3)
                    self.stop = gr.Button("Stop", elem_id="sweep-stop", scale=2, min_width=70)
            with gr.Column(elem_classes="middle"):
                self.sheet = gr.Image(
                    label="Sheet", show_label=False, format="png", interactive=False, height=640, type="filepath",
                    buttons=["download", "fullscreen"], elem_id="sheet", elem_classes=["picture", "first"],
                )  # fmt: skip
                self.status = gr.HTML(
                    html.progress("Valence grows to the right, arousal upwards.", busy=False), elem_id="sweep-status",
                    elem_classes="first",
                )  # fmt: skip
                self.figures = gr.HTML(elem_id="sweep-figures")
        drawn = self.draw.click(
            self.run, [self.prompt, self.grid, self.strength, self.seed], [self.sheet, self.status, self.figures],
            show_progress="hidden", api_visibility="private", concurrency_id=MODELS, concurrency_limit=1,
        )  # fmt: skip
        self.stop.click(
            self.halt, None, [self.status], cancels=[drawn], queue=False, show_progress="hidden",
            api_visibility="private",
        )  # fmt: skip

    def halt(self, request: gr.Request) -> str:
        """Stop the sheet within one denoising step."""
        self.visits.of(request).cancel.set()
        return html.progress("Stopped.", busy=False)

    @friendly_stream
    def run(self, prompt: str, grid: int, strength: float, seed: int, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Draw the sheet with progress, then show it with its figures."""
        visit = self.visits.of(request)
        yield {self.status: html.progress("Starting …" if self.models.peek() else "Loading the models …")}
        for item in draw_sheet(self.models, visit, prompt, int(grid), float(strength), int(seed or 0)):
            if isinstance(item, str):
                yield {
                    self.sheet: item,
                    self.status: html.progress("Done.", busy=False),
                    self.figures: figure_table(visit.figures),
                }
            else:
                done, total = item
                yield {self.status: html.progress(f"Drawing {total} pictures: {done / total:.0%}", done / total)}


def draw_sheet(
    models: Models, visit: Visit, prompt: str, grid: int, strength: float, seed: int
) -> Iterator[tuple[float, int] | str]:
    """Yield (pictures done, pictures in all) while drawing, then the path of the sheet; figures stay in the visit.

    Raises:
        UserError: a value is out of range.
        Cancelled: the visit's stop signal was set.
    """
    rows = grid_affects(grid)
    generator, _ = models.get()
    requests = requests_for(prompt, [affect for row in rows for affect in row], seed, strength)
    pictures: list[Picture] = []
    with models.lock, visit.work() as cancel:
        for group in _groups(requests, max(grid, 8)):
            for message in draw_pictures(generator, group, cancel):
                if isinstance(message, Progress):
                    yield len(pictures) + len(group) * message.step / max(1, message.steps), len(requests)
                else:
                    pictures += message
        board = _groups(pictures, grid)
        visit.figures = sheet_continuity([[item.image for item in row] for row in board])
        visit.runs += 1
        path = visit.files() / "sheet.png"
        write_whole(path, image_bytes(sheet(board)))
        yield str(path)


def _groups(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


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
