"""The History tab: owners kept apart, settings that come back, deletion, export, restarts; models are stand-ins."""

import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from gradio_client import Client
from patience import PATIENCE
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.history.store import History
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Past, Rules
from emofeedback.loop.run import RunOrder, run_loop
from emofeedback.records import Run
from emofeedback.sweep.run_sweep import Sweep, SweepOrder, plan, run_sweep
from emofeedback.ui import app as studio
from emofeedback.ui.create import restore as restoring
from emofeedback.ui.create.create_layout import CONTINUATIONS
from emofeedback.ui.create.create_state import ShownRun
from emofeedback.ui.create.restore import CREATE, Restore
from emofeedback.ui.history.history_owner import COOKIE, head, owner_of
from emofeedback.ui.history.history_tab import HistoryTab
from emofeedback.ui.history.history_view import moment, when
from emofeedback.ui.history.history_writer import HistoryWriter
from emofeedback.ui.history.saved_run import saving
from emofeedback.ui.session import Visits

RULES = [0.12, 2, "same_seed", 0.6, "", ""]  # and neither a negative prompt nor a size
"""How the page of these tests stands, beside words and numbers."""
ANN, BEN = "a" * 32, "b" * 32


def request(cookie: str | None = ANN, session: str = "tab", username: str | None = None) -> Any:
    cookies = {} if cookie is None else {COOKIE: cookie}
    return SimpleNamespace(
        cookies=cookies, username=username, session_hash=f"{session}-{cookie}", client=None, headers={}
    )


def run(prompt: str = "a boat", rounds: int = 2, target: Affect = Affect(0.7, 0.1)) -> Run:  # noqa: B008
    *_, last = run_loop(FakeGenerator(), FakeJudge(), RunOrder(prompt, target, Drawing(2, 5), Rules(rounds)))
    return last.run  # type: ignore[union-attr]


class Page:
    """The tab outside a server: its handlers, and the values of its controls."""

    def __init__(self, folder: Path, capped: int = 2**30) -> None:
        self.writer = HistoryWriter(History(folder / "data", cap=capped), {"judge": "r1"})
        (folder / "visits").mkdir(exist_ok=True)
        self.visits = Visits(folder / "visits")
        self.visits.writer = self.writer
        with gr.Blocks():
            self.restore = Restore()
            with gr.Tabs() as tabs:
                with gr.Tab("Create", id="create"):
                    self.controls: dict[str, Any] = {
                        "prompt": gr.Textbox(),
                        "valence": gr.Slider(-1, 1),
                        "arousal": gr.Slider(-1, 1),
                        "strength": gr.Slider(0, 2),
                        "seed": gr.Number(minimum=0, maximum=2**31 - 1),
                        "steps": gr.Slider(0, 50),
                        "candidates": gr.Slider(1, 8),
                        "rounds": gr.Slider(1, 6),
                        "tolerance": gr.Slider(0, 0.5),
                        "patience": gr.Slider(0, 6),
                        "continuation": gr.Radio(CONTINUATIONS),
                        "start_strength": gr.Slider(0.1, 1),
                        "negative_prompt": gr.Textbox(),
                        "size": gr.Textbox(),
                    }
                    randomize = gr.Checkbox()
                with gr.Tab("History", id="history") as tab:
                    self.tab = HistoryTab(self.visits, self.writer, self.restore, tab)
            self.restore.connect(self.controls, tabs, randomize)

    def data(self, **changed: Any) -> dict[Any, Any]:
        f, t = self.tab.filters, self.tab
        values = {f.words: "", f.mood: "", f.kind: "", f.model: "", f.pinned: False, f.since: None, f.until: None}
        ends = {f.valence_low: -1, f.valence_high: 1, f.arousal_low: -1, f.arousal_high: 1}
        return (
            values
            | ends
            | {t.files.metadata: True, t.chosen: [], t.offset: 0}
            | {getattr(f, k, getattr(t, k, None)): v for k, v in changed.items()}
        )

    def listed(self, who: Any, **changed: Any) -> list[str]:
        return self.tab.first(self.data(**changed), request=who)[self.tab.listed]

    def note(self, who: Any, **changed: Any) -> str:
        return self.tab.first(self.data(**changed), request=who)[self.tab.listing.note]["value"]

    def open(self, who: Any, index: int = 0) -> dict[Any, Any]:
        return self.tab.open(self.listed(who), [], SimpleNamespace(index=index), request=who)


