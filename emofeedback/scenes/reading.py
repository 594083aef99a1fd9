"""Reading: which concepts a text names. The captions' own phrases, everyday words and WordNet's nouns are known."""

import csv
import functools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from emofeedback.scenes.everyday import (
    ACTIONS,
    ALIASES,
    AMBIGUOUS,
    COLOURS_TYPED,
    COUNTS_TYPED,
    CROWDS,
    DOINGS,
    DONE_BY_PEOPLE,
    FILLERS,
    FUNCTION,
    KIND_WORDS,
    NEGATIONS,
    PAIRS,
    SIZES_TYPED,
    STYLE_WORDS,
    STYLES,
    YOUNG,
    listed,
)
from emofeedback.scenes.grammar import ELEMENTS, KINDS, LIVING, PEOPLE, SEVERAL
from emofeedback.scenes.lexicon import (
    ADJECTIVES,
    AMERICAN,
    ARTICLES,
    CLEAR_BY_TIME,
    COLOUR_WORDS,
    COUNT_WORDS,
    ELEMENT_NOUNS,
    PLACE_PHRASES,
    POSE_ADJECTIVES,
    SETTING_PHRASES,
    SIZE_WORDS,
    SUBJECT_PHRASES,
    TAILS,
    split_place,
)

WORDS = Path(__file__).with_name("words.csv")
BRITISH = {american: british for british, american in AMERICAN.items()}
IRREGULAR_PLURALS = {
    "child": "children",
    "person": "people",
    "deer": "deer",
    "sheep": "sheep",
    "fish": "fish",
    "trout": "trout",
    "carp": "carp",
    "salmon": "salmon",
    "goose": "geese",
    "mouse": "mice",
    "ox": "oxen",
    "foot": "feet",
    "bison": "bison",
    "roof": "roofs",
    "someone": "someone",
    "infant": "infants",
    "aircraft": "aircraft",
}
LINKS = frozenset(
    listed("in, at, under, with, by, on, near, beside, among, during, behind, amid, through, beneath, over")
)
MODIFIERS = frozenset(
    listed("heavy, light, strong, thick, small, big, large, old, full, some, many, late, early, bright, pouring")
)
PLAIN_WORDS = LINKS | frozenset(ARTICLES) | frozenset(listed("and, or, of, to, next, as, while, where, is, are"))
"""Words before which a noun is no adjunct of another: 'the fog and the sea'."""
BUILDING = frozenset(("building", word) for word in (*ARTICLES, *listed("his, her, their, sandcastles, snowmen")))
"""What is no house: 'children building a sandcastle'."""
HEADS: dict[str, tuple[str, str | None]] = {
    "cottage": ("house", None),
    "sleeping cat": ("cat", "asleep"),
    "jumping children": ("child", "cheering"),
    "dancing crowd": ("dancer", None),
    "flowers": ("flower", None),
    "lonely figure": ("person", "downcast"),
    "stampede": ("horse", None),
}
"""Elements that are the subject, with a pose, where they head the sentence: 'a cottage by a lake'."""
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s'’-]")
_COLOUR_PAIRS = (("black", "and", "white"), ("in", "black", "and", "white"))
_BREAK = frozenset(".,;:!?()|/\n")


@dataclass(frozen=True, slots=True)
class Sense:
    """What a phrase of the table names; `size`, `count`, `pose` and `kind` come with it ("kitten", "crowd")."""

    aspect: str
    concept: str
    size: str | None = None
    count: int | None = None
    pose: str | None = None
    kind: str | None = None

    def key(self) -> tuple[str, str]:
        return self.aspect, self.concept


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase of a text: its own words [start, end), and with link, article and tail [left, right)."""

    start: int
    end: int
    left: int
    right: int
    sense: Sense


@dataclass(frozen=True, slots=True)
class Mentions:
    """What a text names. Of contradicting words for one aspect the first counts; `subjects` are in text order.

    colour, size and count are those of the first subject, None where they are not said. `denied` is what the text
    wants not to see ("no clouds"). kinds maps subjects to their kind, where one is said. phrases maps (aspect,
    concept) to the words of the text that name it; its aspects are those of ASPECTS and "place" and "subject".
    """

    place: str | None = None
    subjects: tuple[str, ...] = ()
    time: str | None = None
    weather: str | None = None
    season: str | None = None
    palette: str | None = None
    light: str | None = None
    pose: str | None = None
    elements: tuple[str, ...] = ()
    colour: str | None = None
    size: str | None = None
    count: int | None = None
    denied: tuple[tuple[str, str], ...] = ()
    kinds: dict[str, str] = field(default_factory=dict)
    phrases: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text taken apart: its tokens, the phrases found and which tokens are understood."""

    text: str
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    matches: tuple[Match, ...]
    known: tuple[bool, ...]
    mentions: Mentions


