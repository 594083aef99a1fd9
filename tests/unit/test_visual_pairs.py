"""DPO with a negative visual prompt: its loss in closed form, the gradient's sign, how groups are paired."""

import math
from dataclasses import replace

import pytest
import torch
from tiny_visual import visual_generator
from torch import Tensor

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.finetuning.experience import Experience, renoise
from emofeedback.finetuning.job_settings import FinetuneSettings, Targets
from emofeedback.finetuning.objectives.collector import collector_for
from emofeedback.finetuning.objectives.visual_dpo import APART, KEEP, VisualPairs, other_half, pair_up
from emofeedback.finetuning.policy.rollout import Conditions, Rollout, Sampling, draw_rollout
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.flow.schedule import interpolate, velocity
from emofeedback.records import PictureRequest

SETTINGS = FinetuneSettings("dpo", updates=1, prompts=1, group=4, visual=True, beta=3.0, passes=1)


class Linear:
    """v(x, t, c) = w c, with w = 1 in the base: the visual feature decides alone."""

    student = False

    def __init__(self, weight: float) -> None:
        self.weight = torch.tensor(weight, requires_grad=True)

    def velocity(self, noisy: Tensor, times: Tensor, conditions: Conditions, weights: str = "policy") -> Tensor:
        shown = conditions.shown().mean((1, 2))[:, None, None, None].expand_as(noisy)
        return shown if weights == "base" else self.weight * shown


def experience(shown: list[float], advantages: list[float]) -> Experience:
    torch.manual_seed(0)
    count = len(shown)
    clean, values = torch.randn(count, 1, 2, 2), torch.tensor([advantages])
    conditions = Conditions(torch.zeros(count, 1, 1), torch.zeros(count, 1), visual=torch.tensor(shown)[:, None, None])
    return Experience(Sampling(4), Rollout(clean), conditions, torch.zeros(count, 2), values, values.isfinite(), 5)


def by_hand(policy: Linear, given: Experience, row: int) -> float:
    noise, times = renoise(given, torch.tensor([row]), 0, 1)
    clean = given.rollout.clean[[row]]
    target = velocity(clean, noise)
    assert interpolate(clean, noise, times).shape == target.shape
    shown = given.conditions.shown()[:, 0, 0].tolist()
    own, other = shown[row], shown[(row + 2) % 4]

    def error(value: float) -> float:
        return float((value - target).square().mean())

    w = float(policy.weight.detach())
    margin = (error(w * own) - error(w * other)) - (error(own) - error(other))
    margin += KEEP * max(0.0, error(w * own) - error(own))
    return -math.log(1 / (1 + math.exp(3.0 / 2 * margin)))


def test_the_loss_is_the_closed_form() -> None:
    policy, given = Linear(1.4), experience([0.3, 0.3, -0.8, -0.8], [1.0, -1.0, 0.5, -0.5])
    pairs = VisualPairs(policy, SETTINGS)  # type: ignore[arg-type]
    rows = pairs.items(given)
    assert rows.tolist() == [0, 2]  # the better picture of each half
    losses = pairs.losses(given, rows, 0)
    assert losses.tolist() == pytest.approx([by_hand(policy, given, 0), by_hand(policy, given, 2)], rel=1e-4)


def test_a_policy_that_is_the_base_has_loss_log_2() -> None:
    given = experience([0.3, 0.3, -0.8, -0.8], [1.0, -1.0, 0.5, -0.5])
    losses = VisualPairs(Linear(1.0), SETTINGS).losses(given, torch.tensor([0, 2]), 0)  # type: ignore[arg-type]
    assert losses.tolist() == pytest.approx([math.log(2)] * 2)


def test_swapped_pairs_turn_the_gradient_round() -> None:
    gradients = []
    for shown in ([0.3, 0.3, -0.8, -0.8], [-0.8, -0.8, 0.3, 0.3]):
        policy, given = Linear(1.0), experience(shown, [1.0, -1.0, 0.5, -0.5])
        VisualPairs(policy, SETTINGS).losses(given, torch.tensor([0]), 0).sum().backward()  # type: ignore[arg-type]
        assert policy.weight.grad is not None
        gradients.append(float(policy.weight.grad))
    assert gradients[0] == pytest.approx(-gradients[1], rel=1e-4) and abs(gradients[0]) > 1e-3


def test_unusable_pictures_are_left_out() -> None:
    given = experience([0.3, 0.3, -0.8, -0.8], [float("nan"), -1.0, float("nan"), float("nan")])
    given = replace(given, advantages=given.advantages.nan_to_num())
    assert VisualPairs(Linear(1.0), SETTINGS).items(given).tolist() == [1]  # type: ignore[arg-type]


def test_a_group_is_halved_between_two_emotions_that_lie_apart() -> None:
    requests = [PictureRequest(f"prompt {i}", EMOTIONS[e], 10 * i + j) for i, e in enumerate(MIKELS) for j in range(4)]
    paired = pair_up(requests, 4, 0)
    for i, emotion in enumerate(MIKELS):
        mine = paired[4 * i : 4 * i + 4]
        assert {r.prompt for r in mine} == {f"prompt {i}"} and {r.strength for r in mine} == {0.0}
        names = [r.visual.emotion for r in mine if r.visual]
        assert names[:2] == [emotion] * 2 and names[2] == names[3] != emotion
        assert EMOTIONS[str(names[2])].distance(EMOTIONS[emotion]) >= APART
        assert mine[0].seed == mine[2].seed and mine[0].affect == EMOTIONS[emotion]
    assert paired == pair_up(requests, 4, 0)
    assert other_half(torch.tensor([0, 1, 2, 3, 4, 7]), 4).tolist() == [2, 3, 0, 1, 6, 5]
    with pytest.raises(UserError, match="even"):
        pair_up(requests[:5], 5, 0)


def test_settings_belong_to_dpo() -> None:
    with pytest.raises(UserError, match="dpo"):
        FinetuneSettings("awm", updates=1, visual=True)
    settled, student = SETTINGS.drawn_by(4)
    assert student and settled.rollout == (4, 1.0)
    settled, student = SETTINGS.drawn_by(None)
    assert not student and settled.rollout == (8, 3.0)
    points = Targets("emotions").draw(8, __import__("random").Random(0))
    assert sorted((p.valence, p.arousal) for p in points) == sorted(
        (EMOTIONS[n].valence, EMOTIONS[n].arousal) for n in MIKELS
    )


def test_an_optimiser_step_on_a_real_policy_widens_the_difference() -> None:
    generator = visual_generator()
    policy = ScenePolicy(generator, rank=2)
    given = pair_up([PictureRequest("a cat", Affect(-0.65, 0.65), i) for i in range(4)], 4, 0)
    conditions = policy.conditions(given)
    assert conditions.visual is not None and conditions.visual.shape == (4, 4, 8)
    rollout = draw_rollout(policy, conditions, [r.seed for r in given], Sampling(3, 2.0))
    values = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    seen = Experience(Sampling(3, 2.0), rollout, conditions, torch.zeros(4, 2), values, values.isfinite(), 1)
    pairs = collector_for(policy, SETTINGS)
    assert isinstance(pairs, VisualPairs)
    rows = pairs.items(seen)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.05)
    before = pairs.losses(seen, rows, 0).mean()
    assert float(before.detach()) == pytest.approx(math.log(2), abs=1e-3)
    before.backward()
    optimizer.step()
    assert float(pairs.losses(seen, rows, 0).mean().detach()) < float(before.detach())
