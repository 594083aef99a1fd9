"""A LoRA's file: the ways in which trainers spell its keys become one; what does not fit is refused by name.

Known are the spellings of diffusers, of peft (with or without an adapter's name in the key, and with the settings of
adapter_config.json beside the file), of kohya's scripts, and what diffusers itself converts for a family. Strengths
that a file carries (alpha) are multiplied into the second matrix, so that scale 1 is what was trained.
"""

import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from peft.utils.other import get_pattern_key
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.files.checksums import CHECKSUMS, PICKLED, verify_folder
from emofeedback.files.read_bounded import read_bounded
from emofeedback.text import short

logger = logging.getLogger(__name__)
LORA_WEIGHTS = "pytorch_lora_weights.safetensors"
PEFT_CONFIG, HEADER_CONFIG = "adapter_config.json", "lora_adapter_metadata"
MAX_CONFIG = 2**20

_KEY = re.compile(
    r"(?P<module>.+?)[._](?:lora(?:_linear_layer)?[._](?P<part>A|B|down|up)(?:\.(?P<name>[^.]+))?\.weight|alpha)"
)
"""One tensor of a layer: `MODULE.lora_A.weight`, `.lora_A.NAME.weight`, `.lora_down.weight`, `.lora.up.weight`,
`.lora_linear_layer.down.weight`, `MODULE.alpha`."""
_PLACES = {
    "lora_transformer_": "",
    "lora_unet_": "",
    "diffusion_model.": "",
    "model.diffusion_model.": "",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
}
"""What stands before the module's name: the part that it belongs to; "" = the one that predicts."""


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
        if not file.is_file() and any(other.suffix.lower() in PICKLED for other in path.iterdir()):
            raise UserError(f"The adapter in {path} is pickled, which may hold code, and is refused; give safetensors.")
    else:
        file = path
        if file.suffix.lower() in PICKLED:
            raise UserError(f"The adapter {path} is pickled, which may hold code, and is refused; give safetensors.")
    if not file.is_file() or file.suffix != ".safetensors":
        raise UserError(f"There is no adapter at {path}; give a folder that holds {LORA_WEIGHTS}.")
    return file


def read_lora(pipeline: DiffusionPipeline, network: str, path: Path) -> dict[str, Tensor]:
    """The tensors of a LoRA by `PART.MODULE.lora_A.weight` and `PART.MODULE.lora_B.weight`, to be applied at scale 1.

    Args:
        network: the component that predicts, transformer or unet.
        path: a folder or a .safetensors file.

    Raises:
        UserError: missing, damaged, pickled, no LoRA, incomplete, not finite, or of another model; the first key that
            does not fit is named.
    """
    file = lora_file(path)
    if (file.parent / CHECKSUMS).is_file():
        verify_folder(file.parent, file.name)
    tensors, header = _content(file)
    for key, tensor in tensors.items():
        if not bool(torch.isfinite(tensor.float()).all()):
            raise UserError(f"{file} holds values that are not finite, in {short(key)!r}; take an earlier save of it.")
    layers = _Layers(pipeline, network)
    found, odd = layers.sorted_in(tensors)
    if odd is not None:
        found, still = layers.sorted_in(_converted(pipeline, network, tensors) or tensors)
        if still is not None:
            raise UserError(
                f"The adapter {file} was made for another model: {short(odd)!r} fits no layer here; give one that was "
                "made for this generator."
            )
    if not found:
        raise UserError(f"The adapter {file} holds no layer; give a LoRA that was made for this generator.")
    strength = _strength(file, header)
    return {key: tensor for layer in found.values() for key, tensor in layer.named(file, strength, layers)}


@dataclass
class _Layer:
    """What a file holds of one layer; the names are those of the file."""

    part: str
    module: str
    tensors: dict[str, Tensor]  # by "A", "B", "alpha"

    def named(self, file: Path, strength: "_Strength", layers: "_Layers") -> Iterator[tuple[str, Tensor]]:
        """Both matrices by their keys.

        Raises:
            UserError: one is missing, or they do not fit each other or the layer.
        """
        name = f"{self.part}.{self.module}"
        for half in ("A", "B"):
            if half not in self.tensors:
                raise UserError(f"The adapter {file} is not whole: {short(name)!r} has no lora_{half}; save it again.")
        first, second = self.tensors["A"], self.tensors["B"]
        rank = second.shape[1] if second.ndim > 1 else 0
        wanted = layers.shape(self.part, self.module)
        if rank == 0 or first.ndim < 2 or first.shape[0] != rank or (second.shape[0], first.shape[1]) != wanted:
            shapes = f"{list(second.shape)} x {list(first.shape)}"
            raise UserError(
                f"The adapter {file} does not fit: its {short(name)!r} has the shape {shapes}, and the layer here "
                f"{wanted[0]} x {wanted[1]}; give one that was made for this generator."
            )
        alpha = self.tensors.get("alpha")
        factor = strength.of(self.module, rank) if alpha is None else float(alpha.flatten()[0]) / rank
        yield f"{name}.lora_A.weight", first
        yield f"{name}.lora_B.weight", second if factor == 1 else (second.float() * factor).to(second.dtype)


