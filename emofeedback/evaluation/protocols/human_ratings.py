"""A judge against people's ratings of pictures, as it is and calibrated, beside the constant answer.

Errors of the calibrated judge and of the constant answer are cross-validated: fitted on nine tenths of the pictures,
measured on the tenth left out. The constant answer looks better than it is on ratings that crowd in the middle, so a
judge that does not beat it says nothing. Ratings are people's of one population: the report names the file.
"""

import csv
import hashlib
import io
import logging
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emofeedback.affect import Affect, from_scale
from emofeedback.errors import UserError
from emofeedback.evaluation.metrics import AXES, Values, bootstrap, paired_bootstrap, pairs_interval, pearson, spearman
from emofeedback.evaluation.protocols.generator_and_judge import OnProgress
from emofeedback.evaluation.report import Measure
from emofeedback.files.open_picture import SUFFIXES, open_picture
from emofeedback.files.text_file import decoded
from emofeedback.judges.calibration import Calibration, Method, fit, identity_of
from emofeedback.protocols import Judge
from emofeedback.records import Picture, PictureRequest

BATCH = 16
FOLDS = 10
RESAMPLES = 2000
MIN_PICTURES = 20
COLUMNS = (
    ("file_name", "filename", "file", "stim_file", "image", "picture", "path", "stimulus", "theme", "iaps"),
    ("valence", "valence_mean", "mean_valence", "val_mean", "valmn", "val", "v"),
    ("arousal", "arousal_mean", "mean_arousal", "aro_mean", "aromn", "aro", "a"),
)
"""What the columns of picture, valence and arousal are usually called; `--columns` names others."""
UNRATED = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", ".", "?")
DELIMITERS = "\t;,"
UNUSED = 0.2
"""A scale of which the ratings leave this share free at the top is probably another's."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RatedPicture:
    """A picture and people's mean rating of it."""

    path: Path
    affect: Affect


@dataclass(frozen=True, slots=True)
class RatingSet:
    """A folder of rated pictures."""

    rows: tuple[RatedPicture, ...]
    source: dict[str, object]  # where the ratings come from, for reports and calibrations


def parse_scale(text: str) -> tuple[float, float]:
    """ "1-9" or "-3..3" -> (low, high).

    Raises:
        UserError: it is no scale.
    """
    number = r"(-?\d+(?:\.\d+)?)"
    match = re.fullmatch(rf"\s*{number}\s*(?:-|\.\.|:|,)\s*{number}\s*", text)
    if match is None or not float(match[1]) < float(match[2]):
        raise UserError(f"The scale must be two numbers such as 1-9 or -3..3, not {text!r}.")
    return float(match[1]), float(match[2])


def load_ratings(
    table: Path,
    images: Path,
    scale: tuple[float, float],
    columns: Sequence[str] | None = None,
    count: int | None = None,
    seed: int = 0,
) -> RatingSet:
    """Ratings from a CSV or TSV file of means, one row per picture; `count` of them at random, or all.

    Args:
        columns: the names of picture, valence and arousal; None = looked up among the usual ones.

    Raises:
        UserError: the file, a column or a picture is missing, or a rating is not on the scale.
    """
    try:
        content = table.read_bytes()
    except OSError as error:
        raise UserError(f"{table} cannot be read as a table ({error.strerror}); give a CSV file.") from None
    found, lines = _table(table.name, decoded(content, str(table), "cp1252"), columns)
    rated: dict[Path, tuple[int, tuple[float, float]]] = {}
    unrated = 0
    for number, name, *texts in lines:
        if any(text.lower() in UNRATED for text in texts):
            unrated += 1
            continue
        path = _picture(images, name)
        if path is None:
            raise UserError(f"{images / name} (line {number} of {table.name}) is missing; check --images.")
        valence, arousal = (_rating(table, number, text, scale) for text in texts)
        before, values = rated.setdefault(path, (number, (valence, arousal)))
        if values != (valence, arousal):
            raise UserError(
                f"{name} is rated twice in {table.name} (lines {before} and {number}); give one row of means a picture."
            )
    if unrated:
        logger.warning("%d of %d rows of %s hold no rating; they are left out.", unrated, len(lines), table.name)
    rows = [RatedPicture(path, Affect(*values)) for path, (_, values) in rated.items()]
    top = max((value for _, values in rated.values() for value in values), default=1.0)
    if top <= 1 - 2 * UNUSED:
        low, high = scale
        logger.warning(
            "No rating is above %.2f of the scale %g to %g; check --scale.", low + (top + 1) / 2 * (high - low), *scale
        )
    if count is not None and count < len(rows):
        rows = random.Random(f"ratings/{seed}").sample(rows, count)
    if len(rows) < MIN_PICTURES:
        raise UserError(f"{table} rates {len(rows)} pictures here; {MIN_PICTURES} or more are needed.")
    source: dict[str, object] = {
        "file": table.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "columns": list(found),
        "scale": list(scale),
        "pictures": len(rows),
    }
    return RatingSet(tuple(rows), source)


