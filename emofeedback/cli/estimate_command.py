"""`estimate`: what the judge reads in given pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emofeedback.affect import nearest_emotion
from emofeedback.cli.console import CommandResult, Console, signed
from emofeedback.cli.estimate_options import EstimateOptions
from emofeedback.cli.settings_given import settings_from
from emofeedback.errors import UserError
from emofeedback.files.open_picture import SUFFIXES, open_picture
from emofeedback.files.run_json import reading_json
from emofeedback.machine.processes import Processes
from emofeedback.protocols import Judge
from emofeedback.records import Picture, PictureRequest, Reading
from emofeedback.scenes.lexicon import seen_noun
from emofeedback.settings import Settings


@dataclass(frozen=True, slots=True)
class FileReading:
    """What became of one file.

    judge: its name, "" where the file could not be opened; trouble: why it could not, or None.
    """

    judge: str
    reading: Reading | None
    trouble: str | None = None


def run(arguments: EstimateOptions, console: Console) -> CommandResult:
    """Read every picture; one that cannot be opened, or that the judge cannot read, has the reading null."""
    settings = settings_from(arguments)
    paths = _pictures(arguments.images)
    processes = Processes.join(cpu=settings.device == "cpu")
    found = _readings(settings, paths, console, processes)
    processes.leave()
    if all(file.trouble is not None for file in found):
        raise UserError(found[0].trouble or "")
    rows: list[dict[str, object]] = []
    lines, readable = [], 0
    for path, file in zip(paths, found, strict=True):
        reading = file.reading
        if reading is None:
            told = {} if file.trouble is None else {"error": file.trouble}
            rows.append({"image": str(path), "reading": None, **told})
            lines.append(file.trouble or f"{path}: could not be read")
            continue
        readable += 1
        rows.append({"image": str(path), **reading_json(reading), "emotion": nearest_emotion(reading.affect)})
        lines.append(
            f"{path}: valence {signed(reading.affect.valence)} ± {reading.valence_sd:.2f}, "
            f"arousal {signed(reading.affect.arousal)} ± {reading.arousal_sd:.2f} ({nearest_emotion(reading.affect)})"
            + (f"; sees {', '.join(map(seen_noun, reading.words()))}" if reading.seen else "")
            + (f"; calibrated by {reading.calibration}" if reading.calibration else "")
        )
    judge = next(file.judge for file in found if file.judge)
    return CommandResult({"readings": rows, "judge": judge}, "\n".join(lines), done=readable > 0)


def _pictures(given: Sequence[Path]) -> list[Path]:
    """Files as they are; of a folder its pictures, by name, without hidden files (macOS' `._*`) and folders.

    Raises:
        UserError: a folder has none or cannot be listed.
    """
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            found.append(path)
            continue
        try:
            inside = sorted(p for p in path.iterdir() if _is_picture(p))
        except OSError as error:
            raise UserError(f"The folder {path} cannot be read ({error.strerror}); check its permissions.") from None
        if not inside:
            raise UserError(f"{path} holds no pictures; give a folder with {', '.join(SUFFIXES)} files.")
        found += inside
    return found


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _readings(settings: Settings, paths: Sequence[Path], console: Console, processes: Processes) -> list[FileReading]:
    """Of every file in order; every process reads its part, one picture at a time."""
    own = processes.part(paths)
    failure: Exception | None = None
    found: list[FileReading] = []
    judge: Judge | None = None  # not loaded before there is a picture for it
    try:
        for done, path in enumerate(own):
            try:
                image = open_picture(path)
            except UserError as error:
                found.append(FileReading("", None, str(error)))
                continue
            judge = judge or _load(settings.changed(device=processes.own_device(settings.device)), console)
            console.bar("reading", done, len(own))
            [reading] = judge.read([Picture(image, PictureRequest("", None, 0), "file", 0.0)])
            found.append(FileReading(judge.name, reading))
    except Exception as error:  # the others wait for this part
        failure = error
    return processes.gather(found, failure)


def _load(settings: Settings, console: Console) -> Judge:
    console.progress("loading the judge")
    from emofeedback.build import build_judge

    return build_judge(settings)
