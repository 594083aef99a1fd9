"""The grammar: what a scene consists of, which combinations are possible, how one is sampled.

A scene is a place with at most two subjects (content) in a setting (time, weather, season, palette, light, pose,
secondary elements). Feedback changes the setting only; the content stays the user's. The first subject may come in a
colour, a size and a number, which are content too.
"""

import hashlib
import random
from dataclasses import dataclass
from typing import Any, Literal

OUTDOOR_PLACES = (
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
    "island",
    "waterfall",
    "farm",
    "street",
    "harbour",
)
INDOOR_PLACES = ("bedroom", "kitchen", "cafe")
"""Rooms with a large window, through which hour, weather, season and what stands far away are seen."""
PLACES = OUTDOOR_PLACES + INDOOR_PLACES
WATER_PLACES = ("lake", "seaside", "river", "island", "harbour")
TIMES = ("dawn", "day", "sunset", "dusk", "night")
WEATHERS = ("clear", "cloudy", "overcast", "rain", "thunderstorm", "snow", "fog", "wind")
SEASONS = ("spring", "summer", "autumn", "winter")
PALETTES = ("natural", "vivid", "muted", "warm", "cold")
LIGHTS = ("even", "bright", "dim")
POSES = ("plain", "smiling", "cheering", "downcast", "asleep", "alarmed")
"""Face and bearing of the people and animals of the content: a smile, arms up, head down, eyes closed, eyes wide."""

PEOPLE = (
    "person",
    "couple",
    "child",
    "sitter",
    "runner",
    "dancer",
    "family",
    "old man",
    "baby",
)
"""`sitter` is a person at rest on the ground."""
SEVERAL = ("couple", "family")
"""Subjects that are several people already: they are sampled, said and read once, whatever number stands before."""
ANIMALS = (
    "dog",
    "cat",
    "horse",
    "bird",
    "deer",
    "wolf",
    "butterfly",
    "owl",
    "rabbit",
    "cow",
    "sheep",
    "fox",
    "bear",
    "elephant",
    "fish",
    "duck",
    "swan",
)
THINGS = (
    "car",
    "bicycle",
    "statue",
    "tent",
    "bench",
    "flower",
    "campfire",
    "fountain",
    "market stall",
    "umbrella",
)
FIGURES = PEOPLE + ANIMALS + THINGS
"""Subjects that stand in front."""
STRUCTURES = (
    "house",
    "lighthouse",
    "windmill",
    "church",
    "castle",
    "tree",
    "train",
    "boat",
    "palm",
    "bridge",
    "tower",
    "skyscraper",
    "ship",
    "bus",
    "truck",
    "airplane",
    "hot-air balloon",
)
"""Subjects that stand in the middle ground; one may be behind a figure ("a cat by a house")."""
SUBJECTS = FIGURES + STRUCTURES
LIVING = PEOPLE + ANIMALS
"""Subjects with a face: the only ones that a pose changes."""

KINDS: dict[str, tuple[str, ...]] = {
    "person": (
        *("woman", "chef", "farmer", "king", "queen", "astronaut", "robot", "wizard", "witch", "pirate", "clown"),
        *("knight", "doctor", "police officer", "firefighter", "bride"),
    ),
    "child": ("girl", "boy"),
    "sitter": ("woman",),
    "runner": ("man",),
    "dancer": ("man",),
    "old man": ("old woman",),
    "cat": ("lion", "tiger"),
    "horse": ("zebra", "donkey", "unicorn"),
    "bird": ("gull", "crow", "parrot", "chicken", "penguin"),
    "deer": ("doe",),
    "bear": ("polar bear", "panda"),
    "car": ("taxi",),
    "bicycle": ("motorcycle",),
    "statue": ("snowman",),
    "flower": ("sunflower", "daisy"),
    "house": ("cabin",),
    "tree": ("conifer",),
    "boat": ("rowing boat",),
    "truck": ("pickup", "tractor", "fire engine"),
    "airplane": ("helicopter",),
}
"""Kinds of a subject with a drawing of their own; the subject and its effect on the emotion are the same."""

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey")
"""Colours that the first subject's main surface can take; None = its own."""
SIZES = ("small", "large")
MAX_COUNT = 3

