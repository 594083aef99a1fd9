"""Number boxes: what the page does in the browser (numbers.js), and what a handler does with a value all the same.

The browser keeps bad text from the components; a program that calls the page's listeners, or an older browser, may
still send it. A handler reads each box by `number` or `whole`, so that the person is told which box is wrong.
"""

import math
from pathlib import Path
from typing import Any

from emofeedback.errors import UserError


def head() -> str:
    """For the page's head: guards every number box of every tab."""
    return f"<script>{Path(__file__).with_name('numbers.js').read_text(encoding='utf-8')}</script>"


def number(value: Any, name: str, low: float, high: float) -> float:
    """A box's value as a finite number in [low, high]; text may have a decimal comma.

    Raises:
        UserError: it is none; the sentence names the box and its range.
    """
    found = _parsed(value)
    if found is None or not low <= found <= high:
        raise UserError(f"{name} must be a number from {low:g} to {high:g}{_instead(value)}.")
    return found


def whole(value: Any, name: str, low: int, high: int) -> int:
    """A box's value as a whole number in [low, high].

    Raises:
        UserError: it is none; the sentence names the box and its range.
    """
    found = _parsed(value)
    if found is None or found != math.floor(found) or not low <= found <= high:
        raise UserError(f"{name} must be a whole number from {low} to {high}{_instead(value)}.")
    return int(found)


def _parsed(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value.strip().replace("−", "-").replace(",", "."))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def _instead(value: Any) -> str:
    return ", but the box is empty" if value is None or value == "" else f", not {str(value)[:40]!r}"
