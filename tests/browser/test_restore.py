"""Settings that come back into Create, never unasked; and the switch that keeps them out of saved pictures."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes_ui import FakeGenerator, FakeJudge
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from served import served, writer_in
from steps import after, numbers, run_rounds, says, set_number, stands_at, wait_for

pytestmark = pytest.mark.browser
TOLERANCE = "document.querySelector('[aria-label=\"number input for Tolerance\"]')"
PROMPT = "document.querySelector('#prompt textarea').value"


@pytest.fixture(scope="module")
def address(generator: FakeGenerator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("restore")
    with served(lambda: (generator, FakeJudge()), folder, writer=writer_in(folder / "data")) as address:
        yield address


def tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def saved(page: Any, button: str, path: Path) -> Path:
    with page.expect_download() as download:
        page.click(button)
    download.value.save_as(path)
    return path


def test_settings_come_back_from_history_and_never_unasked(desktop) -> None:
    page = desktop
    run_rounds(page, "a boat", 1)
    page.click("#star")
    says(page, "Kept", "#star")
    page.fill("#prompt textarea", "a tower of my own")
    set_number(page, "Valence", -0.5)
    stands_at(page, -0.5, 0)
    tab(page, "History")
    page.locator("#history-gallery .thumbnail-item").first.click()
    says(page, "Unpin", "#history-pin")
    page.click("#history-restore")
    page.wait_for_selector("#restore table")
    says(page, "a tower of my own", "#restore")  # what is there now, beside what would come
    says(page, "a boat", "#restore")
    page.click("#restore-no")
    page.wait_for_selector("#restore", state="hidden")
    tab(page, "Create")
    assert page.evaluate(PROMPT) == "a tower of my own" and numbers(page) == (-0.5, 0)
    tab(page, "History")
    page.click("#history-restore")
    page.wait_for_selector("#restore table")
    page.click("#restore-yes")
    wait_for(page, f"{PROMPT} === 'a boat'")  # and Create is on the page again
    page.wait_for_selector("#prompt textarea")
    stands_at(page, 0.9, 0)
    says(page, "a boat", "#about q")  # a preview of them, not the picture of other words
    assert page.faults == []


def test_settings_come_back_from_a_dropped_picture(desktop, tmp_path: Path) -> None:
    page = desktop
    run_rounds(page, "a boat on a lake", 1)
    ours = saved(page, "#download", tmp_path / "ours.png")
    info = PngInfo()
    info.add_text("parameters", "an owl at night\nNegative prompt: blur\nSteps: 20, CFG scale: 7, Seed: 41, Model: x")
    theirs = tmp_path / "theirs.png"
    Image.new("RGB", (8, 8)).save(theirs, pnginfo=info)
    page.fill("#prompt textarea", "words that I want to keep")
    set_number(page, "Tolerance", 0.3)
    for path, words in ((ours, "a boat on a lake"), (theirs, "an owl at night")):
        tab(page, "History")
        page.set_input_files("#history-drop input[type=file]", path)
        page.wait_for_selector("#restore table")
        says(page, words, "#restore")
        assert page.evaluate(PROMPT) != words
        page.click("#restore-yes")
        wait_for(page, f"{PROMPT} === {words!r}")
        wait_for(page, f"{TOLERANCE}.value === '0'")  # of our own run
        tab(page, "History")
        page.get_by_label("Clear").first.click()
    tab(page, "Create")
    wait_for(page, "document.querySelector('#seed input').value === '41'")
    (tmp_path / "bare.png").write_bytes(theirs.read_bytes()[:60])
    tab(page, "History")
    page.set_input_files("#history-drop input[type=file]", tmp_path / "bare.png")
    page.get_by_text("is damaged or cut off").wait_for()
    assert page.faults == []


def address_of(page: Any, where: str) -> str:
    """Where the first picture comes from."""
    return page.locator(where).first.get_attribute("src")


def another(page: Any, where: str, before: dict[str, str]) -> None:
    """Wait until the first picture is no longer the one from before."""
    wait_for(page, f"document.querySelector({where!r}) && document.querySelector({where!r}).src !== {before[where]!r}")


def chunks(content: bytes) -> set[str]:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return {name for name in image.info if name in ("parameters", "emofeedback")}


def test_without_metadata_no_saved_picture_tells_anything(desktop, tmp_path: Path, address: str) -> None:
    page, everything = desktop, {"parameters", "emofeedback"}
    run_rounds(page, "a secret boat", 1)
    assert chunks(saved(page, "#download", tmp_path / "with.png").read_bytes()) == everything
    tab(page, "Continuum")
    set_number(page, "Grid", 3)
    page.click("#sweep-draw")
    says(page, "Done. Press", "#sweep-status")
    tab(page, "Read a picture")
    page.set_input_files("#read-upload input[type=file]", tmp_path / "with.png")
    says(page, "reads as", "#read-words")
    page.get_by_text("Draw it again at another mood").click()
    page.click("#read-draw")
    says(page, "Done.", "#read-status")
    wait_for(page, "document.querySelectorAll('#read-gallery img').length >= 4")
    before = {where: address_of(page, where) for where in ("#sweep-picture img", "#read-gallery img")}

    tab(page, "History")
    page.get_by_label("Settings inside saved PNGs").uncheck()
    tab(page, "Create")  # what was drawn before follows
    says(page, "nothing inside", "#download")
    assert chunks(saved(page, "#download", tmp_path / "without.png").read_bytes()) == set()
    shown = page.locator("#picture img, #compare img").evaluate_all("all => all.map((one) => one.src)")
    assert shown and all(chunks(httpx.get(src).content) == set() for src in shown)
    row = page.locator("#gallery img").evaluate_all("all => all.map((one) => one.src)")
    assert len(row) == 4 and all(src.startswith("data:image/jpeg") for src in row)
    tab(page, "Continuum")
    another(page, "#sweep-picture img", before)  # the sheet's files were written anew
    archive = zipfile.ZipFile(saved(page, "#sweep-files", tmp_path / "sweep.zip"))
    cells = [name for name in archive.namelist() if name.endswith(".png")]
    assert len(cells) == 10 and all(chunks(archive.read(name)) == set() for name in cells)
    tab(page, "Read a picture")
    another(page, "#read-gallery img", before)
    shown = page.locator("#read-gallery img").evaluate_all("all => all.map((one) => one.src)")
    assert shown and all(chunks(httpx.get(src).content) == set() for src in shown)
    tab(page, "Create")
    after(page, lambda: page.click("#emotion-serene"), "Preview in")
    assert chunks(saved(page, "#download", tmp_path / "preview.png").read_bytes()) == set()

    tab(page, "History")
    page.get_by_label("Settings inside saved PNGs").check()
    tab(page, "Create")
    wait_for(page, "!document.querySelector('#download').innerText.includes('nothing inside')")
    again = saved(page, "#download", tmp_path / "again.png").read_bytes()
    assert chunks(again) == everything
    with Image.open(io.BytesIO(again)) as image:
        assert json.loads(image.info["emofeedback"])["request"]["prompt"].startswith("a secret boat")
    assert page.faults == []
