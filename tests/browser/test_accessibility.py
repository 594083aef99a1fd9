"""axe-core on every tab, in light and in dark colours."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes_ui import FakeGenerator, FakeJudge
from served import served, writer_in
from steps import run_rounds, says, wait_for

from emofeedback.errors import UserError

pytestmark = pytest.mark.browser


def no_job(*given: Any) -> Any:
    raise UserError("There is no fine-tuning in this test.")


@pytest.fixture(scope="module")
def address(generator: FakeGenerator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("axe")
    models, writer = (generator, FakeJudge()), writer_in(folder / "data")
    with served(lambda: models, folder, writer=writer, open_job=no_job) as address:
        yield address


def faults(page: Any) -> dict[str, list[str]]:
    """What axe calls serious or critical on the page as it is."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return {
        fault["id"]: [node["html"][:200] for node in fault["nodes"]][:4]
        for fault in found
        if fault["impact"] in ("serious", "critical")
    }


def test_no_serious_fault_on_any_tab(coloured, artifacts: Path) -> None:
    page, found = coloured, {}
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(reduced_motion="reduce")  # a card that is still fading in has too little contrast

    def look(name: str) -> None:
        page.screenshot(path=artifacts / f"{name}-{'dark' if dark else 'light'}.png", full_page=True)
        found.update({f"{name}: {fault}": nodes for fault, nodes in faults(page).items()})

    look("create-empty")
    run_rounds(page, "a zeppelin by the sea", 2)
    look("create")
    page.get_by_role("tab", name="Continuum").click()
    page.click("#sweep-draw")
    says(page, "Done", "#sweep-status")
    page.get_by_label("Blend", exact=True).first.check(force=True)
    look("continuum")
    page.get_by_role("tab", name="Read a picture").click()
    picture = artifacts / "read-me.png"
    page.locator("#read-upload").wait_for()
    picture.write_bytes(page.screenshot(clip={"x": 0, "y": 0, "width": 64, "height": 64}))
    page.set_input_files("#read-upload input[type=file]", picture)
    wait_for(page, "document.querySelector('#read-carries li, #read-carries .quiet') !== null")
    page.get_by_text("Draw it again at another mood").click()
    look("read")
    page.get_by_role("tab", name="Fine-tune").click()
    look("fine-tune")
    page.get_by_role("tab", name="History").click()
    wait_for(page, "document.querySelectorAll('#history-gallery img').length === 2")
    page.locator("#history-gallery .thumbnail-item").last.click()
    wait_for(page, "document.querySelectorAll('#history-pictures img').length === 8")
    page.click("#history-restore")
    page.wait_for_selector("#restore table")
    look("history")
    assert found == {}
    assert page.faults == []
