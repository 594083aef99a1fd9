"""The Fine-tune tab: jobs on threads of their own, one at a time, shown as they learn, stopped at any moment, kept."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.finetuning.job_store import JobStore
from emofeedback.finetuning.objectives.table import OBJECTIVES
from emofeedback.finetuning.order import AUTO, Estimate, FinetuneOrder
from emofeedback.records import MAX_SEED
from emofeedback.settings import Settings, data_folder
from emofeedback.text import prompt_lines
from emofeedback.ui.adapters import VisitorAdapters
from emofeedback.ui.finetune import finetune_layout as layout
from emofeedback.ui.finetune.finetune_view import (
    Entry,
    charts,
    ending_words,
    estimate_words,
    event_words,
    learned_nothing,
    pairs,
    place_words,
)
from emofeedback.ui.finetune.pace import Pace
from emofeedback.ui.finetune.past_jobs import PastJobs, continued
from emofeedback.ui.finetune.queue import JobQueue, QueuePlace, VisitorJob, queued, store_of
from emofeedback.ui.limits import OpenJob
from emofeedback.ui.parts import html, numbers
from emofeedback.ui.session import HEAVY, Models, Visit, Visits, friendly, friendly_stream
from emofeedback.ui.worker import Post

if TYPE_CHECKING:
    from emofeedback.finetuning.job import FinetuneJob

Updates = dict[Any, Any]
JOBS, PLACES = "finetune", 16
"""Jobs that wait hold no place among the other tabs' work; so many may wait at once."""


@dataclass(frozen=True)
class Told:
    """An event of the job, and the pictures after an audit."""

    entry: Entry
    pairs: str | None


@dataclass(frozen=True)
class Known:
    """What a job that goes on had told before."""

    entries: list[Entry]


