"""How the studio starts to serve: on a machine however busy, and beside another that wants the same port."""

import socket
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from gradio import http_server
from patience import PATIENCE

from emofeedback.machine import server_port
from emofeedback.ui import app as studio
from emofeedback.ui import studio_server


def answers(folder: Path) -> bool:
    """Whether a studio starts and serves its page."""
    options = studio.StudioOptions(example=folder / "none", files=folder)
    page, address = studio.launch(lambda: (FakeGenerator(), FakeJudge()), options, block=False)
    try:
        return httpx.get(address, timeout=PATIENCE).status_code == 200
    finally:
        page.close()


def test_a_start_takes_as_long_as_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a training run the start took six seconds: after five the next port was tried, and none was left."""
    hours = count(0, 3600)
    clock = SimpleNamespace(time=lambda: next(hours), sleep=http_server.time.sleep)
    monkeypatch.setattr(http_server, "time", clock)
    assert answers(tmp_path)


def test_a_port_that_is_taken_since_it_was_looked_at_is_let_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two studios that started together wanted one port; the slower one found no other."""
    others: list[socket.socket] = []

    def too_late(host: str, port: int) -> list[socket.socket]:
        if not others:
            others.extend(server_port.listening(host, port))
        return server_port.listening(host, port)

    monkeypatch.setattr(studio_server, "listening", too_late)
    try:
        assert answers(tmp_path) and others
    finally:
        for other in others:
            other.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # uvicorn ends its own thread
def test_an_app_that_does_not_start_is_told_at_once() -> None:
    async def broken(scope: object, receive: object, send: object) -> None:
        raise ValueError("no such table")

    config = http_server.uvicorn.Config(broken, port=0, lifespan="on")
    with pytest.raises(RuntimeError, match="did not start"):
        studio_server.StudioServer(config).run_in_thread()
