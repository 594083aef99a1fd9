"""The one parser of replies: what is well formed is read, anything else is None."""

import json

import pytest

from emofeedback.judges.replies import parse_critique
from emofeedback.records import Edit

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
    ],
    ids=["fence", "prose around", "thinking", "padded strings"],
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
    "unknown field": changed(score=3),
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
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_reply_is_none(text: str) -> None:
    assert parse_critique(text) is None
