"""Where a judge comes from: a folder, a repository of Hugging Face, or a server; and what it is told apart by."""

import hashlib
from pathlib import Path

from emofeedback.errors import UserError
from emofeedback.files.checksums import CHECKSUMS
from emofeedback.servers.hub import OnDownload, snapshot

FETCHED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.jinja", "*.model")
"""What a judge needs of a repository; pickled weights and code are never fetched."""
_TAIL = 2**20


def is_url(name: str) -> bool:
    """Whether a judge's name is a server's address."""
    return name.lower().startswith(("http://", "https://"))


def is_scene_judge(folder: Path) -> bool:
    """Whether a folder holds a judge of the scene world: its tokenizer has the judge's own queries."""
    try:
        return '"<valence?>"' in (folder / "tokenizer.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def fetch(name: str, cache: Path | None = None, offline: bool = False, progress: OnDownload | None = None) -> Path:
    """The folder of a repository in the cache; downloaded where it is not there yet.

    Args:
        name: OWNER/NAME[@REVISION].
        cache: another cache than Hugging Face's own.
        offline: use the cache alone.
        progress: called while files are fetched.

    Raises:
        UserError: the repository is missing, gated, has no such revision, cannot be reached, or has no safetensors.
    """
    elsewhere = "a folder or a server's address"
    folder = snapshot(name, FETCHED, elsewhere=elsewhere, cache=cache, offline=offline, progress=progress)
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise UserError(f"{name} has no weights in safetensors, and pickled ones are refused; choose another model.")
    return folder


def fingerprint(folder: Path) -> str:
    """Twelve hex digits that change with the weights: over the checksums where there are any, else the files' ends."""
    digest = hashlib.sha256()
    if (folder / CHECKSUMS).is_file():
        digest.update((folder / CHECKSUMS).read_bytes())
    else:
        for file in sorted(folder.glob("*.safetensors")):
            size = file.stat().st_size
            with file.open("rb") as stream:
                stream.seek(max(0, size - _TAIL))
                digest.update(f"{file.name} {size} ".encode() + stream.read())
    return digest.hexdigest()[:12]
