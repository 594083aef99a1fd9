"""Published human norms of what a scene can show, one row per concept of the grammar (norms.csv).

Words: the Glasgow Norms (Scott, Keitel, Becirspahic, Yao & Sereno 2019, doi 10.3758/s13428-018-1099-3), 1-9.
Pictures: mean of the OASIS pictures of a theme (Kurdi, Lozano & Banaji 2017, doi 10.3758/s13428-016-0715-3), 1-7,
and for "bare trees" a BASS silhouette (mean of the US sample, 1-9).

OASIS means are brought to the Glasgow scale by matching mean and spread (population sd) over 20 concepts that have both
a word and a theme of two pictures or more (those of the first, smaller world):

    glasgow = glasgow_mean + (oasis - oasis_mean) * glasgow_sd / oasis_sd      (figures in OASIS_TO_GLASGOW)

and then averaged with the word's figure, because a picture can differ from its word: pictures of snow are calm.
A theme with a single picture is shown in the table but not used. A concept without any norm is marked "set", and the
note says near what. The affect model of the scenes takes from this table where an item lies before it has been rated.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from emofeedback.affect import from_scale

OASIS_TO_GLASGOW = {
    # axis: (oasis_mean, oasis_sd, glasgow_mean, glasgow_sd), n = 20; correlations r = .90 and .57
    "valence": (4.559, 1.294, 5.173, 1.787),
    "arousal": (3.827, 0.714, 5.415, 1.124),
}


@dataclass(frozen=True, slots=True)
class Norm:
    """A concept's norm. valence and arousal lie in [-1, 1]; `source` is glasgow, oasis, both, bass or set."""

    valence: float
    arousal: float
    source: str
    note: str = ""


Norms = Mapping[tuple[str, str], Norm]
"""(aspect, concept) -> norm; the aspects are place, subject, time, weather, season, palette, light, pose, element."""


def oasis_to_glasgow(axis: str, value: float) -> float:
    """A theme's OASIS mean (1-7) on the Glasgow scale (1-9); `axis` is "valence" or "arousal"."""
    oasis_mean, oasis_sd, glasgow_mean, glasgow_sd = OASIS_TO_GLASGOW[axis]
    return glasgow_mean + (value - oasis_mean) * glasgow_sd / oasis_sd


def norm_rows() -> list[dict[str, str]]:
    """The rows of norms.csv as they are written, sources and single figures included."""
    text = resources.files("emofeedback.scenes").joinpath("norms.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def load_norms() -> Norms:
    """The bundled norms; read once per process."""
    return MappingProxyType(
        {
            (row["aspect"], row["concept"]): Norm(
                valence=from_scale(float(row["valence"]), 1, 9),
                arousal=from_scale(float(row["arousal"]), 1, 9),
                source=row["source"],
                note=row["note"],
            )
            for row in norm_rows()
        }
    )
