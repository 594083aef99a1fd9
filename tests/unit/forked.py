"""Processes of their own for tests, forked from one that imported the heavy libraries once: a start takes no time."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["accelerate", "emofeedback.build", "emofeedback.cli"]
COMMAND = "import sys; from emofeedback.cli import main; sys.exit(main(sys.argv[1:]))"
"""What `python -m emofeedback` does."""


@dataclass(frozen=True)
class Forked:
    """A process that was begun, and the folder of its output, which goes with this object."""

    process: BaseProcess
    folder: "TemporaryDirectory[str]"

    def wait(self) -> "Forked":
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, "the process does not end"
        return self

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is true while the process works."""
        end = time.monotonic() + PATIENCE
        while not true():
            assert self.process.is_alive() and time.monotonic() < end, self.stderr
            time.sleep(0.02)

    def says(self, words: str) -> None:
        """Wait until its output contains the words."""
        self.until(lambda: words in self.stdout)

    @property
    def pid(self) -> int:
        return self.process.pid or 0

    @property
    def returncode(self) -> int | None:
        """As subprocess tells it: -9 after SIGKILL."""
        return self.process.exitcode

    @property
    def stdout(self) -> str:
        return self._read("stdout")

    @property
    def stderr(self) -> str:
        return self._read("stderr")

    def _read(self, name: str) -> str:
        file = Path(self.folder.name) / name
        return file.read_text() if file.exists() else ""


def fork(code: str, *arguments: str, cwd: Path | None = None, environ: dict[str, str] | None = None) -> Forked:
    """Begin a process that runs a program.

    Args:
        code: the program.
        arguments: its sys.argv[1:].
        cwd: None = where the tests run.
        environ: None = this process' environment; what a library reads when it is imported has been read.
    """
    folder = TemporaryDirectory(prefix="forked-", ignore_cleanup_errors=True)
    variables = dict(os.environ) if environ is None else environ
    paths = os.pathsep.join((str(ROOT), str(Path(__file__).parent)))
    with patch.dict(os.environ, {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}):  # read where all are forked from
        given = (code, arguments, cwd, variables, folder.name)
        process = _context().Process(target=_run, args=given, daemon=True)  # type: ignore[attr-defined]
        process.start()
    return Forked(process, folder)


def _context() -> BaseContext:
    can_fork = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if can_fork else "spawn")
    context.set_forkserver_preload(HEAVY)
    return context


def _run(code: str, arguments: tuple[str, ...], cwd: Path | None, environ: dict[str, str], folder: str) -> None:
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(Path(folder) / name, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["program", *arguments]
    if cwd is not None:
        os.chdir(cwd)
    exec(code, {"__name__": "__main__"})
