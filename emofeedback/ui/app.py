"""The studio: builds the page from its tabs and launches it."""

import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware  # comes with gradio

from emofeedback.deploy.models import LoadedModels, watch_idle
from emofeedback.protocols import Generator, Judge
from emofeedback.rewriting.company import Company
from emofeedback.rewriting.embedded import EmbeddedThinker
from emofeedback.rewriting.viewers import load_viewers
from emofeedback.ui.api.endpoints import Endpoints
from emofeedback.ui.create.create_tab import CreateTab
from emofeedback.ui.create.example import load_example
from emofeedback.ui.create.references_panel import ReferencesPanel
from emofeedback.ui.create.restore import CREATE, Restore
from emofeedback.ui.create.viewers_kept import browser_kept
from emofeedback.ui.create.viewers_panel import ViewersPanel
from emofeedback.ui.finetune.finetune_tab import FinetuneTab
from emofeedback.ui.history.history_owner import head
from emofeedback.ui.history.history_tab import HistoryTab
from emofeedback.ui.history.history_view import css as history_css
from emofeedback.ui.history.keeper import Keeper
from emofeedback.ui.limits import UPLOAD_RULE, Hosting, OpenJob, Turnstile
from emofeedback.ui.models.models_tab import ModelsTab
from emofeedback.ui.parts import html
from emofeedback.ui.parts.theme import css, theme
from emofeedback.ui.read.read_tab import ReadTab
from emofeedback.ui.safety import guarded
from emofeedback.ui.session import MODELS, Models, Visits
from emofeedback.ui.sweep.sweep_tab import SweepTab

Load = Callable[[], tuple[Generator, Judge]]
EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "example_run"
BRAND = (
    '<header id="brand"><h1>Emo<i>Feedback</i></h1><p>Pictures that carry a set emotion, refined by a judge.</p>'
    "</header>"
)


def build(
    load: Load,
    example: Path = EXAMPLE,
    files: Path | None = None,
    open_job: OpenJob | None = None,
    hosting: Hosting | None = None,
    keeper: Keeper | None = None,
    shelf: LoadedModels | None = None,
    company: Company | None = None,
) -> tuple[gr.Blocks, Models]:
    """The page and its models (not loaded yet: call `Models.start`).

    Args:
        load: makes the generator and the judge; called once, on a thread of its own.
        example: folder of the finished run that a first visit shows; may be missing.
        files: where visitors' pictures are kept; None = the system's temporary folder.
        open_job: makes a fine-tuning job; None = the page has no tab for it.
        hosting: the rules of a shared host; None = no limits.
        keeper: puts what visitors make into their history; None = the page has no tab for it.
        shelf: where other models can be put in the place of `load`'s; not used on a public host.
        company: who rewrites prompts; None = the bundled viewers with the embedded back end.
    """
    hosting, company = hosting or Hosting(), company or Company(EmbeddedThinker(), load_viewers())
    shelf = None if hosting.public else shelf
    open_job = hosting.job_opener(open_job)
    models, visits = Models((lambda: guarded(load())) if hosting.public else load, shelf), Visits(files, hosting)
    visits.keeper = keeper
    shown = load_example(example)
    cleaning = (3600, 24 * 3600)  # seconds: once an hour, files older than a day
    with gr.Blocks(title="EmoFeedback", delete_cache=cleaning, analytics_enabled=False, fill_width=True) as page:
        Endpoints(models, visits, company, open_job)  # first: the page's own listeners must not take their names
        gr.HTML(BRAND)
        banner = gr.HTML(elem_id="banner")
        restore, kept = Restore(), browser_kept()
        with gr.Tabs() as tabs:
            with gr.Tab("Create", id="create"):
                create = CreateTab(models, visits, shown)
                with create.before():
                    viewers = ViewersPanel(models, visits, company, create.controls, kept)
                    references = ReferencesPanel(models, visits, create.controls)
                create.contributors.append(viewers.contribute)
                create.always.append(references.contribute)
                create.preview.after([references.switched])
                create.preview.after([references.tuned], lambda visit: references.of(visit).on)
            with gr.Tab("Continuum", id="continuum"):
                sweep = SweepTab(models, visits)
                sweep.open_into(create, references, tabs)
            with gr.Tab("Read a picture", id="read"):
                read = ReadTab(models, visits)
            if open_job is not None:
                with gr.Tab("Fine-tune", id="finetune"):
                    FinetuneTab(models, visits, open_job)
            if keeper is not None:
                with gr.Tab("History", id="history") as tab:
                    history = HistoryTab(visits, keeper, restore, tab)
                history.after_switch(create.browse.again, create.view.outputs())
                history.after_switch(sweep.again, sweep.outputs())
                history.after_switch(read.again, [read.gallery])
            if shelf is not None:
                with gr.Tab("Models", id="models") as shelves:
                    ModelsTab(models, shelf, shelves)
        if keeper is not None:
            controls = create.controls
            restore.after(create.follow, [controls.valence, controls.arousal], [controls.pad])
            restore.after(references.found, references.asked, [references.cards])
            fields = {name: getattr(controls, name) for name in CREATE} | references.fields()
            restore.connect(fields, tabs, controls.randomize)
        if hosting.public:
            gr.HTML(html.notice(UPLOAD_RULE), elem_id="upload-rule")
        page.load(
            lambda: _banner(models), None, [banner], queue=False, show_progress="hidden", api_visibility="private"
        )
        viewers.on_load(page)
        page.load(visits.arrive, queue=False, show_progress="hidden", api_visibility="private")
        page.unload(visits.leave)
    page.queue(default_concurrency_limit=1, max_size=hosting.queue_size)
    return page, models


