"""A sweep as a moving picture: GIF and WebP by Pillow, MP4 where imageio-ffmpeg is installed."""

import importlib.util
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.machine.temporary import process_folder

Format = Literal["gif", "webp", "mp4"]
FORMATS: tuple[str, ...] = get_args(Format)
HOLD = 0.4
"""Seconds that a picture stays."""
FADE = 3
"""Pictures of a cross-fade between two neighbours."""
FADE_SECONDS = 0.05


def has_mp4() -> bool:
    """Whether the optional MP4 writer is installed."""
    return importlib.util.find_spec("imageio_ffmpeg") is not None


def formats() -> tuple[str, ...]:
    """The formats that can be written on this machine."""
    return tuple(name for name in FORMATS if name != "mp4" or has_mp4())


def format_of(name: str) -> Format:
    """A format by its name or a file's suffix.

    Raises:
        UserError: it is unknown, or MP4 cannot be written here.
    """
    match name.lower().removeprefix("."):
        case "gif":
            return "gif"
        case "webp":
            return "webp"
        case "mp4" if has_mp4():
            return "mp4"
        case "mp4":
            raise UserError("MP4 needs one more package: run `pip install imageio-ffmpeg`, or ask for webp or gif.")
        case other:
            raise UserError(f"An animation cannot be {other[:20]!r}; known are {', '.join(FORMATS)}.")


def timeline(images: Sequence[Image.Image]) -> list[tuple[Image.Image, float]]:
    """Each picture and the fades between neighbours with their seconds, there and back, so that it loops smoothly.

    Raises:
        UserError: fewer than two pictures.
    """
    if len(images) < 2:
        raise UserError("An animation needs at least two pictures.")
    frames = [image.convert("RGB") for image in images]
    path = [*frames, *frames[-2:0:-1]]
    shown: list[tuple[Image.Image, float]] = []
    for here, there in zip(path, [*path[1:], path[0]], strict=True):
        shown.append((here, HOLD))
        shown += [(Image.blend(here, there, (i + 1) / (FADE + 1)), FADE_SECONDS) for i in range(FADE)]
    return shown


def animate(images: Sequence[Image.Image], form: Format) -> bytes:
    """The pictures as an animation that loops, there and back with short fades.

    Args:
        images: of one size, in order.

    Raises:
        UserError: fewer than two pictures, or MP4 cannot be written here.
    """
    shown = timeline(images)
    if format_of(form) == "mp4":
        return _mp4(shown)
    buffer = io.BytesIO()
    first, *rest = [image for image, _ in shown]
    milliseconds = [round(1000 * seconds) for _, seconds in shown]
    options = {"quality": 88, "method": 4} if form == "webp" else {"optimize": False, "disposal": 1}
    first.save(buffer, form.upper(), save_all=True, append_images=rest, duration=milliseconds, loop=0, **options)
    return buffer.getvalue()


def _mp4(shown: Sequence[tuple[Image.Image, float]]) -> bytes:
    """H.264 in MP4; every frame lasts FADE_SECONDS, so a picture that stays is repeated."""
    import imageio_ffmpeg  # optional

    width, height = (side + side % 2 for side in shown[0][0].size)  # H.264 wants even sides
    with tempfile.TemporaryDirectory(prefix="mp4-", dir=process_folder()) as folder:
        path = Path(folder) / "sweep.mp4"
        writer = imageio_ffmpeg.write_frames(
            str(path), (width, height), fps=1 / FADE_SECONDS, macro_block_size=2, quality=7, ffmpeg_log_level="error"
        )
        writer.send(None)
        for image, seconds in shown:
            frame = np.ascontiguousarray(image.resize((width, height)))
            for _ in range(round(seconds / FADE_SECONDS)):
                writer.send(frame)
        writer.close()
        return path.read_bytes()
