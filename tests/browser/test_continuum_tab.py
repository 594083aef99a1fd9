"""The Continuum and Read tabs in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes_ui import FakeGenerator, FakeJudge
from PIL import Image
from served import served, writer_in
from steps import after, numbers, says, set_number, wait_for

from emofeedback.affect import Affect
from emofeedback.deploy.models import LoadedModels
from emofeedback.errors import UserError
from emofeedback.files.storage import png_bytes
from emofeedback.records import Picture, PictureRequest

pytestmark = pytest.mark.browser


def no_job(*given: Any) -> Any:
    raise UserError("There is no fine-tuning in this test.")


@pytest.fixture(scope="module")
def address(generator: FakeGenerator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio with every tab."""
    folder = tmp_path_factory.mktemp("tabs")
    openers: dict[Any, Any] = {"generator": lambda name: generator, "judge": lambda name: FakeJudge()}
    fetchers: dict[Any, Any] = dict.fromkeys(openers, lambda name, tell: None)
    models = LoadedModels(openers, fetchers, {"generator": "bundled", "judge": "bundled"})
    writer = writer_in(folder / "data")
    with served(models.pair, folder, writer=writer, open_job=no_job, loaded_models=models) as address:
        yield address


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name).first.click()


def test_a_path_is_pressed_drawn_and_one_picture_opened_in_create(desktop, artifacts: Path) -> None:
    page = desktop
    tab(page, "Continuum")
    page.get_by_label("Path", exact=True).first.check(force=True)
    page.wait_for_selector("#sweep-plane svg.plane")
    box = page.locator("#sweep-plane svg.plane").bounding_box()
    field = "document.querySelector('#sweep-path textarea, #sweep-path input').value.split(' ').filter(Boolean).length"
    for number, (x, y) in enumerate(((0.3, 0.3), (0.7, 0.7)), 1):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        wait_for(page, f"{field} === {number}")
    wait_for(page, "document.querySelectorAll('#sweep-plane .chosen').length === 2")
    page.fill("#sweep-prompt textarea", "a zeppelin, by the sea")
    page.click("#sweep-draw")
    says(page, "Done", "#sweep-status")
    wait_for(page, "document.querySelectorAll('#sheet button[data-index]').length === 9")
    wait_for(page, "document.querySelector('#sweep-moving img') !== null")
    # a picture pressed, and its neighbour by the arrow key, is the one shown, under a name that tells what it is
    first = page.locator("#sweep-picture img").get_attribute("src")
    page.locator("#sheet button[data-index]").nth(1).click()
    wait_for(page, f"document.querySelector('#sweep-picture img').src !== {first!r}")
    page.keyboard.press("ArrowLeft")
    wait_for(page, f"document.querySelector('#sweep-picture img').src === {first!r}")
    assert first.endswith("1-1-a-zeppelin-by-the-sea-afraid-seed-0.png")
    says(page, "reads as", "#sweep-words")
    page.screenshot(path=artifacts / "continuum.png")
    page.click("#sweep-open")
    wait_for(page, "document.querySelector('#pad') && document.querySelector('#pad').offsetParent !== null")
    wait_for(page, "document.querySelector('#valence input[type=number]').value < -0.3")
    valence, arousal = numbers(page)
    assert valence == pytest.approx(-0.47, abs=0.06) and arousal == pytest.approx(0.47, abs=0.06)
    says(page, "From Continuum", "#about")  # the very picture, with its reading, not the last run's
    assert "reads as" in page.locator("#words").inner_text()

    # loaded again, the tab stands as it was left: it forgot the prompt before
    page.reload()
    page.wait_for_selector("#pad .pad-plane")
    tab(page, "Continuum")
    wait_for(page, "document.querySelector('#sweep-prompt textarea')?.value === 'a zeppelin, by the sea'")
    page.locator("#sweep-path").wait_for()
    wait_for(page, f"{field} === 2")
    says(page, "Draw the path", "#sweep-draw")
    wait_for(page, "document.querySelectorAll('#sheet button[data-index]').length === 9")
    assert page.faults == []


