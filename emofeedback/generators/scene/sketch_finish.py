"""The finish of a picture that was drawn after a sketch: edges and faces are drawn where the sketch has them.

A small transformer on few tokens places what a sketch shows and colours it, but smears what is smaller than a token. A
convolution network that sees the decoded picture beside the sketch draws these, in the picture's light.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from emofeedback.files.module_folder import load_module, save_module
from emofeedback.generators.scene.sketch import CHANNELS


@dataclass(frozen=True, slots=True)
class FinishShape:
    """Channels at a half, a quarter and an eighth of the picture's side."""

    widths: tuple[int, int, int] = (48, 96, 128)


class _Block(nn.Module):
    """Two convolutions beside a skip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, width),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class SketchFinish(nn.Module):
    """A U-Net (Ronneberger et al. 2015) of three scales; begins as the identity."""

    def __init__(self, shape: FinishShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or FinishShape()
        fine, middle, coarse = shape.widths
        self.fold, self.unfold = nn.PixelUnshuffle(2), nn.PixelShuffle(2)
        self.take = nn.Conv2d(4 * (3 + CHANNELS), fine, 3, padding=1)
        self.fine_in, self.fine_out = _Block(fine), nn.Sequential(_Block(fine), _Block(fine))
        self.to_middle = nn.Conv2d(fine, middle, 2, stride=2)
        self.middle_in, self.middle_out = _Block(middle), _Block(middle)
        self.to_coarse = nn.Conv2d(middle, coarse, 2, stride=2)
        self.coarse = nn.Sequential(_Block(coarse), _Block(coarse))
        self.from_coarse = nn.ConvTranspose2d(coarse, middle, 2, stride=2)
        self.from_middle = nn.ConvTranspose2d(middle, fine, 2, stride=2)
        self.give = nn.Conv2d(fine, 12, 3, padding=1)
        nn.init.zeros_(self.give.weight)
        assert self.give.bias is not None
        nn.init.zeros_(self.give.bias)

    def forward(self, pixels: Tensor, sketches: Tensor) -> Tensor:
        """Pictures [B, 3, S, S] in [-1, 1] with their sketches [B, 4, S, S]; S is a multiple of 8."""
        fine = self.fine_in(self.take(self.fold(torch.cat([pixels, sketches], dim=1))))
        middle = self.middle_in(self.to_middle(fine))
        middle = self.middle_out(middle + self.from_coarse(self.coarse(self.to_coarse(middle))))
        drawn: Tensor = self.unfold(self.give(self.fine_out(fine + self.from_middle(middle))))
        return pixels + drawn

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors; each file appears whole."""
        save_module(self, asdict(self.shape), Path(folder))

    @classmethod
    def from_pretrained(cls, folder: str | Path, dtype: torch.dtype = torch.float32) -> "SketchFinish":
        """Load what `save_pretrained` wrote.

        Raises:
            UserError: as `load_module`.
        """
        finish = load_module(
            lambda config: cls(FinishShape(**{name: tuple(value) for name, value in config.items()})),
            Path(folder),
            "finish of sketches",
            dtype,
        )
        return finish.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
