"""Folders of pipelines: whole, half, damaged, pickled, foreign."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from opened_pipelines import CAT, draw, folder_of, generator_of

from emofeedback.build import build_generator
from emofeedback.errors import UserError
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.generators.pipelines.repository_files import check_pipeline_folder
from emofeedback.settings import Settings


def test_broken_folders_are_one_sentence_each(pipeline_root: Path, tmp_path: Path) -> None:
    def broken(name: str) -> Path:
        return Path(shutil.copytree(folder_of("sd", pipeline_root), tmp_path / name))

    cut = broken("cut")
    file = next((cut / "unet").glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="cut short"):
        check_pipeline_folder(cut, "cut")
    pickled = broken("pickled")
    next((pickled / "vae").glob("*.safetensors")).rename(pickled / "vae" / "diffusion_pytorch_model.bin")
    with pytest.raises(UserError, match="pickled weights only"):
        check_pipeline_folder(pickled, "pickled")
    half = broken("half")
    next((half / "text_encoder").glob("*.safetensors")).unlink()
    with pytest.raises(UserError, match="only half"):
        check_pipeline_folder(half, "half")
    sharded = broken("sharded")
    weights = next((sharded / "unet").glob("*.safetensors"))
    one = weights.rename(sharded / "unet" / "diffusion_pytorch_model-00001-of-00002.safetensors")
    listed = {"a": one.name, "b": "diffusion_pytorch_model-00002-of-00002.safetensors"}
    index = sharded / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": listed}))
    with pytest.raises(UserError, match="00002-of-00002"):
        check_pipeline_folder(sharded, "sharded")
    foreign = broken("foreign")
    (foreign / "model_index.json").write_text(json.dumps({"_class_name": "KandinskyPipeline"}))
    with pytest.raises(UserError, match="known are"):
        build_generator(Settings(generator=str(foreign), device="cpu"))


def test_weights_in_16_bits_alone_are_found(pipeline_root: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folder_of("sd", pipeline_root), tmp_path / "half-precision"))
    for file in list(folder.rglob("*.safetensors")):
        file.rename(file.with_name(file.name.replace(".safetensors", ".fp16.safetensors")))
    generator = PipelineGenerator(folder, options=generator_of("sd", pipeline_root).options)
    assert np.array_equal(draw(generator, CAT), draw(generator_of("sd", pipeline_root), CAT))
