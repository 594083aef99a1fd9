"""A studio that answers for as long as a block lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emofeedback.history.store import History
from emofeedback.protocols import Generator, Judge
from emofeedback.ui import app as studio
from emofeedback.ui.history.keeper import Keeper


@contextmanager
def served(load: Callable[[], tuple[Generator, Judge]], folder: Path, **options: Any) -> Iterator[str]:
    """Its address; without the example's picture, unless the options name it."""
    page, address = studio.launch(load, block=False, files=folder, **{"example": folder / "none", **options})
    try:
        yield address
    finally:
        page.close()


def keeper_in(folder: Path) -> Keeper:
    """Who keeps the visitors' runs in a folder."""
    return Keeper(History(folder))
