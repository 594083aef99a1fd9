"""The objectives by name: what each needs, and what it is given where settings leave it open. Importing is cheap."""

from dataclasses import dataclass
from typing import Literal

from emofeedback.errors import UserError

Needs = Literal["clean", "trajectories", "pairs", "differentiable"]
"""What a rollout must supply: "clean" latents with a reward, from any sampler; "trajectories" with the log-prob of
each step; "pairs" of a winner and a loser; or a reward that is "differentiable" in the picture."""

AFFECT, CONTENT, QUALITY = 1.0, 0.3, 0.2
"""Weights of the rewards."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What an objective is given where the settings leave it open."""

    beta: float
    passes: int  # optimiser steps per rollout
    learning_rate: float
    prompts: int = 8
    group: int = 8
    content: float = CONTENT
    quality: float = QUALITY  # a reward without a gradient


@dataclass(frozen=True, slots=True)
class Objective:
    """An objective and what it asks of a job.

    Attributes:
        name: as people write it.
        title: in words.
        summary: one sentence for a page or a help text.
        visual: defaults for pairs that differ in their visual prompt; None = it has no such pairs.
        needs_beta: whether its loss does not depend on the policy at beta 0.
        anchors: whether the policy may be tied to the base in place of the policy that sampled.
    """

    name: str
    title: str
    summary: str
    needs: Needs
    defaults: Defaults
    visual: Defaults | None = None
    needs_beta: bool = False
    anchors: bool = False

    @property
    def selects(self) -> bool:
        """Whether an optimiser step learns from the extremes of a group, as many as the settings say."""
        return self.needs in ("clean", "trajectories")


OBJECTIVES: dict[str, Objective] = {
    one.name: one
    for one in (
        Objective(
            "direct",
            "the judge's gradient",
            "follows the judge's gradient and learns fastest; needs a judge that gradients pass through",
            "differentiable",
            Defaults(0.4, 1, 2e-3, prompts=4, group=4, content=0.5, quality=0.0),
        ),
        Objective(
            "awm",
            "advantage-weighted matching",
            "needs scores alone and suits every judge",
            "clean",
            Defaults(1.0, 4, 1e-3),
            anchors=True,
        ),
        Objective(
            "nft",
            "negative-aware fine-tuning",
            "pulls towards winners and pushes off losers; needs scores alone",
            "clean",
            Defaults(1.0, 4, 1e-3),
            needs_beta=True,
        ),
        Objective(
            "grpo",
            "group-relative policy optimisation",
            "learns from the noise of each step; needs scores alone",
            "trajectories",
            Defaults(0.01, 1, 1e-3),
        ),
        Objective(
            "dpo",
            "direct preference optimisation",
            "learns from the best and the worst of a group; needs scores alone",
            "pairs",
            Defaults(500.0, 4, 5e-4),
            visual=Defaults(400.0, 4, 1e-3, prompts=4, content=1.0),
            needs_beta=True,
        ),
    )
}
"""In the order in which they are offered."""

NAMES = tuple(OBJECTIVES)


def objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        UserError: the name is not known.
    """
    if name not in OBJECTIVES:
        raise UserError(f"choose an objective among {', '.join(OBJECTIVES)}; {name!r} is not one")
    return OBJECTIVES[name]


def automatic(differentiable: bool) -> str:
    """The objective of a job that leaves it open: the first that its judge can supply, with or without a gradient."""
    return next(one.name for one in OBJECTIVES.values() if differentiable or one.needs != "differentiable")
