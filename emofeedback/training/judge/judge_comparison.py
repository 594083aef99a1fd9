"""What the GRPO stage gained: advice of two judges on the same held-out scenes, tried on the scenes themselves.

Both judges get the same pictures, prompts, earlier attempts and targets; each gets its own reading of the picture, as
in the loop. Replies are the likeliest ones, without a second try.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emofeedback.evaluation.metrics import bootstrap, paired_bootstrap
from emofeedback.files.checksums import write_checksums
from emofeedback.flow.pixels import from_bytes
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.training.common.scene_data import SceneCache
from emofeedback.training.judge.judge_export import export_judge, measure_judge
from emofeedback.training.judge.judge_grpo import AdviceGrader, advice_tasks
from emofeedback.training.judge.judge_rewards import FAR, GAIN, AdviceOutcome, keeping_reward, move_reward
from emofeedback.training.judge.shared_prefix import pad_left, write_replies

BATCH = 32
MOST = 128  # tokens of a reply
SECTION = """## Second stage
After the supervised stage, GRPO on the advice (`python -m emofeedback train judge --stage grpo`): replies were sampled
on training renders and rewarded for leading the known scene to the target, for keeping its content, and for true
explanations; the vision tower stood still and the readings were tied to the supervised judge's. Both stages' advice,
tried on {count} held-out scenes themselves (no generator, the likeliest reply, no second try):

{rows}
"""


@dataclass(frozen=True, slots=True)
class AdviceTrial:
    """Advice on a picture at a distance `before` from its target; the outcome is None where it could not be read."""

    before: float
    outcome: AdviceOutcome | None


def try_advice(judge: SceneJudge, scenes: SceneCache, count: int, seed: int) -> list[AdviceTrial]:
    """What a judge's likeliest advice does to the first `count` scenes."""
    tasks = advice_tasks(scenes, judge, count, seed)
    grader = AdviceGrader(tasks, scenes.scenes, judge.tokens)
    trials: list[AdviceTrial] = []
    for start in range(0, len(tasks), BATCH):
        some = tasks[start : start + BATCH]
        pixels = from_bytes(np.stack([scenes.pictures[task.index] for task in some])).to(judge.device)
        prefix = pad_left(
            [judge.tokens.advice(task.attempts, task.target) for task in some], pixels, judge.tokens.pad_id
        )
        replies = write_replies(judge.model, prefix, 1, judge.tokens.end_id, MOST, temperature=0.0)
        for task, ids in zip(some, replies, strict=True):
            before = scene_affect(scenes.scenes[task.index]).affect().distance(task.target)
            found = grader.grade(task, judge.tokens.text([t for t in ids if t != judge.tokens.end_id]))
            trials.append(AdviceTrial(before, found[1] if found else None))
    return trials


def advice_values(trials: Sequence[AdviceTrial]) -> dict[str, np.ndarray]:
    """Per-scene values of every measure, NaN where one does not apply; unreadable advice gains nothing."""

    def far(value: Callable[[AdviceOutcome], float]) -> np.ndarray:
        return np.array([np.nan if t.before <= FAR else 0.0 if t.outcome is None else value(t.outcome) for t in trials])

    return {
        "mean reward": np.array([move_reward(t.outcome) + 0.5 * keeping_reward(t.outcome) for t in trials]),
        "readable": np.array([float(t.outcome is not None) for t in trials]),
        f"{GAIN} closer, from beyond {FAR}": far(lambda o: float(o.gain >= GAIN)),
        "leads away": far(lambda o: float(o.gain < 0)),
        "distance gained": far(lambda o: o.gain),
        "content kept": np.array([np.nan if t.outcome is None else float(t.outcome.kept) for t in trials]),
        "needless edits": far(lambda o: float(o.needless)),
        "edits": far(lambda o: float(o.edits)),
    }


def compare_judges(
    before: SceneJudge, after: SceneJudge, scenes: SceneCache, count: int, seed: int
) -> dict[str, object]:
    """Every measure for both judges with bootstrap intervals, the paired difference, and their readings' figures."""
    old, new = (advice_values(try_advice(judge, scenes, count, seed)) for judge in (before, after))
    rows = []
    for name in old:
        both = ~(np.isnan(old[name]) | np.isnan(new[name]))
        if not both.any():
            continue  # no advice of either could be read
        a, b = old[name][both], new[name][both]
        gain = paired_bootstrap(b, a, seed=seed)
        rows.append(
            {
                "name": name,
                "supervised": _interval(a, seed),
                "grpo": _interval(b, seed),
                "difference": {"value": gain.value, "low": gain.low, "high": gain.high},
                "n": int(both.sum()),
            }
        )
    readings = {
        name: measure_judge(judge.model, judge.tokens.tokenizer, scenes, seed)
        for name, judge in (("supervised", before), ("grpo", after))
    }
    return {"scenes": count, "seed": seed, "advice": rows, "readings": readings}


def _interval(values: np.ndarray, seed: int) -> dict[str, float]:
    found = bootstrap(values, seed=seed)
    return {"value": found.value, "low": found.low, "high": found.high}


def write_comparison(path: Path, comparison: dict[str, object]) -> None:
    """As JSON; the file appears whole."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(comparison, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def finish_grpo(
    before: SceneJudge,
    after: SceneJudge,
    scenes: SceneCache,
    out: Path,
    facts: dict[str, float | int | str],
    count: int = 256,
    seed: int = 7,
) -> dict[str, object]:
    """Compare on held-out scenes, export the judge to `out` with its card, and write grpo.json beside it."""
    comparison = compare_judges(before, after, scenes, count, seed)
    readings = comparison["readings"]
    assert isinstance(readings, dict)
    export_judge(after.model, after.tokens.tokenizer, out, {**facts, "held out": len(scenes)}, readings["grpo"])
    card = (out / "README.md").read_text(encoding="utf-8")
    section = SECTION.format(rows=_rows(comparison["advice"]), count=count)  # type: ignore[arg-type]
    temporary = out / ".README.md.new"
    temporary.write_text(card.replace("\n## Limits\n", f"\n{section}\n## Limits\n"), encoding="utf-8")
    os.replace(temporary, out / "README.md")
    write_comparison(out / "grpo.json", comparison)
    write_checksums(out)
    return comparison


def _rows(measures: list[dict[str, dict[str, float]]]) -> str:
    lines = ["| what | supervised | GRPO | difference (95 % interval) |", "|---|---|---|---|"]
    for row in measures:
        gain = row["difference"]
        lines.append(
            f"| {row['name']} | {row['supervised']['value']:.3f} | {row['grpo']['value']:.3f} "
            f"| {gain['value']:+.3f} ({gain['low']:+.3f} .. {gain['high']:+.3f}) |"
        )
    return "\n".join(lines)
