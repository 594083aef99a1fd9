"""The Create tab in a real browser: what a visitor does and sees, in few long walks."""

import json
from pathlib import Path
from typing import Any

import pytest
from fakes_ui import FakeGenerator
from patience import PATIENCE
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
NEXT = "document.querySelector('#next-prompt textarea').value"
PROMPT = "document.querySelector('#prompt textarea').value"


def seed_shown(page: Any) -> int:
    return int(page.locator("#about [data-seed]").get_attribute("data-seed"))


def test_the_pad_and_its_numbers(desktop, generator: FakeGenerator) -> None:
    """A drag of 8 s drew nothing until it ended, arrow keys never did, and an emptied box destroyed the pad."""
    page, before = desktop, generator.steps_done
    page.mouse.move(*spot(page, 0.5, 0.5))
    page.mouse.down()
    page.mouse.move(*spot(page, -0.2, -0.2), steps=6)
    page.wait_for_selector("#live img")  # while the button is still held
    first = page.locator("#live img").get_attribute("src")
    says(page, "once it stands still", "#words")  # no verdict of another picture stands beside it
    page.mouse.move(*spot(page, -0.6, 0.8), steps=6)
    stands_at(page, -0.6, 0.8)
    wait_for(page, f"document.querySelector('#live img')?.src !== {first!r}")
    page.mouse.up()
    says(page, "Preview in")
    wait_for(page, "document.querySelector('#live img') === null")
    assert generator.steps_done - before >= 2 * generator.preview_steps
    says(page, "reads as", "#words")
    wait_for(page, "document.querySelectorAll('#marks .chosen, #marks .spread').length === 2")
    page.mouse.move(*spot(page, -0.6, 0.8))
    page.mouse.down()
    page.mouse.move(*spot(page, 3, -3))  # beyond the edge
    page.mouse.up()
    stands_at(page, 1, -1)
    # keys, on the pad and on a slider
    page.focus(PAD)
    page.keyboard.press("Home")
    after(page, lambda: page.keyboard.press("Shift+ArrowUp"), "Preview in")
    stands_at(page, 0, 0.25)
    slider = page.get_by_label("range slider for Pleasant")
    slider.focus()
    after(page, lambda: page.keyboard.press("ArrowRight"), "Preview in")
    stands_at(page, 0.05, 0.25)
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(ring) == "solid"
    # a chip says that it is chosen
    page.click("#emotion-gloomy")
    stands_at(page, -0.65, -0.6)
    wait_for(page, "document.querySelector('#emotion-gloomy').getAttribute('aria-pressed') === 'true'")
    # every box: empty, text, out of range, a pasted decimal comma
    open_more(page)
    box = page.get_by_label("number input for Pleasant", exact=True)
    for text, stands in (("", -0.65), ("e", -0.65), ("5", 1), ("-0.3", -0.3)):
        box.click()
        box.press("Control+a")
        box.press("Delete")
        page.keyboard.type(text)
        box.press("Tab")
        stands_at(page, stands, -0.6)
    box.evaluate(
        "e => { const d = new DataTransfer(); d.setData('text', '0,25'); e.focus();"
        "e.dispatchEvent(new ClipboardEvent('paste', { clipboardData: d, bubbles: true, cancelable: true })); }"
    )
    stands_at(page, 0.25, -0.6)
    for label, text, stands in (
        ("Rounds", "2.6", "3"),
        ("Pictures", "", "4"),
        ("Seed", "", "-1"),
        ("Seed", "-9", "-1"),
    ):
        field = page.get_by_label(label if label == "Seed" else f"number input for {label}", exact=True)
        field.fill(text)
        field.press("Tab")
        assert field.input_value() == stands
    # scales are for experts
    page.get_by_label("1–9", exact=True).check(force=True)
    assert page.locator(".pad-now").inner_text().split() == ["Pleasant", "6.0", "Energy", "2.6"]
    page.get_by_label("−1…1", exact=True).check(force=True)
    assert page.faults == []


