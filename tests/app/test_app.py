"""The studio through its API, and the parts of the page that need no browser."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes_ui import FakeGenerator, FakeJudge
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from emofeedback import build
from emofeedback.affect import PRESETS, Affect
from emofeedback.errors import Cancelled
from emofeedback.loop import Finished, run_loop
from emofeedback.records import Critique, Edit, Reading, Run
from emofeedback.serialize import candidate_name, run_json
from emofeedback.settings import Settings, checkpoint_folder
from emofeedback.storage import png_bytes, write_json, write_whole
from emofeedback.ui import html, studio
from emofeedback.ui.circumplex import SIZE, mood_colour, place, plane
from emofeedback.ui.desk import Models, Visits
from emofeedback.ui.example import load_example
from emofeedback.ui.sweep_tab import draw_sheet

MOOD = {"valence": 0.6, "arousal": -0.4, "strength": 1, "seed": 5}


@pytest.fixture(scope="module")
def generator() -> FakeGenerator:
    return FakeGenerator()


@pytest.fixture(scope="module")
def client(generator: FakeGenerator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("studio")
    page, address = studio.launch(lambda: (generator, FakeJudge()), block=False, example=folder / "none", files=folder)
    yield Client(address, verbose=False, download_files=str(folder / "client"))
    page.close()


def test_every_endpoint_is_named_typed_and_described(client: Client) -> None:
    described = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(described) == {"/generate", "/preview", "/estimate", "/sweep", "/feedback_run"}
    for name, endpoint in described.items():
        assert endpoint["description"], name
        assert [p["parameter_name"] for p in endpoint["parameters"]][0] in ("prompt", "image")


def test_generate_returns_a_png_that_carries_its_making(client: Client) -> None:
    path, result = client.predict("a boat", **MOOD, steps=3, api_name="/generate")
    with Image.open(path) as image:
        assert image.format == "PNG"
        making = json.loads(image.info["emofeedback"])
        assert "Seed: 5" in image.info["parameters"]
    assert making["request"]["prompt"] == "a boat"
    assert making["request"]["steps"] == 3
    assert result["seed"] == 5
    assert result["reading"]["valence"] == pytest.approx(0.3, abs=0.15)


def test_preview_takes_fewer_steps_than_generate(client: Client, generator: FakeGenerator) -> None:
    before = generator.steps_done
    client.predict("a boat", **MOOD, api_name="/preview")
    assert generator.steps_done - before == generator.preview_steps


def test_the_reading_belongs_to_the_picture(client: Client, tmp_path: Path) -> None:
    readings = []
    for colour in ((230, 20, 120), (20, 230, 120)):
        Image.new("RGB", (32, 32), colour).save(tmp_path / "in.png")
        readings.append(client.predict(handle_file(tmp_path / "in.png"), api_name="/estimate"))
    assert readings[0]["valence"] > 0.7 > -0.7 > readings[1]["valence"]
    assert readings[0]["arousal"] < -0.7 < 0.7 < readings[1]["arousal"]


def test_sweep_returns_a_sheet_with_figures(client: Client) -> None:
    path, figures = client.predict("a boat", 3, 1, 0, api_name="/sweep")
    with Image.open(path) as sheet:
        assert sheet.width > 3 * 96
    assert set(figures) == {"valence", "arousal"}
    assert figures["valence"]["travel"] > 0


def test_feedback_run_edits_the_words_and_comes_closer(client: Client) -> None:
    pictures, run = client.predict(
        "a boat", 0.7, 0.1, 1, 0, rounds=3, candidates=2, continuation="same_seed", api_name="/feedback_run"
    )
    first, last = run["rounds"][0], run["rounds"][-1]
    assert len(pictures) == 2 * len(run["rounds"]) >= 4
    assert last["prompt"] != first["prompt"]
    assert run["best"]["distance"] < min(c["distance"] for c in first["candidates"])


@pytest.mark.parametrize(
    ("endpoint", "values", "says"),
    [
        ("/generate", ("x", 1.5, 0, 1, 0, 0), "valence must lie between -1 and 1"),
        ("/generate", ("x", 0, 0, 1, -4, 0), "seed must"),
        ("/sweep", ("x", 40, 1, 0), "grid must"),
        ("/feedback_run", ("x", 0, 0, 1, 0, 99, 1, "same_seed"), "rounds must"),
        ("/feedback_run", ("x", 0, 0, 1, 0, 1, 1, "<script>"), "Unknown continuation"),
    ],
)
def test_bad_values_get_one_sentence(client: Client, endpoint: str, values: tuple, says: str) -> None:
    with pytest.raises(AppError, match=says) as caught:
        client.predict(*values, api_name=endpoint)
    assert "<script>" not in str(caught.value)


@pytest.mark.parametrize("name", ["text.png", "cut.png", "page.svg"])
def test_bad_uploads_get_one_sentence(client: Client, tmp_path: Path, name: str) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "whole.png")
    content = {"text.png": b"hello", "cut.png": (tmp_path / "whole.png").read_bytes()[:900], "page.svg": b"<svg/>"}
    (tmp_path / name).write_bytes(content[name])
    with pytest.raises(AppError, match="The picture is"):
        client.predict(handle_file(tmp_path / name), api_name="/estimate")


def test_leaving_the_page_stops_the_work_and_drops_the_files(tmp_path: Path) -> None:
    visits, slow = Visits(tmp_path), FakeGenerator(seconds_per_step=0.02)
    models = Models(lambda: (slow, FakeJudge()))
    models.start()
    request = SimpleNamespace(session_hash="one")
    visit = visits.of(request)
    assert visits.of(request) is visit is not visits.of(SimpleNamespace(session_hash="two"))
    with pytest.raises(Cancelled):
        for item in draw_sheet(models, visit, "a boat", 3, 1.0, 0):
            assert visit.running and not isinstance(item, str)
            visits.leave(request)
    assert slow.steps_done <= 3
    assert not visit.running and not visit.folder.exists()
    assert not models.lock.locked()


def test_the_page_says_why_there_are_no_models(tmp_path: Path) -> None:
    settings = Settings(generator=str(tmp_path / "nowhere"))
    page, address = studio.launch(lambda: build.load(settings), block=False, example=tmp_path, files=tmp_path)
    try:
        with pytest.raises(AppError, match="There is no generator"):
            Client(address, verbose=False).predict("a boat", **MOOD, steps=0, api_name="/generate")
    finally:
        page.close()


def test_the_diff_marks_what_went_and_what_came() -> None:
    marked = html.diff("a boat at dawn", "a boat at night, with lanterns")
    assert "<del>dawn</del>" in marked
    assert "<ins>night, with lanterns</ins>" in marked
    assert ">a boat at" in marked


def test_words_of_users_and_judges_are_escaped() -> None:
    bad = "<img src=x onerror=alert(1)>"
    critique = Critique(bad, (bad,), (Edit("replace", bad, bad),))
    reading = Reading(Affect(0, 0), 0.1, 0.1, 1.0, (), bad)
    parts = [
        html.diff(bad, bad + " more"),
        html.words(critique),
        html.suggestion(bad, critique, bad + "!"),
        html.unknown_words(bad, ("onerror",)),
        html.progress(bad),
        html.notice(bad),
        html.reading(reading),
    ]
    assert all("<img" not in part for part in parts)


def test_unknown_words_are_marked_and_known_ones_are_not() -> None:
    marked = html.unknown_words("a Zeppelin by the sea", ("zeppelin",))
    assert "<mark>Zeppelin</mark>" in marked
    assert "<mark>sea" not in marked
    assert html.unknown_words("a boat", ()) == ""


def test_the_plane_is_drawn_the_right_way_up() -> None:
    right, up = place(Affect(1, 0)), place(Affect(0, 1))
    assert right[0] > SIZE / 2 == right[1]
    assert up[1] < SIZE / 2 == up[0]
    assert len({mood_colour(Affect(v, a)) for v in (-1, 1) for a in (-1, 1)}) == 4
    drawing = plane(Affect(0.5, 0.5), chosen=Reading(Affect(-0.5, -0.5), 0.1, 0.3, 1, (), "j"))
    assert 'class="target"' in drawing and 'class="spread"' in drawing
    assert all(name in drawing for name in PRESETS)


def _finished_run() -> Run:
    events = run_loop(FakeGenerator(), FakeJudge(), "a boat", Affect(0.7, 0.1), rounds=2, candidates=2)
    return next(event.run for event in events if isinstance(event, Finished))


def test_the_example_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    run = _finished_run()
    for done in run.rounds:
        for index, item in enumerate(done.candidates):
            write_whole(tmp_path / candidate_name(done.number, index), png_bytes(item.picture, item.reading))
    write_json(tmp_path / "run.json", run_json(run))
    example = load_example(tmp_path)
    assert example is not None
    assert [r.prompt for r in example.rounds] == [r.prompt for r in run.rounds]
    assert example.rounds[-1].critique == run.rounds[-1].critique
    assert example.rounds[0].best().distance == pytest.approx(run.rounds[0].best().distance, abs=1e-3)
    page, _ = studio.build(lambda: (FakeGenerator(), FakeJudge()), tmp_path, tmp_path)
    assert "Round 2" in json.dumps(page.get_config_file()["components"], default=str)


def test_a_broken_example_is_no_example(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"target": {"valence": 3}}')
    assert load_example(tmp_path) is None


def test_two_visitors_do_not_share_a_run(client: Client) -> None:
    address, results = client.src, {}

    def visit(seed: int) -> None:
        other = Client(address, verbose=False)
        results[seed] = other.predict("a boat", 0.5, 0.5, 1, seed, 0, api_name="/generate")[1]["seed"]

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in (11, 12, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert results == {11: 11, 12: 12, 13: 13}


BUNDLED = [checkpoint_folder(Settings(), name) for name in ("scene-generator", "scene-judge")]


@pytest.mark.skipif(not all(folder.is_dir() for folder in BUNDLED), reason="the bundled checkpoints are not here")
def test_the_bundled_pair_does_the_main_job(tmp_path: Path) -> None:
    page, address = studio.launch(
        lambda: build.load(Settings(threads=1)), block=False, example=tmp_path / "none", files=tmp_path
    )
    try:
        client = Client(address, verbose=False)
        words, run = "a lighthouse by the sea", {}
        for name, mood in (("calm", (0.7, -0.5)), ("wild", (-0.6, 0.6))):
            _, run[name] = client.predict(words, *mood, 1, 0, 2, 2, "same_seed", api_name="/feedback_run")
        best = {name: r["best"]["reading"] for name, r in run.items()}
        assert best["calm"]["valence"] > best["wild"]["valence"]
        assert best["calm"]["arousal"] < best["wild"]["arousal"]
        assert run["calm"]["rounds"][0]["critique"]["analysis"]
    finally:
        page.close()
