"""Files on their way: their temporary names tell whose they are, so that those of a killed process can be swept.

A file is written as `.NAME.PID-HOST.tmp` beside its place and renamed when it is whole.
"""

import os
import re
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from safetensors import SafetensorError

from emofeedback.errors import UserError

_NAME = re.compile(r"\..+\.(\d{1,10})-([0-9a-f]{8})\.tmp")
MAX_SWEPT = 100_000
"""Entries of a folder that are looked at."""


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place when the block ends well and goes when it does not.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{_host()}.tmp")
    try:
        with writing(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system says against writing at `path` becomes one sentence.

    Raises:
        UserError: it said something.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{path} cannot be written ({reason}); free some space or choose another folder.") from None


def sweep_unfinished(folder: Path) -> None:
    """Remove what killed processes of this machine left half-written in a folder; what cannot be removed stays."""
    with suppress(OSError), os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= MAX_SWEPT:
                return
            match = _NAME.fullmatch(entry.name)
            if match is None or match[2] != _host():
                continue
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False) and not _lives(int(match[1]), entry.stat().st_mtime):
                    os.unlink(entry.path)


def _lives(pid: int, written: float) -> bool:
    """Whether the process that wrote a file then is still there; its number may be another's by now."""
    try:
        return psutil.Process(pid).create_time() <= written + 1
    except (psutil.Error, OverflowError, ValueError):
        return False


def _host() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"
