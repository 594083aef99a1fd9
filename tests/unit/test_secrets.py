"""Passwords, keys and tokens: in no log, file, page, error or history, and sent to no host but their own."""

import io
import json
import logging
import os
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_openai import FakeOpenAI, completion, serve
from forked import COMMAND, fork
from local_server import serving
from patience import PATIENCE
from PIL import Image

from emofeedback.build import build_generator, build_judge
from emofeedback.deploy.doctor import examine
from emofeedback.deploy.models import LoadedModels
from emofeedback.errors import UserError
from emofeedback.generators.hosted import HostedGenerator
from emofeedback.history.store import History
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.machine.quiet import quiet_libraries
from emofeedback.records import Picture, PictureRequest
from emofeedback.redaction import HTTP_LOGGERS, RedactingFormatter, redacted, secrets_of
from emofeedback.servers.chat import ChatServer
from emofeedback.servers.patience import Patience, host_of
from emofeedback.servers.requests import base_of
from emofeedback.settings import Settings
from emofeedback.ui import app as studio
from emofeedback.ui.history.history_owner import COOKIE
from emofeedback.ui.history.history_writer import HistoryWriter

ROOT = Path(__file__).resolve().parents[2]
PASSWORD, QUERY, KEY = "pass-W0rd-of-ours", "query-K3y-of-ours", "judge-K3y-of-ours"
SECRETS = (PASSWORD, QUERY, KEY, "generator-K3y", "hf_tokenofourown0123456789")
PICTURE = Picture(Image.new("RGB", (40, 30), "navy"), PictureRequest("a boat", None, 0), "test", 0.0)


def answer(payload: dict[str, Any]) -> Any:
    """A judge that rates 7, and advises nothing that can be read."""
    return completion(["7"], [{"7": 1.0}])


def secret_address(url: str) -> str:
    """The same server with a password, and a key in its query."""
    return f"{url.replace('://', f'://user:{PASSWORD}@')}?api_key={QUERY}"


@pytest.fixture
def drawing() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """An endpoint that draws: its address with secrets, and path and authorization of what it was asked."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, self.headers.get("Authorization", "")))
            buffer = io.BytesIO()
            Image.new("RGB", (64, 64), "navy").save(buffer, "PNG")
            self.send_response(200)
            self.send_header("Content-Length", str(buffer.tell()))
            self.end_headers()
            self.wfile.write(buffer.getvalue())

    with serving(Handler) as url:
        yield secret_address(f"{url}/draw"), asked


def assert_clean(*texts: str) -> None:
    for text in texts:
        assert not [secret for secret in SECRETS if secret in text], text[:2000]


def contents(folder: Path) -> str:
    """Every file below a folder, its name too; a database's and a picture's bytes as Latin-1."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert files
    return "".join(f"{file}\n{file.read_bytes().decode('latin-1')}" for file in files)


def test_a_run_with_secrets_leaves_them_nowhere(tmp_path: Path, drawing: tuple[str, list[tuple[str, str]]]) -> None:
    """`http://user:password@host` stood on stderr once a request: the HTTP client logs under another name now."""
    endpoint, asked = drawing
    environ = {name: value for name, value in os.environ.items() if not name.startswith("EMOFEEDBACK_")}
    environ |= {"EMOFEEDBACK_JUDGE_KEY": KEY, "EMOFEEDBACK_GENERATOR_KEY": "generator-K3y", "HF_TOKEN": SECRETS[-1]}
    environ |= {"EMOFEEDBACK_GENERATOR": f"hosted:{endpoint}", "PYTHONPATH": str(ROOT)}
    with serve(FakeOpenAI(answer)) as fake:
        command = ["generate", "a boat", "--emotion", "happy", "--rounds", "2"]
        command += ["--candidates", "1", "--out", "out", "--json", "--judge", secret_address(fake.url)]
        done = fork(COMMAND, *command, cwd=tmp_path, environ=environ).wait()
    assert done.returncode == 0, done.stderr
    assert_clean(done.stdout, done.stderr, contents(tmp_path / "out"))
    assert {path for path, _ in asked} == {f"/draw?api_key={QUERY}"}, "the endpoint got what was meant for it"
    assert {path.partition("?")[0] for path, _ in fake.asked} == {"/v1/models", "/v1/chat/completions"}
    assert all(given.startswith("Basic ") and path.endswith(f"?api_key={QUERY}") for path, given in fake.asked + asked)


