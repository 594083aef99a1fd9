"""A sweep from its order to its files: one prompt and one seed over a sheet, a path or a blend of two emotions."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled
from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.picture_names import PURE_MOOD, picture_name, slug
from emofeedback.files.run_json import visual_json
from emofeedback.files.storage import image_bytes, png_bytes, write_json, write_rows, write_whole
from emofeedback.loop.drawing import CancelFlag, Progress, check_number, check_visual, check_whole, draw_pictures
from emofeedback.loop.waiting import Answered, WaitsElsewhere, elsewhere, waited
from emofeedback.machine.processes import Processes
from emofeedback.protocols import Generator, Judge
from emofeedback.records import Picture, PictureRequest, Reading, VisualPrompt
from emofeedback.sweep import plane as continuum
from emofeedback.sweep.animation import Format, animate
from emofeedback.sweep.plane import Continuity, continuity, sheet_continuity
from emofeedback.sweep.sheets import Board, board_of, sheet

BATCH = 25
"""Pictures drawn at once: a 5 x 5 sheet."""
MOVING_SIDE = 256
"""Pixels that an enlarged picture keeps in an animation, whose every frame has to be packed; a GIF's stay as drawn."""
Rows = Sequence[Sequence[Affect]]
"""Points of the plane; one row is a path, more are a sheet."""


@dataclass(frozen=True, slots=True)
class SweepOrder:
    """What a sweep draws: one prompt and one seed at every point.

    Attributes:
        strength: of the emotion, in [0, 5].
        steps: of denoising; None = the generator's own number.
        visual: guides every picture; where it names no emotion, by what lies nearest to the picture's own point.
    """

    prompt: str
    rows: Rows
    seed: int = 0
    strength: float = 1.0
    steps: int | None = None
    visual: VisualPrompt | None = None

    def check(self) -> None:
        """Say what is out of range.

        Raises:
            UserError: a value is.
        """
        check_whole("seed", self.seed, 0, 2**53)
        check_number("strength", self.strength, 0.0, 5.0)
        check_visual(self.visual)

    def requests(self) -> list[PictureRequest]:
        """One request per point, row by row."""
        points = [point for row in self.rows for point in row]
        return continuum.requests_for(self.prompt, points, self.seed, self.strength, self.steps, self.visual)


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """Pictures done (a part of a batch counts as a fraction) and in all."""

    done: float
    total: int


@dataclass(frozen=True, slots=True)
class SweepWaiting(SweepProgress, WaitsElsewhere):
    """A generator or a judge that works elsewhere is waited for."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A finished sweep; readings are None where the picture was not or could not be read."""

    prompt: str
    seed: int
    pictures: tuple[tuple[Picture, ...], ...]
    readings: tuple[Reading | None, ...]  # row by row
    figures: dict[str, Continuity]
    generator: str
    judge: str

    def cells(self) -> list[Picture]:
        """All pictures, row by row."""
        return [picture for row in self.pictures for picture in row]

    def board(self) -> Board:
        """Where they lie on the sheet."""
        return board_of(self.pictures)


@dataclass(frozen=True, slots=True)
class SweepFiles:
    """What `write_sweep` wrote; `cells` are row by row."""

    sheet: Path
    table: Path
    record: Path
    cells: tuple[Path, ...]
    animation: Path | None

    def all(self) -> list[Path]:
        found = [self.sheet, self.table, self.record, *self.cells]
        return found if self.animation is None else [*found, self.animation]


def plan(
    grid: int = 5, path: str | None = None, blend: str | None = None, frames: int = 9, extent: float = continuum.EXTENT
) -> list[list[Affect]]:
    """The points of a sweep: a path or a blend where one is given, a sheet otherwise.

    Args:
        path: waypoints as "v,a v,a ...".
        blend: "FIRST,SECOND" or "FIRST,SECOND,SHARE" of named emotions; the share is one of the frames.

    Raises:
        UserError: a value is out of range or not written that way.
    """
    if blend:
        first, second, share = continuum.parse_blend(blend)
        return [[_plain(continuum.blend(first, second, part)) for part in continuum.shares(frames, share)]]
    if path:
        return [[_plain(point) for point in continuum.along(continuum.parse_path(path), frames)]]
    return continuum.grid_affects(grid, extent)


def _plain(point: Affect) -> Affect:
    """A point that a person can type again."""
    return Affect(round(point.valence, 3) + 0.0, round(point.arousal, 3) + 0.0)


def run_sweep(
    generator: Generator,
    judge: Judge | None,
    order: SweepOrder,
    *,
    cancel: CancelFlag | None = None,
    processes: Processes = Processes(),  # noqa: B008 (frozen)
) -> Iterator[SweepProgress | Sweep]:
    """Draw and read all points; yields progress, then the sweep.

    Args:
        judge: None = the pictures are not read.
        processes: they share the work; every one of them gets the whole sweep.

    Raises:
        UserError: a value is out of range, or another process failed.
        Cancelled: `cancel` was set.
    """
    order.check()
    progress = SweepWaiting if elsewhere(generator) else SweepProgress
    requests = processes.part(order.requests())
    pictures: list[Picture] = []
    readings: list[Reading | None] = []
    failure: Exception | None = None
    try:
        for begin in range(0, len(requests), BATCH):
            group = requests[begin : begin + BATCH]
            for message in draw_pictures(generator, group, cancel):
                if isinstance(message, Progress):
                    yield progress(begin + len(group) * message.step / max(1, message.steps), len(requests))
                    continue
                drawn: tuple[Picture, ...] = message
                pictures += drawn
                goes_on = SweepProgress(begin + len(group), len(requests))
                if elsewhere(generator):
                    yield goes_on
                if judge is None:
                    readings += [None] * len(drawn)
                    continue
                for answer in waited(judge, partial(judge.read, drawn), cancel):
                    if isinstance(answer, Answered):
                        readings += answer.value
                    else:
                        yield SweepWaiting(begin + len(group), len(requests))
                if elsewhere(judge):
                    yield goes_on
            if cancel is not None and cancel.is_set():
                raise Cancelled("The sweep was stopped.")
    except Exception as error:  # the others wait for this part
        failure = error
    read = processes.gather(list(zip(pictures, readings, strict=failure is None)), failure)
    pictures, readings = [picture for picture, _ in read], [reading for _, reading in read]
    width = len(order.rows[0])
    grid = tuple(tuple(pictures[i : i + width]) for i in range(0, len(pictures), width))
    images = [[picture.image for picture in row] for row in grid]
    figures = {"path": continuity(images[0])} if len(images) == 1 else sheet_continuity(images)
    name = "" if judge is None else judge.name
    yield Sweep(order.prompt, order.seed, grid, tuple(readings), figures, generator.name, name)


