"""`train bank`: a bank from scenes with the adapter and the encoder that draw from it, or from a folder of pictures."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from emofeedback.errors import UserError
from emofeedback.files.checksums import write_checksums
from emofeedback.generators.scene.few_step import base_digest
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.visual.encoders import CONFIG as ENCODER_CONFIG
from emofeedback.generators.visual.encoders import WEIGHTS as ENCODER_WEIGHTS
from emofeedback.generators.visual.encoders import PictureEncoder, TextEncoder
from emofeedback.generators.visual.visual_adapter import CONFIG as ADAPTER_CONFIG
from emofeedback.generators.visual.visual_adapter import WEIGHTS as ADAPTER_WEIGHTS
from emofeedback.generators.visual.visual_prompts import FACTS, VisualPrompts
from emofeedback.training.common.curves import write_curve
from emofeedback.training.common.latents import cache_latents
from emofeedback.training.common.scene_data import SceneCache
from emofeedback.training.common.training_loop import LOG, TrainingRun, train
from emofeedback.training.visual_prompts.bank_sources import ScenePictures, rated_folder, rated_scenes
from emofeedback.training.visual_prompts.build_bank import BankPlan, build_bank
from emofeedback.training.visual_prompts.encoder_recipe import distil_encoder
from emofeedback.training.visual_prompts.visual_adapter_recipe import VisualBatches, VisualRecipe, VisualTraining

ENCODER_SHARE = 0.25  # of the minutes
GUIDANCE, STUDENT_GUIDANCE = 1.0, 1.0
SHARED = (ADAPTER_CONFIG, ADAPTER_WEIGHTS, ENCODER_CONFIG, ENCODER_WEIGHTS, FACTS)
CARD = """---
license: apache-2.0
tags: [visual-prompts, ip-adapter, valence-arousal]
---
# Visual prompts of the scene generator

{centres} centres for Mikels' eight emotions and the cells of the valence-arousal plane, an adapter ({adapter:.2f} M
parameters) that lets the frozen scene generator attend to them beside the words, and an encoder ({encoder:.2f} M) of
a person's own pictures. After MC-Diffusion of Emotion-Director (arXiv 2512.19479) and IP-Adapter (arXiv 2308.06721).

    python -m emofeedback generate "a lighthouse by the sea" --emotion fear --visual

`nearest.webp` holds the picture nearest to each centre; `bank.json` says which emotion, caption and point of the plane
each centre stands for.

## Data
{scenes} rendered scenes of the training split: a scene belongs to an emotion that lies within .3 of its own valence
and arousal (scene scale, not a human rating) and to its cell of a 5 x 5 grid. Captions are clustered by k-means on the
generator's pooled text embeddings; a centre's visual feature is the mean of its members' features, the judge's vision
tower over a 2 x 2 grid. A scene world knows emotions as points of the plane, so that anger and fear, which lie close,
share most of what they show.

## Recipe
Flow matching on the generator's latents, generator frozen, {steps} steps of {batch}, {minutes:g} minutes of one core.
Captions mostly name place and subject alone; shown are the scene's own centre, centres that its caption retrieves, or
other pictures of the same setting. Muon on the matrices, AdamW on the rest, averaged weights. The encoder reads the
generator's latents and was distilled from the tower: it explains {explained:.0%} of the variance of the tower's
features on held-out scenes.

    {command}

![Learning curve](learning_curve.svg)

