"""Viewers of a visitor's own: the form that makes one, kept by the browser between visits, handed out as files."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from pydantic import ValidationError

from emofeedback.affect import MIKELS
from emofeedback.errors import UserError
from emofeedback.files.storage import write_json
from emofeedback.rewriting.viewers import MAX_VIEWERS, Memory, Taste, Temperament, Viewer, read_viewer

MEMORIES_HINT = "fear: the night when fog hid the rocks\ncontentment: lanterns by the pond at dusk"
KEPT_AS = "emofeedback-viewers"
"""The name under which the browser keeps them. It is the key too: what a browser keeps for its owner is no secret."""


@dataclass(frozen=True)
class FormValues:
    """What was written into the form."""

    name: str | None
    who: str | None
    temperament: str | None
    valence: float
    arousal: float
    memories: str | None
    likes: str | None
    dislikes: str | None


@dataclass(frozen=True)
class ViewerForm:
    """The form's components, by the names of `FormValues`."""

    name: gr.Textbox
    who: gr.Textbox
    temperament: gr.Textbox
    valence: gr.Slider
    arousal: gr.Slider
    memories: gr.Textbox
    likes: gr.Textbox
    dislikes: gr.Textbox

    def values(self, data: Mapping[Any, Any]) -> FormValues:
        """What a listener was given of them."""
        return FormValues(**{name: data[component] for name, component in vars(self).items()})


def viewer_form() -> ViewerForm:
    """Build the form."""
    return ViewerForm(
        name=gr.Textbox(label="Name", max_length=40, elem_id="viewer-name"),
        who=gr.Textbox(label="Who this is", max_length=300, placeholder="a ferryman who hates crowds"),
        temperament=gr.Textbox(label="Temperament", max_length=300, placeholder="quiet; slow to be moved"),
        valence=gr.Slider(-0.3, 0.3, 0, step=0.05, label="Feels things more pleasantly", buttons=[]),
        arousal=gr.Slider(-0.3, 0.3, 0, step=0.05, label="Feels things more strongly", buttons=[]),
        memories=gr.Textbox(label="Memories, one a line", lines=4, max_length=4000, placeholder=MEMORIES_HINT),
        likes=gr.Textbox(label="Likes to see", max_length=400, placeholder="in fog, at dusk"),
        dislikes=gr.Textbox(label="Dislikes", max_length=400),
    )


def viewer_of(values: FormValues) -> Viewer:
    """A viewer from the form.

    Raises:
        UserError: a field is empty, too long, or not written as it must be.
    """
    found = []
    for line in (values.memories or "").splitlines():
        feeling, colon, about = line.partition(":")
        if not line.strip():
            continue
        if not colon or feeling.strip().lower() not in MIKELS:
            raise UserError(f"Begin each memory with one of {', '.join(MIKELS)}, then a colon and what it is about.")
        found.append((feeling.strip().lower(), about))
    try:
        return Viewer(
            name=values.name or "",
            who=values.who or "",
            temperament=Temperament(words=values.temperament or "", valence=values.valence, arousal=values.arousal),
            memories=tuple(Memory(emotion=feeling, about=about) for feeling, about in found),  # type: ignore[arg-type]
            taste=Taste(likes=_phrases(values.likes), dislikes=_phrases(values.dislikes)),
        )
    except ValidationError as error:
        first = error.errors()[0]
        names = {"words": "temperament", "who": "who this is", "about": "memories"}
        path = [str(part) for part in first["loc"] if not isinstance(part, int)]
        where = names.get(path[-1], path[-1]) if path else "form"
        only = "letters, digits and blanks only"
        wrong = only if first["type"] == "string_pattern_mismatch" else first["msg"].lower()
        raise UserError(f"Look at the field {where!r}: {wrong}.") from None


def _phrases(text: str | None) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in (text or "").split(",") if phrase.strip())


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
