"""The outdoor places: each a far plane, a middle plane and the ground, horizon at y = 56; the rooms are in rooms.py.

The centre is left to the subject, whose feet are at y 80 to 87.
"""

import math
from collections.abc import Callable

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, fade, glow, line, mix, path, polygon, rect
from emofeedback.scenes.draw.land import (
    EARTH,
    GRASS,
    LEAVES,
    SAND,
    SNOW,
    WOODS,
    H,
    conifer,
    ground,
    hill,
    palm_tree,
    reflection,
    round_tree,
    water,
)
from emofeedback.scenes.draw.rooms import ROOM_DRAWINGS
from emofeedback.scenes.draw.subjects import subject_boxes
from emofeedback.scenes.grammar import Scene


def meadow(ink: Ink, scene: Scene) -> str:
    """Rolling hills with a few trees over open grass in broad bands."""
    grass = GRASS[ink.season]
    shift = ink.rng.uniform(-6, 6)
    out = hill(22 + shift, 52, 13, ink.shade(grass, 0.78, 0.5)) + hill(82 + shift, 48, 10, ink.shade(grass, 0.86, 0.36))
    out += "".join(round_tree(ink, x, y, s, 0.3) for x, y, s in ((8, 57, 13), (17, 56, 10), (88, 58, 12)))
    out += ground(ink, grass, 58) + hill(40 - shift, 75, 6, ink.shade(grass, 1.06, 0.1), 66)
    for i, y in enumerate((70, 81, 93)):
        band = ink.shade(grass, 0.9 if i % 2 else 1.12)
        out += path(
            f"M 0 {y} Q 30 {y - 6} 60 {y - 1} T 100 {y - 3} V {y + 4} Q 70 {y + 1} 40 {y + 4} T 0 {y + 5} Z", band
        )
    if ink.season != "winter":
        out += _tall_grass(ink.shade(grass, 0.78))
    return out


def _tall_grass(fill: str) -> str:
    """Broad blades that rise from the lower corners."""
    out = ""
    for side, foot in ((1, -2), (-1, 102)):
        for i, height in enumerate((17, 11, 14, 8, 6)):
            x = foot + side * 4.2 * i
            bend = side * (3.5 if i % 2 else 1.5)
            out += path(
                f"M {x - 2.4} 101 Q {x - 1} {101 - 0.6 * height} {x + bend} {101 - height} L {x + 2.4} 101 Z", fill
            )
    return out


def forest(ink: Ink, scene: Scene) -> str:
    """Ranks of spruces, golden ones among them in autumn, a clearing in front and tall trunks at both sides."""
    floor = {"spring": "#86bf66", "summer": "#3f8a48", "autumn": "#b57e3c", "winter": "#e6edf5"}[ink.season]
    golden = "#d98a2e" if ink.season == "autumn" else None
    out = rect(0, 44, 100, 16, ink("#2d5b47", 0.45)) + ground(ink, floor)
    out += "".join(
        conifer(ink, x, 60, 34 + (i % 3) * 5, 0.3, golden if i % 2 else None) for i, x in enumerate(range(2, 103, 11))
    )
    out += "".join(conifer(ink, x, 65, 44, 0.12, golden if x in (26, 93) else None) for x in (8, 26, 76, 93))
    out += ellipse(50, 84, 44, 11, ink.shade(floor, 1.1), 0.8)
    for x, w in ((3.0, 7.0), (95.0, 8.0)):
        out += rect(x - w / 2, -2, w, 88, ink.shade("#5c4232", 0.9)) + rect(x - w / 2, -2, w * 0.4, 88, ink("#75553f"))
    bush = ink.shade(
        {"spring": "#5fae58", "summer": "#2f7d43", "autumn": "#c9622c", "winter": "#dbe6ee"}[ink.season], 1.0
    )
    return out + "".join(ellipse(x, 87, 8, 5, bush) for x in (1, 99))


def lake(ink: Ink, scene: Scene) -> str:
    """Wooded hills, still water that reflects them and the sky, a near bank with reeds."""
    grass, hills = GRASS[ink.season], ((20.0, 40.0, 12.0), (72.0, 46.0, 15.0))
    wooded = ink(WOODS[ink.season], 0.34)
    out = "".join(hill(x, w, h, wooded, H + 1) for x, w, h in hills)
    out += "".join(conifer(ink, x, 57, s, 0.22) for x, s in ((3, 15), (9, 19), (15, 14), (88, 16), (94, 20), (99, 15)))
    out += water(ink, scene, 84, mirror=0.62)
    out += "".join(path(f"M {x - w} {H} Q {x} {H + h} {x + w} {H} Z", wooded, 0.42) for x, w, h in hills)
    out += path("M 0 80 Q 22 75 48 79 T 100 77 V 100 H 0 Z", ink.shade(grass, 0.9))
    out += path("M 0 90 Q 40 84 100 89 V 100 H 0 Z", ink.shade(grass, 1.02))
    for x in (5, 10, 90, 96):
        out += line(f"M {x} 84 q 1 -9 {1.5 if x < 50 else -1.5} -13", ink.shade("#5f7f3c", 0.9), 1.1)
    return out


