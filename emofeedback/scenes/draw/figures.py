"""The things among the figures as flat poster drawings, and the registry of all figures.

Local units: the origin is where the figure touches the ground, x to the right, y down; a figure fills at most
x in [-50, 50] and y in [-100, 0] and faces right. No ground shadow: whoever places a figure draws it.
"""

from collections.abc import Callable

from emofeedback.scenes.draw.birds_fish_butterfly import (
    draw_bird,
    draw_butterfly,
    draw_duck,
    draw_fish,
    draw_owl,
    draw_swan,
)
from emofeedback.scenes.draw.canvas import Ink, brightness, circle, ellipse, glow, line, mix, path, rect
from emofeedback.scenes.draw.four_legged import (
    draw_bear,
    draw_cat,
    draw_cow,
    draw_deer,
    draw_dog,
    draw_elephant,
    draw_fox,
    draw_horse,
    draw_rabbit,
    draw_sheep,
    draw_wolf,
)
from emofeedback.scenes.draw.people import (
    draw_baby,
    draw_child,
    draw_couple,
    draw_dancer,
    draw_family,
    draw_old_man,
    draw_person,
    draw_runner,
    draw_sitter,
    draw_statue,
)
from emofeedback.scenes.draw.structures import pale_coat


def draw_car(ink: Ink) -> str:
    """A red car from the side, or a yellow taxi with its sign; the lamps and windows glow when it is dark."""
    taxi = ink.kind == "taxi"
    body = ink.own("#f6c01d" if taxi else "#d8282c")
    dark = ink.shade(body, 0.62)
    glass = ink.window() if ink.lit else ink("#bfe3ee")
    parts = (
        path("M-34,-28 C-28,-42 -22,-46 -12,-46 H6 C16,-46 24,-38 30,-27Z", ink.shade(body, 0.88))
        + path("M-27,-27 C-23,-38 -19,-41 -12,-41 H-5 V-27Z M0,-41 H6 C12,-41 18,-36 23,-27 H0Z", glass)
        + path(
            "M-50,-9 C-51,-22 -48,-28 -38,-29 H26 C40,-28 49,-24 50,-15 V-9 Q50,-7 47,-7 H-47 Q-50,-7 -50,-9Z",
            ink(body),
        )
        + path("M-50,-15 H50 V-9 Q50,-7 47,-7 H-47 Q-50,-7 -50,-9Z", dark)
        + ellipse(46, -19, 4, 4.4, ink.grade("#ffe9a0") if ink.lit else ink("#fff3cf"))
        + rect(-50, -23, 5, 7, ink.grade("#ff5a3c") if ink.lit else ink("#7e1116"), radius=1.5)
    )
    if taxi:
        sign = ink.grade("#ffe9a0") if ink.lit else ink("#fff8dc")
        parts += rect(-11, -53, 16, 7.5, sign, radius=2)
        parts += "".join(rect(-40 + 8 * i, -20.5 + 4 * (i % 2), 8, 4, ink("#26242c")) for i in range(10))
    for x in (-28, 28):
        parts += circle(x, -11, 11, ink("#1f1d24")) + circle(x, -11, 5, ink("#d9dde2"))
    return parts


def draw_bicycle(ink: Ink) -> str:
    """A teal bicycle with thick lines, handlebar to the right; or a motorcycle."""
    if ink.kind == "motorcycle":
        return _motorcycle(ink)
    colour = ink.own("#12a79d")
    frame = ink(colour)
    tyre = ink("#26242c")
    parts = ""
    for x in (-29, 29):
        parts += f'<circle cx="{x}" cy="-21" r="18.4" fill="none" stroke="{tyre}" stroke-width="5"/>'
        parts += line(f"M{x - 15},-21 H{x + 15} M{x},-36 V-6", ink("#c9d2d4"), 1.6)
    return (
        parts
        + line("M29,-21 L20,-52 M-29,-21 L-15,-47", ink.shade(colour, 0.68), 5.5)
        + line("M-29,-21 H-3 L22,-46 H-13 L-3,-21", frame, 5.5)
        + line("M20,-52 L19,-60 H30 C35,-60 35,-54 31,-53", tyre, 4.6)
        + line("M-13,-46 L-16,-54", tyre, 4)
        + path("M-27,-59 C-20,-61 -12,-60 -6,-56 C-6,-53 -10,-53 -14,-53 C-20,-52 -27,-53 -27,-59Z", ink("#8a3b1c"))
        + circle(-3, -21, 5.5, tyre)
    )


