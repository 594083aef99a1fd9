"""Long work on a thread of its own, so that the page hears from it while it goes on and can stop it."""

import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from emofeedback.errors import Cancelled
from emofeedback.machine.memory import give_back
from emofeedback.ui.session import Models, Visit

Post = Callable[[object], None]
TICK = 1.0
"""Seconds between signs of life."""
PAUSE = 0.05
"""Seconds in which somebody who waits takes the lock that was released."""


def on_thread(
    models: Models,
    visit: Visit,
    stop: threading.Event,
    task: Callable[[Post], None],
    after: Callable[[], None] = lambda: None,
) -> Iterator[Any]:
    """Run `task` on a thread, under the models' lock and on the visitor's account; closing the iterator sets `stop`.

    Each time the task posts something, whoever waits for the models has their turn first; but not other such tasks.

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
            with models.long_work, models.lock, visit.time_limit.work(visit.user) as job:
                if stop.is_set():
                    raise Cancelled("Stopped.")

                def post_and_wait(what: object) -> None:
                    post(what)
                    if not stop.is_set():
                        job.waited += give_turn(models)

                task(post_and_wait)
        finally:
            give_back()  # a job held gigabytes
            after()
            if visit.gone:  # the visitor's folder was dropped while the task still wrote to it
                shutil.rmtree(visit.folder, ignore_errors=True)

    return posts_of(body, stop)


def give_turn(models: Models) -> float:
    """Let others use the models, whose lock is held; the seconds until it is held again."""
    begin = time.monotonic()
    if models.loaded_models is not None:
        models.loaded_models.touch()  # the task still uses what it was given
    models.lock.release()
    time.sleep(PAUSE)
    models.lock.acquire()
    return time.monotonic() - begin


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