SKY_ELEMENTS = (
    "fireworks",
    "balloons",
    "rainbow",
    "sunbeams",
    "moon",
    "tornado",
    "crows",
    "kites",
    "starry sky",
    "confetti",
    "sparks",
    "racing clouds",
    "drifting leaves",
    "rocket",
)
FAR_ELEMENTS = ("carnival", "eruption", "ruins", "cottage", "dancing crowd", "parade", "lone window")
GROUND_ELEMENTS = (
    "fire",
    "graves",
    "bare trees",
    "wreck",
    "lanterns",
    "flowers",
    "pond",
    "still water",
    "hammock",
    "sleeping cat",
    "sunlit path",
    "candles",
    "empty swing",
    "wilted flowers",
    "surf",
    "jumping children",
    "lonely figure",
    "stampede",
)
ELEMENTS = SKY_ELEMENTS + FAR_ELEMENTS + GROUND_ELEMENTS
"""Secondary elements that carry emotion; at most one from each of the three groups, and at most two in all."""
MAX_ELEMENTS = 2
INDOOR_ELEMENTS = (
    *(e for e in SKY_ELEMENTS if e != "sparks"),
    "carnival",
    "eruption",
    "ruins",
    "cottage",
    "parade",
    "lone window",
    "lonely figure",
    "sleeping cat",
    "candles",
    "lanterns",
    "flowers",
    "wilted flowers",
    "jumping children",
    "fire",
)
"""What can be seen in a room: sky and far elements through the window, a few of the others inside."""

Split = Literal["train", "held-out"]


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene. `elements` holds at most one of each group, in the order of ELEMENTS; `layout` seeds jitter.

    `colour`, `size` and `count` are those of the first subject, `kind` is its kind (`KINDS`); `pose` is that of all
    people and animals of the content, and "plain" where there are none.

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
    pose: str = "plain"
    colour: str | None = None
    size: str | None = None
    count: int = 1
    kind: str | None = None
    companion_kind: str | None = None

    def __post_init__(self) -> None:
        for value, known in (
            (self.place, PLACES),
            (self.time, TIMES),
            (self.weather, WEATHERS),
            (self.season, SEASONS),
            (self.palette, PALETTES),
            (self.light, LIGHTS),
            (self.pose, POSES),
            (self.colour, (None, *COLOURS)),
            (self.size, (None, *SIZES)),
            (self.count, range(1, MAX_COUNT + 1)),
        ):
            if value not in known:
                raise ValueError(f"{value!r} is not one of {', '.join(map(str, known))}")
        if self.subject is not None and self.subject not in SUBJECTS:
            raise ValueError(f"unknown subject {self.subject!r}")
        if self.companion is not None:
            if self.subject not in FIGURES:
                raise ValueError("a companion needs a figure as the subject")
            if self.companion not in SUBJECTS or self.companion == self.subject:
                raise ValueError(f"{self.companion!r} cannot accompany {self.subject!r}")
        if self.subject is None and (self.colour, self.size, self.count) != (None, None, 1):
            raise ValueError("colour, size and count need a subject")
        for subject, kind in ((self.subject, self.kind), (self.companion, self.companion_kind)):
            if kind is not None and kind not in KINDS.get(subject or "", ()):
                raise ValueError(f"{kind!r} is no kind of {subject!r}")
        if self.pose != "plain" and not poseable(self.subject, self.companion):
            raise ValueError("a pose needs a person or an animal")
        if tuple(e for e in ELEMENTS if e in self.elements) != self.elements:
            raise ValueError(f"elements {self.elements} are unknown, doubled or out of order")
        if len(self.elements) > MAX_ELEMENTS:
            raise ValueError(f"more than {MAX_ELEMENTS} elements")
        for group in (SKY_ELEMENTS, FAR_ELEMENTS, GROUND_ELEMENTS):
            if len([e for e in self.elements if e in group]) > 1:
                raise ValueError(f"more than one of {', '.join(group)}")
        if not setting_possible(self.time, self.weather, self.season, self.elements):
            raise ValueError("this combination of time, weather, season and elements is impossible")
        if not elements_possible(self.place, self.elements):
            raise ValueError(f"these elements cannot be seen in a {self.place}")

    def content(self) -> tuple[str, ...]:
        """What feedback must keep: place, then subject and companion where there are any."""
        return tuple(x for x in (self.place, self.subject, self.companion) if x is not None)


def scene_from_record(record: dict[str, Any]) -> Scene:
    """The inverse of dataclasses.asdict after a round trip through JSON.

    Raises:
        KeyError, TypeError, ValueError: it is not the record of a scene.
    """
    return Scene(**{**record, "elements": tuple(record["elements"])})


def poseable(subject: str | None, companion: str | None = None) -> bool:
    """Whether a pose can be seen: there is somebody with a face."""
    return subject in LIVING or companion in LIVING