def parse(text: str) -> Mentions:
    """The concepts that a caption or a user's words name: at each word the longest known phrase counts."""
    return read(text).mentions


@functools.lru_cache(maxsize=4096)
def read(text: str) -> Reading:
    """A text taken apart."""
    tokens = [(normal_word(m[0]), m.span()) for m in _TOKEN.finditer(text)]
    words = tuple(word for word, _ in tokens)
    spans = tuple(span for _, span in tokens)
    styled = _styled(words)
    found = [m for m in _matches(words) if not styled[m.start]]
    hidden = _denied(words)
    shown = [m for m in found if not hidden[m.start]]
    shown = _acted(words, _headed(words, shown))
    looks, extra = _looks(words, shown)
    # of two places side by side the second is meant: "a mountain village"
    starts = {m.start for m in shown if m.sense.aspect == "place"}
    shown = [m for m in shown if m.sense.aspect != "place" or m.end not in starts]
    # who is building a boat stands beside no building
    shown = [m for m in shown if words[m.start : m.end + 1] not in BUILDING]
    # a sleeping village is nobody who sleeps
    nouns = [m for m in shown if m.sense.aspect in ("place", "subject", "elements")]
    lifeless = {m.start for m in nouns if m.sense.concept not in LIVING}
    shown = [m for m in shown if m.sense.aspect != "pose" or m.end - m.start > 1 or m.end not in lifeless]
    phrases: dict[tuple[str, str], str] = {}
    for match in shown:
        phrases.setdefault(match.sense.key(), _written(text, spans, match.left, match.right))
    for match in shown:
        if match.sense.pose is not None and not any(aspect == "pose" for aspect, _ in phrases):
            phrases["pose", match.sense.pose] = _written(text, spans, match.start, match.end)
    kinds: dict[str, str] = {}
    for match in shown:
        if match.sense.aspect == "subject" and match.sense.kind is not None:
            kinds.setdefault(match.sense.concept, match.sense.kind)
    first: dict[str, str] = {}
    for aspect, concept in phrases:
        first.setdefault(aspect, concept)
    known = [word in plain_words() or not word[:1].isalnum() or word.endswith("'s") for word in words]
    for match in found:
        known[match.left : match.right] = [True] * (match.right - match.left)
    for at in extra:
        known[at] = True
    known = [is_known or is_style for is_known, is_style in zip(known, styled, strict=True)]
    denied = {m.sense.key() for m in found if hidden[m.start]} - set(phrases)
    mentions = Mentions(
        place=first.get("place"),
        subjects=tuple(concept for aspect, concept in phrases if aspect == "subject"),
        time=first.get("time"),
        weather=first.get("weather"),
        season=first.get("season"),
        palette=first.get("palette"),
        light=first.get("light"),
        pose=first.get("pose"),
        elements=tuple(e for e in ELEMENTS if ("elements", e) in phrases),
        colour=looks.get("colour"),
        size=looks.get("size"),
        count=int(looks["count"]) if "count" in looks else None,
        denied=tuple(sorted(denied)),
        kinds=kinds,
        phrases=phrases,
    )
    known = [is_known or hidden_here for is_known, hidden_here in zip(known, hidden, strict=True)]
    return Reading(text, words, spans, tuple(shown), tuple(known), mentions)


