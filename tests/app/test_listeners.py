"""What the page's listeners cost while a mood is dragged."""

import asyncio

import gradio as gr
import pytest
from fakes_ui import FakeGenerator, FakeJudge

from emofeedback.ui.app import StudioOptions, build
from emofeedback.ui.brief_answers import BriefBlocks


def test_a_drag_asks_for_previews_alone_and_moves_no_spinner() -> None:
    page, _ = build(lambda: (FakeGenerator(), FakeJudge()), StudioOptions())
    listeners = list(page.fns.values())
    hidden = [one for one in listeners if one.show_progress == "hidden"]
    assert len(hidden) > 50 and all(one.show_progress_on == [] for one in hidden)
    mood = {b._id for b in page.blocks.values() if getattr(b, "elem_id", None) in ("pad", "valence", "arousal")}
    assert len(mood) == 3
    asked = {
        one.name
        for one in listeners
        if one.fn is not None and any(at in mood and event in ("input", "change") for at, event in one.targets)
    }
    assert asked == {"live"}
    assert {len(one.outputs) for one in listeners if one.name == "live"} == {3}


def test_what_a_listener_leaves_alone_is_not_built_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """gradio made every component again that an answer did not name, at each preview."""
    with BriefBlocks() as page:
        parts = [gr.Textbox(), gr.HTML(), gr.Textbox()]
        button = gr.Button()
        button.click(lambda: {}, None, parts)
    (listener,) = page.fns.values()
    built: list[str] = []
    monkeypatch.setattr(gr.HTML, "__init__", lambda self, *a, **k: built.append("html"))
    answers: list[tuple[object, list[object]]] = [
        ({parts[0]: "x", parts[2]: gr.update(value="y")}, ["x", gr.skip(), {"value": "y", "__type__": "update"}]),
        ({parts[2]: "z", parts[1]: gr.skip()}, [gr.skip(), gr.skip(), "z"]),
        ({parts[1]: gr.skip()}, [gr.skip()] * 3),
    ]
    for given, wanted in answers:
        assert asyncio.run(page.postprocess_data(listener, given, None)) == wanted
    assert not built
    with pytest.raises(ValueError, match="not specified as output"):
        asyncio.run(page.postprocess_data(listener, {button: "x", parts[0]: "y"}, None))
