"""Secondary elements in front, at both sides of the subject, in picture coordinates (100 x 100, y down).

They stand between y = 80 and y = 96 at x 2..28 and 72..98, or smaller and farther back at the edges; still water, surf
and the sunlit path lie across the bottom.
"""

from collections.abc import Callable

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
    silhouette,
)


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
    parts = [glow(x, 80, r, red, 0.9) for x in (14, 86) for r in (32, 21)]
    parts += [ellipse(14, 92.4, 13.5, 2.8, ink.grade("#2a1512")), ellipse(86, 92.4, 13.5, 2.8, ink.grade("#2a1512"))]
    for x, y, s in (
        (7.4, 91.6, 0.76),
        (21, 92.4, 0.72),
        (14, 94, 1.1),
        (92.6, 91.6, 0.76),
        (79, 92.4, 0.72),
        (86, 94, 1.1),
    ):
        parts.append(flame(x, y, s, ink))
    return "".join(parts)


def gravestone(x: float, y: float, scale: float, ink: Ink) -> str:
    """A grey stone with a round top and an engraved cross, earth heaped at its foot."""
    shapes = (
        path("M-6 0V-13A6 6 0 0 1 6 -13V0Z", lively("#a3a6ad", ink)),
        path("M2.6 0V-18.4A6 6 0 0 1 6 -13V0Z", ink("#6c7079")),
        line("M-0.8 -14.5V-5.5M-4 -11.3H2.4", ink("#4d515a"), 1.7),
        ellipse(0, 0.2, 9, 2.2, ink("#57452f")),
    )
    return group("".join(shapes), x, y, scale)


def graves(ink: Ink) -> str:
    """Three gravestones and a tall dark cross."""
    wood = silhouette(ink, "#352e32")
    cross = polygon([(-1.8, 0), (-1.8, -24), (1.8, -24), (1.8, 0)], wood)
    cross += rect(-7, -19, 14, 3.6, wood) + ellipse(0, 0.2, 8, 2.2, ink("#57452f"))
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
    bark = silhouette(ink, "#221b20")
    shapes = (
        path("M-5.5 0Q-2.5 -5 -2.6 -14L-1.6 -26L1.4 -26Q2.4 -8 6 0Q0 -2.6 -5.5 0Z", bark),
        line("M0 -24L2.5 -35M-1 -17L-8 -25L-14 -27M1.5 -20L9 -29L10 -36", bark, 2.5),
        line("M2.5 -34L0 -45M2 -33L7 -41M-8 -25L-9.5 -34L-14 -39M-9 -30L-5 -37M9 -29L15 -33M9.8 -33L14 -42", bark, 1.5),
    )
    return group("".join(shapes), x, y, scale, flip)


def bare_trees(ink: Ink) -> str:
    """Two dead leafless trees, one at each side."""
    return dead_tree(13, 90, 0.96, False, ink) + dead_tree(87, 92, 1.0, True, ink)


def wreck(ink: Ink) -> str:
    """A rusty car lying tilted on the left, wheel off, with a column of black smoke."""
    rust, black, glass = "#a4562c", ink.grade("#201c1e"), ink("#2c2a30")
    smoke = silhouette(ink, "#3a363a")
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
            glow(x, y, 16, light, 1.0 if ink.lit else 0.45),
            glow(x, y, 9, light, 1.0),
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
                    lively("#e62e3f", ink),
                )
            )
        else:
            petal, heart = ("#ffc21f", "#6b3a1a") if kind == "sun" else ("#f06aa6", "#ffe06a")
            parts += [line(petals(x, y), lively(petal, ink), 4.0), circle(x, y, 2.5, lively(heart, ink))]
    return "".join(parts)


def petals(x: float, y: float) -> str:
    """Path of eight short strokes around (x, y); drawn wide with round ends they are petals."""
    around = ((1, 0), (0.7, 0.7), (0, 1), (-0.7, 0.7), (-1, 0), (-0.7, -0.7), (0, -1), (0.7, -0.7))
    return "".join(f"M{x} {y}L{x + 3.1 * dx:.2f} {y + 3.1 * dy:.2f}" for dx, dy in around)


