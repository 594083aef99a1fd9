"""Settings of a fine-tuning job, and its tasks: which prompts are drawn at which points of the plane.

A person's order becomes both, and both tell the order again when a job goes on. Importing this is cheap.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.finetuning.objectives.table import AFFECT, NAMES, OBJECTIVES, Defaults, objective
from emofeedback.finetuning.order import REGIONS, FinetuneOrder, Region
from emofeedback.scenes.captions import describe
from emofeedback.scenes.grammar import Split, sample_scene

RANK = 16
SMALLEST_GROUP = 4
PROMPTS, HELD_OUT = 64, 16
"""Of the bundled world, where an order names none."""
CORNER = 0.7
PLANE = 0.8
STEPS = 6
"""Of a rollout by a generator that has no few-step student."""
VISUAL_STEPS, VISUAL_GUIDANCE = 8, 3.0
"""Of a rollout with visual prompts by a generator that has no few-step student."""


def derive(seed: int, *identity: object) -> int:
    """A seed for one piece of work, from the job's seed and what the work is; independent of what ran before."""
    return int.from_bytes(hashlib.sha256(repr((seed, *identity)).encode()).digest()[:7], "big")


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """One fine-tuning job. Zeros of prompts, group and learning_rate become the objective's defaults when it is made;
    `beta` and `passes` of None mean them too. `drawn_by` settles how rollouts are drawn.

    Raises:
        UserError: a value is out of range, or two contradict each other; the message says why.
    """

    objective: str = NAMES[0]
    minutes: float | None = None
    updates: int | None = None
    prompts: int = 0  # groups of an update; 0: the objective's default
    group: int = 0  # pictures of one prompt and target; 0: the objective's default
    learned: int | None = None  # of each group, its extremes, that an optimiser step learns from; None: half
    steps: int = 0  # of a rollout; 0: the student's, or STEPS without one
    guidance: float | None = None  # of a rollout; 1 = none; None: a student's own, 1 without one
    passes: int | None = None  # optimiser steps per rollout
    micro_batch: int = 64  # pictures of one forward and backward pass; gradients are summed over them
    checkpointing: bool = False  # compute activations again in the backward pass: less memory, more time
    rank: int | None = None  # of the LoRA; None: that of the adapter to start from, or RANK
    start: str | None = None  # a LoRA to begin with, in diffusers' format; None: the base as it is
    start_scale: float = 1.0  # how much of it
    learning_rate: float = 0.0  # 0: the objective's default
    gradient_clip: float = 1.0
    beta: float | None = None  # tie to the anchor (awm, nft), the base (grpo, direct, dpo)
    anchor: Literal["old", "base"] = "old"  # of awm: the policy that sampled, or the frozen base
    eta: float = 0.7  # noise of grpo's steps
    ratio_clip: float = 1e-4  # grpo
    window: int = 0  # grpo: steps that draw noise and learn, at a random place; 0 = all
    through: int = 0  # direct: last steps that the reward's gradient passes; 0 = all of a student's, else the last
    variety: float = 1.0  # direct: weight of keeping the pictures of a group as different as the base's
    visual: bool = False  # dpo: pairs that differ in their visual prompt
    audit_every: int = 6  # updates
    audit_pictures: int = 32
    audit_patience: int = 3
    audit_steps: int | None = None  # None: the generator's default
    seed: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)  # of the rewards; empty: the usual ones

    def __post_init__(self) -> None:
        kind, usual = objective(self.objective), self.usual
        for name in ("prompts", "group", "learning_rate"):
            if not getattr(self, name):
                object.__setattr__(self, name, getattr(usual, name))
        if not self.weights:
            object.__setattr__(self, "weights", {"affect": AFFECT, "content": usual.content, "quality": usual.quality})
        if (self.minutes is None) == (self.updates is None):
            raise UserError("Give either minutes or updates as the budget, not both and not neither.")
        if self.group < SMALLEST_GROUP:
            raise UserError(
                f"A group needs at least {SMALLEST_GROUP} pictures, not {self.group}: the advantage compares a picture "
                "with the others of its group."
            )
        if self.learned is not None and self.learned > self.group:
            raise UserError(f"A group has {self.group} pictures; {self.learned} cannot be learned from. Lower learned.")
        if self.learned is not None and not kind.selects:
            raise UserError(f"{self.objective} chooses its pictures by itself; leave out learned.")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise UserError(f"{name.replace('_', ' ')} must lie between {low:g} and {high:g}, but is {value:g}.")
        if kind.needs != "trajectories" and self.window:
            owner = named(needs="trajectories")
            raise UserError(f"A window of noisy steps belongs to {owner}; {self.objective} keeps no trajectories.")
        if kind.needs == "trajectories" and self.eta == 0:
            raise UserError(f"{self.objective} needs eta above 0: steps without noise have no density to learn from.")
        if self.through and kind.needs != "differentiable":
            owner = named(needs="differentiable")
            raise UserError(f"Only {owner} sends a gradient through the steps; leave out through for {self.objective}.")
        for name in ("window", "through"):
            if (count := getattr(self, name)) > (self.steps or count):
                raise UserError(f"{name} is {count} steps, but a rollout has only {self.steps}; make it shorter.")
        if self.visual and (kind.visual is None or self.group % 2):
            names = ", ".join(o.name for o in OBJECTIVES.values() if o.visual is not None)
            raise UserError(f"Visual prompts are tuned by {names}, in groups of an even number of pictures.")
        if kind.needs_beta and self.beta == 0:
            raise UserError(f"{self.objective} needs a beta above 0; with 0 its loss does not depend on the policy.")
        if not kind.anchors and self.anchor != "old":
            owner = named(anchors=True)
            raise UserError(f"Only {owner} lets you choose its anchor; leave it out for {self.objective}.")
        if any(weight < 0 for weight in self.weights.values()) or not any(self.weights.values()):
            raise UserError("Reward weights must be 0 or more, and at least one above 0.")

    @property
    def usual(self) -> Defaults:
        """The values of settings that are left open."""
        kind = objective(self.objective)
        return kind.visual if self.visual and kind.visual is not None else kind.defaults

    @property
    def tie(self) -> float:
        """beta, or the objective's default."""
        return self.usual.beta if self.beta is None else self.beta

    @property
    def extremes(self) -> int:
        """Pictures of a group that an optimiser step learns from: the best and the worst carry most of the signal."""
        return max(2, self.group // 2) if self.learned is None else self.learned

    @property
    def turns(self) -> int:
        """Optimiser steps per rollout."""
        return self.usual.passes if self.passes is None else self.passes

    @property
    def rollout(self) -> tuple[int, float]:
        """Steps and guidance of a rollout."""
        return self.steps or STEPS, 1.0 if self.guidance is None else self.guidance

    def drawn_by(self, student_steps: int | None) -> tuple["FinetuneSettings", bool]:
        """With steps and guidance settled, and whether the generator's student draws.

        It does where its steps are asked for, or none, and guidance is left open: as when a user draws.
        """
        if student_steps is not None and self.guidance is None and self.steps in (0, student_steps):
            return replace(self, steps=student_steps), True
        steps, guidance = self.rollout
        if self.visual:
            steps, guidance = self.steps or VISUAL_STEPS, VISUAL_GUIDANCE if self.guidance is None else guidance
        return replace(self, steps=steps, guidance=guidance), False

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "weights": dict(self.weights)}


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("minutes", 0.01, 100_000),
    ("updates", 1, 1_000_000),
    ("prompts", 1, 4096),
    ("group", SMALLEST_GROUP, 1024),
    ("steps", 0, 200),
    ("guidance", 0, 50),
    ("passes", 1, 100),
    ("micro_batch", 1, 4096),
    ("rank", 1, 256),
    ("learning_rate", 1e-8, 0.1),
    ("gradient_clip", 1e-4, 1e4),
    ("beta", 0, 1e6),
    ("eta", 0, 2),
    ("ratio_clip", 0, 1),
    ("window", 0, 200),
    ("through", 0, 200),
    ("variety", 0, 100),
    ("audit_every", 1, 10_000),
    ("audit_pictures", 2, 1024),
    ("audit_patience", 1, 1000),
    ("audit_steps", 1, 200),
    ("learned", 2, 1024),
    ("start_scale", 0, 4),
)


