"""CSS of the tabs beside Create: each has its own file in its own folder."""

from pathlib import Path

TABS = ("sweep", "read", "finetune", "history", "models")


def css() -> str:
    """The rules of all of them."""
    here = Path(__file__).parent
    return "\n".join((here / tab / f"{tab}.css").read_text(encoding="utf-8") for tab in TABS)
