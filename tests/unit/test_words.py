"""What people type: thousands of words name a concept, negation and possessives do not, and captions say the same."""

import random
import time
from pathlib import Path

import pytest

from emofeedback.affect import Affect
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.scenes.advice import advise, barred_by
from emofeedback.scenes.captions import describe, parse, to_caption_words
from emofeedback.scenes.edits import plans
from emofeedback.scenes.grammar import LIVING, PLACES, SUBJECTS, Scene, sample_scene
from emofeedback.scenes.outcomes import content_shown, named, protected, violates
from emofeedback.scenes.reading import Mentions, read, word_lists
from emofeedback.scenes.vocabulary import content_unknown, nearest_known, understood_words, unknown_words, vocabulary

PROMPTS = (Path(__file__).parent.parent / "data" / "prompts_500.txt").read_text(encoding="utf-8").splitlines()
SINGLE = ("place", "subjects", "time", "weather", "season", "pose", "colour", "size", "count")


def concepts(said: Mentions) -> dict[str, object]:
    found: dict[str, object] = {name: getattr(said, name) for name in SINGLE}
    found["palette"] = None if said.palette == "natural" else said.palette
    found["light"] = None if said.light == "even" else said.light
    return found | {"elements": set(said.elements)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A puppy on the beach", {"place": "seaside", "subjects": ("dog",), "size": "small"}),
        ("three big red lorries", {"subjects": ("truck",), "count": 3, "size": "large", "colour": "red"}),
        ("a couple of dogs", {"subjects": ("dog",), "count": 2}),
        ("a dark blue car", {"colour": "blue", "light": None}),
        ("a black and white cat", {"colour": "black", "palette": None}),
        ("a photo of a cat in black and white", {"colour": None, "palette": "muted"}),
        ("a dog beside a red bus", {"colour": None, "subjects": ("dog", "bus")}),
        ("a man running in the park", {"subjects": ("runner",)}),
        ("two men sitting by a lake", {"subjects": ("sitter",), "count": 2}),
        ("a sleeping dog", {"subjects": ("dog",), "pose": "asleep"}),
        ("a sleeping cat", {"subjects": ("cat",), "pose": "asleep", "elements": ()}),
        ("a man with a sleeping cat", {"subjects": ("person",), "elements": ("sleeping cat",), "pose": None}),
        ("a cottage by a lake", {"subjects": ("house",), "elements": ()}),
        ("a dog near a cottage", {"subjects": ("dog",), "elements": ("cottage",)}),
        ("two red flowers", {"subjects": ("flower",), "count": 2, "colour": "red", "elements": ()}),
        ("a bench among flowers", {"subjects": ("bench",), "elements": ("flowers",)}),
        ("a fisherman's hut near the harbour", {"place": "harbour", "subjects": ("house",)}),
        ("the king's horses", {"subjects": ("horse",)}),
        ("a mountain village", {"place": "village"}),
        ("a soldier walking home along a road", {"subjects": ("person",), "place": "road"}),
        ("a lake in the style of Van Gogh", {"subjects": ()}),
        ("a city under a starry sky", {"elements": ("starry sky",), "weather": None}),
        ("a hot air balloon and balloons", {"subjects": ("hot-air balloon",), "elements": ("balloons",)}),
        ("a beach without people or clouds", {"place": "seaside", "subjects": (), "weather": None}),
        ("not a dog but a wolf", {"subjects": ("wolf",)}),
        ("no cars, no people, just the road", {"subjects": (), "place": "road"}),
        ("no longer alone: a dog", {"subjects": ("dog",)}),
        ("a house with no windows in the rain", {"subjects": ("house",), "weather": "rain"}),
        ("a sleeping village at dusk", {"place": "village", "pose": None}),
        ("Paris in winter", {"place": "city", "season": "winter"}),
        ("two couples and a dog", {"subjects": ("couple", "dog"), "count": None}),
        ("an old woman in a garden", {"subjects": ("old man",), "kinds": {"old man": "old woman"}, "place": "garden"}),
        ("an elderly couple", {"subjects": ("couple",)}),
        ("a group of flowers by a lake", {"subjects": ("flower",), "count": 3, "elements": ()}),
        ("a field of flowers", {"subjects": (), "place": "meadow"}),
    ],
)
def test_typed_words(text: str, expected: dict[str, object]) -> None:
    read_out = parse(text)
    assert {name: getattr(read_out, name) for name in expected} == expected


