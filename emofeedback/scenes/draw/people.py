"""People and the statue, drawn in the local units of `figures`; people look at the viewer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, line, mix, path, rect
from emofeedback.scenes.draw.faces import face, moved

SKIN = "#f0bd95"
COATS = ("#d2322d", "#d2322d", "#c9276b", "#e2562a")
"""Coats of the single adult: red, with two near relatives as variation."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """What a person wears and how the hair is cut; all colours unlit.

    style: "short", "long", "tail" (with a headband), "bald" (but for sides and beard), "bun", "curl" or "none". hem: y
    of the lower end of coat or dress. flare: its half-width there. legs: colour of trousers or stockings. shorts:
    colour of short trousers. hat: a key of `HATS`.
    """

    coat: str
    hair: str
    style: str = "short"
    skin: str = SKIN
    legs: str = "#2f3a55"
    shoes: str = "#2b2026"
    hem: float = -27.0
    flare: float = 16.0
    shorts: str | None = None
    hat: str | None = None


@dataclass(frozen=True, slots=True)
class Stance:
    """Where the joints of a standing adult are.

    head: centre and turn in degrees. left, right: elbow and hand as the viewer sees them. feet: left, right.
    knees: left, right; None = straight legs. shoulder: y of the shoulders. lean: x of the chest. before: the arms are
    in front of the face.
    """

    head: tuple[float, float, float]
    left: tuple[Point, Point]
    right: tuple[Point, Point]
    feet: tuple[Point, Point] = ((-7.0, 0.0), (7.0, 0.0))
    knees: tuple[Point, Point] | None = None
    shoulder: float = -63.0
    lean: float = 0.0
    before: bool = False


_HANDS_AT_HEAD = Stance(
    (-1, -79, -4),
    ((-33, -60), (-14, -73)),
    ((31, -60), (12, -73)),
    ((-13, 0), (12, 0)),
    ((-5, -17), (5, -17)),
    before=True,
)
_BOWED = Stance((4, -66, 14), ((-13, -40), (-9, -24)), ((15, -40), (13, -23)), ((-4, 0), (5, 0)), None, -54, 3)
_NODDING = Stance((5, -77, 22), ((-18, -48), (-6, -36)), ((18, -48), (6, -36)))
STANDING = {
    "plain": Stance((0, -80, 0), ((-18, -50), (-16, -36)), ((18, -50), (16, -36))),
    "smiling": Stance((2, -80, 7), ((-27, -49), (-13, -40)), ((25, -56), (31, -74))),
    "cheering": Stance((0, -74, 0), ((-25, -68), (-33, -94)), ((25, -68), (33, -94)), ((-16, 0), (16, 0)), None, -58),
    "downcast": _BOWED,
    "alarmed": _HANDS_AT_HEAD,
    "asleep": _NODDING,
}
"""Bearing of a standing adult; "asleep" is for a bench only, as people lie elsewhere."""

_RUN = ((-31, -17), (20, -1))
_STRIDE = ((-13, -19), (17, -24))
RUNNING = {
    "plain": Stance((7, -79, 0), ((-19, -50), (-8, -38)), ((25, -52), (28, -68)), _RUN, _STRIDE, -62, 5),
    "smiling": Stance((7, -79, 6), ((-19, -50), (-6, -40)), ((27, -60), (37, -76)), _RUN, _STRIDE, -62, 5),
    "cheering": Stance((5, -73, 0), ((-22, -68), (-29, -93)), ((30, -68), (38, -93)), _RUN, _STRIDE, -57, 4),
    "downcast": replace(_BOWED, feet=((-12, 0), (8, 0)), knees=((-5, -17), (8, -17))),
    "alarmed": replace(_HANDS_AT_HEAD, feet=_RUN, knees=_STRIDE),
}
_KICK = ((-3, 0), (38, -21))
DANCING = {
    "plain": Stance((0, -76, -5), ((-25, -60), (-15, -93)), ((26, -55), (41, -62)), ((-3, 0), (26, -13)), None, -60),
    "smiling": Stance((1, -76, 7), ((-26, -50), (-40, -60)), ((28, -66), (13, -94)), _KICK, None, -60),
    "cheering": Stance((-1, -74, -4), ((-25, -68), (-34, -94)), ((24, -68), (33, -94)), _KICK, None, -58),
    "downcast": _BOWED,
    "alarmed": _HANDS_AT_HEAD,
}

WALKING_STICK = {
    "plain": Stance((-1, -77, -3), ((-18, -48), (-16, -34)), ((19, -48), (24, -38)), shoulder=-60),
    "smiling": Stance((-1, -77, -6), ((-25, -54), (-32, -70)), ((19, -48), (24, -38)), shoulder=-60),
    "cheering": replace(STANDING["cheering"], head=(0, -72, 0), feet=((-9, 0), (9, 0))),
    "downcast": Stance((4, -62, 14), ((-13, -40), (14, -34)), ((17, -42), (18, -36)), ((-5, 0), (3, 0)), None, -50, 3),
    "alarmed": replace(_HANDS_AT_HEAD, head=(-1, -76, -4)),
    "asleep": Stance((3, -74, 18), ((-18, -48), (-12, -36)), ((19, -48), (24, -38)), shoulder=-60),
}


def _skin(ink: Ink, look: Look) -> str:
    """The lit colour of the skin; whoever is sad keeps warm skin in cold light."""
    lit = ink(look.skin)
    return mix(lit, ink.shine(look.skin), 0.4) if ink.pose == "downcast" else lit


def _sad_face(ink: Ink, r: float, low: float, beard: bool) -> str:
    """Brows that rise inwards over eyes that look down, a small bent mouth, and a tear."""
    dark, y = ink("#241d22"), 0.06 * r + low
    parts = ""
    for side in (-1, 1):
        x = 0.41 * side * r
        parts += ellipse(x, y + 0.02 * r, 0.13 * r, 0.17 * r, dark)
        parts += circle(x - 0.04 * r, y - 0.04 * r, 0.05 * r, ink("#ffffff"))
        parts += line(
            f"M{0.24 * side * r:.1f},{y - 0.4 * r:.1f} L{0.6 * side * r:.1f},{y - 0.22 * r:.1f}", dark, 0.11 * r
        )
    tear = path(
        f"M{-0.5 * r:.1f},{y + 0.24 * r:.1f} C{-0.34 * r:.1f},{y + 0.5 * r:.1f} {-0.32 * r:.1f},{y + 0.68 * r:.1f} "
        f"{-0.5 * r:.1f},{y + 0.68 * r:.1f} C{-0.68 * r:.1f},{y + 0.68 * r:.1f} {-0.66 * r:.1f},{y + 0.5 * r:.1f} "
        f"{-0.5 * r:.1f},{y + 0.24 * r:.1f}Z",
        ink.shine("#4aa3e8"),
    )
    m = 0.6 * r + (low if beard else 0.7 * low)
    bent = f"M{-0.22 * r:.1f},{m + 0.1 * r:.1f} Q0,{m - 0.14 * r:.1f} {0.22 * r:.1f},{m + 0.1 * r:.1f}"
    return parts + tear + line(bent, dark, 0.12 * r)


def _head(ink: Ink, r: float, look: Look) -> str:
    """A head of radius r about the origin; bowed, the hair comes forward and the face sinks."""
    low = 0.17 * r if ink.pose == "downcast" else 0.0
    hair, skin = ink(look.hair), _skin(ink, look)
    parts = ""
    for x in (-0.97 * r, 0.97 * r):
        parts += circle(x, 0.15 * r + low, 0.2 * r, ink.shade(look.skin, 0.86))
    if look.style == "bald":
        parts += circle(-0.9 * r, -0.1 * r, 0.36 * r, hair) + circle(0.9 * r, -0.1 * r, 0.36 * r, hair)
    parts += circle(0, 0, r, skin)
    if look.style == "bald":
        parts += path(
            f"M{-1.0 * r:.1f},{0.1 * r:.1f} C{-1.15 * r:.1f},{1.75 * r:.1f} {1.15 * r:.1f},{1.75 * r:.1f} "
            f"{1.0 * r:.1f},{0.1 * r:.1f} Q{0.7 * r:.1f},{0.42 * r:.1f} 0,{0.36 * r:.1f} "
            f"Q{-0.7 * r:.1f},{0.42 * r:.1f} {-1.0 * r:.1f},{0.1 * r:.1f}Z",
            hair,
        )
    elif look.style == "curl":
        parts += line(
            f"M{-0.1 * r:.1f},{-0.98 * r:.1f} C{-0.1 * r:.1f},{-0.6 * r:.1f} {0.45 * r:.1f},{-0.6 * r:.1f} "
            f"{0.3 * r:.1f},{-0.85 * r:.1f}",
            hair,
            0.17 * r,
        )
    elif look.style != "none":
        parts += path(
            f"M{-1.05 * r:.1f},{0.1 * r:.1f} C{-1.25 * r:.1f},{-1.5 * r:.1f} {1.25 * r:.1f},{-1.5 * r:.1f} "
            f"{1.05 * r:.1f},{0.1 * r:.1f} C{0.95 * r:.1f},{-0.2 * r + low:.1f} {0.8 * r:.1f},{-0.4 * r + low:.1f} "
            f"{0.4 * r:.1f},{-0.5 * r + low:.1f} C0,{-0.32 * r + low:.1f} {-0.7 * r:.1f},"
            f"{-0.3 * r + low:.1f} {-1.05 * r:.1f},{0.1 * r:.1f}Z",
            hair,
        )
    if look.style == "bun":
        parts += circle(0, -1.12 * r, 0.42 * r, ink.shade(look.hair, 0.86))
    if look.style == "tail":
        parts += line(
            f"M{-0.98 * r:.1f},{-0.36 * r:.1f} Q0,{-0.72 * r:.1f} {0.98 * r:.1f},{-0.36 * r:.1f}",
            ink("#ffffff"),
            0.2 * r,
        )
    if look.hat is not None:
        parts += moved(HATS[look.hat](ink), scale=r / 10)
    beard = look.hair if look.style == "bald" else None
    if ink.pose == "downcast":
        return parts + _sad_face(ink, r, low, beard is not None)
    return parts + face(ink, 0.42 * r, 0.06 * r, 0.15 * r, 0.58 * r, 0.36 * r, look.skin, beard)


def _toque(ink: Ink) -> str:
    white = ink("#fbfaf6")
    puff = "".join(circle(x, y, 4.2, white) for x, y in ((-5, -12.2), (5, -12.2), (0, -13.6)))
    return puff + rect(-6.8, -11.6, 13.6, 5, white) + rect(-6.8, -7.8, 13.6, 1.6, ink.shade("#fbfaf6", 0.84))


def _straw_hat(ink: Ink) -> str:
    straw = ink("#e3b64f")
    crown = path("M-7.2,-6 Q-6.6,-13.8 0,-13.6 Q6.6,-13.8 7.2,-6Z", straw)
    return ellipse(0, -5.8, 15, 3, straw) + crown + line("M-7.1,-7.2 H7.1", ink("#b5452f"), 2)


def _crown(ink: Ink) -> str:
    d = "M-8,-6.2 L-9,-13 L-4.2,-9.6 L0,-14.2 L4.2,-9.6 L9,-13 L8,-6.2 Q0,-4.6 -8,-6.2Z"
    return path(d, ink("#f5c02a")) + circle(0, -7.8, 1.3, ink("#d8332c"))


def _space_helmet(ink: Ink) -> str:
    """A round glass with a white rim, through which the face is seen."""
    rim = "M0,-13 A13,13 0 1 1 -0.1,-13Z"
    return (
        circle(0, 0, 12.6, ink("#bfe0f2"), 0.35)
        + line(rim, ink("#f4f5f7"), 2.6)
        + line("M-7.4,-8 Q-4,-10.6 0,-10.6", "#ffffff", 1.3, 0.9)
        + rect(-15, -2.4, 3, 5.4, ink("#d9483b"), radius=1)
        + rect(12, -2.4, 3, 5.4, ink("#d9483b"), radius=1)
    )


def _antenna(ink: Ink) -> str:
    """A metal cap with a lamp on a rod, and bolts for ears."""
    steel = ink("#6f7d8b")
    return (
        path("M-9.9,-2.4 C-9.6,-13.2 9.6,-13.2 9.9,-2.4 Q0,-6.4 -9.9,-2.4Z", steel)
        + line("M0,-10 V-15", steel, 1.6)
        + circle(0, -16, 2.2, ink.shine("#ff5a4a"))
        + rect(-12.6, -2, 3.4, 5.6, steel, radius=1)
        + rect(9.2, -2, 3.4, 5.6, steel, radius=1)
    )


def _pointed_hat(ink: Ink, cloth: str, band: str) -> str:
    d = "M-9,-5.4 Q-4,-13 1.6,-22.6 Q3,-24.6 6.6,-23.4 Q4.6,-20.4 5.4,-16.4 Q6.6,-10 9,-5.4Z"
    ribbon = path("M-8.6,-6 Q-7.6,-7.6 -6.9,-8.8 Q0,-6.6 7.3,-8.8 Q8,-7.4 8.6,-6 Q0,-3.6 -8.6,-6Z", ink(band))
    return ellipse(0, -5.2, 15, 3, ink.shade(cloth, 0.8)) + path(d, ink(cloth)) + ribbon


def _wizards_hat(ink: Ink) -> str:
    stars = "".join(circle(x, y, 1.1, ink.shine("#ffe27a")) for x, y in ((-1.6, -12), (3, -15), (1.6, -19.4)))
    return _pointed_hat(ink, "#3d4fb0", "#e8b93a") + stars


def _witchs_hat(ink: Ink) -> str:
    return _pointed_hat(ink, "#3a2f4a", "#8a4bd0")


def _pirates_hat(ink: Ink) -> str:
    """A black hat with a turned-up brim, skull and bones on it."""
    bone = ink("#f4f1e6")
    return (
        path("M-14,-4 Q-13,-12 -6,-12.6 Q0,-17 6,-12.6 Q13,-12 14,-4 Q0,-9.4 -14,-4Z", ink("#2b2830"))
        + line("M-3.4,-8 L3.4,-11.6 M3.4,-8 L-3.4,-11.6", bone, 1.1)
        + circle(0, -10.6, 2, bone)
    )


def _clowns_hat(ink: Ink) -> str:
    """Orange curls at both sides, a small cone, and the red nose."""
    curls = "".join(
        circle(side * x, y, 4.2, ink("#f0702a")) for side in (-1, 1) for x, y in ((10, -3), (11.6, 2.4), (8, -7.4))
    )
    cone = path("M-5,-8 L0.6,-19 L5.4,-8 Q0,-6 -5,-8Z", ink("#3fae6a")) + circle(0.6, -19, 2, ink("#ffd23f"))
    return curls + cone + circle(0, 3.6, 2.5, ink("#e8323c"))


def _helmet(ink: Ink) -> str:
    """A knight's helmet, open before the face, with a red plume."""
    steel = ink("#a3adb8")
    plume = path("M-1,-10 Q-5,-19 4,-21 Q14,-21 15,-11 Q10,-15 5,-13 Q2,-12 2,-9Z", ink("#d8332c"))
    bowl = "M-11,6 C-12.6,-14.4 12.6,-14.4 11,6 L8.4,9 Q9,-1 7,-4.4 Q0,-6.6 -7,-4.4 Q-9,-1 -8.4,9Z"
    return plume + path(bowl, steel) + line("M-7.4,-4.6 Q0,-6.8 7.4,-4.6", ink.shade("#a3adb8", 0.7), 1.4)


