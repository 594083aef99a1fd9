"""Which visitor draws with which adapter: the one generator changes its adapter when another visitor's turn comes."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary, ref

from emofeedback.errors import UserError
from emofeedback.ui.session import Models, Visit

WORN = "tuned"
"""What the worn adapter is called in a picture's record."""


class Adaptable(Protocol):
    """A generator that takes a LoRA; scale 0 draws exactly as without it."""

    name: str

    def load_adapter(self, path: str | Path, scale: float = 1.0) -> None: ...


@dataclass(frozen=True, slots=True)
class Garment:
    """An adapter's folder and its strength."""

    folder: Path
    strength: float


class Wardrobe:
    """Every visitor's choice; `dress` is called under the models' lock before a visitor's work."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self._chosen: WeakKeyDictionary[Visit, Garment] = WeakKeyDictionary()
        self._worn: Garment | None = None
        self._plain = ""
        self._on: Any = None  # the generator that wears it, weakly: another one may take its place
        # a copy of what is worn: the visitor who made it may leave, and their files with them
        self._shelf = tempfile.TemporaryDirectory(prefix="emofeedback-adapter-", ignore_cleanup_errors=True)

    def choose(self, visit: Visit, garment: Garment | None) -> None:
        """Remember what a visitor wants to draw with; None = the generator as it is."""
        if garment is None or garment.strength == 0:
            self._chosen.pop(visit, None)
        else:
            self._chosen[visit] = garment

    def dress(self, visit: Visit) -> None:
        """Put the visitor's adapter on the generator, or take another's off.

        Raises:
            UserError: the generator takes no adapter, or this one does not fit it.
        """
        wanted = self._chosen.get(visit)
        generator: Any = self.models.get()[0]
        if self._on is None or self._on() is not generator:
            self._on, self._worn = ref(generator), None
        if wanted == self._worn:
            return
        if not hasattr(generator, "load_adapter"):
            self._chosen.pop(visit, None)
            raise UserError(f"The generator {generator.name!r} takes no adapter; start the app with the bundled one.")
        self._change(generator, wanted)

    def _change(self, generator: Adaptable, wanted: Garment | None) -> None:
        shelf = Path(self._shelf.name) / WORN
        if self._worn is None:
            self._plain = generator.name
        if wanted is None:
            generator.load_adapter(shelf, 0.0)
            generator.name = self._plain
        else:
            shutil.rmtree(shelf, ignore_errors=True)
            shutil.copytree(wanted.folder, shelf)
            try:
                generator.load_adapter(shelf, wanted.strength)
            except UserError:
                generator.name, self._worn = self._plain, None  # a failed load leaves the generator bare
                raise
        self._worn = wanted
