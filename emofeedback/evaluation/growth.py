"""How cost grows: with the candidates of a round, the denoising steps, and the users who wait in one queue."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from emofeedback.affect import Affect
from emofeedback.evaluation.metrics import bootstrap
from emofeedback.evaluation.report import Measure
from emofeedback.evaluation.report_page import Line
from emofeedback.evaluation.speed_benchmark import PROMPT, TARGET, timed
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules, Turn
from emofeedback.loop.run import RoundDone, RunOrder, draw_round
from emofeedback.protocols import Generator, Judge
from emofeedback.records import Cost, PictureRequest

CANDIDATES = (1, 2, 4, 8, 16)
STEPS = (1, 2, 4, 8, 16)
USERS = (1, 2, 4, 8, 16)
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Growth:
    """Mean seconds by size, and the straight line through them."""

    name: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]

    def line(self) -> tuple[float, float]:
        """Seconds of none, and of one more."""
        fitted = stats.linregress(self.sizes, self.seconds)
        return float(fitted.intercept), float(fitted.slope)

    def curve(self) -> Line:
        return Line(self.name, [(float(size), value) for size, value in zip(self.sizes, self.seconds, strict=True)])


def measure_growth(
    generator: Generator,
    judge: Judge,
    *,
    repeats: int,
    seed: int,
    progress: Callable[[str], None] = lambda text: None,
    clock: Clock = time.perf_counter,
) -> tuple[list[Measure], list[Growth]]:
    """Everything that grows, each size `repeats` times after one that does not count.

    Users: as many requests drawn one after another, as a queue serves them, and in one batch.
    """
    measures: list[Measure] = []
    growths: list[Growth] = []

    def take(name: str, unit: str, sizes: Sequence[int], job: Callable[[int], None]) -> Growth:
        means = []
        for size in sizes:
            progress(f"measuring: {name}, {size}")
            found = bootstrap(timed(lambda size=size: job(size), repeats), seed=seed)  # type: ignore[misc]
            measures.append(Measure.of(f"{name}: {size} {unit}", found, "s"))
            means.append(found.value)
        growth = Growth(name, tuple(sizes), tuple(means))
        fixed, each = growth.line()
        measures.append(Measure(f"{name}: fixed part", fixed, "s", len(sizes)))
        measures.append(Measure(f"{name}: each {unit.removesuffix('s')} more", each, "s", len(sizes)))
        growths.append(growth)
        return growth

    costs: dict[int, list[Cost]] = {}

    def round_of(count: int) -> None:
        order = RunOrder(PROMPT, TARGET, Drawing(count, seed), Rules(rounds=1, tolerance=0.0))
        for event in draw_round(generator, judge, order, Turn(PROMPT), clock=clock):
            if isinstance(event, RoundDone):
                costs.setdefault(count, []).append(event.round.cost)

    take("a round", "candidates", CANDIDATES, round_of)
    measures += _parts(costs)
    steps = sorted({*STEPS, generator.default_steps})
    take("a picture", "steps", steps, lambda n: _draw(generator, [PictureRequest(PROMPT, TARGET, seed, steps=n)]))
    queue = take("users in a queue", "users", USERS, lambda n: _one_by_one(generator, _users(n, seed)))
    batch = take("users in a batch", "users", USERS, lambda n: _draw(generator, _users(n, seed)))
    gain = queue.seconds[-1] / batch.seconds[-1] if batch.seconds[-1] > 0 else float("nan")
    measures.append(Measure(f"{USERS[-1]} users: a queue's seconds over a batch's", gain, "times", repeats))
    return measures, growths


def _parts(costs: dict[int, list[Cost]]) -> list[Measure]:
    """Where the time of a round goes, by the number of candidates; the first of each size does not count."""
    rows = []
    for count, found in costs.items():
        warm = found[1:] or found
        whole = float(np.mean([cost.seconds for cost in warm])) or float("nan")
        for part in ("draw", "read", "advise"):
            share = float(np.mean([getattr(cost, f"{part}_seconds") for cost in warm])) / whole
            rows.append(Measure(f"a round of {count}: share of its time to {part}", share, "share", len(warm)))
    return rows


def _users(count: int, seed: int) -> list[PictureRequest]:
    """What so many people ask for at once: other words, points and seeds."""
    points = [Affect(0.6, 0.6), Affect(-0.6, 0.6), Affect(0.6, -0.6), Affect(-0.6, -0.6)]
    return [PictureRequest(PROMPT if k % 2 else "a dog in a park", points[k % 4], seed + k) for k in range(count)]


def _draw(generator: Generator, requests: Sequence[PictureRequest]) -> None:
    list(generator.generate(requests))


def _one_by_one(generator: Generator, requests: Sequence[PictureRequest]) -> None:
    for request in requests:
        list(generator.generate([request]))
