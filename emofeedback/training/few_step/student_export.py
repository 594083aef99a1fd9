"""Writing the few-step student, and putting it into the generator's checkpoint folder."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from diffusers import StableDiffusion3Pipeline
from peft import get_peft_model_state_dict

from emofeedback.errors import UserError
from emofeedback.files.checksums import write_checksums
from emofeedback.flow.schedule import sigmas
from emofeedback.generators.scene.few_step import FACTS, FEW_STEP, base_digest

CARD, HEADING = "README.md", "## Few-step student"
SECTION = """{heading}
`{folder}/` holds a LoRA (rank {rank}) with which the generator draws in {steps} forward passes, without guidance. The
project draws with it wherever {steps} steps, or a divisor of them, are asked for and no guidance is. In plain
diffusers:
```python
pipe.load_lora_weights("checkpoints/scene-generator/{folder}")
image = pipe(
    "a lighthouse by the seaside at night",
    sigmas={plain},
    guidance_scale=1.0,
    height={pixels},
    width={pixels},
    max_sequence_length=1,
).images[0]
```
Distilled as a piecewise rectified flow (Yan et al. 2024, arXiv 2405.07510) from {trajectories} {taught}; in each
of {steps} windows the student learns the straight way from end to end.{begun}

    {command}

| | |
|---|---|
| seed, threads | {seed}, {threads} |
| updates x batch, minutes | {updates} x {batch}, {minutes} |
| final smoothed training loss | {loss} |

Mean squared distance of held-out latents to those at their trajectories' ends, from the same noise in {steps} steps:
{distance} with the LoRA, {distance_before} before this training, {distance_guided} guided without it (three times the
work).
"""
TAUGHT = {
    False: (
        "trajectories of\n{teacher_steps} guided steps, whose guidance of the words ({guidance:g}) and of the emotion "
        "({emotion_guidance:g}) is folded in"
    ),
    True: "straight\nways from the noise to the rendered scenes of plans",
}


def export_few_step(
    pipeline: StableDiffusion3Pipeline, levels: Sequence[float], out: Path, facts: Mapping[str, float | int | str]
) -> Path:
    """Write the LoRA on the pipeline's transformer to `out`/few_step, which appears whole; returns that folder.

    Args:
        levels: the student's noise levels, from 1 down to 0.
        facts: of the recipe; those named in `SECTION`, and `base`, the digest of the teacher's weights.
    """
    folder, new = out / FEW_STEP, out / f".{FEW_STEP}.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    weights = get_peft_model_state_dict(pipeline.transformer, adapter_name=FEW_STEP)
    layers = {key: value.detach().cpu().to(torch.bfloat16).contiguous() for key, value in weights.items()}
    pipeline.save_lora_weights(new, transformer_lora_layers=layers)
    known = {"steps": len(levels) - 1, "sigmas": list(levels), "default": False, **facts}
    (new / FACTS).write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    _replace(new, folder)
    return folder


def install_few_step(student: Path, checkpoint: Path, default: bool = False) -> None:
    """Copy a student into the checkpoint folder that it was distilled from, with card and checksums.

    Args:
        student: what `export_few_step` returned.
        default: whether it draws all requests that leave the steps open.

    Raises:
        UserError: it was distilled from other weights.
    """
    facts = json.loads((student / FACTS).read_text(encoding="utf-8")) | {"default": default}
    if facts["base"] != base_digest(checkpoint):
        raise UserError(f"{student} was distilled from other weights than those in {checkpoint}; distil again.")
    new, folder = checkpoint / f".{FEW_STEP}.new", checkpoint / FEW_STEP
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(student, new)
    (new / FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    _replace(new, folder)
    write_checksums(checkpoint)
    card = checkpoint / CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    temporary = checkpoint / f".{CARD}.new"
    temporary.write_text(with_section(text, _section(facts, checkpoint)), encoding="utf-8")
    os.replace(temporary, card)


def with_section(card: str, section: str) -> str:
    """A model card with the section before its limits, in place of an older one."""
    if HEADING in card:
        before, rest = card.split(HEADING, 1)
        _, mark, after = rest.partition("\n## ")
        card = before + mark.lstrip("\n") + after
    before, mark, after = card.partition("## Limits")
    return f"{before.rstrip()}\n\n{section}\n{mark}{after}".rstrip() + "\n"


def _section(facts: Mapping[str, object], checkpoint: Path) -> str:
    config = json.loads((checkpoint / "vae" / "config.json").read_text(encoding="utf-8"))
    plain = [
        round(level, 4) for level in sigmas(int(str(facts["steps"])))[:-1].tolist()
    ]  # diffusers shifts them itself
    taught = TAUGHT[bool(facts.get("rendered"))].format(**facts)
    known = {"distance_before": facts.get("distance_unguided"), **facts}  # as older students called it
    begun = " It began with the weights of an earlier student." if facts.get("start_from") else ""
    return SECTION.format(
        **known, taught=taught, begun=begun, heading=HEADING, folder=FEW_STEP, plain=plain, pixels=config["sample_size"]
    )


def _replace(new: Path, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(new, folder)
