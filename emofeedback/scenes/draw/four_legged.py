"""Four-legged animals, drawn in the local units of `figures`; bodies face right, most heads look at the viewer.

They share one skeleton, whose joints the pose sets, and two drawings of their own for glad and sad animals; each kind
brings its build and its head.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, line, path
from emofeedback.scenes.draw.faces import DARK, PALE, eyes, face, is_dark, mouth, moved, pair

Point = tuple[float, float]
Legs = tuple[tuple[Point, ...], ...]

_HEAD = 1.24
"""Heads are drawn this much larger than their local units, so that a face can be read in a small picture."""
_EARS = {"plain": 0.0, "smiling": -4.0, "cheering": -12.0, "downcast": 78.0, "asleep": 40.0, "alarmed": 62.0}
"""Degrees by which upright ears fall outwards."""
_FLAPS = {"plain": 0.0, "smiling": 14.0, "cheering": 112.0, "downcast": 9.0, "asleep": 26.0, "alarmed": 88.0}
"""Degrees by which hanging ears are lifted."""


@dataclass(frozen=True, slots=True)
class Build:
    """Proportions of a four-legged animal, in local units; colours unlit.

    legs, depth, length: length of the legs, thickness of the trunk, hip to shoulder. limb: thickness of a leg.
    reach: centre of the head, seen from the shoulder. neck: its thickness. head: its drawing; radius, without ears.
    wide: half-width of the head with ears upright and fallen. tall, chin: how far it goes up and down.
    feet: colour of hooves or paws, None = the coat. tail: "bush", "cord", "hair" or "puff". tip: colour of its end.
    belly, mane: their colours, where there are any. spots, stripes: their colours. wool: the outline is curly.
    hackles: the hair on the back stands up when alarmed. grazes: a hoofed or heavy animal, whose tail hangs.
    stands: it does not sit down when downcast. lift: how far it throws the fore legs above its shoulders.
    """

    coat: str
    legs: float
    depth: float
    length: float
    limb: float
    reach: Point
    neck: float
    head: Callable[[Ink, str], str]
    radius: float
    wide: tuple[float, float]
    tall: float
    chin: float
    feet: str | None = None
    tail: str = "cord"
    tip: str | None = None
    belly: str | None = None
    spots: str | None = None
    stripes: str | None = None
    wool: bool = False
    mane: str | None = None
    hackles: bool = True
    grazes: bool = False
    stands: bool = False
    lift: float = 13.0


@dataclass(frozen=True, slots=True)
class Joints:
    """Where the joints of a four-legged animal are: trunk from hip over back to shoulder, head, legs, tail."""

    hip: Point
    back: Point
    shoulder: Point
    head: Point
    turn: float
    legs: Legs
    tail: Point
    """End of the tail, seen from its root."""


def _joints(pose: str, b: Build) -> Joints:
    """The skeleton in a pose; the first two legs are far from the viewer."""
    half, y = b.length / 2, -b.legs - b.depth / 2
    hip, shoulder = (-half - 9, y), (half - 9, y)
    rx, ry = b.reach
    radius, chin = _HEAD * b.radius, _HEAD * b.chin
    step = 0.32 * b.depth
    legs: Legs

    def standing(front: float = 0.0, hind: float = 0.0) -> Legs:
        (hx, _), (sx, sy) = hip, shoulder
        return (
            ((hx + step, y), (hx + step + hind, 0.0)),
            ((sx + step, sy), (sx + step + front, 0.0)),
            ((hx - 0.4 * step, y), (hx - 0.6 * step + hind, 0.0)),
            ((sx - 0.4 * step, sy), (sx - 0.5 * step + front, 0.0)),
        )

    tail = {
        "plain": (-5.0, 20.0) if b.grazes else (-14.0, 8.0),
        "smiling": (-13.0, 3.0) if b.grazes else (-11.0, -24.0),
        "downcast": (-1.0, 26.0),
        "asleep": (-7.0, b.depth * 0.42),
        "alarmed": (-15.0, -10.0),
    }[pose]
    if pose == "downcast":
        shoulder = (shoulder[0], y + 0.1 * b.depth)
        ahead = max(0.86 * rx, 0.45 * b.depth + 0.75 * radius)
        head = (shoulder[0] + ahead, min(-chin - 5, y + 0.6 * radius))
        near, front = hip[0] - 0.25 * b.depth, shoulder[0] - 0.2 * b.depth
        apart = b.limb + 2.5 if b.limb < 10 else 0.8 * b.limb
        legs = tuple(((x, y), (x, 0.0)) for x in (near + apart, front + apart, near, front))
        return Joints(hip, (-9, y + 0.12 * b.depth), shoulder, head, 10, legs, tail)
    if pose == "asleep":
        y = -b.depth / 2
        hip, shoulder = (-half - 9, y), (half - 9, y)
        sx, thick = shoulder[0], b.limb / 2
        legs = (
            ((hip[0], -thick), (hip[0] + 0.5 * b.length, -thick)),
            ((sx, -thick - 2), (sx + 0.6 * b.depth + 12, -thick)),
            ((hip[0] - 2, -thick - 3), (hip[0] + 0.5 * b.depth + 4, -thick)),
            ((sx - 4, -thick - 2), (sx + 0.5 * b.depth + 6, -thick)),
        )
        head = (sx + 0.42 * b.depth + 0.6 * radius, -chin - 1.5)
        return Joints(hip, (-9, y - 2), shoulder, head, 8, legs, tail)
    if pose == "alarmed":
        hip, shoulder = (hip[0], y + 1), (shoulder[0] - 3, y + 2)
        head = (shoulder[0] + 0.78 * rx + 2, shoulder[1] + 0.72 * ry)
        return Joints(hip, (-10, y - min(0.5 * b.depth, 9)), shoulder, head, -5, standing(11, -6), tail)
    if pose == "smiling":
        legs = standing()
        (sx, sy), knee = shoulder, shoulder[0] + step + 0.5 * b.legs + 6
        raised = ((sx + step, sy), (knee, y + 0.6 * b.depth), (knee + 3 - 0.14 * b.legs, -0.42 * b.legs))
        legs = (legs[0], raised, legs[2], legs[3])
        return Joints(hip, (-9, y + 1), shoulder, (sx + rx, sy + ry - 1), 9, legs, tail)
    return Joints(hip, (-9, y + 1), shoulder, (shoulder[0] + rx, shoulder[1] + ry), 0, standing(), tail)


def _four_legged(ink: Ink, b: Build) -> str:
    """An animal of this build in the pose of the ink."""
    if ink.pose == "cheering":
        return _upright(ink, b)
    if ink.pose == "downcast" and not b.stands:
        return _slumped(ink, b)
    j = _joints(ink.pose, b)
    coat = ink.own(b.coat)
    lit, dim, far = ink(coat), ink.shade(coat, 0.76), ink.shade(coat, 0.6)
    parts = _tail(ink, b, j, coat)
    for i, leg in enumerate(j.legs):
        tone = far if i < 2 else lit
        if i == 2:
            parts += _trunk(ink, b, j, coat, lit, dim)
        parts += line("M" + " L".join(f"{x:.1f},{min(y, -b.limb / 2):.1f}" for x, y in leg), tone, b.limb)
        if b.feet is not None and ink.pose != "asleep":
            (x0, y0), (x, y) = leg[-2], leg[-1]
            y = min(y, -b.limb / 2)
            size = max(1.0, ((x - x0) ** 2 + (y - y0) ** 2) ** 0.5)
            back = (x + 0.5 * b.limb * (x0 - x) / size, y + 0.5 * b.limb * (y0 - y) / size)
            parts += line(
                f"M{back[0]:.1f},{back[1]:.1f} L{x:.1f},{y:.1f}", ink.shade(b.feet, 0.7 if i < 2 else 1), b.limb
            )
    (sx, sy), (hx, hy) = j.shoulder, j.head
    neck = line(f"M{sx:.1f},{sy:.1f} L{hx:.1f},{hy:.1f}", lit, b.neck) if not b.wool else ""
    if b.mane is not None:
        reach = ((hx - sx) ** 2 + (hy - sy) ** 2) ** 0.5
        ox, oy = 0.42 * b.neck * (hy - sy) / reach, -0.42 * b.neck * (hx - sx) / reach
        neck = line(f"M{sx + ox:.1f},{sy + oy:.1f} L{hx + ox:.1f},{hy + oy:.1f}", ink(b.mane), 0.6 * b.neck) + neck
    parts += neck + moved(b.head(ink, coat), hx, hy, j.turn, _HEAD)
    return _fitted(parts, ink.pose, b, j)


def _upright(ink: Ink, b: Build) -> str:
    """An animal seen from the front that stands on its hind legs and throws up both fore legs."""
    coat = ink.own(b.coat)
    lit, dim = ink(coat), ink.shade(coat, 0.8)
    end = None if b.feet is None else ink(b.feet)
    w, hip = 0.36 * b.depth + 5.5, -(0.55 * b.legs + 6)
    chest = hip - 0.5 * b.length - 0.35 * b.depth
    head = chest - 0.5 * _HEAD * b.chin
    parts = _raised_tail(ink, b, coat, w, hip)
    for side in (-1, 1):
        x = side * max(0.56 * w, 0.5 * b.limb + 2)
        parts += line(f"M{x:.1f},{hip:.1f} V{-0.5 * b.limb:.1f}", dim, b.limb)
        parts += ellipse(x + side * 2.5, -4, 0.5 * b.limb + 3, 4, end or dim)
    parts += path(
        f"M0,{chest - 4:.1f} C{0.9 * w:.1f},{chest - 4:.1f} {1.15 * w:.1f},{hip - 10:.1f} {w:.1f},{hip:.1f} "
        f"C{0.8 * w:.1f},{hip + 7:.1f} {-0.8 * w:.1f},{hip + 7:.1f} {-w:.1f},{hip:.1f} "
        f"C{-1.15 * w:.1f},{hip - 10:.1f} {-0.9 * w:.1f},{chest - 4:.1f} 0,{chest - 4:.1f}Z",
        lit,
    )
    if b.wool:
        for dx, dy in ((-1.0, 0), (1.0, 0), (-1.0, -11), (1.0, -11), (-0.55, 4), (0.55, 4), (0.0, 6)):
            parts += circle(dx * w, hip + dy, 6.5, lit)
    elif b.stripes is not None:
        ways = "".join(
            f"M{side * w:.1f},{y:.1f} L{side * 0.45 * w:.1f},{y + 2.4:.1f}"
            for side in (-0.86, 0.86)
            for y in (hip - 3, hip - 9, hip - 15)
        )
        parts += line(ways, ink(b.stripes), 3.0)
    elif b.spots is not None:
        spot = ink(PALE if is_dark(coat) else b.spots)
        parts += ellipse(-0.5 * w, hip - 3, 0.38 * w, 6.5, spot) + ellipse(0.58 * w, hip - 12, 0.3 * w, 5.5, spot)
    else:
        belly = ink(b.belly) if b.belly else ink.shade(coat, 1.13)
        parts += ellipse(0, hip - 0.3 * (hip - chest), 0.62 * w, 0.62 * (hip - chest), belly)
    out = 1.16 * _HEAD * b.radius + 0.5 * b.limb + 3
    for side in (-1, 1):
        x, y = side * out, chest - b.lift
        arm = f"M{side * 0.55 * w:.1f},{chest + 6:.1f} L{0.66 * x:.1f},{chest + 6:.1f} L{x:.1f},{y:.1f}"
        parts += line(arm, lit, b.limb) + (circle(x, y, 0.54 * b.limb, end) if end else "")
    if b.mane is not None:
        parts += ellipse(0, head - 1, 1.08 * _HEAD * b.radius - 3.5, _HEAD * b.radius, ink(b.mane))
    parts += moved(b.head(ink, coat), 0, head, 6, _HEAD)
    wide = max(_HEAD * b.wide[0], out + 0.5 * b.limb)
    return _framed(parts, -wide, wide, head - _HEAD * b.tall)


def _raised_tail(ink: Ink, b: Build, coat: str, w: float, hip: float) -> str:
    """The tail of an animal seen from the front, whose trunk is 2 w wide, lifted beside it."""
    if b.tail == "puff":
        return circle(-w - 1, hip - 1, 6.5, ink(b.tip or coat))
    if b.tail == "bush":
        return moved(_bush(ink, b, coat, w + 22), 0, hip + 3, 24)
    thick, colour = (10.0, ink(b.tip or coat)) if b.tail == "hair" else (5.5, ink.shade(coat, 0.8))
    x, y = -w - 19, hip - 15
    tail = line(f"M{-0.5 * w:.1f},{hip:.1f} Q{x + 4:.1f},{hip + 3:.1f} {x:.1f},{y:.1f}", colour, thick)
    return tail + (circle(x, y, 4.5, ink(b.tip)) if b.tail == "cord" and b.tip else "")


def _bush(ink: Ink, b: Build, coat: str, length: float) -> str:
    """A bushy tail that points left from the origin."""
    end, mid = -length, -0.72 * length
    tail = path(
        f"M0,-2.5 C{-0.4 * length:.1f},-7 {-0.75 * length:.1f},-8 {end:.1f},0 "
        f"C{-0.75 * length:.1f},8 {-0.4 * length:.1f},7 0,2.5Z",
        ink.shade(coat, 0.8),
    )
    if b.tip is None:
        return tail
    return tail + path(
        f"M{mid:.1f},-5.4 C{0.82 * end:.1f},-5 {0.93 * end:.1f},-2.6 {end:.1f},0 "
        f"C{0.93 * end:.1f},2.6 {0.82 * end:.1f},5 {mid:.1f},5.4 Q{mid - 3:.1f},0 {mid:.1f},-5.4Z",
        ink(b.tip),
    )


def _slumped(ink: Ink, b: Build) -> str:
    """An animal that sits with a round back, its head hanging before its chest, its tail limp on the ground."""
    coat = ink.own(b.coat)
    lit, dim, far = ink(coat), ink.shade(coat, 0.8), ink.shade(coat, 0.66)
    r, high = 0.5 * b.depth + 3, max(1.1 * (b.legs + b.depth), 46.0)
    rump, fore, low = -r - 0.2 * b.length, 9.0, -0.5 * b.limb
    hx, hy = fore + 0.32 * _HEAD * b.radius, -max(0.8 * high, _HEAD * b.chin + 15)
    left = rump - r - (17 if b.tail == "bush" else 13)
    if b.tail == "puff":
        left = rump - 0.8 * r - 7
        parts = circle(left + 7, -9, 6.5, ink(b.tip or coat))
    elif b.tail == "bush":
        parts = moved(_bush(ink, b, coat, rump - left), rump, -6, 0)
    else:
        x = left + 4.5
        parts = line(f"M{rump - 4:.1f},-9 C{rump - r:.1f},-7 {x + 14:.1f},-3 {x:.1f},-3", dim, 5.5)
        if b.tip is not None:
            parts += circle(x, -4.5, 4.5, ink(b.tip))
    apart = min(b.limb + 1.5, 11.0)
    parts += line(f"M{fore + apart - 2:.1f},{hy:.1f} L{fore + apart:.1f},{low:.1f}", far, b.limb)
    parts += path(
        f"M{rump:.1f},0 C{rump - 1.5 * r:.1f},0 {rump - 0.9 * r:.1f},{-0.8 * high:.1f} {fore - 8:.1f},{-high:.1f} "
        f"C{fore + 6:.1f},{-high:.1f} {fore + 12:.1f},{-0.5 * high:.1f} {fore:.1f},-6 L{fore - 8:.1f},0Z",
        lit,
    )
    parts += ellipse(rump + 0.35 * r, -0.84 * r, 1.02 * r, 0.84 * r, dim)
    parts += ellipse(rump + 0.35 * r - 1.5, -0.8 * r, 0.98 * r, 0.8 * r, lit)
    parts += line(f"M{rump + 0.7 * r:.1f},-3.5 H{rump + 1.3 * r:.1f}", dim, 7)
    parts += line(f"M{fore - 3:.1f},{0.7 * hy:.1f} L{fore - 1.5:.1f},{low:.1f}", dim, b.limb)
    parts += line(f"M{fore:.1f},{0.7 * hy:.1f} V{low:.1f}", lit, b.limb)
    parts += moved(b.head(ink, coat), hx, hy, 9, _HEAD)
    return _framed(parts, left, hx + _HEAD * min(b.wide[1], 31.0), hy - _HEAD * b.tall)


def _framed(parts: str, left: float, right: float, top: float, room: float = 99.0) -> str:
    """A drawing with these bounds in the middle of its box, made smaller where it is wider than `room` or too tall."""
    size = min(1.0, room / (right - left), -99.0 / top)
    return moved(parts, -size * (left + right) / 2, 0, 0, size)


def _fitted(parts: str, pose: str, b: Build, j: Joints) -> str:
    """The animal in the middle of its box, made smaller where ears or tail would leave it."""
    wide = _HEAD * b.wide[pose in ("downcast", "asleep", "alarmed")]
    rump = j.hip[0] - 0.5 * b.depth
    thick = {"bush": 12.0, "puff": 5.0, "hair": 7.0}.get(b.tail, 6.0)
    left = min(rump, rump + 0.08 * b.depth + 1.2 * j.tail[0] - thick)
    right = max(j.head[0] + wide, *(x + b.limb / 2 for leg in j.legs for x, _ in leg))
    # a horse is narrow in its other poses, and a row of horses leaves it no more room when it hangs its head
    return _framed(parts, left, right, j.head[1] - _HEAD * b.tall, 88.0 if b.mane and pose == "downcast" else 99.0)


def _trunk(ink: Ink, b: Build, j: Joints, coat: str, lit: str, dim: str) -> str:
    (hx, hy), (bx, by), (sx, sy) = j.hip, j.back, j.shoulder
    cx, cy = 2 * bx - (hx + sx) / 2, 2 * by - (hy + sy) / 2
    spine = f"M{hx:.1f},{hy:.1f} Q{cx:.1f},{cy:.1f} {sx:.1f},{sy:.1f}"
    parts = ""
    if b.hackles and ink.pose == "alarmed":
        for k in range(6):
            t = k / 5
            x = (1 - t) ** 2 * hx + 2 * t * (1 - t) * cx + t * t * sx
            y = (1 - t) ** 2 * hy + 2 * t * (1 - t) * cy + t * t * sy - 0.42 * b.depth
            parts += path(f"M{x - 6:.1f},{y + 5:.1f} L{x - 5:.1f},{y - 11:.1f} L{x + 6:.1f},{y + 4:.1f}Z", lit)
    if b.wool:
        for k in range(8):
            t = k / 7
            x = hx - 5 + (sx - hx + 10) * t
            y = hy + (sy - hy) * t
            arch = 1 - (2 * t - 1) ** 2
            lift = 0.5 * b.depth * (0.35 + 0.6 * arch)
            parts += circle(x, min(y + 0.55 * lift, -0.29 * b.depth), 0.28 * b.depth, dim) + circle(
                x, y - lift * 0.8 + arch * (by - (hy + sy) / 2), 0.3 * b.depth, lit
            )
    parts += line(spine, dim, b.depth)
    inner = (
        f"M{hx:.1f},{hy - 0.09 * b.depth:.1f} Q{cx:.1f},{cy - 0.09 * b.depth:.1f} {sx:.1f},{sy - 0.09 * b.depth:.1f}"
    )
    parts += line(inner, lit, 0.82 * b.depth)
    if b.belly is not None and ink.pose != "asleep":
        parts += path(
            f"M{hx:.1f},{hy + 0.3 * b.depth:.1f} Q{cx:.1f},{cy + 0.36 * b.depth:.1f} {sx + 0.2 * b.depth:.1f},"
            f"{sy + 0.26 * b.depth:.1f} L{sx:.1f},{sy + 0.5 * b.depth:.1f} Q{cx:.1f},{cy + 0.52 * b.depth:.1f} "
            f"{hx:.1f},{hy + 0.5 * b.depth:.1f}Z",
            ink(b.belly),
        )
    if b.stripes is not None:
        ways = ""
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            x, y = hx + share * (sx - hx), hy + share * (sy - hy)
            ways += f"M{x:.1f},{y - 0.46 * b.depth:.1f} L{x - 2:.1f},{y + 0.16 * b.depth:.1f}"
        parts += line(ways, ink(b.stripes), 3.0)
    if b.spots is not None:
        spot = ink(PALE if is_dark(coat) else b.spots)
        parts += ellipse(hx + 1, hy - 0.12 * b.depth, 0.3 * b.depth, 0.26 * b.depth, spot)
        parts += ellipse((hx + sx) / 2 + 5, (hy + sy) / 2 - 0.05 * b.depth, 0.22 * b.depth, 0.3 * b.depth, spot)
    return parts


def _tail(ink: Ink, b: Build, j: Joints, coat: str) -> str:
    x, y = j.hip[0] - 0.42 * b.depth, j.hip[1] - 0.16 * b.depth
    dx, dy = j.tail
    if b.tail == "puff":
        up = 4.0 if ink.pose in ("downcast", "asleep") else -3.0
        return circle(x, y + up, 6.5, ink(b.tip or coat))
    low = min(-3.0, y + 1.35 * dy)
    end = (x + 1.2 * dx, min(low, -5.5) if dy > 0 else y + dy)
    bend = (x + (-0.95 * abs(dx) - 3), y + (0.1 * dy if dy > 0 else 0.25 * dy))
    curve = f"M{x + 4:.1f},{y:.1f} Q{bend[0]:.1f},{bend[1]:.1f} {end[0]:.1f},{end[1]:.1f}"
    if b.tail == "cord":
        cord = line(curve, ink.shade(coat, 0.85), 5.5 if b.tip is None else 4.0)
        return cord + (circle(*end, 5.0, ink(b.tip)) if b.tip else "")
    if b.tail == "hair":
        return line(curve, ink(b.tip or coat), 11)
    thick = 17.0 if ink.pose == "alarmed" else 13.0
    end = (end[0] - 3, min(end[1], -thick / 2))
    curve = f"M{x + 4:.1f},{y:.1f} Q{bend[0] - 4:.1f},{bend[1]:.1f} {end[0]:.1f},{end[1]:.1f}"
    tail = line(curve, ink.shade(coat, 0.85), thick)
    return tail + (circle(end[0], end[1], 0.52 * thick, ink(b.tip)) if b.tip else "")


def _nose(ink: Ink, y: float, w: float = 4.2) -> str:
    return ellipse(0, y, w, 0.72 * w, ink(DARK))


def _pointed(ink: Ink, w: float, h: float, colour: str, inner: str) -> str:
    return path(f"M{-w},4 L{0.2 * w:.1f},{-h} L{w},4Z", colour) + path(
        f"M{-0.5 * w:.1f},3 L{0.16 * w:.1f},{-0.62 * h:.1f} L{0.55 * w:.1f},3Z", ink(inner)
    )


def _dog_head(ink: Ink, coat: str) -> str:
    flap = path("M-4,-3 C2,-8 11,-4 10,8 C10,18 6,25 0,24 C-6,20 -6,6 -4,-3Z", ink.shade(coat, 0.58))
    return (
        ellipse(0, 0, 18, 17.5, ink(coat))
        + ellipse(0, 8.5, 12.5, 9.5, ink("#fbeed6"))
        + _nose(ink, 3)
        + face(ink, 8, -4.5, 2.7, 10.5, 5.6, coat, "#fbeed6", teeth=True)
        + pair(flap, 16.5 if ink.pose == "downcast" else 14.5, -11, -_FLAPS[ink.pose])
    )


def draw_dog(ink: Ink) -> str:
    """A brown-orange dog: floppy ears, round pale muzzle, red collar."""
    build = Build(
        coat="#d98436",
        legs=21,
        depth=24,
        length=22,
        limb=9.5,
        reach=(21, -25),
        neck=17,
        head=_dog_head,
        radius=19,
        wide=(39, 39),
        tall=22,
        chin=18,
    )
    return _four_legged(ink, build)


def _cat_head(ink: Ink, coat: str) -> str:
    ear = _pointed(ink, 8, 17, ink(coat), "#d98c92")
    if ink.kind is not None:
        ear = circle(2, -3, 6.6, ink(coat)) + circle(2, -2.4, 3.6, ink("#d98c92"))
    stripes = (
        "M0,-15 V-9 M-6,-14 L-4.6,-9.4 M6,-14 L4.6,-9.4 M-18.4,-2 L-13,-1 M18.4,-2 L13,-1 M-18,5 L-13.4,4 M18,5 L13.4,4"
    )
    return (
        (_mane(ink) if ink.kind == "lion" else "")
        + pair(ear, 11, -11, 0.6 * _EARS[ink.pose])
        + ellipse(0, 0, 19, 16, ink(coat))
        + (line(stripes, ink("#2a2320"), 2.4) if ink.kind == "tiger" else "")
        + ellipse(0, 7.5, 10.5, 7.8, ink(PALE))
        + path("M-3,1.5 H3 L0,5Z", ink("#e0737c"))
        + line("M-12,6 L-24,4 M-12,9 L-23,11 M12,6 L24,4 M12,9 L23,11", ink(PALE if is_dark(coat) else DARK), 1.2)
        + face(ink, 8.5, -3.5, 2.9, 8.4, 4.6, coat, PALE, teeth=True)
    )


def _mane(ink: Ink) -> str:
    """A lion's mane round the head."""
    brown = ink("#9a5420")
    turns = [(math.cos(t), math.sin(t)) for t in (2 * math.pi * i / 12 for i in range(12))]
    return ellipse(0, 0, 22, 19, brown) + "".join(circle(20 * c, 17 * s, 5.4, brown) for c, s in turns)


