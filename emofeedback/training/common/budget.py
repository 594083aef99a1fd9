"""A training run on a time budget: its clock, its stop signals, its log, and how the host is set up."""

import ctypes
import json
import logging
import signal
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType

import torch

logger = logging.getLogger(__name__)


class Budget:
    """Minutes of training, those before a resume included."""

    def __init__(self, minutes: float, spent_seconds: float = 0.0) -> None:
        self.seconds = 60.0 * minutes
        self._spent = spent_seconds
        self._begin = time.monotonic()

    def elapsed(self) -> float:
        """Seconds trained so far."""
        return self._spent + time.monotonic() - self._begin

    def progress(self) -> float:
        """Share of the budget used, in [0, 1]."""
        return min(1.0, self.elapsed() / self.seconds) if self.seconds > 0 else 1.0


class StopSignal:
    """Context in which SIGTERM and SIGINT set `stopped` in place of ending the process."""

    def __init__(self) -> None:
        self.stopped = False
        self._before: dict[int, object] = {}

    def _stop(self, number: int, frame: FrameType | None) -> None:
        logger.info("Stopping after this step (signal %d).", number)
        self.stopped = True

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


class RunLog:
    """One JSON line per entry in log.jsonl, and the same as a log message."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.jsonl"

    def write(self, **entry: float | int | str) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")
        logger.info("%s", "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in entry.items()))


def prepare_host(threads: int) -> None:
    """Set torch's threads, and let glibc keep freed memory: fresh pages cost more than the convolutions do."""
    torch.set_num_threads(threads)
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # not glibc
    mallopt(-4, 0)  # M_MMAP_MAX: large blocks come from the heap too
    mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: the heap is not given back


def fast_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
