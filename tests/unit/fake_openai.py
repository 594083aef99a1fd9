"""A small server that speaks OpenAI's chat protocol and misbehaves on demand."""

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from local_server import serving

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


def completion(texts: list[str], logprobs: list[dict[str, float]] | None = None) -> Reply:
    """A whole reply with one choice per text; `logprobs` holds each token's alternatives, the chosen one first."""
    content = None
    if logprobs is not None:
        content = []
        for top in logprobs:
            listed = [{"token": token, "logprob": math.log(p)} for token, p in top.items()]
            content.append({**listed[0], "top_logprobs": listed})
    choices = [
        {
            "index": i,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": text},
            "logprobs": None if content is None else {"content": content},
        }
        for i, text in enumerate(texts)
    ]
    body = {"id": "1", "created": 1, "model": "fake", "object": "chat.completion", "choices": choices}
    body["usage"] = {"completion_tokens": 1, "prompt_tokens": 1, "total_tokens": 2}
    body["system_fingerprint"] = "fake"
    return 200, {}, json.dumps(body).encode()


def failure(status: int, headers: dict[str, str] | None = None) -> Reply:
    return status, headers or {}, json.dumps({"error": {"message": f"no: {status}"}}).encode()


HANG = object()
CUT = object()


class FakeOpenAI:
    """Answers each request with what `answer(payload)` gives: a Reply, CUT (half a reply) or HANG."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self.answer = answer
        self.payloads: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.asked: list[tuple[str, str]] = []  # path with query, and the authorization, of every request
        self.models = ["org/vlm"]
        self.released = threading.Event()
        self.url = ""


@contextmanager
def serve(fake: FakeOpenAI) -> Iterator[FakeOpenAI]:
    """Run the server in a thread on a free port; `fake.url` is its base."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            fake.asked.append((self.path, self.headers.get("Authorization", "")))
            self._send(200, {}, json.dumps({"data": [{"id": name} for name in fake.models]}).encode())

        def do_POST(self) -> None:
            fake.asked.append((self.path, self.headers.get("Authorization", "")))
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.payloads.append(payload)
            fake.keys.append(self.headers.get("Authorization", ""))
            reply = fake.answer(payload)
            if reply is HANG:
                fake.released.wait(30)
            elif reply is CUT:
                self._send(200, {}, completion(["5"])[2][:40], claimed=4000)
            else:
                self._send(*reply)

        def _send(self, status: int, headers: dict[str, str], body: bytes, claimed: int | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(claimed or len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as address:
        fake.url = f"{address}/v1"
        try:
            yield fake
        finally:
            fake.released.set()
