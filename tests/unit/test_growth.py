"""How cost grows, on a clock of our own."""

import pytest
from fakes import ColourJudge, PaintGenerator

from emofeedback.evaluation import growth
from emofeedback.evaluation.growth import CANDIDATES, Growth, measure_growth


def test_a_straight_line_gives_its_fixed_part_and_each_one_more() -> None:
    assert Growth("x", (1, 2, 4), (3.0, 5.0, 9.0)).line() == pytest.approx((1.0, 2.0))


def test_every_size_is_measured_and_the_parts_are_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "timed", lambda job, repeats: [job() or 1.0 for _ in range(repeats)])
    ticks = iter(range(10**6))
    measures, growths = measure_growth(
        PaintGenerator(), ColourJudge(), repeats=2, seed=0, clock=lambda: float(next(ticks))
    )
    found = {m.name: m.value for m in measures}
    assert [g.name for g in growths] == ["a round", "a picture", "users in a queue", "users in a batch"]
    for count in CANDIDATES:
        parts = [found[f"a round of {count}: share of its time to {part}"] for part in ("draw", "read", "advise")]
        assert sum(parts) == pytest.approx(1.0)
    assert found["16 users: a queue's seconds over a batch's"] == 1.0
    assert found["a picture: each step more"] == pytest.approx(0.0) and found["a picture: fixed part"] == 1.0
