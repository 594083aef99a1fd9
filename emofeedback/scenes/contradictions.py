"""What would contradict a prompt's words though it names no such aspect: a crowd at a lonely bench, sleep at a gallop.

Advice must not add it. Words of the prompt's own that contradict each other are the user's affair.
"""

from functools import lru_cache

from emofeedback.scenes.everyday import listed
from emofeedback.scenes.grammar import ANIMALS, PEOPLE, WATER_PLACES
from emofeedback.scenes.reading import Match, read

Key = tuple[str, str]
"""(aspect, concept); the aspects are those of `Mentions.phrases`."""


def _elements(*names: str) -> frozenset[Key]:
    return frozenset(("elements", name) for name in names)


def _poses(*names: str) -> frozenset[Key]:
    return frozenset(("pose", name) for name in names)


CROWDS = _elements("dancing crowd", "parade", "jumping children", "carnival", "stampede")
DARK = frozenset({("time", "night"), ("time", "dusk")}) | _elements("moon", "starry sky", "fireworks")

WORDS: tuple[tuple[frozenset[str], frozenset[Key]], ...] = tuple(
    (frozenset(listed(words)), keys)
    for words, keys in (
        (
            """lonely, lone, lonesome, solitary, alone, deserted, empty, abandoned, forgotten, isolated, quiet, silent,
            silence, solitude, loneliness, nobody""",
            CROWDS,
        ),
        (
            """sad, sadly, unhappy, melancholy, melancholic, mournful, gloomy, sombre, somber, forlorn, angry, furious,
            lonely, worried, tired, weary, desperate, sorrow, grief, sadness""",
            _poses("smiling", "cheering"),
        ),
        (
            "happy, happily, joyful, joyfully, cheerful, merry, proud, proudly, playful, joy, funny, happiness",
            _poses("downcast", "alarmed") | _elements("lonely figure"),
        ),
        (
            """calm, calmly, peaceful, peacefully, tranquil, serene, relaxing, quiet, quietly, silent, lazily, gentle,
            gently""",
            _poses("cheering", "alarmed") | _elements("stampede", "rocket"),
        ),
        ("sun, sunny, sunshine, sunlight, sunlit, day, days, daytime", DARK),
        (
            "hot, heat, scorching, blazing, tropical, sunbathing, swimming, heatwave",
            frozenset({("weather", "snow"), ("season", "winter")}),
        ),
        ("freezing, frozen, icy, frosty", frozenset({("season", "summer")})),
        ("dry, drought, dusty", frozenset({("weather", "rain"), ("weather", "thunderstorm")})),
        (
            """reading, holding, carrying, feeding, fishing, riding, driving, cooking, painting, eating, drinking,
            knitting, writing, sewing, rowing, digging, baking, washing, hugging, kissing, embracing, praying""",
            _poses("cheering"),
        ),
        ("umbrella, umbrellas, parasol, parasols", _poses("asleep", "cheering")),
    )
)
"""Words of a prompt, and what none of them goes with."""

DENIED: dict[Key, frozenset[Key]] = {
    ("subject", "person"): _elements("dancing crowd", "parade", "jumping children", "lonely figure"),
    ("subject", "horse"): _elements("stampede"),
    ("subject", "child"): _elements("jumping children"),
    ("subject", "cat"): _elements("sleeping cat"),
    ("subject", "bird"): _elements("crows"),
    ("subject", "house"): _elements("cottage", "lone window"),
    ("subject", "tree"): _elements("bare trees"),
    ("subject", "flower"): _elements("flowers", "wilted flowers"),
    ("elements", "flowers"): _elements("wilted flowers"),
    ("weather", "cloudy"): frozenset({("weather", "overcast"), ("weather", "thunderstorm")})
    | _elements("racing clouds"),
    ("weather", "rain"): frozenset({("weather", "thunderstorm")}),
}
"""What else a denied thing rules out: where nobody is to be seen there is no parade."""

THERE: dict[str, frozenset[Key]] = {
    "house": _elements("cottage"),
    "flower": _elements("flowers"),
    "cat": _elements("sleeping cat"),
    "child": _elements("jumping children"),
    "dancer": _elements("dancing crowd"),
    "campfire": _elements("fire"),
    "road": _elements("sunlit path"),
    "street": _elements("sunlit path"),
    **{vehicle: _elements("sunlit path") for vehicle in ("train", "bus", "truck", "car")},
    **{place: _elements("pond") for place in (*WATER_PLACES, "waterfall")},
}
"""Elements that say once more what a subject or a place is."""

AWAKE = frozenset(
    listed("""
        walks, runs, jumps, plays, dances, gallops, reads, swims, flies, sings, howls, hunts, chases, climbs, rides,
        works, fishes, eats, drinks, cooks, waits, watches, looks, waves, rows, sails, stands, strolls, awake
    """)
)
RESTFUL = frozenset(
    listed("""
        sleeping, resting, lying, dozing, napping, relaxing, sitting, snoozing, slumbering, dreaming, lounging,
        sunbathing, leaning, morning, evening, building, king, ring, spring, wing, thing, string, ceiling, lightning,
        painting, drawing, swing, wedding, being, something, nothing, everything, duckling, living, dining
    """)
)
"""Words in -ing that nobody must be awake for."""


@lru_cache(maxsize=1024)
def contradicted(prompt: str) -> frozenset[Key]:
    """What advice must not add to a prompt: what it clashes with, and what there are no good words for."""
    subjects = set(read(prompt).mentions.subjects)
    if subjects & set(ANIMALS) and not subjects & set(PEOPLE):
        return clashing(prompt) | {("pose", "cheering")}  # "with arms raised" is nothing to say of a fox
    return clashing(prompt)


@lru_cache(maxsize=1024)
def clashing(prompt: str) -> frozenset[Key]:
    """What a prompt denies, what its words do not go with, what is there already."""
    reading = read(prompt)
    said, words = reading.mentions, frozenset(reading.words)
    barred = set(said.denied)
    for key in said.denied:
        barred |= DENIED.get(key, frozenset())
    for some, keys in WORDS:
        if some & words:
            barred |= keys
    for concept in (said.place, *said.subjects):
        barred |= THERE.get(concept or "", frozenset())
    if {"runner", "dancer"} & set(said.subjects):
        barred |= _poses("downcast", "alarmed")  # who hangs the head or cowers neither runs nor dances
    if {"runner", "dancer"} & set(said.subjects) or _acts(reading.words, reading.matches):
        barred.add(("pose", "asleep"))
    return frozenset(barred)


def _acts(words: tuple[str, ...], matches: tuple[Match, ...]) -> bool:
    """Whether somebody does something that nobody does asleep."""
    named = {at for match in matches for at in range(match.start, match.end)}
    return any(
        word in AWAKE or (word.endswith("ing") and len(word) > 4 and word not in RESTFUL)
        for at, word in enumerate(words)
        if at not in named
    )
