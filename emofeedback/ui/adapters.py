"""Which visitor draws with which adapter: the one generator changes its adapter when another visitor's turn comes."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary, ref

import gradio as gr

from emofeedback.errors import UserError
from emofeedback.machine.temporary import process_folder
from emofeedback.ui.session import Models, Visit

TUNED = "tuned"
"""What a visitor's adapter is called in a picture's record."""


OFF = """element.addEventListener("click", (event) => {
  if (event.target.closest("button[data-does=off]")) trigger("off");
});"""


def adapter_line(name: str, classes: Sequence[str] = ()) -> gr.HTML:
    """The line of a tab that says which adapter is on; its button tells "off". Kept by `FinetuneTab.show_adapter`."""
    return gr.HTML(elem_id=name, elem_classes=["adapter-line", *classes], js_on_load=OFF, apply_default_css=False)


class Adaptable(Protocol):
    """A generator that takes a LoRA; scale 0 draws exactly as without it."""

    name: str
    loaded_adapter: tuple[Path, float] | None

    def load_adapter(self, path: str | Path, scale: float = 1.0) -> None: ...


@dataclass(frozen=True, slots=True)
class AdapterChoice:
    """An adapter's folder, its strength, and what it is in words, as "the four corners, 27 Nov 15:41"."""

    folder: Path
    strength: float
    words: str = ""


class VisitorAdapters:
    """Every visitor's choice; `apply` is called under the models' lock before a visitor's work."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self._chosen: WeakKeyDictionary[Visit, AdapterChoice] = WeakKeyDictionary()
        self._applied: AdapterChoice | None = None
        self._generator: Any = None  # that it lies on, weakly: another one may take its place
        self._hosts: tuple[Path, float] | None = None  # the adapter that the generator came with
        self._hosts_name = ""
        # a copy of what is applied: the visitor who made it may leave, and their files with them
        self._copies = tempfile.TemporaryDirectory(prefix="adapter-", dir=process_folder(), ignore_cleanup_errors=True)
        self._copy = Path(self._copies.name) / "0" / TUNED

    def choose(self, visit: Visit, choice: AdapterChoice | None) -> None:
        """Remember what a visitor wants to draw with; None = the generator as the host gave it."""
        if choice is None or choice.strength == 0:
            self._chosen.pop(visit, None)
        else:
            self._chosen[visit] = choice

    def own(self, visit: Visit) -> bool:
        """Whether a visitor draws with an adapter of their choice."""
        return visit in self._chosen

    def line(self, visit: Visit) -> str:
        """Which adapter a visitor draws with, in one sentence; empty where the generator draws as it came."""
        chosen = self._chosen.get(visit)
        if chosen is not None:
            named = f" ({chosen.words})" if chosen.words else ""
            return f"Your fine-tuned adapter{named} is on at strength {chosen.strength:g}."
        pair = self.models.peek()
        host = self._hosts if pair is None or self._applied else getattr(pair[0], "loaded_adapter", None)
        if host is None:
            return ""
        return f"This studio draws with the adapter {host[0].name} at strength {host[1]:g}."

    def apply(self, visit: Visit) -> None:
        """Put the visitor's adapter on the generator, or the host's back in place of another visitor's.

        Raises:
            UserError: the generator takes no adapter, or this one does not fit it.
        """
        wanted = self._chosen.get(visit)
        generator: Any = self.models.get()[0]
        if self._generator is None or self._generator() is not generator:
            self._generator, self._applied = ref(generator), None
            self._hosts, self._hosts_name = getattr(generator, "loaded_adapter", None), generator.name
        if wanted == self._applied:
            return
        if not hasattr(generator, "load_adapter"):
            self._chosen.pop(visit, None)
            raise UserError(f"The generator {generator.name!r} takes no adapter; start the app with the bundled one.")
        if wanted is None:
            self._put_back(generator)
        else:
            self._put(generator, wanted)

    def _put(self, generator: Adaptable, wanted: AdapterChoice) -> None:
        copy = Path(self._copies.name) / ("0" if self._copy.parent.name == "1" else "1") / TUNED
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(wanted.folder, copy)
        try:
            generator.load_adapter(copy, wanted.strength)
        except UserError:
            self._put_back(generator)  # what was on it before may be off, or not
            raise
        self._applied, self._copy = wanted, copy

    def _put_back(self, generator: Adaptable) -> None:
        """The generator as the host gave it."""
        if self._hosts is not None:
            generator.load_adapter(*self._hosts)
        elif self._applied is not None:
            generator.load_adapter(self._copy, 0.0)
        generator.name, self._applied = self._hosts_name, None
