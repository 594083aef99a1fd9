"""The folder for a Space: whole, small, refused where something lies there; the app starts from exactly it."""

import multiprocessing
import os
import pickle
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from gradio_client import Client
from patience import PATIENCE
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.cli import main
from emofeedback.deploy.space import MAX_BYTES, ROOT, requirements, write_space
from emofeedback.deploy.zero_gpu import on_zero_gpu
from emofeedback.errors import Cancelled, UserError
from emofeedback.loop.drawing import Drawing, Progress, draw_pictures
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import Finished, RunOrder, run_loop
from emofeedback.protocols import ShowsPrompt
from emofeedback.records import PictureRequest
from emofeedback.settings import Settings, checkpoint_folder

BUNDLED = [checkpoint_folder(Settings(), name) for name in ("scene-generator", "scene-judge")]
needs_models = pytest.mark.skipif(
    not all(folder.is_dir() for folder in BUNDLED), reason="the bundled checkpoints are not here"
)
PINS = ["gradio==6.31.0", "mcp==1.30.0", "pydantic==2.12.5", "torch==2.13.0", "pillow==12.3.0"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with small files in place of the models."""
    root = tmp_path / "root"
    for name in ("scene-generator", "scene-judge", "scene-rater"):
        (root / "checkpoints" / name).mkdir(parents=True)
        (root / "checkpoints" / name / "model.safetensors").write_bytes(b"0" * 100)
    (root / "emofeedback" / "__pycache__").mkdir(parents=True)
    (root / "emofeedback" / "__init__.py").write_text("")
    for name in ("app.py", "LICENSE", "NOTICE", ".secret"):
        (root / name).write_text("x")
    (root / "requirements.txt").write_text("\n".join(PINS))
    return root


def test_requirements_suit_the_hardware() -> None:
    cpu, zero, gpu = (requirements(PINS, name) for name in ("cpu-basic", "zero-gpu", "l4x1"))
    assert cpu.startswith("--extra-index-url https://download.pytorch.org/whl/cpu\n") and "torch==2.13.0" in cpu
    assert "spaces" in zero and "torch>=2.9,<2.12" in zero and "torch==" not in zero
    assert "index-url" not in gpu and "spaces" not in gpu
    assert all("gradio[mcp]==6.31.0" in text and "pydantic" not in text for text in (cpu, zero, gpu))


def test_only_what_is_needed_is_there(checkout: Path, tmp_path: Path) -> None:
    write_space(tmp_path / "cpu", "cpu-basic", root=checkout)
    names = {p.relative_to(tmp_path / "cpu").as_posix() for p in (tmp_path / "cpu").rglob("*") if p.is_file()}
    assert names == {
        "README.md",
        "app.py",
        "LICENSE",
        "NOTICE",
        "requirements.txt",
        "emofeedback/__init__.py",
        "checkpoints/scene-generator/model.safetensors",
        "checkpoints/scene-judge/model.safetensors",
    }
    write_space(tmp_path / "gpu", "l4x1", root=checkout)
    assert (tmp_path / "gpu" / "checkpoints" / "scene-rater").is_dir()
    front = (tmp_path / "gpu" / "README.md").read_text().split("---")[1]
    assert "sdk_version: 6.31.0" in front and "suggested_hardware: l4x1" in front and "app_file: app.py" in front


def test_a_file_that_is_too_large_leaves_nothing(checkout: Path, tmp_path: Path) -> None:
    (checkout / "checkpoints" / "scene-judge" / "big.safetensors").write_bytes(b"0" * MAX_BYTES)
    with pytest.raises(UserError, match="below 10 MB"):
        write_space(tmp_path / "out", "cpu-basic", root=checkout)
    assert [p.name for p in tmp_path.iterdir()] == ["root"]


def test_a_folder_in_use_is_left_alone(checkout: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "file").write_text("keep")
    with pytest.raises(UserError, match="not an empty folder"):
        write_space(out, "cpu-basic", root=checkout)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="not an empty folder"):
        write_space(tmp_path / "link", "cpu-basic", root=checkout)
    assert (out / "file").read_text() == "keep"


def test_a_missing_model_and_a_strange_title(checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / "checkpoints" / "scene-judge")
    with pytest.raises(UserError, match="full checkout"):
        write_space(tmp_path / "out", "cpu-basic", root=checkout)
    with pytest.raises(UserError, match="title"):
        write_space(tmp_path / "out", "cpu-basic", title="x" * 100, root=checkout)


def test_the_command_says_which_hardware_there_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["space", str(tmp_path / "out"), "--hardware", "toaster"]) == 2
    assert "known are cpu-basic" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@needs_models
def test_the_app_starts_from_exactly_that_folder(tmp_path: Path) -> None:
    space = write_space(tmp_path / "space", "cpu-basic")
    assert space.largest < MAX_BYTES
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("EMOFEEDBACK_", "GRADIO_"))}
    environ |= {
        "PYTHONPATH": str(space.folder),
        "GRADIO_SERVER_PORT": str(port),
        "SPACE_ID": "me/it",
        "GRADIO_TEMP_DIR": str(tmp_path / "gradio"),
        "EMOFEEDBACK_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    with open(tmp_path / "log", "wb") as log:
        app = subprocess.Popen([sys.executable, "app.py"], cwd=space.folder, env=environ, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}/"
        wait_for(address, app, tmp_path / "log")
        path, result = Client(address, verbose=False, download_files=str(tmp_path)).predict(
            "a lighthouse by the sea", 0.7, -0.5, api_name="/preview"
        )
        assert result["reading"] is not None
        with Image.open(path) as image:
            assert image.width >= 128
        used = os.readlink(f"/proc/{app.pid}/cwd") if os.path.isdir("/proc") else str(space.folder)
        assert used == str(space.folder.resolve()) != str(ROOT)
    finally:
        app.terminate()
        app.wait(timeout=PATIENCE)


def wait_for(address: str, app: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until GET / answers 200."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert app.poll() is None, log.read_text()[-2000:]
        try:
            if httpx.get(address, timeout=PATIENCE).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(log.read_text()[-2000:])


def forked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A stand-in of `spaces.GPU`: runs in a forked process; arguments and results are pickled on the way."""
    context = multiprocessing.get_context("fork")

    def start(*values: Any) -> Any:
        packed = pickle.dumps(values)
        ours, theirs = context.Pipe()

        def work() -> None:
            try:
                result = function(*pickle.loads(packed))
                if hasattr(result, "__next__"):
                    for item in result:
                        theirs.send_bytes(pickle.dumps(("item", item)))
                    result = None
                theirs.send_bytes(pickle.dumps(("end", result)))
            except BaseException as error:
                theirs.send_bytes(pickle.dumps(("error", error)))

        process = context.Process(target=work, daemon=True)
        process.start()
        theirs.close()
        return ours, process

    def receive(ours: Any) -> tuple[str, Any]:
        kind, value = pickle.loads(ours.recv_bytes())
        if kind == "error":
            raise value
        return kind, value

    def stream(*values: Any) -> Iterator[Any]:
        ours, process = start(*values)
        try:
            while (message := receive(ours))[0] == "item":
                yield message[1]
        finally:
            process.terminate()
            process.join()

    def plain(*values: Any) -> Any:
        ours, process = start(*values)
        value = receive(ours)[1]
        process.join()
        return value

    return stream if function.__code__.co_flags & 0x20 else plain


def test_a_run_goes_through_the_fork_and_comes_back_whole() -> None:
    generator, judge = FakeGenerator(), FakeJudge()
    pair = on_zero_gpu((generator, judge), forked)
    here = _run(FakeGenerator(), FakeJudge())
    there = _run(*pair)
    assert generator.steps_done == 0  # all of it happened elsewhere
    assert [r.prompt for r in there.rounds] == [r.prompt for r in here.rounds]
    assert there.best().distance == here.best().distance
    assert there.rounds[0].critique == here.rounds[0].critique
    assert pair[0].unknown_words("a zeppelin") == ("zeppelin",)


def _run(generator: Any, judge: Any) -> Any:
    events = run_loop(generator, judge, RunOrder("a boat", Affect(0.7, 0.1), Drawing(2), Rules(2)))
    return next(event.run for event in events if isinstance(event, Finished))


def test_progress_comes_out_of_the_fork_and_a_cancel_goes_in() -> None:
    generator, _ = on_zero_gpu((FakeGenerator(0.01), FakeJudge()), forked)
    request = PictureRequest("a boat", Affect(0.5, 0.5), 3, steps=1000)
    seen = []

    class Flag:
        def is_set(self) -> bool:
            return len(seen) >= 3

    with pytest.raises(Cancelled):
        for message in draw_pictures(generator, [request], Flag()):
            assert isinstance(message, Progress)
            seen.append(message.step)
    assert seen[:3] == [1, 2, 3] and len(seen) < 20


def test_an_error_in_the_fork_is_told_here() -> None:
    class Broken(FakeGenerator):
        def generate(self, requests: Any, on_step: Any = None) -> Any:
            raise UserError("The GPU is gone; try again.")

    generator, _ = on_zero_gpu((Broken(), FakeJudge()), forked)
    with pytest.raises(UserError, match="try again"):
        list(generator.generate([PictureRequest("a boat", None, 0)]))


class Tunable(FakeGenerator):
    """Takes adapters; a picture is as wide as the scale says."""

    scale = 0.0

    def load_adapter(self, path: Any, scale: float = 1.0) -> None:
        self.scale, self.name = scale, f"fake-generator+{path}"

    def _draw(self, request: PictureRequest) -> Image.Image:
        return Image.new("RGB", (16 + int(16 * self.scale), 16))


def test_an_adapter_reaches_the_workers_old_and_new() -> None:
    """A worker that was forked before an adapter was put on went on to draw without it."""
    request = PictureRequest("a boat", None, 0)
    generator: Any = on_zero_gpu((Tunable(), FakeJudge()), forked)[0]
    [before] = generator.generate([request])
    generator.load_adapter("tuned", 1.0)
    [after] = generator.generate([request])
    assert (before.image.width, after.image.width, after.model) == (16, 32, "fake-generator+tuned")
    inner = Tunable()
    generator = on_zero_gpu((inner, FakeJudge()), lambda function: function)[0]
    generator.load_adapter("tuned", 1.0)
    inner.scale, inner.name, generator._loaded[0] = 0.0, "fake-generator", 0  # as in a worker from before
    generator.name = "tuned"
    [late] = generator.generate([request])
    assert (late.image.width, late.model) == (32, "tuned")
    inner.scale = 0.5
    assert next(generator.generate([request])).image.width == 24  # not loaded again without need


def test_a_judge_is_asked_for_content_in_the_fork() -> None:
    class Showing(FakeJudge):
        def shows(self, pictures: Any, prompts: Any) -> list[float | None]:
            return [float(prompt == picture.request.prompt) for picture, prompt in zip(pictures, prompts, strict=True)]

    generator, judge = on_zero_gpu((FakeGenerator(), Showing()), forked)
    pictures = list(generator.generate([PictureRequest("a boat", None, 0)]))
    assert isinstance(judge, ShowsPrompt) and judge.shows(pictures, ["a boat"]) == [1.0]
    assert not isinstance(on_zero_gpu((generator, FakeJudge()), forked)[1], ShowsPrompt)
