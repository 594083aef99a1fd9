"""A learned upscaler of the scene generator's pictures: four times the side in one pass.

ESPCN (Shi et al. 2016, arXiv 1609.05158): all work is done on the small grid, and the last layer's channels are
shuffled into pixels. Here the grid is smaller still, since the input is shuffled into channels first, two by two (as
Real-ESRGAN does, arXiv 2107.10833): at 128 pixels a body at full size took 0.6 s on two cores, this one 0.03 s. The
network adds to a bilinear enlargement, and begins as it.

A picture of 128 pixels has lost what is finer, and no network can know what it was. But the generator drew it after the
flats of a planned scene (`sketch`), which can be had at any size. Shown them at the large size, the network puts the
light and the colours of the small picture on their edges, as in joint upsampling (Kopf et al. 2007; Li et al. 2016).
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from emofeedback.errors import UserError
from emofeedback.files.checksums import verify_folder
from emofeedback.flow.pixels import from_images, to_images
from emofeedback.scenes.draw.render import render_flats
from emofeedback.scenes.grammar import scene_from_record

CONFIG, WEIGHTS = "config.json", "model.safetensors"
KIND = "SceneUpscaler"
BATCH = 4


def paper_ink(flats: Tensor) -> Tensor:
    """What flats [B, 3, H, W] in [-1, 1] take from white paper, in [0, 1]; a blank sheet is 0."""
    return (1 - flats) / 2


@dataclass(frozen=True, slots=True)
class UpscalerShape:
    """Width and residual blocks of the body; how many times the side grows; width at half the large size of what looks
    at the flats, 0 = they are not looked at.
    """

    width: int = 64
    blocks: int = 6
    scale: int = 4
    shuffle: int = 2
    fine: int = 0


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity; no norm, which would cost the colours their level."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.second(functional.relu(self.first(x)))
        return x + changed


class SceneUpscaler(nn.Module):
    """Pixels [B, 3, H, W] in [-1, 1] -> [B, 3, scale H, scale W], not clipped; any size.

    Implements `protocols.Upscaler`; the same weights serve pictures with and without flats.
    """

    name = "scene-upscaler"
    quick = True

    def __init__(self, shape: UpscalerShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or UpscalerShape()
        self.scale = shape.scale
        self.takes_scenes = shape.fine > 0
        step = shape.scale * shape.shuffle
        self.head = nn.Conv2d(3 * shape.shuffle**2 + (3 * step**2 if shape.fine else 0), shape.width, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(shape.width) for _ in range(shape.blocks)))
        self.tail = nn.Conv2d(shape.width, 3 * step**2, 3, padding=1)
        ends = [self.tail]
        if shape.fine:
            self.look = nn.Conv2d(24, shape.fine, 3, padding=1)
            self.edges = ResidualBlock(shape.fine)
            self.draw = nn.Conv2d(shape.fine, 12, 3, padding=1)
            ends.append(self.draw)
        for end in ends:
            nn.init.zeros_(end.weight)
            assert end.bias is not None
            nn.init.zeros_(end.bias)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pixels: Tensor, flats: Tensor | None = None) -> Tensor:
        """Enlarge pictures.

        Args:
            flats: [B, 3, scale H, scale W] in [0, 1], what each flat takes from white paper; 0 where there are none.
        """
        height, width = pixels.shape[-2:]
        scale, shuffle = self.shape.scale, self.shape.shuffle
        beyond = (0, -width % shuffle, 0, -height % shuffle)
        padded = functional.pad(pixels, beyond, mode="replicate") if any(beyond) else pixels
        grid = functional.pixel_unshuffle(padded, shuffle)
        ink = padded.new_zeros(len(pixels), 3, scale * padded.shape[-2], scale * padded.shape[-1])
        if self.shape.fine:
            if flats is not None:
                ink = functional.pad(flats, tuple(scale * n for n in beyond)).to(padded.dtype)
            grid = torch.cat([grid, functional.pixel_unshuffle(ink, scale * shuffle)], dim=1)
        grid = grid.contiguous(memory_format=torch.channels_last)
        detail = functional.pixel_shuffle(self.tail(self.body(self.head(grid))), scale * shuffle)
        plain = functional.interpolate(padded, scale_factor=float(scale), mode="bilinear", align_corners=False)
        drawn: Tensor = plain + detail
        if self.shape.fine:
            seen = functional.pixel_unshuffle(torch.cat([drawn, ink], dim=1), 2)
            seen = functional.relu(self.look(seen.contiguous(memory_format=torch.channels_last)))
            drawn = drawn + functional.pixel_shuffle(self.draw(self.edges(seen)), 2)
        return drawn[..., : scale * height, : scale * width]

    @torch.inference_mode()
    def upscale(self, images: Sequence[Image.Image], scenes: Sequence[str | None] | None = None) -> list[Image.Image]:
        """Pictures at `scale` times their side, in order; they may differ in size.

        Args:
            scenes: what each square picture was drawn after (`Picture.scene`), None where that is not known.
        """
        device, dtype = self.head.weight.device, self.head.weight.dtype
        known = [self._flats(image, scene) for image, scene in zip(images, scenes or [None] * len(images), strict=True)]
        drawn: list[Image.Image] = []
        first = 0
        while first < len(images):
            last = first + 1
            while last < min(len(images), first + BATCH) and images[last].size == images[first].size:
                last += 1
            pixels, some = from_images(images[first:last]).to(device, dtype), known[first:last]
            flats = None
            if any(one is not None for one in some):
                side = self.scale * images[first].size[0]
                flats = torch.stack([torch.zeros(3, side, side) if one is None else one for one in some])
                flats = flats.to(device, dtype)
            drawn += to_images(self(pixels, flats))
            first = last
        return drawn

    def _flats(self, image: Image.Image, scene: str | None) -> Tensor | None:
        """The flats [3, S, S] of the scene that a picture was drawn after, at the large size, where they can be had."""
        if scene is None or not self.takes_scenes or image.size[0] != image.size[1]:
            return None
        try:
            flats = render_flats(scene_from_record(json.loads(scene)), self.scale * image.size[0])
        except (ValueError, TypeError, KeyError, RecursionError):
            return None  # of another edition of the world, or of a file that somebody else wrote
        return paper_ink(from_images([flats]))[0]

    def save_pretrained(self, folder: Path) -> None:
        """Write config.json and model.safetensors; each file appears whole."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()}
        save_file(weights, folder / ".weights.new", metadata={"format": "pt"})
        config = {"model": KIND, **asdict(self.shape)}
        (folder / ".config.new").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        os.replace(folder / ".config.new", folder / CONFIG)
        os.replace(folder / ".weights.new", folder / WEIGHTS)

    @staticmethod
    def is_in(folder: Path) -> bool:
        """Whether a folder says that it holds one."""
        try:
            config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(config, dict) and config.get("model") == KIND

    @classmethod
    def from_pretrained(cls, folder: Path, device: str = "cpu", dtype: torch.dtype = torch.float32) -> "SceneUpscaler":
        """Load what `save_pretrained` wrote; only safetensors are read.

        Raises:
            UserError: a file is missing, damaged, or of another model.
        """
        verify_folder(folder, CONFIG)
        try:
            config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            if config.pop("model") != KIND:
                raise ValueError("another model")
            upscaler = cls(UpscalerShape(**config))
            upscaler.load_state_dict(load_file(folder / WEIGHTS))
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, SafetensorError, OSError):
            raise UserError(f"{folder} holds no upscaler, or a damaged one; fetch or train it again.") from None
        upscaler.name = folder.resolve().name
        return upscaler.to(device, dtype).requires_grad_(False).eval()
