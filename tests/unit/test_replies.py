"""The one parser of replies: what is well formed is read, anything else is None."""

import json
import math

import pytest

from emofeedback.judges.replies import (
    content_schema,
    critique_for,
    critique_schema,
    fits,
    parse_content,
    parse_critique,
    parse_label,
    seen_among,
    seen_in,
)
from emofeedback.records import Edit, Seen

GOOD = {
    "analysis": "The night is calm.",
    "carries": ["night", "rain"],
    "edits": [{"replace": "at night", "with": "at dawn"}, {"add": "with fireworks"}, {"remove": "in the rain"}],
}
TEXT = json.dumps(GOOD)


def changed(**fields: object) -> str:
    return json.dumps({**GOOD, **fields})


def test_a_good_reply_is_read_whole() -> None:
    critique = parse_critique(TEXT)
    assert critique is not None
    assert critique.analysis == "The night is calm."
    assert critique.carries == ("night", "rain")
    assert critique.edits == (
        Edit("replace", old="at night", new="at dawn"),
        Edit("add", new="with fireworks"),
        Edit("remove", old="in the rain"),
    )


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{TEXT}\n```",
        f"Here is my advice:\n{TEXT}\nI hope it helps.",
        f"<think>maybe {{this}}?</think>{TEXT}",
        TEXT.replace('"at dawn"', '"  at dawn "'),
        f'Okay, the form is {{"analysis": "..."}}.\n</think>\n\n{TEXT}',
        f"<thinking>{{1}}</thinking>\n{TEXT}",
        f'<|channel|>analysis<|message|>We need {{"analysis"}}<|end|><|channel|>final<|message|>{TEXT}',
        f"Sure! Here is {{it}}:\n```json\n{TEXT}\n```\nLet me know if {{more}} is needed.",
        TEXT + "}}",
        changed(score=3, confidence={"of": "edits"}),
        TEXT.replace('{"add": "with fireworks"}', '{"add": "with fireworks", "reason": "warm light", "move": 1}'),
    ],
    ids=[
        "fence",
        "prose around",
        "thinking",
        "padded strings",
        "bare end of thinking",
        "other thinking",
        "channels",
        "braces in prose",
        "stray braces",
        "extra keys",
        "reasons",
    ],
)
def test_wrapping_is_peeled_off(text: str) -> None:
    assert parse_critique(text) == parse_critique(TEXT)


def test_no_edits_is_advice_too() -> None:
    critique = parse_critique(changed(edits=[]))
    assert critique is not None and critique.edits == ()


MALFORMED = {
    "empty": "",
    "prose": "Make it brighter.",
    "cut off": TEXT[:-1],
    "cut in a string": TEXT[: TEXT.index("dawn")],
    "single quotes": TEXT.replace('"', "'"),
    "trailing comma": TEXT[:-2] + ",]}",
    "two objects": TEXT + TEXT,
    "a list": json.dumps([1, 2]),
    "a bare number": "7",
    "list of critiques inside prose, twice": f"{TEXT} or {TEXT}",
    "no analysis": json.dumps({k: v for k, v in GOOD.items() if k != "analysis"}),
    "no carries": json.dumps({k: v for k, v in GOOD.items() if k != "carries"}),
    "no edits": json.dumps({k: v for k, v in GOOD.items() if k != "edits"}),
    "doubled key": TEXT[:-1] + ', "analysis": "Again."}',
    "blank analysis": changed(analysis="  "),
    "analysis is a number": changed(analysis=3),
    "analysis is null": changed(analysis=None),
    "carries is a string": changed(carries="night"),
    "carries holds a number": changed(carries=["night", 4]),
    "edits is an object": changed(edits={"add": "fog"}),
    "edit is a string": changed(edits=["at dawn"]),
    "edit is empty": changed(edits=[{}]),
    "replace without with": changed(edits=[{"replace": "at night"}]),
    "with without replace": changed(edits=[{"with": "at night"}]),
    "two actions in one edit": changed(edits=[{"add": "fog", "remove": "rain"}]),
    "replace by nothing": changed(edits=[{"replace": "at night", "with": " "}]),
    "replace by itself": changed(edits=[{"replace": "at night", "with": "at night"}]),
    "add a number": changed(edits=[{"add": 5}]),
    "add nothing": changed(edits=[{"add": ""}]),
    "one bad edit among good ones": changed(edits=[*GOOD["edits"], {"move": "left"}]),
    "far too many edits": changed(edits=[{"add": f"thing {i}"} for i in range(50)]),
    "endless phrase": changed(edits=[{"add": "very " * 200}]),
    "not a number": TEXT.replace('"night", "rain"', "NaN"),
    "runaway": TEXT[:-1] + " " * 30_000 + "}",
    "deep nesting": "{" * 5_000,
    "deep nesting of lists": TEXT[:-1] + ', "x": ' + "[" * 900 + "]" * 900 + "}" * 2 + TEXT,
    "half a character": changed(analysis="It is calm \ud83d."),
    "a number of 5,000 digits": TEXT[:-1] + ', "x": ' + "9" * 5_000 + "}",
    "thinking without an end": f"<think>{TEXT}",
    "with and add": changed(edits=[{"add": "fog", "with": "rain"}]),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_reply_is_none(text: str) -> None:
    assert parse_critique(text) is None


CONTENT = {
    "place": "beach",
    "subjects": ["dog", "boy"],
    "time": "none",
    "weather": "rain",
    "light": "N/A",
    "colours": [],
}
DESCRIBED = json.dumps(CONTENT)


def test_a_description_names_what_is_seen_and_leaves_out_what_is_not() -> None:
    named = [("place", "beach"), ("subject", "dog"), ("subject", "boy"), ("weather", "rain")]
    assert parse_content(f"```json\n{DESCRIBED}\n```") == named


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A dog on a beach.",
        DESCRIBED[:-1],
        DESCRIBED + DESCRIBED,
        json.dumps({**CONTENT, "subjects": "dog"}),
        json.dumps({**CONTENT, "subjects": [1]}),
        json.dumps({**CONTENT, "place": None}),
        json.dumps({k: v for k, v in CONTENT.items() if k != "time"}),
        json.dumps({**CONTENT, "colours": ["red"] * 50}),
        json.dumps([CONTENT]) + "{}",
    ],
)
def test_a_malformed_description_is_none(text: str) -> None:
    assert parse_content(text) is None and seen_in([(text, -0.1)]) is None


def test_a_description_may_say_more_than_it_was_asked() -> None:
    text = "<think>\n{a dog?}\n</think>\n" + json.dumps({"mood": "dog", **CONTENT, "sure": {"place": "beach"}})
    cut = text.index('"place": "beach"') + len('"place": "')
    seen = seen_in([(text[:cut], math.log(0.5)), ("beach", math.log(0.25)), (text[cut + 5 :], math.log(0.5))])
    assert seen is not None and seen[0] == Seen("place", "beach", pytest.approx(0.25))
    assert parse_content(text) == parse_content(DESCRIBED)


def test_a_word_is_as_probable_as_its_tokens_together() -> None:
    cut = DESCRIBED.index("dog") + 1
    pieces = [(DESCRIBED[:cut], math.log(0.5)), ("og", math.log(0.5)), (DESCRIBED[cut + 2 :], math.log(0.25))]
    seen = seen_in(pieces)
    assert seen is not None
    assert {s.word: pytest.approx(s.probability) for s in seen} == {
        "beach": 0.5,
        "dog": 0.25,
        "boy": 0.25,
        "rain": 0.25,
    }


def test_words_keep_their_probability_whatever_the_order_of_the_keys() -> None:
    """A model that wrote the light before the place lost most of its words: they were looked for in our order alone."""
    turned = dict(reversed(CONTENT.items())) | {"colours": ["grün"], "time": "dusk"}
    text = f"<think>a {{dog}}?</think> {json.dumps(turned)}"
    cut = text.index("dusk")
    seen = seen_in([(text[:cut], math.log(0.5)), ("dusk", math.log(0.25)), (text[cut + 4 :], math.log(0.5))])
    assert seen is not None
    assert {(s.aspect, s.word): pytest.approx(s.probability) for s in seen} == {
        ("place", "beach"): 0.5,
        ("subject", "dog"): 0.5,
        ("subject", "boy"): 0.5,
        ("time", "dusk"): 0.25,
        ("weather", "rain"): 0.5,
        ("palette", "grün"): 0.5,
    }


def test_several_descriptions_agree_by_share() -> None:
    other = json.dumps({**CONTENT, "subjects": ["Dog"], "weather": "none"})
    third = json.dumps({**CONTENT, "subjects": ["cat"]})
    seen = seen_among([DESCRIBED, other, third, "prose"])
    assert seen is not None
    assert Seen("place", "beach", 1.0) in seen and Seen("subject", "dog", pytest.approx(2 / 3)) in seen
    assert not any(s.word in ("cat", "boy") for s in seen)
    assert seen_among([DESCRIBED, "prose", "prose"]) is None


DIGITS = tuple("123456789")


@pytest.mark.parametrize(
    ("text", "index"),
    [("7", 6), (" 7.", 6), ("**7**", 6), ("Rating: 7", 6), ('"7"', 6), ("<think>5 or 7?</think>7", 6), ("(7)", 6)]
    + [("5 or 7?</think>\n\n7", 6), ("<|channel|>analysis<|message|>5?<|end|><|channel|>final<|message|>7", 6)],
)
def test_a_short_answer_gives_its_label(text: str, index: int) -> None:
    assert parse_label(text, DIGITS) == index


@pytest.mark.parametrize(
    "text", ["", "0", "10", "7.5", "7/9", "7 or 8", "seven", "-7", "I would say 7 because", "7\n8", "<think>7", "A"]
)
def test_what_is_no_label_is_none(text: str) -> None:
    assert parse_label(text, DIGITS) is None


def test_edits_that_do_not_fit_the_prompt_are_left_out() -> None:
    critique = critique_for(TEXT, "a dog At Night")
    assert critique is not None and critique.edits == (GOOD_EDITS[0], GOOD_EDITS[1])
    only_foreign = changed(edits=[{"remove": "in the rain"}])
    assert critique_for(only_foreign, "a dog") is None
    assert critique_for(changed(edits=[]), "a dog") is not None


def test_an_edit_fits_as_it_will_be_applied() -> None:
    """ "sun" was found in "a sunset beach", and then applied as an addition: the prompt got a moon nobody asked for."""
    edit = Edit("replace", old="sun", new="moon")
    assert not fits(edit, "a sunset beach") and fits(edit, "a beach, the Sun low")
    assert critique_for(changed(edits=[{"replace": "sun", "with": "moon"}]), "a sunset beach") is None
    assert not fits(Edit("remove", old="sun"), "a sunset beach") and fits(Edit("add", new="sun"), "a sunset beach")


GOOD_EDITS = (Edit("replace", old="at night", new="at dawn"), Edit("add", new="with fireworks"))


@pytest.mark.parametrize("schema", [critique_schema(), content_schema()])
def test_schemas_for_decoding_hold_no_limits_of_length(schema: dict[str, object]) -> None:
    text = json.dumps(schema)
    assert '"additionalProperties": false' in text and '"required"' in text
    assert not any(limit in text for limit in ("maxLength", "minLength", "maxItems"))


def test_what_an_analysis_names_twice_is_said_once() -> None:
    text = '{"analysis": "It is too tense for the storm and the storm.", "carries": ["storm", "storm"], "edits": []}'
    critique = critique_for(text, "a boat")
    assert critique is not None
    assert critique.analysis == "It is too tense for the storm." and critique.carries == ("storm",)
    apart = '{"analysis": "The storm and the stormy sea make it too tense.", "carries": [], "edits": []}'
    kept = critique_for(apart, "a boat")
    assert kept is not None and kept.analysis == "The storm and the stormy sea make it too tense."


def test_what_is_said_twice_on_purpose_stays() -> None:
    said = "It grows louder and louder, again and again; kites and kites fill the sky."
    text = json.dumps({"analysis": said, "carries": ["kites", "(a)"], "edits": []})
    critique = critique_for(text, "a boat")
    assert critique is not None
    assert critique.analysis == "It grows louder and louder, again and again; kites fill the sky."
