"""The loaded models, the catalogue, and downloads against a small stand-in for Hugging Face."""

import gc
import json
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_hub import FakeHub, serve
from safetensors.numpy import save

from emofeedback.deploy.doctor import fitting_checks
from emofeedback.deploy.models import Kind, LoadedModels, catalogue, downloaded, entry_of, offered, watch_idle
from emofeedback.errors import Cancelled, UserError
from emofeedback.generators.pipelines.families import FAMILIES
from emofeedback.generators.pipelines.repository_files import fetch_pipeline, is_cached
from emofeedback.servers.hub import Download

# the loaded models


class Model:
    def __init__(self, name: str) -> None:
        self.name = name


class Loading:
    """The models under test, what they loaded, and a clock that is set by hand."""

    def __init__(self, idle: float | None = None) -> None:
        self.now = 0.0
        self.loaded: list[str] = []
        self.changes: list[tuple[str, str]] = []
        names: dict[Kind, str] = {"generator": "g", "judge": "j"}
        self.models = LoadedModels(
            {"generator": self.open, "judge": self.open},
            {"generator": self.fetch, "judge": self.fetch},
            names,
            idle,
            lambda kind, name: self.changes.append((kind, name)),
            lambda: self.now,
        )

    def open(self, name: str) -> Model:
        if name == "too large":
            raise UserError("It does not fit.")
        self.loaded.append(name)
        return Model(name)

    def fetch(self, name: str, progress: Any) -> None:
        progress(Download(name, 1, 2))


def test_models_are_loaded_once_and_when_they_are_needed() -> None:
    loading = Loading()
    assert loading.loaded == [] and loading.models.peek() is None
    first = loading.models.pair()
    assert loading.models.pair() == first == loading.models.peek() and loading.loaded == ["g", "j"]


def test_a_swap_frees_the_old_model_and_keeps_the_other() -> None:
    loading = Loading()
    old, judge = loading.models.pair()
    gone = weakref.ref(old)
    del old
    loading.models.swap("generator", "new")
    gc.collect()
    assert gone() is None
    assert [model.name for model in loading.models.pair()] == ["new", "j"] and loading.models.pair()[1] is judge
    assert loading.changes == [("generator", "new")] and loading.models.name("generator") == "new"


def test_a_failed_swap_goes_back_to_the_model_before() -> None:
    loading = Loading()
    loading.models.pair()
    with pytest.raises(UserError, match="fit"):
        loading.models.swap("judge", "too large")
    assert loading.models.name("judge") == "j" and not loading.models.loaded("judge") and loading.changes == []
    assert loading.models.pair()[1].name == "j" and loading.loaded == ["g", "j", "j"]


def test_idle_models_leave_and_come_back() -> None:
    loading = Loading(idle=10.0)
    loading.models.pair()
    loading.now = 599.0
    assert not loading.models.unload_idle()
    loading.now = 601.0
    assert loading.models.unload_idle() and loading.models.peek() is None and not loading.models.unload_idle()
    loading.models.pair()
    assert loading.loaded == ["g", "j", "g", "j"]
    forever = Loading()
    forever.models.pair()
    forever.now = 1e9
    assert not forever.models.unload_idle()


def test_nothing_is_unloaded_while_somebody_draws() -> None:
    loading = Loading(idle=1.0)
    loading.models.pair()
    busy, stop = threading.Lock(), threading.Event()
    loading.now = 100.0
    waits: list[float] = []

    class Twice(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            if len(waits) == 2:
                busy.release()
                loading.now = 130.0  # 30 s after the work was seen: not idle yet
            return len(waits) > 2

    busy.acquire()
    stop = Twice()
    watch_idle(loading.models, busy, stop)
    assert loading.models.peek() is not None


# the catalogue


def test_the_catalogue_says_what_a_person_needs() -> None:
    assert {entry.kind for entry in catalogue()} == {"generator", "judge"}
    assert {entry.family for entry in offered("generator")} == {*FAMILIES, "scene"}
    for entry in catalogue():
        assert entry.licence and entry.needs and entry.gigabytes() > 0
        assert entry.repo == "bundled" or entry.repo.count("/") == 1
    turbo = entry_of("generator", "stabilityai/stable-diffusion-3.5-large-turbo@main")
    assert turbo is not None and turbo.sampling is not None and turbo.sampling.steps == 4
    assert entry_of("judge", "nobody/nothing") is None


def test_doctor_sets_needs_against_the_machine() -> None:
    large, small = fitting_checks(64.0, ("GPU", 80.0)), fitting_checks(4.0, None)
    assert all(check.ok and not check.needed for check in large)
    assert any(check.ok for check in small) and not all(check.ok for check in small)
    assert any("4 bits" in check.detail for check in large)
    assert fitting_checks(None, None) == []


# downloads

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "scheduler": ["diffusers", "DDIMScheduler"],
}
WEIGHTS = save({"w": np.zeros(4096, dtype=np.float32)})
FILES = {
    "model_index.json": json.dumps(INDEX).encode(),
    "scheduler/scheduler_config.json": b'{"prediction_type": "epsilon"}',
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": WEIGHTS,
    "unet/diffusion_pytorch_model.bin": b"pickled",
    "whole.safetensors": b"all of it in one file",
}


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with serve(FakeHub({"org/tiny": dict(FILES)})) as running:
        yield running


