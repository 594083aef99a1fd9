"""The checker that Stable Diffusion repositories ship, of its real class at tiny size, loaded with its pipeline."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from tiny_pipelines import SIZE, save
from transformers import CLIPConfig, CLIPImageProcessorPil

from emofeedback.build import build_generator
from emofeedback.errors import UserError
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.records import Picture, PictureRequest
from emofeedback.settings import Settings

CLIP_SIDE = 16
FLAGGED, FINE = (Image.new("RGB", (SIZE, SIZE), colour) for colour in ("red", "blue"))


def picture(image: Image.Image) -> Picture:
    return Picture(image, PictureRequest("a cat", None, 0), "test", 0.0)


def checker_of(extractor: CLIPImageProcessorPil) -> StableDiffusionSafetyChecker:
    """A random checker with one concept: what it sees in the flagged picture, as far as that is not in the fine one."""
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(
            text_config={"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
            vision_config={**vision, "image_size": CLIP_SIDE, "patch_size": 8},
            projection_dim=8,
        )
    ).eval()
    with torch.no_grad():
        inputs = extractor([FLAGGED, FINE], return_tensors="pt").pixel_values
        flagged, fine = torch.nn.functional.normalize(checker.visual_projection(checker.vision_model(inputs)[1]))
        checker.concept_embeds_weights.fill_(2.0)  # beyond any cosine: never flagged
        checker.special_care_embeds_weights.fill_(2.0)
        checker.concept_embeds[3] = flagged - fine
        checker.concept_embeds_weights[3] = 0.0
    return checker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save("sd", tmp_path_factory.mktemp("checked") / "sd")
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    extractor = CLIPImageProcessorPil(
        size={"shortest_edge": CLIP_SIDE}, crop_size={"height": CLIP_SIDE, "width": CLIP_SIDE}
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        pipe.register_modules(safety_checker=checker_of(extractor), feature_extractor=extractor)
    pipe.save_pretrained(folder)
    return folder


def opened(folder: Path, dtype: str = "float32") -> PipelineGenerator:
    built = build_generator(Settings(generator=str(folder), device="cpu", dtype=dtype, size=SIZE))
    assert isinstance(built, PipelineGenerator)
    return built


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_each_picture_is_flagged_for_itself(folder: Path, dtype: str) -> None:
    generator = opened(folder, dtype)
    assert generator.safety == "StableDiffusionSafetyChecker"
    pictures = [picture(image) for image in (FINE, FLAGGED, FINE)]
    assert generator.unsafe(pictures) == [False, True, False]
    assert pictures[1].image.getpixel((0, 0)) == (255, 0, 0)


def test_what_is_drawn_is_never_blackened_unasked(folder: Path, tmp_path: Path) -> None:
    generator = opened(folder)
    assert generator.pipeline.safety_checker is None
    bare = opened(save("sd", tmp_path / "sd"))
    assert bare.safety is None and bare.unsafe([picture(FLAGGED)]) == [False]
    request = PictureRequest("a cat", None, 1, steps=2)
    [ours], [theirs] = generator.generate([request]), bare.generate([request])
    assert np.array_equal(np.asarray(ours.image), np.asarray(theirs.image))


def test_the_old_name_of_the_checkers_picture_processor_is_known(folder: Path, tmp_path: Path) -> None:
    old = Path(shutil.copytree(folder, tmp_path / "old"))
    index = json.loads((old / "model_index.json").read_text())
    index["feature_extractor"] = ["transformers", "CLIPFeatureExtractor"]
    (old / "model_index.json").write_text(json.dumps(index))
    assert opened(old).unsafe([picture(FLAGGED), picture(FINE)]) == [True, False]


def test_a_broken_checker_is_refused_not_left_out(folder: Path, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(folder, tmp_path / "cut"))
    weights = cut / "safety_checker" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="cut short .safety_checker"):
        opened(cut)
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(UserError, match="pickled weights only .safety_checker"):
        opened(cut)
    (weights.with_name("pytorch_model.bin")).unlink()
    with pytest.raises(UserError, match="only half"):
        opened(cut)
