"""What the answers of a chat server say: its first word's alternatives and their probabilities, or several samples."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from emofeedback.judges.questions import RatingQuestion
from emofeedback.judges.readings import AxisRating, average
from emofeedback.judges.replies import Piece
from emofeedback.servers.json_reply import thought_end


@dataclass(frozen=True, slots=True)
class Sampled:
    """Sampled ratings of one question: values in [-1, 1] of the readable ones, and their share of all."""

    values: tuple[float, ...]
    share: float


def top_rating(pieces: Sequence[Piece], top: Sequence[Sequence[Piece]], question: RatingQuestion) -> AxisRating | None:
    """Expected value over the labels among the alternatives of the answer's first token that is not blank.

    Labels below the reported alternatives count as nothing; what is missing shows in the mass.
    """
    values = dict(zip(question.labels, question.values(), strict=True))
    weights: dict[str, float] = {}
    for label, log in _alternatives(pieces, top):
        if label in values:
            weights[label] = weights.get(label, 0.0) + math.exp(log)
    mass = sum(weights.values())
    if not mass > 0:
        return None
    mean = sum(values[label] * weight for label, weight in weights.items()) / mass
    variance = sum((values[label] - mean) ** 2 * weight for label, weight in weights.items()) / mass
    return AxisRating(mean, math.sqrt(variance), min(1.0, mass))


def top_yes(pieces: Sequence[Piece], top: Sequence[Sequence[Piece]]) -> tuple[float, float]:
    """Probability of yes, and of yes and no together, in every spelling, where the answer's first word begins."""
    found = {"yes": 0.0, "no": 0.0}
    for token, log in _alternatives(pieces, top):
        if token.lower() in found:
            found[token.lower()] += math.exp(log)
    return found["yes"], found["yes"] + found["no"]


def sampled_rating(parts: Sequence[Sampled]) -> AxisRating:
    """Median and spread of all sampled ratings; mass is the least readable share."""
    values = [value for part in parts for value in part.values]
    return AxisRating(statistics.median(values), statistics.pstdev(values), min(part.share for part in parts))


def both_axes(four: Sequence[AxisRating | Sampled | None], min_mass: float) -> tuple[AxisRating, AxisRating] | None:
    axes = []
    for pair in (four[:2], four[2:]):
        ratings = []
        for part in pair:
            mass = part.share if isinstance(part, Sampled) else part.mass if part is not None else 0.0
            if part is None or not mass >= min_mass or (isinstance(part, Sampled) and not part.values):
                return None
            ratings.append(part)
        sampled = [part for part in ratings if isinstance(part, Sampled)]
        exact = [part for part in ratings if isinstance(part, AxisRating)]
        if sampled:
            exact.append(sampled_rating(sampled))
        axes.append(average(exact))
    return axes[0], axes[1]


def _alternatives(pieces: Sequence[Piece], top: Sequence[Sequence[Piece]]) -> list[Piece]:
    """The alternatives, without blanks, of the first token that is not blank; none where all are.

    What the model thought before it answered is passed over; its mark may be a token or several.
    """
    thought = thought_end("".join(token for token, _ in pieces))
    begins = list(accumulate((len(token) for token, _ in pieces), initial=0))
    place = next((i for i, (token, _) in enumerate(pieces) if begins[i] >= thought and _bare(token)), None)
    return [] if place is None else [(_bare(token), log) for token, log in top[place]]


def _bare(token: str) -> str:
    return token.strip(" \t\r\n\u2581\u0120")
