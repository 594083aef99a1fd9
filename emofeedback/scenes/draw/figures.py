"""The sixteen figures as flat poster drawings.

Local units: the origin is where the figure touches the ground, x to the right, y down; a figure fills at most
x in [-50, 50] and y in [-100, 0] and faces right. No ground shadow: whoever places a figure draws it.
"""

from collections.abc import Callable

from emofeedback.scenes.draw.animals import (
    draw_bird,
    draw_butterfly,
    draw_cat,
    draw_deer,
    draw_dog,
    draw_horse,
    draw_owl,
    draw_wolf,
)
from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, line, path, rect
from emofeedback.scenes.draw.people import draw_child, draw_couple, draw_person, draw_statue


def draw_car(ink: Ink) -> str:
    """A red car from the side; the lamps and windows glow when it is dark."""
    body = "#d8282c"
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
    for x in (-28, 28):
        parts += circle(x, -11, 11, ink("#1f1d24")) + circle(x, -11, 5, ink("#d9dde2"))
    return parts


def draw_bicycle(ink: Ink) -> str:
    """A teal bicycle with thick lines, handlebar to the right."""
    frame = ink("#12a79d")
    tyre = ink("#26242c")
    parts = ""
    for x in (-29, 29):
        parts += f'<circle cx="{x}" cy="-21" r="18.4" fill="none" stroke="{tyre}" stroke-width="5"/>'
        parts += line(f"M{x - 15},-21 H{x + 15} M{x},-36 V-6", ink("#c9d2d4"), 1.6)
    return (
        parts
        + line("M29,-21 L20,-52 M-29,-21 L-15,-47", ink.shade("#12a79d", 0.68), 5.5)
        + line("M-29,-21 H-3 L22,-46 H-13 L-3,-21", frame, 5.5)
        + line("M20,-52 L19,-60 H30 C35,-60 35,-54 31,-53", tyre, 4.6)
        + line("M-13,-46 L-16,-54", tyre, 4)
        + path("M-27,-59 C-20,-61 -12,-60 -6,-56 C-6,-53 -10,-53 -14,-53 C-20,-52 -27,-53 -27,-59Z", ink("#8a3b1c"))
        + circle(-3, -21, 5.5, tyre)
    )


def draw_tent(ink: Ink) -> str:
    """A yellow-orange ridge tent, its door open to the front right; lit from inside when it is dark."""
    cloth = "#f5a623"
    inside = ink.window() if ink.lit else ink("#4a2a1c")
    side, front, flap = ink(cloth), ink("#cc6f1a"), ink("#ffc75a")
    if ink.lit:
        side, front = ink.grade("#f0a03a"), ink.grade("#d9772a")
    return (
        line("M14,-70 L17,-75 M-28,-64 L-30,-68", ink("#5b3a26"), 3)
        + path("M14,-70 L-28,-64 L-50,0 H-14Z", side)
        + path("M14,-70 L-14,0 H50Z", front)
        + path("M14,-62 L2,0 H32Z", inside)
        + path("M14,-62 L32,0 H40 Q28,-20 14,-62Z", flap)
    )


def draw_bench(ink: Ink) -> str:
    """A park bench seen from the front: wooden slats on dark iron."""
    wood = "#b5713a"
    iron = ink("#2b2f38")
    legs = ""
    for x in (-40, 34):
        legs += rect(x, -52, 6, 30, iron) + path(
            f"M{x - 2},-24 H{x + 8} L{x + 10},0 H{x + 3} L{x + 2},-14 L{x},0 H{x - 6}Z", iron
        )
    slats = "".join(rect(-50, y, 100, 9.5, ink.shade(wood, tone), radius=2) for y, tone in ((-55, 1.15), (-42, 1.0)))
    seat = path("M-46,-29 H46 L50,-20 H-50Z", ink.shade(wood, 1.3)) + rect(-50, -20, 100, 5, ink.shade(wood, 0.6))
    return legs + slats + seat


FIGURE_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "person": draw_person,
    "couple": draw_couple,
    "child": draw_child,
    "dog": draw_dog,
    "cat": draw_cat,
    "horse": draw_horse,
    "bird": draw_bird,
    "deer": draw_deer,
    "wolf": draw_wolf,
    "butterfly": draw_butterfly,
    "owl": draw_owl,
    "car": draw_car,
    "bicycle": draw_bicycle,
    "statue": draw_statue,
    "tent": draw_tent,
    "bench": draw_bench,
}
"""The drawing of every name in `grammar.FIGURES`."""
