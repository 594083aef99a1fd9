"""Prompt revision: applies phrase edits to a prompt."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emofeedback.records import Edit

_LINK = r"(?:in|at|under|with|without|by|on|near|beside|among|during|after|amid|behind|over|next|as|lit|late)"
_STARTS_WITH_LINK = re.compile(rf"{_LINK}\b", re.IGNORECASE)
_DANGLING = re.compile(rf"(?:^|(?<=[\s,]))(?:and|or|of|a|an|the|{_LINK})$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person made of an edit: taken or dropped, and its new words, maybe rewritten."""

    on: bool = True
    new: str = ""


def untouched(edits: Sequence[Edit]) -> tuple[Choice, ...]:
    """Every edit taken as it is."""
    return tuple(Choice(True, edit.new) for edit in edits)


def chosen_edits(edits: Sequence[Edit], choices: Sequence[Choice]) -> tuple[Edit, ...]:
    """The edits that were taken, with their words as rewritten; one rewritten to nothing removes its old phrase.

    Raises:
        ValueError: there are not as many choices as edits.
    """
    kept = []
    for edit, choice in zip(edits, choices, strict=True):
        new = choice.new.strip()
        if not choice.on or (edit.action == "add" and not new):
            continue
        if edit.action == "replace" and not new:
            kept.append(Edit("remove", old=edit.old))
        else:
            kept.append(edit if edit.action == "remove" else replace(edit, new=new))
    return tuple(kept)


def apply_edits(prompt: str, edits: Sequence[Edit]) -> str:
    """The prompt after the edits, one after the other, with commas and spaces tidied.

    Phrases match whole words, whatever their case. A replacement whose old phrase is absent is an addition; removing
    an absent phrase or adding a present one changes nothing. Where an adjective or a bare noun gives way to a
    phrase that starts with a preposition, the phrase goes behind its part of the sentence: "a foggy lake, at night"
    with "foggy" -> "in the rain" gives "a lake, in the rain, at night".
    """
    for edit in edits:
        old, new = _tidy(edit.old), _tidy(edit.new)
        if edit.action == "remove":
            prompt = _remove(prompt, old)
        elif edit.action == "add" or _find(prompt, old) is None:
            prompt = _add(prompt, new)
        else:
            prompt = _replace(prompt, old, new)
    return prompt


def holds_phrase(prompt: str, phrase: str) -> bool:
    """Whether a prompt holds a phrase as `apply_edits` finds it: whole words, whatever their case."""
    return _find(prompt, _tidy(phrase)) is not None


def _find(text: str, phrase: str) -> re.Match[str] | None:
    words = phrase.split()
    if not words:
        return None
    pattern = r"\s+".join(map(re.escape, words))
    before = r"(?<![\w-])" if re.match(r"\w", phrase) else ""
    after = r"(?![\w-])" if re.search(r"\w$", phrase) else ""
    return re.search(before + pattern + after, text, re.IGNORECASE)


def _add(text: str, new: str) -> str:
    if not new or _find(text, new) is not None:
        return text
    body = text.rstrip(" ,;.\t\n")
    stop = "." if text.rstrip().endswith(".") else ""
    return _tidy(f"{body}, {new}{stop}" if body else new)


def _remove(text: str, old: str) -> str:
    match = _find(text, old)
    if match is None:
        return text
    left, right = _cut(text, match)
    return _tidy(left + right)


def _replace(text: str, old: str, new: str) -> str:
    match = _find(text, old)
    if match is None or not new:
        return _remove(text, old)
    if _find(text[: match.start()], new) or _find(text[match.end() :], new):
        return _remove(text, old)
    if _STARTS_WITH_LINK.match(new) and not _STARTS_WITH_LINK.match(match[0]):
        left, right = _cut(text, match)
        part = re.match(r"[^,;.!?]*", right)
        end = part.end() if part else 0
        return _tidy(f"{left}{right[:end]}, {new}{',' if right[end:].strip()[:1].isalnum() else ''}{right[end:]}")
    return _tidy(_agree(text[: match.start()], new) + new + text[match.end() :])


def _cut(text: str, match: re.Match[str]) -> tuple[str, str]:
    """The text on both sides of a match that goes, without words that would be left hanging."""
    left, right = text[: match.start()].rstrip(), text[match.end() :].lstrip()
    if not right or not right[0].isalnum() or _STARTS_WITH_LINK.match(right) or re.match(r"and\b", right, re.I):
        while left and _DANGLING.search(left):
            left = _DANGLING.sub("", left).rstrip()
    if not left or left.endswith(","):
        right = re.sub(r"^(?:and|or)\s+", "", right, flags=re.IGNORECASE)
    if right[:1].isalnum():
        return _agree(f"{left} " if left else "", right), right
    return left, right


def _agree(left: str, right: str) -> str:
    """Make an indefinite article at the end of `left` fit the word that follows."""
    match = re.search(r"(?:^|(?<=\W))(a|an)(\s+)$", left, re.IGNORECASE)
    if match is None:
        return left
    article = match[1][0] + ("n" if right[:1].lower() in "aeiou" else "")
    return left[: match.start()] + article + match[2]


def _tidy(text: str) -> str:
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r"\s*,(?:\s*,)+\s*", ", ", text)
    text = re.sub(r"\s+([,.;!?])", r"\1", text)
    text = re.sub(r",(?=[^\s\d])", ", ", text)
    text = re.sub(r",\s*(?=[.;!?])", "", text)
    return text.strip(" ,\t\n")
