"""The decoder's finish: mends what the generator leaves in its latents, resumes, and is put where its encoder is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from test_recipes_resume import scenes
from tiny_finetune import tiny_checkpoint, tiny_generator

from emofeedback.errors import UserError
from emofeedback.files.checksums import write_checksums
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.training.common.scene_data import SceneCache
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.generator.autoencoder import build_autoencoder
from emofeedback.training.generator.decoder_finish import (
    DecoderData,
    DecoderRecipe,
    DecoderTraining,
    install_decoder,
    redrawn_latents,
    train_decoder,
)

RECIPE = DecoderRecipe(batch=4, critic_from=0.5, adam_lr=5e-3, muon_lr=2e-2)


def tiny_vae() -> AutoencoderKL:
    torch.manual_seed(3)
    return build_autoencoder(16, widths=(8, 8, 8), latent_channels=4, groups=4).eval()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SceneCache:
    return scenes(tmp_path_factory.mktemp("decoder"), 16)


@pytest.fixture(scope="module")
def data(cache: SceneCache) -> DecoderData:
    source = torch.Generator().manual_seed(1)
    latents = torch.randn(len(cache), 4, 4, 4, generator=source)
    redrawn = latents[:8] + 0.5 * torch.randn(8, 4, 4, 4, generator=source)
    return DecoderData(cache, latents.numpy().astype(np.float16), redrawn.numpy().astype(np.float16))


def test_redrawn_latents_begin_at_their_scene(cache: SceneCache, monkeypatch: pytest.MonkeyPatch) -> None:
    latents = torch.randn(3, 4, 4, 4)
    generator = tiny_generator()
    made = redrawn_latents(generator, cache.scenes[:3], latents, 2, seed=0, batch=2)
    assert made.shape == latents.shape and made.isfinite().all() and not torch.equal(made, latents)
    torch.testing.assert_close(made, redrawn_latents(generator, cache.scenes[:3], latents, 2, seed=0, batch=2))
    levels = "emofeedback.training.generator.decoder_finish."
    monkeypatch.setattr(levels + "SKETCHED_LEVELS", (1e-6, 1e-6))
    torch.testing.assert_close(
        redrawn_latents(generator, cache.scenes[:3], latents, 2, seed=0), latents, atol=1e-3, rtol=0
    )
    generator.sketches = False
    monkeypatch.setattr(levels + "SKETCHED_LEVELS", (1.0, 1.0))
    monkeypatch.setattr(levels + "REDRAW_LEVELS", (1e-6, 1e-6))
    torch.testing.assert_close(
        redrawn_latents(generator, cache.scenes[:3], latents, 2, seed=0), latents, atol=1e-3, rtol=0
    )


def test_a_batch_holds_redrawn_and_other_scenes(data: DecoderData) -> None:
    training = DecoderTraining(tiny_vae(), data, DecoderRecipe(batch=10, redrawn=0.5), 0)
    rows, latents = training.batch(4)
    assert latents.shape == (10, 4, 4, 4)
    assert all(row < data.held_out.start for row in rows[:5]) and all(row >= 8 for row in rows[5:])
    np.testing.assert_array_equal(latents[:5].numpy(), data.redrawn[rows[:5]].astype(np.float32))
    assert not np.array_equal(latents[5:].numpy(), data.latents[rows[5:]].astype(np.float32))  # noise was added
    with pytest.raises(ValueError, match="belong together"):
        DecoderData(data.cache, data.latents[:3], data.redrawn)


def test_it_mends_what_was_redrawn_and_leaves_the_encoder(data: DecoderData, tmp_path: Path) -> None:
    vae = tiny_vae()
    encoder = {name: value.clone() for name, value in vae.encoder.state_dict().items()}
    training = DecoderTraining(vae, data, RECIPE, 0)
    losses = [training.step(i, 0.1)["loss"] for i in range(40)]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert training.look(tmp_path / "sheet.png").keys() == {"psnr_clean_db", "psnr_redrawn_db"}
    assert all(torch.equal(value, encoder[name]) for name, value in vae.encoder.state_dict().items())


def test_it_is_put_only_beside_its_own_encoder(tmp_path: Path) -> None:
    checkpoint, finished = tmp_path / "generator", tmp_path / "finished"
    vae = tiny_vae()
    vae.to(torch.bfloat16).save_pretrained(checkpoint / "vae")
    write_checksums(checkpoint)
    ours = AutoencoderKL.from_pretrained(checkpoint / "vae")
    with torch.no_grad():
        ours.decoder.conv_out.bias += 1.0
    ours.save_pretrained(finished)
    listed = (checkpoint / "checksums.json").read_text()
    install_decoder(finished, checkpoint)
    put = AutoencoderKL.from_pretrained(checkpoint / "vae")
    torch.testing.assert_close(put.decoder.conv_out.bias, ours.decoder.conv_out.bias, atol=0.01, rtol=0.01)
    assert (checkpoint / "checksums.json").read_text() != listed
    with torch.no_grad():
        ours.encoder.conv_in.bias += 1.0
    ours.save_pretrained(finished)
    with pytest.raises(UserError, match="another encoder"):
        install_decoder(finished, checkpoint)


def test_a_generators_decoder_is_finished_and_put_back(cache: SceneCache, tmp_path: Path) -> None:
    teacher = tiny_checkpoint(tmp_path / "teacher")
    before = AutoencoderKL.from_pretrained(teacher / "vae").decoder.conv_out.weight
    recipe = replace(RECIPE, redraws=8, redraw_steps=2)
    vae = train_decoder(teacher, cache, tmp_path / "out", TrainingRun(steps=3, threads=1), recipe)
    assert torch.equal(AutoencoderKL.from_pretrained(teacher / "vae").decoder.conv_out.weight, before)  # only read
    facts = json.loads((tmp_path / "out" / "training" / "facts.json").read_text())
    assert facts["steps"] == 3 and facts["psnr_redrawn_db"] > 0
    install_decoder(vae, teacher)
    finished = SceneDiffusionGenerator.from_pretrained(teacher).pipeline.vae.decoder.conv_out.weight
    assert not torch.equal(finished.float(), before)
    with pytest.raises(UserError, match="--size 16"):
        train_decoder(teacher, scenes(tmp_path, 32), tmp_path / "other", TrainingRun(steps=1), recipe)
