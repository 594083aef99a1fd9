"""Light of the hour, the sky, and the weather that falls between the scene and the eye."""

import math
import random

from emofeedback.scenes.draw.canvas import Ink, brightness, circle, ellipse, fade, glow, line, mix, path, polygon, rect
from emofeedback.scenes.grammar import Scene

HORIZON = 56.0

# time -> sky top, sky middle, sky at the horizon, colour of the light, its share, exposure
_HOURS = {
    "dawn": ("#6d8fd0", "#f0b3b6", "#ffe6bd", "#ffd6cc", 0.30, 0.98),
    "day": ("#3487d6", "#86c3ee", "#dff1f6", "#ffffff", 0.00, 1.04),
    "sunset": ("#54408a", "#e8615a", "#ffc763", "#ffa868", 0.45, 0.98),
    "dusk": ("#232c66", "#65509a", "#d793a6", "#9c90d8", 0.55, 0.78),
    "night": ("#081029", "#15244f", "#31477c", "#7c93d6", 0.66, 0.70),
}
_DAYLIGHT = {"dawn": 0.88, "day": 1.0, "sunset": 0.82, "dusk": 0.56, "night": 0.36}
# what the hour lends to grey clouds, fog and rain
_CAST = {"dawn": "#f7c6bd", "day": "#ffffff", "sunset": "#f08a5c", "dusk": "#8576d6", "night": "#3f63c4"}
_CAST_SHARE = {"dawn": 0.24, "day": 0.0, "sunset": 0.34, "dusk": 0.36, "night": 0.42}

# weather -> what the sky turns to (by day), how far, exposure, saturation
_WEATHER = {
    "clear": ("#ffffff", 0.0, 1.0, 1.0),
    "cloudy": ("#ffffff", 0.05, 1.0, 1.0),
    "overcast": ("#a9b1b8", 0.82, 0.9, 0.68),
    "rain": ("#7d8b99", 0.80, 0.84, 0.66),
    "thunderstorm": ("#474d5f", 0.90, 0.68, 0.62),
    "snow": ("#c9d3df", 0.72, 1.0, 0.74),
    "fog": ("#d3d8da", 0.66, 0.97, 0.58),
    "wind": ("#dfeaf2", 0.12, 1.0, 0.95),
}
_PALETTES = {
    "natural": (1.0, "#ffffff", 0.0),
    "vivid": (1.55, "#ffffff", 0.0),
    "muted": (0.22, "#8d8d8d", 0.10),
    "warm": (1.08, "#ff9326", 0.20),
    "cold": (0.85, "#2f74ff", 0.22),
}
_LIGHTS = {"even": 1.0, "bright": 1.2, "dim": 0.7}


def _grey(scene: Scene, colour: str) -> str:
    """A cloud's own grey under the hour: darker at night, tinged by the low sun."""
    dark = brightness(colour, _DAYLIGHT[scene.time])
    return mix(dark, brightness(_CAST[scene.time], 0.75 * _DAYLIGHT[scene.time] + 0.15), _CAST_SHARE[scene.time])


def scene_ink(scene: Scene, rng: random.Random) -> Ink:
    """The ink that carries the hour, weather, palette and light of a scene."""
    _, _, low, light, share, gain = _HOURS[scene.time]
    turn, how_far, exposure, colourful = _WEATHER[scene.weather]
    grey = _grey(scene, turn)
    saturation, tint, tint_share = _PALETTES[scene.palette]
    level = _LIGHTS[scene.light]
    return Ink(
        ambient=mix(light, grey, 0.4 * how_far),
        ambient_share=share,
        haze=brightness(mix(low, grey, how_far), level),
        gain=gain * exposure * level,
        saturation=saturation * colourful,
        tint=brightness(tint, min(1.0, 0.35 + 0.65 * _DAYLIGHT[scene.time]) * min(1.0, level)),
        tint_share=tint_share,
        lit=scene.time in ("dusk", "night") or (scene.light == "dim" and scene.weather != "clear"),
        season=scene.season,
        rng=rng,
    )


