"""The options of `evaluate suite`, `evaluate score` and `evaluate compare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from emofeedback.cli.shared_options import SharedOptions, limited, option

METRICS = "clip-score,clip-iqa,lpips: the `metrics` extra; networks are fetched on first use"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOptions(SharedOptions):
    """Of `suite`: what is drawn; --out goes on where it was stopped."""

    form: Annotated[Literal["smoke", "full"], typer.Argument(metavar="[smoke|full]")] = "smoke"
    prompts: Annotated[
        str | None, option("a file, a line each; 'everyday' ships 132 (default: scenes)", "FILE|everyday")
    ] = None
    count: Annotated[int | None, limited(2, 10_000, "prompts (default 4, full: 132)")] = None
    grid: Annotated[int | None, limited(2, 15, "points along each axis (default 3, full: 5)")] = None
    extent: Annotated[float, limited(0.05, 1, "of the points; EmotiCrafter: 1", "X")] = 0.7
    rounds: Annotated[int | None, limited(1, 50, "of the loop (default 2, full: 3)")] = None
    candidates: Annotated[int | None, limited(1, 64, "of a round (default 4, full: 8)")] = None
    strength: Annotated[float, limited(0, 5, "of the V-A adapter", "X")] = 1.0
    arms: Annotated[str | None, option("default: all that the models allow", "NAME,NAME")] = None
    tuned: Annotated[str | None, option("an adapter of `finetune`, for the fine-tuned arms", "PATH[:SCALE]")] = None
    rewriter: Annotated[str | None, option("default embedded", "NAME")] = None
    rater: Annotated[str | None, option("who grades: as --judge, but another model", "NAME|PATH|REPO|URL")] = None
    metrics: Annotated[str | None, option(METRICS, "NAMES")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions(SharedOptions):
    """Of `score`: a suite that was drawn, graded again; nothing is drawn."""

    folder: Annotated[Path, typer.Argument(metavar="SUITE")]
    rater: Annotated[str | None, option("who grades, beside those who did", "NAME|PATH|REPO|URL")] = None
    metrics: Annotated[str | None, option(METRICS, "NAMES")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions(SharedOptions):
    """Of `compare`: two reports, or two arms."""

    first: Annotated[str, typer.Argument(metavar="A[#ARM]")]
    second: Annotated[str, typer.Argument(metavar="B[#ARM]")]
