"""Advantages: each reward normalised in its group, missing rewards left out, groups without signal counted."""

import pytest
import torch

from emofeedback.errors import UserError
from emofeedback.finetuning.advantages import group_advantages, spread_within

NAN = float("nan")


def test_one_reward_is_normalised_within_its_group() -> None:
    rewards = torch.randn(3, 8, generator=torch.Generator().manual_seed(0)) * 10 + torch.tensor([[0.0], [50.0], [-7.0]])
    found = group_advantages({"affect": rewards}, {"affect": 1.0})
    expected = (rewards - rewards.mean(1, keepdim=True)) / (rewards.std(1, keepdim=True, correction=0) + 1e-4)
    assert torch.allclose(found.values, expected, atol=1e-5)
    assert bool(found.usable.all())
    assert found.zero_variance_share == 0.0


def test_a_reward_of_large_units_does_not_drown_the_others() -> None:
    small, large = torch.randn(2, 2, 8, generator=torch.Generator().manual_seed(1))
    weights = {"small": 1.0, "large": 0.5}
    plain = group_advantages({"small": small, "large": large}, weights).values
    scaled = group_advantages({"small": small, "large": 1000 * large + 3}, weights).values
    assert torch.allclose(plain, scaled, atol=1e-3)
    alone = [group_advantages({"r": reward}, {"r": 1.0}).values for reward in (small, large)]
    assert torch.allclose(plain, alone[0] + 0.5 * alone[1], atol=1e-5)


def test_unreadable_pictures_do_not_move_the_baseline_of_the_others() -> None:
    """A reply that could not be parsed once scored 0 and pushed every other picture of its group up or down."""
    rewards = torch.randn(4, 12, generator=torch.Generator().manual_seed(2)) - 5.0
    missing = torch.arange(12) % 3 == 0
    found = group_advantages({"affect": rewards.masked_fill(missing, NAN)}, {"affect": 1.0})
    alone = group_advantages({"affect": rewards[:, ~missing]}, {"affect": 1.0})
    assert torch.allclose(found.values[:, ~missing], alone.values, atol=1e-5)
    assert torch.equal(found.values[:, missing], torch.zeros(4, 4))
    assert torch.equal(found.usable, (~missing).expand(4, 12))
    assert torch.allclose(found.values.sum(1), torch.zeros(4), atol=1e-4)


def test_one_missing_reward_of_two_takes_the_picture_out_of_both() -> None:
    affect = torch.tensor([[1.0, 2.0, 3.0, 4.0, 99.0]])
    content = torch.tensor([[0.0, 1.0, 0.0, 1.0, NAN]])
    weights = {"affect": 1.0, "content": 1.0}
    found = group_advantages({"affect": affect, "content": content}, weights)
    alone = group_advantages({"affect": affect[:, :4], "content": content[:, :4]}, weights)
    assert torch.allclose(found.values[:, :4], alone.values, atol=1e-5)
    assert found.values[0, 4] == 0.0
    assert found.usable.tolist() == [[True, True, True, True, False]]


def test_a_reward_of_weight_zero_is_only_watched() -> None:
    affect = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    watched = group_advantages({"affect": affect, "audit": affect * NAN}, {"affect": 1.0, "audit": 0.0})
    assert torch.equal(watched.values, group_advantages({"affect": affect}, {"affect": 1.0}).values)
    assert bool(watched.usable.all())


def test_groups_without_variance_get_nothing_and_are_counted() -> None:
    rewards = torch.tensor(
        [[1.0, 2.0, 3.0, 4.0], [0.1, 0.1, 0.1, 0.1], [NAN, NAN, NAN, NAN], [5.0, NAN, NAN, NAN], [0.3, 0.3, NAN, 0.3]]
    )
    found = group_advantages({"affect": rewards}, {"affect": 1.0})
    assert found.zero_variance_share == pytest.approx(0.8)
    assert torch.equal(found.values[1:], torch.zeros(4, 4))
    assert bool(found.values.isfinite().all())


def test_rounding_is_no_variance() -> None:
    rewards = torch.full((1, 4), 0.7)
    rewards[0, 0] += 1e-7
    assert group_advantages({"affect": rewards}, {"affect": 1.0}).zero_variance_share == 1.0


def test_a_group_in_which_one_reward_differs_carries_a_signal() -> None:
    flat, varied = torch.ones(1, 4), torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    found = group_advantages({"flat": flat, "varied": varied}, {"flat": 1.0, "varied": 1.0})
    assert found.zero_variance_share == 0.0
    assert torch.allclose(found.values, group_advantages({"varied": varied}, {"varied": 1.0}).values)


def test_outliers_are_clipped() -> None:
    rewards = torch.zeros(1, 64)
    rewards[0, 0] = 100.0
    assert group_advantages({"affect": rewards}, {"affect": 1.0}).values.max() == 5.0
    assert group_advantages({"affect": rewards}, {"affect": -1.0}, clip=2.0).values.min() == -2.0


@pytest.mark.parametrize("size", [1, 3])
def test_groups_below_four_are_refused(size: int) -> None:
    """A group of one trains on noise without a word: its only picture is its own baseline."""
    with pytest.raises(UserError, match=f"groups of 4 pictures or more, not {size}"):
        group_advantages({"affect": torch.randn(8, size)}, {"affect": 1.0})


def test_rewards_and_weights_must_agree() -> None:
    with pytest.raises(UserError, match="one weight per reward"):
        group_advantages({"affect": torch.randn(1, 4)}, {"content": 1.0})
    with pytest.raises(UserError, match="weight other than 0"):
        group_advantages({"affect": torch.randn(1, 4)}, {"affect": 0.0})
    with pytest.raises(ValueError, match="share one shape"):
        group_advantages({"a": torch.randn(1, 4), "b": torch.randn(2, 4)}, {"a": 1.0, "b": 1.0})
    with pytest.raises(ValueError, match="infinite"):
        group_advantages({"affect": torch.tensor([[1.0, 2.0, 3.0, float("inf")]])}, {"affect": 1.0})


def test_the_spread_of_a_reward_is_the_mean_deviation_within_its_groups() -> None:
    rewards = torch.tensor([[1.0, 3.0, 1.0, 3.0], [5.0, 5.0, 5.0, NAN], [2.0, NAN, NAN, NAN]])
    assert spread_within(rewards) == pytest.approx(0.5), "a group with one known reward says nothing"
    assert spread_within(torch.tensor([[0.1 + 0.2, 0.3, 0.3, 0.3]])) == 0.0, "rounding is no spread"
    assert spread_within(torch.tensor([[2.0, NAN, NAN, NAN]])) is None
