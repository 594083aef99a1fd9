"""The History tab: owners kept apart, settings that come back, deletion, export, restarts; models are stand-ins."""

import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from gradio_client import Client

from emofeedback.affect import Affect
from emofeedback.history.store import History
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Past, Rules
from emofeedback.loop.run import RunOrder, run_loop
from emofeedback.records import Run
from emofeedback.sweep.run_sweep import Sweep, plan, run_sweep
from emofeedback.ui import app as studio
from emofeedback.ui.create import restore as restoring
from emofeedback.ui.create.restore import CREATE, Restore
from emofeedback.ui.create.visit import Sheaf
from emofeedback.ui.history.history_owner import COOKIE, head, owner_of
from emofeedback.ui.history.history_tab import HistoryTab
from emofeedback.ui.history.history_view import moment
from emofeedback.ui.history.keeper import Keeper, kept
from emofeedback.ui.session import Visits

ANN, BEN = "a" * 32, "b" * 32


def request(cookie: str | None = ANN, session: str = "tab", username: str | None = None) -> Any:
    cookies = {} if cookie is None else {COOKIE: cookie}
    return SimpleNamespace(
        cookies=cookies, username=username, session_hash=f"{session}-{cookie}", client=None, headers={}
    )


def run(prompt: str = "a boat", rounds: int = 2, target: Affect = Affect(0.7, 0.1)) -> Run:  # noqa: B008
    *_, last = run_loop(FakeGenerator(), FakeJudge(), RunOrder(prompt, target, Drawing(2, 5), Rules(rounds)))
    return last.run  # type: ignore[union-attr]


class Desk:
    """The tab outside a server: its handlers, and the values of its controls."""

    def __init__(self, folder: Path, capped: int = 2**30) -> None:
        self.keeper = Keeper(History(folder / "data", cap=capped), {"judge": "r1"})
        (folder / "visits").mkdir(exist_ok=True)
        self.visits = Visits(folder / "visits")
        self.visits.keeper = self.keeper
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
                    }
                    randomize = gr.Checkbox()
                with gr.Tab("History", id="history") as tab:
                    self.tab = HistoryTab(self.visits, self.keeper, self.restore, tab)
            self.restore.connect(self.controls, tabs, randomize)

    def data(self, **changed: Any) -> dict[Any, Any]:
        f, t = self.tab.filters, self.tab
        values = {f.words: "", f.kind: "", f.model: "", f.pinned: False, f.since: None, f.until: None}
        ends = {f.valence_low: -1, f.valence_high: 1, f.arousal_low: -1, f.arousal_high: 1}
        return (
            values
            | ends
            | {t.chosen: [], t.offset: 0}
            | {getattr(f, k, getattr(t, k, None)): v for k, v in changed.items()}
        )

    def listed(self, who: Any, **changed: Any) -> list[str]:
        return self.tab.first(self.data(**changed), request=who)[self.tab.listed]

    def note(self, who: Any, **changed: Any) -> str:
        return self.tab.first(self.data(**changed), request=who)[self.tab.listing.note]["value"]

    def open(self, who: Any, index: int = 0) -> dict[Any, Any]:
        return self.tab.open(self.listed(who), [], SimpleNamespace(index=index), request=who)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_cookie_or_a_login_tells_who_is_there() -> None:
    ann = owner_of(request(ANN))
    assert ann is not None and ann != owner_of(request(BEN)) and ANN not in ann
    assert owner_of(request(ANN, username="carol")) == "login:carol" == owner_of(request(None, username="carol"))
    for bad in (None, "", "../../etc/passwd", "a" * 31, "a" * 33, "A" * 32, "' OR 1=1 --", "a" * 32 + "\n"):
        assert owner_of(request(bad)) is None
    assert owner_of(None) is None
    assert COOKIE in head() and head()[-9:] == "</script>"