def draw_cat(ink: Ink) -> str:
    """A dark grey cat: pointed ears, whiskers, pale muzzle, long tail; or a lion with a mane, a tiger."""
    build = Build(
        coat={"lion": "#dda24a", "tiger": "#ee8a2a"}.get(ink.kind or "", "#5d5b70"),
        tip={"lion": "#9a5420", "tiger": "#2a2320"}.get(ink.kind or ""),
        stripes="#2a2320" if ink.kind == "tiger" else None,
        legs=19,
        depth=20,
        length=22,
        limb=8,
        reach=(19, -22),
        neck=13,
        head=_cat_head,
        radius=17.5,
        wide=(25, 28),
        tall=28,
        chin=16,
        feet=PALE,
    )
    return _four_legged(ink, build)


def _long_face(ink: Ink, coat: str, muzzle: str, width: float) -> str:
    """The long head of a grazing animal: eyes high, a broad pale muzzle below."""
    w = width
    return (
        path(
            f"M{-w},-10 C{-w},-19 {w},-19 {w},-10 L{0.86 * w:.1f},12 C{0.8 * w:.1f},24 {-0.8 * w:.1f},24 "
            f"{-0.86 * w:.1f},12Z",
            ink(coat),
        )
        + path(
            f"M{-0.95 * w:.1f},9 C{-0.9 * w:.1f},3 {0.9 * w:.1f},3 {0.95 * w:.1f},9 "
            f"C{1.1 * w:.1f},26 {-1.1 * w:.1f},26 {-0.95 * w:.1f},9Z",
            ink(muzzle),
        )
        + ellipse(-0.42 * w, 9, 1.6, 1.9, ink(DARK))
        + ellipse(0.42 * w, 9, 1.6, 1.9, ink(DARK))
        + face(ink, 0.58 * w, -6.5, 2.5, 15.2, 0.42 * w, coat, muzzle)
    )


