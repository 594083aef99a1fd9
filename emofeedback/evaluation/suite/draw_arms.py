"""Drawing the arms of a suite: one prompt at all its points, in every way that the plan asks for."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from emofeedback.affect import EMOTIONS, MIKELS, Affect, nearest_emotion
from emofeedback.errors import UserError
from emofeedback.evaluation.content import content_scores
from emofeedback.evaluation.protocols.feedback_gain import further_pictures
from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.evaluation.suite.plan import Plan
from emofeedback.evaluation.suite.store import DrawnCell, Grade, SuiteFolder
from emofeedback.generators.pipelines.emotion_words import with_emotion_words
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.loop.candidates import choose, read_candidates
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules, Turn
from emofeedback.loop.run import Finished, RoundDone, RunOrder, draw_round, run_loop
from emofeedback.protocols import Generator, Judge, Rewriter, left_out_of
from emofeedback.records import Candidate, Cost, PictureRequest, Round, VisualPrompt, rank
from emofeedback.rewriting.director import opening_turn

OnUnit = Callable[[str, int], None]
"""Called with the arm and the number of a prompt when that is done."""
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class SuiteModels:
    """Who draws, reads and advises; what an arm needs beside them is None where no arm needs it."""

    generator: Generator
    judge: Judge
    rewriter: Rewriter | None = None
    tuned: Generator | None = None


def draw_suite(
    models: SuiteModels,
    folder: SuiteFolder,
    prompts: Sequence[int],
    *,
    done: OnUnit | None = None,
    clock: Clock = time.perf_counter,
) -> None:
    """Draw what is missing of these prompts, arm by arm."""
    for prompt in prompts:
        for arm in folder.plan.arms:
            if not folder.has(arm, prompt):
                folder.write(arm, prompt, draw_arm(models, folder, arm, prompt, clock))
            if done is not None:
                done(arm, prompt)


def grade_suite(rater: Reader, name: str, folder: SuiteFolder, units: Sequence[tuple[str, int]], done: OnUnit) -> None:
    """Have a rater read the final pictures of (arm, prompt) that it has not read yet.

    Args:
        name: of the rater's folder.
    """
    for arm, prompt in units:
        if not folder.has_grades(name, arm, prompt):
            pictures, words = folder.pictures(arm, prompt), folder.plan.prompts[prompt]
            readings = rater.read(pictures)
            kept = content_scores(rater, [words] * len(pictures), pictures, readings)
            intact = _realism(rater, pictures)
            grades = [
                Grade(None, None, score, real)
                if reading is None
                else Grade(round(reading.affect.valence, 4), round(reading.affect.arousal, 4), score, real)
                for reading, score, real in zip(readings, kept, intact, strict=True)
            ]
            folder.write_grades(name, arm, prompt, grades)
        done(arm, prompt)


def _realism(rater: Reader, pictures: Sequence) -> list[float | None]:  # type: ignore[type-arg]
    from emofeedback.evaluation.raters.grading import GradingRater  # loads transformers

    if not isinstance(rater, GradingRater):
        return [None] * len(pictures)
    return [round(value, 4) for value in rater.realism([picture.image for picture in pictures])]


@contextmanager
def _without(generator: Generator, part: str) -> Iterator[None]:
    """Inside, a generator draws without its plans or sketches.

    Raises:
        UserError: it has none.
    """
    if not isinstance(generator, SceneDiffusionGenerator) or not (generator.plans and getattr(generator, part)):
        raise UserError(f"An arm needs a generator that has {part}; leave the arm out of --arms.")
    setattr(generator, part, False)
    try:
        yield
    finally:
        setattr(generator, part, True)


def draw_arm(models: SuiteModels, folder: SuiteFolder, arm: str, prompt: int, clock: Clock) -> list[DrawnCell]:
    """One arm at all points of a prompt.

    Raises:
        UserError: a model that the arm needs is not there.
    """
    plan = folder.plan
    words, seed, points = plan.prompts[prompt], plan.seed_of(prompt), plan.points()
    match arm:
        case "prompt":
            return _one_for_all(models, PictureRequest(words, None, seed, 0.0), len(points), clock)
        case "emotion-word":
            asked = [PictureRequest(f"{words}, {nearest_emotion(p)}", None, seed, 0.0) for p in points]
            return _singles(models, asked, clock)
        case "va-words":
            asked = [PictureRequest(with_emotion_words(words, p, plan.strength), None, seed, 0.0) for p in points]
            return _singles(models, asked, clock)
        case "adapter":
            return _singles(models, [PictureRequest(words, p, seed, plan.strength) for p in points], clock)
        case "adapter-no-plan" | "adapter-no-sketch":
            with _without(models.generator, "plans" if arm == "adapter-no-plan" else "sketches"):
                return _singles(models, [PictureRequest(words, p, seed, plan.strength) for p in points], clock)
        case "tuned":
            tuned = replace(models, generator=_needed(models.tuned, "an adapter (--tuned)"))
            return _singles(tuned, [PictureRequest(words, p, seed, plan.strength) for p in points], clock)
        case "rewriter" | "visual" | "director":
            begun = clock()
            asked = [_directed(models, arm, words, point, seed) for point in points]
            return _singles(models, asked, clock, clock() - begun)
        case "loop":
            return [_loop(models, plan, words, point, seed, clock) for point in points]
        case "loop-tuned":
            tuned = replace(models, generator=_needed(models.tuned, "an adapter (--tuned)"))
            return [_loop(tuned, plan, words, point, seed, clock) for point in points]
        case "loop-director":
            rewriter = _needed(models.rewriter, "a rewriter")
            cells = []
            for point in points:
                begun = clock()
                first = opening_turn(rewriter, words, point, seed, plan.candidates, left_out_of(models.generator))
                spent, plain = clock() - begun, replace(plan, strength=0.0)
                cells.append(_loop(models, plain, words, point, seed, clock, first, VisualPrompt(), spent))
            return cells
        case "loop-no-choice":
            return [_words_alone(models, plan, words, point, seed, clock) for point in points]
        case "best-of-n":
            costs = [cell.cost for cell in folder.cells("loop", prompt)]
            return [
                _best_of(models, plan, words, point, seed, cost, clock, False)
                for point, cost in zip(points, costs, strict=True)
            ]
        case "best-of-n-seconds":
            costs = [cell.cost for cell in folder.cells("loop", prompt)]
            return [
                _best_of(models, plan, words, point, seed, cost, clock, True)
                for point, cost in zip(points, costs, strict=True)
            ]
    raise ValueError(f"no way to draw {arm!r}")


def _needed(model, what: str):  # type: ignore[no-untyped-def]
    if model is None:
        raise UserError(f"This arm needs {what}; give one or leave the arm out of --arms.")
    return model


def _one_for_all(models: SuiteModels, request: PictureRequest, count: int, clock: Clock) -> list[DrawnCell]:
    """One picture for every point: nothing in it depends on the point, so it is drawn once."""
    [cell] = _singles(models, [request], clock)
    return [cell] * count


def _singles(
    models: SuiteModels, requests: Sequence[PictureRequest], clock: Clock, before: float = 0.0
) -> list[DrawnCell]:
    """One picture a point, all in one batch; the judge is not asked.

    Args:
        before: seconds that making the requests took.
    """
    begun = clock()
    pictures = list(models.generator.generate(requests))
    seconds = (clock() - begun) / len(requests)
    cost = Cost(seconds=seconds + before / len(requests), draw_seconds=seconds, pictures=1)
    return [DrawnCell((Candidate(picture, None, None, None, chosen=True),), 0, cost) for picture in pictures]


def _directed(models: SuiteModels, arm: str, words: str, point: Affect, seed: int) -> PictureRequest:
    """A request of Emotion-Director's parts: other words, a visual prompt, or both; the V-A adapter is off."""
    if arm != "visual":
        rewriter = _needed(models.rewriter, "a rewriter")
        words = rewriter.rewrite(words, point, seed=seed).rewrites[0].prompt
    visual = None
    if arm != "rewriter":
        visual = VisualPrompt(emotion=min(MIKELS, key=lambda name: EMOTIONS[name].distance(point)))
    return PictureRequest(words, None, seed, 0.0, visual=visual)


