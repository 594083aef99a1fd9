"""Models to choose from, and the chosen ones in memory: loaded once, swapped, unloaded when idle."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import scan_cache_dir
from huggingface_hub.errors import CacheNotFound

from emofeedback.generators.pipelines.memory import Parts, free_memory, needed_gigabytes
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.sampling_defaults import SamplingDefaults
from emofeedback.protocols import Generator, Judge
from emofeedback.redaction import redacted
from emofeedback.servers.hub import OnDownload

logger = logging.getLogger(__name__)

Kind = Literal["generator", "judge"]
KINDS: tuple[Kind, Kind] = ("generator", "judge")
IDLE_CHECK = 20.0
"""Seconds between two looks for idle models."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that is offered.

    Attributes:
        repo: OWNER/NAME, or bundled.
        parts: billions of parameters.
        download: gigabytes that are fetched.
        gated: whether its terms must be accepted first; None = see its card.
        sampling: what its card recommends where its files cannot tell.
        size: side of its pictures in pixels.
    """

    kind: Kind
    repo: str
    title: str
    family: str
    parts: Parts
    download: float
    licence: str
    gated: bool | None
    sampling: SamplingDefaults | None
    size: int
    needs: str

    def gigabytes(self, options: PipelineOptions | None = None) -> float:
        """Memory of the device while it works, estimated, at 16 bits."""
        return needed_gigabytes(self.parts, options or PipelineOptions(), size=self.size)


@cache
def catalogue() -> tuple[ModelEntry, ...]:
    """All models that are offered; read once per process."""
    content = json.loads(resources.files("emofeedback.deploy").joinpath("models.json").read_text(encoding="utf-8"))
    return tuple(
        _entry("generator" if group == "generators" else "judge", item)
        for group in ("generators", "judges")
        for item in content[group]
    )


def _entry(kind: Kind, item: dict[str, Any]) -> ModelEntry:
    parts = Parts(*item["parameters"])
    size = item.get("size", 1024 if kind == "generator" and item["family"] != "scene" else 256)
    sampling = SamplingDefaults(item["steps"], item["preview"], item["guidance"]) if "steps" in item else None
    needs = item.get("needs") or f"about {needed_gigabytes(parts, PipelineOptions(), size=size):.0f} GB of memory"
    return ModelEntry(
        kind,
        item["repo"],
        item["title"],
        item["family"],
        parts,
        item["download"],
        item["licence"],
        item["gated"],
        sampling,
        size,
        needs,
    )


def offered(kind: Kind) -> tuple[ModelEntry, ...]:
    """The generators or the judges of the catalogue."""
    return tuple(entry for entry in catalogue() if entry.kind == kind)


def entry_of(kind: Kind, name: str) -> ModelEntry | None:
    """The catalogue's entry for OWNER/NAME[@REVISION]; None where there is none."""
    repo = name.partition("@")[0]
    return next((entry for entry in offered(kind) if entry.repo == repo), None)


def downloaded(cache_dir: Path | None = None) -> dict[str, float]:
    """What the cache of Hugging Face holds: repository -> gigabytes, whole or in part."""
    try:
        found = scan_cache_dir(cache_dir)
    except (CacheNotFound, ValueError, OSError):
        return {}
    return {repo.repo_id: repo.size_on_disk / 1e9 for repo in found.repos if repo.repo_type == "model"}


class LoadedModels:
    """One generator and one judge, loaded when they are needed.

    Args:
        openers: load a model by its name; the files are there already.
        fetchers: download a model by its name, telling how far they are.
        names: what to begin with.
        idle_minutes: after which `unload_idle` unloads what nobody used; None = never.
        changed: told after another model took a place.
    """

    def __init__(
        self,
        openers: Mapping[Kind, Callable[[str], Any]],
        fetchers: Mapping[Kind, Callable[[str, OnDownload], None]],
        names: Mapping[Kind, str],
        idle_minutes: float | None = None,
        changed: Callable[[Kind, str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._openers, self._fetchers, self._names = dict(openers), dict(fetchers), dict(names)
        self._idle = None if idle_minutes is None else 60.0 * idle_minutes
        self._changed, self._clock = changed, clock
        self._held: dict[Kind, Any] = {}
        self._used = clock()
        self._lock = threading.RLock()

    def pair(self) -> tuple[Generator, Judge]:
        """The generator and the judge; what is not loaded is loaded now.

        Raises:
            UserError: one cannot be loaded.
        """
        with self._lock:
            self.touch()
            for kind in KINDS:
                if kind not in self._held:
                    self._held[kind] = self._openers[kind](self._names[kind])
            self.touch()
            return self._held["generator"], self._held["judge"]

    def peek(self) -> tuple[Generator, Judge] | None:
        """The pair if both are loaded; does not wait."""
        held = dict(self._held)
        return (held["generator"], held["judge"]) if len(held) == len(KINDS) else None

    def name(self, kind: Kind) -> str:
        """The chosen model's name, loaded or not."""
        return self._names[kind]

    def shown_name(self, kind: Kind) -> str:
        """The chosen model's name as others may see it: an address without its password and query."""
        return redacted(self._names[kind])

    def meant(self, kind: Kind, name: str) -> str:
        """The name behind one that was picked: the chosen model's own where it is shown as that."""
        return self._names[kind] if name == self.shown_name(kind) else name

    def loaded(self, kind: Kind) -> bool:
        """Whether it is in memory."""
        return kind in self._held

    def fetch(self, kind: Kind, name: str, progress: OnDownload) -> None:
        """Download what a model needs; the models in use stay where they are.

        Raises:
            UserError: there is no such model, or it cannot be fetched.
            Cancelled: raised by `progress`.
        """
        self._fetchers[kind](name, progress)

    def swap(self, kind: Kind, name: str) -> None:
        """Put another model in a place; the one before is freed first, since both may not fit.

        When the new one cannot be loaded the one before stays chosen, and is loaded again at its next use.

        Raises:
            UserError: the new one cannot be loaded.
        """
        with self._lock:
            self.unload(kind)
            self._held[kind] = self._openers[kind](name)
            self._names[kind] = name
            self.touch()
        if self._changed is not None:
            self._changed(kind, name)

    def unload(self, kind: Kind) -> None:
        """Free a model; it is loaded again at its next use."""
        with self._lock:
            if self._held.pop(kind, None) is not None:
                logger.info("unloaded the %s %s", kind, self.shown_name(kind))
            free_memory()

    def touch(self) -> None:
        """The models are in use."""
        self._used = self._clock()

    def unload_idle(self) -> bool:
        """Unload what nobody used for the idle time; whether there was something."""
        if self._idle is None or not self._held or self._clock() - self._used < self._idle:
            return False
        for kind in KINDS:
            self.unload(kind)
        return True


def watch_idle(models: LoadedModels, busy: threading.Lock, stop: threading.Event, seconds: float = IDLE_CHECK) -> None:
    """Look for idle models until `stop` is set; `busy` is held by those who use them."""
    while not stop.wait(seconds):
        if not busy.acquire(blocking=False):
            models.touch()
            continue
        try:
            models.unload_idle()
        finally:
            busy.release()
