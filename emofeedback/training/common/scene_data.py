"""Rendered scenes on disk: one array of pictures, one line of JSON per scene, latents beside them.

Scene i of (seed, split) is a pure function of (seed, split, i), so workers and reruns agree. Captions and
affect are not stored: they are made from the scene when a batch is drawn.
"""

import json
import logging
import multiprocessing
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.files.checksums import sha256
from emofeedback.flow.pixels import from_bytes
from emofeedback.scenes.draw.render import render
from emofeedback.scenes.grammar import Scene, Split
from emofeedback.scenes.sampling import sample_training_scene

logger = logging.getLogger(__name__)
PICTURES, SCENES, META, LATENTS = "pictures.npy", "scenes.jsonl", "cache.json", "latents.npy"
CHUNK = 64

Draw = Callable[[Scene, int], Image.Image]


def scene_at(seed: int, split: Split, index: int) -> Scene:
    """Scene `index` of a seeded split."""
    return sample_training_scene(random.Random(f"{seed}/{split}/{index}"), split)


@dataclass(frozen=True, slots=True)
class _Chunk:
    folder: Path
    first: int
    count: int
    size: int
    seed: int
    split: Split
    draw: Draw


def _render_chunk(chunk: _Chunk) -> int:
    pictures = np.load(chunk.folder / PICTURES, mmap_mode="r+")
    for i in range(chunk.first, chunk.first + chunk.count):
        image = chunk.draw(scene_at(chunk.seed, chunk.split, i), chunk.size)
        pictures[i] = np.asarray(image.convert("RGB"), dtype=np.uint8)
    return chunk.count


def render_cache(
    folder: Path, count: int, size: int, seed: int, split: Split, workers: int = 2, draw: Draw = render
) -> "SceneCache":
    """Render `count` random scenes of a split at `size` pixels into `folder`, whole or not at all.

    A folder that already holds exactly these scenes is used as it is.

    Raises:
        UserError: the folder holds something else.
    """
    meta = {"count": count, "size": size, "seed": seed, "split": split}
    if folder.exists():
        if (folder / META).is_file() and json.loads((folder / META).read_text(encoding="utf-8")) == meta:
            return SceneCache(folder)
        raise UserError(f"{folder} holds other data; delete it or name another folder for the rendered scenes.")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    np.lib.format.open_memmap(partial / PICTURES, mode="w+", dtype=np.uint8, shape=(count, size, size, 3)).flush()
    with (partial / SCENES).open("w", encoding="utf-8") as stream:
        for i in range(count):
            stream.write(json.dumps(asdict(scene_at(seed, split, i))) + "\n")
    chunks = [
        _Chunk(partial, first, min(CHUNK, count - first), size, seed, split, draw) for first in range(0, count, CHUNK)
    ]
    done = 0
    with multiprocessing.get_context("spawn" if workers > 1 else None).Pool(workers) as pool:
        for finished in pool.imap_unordered(_render_chunk, chunks):
            done += finished
            if done % (CHUNK * 16) < CHUNK:
                logger.info("Rendered %d of %d scenes.", done, count)
    (partial / META).write_text(json.dumps(meta), encoding="utf-8")
    os.replace(partial, folder)
    return SceneCache(folder)


def scene_from_record(record: dict[str, Any]) -> Scene:
    """The inverse of dataclasses.asdict after a round trip through JSON."""
    return Scene(**{**record, "elements": tuple(record["elements"])})


class SceneCache:
    """Pictures uint8 [N, S, S, 3] (memory-mapped) and their scenes.

    Raises:
        UserError: the folder is not a finished cache.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / META).is_file():
            raise UserError(f"{folder} holds no rendered scenes; make them with `python -m emofeedback render`.")
        self.folder = folder
        self.meta: dict[str, Any] = json.loads((folder / META).read_text(encoding="utf-8"))
        self.pictures: NDArray[np.uint8] = np.load(folder / PICTURES, mmap_mode="r")
        with (folder / SCENES).open(encoding="utf-8") as stream:
            self.scenes = [scene_from_record(json.loads(line)) for line in stream]

    def __len__(self) -> int:
        return len(self.scenes)

    @property
    def size(self) -> int:
        """Pixels along each side."""
        return int(self.meta["size"])


def batch_indices(seed: int, step: int, batch: int, count: int) -> NDArray[np.int64]:
    """The scenes of training step `step`: epoch by epoch in a random order; a pure function of its arguments."""
    positions = np.arange(step * batch, (step + 1) * batch)
    out = np.empty(batch, dtype=np.int64)
    for epoch in np.unique(positions // count):
        order = np.random.default_rng((seed, int(epoch))).permutation(count)
        here = positions // count == epoch
        out[here] = order[positions[here] % count]
    return out


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
