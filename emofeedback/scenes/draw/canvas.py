"""Colour and SVG helpers that all drawing code shares.

Scenes are drawn as SVG in a 100 x 100 square (y down) and rasterised by resvg, so any size is sharp.
"""

import random
from dataclasses import dataclass, field

RGB = tuple[float, float, float]


def rgb(colour: str) -> RGB:
    """'#rrggbb' -> three floats in [0, 1]."""
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255)


def hexa(colour: RGB) -> str:
    """Three floats -> '#rrggbb', clipped to the gamut."""
    return "#" + "".join(f"{round(255 * min(1.0, max(0.0, c))):02x}" for c in colour)


def mix(a: str, b: str, share: float) -> str:
    """Colour between a (share 0) and b (share 1), mixed in sRGB."""
    x, y = rgb(a), rgb(b)
    return hexa((x[0] + (y[0] - x[0]) * share, x[1] + (y[1] - x[1]) * share, x[2] + (y[2] - x[2]) * share))


def saturate(colour: str, factor: float) -> str:
    """Scale the distance from grey (Rec. 601 luma): 0 is grey, 1 unchanged, above 1 more vivid."""
    r, g, b = rgb(colour)
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    return hexa((luma + (r - luma) * factor, luma + (g - luma) * factor, luma + (b - luma) * factor))


def brightness(colour: str, factor: float) -> str:
    """Scale all channels; above 1 lighter, below 1 darker."""
    r, g, b = rgb(colour)
    return hexa((r * factor, g * factor, b * factor))


@dataclass(slots=True)
class Ink:
    """Turns a thing's own colour into its colour under the scene's light.

    ambient: the light's colour; things are multiplied towards it by `ambient_share` in [0, 1].
    haze: what far things fade into. gain: exposure. saturation: of the palette. lit: windows and lamps glow.
    pose: face and bearing of the people and animals (grammar.POSES). coat: '#rrggbb' of the subject's main surface
    where the scene names its colour; None = each thing's own. seated: people sit on a bench, and
    a bench is wide enough for several. nth: which of several copies of a subject is drawn, from 0. kind: the
    subject's kind (grammar.KINDS).
    """

    ambient: str
    ambient_share: float
    haze: str
    gain: float = 1.0
    saturation: float = 1.0
    tint: str = "#ffffff"
    tint_share: float = 0.0
    lit: bool = False
    season: str = "summer"
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    pose: str = "plain"
    coat: str | None = None
    seated: bool = False
    nth: int = 0
    kind: str | None = None

    def own(self, colour: str) -> str:
        """The colour of a thing's main surface, unlit: the one that the scene asks for, or the thing's own."""
        return colour if self.coat is None else self.coat

    def __call__(self, colour: str, depth: float = 0.0) -> str:
        """The lit colour of a thing at depth 0 (near) .. 1 (lost in the haze)."""
        own, light = rgb(colour), rgb(self.ambient)
        s = self.ambient_share
        lit = hexa(
            (
                own[0] * (1 - s + s * light[0]) * self.gain,
                own[1] * (1 - s + s * light[1]) * self.gain,
                own[2] * (1 - s + s * light[2]) * self.gain,
            )
        )
        return self.grade(mix(lit, self.haze, depth))

    def grade(self, colour: str) -> str:
        """The palette alone: for colours that are light themselves (sky, fire, windows)."""
        return mix(saturate(colour, self.saturation), self.tint, self.tint_share)

    def shine(self, colour: str) -> str:
        """A light source that must keep its hue (fire, lanterns, rainbow): only a third of the palette reaches it."""
        return mix(colour, self.grade(colour), 0.35)

    def shade(self, colour: str, factor: float, depth: float = 0.0) -> str:
        """The lit colour of the thing's shadow side (factor < 1) or bright side (factor > 1)."""
        return self(brightness(colour, factor), depth)

    def window(self) -> str:
        """A window: glowing when it is dark, dark glass by day."""
        return "#ffd873" if self.lit else self("#4d6475")


def jitter(ink: Ink, name: str) -> random.Random:
    """Random numbers for one drawing, fixed by the scene's layout and the drawing's name.

    `ink.rng` itself is left as it was: what a drawing of the setting draws must not move or recolour the content.
    """
    copy = random.Random()
    copy.setstate(ink.rng.getstate())
    # a fresh Mersenne twister makes its block of 624 words at the first draw; from then on the words stay
    if copy.getstate()[1][-1] == 624:
        copy.random()
    return random.Random(f"{name} {copy.getstate()[1][1:5]}")


def scattered(
    rng: random.Random, count: int, box: tuple[float, float, float, float], tries: int = 8
) -> list[tuple[float, float]]:
    """`count` places in box = (left, top, right, bottom), random yet without clumps (Mitchell's best candidate)."""
    left, top, right, bottom = box
    placed: list[tuple[float, float]] = []
    for _ in range(count):
        candidates = [(rng.uniform(left, right), rng.uniform(top, bottom)) for _ in range(tries)]
        placed.append(
            max(candidates, key=lambda c: min(((c[0] - x) ** 2 + (c[1] - y) ** 2 for x, y in placed), default=0))
        )
    return placed


