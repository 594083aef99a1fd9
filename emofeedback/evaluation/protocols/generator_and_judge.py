"""What is measured of the generator and of the judge, and against what. `feedback_gain` measures the loop.

The rater that grades never guided anything. Every error is given beside that of a constant answer, which on such
grids looks better than it is: an error near it says nothing.
"""

import random
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from PIL import ImageOps

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.content import content_scores, content_unit
from emofeedback.evaluation.metrics import (
    AXES,
    Statistic,
    bootstrap,
    mean_absolute_error,
    over_contents,
    pairs_interval,
    pearson,
    slope,
    spearman,
)
from emofeedback.evaluation.report import Measure
from emofeedback.protocols import Generator
from emofeedback.records import Picture, PictureRequest, Reading
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe
from emofeedback.scenes.draw.render import render
from emofeedback.scenes.grammar import Scene, sample_scene
from emofeedback.sweep.plane import EXTENT, grid_affects, requests_for

OnProgress = Callable[[int, int], None]
RENDER_SIZE = 128
BATCH = 32
RESAMPLES = 1000  # of pairs, for the interval of a correlation
LEAST_READ = 3  # pictures without which a slope says nothing


DEFAULT_LOOKS = {"palette": "natural", "light": "even"}


class Reader(Protocol):
    """What grading needs: a judge or the second rater."""

    name: str

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]: ...

    def content_kept(self, prompt: str, reading: Reading) -> bool | None: ...


def held_out_scenes(count: int, seed: int) -> list[Scene]:
    """Scenes whose place-subject pair no training has seen."""
    rng = random.Random(f"evaluation/{seed}")
    return [sample_scene(rng, "held-out") for _ in range(count)]


def held_out_prompts(count: int, seed: int) -> list[str]:
    """Prompts that name place and subject alone, each different where the grammar has that many."""
    prompts: dict[str, None] = {}
    rng = random.Random(f"evaluation/prompts/{seed}")
    for _ in range(50 * count):
        prompts.setdefault(describe(sample_scene(rng, "held-out"), rng, ()))
        if len(prompts) == count:
            break
    return list(prompts)


def evaluate_generator(
    generator: Generator,
    rater: Reader,
    *,
    count: int,
    seed: int,
    grid: int = 5,
    steps: int | None = None,
    progress: OnProgress | None = None,
) -> list[Measure]:
    """A V-A sheet for each of `count` unseen prompts, words and seed fixed, read back by the rater.

    Intervals resample prompts, not pictures: the pictures of one sheet are not independent.

    Raises:
        UserError: the rater could read hardly anything.
    """
    prompts = held_out_prompts(count, seed)
    points = [point for row in grid_affects(grid, EXTENT) for point in row]
    commanded = np.array([[p.valence, p.arousal] for p in points])
    read = np.full((len(prompts), len(points), 2), np.nan)
    kept: list[list[float]] = []
    for i, prompt in enumerate(prompts):
        pictures = list(generator.generate(requests_for(prompt, points, seed + i, steps=steps)))
        readings = rater.read(pictures)
        scores = content_scores(rater, [prompt] * len(pictures), pictures, readings)
        sheet_kept = [score for score in scores if score is not None]
        for j, reading in enumerate(readings):
            if reading is not None:
                read[i, j] = reading.affect.valence, reading.affect.arousal
        if sheet_kept:
            kept.append(sheet_kept)
        if progress is not None:
            progress(i + 1, len(prompts))
    measures = []
    for axis, name in enumerate(AXES):
        measures += read_back(name, np.tile(commanded[:, axis], (len(read), 1)), read[:, :, axis], seed)
    if kept:
        shares = bootstrap([float(np.mean(row)) for row in kept], seed=seed)
        measures.append(Measure.of("content kept", shares, content_unit(rater), (0.9, None)))
    unread = float(np.isnan(read[..., 0]).mean())
    measures.append(Measure("unreadable", unread, "share", read[..., 0].size))
    return measures


