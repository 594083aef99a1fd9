"""The options that all commands share, and the kinds of value that their options take."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

SHARED = "Shared"
OPTIONAL_VALUES = {"[STRENGTH]": "1.0", "[USE]": "preview"}
"""An option with one of these metavars may stand without a value; this one counts then."""


def option(text: str, metavar: str | None = None, panel: str | None = None) -> Any:
    """An option for typer: words, a path or a choice."""
    return typer.Option(help=text, metavar=metavar, rich_help_panel=panel)


def switch(name: str, text: str, panel: str | None = None) -> Any:
    """An option without a value; there is no `--no-...` beside it."""
    return typer.Option(name, help=text, rich_help_panel=panel)


def limited(low: float, high: float, text: str = "", metavar: str = "N", panel: str | None = None) -> Any:
    """An option for typer: a finite number, or a whole one where the field is an int, in [low, high]."""
    return typer.Option(help=text, min=low, max=high, metavar=metavar, callback=_finite, rich_help_panel=panel)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a number of use here")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedOptions:
    """What every command takes; None = as EMOFEEDBACK_* says, or the default."""

    generator: Annotated[
        str | None, option("'bundled', a folder, REPO[@REV], hosted:REPO", "NAME|PATH|REPO", SHARED)
    ] = None
    judge: Annotated[
        str | None, option("'bundled', a folder, REPO[@REV], URL[#MODEL]", "NAME|PATH|REPO|URL", SHARED)
    ] = None
    calibration: Annotated[Path | None, option("of the judge, made by `evaluate judge`", "FILE", SHARED)] = None
    adapter: Annotated[str | None, option("a LoRA on the generator", "PATH[:SCALE]", SHARED)] = None
    device: Annotated[str | None, option("auto, cpu, cuda, cuda:N, mps", "NAME", SHARED)] = None
    threads: Annotated[int | None, limited(1, 1024, "CPU threads of one operation", panel=SHARED)] = None
    seed: Annotated[int | None, limited(0, 2**53, "default 0", panel=SHARED)] = None
    out: Annotated[Path | None, option("a new or empty folder; else a new one inside it", "DIR", SHARED)] = None
    json: Annotated[bool, switch("--json", "one JSON object on stdout, nothing else there", SHARED)] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingOptions(SharedOptions):
    """What commands take whose pictures are kept: in which size."""

    upscaler: Annotated[
        str | None, option("enlarges what is written: 'bundled', none, a folder, REPO[@REV]", "NAME|PATH|REPO")
    ] = None
    no_upscale: Annotated[bool, switch("--no-upscale", "write pictures in the size in which they were drawn")] = False
