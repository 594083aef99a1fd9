"""Where a judge comes from: a folder, a repository of Hugging Face, or a server; and what it is told apart by."""

import hashlib
import re
from pathlib import Path

from huggingface_hub import get_token, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)

from emofeedback.checksums import CHECKSUMS
from emofeedback.errors import UserError

FETCHED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.jinja", "*.model")
"""What a judge needs of a repository; pickled weights and code are never fetched."""
HOSTED = "hosted:"
_REPO = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?")
_TAIL = 2**20


def is_url(name: str) -> bool:
    """Whether a judge's name is a server's address."""
    return name.lower().startswith(("http://", "https://"))


def is_repo(name: str) -> bool:
    """Whether a judge's name is a repository: OWNER/NAME, with @REVISION where one is pinned."""
    return _REPO.fullmatch(name) is not None


def split_revision(name: str) -> tuple[str, str | None]:
    """OWNER/NAME[@REVISION] -> the repository and the revision."""
    repo, _, revision = name.partition("@")
    return repo, revision or None


def is_scene_judge(folder: Path) -> bool:
    """Whether a folder holds a judge of the scene world: its tokenizer has the judge's own queries."""
    try:
        return '"<valence?>"' in (folder / "tokenizer.json").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def fetch(name: str, cache: Path | None = None, offline: bool = False) -> Path:
    """The folder of a repository in the cache; downloaded where it is not there yet.

    Args:
        name: OWNER/NAME[@REVISION].
        cache: another cache than Hugging Face's own.
        offline: use the cache alone.

    Raises:
        UserError: the repository is missing, gated, has no such revision, cannot be reached, or has no safetensors.
    """
    repo, revision = split_revision(name)
    try:
        folder = Path(
            snapshot_download(
                repo, revision=revision, cache_dir=cache, local_files_only=offline, allow_patterns=list(FETCHED)
            )
        )
    except GatedRepoError:
        raise UserError(
            f"{repo} is gated; accept its terms at https://huggingface.co/{repo}, then run `hf auth login`."
        ) from None
    except (RevisionNotFoundError, RevisionResolutionError):
        raise UserError(f"{repo} has no revision {revision!r}; look it up at https://huggingface.co/{repo}.") from None
    except RepositoryNotFoundError:
        raise UserError(
            f"There is no repository {repo}, or it is private; check the name or run `hf auth login`."
        ) from None
    except LocalEntryNotFoundError:
        raise UserError(
            f"{name} is not downloaded and Hugging Face cannot be reached; connect once, or give a folder that has it."
        ) from None
    except HFValidationError:
        raise UserError(f"{repo!r} is no repository's name; give OWNER/NAME, a folder or a server's address.") from None
    except (HTTPError, OSError) as error:
        what = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"{name} cannot be downloaded ({what}); try again, a finished part is kept.") from None
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


def hosted_parts(name: str) -> tuple[str, str | None]:
    """hosted:OWNER/NAME[:PROVIDER] -> the repository and the provider.

    Raises:
        UserError: it is not written so, or no Hugging Face token is stored.
    """
    repo, _, provider = name.removeprefix(HOSTED).partition(":")
    if not is_repo(repo) or "@" in repo:
        raise UserError(f"A hosted judge is written hosted:OWNER/NAME or hosted:OWNER/NAME:PROVIDER, not {name!r}.")
    return repo, provider or None


def hosted_key(key: str | None) -> str:
    """The given key, else the stored Hugging Face token.

    Raises:
        UserError: there is neither.
    """
    found = key or get_token()
    if not found:
        raise UserError("A hosted judge needs a Hugging Face token; run `hf auth login` or set HF_TOKEN.")
    return found
