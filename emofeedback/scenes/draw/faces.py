"""Faces that carry the pose: eyes, brows and mouth, shared by people and animals.

Everything is drawn about the origin of a head that looks at the viewer, x to the right, y down.
"""

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, line, path, rgb

DARK = "#241d22"
PALE = "#fbf5e9"


def is_dark(colour: str) -> bool:
    """Whether a dark line would be lost on this colour (Rec. 601 luma below 0.38)."""
    r, g, b = rgb(colour)
    return 0.299 * r + 0.587 * g + 0.114 * b < 0.38


def moved(content: str, x: float = 0.0, y: float = 0.0, turn: float = 0.0, scale: float = 1.0) -> str:
    """Content scaled and turned (degrees, clockwise) about its origin, then moved to (x, y)."""
    return f'<g transform="translate({x:.2f} {y:.2f}) rotate({turn:.1f}) scale({scale:.3f})">{content}</g>'


def pair(drawing: str, x: float, y: float, fall: float) -> str:
    """An ear or a wing drawn about its root, at (-x, y) mirrored and at (x, y), each turned out by `fall` degrees."""
    right = moved(drawing, 0, 0, fall)
    return f'<g transform="translate({x} {y})">{right}</g><g transform="translate({-x} {y}) scale(-1 1)">{right}</g>'


def eye(ink: Ink, x: float, y: float, r: float, skin: str, slant: int = 0) -> str:
    """One eye of radius r on a face of the unlit colour `skin`.

    slant: -1 for the left eye and 1 for the right eye of a face (the brows slope outwards), 0 for an eye in profile,
    whose outer end is the right one.
    """
    out = slant or -1
    mark = ink(PALE if is_dark(skin) else DARK)
    wide = 0.72 * r
    if ink.pose == "alarmed":
        brow = line(
            f"M{x - out * 1.5 * r:.1f},{y - 3.5 * r:.1f} L{x + out * 1.7 * r:.1f},{y - 2.4 * r:.1f}", mark, wide
        )
        return (
            circle(x, y, 2.05 * r, ink(DARK))
            + circle(x, y, 1.75 * r, ink("#ffffff"))
            + circle(x, y, 0.8 * r, ink(DARK))
            + brow
        )
    if ink.pose == "asleep":
        return line(f"M{x - 1.5 * r:.1f},{y:.1f} Q{x:.1f},{y + 1.9 * r:.1f} {x + 1.5 * r:.1f},{y:.1f}", mark, 0.85 * r)
    if ink.pose == "cheering":
        return line(
            f"M{x - 1.5 * r:.1f},{y + 0.6 * r:.1f} Q{x:.1f},{y - 2.2 * r:.1f} {x + 1.5 * r:.1f},{y + 0.6 * r:.1f}",
            mark,
            0.9 * r,
        )
    white = circle(x, y, 1.6 * r, ink(PALE)) if is_dark(skin) else ""
    if ink.pose == "downcast":
        # a moist eye that looks down under a brow that rises steeply inwards
        brow = line(
            f"M{x - out * 1.3 * r:.1f},{y - 4.0 * r:.1f} L{x + out * 1.7 * r:.1f},{y - 1.9 * r:.1f}", mark, wide
        )
        moist = circle(x - 0.35 * r, y - 0.35 * r, 0.42 * r, ink("#ffffff"))
        return white + ellipse(x, y + 0.2 * r, 1.1 * r, 1.3 * r, ink(DARK)) + moist + brow
    return white + ellipse(x, y, r, 1.2 * r, ink(DARK)) + circle(x - 0.3 * r, y - 0.45 * r, 0.36 * r, ink("#ffffff"))


def eyes(ink: Ink, spread: float, y: float, r: float, skin: str) -> str:
    """Both eyes, at (-spread, y) and (spread, y); whoever is glad has red cheeks below them."""
    cheeks = ""
    if ink.pose in ("smiling", "cheering"):
        cheeks = "".join(
            ellipse(x, y + 3.6 * r, 1.6 * r, 1.1 * r, ink("#f0686a"), 0.8) for x in (-1.35 * spread, 1.35 * spread)
        )
    return cheeks + eye(ink, -spread, y, r, skin, -1) + eye(ink, spread, y, r, skin, 1)


