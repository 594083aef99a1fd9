"""One update of reward fine-tuning: draw groups, score them, weigh them within their group, learn.

The collector knows the objective, `Processes` which of several processes this is.
"""

import logging
import math
import time
from collections.abc import Mapping, Sequence

import torch
from PIL import Image
from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.finetuning.advantages import GroupAdvantages, group_advantages, spread_within
from emofeedback.finetuning.experience import Experience, renoise
from emofeedback.finetuning.job_settings import FinetuneSettings, Tasks, derive
from emofeedback.finetuning.metrics_log import Entry
from emofeedback.finetuning.objectives.collector import collector_for
from emofeedback.finetuning.objectives.visual_dpo import pair_up
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Check, Conditions, draw_rollout
from emofeedback.finetuning.rewards import DifferentiableReward, Reward
from emofeedback.flow.pixels import to_images
from emofeedback.flow.schedule import interpolate
from emofeedback.machine.processes import Processes
from emofeedback.records import Picture, PictureRequest

logger = logging.getLogger(__name__)
DRIFT_ROWS = 8


class PolicyUpdater:
    """The policy, its optimizer and what scores it.

    Args:
        rewards: by name; those of weight 0 are not asked.
        differentiable: for objectives that need the reward's gradient.

    Raises:
        UserError: rewards and weights differ, the objective needs what is not there, or groups would be split
            between processes.
    """

    def __init__(
        self,
        policy: LoraPolicy,
        rewards: Mapping[str, Reward],
        settings: FinetuneSettings,
        tasks: Tasks,
        differentiable: DifferentiableReward | None,
        processes: Processes,
    ) -> None:
        if set(rewards) != set(settings.weights):
            raise UserError(f"Give one weight to each reward: {sorted(rewards)}, not {sorted(settings.weights)}.")
        if settings.prompts % processes.count:
            raise UserError(
                f"{settings.prompts} prompts an update cannot be shared out among {processes.count} processes without "
                f"splitting a group; choose a multiple of {processes.count}."
            )
        self.policy, self.settings, self.tasks, self.processes = policy, settings, tasks, processes
        self.rewards = {name: reward for name, reward in rewards.items() if settings.weights[name] > 0}
        self.collector = collector_for(policy, settings, differentiable)
        self.optimizer = torch.optim.AdamW(
            policy.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
        )

    def requests(self, number: int) -> list[PictureRequest]:
        """What update `number` draws, in all processes together; a group shares its plan: noise alone differs."""
        settings = self.settings
        requests = [
            PictureRequest(
                task.prompt,
                task.affect,
                derive(settings.seed, "picture", number, i, j),
                steps=settings.rollout[0],
                guidance=settings.guidance,
                plan_seed=derive(settings.seed, "plan", number, i),
            )
            for i, task in enumerate(self.tasks.draw(number, settings.prompts))
            for j in range(settings.group)
        ]
        return pair_up(requests, settings.group, settings.seed) if settings.visual else requests

    def update(self, number: int, check: Check | None = None) -> Entry:
        """Update `number`: one rollout and the optimiser steps on it; what it measured, the same in every process.

        `check` may stop it between two forward passes, and while a judge scores between two parts of the pictures; not
        where there are several processes.
        """
        begin, settings = time.monotonic(), self.settings
        seed = derive(settings.seed, "update", number)
        self.policy.remember()
        requests = self.requests(number)
        first, *_, last = self.processes.part(range(len(requests)))
        requests = requests[first : last + 1]
        conditions = self.policy.conditions(requests)
        sampling = self.collector.sampling(seed)
        rollout = draw_rollout(self.policy, conditions, [r.seed for r in requests], sampling, check)
        drawn = time.monotonic()
        scores = self.score(self.pictures(rollout.clean, conditions, requests), rollout.clean, check)
        advantages = group_advantages(scores, {name: settings.weights[name] for name in scores})
        device = rollout.clean.device
        targets = torch.tensor([[r.affect.valence, r.affect.arousal] for r in requests if r.affect], device=device)
        values, usable = advantages.values.to(device), advantages.usable.to(device)
        experience = Experience(
            sampling,
            rollout,
            conditions,
            targets,
            values,
            usable,
            seed,
            first,
            tuple(request.prompt for request in requests),
        )
        scored = time.monotonic()
        steps = [step for turn in range(settings.turns) if (step := self._step(experience, turn, check))]
        learned = time.monotonic()
        return self.processes.share(
            {
                **self._figures(scores, advantages),
                "diversity": self._diversity(rollout.clean),
                "drift": self._drift(experience),
                "loss": sum(s[0] for s in steps) / len(steps) if steps else None,
                "gradient": sum(s[1] for s in steps) / len(steps) if steps else None,
                "seconds_drawing": round(drawn - begin, 3),
                "seconds_scoring": round(scored - drawn, 3),
                "seconds_learning": round(learned - scored, 3),
            }
        )

    @torch.no_grad()
    def pictures(self, clean: Tensor, conditions: Conditions, requests: list[PictureRequest]) -> list[Picture]:
        """Clean latents [N, C, h, w] that were drawn under conditions [N] as pictures."""
        images: list[Image.Image] = []
        for first in range(0, len(clean), self.policy.chunk):
            part = slice(first, first + self.policy.chunk)
            images += to_images(self.policy.decode(clean[part], conditions.rows(part)))
        name = self.policy.generator.name
        return [Picture(image, request, name, 0.0) for image, request in zip(images, requests, strict=True)]

    def score(self, pictures: list[Picture], clean: Tensor, check: Check | None = None) -> dict[str, Tensor]:
        """Scores [P, G] by name, NaN where missing; `check` is called before each part that a reward scores.

        A part is as many forward passes of the policy as a group needs: a judge on a server may take long over it, and
        one that answers nothing at all about it is given up.
        """
        found: dict[str, list[float]] = {name: [] for name in self.rewards}
        size = self.policy.chunk * math.ceil(self.settings.group / self.policy.chunk)
        for start in range(0, len(pictures), size):
            part = slice(start, start + size)
            for name, reward in self.rewards.items():
                if check is not None:
                    check()
                found[name] += [math.nan if s is None else s for s in reward.score(pictures[part], clean[part])]
        return {name: torch.tensor(scores).view(-1, self.settings.group) for name, scores in found.items()}

    def _step(self, experience: Experience, turn: int, check: Check | None) -> tuple[float, float] | None:
        """One optimiser step; its loss and gradient norm, None where there was nothing to learn."""
        items = self.collector.items(experience)
        count = self.processes.total(len(items))
        parameters, total = self.policy.parameters(), 0.0
        sums = [torch.zeros_like(p, dtype=_widest(p.device)) for p in parameters]
        for part in items.split(self.settings.micro_batch) if len(items) else ():
            if check is not None:
                check()
            loss = self.collector.losses(experience, part, turn).sum() / count
            loss.backward()
            total += float(loss.detach())
            for parameter, value in zip(parameters, sums, strict=True):
                if parameter.grad is not None:
                    value += parameter.grad
                    parameter.grad = None
        if count:
            self._sum_gradients(parameters, sums)
        norm = float(torch.nn.utils.clip_grad_norm_(parameters, self.settings.gradient_clip))
        learned = count > 0 and math.isfinite(norm)
        if learned:
            self.optimizer.step()
        elif count:
            logger.warning("A step whose gradient was not finite is left out.")
        self.optimizer.zero_grad(set_to_none=True)
        return (self.processes.total(total), norm) if learned else None

    def _sum_gradients(self, parameters: Sequence[nn.Parameter], sums: Sequence[Tensor]) -> None:
        """Put everybody's `sums` of gradients, one for each parameter, together in place of the gradients."""
        flat = self.processes.sum(torch.cat([value.flatten() for value in sums]))
        for parameter, value in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = value.view_as(parameter).to(parameter.dtype)

    def _all(self, mine: Tensor) -> Tensor:
        """Rows [n, ...] of every process, one below the other in their order, on the CPU."""
        return torch.cat(self.processes.gather([mine.cpu()]))

    def _figures(self, scores: Mapping[str, Tensor], advantages: GroupAdvantages) -> Entry:
        known = {name: self._all(values) for name, values in scores.items()}
        means = {name: float(values.nanmean()) for name, values in known.items()}
        read = {name: mean for name, mean in means.items() if math.isfinite(mean)}
        total = sum(self.settings.weights[name] * mean for name, mean in read.items()) if read else None
        usable = self._all(advantages.usable.float())
        return {
            "reward": total,
            **{f"reward_{name}": read.get(name) for name in means},
            **{f"spread_{name}": spread_within(values) for name, values in known.items()},
            "missing": 1.0 - float(usable.mean()),
            "zero_variance": self.processes.total(advantages.zero_variance_share) / self.processes.count,
        }

    def _diversity(self, clean: Tensor) -> float:
        """Mean standard deviation of the latents within a group."""
        spread = clean.view(-1, self.settings.group, *clean.shape[1:]).std(1).flatten(1).mean(1)
        return float(self._all(spread).mean())

    @torch.no_grad()
    def _drift(self, experience: Experience) -> float:
        """Squared distance of the velocities of policy and base, relative to the base's, on a few pictures."""
        rows = torch.arange(min(DRIFT_ROWS, len(experience.rollout.clean)))
        noise, times = renoise(experience, rows, 0, 1)
        conditions = experience.conditions.rows(rows)
        noisy = interpolate(experience.rollout.clean[rows], noise, times)
        base = self.policy.velocity(noisy, times, conditions, "base")
        ours = self.policy.velocity(noisy, times, conditions)
        return float((ours - base).square().mean() / base.square().mean().clamp(min=1e-12))


def _widest(device: torch.device) -> torch.dtype:
    """Micro-batches and processes are summed in float64: so the order and the partition do not show in the step,
    where Adam divides gradients near zero by themselves and float32's rounding noise with them."""
    return torch.float32 if device.type == "mps" else torch.float64
