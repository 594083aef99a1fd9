"""Secondary elements in the sky and on the horizon, in picture coordinates.

The picture is a 100 x 100 square, y down, horizon at y = 56. Sky elements lie behind everything but the sky; far
elements stand on the horizon at the right. Both leave x 32..68 to the subject where they come below y = 40.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from emofeedback.scenes.draw.canvas import (
    Ink,
    brightness,
    circle,
    ellipse,
    fade,
    glow,
    group,
    jitter,
    line,
    lively,
    mix,
    path,
    polygon,
    rect,
    scattered,
    silhouette,
    sparkle,
)

NEARER = 3.6
"""How far down dancers and a parade are moved, so that they stand on the ground and not before the houses behind it."""
FAR = 0.12
"""Depth at which far elements take on haze."""


def fireworks(ink: Ink) -> str:
    """Three large round bursts of two rings of rays, with a wide glow and rising trails."""
    rng = jitter(ink, "fireworks")
    white = ink.shine("#fff6d8")
    parts = []
    for x0, y0, r0, own in ((20, 21, 18, "#ffc93c"), (80, 18, 17, "#ff4f88"), (50, 14, 13, "#4fe0ff")):
        x, y, r = x0 + rng.uniform(-4, 4), y0 + rng.uniform(-2, 4), r0 * rng.uniform(0.85, 1.1)
        colour = ink.shine(own)
        parts += [
            glow(x, y, r * 1.75, colour, 0.85),
            line(f"M{x:.1f} {y + r:.1f}Q{x + 1:.1f} {y + r + 8:.1f} {x - 1:.1f} 56", ink.shine("#ffd98a"), 0.9, 0.6),
            line(rays(x, y, 0.3 * r, 0.84 * r, 0.0), colour, 1.5),
            line(rays(x, y, 0.22 * r, 0.52 * r, 0.26), white, 1.0),
            line(rays(x, y, r, r + 0.01, 0.0), white, 2.3),
            circle(x, y, r * 0.15, "#fffdf0"),
        ]
    return "".join(parts)


def rays(x: float, y: float, low: float, high: float, turn: float) -> str:
    """Path of twelve rays around (x, y), from radius low to high, turned by `turn` radians."""
    ends = [(math.cos(math.tau * k / 12 + turn), math.sin(math.tau * k / 12 + turn)) for k in range(12)]
    return "".join(f"M{x + c * low:.2f} {y + s * low:.2f}L{x + c * high:.2f} {y + s * high:.2f}" for c, s in ends)


def balloons(ink: Ink) -> str:
    """Party balloons on strings: a bunch of three at each side, one that has got away.

    Where somebody is sad they have sunk to the ground, limp; where somebody is frightened a gust tears them away.
    """
    if ink.pose == "downcast":
        return _limp_balloons(ink)
    if ink.pose == "alarmed":
        return _torn_away(ink)
    rng = jitter(ink, "balloons")
    bunches = (
        ((17.0, 44.0), ((9.0, 17.0, "#2f86e6"), (25.5, 19.0, "#ffc629"), (17.5, 11.5, "#e8323c"))),
        ((83.0, 44.0), ((75.0, 18.0, "#35b25c"), (91.0, 17.0, "#ff6fae"), (83.0, 10.5, "#8a4bd0"))),
        ((54.0, 34.0), ((51.0, 9.5, "#ff8a2c"),)),
    )
    strings, rounds = "", ""
    for (x, y), some in bunches:
        dx, dy = rng.uniform(-2, 2), rng.uniform(-1, 3)
        for bx, by, own in some:
            bx, by = bx + dx, by + dy
            strings += line(
                f"M{bx:.1f} {by + 8:.1f}Q{bx:.1f} {by + 16:.1f} {x + dx:.1f} {y + dy:.1f}", ink("#6d6a74"), 0.6
            )
            rounds += _balloon(bx, by, own, ink)
        if len(some) > 1:
            strings += line(f"M{x + dx:.1f} {y + dy:.1f}q-1 3 0.6 6", ink("#6d6a74"), 0.6)
    return strings + rounds


def _balloon(x: float, y: float, own: str, ink: Ink) -> str:
    """One round balloon about (x, y) with its knot and a gleam."""
    colour = lantern_like(own, ink)
    return (
        (glow(x, y, 13, ink.shine(own), 0.5) if ink.lit else "")
        + polygon([(x - 1.4, y + 9.3), (x, y + 7.4), (x + 1.4, y + 9.3)], lantern_like(brightness(own, 0.8), ink))
        + path(
            f"M{x:.1f} {y + 8.2:.1f}C{x - 5:.1f} {y + 5.4:.1f} {x - 6.8:.1f} {y + 2:.1f} {x - 6.8:.1f} {y - 1.4:.1f}"
            f"A6.8 6.8 0 0 1 {x + 6.8:.1f} {y - 1.4:.1f}C{x + 6.8:.1f} {y + 2:.1f} {x + 5:.1f} {y + 5.4:.1f} "
            f"{x:.1f} {y + 8.2:.1f}Z",
            colour,
        )
        + ellipse(x - 2.6, y - 3.6, 1.5, 2.3, "#ffffff", 0.55)
    )


def _limp_balloons(ink: Ink) -> str:
    """Balloons that have lost half of their air, on the ground in front, with their strings beside them."""
    parts = ""
    for x, y, own, turn in ((24, 93, "#e8323c", 68), (38, 95.4, "#2f86e6", 104), (53, 93.6, "#ffc629", -74)):
        string = line("M0 9q-2.6 4 0.6 7t-1.4 8", ink("#6d6a74"), 0.8)
        creases = line("M-2.4 5.4q.6 -2 -.4 -4M2 5.2q-.8 -1.6 0 -3.4", ink(brightness(own, 0.7)), 0.7)
        parts += ellipse(x, y + 3.2, 6.4, 1.4, ink.grade("#1d2126"), 0.3)
        parts += f'<g transform="translate({x} {y}) rotate({turn}) scale(.56 .64)">'
        parts += string + _balloon(0, 0, own, replace(ink, lit=False)) + creases + "</g>"
    return parts


def _torn_away(ink: Ink) -> str:
    """Three balloons that the wind drives off, their strings streaming behind."""
    rng = jitter(ink, "balloons")
    k = rng.choice((-1, 1))
    parts = ""
    for x, y, own, turn in ((35, 11, "#e8323c", 38), (15, 21, "#ffc629", 52), (-6, 12, "#2f86e6", 44)):
        one = line("M0 8.4Q3 13 -1 18T1 26", ink("#c9c6d0"), 0.8) + _balloon(0, 0, own, ink)
        parts += f'<g transform="translate({50 + k * x} {y}) rotate({k * turn})">{one}</g>'
    return parts


def lantern_like(colour: str, ink: Ink) -> str:
    """Thin coloured cloth: lit like any thing by day, shining from within in the dark."""
    return mix(ink(colour), ink.shine(colour), 0.75) if ink.lit else ink(colour)


def rainbow(ink: Ink) -> str:
    """A broad arc of six bands across the whole sky that fades out at its feet."""
    bands = ("#f0433a", "#fb9a2e", "#fde047", "#4fbf55", "#3f8ff0", "#9250d8")
    parts = []
    for k, own in enumerate(bands):
        r = 46 - 2.5 * k
        key, colour = f"band{k}", ink.shine(own)
        parts.append(
            f'<defs><linearGradient id="{key}" gradientUnits="userSpaceOnUse" x1="0" y1="28" x2="0" y2="56">'
            f'<stop offset="0" stop-color="{colour}"/><stop offset="1" stop-color="{colour}" stop-opacity="0"/>'
            "</linearGradient></defs>"
        )
        parts.append(line(f"M{50 - r} 58A{r} {r} 0 0 1 {50 + r} 58", f"url(#{key})", 2.65, 0.82))
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
    """A large full moon with three grey seas and a wide halo, upper left."""
    light, sea = ink.shine("#fbf6dc"), ink.shine("#d9d2b4")
    return "".join(
        (
            glow(21, 17, 27, ink.shine("#dfe8ff"), 0.8),
            circle(21, 17, 10, light),
            circle(17.5, 14.5, 2.6, sea),
            circle(24, 19.5, 3.0, sea),
            circle(23, 11.8, 1.6, sea),
        )
    )


def tornado(ink: Ink) -> str:
    """A dark funnel that hangs from a black cloud and whirls up dust at the horizon, left."""
    dark, mid, pale = silhouette(ink, "#2a2d37"), silhouette(ink, "#454955"), silhouette(ink, "#7b808e")
    bands = "M3 17Q21 23 38 17M7 25Q20 30 34 25M11 33Q20 38 30 33M14 41Q20 45 27 41"
    return "".join(
        (
            path("M-4 13Q20 18 44 13Q34 22 29 35Q23 46 23 57H18Q16 46 12 36Q8 24 -4 13Z", mid),
            path("M-4 13Q8 24 12 36Q16 46 18 57H20Q19 46 17 35Q13 20 8 15Z", dark),
            line(bands, pale, 2.1),
            *(ellipse(x, y, rx, 8, dark) for x, y, rx in ((38, 6, 14), (20, 8, 18), (2, 5, 14), (24, 0, 26))),
            ellipse(20, 56, 11, 3.6, ink("#8a7a66")),
            ellipse(24, 54, 5, 3.2, ink("#a08d75")),
        )
    )


def crows(ink: Ink) -> str:
    """Five bold black birds that fly to the left with raised wings."""
    black = ink.grade("#15151d")
    wings = (
        "M-13 2.6L-8.6 0Q-6.6 -2.4 -4 -0.6L-1.6 -1Q-3 -8 -8 -13Q2 -11 4.4 -2.2L5.4 -2Q8 -8 15 -11.5Q12 -3 8.4 0.4"
        "L15 3.4L13 5.4L8 4.4Q0 7.4 -6 3Q-8.4 1.6 -13 2.6Z"
    )
    bird = path(wings, mix(black, "#000000", 0.5))
    if silhouette(ink, "#15151d") != black:
        # a pale outline, or black wings are lost on a night sky
        bird = line(wings, ink.grade("#a9b2d6"), 2.2) + bird
    flock = ((17, 17, 0.66, 6), (46, 11, 0.5, -8), (79, 16, 0.72, 4), (29, 37, 0.5, -6), (85, 38, 0.56, 8))
    rng = jitter(ink, "crows")
    return "".join(
        f'<g transform="translate({x + rng.uniform(-5, 5):.1f} {y + rng.uniform(-4, 4):.1f}) '
        f'rotate({turn + rng.uniform(-8, 8):.0f}) scale({scale})">{bird}</g>'
        for x, y, scale, turn in flock
    )


def kites(ink: Ink) -> str:
    """Three big diamond kites with long ribbon tails."""
    rng = jitter(ink, "kites")
    parts = []
    for x, y, size, turn, a, b in (
        (20.0, 15.0, 1.0, 24.0, "#e8352e", "#ffd23f"),
        (82.0, 14.0, 0.95, -22.0, "#2f7fe0", "#ff8a2b"),
        (51.0, 11.0, 0.66, 12.0, "#a03cc4", "#45c46a"),
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
        x, y, turn = x + rng.uniform(-4, 4), y + rng.uniform(-1, 5), turn + rng.uniform(-10, 10)
        parts.append(f'<g transform="translate({x:.1f} {y:.1f}) rotate({turn:.0f}) scale({size})">{kite}</g>')
    return "".join(parts)


def carnival(ink: Ink) -> str:
    """A Ferris wheel with coloured cabins and glowing hub that stands beside a red and white striped tent."""
    x, y, r = 85.0, 38.6, 11.5
    rim, glow_colour = lantern_like("#f2e6ff", ink), ink.shine("#ffdf6b")
    angles = [math.tau * (k + 0.5) / 8 for k in range(8)]
    spokes = "".join(f"M{x} {y}L{x + r * math.cos(a):.2f} {y + r * math.sin(a):.2f}" for a in angles)
    cabins = ("#ff4f5e", "#ffc233", "#3ec46d", "#3fa2ff")
    parts = [
        ellipse(82, 59, 17, 1.9, ink("#6d5f4a", FAR), 0.5),
        glow(x, y, 19, glow_colour, 0.5),
        line(f"M{x - 7} 58.6L{x} {y}L{x + 7} 58.6M{x - 9.5} 58.8H{x + 9.5}", ink("#6a5a86"), 1.7),
        line(f"M{x - r} {y}A{r} {r} 0 1 1 {x + r} {y}A{r} {r} 0 1 1 {x - r} {y}Z", rim, 1.4),
        line(spokes, rim, 0.9),
        circle(x, y, 2.2, glow_colour),
    ]
    parts += [
        circle(x + r * math.cos(a), y + r * math.sin(a), 2.3, ink.shine(cabins[k % 4])) for k, a in enumerate(angles)
    ]
    red, white = lantern_like("#e0342f", ink), lantern_like("#fff5e4", ink)
    tent = rect(-6, -7, 12, 7.4, white) + "".join(rect(dx, -7, 2.4, 7.4, red) for dx in (-6, -1.2, 3.6))
    tent += polygon([(-7.6, -6.4), (0, -14), (7.6, -6.4)], white)
    tent += "".join(polygon([(a, -6.4), (0, -14), (b, -6.4)], red) for a, b in ((-7.6, -4.4), (-1.5, 1.5), (4.4, 7.6)))
    tent += polygon([(0, -13.6), (0, -17.6), (4.4, -15.6)], ink.shine("#ffc233"))
    return "".join(parts) + group(tent, 73, 58.8)


def eruption(ink: Ink) -> str:
    """A far volcano with a burning crater and lava streams, its foot lost in haze, its plume drifting to the right."""
    lava, hot = ink.shine("#ff5a1f"), ink.shine("#ffc83a")
    ash, light_ash = ink("#4a444b", FAR), ink("#766c70", FAR)
    plume = ((96, 12, 8), (89, 18, 6.5), (84.5, 25, 5), (82, 31.4, 3.6))
    sides = (
        ("volcano", "M56 61Q70 57 76.4 41.4H85.6Q92 57 108 61Z", "#6e4a4a"),
        ("volcanoshade", "M83 41.4H85.6Q92 57 108 61H91Q86 50 83 41.4Z", "#4a3032"),
    )
    return "".join(
        (
            *(circle(px, py, pr, ash) for px, py, pr in plume),
            *(circle(px - 1.2, py - 1.4, pr * 0.68, light_ash) for px, py, pr in plume),
            glow(81, 39, 15, lava),
            line("M81 40.5V31M80.2 40.5L76 33M81.8 40.5L86.4 33", hot, 1.7),
            *(_hazy_foot(key, lively(own, ink), ink(own, 0.4)) + path(d, f"url(#{key})") for key, d, own in sides),
            path("M76.2 42Q81 38.6 85.8 42L84.6 44.6L86.2 51.4L83.2 48L81.2 54.6L79 48L76 52L77.4 44.6Z", lava),
            path("M77.8 41.6Q81 39.8 84.2 41.6L82.4 43.8L81 50L79.6 44.4Z", hot),
        )
    )


def _hazy_foot(key: str, own: str, haze: str) -> str:
    """A vertical gradient of a mountain's own colour down to haze that clears at its foot; fill="url(#key)"."""
    return (
        f'<defs><linearGradient id="{key}" x1="0" y1="0" x2="0" y2="1"><stop offset=".5" stop-color="{own}"/>'
        f'<stop offset=".88" stop-color="{haze}"/><stop offset="1" stop-color="{haze}" stop-opacity="0"/>'
        "</linearGradient></defs>"
    )


