"""The options of `render`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from emofeedback.cli.shared_options import SharedOptions, limited, option


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderOptions(SharedOptions):
    """How many labelled scenes, how large, of which split."""

    count: Annotated[int, limited(1, 1_000_000)] = 16
    size: Annotated[int, limited(64, 1024, "", "PIXELS")] = 256
    split: Annotated[Literal["train", "held-out"], option("")] = "train"
