"""Files that a caller names: nothing reads one that was not uploaded, or says whether it is there."""

import asyncio
import errno
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from fakes_ui import FakeGenerator, FakeJudge, raw_call
from gradio.utils import get_upload_folder
from patience import PATIENCE
from PIL import Image

from emofeedback.deploy.models import LoadedModels
from emofeedback.errors import UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.files.png_settings import read_settings
from emofeedback.files.read_bounded import read_bounded
from emofeedback.history.store import History
from emofeedback.ui import app as studio
from emofeedback.ui import visitor_files
from emofeedback.ui.history.history_writer import HistoryWriter
from emofeedback.ui.limits import Hosting
from emofeedback.ui.visitor_files import REFUSED, fetched, is_uploaded

META = {"_type": "gradio.FileData"}


class Studio:
    """A studio of fakes with every tab, and a picture beside its data folder."""

    def __init__(self, folder: Path, hosting: Hosting | None = None) -> None:
        self.data, self.secret = folder / "data", folder / "secret.png"
        self.data.mkdir()
        Image.new("RGB", (16, 16), (230, 20, 120)).save(self.secret)
        openers: dict[Any, Any] = {"generator": lambda name: FakeGenerator(), "judge": lambda name: FakeJudge()}
        fetchers: dict[Any, Any] = {"generator": lambda name, tell: None, "judge": lambda name, tell: None}
        self.loaded = LoadedModels(openers, fetchers, {"generator": "bundled", "judge": "bundled"})
        self.page, self.address = studio.launch(
            self.loaded.pair,
            studio.StudioOptions(
                example=folder / "none",
                files=self.data,
                hosting=hosting or Hosting(),
                open_job=lambda order, judge, out: pytest.fail("no job was to be made"),  # type: ignore[arg-type]
                writer=HistoryWriter(History(folder / "history", cap=2**20)),
                loaded_models=self.loaded,
            ),
            block=False,
        )

    def foreign(self) -> list[str]:
        """Paths of files that are there, of some that are not, and of devices."""
        inside = Path(get_upload_folder()) / ".." / self.secret.name
        return [
            *(str(self.secret), str(self.secret.with_name("none.png")), "/etc/passwd", "/etc/none", "/dev/zero"),
            *(
                "../secret.png",
                str(inside),
                get_upload_folder(),
                "a\0b",
                "",
                "file:///etc/passwd",
                "/proc/self/environ",
            ),
        ]

    def event(self, number: int, data: list[Any]) -> str:
        """All that comes back from one listener, called as the page calls it."""
        body = {"fn_index": number, "data": data, "session_hash": f"s{number}-{time.monotonic_ns()}"}
        if not self.page.fns[number].queue:
            return httpx.post(f"{self.address}gradio_api/run/predict", json=body, timeout=PATIENCE).text
        joined = httpx.post(f"{self.address}gradio_api/queue/join", json=body, timeout=PATIENCE)
        if joined.status_code != 200:
            return joined.text
        told = ""
        with httpx.stream(
            "GET", f"{self.address}gradio_api/queue/data?session_hash={body['session_hash']}", timeout=PATIENCE
        ) as lines:
            for line in lines.iter_lines():
                told += line
                if "process_completed" in line or "close_stream" in line:
                    break
        return told

    def call(self, name: str, data: list[Any]) -> tuple[bool, str]:
        return raw_call(self.address, name, data)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    served = Studio(tmp_path_factory.mktemp("files"))
    yield served
    served.page.close()


