"""Rendered scenes on disk: one array of pictures, one line of JSON per scene, subjects' boxes beside them.

Scene i of (seed, split, kind) is a pure function of them and i, so workers and reruns agree, and a longer cache begins
with a shorter one. Captions and affect are not stored: they are made from the scene when a batch is drawn. Nothing here
imports torch: the processes that render start in a second.
"""

import functools
import json
import logging
import multiprocessing
import os
import random
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.scenes.draw.render import render, render_flats
from emofeedback.scenes.grammar import Scene, Split, scene_from_record
from emofeedback.scenes.sampling import sample_posed_scene, sample_training_scene

logger = logging.getLogger(__name__)
PICTURES, SCENES, META, BOXES = "pictures.npy", "scenes.jsonl", "cache.json", "boxes.jsonl"
FLATS = "flats.npy"
DONE = "done"  # folder of a cache that is not finished: one empty file for each chunk that is drawn
CHUNK = 64
POSED_TIMES = 2  # posed scenes come as often as that
COMPARED = 4  # scenes that are drawn again to see whether a cache is of this edition of the scene world

Box = tuple[float, float, float, float]
"""Left, top, right, bottom; in units of the renderer's square, 0..100."""
NamedBox = tuple[str, Box]
Draw = Callable[[Scene, int], Image.Image]
FindBoxes = Callable[[Scene], Sequence[NamedBox]]
Kind = Literal["any", "posed"]
"""Scenes of all kinds, or people and animals in poses."""


def scene_at(seed: int, split: Split, index: int, kind: Kind = "any") -> Scene:
    """Scene `index` of a seeded split."""
    if kind == "posed":
        return sample_posed_scene(random.Random(f"posed/{seed}/{split}/{index}"), split)
    return sample_training_scene(random.Random(f"{seed}/{split}/{index}"), split)


@dataclass(frozen=True, slots=True)
class _Chunk:
    folder: Path
    first: int
    count: int
    size: int
    seed: int
    split: Split
    kind: Kind
    draw: Draw

    @property
    def mark(self) -> Path:
        """The file that says that it is drawn."""
        return self.folder / DONE / f"{self.first}-{self.count}"


def _render_chunk(chunk: _Chunk) -> int:
    pictures = np.load(chunk.folder / PICTURES, mmap_mode="r+")
    for i in range(chunk.first, chunk.first + chunk.count):
        image = chunk.draw(scene_at(chunk.seed, chunk.split, i, chunk.kind), chunk.size)
        pictures[i] = np.asarray(image.convert("RGB"), dtype=np.uint8)
    pictures.flush()
    chunk.mark.touch()
    return chunk.count


def render_cache(
    folder: Path,
    count: int,
    size: int,
    seed: int,
    split: Split,
    workers: int | None = None,
    draw: Draw = render,
    boxes: FindBoxes | None = None,
    kind: Kind = "any",
) -> "SceneCache":
    """Render `count` random scenes of a split at `size` pixels into `folder`.

    A folder that already holds exactly these scenes is used as it is; one that holds the first of them is kept and
    the rest is drawn. A killed run loses the chunks that it was at; the folder appears when all is there.

    Args:
        workers: processes; None = one for each core.
        boxes: names and boxes of a scene's subjects; None does without.

    Raises:
        UserError: the folder holds something else.
    """
    meta = {"count": count, "size": size, "seed": seed, "split": split, **({"kind": kind} if kind != "any" else {})}
    found = _read_meta(folder)
    if folder.exists():
        if {**found, "count": 0} != {**meta, "count": 0} or found["count"] > count:
            raise UserError(f"{folder} holds other data; delete it or name another folder for the rendered scenes.")
        if not _same_edition(folder, meta, draw):
            raise UserError(f"{folder} holds scenes of another edition of the scene world; delete it to render anew.")
        if found["count"] == count:
            _write_boxes(folder, boxes)
            return SceneCache(folder)
    partial = folder.with_name(f".{folder.name}.partial")
    chunks = [
        _Chunk(partial, first, min(CHUNK, count - first), size, seed, split, kind, draw)
        for first in range(0, count, CHUNK)
    ]
    begun = _read_meta(partial) == meta and chunks[0].mark.is_file() and _same_edition(partial, meta, draw)
    if not begun:
        _begin(partial, meta, folder if found else None)
    _draw_missing(chunks, count, os.cpu_count() or 1 if workers is None else workers)
    _write_boxes(partial, boxes)
    shutil.rmtree(partial / DONE)
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        os.replace(folder, old)
        shutil.rmtree(old)
    os.replace(partial, folder)
    return SceneCache(folder)


