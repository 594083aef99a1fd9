"""The latents of a cache of scenes, kept beside its pictures."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from emofeedback.files.checksums import sha256
from emofeedback.flow.pixels import from_bytes
from emofeedback.training.common.scene_data import SceneCache

logger = logging.getLogger(__name__)
LATENTS = "latents.npy"


@torch.inference_mode()
def cache_latents(cache: SceneCache, vae_dir: Path, batch: int = 64) -> NDArray[np.float16]:
    """Latent means float16 [N, C, h, w] of all pictures, unscaled; made again if the autoencoder changed."""
    path, note = cache.folder / LATENTS, cache.folder / "latents.json"
    source = {"autoencoder": sha256(vae_dir / "diffusion_pytorch_model.safetensors")}
    if path.is_file() and note.is_file() and json.loads(note.read_text(encoding="utf-8")) == source:
        return np.load(path)
    vae = AutoencoderKL.from_pretrained(vae_dir, use_safetensors=True).eval().to(memory_format=torch.channels_last)
    means = []
    for first in range(0, len(cache), batch):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            encoded = vae.encode(from_bytes(cache.pictures[first : first + batch]))
        means.append(encoded.latent_dist.mean.float().contiguous().numpy().astype(np.float16))
        if first % (batch * 50) == 0:
            logger.info("Encoded %d of %d scenes.", first, len(cache))
    latents = np.concatenate(means)
    note.unlink(missing_ok=True)
    temporary = cache.folder / ".latents.npy"
    np.save(temporary, latents)
    os.replace(temporary, path)
    note.write_text(json.dumps(source), encoding="utf-8")
    return latents
