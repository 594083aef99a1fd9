"""How fast an objective draws, updates and learns: a short job without audits, its reward probed before and after."""

import math
import time
from collections.abc import Callable

import torch

from emofeedback.evaluation.metrics import bootstrap, paired_bootstrap
from emofeedback.evaluation.report import Measure
from emofeedback.finetuning.policy.rollout import Sampling, draw_rollout
from emofeedback.finetuning.trainer import Finetuner

PROBE = 10**6  # the number of an update that no job reaches: its tasks and seeds are the probe's


def measure_learning(trainer: Finetuner, progress: Callable[[int], None] | None = None) -> list[Measure]:
    """Train until the budget of `trainer` is used; pictures per second, seconds per update, reward gained per minute.

    The reward is that of fixed tasks and seeds, drawn without noise in the steps before the first update and after
    the last; its interval resamples their pictures, not jobs. Probes do not count as time. The first update is left
    out of the speed where there are more.
    """
    settings = trainer.settings
    before = probe(trainer)
    seconds: list[float] = []
    while not seconds or _left(trainer, seconds):
        begin = time.perf_counter()
        trainer.update()
        seconds.append(time.perf_counter() - begin)
        if progress is not None:
            progress(len(seconds))
    after = probe(trainer)
    name, minutes = settings.objective, sum(seconds) / 60
    warm = seconds[1:] or seconds
    pictures = settings.prompts * settings.group
    rows = [
        Measure(f"{name}: pictures per second", pictures * len(warm) / sum(warm), "1/s", len(warm)),
        Measure.of(f"{name}: time of an update", bootstrap(warm, seed=settings.seed), "s"),
        Measure(f"{name}: updates", float(len(seconds)), "updates", 1),
    ]
    known = before.isfinite() & after.isfinite()
    if bool(known.any()):
        gain = paired_bootstrap(after[known].tolist(), before[known].tolist(), seed=settings.seed)
        span = (gain.low / minutes, gain.high / minutes)
        rows.append(Measure(f"{name}: reward gained", gain.value / minutes, "per minute", gain.n, span))
    device = trainer.policy.generator.device
    if device.type == "cuda":
        rows.append(Measure(f"{name}: peak memory", torch.cuda.max_memory_allocated(device) / 2**30, "GB", 1))
    return rows


def probe(trainer: Finetuner) -> torch.Tensor:
    """Weighted rewards [N] of the probe's pictures under the present weights; nan where one is missing."""
    updater, settings = trainer.updater, trainer.settings
    requests = updater.requests(PROBE)
    conditions = trainer.policy.conditions(requests)
    rollout = draw_rollout(trainer.policy, conditions, [r.seed for r in requests], Sampling(*settings.rollout))
    scores = updater.score(updater.pictures(rollout.clean, conditions, requests), rollout.clean)
    return torch.stack([settings.weights[name] * values.flatten() for name, values in scores.items()]).sum(0)


def _left(trainer: Finetuner, seconds: list[float]) -> bool:
    if trainer.settings.updates is not None:
        return len(seconds) < trainer.settings.updates
    return sum(seconds) + seconds[-1] / 2 < 60 * (trainer.settings.minutes or math.inf)
