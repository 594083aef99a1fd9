"""A LoRA on any supported pipeline: safetensors only, and an error where its layers are another model's."""

import logging
from pathlib import Path

from diffusers import DiffusionPipeline
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError, safe_open
from torch import nn

from emofeedback.errors import UserError
from emofeedback.generators.lora import LORA_NAME, LORA_WEIGHTS
from emofeedback.generators.pipelines.families import Described
from emofeedback.generators.pipelines.repository_files import PICKLED

logger = logging.getLogger(__name__)


def apply_lora(pipe: DiffusionPipeline, described: Described, path: Path, scale: float) -> None:
    """Load the LoRA at `path` (a folder or a .safetensors file) at `scale`; one loaded before goes.

    Raises:
        UserError: it is missing, damaged, pickled, or was made for another model.
    """
    file = lora_file(path)
    network = getattr(pipe, described.family.network)
    _check_layers(network, described.family.network, file)
    try:
        pipe.unload_lora_weights()
        pipe.load_lora_weights(str(file.parent), weight_name=file.name, adapter_name=LORA_NAME)
        if not _is_applied(pipe):
            raise ValueError("no layer takes it")
        pipe.set_adapters([LORA_NAME], [scale])
    except (ValueError, RuntimeError, KeyError, OSError, AttributeError, TypeError, IndexError) as error:
        logger.debug("loading %s failed", file, exc_info=True)
        pipe.unload_lora_weights()
        raise UserError(f"The adapter {path} does not fit {described.family.title}; give one made for it.") from error
    for part in pipe.components.values():
        if isinstance(part, nn.Module):
            part.requires_grad_(False)


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


def _is_applied(pipe: DiffusionPipeline) -> bool:
    """Whether any layer of the pipeline carries the LoRA."""
    parts = [part for part in pipe.components.values() if isinstance(part, nn.Module)]
    layers = (layer for part in parts for layer in part.modules() if isinstance(layer, BaseTunerLayer))
    return any(LORA_NAME in layer.active_adapters for layer in layers)
