"""A tiny random generator and a whole fine-tuning job on it, for the tests of fine-tuning."""

from collections.abc import Sequence
from pathlib import Path

import torch
from fakes import ColourJudge

from emofeedback.affect import Affect
from emofeedback.finetuning.audit import Auditor
from emofeedback.finetuning.job_settings import FinetuneSettings, Targets, Tasks
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.finetuning.rewards import AffectReward, CachedReader, ContentReward, Reward
from emofeedback.finetuning.trainer import Finetuner, Scoring
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.machine.processes import Processes
from emofeedback.records import Picture, Reading
from emofeedback.training.generator.autoencoder import build_autoencoder
from emofeedback.training.generator.generator_export import export_generator
from emofeedback.training.generator.networks import GeneratorShape, assemble_pipeline, build_networks, build_tokenizer

TINY = GeneratorShape(
    latent_side=4,
    latent_channels=4,
    pixels=16,
    layers=2,
    heads=2,
    head_dim=16,
    text_length=12,
    text_widths=(32, 32),
    text_layers=(1, 1),
    adapter_width=16,
)
WORDS = ("a", "cat", "dog", "boat", "lake", "by")
PROMPTS, HELD_OUT = ["a cat", "a dog", "a boat"], ["a lake"]


def tiny_generator() -> SceneDiffusionGenerator:
    """The same random weights each time; everything is far from zero, so that words and LoRA have an effect."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        tokenizer = build_tokenizer(WORDS, TINY.text_length)
        networks = build_networks(TINY, tokenizer).eval()
        for name, parameter in networks["transformer"].named_parameters():
            if parameter.ndim >= 2:
                torch.nn.init.normal_(parameter, std=0.12)
            elif "norm_q" not in name and "norm_k" not in name:
                torch.nn.init.normal_(parameter, std=0.1)
        torch.nn.init.normal_(networks["sketch"].give.weight, std=0.1)  # type: ignore[union-attr, arg-type]
        vae = build_autoencoder(16, widths=(8, 8, 8), latent_channels=4, groups=4).eval()
    pipeline = assemble_pipeline(networks, vae, tokenizer, 1.0)
    return SceneDiffusionGenerator(pipeline, networks["adapter"], sketch=networks["sketch"])  # type: ignore[arg-type]


def tiny_checkpoint(folder: Path) -> Path:
    """`tiny_generator` as a checkpoint folder."""
    generator = tiny_generator()
    pipeline = generator.pipeline
    networks = torch.nn.ModuleDict(
        {name: getattr(pipeline, name) for name in ("text_encoder", "text_encoder_2", "transformer")}
        | {"adapter": generator.adapter, "sketch": generator.sketch}
    )
    facts: dict[str, float | int | str] = dict.fromkeys(
        ("scenes", "pixels", "steps", "batch", "minutes", "loss", "seed", "threads", "command"), 1
    )
    export_generator(networks, pipeline.vae, pipeline.tokenizer, 1.0, ["cat"], folder, facts)
    return folder


class DifferentiableColour:
    """`AffectReward` with ColourJudge's reading, on tensors."""

    def score_tensor(self, pixels: torch.Tensor, targets: torch.Tensor, prompts: Sequence[str] = ()) -> torch.Tensor:
        return -(pixels[:, :2].mean((2, 3)) - targets).square().sum(1)


class PatchyJudge(ColourJudge):
    """Cannot read every third picture."""

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        return [None if i % 3 == 0 else reading for i, reading in enumerate(super().read(pictures))]


def settings(**given: object) -> FinetuneSettings:
    small: dict[str, object] = {
        "objective": "awm",
        "updates": 2,
        "prompts": 2,
        "group": 4,
        "steps": 2,
        "rank": 4,
        "audit_every": 1,
        "audit_pictures": 2,
        "audit_steps": 2,
        "weights": {"affect": 1.0, "content": 0.3},
    }
    if "minutes" in given:
        small["updates"] = None
    return FinetuneSettings(**{**small, **given})  # type: ignore[arg-type]


def job(
    out: Path,
    judge: ColourJudge | None = None,
    rater: ColourJudge | None = None,
    processes: Processes = Processes(),  # noqa: B008 (frozen)
    **given: object,
) -> Finetuner:
    """A job whose reward is the picture's colour: red towards 0.7, green towards -0.7."""
    chosen = settings(**given)
    tasks = Tasks(PROMPTS, HELD_OUT, Targets("point", Affect(0.7, -0.7)), chosen.seed)
    policy = ScenePolicy(tiny_generator(), chosen.rank or 4, chosen.seed, chosen.micro_batch)
    reader = CachedReader(judge or ColourJudge())
    rewards: dict[str, Reward] = {"affect": AffectReward(reader), "content": ContentReward(reader)}
    auditor = Auditor(tasks.audit(chosen.audit_pictures), rater or ColourJudge(), chosen)
    return Finetuner(policy, Scoring(rewards, auditor, DifferentiableColour()), chosen, tasks, out, processes)
