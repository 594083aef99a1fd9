"""LoRAs on pipelines of every family."""

from pathlib import Path

import numpy as np
import pytest
from opened_pipelines import CAT, draw, generator_of, lora

from emofeedback.errors import UserError
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator


def test_a_lora_goes_on_and_off(pipeline: PipelineGenerator, tmp_path: Path) -> None:
    [before] = draw(pipeline, CAT)
    folder = lora(pipeline, tmp_path / "tuned")
    pipeline.load_adapter(folder, 4.0)
    assert pipeline.name.endswith("+tuned")
    [tuned] = draw(pipeline, CAT)
    assert not np.array_equal(tuned, before)
    pipeline.load_adapter(folder, 0.0)
    assert np.abs(draw(pipeline, CAT)[0] - before).max() <= 1
    pipeline.pipeline.unload_lora_weights()
    pipeline._adapter, pipeline.name = None, pipeline.base_name


def test_a_lora_of_another_family_and_a_pickled_one_are_refused(
    pipeline: PipelineGenerator, pipeline_root: Path, tmp_path: Path
) -> None:
    [before] = draw(pipeline, CAT)
    other = generator_of("sd3" if pipeline.family.key != "sd3" else "z-image", pipeline_root)
    with pytest.raises(UserError, match="made for"):
        pipeline.load_adapter(lora(other, tmp_path / "other"))
    (tmp_path / "old.bin").write_bytes(b"x")
    with pytest.raises(UserError, match="pickled"):
        pipeline.load_adapter(tmp_path / "old.bin")
    (tmp_path / "half.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(UserError, match="damaged"):
        pipeline.load_adapter(tmp_path / "half.safetensors")
    with pytest.raises(UserError, match="no adapter"):
        pipeline.load_adapter(tmp_path / "nowhere")
    assert np.array_equal(draw(pipeline, CAT)[0], before) and pipeline.name == pipeline.base_name
