"""The studio through its API, and the parts of the page that need no browser."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from fakes_ui import FakeGenerator, FakeJudge
from gradio_client import Client
from gradio_client.exceptions import AppError

from emofeedback import build
from emofeedback.affect import PRESETS, Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.files.run_json import candidate_name, run_from_json, run_json
from emofeedback.files.storage import png_bytes, write_json, write_whole
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.prompt_edits import Choice, untouched
from emofeedback.loop.rounds import TOLERANCE, Past, Rules
from emofeedback.loop.run import Drawn, Finished, RoundStarted, RunOrder, run_loop
from emofeedback.records import Critique, Edit, Reading, Run, StopReason
from emofeedback.scenes.reach import outline as outline_of
from emofeedback.scenes.reach import reach_of
from emofeedback.settings import Settings, checkpoint_folder
from emofeedback.sweep.run_sweep import SweepOrder, SweepProgress, plan, run_sweep
from emofeedback.ui import app as studio
from emofeedback.ui.create.browse import record_of
from emofeedback.ui.create.create_order import seed_of
from emofeedback.ui.create.create_state import CreateState, ShownRun, SinglePicture, Work
from emofeedback.ui.create.drawable import drawable_words
from emofeedback.ui.create.example import load_example
from emofeedback.ui.create.run_view import ended, page_values
from emofeedback.ui.history.history_owner import COOKIE
from emofeedback.ui.models_turn import models_turn
from emofeedback.ui.parts import cards, html, numbers
from emofeedback.ui.parts.cards import RoundThumbnails
from emofeedback.ui.parts.circumplex import SIZE, mood_colour, place, plane
from emofeedback.ui.parts.reach import region
from emofeedback.ui.session import Models, Visits

MOOD = {"valence": 0.6, "arousal": -0.4, "strength": 1, "seed": 5}


def test_leaving_the_page_stops_the_work_and_drops_the_files(tmp_path: Path) -> None:
    visits, slow = Visits(tmp_path), FakeGenerator(seconds_per_step=0.02)
    models = Models(lambda: (slow, FakeJudge()))
    models.start()
    request = SimpleNamespace(session_hash="one")
    visit = visits.arrive(request)
    assert visits.of(request) is visit is not visits.of(SimpleNamespace(session_hash="two"))
    with pytest.raises(Cancelled), models_turn(models, visit, "sweep") as turn:
        turn.begin()
        for item in turn.over(run_sweep(*models.get(), SweepOrder("a boat", plan(3)), cancel=turn.cancel)):
            assert visit.running and isinstance(item, SweepProgress)
            visits.leave(request)
    assert slow.steps_done <= 3
    assert not visit.running and not visit.folder.exists()
    assert not models.lock.locked()


def test_a_program_at_work_does_not_leave(tmp_path: Path) -> None:
    """On a busy machine its sign of life came late: its files went, and /fine_tune had no archive to answer with."""
    visits, request = Visits(tmp_path), SimpleNamespace(session_hash="one")
    visit = visits.of(request)
    archive, stop = visit.files() / "adapter.zip", visit.begins("fine-tuning")
    archive.write_bytes(b"0")
    visits.leave(request)
    assert archive.exists() and not stop.is_set() and visits.of(request) is visit
    visit.ends(stop)
    visits.leave(request)
    assert not archive.exists() and visit.gone


def test_the_page_says_why_there_are_no_models(tmp_path: Path) -> None:
    settings = Settings(generator=str(tmp_path / "nowhere"))
    page, address = studio.launch(
        lambda: build.load(settings), studio.StudioOptions(example=tmp_path, files=tmp_path), block=False
    )
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
    run = _finished_run(bad)
    parts = [
        html.diff(bad, bad + " more"),
        html.words(critique),
        html.left_out(bad),
        cards.edit_rows(critique.edits, untouched(critique.edits), bad),
        cards.strip(run.rounds, [RoundThumbnails.of(done) for done in run.rounds], 1, [bad, bad]),
        html.unknown_words(bad, ("onerror",)),
        html.progress(bad),
        html.notice(bad),
        html.reading(reading),
    ]
    assert all("<img src=x" not in part for part in parts)


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


def _finished_run(prompt: str = "a boat") -> Run:
    events = run_loop(FakeGenerator(), FakeJudge(), RunOrder(prompt, Affect(0.7, 0.1), Drawing(2), Rules(2)))
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
    assert [r.advised_on for r in example.rounds] == [r.advised_on for r in run.rounds] and run.rounds[0].advised_on
    page, _ = studio.build(
        lambda: (FakeGenerator(), FakeJudge()), studio.StudioOptions(example=tmp_path, files=tmp_path)
    )
    assert "Round 2" in json.dumps(page.get_config_file()["components"], default=str)


def test_a_broken_example_is_no_example(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"target": {"valence": 3}}')
    assert load_example(tmp_path) is None


BUNDLED = [checkpoint_folder(Settings(), name) for name in ("scene-generator", "scene-judge")]


@pytest.mark.skipif(not all(folder.is_dir() for folder in BUNDLED), reason="the bundled checkpoints are not here")
def test_the_bundled_pair_does_the_main_job(tmp_path: Path) -> None:
    page, address = studio.launch(
        lambda: build.load(Settings(threads=1)),
        studio.StudioOptions(example=tmp_path / "none", files=tmp_path),
        block=False,
    )
    try:
        client = Client(address, verbose=False)
        words, run = "a lighthouse by the sea", {}
        for name, mood in (("calm", (0.7, -0.5)), ("wild", (-0.6, 0.6))):
            _, run[name] = client.predict(words, *mood, 1, 0, 2, 2, "same_seed", api_name="/feedback_run")
        best = {name: r["best"]["reading"] for name, r in run.items()}
        assert best["calm"]["valence"] > best["wild"]["valence"]
        assert best["calm"]["arousal"] < best["wild"]["arousal"]
        for name in run:  # advice is asked for unless the first picture is there already
            first = run[name]["rounds"][0]
            near = min(c["distance"] for c in first["candidates"]) <= TOLERANCE
            assert near or first["critique"]["analysis"]
    finally:
        page.close()


def _state(tmp_path: Path) -> CreateState:
    state = CreateState()
    shown = state.begin("a boat", Affect(0.7, 0.1), tmp_path)
    before: tuple[Edit, ...] = ()
    for done in _finished_run().rounds:
        shown.add(done, before)
        before = done.critique.edits if done.critique else ()
    state.shown = shown.best_number()
    return state


def test_a_branch_keeps_the_run_it_comes_from(tmp_path: Path) -> None:
    state = _state(tmp_path)
    first, rounds = state.run, state.run.past.rounds if state.run else ()
    branch = state.branch(1, tmp_path)
    assert branch is not None and first is not None
    assert branch.past.rounds == rounds[:1] and first.past.rounds == rounds and len(rounds) == 2
    assert [run.title for run in state.runs] == ["Run 1", "Run 2 · from round 1 of run 1"]
    assert state.branch(9, tmp_path) is None and len(state.runs) == 2
    turn = state.turn(state.next_prompt(), branch.past, share_out=True)
    assert turn.base is rounds[0] and turn.prompt == rounds[1].prompt and turn.seeds[0] == 0


def test_what_is_done_to_an_edit_makes_the_next_prompt_and_stays_with_its_round(tmp_path: Path) -> None:
    state = _state(tmp_path)
    state.picked = 1
    assert state.next_prompt() == state.runs[0].past.rounds[1].prompt
    state.choose([Choice(True, "with lanterns")])
    assert state.next_prompt() == "a boat, with lanterns"
    assert state.accepted() == (Edit("add", new="with lanterns"),)
    state.choose([Choice(False)])
    assert state.next_prompt() == "a boat"
    turn = state.turn("a boat", Past(), share_out=True)  # the same words once more: their pictures need other seeds
    assert dict(turn.trials) == {"a boat": ()}
    state.picked = None
    state.picked = 1
    assert state.choices() == (Choice(False),)
    with pytest.raises(ValueError):
        state.choose([])


def test_the_verdict_is_in_plain_words() -> None:
    def said(reads: Affect, asked: Affect | None) -> str:
        return re.sub("<[^>]+>", "", html.verdict(Reading(reads, 0.1, 0.1, 1, (), "j"), asked))

    gloomy = Affect(-0.65, -0.6)
    assert said(gloomy, None) == "It reads as gloomy."
    assert said(Affect(-0.6, -0.55), gloomy) == "You asked for gloomy; it reads as gloomy: on target."
    assert said(Affect(0.65, -0.65), gloomy) == "You asked for gloomy; it reads as serene: much too pleasant."
    assert said(Affect(0.0, 0.8), gloomy) == (
        "You asked for gloomy; it reads as alert: much too excited and too pleasant."
    )
    assert said(Affect(-0.9, -0.5), gloomy) == (
        "You asked for gloomy; it reads as gloomy, but a little too unpleasant and a little too excited."
    )
    assert said(Affect(-0.65, -0.8), gloomy) == "You asked for gloomy; it reads as gloomy, but a little too calm."
    for step in range(360):  # all around, just outside the tolerance: there is always a word for it
        turn = math.radians(step)
        assert "too" in said(Affect(0.121 * math.cos(turn), 0.121 * math.sin(turn)), Affect(0, 0))


def test_a_number_box_says_which_one_is_wrong_and_takes_a_decimal_comma() -> None:
    assert numbers.number("0,25", "Pleasant", -1, 1) == 0.25 and numbers.number("−1", "Pleasant", -1, 1) == -1
    assert numbers.whole(3.0, "Rounds", 1, 6) == 3
    for value, said in ((None, "the box is empty"), ("", "empty"), ("much", "'much'"), (5, "'5'"), (math.nan, "'nan'")):
        with pytest.raises(UserError, match=f"Pleasant must be a number from -1 to 1, .*{said}"):
            numbers.number(value, "Pleasant", -1, 1)
    with pytest.raises(UserError, match="Rounds must be a whole number from 1 to 6"):
        numbers.whole(2.5, "Rounds", 1, 6)


def test_a_chosen_candidate_is_the_rounds_picture_and_the_judges_choice_stays_on_record(tmp_path: Path) -> None:
    state = _state(tmp_path)
    run = state.run
    assert run is not None
    before, last = run.past.rounds[-1], len(run.past.rounds)
    own = next(i for i, item in enumerate(before.candidates) if item.chosen)
    chosen = run.use(last, 1 - own)
    assert chosen is not None and chosen.best() is run.past.rounds[-1].candidates[1 - own]
    assert chosen.prompt == chosen.best().picture.request.prompt and chosen.critique is None
    assert state.next_prompt() == chosen.prompt  # the next round goes on from it
    assert state.turn(chosen.prompt, run.past, share_out=True).seeds[0] == chosen.best().picture.request.seed
    kept = run_from_json(run_json(record_of(run)), lambda image: chosen.best().picture.image)
    assert kept.rounds[-1].judge_choice == own and kept.rounds[-1].candidates[1 - own].chosen
    assert run.use(last, 1 - own) is None
    assert run.use(last, own) is before and run.past.rounds[-1] is before  # the round as the judge left it
    with pytest.raises(ValueError):
        run.use(last, 9)


def test_a_run_that_came_to_no_round_leaves_everything_as_it_was(tmp_path: Path) -> None:
    state = _state(tmp_path)
    shown = page_values(state)
    pictures = state.runs[0].past.rounds[0].candidates
    with state.working(Work(ShownRun("Run 2", "a tower", Affect(0, 0), tmp_path), 3)):
        state.take(RoundStarted(1, "a tower"))
        assert state.busy and state.stage == "round"
        state.take(Drawn(tuple(replace(item, chosen=False, reading=None, distance=None) for item in pictures)))
        during = page_values(state)
        assert state.stage == "work" and "judge reads" in during["words"] and during["edits"] == ""
    assert not state.busy and len(state.runs) == 1
    assert page_values(state) == shown


def test_a_preview_has_nothing_of_a_run_beside_it(tmp_path: Path) -> None:
    state = _state(tmp_path)
    item = state.runs[0].past.rounds[0].candidates[0]
    state.show_single(SinglePicture("Preview", item.picture, item.reading, Affect(-0.5, 0), tmp_path))
    shown = page_values(state)
    assert (shown["gallery"], shown["edits"], shown["next_prompt"], shown["difference"]) == ("", "", "", "")
    assert "card shown" not in shown["strip"] and "Preview" in shown["about"]
    name = Path(shown["picture"]).name
    assert name.startswith("a-boat-") and name.endswith(f"-seed-{item.picture.request.seed}.png")
    assert state.show_round(1) and "card shown" in page_values(state)["strip"]


def test_every_end_of_a_run_is_a_whole_sentence() -> None:
    """A run that was stopped by leaving the page said "Done in 0.0 s: stopped by you"."""
    *_, event = run_loop(FakeGenerator(), FakeJudge(), RunOrder("a boat", Affect(0.9, 0.9), Drawing(1), Rules(2, 0.0)))
    assert isinstance(event, Finished)
    said = {}
    for reason in get_args(StopReason):
        made = replace(event.run, stopped=reason, failure="The server went." if reason == "failed" else None)
        shown = ShownRun("Run 1", "a boat", made.target, Path())
        said[reason] = ended(Finished(made), Work(shown, 2))
    assert all(sentence.endswith(".") and ": ." not in sentence for sentence in said.values())
    assert said.pop("cancelled") == "Stopped. Finished rounds are kept."
    assert said.pop("failed") == "Ended after round 2: The server went."
    assert all(sentence.startswith("Done in") for sentence in said.values()) and len(set(said.values())) == len(said)
    none = replace(event.run, rounds=(), stopped="cancelled")
    assert ended(Finished(none), Work(ShownRun("Run 1", "", none.target, Path()), 2)).startswith("Stopped before")


def test_a_browser_tab_has_its_visit_again_after_a_reload(tmp_path: Path) -> None:
    def request(session: str, owner: str = "a") -> Any:
        return SimpleNamespace(session_hash=session, cookies={COOKIE: owner * 32}, username=None)

    visits, tab = Visits(tmp_path), "0" * 32
    first = visits.arrive(request("one"), tab)
    work = first.begins("create")
    first.files()
    visits.leave(request("one"))  # the old page says good-bye, before or after the new one arrives
    assert first.folder.exists() and not work.is_set()
    assert visits.arrive(request("two"), tab) is first and visits.of(request("two")) is first
    assert visits.arrive(request("three"), tab) is first
    visits.leave(request("two"))
    assert visits.of(request("three")) is first and first.folder.exists()
    assert visits.arrive(request("four", owner="b"), tab) is not first  # a name alone opens nothing
    assert visits.arrive(request("five"), "../../etc") is not first
    plain = visits.arrive(request("six"))
    visits.leave(request("six"))
    assert plain.gone and not plain.folder.exists()


def test_what_words_can_carry_is_an_outline_around_where_their_scene_stands() -> None:
    outline = reach_of("a lighthouse by the sea")
    assert len(outline) > 20 and reach_of("zzz") == () and reach_of("a dog at night") != outline
    valences, arousals = [at.valence for at in outline], [at.arousal for at in outline]
    assert max(valences) > 0.5 and min(valences) < -0.5 and max(arousals) - min(arousals) > 0.8
    found = [round(100 * x) for at in outline for x in (at.valence, at.arousal)]
    anew = outline_of("seaside", "lighthouse")  # where the scale has moved since: python -m emofeedback.scenes.reach
    assert len(anew) == len(found) and max(abs(a - b) for a, b in zip(anew, found, strict=True)) <= 12
    assert "<polygon" in region("a lighthouse by the sea") and region("zzz") == ""


def test_a_seed_of_minus_one_is_another_each_time() -> None:
    assert seed_of(7) == 7 and len({seed_of(value) for value in (-1, None, "", -1)}) == 4
    for wrong in (-2, 2**53 + 1, "x", 1.5):
        with pytest.raises(UserError, match="Seed must be"):
            seed_of(wrong)


def test_the_words_that_a_generator_draws_are_listed_as_far_as_it_knows_them() -> None:
    knows = SimpleNamespace(unknown_words=lambda words: () if words in ("a dog", "in fog") else (words,))
    shown = drawable_words(knows)
    assert re.findall('data-use="([^"]+)"', shown) == ["a dog", "in fog"]
    assert "any words" in drawable_words(SimpleNamespace(unknown_words=lambda words: ()))


def test_no_rule_of_style_is_one_that_gradio_drops() -> None:
    """Its page keeps @media of a stylesheet and loses @container, @supports and others without a word."""
    sheets = [path.read_text(encoding="utf-8") for path in Path(studio.__file__).parent.rglob("*.css")]
    assert sheets and {rule for sheet in sheets for rule in re.findall(r"@[a-z-]+", sheet)} <= {"@media"}
