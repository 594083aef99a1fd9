"""Stop while a model elsewhere is waited for: at once, whatever its server does, and nothing waits on behind it."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_openai import HANG, FakeOpenAI, completion, serve
from fakes import PaintGenerator
from patience import PATIENCE
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.generators.hosted import HostedGenerator
from emofeedback.judges.calibration import CalibratedJudge, Calibration, fit
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.loop.drawing import Drawing, draw_pictures
from emofeedback.loop.rounds import Turn
from emofeedback.loop.run import Chosen, Drawn, RoundDone, RunOrder, draw_round
from emofeedback.loop.waiting import Waiting
from emofeedback.records import Picture, PictureRequest
from emofeedback.servers.chat import ChatServer
from emofeedback.servers.patience import Patience
from emofeedback.servers.stopping import each_of, stoppable, within
from emofeedback.sweep.run_sweep import SweepOrder, run_sweep

LONG = Patience(deadline=PATIENCE)  # a test that waits for it fails by what is raised in the end
ORDER = RunOrder("a boat", Affect(0.9, 0.9), Drawing(candidates=2))


def hung(payload: dict[str, Any]) -> Any:
    return HANG


def judge_at(fake: FakeOpenAI, patience: Patience = LONG) -> RemoteJudge:
    return RemoteJudge(ChatServer("org/vlm", fake.url, patience=patience), describe=False)


def no_request_waits() -> bool:
    """Whether the threads of abandoned requests end although the server still hangs."""
    threads = [thread for thread in threading.enumerate() if thread.name == "request"]
    for thread in threads:
        thread.join(PATIENCE)
    return not any(thread.is_alive() for thread in threads)


def set_when(signs: Iterator[Any], flag: threading.Event, after: type[object] = object) -> list[Any]:
    """All events, the flag set at the first sign of life after an event of a kind."""
    events: list[Any] = []
    for event in signs:
        if isinstance(event, Waiting) and (after is object or any(isinstance(known, after) for known in events)):
            flag.set()
        events.append(event)
    return events


def test_a_run_stops_while_its_judge_hangs() -> None:
    """Stop was heard after 95 s, with a hung server after 380."""
    cancel = threading.Event()
    with serve(FakeOpenAI(hung)) as fake:
        for judge in (judge_at(fake), CalibratedJudge(judge_at(fake), same(judge_at(fake)))):
            cancel.clear()
            with pytest.raises(Cancelled):
                set_when(draw_round(PaintGenerator(), judge, ORDER, Turn("a boat"), cancel=cancel), cancel)
        assert no_request_waits()


def same(judge: RemoteJudge) -> Calibration:
    line = fit([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], "affine")
    return Calibration("same", judge.identity, "affine", line, line, "")


def test_a_closed_run_lets_go_of_its_hung_judge() -> None:
    """A program that cancels its call closes the run, which waited on for the judge and kept everybody else."""
    with serve(FakeOpenAI(hung)) as fake:
        events = draw_round(PaintGenerator(), judge_at(fake), ORDER, Turn("a boat"))
        while not (isinstance(next(events), Waiting) and fake.payloads):
            pass
        events.close()
        assert no_request_waits()


def test_a_round_that_was_read_is_kept_when_its_advice_is_stopped() -> None:
    cancel = threading.Event()

    def answer(payload: dict[str, Any]) -> Any:
        asks = payload["messages"][0]["content"][1]["text"]
        return HANG if asks.startswith("A text-to-image") else completion(["5"], [{"5": 1.0}])

    with serve(FakeOpenAI(answer)) as fake:
        whole = draw_round(PaintGenerator(), judge_at(fake), ORDER, Turn("a boat"), cancel=cancel)
        events = set_when(whole, cancel, after=Chosen)  # a busy machine takes its time for the reading, too
    last = events[-1]
    assert isinstance(last, RoundDone) and last.round.critique is None and last.round.best().reading is not None


def test_a_sheet_stops_while_its_judge_hangs() -> None:
    cancel = threading.Event()
    order = SweepOrder("a boat", [[Affect(0, 0), Affect(0.5, 0.5)]], 0)
    with serve(FakeOpenAI(hung)) as fake, pytest.raises(Cancelled):
        for event in run_sweep(PaintGenerator(), judge_at(fake), order, cancel=cancel):
            if fake.payloads and event:
                cancel.set()


def test_a_hosted_drawing_stops_while_its_server_hangs() -> None:
    cancel = threading.Event()
    requests = [PictureRequest("a boat", None, seed) for seed in range(6)]
    with serve(FakeOpenAI(hung)) as fake:
        drawn = HostedGenerator(fake.url, patience=LONG)
        with pytest.raises(Cancelled):
            set_when(draw_pictures(drawn, requests, cancel), cancel)
        assert no_request_waits()


def test_a_judge_that_answers_no_question_is_not_asked_all_of_them() -> None:
    picture = Picture(Image.new("RGB", (8, 8)), PictureRequest("a boat", None, 0), "test", 0.0)
    with serve(FakeOpenAI(hung)) as fake:
        with pytest.raises(UserError, match="no answer within 0.3 s"):
            judge_at(fake, Patience(deadline=0.3)).read([picture] * 8)
        assert len(fake.payloads) == 1


def test_where_one_job_fails_the_others_stop() -> None:
    begun = threading.Barrier(2)

    def work(job: int) -> int:
        begun.wait(PATIENCE)
        if job == 0:
            raise UserError("wrong key")
        return within(PATIENCE, threading.Event().wait)  # type: ignore[return-value]

    with pytest.raises(UserError, match="wrong key"):
        each_of(work, [0, 1], 2)


def test_blocks_inside_of_each_other_count_together() -> None:
    def ends(outer: Callable[[], bool], inner: Callable[[], bool]) -> None:
        with stoppable(outer), stoppable(inner), pytest.raises(Cancelled):
            within(PATIENCE, threading.Event().wait)

    ends(lambda: True, lambda: False)
    ends(lambda: False, lambda: True)
    assert within(PATIENCE, lambda: 7) == 7


def test_a_judge_of_this_machine_is_called_as_it_is() -> None:
    from fakes import ColourJudge

    events = list(draw_round(PaintGenerator(), ColourJudge(), ORDER, Turn("a boat")))
    assert any(isinstance(event, Drawn) for event in events)
    assert not any(isinstance(event, Waiting) for event in events)
