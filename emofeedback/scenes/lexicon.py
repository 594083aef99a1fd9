"""The words of the scene world: which phrases name which concept. Plain tables; `captions` speaks and reads them.

The first phrase of a concept is its canonical one, used in prompt edits. Every word form below names one
concept only, which is what makes captions readable back without loss. No word here names an emotion.
"""

from emofeedback.scenes.grammar import COLOURS, ELEMENTS, FAR_ELEMENTS, GROUND_ELEMENTS, SKY_ELEMENTS

ASPECTS = ("time", "weather", "season", "palette", "light", "pose", "elements")
"""Aspects of the setting, in the order in which edits and captions treat them by default."""

ARTICLES = ("a", "an", "the")
AMERICAN = {
    "colours": "colors",
    "colour": "color",
    "coloured": "colored",
    "colourful": "colorful",
    "grey": "gray",
    "harbour": "harbor",
}
"""British spelling -> American; both are spoken and understood."""

PLACE_PHRASES: dict[str, tuple[str, ...]] = {
    "meadow": ("in a meadow", "in a field", "in the meadow", "on a pasture", "in the grassland"),
    "forest": ("in a forest", "in the forest", "in the woods", "in the woodland"),
    "lake": ("by a lake", "at the lake", "at the lakeside", "on a lake shore"),
    "seaside": ("by the sea", "at the seaside", "on the coast", "on the shore", "by the ocean", "on a beach"),
    "mountains": ("in the mountains", "among mountains", "by the mountains", "in the highlands", "on a mountain"),
    "village": ("in a village", "in the village", "in a hamlet", "in a small town"),
    "city": ("in a city", "in the city", "in a big city", "in a metropolis"),
    "park": ("in a park", "in the park", "in a public park", "at the park"),
    "desert": ("in the desert", "in a desert", "among dunes", "in the sand dunes"),
    "river": ("by a river", "by the river", "on a riverbank", "by a stream"),
    "garden": ("in a garden", "in the garden", "in a backyard", "in a yard"),
    "road": ("on a road", "by the road", "on a country road", "by the roadside", "on a lane"),
    "island": ("on an island", "on the island", "on a tropical island", "on an islet"),
    "waterfall": ("by a waterfall", "at the waterfall", "below a waterfall", "near a waterfall"),
    "farm": ("on a farm", "at the farm", "on farmland", "in a farmyard"),
    "street": ("on a street", "in the street", "on a city street", "in an alley"),
    "harbour": ("in a harbour", "at the harbour", "in a port", "at the docks"),
    "bedroom": ("in a bedroom", "in the bedroom", "in a guest room", "in a sleeping room"),
    "kitchen": ("in a kitchen", "in the kitchen", "in a farm kitchen", "in a country kitchen"),
    "cafe": ("in a cafe", "at the cafe", "in a coffee shop", "in a coffee house"),
}
SUBJECT_PHRASES: dict[str, tuple[str, ...]] = {
    "person": ("a person", "a man", "a woman", "a walker", "someone"),
    "couple": ("a couple", "a young couple", "a married couple", "a man and a woman"),
    "child": ("a child", "a boy", "a girl", "a kid"),
    "sitter": ("a seated person", "a sitting person", "a seated man", "a seated woman"),
    "runner": ("a runner", "a jogger", "a running man", "a running woman"),
    "dancer": ("a dancer", "a dancing man", "a dancing woman", "a ballerina"),
    "family": ("a family", "a young family", "parents with children"),
    "old man": ("an old man", "an elderly man", "a grandfather", "a bearded old man", "an old woman"),
    "baby": ("a baby", "an infant", "a newborn baby"),
    "dog": ("a dog", "a hound", "a sheepdog", "a shaggy dog"),
    "cat": ("a cat", "a tabby cat", "a house cat", "a tabby"),
    "horse": ("a horse", "a saddle horse", "a mare", "a stallion"),
    "bird": ("a bird", "a songbird", "a robin", "a sparrow"),
    "deer": ("a deer", "a stag", "a doe", "a roe deer"),
    "wolf": ("a wolf", "a wild wolf", "a timber wolf"),
    "butterfly": ("a butterfly", "a monarch butterfly", "a swallowtail"),
    "owl": ("an owl", "a barn owl", "a tawny owl"),
    "rabbit": ("a rabbit", "a hare", "a bunny", "a wild rabbit"),
    "cow": ("a cow", "a dairy cow", "a bull", "an ox"),
    "sheep": ("a sheep", "a ewe", "a ram", "a woolly sheep"),
    "fox": ("a fox", "a wild fox", "a vixen"),
    "bear": ("a bear", "a wild bear", "a grizzly bear"),
    "elephant": ("an elephant", "a wild elephant", "an african elephant"),
    "fish": ("a fish", "a trout", "a carp", "a salmon"),
    "duck": ("a duck", "a wild duck", "a mallard"),
    "swan": ("a swan", "a wild swan", "a mute swan"),
    "car": ("a car", "an automobile", "an old car", "a motor car"),
    "bicycle": ("a bicycle", "a bike", "an old bicycle"),
    "statue": ("a statue", "a stone statue", "a sculpture", "a monument"),
    "tent": ("a tent", "a camping tent", "a canvas tent"),
    "bench": ("a bench", "a wooden bench", "an old bench"),
    "flower": ("a flower", "a tulip", "a rose", "a daisy"),
    "campfire": ("a campfire", "a camp fire", "a bonfire", "a log fire"),
    "fountain": ("a fountain", "a stone fountain", "a water fountain"),
    "market stall": ("a market stall", "a fruit stall", "a market stand", "a food stall"),
    "umbrella": ("an umbrella", "a parasol", "an open umbrella"),
    "house": ("a house", "a home", "a family house", "a farmhouse"),
    "lighthouse": ("a lighthouse", "an old lighthouse", "a beacon"),
    "windmill": ("a windmill", "an old windmill", "a mill"),
    "church": ("a church", "a chapel", "a stone church", "an old church"),
    "castle": ("a castle", "a stone castle", "a fortress", "an old castle"),
    "tree": ("a tree", "an oak tree", "an oak", "a single tree"),
    "train": ("a train", "a steam train", "a locomotive"),
    "boat": ("a boat", "a rowing boat", "a sailing boat", "a sailboat"),
    "palm": ("a palm tree", "a palm", "a coconut palm"),
    "bridge": ("a bridge", "a stone bridge", "a footbridge"),
    "tower": ("a tower", "a stone tower", "a clock tower"),
    "skyscraper": ("a skyscraper", "a high-rise", "an office tower"),
    "ship": ("a ship", "a cruise ship", "a steamship", "an ocean liner"),
    "bus": ("a bus", "an old bus", "a coach"),
    "truck": ("a truck", "a lorry", "a pickup truck"),
    "airplane": ("an airplane", "a plane", "an aeroplane", "a jet plane"),
    "hot-air balloon": ("a hot-air balloon", "a striped hot-air balloon", "an air balloon"),
}
UNCOUNTED = frozenset({"someone", "a man and a woman", "parents with children"})
"""Subject phrases that take neither a number nor an adjective."""
FIGURE_LINKS = ("with", "and", "next to", "beside")
"""How a figure joins the subject as its companion."""
STRUCTURE_LINKS = ("by", "near", "in front of", "beside")
"""How a structure joins the subject as its companion."""

