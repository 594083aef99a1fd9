"""What a host promises holds for every way in: names, uploads, direct calls, forged headers, many calls at once."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from patience import PATIENCE

from emofeedback.errors import UserError
from emofeedback.protocols import OnStep
from emofeedback.records import Picture, PictureRequest
from emofeedback.settings import Settings
from emofeedback.ui import app as studio
from emofeedback.ui.gate import Uploads, cross_site, host_of
from emofeedback.ui.limits import CALLER, Hosting

JOBS = 2
SWEEP = ["x", 2, 1, 0, "", "", 9, "", 0, 0]


class Held(FakeGenerator):
    """Draws when it is let."""

    let = threading.Event()

    def generate(self, requests: Any, on_step: OnStep | None = None) -> Iterator[Picture]:
        self.let.wait(PATIENCE)
        yield from super().generate(requests, on_step)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("gate")
    hosting = Hosting(jobs_per_user=JOBS, max_upload_mb=1, uploads_mb_per_hour=2, picture_steps=100, local=True)
    options = studio.StudioOptions(example=folder / "none", files=folder, hosting=hosting)
    page, address = studio.launch(lambda: (Held(), FakeJudge()), options, block=False)
    yield address
    Held.let.set()
    page.close()


@pytest.fixture(autouse=True)
def _free() -> Iterator[None]:
    Held.let.set()
    yield
    Held.let.set()


def ended(url: str, name: str, data: list[Any], **headers: str) -> str:
    """All that a whole call says."""
    begun = httpx.post(f"{url}gradio_api/call/{name}", json={"data": data}, headers=headers)
    if begun.status_code != 200:
        return begun.text
    return httpx.get(f"{url}gradio_api/call/{name}/{begun.json()['event_id']}", timeout=PATIENCE, headers=headers).text


def test_thirty_calls_at_once_are_as_many_as_are_allowed(url: str) -> None:
    """All of them came in before the first was counted; and each could say that it was sent by another address."""
    Held.let.clear()
    with httpx.Client() as web, ThreadPoolExecutor(15) as pool:

        def ask(number: int) -> httpx.Response:
            headers = {"X-Forwarded-For": f"8.8.{number}.1", CALLER: f"{number}:{number}"}
            return web.post(f"{url}gradio_api/call/sweep", json={"data": SWEEP}, headers=headers)

        answers = list(pool.map(ask, range(15)))
        Held.let.set()
        begun = [answer.json()["event_id"] for answer in answers if answer.status_code == 200]
        for event in begun:  # the next test begins with no job of its own
            assert "event: complete" in web.get(f"{url}gradio_api/call/sweep/{event}", timeout=PATIENCE).text
    assert sorted(answer.status_code for answer in answers) == [200] * JOBS + [429] * (15 - JOBS)


def test_no_job_goes_past_the_queue(url: str) -> None:
    for way in ("run", "api"):
        said = httpx.post(f"{url}gradio_api/{way}/sweep", json={"data": SWEEP})
        assert said.status_code == 404 and "queue" in said.text


def test_one_call_is_bounded_by_its_work(url: str) -> None:
    for name, data in (
        ("sweep", ["x", 9, 1, 0, "", "", 9, "", 1000, 0]),
        ("sweep", ["x", 3, 1, 0, "-0.5,0 0.5,0", "", 81, "", 2, 0]),
        ("generate", ["x", 0, 0, 1, 0, 101, "", 0, False]),
        ("feedback_run", ["x", 0, 0, 1, 0, 6, 8, "same_seed"]),
    ):
        said = ended(url, name, data)
        assert "event: error" in said and "too much for one call" in said, name
    assert "event: complete" in ended(url, "generate", ["x", 0, 0, 1, 0, 4, "", 0, False])


def upload(url: str, size: int, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}gradio_api/upload", files={"files": ("a.png", b"x" * size)}, headers=headers)


def test_uploads_from_other_sites_and_beyond_the_hours_share_are_refused(url: str) -> None:
    assert upload(url, 10, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert upload(url, 10, Origin="https://evil.example").status_code == 403
    assert upload(url, 10, Origin=url.rstrip("/")).status_code == 200
    assert upload(url, 3 * 2**20).status_code == 413
    codes = [upload(url, 900_000, **{"X-Forwarded-For": f"8.8.8.{i}"}).status_code for i in range(4)]
    assert codes == [200, 200, 429, 429]
    said = upload(url, 900_000).json()["detail"]
    assert "uploaded 2 MB within an hour" in said


def test_foreign_names_large_requests_and_the_monitor_are_closed(url: str) -> None:
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421
    assert httpx.get(url, headers={"Host": "evil.example:7860"}).status_code == 421
    for name in ("localhost:7860", "127.0.0.1", "[::1]:80"):
        assert httpx.get(f"{url}config", headers={"Host": name}).status_code == 200
    large = httpx.post(f"{url}gradio_api/call/generate", content=b'{"data": ["' + b"a" * (17 * 2**20))
    assert large.status_code == 413

    def pieces() -> Iterator[bytes]:
        yield b'{"data": ["'
        for _ in range(17):
            yield b"a" * 2**20

    with pytest.raises(httpx.HTTPError):
        httpx.post(f"{url}gradio_api/call/generate", content=pieces()).raise_for_status()
    for path in ("monitoring", "monitoring/summary", "monitoring/x"):
        assert httpx.get(f"{url}{path}").status_code == 403
    assert "event: complete" in ended(url, "generate", ["x", 0, 0, 1, 0, 0, "", 0, False])


def test_a_call_without_a_session_leaves_none_behind(tmp_path: Path) -> None:
    """Each left .7 MB: a copy of the page's configuration. 600 pictures took a server from 704 to 1,140 MB."""
    options = studio.StudioOptions(example=tmp_path / "none", files=tmp_path)
    generator = FakeGenerator()
    page, url = studio.launch(lambda: (generator, FakeJudge()), options, block=False)
    try:
        for _ in range(3):
            assert "event: complete" in ended(url, "preview", ["x", 0, 0, 1, 0])
            assert "event: error" in ended(url, "preview", ["x", 7, 0, 1, 0])
        generator.seconds_per_step = 0.05
        data = {"data": ["x", 0, 0, 1, 0, 1000, "", 0, False]}
        call = httpx.post(f"{url}gradio_api/call/generate", json=data).json()["event_id"]
        with httpx.stream("GET", f"{url}gradio_api/call/generate/{call}") as answer:
            next(answer.iter_lines())
            assert len(page.state_holder.session_data) == 1
        end = time.monotonic() + 60  # the caller went away: theirs stayed, .7 MB each
        # a visit and its pictures stayed for an hour; the folder goes after the session
        while (page.state_holder.session_data or list(tmp_path.glob("emofeedback-*"))) and time.monotonic() < end:
            time.sleep(0.02)
        assert len(page.state_holder.session_data) == 0 and generator.steps_done < 1000
        assert not list(tmp_path.glob("emofeedback-*"))
        assert page.state_holder.capacity == studio.MAX_SESSIONS
    finally:
        page.close()


