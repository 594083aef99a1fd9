"""Names of picture files that tell what is in them: the words, the mood and the seed."""

import re
import unicodedata
from collections.abc import Iterable

from emofeedback.affect import mood_name
from emofeedback.records import PictureRequest

MAX_WORDS = 48
"""Characters of the prompt in a name."""
PURE_MOOD = "mood"
"""Stands for a prompt without words."""


def slug(words: str) -> str:
    """Words as part of a file name that any system takes: lower case, joined by hyphens, cut between two words."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    found = re.findall(r"[a-z0-9]+", plain.casefold())
    kept = ""
    for word in found:
        if len(kept) + 1 + len(word) > MAX_WORDS:
            break
        kept += f"-{word}" if kept else word
    return kept or (found[0][:MAX_WORDS] if found else "")


def picture_name(request: PictureRequest) -> str:
    """As "a-lighthouse-by-the-sea-serene-seed-7.png"."""
    parts = [slug(request.prompt) or PURE_MOOD]
    if request.affect is not None:
        parts.append(mood_name(request.affect))
    return "-".join([*parts, f"seed-{request.seed}.png"])


def picture_names(requests: Iterable[PictureRequest]) -> list[str]:
    """A name for each, in order; those that would be the same are numbered from 2."""
    names: list[str] = []
    counts: dict[str, int] = {}
    for name in map(picture_name, requests):
        counts[name] = counts.get(name, 0) + 1
        names.append(name if counts[name] == 1 else f"{name.removesuffix('.png')}-{counts[name]}.png")
    return names
