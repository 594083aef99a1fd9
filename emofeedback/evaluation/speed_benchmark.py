"""Speed and memory of the warm models on this machine, beside the goals for two CPU cores."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from emofeedback.affect import Affect
from emofeedback.evaluation.metrics import bootstrap
from emofeedback.evaluation.report import Measure
from emofeedback.files.large_pictures import LargePictures
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules, Turn
from emofeedback.loop.run import RunOrder, draw_round
from emofeedback.protocols import Generator, Judge, Upscaler
from emofeedback.records import PictureRequest

PROMPT = "a lighthouse by the sea"
TARGET = Affect(0.7, -0.5)
ROUND = 8


def help_seconds(repeats: int) -> Measure:
    """`--help` in a fresh process: what importing the command line costs."""
    command = [sys.executable, "-m", "emofeedback", "--help"]
    above = Path(__file__).resolve().parents[2]
    seconds = timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=above), repeats)
    return Measure.of("command line --help", bootstrap(seconds, seed=0), "s", (None, 1.0))


def load_measure(seconds: float) -> Measure:
    """Imports and loading of both models, taken once."""
    return Measure("imports and models loaded", seconds, "s", 1, None, (None, 12.0))


def measure_speed(
    generator: Generator,
    judge: Judge,
    *,
    repeats: int,
    seed: int,
    upscaler: Upscaler | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Measure]:
    """Warm preview, default picture and a round of 8, each `repeats` times after one run that does not count.

    With an upscaler also a picture enlarged, and the enlarging alone.
    """

    def draw(steps: int) -> None:
        list(generator.generate([PictureRequest(PROMPT, TARGET, seed, steps=steps)]))

    def round_of_eight() -> None:
        order = RunOrder(PROMPT, TARGET, Drawing(ROUND, seed), Rules(rounds=1, tolerance=0.0))
        for _ in draw_round(generator, judge, order, Turn(PROMPT)):
            pass

    jobs: list[tuple[str, Callable[[], object], float]] = [
        ("warm preview", lambda: draw(generator.preview_steps), 0.2),
        ("warm picture at default quality", lambda: draw(generator.default_steps), 0.5),
        ("round of 8, drawn, read and advised", round_of_eight, 5.0),
    ]
    if upscaler is not None:
        large = LargePictures(upscaler)
        [drawn] = generator.generate([PictureRequest(PROMPT, TARGET, seed)])

        def draw_large() -> None:
            large.of(list(generator.generate([PictureRequest(PROMPT, TARGET, seed)])))

        side = upscaler.scale * drawn.image.width
        jobs.append((f"warm picture at default quality, at {side} pixels", draw_large, 0.6))
        jobs.append(("a picture enlarged", lambda: large.of([drawn]), 0.1))
    measures = []
    for name, job, goal in jobs:
        if progress is not None:
            progress(f"measuring: {name}")
        measures.append(Measure.of(name, bootstrap(timed(job, repeats), seed=seed), "s", (None, goal)))
    return measures


def memory_measure() -> list[Measure]:
    """Peak resident memory of this process; nothing where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return []
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return [Measure("peak memory", int(line.split()[1]) / 2**20, "GB", 1, None, (None, 2.0))]
    return []


def timed(job: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each of so many runs, after one that does not count; a job ends with its result on the CPU."""
    job()
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - begun)
    return seconds
