"""Reward fine-tuning of real flow pipelines at tiny random size: one update of each objective, and the way back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from fakes import ColourJudge
from tiny_finetune import DifferentiableColour, settings
from tiny_pipelines import SIZE, save

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.finetuning.adapter_export import export_adapter
from emofeedback.finetuning.audit import Auditor
from emofeedback.finetuning.job_settings import Targets, Tasks
from emofeedback.finetuning.policy.pipeline_policy import PipelinePolicy
from emofeedback.finetuning.policy.rollout import Sampling, draw_rollout
from emofeedback.finetuning.rewards import AffectReward, CachedReader, ContentReward
from emofeedback.finetuning.trainer import Finetuner, FinetuneResult, Scoring
from emofeedback.flow.pixels import to_images
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.records import PictureRequest

FLOW = ("flux2-klein", "sd3", "z-image")
REQUESTS = [
    PictureRequest("a cat", None, 1, steps=2, guidance=1.0),
    PictureRequest("a dog by a boat on a lake", Affect(0.7, -0.7), 2, steps=2, guidance=1.0),
]
TASKS = Tasks(["a cat", "a dog"], ["a lake"], Targets("point", Affect(0.7, -0.7)), 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flows")


def generator(family: str, root: Path) -> PipelineGenerator:
    folder = root / family
    options = PipelineOptions(dtype="float32", size=SIZE)
    return PipelineGenerator(folder if folder.is_dir() else save(family, folder), options=options)


def drawn(policy: PipelinePolicy) -> np.ndarray:
    conditions = policy.conditions(REQUESTS)
    rollout = draw_rollout(policy, conditions, [r.seed for r in REQUESTS], Sampling(2))
    with torch.no_grad():
        return np.stack([np.asarray(image, dtype=int) for image in to_images(policy.decode(rollout.clean, conditions))])


def pictures(made: PipelineGenerator) -> np.ndarray:
    return np.stack([np.asarray(picture.image, dtype=int) for picture in made.generate(REQUESTS)])


def update(policy: PipelinePolicy, objective: str, out: Path) -> dict[str, object]:
    chosen = settings(objective=objective, guidance=1.0, micro_batch=4, audit_every=100)
    reader = CachedReader(ColourJudge())
    trainer = Finetuner(
        policy,
        Scoring(
            {"affect": AffectReward(reader), "content": ContentReward(reader)},
            Auditor(TASKS.audit(2), ColourJudge(), chosen),
            DifferentiableColour(),
        ),
        chosen,
        TASKS,
        out,
    )
    return trainer.update()


@pytest.mark.parametrize("family", FLOW)
def test_a_fresh_policy_is_the_base_and_every_objective_changes_the_lora_alone(
    family: str, root: Path, tmp_path: Path
) -> None:
    made = generator(family, root)
    plain = pictures(made)
    network = made.pipeline.transformer
    frozen = {name: value.clone() for name, value in network.state_dict().items()}
    policy = PipelinePolicy(made, rank=2)
    assert np.abs(drawn(policy) - plain).max() <= 1
    conditions, noisy, times = policy.conditions(REQUESTS), policy.view.noise([3, 4]), torch.tensor([0.4, 0.9])
    with torch.no_grad():
        base = policy.velocity(noisy, times, conditions, "base")
        assert torch.equal(policy.velocity(noisy, times, conditions), base)
    for objective in ("awm", "nft", "grpo", "dpo", "direct"):
        before = policy.state()
        entry = update(policy, objective, tmp_path)
        assert entry["loss"] is not None and entry["gradient"] > 0, objective  # type: ignore[operator]
        assert any(not torch.equal(before[key], value) for key, value in policy.state().items()), objective
    now = {name.replace(".base_layer", ""): value for name, value in network.state_dict().items()}
    assert all(torch.equal(now[name], value) for name, value in frozen.items())
    assert not torch.equal(policy.velocity(noisy, times, conditions), base)
    assert torch.equal(policy.velocity(noisy, times, conditions, "base"), base)


@pytest.mark.parametrize("family", FLOW)
def test_an_exported_adapter_draws_the_same_on_a_fresh_generator(family: str, root: Path, tmp_path: Path) -> None:
    policy = PipelinePolicy(generator(family, root), rank=2, checkpointing=True)
    before = drawn(policy)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
    tuned = drawn(policy)
    assert np.abs(tuned - before).max() > 2
    result = FinetuneResult("budget", 1, 8, 1.0, 1, None, None)
    folder = export_adapter(policy, settings(), TASKS, result, tmp_path / "adapter")
    user = generator(family, root)
    user.load_adapter(folder)
    assert np.abs(pictures(user) - tuned).max() <= 1
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert type(user.pipeline).__name__ in card and "few_step" not in card


def test_a_family_that_is_no_flow_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match="velocities"):
        PipelinePolicy(generator("sd", root))