def _motorcycle(ink: Ink) -> str:
    """A red motorcycle that faces right: fat tyres, tank, seat, engine and exhaust."""
    body, dark, steel = ink.own("#c8322b"), ink("#26242c"), ink("#aab1ba")
    parts = ""
    for x in (-31, 31):
        parts += circle(x, -17, 17, dark) + circle(x, -17, 10, steel) + circle(x, -17, 6.4, ink("#5b5f6b"))
    return (
        parts
        + line("M31,-17 L20,-50 M-31,-17 L-8,-24", steel, 4.6)
        + path("M-12,-38 H14 L10,-14 H-10Z", ink("#5b5f6b"))
        + line("M-12,-34 H12 M-11,-28 H11 M-10,-22 H10", steel, 1.8)
        + line("M-2,-14 H-40", steel, 5.4)
        + path("M-42,-42 C-34,-48 -16,-48 -8,-42 L-8,-36 H-38Z", dark)
        + path("M-10,-44 C-4,-54 14,-54 22,-44 C18,-36 -2,-35 -10,-38Z", ink(body))
        + path("M4,-51.4 C12,-51.6 19,-48 22,-44 C18,-36 8,-35.6 2,-36 C12,-40 12,-47 4,-51.4Z", ink.shade(body, 0.72))
        + path("M-50,-30 C-46,-40 -24,-42 -16,-34 C-26,-37 -38,-34 -42,-27Z", ink(body))
        + path("M18,-36 C26,-42 44,-38 47,-26 C40,-34 30,-36 20,-31Z", ink.shade(body, 0.84))
        + line("M20,-50 L12,-58", dark, 4.4)
        + circle(25, -48, 5.4, ink.grade("#ffe9a0") if ink.lit else ink("#fff3cf"))
    )


def draw_tent(ink: Ink) -> str:
    """A yellow-orange ridge tent, its door open to the front right; lit from inside when it is dark."""
    cloth = ink.own("#f5a623")
    inside = ink.window() if ink.lit else ink("#4a2a1c")
    side, front, flap = ink(cloth), ink.shade(cloth, 0.74), ink.shade(cloth, 1.2)
    if ink.lit:
        side, front = ink.grade(cloth), ink.grade(brightness(cloth, 0.8))
    return (
        line("M14,-70 L17,-75 M-28,-64 L-30,-68", ink("#5b3a26"), 3)
        + path("M14,-70 L-28,-64 L-50,0 H-14Z", side)
        + path("M14,-70 L-14,0 H50Z", front)
        + path("M14,-62 L2,0 H32Z", inside)
        + path("M14,-62 L32,0 H40 Q28,-20 14,-62Z", flap)
    )


def draw_bench(ink: Ink) -> str:
    """A park bench seen from the front: wooden slats on dark iron; wider where several people sit on it."""
    wood = ink.own("#b5713a")
    iron = ink("#2b2f38")
    half, legs = 76 if ink.seated else 50, ""
    for x in (10 - half, -3, half - 16) if ink.seated else (10 - half, half - 16):
        legs += rect(x, -52, 6, 30, iron) + path(
            f"M{x - 2},-24 H{x + 8} L{x + 10},0 H{x + 3} L{x + 2},-14 L{x},0 H{x - 6}Z", iron
        )
    slats = "".join(
        rect(-half, y, 2 * half, 9.5, ink.shade(wood, tone), radius=2) for y, tone in ((-55, 1.15), (-42, 1.0))
    )
    seat = path(f"M{4 - half},-29 H{half - 4} L{half},-20 H{-half}Z", ink.shade(wood, 1.3))
    return legs + slats + seat + rect(-half, -20, 2 * half, 5, ink.shade(wood, 0.6))


