"""Loading any supported pipeline from a checked folder: safetensors only, no code of the folder, placed as asked."""

import inspect
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import DiffusionPipeline, PipelineQuantizationConfig

from emofeedback.errors import UserError
from emofeedback.generators.pipelines.conditioning import is_out_of_memory
from emofeedback.generators.pipelines.families import Described
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.repository_files import variant_of
from emofeedback.generators.scene.checkpoint_loading import drawing_dtype
from emofeedback.machine.loading import one_at_a_time

logger = logging.getLogger(__name__)

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


class TooLarge(Exception):
    """The memory does not suffice for what was asked."""


def open_pipeline(
    folder: Path,
    described: Described,
    options: PipelineOptions,
    device: str,
    name: str,
    extend: Callable[[DiffusionPipeline], None] | None = None,
) -> DiffusionPipeline:
    """The pipeline of a folder that `check_pipeline_folder` found whole, on its device.

    Args:
        extend: adds parts to the pipeline before it is placed.

    Raises:
        UserError: it cannot be loaded, or this machine cannot do what the options ask for.
        TooLarge: it does not fit the memory.
    """
    options.check(device)
    dtype = DTYPES.get(options.dtype) or drawing_dtype(device)
    if dtype == torch.float16 and device == "cpu":
        raise UserError("A CPU does not draw in float16; set EMOFEEDBACK_DTYPE to bfloat16 or float32.")
    more: dict[str, Any] = {}
    if options.quantisation != "none":
        more["quantization_config"] = quantisation_config(described, options.quantisation, dtype)
    variant = variant_of(folder, described)
    if variant is not None:
        more["variant"] = variant
    try:
        kind = getattr(diffusers, described.family.pipeline)
        with one_at_a_time():
            pipe = kind.from_pretrained(folder, dtype=dtype, use_safetensors=True, local_files_only=True, **more)
        if extend is not None:
            extend(pipe)
        return place(pipe, options, device)
    except Exception as error:
        logger.debug("loading %s failed", folder, exc_info=True)
        if is_out_of_memory(error):
            raise TooLarge(str(error)) from None
        if isinstance(error, (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError, ImportError)):
            what = " ".join(str(error).split())[:200]
            raise UserError(f"{name} cannot be loaded as a generator ({what}); fetch it again.") from error
        raise


def place(pipe: DiffusionPipeline, options: PipelineOptions, device: str) -> DiffusionPipeline:
    """Put the pipeline's parts where the options want them."""
    pipe.set_progress_bar_config(disable=True)
    match options.offload:
        case "model":
            pipe.enable_model_cpu_offload(device=device)
        case "sequential":
            pipe.enable_sequential_cpu_offload(device=device)
        case _:
            pipe.to(device)
    if options.tiling:
        for step in ("enable_tiling", "enable_slicing"):
            if hasattr(pipe.vae, step):
                getattr(pipe.vae, step)()
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False)
    return pipe


def image_to_image(pipe: DiffusionPipeline, described: Described) -> DiffusionPipeline:
    """The family's image-to-image pipeline over the same parts.

    `from_pipe` is not used: it converts all weights to float32 where no number format is given, and refuses those that
    are quantised.
    """
    kind = getattr(diffusers, str(described.family.image_to_image))
    takes = inspect.signature(kind.__init__).parameters
    settings = {key: value for key, value in pipe.config.items() if key in takes and key not in pipe.components}
    parts = {key: value for key, value in pipe.components.items() if key in takes}
    other = kind(**parts, **{k: v for k, v in settings.items() if not k.startswith("_")})
    other.set_progress_bar_config(disable=True)
    return other


def quantisation_config(described: Described, quantisation: str, dtype: torch.dtype) -> PipelineQuantizationConfig:
    """What diffusers is told about the components whose weights are quantised."""
    parts = [part for part in described.family.quantised if part in described.components]
    if quantisation == "bnb-8bit":
        return PipelineQuantizationConfig(
            quant_backend="bitsandbytes_8bit", quant_kwargs={"load_in_8bit": True}, components_to_quantize=parts
        )
    if quantisation == "bnb-4bit":
        kwargs = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": dtype}
        return PipelineQuantizationConfig(
            quant_backend="bitsandbytes_4bit", quant_kwargs=kwargs, components_to_quantize=parts
        )
    from torchao.quantization import (  # optional: needed where it is asked for
        Float8WeightOnlyConfig,
        Int8WeightOnlyConfig,
    )

    weights = Int8WeightOnlyConfig() if quantisation == "ao-int8" else Float8WeightOnlyConfig()
    libraries = {"diffusers": diffusers, "transformers": transformers}
    mapping = {part: libraries[described.components[part][0]].TorchAoConfig(weights) for part in parts}
    return PipelineQuantizationConfig(quant_mapping=mapping)