def test_a_download_is_watched_and_used_from_the_cache(hub: FakeHub, tmp_path: Path) -> None:
    told: list[Download] = []
    folder = fetch_pipeline("org/tiny", cache=tmp_path, endpoint=hub.url, progress=told.append)
    assert (folder / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == WEIGHTS
    assert told and told[-1].done == told[-1].total >= len(WEIGHTS)
    assert not {"unet/diffusion_pytorch_model.bin", "whole.safetensors"} & set(hub.fetched)
    fetched = list(hub.fetched)
    assert fetch_pipeline("org/tiny@main", cache=tmp_path, endpoint=hub.url) == folder and hub.fetched == fetched
    assert fetch_pipeline("org/tiny", cache=tmp_path, offline=True) == folder
    assert list(downloaded(tmp_path)) == ["org/tiny"] and downloaded(tmp_path / "none") == {}


def test_a_download_stops_when_asked(hub: FakeHub, tmp_path: Path) -> None:
    def stop(news: Download) -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        fetch_pipeline("org/tiny", cache=tmp_path, endpoint=hub.url, progress=stop)
    assert not is_cached("org/tiny", tmp_path)


def test_half_a_download_is_noticed(hub: FakeHub, tmp_path: Path) -> None:
    folder = fetch_pipeline("org/tiny", cache=tmp_path, endpoint=hub.url)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    assert not is_cached("org/tiny", tmp_path)
    with pytest.raises(UserError, match="only half"):
        fetch_pipeline("org/tiny", cache=tmp_path, offline=True)


@pytest.mark.parametrize(
    ("name", "refusal", "words"),
    [
        ("org/none", None, "There is no repository org/none"),
        ("org/gated", (403, "GatedRepo"), "accept its terms"),
        ("org/tiny@v9", None, "no revision 'v9'"),
        ("org/busy", (500, ""), "cannot be downloaded"),
    ],
)
def test_what_cannot_be_fetched_is_one_sentence(
    hub: FakeHub,
    tmp_path: Path,
    name: str,
    refusal: tuple[int, str] | None,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if refusal:
        hub.refusals[name] = refusal
    with pytest.raises(UserError, match=words):
        fetch_pipeline(name, cache=tmp_path, endpoint=hub.url)


def test_pickled_and_foreign_repositories_are_not_fetched(hub: FakeHub, tmp_path: Path) -> None:
    hub.repos["org/pickled"] = {k: v for k, v in FILES.items() if "model.safetensors" not in k}
    with pytest.raises(UserError, match="pickled weights only"):
        fetch_pipeline("org/pickled", cache=tmp_path, endpoint=hub.url)
    hub.repos["org/text"] = {"config.json": b"{}"}
    with pytest.raises(UserError, match="no pipeline of diffusers"):
        fetch_pipeline("org/text", cache=tmp_path, endpoint=hub.url)
    assert "unet/config.json" not in hub.fetched


def test_without_a_network_the_cache_serves(hub: FakeHub, tmp_path: Path) -> None:
    folder = fetch_pipeline("org/tiny", cache=tmp_path, endpoint=hub.url)
    hub.refusals["org/tiny"] = (503, "")
    assert fetch_pipeline("org/tiny", cache=tmp_path, endpoint=hub.url) == folder
