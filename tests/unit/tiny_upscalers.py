"""Real super-resolution models at tiny random size, saved as repositories lay them out."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DDPMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    StableDiffusionLatentUpscalePipeline,
    StableDiffusionUpscalePipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    Swin2SRConfig,
    Swin2SRForImageSuperResolution,
    Swin2SRImageProcessor,
)

from emofeedback.training.generator.networks import build_tokenizer

KINDS = {"diffusion": 4, "latent": 2, "transformer": 3}
"""Name -> times that the side grows."""
TEXT = 32


def _text() -> tuple[object, CLIPTextModel]:
    words = build_tokenizer(("a", "cat"), 77)
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=TEXT,
        intermediate_size=37,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=77,
        eos_token_id=words.eos_token_id,
        bos_token_id=words.bos_token_id,
        pad_token_id=words.pad_token_id,
    )
    return words, CLIPTextModel(config)


def _vae(blocks: int) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8,) * blocks,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
    )


def diffusion() -> DiffusionPipeline:
    words, text = _text()
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        in_channels=7,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=TEXT,
        attention_head_dim=8,
        num_class_embeds=100,
    )
    return StableDiffusionUpscalePipeline(
        vae=_vae(3),
        text_encoder=text,
        tokenizer=words,
        unet=unet,
        low_res_scheduler=DDPMScheduler(),
        scheduler=DDIMScheduler(prediction_type="v_prediction"),
    )


def latent() -> DiffusionPipeline:
    words, text = _text()
    unet = UNet2DConditionModel(
        act_fn="gelu",
        attention_head_dim=8,
        norm_num_groups=None,
        block_out_channels=(32, 32, 64, 64),
        time_cond_proj_dim=128 + TEXT,
        conv_in_kernel=1,
        conv_out_kernel=1,
        cross_attention_dim=TEXT,
        down_block_types=("KDownBlock2D", *("KCrossAttnDownBlock2D",) * 3),
        in_channels=8,
        layers_per_block=1,
        mid_block_type=None,
        only_cross_attention=False,
        out_channels=5,
        resnet_time_scale_shift="scale_shift",
        time_embedding_type="fourier",
        timestep_post_act="gelu",
        up_block_types=(*("KCrossAttnUpBlock2D",) * 3, "KUpBlock2D"),
    )
    return StableDiffusionLatentUpscalePipeline(
        vae=_vae(4),
        text_encoder=text,
        tokenizer=words,
        unet=unet,
        scheduler=EulerDiscreteScheduler(prediction_type="sample"),
    )


def save(kind: str, folder: Path) -> Path:
    """Write one of KINDS."""
    torch.manual_seed(0)
    if kind == "transformer":
        config = Swin2SRConfig(
            image_size=64, embed_dim=16, depths=(1,), num_heads=(2,), window_size=8, mlp_ratio=1.0, upscale=KINDS[kind]
        )
        Swin2SRForImageSuperResolution(config).save_pretrained(folder)
        Swin2SRImageProcessor().save_pretrained(folder)
    else:
        (diffusion() if kind == "diffusion" else latent()).save_pretrained(folder, safe_serialization=True)
    return folder
