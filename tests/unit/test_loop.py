"""The loop: what a round does, when a run stops, and that it can be stopped."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from fakes import ColourJudge, PaintGenerator
from patience import PATIENCE
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.loop.candidates import choose
from emofeedback.loop.rounds import Past, Rules, Turn, next_turn, prompt_after, stop_reason
from emofeedback.loop.run import (
    Advised,
    Chosen,
    Drawing,
    Drawn,
    Event,
    Finished,
    Progress,
    ReadDone,
    RoundDone,
    RoundStarted,
    RunOrder,
    draw_round,
    run_loop,
)
from emofeedback.machine.kept_threads import on_kept_thread
from emofeedback.protocols import OnStep
from emofeedback.records import Attempt, Candidate, Cost, Critique, Edit, Picture, PictureRequest, Reading, Round, Run

TARGET = Affect(0.8, 0.0)


def run_of(events: list[Event]) -> Run:
    assert isinstance(events[-1], Finished)
    return events[-1].run


def ordered(prompt: str = "a dog", target: Affect = TARGET, **settings) -> RunOrder:
    """An order whose settings are named as on the command line."""
    rules = {
        name: settings.pop(name) for name in ("rounds", "tolerance", "patience", "continuation") if name in settings
    }
    return RunOrder(prompt, target, Drawing(**{"candidates": 4, **settings}), Rules(**rules))


def loop(generator, judge, prompt: str = "a dog", target: Affect = TARGET, **settings) -> Iterator[Event]:
    """run_loop with an order made on the spot."""
    given = {name: settings.pop(name) for name in ("past", "first", "cancel", "clock") if name in settings}
    return run_loop(generator, judge, ordered(prompt, target, **settings), **given)


def candidate(distance: float | None, kept: bool | None = True) -> Candidate:
    picture = Picture(Image.new("RGB", (2, 2)), PictureRequest("", None, 0), "m", 0.0)
    reading = None if distance is None else Reading(Affect(0, 0), 0, 0, 1, (), "j")
    return Candidate(picture, reading, distance, kept)


def test_a_round_shows_each_step_as_it_happens() -> None:
    events = list(loop(PaintGenerator(), ColourJudge(), "a dog", TARGET, rounds=1, candidates=3))
    kinds = [type(e) for e in events]
    assert kinds == [RoundStarted, *[Progress] * 4, Drawn, ReadDone, Chosen, Advised, RoundDone, Finished]
    assert [(e.step, e.steps) for e in events if isinstance(e, Progress)] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_feedback_moves_the_words_and_the_picture_to_the_target() -> None:
    judge = ColourJudge()
    run = run_of(list(loop(PaintGenerator(), judge, "a dog", TARGET, rounds=5, candidates=2)))
    assert [r.prompt for r in run.rounds] == ["a dog", "a dog, brighter", "a dog, brighter brighter"]
    assert run.stopped == "tolerance"
    distances = [r.best().distance for r in run.rounds]
    assert distances == sorted(distances, reverse=True)
    assert run.best() is run.rounds[-1].best()


def test_seeds_stay_the_same_over_rounds_and_differ_within_one() -> None:
    generator = PaintGenerator()
    list(loop(generator, ColourJudge(), "a dog", TARGET, rounds=2, candidates=3, seed=7))
    assert [[r.seed for r in call] for call in generator.calls] == [[7, 8, 9], [7, 8, 9]]
    assert all(r.start is None for call in generator.calls for r in call)


def test_image_continuation_starts_from_the_last_chosen_picture() -> None:
    generator = PaintGenerator()
    run = run_of(
        list(loop(generator, ColourJudge(), "a dog", TARGET, rounds=2, continuation="image", start_strength=0.4))
    )
    assert all(r.start is None for r in generator.calls[0])
    assert all(r.start is run.rounds[0].best().picture.image and r.start_strength == 0.4 for r in generator.calls[1])


def test_the_judge_sees_the_history_with_the_edits_that_led_on() -> None:
    judge = ColourJudge()
    list(loop(PaintGenerator(), judge, "a dog", TARGET, rounds=3, tolerance=0.0))
    assert [len(h) for h in judge.histories] == [1, 2, 3]
    assert [a.prompt for a in judge.histories[2]] == ["a dog", "a dog, brighter", "a dog, brighter brighter"]
    assert [[e.new for e in a.edits] for a in judge.histories[2]] == [[], ["brighter"], ["brighter brighter"]]


def test_content_goes_before_distance() -> None:
    assert choose([candidate(0.1, kept=False), candidate(0.5), candidate(0.3, kept=None)]) == 2
    assert choose([candidate(0.4, kept=False), candidate(0.1, kept=False)]) == 1
    assert choose([candidate(None), candidate(0.9, kept=False)]) == 1
    assert choose([candidate(None), candidate(None)]) == 0


@pytest.mark.parametrize(
    ("advice", "reason", "rounds"),
    [
        (lambda attempts: None, "advice_unreadable", 2),
        (lambda attempts: Critique("", (), (Edit("add", new=f"x{len(attempts)}"),)), "no_gain", 2),
    ],
)
def test_a_run_stops_when_going_on_would_not_help(advice, reason: str, rounds: int) -> None:
    run = run_of(list(loop(PaintGenerator(), ColourJudge(advise=advice), "a dog", TARGET, rounds=6, patience=1)))
    assert (run.stopped, len(run.rounds)) == (reason, rounds)


@pytest.mark.parametrize("edits", [(), (Edit("remove", old="absent"),)])
def test_advice_that_changes_no_word_is_followed_by_other_seeds(edits: tuple[Edit, ...]) -> None:
    """A run of three rounds ended after one where the judge would change no word, far from the target."""
    generator, judge = PaintGenerator(), ColourJudge(advise=lambda attempts: Critique("", (), edits))
    run = run_of(list(loop(generator, judge, rounds=3, candidates=2, seed=4)))
    assert (run.stopped, len(run.rounds)) == ("rounds", 3)
    assert [[r.seed for r in call] for call in generator.calls] == [[4, 5], [6, 7], [8, 9]]


def test_words_are_compared_on_equal_seeds() -> None:
    """Candidate i took trial i and seed + i, so that a choice among words was a choice among seeds."""
    generator = PaintGenerator()
    two = Critique("", (), (Edit("add", new="at night"), Edit("add", new="in fog")))
    list(loop(generator, ColourJudge(advise=lambda attempts: two), rounds=2, candidates=6, seed=7))
    second = [(r.prompt, r.seed) for r in generator.calls[1]]
    trials = ["a dog, at night, in fog", "a dog, at night", "a dog, in fog"]
    first, other = dict.fromkeys(seed for _, seed in second)
    assert second == [(words, seed) for seed in (first, other) for words in trials]
    assert first in range(7, 13)  # the seed of the chosen picture goes first


def test_content_is_what_the_users_own_words_name() -> None:
    """An edit that dropped the dog made the dog's absence count as content kept."""

    class Asked(ColourJudge):
        words: list[str]

        def content_kept(self, prompt: str, reading: Reading) -> bool | None:
            self.words.append(prompt)
            return True

    judge = Asked()
    judge.words = []
    list(loop(PaintGenerator(), judge, "a dog", rounds=2, candidates=2, tolerance=0.0))
    assert set(judge.words) == {"a dog"}


