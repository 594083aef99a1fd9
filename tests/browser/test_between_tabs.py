"""From Create to other tabs and back, over the whole window, with an adapter, a negative prompt and a size."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes_ui import FakeGenerator, FakeJudge
from PIL import Image
from served import served
from steps import open_more, run_all, says, set_number, wait_for

from emofeedback.errors import UserError
from emofeedback.picture_size import Sizes
from emofeedback.ui import app as studio
from emofeedback.ui.adapters import AdapterChoice
from emofeedback.ui.finetune.finetune_tab import FinetuneTab

pytestmark = pytest.mark.browser
TABS: list[FinetuneTab] = []


class KeptTab(FinetuneTab):
    """Lets the test choose an adapter without a job that makes one."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        TABS.append(self)


class Adapted(FakeGenerator):
    """Takes an adapter, which changes nothing."""

    loaded_adapter: tuple[Path, float] | None = None

    def load_adapter(self, path: str | Path, scale: float = 1.0) -> None:
        self.loaded_adapter = (Path(path), scale) if scale else None


def no_job(*given: Any) -> Any:
    raise UserError("There is no fine-tuning in this test.")


@pytest.fixture(scope="module")
def generator() -> FakeGenerator:
    return Adapted(seconds_per_step=0.03)


@pytest.fixture(scope="module")
def address(generator: FakeGenerator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studio, "FinetuneTab", KeptTab)
        with served(lambda: (generator, FakeJudge()), tmp_path_factory.mktemp("between"), open_job=no_job) as address:
            yield address


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def test_what_is_on_stage_goes_to_other_tabs_and_fills_the_window(desktop, generator: Adapted, tmp_path: Path) -> None:
    page = desktop
    open_more(page)
    set_number(page, "Rounds", 1)
    page.fill("#prompt textarea", "a boat")
    run_all(page)
    wait_for(page, "document.querySelector('#picture img')?.naturalWidth > 0")
    # the picture on stage fills the window (its full screen once covered the top 500 px), arrow keys go through the row
    page.locator("#picture .icon-button-wrapper button").first.click()
    page.wait_for_selector("#closer[open]")
    box, size = page.locator("#closer").bounding_box(), page.viewport_size
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, size["width"], size["height"])
    picture = page.locator("#closer img")
    first, shown = picture.get_attribute("src"), picture.bounding_box()
    assert first == page.locator("#picture img").get_attribute("src") and shown["height"] > 0.7 * size["height"]
    seen = set()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        seen.add(picture.get_attribute("src"))
    assert len(seen) == 4 and first in seen  # once around
    page.keyboard.press("+")
    wait_for(page, f"document.querySelector('#closer img').getBoundingClientRect().height > {shown['height'] + 50}")
    page.keyboard.press("Escape")
    page.wait_for_selector("#closer", state="hidden")
    page.locator("#picture img").click()
    page.wait_for_selector("#closer[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#closer", state="hidden")

    # to Continuum: the words and the seed of the picture
    seed = page.locator("#about [data-seed]").get_attribute("data-seed")
    words = page.locator("#about q").inner_text().strip("“”")
    page.click("#about [data-does=to_continuum]")
    wait_for(page, f"document.querySelector('#sweep-prompt textarea')?.value === {words!r}")
    page.get_by_role("button", name="Seed, strength and more").click()
    wait_for(page, f"[...document.querySelectorAll('input')].some((box) => box.offsetParent && box.value === '{seed}')")
    # to Read and back: the picture is read there, and its settings can be used
    tab(page, "Create")
    page.click("#about [data-does=to_read]")
    says(page, "reads as", "#read-words")
    says(page, "a boat", "#read-settings")
    page.click("#read-use")
    wait_for(page, "document.querySelector('#run').offsetParent !== null")

    # a fine-tuned adapter is told in one line, and one press takes it off
    (visit,) = TABS[0].visits._visits.values()
    TABS[0].adapters._chosen[visit] = AdapterChoice(tmp_path, 0.8, "the four corners, today")
    tab(page, "Continuum")
    says(page, "(the four corners, today) is on at strength 0.8", "#sweep-adapter")
    tab(page, "Create")
    says(page, "(the four corners, today) is on at strength 0.8", "#create-adapter")
    run_all(page)
    assert generator.loaded_adapter is not None and generator.loaded_adapter[1] == 0.8
    page.click("#create-adapter [data-does=off]")
    wait_for(page, "!document.querySelector('#create-adapter p')")
    assert not TABS[0].adapters.own(visit)
    tab(page, "Continuum")
    wait_for(page, "!document.querySelector('#sweep-adapter p')")
    assert page.faults == []


def test_a_negative_prompt_and_a_size_where_the_generator_takes_them(
    desktop, generator: FakeGenerator, tmp_path: Path
) -> None:
    page = desktop
    open_more(page)
    set_number(page, "Rounds", 1)
    assert not page.locator("#size").is_visible()  # this generator draws squares of its own size
    page.fill("#prompt textarea", "a boat")
    page.fill("#negative-prompt textarea, #negative-prompt input", "people")
    generator.sizes = Sizes(8, 48, 192)
    try:
        tab(page, "Continuum")
        tab(page, "Create")
        page.locator("#size input").click()
        page.get_by_role("option", name="landscape 3:2").click()
        wait_for(page, "window.emo.now().size === '3:2' && window.emo.now().negative_prompt === 'people'")
        run_all(page)
        wait_for(page, "document.querySelector('#picture img')?.naturalWidth > 0")
        with page.expect_download() as download:
            page.click("#download")
        download.value.save_as(tmp_path / "picture.png")
        with Image.open(tmp_path / "picture.png") as image:
            asked = json.loads(image.info["emofeedback"])["request"]
            assert image.size == (120, 80) == (asked["width"], asked["height"])
            assert asked["negative_prompt"] == "people"
        link = page.evaluate("window.emo.link()")
        assert "negative_prompt=people" in link and "size=3%3A2" in link
        page.goto(link)
        page.wait_for_selector("#pad .pad-plane")
        wait_for(page, "window.emo?.now().size === '3:2' && window.emo.now().negative_prompt === 'people'")
    finally:
        generator.sizes = None
    assert page.faults == []
