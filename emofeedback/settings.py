"""Settings of one process: which models, on what, where files go. Read once from EMOFEEDBACK_* and the flags."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emofeedback.errors import UserError

PREFIX = "EMOFEEDBACK_"
KNOWN = {  # how a full-size generator is placed on the machine
    "dtype": ("auto", "bfloat16", "float16", "float32"),
    "offload": ("none", "model", "sequential"),
    "quantisation": ("none", "bnb-8bit", "bnb-4bit", "ao-int8", "ao-float8"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything `build` needs, and where results are written."""

    generator: str = "bundled"  # or a folder in diffusers format, OWNER/NAME[@REVISION], hosted:OWNER/NAME[:PROVIDER]
    judge: str = "bundled"  # or a folder in transformers format, a repository, a server's address
    calibration: Path | None = None  # of the judge, as `evaluate judge` writes it
    rater: str = "bundled"  # the second rater, named like a judge: evaluates only, and is never the judge
    adapter: str | None = None  # PATH[:SCALE] of a LoRA on the generator
    device: str = "auto"  # auto, cpu, cuda, cuda:N, mps
    seed: int = 0
    threads: int | None = None  # of one operation on the CPU; None = as many as there are cores
    out: Path | None = None  # None = a new folder below ./emofeedback-out
    checkpoints: Path | None = None  # None = beside the package
    public: bool = False  # strangers reach the studio: limits are on where they are not set
    proxied: bool = False  # X-Forwarded-For tells who visits
    jobs_per_user: int | None = None  # waiting and running at once
    minutes_per_hour: float | None = None  # of the models' work for one user
    finetune_minutes: float | None = None  # the longest fine-tuning job; 0 = none
    queue_size: int | None = None  # jobs that may wait
    max_upload_mb: int | None = None  # of one file
    data_dir: Path | None = None  # where history is kept; None = the platform's folder for a user's data
    history_mb: int = 4096  # room for history; beyond it the oldest runs go
    emotion_adapter: Path | None = None  # of a full-size generator, as `train adapter` writes it
    visual_prompts: str | None = None  # see `visual_loading`; None = the bundled generator's own
    dtype: str = "auto"  # of a full-size generator; KNOWN lists the values of these three
    offload: str = "none"
    quantisation: str = "none"
    tiling: bool = False  # decode pictures in tiles
    cheaper: bool = False  # fall to the next cheaper of these settings when the memory does not suffice
    size: int | None = None  # side of a full-size generator's pictures in pixels
    idle_minutes: float | None = None  # after which models are unloaded; None = never

    rewriter: str = "none"  # or "embedded", a language model's folder or repository, a server's address
    viewers_dir: Path | None = None  # of more viewers for the rewriter, a JSON file each

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= 2**53:
            raise UserError(f"seed must be a whole number from 0 to {2**53}, not {self.seed}.")
        if self.threads is not None and not 1 <= self.threads <= 1024:
            raise UserError(f"threads must be a whole number from 1 to 1024, not {self.threads}.")
        for name, low, high in (
            ("jobs_per_user", 1, 1000),
            ("minutes_per_hour", 0.1, 60),
            ("finetune_minutes", 0, 100_000),
            ("queue_size", 1, 100_000),
            ("max_upload_mb", 1, 1024),
            ("size", 16, 4096),
            ("idle_minutes", 0.1, 100_000),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UserError(f"{PREFIX}{name.upper()} must lie between {low:g} and {high:g}, but is {value:g}.")
        if not 1 <= self.history_mb <= 2**30:
            raise UserError(f"history_mb must be a whole number from 1 to {2**30}, not {self.history_mb}.")
        for name, known in KNOWN.items():
            if getattr(self, name) not in known:
                given, values = getattr(self, name), ", ".join(known)
                raise UserError(f"{PREFIX}{name.upper()} must be one of {values}, not {given!r}.")
        if self.size is not None and self.size % 16:
            raise UserError(f"{PREFIX}SIZE must be a multiple of 16, not {self.size}.")
        kind = self.device.split(":", 1)[0]
        if kind not in ("auto", "cpu", "cuda", "mps", "xpu"):
            raise UserError(f"Unknown device {self.device!r}; known are auto, cpu, cuda, cuda:N, mps, xpu.")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Settings from EMOFEEDBACK_GENERATOR, _JUDGE, _CALIBRATION, _RATER, _ADAPTER, _DEVICE, _SEED, _THREADS, _OUT,
        _CHECKPOINTS, _PUBLIC (also on where SPACE_ID is set), _PROXIED (likewise), _JOBS_PER_USER, _MINUTES_PER_HOUR,
        _FINETUNE_MINUTES, _QUEUE_SIZE, _MAX_UPLOAD_MB, _DATA (the folder of history), _HISTORY_MB, _EMOTION_ADAPTER,
        _VISUAL_PROMPTS, _DTYPE, _OFFLOAD, _QUANTISATION, _TILING, _CHEAPER, _SIZE, _IDLE_MINUTES,
        _REWRITER and _VIEWERS_DIR.

        Raises:
            UserError: a value cannot be read.
        """
        on_space = bool(environ.get("SPACE_ID"))
        names = {name: "DATA" if name == "data_dir" else name.upper() for name in cls.__slots__}
        given = {name: environ.get(PREFIX + variable, "").strip() for name, variable in names.items()}
        return cls(
            generator=given["generator"] or "bundled",
            judge=given["judge"] or "bundled",
            calibration=Path(given["calibration"]).expanduser() if given["calibration"] else None,
            rater=given["rater"] or "bundled",
            adapter=given["adapter"] or None,
            device=given["device"] or "auto",
            seed=_whole("seed", given["seed"]) or 0,
            threads=_whole("threads", given["threads"]),
            out=Path(given["out"]) if given["out"] else None,
            checkpoints=Path(given["checkpoints"]) if given["checkpoints"] else None,
            public=_flag("public", given["public"], on_space),
            proxied=_flag("proxied", given["proxied"], on_space),
            jobs_per_user=_whole("jobs_per_user", given["jobs_per_user"]),
            minutes_per_hour=_number("minutes_per_hour", given["minutes_per_hour"]),
            finetune_minutes=_number("finetune_minutes", given["finetune_minutes"]),
            queue_size=_whole("queue_size", given["queue_size"]),
            max_upload_mb=_whole("max_upload_mb", given["max_upload_mb"]),
            data_dir=Path(given["data_dir"]).expanduser() if given["data_dir"] else None,
            history_mb=_whole("history_mb", given["history_mb"]) or 4096,
            emotion_adapter=Path(given["emotion_adapter"]).expanduser() if given["emotion_adapter"] else None,
            visual_prompts=given["visual_prompts"] or None,
            dtype=given["dtype"] or "auto",
            offload=given["offload"] or "none",
            quantisation=given["quantisation"] or "none",
            tiling=_flag("tiling", given["tiling"], False),
            cheaper=_flag("cheaper", given["cheaper"], False),
            size=_whole("size", given["size"]),
            idle_minutes=_number("idle_minutes", given["idle_minutes"]),
            rewriter=given["rewriter"] or "none",
            viewers_dir=Path(given["viewers_dir"]).expanduser() if given["viewers_dir"] else None,
        )


def checkpoint_folder(settings: Settings, name: str) -> Path:
    """Where a bundled checkpoint lies: `scene-generator`, `scene-judge` or `scene-rater`."""
    base = settings.checkpoints or Path(__file__).resolve().parent.parent / "checkpoints"
    return base / name


def data_folder(settings: Settings, environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Where history is kept: the settings' folder, or the one that the platform sets aside for a user's data."""
    if settings.data_dir is not None:
        return settings.data_dir
    if platform == "win32":
        base = environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "emofeedback"


def _whole(name: str, text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise UserError(f"{PREFIX}{name.upper()} must be a whole number, not {text!r}.") from None


def _number(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{PREFIX}{name.upper()} must be a number, not {text!r}.")
    return value


def _flag(name: str, text: str, default: bool) -> bool:
    match text.lower():
        case "":
            return default
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
        case _:
            raise UserError(f"{PREFIX}{name.upper()} must be 1 or 0, not {text!r}.")
