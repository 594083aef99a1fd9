"""Secondary elements in front, at both sides of the subject, in picture coordinates (100 x 100, y down).

They stand between y = 80 and y = 96 at x 2..28 and 72..98; only the pond lies across the bottom.
"""

from collections.abc import Callable

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, glow, group, line, mix, path, polygon, rect


def flame(x: float, y: float, scale: float, ink: Ink) -> str:
    """A flame 30 units high at scale 1 whose foot is at (x, y): red, orange and yellow tongues."""
    shapes = (
        path(
            "M-11 0Q-16 -10 -9 -17Q-9 -12 -6 -11Q-8 -22 2 -31Q1 -22 6 -18Q8 -20 8 -24Q15 -12 11 0Z",
            ink.shine("#e8321a"),
        ),
        path("M-8 0Q-11 -8 -6 -12Q-5 -8 -3 -8Q-4 -16 2 -22Q2 -14 6 -11Q10 -6 8 0Z", ink.shine("#ff8a1c")),
        path("M-4.6 0Q-6 -6 -1 -8Q0 -11 1.5 -13Q6 -6 4.6 0Z", ink.shine("#ffe14d")),
    )
    return group("".join(shapes), x, y, scale)


def fire(ink: Ink) -> str:
    """High flames on both sides over charred ground, with a red glow."""
    red = ink.shine("#ff6a1a")
    parts = [glow(15, 78, 27, red, 0.9), glow(86, 78, 27, red, 0.9)]
    parts += [ellipse(15, 92, 15, 3, ink.grade("#2a1512")), ellipse(86, 92, 15, 3, ink.grade("#2a1512"))]
    for x, y, s in ((8, 91, 0.85), (23, 92, 0.8), (15, 94, 1.25), (93, 91, 0.85), (78, 92, 0.8), (86, 94, 1.25)):
        parts.append(flame(x, y, s, ink))
    return "".join(parts)


def gravestone(x: float, y: float, scale: float, ink: Ink) -> str:
    """A grey stone with a round top and an engraved cross, earth heaped at its foot."""
    shapes = (
        path("M-6 0V-13A6 6 0 0 1 6 -13V0Z", ink("#a3a6ad")),
        path("M2.6 0V-18.4A6 6 0 0 1 6 -13V0Z", ink("#6c7079")),
        line("M-0.8 -14.5V-5.5M-4 -11.3H2.4", ink("#4d515a"), 1.7),
        ellipse(0, 0.2, 9, 2.2, ink("#57452f")),
    )
    return group("".join(shapes), x, y, scale)


def graves(ink: Ink) -> str:
    """Three gravestones and a tall dark cross."""
    cross = polygon([(-1.8, 0), (-1.8, -24), (1.8, -24), (1.8, 0)], ink("#3a3336"))
    cross += rect(-7, -19, 14, 3.6, ink("#3a3336")) + ellipse(0, 0.2, 8, 2.2, ink("#57452f"))
    return "".join(
        (
            gravestone(8, 87, 0.95, ink),
            gravestone(22, 95, 1.2, ink),
            group(cross, 80, 87, 1.0),
            gravestone(91, 95, 1.2, ink),
        )
    )


def dead_tree(x: float, y: float, scale: float, flip: bool, ink: Ink) -> str:
    """A leafless dark tree with crooked limbs, 45 units high at scale 1."""
    bark = ink.grade("#221b20")
    shapes = (
        path("M-5.5 0Q-2.5 -5 -2.6 -14L-1.6 -26L1.4 -26Q2.4 -8 6 0Q0 -2.6 -5.5 0Z", bark),
        line("M0 -24L2.5 -35M-1 -17L-8 -25L-14 -27M1.5 -20L9 -29L10 -36", bark, 2.5),
        line("M2.5 -34L0 -45M2 -33L7 -41M-8 -25L-9.5 -34L-14 -39M-9 -30L-5 -37M9 -29L15 -33M9.8 -33L14 -42", bark, 1.5),
    )
    return group("".join(shapes), x, y, scale, flip)


def bare_trees(ink: Ink) -> str:
    """Two dead leafless trees, one at each side."""
    return dead_tree(15, 90, 1.12, False, ink) + dead_tree(86, 93, 1.12, True, ink)


def wreck(ink: Ink) -> str:
    """A rusty car lying tilted on the left, wheel off, with a column of black smoke."""
    rust, black, glass = "#a4562c", ink.grade("#201c1e"), ink("#2c2a30")
    smoke = ink("#3c383c")
    car = "".join(
        (
            path("M-14 -3V-9Q-13 -12 -8 -12L-4 -18H6L10 -11.5L13 -11L14 -3Z", ink(rust)),
            path("M-14 -3V-6.5L-2 -5L4 -7L14 -5.5V-3Z", ink.shade(rust, 0.6)),
            polygon([(-6, -11.6), (-3, -16.4), (0.4, -16.4), (0.4, -11.6)], glass),
            polygon([(2.2, -11.6), (2.2, -16.4), (5.2, -16.4), (8, -11.6)], glass),
            path("M-14 -12L-8 -19L-5 -17L-9 -11.4Z", ink.shade(rust, 0.78)),
            circle(-8.4, -2.6, 3.7, black),
            circle(-8.4, -2.6, 1.5, ink("#8a8480")),
            circle(8.4, -4, 3.6, black),
        )
    )
    puffs = ((7.5, 73, 3.6), (9, 67, 4.6), (7.5, 60, 5.6), (10, 52, 6.6), (8, 43, 7.6))
    return "".join(
        (
            ellipse(16, 93, 16, 2.6, ink.grade("#1c1614"), 0.55),
            *(circle(x, y, r, smoke) for x, y, r in puffs),
            f'<g transform="translate(17 91.5) rotate(13) scale(1.06)">{car}</g>',
            glow(8, 78, 7, ink.shine("#ff7a1f"), 0.9),
            ellipse(29.5, 94, 3.4, 2.4, black),
            ellipse(29.5, 93.6, 1.6, 1.0, ink("#8a8480")),
        )
    )