def _horse_head(ink: Ink, coat: str) -> str:
    ear = _pointed(ink, 4.5, 20 if ink.kind == "donkey" else 13, ink(coat), "#5a2a16")
    mane, horn = ink("#e86fb4" if ink.kind == "unicorn" else "#33180f"), ""
    if ink.kind == "unicorn":
        horn = path("M-3,-17 L1,-38 L4.4,-17Z", ink("#f5c646")) + line("M-1.6,-22 L3,-24 M-0.6,-28 L2.4,-30", PALE, 1.2)
    stripes = "M-12.6,-8 L-7,-10 M12.6,-8 L7,-10 M-12.4,-1 L-8.6,-1 M12.4,-1 L8.6,-1 M-12,5 L-8.4,6 M12,5 L8.4,6"
    return (
        pair(ear, 8, -14, 0.7 * _EARS[ink.pose])
        + _long_face(ink, coat, "#f0d9bd" if ink.kind != "zebra" else "#4a4a50", 13)
        + (line(stripes, ink("#26262c"), 2.2) if ink.kind == "zebra" else "")
        + path("M-7,-18 C-2,-24 8,-22 8,-15 C5,-13 3,-10 -1,-8 C-3,-12 -7,-13 -7,-18Z", mane)
        + horn
    )


def draw_horse(ink: Ink) -> str:
    """A chestnut horse with dark mane and tail; a striped zebra, a grey donkey with long ears, a white unicorn."""
    hair = "#e86fb4" if ink.kind == "unicorn" else "#33180f"
    build = Build(
        coat={"zebra": "#f4f3ee", "donkey": "#8f8a88", "unicorn": "#f8f4f7"}.get(ink.kind or "", "#a8562a"),
        stripes="#26262c" if ink.kind == "zebra" else None,
        legs=32,
        depth=26,
        length=27,
        limb=9,
        reach=(20, -32),
        neck=18,
        head=_horse_head,
        radius=18,
        wide=(15, 23),
        tall=38 if ink.kind == "unicorn" else 28,
        chin=24,
        feet="#8a7fa8" if ink.kind == "unicorn" else "#33180f",
        tail="hair",
        tip=hair,
        mane=hair,
        hackles=False,
        grazes=True,
        stands=True,
    )
    return _four_legged(ink, build)


