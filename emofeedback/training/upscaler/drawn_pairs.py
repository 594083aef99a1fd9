"""What a generator draws after plans, beside the same scenes rendered large and their flats: pairs for the upscaler."""

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.files.checksums import sha256
from emofeedback.flow.pixels import from_bytes
from emofeedback.generators.scene.few_step import base_digest
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.scene.upscaler import paper_ink
from emofeedback.records import PictureRequest
from emofeedback.scenes.draw.render import render, render_flats
from emofeedback.scenes.draw.subjects import subject_boxes
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.box_weights import weight_map
from emofeedback.training.common.scene_data import batch_indices
from emofeedback.training.common.training_loop import step_generator
from emofeedback.training.few_step.trajectories import request_at
from emofeedback.training.upscaler.upscaler_recipe import UpscalerBatch, UpscalerRecipe

logger = logging.getLogger(__name__)

TOGETHER = 32
BLANK = 0.15  # share of the pieces that learn without flats
CLEAN = 0.1  # share of the pieces whose small picture is the large one, made smaller
HELD_OUT = 48


@dataclass(frozen=True, slots=True)
class DrawnPairs:
    """Pictures of one scene each; the batch of step k is a function of (seed, k).

    Attributes:
        drawn: by the generator, uint8 [n, s, s, 3]; large, flats: rendered, uint8 [n, S, S, 3].
        scenes: that they show.
    """

    drawn: NDArray[np.uint8]
    large: NDArray[np.uint8]
    flats: NDArray[np.uint8]
    scenes: tuple[Scene, ...]
    recipe: UpscalerRecipe
    seed: int

    @property
    def scale(self) -> int:
        """Times that the side grows."""
        return int(self.large.shape[1] // self.drawn.shape[1])

    @property
    def held_out(self) -> range:
        """Pictures that measure: the last ones."""
        return range(len(self.scenes) - max(1, min(HELD_OUT, len(self.scenes) // 8)), len(self.scenes))

    def batch(self, step: int) -> UpscalerBatch:
        """Pieces of pictures, their flats beside them but for some, the subjects weighing more."""
        recipe, source, scale = self.recipe, step_generator(self.seed, step), self.scale
        rows = batch_indices(self.seed, step, recipe.batch, self.held_out.start).tolist()
        crop = min(recipe.crop, self.drawn.shape[1]) // 2 * 2
        corners = torch.randint(0, (self.drawn.shape[1] - crop) // 2 + 1, (recipe.batch, 2), generator=source) * 2
        clean, blank, mirrored = (torch.rand(recipe.batch, generator=source) < share for share in (CLEAN, BLANK, 0.5))
        boxes = [[box for _, box in subject_boxes(self.scenes[row])] for row in rows]
        weights = weight_map(boxes, self.large.shape[1], recipe.inside)
        small, large, flats, inside = [], [], [], []
        for i, (row, (top, left)) in enumerate(zip(rows, corners.tolist(), strict=True)):
            low = _smaller(self.large[row], scale) if clean[i] else self.drawn[row]
            small.append(low[top : top + crop, left : left + crop])
            here = slice(scale * top, scale * (top + crop)), slice(scale * left, scale * (left + crop))
            large.append(self.large[row][here])
            flats.append(self.flats[row][here])
            inside.append(weights[i][:, here[0], here[1]])
        pieces = [from_bytes(np.stack(some)) for some in (small, large, flats)]
        pieces[2] = paper_ink(pieces[2]) * ~blank[:, None, None, None]
        turned = mirrored[:, None, None, None]
        low, high, ink, weight = (torch.where(turned, x.flip(-1), x) for x in (*pieces, torch.stack(inside)))
        return UpscalerBatch(low, high, weight, ink)

    def seen(self, row: int) -> NDArray[np.uint8]:
        """A held-out picture as the generator leaves it."""
        return self.drawn[row]

    def target(self, row: int) -> NDArray[np.uint8]:
        """The large picture of a scene."""
        return self.large[row]

    def ink(self, row: int) -> torch.Tensor | None:
        """The flats [1, 3, S, S] of a scene, as the upscaler takes them."""
        return paper_ink(from_bytes(self.flats[row][None]))


def _smaller(picture: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(picture).reduce(scale))


def draw_pairs(checkpoint: Path, count: int, scale: int, folder: Path, recipe: UpscalerRecipe, seed: int) -> DrawnPairs:
    """Draw what `request_at` asks for, and render the plans; kept in `folder` once made.

    Raises:
        UserError: the generator is damaged or draws without sketches.
    """
    generator = SceneDiffusionGenerator.from_pretrained(checkpoint)
    if not (generator.sketches and generator.plans):
        raise UserError(f"The generator in {checkpoint} draws without sketches; give another with --teacher.")
    requests: list[PictureRequest] = []
    scenes: list[Scene] = []
    index = 0
    while len(scenes) < count:
        request = request_at(seed, index)
        plan = generator.plan_of(request)
        index += 1
        if plan is not None and plan.scene is not None:
            requests.append(request)
            scenes.append(plan.scene)
    names = {"drawn": generator.size, "large": scale * generator.size, "flats": scale * generator.size}
    note = {"count": count, "seed": seed, "scale": scale, "generator": _digest(checkpoint)}
    arrays = {}
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "pairs.json"
    known = whole.is_file() and json.loads(whole.read_text(encoding="utf-8")) == note
    if not known:
        whole.unlink(missing_ok=True)  # what is written over is no longer what the note says
    for name, side in names.items():
        path = folder / f"{name}.npy"
        mode = "r" if known else "w+"
        shape = None if known else (count, side, side, 3)
        arrays[name] = np.lib.format.open_memmap(path, mode=mode, dtype=np.uint8, shape=shape)
    for first in [] if known else range(0, count, TOGETHER):
        last = min(count, first + TOGETHER)
        for i, picture in enumerate(generator.generate(requests[first:last]), start=first):
            arrays["drawn"][i] = np.asarray(picture.image)
            arrays["large"][i] = np.asarray(render(scenes[i], names["large"]))
            arrays["flats"][i] = np.asarray(render_flats(scenes[i], names["flats"]))
        logger.info("Drew %d of %d pairs.", last, count)
    if not known:
        temporary = folder / ".pairs.new"
        temporary.write_text(json.dumps(note), encoding="utf-8")
        os.replace(temporary, whole)
    return DrawnPairs(arrays["drawn"], arrays["large"], arrays["flats"], tuple(scenes), recipe, seed)


def _digest(checkpoint: Path) -> str:
    """Of all that draws: the base, its student, its finish."""
    files = sorted(checkpoint.glob("few_step/*.safetensors")) + sorted(checkpoint.glob("sketch_*/*.safetensors"))
    return " ".join([base_digest(checkpoint), *(sha256(file) for file in files)])
