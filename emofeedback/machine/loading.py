"""Models are loaded one at a time in a process.

While transformers and diffusers build a model they set torch's default dtype for the whole process and set it back
afterwards. Two loads that overlap on two threads can leave it at bfloat16, and everything that is computed later fails.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other thread loads a model, and have others wait."""
    with _lock:
        yield