def seaside(ink: Ink, scene: Scene) -> str:
    """The open sea with white breakers, a wide sandy beach with dune grass, a headland."""
    sand = SAND[ink.season]
    out = path(f"M -2 {H + 1} V 45 Q 8 41 16 48 L 25 {H + 1} Z", ink(WOODS[ink.season], 0.24))
    out += water(ink, scene, 88, "#2586b4", 0.3)
    foam = ink.shade("#ffffff", 0.97)
    out += path("M 0 72 Q 30 69 60 72 T 100 70 V 90 H 0 Z", ink("#4fbcc4"), 0.55)
    for y, o in ((65.5, 0.7), (72.5, 0.85)):
        waves = "".join(f" q 6.25 {-2.6 if i % 2 else 1.6} 12.5 0" for i in range(8))
        out += line(f"M 0 {y} {waves}", foam, 1.2, o)
    out += path("M 0 79 Q 26 74 52 78.5 T 100 76 V 100 H 0 Z", foam, 0.95)
    out += path("M 0 81 Q 26 76 52 80.5 T 100 78 V 100 H 0 Z", ink.shade(sand, 0.84))
    out += path("M 0 84 Q 26 79 52 83 T 100 81 V 100 H 0 Z", ink(sand))
    out += path("M 0 95 Q 40 89 100 93 V 100 H 0 Z", ink.shade(sand, 1.05))
    blade = ink({"spring": "#8fb04e", "summer": "#7fa544", "autumn": "#a8934a", "winter": "#b9b49c"}[ink.season])
    return out + _dune_grass(3, 92, blade) + _dune_grass(97, 90, blade)


def _dune_grass(x: float, y: float, stroke: str) -> str:
    """A clump of long blades bent outwards."""
    return "".join(line(f"M {x} {y} q {0.3 * dx} -8 {dx} {-11 + abs(dx) * 0.4}", stroke, 1.2) for dx in (-7, -3, 1, 5))


def mountains(ink: Ink, scene: Scene) -> str:
    """Three snow-capped peaks above dark woods and an alpine meadow."""
    grass = GRASS[ink.season]
    out = ""
    for x, top, w, depth in ((74, 16, 40, 0.36), (22, 22, 36, 0.26), (50, 30, 30, 0.12)):
        rock = "#7684a4"
        out += polygon([(x - w, 60), (x, top), (x + w, 60)], ink(rock, depth))
        out += polygon([(x, top), (x + w, 60), (x + 0.1 * w, 60)], ink.shade(rock, 0.76, depth))
        k = 0.34 if ink.season != "winter" else 0.6
        h = (60 - top) * k
        cap = [(x, top), (x + w * k, top + h), (x + 0.4 * w * k, top + 0.78 * h), (x + 0.05 * w, top + 1.1 * h)]
        cap += [(x - 0.45 * w * k, top + 0.76 * h), (x - w * k, top + h)]
        out += polygon(cap, ink("#f4f8ff", depth * 0.6))
    out += path("M 0 64 V 57 Q 26 51 52 57 T 100 55 V 64 Z", ink(WOODS[ink.season], 0.2))
    out += "".join(conifer(ink, x, 65, s, 0.1) for x, s in ((3, 17), (11, 14), (19, 16), (80, 14), (88, 18), (96, 15)))
    out += ground(ink, grass, 63) + path("M 0 74 Q 40 66 100 76 V 100 H 0 Z", ink.shade(grass, 1.0))
    out += path("M 0 90 Q 60 80 100 88 V 100 H 0 Z", ink.shade(grass, 0.9))
    return out + "".join(
        path(f"M {x - w} {y} Q {x - w} {y - h} {x} {y - h} Q {x + w} {y - h} {x + w} {y} Z", ink("#9aa3b4"))
        for x, y, w, h in ((8, 84, 6, 5), (93, 80, 5, 4))
    )


