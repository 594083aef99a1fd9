"""The panel of references: what its handlers do for one visitor, without a browser."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from PIL import Image

from emofeedback.affect import Affect, emotion
from emofeedback.errors import UserError
from emofeedback.files.png_settings import read_settings
from emofeedback.files.storage import png_bytes
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.records import PictureRequest, VisualPrompt
from emofeedback.ui.create.create_layout import ask_bar, controls
from emofeedback.ui.create.create_order import CreateOrder
from emofeedback.ui.create.references_panel import ELSEWHERE, FOUND, NEAREST, NOTHING, FixedReferences, ReferencesPanel
from emofeedback.ui.create.restore import CREATE, VISUAL, Restore
from emofeedback.ui.session import Models, Visits

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
        return ReferencesPanel(models, Visits(tmp_path), controls(ask_bar(PROMPT), FEAR, {}))


@pytest.fixture
def panel(tmp_path: Path) -> ReferencesPanel:
    return panel_of(tmp_path)


def order() -> CreateOrder:
    return CreateOrder(PROMPT, FEAR, Drawing(2, 3), Rules(2, 0.1, 1))


def knobs(
    on: bool = True,
    emotion: str = NEAREST,
    weights: tuple[float, ...] = (1, 1, 1),
    own: Any = None,
    negative: str = NOTHING,
    fixed: FixedReferences = FOUND,
) -> list[Any]:
    """What stands in the panel, in the order of `names`."""
    return [on, 1.2, emotion, negative, *weights, own, 1.0, fixed]


def names(panel: ReferencesPanel) -> list[Any]:
    return [
        panel.on,
        panel.strength,
        panel.emotion,
        panel.negative,
        *panel.weights,
        panel.own,
        panel.own_weight,
        panel.fixed,
    ]


def data(panel: ReferencesPanel, values: list[Any], prompt: str = PROMPT, at: Affect = FEAR) -> dict[Any, Any]:
    """The panel and the controls as a listener gets them."""
    c = panel.controls
    words = {c.prompt: prompt, c.valence: at.valence, c.arousal: at.arousal}
    return dict(zip(names(panel), values, strict=True)) | words


def test_switched_off_a_run_is_as_before(panel: ReferencesPanel) -> None:
    assert panel.contribute(panel.visits.of(REQUEST), order()) == order()


def test_the_references_of_the_mood_are_shown(panel: ReferencesPanel) -> None:
    cards = panel.found(data(panel, knobs()), REQUEST)
    assert cards.count("<figure>") == 3 and cards.count("fear") >= 3
    shares = [int(x) for x in re.findall(r"(\d+)%", cards)]
    assert 98 <= sum(shares) <= 102 and shares == sorted(shares, reverse=True)
    named = panel.found(data(panel, knobs(emotion="awe")), REQUEST)
    assert "awe" in named and "fear" not in named
    assert "<figure>" not in panel.found(data(panel, knobs(on=False), at=Affect(0, 0)), REQUEST)


def test_a_run_takes_the_visual_prompt_of_its_visitor(panel: ReferencesPanel) -> None:
    panel.changed(data(panel, knobs(emotion="awe")), REQUEST)
    made = panel.contribute(panel.visits.of(REQUEST), order())
    assert made.drawing.visual == VisualPrompt(1.2, "awe")
    assert panel.contribute(panel.visits.of(OTHER), order()).drawing.visual is None


def test_references_can_be_dropped_weighed_and_joined_by_ones_own(panel: ReferencesPanel, tmp_path: Path) -> None:
    visit, own = panel.visits.of(REQUEST), tmp_path / "own.png"
    Image.new("RGB", (8, 8), "red").save(own)
    panel.changed(data(panel, knobs(weights=(0, 2, 1), own=str(own))), REQUEST)
    visual = panel.contribute(visit, order()).drawing.visual
    bank = panel.models.get()[0].visual.bank  # type: ignore[attr-defined]
    hits = bank.retrieve(words([PROMPT])[0], "fear", 3)
    assert visual is not None and visual.centres is not None
    assert visual.centres == ((hits[1].number, 2 * hits[1].weight), (hits[2].number, hits[2].weight))
    ((picture, weight),) = visual.pictures
    assert picture.getpixel((0, 0)) == (255, 0, 0) and weight == 1.0
    panel.changed(data(panel, knobs(weights=(0, 0, 0))), REQUEST)
    with pytest.raises(UserError, match="dropped"):
        panel.contribute(visit, order())


def test_a_run_may_lead_away_from_an_emotion(panel: ReferencesPanel) -> None:
    panel.changed(data(panel, knobs(negative="amusement")), REQUEST)
    visual = panel.contribute(panel.visits.of(REQUEST), order()).drawing.visual
    assert visual == VisualPrompt(1.2, negative="amusement")


def test_a_pictures_own_references_stand_as_long_as_its_words(panel: ReferencesPanel) -> None:
    visit, fixed = panel.visits.of(REQUEST), FixedReferences(((20, 0.5), (2, 0.5)), PROMPT, FEAR, None)
    cards = panel.found(data(panel, knobs(fixed=fixed)), REQUEST)
    assert cards.count("<figure>") == 2 and cards.count("50%") == 2
    assert panel.contribute(visit, order()).drawing.visual == VisualPrompt(1.2, None, fixed.centres)
    panel.changed(data(panel, knobs(fixed=fixed, weights=(2, 0, 1))), REQUEST)
    assert panel.contribute(visit, order()).drawing.visual == VisualPrompt(1.2, None, ((20, 1.0),))
    panel.changed(data(panel, knobs(fixed=fixed)), REQUEST)
    other = replace(order(), prompt="a cat by a lake")
    assert panel.contribute(visit, other).drawing.visual == VisualPrompt(1.2)
    elsewhere = replace(fixed, centres=((999, 1.0),))
    assert ELSEWHERE in panel.found(data(panel, knobs(fixed=elsewhere)), REQUEST).replace("&#x27;", "'")
    with pytest.raises(UserError, match="not in this bank"):
        panel.contribute(visit, order())


def offer_of(visual: VisualPrompt | None) -> dict[str, Any]:
    """What a dropped PNG of a picture with this visual prompt offers."""
    request = PictureRequest(PROMPT, FEAR, 7, visual=visual)
    return read_settings(png_bytes(next(iter(FakeGenerator().generate([request]))))).known()


def put_in(panel: ReferencesPanel, offer: dict[str, Any], now: list[Any]) -> tuple[str, list[Any]]:
    """The question, and the knobs once it was answered with yes."""
    restore, create = Restore(), panel.controls
    with gr.Blocks():
        restore.panel()
        tabs = gr.Tabs()
        restore.connect({name: getattr(create, name) for name in CREATE} | panel.fields(), tabs)
    named = dict(zip((id(knob) for knob in names(panel)), now, strict=True))
    held = [*[offer.get(name) for name in CREATE], *[named[id(panel.fields()[name])] for name in VISUAL]]
    question = restore.ask(offer, *held)[0]
    values = dict(zip((*CREATE, *VISUAL), restore.put_in(offer, *held), strict=False))
    new = {id(panel.fields()[name]): values[name] for name in VISUAL if values[name] != gr.skip()}
    return question, [new.get(id(knob), before) for knob, before in zip(names(panel), now, strict=True)]


@pytest.mark.parametrize(
    "visual",
    [
        VisualPrompt(0.7),
        VisualPrompt(1.5, "awe", negative="disgust"),
        VisualPrompt(1.0, None, ((20, 0.5), (2, 0.5))),
        VisualPrompt(0.4, "fear", ((1, 0.25),), negative="awe"),
    ],
)
def test_a_pictures_visual_prompt_is_put_into_the_page(panel: ReferencesPanel, visual: VisualPrompt) -> None:
    question, then = put_in(panel, offer_of(visual), knobs(on=False, emotion="anger", weights=(0, 1, 1)))
    assert "Guide by pictures</th><td>off</td><td><b>on" in question and "Weight 1" in question
    panel.changed(data(panel, then), REQUEST)
    assert panel.contribute(panel.visits.of(REQUEST), order()).drawing.visual == visual


def test_a_picture_drawn_by_words_alone_switches_the_references_off(panel: ReferencesPanel) -> None:
    question, then = put_in(panel, offer_of(None), knobs())
    assert "<td>on</td><td><b>off" in question and "Weight" not in question
    assert then == knobs(on=False)
    question, then = put_in(panel, {"prompt": PROMPT, "seed": 7}, knobs())
    assert "Guide by pictures" not in question and then == knobs(), "another program's file says nothing of it"


def test_ones_own_picture_is_told_as_lost_and_never_taken_unasked(panel: ReferencesPanel) -> None:
    own = VisualPrompt(1.2, None, (), ((Image.new("RGB", (8, 8)), 1.0),))
    question, then = put_in(panel, offer_of(own), knobs())
    assert "Left out" in question and "your own picture" in question
    panel.changed(data(panel, then), REQUEST)
    with pytest.raises(UserError, match="add a picture"):
        panel.contribute(panel.visits.of(REQUEST), order())
    question, then = put_in(panel, offer_of(VisualPrompt(1.2)), knobs(own="uploads/mine.png"))
    assert "Your own picture</th><td>mine.png</td><td><b><em>empty" in question and then == knobs()


def test_what_the_panel_cannot_take_is_named(panel: ReferencesPanel) -> None:
    question, then = put_in(panel, offer_of(VisualPrompt(4.0, "0.4,0", guidance=3.0)), knobs())
    assert "the most this page takes" in question and "0.4,0" in question and "guidance away" in question
    assert then[1:3] == [2, NEAREST]


def test_a_generator_without_visual_prompts_says_so(tmp_path: Path) -> None:
    panel = panel_of(tmp_path, with_bank=False)
    assert "no visual prompts" in panel.found(data(panel, knobs(), at=Affect(0, 0)), REQUEST)
    with pytest.raises(UserError, match="no visual prompts"):
        panel.contribute(panel.visits.of(REQUEST), order())
