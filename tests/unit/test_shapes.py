"""Full-size shapes with random weights: their parameters counted without memory, their benchmark run at tiny size."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emofeedback.cli import main
from emofeedback.deploy.models import offered
from emofeedback.errors import OutOfMemory
from emofeedback.evaluation.shapes.judge_shape import QWEN, TINY_QWEN, shaped_config, shaped_judge, shaped_model
from emofeedback.evaluation.shapes.random_models import (
    KLEIN,
    SD35,
    TINY_KLEIN,
    TINY_SD35,
    PipelineShape,
    ShapedGenerator,
)
from emofeedback.evaluation.shapes.random_tokenizer import trained_tokenizer
from emofeedback.evaluation.shapes.shape_benchmark import NO_GPU, SCALES, Shapes, all_parts, measure_shapes, update
from emofeedback.evaluation.shapes.speed import NO_MEMORY, draw, random_pictures, write

META = torch.device("meta")
HUGE = 2**26  # pixels, whose latents no address space holds


def billions(module: torch.nn.Module) -> float:
    return sum(parameter.numel() for parameter in module.parameters()) / 1e9


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        (KLEIN, {"transformer": 3.876, "text_encoder": 4.022, "vae": 0.084}),
        (SD35, {"transformer": 2.243, "text_encoder": 0.124, "text_encoder_2": 0.695, "text_encoder_3": 4.762}),
    ],
)
def test_a_generator_shape_has_the_parameters_of_the_published_model(
    shape: PipelineShape, sizes: dict[str, float]
) -> None:
    pipe = shape.make(shape.configs, META, torch.bfloat16, 0)
    assert {part: round(billions(pipe.components[part]), 3) for part in sizes} == sizes
    assert pipe.transformer.dtype == torch.bfloat16
    parts = next(entry.parts for entry in offered("generator") if entry.family == shape.described().family.key)
    assert billions(pipe.transformer) == pytest.approx(parts.network, abs=0.1)
    texts = sum(billions(part) for name, part in pipe.components.items() if name.startswith("text_encoder"))
    assert texts == pytest.approx(parts.text, abs=0.1)
    assert billions(pipe.vae) == pytest.approx(parts.rest, abs=0.05)


def test_the_judges_shape_has_the_parameters_of_qwen() -> None:
    config, _ = shaped_config(QWEN)
    model = shaped_model(config, META, torch.bfloat16, 0)
    assert billions(model) == pytest.approx(8.292, abs=0.001)
    assert billions(model.model.visual) == pytest.approx(0.677, abs=0.001)


def test_pictures_take_as_many_tokens_as_qwen_gives_them() -> None:
    _, processor = shaped_config(QWEN)
    text = processor.tokenizer.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Rate it."}]}], tokenize=False
    )
    batch = processor(images=random_pictures(1, 1024, 0), text=[text], return_tensors="pt")
    image = processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert int((batch["input_ids"] == image).sum()) == 37 * 37  # 1024 pixels, rounded to cells of 28


def test_the_tokenizer_spells_digits_one_by_one_and_fits_every_vocabulary() -> None:
    words = trained_tokenizer()
    assert len(words("1234")["input_ids"]) == 4
    assert words.decode(words("a cat, 12")["input_ids"]) == "a cat, 12"
    assert len(words) <= TINY_KLEIN.configs["text_encoder"]["vocab_size"]


def test_weights_are_alike_for_a_seed_and_leave_the_global_state_alone() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (ShapedGenerator(TINY_KLEIN, "cpu", seed).pipeline.transformer for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_default_dtype() == torch.float32
    weights = [next(network.parameters()) for network in (one, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_a_random_judge_never_ends_a_reply_early() -> None:
    judge = shaped_judge(TINY_QWEN, "cpu")
    assert write(judge, random_pictures(3, 64, 0), ["How calm is it?", "How pleasant?"], 5) == 3 * 2 * 5


def test_every_row_is_measured_by_the_code_that_runs_at_full_size() -> None:
    shapes = SCALES["tiny"]
    told: list[str] = []
    rows = measure_shapes(shapes, "cpu", size=None, repeats=2, seed=0, progress=told.append)
    assert [(row.name, row.unit) for row in rows] == [row for part in all_parts(shapes, None) for row in part.rows]
    for row in rows:
        if "peak memory" in row.name:
            assert math.isnan(row.value) and row.n == 0 and "CUDA" in str(row.note)
        else:
            assert row.value > 0 and row.note is None and row.n == (1 if "awm update" in row.name else 2)
    assert len(told) == 3


def test_what_does_not_fit_says_so_and_the_rest_is_measured() -> None:
    text = {**TINY_KLEIN.configs["text_encoder"], "vocab_size": 2**46}
    vast = replace(TINY_KLEIN, name="vast", configs={**TINY_KLEIN.configs, "text_encoder": text})
    with pytest.raises(OutOfMemory, match="does not fit"):
        ShapedGenerator(vast, "cpu")
    judge = replace(TINY_QWEN, text={**TINY_QWEN.text, "vocab_size": 2**46})
    rows = measure_shapes(Shapes((vast, TINY_SD35), judge, False), "cpu", size=None, repeats=2, seed=0)
    assert {row.note for row in rows if row.name.startswith(("vast", judge.name))} == {NO_MEMORY}
    assert any(row.n for row in rows if row.name.startswith(TINY_SD35.name))


def test_pictures_that_do_not_fit_say_so() -> None:
    generator = ShapedGenerator(TINY_KLEIN, "cpu", size=HUGE)
    assert {row.note for row in draw(generator, 2, 0)} == {NO_MEMORY}
    assert {row.note for row in update(generator, 0)} == {NO_MEMORY}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_every_row_says_that_it_was_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "shapes", "--json", "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert json.loads((tmp_path / "out" / "benchmark.json").read_text()) == report
    assert report["measures"] and all(
        row["value"] is None and row["n"] == 0 and row["note"] == NO_GPU for row in report["measures"]
    )
    [sentence] = [line for line in told.err.splitlines() if "measured" in line]
    assert sentence.startswith("Nothing was measured, because") and "GPU" in sentence
    assert report["machine"]["gpu"] is None
    assert main(["benchmark", "shapes"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(report["measures"]) and all(line.endswith(NO_GPU) for line in lines)


def test_a_size_that_cannot_be_drawn_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "shapes", "--size", "500"]) == 2
    assert "multiple of 16" in capsys.readouterr().err
    assert main(["benchmark", "shapes", "--scale", "tiny", "--size", "512"]) == 2
    assert "leave out --size" in capsys.readouterr().err
