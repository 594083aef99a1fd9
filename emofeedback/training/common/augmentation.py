"""Pictures for training readers: augmentation that leaves the mood alone, and autoencoder round trips.

Colour is never altered: it carries emotion. A round trip gives a picture of a known scene the look of a
generator's output, so readers can learn that look without a generator's sample ever being labelled.
"""

import logging
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from emofeedback.flow.pixels import from_bytes

logger = logging.getLogger(__name__)

SHIFT = 4  # pixels at most, each way
NOISE = 0.05  # largest standard deviation, pixels in [-1, 1]


def augment(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each picture by a few pixels, blur about a quarter, add faint noise to about half.

    Args:
        pixels: [B, 3, S, S] in [-1, 1].

    Returns:
        A new tensor of the same shape, channels-last, not clipped.
    """
    count, _, size, _ = pixels.shape
    padded = F.pad(pixels, (SHIFT,) * 4, mode="replicate")
    offsets = torch.randint(0, 2 * SHIFT + 1, (count, 2), generator=generator).tolist()
    shifted = torch.stack([p[:, y : y + size, x : x + size] for p, (y, x) in zip(padded, offsets, strict=True)])
    share = torch.rand(count, 1, 1, 1, generator=generator)
    share = torch.where(torch.rand(count, 1, 1, 1, generator=generator) < 0.25, share, torch.zeros_like(share))
    blurred = F.avg_pool2d(F.pad(shifted, (1,) * 4, mode="replicate"), 3, stride=1)
    level = NOISE * (torch.rand(count, 1, 1, 1, generator=generator) * 2 - 1).clamp(min=0)
    noise = torch.randn(shifted.shape, generator=generator)
    return (shifted.lerp(blurred, share) + level * noise).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def round_trips(
    pictures: NDArray[np.uint8], vae_dir: Path, path: Path, noise: tuple[float, float], seed: int, batch: int = 64
) -> NDArray[np.uint8]:
    """Pictures through the autoencoder, with noise on their latents; kept in `path` once made.

    Args:
        pictures: uint8 [N, S, S, 3].
        vae_dir: folder of an AutoencoderKL.
        path: a .npy file; used as it is when it already holds N pictures.
        noise: least and largest standard deviation, in units of the latents' own; uniform per picture.

    Returns:
        uint8 [N, S, S, 3], memory-mapped.
    """
    if path.is_file():
        found: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        if found.shape == pictures.shape:
            return found
    vae = AutoencoderKL.from_pretrained(vae_dir, use_safetensors=True).eval().to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(seed)
    made = np.empty(pictures.shape, dtype=np.uint8)
    for first in range(0, len(pictures), batch):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            latents = vae.encode(from_bytes(np.array(pictures[first : first + batch]))).latent_dist.mean.float()
            levels = torch.rand(len(latents), 1, 1, 1, generator=generator) * (noise[1] - noise[0]) + noise[0]
            latents = latents + levels * latents.std() * torch.randn(latents.shape, generator=generator)
            pixels = vae.decode(latents).sample.float()
        levels8 = pixels.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        made[first : first + batch] = levels8.permute(0, 2, 3, 1).numpy()
    logger.info("Made %d autoencoder round trips.", len(made))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.new.npy")
    np.save(temporary, made)
    os.replace(temporary, path)
    return np.load(path, mmap_mode="r")
