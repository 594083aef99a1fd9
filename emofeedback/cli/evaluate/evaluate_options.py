"""The options of `evaluate SUBJECT`, a record for each subject."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from emofeedback.cli.shared_options import SharedOptions, limited, option, switch

PEOPLE = "Against people: with --ratings; calibrates the judge on the way"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions(SharedOptions):
    """What every subject takes: how much is measured."""

    count: Annotated[int | None, limited(2, 10_000, "prompts, pictures or prompt-target pairs")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedOptions(EvaluateOptions):
    """Of a subject that the second rater grades; also `generator`, `rater` and `advice`, which take no more."""

    rater: Annotated[str | None, option("as --judge, but another model", "NAME|PATH|REPO|URL")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions(EvaluateOptions):
    """Of `judge`: on scenes, or on pictures that people have rated."""

    ratings: Annotated[Path | None, option("a CSV file of mean ratings, one row per picture", "FILE", PEOPLE)] = None
    images: Annotated[Path | None, option("the rated pictures", "DIR", PEOPLE)] = None
    scale: Annotated[str, option("of the ratings", "LOW-HIGH", PEOPLE)] = "1-9"
    columns: Annotated[str | None, option("names of the three columns", "PICTURE,VALENCE,AROUSAL", PEOPLE)] = None
    method: Annotated[Literal["affine", "isotonic"], option("of the calibration", None, PEOPLE)] = "affine"
    save: Annotated[Path | None, option("write the calibration, for --calibration", "FILE", PEOPLE)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopOptions(GradedOptions):
    """Of `loop`."""

    rounds: Annotated[int, limited(1, 50)] = 3
    candidates: Annotated[int, limited(1, 64, "of a round")] = 8
    ablation: Annotated[bool, switch("--ablation", "with and without rewriter, visual prompt and edits")] = False
    strength: Annotated[float, limited(0, 5, "of the V-A adapter in an ablation; 0 = off", "X")] = 1.0
    rewriter: Annotated[str | None, option("of an ablation (default embedded)", "NAME")] = None
    viewers: Annotated[str | None, option("of the rewriter's company (default: all)", "NAME,NAME")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningOptions(GradedOptions):
    """Of `finetune`: jobs on corner targets against the base and the judge's best of N."""

    objectives: Annotated[str | None, option("such as awm,grpo (default: as `finetune`)", "NAMES")] = None
    learning_rates: Annotated[str | None, option("searched for each objective, such as 3e-4,1e-3", "NUMBERS")] = None
    seeds: Annotated[int, limited(1, 100, "jobs an objective")] = 3
    best_of: Annotated[int, limited(4, 64, "pictures the judge picks from")] = 16
    minutes: Annotated[float | None, limited(0.01, 100_000, "of a job (default 5)", "M")] = None
    updates: Annotated[int | None, limited(1, 1_000_000, "in place of minutes")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewritingOptions(EvaluateOptions):
    """Of `rewriting`."""

    seeds: Annotated[int, limited(1, 100, "rewrites of each prompt and emotion")] = 3
    rewriter: Annotated[str | None, option("which is measured (default embedded)", "NAME")] = None
    viewers: Annotated[str | None, option("of the rewriter's company (default: all)", "NAME,NAME")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualOptions(GradedOptions):
    """Of `visual`."""

    seeds: Annotated[int, limited(1, 100, "pictures of each prompt and emotion")] = 3
    tuned: Annotated[str | None, option("an adapter of `finetune --visual`, as an arm", "PATH[:SCALE]")] = None