def test_two_owners_do_not_see_each_others_runs(desk: Desk) -> None:
    ann, ben = request(ANN), request(BEN)
    desk.visits.of(ann).keep(run("ann's boat"))
    desk.visits.of(ben).keep(run("ben's boat"))
    (of_ann,), (of_ben,) = desk.listed(ann), desk.listed(ben)
    assert "ann&#x27;s boat" in desk.open(ann)[desk.tab.opened.title]
    attempts: list[Callable[[], Any]] = [
        lambda: desk.tab.open([of_ann], [], SimpleNamespace(index=0), request=ben),
        lambda: desk.tab.pin(of_ann, [], request=ben),
        lambda: desk.tab.choose(of_ann, [], request=ben),
        lambda: desk.tab.delete(of_ann, [], request=ben),
        lambda: desk.tab.offer(of_ann, request=ben),
        lambda: desk.tab.export([of_ben, of_ann], request=ben),
    ]
    for attempt in attempts:
        with pytest.raises(gr.Error, match="no such run"):
            attempt()
    assert desk.listed(ann) == [of_ann]


def test_without_a_cookie_nothing_is_kept_and_the_page_says_so(desk: Desk) -> None:
    nobody = request(None)
    desk.visits.of(nobody).keep(run())
    desk.keeper.settle()
    assert "Allow cookies" in desk.tab.first(desk.data(), request=nobody)[desk.tab.listing.note]["value"]
    for act in (lambda: desk.tab.pin("a" * 32, [], request=nobody), lambda: desk.tab.export([], request=nobody)):
        with pytest.raises(gr.Error, match="Allow cookies"):
            act()
    assert list((desk.keeper.history.folder / "runs").iterdir()) == []


def test_history_is_there_after_a_restart(desk: Desk, tmp_path: Path) -> None:
    desk.visits.of(request()).keep(run("the lasting boat"))
    desk.keeper.settle()
    again = Desk(tmp_path)
    shown = again.open(request(session="another"))
    assert "the lasting boat" in shown[again.tab.opened.title]
    files = [Path(file) for file, _ in shown[again.tab.opened.gallery]["value"]]
    assert all(file.is_file() and again.visits.of(request(session="another")).folder in file.parents for file in files)


def test_the_open_run_shows_readings_words_and_prompts_escaped(desk: Desk) -> None:
    bad = "<img src=x onerror=alert(1)> boat"
    desk.visits.of(request()).keep(run(bad))
    shown = desk.open(request())
    parts = shown[desk.tab.opened.title] + shown[desk.tab.opened.rounds] + shown[desk.tab.opened.question]
    assert "<img" not in parts and "<b>+" not in parts  # the fake judge writes <b> into its words
    assert "the light is too even" in parts and "Round 2" in parts and "<ins>" in parts
    assert len(shown[desk.tab.opened.gallery]["value"]) == 4


def test_empty_states_say_what_to_do(desk: Desk) -> None:
    assert "Make a picture in Create" in desk.note(request())
    desk.visits.of(request()).keep(run())
    assert "No run fits" in desk.note(request(), words="zeppelin")


def test_filters_and_pages(desk: Desk) -> None:
    owner, history = owner_of(request()) or "", desk.keeper.history
    one = run(rounds=1)
    for _ in range(25):
        history.add(one, owner)
    *_, sheet = run_sweep(FakeGenerator(), None, "a harbour", plan(2))
    assert isinstance(sheet, Sweep)
    newest = history.add(sheet, owner)
    first = desk.tab.first(desk.data(), request=request())
    assert len(first[desk.tab.listed]) == 24 and first[desk.tab.listed][0] == newest
    assert first[desk.tab.listing.older]["interactive"] and "of 26" in first[desk.tab.listing.place]
    older = desk.tab.older(desk.data(), request=request())
    assert len(older[desk.tab.listed]) == 2 and not older[desk.tab.listing.older]["interactive"]
    assert desk.tab.newer(desk.data(offset=24), request=request())[desk.tab.offset] == 0
    assert desk.tab.same(desk.data(offset=480), request=request())[desk.tab.offset] == 24
    assert desk.listed(request(), kind="sheet") == desk.listed(request(), words="HARBOUR") == [newest]
    assert len(desk.listed(request(), valence_low=0.65, valence_high=0.75)) == 24
    assert desk.listed(request(), since="2999-01-01") == desk.listed(request(), until="1999-01-01") == []
    with pytest.raises(gr.Error, match="is not a date"):
        desk.listed(request(), since="yesterday")
    with pytest.raises(gr.Error, match="swap them"):
        desk.listed(request(), valence_low=0.5, valence_high=-0.5)
    assert moment("2026-11-21") is not None and moment("") is None
    shown = desk.open(request())
    assert len(shown[desk.tab.opened.gallery]["value"]) == 5 and "How evenly" in shown[desk.tab.opened.rounds]


