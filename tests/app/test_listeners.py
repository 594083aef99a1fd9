"""What the page's listeners cost while a mood is dragged."""

from fakes_ui import FakeGenerator, FakeJudge

from emofeedback.ui.app import StudioOptions, build


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
