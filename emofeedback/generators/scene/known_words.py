"""The words that a checkpoint of the bundled generator was trained on: its vocabulary.json. Importing this is cheap."""

import json
from collections.abc import Iterable
from pathlib import Path

from emofeedback.settings import Settings, checkpoint_folder

VOCABULARY = "vocabulary.json"
CAPTIONS = 2
"""Edition of the captions that generators are trained on today; from this one on users' words are put into theirs."""


def read_vocabulary(path: Path) -> tuple[tuple[str, ...], int]:
    """The words that a checkpoint was trained on and the edition of its captions: 1 where the file is a bare list.

    Raises:
        ValueError: it is no such file.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(found, list):
        found = {"captions": 1, "words": found}
    words, captions = (found.get("words"), found.get("captions")) if isinstance(found, dict) else (None, None)
    if not isinstance(words, list) or not isinstance(captions, int) or not 1 <= captions <= CAPTIONS:
        raise ValueError(f"{path.name} holds no words of captions of edition 1 to {CAPTIONS}")
    return tuple(words), captions


def write_vocabulary(path: Path, words: Iterable[str]) -> None:
    """Write the words of today's captions."""
    text = json.dumps({"captions": CAPTIONS, "words": sorted(words)}, indent=0)
    path.write_text(f"{text}\n", encoding="utf-8")


def words_of(folder: Path) -> tuple[str, ...] | None:
    """The words of a checkpoint folder; None where it does not tell any."""
    try:
        return read_vocabulary(folder / VOCABULARY)[0]
    except (OSError, ValueError):
        return None


def drawn_words(settings: Settings) -> tuple[str, ...] | None:
    """The words that the settings' generator draws: () = any; None = those of the scene world's captions."""
    return words_of(checkpoint_folder(settings, "scene-generator")) if settings.generator == "bundled" else ()
