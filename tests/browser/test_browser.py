"""The studio in a real browser: what a visitor does and sees."""

import json
from pathlib import Path

import pytest
from fakes_ui import FakeGenerator
from PIL import Image
from steps import (
    PAD,
    after,
    cards,
    numbers,
    open_more,
    run_all,
    run_rounds,
    says,
    set_number,
    spot,
    stands_at,
    wait_for,
)

pytestmark = pytest.mark.browser


def test_the_pad_is_dragged_and_the_sliders_follow(desktop, generator: FakeGenerator) -> None:
    page, before = desktop, generator.steps_done
    page.mouse.move(*spot(page, 0.5, 0.5))
    page.mouse.down()
    page.mouse.move(*spot(page, -0.2, -0.2), steps=6)
    page.mouse.move(*spot(page, -0.6, 0.8), steps=6)
    stands_at(page, -0.6, 0.8)  # while the button is still held
    page.mouse.up()
    says(page, "Preview in")
    stands_at(page, -0.6, 0.8)
    assert generator.steps_done - before == generator.preview_steps
    assert "reads as" in page.locator("#words").inner_text()
    wait_for(page, "document.querySelectorAll('#marks .chosen, #marks .spread').length === 2")
    page.mouse.move(*spot(page, -0.6, 0.8))
    page.mouse.down()
    page.mouse.move(*spot(page, 3, -3))  # beyond the edge
    page.mouse.up()
    stands_at(page, 1, -1)
    assert page.faults == []