def test_denied_concepts_are_kept_apart() -> None:
    assert parse("a beach without people or clouds").denied == (("subject", "person"), ("weather", "cloudy"))
    assert parse("a dog, not a cat, and a cat").denied == ()


def test_typed_prompts_say_the_same_in_caption_words() -> None:
    for prompt in PROMPTS:
        said = to_caption_words(prompt)
        assert concepts(parse(said)) == concepts(parse(prompt)), (prompt, said)
        assert unknown_words(said, vocabulary()) == (), said
        assert said == to_caption_words(prompt)


def test_captions_say_the_same_in_caption_words() -> None:
    rng = random.Random(8)
    for _ in range(400):
        caption = describe(sample_scene(rng, split=None), rng)
        assert concepts(parse(to_caption_words(caption))) == concepts(parse(caption)), caption


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a puppy on the beach", "a small dog on a beach"),
        ("kittens", "small cats"),
        ("a misty lake with a swan", "by a misty lake, a swan"),
        ("no clouds over the sea", "the sea"),
        ("a dragon above a castle, thunder", "a castle, in a storm"),
        ("a violin", ""),
        ("an old woman", "an old woman"),
        ("two couples on a beach", "a couple on a beach"),
        ("an oil painting of a boat, 8k, trending on artstation", "a boat"),
        ("", ""),
    ],
)
def test_caption_words(text: str, expected: str) -> None:
    assert to_caption_words(text) == expected


def test_the_grammars_own_names_are_understood() -> None:
    assert [parse(subject).subjects for subject in SUBJECTS] == [(subject,) for subject in SUBJECTS]


def test_most_typed_prompts_are_understood() -> None:
    named_any = sum(bool(parse(prompt).phrases) for prompt in PROMPTS)
    known_all = sum(bool(parse(prompt).phrases) and not content_unknown(prompt) for prompt in PROMPTS)
    assert named_any >= 0.94 * len(PROMPTS)
    assert known_all >= 0.66 * len(PROMPTS)


def test_words_for_the_style_of_a_picture_are_no_content() -> None:
    for style in ("a watercolor of", "an oil painting of", "a photo of", "a pencil drawing of", "an illustration of"):
        text = f"{style} a fox in the snow, in the style of Van Gogh"
        assert content_unknown(text) == (), text
        assert to_caption_words(text) == "a fox, in the snow"
    assert content_unknown("oil under a window, smoke") == ("oil", "window", "smoke")


def test_unknown_content_is_told_from_plain_words() -> None:
    assert content_unknown("a very beautiful dog walking slowly on the beach") == ()
    assert content_unknown("a dog with a violin, a Violin and no dragons") == ("violin",)
    assert content_unknown("7 dogs 🐉 über 夜") == ("7", "🐉", "über", "夜")


def test_thousands_of_words_are_understood() -> None:
    words = understood_words()
    assert len(words) > 3000
    assert {"puppy", "skyscrapers", "fisherman", "crimson", "above", "party", "walking", "islands"} <= words
    assert not {"violin", "dragon", "pizza", ""} & words
    assert vocabulary() <= words


def test_word_lists_name_concepts_of_the_grammar() -> None:
    for part in ("words", "near"):
        for key in word_lists()[part]:
            aspect, _, concept = key.partition(":")
            assert aspect in ("place", "subject", "elements")
            assert aspect != "subject" or concept in SUBJECTS
    assert "owl" in LIVING


def test_nearest_known_word_by_kind_then_by_spelling() -> None:
    assert nearest_known("cheetah") == "cat"
    assert nearest_known("Zebras") == "zebras"
    assert nearest_known("lighthose") == "lighthouse"
    assert nearest_known("bycicle") == "bicycle"
    assert nearest_known("violin") is None
    assert nearest_known("夜") is None


def test_reading_is_fast() -> None:
    parse("a dog")  # the tables are built once
    read.cache_clear()
    start = time.process_time()
    for prompt in PROMPTS:
        parse(prompt)
    assert (time.process_time() - start) / len(PROMPTS) < 0.001


