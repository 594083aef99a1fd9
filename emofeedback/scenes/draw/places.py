"""The twelve places: each a far plane, a middle plane and the ground, horizon at y = 56."""

from collections.abc import Callable

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, fade, line, mix, path, polygon, rect
from emofeedback.scenes.grammar import Scene

H = 56.0
_GRASS = {"spring": "#86c95a", "summer": "#4fa148", "autumn": "#c39a3f", "winter": "#e9eff6"}
_LEAVES = {"spring": "#f3b3c9", "summer": "#2f8a4c", "autumn": "#d9702a", "winter": "#dfe8f0"}
_EARTH = {"spring": "#c9a877", "summer": "#d2ab72", "autumn": "#b98a58", "winter": "#d5d9de"}


def _ground(ink: Ink, colour: str, top: float = H) -> str:
    near, far = ink.shade(colour, 0.86), ink(colour, 0.28)
    return fade("ground", far, near) + f'<rect y="{top:.1f}" width="100" height="{100 - top:.1f}" fill="url(#ground)"/>'


def _hill(x: float, width: float, height: float, fill: str, base: float = H + 6) -> str:
    return path(f"M {x - width:.1f} {base} Q {x:.1f} {base - 2 * height:.1f} {x + width:.1f} {base} Z", fill)


def _water(ink: Ink, top: float, bottom: float, colour: str = "#3f86b4") -> str:
    """A sheet of water: sky colour far, its own colour near, a few broad bars of light."""
    far, near = ink.grade(mix(ink.haze, "#ffffff", 0.08)), ink(colour)
    out = fade("water", far, near)
    out += f'<rect y="{top:.1f}" width="100" height="{bottom - top:.1f}" fill="url(#water)"/>'
    bar = mix(ink(colour), "#ffffff", 0.55)
    for i, (x, w) in enumerate(((8, 18), (62, 22), (30, 20), (76, 18), (4, 20))):
        y = top + 3 + (bottom - top - 4) * (i + 0.4) / 5
        out += rect(x, y, w, 0.9 + 0.12 * i, bar, 0.55, 0.5)
    return out


def _round_tree(ink: Ink, x: float, base: float, size: float, depth: float = 0.0) -> str:
    """A broadleaf tree in the season's colour; bare branches under snow in winter."""
    trunk = ink("#6b4a35", depth)
    out = rect(x - 0.07 * size, base - 0.5 * size, 0.14 * size, 0.5 * size, trunk)
    if ink.season == "winter":
        for dx, dy in ((-0.28, -0.8), (0.28, -0.85), (-0.12, -1.0), (0.14, -0.98)):
            d = f"M {x:.1f} {base - 0.42 * size:.1f} L {x + dx * size:.1f} {base + dy * size:.1f}"
            out += line(d, trunk, 0.075 * size)
        return out + ellipse(x, base - 0.88 * size, 0.34 * size, 0.16 * size, ink(_LEAVES["winter"], depth), 0.75)
    leaf = _LEAVES[ink.season]
    dark, light = ink.shade(leaf, 0.8, depth), ink(leaf, depth)
    return (
        out
        + circle(x, base - 0.72 * size, 0.38 * size, dark)
        + circle(x - 0.08 * size, base - 0.8 * size, 0.28 * size, light)
    )


def _conifer(ink: Ink, x: float, base: float, size: float, depth: float = 0.0) -> str:
    """A spruce of three tiers; white in winter."""
    colour = {"spring": "#3f8f5c", "summer": "#24704a", "autumn": "#7d7a35", "winter": "#c3d3dc"}[ink.season]
    out = rect(x - 0.05 * size, base - 0.2 * size, 0.1 * size, 0.2 * size, ink("#5a4030", depth))
    for i, (y, w) in enumerate(((-0.14, 0.34), (-0.42, 0.27), (-0.68, 0.19))):
        tier = ink.shade(colour, 0.82 + 0.13 * i, depth)
        points = [(x - w * size, base + y * size), (x + w * size, base + y * size), (x, base + (y - 0.36) * size)]
        out += polygon(points, tier)
    return out


def meadow(ink: Ink, scene: Scene) -> str:
    """Rolling hills over open grass with mown bands."""
    grass = _GRASS[ink.season]
    shift = ink.rng.uniform(-6, 6)
    out = _hill(22 + shift, 52, 13, ink.shade(grass, 0.82, 0.55)) + _hill(
        82 + shift, 48, 10, ink.shade(grass, 0.9, 0.4)
    )
    out += _ground(ink, grass, 58) + _hill(40 - shift, 75, 6, ink.shade(grass, 1.04, 0.12), 66)
    for i, y in enumerate((70, 81, 93)):
        band = ink.shade(grass, 0.92 if i % 2 else 1.1)
        out += path(
            f"M 0 {y} Q 30 {y - 6} 60 {y - 1} T 100 {y - 3} V {y + 4} Q 70 {y + 1} 40 {y + 4} T 0 {y + 5} Z", band
        )
    return out