def village(ink: Ink, scene: Scene) -> str:
    """Gabled houses with chimneys and doors along a lane, trees between them."""
    grass = GRASS[ink.season]
    out = hill(50, 80, 11, ink.shade(grass, 0.82, 0.45)) + ground(ink, grass)
    out += round_tree(ink, 26, 62, 17, 0.2) + round_tree(ink, 75, 62, 17, 0.2)
    for x, w, wall, roof in (
        (38, 7.5, "#efe6d2", "#a8503e"),
        (63, 7.5, "#dcc6a0", "#8f5a44"),
        (11, 11.0, "#f0dcb6", "#c0563c"),
        (90, 11.0, "#e3b592", "#a34a3a"),
    ):
        tiles = SNOW if ink.season == "winter" else roof
        base, top = 60 + 0.45 * (w - 7), 47 - 0.6 * (w - 7)
        out += rect(x + 0.3 * w, top - 0.9 * w, 0.32 * w, 0.8 * w, ink("#8a5a48", 0.08))
        out += rect(x - 0.8 * w, top, 1.6 * w, base - top, ink(wall, 0.08))
        out += rect(x + 0.3 * w, top, 0.5 * w, base - top, ink.shade(wall, 0.84, 0.08))
        out += polygon([(x - 1.05 * w, top + 0.6), (x, top - 1.15 * w), (x + 1.05 * w, top + 0.6)], ink(tiles, 0.06))
        out += rect(x - 0.56 * w, top + 0.24 * w, 0.44 * w, 0.5 * w, ink.window())
        out += rect(x + 0.16 * w, top + 0.24 * w, 0.44 * w, 0.5 * w, ink.window())
        out += rect(x - 0.16 * w, base - 0.62 * w, 0.34 * w, 0.62 * w, ink("#7a4630"))
    out += path("M 47 60 H 54 Q 54 70 70 82 Q 80 90 84 100 H 18 Q 24 86 36 76 Q 47 67 47 60 Z", ink(EARTH[ink.season]))
    bush = ink.shade(LEAVES[ink.season] if ink.season != "spring" else "#63b35a", 0.95)
    return out + "".join(
        circle(x, y, r, bush) for x, y, r in ((2, 67, 4.5), (20, 66, 3.5), (80, 66, 3.5), (98, 67, 4.5))
    )


def city(ink: Ink, scene: Scene) -> str:
    """A skyline of tall blocks in two ranks, street trees and a paved square."""
    out = "".join(
        rect(x, y, w, 60 - y, ink("#7f93b4", 0.45))
        for x, y, w in ((-2, 26, 14), (22, 20, 12), (44, 30, 14), (66, 18, 13), (86, 28, 16))
    )
    for x, y, w, wall in (
        (0, 36, 17, "#5a6c94"),
        (19, 30, 15, "#7d6a86"),
        (36, 40, 13, "#546a88"),
        (51, 38, 14, "#8a7078"),
        (67, 28, 15, "#50688f"),
        (84, 35, 17, "#6b6f92"),
    ):
        out += rect(x, y, w, 66 - y, ink(wall, 0.1)) + rect(
            x + 0.68 * w, y, 0.32 * w, 66 - y, ink.shade(wall, 0.78, 0.1)
        )
        glass = ink.window() if ink.lit else ink("#bcd8ea", 0.1)
        for row in range(3):
            for column in range(2):
                out += rect(x + 2.2 + column * 0.42 * w, y + 3 + row * 7.4, 0.24 * w, 4.2, glass, 0.95)
        if ink.season == "winter":
            out += rect(x, y - 1, w, 1.6, ink(SNOW))
    paving = "#c0bab4" if ink.season != "winter" else "#e4e9ee"
    out += ground(ink, paving, 64) + "".join(round_tree(ink, x, 67, 13, 0.06) for x in (6, 18, 82, 94))
    for y, h in ((72, 1.0), (82, 1.5), (94, 2.0)):
        out += rect(0, y, 100, h, ink.shade(paving, 0.84), 0.7)
    return out


def park(ink: Ink, scene: Scene) -> str:
    """Round trees, a lawn with a curved path, shrubs and a lamp."""
    grass = GRASS[ink.season]
    out = rect(0, 50, 100, 12, ink.shade(LEAVES[ink.season], 0.74, 0.45)) + ground(ink, grass)
    out += "".join(circle(x, 50, 5, ink.shade(LEAVES[ink.season], 0.74, 0.45)) for x in (40, 48, 57, 64))
    heads = [(left + right) / 2 for _, (left, _, right, _) in subject_boxes(scene)]
    # a crown behind a head looks like a hat
    near, far = _clear_of(heads, (28, 38, 18)), _clear_of(heads, (72, 62, 82))
    out += "".join(round_tree(ink, x, 62, s, 0.1) for x, s in ((near, 25), (far, 26), (7, 36), (93, 37)))
    out += path("M 0 82 Q 30 74 60 82 T 100 80 V 100 H 0 Z", ink.shade(grass, 1.05))
    out += path("M 56 60 Q 30 68 46 80 Q 56 88 40 100 H 78 Q 84 86 66 78 Q 48 70 62 60 Z", ink(EARTH[ink.season]))
    shrub = ink.shade(
        {"spring": "#5fb35a", "summer": "#2f8546", "autumn": "#c2762e", "winter": "#dbe5ee"}[ink.season], 1.0
    )
    out += "".join(ellipse(x, y, rx, 0.66 * rx, shrub) for x, y, rx in ((4, 74, 8), (98, 76, 8)))
    lamp = _clear_of(heads, (90, 10, 82))
    out += line(f"M {lamp} 82 V 50", ink("#39424c"), 1.3)
    if ink.lit:
        out += glow(lamp, 48.5, 13, "#ffdf8a", 0.8)
    return out + circle(lamp, 48.5, 2.8, "#ffe9a8" if ink.lit else ink("#f0f2f0"))


