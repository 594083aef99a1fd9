"""Which size of a picture a person is shown and keeps; judges, raters, rollouts and history keep to the drawn one."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from emofeedback.files.png_settings import COMMON, OWN
from emofeedback.files.storage import upscaling_text
from emofeedback.protocols import Upscaler
from emofeedback.records import Candidate, Picture, PictureRequest, Upscaling

MAX_SIDE = 4096
"""Pixels: nothing is enlarged beyond."""


@dataclass(frozen=True, slots=True)
class LargePictures:
    """The one place that decides what is enlarged; without an upscaler every picture stays as it was drawn."""

    upscaler: Upscaler | None = None

    def upscaling(self, picture: Picture, chosen: bool = True) -> Upscaling | None:
        """What is done to a picture before a person gets it; None = nothing.

        Args:
            chosen: it is the one of its round or the only one; of others an upscaler that is not quick makes nothing.
        """
        upscaler = self.upscaler
        if upscaler is None or picture.withheld or picture.upscaled is not None:
            return None
        if max(picture.image.size) * upscaler.scale > MAX_SIDE or not (chosen or upscaler.quick):
            return None
        return Upscaling(upscaler.name, upscaler.scale)

    def of(self, pictures: Sequence[Picture]) -> list[Picture]:
        """The pictures as a person gets them, in order."""
        return self._done([(picture, self.upscaling(picture)) for picture in pictures])

    def of_round(self, candidates: Sequence[Candidate]) -> list[Picture]:
        """A round's pictures as a person gets them, in order."""
        return self._done([(c.picture, self.upscaling(c.picture, c.chosen)) for c in candidates])

    def of_png(self, content: bytes) -> bytes:
        """A PNG as it was drawn, such as history's, as a person gets it; its texts are kept and tell of it."""
        with Image.open(io.BytesIO(content), formats=["PNG"]) as opened:
            image = opened.convert("RGB")
            texts: dict[str, str] = dict(getattr(opened, "text", {}))
        making = _making(texts.get(OWN))
        scene = making.get("scene")
        drawn = Picture(image, PictureRequest("", None, 0), "", 0.0, scene=scene if isinstance(scene, str) else None)
        done = None if making.get("upscaled") else self.upscaling(drawn)
        if done is None:
            return content
        if making:
            texts[OWN] = json.dumps(making | {"upscaled": asdict(done)}, ensure_ascii=False)
        if COMMON in texts:
            texts[COMMON] += f", {upscaling_text(done)}"
        info, buffer = PngInfo(), io.BytesIO()
        for key, text in texts.items():
            info.add_text(key, text)
        self.of([drawn])[0].image.save(buffer, "PNG", pnginfo=info)
        return buffer.getvalue()

    def _done(self, asked: Sequence[tuple[Picture, Upscaling | None]]) -> list[Picture]:
        small = [picture for picture, done in asked if done is not None]
        enlarged = iter(
            self.upscaler.upscale([p.image for p in small], [p.scene for p in small])
            if self.upscaler is not None and small
            else []
        )
        return [p if done is None else replace(p, image=next(enlarged), upscaled=done) for p, done in asked]


def _making(text: str | None) -> dict[str, object]:
    """Our own chunk of a PNG; empty where there is none."""
    try:
        making = json.loads(text or "")
    except ValueError:
        return {}
    return making if isinstance(making, dict) else {}
