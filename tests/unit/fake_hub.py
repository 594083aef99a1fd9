"""A small server with the parts of Hugging Face's API that a download needs."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from local_server import serving

COMMIT = "c0ffee" + "0" * 34


@dataclass
class FakeHub:
    """Repositories by name: path -> content; `refusals` by repository: status and error code."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    url: str = ""


@contextmanager
def serve(hub: FakeHub) -> Iterator[FakeHub]:
    """Run the server in a thread on a free port; `hub.url` is its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(False)

        def do_GET(self) -> None:
            self._answer(True)

        def _answer(self, whole: bool) -> None:
            path = self.path.split("?")[0].strip("/")
            if path.startswith("api/models/"):
                owner, name, *rest = path.removeprefix("api/models/").split("/")
                repo = f"{owner}/{name}"
                if self._refused(repo) or (
                    rest and rest[-1] not in ("main", COMMIT) and self._none("RevisionNotFound")
                ):
                    return
                if "tree" in rest:
                    files = [
                        {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                        for file, content in self.files(repo).items()
                    ]
                    self._send(200, json.dumps(files).encode(), {}, whole)
                    return
                entries = [{"rfilename": file} for file in self.files(repo)]
                self._send(200, json.dumps({"id": repo, "sha": COMMIT, "siblings": entries}).encode(), {}, whole)
                return
            repo, _, tail = path.partition("/resolve/")
            file = tail.partition("/")[2]
            if self._refused(repo):
                return
            content = self.files(repo).get(file)
            if content is None:
                self._none("EntryNotFound")
                return
            if whole:
                hub.fetched.append(file)
            etag = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
            self._send(200, content, etag, whole)

        def files(self, repo: str) -> dict[str, bytes]:
            return hub.repos.get(repo, {})

        def _refused(self, repo: str) -> bool:
            status, code = hub.refusals.get(repo, (0, ""))
            if not status and repo not in hub.repos:
                status, code = 404, "RepoNotFound"
            if status:
                self._send(status, b"{}", {"X-Error-Code": code}, True)
            return bool(status)

        def _none(self, code: str) -> bool:
            self._send(404, b"{}", {"X-Error-Code": code}, True)
            return True

        def _send(self, status: int, body: bytes, headers: dict[str, Any], whole: bool) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if whole and self.command != "HEAD":
                self.wfile.write(body)

    with serving(Handler) as hub.url:
        yield hub