def pond(ink: Ink) -> str:
    """A small calm pond at the lower right, the sky in it, with reeds; no lilies in winter, nor beside who is sad."""
    water = mix(ink("#3f93c4"), ink.haze, 0.25)
    pad, reed = ink("#3f9a4a"), ink("#4d7a34")
    afloat = ellipse(69.6, 94.4, 4.6, 1.5, pad) + ellipse(88.4, 94.8, 5.2, 1.7, pad) + lily(88.4, 94, 0.95, ink)
    return "".join(
        (
            ellipse(79, 93.2, 21.4, 6.2, ink("#5c5a3c"), 0.3),
            ellipse(79, 93.2, 20.2, 5.3, ink("#5c5a3c"), 0.45),
            line("M88.5 90V80M91.5 91V76.5M95 92V79.5", reed, 1.4),
            line("M88.5 79.6V83M91.5 76V80.4M95 79V82.6", ink("#6b3f22"), 2.4),
            ellipse(79, 93.4, 19, 4.5, water),
            path("M63 91.8Q78 87.8 93 91.4Q78 90.4 63 91.8Z", "#ffffff", 0.45),
            line("M73 96H83", "#ffffff", 0.9, 0.5),
            "" if ink.season == "winter" or ink.pose == "downcast" else afloat,
        )
    )


def still_water(ink: Ink) -> str:
    """A mirror of water across the bottom, a small pile of stones and its reflection; in winter it has no lilies."""
    far = ink.grade(mix(ink.haze, "#ffffff", 0.1))
    near = mix(
        ink.grade(mix(ink.haze, brightness(ink.ambient, 0.5), 0.3)),
        ink("#2f86c4"),
        0.62 if ink.lit or ink.ambient_share < 0.1 else 0.2,
    )
    pale = mix(far, "#ffffff", 0.55)
    shore = "Q14 {0} 26 {1}Q50 {2} 74 {1}Q86 {0} 100 {3}V100H0Z"
    parts = [
        fade("mirror", far, near),
        # three shores, each a little lower and clearer than the one before
        *(
            path(f"M0 {y + 1}" + shore.format(y, y + 3, y + 6, y + 1), "url(#mirror)", opacity)
            for y, opacity in ((86.2, 0.35), (86.9, 0.5), (87.6, 1.0))
        ),
        path("M34 96.4Q50 95.2 66 96.4Q50 97.4 34 96.4ZM54 98.8Q70 97.8 86 98.8Q70 99.8 54 98.8Z", pale, 0.8),
    ]
    stones = ((10, 91.6, 6.6, 2.9, "#6f7684"), (9.6, 87, 4.9, 2.4, "#8e95a3"), (10.3, 83.2, 3.3, 1.9, "#b3bac6"))
    for x, y, rx, ry, own in stones:
        parts.append(ellipse(x, 187.6 - y, rx, ry * 0.8, ink(own), 0.3))
    parts.append(f'<ellipse cx="10" cy="94" rx="9" ry="1.7" fill="none" stroke="{pale}" stroke-width=".7"/>')
    for x, y, rx, ry, own in stones:
        parts += [ellipse(x, y, rx, ry, ink.shade(own, 0.8)), ellipse(x - 0.3, y - 0.4, rx * 0.9, ry * 0.74, ink(own))]
    for x, y, k in () if ink.season == "winter" else ((81, 93.4, 1.0), (91, 95.4, 1.2)):
        parts += [ellipse(x, y + 0.8, 4.8 * k, 1.4 * k, ink("#3f9a5c")), lily(x, y, k, ink)]
    return "".join(parts)


def lily(x: float, y: float, scale: float, ink: Ink) -> str:
    """A pink water lily of five petals, 6 units high at scale 1, that sits at (x, y)."""
    petals_back = path("M-4.6 -1.6Q-5 1.4 0 1.4Q5 1.4 4.6 -1.6L0 0Z", ink("#e873a8"))
    petals_front = path("M0 1.4Q-3.4 -1.4 -2.4 -4Q-0.8 -2.4 0 -5.4Q0.8 -2.4 2.4 -4Q3.4 -1.4 0 1.4Z", ink("#ffb3d2"))
    return group(petals_back + petals_front, x, y, scale)


