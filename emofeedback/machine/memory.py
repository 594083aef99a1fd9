"""Memory that the C library keeps although nothing uses it any more."""

import ctypes
import gc
import sys
from contextlib import suppress

M_ARENA_MAX = -8
ARENAS = 4
"""Heaps of the C library: each thread that draws would get its own, and none gives back what it held once."""


def give_back() -> None:
    """Return free memory to the system; glibc alone keeps it (a fine-tuning job: 1.4 GB)."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library than glibc
            ctypes.CDLL(None).malloc_trim(0)


def few_arenas() -> None:
    """To be called before threads are started, by a server that lives long."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
