"""Viewers of a visitor's own: kept by the browser between visits, checked when they come back, handed out as files."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.errors import UserError
from emofeedback.files.storage import write_json
from emofeedback.rewriting.viewers import MAX_VIEWERS, Viewer, read_viewer

KEPT_AS = "emofeedback-viewers"
"""The name under which the browser keeps them. It is the key too: what a browser keeps for its owner is no secret."""


def browser_kept() -> gr.BrowserState:
    """The browser's store of them."""
    return gr.BrowserState([], storage_key=KEPT_AS, secret=KEPT_AS)


def joined(company: Sequence[Viewer], own: Sequence[Viewer]) -> tuple[Viewer, ...]:
    """The company with a visitor's own, who take the place of others of the same name.

    Raises:
        UserError: they are too many.
    """
    names = {viewer.name.lower() for viewer in own}
    viewers = (*(viewer for viewer in company if viewer.name.lower() not in names), *own)
    if len(viewers) > MAX_VIEWERS:
        raise UserError(f"There are {MAX_VIEWERS} viewers already; give one of their names to replace that one.")
    return viewers


def kept_json(own: Sequence[Viewer]) -> list[Any]:
    """What the browser is given to keep."""
    return [viewer.model_dump(mode="json") for viewer in own]


def kept_viewers(kept: Any, company: Sequence[Viewer]) -> tuple[tuple[Viewer, ...], list[str]]:
    """What a browser kept: the sound ones, and a sentence for what is left out."""
    if not isinstance(kept, list):
        return (), ["The viewers that this browser kept are damaged and were left out; add them again."] if kept else []
    own: dict[str, Viewer] = {}
    told = []
    for number, item in enumerate(kept[:MAX_VIEWERS], 1):
        try:
            viewer = read_viewer(json.dumps(item), f"Viewer {number} that this browser kept")
            joined(company, [*(known for name, known in own.items() if name != viewer.name.lower()), viewer])
        except UserError as error:
            told.append(f"{str(error).rstrip('.')}. It was left out.")
            continue
        own[viewer.name.lower()] = viewer
    return tuple(own.values()), told


def written(viewer: Viewer, folder: Path) -> Path:
    """A viewer as a JSON file in a folder, like the bundled ones."""
    name = re.sub(r"[^a-z0-9]+", "-", viewer.name.lower()).strip("-") or "viewer"
    path = folder / f"{name}.json"
    write_json(path, viewer.model_dump(mode="json"))
    return path