def _deer_head(ink: Ink, coat: str) -> str:
    ear = path("M-2,3 C0,-6 10,-9 17,-6 C14,2 6,7 -2,3Z", ink.shade(coat, 0.8))
    horn = ink("#5c3820")
    antlers = "M-4,-15 C-8,-20 -14,-22 -15,-31 M-11,-22 L-20,-25 M4,-15 C8,-20 14,-22 15,-31 M11,-22 L20,-25"
    return (
        ("" if ink.kind == "doe" else line(antlers, horn, 3.4))
        + pair(ear, 9, -11, 0.5 * _EARS[ink.pose])
        + path("M-12,-10 C-12,-19 12,-19 12,-10 C12,0 9,12 7,18 C4,22 -4,22 -7,18 C-9,12 -12,0 -12,-10Z", ink(coat))
        + path("M-9,10 C-8,5 8,5 9,10 C9,23 -9,23 -9,10Z", ink("#fbf1de"))
        + _nose(ink, 7, 4)
        + face(ink, 6.8, -5.5, 2.6, 14, 4.4, coat, "#fbf1de")
    )


def draw_deer(ink: Ink) -> str:
    """A tan stag: antlers, white belly and rump, thin legs; a doe has no antlers."""
    build = Build(
        coat="#c98d4e",
        legs=29,
        depth=20,
        length=25,
        limb=6.2,
        reach=(19, -22),
        neck=12,
        head=_deer_head,
        radius=17,
        wide=(28, 31),
        tall=33,
        chin=21,
        feet="#4a2f1c",
        tail="puff",
        tip="#fbf1de",
        belly="#fbf1de",
        hackles=False,
        grazes=True,
        stands=True,
    )
    return _four_legged(ink, build)