COLOUR_WORDS: dict[str, tuple[str, ...]] = {colour: (colour,) for colour in COLOURS} | {
    "purple": ("purple", "violet"),
}
SIZE_WORDS: dict[str, tuple[str, ...]] = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
COUNT_WORDS: dict[int, tuple[str, ...]] = {2: ("two", "a pair of"), 3: ("three", "a group of")}
"""How a caption says colour, size and number of the first subject."""
POSE_ADJECTIVES: dict[str, tuple[str, ...]] = {
    "smiling": ("smiling", "grinning"),
    "cheering": ("cheering",),
    "asleep": ("sleeping",),
    "alarmed": ("wide-eyed",),
}
"""What may stand before the first subject in place of the pose's comma phrase."""

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
    "pose": {
        "smiling": ("smiling", "with a smile", "with a broad smile", "smiling broadly"),
        "cheering": ("with arms raised", "with raised arms", "with both arms up", "cheering"),
        "downcast": ("with bowed head", "with lowered head", "with head down", "looking down"),
        "asleep": ("fast asleep", "asleep", "sound asleep", "with closed eyes"),
        "alarmed": ("with wide eyes", "with wide open eyes", "with eyes wide open", "with staring eyes"),
    },
}
UNSPOKEN = {("palette", "natural"), ("light", "even"), ("pose", "plain")}
"""Concepts that captions and edits leave unsaid: the default look."""