def hammock(ink: Ink) -> str:
    """A striped hammock with a cushion between two palms at the right."""
    trunk, leaf, dark = lively("#8a5f38", ink), lively("#3fa05a", ink), ink.shade("#3fa05a", 0.72)
    parts = [ellipse(84, 96.6, 15, 1.8, ink.grade("#14201c"), 0.25)]
    for x, lean in ((72.5, -2.0), (96.0, 2.0)):
        top = x + lean
        parts.append(line(f"M{x} 96.5Q{x - lean * 0.4} 78 {top} 58", trunk, 2.7))
        for tip, drop, colour in ((-10.5, 7, dark), (10.5, 7, dark), (-8, -3, leaf), (8, -3, leaf), (-3, -7.5, leaf)):
            bend = -4.5 if drop > 0 else -5.5
            parts.append(
                path(
                    f"M{top} 58Q{top + tip * 0.55} {58 + bend} {top + tip} {58 + drop}"
                    f"Q{top + tip * 0.45} {58 + bend + 4.5} {top} 58Z",
                    colour,
                )
            )
    parts += [
        line("M72 74L74.4 78.6M96.6 74L94.6 78.6", lively("#efe3c8", ink), 0.9),
        path("M72.4 77Q84 99 96.4 77Q84 84 72.4 77Z", lively("#e4493f", ink)),
        path("M75.2 81.2Q76 83.6 78.8 86.2L79.4 81.1L77 79.7ZM82.4 87.9H86.6L86.4 80.5H82.6Z", lively("#fff0d2", ink)),
        path("M93.6 81.2Q93 83.6 90 86.2L89.4 81.1L91.9 79.7Z", lively("#fff0d2", ink)),
        ellipse(91, 78.6, 3.6, 2.1, lively("#ffd35c", ink)),
    ]
    return moved("".join(parts), 8.6, 1.2, 0.9)


def sleeping_cat(ink: Ink) -> str:
    """A ginger cat curled up asleep on a red cushion at the left, with three small Z above it."""
    fur, stripe, pale = lively("#f0963a", ink), lively("#b95f1c", ink), lively("#ffe6c4", ink)
    line_colour = lively("#4a2614", ink)
    parts = [
        ellipse(16, 96.4, 15, 2.2, ink.grade("#1c1614"), 0.3),
        path("M1.5 93Q1 89 6 88.6H26Q31 89 30.5 93Q31 97.4 26 97.4H6Q1 97.4 1.5 93Z", lively("#c23a4c", ink)),
        path("M2.6 91Q4 88.8 7 88.7H25Q28.4 88.8 29.6 91Q16 93.6 2.6 91Z", lively("#e2596a", ink)),
        # body, haunch, tail round the front
        path("M4 90Q2.4 77 15 75.6Q28.8 75.4 29 87Q29 92 22 92H9Q4.6 92 4 90Z", fur),
        line("M14.5 77.2Q15.6 79.6 15.2 81.8M19.6 77.2Q20.6 79.6 20 82M24.2 79.2Q24.6 81.4 23.4 83.4", stripe, 1.5),
        line("M27.4 86.4Q28 91 21 90.8H14.6", stripe, 3.6),
        line("M27.4 86.2Q28 90.6 21 90.5H15.4", fur, 2.6),
        circle(14.6, 90.5, 1.8, pale),
        # head with ears
        polygon([(3.4, 85), (2.8, 77.4), (8.2, 80.6)], fur),
        polygon([(10.4, 80.6), (15.6, 77.8), (15.4, 85)], fur),
        polygon([(4.3, 82.4), (4.0, 79.2), (6.6, 80.9)], pale),
        polygon([(12.2, 81), (14.6, 79.6), (14.5, 82.6)], pale),
        ellipse(9.4, 85.6, 6.9, 5.4, fur),
        ellipse(9.4, 88.2, 3.9, 2.5, pale),
        line("M4.8 85.2Q6.3 87 7.8 85.2M11 85.2Q12.5 87 14 85.2", line_colour, 0.95),
        polygon([(8.5, 87), (10.3, 87), (9.4, 88.2)], lively("#e0647a", ink)),
    ]
    for x, y, k in ((18.4, 72.6, 0.75), (22.6, 68.6, 0.95), (27.6, 63.4, 1.2)):
        letter = f"M{x - 1.6 * k:.1f} {y - 2 * k:.1f}h{3.2 * k:.1f}l{-3.2 * k:.1f} {4 * k:.1f}h{3.2 * k:.1f}"
        parts += [line(letter, ink.grade("#1c2438"), 1.9, 0.5), line(letter, "#ffffff", 1.0)]
    return moved("".join(parts), 0.0, 17.6, 0.82)


