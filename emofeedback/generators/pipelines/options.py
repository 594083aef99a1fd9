"""How a full-size pipeline is placed on this machine: number format, offload, quantisation, tiling."""

from dataclasses import dataclass, replace
from importlib.util import find_spec

from emofeedback.errors import UserError
from emofeedback.settings import Settings


@dataclass(frozen=True, slots=True)
class Quantisation:
    """One way to keep weights in fewer bits; `package` must be installed for it."""

    package: str
    bytes: float  # of one weight, its scales included
    text: str


QUANTISATIONS = {
    "bnb-8bit": Quantisation("bitsandbytes", 1.0, "LLM.int8"),
    "bnb-4bit": Quantisation("bitsandbytes", 0.56, "4-bit NormalFloat"),
    "ao-int8": Quantisation("torchao", 1.0, "8-bit integer weights"),
    "ao-float8": Quantisation("torchao", 1.0, "8-bit float weights"),
}


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """What a person sets about a full-size generator.

    Args:
        dtype: auto, bfloat16, float16 or float32.
        offload: none, model (one part at a time on the GPU) or sequential (one layer at a time).
        quantisation: none or a key of QUANTISATIONS.
        tiling: decode pictures in tiles.
        cheaper: fall to the next cheaper setting when the memory does not suffice.
        size: side of the pictures in pixels; None = the model's own.
        batch: pictures drawn at once.
    """

    dtype: str = "auto"
    offload: str = "none"
    quantisation: str = "none"
    tiling: bool = False
    cheaper: bool = False
    size: int | None = None
    batch: int = 4

    @classmethod
    def of(cls, settings: Settings) -> "PipelineOptions":
        """The options that settings ask for."""
        return cls(
            settings.dtype, settings.offload, settings.quantisation, settings.tiling, settings.cheaper, settings.size
        )

    def check(self, device: str) -> None:
        """Raises UserError where this machine cannot do what is asked."""
        if self.offload != "none" and not device.startswith(("cuda", "xpu", "mps")):
            raise UserError(
                f"Offload moves weights off a GPU and the device is {device}; set EMOFEEDBACK_OFFLOAD=none."
            )
        if self.quantisation != "none":
            package = QUANTISATIONS[self.quantisation].package
            if package == "bitsandbytes" and not device.startswith(("cuda", "xpu")):
                raise UserError(
                    f"{self.quantisation} needs a GPU and the device is {device}; set EMOFEEDBACK_QUANTISATION=ao-int8."
                )
            if find_spec(package) is None:
                raise UserError(f"{self.quantisation} needs {package}; run `pip install {package}`.")
        if self.quantisation.startswith("bnb") and self.offload == "sequential":
            raise UserError("bitsandbytes does not go with sequential offload; set EMOFEEDBACK_OFFLOAD=model.")

    def next_cheaper(self, device: str) -> "PipelineOptions | None":
        """The next setting that needs less memory; None when there is none."""
        if not self.tiling:
            return replace(self, tiling=True)
        if not device.startswith("cuda"):
            # on a CPU 16 bits are the only other thing that saves memory
            return replace(self, dtype="bfloat16") if self.dtype in ("float32",) else None
        if self.offload == "none":
            return replace(self, offload="model")
        if find_spec("bitsandbytes") is not None and self.offload == "model":
            if self.quantisation == "none":
                return replace(self, quantisation="bnb-8bit")
            if self.quantisation == "bnb-8bit":
                return replace(self, quantisation="bnb-4bit")
        if self.quantisation == "none" and self.offload == "model":
            return replace(self, offload="sequential")
        return None

    def text(self) -> str:
        """The settings in words."""
        parts = [] if self.dtype == "auto" else [self.dtype]
        parts += [] if self.offload == "none" else [f"{self.offload} offload"]
        parts += [] if self.quantisation == "none" else [QUANTISATIONS[self.quantisation].text]
        parts += ["decoding in tiles"] if self.tiling else []
        return ", ".join(parts) or "all weights on the device"