def _read_meta(folder: Path) -> dict[str, Any]:
    path = folder / META
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _scene_of(meta: dict[str, Any], index: int) -> Scene:
    return scene_at(meta["seed"], meta["split"], index, meta.get("kind", "any"))


def _same_edition(folder: Path, meta: dict[str, Any], draw: Draw) -> bool:
    """Whether the first scenes would be drawn alike today."""
    cache = SceneCache(folder)
    for i in range(min(COMPARED, len(cache))):
        scene = _scene_of(meta, i)
        drawn = np.asarray(draw(scene, meta["size"]).convert("RGB"), dtype=np.uint8)
        if cache.scenes[i] != scene or not np.array_equal(cache.pictures[i], drawn):
            return False
    return True


def _begin(partial: Path, meta: dict[str, Any], shorter: Path | None) -> None:
    """An empty cache to draw into, with the pictures of a shorter one."""
    shutil.rmtree(partial, ignore_errors=True)
    (partial / DONE).mkdir(parents=True)
    count, size = meta["count"], meta["size"]
    pictures = np.lib.format.open_memmap(partial / PICTURES, mode="w+", dtype=np.uint8, shape=(count, size, size, 3))
    with (partial / SCENES).open("w", encoding="utf-8") as stream:
        for i in range(count):
            stream.write(json.dumps(asdict(_scene_of(meta, i))) + "\n")
    if shorter is not None:
        known = np.load(shorter / PICTURES, mmap_mode="r")
        for first in range(0, len(known) - len(known) % CHUNK, CHUNK):  # a last, shorter chunk is drawn again
            pictures[first : first + CHUNK] = known[first : first + CHUNK]
            (partial / DONE / f"{first}-{CHUNK}").touch()
    pictures.flush()
    (partial / META).write_text(json.dumps(meta), encoding="utf-8")


def _draw_missing(chunks: Sequence[_Chunk], count: int, workers: int) -> None:
    missing = [chunk for chunk in chunks if not chunk.mark.is_file()]
    done = told = count - sum(chunk.count for chunk in missing)
    with ExitStack() as stack:
        drawn: Iterable[int] = map(_render_chunk, missing)
        if min(workers, len(missing)) > 1:
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(min(workers, len(missing))))
            drawn = pool.imap_unordered(_render_chunk, missing)
        for finished in drawn:
            done += finished
            if done - told >= CHUNK * 16:
                logger.info("Rendered %d of %d scenes.", done, count)
                told = done


def _write_boxes(folder: Path, boxes: FindBoxes | None) -> None:
    """Write the boxes of all scenes, whole or not at all, where they are asked for and missing."""
    if boxes is None or (folder / BOXES).is_file():
        return
    lines = [json.dumps(list(boxes(scene))) + "\n" for scene in _read_scenes(folder)]
    temporary = folder / f".{BOXES}.new"
    temporary.write_text("".join(lines), encoding="utf-8")
    os.replace(temporary, folder / BOXES)


def _read_scenes(folder: Path) -> list[Scene]:
    with (folder / SCENES).open(encoding="utf-8") as stream:
        return [scene_from_record(json.loads(line)) for line in stream]


def _draw_flats(path: Path, scenes: Sequence[Scene], size: int) -> None:
    """Write the flats of scenes, whole or not at all."""
    temporary = path.with_name(f".{FLATS}.new")
    flats = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(len(scenes), size, size, 3))
    chunks = [(scenes[first : first + CHUNK], size) for first in range(0, len(scenes), CHUNK)]
    with ExitStack() as stack:
        drawn: Iterable[NDArray[np.uint8]] = map(_flats_of, chunks)
        if len(chunks) > 1:
            pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(os.cpu_count() or 1))
            drawn = pool.imap(_flats_of, chunks)
        for i, some in enumerate(drawn):
            flats[i * CHUNK : i * CHUNK + len(some)] = some
    flats.flush()
    os.replace(temporary, path)