def sunlit_path(ink: Ink) -> str:
    """A golden path that winds from the bottom edge to the right, with warm light around it and bright spots on it."""
    gold, hot = mix(ink("#ffcf5c"), ink.shine("#ffcf5c"), 0.6), ink.shine("#fff3b8")
    rng = jitter(ink, "sunlit path")
    way = "M85 64Q93 68 87 72Q72 77 71 82.5Q70 88 46 91Q18 94.5 6 100H88Q98 93 94 88Q90 84 95 79Q102 71 88.5 64Z"
    parts = [
        fade("shaft", hot, hot, 0.0, 0.34),
        path("M-6 24H4L24 100H-2ZM12 14H19L38 100H27ZM76 20H84L104 66V100H98Z", "url(#shaft)"),
        glow(86, 90, 42, ink.shine("#ffc540"), 0.7),
        line(way, ink("#b5762a"), 2.4),
        path(way, gold),
    ]
    spots = ((87.5, 70, 2), (83, 77.5, 4), (82, 84.5, 5), (66, 91.5, 6), (84, 92.5, 5), (44, 95.4, 7), (66, 97, 7))
    for x, y, rx in (*spots, (25, 98, 6)):
        parts.append(ellipse(x + rng.uniform(-1.5, 1.5), y, rx, rx * 0.26, hot, 0.9))
    for x, y in ((5, 91), (14, 87), (25, 90), (61, 95)):
        parts += [line(petals(x, y), lively("#fffaf0", ink), 2.6), circle(x, y, 1.9, ink.shine("#ffb629"))]
    return "".join(parts)


def candles(ink: Ink) -> str:
    """Three thick lit candles of different heights on a dish at each side."""
    wax = mix(ink("#f7ead0"), ink.shine("#ffc98a"), 0.6) if ink.lit else ink("#f7ead0")
    flame_out, flame_in = ink.shine("#ff9d2e"), ink.shine("#fff2b0")
    parts = []
    for left in (0.0, 70.0):
        parts.append(glow(left + 15, 78, 25, ink.shine("#ffb03a"), 0.85))
        parts.append(ellipse(left + 15, 95.4, 14, 2.8, ink("#6a4630")))
        parts.append(ellipse(left + 15, 94.6, 14, 2.4, ink("#94653f")))
        heights = ((7, 80, 3.2), (23, 84, 3.2), (15, 72, 3.8))
        for dx, top, w in heights if left == 0.0 else tuple((30 - dx, top, w) for dx, top, w in heights):
            x = left + dx
            bottom = 95.6 if top == 72 else 94.4
            parts += [
                rect(x - w, top, 2 * w, bottom - top, wax, radius=1.0),
                rect(x + 0.3 * w, top + 0.8, 0.7 * w, bottom - top - 1, brightness(wax, 0.8)),
                ellipse(x, top + 0.6, w, 1.1, ink.shine("#ffdc8a")),
                line(f"M{x} {top}V{top - 2}", ink("#3a2a20"), 0.8),
                glow(x, top - 4, 8, flame_out, 0.9),
                path(
                    f"M{x} {top - 10.5}Q{x + 4.4} {top - 4.4} {x} {top - 1.4}Q{x - 4.4} {top - 4.4} {x} {top - 10.5}Z",
                    flame_out,
                ),
                path(
                    f"M{x} {top - 7.4}Q{x + 2.2} {top - 3.8} {x} {top - 2}Q{x - 2.2} {top - 3.8} {x} {top - 7.4}Z",
                    flame_in,
                ),
            ]
    return "".join(parts)


