"""Files of results: each appears whole or not at all, none replaces what is already there, pictures carry their making.

A PNG holds two text chunks: `emofeedback` (JSON: request, reading, model) and `parameters` (the plain text that
Stable Diffusion front ends read, as AUTOMATIC1111's web UI writes it).
"""

import csv
import io
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from emofeedback import __version__
from emofeedback.errors import UserError
from emofeedback.files.png_settings import RUN_SETTINGS
from emofeedback.files.run_json import reading_json, request_json
from emofeedback.files.unfinished import sweep_unfinished, unfinished
from emofeedback.records import Picture, Reading, Upscaling

RUN_FILE = "run.json"
"""What a run folder keeps its record in."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, then rename it.

    Raises:
        UserError: the folder cannot be written or the disk is full.
    """
    with unfinished(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: object) -> None:
    """`write_whole` of indented JSON."""
    write_whole(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """`write_whole` of a CSV file; the first row's keys are the columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


@contextmanager
def results_folder(out: Path | None, now: float | None = None) -> Iterator[Path]:
    """An empty folder for one command's results; removed again where the command leaves nothing in it.

    What killed commands left half-written there before goes.

    `out` itself where it is new or empty, otherwise a new folder inside it named after the time, so that nothing
    already there is touched. None stands for ./emofeedback-out, always with a folder inside.

    Raises:
        UserError: it cannot be made or written.
    """
    base = Path("emofeedback-out") if out is None else out
    existed = os.path.exists(base)  # False where the path is unusable; making it then says why
    if existed:
        _sweep(base)
    try:
        folder = _make_folder(base, inside=out is None, now=now)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"The folder {base} cannot be used ({reason}); choose another with --out.") from None
    try:
        yield folder
    finally:
        with suppress(OSError):  # not empty: it holds results
            if folder != base or not existed:
                folder.rmdir()
            if not existed and folder != base:
                base.rmdir()


def _sweep(base: Path) -> None:
    sweep_unfinished(base)
    with suppress(OSError):
        for inside in base.iterdir():
            if inside.is_dir() and not inside.is_symlink():
                sweep_unfinished(inside)


def _make_folder(base: Path, inside: bool, now: float | None) -> Path:
    if not inside:
        base.mkdir(parents=True, exist_ok=True)
        if not any(base.iterdir()):
            _check_writable(base)
            return base
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    base.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        folder = base / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise OSError("too many runs in one second")


def _check_writable(folder: Path) -> None:
    probe = folder / f".probe.{os.getpid()}.tmp"
    probe.touch(exist_ok=True)
    probe.unlink()


def png_bytes(
    picture: Picture,
    reading: Reading | None = None,
    *,
    metadata: bool = True,
    settings: Mapping[str, object] | None = None,
) -> bytes:
    """A picture as a PNG that carries its making, or nothing but its pixels where `metadata` is off.

    Args:
        settings: of the run that it belongs to (`Run.settings`), from which RUN_SETTINGS are written too.
    """
    if not metadata:
        return image_bytes(picture.image)
    info = PngInfo()
    info.add_text("parameters", parameters_text(picture))
    making = {
        "version": __version__,
        "model": picture.model,
        "request": request_json(picture.request),
        "reading": None if reading is None else reading_json(reading),
    }
    run = {name: settings[name] for name in RUN_SETTINGS if name in settings} if settings else {}
    if run:
        making["run"] = run
    if picture.drawn_as is not None:
        making["drawn_as"] = picture.drawn_as
    if picture.scene is not None:
        making["scene"] = picture.scene
    if picture.upscaled is not None:
        making["upscaled"] = asdict(picture.upscaled)
    info.add_text("emofeedback", json.dumps(making, ensure_ascii=False))
    buffer = io.BytesIO()
    picture.image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def image_bytes(image: Image.Image) -> bytes:
    """A plain picture (a sheet) as a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def parameters_text(picture: Picture) -> str:
    """The prompt, then one line `Key: value, ...`; the size is that of the picture as it was drawn."""
    request, done = picture.request, picture.upscaled
    width, height = (side // (1 if done is None else done.scale) for side in picture.image.size)
    fields: list[tuple[str, object]] = []
    if request.steps is not None:
        fields.append(("Steps", request.steps))
    if request.guidance is not None:
        fields.append(("CFG scale", f"{request.guidance:g}"))
    fields.append(("Seed", request.seed))
    fields.append(("Size", f"{width}x{height}"))
    fields.append(("Model", picture.model.replace(",", " ")))
    if request.start is not None:
        fields.append(("Denoising strength", f"{request.start_strength:g}"))
    if request.affect is not None:
        fields.append(("Valence", f"{request.affect.valence:g}"))
        fields.append(("Arousal", f"{request.affect.arousal:g}"))
        fields.append(("Emotion strength", f"{request.strength:g}"))
    fields.append(("Version", f"emofeedback {__version__}"))
    line = ", ".join(f"{key}: {value}" for key, value in fields)
    words = f"{request.prompt}\nNegative prompt: {request.negative}" if request.negative else request.prompt
    return f"{words}\n{line}" if done is None else f"{words}\n{line}, {upscaling_text(done)}"


def upscaling_text(done: Upscaling) -> str:
    """What was done to a picture after it was drawn, as A1111's web UI writes it."""
    return f"Postprocess upscale by: {done.scale}, Postprocess upscaler: {done.name.replace(',', ' ')}"