def _canine_head(ink: Ink, coat: str, cheek: str, ear: str) -> str:
    """The head of fox and wolf: wide pale cheeks that taper to the chin, pointed ears."""
    return (
        pair(_pointed(ink, 8, 18, ink(coat), ear), 11, -10, 0.7 * _EARS[ink.pose])
        + path("M-17,-8 C-14,-18 14,-18 17,-8 L23,6 L14,8 C9,15 5,19 0,19 C-5,19 -9,15 -14,8 L-23,6Z", ink(coat))
        + path(
            "M-23,6 L-12,2 C-6,2 -3,-1 0,-1 C3,-1 6,2 12,2 L23,6 L14,8 C9,15 5,19 0,19 C-5,19 -9,15 -14,8Z", ink(cheek)
        )
        + _nose(ink, 3.5)
        + face(ink, 8, -4.6, 2.6, 10.4, 5.2, coat, cheek, teeth=True)
    )


def _wolf_head(ink: Ink, coat: str) -> str:
    return _canine_head(ink, coat, "#e3e9f0", "#3d4654")


def draw_wolf(ink: Ink) -> str:
    """A blue-grey wolf: pale cheeks, pointed ears, bushy tail."""
    build = Build(
        coat="#74839a",
        legs=25,
        depth=25,
        length=25,
        limb=8.6,
        reach=(20, -22),
        neck=20,
        head=_wolf_head,
        radius=19,
        wide=(25, 31),
        tall=29,
        chin=19.5,
        tail="bush",
    )
    return _four_legged(ink, build)


