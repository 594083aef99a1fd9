"""A public-style IP-Adapter on a real tiny Stable Diffusion pipeline, and encoders of transformers at tiny size."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipelines
import torch
from PIL import Image
from safetensors.torch import save_file
from tiny_visual import tiny_bank
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
)

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.generators.pipelines.families import IpAdapterSource
from emofeedback.generators.pipelines.ip_adapter import IpAdapterPrompts
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.generators.visual.encoders import TransformersPictures, quarters
from emofeedback.records import PictureRequest, VisualPrompt

RED, BLUE = (Image.new("RGB", (32, 32), colour) for colour in ("red", "blue"))
REQUEST = PictureRequest("a cat", Affect(-0.65, 0.65), 1)


def clip_vision(folder: Path) -> None:
    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
        projection_dim=16,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)


def ip_adapter(folder: Path, unet: torch.nn.Module) -> IpAdapterSource:
    """Random weights of the form: a projection of picture embeddings, keys and values of each cross-attention."""
    torch.manual_seed(0)
    cross, weights = unet.config.cross_attention_dim, {}
    for name, value in (
        ("proj.weight", torch.randn(4 * cross, 16)),
        ("proj.bias", torch.randn(4 * cross)),
        ("norm.weight", torch.ones(cross)),
        ("norm.bias", torch.zeros(cross)),
    ):
        weights[f"image_proj.{name}"] = value
    for place, (name, module) in enumerate((n, m) for n, m in unet.named_modules() if n.endswith("attn2")):
        del name
        for kind in ("to_k_ip", "to_v_ip"):
            weights[f"ip_adapter.{2 * place + 1}.{kind}.weight"] = torch.randn(module.to_k.out_features, cross)
    (folder / "models").mkdir(parents=True)
    save_file(weights, folder / "models" / "ip.safetensors")
    clip_vision(folder / "models" / "image_encoder")
    return IpAdapterSource(str(folder), "models", "ip.safetensors")


def test_pictures_guide_a_pipeline_and_strength_0_is_the_words_alone(tmp_path: Path) -> None:
    def pipeline():  # type: ignore[no-untyped-def]
        torch.manual_seed(1)
        pipe = tiny_pipelines.sd()
        pipe.set_progress_bar_config(disable=True)
        pipe.safety_checker = None
        return pipe

    def draw(pipe, **more):  # type: ignore[no-untyped-def]
        seed = torch.Generator().manual_seed(3)
        images = pipe("a cat", num_inference_steps=2, height=32, width=32, generator=seed, **more).images
        return np.asarray(images[0], int)

    plain, pipe = draw(pipeline()), pipeline()
    source = ip_adapter(tmp_path, pipe.unet)
    prompts = IpAdapterPrompts(source, tiny_bank(), lambda p: np.ones((1, 64), np.float32))
    prompts.attach(pipe)
    red, blue = (replace(REQUEST, visual=VisualPrompt(1.0, pictures=((picture, 1.0),))) for picture in (RED, BLUE))
    np.testing.assert_allclose(draw(pipe, **prompts.arguments(pipe, REQUEST)), plain, atol=1)
    np.testing.assert_allclose(
        draw(pipe, **prompts.arguments(pipe, replace(red, visual=VisualPrompt(0.0)))), plain, atol=1
    )
    shown = [draw(pipe, **prompts.arguments(pipe, request)) for request in (red, blue)]
    assert np.abs(shown[0] - plain).mean() > 1 and np.abs(shown[0] - shown[1]).max() > 0
    (from_bank,) = prompts.arguments(pipe, replace(REQUEST, visual=VisualPrompt()))["ip_adapter_image"]
    assert len(from_bank) == 3 and all(any(p is q for q in prompts.bank.pictures) for p in from_bank)  # type: ignore[union-attr]
    with pytest.raises(UserError, match="no picture"):
        prompts.arguments(pipe, replace(REQUEST, visual=VisualPrompt(centres=())))


def test_a_pipeline_without_ip_adapters_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="takes no visual prompts"):
        IpAdapterPrompts(IpAdapterSource("x", "y", "z")).attach(object())
    with pytest.raises(UserError, match="IP-Adapter"):
        IpAdapterPrompts(IpAdapterSource(str(tmp_path), "models", "missing.safetensors")).attach(tiny_pipelines.sd())


@pytest.mark.parametrize("kind", ["clip", "dinov2"])
def test_encoders_of_transformers_give_quarters(tmp_path: Path, kind: str) -> None:
    if kind == "clip":
        clip_vision(tmp_path)
    else:
        Dinov2Model(
            Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8)
        ).save_pretrained(tmp_path)
        CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    encode = TransformersPictures(tmp_path)
    left = Image.new("RGB", (32, 32))
    left.paste((255, 255, 255), (0, 0, 16, 32))
    features = encode([RED, BLUE, left])
    assert features.shape == (3, 4, 16) and features.dtype == np.float32
    assert not np.allclose(features[2, 0], features[2, 1], atol=1e-3), "left and right differ"


def test_quarters_are_means() -> None:
    grid = torch.arange(16.0).view(1, 16, 1)
    assert quarters(grid).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    with pytest.raises(ValueError, match="square"):
        quarters(torch.zeros(1, 15, 1))


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="encoder"):
        TransformersPictures(tmp_path / "nothing")


def test_a_pipeline_generator_draws_with_one(tmp_path: Path) -> None:
    torch.manual_seed(1)
    tiny_pipelines.sd().save_pretrained(tmp_path / "sd")
    generator = PipelineGenerator(tmp_path / "sd", name="tiny")
    red = replace(REQUEST, affect=None, steps=2, visual=VisualPrompt(1.0, pictures=((RED, 1.0),)))
    with pytest.raises(UserError, match="no visual prompts"):
        list(generator.generate([red]))
    (plain,) = generator.generate([replace(red, visual=None)])
    generator.use_visual(IpAdapterPrompts(ip_adapter(tmp_path / "ip", generator.pipeline.unet)))
    shown, without = generator.generate([red, replace(red, visual=None)])
    assert np.abs(np.asarray(without.image, int) - np.asarray(plain.image, int)).max() <= 1
    assert np.abs(np.asarray(shown.image, int) - np.asarray(plain.image, int)).mean() > 1


def test_visual_prompts_outlive_a_retry_with_less_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory ran out, the model was loaded anew in tiles, and drew on without its visual prompt and without a word."""
    torch.manual_seed(1)
    tiny_pipelines.sd().save_pretrained(tmp_path / "sd")
    generator = PipelineGenerator(tmp_path / "sd", name="tiny", options=PipelineOptions(dtype="float32", cheaper=True))
    generator.use_visual(IpAdapterPrompts(ip_adapter(tmp_path / "ip", generator.pipeline.unet)))
    red = replace(REQUEST, affect=None, steps=2, visual=VisualPrompt(1.0, pictures=((RED, 1.0),)))
    started = replace(red, start=BLUE, start_strength=0.5)
    expected = [np.asarray(picture.image, int) for picture in generator.generate([red, started])]

    def run_out(*args: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(generator.pipeline.vae, "decode", run_out)
    before = generator.pipeline
    again = [np.asarray(picture.image, int) for picture in generator.generate([red, started])]
    assert generator.options.tiling and generator.pipeline is not before
    assert all(np.abs(a - b).max() <= 2 for a, b in zip(again, expected, strict=True))
