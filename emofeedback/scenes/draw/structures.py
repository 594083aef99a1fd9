"""Subjects that stand in the middle ground: buildings, trees, vehicles, ships and what flies.

Every drawing is in local units: the origin is the centre of what touches the ground, x to the right, y down (up is
negative), inside x in [-50, 50] and y in [-100, 0]. Light comes from the left; the right side lies in shadow. The main
surface of each takes the colour that the scene asks for (`Ink.own`).
"""

from collections.abc import Callable

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, glow, line, mix, path, polygon, rect, rgb

LAMP = "#ffe27a"
SHADOW = "#121a33"


def arch(x: float, y: float, w: float, h: float, fill: str) -> str:
    """An opening with a round top; (x, y) is the middle of its foot."""
    r = w / 2
    return path(f"M{x - r} {y}V{y - h + r}A{r} {r} 0 0 1 {x + r} {y - h + r}V{y}Z", fill)


def pale_coat(ink: Ink) -> bool:
    """Whether the asked colour is nearly white, so that white stripes beside it would vanish."""
    return ink.coat is not None and min(rgb(ink.coat)) > 0.85


def house(ink: Ink) -> str:
    """A gabled family house seen from its corner: bright gable left, shaded side and red roof right; a log cabin."""
    if ink.kind == "cabin":
        return _cabin(ink)
    window, wall, roof = ink.window(), ink.own("#f3dcae"), "#b8432f"
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


def _cabin(ink: Ink) -> str:
    """A log cabin from the front: stacked logs under a low broad roof, a stone chimney, a door between two windows."""
    window, wood, roof = ink.window(), ink.own("#a3683a"), "#5d4334"
    logs = "".join(
        rect(-44, -8.6 * (i + 1), 88, 8.6, ink.shade(wood, 1.0 + 0.09 * (i % 2)), radius=4) for i in range(5)
    )
    gable = polygon([(-44, -42), (0, -78), (44, -42)], ink.shade(wood, 0.9))
    return "".join(
        (
            rect(20, -90, 13, 34, ink("#8b8680")),
            logs,
            gable,
            "".join(line(f"M{-w} {y}H{w}", ink.shade(wood, 0.7), 1.2) for w, y in ((35, -48), (24, -57), (13, -66))),
            line("M-50 -38L0 -80L50 -38", ink(roof), 7.0),
            rect(-8, -30, 16, 30, ink("#4e2f1e"), radius=1),
            rect(-34, -31, 16, 15, window),
            rect(18, -31, 16, 15, window),
            line("M-26 -31V-16M-34 -23.5H-18M26 -31V-16M18 -23.5H34", ink("#4e2f1e"), 1.5),
        )
    )