@pytest.fixture
def page(tmp_path: Path) -> Page:
    return Page(tmp_path)


def test_a_cookie_or_a_login_tells_who_is_there() -> None:
    ann = owner_of(request(ANN))
    assert ann is not None and ann != owner_of(request(BEN)) and ANN not in ann
    assert owner_of(request(ANN, username="carol")) == "login:carol" == owner_of(request(None, username="carol"))
    for bad in (None, "", "../../etc/passwd", "a" * 31, "a" * 33, "A" * 32, "' OR 1=1 --", "a" * 32 + "\n"):
        assert owner_of(request(bad)) is None
    assert owner_of(None) is None
    assert COOKIE in head() and head()[-9:] == "</script>"


def test_two_owners_do_not_see_each_others_runs(page: Page) -> None:
    ann, ben = request(ANN), request(BEN)
    page.visits.of(ann).save(run("ann's boat"))
    page.visits.of(ben).save(run("ben's boat"))
    (of_ann,), (of_ben,) = page.listed(ann), page.listed(ben)
    assert "ann&#x27;s boat" in page.open(ann)[page.tab.opened.title]
    attempts: list[Callable[[], Any]] = [
        lambda: page.tab.open([of_ann], [], SimpleNamespace(index=0), request=ben),
        lambda: page.tab.pin(of_ann, [], request=ben),
        lambda: page.tab.choose(of_ann, [], request=ben),
        lambda: page.tab.delete(of_ann, [], request=ben),
        lambda: page.tab.offer(of_ann, request=ben),
        lambda: page.tab.export([of_ben, of_ann], request=ben),
    ]
    for attempt in attempts:
        with pytest.raises(gr.Error, match="no such run"):
            attempt()
    assert page.listed(ann) == [of_ann]


def test_without_a_cookie_nothing_is_kept_and_the_page_says_so(page: Page) -> None:
    nobody = request(None)
    page.visits.of(nobody).save(run())
    page.writer.settle()
    assert "Allow cookies" in page.tab.first(page.data(), request=nobody)[page.tab.listing.note]["value"]
    for act in (lambda: page.tab.pin("a" * 32, [], request=nobody), lambda: page.tab.export([], request=nobody)):
        with pytest.raises(gr.Error, match="Allow cookies"):
            act()
    assert list((page.writer.history.folder / "runs").iterdir()) == []


def test_history_is_there_after_a_restart(page: Page, tmp_path: Path) -> None:
    page.visits.of(request()).save(run("the lasting boat"))
    page.writer.settle()
    again = Page(tmp_path)
    shown = again.open(request(session="another"))
    assert "the lasting boat" in shown[again.tab.opened.title]
    files = [Path(file) for file, _ in shown[again.tab.opened.gallery]["value"]]
    assert all(file.is_file() and again.visits.of(request(session="another")).folder in file.parents for file in files)


def test_the_open_run_shows_readings_words_and_prompts_escaped(page: Page) -> None:
    bad = "<img src=x onerror=alert(1)> boat"
    page.visits.of(request()).save(run(bad))
    shown = page.open(request())
    parts = shown[page.tab.opened.title] + shown[page.tab.opened.rounds] + shown[page.tab.opened.question]
    assert "<img" not in parts and "<b>+" not in parts  # the fake judge writes <b> into its words
    assert "the light is too even" in parts and "Round 2" in parts and "<ins>" in parts
    assert len(shown[page.tab.opened.gallery]["value"]) == 4


def test_empty_states_say_what_to_do(page: Page) -> None:
    assert "Make a picture in Create" in page.note(request())
    page.visits.of(request()).save(run())
    assert "No run fits" in page.note(request(), words="zeppelin")


def test_a_mood_finds_its_runs_and_stands_with_the_time_in_the_captions(page: Page) -> None:
    """ "happy" found nothing, captions told neither mood nor time, and moods had other names than Create's."""
    page.visits.of(request()).save(run("a boat", rounds=1, target=Affect(0.7, 0.4)))
    page.visits.of(request()).save(run("a castle", rounds=1, target=Affect(-0.7, -0.5)))
    castle, boat = page.listed(request())
    assert page.listed(request(), words="Happy") == page.listed(request(), mood="happy") == [boat]
    assert (
        page.listed(request(), words="gloomy castle") == [castle] and page.listed(request(), words="happy castle") == []
    )
    assert page.listed(request(), words="amusement") == [boat]  # of the eight; the pad calls it happy
    shown = page.tab.first(page.data(), request=request())[page.tab.listing.gallery]["value"]
    assert shown[1][1].startswith("a boat\nhappy · today ")
    opened = page.open(request(), 1)
    assert ">happy</b>" in opened[page.tab.opened.title] and "amusement" not in opened[page.tab.opened.title]
    file, words = opened[page.tab.opened.gallery]["value"][0]
    assert Path(file).name == "a-boat-happy-seed-5.png" and "reads as" in words
    with Image.open(shown[0][0]) as thumbnail:
        assert thumbnail.format == "JPEG"