def doings(text: str) -> tuple[tuple[str, ...], ...]:
    """Where one expects what is done in a text: for each deed or thing of `DOINGS` the places, not those ruled out."""
    reading, table = read(text), _doings()
    words, denied = reading.words, _denied(reading.words)
    somebody = any(match.sense.concept in PEOPLE for match in reading.matches)
    found = []
    for at in range(len(words)):
        for end in range(min(len(words), at + 3), at, -1):
            places = table.get(words[at:end])
            if places is None or denied[at] or _within_a_thing(reading.matches, at, end):
                continue
            if somebody or words[at:end] not in _done_by_people():
                found.append(places)
            break
    return tuple(dict.fromkeys(found))


def _within_a_thing(matches: Sequence[Match], start: int, end: int) -> bool:
    """Whether tokens are a part of a longer name that is understood: the shepherd of a German shepherd."""
    return any(match.start <= start and end <= match.end and end - start < match.end - match.start for match in matches)


@functools.cache
def _done_by_people() -> frozenset[tuple[str, ...]]:
    return frozenset(tokens_of(word) for word in DONE_BY_PEOPLE)


@functools.cache
def _doings() -> dict[tuple[str, ...], tuple[str, ...]]:
    return {tokens_of(word): places for word, places in DOINGS.items()}


def _written(text: str, spans: tuple[tuple[int, int], ...], left: int, right: int) -> str:
    """The text of some tokens; a word with a hyphen is one word ("storm-beaten")."""
    while left > 0 and text[spans[left - 1][1] : spans[left][0]] == "-":
        left -= 1
    while right < len(spans) and text[spans[right - 1][1] : spans[right][0]] == "-":
        right += 1
    return text[spans[left][0] : spans[right - 1][1]]


def _matches(words: tuple[str, ...]) -> Iterator[Match]:
    table, longest = _table()
    at, free = 0, 0  # free: first token that no earlier phrase has taken
    while at < len(words):
        look = _look_at(words, at)
        for length in range(min(longest, len(words) - at), 0, -1):
            sense = table.get(words[at : at + length])
            if sense is None or (length == 1 and words[at] == "home" and at and _homeward(words[at - 1])):
                continue
            if look > length or (words[at : at + length] in _COLOUR_PAIRS and not _ends(words, at + length)):
                continue
            left, right = at, at + length
            if sense.aspect not in ("place", "subject"):
                left, right = _widen(words, left, right, free)
            yield Match(at, at + length, left, right, sense)
            at = free = right
            break
        else:
            at += 1


def _look_at(words: tuple[str, ...], at: int) -> int:
    """How many words of a colour, size or number of several words stand here: 'dark blue', 'couple of'."""
    table, longest = _look_table()
    return next((n for n in range(min(longest, len(words) - at), 1, -1) if words[at : at + n] in table), 0)


def _ends(words: tuple[str, ...], at: int) -> bool:
    """Whether no noun follows: what stands before one is said of it ('a black and white cat')."""
    return at >= len(words) or not words[at][0].isalnum() or words[at] in PLAIN_WORDS or words[at] in STYLE_WORDS


def _homeward(word: str) -> bool:
    """Whether "home" behind a word is a direction and no house: 'walking [home]'."""
    return word.endswith("ing") or word in (
        "way",
        "walk",
        "walks",
        "come",
        "comes",
        "go",
        "goes",
        "heads",
        "back",
        "ride",
    )


def _styled(words: tuple[str, ...]) -> list[bool]:
    """Tokens of "in the style of Van Gogh" and "oil painting": no van and no oil is meant."""
    out = [False] * len(words)
    styles, longest = _styles()
    for at in range(len(words)):
        if words[at : at + 2] == ("style", "of"):
            end = at + 2
            while end < len(words) and words[end] not in _BREAK:
                out[end] = True
                end += 1
        for length in range(longest, 0, -1):
            if words[at : at + length] in styles:
                out[at : at + length] = [True] * len(words[at : at + length])
                break
    return out


@functools.cache
def _styles() -> tuple[frozenset[tuple[str, ...]], int]:
    styles = frozenset(map(tokens_of, STYLES))
    return styles, max(map(len, styles))


