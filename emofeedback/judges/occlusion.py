"""Where in a picture its emotion lies: each part is blurred away in turn, and the reading's change is its share.

Occlusion sensitivity after Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014); the
cover is the picture's own blur instead of grey, which would be dull and so have an emotion of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter

from emofeedback.protocols import Judge
from emofeedback.records import Picture, PictureRequest, Reading

ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
LEAST = 0.04
"""Changes below this are not worth a word; the bundled judge's own scatter between redraws is of that size."""
SIDE = 384
"""Pixels of the longer side at which parts are covered."""


@dataclass(frozen=True, slots=True)
class Region:
    """A ninth of a picture, and what it adds to the reading: the whole minus the picture without it."""

    name: str
    valence: float
    arousal: float

    def weight(self) -> float:
        """Length of its pull on the plane."""
        return float((self.valence**2 + self.arousal**2) ** 0.5)


def regions(judge: Judge, image: Image.Image, whole: Reading) -> list[Region]:
    """The nine parts of a picture, strongest first; those that the judge cannot read are left out.

    Args:
        whole: the reading of the picture as it is.
    """
    small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    blurred = small.filter(ImageFilter.GaussianBlur(max(small.size) / 4))
    names, covered = [], []
    for row, vertical in enumerate(ROWS):
        for column, horizontal in enumerate(COLUMNS):
            names.append("centre" if row == column == 1 else f"{vertical} {horizontal}")
            covered.append(Image.composite(blurred, small, _mask(small.size, row, column)))
    request = PictureRequest("", None, 0)
    readings = judge.read([Picture(item, request, "covered", 0.0) for item in covered])
    found = [
        Region(name, whole.affect.valence - r.affect.valence, whole.affect.arousal - r.affect.arousal)
        for name, r in zip(names, readings, strict=True)
        if r is not None
    ]
    return sorted(found, key=Region.weight, reverse=True)


def _mask(size: tuple[int, int], row: int, column: int) -> Image.Image:
    """White over one ninth, with a soft edge."""
    width, height = size
    mask = Image.new("L", size, 0)
    box = (column * width / 3, row * height / 3, (column + 1) * width / 3, (row + 1) * height / 3)
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    return mask.filter(ImageFilter.GaussianBlur(max(size) / 60))


def sentences(found: Sequence[Region], most: int = 3) -> list[str]:
    """The strongest parts in words, such as "bottom left: more pleasant (+0.21), calmer (-0.10)"."""
    told = []
    for region in found[:most]:
        ways = []
        if abs(region.valence) >= LEAST:
            ways.append(f"{'more' if region.valence > 0 else 'less'} pleasant ({region.valence:+.2f})")
        if abs(region.arousal) >= LEAST:
            ways.append(f"{'more excited' if region.arousal > 0 else 'calmer'} ({region.arousal:+.2f})")
        if ways:
            told.append(f"{region.name}: {', '.join(ways)}")
    return told
