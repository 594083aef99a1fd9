"""An emotion adapter for any generator's text embeddings: valence and arousal become residuals on them.

EmotiCrafter's mapping network (Dang et al. 2025, ICCV): two MLPs turn valence and arousal into tokens; blocks with
self-attention over the prompt and cross-attention to those tokens make a residual on the prompt embeddings, and here
on the pooled embedding where there is one. The diffusion model is not touched, nor needed for training. The bundled
generator's own adapter, smaller and trained with its generator, is `emotion_adapter`.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emofeedback.errors import UserError
from emofeedback.files.module_folder import CONFIG, load_module, save_module
from emofeedback.generators.pipelines.families import INDEX
from emofeedback.generators.scene.emotion_adapter import InjectionBlock

FORMAT = "emofeedback text emotion adapter"


@dataclass(frozen=True, slots=True)
class TextAdapterShape:
    """Sizes: of the prompt embeddings, the pooled one (None = there is none), and the network; tokens per axis."""

    prompt_dim: int
    pooled_dim: int | None
    width: int = 512
    heads: int = 8
    tokens: int = 16
    layers: int = 12
    hidden: int = 256


class MappingBlock(nn.Module):
    """Self-attention over the prompt, then cross-attention to the affect tokens and an MLP; all residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.inject = InjectionBlock(width, heads)

    def forward(self, prompt: Tensor, affect: Tensor, mask: Tensor) -> Tensor:
        """prompt [B, L, W], affect [B, T, W], mask [B, L] (True = a token) -> [B, L, W]."""
        batch, length, width = prompt.shape
        split = self.query_key_value(self.norm(prompt)).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        prompt = prompt + self.out(attended.transpose(1, 2).reshape(batch, length, width))
        return self.inject(prompt, affect)


