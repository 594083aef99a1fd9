"""The grammar: what a scene consists of, which combinations are possible, how one is sampled.

A scene is a place with at most two subjects (content) in a setting (time, weather, season, palette, light,
secondary elements). Feedback changes the setting only; the content stays the user's.
"""

import hashlib
import random
from dataclasses import dataclass
from typing import Any, Literal

PLACES = (
    "meadow",
    "forest",
    "lake",
    "seaside",
    "mountains",
    "village",
    "city",
    "park",
    "desert",
    "river",
    "garden",
    "road",
)
WATER_PLACES = ("lake", "seaside", "river")
TIMES = ("dawn", "day", "sunset", "dusk", "night")
WEATHERS = ("clear", "cloudy", "overcast", "rain", "thunderstorm", "snow", "fog", "wind")
SEASONS = ("spring", "summer", "autumn", "winter")
PALETTES = ("natural", "vivid", "muted", "warm", "cold")
LIGHTS = ("even", "bright", "dim")

FIGURES = (
    "person",
    "couple",
    "child",
    "dog",
    "cat",
    "horse",
    "bird",
    "deer",
    "wolf",
    "butterfly",
    "owl",
    "car",
    "bicycle",
    "statue",
    "tent",
    "bench",
)
"""Subjects that stand in front."""
STRUCTURES = ("house", "lighthouse", "windmill", "church", "castle", "tree", "train", "boat")
"""Subjects that stand in the middle ground; one may be behind a figure ("a cat by a house")."""
SUBJECTS = FIGURES + STRUCTURES

SKY_ELEMENTS = ("fireworks", "balloons", "rainbow", "sunbeams", "moon", "tornado", "crows", "kites")
FAR_ELEMENTS = ("carnival", "eruption", "ruins", "cottage")
GROUND_ELEMENTS = ("fire", "graves", "bare trees", "wreck", "lanterns", "flowers", "pond")
ELEMENTS = SKY_ELEMENTS + FAR_ELEMENTS + GROUND_ELEMENTS
"""Secondary elements that carry emotion; at most one from each of the three groups stands in a scene."""

Split = Literal["train", "held-out"]


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene. `elements` holds at most one of each group, in the order of ELEMENTS; `layout` seeds jitter.

    Raises:
        ValueError: an attribute is not in the grammar or the combination is impossible.
    """

    place: str
    subject: str | None
    companion: str | None
    time: str
    weather: str
    season: str
    palette: str
    light: str
    elements: tuple[str, ...]
    layout: int = 0

    def __post_init__(self) -> None:
        for value, known in (
            (self.place, PLACES),
            (self.time, TIMES),
            (self.weather, WEATHERS),
            (self.season, SEASONS),
            (self.palette, PALETTES),
            (self.light, LIGHTS),
        ):
            if value not in known:
                raise ValueError(f"{value!r} is not one of {', '.join(known)}")
        if self.subject is not None and self.subject not in SUBJECTS:
            raise ValueError(f"unknown subject {self.subject!r}")
        if self.companion is not None:
            if self.subject not in FIGURES:
                raise ValueError("a companion needs a figure as the subject")
            if self.companion not in SUBJECTS or self.companion == self.subject:
                raise ValueError(f"{self.companion!r} cannot accompany {self.subject!r}")
        if tuple(e for e in ELEMENTS if e in self.elements) != self.elements:
            raise ValueError(f"elements {self.elements} are unknown, doubled or out of order")
        for group in (SKY_ELEMENTS, FAR_ELEMENTS, GROUND_ELEMENTS):
            if len([e for e in self.elements if e in group]) > 1:
                raise ValueError(f"more than one of {', '.join(group)}")
        if not setting_possible(self.time, self.weather, self.season, self.elements):
            raise ValueError("this combination of time, weather, season and elements is impossible")

    def content(self) -> tuple[str, ...]:
        """What feedback must keep: place, then subject and companion where there are any."""
        return tuple(x for x in (self.place, self.subject, self.companion) if x is not None)


def setting_possible(time: str, weather: str, season: str, elements: tuple[str, ...]) -> bool:
    """Whether the setting can be seen together (snow falls in winter, fireworks need the dark, ...)."""
    dark = time in ("dusk", "night")
    if weather == "snow" and season != "winter":
        return False
    if "fireworks" in elements and not dark:
        return False
    if "moon" in elements and not (dark or time == "dawn"):
        return False
    if "sunbeams" in elements and (dark or weather in ("thunderstorm", "snow")):
        return False
    if "rainbow" in elements and (time == "night" or weather in ("snow", "fog")):
        return False
    if "kites" in elements and time == "night":
        return False
    return not ("flowers" in elements and season == "winter")


def split_of(place: str, subject: str | None) -> Split:
    """The documented split: one place-subject pair in eight, by hash, is never seen in training."""
    if subject is None:
        return "train"
    digest = hashlib.sha256(f"{place}|{subject}".encode()).digest()
    return "held-out" if digest[0] % 8 == 0 else "train"


def sample_elements(rng: random.Random, time: str, weather: str, season: str) -> tuple[str, ...]:
    """Zero to two elements (three now and then) that the setting allows."""
    count = rng.choices((0, 1, 2, 3), weights=(0.22, 0.42, 0.30, 0.06))[0]
    groups = rng.sample((SKY_ELEMENTS, FAR_ELEMENTS, GROUND_ELEMENTS), count)
    picked: list[str] = []
    for group in groups:
        allowed = [e for e in group if setting_possible(time, weather, season, (e,))]
        picked.append(rng.choice(allowed))
    return tuple(e for e in ELEMENTS if e in picked)


def sample_scene(rng: random.Random, split: Split | None = "train") -> Scene:
    """A random scene of a split (None: of either). The same state of `rng` gives the same scene."""
    while True:
        place = rng.choice(PLACES)
        subject = rng.choice(SUBJECTS) if rng.random() < 0.92 else None
        companion = None
        if subject in FIGURES and rng.random() < 0.3:
            companion = rng.choice([s for s in SUBJECTS if s != subject])
        pairs = [split_of(place, s) for s in (subject, companion)]
        if split == "train" and "held-out" in pairs:
            continue
        if split == "held-out" and pairs[0] != "held-out":
            continue
        break
    return Scene(place, subject, companion, **sample_setting(rng), layout=rng.getrandbits(31))


def sample_setting(rng: random.Random) -> dict[str, Any]:
    """Time, weather, season, palette, light and elements of a random scene, as fields of `Scene`."""
    season = rng.choice(SEASONS)
    weather = rng.choice([w for w in WEATHERS if w != "snow" or season == "winter"])
    if season == "winter" and rng.random() < 0.3:
        weather = "snow"
    time = rng.choice(TIMES)
    return {
        "time": time,
        "weather": weather,
        "season": season,
        "palette": rng.choices(PALETTES, weights=(0.36, 0.16, 0.16, 0.16, 0.16))[0],
        "light": rng.choices(LIGHTS, weights=(0.5, 0.25, 0.25))[0],
        "elements": sample_elements(rng, time, weather, season),
    }
