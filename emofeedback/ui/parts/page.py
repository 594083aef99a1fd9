"""What the page as a whole does in the browser: what it keeps there, its keys, and its guard on number boxes."""

from pathlib import Path

from emofeedback.ui.parts import numbers


def head() -> str:
    """For the page's head (page.js, numbers.js)."""
    return f"<script>{Path(__file__).with_name('page.js').read_text(encoding='utf-8')}</script>{numbers.head()}"
