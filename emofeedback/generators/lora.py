"""A LoRA on any pipeline: all of the file is used and nothing else, or it is refused."""

import copy
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import DiffusionPipeline
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.generators.lora_file import read_lora

logger = logging.getLogger(__name__)
LORA_NAME = "loaded"
FAILURES = (ValueError, RuntimeError, KeyError, OSError, AttributeError, TypeError, IndexError)
"""What diffusers and peft raise on a LoRA that they cannot take."""


def load_lora(pipeline: DiffusionPipeline, path: Path, scale: float, network: str = "transformer") -> None:
    """Load the LoRA at `path` (a folder or a .safetensors file) at `scale`.

    The one loaded before goes, also where this one is refused.

    Args:
        network: the component that predicts, transformer or unet.

    Raises:
        UserError: it is missing, damaged, pickled, or was made for another model.
    """
    pipeline.unload_lora_weights()
    tensors = read_lora(pipeline, network, path)
    try:
        pipeline.load_lora_weights(tensors, adapter_name=LORA_NAME)
        for part in {key.partition(".")[0] for key in tensors}:
            _check_filled(getattr(pipeline, part), LORA_NAME, _of_part(tensors, part))
        pipeline.set_adapters([LORA_NAME], [scale])
    except FAILURES as error:
        logger.debug("loading %s failed", path, exc_info=error)
        pipeline.unload_lora_weights()
        raise UserError(f"The adapter {path} does not fit this generator; give one that was made for it.") from None
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False)


def _of_part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{part}."): value for key, value in tensors.items() if key.startswith(f"{part}.")}


def _check_filled(model: nn.Module, adapter: str, tensors: Mapping[str, Tensor]) -> None:
    """Every matrix of the adapter on the model comes from the file, and every one of the file is on the model.

    What diffusers cannot place it leaves out with a warning, and peft leaves memory as it was.

    Raises:
        ValueError: that is not so.
    """
    left = dict(tensors)
    for key, layer in _layers(model).items():
        for half in ("lora_A", "lora_B"):
            matrices = getattr(layer, half, {})
            if adapter not in matrices:
                continue
            weight, given = matrices[adapter].weight, left.pop(f"{key}.{half}.weight", None)
            if given is None:
                raise ValueError(f"{key} is not in the file")
            # one that was sent off the device holds no values to compare
            if not weight.is_meta and not torch.equal(weight, given.to(weight.device, weight.dtype)):
                raise ValueError(f"{key} was not filled from the file")
    if left:
        raise ValueError(f"{next(iter(left))} is not used")


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
    tensors = _of_part(read_lora(pipeline, "transformer", path), "transformer")
    with torch.inference_mode(False):
        transformer = copy.deepcopy(pipeline.transformer).float()
        for key, layer in _layers(transformer).items():
            if not layer.disable_adapters:
                layer.merge(adapter_names=[a for a in layer.active_adapters if a in layer.lora_A])
            transformer.set_submodule(key, layer.get_base_layer())
        for attribute in ("peft_config", "_hf_peft_config_loaded"):
            transformer.__dict__.pop(attribute, None)
        try:
            transformer.load_lora_adapter(dict(tensors), prefix=None, adapter_name=name)
            _check_filled(transformer, name, tensors)
        except FAILURES as error:
            logger.debug("loading %s failed", path, exc_info=error)
            raise UserError(f"The adapter {path} does not fit this generator; give one that was made for it.") from None
        for key, layer in _layers(transformer).items():
            layer.merge()
            transformer.set_submodule(key, layer.get_base_layer())
        return transformer.to(pipeline.transformer.dtype).requires_grad_(False).eval()


def _layers(transformer: nn.Module) -> dict[str, BaseTunerLayer]:
    return {key: module for key, module in transformer.named_modules() if isinstance(module, BaseTunerLayer)}
