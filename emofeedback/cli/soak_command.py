"""`soak`: many users at once against the studio's API, for some minutes."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emofeedback.cli.console import CommandResult, Console
from emofeedback.cli.soak_options import SoakOptions
from emofeedback.deploy.space import ROOT
from emofeedback.errors import UserError
from emofeedback.files.storage import results_folder, write_json

START_SECONDS, STOP_SECONDS = 300.0, 120.0


def run(arguments: SoakOptions, console: Console) -> CommandResult:
    """Soak a studio that runs, or one that is started here and stopped again."""
    from emofeedback.deploy.soak import Tally, memory_of, soak

    told = 0

    def tell(tally: Tally) -> None:
        """A line a minute, and the report so far: what a soak of hours found is not lost with its terminal."""
        nonlocal told
        console.progress(f"{arguments.users} users, {len(tally.seconds)} calls")
        minute = int(tally.lasted // 60)
        if minute > told:
            told = minute
            held = f", {tally.memory[-1][1]:.0f} MB" if tally.memory else ""
            wrong = len(tally.errors) + len(tally.mix_ups) + len(tally.foreign)
            console.note(f"minute {minute} of {arguments.minutes:g}: {len(tally.seconds)} calls, {wrong} wrong{held}")
            keep(tally, complete=False)

    def keep(tally: Tally, complete: bool) -> dict[str, Any]:
        data = tally.report(arguments.users) | {"minutes": arguments.minutes, "complete": complete}
        if arguments.out is not None:
            with results_folder(arguments.out) as folder:
                write_json(folder / "soak.json", data)
        return data

    def work(url: str, pid: int | None) -> Tally:
        return soak(
            url,
            arguments.users,
            60 * arguments.minutes,
            memory=lambda: None if pid is None else memory_of(pid),
            progress=tell,
        )

    if arguments.url:
        tally = work(arguments.url, arguments.pid)
    else:
        console.progress("starting a studio")
        with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
            with studio(Path(temporary)) as (url, pid):
                tally = work(url, pid)
            tally.left_behind = sum(len(files) for _, _, files in os.walk(temporary))
    data = keep(tally, complete=True)
    grown = "not watched" if data["memory_growth"] is None else f"{100 * data['memory_growth']:+.1f} %"
    text = (
        f"{data['users']} users, {data['calls']} calls in {arguments.minutes:g} min, {data['cancelled']} cancelled: "
        f"{data['errors']} errors, {data['mix_ups']} mix-ups, {data['foreign_reads']} reads of others' files, "
        f"median {data['median_seconds']} s, memory {grown}, {data['files_left_behind'] or 0} files left behind"
    )
    return CommandResult(data, "\n".join([text, *data["first_errors"], *data["first_mix_ups"]]), done=tally.good())


@contextmanager
def studio(folder: Path, **environment: str) -> Iterator[tuple[str, int]]:
    """A studio of this checkout on a free port; the address and the process.

    Args:
        folder: its temporary files lie there while it runs.
        environment: variables of its own.
    """
    if not (ROOT / "app.py").is_file():
        raise UserError("There is no app.py beside the package; start a studio yourself and name it with --url.")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environ = os.environ | {"GRADIO_SERVER_PORT": str(port), "PYTHONPATH": paths, "TMPDIR": str(folder)} | environment
    environ.pop("GRADIO_TEMP_DIR", None)
    app = subprocess.Popen(
        [sys.executable, str(ROOT / "app.py")], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url, end = f"http://127.0.0.1:{port}/", time.monotonic() + START_SECONDS
        while not _answers(url):
            if app.poll() is not None or time.monotonic() > end:
                raise UserError("The studio did not start; run `python app.py` to see why.")
            time.sleep(0.5)
        yield url, app.pid
    finally:
        app.terminate()
        try:
            app.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            app.kill()
            app.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
