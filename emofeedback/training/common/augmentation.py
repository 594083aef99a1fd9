"""Pictures for training readers: augmentation that leaves the mood alone, melted subjects, autoencoder round trips.

Colour is never altered: it carries emotion. No label depends on the side, so half of the pictures come mirrored. A
picture whose subject has melted away is labelled as the scene without it. A round trip gives a picture of a known
scene the look of a generator's output, so readers can learn that look without a generator's sample being labelled.
"""

import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from emofeedback.flow.pixels import from_bytes
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.box_weights import SIDE
from emofeedback.training.common.scene_data import Box

logger = logging.getLogger(__name__)

SHIFT = 4  # pixels at most, each way
MIRRORED = 0.5  # share of the pictures
NOISE = 0.05  # largest standard deviation, pixels in [-1, 1]


def augment(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the pictures, shift each by a few pixels, blur about a quarter, add faint noise to about half.

    Args:
        pixels: [B, 3, S, S] in [-1, 1].

    Returns:
        A new tensor of the same shape, channels-last, not clipped.
    """
    count, _, size, _ = pixels.shape
    mirrored = torch.rand(count, 1, 1, 1, generator=generator) < MIRRORED
    pixels = torch.where(mirrored, pixels.flip(-1), pixels)
    padded = F.pad(pixels, (SHIFT,) * 4, mode="replicate")
    offsets = torch.randint(0, 2 * SHIFT + 1, (count, 2), generator=generator).tolist()
    shifted = torch.stack([p[:, y : y + size, x : x + size] for p, (y, x) in zip(padded, offsets, strict=True)])
    share = torch.rand(count, 1, 1, 1, generator=generator)
    share = torch.where(torch.rand(count, 1, 1, 1, generator=generator) < 0.25, share, torch.zeros_like(share))
    blurred = F.avg_pool2d(F.pad(shifted, (1,) * 4, mode="replicate"), 3, stride=1)
    level = NOISE * (torch.rand(count, 1, 1, 1, generator=generator) * 2 - 1).clamp(min=0)
    noise = torch.randn(shifted.shape, generator=generator)
    return (shifted.lerp(blurred, share) + level * noise).contiguous(memory_format=torch.channels_last)


def without_subject(scene: Scene) -> Scene:
    """The same place and setting with nobody and nothing in it."""
    return Scene(
        scene.place,
        None,
        None,
        scene.time,
        scene.weather,
        scene.season,
        scene.palette,
        scene.light,
        scene.elements,
        scene.layout,
    )


def melt(pixels: Tensor, boxes: Sequence[Sequence[Box]], generator: torch.Generator) -> Tensor:
    """Pictures [B, 3, S, S] whose subjects can no longer be told: blurred, cut to strips, or filled from their sides.

    Args:
        boxes: of each picture's subjects; a picture without any stays as it is.
    """
    made, size = pixels.clone(), pixels.shape[-1]
    ways = torch.randint(0, 3, (len(pixels),), generator=generator).tolist()
    for picture, found, way in zip(made, boxes, ways, strict=True):
        for box in found:
            left, top = (max(0, math.floor(edge / SIDE * size)) for edge in box[:2])
            right, bottom = (min(size, math.ceil(edge / SIDE * size)) for edge in box[2:])
            if right - left < 2 or bottom - top < 2:
                continue
            inside = picture[:, top:bottom, left:right]
            if way == 0:
                small = F.interpolate(inside[None], (2, 2), mode="area")
                changed = F.interpolate(small, inside.shape[1:], mode="bilinear", align_corners=False)[0]
            elif way == 1:
                strips = list(inside.split(max(1, math.ceil((bottom - top) / 6)), dim=1))
                order = torch.randperm(len(strips), generator=generator).tolist()
                turned = [strip.roll(int(k) * (right - left) // 3, -1) for k, strip in zip(order, strips, strict=True)]
                changed = torch.cat([turned[k] for k in order], 1)
            else:
                ends = picture[:, top:bottom, [max(0, left - 1), min(size - 1, right)]]
                share = torch.linspace(0, 1, right - left)
                changed = torch.lerp(ends[:, :, :1], ends[:, :, 1:], share)
            picture[:, top:bottom, left:right] = changed.clone()
    return made


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