def silhouette(ink: Ink, colour: str) -> str:
    """The colour of a dark thing (bark, smoke, iron): paler before a dark sky, or it is lost on it."""
    r, g, b = rgb(ink.haze)
    dark = 0.299 * r + 0.587 * g + 0.114 * b < 0.33
    return ink.grade(mix(colour, "#9aa1ba", 0.5 if dark else 0.0))


def lively(colour: str, ink: Ink) -> str:
    """The lit colour of bright cloth, fur or petals: half of their own colour stays in the dark, or it turns to mud."""
    return mix(ink(colour), ink.shine(colour), 0.5) if ink.lit else ink(colour)


def blend(fill: str, mode: str, opacity: float = 1.0) -> str:
    """The whole picture covered with a fill that is mixed in by a CSS blend mode ("screen", "soft-light", ...)."""
    return f'<rect width="100" height="100" fill="{fill}" fill-opacity="{opacity:.2f}" style="mix-blend-mode:{mode}"/>'


def halo(key: str, x: float, y: float, r: float, colour: str, centre: float, rim: float, clear: float = 0.0) -> str:
    """A radial gradient over the whole picture: opacity `centre` out to the share `clear`, then on to `rim`.

    x, y and r are shares of the picture, `clear` is one of r.
    """
    return (
        f'<defs><radialGradient id="{key}" cx="{x}" cy="{y}" r="{r}"><stop offset="{clear}" stop-color="{colour}" '
        f'stop-opacity="{centre:.2f}"/><stop offset="1" stop-color="{colour}" stop-opacity="{rim:.2f}"/>'
        "</radialGradient></defs>"
    )


def sparkle(x: float, y: float, r: float, fill: str, opacity: float = 1.0) -> str:
    """A star with four points."""
    k = 0.2 * r
    d = f"M{x:.2f} {y - r:.2f}L{x + k:.2f} {y - k:.2f}L{x + r:.2f} {y:.2f}L{x + k:.2f} {y + k:.2f}L{x:.2f} {y + r:.2f}"
    return path(d + f"L{x - k:.2f} {y + k:.2f}L{x - r:.2f} {y:.2f}L{x - k:.2f} {y - k:.2f}Z", fill, opacity)


def path(d: str, fill: str, opacity: float = 1.0, extra: str = "") -> str:
    """A filled path."""
    alpha = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    return f'<path d="{d}" fill="{fill}"{alpha} {extra}/>'


def line(d: str, stroke: str, width: float, opacity: float = 1.0, extra: str = "") -> str:
    """A stroked path with round ends."""
    alpha = f' stroke-opacity="{opacity:.2f}"' if opacity < 1 else ""
    return (
        f'<path d="{d}" fill="none" stroke="{stroke}" stroke-width="{width:.2f}"{alpha} '
        f'stroke-linecap="round" stroke-linejoin="round" {extra}/>'
    )


def circle(x: float, y: float, r: float, fill: str, opacity: float = 1.0) -> str:
    """A filled circle."""
    alpha = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r:.2f}" fill="{fill}"{alpha}/>'


def ellipse(x: float, y: float, rx: float, ry: float, fill: str, opacity: float = 1.0) -> str:
    """A filled ellipse."""
    alpha = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    return f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{rx:.2f}" ry="{ry:.2f}" fill="{fill}"{alpha}/>'


def rect(x: float, y: float, w: float, h: float, fill: str, opacity: float = 1.0, radius: float = 0.0) -> str:
    """A filled rectangle."""
    alpha = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    corner = f' rx="{radius:.2f}"' if radius else ""
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{w:.2f}" height="{h:.2f}" fill="{fill}"{alpha}{corner}/>'


def polygon(points: list[tuple[float, float]], fill: str, opacity: float = 1.0) -> str:
    """A filled polygon."""
    alpha = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    text = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f'<polygon points="{text}" fill="{fill}"{alpha}/>'


def group(content: str, x: float = 0.0, y: float = 0.0, scale: float = 1.0, flip: bool = False) -> str:
    """Content moved to (x, y), scaled about its own origin, mirrored left-right on demand."""
    sx = -scale if flip else scale
    return f'<g transform="translate({x:.2f} {y:.2f}) scale({sx:.4f} {scale:.4f})">{content}</g>'


def glow(x: float, y: float, r: float, colour: str, opacity: float = 1.0) -> str:
    """A soft round light: a stack of a radial gradient, fully clear at radius r."""
    key = f"glow{colour[1:]}"
    return (
        f'<defs><radialGradient id="{key}"><stop offset="0" stop-color="{colour}"/>'
        f'<stop offset=".35" stop-color="{colour}" stop-opacity=".5"/>'
        f'<stop offset="1" stop-color="{colour}" stop-opacity="0"/></radialGradient></defs>'
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r:.2f}" fill="url(#{key})" fill-opacity="{opacity:.2f}"/>'
    )


def fade(key: str, top: str, bottom: str, top_opacity: float = 1.0, bottom_opacity: float = 1.0) -> str:
    """A vertical gradient; paint with fill="url(#key)"."""
    return (
        f'<defs><linearGradient id="{key}" x1="0" y1="0" x2="0" y2="1">'
        f'<stop offset="0" stop-color="{top}" stop-opacity="{top_opacity:.2f}"/>'
        f'<stop offset="1" stop-color="{bottom}" stop-opacity="{bottom_opacity:.2f}"/></linearGradient></defs>'
    )
