"""The options of `evaluate ratings`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from emofeedback.cli.shared_options import SharedOptions, limited, option, switch

MAKE = "Make: a set of pictures to be rated blind, and a key that raters must not see"
READ = "Read: what came back"
KNOWN = "Known: photographs with human ratings, which measure what a rater is worth"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingsOptions(SharedOptions):
    """Make a set from runs, sheets, suites or folders; read the ratings of its key."""

    action: Annotated[Literal["make", "read"], typer.Argument(metavar="make|read")]
    sources: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[SOURCE...]", help="make: runs, sheets, suites, pictures; read: CSV files"),
    ] = None
    count: Annotated[int | None, limited(1, 10_000, "prompts of a suite", panel=MAKE)] = None
    arms: Annotated[str | None, option("of a suite (default: all)", "NAME,NAME", MAKE)] = None
    corners: Annotated[bool, switch("--corners", "of a suite only the four corners of the plane", MAKE)] = False
    key: Annotated[Path | None, option("what `make` wrote beside the folder for raters", "FILE", READ)] = None
    eyes: Annotated[
        list[str] | None,
        typer.Option(
            "--rater",
            help="a model that rates too, asked the protocol's question; may be given again",
            metavar="NAME|PATH|REPO|URL",
            rich_help_panel=READ,
        ),
    ] = None
    rating_scale: Annotated[
        str, typer.Option("--rating-scale", help="of the CSV files", metavar="LOW..HIGH", rich_help_panel=READ)
    ] = "-1..1"
    ratings: Annotated[Path | None, option("their CSV file of means, a row a photograph", "FILE", KNOWN)] = None
    images: Annotated[Path | None, option("the photographs", "DIR", KNOWN)] = None
    scale: Annotated[str, option("of the human ratings", "LOW-HIGH", KNOWN)] = "1-7"
    columns: Annotated[str | None, option("names of the three columns", "PICTURE,VALENCE,AROUSAL", KNOWN)] = None
    photographs: Annotated[int, limited(20, 5000, "so many of them, at random", panel=KNOWN)] = 120
