"""One temporary folder for a process: it goes when the process ends, and a killed one's at the next start."""

import atexit
import functools
import json
import os
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

PREFIX = "emofeedback-"
OWNER = "owner.json"


@functools.cache
def process_folder() -> Path:
    """This process' folder inside the system's temporary one; made at the first call, which also sweeps."""
    sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    (folder / OWNER).write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}), encoding="utf-8")
    atexit.register(_leave, folder, os.getpid())
    return folder


def sweep(base: Path) -> None:
    """Remove the folders of processes of this machine that are gone; what cannot be read or removed stays."""
    with suppress(OSError):
        for folder in base.glob(f"{PREFIX}*"):
            if not folder.is_symlink() and _abandoned(folder):
                _remove(folder)


def _abandoned(folder: Path) -> bool:
    """Whether its owner is gone; a number that another process has now stands for a living owner."""
    try:
        owner = json.loads((folder / OWNER).read_text(encoding="utf-8"))
        pid, host = owner["pid"], owner["host"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False  # not one of these, or just being made
    if host != socket.gethostname() or not isinstance(pid, int) or not 0 < pid < 2**31:
        return False  # of another container or machine that shares the folder
    return pid == os.getpid() or not psutil.pid_exists(pid)  # a container gives each start the same number


def _leave(folder: Path, pid: int) -> None:
    if os.getpid() == pid:  # not in a fork of this process
        _remove(folder)


def _remove(folder: Path) -> None:
    """The owner's file goes last: what a thread still writes is then found at the next start."""
    with suppress(OSError):
        for inside in folder.iterdir():
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside, ignore_errors=True)
            elif inside.name != OWNER:
                inside.unlink()
        if [inside.name for inside in folder.iterdir()] in ([OWNER], []):
            shutil.rmtree(folder, ignore_errors=True)
