"""Real text-to-image pipelines of every family at tiny random size, saved to disk as repositories lay them out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    DDIMScheduler,
    DiffusionPipeline,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from tiny_judges import tokenizer
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

from emofeedback.training.generator.networks import build_tokenizer

FAMILIES = ("flux2-klein", "sd3", "z-image", "sdxl", "sd")
SIZE = 32
WORDS = ("a", "cat", "dog", "boat", "lake", "by")


def _vae(latent_channels: int = 4, shift: float | None = None, **more: Any) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        sample_size=SIZE,
        shift_factor=shift,
        **more,
    )


def _clip(words: Any, projection: bool) -> Any:
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        projection_dim=16,
        eos_token_id=words.eos_token_id,
        bos_token_id=words.bos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)


def _qwen(words: Any, layers: int, kind: Any) -> Any:
    return kind(
        Qwen3Config(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=layers,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            max_position_embeddings=1024,
        )
    )


def _unet(cross: int, **more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=SIZE // 2,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        norm_num_groups=4,
        attention_head_dim=8,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=cross,
        **more,
    )


def flux2_klein(distilled: bool = True) -> DiffusionPipeline:
    words = tokenizer("qwen3_vl")
    transformer = Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        axes_dims_rope=(4, 4, 4, 4),
        timestep_guidance_channels=16,
        guidance_embeds=False,
    )
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIZE,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
    )
    vae.bn.running_mean.normal_(std=0.2)
    vae.bn.running_var.uniform_(0.5, 2.0)
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=vae,
        text_encoder=_qwen(words, 28, Qwen3ForCausalLM),
        tokenizer=words,
        transformer=transformer,
        is_distilled=distilled,
    )


def sd3() -> DiffusionPipeline:
    words, others = build_tokenizer(WORDS, 77), tokenizer("qwen3_vl")
    transformer = SD3Transformer2DModel(
        sample_size=SIZE // 2,
        patch_size=2,
        in_channels=4,
        num_layers=2,
        attention_head_dim=12,
        num_attention_heads=2,
        caption_projection_dim=24,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        out_channels=4,
        pos_embed_max_size=16,
    )
    long = T5EncoderModel(
        T5Config(
            vocab_size=len(others), d_model=32, d_ff=32, d_kv=8, num_layers=1, num_heads=2, is_encoder_decoder=False
        )
    )
    return StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(shift=0.05),
        text_encoder=_clip(words, True),
        tokenizer=words,
        text_encoder_2=_clip(words, True),
        tokenizer_2=words,
        text_encoder_3=long,
        tokenizer_3=others,
    )


def z_image(shift: float = 6.0) -> DiffusionPipeline:
    words = tokenizer("qwen3_vl")
    transformer = ZImageTransformer2DModel(
        in_channels=4,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[4, 6, 6],
        axes_lens=[1024, 64, 64],
    )
    return ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=shift),
        vae=_vae(shift=0.1),
        transformer=transformer,
        text_encoder=_qwen(words, 2, Qwen3Model),
        tokenizer=words,
    )


def sdxl(turbo: bool = False) -> DiffusionPipeline:
    words = build_tokenizer(WORDS, 77)
    unet = _unet(
        32,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        transformer_layers_per_block=1,
        projection_class_embeddings_input_dim=16 + 6 * 4,
        use_linear_projection=True,
    )
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler = (
        EulerAncestralDiscreteScheduler(timestep_spacing="trailing", **betas)
        if turbo
        else EulerDiscreteScheduler(timestep_spacing="leading", **betas)
    )
    return StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=_clip(words, False),
        text_encoder_2=_clip(words, True),
        tokenizer=words,
        tokenizer_2=words,
        unet=unet,
        scheduler=scheduler,
        add_watermarker=False,
    )


def sd(prediction: str = "epsilon") -> DiffusionPipeline:
    words = build_tokenizer(WORDS, 77)
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
        prediction_type=prediction,
    )
    return StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_clip(words, False),
        tokenizer=words,
        unet=_unet(16),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


BUILDERS: dict[str, Callable[[], DiffusionPipeline]] = {
    "flux2-klein": flux2_klein,
    "sd3": sd3,
    "z-image": z_image,
    "sdxl": sdxl,
    "sd": sd,
}


def save(family: str, folder: Path, **more: Any) -> Path:
    """The family's pipeline with random weights, the same each time, in safetensors."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        pipe = BUILDERS[family](**more)
        network = pipe.components.get("transformer") or pipe.components["unet"]
        for name, parameter in network.named_parameters():  # so that words, time and LoRA have an effect
            if parameter.ndim >= 2:
                torch.nn.init.normal_(parameter, std=0.12)
            elif "norm" not in name:
                torch.nn.init.normal_(parameter, std=0.1)
    pipe.save_pretrained(folder)
    return folder