def write_sweep(
    sweep: Sweep,
    folder: Path,
    animation: Format | None = None,
    cells: bool = True,
    metadata: bool = True,
    large: LargePictures = LargePictures(),  # noqa: B008 (frozen)
    telling: bool = False,
) -> SweepFiles:
    """Write sheet.png, sweep.csv, sweep.json, each picture (with its settings inside) and the animation.

    Args:
        large: in which size each picture is written; the sheet shows them as they were drawn.
        telling: pictures, sheet and animation are named by their prompt, mood and seed, for a person who saves them.

    Raises:
        UserError: the folder cannot be written, or the animation cannot be made here.
    """
    stem = f"{slug(sweep.prompt) or PURE_MOOD}-seed-{sweep.seed}" if telling else ""
    moving = None if animation is None else folder / (f"{stem}.{animation}" if stem else f"sweep.{animation}")
    drawn, columns = sweep.cells(), len(sweep.pictures[0])
    kept = large.of(drawn) if cells or animation in ("webp", "mp4") else drawn
    if moving is not None and animation is not None:
        frames = [_frame(picture) for picture in (drawn if animation == "gif" else kept)]
        write_whole(moving, animate(frames, animation))
    names = tuple(
        folder / (_telling_name(i, columns, picture) if telling else cell_name(i, columns))
        for i, picture in enumerate(drawn)
    )
    if cells:
        for path, picture, reading in zip(names, kept, sweep.readings, strict=True):
            write_whole(path, png_bytes(picture, reading, metadata=metadata))
    files = SweepFiles(
        folder / (f"{stem}-sheet.png" if stem else "sheet.png"),
        folder / "sweep.csv",
        folder / "sweep.json",
        names if cells else (),
        moving,
    )
    write_whole(files.sheet, image_bytes(sheet(sweep.pictures)))
    write_rows(files.table, points_json(sweep))
    write_json(files.record, sweep_json(sweep, files, folder, large=large))
    return files


def _frame(picture: Picture) -> Image.Image:
    """A picture as a frame of an animation."""
    if picture.upscaled is None or picture.image.width <= MOVING_SIDE:
        return picture.image
    height = round(MOVING_SIDE * picture.image.height / picture.image.width)
    return picture.image.resize((MOVING_SIDE, height), Image.Resampling.LANCZOS)


def cell_name(index: int, columns: int) -> str:
    """File name of a picture by its place, both counted from 1."""
    row, column = divmod(index, columns)
    return f"cell-{row + 1:02d}-{column + 1:02d}.png"


def _telling_name(index: int, columns: int, picture: Picture) -> str:
    """As "2-5-a-lighthouse-by-the-sea-happy-seed-0.png": its place, counted from 1, before what is in it."""
    row, column = divmod(index, columns)
    return f"{row + 1}-{column + 1}-{picture_name(picture.request)}"


def points_json(sweep: Sweep) -> list[dict[str, object]]:
    """One row per picture: its place, its target, its reading."""
    columns = len(sweep.pictures[0])
    rows: list[dict[str, object]] = []
    for index, (picture, reading) in enumerate(zip(sweep.cells(), sweep.readings, strict=True)):
        target = picture.request.affect
        rows.append(
            {
                "row": index // columns,
                "column": index % columns,
                "valence": None if target is None else target.valence,
                "arousal": None if target is None else target.arousal,
                "read_valence": None if reading is None else round(reading.affect.valence, 4),
                "read_arousal": None if reading is None else round(reading.affect.arousal, 4),
            }
        )
    return rows


def sweep_json(
    sweep: Sweep,
    files: SweepFiles,
    out: Path | None = None,
    *,
    large: LargePictures = LargePictures(),  # noqa: B008 (frozen)
) -> dict[str, object]:
    """The sweep as JSON; file names alone where `out` is None, for a caller who gets the files another way."""

    def named(path: Path) -> str:
        return path.name if out is None else str(path)

    points, visual = points_json(sweep), sweep.pictures[0][0].request.visual
    for point, path, picture in zip(points, files.cells, sweep.cells(), strict=False):
        point["image"] = named(path)
        if (done := large.upscaling(picture)) is not None:
            point["upscaled"] = asdict(done)
    told: dict[str, object] = {
        "prompt": sweep.prompt,
        "seed": sweep.seed,
        "sheet": named(files.sheet),
        "table": named(files.table),
        "animation": None if files.animation is None else named(files.animation),
        "points": points,
        "continuity": {name: asdict(figure) for name, figure in sweep.figures.items()},
        "generator": sweep.generator,
        "judge": sweep.judge,
    }
    if visual is not None:
        told["visual"] = visual_json(visual)
    if out is not None:
        told["out"] = str(out)
    return told