def test_all_that_a_prompt_names_is_protected() -> None:
    assert protected("two small dogs by a hut in the rain, warm light") == {
        ("subject", "dog"),
        ("count", "2"),
        ("size", "small"),
        ("elements", "cottage"),
        ("weather", "rain"),
        ("palette", "warm"),
    }
    assert named("a red car")["colour", "red"] == "car"


@pytest.mark.parametrize(
    ("original", "edited", "expected"),
    [
        ("a dog by a hut", "a dog by a hut, in the rain", False),
        ("a dog by a hut", "a dog, in the rain", True),
        ("a dog by a hut", "a dog by a cabin", True),
        ("a lake without clouds", "a lake without clouds, under a cloudy sky", True),
        ("a carnival in a city", "a carnival in a city, with ruins", True),
        ("a carnival in a city", "a carnival in a city, with balloons", False),
        ("a cafe, warm light", "a cafe, warm light, in cold colours", True),
        ("sunbeams in a forest", "sunbeams in a forest, at night", True),
        ("a red car", "a red car, at night", False),
        ("a red car", "a car", True),
        ("a car", "a car and a dog", True),
        ("a bench", "a bench, smiling", True),
        ("a violin on a bench", "a bench, at dusk", True),
        ("a violin on a bench", "a violin on a bench, at dusk", False),
        ("", "at dusk", False),
        ("a horse galloping in a meadow", "a horse galloping in a meadow, fast asleep", True),
        ("a horse in a meadow", "a horse in a meadow, fast asleep", False),
        ("a boy in a fishing village in the evening", "a boy in a fishing village in the evening, fast asleep", False),
        ("a city, no people", "a city, no people, with a parade", True),
        ("a lonely bench", "a lonely bench, with a dancing crowd", True),
        ("a sad man", "a sad man, with arms raised", True),
        ("a sad man", "a sad man, with bowed head", False),
        ("a road under a blazing sun", "a road under a blazing sun, at night", True),
        ("a cabin in the mountains", "a cabin in the mountains, with a cottage", True),
        ("a boat on a lake", "a boat on a lake, with a pond", True),
        ("a fox in the snow", "a fox in the snow, with arms raised", True),
        ("a girl and a fox", "a girl and a fox, with arms raised", False),
    ],
)
def test_edits_that_take_the_users_words(original: str, edited: str, expected: bool) -> None:
    assert violates(original, edited) is expected


def test_advice_keeps_to_what_goes_with_the_prompts_words() -> None:
    scene = Scene("kitchen", "child", None, "day", "clear", "summer", "natural", "even", ())
    original = "a happy child running through the kitchen on a sunny day"
    barred = barred_by(original)
    assert {("pose", "asleep"), ("pose", "downcast"), ("time", "night"), ("elements", "jumping children")} <= set(
        barred
    )
    rng = random.Random(5)
    for _ in range(40):
        target = Affect(rng.uniform(-0.9, 0.9), rng.uniform(-0.9, 0.9))
        edits = advise(scene, original, target, rng, original=original).edits
        edited = apply_edits(original, edits)
        assert not violates(original, edited), edited
        assert "in the rain" not in edited and "in the wind" not in edited, "a kitchen is not in the rain"
        for after in plans(scene, target, count=20, barred=barred):
            assert after.pose not in ("asleep", "downcast") and after.time not in ("night", "dusk")
            assert "jumping children" not in after.elements


def test_content_is_shown_only_where_all_of_it_is_known() -> None:
    def shown(prompt: str, known: tuple[str, ...] = SUBJECTS) -> bool | None:
        return content_shown(prompt, {"lake"}, {"dog"}, PLACES, known)

    assert shown("a dog by a lake at dusk") is True
    assert shown("a cat by a lake") is False and shown("a dog on a road") is False
    assert shown("a dog with a violin by a lake") is None, "nobody has seen the violin"
    assert shown("a cat with a violin") is False
    assert shown("a bear by a lake", known=("dog", "cat")) is None, "a reader of a smaller grammar cannot tell"
    assert shown("at dusk") is None and shown("") is None
