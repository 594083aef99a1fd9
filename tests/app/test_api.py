"""The API as programs use it: every endpoint called, cancelled while it runs and while it waits, over HTTP and MCP."""

import asyncio
import csv
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from patience import PATIENCE
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.finetuning.order import FinetuneOrder
from emofeedback.settings import Settings
from emofeedback.ui import app as studio
from emofeedback.ui import worker
from emofeedback.ui.api.endpoint_jobs import Jobs
from emofeedback.ui.limits import Hosting, JobLimit, TimeLimit, _joins
from emofeedback.ui.session import Models, Visits
from emofeedback.ui.turns import Ticket

NAMES = {"/generate", "/preview", "/estimate", "/sweep", "/feedback_run", "/redraw", "/fine_tune"}
MOOD = {"valence": 0.6, "arousal": -0.4, "strength": 1, "seed": 5}


class FakeJob:
    """Two updates and two audits; goes on until it is stopped where no budget is given."""

    def __init__(self, order: FinetuneOrder, out: Path) -> None:
        self.order, self.out = order, out

    def run(self, stop: Callable[[], bool], on_event: Callable[[dict[str, Any]], None]) -> Any:
        on_event({"kind": "audit", "update": 0, "score": -0.5, "by": {"x": 1}})
        update = 0
        while not stop() and (self.order.updates is None or update < self.order.updates):
            update += 1
            on_event({"kind": "update", "update": update, "reward": 0.1})
            time.sleep(0.01)
        on_event({"kind": "audit", "update": update, "score": -0.3})
        adapter = self.out / "adapter"
        adapter.mkdir(parents=True)
        (adapter / "pytorch_lora_weights.safetensors").write_bytes(b"0")
        result = SimpleNamespace(
            stopped="cancelled" if stop() else "budget", updates=update, pictures=8, seconds=0.1, best_update=update
        )
        self.stopped = result.stopped
        return SimpleNamespace(result=result, adapter=adapter)


class Server:
    """A studio of fakes that notes its jobs."""

    def __init__(self, folder: Path, hosting: Hosting | None = None) -> None:
        self.generator, self.jobs = FakeGenerator(), []
        self.page, self.address = studio.launch(
            lambda: (self.generator, FakeJudge()),
            studio.StudioOptions(
                example=folder / "none", files=folder, open_job=self.open_job, hosting=hosting or Hosting()
            ),
            block=False,
        )

    def open_job(self, order: FinetuneOrder, judge: object, out: Path) -> Any:
        self.jobs.append(FakeJob(order, out))
        return self.jobs[-1]

    def client(self, **options: Any) -> Client:
        return Client(self.address, verbose=False, download_files=False, **options)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("studio"))
    yield server
    server.page.close()


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server.address, verbose=False, download_files=str(tmp_path_factory.mktemp("client")))


