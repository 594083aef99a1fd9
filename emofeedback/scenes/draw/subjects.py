"""The content of a scene on its ground: the subject large and near the centre, its companion beside it.

Where everything stands depends on the scene alone and not on what was drawn before, so that the boxes of the subjects
can be had without a picture.
"""

import functools
import io
import random
from dataclasses import dataclass, replace
from typing import Literal

import resvg_py
from PIL import Image

from emofeedback.scenes.draw.canvas import Ink, brightness, ellipse, group, line, path
from emofeedback.scenes.draw.figures import FIGURE_DRAWINGS
from emofeedback.scenes.draw.structures import STRUCTURE_DRAWINGS
from emofeedback.scenes.grammar import FIGURES, INDOOR_PLACES, PEOPLE, POSES, SEVERAL, STRUCTURES, WATER_PLACES, Scene

Part = Literal["all", "window", "room"]

Box = tuple[float, float, float, float]
"""Left, top, right, bottom; y down."""

COATS = {
    "red": "#d92b2f",
    "orange": "#f0821e",
    "yellow": "#f4c824",
    "green": "#3a9a46",
    "blue": "#2c66c4",
    "purple": "#7b3fae",
    "pink": "#f07fae",
    "brown": "#8a5530",
    "black": "#2a2a31",
    "white": "#f6f5f1",
    "grey": "#8f949c",
}
"""What each colour of the grammar looks like on a main surface in white light."""

_NAMES_BY_HEIGHT = {
    46: ("bird", "butterfly", "baby", "rabbit", "duck"),
    48: ("owl", "fish"),
    50: (
        "person",
        "couple",
        "child",
        "sitter",
        "runner",
        "dancer",
        "old man",
        "dog",
        "cat",
        "sheep",
        "fox",
        "campfire",
    ),
    52: ("wolf", "family", "swan", "car", "bicycle", "bench"),
    54: ("horse", "deer", "cow", "bear", "tent", "flower", "house", "boat"),
    56: ("statue", "fountain", "umbrella"),
    58: ("elephant", "market stall", "castle"),
    60: ("windmill", "church", "tree", "truck"),
    62: ("palm", "bus", "hot-air balloon"),
    64: ("lighthouse",),
    66: ("train", "tower", "skyscraper", "airplane"),
    72: ("bridge", "ship"),
}
HEIGHTS = {name: height for height, names in _NAMES_BY_HEIGHT.items() for name in names}
"""Height of the 100-unit drawing box in picture units when the subject stands alone."""

AIRBORNE = ("airplane", "hot-air balloon")
AFLOAT = ("boat", "ship", "bridge", "fish", "duck", "swan")
"""What stands in the water where there is some."""
SCALES = {None: 1.0, "small": 0.68, "large": 1.28}

FIGURE_GROUND = 87.0
STRUCTURE_GROUND = 82.0
WATER_LINE = 72.5
SHORE = 79.0
"""Where the near bank begins at the latest: reflections end there."""
SKY_CENTRE = 33.0
PICTURE: Box = (1.0, 1.0, 99.0, 99.0)
WINDOW: Box = (16.0, 8.0, 84.0, 52.0)
"""The window of the rooms, through which structures are seen."""
WINDOW_SHARE = 0.7
"""Size of what is seen through the window, compared with outdoors."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one subject stands: the origin of its drawing in picture units, and the size of one local unit.

    ground: "land" has a contact shadow, "water" a reflection, "air" and "window" neither. first: it is the scene's
    first subject, which has the colour. seated: it sits on the bench behind it, or is one wide enough for several.
    nth: which copy of the subject it is. kind: its kind.
    """

    name: str
    x: float
    y: float
    scale: float
    flip: bool
    ground: str
    first: bool
    seated: bool = False
    nth: int = 0
    kind: str | None = None


