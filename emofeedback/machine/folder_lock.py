"""One process at a time in a folder; what a killed one held is free again, because the system frees it."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from emofeedback.errors import UserError

LOCK, OWNER = ".lock", ".lock.owner"
LOCK_FILES = (LOCK, OWNER)
"""What may lie in a folder that holds nothing else."""


@contextmanager
def alone_in(folder: Path, what: str = "job") -> Iterator[None]:
    """Inside, no other process and no other thread works in the folder, which is made where it is missing.

    The same thread may enter again. An empty folder that was made here goes again.

    Args:
        what: what messages call the work.

    Raises:
        UserError: somebody works there, and who; or the folder cannot be written.
    """
    made = not folder.exists()
    lock = FileLock(folder / LOCK, timeout=0, is_singleton=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"Another {what} works in {folder}{_owner(folder)}; wait until it has ended, or choose another folder."
        ) from None
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror or error}); free some space or choose another folder."
        ) from None
    try:
        with suppress(OSError):  # only a message needs it
            (folder / OWNER).write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        yield
    finally:
        if lock.lock_counter == 1:
            for name in (OWNER, LOCK):  # before the release: who waits for the file then sees that it is gone
                with suppress(OSError):
                    (folder / name).unlink()
        lock.release()
        if made:
            with suppress(OSError):  # it holds something
                folder.rmdir()


def _owner(folder: Path) -> str:
    try:
        told = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        return f" (process {int(told['pid'])} on {str(told['host'])[:60]})"
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ""
