"""A small network as a folder: what it is built from as JSON, its weights as safetensors; each file appears whole."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from emofeedback.errors import UserError

CONFIG, WEIGHTS = "config.json", "model.safetensors"
Module = TypeVar("Module", bound=nn.Module)


def save_module(
    module: nn.Module, config: Mapping[str, Any], folder: Path, names: tuple[str, str] = (CONFIG, WEIGHTS)
) -> None:
    """Write a network's configuration and weights.

    Args:
        config: of plain values; `names`: of the two files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().cpu().contiguous() for k, v in module.state_dict().items()}, folder / ".weights.new")
    (folder / ".config.new").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    os.replace(folder / ".config.new", folder / names[0])
    os.replace(folder / ".weights.new", folder / names[1])


def load_module(make: Callable[[Any], Module], folder: Path, what: str, dtype: torch.dtype = torch.float32) -> Module:
    """Load what `save_module` wrote, ready to be used; only safetensors are read.

    Args:
        make: builds the network from its configuration.
        what: it is, for what is said to users: "emotion adapter".

    Raises:
        UserError: a file is missing, damaged, or of another shape than its configuration.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UserError(f"{folder} holds no {what} ({name} is missing); only safetensors are read.")
    try:
        module = make(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        module.load_state_dict(load_file(folder / WEIGHTS))
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, SafetensorError, OSError):
        raise UserError(f"The {what} in {folder} is damaged; fetch it again.") from None
    return module.to(dtype).eval()
