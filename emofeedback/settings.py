"""Settings of one process: which models, on what, where files go. Read once from EMOFEEDBACK_* and the flags."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emofeedback.errors import UserError

PREFIX = "EMOFEEDBACK_"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `build` needs, and where results are written."""

    generator: str = "bundled"  # or a folder in diffusers format
    judge: str = "bundled"  # or a folder in transformers format
    rater: str = "bundled"  # the second rater: evaluates only
    adapter: str | None = None  # PATH[:SCALE] of a LoRA on the generator
    device: str = "auto"  # auto, cpu, cuda, cuda:N, mps
    seed: int = 0
    threads: int | None = None  # of one operation on the CPU; None = as many as there are cores
    out: Path | None = None  # None = a new folder below ./emofeedback-out
    checkpoints: Path | None = None  # None = beside the package

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= 2**53:
            raise UserError(f"seed must be a whole number from 0 to {2**53}, not {self.seed}.")
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise UserError(f"threads must be a whole number from 1 to 1024, not {self.threads}.")
        kind = self.device.split(":", 1)[0]
        if kind not in ("auto", "cpu", "cuda", "mps", "xpu"):
            raise UserError(f"Unknown device {self.device!r}; known are auto, cpu, cuda, cuda:N, mps, xpu.")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Settings from EMOFEEDBACK_GENERATOR, _JUDGE, _RATER, _ADAPTER, _DEVICE, _SEED, _THREADS, _OUT, _CHECKPOINTS.

        Raises:
            UserError: a value cannot be read.
        """
        given = {name: environ.get(PREFIX + name.upper(), "").strip() for name in cls.__slots__}
        return cls(
            generator=given["generator"] or "bundled",
            judge=given["judge"] or "bundled",
            rater=given["rater"] or "bundled",
            adapter=given["adapter"] or None,
            device=given["device"] or "auto",
            seed=_whole("seed", given["seed"]) or 0,
            threads=_whole("threads", given["threads"]),
            out=Path(given["out"]) if given["out"] else None,
            checkpoints=Path(given["checkpoints"]) if given["checkpoints"] else None,
        )


def checkpoint_folder(settings: Settings, name: str) -> Path:
    """Where a bundled checkpoint lies: `scene-generator`, `scene-judge` or `scene-rater`."""
    base = settings.checkpoints or Path(__file__).resolve().parent.parent / "checkpoints"
    return base / name


def _whole(name: str, text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{PREFIX}{name.upper()} must be a whole number, not {text!r}.") from None
