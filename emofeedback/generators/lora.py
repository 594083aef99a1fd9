"""A LoRA in diffusers' format on any pipeline: safetensors only, and an error where its layers are another model's."""

import copy
import logging
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError, safe_open
from torch import nn

from emofeedback.errors import UserError
from emofeedback.files.checksums import PICKLED

logger = logging.getLogger(__name__)
LORA_WEIGHTS = "pytorch_lora_weights.safetensors"
LORA_NAME = "loaded"


def load_lora(pipeline: DiffusionPipeline, path: Path, scale: float, network: str = "transformer") -> None:
    """Load the LoRA at `path` (a folder or a .safetensors file) at `scale`.

    The one loaded before goes, also where this one is refused.

    Args:
        network: the component that predicts, transformer or unet.

    Raises:
        UserError: it is missing, damaged, pickled, or was made for another model.
    """
    pipeline.unload_lora_weights()
    file = lora_file(path)
    _check_layers(getattr(pipeline, network), network, file)
    try:
        pipeline.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=LORA_NAME)
        if not _is_applied(pipeline):
            raise ValueError("no layer takes it")
        pipeline.set_adapters([LORA_NAME], [scale])
    except (ValueError, RuntimeError, KeyError, OSError, AttributeError, TypeError, IndexError) as error:
        logger.debug("loading %s failed", file, exc_info=error)
        pipeline.unload_lora_weights()
        raise UserError(f"The adapter {path} does not fit this generator; give one that was made for it.") from None
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False)


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
    file = lora_file(path)
    _check_layers(pipeline.transformer, "transformer", file)
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


def lora_file(path: Path) -> Path:
    """The weights of the LoRA at a folder or file.

    Raises:
        UserError: there are none, or they are pickled.
    """
    if path.is_dir():
        tensors = sorted(path.glob("*.safetensors"))
        file = path / LORA_WEIGHTS
        if not file.is_file() and len(tensors) == 1:
            file = tensors[0]
        if not file.is_file() and any(other.suffix in PICKLED for other in path.iterdir()):
            raise UserError(f"The adapter in {path} is pickled, which may hold code, and is refused; give safetensors.")
    else:
        file = path
        if file.suffix in PICKLED:
            raise UserError(f"The adapter {path} is pickled, which may hold code, and is refused; give safetensors.")
    if not file.is_file() or file.suffix != ".safetensors":
        raise UserError(f"There is no adapter at {path}; give a folder that holds {LORA_WEIGHTS}.")
    return file


def _check_layers(network: nn.Module, name: str, file: Path) -> None:
    """diffusers skips layers that it does not find; here they are an error. Other spellings are left to it."""
    try:
        with safe_open(file, framework="np") as stream:
            keys = list(stream.keys())
    except (SafetensorError, OSError):
        raise UserError(f"{file} is damaged or cut short; fetch the adapter again.") from None
    own = ("transformer.", "unet.", "text_encoder")
    if not keys or not all(key.startswith(own) for key in keys):
        return
    known = {module.replace(".base_layer", "") for module, _ in network.named_modules()}
    # a kept name ends where the LoRA's own parts begin
    layers = {
        key.removeprefix(f"{name}.").split(".lora")[0] for key in keys if key.startswith(("transformer.", "unet."))
    }
    if not layers <= known:
        raise UserError(f"The adapter {file} was made for another model; give one that was made for this generator.")


def _is_applied(pipeline: DiffusionPipeline) -> bool:
    """Whether any layer of the pipeline carries the LoRA."""
    parts = [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
    layers = (layer for part in parts for layer in part.modules() if isinstance(layer, BaseTunerLayer))
    return any(LORA_NAME in layer.active_adapters for layer in layers)
