"""The rooms: a wall with a large window, furniture at both sides and a floor whose centre is left to the subject.

The window shows the upper part of an outdoor picture: `VIEW` maps picture coordinates into it, so that the sky, the far
elements and the weather of any scene can be drawn there as they are; what falls outside is cut off.
"""

from collections.abc import Callable
from dataclasses import replace

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, fade, glow, line, path, polygon, rect
from emofeedback.scenes.draw.land import GRASS, SNOW, WOODS, conifer, hill, round_tree
from emofeedback.scenes.draw.sky import scene_ink
from emofeedback.scenes.grammar import Scene

LEFT, TOP, RIGHT, BOTTOM = 16.0, 8.0, 84.0, 52.0
"""The opening of the window."""
VIEW = (RIGHT - LEFT) / 100
"""Scale of what is seen through the window: the horizon of a picture comes to lie at y = 46."""
_LAMP = "#ffd98a"
_CLEAR = ("clear", "cloudy", "wind")


def through_window(view: str) -> str:
    """What is seen outside, in picture coordinates of the room, cut off at the window's edges."""
    return (
        f'<defs><clipPath id="window"><rect x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}"/>'
        f'</clipPath></defs><g clip-path="url(#window)">{view}</g>'
    )


def far_away(content: str, left: float = 0.0, down: float = 0.0) -> str:
    """Content in outdoor picture coordinates, reduced to the window and moved by (-left, down)."""
    return f'<g transform="translate({LEFT - left:.2f} {TOP + down:.2f}) scale({VIEW:.4f})">{content}</g>'


def land_outside(ink: Ink, scene: Scene) -> str:
    """Hills, a meadow and trees of the season, or water where a vessel floats, in outdoor picture coordinates."""
    grass = GRASS[ink.season]
    out = hill(20, 44, 9, ink(WOODS[ink.season], 0.36)) + hill(80, 46, 7, ink.shade(grass, 0.8, 0.36))
    if {"boat", "ship"} & {scene.subject, scene.companion}:
        out += rect(0, 57, 100, 9, ink("#3f86b4", 0.2)) + rect(0, 61, 100, 5, ink("#3f86b4"))
        return out + rect(20, 60, 22, 0.9, ink("#cfe6f2"), 0.6, 0.4) + rect(62, 62.4, 20, 0.9, ink("#cfe6f2"), 0.6, 0.4)
    out += rect(0, 58, 100, 8, ink(grass, 0.08)) + hill(50, 80, 3, ink.shade(grass, 1.06, 0.08), 60)
    out += conifer(ink, 12, 63, 22, 0.12) + round_tree(ink, 22, 64, 19, 0.08) + round_tree(ink, 90, 64, 18, 0.08)
    if ink.season == "winter":
        out += path("M 0 65 Q 14 60 32 62.5 T 66 62 T 100 61 V 66 H 0 Z", ink(SNOW))
    return out


def room_ink(ink: Ink, scene: Scene) -> Ink:
    """The ink of the things inside: the daylight that comes in, or warm lamplight when it is dark outside."""
    # the weather greys the world outside; inside, half of that or less is left
    clear = scene_ink(replace(scene, weather="clear"), ink.rng)
    kept = 0.25 if ink.lit else 0.5
    saturation = kept * ink.saturation + (1 - kept) * clear.saturation
    if not ink.lit:
        return replace(ink, gain=0.97 * ink.gain, ambient_share=0.7 * ink.ambient_share, saturation=saturation)
    gain = {"dim": 0.72, "bright": 1.1}.get(scene.light, 0.96)
    return replace(ink, ambient="#ffbe74", ambient_share=0.6, gain=gain, saturation=saturation)


