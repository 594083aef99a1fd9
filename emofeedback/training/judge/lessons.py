"""Lessons for any vision-language judge: questions as the product asks them, on pictures whose truth is known.

Four kinds, mixed: rate one axis by a label, name the content, and give advice, on renders of the scene world; on
pictures with people's ratings only the first. Lesson i is a pure function of the seed, i and the picture.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.judges.questions import advice_question, describe_question, rating_questions
from emofeedback.records import Attempt, Picture, PictureRequest, Reading
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.grammar import Scene
from emofeedback.training.judge.advice_lessons import example_for

Task = Literal["rate", "describe", "advise"]
TASKS: tuple[Task, ...] = ("rate", "describe", "advise")


@dataclass(frozen=True, slots=True)
class LessonPicture:
    """A picture with what is known of it; the scene is None for pictures that people rated."""

    image: Image.Image
    affect: Affect
    scene: Scene | None = None


@dataclass(frozen=True, slots=True)
class Lesson:
    """A question about picture `index` and the answer that the truth gives.

    Attributes:
        values: of the labels in this question's order; `true` is the axis' true value. Ratings only.
        prompt, target: the words that drew the picture, and the wanted point. Advice only.
    """

    index: int
    task: Task
    question: str
    answer: str
    values: tuple[float, ...] = ()
    true: float = 0.0
    prompt: str = ""
    target: tuple[float, float] = (0.0, 0.0)
    content: dict[str, str] = field(default_factory=dict)


def lesson_for(number: int, index: int, shown: LessonPicture, labels: Sequence[str], seed: int) -> Lesson:
    """Lesson `number`, on picture `index`."""
    rng = random.Random(f"judge lesson/{seed}/{number}")
    task: Task = "rate" if shown.scene is None else rng.choice(TASKS)
    if shown.scene is None or task == "rate":
        question = rng.choice(rating_questions(labels))
        values, true = question.values(), getattr(shown.affect, question.axis)
        best = min(range(len(values)), key=lambda k: abs(values[k] - true))
        return Lesson(index, "rate", question.text(), labels[best], values, true)
    if task == "describe":
        return Lesson(
            index, task, describe_question(), json.dumps(description(shown.scene)), content=attributes(shown.scene)
        )
    example = example_for(number, index, shown.scene, seed)
    attempts = [_attempt(prompt, affect) for prompt, affect in example.history()]
    question_text = advice_question(attempts, Affect(*example.target))
    return Lesson(index, task, question_text, example.reply, prompt=attempts[-1].prompt, target=example.target)


def _attempt(prompt: str, affect: Affect | None) -> Attempt:
    picture = Picture(Image.new("RGB", (8, 8)), PictureRequest(prompt, None, 0), "render", 0.0)
    return Attempt(prompt, picture, None if affect is None else Reading(affect, 0.0, 0.0, 1.0, (), "teacher"))


def attributes(scene: Scene) -> dict[str, str]:
    """What can be asked of a scene by one word each; subject is the first of its subjects."""
    first = (*_subjects(scene), "none")[0]
    return {"place": scene.place, "subject": first, "time": scene.time, "weather": scene.weather}


def _subjects(scene: Scene) -> list[str]:
    """What is to be seen in a scene, the most important first."""
    return [s for s in (scene.subject, scene.companion, *scene.elements) if s is not None]


def description(scene: Scene) -> dict[str, Any]:
    """The scene as the content question wants it answered."""
    return {
        "place": scene.place,
        "subjects": _subjects(scene)[:4],
        "time": scene.time,
        "weather": scene.weather,
        "light": scene.light,
        "colours": [scene.palette],
    }


def shown_scenes(pictures: NDArray[np.uint8], scenes: Sequence[Scene]) -> list[LessonPicture]:
    """Renders uint8 [N, S, S, 3] with their scenes' affect."""
    pairs = zip(pictures, scenes, strict=True)
    return [
        LessonPicture(Image.fromarray(np.asarray(pixels)), scene_affect(scene).affect(), scene)
        for pixels, scene in pairs
    ]