@pytest.fixture
def slow(server: Server) -> Iterator[FakeGenerator]:
    """The generator takes its time."""
    server.generator.seconds_per_step = 0.05
    yield server.generator
    server.generator.seconds_per_step = 0.0


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_every_endpoint_is_named_typed_and_described(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert {name for name in described if "finetune" not in name} == NAMES
    for name in NAMES:
        assert described[name]["description"], name
        assert all(parameter["python_type"]["type"] for parameter in described[name]["parameters"]), name


def test_generate_returns_a_png_that_carries_its_making(client: Client) -> None:
    path, result = client.predict("a boat", **MOOD, steps=3, api_name="/generate")
    with Image.open(path) as image:
        assert image.format == "PNG"
        making = json.loads(image.info["emofeedback"])
        assert "Seed: 5" in image.info["parameters"]
    assert making["request"]["prompt"] == "a boat" and making["request"]["steps"] == 3
    assert result["seed"] == 5
    assert result["reading"]["valence"] == pytest.approx(0.3, abs=0.15)


def test_generate_takes_a_named_emotion(server: Server) -> None:
    result = server.client().predict("a boat", emotion_name="Afraid", api_name="/generate")[1]
    assert result["reading"]["valence"] < 0 < result["reading"]["arousal"]


def test_generate_and_sweep_are_guided_by_pictures(server: Server, client: Client) -> None:
    server.generator.visual = True
    try:
        path, _ = client.predict("a boat", emotion_name="Fear", visual=0.8, api_name="/generate")
        sheet = client.predict("a boat", grid=2, visual=1.5, api_name="/sweep")[1]
    finally:
        del server.generator.visual
    with Image.open(path) as image:
        visual = json.loads(image.info["emofeedback"])["request"]["visual"]
    assert (visual["strength"], visual["emotion"]) == (0.8, "fear")
    assert (sheet["visual"]["strength"], sheet["visual"]["emotion"]) == (1.5, None)


def test_generate_draws_in_the_words_of_the_viewers(client: Client) -> None:
    path, result = client.predict("a boat", emotion_name="afraid", rewrite=True, api_name="/generate")
    with Image.open(path) as image:
        assert json.loads(image.info["emofeedback"])["request"]["prompt"] == result["prompt"]
    assert result["prompt"].startswith("a boat, ")
    assert client.predict("a boat", **MOOD, api_name="/generate")[1]["prompt"] == "a boat"


def test_preview_takes_fewer_steps_than_generate(server: Server) -> None:
    before = server.generator.steps_done
    server.client().predict("a boat", **MOOD, api_name="/preview")
    assert server.generator.steps_done - before == server.generator.preview_steps


def test_the_reading_belongs_to_the_picture(client: Client, tmp_path: Path) -> None:
    readings = []
    for colour in ((230, 20, 120), (20, 230, 120)):
        Image.new("RGB", (32, 32), colour).save(tmp_path / "in.png")
        readings.append(client.predict(handle_file(tmp_path / "in.png"), api_name="/estimate"))
    assert readings[0]["valence"] > 0.7 > -0.7 > readings[1]["valence"]
    assert readings[0]["arousal"] < -0.7 < 0.7 < readings[1]["arousal"]


def test_a_sheet_comes_with_every_picture_and_a_table(client: Client) -> None:
    path, result, files = client.predict("a boat", grid=2, api_name="/sweep")
    by_name = {Path(file).name: file for file in files}
    with Image.open(path) as sheet:
        assert sheet.width > 2 * 96
    assert set(result["continuity"]) == {"valence", "arousal"}
    assert [point["image"] in by_name for point in result["points"]] == [True] * 4
    with open(by_name["sweep.csv"]) as file:
        assert [float(row["valence"]) for row in csv.DictReader(file)] == [-0.8, 0.8, -0.8, 0.8]
    with Image.open(by_name[result["points"][1]["image"]]) as cell:
        assert json.loads(cell.info["emofeedback"])["request"]["valence"] == 0.8


def test_a_blend_is_drawn_with_its_share_and_moves(client: Client) -> None:
    _, result, files = client.predict("a boat", blend="happy,afraid,0.3", frames=3, animation="webp", api_name="/sweep")
    assert [p["valence"] for p in result["points"]] == pytest.approx([0.8, 0.8 - 0.3 * 1.45, -0.65])
    with Image.open(next(file for file in files if file.endswith(".webp"))) as film:
        assert film.is_animated and film.n_frames > 3


def test_feedback_run_edits_the_words_and_comes_closer(client: Client) -> None:
    pictures, run = client.predict("a boat", 0.7, 0.1, 1, 0, rounds=3, candidates=2, api_name="/feedback_run")
    first, last = run["rounds"][0], run["rounds"][-1]
    assert len(pictures) == 2 * len(run["rounds"]) >= 4
    assert last["prompt"] != first["prompt"]
    assert run["best"]["distance"] < min(c["distance"] for c in first["candidates"])


def test_redraw_starts_from_the_picture(client: Client, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (230, 20, 120)).save(tmp_path / "in.png")
    pictures, run = client.predict(
        handle_file(tmp_path / "in.png"), "a boat", 0.7, 0.1, rounds=1, candidates=1, api_name="/redraw"
    )
    assert run["settings"]["start_image"] is True and len(pictures) == 1


def test_fine_tune_answers_with_an_adapter(client: Client) -> None:
    archive, result = client.predict("a cat", updates=2, minutes=0, api_name="/fine_tune")
    assert archive.endswith(".zip")
    assert result["updates"] == 2 and result["audit_before"] == -0.5 and result["audit_after"] == -0.3


def test_a_running_call_is_cancelled(server: Server, slow: FakeGenerator) -> None:
    begun = slow.steps_done
    job = server.client().submit("a boat", **MOOD, steps=1000, api_name="/generate")
    until(lambda: slow.steps_done > begun)
    job.cancel()
    until(lambda: not server.page._queue.active_jobs[0])
    after = slow.steps_done
    server.client().predict("a boat", **MOOD, steps=2, api_name="/generate")  # the models are free again
    # a thread that gets no core for a while may draw on a little after the queue has let the call go
    assert slow.steps_done <= after + 2 + 20 < begun + 1000


def test_a_waiting_call_is_cancelled(server: Server, slow: FakeGenerator) -> None:
    begun = slow.steps_done
    first = server.client().submit("first", **MOOD, steps=1000, api_name="/generate")
    until(lambda: slow.steps_done > begun)
    second = server.client().submit("second", **MOOD, steps=1000, api_name="/generate")
    until(lambda: any(out[1] == {"status": "waiting", "done": 0.0, "ahead": 1} for out in second.outputs()))
    second.cancel()
    until(lambda: len([job for job in server.page._queue.active_jobs if job]) == 1)
    first.cancel()
    server.client().predict("a boat", **MOOD, steps=1, api_name="/generate")
    assert slow.steps_done < begun + 1000


def test_the_archive_is_the_last_answer_of_fine_tuning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody had the models at the job's end: a sign of life came after the archive, and was taken for the answer."""
    models, visits = Models(lambda: (FakeGenerator(), FakeJudge())), Visits(tmp_path)
    models.start()
    jobs = Jobs(models, visits, lambda order, judge, out: FakeJob(order, out))
    holds, goes = threading.Event(), threading.Event()
    monkeypatch.setattr(worker, "TICK", 0.01)

    def tune(order: FinetuneOrder, visit: Any, stop: threading.Event, post: Callable[[object], None]) -> None:
        threading.Thread(target=guest, args=(models.lock.enter("guest"),), daemon=True).start()
        post((Path("adapter.zip"), {"stopped": "budget"}))

    def guest(ticket: Ticket) -> None:
        models.lock.wait(ticket, 60)
        holds.set()
        goes.wait(60)
        models.lock.leave(ticket)

    monkeypatch.setattr(jobs, "_tune", tune)
    answers = []
    for answer in jobs.fine_tune("a cat", 0, 0, "corners", 0, 1, "awm", 0, SimpleNamespace(session_hash=None)):
        answers.append(answer)
        if holds.is_set() and answer[1] == {"status": "working"}:
            goes.set()
    assert goes.is_set() and answers[-1][0] == "adapter.zip" and answers[-1][1]["stopped"] == "budget"


def test_fine_tuning_is_cancelled(server: Server) -> None:
    job = server.client().submit("a cat", minutes=100, api_name="/fine_tune")
    until(lambda: any((out[1] or {}).get("status") == "update" for out in job.outputs()))
    begun = server.jobs[-1]
    assert getattr(begun, "stopped", "") != "cancelled"
    job.cancel()
    until(lambda: getattr(begun, "stopped", "") == "cancelled")
    assert server.jobs[-1] is begun and begun.stopped == "cancelled"  # that very job, and no other was started


def test_plain_http_as_with_curl(server: Server) -> None:
    base = f"{server.address}gradio_api/call/generate"
    call = httpx.post(base, json={"data": ["a boat", 0.7, -0.5, 1, 9, 0, "", 0, False, True]}).json()["event_id"]
    lines = httpx.get(f"{base}/{call}", timeout=PATIENCE).text.splitlines()
    assert "event: complete" in lines
    picture, result = json.loads(lines[lines.index("event: complete") + 1].removeprefix("data: "))
    assert result["seed"] == 9
    assert httpx.get(picture["url"]).headers["content-type"] == "image/png"


def test_an_agent_calls_the_tools_over_mcp(server: Server) -> None:
    pytest.importorskip("mcp")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async def talk() -> tuple[set[str], Any]:
        async with (
            streamablehttp_client(f"{server.address}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name for tool in (await session.list_tools()).tools}
            return tools, await session.call_tool("sweep", {"prompt": "a boat", "grid": 2})

    tools, answer = asyncio.run(talk())
    assert {name.removeprefix("/") for name in NAMES} == {name for name in tools if "finetune" not in name}
    assert not answer.isError
    said = " ".join(getattr(item, "text", "") for item in answer.content)
    assert "cell-02-02.png" in said and "continuity" in said


@pytest.mark.parametrize(
    ("endpoint", "values", "says"),
    [
        ("/generate", {"prompt": "x", "valence": 1.5}, "valence must lie between -1 and 1"),
        ("/generate", {"prompt": "x", "seed": -4}, "seed must"),
        ("/generate", {"prompt": "x" * 2001}, "shorten it to 2000"),
        ("/generate", {"prompt": "x", "emotion_name": "hapy"}, "Unknown emotion"),
        ("/generate", {"prompt": "x", "visual": 1}, "no visual prompts; leave visual at 0"),
        ("/sweep", {"prompt": "x", "visual": 1}, "no visual prompts; leave visual at 0"),
        ("/generate", {"prompt": "x", "visual": -1}, "visual strength must"),
        ("/sweep", {"prompt": "x", "grid": 40}, "grid must"),
        ("/sweep", {"prompt": "x", "path": "0,0"}, "at least two points"),
        ("/sweep", {"prompt": "x", "blend": "happy"}, "is no blend"),
        ("/sweep", {"prompt": "x", "blend": "happy,afraid", "frames": 500}, "frames must"),
        ("/sweep", {"prompt": "x", "animation": "../../x"}, "cannot be"),
        ("/feedback_run", {"prompt": "x", "rounds": 99}, "rounds must"),
        ("/feedback_run", {"prompt": "x", "candidates": 9}, "candidates must"),
        ("/feedback_run", {"prompt": "x", "continuation": "<script>"}, "Unknown continuation"),
        ("/fine_tune", {"prompts": "x", "region": "nowhere"}, "Unknown region"),
    ],
)
def test_bad_values_get_one_sentence(server: Server, endpoint: str, values: dict[str, Any], says: str) -> None:
    with pytest.raises(AppError, match=says) as caught:
        server.client().predict(**values, api_name=endpoint)
    assert "<script>" not in str(caught.value)


def test_users_at_once_get_their_own_pictures(server: Server) -> None:
    results = {}

    def visit(seed: int) -> None:
        results[seed] = server.client().predict("a boat", 0.5, 0.5, 1, seed, 0, api_name="/generate")[1]["seed"]

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in (11, 12, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE)
    assert results == {11: 11, 12: 12, 13: 13}


def test_a_public_host_keeps_its_limits(tmp_path: Path) -> None:
    rules = Hosting.of(Settings.from_environment({"SPACE_ID": "me/it", "EMOFEEDBACK_JOBS_PER_USER": "2"}))
    assert rules.public and rules.finetune_minutes == 0 and rules.minutes_per_hour and rules.max_upload_mb < 32
    server = Server(tmp_path, rules)
    try:
        assert "shared host" in json.dumps(server.page.get_config_file()["components"], default=str)
        with pytest.raises(AppError, match="no fine-tuning on this host"):
            server.client().predict("a cat", updates=1, minutes=0, api_name="/fine_tune")
        server.generator.seconds_per_step = 0.05
        client = server.client()
        jobs = [client.submit("a boat", **MOOD, steps=1000, api_name="/generate") for _ in range(2)]
        until(lambda: all(job.communicator.event_id for job in jobs))
        base = f"{server.address}gradio_api/call/generate"
        refused = httpx.post(base, json={"data": ["a boat", 0.7, -0.5, 1, 9, 0, "", 0, False, True]})
        assert refused.status_code == 429 and "already have 2 jobs" in refused.json()["detail"]
        other = {"x-forwarded-for": "8.8.8.8"}
        assert (
            httpx.post(base, json={"data": ["", 0, 0, 1, 9, 1, "", 0, False, True]}, headers=other).status_code == 200
        )
        for job in jobs:
            job.cancel()
    finally:
        server.page.close()


def test_limits_are_counted_for_each_user() -> None:
    now = [0.0]
    limit = TimeLimit(1.0, clock=lambda: now[0])
    with limit.work("a"):
        now[0] += 61
    with pytest.raises(UserError, match="go on in 60 min"), limit.work("a"):
        pass
    with limit.work("b"):
        pass
    now[0] += 3601
    with limit.work("a"):
        pass


def test_behind_a_proxy_the_last_public_address_counts() -> None:
    request = SimpleNamespace(
        headers={"x-forwarded-for": "6.6.6.6, 8.8.4.4, 10.0.0.1"}, client=SimpleNamespace(host="10.1.1.1")
    )
    assert Hosting(proxied=True).user(request) == "8.8.4.4"
    assert Hosting().user(request) == "10.1.1.1"
    assert _joins("/gradio_api/queue/join") and not _joins("/gradio_api/upload") and JobLimit


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("JOBS_PER_USER", "0", "between 1"), ("PUBLIC", "maybe", "1 or 0"), ("MINUTES_PER_HOUR", "nan", "a number")],
)
def test_bad_limits_are_said(name: str, value: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Settings.from_environment({f"EMOFEEDBACK_{name}": value})


def test_a_job_longer_than_the_host_allows_is_refused(tmp_path: Path) -> None:
    opener = Hosting(finetune_minutes=2).job_opener(lambda order, judge, out: FakeJob(order, out))  # type: ignore[arg-type,return-value]
    assert opener is not None
    with pytest.raises(UserError, match="may take 2 minutes"):
        opener(FinetuneOrder(minutes=5), FakeJudge(), tmp_path)
    assert opener(FinetuneOrder(minutes=1), FakeJudge(), tmp_path)


def test_the_app_starts_without_the_mcp_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "find_spec", lambda name: None)
    server = Server(tmp_path)
    try:
        assert server.page.mcp_server_obj is None
        assert server.client().predict("a boat", **MOOD, api_name="/preview")[1]["seed"] == 5
    finally:
        server.page.close()