def empty_swing(ink: Ink) -> str:
    """A lone swing, hanging askew from the one branch of a bare trunk at the right."""
    bark, rope = silhouette(ink, "#40343a"), lively("#d8c9a6", ink)
    return moved(
        "".join(
            (
                ellipse(83, 97, 13, 1.8, ink.grade("#17151a"), 0.35),
                path("M91 97Q94.4 88 94 72Q93.6 60 95 46H99Q98.4 70 101 97Z", bark),
                path("M95 57Q86 50.4 68.4 52.6Q67 50.2 69 49.8Q86 47.4 97 54Z", bark),
                line("M96 48Q95 41 90 36M97.6 48Q99 40 98 33M78 50.4Q74 45 69 44.4M93.4 41L93.6 34", bark, 1.9),
                line("M74.5 52L72.6 88M85.4 52.4L84.6 85.2", rope, 1.1),
                polygon([(70, 87.4), (86.6, 83.6), (87.3, 86.4), (70.7, 90.2)], ink("#8c6442")),
                polygon([(70.4, 89), (87, 85.2), (87.3, 86.4), (70.7, 90.2)], ink("#59402c")),
            )
        ),
        12.0,
        11.6,
        0.88,
    )


def wilted_flowers(ink: Ink) -> str:
    """Two small withered flowers at each edge that hang their faded heads, petals fallen on dry earth."""
    left = ellipse(10.6, 96.8, 9, 1.9, ink("#4f3c2c"))
    left += wilted_flower(9.6, 97, 1.06, "#c9822f", True, ink) + wilted_flower(12, 97, 0.86, "#b8506a", False, ink)
    left += "".join(ellipse(x, y, 1.7, 0.9, ink(own)) for x, y, own in ((5.4, 97, "#c9822f"), (17.4, 97.2, "#b8506a")))
    return left + mirror([left])


def wilted_flower(x: float, y: float, scale: float, petal: str, flip: bool, ink: Ink) -> str:
    """A limp flower 14 units high with its foot at (x, y): the head hangs at the right (at the left if `flip`)."""
    stalk = ink("#5f6a30")
    drop = "M0 0Q-2.9 2.7 -1.7 6.3Q0 7.8 1.7 6.3Q2.9 2.7 0 0Z"
    head = "".join(
        f'<g transform="translate(6 -10.4) rotate({turn})">{path(drop, lively(brightness(petal, tone), ink))}</g>'
        for turn, tone in ((46, 0.78), (-46, 0.78), (0, 1.04))
    )
    shapes = (
        line("M0 0Q0 -8 1 -11.6Q2.4 -14.4 4.8 -13Q6 -12 6 -10.4", stalk, 1.5),
        path("M0 -1.6Q3.4 -4.6 5.4 -0.4Q2.6 -1.6 0 -0.4Z", stalk),
        head,
        ellipse(6, -10.3, 2.2, 1.6, stalk),
    )
    return group("".join(shapes), x, y, scale, flip)


def moved(content: str, x: float, y: float, scale: float) -> str:
    """Content made smaller about the picture's upper left corner, then moved."""
    return f'<g transform="translate({x} {y}) scale({scale})">{content}</g>'


def mirror(shapes: list[str]) -> str:
    """The shapes of the left side once more at the right side."""
    return f'<g transform="translate(100 0) scale(-1 1)">{"".join(shapes)}</g>'


def surf(ink: Ink) -> str:
    """Two rows of breaking waves across the bottom, curling high at both sides, with foam and spray."""
    deep, blue, foam = ink("#12609a"), ink("#2391c8"), mix(ink("#ffffff"), "#ffffff", 0.35)
    rng = jitter(ink, "surf")
    back = (
        "M0 100V76Q8 66 20 68Q31 70 30 79Q27 75 22.6 77.6Q28 88 50 88.6"
        "Q72 88 77.4 77.6Q73 75 70 79Q69 70 80 68Q92 66 100 76V100Z"
    )
    crest = "M-1 79Q8 65 20 66.4Q33 69 31.4 80.4Q27.6 74.6 22 76.6Q20.6 71.6 13 73.6Q5 75.6 -1 84Z"
    front = "M0 100V92Q12 84.6 25 89.6Q37 95.4 50 92Q63 88 75 92Q88 95.6 100 88V100Z"
    lip = (
        "M0 94.4V90Q12 83 25.6 88.4Q37 94 50 90.4Q63 86.4 75.4 90.4Q88 94 100 86.4"
        "V90.4Q88 97.6 75 94Q63 90.4 50 94.4Q37 97.4 25 91.8Q12 87.4 0 94.4Z"
    )
    parts = [
        path(back, deep),
        path("M6 100Q4 84 15 76Q10 88 22 100ZM94 100Q96 84 85 76Q90 88 78 100Z", blue),
        path(crest, foam),
        mirror([path(crest, foam)]),
        path("M22 77Q28 88.6 50 89.4Q72 88.6 78 77Q75 86 70 89Q60 92.6 50 92.4Q40 92.6 30 89Q25 86 22 77Z", foam),
        path(front, blue),
        path(lip, foam),
    ]
    for side in (0, 1):
        for x, y, r in ((7, 66, 1.7), (14, 61, 1.3), (22, 62.5, 1.9), (29, 66.5, 1.4), (33.4, 73, 1.6), (26, 57, 1.1)):
            x = 100 - x if side else x
            parts.append(circle(x + rng.uniform(-1.5, 1.5), y + rng.uniform(-1.5, 1.5), r, foam))
    return "".join(parts)


