"""Two reports, or two arms of a suite, compared by what they share: the same prompts in the same order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from emofeedback.errors import UserError
from emofeedback.evaluation.metrics import paired_bootstrap

RESAMPLES = 9999


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: the observations of every figure, and what must agree for them to be pairs."""

    name: str
    observations: Mapping[str, tuple[float, ...]]
    drawn_from: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The first side less the second.

    Attributes:
        low, high: 95 % bootstrap interval of the mean difference over pairs.
        p: of a sign-flip permutation test of the mean difference, two-sided.
        wilcoxon: p of Wilcoxon's signed-rank test.
        q: p after Benjamini and Hochberg (1995) over all figures compared.
        effect: mean difference over its standard deviation (Cohen's d_z); nan where all differences are equal.
    """

    name: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    wilcoxon: float
    q: float
    effect: float
    n: int

    def as_json(self) -> dict[str, Any]:
        found = {item: getattr(self, item) for item in self.__dataclass_fields__}
        return {
            key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in found.items()
        }


def read_side(text: str) -> Side:
    """FOLDER[#ARM] or a report.json -> its observations; of an arm they lose its name.

    Raises:
        UserError: there is no report, it holds no observations, or it has no such arm.
    """
    place, mark, arm = text.partition("#")
    path = Path(place)
    path = path / "report.json" if path.is_dir() else path
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found = {name: tuple(map(float, values)) for name, values in data["observations"].items()}
    except FileNotFoundError:
        raise UserError(f"There is no report {path}; give a folder of `evaluate`.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path} is no report with observations; make it again with `evaluate`.") from None
    if mark:
        found = {n.removeprefix(f"{arm}: "): v for n, v in found.items() if n.startswith(f"{arm}: ")}
        if not found:
            arms = sorted({name.partition(": ")[0] for name in data["observations"] if ": " in name})
            raise UserError(f"{path} knows no arm {arm!r}; it has {', '.join(arms) or 'none'}.")
    plan = data.get("plan") or {}
    shared = {key: plan[key] for key in ("prompts", "grid", "extent", "seed") if key in plan}
    return Side(text, found, shared or {"report": data.get("report"), "seed": data.get("seed")})


def compare(first: Side, second: Side, seed: int = 0) -> list[PairedTest]:
    """Paired tests of every figure that both sides have with as many observations.

    Raises:
        UserError: the sides were not drawn from the same, or share no figure.
    """
    for key in first.drawn_from.keys() & second.drawn_from.keys():
        if first.drawn_from[key] != second.drawn_from[key]:
            raise UserError(f"{first.name} and {second.name} differ in {key}: their observations are no pairs.")
    names = [
        name
        for name, values in first.observations.items()
        if len(values) > 1 and len(second.observations.get(name, ())) == len(values)
    ]
    if not names:
        raise UserError(f"{first.name} and {second.name} share no figure with as many observations.")
    found = [_tested(name, first.observations[name], second.observations[name], seed) for name in names]
    adjusted = stats.false_discovery_control([test.p for test in found])
    return [_with_q(test, float(q)) for test, q in zip(found, adjusted, strict=True)]


def _tested(name: str, a: Sequence[float], b: Sequence[float], seed: int) -> PairedTest:
    x, y = np.asarray(a), np.asarray(b)
    away = x - y
    gain = paired_bootstrap(x, y, seed=seed)
    if np.allclose(away, 0):
        p = rank = 1.0
    else:
        p = float(
            stats.permutation_test(
                (x, y),
                lambda u, v, axis: np.mean(u - v, axis=axis),
                permutation_type="samples",
                vectorized=True,
                n_resamples=RESAMPLES,
                rng=np.random.default_rng(seed),
            ).pvalue
        )
        rank = float(stats.wilcoxon(x, y).pvalue)
    spread = float(away.std(ddof=1))
    effect = gain.value / spread if spread > 1e-12 else float("nan")
    return PairedTest(
        name, float(x.mean()), float(y.mean()), gain.value, gain.low, gain.high, min(p, 1.0), rank, 1.0, effect, len(x)
    )


def _with_q(test: PairedTest, q: float) -> PairedTest:
    return PairedTest(**{**{item: getattr(test, item) for item in test.__dataclass_fields__}, "q": q})