@dataclass(frozen=True, slots=True)
class Targets:
    """Where in the plane a job aims: one point, the four corners, calm and tense, Mikels' eight emotions, or anywhere
    in +-PLANE."""

    region: Region
    point: Affect | None = None

    def __post_init__(self) -> None:
        if (self.region == "point") != (self.point is not None):
            raise UserError(f"Give a target point, or a region ({', '.join(REGIONS)}), not both.")

    def listed(self) -> list[Affect]:
        """The points of a region that has a few; empty for the plane."""
        if self.point is not None:
            return [self.point]
        few: dict[str, list[Affect]] = {
            "corners": [Affect(v, a) for v in (-CORNER, CORNER) for a in (-CORNER, CORNER)],
            "calm-tense": [Affect(CORNER, -CORNER), Affect(-CORNER, CORNER)],
            "emotions": [EMOTIONS[name] for name in MIKELS],
        }
        return few.get(self.region, [])

    def draw(self, count: int, rng: random.Random) -> list[Affect]:
        """Targets; listed ones come equally often, points of the plane lie on a grid of .1 so that few are encoded."""
        if points := self.listed():
            rng.shuffle(points)
            return [points[i % len(points)] for i in range(count)]
        edge = round(10 * PLANE)
        return [Affect(rng.randint(-edge, edge) / 10, rng.randint(-edge, edge) / 10) for _ in range(count)]


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt to be drawn at a point."""

    prompt: str
    affect: Affect


class Tasks:
    """Training tasks by update, and the fixed held-out ones of the audit.

    Raises:
        UserError: no prompts, or a held-out prompt is also trained on.
    """

    def __init__(self, prompts: Sequence[str], held_out: Sequence[str], targets: Targets, seed: int) -> None:
        self.prompts, self.held_out, self.targets, self.seed = tuple(prompts), tuple(held_out), targets, seed
        if not self.prompts or not self.held_out:
            raise UserError("A job needs at least one prompt to train on and one held-out prompt to audit with.")
        both = sorted(set(self.prompts) & set(self.held_out))
        if both:
            raise UserError(f"The held-out prompt {both[0]!r} is also trained on; take it out of one list.")

    def as_json(self) -> dict[str, Any]:
        targets = {"region": self.targets.region, "point": self.targets.point and asdict(self.targets.point)}
        return {"prompts": list(self.prompts), "held_out": list(self.held_out), "seed": self.seed, **targets}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> "Tasks":
        """Those that `as_json` described."""
        point = None if found["point"] is None else Affect(**found["point"])
        return cls(found["prompts"], found["held_out"], Targets(found["region"], point), found["seed"])

    def draw(self, update: int, count: int) -> list[Task]:
        """The tasks of an update; every prompt comes once before any comes again."""
        picked = []
        for position in range(update * count, (update + 1) * count):
            turn, place = divmod(position, len(self.prompts))
            order = list(range(len(self.prompts)))
            random.Random(derive(self.seed, "order", turn)).shuffle(order)
            picked.append(self.prompts[order[place]])
        targets = self.targets.draw(count, random.Random(derive(self.seed, "targets", update)))
        return [Task(prompt, target) for prompt, target in zip(picked, targets, strict=True)]

    def audit(self, count: int) -> list[Task]:
        """The same every time; all prompts come once, then all at their next target, until none is left.

        Prompt and target do not turn in step: where they did, with as many prompts as a multiple of the targets, each
        prompt was seen at one target alone.
        """
        rng, prompts = random.Random(derive(self.seed, "audit targets")), self.held_out
        points = self.targets.listed()
        rng.shuffle(points)
        if not points:
            return [Task(prompts[i % len(prompts)], at) for i, at in enumerate(self.targets.draw(count, rng))]
        turns = (divmod(i, len(prompts)) for i in range(count))
        return [Task(prompts[place], points[(place + turn) % len(points)]) for turn, place in turns]


def settings_of(order: FinetuneOrder, name: str) -> FinetuneSettings:
    """The order as settings of a job with the objective of that name.

    Raises:
        UserError: a value is out of range, or two contradict each other.
    """
    return FinetuneSettings(
        **{
            **order.more,
            **{one: getattr(order, one) for one in ORDERED},
            "objective": name,
        }
    )


def tasks_of(order: FinetuneOrder) -> Tasks:
    """The order's prompts and targets.

    Raises:
        UserError: a prompt is both trained on and held out, or the target is contradictory.
    """
    prompts = order.prompts or tuple(scene_prompts(PROMPTS, order.seed, "train"))
    world = (p for p in scene_prompts(HELD_OUT, order.seed, "held-out") if p not in prompts)
    return Tasks(prompts, order.held_out or tuple(world), Targets(order.region, order.point), order.seed)


def order_of(settings: Mapping[str, Any], tasks: Mapping[str, Any]) -> FinetuneOrder:
    """The order of a job whose settings and tasks are known as JSON; it makes the same settings and tasks again.

    Raises:
        UserError: they were written by another version.
    """
    try:
        known, found = FinetuneSettings(**settings), Tasks.from_json(tasks)
    except (TypeError, KeyError, ValueError, AttributeError):
        raise UserError("This job was made by another version; start a new one.") from None
    values = known.as_json()
    return FinetuneOrder(
        prompts=found.prompts,
        held_out=found.held_out,
        region=found.targets.region,
        point=found.targets.point,
        **{one: values.pop(one) for one in ("objective", *ORDERED)},
        more=values,
    )


ORDERED = ("minutes", "updates", "group", "steps", "learning_rate", "seed", "start")
"""Settings that are fields of an order too; the rest are its `more`."""


def named(**what: object) -> str:
    """Names of the objectives with these attributes."""
    found = [o.name for o in OBJECTIVES.values() if all(getattr(o, key) == value for key, value in what.items())]
    return " or ".join(found)


def read_list(text: str) -> list[str]:
    """The parts between commas, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def scene_prompts(count: int, seed: int, split: Split) -> list[str]:
    """Prompts that name place and subject alone: what is left open is what a group can differ in."""
    rng = random.Random(f"fine-tuning/{split}/{seed}")
    found: dict[str, None] = {}
    for _ in range(50 * count):
        found.setdefault(describe(sample_scene(rng, split), rng, ()))
        if len(found) == count:
            break
    return list(found)