def _widen(words: tuple[str, ...], start: int, end: int, free: int) -> tuple[int, int]:
    """Take in the link, article and modifier before a noun and the tail behind it: 'in a light [rain]'.

    A word that stands before another noun ('a [winter] forest') stays alone.
    """
    if " ".join(words[end : end + 3]) in TAILS:
        end += 3
    if words[start] in LINKS or (end < len(words) and words[end][:1].isalnum() and words[end] not in PLAIN_WORDS):
        return start, end
    left = start
    if left > free and words[left - 1] in MODIFIERS:
        left -= 1
    if left > free and words[left - 1] in ARTICLES:
        left -= 1
    if left > free and words[left - 1] in LINKS:
        return left - 1, end
    return start, end


def _denied(words: tuple[str, ...]) -> list[bool]:
    """Which tokens a negation rules out: 'without [people or clouds]', 'not [a dog] but a cat'."""
    out = [False] * len(words)
    at = 0
    while at < len(words):
        if words[at] not in NEGATIONS or words[at + 1 : at + 2] in (("longer",), ("one",), ("doubt",), ("only",)):
            at += 1
            continue
        end = at + 1
        while end < len(words):
            word, after = words[end], words[end + 1 : end + 2]
            if word in _BREAK or word in ("but", "just", "with", "under", "by", "at", "while"):
                break
            if word in LINKS and end > at + 1 and word not in ("of",):
                break
            if word == "and" and after and after[0] in (*ARTICLES, "with", "one", "two"):
                break
            end += 1
        out[at + 1 : end] = [True] * (end - at - 1)
        at = end
    return out


def _headed(words: tuple[str, ...], matches: list[Match]) -> list[Match]:
    """Elements that head the sentence as its subject, where nobody else is there."""
    for at, match in enumerate(matches):
        # "two flowers": a number makes a subject of what else is an element
        flowers = match.sense.key() == ("elements", "flowers") and words[match.start : match.end] == ("flowers",)
        if flowers and "count" in _left_looks(words, match.start)[0] and words[match.start - 1] != "some":
            matches[at] = Match(match.start, match.end, match.start, match.end, Sense("subject", "flower"))
    if any(m.sense.aspect == "subject" for m in matches):
        return matches
    for at, match in enumerate(matches):
        if match.sense.aspect != "elements" or match.sense.concept not in HEADS:
            continue
        left = match.start
        while left > 0 and (words[left - 1] in noun_modifiers() or words[left - 1].endswith("'s")):
            left -= 1
        before = words[left - 1] if left > 0 else ""
        styled = left > 1 and (words[left - 2] in STYLE_WORDS or words[left - 2 : left - 1] == ("art",))
        of_place = before == "of" and left > 1 and not styled
        if before in LINKS or before in ("between", "above", "below", "and", "around", "from") or of_place:
            continue
        subject, pose = HEADS[match.sense.concept]
        if {"playing", "play"} & set(words[match.start : match.end]):
            pose = None  # who plays may be glad or not
        sense = Sense("subject", subject, pose=pose, kind=kind_of(subject, words[match.start : match.end]))
        return [*matches[:at], Match(match.start, match.end, match.start, match.end, sense), *matches[at + 1 :]]
    return matches


def _acted(words: tuple[str, ...], matches: list[Match]) -> list[Match]:
    """A person who runs, sits or dances is a runner, sitter or dancer."""
    starts = {m.start for m in matches if m.sense.aspect in ("subject", "place")}
    out = []
    for match in matches:
        concept = match.sense.concept
        if match.sense.key() == ("subject", "person"):
            near = [words[match.start - 1]] if match.start else []
            for at in range(match.end, min(match.end + 4, len(words))):
                if words[at] in _BREAK or at in starts or words[at] in ARTICLES or words[at] in LINKS:
                    break
                near.append(words[at])
            concept = next((ACTIONS[word] for word in near if word in ACTIONS), concept)
        if concept != match.sense.concept:
            kind = kind_of(concept, words[match.start : match.end])
            sense = replace(match.sense, concept=concept, kind=kind)
            match = Match(match.start, match.end, match.left, match.right, sense)
        out.append(match)
    return out