def _clear_of(heads: list[float], places: tuple[int, ...]) -> int:
    """The first of some places where it is 9 units away from all heads, else the one that is farthest from them."""

    def away(x: int) -> float:
        return min((abs(x - head) for head in heads), default=9.0)

    return places[0] if away(places[0]) >= 9 else max(places, key=away)


def desert(ink: Ink, scene: Scene) -> str:
    """Mesas, dunes with a lit and a shaded side, and two cacti."""
    sand = {"spring": "#ecc684", "summer": "#efba6c", "autumn": "#dba362", "winter": "#e8dccb"}[ink.season]
    out = ""
    for points, shade in (
        (((2, 58), (7, 40), (26, 40), (32, 58)), ((20, 58), (20, 40), (26, 40), (32, 58))),
        (((64, 58), (69, 45), (83, 45), (88, 58)), ((78, 58), (78, 45), (83, 45), (88, 58))),
    ):
        out += polygon(list(points), ink("#c06a4c", 0.28)) + polygon(list(shade), ink.shade("#c06a4c", 0.78, 0.28))
    out += ground(ink, sand, 57)
    out += path("M 0 68 Q 26 56 52 68 T 100 64 V 100 H 0 Z", ink.shade(sand, 0.94))
    out += path("M 28 62 Q 42 63 52 68 Q 70 76 100 74 V 82 Q 60 84 40 74 Q 32 68 28 62 Z", ink.shade(sand, 0.84))
    out += path("M 0 88 Q 40 74 100 88 V 100 H 0 Z", ink.shade(sand, 1.06))
    for x, k in ((10.0, 1.0), (91.0, 0.8)):
        green = ink("#4a8a56")
        out += line(f"M {x} 80 V {80 - 26 * k}", green, 4.8 * k)
        out += line(f"M {x} {80 - 10 * k} h {-6 * k} v {-8 * k}", green, 3.2 * k)
        out += line(f"M {x} {80 - 13 * k} h {6 * k} v {-7 * k}", green, 3.2 * k)
        if ink.season == "winter":
            out += line(f"M {x} {80 - 27 * k} h 0.1", ink(SNOW), 4.6 * k)
    return out


def river(ink: Ink, scene: Scene) -> str:
    """A river that winds from the hills into a broad bend between green banks with trees."""
    grass = GRASS[ink.season]
    out = hill(14, 42, 12, ink.shade(grass, 0.76, 0.45)) + hill(88, 44, 13, ink.shade(grass, 0.82, 0.4))
    out += ground(ink, grass)
    bed = (
        "M 47 56 Q 60 59 42 63 Q 14 67 -2 69 V 88 Q 40 86 66 83 Q 92 80 94 74 "
        "Q 94 69 72 66.5 Q 56 64 62 60.5 Q 62 58 52 56 Z"
    )
    far, near = ink.grade(mix(ink.haze, "#ffffff", 0.08)), ink("#3d8cbc")
    out += path(bed, ink.shade(EARTH[ink.season], 0.9), extra='transform="translate(0 -.8)"')
    out += fade("stream", far, near) + path(bed, "url(#stream)")
    out += f'<defs><clipPath id="bed"><path d="{bed}"/></clipPath></defs>'
    out += f'<g clip-path="url(#bed)">{reflection(ink, scene, 88, 0.34)}</g>'
    bar = mix(near, "#ffffff", 0.4)
    for x, y, w in ((20, 73, 16), (54, 70.5, 14), (62, 77, 18), (10, 79, 16)):
        out += rect(x, y, w, 1.1, bar, 0.6, 0.5)
    out += path("M 0 88 Q 30 82 60 84 T 100 78 V 100 H 0 Z", ink.shade(grass, 0.92))
    out += path("M 0 95 Q 50 88 100 93 V 100 H 0 Z", ink.shade(grass, 1.05))
    return out + round_tree(ink, 8, 67, 23, 0.1) + round_tree(ink, 21, 64, 15, 0.18) + round_tree(ink, 92, 67, 22, 0.1)


