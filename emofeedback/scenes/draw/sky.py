"""Light of the hour, the sky, and the weather that falls between the scene and the eye."""

import random

from emofeedback.scenes.draw.canvas import (
    Ink,
    blend,
    brightness,
    circle,
    ellipse,
    fade,
    glow,
    halo,
    jitter,
    line,
    mix,
    path,
    polygon,
    rect,
    scattered,
    sparkle,
)
from emofeedback.scenes.grammar import INDOOR_PLACES, Scene

HORIZON = 56.0
PENCIL = "#6b7f9c"
"""What is pale in the picture and has an outline, in its flats: rain, snow, lightning, streaks of wind."""

# time -> sky top, sky middle, sky at the horizon, colour of the light, its share, exposure
_HOURS = {
    "dawn": ("#6d8fd0", "#f0b3b6", "#ffe6bd", "#ffd6cc", 0.30, 0.98),
    "day": ("#3487d6", "#86c3ee", "#dff1f6", "#ffffff", 0.00, 1.04),
    "sunset": ("#54408a", "#e8615a", "#ffc763", "#ffa868", 0.45, 0.98),
    "dusk": ("#232c66", "#65509a", "#d793a6", "#9c90d8", 0.55, 0.78),
    "night": ("#050b24", "#10204d", "#2c4683", "#7089d2", 0.70, 0.64),
}
_DAYLIGHT = {"dawn": 0.88, "day": 1.0, "sunset": 0.82, "dusk": 0.56, "night": 0.34}
# what the hour lends to grey clouds, fog and rain
_CAST = {"dawn": "#f7c6bd", "day": "#ffffff", "sunset": "#f08a5c", "dusk": "#8576d6", "night": "#3f63c4"}
_CAST_SHARE = {"dawn": 0.24, "day": 0.0, "sunset": 0.34, "dusk": 0.36, "night": 0.42}

# weather -> what the sky turns to (by day), how far, exposure, saturation
_WEATHER = {
    "clear": ("#ffffff", 0.0, 1.0, 1.0),
    "cloudy": ("#ffffff", 0.05, 1.0, 1.0),
    "overcast": ("#a3abb2", 0.84, 0.88, 0.64),
    "rain": ("#74828f", 0.84, 0.84, 0.62),
    "thunderstorm": ("#3d5148", 0.94, 0.72, 0.72),
    "snow": ("#c9d3df", 0.72, 1.0, 0.74),
    "fog": ("#cfd4d6", 0.66, 0.95, 0.6),
    "wind": ("#dfeaf2", 0.12, 1.0, 0.95),
}
# palette -> saturation, tint, its share
_PALETTES = {
    "natural": (1.0, "#ffffff", 0.0),
    "vivid": (1.5, "#ffffff", 0.0),
    "muted": (0.42, "#76818c", 0.12),
    "warm": (1.2, "#ff9a2a", 0.15),
    "cold": (0.88, "#2f74ff", 0.17),
}
# sky of the warm palette, top, middle and horizon
_GOLD = ("#ffb25c", "#ffd084", "#fff0c0")
# light -> exposure, exposure in the dark, saturation
_LIGHTS = {"even": (1.0, 1.0, 1.0), "bright": (1.14, 1.4, 1.18), "dim": (0.76, 0.78, 0.85)}


def _exposure(scene: Scene) -> float:
    by_day, in_the_dark, _ = _LIGHTS[scene.light]
    if scene.time in ("dusk", "night"):
        return in_the_dark
    # sunlit snow is white already
    return min(by_day, 1.03) if scene.weather == "snow" else by_day


def _grey(scene: Scene, colour: str) -> str:
    """A cloud's own grey under the hour: darker at night, tinged by the low sun."""
    dark = brightness(colour, _DAYLIGHT[scene.time])
    return mix(dark, brightness(_CAST[scene.time], 0.75 * _DAYLIGHT[scene.time] + 0.15), _cast_share(scene))


def _cast_share(scene: Scene) -> float:
    """How much of the low sun's colour a cloud takes on; a thundercloud lets hardly any through."""
    return _CAST_SHARE[scene.time] * (0.4 if scene.weather == "thunderstorm" else 1.0)


