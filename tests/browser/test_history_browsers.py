"""History in two browsers: it survives a restart of the studio, and nobody sees another's runs."""

import socket
from pathlib import Path
from typing import Any

from fakes_ui import FakeGenerator, FakeJudge
from patience import PATIENCE
from served import writer_in
from steps import run_rounds, says, wait_for

from emofeedback.ui.app import StudioOptions, launch

SHOWN = "document.querySelectorAll('#history-gallery img').length"


def serve(data: Path, files: Path, port: int) -> Any:
    files.mkdir(exist_ok=True)
    writer = writer_in(data)
    page, address = launch(
        lambda: (FakeGenerator(), FakeJudge()),
        StudioOptions(example=files / "none", files=files, writer=writer),
        block=False,
        port=port,
    )
    return page, address, writer


def visit(context: Any, address: str) -> Any:
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    with page.expect_response(lambda response: "/run/predict" in response.url):
        page.goto(address)
    page.wait_for_selector("#pad .pad-plane")
    return page


def test_a_run_is_there_after_a_restart_and_for_its_owner_alone(browser, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mine, other = browser.new_context(), browser.new_context()
    studio, address, writer = serve(tmp_path / "data", tmp_path / "files", port)
    try:
        run_rounds(visit(mine, address), "a zeppelin by the sea", 1)
        writer.settle()
    finally:
        studio.close()
    studio, address, _ = serve(tmp_path / "data", tmp_path / "files", port)
    try:
        page = visit(mine, address)
        page.get_by_role("tab", name="History").click()
        wait_for(page, f"{SHOWN} === 1")
        says(page, "happy · today", "#history-gallery")
        search = page.locator("#history-words :is(input, textarea)")
        for words, found in (("gloomy", 0), ("happy zeppelin", 1)):  # a mood found nothing before
            search.fill(words)
            wait_for(page, f"{SHOWN} === {found}")
        page.locator("#history-gallery .thumbnail-item").first.click()
        wait_for(page, "document.querySelectorAll('#history-pictures img').length === 4")
        page.locator("#history-pictures .thumbnail-item").first.click()
        large = "#history-pictures .preview .media-button img"
        first = page.locator(large).get_attribute("src")
        assert "a-zeppelin-by-the-sea-happy-seed-" in first
        page.keyboard.press("ArrowRight")
        wait_for(page, f"document.querySelector({large!r}).src !== {first!r}")
        stranger = visit(other, address)
        stranger.get_by_role("tab", name="History").click()
        says(stranger, "Nothing here yet", "#history-note")
        assert stranger.evaluate(SHOWN) == 0
    finally:
        studio.close()
        mine.close()
        other.close()
