"""Edits of prompts as people write them: every canonical edit leaves English that stands, and the user's words."""

import re
from functools import cache
from pathlib import Path

from emofeedback.loop.prompt_edits import apply_edits, holds_phrase
from emofeedback.records import Edit
from emofeedback.scenes.grammar import ELEMENTS
from emofeedback.scenes.lexicon import ASPECTS, SETTING_PHRASES, canonical_phrase
from emofeedback.scenes.reading import parse

PROMPTS = (Path(__file__).parent.parent / "data" / "prompts_500.txt").read_text(encoding="utf-8").splitlines()
CANONICAL = [(aspect, concept) for aspect, concepts in SETTING_PHRASES.items() for concept in concepts]
CANONICAL += [("elements", element) for element in ELEMENTS]


def words(text: str) -> set[str]:
    return set(text.split())


ARTICLES = {"a", "an", "the", "my", "her", "his", "its", "their", "our", "your"}
PREPOSITIONS = words("in at under with by on near beside among during behind of from to between amid into onto")
PAIRS = {("out", "of"), ("from", "behind"), ("from", "under"), ("from", "between"), ("of", "from"), ("to", "in")}
COPULAS = words("is are was were")
ADJECTIVES = words("""
    old new young big small little large tiny red blue green yellow white black grey orange dark bright cold warm
    dim busy quiet lonely empty wooden narrow long wide foggy rainy snowy stormy soft calm dusty crowded beautiful
""")


def tokens(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’-][^\W_]+)*|['’]s\b|[^\w\s]", text.lower())


def faults(text: str) -> set[tuple[str, str]]:
    """Word pairs that no English sentence holds: an article, adjective or preposition with nothing behind it."""
    words = [*tokens(text), "."]
    found = set()
    for at, (word, after) in enumerate(zip(words, words[1:], strict=False)):
        ends = not after[0].isalnum() and after not in ("'", '"', "(", "-")
        stops = ends or after in COPULAS or (after in PREPOSITIONS and (word, after) not in PAIRS)
        after_article = at > 0 and words[at - 1] in ARTICLES - {"her", "its"}
        if word in ARTICLES and (stops or after in ("a", "an", "the", "and")) and word not in ("her", "its"):
            found.add((word, after))
        if word in PREPOSITIONS and (stops or after == "and"):
            found.add((word, after))
        if word in ADJECTIVES and after_article and (stops or after == "a"):
            found.add((word, after))
        if word in ("and", "or") and ends:
            found.add((word, after))
        if word == "," and (ends or at == 0):
            found.add((word, after))
        if word in ("'s", "’s"):
            found.add((word, after))
        if word == "a" and after[0] in "aeiou" and not after.startswith(("uni", "one", "eu")):
            found.add((word, after))
    if words[0] in ("and", "or", ","):
        found.add((words[0], ""))
    return found


def words_of(text: str) -> list[str]:
    """Words without punctuation; both indefinite articles count as one."""
    return [("a" if word == "an" else word) for word in tokens(text) if word[0].isalnum()]


def gap(before: list[str], after: list[str]) -> list[str] | None:
    """The one run of words that `after` lacks; None where more than one run is gone or a word is new."""
    start = 0
    while start < len(after) and before[start] == after[start]:
        start += 1
    lost = len(before) - len(after)
    for at in range(start, -1, -1):
        if lost >= 0 and before[:at] + before[at + lost :] == after:
            return before[at : at + lost]
    return None


@cache
def mentions(prompt: str) -> dict[tuple[str, str], str]:
    return {key: words for key, words in parse(prompt).phrases.items() if key[0] in ASPECTS}


def test_there_are_500_different_prompts() -> None:
    assert len(PROMPTS) == len(set(PROMPTS)) == 500
    assert not any(faults(prompt) - {("sky", ".")} for prompt in PROMPTS[:3])


def test_additions_keep_every_word_and_stand_apart() -> None:
    news = [canonical_phrase(aspect, concept) for aspect, concept in CANONICAL]
    for prompt in PROMPTS:
        absent = [new for new in news if not holds_phrase(prompt, new)]
        first = apply_edits(prompt, [Edit("add", new=absent[0])])
        assert faults(first) <= faults(prompt), (prompt, first)
        before, added = words_of(prompt), words_of(absent[0])
        assert words_of(first) in [before[:i] + added + before[i:] for i in range(len(before) + 1)], (prompt, first)
        for new in absent[1:]:
            assert apply_edits(prompt, [Edit("add", new=new)]) == first.replace(absent[0], new), (prompt, new)
        for new in set(news) - set(absent):
            assert apply_edits(prompt, [Edit("add", new=new)]) == prompt


def test_removals_take_whole_phrases() -> None:
    for prompt in PROMPTS:
        known, before = faults(prompt), words_of(prompt)
        for phrase in mentions(prompt).values():
            after = apply_edits(prompt, [Edit("remove", old=phrase)])
            assert faults(after) <= known, (prompt, phrase, after)
            lost = gap(before, words_of(after))
            assert lost is not None, (prompt, phrase, after)
            # one of two things that share a preposition, or an adjective, goes without the preposition
            own = set(words_of(phrase)) - PREPOSITIONS - ARTICLES
            assert own <= set(lost), (prompt, phrase, after, lost)
            assert len(lost) <= len(words_of(phrase)) + 5, (prompt, phrase, after)


def test_replacements_take_whole_phrases_and_say_the_new_one() -> None:
    for prompt in PROMPTS:
        known = faults(prompt)
        for (aspect, concept), phrase in mentions(prompt).items():
            for new_concept in [c for a, c in CANONICAL if a == aspect and c != concept]:
                new = canonical_phrase(aspect, new_concept)
                after = apply_edits(prompt, [Edit("replace", old=phrase, new=new)])
                assert faults(after) <= known, (prompt, phrase, after)
                assert new.lower() in after.lower(), (prompt, phrase, after)
                removed = apply_edits(prompt, [Edit("remove", old=phrase)])
                rest = words_of(after)
                for word in words_of(new):
                    rest.remove(word)
                assert set(words_of(removed)) <= set(rest) | set(words_of(new)), (prompt, phrase, after)
