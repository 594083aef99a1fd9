"""One command over two processes: each reads or draws its part, the main one writes and speaks."""

import json
import os
import socket
from pathlib import Path

import pytest
from forked import COMMAND, Forked, fork
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.machine.processes import Processes

WORKER = """
import json, sys
from emofeedback.errors import UserError
from emofeedback.machine.processes import Processes

processes = Processes.join(cpu=True)
items = list(range(int(sys.argv[1])))
mine = processes.part(items)
failure = UserError("Part two is broken.") if len(sys.argv) > 2 and processes.rank == 1 else None
try:
    found = processes.gather([(processes.rank, item) for item in mine], failure)
except UserError as error:
    found = str(error)
print(json.dumps(found), flush=True)
processes.leave()
print("main speaks", flush=True)
"""


def both(code: str, *arguments: str, **more: str) -> list[Forked]:
    """Two processes that ran a program together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {**os.environ, **more, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = [fork(code, *arguments, environ=shared | {"RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")]
    return [rank.wait() for rank in ranks]


def test_alone_everything_is_the_identity() -> None:
    processes = Processes.join({})
    assert processes == Processes.join({"WORLD_SIZE": "1"}) == Processes() and processes.main
    assert processes.part([1, 2, 3]) == processes.gather([1, 2, 3]) == [1, 2, 3]
    assert processes.own_device("auto") == "auto"
    processes.leave()
    with pytest.raises(UserError, match="broken"):
        processes.gather([], UserError("It is broken."))


@pytest.mark.parametrize("count", [1, 5])
def test_parts_are_gathered_in_order_by_everybody(count: int) -> None:
    first, second = both(WORKER, str(count))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    lines = first.stdout.splitlines()
    rows = json.loads(lines[0])
    assert [item for _, item in rows] == list(range(count))
    assert json.loads(second.stdout.splitlines()[0]) == rows
    assert lines[1:] == ["main speaks"] and "main speaks" not in second.stdout
    if count == 5:
        assert [rank for rank, _ in rows] == [0, 0, 0, 1, 1]


def test_a_failure_of_one_is_the_failure_of_all() -> None:
    for done in both(WORKER, "4", "break"):
        assert json.loads(done.stdout.splitlines()[0]) == "Part two is broken."


def test_a_folder_is_estimated_by_two_as_by_one(tmp_path: Path) -> None:
    for k in range(3):
        Image.new("RGB", (64, 64), (80 * k, 120, 200)).save(tmp_path / f"{k}.png")
    command = ["estimate", str(tmp_path), "--device", "cpu", "--json"]
    first, second = both(COMMAND, *command)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert second.stdout == ""
    alone = fork(COMMAND, *command).wait()
    ours, theirs = json.loads(first.stdout), json.loads(alone.stdout)
    assert [Path(row["image"]).name for row in ours["readings"]] == ["0.png", "1.png", "2.png"]
    for a, b in zip(ours["readings"], theirs["readings"], strict=True):
        assert a["valence"] == pytest.approx(b["valence"], abs=1e-4)


SWEEP = """
import sys
from emofeedback.cli import main
from emofeedback import build

class Breaks:
    name, default_steps = "breaks", 1
    def generate(self, requests, on_step=None):
        raise ValueError("no such layer")

import os
if len(sys.argv) > 1:
    if os.environ["RANK"] == sys.argv[1]:
        build.build_generator = lambda settings: Breaks()
sys.exit(main(["sweep", "a lake", "--grid", "2", "--device", "cpu", "--steps", "1", "--out", os.environ["WORK"]]))
"""


@pytest.mark.parametrize("broken", ["0", "1"])
def test_a_sweep_that_fails_in_one_process_ends_in_both_with_a_sentence(broken: str, tmp_path: Path) -> None:
    """The other process waited for the part that never came, then died of the transport's own error."""
    first, second = both(SWEEP, broken, WORK=str(tmp_path / "out"))
    for done in (first, second):
        assert done.returncode == 1 and "Traceback" not in done.stderr and "gloo" not in done.stderr.lower()
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("emofeedback sweep: ") and "no such layer" in last
    other = (second, first)[int(broken)]
    assert f"Process {broken} of 2 failed" in other.stderr


def test_models_that_are_missing_in_one_process_are_missed_in_both(tmp_path: Path) -> None:
    command = "import os, sys\nfrom emofeedback.cli import main\n"
    command += "judge = ['--judge', 'nowhere'] if os.environ['RANK'] == '1' else []\n"
    command += f"sys.exit(main(['sweep', 'a lake', '--device', 'cpu', '--out', {str(tmp_path / 'out')!r}, *judge]))"
    for done in both(command):
        assert done.returncode == 1
        assert "There is no judge 'nowhere'" in done.stderr.strip().splitlines()[-1]


KILLED = """
import os, signal
from emofeedback.errors import UserError
from emofeedback.machine.processes import Processes

processes = Processes.join(cpu=True)
processes.total(1.0)
if not processes.main:
    os.kill(os.getpid(), signal.SIGKILL)
try:
    processes.total(1.0)
except UserError as error:
    print(error)
"""


def test_a_process_that_is_gone_is_said_in_a_sentence() -> None:
    """What is left of a killed process is an error of the transport; it was shown as it came."""
    first, second = both(KILLED)
    assert "ended before its work was done" in first.stdout and second.returncode == -9
