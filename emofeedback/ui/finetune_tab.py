"""The Fine-tune tab: one job at a time on a thread of its own, shown as it learns, stopped at any moment."""

import queue
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.protocols import Judge
from emofeedback.training.finetune_order import Estimate, FinetuneOrder, lines
from emofeedback.ui import finetune_layout as layout
from emofeedback.ui import html
from emofeedback.ui.desk import MODELS, Models, Visit, Visits, friendly, friendly_stream
from emofeedback.ui.finetune_view import Entry, charts, ending_words, estimate_words, event_words, pairs
from emofeedback.ui.wardrobe import Garment, Wardrobe

if TYPE_CHECKING:
    from emofeedback.training.finetune_job import Ending, FinetuneJob

OpenJob = Callable[[FinetuneOrder, Judge, Path], "FinetuneJob"]
"""Makes a job in a folder; called on the job's thread, so it may import and load what is heavy."""
Updates = dict[Any, Any]
Post = Callable[[object], None]
TICK = 1.0  # seconds between signs of life
ARCHIVE = "emofeedback-adapter"


@dataclass(eq=False)
class Bench:
    """What one visitor has of fine-tuning."""

    stop: threading.Event = field(default_factory=threading.Event)
    waiting: bool = False  # ordered, but its turn has not come
    busy: bool = False
    adapter: Path | None = None

    def order(self) -> None:
        """A button was pressed: from now on Stop counts."""
        if not self.busy:
            self.stop, self.waiting = threading.Event(), True

    def begin(self) -> threading.Event:
        """The work begins; its stop signal."""
        if not self.waiting:
            self.stop = threading.Event()
        self.waiting, self.busy = False, True
        return self.stop


@dataclass(frozen=True)
class Told:
    """An event of the job, and the pictures after an audit."""

    entry: Entry
    pairs: str | None


@dataclass(frozen=True)
class Finished:
    """The end of a job, and the file to download."""

    ending: "Ending"
    archive: Path


