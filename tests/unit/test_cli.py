"""The command line: JSON, exit codes, one sentence for each fault, and that nothing half-written is left."""

import csv
import gc
import json
import os
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
from fakes import ColourJudge, PaintGenerator
from forked import COMMAND, fork
from PIL import Image

from emofeedback import build
from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.evaluation.protocols.ablation import ARMS
from emofeedback.files.open_picture import open_picture
from emofeedback.files.png_settings import read_settings
from emofeedback.generators.scene.upscaler import SceneUpscaler, UpscalerShape
from emofeedback.records import Picture, Reading, VisualPrompt

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PaintGenerator:
    """The commands with test doubles for models, in an empty working directory."""
    generator = PaintGenerator()
    judge = ColourJudge()
    monkeypatch.setattr("emofeedback.build.build_generator", lambda settings: generator)
    for name in ("judge", "rater"):
        monkeypatch.setattr(f"emofeedback.build.build_{name}", lambda *given: judge)
    bundled = build.build_upscaler  # the shipped one is not for these doubles
    monkeypatch.setattr(build, "build_upscaler", lambda s: None if s.upscaler == "bundled" else bundled(s))
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("EMOFEEDBACK_"):
            monkeypatch.delenv(name)
    return generator


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an error; stdout must be empty."""
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.startswith("emofeedback")]
    assert len(lines) == 1 and "Traceback" not in captured.err
    return lines[0]


def generate(*more: str, prompt: str = "a dog", valence: str = "0.8", arousal: str = "0") -> int:
    return main(["generate", prompt, "--valence", valence, "--arousal", arousal, *more])


def test_generate_json(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("--rounds", "2", "--candidates", "3", "--seed", "5", "--out", "out", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert [len(r["candidates"]) for r in data["rounds"]] == [3, 3]
    assert [c["seed"] for c in data["rounds"][0]["candidates"]] == [5, 6, 7]
    assert Image.open(data["best"]["image"]).size == (16, 16)
    assert json.loads(Path("out/run.json").read_text())["best"]["seed"] == data["best"]["seed"]
    assert len(list(Path("out").glob("*.png"))) == 6 and not list(Path("out").glob("*.tmp"))


def test_pictures_are_written_large_and_read_small(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    SceneUpscaler(UpscalerShape(8, 1)).save_pretrained(Path("mine"))
    assert generate("--out", "large", "--json", "--candidates", "2", "--upscaler", "mine") == 0
    large = json.loads(capsys.readouterr().out)
    assert generate("--out", "small", "--json", "--candidates", "2", "--no-upscale") == 0
    small = json.loads(capsys.readouterr().out)
    assert Image.open(large["best"]["image"]).size == (64, 64) and Image.open(small["best"]["image"]).size == (16, 16)
    assert large["best"]["reading"] == small["best"]["reading"]
    done = {"name": "mine", "scale": 4}
    told = json.loads(Path("large/run.json").read_text())
    assert large["best"]["upscaled"] == told["best"]["upscaled"] == done
    assert [c["upscaled"] for c in told["rounds"][0]["candidates"]] == [done, done]
    assert "upscaled" not in Path("small/run.json").read_text()
    assert generate("--out", "again", "--image", large["best"]["image"], "--no-upscale") == 0  # a start of its own size
    assert main(["sweep", "a dog", "--grid", "2", "--out", "sheet", "--upscaler", "mine"]) == 0
    assert Image.open("sheet/cell-01-01.png").size == (64, 64)
    capsys.readouterr()
    assert generate("--no-upscale", "--upscaler", "mine") == 2 and "not both" in sentence(capsys)
    assert generate("--upscaler", "nowhere") == 1 and "There is no upscaler 'nowhere'" in sentence(capsys)


def test_the_pictures_of_generate_carry_the_rules_of_their_run(
    models: PaintGenerator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They carried the request alone, so that Restore brought neither tolerance nor patience nor continuation back."""
    Image.new("RGB", (16, 16)).save("start.png")
    rules = ["--tolerance", "0.05", "--patience", "3", "--continuation", "image"]
    start = ["--image", "start.png", "--image-strength", "0.4"]
    assert generate("--rounds", "1", "--candidates", "1", "--out", "out", *rules, *start) == 0
    [picture] = Path("out").glob("*.png")
    found = read_settings(picture)
    assert (found.tolerance, found.patience, found.continuation, found.start_strength) == (0.05, 3, "image", 0.4)