def _fox_head(ink: Ink, coat: str) -> str:
    return _canine_head(ink, coat, PALE, "#3a2420")


def draw_fox(ink: Ink) -> str:
    """An orange fox: white cheeks, dark legs, a bushy tail with a white tip."""
    build = Build(
        coat="#e8702a",
        legs=17,
        depth=20,
        length=21,
        limb=7,
        reach=(19, -22),
        neck=14,
        head=_fox_head,
        radius=19,
        wide=(25, 31),
        tall=29,
        chin=19.5,
        feet="#4a2a20",
        tail="bush",
        tip=PALE,
        belly=PALE,
    )
    return _four_legged(ink, build)


def _rabbit_head(ink: Ink, coat: str) -> str:
    ear = path("M-5,4 C-8,-12 -5,-30 1,-31 C8,-30 8,-12 5,4Z", ink(coat)) + path(
        "M-2.5,2 C-4,-12 -2,-24 1,-25 C4,-24 4.5,-12 2.5,2Z", ink("#e9a3a3")
    )
    fall = {"downcast": 128.0, "asleep": 105.0, "alarmed": 48.0}.get(ink.pose, 8.0)
    return (
        pair(ear, 7, -12, fall)
        + ellipse(0, 0, 17.5, 16, ink(coat))
        + ellipse(0, 8, 9.5, 7, ink(PALE))
        + path("M-3,2.5 H3 L0,6Z", ink("#e0737c"))
        + face(ink, 8, -3, 2.7, 8.8, 4.4, coat, PALE, teeth=False)
    )