def test_a_failure_after_a_finished_round_is_told_in_the_run() -> None:
    """A judge's server that failed in round 2 left callers of the API without round 1."""

    class Failing(ColourJudge):
        def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
            if len(attempts) > 1:
                raise UserError("The server is gone.")
            return super().advise(attempts, target)

    run = run_of(list(loop(PaintGenerator(), Failing(), rounds=3, candidates=2, tolerance=0.0)))
    assert (run.stopped, run.failure, len(run.rounds)) == ("failed", "The server is gone.", 1)


def test_rounds_run_out() -> None:
    run = run_of(list(loop(PaintGenerator(), ColourJudge(), "a dog", TARGET, rounds=2, tolerance=0.0)))
    assert (run.stopped, len(run.rounds)) == ("rounds", 2)


class AskedJudge(ColourJudge):
    """Of open vocabulary: its reading never tells content, so that it is asked."""

    def __init__(self, answers: dict[int, float | None]) -> None:
        super().__init__()
        self.answers, self.asked = answers, list[tuple[int, str]]()

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        return None

    def shows(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[float | None]:
        self.asked += [(p.request.seed, words) for p, words in zip(pictures, prompts, strict=True)]
        return [self.answers[p.request.seed] for p in pictures]


@pytest.mark.parametrize(
    ("answers", "asked", "chosen"),
    [
        ({0: 0.9}, [0], 0),  # seeds add arousal, so that the first is the closest
        ({0: 0.2, 1: 0.4, 2: 0.6}, [0, 1, 2], 2),
        ({0: 0.1, 1: 0.1, 2: 0.1}, [0, 1, 2], 0),  # none shows its words: the closest of all
        ({0: 0.1, 1: None}, [0, 1], 1),  # no answer is held against nobody
    ],
)
def test_a_judge_of_open_vocabulary_is_asked_for_the_words_from_the_closest_on(answers, asked, chosen: int) -> None:
    judge = AskedJudge(answers)
    events = draw_round(PaintGenerator(), judge, ordered(candidates=3), Turn("a dog, brighter"))
    [at] = [event.index for event in events if isinstance(event, Chosen)]
    assert at == chosen and judge.asked == [(seed, "a dog") for seed in asked]


def test_a_run_asks_for_what_its_own_prompt_names_and_a_mood_without_words_for_nothing() -> None:
    judge = AskedJudge({seed: 0.9 for seed in range(8)})
    list(loop(PaintGenerator(), judge, "a dog", TARGET, rounds=2, candidates=2))
    assert {words for _, words in judge.asked} == {"a dog"}
    judge.asked.clear()
    list(loop(PaintGenerator(), judge, "", TARGET, rounds=1, candidates=2))
    assert not judge.asked


def test_reaching_the_target_without_the_content_does_not_count() -> None:
    run = run_of(list(loop(PaintGenerator(1.0), ColourJudge(), "lost", TARGET, rounds=1, candidates=1)))
    assert run.rounds[0].best().distance == pytest.approx(0.0, abs=0.02)
    assert run.stopped == "rounds"


def test_unreadable_is_no_neutral_reading() -> None:
    run = run_of(list(loop(PaintGenerator(), ColourJudge(blind=True), "a dog", Affect(0, 0), rounds=3)))
    assert run.stopped == "unreadable"
    assert run.rounds[0].best().reading is None and run.rounds[0].best().distance is None
    assert run.rounds[0].critique is None and run.rounds[0].cost.critiques == 0


def test_cancel_takes_effect_within_one_step_and_keeps_finished_rounds() -> None:
    generator, cancel = PaintGenerator(step_seconds=0.02), threading.Event()
    events = []
    for event in loop(generator, ColourJudge(), "a dog", TARGET, rounds=9, tolerance=0.0, steps=50, cancel=cancel):
        events.append(event)
        if isinstance(event, Progress) and len(generator.calls) == 2 and not cancel.is_set():
            done = generator.steps_done
            cancel.set()
    run = run_of(events)
    assert run.stopped == "cancelled" and len(run.rounds) == 1
    assert generator.steps_done - done <= 2  # the one under way, and one that began before the flag was seen


def test_a_round_that_was_read_before_the_cancel_counts() -> None:
    cancel, judge = threading.Event(), ColourJudge()
    events = []
    for event in loop(PaintGenerator(), judge, "a dog", TARGET, rounds=9, cancel=cancel):
        events.append(event)
        if isinstance(event, Chosen):
            cancel.set()
    run = run_of(events)
    assert run.stopped == "cancelled" and len(run.rounds) == 1
    assert judge.histories == []


def test_closing_the_events_stops_the_worker() -> None:
    generator = PaintGenerator(step_seconds=0.02)
    assert on_kept_thread(lambda: None).wait(PATIENCE)  # there is one
    before = threading.active_count()
    events = loop(generator, ColourJudge(), "a dog", TARGET, steps=500)
    while not isinstance(next(events), Progress):
        pass
    events.close()
    assert generator.steps_done < 500
    assert on_kept_thread(lambda: None).wait(PATIENCE), "the one that drew is free again: no other was needed"
    assert threading.active_count() == before


def test_what_the_generator_raises_reaches_the_caller() -> None:
    with pytest.raises(UserError, match="out of paint"):
        list(loop(PaintGenerator(fail=UserError("out of paint")), ColourJudge(), "a dog", TARGET))


def test_one_round_at_a_time_with_edits_of_ones_own() -> None:
    generator, judge = PaintGenerator(), ColourJudge()
    *_, last = draw_round(generator, judge, ordered(candidates=2, tolerance=0.0), Turn("a dog"))
    assert isinstance(last, RoundDone)
    mine = (Edit("add", new="brighter brighter brighter"),)
    prompt = prompt_after("a dog", Critique("", (), mine))
    assert prompt == "a dog, brighter brighter brighter"
    past = Past().then(last.round)
    *_, second = draw_round(
        generator, judge, ordered(candidates=2, tolerance=0.0), Turn(prompt, {prompt: mine}), past=past
    )
    assert isinstance(second, RoundDone) and second.round.number == 2
    assert judge.histories[-1][-1].edits == mine
    assert second.round.best().distance < last.round.best().distance


def test_costs_are_recorded() -> None:
    ticks = iter(range(100))
    run = run_of(
        list(loop(PaintGenerator(), ColourJudge(), "x", TARGET, rounds=1, candidates=3, clock=lambda: next(ticks)))
    )
    cost = run.rounds[0].cost
    assert (cost.seconds, cost.draw_seconds, cost.read_seconds, cost.advise_seconds) == (3, 1, 1, 1)
    assert (cost.pictures, cost.readings, cost.critiques) == (3, 3, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"rounds": 0},
        {"rounds": -1},
        {"rounds": 1.5},
        {"candidates": 0},
        {"candidates": True},
        {"seed": -1},
        {"strength": float("nan")},
        {"strength": -0.1},
        {"steps": 0},
        {"guidance": float("inf")},
        {"tolerance": -1.0},
        {"start_strength": 0.0},
        {"continuation": "other"},
    ],
)
def test_settings_out_of_range_are_named(wrong: dict) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        loop(PaintGenerator(), ColourJudge(), "a dog", TARGET, **wrong)


