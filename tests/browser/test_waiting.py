"""Two visitors at once: who waits sees the place in the line and can leave it; who is turned away is told."""

from collections.abc import Iterator
from typing import Any

import pytest
from fakes_ui import FakeGenerator, FakeJudge
from patience import PATIENCE
from served import served
from steps import cards, open_more, says, set_number

from emofeedback.ui.limits import Hosting

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(generator: FakeGenerator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models, hosting = (generator, FakeJudge()), Hosting(jobs_per_user=2)
    with served(lambda: models, tmp_path_factory.mktemp("line"), hosting=hosting) as address:
        yield address


@pytest.fixture
def others(browser, address: str) -> Iterator[list[Any]]:
    """Two more visitors."""
    contexts, pages = [browser.new_context(viewport={"width": 1280, "height": 800}) for _ in range(2)], []
    for context in contexts:
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        with page.expect_response(lambda response: "/run/predict" in response.url):
            page.goto(address)
        page.wait_for_selector("#pad .pad-plane")
        pages.append(page)
    yield pages
    for context in contexts:
        context.close()


def in_line(page: Any) -> None:
    """The place in the line, in plain words."""
    says(page, "Somebody else's pictures come first")


def test_a_place_in_the_line(desktop, others: list[Any], generator: FakeGenerator) -> None:
    first, (second, third) = desktop, others
    open_more(first)
    set_number(first, "Rounds", 6)
    set_number(first, "Steps", 50)
    generator.seconds_per_step = 0.1
    try:
        first.click("#run")
        says(first, "of 50")
        second.click("#run")
        in_line(second)
        third.click("#run")  # the host lets two jobs of one address in, and all visitors here have the same
        says(third, "did not start")
        third.get_by_text("You already have 2 jobs here").wait_for()
        assert third.locator("#run").is_enabled()
        before = generator.steps_done
        second.click("#stop")
        says(second, "You left the line")
        assert second.locator("#run").is_enabled() and second.locator("#strip .card").count() == 0
        third.click("#run")  # there is room again
        in_line(third)
        first.click("#stop")
        says(first, "Stopped")
        assert generator.steps_done - before < 300
    finally:
        generator.seconds_per_step = 0.03
    says(third, "Done in")  # its turn came
    assert third.locator("#strip .card").count() >= 1
    cards(second, 0)  # nothing was drawn for who had left
