"""Loading the pipeline of a checkpoint folder: verified first, from local safetensors only."""

import logging
from pathlib import Path

import torch
from diffusers import StableDiffusion3Pipeline

from emofeedback.errors import UserError
from emofeedback.files.checksums import verify_folder
from emofeedback.machine.loading import one_at_a_time
from emofeedback.machine.progress_bars import without_bars

logger = logging.getLogger(__name__)


def drawing_dtype(device: str) -> torch.dtype:
    """bfloat16 where the hardware multiplies it, else float32."""
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if device == "cpu" and fast else torch.float32


def load_pipeline(folder: Path, dtype: torch.dtype) -> StableDiffusion3Pipeline:
    """The verified pipeline of a checkpoint folder, from local files and safetensors only.

    Raises:
        UserError: the folder is incomplete, damaged or holds pickled weights.
    """
    verify_folder(folder, "model_index.json")
    try:
        with one_at_a_time(), without_bars():
            pipeline = StableDiffusion3Pipeline.from_pretrained(
                folder,
                text_encoder_3=None,
                tokenizer_3=None,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError) as error:
        logger.debug("loading %s failed", folder, exc_info=error)
        raise UserError(f"The generator in {folder} cannot be loaded; fetch the checkpoint again.") from None
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
