"""Draws after a sketch: lines and flats of a planned scene, told to the transformer place by place.

A few words say what a picture shows, not where its parts are, and a small transformer that must find both in a few
steps melts what has many parts: animals, faces, hands. The plan of a picture (`scenes.planning`) fixes a scene, and it
is begun as illustrators begin: with line art, and with flats, each thing laid down in its own plain colour. Both are
shown to the transformer as residuals on its picture tokens, made once per picture, after T2I-Adapter (Mou et al. 2023).
Sky, weather, hour, light and the mood of all colours stay with the words and the emotion.
"""

import functools
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emofeedback.files.module_folder import load_module, save_module
from emofeedback.flow.pixels import from_images
from emofeedback.scenes.draw.render import render, render_flats
from emofeedback.scenes.grammar import Scene

CHANNELS = 4
"""Of a sketch: the lines, then the red, green and blue of the flats, as what they take from white paper."""
LEVELS = 63
"""Steps of a sketch that is kept."""
STRONG = 0.02
"""Share of a picture's places that have lines of full strength."""
FAINTEST = 0.03
"""A step between neighbours, of 1, that counts as a line of full strength in the faintest picture."""


@dataclass(frozen=True, slots=True)
class SketchShape:
    """Sizes of the adapter.

    Attributes:
        pixels: along each side of a sketch; tokens: of the transformer along each side; token_width: their channels.
        residuals: how many the transformer is given, spread over its blocks.
        width: channels inside; blocks: residual blocks; channels: of a sketch.
    """

    pixels: int
    tokens: int
    token_width: int
    residuals: int = 3
    width: int = 128
    blocks: int = 2
    channels: int = CHANNELS


def pencil(pixels: Tensor) -> Tensor:
    """The lines of pictures [B, 3, H, W] in [-1, 1]: float32 [B, 1, H, W] in [0, 1], 0 = blank paper.

    A line is where a channel changes from one pixel to the next, against the strong lines of the same picture: a scene
    in fog or at night has lines too, and they tell little of its light.
    """
    plain = pixels.float() / 2
    across = F.pad(plain.diff(dim=3), (0, 1)).abs().amax(1, keepdim=True)
    down = F.pad(plain.diff(dim=2), (0, 0, 0, 1)).abs().amax(1, keepdim=True)
    lines = torch.hypot(across, down)
    places = lines[0].numel()
    full = lines.flatten(1).topk(max(1, round(STRONG * places)), dim=1).values[:, -1].clamp(min=FAINTEST)
    return (lines / full[:, None, None, None]).clamp(max=1.0)


def sketches_from(pictures: Tensor, flats: Tensor) -> Tensor:
    """Sketches float32 [B, 4, H, W] in [0, 1] of pictures and their flats, both [B, 3, H, W] in [-1, 1].

    The lines of the pictures, then how much red, green and blue the flats take from white paper; a blank sheet is 0.
    """
    return torch.cat([pencil(pictures), (1 - flats.float()) / 2], dim=1)


def sketch_of(scene: Scene, pixels: int) -> Tensor:
    """The sketch [4, S, S] of a scene in steps of 1 / LEVELS; float32."""
    whole = np.frombuffer(zlib.decompress(_packed(scene, pixels)), np.uint8).reshape(CHANNELS, pixels, pixels)
    return torch.from_numpy(whole.astype(np.float32)) / LEVELS


@functools.lru_cache(maxsize=512)
def _packed(scene: Scene, pixels: int) -> bytes:
    """Kept, since a page asks for the same again; some 15 kB each."""
    drawn, flats = (from_images([draw(scene, pixels)]) for draw in (render, render_flats))
    return zlib.compress((LEVELS * sketches_from(drawn, flats)[0]).round().to(torch.uint8).numpy().tobytes())


class _Block(nn.Module):
    """Two convolutions beside a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, width),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class SketchAdapter(nn.Module):
    """From sketches to residuals on a transformer's picture tokens; starts without any effect."""

    def __init__(self, shape: SketchShape) -> None:
        super().__init__()
        self.shape = shape
        fold = shape.pixels // shape.tokens // 2
        if fold * shape.tokens * 2 != shape.pixels:
            raise ValueError(f"a sketch of {shape.pixels} pixels does not divide into twice {shape.tokens} tokens")
        self.fold = nn.PixelUnshuffle(fold)
        self.take = nn.Conv2d(shape.channels * fold * fold, shape.width, 3, padding=1)
        self.blocks = nn.Sequential(*(_Block(shape.width) for _ in range(shape.blocks)))
        self.to_tokens = nn.Conv2d(shape.width, shape.token_width, 2, stride=2)
        self.give = nn.Linear(shape.token_width, shape.residuals * shape.token_width)
        nn.init.zeros_(self.give.weight)
        nn.init.zeros_(self.give.bias)

    def forward(self, sketches: Tensor) -> Tensor:
        """Residuals [B, R, tokens^2, token_width] of sketches [B, C, S, S]; a blank sheet has residuals too."""
        hidden = self.to_tokens(self.blocks(self.take(self.fold(sketches))))
        tokens = F.silu(hidden).flatten(2).mT
        return self.give(tokens).unflatten(-1, (self.shape.residuals, self.shape.token_width)).transpose(1, 2)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors; each file appears whole."""
        save_module(self, asdict(self.shape), Path(folder))

    @classmethod
    def from_pretrained(cls, folder: str | Path, dtype: torch.dtype = torch.float32) -> "SketchAdapter":
        """Load what `save_pretrained` wrote.

        Raises:
            UserError: as `load_module`.
        """
        return load_module(lambda config: cls(SketchShape(**config)), Path(folder), "sketch adapter", dtype)