def _wall(ink: Ink, wall: str, floor: str, edge: float) -> str:
    """A wall with the window's opening left out, a skirting board and the floor below `edge`."""
    out = fade("wall", ink.shade(wall, 1.03), ink.shade(wall, 0.93))
    hole = f"M0 0H100V{edge}H0ZM{LEFT} {TOP}V{BOTTOM}H{RIGHT}V{TOP}Z"
    out += path(hole, "url(#wall)", extra='fill-rule="evenodd"')
    out += fade("floor", ink.shade(floor, 0.9), ink.shade(floor, 1.04))
    return out + f'<rect y="{edge}" width="100" height="{100 - edge}" fill="url(#floor)"/>'


def _frame(ink: Ink, own: str, bars: tuple[float, ...], across: float | None = None) -> str:
    """The window's frame with upright bars, a bar across and a broad sill."""
    light, dark = ink(own), ink.shade(own, 0.84)
    w, h = RIGHT - LEFT, BOTTOM - TOP
    out = "".join(rect(x - 0.8, TOP, 1.6, h, light) for x in bars)
    if across is not None:
        out += rect(LEFT, across - 0.7, w, 1.4, light)
    out += rect(LEFT - 2.4, TOP - 2.4, w + 4.8, 2.6, light) + rect(LEFT - 2.4, TOP - 2.4, 2.6, h + 4.8, light)
    out += rect(RIGHT - 0.2, TOP - 2.4, 2.6, h + 4.8, dark)
    return out + rect(LEFT - 4.5, BOTTOM - 0.2, w + 9, 2.8, light) + rect(LEFT - 3.5, BOTTOM + 2.6, w + 7, 1.2, dark)


def _long_curtain(ink: Ink, own: str, side: int, foot: float) -> str:
    """A curtain with three folds, tied at half its height; side -1 left, 1 right."""

    def x(out: float) -> float:
        return 50 + side * out

    tie = TOP + 0.68 * (foot - TOP)
    shape = f"M{x(43)} 4H{x(26)}Q{x(28)} 26 {x(38)} {tie}Q{x(35)} {tie + 5} {x(34)} {foot}H{x(44)}Z"
    fold = f"M{x(37)} 4H{x(33)}Q{x(34)} 26 {x(39.5)} {tie}L{x(38)} {foot}H{x(40.5)}L{x(41)} {tie}Q{x(37)} 26 {x(37)} 4Z"
    band = line(f"M{x(43.4)} {tie}H{x(37.6)}", ink.shade(own, 0.66), 2.2)
    return path(shape, ink(own)) + path(fold, ink.shade(own, 0.84)) + band


def _daylight(scene: Scene, edge: float) -> str:
    """Two bright fields on the floor where the low or high sun comes through the window."""
    colour = {"dawn": "#ffe3c2", "day": "#fff6d2", "sunset": "#ffb45c"}.get(scene.time)
    if colour is None or scene.weather not in _CLEAR:
        return ""
    opacity = {"bright": 0.4, "dim": 0.14}.get(scene.light, 0.28)
    out = ""
    for a, b in ((27, 45), (48, 66)):
        points = [(a, edge), (b, edge), (b + 12 + 0.1 * b, 99), (a + 4 + 0.1 * a, 99)]
        out += polygon([(x, y) for x, y in points], colour, opacity)
    return out


def _pendant(ink: Ink, x: float, y: float, r: float, own: str) -> str:
    """A hanging lamp whose shade ends at y; it glows when it is dark."""
    out = line(f"M{x} -1V{y - r}", ink("#3a3236"), 0.7)
    if ink.lit:
        out += glow(x, y + 1, 2.7 * r, ink.shine(_LAMP), 0.8)
    out += path(f"M{x - r} {y}Q{x - r} {y - 1.1 * r} {x} {y - 1.2 * r}Q{x + r} {y - 1.1 * r} {x + r} {y}Z", ink(own))
    return out + ellipse(x, y, 0.62 * r, 0.3 * r, ink.shine("#fff0b8") if ink.lit else ink("#fbf4e2"))


