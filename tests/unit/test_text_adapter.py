"""Text emotion adapters: identity until trained, bound to their text encoders, trained on text encoders alone."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_pipelines import FAMILIES, save

from emofeedback.cli import main
from emofeedback.errors import UserError
from emofeedback.generators.pipelines.emotion_text_adapter import TextAdapterShape, TextEmotionAdapter, encoders_of
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import parse
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.emotion_adapter.emotion_pairs import EmotionPair, density_weights, read_pairs, scene_pairs
from emofeedback.training.emotion_adapter.text_adapter_recipe import (
    AdapterRecipe,
    squared_errors,
    target_of,
    train_text_adapter,
)
from emofeedback.training.emotion_adapter.text_embeddings import PairBatch, embed_pairs, load_text_encoders

TINY = TextAdapterShape(12, 6, width=16, heads=2, tokens=3, layers=1, hidden=8)
RECIPE = AdapterRecipe(pairs=16, batch=4, width=16, layers=1)


def shaken(shape: TextAdapterShape = TINY) -> TextEmotionAdapter:
    """One whose output is not zero any more."""
    torch.manual_seed(0)
    adapter = TextEmotionAdapter(shape)
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return adapter.eval()


def inputs(batch: int = 2, length: int = 5) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    embeds, pooled = torch.randn(batch, length, 12, generator=generator), torch.randn(batch, 6, generator=generator)
    return embeds, pooled, torch.linspace(-1, 1, batch), torch.linspace(1, -1, batch), torch.ones(batch)


def test_untrained_and_at_strength_0_it_changes_nothing() -> None:
    embeds, pooled, valence, arousal, strength = inputs()
    found = TextEmotionAdapter(TINY)(embeds, pooled, valence, arousal, strength)
    assert torch.equal(found[0], embeds) and torch.equal(found[1], pooled)
    adapter = shaken()
    found = adapter(embeds, pooled, valence, arousal, 0 * strength)
    assert torch.equal(found[0], embeds) and torch.equal(found[1], pooled)
    moved = adapter(embeds, pooled, valence, arousal, strength)
    twice = adapter(embeds, pooled, valence, arousal, 2 * strength)
    torch.testing.assert_close(twice[0] - embeds, 2 * (moved[0] - embeds))
    assert not torch.equal(moved[0], embeds) and not torch.equal(moved[1], pooled)


def test_valence_and_arousal_each_matter_and_rows_do_not_mix() -> None:
    adapter, (embeds, pooled, valence, arousal, strength) = shaken(), inputs()
    both = adapter(embeds, pooled, valence, arousal, strength)[0]
    assert not torch.allclose(adapter(embeds, pooled, -valence, arousal, strength)[0], both)
    assert not torch.allclose(adapter(embeds, pooled, valence, -arousal, strength)[0], both)
    alone = adapter(embeds[:1], pooled[:1], valence[:1], arousal[:1], strength[:1])[0]
    torch.testing.assert_close(alone, both[:1])


def test_rows_of_zeros_are_no_tokens() -> None:
    # Stable Diffusion 3 without T5 appends 256 rows of zeros; they must neither change nor be listened to.
    adapter, (embeds, pooled, valence, arousal, strength) = shaken(), inputs()
    longer = torch.cat([embeds, torch.zeros(2, 4, 12)], 1)
    found = adapter(longer, pooled, valence, arousal, strength)[0]
    torch.testing.assert_close(found[:, :5], adapter(embeds, pooled, valence, arousal, strength)[0])
    assert not found[:, 5:].any()


def test_number_formats_stay_and_a_model_without_pooled_embeddings_is_served() -> None:
    adapter = shaken(replace(TINY, pooled_dim=None))
    embeds, _, valence, arousal, strength = inputs()
    found, pooled = adapter(embeds.bfloat16(), None, valence, arousal, strength)
    assert found.dtype == torch.bfloat16 and pooled is None


def test_it_is_saved_and_loaded_and_refused_elsewhere(tmp_path: Path) -> None:
    fitting, other = save("sd3", tmp_path / "sd3"), save("sdxl", tmp_path / "sdxl")
    adapter = shaken()
    adapter.trained_for = encoders_of(fitting)
    adapter.save_pretrained(tmp_path / "adapter")
    loaded = TextEmotionAdapter.from_pretrained(tmp_path / "adapter", fitting)
    first, second = adapter(*inputs())[0], loaded(*inputs())[0]
    assert torch.equal(first, second)
    with pytest.raises(UserError, match="StableDiffusion3Pipeline.*StableDiffusionXLPipeline.*train adapter"):
        TextEmotionAdapter.from_pretrained(tmp_path / "adapter", other)
    with pytest.raises(UserError, match="12 and 6"):
        loaded(torch.zeros(1, 2, 10), torch.zeros(1, 6), *inputs(1)[2:])
    (tmp_path / "adapter" / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="damaged"):
        TextEmotionAdapter.from_pretrained(tmp_path / "adapter")
    with pytest.raises(UserError, match=r"model_index|no pipeline"):
        encoders_of(tmp_path)


def test_the_pairs_of_the_scene_world_differ_in_the_setting_alone() -> None:
    pairs = scene_pairs(12, 0)
    assert pairs[:3] == scene_pairs(3, 0) != scene_pairs(3, 1)
    for pair in pairs:
        neutral, emotional = parse(pair.neutral), parse(pair.emotional)
        assert pair.emotional.startswith(pair.neutral)
        assert (neutral.place, neutral.subjects) == (emotional.place, emotional.subjects)
        assert not any(getattr(neutral, aspect) for aspect in ("weather", "season", "palette", "light", "elements"))
    points = np.array([[pair.valence, pair.arousal] for pair in pairs])
    assert points.std(0).min() > 0.2 and scene_affect is not None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "neutral, emotional"),
        ('{"neutral": "a", "emotional": "b", "valence": 0}', "neutral, emotional"),
        ('{"neutral": "a", "emotional": " ", "valence": 0, "arousal": 0}', "texts"),
        ('{"neutral": "a", "emotional": "b", "valence": 3, "arousal": 0}', "rescale"),
        ('{"neutral": "a", "emotional": "b", "valence": NaN, "arousal": 0}', "rescale"),
    ],
)
def test_a_malformed_pair_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "pairs.jsonl"
    good = json.dumps({"neutral": "a dog", "emotional": "a dog in rain", "valence": -0.5, "arousal": 0.1})
    file.write_text(f"{good}\n\n{line}\n")
    with pytest.raises(UserError, match=rf"line 3.*{said}"):
        read_pairs(file)
    file.write_text(good + "\n")
    with pytest.raises(UserError, match="holds 1 pairs"):
        read_pairs(file)
    file.write_text((good + "\n") * 9)
    assert read_pairs(file)[8] == EmotionPair("a dog", "a dog in rain", -0.5, 0.1)


def test_rare_emotions_weigh_more_and_no_single_one_decides() -> None:
    crowd = np.random.default_rng(0).normal(0, 0.1, (60, 2))
    weights = density_weights(np.vstack([crowd, [[0.9, 0.9]]]))
    assert weights.mean() == pytest.approx(1.0)
    assert weights.argmax() == 60 and weights.max() <= 10.0001 * weights.min()


def test_the_target_overshoots_and_errors_count_tokens_only() -> None:
    neutral, emotional = torch.zeros(1, 2, 1), torch.ones(1, 2, 1)
    mask = torch.tensor([[True, False]])
    batch = PairBatch(neutral, emotional, mask, None, None, torch.zeros(1), torch.zeros(1))
    assert target_of(batch)[0].tolist() == [[[1.5], [1.5]]]
    error, pooled = squared_errors(batch, torch.tensor([[[0.5], [99.0]]]), None)
    assert error.tolist() == [1.0] and pooled is None


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pairs in a file."""
    file = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    file.write_text("".join(json.dumps(asdict(pair)) + "\n" for pair in scene_pairs(8, 0)))
    return file


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_trained_on_its_text_encoders_alone(family: str, pairs: Path, tmp_path: Path) -> None:
    folder = save(family, tmp_path / family)
    for network in ("transformer", "unet", "vae"):
        for weights in (folder / network).glob("*.safetensors"):
            weights.unlink()  # not needed, so not missed
    encoder = load_text_encoders(folder, "cpu")
    some = read_pairs(pairs)[:2]
    data = embed_pairs(tmp_path / "embeddings", folder, some, "cpu")
    batch = data.batch([1], "cpu")
    direct = encoder.encode(some[1].neutral)
    tokens = int(batch.mask.sum())
    torch.testing.assert_close(batch.neutral[0, :tokens], direct.embeds[:tokens].bfloat16().float())
    assert (batch.pooled_neutral is None) == (direct.pooled is None)
    metrics = train_text_adapter(folder, tmp_path / "out", TrainingRun(steps=2, threads=1), RECIPE, pairs)
    loaded = TextEmotionAdapter.from_pretrained(tmp_path / "out", folder)
    ones = torch.ones(1)
    found = loaded(direct.embeds[None], None if direct.pooled is None else direct.pooled[None], ones, ones, ones)
    assert found[0].shape == direct.embeds[None].shape and all(np.isfinite(list(metrics.values())))


def test_training_learns_and_resumes(tmp_path: Path) -> None:
    folder, out = save("sd", tmp_path / "sd"), tmp_path / "out"
    first = train_text_adapter(folder, out, TrainingRun(steps=5, threads=1), RECIPE)
    second = train_text_adapter(folder, out, TrainingRun(steps=300, resume=True, threads=1), RECIPE)
    assert second["adapter, prompt"] < second["identity, prompt"] == first["identity, prompt"]
    assert "train adapter" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["adapter", "--base", "no such model"], "--base"),
        (["judge", "--base", "no such model"], "--base"),
        (["judge", "--stage", "all"], "two runs"),
    ],
)
def test_the_command_line_says_what_is_missing(
    flags: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["train", *flags, "--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")])
    captured = capsys.readouterr()
    assert code == 2 and captured.out == "" and said in captured.err and captured.err.count("\n") == 1