class TextEmotionAdapter(nn.Module):
    """Puts valence and arousal into text embeddings.

    Args:
        shape: sizes.
        trained_for: what `encoders_of` says of the model whose embeddings it was trained on.
    """

    def __init__(self, shape: TextAdapterShape, trained_for: dict[str, str] | None = None) -> None:
        super().__init__()
        self.shape, self.trained_for = shape, dict(trained_for or {})
        width = shape.width
        self.valence_tokens = _axis_tokens(shape)
        self.arousal_tokens = _axis_tokens(shape)
        self.prompt_in = nn.Sequential(nn.LayerNorm(shape.prompt_dim), nn.Linear(shape.prompt_dim, width))
        self.blocks = nn.ModuleList(MappingBlock(width, shape.heads) for _ in range(shape.layers))
        self.prompt_out = nn.Linear(width, shape.prompt_dim)
        last = [self.prompt_out]
        if shape.pooled_dim is not None:
            self.pooled_in = nn.Linear(shape.pooled_dim, width)
            self.pooled_mlp = nn.Sequential(nn.LayerNorm(3 * width), nn.Linear(3 * width, width), nn.SiLU())
            self.pooled_out = nn.Linear(width, shape.pooled_dim)
            last.append(self.pooled_out)
        for layer in last:  # untrained, it changes nothing
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        prompt_embeds: Tensor,
        pooled: Tensor | None,
        valence: Tensor,
        arousal: Tensor,
        strength: Tensor,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Embeddings with the emotion in them; the adapter follows them to their device.

        Args:
            prompt_embeds: [B, L, D]; pooled: [B, P], None where the model has none.
            valence, arousal: [B] in [-1, 1].
            strength: [B]; 0 leaves the embeddings exactly as they are.
            mask: [B, L], True where there is a token; None = where an embedding is not all zeros, as those are that
                stand for a text encoder left out.

        Returns:
            Embeddings of the shapes and number formats given.

        Raises:
            UserError: the embeddings have other sizes than those it was trained on.
        """
        found = prompt_embeds.shape[-1], None if pooled is None else pooled.shape[-1]
        if found != (self.shape.prompt_dim, self.shape.pooled_dim):
            raise UserError(
                f"The emotion adapter was trained for text embeddings of {self.shape.prompt_dim} and "
                f"{self.shape.pooled_dim} (pooled), not {found[0]} and {found[1]}; train one for this model."
            )
        weight = self.prompt_out.weight
        if weight.device != prompt_embeds.device:
            self.to(prompt_embeds.device)
        mask = prompt_embeds.ne(0).any(-1) if mask is None else mask
        residual, pooled_residual = self.residuals(prompt_embeds, pooled, valence, arousal, mask)
        embeds = torch.addcmul(prompt_embeds, strength[:, None, None].to(prompt_embeds), residual.to(prompt_embeds))
        if pooled is None or pooled_residual is None:
            return embeds, pooled
        return embeds, torch.addcmul(pooled, strength[:, None].to(pooled), pooled_residual.to(pooled))

    def residuals(
        self, prompt_embeds: Tensor, pooled: Tensor | None, valence: Tensor, arousal: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """What is added at strength 1: [B, L, D] and [B, P] or None."""
        kind = self.prompt_out.weight.dtype
        axes = [
            mlp(value.to(kind)[:, None]).view(len(value), self.shape.tokens, self.shape.width)
            for mlp, value in ((self.valence_tokens, valence), (self.arousal_tokens, arousal))
        ]
        affect = torch.cat(axes, 1)
        hidden = self.prompt_in(prompt_embeds.to(kind))
        for block in self.blocks:
            hidden = block(hidden, affect, mask)
        residual = self.prompt_out(hidden) * mask.unsqueeze(-1)
        if pooled is None:
            return residual, None
        joined = torch.cat([self.pooled_in(pooled.to(kind)), *(tokens.mean(1) for tokens in axes)], -1)
        return residual, self.pooled_out(self.pooled_mlp(joined))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors; each file appears whole."""
        config = {"format": FORMAT, "shape": asdict(self.shape), "trained_for": self.trained_for}
        save_module(self, config, Path(folder))

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, model: str | Path | None = None, dtype: torch.dtype = torch.float32
    ) -> "TextEmotionAdapter":
        """Load what `save_pretrained` wrote; only safetensors are read.

        Args:
            model: the folder of the generator that it shall work with, in diffusers format; None = not checked here.

        Raises:
            UserError: a file is missing or damaged, or it was trained for other text encoders than the model's.
        """
        folder = Path(folder)

        def make(config: dict[str, Any]) -> TextEmotionAdapter:
            if config.get("format") != FORMAT:
                raise UserError(f"{folder} is no emotion adapter for text encoders; make one with `train adapter`.")
            return cls(TextAdapterShape(**config["shape"]), config["trained_for"])

        adapter = load_module(make, folder, "emotion adapter", dtype)
        if model is not None:
            adapter.check_model(Path(model))
        return adapter.requires_grad_(False)

    def check_model(self, folder: Path) -> None:
        """Refuse a generator whose text encoders are not those it was trained for.

        Raises:
            UserError: they differ.
        """
        found = encoders_of(folder)
        if found != self.trained_for:
            raise UserError(
                f"The emotion adapter was trained for {_in_words(self.trained_for)}, but {folder.name} has "
                f"{_in_words(found)}; train one with `train adapter --base {folder}`."
            )


def encoders_of(folder: Path) -> dict[str, str]:
    """The pipeline's class and, for each of its text encoders, class, width, depth and vocabulary.

    Fine-tuned diffusion models share their text encoders, so an adapter serves all models with the same ones.

    Raises:
        UserError: the folder holds no pipeline in diffusers format.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        found = {"pipeline": str(index["_class_name"])}
        for part, entry in sorted(index.items()):
            if part.startswith("text_encoder") and isinstance(entry, list) and entry[1] is not None:
                config = json.loads((folder / part / CONFIG).read_text(encoding="utf-8"))
                inner = config.get("text_config", config)
                sizes = [
                    next((inner[key] for key in keys if key in inner), "?")
                    for keys in (("hidden_size", "d_model"), ("num_hidden_layers", "num_layers"), ("vocab_size",))
                ]
                found[part] = f"{entry[1]} {sizes[0]}x{sizes[1]}, {sizes[2]} tokens"
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise UserError(f"{folder} holds no pipeline in diffusers format; give a folder that does.") from None
    return found


def _axis_tokens(shape: TextAdapterShape) -> nn.Sequential:
    """One number in [-1, 1] -> `tokens` tokens."""
    return nn.Sequential(
        nn.Linear(1, shape.hidden),
        nn.SiLU(),
        nn.Linear(shape.hidden, shape.hidden),
        nn.SiLU(),
        nn.Linear(shape.hidden, shape.tokens * shape.width),
    )


def _in_words(encoders: dict[str, str]) -> str:
    return "; ".join(f"{part}: {what}" for part, what in encoders.items()) or "no known model"
