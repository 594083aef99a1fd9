"""Rewards of a judge's written replies to lessons, by what is known of the pictures; as trl calls them."""

from collections.abc import Callable, Sequence
from typing import Any

from emofeedback.affect import Affect
from emofeedback.judges.replies import critique_for, parse_content, parse_label
from emofeedback.training.judge.judge_rewards import (
    AdviceOutcome,
    advice_outcome,
    attributes_reward,
    keeping_reward,
    label_reward,
    move_reward,
)
from emofeedback.training.judge.lessons import Lesson, LessonPicture


class LessonGrader:
    """Rewards of written replies, as trl calls them; None where a reward does not apply to a lesson."""

    def __init__(self, lessons: Sequence[Lesson], shown: Sequence[LessonPicture], labels: Sequence[str]) -> None:
        self.lessons, self.shown, self.labels = lessons, shown, labels

    def rating(self, lesson: Lesson, text: str) -> float | None:
        """Valence or arousal right within a threshold, and graded by distance."""
        if lesson.task != "rate":
            return None
        label = parse_label(text, self.labels)
        return label_reward(None if label is None else lesson.values[label], lesson.true)

    def form(self, lesson: Lesson, text: str) -> float:
        """Whether the product's own parser can read the reply."""
        match lesson.task:
            case "rate":
                return float(parse_label(text, self.labels) is not None)
            case "describe":
                return float(parse_content(text) is not None)
        return float(critique_for(text, lesson.prompt) is not None)

    def content(self, lesson: Lesson, text: str) -> float | None:
        """Attribute answers that are right."""
        if lesson.task != "describe":
            return None
        named = parse_content(text)
        return attributes_reward(None if named is None else _first_words(named), lesson.content)

    def movement(self, lesson: Lesson, text: str) -> float | None:
        """Whether the suggestion moves the emotion to the target, tried on the known scene."""
        return move_reward(self._outcome(lesson, text)) if lesson.task == "advise" else None

    def keeping(self, lesson: Lesson, text: str) -> float | None:
        """Whether the suggestion keeps the content and changes nothing needlessly."""
        return keeping_reward(self._outcome(lesson, text)) if lesson.task == "advise" else None

    def _outcome(self, lesson: Lesson, text: str) -> AdviceOutcome | None:
        scene, critique = self.shown[lesson.index].scene, critique_for(text, lesson.prompt)
        if scene is None or critique is None:
            return None
        return advice_outcome(scene, lesson.prompt, Affect(*lesson.target), critique)

    def functions(self) -> list[Callable[..., list[float | None]]]:
        """One function of trl's kind per reward."""
        return [_as_reward(self, name) for name in ("rating", "form", "content", "movement", "keeping")]


def _as_reward(grader: LessonGrader, name: str) -> Callable[..., list[float | None]]:
    score = getattr(grader, name)

    def reward(completions: list, lesson: list[int], **_: Any) -> list[float | None]:
        return [score(grader.lessons[k], _text(reply)) for k, reply in zip(lesson, completions, strict=True)]

    reward.__name__ = name  # trl names its figures after the functions
    return reward


def _text(completion: Any) -> str:
    content = completion if isinstance(completion, str) else completion[-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _first_words(named: Sequence[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for aspect, word in named:
        found.setdefault(aspect, word)
    return found