def test_patience_lets_a_run_go_on_past_a_round_without_gain() -> None:
    def done(number: int, distance: float) -> Round:
        chosen = replace(candidate(distance), chosen=True)
        return Round(number, "a boat", (chosen,), None, "a boat, at night", Cost())

    falling, rising = [done(1, 0.8), done(2, 0.5)], [done(1, 0.5), done(2, 0.8)]
    assert stop_reason(falling, Rules(6, 0.1, 1)) is None
    assert stop_reason(rising, Rules(6, 0.1, 1)) == "no_gain"
    assert stop_reason(rising, Rules(6, 0.1, 2)) is None
    assert stop_reason([*rising, done(3, 0.6)], Rules(6, 0.1, 2)) == "no_gain"
    assert stop_reason([*rising, done(3, 0.4)], Rules(6, 0.1, 2)) is None


def wrong_once(attempts: Sequence[Attempt]) -> Critique | None:
    """Leads away in the first round, then to the target."""
    word = "sideways" if len(attempts) == 1 else "brighter brighter"
    return Critique("", (), (Edit("add", new=word),))


class Wayward(PaintGenerator):
    """As PaintGenerator, but "sideways" turns the picture round."""

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        self.obedience = -0.5 if "sideways" in requests[0].prompt else 0.5
        return super().generate(requests, on_step)