def subjects(scene: Scene, near: Ink, rng: random.Random, part: Part = "all") -> str:
    """Subject and companion as SVG in picture coordinates.

    Args:
        rng: what the drawings choose their variations by; it does not move them.
        part: "window" = only what is seen through the window of a room, "room" = only the rest.
    """
    inks = {
        first: replace(near, rng=rng, pose=scene.pose, coat=COATS.get(scene.colour) if first and scene.colour else None)
        for first in (True, False)
    }
    shown = [p for p in placements(scene) if part == "all" or (p.ground == "window") == (part == "window")]
    lines = [p for p in shown if p.name == "train" and p.ground == "land"]
    rails = _rails(max(p.y for p in lines), max(p.scale for p in lines), near) if lines else ""
    return rails + "".join(_drawn(p, inks[p.first], scene) for p in shown)


def subject_boxes(scene: Scene) -> list[tuple[str, Box]]:
    """Name and bounding box, in picture units (0..100), of every copy of the subject and of the companion.

    The boxes hold the drawings as they are by day; shadows, reflections and light in the dark reach beyond them.
    """
    boxes = []
    for p in placements(scene):
        left, top, right, bottom = _box(p, _extent_of(p, scene))
        boxes.append((p.name, (max(left, 0.0), max(top, 0.0), min(right, 100.0), min(bottom, 100.0))))
    return boxes


def placements(scene: Scene) -> list[Placement]:
    """Where the subjects stand, from back to front; it depends on content and layout only, not on the setting."""
    if scene.subject is None:
        return []
    rng = random.Random(f"{scene.layout} subjects")
    jitter, scale = rng.uniform(-1, 1), rng.uniform(0.95, 1.06)
    own = scale * SCALES[scene.size]
    if scene.companion is None:
        return _row(scene, scene.subject, rng, 50.0 + (5 * jitter if scene.count == 1 else jitter), 94.0, own)
    if _sits(scene):
        return _on_bench(scene, rng, 50.0 + 4 * jitter, scale)
    x = (67 if scene.count == 1 else 78) + rng.uniform(-2, 2)
    front = _row(scene, scene.subject, rng, (34 if scene.count == 1 else 31) + 2 * jitter, 60.0, 0.84 * own)
    if scene.companion in FIGURES:
        return [*front, _placed(scene, scene.companion, x, 0.72 * scale, first=False)]
    return [_placed(scene, scene.companion, x, 0.88 * scale, first=False, back=4.0), *front]


def _sits(scene: Scene) -> bool:
    """Whether the scene has people who sit on its bench: several people at once fill it."""
    if scene.subject == "bench":
        return scene.count == 1 and scene.companion in PEOPLE
    return scene.companion == "bench" and scene.subject in PEOPLE and (scene.count == 1 or scene.subject not in SEVERAL)


def _on_bench(scene: Scene, rng: random.Random, centre: float, scale: float) -> list[Placement]:
    """A bench and who sits on it: one person a little to one side so that the bench is seen, several side by side."""
    who = scene.companion if scene.subject == "bench" else scene.subject
    assert who is not None
    scale *= 1.22 if scene.size == "large" else SCALES[scene.size]
    wide = scene.count > 1
    aside = 0.0 if who in SEVERAL or wide else rng.choice((-1, 1)) * 10.0 * scale
    bench = _placed(scene, "bench", centre, scale, first=scene.subject == "bench", seated=wide)
    place = _placed(scene, who, bench.x + aside, scale, first=scene.subject == who, back=-0.6)
    place = replace(place, scale=bench.scale, seated=True)
    if not wide:
        return [bench, place]
    pitch = {2: 54.0, 3: 44.0}[scene.count] * bench.scale
    return [
        bench,
        *(replace(place, x=bench.x + (i - (scene.count - 1) / 2) * pitch, nth=i) for i in range(scene.count)),
    ]


