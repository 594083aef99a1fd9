"""The hosted generator against a small server that speaks the text-to-image protocol and misbehaves on demand."""

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from local_server import serving
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.generators.hosted import HostedGenerator
from emofeedback.generators.pipelines.emotion_words import with_emotion_words
from emofeedback.records import PictureRequest, VisualPrompt
from emofeedback.servers.patience import Patience

KEY = "hf_secret_of_the_test"


def png(colour: tuple[int, int, int] = (10, 20, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(buffer, "PNG")
    return buffer.getvalue()


class Service:
    """Answers each request with `answer(payload)`: (status, headers, body), or None to hang."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes] | None] = lambda p: (200, {}, png())
        self.payloads: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.released = threading.Event()
        self.url = ""


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.payloads.append(payload)
            made.keys.append(self.headers.get("Authorization", ""))
            reply = made.answer(payload)
            if reply is None:
                made.released.wait(30)
                return
            status, headers, body = reply
            self.send_response(status)
            for name, value in {"Content-Type": "image/png", "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as made.url:
        yield made
        made.released.set()


def generator(service: Service, deadline: float = 20.0, **more: Any) -> HostedGenerator:
    waits: list[float] = []
    made = HostedGenerator(service.url, patience=Patience(deadline, 4, 0.5, waits.append), **more)
    made.waits = waits  # type: ignore[attr-defined]
    return made


def ask(seed: int = 1, **more: Any) -> PictureRequest:
    return PictureRequest("a boat", None, seed, **more)


def test_pictures_come_in_order_with_what_was_asked(service: Service) -> None:
    service.answer = lambda payload: (200, {}, png((payload["parameters"]["seed"], 0, 0)))
    drawn = generator(service, key=KEY, size=512)
    steps: list[tuple[int, int]] = []
    requests = [ask(7), ask(9, steps=3, guidance=2.0)]
    pictures = list(drawn.generate(requests, lambda done, total: steps.append((done, total))))
    assert [picture.image.getpixel((0, 0))[0] for picture in pictures] == [7, 9]  # type: ignore[index]
    assert steps == [(0, 2), (1, 2), (2, 2)]
    by_seed = {payload["parameters"]["seed"]: payload for payload in service.payloads}
    assert by_seed[7]["inputs"] == "a boat" and "num_inference_steps" not in by_seed[7]["parameters"]
    wished = {"seed": 9, "num_inference_steps": 3, "guidance_scale": 2.0, "width": 512, "height": 512}
    assert wished.items() <= by_seed[9]["parameters"].items()
    assert set(service.keys) == {f"Bearer {KEY}"}


def test_emotion_goes_out_as_words(service: Service) -> None:
    request = PictureRequest("a boat", Affect(0.7, -0.6), 2**40, strength=1.0)
    [picture] = generator(service).generate([request])
    assert service.payloads[0]["inputs"] == with_emotion_words("a boat", Affect(0.7, -0.6))
    assert 0 <= service.payloads[0]["parameters"]["seed"] < 2**31
    assert picture.request is request


def test_busy_and_broken_answers_are_asked_again(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    replies = [(429, {"Retry-After": "3"}, b"{}"), (500, {}, b"no"), (200, {}, png()[:60]), (200, {}, png())]
    service.answer = lambda payload: replies.pop(0)
    drawn = generator(service, key=KEY)
    assert len(list(drawn.generate([ask()]))) == 1
    assert drawn.waits == [3.0, 1.0, 2.0]  # type: ignore[attr-defined]
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "sends no picture"),
        (401, "EMOFEEDBACK_GENERATOR_KEY"),
        (402, "credit"),
        (404, "knows no model"),
        (422, "change the words"),
    ],
)
def test_errors_are_one_sentence(service: Service, status: int, words: str) -> None:
    service.answer = lambda payload: (status, {}, b'{"error": "no"}')
    with pytest.raises(UserError, match=words) as caught:
        list(generator(service, key=KEY).generate([ask()]))
    assert KEY not in str(caught.value) and str(caught.value).count(". ") == 0


def test_a_server_that_hangs_meets_the_deadline(service: Service) -> None:
    service.answer = lambda payload: None
    with pytest.raises(UserError, match=r"no answer within 0\.3 s"):
        list(generator(service, deadline=0.3).generate([ask()]))


def test_cancel_between_pictures_asks_for_no_more(service: Service) -> None:
    def stop(done: int, total: int) -> None:
        if done == 1:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        list(generator(service).generate([ask(seed) for seed in range(40)], stop))
    assert len(service.payloads) < 20


def test_without_a_key_an_address_gets_no_hugging_face_token(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", KEY)
    drawn = generator(service)
    list(drawn.generate([ask()]))
    assert KEY not in service.keys[0]
    with pytest.raises(UserError, match="from words alone"):
        list(drawn.generate([ask(start=Image.new("RGB", (8, 8)))]))


def test_a_visual_prompt_is_refused_not_ignored(service: Service) -> None:
    """A hosted model cannot be shown pictures, and drew as if none had been asked for."""
    drawn = generator(service)
    with pytest.raises(UserError, match="leave visual prompts out"):
        list(drawn.generate([ask(visual=VisualPrompt())]))
    assert [picture.image.size for picture in drawn.generate([ask(visual=VisualPrompt(0.0))])] == [(64, 64)]
