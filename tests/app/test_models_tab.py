"""The Models tab: what is swapped there reaches every tab, and a public host has none."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fakes_ui import FakeGenerator, FakeJudge

from emofeedback.deploy.models import LoadedModels
from emofeedback.errors import UserError
from emofeedback.servers.hub import Download, OnDownload
from emofeedback.ui import app as studio
from emofeedback.ui.adapters import AdapterChoice, VisitorAdapters
from emofeedback.ui.limits import Hosting
from emofeedback.ui.models.models_tab import ModelsTab, card, choices, download_line, working
from emofeedback.ui.session import Models, Visits

QUIET: Callable[[str, OnDownload], None] = lambda name, progress: None  # noqa: E731


def open_generator(name: str) -> FakeGenerator:
    if name == "org/huge":
        raise UserError("org/huge does not fit the memory; choose a smaller model.")
    made = FakeGenerator()
    made.name = name
    return made


def loaded_with(fetch: Callable[[str, OnDownload], None] = QUIET) -> LoadedModels:
    openers: dict[Any, Any] = {"generator": open_generator, "judge": lambda name: FakeJudge()}
    return LoadedModels(openers, {"generator": fetch, "judge": fetch}, {"generator": "bundled", "judge": "bundled"})


def tab_with(loaded_models: LoadedModels) -> ModelsTab:
    models = Models(loaded_models.pair, loaded_models)
    models.start()
    with gr.Blocks():
        return ModelsTab(models, loaded_models)


def test_a_loaded_model_is_the_one_of_all_tabs() -> None:
    def fetch(name: str, progress: OnDownload) -> None:
        progress(Download(name, 500_000_000, 2_000_000_000))

    tab = tab_with(loaded_with(fetch))
    assert tab.models.get()[0].name == "bundled"
    lines = [str(update[tab.status]) for update in tab.load("generator", " org/new ")]
    assert any("0.50 of 2.00 GB" in line for line in lines) and "is now org/new" in lines[-1]
    assert tab.models.get()[0].name == "org/new" and tab.models.peek() is not None
    shown = tab.look()
    assert shown[tab.names["generator"]]["value"] == "org/new" and "looked up" in str(shown[tab.cards["generator"]])
    assert shown[tab.buttons["generator"][0]] == gr.update(value="In use", interactive=False)
    freed = tab.unload("generator")
    assert freed[tab.buttons["generator"][1]]["interactive"] is False
    assert tab.models.peek() is None and tab.models.get()[0].name == "org/new"


def test_what_goes_wrong_is_a_notice_and_the_old_model_stays() -> None:
    tab = tab_with(loaded_with())
    with pytest.raises(gr.Error, match="does not fit"):
        list(tab.load("generator", "org/huge"))
    assert tab.models.get()[0].name == "bundled" and not tab.models.lock.locked()
    with pytest.raises(gr.Error, match="Choose a generator"):
        list(tab.load("generator", " "))


def test_a_download_can_be_stopped() -> None:
    begun = threading.Event()

    def endless(name: str, progress: OnDownload) -> None:
        while True:
            begun.set()
            progress(Download(name, 1, 2))

    tab = tab_with(loaded_with(endless))
    updates = tab.load("generator", "org/new")
    next(updates)
    assert "Fetching" in str(next(updates)[tab.status]) and begun.is_set()
    tab.halt()
    with pytest.raises(gr.Error, match="Stopped"):
        list(updates)
    assert tab.loaded_models.name("generator") == "bundled"


def test_an_adapter_is_put_on_the_new_generator_too(tmp_path: Path) -> None:
    worn: list[tuple[str, float]] = []

    class Adaptable(FakeGenerator):
        def load_adapter(self, path: Path, scale: float = 1.0) -> None:
            worn.append((self.name, scale))

    loaded_models = loaded_with()
    openers = loaded_models._openers
    openers["generator"] = lambda name: named(Adaptable(), name)
    models = Models(loaded_models.pair, loaded_models)
    models.start()
    visits, adapters = Visits(tmp_path), VisitorAdapters(models)
    visit = visits.of(None)
    (tmp_path / "lora").mkdir()
    adapters.choose(visit, AdapterChoice(tmp_path / "lora", 0.5))
    adapters.apply(visit)
    adapters.apply(visit)
    loaded_models.swap("generator", "other")
    adapters.apply(visit)
    assert worn == [("bundled", 0.5), ("other", 0.5)]


def test_the_hosts_adapter_is_put_back_after_a_visitors(tmp_path: Path) -> None:
    """Taking a visitor's adapter off took EMOFEEDBACK_ADAPTER off with it, for everybody."""

    class Adaptable(FakeGenerator):
        loaded_adapter: tuple[Path, float] | None = None

        def load_adapter(self, path: Path, scale: float = 1.0) -> None:
            self.loaded_adapter = None
            if not path.is_dir():
                raise UserError("There is no adapter.")
            self.loaded_adapter, self.name = (path, scale), f"fake+{path.name}"

    host, mine = tmp_path / "host", tmp_path / "mine"
    host.mkdir()
    mine.mkdir()
    generator = Adaptable()
    generator.load_adapter(host, 0.8)
    models = Models(lambda: (generator, FakeJudge()))
    models.start()
    visits, adapters = Visits(tmp_path), VisitorAdapters(models)
    one, other = visits.of(None), visits.of(None)
    adapters.apply(one)
    adapters.choose(one, AdapterChoice(mine, 0.5))
    adapters.apply(one)
    assert generator.loaded_adapter is not None and generator.loaded_adapter[1] == 0.5
    assert generator.name == "fake+tuned"
    adapters.apply(other)
    assert generator.loaded_adapter == (host, 0.8) and generator.name == "fake+host"
    adapters.apply(one)
    adapters.choose(one, None)
    adapters.apply(one)
    assert generator.loaded_adapter == (host, 0.8) and generator.name == "fake+host"
    adapters.choose(other, AdapterChoice(tmp_path / "gone", 1.0))
    with pytest.raises(OSError):
        adapters.apply(other)
    assert generator.loaded_adapter == (host, 0.8)


