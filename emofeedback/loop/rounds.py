"""What follows from the rounds so far: which candidate counts, what the next round draws, and when a run stops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count, islice
from typing import Literal

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.loop.drawing import CancelFlag, check_number, check_whole
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.protocols import LeftOut
from emofeedback.records import Attempt, Candidate, Critique, Edit, Round, StopReason, rank

TOLERANCE = 0.12
"""Distance to the target at which a run stops: about the second rater's own error on a render."""
MAX_ROUNDS = 50

Continuation = Literal["same_seed", "image"]
"""What later rounds start from: the same noise and other words, or also the last chosen picture."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a run goes on, and what its later rounds start from.

    Attributes:
        rounds: at most so many, 1 to MAX_ROUNDS; earlier ones of a branch count.
        tolerance: distance to the target, 0 to 3, within which a picture that shows its content ends the run.
        patience: rounds in a row without a gain that end the run; None = all rounds are drawn.
        continuation: with "image", later rounds start from the best picture so far.

    Raises:
        UserError: a value is out of range; the message names it.
    """

    rounds: int = 3
    tolerance: float = TOLERANCE
    patience: int | None = None
    continuation: Continuation = "same_seed"

    def __post_init__(self) -> None:
        check_whole("rounds", self.rounds, 1, MAX_ROUNDS)
        check_number("tolerance", self.tolerance, 0.0, 3.0)
        if self.patience is not None:
            check_whole("patience", self.patience, 1, MAX_ROUNDS)
        if self.continuation not in ("same_seed", "image"):
            raise UserError(f"Unknown continuation {self.continuation!r}; known are same_seed, image.")


@dataclass(frozen=True, slots=True)
class Past:
    """The rounds so far, and for each of them the edits that led to its prompt."""

    rounds: tuple[Round, ...] = ()
    edits: tuple[tuple[Edit, ...], ...] = ()

    def __post_init__(self) -> None:
        if len(self.rounds) != len(self.edits):
            raise ValueError("each round needs the edits that led to it")

    def then(self, done: Round, edits: Sequence[Edit] = ()) -> "Past":
        """This past with one round more."""
        return Past((*self.rounds, done), (*self.edits, tuple(edits)))

    def up_to(self, number: int) -> "Past":
        """The rounds from the first to the one with this number: where a branch begins."""
        count = sum(done.number <= number for done in self.rounds)
        return Past(self.rounds[:count], self.edits[:count])

    def aimed_at(self, target: Affect) -> "Past":
        """The same pictures and choices, set beside another target."""

        def aim(item: Candidate) -> Candidate:
            return replace(item, distance=item.reading.affect.distance(target)) if item.reading else item

        rounds = tuple(replace(done, candidates=tuple(map(aim, done.candidates))) for done in self.rounds)
        return Past(rounds, self.edits)

    def best(self) -> Round | None:
        """The round whose chosen picture is the best so far, the earliest of equals; None before the first round."""
        return min(self.rounds, key=lambda done: rank(done.best())) if self.rounds else None

    def attempts(self, last: Round | None = None, original: str | None = None) -> tuple[Attempt, ...]:
        """What a judge is shown of the rounds; `last` comes at the end, where advice is asked on it.

        Args:
            original: the user's own words.
        """
        pairs = list(zip(self.rounds, self.edits, strict=True))
        if last is not None:
            pairs.sort(key=lambda pair: pair[0] is last)  # stable: the others keep their order
        return tuple(attempt_of(done, edits, original) for done, edits in pairs)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a round draws: the prompt, or the prompts its candidates share out with the edits that led to each.

    Words are compared on equal noise: each seed draws every prompt of `trials` before the next seed's turn comes, so
    that the choice among prompts says nothing about seeds.
    """

    prompt: str
    trials: Mapping[str, tuple[Edit, ...]] = field(default_factory=dict)
    base: Round | None = None  # the round it goes on from
    seeds: tuple[int, ...] = ()  # in their order; () = the order's own; more follow upwards from the last

    def draws(self, candidates: int, seed: int, past: Past = Past()) -> list[tuple[str, int]]:
        """(prompt, seed) of each candidate; pairs that the past drew already give way to further seeds.

        Args:
            candidates: how many.
            seed: the first one where the turn names none.
        """
        drawn = {(c.picture.request.prompt, c.picture.request.seed) for done in past.rounds for c in done.candidates}
        named = self.seeds or (seed,)
        prompts = tuple(self.trials) or (self.prompt,)
        pairs = ((prompt, s) for s in chain(named, count(max(named) + 1)) for prompt in prompts)
        return list(islice((pair for pair in pairs if pair not in drawn), candidates))


def reached(candidate: Candidate, tolerance: float) -> bool:
    """Whether a candidate lies within the tolerance and shows what the prompt named."""
    return candidate.distance is not None and candidate.distance <= tolerance and candidate.content_kept is not False


def prompt_after(prompt: str, critique: Critique | None, left_out: LeftOut | None = None) -> str | None:
    """The next prompt a critique asks for; None when it asks for no change.

    Args:
        left_out: how the generator cuts long prompts (see `apply_edits`), here and below.
    """
    if critique is None or not critique.edits:
        return None
    edited = apply_edits(prompt, critique.edits, left_out)
    return None if edited == prompt else edited


def trials_of(prompt: str, edits: Sequence[Edit], left_out: LeftOut | None = None) -> dict[str, tuple[Edit, ...]]:
    """Prompts to try in the next round, each with the edits that make it: all edits, then each change alone.

    A judge may be right about one edit and overdo it with three; the candidates then show which words help. What is
    named to be kept goes with each change, and once the changes go without it.
    """
    changes, kept = [edit for edit in edits if not edit.keeps], tuple(edit for edit in edits if edit.keeps)
    sets = [tuple(edits)]
    if changes and kept:
        sets.append(tuple(changes))
    if len(changes) > 1:
        sets += [(edit, *kept) for edit in changes]
    trials: dict[str, tuple[Edit, ...]] = {}
    for some in sets:
        trials.setdefault(apply_edits(prompt, some, left_out), some)
    return trials


def attempt_of(done: Round, edits: Sequence[Edit] = (), original: str | None = None) -> Attempt:
    """What a judge is shown of a finished round; `edits` are those that led to the round's prompt."""
    best = done.best()
    return Attempt(done.prompt, best.picture, best.reading, tuple(edits), original)