def setting_possible(time: str, weather: str, season: str, elements: tuple[str, ...]) -> bool:
    """Whether the setting can be seen together (snow falls in winter, fireworks need the dark, ...)."""
    dark = time in ("dusk", "night")
    if weather == "snow" and season != "winter":
        return False
    if "fireworks" in elements and not dark:
        return False
    if "moon" in elements and not (dark or time == "dawn"):
        return False
    if "starry sky" in elements and not (dark and weather in ("clear", "wind")):
        return False
    if "sunbeams" in elements and (dark or weather in ("thunderstorm", "snow")):
        return False
    if "sunlit path" in elements and (dark or weather not in ("clear", "cloudy", "wind")):
        return False
    if "rainbow" in elements and (time == "night" or weather in ("snow", "fog")):
        return False
    if "kites" in elements and time == "night":
        return False
    if "racing clouds" in elements and weather in ("snow", "fog"):
        return False
    if "drifting leaves" in elements and season == "winter":
        return False
    if "still water" in elements and weather in ("thunderstorm", "wind", "rain", "snow"):
        return False
    return not ("flowers" in elements and season == "winter")


def elements_possible(place: str, elements: tuple[str, ...]) -> bool:
    """Whether a place has room for the elements: surf breaks on a shore, a room shows the rest through its window."""
    if "surf" in elements and place not in WATER_PLACES:
        return False
    return place not in INDOOR_PLACES or all(e in INDOOR_ELEMENTS for e in elements)


def split_of(place: str, subject: str | None) -> Split:
    """The documented split: one place-subject pair in eight, by hash, is never seen in training."""
    if subject is None:
        return "train"
    digest = hashlib.sha256(f"{place}|{subject}".encode()).digest()
    return "held-out" if digest[0] % 8 == 0 else "train"


OUTDOORS = ("meadow", "forest", "lake", "mountains", "park", "river", "garden", "island", "waterfall", "farm")
BUILT_UP = ("village", "city", "road", "street", "harbour")
USUAL_PLACES: dict[str, tuple[str, ...]] = {
    "horse": ("meadow", "forest", "lake", "mountains", "village", "park", "river", "road", "farm", "desert", "seaside"),
    "deer": ("meadow", "forest", "lake", "mountains", "park", "river", "waterfall", "road"),
    "wolf": ("meadow", "forest", "lake", "mountains", "river", "waterfall", "road", "farm"),
    "butterfly": (*OUTDOORS, "village", "road", "seaside"),
    "owl": (*OUTDOORS, "village", "road", "city"),
    "rabbit": (*OUTDOORS, "village", "bedroom"),
    "cow": ("meadow", "mountains", "village", "river", "road", "farm", "lake"),
    "sheep": ("meadow", "mountains", "village", "river", "road", "farm", "island"),
    "fox": ("meadow", "forest", "mountains", "village", "park", "river", "garden", "road", "waterfall", "farm"),
    "bear": ("meadow", "forest", "lake", "mountains", "river", "road", "waterfall"),
    "elephant": ("meadow", "forest", "lake", "river", "desert", "road", "waterfall"),
    "fish": (*WATER_PLACES, "waterfall"),
    "duck": ("lake", "river", "park", "garden", "farm", "meadow", "harbour", "waterfall"),
    "swan": ("lake", "river", "park", "garden", "harbour", "waterfall"),
    "car": (*BUILT_UP, "desert", "mountains", "seaside", "farm", "park", "forest"),
    "bicycle": (*BUILT_UP, "meadow", "forest", "lake", "seaside", "park", "river", "garden", "farm"),
    "statue": ("village", "city", "park", "garden", "street", "harbour", "island", "desert"),
    "tent": ("meadow", "forest", "lake", "seaside", "mountains", "park", "desert", "river", "island", "waterfall"),
    "bench": (*OUTDOORS, "seaside", "village", "city", "street", "harbour", "road"),
    "flower": (*OUTDOORS, "village", "desert", "bedroom", "kitchen", "cafe"),
    "campfire": ("meadow", "forest", "lake", "seaside", "mountains", "desert", "river", "island", "waterfall", "farm"),
    "fountain": ("village", "city", "park", "garden", "street"),
    "market stall": ("village", "city", "park", "street", "harbour", "seaside", "road", "farm"),
    "umbrella": ("seaside", "village", "city", "park", "garden", "road", "street", "harbour", "island", "cafe"),
    "house": (*OUTDOORS, *BUILT_UP, "seaside"),
    "lighthouse": ("lake", "seaside", "island", "harbour"),
    "windmill": ("meadow", "lake", "seaside", "mountains", "village", "river", "road", "farm", "island"),
    "church": (*OUTDOORS, *BUILT_UP, "seaside", "desert"),
    "castle": ("meadow", "forest", "lake", "seaside", "mountains", "village", "river", "garden", "island", "waterfall"),
    "tree": (*OUTDOORS, *BUILT_UP, "seaside", "desert"),
    "train": ("meadow", "forest", "lake", "seaside", "mountains", "village", "city", "desert", "river", "farm"),
    "boat": WATER_PLACES,
    "palm": (
        "seaside",
        "desert",
        "island",
        "harbour",
        "garden",
        "park",
        "lake",
        "river",
        "street",
        "city",
        "waterfall",
    ),
    "bridge": ("river", "lake", "park", "city", "mountains", "waterfall", "forest", "harbour", "road", "village"),
    "tower": ("village", "city", "mountains", "seaside", "island", "harbour", "forest", "street", "meadow", "desert"),
    "skyscraper": ("city", "street", "harbour"),
    "ship": ("seaside", "island", "harbour", "lake", "river"),
    "bus": ("village", "city", "road", "street", "harbour", "seaside", "mountains", "desert"),
    "truck": ("village", "city", "road", "street", "harbour", "desert", "farm", "mountains"),
    "airplane": ("meadow", "seaside", "mountains", "city", "desert", "road", "island", "farm", "street", "lake"),
    "hot-air balloon": (*OUTDOORS, "seaside", "village", "desert", "road", "city"),
}
"""Where a subject is met; those without an entry everywhere, rooms included."""
RARE = 0.04
"""Weight of a subject where it is not met: an elephant in a kitchen is possible, but seldom sampled."""