class FinetuneTab:
    """Builds the tab and answers its events."""

    def __init__(self, models: Models, visits: Visits, open_job: OpenJob) -> None:
        self.models, self.visits, self.open_job = models, visits, open_job
        self.wardrobe = Wardrobe(models)
        visits.dress = self.wardrobe.dress
        self._benches: WeakKeyDictionary[Visit, Bench] = WeakKeyDictionary()
        with gr.Row(elem_classes="desk"):
            self.controls = layout.order()
            self.stage = layout.stage()
        self._connect()

    def _connect(self) -> None:
        c, s = self.controls, self.stage
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "undocumented"}
        heavy = quiet | {"concurrency_id": MODELS, "concurrency_limit": 1}
        page = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        knobs: set[Any] = {
            c.source, c.prompts, c.region, c.valence, c.arousal, c.objective, c.minutes, c.updates, c.group, c.steps,
            c.learning_rate, c.seed, c.held_out,
        }  # fmt: skip
        buttons = [c.start, c.stop, c.dry]
        outputs = [s.status, s.charts, s.pairs, s.strength, s.use, s.off, s.download, s.worn, *buttons]
        for button, work, name in ((c.start, self.run, "finetune"), (c.dry, self.dry_run, "finetune_dry_run")):
            pressed = button.click(self.order_work, None, [s.status, *buttons], **page)
            pressed.then(work, knobs, outputs, api_name=name, **heavy)
        c.stop.click(self.halt, None, [s.status], api_name="finetune_stop", queue=False, **quiet)
        s.use.click(self.use, [s.strength], [s.worn], api_name="finetune_use", **heavy)
        s.off.click(self.take_off, None, [s.worn], **(heavy | {"api_visibility": "private"}))
        c.source.change(lambda source: gr.update(visible=source == "own"), [c.source], [c.prompts], **page)
        c.region.change(
            lambda region: (gr.update(visible=region == "point"),) * 2, [c.region], [c.valence, c.arousal], **page
        )

    def order(self, data: dict[Any, Any]) -> FinetuneOrder:
        """The controls as an order.

        Raises:
            UserError: something is missing; what contradicts itself is found when the job is made.
        """
        c = self.controls
        prompts = lines(data[c.prompts]) if data[c.source] == "own" else ()
        if data[c.source] == "own" and not prompts:
            raise UserError("Write at least one prompt, one a line, or choose the scenes of the bundled world.")
        for knob in (c.group, c.steps, c.learning_rate, c.seed):
            if data[knob] is None:
                raise UserError(f"{knob.label} is empty; give a number.")
        point = Affect(float(data[c.valence]), float(data[c.arousal])) if data[c.region] == "point" else None
        return FinetuneOrder(
            prompts=prompts, held_out=lines(data[c.held_out]), region=data[c.region], point=point,
            objective=data[c.objective], minutes=float(data[c.minutes] or 0) or None,
            updates=int(data[c.updates] or 0) or None, group=int(data[c.group]), steps=int(data[c.steps]),
            learning_rate=float(data[c.learning_rate]), seed=int(data[c.seed]),
        )  # fmt: skip

    def bench(self, visit: Visit) -> Bench:
        """The visitor's bench."""
        return self._benches.setdefault(visit, Bench())

    def order_work(self, request: gr.Request) -> Updates:
        """At once: the buttons change, and Stop counts even before the work's turn comes."""
        self.bench(self.visits.of(request)).order()
        return self._busy("Waiting for the models …")

    @friendly
    def halt(self, request: gr.Request) -> str:
        """Stop the job between two forward passes; what it learned is kept."""
        bench = self.bench(self.visits.of(request))
        bench.stop.set()
        if not (bench.busy or bench.waiting):
            return html.progress("Nothing is running.", busy=False)
        return html.progress("Stopping; the best so far is kept …")

    @friendly_stream
    def run(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One job from the order to the adapter."""
        visit, s = self.visits.of(request), self.stage
        bench = self.bench(visit)
        stop = bench.begin()
        entries: list[Entry] = []
        try:
            order = self.order(data)
            visit.runs += 1
            out = visit.files() / "finetune"
            yield self._busy("Preparing the job …") | {s.charts: charts(()), s.pairs: ""}
            for post in self._work(visit, stop, lambda post: self._train(order, visit, stop, out, post)):
                match post:
                    case Told(entry, shown):
                        entries.append(entry)
                        yield {
                            s.status: html.progress(event_words(entry), _share(order, entries)),
                            s.charts: charts(entries),
                        } | ({} if shown is None else {s.pairs: shown})
                    case Finished(ending, archive):
                        bench.adapter = ending.adapter
                        yield self._idle(ending_words(ending.result), bench) | {
                            s.download: gr.update(value=str(archive), interactive=True), s.worn: "",
                        }  # fmt: skip
        except Cancelled:
            yield self._idle("Stopped before the job began.", bench)
        except Exception:
            yield self._idle("This job did not finish.", bench)
            raise
        finally:
            bench.busy = False

    @friendly_stream
    def dry_run(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One update and one audit, measured; nothing is kept."""
        visit = self.visits.of(request)
        bench = self.bench(visit)
        stop = bench.begin()
        try:
            order = self.order(data)
            yield self._busy("Trying one update and one audit …")
            for post in self._work(visit, stop, lambda post: self._estimate(order, visit, stop, post)):
                if isinstance(post, Estimate):
                    yield self._idle(estimate_words(post, order.updates is None), bench)
        except Cancelled:
            yield self._idle("Stopped.", bench)
        except Exception:
            yield self._idle("The dry run did not finish.", bench)
            raise
        finally:
            bench.busy = False

    @friendly
    def use(self, strength: float, request: gr.Request) -> str:
        """Draw with the visitor's last adapter in every tab of this visitor; strength 0 takes it off."""
        visit = self.visits.of(request)
        adapter = self.bench(visit).adapter
        if adapter is None:
            raise UserError("Run a job first; its adapter can then be used in the other tabs.")
        self.models.get()
        try:
            with self.models.lock:
                self.wardrobe.choose(visit, Garment(adapter, float(strength)))
                self.wardrobe.dress(visit)
        except Exception:
            self.wardrobe.choose(visit, None)
            raise
        if not strength:
            return html.notice("The other tabs draw with the generator as it was.")
        return html.notice(f"Your other tabs now draw with this adapter at strength {strength:g}.")

    @friendly
    def take_off(self, request: gr.Request) -> str:
        """`use` with strength 0."""
        return self.use(0.0, request)

    def _work(self, visit: Visit, stop: threading.Event, task: Callable[[Post], None]) -> Iterator[object]:
        """Run `task` on a thread under the models' lock; yield what it posts, and None as a sign of life."""
        posts: queue.SimpleQueue[object] = queue.SimpleQueue()
        end = object()

        def body() -> None:
            try:
                self.models.get()
                with self.models.lock:
                    if stop.is_set():
                        raise Cancelled("Stopped.")
                    task(posts.put)
            except Exception as error:
                posts.put(error)
            finally:
                if visit.gone:  # the visitor's folder was dropped while the job still wrote to it
                    shutil.rmtree(visit.folder, ignore_errors=True)
                posts.put(end)

        threading.Thread(target=body, name="finetune", daemon=True).start()
        try:
            while True:
                try:
                    post = posts.get(timeout=TICK)
                except queue.Empty:
                    yield None
                    continue
                if post is end:
                    return
                if isinstance(post, Exception):
                    raise post
                yield post
        finally:
            stop.set()  # the page may be gone

    def _train(self, order: FinetuneOrder, visit: Visit, stop: threading.Event, out: Path, post: Post) -> None:
        job = self.open_job(order, self.models.get()[1], out)
        out.mkdir(parents=True, exist_ok=True)

        def tell(entry: Entry) -> None:
            shown = None
            if entry["kind"] == "audit":
                shown = pairs(job.held_out(), job.samples("base"), job.samples("best"))
            post(Told(entry, shown))

        ending = job.run(lambda: stop.is_set() or visit.gone, tell)
        archive = shutil.make_archive(str(out / ARCHIVE), "zip", out, ending.adapter.name)
        post(Finished(ending, Path(archive)))

    def _estimate(self, order: FinetuneOrder, visit: Visit, stop: threading.Event, post: Post) -> None:
        job = self.open_job(order, self.models.get()[1], visit.files() / "dry-run")
        post(job.estimate(lambda: stop.is_set() or visit.gone))

    def _busy(self, label: str) -> Updates:
        c = self.controls
        return {
            self.stage.status: html.progress(label),
            c.start: gr.update(interactive=False), c.dry: gr.update(interactive=False),
            c.stop: gr.update(interactive=True),
        }  # fmt: skip

    def _idle(self, sentence: str, bench: Bench) -> Updates:
        c, s = self.controls, self.stage
        ready = gr.update(interactive=bench.adapter is not None)
        return {
            s.status: html.progress(sentence, busy=False), s.strength: ready, s.use: ready, s.off: ready,
            c.start: gr.update(interactive=True), c.dry: gr.update(interactive=True),
            c.stop: gr.update(interactive=False),
        }  # fmt: skip


def _share(order: FinetuneOrder, entries: list[Entry]) -> float:
    """Share of the budget that is used, in [0, 1]."""
    updates = [entry for entry in entries if entry["kind"] == "update"]
    if not updates:
        return 0.0
    if order.updates is not None:
        return updates[-1]["update"] / order.updates
    return min(1.0, updates[-1]["elapsed"] / (60 * (order.minutes or 1)))
