"""Servers that mean no good or are broken beyond measure: bounded in bytes, depth and time, and never a reading."""

import gzip
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from fake_openai import FakeOpenAI, completion, serve
from local_server import serving
from PIL import Image

from emofeedback.build import build_generator, build_judge
from emofeedback.errors import UserError
from emofeedback.generators.hosted import HostedGenerator
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.records import Picture, PictureRequest
from emofeedback.servers import visitor_addresses
from emofeedback.servers.chat import ChatServer, ServerFailed, only_model
from emofeedback.servers.chat_reply import answers_of
from emofeedback.servers.hosted_client import HostedClient
from emofeedback.servers.patience import Patience
from emofeedback.servers.requests import MAX_REPLY, Door, send
from emofeedback.servers.words import LONGEST, brief, words_of
from emofeedback.settings import Settings

PROVIDER = "nscale"
ONCE = Patience(deadline=20.0, tries=1)
PICTURE = Picture(Image.new("RGB", (8, 8), "navy"), PictureRequest("a boat", None, 0), "test", 0.0)


def reply_with(logprob: str, text: str = "9") -> bytes:
    """A whole completion whose log-probabilities are this JSON."""
    top = f'[{{"token": "{text}", "logprob": {logprob}}}]'
    tokens = f'[{{"token": "{text}", "logprob": {logprob}, "top_logprobs": {top}}}]'
    message = f'{{"role": "assistant", "content": "{text}"}}'
    return f'{{"choices": [{{"index": 0, "message": {message}, "logprobs": {{"content": {tokens}}}}}]}}'.encode()


NO_JSON = {"nan": "NaN", "infinity": "Infinity", "minus infinity": "-Infinity", "5,000 digits": "9" * 5000}
ODD = {
    "null": "null",
    "900 nested lists": "[" * 900 + "]" * 900,
    "10**400": "1" + "0" * 400,
    "1e999": "1e999",
    "probabilities": "0.9",
    "text": '"-0.1"',
    "true": "true",
    "object": "{}",
}


@pytest.mark.parametrize("logprob", NO_JSON.values(), ids=NO_JSON.keys())
def test_what_json_does_not_have_is_no_reply(logprob: str) -> None:
    """Infinity was read as valence 1 and arousal 1, for certain; 10**400 and deep lists raised through everything."""
    fake = FakeOpenAI(lambda payload: (200, {}, reply_with(logprob)))
    with serve(fake), pytest.raises(UserError, match="gave no answer .half a reply: no JSON"):
        RemoteJudge(ChatServer("m", fake.url, patience=ONCE)).read([PICTURE])


@pytest.mark.parametrize("logprob", ODD.values(), ids=ODD.keys())
def test_what_is_no_log_probability_is_none(logprob: str) -> None:
    """The answer's words count then, asked for several times; none of them is a rating here."""
    with serve(FakeOpenAI(lambda payload: (200, {}, reply_with(logprob, "lovely")))) as fake:
        assert RemoteJudge(ChatServer("m", fake.url, patience=ONCE), samples=2).read([PICTURE]) == [None]
    [answer] = answers_of(json.loads(reply_with(logprob, "7")))
    assert answer.text == "7" and answer.pieces is None and answer.top is None