def draw_flower(ink: Ink) -> str:
    """One big open flower with broad petals round a yellow heart, on a stem with two leaves; sunflowers and daisies."""
    own, heart, rim = {
        "sunflower": ("#f8bf1d", "#7a4a1e", "#4f2f14"),
        "daisy": ("#fbfaf5", "#ffcf33", "#d99a1a"),
    }.get(ink.kind or "", ("#e83a72", "#ffcf33", "#8a5a1e"))
    petal, green = ink.own(own), "#2f8f45"
    slim = 1.0 if ink.kind is None else 0.62
    parts = (
        line("M0,-2 C-3,-18 3,-34 0,-56", ink(green), 5)
        + path("M-1,-10 C-14,-38 -34,-38 -42,-34 C-36,-16 -18,-6 -1,-10Z", ink(green))
        + path("M1,-16 C14,-42 30,-42 38,-38 C32,-22 18,-12 1,-16Z", ink.shade(green, 0.74))
    )
    step = 45 if ink.kind is None else 30
    for ring, tone, angles in ((15, 0.72, range(step // 2, 360 + step // 2, step)), (14, 1.0, range(0, 360, step))):
        for angle in angles:
            leaf = ellipse(0, -ring - 5, 8.4 * slim, 12, ink.shade(petal, tone))
            parts += f'<g transform="translate(0 -68) rotate({angle})">{leaf}</g>'
    wide = 1.25 if ink.kind == "sunflower" else 1.0
    return parts + circle(0, -68, 11.5 * wide, ink(rim)) + circle(-0.8, -68.8, 9.6 * wide, ink(heart))


def draw_campfire(ink: Ink) -> str:
    """A small cosy fire of crossed logs in a ring of stones; its flames are light and keep their colour."""
    flame, wood, stone = ink.own("#f5761a"), "#7a4a28", ink("#8d8f98")
    hot = "#ffe14a" if ink.coat is None else "#ffffff"
    inner, heart = mix(flame, hot, 0.6), mix(flame, "#fffbe0", 0.88)
    light = glow(0, -34, 49, ink.shine(mix(flame, "#ffd873", 0.4)), 0.8) if ink.lit else ""
    return (
        light
        + path(
            "M-26,-12 C-34,-34 -20,-44 -18,-60 C-9,-54 -7,-46 -7,-42 C-2,-56 4,-66 2,-88 C18,-74 20,-58 18,-48 "
            "C22,-52 24,-56 24,-62 C34,-44 34,-26 26,-12Z",
            ink.shine(flame),
        )
        + path(
            "M-17,-12 C-22,-28 -12,-36 -10,-44 C-4,-38 -1,-32 1,-30 C4,-40 8,-48 7,-58 C20,-44 24,-28 17,-12Z",
            ink.shine(inner),
        )
        + path("M-9,-12 C-11,-22 -4,-28 -1,-36 C8,-28 13,-22 9,-12Z", ink.shine(heart))
        + line("M-34,-17 L30,-6", ink.shade(wood, 0.72), 10)
        + line("M34,-17 L-30,-6", ink(wood), 10)
        + circle(34, -17, 3.6, ink("#d9a86a"))
        + circle(-34, -17, 3.6, ink.shade("#d9a86a", 0.85))
        + "".join(ellipse(x, -3.6, 8, 5, stone) for x in (-42, -24, -6, 12, 30, 43))
        + "".join(ellipse(x - 1.5, -5, 5, 2.4, ink.shade("#8d8f98", 1.25)) for x in (-42, -24, -6, 12, 30, 43))
    )


def draw_fountain(ink: Ink) -> str:
    """A stone fountain of two bowls: a jet from the top, water that falls in broad arcs into the basin."""
    stone, water, foam = ink.own("#b8aea2"), ink("#5bb4e0"), ink("#dff4fd")
    dark = ink.shade(stone, 0.66)
    return (
        path("M-9,-14 L-6,-52 H6 L9,-14Z", ink(stone))
        + path("M2,-14 L2,-52 H6 L9,-14Z", dark)
        + line("M-22,-54 C-36,-52 -36,-34 -34,-22 M22,-54 C36,-52 36,-34 34,-22", water, 6)
        + line("M-17,-54 C-24,-48 -23,-34 -22,-22 M17,-54 C24,-48 23,-34 22,-22", foam, 3.6)
        + path("M-25,-57 H25 C22,-46 10,-44 0,-44 C-10,-44 -22,-46 -25,-57Z", ink(stone))
        + path("M8,-57 H25 C22,-46 12,-44.5 3,-44 C8,-48 9,-52 8,-57Z", dark)
        + ellipse(0, -57, 25, 3.6, water)
        + line("M0,-58 V-88", foam, 6)
        + line("M-1,-88 C-10,-96 -16,-84 -16,-62 M1,-88 C10,-96 16,-84 16,-62", water, 5)
        + path("M-50,-22 H50 C49,-8 42,0 32,0 H-32 C-42,0 -49,-8 -50,-22Z", ink(stone))
        + path("M20,-22 H50 C49,-8 42,0 32,0 H10 C18,-6 21,-12 20,-22Z", dark)
        + ellipse(0, -22, 50, 6, ink.shade(stone, 1.2))
        + ellipse(0, -22, 44, 4.2, water)
        + ellipse(-28, -22, 9, 2.4, foam)
        + ellipse(28, -22, 9, 2.4, foam)
    )


def draw_market_stall(ink: Ink) -> str:
    """A market stall: a striped awning on posts over a wooden counter with heaps of fruit."""
    stripe, wood = ink.own("#d8342c"), "#a9713f"
    white = "#c3c7cf" if pale_coat(ink) else "#fbf4e4"
    shelter = ink.shine("#f7c766") if ink.lit else ink.shade("#6b4a35", 0.8)
    parts = rect(-42, -66, 84, 50, shelter) + "".join(rect(x, -68, 5, 68, ink("#5b3a26")) for x in (-46, 41))
    for x, colour in ((-29, "#f28a1c"), (0, "#7fb83a"), (29, "#cf2f3a")):
        parts += "".join(circle(x + dx, y, 6.4, ink(colour)) for dx, y in ((-8, -33), (8, -33), (0, -35), (0, -41)))
    parts += rect(-48, -31, 96, 31, ink(wood)) + rect(-50, -33, 100, 7, ink.shade(wood, 1.3), radius=1.5)
    parts += rect(-48, -14, 96, 3, ink.shade(wood, 0.66)) + rect(20, -26, 28, 26, ink.shade(wood, 0.78))
    width = 100 / 6
    for i in range(6):
        top, low = -36 + 12 * i, -50 + width * i
        colour = ink(white) if i % 2 else ink(stripe)
        parts += path(f"M{top},-94 H{top + 12} L{low + width:.1f},-66 a{width / 2:.2f},8 0 0 1 {-width:.2f},0Z", colour)
    return parts + path("M-36,-94 H36 L38,-89 H-38Z", ink.shade(stripe, 0.7))


def draw_umbrella(ink: Ink) -> str:
    """One big open parasol that stands on its pole, its panels in two tones."""
    cloth = ink.own("#e23b3b")
    panels = (
        ("M0,-94 C-34,-92 -48,-72 -50,-50 Q-40,-58 -29,-50 C-28,-72 -16,-88 0,-94Z", 1.0),
        ("M0,-94 C-16,-88 -28,-72 -29,-50 Q-20,-58 -10,-50 C-10,-70 -6,-86 0,-94Z", 1.3),
        ("M0,-94 C-6,-86 -10,-70 -10,-50 Q0,-58 10,-50 C10,-70 6,-86 0,-94Z", 0.92),
        ("M0,-94 C6,-86 10,-70 10,-50 Q20,-58 29,-50 C28,-72 16,-88 0,-94Z", 1.18),
        ("M0,-94 C16,-88 28,-72 29,-50 Q40,-58 50,-50 C48,-72 34,-92 0,-94Z", 0.66),
    )
    pale = "#c3c7cf" if pale_coat(ink) else mix(cloth, "#ffffff", 0.72)
    return (
        rect(-2, -60, 4, 59, ink("#7a5230"))
        + ellipse(0, -2.5, 13, 2.5, ink("#5b5f6b"))
        + "".join(
            path(d, ink.shade(pale, min(1.0, tone)) if i % 2 else ink.shade(cloth, tone))
            for i, (d, tone) in enumerate(panels)
        )
        + line("M0,-94 V-99", ink("#7a5230"), 3.4)
    )


FIGURE_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "person": draw_person,
    "couple": draw_couple,
    "child": draw_child,
    "sitter": draw_sitter,
    "runner": draw_runner,
    "dancer": draw_dancer,
    "family": draw_family,
    "old man": draw_old_man,
    "baby": draw_baby,
    "dog": draw_dog,
    "cat": draw_cat,
    "horse": draw_horse,
    "bird": draw_bird,
    "deer": draw_deer,
    "wolf": draw_wolf,
    "butterfly": draw_butterfly,
    "owl": draw_owl,
    "rabbit": draw_rabbit,
    "cow": draw_cow,
    "sheep": draw_sheep,
    "fox": draw_fox,
    "bear": draw_bear,
    "elephant": draw_elephant,
    "fish": draw_fish,
    "duck": draw_duck,
    "swan": draw_swan,
    "car": draw_car,
    "bicycle": draw_bicycle,
    "statue": draw_statue,
    "tent": draw_tent,
    "bench": draw_bench,
    "flower": draw_flower,
    "campfire": draw_campfire,
    "fountain": draw_fountain,
    "market stall": draw_market_stall,
    "umbrella": draw_umbrella,
}
"""The drawing of every name in `grammar.FIGURES`."""
