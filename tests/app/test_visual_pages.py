"""Pictures that guide, beyond a run in Create: the preview, the Continuum tab, and the way from there to Create."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from fakes_ui import FakeGenerator, FakeJudge

from emofeedback.protocols import OnStep
from emofeedback.records import Picture, PictureRequest, VisualPrompt
from emofeedback.ui.create.create_tab import CreateTab
from emofeedback.ui.create.references_panel import FOUND, NEAREST, NOTHING, ReferencesPanel
from emofeedback.ui.session import Models, Visits
from emofeedback.ui.sweep.sweep_layout import SHEET
from emofeedback.ui.sweep.sweep_tab import SweepTab

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from tiny_visual import WORDS, tiny_bank

REQUEST: Any = SimpleNamespace(session_hash="one")


class Watched(FakeGenerator):
    """Keeps what it was asked for; has a bank of visual prompts, or none."""

    def __init__(self, bank: bool = True) -> None:
        super().__init__()
        self.asked: list[PictureRequest] = []
        if bank:
            self.visual = SimpleNamespace(bank=tiny_bank())
            self.texts = SimpleNamespace(many=lambda prompts: np.ones((len(prompts), WORDS), np.float32))

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        self.asked += requests
        yield from super().generate(requests, on_step)


class Page:
    """The tabs outside a server."""

    def __init__(self, folder: Path, generator: Watched) -> None:
        models, visits = Models(lambda: (generator, FakeJudge())), Visits(folder)
        models.start()
        models.get()
        with gr.Blocks():
            with gr.Tabs() as tabs:
                with gr.Tab("Create", id="create"):
                    self.create = CreateTab(models, visits, None)
                    with self.create.before():
                        self.panel = ReferencesPanel(models, visits, self.create.controls)
                    self.create.always.append(self.panel.contribute)
                with gr.Tab("Continuum"):
                    self.sweep = SweepTab(models, visits)
            self.sweep.open_into(self.create, self.panel, tabs)

    def guide(self) -> None:
        """Switch the references on, for awe."""
        p = self.panel
        values = {p.on: True, p.strength: 1.2, p.emotion: "awe", p.negative: NOTHING, p.own: None, p.own_weight: 1}
        p.changed({**values, **dict.fromkeys(p.weights, 1), p.fixed: FOUND}, REQUEST)

    def preview(self) -> list[Any]:
        controls = vars(self.create.controls).values()
        data = {control: getattr(control, "value", None) for control in controls if isinstance(control, gr.Component)}
        return [self.create.preview.live(data, REQUEST)]

    def draw_sheet(self, on: bool, strength: float = 0.7) -> list[Any]:
        c = self.sweep.controls
        data = {
            control: getattr(control, "value", None)
            for control in vars(c).values()
            if isinstance(control, gr.Component)
        }
        changed = {c.mode: SHEET, c.grid: 3, c.visual: on, c.visual_strength: strength, c.animation: ""}
        return list(self.sweep.run(data | changed, REQUEST))


def test_the_preview_shows_what_the_references_say(tmp_path: Path) -> None:
    generator = Watched()
    page = Page(tmp_path, generator)
    page.preview()
    page.guide()
    page.preview()
    assert [request.visual for request in generator.asked] == [None, VisualPrompt(1.2, "awe")]


def test_a_moving_picture_takes_fewer_steps_and_the_one_that_stays_all_of_a_preview(tmp_path: Path) -> None:
    generator = Watched()
    generator.moving_steps, generator.preview_steps = 1, 3  # type: ignore[attr-defined]
    page = Page(tmp_path, generator)
    preview, s, j = page.create.preview, page.create.output, page.create.judge
    [frame] = page.preview()
    assert set(frame) == {s.live, s.about, s.status} and "<img" in frame[s.live]
    begun = preview.begin(REQUEST)
    assert not set(frame) & set(begun) and "once it stands still" in begun[j.words]
    page.preview()
    still = preview.settle(REQUEST)
    assert still[s.live] == "" and still[s.picture].endswith(".png") and "reads as" in still[j.words]
    assert [request.steps for request in generator.asked] == [1, 1, 3]
    assert generator.asked[1] == replace(generator.asked[2], steps=1)
    for late in (preview.begin, preview.settle):  # nothing moves any more
        assert set(late(REQUEST)) == {s.status}


def test_every_picture_of_a_sheet_is_guided_by_its_own_mood(tmp_path: Path) -> None:
    generator = Watched()
    page = Page(tmp_path, generator)
    page.draw_sheet(on=True)
    assert len(generator.asked) == 9 and {request.visual for request in generator.asked} == {VisualPrompt(0.7)}
    there = page.sweep.settings(4, REQUEST)
    assert (there[page.panel.on], there[page.panel.strength]) == (True, 0.7)
    assert there[page.panel.emotion] == NEAREST and there[page.panel.fixed] == FOUND
    page.draw_sheet(on=False)
    assert {request.visual for request in generator.asked[9:]} == {None}
    there = page.sweep.settings(4, REQUEST)
    assert there[page.panel.on] is False and page.panel.knobs & set(there) == {page.panel.on}


def test_a_generator_without_visual_prompts_says_so_before_it_draws(tmp_path: Path) -> None:
    generator = Watched(bank=False)
    page = Page(tmp_path, generator)
    with pytest.raises(gr.Error, match="no visual prompts; untick"):
        page.draw_sheet(on=True)
    page.guide()
    with pytest.raises(gr.Error, match="no visual prompts; untick"):
        page.preview()
    assert generator.asked == []