def test_pin_select_delete(desk: Desk) -> None:
    desk.visits.of(request()).keep(run())
    (key,) = desk.listed(request())
    assert desk.tab.pin(key, [], request=request())[desk.tab.opened.pin] == "Unpin"
    assert desk.listed(request(), pinned=True) == [key]
    assert desk.tab.pin(key, [], request=request())[desk.tab.opened.pin] == "Pin"
    chosen, label = desk.tab.choose(key, [], request=request())
    assert (chosen, label) == ([key], "Deselect")
    assert desk.tab.choose(key, chosen, request=request()) == ([], "Select")
    assert desk.tab.choose_all([key], chosen) == [key]
    left = desk.tab.delete(key, chosen, request=request())
    assert left[desk.tab.chosen] == [] and left[desk.tab.key] is None
    assert desk.listed(request()) == []


@pytest.mark.parametrize("metadata", [True, False])
def test_export_and_shown_pictures_follow_the_metadata_switch(desk: Desk, metadata: bool) -> None:
    desk.visits.of(request()).keep(run("my secret boat"))
    desk.tab.set_metadata(metadata, request=request())
    (key,) = desk.listed(request())
    update = desk.tab.export([key], request=request())
    with zipfile.ZipFile(update["value"]) as archive:
        pictures = [archive.read(name) for name in archive.namelist() if name.endswith(".png")]
        rows = archive.read("pictures.csv").decode()
    pictures += [Path(file).read_bytes() for file, _ in desk.open(request())[desk.tab.opened.gallery]["value"]]
    assert len(pictures) == 8 and "my secret boat" in rows
    assert all((b"my secret boat" in content) == metadata for content in pictures)
    with pytest.raises(gr.Error, match="at least one"):
        desk.tab.export([], request=request())


def test_settings_are_put_in_only_after_the_question(desk: Desk) -> None:
    desk.visits.of(request()).keep(run("the old boat", target=Affect(0.7, 0.1)))
    offer = desk.tab.offer(desk.listed(request())[0], request=request())
    now = ["my own words", 0.7, -0.5, 1.0, 5, 0, 4, 2]
    table, box, yes = desk.restore.ask(offer, *now)
    assert box["visible"] and yes["interactive"]
    assert "my own words" in table and "the old boat" in table and "Arousal" in table and "Valence" not in table
    values = desk.restore.put_in(offer, *now)
    put = dict(zip(CREATE, values, strict=False))
    assert (put["prompt"], put["arousal"], put["steps"], put["candidates"]) == ("the old boat", 0.1, 4, 2)
    assert put["valence"] == put["seed"] == gr.skip()
    assert values[-1] is False  # the seed that came back shall be used
    same = [offer.get(name) for name in CREATE]
    assert "already holds" in desk.restore.ask(offer, *same)[0]
    assert desk.restore.ask(None, *now)[1]["visible"] is False


def test_what_create_cannot_take_is_limited_or_left_out(desk: Desk) -> None:
    offer = {"prompt": "<script>", "seed": 2**40, "candidates": 64, "strength": 5.0, "negative_prompt": "<b>people"}
    now = ["", 0.0, 0.0, 1.0, 5, 0, 4, 2]
    changes = {c.field: c for c in desk.restore.changes(offer, now)}
    assert set(changes) == {"prompt", "candidates", "strength"}
    assert (changes["candidates"].after, changes["candidates"].limited, changes["strength"].after) == (8, True, 2)
    table = restoring.changes_table(offer, list(changes.values()))
    assert "<script>" not in table and "<b>people" not in table and "negative prompt" in table