def bedroom(ink: Ink, scene: Scene) -> str:
    """A bed with a thick quilt at the right, a lamp on a night stand at the left, long curtains and a round rug."""
    wood, quilt, cloth = "#a5714a", "#d9707a", "#f0c987"
    out = _wall(ink, "#bccbe3", "#c6935f", 66) + _frame(ink, "#fbf7ee", (50,), 22)
    out += _long_curtain(ink, cloth, -1, 62) + _long_curtain(ink, cloth, 1, 62)
    out += rect(5, 2.6, 90, 1.6, ink("#7a4e33"), radius=0.8) + rect(0, 64.4, 100, 2.2, ink("#fbf7ee"))
    rug = ink("#5f86b8")
    out += ellipse(46, 89, 36, 8.5, rug) + ellipse(46, 89, 29, 6.4, ink("#f3e6cf")) + ellipse(46, 89, 22, 4.6, rug)
    out += _daylight(scene, 66.6)
    # the lamp on its stand
    out += rect(1, 68, 14, 16, ink(wood)) + rect(0, 66.4, 16, 2.4, ink.shade(wood, 1.15))
    out += rect(2.6, 72, 10.8, 5, ink.shade(wood, 0.8)) + circle(8, 74.5, 0.9, ink("#f3e0b0"))
    if ink.lit:
        out += glow(8, 54, 25, ink.shine(_LAMP), 0.95)
    shade = ink.shine("#ffe9ae") if ink.lit else ink("#f4e3bf")
    out += line("M8 66V57", ink("#6d5a56"), 1.6) + ellipse(8, 66.2, 3.4, 1.0, ink("#6d5a56"))
    out += polygon([(4.4, 48), (11.6, 48), (15, 58), (1, 58)], shade)
    # the bed
    out += rect(94, 44, 8, 44, ink.shade(wood, 0.8), radius=2) + rect(92.5, 46, 3.4, 42, ink(wood), radius=1.2)
    out += rect(58, 79, 36, 6, ink(wood)) + rect(55.4, 63, 4.4, 26, ink(wood), radius=1.8)
    out += rect(59, 68, 35, 12, ink("#f6f1e8"), radius=2)
    out += path("M80.6 70Q79.6 61 86 61.4H91Q94.4 62 93.6 70Z", ink("#ffffff"))
    out += path(
        "M58.6 84V69Q59 63.6 65 63.8Q75 61.6 83 65.4V83Q80 85 76.6 83Q72 85.4 67.6 83.4Q62.6 85.4 58.6 84Z", ink(quilt)
    )
    return out + path("M77.4 63.6Q82 64 84.4 66.4V83Q81 84.8 77.4 83.2Z", ink.shade(quilt, 1.24))