def _table(name: str, text: str, columns: Sequence[str] | None) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The names of the three columns, and (line, picture, valence, arousal) of every row, as they are written.

    The delimiter is the one that the first line holds most of, where the columns can be found with it.
    """
    given = re.match(r"sep=(.)\r?\n", text)  # a line that Excel writes and hides
    if given is not None:
        text = text[given.end() :]
    if not text.strip():
        raise UserError(f"{name} is empty; give a table with a row of mean ratings for each picture.")
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    headers = {d: [field.strip() for field in next(csv.reader([first], delimiter=d), [])] for d in DELIMITERS}
    known = {known for names in COLUMNS for known in names} if columns is None else set(columns)
    mark = max(
        DELIMITERS,
        key=lambda d: (sum(field.lower() in known or field in known for field in headers[d]), len(headers[d])),
    )
    mark = mark if given is None else given[1]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    rows = []
    try:
        header = [field.strip() for field in next(reader, [])]
        found = _columns(name, header, columns)
        places = [header.index(column) for column in found]
        for row in reader:
            fields = [field.strip() for field in row]
            if any(fields[len(header) :]):
                raise UserError(
                    f"Line {reader.line_num} of {name} has more fields than the first; put decimal commas in quotes."
                )
            fields += [""] * (len(header) - len(fields))
            rows.append((reader.line_num, *(fields[place] for place in places)))
    except csv.Error as error:
        raise UserError(f"{name} cannot be read as a table ({error}); give a CSV file.") from None
    return found, rows


def _picture(images: Path, name: str) -> Path | None:
    """The file of a name as tables have it: a path of another system, or without its ending; None = there is none.

    Raises:
        UserError: a name without an ending stands for several files.
    """
    bare = re.split(r"[\\/]", name)[-1]
    for written in dict.fromkeys((name, name.replace("\\", "/"), bare)):
        if not written:
            continue
        if _is_file(images / written):
            return images / written
        endings = (*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))
        ended: list[Path] = []
        for path in (images / f"{written}{ending}" for ending in endings):
            if _is_file(path) and not any(path.samefile(other) for other in ended):  # a.PNG may be a.png
                ended.append(path)
        if len(ended) > 1:
            raise UserError(f"{name} may be {ended[0].name} or {ended[1].name} in {images}; write its ending.")
        if ended:
            return ended[0]
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def _columns(table: str, present: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    listed = ", ".join(present) or "none"
    if wanted is not None:
        missing = [name for name in wanted if name not in present]
        if missing or len(wanted) != 3:
            raise UserError(f"--columns needs PICTURE,VALENCE,AROUSAL among the columns of {table}: {listed}.")
        return tuple(wanted)
    lower = {name.strip().lower(): name for name in present}
    found = [next((lower[name] for name in usual if name in lower), None) for usual in COLUMNS]
    if None in found:
        raise UserError(
            f"Which columns of {table} are meant is not clear; give --columns PICTURE,VALENCE,AROUSAL of {listed}."
        )
    return tuple(name for name in found if name is not None)


def _rating(table: Path, number: int, text: str, scale: tuple[float, float]) -> float:
    """A rating on [-1, 1]; 7,11 is 7.11."""
    try:
        value = float(re.sub(r"^([-+]?\d*),(\d+)$", r"\1.\2", text))
    except ValueError:
        value = float("nan")
    if not scale[0] <= value <= scale[1]:
        raise UserError(
            f"Line {number} of {table.name} holds {text[:40]!r}, which is not on the scale {scale[0]:g} to "
            f"{scale[1]:g}; check --scale and --columns."
        )
    return from_scale(value, *scale)


def evaluate_ratings(
    judge: Judge, ratings: RatingSet, method: Method, *, seed: int, progress: OnProgress | None = None
) -> tuple[list[Measure], Calibration]:
    """Measures of the judge against people, and the calibration fitted on all pictures.

    Raises:
        UserError: the judge could read hardly any picture.
    """
    truth, read = _read(judge, ratings, progress)
    if len(read) < MIN_PICTURES:
        raise UserError(f"The judge could read {len(read)} of {len(ratings.rows)} pictures; give another with --judge.")
    measures: list[Measure] = []
    for axis, name in enumerate(AXES):
        measures += axis_measures(name, truth[:, axis], read[:, axis], method, seed)
    unread = 1 - len(read) / len(ratings.rows)
    measures.append(Measure("unreadable", unread, "share", len(ratings.rows)))
    maps = [fit(read[:, axis], truth[:, axis], method) for axis in range(2)]
    digest = str(ratings.source["sha256"])[:8]
    name = f"{method}-{Path(str(ratings.source['file'])).stem}-{digest}"
    data = {**ratings.source, "read": len(read), "measures": [measure.as_json() for measure in measures]}
    return measures, Calibration(name, identity_of(judge), method, maps[0], maps[1], data)


def _read(judge: Judge, ratings: RatingSet, progress: OnProgress | None) -> tuple[np.ndarray, np.ndarray]:
    """Ratings and readings [n, 2] of the pictures that could be read."""
    truth, read = [], []
    for start in range(0, len(ratings.rows), BATCH):
        rows = ratings.rows[start : start + BATCH]
        pictures = [Picture(open_picture(r.path), PictureRequest("", None, 0), "file", 0.0) for r in rows]
        for row, reading in zip(rows, judge.read(pictures), strict=True):
            if reading is not None:
                truth.append((row.affect.valence, row.affect.arousal))
                read.append((reading.affect.valence, reading.affect.arousal))
        if progress is not None:
            progress(start + len(rows), len(ratings.rows))
    return np.array(truth).reshape(-1, 2), np.array(read).reshape(-1, 2)


def axis_measures(name: str, truth: np.ndarray, read: np.ndarray, method: Method, seed: int) -> list[Measure]:
    """Figures of one axis; truth and read [n] in [-1, 1]."""
    calibrated, constant = cross_validated(truth, read, method, seed)
    errors, of_constant = np.abs(calibrated - truth), np.abs(constant - truth)
    difference = paired_bootstrap(errors, of_constant, seed=seed, resamples=RESAMPLES)
    rows = [
        _correlation(f"{name} Pearson", pearson, truth, read, "r", seed),
        _correlation(f"{name} Spearman", spearman, truth, read, "rho", seed),
        _correlation(f"{name} CCC", concordance, truth, read, "concordance", seed),
        _correlation(f"{name} CCC calibrated", concordance, truth, calibrated, "concordance", seed),
    ]
    for label, values in (
        (f"{name} error", np.abs(read - truth)),
        (f"{name} error calibrated", errors),
        (f"{name} error of a constant", of_constant),
    ):
        rows.append(Measure.of(label, bootstrap(values, seed=seed, resamples=RESAMPLES), "mean absolute"))
    rows.append(Measure.of(f"{name} error calibrated less constant", difference, "mean absolute"))
    return rows


def cross_validated(truth: np.ndarray, read: np.ndarray, method: Method, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated readings and the constant answer (the mean rating), each from the folds it is not in."""
    order = np.random.default_rng(seed).permutation(len(truth))
    calibrated, constant = np.empty(len(truth)), np.empty(len(truth))
    for k in range(FOLDS):
        out = order[k::FOLDS]
        kept = np.setdiff1d(order, out)
        fitted = fit(read[kept], truth[kept], method)
        calibrated[out] = [fitted(value) for value in read[out].tolist()]
        constant[out] = truth[kept].mean()
    return calibrated, constant


def concordance(x: Values, y: Values) -> float:
    """Lin's concordance correlation coefficient (1989) in [-1, 1]; nan where both sides are one constant."""
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    bottom = a.var() + b.var() + (a.mean() - b.mean()) ** 2
    return float(2 * ((a - a.mean()) * (b - b.mean())).mean() / bottom) if bottom > 0 else float("nan")


def _correlation(
    label: str, statistic: Callable[[Values, Values], float], x: np.ndarray, y: np.ndarray, unit: str, seed: int
) -> Measure:
    """A statistic of pairs with its 95 % percentile bootstrap interval over pictures."""
    interval = pairs_interval(statistic, x, y, seed=seed, resamples=RESAMPLES)
    return Measure(label, statistic(x, y), unit, len(x), interval)
