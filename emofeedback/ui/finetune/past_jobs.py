"""The visitor's past jobs in the Fine-tune tab: the list, a look at one, its adapter used or downloaded."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.finetuning.job_store import ADAPTER, JobRecord, JobStore
from emofeedback.finetuning.metrics_log import MetricsLog
from emofeedback.finetuning.order import FinetuneOrder
from emofeedback.records import PictureRequest
from emofeedback.ui.adapters import AdapterChoice, VisitorAdapters
from emofeedback.ui.finetune.finetune_view import (
    charts,
    learned_nothing,
    no_gain,
    pairs,
    record_aim,
    record_label,
    record_words,
)
from emofeedback.ui.parts import html, numbers
from emofeedback.ui.session import Visit, Visits, friendly

ARCHIVE = "emofeedback-adapter"


class PastJobs:
    """Answers the events of the list; what a visitor sees are the own jobs alone.

    Args:
        adapters: which visitor draws with which.
        store: a visitor's jobs.
        last: name of the job that a visitor ran last; None = there was none.
    """

    def __init__(
        self,
        visits: Visits,
        adapters: VisitorAdapters,
        store: Callable[[Visit], JobStore],
        last: Callable[[Visit], str | None],
    ) -> None:
        self.visits, self.adapters, self.models = visits, adapters, adapters.models
        self.store, self.last = store, last

    def choices(self, visit: Visit, chosen: str | None) -> Any:
        """The list with one job chosen."""
        jobs = [(record_label(record), record.folder.name) for record in self.store(visit).jobs()]
        return gr.update(choices=jobs, value=chosen)

    def refresh(self, request: gr.Request) -> tuple[Any, Any]:
        """The list as it is on disk; what is chosen stays. It shows once there is a job."""
        jobs = self.store(self.visits.of(request)).jobs()
        listed = gr.update(choices=[(record_label(record), record.folder.name) for record in jobs])
        return listed, gr.update(visible=True) if jobs else gr.skip()

    def worn(self, request: gr.Request) -> Any:
        """The button that takes an adapter off: it works where one is on."""
        return gr.update(interactive=bool(self.adapters.line(self.visits.of(request))))

    def to_begin_with(self, request: gr.Request) -> Any:
        """The jobs that left an adapter, for one that begins with it."""
        jobs = self.store(self.visits.of(request)).jobs()
        return gr.update(choices=[(record_label(r), r.folder.name) for r in jobs if r.adapter is not None])

    def adapter(self, visit: Visit, name: str | None) -> str | None:
        """The folder of a job's adapter; None where no job is named.

        Raises:
            UserError: there is no such job, or it left none.
        """
        if not name:
            return None
        found = self.store(visit).find(name).adapter
        if found is None:
            raise UserError("The job to begin with left no adapter; choose another, or none.")
        return str(found)

    @friendly
    def look(self, name: str | None, request: gr.Request) -> tuple[Any, ...]:
        """How the chosen job went: its end, charts, pictures before and after; its adapter is ready to be used."""
        visit = self.visits.of(request)
        record = self.store(visit).find(name)
        useful = not learned_nothing(record.result) or record.settings.get("start") is not None
        has = gr.update(interactive=record.adapter is not None and useful)
        worn = gr.update(interactive=bool(self.adapters.line(visit)))
        file = None if record.adapter is None else self.archive(visit, record.folder)
        return (
            html.progress(record_words(record), busy=False),
            charts(MetricsLog(record.folder).read()),
            _pairs(record),
            gr.update(interactive=record.resumable),
            has,
            has,
            worn,
            gr.update(value=file, interactive=file is not None),
        )

    @friendly
    def use(self, strength: float, name: str | None, request: gr.Request) -> str:
        """Draw with an adapter (the last job's, where none is chosen) in every tab of this visitor; strength 0 takes
        it off."""
        visit = self.visits.of(request)
        wanted = name or self.last(visit)
        strength = numbers.number(strength, "How strongly it is used", 0, 2)
        if wanted is None:
            raise UserError("Run a job first; its adapter can then be used in the other tabs.")
        record = self.store(visit).find(wanted)
        if record.adapter is None:
            raise UserError("This job left no adapter; go on with it, or choose another.")
        self.models.get()
        try:
            with self.models.lock.turn_of(visit):
                self.adapters.choose(visit, AdapterChoice(record.adapter, strength, record_aim(record)))
                self.adapters.apply(visit)
        except Exception:
            self.adapters.choose(visit, None)
            raise
        if not strength:
            return html.notice("All your tabs draw with the generator as it came.")
        said = f"All your tabs now draw with this adapter at strength {strength:g}."
        doubt = no_gain(record.result, record.settings.get("start") is not None)
        return html.notice(f"{said} {doubt}" if doubt else said)

    @friendly
    def take_off(self, request: gr.Request) -> str:
        """The generator as it was."""
        visit = self.visits.of(request)
        self.models.get()
        with self.models.lock.turn_of(visit):
            self.adapters.choose(visit, None)
            self.adapters.apply(visit)
        return html.notice("All your tabs draw with the generator as it came.")

    def archive(self, visit: Visit, folder: Path) -> str:
        """The job's adapter as a zip among the visitor's files, where the page may serve it from."""
        return shutil.make_archive(str(visit.files() / f"{ARCHIVE}-{folder.name}"), "zip", folder, ADAPTER)


def continued(record: JobRecord, minutes: float | None, updates: float | None) -> FinetuneOrder:
    """The order of a job that goes on: its own while its budget lasts, else with what is set now on top.

    Raises:
        UserError: it left nothing to go on from, another version made it, or there is no budget.
    """
    if not record.resumable:
        raise UserError("This job was stopped before its first update; start it again.")
    order, result = record.order(), record.result
    if result is None or result["stopped"] == "cancelled":
        return order
    if updates:
        return replace(order, minutes=None, updates=int(result["updates"]) + int(updates))
    if not minutes:
        raise UserError("This job has used up its budget; set the minutes that it should go on for.")
    return replace(order, minutes=result["seconds"] / 60 + float(minutes), updates=None)


def _pairs(record: JobRecord) -> str:
    """Held-out pictures before and after, as the job left them."""
    asked = [PictureRequest(t["prompt"], Affect(t["valence"], t["arousal"]), 0) for t in record.tasks.get("audit", ())]
    return pairs(asked, _samples(record.folder / "samples" / "base"), _samples(record.folder / "samples" / "best"))


def _samples(folder: Path) -> list[Image.Image]:
    found = []
    for file in sorted(folder.glob("*.png")):
        with Image.open(file) as image:
            found.append(image.convert("RGB"))
    return found
