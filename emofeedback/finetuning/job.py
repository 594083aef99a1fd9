"""A whole fine-tuning job behind a few calls: estimate, run, go on, look at its pictures, export what it learned."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image

from emofeedback.errors import Cancelled
from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.finetuning.adapter_export import export_adapter
from emofeedback.finetuning.job_settings import FinetuneSettings, Targets, Tasks, scene_prompts
from emofeedback.finetuning.job_store import ADAPTER, RUNNING, write_record
from emofeedback.finetuning.metrics_log import Entry
from emofeedback.finetuning.order import Estimate, FinetuneOrder
from emofeedback.finetuning.reward_judge import objective_for
from emofeedback.finetuning.trainer import Finetuner, FinetuneResult, refuse_unread
from emofeedback.records import PictureRequest

PROMPTS, HELD_OUT = 64, 16  # of the bundled world, where the order names none


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended, and the folder of its adapter."""

    result: FinetuneResult
    adapter: Path


def job_settings(order: FinetuneOrder, judge: Reader) -> FinetuneSettings:
    """The order as settings of a job that this judge rewards.

    Raises:
        UserError: a value is out of range, two contradict each other, or the objective needs another judge.
    """
    return FinetuneSettings(
        objective=objective_for(judge, order.objective),
        minutes=order.minutes,
        updates=order.updates,
        group=order.group,
        steps=order.steps,
        learning_rate=order.learning_rate,
        seed=order.seed,
        start=order.start,
    )


def job_tasks(order: FinetuneOrder) -> Tasks:
    """The order's prompts and targets.

    Raises:
        UserError: a prompt is both trained on and held out, or the target is contradictory.
    """
    prompts = order.prompts or tuple(scene_prompts(PROMPTS, order.seed, "train"))
    world = (p for p in scene_prompts(HELD_OUT, order.seed, "held-out") if p not in prompts)
    return Tasks(prompts, order.held_out or tuple(world), Targets(order.region, order.point), order.seed)


class FinetuneJob:
    """One trainer and what is done with it; its folder is `trainer.out`."""

    def __init__(self, trainer: Finetuner) -> None:
        self.trainer = trainer

    def held_out(self) -> list[PictureRequest]:
        """What the audit draws, in the order of `samples`."""
        return list(self.trainer.auditor.requests)

    def samples(self, name: str) -> list[Image.Image]:
        """The held-out pictures of the "base" or of the "best" audit so far."""
        return self.trainer.samples(name)

    def estimate(self, stop: Callable[[], bool] = lambda: False) -> Estimate:
        """One update and one audit, measured; the job is of no use afterwards.

        Raises:
            Cancelled: `stop()` was true between two forward passes.
            UserError: the judge could not read a single picture.
        """

        def check() -> None:
            if stop():
                raise Cancelled("The dry run was stopped.")

        trainer, settings = self.trainer, self.trainer.settings
        entry = trainer.update(check)
        refuse_unread(entry)
        update = float(entry["seconds"])
        begin = time.monotonic()
        trainer.auditor.grade(trainer.auditor.draw(trainer.policy.generator, lambda done, total: check()), check)
        audit = time.monotonic() - begin
        each = max(update + audit / settings.audit_every, 1e-6)  # seconds of an update with its share of the audits
        updates = settings.updates or max(1, int((60 * (settings.minutes or 0) - audit) / each))
        pictures = updates * settings.prompts * settings.group
        return Estimate(update, audit, updates, pictures, (audit + updates * each) / 60, self._memory())

    def _memory(self) -> float | None:
        """Peak memory in MiB of the device that the job runs on."""
        device = self.trainer.policy.generator.device
        if device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(device)) / 2**20
        try:
            import resource  # not on every system
        except ImportError:
            return None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)

    def resume(self) -> None:
        """Go on from the state in the job's folder.

        Raises:
            UserError: there is none, or it is of another job.
        """
        self.trainer.load()

    def run(
        self, stop: Callable[[], bool], on_event: Callable[[Entry], None], order: FinetuneOrder | None = None
    ) -> Ending:
        """Train until the budget, the guard or `stop()` ends it, then export the best adapter.

        The job's record says "running" meanwhile, and then how it ended; it keeps `order` for a later resume.
        """
        trainer = self.trainer
        folder = trainer.out / ADAPTER
        self._record(RUNNING, order)
        try:
            result = trainer.run(stop, on_event)
            if trainer.processes.main:
                after = trainer.samples("best") if result.best is not None else []
                before = trainer.samples("base") if after else []
                export_adapter(trainer.policy, trainer.settings, trainer.tasks, result, folder, before, after)
        except BaseException:
            self._record("failed", order)
            raise
        self._record(result.stopped, order, result)
        return Ending(result, folder)

    def _record(self, status: str, order: FinetuneOrder | None, result: FinetuneResult | None = None) -> None:
        trainer = self.trainer
        if trainer.processes.main:
            audited = [{"prompt": r.prompt, **asdict(r.affect)} for r in trainer.auditor.requests if r.affect]
            tasks = {**trainer.tasks.as_json(), "audit": audited}
            ended = None if result is None else asdict(result)
            write_record(trainer.out, status, trainer.settings.as_json(), tasks, order, ended)