def forest(ink: Ink, scene: Scene) -> str:
    """Ranks of spruces with a clearing in front and tall trunks at both sides."""
    floor = {"spring": "#7fb562", "summer": "#3f7f45", "autumn": "#a8763a", "winter": "#e3eaf2"}[ink.season]
    out = rect(0, 40, 100, 20, ink("#2d5b47", 0.5)) + _ground(ink, floor)
    out += "".join(_conifer(ink, x, 60, 34 + (i % 3) * 5, 0.42) for i, x in enumerate(range(2, 103, 11)))
    out += "".join(_conifer(ink, x, 65, 44, 0.16) for x in (8, 26, 76, 93))
    for x, w in ((3.0, 7.0), (95.0, 8.0)):
        out += rect(x - w / 2, -2, w, 88, ink.shade("#5c4232", 0.9)) + rect(x - w / 2, -2, w * 0.4, 88, ink("#75553f"))
    return out


def lake(ink: Ink, scene: Scene) -> str:
    """Wooded hills, still water with their reflection, a near bank."""
    grass = _GRASS[ink.season]
    hills = ((20.0, 40.0, 12.0), (72.0, 46.0, 15.0))
    hill = ink.shade(
        {"spring": "#5d9a6b", "summer": "#3c7a58", "autumn": "#a8703c", "winter": "#b9c8d6"}[ink.season], 1.0, 0.4
    )
    out = "".join(_hill(x, w, h, hill, H + 1) for x, w, h in hills)
    out += _water(ink, H, 84)
    out += "".join(path(f"M {x - w} {H} Q {x} {H + h} {x + w} {H} Z", hill, 0.35) for x, w, h in hills)
    bank = ink.shade(grass, 0.88)
    out += path("M 0 80 Q 22 75 48 79 T 100 77 V 100 H 0 Z", bank)
    for x in (5, 10, 90, 96):
        out += line(f"M {x} 84 q 1 -9 {1.5 if x < 50 else -1.5} -13", ink.shade("#5f7f3c", 0.9), 1.1)
    return out


def seaside(ink: Ink, scene: Scene) -> str:
    """The open sea with white breakers, a sandy beach, a headland."""
    sand = "#f0d9a2" if ink.season != "winter" else "#e6e4dc"
    out = path(f"M -2 {H + 1} V 47 Q 8 43 16 49 L 24 {H + 1} Z", ink("#6f7f6a", 0.35))
    out += _water(ink, H, 88, "#2f7fa8")
    foam = ink.shade("#ffffff", 0.97)
    for y, o in ((67.0, 0.7), (73.5, 0.8)):
        waves = "".join(f" q 6.25 {-2.6 if i % 2 else 1.6} 12.5 0" for i in range(8))
        out += line(f"M 0 {y} {waves}", foam, 1.1, o)
    out += path("M 0 80 Q 26 75 52 79.5 T 100 77 V 100 H 0 Z", foam, 0.9)
    return (
        out
        + path("M 0 82 Q 26 77 52 81.5 T 100 79 V 100 H 0 Z", ink(sand))
        + path("M 0 93 Q 40 88 100 92 V 100 H 0 Z", ink.shade(sand, 0.9))
    )


def mountains(ink: Ink, scene: Scene) -> str:
    """Three snow-capped peaks above dark woods and an alpine meadow."""
    grass = _GRASS[ink.season]
    out = ""
    for x, top, w, depth in ((74, 16, 40, 0.38), (22, 22, 36, 0.28), (50, 30, 30, 0.14)):
        rock = "#75809a"
        out += polygon([(x - w, 60), (x, top), (x + w, 60)], ink(rock, depth))
        out += polygon([(x, top), (x + w, 60), (x + 0.1 * w, 60)], ink.shade(rock, 0.76, depth))
        k = 0.34 if ink.season != "winter" else 0.6
        h = (60 - top) * k
        cap = [(x, top), (x + w * k, top + h), (x + 0.4 * w * k, top + 0.78 * h), (x + 0.05 * w, top + 1.1 * h)]
        cap += [(x - 0.45 * w * k, top + 0.76 * h), (x - w * k, top + h)]
        out += polygon(cap, ink("#f4f8ff", depth * 0.6))
    out += "".join(_conifer(ink, x, 64, 13, 0.2) for x in (4, 11, 18, 25, 75, 82, 89, 96))
    return out + _ground(ink, grass, 62) + path("M 0 74 Q 40 66 100 76 V 100 H 0 Z", ink.shade(grass, 0.95))


