"""The networks of the bundled generator: tokenizer, text encoders, transformer, emotion adapter, as one pipeline."""

import json
import tempfile
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from diffusers.models.attention_processor import Attention
from tokenizers import pre_tokenizers
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from emofeedback.generators.scene.emotion_adapter import AdapterShape, EmotionAdapter
from emofeedback.generators.scene.sketch import SketchAdapter, SketchShape

START, END, SUFFIX = "<|startoftext|>", "<|endoftext|>", "</w>"


@dataclass(frozen=True, slots=True)
class GeneratorShape:
    """Sizes of the generator; the standard ones come to 14 M parameters with the autoencoder."""

    latent_side: int = 16
    latent_channels: int = 16
    pixels: int = 128  # of a picture along each side
    layers: int = 6
    heads: int = 7
    head_dim: int = 32
    text_length: int = 56  # tokens, start and end included
    text_widths: tuple[int, int] = (128, 96)
    text_layers: tuple[int, int] = (3, 2)
    adapter_width: int = 96
    adapter_layers: int = 1
    shift: float = 1.0  # of the sampling schedule towards noise


def learn_merges(words: Collection[str]) -> list[tuple[str, str]]:
    """Byte-pair merges (Sennrich et al. 2016) under which every given ASCII word becomes one token.

    Ties go to the pair that sorts first: the library's trainer breaks them at random, and token ids must not
    change when a training is resumed.
    """
    spelled = [[*word[:-1], word[-1] + SUFFIX] for word in sorted(set(words)) if word.isascii() and word.isalpha()]
    merges: list[tuple[str, str]] = []
    while counts := Counter(pair for word in spelled for pair in pairwise(word)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        for word in spelled:
            i = 0
            while i < len(word) - 1:
                if (word[i], word[i + 1]) == best:
                    word[i : i + 2] = ["".join(best)]
                i += 1
    return merges


def build_tokenizer(words: Collection[str], length: int) -> CLIPTokenizer:
    """A byte-level BPE tokenizer of CLIP's kind in which every given word is one token.

    Other words fall into pieces, single bytes at worst. Lower-cases its input.
    """
    merges = learn_merges(words)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(letter + SUFFIX for letter in alphabet)]
    tokens += [token for token in dict.fromkeys(a + b for a, b in merges) if token not in set(tokens)]
    vocabulary = {token: i for i, token in enumerate([*tokens, START, END])}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
        (Path(folder) / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (Path(folder) / "tokenizer_config.json").write_text(
            json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": length}), encoding="utf-8"
        )
        return CLIPTokenizer.from_pretrained(folder)


def _text_encoder(tokenizer: CLIPTokenizer, width: int, layers: int, length: int) -> CLIPTextModelWithProjection:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        max_position_embeddings=length,
        hidden_act="gelu",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    encoder = CLIPTextModelWithProjection(config)
    for name, parameter in encoder.named_parameters():
        # the stock 0.02 suits an encoder whose output is normalised; here the hidden state feeds the transformer
        if name.endswith("token_embedding.weight"):
            nn.init.normal_(parameter, std=0.5)
        elif name.endswith("position_embedding.weight"):
            nn.init.normal_(parameter, std=0.1)
    return encoder


def _initialise_transformer(transformer: SD3Transformer2DModel) -> None:
    """The initial values of DiT (Peebles and Xie 2023): every block starts as the identity, the output as zero."""
    for name, parameter in transformer.named_parameters():
        if parameter.ndim >= 2:
            nn.init.xavier_uniform_(parameter.view(parameter.shape[0], -1))
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
    for module in (transformer.time_text_embed.timestep_embedder, transformer.time_text_embed.text_embedder):
        for layer in (module.linear_1, module.linear_2):
            nn.init.normal_(layer.weight, std=0.02)
    modulation = [transformer.norm_out.linear, transformer.proj_out]
    for block in transformer.transformer_blocks:
        modulation += [block.norm1.linear, block.norm1_context.linear]
    for layer in modulation:
        nn.init.zeros_(layer.weight)


def build_networks(shape: GeneratorShape, tokenizer: CLIPTokenizer) -> nn.ModuleDict:
    """Fresh `text_encoder`, `text_encoder_2`, `transformer`, `adapter` (of emotion) and `sketch`."""
    widths = shape.text_widths
    transformer = SD3Transformer2DModel(
        sample_size=shape.latent_side,
        patch_size=2,
        in_channels=shape.latent_channels,
        out_channels=shape.latent_channels,
        num_layers=shape.layers,
        attention_head_dim=shape.head_dim,
        num_attention_heads=shape.heads,
        joint_attention_dim=sum(widths),
        caption_projection_dim=shape.heads * shape.head_dim,
        pooled_projection_dim=sum(widths),
        pos_embed_max_size=shape.latent_side,
        qk_norm="rms_norm",
    )
    _initialise_transformer(transformer)
    encoders = [
        _text_encoder(tokenizer, w, n, shape.text_length) for w, n in zip(widths, shape.text_layers, strict=True)
    ]
    adapter = EmotionAdapter(
        AdapterShape(sum(widths), sum(widths), width=shape.adapter_width, layers=shape.adapter_layers)
    )
    sketch = SketchAdapter(SketchShape(shape.pixels, shape.latent_side // 2, shape.heads * shape.head_dim))
    return nn.ModuleDict(
        {
            "text_encoder": encoders[0],
            "text_encoder_2": encoders[1],
            "transformer": transformer,
            "adapter": adapter,
            "sketch": sketch,
        }
    )


class PlainJointAttention:
    """SD3's joint attention written as two products and a softmax.

    On a CPU the backward pass of the fused kernel takes five times as long in bfloat16 at some hundred tokens.
    """

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Image tokens [B, N, W] and text tokens [B, L, W] attend to each other; both come back."""
        batch, length, _ = hidden_states.shape

        def split(x: Tensor) -> Tensor:
            return x.view(batch, x.shape[1], attn.heads, -1).transpose(1, 2)

        query, key, value = (split(f(hidden_states)) for f in (attn.to_q, attn.to_k, attn.to_v))
        text = (split(f(encoder_hidden_states)) for f in (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj))
        text_query, text_key, text_value = text
        query = torch.cat([attn.norm_q(query), attn.norm_added_q(text_query)], dim=2)
        key = torch.cat([attn.norm_k(key), attn.norm_added_k(text_key)], dim=2)
        value = torch.cat([value, text_value], dim=2)
        weights = ((query * query.shape[-1] ** -0.5) @ key.mT).softmax(dim=-1).to(value.dtype)
        joined = (weights @ value).transpose(1, 2).flatten(2)
        image, words = joined[:, :length], joined[:, length:]
        return attn.to_out[0](image), words if attn.context_pre_only else attn.to_add_out(words)


def use_plain_attention(networks: nn.ModuleDict) -> None:
    """Set attention up for training on a CPU; the function that is computed stays the same."""
    networks["transformer"].set_attn_processor(PlainJointAttention())  # type: ignore[operator]
    for name in ("text_encoder", "text_encoder_2"):
        networks[name].set_attn_implementation("eager")  # type: ignore[operator]


def encode_captions(networks: nn.ModuleDict, ids: Tensor) -> tuple[Tensor, Tensor]:
    """What StableDiffusion3Pipeline.encode_prompt makes of token ids without a T5 encoder, with gradients.

    Args:
        ids: [B, L], padded to the full length (padding is seen by the transformer).

    Returns:
        prompt embeddings [B, L + 1, D], the last row zero in the place of T5's, and pooled embeddings [B, P].
    """
    outputs = [networks[name](ids, output_hidden_states=True) for name in ("text_encoder", "text_encoder_2")]
    embeds = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
    pooled = torch.cat([output.text_embeds for output in outputs], dim=-1)
    return nn.functional.pad(embeds, (0, 0, 0, 1)), pooled


def assemble_pipeline(
    networks: nn.ModuleDict, vae: AutoencoderKL, tokenizer: CLIPTokenizer, shift: float
) -> StableDiffusion3Pipeline:
    """The stock pipeline around the networks; the adapter stays outside."""
    pipeline = StableDiffusion3Pipeline(
        transformer=networks["transformer"],
        scheduler=FlowMatchEulerDiscreteScheduler(shift=shift),
        vae=vae,
        text_encoder=networks["text_encoder"],
        tokenizer=tokenizer,
        text_encoder_2=networks["text_encoder_2"],
        tokenizer_2=tokenizer,
        text_encoder_3=None,
        tokenizer_3=None,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