def test_one_thing_is_shown_and_a_choice_goes_on(desktop, artifacts: Path, tmp_path: Path) -> None:
    """The page mixed states, and a candidate could not be chosen."""
    page = desktop
    run_rounds(page, "a lighthouse by the sea", 2)
    wait_for(page, "document.querySelector('#picture img').naturalWidth > 0")
    assert page.locator("#gallery img").count() == 4 and page.locator("#strip img").count() == 2
    assert page.evaluate("[...document.querySelectorAll('#gallery .acts')].every(acts => acts.clientHeight < 40)")
    assert page.locator("#marks .chosen").count() == 1 and page.locator("#marks .number").count() == 2
    words = page.locator("#words").inner_text()
    assert "Pleasant" in words and "lighthouse" in words and "Valence" not in words
    assert page.locator("#words blockquote b").count() == 0  # the judge's markup is shown, not obeyed
    added = page.locator("#strip ins").first
    assert added.inner_text().strip() and added.evaluate("e => e.scrollWidth <= e.parentElement.clientWidth")
    page.screenshot(path=artifacts / "two-rounds.png", full_page=True)

    # a preview: nothing of the run's verdict, edits, candidates stays, and nothing can go on from it
    after(page, lambda: page.click("#emotion-gloomy"), "Preview in")
    says(page, "gloomy", "#words .verdict")
    assert page.locator("#gallery img, #edits li, #strip .card.shown").count() == 0
    assert page.evaluate(NEXT) == "" and page.locator("#next-round").is_disabled()
    says(page, "Preview", "#about")
    # back to the round: words and mood are the run's again
    page.fill("#prompt textarea", "something else")
    page.get_by_label("Show round 1 of 2").click()
    says(page, "Round 1. The next round begins a branch here.")
    wait_for(page, f"{PROMPT} === 'a lighthouse by the sea'")
    stands_at(page, 0.9, 0)
    page.get_by_label("Show round 2 of 2").click()
    says(page, "Round 2", "#about")

    # another candidate becomes the round's picture
    seed = seed_shown(page)
    use = page.locator("#gallery [data-does=use]").first
    index = int(use.get_attribute("data-index"))
    use.click()
    says(page, "The judge's edits are for it now")
    wait_for(page, f"document.querySelector('#gallery .chosen').dataset.index === '{index}'")
    assert "Your choice" in page.locator("#gallery .chosen").inner_text()
    assert page.locator("#gallery .judge-choice").count() == 1
    prompt = page.locator("#about q").inner_text()
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "picture.png")
    assert f"seed-{seed_shown(page)}" in download.value.suggested_filename
    assert download.value.suggested_filename.startswith("a-lighthouse-by-the-sea-")
    with Image.open(tmp_path / "picture.png") as image:
        asked = json.loads(image.info["emofeedback"])["request"]
        assert image.info["parameters"].startswith(prompt.strip("“”"))
    assert (asked["prompt"], asked["seed"]) == (prompt, seed_shown(page)) and (asked["seed"], prompt) != (seed, "")
    page.click("#next-round")
    cards(page, 3)
    says(page, "Round 3 is done")
    # the file dropped on the tab brings its picture and its settings, read and with nothing of the run beside it
    page.set_input_files("#create-drop input[type=file]", tmp_path / "picture.png")
    says(page, "Your file", "#about")
    wait_for(page, f"{PROMPT} === {asked['prompt']!r} && document.querySelector('#edits li') === null")
    says(page, "it reads as", "#words")
    page.get_by_label("Show round 3 of 3").click()
    says(page, "Round 3 of", "#about")

    # looked at closer, by keys
    page.locator("#gallery .closer").first.click()
    page.wait_for_selector("#closer[open]")
    source = page.locator("#closer img").get_attribute("src")
    page.keyboard.press("ArrowRight")
    wait_for(page, f"document.querySelector('#closer img').src !== {source!r}")
    page.keyboard.press("Escape")
    page.wait_for_selector("#closer", state="hidden")
    # any two compared
    page.get_by_role("button", name="Compare two pictures").click()
    wait_for(page, "document.querySelectorAll('#compare img').length >= 2")
    # variations, then back by the run's tab
    page.locator("#gallery [data-does=vary]").first.click()
    says(page, "Round 1 is done")
    says(page, "variations of run 1", "#about")
    page.get_by_role("button", name="Run 1", exact=True).click()
    cards(page, 3)
    # at once stopped: everything is as before
    shown = page.locator("#about").inner_text(), page.locator("#words").inner_text()
    page.fill("#prompt textarea", "a tower")
    set_number(page, "Steps", 50)
    page.click("#run")
    page.click("#stop")
    wait_for(page, "/Stopped|You left the line/.test(document.querySelector('#status').innerText)")
    wait_for(page, "!document.querySelector('#run').disabled")
    assert (page.locator("#about").inner_text(), page.locator("#words").inner_text()) == shown
    cards(page, 3)
    assert page.faults == []


