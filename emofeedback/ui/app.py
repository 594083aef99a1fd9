"""The studio: builds the page from its tabs and launches it.

A new tab is one entry in `StudioPage.tabs`: its id, its title, and the function that builds it inside `with gr.Tab`.
What a tab shares with others (models, visitors, settings that come back) it finds on `StudioPage`; what it listens for
in another tab is connected in `StudioPage.connect`, when all of them are built.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware  # comes with gradio

from emofeedback.deploy.models import LoadedModels, watch_idle
from emofeedback.machine.temporary import process_folder
from emofeedback.protocols import Generator, Judge
from emofeedback.rewriting.company import Company
from emofeedback.rewriting.embedded import EmbeddedThinker
from emofeedback.rewriting.viewers import load_viewers
from emofeedback.ui import tab_styles
from emofeedback.ui.api.endpoints import Endpoints
from emofeedback.ui.create.create_tab import CreateTab
from emofeedback.ui.create.example import load_example
from emofeedback.ui.create.own_viewers import browser_kept
from emofeedback.ui.create.references_panel import ReferencesPanel
from emofeedback.ui.create.restore import CREATE, Restore
from emofeedback.ui.create.viewers_panel import ViewersPanel
from emofeedback.ui.finetune.finetune_tab import FinetuneTab
from emofeedback.ui.gate import Gate, no_trust_in_peers
from emofeedback.ui.history.history_owner import head
from emofeedback.ui.history.history_tab import HistoryTab
from emofeedback.ui.history.history_writer import HistoryWriter
from emofeedback.ui.limits import UPLOAD_RULE, Hosting, JobLimit, OpenJob
from emofeedback.ui.models.models_tab import ModelsTab
from emofeedback.ui.parts import html
from emofeedback.ui.parts import page as page_scripts
from emofeedback.ui.parts.theme import css, theme
from emofeedback.ui.read.read_tab import ReadTab
from emofeedback.ui.safety import guarded
from emofeedback.ui.session import PLACES, Models, Visits
from emofeedback.ui.studio_server import serve_patiently
from emofeedback.ui.sweep.sweep_tab import SweepTab
from emofeedback.ui.upscaling import follow_switch, upscaler_of
from emofeedback.ui.visitor_files import GuardedBlocks

THREADS = 40
"""For what answers at once; who waits for the models has one besides."""
MAX_SESSIONS = 300
"""Pages whose state is kept, at .7 MB each; the one that was used longest ago goes first."""
Load = Callable[[], tuple[Generator, Judge]]
EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "example_run"
BRAND = (
    '<header id="brand"><h1>Emo<i>Feedback</i></h1><p>Pictures that carry a set emotion, refined by a judge.</p>'
    "</header>"
)


@dataclass(frozen=True)
class StudioOptions:
    """What a studio has beside its models.

    Attributes:
        example: folder of the finished run that a first visit shows; may be missing.
        files: where visitors' pictures are kept; None = this process' temporary folder.
        open_job: makes a fine-tuning job; None = the page has no tab for it.
        hosting: the rules of a shared host; by default no limits.
        writer: puts what visitors make into their history; None = the page has no tab for it.
        loaded_models: where other models can be put in the place of those loaded; None = the page has no tab for it.
            Not used on a public host.
        company: who rewrites prompts; None = the bundled viewers with the embedded back end.
    """

    example: Path = EXAMPLE
    files: Path | None = None
    open_job: OpenJob | None = None
    hosting: Hosting = field(default_factory=Hosting)
    writer: HistoryWriter | None = None
    loaded_models: LoadedModels | None = None
    company: Company | None = None


@dataclass(frozen=True)
class Tab:
    """One tab of the page; `build` is called inside it."""

    id: str
    title: str
    build: Callable[[gr.Tab], None]
    shown: bool = True


class StudioPage:
    """What the tabs share, and the tabs themselves; made inside `gr.Blocks`."""

    def __init__(
        self, models: Models, visits: Visits, company: Company, open_job: OpenJob | None, o: StudioOptions
    ) -> None:
        self.models, self.visits, self.company, self.open_job, self.options = models, visits, company, open_job, o
        self.restore, self.kept_viewers = Restore(), browser_kept()
        self.finetune: FinetuneTab | None = None
        self.history: HistoryTab | None = None
        with gr.Tabs() as self.bar:
            for entry in self.tabs():
                if entry.shown:
                    with gr.Tab(entry.title, id=entry.id) as tab:
                        entry.build(tab)
        self.connect()

    def tabs(self) -> tuple[Tab, ...]:
        """All tabs from left to right: the one place to add one."""
        return (
            Tab("create", "Create", self._create),
            Tab("continuum", "Continuum", self._continuum),
            Tab("read", "Read a picture", self._read),
            Tab("finetune", "Fine-tune", self._finetune, self.open_job is not None),
            Tab("history", "History", self._history, self.options.writer is not None),
            Tab("models", "Models", self._models, self.models.loaded_models is not None),
        )

    def _create(self, tab: gr.Tab) -> None:
        self.creating = tab
        self.create = create = CreateTab(self.models, self.visits, load_example(self.options.example))
        with create.before():
            self.viewers = ViewersPanel(self.models, self.visits, self.company, create.controls, self.kept_viewers)
            self.references = references = ReferencesPanel(self.models, self.visits, create.controls)
        create.contributors.append(self.viewers.contribute)
        create.always.append(references.contribute)
        create.preview.after([references.switched])
        create.preview.after([references.tuned], lambda visit: references.of(visit).on)

    def _continuum(self, tab: gr.Tab) -> None:
        self.continuum = tab
        self.sweep = SweepTab(self.models, self.visits, tab=tab)

    def _read(self, tab: gr.Tab) -> None:
        self.reading = tab
        self.read = ReadTab(self.models, self.visits)

    def _finetune(self, tab: gr.Tab) -> None:
        assert self.open_job is not None
        self.finetune = FinetuneTab(self.models, self.visits, self.open_job)

    def _history(self, tab: gr.Tab) -> None:
        assert self.options.writer is not None
        self.history = HistoryTab(self.visits, self.options.writer, self.restore, tab)

    def _models(self, tab: gr.Tab) -> None:
        assert self.models.loaded_models is not None
        ModelsTab(self.models, self.models.loaded_models, tab)

    def keep(self, page: gr.Blocks) -> None:
        """What the browser keeps of the page over a reload."""
        viewers, references = self.viewers, self.references
        panels = {name: field for name, field in references.fields().items() if name in references.kept}
        then: list[tuple[Callable[..., Any], Any, Any]] = [
            (references.found, references.asked, [references.cards]),
            (viewers.switched, [viewers.on], None),
        ]
        self.create.keep(page, {**panels, "rewrite": viewers.on}, then)
        if self.finetune is not None:  # now that the page can be listened to: a reload shows what is on
            self.finetune.show_adapter(self.create.controls.adapter, self.creating.select, page.load)

    def connect(self) -> None:
        """What one tab does in another."""
        create, references, controls = self.create, self.references, self.create.controls
        self.sweep.open_into(create, references, self.bar)
        self.read.send_on(self.restore, partial(self.sweep.take_words, tabs=self.bar))
        opened = self.sweep.output
        self.read.take_picture(opened.read.click, self.sweep.file_of, [opened.cell], self.bar)
        create.browse.bring(opened.open.click, [opened.cell], self.sweep.cell, "From Continuum")
        if self.finetune is not None:
            self.finetune.show_adapter(self.sweep.controls.adapter, self.continuum.select)
            self.finetune.show_adapter(self.read.adapter, self.reading.select)
        shown = create.output.about
        self.sweep.take_drawing(shown.to_continuum, create.drawing_shown, self.bar)
        self.read.take_picture(shown.to_read, create.file_shown, [], self.bar)
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        self.creating.select(create.offers, None, [controls.negative_prompt, controls.size], **quick)
        if self.history is None:
            self.restore.panel()  # nothing opens it, and it stays hidden
        else:
            self.history.after_switch(create.browse.again, create.view.outputs())
            self.history.after_switch(self.sweep.again, self.sweep.outputs())
            self.history.after_switch(self.read.again, [self.read.gallery])
        self.restore.after(create.follow, [controls.valence, controls.arousal], [controls.pad])
        self.restore.after(references.found, references.asked, [references.cards])
        self.restore.after(create.preview.at_once, create.knobs(), create.view.outputs())
        fields = {name: getattr(controls, name) for name in CREATE} | references.fields()
        self.restore.connect(fields, self.bar)


def build(load: Load, options: StudioOptions = StudioOptions()) -> tuple[gr.Blocks, Models]:
    """The page and its models (not loaded yet: call `Models.start`).

    Args:
        load: makes the generator and the judge; called once, on a thread of its own.
    """
    hosting, company = options.hosting, options.company or Company(EmbeddedThinker(), load_viewers())
    open_job = hosting.job_opener(options.open_job)
    models = Models(
        (lambda: guarded(load())) if hosting.public else load, None if hosting.public else options.loaded_models
    )
    models.most_waiting = hosting.queue_size
    visits = Visits(options.files or process_folder(), hosting)
    visits.writer, visits.upscaler = options.writer, partial(upscaler_of, models)
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    cleaning = (3600, 24 * 3600)  # seconds: once an hour, files older than a day
    with GuardedBlocks(title="EmoFeedback", delete_cache=cleaning, analytics_enabled=False, fill_width=True) as page:
        page.most_bytes = hosting.max_upload_mb * 2**20
        page.over = visits.over  # type: ignore[method-assign]
        Endpoints(models, visits, company, open_job)  # first: the page's own listeners must not take their names
        gr.HTML(BRAND)
        banner = gr.HTML(elem_id="banner")
        studio = StudioPage(models, visits, company, open_job, options)
        if hosting.public:
            gr.HTML(html.notice(UPLOAD_RULE), elem_id="upload-rule")
        page.load(lambda: _banner(models), None, [banner], **quick)
        studio.keep(page)
        create = studio.create
        switched = follow_switch(page, create.controls.upscale, models, visits)
        switched.success(create.browse.again, None, create.view.outputs(), **quick)
        studio.viewers.on_load(page)
        page.unload(visits.leave)
    # what asks for the models waits in the queue: a call past it would not be counted
    page.queue(default_concurrency_limit=1, max_size=hosting.queue_size, api_open=False)
    _without_spinners(page)
    return page, models


def _without_spinners(page: gr.Blocks) -> None:
    """Take the outputs of listeners that show no spinner out of Gradio's bookkeeping of spinners.

    At the begin and end of every event its page passes on the state of all outputs that it keeps: with the outputs of
    this page that took nearly half of the page's time while a mood is dragged.
    """
    for listener in page.fns.values():
        if listener.show_progress == "hidden" and listener.show_progress_on is None:
            listener.show_progress_on = []


def _banner(models: Models) -> str:
    """Why there are no models, if there are none; empty otherwise (Run itself says while they load)."""
    trouble = models.trouble(wait=20)
    return html.notice(trouble) if trouble else ""


def launch(
    load: Load,
    options: StudioOptions = StudioOptions(),
    *,
    host: str | None = None,
    port: int | None = None,
    block: bool = True,
) -> tuple[gr.Blocks, str]:
    """Serve the studio; the models load while the page is already there.

    Args:
        load: as for `build`.
        host: None = this machine only; "0.0.0.0" = everybody who reaches it.
        port: None = the first free one from 7860 (from GRADIO_SERVER_PORT, where that is set).
        block: wait until the server is stopped.

    Returns:
        The page (close it with `.close()`) and its address.
    """
    hosting, writer = options.hosting, options.writer
    if not hosting.proxied:
        no_trust_in_peers()
    page, models = build(load, options)
    models.start()
    serve_patiently()
    if models.loaded_models is not None:
        idle = threading.Thread(
            target=watch_idle, args=(models.loaded_models, models.lock, threading.Event()), daemon=True
        )
        idle.start()
    blocked: dict[str, Any] = {} if writer is None else {"blocked_paths": [str(writer.history.folder)]}
    _, address, _ = page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=not block,
        quiet=not block,
        show_error=True,
        ssr_mode=False,
        theme=theme(),
        css=css() + tab_styles.css(),
        head=head() + page_scripts.head(),
        footer_links=["api"],
        max_file_size=f"{hosting.max_upload_mb}mb",
        run_history=False,
        allowed_paths=[str(options.example)],
        mcp_server=find_spec("mcp") is not None,
        enable_monitoring=False,
        max_threads=THREADS + PLACES,
        state_session_capacity=MAX_SESSIONS,
        app_kwargs={
            "middleware": [Middleware(Gate, hosting=hosting), Middleware(JobLimit, page=page, hosting=hosting)]
        },
        _frontend=False,  # only skips a second look at its own address, which gives a busy machine 3 s
        **blocked,
    )
    return page, address