def test_who_calls_and_from_where() -> None:
    hosting = Hosting(proxied=True)

    def request(**headers: str) -> Any:
        return SimpleNamespace(headers={k.replace("_", "-"): v for k, v in headers.items()}, client=None, username=None)

    assert hosting.user(request(x_emofeedback_caller=f"{hosting.token}:8.8.4.4")) == "8.8.4.4"
    assert hosting.user(request(x_emofeedback_caller="guess:8.8.4.4", x_forwarded_for="1.1.1.1")) == "1.1.1.1"
    assert Hosting().token != Hosting().token and Hosting().token not in repr(hosting)
    assert [host_of(h) for h in ("a.b:1", "[::1]:2", "http://c", "")] == ["a.b", "::1", "c", ""]
    assert not cross_site({"origin": "https://a.example"}, local=False)  # type: ignore[arg-type]
    assert cross_site({"sec-fetch-site": "cross-site"}, local=False)  # type: ignore[arg-type]


def test_the_room_for_uploads_ends_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "a").write_bytes(b"x" * 2**20)
    now = [0.0]
    uploads = Uploads(Hosting(total_uploads_mb=2, uploads_mb_per_hour=3), lambda: now[0])

    def ask(host: str, size: int) -> int | None:
        scope = {"type": "http", "headers": [], "client": (host, 1)}
        refused = uploads.refusal(scope, size)
        return None if refused is None else refused[0]

    assert ask("1", 2**20 - 1) is None
    assert ask("2", 2**19) == 507
    now[0] = 6.0  # measured again: that upload has not come
    assert ask("2", 2**19) is None
    (tmp_path / "a").unlink()
    now[0] = 12.0
    assert ask("1", 2 * 2**20) is None and ask("1", 2**20) == 429
    now[0] = 4000.0
    assert ask("1", 2**20) is None


def test_a_public_host_bounds_all_of_it() -> None:
    rules = Hosting.of(Settings.from_environment({"EMOFEEDBACK_PUBLIC": "1"}), local=True)
    assert (rules.uploads_mb_per_hour, rules.total_uploads_mb, rules.local) == (160, 2048, False)
    rules.check_work(81, 16)
    with pytest.raises(UserError, match="at most 49 steps"):
        rules.check_work(81, 1000)
    Hosting.of(Settings.from_environment({})).check_work(81, 1000)
    assert PictureRequest("x", None, 2**53).seed == 2**53


def test_agents_are_counted_as_themselves(url: str) -> None:
    """Eight sweeps over MCP ran at once: the studio's own client had called for all of them."""
    pytest.importorskip("mcp")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def sweeps() -> list[Any]:
        headers = {"X-Forwarded-For": "8.8.8.8", CALLER: "guess:8.8.8.8"}
        async with (
            streamablehttp_client(f"{url}gradio_api/mcp/", headers=headers) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            name = next(tool.name for tool in (await session.list_tools()).tools if tool.name.endswith("sweep"))
            calls = [asyncio.create_task(session.call_tool(name, {"prompt": "x", "grid": 2})) for _ in range(5)]
            refused = 0
            for call in asyncio.as_completed(calls):
                refused += (await call).isError
                if refused == 5 - JOBS:
                    Held.let.set()
            return [call.result() for call in calls]

    Held.let.clear()
    answers = asyncio.run(sweeps())
    assert sum(answer.isError for answer in answers) == 5 - JOBS, answers
