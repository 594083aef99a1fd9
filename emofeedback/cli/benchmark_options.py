"""The options of `benchmark`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from emofeedback.cli.shared_options import SharedOptions, limited, option

FINETUNE = "Finetune: how fast each objective draws, updates and learns"
CURVES = "Finetune --against: held-out reward over seconds and pictures, by default of awm, nft and grpo for 5 minutes"
SHAPES = "Shapes: published models' full sizes with random weights, on a GPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions(SharedOptions):
    """What is measured, how often and for how long."""

    part: Annotated[Literal["speed", "growth", "finetune", "shapes"], typer.Argument(metavar="PART")] = "speed"
    repeats: Annotated[int, limited(2, 1000)] = 5
    objectives: Annotated[str | None, option("default: all that the judge allows", "NAMES", FINETUNE)] = None
    rater: Annotated[str | None, option("as --judge, but another model", "NAME|PATH|REPO|URL", FINETUNE)] = None
    minutes: Annotated[float | None, limited(0.01, 100_000, "of each objective (default 2)", "M", FINETUNE)] = None
    updates: Annotated[int | None, limited(1, 1_000_000, "in place of minutes", "N", FINETUNE)] = None
    against: Annotated[Path | None, option("logs of flow_grpo: curves of both, side by side", "DIR", CURVES)] = None
    seeds: Annotated[int, limited(1, 100, "jobs of each objective", panel=CURVES)] = 3
    pictures_per_epoch: Annotated[float | None, limited(1, 1e9, "that flow_grpo draws", "N", CURVES)] = None
    reward: Annotated[str, option("of flow_grpo's log, behind eval_reward_", "NAME", CURVES)] = "avg"
    size: Annotated[int | None, limited(256, 2048, "of a drawn picture (default 1024)", "PIXELS", SHAPES)] = None
    scale: Annotated[
        Literal["full", "tiny"], option("tiny: the same code anywhere, to try the command", None, SHAPES)
    ] = "full"
