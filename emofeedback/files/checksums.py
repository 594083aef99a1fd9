"""Checkpoint folders that can be trusted: SHA-256 of every file, whole safetensors, no pickle."""

import hashlib
import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open

from emofeedback.errors import UserError

CHECKSUMS = "checksums.json"
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
SKIPPED = ("training", ".cache", ".git")  # folders beside the weights that are no part of the checkpoint


def _files(folder: Path) -> list[Path]:
    found = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return [p for p in found if not any(part in SKIPPED for part in p.relative_to(folder).parts)]


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_checksums(folder: Path) -> None:
    """Write checksums.json over every weight, configuration and vocabulary file of the folder."""
    names = [p for p in _files(folder) if p.suffix in (".safetensors", ".json", ".txt") and p.name != CHECKSUMS]
    digests = {str(p.relative_to(folder)): sha256(p) for p in names}
    temporary = folder / f".{CHECKSUMS}.new"
    temporary.write_text(json.dumps(digests, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(temporary, folder / CHECKSUMS)


def verify_folder(folder: Path, index: str) -> None:
    """Check a checkpoint folder before anything of it is loaded.

    Args:
        index: the file that makes it a checkpoint, such as model_index.json.

    Raises:
        UserError: the folder or a file is missing, was changed, is cut short, or holds pickled weights.
    """
    if not (folder / index).is_file():
        raise UserError(f"There is no checkpoint in {folder} ({index} is missing); give a folder that has one.")
    files = _files(folder)
    for file in files:
        if file.suffix.lower() in PICKLED:
            raise UserError(f"{file} may hold pickled code and is refused; convert the weights to safetensors.")
    listing = folder / CHECKSUMS
    if listing.is_file():
        try:
            digests = json.loads(listing.read_text(encoding="utf-8"))
            entries = sorted(digests.items())
        except (ValueError, AttributeError):
            raise UserError(f"{listing} is damaged; fetch the checkpoint again.") from None
        for name, digest in entries:
            if not (folder / name).is_file():
                raise UserError(f"{name} is missing from {folder}; fetch the checkpoint again.")
            if sha256(folder / name) != digest:
                raise UserError(f"{name} in {folder} does not match its checksum; fetch the checkpoint again.")
    for file in files:
        if file.suffix == ".safetensors":
            try:
                with safe_open(file, framework="pt"):
                    pass
            except (SafetensorError, OSError):
                raise UserError(f"{file} is damaged or cut short; fetch the checkpoint again.") from None
