"""Secondary elements in the sky and on the horizon, in picture coordinates.

The picture is a 100 x 100 square, y down, horizon at y = 56. Sky elements lie behind everything but the sky; far
elements stand on the horizon at the right. Both leave x 32..68 to the subject where they come below y = 40.
"""

import math
from collections.abc import Callable

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, glow, line, mix, path, polygon, rect

FAR = 0.12
"""Depth at which far elements take on haze."""


def fireworks(ink: Ink) -> str:
    """Three large round bursts of rays: gold, pink and blue-green."""
    parts = []
    for x, y, r, own in ((20, 21, 18, "#ffc93c"), (80, 18, 17, "#ff5d8f"), (50, 14, 13, "#5be3ff")):
        colour = ink.shine(own)
        angles = [math.tau * k / 12 for k in range(12)]
        rays = "".join(
            f"M{x + c * r * 0.28:.2f} {y + s * r * 0.28:.2f}L{x + c * r * 0.82:.2f} {y + s * r * 0.82:.2f}"
            for c, s in ((math.cos(a), math.sin(a)) for a in angles)
        )
        tips = "".join(f"M{x + math.cos(a) * r:.2f} {y + math.sin(a) * r:.2f}h.01" for a in angles)
        parts += [glow(x, y, r * 1.3, colour, 0.75), line(rays, colour, 1.3), line(tips, ink.shine("#fff6d8"), 2.0)]
        parts.append(circle(x, y, r * 0.13, "#fffdf0"))
    return "".join(parts)


def balloons(ink: Ink) -> str:
    """Three big hot-air balloons with broad vertical gores and a basket."""
    basket = ink("#6b4226")
    parts = []
    for x, y, r, own, band in (
        (19, 18, 12.5, "#e23b32", "#ffd34d"),
        (83, 15, 11, "#2f86d6", "#fdf3dc"),
        (53, 10.5, 8, "#8a3fb0", "#ff9a3c"),
    ):
        parts += [
            line(f"M{x - r * 0.4} {y + r * 0.9}L{x - r * 0.16} {y + r * 1.6}", basket, 0.5),
            line(f"M{x + r * 0.4} {y + r * 0.9}L{x + r * 0.16} {y + r * 1.6}", basket, 0.5),
            glow(x, y, r * 1.7, ink.shine("#ffcf6b"), 0.7 if ink.lit else 0.0),
            path(balloon_outline(x, y, r, 1.0), lantern_like(own, ink)),
            path(balloon_outline(x, y, r, 0.66), lantern_like(band, ink)),
            path(balloon_outline(x, y, r, 0.28), lantern_like(own, ink)),
            path(
                f"M{x} {y - r}A{r} {r} 0 0 1 {x + r} {y}Q{x + r * 0.9} {y + r * 0.7} {x + r * 0.3} {y + r * 1.3}"
                f"Q{x + r * 0.85} {y} {x} {y - r}Z",
                "#121a33",
                0.22,
            ),
            rect(x - r * 0.24, y + r * 1.5, r * 0.48, r * 0.36, basket, radius=0.6),
        ]
    return "".join(parts)


def lantern_like(colour: str, ink: Ink) -> str:
    """Thin coloured cloth: lit like any thing by day, shining from within in the dark."""
    return mix(ink(colour), ink.shine(colour), 0.75) if ink.lit else ink(colour)


def balloon_outline(x: float, y: float, r: float, share: float) -> str:
    """Path of a balloon's envelope of radius r, narrowed to `share` of its width."""
    w = r * share
    return (
        f"M{x - w:.2f} {y}A{w:.2f} {r} 0 0 1 {x + w:.2f} {y}Q{x + w * 0.9:.2f} {y + r * 0.7:.2f} "
        f"{x + w * 0.32:.2f} {y + r * 1.3:.2f}H{x - w * 0.32:.2f}Q{x - w * 0.9:.2f} {y + r * 0.7:.2f} {x - w:.2f} {y}Z"
    )


