"""Runs of history as files for others: pictures, one table as CSV and TSV, one JSON sidecar; a folder or a zip."""

import csv
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from emofeedback import __version__
from emofeedback.errors import UserError
from emofeedback.files.png_settings import strip_metadata
from emofeedback.history.record import BOARD, SCALE, pictures_in, telling_names

Format = Literal["folder", "zip"]
COLUMNS = {
    "run": "id of the run",
    "kind": "feedback, picture, sheet or path",
    "time": "when the run ended, ISO 8601, UTC",
    "round": "number of the round from 1; of a sheet: the row from the top",
    "candidate": "number in the round from 1; of a sheet: the column from the left",
    "file": "the picture, from this folder",
    "chosen": "1 = the picture of its round that was chosen",
    "prompt": "the words the picture was drawn from",
    "seed": "same seed, same noise",
    "steps": "denoising steps",
    "strength": "of the emotion adapter; 0 = from the words alone",
    "guidance": "classifier-free guidance; empty = the model's own",
    "target_valence": "-1 to 1",
    "target_arousal": "-1 to 1",
    "reading_valence": "the judge's, -1 to 1; empty = not read",
    "reading_arousal": "the judge's, -1 to 1; empty = not read",
    "valence_sd": "spread of the judge's rating distribution",
    "arousal_sd": "spread of the judge's rating distribution",
    "mass": "probability the judge put on rating words, 0 to 1",
    "distance": "Euclidean, reading to target",
    "content_kept": "1 = the content that the prompt names is seen, 0 = not; empty = not known",
    "generator": "name of the model",
    "generator_revision": "of its weights",
    "judge": "name of the model",
    "judge_revision": "of its weights",
}


def export_runs(
    runs: Sequence[tuple[Mapping[str, Any], Path]], out: Path, fmt: Format, *, metadata: bool = True
) -> Path:
    """Write (record, folder) pairs to a new folder or zip file, which appears whole.

    Raises:
        UserError: nothing to export, `out` exists, or it cannot be written.
    """
    if fmt not in ("folder", "zip"):
        raise UserError(f"Unknown format {fmt!r}; known are folder, zip.")
    if not runs:
        raise UserError("Choose at least one run to export.")
    if os.path.lexists(out):
        raise UserError(f"{out} is there already; choose another name.")
    temporary = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".export-", dir=out.parent))
        made = temporary / "export"
        if fmt == "folder":
            made.mkdir()
            for name, content in _files(runs, metadata):
                (made / name).parent.mkdir(exist_ok=True)
                (made / name).write_bytes(content)
        else:
            with zipfile.ZipFile(made, "w") as archive:
                for name, content in _files(runs, metadata):
                    packing = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
                    archive.writestr(name, content, packing)
        os.replace(made, out)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror or error}); free some space.") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    return out


def _files(runs: Sequence[tuple[Mapping[str, Any], Path]], metadata: bool) -> Iterator[tuple[str, bytes]]:
    rows: list[dict[str, object]] = []
    records = []
    for kept, folder in runs:
        names = telling_names(kept)
        record = _renamed(kept, names)
        inside = f"{record['created'][:10]}-{record['kind']}-{record['id'][:8]}"
        for file, name in [*names.items(), *([(BOARD, BOARD)] if "cells" in record else [])]:
            content = (folder / file).read_bytes()
            yield f"{inside}/{name}", content if metadata else strip_metadata(content, name)
        rows += [_row(record, item, inside) for item in pictures_in(record)]
        records.append({"folder": inside, **record})
    yield "pictures.csv", _table(rows, ",")
    yield "pictures.tsv", _table(rows, "\t")
    sidecar = {"version": __version__, "scale": SCALE, "columns": COLUMNS, "runs": records}
    yield "runs.json", (json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n").encode()


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """A record whose pictures have other names."""
    if isinstance(value, Mapping):
        return {
            key: names.get(part, part) if key == "image" and isinstance(part, str) else _renamed(part, names)
            for key, part in value.items()
        }
    return [_renamed(part, names) for part in value] if isinstance(value, list) else value


def _row(record: Mapping[str, Any], item: Mapping[str, Any], inside: str) -> dict[str, object]:
    request, read, models = item["request"], item["reading"] or {}, record["models"]
    kept = read.get("content_kept")
    return {
        "run": record["id"],
        "kind": record["kind"],
        "time": record["created"],
        "round": item["round"],
        "candidate": item["candidate"],
        "file": f"{inside}/{item['image']}",
        "chosen": int(bool(item.get("chosen"))),
        "prompt": request["prompt"],
        "seed": request["seed"],
        "steps": request["steps"],
        "strength": request["strength"],
        "guidance": request["guidance"],
        "target_valence": request["valence"],
        "target_arousal": request["arousal"],
        "reading_valence": read.get("valence"),
        "reading_arousal": read.get("arousal"),
        "valence_sd": read.get("valence_sd"),
        "arousal_sd": read.get("arousal_sd"),
        "mass": read.get("mass"),
        "distance": item.get("distance"),
        "content_kept": None if kept is None else int(kept),
        "generator": models["generator"]["name"],
        "generator_revision": models["generator"]["revision"],
        "judge": models["judge"]["name"],
        "judge_revision": models["judge"]["revision"],
    }


def _table(rows: Sequence[Mapping[str, object]], delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(COLUMNS), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
