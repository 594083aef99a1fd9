"""What history keeps of a run or a sweep: its pictures as PNG, and everything else as one JSON record."""

import io
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Literal

from PIL import Image

from emofeedback import __version__
from emofeedback.errors import UserError
from emofeedback.files.picture_names import picture_names
from emofeedback.files.png_settings import RUN_SETTINGS, PictureSettings, settings_from
from emofeedback.files.run_json import Digits4, JsonRecord, ReadingJson, RequestJson, candidate_name, run_json
from emofeedback.files.storage import image_bytes, png_bytes
from emofeedback.records import Reading, Run
from emofeedback.sweep.run_sweep import Sweep, cell_name
from emofeedback.sweep.sheets import sheet

Kind = Literal["feedback", "picture", "sheet", "path"]
KINDS: tuple[Kind, ...] = ("feedback", "picture", "sheet", "path")
SCALE = "valence and arousal on the scene scale, -1 to 1: an expressed emotion as a model rates it, not a felt one"
THUMBNAIL = "thumbnail.jpg"
BOARD = "sheet.png"
THUMBNAIL_SIDE = 640  # pixels: sharp where a list shows it on 320 of a fine screen


@dataclass(frozen=True, slots=True)
class Extent:
    """The targets of a run: one point, or the part of the plane that a sheet covers."""

    valence: tuple[float, float]
    arousal: tuple[float, float]


def kind_of(made: Run | Sweep) -> Kind:
    """Which kind of thing it is in history."""
    if isinstance(made, Sweep):
        return "sheet" if len(made.pictures) > 1 else "path"
    single = len(made.rounds) == 1 and len(made.rounds[0].candidates) == 1 and made.rounds[0].critique is None
    return "picture" if single else "feedback"


def check_kept(made: Run | Sweep) -> None:
    """Raise UserError when there is nothing to keep."""
    pictures = made.cells() if isinstance(made, Sweep) else [c for r in made.rounds for c in r.candidates]
    if not pictures:
        raise UserError("A run without pictures is not kept; draw at least one round.")


def extent_of(made: Run | Sweep) -> Extent | None:
    """The targets; None for a sheet without any."""
    if isinstance(made, Run):
        at = made.target
        return Extent((at.valence, at.valence), (at.arousal, at.arousal))
    targets = [p.request.affect for p in made.cells() if p.request.affect is not None]
    if not targets:
        return None
    valence, arousal = [t.valence for t in targets], [t.arousal for t in targets]
    return Extent((min(valence), max(valence)), (min(arousal), max(arousal)))


def words_of(made: Run | Sweep) -> str:
    """All words to search in, folded: prompts, what the judge saw and said."""
    words = [made.prompt]
    if isinstance(made, Run):
        for item in made.rounds:
            words += [c.picture.request.prompt for c in item.candidates]
            words += _seen([c.reading for c in item.candidates])
            if item.critique is not None:
                words += [item.critique.analysis, *item.critique.carries]
                words += [part for edit in item.critique.edits for part in (edit.old, edit.new)]
    else:
        words += _seen(made.readings)
    return "\n".join(dict.fromkeys(words)).casefold()


def _seen(readings: Sequence[Reading | None]) -> list[str]:
    return [word for reading in readings if reading is not None for word in reading.words()]


def record_of(made: Run | Sweep, key: str, created: float, revisions: Mapping[str, str]) -> dict[str, Any]:
    """The JSON record.

    Args:
        created: seconds since 1970.
        revisions: of the models, by "generator" and "judge".
    """
    body = run_json(made, requests=True) if isinstance(made, Run) else _sweep_record(made)
    models = {part: {"name": body[part], "revision": revisions.get(part)} for part in ("generator", "judge")}
    return {
        "id": key,
        "kind": kind_of(made),
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created)),
        "scale": SCALE,
        "models": models,
        **body,
    }


class CellJson(JsonRecord):
    """A picture of a sheet or path; rows and columns count from 1."""

    image: str
    row: int
    column: int
    reading: ReadingJson | None
    distance: Digits4 | None
    request: RequestJson
    model: str


class SweepRecord(JsonRecord):
    """A whole sheet or path."""

    prompt: str
    cells: list[CellJson]
    continuity: dict[str, dict[str, int | float]]
    generator: str
    judge: str | None
    version: str = __version__


