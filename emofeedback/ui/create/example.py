"""The finished run that a first visit shows: a folder as `generate` writes it, read back into records."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.records import Candidate, Cost, Critique, Edit, Picture, PictureRequest, Reading, Round, Seen

RUN_FILE = "run.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """A run on disk: its words, target and rounds, and the picture files of each round's candidates."""

    prompt: str
    target: Affect
    rounds: tuple[Round, ...]
    files: tuple[tuple[Path, ...], ...]


def load_example(folder: Path) -> Example | None:
    """The run of a folder; None where there is none or it cannot be read (that is logged)."""
    if not (folder / RUN_FILE).is_file():
        return None
    try:
        data = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        target = Affect(data["target"]["valence"], data["target"]["arousal"])
        rounds = tuple(_round(item, data, target, folder) for item in data["rounds"])
        files = tuple(tuple(_file(c["image"], folder) for c in item["candidates"]) for item in data["rounds"])
        return Example(str(data["prompt"]), target, rounds, files) if rounds else None
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        log.warning("the example run in %s cannot be read: %r", folder, error)
        return None


def _file(image: str, folder: Path) -> Path:
    """Pictures lie beside run.json whatever folder they were written to first."""
    return folder / Path(image).name


def _round(item: dict[str, Any], data: dict[str, Any], target: Affect, folder: Path) -> Round:
    candidates = tuple(_candidate(c, item["prompt"], data, target, folder) for c in item["candidates"])
    advice = item.get("critique")
    critique = None
    if advice is not None:
        edits = tuple(
            Edit(e["action"], e.get("old", ""), e.get("new", ""), e.get("keeps", False)) for e in advice["edits"]
        )
        critique = Critique(advice["analysis"], tuple(advice.get("carries", ())), edits)
    cost = Cost(**item["cost"]) if "cost" in item else Cost(seconds=item.get("seconds", 0.0))
    return Round(item.get("number", 1), item["prompt"], candidates, critique, item.get("next_prompt"), cost)


def _candidate(c: dict[str, Any], prompt: str, data: dict[str, Any], target: Affect, folder: Path) -> Candidate:
    with Image.open(_file(c["image"], folder)) as image:
        picture = Picture(image.convert("RGB"), PictureRequest(prompt, target, c["seed"]), data["generator"], 0.0)
    read, reading = c["reading"], None
    if read is not None:
        seen = tuple(Seen(s["aspect"], s["word"], s["probability"]) for s in read["seen"])
        affect = Affect(read["valence"], read["arousal"])
        reading = Reading(affect, read["valence_sd"], read["arousal_sd"], read["mass"], seen, data["judge"])
    kept = read.get("content_kept") if read else None
    return Candidate(picture, reading, c["distance"], kept, c["chosen"])
