"""Loading a LoRA in diffusers' format onto a pipeline, checked before anything of it is used."""

import logging
from pathlib import Path

from diffusers import DiffusionPipeline
from safetensors import SafetensorError, safe_open

from emofeedback.errors import UserError

logger = logging.getLogger(__name__)
LORA_WEIGHTS = "pytorch_lora_weights.safetensors"
LORA_NAME, PREFIX = "loaded", "transformer."


def load_lora(pipeline: DiffusionPipeline, path: Path, scale: float) -> None:
    """Load the LoRA at `path` (a folder or a .safetensors file) at `scale`; one loaded before goes.

    Raises:
        UserError: it is missing, damaged, or its layers are not those of the pipeline's transformer.
    """
    file = path / LORA_WEIGHTS if path.is_dir() else path
    if not file.is_file() or file.suffix != ".safetensors":
        raise UserError(f"There is no adapter at {path}; give a folder that holds {LORA_WEIGHTS}.")
    _check_layers(pipeline, file)
    try:
        pipeline.unload_lora_weights()
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=LORA_NAME)
        pipeline.set_adapters([LORA_NAME], [scale])
    except (ValueError, RuntimeError, KeyError, OSError, AttributeError, TypeError) as error:
        logger.debug("loading %s failed", file, exc_info=error)
        pipeline.unload_lora_weights()
        raise UserError(f"The adapter {path} does not fit this generator; give one that was made for it.") from None
    pipeline.transformer.requires_grad_(False)


def _check_layers(pipeline: DiffusionPipeline, file: Path) -> None:
    """diffusers skips layers that it does not find; here they are an error."""
    try:
        with safe_open(file, framework="pt") as stream:
            keys = list(stream.keys())
    except (SafetensorError, OSError):
        raise UserError(f"{file} is damaged or cut short; fetch the adapter again.") from None
    # an adapter that is loaded already hides each layer's own weight behind base_layer
    known = {name.replace(".base_layer", "") for name, _ in pipeline.transformer.named_modules()}
    named = {key.removeprefix(PREFIX).split(".lora")[0] for key in keys if key.startswith(PREFIX) and ".lora" in key}
    if not named or not named <= known:
        raise UserError(f"The adapter {file} was made for another model; give one that was made for this generator.")