def test_alternatives_that_sum_to_more_than_one_are_no_probabilities() -> None:
    top = [{"token": label, "logprob": 0.0} for label in "123456789"]
    found = {"choices": [{"message": {"content": "9"}, "logprobs": {"content": [{**top[8], "top_logprobs": top}]}}]}
    [answer] = answers_of(found)
    assert answer.top is None
    never = {"token": "1", "logprob": float("-inf")}
    found["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = [top[8], never]  # type: ignore[index]
    assert answers_of(found)[0].top == ((("9", 0.0), ("1", float("-inf"))),)


@contextmanager
def sending(write: Callable[[Any], None]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers any request with what `write(handler)` writes; yields its address and what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            asked.append(f"{self.path}\n{self.headers}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))  # what is left unread resets the connection
            try:
                write(self)
            except OSError:
                self.close_connection = True

        do_GET = do_POST

    with serving(Handler) as address:
        yield address, asked


def endless(handler: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 2**16)


def bomb(handler: Any) -> None:
    packed = gzip.compress(b" " * 2**23, 9)
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(packed)))
    handler.end_headers()
    handler.wfile.write(packed)


def echo_of_a_megabyte(handler: Any) -> None:
    handler.send_response(400)
    handler.end_headers()
    handler.wfile.write(json.dumps({"error": {"message": "too much: " + "la " * 400_000}}).encode())


@pytest.mark.parametrize("write", [endless, bomb])
def test_a_reply_without_end_is_left(write: Callable[[Any], None]) -> None:
    """A gzip bomb took 2 to 3 GB."""
    with sending(write) as (address, asked):
        with pytest.raises(ServerFailed, match="more than 2 MB"):
            send("POST", address, {}, 30.0, {})
        with pytest.raises(UserError, match="does not list its models .a reply of more than 2 MB"):
            only_model(address, None)
        drawn = HostedGenerator(address, patience=Patience(30.0))
        drawn._door = Door(most=2**20)
        with pytest.raises(UserError, match="sends no picture .a reply of more than 1 MB"):
            list(drawn.generate([PICTURE.request]))
    assert len(asked) == 3, "it is not asked again"


def test_other_packings_are_not_unpacked() -> None:
    def zstd(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "zstd")
        handler.end_headers()

    with sending(zstd) as (address, asked), pytest.raises(ValueError, match="not asked for"):
        send("POST", address, {}, 10.0, {})
    assert "Accept-Encoding: identity" in asked[0]
    packed = gzip.compress(completion(["7"])[2])
    with serve(FakeOpenAI(lambda payload: (200, {"Content-Encoding": "gzip"}, packed))) as fake:
        assert ChatServer("m", fake.url).ask(None, "?", max_tokens=1, temperature=0)[0].text == "7"


def test_an_echo_of_a_megabyte_is_one_short_sentence() -> None:
    with sending(echo_of_a_megabyte) as (address, _), pytest.raises(UserError) as caught:
        RemoteJudge(ChatServer("m", address, patience=ONCE)).read([PICTURE])
    assert "too much: la la" in str(caught.value) and len(str(caught.value)) < 500


def test_words_are_quoted_short_whole_and_on_one_line() -> None:
    assert brief("a\nb\x1b[31m\ud800\u202e c") == "a b [31m? c"
    assert len(brief("very " * 200_000)) <= LONGEST
    assert "hf_" not in brief("the token hf_" + "a" * 30)
    assert words_of(b'{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}') == (
        "seed: Extra inputs are not permitted"
    )
    assert words_of(b'[{"error": {"code": 400, "message": "no such model"}}]') == "no such model"
    assert words_of(b"<html><style>p {}</style><h1>Bad Gateway</h1></html>") == "Bad Gateway"
    assert words_of(b'{"error": ' * 900) and words_of(b"[" * 100_000) and words_of(b"\xff\xfe") == "\ufffd\ufffd"


def test_half_a_character_is_replaced_in_replies_and_questions() -> None:
    with serve(FakeOpenAI(lambda payload: completion(["calm \ud83d"]))) as fake:
        server = ChatServer("m", fake.url, patience=ONCE)
        assert server.ask(None, "a \ud800 boat", max_tokens=1, temperature=0)[0].text == "calm ?"


def test_models_with_names_without_end_are_listed_short() -> None:
    with serve(FakeOpenAI(lambda payload: completion(["7"]))) as fake:
        fake.models = ["m" * 100_000]
        with pytest.raises(UserError, match="offers mmm") as caught:
            only_model(fake.url, None)
    assert len(str(caught.value)) < 300


def test_offline_mode_is_no_reason_not_to_ask_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE=1 blocked a judge on localhost."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with serve(FakeOpenAI(lambda payload: completion(["7"]))) as fake:
        judge: Any = build_judge(Settings(judge=fake.url))
        assert judge.server.ask(None, "?", max_tokens=1, temperature=0)[0].text == "7"
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set; unset it"):
        hosted = ChatServer("org/vlm", provider="novita", key="hf_" + "k" * 20)
        hosted.ask(None, "?", max_tokens=1, temperature=0)


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets the hosted models' provider be a server of this machine."""
    from huggingface_hub.inference._providers import _common

    def place(address: str) -> None:
        monkeypatch.setattr(_common.constants, "INFERENCE_PROXY_TEMPLATE", address + "/{provider}")
        known = {
            f"org/vlm-{task}": _common.InferenceProviderMapping(
                provider=PROVIDER, hf_model_id="org/vlm", providerId="org/vlm", status="live", task=task
            )
            for task in ("conversational", "text-to-image")
        }
        monkeypatch.setitem(_common.HARDCODED_MODEL_INFERENCE_MAPPING, PROVIDER, known)

    return place


def test_a_hosted_model_gets_its_picture_once_and_nobody_else(router: Callable[[str], None]) -> None:
    """Hugging Face's client followed a redirect to another host, and sent the picture there again."""
    key = "hf_" + "k" * 20
    with sending(lambda handler: handler.send_error(500)) as (other, leaked):

        def move(handler: Any) -> None:
            handler.send_response(307)
            handler.send_header("Location", f"{other}/v1/chat/completions")
            handler.end_headers()

        with sending(move) as (address, asked):
            router(address)
            server = ChatServer("org/vlm-conversational", provider=PROVIDER, key=key, patience=ONCE)
            with pytest.raises(UserError, match="points to 127.0.0.1"):
                server.ask("data:image/png;base64,AAAA", "?", max_tokens=1, temperature=0)
            drawn = HostedGenerator("org/vlm-text-to-image", PROVIDER, key=key, patience=ONCE)
            with pytest.raises(UserError, match="points to 127.0.0.1"):
                list(drawn.generate([PICTURE.request]))
            assert len(asked) == 2 and all(f"Bearer {key}" in text for text in asked)
    assert not leaked
    with serve(FakeOpenAI(lambda payload: completion(["7"], [{"7": 1.0}]))) as fake:
        router(fake.url.removesuffix("/v1"))
        with HostedClient(PROVIDER, key, 10.0) as client:
            options = {"max_completion_tokens": 3, "temperature": 0.0, "seed": 1}
            [answer] = client.answers("org/vlm-conversational", [{"role": "user", "content": "?"}], options)
        assert answer.text == "7" and answer.top is not None
        assert fake.payloads[0]["max_completion_tokens"] == 3 and fake.payloads[0]["seed"] == 1


class Rebound:
    """getaddrinfo of a name that means a public address when it is checked, and one of the inside a moment later."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int, *args: Any, **named: Any) -> Any:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that pointed outside when it was checked was looked up again to connect, and pointed inside then."""
    with serve(FakeOpenAI(lambda payload: completion(["7"]))) as fake:
        port = int(fake.url.rsplit(":", 1)[1].removesuffix("/v1"))
        url = f"http://rebinds.example:{port}/v1"
        names = Rebound("8.8.8.8", "127.0.0.1")
        reached: list[tuple[str, int]] = []

        def connect(address: tuple[str, int], *args: Any, **named: Any) -> socket.socket:
            reached.append(address)
            raise ConnectionRefusedError

        monkeypatch.setattr(visitor_addresses.socket, "getaddrinfo", names)
        monkeypatch.setattr("socket.create_connection", connect)
        with pytest.raises(ServerFailed, match="connection failed"):
            ChatServer("m", url, outside=True, patience=ONCE).ask(None, "?", max_tokens=1, temperature=0)
        assert reached == [("8.8.8.8", port)] and names.asked == 1
        with pytest.raises(UserError, match="serves others"):
            ChatServer("m", url, outside=True, patience=ONCE).ask(None, "?", max_tokens=1, temperature=0)
        with pytest.raises(UserError, match="serves others"):
            build_judge(Settings(judge=url), outside=True)
        generator = build_generator(Settings(generator=f"hosted:{url}"), outside=True)
        with pytest.raises(UserError, match="serves others"):
            list(generator.generate([PICTURE.request]))
        assert len(reached) == 1 and not fake.asked


def test_the_servers_name_stays_in_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(FakeOpenAI(lambda payload: completion(["7"]))) as fake:
        port = int(fake.url.rsplit(":", 1)[1].removesuffix("/v1"))
        monkeypatch.setattr("emofeedback.servers.requests.outside_address", lambda url: "127.0.0.1")
        reply = send("GET", f"http://judge.example:{port}/v1/models", {}, 10.0, door=Door(outside=True))
        assert reply.json()["data"]
    with sending(lambda handler: handler.send_error(404)) as (address, asked):
        port = int(address.rsplit(":", 1)[1])
        with pytest.raises(Exception, match="status 404"):
            send("GET", f"http://judge.example:{port}/x", {}, 10.0, door=Door(outside=True))
    assert f"Host: judge.example:{port}" in asked[0]


def test_the_name_in_tls_is_that_of_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl

    names: list[str | None] = []
    done = threading.Event()

    class Context(ssl.SSLContext):
        def wrap_socket(self, sock: Any, *args: Any, server_hostname: str | None = None, **named: Any) -> Any:
            names.append(server_hostname)
            raise ssl.SSLError("enough")

    monkeypatch.setattr("emofeedback.servers.requests.outside_address", lambda url: "127.0.0.1")
    monkeypatch.setattr("emofeedback.servers.requests._certificates", lambda: Context(ssl.PROTOCOL_TLS_CLIENT))
    with sending(lambda handler: done.set()) as (address, _):
        port = int(address.rsplit(":", 1)[1])
        with pytest.raises(Exception, match="enough"):
            send("GET", f"https://judge.example:{port}/x", {}, 10.0, door=Door(outside=True))
    assert names == ["judge.example"]


def test_a_failing_server_is_logged_without_its_page(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with sending(echo_of_a_megabyte) as (address, _), pytest.raises(UserError):
        RemoteJudge(ChatServer("m", address, patience=ONCE)).read([PICTURE])
    assert len(caplog.text) < 20_000
    assert MAX_REPLY < 2**22
