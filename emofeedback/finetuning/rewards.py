"""Rewards of fine-tuning: how well a picture does what its request asked for. None = could not be scored.

Each reward is one number per picture, higher is better, on its own scale: groups are normalised later. A missing
score is never 0: a picture that could not be read must not pull the others' baseline.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Sampling, draw_rollout
from emofeedback.finetuning.reward_judge import DifferentiableJudge
from emofeedback.flow.schedule import interpolate, velocity
from emofeedback.judges.ratings import expected_rating
from emofeedback.judges.scene.scene_judge import named_content
from emofeedback.protocols import ShowsPrompt
from emofeedback.records import Picture, PictureRequest, Reading


class Reward(Protocol):
    """Scores pictures for the requests that drew them."""

    def score(self, pictures: Sequence[Picture], latents: Tensor) -> list[float | None]:
        """One score per picture, whose clean latents are given too [N, C, h, w]; None = missing."""
        ...


class DifferentiableReward(Protocol):
    """A reward whose gradient reaches the pixels."""

    def score_tensor(self, pixels: Tensor, targets: Tensor, prompts: Sequence[str]) -> Tensor:
        """Scores [B] of pixels [B, 3, H, W] in [-1, 1] for targets [B, 2] (valence, arousal) and their prompts."""
        ...


def picture_key(picture: Picture) -> bytes:
    """SHA-256 over the picture's pixels."""
    image = picture.image.convert("RGB")
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).digest()


class CachedReader:
    """A reader that reads each picture once: several rewards share one reading.

    Args:
        reader: a judge or a rater.
        kept: readings kept, the oldest go first.
    """

    def __init__(self, reader: Reader, kept: int = 4096) -> None:
        self.reader, self.kept, self.name = reader, kept, reader.name
        self._readings: OrderedDict[bytes, Reading | None] = OrderedDict()

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        keys = [picture_key(picture) for picture in pictures]
        fresh = {key: p for key, p in zip(keys, pictures, strict=True) if key not in self._readings}
        if fresh:
            self._readings.update(zip(fresh, self.reader.read(list(fresh.values())), strict=True))
        found = [self._readings[key] for key in keys]
        while len(self._readings) > self.kept:
            self._readings.popitem(last=False)
        return found

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        return self.reader.content_kept(prompt, reading)


class AffectReward:
    """-(squared distance in the valence-arousal plane) of what is read to what was asked, in [-8, 0]."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def score(self, pictures: Sequence[Picture], latents: Tensor | None = None) -> list[float | None]:
        scores: list[float | None] = []
        for picture, reading in zip(pictures, self.reader.read(pictures), strict=True):
            if picture.request.affect is None:
                raise ValueError("the affect reward needs a target in every request")
            scores.append(None if reading is None else -(reading.affect.distance(picture.request.affect) ** 2))
        return scores


class DifferentiableReading:
    """`AffectReward` and `ContentReward` on tensors, in one pass of a differentiable judge.

    In place of whether all that a prompt names is seen, the content counts the mean probability that the judge gives
    to each name, in [0, 1]: a subject may be the picture's subject or its companion.
    """

    def __init__(self, judge: DifferentiableJudge, affect: float = 1.0, content: float = 0.0) -> None:
        self.judge, self.affect, self.content = judge, affect, content

    def score_tensor(self, pixels: Tensor, targets: Tensor, prompts: Sequence[str]) -> Tensor:
        logits = self.judge.query_logits(pixels)
        rating = expected_rating(logits[:, :2], self.judge.tokens.rating_ids.to(logits.device)).mean
        score = -self.affect * (rating - targets).square().sum(1)
        return score if self.content == 0 else score + self.content * self._named(logits[:, 2:], prompts)

    def _named(self, logits: Tensor, prompts: Sequence[str]) -> Tensor:
        """Mean probability [B] of what each prompt names; 1 where it names nothing."""
        probabilities = logits.float().softmax(-1)
        known = self.judge.tokens.aspects
        answers = {
            aspect: probabilities[:, i, self.judge.tokens.answer_ids[aspect].to(logits.device)]
            for i, aspect in enumerate(known)
        }

        def seen(row: int, word: str, *aspects: str) -> Tensor:
            missed = torch.ones((), device=logits.device)
            for aspect in aspects:
                if word in known[aspect]:
                    missed = missed * (1 - answers[aspect][row, known[aspect].index(word)])
            return 1 - missed

        scores = []
        for row, prompt in enumerate(prompts):
            place, subjects = named_content(prompt)
            found = [seen(row, word, "subject", "companion") for word in sorted(subjects)]
            found += [seen(row, place, "place")] if place is not None else []
            scores.append(torch.stack(found).mean() if found else torch.ones((), device=logits.device))
        return torch.stack(scores)


class ContentReward:
    """1 where everything the prompt names is still seen, else 0; None where the picture could not be read.

    It is 1, too, where the reader says neither yes nor no: the prompt names nothing that it knows. That is so for every
    picture of the prompt's group, and what is alike within a group teaches nothing; a missing score would take the
    picture from the other rewards as well. A judge of open vocabulary, which never says no, is asked by `ShownReward`.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def score(self, pictures: Sequence[Picture], latents: Tensor | None = None) -> list[float | None]:
        readings = self.reader.read(pictures)
        return [
            None if reading is None else float(self.reader.content_kept(picture.request.prompt, reading) is not False)
            for picture, reading in zip(pictures, readings, strict=True)
        ]