def mouth(ink: Ink, x: float, y: float, w: float, skin: str, teeth: bool = False) -> str:
    """A mouth of half-width w on the unlit colour `skin`; `teeth` are bared when alarmed."""
    mark = ink(PALE if is_dark(skin) else DARK)
    inside = ink("#6b1522")
    width = max(1.7, 0.33 * w)
    if ink.pose == "smiling":
        return line(
            f"M{x - 1.1 * w:.1f},{y - 0.3 * w:.1f} Q{x:.1f},{y + 1.3 * w:.1f} {x + 1.1 * w:.1f},{y - 0.3 * w:.1f}",
            mark,
            width,
        )
    if ink.pose == "cheering":
        a, b = x - 1.15 * w, x + 1.15 * w
        top = y - 0.4 * w
        return (
            path(
                f"M{a:.1f},{top:.1f} Q{x:.1f},{top + 0.3 * w:.1f} {b:.1f},{top:.1f} "
                f"C{b - 0.1 * w:.1f},{y + 1.4 * w:.1f} {a + 0.1 * w:.1f},{y + 1.4 * w:.1f} {a:.1f},{top:.1f}Z",
                inside,
            )
            + ellipse(x, y + 0.62 * w, 0.55 * w, 0.3 * w, ink("#f0606a"))
            + path(
                f"M{a + 0.1 * w:.1f},{top + 0.06 * w:.1f} Q{x:.1f},{top + 0.3 * w:.1f} {b - 0.1 * w:.1f},"
                f"{top + 0.06 * w:.1f} L{b - 0.3 * w:.1f},{y + 0.12 * w:.1f} H{a + 0.3 * w:.1f}Z",
                ink("#ffffff"),
            )
        )
    if ink.pose == "downcast":
        return line(
            f"M{x - 0.75 * w:.1f},{y + 0.5 * w:.1f} Q{x:.1f},{y - 0.6 * w:.1f} {x + 0.75 * w:.1f},{y + 0.5 * w:.1f}",
            mark,
            width,
        )
    if ink.pose == "asleep":
        return line(
            f"M{x - 0.5 * w:.1f},{y:.1f} Q{x:.1f},{y + 0.55 * w:.1f} {x + 0.5 * w:.1f},{y:.1f}", mark, 0.9 * width
        )
    if ink.pose == "alarmed":
        if not teeth:
            return ellipse(x, y + 0.25 * w, 0.72 * w, 0.98 * w, inside)
        a, h = x - 1.2 * w, 0.75 * w
        upper = " ".join(
            f"L{a + (i + 0.5) * 0.6 * w:.1f},{y + 0.1 * w:.1f} L{a + (i + 1) * 0.6 * w:.1f},{y - h:.1f}"
            for i in range(4)
        )
        return path(
            f"M{a:.1f},{y - h:.1f} H{a + 2.4 * w:.1f} L{a + 2.1 * w:.1f},{y + h:.1f} H{a + 0.3 * w:.1f}Z", inside
        ) + path(f"M{a:.1f},{y - h:.1f} {upper}Z", ink("#ffffff"))
    return line(f"M{x - 0.7 * w:.1f},{y:.1f} Q{x:.1f},{y + 0.35 * w:.1f} {x + 0.7 * w:.1f},{y:.1f}", mark, width)


def face(
    ink: Ink,
    spread: float,
    eye_y: float,
    eye_r: float,
    mouth_y: float,
    mouth_w: float,
    skin: str,
    muzzle: str | None = None,
    teeth: bool = False,
) -> str:
    """Two eyes at (+-spread, eye_y) and a mouth at (0, mouth_y), with red cheeks when glad and a tear when sad.

    Args:
        skin: the unlit colour round the eyes.
        muzzle: the unlit colour round the mouth, where it differs.
        teeth: bared when alarmed.
    """
    cheeks = ""
    if ink.pose in ("smiling", "cheering"):
        for x in (-1.45 * spread, 1.45 * spread):
            cheeks += ellipse(x, eye_y + 0.6 * (mouth_y - eye_y), 1.5 * eye_r, 1.1 * eye_r, ink("#f0686a"), 0.75)
    tear = drop(ink, -1.25 * spread, eye_y + 1.6 * eye_r, 1.15 * eye_r) if ink.pose == "downcast" else ""
    return (
        cheeks
        + mouth(ink, 0.0, mouth_y, mouth_w, muzzle or skin, teeth)
        + eye(ink, -spread, eye_y, eye_r, skin, -1)
        + eye(ink, spread, eye_y, eye_r, skin, 1)
        + tear
    )


def drop(ink: Ink, x: float, y: float, r: float) -> str:
    """A tear that hangs from (x, y), 2.6 r high."""
    return path(
        f"M{x:.1f},{y:.1f} C{x + r:.1f},{y + 1.3 * r:.1f} {x + r:.1f},{y + 2.6 * r:.1f} {x:.1f},{y + 2.6 * r:.1f} "
        f"C{x - r:.1f},{y + 2.6 * r:.1f} {x - r:.1f},{y + 1.3 * r:.1f} {x:.1f},{y:.1f}Z",
        ink.shine("#4aa3e8"),
    )