def test_after_a_round_without_gain_the_best_round_is_what_the_next_goes_on_from() -> None:
    judge, generator = ColourJudge(advise=wrong_once), Wayward()
    run = run_of(list(loop(generator, judge, "a dog", TARGET, rounds=3, patience=2, candidates=2)))
    assert [r.prompt for r in run.rounds] == ["a dog", "a dog, sideways", "a dog, brighter brighter"]
    lost = run.rounds[1]
    assert lost.advised_on == 1 and lost.next_prompt == "a dog, brighter brighter"
    assert [a.prompt for a in judge.histories[1]] == ["a dog, sideways", "a dog"]  # advised on the best, shown last
    assert run.stopped == "tolerance" and run.best() is run.rounds[2].best()


def test_unreadable_advice_is_missing_and_the_run_goes_on_with_new_seeds() -> None:
    def deaf_once(attempts: Sequence[Attempt]) -> Critique | None:
        return None if len(attempts) == 1 else Critique("", (), (Edit("add", new="brighter brighter"),))

    generator = PaintGenerator()
    judge = ColourJudge(advise=deaf_once)
    run = run_of(list(loop(generator, judge, "a dog", TARGET, rounds=3, patience=3, candidates=2, seed=5)))
    first = run.rounds[0]
    assert first.critique is None and first.cost.critiques == 1 and first.next_prompt is None
    assert [[(r.prompt, r.seed) for r in call] for call in generator.calls[:2]] == [
        [("a dog", 5), ("a dog", 6)],
        [("a dog", 7), ("a dog", 8)],
    ]
    assert run.stopped == "tolerance" and len(run.rounds) == 3
    assert {r.seed for r in generator.calls[2]} == {5, 6}  # the best round's own: only the words change