def scene_ink(scene: Scene, rng: random.Random) -> Ink:
    """The ink that carries the hour, weather, palette and light of a scene."""
    _, _, low, light, share, gain = _HOURS[scene.time]
    turn, how_far, exposure, colourful = _WEATHER[scene.weather]
    grey = _grey(scene, turn)
    saturation, tint, tint_share = _PALETTES[scene.palette]
    level = _exposure(scene)
    dark = scene.time in ("dusk", "night")
    return Ink(
        ambient=mix(light, grey, (0.22 if dark else 0.4) * how_far),
        ambient_share=share,
        haze=brightness(mix(low, grey, how_far), level),
        # night, rain and dim light at once would leave nothing to see
        gain=gain * (max(0.82, exposure * level) if dark else exposure * level),
        saturation=saturation * colourful * _LIGHTS[scene.light][2],
        tint=brightness(tint, min(1.0, 0.35 + 0.65 * _DAYLIGHT[scene.time]) * min(1.0, level)),
        # an orange cast on a night blue is brown
        tint_share=tint_share * (0.4 if scene.palette == "warm" and dark else 1.0),
        lit=scene.time in ("dusk", "night") or (scene.light == "dim" and scene.weather != "clear"),
        season=scene.season,
        rng=rng,
    )


def sky(scene: Scene, ink: Ink) -> str:
    """The sky down to the horizon: gradient, sun or stars, clouds."""
    top, middle, low, *_ = _HOURS[scene.time]
    turn, how_far, _, _ = _WEATHER[scene.weather]
    grey = _grey(scene, turn)
    level = _exposure(scene)

    if scene.palette == "warm":
        # an orange tint alone turns a blue sky grey: the sky itself goes golden
        shares = (0.0, 0.14, 0.66) if scene.time in ("dusk", "night") else (0.9, 0.85, 0.7)
        top, middle, low = (
            mix(own, brightness(gold, _DAYLIGHT[scene.time]), share)
            for own, gold, share in zip((top, middle, low), _GOLD, shares, strict=True)
        )

    def tone(colour: str, share: float) -> str:
        return ink.grade(brightness(mix(colour, grey, share), level))

    stops = (tone(brightness(top, 0.94), how_far), tone(middle, how_far), tone(low, 0.92 * how_far))
    if scene.weather == "thunderstorm":
        # the sickly strip of light under a thundercloud
        stops = (stops[0], stops[1], ink.grade(brightness(mix("#8d9a63", grey, 0.35), level * _DAYLIGHT[scene.time])))
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
    rng = jitter(ink, "sun or stars")
    if scene.time in ("dusk", "night"):
        count = rng.randint(15, 20) if scene.time == "night" else rng.randint(6, 8)
        out = ""
        for i, (x, y) in enumerate(scattered(rng, count, (3, 3, 97, 48 if scene.time == "night" else 32))):
            if i < 3:
                out += sparkle(x, y, rng.uniform(2.0, 2.9), "#fff8dc", 0.95 * veil)
            else:
                out += circle(x, y, rng.choice((0.55, 0.75, 1.1)), "#f6f1d6", 0.9 * veil)
        return out
    if "sunbeams" in scene.elements:
        return ""
    x = rng.uniform(15, 27)
    if scene.time == "day":
        y = rng.uniform(12, 17)
        bright = 1.25 if scene.light == "bright" else 1.0
        disc = ink.grade("#fff0b0")
        return (
            glow(x, y, 26 * bright, ink.grade("#fff3c4"), 0.75 * veil)
            + glow(x, y, 13, disc, 0.8 * veil)
            + circle(x, y, 6.4 * bright, disc, veil)
        )
    colour, y, r = ("#ffedb8", 47.0, 7.5) if scene.time == "dawn" else ("#ffd45e", 48.5, 11.0)
    x += 8
    return (
        glow(x, y, 46, ink.grade(colour), 0.6 * veil)
        + glow(x, y, 24, ink.grade(colour), 0.7 * veil)
        + circle(x, y, r, ink.grade(colour), veil)
    )


def _puff(x: float, y: float, size: float, top: str, base: str, opacity: float) -> str:
    body = "".join(
        circle(x + dx * size, y + dy * size, r * size, top, opacity)
        for dx, dy, r in ((-0.9, 0.1, 0.55), (-0.25, -0.32, 0.78), (0.5, -0.12, 0.62), (1.0, 0.14, 0.46))
    )
    return body + rect(x - 1.4 * size, y + 0.12 * size, 2.85 * size, 0.5 * size, base, opacity, 0.25 * size)