def village(ink: Ink, scene: Scene) -> str:
    """A row of gabled houses along a lane."""
    out = _hill(50, 80, 9, ink.shade(_GRASS[ink.season], 0.85, 0.5)) + _ground(ink, _GRASS[ink.season])
    roof = "#b5523c" if ink.season != "winter" else "#eef3f8"
    for x, w, wall in (
        (8, 9.0, "#e9d6b4"),
        (25, 8.0, "#d9b08a"),
        (42, 8.0, "#efe6d2"),
        (59, 8.0, "#d3c3a2"),
        (76, 8.5, "#e6cfa8"),
        (93, 9.0, "#dba98a"),
    ):
        out += rect(x - w * 0.8, 45, 1.6 * w, 19, ink(wall, 0.12)) + rect(
            x, 45, 0.8 * w, 19, ink.shade(wall, 0.85, 0.12)
        )
        out += polygon([(x - w, 46), (x, 34), (x + w, 46)], ink(roof, 0.1))
        out += rect(x - 4.4, 50, 3.2, 4.6, ink.window()) + rect(x + 1.6, 50, 3.2, 4.6, ink.window())
    return out + path("M 40 64 H 60 L 84 100 H 16 Z", ink(_EARTH[ink.season]))


def city(ink: Ink, scene: Scene) -> str:
    """A skyline of towers with rows of windows above a square."""
    out = "".join(
        rect(x, y, w, 60 - y, ink("#6f7f9c", 0.5))
        for x, y, w in ((-2, 26, 14), (22, 20, 12), (44, 30, 14), (66, 18, 13), (86, 28, 16))
    )
    for x, y, w in ((0, 36, 17), (19, 30, 15), (36, 40, 13), (51, 38, 14), (67, 28, 15), (84, 35, 17)):
        out += rect(x, y, w, 66 - y, ink("#53607c", 0.1)) + rect(
            x + 0.68 * w, y, 0.32 * w, 66 - y, ink.shade("#53607c", 0.78, 0.1)
        )
        for row in range(3):
            for column in range(2):
                out += rect(x + 2.2 + column * 0.42 * w, y + 3 + row * 7.4, 0.24 * w, 4.2, ink.window(), 0.95)
    paving = "#a9abb0" if ink.season != "winter" else "#e0e5ea"
    out += _ground(ink, paving, 64)
    for y, h in ((72, 1.0), (82, 1.5), (94, 2.0)):
        out += rect(0, y, 100, h, ink.shade(paving, 0.84), 0.7)
    return out


def park(ink: Ink, scene: Scene) -> str:
    """Round trees, a lawn, a curved path and a lamp."""
    grass = _GRASS[ink.season]
    out = rect(0, 50, 100, 12, ink.shade(_LEAVES[ink.season], 0.7, 0.5)) + _ground(ink, grass)
    out += "".join(_round_tree(ink, x, 62, s, 0.14) for x, s in ((7, 34), (28, 25), (72, 26), (93, 35)))
    out += path("M 56 60 Q 30 68 46 80 Q 56 88 40 100 H 78 Q 84 86 66 78 Q 48 70 62 60 Z", ink(_EARTH[ink.season]))
    out += line("M 82 82 V 50", ink("#39424c"), 1.3)
    if ink.lit:
        out += circle(82, 48.5, 6, "#ffdf8a", 0.35)
    return out + circle(82, 48.5, 2.6, "#ffe9a8" if ink.lit else ink("#e8ecec"))


def desert(ink: Ink, scene: Scene) -> str:
    """Mesas, dunes and two cacti."""
    sand = {"spring": "#e8bf7c", "summer": "#e9b469", "autumn": "#d69c5c", "winter": "#dfcdb4"}[ink.season]
    out = path("M 4 58 L 8 42 H 26 L 31 58 Z", ink("#b5654a", 0.35)) + path(
        "M 66 58 L 70 46 H 82 L 86 58 Z", ink("#a85c46", 0.42)
    )
    out += _ground(ink, sand, 57)
    out += path("M 0 68 Q 26 56 52 68 T 100 64 V 100 H 0 Z", ink.shade(sand, 0.93)) + path(
        "M 0 88 Q 40 74 100 88 V 100 H 0 Z", ink.shade(sand, 1.06)
    )
    for x, k in ((10.0, 1.0), (91.0, 0.8)):
        green = ink("#4c7c50")
        out += line(f"M {x} 80 V {80 - 26 * k}", green, 4.4 * k)
        out += line(f"M {x} {80 - 10 * k} h {-6 * k} v {-8 * k}", green, 3.0 * k)
        out += line(f"M {x} {80 - 13 * k} h {6 * k} v {-7 * k}", green, 3.0 * k)
    return out