def lanterns(ink: Ink) -> str:
    """Five glowing paper lanterns that hang from wooden posts at both sides."""
    wood, light = ink("#5b3a26"), ink.shine("#ffb84a")
    posts = "M15 95V42M7 44H24M86 95V42M77 44H95"
    parts = [line(posts, wood, 2.0)]
    strings = ""
    hung = ((7.5, 53, "#ff5a36"), (23, 60, "#ffa32e"), (77.5, 60, "#ffa32e"), (94, 53, "#ff5a36"), (86, 73, "#ff7fa0"))
    for x, y, _ in hung:
        strings += f"M{x} {44 if y < 70 else 60}V{y}"
    parts.append(line(strings, wood, 0.8))
    for x, y, own in hung:
        parts += [
            glow(x, y, 12, light, 0.9),
            ellipse(x, y, 4.6, 5.4, ink.shine(own)),
            ellipse(x, y, 2.3, 4.6, ink.shine("#ffe9a3")),
            line(f"M{x - 2} {y - 5.4}H{x + 2}M{x - 2} {y + 5.4}H{x + 2}", wood, 1.3),
        ]
    return "".join(parts)


def flowers(ink: Ink) -> str:
    """Clumps of tall sunflowers, red tulips and pink poppies at both sides."""
    green = ink("#3f8a3a")
    kinds = ((5, 74, "sun"), (14, 80, "tulip"), (23, 77, "sun"), (4, 88, "poppy"), (14, 91, "poppy"), (25, 89, "tulip"))
    heads = [*kinds, *((100 - x, y, kind) for x, y, kind in kinds)]
    stems = "".join(f"M{x} {y}V99" for x, y, _ in heads)
    leaves = "".join(
        f"M{x} 98Q{x - 6} 94 {x - 5} 87Q{x} 90 {x} 98Q{x} 92 {x + 5} 89Q{x + 6} 95 {x} 98Z" for x, _, _ in heads
    )
    parts = [line(stems, green, 1.5), path(leaves, ink.shade("#3f8a3a", 0.82))]
    for x, y, kind in heads:
        if kind == "tulip":
            parts.append(
                path(
                    f"M{x - 4} {y - 6}L{x - 1.8} {y - 3}L{x} {y - 7}L{x + 1.8} {y - 3}L{x + 4} {y - 6}"
                    f"Q{x + 5} {y + 4} {x} {y + 4}Q{x - 5} {y + 4} {x - 4} {y - 6}Z",
                    ink("#e62e3f"),
                )
            )
        else:
            petal, heart = ("#ffc21f", "#6b3a1a") if kind == "sun" else ("#f06aa6", "#ffe06a")
            parts += [line(petals(x, y), ink(petal), 4.0), circle(x, y, 2.5, ink(heart))]
    return "".join(parts)


def petals(x: float, y: float) -> str:
    """Path of eight short strokes around (x, y); drawn wide with round ends they are petals."""
    around = ((1, 0), (0.7, 0.7), (0, 1), (-0.7, 0.7), (-1, 0), (-0.7, -0.7), (0, -1), (0.7, -0.7))
    return "".join(f"M{x} {y}L{x + 3.1 * dx:.2f} {y + 3.1 * dy:.2f}" for dx, dy in around)


def pond(ink: Ink) -> str:
    """A calm pond across the bottom with the sky in it, lily pads, pink lilies and reeds."""
    water = mix(ink("#3f93c4"), ink.haze, 0.25)
    pad, reed = ink("#3f9a4a"), ink("#4d7a34")
    parts = [
        ellipse(50, 93.6, 47, 6.4, ink("#7b6a48")),
        ellipse(50, 94, 45, 5.4, water),
        path("M14 91.6Q50 87.4 86 91.6Q50 90.6 14 91.6Z", "#ffffff", 0.45),
        line("M38 96.4H62M44 93.8H57", "#ffffff", 0.9, 0.5),
        line("M5 93V79M8.5 94V75M12 93V81M95 93V79M91.5 94V75M88 93V81", reed, 1.3),
        line("M5 80V84M8.5 76V81M95 80V84M91.5 76V81", ink("#6b3f22"), 2.6),
    ]
    for x, y, rx in ((24, 95.5, 6), (34, 92.4, 4.2), (76, 95.5, 6), (68, 92.6, 4.2)):
        parts.append(ellipse(x, y, rx, rx * 0.34, pad))
    for x, y in ((24, 94.2), (76, 94.2)):
        parts.append(
            path(
                f"M{x - 4} {y - 2}L{x - 1.6} {y - 1.4}L{x} {y - 4.4}L{x + 1.6} {y - 1.4}L{x + 4} {y - 2}"
                f"Q{x + 2} {y + 1.4} {x} {y + 1.4}Q{x - 2} {y + 1.4} {x - 4} {y - 2}Z",
                ink("#ff9cc4"),
            )
        )
    return "".join(parts)


GROUND_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "fire": fire,
    "graves": graves,
    "bare trees": bare_trees,
    "wreck": wreck,
    "lanterns": lanterns,
    "flowers": flowers,
    "pond": pond,
}
