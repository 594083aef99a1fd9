"""ZeroGPU: the models work inside functions that a decorator runs in a forked process which holds a GPU for a while.

Arguments and results are pickled on the way, what such a function changes in memory is lost, and a caller is heard
only when it yields. So only requests, pictures and readings pass through; the models themselves stay where the fork
finds them, and drawing yields each step. See https://huggingface.co/docs/hub/spaces-zerogpu.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.loop.drawing import Progress, draw_pictures
from emofeedback.protocols import Generator, Judge, OnStep, ShowsPrompt, Upscaler
from emofeedback.records import Attempt, Critique, Picture, PictureRequest, Reading

Gpu = Callable[[Callable[..., Any]], Callable[..., Any]]
"""`spaces.GPU(duration=...)`, or anything that runs a function elsewhere."""


class ZeroGpuGenerator:
    """A generator whose drawing goes through the decorator; implements `protocols.Generator`.

    Everything else is the generator's own, read from it and set on it here, where words and files need no GPU. A
    worker may be an older fork than the last `load_adapter` or name: both travel with the requests.
    """

    def __init__(self, generator: Generator, gpu: Gpu) -> None:
        # not plain attributes: names of the generator's own, such as `name`, are read from and set on it
        loaded: list[Any] = [0]  # in each process: which of the `load_adapter` calls its generator has seen last

        def draw(
            requests: list[PictureRequest], name: str, adapter: tuple[int, Path, float] | None
        ) -> Iterator[Progress | tuple[Picture, ...]]:
            drawer: Any = generator
            if adapter is not None and adapter[0] != loaded[0]:
                number, path, scale = adapter
                with suppress(UserError):  # refused, as it was where it was given: that leaves the generator bare
                    drawer.load_adapter(path, scale)
                loaded[0] = number
            drawer.name = name
            yield from draw_pictures(generator, requests)

        own = {"_generator": generator, "_draw": gpu(draw), "_adapter": None, "_loaded": loaded}
        if hasattr(generator, "load_adapter"):
            own["load_adapter"] = self._load_adapter
        upscaler: Upscaler | None = getattr(generator, "upscaler", None)
        if upscaler is not None and not upscaler.quick:  # a quick one needs no GPU
            own["upscaler"] = ZeroGpuUpscaler(upscaler, gpu)
        if hasattr(getattr(generator, "texts", None), "many"):
            own["texts"] = ZeroGpuTexts(generator.texts, gpu)  # type: ignore[attr-defined]
        for key, value in own.items():
            object.__setattr__(self, key, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # a copy that holds nothing yet must not ask itself for ever
        return getattr(self._generator, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._generator, name, value)

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        """As the generator's own; an `on_step` that raises stops it at the next step."""
        messages = self._draw(list(requests), self.name, self._adapter)
        try:
            for message in messages:
                if not isinstance(message, Progress):
                    yield from message
                elif on_step is not None:
                    on_step(message.step, message.steps)
        finally:
            messages.close()

    def _load_adapter(self, path: str | Path, scale: float = 1.0) -> None:
        """As the generator's own; the workers load it when they draw next."""
        self._loaded[0] += 1
        object.__setattr__(self, "_adapter", (self._loaded[0], Path(path), scale))
        self._generator.load_adapter(path, scale)


class ZeroGpuUpscaler:
    """An upscaler whose work goes through the decorator; implements `protocols.Upscaler`."""

    def __init__(self, upscaler: Upscaler, gpu: Gpu) -> None:
        def upscale(images: list[Image.Image], scenes: list[str | None]) -> list[Image.Image]:
            return upscaler.upscale(images, scenes)

        self.name, self.scale, self.quick = upscaler.name, upscaler.scale, upscaler.quick
        self._upscale = gpu(upscale)

    def upscale(self, images: Sequence[Image.Image], scenes: Sequence[str | None] | None = None) -> list[Image.Image]:
        """As its own."""
        return list(self._upscale(list(images), list(scenes or [None] * len(images))))


class ZeroGpuTexts:
    """A generator's text features, which retrieve visual prompts, through the decorator; the rest is its own."""

    def __init__(self, texts: Any, gpu: Gpu) -> None:
        def many(prompts: list[str]) -> Any:
            return texts.many(prompts)

        self._texts, self._many = texts, gpu(many)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._texts, name)

    def many(self, prompts: Sequence[str]) -> Any:
        """As its own."""
        return self._many(list(prompts))


class ZeroGpuJudge:
    """A judge whose work goes through the decorator; implements `protocols.Judge`, and `ShowsPrompt` where it does.

    Everything else is the judge's own: words need no GPU.
    """

    def __init__(self, judge: Judge, gpu: Gpu) -> None:
        self._judge = judge

        def read(pictures: list[Picture]) -> list[Reading | None]:
            return judge.read(pictures)

        def advise(attempts: list[Attempt], target: Affect) -> Critique | None:
            return judge.advise(attempts, target)

        self._read, self._advise = gpu(read), gpu(advise)
        if isinstance(judge, ShowsPrompt):
            asked: ShowsPrompt = judge

            def shows(pictures: list[Picture], prompts: list[str]) -> list[float | None]:
                return asked.shows(pictures, prompts)

            self._shows = gpu(shows)
            # an attribute, not __getattr__: from Python 3.12 on that is where isinstance looks for a protocol's members
            self.shows = self._shows_elsewhere

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._judge, name)

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """As the judge's own."""
        return list(self._read(list(pictures)))

    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        """As the judge's own."""
        critique: Critique | None = self._advise(list(attempts), target)
        return critique

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """As the judge's own."""
        return self._judge.content_kept(prompt, reading)

    def _shows_elsewhere(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[float | None]:
        """As the judge's own."""
        return list(self._shows(list(pictures), list(prompts)))


def on_zero_gpu(pair: tuple[Generator, Judge], gpu: Gpu) -> tuple[Generator, Judge]:
    """Both models behind the decorator; they must be loaded already, on the device of the fork."""
    drawer: Any = ZeroGpuGenerator(pair[0], gpu)
    reader: Any = ZeroGpuJudge(pair[1], gpu)
    return drawer, reader
