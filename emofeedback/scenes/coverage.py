"""Which moods a content reaches by its setting alone: `python -m emofeedback.scenes.coverage` measures and writes it.

Every place with every subject, and without one, is tried against the 25 points of GRID x GRID. A point is reached where
some possible setting lies within REACH of it, and reached in agreement where some such setting is rather not mixed
(P < TORN by the affect model). The search is exact for what it calls missed. What the world cannot do is kept in
`effects.json` ("coverage") and told in `docs/scene-scale.md`.
"""

import argparse
import itertools
import json
import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emofeedback.scenes.affect_model import SAFE_LOGIT
from emofeedback.scenes.edits import setting_affects
from emofeedback.scenes.fit_affect import compact
from emofeedback.scenes.grammar import INDOOR_PLACES, PLACES, SUBJECTS, Scene, poseable
from emofeedback.scenes.sampling import TORN
from emofeedback.scenes.scale_table import markdown

log = logging.getLogger(__name__)

GRID = (-0.7, -0.35, 0.0, 0.35, 0.7)
POINTS = tuple(itertools.product(GRID, GRID))
"""(valence, arousal), on the viewer's scale."""
REACH = 0.15  # Euclidean distance
STRIDES = (29, 7, 1)  # of the bases each so-manieth is tried, the next where these do not suffice; 1 = all
TORN_CHARGE = (math.log(TORN / (1 - TORN)) - SAFE_LOGIT) ** 2


def contents() -> Iterator[Scene]:
    """Every place without and with every subject, in a plain setting."""
    for place, subject in itertools.product(PLACES, (None, *SUBJECTS)):
        yield Scene(place, subject, None, "day", "clear", "summer", "natural", "even", ())


def distances(scene: Scene, strides: Sequence[int] = STRIDES) -> NDArray[np.float64]:
    """(2, 25) how near a content comes to each of POINTS, by any setting and by those in agreement.

    The least distance where it exceeds REACH; any that does not, otherwise.
    """
    found = np.full((2, len(POINTS)), np.inf)
    for every in strides:
        open_points = np.nonzero((found > REACH).any(axis=0))[0]
        if not len(open_points):
            break
        valence, arousal, charge = setting_affects(scene, every)
        agrees = charge < TORN_CHARGE
        for n in open_points:
            away = np.hypot(valence - np.float32(POINTS[n][0]), arousal - np.float32(POINTS[n][1]))
            least = (away.min(), away[agrees].min(initial=np.inf))
            found[:, n] = np.minimum(found[:, n], least)
    return found


def measure() -> dict[str, Any]:
    """The coverage of all contents, as `effects.json` keeps it; about three minutes.

    "contents", their number; "points", one entry per point: [valence, arousal], "missed" and "missed in agreement" the
    numbers of contents that do not reach it, "farthest" the distances of the worst, "kinds" what missed it: counts of
    rooms, and of contents that nobody with a face is in.
    """
    scenes = list(contents())
    found = np.stack([distances(scene) for scene in scenes])
    points = []
    for n, point in enumerate(POINTS):
        missed = found[:, :, n] > REACH
        which = [scene for scene, out in zip(scenes, missed[:, 1], strict=True) if out]
        points.append(
            {
                "point": list(point),
                "missed": int(missed[:, 0].sum()),
                "missed in agreement": int(missed[:, 1].sum()),
                "farthest": [round(float(worst), 3) for worst in found[:, :, n].max(axis=0)],
                "rooms": sum(scene.place in INDOOR_PLACES for scene in which),
                "faceless": sum(not poseable(scene.subject) for scene in which),
                "subjects": sorted({scene.subject or "nobody" for scene in which}),
            }
        )
    return {"contents": len(scenes), "points": points}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(prog="python -m emofeedback.scenes.coverage", description=__doc__.split("\n")[0])
    parser.add_argument("--table", type=Path, help="where the Markdown table of the whole scale goes, if anywhere")
    chosen = parser.parse_args(arguments)
    path = here / "effects.json"
    data = json.loads(path.read_text(encoding="utf-8")) | {"coverage": measure()}
    path.write_text(compact(data), encoding="utf-8")
    if chosen.table is not None:
        chosen.table.write_text(markdown(data), encoding="utf-8")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for entry in data["coverage"]["points"]:
        if entry["missed in agreement"]:
            log.info("%s", entry)


if __name__ == "__main__":
    main()