def _row(scene: Scene, name: str, rng: random.Random, centre: float, width: float, scale: float) -> list[Placement]:
    """The copies of the first subject side by side, about `centre` and within `width`, the farthest first."""
    if scene.count == 1:
        return [_placed(scene, name, centre, scale, first=True)]
    left, _, right, _ = _extent(name, kind=scene.kind)
    unit, room = HEIGHTS[name] / 100, width
    if _behind_window(scene, name):
        unit, room = WINDOW_SHARE * unit, WINDOW[2] - WINDOW[0] - 4
    breadth = (right - left) * unit
    widest = max([breadth, *(unit * (e[2] - e[0]) for e in _upright(name, scene.kind))])
    scale = min(scale * {2: 0.92, 3: 0.78}[scene.count], room / scene.count / breadth)
    pitch = min(room / scene.count, max(1.25 * breadth, widest) * scale)
    row = []
    for i in range(scene.count):
        x = centre + (i - (scene.count - 1) / 2) * pitch + rng.uniform(-1, 1)
        size, flip, back = scale * rng.uniform(0.9, 1.0), rng.random() < 0.4, rng.uniform(0, 3)
        if name in AIRBORNE:
            back = (-5.0, 7.0, 0.0)[i]
        elif name == "train":
            back = 0.0  # on one line
        # a drawing need not be symmetrical about its origin: its middle stands at x, mirrored or not
        x -= (-1 if flip else 1) * (left + right) / 2 * unit * size
        row.append(_placed(scene, name, x, size, first=True, flip=flip, back=back, nth=i))
    return sorted(row, key=lambda p: p.y)


def _placed(
    scene: Scene,
    name: str,
    x: float,
    scale: float,
    *,
    first: bool,
    flip: bool = False,
    back: float = 0.0,
    seated: bool = False,
    nth: int = 0,
) -> Placement:
    """One subject on what it stands on, moved and scaled so that it lies within the picture or the window.

    Args:
        scale: 1 = the subject's own height. back: picture units farther up.
    """
    kind = scene.kind if first else scene.companion_kind
    left, top, right, bottom = _extent(name, seated=seated, kind=kind)
    size = HEIGHTS[name] * scale / 100
    frame, ground = PICTURE, "land"
    foot, middle = (FIGURE_GROUND if name in FIGURES else STRUCTURE_GROUND) - back, SKY_CENTRE - back
    if _behind_window(scene, name):
        frame, ground = (WINDOW[0] + 1, WINDOW[1] + 3, WINDOW[2] - 1, WINDOW[3]), "window"
        size, foot, middle = WINDOW_SHARE * size, WINDOW[3], (WINDOW[1] + WINDOW[3]) / 2 + 2 - back / 2
    elif name in AIRBORNE:
        ground = "air"
    elif scene.place in WATER_PLACES and name in AFLOAT:
        ground, foot = "water", WATER_LINE + (3.0 if name in FIGURES else 0.0) - back / 2
    aloft = name in AIRBORNE
    high = (frame[3] - frame[1]) / (bottom - top) if aloft else (foot - frame[1]) / -top
    size = min(size, (frame[2] - frame[0]) / (right - left), high)
    y = middle - size * (top + bottom) / 2 if aloft else foot
    placed = Placement(name, x, y, size, flip, ground, first, seated, nth, kind)
    box = _box(placed, (left, top, right, bottom))
    x += max(frame[0] - box[0], 0.0) - max(box[2] - frame[2], 0.0)
    if aloft:
        y += max(frame[1] - box[1], 0.0) - max(box[3] - frame[3], 0.0)
    return replace(placed, x=x, y=y)


def _behind_window(scene: Scene, name: str) -> bool:
    return scene.place in INDOOR_PLACES and name in STRUCTURES


def _drawing(name: str, ink: Ink) -> str:
    return (FIGURE_DRAWINGS if name in FIGURES else STRUCTURE_DRAWINGS)[name](ink)


def _drawn(p: Placement, ink: Ink, scene: Scene) -> str:
    """One subject with its contact shadow, or afloat with its reflection."""
    drawing = _drawing(p.name, replace(ink, seated=p.seated, nth=p.nth, kind=p.kind))
    placed = group(drawing, p.x, p.y, p.scale, p.flip)
    if p.ground in ("air", "window"):
        return placed
    left, _, right, low = _box(p, _extent_of(p, scene))
    if p.ground == "water" and p.name == "fish":
        return _splash((left + right) / 2, right - left, low, ink) + placed
    if p.ground == "water":
        across = -p.scale if p.flip else p.scale
        key, top = f"afloat{p.y * 10:.0f}", p.y - 1
        mirrored = (
            f'<defs><clipPath id="{key}"><rect y="{top:.2f}" width="100" height="{SHORE - top:.2f}"/></clipPath></defs>'
            f'<g clip-path="url(#{key})" opacity=".35"><g transform="translate({p.x:.2f} {p.y - 0.5:.2f}) '
            f'scale({across:.4f} {-p.scale * 0.3:.4f})">{drawing}</g></g>'
        )
        return mirrored + placed
    # feet stand closer than the widest part reaches
    shadow = ellipse((left + right) / 2 + 1.5, p.y + 0.3, 0.45 * (right - left), 2.4, brightness(ink.haze, 0.16), 0.34)
    return shadow + placed


