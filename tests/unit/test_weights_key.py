"""What tells a fine-tuning job's models from others when it resumes."""

import copy

import torch

from emofeedback.finetuning.reward_judge import _sums_key, weights_key


def test_weights_in_another_order_are_another_model() -> None:
    """Sums of each tensor told models apart, so that one with two rows exchanged resumed the other's job."""
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    turned, trained = copy.deepcopy(layers), copy.deepcopy(layers)
    with torch.no_grad():
        turned[0].weight.copy_(layers[0].weight[[1, 0, 2, 3]])
        trained[0].weight[0, 0] += 1e-3
    keys = [weights_key(model) for model in (layers, copy.deepcopy(layers), turned, trained)]
    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert weights_key(layers.bfloat16()) == weights_key(copy.deepcopy(layers).float())


def test_the_key_of_earlier_versions_is_still_told() -> None:
    """A job that was saved with it resumes; the value is what those versions wrote."""
    layer = torch.nn.Linear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(6.0).view(2, 3) - 2)
        layer.bias.fill_(0.5)
    assert _sums_key(layer) == "1385570c2c210400"