def test_no_endpoint_and_no_event_takes_a_foreign_path(served: Studio) -> None:
    """{"path": ...} without gradio's meta was read from the server's disk by /estimate, /redraw and the page's events.

    Every listener, named or not, is given the path in each of its fields.
    """
    path, tried = str(served.secret), 0
    for number, listener in served.page.fns.items():
        fields = [i for i, block in enumerate(listener.inputs) if not getattr(block, "stateful", False)]
        if not fields:
            continue
        for described in ({"path": path}, {"path": path, "meta": META}, {"x": [{"path": path}]}):
            data: list[Any] = [None] * len(listener.inputs)
            for i in fields:
                data[i] = described
            said = served.event(number, data)
            assert REFUSED in said and path not in said and "Traceback" not in said, (listener.name, said)
        tried += 1
    assert tried > 60


def test_each_field_that_takes_a_file_refuses_it_alone(served: Studio) -> None:
    tried = set()
    for number, listener in served.page.fns.items():
        for i, block in enumerate(listener.inputs):
            if not isinstance(block, gr.Image | gr.File | gr.Gallery | gr.DownloadButton | gr.ImageSlider):
                continue
            tried.add(block.label)
            for path in served.foreign()[:3]:
                data: list[Any] = [None] * len(listener.inputs)
                data[i] = {"path": path, "url": path, "orig_name": "x.png"}
                said = served.event(number, data)
                assert REFUSED in said and "secret" not in said and "none.png" not in said, (listener.name, said)
    assert len(tried) >= 3


@pytest.mark.parametrize("endpoint", ["estimate", "redraw"])
def test_a_file_that_is_there_and_one_that_is_not_get_the_same_answer(served: Studio, endpoint: str) -> None:
    rest = ["a boat", 0, 0, 1, 0, 1, 1, 0.6, True] if endpoint == "redraw" else []
    answers = set()
    for path in served.foreign():
        for described in (
            {"path": path},
            {"path": path, "meta": META},
            {"path": path, "meta": META, "is_stream": True},
        ):
            done, said = served.call(endpoint, [described, *rest])
            assert not done
            answers.add(said)
    assert len(answers) == 1 and json.dumps(REFUSED)[1:-1] in answers.pop()


def test_the_other_doors_are_shut_too(served: Studio) -> None:
    """/run and /api are older ways to the same listeners; a path may also be no text, or lie deep."""
    deep: Any = {"path": str(served.secret)}
    for _ in range(200):
        deep = [deep]
    for described in ({"path": str(served.secret)}, {"path": [str(served.secret)], "meta": META}, {"path": 7}, deep):
        for way in ("run", "api"):
            answer = httpx.post(
                f"{served.address}gradio_api/{way}/estimate", json={"data": [described]}, timeout=PATIENCE
            )
            assert answer.status_code >= 400 and str(served.secret) not in answer.text
            assert REFUSED in answer.text or answer.status_code == 404


def test_an_uploaded_picture_is_read_with_and_without_meta(served: Studio) -> None:
    content = served.secret.read_bytes()
    sent = httpx.post(f"{served.address}gradio_api/upload", files={"files": ("own.png", content, "image/png")})
    [path] = sent.json()
    done, said = served.call("estimate", [{"path": path, "meta": META}])
    assert done, said
    assert is_uploaded(path) and not is_uploaded(path + "x") and not is_uploaded(str(Path(path).parent))


def test_a_link_out_of_the_upload_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    (tmp_path / "out.png").write_bytes(b"x")
    (folder / "in.png").write_bytes(b"x")
    (folder / "link.png").symlink_to(tmp_path / "out.png")
    os.mkfifo(folder / "fifo.png")
    assert is_uploaded(str(folder / "in.png"))
    assert not any(is_uploaded(str(folder / name)) for name in ("link.png", "fifo.png", "../out.png", "none.png"))


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


def whole(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=pieces(b"who", b"le"))


def fetch(url: str, answer: Any, most: int = 100) -> tuple[bytes, list[str]]:
    """What is fetched from a web of one server, and the hosts that were asked for."""
    hosts = []

    async def transport(host: str) -> httpx.AsyncBaseTransport:
        hosts.append(host)
        if host.startswith("10."):
            raise ValueError("not public")
        return httpx.MockTransport(answer)

    return asyncio.run(fetched(url, most, transport)).read_bytes(), hosts


