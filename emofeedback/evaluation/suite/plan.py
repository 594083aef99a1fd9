"""What a suite draws: prompts, points of the plane, seeds, arms. Importing this is cheap."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.loop.drawing import check_number, check_whole
from emofeedback.records import MAX_CANDIDATES
from emofeedback.sweep.plane import grid_affects

Form = Literal["smoke", "full"]
SEED_STRIDE = 1000
"""Between the first seeds of two prompts."""


@dataclass(frozen=True, slots=True)
class FormSize:
    """Prompts, points along each axis, and the size of a run of the loop."""

    prompts: int
    grid: int
    rounds: int
    candidates: int


FORMS: Mapping[Form, FormSize] = {"smoke": FormSize(4, 3, 2, 4), "full": FormSize(132, 5, 3, 8)}
"""`full` is EmotiCrafter's protocol (132 prompts x 5 x 5 points, ICCV 2025); `smoke` is meant for ten minutes."""
EXTENT = 0.7
"""Of the points along each axis: what scenes reach on a viewer's scale. EmotiCrafter's own grid is at 1."""


@dataclass(frozen=True, slots=True)
class ArmKind:
    """One way to draw.

    Attributes:
        title: in a table.
        text: what it does, in a sentence's part.
        after: the arm whose cost it is given.
        needs: "adapter" (of fine-tuning), "rewriter", "visual" (visual prompts), "plan" or "sketch" (a generator that
            plans, or draws after sketches).
    """

    title: str
    text: str
    after: str | None = None
    needs: tuple[str, ...] = ()


ARMS: Mapping[str, ArmKind] = {
    "prompt": ArmKind("prompt only", "the words alone; no emotion is asked for"),
    "emotion-word": ArmKind("prompt + emotion word", "the nearest of the named emotions is added to the words"),
    "va-words": ArmKind("V-A words", "words of light, weather, colour and gesture for the point"),
    "adapter": ArmKind("V-A adapter", "the generator's own valence and arousal, one picture"),
    "adapter-no-plan": ArmKind(
        "V-A adapter, no plan", "as before, but nothing is chosen for what the words leave open", needs=("plan",)
    ),
    "adapter-no-sketch": ArmKind(
        "V-A adapter, no sketch", "as the adapter draws, after the plan's words alone", needs=("sketch",)
    ),
    "rewriter": ArmKind("rewriter", "the words of the viewers' company, no adapter", needs=("rewriter",)),
    "visual": ArmKind("visual prompt", "the bank's pictures of the emotion, no adapter", needs=("visual",)),
    "director": ArmKind("rewriter + visual prompt", "both of these, no adapter", needs=("rewriter", "visual")),
    "loop": ArmKind("loop", "the adapter, the judge's choice and its words, round by round"),
    "loop-no-choice": ArmKind(
        "loop without selection", "one candidate a round, the judge's words, the last one counts"
    ),
    "best-of-n": ArmKind(
        "best of N, equal pictures", "the loop without words: as many pictures, the judge chooses", after="loop"
    ),
    "best-of-n-seconds": ArmKind(
        "best of N, equal seconds", "as many pictures as fit into the loop's seconds", after="loop"
    ),
    "loop-director": ArmKind(
        "loop + rewriter + visual prompt", "all parts at once, no adapter", needs=("rewriter", "visual")
    ),
    "tuned": ArmKind("fine-tuned", "the adapter of a fine-tuning job, one picture", needs=("adapter",)),
    "loop-tuned": ArmKind("fine-tuned + loop", "the loop on the fine-tuned generator", needs=("adapter",)),
}
"""By their names on the command line, in the order in which they are drawn."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what is drawn; kept as plan.json, and a suite goes on only with the same one.

    Attributes:
        grid: points along each axis, over [-extent, extent].
        seed: of the first prompt's pictures; prompt i has seed + SEED_STRIDE i.
        models: names, and the judge's identity, by what they do.

    Raises:
        UserError: a value is out of range or an arm is unknown.
    """

    prompts: tuple[str, ...]
    grid: int
    extent: float
    seed: int
    rounds: int
    candidates: int
    arms: tuple[str, ...]
    models: Mapping[str, str]
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_whole("grid", self.grid, 2, 15)
        check_number("extent", self.extent, 0.05, 1.0)
        check_whole("rounds", self.rounds, 1, 50)
        check_whole("candidates", self.candidates, 1, MAX_CANDIDATES)
        check_number("strength", self.strength, 0.0, 5.0)
        if len(self.prompts) < 2:
            raise UserError("A suite needs two prompts or more: its intervals are over prompts.")
        if self.rounds * self.candidates > MAX_CANDIDATES:
            raise UserError(f"rounds times candidates must be {MAX_CANDIDATES} or fewer here; lower one of them.")
        in_order(self.arms)

    def points(self) -> list[Affect]:
        """All points: rows of arousal from high to low, each with valence from low to high."""
        return [point for row in grid_affects(self.grid, self.extent) for point in row]

    def seed_of(self, prompt: int) -> int:
        return self.seed + SEED_STRIDE * prompt

    def as_json(self) -> dict[str, Any]:
        return {"format": 1, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Plan":
        """What `as_json` gave.

        Raises:
            KeyError, TypeError, ValueError: it is no plan.
        """
        if data["format"] != 1:
            raise ValueError("another version's plan")
        given = {key: value for key, value in data.items() if key != "format"}
        return cls(**{**given, "prompts": tuple(given["prompts"]), "arms": tuple(given["arms"])})


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Arms in the order in which they are drawn; what one of them is given the cost of comes along.

    Raises:
        UserError: one is unknown.
    """
    unknown = [name for name in names if name not in ARMS]
    if unknown:
        raise UserError(f"Unknown arm {unknown[0]!r}; known are {', '.join(ARMS)}.")
    wanted = {*names, *(after for name in names if (after := ARMS[name].after) is not None)}
    return tuple(name for name in ARMS if name in wanted)


def possible(has: Sequence[str]) -> tuple[str, ...]:
    """All arms whose needs are among these."""
    return tuple(name for name, kind in ARMS.items() if set(kind.needs) <= set(has))
