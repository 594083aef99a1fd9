"""The page for raters, as a file without a server: keys, going on after a reload, an order of one's own, the CSV."""

from pathlib import Path

import pytest
from PIL import Image

from emofeedback.evaluation.eye.rating_set import RatingKey, gather
from emofeedback.evaluation.eye.rating_tables import read_tables
from emofeedback.evaluation.eye.write_set import write_set

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, RatingKey]:
    pictures, out = tmp_path_factory.mktemp("pictures"), tmp_path_factory.mktemp("set")
    for k in range(6):
        Image.new("RGB", (64, 64), (40 * k, 90, 200 - 30 * k)).save(pictures / f"{k}.png")
    key = gather([pictures])
    return (write_set(out, key) / "index.html").as_uri(), key


def begin(page, name: str) -> None:
    page.fill("#name", name)
    page.click("#begin")
    page.wait_for_selector("#rate:not([hidden])")


def test_a_person_rates_by_keys_and_goes_on_later(browser, made: tuple[str, RatingKey], tmp_path: Path) -> None:
    address, key = made
    context = browser.new_context(viewport={"width": 1100, "height": 800}, accept_downloads=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{address}?rater=Ann")
    assert page.input_value("#name") == "Ann"
    begin(page, "Ann")
    first = page.get_attribute("#picture", "src")
    assert page.is_disabled("#next")  # the middle is chosen, not left
    page.keyboard.press("9")
    assert page.is_disabled("#next")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    assert page.inner_text("#count") == "2 of 6"
    page.keyboard.press("Backspace")
    assert [page.input_value(f"#{axis}") for axis in ("valence", "arousal")] == ["100", "-100"]
    page.keyboard.press("ArrowLeft")  # on the first slider: a little less pleasant
    page.keyboard.press("Enter")
    page.reload()
    begin(page, "Ann")
    assert page.inner_text("#count") == "2 of 6"  # where it was left
    assert page.get_attribute("#picture", "src") != first
    for _ in range(5):
        page.keyboard.press("5")
        page.keyboard.press("7")
        page.keyboard.press("Enter")
    page.wait_for_selector("#end:not([hidden])")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "ann.csv")
    [column] = read_tables([tmp_path / "ann.csv"], key)
    assert column.name == "Ann" and column.rated() == 6
    assert sorted(map(tuple, column.ratings.tolist())) == [(0.0, 0.5)] * 5 + [(0.95, -1.0)]
    assert faults == []
    context.close()


def test_every_rater_has_an_order_of_their_own(browser, made: tuple[str, RatingKey]) -> None:
    address, _ = made
    orders = []
    for name in ("Ann", "Ben", "Cleo", "Dora", "Ann"):
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        begin(page, name)
        orders.append(page.evaluate("order.map(([id]) => id)"))
        context.close()
    assert orders[0] == orders[-1] and len({tuple(order) for order in orders}) > 2
    assert len({tuple(sorted(order)) for order in orders}) == 1
