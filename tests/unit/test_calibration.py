"""Calibration: closed forms of the two maps, files, the wrong judge, and the whole way through `evaluate judge`."""

import csv
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import ColourJudge, colour_of
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from emofeedback.affect import Affect, to_scale
from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.evaluation.protocols.human_ratings import concordance, cross_validated, load_ratings, parse_scale
from emofeedback.files.run_json import reading_json
from emofeedback.judges.calibration import (
    AxisMap,
    CalibratedJudge,
    Calibration,
    Method,
    fit,
    isotonic,
    load_calibration,
)
from emofeedback.records import Picture, PictureRequest, Reading

IDENTITY = AxisMap("affine", (-1.0, 1.0), (-1.0, 1.0))


def calibration(judge: str = "colour", valence: AxisMap = IDENTITY) -> Calibration:
    return Calibration("test-1", judge, valence.method, valence, IDENTITY, {})


def test_an_affine_distortion_is_undone_exactly() -> None:
    read = np.linspace(-0.9, 0.9, 7)
    mapped = fit(read, 0.5 * read - 0.2, "affine")
    assert [mapped(x) for x in read] == pytest.approx(0.5 * read - 0.2)
    assert mapped(0.0) == pytest.approx(-0.2) and mapped.slope(0.3, 0.1) == pytest.approx(0.5)


def test_readings_that_never_change_calibrate_to_the_mean() -> None:
    assert fit([0.3, 0.3, 0.3], [0.0, 0.3, 0.6], "affine")(0.9) == pytest.approx(0.3)
    assert fit([0.3, 0.3, 0.3], [0.0, 0.3, 0.6], "isotonic")(0.9) == pytest.approx(0.3)


@pytest.mark.parametrize("method", ["affine", "isotonic"])
def test_a_judge_that_ranks_backwards_is_not_turned_round(method: Method) -> None:
    mapped = fit([0.0, 0.5, 1.0], [0.6, 0.3, 0.0], method)
    assert mapped(0.0) == pytest.approx(0.3) and mapped(1.0) == pytest.approx(0.3)


def test_results_stay_on_the_plane() -> None:
    assert fit([0.0, 0.1], [0.0, 0.9], "affine")(1.0) == 1.0


def brute_force(y: Sequence[float]) -> float:
    """The least squared error of any nondecreasing sequence: over all ways to cut y into blocks of their means."""
    best = float("inf")
    for cuts in itertools.product([False, True], repeat=len(y) - 1):
        edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(y)]
        blocks = [np.array(y[a:b]) for a, b in itertools.pairwise(edges)]
        means = [block.mean() for block in blocks]
        if all(a <= b for a, b in itertools.pairwise(means)):
            best = min(best, sum(float(((b - m) ** 2).sum()) for b, m in zip(blocks, means, strict=True)))
    return best


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-10, 10), min_size=2, max_size=8))
def test_isotonic_is_the_best_nondecreasing_fit(levels: list[int]) -> None:
    y = [level / 10 for level in levels]
    x = np.arange(len(y)) / 10
    mapped = fit(x, y, "isotonic")
    fitted = np.array([mapped(value) for value in x])
    assert (np.diff(fitted) >= -1e-12).all()
    assert ((fitted - y) ** 2).sum() == pytest.approx(brute_force(y), abs=1e-9)


def test_equal_readings_share_one_level() -> None:
    knots, levels = isotonic(np.array([0.0, 0.0, 1.0]), np.array([0.2, 0.4, 0.1]))
    assert knots == [0.0, 1.0] and levels == pytest.approx([0.7 / 3, 0.7 / 3])
    mapped = fit([0.0, 0.5, 1.0], [0.0, 0.2, 1.0], "isotonic")
    assert mapped(0.25) == pytest.approx(0.1) and mapped(-1.0) == 0.0 and mapped(2.0) == 1.0


@pytest.mark.parametrize("bad", [([0.1], [0.2]), ([0.1, 0.2], [0.1]), ([0.1, float("nan")], [0.1, 0.2])])
def test_a_fit_needs_pairs_of_numbers(bad: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="two or more"):
        fit(*bad, "affine")


def picture(affect: Affect) -> Picture:
    return Picture(Image.new("RGB", (16, 16), colour_of(affect)), PictureRequest("", None, 0), "test", 0.0)


def test_a_calibrated_judge_names_its_calibration_in_every_reading() -> None:
    judge = CalibratedJudge(ColourJudge(), calibration(valence=AxisMap("affine", (-1.0, 1.0), (-0.5, 0.5))))
    [reading] = judge.read([picture(Affect(0.8, 0.4))])
    assert reading is not None
    assert reading.affect.valence == pytest.approx(0.4, abs=0.01)
    assert reading.valence_sd == pytest.approx(0.05) and reading.arousal_sd == pytest.approx(0.1)
    assert reading_json(reading)["calibration"] == "test-1" and judge.name == "colour"
    assert judge.content_kept("x", reading) is True
    assert CalibratedJudge(ColourJudge(blind=True), calibration()).read([picture(Affect(0, 0))]) == [None]


def test_a_calibration_of_another_judge_is_refused() -> None:
    with pytest.raises(UserError, match="fitted on other, not on colour; fit one"):
        CalibratedJudge(ColourJudge(), calibration("other"))
    once = CalibratedJudge(ColourJudge(), calibration())
    with pytest.raises(UserError, match="fitted on colour"):
        CalibratedJudge(once, calibration())


