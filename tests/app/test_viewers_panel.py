"""The panel of viewers: what its handlers do for one visitor, without a browser."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fakes_ui import FakeGenerator, FakeJudge

from emofeedback.affect import Affect, emotion
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.rewriting.company import Company
from emofeedback.rewriting.embedded import EmbeddedThinker
from emofeedback.rewriting.viewers import MAX_VIEWERS, load_viewers
from emofeedback.ui import app as studio
from emofeedback.ui.create.create_layout import ask_bar, controls
from emofeedback.ui.create.create_order import CreateOrder
from emofeedback.ui.create.viewers_panel import ViewersPanel
from emofeedback.ui.session import Models, Visits

PROMPT, FEAR = "a lighthouse by the sea", emotion("fear")
MEMORIES = "fear: fog over the graves\n\nawe: a moon"
NEW = ("Zoe", "a ferryman", "slow to be moved", 0.1, -0.1, MEMORIES, "in fog, at dusk", "")


def filled(panel: ViewersPanel, values: Sequence[Any] = NEW) -> dict[Any, Any]:
    """The form as a listener gets it."""
    return dict(zip(vars(panel.form).values(), values, strict=True))


Ask = Callable[..., list[Any]]
REQUEST: Any = SimpleNamespace(session_hash="one")
OTHER: Any = SimpleNamespace(session_hash="two")
NOBODY: Any = SimpleNamespace(session_hash="three")


@pytest.fixture
def panel(tmp_path: Path) -> ViewersPanel:
    models, visits = Models(lambda: (FakeGenerator(), FakeJudge())), Visits(tmp_path)
    models.start()
    with gr.Blocks():
        return ViewersPanel(
            models, visits, Company(EmbeddedThinker(), load_viewers()), controls(ask_bar(PROMPT), FEAR, {})
        )


@pytest.fixture
def ask(panel: ViewersPanel) -> Ask:
    def press(prompt: str = PROMPT, at: Affect = FEAR, request: Any = REQUEST) -> list[Any]:
        return list(panel.asked(prompt, at.valence, at.arousal, 3, request))

    return press


def order(prompt: str = PROMPT, at: Affect = FEAR, candidates: int = 4) -> CreateOrder:
    return CreateOrder(prompt, at, Drawing(candidates, 3), Rules(2, 0.1, 1))


def event(**data: Any) -> Any:
    return SimpleNamespace(**data)


def test_every_chosen_viewer_walks_a_chain_that_can_be_read(panel: ViewersPanel, ask: Ask) -> None:
    panel.chose(["Ada", "Bruno"], REQUEST)
    (_, thinking), (cards, told) = ask()
    assert "2 viewers think" in thinking and "2 chains" in told
    assert cards.count("data-chain=") == 3, "two chains and what the director merged"
    for title in ("The emotion, to this viewer", "What it is about", "Concepts that can be drawn", "Checked"):
        assert cards.count(title) >= 2
    assert "Chiyo" not in cards
    with pytest.raises(gr.Error, match="No viewer is chosen"):
        panel.chose([], REQUEST)
        ask()


def test_a_step_is_edited_and_run_again_from_there(panel: ViewersPanel, ask: Ask) -> None:
    ask()
    state = panel.of(panel.visits.of(REQUEST))
    before = state.chains
    cards, told = panel.rerun(event(chain=1, step="about", words="a tornado in summer"), REQUEST)
    assert "with a tornado" in cards and "edited" in cards and before[1].viewer in told
    assert state.chains[0] == before[0] and state.chains[1] != before[1]
    with pytest.raises(gr.Error, match="KIND"):
        panel.rerun(event(chain=1, step="concepts", words="fog"), REQUEST)
    for stale in (event(chain=99, step="about", words="x"), event(chain=0, step="steps", words="x"), event()):
        with pytest.raises(gr.Error, match="ask the viewers again"):
            panel.rerun(stale, REQUEST)


def test_the_judge_orders_what_the_viewers_wrote(panel: ViewersPanel, ask: Ask) -> None:
    with pytest.raises(gr.Error, match="Ask the viewers first"):
        list(panel.judged(1.0, REQUEST))
    ask()
    state = panel.of(panel.visits.of(REQUEST))
    before = state.rewrites
    *_, (cards, told) = panel.judged(1.0, REQUEST)
    assert cards.count(" away</small>") == len(before) == len(state.read) and "judge" in told
    assert set(state.rewrites) == set(before)
    first = state.rewrites[0].prompt
    assert state.read[first] == min(state.read.values()), "the one that the judge read closest stands first"
    assert "in a storm" in first, "the fake generator draws a storm as what fear is like"


def test_what_is_taken_opens_round_one_until_the_words_change(panel: ViewersPanel, ask: Ask) -> None:
    visit = panel.visits.of(REQUEST)
    assert panel.contribute(visit, order()) == order(), "switched off, the panel takes no part"
    ask()
    on, told = panel.use(event(chains=["0", "2"]), REQUEST)
    assert on is True and "2 rewrites" in told
    chosen = {panel.of(visit).chains[i].viewer for i in (0, 2)}
    first = panel.contribute(visit, order()).first
    assert first is not None and len(first.trials) == 2 and first.seeds == (3,)
    words = {rewrite.prompt for rewrite in panel.of(visit).used}
    assert set(first.trials) == words and {r.viewers[0] for r in panel.of(visit).used} == chosen
    other = panel.contribute(visit, order("a cat by a lake")).first
    assert other is not None and len(other.trials) == 4 and all(p.startswith("a cat by a lake") for p in other.trials)
    assert panel.contribute(visit, order(at=emotion("awe"))).first != first
    panel.switched(False, REQUEST)
    assert panel.contribute(visit, order()).first is None
    with pytest.raises(gr.Error, match="Tick at least one"):
        panel.use(event(chains=[]), REQUEST)


def test_a_viewer_of_ones_own_joins_for_oneself_alone(panel: ViewersPanel, ask: Ask) -> None:
    update, which, row, file, told, kept = panel.added(filled(panel), REQUEST)
    assert update["choices"][-1] == "Zoe" and "Zoe" in update["value"] and "Zoe has joined" in told
    assert which["value"] == "Zoe" and row["visible"] and [viewer["name"] for viewer in kept] == ["Zoe"]
    assert file["value"].endswith("zoe.json")
    assert "Zoe" in ask()[-1][0]
    assert "Zoe" not in ask(request=OTHER)[-1][0]


def test_viewers_of_ones_own_come_back_with_the_page(panel: ViewersPanel, ask: Ask) -> None:
    *_, kept = panel.added(filled(panel), REQUEST)
    kept = json.loads(json.dumps(kept))  # as it goes to the browser and comes back
    who, which, row, _, told = panel.came_back(kept, OTHER)
    assert who["choices"][-1] == "Zoe" and "Zoe" in who["value"] and told == gr.skip()
    assert which["choices"] == ["Zoe"] and row["visible"]
    assert "Zoe" in ask(request=OTHER)[-1][0]
    who, which, row, *_ = panel.came_back([], NOBODY)
    assert "Zoe" not in who["choices"] and not row["visible"]


def test_who_was_added_before_the_load_is_heard_stays(panel: ViewersPanel) -> None:
    """A busy machine answers the load after the first press; that must not send anybody away, nor unsay it."""
    panel.added(filled(panel), REQUEST)
    who, which, row, _, told = panel.came_back([], REQUEST)
    assert who["choices"][-1] == "Zoe" and "Zoe" in who["value"] and which["value"] == "Zoe" and row["visible"]
    assert told == gr.skip()


def test_what_the_browser_reads_after_the_load_comes_back_too(panel: ViewersPanel) -> None:
    *_, kept = panel.added(filled(panel), REQUEST)
    assert panel.read_late(kept, REQUEST) == gr.skip(), "known already: the choice among one's own stays"
    assert panel.read_late([], OTHER) == gr.skip()
    panel.came_back([], OTHER)
    who, which, row, *_ = panel.read_late(kept, OTHER)
    assert who["choices"][-1] == "Zoe" and which["choices"] == ["Zoe"] and row["visible"]
    panel.removed("Zoe", REQUEST)
    assert panel.read_late(kept, REQUEST) == gr.skip(), "an answer that was under way brings nobody back"


@pytest.mark.parametrize(
    "broken",
    [{}, 3, None, "Zoe", {"name": "<script>"}, {"name": "Zoe", "who": "x"}, {"name": "Zoe", "who": "x" * 10_000}],
)
def test_a_broken_viewer_is_left_out_with_a_sentence(panel: ViewersPanel, broken: Any) -> None:
    *_, (sound,) = panel.added(filled(panel), REQUEST)
    who, _, _, _, told = panel.came_back([broken, sound], OTHER)
    assert who["choices"][-1] == "Zoe" and told.count("left out") == 1 and "Viewer 1" in told and "<" not in told


def test_what_is_no_list_is_left_out_whole(panel: ViewersPanel) -> None:
    *_, told = panel.came_back({"name": "Zoe"}, REQUEST)
    assert "damaged" in told
    *_, (sound,) = panel.added(filled(panel), REQUEST)
    many = [{**sound, "name": f"Zoe {i}"} for i in range(100)]
    who, *_, told = panel.came_back(many, OTHER)
    assert len(who["choices"]) == MAX_VIEWERS and "left out" in told


def test_ones_own_viewer_can_be_removed(panel: ViewersPanel) -> None:
    panel.added(filled(panel, ("Ada", *NEW[1:])), REQUEST)
    state = panel.of(panel.visits.of(REQUEST))
    assert [v.who for v in state.viewers if v.name == "Ada"] == ["a ferryman"], "it takes the bundled one's place"
    who, _, row, file, told, kept = panel.removed("Ada", REQUEST)
    assert kept == [] and not row["visible"] and file["value"] is None and "has left" in told
    assert [v.who for v in state.viewers if v.name == "Ada"] != ["a ferryman"] and len(who["choices"]) == 8
    with pytest.raises(gr.Error, match="of your own"):
        panel.removed("Ada", REQUEST)


def test_ones_own_viewer_is_a_file_for_the_folder_of_viewers(panel: ViewersPanel) -> None:
    panel.added(filled(panel), REQUEST)
    file = Path(panel.exported("Zoe", REQUEST)["value"])
    assert load_viewers(file.parent)[-1] == panel.of(panel.visits.of(REQUEST)).own[0]


@pytest.mark.parametrize(
    ("at", "value", "sentence"),
    [
        (0, "", "name"),
        (0, "<b>", "name"),
        (1, None, "who this is"),
        (2, " ", "temperament"),
        (5, "fog", "Begin each memory"),
        (5, "boredom: fog", "Begin each memory"),
        (5, "fear: ", "memories"),
        (6, "x" * 200, "likes"),
    ],
)
def test_a_form_filled_in_wrongly_is_told(panel: ViewersPanel, at: int, value: Any, sentence: str) -> None:
    fields = [*NEW]
    fields[at] = value
    with pytest.raises(gr.Error, match=sentence):
        panel.added(filled(panel, fields), REQUEST)


def test_words_of_viewers_are_escaped(panel: ViewersPanel, ask: Ask) -> None:
    bad = "<img src=x onerror=alert(1)>"
    panel.added(filled(panel, ("Zoe", bad, bad, 0, 0, f"fear: {bad} fog", bad, bad)), REQUEST)
    assert "<img" not in ask(f"a cat {bad}")[-1][0]


def test_the_page_has_the_panel(tmp_path: Path) -> None:
    page, _ = studio.build(
        lambda: (FakeGenerator(), FakeJudge()), studio.StudioOptions(example=tmp_path, files=tmp_path)
    )
    labels = [block.label for block in page.blocks.values() if isinstance(block, gr.Checkbox)]
    assert "Let viewers rewrite the prompt" in labels