def _nurses_cap(ink: Ink) -> str:
    """A white cap with a red cross."""
    cap = path("M-8.4,-6.4 L-7,-12.6 Q0,-15 7,-12.6 L8.4,-6.4 Q0,-9 -8.4,-6.4Z", ink("#fbfaf6"))
    return cap + line("M0,-12.4 V-8.4 M-2,-10.4 H2", ink("#d8332c"), 1.4)


def _peaked_cap(ink: Ink) -> str:
    """A dark blue cap with a badge."""
    cloth = "#243a6e"
    return (
        path("M-9.6,-5 Q-13,-11.6 -7,-13 Q0,-15.4 7,-13 Q13,-11.6 9.6,-5Z", ink(cloth))
        + path("M-9.6,-5.6 Q0,-8.4 9.6,-5.6 L10.6,-3 Q0,-6.6 -10.6,-3Z", ink.shade(cloth, 0.55))
        + circle(0, -9.6, 1.9, ink("#f2c84a"))
    )


def _fire_helmet(ink: Ink) -> str:
    """A red helmet with a ridge and a yellow shield."""
    shell = "M-9.4,-4.6 C-9.8,-14.6 9.8,-14.6 9.4,-4.6Z"
    shield = path("M-3,-11.6 H3 L2.6,-7 L0,-5.4 L-2.6,-7Z", ink("#f5c63a"))
    return ellipse(0, -4.4, 13.4, 2.6, ink.shade("#d5302a", 0.76)) + path(shell, ink("#d5302a")) + shield


