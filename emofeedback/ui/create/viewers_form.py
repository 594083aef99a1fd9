"""The form for a viewer of one's own: its fields, and the viewer that they make."""

from typing import Any

import gradio as gr
from pydantic import ValidationError

from emofeedback.affect import MIKELS
from emofeedback.errors import UserError
from emofeedback.rewriting.viewers import Memory, Taste, Temperament, Viewer

MEMORIES_HINT = "fear: the night when fog hid the rocks\ncontentment: lanterns by the pond at dusk"


def fields() -> list[Any]:
    """Build the form."""
    likes = "in fog, at dusk"
    return [
        gr.Textbox(label="Name", max_length=40, elem_id="viewer-name"),
        gr.Textbox(label="Who this is", max_length=300, placeholder="a ferryman who hates crowds"),
        gr.Textbox(label="Temperament", max_length=300, placeholder="quiet; slow to be moved"),
        gr.Slider(-0.3, 0.3, 0, step=0.05, label="Feels things more pleasantly", buttons=[]),
        gr.Slider(-0.3, 0.3, 0, step=0.05, label="Feels things more strongly", buttons=[]),
        gr.Textbox(label="Memories, one a line", lines=4, max_length=4000, placeholder=MEMORIES_HINT),
        gr.Textbox(label="Likes to see", max_length=400, placeholder=likes),
        gr.Textbox(label="Dislikes", max_length=400),
    ]


def viewer_of(
    name: str | None,
    who: str | None,
    temper: str | None,
    valence: float,
    arousal: float,
    memories: str | None,
    likes: str | None,
    dislikes: str | None,
) -> Viewer:
    """A viewer from the form.

    Raises:
        UserError: a field is empty, too long, or not written as it must be.
    """
    found = []
    for line in (memories or "").splitlines():
        feeling, colon, about = line.partition(":")
        if not line.strip():
            continue
        if not colon or feeling.strip().lower() not in MIKELS:
            raise UserError(f"Begin each memory with one of {', '.join(MIKELS)}, then a colon and what it is about.")
        found.append((feeling.strip().lower(), about))
    try:
        return Viewer(
            name=name or "",
            who=who or "",
            temperament=Temperament(words=temper or "", valence=valence, arousal=arousal),
            memories=tuple(Memory(emotion=feeling, about=about) for feeling, about in found),  # type: ignore[arg-type]
            taste=Taste(likes=_phrases(likes), dislikes=_phrases(dislikes)),
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
