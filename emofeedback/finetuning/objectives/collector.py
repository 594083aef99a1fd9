"""Between rollouts and losses: a collector for each objective. The trainer holds one and never asks which."""

from typing import Protocol

from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.finetuning.experience import Experience
from emofeedback.finetuning.job_settings import FinetuneSettings
from emofeedback.finetuning.objectives.awm import AdvantageWeightedMatching
from emofeedback.finetuning.objectives.direct import DirectGradient
from emofeedback.finetuning.objectives.dpo import Pairs
from emofeedback.finetuning.objectives.grpo import Trajectories
from emofeedback.finetuning.objectives.nft import NegativeAwareMatching
from emofeedback.finetuning.objectives.visual_dpo import VisualPairs
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.rollout import Sampling
from emofeedback.finetuning.rewards import DifferentiableReward


class Collector(Protocol):
    """What an objective needs of a rollout, and its losses."""

    def sampling(self, seed: int) -> Sampling:
        """How to draw the rollout of an update."""
        ...

    def items(self, experience: Experience) -> Tensor:
        """Indices [M] of what one optimiser step is summed over; empty = nothing to learn from."""
        ...

    def losses(self, experience: Experience, items: Tensor, turn: int) -> Tensor:
        """Losses [B] of some of the items in optimiser step `turn` of this rollout."""
        ...


def collector_for(
    policy: LoraPolicy, settings: FinetuneSettings, reward: DifferentiableReward | None = None
) -> Collector:
    """The collector of the settings' objective.

    Raises:
        UserError: the objective needs a differentiable reward and there is none.
    """
    match settings.objective:
        case "awm":
            return AdvantageWeightedMatching(policy, settings)
        case "nft":
            return NegativeAwareMatching(policy, settings)
        case "grpo":
            return Trajectories(policy, settings)
        case "dpo":
            return VisualPairs(policy, settings) if settings.visual else Pairs(policy, settings)
        case "direct":
            if reward is None:
                raise UserError("direct needs a judge whose reading is differentiable; choose awm.")
            return DirectGradient(policy, settings, reward)
        case name:
            raise ValueError(f"the objective {name!r} has no collector")
