"""Pipelines where memory is short: batches, the ladder of settings, offload, fewer bits."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from opened_pipelines import CAT, draw, folder_of, generator_of, lora
from PIL import Image
from tiny_pipelines import FAMILIES, SIZE

from emofeedback.build import build_generator
from emofeedback.errors import UserError
from emofeedback.generators.pipelines import options
from emofeedback.generators.pipelines.families import describe
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.generators.pipelines.pipeline_loading import open_pipeline, place
from emofeedback.settings import Settings


def on_a_gpu() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory")


def on_this_machine() -> None:
    torch.empty(2**50, dtype=torch.uint8)


@pytest.mark.parametrize("run_out", [on_a_gpu, on_this_machine])
def test_memory_that_does_not_suffice_halves_the_batch_then_asks(
    run_out: Callable[[], None], pipeline_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = generator_of("sd", pipeline_root)
    requests = [replace(CAT, seed=seed, guidance=1.0) for seed in range(2)]
    expected = draw(generator, *requests)
    sizes: list[int] = []
    decode = generator.pipeline.vae.decode

    def small(latents: torch.Tensor, *args: Any, **more: Any) -> Any:
        sizes.append(len(latents))
        if len(latents) > room:
            run_out()
        return decode(latents, *args, **more)

    monkeypatch.setattr(generator.pipeline.vae, "decode", small)
    monkeypatch.setattr(generator, "batch", 4)
    room = 1
    assert np.abs(np.array(draw(generator, *requests)) - np.array(expected)).max() <= 1
    assert sizes == [2, 1, 1]
    room = 0
    with pytest.raises(UserError, match="EMOFEEDBACK_CHEAPER"):
        list(generator.generate(requests[:1]))
    cheaper = PipelineGenerator(folder_of("sd", pipeline_root), options=replace(generator.options, cheaper=True))
    monkeypatch.setattr(cheaper.pipeline.vae, "decode", small)
    assert np.abs(draw(cheaper, requests[0])[0] - expected[0]).max() <= 2
    assert cheaper.options.tiling and cheaper.pipeline.vae.use_tiling


def test_weights_that_do_not_fit_are_loaded_with_the_next_cheaper_setting(
    pipeline_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = diffusers.StableDiffusionPipeline.to

    def half_the_room(pipe: diffusers.StableDiffusionPipeline, device: str) -> Any:
        if pipe.unet.dtype == torch.float32:
            on_this_machine()
        return to(pipe, device)

    monkeypatch.setattr(diffusers.StableDiffusionPipeline, "to", half_the_room)
    folder, full = folder_of("sd", pipeline_root), PipelineOptions(dtype="float32", size=SIZE)
    with pytest.raises(UserError, match="does not fit the memory with float32; set EMOFEEDBACK_CHEAPER=1"):
        PipelineGenerator(folder, options=full)
    fits = PipelineGenerator(folder, options=replace(full, cheaper=True))
    assert (fits.options.dtype, fits.options.tiling) == ("bfloat16", True)
    assert len(draw(fits, CAT)) == 1


def test_cheaper_settings_come_in_an_order_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    def ladder(device: str, begin: PipelineOptions) -> list[str]:
        steps: list[str] = []
        following = begin.next_cheaper(device)
        while following is not None:
            steps.append(following.text())
            following.check(device)
            following = following.next_cheaper(device)
        return steps

    tiles = "decoding in tiles"
    assert ladder("cpu", PipelineOptions()) == [tiles]
    assert ladder("cpu", PipelineOptions(dtype="float32")) == [f"float32, {tiles}", f"bfloat16, {tiles}"]
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    offloaded = [tiles, f"model offload, {tiles}"]
    assert ladder("cuda", PipelineOptions()) == [*offloaded, f"sequential offload, {tiles}"]
    monkeypatch.setattr(options, "find_spec", lambda name: name)
    bits = [f"model offload, {text}, {tiles}" for text in ("LLM.int8", "4-bit NormalFloat")]
    assert ladder("cuda", PipelineOptions()) == [*offloaded, *bits]


@pytest.mark.parametrize("family", FAMILIES)
def test_parts_that_are_moved_one_by_one_draw_the_same(family: str, pipeline_root: Path) -> None:
    plain = generator_of(family, pipeline_root)
    moved = PipelineGenerator(folder_of(family, pipeline_root), options=plain.options)
    moved.options = replace(plain.options, offload="model")
    place(moved.pipeline, moved.options, "cpu")  # accelerate's hooks, with this machine in the GPU's place
    assert getattr(moved.pipeline, moved.family.network)._hf_hook is not None
    started = replace(CAT, start=Image.new("RGB", (SIZE, SIZE), "red"), start_strength=0.5)
    for request in (CAT, CAT, started):
        assert np.array_equal(draw(moved, request), draw(plain, request))


@pytest.mark.parametrize("quantisation", ["ao-int8", "ao-float8"])
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_in_eight_bits_draw_nearly_the_same(
    family: str, quantisation: str, pipeline_root: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torchao")
    folder = folder_of(family, pipeline_root)
    settings = Settings(generator=str(folder), device="cpu", dtype="bfloat16", size=SIZE)
    plain, small = build_generator(settings), build_generator(settings.changed(quantisation=quantisation))
    assert isinstance(plain, PipelineGenerator) and isinstance(small, PipelineGenerator)
    for part in small.family.quantised:
        kinds = {type(weight).__name__ for weight in getattr(small.pipeline, part).parameters()}
        assert {"ao-int8": "Int8Tensor", "ao-float8": "Float8Tensor"}[quantisation] in kinds, part
    [full], [fewer] = draw(plain, CAT), draw(small, CAT)
    assert 0 < np.abs(full - fewer).mean() < 8
    started = replace(CAT, start=Image.new("RGB", (SIZE, SIZE), "red"), start_strength=0.5)
    assert len(draw(small, started)) == 1
    small.load_adapter(lora(plain, tmp_path / "tuned"), 4.0)
    assert not np.array_equal(draw(small, CAT)[0], fewer)


def test_what_this_machine_cannot_do_is_one_sentence(pipeline_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Settings(generator=str(folder_of("sd", pipeline_root)), device="cpu")
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    for wrong, words in (
        (asked.changed(offload="model"), "OFFLOAD"),
        (asked.changed(offload="sequential"), "OFFLOAD"),
        (asked.changed(dtype="float16"), "float16"),
        (asked.changed(quantisation="ao-int8"), "pip install torchao"),
        (asked.changed(quantisation="bnb-8bit"), "needs a GPU.*ao-int8"),
        (asked.changed(quantisation="bnb-4bit"), "needs a GPU.*ao-int8"),
    ):
        with pytest.raises(UserError, match=words):
            build_generator(wrong)


def test_bitsandbytes_goes_with_one_kind_of_offload_only(pipeline_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "find_spec", lambda name: name)
    folder = folder_of("sd", pipeline_root)
    both = PipelineOptions(offload="sequential", quantisation="bnb-8bit")
    with pytest.raises(UserError, match="EMOFEEDBACK_OFFLOAD=model"):
        open_pipeline(folder, describe(folder), both, "cuda", "sd")
