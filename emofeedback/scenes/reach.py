"""How far a content can carry: the outline of all moods that a place and a subject reach by their setting alone.

`python -m emofeedback.scenes.reach` searches every place with every subject, and without one, in the affect model, and
writes `reach.json` (about three minutes); reading an outline costs nothing. A second subject hardly moves an outline
and is left out. The search takes each EVERY-th base of settings: an outline needs no more.
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emofeedback.affect import Affect
from emofeedback.files.storage import write_whole
from emofeedback.scenes.edits import setting_affects
from emofeedback.scenes.grammar import PLACES, SUBJECTS, Scene
from emofeedback.scenes.reading import parse

BINS = 24
"""Along valence."""
EVERY = 29
FILE = Path(__file__).with_name("reach.json")
OPEN = "meadow"
"""Where a prompt names no place."""


def reach_of(prompt: str) -> tuple[Affect, ...]:
    """The outline of what a prompt's content reaches, around; () where it names nothing that the world knows.

    What the prompt says of the setting is left open, because edits may change it.
    """
    mentions = parse(prompt)
    if mentions.place is None and not mentions.subjects:
        return ()
    found = _outlines().get(_key(mentions.place or OPEN, mentions.subjects[0] if mentions.subjects else None), [])
    return tuple(
        Affect.clamped(valence / 100, arousal / 100) for valence, arousal in zip(*[iter(found)] * 2, strict=True)
    )


@cache
def _outlines() -> dict[str, list[int]]:
    found: dict[str, list[int]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def _key(place: str, subject: str | None) -> str:
    return f"{place}/{subject or ''}"


def outline(place: str, subject: str | None) -> list[int]:
    """The points of a content's outline, around, as valence, arousal, valence, ... in hundredths."""
    scene = Scene(place, subject, None, "day", "clear", "summer", "natural", "even", ())
    valence, arousal, _ = setting_affects(scene, EVERY)
    columns = np.clip(((valence + 1) / 2 * BINS).astype(int), 0, BINS - 1)
    lows, highs = np.full(BINS, np.inf), np.full(BINS, -np.inf)
    np.minimum.at(lows, columns, arousal)
    np.maximum.at(highs, columns, arousal)
    found = np.nonzero(np.isfinite(lows))[0]
    middles = -1 + (found + 0.5) * 2 / BINS
    top, bottom = _smooth(highs[found]), _smooth(lows[found])
    left, right = float(valence.min()), float(valence.max())
    points: list[tuple[Any, Any]] = [(left, (top[0] + bottom[0]) / 2), *zip(middles, top, strict=True)]
    points += [(right, (top[-1] + bottom[-1]) / 2), *list(zip(middles, bottom, strict=True))[::-1]]
    return [round(100 * float(value)) for point in points for value in point]


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A mean with both neighbours: the outline of a region, not of a search."""
    padded = np.pad(values, 1, mode="edge")
    return (padded[:-2] + 2 * values + padded[2:]) / 4


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    argparse.ArgumentParser(prog="python -m emofeedback.scenes.reach", description=__doc__.split("\n")[0]).parse_args(
        arguments
    )
    found = {_key(*content): outline(*content) for content in itertools.product(PLACES, (None, *SUBJECTS))}
    lines = ",\n".join(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in found.items())
    write_whole(FILE, f"{{\n{lines}\n}}\n".encode())


if __name__ == "__main__":
    main()
