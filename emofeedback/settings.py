"""Settings of one process: which models, on what, where files go. Read once from EMOFEEDBACK_* and the flags."""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from emofeedback.errors import UserError
from emofeedback.home import expanded, home_folder

PREFIX = "EMOFEEDBACK_"
KNOWN = {  # how a full-size generator is placed on the machine
    "dtype": ("auto", "bfloat16", "float16", "float32"),
    "offload": ("none", "model", "sequential"),
    "quantisation": ("none", "bnb-8bit", "bnb-4bit", "ao-int8", "ao-float8"),
}


def _whole(value: Any, field: ValidationInfo) -> Any:
    try:
        return int(value) if isinstance(value, str) else value
    except ValueError:
        raise UserError(f"{_variable(field)} must be a whole number, not {value!r}.") from None


def _number(value: Any, field: ValidationInfo) -> Any:
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        number = math.nan
    if isinstance(number, float) and not math.isfinite(number):
        raise UserError(f"{_variable(field)} must be a number, not {value!r}.")
    return number


def _flag(value: Any, field: ValidationInfo) -> Any:
    match value.lower() if isinstance(value, str) else value:
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
        case bool():
            return value
    raise UserError(f"{_variable(field)} must be 1 or 0, not {value!r}.")


def _variable(field: ValidationInfo) -> str:
    return f"{PREFIX}{(field.field_name or '').upper()}"


def _home(value: Any) -> Any:
    return expanded(value) if isinstance(value, (str, Path)) else value


Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_number)]
Flag = Annotated[bool, BeforeValidator(_flag)]
HomePath = Annotated[Path, BeforeValidator(_home)]
"""A path that may begin with ~."""


class Settings(BaseSettings):
    """Everything `build` needs, and where results are written. Frozen; `changed` makes others.

    Raises:
        UserError: a value cannot be used.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True)

    generator: str = "bundled"  # or a folder in diffusers format, OWNER/NAME[@REVISION], hosted:OWNER/NAME[:PROVIDER]
    judge: str = "bundled"  # or a folder in transformers format, a repository, a server's address
    calibration: HomePath | None = None  # of the judge, as `evaluate judge` writes it
    rater: str = "bundled"  # the second rater, named like a judge: evaluates only, and is never the judge
    adapter: str | None = None  # PATH[:SCALE] of a LoRA on the generator
    device: str = "auto"  # auto, cpu, cuda, cuda:N, mps
    seed: Whole = 0
    threads: Whole | None = None  # of one operation on the CPU; None = as many as there are cores
    out: HomePath | None = None  # None = a new folder below ./emofeedback-out
    checkpoints: HomePath | None = None  # None = beside the package
    public: Flag = False  # strangers reach the studio: limits are on where they are not set
    proxied: Flag = False  # X-Forwarded-For tells who visits
    private_servers: Flag = False  # visitors may name servers of this machine's network where others are served
    jobs_per_user: Whole | None = None  # waiting and running at once
    minutes_per_hour: Number | None = None  # of the models' work for one user
    finetune_minutes: Number | None = None  # the longest fine-tuning job; 0 = none
    queue_size: Whole | None = None  # jobs that may wait
    max_upload_mb: Whole | None = None  # of one file
    data_dir: HomePath | None = Field(None, validation_alias=f"{PREFIX}DATA")
    """Where history is kept; None = the platform's folder for a user's data."""
    history_mb: Whole = 4096  # room for history; beyond it the oldest runs go
    emotion_adapter: HomePath | None = None  # of a full-size generator, as `train adapter` writes it
    visual_prompts: str | None = None  # see `visual_loading`; None = the bundled generator's own
    dtype: str = "auto"  # of a full-size generator; KNOWN lists the values of these three
    offload: str = "none"
    quantisation: str = "none"
    tiling: Flag = False  # decode pictures in tiles
    cheaper: Flag = False  # fall to the next cheaper of these settings when the memory does not suffice
    size: Whole | None = None  # side of a full-size generator's pictures in pixels
    upscaler: str = (
        "bundled"  # or none, a folder, OWNER/NAME[@REVISION]: enlarges pictures for whoever sees or keeps them
    )
    idle_minutes: Number | None = None  # after which models are unloaded; None = never
    rewriter: str = "none"  # or "embedded", a language model's folder or repository, a server's address
    viewers_dir: HomePath | None = None  # of more viewers for the rewriter, a JSON file each

    @model_validator(mode="after")
    def _check(self) -> Self:
        """A UserError goes through pydantic as it is."""
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
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given counts alone: the environment is read by `from_environment`."""
        return (init_settings,)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Settings from EMOFEEDBACK_GENERATOR and so on, a field's name in capitals; of `data_dir` EMOFEEDBACK_DATA.

        EMOFEEDBACK_PUBLIC and EMOFEEDBACK_PROXIED are on where SPACE_ID is set and they are not.

        Raises:
            UserError: a value cannot be read.
        """
        source = EnvSettingsSource(cls)
        source.env_vars = {name.lower(): value.strip() for name, value in environ.items() if value.strip()}
        given: dict[str, Any] = source()
        on_space = {"public": True, "proxied": True} if environ.get("SPACE_ID") else {}
        return cls(**{**on_space, **given})

    def changed(self, **given: Any) -> "Settings":
        """The settings with other values, which are checked too."""
        return type(self)(**{**self.model_dump(), **given})


def checkpoint_folder(settings: Settings, name: str) -> Path:
    """Where a bundled checkpoint lies: `scene-generator`, `scene-judge`, `scene-rater` or `scene-upscaler`."""
    base = settings.checkpoints or Path(__file__).resolve().parent.parent / "checkpoints"
    return base / name


def data_folder(settings: Settings, environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Where history is kept: the settings' folder, or the one that the platform sets aside for a user's data.

    Raises:
        UserError: the settings name no folder and the user's home is unknown.
    """
    if settings.data_dir is not None:
        return settings.data_dir
    instead = f"say with {PREFIX}DATA where history shall be kept"
    if platform == "win32":
        base = environ.get("LOCALAPPDATA") or str(home_folder(instead) / "AppData" / "Local")
    elif platform == "darwin":
        base = str(home_folder(instead) / "Library" / "Application Support")
    else:
        base = environ.get("XDG_DATA_HOME") or str(home_folder(instead) / ".local" / "share")
    return Path(base) / "emofeedback"