def test_no_error_tells_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EMOFEEDBACK_JUDGE_KEY", KEY)
    for name in (None, *HTTP_LOGGERS):  # a command that ran before in this process has made the clients quiet
        caplog.set_level(logging.DEBUG, logger=name)
    said = []
    echo = json.dumps({"error": {"message": f"refused {KEY} and {PASSWORD} of ?api_key={QUERY}"}}).encode()
    for status in (400, 401, 402, 404, 422, 500):
        with serve(FakeOpenAI(lambda payload, status=status: (status, {}, echo))) as fake:
            address = secret_address(fake.url)
            server = ChatServer("m", address, key=KEY, patience=Patience(2, 1, 0.01))
            with pytest.raises(UserError) as caught:
                RemoteJudge(server, workers=1).read([PICTURE])
            said.append(str(caught.value))
            with pytest.raises(UserError) as caught:
                list(HostedGenerator(address, key=KEY, patience=Patience(2, 1, 0.01)).generate([PICTURE.request]))
            said.append(str(caught.value))
            fake.models = ["a", "b"]
            with pytest.raises(UserError, match="offers a, b") as caught:
                build_judge(Settings(judge=address))
            said.append(str(caught.value))
    for wrong in (f"http://user:{PASSWORD}@127.0.0.1:1/v1?api_key={QUERY}", f"http://user:{PASSWORD}@[bad/v1"):
        with pytest.raises(UserError) as caught:
            build_judge(Settings(judge=wrong))
        said.append(str(caught.value))
    with pytest.raises(UserError) as caught:
        build_generator(Settings(generator=f"ftp://user:{PASSWORD}@host/x?api_key={QUERY}"))
    said.append(str(caught.value))
    said += [check.detail for check in examine(Settings(judge=address, generator=f"hosted:{address}"))]
    assert_clean(caplog.text, *said)
    assert "HTTP Request" in caplog.text, "the client's lines are there, without secrets"


def test_the_page_and_the_history_hold_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawing: tuple[str, list[tuple[str, str]]]
) -> None:
    """A judge's address with its password stood in /config, for everyone."""
    monkeypatch.setenv("EMOFEEDBACK_JUDGE_KEY", KEY)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    with serve(FakeOpenAI(answer)) as fake:
        names: dict[Any, str] = {"generator": f"hosted:{drawing[0]}", "judge": f"{secret_address(fake.url)}#org/vlm"}
        openers: dict[Any, Any] = {
            "generator": lambda name: build_generator(Settings(generator=name)),
            "judge": lambda name: build_judge(Settings(judge=name)),
        }
        loaded = LoadedModels(openers, {}, names)
        assert loaded.meant("judge", loaded.shown_name("judge")) == names["judge"], "picked again, it is the same"
        writer = HistoryWriter(History(tmp_path / "history", cap=2**24))
        (tmp_path / "files").mkdir()
        options = studio.StudioOptions(
            example=tmp_path / "none", files=tmp_path / "files", writer=writer, loaded_models=loaded
        )
        page, address = studio.launch(loaded.pair, options, block=False)
        try:
            cookies = {COOKIE: "a" * 32}
            begun = httpx.post(
                f"{address}gradio_api/call/feedback_run",
                json={"data": ["a boat", 0.5, 0.5, 1, 0, 2, 1, "same_seed"]},
                cookies=cookies,
            )
            ran = httpx.get(f"{address}gradio_api/call/feedback_run/{begun.json()['event_id']}", timeout=PATIENCE).text
            assert "event: complete" in ran, ran
            writer.settle()
            shown = [httpx.get(f"{address}{path}").text for path in ("config", "", "gradio_api/info")]
        finally:
            page.close()
    assert "127.0.0.1" in shown[0], "the Models tab shows the server"
    assert_clean(ran, *shown, contents(tmp_path))


