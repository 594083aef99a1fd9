"""The policy over a tiny real generator: weights that switch, densities that agree, adapters that travel."""

import numpy as np
import pytest
import torch
from tiny_finetune import settings, tiny_generator

from emofeedback.affect import Affect
from emofeedback.build import parse_adapter
from emofeedback.errors import UserError
from emofeedback.finetuning.adapter_export import before_after, export_adapter
from emofeedback.finetuning.job_settings import Targets, Tasks
from emofeedback.finetuning.policy.rollout import Sampling, draw_rollout
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.finetuning.rewards import QualityReward
from emofeedback.finetuning.trainer import FinetuneResult
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.records import PictureRequest

REQUESTS = [
    PictureRequest(prompt, Affect(0.5, -0.5), seed, steps=3, guidance=1.0)
    for seed, prompt in enumerate(("a cat", "a dog", "a cat by a lake"))
]
SEEDS = [request.seed for request in REQUESTS]
ROWS = torch.arange(len(REQUESTS))


def levels(generator: SceneDiffusionGenerator) -> np.ndarray:
    return np.stack([np.asarray(p.image, dtype=int) for p in generator.generate(REQUESTS)])


@pytest.fixture
def policy() -> ScenePolicy:
    return ScenePolicy(tiny_generator(), rank=4)


def disturb(policy: ScenePolicy, amount: float = 0.3) -> None:
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += amount * torch.randn(parameter.shape, generator=source)


def test_a_fresh_policy_draws_what_the_generator_draws(policy: ScenePolicy) -> None:
    assert np.array_equal(levels(tiny_generator()), levels(policy.generator))
    rollout = draw_rollout(policy, policy.conditions(REQUESTS), SEEDS, Sampling(3))
    generator = tiny_generator()
    with torch.no_grad():
        latents = generator._start(REQUESTS, 3, 1.0)
        condition = generator.conditioning(REQUESTS)
        for sigma, following in zip(policy.levels(3)[:-1], policy.levels(3)[1:], strict=True):
            latents = latents + (following - sigma) * generator.velocity(latents, sigma, condition)
    assert torch.allclose(rollout.clean, latents, atol=1e-5)
    assert rollout.clean.dtype == torch.float32


def test_three_sets_of_weights_share_one_base_and_only_the_policy_learns(policy: ScenePolicy) -> None:
    conditions, noisy, times = policy.conditions(REQUESTS), torch.randn(3, 4, 4, 4), torch.tensor([0.2, 0.5, 0.9])
    base = policy.velocity(noisy, times, conditions, "base")
    disturb(policy)
    moved = policy.velocity(noisy, times, conditions)
    assert not torch.allclose(moved, base, atol=1e-3)
    assert torch.equal(policy.velocity(noisy, times, conditions, "base"), base)
    assert torch.equal(policy.velocity(noisy, times, conditions, "old"), base)
    policy.remember()
    assert torch.equal(policy.velocity(noisy, times, conditions, "old"), moved)
    moved.square().mean().backward()  # the weights were switched in between
    learning = {id(p) for p in policy.parameters()}
    named = list(policy.generator.pipeline.transformer.named_parameters())
    assert all((p.grad is not None) == (id(p) in learning) for _, p in named)
    assert {id(p) for _, p in named if p.requires_grad} == learning


def test_the_stored_log_prob_is_that_of_the_policy_that_sampled(policy: ScenePolicy) -> None:
    disturb(policy)
    conditions, sampling = policy.conditions(REQUESTS), Sampling(3, 2.0, 0.7, 0, 2)
    rollout = draw_rollout(policy, conditions, SEEDS, sampling)
    assert len(rollout.steps) == 2
    for step in rollout.steps:
        assert step.log_prob is not None
        same = policy.log_prob(step, ROWS, conditions, sampling)
        normal = torch.distributions.Normal(same.mean, same.std[:, None, None, None])
        assert torch.allclose(normal.log_prob(step.sample).flatten(1).mean(1), step.log_prob, atol=1e-4)
        ratio = (same.log_prob - step.log_prob).exp()
        assert torch.allclose(ratio, torch.ones(3), atol=1e-5)
        assert not torch.allclose(policy.log_prob(step, ROWS, conditions, sampling, "base").log_prob, step.log_prob)