def test_edits_branches_and_words_that_are_left_out(desktop) -> None:
    page = desktop
    run_rounds(page, "a boat", 1)
    suggested = page.evaluate(NEXT)
    assert suggested.startswith("a boat, with ")
    page.locator("#edits .switch").first.click()
    wait_for(page, f"{NEXT} === 'a boat'")
    page.locator("#edits .switch").first.click()
    wait_for(page, f"{NEXT} === {suggested!r}")
    page.locator("#edits input[type=text]").first.fill("under a full moon")
    page.locator("#edits input[type=text]").first.press("Tab")
    wait_for(page, f"{NEXT} === 'a boat, under a full moon'")
    says(page, "under a full moon", "#difference ins")
    page.click("#next-round")
    cards(page, 2)
    says(page, "Round 2 is done")
    assert "moon" in page.locator("#strip .card ins").last.inner_text()
    wait_for(page, "!document.querySelector('#next-round').disabled")
    page.fill("#next-prompt textarea", "a boat " * 30 + "in a storm")
    says(page, "left out", "#difference")  # edits behind the cut would do nothing, and the page says so
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
    says(page, "Run 1", "#about")
    assert "tower" not in page.locator("#strip .strip").inner_text()
    # words unknown, too many, or hostile; nothing below them moves
    top = page.locator("#pad").bounding_box()["y"]
    page.fill("#prompt textarea", "a zeppelin over the sea")
    says(page, "unknown to this generator", "#unknown")
    assert page.locator("#unknown mark").inner_text() == "zeppelin"
    assert page.locator("#pad").bounding_box()["y"] == top
    page.fill("#prompt textarea", "a boat " * 30)
    says(page, "left out", "#unknown")
    hostile = (
        '<img src=x onerror="window.fooled=1"> zeppelin 🎈 ${window.fooled=2} {{fooled}} <script>fooled=1</script>'
    )
    page.fill("#prompt textarea", hostile)
    says(page, "unknown", "#unknown")
    set_number(page, "Rounds", 1)
    run_all(page)
    assert page.evaluate("window.fooled") is None
    page.fill("#prompt textarea", "a boat on the sea")
    wait_for(page, "document.querySelector('#unknown').innerText.trim() === ''")
    assert page.faults == []


