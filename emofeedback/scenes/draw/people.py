"""People and the statue, drawn in the local units of `figures`."""

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, group, line, path, rect

SKIN = "#e9b48c"
COATS = ("#d2322d", "#d2322d", "#c9276b", "#e2562a")
"""Coats of the single adult: red, with two near relatives as variation."""


def _head(ink: Ink, y: float, r: float, hair: str, long: bool) -> str:
    """Head that looks right: a cap of hair at the back, the face at the front."""
    parts = []
    if long:
        low = y + 2 * r
        parts.append(path(f"M{-r * 1.15:.1f},{y:.1f} L{-r * 1.3:.1f},{low:.1f} H{r * 0.7:.1f} V{y:.1f}Z", ink(hair)))
    parts.append(circle(-0.6, y - 0.8, r * 1.12, ink(hair)))
    parts.append(ellipse(r * 0.28, y + r * 0.22, r * 0.74, r * 0.8, ink(SKIN)))
    return "".join(parts)


def _adult(ink: Ink, coat: str, hair: str, legs: str, hand_in: bool, long: bool) -> str:
    """An adult 100 units high in a long coat; the right arm hangs, or reaches out to (22, -40)."""
    left_arm = line("M-9,-72 C-15,-64 -17,-56 -16,-45", ink.shade(coat, 0.95), 8) + circle(-16, -41, 4, ink(SKIN))
    if hand_in:
        right_arm = line("M9,-72 C15,-64 17,-56 20,-46", ink.shade(coat, 0.62), 8) + circle(21.5, -42, 4.2, ink(SKIN))
    else:
        right_arm = line("M9,-72 C14,-64 16,-56 15,-45", ink.shade(coat, 0.62), 8) + circle(15, -41, 4, ink(SKIN))
    return (
        path("M-10,-36 H-1 L-3,-4 H-11Z", ink.shade(legs, 1.2))
        + path("M1,-36 H10 L11,-4 H3Z", ink(legs))
        + path("M-12,-6 H-2 V0 H-12Z M3,-6 H10 L15,-1 V0 H3Z", ink("#2b2026"))
        + left_arm
        + right_arm
        + path("M-12,-76 Q0,-84 12,-76 L16,-28 H-17Z", ink(coat))
        + path("M2,-81 Q9,-80 12,-76 L16,-28 H3Z", ink.shade(coat, 0.7))
        + _head(ink, -89, 9, hair, long)
    )


def draw_person(ink: Ink) -> str:
    """One adult in a red coat and a light scarf."""
    coat = ink.rng.choice(COATS)
    scarf = rect(-8.5, -81, 17, 6, ink("#f2e3bd"), radius=3) + path("M2,-78 H8 L9,-60 H3Z", ink("#f2e3bd"))
    return _adult(ink, coat, "#4a2c22", "#2f3a55", hand_in=False, long=False) + scarf


def draw_couple(ink: Ink) -> str:
    """Two adults hand in hand: blue on the left, red with long hair on the right."""
    left = group(_adult(ink, "#2f6bc4", "#33241f", "#2a2f45", hand_in=True, long=False), -22, 0)
    right = group(_adult(ink, "#d83a34", "#7a3f1d", "#4a2a3a", hand_in=True, long=True), 22, 0, 0.93, flip=True)
    return left + right


def draw_child(ink: Ink) -> str:
    """A small child in a yellow coat with one arm raised: big head, short legs, 78 high."""
    coat, shadow = "#f8c81e", ink("#d98f12")
    return (
        path("M-11,-20 H-1 V-4 H-11Z", ink("#35558f"))
        + path("M1,-20 H11 V-4 H1Z", ink("#294272"))
        + path("M-13,-9 H-1 V0 H-13Z M2,-9 H12 L16,-2 V0 H2Z", ink("#c8372e"))
        + line("M-9,-40 C-15,-36 -19,-30 -21,-25", ink(coat), 8.5)
        + circle(-22, -22, 4.4, ink(SKIN))
        + line("M9,-40 C17,-46 22,-56 24,-66", shadow, 8.5)
        + circle(25, -71, 4.8, ink(SKIN))
        + path("M-10,-45 Q0,-50 10,-45 L18,-14 H-18Z", ink(coat))
        + path("M1,-48 Q7,-48 10,-45 L18,-14 H3Z", shadow)
        + _head(ink, -60, 13.5, "#7a4320", long=False)
    )


def draw_statue(ink: Ink) -> str:
    """A robed figure of pale stone, one arm raised, on a stepped plinth."""
    stone = "#dcdccf"
    dark = ink.shade(stone, 0.66)
    return (
        rect(-28, -7, 56, 7, ink.shade(stone, 0.9))
        + path("M4,-7 H28 V0 H4Z", dark)
        + rect(-20, -36, 40, 29, ink(stone))
        + rect(3, -36, 17, 29, dark)
        + rect(-24, -40, 48, 6, ink.shade(stone, 1.08))
        + line("M9,-77 C15,-81 19,-87 22,-95", ink.shade(stone, 0.8), 6.5)
        + line("M-9,-77 C-17,-71 -17,-64 -8,-60", ink(stone), 6.5)
        + path("M-11,-79 Q0,-85 11,-79 L8,-62 L15,-40 H-15 L-9,-62Z", ink(stone))
        + path("M2,-82 Q8,-82 11,-79 L8,-62 L15,-40 H3 L5,-62Z", dark)
        + path("M-11,-79 L-7,-82 L14,-48 L15,-40 H12Z", ink.shade(stone, 1.1))
        + circle(0, -91, 7.6, ink(stone))
        + path("M1,-98.6 A7.6,7.6 0 0 1 1,-83.4 Q5,-91 1,-98.6Z", dark)
    )