def garden(ink: Ink, scene: Scene) -> str:
    """A hedge with round topiary, a white picket fence, a lawn with stepping stones and planted beds."""
    season = ink.season
    hedge = {"spring": "#5fae56", "summer": "#2f8546", "autumn": "#97803a", "winter": "#c6d5de"}[season]
    out = rect(0, 42, 100, 22, ink.shade(hedge, 0.85, 0.18)) + ground(ink, GRASS[season], 62)
    for x in (8, 29, 71, 92):
        out += circle(x, 41, 8, ink(hedge, 0.1)) + circle(x - 2, 38.6, 4, ink.shade(hedge, 1.18, 0.1))
    white = ink("#f9f6ee")
    out += rect(0, 54, 100, 1.8, white) + rect(0, 60, 100, 1.8, white)
    out += "".join(path(f"M {x} 66 V 51 l 2 -3 l 2 3 V 66 Z", white) for x in range(1, 100, 8))
    out += path("M 0 78 Q 50 70 100 78 V 100 H 0 Z", ink.shade(GRASS[season], 1.04), 0.7)
    stone = ink("#cfc8bc" if season != "winter" else "#c2c9d2")
    out += "".join(
        ellipse(x, y, rx, 0.34 * rx, stone) for x, y, rx in ((52, 69, 4), (49, 74, 5), (53, 80.5, 6.5), (49, 89, 8))
    )
    bed = ink("#7a5236") if season != "winter" else ink("#d2d9e2")
    out += ellipse(5, 79, 18, 6, bed) + ellipse(96, 79, 18, 6, bed)
    bloom = {"spring": "#ffd84f", "summer": "#ef6f8e", "autumn": "#d2602e", "winter": None}[season]
    for x, y in ((4, 76), (13, 77), (88, 77), (97, 76)):
        out += circle(x, y, 4.2, ink.shade(hedge, 1.12))
        if bloom is not None:
            out += circle(x - 1.6, y - 1.4, 1.5, ink(bloom)) + circle(x + 1.7, y + 0.6, 1.5, ink(bloom))
    return out


def road(ink: Ink, scene: Scene) -> str:
    """A straight road to the vanishing point between broad fields, with telegraph poles."""
    field = {"spring": "#a6d368", "summer": "#e2ca5c", "autumn": "#c0954a", "winter": "#e9eff6"}[ink.season]
    out = (
        hill(76, 44, 9, ink.shade(field, 0.75, 0.45))
        + hill(12, 40, 6, ink(WOODS[ink.season], 0.4))
        + ground(ink, field)
    )
    for a, b in ((-120, -60), (-20, 0), (100, 120), (160, 220)):
        out += polygon([(50, H), (a, 100), (b, 100)], ink.shade(field, 0.9), 0.8)
    asphalt = ink("#5b606c" if ink.season != "winter" else "#8b929d")
    verge = ink.shade(GRASS[ink.season], 0.85)
    out += polygon([(48, H), (52, H), (98, 100), (2, 100)], verge)
    out += polygon([(48.5, H), (51.5, H), (90, 100), (10, 100)], asphalt)
    for y in (59.0, 64.0, 71.0, 81.0, 94.0):
        k = (y - H) / 44
        out += rect(50 - 1.5 * k - 0.2, y, 3 * k + 0.4, 1 + 5 * k, ink("#f3ead0"))
    for k in (0.12, 0.34, 0.8):
        for side in (-1, 1):
            x, base, top = 50 + side * (6 + 48 * k), H + 26 * k, H - 34 * k - 6
            out += line(f"M {x:.1f} {base:.1f} V {top:.1f}", ink("#5b4636", 0.3 * (1 - k)), 0.6 + 1.4 * k)
            arm, wood = 2 + 6 * k, ink("#5b4636", 0.3 * (1 - k))
            # two bars close to the top: with one in the middle it looks like a cross on a grave
            bars = f"M {x - arm:.1f} {top + 0.8:.1f} h {2 * arm:.1f} M {x - 0.8 * arm:.1f} {top + 1 + 4 * k:.1f}"
            out += line(f"{bars} h {1.6 * arm:.1f}", wood, 0.5 + 0.9 * k)
    return out


def island(ink: Ink, scene: Scene) -> str:
    """A small green island with palms and a sandy rim across turquoise water, and a beach in front."""
    sand = SAND[ink.season]
    green = {"spring": "#5cb860", "summer": "#2f9a52", "autumn": "#96983e", "winter": "#c2d3ce"}[ink.season]
    out = water(ink, scene, 88, "#22a3b8", 0.22)
    out += ellipse(66, 63.5, 36, 3.0, ink("#8fe0dc"), 0.6) + ellipse(12, 60, 13, 1.6, ink("#8fe0dc"), 0.6)
    out += path("M 2 60 Q 6 52 12 51 Q 19 52 23 60 Z", ink(green, 0.3)) + ellipse(12, 60, 11, 1.1, ink(sand, 0.2))
    out += palm_tree(ink, 13, 53, 17, 3, 0.25)
    out += path("M 36 63 Q 42 52 54 46 Q 66 37 78 45 Q 92 50 98 63 Z", ink.shade(green, 0.86, 0.12))
    out += path("M 36 63 Q 42 52 54 46 Q 61 41 67 41 Q 60 50 70 63 Z", ink(green, 0.1))
    out += path("M 33 63.5 Q 50 57 68 60.5 T 101 63.5 Q 84 66 66 66 T 33 63.5 Z", ink(sand, 0.08))
    out += (
        palm_tree(ink, 76, 62, 37, 6, 0.04) + palm_tree(ink, 86, 62, 28, 7, 0.04) + palm_tree(ink, 50, 61, 22, -6, 0.04)
    )
    foam = ink.shade("#ffffff", 0.97)
    out += path("M 0 82 Q 28 76 54 80 T 100 78 V 100 H 0 Z", foam, 0.9)
    out += path("M 0 84 Q 28 78 54 82 T 100 80 V 100 H 0 Z", ink(sand))
    out += path("M 0 95 Q 40 90 100 94 V 100 H 0 Z", ink.shade(sand, 0.92))
    return out + _starfish(12, 90, ink("#f0805c")) + _starfish(89, 88, ink("#f0805c"))


