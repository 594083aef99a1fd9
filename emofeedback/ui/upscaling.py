"""Large pictures on the page: the upscaler of the generator at hand, the files that are shown, and the switch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.storage import png_bytes, write_whole
from emofeedback.protocols import Upscaler
from emofeedback.records import Picture, Reading
from emofeedback.ui.session import Models, Visits

LABEL = "Upscale"
INFO = "what you see large and keep; the judge reads the picture as it was drawn"


def upscaler_of(models: Models) -> Upscaler | None:
    """What enlarges pictures of the loaded generator; None without a generator, or where it has none."""
    pair = models.peek()
    return None if pair is None else getattr(pair[0], "upscaler", None)


def picture_file(
    picture: Picture,
    reading: Reading | None,
    path: Path,
    settings: Mapping[str, object],
    large: LargePictures = LargePictures(),  # noqa: B008 (frozen)
    *,
    chosen: bool = True,
    idle: bool = False,
) -> str:
    """A picture as a file for the page, in the size in which a person sees it; the path that it got.

    A file is written once: shown files never change. An enlarged one has a name of its own, so that both may stand.

    Args:
        path: of the picture as it was drawn; begins with "plain-" where the settings are left out.
        chosen: as for `LargePictures.upscaling`.
        idle: the models are not this visitor's just now: an upscaler that is not quick does nothing new.
    """
    done, upscaler = large.upscaling(picture, chosen), large.upscaler
    if done is not None and upscaler is not None:
        enlarged = path.with_stem(f"{path.stem}-x{done.scale}")
        if enlarged.exists():
            return str(enlarged)
        if upscaler.quick or not idle:
            [picture], path = large.of([picture]), enlarged
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        metadata = not path.name.startswith("plain-")
        write_whole(path, png_bytes(picture, reading, metadata=metadata, settings=settings))
    return str(path)


def upscale_switch() -> gr.Checkbox:
    """The switch, to be built among Create's settings; it shows where there is an upscaler."""
    return gr.Checkbox(True, label=LABEL, info=INFO, visible=False, elem_id="upscale")


def follow_switch(page: gr.Blocks, switch: gr.Checkbox, models: Models, visits: Visits) -> Any:
    """Show the switch where it does something and listen to it; what shows pictures anew hangs on the answer."""
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

    def offered() -> Any:
        models.trouble(wait=20)
        return gr.update(visible=upscaler_of(models) is not None)

    def switched(on: bool, request: gr.Request) -> None:
        visits.of(request).upscale = bool(on)

    page.load(offered, None, [switch], **quick)
    return switch.input(switched, [switch], None, **quick)