def _flats_of(chunk: tuple[Sequence[Scene], int]) -> NDArray[np.uint8]:
    scenes, size = chunk
    return np.stack([np.asarray(render_flats(scene, size)) for scene in scenes])


class SceneCache:
    """Pictures uint8 [N, S, S, 3] (memory-mapped), their scenes, and their subjects' boxes where these were written.

    Raises:
        UserError: the folder is not a finished cache.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / META).is_file():
            raise UserError(f"{folder} holds no rendered scenes; make them with `python -m emofeedback render`.")
        self.folder = folder
        self.meta: dict[str, Any] = json.loads((folder / META).read_text(encoding="utf-8"))
        self.pictures: NDArray[np.uint8] = np.load(folder / PICTURES, mmap_mode="r")
        self.scenes = _read_scenes(folder)
        self.boxes: list[list[NamedBox]] | None = None
        if (folder / BOXES).is_file():
            lines = (folder / BOXES).read_text(encoding="utf-8").splitlines()
            self.boxes = [[(name, tuple(box)) for name, box in json.loads(line)] for line in lines]

    def __len__(self) -> int:
        return len(self.scenes)

    @property
    def size(self) -> int:
        """Pixels along each side."""
        return int(self.meta["size"])

    @functools.cached_property
    def flats(self) -> NDArray[np.uint8]:
        """The scenes' flats, uint8 [N, S, S, 3] (memory-mapped); drawn when they are first asked for."""
        path = self.folder / FLATS
        if not path.is_file():
            _draw_flats(path, self.scenes, self.size)
        flats: NDArray[np.uint8] = np.load(path, mmap_mode="r")
        return flats

    def boxes_of(self, rows: Sequence[int] | NDArray[np.int64]) -> list[list[Box]]:
        """The boxes of some scenes, without the names; empty lists where there are none."""
        return [[box for _, box in self.boxes[i]] if self.boxes is not None else [] for i in rows]


class ScenePool:
    """Several caches to learn from as if they were one; rows are counted through all of them.

    Args:
        caches: with how often each of their scenes comes in an epoch.
    """

    def __init__(self, caches: Sequence[tuple[SceneCache, int]]) -> None:
        self.caches = [cache for cache, _ in caches]
        self.scenes = [scene for cache in self.caches for scene in cache.scenes]
        self._starts = np.cumsum([0, *map(len, self.caches)])
        parts = zip(self._starts, caches, strict=False)
        self._epoch = np.concatenate([np.tile(np.arange(s, s + len(c)), times) for s, (c, times) in parts])

    @classmethod
    def of(cls, cache: SceneCache, posed: SceneCache | None = None) -> "ScenePool":
        """A cache, and POSED_TIMES as often people and animals in poses, where there are any."""
        return cls([(cache, 1)] if posed is None else [(cache, 1), (posed, POSED_TIMES)])

    def __len__(self) -> int:
        return len(self.scenes)

    def batch(self, seed: int, step: int, size: int) -> NDArray[np.int64]:
        """The rows of training step `step`."""
        return self._epoch[batch_indices(seed, step, size, len(self._epoch))]

    def pictures_of(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 [B, S, S, 3]."""
        return np.stack([cache.pictures[row] for cache, row in map(self._place, rows)])

    def flats_of(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 [B, S, S, 3]."""
        return np.stack([cache.flats[row] for cache, row in map(self._place, rows)])

    def boxes_of(self, rows: Sequence[int] | NDArray[np.int64]) -> list[list[Box]]:
        """The boxes of some scenes, without the names; empty lists where there are none."""
        return [cache.boxes_of([row])[0] for cache, row in map(self._place, rows)]

    @property
    def boxed(self) -> bool:
        """Whether any of the caches has boxes."""
        return any(cache.boxes is not None for cache in self.caches)

    def _place(self, row: int) -> tuple[SceneCache, int]:
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self.caches[number], int(row - self._starts[number])


def batch_indices(seed: int, step: int, batch: int, count: int) -> NDArray[np.int64]:
    """The scenes of training step `step`: epoch by epoch in a random order; a pure function of its arguments."""
    positions = np.arange(step * batch, (step + 1) * batch)
    out = np.empty(batch, dtype=np.int64)
    for epoch in np.unique(positions // count):
        order = np.random.default_rng((seed, int(epoch))).permutation(count)
        here = positions // count == epoch
        out[here] = order[positions[here] % count]
    return out
