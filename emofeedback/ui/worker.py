"""Long work on a thread of its own, so that the page hears from it while it goes on and can stop it."""

import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from emofeedback.errors import Cancelled
from emofeedback.machine.memory import give_back
from emofeedback.servers.stopping import meanwhile
from emofeedback.ui.session import Models, Visit
from emofeedback.ui.turns import FOREVER, POLL, Ticket

Post = Callable[[object], None]
TICK = 1.0
"""Seconds between signs of life."""
PAUSE = 0.05
"""Seconds in which the page takes what was posted: a task that posts without end would keep it from all else."""


def on_thread(
    models: Models,
    visit: Visit,
    stop: threading.Event,
    task: Callable[[Post], None],
    after: Callable[[], None] = lambda: None,
) -> Iterator[Any]:
    """Run `task` on a thread, under the models' lock and on the visitor's account; closing the iterator sets `stop`.

    Each time the task posts something, whoever waits for the models has their turn first, and while it waits for a
    model elsewhere too; but not other such tasks.

    Args:
        after: called on the thread when the task has ended, however it did.

    Yields:
        What the task posts, and None as a sign of life.

    Raises:
        Cancelled: `stop` was set before its turn came. Whatever the task raises is raised here too.
    """

    def body(post: Post) -> None:
        try:
            models.get()
            with long_turn(models, stop) as ticket, visit.time_limit.work(visit.user) as job:

                def post_and_wait(what: object) -> None:
                    post(what)
                    if not stop.is_set():
                        models.lock.to_the_end(ticket)
                        time.sleep(PAUSE)
                        job.waited += PAUSE + waits(models, ticket)

                @contextmanager
                def others_meanwhile() -> Iterator[None]:
                    models.lock.go_away(ticket)  # what it was given stays its own
                    try:
                        yield
                    finally:
                        models.lock.come_back(ticket)
                        job.waited += waits(models, ticket)

                with meanwhile(others_meanwhile):
                    task(post_and_wait)
        finally:
            give_back()  # a job held gigabytes
            after()
            if visit.gone:  # the visitor's folder was dropped while the task still wrote to it
                shutil.rmtree(visit.folder, ignore_errors=True)

    return posts_of(body, stop)


@contextmanager
def long_turn(models: Models, stop: threading.Event) -> Iterator[Ticket]:
    """The one place for long work, and a turn at the models to begin with.

    Raises:
        Cancelled: `stop` was set before.
    """
    while not models.long_work.acquire(timeout=POLL):
        check(stop)
    try:
        ticket = models.lock.enter(lasting=True)
        try:
            while not models.lock.wait(ticket, POLL):
                check(stop)
            check(stop)
            yield ticket
        finally:
            models.lock.leave(ticket)
    finally:
        models.long_work.release()


def waits(models: Models, ticket: Ticket) -> float:
    """Wait for the turn, whether the work shall stop or not: it has yet to put away what it made; the seconds."""
    begin = time.monotonic()
    models.lock.wait(ticket, FOREVER)
    return time.monotonic() - begin


def check(stop: threading.Event) -> None:
    """Raise `Cancelled` where the work shall stop."""
    if stop.is_set():
        raise Cancelled("Stopped.")


def posts_of(task: Callable[[Post], None], stop: threading.Event) -> Iterator[Any]:
    """Run `task` on a thread; closing the iterator sets `stop`, which the task looks at.

    Yields:
        What the task posts, and None as a sign of life. Whatever it raises is raised here.
    """
    posts: queue.SimpleQueue[object] = queue.SimpleQueue()
    end = object()

    def body() -> None:
        try:
            task(posts.put)
        except Exception as error:
            posts.put(error)
        finally:
            posts.put(end)

    threading.Thread(target=body, name="long-work", daemon=True).start()
    try:
        while True:
            try:
                post = posts.get(timeout=TICK)
            except queue.Empty:
                yield None
                continue
            if post is end:
                return
            if isinstance(post, Exception):
                raise post
            yield post
    finally:
        stop.set()
