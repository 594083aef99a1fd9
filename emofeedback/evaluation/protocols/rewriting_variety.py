"""How differently a company rewrites: against one agent, and against the same company without its memories.

A concept is what a viewer's check kept; two are the same where the scene world says so ("in fog", "in the mist"), else
where the words are. One agent is each viewer of the company in turn, asked for as many rewrites as the company gives,
with another seed each time. Intervals resample prompts: the emotions and seeds of one prompt are not independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from emofeedback.affect import MIKELS, Affect, emotion
from emofeedback.errors import UserError
from emofeedback.evaluation.metrics import Interval, bootstrap, paired_bootstrap, ratio_bootstrap
from emofeedback.evaluation.protocols.generator_and_judge import OnProgress, held_out_prompts
from emofeedback.evaluation.report import Measure
from emofeedback.records import Rewrite
from emofeedback.rewriting.chain import rewrite_of
from emofeedback.rewriting.company import Company
from emofeedback.rewriting.concepts import content_kept
from emofeedback.rewriting.director import keys_of
from emofeedback.rewriting.feeling import caption_affect
from emofeedback.rewriting.viewers import Viewer
from emofeedback.scenes.captions import parse

SEED_STRIDE = 1000  # between the seeds of one evaluation, so that one agent's seeds stay apart
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Cell:
    """One prompt, emotion and seed: distinct concepts of each arm, and what the company's rewrites came to."""

    company: int
    one_agent: float  # mean over the viewers
    without_memories: int
    kept: float  # share of the company's rewrites that say all that the prompt said
    distance: float  # mean of the affect model over the company's rewrites
    first: float  # of the one that the director puts first
    plain: float  # of the prompt alone


def evaluate_rewriting(
    company: Company, *, count: int, seed: int, seeds: int = 3, progress: OnProgress | None = None
) -> list[Measure]:
    """`count` held-out prompts x Mikels' eight emotions x `seeds` seeds.

    Raises:
        UserError: there are fewer than two viewers or prompts, or a back end gave no rewrite.
    """
    if len(company.viewers) < 2:
        raise UserError("A company of one viewer differs from nobody; choose two or more.")
    prompts = held_out_prompts(count, seed)
    tasks = list(product(range(seeds), MIKELS))
    table: list[list[Cell]] = []
    for i, prompt in enumerate(prompts):
        row = []
        for k, (turn, name) in enumerate(tasks):
            row.append(_cell(company, prompt, emotion(name), seed + SEED_STRIDE * (turn + 1)))
            if progress is not None:
                progress(i * len(tasks) + k + 1, len(prompts) * len(tasks))
        table.append(row)
    return _measures(table, seed)


def _cell(company: Company, prompt: str, target: Affect, seed: int) -> Cell:
    many = len(company.viewers)
    together = _rewrites(company, company.viewers, prompt, target, [seed] * many)
    alone = [
        distinct(_rewrites(company, [viewer] * many, prompt, target, [seed + i for i in range(many)]))
        for viewer in company.viewers
    ]
    bare = [viewer.without_memories() for viewer in company.viewers]
    known = [rewrite.distance for rewrite in together if rewrite.distance is not None]
    plain = caption_affect(parse(prompt)).distance(target)
    directed = company.rewrite(prompt, target, seed=seed).rewrites[0]
    return Cell(
        company=distinct(together),
        one_agent=float(np.mean(alone)),
        without_memories=distinct(_rewrites(company, bare, prompt, target, [seed] * many)),
        kept=float(np.mean([content_kept(prompt, rewrite.prompt) for rewrite in together])),
        distance=float(np.mean(known)) if known else plain,
        first=plain if directed.distance is None else directed.distance,
        plain=plain,
    )


def _rewrites(
    company: Company, viewers: Sequence[Viewer], prompt: str, target: Affect, seeds: Sequence[int]
) -> list[Rewrite]:
    found: list[Rewrite] = []
    for viewer, seed in zip(viewers, seeds, strict=True):
        chains, _ = company.of([viewer]).chains(prompt, target, seed=seed)
        found += map(rewrite_of, chains)
    if not found:
        raise UserError(f"{company.name} gave no rewrite of {prompt!r}; choose another back end.")
    return found


def distinct(rewrites: Sequence[Rewrite]) -> int:
    """How many different concepts some rewrites hold together."""
    return len(frozenset().union(*map(keys_of, rewrites)))


def _measures(table: list[list[Cell]], seed: int) -> list[Measure]:
    if len(table) < 2:
        raise UserError("Two prompts at least are needed; raise --count.")

    def rows(value: Callable[[Cell], float]) -> np.ndarray:
        """[prompts] means over emotions and seeds."""
        return np.array([np.mean([value(cell) for cell in row]) for row in table])

    def ratio(over: np.ndarray, under: np.ndarray) -> Interval:
        return ratio_bootstrap(over, under, seed=seed, resamples=RESAMPLES)

    company, one, bare = rows(lambda c: c.company), rows(lambda c: c.one_agent), rows(lambda c: c.without_memories)
    words = "distinct concepts"
    measures = [
        Measure.of(f"{words} of the company", bootstrap(company, seed=seed), "per emotion and prompt"),
        Measure.of(f"{words} of one agent, as many rewrites", bootstrap(one, seed=seed), "per emotion and prompt"),
        Measure.of(f"{words} of the company without memories", bootstrap(bare, seed=seed), "per emotion and prompt"),
        Measure.of(f"{words}, company over one agent", ratio(company, one), "times", (3.0, None)),
        Measure.of(f"{words}, without memories over with them", ratio(bare, company), "times"),
    ]
    fall = paired_bootstrap(bare, company, seed=seed)
    measures += [
        Measure("without memories minus with them, upper end", fall.high, "concepts", fall.n, None, (None, 0.0)),
        Measure.of("content kept", bootstrap(rows(lambda c: c.kept), seed=seed), "share", (0.97, None)),
        Measure.of("distance of a rewrite", bootstrap(rows(lambda c: c.distance), seed=seed), "V-A distance"),
        Measure.of("distance of the director's first", bootstrap(rows(lambda c: c.first), seed=seed), "V-A distance"),
        Measure.of("distance of the plain prompt", bootstrap(rows(lambda c: c.plain), seed=seed), "V-A distance"),
    ]
    gain = paired_bootstrap(rows(lambda c: c.distance), rows(lambda c: c.plain), seed=seed)
    upper = Measure("rewrite minus plain prompt, upper end", gain.high, "V-A distance", gain.n, None, (None, 0.0))
    return [*measures, upper]
