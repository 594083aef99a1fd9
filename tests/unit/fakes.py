"""Test doubles of the two models: one paints a flat colour from words and affect, the other reads that colour."""

import time
from collections.abc import Callable, Iterator, Sequence

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.protocols import OnStep
from emofeedback.records import Attempt, Critique, Edit, Picture, PictureRequest, Reading, Seen

SIZE = 16


def colour_of(affect: Affect, content: bool = True) -> tuple[int, int, int]:
    """Red tells valence, green arousal, blue whether the content is there."""
    return round((affect.valence + 1) * 127.5), round((affect.arousal + 1) * 127.5), 255 if content else 0


class PaintGenerator:
    """Answers to V-A only by `obedience`; each "brighter" in the prompt adds .2 valence, each seed a little arousal."""

    name = "paint"
    size = SIZE
    default_steps = 4
    preview_steps = 2
    takes_negative = True
    sizes = None

    def __init__(self, obedience: float = 0.5, step_seconds: float = 0.0, fail: Exception | None = None) -> None:
        self.obedience, self.step_seconds, self.fail = obedience, step_seconds, fail
        self.calls: list[list[PictureRequest]] = []
        self.steps_done = 0

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        self.calls.append(list(requests))
        steps = requests[0].steps or self.default_steps
        for step in range(steps):
            time.sleep(self.step_seconds)
            if self.fail is not None and step == 1:
                raise self.fail
            self.steps_done += 1
            if on_step is not None:
                on_step(step + 1, steps)
        for request in requests:
            target = request.affect or Affect(0, 0)
            valence = self.obedience * target.valence + 0.2 * request.prompt.count("brighter")
            arousal = self.obedience * target.arousal + 0.02 * (request.seed % 10)
            image = Image.new(
                "RGB", (SIZE, SIZE), colour_of(Affect.clamped(valence, arousal), "lost" not in request.prompt)
            )
            yield Picture(image, request, self.name, 0.01)

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        return tuple(word for word in prompt.split() if not word.isascii())


class ColourJudge:
    """Reads colour_of back and asks for "brighter" while valence is too low."""

    name = "colour"

    def __init__(
        self, blind: bool = False, advise: Callable[[Sequence[Attempt]], Critique | None] | None = None
    ) -> None:
        self.blind, self._advise = blind, advise
        self.histories: list[tuple[Attempt, ...]] = []

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        return [None if self.blind else self._read(picture.image) for picture in pictures]

    def _read(self, image: Image.Image) -> Reading:
        red, green, blue = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
        affect = Affect.clamped(red / 127.5 - 1, green / 127.5 - 1)
        seen = (Seen("subject", "paint", 0.9),) if blue > 127 else ()
        return Reading(affect, 0.1, 0.1, 0.99, seen, self.name)

    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        self.histories.append(tuple(attempts))
        if self._advise is not None:
            return self._advise(attempts)
        last = attempts[-1]
        if last.reading is None or last.reading.affect.valence >= target.valence:
            return Critique("It is right.", (), ())
        new = " ".join(["brighter"] * (last.prompt.count("brighter") + 1))
        edit = Edit("add", new=new) if "brighter" not in last.prompt else Edit("replace", old=new[9:], new=new)
        return Critique("It is too dark.", ("dark",), (edit,))

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        return "paint" in reading.words()