def named(generator: FakeGenerator, name: str) -> FakeGenerator:
    generator.name = name
    return generator


def test_what_is_loaded_is_said_plainly() -> None:
    """The page showed a picker and two buttons, and nothing told whether a model was in memory."""
    loaded_models = loaded_with()
    assert "not in memory now" in working("generator", loaded_models)
    tab = tab_with(loaded_models)
    tab.models.get()
    said = working("generator", tab.loaded_models)
    assert "Draws the pictures" in said and "Scene generator (bundled)" in said and ">loaded<" in said
    assert tab.picked("generator", "bundled")[1]["interactive"] is False
    assert tab.picked("generator", "org/other")[1] == gr.update(value="Load this generator", interactive=True)


def test_cards_say_size_licence_and_needs() -> None:
    text = card("generator", "black-forest-labs/FLUX.2-klein-4B")
    assert "Apache-2.0" in text and "16 GB" in text and "billion" in text
    assert "gated" in card("generator", "stabilityai/stable-diffusion-3.5-medium@main")
    assert "looked up" in card("judge", "someone/else<b>") and card("judge", "") == ""
    assert ("Scene judge (bundled)", "bundled") in choices("judge")
    assert "Fetching x" in download_line("x", None)


@pytest.mark.parametrize("public", [False, True])
def test_a_public_host_has_no_such_tab(public: bool, tmp_path: Path) -> None:
    loaded_models = loaded_with()
    page, models = studio.build(
        loaded_models.pair,
        studio.StudioOptions(
            example=tmp_path, files=tmp_path, hosting=Hosting(public=public), loaded_models=loaded_models
        ),
    )
    tabs = [block.label for block in page.blocks.values() if isinstance(block, gr.Tab)]
    assert ("Models" in tabs) == (not public) and (models.loaded_models is None) == public
