"""Expected value over rating tokens: closed forms, bounds, gradients."""

import math

import pytest
import torch

from emofeedback.judges.ratings import RATING_TOKENS, expected_rating, rating_loss, rating_token, rating_values, two_hot

IDS = torch.arange(5, 26)
VOCABULARY = 40


def logits_for(weights: dict[int, float]) -> torch.Tensor:
    """Logits whose softmax is `weights` (by token id) and nothing elsewhere."""
    logits = torch.full((VOCABULARY,), -1e9)
    for token, weight in weights.items():
        logits[token] = math.log(weight)
    return logits


def test_two_ratings_give_their_mean_and_spread() -> None:
    rating = expected_rating(logits_for({5: 0.25, 25: 0.75}), IDS)
    assert rating.mean.item() == pytest.approx(0.5)
    assert rating.sd.item() == pytest.approx(math.sqrt(0.25 * 1.5**2 + 0.75 * 0.5**2))
    assert rating.mass.item() == pytest.approx(1.0)


def test_mass_is_the_share_of_the_whole_vocabulary() -> None:
    rating = expected_rating(logits_for({15: 0.3, 0: 0.7}), IDS)
    assert rating.mass.item() == pytest.approx(0.3)
    assert rating.mean.item() == pytest.approx(0.0, abs=1e-6)


def test_uniform_logits_are_neutral_and_wide() -> None:
    rating = expected_rating(torch.zeros(2, 3, VOCABULARY), IDS)
    assert rating.mean.shape == (2, 3)
    assert torch.allclose(rating.mean, torch.zeros(2, 3), atol=1e-6)
    assert torch.allclose(rating.mass, torch.full((2, 3), 21 / VOCABULARY))
    assert torch.allclose(rating.sd, torch.full((2, 3), math.sqrt(110 / 300)), atol=1e-5)


def test_two_hot_labels_have_exactly_the_value_as_their_mean() -> None:
    values = torch.linspace(-1, 1, 201)
    labels = two_hot(values)
    assert torch.allclose(labels.sum(-1), torch.ones(201), atol=1e-5)
    assert torch.allclose(labels @ rating_values(), values, atol=1e-5)
    assert (labels > 0).sum(-1).max() <= 2


def test_the_loss_falls_when_followed_and_moves_the_mean_to_the_value() -> None:
    logits = torch.zeros(1, VOCABULARY, requires_grad=True)
    value = torch.tensor([0.63])
    before = rating_loss(logits, IDS, value)
    optimiser = torch.optim.Adam([logits], lr=0.3)
    for _ in range(200):
        optimiser.zero_grad()
        loss = rating_loss(logits, IDS, value)
        loss.backward()
        optimiser.step()
    rating = expected_rating(logits.detach(), IDS)
    assert loss < before / 3
    assert rating.mean.item() == pytest.approx(0.63, abs=0.01)
    assert rating.mass.item() > 0.95


def test_the_nearest_token_is_chosen_and_overshoot_is_clipped() -> None:
    assert rating_token(0.72) == "<+7>"
    assert rating_token(-3.0) == "<-10>"
    assert rating_token(0.0) == "<+0>"
    assert [rating_token(float(v)) for v in rating_values()] == list(RATING_TOKENS)


def test_a_wrong_number_of_rating_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="21"):
        expected_rating(torch.zeros(VOCABULARY), torch.arange(20))