def _rails(y: float, scale: float, ink: Ink) -> str:
    """A railway line on its bed of stones that runs across the whole picture at y."""
    bed, sleeper, steel = ink.grade("#8f857a"), ink.grade("#5a4330"), ink.grade("#c3c8cf")
    out = f'<path d="M-2 {y - 2.6 * scale / 0.66:.2f}H102L103 {y + 4.4:.2f}H-3Z" fill="{bed}"/>'
    out += "".join(path(f"M{x} {y - 1.2:.2f}h3.4l-.7 4.4h-3.4Z", sleeper) for x in range(-1, 102, 7))
    return out + "".join(line(f"M-2 {y + dy:.2f}H102", steel, w) for dy, w in ((-0.4, 0.8), (2.2, 1.1)))


def _splash(x: float, width: float, low: float, ink: Ink) -> str:
    """The water that a leaping fish left: a ring of foam and drops that rise from it to its belly at `low`."""
    foam, y = ink("#f2fbff"), WATER_LINE + 4.0
    out = ellipse(x, y, 0.42 * width, 2.2, foam, 0.85) + ellipse(x, y, 0.26 * width, 1.1, ink("#3f86b4"))
    for side in (-1, 1):
        a, b, c = (x + side * share * width for share in (0.24, 0.38, 0.52))
        out += path(
            f"M{a:.2f} {y:.2f}Q{a:.2f} {low:.2f} {c:.2f} {low - 2:.2f}Q{b:.2f} {low + 2:.2f} {b:.2f} {y:.2f}Z", foam
        )
    return out


def _box(p: Placement, extent: Box) -> Box:
    """The extent of a drawing in picture units where it is placed."""
    left, top, right, bottom = extent
    if p.flip:
        left, right = -right, -left
    return (p.x + left * p.scale, p.y + top * p.scale, p.x + right * p.scale, p.y + bottom * p.scale)


def _extent_of(p: Placement, scene: Scene) -> Box:
    """What a placed drawing covers in its scene."""
    return _extent(p.name, scene.pose, scene.season, p.first and bool(scene.colour), p.seated, p.nth, p.kind)


def _upright(name: str, kind: str | None) -> list[Box]:
    """The extents of people in every pose in which they do not lie: arms need their room. Of other subjects, none."""
    return [_extent(name, pose, kind=kind) for pose in POSES if pose != "asleep"] if name in PEOPLE else []


@functools.cache
def _extent(
    name: str,
    pose: str = "plain",
    season: str = "summer",
    coated: bool = False,
    seated: bool = False,
    nth: int = 0,
    kind: str | None = None,
) -> Box:
    """What a drawing covers by day, in local units, measured on a raster of half a unit."""
    coat = COATS["red"] if coated else None
    drawing = _drawing(
        name,
        Ink("#ffffff", 0.0, "#ffffff", season=season, pose=pose, coat=coat, seated=seated, nth=nth, kind=kind),
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-80 -140 160 180">{drawing}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=svg, width=320, height=360, skip_system_fonts=True)
    alpha = Image.open(io.BytesIO(bytes(png))).convert("RGBA").getchannel("A")
    covered = alpha.point(lambda a: 255 if a > 48 else 0).getbbox()
    if covered is None:
        raise ValueError(f"the drawing of {name!r} is empty")
    left, top, right, bottom = covered
    return (left / 2 - 80, top / 2 - 140, right / 2 - 80, bottom / 2 - 140)
