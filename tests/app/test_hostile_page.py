"""What an unkind browser sends to the page's own listeners: refused with one sentence, nothing executed or touched."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from fakes_ui import FakeGenerator, FakeJudge

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.files.png_settings import read_settings
from emofeedback.history.store import History
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import RunOrder, run_loop
from emofeedback.ui import app as studio
from emofeedback.ui.create.create_tab import CreateTab
from emofeedback.ui.create.restore import Restore
from emofeedback.ui.history.history_owner import COOKIE
from emofeedback.ui.history.history_tab import HistoryTab
from emofeedback.ui.history.history_writer import HistoryWriter
from emofeedback.ui.session import Models, Visits
from emofeedback.ui.sweep.sweep_tab import SweepTab

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
TRICKS = ["../../../etc/passwd", "/etc/passwd", "..%2f..%2fetc", "a\0b", "", "x" * 5000, SCRIPT, "' OR 1=1 --"]


class Page:
    """The tabs outside a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = HistoryWriter(History(folder / "data"))
        self.visits = Visits(folder / "visits")
        (folder / "visits").mkdir()
        self.visits.writer = self.writer
        models = Models(lambda: (FakeGenerator(), FakeJudge()))
        models.start()
        with gr.Blocks(), gr.Tabs(), gr.Tab("History", id="history") as tab:
            self.create, self.sweep = CreateTab(models, self.visits, None), SweepTab(models, self.visits)
            self.history = HistoryTab(self.visits, self.writer, Restore(), tab)
        self.who: Any = SimpleNamespace(
            cookies={COOKIE: "a" * 32}, username=None, session_hash="tab", client=None, headers={}
        )

    def knobs(self, **changed: Any) -> dict[Any, Any]:
        controls = self.create.controls
        data = {c: c.value for c in vars(controls).values() if hasattr(c, "value")}
        data[self.create.judge.next_prompt] = ""
        return data | {getattr(controls, name): value for name, value in changed.items()}


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


def refused(call: Callable[[], Any]) -> str:
    """The one sentence of a refusal."""
    with pytest.raises((gr.Error, UserError)) as caught:
        call()
    said = str(getattr(caught.value, "message", caught.value))
    assert said.count(". ") == 0 and "Traceback" not in said and "<script>" not in said
    return said


@pytest.mark.parametrize("key", TRICKS)
def test_keys_of_history_are_only_looked_up(page: Page, key: str) -> None:
    *_, last = run_loop(FakeGenerator(), FakeJudge(), RunOrder("a boat", Affect(0.7, 0.1), Drawing(1), Rules(1)))
    page.writer.save("visitor:somebody", last.run)  # type: ignore[union-attr]
    page.writer.settle()
    h, before = page.history, sorted(page.folder.rglob("*.png"))
    for act in (
        lambda: h.offer(key, page.who),
        lambda: h.pin(key, [], page.who),
        lambda: h.delete(key, [], page.who),
        lambda: h.choose(key, [], page.who),
        lambda: h.export([key], page.who),
    ):
        assert refused(act)
    assert sorted(page.folder.rglob("*.png")) == before


@pytest.mark.parametrize("value", [None, {}, {"valence": "x", "arousal": 0}, {"valence": 7, "arousal": 0}, SCRIPT, [1]])
def test_a_point_that_is_none(page: Page, value: Any) -> None:
    create = page.create
    assert refused(lambda: create.preview.live(page.knobs() | {create.controls.pad: value}, page.who))


@pytest.mark.parametrize("number", [None, "1", "../1", -1, 99, float("nan"), SCRIPT])
def test_rounds_and_runs_that_are_not_there(page: Page, number: Any) -> None:
    event: Any = SimpleNamespace(number=number)
    for act in (page.create.browse.pick, page.create.browse.branch, page.create.browse.show_run):
        assert refused(lambda act=act: act(event, page.who))
    chosen: Any = SimpleNamespace(round=number, index=number)
    assert refused(lambda: page.create.browse.use(chosen, page.who))
    assert refused(lambda: list(page.create.vary(page.knobs(), chosen, page.who)))


@pytest.mark.parametrize("rows", [None, SCRIPT, [{}], [{"on": True}], [{"on": True, "new": "x" * 10**6}] * 50])
def test_edits_that_belong_to_no_round(page: Page, rows: Any) -> None:
    event: Any = SimpleNamespace(rows=rows)
    assert refused(lambda: page.create.browse.choose(event, page.who))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"prompt": "x" * 100_000}, "shorten it"),
        ({"valence": 7}, "Pleasant"),
        ({"arousal": float("nan")}, "Energy"),
        ({"candidates": 10**9}, "Pictures"),
        ({"rounds": None}, "Rounds"),
        ({"seed": -2}, "Seed"),
        ({"steps": 10**9}, "Steps"),
        ({"strength": float("inf")}, "Strength"),
        ({"continuation": SCRIPT}, "continuation"),
        ({"seed": SCRIPT}, "Seed"),
    ],
)
def test_values_that_no_control_gives(page: Page, changed: dict[str, Any], says: str) -> None:
    create, waiting = page.create, page.create.browse.of(page.visits.of(page.who))
    waiting.waiting = True
    assert says in refused(lambda: list(create.run(page.knobs(**changed), page.who)))
    assert not waiting.busy  # the next run may start


def test_a_path_and_a_mode_that_no_control_gives(page: Page) -> None:
    c = page.sweep.controls
    base = {item: getattr(item, "value", None) for item in vars(c).values() if not isinstance(item, dict)}
    for changed in (
        {c.mode: SCRIPT},
        {c.grid: 10**9},
        {c.prompt: "x" * 10**5},
        {c.mode: "Path", c.path: "nan,nan inf,0"},
        {c.mode: "Blend", c.first: "../../etc"},
        {c.animation: "/etc/passwd"},
    ):
        assert refused(lambda changed=changed: list(page.sweep.run(base | changed, page.who)))


@pytest.mark.parametrize("name", ["text.png", "page.svg", "zip-of-nothing.png"])
def test_a_dropped_file_that_is_no_picture(page: Page, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes({"t": b"hello", "p": b"<svg onload=alert(1)>", "z": b"PK\3\4" + bytes(99)}[name[0]])
    assert "not a PNG" in refused(lambda: page.history.drop(str(path)))
    assert "not a PNG" in refused(lambda: read_settings(path))


def test_markup_in_words_is_shown_as_words(page: Page) -> None:
    page.create.browse.of(page.visits.of(page.who)).waiting = True
    shown = [
        value
        for update in page.create.run(page.knobs(prompt=SCRIPT, rounds=1), page.who)
        for component, value in update.items()
        if isinstance(component, gr.HTML) and isinstance(value, str)
    ]
    assert any("&lt;" in text and "script" in text for text in shown)
    assert not any("<script" in text or "<img src=x" in text for text in shown)


def test_listeners_of_the_page_are_no_endpoints(tmp_path: Path) -> None:
    page, address = studio.launch(
        lambda: (FakeGenerator(), FakeJudge()),
        studio.StudioOptions(example=tmp_path / "none", files=tmp_path),
        block=False,
    )
    try:
        named = httpx.get(f"{address}gradio_api/info").json()
        assert set(named["named_endpoints"]) <= {
            "/generate",
            "/preview",
            "/estimate",
            "/sweep",
            "/feedback_run",
            "/redraw",
            "/fine_tune",
        }
        assert not named.get("unnamed_endpoints")
    finally:
        page.close()
