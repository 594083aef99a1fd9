"""What one update of fine-tuning has drawn and scored, and how its pictures are noised again to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from emofeedback.finetuning.job_settings import derive
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Conditions, Rollout, Sampling

LATEST, EARLIEST = 0.98, 0.02  # training times lie between: at the very ends there is nothing to learn


@dataclass(frozen=True)
class Experience:
    """One update's pictures, or one process's share of them: P groups of G in order, N = P G.

    Attributes:
        conditions: of N pictures; a collector reads them by row, so samples of one group may differ in theirs.
        targets: [N, 2] valence and arousal.
        advantages: [P, G], 0 where not usable.
        usable: [P, G] bool.
        seed: of this update's noise.
        first: the number of the first picture within the whole update; noise goes by it, not by the process.
        prompts: of the N pictures.
    """

    sampling: Sampling
    rollout: Rollout
    conditions: Conditions
    targets: Tensor
    advantages: Tensor
    usable: Tensor
    seed: int
    first: int = 0
    prompts: tuple[str, ...] = ()


def extremes(experience: Experience, learned: int) -> Tensor:
    """[P, G] bool: usable pictures in groups that carry a signal; of each group the `learned` extreme ones.

    The best and the worst of a group carry most of the gradient; leaving out the middle makes an optimiser step
    cheaper by that much.
    """
    advantages, size = experience.advantages, experience.advantages.shape[1]
    chosen = experience.usable & (advantages != 0).any(1, keepdim=True)
    if learned < size:
        place = advantages.masked_fill(~experience.usable, torch.inf).argsort(dim=1, stable=True).argsort(dim=1)
        count = experience.usable.sum(1, keepdim=True)
        chosen = chosen & ((place < learned // 2) | (place >= count - (learned - learned // 2)))
    return chosen


def asked_levels(policy: LoraPolicy, steps: int) -> list[float] | None:
    """The noise levels at which a few-step student is asked; None = any, of other policies."""
    return policy.levels(steps)[:-1] if policy.student else None


def renoise(
    experience: Experience, rows: Tensor, turn: int, turns: int, levels: Sequence[float] | None = None
) -> tuple[Tensor, Tensor]:
    """Noise [B, C, h, w] and times [B] of some pictures in an optimiser step.

    Both follow from the picture's number, whichever process holds it. Over all turns a picture sees every stratum of
    time once.

    Args:
        levels: the only times that count, those at which a few-step student is asked; None = any.
    """
    clean = experience.rollout.clean
    noise, times = [], []
    for row in rows.tolist():
        number = experience.first + row
        strata = torch.Generator().manual_seed(derive(experience.seed, "strata", number))
        stratum = int(torch.rand(turns, generator=strata).argsort()[turn])
        source = torch.Generator().manual_seed(derive(experience.seed, "noise", turn, number))
        noise.append(torch.randn(clean.shape[1:], generator=source))
        times.append((stratum + float(torch.rand((), generator=source))) / turns)
    if levels is not None:
        return torch.stack(noise).to(clean), torch.tensor([levels[int(t * len(levels))] for t in times]).to(clean)
    return torch.stack(noise).to(clean), (EARLIEST + (LATEST - EARLIEST) * torch.tensor(times)).to(clean)