def test_times_are_said_as_people_say_them() -> None:
    now = time.mktime((2026, 11, 27, 15, 41, 0, 0, 0, -1))
    ago = {0: "today 15:41", 24: "yesterday 15:41", 72: "24 Nov, 15:41", 24 * 400: "23 Oct 2025"}
    for hours, said in ago.items():
        assert when(now - 3600 * hours, now) == said


def test_filters_and_pages(page: Page) -> None:
    owner, history = owner_of(request()) or "", page.writer.history
    one = run(rounds=1)
    for _ in range(25):
        history.add(one, owner)
    *_, sheet = run_sweep(FakeGenerator(), None, SweepOrder("a harbour", plan(2)))
    assert isinstance(sheet, Sweep)
    newest = history.add(sheet, owner)
    first = page.tab.first(page.data(), request=request())
    assert len(first[page.tab.listed]) == 24 and first[page.tab.listed][0] == newest
    assert first[page.tab.listing.older]["interactive"] and "of 26" in first[page.tab.listing.place]
    older = page.tab.older(page.data(), request=request())
    assert len(older[page.tab.listed]) == 2 and not older[page.tab.listing.older]["interactive"]
    assert page.tab.newer(page.data(offset=24), request=request())[page.tab.offset] == 0
    assert page.tab.same(page.data(offset=480), request=request())[page.tab.offset] == 24
    assert page.listed(request(), kind="sheet") == page.listed(request(), words="HARBOUR") == [newest]
    assert len(page.listed(request(), valence_low=0.65, valence_high=0.75)) == 24
    assert page.listed(request(), since="2999-01-01") == page.listed(request(), until="1999-01-01") == []
    with pytest.raises(gr.Error, match="is not a date"):
        page.listed(request(), since="yesterday")
    with pytest.raises(gr.Error, match="swap them"):
        page.listed(request(), valence_low=0.5, valence_high=-0.5)
    assert moment("2026-11-21") is not None and moment("") is None
    shown = page.open(request())
    assert len(shown[page.tab.opened.gallery]["value"]) == 5 and "How evenly" in shown[page.tab.opened.rounds]
    with Image.open(page.writer.history.get(newest, owner).thumbnail()) as thumbnail:
        assert thumbnail.size == (640, 640)  # pictures side by side, without the labels of the sheet


def test_pin_select_delete(page: Page) -> None:
    page.visits.of(request()).save(run())
    (key,) = page.listed(request())
    assert page.tab.pin(key, [], request=request())[page.tab.opened.pin] == "Unpin"
    assert page.listed(request(), pinned=True) == [key]
    assert page.tab.pin(key, [], request=request())[page.tab.opened.pin] == "Pin"
    chosen, label = page.tab.choose(key, [], request=request())
    assert (chosen, label) == ([key], "Deselect")
    assert page.tab.choose(key, chosen, request=request()) == ([], "Select")
    assert page.tab.choose_all([key], chosen) == [key]
    left = page.tab.delete(key, chosen, request=request())
    assert left[page.tab.chosen] == [] and left[page.tab.key] is None
    assert page.listed(request()) == []


@pytest.mark.parametrize("metadata", [True, False])
def test_export_and_shown_pictures_follow_the_metadata_switch(page: Page, metadata: bool) -> None:
    page.visits.of(request()).save(run("my secret boat"))
    page.tab.set_metadata(metadata, request=request())
    (key,) = page.listed(request())
    update = page.tab.export([key], request=request())
    with zipfile.ZipFile(update["value"]) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        pictures = [archive.read(name) for name in names]
        rows = archive.read("pictures.csv").decode()
    assert "my-secret-boat-happy-seed-5.png" in "".join(names) and "round-0" not in rows
    pictures += [Path(file).read_bytes() for file, _ in page.open(request())[page.tab.opened.gallery]["value"]]
    assert len(pictures) == 8 and "my secret boat" in rows
    assert all((b"my secret boat" in content) == metadata for content in pictures)
    with pytest.raises(gr.Error, match="at least one"):
        page.tab.export([], request=request())


