"""The options of `sweep`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emofeedback.cli.shared_options import DrawingOptions, limited, option


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOptions(DrawingOptions):
    """A prompt, and the points of the plane: a grid, a path or a blend."""

    prompt: Annotated[str, typer.Argument(metavar="PROMPT")]
    grid: Annotated[int | None, limited(2, 15, "N x N sheet (default 5)")] = None
    path: Annotated[str | None, option("a path through waypoints", '"V,A V,A ..."')] = None
    blend: Annotated[str | None, option("from one named emotion to another", "FIRST,SECOND[,SHARE]")] = None
    frames: Annotated[int, limited(2, 200, "pictures of a path or blend")] = 9
    animation: Annotated[Path | None, option("also as a .webp, .gif or .mp4", "FILE")] = None
    extent: Annotated[float, limited(0.05, 1, "the grid spans [-X, X]", "X")] = 0.8
    strength: Annotated[float, limited(0, 5, "", "X")] = 1.0
    steps: Annotated[int | None, limited(1, 1000)] = None
    visual: Annotated[
        float | None,
        limited(
            0,
            5,
            "guide each picture by pictures of its own point's emotion out of the visual prompt bank",
            "[STRENGTH]",
        ),
    ] = None