def plausibility(place: str, subject: str) -> float:
    """Weight of a subject in a place when contents are sampled: 1, or RARE where one does not expect it."""
    return 1.0 if place in USUAL_PLACES.get(subject, PLACES) else RARE


def sample_elements(rng: random.Random, place: str, time: str, weather: str, season: str) -> tuple[str, ...]:
    """Zero to two elements that the setting and the place allow."""
    count = rng.choices((0, 1, 2), weights=(0.22, 0.44, 0.34))[0]
    groups = rng.sample((SKY_ELEMENTS, FAR_ELEMENTS, GROUND_ELEMENTS), count)
    picked: list[str] = []
    for group in groups:
        allowed = [e for e in group if setting_possible(time, weather, season, (e,)) and elements_possible(place, (e,))]
        picked.append(rng.choice(allowed))
    return tuple(e for e in ELEMENTS if e in picked)


def sample_scene(rng: random.Random, split: Split | None = "train") -> Scene:
    """A random scene of a split (None: of either), its content as `plausibility` weighs it, its setting at random.

    The same state of `rng` gives the same scene.
    """
    while True:
        place = rng.choice(PLACES)
        likely = [plausibility(place, s) for s in SUBJECTS]
        subject = rng.choices(SUBJECTS, weights=likely)[0] if rng.random() < 0.92 else None
        companion = None
        if subject in FIGURES and rng.random() < 0.3:
            likely[SUBJECTS.index(subject)] = 0.0
            companion = rng.choices(SUBJECTS, weights=likely)[0]
        pairs = [split_of(place, s) for s in (subject, companion)]
        if split == "train" and "held-out" in pairs:
            continue
        if split == "held-out" and pairs[0] != "held-out":
            continue
        break
    looks: dict[str, Any] = {}
    if subject is not None:
        looks["colour"] = rng.choice(COLOURS) if rng.random() < 0.25 else None
        looks["size"] = rng.choice(SIZES) if rng.random() < 0.15 else None
        count = rng.choice((2, 3)) if companion is None and rng.random() < 0.2 else 1
        looks["count"] = 1 if subject in SEVERAL else count
    setting = sample_setting(rng, place, poseable(subject, companion))
    layout = rng.getrandbits(31)
    # of the layout, so that all else is as it was before there were kinds
    own = random.Random(f"{layout} kinds")
    kinds = [own.choice((None, *KINDS.get(thing or "", ()))) for thing in (subject, companion)]
    return Scene(place, subject, companion, **setting, **looks, layout=layout, kind=kinds[0], companion_kind=kinds[1])


def sample_setting(rng: random.Random, place: str, living: bool) -> dict[str, Any]:
    """Time, weather, season, palette, light, pose and elements of a random scene, as fields of `Scene`.

    Args:
        living: somebody of the content has a face, so that a pose can be seen.
    """
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
        "pose": rng.choices(POSES, weights=(0.4, 0.12, 0.12, 0.12, 0.12, 0.12))[0] if living else "plain",
        "elements": sample_elements(rng, place, time, weather, season),
    }
