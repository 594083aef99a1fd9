"""The Models tab: which generator and which judge the studio works with, what they need, and what is here already.

It is not built on a public host: there, visitors do not choose what the machine downloads and loads.
"""

import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr

from emofeedback.deploy.models import KINDS, Kind, LoadedModels, ModelEntry, downloaded, entry_of, offered
from emofeedback.errors import Cancelled, UserError
from emofeedback.generators.pipelines.memory import fitting, gpu_gigabytes, machine_gigabytes
from emofeedback.redaction import redacted
from emofeedback.servers.hub import Download
from emofeedback.ui.parts import html
from emofeedback.ui.session import Models, friendly, friendly_stream
from emofeedback.ui.worker import Post, posts_of

FIRST = "Another model takes the place of the one in use; all tabs then work with it."
DOES = {"generator": "Draws the pictures", "judge": "Reads them and advises"}
OTHER = {
    "generator": "or a folder, a Hugging Face name (owner/name), or hosted:owner/name",
    "judge": "or a folder, a Hugging Face name (owner/name), hosted:owner/name, a server's address",
}
ACCESS = {True: "gated: accept its terms on its page first", False: "open", None: "see its page"}
Updates = dict[Any, Any]


class ModelsTab:
    """Builds the tab and answers its events.

    Args:
        models: its lock is held while a model is swapped, so nobody is drawing meanwhile.
        loaded_models: the models of all tabs.
        tab: looked at again whenever it is opened; None = only when it is built.
    """

    def __init__(self, models: Models, loaded_models: LoadedModels, tab: gr.Tab | None = None) -> None:
        self.models, self.loaded_models = models, loaded_models
        self._stop = threading.Event()
        self.working: dict[Kind, gr.HTML] = {}
        self.names: dict[Kind, gr.Dropdown] = {}
        self.cards: dict[Kind, gr.HTML] = {}
        self.buttons: dict[Kind, tuple[gr.Button, gr.Button]] = {}
        with gr.Row(elem_classes="page-columns"):
            for kind in KINDS:
                with gr.Column(elem_classes=["board", "model"]):
                    self._column(kind)
        self.status = gr.HTML(html.progress(FIRST, busy=False), elem_id="models-status")
        self.stop = gr.Button("Stop the download", elem_id="models-stop", visible=False)
        self._connect()
        if tab is not None:
            outputs = [*self.names.values(), *self.cards.values(), *self.states()]
            tab.select(self.look, None, outputs, queue=False, show_progress="hidden", api_visibility="private")

    def look(self) -> Updates:
        """Which models are chosen and what is downloaded now."""
        names = {
            self.names[kind]: gr.update(choices=choices(kind), value=self.loaded_models.shown_name(kind))
            for kind in KINDS
        }
        cards = {self.cards[kind]: card(kind, self.loaded_models.shown_name(kind)) for kind in KINDS}
        return names | cards | self.state()

    def states(self) -> list[Any]:
        """The components of `state`."""
        return [*self.working.values(), *(button for pair in self.buttons.values() for button in pair)]

    def state(self) -> Updates:
        """What is in use, and which buttons do something, where each picker stands at what is in use."""
        found: Updates = {}
        for kind in KINDS:
            use, off = self.buttons[kind]
            loaded = self.loaded_models.loaded(kind)
            found |= {
                self.working[kind]: working(kind, self.loaded_models),
                use: gr.update(value="In use" if loaded else f"Load this {kind}", interactive=not loaded),
                off: gr.update(interactive=loaded),
            }
        return found

    def _column(self, kind: Kind) -> None:
        shown = self.loaded_models.shown_name(kind)
        self.working[kind] = gr.HTML(working(kind, self.loaded_models), elem_id=f"models-{kind}-working")
        self.names[kind] = gr.Dropdown(
            choices(kind),
            value=shown,
            label=f"Choose a {kind}",
            info=OTHER[kind],
            allow_custom_value=True,
            elem_id=f"models-{kind}",
        )
        self.cards[kind] = gr.HTML(
            card(kind, self.loaded_models.shown_name(kind), look=False), elem_id=f"models-{kind}-card"
        )
        with gr.Row(elem_classes="actions"):
            use = gr.Button(f"Load this {kind}", elem_id=f"models-{kind}-load", min_width=120)
            off = gr.Button("Free its memory", elem_id=f"models-{kind}-unload", min_width=120)
        self.buttons[kind] = use, off

    def _connect(self) -> None:
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        slow: dict[str, Any] = {
            "concurrency_id": "models-tab",
            "concurrency_limit": 1,
            "api_visibility": "private",
            "show_progress": "hidden",
        }
        for kind in KINDS:
            name, shown = self.names[kind], self.cards[kind]
            use, off = self.buttons[kind]
            name.change(lambda chosen, kind=kind: self.picked(kind, chosen), [name], [shown, use], **quick)

            def load(chosen: str, kind: Kind = kind) -> Iterator[Updates]:
                yield from self.load(kind, chosen)

            def unload(kind: Kind = kind) -> Updates:
                return self.unload(kind)

            use.click(lambda: gr.update(visible=True), None, [self.stop], **quick)
            ended = use.click(load, [name], [self.status, shown, *self.states()], **slow)
            ended.then(lambda: gr.update(visible=False), None, [self.stop], **quick)
            off.click(friendly(unload), None, [self.status, shown, *self.states()], **slow)
        self.stop.click(self.halt, None, [self.status], **quick)

    def picked(self, kind: Kind, name: str) -> tuple[str, Any]:
        """What is known of the model in the picker, and whether it can be loaded."""
        used = self.loaded_models.loaded(kind) and name == self.loaded_models.shown_name(kind)
        return card(kind, name), gr.update(value="In use" if used else f"Load this {kind}", interactive=not used)

    def halt(self) -> str:
        """Stop a download; what has come is kept."""
        self._stop.set()
        return html.progress("Stopping …", busy=False)

    @friendly_stream
    def load(self, kind: Kind, name: str) -> Iterator[Updates]:
        """Download a model, then put it in the place of the one before."""
        name = (name or "").strip()
        if not name:
            raise UserError(f"Choose a {kind} first.")
        name, shown = self.loaded_models.meant(kind, name), redacted(name)
        self._stop = threading.Event()
        yield {self.status: html.progress(f"Looking for {shown} …")}
        for news in self._fetched(kind, name):
            yield {self.status: download_line(shown, news)}
        yield {self.status: html.progress(f"Loading {shown} …")}
        with self.models.lock.alone(f"Another {kind} took its place meanwhile; start it again."):
            self.loaded_models.swap(kind, name)
        yield {
            self.status: html.progress(f"The {kind} is now {shown}.", busy=False),
            self.cards[kind]: card(kind, shown),
        } | self.state()

    def _fetched(self, kind: Kind, name: str) -> Iterator[Download | None]:
        """What a download says, and None as a sign of life; closing the iterator stops it."""
        stop = self._stop

        def work(post: Post) -> None:
            def tell(news: Download) -> None:
                if stop.is_set():
                    raise Cancelled("Stopped.")
                post(news)

            self.loaded_models.fetch(kind, name, tell)

        return posts_of(work, stop)

    def unload(self, kind: Kind) -> Updates:
        """Free a model; it is loaded again when it is needed."""
        with self.models.lock.alone(f"The {kind} was unloaded meanwhile; start it again."):
            self.loaded_models.unload(kind)
        name = self.loaded_models.shown_name(kind)
        line = f"The {kind} {name} is unloaded; it is loaded again when it is needed."
        return {self.status: html.progress(line, busy=False), self.cards[kind]: card(kind, name)} | self.state()


