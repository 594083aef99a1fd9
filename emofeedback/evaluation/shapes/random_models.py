"""Real model classes in the shapes of published models, with random weights made on the device: nothing is downloaded.

Speed and memory depend on the shapes alone. The configurations are those of the repositories' own files; each has a
tiny sibling, on which the same code runs anywhere.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
)

from emofeedback.evaluation.shapes.random_tokenizer import trained_tokenizer
from emofeedback.generators.pipelines.conditioning import is_out_of_memory
from emofeedback.generators.pipelines.families import Described, describe_configs
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.generators.pipelines.pipeline_loading import TooLarge, place

Configs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class PipelineShape:
    """A pipeline without weights: `configs` by component, and what makes the pipeline of them.

    Attributes:
        name: the published model of this shape.
        pipeline, distilled: as its model_index.json says.
        size: side of its pictures in pixels.
    """

    name: str
    pipeline: str
    distilled: bool
    size: int
    configs: Configs
    make: Callable[[Configs, torch.device, torch.dtype, int], DiffusionPipeline]

    def described(self) -> Described:
        """What the published model's folder says of itself."""
        return describe_configs({"_class_name": self.pipeline, "is_distilled": self.distilled}, {})


@contextmanager
def made_on(device: torch.device, dtype: torch.dtype, seed: int) -> Iterator[None]:
    """Weights of models that are made inside lie on the device from the start, in that format, alike for a seed."""
    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        torch.set_default_dtype(dtype)
        try:
            with device:
                yield
        finally:
            torch.set_default_dtype(before)


def make_klein(configs: Configs, device: torch.device, dtype: torch.dtype, seed: int) -> DiffusionPipeline:
    """FLUX.2-klein: Qwen3 reads the words, one VAE, a transformer of joint and single blocks."""
    words = trained_tokenizer()
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
    with made_on(device, dtype, seed):
        transformer = Flux2Transformer2DModel(**configs["transformer"])
        vae = AutoencoderKLFlux2(**configs["vae"])
        text = Qwen3ForCausalLM(Qwen3Config(**configs["text_encoder"]))
    return Flux2KleinPipeline(
        scheduler=scheduler,
        vae=vae,
        text_encoder=text.eval(),
        tokenizer=words,
        transformer=transformer.eval(),
        is_distilled=True,
    )


def make_sd3(configs: Configs, device: torch.device, dtype: torch.dtype, seed: int) -> DiffusionPipeline:
    """Stable Diffusion 3.5: two CLIPs and a T5 read the words, one VAE, a transformer with dual attention."""
    short, long = trained_tokenizer(77), trained_tokenizer(256)
    short.pad_token = short.eos_token
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    ends = {"bos_token_id": None, "eos_token_id": short.eos_token_id, "pad_token_id": short.pad_token_id}
    with made_on(device, dtype, seed):
        transformer = SD3Transformer2DModel(**configs["transformer"])
        vae = AutoencoderKL(**configs["vae"])
        clips = [
            CLIPTextModelWithProjection(CLIPTextConfig(**{**configs[part], **ends})).eval()
            for part in ("text_encoder", "text_encoder_2")
        ]
        t5 = T5EncoderModel(T5Config(**configs["text_encoder_3"])).eval()
    return StableDiffusion3Pipeline(
        transformer=transformer.eval(),
        scheduler=scheduler,
        vae=vae,
        text_encoder=clips[0],
        tokenizer=short,
        text_encoder_2=clips[1],
        tokenizer_2=short,
        text_encoder_3=t5,
        tokenizer_3=long,
    )


class ShapedGenerator(PipelineGenerator):
    """A pipeline generator whose weights are random, made on its device in place of loaded; no folder is read.

    Args:
        size: side of the pictures in pixels; None = the shape's own.

    Raises:
        OutOfMemory: the weights do not fit the device.
    """

    def __init__(self, shape: PipelineShape, device: str, seed: int = 0, size: int | None = None) -> None:
        self.shape, self.seed = shape, seed
        options = PipelineOptions(dtype="bfloat16", size=size or shape.size)
        super().__init__(Path(), name=f"{shape.name} shape", device=device, options=options)

    def _describe(self) -> Described:
        return self.shape.described()

    def _load(self) -> DiffusionPipeline:
        try:
            pipe = self.shape.make(self.shape.configs, torch.device(self.device_name), torch.bfloat16, self.seed)
            return place(pipe, self.options, self.device_name)
        except Exception as error:
            if is_out_of_memory(error):
                raise TooLarge(str(error)) from None
            raise


