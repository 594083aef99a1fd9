"""Large pictures in the studio: what the API hands out, what Create and History show; models are stand-ins."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from gradio_client import Client, handle_file
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.files.png_settings import read_settings
from emofeedback.generators.scene.upscaler import SceneUpscaler, UpscalerShape
from emofeedback.history.store import History
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import RoundDone, RunOrder, run_loop
from emofeedback.protocols import Upscaler
from emofeedback.ui import app as studio
from emofeedback.ui.create.browse import Browse
from emofeedback.ui.create.create_state import CreateState, ShownRun, Work
from emofeedback.ui.create.run_view import page_values, round_files
from emofeedback.ui.history import history_layout
from emofeedback.ui.history.history_owner import COOKIE
from emofeedback.ui.history.history_tab import HistoryTab
from emofeedback.ui.history.history_writer import HistoryWriter
from emofeedback.ui.session import Models, Visits
from emofeedback.ui.upscaling import upscaler_of

MOOD = {"valence": 0.6, "arousal": -0.4, "strength": 1, "seed": 5}
DRAWN, LARGE = (96, 96), (384, 384)
DONE = {"name": "scene-upscaler", "scale": 4}


class Seeing(FakeJudge):
    """Notes the sizes that it reads."""

    def __init__(self) -> None:
        self.sizes: set[tuple[int, int]] = set()

    def read(self, pictures: Any) -> Any:
        self.sizes |= {picture.image.size for picture in pictures}
        return super().read(pictures)


def generator(upscaler: Upscaler | None = None) -> FakeGenerator:
    made = FakeGenerator()
    made.upscaler = upscaler or SceneUpscaler(UpscalerShape(8, 1))  # type: ignore[attr-defined]
    return made


def size(file: str | Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


@pytest.fixture(scope="module")
def judge() -> Seeing:
    return Seeing()


@pytest.fixture(scope="module")
def client(judge: Seeing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("studio")
    options = studio.StudioOptions(example=folder / "none", files=folder)
    page, address = studio.launch(lambda: (generator(), judge), options, block=False)
    try:
        yield Client(address, verbose=False, download_files=str(folder))
    finally:
        page.close()


def test_the_api_hands_out_large_pictures_and_the_judge_reads_them_as_drawn(client: Client, judge: Seeing) -> None:
    path, told = client.predict("a boat", **MOOD, api_name="/generate")
    assert size(path) == LARGE and told["upscaled"] == DONE
    small, plainly = client.predict("a boat", **MOOD, upscale=False, api_name="/generate")
    assert size(small) == DRAWN and "upscaled" not in plainly and plainly["reading"] == told["reading"]
    assert read_settings(Path(path)) == read_settings(Path(small))
    assert size(client.predict("a boat", **MOOD, api_name="/preview")[0]) == DRAWN
    loop = {**MOOD, "rounds": 2, "candidates": 2}
    pictures, run = client.predict("a boat", **loop, api_name="/feedback_run")
    assert {size(item["image"]) for item in pictures} == {LARGE} and run["best"]["upscaled"] == DONE
    pictures, run = client.predict(handle_file(path), "a boat", **loop, upscale=False, api_name="/redraw")
    assert {size(item["image"]) for item in pictures} == {DRAWN} and "upscaled" not in json.dumps(run)
    _, sheet, files = client.predict("a boat", grid=2, api_name="/sweep")
    assert sheet["points"][0]["upscaled"] == DONE
    assert size(next(file for file in files if "cell-01-01" in file)) == LARGE
    assert judge.sizes == {DRAWN}


class Slow:
    """An upscaler that nobody should wait for."""

    name, scale, quick = "slow", 2, False

    def upscale(self, images: Any, scenes: Any = None) -> list[Image.Image]:
        return [image.resize((2 * image.width, 2 * image.height)) for image in images]


def shown(state: CreateState, folder: Path) -> None:
    """A run of one round with two candidates, drawn and shown."""
    order = RunOrder("a boat", Affect(0.7, 0.1), Drawing(2), Rules(1))
    run = ShownRun("Run 1", order.prompt, order.target, folder)
    with state.working(Work(run, 1)):
        for event in run_loop(FakeGenerator(), FakeJudge(), order):
            state.take(event)
            page_values(state)
            if isinstance(event, RoundDone):
                round_files(state, run, event.round)


def test_create_shows_what_was_chosen_large_and_goes_back_by_the_switch(tmp_path: Path) -> None:
    models = Models(lambda: (generator(), FakeJudge()))
    models.start()
    models.get()
    visits = Visits(tmp_path)
    visits.upscaler = lambda: upscaler_of(models)
    request: Any = SimpleNamespace(session_hash="one", headers={}, username=None, client=None, cookies={})
    visit, browse = visits.of(request), Browse(visits, None)
    state = browse.of(visit)
    shown(state, visit.files())
    assert state.run is not None and size(page_values(state)["picture"]) == LARGE
    [done] = state.run.past.rounds
    assert {size(file) for file in round_files(state, state.run, done)} == {LARGE}
    assert all(item.picture.image.size == DRAWN for item in done.candidates)  # the run itself keeps what was drawn
    visit.upscale = False
    assert {size(file) for file in round_files(browse.of(visit), state.run, done)} == {DRAWN}


def test_a_slow_upscaler_enlarges_the_chosen_picture_alone_and_only_in_its_turn(tmp_path: Path) -> None:
    models = Models(lambda: (generator(Slow()), FakeJudge()))
    models.start()
    models.get()
    visits = Visits(tmp_path)
    visits.upscaler = lambda: upscaler_of(models)
    request: Any = SimpleNamespace(session_hash="one", headers={}, username=None, client=None, cookies={})
    visit = visits.of(request)
    state = Browse(visits, None).of(visit)
    shown(state, visit.files())
    assert state.run is not None
    [done] = state.run.past.rounds
    chosen = [item.chosen for item in done.candidates]
    sizes = [size(file) for file in round_files(state, state.run, done)]
    assert sizes == [(192, 192) if one else DRAWN for one in chosen]
    branch = state.branch(1, visit.fresh())  # in a folder of its own, while somebody else may be drawing
    assert branch is not None and {size(file) for file in round_files(state, branch, done)} == {DRAWN}


def test_history_keeps_what_was_drawn_and_shows_it_large(tmp_path: Path) -> None:
    writer = HistoryWriter(History(tmp_path / "data"))
    visits = Visits(tmp_path)
    visits.writer, visits.upscaler = writer, lambda: SceneUpscaler(UpscalerShape(8, 1))
    request: Any = SimpleNamespace(
        cookies={COOKIE: "a" * 32}, session_hash="one", username=None, client=None, headers={}
    )
    visit = visits.of(request)
    *_, last = run_loop(FakeGenerator(), FakeJudge(), RunOrder("a boat", Affect(0.7, 0.1), Drawing(2), Rules(1)))
    visit.save(last.run)  # type: ignore[union-attr]
    writer.settle()
    [entry] = writer.history.search(visit.owner or "").entries
    saved = writer.history.get(entry.id, visit.owner or "")
    assert {size(saved.folder / item["image"]) for item in saved.pictures()} == {DRAWN}
    with gr.Blocks():
        page = HistoryTab.__new__(HistoryTab)
        page.visits, page.writer, page.history = visits, writer, writer.history
        page.opened, page.key = history_layout.opened(), gr.State()
    files = [file for file, _ in page._show(entry.id, [], request)[page.opened.gallery]["value"]]
    sizes = {item["image"]: LARGE if item["chosen"] else DRAWN for item in saved.pictures()}
    assert [size(file) for file in files] == list(sizes.values())
    chosen = next(file for file, at in zip(files, sizes.values(), strict=True) if at == LARGE)
    assert read_settings(Path(chosen)).seed is not None
