"""Drawing the candidates of a round: what is asked for, and a worker that reports each step and can be stopped."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.loop.waiting import TICK, CancelFlag, Progress, Waiting, elsewhere
from emofeedback.machine.kept_threads import on_kept_thread
from emofeedback.protocols import Generator
from emofeedback.records import MAX_CANDIDATES, MAX_SEED, Picture, PictureRequest, VisualPrompt
from emofeedback.servers.stopping import stoppable
from emofeedback.text import is_finite, short, told


@dataclass(frozen=True, slots=True)
class Drawing:
    """How the candidates of a round are drawn; the words and the target come beside it.

    Raises:
        UserError: a value is out of range; the message names it.
    """

    candidates: int = 4
    seed: int = 0  # of the first candidate; candidate i has seed + i, and after the highest seed comes 0
    strength: float = 1.0  # of the emotion adapter, >= 0
    steps: int | None = None
    guidance: float | None = None
    start: Image.Image | None = None
    start_strength: float = 0.6  # (0, 1]
    visual: VisualPrompt | None = None
    negative: str = ""
    size: tuple[int, int] | None = None  # width and height

    def __post_init__(self) -> None:
        check_whole("candidates", self.candidates, 1, MAX_CANDIDATES)
        check_whole("seed", self.seed, 0, MAX_SEED)
        check_number("strength", self.strength, 0.0, 5.0)
        if self.steps is not None:
            check_whole("steps", self.steps, 1, 1000)
        if self.guidance is not None:
            check_number("guidance", self.guidance, 0.0, 50.0)
        check_number("start_strength", self.start_strength, 0.01, 1.0)
        check_visual(self.visual)

    def draws(self, prompt: str) -> list[tuple[str, int]]:
        """(prompt, seed) of each candidate where all have the same words."""
        return [(prompt, (self.seed + i) % (MAX_SEED + 1)) for i in range(self.candidates)]

    def requests(
        self, draws: Sequence[tuple[str, int]], target: Affect | None, default_steps: int
    ) -> list[PictureRequest]:
        """One request for each (prompt, seed), alike in all else."""
        return [
            PictureRequest(
                prompt=prompt,
                affect=target,
                seed=seed,
                strength=self.strength,
                steps=default_steps if self.steps is None else self.steps,
                guidance=self.guidance,
                start=self.start,
                start_strength=self.start_strength,
                visual=self.visual,
                negative=self.negative,
                size=self.size,
            )
            for prompt, seed in draws
        ]


def check_whole(name: str, value: int, low: int, high: int) -> None:
    """Raise UserError unless the value is a whole number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        said = told(value) if is_finite(value) and not isinstance(value, float) else short(repr(value))
        raise UserError(f"{name} must be a whole number from {low} to {high}, not {said}.")


def check_number(name: str, value: float, low: float, high: float) -> None:
    """Raise UserError unless the value is a finite number in [low, high]."""
    if not is_finite(value):
        raise UserError(f"{name} must be a number from {low:g} to {high:g}, not {short(repr(value))}.")
    if not low <= value <= high:
        raise UserError(f"{name} must lie between {low:g} and {high:g}, but is {told(value)}.")


def check_visual(visual: VisualPrompt | None) -> None:
    """Raise UserError where a visual prompt's strength or guidance is out of range."""
    if visual is None:
        return
    check_number("visual strength", visual.strength, 0.0, 5.0)
    if visual.guidance is not None:
        check_number("visual guidance", visual.guidance, 0.0, 50.0)


def draw_pictures(
    generator: Generator, requests: Sequence[PictureRequest], cancel: CancelFlag | None = None
) -> Iterator[Progress | tuple[Picture, ...]]:
    """Draw on a thread of its own and yield its progress as it comes, then all pictures, in order.

    Drawing blocks and reports its steps through a callback, from inside which nothing can be yielded; hence the
    thread. When `cancel` is set, or this generator is closed, the next step stops the worker; a generator that works
    elsewhere at once, and while it is waited for there are signs of life (`Waiting`).

    Raises:
        Cancelled: `cancel` was set. Whatever the generator raises is raised here too.
    """
    messages: queue.Queue[Progress | tuple[Picture, ...] | BaseException] = queue.Queue()
    closed = threading.Event()

    def stop() -> bool:
        return closed.is_set() or (cancel is not None and cancel.is_set())

    def on_step(step: int, steps: int) -> None:
        if stop():
            raise Cancelled("The drawing was stopped.")
        messages.put(Progress(step, steps))

    def work() -> None:
        try:
            with stoppable(stop):
                messages.put(tuple(generator.generate(requests, on_step)))
        except BaseException as error:
            messages.put(error)

    if cancel is not None and cancel.is_set():
        raise Cancelled("The drawing was stopped.")
    over = on_kept_thread(work)
    tick = TICK if elsewhere(generator) else None
    last = Waiting(0, len(requests))
    try:
        while True:
            try:
                message = messages.get(timeout=tick)
            except queue.Empty:
                yield last
                continue
            if isinstance(message, Progress):
                last = Waiting(message.step, message.steps)
            if isinstance(message, BaseException):
                raise message
            yield message
            if isinstance(message, tuple):
                return
    finally:
        closed.set()
        over.wait()
