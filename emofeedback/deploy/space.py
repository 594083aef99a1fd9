"""A folder that can be pushed as a Hugging Face Space: the app, the package, the bundled models, and nothing else."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from emofeedback.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
MAX_BYTES = 10 * 10**6
"""Of one file: larger ones need Git LFS or Xet."""
HARDWARE = (
    "cpu-basic",
    "cpu-upgrade",
    "zero-gpu",
    "t4-small",
    "t4-medium",
    "l4x1",
    "l4x4",
    "l40sx1",
    "a10g-small",
    "a10g-large",
    "a100-large",
    "h100",
)
WHEELS = "https://download.pytorch.org/whl/cpu"
ZERO_GPU_TORCH = "torch>=2.9,<2.12"
"""What ZeroGPU supports: https://huggingface.co/docs/hub/spaces-zerogpu."""
SKIP = ("__pycache__", "*.pyc", "*.pyi", ".*", "*.tmp")
MODELS = ("scene-generator", "scene-judge")
RATER = "scene-rater"
"""Needed by fine-tuning alone."""
OPTIONAL = ("scene-visual-prompts", "scene-upscaler")
"""Taken along where they are there."""


@dataclass(frozen=True, slots=True)
class Space:
    """What was written."""

    folder: Path
    hardware: str
    files: int
    size: int  # bytes
    largest: int  # bytes of the largest file


def write_space(out: Path, hardware: str, title: str = "EmoFeedback", root: Path = ROOT) -> Space:
    """Write the folder, whole or not at all.

    Args:
        out: new or empty.
        hardware: one of HARDWARE.
        root: a checkout of this project.

    Raises:
        UserError: the folder is not empty or cannot be written, the hardware is unknown, a file is missing or too big.
    """
    if hardware not in HARDWARE:
        raise UserError(f"Unknown hardware {hardware!r}; known are {', '.join(HARDWARE)}.")
    title = " ".join(title.split())
    if not title or len(title) > 80:
        raise UserError("The title must have 1 to 80 characters.")
    _check_free(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror or error}); choose another folder.") from None
    try:
        _fill(draft, root, hardware, title)
        space = _measure(draft, out, hardware)
        if out.exists():
            out.rmdir()
        draft.chmod(0o755)
        os.replace(draft, out)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror or error}); choose another folder.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return space


def _check_free(out: Path) -> None:
    try:
        used = os.path.lexists(out) and (not out.is_dir() or out.is_symlink() or any(out.iterdir()))
    except (OSError, ValueError) as error:
        raise UserError(f"{out} cannot be used ({error}); choose another folder.") from None
    if used:
        raise UserError(f"{out} is not an empty folder; name a new one, so that nothing is lost.")


def _fill(draft: Path, root: Path, hardware: str, title: str) -> None:
    names = [*MODELS, *([RATER] if can_tune(hardware) else [])]
    needed = [root / "app.py", root / "requirements.txt", root / "LICENSE", root / "NOTICE"]
    for path in (*needed, *(root / "checkpoints" / name for name in names)):
        if not path.exists():
            raise UserError(f"{path} is missing; run this command from a full checkout of the project.")
    skip = shutil.ignore_patterns(*SKIP)
    shutil.copytree(root / "emofeedback", draft / "emofeedback", ignore=skip)
    names += [name for name in OPTIONAL if (root / "checkpoints" / name).is_dir()]
    for name in names:
        shutil.copytree(root / "checkpoints" / name, draft / "checkpoints" / name, ignore=skip)
    if (root / "assets" / "example_run").is_dir():
        shutil.copytree(root / "assets" / "example_run", draft / "assets" / "example_run", ignore=skip)
    for path in (root / "app.py", root / "LICENSE", root / "NOTICE"):
        shutil.copy2(path, draft / path.name)
    pins = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (draft / "requirements.txt").write_text(requirements(pins, hardware), encoding="utf-8")
    (draft / "README.md").write_text(card(title, hardware, _gradio_version(pins)), encoding="utf-8")


def can_tune(hardware: str) -> bool:
    """Whether fine-tuning is of use there: not on a shared CPU, and not in ZeroGPU's short turns."""
    return not hardware.startswith("cpu-") and hardware != "zero-gpu"


def requirements(pins: list[str], hardware: str) -> str:
    """requirements.txt for a hardware.

    A Space installs `gradio[oauth,mcp]` beside it, whose bounds on mcp and pydantic must not meet pins of our own.
    """
    lines = [line.strip() for line in pins if line.strip() and not line.startswith(("#", "-"))]
    lines = [line for line in lines if _package(line) not in ("gradio", "mcp", "pydantic")]
    lines.append(f"gradio[mcp]=={_gradio_version(pins)}")
    if hardware == "zero-gpu":
        lines = [ZERO_GPU_TORCH if _package(line) == "torch" else line for line in lines] + ["spaces>=0.40"]
    head = [f"--extra-index-url {WHEELS}"] if hardware.startswith("cpu-") else []
    return "\n".join([*head, *sorted(lines)]) + "\n"


def card(title: str, hardware: str, gradio: str) -> str:
    """README.md: the front matter that a Space reads, and a few words."""
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    suggested = "zero-a10g" if hardware == "zero-gpu" else hardware
    tuned = "on" if can_tune(hardware) else "off"
    return f"""---
title: "{quoted}"
emoji: 🎭
colorFrom: indigo
colorTo: pink
sdk: gradio
sdk_version: {gradio}
python_version: "{"3.12.12" if hardware == "zero-gpu" else "3.12"}"
app_file: app.py
short_description: Pictures that carry a set valence and arousal
tags:
  - text-to-image
  - affective-computing
  - vision-language-model
  - mcp-server
license: apache-2.0
suggested_hardware: {suggested}
---

# {title}

Set valence and arousal, write a few words, and get a picture that carries that emotion; a vision-language judge reads
every picture and says which words it would change.

This Space is a public host: each visitor may have a few jobs at once and some minutes of the models within an hour,
uploads are small, and fine-tuning is {tuned if tuned == "off" else "off unless EMOFEEDBACK_FINETUNE_MINUTES is set"}.
The variables `EMOFEEDBACK_JOBS_PER_USER`, `EMOFEEDBACK_MINUTES_PER_HOUR`, `EMOFEEDBACK_MAX_UPLOAD_MB` and
`EMOFEEDBACK_QUEUE_SIZE` change the limits. Programs and agents find the endpoints under "Use via API or MCP".
"""


def _package(line: str) -> str:
    """The name of a requirement without version and extras."""
    for mark in ("=", "<", ">", "~", "!", "[", ";", " "):
        line = line.split(mark)[0]
    return line.lower()


def _gradio_version(pins: list[str]) -> str:
    for line in pins:
        if _package(line) == "gradio" and "==" in line:
            return line.split("==")[1].split(";")[0].strip()
    raise UserError("requirements.txt pins no version of gradio; add one, such as gradio==6.31.0.")


def _measure(draft: Path, out: Path, hardware: str) -> Space:
    sizes = {path: path.stat().st_size for path in draft.rglob("*") if path.is_file()}
    largest = max(sizes, key=lambda path: sizes[path])
    if sizes[largest] >= MAX_BYTES:
        raise UserError(
            f"{largest.relative_to(draft)} has {sizes[largest] / 1e6:.1f} MB; a Space takes files below 10 MB, so "
            "save that checkpoint in smaller shards."
        )
    return Space(out, hardware, len(sizes), sum(sizes.values()), sizes[largest])