def _veil(ink: Ink) -> str:
    """A wreath of flowers that holds a veil, which falls beside the face."""
    veil = path(
        "M-8.4,-7 Q-15,2 -12.4,14 L-8.6,12 Q-11,2 -8.4,-7ZM8.4,-7 Q15,2 12.4,14 L8.6,12 Q11,2 8.4,-7Z", "#ffffff", 0.8
    )
    return (
        veil
        + "".join(
            circle(x, y, 2.1, ink(own))
            for x, y, own in ((-8, -6.6, "#f7b4c8"), (-4, -9.2, "#ffffff"), (0, -10, "#f7b4c8"), (4, -9.2, "#ffffff"))
        )
        + circle(8, -6.6, 2.1, ink("#f7b4c8"))
    )


HATS: dict[str, Callable[[Ink], str]] = {
    "toque": _toque,
    "straw": _straw_hat,
    "crown": _crown,
    "space": _space_helmet,
    "antenna": _antenna,
    "wizard": _wizards_hat,
    "witch": _witchs_hat,
    "pirate": _pirates_hat,
    "clown": _clowns_hat,
    "helmet": _helmet,
    "nurse": _nurses_cap,
    "cap": _peaked_cap,
    "fire": _fire_helmet,
    "veil": _veil,
}
"""What people wear on a head of radius 10 about the origin."""
WORN_IN_BED = ("space", "antenna", "clown", "helmet", "veil")
"""What belongs to the head, or lies flat on a pillow."""


