"""History on disk: search, owners, restarts, crashes, the cap, export."""

import csv
import io
import json
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from fakes import ColourJudge, PaintGenerator
from full_disk import files_end_at
from patience import PATIENCE
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.files.png_settings import read_settings
from emofeedback.history import index as history_index
from emofeedback.history.index import Wanted
from emofeedback.history.record import record_of, settings_in
from emofeedback.history.store import History
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import Finished, RunOrder, run_loop
from emofeedback.records import Run
from emofeedback.sweep.run_sweep import Sweep, SweepOrder, plan, run_sweep
from emofeedback.ui.history.history_writer import HistoryWriter

ANN, BEN = "visitor:ann", "visitor:ben"
HERE = Path(__file__).resolve().parent


def run(prompt: str = "a boat", target: Affect = Affect(0.8, 0.2), rounds: int = 2, candidates: int = 2) -> Run:  # noqa: B008
    events = run_loop(PaintGenerator(), ColourJudge(), RunOrder(prompt, target, Drawing(candidates, 3), Rules(rounds)))
    return next(event.run for event in events if isinstance(event, Finished))


def sweep(prompt: str = "a boat", **order: object) -> Sweep:
    points = plan(**{"grid": 2, **order})  # type: ignore[arg-type]
    events = run_sweep(PaintGenerator(), ColourJudge(), SweepOrder(prompt, points, seed=3))
    return next(event for event in events if isinstance(event, Sweep))


def ticking() -> Callable[[], float]:
    ticks = count(1_000_000_000, 100)
    return lambda: float(next(ticks))


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "data" / "history", clock=ticking())


def folders(history: History) -> set[str]:
    return {p.name for p in (history.folder / "runs").iterdir()}


def test_a_run_comes_back_after_a_restart_with_pictures_readings_and_words(history: History) -> None:
    made = run()
    key = history.add(made, ANN, revisions={"generator": "abc"})
    saved = History(history.folder).get(key, ANN)
    assert saved.record["prompt"] == "a boat"
    assert saved.record["rounds"][0]["critique"]["analysis"] == "It is too dark."
    assert saved.record["models"]["generator"] == {"name": "paint", "revision": "abc"}
    assert len(saved.pictures()) == saved.entry.pictures == sum(len(r.candidates) for r in made.rounds)
    for item, original in zip(saved.pictures(), [c for r in made.rounds for c in r.candidates], strict=True):
        with Image.open(saved.folder / item["image"]) as image:
            assert image.tobytes() == original.picture.image.tobytes()
        assert item["reading"]["valence"] == pytest.approx(original.reading.affect.valence, abs=1e-4)
        assert item["request"]["prompt"] == original.picture.request.prompt
    with Image.open(saved.thumbnail()) as image:
        assert image.format == "JPEG"


def test_a_sweep_is_kept_with_its_cells_and_its_sheet(history: History) -> None:
    sheet = history.get(history.add(sweep(), ANN), ANN)
    path = history.get(history.add(sweep(path="0,0 .5,.5", frames=3), ANN), ANN)
    assert (sheet.entry.kind, sheet.entry.pictures, path.entry.kind, path.entry.pictures) == ("sheet", 4, "path", 3)
    assert (sheet.entry.valence_low, sheet.entry.valence_high) == (-0.8, 0.8)
    assert (sheet.folder / "sheet.png").is_file()
    assert set(sheet.record["continuity"]) == {"valence", "arousal"}
    assert sheet.pictures()[0]["reading"]["arousal"] == pytest.approx(0.46, abs=0.02)


def test_nobody_sees_anothers_runs(history: History, tmp_path: Path) -> None:
    key = history.add(run(), ANN)
    assert history.search(BEN).total == 0
    assert history.models(BEN) == []
    for act in (
        lambda: history.get(key, BEN),
        lambda: history.restore(key, BEN),
        lambda: history.pin(key, BEN),
        lambda: history.delete(key, BEN),
        lambda: history.export([key], BEN, tmp_path / "out.zip"),
    ):
        with pytest.raises(UserError, match="no such run"):
            act()
    assert not (tmp_path / "out.zip").exists()
    assert history.get(key, ANN).entry.pinned is False
    history.add(run(), BEN, replacing=key)
    assert history.search(ANN).total == 1