def kitchen(ink: Ink, scene: Scene) -> str:
    """A counter below the window, a stove and a pot at the left, a shelf and a table with fruit at the right."""
    front, top, steel = "#5f9d98", "#e9dcc4", "#dfe3e4"
    out = _wall(ink, "#f4e2b4", "#e6d8bf", 79) + _frame(ink, "#fdfaf2", (38.7, 61.3), None)
    tile = ink("#b9704e")
    for row, (y0, y1) in enumerate(((79, 84), (84, 91), (91, 100))):
        k0, k1 = (y0 - 50) / 29, (y1 - 50) / 29
        for i in range(-5, 5):
            if (i + row) % 2 == 0:
                a, b = 11.0 * i, 11.0 * (i + 1)
                out += polygon([(50 + a * k0, y0), (50 + b * k0, y0), (50 + b * k1, y1), (50 + a * k1, y1)], tile)
    out += _daylight(scene, 79)
    # short curtains with a scalloped hem
    cloth = "#d8584c"
    for x in (16, 27.3, 38.7, 50, 61.3, 72.7):
        out += path(f"M{x} 6H{x + 11.4}V13Q{x + 5.7} 18 {x} 13Z", ink(cloth))
        out += path(f"M{x} 6H{x + 3.4}V14.6Q{x + 1.4} 14 {x} 13Z", ink.shade(cloth, 0.82))
    out += rect(13, 4.4, 74, 2, ink("#fdfaf2"), radius=1)
    # the counter
    out += rect(17, 60, 83, 19, ink(front)) + rect(17, 75.6, 83, 3.4, ink.shade(front, 0.7))
    for x in (19, 36, 53, 70, 87):
        out += rect(x, 62.4, 14.6, 12, ink.shade(front, 1.14), radius=0.8) + rect(x + 5.3, 64, 4, 1.1, ink("#f6edd8"))
    out += rect(16, 57, 85, 3.4, ink(top))
    # the stove and its pot
    out += rect(-1, 57.4, 18, 22, ink(steel)) + rect(-1, 56, 18.6, 2.4, ink.shade("#4a4d55", 1.0))
    out += rect(2, 66, 12, 9, ink.shade("#3e4048", 1.0), radius=1) + rect(2, 63.4, 12, 1.3, ink("#8b9096"))
    if ink.lit:
        out += rect(3.2, 67.4, 9.6, 6.2, ink.shine("#ff9a4a"), 0.85, 0.8)
    out += "".join(circle(x, 60.8, 0.9, ink("#4a4d55")) for x in (3, 6.6, 10.2, 13.8))
    out += rect(3.4, 48.4, 11, 7.8, ink("#d8584c"), radius=1.6) + rect(
        2.6, 47, 12.6, 1.9, ink.shade("#d8584c", 0.76), radius=0.9
    )
    out += circle(8.9, 46.2, 1.1, ink("#3e4048"))
    # pans on the wall and jars on a shelf
    for x, r in ((4, 3.2), (10.6, 2.6)):
        out += line(f"M{x} 20V29", ink("#5b4a42"), 1.1) + circle(x, 30.6, r, ink("#b5653f"))
    out += line("M0 19.6H14", ink("#5b4a42"), 1.2)
    for y in (30, 44):
        out += rect(87.5, y, 13, 1.8, ink("#a5714a"))
    for x, y, w, h, own in (
        (88.6, 30, 4.4, 7, "#e8a23c"),
        (94.2, 30, 5, 5.4, "#7fae5c"),
        (88.6, 44, 5, 5.6, "#6f9fc4"),
        (94.8, 44, 4.4, 7.2, "#d8705a"),
    ):
        out += rect(x, y - h, w, h, ink(own), radius=0.9) + rect(x + 0.5, y - h - 1, w - 1, 1.5, ink("#f6edd8"))
    # the table and a bowl of fruit
    wood = "#b07a48"
    out += rect(75, 72, 3, 19, ink.shade(wood, 0.8)) + rect(97, 72, 3, 19, ink.shade(wood, 0.7))
    out += rect(71.5, 69.6, 30, 3.4, ink.shade(wood, 1.12), radius=1)
    out += (
        circle(83, 64.6, 2.7, ink("#d83c34"))
        + circle(91, 64.8, 2.6, ink("#e8982e"))
        + circle(87, 63, 2.9, ink("#8fbf45"))
    )
    out += path("M78 65.2H96Q95 70 90.4 70H83.6Q79 70 78 65.2Z", ink("#f4f6f4"))
    return out + _pendant(ink, 50, 8.6, 7.4, "#3f8f8a")