def _loop(
    models: SuiteModels,
    plan: Plan,
    words: str,
    point: Affect,
    seed: int,
    clock: Clock,
    first: Turn | None = None,
    visual: VisualPrompt | None = None,
    before: float = 0.0,
) -> DrawnCell:
    """A run of the loop that uses all its rounds; `before` are seconds of what came before round 1."""
    drawing = Drawing(plan.candidates, seed, plan.strength, visual=visual)
    order = RunOrder(words, point, drawing, Rules(plan.rounds, tolerance=0.0))
    events = run_loop(models.generator, models.judge, order, first=first, clock=clock)
    run = next(event.run for event in events if isinstance(event, Finished))
    if run.failure is not None:
        raise UserError(run.failure)
    return _cell_of(run.rounds, before)


def _cell_of(rounds: Sequence[Round], before: float = 0.0, last: bool = False) -> DrawnCell:
    """All candidates of some rounds; the final one is the best of the chosen, or the last round's."""
    candidates = tuple(candidate for done in rounds for candidate in done.candidates)
    chosen = [done.best() for done in rounds]
    final = chosen[-1] if last else min(chosen, key=rank)
    total = {
        name: sum(getattr(done.cost, name) for done in rounds)
        for name in ("seconds", "draw_seconds", "read_seconds", "advise_seconds", "pictures", "readings", "critiques")
    }
    cost = Cost(**{**total, "seconds": total["seconds"] + before})  # type: ignore[arg-type]
    return DrawnCell(candidates, next(i for i, candidate in enumerate(candidates) if candidate is final), cost)