def next_turn(past: Past, left_out: LeftOut | None = None) -> Turn:
    """The round after these: on from the best so far, with the words that the last advice asked for.

    The seeds are those of the round it goes on from, the chosen picture's first, so that a picture changes only where
    the words do; where the words were drawn with them before (no advice, or one that changes nothing) others follow.

    Raises:
        ValueError: there is no round yet.
    """
    base = past.best()
    if base is None:
        raise ValueError("there is no round to go on from")
    advice = past.rounds[-1].critique
    edits = () if advice is None else advice.edits
    trials = trials_of(base.prompt, edits, left_out) if edits else {base.prompt: ()}
    return Turn(next(iter(trials)), trials, base, seeds_of(base))


def seeds_of(base: Round) -> tuple[int, ...]:
    """The seeds of a round's candidates, the chosen one's first, each once."""
    seeds = [base.best().picture.request.seed, *(c.picture.request.seed for c in base.candidates)]
    return tuple(dict.fromkeys(seeds))


def stop_reason(done: Sequence[Round], rules: Rules, cancel: CancelFlag | None = None) -> StopReason | None:
    """Why a run stops after its last round so far; None to go on.

    Advice that could not be read once is made up for by new seeds; twice in a row ends the run.
    """
    best = done[-1].best()
    if cancel is not None and cancel.is_set():
        return "cancelled"
    if best.distance is None:
        return "unreadable"
    if reached(best, rules.tolerance):
        return "tolerance"
    if len(done) > 1 and all(advice_missing(r) for r in done[-2:]):
        return "advice_unreadable"
    patience = rules.patience
    if patience is not None and len(done) > patience:
        before, lately = done[:-patience], done[-patience:]
        if min(rank(r.best()) for r in lately) >= min(rank(r.best()) for r in before):
            return "no_gain"
    return "rounds" if len(done) >= rules.rounds else None


def advice_missing(done: Round) -> bool:
    """Whether the judge was asked and its reply could not be read; it is missing then, not empty."""
    return done.critique is None and done.cost.critiques > 0