def test_keys_seeds_and_a_run_said_before_the_server_answers(desktop, generator: FakeGenerator) -> None:
    page, held = desktop, []
    open_more(page)
    set_number(page, "Rounds", 1)
    set_number(page, "Candidates", 1)  # of several any may be the best, and its seed is shown
    # Run is the stop after the words; Enter runs, Shift+Enter is a new line
    field = page.locator("#prompt textarea")
    field.fill("a boat")
    field.press("Tab")
    assert page.evaluate("document.activeElement.id") == "run"
    field.focus()
    field.press("End")
    field.press("Shift+Enter")
    assert page.evaluate(PROMPT) == "a boat\n"
    field.fill("a boat")
    after(page, lambda: field.press("Enter"), "Done in")
    first = seed_shown(page)
    after(page, lambda: field.press("Control+Enter"), "Done in")
    wait_for(page, f"Number(document.querySelector('#about [data-seed]').dataset.seed) !== {first}")
    second = seed_shown(page)  # the same words again draw something else
    page.click("#last-seed")
    wait_for(page, f"document.querySelector('#seed input').value === '{second}'")
    run_all(page)
    wait_for(page, f"Number(document.querySelector('#about [data-seed]').dataset.seed) === {second}")
    page.click("#die")
    wait_for(page, "document.querySelector('#seed input').value === '-1'")
    # from the click to the first answer the last run's "Done" and its file stood on the page
    assert page.locator("#download").is_enabled()
    page.route("**/gradio_api/run/predict*", lambda route: held.append(route))  # the server is slow to answer
    page.click("#run")
    says(page, "Starting")
    wait_for(page, "document.querySelector('#download').disabled")
    assert "Done" not in page.locator("#status").inner_text()
    page.route("**/gradio_api/run/predict*", lambda route: route.continue_())  # the later handler goes first
    for route in held:
        route.continue_()
    says(page, "Done in")
    wait_for(page, "!document.querySelector('#download').disabled")
    # Stop stops, and the next run starts
    before = generator.steps_done
    set_number(page, "Steps", 50)
    set_number(page, "Rounds", 6)
    page.click("#run")
    says(page, "of 50")
    page.click("#stop")
    wait_for(page, "/Stopped|You left the line/.test(document.querySelector('#status').innerText)")
    stopped_at = generator.steps_done
    assert stopped_at - before < 300  # six rounds
    set_number(page, "Steps", 0)
    set_number(page, "Rounds", 1)
    run_all(page)
    assert generator.steps_done - stopped_at <= generator.default_steps + 1
    assert page.faults == []


def test_what_the_browser_keeps(desktop, address: str, generator: FakeGenerator) -> None:
    """A reload lost the prompt and the run."""
    page = desktop
    run_rounds(page, "a boat", 1)
    about = page.locator("#about .shown").inner_text()
    page.fill("#prompt textarea", "a tower in the fog")
    set_number(page, "Tolerance", 0.01)
    page.wait_for_function("window.emo.now().prompt === 'a tower in the fog' && window.emo.now().tolerance === 0.01")
    page.reload()
    page.wait_for_selector(PAD)
    wait_for(page, f"{PROMPT} === 'a tower in the fog'")
    stands_at(page, 0.9, 0)
    says(page, about, "#about")
    cards(page, 1)
    wait_for(page, "document.querySelector('#picture img')?.naturalWidth > 0")
    # in mid-run
    open_more(page)
    set_number(page, "Steps", 50)
    generator.seconds_per_step = 1.0
    try:
        page.click("#run")
        says(page, "of 50")
        page.reload()
        page.wait_for_selector(PAD)
        says(page, "of 50")
        generator.seconds_per_step = 0.0
        says(page, "Done in")
    finally:
        generator.seconds_per_step = 0.03
    says(page, "a tower in the fog", "#about")
    # what was run before, styles, undo
    page.fill("#prompt textarea", "words to lose")
    page.wait_for_function("window.emo.now().prompt === 'words to lose'")
    page.locator("[data-menu=recent] summary").click()
    page.locator("[data-menu=recent] [data-use]").first.click()
    wait_for(page, f"{PROMPT} === 'a tower in the fog'")
    page.click("[data-does=undo]")
    wait_for(page, f"{PROMPT} === 'words to lose'")
    page.locator("[data-menu=styles] summary").click()
    page.fill("[data-menu=styles] input", "bright")
    page.get_by_role("button", name="Save these settings").click()
    page.keyboard.press("Escape")
    page.click("#emotion-gloomy")
    stands_at(page, -0.65, -0.6)
    page.locator("[data-menu=styles] summary").click()
    page.locator("[data-menu=styles] [data-use=bright]").click()
    stands_at(page, 0.9, 0)
    assert page.evaluate(PROMPT) == "words to lose"
    page.locator("[data-menu=words] summary").click()
    says(page, "takes any words", "[data-menu=words] .menu")
    # a link opens the same settings in another browser
    link = page.evaluate("window.emo.link()")
    other = page.context.browser.new_context()
    try:
        guest = other.new_page()
        guest.goto(link)
        guest.wait_for_selector(PAD)
        wait_for(guest, f"{PROMPT} === 'words to lose'")
        stands_at(guest, 0.9, 0)
        assert "?" not in guest.url and guest.locator("#strip .card").count() == 0
    finally:
        other.close()
    assert page.faults == []


