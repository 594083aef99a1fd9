"""Encoders of pictures and of words for visual prompts; whichever made a bank is named in it.

A picture's feature is a few visual tokens [T, E], one for each quarter of the picture (the mean over a 2 x 2 grid), not
one vector: the sky's weather, the ground's colours and the light between them are different things, and their mean
over the whole picture tells them apart no longer.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from emofeedback.errors import UserError
from emofeedback.files.module_folder import save_module
from emofeedback.flow.pixels import from_images

GRID = 2
WEIGHTS, CONFIG = "picture_encoder.safetensors", "picture_encoder.json"
Features = NDArray[np.float32]


class PictureEncoder(Protocol):
    """Pictures -> visual tokens."""

    name: str

    def __call__(self, images: Sequence[Image.Image]) -> Features:
        """[B, T, E]."""
        ...


class TextEncoder(Protocol):
    """Texts -> one feature each."""

    name: str

    def __call__(self, texts: Sequence[str]) -> Features:
        """[B, D]."""
        ...


def quarters(tokens: Tensor) -> Tensor:
    """Tokens of a square grid [B, n n, E] -> means over its quarters [B, GRID GRID, E].

    Raises:
        ValueError: the tokens form no square.
    """
    side = round(tokens.shape[1] ** 0.5)
    if side * side != tokens.shape[1]:
        raise ValueError(f"{tokens.shape[1]} tokens form no square grid")
    grid = tokens.transpose(1, 2).unflatten(2, (side, side)).float()
    return F.adaptive_avg_pool2d(grid, GRID).flatten(2).transpose(1, 2)


class TowerEncoder:
    """The vision tower of a judge.

    Args:
        tower: pictures [B, 3, S, S] in [-1, 1] -> an output with `last_hidden_state` [B, n n, E].
        size: S.
    """

    def __init__(self, tower: nn.Module, size: int, name: str, batch: int = 64) -> None:
        self.tower, self.size, self.name, self.batch = tower, size, name, batch

    @torch.inference_mode()
    def __call__(self, images: Sequence[Image.Image]) -> Features:
        weight = next(self.tower.parameters())
        parts = []
        for first in range(0, len(images), self.batch):
            pixels = from_images(images[first : first + self.batch], self.size).to(weight)
            parts.append(quarters(self.tower(pixels).last_hidden_state).cpu().numpy())
        return np.concatenate(parts)


class TransformersPictures:
    """Any vision model of transformers with patch tokens on a square grid: CLIP, SigLIP, DINOv2, DINOv3.

    Args:
        path: a local folder, or OWNER/NAME.

    Raises:
        UserError: it cannot be loaded, or has no vision model.
    """

    def __init__(self, path: str | Path, device: str = "cpu", batch: int = 16) -> None:
        self.name, self.batch = f"{Path(path).name} (quarters)", batch
        self.processor, model = _pretrained(path, AutoImageProcessor), _pretrained(path, AutoModel)
        self.model: Any = getattr(model, "vision_model", model).eval().to(device)

    @torch.inference_mode()
    def __call__(self, images: Sequence[Image.Image]) -> Features:
        parts = []
        for first in range(0, len(images), self.batch):
            chosen = [image.convert("RGB") for image in images[first : first + self.batch]]
            inputs = self.processor(images=chosen, return_tensors="pt").to(self.model.device)
            tokens = self.model(**inputs).last_hidden_state
            config = self.model.config
            patches = (inputs["pixel_values"].shape[-1] // config.patch_size) ** 2
            # class and register tokens come first
            parts.append(quarters(tokens[:, -patches:]).cpu().numpy())
        return np.concatenate(parts)


class TransformersTexts:
    """Any model of transformers with text features beside its vision: CLIP, SigLIP.

    Raises:
        UserError: it cannot be loaded, or has no text features.
    """

    def __init__(self, path: str | Path, device: str = "cpu", batch: int = 64) -> None:
        self.name, self.batch = Path(path).name, batch
        self.tokenizer, self.model = _pretrained(path, AutoTokenizer), _pretrained(path, AutoModel).eval().to(device)
        if not hasattr(self.model, "get_text_features"):
            raise UserError(f"{path} has no text features; give a model of CLIP's kind.")

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> Features:
        parts = []
        for first in range(0, len(texts), self.batch):
            inputs = self.tokenizer(
                list(texts[first : first + self.batch]), padding=True, truncation=True, return_tensors="pt"
            ).to(self.model.device)
            found = self.model.get_text_features(**inputs)
            features = found if isinstance(found, Tensor) else found.pooler_output
            parts.append(features.float().cpu().numpy())
        return np.concatenate(parts)


def _pretrained(path: str | Path, kind: Any) -> Any:
    try:
        return kind.from_pretrained(path)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UserError(f"{path} cannot be loaded as an encoder ({type(error).__name__}); give another.") from None


class NamedTexts:
    """A function from texts to features, such as a generator's own text encoders, under a name."""

    def __init__(self, name: str, encode: Callable[[Sequence[str]], Features]) -> None:
        self.name, self._encode = name, encode

    def __call__(self, texts: Sequence[str]) -> Features:
        return self._encode(texts)


class LatentEncoder(nn.Module):
    """What another picture encoder says, read off the generator's latents by a few convolutions.

    It lies beside the bank, so that a person's own picture can be a visual prompt when the judge whose tower made the
    bank has been trained further, is a remote one, or is not loaded: the bank's features and the generator's
    autoencoder stay.

    Args:
        channels: of the latents [B, C, 16, 16] (scaled); another even size will do.
        dim: E.
    """

    def __init__(self, channels: int, dim: int, widths: tuple[int, int, int] = (64, 96, 160)) -> None:
        super().__init__()
        self.sizes = {"channels": channels, "dim": dim, "widths": list(widths)}
        first, second, third = widths
        self.layers = nn.Sequential(
            nn.Conv2d(channels, first, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(first, second, 3, stride=2, padding=1),
            nn.GroupNorm(8, second),
            nn.SiLU(),
            nn.Conv2d(second, second, 3, padding=1),
            nn.GroupNorm(8, second),
            nn.SiLU(),
            nn.Conv2d(second, third, 3, stride=2, padding=1),
            nn.GroupNorm(8, third),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(GRID),
            nn.Conv2d(third, dim, 1),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, T, E]."""
        return self.layers(latents.to(next(self.parameters()))).flatten(2).transpose(1, 2)

    def save_pretrained(self, folder: Path) -> None:
        """Write picture_encoder.json and picture_encoder.safetensors; each file appears whole."""
        save_module(self, self.sizes, folder, (CONFIG, WEIGHTS))

    @classmethod
    def from_pretrained(cls, folder: Path, dtype: torch.dtype = torch.float32) -> "LatentEncoder":
        """Load what `save_pretrained` wrote.

        Raises:
            UserError: a file is missing or damaged.
        """
        try:
            sizes = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            encoder = cls(sizes["channels"], sizes["dim"], tuple(sizes["widths"]))
            encoder.load_state_dict(load_file(folder / WEIGHTS))
        except (ValueError, TypeError, KeyError, RuntimeError, SafetensorError, OSError):
            raise UserError(f"The picture encoder in {folder} is missing or damaged; fetch it again.") from None
        return encoder.to(dtype).requires_grad_(False).eval()
