"""Figures against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emofeedback.evaluation.metrics import (
    bootstrap,
    mean_absolute_error,
    paired_bootstrap,
    pearson,
    slope,
    spearman,
)
from emofeedback.evaluation.report import Measure

X = np.array([1.0, 2.0, 3.0, 4.0])


def test_lines() -> None:
    assert pearson(X, 3 * X - 1) == pytest.approx(1)
    assert pearson(X, -X) == pytest.approx(-1)
    assert slope(X, 3 * X - 1) == pytest.approx(3)
    assert mean_absolute_error(X, X + 0.5) == pytest.approx(0.5)


def test_spearman_sees_order_alone_and_shares_ties() -> None:
    assert spearman(X, np.exp(X)) == pytest.approx(1)
    # by hand: ranks (1, 2.5, 2.5, 4) against (1, 2, 3, 4): r = 4.5 / sqrt(4.5 * 5)
    assert spearman([10, 20, 20, 30], X) == pytest.approx(4.5 / math.sqrt(4.5 * 5))


def test_a_constant_has_no_correlation() -> None:
    assert math.isnan(pearson(X, np.ones(4))) and math.isnan(slope(np.ones(4), X)) and math.isnan(pearson([1], [2]))


def test_a_constant_that_is_not_representable_has_none_either() -> None:
    assert math.isnan(pearson(X, np.full(4, 0.1)))


@given(st.lists(st.tuples(*[st.floats(-1, 1)] * 2), min_size=2, max_size=30))
def test_correlation_is_bounded_and_symmetric(pairs: list[tuple[float, float]]) -> None:
    x, y = (list(side) for side in zip(*pairs, strict=True))
    r = pearson(x, y)
    assert math.isnan(r) or -1 <= r <= 1
    assert r == pytest.approx(pearson(y, x), nan_ok=True)


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1]), ([1, float("nan")], [1, 2]), ([[1]], [[1]])])
def test_bad_pairs(x: list, y: list) -> None:
    with pytest.raises(ValueError):
        pearson(x, y)


def test_bootstrap_of_a_constant_is_that_constant() -> None:
    interval = bootstrap([2.0] * 5, seed=0)
    assert (interval.value, interval.low, interval.high, interval.n) == (2, 2, 2, 5)
    with pytest.raises(ValueError):
        bootstrap([], seed=0)


def test_bootstrap_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = [(lambda i: i.low <= 0 <= i.high)(bootstrap(rng.normal(size=60), seed=k, resamples=500)) for k in range(200)]
    assert 0.88 <= np.mean(hits) <= 0.99


def test_paired_bootstrap_uses_the_pairing() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=50) * 10
    gain = paired_bootstrap(base - 0.1, base + rng.normal(size=50) * 0.01, seed=0)
    assert gain.value == pytest.approx(-0.1, abs=0.01) and gain.high < 0
    again = paired_bootstrap(base - 0.1, base, seed=0)
    assert again == paired_bootstrap(base - 0.1, base, seed=0)


def test_a_measure_holds_inside_its_goal_only() -> None:
    assert Measure("a", 0.9, "", 1, goal=(0.7, 1.1)).holds() is True
    assert Measure("a", 1.2, "", 1, goal=(0.7, 1.1)).holds() is False
    assert Measure("a", float("nan"), "", 1, goal=(None, 1)).holds() is False
    assert Measure("a", 1.2, "", 1).holds() is None
    as_json = Measure("a", float("nan"), "s", 3, (0.0, 1.0), (None, 1)).as_json()
    assert as_json == {
        "name": "a",
        "value": None,
        "unit": "s",
        "goal": "<= 1",
        "holds": False,
        "n": 3,
        "interval": [0.0, 1.0],
    }