def test_a_calibration_survives_its_file(tmp_path: Path) -> None:
    made = calibration(valence=fit([0.0, 0.1, 0.4], [0.1, 0.3, 0.2], "isotonic"))
    made = Calibration("c", "j", "isotonic", made.valence, fit([0.0, 1.0], [0.0, 0.5], "isotonic"), {"pictures": 3})
    (tmp_path / "c.json").write_text(json.dumps(made.as_json()))
    assert load_calibration(tmp_path / "c.json") == made


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"judge": ""},
        {"method": "cubic"},
        {"valence": {"x": [0, 0], "y": [0, 1]}},
        {"extra": 1},
        {"valence": {"x": [0, 1], "y": [0]}},
        {"arousal": {"x": [0, 1, 2], "y": [0, 1, 2]}},
        {"valence": None},
    ],
)
def test_a_damaged_calibration_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps({**calibration().as_json(), **change}))
    with pytest.raises(UserError, match="not a calibration or is damaged"):
        load_calibration(tmp_path / "c.json")
    with pytest.raises(UserError, match="There is no calibration"):
        load_calibration(tmp_path / "none.json")


def test_concordance_by_hand() -> None:
    x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    assert concordance(x, x) == pytest.approx(1.0)
    assert concordance(x, y) == pytest.approx(2 * (2 / 3) / (4 / 3 + 1)), "a shift costs agreement, not correlation"
    assert concordance(x, -x) < 0


def test_cross_validation_never_fits_on_what_it_measures() -> None:
    rng = np.random.default_rng(0)
    truth, read = rng.uniform(-1, 1, 40), rng.uniform(-1, 1, 40)
    calibrated, constant = cross_validated(truth, read, "affine", 0)
    changed = truth.copy()
    changed[7] += 0.5
    again, constant_again = cross_validated(changed, read, "affine", 0)
    assert again[7] == calibrated[7] and constant_again[7] == constant[7]
    assert (again != calibrated).sum() >= 30


@pytest.mark.parametrize(
    ("text", "scale"), [("1-9", (1, 9)), ("-3..3", (-3, 3)), ("-1--0.5", (-1, -0.5)), ("0, 100", (0, 100))]
)
def test_scales_are_read(text: str, scale: tuple[float, float]) -> None:
    assert parse_scale(text) == scale


@pytest.mark.parametrize("text", ["9-1", "1", "one-nine", "", "1-1"])
def test_what_is_no_scale_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="two numbers"):
        parse_scale(text)


def rated_folder(folder: Path, count: int = 40) -> Path:
    """Flat pictures whose human ratings on 1-9 are half as strong as what ColourJudge reads, and .2 lower."""
    rng = np.random.default_rng(1)
    rows = []
    for i in range(count):
        affect = Affect(*rng.uniform(-0.9, 0.9, 2).tolist())
        Image.new("RGB", (16, 16), colour_of(affect)).save(folder / f"{i}.png")
        rated = [to_scale(0.5 * value - 0.2, 1, 9) for value in (affect.valence, affect.arousal)]
        rows.append([f"{i}.png", *rated])
    with open(folder / "ratings.csv", "w", newline="") as file:
        csv.writer(file).writerows([["file_name", "val_mean", "aro_mean"], *rows])
    return folder / "ratings.csv"


def test_evaluate_judge_fits_and_saves_a_calibration_that_mends_the_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = rated_folder(tmp_path)
    monkeypatch.setattr("emofeedback.build.build_judge", lambda settings: ColourJudge())
    saved = tmp_path / "saved.json"
    arguments = ["evaluate", "judge", "--ratings", str(table), "--images", str(tmp_path), "--save", str(saved)]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    value = {m["name"]: m["value"] for m in report["measures"]}
    assert value["valence error"] > 0.2 and value["valence error calibrated"] < 0.01
    assert value["valence Pearson"] > 0.999 and value["valence CCC"] < 0.9 < value["valence CCC calibrated"]
    assert value["valence error of a constant"] > 0.1
    assert value["valence error calibrated less constant"] < -0.1
    made = load_calibration(saved)
    assert made.judge == "colour" and made.name.startswith("affine-ratings-")
    [reading] = CalibratedJudge(ColourJudge(), made).read([picture(Affect(0.8, -0.4))])
    assert isinstance(reading, Reading)
    assert (reading.affect.valence, reading.affect.arousal) == (
        pytest.approx(0.2, abs=0.01),
        pytest.approx(-0.4, abs=0.01),
    )


def test_ratings_that_do_not_fit_their_files_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = rated_folder(tmp_path)
    with pytest.raises(UserError, match="not on the scale 1 to 5"):
        load_ratings(table, tmp_path, (1, 5))
    with pytest.raises(UserError, match="--columns needs.*file_name, val_mean, aro_mean"):
        load_ratings(table, tmp_path, (1, 9), ["file_name", "V", "A"])
    with pytest.raises(UserError, match="check --images"):
        load_ratings(table, tmp_path / "elsewhere", (1, 9))
    with pytest.raises(UserError, match="20 or more are needed"):
        load_ratings(table, tmp_path, (1, 9), count=5)
    assert len(load_ratings(table, tmp_path, (1, 9), count=25).rows) == 25
    (tmp_path / "other.csv").write_text("name;joy\n")
    with pytest.raises(UserError, match="give --columns PICTURE,VALENCE,AROUSAL of name, joy"):
        load_ratings(tmp_path / "other.csv", tmp_path, (1, 9))
    assert main(["evaluate", "judge", "--ratings", str(table)]) == 2
    assert "--images" in capsys.readouterr().err
    assert main(["evaluate", "loop", "--ratings", str(table), "--images", str(tmp_path)]) == 2