## Limits
It fits the transformer that it was trained with, and its few-step student. It knows the scene world only: of a
photograph it takes little more than colour and light.
"""


def train_visual_prompts(
    cache: SceneCache,
    generator_dir: Path,
    encoders: tuple[TextEncoder, PictureEncoder],
    out: Path,
    run: TrainingRun,
    recipe: VisualRecipe | None = None,
    plan: BankPlan | None = None,
    command: str = "",
) -> Path:
    """Build the bank, distil the picture encoder, train the adapter for the rest of the run, write the folder `out`.

    Args:
        encoders: the generator's own text encoders, for prompts are compared by them when it draws, and of pictures.
        command: the command line, for the model card.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `run.resume` goes on from it.
        UserError: the generator is damaged, or there is nothing to resume.
    """
    run.prepare()
    recipe, seed, (texts, pictures) = recipe or VisualRecipe(), run.seed, encoders
    generator = SceneDiffusionGenerator.from_pretrained(generator_dir, dtype=torch.float32)
    rated = rated_scenes(cache, texts, pictures, seed)
    names = {"text": texts.name, "visual": pictures.name}
    bank, members = build_bank(rated, ScenePictures(cache), names, plan or BankPlan(seed=seed))
    config = generator.pipeline.vae.config
    means = cache_latents(cache, generator_dir / "vae").astype(np.float32)
    latents = ((means - config.shift_factor) * config.scaling_factor).astype(np.float16)
    features = bank.standard(rated.visual).astype(np.float16)
    work = out / "training"
    first, rest = run.split(ENCODER_SHARE)
    encoder, explained = distil_encoder(latents, features, first, work / "encoder", min(512, len(cache) // 4))
    batches = VisualBatches(cache.scenes, latents, features, bank, members, generator, recipe, seed)
    training = VisualTraining(generator, batches, recipe, seed)
    trained = train(training, rest, work)
    facts = {
        "base": base_digest(generator_dir),
        "guidance": GUIDANCE,
        "student_guidance": STUDENT_GUIDANCE,
        "scenes": len(cache),
        "steps": trained.steps,
        "batch": recipe.batch,
        "loss": round(trained.loss(), 4),
        "minutes": trained.minutes,
        "explained": round(explained, 4),
        "seed": seed,
        "threads": str(run.threads),
        "command": command or f"python -m emofeedback train bank --minutes {run.minutes:g}",
    }
    visual = VisualPrompts(bank, training.averaged, encoder)
    return export_visual_prompts(visual, facts, out, work / LOG)


def export_visual_prompts(visual: VisualPrompts, facts: Mapping[str, object], out: Path, log: Path) -> Path:
    """Write bank, adapter and encoder (bfloat16), facts, learning curve, model card and checksums to `out`."""
    assert visual.encoder is not None
    out.mkdir(parents=True, exist_ok=True)
    visual.bank.save(out)
    visual.adapter.to(torch.bfloat16).save_pretrained(out)
    visual.encoder.to(torch.bfloat16).save_pretrained(out)
    write_curve(log, ("loss",), out / "learning_curve.svg")
    sizes = [sum(p.numel() for p in part.parameters()) / 1e6 for part in (visual.adapter, visual.encoder)]
    card = CARD.format(**facts, centres=len(visual.bank.centres), adapter=sizes[0], encoder=sizes[1])
    (out / "README.md").write_text(card, encoding="utf-8")
    (out / FACTS).write_text(json.dumps(dict(facts), indent=1) + "\n", encoding="utf-8")
    write_checksums(out)
    return out


def bank_of_folder(
    folder: Path,
    texts: TextEncoder,
    pictures: PictureEncoder,
    out: Path,
    scale: tuple[float, float] = (-1.0, 1.0),
    plan: BankPlan | None = None,
    base: Path | None = None,
) -> Path:
    """A bank from a folder of captioned, rated pictures.

    Args:
        scale: lowest and highest value of the ratings.
        base: visual prompts whose encoders these are: the new bank then works with their adapter, which is copied.

    Raises:
        UserError: the folder's list or a picture is missing or damaged.
    """
    rated, shown = rated_folder(folder, texts, pictures, scale)
    standard = None
    if base is not None:
        bank = VisualPrompts.from_pretrained(base).bank
        standard = bank.visual_mean, bank.visual_std
        if bank.visual.shape[1:] != rated.visual.shape[1:]:
            raise UserError(f"The adapter in {base} takes other features than {pictures.name}'s; use its encoders.")
    encoders = {"text": texts.name, "visual": pictures.name}
    built, _ = build_bank(rated, shown, encoders, plan or BankPlan(), standard)
    built.save(out)
    if base is not None:
        for name in SHARED:
            shutil.copyfile(base / name, out / name)
        write_checksums(out)
    return out