def river(ink: Ink, scene: Scene) -> str:
    """A river that winds from the hills to the foreground between green banks."""
    grass = _GRASS[ink.season]
    out = _hill(14, 42, 12, ink.shade(grass, 0.78, 0.5)) + _hill(88, 44, 13, ink.shade(grass, 0.84, 0.45))
    out += _ground(ink, grass)
    far, near = ink.grade(mix(ink.haze, "#ffffff", 0.08)), ink("#3d88b8")
    out += fade("stream", far, near)
    out += path(
        "M 51 56 Q 62 61 44 66 Q 6 73 4 80 Q 8 86 50 84 Q 92 83 96 76 Q 92 69 62 65 Q 70 60 55 56 Z", "url(#stream)"
    )
    out += path("M 51 56 Q 62 61 44 66 L 62 65 Q 70 60 55 56 Z", far, 0.6)
    bar = mix(near, "#ffffff", 0.3)
    for x, y, w in ((22, 74, 16), (58, 71, 14), (66, 79, 18), (14, 80, 14)):
        out += rect(x, y, w, 1.0, bar, 0.6, 0.5)
    out += path("M 0 90 Q 30 82 60 86 T 100 84 V 100 H 0 Z", ink.shade(grass, 0.9))
    return out + _round_tree(ink, 7, 68, 20, 0.14) + _round_tree(ink, 92, 67, 18, 0.14)


def garden(ink: Ink, scene: Scene) -> str:
    """A hedge with round topiary, a white picket fence and a lawn with beds."""
    hedge = {"spring": "#5aa052", "summer": "#2f7d43", "autumn": "#8f7a34", "winter": "#c9d6de"}[ink.season]
    out = rect(0, 42, 100, 22, ink.shade(hedge, 0.85, 0.22)) + _ground(ink, _GRASS[ink.season], 62)
    out += "".join(circle(x, 41, 7.5, ink(hedge, 0.12)) for x in (8, 29, 71, 92))
    white = ink("#f7f4ec")
    out += rect(0, 54, 100, 1.8, white) + rect(0, 60, 100, 1.8, white)
    out += "".join(path(f"M {x} 66 V 51 l 2 -3 l 2 3 V 66 Z", white) for x in range(1, 100, 8))
    bed = ink("#7a5236") if ink.season != "winter" else ink("#d8dde4")
    out += ellipse(6, 88, 20, 7, bed) + ellipse(95, 88, 20, 7, bed)
    shrub = ink.shade(hedge, 1.15)
    return out + "".join(circle(x, y, 3.4, shrub) for x, y in ((3, 84), (12, 85), (88, 85), (97, 84)))


def road(ink: Ink, scene: Scene) -> str:
    """A straight road to the vanishing point between fields, with telegraph poles."""
    field = {"spring": "#a9cf6a", "summer": "#d9c25c", "autumn": "#b98f4a", "winter": "#e6ecf3"}[ink.season]
    out = _hill(76, 44, 8, ink.shade(field, 0.75, 0.5)) + _ground(ink, field)
    asphalt = ink("#575b66" if ink.season != "winter" else "#8b929d")
    out += polygon([(48.5, H), (51.5, H), (90, 100), (10, 100)], asphalt)
    for y in (59.0, 64.0, 71.0, 81.0, 94.0):
        k = (y - H) / 44
        out += rect(50 - 1.5 * k - 0.2, y, 3 * k + 0.4, 1 + 5 * k, ink("#f3ead0"))
    for k in (0.12, 0.34, 0.8):
        for side in (-1, 1):
            x, base, top = 50 + side * (6 + 48 * k), H + 26 * k, H - 34 * k - 6
            out += line(f"M {x:.1f} {base:.1f} V {top:.1f}", ink("#5b4636", 0.3 * (1 - k)), 0.6 + 1.4 * k)
            arm = 2 + 6 * k
            out += line(f"M {x - arm:.1f} {top + 3:.1f} h {2 * arm:.1f}", ink("#5b4636", 0.3 * (1 - k)), 0.5 + 1.1 * k)
    return out


PLACE_DRAWINGS: dict[str, Callable[[Ink, Scene], str]] = {
    "meadow": meadow,
    "forest": forest,
    "lake": lake,
    "seaside": seaside,
    "mountains": mountains,
    "village": village,
    "city": city,
    "park": park,
    "desert": desert,
    "river": river,
    "garden": garden,
    "road": road,
}