class FinetuneTab:
    """Builds the tab and answers its events.

    Args:
        root: where jobs are kept, by visitor; None = the folder that the settings set aside for data.
    """

    def __init__(self, models: Models, visits: Visits, open_job: OpenJob, root: Path | None = None) -> None:
        self.models, self.visits, self.open_job = models, visits, open_job
        self.root = root or data_folder(Settings.from_environment(os.environ), os.environ) / "jobs"
        self.queue, self.adapters = JobQueue(), VisitorAdapters(models)
        visits.apply_adapter = self.adapters.apply
        self._jobs: WeakKeyDictionary[Visit, VisitorJob] = WeakKeyDictionary()
        with gr.Row(elem_classes="page-columns"):
            self.controls = layout.order_form()
            self.panel = layout.job_panel()
        self.past = PastJobs(visits, self.adapters, self.store, lambda visit: self.job(visit).job)
        self._connect()

    def _connect(self) -> None:
        c, s = self.controls, self.panel
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "undocumented"}
        queued = quiet | {"concurrency_id": JOBS, "concurrency_limit": PLACES}
        page = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        knobs: set[Any] = {
            c.source,
            c.prompts,
            c.region,
            c.valence,
            c.arousal,
            c.objective,
            c.minutes,
            c.updates,
            c.group,
            c.steps,
            c.learning_rate,
            c.seed,
            c.held_out,
            c.begin,
        }
        buttons = [c.start, c.stop, c.dry]
        shown = [s.status, s.charts, s.pairs, s.resume, s.strength, s.use, s.off, s.download]
        listeners: list[tuple[gr.Button, Any, set[Any], str]] = [
            (c.start, self.run, knobs, "finetune"),
            (c.dry, self.dry_run, knobs, "finetune_dry_run"),
            (s.resume, self.resume, {s.past, c.minutes, c.updates}, "finetune_resume"),
        ]
        for button, task, inputs, name in listeners:
            pressed = button.click(self.order_work, None, [s.status, *buttons], **page)
            outputs = [*shown, s.past, s.in_use, *buttons, s.box]
            ended = pressed.then(task, inputs, outputs, api_name=name, **queued)
            ended.then(self.past.refresh, None, [s.past, s.box], **page)
        c.stop.click(self.halt, None, [s.status], api_name="finetune_stop", queue=False, **quiet)
        models = quiet | HEAVY
        taken = s.use.click(self.past.use, [s.strength, s.past], [s.in_use], api_name="finetune_use", **models)
        left = s.off.click(self.past.take_off, None, [s.in_use], **(models | {"api_visibility": "private"}))
        self._changes = [taken, left]
        for change in self._changes:
            change.success(self.past.worn, None, [s.off], **page)
        s.past.input(self.past.look, [s.past], shown, api_name="finetune_job", queue=False, **quiet)
        gr.on([s.past.focus], self.past.refresh, None, [s.past, s.box], **page)
        gr.on([c.begin.focus], self.past.to_begin_with, None, [c.begin], **page)
        gr.on(None, self.past.refresh, None, [s.past, s.box], **page)  # when the page loads
        c.source.change(lambda source: gr.update(visible=source == "own"), [c.source], [c.prompts], **page)
        c.region.change(
            lambda region: (gr.update(visible=region == "point"),) * 2, [c.region], [c.valence, c.arousal], **page
        )

    def adapter_line(self, request: gr.Request) -> str:
        """Which adapter this visitor draws with, as HTML; empty where there is none. For the tabs that draw."""
        visit = self.visits.of(request)
        line, off = self.adapters.line(visit), ""
        if self.adapters.own(visit):
            off = ' <button type="button" data-does="off">Take it off</button>'
        return f'<p class="adapter-on" role="status">{html.text(line)}{off}</p>' if line else ""

    def show_adapter(self, component: gr.HTML, *opened: Callable[..., Any]) -> None:
        """Keep a component of another tab (`adapters.adapter_line`) at `adapter_line`; its button takes it off.

        Args:
            opened: events after which it is looked at too, such as `tab.select` and `page.load`; an adapter put on or
                taken off always counts.
        """
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        s = self.panel
        left = component.off(self.past.take_off, None, [s.in_use], **(quick | {"queue": True} | HEAVY))
        left.success(self.past.worn, None, [s.off], **quick)
        left.success(self.adapter_line, None, [component], **quick)
        for event in (*(change.success for change in self._changes), *opened):
            event(self.adapter_line, None, [component], **quick)

    def order(self, data: dict[Any, Any], visit: Visit) -> FinetuneOrder:
        """The controls as an order of this visitor.

        Raises:
            UserError: something is missing; what contradicts itself is found when the job is made.
        """
        c = self.controls
        prompts = prompt_lines(data[c.prompts]) if data[c.source] == "own" else ()
        if data[c.source] == "own" and not prompts:
            raise UserError("Write at least one prompt, one a line, or choose the scenes of the bundled world.")
        point = None
        if data[c.region] == "point":
            valence = numbers.number(data[c.valence], "Pleasant (valence)", -1, 1)
            point = Affect(valence, numbers.number(data[c.arousal], "Energy (arousal)", -1, 1))
        return FinetuneOrder(
            prompts=prompts,
            held_out=prompt_lines(data[c.held_out]),
            region=data[c.region],
            point=point,
            objective=data[c.objective],
            minutes=numbers.number(data[c.minutes] or 0, "Minutes", 0, 1440) or None,
            updates=numbers.whole(data[c.updates] or 0, "Updates", 0, 1_000_000) or None,
            group=numbers.whole(data[c.group], "Pictures of a group", 0, 32),
            steps=numbers.whole(data[c.steps], "Denoising steps", 0, 50),
            learning_rate=numbers.number(data[c.learning_rate], "The learning rate", 0, 0.1),
            seed=numbers.whole(data[c.seed], "The seed", 0, MAX_SEED),
            start=self.past.adapter(visit, data[c.begin]),
        )

    def job(self, visit: Visit) -> VisitorJob:
        """The visitor's job."""
        return self._jobs.setdefault(visit, VisitorJob())

    def store(self, visit: Visit) -> JobStore:
        """The visitor's jobs on disk."""
        return store_of(self.root, visit)

    def order_work(self, request: gr.Request) -> Updates:
        """At once: the buttons change, and Stop counts even before the work's turn comes."""
        self.job(self.visits.of(request)).order()
        return self._busy("Waiting for the models …")

    @friendly
    def halt(self, request: gr.Request) -> str:
        """Stop the job between two forward passes; what it learned is kept."""
        mine = self.job(self.visits.of(request))
        mine.stop.set()
        if not (mine.busy or mine.waiting):
            return html.progress("Nothing is running.", busy=False)
        return html.progress("Stopping; the best so far is kept …")

    @friendly_stream
    def run(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """One job from the order to the adapter."""
        visit = self.visits.of(request)
        yield from self._job(visit, lambda: (self.order(data, visit), self.store(visit).new()), False)

    @friendly_stream
    def resume(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """Go on with the chosen job; one whose budget is used up gets what is set now on top."""
        visit, c = self.visits.of(request), self.controls

        def chosen() -> tuple[FinetuneOrder, Path]:
            record = self.store(visit).find(data[self.panel.past])
            return continued(record, data[c.minutes], data[c.updates]), record.folder

        yield from self._job(visit, chosen, True)

    def _job(self, visit: Visit, begun: Callable[[], tuple[FinetuneOrder, Path]], again: bool) -> Iterator[Updates]:
        """Run the job that `begun` tells: its order and folder."""
        s, mine = self.panel, self.job(visit)
        stop = mine.begin()
        entries: list[Entry] = []
        base: Entry | None = None
        out: Path | None = None
        try:
            order, out = begun()
            pace = Pace(order.updates, order.minutes)
            yield self._busy("Preparing the job …") | {s.charts: charts(()), s.pairs: ""}

            def task(post: Post) -> None:
                self._train(order, visit, stop, out, post, again, pace)

            for post in queued(self.models, self.queue, visit, stop, task, lambda: _takes(order, pace)):
                match post:
                    case QueuePlace():
                        yield {s.status: html.progress(place_words(post))}
                    case Told(entry, shown):
                        entries.append(entry)
                        pace.add(entry)
                        base = base or (entry if entry["kind"] == "audit" else None)
                        yield {
                            s.status: html.progress(event_words(entry, pace, base), pace.share()),
                            s.charts: charts(entries),
                        } | ({} if shown is None else {s.pairs: shown})
                    case str(words):
                        yield {s.status: html.progress(words)}
                    case Known(before):
                        entries.extend(before)
                        base = next((entry for entry in before if entry["kind"] == "audit"), None)
                        for entry in before:
                            pace.add(entry, live=False)
                    case None:
                        pass
                    case ending:
                        yield self._finished(visit, out, ending, order.start is not None)
        except Cancelled:
            yield self._idle("Stopped before the job began.", mine)
        except Exception:
            yield self._idle("This job did not finish.", mine)
            raise
        finally:
            mine.busy = False
            if out is not None:
                with suppress(OSError):  # a folder that holds something stays
                    out.rmdir()

    def _train(
        self,
        order: FinetuneOrder,
        visit: Visit,
        stop: threading.Event,
        out: Path,
        post: Post,
        again: bool,
        pace: Pace,
    ) -> None:
        job = self._opened(order, out, post)
        pace.audit_every = job.trainer.settings.audit_every
        if again:
            job.resume()
            post(Known(job.trainer.log.read()))
        else:
            post("Drawing the pictures as they are, for the check before the first update …")

        def tell(entry: Entry) -> None:
            shown = None
            if entry["kind"] == "audit":
                shown = pairs(job.held_out(), job.samples("base"), job.samples("best"))
            post(Told(entry, shown))

        post(job.run(lambda: stop.is_set() or visit.gone, tell, order))

    def _opened(self, order: FinetuneOrder, out: Path, post: Post) -> "FinetuneJob":
        judge = self.models.get()[1]
        job = self.open_job(order, judge, out)
        if order.objective == AUTO:
            chosen = OBJECTIVES[job.trainer.settings.objective]
            post(f"It learns by {chosen.title} ({chosen.name}), which suits {judge.name}.")
        return job

    def _finished(self, visit: Visit, out: Path, ending: Any, started: bool) -> Updates:
        mine, s = self.job(visit), self.panel
        mine.job = out.name
        result = asdict(ending.result)
        useful = gr.update(interactive=started or not learned_nothing(result))
        return self._idle(ending_words(result, started), mine) | {
            s.past: self.past.choices(visit, out.name),
            s.resume: gr.update(interactive=True),
            s.use: useful,
            s.strength: useful,
            s.download: gr.update(value=self.past.archive(visit, out), interactive=True),
            s.box: gr.update(visible=True),
        }

    @friendly_stream
    def dry_run(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """A few updates and one audit, measured; nothing is kept."""
        visit = self.visits.of(request)
        mine = self.job(visit)
        stop = mine.begin()
        try:
            order = self.order(data, visit)
            yield self._busy("Measuring three updates and one check …")
            for post in queued(
                self.models, self.queue, visit, stop, lambda post: self._estimate(order, visit, stop, post)
            ):
                if isinstance(post, QueuePlace):
                    yield {self.panel.status: html.progress(place_words(post))}
                if isinstance(post, Estimate):
                    yield self._idle(estimate_words(post, order.updates is None), mine)
        except Cancelled:
            yield self._idle("Stopped.", mine)
        except Exception:
            yield self._idle("Measuring did not finish.", mine)
            raise
        finally:
            mine.busy = False

    def _estimate(self, order: FinetuneOrder, visit: Visit, stop: threading.Event, post: Post) -> None:
        folder = visit.files() / "dry-run"
        try:
            job = self._opened(order, folder, post)
            post(job.estimate(lambda: stop.is_set() or visit.gone))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _busy(self, label: str) -> Updates:
        c = self.controls
        return {
            self.panel.status: html.progress(label),
            c.start: gr.update(interactive=False),
            c.dry: gr.update(interactive=False),
            c.stop: gr.update(interactive=True),
        }

    def _idle(self, sentence: str, mine: VisitorJob) -> Updates:
        c, s = self.controls, self.panel
        return {
            s.status: html.progress(sentence, busy=False),
            c.start: gr.update(interactive=True),
            c.dry: gr.update(interactive=True),
            c.stop: gr.update(interactive=False),
        }


def _takes(order: FinetuneOrder, pace: Pace) -> float | None:
    """Seconds that a job still takes, for those who wait behind it; before its first update what it may take."""
    left = pace.left()
    return left if left is not None or order.minutes is None else 60 * order.minutes