def draw_rabbit(ink: Ink) -> str:
    """A grey-brown rabbit: round, very long ears, white puff of a tail."""
    build = Build(
        coat="#b49a82",
        legs=7,
        depth=28,
        length=14,
        limb=9,
        reach=(16, -22),
        neck=16,
        head=_rabbit_head,
        radius=17,
        wide=(19, 36),
        tall=44,
        chin=16,
        tail="puff",
        tip="#ffffff",
        hackles=False,
    )
    return _four_legged(ink, build)


def _cow_head(ink: Ink, coat: str) -> str:
    ear = path("M-2,3 C2,-7 12,-8 17,-3 C13,5 5,7 -2,3Z", ink.shade(coat, 0.78))
    horn = path("M-3,3 C-2,-5 2,-9 7,-11 C7,-4 6,1 3,4Z", ink("#d8c9a4"))
    dark = "#2f2a2e"
    return (
        pair(horn, 8, -15, 0)
        + pair(ear, 12, -9, 0.45 * _EARS[ink.pose])
        + _long_face(ink, coat, "#f2b3a6", 15)
        + path("M-2,-16.5 H2 L1.6,3 H-1.6Z", ink(PALE if is_dark(coat) else dark))
    )


def draw_cow(ink: Ink) -> str:
    """A white cow with black patches and a pink muzzle."""
    build = Build(
        coat="#f4efe6",
        legs=22,
        depth=34,
        length=27,
        limb=9.5,
        reach=(21, -20),
        neck=20,
        head=_cow_head,
        radius=19,
        wide=(31, 31),
        tall=28,
        chin=23,
        feet="#4a3a34",
        tail="cord",
        tip="#3a2f2f",
        spots="#2f2a2e",
        hackles=False,
        grazes=True,
        stands=True,
    )
    return _four_legged(ink, build)


