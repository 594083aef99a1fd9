"""The options of `train`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from emofeedback.cli.shared_options import SharedOptions, limited, option, switch

TrainedPart = Literal[
    "generator", "few-step", "autoencoder", "decoder", "sketch-finish", "upscaler", "judge", "rater", "bank", "adapter"
]
BANK = "Bank: visual prompts from rendered scenes, or from a folder of pictures"
BASE = "Judge and adapter: on a base that is trained already"
FEW_STEP = "Few-step: distil a generator into a LoRA of four forward passes; decoder, sketch-finish: finish a generator"


def _sixteenths(value: int) -> int:
    if value % 16:
        raise typer.BadParameter(f"{value} is no multiple of 16")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions(SharedOptions):
    """Which model, for how long, from which data."""

    part: Annotated[TrainedPart, typer.Argument(metavar="PART")]
    minutes: Annotated[float, limited(0.01, 10_000, "over all resumes", "M")] = 60.0
    save_every: Annotated[float, limited(1, 100_000, "what a kill loses", "SECONDS")] = 120.0
    work: Annotated[Path, option("data, state, logs, sheets", "DIR")] = Path("training")
    scenes: Annotated[int, limited(64, 10_000_000, "rendered for it")] = 40_000
    posed: Annotated[
        int | None, limited(0, 10_000_000, "people and animals in poses, besides (default: 2 for 5 scenes)")
    ] = None
    size: Annotated[int, typer.Option(min=64, max=1024, metavar="PIXELS", callback=_sixteenths)] = 128
    resume: Annotated[bool, switch("--resume", "go on from the state in --work")] = False
    start_from: Annotated[
        Path | None, option("few-step, judge, rater: weights of the same kind to begin with", "DIR")
    ] = None
    align_with: Annotated[Path | None, option("generator: a judge whose vision its tokens shall follow", "DIR")] = None
    pictures: Annotated[Path | None, option("with metadata.jsonl or .csv: captions and ratings", "DIR", BANK)] = None
    scale: Annotated[str, option("of the folder's ratings", "LOW:HIGH", BANK)] = "-1:1"
    text_encoder: Annotated[str, option("bundled, or a CLIP model", "NAME|PATH", BANK)] = "bundled"
    picture_encoder: Annotated[str, option("bundled, or CLIP, DINOv2, ...", "NAME|PATH", BANK)] = "bundled"
    base: Annotated[str | None, option("judge: a vision-language model; adapter: a generator", "REPO|PATH", BASE)] = (
        None
    )
    stage: Annotated[
        Literal["supervised", "grpo", "all"] | None, option("of a judge (default: all on a base)", None, BASE)
    ] = None
    ratings: Annotated[Path | None, option("judge: pictures rated by people, CSV or TSV", "FILE", BASE)] = None
    images: Annotated[Path | None, option("judge: the rated pictures; --scale is the ratings'", "DIR", BASE)] = None
    pairs: Annotated[Path | None, option("adapter: neutral and emotional prompts, JSON lines", "FILE", BASE)] = None
    teacher: Annotated[Path | None, option("the generator's folder (default: the bundled one)", "DIR", FEW_STEP)] = None
    critic: Annotated[bool, switch("--critic", "a critic sharpens what regression averages", FEW_STEP)] = False
    rendered: Annotated[
        bool,
        switch("--rendered", "ways lead straight to rendered scenes, not where the teacher ends", FEW_STEP),
    ] = False
    trajectories: Annotated[int, limited(64, 10_000_000, "to learn from", "N", FEW_STEP)] = 10_000
    install: Annotated[
        Literal["preview", "default"] | None,
        option(
            "put the result into the teacher's folder: for previews, or as the default way to draw",
            "[USE]",
            FEW_STEP,
        ),
    ] = None