def _starfish(x: float, y: float, fill: str) -> str:
    """A flat star with five arms."""
    points = []
    for k in range(10):
        r, a = (3.0 if k % 2 == 0 else 1.2), math.tau * k / 10 - 1.2
        points.append((x + r * math.cos(a), y + 0.6 * r * math.sin(a)))
    return polygon(points, fill)


def waterfall(ink: Ink, scene: Scene) -> str:
    """A big white fall between dark mossy cliffs into a foaming pool, a green bank in front."""
    grass, rock = GRASS[ink.season], "#6f7482"
    moss = ink({"spring": "#74bd5c", "summer": "#3f8f48", "autumn": "#b98a3c", "winter": SNOW}[ink.season], 0.06)
    out = "".join(conifer(ink, x, y, s, 0.2) for x, y, s in ((4, 38, 22), (15, 40, 18), (27, 45, 15), (93, 27, 17)))
    out += path("M -1 64 V 36 L 14 35 L 20 40 L 33 42 L 38 48 L 48 49 L 54 64 Z", ink(rock, 0.1))
    out += path("M 48 64 L 51 30 L 58 26 H 84 L 90 22 H 101 V 64 Z", ink.shade(rock, 0.86, 0.06))
    out += path(
        "M 14 64 V 44 L 22 47 V 64 Z M 34 64 L 35 50 L 42 53 V 64 Z M 90 64 V 32 L 97 29 V 64 Z",
        ink.shade(rock, 0.66, 0.06),
    )
    out += path("M -1 39 V 34 L 14 33 L 20 38 L 33 40 L 38 46 L 48 47 L 49 50 L 36 50 L 31 44 L 18 42 L 12 38 Z", moss)
    out += path("M 50 33 L 51 28 L 58 24 V 29 Z M 83 29 V 25 L 90 20 H 101 V 25 L 91 26 Z", moss)
    light, mid = ink("#f4fbff"), ink("#a9d5ea")
    out += path("M 57 26 Q 59 24.6 70 25 Q 82 24.6 84 26 L 86 66 H 54 Z", mid)
    out += path("M 60 26 H 66 L 65 66 H 57 Z M 70 26 H 75 L 76 66 H 69 Z M 79 26 H 82 L 84 66 H 80 Z", light)
    pool = "#3f9fb4" if ink.season != "winter" else "#7fb4c8"
    far, near = ink.shade(pool, 1.25), ink(pool)
    out += fade("pool", far, near) + '<rect y="63" width="100" height="24" fill="url(#pool)"/>'
    out += path("M -1 63 H 30 Q 24 69 8 69 L -1 70 Z M 101 63 H 90 Q 92 70 101 72 Z", ink.shade(rock, 0.74))
    out += "".join(
        ellipse(x, y, rx, ry, light, 0.95)
        for x, y, rx, ry in ((56, 65, 7, 3.4), (65, 66, 8, 4), (76, 66, 8, 4), (85, 65, 6, 3.2))
    )
    out += "".join(
        rect(x, y, w, 1.1, light, 0.55, 0.5) for x, y, w in ((44, 72, 26), (66, 76, 24), (12, 73, 18), (26, 78, 20))
    )
    out += path("M 0 80 Q 26 84 52 80 T 100 82 V 100 H 0 Z", ink.shade(grass, 0.88))
    out += path("M 0 92 Q 40 86 100 92 V 100 H 0 Z", ink.shade(grass, 1.04))
    for x, y, w, h in ((6, 83, 9, 8), (95, 84, 9, 9), (17, 83, 5, 4)):
        out += path(
            f"M {x - w} {y} Q {x - w} {y - h} {x} {y - h} Q {x + w} {y - h} {x + w} {y} Z", ink.shade(rock, 1.05)
        )
        if ink.season == "winter":
            out += path(f"M {x - 0.8 * w} {y - 0.6 * h} Q {x} {y - 1.5 * h} {x + 0.8 * w} {y - 0.6 * h} Z", ink(SNOW))
    return out


