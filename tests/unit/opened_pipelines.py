"""The tiny pipelines of every family, opened once each through the path that users take, and what tests do to them."""

import functools
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny_pipelines import SIZE, save

from emofeedback.build import build_generator
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.records import PictureRequest
from emofeedback.settings import Settings

CAT = PictureRequest("a cat", None, 1, steps=2)
DOG = PictureRequest("a dog by a boat on a lake", None, 2, steps=2)
FLOW = ("flux2-klein", "sd3", "z-image")


@functools.cache
def folder_of(family: str, root: Path) -> Path:
    return save(family, root / family)


@functools.cache
def generator_of(family: str, root: Path) -> PipelineGenerator:
    settings = Settings(generator=str(folder_of(family, root)), device="cpu", dtype="float32", size=SIZE)
    built = build_generator(settings)
    assert isinstance(built, PipelineGenerator)
    return built


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=np.int64)


def draw(generator: PipelineGenerator, *requests: PictureRequest) -> list[np.ndarray]:
    return [pixels(picture.image) for picture in generator.generate(requests)]


def lora(generator: PipelineGenerator, path: Path, rank: int = 2) -> Path:
    """A LoRA on one layer of the network, in diffusers' format."""
    name = generator.family.network
    network = getattr(generator.pipeline, name)
    layer = next(n for n, m in network.named_modules() if n.endswith("to_v") and isinstance(m, torch.nn.Linear))
    linear = network.get_submodule(layer)
    state = {
        f"{name}.{layer}.lora_A.weight": torch.randn(rank, linear.in_features, generator=torch.Generator()),
        f"{name}.{layer}.lora_B.weight": torch.ones(linear.out_features, rank),
    }
    path.mkdir(parents=True, exist_ok=True)
    save_file(state, path / "pytorch_lora_weights.safetensors")
    return path
