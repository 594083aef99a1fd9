"""The options of `space`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emofeedback.cli.shared_options import SharedOptions, option


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceOptions(SharedOptions):
    """Where the Space's folder goes, and what it shall run on."""

    folder: Annotated[Path, typer.Argument(help="a new or empty folder", metavar="OUT")]
    hardware: Annotated[str, option("cpu-basic, zero-gpu, l4x1, ...", "NAME")] = "cpu-basic"
    title: Annotated[str, option("of the Space", "TEXT")] = "EmoFeedback"
