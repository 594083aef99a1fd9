"""`python -m emofeedback.deploy.kill_test`: kill -9 at random points while results, history and jobs are written.

After each kill: no file is half-written, history opens with every run that was answered, and a job that goes on ends in
the same weights, to the byte, as one that was never killed. Exit code 1 where that fails once.
"""

import argparse
import contextlib
import json
import logging
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from emofeedback.deploy.check_report import CheckReport
from emofeedback.deploy.space import ROOT
from emofeedback.errors import UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.files.png_settings import read_settings
from emofeedback.files.storage import results_folder

logger = logging.getLogger(__name__)
SMALL = ["--steps", "2", "--seed", "5", "--device", "cpu"]
GENERATE = ["generate", "a boat on a lake", "--valence=0.5", "--arousal=0.2", "--rounds=2", "--candidates=2", *SMALL]
TUNE = ["finetune", "--updates=2", "--group=4", "--prompts-per-update=1", "--audit-pictures=2", "--audit-every=1"]
HISTORY = """
import sys
from pathlib import Path
from emofeedback.files.run_json import run_from_json
from emofeedback.history.store import History
from PIL import Image
import json
example = Path(sys.argv[2])
data = json.loads((example / "run.json").read_text(encoding="utf-8"))
run = run_from_json(data, lambda image: Image.open(example / Path(image).name).convert("RGB"))
history = History(Path(sys.argv[1]))
for _ in range(1000):
    print(history.add(run, "visitor"), flush=True)
"""
SHARED = 10
"""Kills of one history, which is looked through as a whole after each."""
PATIENCE = 1800.0
"""Seconds after which a command hangs."""
TIMES = {"elapsed"}
"""What of a training state is no two runs' same."""


