"""A first visit: make a picture, see why the judge disagrees, mend it in two clicks, download it."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes_ui import MOODS, FakeGenerator, FakeJudge
from PIL import Image
from served import served
from steps import cards, open_more, run_all, says, set_number, wait_for

from emofeedback.affect import Affect
from emofeedback.records import Attempt, Critique, Edit
from emofeedback.ui.app import EXAMPLE

pytestmark = pytest.mark.browser
FOLD = 900  # height of the page in pixels: what lies above is seen without scrolling


class GenerousJudge(FakeJudge):
    """Advises two words at once."""

    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        first = super().advise(attempts, target)
        if first is None or not first.edits:
            return first
        other = next(word for word in MOODS if word not in first.edits[0].new and word not in attempts[-1].prompt)
        return Critique(first.analysis, first.carries, (*first.edits, Edit("add", new=f"with {other}")))


@pytest.fixture(scope="module")
def address(generator: FakeGenerator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(lambda: (generator, GenerousJudge()), tmp_path_factory.mktemp("first"), example=EXAMPLE) as address:
        yield address


def seen_at_once(page: Any, *elements: str) -> None:
    """Each of the elements lies on the first screen."""
    for element in elements:
        box = page.locator(element).first.bounding_box()
        assert box is not None and box["y"] >= 0 and box["y"] + min(box["height"], 40) <= FOLD, element


def away(page: Any) -> list[float]:
    """How far from the target each round of the list is, by its card."""
    return [float(re.findall(r"[\d.]+", words)[0]) for words in page.locator("#strip .near").all_text_contents()]


def one_round(page: Any) -> None:
    """A run of one round: step by step."""
    open_more(page)
    set_number(page, "Rounds", 1)
    run_all(page, 120)


def walk(page: Any, words: str, mood: str, folder: Path) -> Path:
    """The whole visit; the downloaded file."""
    page.fill("#prompt textarea", words)
    page.click(f"#emotion-{mood}")
    says(page, "Preview in")
    one_round(page)
    # why the judge disagrees: in plain words, beside the picture
    says(page, f"You asked for {mood}", "#words")
    assert page.locator("#words .verdict.differs em").inner_text()
    seen_at_once(page, "#picture", "#words .verdict", "#words blockquote", "#download", "#edits li", "#gallery img")
    beside = [page.locator(name).bounding_box()["x"] for name in ("#picture", "#words")]
    assert beside[0] < beside[1]
    if page.locator("[data-all=on]").count():
        page.click("[data-all=on]")  # click one: take all edits (they are taken as they come, too)
    page.click("#next-round")  # click two
    says(page, "Round 2 is done")
    cards(page, 2)
    wait_for(page, "document.querySelector('#picture img').naturalWidth > 0")
    with page.expect_download() as download:
        page.click("#download")
    path = folder / "picture.png"
    download.value.save_as(path)
    return path


def test_a_first_visit(desktop, tmp_path: Path, artifacts: Path) -> None:
    page = desktop
    says(page, "An example run", "#status")  # not an empty page
    assert page.locator("#strip .card").count() == 2
    path = walk(page, "a boat", "happy", tmp_path)
    before, after = away(page)
    assert after < before
    with Image.open(path) as image:
        assert " with " in json.loads(image.info["emofeedback"])["request"]["prompt"]
    page.screenshot(path=artifacts / "first-minute.png")
    assert page.faults == []


def test_all_edits_at_once(desktop) -> None:
    page = desktop
    page.fill("#prompt textarea", "a boat")
    one_round(page)
    assert page.locator("#edits li.on").count() == 2
    suggested = page.locator("#next-prompt textarea").input_value()
    page.click("[data-all=off]")
    wait_for(page, "document.querySelector('#next-prompt textarea').value === 'a boat'")
    assert page.locator("#edits li.off").count() == 2
    page.click("[data-all=on]")
    wait_for(page, f"document.querySelector('#next-prompt textarea').value === {suggested!r}")
