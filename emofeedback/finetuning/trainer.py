"""Reward fine-tuning: update, audit, keep the best, stop in time, go on after a kill.

Left out, and why: an average of the weights (the audit picks the checkpoint), a learning-rate schedule (a job on
minutes does not know its last step, and a resumed one must repeat it), replay of old rollouts (short jobs move far),
overlap of scoring and drawing (the bundled judge takes a tenth of an update, on the same cores), and a value network
(the group is the baseline).
"""

import io
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from emofeedback.errors import Cancelled, UserError
from emofeedback.files.storage import image_bytes, write_whole
from emofeedback.files.training_state import load_state, save_state
from emofeedback.files.unfinished import writing
from emofeedback.finetuning.audit import Audit, Auditor, Guard
from emofeedback.finetuning.job_settings import FinetuneSettings, Tasks
from emofeedback.finetuning.metrics_log import Entry, MetricsLog
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Check
from emofeedback.finetuning.rewards import DifferentiableReward, Reward
from emofeedback.finetuning.update import PolicyUpdater
from emofeedback.flow.pixels import sheet
from emofeedback.machine.processes import Processes
from emofeedback.records import Picture
from emofeedback.training.common.budget import Budget

STATE = Path("training") / "state.safetensors"


@dataclass(frozen=True, slots=True)
class FinetuneResult:
    """How a job ended. `best_update` 0 is where it began: nothing that was audited beat it.

    stopped: "budget", "cancelled", or "hacked" (the reward rose and the audit did not).
    """

    stopped: str
    updates: int
    pictures: int
    seconds: float
    best_update: int
    base: Audit | None
    best: Audit | None


@dataclass(frozen=True)
class Scoring:
    """Who scores the pictures of a job.

    Attributes:
        rewards: by name; the names are those of the settings' weights.
        auditor: its rater is not among the rewards.
        differentiable: for objectives that need the reward's gradient.
        keys: of the models behind generator, judge and rater, by name; a job resumes only with the same.
        earlier_keys: of the same models, as a version before saved them; a job resumes with these too.
    """

    rewards: Mapping[str, Reward]
    auditor: Auditor
    differentiable: DifferentiableReward | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    earlier_keys: Mapping[str, str] | None = None