def working(kind: Kind, models: LoadedModels) -> str:
    """What is in use, in plain words: "Draws the pictures: Scene generator (bundled), in memory"."""
    name = models.shown_name(kind)
    entry = entry_of(kind, name)
    state = "loaded" if models.loaded(kind) else "not in memory now; it is loaded when it is needed"
    return (
        f'<p class="working {"on" if models.loaded(kind) else "off"}"><small>{DOES[kind]}</small>'
        f"<b>{html.text(entry.title if entry else name)}</b><span>{state}</span></p>"
    )


def choices(kind: Kind) -> list[tuple[str, str]]:
    """What a picker offers: (shown, name)."""
    here = downloaded()
    return [(_line(entry, here), entry.repo) for entry in offered(kind)]


def _line(entry: ModelEntry, here: dict[str, float]) -> str:
    if entry.repo == "bundled":
        return entry.title
    state = "downloaded" if entry.repo in here else f"{entry.download:g} GB to download"
    return f"{entry.title} — {state}"


def card(kind: Kind, name: str, look: bool = True) -> str:
    """What is known of a model: size, licence, needs, whether it is here and, with `look`, whether it fits.

    Looking at the machine imports torch, for which the page is not to wait while it is built.
    """
    entry = entry_of(kind, name or "")
    if entry is None:
        return html.notice("Not in the list: it is looked up when it is loaded.") if name else ""
    here = downloaded().get(entry.repo)
    rows = [("Licence", entry.licence)]
    if entry.repo != "bundled":
        rows += [
            ("Parameters", f"{entry.parts.network + entry.parts.text + entry.parts.rest:.1f} billion"),
            ("Download", f"{entry.download:g} GB" if here is None else f"here already ({here:.1f} GB)"),
            ("Access", ACCESS[entry.gated]),
        ]
    rows += [("Needs", entry.needs), *([("This machine", fits(entry))] if look else [])]
    cells = "".join(f"<tr><th>{html.text(k)}</th><td>{html.text(v)}</td></tr>" for k, v in rows)
    return f'<table class="facts">{cells}</table>'


def fits(entry: ModelEntry) -> str:
    """Whether a model fits this machine, and with which setting."""
    if entry.repo == "bundled":
        return "fits"
    gpu = gpu_gigabytes()
    if gpu is not None:
        options = fitting(entry.parts, gpu[1], entry.size)
        return f"{gpu[0]}, {gpu[1]:.0f} GB: " + ("does not fit" if options is None else f"fits, {options.text()}")
    memory = machine_gigabytes()
    if memory is None:
        return "no GPU; its memory is not known"
    if entry.gigabytes() > memory:
        return f"no GPU, {memory:.0f} GB of memory: does not fit"
    return f"no GPU, {memory:.0f} GB of memory: fits, and is slow on a CPU"


def download_line(name: str, news: Download | None) -> str:
    """A download's state as a line on the page."""
    if news is None or not news.total:
        return html.progress(f"Fetching {name} …")
    done, total = news.done / 1e9, news.total / 1e9
    return html.progress(f"Fetching {name}: {done:.2f} of {total:.2f} GB", min(1.0, news.done / news.total))