def test_settings_are_put_in_only_after_the_question(page: Page) -> None:
    page.visits.of(request()).save(run("the old boat", target=Affect(0.7, 0.1)))
    offer = page.tab.offer(page.listed(request())[0], request=request())
    now = ["my own words", 0.7, -0.5, 1.0, 5, 0, 4, 2, *RULES]
    table, box, yes = page.restore.ask(offer, *now)
    assert box["visible"] and yes["interactive"]
    assert "my own words" in table and "the old boat" in table and "Energy" in table and "Pleasant" not in table
    values = page.restore.put_in(offer, *now)
    put = dict(zip(CREATE, values, strict=False))
    assert (put["prompt"], put["arousal"], put["steps"], put["candidates"]) == ("the old boat", 0.1, 4, 2)
    assert put["valence"] == put["seed"] == gr.skip()
    assert values[-1] is False  # the seed that came back shall be used
    same = [offer.get(name) for name in CREATE]
    assert "already holds" in page.restore.ask(offer, *same)[0]
    assert page.restore.ask(None, *now)[1]["visible"] is False


@pytest.mark.parametrize("from_file", [False, True])
def test_a_runs_rules_come_back(page: Page, from_file: bool) -> None:
    """A run made with a tolerance, a patience and a way of going on came back with those that stood on the page."""
    rules = Rules(2, tolerance=0.0, patience=None, continuation="image")
    asked = RunOrder("a boat", Affect(0.7, 0.1), Drawing(2, 5, start_strength=0.4), rules)
    *_, last = run_loop(FakeGenerator(), FakeJudge(), asked)
    page.visits.of(request()).save(last.run)  # type: ignore[union-attr]
    (key,) = page.listed(request())
    offer = page.tab.offer(key, request=request())
    if from_file:
        offer, _ = page.tab.drop(page.open(request())[page.tab.opened.gallery]["value"][0][0])
    now = ["a boat", 0.7, 0.1, 1.0, 5, 4, 2, 2, *RULES]
    table = page.restore.ask(offer, *now)[0]
    assert all(
        f"{label}</th>" in table for label in ("Tolerance", "Patience", "Each next round starts", "Share redrawn")
    )
    assert "never stop" in table and "from the best picture" in table
    put = dict(zip(CREATE, page.restore.put_in(offer, *now), strict=False))
    assert [put[name] for name in CREATE[-6:-2]] == [0.0, 0, "image", 0.4]


def test_rounds_drawn_by_hand_tell_their_rules_too(page: Page) -> None:
    """A run that was broken off, or drawn by Next round, was saved without its rules."""
    visit, whole = page.visits.of(request()), run()
    shown = ShownRun("Run 1", whole.prompt, whole.target, visit.folder, {"tolerance": 0.3, "patience": 2})

    def events() -> Iterator[Any]:
        shown.past = shown.past.then(whole.rounds[0])
        yield whole.rounds[0]

    list(saving(events(), visit, shown, threading.Event()))
    (key,) = page.listed(request())
    offer = page.tab.offer(key, request=request())
    assert (offer["tolerance"], offer["patience"]) == (0.3, 2)


def test_what_create_cannot_take_is_limited_or_left_out(page: Page) -> None:
    offer = {"prompt": "<script>", "seed": 2**40, "candidates": 64, "strength": 5.0, "negative_prompt": "<b>people"}
    now = ["", 0.0, 0.0, 1.0, 5, 0, 4, 2, *RULES]
    changes = {c.field: c for c in page.restore.changes(offer, now)}
    assert set(changes) == {"prompt", "candidates", "strength", "negative_prompt"}
    assert (changes["candidates"].after, changes["candidates"].limited, changes["strength"].after) == (8, True, 2)
    table = restoring.changes_table(offer, list(changes.values()))
    assert "<script>" not in table and "<b>people" not in table and "&lt;b&gt;people" in table


def test_a_dropped_png_offers_its_settings(page: Page, tmp_path: Path) -> None:
    page.visits.of(request()).save(run("dropped boat"))
    file = page.open(request())[page.tab.opened.gallery]["value"][0][0]
    offer, _ = page.tab.drop(file)
    assert (offer["prompt"], offer["seed"], offer["valence"]) == ("dropped boat", 5, 0.7)
    assert page.tab.drop(None) == (None, "")
    for content in (b"<svg/>", b"", Path(file).read_bytes()[:200]):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(gr.Error, match="The dropped file is"):
            page.tab.drop(str(tmp_path / "x.png"))
    with pytest.raises(gr.Error, match="cannot be read"):
        page.tab.drop(str(tmp_path))


