"""Turns at the models: in the order of arrival, one visitor's works one by one, nobody's while a model is elsewhere."""

import threading

import pytest

from emofeedback.errors import UserError
from emofeedback.ui.turns import Place, Turns


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(turns: Turns, *tickets: object) -> list[bool]:
    """Whose turn has come; none waits."""
    return [turns.wait(ticket, 0.0) for ticket in tickets]  # type: ignore[arg-type]


def test_turns_come_in_the_order_of_arrival() -> None:
    turns = Turns()
    first, second, third = turns.enter("a"), turns.enter("b"), turns.enter("c")
    assert taken(turns, third, second, first) == [False, False, True]
    turns.leave(second)  # given up
    turns.leave(first)
    assert taken(turns, third) == [True] and turns.has(third) and not turns.has(first)


def test_who_waits_elsewhere_holds_nobody_up_and_comes_back_to_their_place() -> None:
    turns = Turns()
    away, others = turns.enter("a"), [turns.enter("b"), turns.enter("c")]
    assert taken(turns, away) == [True]
    turns.go_away(away)
    assert taken(turns, others[0]) == [True]
    turns.come_back(away)
    assert taken(turns, away) == [False]  # the turn of another is not broken off
    turns.leave(others[0])
    assert taken(turns, others[1], away) == [False, True]  # who came later waits
    turns.go_away(away)
    turns.come_back(away)
    turns.go_away(away)  # stopped in the line: it ends without a turn
    assert taken(turns, others[1]) == [True]


def test_a_full_line_lets_nobody_in() -> None:
    turns = Turns()
    assert taken(turns, turns.enter("a", most=1), turns.enter("b", most=1)) == [True, False]
    with pytest.raises(UserError, match="1 order waits here already"):
        turns.enter("c", most=1)


def test_works_of_one_visitor_go_one_by_one_also_while_one_is_away() -> None:
    turns = Turns()
    run, read, guest = turns.enter("a"), turns.enter("a"), turns.enter("b")
    assert taken(turns, run) == [True]
    turns.go_away(run)
    assert taken(turns, read, guest) == [False, True]
    assert turns.place(read) == Place(2, True, None)
    turns.leave(guest)
    turns.leave(run)
    assert taken(turns, read) == [True]


def test_a_long_work_goes_behind_all_who_wait() -> None:
    turns = Turns()
    job = turns.enter(lasting=True)
    assert taken(turns, job) == [True]
    guest = turns.enter("b")
    assert turns.place(guest) == Place(0, False, 0)  # it gives its turn in a moment
    turns.to_the_end(job)
    assert taken(turns, job, guest) == [False, True]
    assert turns.place(job) == Place(1, False, None)


def test_the_place_tells_seconds_once_such_work_was_done() -> None:
    clock = Clock()
    turns = Turns(clock)

    def work(kind: str, seconds: float, away: float) -> None:
        ticket = turns.enter("x", kind)
        assert taken(turns, ticket) == [True]
        clock.now += seconds / 2
        turns.go_away(ticket)
        clock.now += away
        turns.come_back(ticket)
        assert taken(turns, ticket) == [True]
        clock.now += seconds / 2
        turns.leave(ticket)

    work("run", 20.0, 300.0)  # what a judge elsewhere took is not the models' time
    at_work, sheet, mine = turns.enter("a", "run"), turns.enter("b", "sheet"), turns.enter("me", "run")
    assert taken(turns, at_work) == [True]
    clock.now += 15.0
    assert turns.place(sheet) == Place(1, False, 5.0)
    assert turns.place(mine) == Place(2, False, None)  # no sheet was drawn yet: its time is not guessed
    turns.leave(sheet)
    assert turns.place(mine) == Place(1, False, 5.0)


def test_who_wants_the_models_alone_ends_the_works_that_are_away() -> None:
    turns = Turns()
    away = turns.enter("a")
    assert taken(turns, away) == [True] and not turns.acquire(blocking=False)
    turns.go_away(away)
    assert not turns.locked() and not turns.acquire(blocking=False)  # who looks for idle models finds none

    def ends() -> None:
        while away.ended is None:
            pass
        turns.leave(away)

    other = threading.Thread(target=ends)
    other.start()
    with turns.alone("swapped"):
        assert away.ended == "swapped" and turns.locked()
    other.join()
    assert turns.acquire(blocking=False)
    turns.release()
    with pytest.raises(RuntimeError):
        turns.release()
