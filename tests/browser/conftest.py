"""The studio with tiny stand-ins for the models, and the system's Chromium; skipped where there is none."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes_ui import FakeGenerator, FakeJudge
from patience import PATIENCE
from served import served

ARTIFACTS = Path(__file__).resolve().parents[1] / "artifacts"
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots are kept."""
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS


@pytest.fixture(scope="module")
def generator() -> FakeGenerator:
    return FakeGenerator(seconds_per_step=0.03)


@pytest.fixture(scope="module")
def address(generator: FakeGenerator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(lambda: (generator, FakeJudge()), tmp_path_factory.mktemp("studio")) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator:
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium here")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield running
        running.close()


@pytest.fixture
def desktop(browser, address: str) -> Iterator:
    """A fresh page of 1440 x 900."""
    yield from _open(browser, address, 1440, 900)


@pytest.fixture
def phone(browser, address: str) -> Iterator:
    """A fresh page of 390 x 844, with a finger for a pointer."""
    yield from _open(browser, address, 390, 844, has_touch=True)


@pytest.fixture(params=["light", "dark"])
def coloured(request, browser, address: str) -> Iterator:
    """A fresh page of 1440 x 900, once in light colours and once in dark ones."""
    yield from _open(browser, address, 1440, 900, color_scheme=request.param)


def _open(browser, address: str, width: int, height: int, **options) -> Iterator:
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    with page.expect_response(lambda response: "/run/predict" in response.url):  # the page listens from then on
        page.goto(address)
    page.wait_for_selector("#pad .pad-plane")
    yield page
    context.close()