def rainbow(ink: Ink) -> str:
    """A broad arc of six bands across the whole sky."""
    bands = ("#f0433a", "#fb9a2e", "#fde047", "#4fbf55", "#3f8ff0", "#9250d8")
    parts = []
    for k, own in enumerate(bands):
        r = 46 - 2.5 * k
        parts.append(line(f"M{50 - r} 62V58A{r} {r} 0 0 1 {50 + r} 58V62", ink.shine(own), 2.65, 0.82))
    return "".join(parts)


def sunbeams(ink: Ink) -> str:
    """A glowing sun at the upper left with broad rays that fan over the whole sky."""
    light = ink.shine("#fff0b0")
    rays = ""
    for degrees in (2, 22, 42, 62, 82):
        a, b = math.radians(degrees - 5), math.radians(degrees + 5)
        rays += f"M13 11L{13 + 95 * math.cos(a):.1f} {11 + 95 * math.sin(a):.1f}"
        rays += f"L{13 + 95 * math.cos(b):.1f} {11 + 95 * math.sin(b):.1f}Z"
    gradient = (
        '<defs><radialGradient id="sunbeams" gradientUnits="userSpaceOnUse" cx="13" cy="11" r="92">'
        f'<stop offset="0" stop-color="{light}"/><stop offset=".5" stop-color="{light}" stop-opacity=".6"/>'
        f'<stop offset="1" stop-color="{light}" stop-opacity=".05"/></radialGradient></defs>'
    )
    return gradient + path(rays, "url(#sunbeams)", 0.75) + glow(13, 11, 30, light) + circle(13, 11, 8.5, "#fffbe6")


def moon(ink: Ink) -> str:
    """A large full moon with three grey seas and a wide halo, upper right."""
    light, sea = ink.shine("#fbf6dc"), ink.shine("#d9d2b4")
    return "".join(
        (
            glow(79, 17, 27, ink.shine("#dfe8ff"), 0.8),
            circle(79, 17, 10, light),
            circle(75.5, 14.5, 2.6, sea),
            circle(82, 19.5, 3.0, sea),
            circle(81, 11.8, 1.6, sea),
        )
    )


def tornado(ink: Ink) -> str:
    """A dark funnel that hangs from a black cloud and whirls up dust at the horizon, right."""
    dark, mid, pale = ink("#2f323c"), ink("#4b4f5b"), ink("#707582")
    bands = "M62 17Q79 23 97 16M66 25Q80 30 93 24M70 33Q80 38 89 32M73 41Q80 45 86 40"
    return "".join(
        (
            path("M56 13Q80 18 104 12Q92 24 88 36Q84 46 82 57H77Q77 46 71 35Q66 22 56 13Z", mid),
            path("M104 12Q92 24 88 36Q84 46 82 57H80Q81 46 83 35Q87 20 92 13Z", dark),
            line(bands, pale, 2.1),
            *(ellipse(x, y, rx, 8, dark) for x, y, rx in ((62, 6, 14), (80, 8, 18), (98, 5, 14), (76, 0, 26))),
            ellipse(80, 56, 11, 3.6, ink("#8a7a66")),
            ellipse(76, 54, 5, 3.2, ink("#a08d75")),
        )
    )


def crows(ink: Ink) -> str:
    """Five bold black birds that fly to the left with raised wings."""
    black = ink.grade("#15151d")
    bird = path(
        "M-13 2.6L-8.6 0Q-6.6 -2.4 -4 -0.6L-1.6 -1Q-3 -8 -8 -13Q2 -11 4.4 -2.2L5.4 -2Q8 -8 15 -11.5Q12 -3 8.4 0.4"
        "L15 3.4L13 5.4L8 4.4Q0 7.4 -6 3Q-8.4 1.6 -13 2.6Z",
        black,
    )
    flock = ((17, 17, 0.66, 6), (46, 11, 0.5, -8), (79, 16, 0.72, 4), (29, 37, 0.5, -6), (85, 38, 0.56, 8))
    return "".join(
        f'<g transform="translate({x} {y}) rotate({turn}) scale({scale})">{bird}</g>' for x, y, scale, turn in flock
    )


