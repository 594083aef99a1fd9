"""The main job as a new user does it: `python app.py`, three rounds with the models that ship."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE
from steps import open_more, says

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
WAIT = PATIENCE * 1000  # milliseconds


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The address of `python app.py` in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if "http://" in line:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


def test_three_rounds_of_the_shipped_models(browser, served: str, artifacts: Path) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(served)
    page.wait_for_selector("#pad .pad-plane")
    open_more(page)
    wanted = {
        "Tolerance": "0",
        "Patience": "6",
        "Pleasant": "-0.6",
        "Energy": "0.6",
        "Pictures": "2",
    }
    boxes = {page.get_by_label(f"number input for {label}", exact=True): value for label, value in wanted.items()}
    for _ in range(5):  # what is typed while the page still connects may be taken back
        for box, value in boxes.items():
            if box.input_value() != value:
                box.fill(value)
                box.press("Tab")
    assert [box.input_value() for box in boxes] == list(boxes.values())
    page.locator("#seed input").fill("0")  # the same pictures each time
    page.locator("#seed input").press("Tab")
    page.fill("#prompt textarea", "a lighthouse by the sea")
    page.click("#run")
    says(page, "Done in")
    page.screenshot(path=artifacts / "main-job.png", full_page=True)
    assert page.locator("#strip .card").count() == 3
    assert page.locator("#gallery img").count() == 2
    page.wait_for_function("document.querySelector('#picture img').naturalWidth == 512", timeout=WAIT)
    assert "Pleasant" in page.locator("#words").inner_text()
    assert page.locator("#strip ins").count() >= 1
    context.close()