def _words_alone(models: SuiteModels, plan: Plan, words: str, point: Affect, seed: int, clock: Clock) -> DrawnCell:
    """One candidate a round, on from the last one whatever became of it: no choice within a round nor among rounds."""
    order = RunOrder(words, point, Drawing(1, seed, plan.strength), Rules(plan.rounds, tolerance=0.0))
    rounds: list[Round] = []
    while len(rounds) < plan.rounds:
        turn = Turn(words, seeds=(seed,))
        events = draw_round(models.generator, models.judge, order, turn, clock=clock)
        rounds.append(next(event.round for event in events if isinstance(event, RoundDone)))
        if rounds[-1].next_prompt is None:
            break  # the same words and seed give the same picture
        words = rounds[-1].next_prompt
    return _cell_of(rounds, last=True)


def _best_of(
    models: SuiteModels, plan: Plan, words: str, point: Affect, seed: int, loop: Cost, clock: Clock, seconds: bool
) -> DrawnCell:
    """As many pictures as the loop drew, or as fit into its seconds, of which the judge chooses one."""
    begun, read = clock(), 0.0
    candidates: list[Candidate] = []

    def draw(count: int) -> None:
        nonlocal read
        drawing = Drawing(count, seed + len(candidates), plan.strength)
        asked = drawing.requests(drawing.draws(words), point, models.generator.default_steps)
        pictures = list(models.generator.generate(asked))
        before = clock()
        candidates.extend(read_candidates(models.judge, pictures, point))
        read += clock() - before

    draw(loop.pictures)
    if seconds and (more := further_pictures(loop.pictures, loop.seconds, clock() - begun)):
        draw(more)
    index, spent = choose(candidates), clock() - begun
    n = len(candidates)
    cost = Cost(seconds=spent, draw_seconds=spent - read, read_seconds=read, pictures=n, readings=n)
    return DrawnCell(tuple(replace(c, chosen=i == index) for i, c in enumerate(candidates)), index, cost)
