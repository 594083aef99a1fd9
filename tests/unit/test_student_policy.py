"""The few-step student as the policy: its base is the student, and its LoRA is what users put on the student."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_distill import PREVIEWS, K, draw, taught, with_student
from tiny_finetune import DifferentiableColour, settings, tiny_generator

from emofeedback.errors import UserError
from emofeedback.finetuning.adapter_export import export_adapter
from emofeedback.finetuning.advantages import group_advantages
from emofeedback.finetuning.experience import Experience, renoise
from emofeedback.finetuning.job_settings import FinetuneSettings, Targets, Tasks
from emofeedback.finetuning.objectives.collector import collector_for
from emofeedback.finetuning.objectives.direct import DirectGradient, group_spread
from emofeedback.finetuning.objectives.matching import VelocityMatching
from emofeedback.finetuning.policy.rollout import Rollout, Sampling, draw_rollout
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.finetuning.trainer import FinetuneResult
from emofeedback.flow.pixels import to_images

SEEDS = [request.seed for request in PREVIEWS]
ROWS = torch.arange(len(PREVIEWS))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return taught(tmp_path_factory.mktemp("student"))[0]


@pytest.fixture
def policy(exported: Path) -> ScenePolicy:
    return ScenePolicy(with_student(exported), rank=4, student=True)


def disturb(policy: ScenePolicy) -> None:
    source = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=source)


def drawn(policy: ScenePolicy) -> np.ndarray:
    conditions = policy.conditions(PREVIEWS)
    rollout = draw_rollout(policy, conditions, SEEDS, Sampling(K))
    with torch.no_grad():
        return np.stack([np.asarray(image, dtype=int) for image in to_images(policy.decode(rollout.clean, conditions))])


def test_it_draws_what_the_generator_draws_with_the_student_at_every_stage(policy: ScenePolicy) -> None:
    fresh = drawn(policy)
    assert np.abs(fresh - draw(policy.generator, PREVIEWS)).max() <= 1
    disturb(policy)
    moved = drawn(policy)
    assert np.abs(moved - fresh).max() > 2
    assert np.abs(moved - draw(policy.generator, PREVIEWS)).max() <= 1  # the audit sees what was learned
    with policy.using("base"):
        assert np.array_equal(drawn(policy), fresh)


def test_its_adapter_lies_on_the_student_of_another_generator_and_on_the_plain_base(
    policy: ScenePolicy, exported: Path, tmp_path: Path
) -> None:
    disturb(policy)
    tasks, result = (
        Tasks(["a cat"], ["a dog"], Targets("corners"), 0),
        FinetuneResult("budget", 1, 8, 1.0, 1, None, None),
    )
    folder = export_adapter(policy, settings(), tasks, result, tmp_path / "adapter")
    user = with_student(exported)
    user.load_adapter(folder)
    assert np.abs(np.stack(draw(user, PREVIEWS)).astype(int) - drawn(policy)).max() <= 1
    slow = [replace(request, steps=3) for request in PREVIEWS]
    plain = tiny_generator()
    plain.load_adapter(folder)
    assert all(np.array_equal(a, b) for a, b in zip(draw(user, slow), draw(plain, slow), strict=True))
    assert "few-step student" in (folder / "README.md").read_text(encoding="utf-8")


def test_only_the_shared_lora_learns_and_the_denoiser_stays_undistilled(policy: ScenePolicy) -> None:
    conditions, noisy, times = policy.conditions(PREVIEWS), torch.randn(2, 4, 4, 4), torch.tensor([0.5, 1.0])
    plain = ScenePolicy(tiny_generator(), rank=4)
    expected = plain.velocity(noisy, times, plain.conditions(PREVIEWS), "base")
    disturb(policy)
    assert torch.equal(policy.denoiser(noisy, times, conditions), expected)
    assert not torch.allclose(policy.velocity(noisy, times, conditions, "base"), expected, atol=1e-3)
    policy.velocity(noisy, times, conditions).square().mean().backward()
    learning = {id(p) for p in policy.parameters()}
    for transformer in (policy.transformer, policy.generator.pipeline.transformer):
        assert {id(p) for p in transformer.parameters() if p.requires_grad} == learning


def test_it_draws_at_its_own_levels_alone_and_matching_asks_it_there(policy: ScenePolicy) -> None:
    assert policy.generator.few_step is not None
    assert policy.levels(K) == list(policy.generator.few_step.sigmas)
    with pytest.raises(ValueError, match="draws in 2 steps"):
        policy.levels(3)
    clean = torch.zeros(6, 4, 4, 4)
    flat = Experience(
        Sampling(K),
        Rollout(clean),
        policy.conditions([PREVIEWS[0]] * 6),
        torch.zeros(6, 2),
        torch.zeros(1, 6),
        torch.ones(1, 6, dtype=torch.bool),
        0,
    )
    levels = policy.levels(K)[:-1]
    times = torch.stack([renoise(flat, torch.arange(6), turn, K, levels)[1] for turn in range(K)])
    assert all(sorted(column.tolist(), reverse=True) == levels for column in times.T)  # each level once a picture


@pytest.mark.parametrize("objective", ["awm", "nft"])
def test_what_is_learned_from_has_advantages_that_sum_to_zero(policy: ScenePolicy, objective: str) -> None:
    """Half of each group was dropped after centring: the rest summed to .55 on average, a pull that no reward asked."""
    source = torch.Generator().manual_seed(1)
    rewards = torch.randn(64, 8, generator=source).exp()  # not symmetric, as squared distances are not
    scores = group_advantages({"affect": rewards}, {"affect": 1.0})
    experience = Experience(
        Sampling(K),
        Rollout(torch.zeros(512, 4, 4, 4)),
        policy.conditions([PREVIEWS[0]] * 512),
        torch.zeros(512, 2),
        scores.values,
        scores.usable,
        0,
    )
    found = collector_for(policy, settings(objective=objective, steps=K, group=8))
    assert isinstance(found, VelocityMatching)
    rows, advantages = found.items(experience), found.advantages(experience)
    assert len(rows) == 256 and rows.tolist() == advantages.flatten().nonzero().flatten().tolist()
    assert float(advantages.sum(1).abs().max()) < 1e-5
    chosen = torch.zeros(512, dtype=torch.bool).index_fill(0, rows, True).view(64, 8)
    assert float(torch.where(chosen, scores.values, 0.0).sum(1).abs().mean()) > 0.1  # as it was


def test_settings_say_who_draws() -> None:
    assert settings(steps=0).drawn_by(4) == (settings(steps=4), True)
    assert settings(steps=4).drawn_by(4)[1] and not settings(steps=3).drawn_by(4)[1]
    few, student = settings(steps=0, guidance=1.0).drawn_by(4)
    assert (few.steps, few.guidance, student) == (6, 1.0, False)
    assert settings(steps=0).drawn_by(None)[0].rollout == (6, 1.0)
    direct = FinetuneSettings(objective="direct", updates=1)
    assert (direct.prompts * direct.group, direct.weights["quality"]) == (16, 0.0)
    with pytest.raises(UserError, match="Only direct"):
        settings(through=1)
    with pytest.raises(UserError, match="no few-step student"):
        ScenePolicy(tiny_generator(), rank=4, student=True)


def test_direct_sends_the_gradient_through_all_steps_of_a_student(policy: ScenePolicy) -> None:
    """The gradient of the loss is that of the whole picture: a finite difference along it agrees."""
    disturb(policy)
    job = settings(objective="direct", steps=K, variety=0.0, beta=0.0)
    found = collector_for(policy, job, DifferentiableColour())
    assert isinstance(found, DirectGradient)
    sampling, conditions = found.sampling(0), policy.conditions(PREVIEWS)
    assert (sampling.first, sampling.last) == (0, K)
    rollout = draw_rollout(policy, conditions, SEEDS, sampling)
    experience = Experience(
        sampling,
        rollout,
        conditions,
        torch.tensor([[0.7, -0.7]] * 2),
        torch.zeros(1, 2),
        torch.ones(1, 2, dtype=torch.bool),
        0,
        0,
        ("a cat", "a dog"),
    )
    loss = found.losses(experience, ROWS, 0).sum()
    loss.backward()
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in policy.parameters()]
    norm = float(torch.cat([g.flatten() for g in gradients]).norm())
    step = 1e-2 / norm
    with torch.no_grad():
        losses = []
        for sign in (1, -2):
            for parameter, gradient in zip(policy.parameters(), gradients, strict=True):
                parameter += sign * step * gradient / norm
            losses.append(float(found.losses(experience, ROWS, 0).sum()))
    assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(norm, rel=0.05)


def test_pictures_of_a_group_that_grow_alike_or_away_from_the_base_cost_something(policy: ScenePolicy) -> None:
    latents, groups = torch.randn(4, 4, 4, 4), torch.tensor([0, 0, 1, 1])
    expected = torch.stack([(latents[i] - latents[i + 1]).square().mean().sqrt() for i in (0, 2)]).mean()
    assert float(group_spread(latents, groups)) == pytest.approx(float(expected), rel=1e-4)  # type: ignore[arg-type]
    assert group_spread(latents, torch.arange(4)) is None

    def loss(**given: float) -> torch.Tensor:
        job = settings(objective="direct", steps=K, **given)
        sampling = Sampling(K, 1.0, 0.0, 0, K)
        conditions = policy.conditions(PREVIEWS)
        rollout = draw_rollout(policy, conditions, SEEDS, sampling)
        experience = Experience(
            sampling,
            rollout,
            conditions,
            torch.zeros(2, 2),
            torch.zeros(1, 2),
            torch.ones(1, 2, dtype=torch.bool),
            0,
            0,
            ("", ""),
        )
        return collector_for(policy, job, DifferentiableColour()).losses(experience, ROWS, 0)

    free = loss(beta=0.0, variety=0.0)
    assert torch.allclose(loss(beta=1.0, variety=1.0), free, atol=1e-5)  # still the base
    disturb(policy)
    free = loss(beta=0.0, variety=0.0)
    assert bool((loss(beta=1.0, variety=0.0) > free).all())
