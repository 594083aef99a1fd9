"""Edits act on whole phrases, leave tidy prompts, and never fail on odd input."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emofeedback.loop.prompt_edits import Choice, apply_edits, chosen_edits, holds_phrase, untouched
from emofeedback.records import Edit


def replace(old: str, new: str) -> Edit:
    return Edit("replace", old=old, new=new)


def add(new: str) -> Edit:
    return Edit("add", new=new)


def remove(old: str) -> Edit:
    return Edit("remove", old=old)


@pytest.mark.parametrize(
    ("prompt", "edit", "expected"),
    [
        ("a cat, at night, in fog", replace("at night", "at dawn"), "a cat, at dawn, in fog"),
        ("A Cat, At  Night", replace("at night", "at dawn"), "A Cat, at dawn"),
        ("a cat", replace("at night", "at dawn"), "a cat, at dawn"),
        ("a lake at night", replace("at night", ""), "a lake"),
        ("at night, a lake", remove("at night"), "a lake"),
        ("a lake, at night, in fog", remove("at night"), "a lake, in fog"),
        ("a lake", remove("at night"), "a lake"),
        ("a lake", add("at night"), "a lake, at night"),
        ("a lake.", add("at night"), "a lake, at night."),
        ("a lake, At Night", add("at night"), "a lake, At Night"),
        ("", add("at night"), "at night"),
        ("  ", remove("x"), "  "),
        ("a lake", add(" , "), "a lake"),
        ("a lighthouse", remove("light"), "a lighthouse"),
        ("a lake at night, at dawn", replace("at night", "at dawn"), "a lake, at dawn"),
        ("a foggy lake, at night", replace("foggy", "in the rain"), "a lake, in the rain, at night"),
        ("an autumn meadow with a dog", replace("autumn", "in spring"), "a meadow with a dog, in spring"),
        ("a foggy owl", remove("foggy"), "an owl"),
        ("a dog in a park", replace("dog", "owl"), "an owl in a park"),
        ("dog and fireworks in the park", replace("fireworks", "with lanterns"), "dog in the park, with lanterns"),
        ("a lake. A dog, at night.", remove("at night"), "a lake. A dog."),
        ("a lake in winter and at night", remove("at night"), "a lake in winter"),
        ("猫、夜", add("at dawn"), "猫、夜, at dawn"),
        # a possessive is no noun of its own, and a noun goes with all that hangs on it
        ("a fisherman's hut near the harbour", remove("fisherman"), "a fisherman's hut near the harbour"),
        ("a boat by a fisherman's hut", remove("hut"), "a boat"),
        ("a hut, lamplight glowing from the windows", replace("lamplight", "at dusk"), "a hut, at dusk"),
        ("a dog chasing kites over the beach", remove("kites"), "a dog over the beach"),
        ("a child sleeping in a bed", remove("sleeping"), "a child in a bed"),
        ("a lake with lanterns and kites", remove("with lanterns"), "a lake with kites"),
        ("a lake with lanterns and kites", remove("kites"), "a lake with lanterns"),
        ("a soft warm light over the sea", replace("warm light", "at dusk"), "over the sea, at dusk"),
        ("a dark, stormy night", remove("stormy"), "a dark night"),
        ("a cold and foggy lake", remove("cold"), "a foggy lake"),
        ("The sky is full of stars", remove("stars"), "The sky"),
        ("a church covered in snow", remove("in snow"), "a church"),
        ("While it is raining a fox waits", remove("raining"), "A fox waits"),
        ("a sunset beach", remove("sun"), "a sunset beach"),
        ("again and again; louder and louder", add("at dusk"), "again and again; louder and louder, at dusk"),
        ("a harbour, oil painting, 4k", add("at dusk"), "a harbour, at dusk, oil painting, 4k"),
        ("a harbour in the style of Monet", add("at dusk"), "a harbour, at dusk, in the style of Monet"),
        ("What a storm!", add("at dusk"), "What a storm, at dusk!"),
        ("Snow. A lake.", remove("snow"), "A lake."),
        ("a dog in a park", replace("a dog", "an owl"), "an owl in a park"),
        ("a cat, smiling", replace("smiling", "fast asleep"), "a cat, fast asleep"),
        ("a smiling cat by a lake", replace("smiling", "fast asleep"), "a cat by a lake, fast asleep"),
    ],
)
def test_one_edit(prompt: str, edit: Edit, expected: str) -> None:
    assert apply_edits(prompt, [edit]) == expected


@pytest.mark.parametrize(
    ("prompt", "phrase", "held"),
    [
        ("a sunset beach", "sun", False),
        ("The SUN, low", "the sun", True),
        ("a fisherman's hut", "fisherman", False),
        ("a half-moon", "moon", False),
        ("a lake 'at night'", "at night", True),
        ("a lake", "", False),
    ],
)
def test_phrases_are_held_as_whole_words(prompt: str, phrase: str, held: bool) -> None:
    assert holds_phrase(prompt, phrase) is held


def test_edits_apply_in_turn() -> None:
    edits = [replace("at night", "at dawn"), add("with kites"), remove("in the rain")]
    assert apply_edits("a cat, at night, in the rain", edits) == "a cat, at dawn, with kites"


def test_no_edits_leave_the_prompt_alone() -> None:
    assert apply_edits("a  cat ,,", []) == "a  cat ,,"


words = st.text(alphabet="ab ,.é夜'-(\\[*", max_size=12)


@settings(max_examples=200, deadline=None)
@given(words, words)
def test_adding_twice_is_adding_once(prompt: str, new: str) -> None:
    once = apply_edits(prompt, [add(new)])
    assert apply_edits(once, [add(new)]) == once


@settings(max_examples=200, deadline=None)
@given(words, words, words)
def test_any_text_is_accepted(prompt: str, old: str, new: str) -> None:
    for edit in (replace(old, new), add(new), remove(old)):
        assert isinstance(apply_edits(prompt, [edit]), str)


def test_a_phrase_is_held_in_whole_words() -> None:
    assert holds_phrase("a Sunset  beach", "sunset beach") and holds_phrase("a beach, sun low", " sun,")
    assert not holds_phrase("a sunset beach", "sun") and not holds_phrase("a beach", "")


def test_edits_are_taken_dropped_and_rewritten() -> None:
    edits = [replace("at night", "at dawn"), add("with kites"), remove("in fog")]
    assert chosen_edits(edits, untouched(edits)) == tuple(edits)
    choices = [Choice(True, " at noon "), Choice(False, "with kites"), Choice(True)]
    assert chosen_edits(edits, choices) == (replace("at night", "at noon"), remove("in fog"))
    assert chosen_edits(edits[:2], [Choice(True, ""), Choice(True, " ")]) == (remove("at night"),)
    with pytest.raises(ValueError):
        chosen_edits(edits, choices[:2])


WORDS = [f"w{i}" for i in range(60)]


def first(words: int):
    """A generator that reads so many words of a prompt."""
    return lambda prompt: " ".join(prompt.split()[words:])


def test_an_addition_to_a_long_prompt_stands_before_the_cut() -> None:
    """It once stood behind it, where no generator reads it: the next round drew the very same picture."""
    prompt = " ".join(WORDS)
    # of 40 words that are read three are the addition's: the first 37 stay before it, the others behind it in order
    edited = apply_edits(prompt, [add("in thick fog")], first(40))
    assert edited == f"{' '.join(WORDS[:37])}, in thick fog, {' '.join(WORDS[37:])}"
    assert first(40)(edited) == " ".join(WORDS[37:])


def test_additions_stand_together_and_all_of_them_are_read() -> None:
    prompt = " ".join(WORDS)
    edited = apply_edits(prompt, [add("in thick fog"), add("at dusk")], first(40))
    assert edited == f"{' '.join(WORDS[:35])}, in thick fog, at dusk, {' '.join(WORDS[35:])}"


def test_an_addition_goes_where_a_part_of_the_sentence_ends() -> None:
    parts = [" ".join(WORDS[i : i + 10]) for i in range(0, 60, 10)]
    edited = apply_edits(", ".join(parts), [add("in fog")], first(40))
    assert edited == ", ".join([*parts[:3], "in fog", *parts[3:]])
    sentences = ". ".join(part.capitalize() for part in parts) + "."
    assert apply_edits(sentences, [add("in fog")], first(40)).startswith(
        f"{'. '.join(sentences.split('. ')[:3])}. in fog,"
    )


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (replace("w50", "a fox"), "a fox"),  # its place lies behind the cut
        (add("w50 w51"), "w50 w51"),  # it is there already, where nobody reads it
        (replace("w5", "a fox"), "a fox"),
    ],
)
def test_whatever_an_edit_brings_is_read(edit: Edit, expected: str) -> None:
    edited = apply_edits(" ".join(WORDS), [edit], first(40))
    assert expected in " ".join(edited.split()[:40]).replace(",", "")
    kept = [word for word in edited.replace(",", "").split() if word in WORDS]
    if edit.action == "replace":
        assert kept == [word for word in WORDS if word != edit.old], "the other words keep their order"
    assert edited.replace(",", "").count(expected) == 1


def test_a_prompt_that_fits_is_edited_as_ever() -> None:
    assert apply_edits("a lake, oil painting", [add("in fog")], first(40)) == "a lake, in fog, oil painting"


def test_what_is_longer_than_all_that_is_read_stands_first() -> None:
    assert apply_edits("w0 w1 w2 w3", [add("in very thick fog")], first(3)) == "in very thick fog, w0 w1 w2 w3"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(["a lake", "in fog", "at dusk,", "a dog", "and", "with", "red."]), max_size=30))
def test_every_addition_is_read_if_there_is_room(parts: list[str]) -> None:
    edits = [add("in rain"), add("under stars")]
    read = apply_edits(" ".join(parts), edits, first(8)).split()[:8]
    assert {"in rain", "under stars"} <= {" ".join(pair).strip(",.") for pair in zip(read, read[1:], strict=False)}
