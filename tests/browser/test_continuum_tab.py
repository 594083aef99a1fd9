"""The Continuum and Read tabs in a real browser."""

from pathlib import Path

import pytest
from PIL import Image
from steps import after, numbers, says, set_number, wait_for

pytestmark = pytest.mark.browser


def test_a_path_is_pressed_drawn_and_one_picture_opened_in_create(desktop, artifacts: Path) -> None:
    page = desktop
    page.get_by_role("tab", name="Continuum").click()
    page.get_by_label("Path", exact=True).first.check(force=True)
    page.wait_for_selector("#sweep-plane svg")
    box = page.locator("#sweep-plane svg").bounding_box()
    field = "document.querySelector('#sweep-path textarea, #sweep-path input').value.split(' ').filter(Boolean).length"
    for number, (x, y) in enumerate(((0.3, 0.3), (0.7, 0.7)), 1):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        wait_for(page, f"{field} === {number}")
    wait_for(page, "document.querySelectorAll('#sweep-plane .chosen').length === 2")
    page.click("#sweep-draw")
    says(page, "Done", "#sweep-status")
    wait_for(page, "document.querySelector('#sheet img').naturalWidth > 400")
    wait_for(page, "document.querySelector('#sweep-moving img') !== null")
    # the strip of nine in two lines is shown whole within its frame: press its second picture, then its first
    frame = page.locator("#sheet img").bounding_box()
    width, height = page.evaluate(
        "(() => { const i = document.querySelector('#sheet img'); return [i.naturalWidth, i.naturalHeight]; })()"
    )
    scale = min(1, frame["width"] / width, frame["height"] / height)  # never enlarged
    left, top = frame["x"] + (frame["width"] - scale * width) / 2, frame["y"] + (frame["height"] - scale * height) / 2
    for number, middle in ((2, 148), (1, 48)):
        page.mouse.click(left + middle * scale, top + 48 * scale)
        wait_for(page, f"document.querySelector('#sweep-cell input').value.startsWith('{number}:')")
    says(page, "reads as", "#sweep-words")
    page.screenshot(path=artifacts / "continuum.png")
    page.click("#sweep-open")
    wait_for(page, "document.querySelector('#pad') && document.querySelector('#pad').offsetParent !== null")
    wait_for(page, "document.querySelector('#valence input[type=number]').value < -0.3")
    valence, arousal = numbers(page)
    assert valence == pytest.approx(-0.47, abs=0.06) and arousal == pytest.approx(0.47, abs=0.06)
    says(page, "From Continuum", "#about")  # the very picture, with its reading, not the last run's
    assert "reads as" in page.locator("#words").inner_text()
    assert page.faults == []


def test_a_picture_is_read_and_drawn_again(desktop, tmp_path: Path, artifacts: Path) -> None:
    page = desktop
    Image.new("RGB", (64, 64), (230, 60, 120)).save(tmp_path / "mine.png")
    page.get_by_role("tab", name="Read a picture").click()
    page.set_input_files("#read-upload input[type=file]", tmp_path / "mine.png")
    says(page, "reads as", "#read-words")
    assert page.locator("#read-plane .chosen").count() == 1
    wait_for(page, "document.querySelector('#read-carries li, #read-carries .quiet') !== null")
    page.get_by_text("Draw it again at another mood").click()
    page.click("#read-draw")
    says(page, "Done", "#read-status")
    wait_for(page, "document.querySelectorAll('#read-gallery img').length >= 4")
    page.screenshot(path=artifacts / "read.png", full_page=True)
    assert page.faults == []


def test_a_sheet_that_is_stopped_or_refused_says_so(desktop) -> None:
    page = desktop
    page.get_by_role("tab", name="Continuum").click()
    page.get_by_label("Path", exact=True).first.check(force=True)
    after(page, lambda: page.click("#sweep-draw"), "This did not finish", "#sweep-status")  # there is no path yet
    page.get_by_label("Sheet", exact=True).first.check(force=True)
    set_number(page, "Grid", 9)
    after(page, lambda: page.click("#sweep-draw"), "Drawing", "#sweep-status")
    after(
        page,
        lambda: page.get_by_role("button", name="Stop").locator("visible=true").click(),
        "Stopped",
        "#sweep-status",
    )
    page.get_by_label("Path", exact=True).first.check(force=True)
    says(page, "Draw the path", "#sweep-draw")  # an answer of the server's that was asked for after the stop
    assert "Stopped" in page.locator("#sweep-status").inner_text()