def killed(command: list[str], after: float, until: Callable[[], bool] = lambda: True) -> str:
    """Start a command, kill it so many seconds after `until()` is true; what it had printed."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT)
    end = time.monotonic() + PATIENCE
    while process.poll() is None and not until() and time.monotonic() < end:
        time.sleep(0.02)
    try:
        process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    return process.communicate()[0]


def half_written(folder: Path) -> list[str]:
    """Files that are there under their own name and not whole."""
    wrong = []
    for file in folder.rglob("*"):
        if not file.is_file() or file.name.startswith(".") or any(p.startswith(".") for p in file.parts):
            continue
        try:
            if file.suffix == ".png":
                open_picture(file)
            elif file.suffix == ".json":
                json.loads(file.read_text(encoding="utf-8"))
            elif file.suffix == ".safetensors":
                with safe_open(file, framework="np"):
                    pass
        except (UserError, ValueError, SafetensorError) as error:
            wrong.append(f"{file.name} is not whole ({str(error)[:80]})")
    return wrong


def emofeedback(*arguments: str) -> list[str]:
    """The command line of this checkout."""
    return [sys.executable, "-m", "emofeedback", *arguments]


def whole(command: list[str]) -> float:
    """Run a command to its end; its seconds.

    Raises:
        UserError: it failed.
    """
    begin = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise UserError(f"{' '.join(command[2:4])} did not end within {PATIENCE:.0f} s.") from None
    if done.returncode:
        raise UserError(f"{' '.join(command[2:4])} failed: {done.stderr.strip()[-200:]}")
    return time.monotonic() - begin


def kill_generate(report: CheckReport, folder: Path) -> None:
    """Pictures and run.json of `generate`; what was hidden is swept by the next start."""
    out = folder / "whole"
    seconds = whole(emofeedback(*GENERATE, "--out", str(out)))
    wanted = {file.name: open_picture(file).tobytes() for file in out.glob("*.png")}
    for number in report.left("generate"):
        out, rng = folder / f"generate-{number}", _random(report, "generate", number)
        # most of the time is spent on loading: the second half is where files are written
        killed(emofeedback(*GENERATE, "--out", str(out)), rng.uniform(0.4, 1.1) * seconds)
        wrong = half_written(out)
        for file in out.glob("*.png"):
            with contextlib.suppress(UserError):  # one that is not whole was told already
                if open_picture(file).tobytes() != wanted.get(file.name) or read_settings(file).seed is None:
                    wrong.append(f"{file.name} is another picture")
        if out.is_dir():
            with results_folder(out):
                wrong += [f"{left.name} is left" for left in out.rglob("*.tmp")]
        report.count("generate", wrong)
        shutil.rmtree(out, ignore_errors=True)


def kill_history(report: CheckReport, folder: Path) -> None:
    """Runs that are kept: each whose id was told is there, with whole pictures, and nothing besides."""
    from emofeedback.history.store import History  # what the command needs, and it takes a second

    told: set[str] = set()
    script = folder / "add.py"
    script.write_text(HISTORY, encoding="utf-8")
    for number in report.left("history"):
        rng, place = _random(report, "history", number), folder / f"history-{number // SHARED}"
        if not place.is_dir():
            told = set()
        command = [sys.executable, str(script), str(place), str(ROOT / "assets" / "example_run")]
        begun = len(list((place / "runs").glob("*"))) if place.is_dir() else 0

        def goes(begun: int = begun, place: Path = place) -> bool:
            return place.is_dir() and len(list((place / "runs").glob("*"))) > begun

        told |= set(killed(command, rng.uniform(0.0, 1.0), goes).split())
        history = History(place)
        found = {entry.id: history.get(entry.id, "visitor") for entry in _all(history)}
        wrong = [f"run {key} was answered and is lost" for key in told - found.keys()]
        for saved in found.values():
            wrong += half_written(saved.folder)
            wrong += [f"{p['image']} is missing" for p in saved.pictures() if not (saved.folder / p["image"]).is_file()]
        extra = {p.name for p in (place / "runs").iterdir()} - found.keys()
        report.count("history", wrong + [f"{name} has no row" for name in extra])


def _random(report: CheckReport, what: str, number: int) -> random.Random:
    """When a kill comes depends on its number alone, so that a test that was broken off goes on as it had begun."""
    return random.Random(f"{report.seed} {what} {number}")


def _all(history: Any) -> list[Any]:
    found: list[Any] = []
    while page := history.search("visitor", limit=200, offset=len(found)).entries:
        found += page
    return found


def kill_finetune(report: CheckReport, folder: Path) -> None:
    """Jobs that are killed and go on, until they end: the same state as that of a job without a kill."""
    out = folder / "straight"
    seconds = whole(emofeedback(*TUNE, *SMALL, "--out", str(out)))
    wanted = state_of(out)
    for number in report.left("finetune"):
        out, rng = folder / f"finetune-{number}", _random(report, "finetune", number)
        killed(emofeedback(*TUNE, *SMALL, "--out", str(out)), rng.uniform(0.2, 1.0) * seconds)
        wrong = half_written(out)
        begun = (out / "job.json").is_file()
        again = ["finetune", "--resume"] if begun else [*TUNE, *SMALL]
        try:
            whole(emofeedback(*again, "--out", str(out)))
            if state_of(out) != wanted:
                wrong.append("the job that went on ended in another state")
        except (UserError, OSError, SafetensorError) as error:
            wrong.append(f"the job did not go on ({str(error)[:200]})")
        report.count("finetune", wrong)
        shutil.rmtree(out, ignore_errors=True)


def state_of(job: Path) -> dict[str, Any]:
    """All tensors of a job's state as bytes, and the rest of it without times."""
    with safe_open(job / "training" / "state.safetensors", framework="np") as stream:
        tensors = {key: stream.get_tensor(key).tobytes() for key in stream.keys()}  # noqa: SIM118
        items = json.loads(stream.metadata()["tree"])["items"]
    return {"tensors": tensors, "rest": [item for item in items if item[0] not in TIMES]}


def main() -> int:
    """Kill, look, report as one JSON object on standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generate", type=int, default=60, help="kills of generate (60)")
    parser.add_argument("--history", type=int, default=100, help="kills of history being written (100)")
    parser.add_argument("--finetune", type=int, default=40, help="kills of fine-tuning jobs (40)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", type=Path, help="kept in this file after each kill; it goes on from what is there")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    wanted = {"history": given.history, "generate": given.generate, "finetune": given.finetune}
    try:
        report = CheckReport(wanted, given.seed, given.report, logger.info)
    except UserError as error:
        parser.error(str(error))
    try:
        with tempfile.TemporaryDirectory(prefix="kills-") as name:
            for what, work in (("history", kill_history), ("generate", kill_generate), ("finetune", kill_finetune)):
                if report.left(what):
                    (Path(name) / what).mkdir()
                    work(report, Path(name) / what)
    except UserError as error:  # a run without a kill failed
        logger.error("%s", error)
        return 1
    report.keep()
    sys.stdout.write(json.dumps(report.as_json(), indent=1) + "\n")
    return 1 if report.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