def _banner(models: Models) -> str:
    """Why there are no models, if there are none; empty otherwise (Run itself says while they load)."""
    trouble = models.trouble(wait=20)
    return html.notice(trouble) if trouble else ""


def launch(
    load: Load,
    *,
    host: str | None = None,
    port: int | None = None,
    block: bool = True,
    example: Path = EXAMPLE,
    files: Path | None = None,
    open_job: OpenJob | None = None,
    hosting: Hosting | None = None,
    keeper: Keeper | None = None,
    shelf: LoadedModels | None = None,
    company: Company | None = None,
) -> tuple[gr.Blocks, str]:
    """Serve the studio; the models load while the page is already there.

    Args:
        host: None = this machine only; "0.0.0.0" = everybody who reaches it.
        port: None = GRADIO_SERVER_PORT, or the first free one from 7860.
        block: wait until the server is stopped.
        hosting: the rules of a shared host; None = no limits.
        keeper: puts what visitors make into their history; None = nothing is kept.
        shelf: where other models can be put in the place of `load`'s; None = there is no tab for it.
        company: who rewrites prompts; None = the bundled viewers with the embedded back end.

    Returns:
        The page (close it with `.close()`) and its address.
    """
    hosting = hosting or Hosting()
    page, models = build(load, example, files, open_job, hosting, keeper, shelf, company)
    models.start()
    if models.shelf is not None:
        idle = threading.Thread(target=watch_idle, args=(models.shelf, models.lock, threading.Event()), daemon=True)
        idle.start()
    turnstile = Middleware(Turnstile, page=page, hosting=hosting)
    options: dict[str, Any] = {"server_name": host, "server_port": port}
    if keeper is not None:
        options["blocked_paths"] = [str(keeper.history.folder)]
    _, address, _ = page.launch(
        **options,
        prevent_thread_lock=not block,
        quiet=not block,
        show_error=True,
        ssr_mode=False,
        theme=theme(),
        css=css() + history_css(),
        head=head(),
        footer_links=["api"],
        max_file_size=f"{hosting.max_upload_mb}mb",
        run_history=False,
        allowed_paths=[str(example)],
        mcp_server=find_spec("mcp") is not None,
        app_kwargs={"middleware": [turnstile]},
        _frontend=False,  # only skips a second look at its own address, which gives a busy machine 3 s
    )
    return page, address


__all__ = ["EXAMPLE", "MODELS", "build", "launch"]
