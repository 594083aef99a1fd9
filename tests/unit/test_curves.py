"""Learning curves: what is drawn is what was logged."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from emofeedback.training.common.curves import curve_svg, read_log, write_curve


def test_a_falling_loss_is_drawn_from_high_left_to_low_right() -> None:
    rows = [{"step": step, "loss": 10.0 ** (-step / 100)} for step in (0, 50, 100)]
    root = ElementTree.fromstring(curve_svg(rows, ["loss"]))
    path = [p.get("d", "").replace("M", "").replace("L", "").split() for p in root.iter() if p.get("fill") == "none"][0]
    xs, ys = [float(v) for v in path[0::2]], [float(v) for v in path[1::2]]
    assert xs == sorted(xs) and ys == sorted(ys)
    assert ys[1] == pytest.approx((ys[0] + ys[2]) / 2, abs=0.2)  # straight on a logarithmic axis


def test_a_cut_line_and_values_that_are_not_numbers_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({"step": 20, "loss": 0.5, "aligned": float("nan")}) + '\n{"step": 40, "lo')
    assert [row["step"] for row in read_log(log)] == [20]
    write_curve(log, ["loss", "aligned"], tmp_path / "curve.svg")
    ElementTree.parse(tmp_path / "curve.svg")
    write_curve(tmp_path / "none.jsonl", ["loss"], tmp_path / "other.svg")
    assert not (tmp_path / "other.svg").exists()