def test_no_advice_is_asked_on_a_picture_within_the_tolerance() -> None:
    judge = ColourJudge()
    run = run_of(list(loop(PaintGenerator(1.0), judge, "a dog", TARGET, rounds=3, candidates=1)))
    assert run.stopped == "tolerance" and judge.histories == []
    assert run.rounds[0].critique is None and run.rounds[0].cost.critiques == 0
    assert run.rounds[0].advised_on is None


def test_a_branch_goes_on_from_an_earlier_round_with_its_history() -> None:
    generator = PaintGenerator()
    full = run_of(list(loop(generator, ColourJudge(), "a dog", TARGET, rounds=3, tolerance=0.0)))
    past = Past().then(full.rounds[0]).then(full.rounds[1], (Edit("add", new="brighter"),))
    judge, mine = ColourJudge(), (Edit("add", new="brighter brighter brighter"),)
    turn = Turn("a dog, brighter brighter brighter", {"a dog, brighter brighter brighter": mine}, full.rounds[0], (3,))
    events = list(loop(generator, judge, "a dog", TARGET, rounds=2, tolerance=0.0, past=past.up_to(1), first=turn))
    run = run_of(events)
    assert [r.number for r in run.rounds] == [1, 2] and run.rounds[0] is full.rounds[0]
    assert run.rounds[1].prompt == turn.prompt and generator.calls[-1][0].seed == 3
    assert [a.edits for a in judge.histories[0]] == [(), mine]
    assert len(past.rounds) == 2  # the branch leaves the earlier run as it was


def test_a_new_target_is_what_earlier_rounds_are_measured_by() -> None:
    run = run_of(list(loop(PaintGenerator(), ColourJudge(), "a dog", TARGET, rounds=2, tolerance=0.0)))
    past = Past(run.rounds, ((), ()))
    assert past.best() is run.rounds[1]
    aimed = past.aimed_at(Affect(0.4, 0.0))
    assert aimed.best() is aimed.rounds[0]
    assert [r.best().picture for r in aimed.rounds] == [r.best().picture for r in run.rounds]
    assert next_turn(aimed).base is aimed.rounds[0]


class Forgetful(PaintGenerator):
    """Reads the first four words of a prompt."""

    def left_out(self, prompt: str) -> str:
        return " ".join(prompt.split()[4:])

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        drawn = super().generate([replace(r, prompt=" ".join(r.prompt.split()[:4])) for r in requests], on_step)
        for picture, request in zip(drawn, requests, strict=True):
            yield replace(picture, request=request)


def test_the_judges_words_reach_a_generator_that_cuts_the_prompt() -> None:
    run = run_of(list(loop(Forgetful(), ColourJudge(), "a very small dog on a hill", TARGET, rounds=2, tolerance=0.0)))
    assert run.rounds[0].next_prompt == "a very small, brighter, dog on a hill"
    assert run.rounds[1].best().distance < run.rounds[0].best().distance