def cafe(ink: Ink, scene: Scene) -> str:
    """A bar with a coffee machine at the right, a small table with two chairs at the left, three hanging lamps."""
    panel, wood = "#7a4a34", "#b98050"
    out = _wall(ink, "#4f8068", "#c99a66", 72)
    out += rect(0, 55.8, 100, 16.6, ink(panel)) + rect(0, 55, 100, 1.6, ink.shade(panel, 1.3))
    out += "".join(rect(x, 58.4, 11, 11.4, ink.shade(panel, 1.14), radius=0.6) for x in range(2, 100, 14))
    for x in (-30, 8, 46, 84, 122):
        out += line(f"M{50 + (x - 50) * 0.8:.1f} 72.4L{50 + (x - 50) * 1.3:.1f} 100", ink.shade("#c99a66", 0.84), 0.8)
    out += _daylight(scene, 72.4)
    # the striped awning hangs outside, above the glass
    for k in range(10):
        left = LEFT + 6.8 * k
        flap = f"M{left} {TOP}H{left + 6.8}V{TOP + 4}Q{left + 3.4} {TOP + 7} {left} {TOP + 4}Z"
        out += path(flap, ink("#fbf4e4" if k % 2 else "#cf4a3e"))
    out += _frame(ink, "#3f2f2a", (50,), None)
    cloth = "#ecd9a8"
    for side in (-1, 1):
        a, b, c = 50 + side * 36, 50 + side * 27, 50 + side * 32
        out += path(f"M{a} 6H{b}Q{c} 26 {c} 52H{a}Z", ink(cloth)) + path(
            f"M{a} 6H{50 + side * 33}L{50 + side * 34} 52H{a}Z", ink.shade(cloth, 0.84)
        )
    # a board with the menu and a potted plant
    out += rect(88, 18, 11, 17, ink("#2d3236"), radius=0.6) + line(
        "M90 22.6H97M90 26.4H95.4M90 30.2H96.4", ink("#f3efe2"), 1.0
    )
    leaf = ink("#6fb35a")
    out += "".join(ellipse(x, y, 2.6, 4.4, leaf) for x, y in ((3.6, 25), (7, 21.6), (10.4, 25))) + rect(
        4, 28, 6.2, 6, ink("#d07a4a"), radius=0.8
    )
    out += rect(1, 34, 12, 1.5, ink(wood))
    # the bar
    out += rect(69, 62, 33, 24, ink(wood)) + rect(69, 82.6, 33, 3.4, ink.shade(wood, 0.6))
    out += "".join(rect(x, 65.4, 8.6, 15, ink.shade(wood, 0.84), radius=0.6) for x in (71.4, 82, 92.6))
    out += rect(66.6, 59, 36, 3.6, ink("#f2e7d2"), radius=0.8)
    out += rect(84, 46, 15, 13, ink("#c2c8cc"), radius=1.6) + rect(84, 46, 15, 3.6, ink("#cf4a3e"), radius=1.2)
    out += rect(86.4, 52, 10, 5, ink("#3b4046")) + rect(89.6, 54, 3.6, 3, ink("#fbf7ee"), radius=0.5)
    out += path("M71.6 57Q71.6 51.6 76.4 51.6Q81.2 51.6 81.2 57Z", ink("#e9b06a")) + rect(
        70.4, 57, 12, 1.8, ink("#fbf7ee"), radius=0.8
    )
    # the table
    chair, dark = ink("#5a3426"), ink("#33292a")
    for back, front in ((1.5, 9.5), (29.0, 21.0)):
        out += line(f"M{back} 58V88M{back} 75H{front}M{front} 75V88", chair, 1.8)
    out += line("M15 69V87", dark, 2.0) + ellipse(15, 87.4, 7, 1.6, dark) + ellipse(15, 69, 13, 3, ink("#f2e7d2"))
    red = ink("#cf4a3e")
    out += (
        ellipse(14.6, 68.8, 7, 1.5, ink.shade("#f2e7d2", 0.84))
        + circle(19.6, 63.6, 2.1, red)
        + circle(19.6, 63.6, 1, ink(panel))
    )
    out += path("M9.6 60.6H19.4Q19.4 68.8 14.5 68.8Q9.6 68.8 9.6 60.6Z", red) + ellipse(
        14.5, 60.8, 4.9, 1.1, ink("#5a3426")
    )
    return out + "".join(_pendant(ink, x, y, 6.0, "#e0a23c") for x, y in ((20, 11), (50, 8.5), (80, 11)))


ROOM_DRAWINGS: dict[str, Callable[[Ink, Scene], str]] = {"bedroom": bedroom, "kitchen": kitchen, "cafe": cafe}
"""The drawing of every name in `grammar.INDOOR_PLACES`; the ink is that of `room_ink`."""
