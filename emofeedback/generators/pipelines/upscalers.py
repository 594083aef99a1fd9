"""Upscalers for full-size models: super-resolution pipelines of diffusers and models of transformers, in tiles.

A picture is cut into tiles that overlap; each is enlarged alone and fades into its neighbours, so that the memory does
not grow with the picture. Every tile starts from the same noise: the same picture gives the same large one.
"""

import json
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import diffusers
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from transformers import AutoImageProcessor, AutoModelForImageToImage

from emofeedback.errors import OutOfMemory, UserError
from emofeedback.flow.pixels import to_images
from emofeedback.generators.pipelines.conditioning import is_out_of_memory
from emofeedback.generators.pipelines.families import INDEX
from emofeedback.generators.pipelines.memory import free_memory
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.pipeline_loading import DTYPES, place
from emofeedback.generators.pipelines.repository_files import component_files
from emofeedback.generators.scene.checkpoint_loading import drawing_dtype
from emofeedback.machine.loading import one_at_a_time
from emofeedback.servers.hub import listing, snapshot

logger = logging.getLogger(__name__)

PIPELINES = {"StableDiffusionUpscalePipeline": 4, "StableDiffusionLatentUpscalePipeline": 2}
"""Class of diffusers -> times that the side grows."""
CONFIG = "config.json"
TILE, OVERLAP, LEAST_TILE = 256, 32, 64
"""Pixels of the small picture."""
MULTIPLE = 64
"""A tile's sides are padded to it: what the networks' downsampling asks for."""
STEPS = 20
"""Denoising steps of a tile, without guidance: the picture says what to draw."""
SMALL_FILES = ("*.json", "*.txt", "*.model")

_UNLOADABLE = (
    OSError,
    ValueError,
    RuntimeError,
    KeyError,
    AttributeError,
    TypeError,
    ImportError,
    SafetensorError,
)

Enlarge = Callable[[Image.Image], Image.Image]
"""One tile, its sides multiples of MULTIPLE, at some times its sides."""