def ruins(ink: Ink) -> str:
    """Three broken white columns of different height on a common step, a piece of one lying before it."""
    stone, shade, dark = ink("#f1e7d3", FAR), ink("#cfc2a8", FAR), ink("#8a7d6c", FAR)
    parts = [
        ellipse(83, 60, 17, 1.6, dark, 0.5),
        rect(67.5, 56.8, 30, 3, shade),
        rect(69.5, 54.4, 26, 2.6, stone),
    ]
    for x, top in ((73.4, 29.5), (82.4, 37.5), (91.4, 45)):
        broken = [(x - 2.4, 54.4), (x - 2.4, top + 1.4), (x - 0.8, top - 0.6), (x + 0.8, top + 1.6), (x + 2.4, top)]
        parts += [
            polygon([*broken, (x + 2.4, 54.4)], stone),
            rect(x + 0.8, top + 1.6, 1.6, 52.8 - top, dark),
            rect(x - 3.5, 52.6, 7, 2.2, stone),
        ]
    # the tallest keeps its capital
    parts += [rect(69.6, 27.4, 7.6, 2.6, stone), rect(70.8, 29.8, 5.2, 1.5, dark)]
    parts += [
        f'<g transform="translate(84.5 60.2) rotate(-6)">{rect(-5, -2.4, 9, 4.6, stone)}'
        f"{rect(-5, 0.6, 9, 1.6, dark)}{ellipse(4, -0.1, 1.5, 2.3, shade)}</g>"
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


def starry_sky(ink: Ink) -> str:
    """A luminous milky way from the left horizon to the upper right among many large stars."""
    rng = jitter(ink, "starry sky")
    blue, rose, white = ink.shine("#5f86ff"), ink.shine("#c58cff"), ink.shine("#e6ecff")
    band = (
        "<defs>"
        f'<linearGradient id="milkyway" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{blue}" '
        f'stop-opacity="0"/><stop offset=".34" stop-color="{blue}" stop-opacity=".5"/><stop offset=".5" '
        f'stop-color="{white}" stop-opacity=".5"/><stop offset=".66" stop-color="{rose}" stop-opacity=".5"/>'
        f'<stop offset="1" stop-color="{rose}" stop-opacity="0"/></linearGradient></defs>'
        '<g transform="translate(52 26) rotate(-31)"><rect x="-90" y="-19" width="180" height="38" '
        'fill="url(#milkyway)"/></g>'
    )
    out = rect(0, 0, 100, 64, ink.shine("#1c2f86"), 0.4) + glow(50, 64, 60, ink.shine("#4a78e8"), 0.55) + band
    # clouds of light along the band keep it from looking like a beam
    for k, (colour, r) in enumerate(
        ((white, 13), (rose, 18), (white, 17), (blue, 20), (white, 15), (rose, 17), (white, 13))
    ):
        along, across = -48 + 16 * k, rng.uniform(-6, 6)
        out += glow(52 + 0.857 * along - 0.515 * across, 26 - 0.515 * along - 0.857 * across, r, colour, 0.75)
    for i, (x, y) in enumerate(scattered(rng, 46, (2, 2, 98, 54))):
        if i < 8:
            out += glow(x, y, 6, white, 0.7) + sparkle(x, y, rng.uniform(3.0, 4.4), "#ffffff")
        else:
            out += circle(x, y, rng.choice((0.5, 0.7, 1.0, 1.3)), "#fffbe8", 0.95)
    return out


def confetti(ink: Ink) -> str:
    """Large coloured scraps and a few curled streamers that fall all over the sky."""
    rng = jitter(ink, "confetti")
    tones = [
        lantern_like(c, ink) for c in ("#ff3b4e", "#ffcf26", "#29b36a", "#2f8bff", "#ff6fc0", "#9a4be0", "#ff8a1f")
    ]
    out = ""
    for k, x in enumerate((9.0, 33.0, 66.0, 90.0)):
        x += rng.uniform(-4, 4)
        y = rng.uniform(9, 15)
        curls = "".join(f"q{3.4 if i % 2 else -3.4} 2.6 0 5.2" for i in range(rng.randint(3, 4)))
        out += line(f"M{x:.1f} {y - 10:.1f}{curls}", tones[(2 * k + 1) % 7], 2.0)
    for i, (x, y) in enumerate(scattered(rng, 34, (2, 2, 98, 54))):
        w, h = rng.uniform(2.8, 3.6), rng.uniform(4.2, 5.6)
        piece = circle(0, 0, 2.1, tones[i % 7]) if i % 5 == 0 else rect(-w / 2, -h / 2, w, h, tones[i % 7])
        out += f'<g transform="translate({x:.1f} {y:.1f}) rotate({rng.uniform(0, 180):.0f})">{piece}</g>'
    return out


def sparks(ink: Ink) -> str:
    """Glowing sparks that whirl up from a blaze behind the horizon."""
    rng = jitter(ink, "sparks")
    red, orange, hot = ink.shine("#ff3d12"), ink.shine("#ff8a1c"), ink.shine("#ffe08a")
    out = glow(50, 62, 62, red, 0.85) + glow(50, 60, 40, orange, 0.8)
    for i, (x, y) in enumerate(scattered(rng, 44, (3, 2, 97, 56))):
        size, away = rng.choice((0.7, 1.0, 1.4)), math.hypot(x - 50, y - 70)
        dx, dy = (x - 50) / away, (y - 70) / away
        length = rng.uniform(4, 8) * size + 1
        streak = [(x + dx * length, y + dy * length), (x - dy * size, y + dx * size), (x + dy * size, y - dx * size)]
        out += polygon(streak, (orange, hot, red)[i % 3]) + (glow(x, y, 5.5, orange, 0.8) if size > 0.8 else "")
        out += circle(x, y, size, hot)
    return out


def racing_clouds(ink: Ink) -> str:
    """Long torn clouds that sweep across the sky from left to right, dark ones over pale ones."""
    rng = jitter(ink, "racing clouds")
    pale, dark = ink.grade(mix(ink.haze, "#ffffff", 0.45)), ink.grade(mix(ink.haze, "#1b2238", 0.5))
    out = ""
    rows = ((9.0, 62, pale), (21.0, 74, dark), (32.0, 58, pale), (43.0, 66, dark), (15.0, 40, dark), (37.0, 34, pale))
    for y, length, colour in rows:
        x, k = rng.uniform(36, 100), rng.uniform(0.85, 1.15)
        y += rng.uniform(-2, 2)
        # a round head at the right, three torn tails at the left
        d = (
            f"M0 0Q2 -5 -7 -5.4Q-14 -8 -22 -5.4L{-length} -6.2L{-0.62 * length:.1f} -2.8L{-1.15 * length:.1f} -1"
            f"L{-0.55 * length:.1f} 0.6L{-0.9 * length:.1f} 3.4L-18 2.6Q-4 4.6 0 0Z"
        )
        cloud = path(d, colour) + "".join(
            circle(dx, dy, r, colour)
            for dx, dy, r in ((-5, -2.4, 4.2), (-13, -4.6, 5.6), (-22, -3.6, 4.4), (-30, -3.4, 2.8))
        )
        out += f'<g transform="translate({x:.1f} {y:.1f}) rotate(-7) scale({k:.2f})" opacity=".94">{cloud}</g>'
    return out


def drifting_leaves(ink: Ink) -> str:
    """Eleven leaves that sail down all over the sky."""
    rng = jitter(ink, "drifting leaves")
    tones = {
        "spring": ("#8fd06a", "#f7a8c4", "#b9e07a"),
        "summer": ("#57b04e", "#e8c43a", "#8cc63f"),
        "autumn": ("#e8702a", "#f2b632", "#c9402c"),
        "winter": ("#b08a5a", "#b08a5a", "#b08a5a"),
    }[ink.season]
    out = ""
    for i, (x, y) in enumerate(scattered(rng, 11, (8, 6, 94, 50))):
        x += rng.uniform(-5, 5)
        y += rng.uniform(-4, 4)
        size, turn = rng.uniform(3.4, 4.4), rng.choice((-1, 1)) * rng.uniform(15, 45)
        own = tones[i % 3]
        lower = f"Q{-0.3 * size:.1f} {1.3 * size:.1f} {-size:.1f} 0Z"
        d = f"M{-size:.1f} 0Q{-0.3 * size:.1f} {-1.3 * size:.1f} {size:.1f} 0{lower}"
        half = f"M{-size:.1f} 0H{size:.1f}{lower}"
        leaf = (
            path(d, lantern_like(own, ink))
            + path(half, lantern_like(brightness(own, 0.78), ink))
            + line(f"M{-1.4 * size:.1f} 0H{0.5 * size:.1f}", lantern_like("#6b4a24", ink), 0.7)
        )
        out += f'<g transform="translate({x:.1f} {y:.1f}) rotate({turn:.0f})">{leaf}</g>'
    return out


def dancing_crowd(ink: Ink) -> str:
    """Two groups of dancers in bright clothes with their arms up, under coloured beams."""
    clothes = [lantern_like(c, ink) for c in ("#ff4fa0", "#ffc629", "#2fb8e6", "#ff7a2c", "#7a4fe0", "#35c46a")]
    skins = [lantern_like(c, ink) for c in ("#f2bd94", "#b9794f", "#e0a47a")]
    hairs = [lantern_like(c, ink) for c in ("#6b3a1c", "#241a1c", "#d9a441", "#8a3a1c")]
    trousers, shadow = lantern_like("#2c3566", ink), ink.grade("#14201c")
    parts = []
    for left, colours in ((0.0, ("#ff3fa4", "#ffd23f", "#35d6ff")), (70.0, ("#35d6ff", "#ff3fa4", "#ffd23f"))):
        parts.append(glow(left + 15, 44, 20, ink.shine("#ff8fd0"), 0.7))
        for k, own in enumerate(colours):
            x = left + 5 + 10 * k
            tilt = (-8, 1, 8)[k]
            beam = [(x - 1.2, 54.0), (x + 1.2, 54.0), (x + tilt + 5.5, 14.0), (x + tilt - 5.5, 14.0)]
            key = f"beam{left:.0f}{k}"
            parts.append(fade(key, ink.shine(own), ink.shine(own), 0.0, 0.55) + polygon(beam, f"url(#{key})"))
        for k in range(4):
            x, base = left + 3.6 + 7.4 * k, 61.4 - (k % 2) * 1.6
            own, skin = clothes[(k + (3 if left else 0)) % 6], skins[k % 3]
            sway = (-1.2, 1.0, 0.4, -0.6)[k]
            arms = f"M{x - 2} {base - 8.6}L{x - 4 + sway} {base - 15}M{x + 2} {base - 8.6}L{x + 4 + sway} {base - 15.4}"
            legs = f"M{x - 1.2} {base - 3}L{x - 2.2 - sway} {base + 1.4}M{x + 1.2} {base - 3}L{x + 2.4} {base + 1.4}"
            trunk = f"M{x - 2.8} {base - 2.6}L{x - 2.4} {base - 9}q2.4 -1.6 4.8 0L{x + 2.8} {base - 2.6}Z"
            parts.append(ellipse(x, base + 2.2, 3.6, 0.8, shadow, 0.32))
            parts += [line(legs, trousers, 2.0), line(arms, skin, 1.7), path(trunk, own)]
            parts.append(circle(x + 0.3 * sway, base - 12.4, 2.5, skin))
            parts.append(
                path(
                    f"M{x - 2.5} {base - 12.6}A2.5 2.5 0 0 1 {x + 2.5} {base - 12.6}Z",
                    hairs[(k + (1 if left else 0)) % 4],
                )
            )
    return group("".join(parts), y=NEARER)


def parade(ink: Ink) -> str:
    """A decorated wagon with a golden star at the left, a marching band in red at the right, flags behind them."""
    red, white, gold = (lantern_like(c, ink) for c in ("#e02a35", "#fff6e6", "#ffc629"))
    navy, skin, blue = lantern_like("#22367a", ink), lantern_like("#e9b48c", ink), lantern_like("#2f86ea", ink)
    pink, green = lantern_like("#ff6fb5", ink), lantern_like("#2fb56a", ink)
    parts = (
        [glow(15, 48, 24, ink.shine("#ffd45e"), 0.7), glow(84, 48, 24, ink.shine("#ffd45e"), 0.7)] if ink.lit else []
    )
    shadow = ink.grade("#14201c")
    parts += [ellipse(15, 63, 14, 1.4, shadow, 0.3), ellipse(84.5, 63, 14, 1.4, shadow, 0.3)]
    flag = "M0 0q2.5 -2.6 5 0t4.4 -0.4v6q-2 2 -4.4 0.4t-5 0Z"
    for x, top, colour in ((3.0, 35, blue), (71.0, 36, green)):
        parts += [line(f"M{x} {55 if x < 50 else 62.6}V{top - 1}", white, 1.2), group(path(flag, colour), x, top)]
    # the wagon: a step and a star on a platform, a garland, wheels on the ground
    parts += [
        polygon(star(16, 38.6, 7.2), gold),
        rect(9.5, 44.6, 13, 6, blue, radius=1),
        rect(2, 50, 26, 8.4, pink, radius=1.2),
        "".join(circle(5.2 + 4.9 * k, 51.4, 2.3, white) for k in range(5)),
        "".join(circle(x, 59.4, 3.5, navy) + circle(x, 59.4, 1.4, gold) for x in (7.6, 22.4)),
    ]
    # the band, its feet on the wagon's ground
    for k, x in enumerate((76, 84.8, 93.6)):
        parts += [
            line(f"M{x - 1} 56L{x - 2.4} 62.2M{x + 1} 56L{x + 2.2} 62.2", white, 2.2),
            rect(x - 2.7, 47.4, 5.4, 9.4, red, radius=1.3),
            circle(x, 44.4, 2.5, skin),
            rect(x - 2.3, 37.6, 4.6, 5.6, red, radius=0.6),
            rect(x - 2.7, 41.8, 5.4, 1.5, gold),
        ]
        if k == 1:
            parts += [circle(x, 53, 4.4, gold), circle(x, 53, 3.2, white)]
        else:
            parts.append(path(f"M{x - 0.6} 46.6L{x - 3.6} 46L{x - 6.4} 43.6V49.6L{x - 3.6} 47.4L{x - 0.6} 47.8Z", gold))
    return group("".join(parts), y=NEARER)


def star(x: float, y: float, r: float) -> list[tuple[float, float]]:
    """Corners of a five-pointed star, one point up."""
    radii = (r, 0.42 * r)
    return [
        (x + radii[k % 2] * math.sin(math.pi * k / 5), y - radii[k % 2] * math.cos(math.pi * k / 5)) for k in range(10)
    ]


def lone_window(ink: Ink) -> str:
    """A small dark house alone on a bare dark rise at the left, one window lit."""
    light = ink.shine("#ffd257")
    rise, wall, roof = (ink.grade(c) for c in ("#3a3c48", "#23242f", "#15161f"))
    shapes = (
        path("M62 62Q74 50 84 50.5Q95 50.5 104 60V62Z", rise),
        rect(88.6, 37.5, 2.2, 6, roof),
        rect(78.5, 43.5, 13, 8.6, wall),
        polygon([(76.6, 44.2), (85, 35.5), (93.4, 44.2)], roof),
        glow(82.6, 47.2, 9, light, 0.75),
        rect(80.9, 45.3, 3.4, 4, light),
    )
    return group("".join(shapes), 100, 0, 1, True)


def rocket(ink: Ink) -> str:
    """A rocket that lifts off at the left on a column of fire and smoke."""
    smoke, fold = lantern_like("#f1ece6", ink), lantern_like("#c9c3c0", ink)
    puffs = ((-4, 59, 6), (2.5, 56, 6.5), (9.5, 54, 6.5), (17, 56, 6.5), (24, 59.4, 5.4), (5, 60, 6), (14, 60.4, 6.4))
    hull, fin, glass = lantern_like("#f4f4f6", ink), lantern_like("#e0303a", ink), lantern_like("#3a7fd0", ink)
    craft = "".join(
        (
            glow(10, 34, 22, ink.shine("#ff9a3c"), 0.8),
            path("M6.4 30Q3 46 4 62H17Q17.6 46 14 30Z", fold),
            *(circle(x, y, r, fold) for x, y, r in puffs),
            *(circle(x - 0.8, y - 1.4, 0.84 * r, smoke) for x, y, r in puffs),
            path("M5.6 25Q4 38 10 49Q16 38 14.4 25Z", ink.shine("#ff7a1c")),
            path("M7.2 25Q6.6 34 10 41Q13.4 34 12.8 25Z", ink.shine("#ffe45e")),
            path("M5.6 17.4L0.8 27.4L5.8 26ZM14.4 17.4L19.2 27.4L14.2 26Z", fin),
            path("M5 26V12.6Q5.6 4 10 1Q14.4 4 15 12.6V26Z", hull),
            path("M5.4 10Q6.4 4 10 1Q13.6 4 14.6 10Z", fin),
            circle(10, 15.4, 2.5, glass),
        )
    )
    return group(craft, 1.5, 1.0, 0.88)


SKY_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "fireworks": fireworks,
    "balloons": balloons,
    "rainbow": rainbow,
    "sunbeams": sunbeams,
    "moon": moon,
    "tornado": tornado,
    "crows": crows,
    "kites": kites,
    "starry sky": starry_sky,
    "confetti": confetti,
    "sparks": sparks,
    "racing clouds": racing_clouds,
    "drifting leaves": drifting_leaves,
    "rocket": rocket,
}
FAR_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "carnival": carnival,
    "eruption": eruption,
    "ruins": ruins,
    "cottage": cottage,
    "dancing crowd": dancing_crowd,
    "parade": parade,
    "lone window": lone_window,
}