FLUX_VAE = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "latent_channels": 32}
SD3_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 16,
    "sample_size": 1024,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "scaling_factor": 1.5305,
    "shift_factor": 0.0609,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
TINY_VAE: dict[str, Any] = {
    "block_out_channels": (8, 8),
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "sample_size": 32,
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
}
TINY_CLIP = {
    "vocab_size": 1024,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "projection_dim": 16,
}

KLEIN = PipelineShape(
    "FLUX.2-klein-4B",
    "Flux2KleinPipeline",
    True,
    1024,
    {
        "transformer": {
            "patch_size": 1,
            "in_channels": 128,
            "num_layers": 5,
            "num_single_layers": 20,
            "attention_head_dim": 128,
            "num_attention_heads": 24,
            "joint_attention_dim": 7680,
            "timestep_guidance_channels": 256,
            "mlp_ratio": 3.0,
            "axes_dims_rope": (32, 32, 32, 32),
            "rope_theta": 2000,
            "guidance_embeds": False,
        },
        "vae": FLUX_VAE,
        "text_encoder": {  # Qwen3-4B
            "vocab_size": 151936,
            "hidden_size": 2560,
            "intermediate_size": 9728,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 40960,
            "tie_word_embeddings": True,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1_000_000.0},
        },
    },
    make_klein,
)
TINY_KLEIN = PipelineShape(
    "tiny FLUX.2-klein",
    "Flux2KleinPipeline",
    True,
    32,
    {
        "transformer": {
            "patch_size": 1,
            "in_channels": 16,
            "num_layers": 1,
            "num_single_layers": 1,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "joint_attention_dim": 48,
            "timestep_guidance_channels": 16,
            "axes_dims_rope": (4, 4, 4, 4),
            "guidance_embeds": False,
        },
        "vae": TINY_VAE,
        "text_encoder": {
            "vocab_size": 1024,
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 28,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 8,
            "max_position_embeddings": 1024,
        },
    },
    make_klein,
)

SD35 = PipelineShape(
    "SD3.5-medium",
    "StableDiffusion3Pipeline",
    False,
    1024,
    {
        "transformer": {
            "sample_size": 128,
            "patch_size": 2,
            "in_channels": 16,
            "out_channels": 16,
            "num_layers": 24,
            "attention_head_dim": 64,
            "num_attention_heads": 24,
            "joint_attention_dim": 4096,
            "caption_projection_dim": 1536,
            "pooled_projection_dim": 2048,
            "pos_embed_max_size": 384,
            "dual_attention_layers": tuple(range(13)),
            "qk_norm": "rms_norm",
        },
        "vae": SD3_VAE,
        "text_encoder": {  # CLIP-L
            "vocab_size": 49408,
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "projection_dim": 768,
            "hidden_act": "quick_gelu",
        },
        "text_encoder_2": {  # CLIP-bigG
            "vocab_size": 49408,
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 20,
            "projection_dim": 1280,
            "hidden_act": "gelu",
        },
        "text_encoder_3": {  # T5-XXL
            "vocab_size": 32128,
            "d_model": 4096,
            "d_ff": 10240,
            "d_kv": 64,
            "num_layers": 24,
            "num_heads": 64,
            "feed_forward_proj": "gated-gelu",
            "is_encoder_decoder": False,
        },
    },
    make_sd3,
)
TINY_SD35 = PipelineShape(
    "tiny SD3.5",
    "StableDiffusion3Pipeline",
    False,
    32,
    {
        "transformer": {
            "sample_size": 16,
            "patch_size": 2,
            "in_channels": 4,
            "out_channels": 4,
            "num_layers": 2,
            "attention_head_dim": 12,
            "num_attention_heads": 2,
            "joint_attention_dim": 32,
            "caption_projection_dim": 24,
            "pooled_projection_dim": 32,
            "pos_embed_max_size": 16,
            "dual_attention_layers": (0,),
            "qk_norm": "rms_norm",
        },
        "vae": {**TINY_VAE, "shift_factor": 0.05},
        "text_encoder": TINY_CLIP,
        "text_encoder_2": TINY_CLIP,
        "text_encoder_3": {
            "vocab_size": 1024,
            "d_model": 32,
            "d_ff": 32,
            "d_kv": 8,
            "num_layers": 1,
            "num_heads": 2,
            "feed_forward_proj": "gated-gelu",
            "is_encoder_decoder": False,
        },
    },
    make_sd3,
)
