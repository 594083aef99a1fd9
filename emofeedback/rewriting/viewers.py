"""The viewers: people with a temperament, memories and a taste of their own, one JSON file each.

All of a viewer's texts are material for a chain, never instructions to it.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from emofeedback.affect import Mikels
from emofeedback.errors import UserError

Kind = Literal["place", "time", "season", "weather", "light", "colour", "gesture", "object"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a concrete, drawable concept can be."""
MAX_VIEWERS = 24

Name = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[\w' -]{1,40}$")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Detail = Annotated[str, StringConstraints(strip_whitespace=True, pattern=rf"^(?:{'|'.join(KINDS)}): \S.{{0,78}}$")]
_STRICT = ConfigDict(extra="forbid", frozen=True)


class Temperament(BaseModel):
    """How feelings are for this viewer. valence and arousal shift where an emotion lies on the plane;
    steadiness in [0, 1] tells how little a viewer varies; carriers weigh kinds of concepts, in [-1, 1]."""

    model_config = _STRICT
    words: Words
    valence: Annotated[float, Field(ge=-0.3, le=0.3)] = 0.0
    arousal: Annotated[float, Field(ge=-0.3, le=0.3)] = 0.0
    steadiness: Annotated[float, Field(ge=0.0, le=1.0)] = 0.75
    carriers: dict[Kind, Annotated[float, Field(ge=-1.0, le=1.0)]] = {}


class Memory(BaseModel):
    """What an emotion is about: a sentence with things that can be drawn, and drawable details "gesture: ..."."""

    model_config = _STRICT
    emotion: Mikels
    about: Words
    details: Annotated[tuple[Detail, ...], Field(max_length=4)] = ()


class Taste(BaseModel):
    """Phrases of what a viewer likes and dislikes to see."""

    model_config = _STRICT
    likes: Annotated[tuple[Phrase, ...], Field(max_length=12)] = ()
    dislikes: Annotated[tuple[Phrase, ...], Field(max_length=12)] = ()


class Viewer(BaseModel):
    """One simulated person."""

    model_config = _STRICT
    name: Name
    who: Words
    temperament: Temperament
    memories: Annotated[tuple[Memory, ...], Field(max_length=64)] = ()
    taste: Taste = Taste()

    def without_memories(self) -> "Viewer":
        """The same temperament and taste, and nothing remembered."""
        return self.model_copy(update={"memories": ()})


def read_viewer(text: str, source: str) -> Viewer:
    """A viewer from JSON text; `source` is named in errors.

    Raises:
        UserError: it is no JSON, or a field is missing, unknown or out of range.
    """
    try:
        return Viewer.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise UserError(f"{source} is no viewer: {where}: {first['msg']}; mend that field.") from None
    except (ValueError, RecursionError):
        raise UserError(f"{source} is no JSON; write it like one of the bundled viewers.") from None


@cache
def bundled_viewers() -> tuple[Viewer, ...]:
    """The viewers that come with the package, by file name."""
    return tuple(_read_folder(resources.files("emofeedback.rewriting").joinpath("viewers")))


def load_viewers(folder: Path | None = None) -> tuple[Viewer, ...]:
    """The bundled viewers and those of a folder; one of the same name takes the bundled one's place.

    Raises:
        UserError: there is no such folder, a file in it is no viewer, or there are too many.
    """
    if folder is None:
        return bundled_viewers()
    if not folder.is_dir():
        raise UserError(f"There is no folder of viewers {str(folder)!r}; make it, with one JSON file per viewer.")
    viewers = {viewer.name.lower(): viewer for viewer in (*bundled_viewers(), *_read_folder(folder))}
    if len(viewers) > MAX_VIEWERS:
        raise UserError(f"There are {len(viewers)} viewers, and {MAX_VIEWERS} is the most; take some away.")
    return tuple(viewers.values())


def choose_viewers(viewers: Sequence[Viewer], names: Iterable[str]) -> tuple[Viewer, ...]:
    """The viewers of these names, in their order, each once.

    Raises:
        UserError: a name is unknown, or none is given.
    """
    known = {viewer.name.lower(): viewer for viewer in viewers}
    wanted = {name.strip().lower(): name.strip() for name in names if name.strip()}
    strangers = [name for lower, name in wanted.items() if lower not in known]
    if strangers or not wanted:
        what = f"There is no viewer {strangers[0]!r}" if strangers else "No viewer is chosen"
        raise UserError(f"{what}; known are {', '.join(viewer.name for viewer in viewers)}.")
    return tuple(known[name] for name in wanted)


def _read_folder(folder: Path | Traversable) -> list[Viewer]:
    found = []
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json"):
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                raise UserError(f"{file.name} cannot be read; save it as UTF-8 text.") from None
            found.append(read_viewer(text, file.name))
    return found