def _cloud_bank(rng: random.Random, y: float, size: float, fill: str) -> str:
    """A bank of cloud from the top edge down to about y, its lower edge of uneven bulges."""
    x, out = rng.uniform(-6, 0), rect(0, -2, 100, y + 2, fill)
    while x < 104:
        r = size * rng.uniform(0.7, 1.25)
        out += ellipse(x + r * 0.8, y, r, 0.62 * r, fill)
        x += 1.45 * r
    return out


def _clouds(scene: Scene, ink: Ink, level: float) -> str:
    daylight = _DAYLIGHT[scene.time]
    rng = jitter(ink, "clouds")
    _, middle, low, *_ = _HOURS[scene.time]
    if scene.weather in ("cloudy", "wind"):
        top = ink.grade(
            brightness(mix("#ffffff", low, 0.35 if scene.time != "day" else 0.0), level * (0.35 + 0.65 * daylight))
        )
        base = mix(top, ink.grade(middle), 0.35)
        spots = (
            ((18, 25, 8.5), (55, 14, 9.5), (86, 29, 7.5))
            if scene.weather == "cloudy"
            else ((16, 20, 5.5), (70, 12, 6.5))
        )
        return "".join(
            _puff(x + rng.uniform(-7, 7), y + rng.uniform(-4, 4), s * rng.uniform(0.8, 1.2), top, base, 0.95)
            for x, y, s in spots
        )
    if scene.weather in ("overcast", "rain", "thunderstorm", "snow"):
        turn = brightness(_grey(scene, _WEATHER[scene.weather][0]), level)
        tones = {
            "overcast": (1.1, 0.98, 0.86),
            "rain": (1.1, 0.94, 0.76),
            "thunderstorm": (1.12, 0.8, 0.5),
            "snow": (1.05, 1.0, 0.95),
        }[scene.weather]
        heavy = scene.weather == "thunderstorm"
        rows = ((27, 12), (17, 13), (6, 12)) if heavy else ((26, 9), (16, 10), (5, 9))
        return "".join(
            _cloud_bank(rng, y, size, ink.grade(brightness(turn, factor)))
            for (y, size), factor in zip(rows, tones, strict=True)
        )
    return ""


def weather_in_front(scene: Scene, ink: Ink) -> str:
    """Rain, snow, fog, leaves and streaks of wind; in a room they are seen through the window."""
    if scene.weather == "fog":
        return _mist(scene, ink, jitter(ink, "weather"))
    least, colour = {"snow": (0.8, "#ffffff"), "wind": (0.45, "#ffffff")}.get(scene.weather, (0.45, "#dcecff"))
    return _in_the_air(scene, ink, brightness(colour, least + (1 - least) * _DAYLIGHT[scene.time]))


def weather_flats(scene: Scene, ink: Ink) -> str:
    """What falls and blows in front, as flats: in a colour that is seen on white paper."""
    return _in_the_air(scene, ink, PENCIL)


def _in_the_air(scene: Scene, ink: Ink, colour: str) -> str:
    drawings = {"rain": _rain, "thunderstorm": _storm, "snow": _snow, "wind": _gusts}
    draw = drawings.get(scene.weather)
    return "" if draw is None else draw(ink, jitter(ink, "weather"), colour)


def _rain(ink: Ink, rng: random.Random, colour: str, slant: float = -0.32, drops: int = 34) -> str:
    out = ""
    for x, y in scattered(rng, drops, (-2, -6, 104, 98)):
        length = rng.uniform(5, 12)
        out += line(f"M {x:.1f} {y:.1f} l {slant * length:.1f} {length:.1f}", colour, rng.choice((0.7, 0.95)), 0.6)
    return out


def _storm(ink: Ink, rng: random.Random, colour: str) -> str:
    return _rain(ink, rng, colour, -0.5, 38)


def _flash(scene: Scene) -> tuple[float, float]:
    """Where lightning comes from the clouds, at either side of the subject, and the side (-1, 1) that it leans to."""
    rng = random.Random(f"lightning {scene.layout}")
    return (rng.uniform(14, 26), 1.0) if rng.random() < 0.5 else (rng.uniform(74, 86), -1.0)


