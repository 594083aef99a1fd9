"""A judge's server that answers late or never: whoever asked it waits, and nobody else does."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fake_openai import FakeOpenAI, completion, serve
from fakes_ui import FakeGenerator
from gradio_client import Client
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.servers.chat import ChatServer
from emofeedback.servers.patience import Patience
from emofeedback.ui import app as studio
from emofeedback.ui.create.create_tab import CreateTab
from emofeedback.ui.models_turn import models_turn
from emofeedback.ui.read.read_tab import ReadTab
from emofeedback.ui.session import Models, Visits
from emofeedback.ui.worker import on_thread

MOOD = {"valence": 0.6, "arousal": -0.4, "strength": 1, "seed": 5}
ADVICE = '{"analysis": "even", "carries": ["even light"], "edits": [{"add": "with storm clouds"}]}'


class Hanging(FakeOpenAI):
    """The first question waits until it is released; every other is answered at once."""

    def __init__(self) -> None:
        super().__init__(self.answered)
        self.hangs, self.let = threading.Event(), threading.Event()
        self._first = threading.Lock()

    def answered(self, payload: dict[str, Any]) -> Any:
        if self._first.acquire(blocking=False):
            self.hangs.set()
            assert self.let.wait(600)
        if payload["messages"][0]["content"][1]["text"].startswith("A text-to-image"):
            return completion([ADVICE])
        return completion(["5"], [{"5": 1.0}])


@pytest.fixture
def fake() -> Iterator[Hanging]:
    with serve(Hanging()) as fake:  # type: ignore[type-var]
        yield fake  # type: ignore[misc]
        fake.let.set()  # type: ignore[attr-defined]


def judge_at(fake: FakeOpenAI) -> RemoteJudge:
    return RemoteJudge(ChatServer("org/vlm", fake.url, patience=Patience(deadline=600.0)), describe=False)


class Tabs:
    """Create and Read outside a server, and visitors who press their buttons."""

    def __init__(self, folder: Path, judge: RemoteJudge) -> None:
        self.models, self.visits = Models(lambda: (FakeGenerator(), judge)), Visits(folder)
        self.models.start()
        with gr.Blocks():
            self.create, self.read = CreateTab(self.models, self.visits, None), ReadTab(self.models, self.visits)
        self.picture = folder / "in.png"
        Image.new("RGB", (32, 32), (230, 20, 120)).save(self.picture)

    def who(self, name: str) -> Any:
        return SimpleNamespace(session_hash=name, cookies={}, username=None, client=None, headers={})

    def run(self, name: str) -> list[Any]:
        """One round of Create."""
        c = self.create
        data = {control: control.value for control in vars(c.controls).values() if hasattr(control, "value")}
        data |= {c.controls.rounds: 1, c.controls.candidates: 2, c.judge.next_prompt: ""}
        c.wait(self.who(name))
        return list(c.run(data, self.who(name)))

    def state(self, name: str) -> Any:
        return self.create.browse.at(self.who(name))

    def reads(self, name: str) -> list[Any]:
        return list(self.read.run(str(self.picture), self.who(name)))


def in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 600
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_create_goes_on_for_others_and_stop_is_heard(fake: Hanging, tmp_path: Path) -> None:
    """Everybody's Create waited for as long as one visitor's judge hung: 120 s and more."""
    tabs = Tabs(tmp_path, judge_at(fake))
    first = in_background(lambda: tabs.run("first"))
    assert fake.hangs.wait(600)
    last = tabs.run("second")[-1]
    assert "Done in" in str(last[tabs.create.output.status]) and first.is_alive()
    with pytest.raises(gr.Error):  # their own run is at work
        tabs.run("first")
    tabs.create.stop(tabs.who("first"))
    first.join(600)
    assert not first.is_alive() and not tabs.models.lock.locked() and not fake.let.is_set()
    assert "Stopped" in tabs.state("first").status and not tabs.state("first").busy
    assert "Done in" in str(tabs.run("first")[-1][tabs.create.output.status])


def test_a_run_goes_on_when_its_judge_answers(fake: Hanging, tmp_path: Path) -> None:
    tabs = Tabs(tmp_path, judge_at(fake))
    first = in_background(lambda: tabs.run("first"))
    assert fake.hangs.wait(600)
    until(lambda: not tabs.models.lock.locked())
    tabs.models.lock.acquire()  # somebody else's work
    fake.let.set()
    until(lambda: bool(tabs.models.lock._line))  # it is back in the line, and waits
    assert tabs.state("first").work.chosen is None
    tabs.models.lock.release()
    first.join(600)
    assert tabs.state("first").status.startswith("Done in") and len(tabs.state("first").runs) == 1


def test_a_preview_that_waits_gives_way_to_a_run(fake: Hanging, tmp_path: Path) -> None:
    """It was drawn after a short run, and "Preview in 0.1 s" stood where the run had said that it was done."""
    tabs = Tabs(tmp_path, judge_at(fake))
    fake.let.set()
    assert tabs.models.get()
    tabs.models.lock.acquire()  # somebody else's work
    c, who = tabs.create, tabs.who("first")
    data = {control: control.value for control in vars(c.controls).values() if hasattr(control, "value")}
    shown: list[Any] = []
    preview = in_background(lambda: shown.append(c.preview.live(data, who)))
    until(lambda: bool(tabs.models.lock._line))
    c.wait(who)
    tabs.state("first").waiting = False  # the run is over
    tabs.models.lock.release()
    preview.join(600)
    assert list(shown[0]) == [c.output.status] and tabs.state("first").single is None


def test_read_goes_on_for_others(fake: Hanging, tmp_path: Path) -> None:
    tabs = Tabs(tmp_path, judge_at(fake))
    first = in_background(lambda: tabs.reads("first"))
    assert fake.hangs.wait(600)
    shown = tabs.reads("second")[-1]
    assert tabs.read.carries in shown and first.is_alive()
    assert "Done in" in str(tabs.run("second")[-1][tabs.create.output.status])  # and draws
    fake.let.set()
    first.join(600)
    assert not first.is_alive()


def test_models_are_changed_while_a_judge_hangs(fake: Hanging, tmp_path: Path) -> None:
    """What waits for the judge that goes ends with a sentence, in place of both models in memory at once."""
    tabs, ended = Tabs(tmp_path, judge_at(fake)), list[str]()

    def reads() -> None:
        try:
            tabs.reads("first")
        except gr.Error as error:
            ended.append(str(error.message))

    first = in_background(reads)
    assert fake.hangs.wait(600)
    with tabs.models.lock.alone("Another judge took its place meanwhile; start it again."):
        first.join(600)
    assert ended == ["Another judge took its place meanwhile; start it again."]


def test_a_fine_tuning_job_gives_its_turn_while_its_judge_hangs(fake: Hanging, tmp_path: Path) -> None:
    tabs, judge = Tabs(tmp_path, judge_at(fake)), judge_at(fake)

    def job(post: Callable[[object], None]) -> None:
        judge.read_images([Image.new("RGB", (8, 8))])
        assert tabs.models.lock.locked()
        post("read")

    told: list[object] = []
    visit = tabs.visits.of(tabs.who("first"))
    stop = threading.Event()
    work = in_background(lambda: told.extend(post for post in on_thread(tabs.models, visit, stop, job) if post))
    assert fake.hangs.wait(600)
    assert "Done in" in str(tabs.run("second")[-1][tabs.create.output.status])
    fake.let.set()
    work.join(600)
    assert told == ["read"] and not tabs.models.lock.locked()


def test_a_visitor_whose_time_is_used_up_leaves_the_line(fake: Hanging, tmp_path: Path) -> None:
    tabs = Tabs(tmp_path, judge_at(fake))
    visit = tabs.visits.of(tabs.who("first"))
    visit.apply_adapter = lambda visit: (_ for _ in ()).throw(UserError("It does not fit."))
    with pytest.raises(UserError, match="not fit"), models_turn(tabs.models, visit, "create") as turn:
        turn.begin()
    assert not tabs.models.lock.locked() and not visit.running


def test_the_api_goes_on_for_others(fake: Hanging, tmp_path: Path) -> None:
    """Also through the page's queue, which let one call in at a time."""
    judge = judge_at(fake)
    page, address = studio.launch(
        lambda: (FakeGenerator(), judge), studio.StudioOptions(example=tmp_path / "none", files=tmp_path), block=False
    )
    try:
        one, two = (Client(address, verbose=False, download_files=False) for _ in range(2))
        first = one.submit("a boat", **MOOD, steps=2, api_name="/generate")
        assert fake.hangs.wait(600)
        picture, result = two.predict("a boat", **MOOD, steps=2, api_name="/generate")
        assert picture and result["reading"] is not None and not first.done()
        fake.let.set()
        assert first.result(timeout=600)[1]["reading"] is not None
    finally:
        page.close()