@pytest.mark.parametrize("key", ["", ".", "..", "../history.sqlite", "/etc/passwd", "0" * 31, "A" * 32, "%", "a" * 33])
def test_names_that_are_no_ids_lead_nowhere(history: History, key: str) -> None:
    history.add(run(), ANN)
    before = folders(history)
    for act in (history.get, history.delete, history.pin, history.restore):
        with pytest.raises(UserError, match="no such run"):
            act(key, ANN)
    assert folders(history) == before
    assert (history.folder / "history.sqlite").is_file()


def test_search_by_words_region_date_model_and_kind(history: History) -> None:
    sunny = history.add(run("Ein LÖWE am Meer", Affect(0.8, 0.2)), ANN)
    gloomy = history.add(run("100% fog_", Affect(-0.6, -0.5)), ANN)
    sheet = history.add(sweep("a harbour"), ANN)

    def found(**asked: object) -> list[str]:
        return [entry.id for entry in history.search(ANN, Wanted(**asked)).entries]  # type: ignore[arg-type]

    assert found() == [sheet, gloomy, sunny]
    assert found(words="löwe meer") == [sunny]
    assert found(words="too dark") == [sunny]  # the judge's own words
    assert found(words="löwe fog") == []
    assert found(words="%") == found(words="fog_") == [gloomy]
    assert found(words="'; DROP TABLE runs; --") == []
    assert found(valence=(-1, -0.5)) == [sheet, gloomy]  # the sheet covers that part of the plane
    assert found(valence=(0.79, 0.81), arousal=(0.1, 0.3)) == [sheet, sunny]
    assert found(arousal=(0.9, 1)) == []
    times = {entry.id: entry.created for entry in history.search(ANN).entries}
    assert found(since=times[gloomy]) == [sheet, gloomy]
    assert found(until=times[gloomy]) == [sunny]
    assert found(kind="sheet") == [sheet]
    assert found(model="other") == []
    assert history.models(ANN) == ["paint"]
    page = history.search(ANN, limit=1, offset=1)
    assert [entry.id for entry in page.entries] == [gloomy] and page.total == 3
    history.pin(sunny, ANN)
    assert found(pinned=True) == [sunny]
    with pytest.raises(UserError, match="swap them"):
        Wanted(valence=(0.5, -0.5))


def test_settings_come_back_as_the_run_was_asked(history: History) -> None:
    found = history.restore(history.add(run(rounds=2, candidates=3), ANN), ANN)
    assert (found.prompt, found.valence, found.arousal, found.strength) == ("a boat", 0.8, 0.2, 1.0)
    assert (found.seed, found.steps, found.candidates, found.rounds) == (3, 4, 3, 2)
    sheet = history.restore(history.add(sweep(), ANN), ANN)
    assert (sheet.prompt, sheet.seed, sheet.rounds) == ("a boat", 3, None)


@pytest.mark.parametrize("damage", [{"rounds": []}, {"target": None}, {"rounds": [{"number": 1}]}, {"prompt": 5}])
def test_a_damaged_record_is_one_sentence(damage: dict[str, object]) -> None:
    """A record that was cut by hand ended in a KeyError."""
    record = record_of(run(), "0" * 32, 0.0, {})
    assert settings_in(record).prompt == record["prompt"]
    with pytest.raises(UserError, match="damaged"):
        settings_in({**record, **damage})


def test_a_run_that_goes_on_takes_the_place_of_its_beginning(history: History) -> None:
    first = history.add(run(rounds=1), ANN)
    created = history.get(first, ANN).entry.created
    history.pin(first, ANN)
    second = history.add(run(rounds=2), ANN, replacing=first)
    entry = history.get(second, ANN).entry
    assert (entry.created, entry.pinned) == (created, True)
    assert [e.id for e in history.search(ANN).entries] == [second]
    assert folders(history) == {second}


def test_deleting_leaves_nothing(history: History) -> None:
    key = history.add(run(), ANN)
    history.pin(key, ANN)
    history.delete(key, ANN)
    assert history.search(ANN).total == 0
    assert folders(history) == set()


