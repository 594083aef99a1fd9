"""The emotion adapter: valence and arousal become residuals on the text conditioning.

After EmotiCrafter (Dang et al. 2025): valence-arousal features are injected into the prompt embedding by
cross-attention and added as a residual. Here the pooled embedding, which modulates every block of a
Stable Diffusion 3 transformer, gets a residual too, and `strength` scales both (0 = the words alone, exactly).
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from emofeedback.files.module_folder import load_module, save_module


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """Sizes: of the prompt embedding, the pooled embedding, and the adapter itself."""

    prompt_dim: int
    pooled_dim: int
    width: int = 96
    heads: int = 4
    tokens: int = 4
    layers: int = 2
    frequencies: int = 4


class AffectFeatures(nn.Module):
    """(valence, arousal) in [-1, 1] -> features [B, width] through Fourier features and an MLP."""

    def __init__(self, frequencies: int, width: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.mlp = nn.Sequential(nn.Linear(2 + 4 * frequencies, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, valence: Tensor, arousal: Tensor) -> Tensor:
        point = torch.stack([valence, arousal], dim=-1)
        octaves = torch.arange(self.frequencies, device=point.device, dtype=torch.float32).exp2() * (math.pi / 2)
        angles = (point[..., None].float() * octaves).flatten(1)
        features = torch.cat([point.float(), angles.sin(), angles.cos()], dim=-1)
        return self.mlp(features.to(next(self.mlp.parameters()).dtype))


class InjectionBlock(nn.Module):
    """Prompt tokens attend to the affect tokens, then an MLP; both are residual and pre-normalised."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, prompt: Tensor, affect: Tensor) -> Tensor:
        """prompt [B, L, W], affect [B, T, W] -> [B, L, W]."""
        batch, length, width = prompt.shape

        def split(x: Tensor) -> Tensor:
            return x.view(batch, -1, self.heads, width // self.heads).transpose(1, 2)

        key, value = self.key_value(affect).chunk(2, dim=-1)
        attended = functional.scaled_dot_product_attention(
            split(self.query(self.norm(prompt))), split(key), split(value)
        )
        prompt = prompt + self.out(attended.transpose(1, 2).reshape(batch, length, width))
        return prompt + self.mlp(prompt)


class EmotionAdapter(nn.Module):
    """Adds the residual of a valence-arousal pair to prompt and pooled embeddings."""

    def __init__(self, shape: AdapterShape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.features = AffectFeatures(shape.frequencies, width)
        self.to_tokens = nn.Linear(width, shape.tokens * width)
        self.prompt_in = nn.Sequential(nn.LayerNorm(shape.prompt_dim), nn.Linear(shape.prompt_dim, width))
        self.blocks = nn.ModuleList(InjectionBlock(width, shape.heads) for _ in range(shape.layers))
        self.prompt_out = nn.Linear(width, shape.prompt_dim)
        self.pooled_in = nn.Linear(shape.pooled_dim, width)
        self.pooled_mlp = nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, 2 * width), nn.SiLU())
        self.pooled_out = nn.Linear(2 * width, shape.pooled_dim)
        for last in (self.prompt_out, self.pooled_out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self, prompt_embeds: Tensor, pooled: Tensor, valence: Tensor, arousal: Tensor, strength: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Conditioning with the emotion in it.

        Args:
            prompt_embeds: [B, L, D]; pooled: [B, P].
            valence, arousal: [B] in [-1, 1]; any finite value where strength is 0.
            strength: [B], 0 leaves the embeddings as they are.

        Returns:
            prompt embeddings [B, L, D] and pooled embeddings [B, P].
        """
        prompt_residual, pooled_residual = self.residuals(prompt_embeds, pooled, valence, arousal)
        scale = strength.to(prompt_embeds.dtype)
        return (
            prompt_embeds + scale[:, None, None] * prompt_residual.to(prompt_embeds.dtype),
            pooled + scale[:, None].to(pooled.dtype) * pooled_residual.to(pooled.dtype),
        )

    def residuals(
        self, prompt_embeds: Tensor, pooled: Tensor, valence: Tensor, arousal: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What is added at strength 1: [B, L, D] and [B, P]."""
        features = self.features(valence, arousal)
        affect = self.to_tokens(features).view(len(features), self.shape.tokens, self.shape.width)
        hidden = self.prompt_in(prompt_embeds)
        for block in self.blocks:
            hidden = block(hidden, affect)
        joined = self.pooled_mlp(torch.cat([self.pooled_in(pooled), features.to(pooled.dtype)], dim=-1))
        return self.prompt_out(hidden), self.pooled_out(joined)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors; each file appears whole."""
        save_module(self, asdict(self.shape), Path(folder))

    @classmethod
    def from_pretrained(cls, folder: str | Path, dtype: torch.dtype = torch.float32) -> "EmotionAdapter":
        """Load what `save_pretrained` wrote.

        Raises:
            UserError: as `load_module`.
        """
        return load_module(lambda config: cls(AdapterShape(**config)), Path(folder), "emotion adapter", dtype)
