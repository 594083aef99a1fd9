"""A job's turn in the line: it waits, it is on the visitor's account, and its place is free afterwards."""

import threading
from pathlib import Path

import pytest
from fakes_ui import FakeGenerator, FakeJudge

from emofeedback.errors import UserError
from emofeedback.ui.finetune.queue import JobQueue, QueuePlace, queued
from emofeedback.ui.limits import Meter
from emofeedback.ui.session import Models, Visit


@pytest.fixture
def models() -> Models:
    models = Models(lambda: (FakeGenerator(), FakeJudge()))
    models.start()
    return models


def test_a_job_is_on_the_visitors_account(models: Models, tmp_path: Path) -> None:
    """Jobs of the tab ran beside the meter once: on a public host one visitor could tune without end."""
    clock = iter(range(0, 10_000, 100))
    visit = Visit(tmp_path, user="a", meter=Meter(1.0, clock=lambda: next(clock)))
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
