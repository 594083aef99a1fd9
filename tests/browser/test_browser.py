"""The studio in a real browser: what a visitor does and sees."""

import json
from pathlib import Path

import pytest
from fakes_ui import FakeGenerator
from PIL import Image

pytestmark = pytest.mark.browser


def wait_for(page, script: str, seconds: float = 60) -> None:
    page.wait_for_function(script, timeout=seconds * 1000)


def says(page, words: str, where: str = "#status", seconds: float = 60) -> None:
    """Wait until an element's text contains the words."""
    wait_for(page, f"document.querySelector({where!r}).innerText.includes({words!r})", seconds)


def open_advanced(page) -> None:
    page.get_by_role("button", name="Advanced").click()


def set_number(page, label: str, value: float) -> None:
    box = page.get_by_label(f"number input for {label}")
    for _ in range(5):  # what is typed while the page still connects may be taken back
        box.fill(str(value))
        box.press("Tab")
        if box.input_value() and float(box.input_value()) == value:
            return


def choose_far_tolerance(page) -> None:
    """So that no run ends early."""
    open_advanced(page)
    set_number(page, "Stop when this close to the target", 0)


def test_three_rounds_show_pictures_readings_and_edits(desktop, artifacts: Path) -> None:
    page = desktop
    choose_far_tolerance(page)
    page.fill("#prompt textarea", "a lighthouse by the sea")
    set_number(page, "Valence", 0.9)
    set_number(page, "Arousal", 0.0)
    page.click("#run")
    wait_for(page, "document.querySelectorAll('#strip .card').length >= 1")
    wait_for(page, "document.querySelectorAll('#strip .card').length >= 3")
    says(page, "Done in")
    assert page.locator("#gallery img").count() == 4
    assert "seed 0" in page.locator("#gallery").inner_text()
    wait_for(page, "document.querySelector('#picture img').naturalWidth > 0")
    assert page.locator("#plane .target").count() == 1
    assert page.locator("#plane .chosen").count() == 1
    assert page.locator("#plane .spread").count() == 1
    assert page.locator("#plane .number").count() == 3
    words = page.locator("#words").inner_text()
    assert "Valence" in words and "lighthouse" in words and "even light" in words
    assert page.locator("#words blockquote b").count() == 0  # the judge's markup is shown, not obeyed
    assert page.locator("#strip ins").count() >= 2
    assert page.locator("#strip .card footer").first.inner_text().endswith("s")
    page.screenshot(path=artifacts / "three-rounds.png", full_page=True)
    assert page.faults == []


def test_the_download_carries_its_settings(desktop, tmp_path: Path) -> None:
    page = desktop
    page.fill("#prompt textarea", "a boat")
    set_number(page, "Rounds", 1)
    page.click("#run")
    says(page, "Done in")
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as image:
        assert json.loads(image.info["emofeedback"])["request"]["prompt"] == "a boat"
        assert image.info["parameters"].startswith("a boat\n")


def test_a_preset_moves_the_sliders_and_draws_a_preview(desktop, generator: FakeGenerator) -> None:
    page, before = desktop, generator.steps_done
    page.click("#emotion-gloomy")
    says(page, "Preview in")
    assert page.get_by_label("number input for Valence").input_value() == "-0.65"
    assert page.get_by_label("number input for Arousal").input_value() == "-0.6"
    assert generator.steps_done - before == generator.preview_steps
    assert "reads as" in page.locator("#words").inner_text()


def test_letting_a_slider_go_draws_a_preview(desktop) -> None:
    page = desktop
    box = page.locator("#valence input[type=range]").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    says(page, "Preview in")
    assert float(page.get_by_label("number input for Valence").input_value()) < -0.8


def test_stop_stops_and_the_next_run_starts(desktop, generator: FakeGenerator) -> None:
    page = desktop
    open_advanced(page)
    set_number(page, "Steps", 50)
    set_number(page, "Rounds", 6)
    page.click("#run")
    says(page, "of 50")
    before = generator.steps_done
    page.click("#stop")
    says(page, "Stopped")
    stopped_at = generator.steps_done
    assert stopped_at - before < 50  # within the round: six would have taken 300 steps
    set_number(page, "Steps", 0)
    set_number(page, "Rounds", 1)
    page.click("#run")
    says(page, "Done in")
    # the second run's steps, and of the first at most the one that was under way
    assert generator.steps_done - stopped_at <= generator.default_steps + 1


def test_unknown_words_are_marked_while_typing(desktop) -> None:
    page = desktop
    page.fill("#prompt textarea", "a zeppelin over the sea")
    says(page, "unknown to this generator", "#unknown")
    assert page.locator("#unknown mark").inner_text() == "zeppelin"
    page.fill("#prompt textarea", "a boat on the sea")
    wait_for(page, "document.querySelector('#unknown').innerText.trim() === ''")


def test_round_by_round_with_edits_dropped(desktop) -> None:
    page = desktop
    choose_far_tolerance(page)
    page.fill("#prompt textarea", "a boat")
    set_number(page, "Rounds", 1)
    page.click("#run")
    says(page, "Done in")
    page.get_by_role("button", name="Step by step").click()
    suggested = page.locator("#next-prompt textarea").input_value()
    assert suggested.startswith("a boat") and suggested != "a boat"
    page.locator("#edits input[type=checkbox]").first.uncheck()
    wait_for(page, "document.querySelector('#next-prompt textarea').value === 'a boat'")
    page.fill("#next-prompt textarea", "a boat and a moon")
    page.click("#next-round")
    wait_for(page, "document.querySelectorAll('#strip .card').length === 2")
    says(page, "Round 2 is done")
    assert "moon" in page.locator("#strip .card ins").last.inner_text()


def test_a_script_in_the_prompt_is_only_words(desktop) -> None:
    page = desktop
    page.fill("#prompt textarea", '<img src=x onerror="window.fooled=1"> zeppelin 🎈 <script>fooled=1</script>')
    says(page, "unknown", "#unknown")
    set_number(page, "Rounds", 1)
    page.click("#run")
    says(page, "Done in")
    assert page.evaluate("window.fooled") is None


def test_the_sheet_and_the_reading(desktop, tmp_path: Path, artifacts: Path) -> None:
    page = desktop
    page.get_by_role("tab", name="Continuum").click()
    page.click("#sweep-draw")
    says(page, "Done", "#sweep-status")
    wait_for(page, "document.querySelector('#sheet img').naturalWidth > 480")
    page.screenshot(path=artifacts / "continuum.png")
    Image.new("RGB", (64, 64), (230, 40, 90)).save(tmp_path / "mine.png")
    page.get_by_role("tab", name="Read a picture").click()
    page.set_input_files("#read-upload input[type=file]", tmp_path / "mine.png")
    says(page, "reads as", "#read-words")
    assert page.locator("#read-plane .chosen").count() == 1
    page.screenshot(path=artifacts / "read.png")


def test_on_a_phone_nothing_is_wider_than_the_screen_and_the_picture_comes_first(phone, artifacts: Path) -> None:
    page = phone
    page.click("#emotion-excited")
    says(page, "Preview in")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    top = {name: page.locator(name).bounding_box()["y"] for name in ("#picture", "#prompt", "#plane")}
    assert top["#picture"] < top["#prompt"] < top["#plane"]
    page.screenshot(path=artifacts / "phone.png", full_page=True)