def lighthouse(ink: Ink) -> str:
    """A tapered tower in red and white with a lamp that throws two beams when it is lit."""
    red, white = ink(ink.own("#d2352c")), ink("#c3c7cf" if pale_coat(ink) else "#f7f3e8")

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
    sail, wall = ink("#f6ead0"), ink.own("#c9895a")
    spar = ink("#5b3a26")
    parts = [
        polygon([(-24, 0), (-14, -62), (14, -62), (24, 0)], ink(wall)),
        polygon([(5, 0), (3, -62), (14, -62), (24, 0)], ink.shade(wall, 0.68)),
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
    window, wall, roof = ink.window(), ink.own("#f2ece0"), "#47617c"
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
    stone, roof, window = ink.own("#b9b2ac"), "#3d5fa8", ink.window()
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
    """A big broad tree in its season: blossom, green, orange, or bare with snow on the branches.

    A tree of a named colour keeps its leaves in winter, under snow: bare branches could not show the colour. A conifer
    is green all the year round.
    """
    bark, snow = ink("#6b4630"), ink("#fbfdff")
    if ink.kind == "conifer":
        return _conifer(ink, bark, snow)
    if ink.season == "winter" and ink.coat is None:
        return bare_tree(bark, snow)
    leaf, bright = {
        "spring": ("#f3a8c4", "#ffe3ec"),
        "summer": ("#3f8f3c", "#6fbb4a"),
        "autumn": ("#d9661f", "#f6a52c"),
        "winter": ("#3f8f3c", "#fbfdff"),
    }[ink.season]
    if ink.coat is not None:
        leaf, bright = ink.coat, mix(ink.coat, "#ffffff", 0.9 if ink.season == "winter" else 0.22)
    parts = [path("M-11 0Q-5 -14 -6 -42H6Q5 -14 12 0Z", bark)]
    parts += [circle(x, y, r, ink.shade(leaf, 0.74)) for x, y, r in CROWN]
    parts += [circle(x - 4, y - 3, r * 0.84, ink(leaf)) for x, y, r in CROWN]
    parts += [circle(x, y, r, ink(bright)) for x, y, r in ((-30, -52, 9), (-18, -74, 11), (5, -86, 8), (12, -62, 9))]
    return "".join(parts)


def _conifer(ink: Ink, bark: str, snow: str) -> str:
    """A tall fir of four tiers on a short trunk, with snow on its boughs in winter."""
    leaf, parts = ink.own("#2f7a4c"), [rect(-5, -12, 10, 12, bark)]
    for low, high, half in ((-10, -46, 38), (-30, -64, 31), (-50, -81, 24), (-68, -98, 16)):
        tier = (
            f"M0 {high}L{half} {low}Q{0.5 * half:.1f} {low + 4} 0 {low + 3}Q{-0.5 * half:.1f} {low + 4} {-half} {low}Z"
        )
        shade = f"M0 {high}L{half} {low}Q{0.5 * half:.1f} {low + 4} {0.2 * half:.1f} {low + 3.4}Z"
        parts += [path(tier, ink(leaf)), path(shade, ink.shade(leaf, 0.74))]
        if ink.season == "winter":
            top, side = high + 0.42 * (low - high), 0.42 * half
            parts.append(path(f"M0 {high}L{side:.1f} {top:.1f}Q0 {top - 6:.1f} {-side:.1f} {top:.1f}Z", snow))
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
    black, brass = ink("#2b2b33"), ink("#e0b03c")
    red, green = ink.own("#c8322b"), ink.own("#2f7d5b")
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
    """A sailing boat: dark red hull with a white rail, a big white main sail and an orange jib; or a rowing boat."""
    hull, sail, jib = ink.own("#a8322c"), "#fbf6e9", ink.own("#f0963a")
    if ink.kind == "rowing boat":
        return _rowing_boat(ink)
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


def _rowing_boat(ink: Ink) -> str:
    """A wooden rowing boat without a mast: a broad curved hull with planks and a seat, two oars over its side."""
    hull, oar = ink.own("#b5652f"), ink("#e0b57c")
    parts = [
        path("M-48 -30Q0 -22 48 -30L44 -24Q0 -17 -44 -24Z", ink.shade(hull, 0.5)),
        line("M18 -44L-16 -8", oar, 3.4),
        path("M-49 -30Q0 -19 49 -30Q44 -3 26 0H-26Q-44 -3 -49 -30Z", ink(hull)),
        path("M49 -30Q44 -3 26 0H-4Q32 -8 38 -27Z", ink.shade(hull, 0.7)),
        line("M-46 -20Q0 -10 45 -20M-42 -11Q0 -3 40 -11", ink.shade(hull, 0.62), 1.6),
        line("M-49 -30Q0 -19 49 -30", ink("#f7efdc"), 3.6),
        line("M-20 -44L14 -9", oar, 3.4),
        ellipse(15.5, -7, 5.2, 2.8, oar),
    ]
    if ink.lit:
        parts += [line("M-38 -30V-42", ink("#5b3a26"), 2.0), glow(-38, -44, 11, ink.shine(LAMP))]
        parts.append(ellipse(-38, -44, 2.6, 3.0, ink.shine(LAMP)))
    return "".join(parts)


def palm(ink: Ink) -> str:
    """A palm: a bent ringed trunk and a crown of long drooping fronds."""
    leaf, bark = ink.own("#2f9a4e"), "#9a6b3f"
    back = ("M4 -68Q-10 -100 -40 -88Q-14 -86 2 -60Z", "M4 -68Q20 -102 47 -84Q22 -84 6 -60Z")
    front = (
        "M4 -70Q-28 -84 -49 -44Q-24 -64 6 -60Z",
        "M4 -70Q36 -84 50 -38Q28 -62 2 -60Z",
        "M6 -68Q-20 -62 -25 -26Q-8 -48 10 -60Z",
        "M2 -68Q28 -62 30 -24Q16 -48 0 -60Z",
        "M-2 -64Q-6 -92 10 -100Q6 -84 10 -64Z",
    )
    return "".join(
        (
            *(path(d, ink.shade(leaf, 0.68)) for d in back),
            path("M-12 0Q-10 -38 0 -66L9 -64Q2 -36 5 0Z", ink(bark)),
            path("M-2 0Q-2 -36 5 -65L9 -64Q2 -36 5 0Z", ink.shade(bark, 0.7)),
            *(path(d, ink.shade(leaf, tone)) for d, tone in zip(front, (1.0, 0.84, 1.12, 0.76, 0.92), strict=True)),
            *(circle(x, y, 4.4, ink("#5d3a20")) for x, y in ((0, -58), (8, -58))),
        )
    )


def bridge(ink: Ink) -> str:
    """A humped stone bridge: three open round arches with a strip of water at their feet."""
    stone = ink.own("#b59a7c")
    body = "M-50 0V-27Q0 -61 50 -27V0Z"
    openings = ((-31, 9.5, 19), (0, 13, 30), (31, 9.5, 19))
    holes = "".join(f"M{x - r} 0V{r - h}A{r} {r} 0 0 1 {x + r} {r - h}V0Z" for x, r, h in openings)
    parts = [path("M-48 -4H48V0H-48Z", ink("#3f86b4"))]
    parts += [
        path(body + holes, ink(stone), extra='fill-rule="evenodd"'),
        *(
            line(
                f"M{x - r - 1.5} -1V{r - h}A{r + 1.5} {r + 1.5} 0 0 1 {x + r + 1.5} {r - h}V-1",
                ink.shade(stone, 0.7),
                3,
            )
            for x, r, h in openings
        ),
        line("M-48 -27Q0 -60 48 -27", ink.shade(stone, 1.2), 5.5),
        line("M-47 -21.5Q0 -53.5 47 -21.5", ink.shade(stone, 0.66), 2.4),
        rect(-50, -36, 8, 36, ink.shade(stone, 0.9)),
        rect(42, -36, 8, 36, ink.shade(stone, 0.72)),
    ]
    return "".join(parts)


def tower(ink: Ink) -> str:
    """A tall square clock tower of yellow stone with a green pointed roof."""
    stone, roof = ink.own("#d2a662"), "#3f7f74"
    dark = ink.shade(stone, 0.64)
    face = ink.shine("#fff0b8") if ink.lit else ink("#fbf7ea")
    return "".join(
        (
            rect(-20, -8, 40, 8, ink.shade(stone, 0.8)),
            rect(-17, -56, 34, 50, ink(stone)),
            rect(6, -56, 11, 50, dark),
            arch(-5, -7, 11, 19, ink("#5a3624")),
            rect(-9, -45, 8, 14, ink.window(), radius=3.5),
            rect(-21, -80, 42, 28, ink.shade(stone, 1.08)),
            rect(8, -80, 13, 28, dark),
            rect(-23, -54, 46, 4, ink.shade(stone, 0.5)),
            circle(-2, -66, 12.5, ink("#2b2b33")),
            circle(-2, -66, 10.5, face),
            line("M-2 -73V-66L4 -63", ink("#2b2b33"), 2.4),
            polygon([(-25, -79), (0, -100), (25, -79)], ink(roof)),
            polygon([(0, -100), (8, -79), (25, -79)], ink.shade(roof, 0.66)),
        )
    )


def skyscraper(ink: Ink) -> str:
    """A stepped glass skyscraper with broad bands of windows and a mast."""
    wall = ink.own("#2f6fae")
    pane = "#ffd873" if ink.lit else ink("#cfe9f5")
    parts = [line("M0 -88V-99", ink("#3a3f4c"), 2.4)]
    for half, low, high in ((24, 0, -48), (18, -48, -76), (11, -76, -90)):
        parts.append(rect(-half, high, 2 * half, low - high, ink(wall)))
        parts.append(rect(0.36 * half, high, 0.64 * half, low - high, ink.shade(wall, 0.62)))
        parts.append(rect(-half - 1.5, high - 1.5, 2 * half + 3, 3, ink.shade(wall, 0.45)))
    for half, columns, rows in ((24, 4, (-43, -31, -19)), (18, 3, (-71, -60)), (11, 2, (-86,))):
        step = 2 * half / columns
        for y in rows:
            parts += [rect(-half + (i + 0.22) * step, y, 0.56 * step, 7, pane) for i in range(columns)]
    parts.append(rect(-7, -9, 14, 9, ink("#22303f")))
    return "".join(parts)


def ship(ink: Ink) -> str:
    """An ocean liner under way to the right: long hull, white decks with portholes, two banded funnels with smoke."""
    hull, white, funnel, window = ink.own("#22375f"), "#f7f3ea", "#d8412f", ink.window()
    smoke, black = ink("#d9dadd"), ink("#24242c")
    parts = [
        circle(-20, -68, 5, smoke, 0.9),
        circle(-31, -74, 7, smoke, 0.85),
        circle(-44, -79, 6, smoke, 0.75),
    ]
    for x in (-16, 6):
        parts += [
            polygon([(x - 6, -42), (x - 7, -62), (x + 5, -62), (x + 6, -42)], ink(funnel)),
            polygon([(x - 7, -62), (x - 6.6, -55), (x + 5.3, -55), (x + 5, -62)], black),
        ]
    parts += [
        rect(-30, -44, 54, 12, ink(white)),
        rect(14, -50, 10, 8, ink(white)),
        rect(15.5, -48.5, 8.5, 4, window),
        rect(-38, -34, 72, 13, ink.shade(white, 0.88)),
        *(rect(x, -40.5, 6, 4.5, window) for x in (-26, -16, -6, 4, 14)),
        *(rect(x, -30.5, 6, 4.5, window) for x in (-33, -22, -11, 0, 11, 22)),
        line("M-44 -22V-38M40 -25V-48", ink("#5b5f6b"), 1.8),
        path("M-50 -23H34Q42 -24 50 -28Q46 -8 38 0H-40Q-47 -4 -50 -23Z", ink(hull)),
        path("M-45.5 -7H43Q41 -3 38 0H-40Q-44 -3 -45.5 -7Z", ink("#a32f2a")),
        line("M-48 -20.5H35Q42 -21.5 47 -24", ink(white), 2),
        *(circle(x, -13.5, 2.2, window) for x in (-34, -20, -6, 8, 22)),
    ]
    return "".join(parts)


def bus(ink: Ink) -> str:
    """A long yellow bus from the side, its front to the right."""
    body = ink.own("#f2b01e")
    glass = ink.window() if ink.lit else ink("#bfe3ee")
    parts = [
        path("M-50 -10V-46Q-50 -54 -42 -54H38Q46 -54 48 -46L50 -28V-10Q50 -7 47 -7H-47Q-50 -7 -50 -10Z", ink(body)),
        path("M-49.5 -48Q-48 -54 -42 -54H38Q44.5 -54 47 -48Z", ink.shade(body, 1.16)),
        rect(-50, -22, 100, 4, ink.shade(body, 0.5)),
        path("M-50 -15H50V-10Q50 -7 47 -7H-47Q-50 -7 -50 -10Z", ink.shade(body, 0.68)),
        *(rect(x, -45, 14, 16, glass, radius=2) for x in (-45, -28, -11, 6)),
        rect(23, -46, 11, 39, ink.shade(body, 0.5), radius=1.5),
        rect(25, -44, 7, 34, glass, radius=1),
        path("M38 -45H45.5L48.5 -27H38Z", glass),
        circle(47.5, -13.5, 2.8, ink.grade("#ffe9a0") if ink.lit else ink("#fff3cf")),
    ]
    for x in (-30, 14):
        parts += [circle(x, -9, 9, ink("#1f1d24")), circle(x, -9, 4, ink("#d9dde2"))]
    return "".join(parts)


def truck(ink: Ink) -> str:
    """A lorry from the side: a high blue box behind a cab that faces right; or a pickup, tractor or fire engine."""
    if ink.kind is not None:
        return {"pickup": _pickup, "tractor": _tractor, "fire engine": _fire_engine}[ink.kind](ink)
    body = ink.own("#2f74c0")
    glass = ink.window() if ink.lit else ink("#cfe9f2")
    parts = [
        rect(-50, -15, 98, 7, ink("#2b2f38")),
        rect(-50, -62, 66, 48, ink(body), radius=2),
        rect(-50, -62, 66, 7, ink.shade(body, 1.25), radius=2),
        rect(-50, -24, 66, 10, ink.shade(body, 0.66)),
        path("M20 -12V-48Q20 -51 23 -51H36Q39 -51 40 -48L46 -30Q50 -29 50 -25V-12Z", ink.shade(body, 0.84)),
        path("M20 -22H50V-12H20Z", ink.shade(body, 0.56)),
        path("M26 -46H35.5L40.5 -31H26Z", glass),
        rect(14, -30, 8, 4, ink("#2b2f38")),
        rect(46, -22, 4, 6, ink.grade("#ffe9a0") if ink.lit else ink("#fff3cf"), radius=1),
    ]
    for x in (-38, -18, 34):
        parts += [circle(x, -9.5, 9.5, ink("#1f1d24")), circle(x, -9.5, 4.2, ink("#d9dde2"))]
    return "".join(parts)


def _pickup(ink: Ink) -> str:
    """A pickup from the side: an open bed behind a cab with two windows, a bonnet that faces right."""
    body = ink.own("#c63d2f")
    glass = ink.window() if ink.lit else ink("#cfe9f2")
    parts = [
        path("M-12 -28Q-10 -46 -4 -47H14Q20 -46 27 -29Z", ink.shade(body, 0.88)),
        path("M-7 -29Q-6 -42 -2 -43H5V-29ZM9 -43H13Q17 -42 22 -29H9Z", glass),
        path("M-50 -31H-12V-28H27Q42 -28 47 -24Q50 -21 50 -12H-50Z", ink(body)),
        path("M-50 -31H-12V-27H-50Z", ink.shade(body, 1.25)),
        path("M-50 -20H50V-12H-50Z", ink.shade(body, 0.66)),
        rect(-52, -14, 104, 5, ink("#8f949c"), radius=2),
        line("M-12 -30V-13M8 -29V-13", ink.shade(body, 0.6), 1.2),
        rect(45, -24, 5, 6, ink.grade("#ffe9a0") if ink.lit else ink("#fff3cf"), radius=1.5),
    ]
    for x in (-31, 32):
        parts += [circle(x, -11, 11, ink("#1f1d24")), circle(x, -11, 5, ink("#d9dde2"))]
    return "".join(parts)


def _fire_engine(ink: Ink) -> str:
    """A red fire engine from the side, its cab to the right: white band, shutters, a ladder and a blue light on top."""
    body, steel = ink.own("#d3281f"), "#c9ced6"
    glass = ink.window() if ink.lit else ink("#cfe9f2")
    lamp = ink.shine("#3f8df0") if ink.lit else ink("#2f74d8")
    parts = [
        line("M-50 -62H22M-50 -55H22" + "".join(f"M{x} -62V-55" for x in range(-44, 22, 8)), ink(steel), 2.2),
        rect(-50, -50, 68, 36, ink(body), radius=2),
        path("M18 -54H38Q41 -54 42 -51L48 -33Q50 -31 50 -28V-14H18Z", ink.shade(body, 0.9)),
        path("M28 -49H37.5L43 -34H28Z", glass),
        rect(20.5, -49, 5.5, 15, glass, radius=1),
        rect(-50, -27, 100, 5, ink("#f6f3ec")),
        rect(-50, -20, 100, 6, ink.shade(body, 0.62)),
        *(rect(x, -46, 17, 16, ink(steel), radius=1) for x in (-46, -26, -6)),
        *(line(f"M{x} -41H{x + 17}M{x} -36H{x + 17}", ink.shade(steel, 0.75), 1.2) for x in (-46, -26, -6)),
        rect(27, -59, 9, 5, lamp, radius=2),
        rect(46, -22, 4, 5, ink.grade("#ffe9a0") if ink.lit else ink("#fff3cf"), radius=1),
    ]
    for x in (-32, 32):
        parts += [circle(x, -10.5, 10.5, ink("#1f1d24")), circle(x, -10.5, 4.6, ink("#d9dde2"))]
    return "".join(parts)


def _tractor(ink: Ink) -> str:
    """A farm tractor from the side: a big hind wheel with yellow rim, a cab, a long bonnet with an exhaust pipe."""
    body = ink.own("#3a9a46")
    glass = ink.window() if ink.lit else ink("#cfe9f2")
    parts = [
        rect(27, -62, 4, 24, ink("#3a3f4c")),
        path("M-30 -70H8V-64H5L8 -34H-32L-27 -64H-30Z", ink.shade(body, 0.84)),
        path("M-24 -63H2L5 -38H-28Z", glass),
        path("M-34 -40H44Q50 -40 50 -33V-16H-34Z", ink(body)),
        path("M-34 -24H50V-16H-34Z", ink.shade(body, 0.66)),
        line("M16 -35H42M16 -30H42", ink.shade(body, 0.6), 1.6),
        rect(46, -36, 4, 6, ink.grade("#ffe9a0") if ink.lit else ink("#fff3cf"), radius=1.5),
    ]
    for x, r in ((-24, 23), (36, 13)):
        parts += [circle(x, -r, r, ink("#1f1d24")), circle(x, -r, 0.52 * r, ink("#f2c12e"))]
        parts.append(circle(x, -r, 0.18 * r, ink("#8a6a14")))
    return "".join(parts)


def airplane(ink: Ink) -> str:
    """An airliner that climbs to the right: white hull, blue fin; or a helicopter. Both fill y in [-84, -12]."""
    if ink.kind == "helicopter":
        return _helicopter(ink)
    hull, blue, glass = ink.own("#f6f6f4"), "#2764b0", ink.window()
    parts = (
        polygon([(8, -54), (-12, -80), (-3, -80), (24, -54)], ink.shade(hull, 0.6)),
        polygon([(-26, -54), (-46, -84), (-34, -84), (-12, -56)], ink(blue)),
        path("M-48 -56Q-47 -61 -38 -61H30Q44 -60 50 -49Q46 -42 28 -41H-14Q-38 -44 -48 -56Z", ink(hull)),
        path("M50 -49Q46 -42 28 -41H-14Q-38 -44 -48 -56Q-20 -47 20 -48Q36 -47 50 -49Z", ink.shade(hull, 0.7)),
        path("M36 -58.5Q43 -56 46 -52.5H36Z", glass),
        *(rect(x, -56, 5, 4.6, glass, radius=1.5) for x in (-22, -12, -2, 8, 18)),
        polygon([(-28, -53), (-48, -42), (-40, -41), (-20, -50)], ink.shade(blue, 0.8)),
        polygon([(10, -47), (-26, -12), (-9, -12), (34, -46)], ink.shade(hull, 0.84)),
        polygon([(-26, -12), (-9, -12), (-2.5, -17.5), (-20.5, -17.5)], ink(blue)),
        rect(2, -38, 15, 8, ink("#3a4252"), radius=4),
    )
    return f'<g transform="rotate(-9 0 -50)">{"".join(parts)}</g>'


def _helicopter(ink: Ink) -> str:
    """A red helicopter that faces right: a round cabin of glass, a thin tail with its rotor, skids."""
    hull, steel = ink.own("#d8392f"), ink("#3a3f4c")
    glass = ink.window() if ink.lit else ink("#cfe9f2")
    return "".join(
        (
            path("M-4 -56L-46 -52V-47L-4 -38Z", ink.shade(hull, 0.84)),
            polygon([(-48, -64), (-41, -64), (-38, -50), (-47, -48)], ink(hull)),
            circle(-45, -60, 6.5, steel, 0.55),
            path("M-10 -40Q-12 -64 12 -64Q40 -62 44 -42Q42 -28 22 -27H6Q-8 -28 -10 -40Z", ink(hull)),
            path("M-10 -38H44Q41 -28 22 -27H6Q-8 -28 -10 -38Z", ink.shade(hull, 0.66)),
            path("M18 -60Q37 -57 41 -42H18Z", glass),
            rect(-1, -57, 13, 14, glass, radius=3),
            line("M12 -64V-73", steel, 4.0),
            line("M-38 -73.5Q12 -78 50 -73.5", steel, 3.4),
            line("M2 -27V-19M26 -27V-19M-10 -18H36Q41 -18 42 -22", steel, 3.2),
        )
    )


def balloon(ink: Ink) -> str:
    """A hot-air balloon: a big striped envelope with a basket on ropes; the burner glows in the dark."""
    colour, pale = ink.own("#e0402f"), "#ffd45a"
    if ink.coat is not None:
        pale = mix(ink.coat, "#ffffff", 0.55) if not pale_coat(ink) else "#c9ccd2"
    outline = "M-35 -65A35 35 0 0 1 35 -65C35 -46 14 -34 9 -20H-9C-14 -34 -35 -46 -35 -65Z"

    def gore(width: float, fill: str) -> str:
        return f'<g transform="scale({width} 1)">{path(outline, fill)}</g>'

    parts = [
        line("M-8 -20L-6 -10M8 -20L6 -10", ink("#4a2c1e"), 1.8),
        gore(1, ink(colour)),
        path("M0 -100A35 35 0 0 1 35 -65C35 -46 14 -34 9 -20H0Z", ink.shade(colour, 0.7)),
        gore(0.7, ink.shade(pale, 0.96)),
        gore(0.36, ink(colour)),
    ]
    if ink.lit:
        parts += [glow(0, -30, 24, ink.shine(LAMP), 0.95), circle(0, -19, 3, ink.shine("#fff0b8"))]
    parts += [
        rect(-9, -12, 18, 12, ink("#8a5a2e"), radius=2),
        rect(-10, -13, 20, 4, ink("#5b3a26"), radius=1.5),
    ]
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
    "palm": palm,
    "bridge": bridge,
    "tower": tower,
    "skyscraper": skyscraper,
    "ship": ship,
    "bus": bus,
    "truck": truck,
    "airplane": airplane,
    "hot-air balloon": balloon,
}
"""Drawing of every structure, keyed by its name in the grammar."""
