"""The plane as a continuum: V x A sheets, paths through it, and how evenly the picture changes along them.

Every picture of a sheet or path has the same words and the same seed, so only the emotion differs. A perceptual step
between two pictures is their mean CIELAB distance (CIE76 delta E) after averaging down to 32 x 32: it weighs light,
colour and large shapes, which is what carries mood, and forgives shifts of a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from emofeedback.affect import Affect, emotion
from emofeedback.errors import UserError
from emofeedback.records import PictureRequest, VisualPrompt

EXTENT = 0.8
COMPARE_SIZE = 32
MAX_GRID = 15
MAX_FRAMES = 200


@dataclass(frozen=True, slots=True)
class Continuity:
    """Figures of a sequence of neighbours; steps in delta E.

    `ratio` is the largest over the mean step: 1 is perfectly even, large means a jump. `travel` is the distance of
    the two ends; 0 means that the emotion does not move the picture at all.
    """

    steps: int
    mean_step: float
    largest_step: float
    ratio: float
    travel: float


def grid_affects(grid: int, extent: float = EXTENT) -> list[list[Affect]]:
    """`grid` rows of arousal from high to low, each with valence from low to high, over [-extent, extent].

    Raises:
        UserError: the grid is not 2 to 15.
    """
    if not 2 <= grid <= MAX_GRID:
        raise UserError(f"grid must be a whole number from 2 to {MAX_GRID}, not {grid}.")
    values = [round(-extent + 2 * extent * i / (grid - 1), 6) for i in range(grid)]
    return [[Affect(valence, arousal) for valence in values] for arousal in reversed(values)]


def parse_path(text: str) -> tuple[Affect, ...]:
    """Waypoints from "v,a v,a ...".

    Raises:
        UserError: fewer than two points, or one that is not on the plane.
    """
    points = []
    for item in text.replace(";", " ").split():
        try:
            valence, arousal = (float(number) for number in item.split(","))
        except ValueError:
            raise UserError(
                f'{item!r} is not a point; write a path as "v,a v,a ..." with numbers from -1 to 1.'
            ) from None
        points.append(Affect(valence, arousal))
    if len(points) < 2:
        raise UserError('A path needs at least two points; write it as "v,a v,a ...".')
    return tuple(points)


def blend(first: str, second: str, share: float) -> Affect:
    """The point that lies `share` of the way from one named emotion to another on the plane.

    Blending is done on the plane, not in the pictures: a mixture of two moods is the mood between them.

    Args:
        share: of the second, in [0, 1].

    Raises:
        UserError: a name is unknown, or the share is out of range.
    """
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0.0 <= share <= 1.0:
        raise UserError(f"The share must be a number from 0 to 1, not {share!r}.")
    a, b = emotion(first), emotion(second)
    rest = 1.0 - share
    return Affect.clamped(rest * a.valence + share * b.valence, rest * a.arousal + share * b.arousal)


def shares(frames: int, share: float | None = None) -> list[float]:
    """`frames` even shares from 0 to 1; `share` takes the place of the nearest one between the ends.

    Raises:
        UserError: frames is not 2 to 200.
    """
    if not 2 <= frames <= MAX_FRAMES:
        raise UserError(f"frames must be a whole number from 2 to {MAX_FRAMES}, not {frames}.")
    even = [i / (frames - 1) for i in range(frames)]
    if share is not None and frames > 2 and 0.0 < share < 1.0:
        even[min(range(1, frames - 1), key=lambda i: abs(even[i] - share))] = share
    return even


def parse_blend(text: str) -> tuple[str, str, float | None]:
    """Two named emotions and the share of the second from "FIRST,SECOND" or "FIRST,SECOND,SHARE".

    Raises:
        UserError: it is not written that way, or a name is unknown.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (2, 3) or not all(parts):
        raise UserError(f'{text[:60]!r} is no blend; write it as "happy,afraid" or "happy,afraid,0.3".')
    try:
        share = float(parts[2]) if len(parts) == 3 else None
    except ValueError:
        raise UserError(f"The share must be a number from 0 to 1, not {parts[2][:20]!r}.") from None
    blend(parts[0], parts[1], 0.5 if share is None else share)
    return parts[0], parts[1], share


def along(waypoints: Sequence[Affect], frames: int) -> list[Affect]:
    """`frames` points spaced evenly by length along the straight lines through the waypoints, ends included.

    Raises:
        UserError: frames is not 2 to 200, or the path has no length.
    """
    if not 2 <= frames <= MAX_FRAMES:
        raise UserError(f"frames must be a whole number from 2 to {MAX_FRAMES}, not {frames}.")
    lengths = np.cumsum([0.0] + [a.distance(b) for a, b in pairwise(waypoints)])
    if lengths[-1] == 0:
        raise UserError("The path has no length; its points are all the same.")
    where = np.linspace(0.0, lengths[-1], frames)
    valence = np.interp(where, lengths, [p.valence for p in waypoints])
    arousal = np.interp(where, lengths, [p.arousal for p in waypoints])
    return [Affect.clamped(float(v), float(a)) for v, a in zip(valence, arousal, strict=True)]


def requests_for(
    prompt: str,
    affects: Sequence[Affect],
    seed: int,
    strength: float = 1.0,
    steps: int | None = None,
    visual: VisualPrompt | None = None,
) -> list[PictureRequest]:
    """One request per point: same words, same seed.

    Args:
        visual: of every picture; where it names no emotion, each point is shown what lies nearest to it.
    """
    return [PictureRequest(prompt, affect, seed, strength, steps, visual=visual) for affect in affects]


def lab(image: Image.Image) -> np.ndarray:
    """CIELAB (D65) of a picture averaged down to COMPARE_SIZE: float64 [32, 32, 3], L in [0, 100].

    IEC 61966-2-1 (sRGB) and CIE 15 (L*a*b*).
    """
    small = image.convert("RGB").resize((COMPARE_SIZE, COMPARE_SIZE), Image.Resampling.BOX)
    srgb = np.asarray(small, dtype=np.float64) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def perceptual_step(first: Image.Image, second: Image.Image) -> float:
    """Mean delta E between two pictures, >= 0."""
    return float(np.linalg.norm(lab(first) - lab(second), axis=-1).mean())


def continuity(images: Sequence[Image.Image]) -> Continuity:
    """Figures of a path of at least two pictures."""
    return _figures([perceptual_step(a, b) for a, b in pairwise(images)], perceptual_step(images[0], images[-1]))


def sheet_continuity(images: Sequence[Sequence[Image.Image]]) -> dict[str, Continuity]:
    """Figures of neighbours along `valence` (in rows) and `arousal` (in columns); travel is the mean of the ends."""
    columns = list(zip(*images, strict=True))
    figures = {}
    for name, lines in (("valence", images), ("arousal", columns)):
        steps = [perceptual_step(a, b) for line in lines for a, b in pairwise(line)]
        travel = float(np.mean([perceptual_step(line[0], line[-1]) for line in lines]))
        figures[name] = _figures(steps, travel)
    return figures


def _figures(steps: list[float], travel: float) -> Continuity:
    mean = float(np.mean(steps))
    largest = max(steps)
    return Continuity(len(steps), mean, largest, largest / mean if mean > 0 else 1.0, travel)
