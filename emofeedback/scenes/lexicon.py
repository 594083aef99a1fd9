"""The words of the scene world: which phrases name which concept. Plain tables; `captions` speaks and reads them.

The first phrase of a concept is its canonical one, used in prompt edits. Every word form below names one
concept only, which is what makes captions readable back without loss. No word here names an emotion.
"""

from emofeedback.scenes.grammar import ELEMENTS, FAR_ELEMENTS, GROUND_ELEMENTS, SKY_ELEMENTS

ASPECTS = ("time", "weather", "season", "palette", "light", "elements")
"""Aspects of the setting, in the order in which edits and captions treat them by default."""

ARTICLES = ("a", "an", "the")
AMERICAN = {"colours": "colors", "colour": "color", "colourful": "colorful", "grey": "gray", "harbour": "harbor"}
"""British spelling -> American; both are spoken and understood."""

PLACE_PHRASES: dict[str, tuple[str, ...]] = {
    "meadow": ("in a meadow", "in a field", "in the meadow", "on a pasture", "in the grassland"),
    "forest": ("in a forest", "in the forest", "in the woods", "in the woodland"),
    "lake": ("by a lake", "at the lake", "at the lakeside", "on a lake shore"),
    "seaside": ("by the sea", "at the seaside", "on the coast", "on the shore", "by the ocean", "on a beach"),
    "mountains": ("in the mountains", "among mountains", "by the mountains", "in the highlands", "on a mountain"),
    "village": ("in a village", "in the village", "in a hamlet", "in a small town"),
    "city": ("in a city", "in the city", "in a big city", "on a city street", "in a metropolis"),
    "park": ("in a park", "in the park", "in a public park", "at the park"),
    "desert": ("in the desert", "in a desert", "among dunes", "in the sand dunes"),
    "river": ("by a river", "by the river", "on a riverbank", "by a stream"),
    "garden": ("in a garden", "in the garden", "in a backyard", "in a yard"),
    "road": ("on a road", "by the road", "on a country road", "by the roadside", "on a lane"),
}
SUBJECT_PHRASES: dict[str, tuple[str, ...]] = {
    "person": ("a person", "a man", "a woman", "someone", "a walker"),
    "couple": ("a couple", "two people", "a man and a woman", "a pair of people"),
    "child": ("a child", "a boy", "a girl", "a kid", "a small child"),
    "dog": ("a dog", "a hound", "a small dog", "a brown dog"),
    "cat": ("a cat", "a tabby cat", "a small cat", "a tabby"),
    "horse": ("a horse", "a pony", "a brown horse", "a mare"),
    "bird": ("a bird", "a small bird", "a songbird", "a robin", "a sparrow"),
    "deer": ("a deer", "a stag", "a doe", "a roe deer"),
    "wolf": ("a wolf", "a grey wolf", "a timber wolf"),
    "butterfly": ("a butterfly", "a large butterfly", "a monarch butterfly"),
    "owl": ("an owl", "a barn owl", "a tawny owl"),
    "car": ("a car", "a small car", "an automobile", "an old car"),
    "bicycle": ("a bicycle", "a bike", "an old bicycle"),
    "statue": ("a statue", "a stone statue", "a sculpture", "a monument"),
    "tent": ("a tent", "a small tent", "a camping tent"),
    "bench": ("a bench", "a wooden bench", "an old bench"),
    "house": ("a house", "a home", "a small house", "a farmhouse"),
    "lighthouse": ("a lighthouse", "a tall lighthouse", "a beacon"),
    "windmill": ("a windmill", "an old windmill", "a mill"),
    "church": ("a church", "a chapel", "a small church", "an old church"),
    "castle": ("a castle", "a stone castle", "a fortress", "an old castle"),
    "tree": ("a tree", "a tall tree", "an oak tree", "an oak", "a single tree"),
    "train": ("a train", "a steam train", "a locomotive"),
    "boat": ("a boat", "a small boat", "a sailing boat", "a sailboat", "a ship"),
}
FIGURE_LINKS = ("with", "and", "next to", "beside")
"""How a figure joins the subject as its companion."""
STRUCTURE_LINKS = ("by", "near", "in front of", "beside")
"""How a structure joins the subject as its companion."""

