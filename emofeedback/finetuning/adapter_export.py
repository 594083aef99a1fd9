"""Writing a tuned adapter: a LoRA in diffusers' format, its model card, a before/after page."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from peft import get_peft_model_state_dict
from PIL import Image

from emofeedback.files.checksums import write_checksums
from emofeedback.files.unfinished import writing
from emofeedback.finetuning.audit import Audit
from emofeedback.finetuning.job_settings import FinetuneSettings, Tasks
from emofeedback.finetuning.order import REGIONS
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.trainer import FinetuneResult
from emofeedback.flow.pixels import sheet
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator

PAGE = "before-after.png"
COLUMNS = 8
CARD = """---
license: {licence}
library_name: diffusers
base_model: {base}
tags: [lora, text-to-image, valence-arousal, reward-fine-tuning]
---
# Adapter for {base}: {aim}

A LoRA (rank {rank}, attention projections) made by reward fine-tuning with `{objective}`: the judge's reading of each
picture, compared with the valence and arousal that were asked for, decided what was reinforced.

![Held-out prompts: every other row before, after below it]({page})

## Use
```python
pipe.load_lora_weights("{folder}")  # a {pipeline} with {base}
```
{student}Or, with the number behind the colon as the strength:

    python -m emofeedback generate "a lighthouse by the seaside" --valence -0.7 --arousal 0.7 --adapter {folder}:1{on}

## Held-out prompts, graded by the second rater, which took no part in the training
| | before | after |
|---|---|---|
{table}

{verdict}

## Recipe
{updates} updates of {prompts} prompts x {group} pictures ({pictures} pictures in all), {drawn},
{passes} optimiser steps a rollout, learning rate {rate:g}, beta {beta:g}, reward weights {weights}, seed {seed},
{seconds:.0f} seconds. Stopped by: {stopped}. {trained} prompts were trained on, {held_out} were held out.{start}

## Limits
Valence and arousal are on the scale of the judge and the rater, not a measurement of people. An adapter may have
learned what one judge likes; compare strengths before you rely on it.
"""


STUDENT = """It was learned on top of the few-step student: in plain diffusers, load that too, as another adapter, from
the base's folder `few_step/`, and activate both with `pipe.set_adapters`. The command below does so by itself.

"""


def export_adapter(
    policy: LoraPolicy,
    settings: FinetuneSettings,
    tasks: Tasks,
    result: FinetuneResult,
    folder: Path,
    before: Sequence[Image.Image] = (),
    after: Sequence[Image.Image] = (),
) -> Path:
    """Write the policy's present LoRA to `folder`, which appears whole; returns it.

    Args:
        before, after: held-out pictures of the base and of the adapter, in one order; may be empty.

    Raises:
        UserError: the disk is full or the folder cannot be written; what stood there before stays.
    """
    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    try:
        with writing(folder):
            _write(policy, settings, tasks, result, new, folder.name, before, after)
            shutil.rmtree(old, ignore_errors=True)
            if folder.exists():
                os.replace(folder, old)
            os.replace(new, folder)
    finally:
        for rest in (new, old):
            shutil.rmtree(rest, ignore_errors=True)
    return folder


def _write(
    policy: LoraPolicy,
    settings: FinetuneSettings,
    tasks: Tasks,
    result: FinetuneResult,
    new: Path,
    name: str,
    before: Sequence[Image.Image],
    after: Sequence[Image.Image],
) -> None:
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    pipeline = policy.generator.pipeline
    weights = get_peft_model_state_dict(pipeline.transformer, adapter_name="policy")
    layers = {key: value.detach().cpu().contiguous().clone() for key, value in weights.items()}
    pipeline.save_lora_weights(new, transformer_lora_layers=layers)
    if before and len(before) == len(after):
        before_after(before, after).save(new / PAGE)
    card = _card(policy, settings, tasks, result, name)
    (new / "README.md").write_text(card, encoding="utf-8")
    write_checksums(new)


def before_after(before: Sequence[Image.Image], after: Sequence[Image.Image]) -> Image.Image:
    """A page of pairs of rows, the base's pictures above the adapter's."""
    columns = min(COLUMNS, len(before))
    rows: list[Image.Image] = []
    for begin in range(0, len(before), columns):
        for images in (before[begin : begin + columns], after[begin : begin + columns]):
            blank = Image.new("RGB", images[0].size, "white")
            rows += [*images, *([blank] * (columns - len(images)))]
    return sheet(rows, columns)


def _card(policy: LoraPolicy, settings: FinetuneSettings, tasks: Tasks, result: FinetuneResult, folder: str) -> str:
    base = policy.generator.base_name
    point = tasks.targets.point
    bundled = isinstance(policy.generator, SceneDiffusionGenerator)
    few = policy.student and bundled
    # an adapter may not be freer than the model that it was made from
    licence = "apache-2.0" if bundled else "other"
    aim = f"valence {point.valence:+g}, arousal {point.arousal:+g}" if point else REGIONS[tasks.targets.region]
    start = f" It began with the adapter {Path(settings.start).name}." if settings.start else ""
    steps, guidance = settings.rollout
    drawn = f"{steps} sampling steps " + ("of the few-step student" if few else f"at guidance {guidance:g}")
    verdict = ""
    if result.best is None:
        verdict = "The job was stopped before its first audit: this adapter was never graded."
    elif result.best_update == 0:
        same = "is the one it began with" if start else "changes nothing"
        verdict = f"No audited update beat the start: this adapter {same}."
    return CARD.format(
        base=base,
        aim=aim,
        student=STUDENT if few else "",
        rank=policy.rank,
        drawn=drawn,
        page=PAGE,
        on="" if bundled else f" --generator {base}",
        objective=settings.objective,
        licence=licence,
        pipeline=type(policy.generator.pipeline).__name__,
        folder=folder,
        table=_table(result.base, result.best),
        verdict=verdict,
        updates=result.updates,
        start=start,
        prompts=settings.prompts,
        group=settings.group,
        pictures=result.pictures,
        passes=settings.turns,
        rate=settings.learning_rate,
        beta=settings.tie,
        weights=dict(settings.weights),
        seed=settings.seed,
        seconds=result.seconds,
        stopped=result.stopped,
        trained=len(tasks.prompts),
        held_out=len(tasks.held_out),
    )


def _table(base: Audit | None, best: Audit | None) -> str:
    def cell(audit: Audit | None, name: str) -> str:
        value = None if audit is None else getattr(audit, name)
        return "not known" if value is None else f"{value:.3f}"

    asked = base is not None and base.content_asked
    content = "probability that the prompt is shown" if asked else "content kept"
    rows = (("distance to the target", "error"), (content, "content_kept"), ("realism", "realism"), ("score", "score"))
    return "\n".join(f"| {label} | {cell(base, name)} | {cell(best, name)} |" for label, name in rows)