def farm(ink: Ink, scene: Scene) -> str:
    """A red barn with a silo, field rows that run to the horizon, and a wooden fence."""
    season = ink.season
    soil, crop = {
        "spring": ("#9c6f48", "#8fcf5a"),
        "summer": ("#c79a3e", "#f0cf5a"),
        "autumn": ("#8a6040", "#c9964a"),
        "winter": ("#c4c8d0", "#f2f6fb"),
    }[season]
    out = hill(20, 46, 10, ink.shade(GRASS[season], 0.8, 0.42)) + hill(80, 50, 8, ink.shade(GRASS[season], 0.88, 0.34))
    out += round_tree(ink, 8, 58, 15, 0.22) + ground(ink, soil)
    for k in range(-5, 7):
        a, b = 40 + 34 * k - 9, 40 + 34 * k + 9
        out += polygon([(40 + 2.6 * k - 0.7, H), (40 + 2.6 * k + 0.7, H), (b, 100), (a, 100)], ink(crop, 0.05))
    out += path(f"M 46 {H} H 101 V 78 Q 80 76 66 68 Q 56 62 46 {H} Z", ink.shade(GRASS[season], 0.98, 0.06))
    roof = SNOW if season == "winter" else "#6b5a5e"
    steel = "#b9c3cc"
    out += rect(90, 32, 10, 31, ink(steel, 0.06)) + rect(96, 32, 4, 31, ink.shade(steel, 0.78, 0.06))
    out += path("M 89.5 32.5 Q 95 23 100.5 32.5 Z", ink.shade(steel, 0.9 if season != "winter" else 1.25, 0.06))
    red = "#c23a2e"
    out += polygon([(60, 64), (60, 44), (66, 35), (75, 30), (84, 35), (90, 44), (90, 64)], ink(red, 0.03))
    out += polygon(
        [
            (60, 45.5),
            (57.5, 44.5),
            (65, 33.5),
            (75, 28),
            (85, 33.5),
            (92.5, 44.5),
            (90, 45.5),
            (83.4, 36),
            (75, 31.5),
            (66.6, 36),
        ],
        ink(roof, 0.03),
    )
    white = ink("#f8f2e6")
    out += rect(67.5, 49, 15, 15, ink.shade(red, 0.7))
    out += line("M 67.5 64 V 49 H 82.5 V 64 M 75 49 V 64 M 67.5 64 L 75 49 L 82.5 64", white, 1.1)
    out += rect(72, 38.5, 6, 5.4, ink.window()) + line("M 72 38.5 H 78 V 43.9 H 72 Z", white, 0.8)
    wood = ink("#8a6844" if season != "winter" else "#97816a")
    for x0, x1 in ((-2, 30), (70, 102)):
        out += rect(x0, 71, x1 - x0, 1.8, wood) + rect(x0, 75.5, x1 - x0, 1.8, wood)
        out += "".join(rect(x, 68.5, 2.4, 12, ink.shade("#8a6844", 0.85)) for x in range(x0 + 3, x1, 9))
        if season == "winter":
            out += rect(x0, 70.4, x1 - x0, 1.0, ink(SNOW))
    return out


def street(ink: Ink, scene: Scene) -> str:
    """A row of bright house fronts with shops and striped awnings behind a wide pavement, a kerb and a lamp."""
    snow = ink.season == "winter"
    out = ""
    glass = ink.window() if ink.lit else ink("#a8cfe0")
    fronts = (
        (-4, 26, 22, "#f0a060", "#c8402f"),
        (18, 32, 21, "#f7d67e", "#2f8a5a"),
        (39, 28, 22, "#74bad6", "#d2902c"),
        (61, 33, 20, "#f19a98", "#356fb4"),
        (81, 25, 23, "#c3d470", "#b23a56"),
    )
    for x, y, w, wall, awning in fronts:
        out += rect(x, y, w, 65 - y, ink(wall, 0.03)) + rect(x + w - 2.2, y, 2.2, 65 - y, ink.shade(wall, 0.84, 0.06))
        out += rect(x - 0.5, y - 1.4, w + 1, 2.8, ink(SNOW) if snow else ink.shade(wall, 0.7, 0.06))
        for k in (0.16, 0.58):
            out += rect(x + k * w, y + 4.6, 0.25 * w, 8.6, ink("#fbf7ee")) + rect(
                x + k * w + 0.8, y + 5.4, 0.25 * w - 1.6, 7, glass
            )
        out += rect(x + 2, 51, 0.56 * w, 11.5, glass) + rect(x + 0.68 * w, 51, 0.22 * w, 14, ink.shade(awning, 0.7))
        stripe = (w - 1) / 5
        for k in range(5):
            colour = ink(SNOW) if k % 2 else ink(awning)
            out += polygon(
                [
                    (x + 1.5 + k * (stripe - 0.4), 46),
                    (x + 1.5 + (k + 1) * (stripe - 0.4), 46),
                    (x + 0.5 + (k + 1) * stripe, 52.4),
                    (x + 0.5 + k * stripe, 52.4),
                ],
                colour,
            )
    paving = "#d8cbb8" if not snow else "#e8edf2"
    out += ground(ink, paving, 65)
    for y, h in ((70, 0.8), (78, 1.1)):
        out += rect(0, y, 100, h, ink.shade(paving, 0.86), 0.8)
    for x in (-30, 2, 34, 66, 98, 130):
        out += line(
            f"M {50 + (x - 50) * 0.72:.1f} 65 L {50 + (x - 50) * 1.1:.1f} 90", ink.shade(paving, 0.86), 0.7, 0.8
        )
    out += rect(0, 89.5, 100, 2.2, ink.shade(paving, 1.1)) + rect(
        0, 91.7, 100, 9, ink("#6a6d78" if not snow else "#a3a9b4")
    )
    out += line("M 9 86 V 44", ink("#2f3a44"), 1.6) + line("M 5.5 86 H 12.5", ink("#2f3a44"), 2.2)
    out += round_tree(ink, 91, 80, 31) + path("M 86 79 H 96 L 94.6 87 H 87.4 Z", ink("#b0603c"))
    out += rect(85.4, 78, 11.2, 2.2, ink.shade("#b0603c", 1.18), radius=0.6)
    if ink.lit:
        out += glow(9, 42, 14, "#ffdf8a", 0.85)
    return out + rect(6.6, 38.6, 4.8, 6.4, "#ffe9a8" if ink.lit else ink("#f2f0e4"), radius=1.2)