def lightning(scene: Scene) -> str:
    """A slender forked bolt that stays in the sky, behind all but the sky."""
    if scene.weather != "thunderstorm":
        return ""
    return glow(_flash(scene)[0], 20, 34, "#f3f6c8", 0.6) + _bolt(scene, "#fffbe0")


def lightning_flats(scene: Scene) -> str:
    """The bolt as flats: in a colour that is seen on white paper."""
    return _bolt(scene, PENCIL) if scene.weather == "thunderstorm" else ""


def _bolt(scene: Scene, colour: str) -> str:
    x, k = _flash(scene)
    trunk = (
        (3, -1, 2.8),
        (-2.4, 11, 2.7),
        (1.6, 13.4, 2.6),
        (-4, 28, 2.3),
        (0, 30.4, 2.1),
        (-4.4, 50, 0.6),
    )
    forks = (
        ((-3.6, 27, 1.9), (-9.6, 33.6, 1.7), (-8, 35.6, 1.6), (-13.4, 46, 0.6)),
        ((1.4, 13.4, 1.9), (8, 20, 1.7), (6.6, 22.4, 1.6), (11.6, 35, 0.6)),
    )
    bolt = ""
    for way in (trunk, *forks):
        left, right = ([(x + k * px + side * w, py) for px, py, w in way] for side in (-0.5, 0.5))
        bolt += polygon([*left, *right[::-1]], colour)
    return bolt


def flash_behind(scene: Scene) -> str:
    """The light of the bolt on the land behind the subjects."""
    return glow(_flash(scene)[0], 30, 95, "#cfe0c4", 0.24) if scene.weather == "thunderstorm" else ""


def _flashed(scene: Scene) -> str:
    """The light of the bolt on all that stands before it."""
    x, _ = _flash(scene)
    soft = glow(x, 30, 95, "#cfe0c4", 0.12)
    if scene.light == "dim":
        # shadow lies over the bolt as well: this brings back what is pale, and leaves what is dark
        soft += f'<g style="mix-blend-mode:color-dodge">{glow(x, 22, 40, "#8c8c74", 0.7)}</g>'
    return soft


def _snow(ink: Ink, rng: random.Random, colour: str) -> str:
    sizes = (0.8, 1.1, 1.1, 1.5, 1.5, 2.0, 2.7)
    return "".join(
        circle(x, y, rng.choice(sizes) * rng.uniform(0.9, 1.1), colour, 0.94)
        for x, y in scattered(rng, 40, (0, 0, 100, 100))
    )


def _mist(scene: Scene, ink: Ink, rng: random.Random) -> str:
    """A bank of ground mist along the lower edge, below the feet: what stands in front is clear of it."""
    veil = _fog_colour(scene, ink)
    y = 88.5 + rng.uniform(-0.5, 0.5)
    return (
        fade("groundmist", veil, veil, 0.0, 0.5)
        + f'<rect y="{y:.2f}" width="100" height="12" fill="url(#groundmist)"/>'
    )


def _gusts(ink: Ink, rng: random.Random, colour: str) -> str:
    """Curling streaks in the sky and leaves, all blown to the right, the leaves clear of the subject."""
    leaf = ink({"spring": "#f0b4cc", "summer": "#7fb04a", "autumn": "#e0762a", "winter": "#8a6a4a"}[ink.season])
    out = ""
    for y in (11.0, 24.0, 38.0):
        x, length = rng.uniform(-4, 50), rng.uniform(16, 32)
        y += rng.uniform(-3, 3)
        curl = rng.uniform(2.6, 4.2)
        d = f"M {x:.1f} {y:.1f} q {length * 0.5:.1f} {-curl * 1.5:.1f} {length:.1f} 0"
        d += f" t {length * 0.55:.1f} {-curl:.1f}"
        d += f" a {curl * 0.8:.1f} {curl * 0.8:.1f} 0 1 0 {-curl * 1.3:.1f} {-curl * 0.5:.1f}"
        out += line(d, colour, 1.0, 0.75)
    for x, y in scattered(rng, 10, (4, 8, 96, 94)):
        if 30 < x < 70 and y > 34:
            continue
        out += leaf_shape(x, y, rng.uniform(2.2, 3.4), rng.uniform(-40, 30), leaf)
    return out


