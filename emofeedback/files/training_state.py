"""Resumable training state in one safetensors file: tensors as tensors, everything else as JSON in its header.

One file is replaced in one step: a run that is killed while writing keeps the state before.
No pickle is written or read.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.files.unfinished import unfinished, writing


def _pack(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[path] = value.detach().cpu().contiguous().clone()
        return {"$": "tensor", "at": path}
    if isinstance(value, dict):
        return {"$": "dict", "items": [[k, _pack(v, f"{path}/{k}", tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        items = [_pack(v, f"{path}/{i}", tensors) for i, v in enumerate(value)]
        return {"$": "tuple", "items": items} if isinstance(value, tuple) else items
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"training state may not hold a {type(value).__name__} (at {path or 'the top'})")


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(v, tensors) for v in value]
    if isinstance(value, dict):
        if value["$"] == "tensor":
            return tensors[value["at"]]
        if value["$"] == "dict":
            return {k: _unpack(v, tensors) for k, v in value["items"]}
        return tuple(_unpack(v, tensors) for v in value["items"])
    return value


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a tree of dicts, lists, tuples, tensors and JSON scalars; the file appears whole or not at all.

    Raises:
        TypeError: the tree holds something else.
        UserError: the disk is full or the folder cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    tree = _pack(state, "", tensors)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(path) as temporary:
        save_file(tensors or {"": torch.zeros(0)}, temporary, metadata={"tree": json.dumps(tree)})
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())


def load_state(path: Path) -> dict[str, Any]:
    """The tree that `save_state` wrote, on the CPU.

    Raises:
        UserError: the file is missing or damaged.
    """
    if not path.is_file():
        raise UserError(f"There is no training state at {path} to resume; start without --resume.")
    try:
        with safe_open(path, framework="pt") as stream:
            tree = json.loads(stream.metadata()["tree"])
            tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
        return _unpack(tree, tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        raise UserError(f"The training state {path} is damaged; delete it and start without --resume.") from None
