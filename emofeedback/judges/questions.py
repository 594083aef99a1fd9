"""What vision-language judges are asked: templates kept as data files, and the rating scales with both their orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from emofeedback.affect import Affect
from emofeedback.records import Attempt, Edit
from emofeedback.servers import question_files as templates
from emofeedback.servers.question_files import plain, point_text

Axis = Literal["valence", "arousal"]
AXES: tuple[Axis, Axis] = ("valence", "arousal")
POLES: dict[Axis, tuple[str, str]] = {"valence": ("unpleasant", "pleasant"), "arousal": ("calm", "excited")}
"""The words at -1 and at 1."""
LABEL_SETS: tuple[tuple[str, ...], ...] = (tuple("123456789"), tuple("ABCDEFGHI"), tuple("abcdefghi"))
"""Nine labels each, as the self-assessment scale of psychology has; a judge takes the first set that it can answer."""
YES_NO: tuple[tuple[str, str], ...] = (("Yes", "No"), ("yes", "no"))
"""How models spell the answer; both spellings count."""
MAX_HISTORY = 3


@dataclass(frozen=True, slots=True)
class RatingQuestion:
    """One axis asked in one order. `reversed_order` puts the high pole at the first label, against order bias."""

    axis: Axis
    labels: tuple[str, ...]
    reversed_order: bool

    def values(self) -> tuple[float, ...]:
        """What each label stands for, in [-1, 1]."""
        last = len(self.labels) - 1
        values = tuple(2 * k / last - 1 for k in range(last + 1))
        return values[::-1] if self.reversed_order else values

    def text(self) -> str:
        low, high = POLES[self.axis][::-1] if self.reversed_order else POLES[self.axis]
        return fill(
            self.axis,
            low=low,
            high=high,
            low_label=self.labels[0],
            middle_label=self.labels[len(self.labels) // 2],
            high_label=self.labels[-1],
            labels=", ".join(self.labels),
        )


def rating_questions(labels: Sequence[str]) -> tuple[RatingQuestion, ...]:
    """The four questions of a reading: valence in both orders, then arousal in both orders."""
    return tuple(RatingQuestion(axis, tuple(labels), turned) for axis in AXES for turned in (False, True))


def describe_question() -> str:
    """Asks for the picture's content as JSON."""
    return fill("describe")


def shows_question(prompt: str) -> str:
    """Asks for a yes or no (VQAScore's question, Lin et al. 2024, arXiv 2404.01291)."""
    return fill("shows", prompt=plain(prompt))


def advice_question(attempts: Sequence[Attempt], target: Affect) -> str:
    """Asks for edits of the last attempt's prompt, the two attempts before it in view."""
    if not attempts:
        raise ValueError("advice needs at least one attempt")
    last = attempts[-1]
    lines = [
        f'Before: "{plain(attempt.prompt)}"{_changes(attempt.edits)} was read as {_point(attempt)}.'
        for attempt in attempts[-MAX_HISTORY:-1]
    ]
    return fill(
        "advise", prompt=plain(last.prompt), target=point_text(target), read=_point(last), history="\n".join(lines)
    )


def fill(name: str, **variables: str) -> str:
    """A judge's template with its variables put in.

    Raises:
        ValueError: the variables are not exactly those that the template names.
    """
    return templates.fill("emofeedback.judges", name, **variables)


def _point(attempt: Attempt) -> str:
    return "nothing that could be rated" if attempt.reading is None else point_text(attempt.reading.affect)


def _changes(edits: Sequence[Edit]) -> str:
    words = {"replace": "{old} -> {new}", "add": "+ {new}", "remove": "- {old}"}
    said = [words[edit.action].format(old=plain(edit.old), new=plain(edit.new)) for edit in edits]
    return f" ({'; '.join(said)})" if said else ""