def kites(ink: Ink) -> str:
    """Three big diamond kites with long ribbon tails."""
    parts = []
    for x, y, size, turn, a, b in (
        (20, 15, 1.0, 24, "#e8352e", "#ffd23f"),
        (82, 14, 0.95, -22, "#2f7fe0", "#ff8a2b"),
        (51, 11, 0.66, 12, "#a03cc4", "#45c46a"),
    ):
        kite = "".join(
            (
                line("M0 14Q6 18 1 23Q-5 28 1 34", ink(a), 1.3),
                polygon([(1, 23), (-3.6, 20.6), (-3.6, 25.4)], ink(b)),
                polygon([(1, 23), (5.6, 20.6), (5.6, 25.4)], ink(b)),
                polygon([(0, -12), (-9, -1), (0, 14)], ink(a)),
                polygon([(0, -12), (9, -1), (0, 14)], ink(b)),
                polygon([(0, -1), (-9, -1), (0, 14)], ink.shade(b, 0.85)),
                polygon([(0, -1), (9, -1), (0, 14)], ink.shade(a, 0.85)),
            )
        )
        parts.append(f'<g transform="translate({x} {y}) rotate({turn}) scale({size})">{kite}</g>')
    return "".join(parts)


def carnival(ink: Ink) -> str:
    """A Ferris wheel with coloured cabins and glowing hub behind a red and white striped tent."""
    x, y, r = 86.0, 38.0, 12.5
    rim, glow_colour = lantern_like("#f2e6ff", ink), ink.shine("#ffdf6b")
    angles = [math.tau * (k + 0.5) / 8 for k in range(8)]
    spokes = "".join(f"M{x} {y}L{x + r * math.cos(a):.2f} {y + r * math.sin(a):.2f}" for a in angles)
    cabins = ("#ff4f5e", "#ffc233", "#3ec46d", "#3fa2ff")
    parts = [
        glow(x, y, 20, glow_colour, 0.55),
        line(f"M{x - 7} 58L{x} {y}L{x + 7} 58", ink("#6a5a86"), 1.8),
        line(f"M{x - r} {y}A{r} {r} 0 1 1 {x + r} {y}A{r} {r} 0 1 1 {x - r} {y}Z", rim, 1.4),
        line(spokes, rim, 0.8),
        circle(x, y, 2.2, glow_colour),
    ]
    parts += [
        circle(x + r * math.cos(a), y + r * math.sin(a), 2.3, ink.shine(cabins[k % 4])) for k, a in enumerate(angles)
    ]
    red, white = lantern_like("#e0342f", ink), lantern_like("#fff5e4", ink)
    parts += [rect(70, 50.5, 14, 7.8, white)]
    parts += [rect(70 + 5.6 * k, 50.5, 2.8, 7.8, red) for k in range(3)]
    parts += [
        polygon([(68, 51.5), (77, 42), (86, 51.5)], white),
        polygon([(68, 51.5), (77, 42), (72.5, 51.5)], red),
        polygon([(75.5, 51.5), (77, 42), (79, 51.5)], red),
        polygon([(82, 51.5), (77, 42), (86, 51.5)], red),
        polygon([(77, 42), (77, 38), (81.5, 40)], ink.shine("#ffc233")),
    ]
    return "".join(parts)