def _hair_behind(ink: Ink, r: float, look: Look) -> str:
    """The hair that hangs behind the shoulders."""
    if look.style == "long":
        return path(
            f"M{-1.05 * r:.1f},{-0.3 * r:.1f} C{-1.2 * r:.1f},{0.5 * r:.1f} {-1.35 * r:.1f},{1.1 * r:.1f} "
            f"{-1.15 * r:.1f},{1.55 * r:.1f} H{1.15 * r:.1f} C{1.35 * r:.1f},{1.1 * r:.1f} {1.2 * r:.1f},{0.5 * r:.1f} "
            f"{1.05 * r:.1f},{-0.3 * r:.1f}Z",
            ink.shade(look.hair, 0.8),
        )
    if look.style == "tail":
        return path(
            f"M{-0.6 * r:.1f},{-0.9 * r:.1f} C{-1.7 * r:.1f},{-1.2 * r:.1f} {-1.9 * r:.1f},0 {-1.7 * r:.1f},"
            f"{0.8 * r:.1f} C{-1.3 * r:.1f},{0.5 * r:.1f} {-1.2 * r:.1f},{-0.1 * r:.1f} {-0.7 * r:.1f},{-0.3 * r:.1f}Z",
            ink(look.hair),
        )
    return ""


def _limb(points: tuple[Point, ...], colour: str, width: float) -> str:
    return line("M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points), colour, width)


SEAT = 9.0
"""How much lower hips are on a bench than on straight legs."""


def _adult(ink: Ink, look: Look, stance: Stance, r: float = 15.5) -> str:
    """An adult, about 95 high, standing or on the seat of a bench with the feet on the ground."""
    if ink.seated:
        stance = replace(stance, left=_close(stance.left), right=_close(stance.right))
        trunk = replace(look, hem=-34.0, flare=min(look.flare, 15.0), shorts=None)
        upper = _adult(replace(ink, seated=False), trunk, replace(stance, feet=((-7, -30), (7, -30)), knees=None), r)
        return moved(upper, 0, SEAT) + _lap(ink, look)
    coat = ink.own(look.coat)
    top, lean, hem, flare = stance.shoulder, stance.lean, look.hem, look.flare
    legs = ""
    for side, foot in zip((-1, 1), stance.feet, strict=True):
        hip = (side * 5.5, hem - 6)
        ankle = (foot[0], foot[1] - 4.5)
        knee = () if stance.knees is None else (stance.knees[0 if side < 0 else 1],)
        legs += _limb((hip, *knee, ankle), ink(look.legs) if side > 0 else ink.shade(look.legs, 1.25), 9.5)
        legs += ellipse(foot[0] + side * 1.5, foot[1] - 3.2, 6.8, 3.2, ink(look.shoes))
    if look.shorts is not None:
        legs += path("M-11,-44 H11 L15,-27 H2 L0,-31 L-2,-27 H-15Z", ink(look.shorts))
    body = path(
        f"M{lean - 12},{top + 1:.1f} Q{lean},{top - 9:.1f} {lean + 12},{top + 1:.1f} L{flare},{hem} "
        f"Q0,{hem + 3} {-flare},{hem}Z",
        ink(coat),
    ) + path(
        f"M{lean + 3},{top - 4:.1f} Q{lean + 9},{top - 3:.1f} {lean + 12},{top + 1:.1f} L{flare},{hem} "
        f"Q{0.6 * flare:.1f},{hem + 2} {0.25 * flare:.1f},{hem + 1.5}Z",
        ink.shade(coat, 0.72),
    )
    arms = ""
    for side, (elbow, hand), tone in ((-1, stance.left, 0.9), (1, stance.right, 0.62)):
        arms += _limb(((lean + side * 9.5, top + 3), elbow, hand), ink.shade(coat, tone), 8.4)
        arms += circle(*hand, 5.0, _skin(ink, look))
    head, behind = moved(_head(ink, r, look), *stance.head), moved(_hair_behind(ink, r, look), *stance.head)
    return behind + legs + (body + head + arms if stance.before else arms + body + head)


def _close(arm: tuple[Point, Point]) -> tuple[Point, Point]:
    """An arm that keeps near the trunk, straight up if it is raised: neighbours on a bench sit close."""
    (x, y), (end, height) = arm
    if height < -90:
        side = -1 if x < 0 else 1
        return (side * 20, -70), (side * 21, -95)
    return (max(-23.0, min(23.0, x)), y), (max(-27.0, min(27.0, end)), height)


def _lap(ink: Ink, look: Look) -> str:
    """Thighs seen from the front, in a skirt or shorts where there are some, shins and feet of who sits."""
    parts = ""
    for side, tone in ((-1, 1.25), (1, 1.0)):
        cloth = ink.shade(look.legs, tone)
        parts += _limb(((side * 8.5, -19.0), (side * 9.5, -5.0)), cloth, 9.0)
        parts += ellipse(side * 10.5, -3.2, 6.8, 3.2, ink(look.shoes))
        parts += ellipse(side * 8.0, -22.5, 8.0, 6.6, ink.shade(look.shorts or look.legs, 1.12 * tone))
    if look.flare > 18:
        cloth = ink.shade(ink.own(look.coat), 1.1)
        parts += path("M-14,-31 Q0,-28 14,-31 C18,-27 20,-21 20,-13 Q0,-9 -20,-13 C-20,-21 -18,-27 -14,-31Z", cloth)
    return parts


def _lying(ink: Ink, looks: tuple[Look, ...], r: float = 21.0) -> str:
    """People who sleep side by side: heads on a white pillow, the rest under a blanket of the coats' colour."""
    step = 1.8 * r
    first = -49 + 1.28 * r
    last = first + step * (len(looks) - 1)
    end = last + 1.2 * r
    parts = rect(-50, -2.05 * r, end + 50, 2.05 * r, ink("#fffaf0"), radius=0.7 * r)
    parts += path(f"M-49,{-0.45 * r:.1f} H{end:.1f} V0 H-44 Q-49,0 -49,{-0.45 * r:.1f}Z", ink("#cfc8c0"))
    for i, look in enumerate(looks):
        parts += moved(
            _head(ink, r, look if look.hat in WORN_IN_BED else replace(look, hat=None)),
            first + i * step,
            -(1.4 if look.style == "bald" else 1.2) * r,
            -18,
        )
    coat, other = ink.own(looks[0].coat), ink.own(looks[-1].coat)
    return (
        parts
        + path(
            f"M{first - 0.5 * r:.1f},0 Q{first:.1f},{-0.3 * r:.1f} {last:.1f},{-0.28 * r:.1f} "
            f"C{last + 0.6 * r:.1f},{-0.4 * r:.1f} {last + 0.8 * r:.1f},{-1.75 * r:.1f} {last + 1.5 * r:.1f},"
            f"{-1.75 * r:.1f} C{last + 2 * r:.1f},{-1.75 * r:.1f} 30,-22 39,-28 C49,-33 50,-14 50,0Z",
            ink(coat),
        )
        + path(f"M{last + 0.8 * r:.1f},0 C26,-2 38,-10 44,-29 C50,-27 50,-12 50,0Z", ink.shade(other, 0.72))
    )


def draw_person(ink: Ink) -> str:
    """One adult in a red coat: a man, a woman with long hair and a skirt, or who is known by clothes and hat."""
    look = Look(ink.rng.choice(COATS), "#4a2c22")
    if ink.kind in ("woman", "queen", "witch", "bride"):
        look = replace(look, hair="#7a3f1c", style="long", legs="#3a3550", hem=-22.0, flare=19.0)
    look = {
        "chef": replace(look, coat="#f4f3ee", hat="toque"),
        "farmer": replace(look, coat="#3f6ea8", hat="straw", legs="#3f6ea8"),
        "king": replace(look, coat="#8a2fa0", hat="crown", hem=-16.0, flare=19.0),
        "queen": replace(look, coat="#8a2fa0", hat="crown", hem=-13.0, flare=23.0),
        "astronaut": replace(look, coat="#eef0f4", hat="space", legs="#dfe3ea", shoes="#8f98a6"),
        "robot": replace(look, coat="#4e8fb3", hat="antenna", style="none", skin="#c3ced8", legs="#6f7d8b"),
        "wizard": replace(look, coat="#3d4fb0", hat="wizard", hair="#e6e3dc", style="bald", hem=-12.0, flare=20.0),
        "witch": replace(look, coat="#4a3a66", hat="witch", hair="#b5562a", hem=-14.0, flare=21.0),
        "pirate": replace(look, coat="#9c2f3a", hat="pirate", legs="#3a3440", hem=-30.0),
        "clown": replace(look, coat="#f2c12e", hat="clown", style="none", legs="#3f8fd6", shoes="#d8332c", flare=19.0),
        "knight": replace(look, coat="#9aa6b4", hat="helmet", legs="#7d8896", shoes="#59636f"),
        "doctor": replace(look, coat="#f4f6f6", hat="nurse", legs="#4f9fb0", hem=-20.0),
        "police officer": replace(look, coat="#31508f", hat="cap", legs="#243a6e", hem=-32.0),
        "firefighter": replace(look, coat="#3d4048", hat="fire", legs="#3d4048", shoes="#e0b02e", hem=-30.0),
        "bride": replace(look, coat="#fbf7f2", hat="veil", legs="#f4e9e0", hem=-6.0, flare=27.0),
    }.get(ink.kind or "", look)
    if ink.pose == "asleep" and not ink.seated:
        return _lying(ink, (look,))
    return _adult(ink, look, STANDING[ink.pose])


_MAN = Look("#2f6bc4", "#33241f", legs="#2a2f45", hem=-33, flare=14)
_WOMAN = Look("#d83a34", "#8a4a1f", "long", legs="#e0a883", hem=-23, flare=19)
_CHILD = Look("#f8c81e", "#7a4320", legs="#35558f", shoes="#c8372e", hem=-26, flare=18)
_CHILDREN = (
    _CHILD,
    replace(_CHILD, coat="#e8486f", hair="#d9962e", style="long", legs="#f3e3d0", hem=-23, flare=21),
    replace(_CHILD, coat="#2f9fd6", hair="#2b211f", skin="#d99a6c", legs="#5a4a3c", shoes="#3c3a44"),
)
"""Looks of several children side by side."""
_GIRLS = (
    _CHILDREN[1],
    replace(_CHILDREN[1], coat="#7a55c9", hair="#2b211f", skin="#d99a6c", legs="#e8e2f4"),
    replace(_CHILDREN[1], coat="#f2a31c", hair="#a04a22", legs="#dff0ef"),
)
_BOYS = (_CHILD, _CHILDREN[2], replace(_CHILD, coat="#3f9e5a", hair="#d9962e", legs="#3d4660", shoes="#2b2026"))


def draw_couple(ink: Ink) -> str:
    """Two adults hand in hand: blue on the left, red with long hair on the right."""
    if ink.pose == "asleep" and not ink.seated:
        return _lying(ink, (_MAN, _WOMAN), 16.5)
    man = woman = STANDING[ink.pose]
    if ink.pose == "plain":
        man = replace(man, right=((18, -48), (22, -36)))
        woman = replace(woman, left=((-18, -48), (-24, -36)))
    elif ink.pose == "smiling":
        man = replace(man, head=(5, -80, 9), left=((-22, -55), (-25, -72)), right=((18, -48), (22, -36)))
        woman = replace(woman, head=(-5, -80, -9), left=((-18, -48), (-24, -36)), right=((23, -56), (26, -73)))
    elif ink.pose == "downcast":
        man = replace(man, head=(-5, -66, -14), lean=-3)
    elif ink.pose == "alarmed":
        man = replace(man, left=((-26, -60), (-14, -73)), right=((20, -60), (12, -73)))
        woman = replace(woman, left=((-20, -60), (-14, -73)), right=((27, -60), (12, -73)))
    elif ink.pose == "cheering":
        man = replace(man, left=((-23, -68), (-27, -94)), right=((20, -70), (23, -92)))
        woman = replace(woman, left=((-20, -70), (-27, -92)), right=((23, -68), (27, -94)))
    scale = 0.84 if ink.pose == "cheering" else 0.9
    return moved(_adult(ink, _MAN, man), -21, 0, 0, scale + 0.04) + moved(_adult(ink, _WOMAN, woman), 21, 0, 0, scale)


def _small(ink: Ink, look: Look = _CHILD) -> str:
    """A standing child: an adult's joints, shortened, under a head that is as large as an adult's."""
    stance = STANDING[ink.pose]
    x, y, turn = stance.head
    if ink.pose == "cheering":
        stance = replace(stance, left=((-26, -66), (-29, -96)), right=((26, -66), (29, -96)))
    return _adult(ink, look, replace(stance, head=(x, y - 3, turn)), 20.0)


def draw_child(ink: Ink) -> str:
    """A small child in a yellow coat: big head, short legs, about 80 high; its copies are other children.

    A girl has long hair and a pink dress.
    """
    looks = {"girl": _GIRLS, "boy": _BOYS}.get(ink.kind or "", _CHILDREN)
    look = looks[ink.nth % len(looks)]
    if ink.pose == "asleep" and not ink.seated:
        return moved(_lying(ink, (look,), 23.0), 0, 0, 0, 0.88)
    return moved(_small(ink, look), 0, -4.0 if ink.seated else 0.0, 0, 0.82)


def draw_family(ink: Ink) -> str:
    """Two adults and a child between them."""
    man, woman = replace(_MAN, coat="#2e8b57"), replace(_WOMAN, coat="#d9482f")
    if ink.pose == "asleep" and not ink.seated:
        return _lying(ink, (man, _CHILD, woman), 13.0)
    stance = STANDING[ink.pose]
    left, right = stance, stance
    if ink.pose == "plain":
        left, right = replace(left, right=((18, -44), (22, -30))), replace(right, left=((-18, -44), (-22, -30)))
    elif ink.pose == "smiling":
        left = replace(left, head=(3, -80, 9), left=((-20, -53), (-22, -72)), right=((18, -44), (22, -30)))
        right = replace(right, head=(-3, -80, -9), left=((-18, -44), (-22, -30)), right=((20, -53), (22, -72)))
    elif ink.pose == "downcast":
        left = replace(left, head=(-3, -66, -14), lean=-3)
    elif ink.pose == "cheering":
        left, right = replace(left, left=((-18, -70), (-20, -94))), replace(right, right=((18, -70), (20, -94)))
        if ink.seated:
            left, right = replace(left, right=((14, -48), (10, -38))), replace(right, left=((-14, -48), (-10, -38)))
    elif ink.pose == "alarmed":
        left = right = replace(stance, left=((-20, -58), (-14, -73)), right=((20, -58), (12, -73)))
    scale = 0.86
    return (
        moved(_adult(ink, man, left), -26, 0, 0, scale)
        + moved(_adult(ink, woman, right), 26, 0, 0, scale)
        + moved(_small(ink), 0, -9.0 if ink.seated else 0.0, 0, 0.6)
    )


def draw_runner(ink: Ink) -> str:
    """A runner in a cyan shirt and dark shorts, with bare legs; with a ponytail and a white headband but for men."""
    look = Look(
        "#12a5c9",
        "#3a2118",
        "short" if ink.kind == "man" else "tail",
        "#e0a274",
        legs="#e0a274",
        shoes="#e8452e",
        hem=-37,
        flare=11,
    )
    look = replace(look, shorts="#27304d")
    if ink.pose == "asleep" and not ink.seated:
        return _lying(ink, (look,))
    return _adult(ink, look, (STANDING if ink.seated else RUNNING)[ink.pose])


def draw_dancer(ink: Ink) -> str:
    """A dancer in a wide purple dress, or a man in a purple shirt: one foot off the ground, one arm above the head."""
    look = Look("#8e3bc4", "#2c1a17", "long", "#e9b083", legs="#e9b083", shoes="#f06aa0", hem=-24, flare=27)
    if ink.kind == "man":
        look = replace(look, style="short", legs="#262335", shoes="#1d1a26", hem=-34, flare=13)
    if ink.pose == "asleep" and not ink.seated:
        return _lying(ink, (look,))
    if ink.pose == "downcast" and ink.kind is None:
        look = replace(look, flare=17, hem=-18)
    return _adult(ink, look, (STANDING if ink.seated else DANCING)[ink.pose])


def draw_old_man(ink: Ink) -> str:
    """An old man in a teal coat, bald with a white beard, or an old woman in a plum dress with a bun; a walking stick.

    While his hands are up, the stick lies on the ground or leans on his bench.
    """
    look = Look("#2c7a86", "#f1efe9", "bald", legs="#4a4a52", hem=-24, flare=16)
    if ink.kind == "old woman":
        look = Look("#8c4f8f", "#eeeae6", "bun", legs="#4a3f52", hem=-13, flare=19)
    wood = ink("#5a3418")
    if ink.pose == "asleep" and not ink.seated:
        return _lying(ink, (look,))
    stance = WALKING_STICK[ink.pose]
    x, y = stance.right[1]
    if ink.seated:
        y += SEAT
    leaning = line("M20,-38 Q25,-42 26,-34 L28,-2", wood, 4.4)
    stick = {
        "cheering": leaning if ink.seated else line("M20,-2.5 H45", wood, 4.4),
        "alarmed": leaning if ink.seated else line("M22,-2.5 H47", wood, 4.4),
    }.get(ink.pose, line(f"M{x - 4},{y - 5} Q{x + 1},{y - 8} {x + 2},{y} L{x + 4},-2", wood, 4.4))
    return stick + _adult(ink, look, stance)


def _seated(
    ink: Ink,
    look: Look,
    r: float,
    head: tuple[float, float, float],
    left: tuple[Point, Point],
    right: tuple[Point, Point],
    before: bool,
    legs: str,
) -> str:
    """A person on the ground: legs as given in front, the trunk above them, 45 to the shoulders."""
    coat = ink.own(look.coat)
    body = path("M-17,-8 C-19,-34 -15,-46 -8,-47 H8 C15,-46 19,-34 17,-8Z", ink(coat)) + path(
        "M5,-47 H8 C15,-46 19,-34 17,-8 H6Z", ink.shade(coat, 0.72)
    )
    arms = ""
    for side, (elbow, hand), tone in ((-1, left, 0.9), (1, right, 0.62)):
        arms += _limb(((side * 11, -40), elbow, hand), ink.shade(coat, tone), 9.4)
        arms += circle(*hand, 5.4, _skin(ink, look))
    behind = moved(_hair_behind(ink, r, look), *head)
    top = moved(_head(ink, r, look), *head)
    body = behind + body
    return (body + legs + top + arms) if before else (body + legs + arms + top)


def draw_sitter(ink: Ink) -> str:
    """A person in a green jumper who sits cross-legged on the ground, or on a bench like others."""
    look = Look("#2f9a57", "#5a3320", "long" if ink.kind == "woman" else "short", legs="#34497a")
    near, far = ink("#34497a"), ink.shade("#34497a", 0.75)
    if ink.seated:
        return _adult(ink, look, STANDING[ink.pose])
    legs = (
        line("M13,-8 L32,-12 L8,-5", far, 11)
        + line("M-13,-8 L-32,-12 L-6,-5", near, 11)
        + ellipse(12, -4, 8, 4, ink(look.shoes))
        + ellipse(-11, -4, 8, 4, ink(look.shoes))
    )
    head, left, right = {
        "plain": ((0, -63, 0), ((-24, -28), (-27, -16)), ((24, -28), (27, -16))),
        "smiling": ((2, -63, 8), ((-24, -28), (-27, -16)), ((27, -42), (36, -60))),
        "cheering": ((0, -62, 0), ((-27, -52), (-36, -80)), ((27, -52), (36, -80))),
        "downcast": ((5, -46, 16), ((-21, -24), (-9, -12)), ((23, -24), (12, -12))),
        "asleep": ((10, -54, 30), ((-19, -24), (-6, -13)), ((19, -24), (8, -12))),
        "alarmed": ((0, -63, -4), ((-36, -46), (-15, -58)), ((36, -46), (15, -58))),
    }[ink.pose]
    return moved(_seated(ink, look, 16.5, head, left, right, ink.pose == "alarmed", legs), 0, 0, 0, 1.12)


def draw_baby(ink: Ink) -> str:
    """A baby in a light blue romper that sits, legs apart: a very large head, one curl."""
    look = Look("#6cc3ee", "#8a5a2b", "curl")
    if ink.pose == "asleep" and not ink.seated:
        return moved(_lying(ink, (look,), 23.0), 0, 0, 0, 0.82)
    coat = ink.own(look.coat)
    legs = (
        line("M-10,-8 L-30,-8", ink(coat), 14)
        + line("M10,-8 L30,-8", ink.shade(coat, 0.72), 14)
        + circle(-37, -8, 7, ink(SKIN))
        + circle(37, -8, 7, ink(SKIN))
    )
    head, left, right = {
        "plain": ((0, -62, 0), ((-24, -32), (-27, -22)), ((24, -32), (27, -22))),
        "smiling": ((2, -62, 8), ((-24, -32), (-27, -22)), ((30, -42), (38, -54))),
        "cheering": ((0, -60, 0), ((-30, -48), (-39, -74)), ((30, -48), (39, -74))),
        "downcast": ((4, -50, 14), ((-22, -26), (-12, -17)), ((22, -26), (13, -17))),
        "asleep": ((5, -57, 22), ((-24, -30), (-18, -20)), ((24, -30), (20, -20))),
        "alarmed": ((0, -62, -4), ((-38, -42), (-23, -56)), ((38, -42), (23, -56))),
    }[ink.pose]
    drawn = _seated(ink, look, 24.0, head, left, right, ink.pose == "alarmed", legs)
    return moved(drawn, 0, -22.0, 0, 0.7) if ink.seated else drawn


def _snowman(ink: Ink) -> str:
    """Three balls of snow with a hat, a red scarf, a carrot and twigs for arms."""
    snow, coal, twig = ink.own("#f7fafd"), ink("#2a2a31"), ink("#6b4630")
    shade = ink.shade(snow, 0.84)
    return (
        line("M-20,-50 L-42,-66 M-36,-62 L-40,-54 M20,-50 L42,-64 M36,-60 L44,-56", twig, 3.2)
        + circle(0, -23, 24, shade)
        + circle(-2, -24, 22, ink(snow))
        + circle(0, -52, 18, shade)
        + circle(-1.6, -53, 16.2, ink(snow))
        + circle(0, -76, 13.5, shade)
        + circle(-1.2, -76.6, 12.2, ink(snow))
        + line("M-12,-66 Q0,-61 12,-66", ink("#d8332c"), 5.0)
        + path("M6,-65 L13,-62 L12,-46 L5,-47Z", ink.shade("#d8332c", 0.84))
        + path("M0,-78 L15,-74.5 L0,-72.5Z", ink("#f0821e"))
        + circle(-5, -80, 1.9, coal)
        + circle(5, -80, 1.9, coal)
        + "".join(circle(0, y, 2.0, coal) for y in (-56, -48, -28))
        + rect(-16, -89, 32, 4, coal, radius=1)
        + rect(-10, -100, 20, 12, coal)
        + rect(-10, -91, 20, 3, ink("#d8332c"))
    )


def draw_statue(ink: Ink) -> str:
    """A robed figure of pale stone, one arm raised, on a stepped plinth; or a snowman."""
    if ink.kind == "snowman":
        return _snowman(ink)
    stone = ink.own("#dcdccf")
    dark = ink.shade(stone, 0.66)
    return (
        rect(-28, -7, 56, 7, ink.shade(stone, 0.9))
        + path("M4,-7 H28 V0 H4Z", dark)
        + rect(-20, -36, 40, 29, ink(stone))
        + rect(3, -36, 17, 29, dark)
        + rect(-24, -40, 48, 6, ink.shade(stone, 1.08))
        + line("M9,-77 C15,-81 19,-87 22,-95", ink.shade(stone, 0.8), 6.5)
        + line("M-9,-77 C-17,-71 -17,-64 -8,-60", ink(stone), 6.5)
        + path("M-11,-79 Q0,-85 11,-79 L8,-62 L15,-40 H-15 L-9,-62Z", ink(stone))
        + path("M2,-82 Q8,-82 11,-79 L8,-62 L15,-40 H3 L5,-62Z", dark)
        + path("M-11,-79 L-7,-82 L14,-48 L15,-40 H12Z", ink.shade(stone, 1.1))
        + circle(0, -91, 7.6, ink(stone))
        + path("M1,-98.6 A7.6,7.6 0 0 1 1,-83.4 Q5,-91 1,-98.6Z", dark)
    )