class ShownReward:
    """The probability that a picture shows its prompt, as a share of `sure` and at most 1; None = not read.

    Scores are normalised within a group: among pictures that all show their prompt beyond doubt, .98 and .99 would
    otherwise count as bad and good.

    Args:
        judge: one that can be asked.
        sure: the probability that is as good as certain.
    """

    def __init__(self, judge: ShowsPrompt, sure: float = 0.9) -> None:
        self.judge, self.sure = judge, sure

    def score(self, pictures: Sequence[Picture], latents: Tensor | None = None) -> list[float | None]:
        shown = self.judge.shows(pictures, [picture.request.prompt for picture in pictures])
        return [None if p is None else min(p, self.sure) / self.sure for p in shown]


class QualityReward:
    """How well the frozen base can denoise the picture: low for what lies off its manifold, at most 0.

    The picture's latents are noised a little, and the squared error of the base's velocity is taken, given the prompt
    but no emotion. The error of flat pictures is small too, so errors below `typical` count as equally good:
    otherwise emptiness would be rewarded.

    Args:
        typical: mean error on the base's own pictures; see `calibrated`.
        level: the sigma at which the error is taken.
    """

    def __init__(self, policy: LoraPolicy, typical: float = 0.0, level: float = 0.25) -> None:
        self.policy, self.typical, self.level = policy, typical, level

    @classmethod
    def calibrated(cls, policy: LoraPolicy, requests: Sequence[PictureRequest], sampling: Sampling) -> "QualityReward":
        """With the mean error on what the base draws for `requests`."""
        with policy.using("base"):
            drawn = draw_rollout(policy, policy.conditions(requests), [r.seed for r in requests], sampling)
        reward = cls(policy)
        reward.typical = float(reward.errors(drawn.clean, [r.prompt for r in requests]).mean())
        return reward

    def score(self, pictures: Sequence[Picture], latents: Tensor) -> list[float | None]:
        excess = (self.errors(latents, [p.request.prompt for p in pictures]) - self.typical).clamp(min=0)
        return [-value if value < float("inf") else None for value in excess.tolist()]

    @torch.no_grad()
    def errors(self, latents: Tensor, prompts: Sequence[str]) -> Tensor:
        """Mean squared velocity errors [N] of the base, with the same noise for every picture."""
        noise = torch.randn((1, *latents.shape[1:]), generator=torch.Generator().manual_seed(0)).to(latents)
        parts = []
        for begin in range(0, len(latents), self.policy.chunk):
            clean = latents[begin : begin + self.policy.chunk]
            words = prompts[begin : begin + self.policy.chunk]
            conditions = self.policy.conditions([PictureRequest(prompt, None, 0, 0.0) for prompt in words])
            times, drawn = torch.full((len(clean),), self.level, device=clean.device), noise.expand_as(clean)
            predicted = self.policy.denoiser(interpolate(clean, drawn, times), times, conditions)
            parts.append((predicted - velocity(clean, drawn)).square().flatten(1).mean(1))
        return torch.cat(parts).cpu()