SETTING_PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "time": {
        "dawn": ("at dawn", "at sunrise", "at daybreak", "in the early morning"),
        "day": ("by day", "at noon", "at midday", "in the daytime", "in daylight", "in the afternoon"),
        "sunset": ("at sunset", "at sundown", "during sunset", "as the sun sets"),
        "dusk": ("at dusk", "at twilight", "at nightfall", "in the evening"),
        "night": ("at night", "at midnight", "by night", "after dark", "late at night"),
    },
    "weather": {
        "clear": ("under a clear sky", "in clear weather", "under a cloudless sky", "in fair weather"),
        "cloudy": ("under a cloudy sky", "under clouds", "under scattered clouds", "in cloudy weather"),
        "overcast": ("under an overcast sky", "under a grey sky", "in overcast weather", "under heavy clouds"),
        "rain": ("in the rain", "in rain", "in heavy rain", "in pouring rain", "in rainy weather"),
        "thunderstorm": (
            "in a storm",
            "in a thunderstorm",
            "under storm clouds",
            "with lightning",
            "in stormy weather",
        ),
        "snow": ("in the snow", "in falling snow", "in heavy snow", "in snowy weather", "in a snowfall"),
        "fog": ("in fog", "in thick fog", "in the mist", "in mist", "in foggy weather"),
        "wind": ("in the wind", "in strong wind", "in a gale", "in windy weather", "in a strong breeze"),
    },
    "season": {
        "spring": ("in spring", "in springtime", "in early spring", "during spring"),
        "summer": ("in summer", "in summertime", "in high summer", "during summer"),
        "autumn": ("in autumn", "in fall", "in the fall", "in late autumn", "during autumn"),
        "winter": ("in winter", "in wintertime", "in midwinter", "during winter"),
    },
    "palette": {
        "vivid": ("in vivid colours", "in rich colours", "in strong colours", "in vivid tones"),
        "muted": ("in muted colours", "in faded colours", "in pale tones", "in muted tones"),
        "warm": ("in warm colours", "in warm tones", "in red and orange tones", "in golden tones"),
        "cold": ("in cold colours", "in cool colours", "in cold tones", "in blue tones"),
    },
    "light": {
        "bright": ("in bright light", "in strong light", "brightly lit", "in full light"),
        "dim": ("in dim light", "in low light", "dimly lit", "in faint light"),
    },
}
UNSPOKEN = {("palette", "natural"), ("light", "even")}
"""Concepts that captions and edits leave unsaid: the default look."""

CLEAR_BY_TIME: dict[str, tuple[str, ...]] = {
    "day": ("in sunshine", "in sunny weather", "under a blue sky"),
    "night": ("under the stars", "under a starry sky"),
}
"""More ways to name clear weather, each true at one time only."""

ADJECTIVES: dict[tuple[str, str], tuple[str, ...]] = {
    ("weather", "cloudy"): ("cloudy",),
    ("weather", "overcast"): ("overcast",),
    ("weather", "rain"): ("rainy",),
    ("weather", "thunderstorm"): ("stormy",),
    ("weather", "snow"): ("snowy",),
    ("weather", "fog"): ("foggy", "misty"),
    ("weather", "wind"): ("windy", "windswept"),
    ("season", "spring"): ("spring",),
    ("season", "summer"): ("summer",),
    ("season", "autumn"): ("autumn",),
    ("season", "winter"): ("winter", "wintry"),
    ("palette", "vivid"): ("colourful",),
    ("palette", "muted"): ("faded",),
    ("light", "bright"): ("bright",),
    ("light", "dim"): ("dim",),
}
"""What may stand before the noun of the place ("a foggy lake"). Clear weather has none that holds at every hour."""

ELEMENT_NOUNS: dict[str, tuple[str, ...]] = {
    "fireworks": ("fireworks", "bursting fireworks", "rockets"),
    "balloons": ("balloons", "hot air balloons", "striped balloons"),
    "rainbow": ("a rainbow", "a wide rainbow"),
    "sunbeams": ("sunbeams", "rays of sun", "sun rays", "shafts of sun"),
    "moon": ("a full moon", "the moon", "a large moon"),
    "tornado": ("a tornado", "a twister", "a large tornado"),
    "crows": ("crows", "ravens", "black crows", "a flock of crows"),
    "kites": ("kites", "flying kites", "paper kites"),
    "carnival": ("a carnival", "a fairground", "a funfair", "a ferris wheel"),
    "eruption": ("a volcano", "an erupting volcano", "a volcanic eruption"),
    "ruins": ("ruins", "old ruins", "ruined walls"),
    "cottage": ("a cottage", "a cabin", "a hut", "a small cottage"),
    "fire": ("a fire", "a burning fire", "flames", "a wildfire", "a blaze"),
    "graves": ("graves", "gravestones", "a graveyard", "tombstones"),
    "bare trees": ("bare trees", "leafless trees", "dead trees"),
    "wreck": ("a wreck", "a rusty wreck", "a smoking wreck", "wreckage"),
    "lanterns": ("lanterns", "paper lanterns", "glowing lanterns"),
    "flowers": ("flowers", "wildflowers", "blooming flowers", "blossoms"),
    "pond": ("a pond", "a small pond", "a lily pond"),
}


def element_links(element: str) -> tuple[str, ...]:
    """Prepositions that join an element; the first is the canonical one."""
    if element in SKY_ELEMENTS:
        return ("with", "under")
    return ("with", "near") if element in FAR_ELEMENTS else ("with", "beside")


def element_tail(element: str) -> str:
    """The optional words behind an element; "" for those in the foreground."""
    if element in GROUND_ELEMENTS:
        return ""
    return "in the sky" if element in SKY_ELEMENTS and element not in ("tornado", "sunbeams") else "in the distance"


TAILS = frozenset({"in the sky", "in the distance"})

