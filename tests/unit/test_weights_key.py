"""What tells a fine-tuning job's models from others when it resumes."""

import copy

import torch

from emofeedback.finetuning.reward_judge import weights_key


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
