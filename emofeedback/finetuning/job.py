"""A whole fine-tuning job behind a few calls: estimate, run, go on, look at its pictures, export what it learned."""

import math
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.files.unfinished import sweep_unfinished
from emofeedback.finetuning.adapter_export import export_adapter
from emofeedback.finetuning.job_settings import FinetuneSettings, Task, settings_of
from emofeedback.finetuning.job_store import ADAPTER, RUNNING, STATE, read_record, write_record
from emofeedback.finetuning.metrics_log import Entry
from emofeedback.finetuning.order import Estimate, FinetuneOrder
from emofeedback.finetuning.reward_judge import objective_for
from emofeedback.finetuning.trainer import Finetuner, FinetuneResult, refuse_unread
from emofeedback.machine.folder_lock import alone_in
from emofeedback.records import PictureRequest

MOST = 10**6  # updates of a job
MEASURED = 2  # updates of a dry run, after one that warms up


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended, and the folder of its adapter."""

    result: FinetuneResult
    adapter: Path


def settings_for(order: FinetuneOrder, judge: Reader) -> FinetuneSettings:
    """The order as settings of a job that this judge rewards.

    Raises:
        UserError: a value is out of range, two contradict each other, or the objective needs another judge.
    """
    return settings_of(order, objective_for(judge, order.objective))


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
        """A few updates and one audit, measured; the job is of no use afterwards.

        The first update also reads what later ones find in memory, and counts only where there is no other.

        Raises:
            Cancelled: `stop()` was true between two forward passes.
            UserError: the judge could not read a single picture.
        """

        def check() -> None:
            if stop():
                raise Cancelled("The dry run was stopped.")

        trainer, settings = self.trainer, self.trainer.settings
        seconds: list[float] = []
        while len(seconds) < min(1 + MEASURED, settings.updates or math.inf):
            entry = trainer.update(check)
            refuse_unread(entry)
            seconds.append(float(entry["seconds"]))
        warm = seconds[1:] or seconds
        update = sum(warm) / len(warm)
        begin = time.monotonic()
        trainer.auditor.grade(trainer.auditor.draw(trainer.policy.generator, lambda done, total: check()), check)
        audit = time.monotonic() - begin
        updates, total = planned(update, audit, settings)
        pictures = updates * settings.prompts * settings.group
        return Estimate(update, audit, updates, pictures, total / 60, self._memory())

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
        """Go on from the state in the job's folder, with the pictures that its audits have drawn so far.

        A job that ended before its first state begins anew, as its record says.

        Raises:
            UserError: there is neither, or it is of another job.
        """
        record = read_record(self.trainer.out)
        if record is not None and (drawn := record.tasks.get("audit")):
            tasks = [Task(one["prompt"], Affect(one["valence"], one["arousal"])) for one in drawn]
            self.trainer.auditor.ask(tasks)  # other pictures could not be compared with those of the base
        if record is None or not record.begins_anew:
            self.trainer.load()
        elif self.trainer.processes.main:
            self.trainer.log.path.unlink(missing_ok=True)

    def run(
        self, stop: Callable[[], bool], on_event: Callable[[Entry], None], order: FinetuneOrder | None = None
    ) -> Ending:
        """Train until the budget, the guard or `stop()` ends it, then export the best adapter.

        The job's record says "running" meanwhile, and then how it ended; it keeps what was ordered first.

        Raises:
            UserError: another job works in the folder, the disk is full, or the models fail. What was learned until
                then is in the folder.
        """
        with alone_in(self.trainer.out) if self.trainer.processes.main else nullcontext():
            return self._run(stop, on_event, order)

    def _run(self, stop: Callable[[], bool], on_event: Callable[[Entry], None], order: FinetuneOrder | None) -> Ending:
        trainer = self.trainer
        folder = trainer.out / ADAPTER
        if trainer.processes.main:
            for inside in (trainer.out, trainer.out / STATE.parent):
                sweep_unfinished(inside)
        self._record(RUNNING, order)
        try:
            result = trainer.run(stop, on_event)
            if trainer.processes.main:
                after = trainer.samples("best") if result.best is not None else []
                before = trainer.samples("base") if after else []
                export_adapter(trainer.policy, trainer.settings, trainer.tasks, result, folder, before, after)
        except BaseException:
            with suppress(UserError):  # the disk may be full
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


def planned(update: float, audit: float, settings: FinetuneSettings) -> tuple[int, float]:
    """How many updates a whole job makes and its seconds, by the trainer's own rule.

    It audits before the first update, after every `audit_every` and at the end, and begins no update that would not
    leave time for the last audit.

    Args:
        update, audit: seconds of one.
    """
    every = settings.audit_every

    def goes_on(done: int) -> bool:
        if settings.updates is not None:
            return done < settings.updates
        ahead = update / 2 + audit
        return done * update + audit * (1 + done // every) + ahead < 60 * (settings.minutes or 0.0)

    low, high = 0, 1  # the job goes on after `low` updates
    while goes_on(high) and high < MOST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if goes_on(middle) else (low, middle)
    return high, high * update + audit * (1 + math.ceil(high / every))