def _looks(words: tuple[str, ...], matches: list[Match]) -> tuple[dict[str, str], list[int]]:
    """Colour, size and count of the first subject; and the tokens before any noun that say such things."""
    looks: dict[str, str] = {}
    used: list[int] = []
    seen = False
    for match in matches:
        if match.sense.aspect not in ("subject", "place", "elements"):
            continue
        here, taken = _left_looks(words, match.start)
        used += taken
        if match.sense.aspect == "subject" and not seen:
            seen = True
            looks = {} if here is None else here
            if match.sense.size is not None:
                looks.setdefault("size", match.sense.size)
            if match.sense.count is not None:
                looks.setdefault("count", str(match.sense.count))
            if match.sense.concept in SEVERAL:
                looks.pop("count", None)
    return looks, used


def _left_looks(words: tuple[str, ...], start: int) -> tuple[dict[str, str], list[int]]:
    """What stands before a noun in its own phrase: the first colour, size and count, and where they stand."""
    table, longest = _look_table()
    looks: dict[str, str] = {}
    used: list[int] = []
    at = start
    while at > 0:
        for length in range(min(longest, at), 0, -1):
            look = table.get(words[at - length : at])
            if look is not None:
                looks[look[0]] = look[1]  # the leftmost counts: 'a black and white cat' is black
                used += range(at - length, at)
                at -= length
                break
        else:
            word = words[at - 1]
            joined = word in ("and", ",") and "colour" in looks and words[at - 2 : at - 1] in _colour_keys()
            if joined or (word in noun_modifiers() and word not in ARTICLES):
                at -= 1
            else:
                break
    return looks, used


def normal_word(word: str) -> str:
    """Lower case, British spelling, plain apostrophes, no accents."""
    lower = word.lower().replace("’", "'")
    if not lower.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c))
        lower = plain if plain.isascii() else lower
    return BRITISH.get(lower, lower)


def tokens_of(phrase: str) -> tuple[str, ...]:
    """The words of a phrase as tables hold them."""
    return tuple(normal_word(w) for w in _TOKEN.findall(phrase))


@functools.cache
def _table() -> tuple[dict[tuple[str, ...], Sense], int]:
    """Word tuple -> what it names, and the longest tuple's length."""
    table: dict[tuple[str, ...], Sense] = {}

    def enter(phrase: str, sense: Sense, number: bool = False) -> None:
        words = tokens_of(phrase)
        forms = [words, *((*words[:-1], last) for last in numbers(words[-1]))] if number else [words]
        for form in forms:
            if table.setdefault(form, sense) != sense and form == words:
                raise ValueError(f"{phrase!r} names both {sense.concept!r} and {table[form]}")

    for place, phrases in PLACE_PHRASES.items():
        for phrase in phrases:
            enter(split_place(phrase)[2], Sense("place", place))
    clear = {("weather", "clear"): tuple(phrase for phrases in CLEAR_BY_TIME.values() for phrase in phrases)}
    setting = {(a, c): phrases for a, concepts in SETTING_PHRASES.items() for c, phrases in concepts.items()}
    poses = {("pose", pose): words for pose, words in POSE_ADJECTIVES.items()}
    for group in (setting, clear, ADJECTIVES, poses):
        for (aspect, concept), phrases in group.items():
            for phrase in phrases:
                enter(phrase, Sense(aspect, concept))
    for aspect, nouns in (("subject", SUBJECT_PHRASES), ("elements", ELEMENT_NOUNS)):
        for concept, phrases in nouns.items():
            for phrase in phrases:
                head, _, rest = phrase.partition(" ")
                enter(
                    rest if head in ARTICLES else phrase,
                    Sense(aspect, concept),
                    number=concept != "crows" and phrase != "a flower",
                )
    for (aspect, concept), phrases in ALIASES.items():
        for phrase in phrases:
            table.setdefault(tokens_of(phrase), Sense(aspect, concept))
    for word, concept in YOUNG.items():
        for form in (word, plural(word)):
            table.setdefault(tokens_of(form), Sense("subject", concept, size="small"))
    for crowd, count in ((CROWDS, 3), (PAIRS, 2)):
        for word, concept in crowd.items():
            table.setdefault(tokens_of(word), Sense("subject", concept, count=count))
    weather = {tokens_of(word): None for words in ADJECTIVES.values() for word in words}
    for key, phrases in word_lists()["words"].items():
        aspect, _, concept = key.partition(":")
        sense = Sense(aspect, concept)
        for phrase in phrases:
            for form in (phrase, plural(phrase)):
                words = tokens_of(form)
                # "red oak": the colour is said of an oak; "windy city": the wind of any city
                if words[:1] not in _look_table()[0] | weather and not (len(words) == 1 and words[0] in plain_words()):
                    table.setdefault(words, sense)
    for subject, kinds in KINDS.items():
        for kind in kinds:
            for form in (kind, plural(kind)):
                table.setdefault(tokens_of(form), Sense("subject", subject))
    for (subject, kind), names in KIND_WORDS.items():
        if subject == "person" and kind != "woman":
            for name in names - AMBIGUOUS:
                for form in (name, plural(name)):
                    table.setdefault(tokens_of(form), Sense("subject", subject))
    for phrase in ("two people", "three people"):
        table.pop(tokens_of(phrase), None)
    for words, sense in table.items():
        if sense.aspect == "subject":
            table[words] = replace(sense, kind=kind_of(sense.concept, words))
    return table, max(map(len, table))


