"""The finished run that a first visit shows: a folder as `generate` writes it, read back into records."""

import json
import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.files.run_json import run_from_json
from emofeedback.machine.temporary import process_folder
from emofeedback.records import Round

RUN_FILE = "run.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExampleRun:
    """A run on disk: its words, target and rounds, and the picture files of each round's candidates."""

    prompt: str
    target: Affect
    rounds: tuple[Round, ...]
    files: tuple[tuple[Path, ...], ...]  # copies, in a folder of this process


def load_example(folder: Path) -> ExampleRun | None:
    """The run of a folder; None where there is none or it cannot be read (that is logged)."""
    if not (folder / RUN_FILE).is_file():
        return None
    try:
        data = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        run = run_from_json(data, lambda image: _picture(_file(image, folder)))
        # the page writes beside the pictures that it shows, and nothing shipped is ever written to
        copies = Path(tempfile.mkdtemp(prefix="example-", dir=process_folder()))
        files = tuple(tuple(_copy(_file(c["image"], folder), copies) for c in r["candidates"]) for r in data["rounds"])
        whole = bool(run.rounds) and all(item.best() for item in run.rounds)
        return ExampleRun(run.prompt, run.target, run.rounds, files) if whole else None
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        log.warning("the example run in %s cannot be read: %r", folder, error)
        return None


def _file(image: str, folder: Path) -> Path:
    """Pictures lie beside run.json whatever folder they were written to first."""
    return folder / Path(image).name


def _copy(file: Path, folder: Path) -> Path:
    return Path(shutil.copyfile(file, folder / file.name))


def _picture(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.convert("RGB")
