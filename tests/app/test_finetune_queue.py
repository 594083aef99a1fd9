"""A job's turn in the line: it waits, it is on the visitor's account, and its place is free afterwards."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes_ui import FakeGenerator, FakeJudge

from emofeedback.errors import UserError
from emofeedback.ui import worker
from emofeedback.ui.finetune.queue import JobQueue, QueuePlace, queued
from emofeedback.ui.limits import TimeLimit
from emofeedback.ui.session import Models, Visit
from emofeedback.ui.worker import Post, on_thread


@pytest.fixture
def models() -> Models:
    models = Models(lambda: (FakeGenerator(), FakeJudge()))
    models.start()
    return models


def test_a_job_is_on_the_visitors_account(models: Models, tmp_path: Path) -> None:
    """Jobs of the tab ran beside the time limit once: on a public host one visitor could tune without end."""
    clock = iter(range(0, 10_000, 100))
    visit = Visit(tmp_path, user="a", time_limit=TimeLimit(1.0, clock=lambda: next(clock)))
    jobs = JobQueue()
    assert [p for p in queued(models, jobs, visit, threading.Event(), lambda post: post("done")) if p] == ["done"]
    with pytest.raises(UserError, match="used your 1 minutes"):
        list(queued(models, jobs, visit, threading.Event(), lambda post: post("again")))
    assert jobs.ahead(jobs.enter()) == 0  # both left the line


def test_a_second_job_sees_its_place_and_a_failed_one_leaves_the_line(models: Models, tmp_path: Path) -> None:
    visit, jobs = Visit(tmp_path), JobQueue()
    first = jobs.enter()
    waiting = queued(models, jobs, visit, threading.Event(), lambda post: post("mine"))
    assert next(waiting) == QueuePlace(1)
    jobs.leave(first)
    assert [p for p in waiting if p is not None and not isinstance(p, QueuePlace)] == ["mine"]

    def fails(post: object) -> None:
        raise UserError("No.")

    with pytest.raises(UserError, match="No"):
        list(queued(models, jobs, visit, threading.Event(), fails))
    assert jobs.ahead(jobs.enter()) == 0


def test_others_use_the_models_between_the_updates_of_a_job(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job held the models from its first update to its last, and everybody's Create waited for minutes."""
    monkeypatch.setattr(worker, "PAUSE", 0.5)  # a busy machine wakes nobody sooner
    visit, order = Visit(tmp_path, user="a", time_limit=TimeLimit(60.0)), list[str]()
    asked = threading.Event()

    def create() -> None:
        asked.set()
        with models.lock:
            order.append("create")
            time.sleep(1.0)

    def job(post: Post) -> None:
        order.append("update 1")
        guest.start()
        asked.wait()
        time.sleep(0.1)
        post("update 1")
        order.append("update 2")
        assert models.lock.locked()

    guest = threading.Thread(target=create)
    assert [p for p in on_thread(models, visit, threading.Event(), job) if p] == ["update 1"]
    guest.join()
    assert order == ["update 1", "create", "update 2"] and not models.lock.locked()
    spent = 3600.0 - visit.time_limit.left("a")
    assert spent < 1.0  # the guest's time is not on the account


def test_long_jobs_do_not_take_turns_with_each_other(models: Models, tmp_path: Path) -> None:
    """The machine has room for one: a job of the API begins when that of the tab has ended."""
    order: list[str] = []

    def job(name: str) -> Iterator[object]:
        def task(post: Post) -> None:
            for _ in range(3):
                order.append(name)
                post(name)

        return on_thread(models, Visit(tmp_path), threading.Event(), task)

    both = [threading.Thread(target=lambda name=name: list(job(name))) for name in "ab"]  # type: ignore[misc]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert "".join(order) in ("aaabbb", "bbbaaa")


def test_a_job_of_a_program_counts_as_one_before(models: Models, tmp_path: Path) -> None:
    """It holds no ticket of the tab's queue, and a visitor's job said "Preparing" for as long as it took."""
    with models.long_work:
        waiting = queued(models, JobQueue(), Visit(tmp_path), threading.Event(), lambda post: post("mine"))
        assert next(waiting) == QueuePlace(1)
    assert [p for p in waiting if p is not None and not isinstance(p, QueuePlace)] == ["mine"]
