"""Ground, water and plants that places and views from rooms share, in picture coordinates, horizon at y = 56."""

import random
from dataclasses import replace

from emofeedback.scenes.draw.canvas import Ink, circle, ellipse, fade, line, mix, path, polygon, rect
from emofeedback.scenes.draw.sky import sky
from emofeedback.scenes.grammar import Scene

H = 56.0
"""The horizon."""
GRASS = {"spring": "#8ad05c", "summer": "#4aa646", "autumn": "#c9a044", "winter": "#eaf0f7"}
LEAVES = {"spring": "#f5b4cb", "summer": "#2f8f4c", "autumn": "#e0762c", "winter": "#e4ecf4"}
EARTH = {"spring": "#cdaa78", "summer": "#d6b078", "autumn": "#bd8d5a", "winter": "#d3d9e0"}
WOODS = {"spring": "#5d9f66", "summer": "#357a55", "autumn": "#b0733a", "winter": "#b7c8d6"}
SAND = {"spring": "#f2dda8", "summer": "#f7dc9c", "autumn": "#e6cd9c", "winter": "#ebe9e4"}
SNOW = "#f7faff"


def ground(ink: Ink, colour: str, top: float = H) -> str:
    """The ground down to the lower edge, hazier far away."""
    near, far = ink.shade(colour, 0.86), ink(colour, 0.28)
    return fade("ground", far, near) + f'<rect y="{top:.1f}" width="100" height="{100 - top:.1f}" fill="url(#ground)"/>'


def hill(x: float, width: float, height: float, fill: str, base: float = H + 6) -> str:
    """A round hill of half width `width` whose crest is `height` above its base."""
    return path(f"M {x - width:.1f} {base} Q {x:.1f} {base - 2 * height:.1f} {x + width:.1f} {base} Z", fill)


def water(ink: Ink, scene: Scene, bottom: float, colour: str = "#3f86b4", mirror: float = 0.5) -> str:
    """A sheet of water from the horizon to `bottom`: its own colour, the sky upside down, broad bars of light.

    Args:
        mirror: opacity of the reflected sky in calm weather; wind, rain and storm roughen the water to half of it.
    """
    rough = scene.weather in ("wind", "rain", "thunderstorm", "snow")
    far, near = ink.grade(mix(ink.haze, "#ffffff", 0.08)), ink(colour)
    out = fade("water", far, near)
    out += f'<rect y="{H}" width="100" height="{bottom - H:.1f}" fill="url(#water)"/>'
    out += reflection(ink, scene, bottom, mirror * (0.5 if rough else 1.0))
    bar = mix(ink(colour), "#ffffff", 0.55)
    for i, (x, w) in enumerate(((8, 18), (62, 22), (30, 20), (76, 18), (4, 20))):
        y = H + 3 + (bottom - H - 4) * (i + 0.4) / 5
        out += rect(x, y, w, 0.9 + 0.12 * i, bar, 0.5, 0.5)
    return out


def reflection(ink: Ink, scene: Scene, bottom: float, opacity: float) -> str:
    """The sky of the scene upside down between the horizon and `bottom`, flattened to fit."""
    # the same seed puts the clouds where the sky itself has them
    above = sky(scene, replace(ink, rng=random.Random(scene.layout)))
    k = (bottom - H) / H
    return (
        f'<defs><clipPath id="mirror"><rect y="{H}" width="100" height="{bottom - H:.1f}"/></clipPath></defs>'
        f'<g clip-path="url(#mirror)" opacity="{opacity:.2f}">'
        f'<g transform="translate(0 {H + k * H:.2f}) scale(1 {-k:.4f})">{above}</g></g>'
    )


def round_tree(ink: Ink, x: float, base: float, size: float, depth: float = 0.0) -> str:
    """A broadleaf tree in the season's colour, fallen leaves or petals below; in winter white with frost."""
    trunk = ink("#6b4a35", depth)
    out = ""
    if ink.season in ("spring", "autumn"):
        out += ellipse(x, base, 0.36 * size, 0.06 * size, ink.shade(LEAVES[ink.season], 0.95, depth), 0.8)
    out += rect(x - 0.07 * size, base - 0.5 * size, 0.14 * size, 0.5 * size, trunk)
    if ink.season == "winter":
        frost = ink.shade(LEAVES["winter"], 0.93, depth)
        out += circle(x, base - 0.68 * size, 0.36 * size, frost)
        out += circle(x - 0.08 * size, base - 0.75 * size, 0.2 * size, ink(LEAVES["winter"], depth))
        for dx, dy in ((-0.22, -0.68), (0.22, -0.7), (-0.04, -0.86)):
            d = f"M {x:.1f} {base - 0.4 * size:.1f} L {x + dx * size:.1f} {base + dy * size:.1f}"
            out += line(d, trunk, 0.035 * size)
        return out
    leaf = LEAVES[ink.season]
    return (
        out
        + circle(x, base - 0.72 * size, 0.38 * size, ink.shade(leaf, 0.8, depth))
        + circle(x - 0.08 * size, base - 0.8 * size, 0.28 * size, ink(leaf, depth))
        + circle(x - 0.14 * size, base - 0.88 * size, 0.13 * size, ink.shade(leaf, 1.16, depth))
    )


def conifer(ink: Ink, x: float, base: float, size: float, depth: float = 0.0, own: str | None = None) -> str:
    """A spruce of three tiers, white in winter; `own` replaces the colour of the season."""
    colour = own or {"spring": "#3f8f5c", "summer": "#24704a", "autumn": "#7d7a35", "winter": "#c3d3dc"}[ink.season]
    out = rect(x - 0.05 * size, base - 0.2 * size, 0.1 * size, 0.2 * size, ink("#5a4030", depth))
    for i, (y, w) in enumerate(((-0.14, 0.34), (-0.42, 0.27), (-0.68, 0.19))):
        tier = ink.shade(colour, 0.82 + 0.13 * i, depth)
        points = [(x - w * size, base + y * size), (x + w * size, base + y * size), (x, base + (y - 0.36) * size)]
        out += polygon(points, tier)
    return out


def palm_tree(ink: Ink, x: float, base: float, size: float, lean: float, depth: float = 0.0) -> str:
    """A palm `size` high whose crown lies `lean` beside its foot."""
    green = {"spring": "#4fb05a", "summer": "#2c9a4e", "autumn": "#8c9a3e", "winter": "#9fbcae"}[ink.season]
    top_x, top_y = x + lean, base - 0.8 * size
    out = line(
        f"M {x} {base} Q {x + 0.1 * lean} {base - 0.5 * size} {top_x} {top_y}", ink("#8a6440", depth), 0.07 * size
    )
    for i, (dx, dy, droop) in enumerate(
        (
            (-0.42, 0.06, -0.2),
            (0.42, 0.06, -0.2),
            (-0.3, -0.18, -0.22),
            (0.3, -0.18, -0.22),
            (-0.2, 0.26, 0.0),
            (0.22, 0.26, 0.0),
        )
    ):
        tip_x, tip_y = top_x + dx * size, top_y + dy * size
        mid_x, mid_y = top_x + 0.5 * dx * size, top_y + (0.5 * dy + droop) * size
        out += path(
            f"M {top_x:.2f} {top_y:.2f} Q {mid_x:.2f} {mid_y:.2f} {tip_x:.2f} {tip_y:.2f} "
            f"Q {mid_x:.2f} {mid_y + 0.2 * size:.2f} {top_x:.2f} {top_y + 0.07 * size:.2f} Z",
            ink.shade(green, 1.08 if i < 2 else 0.86, depth),
        )
    return out
