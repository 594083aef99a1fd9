"""Reward fine-tuning: draw groups, score them, weigh them within their group, learn, audit, keep the best.

Left out, and why: an average of the weights (the audit picks the checkpoint), a learning-rate schedule (a job on
minutes does not know its last step, and a resumed one must repeat it), replay of old rollouts (short jobs move far),
overlap of scoring and drawing (the judge takes a fraction of a rollout's time), more than one process, and a
value network (the group is the baseline). Which objective is learned is the collector's business.
"""

import io
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from emofeedback.errors import Cancelled, UserError
from emofeedback.flow.schedule import interpolate
from emofeedback.pixels import sheet, to_images
from emofeedback.records import Picture, PictureRequest
from emofeedback.storage import image_bytes, write_whole
from emofeedback.training.advantages import GroupAdvantages, group_advantages
from emofeedback.training.audit import Audit, Auditor, Guard
from emofeedback.training.budget import Budget
from emofeedback.training.checkpoint import load_state, save_state
from emofeedback.training.collectors import Experience, collector, renoise
from emofeedback.training.finetune_settings import FinetuneSettings, Tasks, derive
from emofeedback.training.metrics_log import Entry, MetricsLog
from emofeedback.training.policy import Check, ScenePolicy
from emofeedback.training.rewards import DifferentiableReward, Reward

logger = logging.getLogger(__name__)
STATE = Path("training") / "state.safetensors"
DRIFT_ROWS = 8


@dataclass(frozen=True, slots=True)
class FinetuneResult:
    """How a job ended. `best_update` 0 is the base itself: nothing that was audited beat it.

    stopped: "budget", "cancelled", or "hacked" (the reward rose and the audit did not).
    """

    stopped: str
    updates: int
    pictures: int
    seconds: float
    best_update: int
    base: Audit | None
    best: Audit | None