def test_the_last_step_ends_where_the_rollout_did_and_carries_a_gradient(policy: ScenePolicy) -> None:
    disturb(policy)
    conditions, sampling = policy.conditions(REQUESTS), Sampling(3, 1.0, 0.0, 2, 3)
    rollout = draw_rollout(policy, conditions, SEEDS, sampling)
    clean = policy.last_steps(rollout.steps, ROWS, conditions, sampling)
    assert torch.allclose(clean, rollout.clean, atol=1e-5)
    policy.decode(clean, conditions).mean().backward()
    assert any(float(p.grad.abs().sum()) > 0 for p in policy.parameters() if p.grad is not None)


def test_an_exported_adapter_draws_the_same_pictures_and_strength_0_is_the_base(policy, tmp_path) -> None:  # type: ignore[no-untyped-def]
    disturb(policy)
    tuned, fresh = levels(policy.generator), tiny_generator()
    base = levels(fresh)
    tasks = Tasks(["a cat"], ["a dog"], Targets("corners"), 0)
    result = FinetuneResult("budget", 1, 8, 1.0, 1, None, None)
    pictures = [p.image for p in fresh.generate(REQUESTS)]
    folder = export_adapter(policy, settings(), tasks, result, tmp_path / "adapter", pictures, pictures)
    names = {p.name for p in folder.iterdir()}
    assert names == {"pytorch_lora_weights.safetensors", "README.md", "before-after.png", "checksums.json"}
    card = (folder / "README.md").read_text()
    assert "awm" in card
    assert "never graded" in card
    assert np.abs(tuned - base).max() > 2
    fresh.load_adapter(folder)
    assert np.abs(levels(fresh) - tuned).max() <= 1
    assert fresh.name == "scene-generator+adapter"
    fresh.load_adapter(folder, 0.0)  # in place of the one before
    assert np.array_equal(levels(fresh), base)
    plain = tiny_generator().pipeline  # as the card says
    plain.load_lora_weights(str(folder))
    assert len(plain.get_active_adapters()) == 1