def sky(scene: Scene, ink: Ink) -> str:
    """The sky down to the horizon: gradient, sun or stars, clouds."""
    top, middle, low, *_ = _HOURS[scene.time]
    turn, how_far, _, _ = _WEATHER[scene.weather]
    grey = _grey(scene, turn)
    level = _LIGHTS[scene.light]

    def tone(colour: str, share: float) -> str:
        return ink.grade(brightness(mix(colour, grey, share), level))

    stops = (tone(brightness(top, 0.94), how_far), tone(middle, how_far), tone(low, 0.92 * how_far))
    out = (
        '<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">'
        f'<stop offset="0" stop-color="{stops[0]}"/><stop offset=".55" stop-color="{stops[1]}"/>'
        f'<stop offset="1" stop-color="{stops[2]}"/></linearGradient></defs>'
        f'<rect width="100" height="{HORIZON + 8}" fill="url(#sky)"/>'
    )
    if scene.weather in ("clear", "cloudy", "wind", "snow"):
        out += _sun_or_stars(scene, ink)
    return out + _clouds(scene, ink, level)


def _sun_or_stars(scene: Scene, ink: Ink) -> str:
    veil = 0.5 if scene.weather == "snow" else 1.0
    if scene.time == "night" or scene.time == "dusk":
        count = 14 if scene.time == "night" else 6
        out = ""
        for i in range(count):
            x, y = 20.0 * (i % 5) + (4.0 if (i // 5) % 2 else 14.0) + i % 3, 15.0 * (i // 5) + 6 + 3 * (i % 2)
            r = 0.75 if i % 3 else 1.15
            out += circle(x, y, r, "#f6f1d6", 0.9 * veil)
        return out
    if "sunbeams" in scene.elements:
        return ""
    if scene.time == "day":
        return glow(21, 15, 17, ink.grade("#fff3c4"), 0.8 * veil) + circle(21, 15, 6.2, ink.grade("#fff0b0"), veil)
    colour, y, r = ("#ffedb8", 47.0, 7.5) if scene.time == "dawn" else ("#ffd45e", 48.5, 11.0)
    return glow(30, y, 30, ink.grade(colour), 0.85 * veil) + circle(30, y, r, ink.grade(colour), veil)


def _puff(x: float, y: float, size: float, top: str, base: str, opacity: float) -> str:
    body = "".join(
        circle(x + dx * size, y + dy * size, r * size, top, opacity)
        for dx, dy, r in ((-0.9, 0.1, 0.55), (-0.25, -0.32, 0.78), (0.5, -0.12, 0.62), (1.0, 0.14, 0.46))
    )
    return body + rect(x - 1.4 * size, y + 0.12 * size, 2.85 * size, 0.5 * size, base, opacity, 0.25 * size)


def _clouds(scene: Scene, ink: Ink, level: float) -> str:
    daylight = _DAYLIGHT[scene.time]
    _, middle, low, *_ = _HOURS[scene.time]
    if scene.weather in ("cloudy", "wind"):
        top = ink.grade(
            brightness(mix("#ffffff", low, 0.35 if scene.time != "day" else 0.0), level * (0.35 + 0.65 * daylight))
        )
        base = mix(top, ink.grade(middle), 0.35)
        spots = (
            ((20, 24, 8.0), (56, 14, 9.0), (84, 30, 7.0))
            if scene.weather == "cloudy"
            else ((16, 20, 5.0), (70, 12, 6.0))
        )
        return "".join(_puff(x + ink.rng.uniform(-4, 4), y, s, top, base, 0.95) for x, y, s in spots)
    if scene.weather in ("overcast", "rain", "thunderstorm", "snow"):
        turn = brightness(_grey(scene, _WEATHER[scene.weather][0]), level)
        strength = {"overcast": 0.9, "rain": 0.82, "thunderstorm": 0.62, "snow": 0.95}[scene.weather]
        out = ""
        for row, (y, factor) in enumerate(((25, 1.06), (15, 0.98), (5, strength))):
            colour = ink.grade(brightness(turn, factor))
            bumps = "".join(f" q 8.5 {11 - row} 17 0" for _ in range(8))
            out += path(f"M -{12 + 6 * row} -2 V {y} {bumps} V -2 Z", colour)
        return out
    return ""


def weather_in_front(scene: Scene, ink: Ink) -> str:
    """Rain, snow, fog, leaves and the lightning bolt: few, broad and regular."""
    light = 0.45 + 0.55 * _DAYLIGHT[scene.time]
    if scene.weather in ("rain", "thunderstorm"):
        colour = brightness("#dcecff", light)
        out = ""
        if scene.weather == "thunderstorm":
            bolt = [(26, 12), (17, 34), (23.5, 33), (15, 57), (33, 28), (26, 29.5), (33, 12)]
            out += glow(24, 32, 34, "#fff7c2", 0.55) + polygon([(x, y) for x, y in bolt], "#fff8cf")
        for i in range(28):
            row, column = divmod(i, 4)
            x, y = 26.0 * column + (13.0 if row % 2 else 2.0) + 3, 14.0 * row + 2
            out += line(f"M {x:.1f} {y:.1f} l -3.2 9.5", colour, 0.85, 0.62)
        return out
    if scene.weather == "snow":
        colour = brightness("#ffffff", 0.55 + 0.45 * light)
        return "".join(
            circle(
                17.0 * (i % 6) + (13.0 if (i // 6) % 2 else 4.5),
                14.5 * (i // 6) + 5,
                1.6 if i % 3 else 1.15,
                colour,
                0.92,
            )
            for i in range(42)
        )
    if scene.weather == "fog":
        veil = _fog_colour(scene, ink)
        return (
            rect(0, 0, 100, 100, veil, 0.14) + ellipse(30, 92, 70, 7, veil, 0.5) + ellipse(84, 78, 40, 4.5, veil, 0.3)
        )
    if scene.weather == "wind":
        out = ""
        for y, x in ((20, 6), (40, 50), (66, 4), (30, 66)):
            out += line(f"M {x} {y} q 12 -5 22 0 t 14 -2 q 4 -4 0 -6", brightness("#ffffff", light), 1.1, 0.7)
        leaf = ink({"spring": "#f0b4cc", "summer": "#7fb04a", "autumn": "#e0762a", "winter": "#8a6a4a"}[scene.season])
        for i in range(9):
            x, y = 33.0 * (i % 3) + (12.0 if (i // 3) % 2 else 24.0), 26.0 * (i // 3) + 22 + 4 * (i % 2)
            a = math.sin(i * 1.7) * 30
            out += f'<ellipse cx="{x}" cy="{y}" rx="2" ry="1" fill="{leaf}" transform="rotate({a:.0f} {x} {y})"/>'
        return out
    return ""


def _fog_colour(scene: Scene, ink: Ink) -> str:
    return ink.grade(brightness(_grey(scene, "#dde2e4"), _LIGHTS[scene.light]))


def fog_behind(scene: Scene, ink: Ink) -> str:
    """Fog between the place and the subject, so that the subject looms out of it."""
    if scene.weather != "fog":
        return ""
    veil = _fog_colour(scene, ink)
    out = fade("fogveil", veil, veil, 0.25, 0.5) + '<rect width="100" height="100" fill="url(#fogveil)"/>'
    for y, h, o in ((44, 12, 0.62), (60, 9, 0.55), (74, 10, 0.5)):
        out += ellipse(38, y, 66, h / 2, veil, o) + ellipse(78, y + 5, 52, h / 2.6, veil, o * 0.8)
    return out


def light_in_front(scene: Scene) -> str:
    """The veil of the light: a dark frame when dim, a warm bloom from above when bright."""
    if scene.light == "dim":
        return (
            '<defs><radialGradient id="dim" cx=".5" cy=".55" r=".75"><stop offset=".35" stop-color="#05060c" '
            'stop-opacity="0"/><stop offset="1" stop-color="#05060c" stop-opacity=".62"/></radialGradient></defs>'
            '<rect width="100" height="100" fill="url(#dim)"/>'
        )
    if scene.light == "bright":
        return (
            '<defs><radialGradient id="bright" cx=".5" cy=".1" r=".9"><stop offset="0" stop-color="#fff8dc" '
            'stop-opacity=".42"/><stop offset="1" stop-color="#fff8dc" stop-opacity="0"/></radialGradient></defs>'
            '<rect width="100" height="100" fill="url(#bright)"/>'
        )
    return ""