def _sweep_record(made: Sweep) -> dict[str, Any]:
    columns, cells = len(made.pictures[0]), []
    for index, (picture, reading) in enumerate(zip(made.cells(), made.readings, strict=True)):
        target = picture.request.affect
        cells.append(
            CellJson(
                image=cell_name(index, columns),
                row=index // columns + 1,
                column=index % columns + 1,
                reading=None if reading is None else ReadingJson.of(reading),
                distance=None if reading is None or target is None else reading.affect.distance(target),
                request=RequestJson.of(picture.request),
                model=picture.model,
            )
        )
    return SweepRecord(
        prompt=made.prompt,
        cells=cells,
        continuity={name: asdict(figure) for name, figure in made.figures.items()},
        generator=made.generator,
        judge=made.judge or None,
    ).as_json()


def files_of(made: Run | Sweep) -> dict[str, bytes]:
    """File name -> content of all pictures, and of a small one of the best."""
    if isinstance(made, Run):
        best = made.best()
        shown = (best or made.rounds[0].candidates[0]).picture.image
        files = {
            candidate_name(done.number, i): png_bytes(c.picture, c.reading, settings=made.settings)
            for done in made.rounds
            for i, c in enumerate(done.candidates)
        }
    else:
        board, columns = sheet(made.pictures), len(made.pictures[0])
        shown = _mosaic(made)
        pairs = zip(made.cells(), made.readings, strict=True)
        files = {cell_name(i, columns): png_bytes(picture, reading) for i, (picture, reading) in enumerate(pairs)}
        files[BOARD] = image_bytes(board)
    return files | {THUMBNAIL: _thumbnail(shown)}


def _mosaic(made: Sweep) -> Image.Image:
    """A square of pictures from all over a sheet or path, without the words beside them: what a list shows of it."""
    rows, count = made.pictures, len(made.pictures[0])
    if len(rows) > 1:
        side = min(4, len(rows), count)
        places = [round(i * (len(rows) - 1) / (side - 1)) for i in range(side)]
        across = [round(i * (count - 1) / (side - 1)) for i in range(side)]
        chosen = [rows[row][column] for row in places for column in across]
    else:
        side = 3 if count >= 9 else 2 if count >= 4 else 1
        last = side * side - 1
        chosen = [rows[0][round(i * (count - 1) / last) if last else 0] for i in range(side * side)]
    size = THUMBNAIL_SIDE // side
    drawn = Image.new("RGB", (side * size, side * size))
    for i, picture in enumerate(chosen):
        small = picture.image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
        drawn.paste(small, (i % side * size, i // side * size))
    return drawn


def _thumbnail(image: Image.Image) -> bytes:
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def pictures_in(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every picture of a record: `round` and `candidate` (of a sheet: row and column), and its JSON entry's fields."""
    for done in record.get("rounds", ()):
        for i, entry in enumerate(done["candidates"]):
            yield {**entry, "round": done["number"], "candidate": i + 1}
    for entry in record.get("cells", ()):
        yield {**entry, "round": entry["row"], "candidate": entry["column"]}


def telling_names(record: Mapping[str, Any]) -> dict[str, str]:
    """Each picture's file -> a name that tells its prompt, mood and seed, for a person who saves it."""
    items = list(pictures_in(record))
    requests = [RequestJson.model_validate(item["request"]).request() for item in items]
    return {item["image"]: name for item, name in zip(items, picture_names(requests), strict=True)}


@contextmanager
def _sound() -> Iterator[None]:
    """A record without what it must have is one sentence."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, StopIteration):
        raise UserError("The record of this run is damaged; it cannot be made again.") from None


@_sound()
def settings_in(record: Mapping[str, Any]) -> PictureSettings:
    """The settings that would make a run again.

    Raises:
        UserError: the record is damaged.
    """
    label = "this run"
    first = next(pictures_in(record))["request"]
    values = {**first, "prompt": record["prompt"], "model": record["generator"]}
    if "rounds" in record:
        asked = record.get("settings", {})
        values |= {
            "candidates": asked.get("candidates", len(record["rounds"][0]["candidates"])),
            "rounds": asked.get("rounds", len(record["rounds"])),
            **{name: asked[name] for name in RUN_SETTINGS if name in asked},
            **record["target"],
        }
    return settings_from(values, label)
