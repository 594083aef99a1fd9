"""What a full-size generator needs and what a machine has; estimates, before anything is loaded."""

import gc
import os
import sys
from dataclasses import dataclass

from emofeedback.generators.pipelines.options import QUANTISATIONS, PipelineOptions

WORKING = 1.5
"""Gigabytes beside the weights for one picture of 1024 pixels; pictures of 512 need a third of it."""
GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Parts:
    """Billions of parameters of the network, the text encoders and the rest."""

    network: float
    text: float
    rest: float = 0.1

    def weights(self, options: PipelineOptions, bytes_per_weight: float = 2.0) -> tuple[float, float, float]:
        """Gigabytes of each part; the rest is never quantised."""
        small = bytes_per_weight
        if options.quantisation != "none":
            small = min(small, QUANTISATIONS[options.quantisation].bytes)
        return self.network * small, self.text * small, self.rest * bytes_per_weight


def needed_gigabytes(parts: Parts, options: PipelineOptions, bytes_per_weight: float = 2.0, size: int = 1024) -> float:
    """Memory of the device while one picture is drawn, estimated from the weights.

    Args:
        bytes_per_weight: 2 for bfloat16 and float16, 4 for float32.
        size: side of the picture in pixels.
    """
    weights = parts.weights(options, bytes_per_weight)
    working = WORKING * (size / 1024) ** 2 * (0.6 if options.tiling else 1.0)
    match options.offload:
        case "sequential":
            return 1.0 + working
        case "model":
            return max(weights) + working
        case _:
            return sum(weights) + working


def fitting(parts: Parts, gigabytes: float, size: int = 1024, gpu: bool = True) -> PipelineOptions | None:
    """The least intrusive setting that fits so much memory; None where none does."""
    ladder = [PipelineOptions()]
    if gpu:
        ladder += [
            PipelineOptions(offload="model"),
            PipelineOptions(quantisation="bnb-8bit"),
            PipelineOptions(offload="model", quantisation="bnb-8bit"),
            PipelineOptions(offload="model", quantisation="bnb-4bit", tiling=True),
            PipelineOptions(offload="sequential", tiling=True),
        ]
    return next((options for options in ladder if needed_gigabytes(parts, options, size=size) <= gigabytes), None)


def machine_gigabytes() -> float | None:
    """Physical memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGA
    except (AttributeError, ValueError, OSError):
        return None


def gpu_gigabytes() -> tuple[str, float] | None:
    """Name and memory of the first CUDA device; None where there is none."""
    import torch  # heavy: doctor and the picker ask for it, the rest of this module does without

    if not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory / GIGA


def free_memory() -> None:
    """Give back what dropped models held; imports nothing for it."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
