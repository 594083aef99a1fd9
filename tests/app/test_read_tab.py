"""The Read tab: a run that starts from an uploaded picture."""

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
from fakes_ui import FakeGenerator, FakeJudge
from PIL import Image

from emofeedback.files.png_settings import read_settings
from emofeedback.ui.read.read_tab import ReadTab
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
        updates[tab.gallery]
        for updates in tab.redraw(str(tmp_path / "start.png"), "a boat", "serene", 0.3, 5, request)
        if tab.gallery in updates
    )
    for file, _ in (*last, *tab.again(request)):
        found = read_settings(Path(file))
        assert (found.start_strength, found.patience is not None, found.tolerance is not None) == (0.3, True, True)
        assert found.continuation == "same_seed"