def test_a_dropped_png_offers_its_settings(desk: Desk, tmp_path: Path) -> None:
    desk.visits.of(request()).keep(run("dropped boat"))
    file = desk.open(request())[desk.tab.opened.gallery]["value"][0][0]
    offer, _ = desk.tab.drop(file)
    assert (offer["prompt"], offer["seed"], offer["valence"]) == ("dropped boat", 5, 0.7)
    assert desk.tab.drop(None) == (None, "")
    for content in (b"<svg/>", b"", Path(file).read_bytes()[:200]):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(gr.Error, match="The dropped file is"):
            desk.tab.drop(str(tmp_path / "x.png"))
    with pytest.raises(gr.Error, match="cannot be read"):
        desk.tab.drop(str(tmp_path))


def test_a_run_that_goes_on_is_one_entry_and_a_branch_another(desk: Desk) -> None:
    visit, whole = desk.visits.of(request()), run(rounds=3)
    assert len(whole.rounds) == 3
    sheaf = Sheaf("Run 1", whole.prompt, whole.target, visit.folder)

    def play(sheaf: Sheaf, rounds: tuple[Any, ...]) -> None:
        def events() -> Iterator[Any]:
            for done in rounds:
                sheaf.past = sheaf.past.then(done)
                yield done

        for _ in kept(events(), visit, sheaf):
            pass

    play(sheaf, whole.rounds[:1])
    desk.tab.pin(desk.listed(request())[0], [], request=request())
    play(sheaf, whole.rounds[1:])
    play(sheaf, ())
    (key,) = desk.listed(request(), pinned=True)
    assert desk.listed(request()) == [key]
    saved = desk.keeper.history.get(key, owner_of(request()) or "")
    assert (saved.entry.pictures, saved.record["settings"]["seed"], saved.record["judge"]) == (6, 5, "fake-judge")
    branch = Sheaf("Run 2", whole.prompt, whole.target, visit.folder, past=Past(whole.rounds[:1], ((),)))
    play(branch, whole.rounds[2:])
    assert len(desk.listed(request())) == 2


def test_finished_rounds_are_kept_when_the_run_is_broken_off(desk: Desk) -> None:
    visit, whole = desk.visits.of(request()), run()
    sheaf = Sheaf("Run 1", whole.prompt, whole.target, visit.folder)

    def events() -> Iterator[Any]:
        sheaf.past = sheaf.past.then(whole.rounds[0])
        yield whole.rounds[0]
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        list(kept(events(), visit, sheaf))
    (key,) = desk.listed(request())
    assert len(desk.keeper.history.get(key, owner_of(request()) or "").record["rounds"]) == 1


def test_a_run_that_could_not_be_kept_is_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, capped=1000)
    desk.visits.of(request()).keep(run())
    assert "could not be kept" in desk.note(request()) and "no room" in desk.note(request())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Keeper]]:
    folder = tmp_path_factory.mktemp("studio")
    keeper = Keeper(History(folder / "data" / "history"))
    page, address = studio.launch(
        lambda: (FakeGenerator(), FakeJudge()), block=False, example=folder / "none", files=folder, keeper=keeper
    )
    yield address, keeper
    page.close()


def test_endpoints_keep_what_a_visitor_with_a_cookie_makes(server: tuple[str, Keeper], tmp_path: Path) -> None:
    address, keeper = server
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
    keeper.settle()
    found = {
        who: [(e.kind, e.prompt) for e in keeper.history.search(owner_of(request(who)) or "").entries]
        for who in (ANN, BEN)
    }
    assert found == {ANN: [("sheet", "ann's harbour"), ("picture", "ann's boat")], BEN: [("feedback", "ben's boat")]}
    assert len(list((keeper.history.folder / "runs").iterdir())) == 3


def test_the_data_folder_is_not_served(server: tuple[str, Keeper]) -> None:
    import httpx

    address, keeper = server
    index = keeper.history.folder / "history.sqlite"
    assert index.is_file()
    for path in (index, f"{keeper.history.folder}/../history/history.sqlite", f"{keeper.history.folder}/runs"):
        answer = httpx.get(f"{address}gradio_api/file={path}", timeout=30)
        assert answer.status_code in (403, 404)
