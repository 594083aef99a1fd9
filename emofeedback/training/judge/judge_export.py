"""Measuring a trained judge on held-out scenes, and writing its checkpoint folder with a model card."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from transformers import CLIPImageProcessorPil, LlavaForConditionalGeneration, LlavaProcessor, PreTrainedTokenizerFast

from emofeedback.affect import Affect
from emofeedback.files.checksums import write_checksums
from emofeedback.judges.scene.judge_language import ASPECTS, NONE, UNREMARKABLE, answers_of
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.records import Attempt, Picture, PictureRequest, Reading
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.training.common.curves import write_curve
from emofeedback.training.common.scene_data import SceneCache
from emofeedback.training.judge.advice_lessons import example_for

SHARD = "9MB"
CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---
# scene-judge

A vision-language model of {parameters:.1f} M weights that reads valence, arousal and content in pictures of the scene
world ({size} px) and advises which words of a prompt to change. It was trained from random weights; no pretrained
model and no photograph went in.

```python
from transformers import LlavaForConditionalGeneration

model = LlavaForConditionalGeneration.from_pretrained("checkpoints/scene-judge")
```
`emofeedback.judges.scene.scene_judge.SceneJudge.from_pretrained` wraps it with its queries and its parser.

## Data
Renders of random scenes of the grammar's training split, with valence and arousal of the documented affect model (the
scene scale, not human ratings). Advice was written by a teacher that knows the scene. Autoencoder round trips carry
the label of their render; no picture of a generator was labelled with the words that commanded it.

## Recipe
`python -m emofeedback train judge --minutes {minutes}`

![Learning curve](learning_curve.svg)

{facts}

## Held-out metrics
{count} scenes whose place-subject pairs never occurred in training.

{metrics}

## Limits
It knows flat drawn scenes only: on photographs or other styles its readings mean nothing. Words outside of its
vocabulary of {vocabulary} tokens are unknown to it. The season can rarely be told where nothing green is in view.
"""


def pictures_of(images: list[Image.Image], prompts: list[str]) -> list[Picture]:
    """Bare images as the pictures that a judge is shown."""
    return [
        Picture(image, PictureRequest(prompt, None, 0), "render", 0.0)
        for image, prompt in zip(images, prompts, strict=True)
    ]


def measure_judge(
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    held_out: SceneCache,
    seed: int,
    replies: int = 48,
) -> dict[str, float]:
    """Pearson r and mean absolute error per axis, naming accuracy per aspect, and how often advice can be read."""
    judge = SceneJudge(model, tokenizer)
    images = [Image.fromarray(np.asarray(picture)) for picture in held_out.pictures]
    readings = judge.read_images(images)
    pairs = [(r, s) for r, s in zip(readings, held_out.scenes, strict=True) if r is not None]
    metrics = {"read": len(pairs) / len(images)}
    if len(pairs) > 2:
        true = np.array([[a.valence, a.arousal] for a in (scene_affect(s) for _, s in pairs)])
        said = np.array([[r.affect.valence, r.affect.arousal] for r, _ in pairs])
        for axis, name in enumerate(("valence", "arousal")):
            metrics[f"{name} Pearson r"] = float(np.corrcoef(true[:, axis], said[:, axis])[0, 1])
            metrics[f"{name} mean absolute error"] = float(np.abs(true[:, axis] - said[:, axis]).mean())
        right = Counter(
            aspect for r, s in pairs for aspect, word in answers_of(s).items() if _named(r, aspect) == _shown(word)
        )
        metrics |= {f"{aspect} named": right[aspect] / len(pairs) for aspect in ASPECTS}
        metrics["all aspects named"] = sum(right.values()) / len(pairs) / len(ASPECTS)
    readable, edits = 0, 0.0
    count = min(replies, len(images))
    for i in range(count):
        example = example_for(i, i, held_out.scenes[i], seed)
        prompt = example.attempts[-1][0]
        attempt = Attempt(prompt, pictures_of([images[i]], [prompt])[0], readings[i])
        critique = judge.advise([attempt], Affect(*example.target))
        readable += critique is not None
        if critique is not None:
            wanted = json.loads(example.reply)["edits"]
            edits += len(critique.edits) == len(wanted)
    metrics |= {"advice that can be read": readable / count, "as many edits as the teacher": edits / count}
    return metrics


def _named(reading: Reading, aspect: str) -> str:
    return next((s.word for s in reading.seen if s.aspect == aspect), NONE)


def _shown(word: str) -> str:
    return NONE if word in UNREMARKABLE else word


def table(rows: dict[str, float | int | str]) -> str:
    """A Markdown table of names and values."""
    lines = [
        f"| {name} | {value:.3f} |" if isinstance(value, float) else f"| {name} | {value} |"
        for name, value in rows.items()
    ]
    return "\n".join(["| what | value |", "|---|---|", *lines])


def replace_files(made: Path, out: Path) -> None:
    """Move every file of `made` into `out`, each whole, drop weight files that were not made, write checksums."""
    names = {p.name for p in made.iterdir()}
    for file in sorted(made.iterdir()):
        os.replace(file, out / file.name)
    for old in out.glob("*.safetensors*"):
        if old.name not in names:
            old.unlink()
    made.rmdir()
    write_checksums(out)


def export_judge(
    model: LlavaForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    out: Path,
    facts: dict[str, float | int | str],
    metrics: dict[str, float],
) -> None:
    """Write weights in bfloat16 (shards below 10 MB), tokenizer, processor, model card and checksums to `out`."""
    made = out / ".export"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    stored = LlavaForConditionalGeneration(model.config)
    stored.load_state_dict(model.state_dict())
    stored.bfloat16().save_pretrained(made, max_shard_size=SHARD)
    size = model.config.vision_config.image_size  # type: ignore[union-attr]
    image_processor = CLIPImageProcessorPil(
        size={"height": size, "width": size}, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    processor = LlavaProcessor(image_processor, tokenizer, patch_size=16, vision_feature_select_strategy="full")
    processor.save_pretrained(made)
    card = CARD.format(
        parameters=sum(p.numel() for p in model.parameters()) / 1e6,
        size=size,
        minutes=facts["minutes"],
        facts=table(facts),
        metrics=table(dict(metrics)),
        count=facts.get("held out", "The"),
        vocabulary=len(tokenizer),
    )
    (made / "README.md").write_text(card, encoding="utf-8")
    write_curve(out / "training" / "log.jsonl", ("reading", "advice"), made / "learning_curve.svg")
    (made / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    replace_files(made, out)
