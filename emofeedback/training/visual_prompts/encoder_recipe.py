"""Distilling a picture encoder into `LatentEncoder`, which reads the generator's latents."""

import logging
import time

import numpy as np
import torch
from numpy.typing import NDArray

from emofeedback.generators.visual.encoders import LatentEncoder
from emofeedback.training.common.optim import Muon, Optimisers, split_kernels, trapezoid
from emofeedback.training.common.scene_data import batch_indices

logger = logging.getLogger(__name__)
BATCH, MUON_LR, ADAM_LR, WARMUP, COOLDOWN = 128, 5e-3, 1e-3, 20, 0.5


def distil_encoder(
    latents: NDArray[np.floating],
    features: NDArray[np.floating],
    minutes: float,
    seed: int = 0,
    held_out: int = 512,
    steps: int | None = None,
) -> tuple[LatentEncoder, float]:
    """An encoder of latents that says what `features` say, and its share of their variance on held-out pictures.

    Args:
        latents: [N, C, h, w], scaled; features: [N, T, E], standardised.
        minutes: of training; `steps` in its place makes the result independent of the clock.
        held_out: the last pictures; they measure and are not learned from.
    """
    torch.manual_seed(seed)
    count, shape = len(latents) - held_out, features.shape[-1]
    encoder = LatentEncoder(latents.shape[1], shape)
    kernels, rest = split_kernels(encoder, ("layers.0.",))
    optimisers = Optimisers(
        [Muon(kernels, lr=MUON_LR), torch.optim.AdamW(rest, lr=ADAM_LR, betas=(0.9, 0.99), weight_decay=0.0)]
    )
    begin, step, progress = time.monotonic(), 0, 0.0
    while progress < 1.0:
        rows = batch_indices(seed, step, BATCH, count)
        seen = torch.from_numpy(latents[rows].astype(np.float32))
        wanted = torch.from_numpy(features[rows].astype(np.float32))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = (encoder(seen).float() - wanted).square().mean()
        loss.backward()
        optimisers.step(trapezoid(step, progress, WARMUP, COOLDOWN))
        step += 1
        progress = step / steps if steps is not None else (time.monotonic() - begin) / (60 * minutes)
        if step % 100 == 0:
            logger.info("picture encoder: step %d, loss %.3f", step, float(loss.detach()))
    encoder.requires_grad_(False).eval()
    told = encoder(torch.from_numpy(latents[count:].astype(np.float32))).float().numpy()
    wanted_ = features[count:].astype(np.float32)
    explained = 1.0 - float(((told - wanted_) ** 2).sum() / ((wanted_ - wanted_.mean((0, 1))) ** 2).sum())
    return encoder, explained
