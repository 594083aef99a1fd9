"""What raters get: a page, numbered sheets with a table to fill in, and a small server that collects.

The folder holds no key. It is a Hugging Face Space as it is (or a folder of any static host), and index.html alone can
be mailed where the set is small enough to lie inside it.
"""

import base64
import io
import json
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from emofeedback.errors import UserError
from emofeedback.evaluation.eye.rating_set import QUESTION, RatingKey
from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.open_picture import open_picture
from emofeedback.files.png_settings import OWN
from emofeedback.files.storage import image_bytes, write_json, write_rows, write_whole

FOLDER = "for-raters"
SIDE, COLUMNS, ROWS = 300, 5, 3
"""Of a contact sheet: a picture's side in pixels, and how many there are."""
LARGEST = 640
"""Longest side of a picture on the page."""
INSIDE = 8_000_000
"""Bytes of pictures up to which they lie inside index.html: a Space takes files below 10 MB."""
CARD = """---
title: Rating pictures
emoji: 🎚️
colorFrom: red
colorTo: yellow
sdk: gradio
app_file: app.py
short_description: How pleasant and how exciting is each picture?
---

A set of pictures to be rated blind, one at a time. Ratings are kept in `ratings/`, a CSV file a rater; with the secret
`HF_TOKEN` and the variable `RATINGS_REPO` (OWNER/NAME of a data set, best a private one) a Space sends them there too,
since its own disk does not last. Without a server, each rater saves a CSV file at the end and sends it back.
"""


def write_set(
    out: Path,
    key: RatingKey,
    progress: Callable[[int, int], None] | None = None,
    large: LargePictures = LargePictures(),  # noqa: B008 (frozen)
) -> Path:
    """Write index.html, sheets/, table.csv, question.txt, app.py and README.md; returns the folder for raters.

    Args:
        large: raters see pictures of this project as a person gets them.

    Raises:
        UserError: a picture cannot be opened, or the folder cannot be written.
    """
    folder = out / FOLDER
    try:
        (folder / "sheets").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made ({error.strerror}); choose another with --out.") from None
    stripped: list[tuple[str, bytes, str]] = []
    thumbs: list[Image.Image] = []
    for done, item in enumerate(key.items):
        picture = _as_shown(Path(item.file), large)
        thumbs.append(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
        stripped.append((item.id, *bare_bytes(picture)))
        if progress is not None:
            progress(done + 1, len(key.items))
    _write_sheets(folder / "sheets", thumbs)
    numbers = [{"picture": number + 1, "valence": "", "arousal": ""} for number in range(len(key.items))]
    write_rows(folder / "table.csv", numbers)
    write_whole(folder / "question.txt", (QUESTION + "\n").encode())
    write_whole(folder / "index.html", _page(folder, key.name, stripped).encode())
    here = resources.files("emofeedback.evaluation.eye")
    write_whole(folder / "app.py", here.joinpath("rating_server.py").read_bytes())
    write_whole(folder / "README.md", CARD.encode())
    ids = sorted(item.id for item in key.items)
    write_json(folder / "set.json", {"set": key.name, "pictures": ids})
    return folder


def _as_shown(path: Path, large: LargePictures) -> Image.Image:
    """A picture; one that tells that this project drew it is enlarged."""
    picture = open_picture(path)
    with Image.open(path) as opened:
        own = opened.format == "PNG" and OWN in opened.info
    return open_picture(large.of_png(path.read_bytes())) if own else picture


def bare_bytes(picture: Image.Image) -> tuple[bytes, str]:
    """Pixels alone, without text chunks, EXIF or colour profile, and their MIME type; at most LARGEST pixels a side."""
    bare = Image.frombytes("RGB", picture.size, picture.convert("RGB").tobytes())
    bare.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    if max(bare.size) <= 256:
        return image_bytes(bare), "image/png"
    buffer = io.BytesIO()
    bare.save(buffer, "JPEG", quality=92)
    return buffer.getvalue(), "image/jpeg"


def _write_sheets(folder: Path, thumbs: Sequence[Image.Image]) -> None:
    """Contact sheets of numbered pictures, in the order of the key."""
    font, per = ImageFont.load_default(17), COLUMNS * ROWS
    for begin in range(0, len(thumbs), per):
        sheet = Image.new("RGB", (COLUMNS * (SIDE + 8), ROWS * (SIDE + 28)), "white")
        pen = ImageDraw.Draw(sheet)
        for n, thumb in enumerate(thumbs[begin : begin + per]):
            x, y = (n % COLUMNS) * (SIDE + 8), (n // COLUMNS) * (SIDE + 28)
            sheet.paste(thumb, (x, y + 24))
            pen.text((x + 4, y + 4), f"#{begin + n + 1}", fill="black", font=font)
        write_whole(folder / f"sheet{begin // per + 1:02d}.png", image_bytes(sheet))


def _page(folder: Path, name: str, stripped: Sequence[tuple[str, bytes, str]]) -> str:
    """The page; pictures lie inside it where they are small enough together, else in pictures/."""
    inside = sum(len(content) for _, content, _ in stripped) * 4 / 3 < INSIDE
    pictures = []
    for identity, content, kind in stripped:
        if inside:
            source = f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
        else:
            source = f"pictures/{identity}.{kind.partition('/')[2]}"
            (folder / "pictures").mkdir(exist_ok=True)
            write_whole(folder / source, content)
        pictures.append([identity, source])
    pictures.sort()
    page = resources.files("emofeedback.evaluation.eye").joinpath("rating_page.html").read_text(encoding="utf-8")
    return page.replace("/*SET*/null", json.dumps({"set": name, "pictures": pictures}).replace("</", "<\\/"))
