"""The Read tab: a run that starts from an uploaded picture."""

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
from fakes_ui import FakeGenerator, FakeJudge
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.files.png_settings import read_settings
from emofeedback.files.storage import png_bytes
from emofeedback.records import Picture, PictureRequest
from emofeedback.ui.read.read_tab import ReadTab, settings_table
from emofeedback.ui.session import Models, Visits


def test_redrawn_pictures_carry_the_rules_of_their_run(tmp_path: Path) -> None:
    """They carried the request alone, so that Restore did not bring back how much of the picture was redrawn."""
    models, visits = Models(lambda: (FakeGenerator(), FakeJudge())), Visits(tmp_path)
    models.start()
    with gr.Blocks():
        tab = ReadTab(models, visits)
    Image.new("RGB", (96, 96), "gray").save(tmp_path / "start.png")
    request = SimpleNamespace(session_hash="one")
    *_, last = (
        updates[tab.gallery]["value"]
        for updates in tab.redraw(str(tmp_path / "start.png"), "a boat", "serene", 0.3, 5, request)
        if tab.gallery in updates
    )
    for file, _ in (*last, *tab.again(request)):
        found = read_settings(Path(file))
        assert (found.start_strength, found.patience is not None, found.tolerance is not None) == (0.3, True, True)
        assert found.continuation == "same_seed"


def test_a_png_tells_its_settings_and_other_pictures_nothing(tmp_path: Path) -> None:
    """A picture of the studio was read as any other, and its settings were to be had in History alone."""
    models, visits = Models(lambda: (FakeGenerator(), FakeJudge())), Visits(tmp_path)
    with gr.Blocks():
        tab = ReadTab(models, visits)
    made = Picture(Image.new("RGB", (32, 32)), PictureRequest("a <b>boat", Affect(0.7, 0.4), 7, 1.5, 4), "fake", 0.1)
    (tmp_path / "own.png").write_bytes(png_bytes(made))
    shown, table, found = tab.look_inside(str(tmp_path / "own.png"))
    assert shown["visible"] and "a &lt;b&gt;boat" in table and "happy (pleasant +0.70, energy +0.40)" in table
    assert (found["seed"], found["valence"], found["strength"]) == (7, 0.7, 1.5)
    Image.new("RGB", (32, 32)).save(tmp_path / "bare.png")
    Image.new("RGB", (32, 32)).save(tmp_path / "photo.jpg")
    for other in (str(tmp_path / "bare.png"), str(tmp_path / "photo.jpg"), None):
        shown, table, found = tab.look_inside(other)
        assert (shown["visible"], table, found) == (False, "", None)
    told = settings_table({"prompt": "", "others": (("Sampler", "<i>Euler"), ("CFG", "7"))})
    assert "mood alone" in told and "Sampler &lt;i&gt;Euler; CFG 7" in told
