"""The measures of visual prompts on a world whose readings are known in closed form."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from PIL import Image

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.evaluation.metrics import ratio_bootstrap
from emofeedback.evaluation.protocols.visual_effect import (
    ConditionReadings,
    conditions,
    evaluate_visual,
    measure_condition,
    measures_of,
)
from emofeedback.records import Picture, PictureRequest, Reading, VisualPrompt


class Obedient:
    """Moves by `word` of the way to the emotion for its word, and by `visual` for its visual prompt."""

    name, default_steps, preview_steps = "obedient", 4, 4

    def __init__(self, word: float, visual: float) -> None:
        self.word, self.visual, self.drawn = word, visual, 0

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        return ()

    def generate(self, requests: Sequence[PictureRequest], on_step: object = None) -> Iterator[Picture]:
        for request in requests:
            assert request.affect is None and request.strength == 0.0  # the adapter is off in every arm
            self.drawn += 1
            yield Picture(Image.new("RGB", (2, 2)), request, self.name, 0.0)


class Knowing:
    """Reads where the generator meant to go."""

    def __init__(self, word: float, visual: float) -> None:
        self.word, self.visual = word, visual

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        return [self._one(picture.request) for picture in pictures]

    def _one(self, request: PictureRequest) -> Reading:
        share, name = 0.0, None
        if request.visual is not None:
            share, name = self.visual, request.visual.emotion
        elif request.prompt.rsplit(", ", 1)[-1] in MIKELS:
            share, name = self.word, request.prompt.rsplit(", ", 1)[-1]
        point = EMOTIONS[name] if name else Affect(0, 0)
        return Reading(Affect(share * point.valence, share * point.arousal), 0, 0, 1, (), "knowing")

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        return True


def spread() -> float:
    points = np.array([[EMOTIONS[n].valence, EMOTIONS[n].arousal] for n in MIKELS])
    return float(np.mean([np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i]]))


def test_measures_are_the_closed_forms() -> None:
    generator = Obedient(0.2, 0.6)
    table = evaluate_visual(conditions(generator), Knowing(0.2, 0.6), count=4, seed=0, seeds=2)
    values = {measure.name: measure for measure in table}
    assert values["prompt alone: sensitivity"].value == 0
    assert values["emotion word: sensitivity"].value == pytest.approx(0.2 * spread())
    assert values["visual prompt: sensitivity"].value == pytest.approx(0.6 * spread())
    away = np.mean([0.4 * EMOTIONS[n].distance(Affect(0, 0)) for n in MIKELS])
    assert values["visual prompt: valence-arousal error"].value == pytest.approx(away)
    gain = values["sensitivity, visual prompt over emotion word"]
    assert gain.value == pytest.approx(3.0) and gain.holds() and gain.n == 4
    assert values["content, visual prompt less prompt alone"].holds()
    assert generator.drawn == 4 * 2 * (1 + 8 + 8)  # the prompt alone is drawn once for all emotions


def test_a_tuned_generator_is_one_arm_more() -> None:
    names = [arm.name for arm in conditions(Obedient(0, 0), Obedient(0, 0), VisualPrompt(0.7))]
    assert names == ["prompt alone", "emotion word", "visual prompt", "visual prompt, DPO"]
    request = conditions(Obedient(0, 0), visual=VisualPrompt(0.7, guidance=2.0))[2].make("a cat", "awe", 4)
    assert request.visual == VisualPrompt(0.7, "awe", guidance=2.0)


def test_the_comparisons_miss_their_goals_where_they_should() -> None:
    rng = np.random.default_rng(0)

    def outcome(scale: float, kept: float) -> ConditionReadings:
        return ConditionReadings(scale * rng.standard_normal((6, 2, 8, 2)), np.full((6, 2, 8), kept))

    found = {n: outcome(s, k) for n, s, k in (("a", 0, 1), ("b", 1, 1), ("c", 1.2, 0.9), ("d", 0.8, 0.98))}
    holds = {m.name: m.holds() for m in measures_of(found, 0) if m.goal}
    assert holds == {
        "sensitivity, visual prompt over emotion word": False,
        "content, c less prompt alone": False,
        "content, d less prompt alone": True,
        "sensitivity, DPO less visual prompt": False,
    }


def test_the_ratio_of_equal_conditions_is_1() -> None:
    values = np.array([0.3, 0.5, 0.9])
    found = ratio_bootstrap(values, values, seed=0)
    assert (found.value, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 3)


def test_prompts_seeds_and_emotions_keep_their_places() -> None:
    arm = conditions(Obedient(0, 1.0))[2]
    outcome = measure_condition(arm, Knowing(0, 1.0), ["a", "b"], MIKELS, [1, 2, 3])
    assert outcome.points.shape == (2, 3, 8, 2) and outcome.kept.shape == (2, 3, 8)
    np.testing.assert_allclose(outcome.points[1, 2, 6], [-0.65, 0.65])