def test_generate_for_people(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("--rounds", "2") == 0
    text = capsys.readouterr().out
    assert "Round 2: a dog, brighter" in text and "+ brighter" in text and "Best picture: emofeedback-out/" in text


def test_a_second_run_touches_nothing_of_the_first(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    generate("--out", "out", "--json")
    before = {p: p.read_bytes() for p in Path("out").iterdir()}
    generate("--out", "out", "--seed", "9", "--json")
    assert all(p.read_bytes() == content for p, content in before.items())
    assert len(list(Path("out").glob("*/run.json"))) == 1


def test_emotion_names_a_target(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "", "--emotion", "Serene", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["target"] == {"valence": 0.7, "arousal": -0.65}


@pytest.mark.parametrize("prompt", ["", "雪 🎆 naïve", "word " * 2000, "--", "line\nbreak", "\udcff bytes", "-x y"])
def test_any_prompt_is_drawn(models: PaintGenerator, capsys: pytest.CaptureFixture[str], prompt: str) -> None:
    assert main(["generate", "--valence", "0", "--arousal", "-0.5", "--json", "--out", "o", "--", prompt]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["rounds"][0]["prompt"] == prompt.replace("\udcff", "\ufffd")
    assert Image.open(data["best"]["image"]).text["parameters"].startswith(data["rounds"][0]["prompt"])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "command"),
        (["paint"], "paint"),
        (["generate"], "PROMPT"),
        (["generate", "a dog"], "--valence"),
        (["generate", "a dog", "--valence", "0.5"], "--arousal"),
        (["generate", "a dog", "--valence", "2", "--arousal", "0"], "valence"),
        (["generate", "a dog", "--valence", "nan", "--arousal", "0"], "valence"),
        (["generate", "a dog", "--valence", "high", "--arousal", "0"], "valence"),
        (["generate", "a dog", "--valence", "0", "--arousal", "inf"], "arousal"),
        (["generate", "a dog", "--emotion", "hangry"], "hangry"),
        (["generate", "a dog", "--emotion", "happy", "--valence", "0"], "--emotion"),
        (["generate", "a dog", "--emotion", "happy", "--rounds", "-1"], "rounds"),
        (["generate", "a dog", "--emotion", "happy", "--rounds", "1.5"], "rounds"),
        (["generate", "a dog", "--emotion", "happy", "--candidates", "0"], "candidates"),
        (["generate", "a dog", "--emotion", "happy", "--seed", "-3"], "seed"),
        (["generate", "a dog", "--emotion", "happy", "--strength", "nan"], "strength"),
        (["generate", "a dog", "--emotion", "happy", "--device", "tpu"], "tpu"),
        (["generate", "a dog", "--emotion", "happy", "--wrong"], "wrong"),
        (["sweep", "a dog", "--grid", "1"], "grid"),
        (["sweep", "a dog", "--grid", "3", "--path", "0,0 1,1"], "path"),
        (["sweep", "a dog", "--path", "0,0"], "path"),
        (["sweep", "a dog", "--path", "0,0 2,2"], "valence"),
        (["sweep", "a dog", "--blend", "happy"], "blend"),
        (["sweep", "a dog", "--blend", "happy,hapy"], "Unknown emotion"),
        (["sweep", "a dog", "--animation", "out.avi"], "cannot be"),
        (["estimate"], "IMAGE"),
        (["sweep", "a dog", "--blend", "happy,sad", "--path", "0,0 1,1"], "--blend"),
        (["generate", "a dog", "--emotion", "happy", "--out", "--json"], "--out"),
        (["genrate", "a dog"], "did you mean 'generate'"),
        (["generate", "a dog", "--valenc", "0.5"], "--valence"),
        (["train", "poet"], "poet"),
        (["train", "decoder", "--start-from", "weights"], "--start-from"),
        (["train", "judge", "--stage", "grpo", "--base", "judge", "--start-from", "weights"], "--start-from"),
        (["evaluate"], "command"),
        (["evaluate", "poet"], "poet"),
        (["evaluate", "generator", "--rounds", "3"], "--rounds"),
        (["evaluate", "rater", "--ratings", "x.csv"], "--ratings"),
        (["render", "--size", "1.5"], "a whole number from 64 to 1024"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(
    models: PaintGenerator, capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
) -> None:
    assert main(arguments) == 2
    assert word in sentence(capsys)
    assert list(Path().iterdir()) == []


def test_failed_work_is_exit_code_1(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    Path("text.png").write_text("not a picture")
    Path("file").touch()
    cases = [
        (["estimate", "none.png"], "none.png"),
        (["estimate", "text.png"], "text.png"),
        (["generate", "x", "--emotion", "happy", "--image", "text.png"], "text.png"),
        (["generate", "x", "--emotion", "happy", "--out", "file"], "--out"),
        (["render", "--count", "1", "--out", "file/below"], "--out"),
    ]
    for arguments, word in cases:
        assert main([*arguments, "--json"]) == 1
        assert word in sentence(capsys)
    assert sorted(p.name for p in Path().iterdir()) == ["file", "text.png"]


def test_missing_checkpoints_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOFEEDBACK_CHECKPOINTS", str(tmp_path / "none"))
    assert main(["generate", "x", "--emotion", "happy"]) == 1
    assert "none" in sentence(capsys)
    assert main(["generate", "x", "--emotion", "happy", "--generator", "flux-9"]) == 1
    assert "flux-9" in sentence(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [UserError("Mend it."), RuntimeError("odd\nthing"), MemoryError(), KeyboardInterrupt()]
)
def test_a_failure_while_drawing_leaves_nothing(
    models: PaintGenerator, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    models.fail = error
    assert generate("--json") == 1
    sentence(capsys)
    assert list(Path().iterdir()) == []


def test_ctrl_c_keeps_finished_rounds(models: PaintGenerator, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    class Interrupted(ColourJudge):
        def read(self, pictures: list[Picture]) -> list[Reading | None]:
            if len(self.histories) == 1:
                raise KeyboardInterrupt
            return super().read(pictures)

    monkeypatch.setattr("emofeedback.build.build_judge", lambda settings: Interrupted())
    assert generate("--rounds", "3", "--out", "out", "--json") == 1
    data = json.loads(Path("out/run.json").read_text())
    assert data["stopped"] == "cancelled" and len(data["rounds"]) == 1
    assert sorted(p.name for p in Path("out").iterdir()) == [f"round-01-candidate-0{i}.png" for i in range(1, 5)] + [
        "run.json"
    ]


def test_an_image_is_the_start(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGBA", (30, 20), "blue").save("start.png")
    assert generate("--image", "start.png", "--image-strength", "0.3", "--json") == 0
    request = models.calls[0][0]
    assert request.start is not None and request.start.mode == "RGB" and request.start_strength == 0.3


def test_estimate(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (9, 9), (255, 0, 255)).save("a.png")
    assert main(["estimate", "a.png", "a.png", "--json"]) == 0
    readings = json.loads(capsys.readouterr().out)["readings"]
    assert len(readings) == 2 and readings[0]["image"] == "a.png"
    assert (readings[0]["valence"], readings[0]["arousal"]) == (1.0, -1.0)


def test_a_folder_is_read_around_what_is_no_picture(
    models: PaintGenerator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file, a `._a.png` of macOS or a folder called b.png ended it; 200 photos were held at once, in 3 GB."""
    Path("photos/b.png").mkdir(parents=True)
    for name in ("a", "d", "e"):
        Image.new("RGB", (9, 9), (255, 0, 255)).save(f"photos/{name}.png")
    Path("photos/._a.png").write_bytes(b"\0\5\x16\7")
    Path("photos/c.jpg").write_text("not a picture")
    opened: list[weakref.ref[Image.Image]] = []

    def watched(path: Path) -> Image.Image:
        gc.collect()
        assert all(image() is None for image in opened[:-1])
        image = open_picture(path)
        opened.append(weakref.ref(image))
        return image

    monkeypatch.setattr("emofeedback.cli.estimate_command.open_picture", watched)
    assert main(["estimate", "photos", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["readings"]
    assert [Path(row["image"]).name for row in rows] == ["a.png", "c.jpg", "d.png", "e.png"]
    assert rows[1]["reading"] is None and "c.jpg is not a picture" in rows[1]["error"]
    assert [row["valence"] for row in (rows[0], rows[2])] == [1.0, 1.0]
    assert main(["estimate", "photos"]) == 0
    assert "c.jpg is not a picture" in capsys.readouterr().out


def test_sweeps(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "a dog", "--grid", "3", "--out", "grid", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    with open(data["table"]) as file:
        rows = list(csv.DictReader(file))
    assert (
        len(rows) == 9
        and float(rows[0]["arousal"]) == 0.8
        and float(rows[0]["read_valence"]) == pytest.approx(-0.4, abs=0.01)
    )
    assert data["continuity"]["valence"]["steps"] == 6 and Path(data["sheet"]).is_file()
    assert main(["sweep", "a dog", "--path", "-0.5,0 0.5,0", "--frames", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["continuity"]["path"]["steps"] == 4


def test_a_sweep_takes_visual_prompts(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "a dog", "--grid", "2", "--visual", "0.7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["visual"]["strength"] == 0.7
    assert {request.visual for request in models.calls[-1]} == {VisualPrompt(0.7)}
    assert main(["sweep", "a dog", "--grid", "2", "--json"]) == 0
    assert "visual" not in json.loads(capsys.readouterr().out)
    assert main(["sweep", "a dog", "--visual", "9"]) == 2
    for bare in (["--visual", "--grid", "2"], ["--grid", "2", "--visual"]):  # its value may be left out
        assert main(["sweep", "a dog", *bare]) == 0
        assert {request.visual for request in models.calls[-1]} == {VisualPrompt(1.0)}


def test_a_blend_with_an_animation(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sweep", "a dog", "--blend", "happy,afraid,0.3", "--frames", "3", "--animation", "film/out.webp"]
    command.append("--json")
    assert main(command) == 0
    data = json.loads(capsys.readouterr().out)
    assert [point["valence"] for point in data["points"]] == pytest.approx([0.8, 0.365, -0.65])
    assert data["animation"] == "film/out.webp" and Image.open("film/out.webp").n_frames > 3
    assert all(Path(point["image"]).is_file() for point in data["points"])
    assert main(command) == 2 and "already there" in capsys.readouterr().err


def test_render_is_labelled_and_repeatable(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    for out in ("a", "b"):
        assert main(["render", "--count", "2", "--size", "64", "--out", out, "--json"]) == 0
    rows = [json.loads(line) for line in Path("a/metadata.jsonl").read_text().splitlines()]
    assert len(rows) == 2 and -1 <= rows[0]["valence"] <= 1 and rows[0]["text"]
    for path in Path("a").iterdir():
        assert path.read_bytes() == (Path("b") / path.name).read_bytes()


def test_evaluations_report_every_figure_with_its_n(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    for part, count in (("generator", "2"), ("judge", "6"), ("loop", "2")):
        size = ["--rounds", "2", "--candidates", "2"] if part == "loop" else []
        assert main(["evaluate", part, "--count", count, *size, "--out", part, "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert json.loads(Path(part, "report.json").read_text())["measures"] == data["measures"]
        assert all({"name", "value", "unit", "goal", "holds", "n", "interval"} == m.keys() for m in data["measures"])
        assert {"command", "seed", "machine", "models"} <= data.keys()
        figures = {m["name"]: m["value"] for m in data["measures"]}
        if part == "generator":  # the double obeys by half, exactly
            assert figures["valence slope"] == pytest.approx(0.5, abs=0.01)
            assert figures["valence Spearman"] == pytest.approx(1.0)
            assert figures["valence error of a constant 0"] == pytest.approx(0.48)
        if part == "loop":
            assert figures["error with feedback"] <= figures["error of the first picture"]


def test_the_ablation_of_the_loop_names_every_arm(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "loop", "--ablation", "--count", "3", "--rounds", "2", "--candidates", "2", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    figures = {m["name"]: m["value"] for m in data["measures"]}
    for arm in ARMS:
        assert figures[f"error, {arm.name}"] >= 0
        assert figures[f"pictures, {arm.name}"] <= 4
    assert figures["all three minus without the judge's edits"] == pytest.approx(
        figures["error, all three"] - figures["error, without the judge's edits"]
    )


def test_benchmark(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--repeats", "2", "--json"]) == 0
    measures = json.loads(capsys.readouterr().out)["measures"]
    assert {"warm preview", "round of 8, drawn, read and advised"} <= {m["name"] for m in measures}
    assert all(m["n"] >= 1 for m in measures)


def test_benchmark_growth_writes_its_page(models: PaintGenerator, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "growth", "--repeats", "2", "--out", "g", "--json"]) == 0
    names = {m["name"] for m in json.loads(capsys.readouterr().out)["measures"]}
    assert {"a round: fixed part", "users in a batch: each user more"} <= names
    assert "How cost grows" in Path("g/benchmark.html").read_text()
    assert main(["benchmark", "growth", "--against", "."]) == 2
    assert main(["benchmark", "finetune", "--against", "."]) == 1
    assert "holds no log of flow_grpo" in capsys.readouterr().err


def test_doctor_tells_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("EMOFEEDBACK_CHECKPOINTS", str(tmp_path))
    assert main(["doctor", "--json"]) == 1
    checks = {c["name"]: c for c in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["torch"]["ok"] and not checks["scene-generator"]["ok"]


def test_help_and_errors_load_no_model() -> None:
    code = (
        "import sys; from emofeedback.cli import main; "
        "codes = [main(['--help']), main(['generate', '--help']), main(['generate', 'x', '--valence', '9']), "
        "main(['evaluate', 'judge', '-h']), main(['train', '-h']), main(['finetune', '-h'])]; "
        "assert codes == [0, 0, 2, 0, 0, 0], codes; "
        "heavy = {'torch', 'diffusers', 'transformers', 'gradio', 'numpy', 'scipy', 'PIL', 'rich'}; "
        "assert not heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_sigint_in_a_process_is_one_sentence(tmp_path: Path) -> None:
    out = tmp_path / "o"
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # no matter who began the tests
    drawing = fork(heard + COMMAND, "render", "--count", "100000", "--size", "64", "--out", str(out))
    drawing.until(lambda: bool(list(out.glob("*.png"))))
    os.kill(drawing.pid, signal.SIGINT)
    drawing.wait()
    assert (drawing.returncode, drawing.stdout) == (1, "")
    assert drawing.stderr.startswith("emofeedback render: Stopped") and len(drawing.stderr.splitlines()) == 1
    assert not list((tmp_path / "o").glob("*.tmp"))
