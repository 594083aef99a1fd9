"""Loading a LoRA in diffusers' format onto a pipeline, checked before anything of it is used."""

import copy
import logging
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError, safe_open
from torch import nn

from emofeedback.errors import UserError

logger = logging.getLogger(__name__)
LORA_WEIGHTS = "pytorch_lora_weights.safetensors"
LORA_NAME, PREFIX = "loaded", "transformer."


def load_lora(pipeline: DiffusionPipeline, path: Path, scale: float) -> None:
    """Load the LoRA at `path` (a folder or a .safetensors file) at `scale`; one loaded before goes.

    Raises:
        UserError: it is missing, damaged, or its layers are not those of the pipeline's transformer.
    """
    file = _weights(pipeline, path)
    try:
        pipeline.unload_lora_weights()
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=LORA_NAME)
        pipeline.set_adapters([LORA_NAME], [scale])
    except (ValueError, RuntimeError, KeyError, OSError, AttributeError, TypeError) as error:
        logger.debug("loading %s failed", file, exc_info=error)
        pipeline.unload_lora_weights()
        raise UserError(f"The adapter {path} does not fit this generator; give one that was made for it.") from None
    pipeline.transformer.requires_grad_(False)


def lora_state(transformer: nn.Module) -> tuple[object, ...]:
    """What the LoRAs in use on a transformer add to it: equal as long as nothing of it was changed."""
    found: list[object] = []
    for key, layer in transformer.named_modules():
        if isinstance(layer, BaseTunerLayer) and not layer.disable_adapters:
            for name in layer.active_adapters:
                if name in layer.lora_A:
                    pair = layer.lora_A[name].weight, layer.lora_B[name].weight
                    found.append((key, name, layer.scaling[name], *((p.data_ptr(), p._version) for p in pair)))
    return tuple(found)


@torch.no_grad()
def merged(pipeline: DiffusionPipeline, path: Path, name: str) -> nn.Module:
    """A copy of the pipeline's transformer with the LoRA at `path`, and those in use, added to its weights.

    The sum is taken in float32 and rounded once. A LoRA that is kept apart costs two more products for each layer,
    which at this size is half of a forward pass.

    Raises:
        UserError: it is missing, damaged, or its layers are not those of the pipeline's transformer.
    """
    file = _weights(pipeline, path)
    with torch.inference_mode(False):
        transformer = copy.deepcopy(pipeline.transformer).float()
        for key, layer in _layers(transformer).items():
            if not layer.disable_adapters:
                layer.merge(adapter_names=[a for a in layer.active_adapters if a in layer.lora_A])
            transformer.set_submodule(key, layer.get_base_layer())
        for attribute in ("peft_config", "_hf_peft_config_loaded"):
            transformer.__dict__.pop(attribute, None)
        try:
            transformer.load_lora_adapter(
                str(file.parent), weight_name=file.name, adapter_name=name, local_files_only=True
            )
        except (ValueError, RuntimeError, KeyError, OSError, AttributeError, TypeError) as error:
            logger.debug("loading %s failed", file, exc_info=error)
            raise UserError(f"The adapter {path} does not fit this generator; give one that was made for it.") from None
        for key, layer in _layers(transformer).items():
            layer.merge()
            transformer.set_submodule(key, layer.get_base_layer())
        return transformer.to(pipeline.transformer.dtype).requires_grad_(False).eval()


def _layers(transformer: nn.Module) -> dict[str, BaseTunerLayer]:
    return {key: module for key, module in transformer.named_modules() if isinstance(module, BaseTunerLayer)}


def _weights(pipeline: DiffusionPipeline, path: Path) -> Path:
    """The file of the LoRA at `path`, checked."""
    file = path / LORA_WEIGHTS if path.is_dir() else path
    if not file.is_file() or file.suffix != ".safetensors":
        raise UserError(f"There is no adapter at {path}; give a folder that holds {LORA_WEIGHTS}.")
    _check_layers(pipeline, file)
    return file


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
