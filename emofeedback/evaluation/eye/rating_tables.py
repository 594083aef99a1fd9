"""Ratings as they come back: CSV files of the page, filled-in tables of the sheets, or anybody's with such columns."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
JUDGEMENTS = {"quality": (1.0, 5.0), "melted": (0.0, 1.0), "mixed": (0.0, 2.0)}
"""Columns that a table may have, and their scales.

How well a picture is drawn; whether its subject has melted or cannot be recognised; whether it sends mixed messages (1
mildly, 2 strongly).
"""


@dataclass(frozen=True)
class RaterColumn:
    """What one rater says of the set's pictures.

    Attributes:
        ratings: valence and arousal [pictures, 2], nan = not rated.
        judgements: [pictures] of each of `JUDGEMENTS`, nan = not judged.
    """

    name: str
    ratings: np.ndarray
    kind: str = "person"  # or "model"
    judgements: Mapping[str, np.ndarray] = field(default_factory=dict)

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
    found: dict[str, RaterColumn] = {}
    count = len(key.items)
    places = {item.id: n for n, item in enumerate(key.items)}
    places |= {str(n + 1): n for n in range(count)}
    for path in files:
        for row in _rows(path, scale):
            place = places.get(row.picture)
            if place is None and (written := re.fullmatch(r"#?\s*0*(\d{1,4})", row.picture)):
                place = places.get(written[1])
            if place is None:
                raise UserError(
                    f"Line {row.line} of {path.name} rates {row.picture[:40]!r}, which is not in the set's key."
                )
            if row.rater not in found:
                empty = {name: np.full(count, np.nan) for name in JUDGEMENTS}
                found[row.rater] = RaterColumn(row.rater, np.full((count, 2), np.nan), judgements=empty)
            found[row.rater].ratings[place] = row.values
            for name, value in row.judged.items():
                found[row.rater].judgements[name][place] = value
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Row:
    """A line with ratings."""

    line: int
    rater: str
    picture: str
    values: tuple[float, float]
    judged: dict[str, float]


def _rows(path: Path, scale: tuple[float, float]) -> list[_Row]:
    """Every row with ratings."""
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
        may = ", ".join(["rater", *JUDGEMENTS])
        raise UserError(f"{path.name} has no column {missing[0]!r}; it needs {', '.join(NEEDED)}, and may have {may}.")
    found = []
    try:
        for row in reader:
            texts = {
                name: (row[column] or "").strip() for name, column in names.items() if isinstance(name, str) and column
            }
            line = reader.line_num
            unrated = all(texts[name].lower() in UNRATED for name in NEEDED[1:])
            if unrated and all(texts.get(name, "").lower() in UNRATED for name in JUDGEMENTS):
                continue
            valence, arousal = (
                float("nan") if unrated else _on_scale(path, line, texts[name], scale) for name in NEEDED[1:]
            )
            judged = {
                name: _number(path, line, texts[name], (low, high), f"{name} from {low:g} to {high:g}")
                for name, (low, high) in JUDGEMENTS.items()
                if texts.get(name, "").lower() not in UNRATED
            }
            rater = texts.get("rater", "") or path.stem
            found.append(_Row(line, rater, texts["picture"], (valence, arousal), judged))
    except csv.Error as error:
        raise UserError(f"{path.name} cannot be read as a table ({error}); give a CSV file.") from None
    return found


def _on_scale(path: Path, line: int, text: str, scale: tuple[float, float]) -> float:
    value = _number(path, line, text, scale, f"the scale {scale[0]:g} to {scale[1]:g}; check --rating-scale")
    return from_scale(value, *scale)


def _number(path: Path, line: int, text: str, bounds: tuple[float, float], expected: str) -> float:
    try:
        value = float(re.sub(r"^([-+]?\d*),(\d+)$", r"\1.\2", text))
    except ValueError:
        value = float("nan")
    if not bounds[0] <= value <= bounds[1]:
        raise UserError(f"Line {line} of {path.name} holds {text[:40]!r}, which is not on {expected}.")
    return value
