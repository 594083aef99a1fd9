"""What reward fine-tuning gained on held-out prompts at the corners of the plane, graded by a rater that took no part.

Base, tuned generator and the judge's best of N draw the same tasks from the same seeds. The gap is the distance to
the target that the judge's choice among N pictures of the base saves against a single draw; a tuned generator closes
a share of it in one draw.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.content import content_scores
from emofeedback.evaluation.metrics import bootstrap, ratio_bootstrap
from emofeedback.evaluation.protocols.generator_and_judge import OnProgress, Reader, held_out_prompts
from emofeedback.evaluation.report import Measure
from emofeedback.evaluation.suite.sheet_figures import difference
from emofeedback.loop.candidates import choose, read_candidates
from emofeedback.protocols import Generator, Judge
from emofeedback.records import Picture, PictureRequest

NEAR, FAR = 0.6, 0.8  # |valence| and |arousal| of a target lie between
BEST_OF, DRAWS = 16, 4
Curve = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class CornerTask:
    """A held-out prompt at a corner, and the seeds it is drawn with."""

    prompt: str
    target: Affect
    seeds: tuple[int, ...]

    def requests(self, count: int) -> list[PictureRequest]:
        return [PictureRequest(self.prompt, self.target, seed) for seed in self.seeds[:count]]


@dataclass(frozen=True, slots=True)
class Grades:
    """By task [T], means over its draws: the rater's distance to the target, how far pictures keep the content (see
    `content_scores`; nan: not known), mean difference of two pictures of the task (root mean square over pixels in
    [0, 1])."""

    error: np.ndarray
    kept: np.ndarray
    diversity: np.ndarray


def corner_tasks(count: int, seed: int, avoid: Sequence[str] = (), best_of: int = BEST_OF) -> list[CornerTask]:
    """Tasks of unseen prompts, none of `avoid`; every four visit the four corners once."""
    rng = random.Random(f"evaluation/corners/{seed}")
    known = set(avoid)
    prompts = [p for p in held_out_prompts(count + len(known), seed) if p not in known]
    if not prompts:
        raise UserError("Every held-out prompt was used to choose the adapter; hold out fewer prompts in the job.")
    corners = [(v, a) for v in (-1, 1) for a in (-1, 1)]
    tasks = []
    for i in range(count):
        v, a = corners[i % 4]
        target = Affect(v * rng.uniform(NEAR, FAR), a * rng.uniform(NEAR, FAR))
        tasks.append(CornerTask(prompts[i % len(prompts)], target, tuple(seed + 1000 * i + k for k in range(best_of))))
    return tasks


def grade(pictures: Sequence[Sequence[Picture]], rater: Reader, tasks: Sequence[CornerTask]) -> Grades:
    """Grade the pictures [T][draws] of the tasks.

    Raises:
        UserError: the rater could not read one of a task's pictures at all.
    """
    error, kept, diversity = [], [], []
    for task, drawn in zip(tasks, pictures, strict=True):
        read = rater.read(drawn)
        readings = [reading for reading in read if reading is not None]
        if not readings:
            raise UserError("The rater could not read the pictures of a task; train the rater longer.")
        error.append(float(np.mean([r.affect.distance(task.target) for r in readings])))
        scores = content_scores(rater, [task.prompt] * len(drawn), drawn, read)
        known = [score for score in scores if score is not None]
        kept.append(float(np.mean(known)) if known else np.nan)
        diversity.append(spread([p.image for p in drawn]))
    return Grades(np.array(error), np.array(kept), np.array(diversity))


def spread(images: Sequence[Image.Image]) -> float:
    """Mean over pairs of pictures of their `difference`, in [0, 1]."""
    pairs = [difference(first, second) for first, second in combinations(images, 2)]
    return float(np.mean(pairs)) if pairs else 0.0


def draw_tasks(
    generator: Generator, tasks: Sequence[CornerTask], count: int, progress: OnProgress | None = None
) -> list[list[Picture]]:
    """`count` pictures of each task, as a user would draw them."""
    drawn = []
    for i, task in enumerate(tasks):
        drawn.append(list(generator.generate(task.requests(count))))
        if progress is not None:
            progress(i + 1, len(tasks))
    return drawn


def best_of_each(
    pictures: Sequence[Sequence[Picture]], judge: Judge, tasks: Sequence[CornerTask]
) -> list[list[Picture]]:
    """The one picture [T][1] that the judge finds closest to the target among those that keep the content."""
    found = []
    for task, drawn in zip(tasks, pictures, strict=True):
        candidates = read_candidates(judge, drawn, task.target)
        found.append([candidates[choose(candidates)].picture])
    return found


def gain_measures(name: str, base: Grades, best: Grades, tuned: Sequence[Grades], seed: int) -> list[Measure]:
    """The rows of one way of tuning: `tuned` holds one grade for each training seed."""
    error = np.mean([t.error for t in tuned], axis=0)
    kept, diversity = (np.mean([getattr(t, what) for t in tuned], axis=0) for what in ("kept", "diversity"))
    gap, saved = base.error - best.error, base.error - error
    rows = [
        Measure.of(f"{name}: error", bootstrap(error, seed=seed), "V-A distance"),
        Measure.of(f"{name}: error saved against the base", bootstrap(saved, seed=seed), "V-A distance"),
        _ratio(f"{name}: share of the gap to best of N closed", saved, gap, seed, (0.3, None)),
        _ratio(f"{name}: content kept against the base", kept, base.kept, seed, (0.95, None)),
        _ratio(f"{name}: diversity against the base", diversity, base.diversity, seed, (0.95, None)),
    ]
    for number, one in enumerate(tuned if len(tuned) > 1 else ()):
        rows.append(_ratio(f"{name}: share closed by training seed {number}", base.error - one.error, gap, seed, None))
    return rows


def base_measures(base: Grades, best: Grades, count: int, seed: int, content: str = "share") -> list[Measure]:
    """The rows that every way of tuning is compared with; `content` is what kept content is a figure of."""
    rows = [
        Measure.of("base: error of one draw", bootstrap(base.error, seed=seed), "V-A distance"),
        Measure.of(f"base: error of the judge's best of {count}", bootstrap(best.error, seed=seed), "V-A distance"),
        Measure.of("base: diversity", bootstrap(base.diversity, seed=seed), "RMS difference"),
    ]
    for name, kept in (("base: content kept", base.kept), (f"best of {count}: content kept", best.kept)):
        known = kept[np.isfinite(kept)]
        if len(known):
            rows.append(Measure.of(name, bootstrap(known, seed=seed), content))
    return rows


def speed_measure(fast: Sequence[Curve], slow: Sequence[Curve]) -> Measure:
    """The time after which awm's audits reach what grpo's reach in the whole job, as a share of grpo's time.

    Args:
        fast, slow: (seconds, audit score) of awm and of grpo, for the same training seeds.
    """
    shares = []
    for ours, theirs in zip(fast, slow, strict=True):
        goal, whole = max(score for _, score in theirs), max(seconds for seconds, _ in theirs)
        shares.append(min((seconds for seconds, score in ours if score >= goal), default=np.inf) / max(whole, 1e-9))
    return Measure(
        "awm: time to what grpo reaches", float(np.mean(shares)), "of grpo's time", len(shares), None, (None, 0.5)
    )


def _ratio(
    name: str, above: np.ndarray, below: np.ndarray, seed: int, goal: tuple[float | None, float | None] | None
) -> Measure:
    """Mean over tasks of one figure through that of another, with a paired bootstrap interval over tasks."""
    known = np.isfinite(above) & np.isfinite(below)
    found = ratio_bootstrap(above[known], below[known], seed=seed)
    if np.isnan(found.value):
        return Measure(name, found.value, "share", found.n, None, goal)
    return Measure.of(name, found, "share", goal)
