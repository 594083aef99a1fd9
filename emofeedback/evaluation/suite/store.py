"""A suite's folder: plan.json, every picture with its readings and cost, and what raters read in the final ones.

    plan.json
    arms/ARM/NNN/cells.json          one file a prompt, written when its pictures are all there
    arms/ARM/NNN/RR-CC-KK.png        picture KK of the cell in row RR and column CC
    readings/RATER/ARM/NNN.json      what a rater reads in the final pictures of that prompt

Nothing is drawn again to be graded again, and a suite that was stopped goes on where files are missing.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.suite.plan import Plan
from emofeedback.files.run_json import reading_json
from emofeedback.files.storage import png_bytes, write_json
from emofeedback.records import Candidate, Cost, Picture, PictureRequest

PLAN = "plan.json"
CELLS = "cells.json"


@dataclass(frozen=True, slots=True)
class DrawnCell:
    """What one arm drew for one prompt and point: all its candidates, the final one, and the cost."""

    candidates: tuple[Candidate, ...]
    final: int
    cost: Cost


@dataclass(frozen=True, slots=True)
class KeptCell:
    """A cell as its folder tells it; `image` is the final picture's file, below the suite's folder."""

    arm: str
    prompt: int
    words: str  # of the final picture, after rewriting and edits
    target: Affect
    image: str
    distance: float | None  # by the judge that guided
    cost: Cost


@dataclass(frozen=True, slots=True)
class Grade:
    """What a rater says of a final picture; None = not known."""

    valence: float | None
    arousal: float | None
    kept: float | None = None
    realism: float | None = None


class SuiteFolder:
    """The files of one suite.

    Raises:
        UserError: the folder holds no plan.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.plan = Plan.from_json(json.loads((path / PLAN).read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise UserError(f"{path} holds no suite; draw one with `evaluate suite --out {path}`.") from None
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{path / PLAN} is damaged or of another version; draw the suite again.") from None

    @classmethod
    def begin(cls, path: Path, plan: Plan) -> "SuiteFolder":
        """The folder of a plan, new or as it was left.

        Raises:
            UserError: it holds something else, or another plan.
        """
        if (path / PLAN).is_file():
            found = cls(path)
            for name, value in plan.as_json().items():
                before = found.plan.as_json()[name]
                if json.dumps(before) != json.dumps(value):
                    raise UserError(
                        f"{path} holds a suite with other {name}; give what it was begun with, or another --out."
                    )
            return found
        if path.is_dir() and any(path.iterdir()):
            raise UserError(f"{path} is not empty and holds no suite; give another folder with --out.")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{path} cannot be made ({error.strerror}); choose another folder with --out.") from None
        write_json(path / PLAN, plan.as_json())
        return cls(path)

    def folder(self, arm: str, prompt: int) -> Path:
        return self.path / "arms" / arm / f"{prompt:03d}"

    def has(self, arm: str, prompt: int) -> bool:
        """Whether everything of an arm and a prompt was drawn."""
        return (self.folder(arm, prompt) / CELLS).is_file()

    def write(self, arm: str, prompt: int, cells: Sequence[DrawnCell]) -> None:
        """Keep the pictures of all points of a prompt, then the file that says so."""
        folder, rows = self.folder(arm, prompt), []
        folder.mkdir(parents=True, exist_ok=True)
        for index, (cell, target) in enumerate(zip(cells, self.plan.points(), strict=True)):
            row, column = divmod(index, self.plan.grid)
            names = [f"{row + 1:02d}-{column + 1:02d}-{k + 1:02d}.png" for k in range(len(cell.candidates))]
            for name, candidate in zip(names, cell.candidates, strict=True):
                _write_picture(folder / name, png_bytes(candidate.picture, candidate.reading))
            final = cell.candidates[cell.final]
            rows.append(
                {
                    "target": asdict(target),
                    "image": names[cell.final],
                    "words": final.picture.request.prompt,
                    "distance": final.distance,
                    "cost": asdict(cell.cost),
                    "candidates": [_candidate(c, name) for c, name in zip(cell.candidates, names, strict=True)],
                }
            )
        write_json(folder / CELLS, {"arm": arm, "prompt": self.plan.prompts[prompt], "cells": rows})

    def cells(self, arm: str, prompt: int) -> list[KeptCell]:
        """The cells of a prompt, row by row.

        Raises:
            UserError: they were not drawn, or the file is damaged.
        """
        folder = self.folder(arm, prompt)
        try:
            rows = json.loads((folder / CELLS).read_text(encoding="utf-8"))["cells"]
            return [
                KeptCell(
                    arm,
                    prompt,
                    row["words"],
                    Affect(**row["target"]),
                    (folder / row["image"]).relative_to(self.path).as_posix(),
                    row["distance"],
                    Cost(**row["cost"]),
                )
                for row in rows
            ]
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{folder / CELLS} is missing or damaged; run `evaluate suite` again to draw it.") from None

    def pictures(self, arm: str, prompt: int) -> list[Picture]:
        """The final pictures of a prompt, row by row."""
        found = []
        for cell in self.cells(arm, prompt):
            try:
                with Image.open(self.path / cell.image) as image:
                    picture = image.convert("RGB")
            except OSError:
                raise UserError(f"{self.path / cell.image} is missing or damaged; draw that prompt again.") from None
            request = PictureRequest(cell.words, cell.target, self.plan.seed_of(prompt))
            found.append(Picture(picture, request, self.plan.models.get("generator", ""), 0.0))
        return found

    def drawn(self) -> tuple[str, ...]:
        """The arms of which every prompt was drawn."""
        return tuple(arm for arm in self.plan.arms if all(self.has(arm, i) for i in range(len(self.plan.prompts))))

    def _grades(self, rater: str, arm: str, prompt: int) -> Path:
        return self.path / "readings" / rater / arm / f"{prompt:03d}.json"

    def has_grades(self, rater: str, arm: str, prompt: int) -> bool:
        return self._grades(rater, arm, prompt).is_file()

    def write_grades(self, rater: str, arm: str, prompt: int, grades: Sequence[Grade]) -> None:
        path = self._grades(rater, arm, prompt)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, [asdict(grade) for grade in grades])

    def grades(self, rater: str, arm: str, prompt: int) -> list[Grade]:
        """What a rater said.

        Raises:
            UserError: it was not asked, or the file is damaged.
        """
        path = self._grades(rater, arm, prompt)
        try:
            return [Grade(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError):
            raise UserError(f"{path} is missing or damaged; grade the suite again with `evaluate score`.") from None

    def raters(self) -> tuple[str, ...]:
        """Who has graded every picture that was drawn, in the order of their names."""
        folder, units = self.path / "readings", list(self.units())
        names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        return tuple(name for name in names if all(self.has_grades(name, arm, i) for arm, i in units))

    def units(self) -> Iterator[tuple[str, int]]:
        """(arm, prompt) of everything that was drawn whole."""
        return ((arm, i) for arm in self.drawn() for i in range(len(self.plan.prompts)))


def is_suite(path: Path) -> bool:
    """Whether a folder holds a suite."""
    return (path / PLAN).is_file() and (path / "arms").is_dir()


def rater_folder(name: str) -> str:
    """A rater's name as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-.")[:80] or "rater"


def _write_picture(path: Path, content: bytes) -> None:
    """A whole file or none. Not forced to the disk one by one, which takes longer than drawing: the file that says
    that all pictures are there is, and comes last.

    Raises:
        UserError: the folder cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror or error}); free some space.") from None
    finally:
        draft.unlink(missing_ok=True)


def _candidate(candidate: Candidate, name: str) -> dict[str, Any]:
    request = candidate.picture.request
    return {
        "image": name,
        "prompt": request.prompt,
        "seed": request.seed,
        "reading": None if candidate.reading is None else reading_json(candidate.reading, candidate.content_kept),
        "distance": None if candidate.distance is None else round(candidate.distance, 4),
    }
