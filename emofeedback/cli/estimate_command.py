"""`estimate`: what the judge reads in given pictures."""

from collections.abc import Sequence
from pathlib import Path

from emofeedback.affect import nearest_emotion
from emofeedback.cli.console import CommandResult, Console, signed
from emofeedback.cli.estimate_options import EstimateOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.errors import UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.files.run_json import reading_json
from emofeedback.machine.processes import Processes
from emofeedback.records import Picture, PictureRequest
from emofeedback.settings import Settings

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")


def run(arguments: EstimateOptions, console: Console) -> CommandResult:
    """Read every picture; one that the judge cannot read has the reading null."""
    settings = settings_from(arguments)
    paths = _pictures(arguments.images)
    processes = Processes.join(cpu=settings.device == "cpu")
    name, readings = _readings(settings, paths, console, processes)
    processes.leave()
    rows: list[dict[str, object]] = []
    lines, readable = [], 0
    for path, reading in zip(paths, readings, strict=True):
        if reading is None:
            rows.append({"image": str(path), "reading": None})
            lines.append(f"{path}: could not be read")
            continue
        readable += 1
        rows.append({"image": str(path), **reading_json(reading), "emotion": nearest_emotion(reading.affect)})
        lines.append(
            f"{path}: valence {signed(reading.affect.valence)} ± {reading.valence_sd:.2f}, "
            f"arousal {signed(reading.affect.arousal)} ± {reading.arousal_sd:.2f} ({nearest_emotion(reading.affect)})"
            + (f"; sees {', '.join(reading.words())}" if reading.seen else "")
            + (f"; calibrated by {reading.calibration}" if reading.calibration else "")
        )
    return CommandResult({"readings": rows, "judge": name}, "\n".join(lines), done=readable > 0)


def _pictures(given: Sequence[Path]) -> list[Path]:
    """Files as they are; of a folder all its pictures, by name.

    Raises:
        UserError: a folder has none.
    """
    found: list[Path] = []
    for path in given:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise UserError(f"{path} holds no pictures; give a folder with {', '.join(SUFFIXES)} files.")
        found += inside
    return found


def _readings(settings: Settings, paths: Sequence[Path], console: Console, processes: Processes) -> tuple[str, list]:
    """The judge's name and the reading of every picture, to which every process reads its part."""
    own = processes.part(paths)
    failure: Exception | None = None
    name, readings = "", []
    try:
        images = [open_picture(path) for path in own]  # all are opened before a model is loaded
        console.progress("loading the judge")
        from emofeedback.build import build_judge

        judge = build_judge(settings.changed(device=processes.own_device(settings.device)))
        name = judge.name
        for done, image in enumerate(images):
            console.bar("reading", done, len(images))
            readings += judge.read([Picture(image, PictureRequest("", None, 0), "file", 0.0)])
    except Exception as error:  # the others wait for this part
        failure = error
    return name, processes.gather(readings, failure)