CLEAR_BY_TIME: dict[str, tuple[str, ...]] = {"day": ("in sunshine", "in sunny weather", "under a blue sky")}
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
    "fireworks": ("fireworks", "bursting fireworks", "exploding fireworks"),
    "balloons": ("balloons", "party balloons", "toy balloons"),
    "rainbow": ("a rainbow", "a wide rainbow", "a double rainbow"),
    "sunbeams": ("sunbeams", "rays of sun", "sun rays", "shafts of sun"),
    "moon": ("a full moon", "the moon", "a large moon"),
    "tornado": ("a tornado", "a twister", "a whirlwind"),
    "crows": ("crows", "ravens", "a flock of crows"),
    "kites": ("kites", "flying kites", "paper kites"),
    "starry sky": ("a starry sky", "a sky full of stars", "the stars", "many stars"),
    "confetti": ("confetti", "falling confetti", "paper confetti"),
    "sparks": ("sparks", "flying sparks", "glowing sparks"),
    "racing clouds": ("racing clouds", "rushing clouds", "fast clouds"),
    "drifting leaves": ("drifting leaves", "falling leaves", "blowing leaves"),
    "rocket": ("a rocket launch", "a launching rocket", "a space rocket"),
    "carnival": ("a carnival", "a fairground", "a funfair", "a ferris wheel"),
    "eruption": ("a volcano", "an erupting volcano", "a volcanic eruption"),
    "ruins": ("ruins", "old ruins", "ruined walls"),
    "cottage": ("a cottage", "a cabin", "a hut", "a small cottage"),
    "dancing crowd": ("a dancing crowd", "a crowd of dancers", "dancing people"),
    "parade": ("a parade", "a street parade", "a procession"),
    "lone window": ("a lone lit window", "a single lit window", "one lit window"),
    "fire": ("a fire", "a burning fire", "flames", "a wildfire", "a blaze"),
    "graves": ("graves", "gravestones", "a graveyard", "tombstones"),
    "bare trees": ("bare trees", "leafless trees", "dead trees"),
    "wreck": ("a wreck", "a rusty wreck", "a smoking wreck", "wreckage"),
    "lanterns": ("lanterns", "paper lanterns", "glowing lanterns"),
    "flowers": ("flowers", "wildflowers", "blooming flowers", "blossoms"),
    "pond": ("a pond", "a small pond", "a lily pond"),
    "still water": ("still water", "smooth water", "glassy water"),
    "hammock": ("a hammock", "a hanging hammock", "a rope hammock"),
    "sleeping cat": ("a sleeping cat", "a dozing cat", "a napping cat"),
    "sunlit path": ("a sunlit path", "a sunlit trail", "a sunlit walkway"),
    "candles": ("candles", "burning candles", "lit candles"),
    "empty swing": ("an empty swing", "a vacant swing", "an unused swing"),
    "wilted flowers": ("wilted flowers", "withered flowers", "drooping flowers"),
    "surf": ("breaking waves", "crashing waves", "surf"),
    "jumping children": ("jumping children", "leaping children", "playing children"),
    "lonely figure": ("a hunched figure", "a huddled figure", "a slumped figure"),
    "stampede": ("a stampede", "stampeding horses", "galloping wild horses"),
}


def element_links(element: str) -> tuple[str, ...]:
    """Prepositions that join an element; the first is the canonical one."""
    if element == "starry sky":
        return ("under", "with")
    if element in ("confetti", "sparks", "drifting leaves"):
        return ("with", "amid")
    if element in SKY_ELEMENTS:
        return ("with", "under")
    return ("with", "near") if element in FAR_ELEMENTS else ("with", "beside")


def element_tail(element: str) -> str:
    """The optional words behind an element; "" for those in the foreground."""
    if element in GROUND_ELEMENTS or element in ("starry sky", "confetti", "sparks", "drifting leaves"):
        return ""
    return (
        "in the sky"
        if element in SKY_ELEMENTS and element not in ("tornado", "sunbeams", "rocket")
        else "in the distance"
    )


TAILS = frozenset({"in the sky", "in the distance"})

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
    ("elements", "lone window"): "lit window",
    ("pose", "plain"): "plain bearing",
    ("pose", "smiling"): "smile",
    ("pose", "cheering"): "raised arms",
    ("pose", "downcast"): "bowed head",
    ("pose", "asleep"): "closed eyes",
    ("pose", "alarmed"): "wide eyes",
    ("subject", "sitter"): "seated person",
    ("subject", "old man"): "old person",
}
"""How an analysis names what carries an emotion, where the concept's own word would not do."""


def seen_noun(word: str) -> str:
    """How a page or a terminal names what a judge answers in one word: "sitter" is a seated person."""
    return CARRIER_NOUNS.get(("subject", word), word)


def canonical_phrase(aspect: str, concept: str, room: bool = False) -> str:
    """The one comma phrase that edits use for a concept of the setting; "" where it is left unsaid.

    Args:
        room: it is seen from a room, where nobody stands in the rain: "in rainy weather".

    Raises:
        ValueError: the aspect or the concept is unknown.
    """
    if (aspect, concept) in UNSPOKEN:
        return ""
    if aspect in ("element", "elements") and concept in ELEMENTS:
        return f"{element_links(concept)[0]} {ELEMENT_NOUNS[concept][0]}"
    try:
        phrases = SETTING_PHRASES[aspect][concept]
        weathers = [phrase for phrase in phrases if aspect == "weather" and phrase.endswith("weather")]
        return weathers[0] if room and weathers else phrases[0]
    except KeyError:
        raise ValueError(f"no phrase for {aspect} {concept!r}; aspects are {', '.join(ASPECTS)}") from None


def split_place(phrase: str) -> tuple[str, str, str]:
    """'by the sea' -> ('by', 'the', 'sea'); the article is '' where there is none."""
    link, rest = phrase.split(" ", 1)
    head, _, tail = rest.partition(" ")
    return (link, head, tail) if head in ARTICLES else (link, "", rest)
