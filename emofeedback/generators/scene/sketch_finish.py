"""The finish of a picture that was drawn after a sketch: edges and faces are drawn where its lines run.

A small transformer on few tokens places what a sketch shows and colours it, but smears what is smaller than a token. A
convolution network that sees the decoded picture beside the lines draws these; it leaves colours as they are.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from emofeedback.errors import UserError

CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True, slots=True)
class FinishShape:
    """Channels at a half, a quarter and an eighth of the picture's side."""

    widths: tuple[int, int, int] = (32, 64, 96)


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
        self.take = nn.Conv2d(16, fine, 3, padding=1)
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

    def forward(self, pixels: Tensor, lines: Tensor) -> Tensor:
        """Pictures [B, 3, S, S] in [-1, 1] with the lines [B, 1, S, S] of their sketches; S is a multiple of 8."""
        fine = self.fine_in(self.take(self.fold(torch.cat([pixels, lines], dim=1))))
        middle = self.middle_in(self.to_middle(fine))
        middle = self.middle_out(middle + self.from_coarse(self.coarse(self.to_coarse(middle))))
        drawn: Tensor = self.unfold(self.give(self.fine_out(fine + self.from_middle(middle))))
        return pixels + drawn

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors; each file appears whole."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.detach().cpu().contiguous() for k, v in self.state_dict().items()}, folder / ".weights.new")
        (folder / ".config.new").write_text(json.dumps(asdict(self.shape), indent=1) + "\n", encoding="utf-8")
        os.replace(folder / ".config.new", folder / CONFIG)
        os.replace(folder / ".weights.new", folder / WEIGHTS)

    @classmethod
    def from_pretrained(cls, folder: str | Path, dtype: torch.dtype = torch.float32) -> "SketchFinish":
        """Load what `save_pretrained` wrote; only safetensors are read.

        Raises:
            UserError: a file is missing, damaged, or of another shape than its configuration.
        """
        folder = Path(folder)
        for name in (CONFIG, WEIGHTS):
            if not (folder / name).is_file():
                raise UserError(f"{folder} holds no finish of sketches ({name} is missing); only safetensors are read.")
        try:
            shape = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            finish = cls(FinishShape(**{name: tuple(value) for name, value in shape.items()}))
            finish.load_state_dict(load_file(folder / WEIGHTS))
        except (ValueError, TypeError, AttributeError, RuntimeError, SafetensorError, OSError):
            raise UserError(f"The finish of sketches in {folder} is damaged; fetch it again.") from None
        return finish.to(dtype, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
