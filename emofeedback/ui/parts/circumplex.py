"""The valence-arousal plane as inline SVG: target, readings with their spread, the path of the rounds.

Words on it follow Russell, "A circumplex model of affect" (1980). Colours come from CSS variables of the theme,
so that the drawing follows light and dark.
"""

from collections.abc import Sequence

from emofeedback.affect import EMOTIONS, PRESETS, Affect, nearest_emotion
from emofeedback.records import Reading
from emofeedback.scenes.draw.canvas import mix
from emofeedback.ui.parts.html import signed, text

SIZE = 340.0
"""Side of the drawing in its own units."""
MARGIN = 26.0
SPAN = SIZE - 2 * MARGIN
CELLS = 9
"""Of the Affect Grid (Russell, Weiss and Mendelsohn 1989) along each axis."""

CORNERS = {(-1, 1): "#c2415c", (1, 1): "#f2a53a", (-1, -1): "#5b6c9e", (1, -1): "#3fa58a"}
"""Colour of each corner (sign of valence, sign of arousal): distress, joy, gloom, peace."""


def mood_colour(affect: Affect) -> str:
    """The plane's colour at a point, '#rrggbb', mixed from the four corners."""
    right = (affect.valence + 1) / 2
    up = (affect.arousal + 1) / 2
    top = mix(CORNERS[-1, 1], CORNERS[1, 1], right)
    bottom = mix(CORNERS[-1, -1], CORNERS[1, -1], right)
    return mix(bottom, top, up)


def place(affect: Affect) -> tuple[float, float]:
    """Plane -> drawing, y down."""
    return MARGIN + (affect.valence + 1) / 2 * SPAN, MARGIN + (1 - affect.arousal) / 2 * SPAN


def plane(
    target: Affect | None,
    readings: Sequence[Reading] = (),
    chosen: Reading | None = None,
    path: Sequence[Affect] = (),
    key: str = "create",
) -> str:
    """The plane as a picture of its own, not to be dragged.

    Args:
        target: where the user wants to be; None where there is no target (reading a picture).
        readings, chosen, path: as for `marks`.
        key: tells apart the planes of one page; a gradient in a hidden tab does not paint.
    """
    aim = "" if target is None else _target(target)
    return (
        f'<svg class="plane" viewBox="0 0 {SIZE:g} {SIZE:g}" role="img" aria-label="{text(_spoken(target, chosen))}">'
        f"{ground(key)}{aim}{marks(readings, chosen, path)}</svg>"
    )


def marks(readings: Sequence[Reading], chosen: Reading | None = None, path: Sequence[Affect] = ()) -> str:
    """What was read, as SVG to lie on the ground.

    Args:
        readings: of the other candidates, drawn as faint dots with an ellipse of one standard deviation each.
        chosen: the reading that counts.
        path: the chosen readings of the rounds so far, first to last, drawn as a numbered line.
    """
    layers = [_spread(item, "spread faint") + _dot(item.affect, 3.2, "candidate") for item in readings]
    if len(path) > 1:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, path))
        layers.append(f'<polyline points="{points}" class="path"/>')
    if chosen is not None:
        layers.append(_spread(chosen, "spread"))
        layers.append(_dot(chosen.affect, 6.5, "chosen", mood_colour(chosen.affect)))
    if len(path) > 1:
        layers += [_number(point, index + 1) for index, point in enumerate(path)]
    return "".join(layers)


def _spoken(target: Affect | None, chosen: Reading | None) -> str:
    parts = ["Valence-arousal plane."]
    if target is not None:
        parts.append(f"Target: valence {target.valence:+.2f}, arousal {target.arousal:+.2f}.")
    if chosen is not None:
        at = chosen.affect
        parts.append(f"Reading: valence {at.valence:+.2f}, arousal {at.arousal:+.2f}, {nearest_emotion(at)}.")
    return " ".join(parts)


def ground(key: str) -> str:
    """Tinted square, the cells of the Affect Grid, circle, axes and words."""
    middle, end = SIZE / 2, SIZE - MARGIN
    tints = "".join(
        f'<radialGradient id="mood-{key}-{i}" cx="{(1 + v) / 2:g}" cy="{(1 - a) / 2:g}" r="1">'
        f'<stop offset="0" stop-color="{colour}" stop-opacity=".62"/><stop offset="1" stop-color="{colour}" '
        f'stop-opacity="0"/></radialGradient>'
        for i, ((v, a), colour) in enumerate(CORNERS.items())
    )
    squares = "".join(
        f'<rect x="{MARGIN:g}" y="{MARGIN:g}" width="{SPAN:g}" height="{SPAN:g}" rx="14" fill="url(#mood-{key}-{i})"/>'
        for i in range(len(CORNERS))
    )
    words = "".join(_word(name) for name in PRESETS)
    cell = SPAN / CELLS
    edges = [MARGIN + i * cell for i in range(1, CELLS)]
    lines = "".join(f"M{edge:.1f} {MARGIN:g}v{SPAN:g}M{MARGIN:g} {edge:.1f}h{SPAN:g}" for edge in edges)
    return (
        f"<defs>{tints}</defs>"
        f'<rect x="{MARGIN:g}" y="{MARGIN:g}" width="{SPAN:g}" height="{SPAN:g}" rx="14" class="ground"/>{squares}'
        f'<path d="{lines}" class="cells"/>'
        f'<circle cx="{middle:g}" cy="{middle:g}" r="{SPAN / 2:g}" class="ring"/>'
        f'<circle cx="{middle:g}" cy="{middle:g}" r="{SPAN / 4:g}" class="ring"/>'
        f'<path d="M{MARGIN:g} {middle:g}H{end:g}M{middle:g} {MARGIN:g}V{end:g}" class="axis"/>{words}'
        f'<text x="{middle:g}" y="{MARGIN - 9:g}" class="end">excited</text>'
        f'<text x="{middle:g}" y="{SIZE - 9:g}" class="end">calm</text>'
        f'<text transform="translate({MARGIN - 9:g} {middle:g}) rotate(-90)" class="end">unpleasant</text>'
        f'<text transform="translate({end + 9:g} {middle:g}) rotate(90)" class="end">pleasant</text>'
    )


def _word(name: str) -> str:
    x, y = place(EMOTIONS[name])
    half = 3.1 * len(name) + 4  # pixels that a word takes to either side: it stays on the ground
    x = min(max(x, MARGIN + half), SIZE - MARGIN - half)
    return f'<text x="{x:.1f}" y="{y + 3:.1f}" class="word">{text(name)}</text>'


def _dot(affect: Affect, radius: float, kind: str, fill: str = "") -> str:
    x, y = place(affect)
    style = f' style="fill:{fill}"' if fill else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" class="{kind}"{style}/>'


def _spread(read: Reading, kind: str) -> str:
    """One standard deviation around a reading."""
    x, y = place(read.affect)
    rx, ry = max(3.0, read.valence_sd * SPAN / 2), max(3.0, read.arousal_sd * SPAN / 2)
    return f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}" class="{kind}"/>'


def _target(affect: Affect) -> str:
    x, y = place(affect)
    return (
        f'<g class="target"><title>target {signed(affect.valence)} {signed(affect.arousal)}</title>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="11"/>'
        f'<path d="M{x - 16:.1f} {y:.1f}h10m12 0h10M{x:.1f} {y - 16:.1f}v10m0 12v10"/></g>'
    )


def _number(affect: Affect, number: int) -> str:
    x, y = place(affect)
    return f'<text x="{x:.1f}" y="{y - 9:.1f}" class="number">{number}</text>'