def test_a_web_address_is_fetched_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gradio downloads an address without a limit of size: an endless answer was memory for everyone to take."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 10
            yield bytes(10)

    with pytest.raises(gr.Error, match="upload the file instead"):
        fetch("https://a.example/x.png", lambda request: httpx.Response(200, content=endless()))
    assert sent < 200
    assert fetch("https://a.example/x.png", whole)[0] == b"whole"
    assert all(is_uploaded(str(file)) for file in (tmp_path / "uploads").rglob("file"))


def test_each_redirect_is_looked_at_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))

    def answer(request: httpx.Request) -> httpx.Response:
        to = {"/in": "http://10.0.0.1/x", "/on": "//b.example/x", "/file": "file:///etc/passwd", "/round": "/round"}
        where = to.get(request.url.path)
        return (
            httpx.Response(302, headers={"location": where})
            if where
            else httpx.Response(200, content=pieces(b"who", b"le"))
        )

    assert fetch("https://a.example/on", answer) == (b"whole", ["a.example", "b.example"])
    for path in ("in", "file", "round"):
        with pytest.raises(gr.Error, match="upload the file instead"):
            fetch(f"https://a.example/{path}", answer)
    with pytest.raises(gr.Error, match="upload the file instead"):
        fetch("https://a.example/x", lambda request: httpx.Response(404))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:1",
        "169.254.169.254",
        "10.0.0.1",
        "[::1]",
        "[2002:7f00:1::]",
        "[64:ff9b::7f00:1]",
        "localhost",
        "",
        "[bad",
    ],
)
def test_nothing_inside_is_fetched(host: str) -> None:
    with pytest.raises(gr.Error, match="upload the file instead"):
        asyncio.run(fetched(f"http://{host}/x.png", 100))


def test_a_page_hands_a_fetched_file_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "file").write_bytes(b"x")
    asked = []

    async def given(url: str, most: int) -> Path:
        asked.append((url, most))
        return tmp_path / "file"

    monkeypatch.setattr(visitor_files, "fetched", given)
    hosting = Hosting(public=True, max_upload_mb=3)
    page = studio.build(lambda: (FakeGenerator(), FakeJudge()), studio.StudioOptions(hosting=hosting))[0]
    listener = next(fn for fn in page.fns.values() if fn.api_name == "estimate")
    address = "https://a.example/x.png"
    assert asyncio.run(page.preprocess_data(listener, [{"path": address, "meta": META}], None)) == [
        str(tmp_path / "file")
    ]
    assert asked == [(address, 3 * 2**20)]
    with pytest.raises(gr.Error, match="Upload the file first"):
        asyncio.run(page.preprocess_data(listener, [{"path": address}], None))
    with pytest.raises(gr.Error, match="upload the file instead"):
        asyncio.run(page.preprocess_data(listener, [[{"path": address, "meta": META}] * 9], None))
    assert len(asked) == 1


@pytest.mark.parametrize("read", [open_picture, read_settings])
def test_only_regular_files_are_opened(tmp_path: Path, read: Any) -> None:
    """/dev/zero has size 0 and took 4.5 GB in 4 s; a FIFO held the call, and the next one, for half a minute."""
    os.mkfifo(tmp_path / "fifo.png")
    begun = time.process_time()
    for path in (Path("/dev/zero"), tmp_path / "fifo.png", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read(path)
    assert time.process_time() - begun < 2


def test_reading_is_bounded_by_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(bytes(100))
    assert len(read_bounded(tmp_path / "long", 10)) == 11 and len(read_bounded(tmp_path / "long", 200)) == 100
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path, 10)
    with pytest.raises(OSError, match="not a regular file") as caught:
        read_bounded(Path("/dev/zero"), 10)
    assert caught.value.errno == errno.EINVAL
