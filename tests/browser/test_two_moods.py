"""One prompt with amusement and with fear, by the models that ship: pictures, references and chains side by side."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import served
from steps import after, open_more, run_all, says, set_number, stands_at, wait_for

from emofeedback import build
from emofeedback.affect import emotion
from emofeedback.files.png_settings import read_settings
from emofeedback.settings import Settings

pytestmark = pytest.mark.browser
PROMPT = "a lighthouse by the sea"
SLOW = 180  # seconds that a busy machine may take for a run


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(lambda: build.load(Settings()), tmp_path_factory.mktemp("moods")) as address:
        yield address


def unfold(page: Any, *panels: str) -> None:
    for panel in panels:
        page.locator(f"#{panel} > button").click()


def drawn(page: Any, name: str, folder: Path) -> Path:
    """The picture of a run at an emotion, guided by references and in the viewers' words."""
    at = emotion(name)
    set_number(page, "Valence", at.valence)
    set_number(page, "Arousal", at.arousal)
    stands_at(page, at.valence, at.arousal)
    wait_for(
        page,
        f"document.querySelectorAll('#reference-cards figure').length === 3 && "
        f"document.querySelector('#reference-cards').innerText.includes('{name}')",
        SLOW,
    )
    after(page, lambda: page.click("#ask-viewers"), "8 chains", "#viewers-status", SLOW)
    run_all(page, SLOW)
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(folder / f"{name}.png")
    return folder / f"{name}.png"


def test_the_same_words_with_amusement_and_with_fear(desktop, tmp_path: Path, artifacts: Path) -> None:
    page = desktop
    page.fill("#prompt textarea", PROMPT)
    open_more(page)
    set_number(page, "Rounds", 1)
    open_more(page)
    unfold(page, "before", "company", "references")
    page.get_by_label("Guide by pictures of the emotion").first.check()
    page.get_by_label("Let viewers rewrite the prompt").check()
    found = {}
    for name in ("amusement", "fear"):
        path = drawn(page, name, tmp_path)
        wait_for(page, "document.querySelector('#picture img').naturalWidth > 0")
        figures = page.locator("#reference-cards figure")
        loaded = "all => all.every((one) => one.querySelector('img').naturalWidth > 0)"
        assert figures.count() == 3 and figures.evaluate_all(loaded)
        assert page.locator("#chains li[data-chain]").count() == 9, "eight viewers and what the director merged"
        shown = page.locator("#chains textarea").evaluate_all("all => all.map((one) => one.value)")
        assert any(name in words for words in shown)
        page.screenshot(path=artifacts / f"mood-{name}.png", full_page=True)
        settings = read_settings(path)
        assert settings.prompt is not None and PROMPT in settings.prompt and settings.visual is not None
        assert settings.visual.strength == 1.0
        found[name] = (settings, path.read_bytes())
    assert found["amusement"][0].prompt != found["fear"][0].prompt and found["amusement"][1] != found["fear"][1]
    assert page.faults == []


KEPT = "(localStorage.getItem('emofeedback-viewers') || '').length"
"""How much the browser keeps of one's own viewers. It is encrypted anew at each writing, that of an empty list when the
page opens among them, so that only its length says whether somebody is in it."""


def kept_viewers(page: Any) -> int:
    kept: int = page.evaluate(KEPT)
    return kept


def test_a_viewer_of_ones_own_is_there_after_a_reload(desktop) -> None:
    page = desktop
    unfold(page, "before", "company", "add-viewer")
    for label, words in (("Name", "Zoe"), ("Who this is", "a ferryman"), ("Temperament", "slow to be moved")):
        page.locator("#add-viewer").get_by_label(label, exact=True).fill(words)
    before = kept_viewers(page)
    page.click("#add-this-viewer")
    says(page, "Zoe has joined", "#viewers-status")
    page.wait_for_function(f"(before) => {KEPT} > before + 60", arg=before)
    page.reload()
    page.wait_for_selector("#pad .pad-plane")
    unfold(page, "before", "company", "add-viewer")
    page.get_by_label("Zoe", exact=True).first.wait_for()
    page.wait_for_selector("#own-viewers")
    with page.expect_download() as download:
        page.click("#save-viewer")
    assert json.loads(download.value.path().read_text())["who"] == "a ferryman"
    before = kept_viewers(page)
    page.click("#remove-viewer")
    says(page, "Zoe has left", "#viewers-status")
    page.wait_for_function(f"(before) => {KEPT} < before - 60", arg=before)
    page.reload()
    page.wait_for_selector("#pad .pad-plane")
    unfold(page, "before", "company", "add-viewer")
    page.wait_for_selector("#viewers")
    page.wait_for_selector("#own-viewers", state="hidden")
    assert page.locator("#viewers").get_by_label("Zoe").count() == 0
    assert page.faults == []