def kind_of(subject: str, words: tuple[str, ...]) -> str | None:
    """The kind of a subject that words name, None where they name it as such or a boy and a girl at once."""
    found = {kind for kind in KINDS.get(subject, ()) if set(words) & _kind_words()[subject, kind]}
    if "woman" in KINDS.get(subject, ()) and not found and words and words[-1].endswith(("woman", "women")):
        return "woman"
    if subject == "person" and len(found) == 2:
        found.discard("woman")  # a woman doctor is known by what she wears
    return found.pop() if len(found) == 1 else None


@functools.cache
def _kind_words() -> dict[tuple[str, str], frozenset[str]]:
    """`KIND_WORDS` with all plurals."""
    return {key: names | {plural(name) for name in names} for key, names in KIND_WORDS.items()}


@functools.cache
def _look_table() -> tuple[dict[tuple[str, ...], tuple[str, str]], int]:
    """Words of colour, size and number -> ("colour", "red"), and the longest one's length."""
    table: dict[tuple[str, ...], tuple[str, str]] = {}
    for aspect, tables in (
        ("colour", (COLOUR_WORDS, COLOURS_TYPED)),
        ("size", (SIZE_WORDS, SIZES_TYPED)),
        ("count", (COUNT_WORDS, COUNTS_TYPED)),
    ):
        for group in tables:
            for concept, phrases in group.items():
                for phrase in phrases:
                    table.setdefault(tokens_of(phrase), (aspect, str(concept)))
    return table, max(map(len, table))


@functools.cache
def _colour_keys() -> frozenset[tuple[str, ...]]:
    return frozenset(words for words, look in _look_table()[0].items() if look[0] == "colour" and len(words) == 1)


@functools.cache
def plain_words() -> frozenset[str]:
    """Words that are understood and drawn by nothing of their own: function words and fillers."""
    return FUNCTION | FILLERS | STYLE_WORDS | NEGATIONS


@functools.cache
def noun_modifiers() -> frozenset[str]:
    """Single words that may stand between an article and its noun, articles included."""
    adjectives = {word for words in ADJECTIVES.values() for word in words}
    poses = {part for words in POSE_ADJECTIVES.values() for word in words for part in tokens_of(word)}
    look = {words[0] for words in _look_table()[0] if len(words) == 1}
    verbs = frozenset(listed("is, are, was, were, be, been, being, am, has, have, had, do, does, did, there"))
    fillers = {word for word in FILLERS if word not in STYLE_WORDS and word not in FUNCTION}
    own = frozenset(listed("his, her, its, their, my, your, our, this, that, these, those, another, one"))
    return frozenset(adjectives | poses | look | fillers | own | set(ARTICLES)) - verbs - LINKS


@functools.cache
def word_lists() -> dict[str, dict[str, tuple[str, ...]]]:
    """words.csv: "words" and "near", each concept ("subject:dog") -> its lemmas."""
    lists: dict[str, dict[str, tuple[str, ...]]] = {"words": {}, "near": {}}
    with WORDS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["part"] in lists:
                lists[row["part"]][row["concept"]] = tuple(row["lemmas"].split("|"))
    return lists