def harbour(ink: Ink, scene: Scene) -> str:
    """Brick warehouses, a yellow crane and moored masts around a basin, and a stone quay with bollards."""
    snow = ink.season == "winter"
    out = hill(62, 50, 13, ink(WOODS[ink.season], 0.28), 60) + rect(
        0, 55, 100, 4, ink.shade(WOODS[ink.season], 0.86, 0.2)
    )
    for x, w, top, wall in ((-3, 17, 39, "#b4583f"), (14, 15, 42, "#cf8a52"), (29, 14, 45, "#9c5148")):
        out += polygon([(x, 58), (x, top + 6), (x + w / 2, top - 1), (x + w, top + 6), (x + w, 58)], ink(wall, 0.12))
        roof = ink(SNOW if snow else "#54505c", 0.12)
        out += line(f"M {x} {top + 6} L {x + w / 2} {top - 1} L {x + w} {top + 6}", roof, 1.8)
        out += rect(x + w / 2 - 2, 50, 4, 8, ink("#4a3a3c", 0.1)) + rect(
            x + w / 2 - 1.8, top + 4, 3.6, 3.4, ink.window()
        )
    crane = ink("#f0b02e", 0.06)
    out += line("M 84 58 L 87 26 L 93 58 M 85.4 44 H 90.4", crane, 1.9) + line("M 99 24 L 56 31", crane, 2.4)
    out += line("M 87 18 L 62 30 M 87 18 L 98 24 M 87 18 V 28", crane, 1.1)
    out += line("M 60 31 V 43", ink("#3f4652"), 0.9) + rect(57, 43, 6, 4.6, ink("#c8402f", 0.05))
    out += rect(84.4, 27, 5.4, 5, ink("#d2452f", 0.04)) + rect(95, 23, 5, 4.6, ink("#5a616c", 0.06))
    out += water(ink, scene, 82, "#2f7f96", 0.42)
    for x, top, hull in ((10, 43, "#2f6fb0"), (22, 47, "#e4ded2"), (88, 45, "#c8402f")):
        mast = ink("#f4ead6")
        out += line(f"M {x} 62 V {top}", mast, 1.2) + line(
            f"M {x} {top + 1} L {x - 5} 61 M {x + 0.5} 59 h 7", mast, 0.7
        )
        out += path(
            f"M {x - 8} 61.5 H {x + 8.5} Q {x + 7} 66 {x + 4} 66 H {x - 5} Q {x - 7.4} 65 {x - 8} 61.5 Z", ink(hull)
        )
        out += rect(x - 6, 66.6, 12, 1.2, ink.shade(hull, 0.7), 0.5)
    quay = "#b9ada0" if not snow else "#e6ebf0"
    out += rect(0, 79, 100, 6, ink.shade("#8d8278", 0.8)) + rect(0, 79, 100, 2.6, ink.shade(quay, 1.06))
    out += rect(0, 81.6, 100, 20, ink(quay)) + rect(0, 93, 100, 1.4, ink.shade(quay, 0.84))
    for x in (14, 46, 78):
        out += line(f"M {x} 82 L {50 + (x - 50) * 1.3:.0f} 100", ink.shade(quay, 0.84), 1.1)
    for x in (10, 90):
        out += ellipse(x, 83.6, 4.4, 1.2, ink.shade(quay, 0.6), 0.5)
        out += rect(x - 2.4, 75.6, 4.8, 8, ink("#343b46"), radius=1.2) + rect(
            x - 3.8, 74, 7.6, 3, ink("#454e5a"), radius=1.4
        )
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
    "island": island,
    "waterfall": waterfall,
    "farm": farm,
    "street": street,
    "harbour": harbour,
    **ROOM_DRAWINGS,
}
"""The drawing of every name in `grammar.PLACES`; those of the rooms leave their window open."""
