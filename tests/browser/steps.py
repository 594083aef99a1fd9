"""What a person does on the page, for the tests: waits are on what the page shows, never on time."""

from collections.abc import Callable
from typing import Any

from patience import PATIENCE

PAD = "#pad .pad-plane"


def wait_for(page: Any, script: str, seconds: float = PATIENCE) -> None:
    """Wait until a script is true."""
    page.wait_for_function(script, timeout=seconds * 1000)


def says(page: Any, words: str, where: str = "#status", seconds: float = PATIENCE) -> None:
    """Wait until an element's text contains the words; where it never does, the failure tells what it says."""
    try:
        wait_for(page, f"(document.querySelector({where!r})?.innerText ?? '').includes({words!r})", seconds)
    except Exception as error:
        raise AssertionError(f"{where} says {page.locator(where).inner_text()!r}, not {words!r}") from error


WATCH = """([where, words]) => {
  const element = document.querySelector(where);
  window.fresh = false;  // until the words went away, or came once more
  const says = (node) => (node.textContent || "").includes(words);
  window.watching?.disconnect();
  window.watching = new MutationObserver((changes) => {
    const nodes = changes.flatMap((one) => one.type === "characterData" ? [one.target] : [...one.addedNodes]);
    const come = nodes.some(says);
    if (come || !says(element)) window.fresh = true;
  });
  window.watching.observe(element, { childList: true, characterData: true, subtree: true });
}"""


def after(page: Any, act: Callable[[], object], words: str, where: str = "#status", seconds: float = PATIENCE) -> None:
    """Do something, then wait until an element says the words anew: those that stand from before do not count."""
    page.evaluate(WATCH, [where, words])
    act()
    wait_for(page, f"window.fresh && document.querySelector({where!r}).innerText.includes({words!r})", seconds)


def run_all(page: Any, seconds: float = PATIENCE) -> None:
    """Press Run and wait for the end of that very run."""
    after(page, lambda: page.click("#run"), "Done in", seconds=seconds)


def open_more(page: Any) -> None:
    """Unfold the rest of the controls, those for experts too; they stay unfolded."""
    if not page.get_by_label("number input for Rounds", exact=True).is_visible():
        page.get_by_role("button", name="Rounds, seed and more").click()
    page.locator(".expert-switch input").check(force=True)


NAMES = {"Valence": "Pleasant", "Arousal": "Energy", "Candidates": "Pictures"}
"""Terms of the field, and what the Create tab calls them."""


def set_number(page: Any, label: str, value: float) -> None:
    """Type a number beside a slider, named as on the page or by the field's term."""
    label = NAMES.get(label, label)
    box = page.get_by_label(f"number input for {label}", exact=True)
    for _ in range(5):  # what is typed while the page still connects may be taken back
        box.fill(str(value))
        box.press("Tab")
        if box.input_value() and float(box.input_value()) == value:
            return


def numbers(page: Any) -> tuple[float, float]:
    """Valence and arousal as the sliders hold them."""
    boxes = [page.get_by_label(f"number input for {name}", exact=True) for name in ("Pleasant", "Energy")]
    return float(boxes[0].input_value()), float(boxes[1].input_value())


def stands_at(page: Any, valence: float, arousal: float) -> None:
    """Wait until pad and sliders both stand at a point."""
    wanted = f"valence {valence:.2f}, arousal {arousal:.2f}"
    wait_for(page, f"document.querySelector('{PAD}').getAttribute('aria-valuetext') === '{wanted}'")
    for name, value in (("valence", valence), ("arousal", arousal)):
        wait_for(page, f"Math.abs(document.querySelector('#{name} input[type=number]').value - ({value})) < 1e-6")


def spot(page: Any, valence: float, arousal: float) -> tuple[float, float]:
    """Where a point of the plane is on the screen."""
    box = page.locator("#pad .ground").bounding_box()
    return box["x"] + (valence + 1) / 2 * box["width"], box["y"] + (1 - arousal) / 2 * box["height"]


def cards(page: Any, count: int) -> None:
    """Wait until the strip holds so many rounds."""
    wait_for(page, f"document.querySelectorAll('#strip .card').length === {count}")


def run_rounds(page: Any, prompt: str, rounds: int) -> None:
    """Rounds of a target far off, none of which ends the run early."""
    open_more(page)
    set_number(page, "Tolerance", 0)
    set_number(page, "Patience", 6)
    set_number(page, "Rounds", rounds)
    set_number(page, "Valence", 0.9)
    set_number(page, "Arousal", 0.0)
    page.fill("#prompt textarea", prompt)
    run_all(page)
    cards(page, rounds)