def eruption(ink: Ink) -> str:
    """A dark volcano with a burning crater, lava streams and a tall grey and orange plume."""
    lava, hot = ink.shine("#ff5a1f"), ink.shine("#ffc83a")
    ash, light_ash = ink("#4a444b"), ink("#766c70")
    plume = ((82, 8, 12), (71, 14, 8), (93, 13, 8.5), (82, 20, 8), (83, 27, 5.5))
    return "".join(
        (
            *(circle(px, py, pr, ash) for px, py, pr in plume),
            *(circle(px - 1.5, py - 1.5, pr * 0.68, light_ash) for px, py, pr in plume),
            glow(82, 32, 17, lava),
            line("M82 35V22M81 35L75 24M83 35L90 24", hot, 2.0),
            polygon([(62, 58.5), (76, 36), (88, 36), (104, 58.5)], ink("#4a3436")),
            polygon([(84, 36), (88, 36), (104, 58.5), (90, 58.5)], ink("#2c2024")),
            path("M75.5 37Q82 32.5 88.5 37L86 40L88 50L84.5 44L82 58.5L79 44L75 51L77.5 40Z", lava),
            path("M78 36.4Q82 34 86 36.4L83.5 39L82 47L80 39Z", hot),
        )
    )


def ruins(ink: Ink) -> str:
    """Broken white columns, one with a piece of its beam, and a crumbled wall."""
    stone, dark = ink("#efe4cf", FAR), ink("#8a7d6c", FAR)
    parts = [path("M88 58.5V44L91 46L92 40L96 43L97 37L101 40V58.5Z", dark)]
    for x, top in ((70, 28), (78, 28), (86.5, 41)):
        parts += [
            polygon([(x - 2.4, 58), (x - 2.4, top), (x, top - 1.4), (x + 2.4, top + 1.2), (x + 2.4, 58)], stone),
            rect(x + 0.6, top + 1, 1.8, 58 - top, dark),
            rect(x - 3.6, 56, 7.2, 2.6, stone),
        ]
    parts += [
        rect(66.4, 26.6, 15.4, 2.8, stone),
        polygon([(66, 26.8), (66, 23), (70, 20.5), (76, 22), (78, 24.4), (84, 26.8)], dark),
        polygon([(90, 58.6), (91, 54), (96, 53.5), (98, 58.6)], stone),
        polygon([(80.5, 58.8), (82, 55.6), (85, 58.8)], stone),
    ]
    return "".join(parts)


def cottage(ink: Ink) -> str:
    """A snug thatched cottage whose windows always glow, with smoke from the chimney."""
    wall, thatch, warm = "#f4e3c3", "#8f5a2e", ink.shine("#ffd25e")
    smoke = ink("#e9e6e4")
    parts = [
        *(circle(px, py, pr, smoke, 0.85) for px, py, pr in ((91, 31, 2.4), (93, 26.5, 3.4), (90.5, 20.5, 4.4))),
        rect(89, 33, 4, 11, ink("#9a4a38")),
        rect(71, 46, 25, 12.6, ink(wall)),
        rect(88, 46, 8, 12.6, ink.shade(wall, 0.78)),
        path("M67 48.5Q70 46 74.5 37Q83.5 34.5 92.5 37Q97 46 100 48.5Q83.5 50.5 67 48.5Z", ink(thatch)),
        path("M86 35.5Q90 36 92.5 37Q97 46 100 48.5Q95 49.4 90 49.6Q90 42 86 35.5Z", ink.shade(thatch, 0.7)),
    ]
    for x in (77, 90.5):
        parts += [glow(x, 53, 9, warm, 0.9), rect(x - 2.8, 50.2, 5.6, 5.6, warm)]
    parts.append(rect(81.6, 51.4, 4.4, 7.2, ink("#7a3b22"), radius=1.2))
    return "".join(parts)


SKY_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "fireworks": fireworks,
    "balloons": balloons,
    "rainbow": rainbow,
    "sunbeams": sunbeams,
    "moon": moon,
    "tornado": tornado,
    "crows": crows,
    "kites": kites,
}
FAR_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "carnival": carnival,
    "eruption": eruption,
    "ruins": ruins,
    "cottage": cottage,
}
