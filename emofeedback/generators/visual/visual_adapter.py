"""The visual adapter: pictures' features become tokens that a frozen transformer attends to beside the words.

Decoupled cross-attention after IP-Adapter (Ye et al. 2023): in every block the picture's own queries meet the visual
tokens through keys and values of their own, and what they find is added to the block's joint attention, times a
strength. It hangs on the two hooks that diffusers has for it in `SD3Transformer2DModel`: `image_proj`, which
`joint_attention_kwargs["ip_adapter_image_embeds"]` calls, and the attention processors. diffusers' own processor
(`SD3IPAdapterJointAttnProcessor2_0`) lets the queries meet the picture's own tokens a second time too, so that even
an untrained one draws another picture; ours begins as exactly the base, which a training of minutes needs, and takes
one strength for each picture of a batch.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import SD3Transformer2DModel
from diffusers.models.attention_processor import Attention, JointAttnProcessor2_0
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.files.module_folder import save_module

WEIGHTS, CONFIG = "visual_adapter.safetensors", "visual_adapter.json"


@dataclass(frozen=True, slots=True)
class VisualShape:
    """Sizes of a visual adapter.

    Attributes:
        feature_tokens, feature_dim: T and E of the encoder's visual features [T, E].
        layers, heads, head_dim: those of the transformer.
        tokens: visual tokens that each feature token becomes.
        hidden: width of the projector.
    """

    feature_tokens: int = 4
    feature_dim: int = 256
    layers: int = 6
    heads: int = 7
    head_dim: int = 32
    tokens: int = 2
    hidden: int = 256

    @property
    def width(self) -> int:
        return self.heads * self.head_dim


class VisualProjector(nn.Module):
    """Features [B, T, E] -> visual tokens [B, T tokens, W]; the signature is that of diffusers' `image_proj` hook."""

    def __init__(self, shape: VisualShape) -> None:
        super().__init__()
        self.shape = shape
        self.norm = nn.LayerNorm(shape.feature_dim)
        self.places = nn.Parameter(torch.zeros(shape.feature_tokens, shape.hidden))
        self.inward = nn.Linear(shape.feature_dim, shape.hidden)
        self.whole = nn.Linear(shape.feature_dim, shape.hidden)
        self.to_tokens = nn.Linear(shape.hidden, shape.tokens * shape.width)
        self.norm_out = nn.LayerNorm(shape.width)

    def forward(self, features: Tensor, timestep: Tensor | None = None) -> tuple[Tensor, None]:
        """Tokens, and None in place of the time embedding that diffusers' own projector gives."""
        features = self.norm(features.to(self.norm.weight.dtype))
        hidden = self.inward(features) + self.places + self.whole(features.mean(1, keepdim=True))
        tokens = self.to_tokens(F.silu(hidden)).unflatten(-1, (self.shape.tokens, self.shape.width))
        return self.norm_out(tokens.flatten(1, 2)), None


class VisualAttention(nn.Module):
    """An attention processor that adds what the picture's queries find among the visual tokens.

    Args:
        inner: the processor of the joint attention; it alone runs where there are no visual tokens.
    """

    def __init__(self, shape: VisualShape, inner: object | None = None) -> None:
        super().__init__()
        self.inner = inner or JointAttnProcessor2_0()
        self.heads = shape.heads
        self.to_k_ip = nn.Linear(shape.width, shape.width, bias=False)
        self.to_v_ip = nn.Linear(shape.width, shape.width, bias=False)
        self.norm_q = nn.RMSNorm(shape.head_dim, eps=1e-6)
        self.norm_ip_k = nn.RMSNorm(shape.head_dim, eps=1e-6)
        nn.init.zeros_(self.to_v_ip.weight)

    def __call__(  # as diffusers' processors: the signature tells `Attention` what to pass on
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        ip_hidden_states: Tensor | None = None,
        temb: Tensor | None = None,
        ip_scale: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Image tokens [B, N, W] and text tokens [B, L, W]; visual tokens [B, M, W] and their strengths [B].

        The values write into the block's residual themselves, without an output projection of their own.
        """
        image, words = self.inner(attn, hidden_states, encoder_hidden_states, attention_mask)  # type: ignore[operator]
        if ip_hidden_states is None or ip_scale is None:
            return image, words
        query, key, value = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x in (attn.to_q(hidden_states), self.to_k_ip(ip_hidden_states), self.to_v_ip(ip_hidden_states))
        )
        query, key = self.norm_q(query), self.norm_ip_k(key)
        # two products: on a CPU the fused kernel's backward pass in bfloat16 takes several times as long
        weights = ((query * query.shape[-1] ** -0.5) @ key.mT).softmax(dim=-1).to(value.dtype)
        found = (weights @ value).transpose(1, 2).flatten(2)
        return image + ip_scale[:, None, None].to(found.dtype) * found, words


class VisualAdapter(nn.Module):
    """The projector and each block's attention; `attach` puts them on a transformer's hooks."""

    def __init__(self, shape: VisualShape) -> None:
        super().__init__()
        self.shape = shape
        self.projector = VisualProjector(shape)
        self.attention = nn.ModuleList(VisualAttention(shape) for _ in range(shape.layers))

    def attach(self, transformer: SD3Transformer2DModel) -> None:
        """Let `transformer` attend to visual tokens; without any it computes what it did before.

        Raises:
            UserError: the adapter was made for a transformer of another size.
        """
        config = transformer.config
        sizes = config.num_layers, config.num_attention_heads, config.attention_head_dim
        if sizes != (self.shape.layers, self.shape.heads, self.shape.head_dim):
            raise UserError("The visual prompts were made for another generator; use theirs, or train them for this.")
        inner = list(transformer.attn_processors.values())
        processors = {}
        for name, one, before in zip(transformer.attn_processors, self.attention, inner, strict=True):
            one.inner = before.inner if isinstance(before, VisualAttention) else before  # type: ignore[assignment]
            processors[name] = one
        transformer.set_attn_processor(processors)
        transformer.image_proj = self.projector

    def parameters_by_kind(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """(matrices, the rest), for the optimisers."""
        matrices = [p for n, p in self.named_parameters() if p.ndim == 2 and "places" not in n]
        chosen = {id(p) for p in matrices}
        return matrices, [p for p in self.parameters() if id(p) not in chosen]

    def save_pretrained(self, folder: Path) -> None:
        """Write visual_adapter.json and visual_adapter.safetensors; each file appears whole."""
        save_module(self, asdict(self.shape), folder, (CONFIG, WEIGHTS))

    @classmethod
    def from_pretrained(cls, folder: Path, dtype: torch.dtype = torch.float32) -> "VisualAdapter":
        """Load what `save_pretrained` wrote; only safetensors are read.

        Raises:
            UserError: a file is missing, damaged, or of another shape than its configuration.
        """
        try:
            adapter = cls(VisualShape(**json.loads((folder / CONFIG).read_text(encoding="utf-8"))))
            adapter.load_state_dict(load_file(folder / WEIGHTS))
        except (ValueError, TypeError, RuntimeError, SafetensorError, OSError):
            raise UserError(f"The visual adapter in {folder} is missing or damaged; fetch it again.") from None
        return adapter.to(dtype).requires_grad_(False).eval()


def set_inner_attention(transformer: SD3Transformer2DModel, processor: object) -> None:
    """Set the processor of the joint attention and keep the visual one around it, where there is one."""
    around = list(transformer.attn_processors.values())
    if not any(isinstance(one, VisualAttention) for one in around):
        transformer.set_attn_processor(processor)
        return
    for one in around:
        if isinstance(one, VisualAttention):
            one.inner = processor
