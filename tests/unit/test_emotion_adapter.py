"""The adapter adds nothing at strength 0 or before training, scales with strength, and survives the disk."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.generators.scene.emotion_adapter import AdapterShape, EmotionAdapter

SHAPE = AdapterShape(prompt_dim=20, pooled_dim=12, width=16, heads=2, tokens=2, layers=1)


def trained() -> EmotionAdapter:
    torch.manual_seed(0)
    adapter = EmotionAdapter(SHAPE)
    torch.nn.init.normal_(adapter.prompt_out.weight)
    torch.nn.init.normal_(adapter.pooled_out.weight)
    return adapter.eval()


def inputs(batch: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 5, 20, generator=generator), torch.randn(batch, 12, generator=generator)


def test_fresh_adapter_is_the_identity() -> None:
    prompt, pooled = inputs()
    out = EmotionAdapter(SHAPE)(prompt, pooled, torch.ones(3), -torch.ones(3), torch.ones(3))
    assert torch.equal(out[0], prompt)
    assert torch.equal(out[1], pooled)


def test_strength_zero_leaves_the_words_alone_and_strength_scales_the_residual() -> None:
    prompt, pooled = inputs()
    valence, arousal = torch.full((3,), 0.6), torch.full((3,), -0.2)
    out = trained()(prompt, pooled, valence, arousal, torch.tensor([0.0, 1.0, 2.0]))
    full = trained()(prompt, pooled, valence, arousal, torch.ones(3))
    assert torch.equal(out[0][0], prompt[0])
    assert torch.equal(out[1][0], pooled[0])
    assert torch.allclose(out[0][2] - prompt[2], 2 * (full[0][2] - prompt[2]), atol=1e-5)
    assert torch.allclose(out[1][2] - pooled[2], 2 * (full[1][2] - pooled[2]), atol=1e-5)


def test_points_of_the_plane_are_told_apart() -> None:
    prompt, pooled = inputs(1)
    prompt, pooled = prompt.expand(4, -1, -1), pooled.expand(4, -1)
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    residual, pooled_residual = trained().residuals(prompt, pooled, corners[:, 0], corners[:, 1])
    for made in (residual.flatten(1), pooled_residual):
        assert torch.cdist(made, made).add(torch.eye(4)).min() > 0.1


def test_save_and_load(tmp_path: Path) -> None:
    adapter = trained()
    adapter.save_pretrained(tmp_path / "a")
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["config.json", "model.safetensors"]
    loaded = EmotionAdapter.from_pretrained(tmp_path / "a")
    prompt, pooled = inputs()
    point = (torch.full((3,), 0.3), torch.full((3,), 0.9), torch.ones(3))
    assert torch.equal(loaded(prompt, pooled, *point)[0], adapter(prompt, pooled, *point)[0])


def test_pickled_or_cut_weights_are_refused(tmp_path: Path) -> None:
    trained().save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="damaged"):
        EmotionAdapter.from_pretrained(tmp_path)
    weights.unlink()
    torch.save(trained().state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="only safetensors"):
        EmotionAdapter.from_pretrained(tmp_path)