def test_the_pad_by_keyboard_and_the_three_scales(desktop) -> None:
    page = desktop
    set_number(page, "Valence", 0.2)
    set_number(page, "Arousal", 0.1)
    stands_at(page, 0.2, 0.1)  # the pad follows the sliders
    page.focus(PAD)
    for key in ("ArrowRight", "Shift+ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    stands_at(page, 0.15, 0.3)
    page.keyboard.press("Home")
    stands_at(page, 0, 0)
    says(page, "Preview in")
    page.get_by_label("1–9", exact=True).check(force=True)
    assert page.locator(".pad-now").inner_text().split() == ["V", "5.0", "A", "5.0"]
    page.get_by_label("9×9", exact=True).check(force=True)
    page.focus(PAD)
    page.keyboard.press("ArrowRight")
    stands_at(page, 0.25, 0)  # a whole cell
    assert page.locator(".pad-now").inner_text().split() == ["V", "6", "A", "5"]
    page.reload()
    page.wait_for_selector(PAD)
    wait_for(page, "document.documentElement.dataset.scale === 'grid'")  # remembered by this browser
    page.get_by_label("−1…1", exact=True).check(force=True)


def test_three_rounds_then_one_looked_at_and_compared(desktop, artifacts: Path) -> None:
    page = desktop
    run_rounds(page, "a lighthouse by the sea", 3)
    assert page.locator("#gallery img").count() == 4
    assert "seed 0" in page.locator("#gallery").inner_text()
    wait_for(page, "document.querySelector('#picture img').naturalWidth > 0")
    assert page.locator("#marks .chosen").count() == 1
    assert page.locator("#marks .spread").count() == 4  # every reading of the round, each with its spread
    assert page.locator("#marks .number").count() == 3
    words = page.locator("#words").inner_text()
    assert "Valence" in words and "lighthouse" in words and "even light" in words
    assert page.locator("#words blockquote b").count() == 0  # the judge's markup is shown, not obeyed
    assert page.locator("#strip ins").count() >= 2
    assert "s · 4 pictures" in page.locator("#strip .card footer").first.inner_text()
    page.screenshot(path=artifacts / "three-rounds.png", full_page=True)
    page.get_by_label("Show round 1 of 3").click()
    says(page, "Round 1. Next round begins a branch here.")
    assert page.locator("#strip .card.shown header").inner_text().startswith("Round 1")
    page.get_by_role("button", name="Compare two rounds").click()
    wait_for(page, "document.querySelectorAll('#compare img').length >= 2")
    assert page.faults == []


def test_edits_are_dropped_rewritten_and_gone_on_from(desktop) -> None:
    page = desktop
    run_rounds(page, "a boat", 1)
    suggested = page.locator("#next-prompt textarea").input_value()
    assert suggested.startswith("a boat, with ")
    page.locator("#edits .switch").first.click()
    wait_for(page, "document.querySelector('#next-prompt textarea').value === 'a boat'")
    page.locator("#edits .switch").first.click()
    wait_for(page, f"document.querySelector('#next-prompt textarea').value === {suggested!r}")
    page.locator("#edits input[type=text]").first.fill("under a full moon")
    page.locator("#edits input[type=text]").first.press("Tab")
    wait_for(page, "document.querySelector('#next-prompt textarea').value === 'a boat, under a full moon'")
    says(page, "under a full moon", "#difference ins")
    page.click("#next-round")
    cards(page, 2)
    says(page, "Round 2 is done")
    assert "moon" in page.locator("#strip .card ins").last.inner_text()


def test_a_branch_keeps_the_run_it_comes_from(desktop) -> None:
    page = desktop
    run_rounds(page, "a boat", 3)
    page.get_by_label("Branch from round 1").click()
    cards(page, 1)
    assert page.locator(".runs button").all_inner_texts() == ["Run 1", "Run 2 · from round 1 of run 1"]
    page.fill("#next-prompt textarea", "a boat and a tower")
    says(page, "tower", "#difference ins")
    page.click("#next-round")
    cards(page, 2)
    says(page, "Round 2 is done")
    assert "tower" in page.locator("#strip .card").last.inner_text()
    page.get_by_role("button", name="Run 1", exact=True).click()
    cards(page, 3)
    assert "tower" not in page.locator("#strip").inner_text()


def test_stop_stops_and_the_next_run_starts(desktop, generator: FakeGenerator) -> None:
    page, before = desktop, generator.steps_done
    open_more(page)
    set_number(page, "Steps", 50)
    set_number(page, "Rounds", 6)
    page.click("#run")
    says(page, "of 50")
    page.click("#stop")
    says(page, "Stopped")
    stopped_at = generator.steps_done
    assert stopped_at - before < 300  # six rounds
    set_number(page, "Steps", 0)
    set_number(page, "Rounds", 1)
    run_all(page)
    # the second run's steps, and of the first at most the one that was under way
    assert generator.steps_done - stopped_at <= generator.default_steps + 1


@pytest.mark.parametrize("button", ["#run", "#next-round", "#again"])
def test_a_new_run_is_said_before_the_server_answers(desktop, button: str) -> None:
    """From the click to the first answer the last run's "Done" and its Download stood on the page."""
    page, held = desktop, []
    run_rounds(page, "a boat", 1)
    assert page.locator("#download").is_enabled()
    page.route("**/gradio_api/run/predict*", lambda route: held.append(route))  # the server is slow to answer
    page.click(button)
    says(page, "Starting")
    wait_for(page, "document.querySelector('#download').disabled")
    assert "Done" not in page.locator("#status").inner_text()
    page.route("**/gradio_api/run/predict*", lambda route: route.continue_())  # the later handler goes first
    for route in held:
        route.continue_()
    says(page, "Done in" if button == "#run" else "Round 2 is done")
    wait_for(page, "!document.querySelector('#download').disabled")
    assert page.faults == []


def test_a_run_that_did_not_start_gives_the_old_file_back(desktop, tmp_path: Path) -> None:
    page = desktop
    run_rounds(page, "a boat", 1)
    page.locator("#seed input").fill("")
    page.locator("#seed input").press("Tab")
    after(page, lambda: page.click("#run"), "This did not start")
    wait_for(page, "!document.querySelector('#download').disabled")
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as image:
        assert json.loads(image.info["emofeedback"])["request"]["prompt"] == "a boat"


def test_the_download_carries_its_settings(desktop, tmp_path: Path) -> None:
    page = desktop
    run_rounds(page, "a boat", 1)
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as image:
        assert json.loads(image.info["emofeedback"])["request"]["prompt"] == "a boat"
        assert image.info["parameters"].startswith("a boat\n")


def test_a_chip_moves_pad_and_sliders(desktop) -> None:
    page = desktop
    page.click("#emotion-gloomy")
    stands_at(page, -0.65, -0.6)
    says(page, "Preview in")
    assert numbers(page) == (-0.65, -0.6)


def test_words_unknown_too_many_or_hostile(desktop) -> None:
    page = desktop
    page.fill("#prompt textarea", "a zeppelin over the sea")
    says(page, "unknown to this generator", "#unknown")
    assert page.locator("#unknown mark").inner_text() == "zeppelin"
    page.fill("#prompt textarea", "a boat " * 30)
    says(page, "too long", "#unknown")
    hostile = (
        '<img src=x onerror="window.fooled=1"> zeppelin 🎈 ${window.fooled=2} {{fooled}} <script>fooled=1</script>'
    )
    page.fill("#prompt textarea", hostile)
    says(page, "unknown", "#unknown")
    open_more(page)
    set_number(page, "Rounds", 1)
    run_all(page)
    assert page.evaluate("window.fooled") is None
    page.fill("#prompt textarea", "a boat on the sea")
    wait_for(page, "document.querySelector('#unknown').innerText.trim() === ''")


def test_on_a_phone_a_finger_sets_the_mood_and_the_picture_comes_first(phone, artifacts: Path) -> None:
    page = phone
    page.locator(PAD).scroll_into_view_if_needed()
    page.touchscreen.tap(*spot(page, 0.6, 0.8))
    stands_at(page, 0.6, 0.8)
    says(page, "Preview in")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    top = {name: page.locator(name).bounding_box()["y"] for name in ("#picture", "#prompt", "#pad", "#words", "#strip")}
    assert list(top.values()) == sorted(top.values())
    bar = page.locator("#actions").bounding_box()
    assert bar["y"] >= 0 and bar["y"] + bar["height"] <= 844  # the buttons stay in sight
    run_all(page)
    page.screenshot(path=artifacts / "phone.png", full_page=True)
    assert page.faults == []
