"""The one conversion between PIL pictures, byte arrays and tensors in [-1, 1], and contact sheets."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


def from_bytes(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 [B, H, W, 3] -> float32 [B, 3, H, W] in [-1, 1], channels-last in memory."""
    tensor = torch.from_numpy(np.array(pixels, dtype=np.uint8)).permute(0, 3, 1, 2)
    return tensor.float().div_(127.5).sub_(1.0).contiguous(memory_format=torch.channels_last)


def from_images(images: Sequence[Image.Image], size: int | None = None) -> Tensor:
    """Pictures -> float32 [B, 3, H, W] in [-1, 1]; resized to a square of `size` pixels where given."""
    pictures = [image.convert("RGB") for image in images]
    if size is not None:
        pictures = [p if p.size == (size, size) else p.resize((size, size), Image.Resampling.LANCZOS) for p in pictures]
    return from_bytes(np.stack([np.asarray(p, dtype=np.uint8) for p in pictures]))


def to_images(pixels: Tensor) -> list[Image.Image]:
    """[B, 3, H, W] in [-1, 1] (clipped) -> RGB pictures."""
    levels = pixels.detach().float().cpu().add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return [Image.fromarray(np.ascontiguousarray(level)) for level in levels.permute(0, 2, 3, 1).numpy()]


def sheet(images: Sequence[Image.Image], columns: int, gap: int = 2) -> Image.Image:
    """Equal-sized pictures in rows of `columns` on white."""
    width, height = images[0].size
    rows = -(-len(images) // columns)
    page = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for i, image in enumerate(images):
        page.paste(image, ((i % columns) * (width + gap), (i // columns) * (height + gap)))
    return page
