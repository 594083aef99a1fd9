"""What a person orders of reward fine-tuning and what a dry run answers, in plain values: importing this is cheap."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emofeedback.affect import Affect

Region = Literal["point", "corners", "calm-tense", "emotions", "plane"]
REGIONS: dict[Region, str] = {
    "corners": "the four corners",
    "calm-tense": "calm ↔ tense",
    "emotions": "the eight emotions",
    "plane": "the whole plane",
}
"""Where a job can aim but for one point, in words."""


AUTO = "auto"
"""The objective that suits the judge: see `reward_judge.objective_for`."""


@dataclass(frozen=True, slots=True)
class FinetuneOrder:
    """One job as a person asks for it, in the tab, on the command line or through the API; checked where it is made.

    prompts, held_out: empty = drawn from the bundled world. Exactly one of minutes and updates is the budget.
    group, steps, learning_rate: 0 = what suits the objective and the generator. start: the folder of an adapter to
    begin with. more: further settings by their name in `job_settings.FinetuneSettings`.
    """

    prompts: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    region: Region = "corners"
    point: Affect | None = None
    objective: str = AUTO
    minutes: float | None = 5.0
    updates: int | None = None
    group: int = 0
    steps: int = 0
    learning_rate: float = 0.0
    seed: int = 0
    start: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


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