def jumping_children(ink: Ink) -> str:
    """Two laughing children in mid-leap with arms and legs flung out, one at each edge, close above their shadows."""
    left = leaping_child(ink, "#ffc928", "#2f6fd6", "#f2bd94", "#6b3a1c", skirt=False)
    right = leaping_child(ink, "#ff4f8a", "#ff4f8a", "#b9794f", "#2b1c18", skirt=True)
    shadow = ink.grade("#14201c")
    return "".join(
        (
            ellipse(10.2, 92.4, 7, 1.3, shadow, 0.35),
            ellipse(89.8, 92.4, 7, 1.3, shadow, 0.35),
            group(left, 10.2, 92, 0.72),
            group(right, 89.8, 92, 0.72, flip=True),
        )
    )


def leaping_child(ink: Ink, shirt: str, trousers: str, skin: str, hair: str, skirt: bool) -> str:
    """A child 36 units high in mid-leap; the origin is below its feet."""
    flesh, top, legs = lively(skin, ink), lively(shirt, ink), lively(trousers, ink)
    limbs = flesh if skirt else legs
    parts = [
        line("M-2 -11L-8 -7L-11.4 -10M2 -11L7.6 -8L8.4 -2.4", limbs, 3.4),
        line("M-12.6 -8.6L-11 -11.6M7 -2H10", lively("#e8383a", ink), 3.0),
        line("M-3.6 -18.5L-10.6 -27M3.6 -18.5L10.8 -27", top, 3.2),
        circle(-11.2, -28, 2.0, flesh),
        circle(11.4, -28, 2.0, flesh),
    ]
    if skirt:
        parts.append(path("M-3.4 -20.6Q0 -22 3.4 -20.6L8.4 -9.4Q0 -6.6 -8.4 -9.4Z", top))
        parts += [circle(-6.6, -32.4, 2.4, lively(hair, ink)), circle(6.6, -32.4, 2.4, lively(hair, ink))]
    else:
        parts.append(rect(-4.4, -21.4, 8.8, 10, top, radius=2.6) + rect(-4.4, -13, 8.8, 4, legs, radius=1.6))
    parts += [
        circle(0, -28.4, 6.2, lively(hair, ink)),
        ellipse(0, -27.2, 5.5, 5.2, flesh),
        line("M-3.4 -28.4Q-2.3 -30 -1.2 -28.4M1.2 -28.4Q2.3 -30 3.4 -28.4", ink("#2b1c18"), 0.8),
        path("M-3 -26.4H3Q2.6 -22.8 0 -22.8Q-2.6 -22.8 -3 -26.4Z", ink("#8a1f2a")),
        rect(-2.5, -26.4, 5.0, 1.1, "#ffffff"),
    ]
    return "".join(parts)