def test_a_redirect_to_another_host_gets_neither_key_nor_picture() -> None:
    """A judge's redirect to another host was followed, and the picture sent there."""
    with serve(FakeOpenAI(answer)) as other:
        moved = (307, {"Location": f"{other.url}/chat/completions"}, b"")
        with serve(FakeOpenAI(lambda payload: moved)) as fake:
            server = ChatServer("m", fake.url, key=KEY)
            with pytest.raises(UserError, match="points to 127.0.0.1"):
                server.ask("data:,", "?", max_tokens=1, temperature=0)
            with pytest.raises(UserError, match="points to 127.0.0.1"):
                list(HostedGenerator(fake.url, key=KEY).generate([PICTURE.request]))
        assert not other.asked
    turns = [(308, {"Location": "/v1/chat/completions?again=1"}, b"")]
    with serve(FakeOpenAI(lambda payload: turns.pop() if turns else answer(payload))) as fake:
        server = ChatServer("m", fake.url, key=KEY)
        assert server.ask("data:,", "?", max_tokens=1, temperature=0)[0].text == "7", "on the same server it goes on"
        assert [given for _, given in fake.asked] == [f"Bearer {KEY}"] * 2
    with serve(FakeOpenAI(lambda payload: (307, {"Location": "/v1/chat/completions"}, b""))) as fake:
        with pytest.raises(UserError, match="one address to the next"):
            ChatServer("m", fake.url).ask("data:,", "?", max_tokens=1, temperature=0)
        assert len(fake.asked) < 10


def test_the_path_is_joined_before_the_query() -> None:
    assert base_of("http://u:p@h:8000?api_key=x", "/models") == "http://h:8000/v1/models?api_key=x"
    assert base_of("https://h/api/v4/?a=1&b=2#m", "/chat/completions") == "https://h/api/v4/chat/completions?a=1&b=2"
    assert base_of("https://h/v1/chat/completions?a=1", "/models") == "https://h/v1/models?a=1"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("at http://user:pw@h:1/v1 now", "at http://h:1/v1 now"),
        ("at HTTPS://tok%40en@h/v1", "at HTTPS://h/v1"),
        ("'hosted:http://u:p@h/x?key=abc#m'", "'hosted:http://h/x?[hidden]#m'"),
        ("POST /v1/models?api_key=abc&x=1", "POST /v1/models?api_key=[hidden]&x=1"),
        ("http://user:p@ss@h/v1", "http://h/v1"),
        ("http://http://user:pw@h/v1", "http://http://h/v1"),
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer [hidden]"),
        ("hf_abcdefghijklmnopqrst and sk-proj-abcdefghijklmnop", "[hidden] and [hidden]"),
        ("my-own-key and own", "[hidden] and own"),
        ("password: s3cret-one", "password: [hidden]"),
        ("is it at http://h/v1? a@b.c", "is it at http://h/v1? a@b.c"),
        ("a boat by a lake, sk-etch, 12 = 12", "a boat by a lake, sk-etch, 12 = 12"),
    ],
)
def test_what_is_hidden_and_what_is_left(text: str, left: str) -> None:
    environ = {"EMOFEEDBACK_JUDGE_KEY": "my-own-key", "EMOFEEDBACK_RATER": "http://u:s3cret-one@h/v1"}
    assert redacted(text, environ=environ) == left
    assert redacted(left, environ=environ) == left


@pytest.mark.parametrize(
    "piece", ["a", "http://", "http://a", "hf_", "key=", "http://a?", "//@", "http://@", "Bearer "]
)
def test_a_long_text_is_looked_through_once(piece: str) -> None:
    """A pattern that begins anew at each letter takes hours for an error that echoes a megabyte."""
    begun = time.process_time()
    redacted(piece * (2**20 // len(piece)), environ={})
    assert time.process_time() - begun < 10


def test_logs_and_names_of_hosts() -> None:
    stream = io.StringIO()
    handler, logger = logging.StreamHandler(stream), logging.Logger("own")
    handler.setFormatter(RedactingFormatter("%(message)s"))
    logger.addHandler(handler)
    try:
        raise ValueError("http://user:pw-of-ours@h/v1")
    except ValueError:
        logger.exception("asked %s", "http://user:pw-of-ours@h/v1?token=abc")
    assert "Traceback" in stream.getvalue() and "pw-of-ours" not in stream.getvalue() and "abc" not in stream.getvalue()
    assert set(secrets_of("http://u:p%40ss@h/?a=1&b=two")) == {"p%40ss", "p@ss", "1", "two"}
    assert host_of("http://u:p@h:8000/v1") == "h:8000" and "p@" not in host_of("http://u:p@h:x/v1")
    quiet_libraries()
    assert all(not logging.getLogger(name).isEnabledFor(logging.INFO) for name in ("httpx", "httpx2", "httpcore2"))