class Finetuner:
    """One job; everything that a resumed one needs lies in `out`, in one file replaced whole after each update.

    Args:
        policy: fresh, on the frozen base.
        out: the job's folder.
        processes: those that train together; only the main one audits and writes.

    Raises:
        UserError: rewards and weights differ, the objective needs what is not there, or groups would be split.
    """

    def __init__(
        self,
        policy: LoraPolicy,
        scoring: Scoring,
        settings: FinetuneSettings,
        tasks: Tasks,
        out: Path,
        processes: Processes = Processes(),  # noqa: B008 (frozen)
    ) -> None:
        self.policy, self.settings, self.tasks, self.out = policy, settings, tasks, out
        self.auditor, self.keys, self.processes = scoring.auditor, dict(scoring.keys), processes
        self._earlier_keys = None if scoring.earlier_keys is None else dict(scoring.earlier_keys)
        self.updater = PolicyUpdater(policy, scoring.rewards, settings, tasks, scoring.differentiable, processes)
        self.rewards = self.updater.rewards
        self.log = MetricsLog(out)
        self.budget = Budget(settings.minutes or math.inf)
        self.guard = Guard(settings.audit_patience)
        self.done, self.pictures, self.audited = 0, 0, -1
        self.since_audit: list[float] = []  # rewards of the updates since the last audit
        self.base: Audit | None = None
        self.best: tuple[int, Audit, dict[str, Tensor]] | None = None
        self._complete = policy.state()
        self._update_seconds, self._audit_seconds = 0.0, 0.0

    def run(
        self, stop: Callable[[], bool] = lambda: False, on_event: Callable[[Entry], None] | None = None
    ) -> FinetuneResult:
        """Train until the budget is used up, the guard intervenes or `stop()` is true; the policy is then the best.

        `stop` is asked between forward passes; an update that it interrupts is dropped. Several processes agree on
        it between updates. `on_event` gets each line of metrics.jsonl, in the main process.

        Raises:
            UserError: the judge could not read a single picture of an update, the rater none of the first audit, or a
                server failed; what was learned until then is in the job's folder, and `load` goes on from it.
        """

        def agree() -> None:
            if self.processes.any(stop()):
                raise Cancelled("Fine-tuning was stopped; the best adapter so far is kept.")

        check = agree if self.processes.count == 1 else None

        stopped = "budget"
        try:
            while True:
                if self.done % self.settings.audit_every == 0 and self.audited != self.done:
                    self._audit(check, on_event)
                    if self.guard.hacked():
                        stopped = "hacked"
                        break
                agree()
                if not self.processes.share(self._within_budget()):
                    break
                entry = self.update(check)
                refuse_unread(entry)
                self._tell(entry, on_event)
                self.save()
            if self.audited != self.done:
                self._audit(check, on_event)
        except Cancelled:
            stopped = "cancelled"
        audited_later = self.best is not None and self.audited > 0
        self.policy.load_state(self.best[2] if self.best and audited_later else self._complete)
        update = self.best[0] if self.best and audited_later else self.done
        best = self.best[1] if self.best and (audited_later or self.done == 0) else None
        return FinetuneResult(stopped, self.done, self.pictures, self.budget.elapsed(), update, self.base, best)

    def _within_budget(self) -> bool:
        if self.settings.updates is not None:
            return self.done < self.settings.updates
        ahead = self._update_seconds / 2 + self._audit_seconds  # an audit comes after the last update
        return self.done == 0 or self.budget.elapsed() + ahead < self.budget.seconds

    def update(self, check: Check | None = None) -> Entry:
        """The next update; what it measured."""
        begin = time.monotonic()
        figures = self.updater.update(self.done, check)
        if figures["reward"] is not None:
            self.since_audit.append(figures["reward"])
        self.done += 1
        self.pictures += self.settings.prompts * self.settings.group
        self._complete = self.policy.state()
        self._update_seconds = time.monotonic() - begin
        return {
            "kind": "update",
            "update": self.done,
            "seconds": round(self._update_seconds, 3),
            "elapsed": round(self.budget.elapsed(), 3),
            "pictures": self.pictures,
            **figures,
        }

    def _audit(self, check: Check | None, on_event: Callable[[Entry], None] | None) -> None:
        """Grade the held-out pictures, keep the weights if they are the best so far, write a before/after page."""
        begin = time.monotonic()
        pictures: list[Picture] = []
        graded: dict[str, Any] = {}
        if self.processes.main:
            pictures = self.auditor.draw(self.policy.generator, None if check is None else lambda done, total: check())
            graded = asdict(self.auditor.grade(pictures, check))
        audit = Audit(**self.processes.share(graded))
        if self.done == 0 and audit.read == 0:
            raise UserError(
                f"The second rater {self.auditor.rater.name} could not read one of the {len(self.auditor.requests)} "
                "held-out pictures; name another rater with --rater or EMOFEEDBACK_RATER."
            )
        if self.done == 0:
            self.base = audit
        elif not self.guard.history[0][0] > -math.inf and self.since_audit:
            self.guard.history[0] = (self.since_audit[0], self.guard.history[0][1])
        reward = sum(self.since_audit) / len(self.since_audit) if self.since_audit else -math.inf
        self.guard.observe(reward, audit.score)
        self.since_audit, self.audited = [], self.done
        better = self.best is None or audit.score > self.best[1].score
        if better:
            self.best = (self.done, audit, self.policy.state())
        self._write_pages(pictures, better)
        self._audit_seconds = time.monotonic() - begin
        elapsed = round(self.budget.elapsed(), 3)
        self._tell({"kind": "audit", "update": self.done, "elapsed": elapsed, **asdict(audit)}, on_event)
        self.save()

    def _write_pages(self, pictures: list[Picture], better: bool) -> None:
        if not self.processes.main:
            return
        if better:
            self._write_samples("best", pictures)
        if self.done == 0:
            self._write_samples("base", pictures)
            return
        page = sheet([*self.samples("base"), *(p.image for p in pictures)], len(pictures))
        write_whole(self.out / "samples" / f"update-{self.done:05d}.png", image_bytes(page))

    def _write_samples(self, name: str, pictures: list[Picture]) -> None:
        folder = self.out / "samples" / name
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate(pictures):
            write_whole(folder / f"{i:03d}.png", image_bytes(picture.image))

    def samples(self, name: str) -> list[Image.Image]:
        """The held-out pictures of the "base" or of the "best" audit, as far as they were drawn."""
        return [Image.open(io.BytesIO(f.read_bytes())) for f in sorted((self.out / "samples" / name).glob("*.png"))]

    def _tell(self, entry: Entry, on_event: Callable[[Entry], None] | None) -> None:
        if not self.processes.main:
            return
        self.log.write(entry)
        if on_event is not None:
            elapsed = self.budget.elapsed()
            on_event(entry)
            # whoever listens may let others work meanwhile: that is not the job's time
            self.budget = Budget(self.settings.minutes or math.inf, elapsed)

    def save(self) -> None:
        """Write everything that a resumed job needs, in one step.

        Random numbers have no state to be kept: all are derived from the seed and the number of the update.
        """
        if not self.processes.main:
            return
        best = None if self.best is None else [self.best[0], asdict(self.best[1]), self.best[2]]
        # -inf (no reward yet) is not JSON
        history = [[str(reward), score] for reward, score in self.guard.history]
        save_state(
            self.out / STATE,
            {
                "policy": self.policy.state(),
                "optimizer": self.updater.optimizer.state_dict(),
                "done": self.done,
                "pictures": self.pictures,
                "audited": self.audited,
                "since_audit": self.since_audit,
                "history": history,
                "base": None if self.base is None else asdict(self.base),
                "best": best,
                "elapsed": self.budget.elapsed(),
                "identity": self._identity(self.keys),
            },
        )

    def load(self) -> None:
        """Go on from the state in `out`; lines of metrics.jsonl that are younger than it go.

        Raises:
            UserError: there is none, it is damaged, or it is of a job with other settings or prompts.
        """
        state = _owned(load_state(self.out / STATE))
        known = [self._identity(keys) for keys in (self.keys, self._earlier_keys) if keys is not None]
        if state["identity"] not in known:
            raise UserError(f"The job in {self.out} has other settings, prompts or models; give them as they were.")
        self.policy.load_state(state["policy"])
        self.updater.optimizer.load_state_dict(state["optimizer"])
        self.done, self.pictures, self.audited = state["done"], state["pictures"], state["audited"]
        self.since_audit = state["since_audit"]
        self.guard = Guard(self.settings.audit_patience, state["history"])
        self.base = None if state["base"] is None else Audit(**state["base"])
        if state["best"] is not None:
            self.best = (state["best"][0], Audit(**state["best"][1]), state["best"][2])
        self.budget = Budget(self.settings.minutes or math.inf, state["elapsed"])
        self._complete = self.policy.state()
        if self.processes.main:
            self.log.cut(self.done, self.audited)

    def _identity(self, keys: Mapping[str, str]) -> str:
        """What a resumed job must share; the budget may grow."""
        settings = {k: v for k, v in self.settings.as_json().items() if k not in ("minutes", "updates")}
        tasks = [self.tasks.prompts, self.tasks.held_out, asdict(self.tasks.targets)]
        return json.dumps([settings, tasks, self.policy.generator.name, self.policy.rank, keys], sort_keys=True)


def refuse_unread(entry: Entry) -> None:
    """Stop an update that had no readable picture: more of them would use up the budget and teach nothing.

    Raises:
        UserError: nothing was read and nothing learned.
    """
    if entry["missing"] == 1 and entry["loss"] is None:
        if entry.get("reward_affect") is not None and entry.get("reward_content", 0.0) is None:
            raise UserError(
                f"The judge said neither yes nor no to whether a picture of update {entry['update']} shows its prompt; "
                "choose another judge."
            )
        raise UserError(
            f"The judge could not read a single picture of update {entry['update']}; see with `estimate` what it makes "
            "of such pictures, or choose another judge."
        )


def _owned(value: Any) -> Any:
    """Tensors copied to memory of their own: those of a file may be aligned otherwise, which changes rounding."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _owned(v) for key, v in value.items()}
    return type(value)(_owned(v) for v in value) if isinstance(value, (list, tuple)) else value
