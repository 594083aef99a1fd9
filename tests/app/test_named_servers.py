"""Servers that visitors name: no key of the host's goes there, and none of its own network is reached by them."""

import importlib.util
import json
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import httpx
import pytest
from patience import PATIENCE

from emofeedback.deploy.models import LoadedModels
from emofeedback.errors import UserError
from emofeedback.history.store import History
from emofeedback.servers import visitor_addresses
from emofeedback.servers.visitor_addresses import address_of, check_asked, environment_for, only_outside, server_of
from emofeedback.settings import Settings
from emofeedback.ui import app as studio
from emofeedback.ui.history.history_writer import HistoryWriter
from emofeedback.ui.limits import serves_others

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"EMOFEEDBACK_JUDGE_KEY": "key-of-the-judge", "EMOFEEDBACK_GENERATOR_KEY": "key-of-the-generator"}
KEYS |= {"EMOFEEDBACK_RATER_KEY": "key-of-the-rater", "EMOFEEDBACK_REWRITER_KEY": "key-of-the-rewriter"}


@pytest.fixture(scope="module")
def start() -> ModuleType:
    """app.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("start_of_the_studio", ROOT / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def listening() -> Iterator[tuple[str, list[str]]]:
    """The address of a server that lists one model, and everything that it was sent."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            seen.append(f"{self.path}\n{self.headers}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))  # what is left unread resets the connection
            body = json.dumps({"data": [{"id": "org/vlm"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1", seen
    server.shutdown()
    server.server_close()


Open = Callable[[Settings], LoadedModels]


@pytest.fixture
def loaded(start: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """What the app makes of settings, with every key set."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("SPACE_ID", "GRADIO_SHARE", "GRADIO_SERVER_NAME", "GRADIO_ROOT_PATH"):
        monkeypatch.delenv(name, raising=False)
    return lambda settings: start.loaded_models_of(settings, HistoryWriter(History(tmp_path / "history")))


def test_a_key_goes_only_to_the_server_that_the_settings_name(loaded: Open, listening: tuple[str, list[str]]) -> None:
    """EMOFEEDBACK_JUDGE_KEY was sent to whichever address a visitor wrote into the Models tab."""
    address, seen = listening
    elsewhere = loaded(Settings(judge="http://192.0.2.7:8000/v1#own", generator="hosted:http://192.0.2.7/draw"))
    elsewhere.swap("judge", address)
    assert seen and not any(key in text for key in KEYS.values() for text in seen)
    elsewhere.swap("generator", f"hosted:{address}")
    assert elsewhere._held["generator"]._key is None
    own = loaded(Settings(judge=f"{address}#own", generator=f"hosted:{address}"))
    own.swap("judge", address)
    assert "Bearer key-of-the-judge" in seen[-1], "another model of the same server"
    own.swap("generator", f"hosted:{address}/other")
    assert own._held["generator"]._key == "key-of-the-generator"


def test_a_key_of_a_server_is_no_key_of_hugging_face(loaded: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_stored_token_of_the_host")
    models = loaded(Settings(judge="http://192.0.2.7:8000/v1#own", generator="hosted:org/flux:fal-ai"))
    models.swap("judge", "hosted:org/vlm:novita")
    assert models._held["judge"].server._key == "hf_stored_token_of_the_host"
    models.swap("generator", "hosted:org/flux:replicate")
    assert models._held["generator"]._key == "hf_stored_token_of_the_host"
    models.swap("generator", "hosted:org/other:fal-ai")
    assert models._held["generator"]._key == "key-of-the-generator"


@pytest.mark.parametrize("kind", ["judge", "generator"])
def test_the_event_of_the_models_tab_is_held_to_the_same(
    loaded: Open, listening: tuple[str, list[str]], kind: str, tmp_path: Path
) -> None:
    """The page's own listener is called as a program would: on a host that serves others nothing inside is reached."""
    address, seen = listening
    models = loaded(Settings(proxied=True))
    (tmp_path / "files").mkdir()
    page, at = studio.launch(
        models.pair,
        studio.StudioOptions(example=tmp_path / "none", files=tmp_path / "files", loaded_models=models),
        block=False,
    )
    try:
        asked = address if kind == "judge" else f"hosted:{address}"
        said = ""
        for number, listener in page.fns.items():
            if [getattr(block, "elem_id", None) for block in listener.inputs] != [f"models-{kind}"]:
                continue
            body = {"fn_index": number, "data": [asked], "session_hash": f"visitor-{number}"}
            if listener.queue:
                httpx.post(f"{at}gradio_api/queue/join", json=body)
                with httpx.stream(
                    "GET", f"{at}gradio_api/queue/data?session_hash=visitor-{number}", timeout=PATIENCE
                ) as got:
                    for line in got.iter_lines():
                        said += line
                        if "process_completed" in line:
                            break
    finally:
        page.close()
    assert "serves others" in said and "EMOFEEDBACK_PRIVATE_SERVERS=1" in said, said
    assert not seen and models.name("judge") == "bundled"  # type: ignore[arg-type]


INSIDE = (
    *("http://127.0.0.1:8000/v1", "http://localhost/v1", "http://10.0.0.3", "http://192.168.1.1", "http://172.16.0.9"),
    *(
        "http://169.254.169.254/latest",
        "http://[::1]:8000/v1",
        "http://[fd00::1]",
        "http://[fe80::1]",
        "http://0.0.0.0",
    ),
    *("http://2130706433/", "http://0x7f000001/", "http://127.1/", "http://[::ffff:127.0.0.1]/", "http://100.64.0.1"),
    *("http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://224.0.0.1/", "http://user@127.0.0.1/v1"),
    *(
        "HTTP://LOCALHOST/v1",
        "hosted:http://127.0.0.1/draw",
        "http://no-such-host.invalid/v1",
        "http://8.8.8.8@127.0.0.1",
    ),
)


@pytest.mark.parametrize("asked", INSIDE)
def test_addresses_of_the_inside_need_a_setting_where_others_are_served(asked: str) -> None:
    with pytest.raises(UserError, match="EMOFEEDBACK_PRIVATE_SERVERS=1"):
        check_asked(asked, "bundled", public=False, inside=False)
    check_asked(asked, "bundled", public=False, inside=True)
    check_asked(asked, asked, public=True, inside=False)
    with pytest.raises(UserError, match="shared host"):
        check_asked(asked, "bundled", public=True, inside=True)


def test_a_name_counts_by_every_address_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["8.8.8.8"]
    answer: Any = lambda host, port, type: [(socket.AF_INET, type, 6, "", (text, port)) for text in found]  # noqa: E731
    monkeypatch.setattr(visitor_addresses.socket, "getaddrinfo", answer)
    check_asked("https://judge.example/v1", "bundled", public=False, inside=False)
    assert only_outside("https://judge.example/v1", "bundled", inside=False)
    assert not only_outside("https://judge.example/v1", "https://judge.example/v1#own", inside=False)
    assert not only_outside("https://judge.example/v1", "bundled", inside=True)
    found.append("10.1.2.3")
    with pytest.raises(UserError, match="serves others"):
        check_asked("https://judge.example/v1", "bundled", public=False, inside=False)


@pytest.mark.parametrize("asked", ["bundled", "org/vlm", "org/vlm@main", "hosted:org/vlm", "hosted:org/vlm:novita"])
def test_other_models_are_no_addresses(asked: str) -> None:
    check_asked(asked, "bundled", public=False, inside=False)
    assert address_of(asked) is None


def test_the_server_of_a_name() -> None:
    assert server_of("https://Box/v1#m") == "https://box:443" and server_of("hosted:http://Box/x") == "http://box:80"
    assert server_of("http://user:pw@box:1/v1?a=b") == "http://box:1"
    assert server_of("hosted:org/vlm") == "hosted:auto" and server_of("hosted:org/vlm:novita") == "hosted:novita"
    assert server_of("bundled") is None and server_of("http://[bad") is None and server_of("http://box:x") is None
    named = "https://box:8000/v1"
    for asked in ("http://box:8000/v1", "https://box/v1", "https://box:8001/v1", "https://box:8000@evil.example/v1"):
        assert "EMOFEEDBACK_JUDGE_KEY" not in environment_for(asked, named, KEYS, "judge")
    assert environment_for("https://BOX:8000/other#m", named, KEYS, "judge") == KEYS
    assert "EMOFEEDBACK_JUDGE_KEY" not in environment_for("http://[bad", "http://[bad2", KEYS, "judge")
    with pytest.raises(UserError, match="no server's address"):
        check_asked("http://[bad", "bundled", public=False, inside=True)


@pytest.mark.parametrize(
    ("settings", "environ", "others"),
    [
        ({}, {}, False),
        ({}, {"GRADIO_SERVER_NAME": "localhost"}, False),
        ({}, {"GRADIO_SERVER_NAME": "127.0.0.2"}, False),
        ({}, {"GRADIO_SERVER_NAME": "0.0.0.0"}, True),
        ({}, {"GRADIO_SERVER_NAME": "::"}, True),
        ({}, {"GRADIO_SERVER_NAME": "box.example"}, True),
        ({}, {"GRADIO_SHARE": "True"}, True),
        ({}, {"GRADIO_ROOT_PATH": "/studio"}, True),
        ({}, {"SPACE_ID": "me/space"}, True),
        ({"proxied": True}, {}, True),
        ({"public": True}, {}, True),
    ],
)
def test_who_serves_others(settings: dict[str, Any], environ: dict[str, str], others: bool) -> None:
    assert serves_others(Settings(**settings), environ) is others


def test_the_setting_allows_it(loaded: Open, listening: tuple[str, list[str]]) -> None:
    loaded(Settings(proxied=True, private_servers=True)).swap("judge", listening[0])
    assert listening[1]
    with pytest.raises(UserError, match="serves others"):
        loaded(Settings(proxied=True)).fetch("judge", listening[0], lambda news: None)
