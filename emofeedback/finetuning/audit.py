"""The guard against reward hacking: a rater that the reward never used grades held-out prompts.

A policy that finds a weakness of the judge raises its reward while the pictures get no better; the second rater
then does not follow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from emofeedback.evaluation.content import content_judge, content_scores
from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.finetuning.job_settings import FinetuneSettings, Task, derive
from emofeedback.finetuning.objectives.visual_dpo import emotion_near, shown
from emofeedback.protocols import Generator, OnStep
from emofeedback.records import Picture, PictureRequest

CONTENT, REALISM = 0.3, 0.2  # weights in the audit's score, as in the reward
AT_ONCE = 8  # pictures that are graded between two looks at whether to stop
MARGIN = 0.01  # a rise of the reward below this is none
Realism = Callable[[Sequence[Image.Image]], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Audit:
    """What the second rater says of the held-out pictures; means over those it could read.

    score: -squared distance + .3 content kept + .2 realism: higher is better. error: Euclidean distance to the
    target. content_kept and realism in [0, 1]; None = not known. content_kept is the share of pictures that keep it or,
    where content_asked, the mean probability that a picture shows its prompt (see `protocols.ShowsPrompt`).
    """

    score: float
    error: float
    content_kept: float | None
    realism: float | None
    read: int
    content_asked: bool = False


class Auditor:
    """Draws the same held-out tasks with the same seeds each time, as a user would, and has them graded.

    Args:
        realism: intactness in [0, 1] of pictures, where the rater tells it.
    """

    def __init__(
        self, tasks: Sequence[Task], rater: Reader, settings: FinetuneSettings, realism: Realism | None = None
    ) -> None:
        self.rater, self.settings, self.realism = rater, settings, realism
        self.ask(tasks)

    def ask(self, tasks: Sequence[Task]) -> None:
        """Draw these tasks from now on."""
        settings = self.settings
        self.requests = [
            PictureRequest(t.prompt, t.affect, derive(settings.seed, "audit", i), steps=settings.audit_steps)
            for i, t in enumerate(tasks)
        ]
        if settings.visual:
            self.requests = [shown(r, emotion_near(t.affect)) for r, t in zip(self.requests, tasks, strict=True)]

    def draw(self, generator: Generator, on_step: OnStep | None = None) -> list[Picture]:
        """The held-out pictures with the generator's present weights."""
        return list(generator.generate(self.requests, on_step))

    def grade(self, pictures: Sequence[Picture], check: Callable[[], None] | None = None) -> Audit:
        """Have pictures graded; a rater that reads none of them gives the lowest score.

        `check` is called before each few pictures and may raise to stop.
        """
        distances: list[float] = []
        kept: list[float] = []
        for start in range(0, len(pictures), AT_ONCE):
            if check is not None:
                check()
            some = pictures[start : start + AT_ONCE]
            readings = self.rater.read(some)
            for picture, reading in zip(some, readings, strict=True):
                if reading is not None and picture.request.affect is not None:
                    distances.append(reading.affect.distance(picture.request.affect))
            known = content_scores(self.rater, [picture.request.prompt for picture in some], some, readings)
            kept += [score for score in known if score is not None]
        content = float(np.mean(kept)) if kept else None
        realism = float(np.mean(self.realism([p.image for p in pictures]))) if self.realism else None
        error = float(np.mean(distances)) if distances else 8**0.5
        squared = float(np.mean(np.square(distances))) if distances else 8.0
        score = -squared + CONTENT * (content or 0.0) + REALISM * (realism or 0.0)
        return Audit(score, error, content, realism, len(distances), content_judge(self.rater) is not None)


class Guard:
    """Decides from the audits so far; `history` holds (mean reward since the last audit, audit score)."""

    def __init__(self, patience: int, history: Sequence[tuple[float, float]] = ()) -> None:
        self.patience, self.history = patience, [(float(r), float(s)) for r, s in history]

    def observe(self, reward: float, score: float) -> None:
        self.history.append((reward, score))

    def hacked(self) -> bool:
        """Whether the reward rose over the last `patience` audits while none of them beat the best before."""
        if len(self.history) <= self.patience:
            return False
        before, since = self.history[: -self.patience], self.history[-self.patience :]
        reward, score = max(before, key=lambda pair: pair[1])
        return all(s <= score for _, s in since) and since[-1][0] > reward + MARGIN