class TiledUpscaler:
    """Implements `protocols.Upscaler`; one picture is worked on at a time.

    Args:
        enlarge: a tile.
        scale: times that its sides grow.
        tile: side of a tile in pixels; halved, down to LEAST_TILE, where the memory does not suffice.
    """

    quick = False

    def __init__(self, name: str, scale: int, enlarge: Enlarge, tile: int = TILE) -> None:
        self.name, self.scale, self.tile = name, scale, tile
        self._enlarge, self._lock = enlarge, Lock()

    def upscale(self, images: Sequence[Image.Image], scenes: Sequence[str | None] | None = None) -> list[Image.Image]:
        """As the seam.

        Raises:
            OutOfMemory: not even the smallest tile fits.
        """
        with self._lock:
            return [self._fitting(image.convert("RGB")) for image in images]

    def _fitting(self, image: Image.Image) -> Image.Image:
        while True:
            large = self._tried(image)
            if large is not None:
                return large
            free_memory()  # only here is the error gone, and with it what its frames hold
            if self.tile <= LEAST_TILE:
                raise OutOfMemory(f"{self.name} does not fit the memory; choose another upscaler, or none.")
            self.tile //= 2
            logger.warning("%s does not fit the memory; trying tiles of %d pixels", self.name, self.tile)

    def _tried(self, image: Image.Image) -> Image.Image | None:
        try:
            return self._one(image)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _one(self, image: Image.Image) -> Image.Image:
        pixels, scale = np.asarray(image, dtype=np.uint8), self.scale
        height, width = pixels.shape[:2]
        total = np.zeros((height * scale, width * scale, 3), dtype=np.float32)
        weight = np.zeros((height * scale, width * scale, 1), dtype=np.float32)
        for top in starts(height, self.tile):
            for left in starts(width, self.tile):
                part = pixels[top : top + self.tile, left : left + self.tile]
                fade = _fade(part.shape[0] * scale, scale)[:, None] * _fade(part.shape[1] * scale, scale)[None, :]
                rows = slice(top * scale, (top + part.shape[0]) * scale)
                columns = slice(left * scale, (left + part.shape[1]) * scale)
                total[rows, columns] += self._tile(part) * fade[..., None]
                weight[rows, columns] += fade[..., None]
        total /= weight
        return Image.fromarray(total.round().clip(0, 255).astype(np.uint8))

    def _tile(self, part: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = part.shape[:2]
        padded = np.pad(part, ((0, -height % MULTIPLE), (0, -width % MULTIPLE), (0, 0)), mode="symmetric")
        large = np.asarray(self._enlarge(Image.fromarray(padded)).convert("RGB"), dtype=np.float32)
        return large[: height * self.scale, : width * self.scale]


def starts(length: int, tile: int, overlap: int = OVERLAP) -> list[int]:
    """Where tiles begin along a side, evenly spread; neighbours share `overlap` pixels or more."""
    if length <= tile:
        return [0]
    count = math.ceil((length - overlap) / (tile - overlap))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def _fade(length: int, scale: int) -> NDArray[np.float32]:
    """A tile's weight along a side: rises over the overlap, and falls again."""
    places = np.arange(length, dtype=np.float32) + 0.5
    return np.minimum(np.minimum(places, length - places) / (OVERLAP * scale), 1.0).astype(np.float32)


def open_upscaler(name: str, folder: Path | None, device: str, options: PipelineOptions) -> TiledUpscaler:
    """An upscaler of a folder, or of OWNER/NAME[@REVISION] where there is none: it is fetched.

    Args:
        options: number format and offload; a pipeline's weights are not quantised.

    Raises:
        UserError: it is missing, no upscaler that is known, damaged, or does not fit.
    """
    title = name if folder is None else folder.resolve().name
    folder = folder or _fetched(name, half=options.dtype != "float32")
    dtype = DTYPES.get(options.dtype) or drawing_dtype(device)
    try:
        if (folder / INDEX).is_file():
            kind = _pipeline_class(folder, title)
            return TiledUpscaler(title, PIPELINES[kind], _of_pipeline(folder, kind, device, dtype, options))
        scale, enlarge = _of_transformer(folder, title, device, dtype)
        return TiledUpscaler(title, scale, enlarge)
    except UserError:
        raise
    except Exception as error:
        logger.debug("loading %s failed", folder, exc_info=True)
        if is_out_of_memory(error):
            raise OutOfMemory(f"{title} does not fit the memory; choose another upscaler, or none.") from None
        if isinstance(error, _UNLOADABLE):
            what = " ".join(str(error).split())[:200]
            raise UserError(f"{title} cannot be loaded as an upscaler ({what}); fetch it again.") from error
        raise


def _fetched(name: str, half: bool) -> Path:
    try:
        _, names = listing(name)
    except UserError:
        return snapshot(name, ["*.json"], offline=True)  # what the cache has, where it cannot be asked for
    if INDEX not in names:
        return snapshot(name, [*SMALL_FILES, "*.safetensors"])
    folder = snapshot(name, [INDEX])
    _pipeline_class(folder, name)
    parts = [part for part, value in _read(folder / INDEX, name).items() if isinstance(value, list) and value[0]]
    return snapshot(name, [INDEX, *component_files(names, parts, half, name)])


def _pipeline_class(folder: Path, name: str) -> str:
    kind = _read(folder / INDEX, name).get("_class_name")
    if kind not in PIPELINES:
        raise UserError(f"{name} is no upscaler that is known here ({kind}); known are {', '.join(PIPELINES)}.")
    return str(kind)


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{name} holds no upscaler, or a damaged one ({path.name}); fetch it again.")
    return found


def _of_pipeline(folder: Path, kind: str, device: str, dtype: torch.dtype, options: PipelineOptions) -> Enlarge:
    files = [file.name for file in folder.glob("unet/*.safetensors")]
    more = {"variant": "fp16"} if files and all(".fp16" in file for file in files) else {}
    with one_at_a_time():
        loaded = getattr(diffusers, kind).from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, **more
        )
    pipe: Any = place(loaded, options, device)

    @torch.inference_mode()
    def enlarge(tile: Image.Image) -> Image.Image:
        noise = torch.Generator("cpu").manual_seed(0)
        made = pipe(prompt="", image=tile, num_inference_steps=STEPS, guidance_scale=0.0, generator=noise)
        large: Image.Image = made.images[0]
        return large

    return enlarge


def _of_transformer(folder: Path, name: str, device: str, dtype: torch.dtype) -> tuple[int, Enlarge]:
    scale = _read(folder / CONFIG, name).get("upscale")
    if not isinstance(scale, int) or scale < 2:
        raise UserError(f"{name} enlarges nothing; choose a super-resolution model of transformers, such as a Swin2SR.")
    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    with one_at_a_time():
        model: Any = AutoModelForImageToImage.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True
        )
    model = model.to(device).requires_grad_(False).eval()

    @torch.inference_mode()
    def enlarge(tile: Image.Image) -> Image.Image:
        pixels = processor(images=tile, return_tensors="pt")["pixel_values"].to(device, dtype)
        [large] = to_images(model(pixel_values=pixels).reconstruction.float() * 2 - 1)
        return large

    return scale, enlarge
