"""What each part of a run is worth: the rewriter before round 1, the visual prompt in it, the judge's edits after.

Every unseen prompt meets each of Mikels' eight emotions. Every arm may draw the same number of pictures for the same
prompts and targets from the same first seed, and the judge chooses in each; only the second rater, which guided none
of them, grades. Arms with edits stop early where the judge asks for no change: the pictures they drew are reported.
Prompts are the unit: emotions are averaged within them before the bootstrap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.content import content_scores, content_unit
from emofeedback.evaluation.metrics import bootstrap, paired_bootstrap
from emofeedback.evaluation.protocols.feedback_gain import SEED_STRIDE, LoopModels, LoopSize
from emofeedback.evaluation.protocols.generator_and_judge import OnProgress, Reader, held_out_prompts
from emofeedback.evaluation.report import Measure
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import Finished, RunOrder, run_loop
from emofeedback.protocols import Rewriter, left_out_of
from emofeedback.records import Picture, VisualPrompt
from emofeedback.rewriting.director import opening_turn


@dataclass(frozen=True, slots=True)
class Arm:
    """Which parts take part in a run."""

    name: str
    rewriter: bool = True
    visual: bool = True
    edits: bool = True


ALL = Arm("all three")
ARMS = (
    ALL,
    Arm("without the rewriter", rewriter=False),
    Arm("without the visual prompt", visual=False),
    Arm("without the judge's edits", edits=False),
    Arm("judge's edits alone", rewriter=False, visual=False),
    Arm("none of them, best of N", rewriter=False, visual=False, edits=False),
)


@dataclass(frozen=True, slots=True)
class Ablation:
    """What every prompt meets.

    Attributes:
        size: of a run with edits; a run without them draws as many pictures in one round.
        strength: of the V-A adapter in every arm; 0 = off, so that the three parts alone carry the emotion.
        visual: what the arms with a visual prompt are guided by; by default the bank's, at strength 1.
    """

    size: LoopSize
    strength: float = 1.0
    visual: VisualPrompt = field(default_factory=VisualPrompt)
    emotions: Sequence[str] = MIKELS
    arms: Sequence[Arm] = ARMS


@dataclass(frozen=True, slots=True)
class Graded:
    """How one arm's run ended: the rater's distance to the target, whether the prompt's content is there, pictures."""

    distance: float
    kept: float | None  # see `content_scores`
    pictures: int


def evaluate_ablation(
    models: LoopModels,
    rewriter: Rewriter,
    ablation: Ablation,
    *,
    count: int,
    seed: int,
    progress: OnProgress | None = None,
) -> list[Measure]:
    """`count` unseen prompts with each emotion, once in every arm.

    Raises:
        UserError: hardly any prompt could be read in every arm.
    """
    prompts, found, emotions = held_out_prompts(count, seed), [], ablation.emotions
    for i, prompt in enumerate(prompts):
        rows: list[list[Graded]] = []
        for j, emotion in enumerate(emotions):
            target, first = EMOTIONS[emotion], seed + SEED_STRIDE * i
            pictures = [_run(models, rewriter, ablation, arm, prompt, target, first) for arm in ablation.arms]
            graded = _grade(models.rater, prompt, target, pictures)
            if graded is not None:
                rows.append(graded)
            if progress is not None:
                progress(i * len(emotions) + j + 1, len(prompts) * len(emotions))
        if rows:
            found.append(rows)
    if len(found) < 2:
        raise UserError("Hardly any picture could be read; train the judge and the rater longer.")
    return _measures(found, ablation.arms, seed, content_unit(models.rater))


def _run(
    models: LoopModels, rewriter: Rewriter, ablation: Ablation, arm: Arm, prompt: str, target: Affect, seed: int
) -> tuple[Picture, int] | None:
    """The picture that one arm ends with, and how many it drew; without edits all are drawn in one round."""
    rounds, candidates = ablation.size.rounds, ablation.size.candidates
    share = candidates if arm.edits else rounds * candidates
    cut = left_out_of(models.generator)
    first = opening_turn(rewriter, prompt, target, seed, candidates, cut) if arm.rewriter else None
    drawing = Drawing(share, seed, ablation.strength, visual=ablation.visual if arm.visual else None)
    order = RunOrder(prompt, target, drawing, Rules(rounds if arm.edits else 1, tolerance=0.0))
    events = run_loop(models.generator, models.judge, order, first=first)
    run = next(event.run for event in events if isinstance(event, Finished))
    best = run.best()
    if best is None or best.distance is None:
        return None
    return best.picture, sum(len(done.candidates) for done in run.rounds)


def _grade(
    rater: Reader, prompt: str, target: Affect, pictures: Sequence[tuple[Picture, int] | None]
) -> list[Graded] | None:
    """The rater's view of every arm; None where one of them could not be read."""
    known = [item for item in pictures if item is not None]
    if len(known) < len(pictures):
        return None
    graded = []
    drawings = [picture for picture, _ in known]
    readings = rater.read(drawings)
    scores = content_scores(rater, [prompt] * len(drawings), drawings, readings)
    for (_, drawn), reading, score in zip(known, readings, scores, strict=True):
        if reading is None:
            return None
        graded.append(Graded(reading.affect.distance(target), score, drawn))
    return graded


def _measures(
    found: Sequence[Sequence[Sequence[Graded]]], arms: Sequence[Arm], seed: int, content: str
) -> list[Measure]:
    """The table of what was graded by prompt, emotion and arm."""

    def means(of: Callable[[Graded], float]) -> NDArray[np.float64]:
        """[P, A] over the emotions of a prompt; what is nan is left out."""
        return np.array([np.nanmean([[of(graded) for graded in row] for row in rows], axis=0) for rows in found])

    errors = means(lambda graded: graded.distance)
    kept = means(lambda graded: np.nan if graded.kept is None else graded.kept)
    drawn = means(lambda graded: graded.pictures)
    measures = []
    for k, arm in enumerate(arms):
        measures.append(Measure.of(f"error, {arm.name}", bootstrap(errors[:, k], seed=seed), "V-A distance"))
    for k, arm in enumerate(arms[1:], 1):
        gain = paired_bootstrap(errors[:, 0], errors[:, k], seed=seed)
        name = f"{arms[0].name} minus {arm.name}"
        measures.append(Measure.of(name, gain, "V-A distance"))
        measures.append(Measure(f"{name}, upper end", gain.high, "V-A distance", gain.n, None, (None, 0.0)))
    for k, arm in enumerate(arms):
        known = kept[:, k][np.isfinite(kept[:, k])]
        if len(known):
            measures.append(Measure.of(f"content kept, {arm.name}", bootstrap(known, seed=seed), content))
        measures.append(Measure.of(f"pictures, {arm.name}", bootstrap(drawn[:, k], seed=seed), "pictures"))
    return measures
