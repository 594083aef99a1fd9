"""The libraries' progress bars: they tell nothing of a small local checkpoint that is there within a second."""

from collections.abc import Iterator
from contextlib import contextmanager

from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging


@contextmanager
def without_bars() -> Iterator[None]:
    """Inside, neither diffusers nor transformers draws a progress bar of loading."""
    shown = [log for log in (diffusers_logging, transformers_logging) if log.is_progress_bar_enabled()]
    for log in shown:
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log in shown:
            log.enable_progress_bar()