def lonely_figure(ink: Ink) -> str:
    """A small solitary person on a stone at the right, some way off, turned away from all others, the head bowed."""
    coat, fold, hair, legs, stone, skin = (
        lively(c, ink) for c in ("#465473", "#333f5a", "#33251f", "#272b3a", "#94959c", "#d9a684")
    )
    shapes = (
        ellipse(0.2, 0.3, 10, 1.8, ink.grade("#1d2126"), 0.45),
        path("M-8.4 0Q-8.6 -5.6 -3.4 -6.6Q2.6 -7.2 4 -4Q5 -1.6 5 0Z", stone),
        path("M-5.6 0Q0 -2.6 -1 -6.8Q3 -6.4 4 -4Q5 -1.6 5 0Z", brightness(stone, 0.78)),
        line("M-1.6 -7.6L5.6 -8.4L5.9 -1.2", legs, 3.0),
        line("M5.6 -0.9H8", hair, 1.9),
        path("M-4.8 -5.8Q-6.8 -11 -3.6 -14.6Q-0.6 -17.4 2.4 -16L3.6 -13.4Q2.4 -10 3 -6.8Q-1 -5 -4.8 -5.8Z", coat),
        line("M0.6 -13.6L2.2 -9.6L6.2 -9.9", fold, 2.3),
        circle(7.0, -9.9, 1.1, skin),
        circle(4.5, -16.6, 2.9, skin),
        path("M4.6 -14.4Q1.4 -13.2 1.2 -16.8Q1.4 -20 4.8 -20Q7.2 -19.8 7.6 -17.6Q5.2 -18 4.9 -16.2Z", hair),
    )
    return group("".join(shapes), 88.0, 81.0, 0.92)


def stampede(ink: Ink) -> str:
    """Small dark horses that gallop far off at both sides, manes flying, in clouds of dust."""
    dust, thick = lively("#d8b98c", ink), lively("#bd9c6e", ink)
    bay, black = galloping_horse(ink, "#7a4020", "#2a1710"), galloping_horse(ink, "#40302c", "#1a1315")
    parts = []
    for x in (0.0, 74.0):
        parts += [ellipse(x + dx, y, rx, ry, thick, 0.8) for dx, y, rx, ry in ((3, 69, 7, 3.6), (13, 70.4, 12, 2.6))]
        parts += [group(black, x + 17.4, 69.6, 0.4), group(bay, x + 7.6, 71.4, 0.46)]
        parts += [ellipse(x + dx, y, rx, ry, dust) for dx, y, rx, ry in ((1, 71, 3.4, 2.4), (9, 72, 8, 1.6))]
        parts.append(ellipse(x + 20, 71, 5, 1.5, dust))
    return "".join(parts)


def galloping_horse(ink: Ink, coat: str, hair: str) -> str:
    """A horse 30 units wide, facing right with all legs flung out; the origin is below its belly."""
    body, dark = lively(coat, ink), lively(hair, ink)
    return "".join(
        (
            path("M-10.6 -18.6Q-17 -21.6 -19 -15Q-14.6 -17.2 -10.4 -14.6Z", dark),
            line("M-8.6 -13L-14.4 -8.6L-13.8 -3.4M7.4 -12.6L13.6 -9.6L17 -5.4", dark, 2.5),
            line("M-7 -12.4L-11 -6.4L-16.6 -4.4M8.6 -13.4L12.2 -7L11 -1.6", body, 2.7),
            path(
                "M-11.4 -14Q-12 -20.4 -5 -20.4Q3 -18.8 8 -20.6Q12.4 -18.6 10.6 -13Q6 -9.6 0 -11Q-8 -9.6 -11.4 -14Z",
                body,
            ),
            path(
                "M5 -19.6Q9.6 -24.4 13 -29.6L14.2 -32.6L15.6 -29.8L21.6 -24.4Q21.6 -21.8 19 -22L15.6 -24"
                "Q13.6 -19 10.6 -14.4Z",
                body,
            ),
            path("M13.4 -30.4Q8.6 -29.6 6.4 -25.6Q3.4 -25 1 -21.4Q5.6 -20.6 8.6 -20.6Q11.4 -24 14.4 -28.6Z", dark),
            circle(16.4, -26.8, 0.8, "#ffffff"),
        )
    )


GROUND_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "fire": fire,
    "graves": graves,
    "bare trees": bare_trees,
    "wreck": wreck,
    "lanterns": lanterns,
    "flowers": flowers,
    "pond": pond,
    "still water": still_water,
    "hammock": hammock,
    "sleeping cat": sleeping_cat,
    "sunlit path": sunlit_path,
    "candles": candles,
    "empty swing": empty_swing,
    "wilted flowers": wilted_flowers,
    "surf": surf,
    "jumping children": jumping_children,
    "lonely figure": lonely_figure,
    "stampede": stampede,
}
