"""Subjects that stand in the middle ground: buildings, the tree, the train and the boat.

Every drawing is in local units: the origin is the centre of what touches the ground, x to the right, y down (up is
negative), inside x in [-50, 50] and y in [-100, 0]. Light comes from the left; the right side lies in shadow.
"""

from collections.abc import Callable

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, glow, line, path, polygon, rect

LAMP = "#ffe27a"
SHADOW = "#121a33"


def arch(x: float, y: float, w: float, h: float, fill: str) -> str:
    """An opening with a round top; (x, y) is the middle of its foot."""
    r = w / 2
    return path(f"M{x - r} {y}V{y - h + r}A{r} {r} 0 0 1 {x + r} {y - h + r}V{y}Z", fill)


def house(ink: Ink) -> str:
    """A gabled family house seen from its corner: bright gable left, shaded side and red roof right."""
    window, wall, roof = ink.window(), "#f3dcae", "#b8432f"
    return "".join(
        (
            rect(22, -92, 12, 26, ink.shade(roof, 0.62)),
            rect(-8, -46, 56, 46, ink.shade(wall, 0.76)),
            polygon([(-44, 0), (-44, -42), (-21, -76), (2, -42), (2, 0)], ink(wall)),
            polygon([(-21, -84), (32, -84), (50, -40), (6, -40)], ink(roof)),
            polygon([(-21, -84), (-50, -41), (-44, -36), (-21, -71), (2, -36), (8, -41)], ink.shade(roof, 0.74)),
            arch(-21, 0, 15, 29, ink("#6b3a22")),
            circle(-21, -50, 6.5, window),
            rect(9, -31, 14, 17, window),
            rect(29, -31, 14, 17, window),
        )
    )


def lighthouse(ink: Ink) -> str:
    """A tapered tower in red and white with a lamp that throws two beams when it is lit."""
    red, white = ink("#d2352c"), ink("#f7f3e8")

    def half(y: float) -> float:
        return 17 + y * 7 / 72

    def band(low: float, high: float, fill: str) -> str:
        a, b = half(low), half(high)
        return polygon([(-a, low), (-b, high), (b, high), (a, low)], fill)

    parts = []
    if ink.lit:
        beam = ink.shine(LAMP)
        parts += [
            '<defs><radialGradient id="beam" gradientUnits="userSpaceOnUse" cx="0" cy="-83" r="84">'
            f'<stop offset="0" stop-color="{beam}"/><stop offset="1" stop-color="{beam}" stop-opacity="0"/>'
            "</radialGradient></defs>",
            path("M0 -83L-84 -102V-66ZM0 -83L84 -102V-66Z", "url(#beam)", 0.75),
        ]
    parts.append(band(0, -72, white))
    parts += [band(low, low - 14.4, red) for low in (0, -28.8, -57.6)]
    parts += [
        polygon([(4, 0), (3, -72), (half(-72), -72), (half(0), 0)], SHADOW, 0.26),
        arch(-2, 0, 8, 13, ink("#40303a")),
        rect(-15, -76, 30, 5, ink("#3a3f4c")),
        rect(-8, -90, 16, 14, ink.shine(LAMP) if ink.lit else ink("#9fb9c4")),
        path("M-11 -89Q-9 -99 0 -100Q9 -99 11 -89Z", ink.shade("#d2352c", 0.85)),
    ]
    if ink.lit:
        parts.append(glow(0, -83, 26, ink.shine(LAMP), 0.95))
    return "".join(parts)


def windmill(ink: Ink) -> str:
    """A tapered mill with a dark cap and four large cloth sails."""
    sail = ink("#f6ead0")
    spar = ink("#5b3a26")
    parts = [
        polygon([(-24, 0), (-14, -62), (14, -62), (24, 0)], ink("#c9895a")),
        polygon([(5, 0), (3, -62), (14, -62), (24, 0)], ink.shade("#c9895a", 0.68)),
        path("M-18 -58Q-16 -78 0 -79Q16 -78 18 -58Z", ink("#54413f")),
        arch(0, 0, 13, 20, ink("#4a2c1e")),
        rect(2, -38, 9, 12, ink.window(), radius=1),
    ]
    for angle in (28, 118, 208, 298):
        arm = polygon([(2, 9), (13, 9), (13, 41), (2, 41)], sail) + line("M0 0V42", spar, 3.2)
        parts.append(f'<g transform="translate(0 -58) rotate({angle})">{arm}</g>')
    parts.append(circle(0, -58, 4.5, spar))
    return "".join(parts)