def test_a_run_that_goes_on_is_one_entry_and_a_branch_another(page: Page) -> None:
    visit, whole = page.visits.of(request()), run(rounds=3)
    assert len(whole.rounds) == 3
    shown = ShownRun("Run 1", whole.prompt, whole.target, visit.folder)

    def play(shown: ShownRun, rounds: tuple[Any, ...]) -> None:
        def events() -> Iterator[Any]:
            for done in rounds:
                shown.past = shown.past.then(done)
                yield done

        for _ in saving(events(), visit, shown, threading.Event()):
            pass

    play(shown, whole.rounds[:1])
    page.tab.pin(page.listed(request())[0], [], request=request())
    play(shown, whole.rounds[1:])
    play(shown, ())
    (key,) = page.listed(request(), pinned=True)
    assert page.listed(request()) == [key]
    saved = page.writer.history.get(key, owner_of(request()) or "")
    assert (saved.entry.pictures, saved.record["settings"]["seed"], saved.record["judge"]) == (6, 5, "fake-judge")
    branch = ShownRun("Run 2", whole.prompt, whole.target, visit.folder, past=Past(whole.rounds[:1], ((),)))
    play(branch, whole.rounds[2:])
    assert len(page.listed(request())) == 2


def test_finished_rounds_are_kept_when_the_run_is_broken_off(page: Page) -> None:
    visit, whole = page.visits.of(request()), run()
    shown = ShownRun("Run 1", whole.prompt, whole.target, visit.folder)

    def events() -> Iterator[Any]:
        shown.past = shown.past.then(whole.rounds[0])
        yield whole.rounds[0]
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        list(saving(events(), visit, shown, threading.Event()))
    (key,) = page.listed(request())
    assert len(page.writer.history.get(key, owner_of(request()) or "").record["rounds"]) == 1


def test_a_run_that_could_not_be_kept_is_told(tmp_path: Path) -> None:
    page = Page(tmp_path, capped=1000)
    page.visits.of(request()).save(run())
    assert "could not be kept" in page.note(request()) and "no room" in page.note(request())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, HistoryWriter]]:
    folder = tmp_path_factory.mktemp("studio")
    writer = HistoryWriter(History(folder / "data" / "history"))
    page, address = studio.launch(
        lambda: (FakeGenerator(), FakeJudge()),
        studio.StudioOptions(example=folder / "none", files=folder, writer=writer),
        block=False,
    )
    yield address, writer
    page.close()


def test_endpoints_keep_what_a_visitor_with_a_cookie_makes(server: tuple[str, HistoryWriter], tmp_path: Path) -> None:
    address, writer = server
    clients = {
        who: Client(
            address, verbose=False, download_files=str(tmp_path), headers={"Cookie": f"{COOKIE}={who}"} if who else {}
        )
        for who in (ANN, BEN, "")
    }
    mood = {"valence": 0.6, "arousal": -0.4}
    clients[ANN].predict("ann's boat", **mood, api_name="/generate")
    clients[ANN].predict("ann's boat", **mood, api_name="/preview")
    clients[ANN].predict("ann's harbour", grid=2, api_name="/sweep")
    clients[BEN].predict("ben's boat", **mood, rounds=2, candidates=2, api_name="/feedback_run")
    clients[""].predict("nobody's boat", **mood, api_name="/generate")
    writer.settle()
    found = {
        who: [(e.kind, e.prompt) for e in writer.history.search(owner_of(request(who)) or "").entries]
        for who in (ANN, BEN)
    }
    assert found == {ANN: [("sheet", "ann's harbour"), ("picture", "ann's boat")], BEN: [("feedback", "ben's boat")]}
    assert len(list((writer.history.folder / "runs").iterdir())) == 3


def test_the_data_folder_is_not_served(server: tuple[str, HistoryWriter]) -> None:
    import httpx

    address, writer = server
    index = writer.history.folder / "history.sqlite"
    assert index.is_file()
    for path in (index, f"{writer.history.folder}/../history/history.sqlite", f"{writer.history.folder}/runs"):
        answer = httpx.get(f"{address}gradio_api/file={path}", timeout=PATIENCE)
        assert answer.status_code in (403, 404)
