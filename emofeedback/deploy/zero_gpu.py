"""ZeroGPU: the models work inside functions that a decorator runs in a forked process which holds a GPU for a while.

Arguments and results are pickled on the way, what such a function changes in memory is lost, and a caller is heard
only when it yields. So only requests, pictures and readings pass through; the models themselves stay where the fork
finds them, and drawing yields each step. See https://huggingface.co/docs/hub/spaces-zerogpu.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from emofeedback.affect import Affect
from emofeedback.loop.drawing import Progress, draw_pictures
from emofeedback.protocols import Generator, Judge, OnStep
from emofeedback.records import Attempt, Critique, Picture, PictureRequest, Reading

Gpu = Callable[[Callable[..., Any]], Callable[..., Any]]
"""`spaces.GPU(duration=...)`, or anything that runs a function elsewhere."""


class RemoteGenerator:
    """A generator whose drawing goes through the decorator; implements `protocols.Generator`."""

    def __init__(self, generator: Generator, gpu: Gpu) -> None:
        self.name, self.size = generator.name, generator.size
        self.default_steps, self.preview_steps = generator.default_steps, generator.preview_steps
        self._unknown = generator.unknown_words

        def draw(requests: list[PictureRequest]) -> Iterator[Progress | tuple[Picture, ...]]:
            yield from draw_pictures(generator, requests)

        self._draw = gpu(draw)

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        """As the generator's own; an `on_step` that raises stops it at the next step."""
        messages = self._draw(list(requests))
        try:
            for message in messages:
                if not isinstance(message, Progress):
                    yield from message
                elif on_step is not None:
                    on_step(message.step, message.steps)
        finally:
            messages.close()

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        """Words need no GPU."""
        return self._unknown(prompt)


class RemoteJudge:
    """A judge whose work goes through the decorator; implements `protocols.Judge`."""

    def __init__(self, judge: Judge, gpu: Gpu) -> None:
        self.name = judge.name
        self._kept = judge.content_kept

        def read(pictures: list[Picture]) -> list[Reading | None]:
            return judge.read(pictures)

        def advise(attempts: list[Attempt], target: Affect) -> Critique | None:
            return judge.advise(attempts, target)

        self._read, self._advise = gpu(read), gpu(advise)

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """As the judge's own."""
        return list(self._read(list(pictures)))

    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        """As the judge's own."""
        critique: Critique | None = self._advise(list(attempts), target)
        return critique

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """Words need no GPU."""
        return self._kept(prompt, reading)


def on_zero_gpu(pair: tuple[Generator, Judge], gpu: Gpu) -> tuple[Generator, Judge]:
    """Both models behind the decorator; they must be loaded already, on the device of the fork."""
    return RemoteGenerator(pair[0], gpu), RemoteJudge(pair[1], gpu)
