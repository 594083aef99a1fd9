"""What the machine does to the program: busy cores, odd terminals, missing homes, noisy libraries."""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from patience import PATIENCE

from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.evaluation.raters import scene_rater
from emofeedback.evaluation.raters.scene_rater import SceneRater
from emofeedback.generators.scene import checkpoint_loading
from emofeedback.generators.scene.checkpoint_loading import load_pipeline
from emofeedback.home import expanded
from emofeedback.judges.scene import scene_judge
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.machine import loading
from emofeedback.machine.kept_threads import on_kept_thread
from emofeedback.machine.memory import give_back
from emofeedback.machine.server_port import free_port
from emofeedback.machine.temporary import sweep
from emofeedback.ui import worker
from emofeedback.ui.session import Models, Visit

ROOT = Path(__file__).resolve().parents[2]
WATCHED = """
import os, sys
class Watch:
    def find_spec(self, name, path, target=None):
        if name == "torch":
            os.write(1, ("[" + os.environ.get("OMP_WAIT_POLICY", "unset") + "]").encode())
            os._exit(0)
sys.meta_path.insert(0, Watch())
"""
"""Ends the process when torch is imported and tells how its threads would wait."""


def environment(**more: str) -> dict[str, str]:
    """This process' environment without what it may have set itself, and more."""
    own = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "EMOFEEDBACK_", "TRANSFORMERS_VERB", "DIFFUSERS_VERB")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return kept | {"PYTHONPATH": str(ROOT)} | more