def test_the_cap_takes_the_oldest_but_never_a_pinned_run(tmp_path: Path) -> None:
    measure = History(tmp_path / "measure")
    size = measure.get(measure.add(run(), ANN), ANN).entry.bytes
    history = History(tmp_path / "history", cap=int(4.5 * size), clock=ticking())
    kept, old, *_ = keys = [history.add(run(), ANN) for _ in range(4)]
    history.pin(kept, ANN)
    new = history.add(run(), BEN)
    left = {kept, *keys[2:], new}
    assert folders(history) == left
    with pytest.raises(UserError, match="no such run"):
        history.get(old, ANN)
    history.pin(keys[2], ANN)
    with pytest.raises(UserError, match="pinned already"):
        history.pin(keys[3], ANN)


def test_a_run_too_large_for_the_cap_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    measure = History(tmp_path / "history")
    small = measure.add(run(rounds=1, candidates=1), ANN)
    history = History(tmp_path / "history", cap=measure.get(small, ANN).entry.bytes + 100)
    with pytest.raises(UserError, match="no room"):
        history.add(run(candidates=8), ANN)
    assert folders(history) == {small}
    assert history.search(ANN).total == 1


KILL = """
import os, sys
from pathlib import Path
sys.path[:0] = {tests!r}
from test_history import ANN, History, run
from emofeedback.history.index import Index
Index.insert = staticmethod(lambda *_: os._exit(9))
History(Path({folder!r})).add(run(), ANN)
"""


def test_a_kill_between_files_and_row_leaves_no_trace(history: History) -> None:
    kept = history.add(run(), ANN)
    script = KILL.format(tests=[str(HERE), str(HERE.parent)], folder=str(history.folder))
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=PATIENCE).returncode == 9
    assert len(folders(history)) == 2
    again = History(history.folder)
    assert folders(again) == {kept}
    assert [entry.id for entry in again.search(ANN).entries] == [kept]


def test_a_row_without_its_files_goes_and_other_files_stay(history: History) -> None:
    key = history.add(run(), ANN)
    (history.folder / "runs" / key / "run.json").unlink()
    (history.folder / "runs" / "notes.txt").write_text("mine")
    again = History(history.folder)
    assert again.search(ANN).total == 0
    assert folders(again) == {"notes.txt"}


def test_opening_does_not_take_away_what_another_thread_is_writing(history: History) -> None:
    """The clean-up waits for the lock under which files and row are written."""
    made, keys, errors = run(rounds=1), [], []

    def write() -> None:
        try:
            keys.extend(history.add(made, ANN) for _ in range(5))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        History(history.folder)
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(keys) == len(set(keys)) == 15 == history.search(ANN).total
    assert folders(history) == set(keys)


def test_a_history_of_an_earlier_version_is_brought_up_to_date(history: History) -> None:
    key = history.add(run(), ANN)
    with sqlite3.connect(history.folder / "history.sqlite") as connection:
        connection.execute("DROP TABLE preferences")
        connection.execute("PRAGMA user_version = 1")
    again = History(history.folder)
    again.set_metadata(ANN, False)
    assert (again.metadata(ANN), again.metadata(BEN)) == (False, True)
    assert again.get(key, ANN).entry.prompt == "a boat"


def test_a_history_of_a_newer_version_or_a_foreign_file_is_left_alone(history: History, tmp_path: Path) -> None:
    with sqlite3.connect(history.folder / "history.sqlite") as connection:
        connection.execute(f"PRAGMA user_version = {len(history_index.MIGRATIONS) + 1}")
    with pytest.raises(UserError, match="newer version"):
        History(history.folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "history.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(UserError, match="cannot be opened"):
        History(tmp_path / "other")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="EMOFEEDBACK_DATA"):
        History(tmp_path / "file")


def test_a_clock_that_was_set_back_makes_no_new_run_an_old_one(tmp_path: Path) -> None:
    """Each new run was the oldest of all, and the next one took it away."""
    now = [2_000_000_000.0]
    first = History(tmp_path, clock=lambda: now[0])
    size = first.get(first.add(run(), ANN), ANN).entry.bytes
    history = History(tmp_path, cap=int(3.5 * size), clock=lambda: now[0])
    now[0] = 1_000_000_000.0
    keys = [history.add(run(), ANN) for _ in range(3)]
    assert folders(history) == set(keys)