def test_a_picture_is_read_sent_on_and_drawn_again(desktop, tmp_path: Path, artifacts: Path) -> None:
    page = desktop
    request = PictureRequest("a castle at dusk", Affect(-0.6, -0.5), 77, 1.5, 4)
    picture = Picture(Image.new("RGB", (64, 64), (230, 60, 120)), request, "fake-generator", 0.1)
    (tmp_path / "mine.png").write_bytes(png_bytes(picture))
    tab(page, "Read a picture")
    page.locator("#read-upload").wait_for()
    assert page.locator("#read-start").count() == 0  # there is nothing to draw again yet
    page.set_input_files("#read-upload input[type=file]", tmp_path / "mine.png")
    says(page, "reads as", "#read-words")
    assert page.locator("#read-plane .chosen").count() == 1
    wait_for(page, "document.querySelector('#read-carries li, #read-carries .quiet') !== null")
    page.get_by_text("Draw it again at another mood").click()
    says(page, "It starts from your picture", "#read-status")  # it said "Read a picture first" all the same before
    assert page.locator("#read-stop").is_disabled()
    page.click("#read-draw")
    says(page, "Done. The nearest", "#read-status")
    wait_for(page, "document.querySelectorAll('#read-gallery img').length >= 4")
    assert page.locator("#read-gallery img").first.get_attribute("src").endswith("serene-seed-0.png")
    page.screenshot(path=artifacts / "read.png", full_page=True)

    # a PNG tells its settings, and one press takes them to Create
    says(page, "a castle at dusk", "#read-settings")
    says(page, "gloomy", "#read-settings")
    page.click("#read-use")
    wait_for(page, "document.querySelector('#prompt textarea').value === 'a castle at dusk'")
    assert numbers(page) == pytest.approx((-0.6, -0.5))

    # what was read goes to Continuum, and a picture of its sheet comes back
    tab(page, "Read a picture")
    words = page.input_value("#read-prompt textarea, #read-prompt input")
    page.click("#read-to-continuum")
    wait_for(page, f"document.querySelector('#sweep-prompt textarea')?.value === {words!r}")
    set_number(page, "Grid", 3)
    page.click("#sweep-draw")
    says(page, "Done", "#sweep-status")
    before = page.locator("#read-words").inner_html()
    page.click("#sweep-read")
    wait_for(page, "document.querySelector('#read-settings')?.offsetParent")
    wait_for(page, f"!document.querySelector('#read-words').innerHTML.includes({before!r})")
    says(page, words, "#read-settings")
    says(page, "reads as", "#read-words")
    assert page.faults == []


def test_a_sheet_that_is_stopped_or_refused_says_so(desktop) -> None:
    page = desktop
    tab(page, "Continuum")
    page.get_by_label("Path", exact=True).first.check(force=True)
    after(page, lambda: page.click("#sweep-draw"), "This did not finish", "#sweep-status")  # there is no path yet
    page.get_by_label("Sheet", exact=True).first.check(force=True)
    wait_for(page, "document.querySelector('#sweep-stop').disabled")  # it could be pressed while nothing ran
    set_number(page, "Grid", 9)
    after(page, lambda: page.click("#sweep-draw"), "Drawing", "#sweep-status")
    after(
        page,
        lambda: page.get_by_role("button", name="Stop").locator("visible=true").click(),
        "Stopped",
        "#sweep-status",
    )
    wait_for(page, "document.querySelector('#sweep-stop').disabled && !document.querySelector('#sweep-draw').disabled")
    page.get_by_label("Path", exact=True).first.check(force=True)
    says(page, "Draw the path", "#sweep-draw")  # an answer of the server's that was asked for after the stop
    assert "Stopped" in page.locator("#sweep-status").inner_text()


def test_who_waits_is_told_the_place_in_plain_words(desktop, browser, address: str, generator: FakeGenerator) -> None:
    """Gradio wrote "queue: 1/1 | 0.3/4.4s" over the status."""
    page, context = desktop, browser.new_context()
    other = context.new_page()
    other.goto(address)
    other.wait_for_selector("#pad .pad-plane")
    usual, generator.seconds_per_step = generator.seconds_per_step, 1.0
    try:
        for one in (other, page):
            tab(one, "Continuum")
            set_number(one, "Grid", 3)
        after(other, lambda: other.click("#sweep-draw"), "Drawing", "#sweep-status")
        page.click("#sweep-draw")
        says(page, "Somebody else's pictures come first", "#sweep-status")
        assert page.locator(".progress-text:visible").count() == 0
        generator.seconds_per_step = usual
        says(page, "Done", "#sweep-status")
        says(other, "Done", "#sweep-status")
    finally:
        generator.seconds_per_step = usual
        context.close()


def test_no_number_box_of_these_tabs_keeps_what_is_no_number(desktop) -> None:
    page = desktop
    for name in ("Continuum", "Read a picture", "Fine-tune", "History", "Models"):
        tab(page, name)
        for box in page.locator("input[type=number]:visible").all():
            for bad in ("", "99999999999"):
                box.fill(bad)
                box.press("Tab")
                value, most = box.input_value(), box.get_attribute("max")
                assert value not in ("", bad) and (not most or float(value) <= float(most)), (name, bad, value)
    says(page, "bundled", "#models-generator-working")
    assert page.faults == []