class _Layers:
    """The layers of a pipeline that can take a LoRA, by the names that files call them."""

    def __init__(self, pipeline: DiffusionPipeline, network: str) -> None:
        parts = [network, *(part for part in ("text_encoder", "text_encoder_2") if _takes(pipeline, part))]
        self.network = network
        self._modules: dict[str, dict[str, nn.Module]] = {}
        self._names: dict[str, dict[str, str]] = {}  # without dots: dotted
        for part in parts:
            component = getattr(pipeline, part)
            known = {key.replace(".base_layer", ""): module for key, module in component.named_modules()}
            self._modules[part] = known
            self._names[part] = {key.replace(".", "_"): key for key in known}

    def sorted_in(self, tensors: Mapping[str, Tensor]) -> tuple[dict[tuple[str, str], _Layer], str | None]:
        """The file's tensors by layer, and the first key that fits none."""
        found: dict[tuple[str, str], _Layer] = {}
        for key, tensor in tensors.items():
            match = _KEY.fullmatch(key)
            place = None if match is None else self._place(match["module"])
            if match is None or place is None:
                return {}, key
            half = {"A": "A", "down": "A", "B": "B", "up": "B", None: "alpha"}[match["part"]]
            layer = found.setdefault(place, _Layer(*place, {}))
            if half in layer.tensors or (half == "alpha" and tensor.numel() != 1):
                return {}, key
            layer.tensors[half] = tensor
        return found, None

    def _place(self, name: str) -> tuple[str, str] | None:
        """Part and dotted name of a module; None where the pipeline has none of that name."""
        name = name.removeprefix("base_model.model.")
        places = [(part, name.removeprefix(f"{part}.")) for part in self._modules if name.startswith(f"{part}.")]
        places += [(part or self.network, name.removeprefix(p)) for p, part in _PLACES.items() if name.startswith(p)]
        places.append((self.network, name))
        for part, rest in places:
            if part not in self._modules:
                continue
            rest = rest.removeprefix("base_model.model.").replace(".processor.", ".")
            for spelled in (rest, f"{rest}.0"):  # the attention processors of old say to_out for to_out.0
                dotted = spelled if spelled in self._modules[part] else self._names[part].get(spelled, "")
                if dotted and self.shape(part, dotted) != (0, 0):
                    return part, dotted
        return None

    def shape(self, part: str, module: str) -> tuple[int, int]:
        """Outputs and inputs of a layer; (0, 0) = it takes no LoRA."""
        layer: Any = self._modules[part][module]
        layer = getattr(layer, "base_layer", layer)
        if isinstance(layer, nn.Linear) or "Linear" in type(layer).__name__:  # those of fewer bits too
            return int(layer.out_features), int(layer.in_features)
        if isinstance(layer, nn.Conv2d) and layer.groups == 1:
            return layer.out_channels, layer.in_channels
        return 0, 0


@dataclass(frozen=True)
class _Strength:
    """alpha and how it is divided, from a configuration; None = alpha is the rank."""

    values: Mapping[str, Any]

    def of(self, module: str, rank: int) -> float:
        patterns = self.values.get("alpha_pattern") or {}
        alpha = patterns.get(get_pattern_key(patterns.keys(), module), self.values.get("lora_alpha"))
        if alpha is None:
            return 1.0
        return float(alpha) / (math.sqrt(rank) if self.values.get("use_rslora") else rank)


def _strength(file: Path, header: Mapping[str, str]) -> _Strength:
    """The configuration in the file's header, as diffusers writes it, or beside it, as peft does.

    Raises:
        UserError: it asks for what cannot be done here, or is damaged.
    """
    beside = file.parent / PEFT_CONFIG
    try:
        if HEADER_CONFIG in header:
            given = json.loads(header[HEADER_CONFIG])
            values = {key.partition(".")[2]: value for key, value in given.items() if not key.startswith("text_enc")}
        elif beside.is_file():
            values = json.loads(read_bounded(beside, MAX_CONFIG).decode("utf-8"))
        else:
            return _Strength({})
        found = _Strength(dict(values))
        if not math.isfinite(found.of("", 1)):
            raise ValueError("alpha")
    except (ValueError, TypeError, AttributeError, OSError, RecursionError, OverflowError):
        raise UserError(f"The configuration of the adapter {file} is damaged; fetch it again.") from None
    if found.values.get("use_dora"):
        raise UserError(f"The adapter {file} is a DoRA, which is not taken here; give a plain LoRA.")
    return found


def _content(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors by key, and what the header says besides.

    Raises:
        UserError: it is damaged, or something else than safetensors.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(64)
        if head.startswith(b"version https://git-lfs"):
            raise UserError(f"{file} is a pointer of Git LFS and no weights; fetch the file itself (`git lfs pull`).")
        if head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")) and head[8:9] != b"{":
            raise UserError(f"The adapter {file} is pickled, which may hold code, and is refused; give safetensors.")
        with safe_open(file, framework="pt") as opened:
            keys = list(opened.keys())
            return {key: opened.get_tensor(key) for key in keys}, opened.metadata() or {}
    except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError):
        raise UserError(f"{file} is damaged or cut short; fetch the adapter again.") from None


def _converted(pipeline: DiffusionPipeline, network: str, tensors: dict[str, Tensor]) -> dict[str, Tensor] | None:
    """The tensors as diffusers spells them, where it knows the spelling."""
    more = {"unet_config": pipeline.unet.config} if network == "unet" else {}
    try:
        found = pipeline.lora_state_dict(dict(tensors), **more)
    except Exception as error:  # its converters raise whatever the odd keys lead to
        logger.debug("diffusers cannot convert the adapter", exc_info=error)
        return None
    state, alphas = (found[0], found[1] or {}) if isinstance(found, tuple) else (found, {})
    if state.keys() < tensors.keys():
        return None  # some were left out
    return {**state, **{key: torch.tensor(float(value)) for key, value in alphas.items()}}


def _takes(pipeline: DiffusionPipeline, part: str) -> bool:
    return part in pipeline._lora_loadable_modules and isinstance(getattr(pipeline, part, None), nn.Module)
