"""The options of `estimate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emofeedback.cli.shared_options import SharedOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateOptions(SharedOptions):
    """Pictures to read."""

    images: Annotated[list[Path], typer.Argument(help="pictures, or folders of pictures", metavar="IMAGE...")]
