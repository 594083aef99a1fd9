"""A studio that answers for as long as a block lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emofeedback.history.store import History
from emofeedback.protocols import Generator, Judge
from emofeedback.ui import app as studio
from emofeedback.ui.history.history_writer import HistoryWriter


@contextmanager
def served(load: Callable[[], tuple[Generator, Judge]], folder: Path, **options: Any) -> Iterator[str]:
    """Its address; without the example's picture, unless the options name it."""
    asked = studio.StudioOptions(**{"files": folder, "example": folder / "none", **options})
    page, address = studio.launch(load, asked, block=False)
    try:
        yield address
    finally:
        page.close()


def writer_in(folder: Path) -> HistoryWriter:
    """What saves the visitors' runs in a folder."""
    return HistoryWriter(History(folder))
