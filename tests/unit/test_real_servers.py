"""Real servers with a tiny model that answers: estimate, advice and a run of two rounds; skipped where not installed.

`pip install "transformers[serving]" gguf` brings one, and any llama-server of llama.cpp on the PATH is the other.
"""

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fakes import PaintGenerator
from patience import PATIENCE
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.build import build_judge
from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import Finished, RunOrder, run_loop
from emofeedback.records import Attempt, Edit, Picture, PictureRequest
from emofeedback.servers.chat import ChatServer, only_model
from emofeedback.settings import Settings

PROMPT = "a boat on a lake"
PICTURE = Picture(Image.new("RGB", (40, 30), "navy"), PictureRequest(PROMPT, None, 0), "test", 0.0)
NAMES = ("llama-server", "llama-server-vulkan", "llama-cpp-server")


def llama_server() -> str | None:
    """llama.cpp's server on the PATH, or installed beside this Python."""
    beside = str(Path(sys.executable).parent)
    return next((found for name in NAMES if (found := shutil.which(name) or shutil.which(name, path=beside))), None)


LLAMA = llama_server()
needs_llama = pytest.mark.skipif(
    LLAMA is None or importlib.util.find_spec("gguf") is None, reason="needs llama.cpp's llama-server and gguf"
)
needs_serve = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason='needs "transformers[serving]"')


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(url: str, alive: subprocess.Popen[bytes] | None = None) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and (alive is None or alive.poll() is None):
        with contextlib.suppress(httpx2.HTTPError):
            if httpx2.get(url).status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail(f"the server at {url} did not start")


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_talker import save_talking

    return save_talking(tmp_path_factory.mktemp("talker"))


@contextlib.contextmanager
def llama(folder: Path, *options: str) -> Iterator[str]:
    """llama.cpp's server with the model's text part and these options; yields its address."""
    from tiny_talker import save_gguf

    if not (folder / "text.gguf").is_file():
        save_gguf(folder)
    port = free_port()
    command = [str(LLAMA), "-m", str(folder / "text.gguf"), "--host", "127.0.0.1", "--port", str(port), *options]
    with (folder / "llama.log").open("wb") as log:
        process = subprocess.Popen([*command, "-t", "1", "--no-warmup"], stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def served_by_transformers(talker: Path) -> Iterator[str]:
    from transformers.cli.serve import Serve

    port = free_port()
    server = Serve(force_model=str(talker), host="127.0.0.1", port=port, device="cpu", non_blocking=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}/v1#{talker}"
    finally:
        server.kill_server()


@pytest.fixture(scope="module")
def served_by_llama(talker: Path) -> Iterator[str]:
    with llama(talker, "--mmproj", str(talker / "eye.gguf"), "-c", "4096") as url:
        yield url


@pytest.mark.parametrize(
    ("server", "method"),
    [
        pytest.param("served_by_transformers", "median of 1 sampled ratings", marks=needs_serve),
        pytest.param("served_by_llama", "expected value of top logprobs", marks=needs_llama),
    ],
)
def test_a_real_server_reads_advises_and_runs_two_rounds(
    server: str, method: str, request: pytest.FixtureRequest
) -> None:
    judge = build_judge(Settings(judge=request.getfixturevalue(server)))
    assert isinstance(judge, RemoteJudge)
    judge.samples = 1  # the same each time, and each is a request
    [reading] = judge.read([PICTURE])
    assert reading is not None and reading.method is not None and reading.method.startswith(method)
    assert reading.mass > 0.9 and reading.affect.distance(Affect(0, 0)) < 0.1, "both orders say 6, which is the middle"
    assert "boat" in reading.words() and reading.words()[0] == "lake"
    assert judge.shows([PICTURE], [PROMPT]) == [pytest.approx(1.0, abs=0.1)]
    critique = judge.advise([Attempt(PROMPT, PICTURE, reading)], Affect(0.7, 0.5))
    assert critique is not None and critique.edits == (Edit("add", new="at sunset"),)
    judge.describe = False
    order = RunOrder(PROMPT, Affect(0.7, 0.5), Drawing(candidates=1), Rules(rounds=2))
    *_, finished = run_loop(PaintGenerator(), judge, order)
    assert isinstance(finished, Finished) and len(finished.run.rounds) == 2, finished
    assert "at sunset" in finished.run.rounds[1].prompt and finished.run.rounds[1].best().reading is not None


@needs_llama
def test_the_command_line_reads_a_picture_with_the_only_model_of_a_server(
    served_by_llama: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    PICTURE.image.save(tmp_path / "lake.png")
    assert main(["estimate", str(tmp_path / "lake.png"), "--judge", served_by_llama]) == 0
    assert "sees lake, boat" in capsys.readouterr().out


@needs_llama
def test_what_llama_cpp_says_is_passed_on_with_what_to_do(talker: Path) -> None:
    for options, said, mend in (
        ((), "mmproj", "choose a vision-language model (llama.cpp: with its --mmproj)"),
        (("--mmproj", str(talker / "eye.gguf"), "-c", "64"), "context size", "llama.cpp: -c"),
    ):
        with llama(talker, *options) as url, pytest.raises(UserError) as caught:
            RemoteJudge(ChatServer(only_model(url, None), url)).shows([PICTURE], ["a boat " * 600])
        assert said in str(caught.value) and mend in str(caught.value), caught.value