def _sheep_head(ink: Ink, coat: str) -> str:
    skin = "#d9b08c"
    ear = path("M-2,3 C2,-5 11,-6 15,-2 C12,4 4,6 -2,3Z", ink.shade(skin, 0.85))
    wool = "".join(circle(x, y, 7, ink(coat)) for x, y in ((-9, -13), (0, -16), (9, -13)))
    return (
        pair(ear, 11, -5, 0.5 * _EARS[ink.pose])
        + path("M-14,-8 C-14,-18 14,-18 14,-8 C14,6 11,18 0,18 C-11,18 -14,6 -14,-8Z", ink(skin))
        + wool
        + path("M-2.5,4 H2.5 L0,7Z", ink(DARK))
        + face(ink, 6.6, -1.5, 2.6, 10.6, 4.6, skin)
    )


def draw_sheep(ink: Ink) -> str:
    """A woolly white sheep with a tan face and dark legs."""
    build = Build(
        coat="#f5f1e8",
        legs=15,
        depth=34,
        length=22,
        limb=7,
        reach=(19, -14),
        neck=16,
        head=_sheep_head,
        radius=17,
        wide=(26, 26),
        tall=24,
        chin=19,
        feet="#4a4048",
        tail="puff",
        wool=True,
        hackles=False,
        grazes=True,
        stands=True,
    )
    return _four_legged(ink, build)


def _bear_head(ink: Ink, coat: str) -> str:
    panda = ink.kind == "panda"
    ear = circle(0, 0, 7, ink("#26262c" if panda else coat)) + circle(0.5, 0.5, 3.6, ink.shade(coat, 0.62))
    muzzle = "#e3bd8c" if ink.kind is None else "#ffffff"
    patches = "".join(ellipse(side * 8.6, -3.6, 6.2, 7.2, ink("#26262c")) for side in (-1, 1)) if panda else ""
    x, y = {"downcast": (17, -6), "asleep": (16, -9), "alarmed": (18, -5)}.get(ink.pose, (14, -14))
    return (
        pair(ear, x, y, 0)
        + ellipse(0, 0, 20, 18, ink(coat))
        + patches
        + ellipse(0, 8.5, 12, 9, ink(muzzle))
        + _nose(ink, 3.2, 5)
        + face(ink, 8.6, -4.5, 2.7, 10.8, 5.6, "#26262c" if panda else coat, muzzle, teeth=True)
    )


def draw_bear(ink: Ink) -> str:
    """A big brown bear: round ears, pale muzzle, thick legs; a polar bear is white, a panda white and black."""
    build = Build(
        coat="#86552f" if ink.kind is None else "#f1efe8",
        feet="#26262c" if ink.kind == "panda" else None,
        legs=15,
        depth=40,
        length=22,
        limb=14,
        reach=(20, -17),
        neck=26,
        head=_bear_head,
        radius=20,
        wide=(25, 27),
        tall=23,
        chin=18,
        tail="puff",
    )
    return _four_legged(ink, build)


def _elephant_head(ink: Ink, coat: str) -> str:
    fall = {"downcast": 16.0, "asleep": 14.0, "cheering": -44.0, "smiling": -6.0, "alarmed": -34.0}.get(ink.pose, 0.0)
    ear = path("M-2,-8 C10,-20 23,-12 22,4 C21,18 10,23 -2,12Z", ink.shade(coat, 0.8)) + path(
        "M1,-5 C9,-13 18,-8 17,3 C16,13 9,16 1,9Z", ink("#d9a0a0")
    )
    trunk = {
        "cheering": "M2,3 C2,20 12,25 19,18 C22,15 22,11 25,7",
        "smiling": "M3,3 C3,19 9,26 17,23 C23,20 21,14 18,12",
        "alarmed": "M3,3 C5,17 20,17 23,4 C24,-4 25,-12 32,-14",
        "downcast": "M3,3 C5,10 5,16 4,20",
        "asleep": "M3,3 C3,11 10,15 22,15",
    }.get(ink.pose, "M3,3 C3,18 6,26 14,24")
    return (
        pair(moved(ear, 0, 0, 0, {"downcast": 0.8, "cheering": 0.9}.get(ink.pose, 1)), 13, -3, fall)
        + ellipse(0, -1, 19, 19, ink(coat))
        + eyes(ink, 9.5, -5, 2.9, coat)
        + mouth(ink, -7.5, 10, 6.5, coat)
        + line(trunk, ink.shade(coat, 0.68), 9.4)
        + line(trunk, ink.shade(coat, 1.08), 7)
    )


def draw_elephant(ink: Ink) -> str:
    """A grey elephant: wide ears, a trunk that hangs or is lifted."""
    build = Build(
        coat="#8d99a8",
        legs=20,
        depth=42,
        length=20,
        limb=12.5,
        reach=(19, -13),
        neck=26,
        head=_elephant_head,
        radius=22,
        wide=(37, 39),
        tall=26,
        chin=22,
        tail="cord",
        tip="#4d545e",
        hackles=False,
        grazes=True,
        lift=4,
    )
    return _four_legged(ink, build)
