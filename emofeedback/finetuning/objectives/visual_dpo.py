"""DPO with a negative visual prompt: a picture is to follow its own emotion's visual prompt and not another's.

After Emotion-Director (arXiv 2512.19479). The pictures of a group share their words; one half of them is drawn with
the target emotion's visual prompt, the other with another emotion's. A picture x_0 that was drawn with c wins under c
and loses under the other half's c', with the same noise and time:

    L = -log sigmoid( -beta / 2 [(l(c) - l(c')) - (l_ref(c) - l_ref(c')) + KEEP max(0, l(c) - l_ref(c))] )
    l(c) = ||v_theta(x_t, t, words, c) - v*||^2

Words, picture and noise are the same on both sides, so that nothing but the visual prompt can tell them apart: what
is learned is how far the two prompts' pictures lie from each other. Both directions of a pair are learned. Without the
last term, learning as fast as minutes demand raises both errors and ruins the pictures.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.finetuning.experience import Experience, asked_levels, renoise
from emofeedback.finetuning.job_settings import FinetuneSettings, derive
from emofeedback.finetuning.objectives.dpo import dpo_loss
from emofeedback.finetuning.objectives.matching import squared_error
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Conditions, Sampling
from emofeedback.flow.schedule import interpolate, velocity
from emofeedback.records import PictureRequest, VisualPrompt

KEEP = 4.0
"""Weight of a winner's error above the base's."""
APART = 0.5
"""Distance in the plane at least, between the two emotions of a pair: nearer ones look alike."""


def emotion_near(affect: Affect) -> str:
    """Mikels' emotion that lies nearest to a point."""
    return min(MIKELS, key=lambda name: EMOTIONS[name].distance(affect))


def shown(request: PictureRequest, emotion: str) -> PictureRequest:
    """The request with an emotion's visual prompt, that emotion as its target and the emotion adapter off."""
    return replace(request, affect=EMOTIONS[emotion], strength=0.0, visual=VisualPrompt(emotion=emotion))


def pair_up(requests: Sequence[PictureRequest], group: int, seed: int) -> list[PictureRequest]:
    """The requests of groups, the first half of each with its target's visual prompt, the second with another's.

    Picture i of the second half starts from the noise of picture i of the first.

    Raises:
        UserError: a group cannot be halved.
    """
    if group % 2:
        raise UserError(f"A group of {group} pictures cannot be halved between two emotions; make it even.")
    paired: list[PictureRequest] = []
    for place in range(0, len(requests), group):
        mine = requests[place : place + group]
        first = mine[0]
        assert first.affect is not None
        target = emotion_near(first.affect)
        others = [name for name in MIKELS if EMOTIONS[name].distance(EMOTIONS[target]) >= APART]
        other = random.Random(derive(seed, "negative", place, first.seed)).choice(others)
        half = mine[: group // 2]
        paired += [shown(request, target) for request in half]
        paired += [shown(request, other) for request in half]
    return paired


class VisualPairs:
    """dpo with visual prompts; of each half the pictures that came out best for their own emotion are learned from."""

    def __init__(self, policy: LoraPolicy, settings: FinetuneSettings) -> None:
        self.policy, self.settings = policy, settings

    def sampling(self, seed: int) -> Sampling:
        return Sampling(*self.settings.rollout)

    def items(self, experience: Experience) -> Tensor:
        """Rows [M] of the usable pictures in the better part of their half."""
        groups, size = experience.advantages.shape
        halves = experience.advantages.masked_fill(~experience.usable, -torch.inf).view(groups * 2, size // 2)
        place = halves.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        chosen = (place < max(1, size // 4)) & halves.isfinite()
        return chosen.view(-1).nonzero().flatten()

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        levels = asked_levels(self.policy, self.settings.rollout[0])
        noise, times = renoise(experience, items, turn, self.settings.turns, levels)
        clean, own = experience.rollout.clean[items], experience.conditions.rows(items)
        noisy, target = interpolate(clean, noise, times), velocity(clean, noise)
        others = experience.conditions.rows(other_half(items, self.settings.group))
        both = Conditions(
            torch.cat([own.prompt, own.prompt]),
            torch.cat([own.pooled, own.pooled]),
            visual=torch.cat([own.shown(), others.shown()]),
            residuals=None if own.residuals is None else torch.cat([own.residuals, own.residuals]),
        )
        noisy, times, target = (torch.cat([x, x]) for x in (noisy, times, target))
        base = squared_error(self.policy.velocity(noisy, times, both, "base"), target)
        ours = squared_error(self.policy.velocity(noisy, times, both), target)
        count = len(items)
        return dpo_loss(ours[:count], ours[count:], base[:count], base[count:], self.settings.tie, KEEP)


def other_half(rows: Tensor, group: int) -> Tensor:
    """Rows [M] of the pictures that share the noise, in the other half of the group."""
    inside = rows % group
    return rows - inside + (inside + group // 2) % group
