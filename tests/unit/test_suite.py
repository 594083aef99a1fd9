"""The suite: closed forms of its figures, every arm on doubles whose answers are known, going on, grading again."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import ColourJudge, PaintGenerator
from PIL import Image

from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.evaluation.paired_tests import Side, compare, read_side
from emofeedback.evaluation.suite.draw_arms import SuiteModels, draw_suite, grade_suite
from emofeedback.evaluation.suite.learned_metrics import learned_measures, line_ratio
from emofeedback.evaluation.suite.plan import ARMS, Plan, in_order, possible
from emofeedback.evaluation.suite.prompt_sets import prompt_set
from emofeedback.evaluation.suite.sheet_figures import (
    Sheets,
    cross_talk,
    diversity,
    evenness,
    reading_measures,
    rising_steps,
    taus,
)
from emofeedback.evaluation.suite.store import SuiteFolder
from emofeedback.evaluation.suite.suite_figures import cost_measures, rater_view
from emofeedback.records import Rewrite, Rewrites

PLAN = Plan(
    prompts=("a dog", "a cat", "a boat"),
    grid=3,
    extent=0.6,
    seed=0,
    rounds=2,
    candidates=2,
    arms=possible(("rewriter", "visual", "adapter")),
    models={"generator": "paint", "judge": "colour", "judge_identity": "colour"},
)


SMALL = replace(PLAN, prompts=("a dog", "a cat"), grid=2)


class Brightener:
    name = "brightener"

    def rewrite(self, prompt: str, target: object, *, seed: int = 0) -> Rewrites:
        return Rewrites((Rewrite(f"{prompt}, brighter", ("one",), (), ()),))


class OtherJudge(ColourJudge):
    name = "another"


def models() -> SuiteModels:
    return SuiteModels(PaintGenerator(0.5), ColourJudge(), Brightener(), PaintGenerator(1.0))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> SuiteFolder:
    folder = SuiteFolder.begin(tmp_path_factory.mktemp("suite") / "s", SMALL)
    draw_suite(models(), folder, range(2))
    grade_suite(OtherJudge(), "another", folder, list(folder.units()), lambda arm, prompt: None)
    return folder


def sheets(valence: float = 1.0, arousal: float = 1.0, leak: float = 0.0, lift: float = 0.0) -> Sheets:
    """Readings that are linear in the command: v = valence * V + leak * A + lift, a = arousal * A."""
    wanted = np.array([[p.valence, p.arousal] for p in PLAN.points()])
    one = np.stack([valence * wanted[:, 0] + leak * wanted[:, 1] + lift, arousal * wanted[:, 1]], axis=-1)
    return Sheets.of(PLAN.points(), np.tile(one, (3, 1, 1)), 3)


def test_figures_of_a_linear_viewer_are_its_coefficients() -> None:
    found = {m.name: m for m in reading_measures("x", sheets(0.5, -1.0, 0.25, 0.1), 0)}
    assert found["x: valence slope"].value == pytest.approx(0.5)
    assert found["x: valence intercept"].value == pytest.approx(0.1)
    assert found["x: valence slope"].interval == pytest.approx((0.5, 0.5))
    assert found["x: valence moved by the other axis"].value == pytest.approx(0.25)
    assert found["x: arousal moved by the other axis"].value == pytest.approx(0.0)
    assert found["x: arousal Kendall tau of a sweep"].value == -1.0
    assert found["x: arousal steps the right way"].value == 0.0
    assert found["x: valence Kendall tau of a sweep"].value == 1.0
    assert found["x: valence error of a constant 0"].value == pytest.approx(0.4)  # mean of .6, 0, .6
    assert found["x: arousal error"].value == pytest.approx(0.8)  # read with the other sign
    assert found["x: valence slope"].n == 27 and found["x: valence error"].n == 3


def test_emoticrafters_grid_has_the_published_constant() -> None:
    """On {-3, -1.5, 0, 1.5, 3} the answer that is always 0 errs by 1.8: .6 of the half range."""
    wide = Plan(("a", "b"), 5, 1.0, 0, 1, 1, ("prompt",), {})
    zero = Sheets.of(wide.points(), np.zeros((2, 25, 2)), 5)
    found = {m.name: m.value for m in reading_measures("x", zero, 0)}
    assert found["x: valence error"] == found["x: valence error of a constant 0"] == pytest.approx(1.8 / 3)
    assert found["x: valence Kendall tau of a sweep"] == 0.0


def test_a_gap_leaves_its_sweep_out_and_no_more() -> None:
    gapped = sheets()
    gapped.read[0, 0, 0] = np.nan
    assert taus(gapped, 0).tolist() == [1.0, 1.0, 1.0] == rising_steps(gapped, 1).tolist()
    assert cross_talk(gapped, 0) == pytest.approx([0, 0, 0])
    found = {m.name: m for m in reading_measures("x", gapped, 0)}
    assert found["x: unreadable"].value == pytest.approx(1 / 27) and found["x: valence slope"].n == 26


def grey(level: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (level, level, level))


def test_evenness_is_1_for_equal_steps_and_the_share_of_a_jump() -> None:
    line = [grey(0), grey(0), grey(255)]
    assert evenness([line, line, line]) == pytest.approx(2.0)  # one of two steps does all
    assert np.isnan(evenness([[grey(9)] * 3] * 3))


def test_diversity_is_the_difference_of_contents_at_one_point() -> None:
    assert diversity([[grey(0)] * 4, [grey(255)] * 4]).tolist() == [1.0, 1.0]
    assert diversity([[grey(7)] * 4, [grey(7)] * 4]).tolist() == [0.0, 0.0]


def test_every_arm_is_drawn_and_obeys_as_its_generator_does(drawn: SuiteFolder) -> None:
    planless = "adapter-no-plan", "adapter-no-sketch"  # this generator does not plan
    assert drawn.drawn() == PLAN.arms == tuple(name for name in ARMS if name not in planless)
    found = {m.name: m.value for m in rater_view(drawn, "another").measures}
    assert found["prompt: valence slope"] == pytest.approx(0.0, abs=0.01)
    assert found["adapter: valence slope"] == pytest.approx(0.5, abs=0.02)
    assert found["tuned: valence slope"] == pytest.approx(1.0, abs=0.02)
    assert found["rewriter: valence intercept"] == pytest.approx(0.2, abs=0.01)  # "brighter" adds .2
    assert found["loop: distance to the target"] < found["adapter: distance to the target"]
    gap = found["loop: distance to the target"] - found["adapter: distance to the target"]
    assert found["loop less adapter: distance to the target"] == pytest.approx(gap, abs=1e-6)


def test_best_of_n_draws_what_the_loop_drew(drawn: SuiteFolder) -> None:
    cost = {m.name: m.value for m in cost_measures(drawn)}
    assert cost["best-of-n: pictures drawn a picture"] == cost["loop: pictures drawn a picture"] == 4
    assert cost["best-of-n: judge's advice a picture"] == 0 < cost["loop: judge's advice a picture"]
    assert cost["prompt: pictures drawn a picture"] == 1
    assert cost["loop-no-choice: pictures drawn a picture"] <= 2


def test_a_line_that_jumps_once_is_as_uneven_as_its_share() -> None:
    pixels = torch.tensor([0.0, 0.0, 1.0] * 3).view(9, 1, 1, 1)
    assert line_ratio(pixels, 3, lambda a, b: float((a - b).abs().sum())) == pytest.approx(2.0)
    assert np.isnan(line_ratio(pixels[:1].repeat(9, 1, 1, 1), 3, lambda a, b: float((a - b).abs().sum())))


def test_learned_metrics_say_what_they_need(drawn: SuiteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    monkeypatch.setitem(sys.modules, "torchmetrics.image.lpip", None)
    with pytest.raises(UserError, match="emofeedback\\[metrics\\]"):
        learned_measures(["lpips"], drawn)
    with pytest.raises(UserError, match="known are clip-score"):
        learned_measures(["fid"], drawn)

    def closed(device: str) -> None:
        raise OSError("no network")

    monkeypatch.setattr("emofeedback.evaluation.suite.learned_metrics.OPENED", {"lpips": closed})
    rows = learned_measures(["lpips"], drawn)
    assert len(rows) == len(PLAN.arms) and all("no network" in (row.note or "") for row in rows)


def test_a_suite_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    plan = Plan(("a dog", "a cat"), 2, 0.6, 0, 1, 1, ("prompt", "adapter"), {})
    first, again = PaintGenerator(), PaintGenerator()
    folder = SuiteFolder.begin(tmp_path / "s", plan)
    draw_suite(SuiteModels(first, ColourJudge()), folder, [0])
    assert folder.drawn() == ()
    draw_suite(SuiteModels(again, ColourJudge()), SuiteFolder.begin(tmp_path / "s", plan), range(2))
    assert len(again.calls) == 2  # of the second prompt alone
    assert folder.drawn() == ("prompt", "adapter")
    other = Plan(("a dog", "a cow"), 2, 0.6, 0, 1, 1, ("prompt", "adapter"), {})
    with pytest.raises(UserError, match="other prompts"):
        SuiteFolder.begin(tmp_path / "s", other)


def test_every_picture_and_reading_is_kept(drawn: SuiteFolder) -> None:
    cells = json.loads((drawn.folder("loop", 1) / "cells.json").read_text())["cells"]
    assert len(cells) == 4
    for cell in cells:
        assert len(cell["candidates"]) == cell["cost"]["pictures"]
        for candidate in cell["candidates"]:
            assert (drawn.folder("loop", 1) / candidate["image"]).is_file() and candidate["reading"] is not None


def test_unknown_arms_are_named_and_costs_come_along() -> None:
    with pytest.raises(UserError, match="known are prompt"):
        in_order(["lop"])
    assert in_order(["best-of-n"]) == ("loop", "best-of-n")


def test_prompt_sets(tmp_path: Path) -> None:
    assert len(prompt_set("everyday", 132, 0)) == 132
    own = tmp_path / "own.txt"
    own.write_text("# mine\na dog\n\na  cat\na dog\n")
    assert prompt_set(str(own), 9, 0) == ("a dog", "a cat")
    own.write_text("a dog\n")
    with pytest.raises(UserError, match="two or more"):
        prompt_set(str(own), 9, 0)


def side(name: str, **rows: list[float]) -> Side:
    return Side(name, {key: tuple(values) for key, values in rows.items()}, {"seed": 0})


def test_a_comparison_finds_the_difference_of_pairs_alone() -> None:
    base = np.linspace(0, 5, 12)
    noise = np.tile([0.01, -0.01], 6)
    [test] = compare(side("A", error=list(base + 0.1 + noise)), side("B", error=list(base)))
    assert test.difference == pytest.approx(0.1) and test.low > 0.08 and test.p < 0.01 and test.wilcoxon < 0.01
    assert test.effect == pytest.approx(0.1 / (base + 0.1 + noise - base).std(ddof=1))
    [same] = compare(side("A", error=list(base)), side("B", error=list(base)))
    assert (same.difference, same.p, same.wilcoxon) == (0, 1, 1)
    rows = {f"r{i}": list(base + 0.1 * (i == 0) + noise) for i in range(5)}
    corrected = compare(side("A", **rows), side("B", **{k: list(base) for k in rows}))
    assert corrected[0].q == pytest.approx(min(1.0, corrected[0].p * 5))


def test_sides_of_other_prompts_are_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pairs"):
        compare(Side("A", {"x": (1.0, 2.0)}, {"seed": 0}), Side("B", {"x": (1.0, 2.0)}, {"seed": 1}))
    with pytest.raises(UserError, match="no figure"):
        compare(side("A", x=[1, 2]), side("B", x=[1, 2, 3]))
    with pytest.raises(UserError, match="no report"):
        read_side(str(tmp_path))


def test_the_commands_draw_grade_again_and_compare(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("emofeedback.build.build_generator", lambda settings: PaintGenerator())
    monkeypatch.setattr("emofeedback.build.build_judge", lambda settings: ColourJudge())
    raters = {
        "bundled": OtherJudge(),
        "judge": ColourJudge(),
        "third": type("Third", (ColourJudge,), {"name": "third"})(),
    }
    monkeypatch.setattr("emofeedback.build.build_rater", lambda settings, *judge: raters[settings.rater])
    suite = ["evaluate", "suite", "--count", "2", "--grid", "2", "--rounds", "1", "--candidates", "2"]
    suite += ["--arms", "adapter,best-of-n", "--out", "s", "--json"]
    assert main(suite) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["plan"]["arms"] == ["adapter", "loop", "best-of-n"] and list(data["raters"]) == ["another"]
    assert main(suite) == 0  # nothing is missing: nothing is drawn, the report is the same
    assert json.loads(capsys.readouterr().out)["measures"] == data["measures"]
    page = Path("s/report.html").read_text()
    assert (
        "V-A adapter" in page
        and 'src="data:image/webp;base64,' in page
        and "http" not in page.replace("http://www.w3.org", "")
    )
    assert main(["evaluate", "score", "s", "--rater", "third", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["raters"]) == ["another", "third"]
    assert main(["evaluate", "score", "s", "--rater", "judge"]) == 1
    assert "who guides never grades" in capsys.readouterr().err
    assert main(["evaluate", "compare", "s#best-of-n", "s#adapter", "--out", "c", "--json"]) == 0
    tests = {t["name"]: t for t in json.loads(capsys.readouterr().out)["tests"]}
    assert tests["distance to the target"]["difference"] <= 0 and Path("c/comparison.html").is_file()
