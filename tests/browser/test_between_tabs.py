"""From Create to other tabs and back, over the whole window, with a negative prompt and a size."""

import json
from pathlib import Path
from typing import Any

import pytest
from fakes_ui import FakeGenerator
from PIL import Image
from steps import open_more, run_all, says, set_number, wait_for

from emofeedback.picture_size import Sizes

pytestmark = pytest.mark.browser


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def test_what_is_on_stage_goes_to_other_tabs_and_fills_the_window(desktop, tmp_path: Path) -> None:
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