class Finetuner:
    """One job; everything that a resumed one needs lies in `out`, in one file replaced whole after each update.

    Args:
        policy: fresh, on the frozen base.
        rewards: by name; the names are those of `settings.weights`.
        auditor: its rater is not among the rewards.
        out: the job's folder.
        differentiable: for objectives that need the reward's gradient.

    Raises:
        UserError: rewards and weights differ, or the objective needs what is not there.
    """

    def __init__(
        self, policy: ScenePolicy, rewards: Mapping[str, Reward], settings: FinetuneSettings, tasks: Tasks,
        auditor: Auditor, out: Path, differentiable: DifferentiableReward | None = None,
    ) -> None:  # fmt: skip
        if set(rewards) != set(settings.weights):
            raise UserError(f"Give one weight to each reward: {sorted(rewards)}, not {sorted(settings.weights)}.")
        self.policy, self.settings, self.tasks, self.auditor, self.out = policy, settings, tasks, auditor, out
        self.log = MetricsLog(out)
        self.rewards = {name: reward for name, reward in rewards.items() if settings.weights[name] > 0}
        self.collector = collector(policy, settings, differentiable)
        self.optimizer = torch.optim.AdamW(
            policy.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
        )
        self.budget = Budget(settings.minutes or math.inf)
        self.guard = Guard(settings.audit_patience)
        self.done, self.pictures, self.audited = 0, 0, -1
        self.since_audit: list[float] = []  # rewards of the updates since the last audit
        self.base: Audit | None = None
        self.best: tuple[int, Audit, dict[str, Tensor]] | None = None
        self._complete = policy.state()
        self._last_seconds = 0.0

    def run(
        self, stop: Callable[[], bool] = lambda: False, on_event: Callable[[Entry], None] | None = None
    ) -> FinetuneResult:
        """Train until the budget is used up, the guard intervenes or `stop()` is true; the policy is then the best.

        `stop` is asked between forward passes; an update that it interrupts is dropped. `on_event` gets each line of
        metrics.jsonl.
        """

        def check() -> None:
            if stop():
                raise Cancelled("Fine-tuning was stopped; the best adapter so far is kept.")

        stopped = "budget"
        try:
            while True:
                if self.done % self.settings.audit_every == 0 and self.audited != self.done:
                    self._audit(check, on_event)
                    if self.guard.hacked():
                        stopped = "hacked"
                        break
                check()
                if not self._within_budget():
                    break
                self._tell(self.update(check), on_event)
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
        return self.done == 0 or self.budget.elapsed() + self._last_seconds / 2 < self.budget.seconds

    def update(self, check: Check | None = None) -> Entry:
        """One rollout and the optimiser steps on it; what it measured."""
        begin, settings, number = time.monotonic(), self.settings, self.done
        seed = derive(settings.seed, "update", number)
        self.policy.remember()
        requests = self._requests(number)
        conditions = self.policy.conditions(requests)
        sampling = self.collector.sampling(seed)
        rollout = self.policy.rollout(conditions, [r.seed for r in requests], sampling, check)
        scores = self._score(self._pictures(rollout.clean, requests))
        advantages = group_advantages(scores, {name: settings.weights[name] for name in scores})
        device = rollout.clean.device
        targets = torch.tensor([[r.affect.valence, r.affect.arousal] for r in requests if r.affect], device=device)
        values, usable = advantages.values.to(device), advantages.usable.to(device)
        experience = Experience(sampling, rollout, conditions, targets, values, usable, seed)
        steps = [step for turn in range(settings.turns) if (step := self._step(experience, turn, check))]
        figures = self._figures(scores, advantages)
        if figures["reward"] is not None:
            self.since_audit.append(figures["reward"])
        self.done += 1
        self.pictures += len(requests)
        self._complete = self.policy.state()
        self._last_seconds = time.monotonic() - begin
        return {
            "kind": "update", "update": self.done, "seconds": round(self._last_seconds, 3),
            "elapsed": round(self.budget.elapsed(), 3), "pictures": self.pictures,
            **figures, "diversity": self._diversity(rollout.clean),
            "drift": self._drift(experience), "loss": sum(s[0] for s in steps) / len(steps) if steps else None,
            "gradient": sum(s[1] for s in steps) / len(steps) if steps else None,
        }  # fmt: skip

    def _requests(self, number: int) -> list[PictureRequest]:
        settings = self.settings
        return [
            PictureRequest(
                task.prompt, task.affect, derive(settings.seed, "picture", number, i, j),
                steps=settings.steps, guidance=settings.guidance,
            )
            for i, task in enumerate(self.tasks.draw(number, settings.prompts))
            for j in range(settings.group)
        ]  # fmt: skip

    @torch.no_grad()
    def _pictures(self, clean: Tensor, requests: list[PictureRequest]) -> list[Picture]:
        images = [i for part in clean.split(self.policy.chunk) for i in to_images(self.policy.decode(part))]
        name = self.policy.generator.name
        return [Picture(image, request, name, 0.0) for image, request in zip(images, requests, strict=True)]

    def _score(self, pictures: list[Picture]) -> dict[str, Tensor]:
        """Scores [P, G] by name, NaN where missing."""
        found = {}
        for name, reward in self.rewards.items():
            scores = [math.nan if s is None else s for s in reward.score(pictures)]
            found[name] = torch.tensor(scores).view(self.settings.prompts, self.settings.group)
        return found

    def _step(self, experience: Experience, turn: int, check: Check | None) -> tuple[float, float] | None:
        """One optimiser step; its loss and gradient norm, None where there was nothing to learn."""
        items = self.collector.items(experience)
        total = 0.0
        for part in items.split(self.settings.micro_batch) if len(items) else ():
            if check is not None:
                check()
            loss = self.collector.losses(experience, part, turn).sum() / len(items)
            loss.backward()
            total += float(loss.detach())
        norm = float(torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.settings.gradient_clip))
        learned = len(items) > 0 and math.isfinite(norm)
        if learned:
            self.optimizer.step()
        elif len(items):
            logger.warning("Update %d: a step whose gradient was not finite is left out.", self.done + 1)
        self.optimizer.zero_grad(set_to_none=True)
        return (total, norm) if learned else None

    def _figures(self, scores: Mapping[str, Tensor], advantages: GroupAdvantages) -> Entry:
        means = {name: float(values.nanmean()) for name, values in scores.items()}
        read = {name: mean for name, mean in means.items() if math.isfinite(mean)}
        total = sum(self.settings.weights[name] * mean for name, mean in read.items()) if read else None
        return {
            "reward": total, **{f"reward_{name}": read.get(name) for name in means},
            "missing": 1.0 - float(advantages.usable.float().mean()), "zero_variance": advantages.zero_variance_share,
        }  # fmt: skip

    def _diversity(self, clean: Tensor) -> float:
        """Mean standard deviation of the latents within a group."""
        return float(clean.view(self.settings.prompts, self.settings.group, -1).std(1).mean())

    @torch.no_grad()
    def _drift(self, experience: Experience) -> float:
        """Squared distance of the velocities of policy and base, relative to the base's, on a few pictures."""
        rows = slice(0, DRIFT_ROWS)
        noise, times = (x[rows] for x in renoise(experience, 0, 1))
        conditions = experience.conditions.rows(rows)
        noisy = interpolate(experience.rollout.clean[rows], noise, times)
        base = self.policy.velocity(noisy, times, conditions, "base")
        ours = self.policy.velocity(noisy, times, conditions)
        return float((ours - base).square().mean() / base.square().mean().clamp(min=1e-12))

    def _audit(self, check: Check, on_event: Callable[[Entry], None] | None) -> None:
        """Grade the held-out pictures, keep the weights if they are the best so far, write a before/after page."""
        pictures = self.auditor.draw(self.policy.generator, lambda done, total: check())
        audit = self.auditor.grade(pictures)
        if self.done == 0:
            self.base = audit
        elif not self.guard.history[0][0] > -math.inf and self.since_audit:
            self.guard.history[0] = (self.since_audit[0], self.guard.history[0][1])
        reward = sum(self.since_audit) / len(self.since_audit) if self.since_audit else -math.inf
        self.guard.observe(reward, audit.score)
        self.since_audit, self.audited = [], self.done
        if self.best is None or audit.score > self.best[1].score:
            self.best = (self.done, audit, self.policy.state())
            self._write_samples("best", pictures)
        if self.done == 0:
            self._write_samples("base", pictures)
        else:
            page = sheet([*self.samples("base"), *(p.image for p in pictures)], len(pictures))
            write_whole(self.out / "samples" / f"update-{self.done:05d}.png", image_bytes(page))
        self._tell({"kind": "audit", "update": self.done, **asdict(audit)}, on_event)
        self.save()

    def _write_samples(self, name: str, pictures: list[Picture]) -> None:
        folder = self.out / "samples" / name
        folder.mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate(pictures):
            write_whole(folder / f"{i:03d}.png", image_bytes(picture.image))

    def samples(self, name: str) -> list[Image.Image]:
        """The held-out pictures of the "base" or of the "best" audit, as far as they were drawn."""
        return [Image.open(io.BytesIO(f.read_bytes())) for f in sorted((self.out / "samples" / name).glob("*.png"))]

    def _tell(self, entry: Entry, on_event: Callable[[Entry], None] | None) -> None:
        self.log.write(entry)
        if on_event is not None:
            on_event(entry)

    def save(self) -> None:
        """Write everything that a resumed job needs, in one step."""
        best = None if self.best is None else [self.best[0], asdict(self.best[1]), self.best[2]]
        # -inf (no reward yet) is not JSON
        history = [[str(reward), score] for reward, score in self.guard.history]
        save_state(self.out / STATE, {
            "policy": self.policy.state(), "optimizer": self.optimizer.state_dict(), "done": self.done,
            "pictures": self.pictures, "audited": self.audited, "since_audit": self.since_audit, "history": history,
            "base": None if self.base is None else asdict(self.base), "best": best,
            "elapsed": self.budget.elapsed(), "identity": self._identity(),
        })  # fmt: skip

    def load(self) -> None:
        """Go on from the state in `out`; lines of metrics.jsonl that are younger than it go.

        Raises:
            UserError: there is none, it is damaged, or it is of a job with other settings or prompts.
        """
        state = _owned(load_state(self.out / STATE))
        if state["identity"] != self._identity():
            raise UserError(f"The job in {self.out} has other settings or prompts; give them again as they were.")
        self.policy.load_state(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done, self.pictures, self.audited = state["done"], state["pictures"], state["audited"]
        self.since_audit = state["since_audit"]
        self.guard = Guard(self.settings.audit_patience, state["history"])
        self.base = None if state["base"] is None else Audit(**state["base"])
        if state["best"] is not None:
            self.best = (state["best"][0], Audit(**state["best"][1]), state["best"][2])
        self.budget = Budget(self.settings.minutes or math.inf, state["elapsed"])
        self._complete = self.policy.state()
        self.log.cut(self.done, self.audited)

    def _identity(self) -> str:
        """What a resumed job must share; the budget may grow."""
        settings = {k: v for k, v in self.settings.as_json().items() if k not in ("minutes", "updates")}
        tasks = [self.tasks.prompts, self.tasks.held_out, asdict(self.tasks.targets)]
        return json.dumps([settings, tasks, self.policy.generator.name], sort_keys=True)


def _owned(value: Any) -> Any:
    """Tensors copied to memory of their own: those of a file may be aligned otherwise, which changes rounding."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _owned(v) for key, v in value.items()}
    return type(value)(_owned(v) for v in value) if isinstance(value, (list, tuple)) else value
