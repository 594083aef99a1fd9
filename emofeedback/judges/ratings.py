"""Ratings by expected value: what a distribution over rating tokens says about a number. Pure tensor maths.

A language model asked for a number puts probability on rating tokens; their expected value is a finer and
better calibrated answer than the likeliest token (as in Q-Align, Wu et al. 2023, arXiv 2312.17090).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

MIN_MASS = 0.5
"""Of the probability must lie on rating tokens, else a picture counts as not read."""
RATING_STEPS = tuple(range(-10, 11))
RATING_TOKENS = tuple(f"<{step:+d}>" for step in RATING_STEPS)
"""The 21 rating tokens "<-10>" .. "<+0>" .. "<+10>"; token k stands for the value k / 10."""


def rating_values(device: torch.device | str = "cpu") -> Tensor:
    """The values of the rating tokens, shape [21], -1 .. 1."""
    return torch.tensor(RATING_STEPS, dtype=torch.float32, device=device) / 10


def rating_token(value: float) -> str:
    """The rating token nearest to a value in [-1, 1]; values beyond are clipped."""
    return RATING_TOKENS[round(max(-1.0, min(1.0, value)) * 10) + 10]


@dataclass(frozen=True, slots=True)
class Rating:
    """Tensors of one shape: mean in [-1, 1], sd in [0, 1], mass in [0, 1] (probability on rating tokens at all)."""

    mean: Tensor
    sd: Tensor
    mass: Tensor


def expected_rating(logits: Tensor, rating_ids: Tensor) -> Rating:
    """Expected value, spread and mass of the rating tokens.

    Args:
        logits: next-token logits over the full vocabulary, shape [..., vocabulary].
        rating_ids: token ids of RATING_TOKENS in order, shape [21].

    Returns:
        Rating of shape [...]; mean and sd are taken within the rating tokens, differentiable in the logits.
    """
    if rating_ids.shape != (len(RATING_STEPS),):
        raise ValueError(f"rating_ids must have shape [{len(RATING_STEPS)}], not {list(rating_ids.shape)}")
    return expected_value(logits, rating_ids, rating_values(logits.device))


def expected_value(logits: Tensor, ids: Tensor, values: Tensor) -> Rating:
    """Expected value, spread and mass of any set of rating tokens.

    Args:
        logits: next-token logits over the full vocabulary, shape [..., vocabulary].
        ids: distinct token ids, shape [n].
        values: what each token stands for, shape [n].

    Returns:
        Rating of shape [...]; mean and sd are taken within the rating tokens, differentiable in the logits.
    """
    logits = logits.float()
    ratings = logits[..., ids]
    share = ratings.softmax(-1)
    mean = (share * values).sum(-1)
    variance = (share * (values - mean.unsqueeze(-1)).square()).sum(-1)
    mass = (ratings.logsumexp(-1) - logits.logsumexp(-1)).exp()
    return Rating(mean, variance.clamp(min=0).sqrt(), mass)


def two_hot(values: Tensor) -> Tensor:
    """Soft labels whose expected value is exact: the two neighbouring rating tokens share the weight.

    Args:
        values: shape [...], in [-1, 1]; values beyond are clipped.

    Returns:
        Weights over the rating tokens, shape [..., 21], summing to 1.
    """
    position = (values.float().clamp(-1, 1) + 1) * 10
    steps = torch.arange(len(RATING_STEPS), dtype=torch.float32, device=values.device)
    return (1 - (position.unsqueeze(-1) - steps).abs()).clamp(min=0)


def rating_loss(logits: Tensor, rating_ids: Tensor, values: Tensor, expectation_weight: float = 4.0) -> Tensor:
    """Cross-entropy over the full vocabulary against two-hot labels, plus the squared error of the expected value.

    Args:
        logits: shape [..., vocabulary]; values: shape [...], in [-1, 1].

    Returns:
        The mean over all entries, a scalar.
    """
    log_probs = logits.float().log_softmax(-1)[..., rating_ids]
    cross_entropy = -(two_hot(values) * log_probs).sum(-1).mean()
    error = (expected_rating(logits, rating_ids).mean - values).square().mean()
    return cross_entropy + expectation_weight * error
