"""The panel of references: what its handlers do for one visitor, without a browser."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from PIL import Image

from emofeedback.affect import emotion
from emofeedback.drawing import Drawing
from emofeedback.errors import UserError
from emofeedback.records import VisualPrompt
from emofeedback.ui.create_layout import controls
from emofeedback.ui.desk import Models, Visits
from emofeedback.ui.order import Order
from emofeedback.ui.references_panel import NEAREST, ReferencesPanel

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from tiny_visual import WORDS, tiny_bank

PROMPT, FEAR = "a lighthouse by the sea", emotion("fear")
REQUEST: Any = SimpleNamespace(session_hash="one")
OTHER: Any = SimpleNamespace(session_hash="two")


def words(prompts: list[str]) -> np.ndarray:
    return np.stack([np.random.default_rng(len(p)).standard_normal(WORDS) for p in prompts]).astype(np.float32)


def panel_of(tmp_path: Path, with_bank: bool = True) -> ReferencesPanel:
    generator: Any = FakeGenerator()
    if with_bank:
        generator.visual, generator.texts = SimpleNamespace(bank=tiny_bank()), SimpleNamespace(many=words)
    models = Models(lambda: (generator, FakeJudge()))
    models.start()
    models.get()
    with gr.Blocks():
        return ReferencesPanel(models, Visits(tmp_path), controls(PROMPT, FEAR, {}))


@pytest.fixture
def panel(tmp_path: Path) -> ReferencesPanel:
    return panel_of(tmp_path)


def order() -> Order:
    return Order(PROMPT, FEAR, 2, 1.0, Drawing(2, 3), "same_seed", 0.1, 1)


def knobs(on: bool = True, emotion: str = NEAREST, weights: tuple[float, ...] = (1, 1, 1), own: Any = None) -> list:
    return [on, 1.2, emotion, *weights, own, 1.0]


def test_switched_off_a_run_is_as_before(panel: ReferencesPanel) -> None:
    assert panel.contribute(panel.visits.of(REQUEST), order()) == order()


def test_the_references_of_the_mood_are_shown(panel: ReferencesPanel) -> None:
    cards = panel.found(*knobs(), PROMPT, FEAR.valence, FEAR.arousal, REQUEST)
    assert cards.count("<figure>") == 3 and cards.count("fear") >= 3
    shares = [int(x) for x in re.findall(r"(\d+)%", cards)]
    assert 98 <= sum(shares) <= 102 and shares == sorted(shares, reverse=True)
    named = panel.found(*knobs(emotion="awe"), PROMPT, FEAR.valence, FEAR.arousal, REQUEST)
    assert "awe" in named and "fear" not in named
    assert "<figure>" not in panel.found(*knobs(on=False), PROMPT, 0, 0, REQUEST)


def test_a_run_takes_the_visual_prompt_of_its_visitor(panel: ReferencesPanel) -> None:
    panel.changed(*knobs(emotion="awe"), REQUEST)
    made = panel.contribute(panel.visits.of(REQUEST), order())
    assert made.drawing.visual == VisualPrompt(1.2, "awe")
    assert panel.contribute(panel.visits.of(OTHER), order()).drawing.visual is None


def test_references_can_be_dropped_weighed_and_joined_by_ones_own(panel: ReferencesPanel, tmp_path: Path) -> None:
    visit, own = panel.visits.of(REQUEST), tmp_path / "own.png"
    Image.new("RGB", (8, 8), "red").save(own)
    panel.changed(*knobs(weights=(0, 2, 1), own=str(own)), REQUEST)
    visual = panel.contribute(visit, order()).drawing.visual
    bank = panel.models.get()[0].visual.bank  # type: ignore[attr-defined]
    hits = bank.retrieve(words([PROMPT])[0], "fear", 3)
    assert visual is not None and visual.centres is not None
    assert visual.centres == ((hits[1].number, 2 * hits[1].weight), (hits[2].number, hits[2].weight))
    ((picture, weight),) = visual.pictures
    assert picture.getpixel((0, 0)) == (255, 0, 0) and weight == 1.0
    panel.changed(*knobs(weights=(0, 0, 0)), REQUEST)
    with pytest.raises(UserError, match="dropped"):
        panel.contribute(visit, order())


def test_a_generator_without_visual_prompts_says_so(tmp_path: Path) -> None:
    panel = panel_of(tmp_path, with_bank=False)
    assert "no visual prompts" in panel.found(*knobs(), PROMPT, 0, 0, REQUEST)
    with pytest.raises(UserError, match="no visual prompts"):
        panel.contribute(panel.visits.of(REQUEST), order())