def test_adapters_that_do_not_fit_are_refused_in_one_sentence(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from safetensors.torch import save_file

    generator = tiny_generator()
    fitting = "transformer.transformer_blocks.0.attn.to_q"
    weights = {f"{fitting}.lora_A.weight": torch.ones(4, 32), f"{fitting}.lora_B.weight": torch.ones(32, 4)}
    (tmp_path / "fits").mkdir()
    save_file(weights, tmp_path / "fits" / "pytorch_lora_weights.safetensors")
    base = levels(generator)
    generator.load_adapter(tmp_path / "fits")
    assert not np.array_equal(levels(generator), base)
    with pytest.raises(UserError, match="no adapter at"):
        generator.load_adapter(tmp_path / "missing")
    file = tmp_path / "pytorch_lora_weights.safetensors"
    file.write_bytes(b"nothing")
    with pytest.raises(UserError, match="damaged"):
        generator.load_adapter(tmp_path)
    save_file({"transformer.blocks.9.attn.to_q.lora_A.weight": torch.zeros(4, 32)}, file)
    with pytest.raises(UserError, match="another model"):
        generator.load_adapter(tmp_path)
    layer = "transformer.transformer_blocks.0.attn.to_q"
    save_file({f"{layer}.lora_A.weight": torch.zeros(4, 99), f"{layer}.lora_B.weight": torch.zeros(99, 4)}, file)
    with pytest.raises(UserError, match="does not fit"):
        generator.load_adapter(tmp_path)
    # whoever is told that an adapter is refused does not draw with the one before, which was another person's
    assert np.array_equal(levels(generator), base) and generator.name == generator.base_name


def test_the_scale_follows_the_last_colon() -> None:
    assert [str(parse_adapter(t)[0]) for t in ("a/b", "a/b:0.5", "c:/d")] == ["a/b", "a/b", "c:/d"]
    assert [parse_adapter(t)[1] for t in ("a/b", "a/b:0.5", "c:/d")] == [1.0, 0.5, 1.0]
    with pytest.raises(UserError, match="between 0 and 4"):
        parse_adapter("a:9")


def test_quality_is_the_frozen_base_s_and_what_the_base_draws_is_good_enough(policy: ScenePolicy) -> None:
    sampling, prompts = Sampling(3), [request.prompt for request in REQUESTS]
    reward = QualityReward.calibrated(policy, REQUESTS, sampling)
    clean = draw_rollout(policy, policy.conditions(REQUESTS), SEEDS, sampling).clean
    errors = reward.errors(clean, prompts)
    assert reward.typical == pytest.approx(float(errors.mean()), rel=1e-4)
    pictures = list(policy.generator.generate(REQUESTS))
    scores = reward.score(pictures, clean)
    assert all(score is not None and score <= 0 for score in scores)
    assert max(score for score in reward.score(pictures, 5 * clean) if score is not None) < min(
        score for score in scores if score is not None
    )
    disturb(policy)
    assert torch.equal(reward.errors(clean, prompts), errors)  # whatever the policy has become


def test_guided_rollouts_are_drawn_as_the_generator_draws(policy: ScenePolicy) -> None:
    disturb(policy)
    generator = policy.generator
    requests = [PictureRequest(r.prompt, r.affect, r.seed, steps=3, guidance=2.5) for r in REQUESTS]
    rollout = draw_rollout(policy, policy.conditions(requests), SEEDS, Sampling(3, 2.5))
    with torch.no_grad():
        latents, condition = generator._start(requests, 3, 1.0), generator.conditioning(requests)
        assert condition[2] is not None and len(condition[2]) == 2  # towards the words, and towards the emotion
        for sigma, following in zip(policy.levels(3)[:-1], policy.levels(3)[1:], strict=True):
            latents = latents + (following - sigma) * generator.velocity(latents, sigma, condition)
    assert torch.allclose(rollout.clean, latents, atol=1e-5)


def test_checkpointing_changes_the_memory_and_not_the_gradient(policy: ScenePolicy) -> None:
    disturb(policy)
    frugal = ScenePolicy(tiny_generator(), rank=4, checkpointing=True)
    frugal.load_state(policy.state())
    noisy, times = torch.randn(3, 4, 4, 4), torch.tensor([0.2, 0.5, 0.9])
    for one in (policy, frugal):
        one.velocity(noisy, times, one.conditions(REQUESTS)).square().mean().backward()
    for ours, theirs in zip(policy.parameters(), frugal.parameters(), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-8)


def test_a_policy_begins_with_an_adapter_over_the_same_base(policy, tmp_path) -> None:  # type: ignore[no-untyped-def]
    disturb(policy)
    tasks = Tasks(["a cat"], ["a dog"], Targets("corners"), 0)
    result = FinetuneResult("budget", 1, 8, 1.0, 1, None, None)
    folder = export_adapter(policy, settings(), tasks, result, tmp_path / "adapter")
    begun = ScenePolicy(tiny_generator(), rank=16, start=(folder, 1.0))
    assert begun.rank == 4
    noisy, times, conditions = torch.randn(3, 4, 4, 4), torch.tensor([0.2, 0.5, 0.9]), policy.conditions(REQUESTS)
    with torch.no_grad():
        for weights in ("policy", "base"):
            ours, theirs = (one.velocity(noisy, times, conditions, weights) for one in (policy, begun))  # type: ignore[arg-type]
            assert torch.allclose(ours, theirs, atol=1e-5)
    half = ScenePolicy(tiny_generator(), start=(folder, 0.5)).state()
    whole = begun.state()
    assert all(torch.allclose(2 * half[key], whole[key]) for key in whole if "lora_B" in key)
    with pytest.raises(UserError, match="no adapter at"):
        ScenePolicy(tiny_generator(), start=(tmp_path / "missing", 1.0))


def test_a_page_pairs_rows_of_before_and_after() -> None:
    pictures = [p.image for p in tiny_generator().generate(REQUESTS)]
    assert before_after(pictures, pictures).size == (3 * 16 + 4, 2 * 16 + 2)
