"""Writing the bundled generator: a diffusers folder in bfloat16, the adapter, the vocabulary, the model card."""

import copy
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn

from emofeedback.files.checksums import CHECKSUMS, write_checksums
from emofeedback.generators.scene.known_words import VOCABULARY, write_vocabulary
from emofeedback.generators.scene.scene_generator import ADAPTER_FOLDER, SKETCH_FOLDER
from emofeedback.training.common.curves import write_curve
from emofeedback.training.generator.networks import assemble_pipeline

SHARD = "9MB"
CARD = """---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---
# Scene generator

A Stable Diffusion 3 architecture at small size ({parameters}) that draws illustrated scenes of {pixels} x {pixels}
pixels from words and a valence-arousal pair. Trained from scratch, on a CPU, on pictures that this project renders
itself.

## Use
```python
import torch
from diffusers import StableDiffusion3Pipeline
pipe = StableDiffusion3Pipeline.from_pretrained(
    "checkpoints/scene-generator", text_encoder_3=None, tokenizer_3=None, dtype=torch.float32
)
image = pipe("a lighthouse by the seaside at night", num_inference_steps=12, guidance_scale=3.5,
             height={pixels}, width={pixels}, max_sequence_length=1).images[0]
```
There is no T5 encoder, hence the two `None` and `max_sequence_length=1`. Valence and arousal need the emotion
adapter in `{adapter}/`, a sketch the adapter in `{sketch}/`; the project has both:
`python -m emofeedback generate "a lighthouse by the seaside" --valence -0.7 --arousal 0.5`.

## Data
{scenes} scenes of the training split of the scene grammar, rendered by `emofeedback.scenes`, most of them composed of
parts that agree (`emofeedback.scenes.sampling`), with more people and animals in poses than chance would bring;
captions of every completeness; valence and arousal on the scene scale, which is fitted to a viewer's ratings and is not
a human rating. One place-subject pair in eight is never shown (`emofeedback.scenes.grammar.split_of`).

When the project draws, what the words leave open is chosen first, as words, by the emotion and the seed
(`scenes.planning`), and lines and flats (each thing in its own plain colour) of the scene so chosen are given to the
transformer as a sketch, as residuals on its picture tokens (`emofeedback.generators.scene.sketch`, after T2I-Adapter,
Mou et al. 2023). Plain diffusers draws the words as they are given, without a sketch; animals and people then often
melt. Where there is a folder `sketch_finish/` (`train sketch-finish`), a small convolution network draws a sketched
picture to the end.

## Recipe
Flow matching with logit-normal times on the latents of a {channels}-channel autoencoder with f = 8; the subjects' boxes
weigh more in the loss. Words are dropped for 12 % of the samples, valence-arousal is given for 75 %, the sketch of the
render for 80 %.{alignment} Muon on the hidden matrices of the blocks and adapters and on the kernels of the latter,
AdamW on the rest, linear cooldown at the end, exponential moving average of the weights, bfloat16 autocast.

    {command}

![Learning curve](learning_curve.svg)

| | |
|---|---|
| seed | {seed} |
| steps x batch | {steps} x {batch} |
| minutes of flow training, threads | {minutes}, {threads} |
| final smoothed training loss | {loss} |

## Limits
It knows only the words in `vocabulary.json` and only the world of its grammar: flat illustrated scenes, no
photographs, no text, no other subjects. Small details dissolve. What it shows as pleasant or exciting follows the
ratings of one vision-language viewer, not the feelings of any particular person.
"""

ALIGNED = """ An early block is aligned with the judge's vision
tower on the clean renders for the first 60 % of the time."""


def export_generator(
    networks: nn.ModuleDict,
    vae: AutoencoderKL,
    tokenizer: Any,
    shift: float,
    words: Iterable[str],
    out: Path,
    facts: Mapping[str, float | int | str],
) -> None:
    """Write the checkpoint folder; parts are prepared aside and each moves into place in one step.

    Args:
        facts: scenes, pixels, steps, batch, minutes, loss, seed, threads, command; for the model card. And aligned,
            whether a judge's vision was followed.
    """
    half = copy.deepcopy(networks).to(torch.bfloat16).eval()
    half_vae = copy.deepcopy(vae).to(torch.bfloat16).eval()
    count = sum(p.numel() for module in (half, half_vae) for p in module.parameters())
    new = out / "training" / "export"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    pipeline = assemble_pipeline(half, half_vae, tokenizer, shift)
    pipeline.save_pretrained(new, safe_serialization=True, max_shard_size=SHARD)
    for config in new.rglob("config.json"):  # diffusers notes where a part was loaded from
        values = json.loads(config.read_text(encoding="utf-8"))
        values.pop("_name_or_path", None)
        config.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    for name, folder in (("adapter", ADAPTER_FOLDER), ("sketch", SKETCH_FOLDER)):
        half[name].save_pretrained(new / folder)  # type: ignore[operator]
    write_vocabulary(new / VOCABULARY, words)
    card = CARD.format(
        **facts,
        alignment=ALIGNED if facts.get("aligned") else "",
        channels=vae.config.latent_channels,
        parameters=f"{count / 1e6:.1f} M parameters in all",
        adapter=ADAPTER_FOLDER,
        sketch=SKETCH_FOLDER,
    )
    (new / "README.md").write_text(card, encoding="utf-8")
    write_curve(out / "training" / "log.jsonl", ("loss", "aligned"), new / "learning_curve.svg")
    (new / "training.json").write_text(json.dumps(dict(facts), indent=1) + "\n", encoding="utf-8")
    write_checksums(new)
    (out / CHECKSUMS).unlink(missing_ok=True)
    for part in sorted(new.iterdir(), key=lambda p: p.name == CHECKSUMS):
        target = out / part.name
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(part, target)
    new.rmdir()
