"""Serves a set of pictures for rating and keeps what raters send: `python app.py`, here or as a Space.

It stands alone in the folder that raters get: nothing of the package is needed, only starlette and uvicorn (both come
with gradio). Ratings are written, never shown. With RATINGS_REPO and HF_TOKEN they also go to that data set.
"""

import csv
import io
import json
import math
import os
import re
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

MOST_BYTES, MOST_RATERS = 2_000_000, 2_000


def application(folder: Path) -> Starlette:
    """The page, its pictures, and POST /ratings of {"set", "rater", "rows": [[picture, valence, arousal, seconds]]}."""
    known = json.loads((folder / "set.json").read_text(encoding="utf-8"))
    pictures, kept = set(known["pictures"]), folder / "ratings"

    async def page(request: Request) -> Response:
        return FileResponse(folder / "index.html")

    async def told(request: Request) -> Response:
        return JSONResponse({"set": known["set"]})

    async def take(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                return JSONResponse({"error": "too much"}, 413)
        try:
            data = json.loads(body)
            rater, rows = str(data["rater"]), [_row(row, pictures) for row in data["rows"]]
            if data["set"] != known["set"] or len(rows) > len(pictures):
                raise ValueError("another set")
        except (ValueError, KeyError, TypeError, RecursionError):
            return JSONResponse({"error": "these are no ratings of this set"}, 400)
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", rater).strip("-")[:60]
        if not name:
            return JSONResponse({"error": "a rater needs a name"}, 400)
        kept.mkdir(exist_ok=True)
        path = kept / f"{name}.csv"
        if not path.exists() and sum(1 for _ in kept.glob("*.csv")) >= MOST_RATERS:
            return JSONResponse({"error": "there are enough raters"}, 429)
        _write(path, name, rows)
        return JSONResponse({"kept": len(rows)})

    routes = [Route("/", page), Route("/ratings", told), Route("/ratings", take, methods=["POST"])]
    if (folder / "pictures").is_dir():
        routes.append(Mount("/pictures", StaticFiles(directory=folder / "pictures")))  # type: ignore[arg-type]
    return Starlette(routes=routes)


def _row(row: list, pictures: set[str]) -> tuple[str, float, float, float]:  # type: ignore[type-arg]
    picture, valence, arousal, seconds = str(row[0]), *(float(value) for value in row[1:4])
    if picture not in pictures or not all(-1 <= value <= 1 for value in (valence, arousal)):
        raise ValueError("not on the scale")
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError("no time")
    return picture, valence, arousal, seconds


def _write(path: Path, rater: str, rows: list[tuple[str, float, float, float]]) -> None:
    """The rater's whole file, replaced in one step."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rater", "picture", "valence", "arousal", "seconds"])
    writer.writerows([rater, picture, f"{v:.4f}", f"{a:.4f}", f"{s:.2f}"] for picture, v, a, s in rows)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(text.getvalue(), encoding="utf-8")
    os.replace(draft, path)


def main() -> None:
    """Serve the folder of this file; on a Space to everybody, else on this machine unless HOST says otherwise."""
    folder = Path(__file__).resolve().parent
    repo, token = os.environ.get("RATINGS_REPO"), os.environ.get("HF_TOKEN")
    if repo and token:
        from huggingface_hub import CommitScheduler

        (folder / "ratings").mkdir(exist_ok=True)
        CommitScheduler(
            repo_id=repo, repo_type="dataset", folder_path=folder / "ratings", every=5, token=token, private=True
        )
    host = "0.0.0.0" if os.environ.get("SPACE_ID") else os.environ.get("HOST", "127.0.0.1")
    uvicorn.run(application(folder), host=host, port=int(os.environ.get("PORT", "7860")))


if __name__ == "__main__":
    main()
