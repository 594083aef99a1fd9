"""Where a visual prompt bank comes from: scenes of the scene world, or any folder of captioned, rated pictures."""

import csv
import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from emofeedback.affect import from_scale
from emofeedback.errors import UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.generators.visual.encoders import Features, PictureEncoder, TextEncoder
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import describe
from emofeedback.training.common.scene_data import SceneCache
from emofeedback.training.visual_prompts.build_bank import Rated

logger = logging.getLogger(__name__)
METADATA = ("metadata.jsonl", "metadata.csv")
CAPTIONS = ("text", "caption", "prompt")
BATCH = 256


class ScenePictures:
    """Pictures of a cache by row."""

    def __init__(self, cache: SceneCache) -> None:
        self.cache = cache

    def __len__(self) -> int:
        return len(self.cache)

    def __getitem__(self, row: int) -> Image.Image:
        return Image.fromarray(np.array(self.cache.pictures[row]))


@dataclass(frozen=True)
class FolderPictures:
    """Pictures of a folder by row, opened when they are asked for."""

    files: Sequence[Path]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> Image.Image:
        return open_picture(self.files[row])


def rated_scenes(cache: SceneCache, texts: TextEncoder, pictures: PictureEncoder, seed: int) -> Rated:
    """Every scene of a cache with a caption that says all that is visible, and its own affect."""
    captions = [describe(scene, random.Random(f"{seed}/bank/{i}")) for i, scene in enumerate(cache.scenes)]
    points = [scene_affect(scene) for scene in cache.scenes]
    affects = np.array([[p.valence, p.arousal] for p in points], dtype=np.float32)
    return Rated(captions, affects, *_encoded(captions, ScenePictures(cache), texts, pictures))


def rated_folder(
    folder: Path, texts: TextEncoder, pictures: PictureEncoder, scale: tuple[float, float] = (-1.0, 1.0)
) -> tuple[Rated, FolderPictures]:
    """The pictures that metadata.jsonl or metadata.csv of a folder lists, in the form of Hugging Face's imagefolder.

    Each line has `file_name`, a caption (`text`, `caption` or `prompt`), `valence` and `arousal`.

    Args:
        scale: lowest and highest value of the ratings.

    Raises:
        UserError: there is no list, a line lacks a field, a rating lies outside the scale, or a picture is missing.
    """
    files, captions, affects = [], [], []
    for number, line in enumerate(_lines(folder), 1):
        caption = next((line[name] for name in CAPTIONS if line.get(name)), None)
        try:
            file = folder / str(line["file_name"])
            point = [from_scale(float(line[axis]), *scale) for axis in ("valence", "arousal")]  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError):
            raise UserError(f"Line {number} of the list in {folder} needs file_name, valence and arousal.") from None
        if caption is None:
            raise UserError(f"Line {number} of the list in {folder} needs a caption in {', '.join(CAPTIONS)}.")
        if not all(-1.0 <= value <= 1.0 for value in point):
            raise UserError(f"Line {number} of the list in {folder} is rated outside {scale[0]:g} to {scale[1]:g}.")
        if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
            raise UserError(f"Line {number} of the list in {folder} names {line['file_name']}, which is not there.")
        files.append(file)
        captions.append(str(caption))
        affects.append(point)
    if not files:
        raise UserError(f"The list in {folder} names no picture; write one line for each.")
    shown = FolderPictures(files)
    return Rated(captions, np.array(affects, dtype=np.float32), *_encoded(captions, shown, texts, pictures)), shown


def _lines(folder: Path) -> list[dict[str, object]]:
    for name in METADATA:
        path = folder / name
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8-sig")
            if name.endswith(".csv"):
                return [dict(row) for row in csv.DictReader(text.splitlines())]
            return [dict(json.loads(line)) for line in text.splitlines() if line.strip()]
        except (OSError, ValueError, TypeError):
            raise UserError(f"{path} cannot be read; write one JSON object a line, or a CSV file.") from None
    raise UserError(f"{folder} has no {' or '.join(METADATA)}; list its pictures, captions and ratings there.")


def _encoded(
    captions: Sequence[str], shown: ScenePictures | FolderPictures, texts: TextEncoder, pictures: PictureEncoder
) -> tuple[Features, Features]:
    words, looks = [], []
    for first in range(0, len(captions), BATCH):
        rows = range(first, min(first + BATCH, len(captions)))
        words.append(texts(captions[first : first + BATCH]))
        looks.append(pictures([shown[row] for row in rows]))
        if first % (BATCH * 16) == 0:
            logger.info("Encoded %d of %d pictures.", first, len(captions))
    return np.concatenate(words), np.concatenate(looks)