def church(ink: Ink) -> str:
    """A white church: a tower with a tall pointed spire and a cross, a nave with arched windows."""
    window, wall, roof = ink.window(), "#f2ece0", "#47617c"
    parts = [
        rect(-8, -34, 56, 34, ink.shade(wall, 0.8)),
        polygon([(-8, -34), (-8, -58), (38, -58), (50, -34)], ink(roof)),
        rect(-38, -58, 31, 58, ink(wall)),
        rect(-17, -58, 10, 58, ink.shade(wall, 0.8)),
        polygon([(-42, -56), (-22.5, -92), (-3, -56)], ink(roof)),
        polygon([(-22.5, -92), (-14, -56), (-3, -56)], ink.shade(roof, 0.68)),
        line("M-22.5 -90V-100M-26.5 -96.5H-18.5", ink("#d7a83c"), 2.4),
        arch(-24, 0, 14, 24, ink("#6b3a22")),
        arch(-24, -34, 9, 16, window),
    ]
    parts += [arch(x, -7, 9, 20, window) for x in (6, 22, 38)]
    return "".join(parts)


def castle(ink: Ink) -> str:
    """A grey stone castle: a battlement with a gate, two round towers and a keep with pointed blue roofs."""
    stone, roof, window = "#b9b2ac", "#3d5fa8", ink.window()
    dark = ink.shade(stone, 0.7)
    battlement = "M-32 0V-36H-24V-31H-18V-36H-10V-31H-4V-36H4V-31H10V-36H18V-31H24V-36H32V0Z"
    parts = [
        rect(-14, -72, 28, 50, ink.shade(stone, 0.88)),
        rect(4, -72, 10, 50, ink.shade(stone, 0.6)),
        polygon([(-18, -70), (0, -94), (18, -70)], ink.shade(roof, 0.85)),
        line("M0 -93V-100", ink("#3a2f2f"), 1.6),
        polygon([(0, -100), (13, -97), (0, -93)], ink("#d8362e")),
        path(battlement, ink.shade(stone, 0.95)),
    ]
    for x in (-37, 37):
        parts += [
            rect(x - 12, -58, 24, 58, ink(stone)),
            rect(x + 3, -58, 9, 58, dark),
            polygon([(x - 15, -56), (x, -84), (x + 15, -56)], ink(roof)),
            polygon([(x, -84), (x + 4, -56), (x + 15, -56)], ink.shade(roof, 0.68)),
            arch(x - 2, -34, 7, 14, window),
        ]
    parts += [arch(0, 0, 20, 25, ink("#3b2a26")), arch(0, -48, 8, 14, window)]
    return "".join(parts)


CROWN = ((-27, -46, 20), (27, -46, 20), (-17, -67, 21), (18, -68, 20), (0, -79, 20), (0, -50, 24))
"""Circles (x, y, r) whose union is the crown of the tree."""


def tree(ink: Ink) -> str:
    """A big broad tree in its season: blossom, green, orange, or bare with snow on the branches."""
    bark = ink("#6b4630")
    if ink.season == "winter":
        return bare_tree(bark, ink("#fbfdff"))
    leaf, bright = {
        "spring": ("#f3a8c4", "#ffe3ec"),
        "summer": ("#3f8f3c", "#6fbb4a"),
        "autumn": ("#d9661f", "#f6a52c"),
    }[ink.season]
    parts = [path("M-11 0Q-5 -14 -6 -42H6Q5 -14 12 0Z", bark)]
    parts += [circle(x, y, r, ink.shade(leaf, 0.74)) for x, y, r in CROWN]
    parts += [circle(x - 4, y - 3, r * 0.84, ink(leaf)) for x, y, r in CROWN]
    parts += [circle(x, y, r, ink(bright)) for x, y, r in ((-30, -52, 9), (-18, -74, 11), (5, -86, 8), (12, -62, 9))]
    return "".join(parts)


