"""The studio: builds the page from its tabs and launches it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.protocols import Generator, Judge
from emofeedback.ui import html
from emofeedback.ui.create_tab import CreateTab
from emofeedback.ui.desk import MODELS, Models, Visits
from emofeedback.ui.endpoints import Endpoints
from emofeedback.ui.example import load_example
from emofeedback.ui.finetune_tab import FinetuneTab, OpenJob
from emofeedback.ui.read_tab import ReadTab
from emofeedback.ui.sweep_tab import SweepTab
from emofeedback.ui.theme import css, theme

Load = Callable[[], tuple[Generator, Judge]]
EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "example_run"
BRAND = (
    '<header id="brand"><h1>Emo<i>Feedback</i></h1><p>Pictures that carry a set emotion, refined by a judge that '
    "says what it sees.</p></header>"
)


def build(
    load: Load, example: Path = EXAMPLE, files: Path | None = None, open_job: OpenJob | None = None
) -> tuple[gr.Blocks, Models]:
    """The page and its models (not loaded yet: call `Models.start`).

    Args:
        load: makes the generator and the judge; called once, on a thread of its own.
        example: folder of the finished run that a first visit shows; may be missing.
        files: where visitors' pictures are kept; None = the system's temporary folder.
        open_job: makes a fine-tuning job; None = the page has no tab for it.
    """
    models, visits = Models(load), Visits(files)
    shown = load_example(example)
    cleaning = (3600, 24 * 3600)  # seconds: once an hour, files older than a day
    with gr.Blocks(title="EmoFeedback", delete_cache=cleaning, analytics_enabled=False, fill_width=True) as page:
        Endpoints(models, visits)  # first: the page's own listeners must not take their names
        gr.HTML(BRAND)
        banner = gr.HTML(elem_id="banner")
        with gr.Tabs():
            with gr.Tab("Create", id="create"):
                CreateTab(models, visits, shown)
            with gr.Tab("Continuum", id="continuum"):
                SweepTab(models, visits)
            with gr.Tab("Read a picture", id="read"):
                ReadTab(models)
            if open_job is not None:
                with gr.Tab("Fine-tune", id="finetune"):
                    FinetuneTab(models, visits, open_job)
        page.load(
            lambda: _banner(models), None, [banner], queue=False, show_progress="hidden", api_visibility="private"
        )
        page.unload(visits.leave)
    page.queue(default_concurrency_limit=1, max_size=64)
    return page, models


def _banner(models: Models) -> str:
    """Why there are no models, if there are none; empty otherwise (Run itself says while they load)."""
    trouble = models.trouble(wait=20)
    return html.notice(trouble) if trouble else ""


def launch(
    load: Load, *, host: str | None = None, port: int | None = None, block: bool = True, example: Path = EXAMPLE,
    files: Path | None = None, open_job: OpenJob | None = None,
) -> tuple[gr.Blocks, str]:  # fmt: skip
    """Serve the studio; the models load while the page is already there.

    Args:
        host: None = this machine only; "0.0.0.0" = everybody who reaches it.
        port: None = GRADIO_SERVER_PORT, or the first free one from 7860.
        block: wait until the server is stopped.

    Returns:
        The page (close it with `.close()`) and its address.
    """
    page, models = build(load, example, files, open_job)
    models.start()
    options: dict[str, Any] = {"server_name": host, "server_port": port}
    _, address, _ = page.launch(
        **options, prevent_thread_lock=not block, quiet=not block, show_error=True, ssr_mode=False, theme=theme(),
        css=css(), footer_links=["api"], max_file_size="32mb", run_history=False, allowed_paths=[str(example)],
    )  # fmt: skip
    return page, address


__all__ = ["EXAMPLE", "MODELS", "build", "launch"]
