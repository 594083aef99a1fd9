"""A public host runs the safety checker of the generator's family, where it has one, and withholds what that flags."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.protocols import Generator, Judge, OnStep, SafetyChecked, ShowsPrompt
from emofeedback.records import Attempt, Critique, Picture, Reading

WITHHELD = "The safety checker of this host withheld the picture; use other words or another seed."
BLANK = (128, 128, 128)


class GuardedGenerator:
    """A generator whose flagged pictures are handed on blank and marked as withheld; everything else is its own."""

    def __init__(self, generator: Generator, checker: SafetyChecked) -> None:
        # not plain attributes: names of the generator's own, such as `name`, are read from and set on it
        object.__setattr__(self, "_generator", generator)
        object.__setattr__(self, "_checker", checker)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # a copy that holds nothing yet must not ask itself for ever
        return getattr(self._generator, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._generator, name, value)

    @property
    def safety(self) -> str | None:
        """As the generator's own."""
        return self._checker.safety

    def unsafe(self, pictures: Sequence[Picture]) -> list[bool]:
        """As the generator's own."""
        return self._checker.unsafe(pictures)

    def generate(self, requests: Sequence[Any], on_step: OnStep | None = None) -> Iterator[Picture]:
        """As the generator's own.

        Raises:
            UserError: every picture of the batch was flagged.
        """
        pictures = list(self._generator.generate(requests, on_step))
        flags = self._checker.unsafe(pictures) if pictures else []
        if pictures and all(flags):
            raise UserError(WITHHELD)
        for picture, flagged in zip(pictures, flags, strict=True):
            blank = Image.new("RGB", picture.image.size, BLANK)
            yield replace(picture, image=blank, withheld=True) if flagged else picture


class GuardedJudge:
    """A judge that reads nothing in a withheld picture, so that it is never chosen beside one that can be shown.

    Everything else is the judge's own.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        if isinstance(judge, ShowsPrompt):
            # an attribute, not __getattr__: from Python 3.12 on that is where isinstance looks for a protocol's members
            self.shows = judge.shows

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._judge, name)

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """As the judge's own; None for what is withheld."""
        shown = [picture for picture in pictures if not picture.withheld]
        readings = iter(self._judge.read(shown) if shown else [])
        return [None if picture.withheld else next(readings) for picture in pictures]

    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        """As the judge's own."""
        return self._judge.advise(attempts, target)

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """As the judge's own."""
        return self._judge.content_kept(prompt, reading)


def guarded(pair: tuple[Generator, Judge]) -> tuple[Generator, Judge]:
    """The pair as a public host uses it; unchanged where the generator came without a safety checker."""
    generator, judge = pair
    if not isinstance(generator, SafetyChecked) or generator.safety is None:
        return pair
    watched: Any = GuardedGenerator(generator, generator)
    reader: Any = GuardedJudge(judge)
    return watched, reader
