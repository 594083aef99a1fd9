"""How far visual prompts move the emotion of a picture, beside an emotion's word, with the words and seeds unchanged.

The V-A adapter is off under every condition. Sensitivity is what Emotion-Director asks for: under the same words and
the same noise, how far apart two emotions' pictures lie on the valence-arousal plane, by the second rater, mean over
all pairs of Mikels' eight. Prompts are the unit: seeds are averaged within them before the bootstrap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.content import content_scores
from emofeedback.evaluation.metrics import bootstrap, paired_bootstrap, ratio_bootstrap
from emofeedback.evaluation.protocols.generator_and_judge import OnProgress, Reader, held_out_prompts
from emofeedback.evaluation.report import Measure
from emofeedback.protocols import Generator
from emofeedback.records import PictureRequest, VisualPrompt

SEED = 31  # of the pictures of the first of the seeds
GAIN = 1.5  # of the visual prompt over the emotion's word
CONTENT = 0.03
Make = Callable[[str, str, int], PictureRequest]


@dataclass(frozen=True, slots=True)
class Condition:
    """One way to ask for an emotion: what draws, and the request for (prompt, emotion, seed)."""

    name: str
    generator: Generator
    make: Make
    alike: bool = False  # all emotions are drawn alike, so each picture is drawn once


@dataclass(frozen=True)
class ConditionReadings:
    """What the rater read under one condition.

    Attributes:
        points: [P, S, E, 2] valence and arousal by prompt, seed and emotion.
        kept: [P, S, E] whether the content was kept; nan = not known.
    """

    points: NDArray[np.float64]
    kept: NDArray[np.float64]

    def sensitivity(self) -> NDArray[np.float64]:
        """[P], mean distance between two emotions' pictures of one prompt and seed."""
        pairs = combinations(range(self.points.shape[2]), 2)
        apart = [np.linalg.norm(self.points[:, :, i] - self.points[:, :, j], axis=-1) for i, j in pairs]
        return np.mean(apart, axis=0).mean(1)

    def error(self, targets: Sequence[Affect]) -> NDArray[np.float64]:
        """[P], mean distance to the emotions' own points."""
        wanted = np.array([[target.valence, target.arousal] for target in targets])
        return np.linalg.norm(self.points - wanted, axis=-1).mean((1, 2))

    def content(self) -> NDArray[np.float64]:
        """[P], share of pictures that keep the content."""
        return np.nanmean(self.kept, axis=(1, 2))


def conditions(
    generator: Generator, tuned: Generator | None = None, visual: VisualPrompt | None = None
) -> list[Condition]:
    """Prompt alone, with the emotion's word, with its visual prompt; and `tuned` with the same visual prompt.

    Args:
        tuned: the generator after DPO with a negative visual prompt.
        visual: its strength and guidance are used; None = the standard ones.
    """
    given = visual or VisualPrompt()

    def alone(prompt: str, emotion: str, seed: int) -> PictureRequest:
        return PictureRequest(prompt, None, seed, 0.0)

    def word(prompt: str, emotion: str, seed: int) -> PictureRequest:
        return PictureRequest(f"{prompt}, {emotion}", None, seed, 0.0)

    def shown(prompt: str, emotion: str, seed: int) -> PictureRequest:
        named = VisualPrompt(given.strength, emotion, negative=given.negative, guidance=given.guidance)
        return PictureRequest(prompt, None, seed, 0.0, visual=named)

    found = [
        Condition("prompt alone", generator, alone, alike=True),
        Condition("emotion word", generator, word),
        Condition("visual prompt", generator, shown),
    ]
    return found if tuned is None else [*found, Condition("visual prompt, DPO", tuned, shown)]


def measure_condition(
    condition: Condition,
    rater: Reader,
    prompts: Sequence[str],
    emotions: Sequence[str],
    seeds: Sequence[int],
    progress: Callable[[], None] = lambda: None,
) -> ConditionReadings:
    """Draw and grade one condition; `progress` is called after each prompt.

    Raises:
        UserError: the rater could not read a picture.
    """
    points, kept = [], []
    asked = emotions[:1] if condition.alike else emotions
    for prompt in prompts:
        pictures = list(
            condition.generator.generate([condition.make(prompt, e, seed) for seed in seeds for e in asked])
        )
        readings = rater.read(pictures)
        for reading in readings:
            if reading is None:
                raise UserError("The rater could not read a picture; evaluate with the bundled rater.")
            points.append([reading.affect.valence, reading.affect.arousal])
        scores = content_scores(rater, [prompt] * len(pictures), pictures, readings)
        kept += [np.nan if score is None else score for score in scores]
        progress()
    shape = len(prompts), len(seeds), len(asked)
    repeat = len(emotions) if condition.alike else 1
    return ConditionReadings(
        np.array(points).reshape(*shape, 2).repeat(repeat, axis=2), np.array(kept).reshape(shape).repeat(repeat, axis=2)
    )


def evaluate_visual(
    found: Sequence[Condition],
    rater: Reader,
    *,
    count: int,
    seed: int,
    seeds: int = 3,
    progress: OnProgress | None = None,
) -> list[Measure]:
    """Sensitivity, valence-arousal error and content under each condition, with the goals of visual prompts.

    Args:
        found: as `conditions` gives them; the first three in that order.
        count: unseen prompts.
        seeds: pictures of each prompt and emotion.
    """
    prompts, done = held_out_prompts(count, seed), 0

    def tell() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(prompts) * len(found))

    numbers = [SEED + 1000 * seed + i for i in range(seeds)]
    outcomes = {
        condition.name: measure_condition(condition, rater, prompts, MIKELS, numbers, tell) for condition in found
    }
    return measures_of(outcomes, seed)


def measures_of(outcomes: dict[str, ConditionReadings], seed: int) -> list[Measure]:
    """The table of the conditions, and how they compare."""
    targets = [EMOTIONS[name] for name in MIKELS]
    table = []
    for name, outcome in outcomes.items():
        rows = (
            ("sensitivity", outcome.sensitivity()),
            ("valence-arousal error", outcome.error(targets)),
            ("content kept", outcome.content()),
        )
        table += [Measure.of(f"{name}: {what}", bootstrap(values, seed=seed), "") for what, values in rows]
    alone, word, visual, *tuned = outcomes.values()
    gain = ratio_bootstrap(visual.sensitivity(), word.sensitivity(), seed=seed)
    table.append(Measure.of("sensitivity, visual prompt over emotion word", gain, "", (GAIN, None)))
    names = list(outcomes)[2:]
    for name, outcome in zip(names, (visual, *tuned), strict=True):
        lost = paired_bootstrap(outcome.content(), alone.content(), seed=seed)
        table.append(Measure.of(f"content, {name} less prompt alone", lost, "", (-CONTENT, None)))
    for outcome in tuned:
        more = paired_bootstrap(outcome.sensitivity(), visual.sensitivity(), seed=seed)
        table.append(Measure.of("sensitivity, DPO less visual prompt", more, "", (0.0, None)))
    return table