@pytest.mark.parametrize("width", [390, 800, 1024, 1180, 1440])
def test_run_is_always_on_screen(browser, address: str, width: int) -> None:
    """Run was off screen between 781 and 1180 px; on a phone nothing visible happened after it."""
    context = browser.new_context(viewport={"width": width, "height": 800}, has_touch=width < 500)
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(address)
    page.wait_for_selector(PAD)
    for scroll in (0, 600, 99_999):
        page.evaluate(f"window.scrollTo(0, {scroll})")
        box = page.locator("#run").bounding_box()
        assert box is not None and box["y"] >= 0 and box["y"] + box["height"] <= 800, scroll
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tabs = page.locator("[role=tab]")
    assert tabs.count() == 3 and all(tabs.nth(i).bounding_box()["x"] + 8 < width for i in range(3))  # none hides
    if width == 390:
        page.touchscreen.tap(*_middle(page, "#run"))
        wait_for(page, "Math.abs(document.querySelector('#stage').getBoundingClientRect().top) < 60")
        says(page, "Done in")
        wait_for(page, "Math.abs(document.querySelector('#stage').getBoundingClientRect().top) < 60")  # and it stays
        page.locator("#strip .card").last.scroll_into_view_if_needed()
        page.evaluate("window.scrollTo(0, 99999)")  # the bar cuts nothing off at the end of the page
        bar, last = page.locator("#actions").bounding_box(), page.locator("#comparing").bounding_box()
        assert last["y"] + last["height"] <= bar["y"]
    context.close()


def _middle(page: Any, where: str) -> tuple[float, float]:
    box = page.locator(where).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.parametrize("size", ["laptop", "phone"])
def test_from_the_page_to_a_picture_worth_keeping(request, size: str, artifacts: Path) -> None:
    """The whole of it: run, choose, let the judge go on from it, compare, keep, and find it again after a reload."""
    page = request.getfixturevalue("desktop" if size == "laptop" else "phone")
    page.fill("#prompt textarea", "a boat")
    page.click("#emotion-happy")
    says(page, "Preview in")
    page.click("#run")
    says(page, "Done in")
    if size == "laptop":  # the whole picture on the whole screen, of which the lower part was cut off
        page.locator("#picture .icon-button-wrapper button").first.click()
        page.wait_for_selector("#closer[open]")
        box = "document.querySelector('#closer img').getBoundingClientRect()"
        wait_for(page, f"{box}.top >= 0 && {box}.bottom <= innerHeight && {box}.height > 0.7 * innerHeight")
        page.keyboard.press("Escape")
        page.wait_for_selector("#closer", state="hidden")
    page.locator("#gallery [data-does=use]").first.click()
    says(page, "The judge's edits are for it now")
    page.click("#next-round")
    says(page, "is done.")
    page.get_by_role("button", name="Compare two pictures").click()
    wait_for(page, "document.querySelectorAll('#compare img').length >= 2")
    about, picture = page.locator("#about .shown").inner_text(), page.locator("#strip .card").count()
    page.screenshot(path=artifacts / f"walk-{size}.png", full_page=True)
    page.reload()
    page.wait_for_selector(PAD)
    says(page, about, "#about")
    cards(page, picture)
    wait_for(page, f"{PROMPT} === 'a boat'")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert numbers(page) == (0.8, 0.2)
    assert page.faults == []