def bare_tree(bark: str, snow: str) -> str:
    """The tree in winter: a trunk that forks into bare limbs, each with a white upper edge."""
    limbs = (
        "M0 -30L-20 -54L-43 -62M0 -32L21 -56L44 -65M0 -34V-95M0 -58L-13 -74L-14 -90M0 -62L13 -80L14 -92"
        "M-20 -54L-29 -82M21 -56L31 -84M-26 -72L-40 -78M27 -72L42 -80"
    )
    return "".join(
        (
            line(limbs, snow, 6.4, extra='transform="translate(0 -3.2)"'),
            line(limbs, bark, 4.6),
            path("M-12 0Q-5 -12 -5 -48H5Q5 -12 13 0Z", bark),
            path("M-24 0Q0 -13 24 0Z", snow),
        )
    )


def train(ink: Ink) -> str:
    """A red steam locomotive running left with one green wagon and a white plume of steam."""
    black, red, green, brass = ink("#2b2b33"), "#c8322b", "#2f7d5b", ink("#e0b03c")
    window, steam = ink.window(), ink("#f4f4f2")
    parts = [
        circle(-32, -56, 7, steam, 0.95),
        circle(-20, -63, 9, steam, 0.9),
        circle(-3, -68, 10, steam, 0.8),
        rect(8, -42, 41, 34, ink(green), radius=2),
        rect(8, -20, 41, 12, ink.shade(green, 0.7)),
        rect(6, -45, 45, 5, ink.shade(green, 0.55), radius=2),
        rect(-42, -31, 32, 22, ink(red), radius=7),
        rect(-42, -18, 34, 9, ink.shade(red, 0.68)),
        rect(-16, -42, 19, 34, ink(red)),
        rect(-19, -46, 25, 5, black, radius=2),
        rect(-11, -37, 10, 12, window),
        polygon([(-36, -30), (-39, -48), (-27, -48), (-30, -30)], black),
        circle(-22, -31, 4.5, brass),
        rect(-46, -27, 6, 9, brass, radius=2),
        polygon([(-41, -12), (-50, -2), (-36, -2)], black),
        rect(-42, -11, 92, 4, black),
        *(rect(x, -37, 9.5, 12, window) for x in (11.5, 24, 36.5)),
        *(circle(x, -7, 7, black) for x in (-29, -9)),
        *(circle(x, -7, 3, brass) for x in (-29, -9)),
        *(circle(x, -5.5, 5.5, black) for x in (17, 40)),
        *(circle(x, -5.5, 2.2, brass) for x in (17, 40)),
    ]
    return "".join(parts)


def boat(ink: Ink) -> str:
    """A sailing boat: dark red hull with a white rail, a big white main sail and an orange jib."""
    hull, sail, jib = "#a8322c", "#fbf6e9", "#f0963a"
    parts = [
        line("M2 -14V-95", ink("#5b3a26"), 2.6),
        path("M5 -91Q36 -56 40 -23Q22 -27 5 -23Z", ink(sail)),
        path("M5 -91Q36 -56 40 -23Q31 -25 22 -25Q24 -56 5 -91Z", ink.shade(sail, 0.8)),
        path("M-1 -86Q-26 -54 -35 -24Q-18 -28 -1 -24Z", ink(jib)),
        path("M-42 -19H43Q38 -2 26 0H-24Q-38 -3 -42 -19Z", ink(hull)),
        path("M43 -19Q38 -2 26 0H-24Q-28 -1 -31 -3Q22 -3 30 -19Z", ink.shade(hull, 0.66)),
        rect(-43.5, -20.5, 88, 5, ink("#f7efdc"), radius=2),
        polygon([(2, -95), (-13, -91.5), (2, -88)], ink("#2f6fb5")),
    ]
    if ink.lit:
        parts += [glow(-20, -23, 11, ink.shine(LAMP)), ellipse(-20, -23, 2.4, 2.8, ink.shine(LAMP))]
    return "".join(parts)


STRUCTURE_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "house": house,
    "lighthouse": lighthouse,
    "windmill": windmill,
    "church": church,
    "castle": castle,
    "tree": tree,
    "train": train,
    "boat": boat,
}
"""Drawing of every structure, keyed by its name in the grammar."""
