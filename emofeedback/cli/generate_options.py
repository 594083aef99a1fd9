"""The options of `generate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from emofeedback.cli.shared_options import DrawingOptions, limited, option


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateOptions(DrawingOptions):
    """A prompt, a target, and how the loop goes."""

    prompt: Annotated[str, typer.Argument(help="may be empty: pure mood", metavar="PROMPT")]
    valence: Annotated[float | None, limited(-1, 1, "unpleasant -1 .. 1 pleasant", "V")] = None
    arousal: Annotated[float | None, limited(-1, 1, "calm -1 .. 1 excited", "A")] = None
    emotion: Annotated[str | None, option("a named emotion instead of V and A", "NAME")] = None
    negative: Annotated[str, option("what the picture shall not show", "WORDS")] = ""
    size: Annotated[str | None, option("pixels or a ratio, such as 3:2, where the generator can", "WxH")] = None
    rounds: Annotated[int, limited(1, 50)] = 1
    candidates: Annotated[int, limited(1, 64)] = 4
    strength: Annotated[float, limited(0, 5, "of the emotion; 0 = words only", "X")] = 1.0
    steps: Annotated[int | None, limited(1, 1000, "denoising steps")] = None
    guidance: Annotated[float | None, limited(0, 50, "", "X")] = None
    tolerance: Annotated[float, limited(0, 3, "stop this close", "X")] = 0.12
    patience: Annotated[int | None, limited(1, 50, "stop after N rounds without gain")] = None
    image: Annotated[Path | None, option("start from this picture", "FILE")] = None
    image_strength: Annotated[float, limited(0.01, 1, "how much is redrawn", "X")] = 0.6
    continuation: Annotated[Literal["same_seed", "image"], option("of later rounds")] = "same_seed"
    visual: Annotated[
        float | None, limited(0, 5, "guide by pictures of the emotion out of the visual prompt bank", "[STRENGTH]")
    ] = None
    visual_picture: Annotated[list[Path] | None, option("guide by this picture instead", "FILE")] = None
    rewriter: Annotated[
        str | None,
        option("rewrites the prompt for round 1: none, embedded, a language model's PATH or REPO, URL[#MODEL]", "NAME"),
    ] = None
    viewers: Annotated[str | None, option("of the rewriter's company (default: all)", "NAME,NAME")] = None