def read_back(
    name: str,
    commanded: np.ndarray,
    read: np.ndarray,
    seed: int,
    slopes: tuple[float, float] = (0.7, 1.1),
    least_spearman: float = 0.8,
) -> list[Measure]:
    """Figures of one axis; commanded and read [prompts, points], read with nan where unread.

    Args:
        slopes: goal of the slope, lowest and highest.
        least_spearman: goal of the rank correlation.

    Raises:
        UserError: hardly anything was read.
    """
    if np.isfinite(read).sum() < LEAST_READ:
        raise UserError("The rater could read hardly any picture; train the generator or the rater longer.")

    rows: list[tuple[str, Statistic, str, tuple[float | None, float | None] | None]] = [
        (f"{name} slope", slope, "read per commanded", slopes),
        (f"{name} Spearman", spearman, "rho", (least_spearman, None)),
        (f"{name} error", mean_absolute_error, "mean absolute", None),
    ]
    measures = [
        Measure.of(label, over_contents(statistic, commanded, read, seed=seed), unit, goal)
        for label, statistic, unit, goal in rows
    ]
    n = int(np.isfinite(read).sum())
    constant = mean_absolute_error(commanded.ravel(), np.zeros(commanded.size))
    measures.append(Measure(f"{name} error of a constant 0", constant, "mean absolute", n))
    return measures


ONE_EACH = ("place", "time", "weather", "season", "palette", "light")
RATED = ONE_EACH[:4]
"""What the second rater names besides subjects and elements."""


def evaluate_judge(
    judge: Reader,
    *,
    count: int,
    seed: int,
    aspects: Sequence[str] = ONE_EACH,
    goal_named: float = 0.95,
    progress: OnProgress | None = None,
) -> list[Measure]:
    """Held-out renders against the scene scale and the scene's own attributes; for a judge or for the second rater.

    Each is read once more as its mirror image, which shows the same.

    Args:
        aspects: of which a scene has one each, and which this reader names; subjects and elements come on top.
        goal_named: share of attributes that it should name.

    Raises:
        UserError: the judge could read hardly anything.
    """
    scenes = held_out_scenes(count, seed)
    truth: list[Affect] = []
    read: list[Affect] = []
    named: list[float] = []
    both: list[tuple[Affect, Affect]] = []
    unread = 0
    for begin in range(0, len(scenes), BATCH):
        batch = scenes[begin : begin + BATCH]
        images = [render(scene, RENDER_SIZE) for scene in batch]
        readings, mirrored = (
            judge.read([Picture(image, PictureRequest("", None, 0), "render", 0.0) for image in shown])
            for shown in (images, [ImageOps.mirror(image) for image in images])
        )
        for scene, reading, other in zip(batch, readings, mirrored, strict=True):
            if reading is None:
                unread += 1
                continue
            if other is not None:
                both.append((reading.affect, other.affect))
            label = scene_affect(scene)
            truth.append(Affect(label.valence, label.arousal))
            read.append(reading.affect)
            named.append(share_named(scene, reading, aspects))
        if progress is not None:
            progress(begin + len(batch), len(scenes))
    if len(read) < 3:
        raise UserError("The judge could read hardly any picture; train it longer or give another with --judge.")
    measures = []
    for name in AXES:
        true = np.array([getattr(a, name) for a in truth])
        got = np.array([getattr(a, name) for a in read])
        measures += [
            Measure(
                f"{name} Pearson",
                pearson(true, got),
                "r",
                len(got),
                pairs_interval(pearson, true, got, seed=seed, resamples=RESAMPLES),
                (0.97, None),
            ),
            Measure.of(f"{name} error", bootstrap(np.abs(true - got), seed=seed), "mean absolute"),
            Measure(
                f"{name} error of the constant mean",
                float(np.abs(true - true.mean()).mean()),
                "mean absolute",
                len(got),
            ),
        ]
    for name in AXES:
        at, there = (np.array([getattr(pair[i], name) for pair in both]) for i in (0, 1))
        figure, unit = f"{name} moved by a mirror", "root mean square"
        if not both:
            measures.append(Measure.missing(figure, unit, "no picture was read both ways"))
            continue
        interval = pairs_interval(_rms, at, there, seed=seed, resamples=RESAMPLES)
        measures.append(Measure(figure, _rms(at, there), unit, len(both), interval, (None, 0.08)))
    measures.append(Measure.of("attributes named", bootstrap(named, seed=seed), "share", (goal_named, None)))
    measures.append(Measure("unreadable", unread / len(scenes), "share", len(scenes)))
    return measures


def _rms(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.sqrt(np.mean((first - second) ** 2)))


def share_named(scene: Scene, reading: Reading, aspects: Sequence[str] = ONE_EACH) -> float:
    """The share of a scene's remarkable attributes that a reading names; subject and companion in either order.

    A default look (natural palette, even light) need not be named, but naming another one counts as wrong.
    """
    seen = {item.aspect: item.word for item in reading.seen}
    words = set(reading.words())
    right = [seen.get(aspect, DEFAULT_LOOKS.get(aspect)) == getattr(scene, aspect) for aspect in aspects]
    right += [concept in words for concept in (scene.subject, scene.companion, *scene.elements) if concept is not None]
    return float(np.mean(right))