def test_drawing_goes_on_without_history_where_the_disk_is_full(history: History, tmp_path: Path) -> None:
    """Whether files carry their settings is asked of the history before each drawing, and that failed."""
    history.set_metadata(ANN, False)
    key = history.add(run(), ANN)
    writer = HistoryWriter(history)
    assert writer.metadata(ANN) is False
    with files_end_at(0):
        assert (writer.metadata(ANN), writer.metadata(BEN)) == (False, True)
        writer.save(ANN, run())
        writer.settle()
        said = writer.trouble(ANN)
        assert said is not None and "cannot be" in said and "free some space" in said
        late = History(tmp_path / "new")  # the app starts, too
        with pytest.raises(UserError, match="free some space"):
            late.add(run(), ANN)
        assert HistoryWriter(late).metadata(ANN) is True
        again = History(history.folder)
    assert again.get(key, ANN).entry.prompt == "a boat"
    assert again.search(ANN).total == 1 and folders(again) == {key}
    writer.save(ANN, run())
    writer.settle()
    assert writer.trouble(ANN) is None and again.search(ANN).total == 2
    assert late.get(late.add(run(), ANN), ANN).entry.kind == "feedback"


@pytest.mark.parametrize("fmt", ["zip", "folder"])
def test_export_holds_pictures_tables_and_a_sidecar(history: History, tmp_path: Path, fmt: str) -> None:
    nasty = 'a "boat",\n<script> at ../../etc'
    made = run(nasty)
    keys = [history.add(made, ANN, revisions={"judge": "r1"}), history.add(sweep(), ANN)]
    out = history.export(keys, ANN, tmp_path / "out" / "export", fmt)  # type: ignore[arg-type]
    if fmt == "zip":
        with zipfile.ZipFile(out) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    else:
        files = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert not any(name.startswith(("/", ".")) or ".." in name for name in files)
    rows = list(csv.DictReader(io.StringIO(files["pictures.csv"].decode())))
    assert list(csv.DictReader(io.StringIO(files["pictures.tsv"].decode()), delimiter="\t")) == rows
    assert len(rows) == sum(len(r.candidates) for r in made.rounds) + 4
    first = rows[0]
    assert (first["prompt"], first["seed"], first["target_valence"], first["round"]) == (nasty, "3", "0.8", "1")
    assert (first["judge"], first["judge_revision"], first["time"][-1]) == ("colour", "r1", "Z")
    assert float(first["reading_valence"]) == pytest.approx(0.4, abs=0.01)
    assert float(first["valence_sd"]) == 0.1
    assert all(row["file"] in files for row in rows)
    sidecar = json.loads(files["runs.json"])
    assert "-1 to 1" in sidecar["scale"]
    assert set(sidecar["columns"]) == set(first)
    assert sidecar["runs"][0]["rounds"][0]["critique"]["edits"]
    assert read_settings(files[first["file"]]).prompt == nasty
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"export"}
    with pytest.raises(UserError, match="there already"):
        history.export(keys, ANN, out)


def test_export_without_metadata_and_of_nothing(history: History, tmp_path: Path) -> None:
    key = history.add(run("a secret"), ANN)
    out = history.export([key], ANN, tmp_path / "plain.zip", metadata=False)
    with zipfile.ZipFile(out) as archive:
        for name in archive.namelist():
            if name.endswith(".png"):
                with pytest.raises(UserError, match="carries no settings"):
                    read_settings(archive.read(name))
    with pytest.raises(UserError, match="at least one"):
        history.export([], ANN, tmp_path / "none.zip")


def test_an_empty_run_and_a_nameless_owner_are_refused(history: History) -> None:
    with pytest.raises(UserError, match="without pictures"):
        history.add(Run("a boat", Affect(0, 0), (), "cancelled", "g", "j"), ANN)
    with pytest.raises(UserError, match="owner"):
        history.add(run(), "")