def plural(noun: str) -> str:
    """The plural of a noun or of a phrase that ends with one."""
    head, space, last = noun.rpartition(" ")
    return head + space + numbers(last)[0]


def numbers(noun: str) -> list[str]:
    """The plural of a noun, and the singular where it looks like a plural."""
    if noun in IRREGULAR_PLURALS:
        return [IRREGULAR_PLURALS[noun]]
    many = re.sub(r"(?<=[^aeiou])y$", "ie", noun) + "s"
    if noun.endswith("man") and noun not in ("human", "german", "ottoman", "roman"):
        many = noun[:-2] + "en"
    elif noun.endswith(("ch", "s", "x", "sh")):
        many = noun + "es"
    elif noun.endswith("lf"):
        many = noun[:-1] + "ves"
    return [many, *([noun[:-1]] if noun.endswith("s") and not noun.endswith("ss") else [])]


@functools.cache
def single_words() -> frozenset[str]:
    looks = {word for words in _look_table()[0] for word in words}
    single = {words[0] for words in _table()[0] if len(words) == 1}
    return frozenset(single | looks | plain_words() | set(ACTIONS))


def content_unknown(text: str) -> tuple[str, ...]:
    """Words of a text that mean something to see which the world does not know, each once, as written.

    Emoji, numbers beyond three and words of other scripts count; plain words and what is denied do not. A prompt with
    such words can never be said to be shown.
    """
    reading = read(text)
    found: dict[str, tuple[int, str]] = {}
    for word, (start, end), known in zip(reading.words, reading.spans, reading.known, strict=True):
        symbol = unicodedata.category(text[start])[0] == "S" and text[start] not in "+=<>~^`|$"
        if symbol or not (known or word in single_words()):
            found.setdefault(word, (start, text[start:end]))
    covered = {at for start, end in reading.spans for at in range(start, end)}
    for at, char in enumerate(text):
        if at not in covered and unicodedata.category(char)[0] in "SLN":
            found.setdefault(char, (at, char))
    return tuple(words for _, words in sorted(found.values()))


@functools.cache
def _near() -> dict[str, str]:
    return {word: key.partition(":")[2] for key, words in word_lists()["near"].items() for word in words}


@functools.lru_cache(maxsize=1024)
def nearest_known(word: str) -> str | None:
    """The known word closest to an unknown one: by kind (a tiger is drawn as a cat), else by spelling, else None."""
    lower = normal_word(word)
    single = [lower, *numbers(lower)[1:]]
    if lower in single_words():
        return lower
    for form in single:
        if form in _near():
            return _near()[form]
    return _spelled_like(lower)


@functools.cache
def _common() -> frozenset[str]:
    """Single words of captions and everyday words that name something: what a slip of the keys may have meant."""
    phrases = [p for group in (SUBJECT_PHRASES, ELEMENT_NOUNS, ALIASES) for words in group.values() for p in words]
    phrases += [split_place(p)[2] for words in PLACE_PHRASES.values() for p in words]
    phrases += [p.split(" ", 1)[-1] for words in SUBJECT_PHRASES.values() for p in words]
    phrases += [word for group in (COLOUR_WORDS, ADJECTIVES) for words in group.values() for word in words]
    return frozenset(phrase for phrase in [*phrases, *YOUNG, *CROWDS] if phrase.isalpha() and len(phrase) > 3)


def _spelled_like(word: str) -> str | None:
    """The everyday word that is spelled most alike, if it is alike enough."""
    if len(word) < 4 or not word.isalpha():
        return None
    slips = 1 if len(word) < 7 else 2
    candidates = [w for w in _common() if w[0] == word[0] and abs(len(w) - len(word)) <= slips]
    best = min(((_slips(word, w), w) for w in candidates), default=(slips + 1, ""))
    return best[1] if best[0] <= slips else None


def _slips(first: str, second: str) -> int:
    """Letters to add, drop, swap or exchange with their neighbour that make one word of the other."""
    rows = [list(range(len(second) + 1))]
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
