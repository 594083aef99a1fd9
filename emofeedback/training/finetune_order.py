"""What a person orders of reward fine-tuning and what a dry run answers, in plain values: importing this is cheap."""

from dataclasses import dataclass
from typing import Literal

from emofeedback.affect import Affect

Region = Literal["point", "corners", "plane"]


@dataclass(frozen=True, slots=True)
class FinetuneOrder:
    """One job as a person asks for it; it is checked where the job is made.

    prompts, held_out: empty = drawn from the bundled world. Exactly one of minutes and updates is the budget.
    """

    prompts: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    region: Region = "corners"
    point: Affect | None = None
    objective: str = "awm"
    minutes: float | None = 5.0
    updates: int | None = None
    group: int = 8
    steps: int = 6
    learning_rate: float = 1e-3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one measured update and one measured audit say about the whole job.

    memory_mb: the most that the process has held so far (on a GPU: that the GPU has); None = not known here.
    """

    seconds_per_update: float
    seconds_per_audit: float
    updates: int
    pictures: int
    minutes: float
    memory_mb: float | None


def lines(text: str | None) -> tuple[str, ...]:
    """One prompt a line; empty lines go, each prompt counts once."""
    found = (" ".join(line.split()) for line in (text or "").splitlines())
    return tuple(dict.fromkeys(line for line in found if line))
