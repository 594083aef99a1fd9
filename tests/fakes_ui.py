"""A generator and a judge without weights: pictures coloured by the mood, readings taken from that colour."""

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
from patience import PATIENCE
from PIL import Image, ImageDraw

from emofeedback.affect import Affect
from emofeedback.picture_size import Sizes
from emofeedback.protocols import OnStep
from emofeedback.records import Attempt, Critique, Edit, Picture, PictureRequest, Reading, Seen

MOODS = {"sunset": (0.2, -0.1), "storm": (-0.3, 0.4), "fog": (-0.2, -0.3), "flowers": (0.3, 0.1)}


class FakeGenerator:
    """Red = valence, green = arousal, both in [0, 255]; half of the target, more with every word of MOODS."""

    name, size, default_steps, preview_steps = "fake-generator", 96, 4, 2
    takes_negative = True
    sizes: Sizes | None = None

    def __init__(self, seconds_per_step: float = 0.0) -> None:
        self.seconds_per_step = seconds_per_step
        self.steps_done = 0

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        begun = time.perf_counter()
        steps = requests[0].steps or self.default_steps
        for step in range(steps):
            time.sleep(self.seconds_per_step)
            self.steps_done += 1
            if on_step is not None:
                on_step(step + 1, steps)
        for request in requests:
            yield Picture(self._draw(request), request, self.name, time.perf_counter() - begun)

    def _draw(self, request: PictureRequest) -> Image.Image:
        rng = random.Random(f"{request.seed}")
        target = request.affect or Affect(0, 0)
        v = 0.5 * target.valence * min(1.0, request.strength) + rng.uniform(-0.1, 0.1)
        a = 0.5 * target.arousal * min(1.0, request.strength) + rng.uniform(-0.1, 0.1)
        for word, (dv, da) in MOODS.items():
            if word in request.prompt:
                v, a = v + dv, a + da
        at = Affect.clamped(v, a)
        red, green = round((at.valence + 1) * 127.5), round((at.arousal + 1) * 127.5)
        image = Image.new("RGB", (self.size, self.size), (red, green, 120))
        pen, x = ImageDraw.Draw(image), rng.randint(20, 60)
        pen.ellipse((x, 14, x + 22, 36), fill=(red, green, 220))
        pen.polygon([(0, 96), (0, 70), (30, 52), (60, 72), (96, 58), (96, 96)], fill=(red, green, 60))
        return image if request.size is None else image.resize(request.size)

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        return tuple(word for word in prompt.split() if word.lower() in ("zeppelin", "quasar"))

    def left_out(self, prompt: str) -> str:
        return " ".join(prompt.split()[40:])


class FakeJudge:
    """Reads the colour of the top left pixel; advises the word of MOODS that leads closest to the target."""

    name = "fake-judge"

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        readings: list[Reading | None] = []
        for picture in pictures:
            red, green, _ = picture.image.convert("RGB").getpixel((0, 0))  # type: ignore[misc]
            seen = (Seen("place", "seaside", 0.93), Seen("subject", "lighthouse", 0.88), Seen("time", "day", 0.61))
            affect = Affect.clamped(red / 127.5 - 1, green / 127.5 - 1)
            readings.append(Reading(affect, 0.16, 0.22, 0.98, seen, self.name))
        return readings

    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        last = attempts[-1]
        if last.reading is None:
            return None
        at = last.reading.affect
        unused = {word: move for word, move in MOODS.items() if word not in last.prompt}
        left = {word: Affect.clamped(at.valence + dv, at.arousal + da) for word, (dv, da) in unused.items()}
        word = min(left, key=lambda w: left[w].distance(target)) if left else ""
        edits = (Edit("add", new=f"with {word}"),) if word else ()
        analysis = f"The picture reads <b>{at.valence:+.2f}</b> against {target.valence:+.2f}; the light is too even."
        return Critique(analysis, ("even light", "open water"), edits)

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        return True


def raw_call(address: str, name: str, data: list[Any]) -> tuple[bool, str]:
    """A call of an endpoint as curl makes it: whether it went well, and all that came back."""
    base = f"{address}gradio_api/call/{name}"
    begun = httpx.post(base, json={"data": data})
    if begun.status_code != 200:
        return False, begun.text
    answer = httpx.get(f"{base}/{begun.json()['event_id']}", timeout=PATIENCE).text
    return "event: complete" in answer, answer
