"""Files that a caller names: only those in gradio's own upload folder, for every endpoint and every event of the page.

gradio (6.31) looks only at file descriptions that carry its `meta`, takes others as they are, and tells the path of
what it refuses. Here each description is looked at before gradio does anything with it, and one sentence is said.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

REFUSED = "Upload the file first; this host reads only files that were uploaded to it."
WEB = ("http://", "https://")


class GuardedBlocks(gr.Blocks):
    """A page whose events take uploaded files only.

    Attributes:
        fetches: whether a caller may give a file's web address, which gradio then downloads; never one inside the
            host's own network. Such a download has no limit of size, so that a public host does without.
    """

    fetches = True

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """What a listener is given: the one place that values from the page, the API and MCP come by.

        Raises:
            gr.Error: a file was not uploaded.
        """
        if not explicit_call:  # the host's own code calls a page like a function
            check_files(inputs, self.fetches)
        found: list[Any] = await super().preprocess_data(block_fn, inputs, state, explicit_call)
        return found


def check_files(values: Sequence[Any], fetches: bool = False) -> None:
    """Refuse values that name a file which was not uploaded.

    Args:
        values: as they came, JSON of any depth.
        fetches: web addresses are taken where gradio downloads them: in a description with its `meta`.

    Raises:
        gr.Error: always the same sentence, whether there is such a file or not.
    """
    for described in _descriptions(values):
        path = described["path"]
        web = isinstance(path, str) and path.startswith(WEB)
        if not (fetches and _has_meta(described) if web else is_uploaded(path)):
            raise gr.Error(REFUSED, title="Please check", print_exception=False)


def is_uploaded(path: object) -> bool:
    """Whether a path is that of a regular file in the upload folder. The disk is not asked about any other path."""
    if not isinstance(path, str):
        return False
    try:
        folder, file = Path(os.path.abspath(get_upload_folder())), Path(os.path.abspath(path))
        inside = file.is_relative_to(folder) and file.resolve().is_relative_to(folder.resolve())
        return inside and file.is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def _descriptions(values: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """All dicts with a path. Not recursive: a caller chooses how deep their JSON is."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("path") is not None:
                yield value
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)


def _has_meta(described: dict[str, Any]) -> bool:
    meta = described.get("meta")
    return isinstance(meta, dict) and meta.get("_type") == "gradio.FileData"
