"""The options of `benchmark`."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from emofeedback.cli.shared_options import SharedOptions, limited, option

FINETUNE = "Finetune: how fast each objective draws, updates and learns"
SHAPES = "Shapes: published models' full sizes with random weights, on a GPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions(SharedOptions):
    """What is measured, how often and for how long."""

    part: Annotated[Literal["speed", "finetune", "shapes"], typer.Argument(metavar="PART")] = "speed"
    repeats: Annotated[int, limited(2, 1000)] = 5
    objectives: Annotated[str | None, option("default: all that the judge allows", "NAMES", FINETUNE)] = None
    rater: Annotated[str | None, option("as --judge, but another model", "NAME|PATH|REPO|URL", FINETUNE)] = None
    minutes: Annotated[float | None, limited(0.01, 100_000, "of each objective (default 2)", "M", FINETUNE)] = None
    updates: Annotated[int | None, limited(1, 1_000_000, "in place of minutes", "N", FINETUNE)] = None
    size: Annotated[int | None, limited(256, 2048, "of a drawn picture (default 1024)", "PIXELS", SHAPES)] = None
    scale: Annotated[
        Literal["full", "tiny"], option("tiny: the same code anywhere, to try the command", None, SHAPES)
    ] = "full"
