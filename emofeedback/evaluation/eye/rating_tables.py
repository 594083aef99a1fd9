"""Ratings as they come back: CSV files of the page, filled-in tables of the sheets, or anybody's with such columns."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emofeedback.affect import from_scale
from emofeedback.errors import UserError
from emofeedback.evaluation.eye.rating_set import RatingKey
from emofeedback.evaluation.protocols.human_ratings import UNRATED
from emofeedback.files.read_bounded import read_bounded
from emofeedback.files.text_file import decoded

MOST_BYTES = 64 * 2**20
NEEDED = ("picture", "valence", "arousal")


@dataclass(frozen=True)
class RaterColumn:
    """What one rater says of the set's pictures: [pictures, 2], nan = not rated."""

    name: str
    ratings: np.ndarray
    kind: str = "person"  # or "model"

    def rated(self) -> int:
        return int(np.isfinite(self.ratings[:, 0]).sum())


def read_tables(paths: Sequence[Path], key: RatingKey, scale: tuple[float, float] = (-1.0, 1.0)) -> list[RaterColumn]:
    """All raters of some CSV files; a folder stands for the CSV files in it.

    A row names its picture by the page's id or by its number on the sheets. Where there is no column `rater`, the
    file's name is the rater. What somebody rates twice counts as rated last.

    Raises:
        UserError: a file cannot be read, a column is missing, or a row is not of this set or not on the scale.
    """
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.csv")) if path.is_dir() else [path]
    found: dict[str, np.ndarray] = {}
    places = {item.id: n for n, item in enumerate(key.items)}
    places |= {str(n + 1): n for n in range(len(key.items))}
    for path in files:
        for number, rater, picture, values in _rows(path, scale):
            place = places.get(picture)
            if place is None and (written := re.fullmatch(r"#?\s*0*(\d{1,4})", picture)):
                place = places.get(written[1])
            if place is None:
                raise UserError(f"Line {number} of {path.name} rates {picture[:40]!r}, which is not in the set's key.")
            column = found.setdefault(rater, np.full((len(key.items), 2), np.nan))
            column[place] = values
    return [RaterColumn(name, ratings) for name, ratings in found.items()]


def _rows(path: Path, scale: tuple[float, float]) -> list[tuple[int, str, str, tuple[float, float]]]:
    """(line, rater, picture, values) of every row with ratings."""
    try:
        text = decoded(read_bounded(path, MOST_BYTES), path.name, "cp1252")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"The ratings {path} cannot be read ({reason}); give a CSV file.") from None
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=mark)
    names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise UserError(f"{path.name} has no column {missing[0]!r}; it needs {', '.join(NEEDED)}, and may have rater.")
    found = []
    try:
        for row in reader:
            texts = [(row[names[name]] or "").strip() for name in NEEDED]
            if all(text.lower() in UNRATED for text in texts[1:]):
                continue
            rater = (row[names["rater"]] or "").strip() if "rater" in names else ""
            values = tuple(_on_scale(path, reader.line_num, text, scale) for text in texts[1:])
            found.append((reader.line_num, rater or path.stem, texts[0], (values[0], values[1])))
    except csv.Error as error:
        raise UserError(f"{path.name} cannot be read as a table ({error}); give a CSV file.") from None
    return found


def _on_scale(path: Path, line: int, text: str, scale: tuple[float, float]) -> float:
    try:
        value = float(re.sub(r"^([-+]?\d*),(\d+)$", r"\1.\2", text))
    except ValueError:
        value = float("nan")
    if not scale[0] <= value <= scale[1]:
        raise UserError(
            f"Line {line} of {path.name} holds {text[:40]!r}, which is not on the scale {scale[0]:g} to {scale[1]:g}; "
            "check --scale."
        )
    return from_scale(value, *scale)
