"""Weights of a loss over a picture: what lies in the subjects' boxes counts more than what lies around it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from emofeedback.training.common.scene_data import Box

SIDE = 100.0  # of the square that boxes are measured on


def coverage(boxes: Sequence[Sequence[Box]], side: int) -> Tensor:
    """Share of each cell that boxes cover, [B, 1, side, side] in [0, 1]; where boxes overlap, the larger share."""
    shares = torch.zeros(len(boxes), 1, side, side)
    edges = torch.arange(side + 1) * (SIDE / side)
    for row, found in zip(shares, boxes, strict=True):
        for left, top, right, bottom in found:
            across, down = _overlap(edges, left, right), _overlap(edges, top, bottom)
            row[0] = torch.maximum(row[0], down[:, None] * across[None, :])
    return shares


def _overlap(edges: Tensor, low: float, high: float) -> Tensor:
    covered = torch.minimum(edges[1:], torch.tensor(high)) - torch.maximum(edges[:-1], torch.tensor(low))
    return covered.clamp(min=0.0) / (edges[1:] - edges[:-1])


def weight_map(boxes: Sequence[Sequence[Box]], side: int, inside: float = 2.0) -> Tensor:
    """[B, 1, side, side]: 1 outside of the boxes, `inside` within, in between at their edges."""
    return 1.0 + (inside - 1.0) * coverage(boxes, side)


def weighted_mean(errors: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of errors [B, C, h, w] under weights [B, 1, h, w]; scalar. The weights' own mean does not matter."""
    if weights is None:
        return errors.mean()
    return (errors * weights).mean() / weights.mean()