ALIASES: dict[tuple[str, str], tuple[str, ...]] = {
    ("place", "village"): ("town",),
    ("place", "city"): ("downtown", "skyline", "street"),
    ("place", "forest"): ("wood", "jungle"),
    ("place", "mountains"): ("hills", "hill", "peaks", "alps"),
    ("place", "seaside"): ("seashore", "harbour", "harbor"),
    ("place", "lake"): ("lakeshore",),
    ("place", "park"): ("city park",),
    ("place", "road"): ("highway", "path", "country lane"),
    ("subject", "person"): ("people", "men", "women", "guy", "lady"),
    ("subject", "couple"): ("man and woman",),
    ("subject", "child"): ("children", "kids", "toddler"),
    ("subject", "dog"): ("puppy",),
    ("subject", "cat"): ("kitten",),
    ("subject", "bench"): ("park bench",),
    ("subject", "church"): ("cathedral", "village church"),
    ("subject", "castle"): ("palace",),
    ("subject", "boat"): ("sailing ship", "yacht"),
    ("time", "dawn"): ("dawn", "sunrise", "daybreak", "in the morning", "early morning", "morning"),
    ("time", "day"): ("noon", "midday", "daytime", "during the day", "daylight", "afternoon"),
    ("time", "sunset"): ("sunset", "sundown", "setting sun"),
    ("time", "dusk"): ("dusk", "twilight", "nightfall", "evening"),
    ("time", "night"): ("night", "midnight", "nighttime", "in the night", "in the dark", "in darkness"),
    ("weather", "clear"): (
        "clear sky",
        "clear skies",
        "clear weather",
        "blue sky",
        "sunny",
        "sunshine",
        "stars",
        "starry",
    )
    + ("sun", "sunlight", "starlight"),
    ("weather", "cloudy"): ("clouds", "cloud"),
    ("weather", "overcast"): ("grey sky", "dark clouds", "heavy clouds"),
    ("weather", "rain"): ("rain", "rainstorm", "raining", "drizzle", "downpour"),
    ("weather", "thunderstorm"): ("storm", "thunderstorm", "thunder", "lightning", "storm clouds"),
    ("weather", "snow"): ("snow", "snowfall", "snowing", "snowstorm", "blizzard"),
    ("weather", "fog"): ("fog", "mist", "haze"),
    ("weather", "wind"): ("wind", "gale", "breeze", "breezy"),
    ("season", "spring"): ("springtime",),
    ("season", "summer"): ("summertime",),
    ("season", "autumn"): ("autumnal", "fall"),
    ("season", "winter"): ("wintertime", "midwinter"),
    ("palette", "natural"): ("in natural colours", "natural colours"),
    ("palette", "vivid"): ("vivid", "vivid colours", "bright colours", "in bright colours", "saturated colours"),
    ("palette", "muted"): ("muted", "muted colours", "dull colours", "dark colours", "pale colours", "faded colours"),
    ("palette", "warm"): ("warm colours", "warm tones", "warm light", "golden light", "in warm light"),
    ("palette", "cold"): ("cold colours", "cool colours", "cold tones", "cold light", "in cold light"),
    ("light", "even"): ("in even light", "even light"),
    ("light", "bright"): ("bright light", "strong light", "well lit"),
    ("light", "dim"): ("dim light", "low light", "dark", "gloom"),
    ("elements", "moon"): ("moon", "moonlight", "moonlit", "crescent moon"),
    ("elements", "eruption"): ("eruption",),
    ("elements", "carnival"): ("fair",),
    ("elements", "graves"): ("cemetery",),
    ("elements", "fire"): ("bonfire",),
    ("elements", "sunbeams"): ("light rays", "sun beams"),
    ("elements", "wreck"): ("shipwreck", "car wreck", "wrecked car"),
}
"""Further words that are understood in a user's text but never written by a caption."""

CARRIER_NOUNS: dict[tuple[str, str], str] = {
    ("time", "day"): "daylight",
    ("weather", "clear"): "clear sky",
    ("weather", "cloudy"): "cloudy sky",
    ("weather", "overcast"): "overcast sky",
    ("weather", "thunderstorm"): "storm",
    ("palette", "natural"): "natural colours",
    ("palette", "vivid"): "vivid colours",
    ("palette", "muted"): "muted colours",
    ("palette", "warm"): "warm colours",
    ("palette", "cold"): "cold colours",
    ("light", "even"): "even light",
    ("light", "bright"): "bright light",
    ("light", "dim"): "dim light",
    ("elements", "eruption"): "volcano",
}
"""How an analysis names what carries an emotion, where the concept's own word would not do."""


def canonical_phrase(aspect: str, concept: str) -> str:
    """The one comma phrase that edits use for a concept of the setting; "" where it is left unsaid.

    Raises:
        ValueError: the aspect or the concept is unknown.
    """
    if (aspect, concept) in UNSPOKEN:
        return ""
    if aspect in ("element", "elements") and concept in ELEMENTS:
        return f"{element_links(concept)[0]} {ELEMENT_NOUNS[concept][0]}"
    try:
        return SETTING_PHRASES[aspect][concept][0]
    except KeyError:
        raise ValueError(f"no phrase for {aspect} {concept!r}; aspects are {', '.join(ASPECTS)}") from None