def start(environ: dict[str, str], code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize(
    ("given", "policy"),
    [({}, "[PASSIVE]"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "[ACTIVE]"), ({"GOMP_SPINCOUNT": "9"}, "[unset]")],
)
def test_threads_sleep_while_they_wait(tmp_path: Path, given: dict[str, str], policy: str) -> None:
    """Beside one busy process an update took ten times as long: the threads of torch spun on the core it needed."""
    code = WATCHED + "import runpy; runpy.run_module('emofeedback', run_name='__main__')"
    done = start(environment(EMOFEEDBACK_DATA=str(tmp_path), **given), code, "doctor")
    assert policy in done.stdout, done.stderr


STARTS = """
import json, os, pwd, socket, sys
def unknown(number): raise KeyError(number)
pwd.getpwuid = unknown
import app

def launched(*given, **more):
    print("\\N{HAMMER} served")
    print(json.dumps([os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules]))

app.studio.launch = launched
other = socket.create_server(("127.0.0.1", 0))
for given in json.loads(sys.argv[1]):
    for name in ("EMOFEEDBACK_DATA", "GRADIO_SERVER_PORT"):
        os.environ.pop(name, None)
    os.environ.update({name: value.replace("USED", str(other.getsockname()[1])) for name, value in given.items()})
    try:
        app.main()
        print(json.dumps("served"))
    except SystemExit as end:
        print(json.dumps(end.code))
"""
"""The app up to the point where it would serve, several times: without HOME, and nobody has this user's number."""


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The lines that each start left where there is no home and output is no UTF-8; its last says how it ended."""
    if os.name != "posix":
        pytest.skip("user numbers")
    data = str(tmp_path_factory.mktemp("data"))
    given = {
        "data": {"EMOFEEDBACK_DATA": data},
        "nothing": {},
        "tilde": {"EMOFEEDBACK_DATA": "~/data"},
        "used port": {"EMOFEEDBACK_DATA": data, "GRADIO_SERVER_PORT": "USED"},
    }
    environ = environment(PYTHONIOENCODING="cp1252")
    environ.pop("HOME", None)
    done = start(environ, STARTS, json.dumps(list(given.values())))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = iter(done.stdout.splitlines())
    return {name: [next(lines) for _ in range(3 if name == "data" else 1)] for name in given}


def test_the_studio_starts_where_output_is_not_utf8(starts: dict[str, list[str]]) -> None:
    """Gradio prints an emoji: on a Windows console, or with redirected output, the studio died at its start."""
    assert starts["data"][0] == "\\U0001f528 served" and starts["data"][2] == '"served"'


def test_threads_of_the_studio_sleep_too(starts: dict[str, list[str]]) -> None:
    assert json.loads(starts["data"][1]) == ["PASSIVE", False], "said before torch is imported"


def test_no_home_is_one_sentence_and_not_looked_for_in_vain(starts: dict[str, list[str]]) -> None:
    """HOME unset and an unknown user number (containers) ended in a traceback."""
    nothing, tilde = json.loads(starts["nothing"][0]), json.loads(starts["tilde"][0])
    assert "EMOFEEDBACK_DATA" in nothing and "\n" not in nothing
    assert "home folder is unknown" in tilde and "\n" not in tilde


def test_a_port_that_is_asked_for_is_the_one_or_refused(starts: dict[str, list[str]], tmp_path: Path) -> None:
    """A used port was silently changed for the next one; a port out of range was a traceback."""
    refused = json.loads(starts["used port"][0])
    assert refused.startswith("Port ") and "cannot be used" in refused and "\n" not in refused
    run_app = "import runpy; runpy.run_path('app.py', run_name='__main__')"
    for port in ("70000", "http"):
        done = start(environment(EMOFEEDBACK_DATA=str(tmp_path), GRADIO_SERVER_PORT=port), run_app)
        assert done.returncode == 1 and done.stdout == "", done.stderr
        assert len(done.stderr.splitlines()) == 1 and port in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as other:
        used = other.getsockname()[1]
        with pytest.raises(UserError, match="cannot be used"):
            free_port({"GRADIO_SERVER_PORT": str(used)}, "0.0.0.0")
    assert free_port({"GRADIO_SERVER_PORT": str(used)}, None) == used
    assert free_port({}, None) is None


def test_a_tilde_that_the_shell_left_is_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--out=~/x` made a folder that is called ~."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert main(["render", "--count", "1", "--size", "64", "--out=~/x"]) == 0
    assert len(list((tmp_path / "home" / "x").glob("*.png"))) == 1 and not Path("~").exists()
    assert expanded("~nobody-of-this-name.png") == Path("~nobody-of-this-name.png")


@pytest.mark.skipif(find_spec("torchao") is None, reason="torchao is optional")
def test_no_optional_package_is_heard(tmp_path: Path) -> None:
    """Where torchao is installed, the app and every command began with four warnings of its import."""
    code = "from emofeedback.machine.quiet import quiet_libraries; quiet_libraries(); from emofeedback import build"
    code = f"import logging; logging.basicConfig(level=logging.INFO); {code}"
    environ = environment() | {"PYTHONWARNINGS": "ignore"}
    done = start(environ, code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


FOLDER = "from emofeedback.machine.temporary import process_folder; f = process_folder(); (f / 'a').mkdir(); "


def folder_left_by(tmp_path: Path, then: str) -> Path | None:
    """What a process leaves that makes its folder and does this."""
    before = set(tmp_path.iterdir())
    environ = environment(TMPDIR=str(tmp_path), TEMP=str(tmp_path))
    subprocess.run([sys.executable, "-c", FOLDER + then], env=environ, cwd=ROOT, timeout=PATIENCE)
    return next(iter(set(tmp_path.iterdir()) - before), None)


def test_temporary_folders_go_with_their_process_or_at_the_next_start(tmp_path: Path) -> None:
    """After an hour of starts and kills about 100 of them lay in the temporary directory."""
    assert folder_left_by(tmp_path, "(f / 'a' / 'b').touch()") is None
    killed = folder_left_by(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert killed is not None and (killed / "a").is_dir()
    others = {
        "living": {"pid": os.getppid(), "host": socket.gethostname()},
        "elsewhere": {"pid": json.loads((killed / "owner.json").read_text())["pid"], "host": "another container"},
        "odd": {"pid": "1; rm -rf /", "host": socket.gethostname()},
    }
    for name, owner in others.items():
        (tmp_path / f"emofeedback-{name}").mkdir()
        (tmp_path / f"emofeedback-{name}" / "owner.json").write_text(json.dumps(owner))
    (tmp_path / "emofeedback-new").mkdir()
    assert folder_left_by(tmp_path, "") is None and not killed.exists()
    assert {path.name.removeprefix("emofeedback-") for path in tmp_path.iterdir()} == {*others, "new"}
    os.symlink(tmp_path / "emofeedback-living", tmp_path / "emofeedback-link")
    sweep(tmp_path)
    assert (tmp_path / "emofeedback-living").is_dir() and (tmp_path / "emofeedback-link").is_symlink()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_stopped_studio_leaves_no_temporary_folder(tmp_path: Path) -> None:
    """A server is stopped with SIGTERM, of which nothing was tidied."""
    environ = environment(TMPDIR=str(tmp_path), EMOFEEDBACK_DATA=str(tmp_path / "data"), PYTHONUNBUFFERED="1")
    environ["EMOFEEDBACK_CHECKPOINTS"] = str(tmp_path)  # no models: they are not needed
    process = subprocess.Popen([sys.executable, "app.py"], env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any("Running on" in line for line in process.stdout)
    assert len(list(tmp_path.glob("emofeedback-*"))) == 1
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143 and not list(tmp_path.glob("emofeedback-*"))


@pytest.mark.skipif(sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="glibc's own")
def test_memory_that_nobody_uses_goes_back_to_the_system() -> None:
    """glibc keeps what was freed below something that is still in use: eight jobs of one update left 4.9 GB."""
    process = psutil.Process()
    held = [bytearray(64_000) for _ in range(2000)]
    last = held[-1]
    full = process.memory_info().rss
    del held
    give_back()
    assert full - process.memory_info().rss > 80 * 2**20 and len(last) == 64_000


def test_a_long_job_gives_its_memory_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(worker, "give_back", lambda: order.append("given back"))
    models, visit = Models(lambda: (object(), object())), Visit(tmp_path)  # type: ignore[arg-type,return-value]
    models.start()
    posts = worker.on_thread(models, visit, threading.Event(), lambda post: order.append("worked"), lambda: None)
    assert not any(posts) and order == ["worked", "given back"]


def test_threads_that_models_work_on_are_kept() -> None:
    """A picture of its own thread each took half as long again: torch set up its threads anew every time."""
    where: list[int] = []
    for _ in range(3):
        assert on_kept_thread(lambda: where.append(threading.get_ident())).wait(PATIENCE)
    assert len(set(where)) == 1 and where[0] != threading.get_ident()
    meet = threading.Barrier(3)

    def met() -> None:
        where.append(threading.get_ident())
        meet.wait(PATIENCE)

    several = [on_kept_thread(met) for _ in range(3)]
    assert all(over.wait(PATIENCE) for over in several) and len(set(where[3:])) == 3


def others_may_load() -> bool:
    free: list[bool] = []

    def try_it() -> None:
        free.append(loading._lock.acquire(blocking=False))
        if free[-1]:
            loading._lock.release()

    assert on_kept_thread(try_it).wait(PATIENCE)
    return free[0]


def test_models_are_loaded_one_at_a_time() -> None:
    """Two loads at once left torch's default dtype at bfloat16 for the whole process."""
    with loading.one_at_a_time(), loading.one_at_a_time():
        assert not others_may_load()
    assert others_may_load()


@pytest.mark.parametrize(
    ("module", "kind", "load"),
    [
        (checkpoint_loading, "StableDiffusion3Pipeline", lambda folder: load_pipeline(folder, torch.float32)),
        (scene_judge, "LlavaForConditionalGeneration", SceneJudge.from_pretrained),
        (scene_rater, "ResNetForImageClassification", SceneRater.from_pretrained),
    ],
)
def test_while_a_checkpoint_is_loaded_no_other_is(
    module: Any, kind: str, load: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free: list[bool] = []

    def meanwhile(*args: Any, **more: Any) -> None:
        free.append(others_may_load())
        raise ValueError("so far")

    monkeypatch.setattr(module, "verify_folder", lambda *args: None)
    monkeypatch.setattr(getattr(module, kind), "from_pretrained", meanwhile)
    with pytest.raises(UserError):
        load(tmp_path)
    assert free == [False]
