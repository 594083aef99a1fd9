"""The straight path, its velocity and its steps are exact where they have closed forms."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emofeedback.flow import schedule


def test_path_ends_at_data_and_noise() -> None:
    clean, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    mixed = schedule.interpolate(clean, noise, torch.tensor([0.0, 1.0]))
    assert torch.equal(mixed[0], clean[0])
    assert torch.equal(mixed[1], noise[1])


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_euler_is_exact_on_the_straight_path(start: float, end: float) -> None:
    clean, noise = torch.ones(1, 2, 2, 2), torch.full((1, 2, 2, 2), -3.0)
    v = schedule.velocity(clean, noise)
    stepped = schedule.euler_step(schedule.interpolate(clean, noise, torch.tensor([start])), v, start, end)
    assert torch.allclose(stepped, schedule.interpolate(clean, noise, torch.tensor([end])), atol=1e-5)


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 4, 12])
def test_sigmas_fall_from_one_to_zero(steps: int, shift: float) -> None:
    levels = schedule.sigmas(steps, shift)
    assert len(levels) == steps + 1
    assert levels[0] == 1.0
    assert levels[-1] == 0.0
    assert torch.all(levels.diff() < 0)


def test_sigmas_refuse_no_steps() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        schedule.sigmas(0)


def test_shift_moves_times_towards_noise_and_keeps_the_ends() -> None:
    times = torch.tensor([0.0, 0.5, 1.0])
    assert torch.allclose(schedule.shift_times(times, 3.0), torch.tensor([0.0, 0.75, 1.0]))


def test_logit_normal_times_are_seeded_and_centred() -> None:
    times = schedule.logit_normal_times(4000, torch.Generator().manual_seed(1))
    assert torch.equal(times, schedule.logit_normal_times(4000, torch.Generator().manual_seed(1)))
    assert times.min() > 0
    assert times.max() < 1
    assert abs(times.median() - 0.5) < 0.03
    assert abs(torch.logit(times).std() - 1.0) < 0.05


def test_guidance_one_is_the_conditional_and_zero_the_unconditional() -> None:
    c, u = torch.randn(3, 2, 2, 2), torch.randn(3, 2, 2, 2)
    mixed = schedule.guided(c, u, torch.tensor([1.0, 0.0, 2.0]))
    assert torch.allclose(mixed[0], c[0], atol=1e-6)
    assert torch.allclose(mixed[1], u[1])
    assert torch.allclose(mixed[2], 2 * c[2] - u[2], atol=1e-6)