def leaf_shape(x: float, y: float, size: float, turn: float, fill: str) -> str:
    """A pointed leaf, 2 * size long, turned by `turn` degrees."""
    d = f"M{-size:.2f} 0Q0 {-0.95 * size:.2f} {size:.2f} 0Q0 {0.75 * size:.2f} {-size:.2f} 0Z"
    return f'<g transform="translate({x:.2f} {y:.2f}) rotate({turn:.0f})">{path(d, fill)}</g>'


def _fog_colour(scene: Scene, ink: Ink) -> str:
    return ink.grade(brightness(_grey(scene, "#dde2e4"), _exposure(scene)))


def fog_behind(scene: Scene, ink: Ink) -> str:
    """Fog between the place and the subject, thickest at the horizon, so that the subject stands out of it."""
    if scene.weather != "fog":
        return ""
    veil = _fog_colour(scene, ink)
    rng = jitter(ink, "fog")
    out = fade("fogabove", veil, veil, 0.1, 0.6) + f'<rect width="100" height="{HORIZON}" fill="url(#fogabove)"/>'
    out += fade("fogbelow", veil, veil, 0.6, 0.06)
    out += f'<rect y="{HORIZON}" width="100" height="{88 - HORIZON}" fill="url(#fogbelow)"/>'
    for y, h, o in ((46, 7, 0.34), (57, 6, 0.5), (66, 5, 0.36)):
        x = rng.uniform(20, 80)
        out += ellipse(x, y, 52, h / 2, veil, o) + ellipse(100 - x, y + 3, 40, h / 2.6, veil, o * 0.7)
    return out


def light_in_front(scene: Scene) -> str:
    """What palette and light lay over the whole picture: glow, cast, bloom, shadow, the flash of lightning."""
    outdoors = scene.place not in INDOOR_PLACES
    flash = _flashed(scene) if outdoors and scene.weather == "thunderstorm" else ""
    return _palette_over(scene) + _light_over(scene) + flash


def _palette_over(scene: Scene) -> str:
    daylight = _DAYLIGHT[scene.time]
    if scene.palette == "warm" and scene.time in ("dusk", "night"):
        # light as of a hearth on the ground, under a sky that keeps its night
        return halo("warm", 0.5, 0.8, 0.62, "#ff8f2a", 0.38, 0.0) + blend("url(#warm)", "screen")
    if scene.palette == "warm":
        share = (0.1 if scene.weather == "snow" else 0.2) * daylight
        return (
            blend("#ffb03a", "soft-light", 0.08 + 0.22 * daylight)
            + halo("warm", 0.22, 0.2, 1.0, "#ff9c30", share, 0.03)
            + blend("url(#warm)", "screen")
        )
    if scene.palette == "cold":
        return blend("#3f7ae0", "soft-light", 0.26)
    if scene.palette == "vivid":
        return halo("vivid", 0.5, 0.45, 0.8, "#fff6dd", 0.42, 0.0) + blend("url(#vivid)", "soft-light")
    if scene.palette == "muted":
        return halo("muted", 0.5, 0.5, 0.8, "#4c5560", 0.0, 0.16, 0.3) + blend("url(#muted)", "normal")
    return ""


def _light_over(scene: Scene) -> str:
    if scene.light == "dim":
        dark = scene.time in ("dusk", "night")  # where it is dark already, less shadow leaves the subject to be seen
        return (
            blend("#5d6580", "multiply", 0.04 if dark else 0.2)
            + halo("dim", 0.5, 0.62, 0.78, "#03040a", 0.0, 0.4 if dark else 0.52, 0.38)
            + blend("url(#dim)", "normal")
        )
    if scene.light == "bright":
        # silver in the dark, cream by day, but never against the palette
        colour = {"night": "#a9c3ff", "dusk": "#ffd6ee"}.get(scene.time, "#fff1c6")
        colour = {"muted": "#d9dcdf", "warm": mix(colour, "#ffd08c", 0.4), "cold": "#cfe2ff"}.get(scene.palette, colour)
        share = 0.18 if scene.palette == "warm" or scene.weather == "snow" else 0.3
        return halo("bright", 0.3, 0.05, 1.15, colour, share, 0.05) + blend("url(#bright)", "screen")
    return ""
