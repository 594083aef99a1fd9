"""Models of the Hugging Face Hub: their names, the cache, downloads that can be watched and stopped.

Every failure is one sentence that says what to do. Pickled weights and code are never fetched.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from huggingface_hub import HfApi, get_token, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    RevisionResolutionError,
)
from tqdm.std import tqdm  # comes with huggingface_hub

from emofeedback.errors import UserError

HOSTED = "hosted:"
_REPO = re.compile(r"[\w.-]+/[\w.-]+(?:@[\w./-]+)?")


@dataclass(frozen=True, slots=True)
class Download:
    """How far a download is, in bytes; `total` may still grow."""

    repo: str
    done: int
    total: int


OnDownload = Callable[[Download], None]
"""Called while files are fetched; raise `Cancelled` from it to stop: what has come is kept."""


def is_repo(name: str) -> bool:
    """Whether a model's name is a repository: OWNER/NAME, with @REVISION where one is pinned."""
    return _REPO.fullmatch(name) is not None


def split_revision(name: str) -> tuple[str, str | None]:
    """OWNER/NAME[@REVISION] -> the repository and the revision."""
    repo, _, revision = name.partition("@")
    return repo, revision or None


def hosted_parts(name: str, kind: str = "judge") -> tuple[str, str | None]:
    """hosted:OWNER/NAME[:PROVIDER] -> the repository and the provider.

    Raises:
        UserError: it is not written so.
    """
    repo, _, provider = name.removeprefix(HOSTED).partition(":")
    if not is_repo(repo) or "@" in repo:
        raise UserError(f"A hosted {kind} is written hosted:OWNER/NAME or hosted:OWNER/NAME:PROVIDER, not {name!r}.")
    return repo, provider or None


def hosted_key(key: str | None, kind: str = "judge") -> str:
    """The given key, else the stored Hugging Face token.

    Raises:
        UserError: there is neither.
    """
    found = key or get_token()
    if not found:
        raise UserError(f"A hosted {kind} needs a Hugging Face token; run `hf auth login` or set HF_TOKEN.")
    return found


@contextmanager
def hub_errors(name: str, elsewhere: str) -> Iterator[None]:
    """Turn what the Hub's client raises about OWNER/NAME[@REVISION] into one sentence.

    Args:
        elsewhere: what may be given in place of a repository, such as "a folder or a server's address".
    """
    repo, revision = split_revision(name)
    try:
        yield
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
    except (LocalEntryNotFoundError, OfflineModeIsEnabled):
        raise UserError(
            f"{name} is not downloaded and Hugging Face cannot be reached; connect once, or give a folder that has it."
        ) from None
    except HFValidationError:
        raise UserError(f"{repo!r} is no repository's name; give OWNER/NAME, {elsewhere}.") from None
    except (HTTPError, OSError) as error:
        what = " ".join(str(error).split())[:160] or type(error).__name__
        raise UserError(f"{name} cannot be downloaded ({what}); try again, a finished part is kept.") from None


def snapshot(
    name: str,
    patterns: Sequence[str],
    *,
    elsewhere: str = "a folder",
    cache: Path | None = None,
    offline: bool = False,
    endpoint: str | None = None,
    progress: OnDownload | None = None,
) -> Path:
    """The folder of a repository in the cache; what is missing of it is downloaded.

    Args:
        name: OWNER/NAME[@REVISION].
        patterns: of the files that are needed.
        cache: another cache than Hugging Face's own.
        offline: use the cache alone.
        endpoint: another server than Hugging Face's.
        progress: called while files are fetched.

    Raises:
        UserError: the repository is missing, gated, has no such revision, or cannot be reached.
        Cancelled: raised by `progress`.
    """
    repo, revision = split_revision(name)
    with hub_errors(name, elsewhere):
        return Path(
            snapshot_download(
                repo,
                revision=revision,
                cache_dir=cache,
                local_files_only=offline,
                allow_patterns=list(patterns),
                endpoint=endpoint,
                tqdm_class=None if progress is None else _download_bar(repo, progress),
            )
        )


def listing(name: str, elsewhere: str = "a folder", endpoint: str | None = None) -> tuple[str, list[str]]:
    """The commit that a repository's revision points to, and its files.

    Raises:
        UserError: as `snapshot`.
    """
    repo, revision = split_revision(name)
    with hub_errors(name, elsewhere):
        info = HfApi(endpoint=endpoint).model_info(repo, revision=revision)
    return str(info.sha), [entry.rfilename for entry in info.siblings or []]


def _download_bar(repo: str, progress: OnDownload) -> type[tqdm]:
    """A progress bar that reports instead of drawing. Several count the same bytes: the one furthest on is told."""
    counted: dict[int, tuple[int, int]] = {}
    lock = Lock()

    class DownloadBar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs |= {"file": io.StringIO(), "disable": False, "mininterval": 0.2, "leave": False}
            super().__init__(*args, **kwargs)

        def display(self, *args: Any, **kwargs: Any) -> bool:
            if self.unit == "B":
                with lock:
                    counted[id(self)] = int(self.n), int(self.total or 0)
                    done, total = max(counted.values())
                progress(Download(repo, done, max(done, total)))
            return True

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            if self.unit == "B" and self.total and self.n >= self.total:
                self.display()
            return shown

        def close(self) -> None:
            self.disable = True  # nothing is on the screen that would have to be wiped off

    return DownloadBar
