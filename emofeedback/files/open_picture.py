"""Opening a user's picture: any common format, upright, RGB, of bounded size, or one sentence why not."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from emofeedback.errors import UserError
from emofeedback.files.read_bounded import read_bounded

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
BITS_PER_SAMPLE = 258
"""A TIFF file's tag of this number."""
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000
MAX_SIDE = 2048
"""Longer sides are scaled down: no model here looks at more."""


def open_picture(source: Path | bytes, name: str | None = None) -> Image.Image:
    """An RGB picture, EXIF orientation applied, transparency on white, first frame of an animation.

    Args:
        source: a file, or a file's content.
        name: what messages call it.

    Raises:
        UserError: the file is missing, too large, damaged or not a picture.
    """
    label = name or (str(source) if isinstance(source, Path) else "the picture")
    content = source if isinstance(source, bytes) else _read(source, label)
    if len(content) > MAX_BYTES:
        raise UserError(f"{label} is larger than {MAX_BYTES // 2**20} MB; scale it down first.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower and names itself
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise UserError(f"{label} has {image.width} x {image.height} pixels; scale it down to 50 million or fewer.")
        image.load()
        upright = ImageOps.exif_transpose(image)
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(f"{label} is not a picture; use one of {', '.join(FORMATS)}.") from None
    except Image.DecompressionBombError:
        raise UserError(f"{label} has too many pixels; scale it down to 50 million or fewer.") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, ArithmeticError, LookupError, TypeError):
        # Pillow's decoders raise all of these on damaged files.
        raise UserError(f"{label} is damaged or cut off; save it again and retry.") from None
    rgb = _on_white(upright, _white(image))
    rgb.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return rgb


def square(image: Image.Image, size: int) -> Image.Image:
    """The centre square at `size` x `size` pixels."""
    return ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)


def _read(path: Path, label: str) -> bytes:
    try:
        return read_bounded(path, MAX_BYTES)
    except FileNotFoundError:
        raise UserError(f"There is no file {label}; check the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{label} cannot be read ({reason}); check the path and its permissions.") from None


def _on_white(image: Image.Image, white: float | None) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_bytes(np.asarray(image, dtype=np.float64), white)).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        paper = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(paper, rgba).convert("RGB")
    return image.convert("RGB")


def _white(image: Image.Image) -> float | None:
    """The grey value of white in a file as opened, by its bit depth; None where that does not tell it.

    A depth beyond 16 bits (32-bit integers, floating point numbers) mostly holds a smaller range.
    """
    bits: object = 16 if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG") else None
    if bits == 16 and isinstance(image, TiffImageFile):
        bits = image.tag_v2.get(BITS_PER_SAMPLE, (16,))[0]  # such as 12
    return 2.0**bits - 1 if isinstance(bits, int) else None


def _to_bytes(values: np.ndarray, white: float | None) -> np.ndarray:
    """Grey values of 16-bit, 32-bit or floating point pictures as uint8.

    Args:
        white: the value of white; None = the smallest usual one that no pixel exceeds.
    """
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if white is None:
        top = float(values.max(initial=0.0))
        white = next((w for w in (1.0, 255.0, 65535.0) if top <= w), top)
    return np.clip(values * (255.0 / white), 0, 255).astype(np.uint8)
