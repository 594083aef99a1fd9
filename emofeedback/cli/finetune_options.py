"""The options of `finetune`. None = not given: the job's own default."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from emofeedback.cli.shared_options import SharedOptions, limited, option, switch

EXPERT = "Expert settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneOptions(SharedOptions):
    """What the generator is tuned to, on which words, for how long."""

    objective: Annotated[Literal["direct", "awm", "nft", "grpo", "dpo"] | None, option("default: by the judge")] = None
    prompts: Annotated[Path | None, option("one a line; default: place-subject prompts", "FILE")] = None
    held_out: Annotated[Path | None, option("prompts of the audit", "FILE")] = None
    target: Annotated[str | None, option("one point, such as --target=-0.7,0.6", "V,A")] = None
    region: Annotated[Literal["corners", "calm-tense", "emotions", "plane"] | None, option("default corners")] = None
    minutes: Annotated[float | None, limited(0.01, 100_000, "budget (default 5)", "M")] = None
    updates: Annotated[int | None, limited(1, 1_000_000, "budget, in place of minutes")] = None
    resume: Annotated[bool, switch("--resume", "go on with the job in --out")] = False
    dry_run: Annotated[bool, switch("--dry-run", "estimate time and memory; writes nothing")] = False
    rater: Annotated[str | None, option("who audits; not the judge's model", "NAME|PATH|REPO|URL")] = None
    visual: Annotated[bool | None, switch("--visual", "dpo: pairs that differ in their visual prompt alone")] = None
    prompts_per_update: Annotated[int | None, limited(1, 4096, panel=EXPERT)] = None
    group: Annotated[int | None, limited(1, 1024, panel=EXPERT)] = None
    learned: Annotated[int | None, limited(2, 1024, panel=EXPERT)] = None
    steps: Annotated[int | None, limited(1, 200, panel=EXPERT)] = None
    passes: Annotated[int | None, limited(1, 100, panel=EXPERT)] = None
    micro_batch: Annotated[int | None, limited(1, 4096, panel=EXPERT)] = None
    rank: Annotated[int | None, limited(1, 256, panel=EXPERT)] = None
    window: Annotated[int | None, limited(0, 200, panel=EXPERT)] = None
    through: Annotated[int | None, limited(0, 200, panel=EXPERT)] = None
    audit_every: Annotated[int | None, limited(1, 10_000, panel=EXPERT)] = None
    audit_pictures: Annotated[int | None, limited(2, 1024, panel=EXPERT)] = None
    audit_patience: Annotated[int | None, limited(1, 1000, panel=EXPERT)] = None
    checkpointing: Annotated[bool | None, switch("--checkpointing", "less memory, more time", EXPERT)] = None
    guidance: Annotated[float | None, limited(0, 50, "of rollouts; 1 = none", "X", EXPERT)] = None
    learning_rate: Annotated[float | None, limited(1e-8, 0.1, "", "X", EXPERT)] = None
    beta: Annotated[float | None, limited(0, 1e6, "how strongly the policy is tied", "X", EXPERT)] = None
    variety: Annotated[float | None, limited(0, 100, "direct: keeps a group's pictures apart", "X", EXPERT)] = None
