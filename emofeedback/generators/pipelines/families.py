"""The families of text-to-image pipelines, told apart by what a repository says of itself, never by its name.

model_index.json names the pipeline's class; the scheduler's configuration tells distilled models from others where the
class is the same. What is declared here holds for diffusers 0.42.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emofeedback.errors import UserError

INDEX = "model_index.json"
Prediction = Literal["velocity", "epsilon", "v_prediction", "sample"]
"""velocity: noise less picture along the straight path x = (1 - sigma) picture + sigma noise; the others are DDPM's."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model draws: steps, steps of a preview, and guidance w in u + w (c - u), where 1 is none."""

    steps: int
    preview_steps: int
    guidance: float


@dataclass(frozen=True, slots=True)
class Family:
    """What holds for all models of one pipeline class.

    Attributes:
        network: the component that predicts: transformer or unet.
        flow: it predicts velocities; else the scheduler's prediction_type says what.
        usual, distilled: recipes of the undistilled and the few-step models.
        negative: whether the undistilled models take a negative prompt.
        image_to_image: class of diffusers' pipeline for it; None = noised latents are handed to the pipeline itself.
        lora: whether the pipeline loads LoRAs.
        pooled: whether a pooled text embedding goes with the token embeddings.
        added_to_guidance: the pipeline computes c + g (c - u), so g = w - 1.
        quantised: components whose weights may be quantised.
        size, multiple: side of a picture in pixels where the weights name none, and what it is a multiple of.
        parameters: billions of the network, the text encoders and the rest of the smallest common model.
        licence, needs: for a list to choose from.
    """

    key: str
    title: str
    pipeline: str
    network: str
    flow: bool
    usual: Recipe
    distilled: Recipe
    negative: bool
    image_to_image: str | None
    lora: bool
    pooled: bool
    quantised: tuple[str, ...]
    size: int
    multiple: int
    parameters: tuple[float, float, float]
    licence: str
    needs: str
    added_to_guidance: bool = False


FAMILIES: dict[str, Family] = {
    family.key: family
    for family in (
        Family(
            key="flux2-klein",
            title="FLUX.2-klein",
            pipeline="Flux2KleinPipeline",
            network="transformer",
            flow=True,
            usual=Recipe(50, 12, 4.0),
            distilled=Recipe(4, 2, 1.0),
            negative=False,
            image_to_image=None,
            lora=True,
            pooled=False,
            quantised=("transformer", "text_encoder"),
            size=1024,
            multiple=16,
            parameters=(3.9, 4.0, 0.1),
            licence="4B Apache-2.0; 9B FLUX non-commercial",
            needs="16 GB of GPU memory, 10 GB with model offload",
        ),
        Family(
            key="sd3",
            title="Stable Diffusion 3 and 3.5",
            pipeline="StableDiffusion3Pipeline",
            network="transformer",
            flow=True,
            usual=Recipe(28, 10, 4.5),
            distilled=Recipe(4, 4, 1.0),
            negative=True,
            image_to_image="StableDiffusion3Img2ImgPipeline",
            lora=True,
            pooled=True,
            quantised=("transformer", "text_encoder_3"),
            size=1024,
            multiple=16,
            parameters=(2.2, 5.6, 0.1),
            licence="Stability AI Community; gated",
            needs="18 GB of GPU memory, 12 GB with model offload",
        ),
        Family(
            key="z-image",
            title="Z-Image",
            pipeline="ZImagePipeline",
            network="transformer",
            flow=True,
            usual=Recipe(40, 14, 5.0),
            distilled=Recipe(8, 4, 1.0),
            negative=True,
            image_to_image="ZImageImg2ImgPipeline",
            lora=True,
            pooled=False,
            quantised=("transformer", "text_encoder"),
            size=1024,
            multiple=16,
            parameters=(6.2, 4.0, 0.1),
            licence="Apache-2.0",
            needs="24 GB of GPU memory, 16 GB with model offload",
            added_to_guidance=True,
        ),
        Family(
            key="sdxl",
            title="SDXL and SDXL-Turbo",
            pipeline="StableDiffusionXLPipeline",
            network="unet",
            flow=False,
            usual=Recipe(30, 12, 5.0),
            distilled=Recipe(2, 1, 1.0),
            negative=True,
            image_to_image="StableDiffusionXLImg2ImgPipeline",
            lora=True,
            pooled=True,
            quantised=("unet",),
            size=1024,
            multiple=8,
            parameters=(2.6, 0.8, 0.1),
            licence="OpenRAIL++-M; Turbo: non-commercial research",
            needs="10 GB of GPU memory, 8 GB with model offload",
        ),
        Family(
            key="sd",
            title="Stable Diffusion 1.x, 2.x and SD-Turbo",
            pipeline="StableDiffusionPipeline",
            network="unet",
            flow=False,
            usual=Recipe(25, 10, 7.0),
            distilled=Recipe(2, 1, 1.0),
            negative=True,
            image_to_image="StableDiffusionImg2ImgPipeline",
            lora=True,
            pooled=False,
            quantised=("unet",),
            size=512,
            multiple=8,
            parameters=(0.9, 0.3, 0.4),
            licence="OpenRAIL-M; Turbo: non-commercial research",
            needs="4 GB of GPU memory; minutes per picture on a CPU (Turbo: seconds)",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Described:
    """What a folder in diffusers format says of itself."""

    family: Family
    recipe: Recipe
    prediction: Prediction
    distilled: bool
    components: Mapping[str, tuple[str, str]]  # name: (library, class)


def describe(folder: Path) -> Described:
    """Family, recipe and convention of the pipeline in a folder; reads two small files.

    Raises:
        UserError: there is no pipeline, or none of a known family.
    """
    index = _read(folder / INDEX)
    if index is None:
        raise UserError(
            f"There is no pipeline in {folder} ({INDEX} is missing or damaged); give a folder that has one."
        )
    scheduler = _read(folder / "scheduler" / "scheduler_config.json") or {}
    return describe_configs(index, scheduler)


def describe_configs(index: Mapping[str, Any], scheduler: Mapping[str, Any]) -> Described:
    """The same from the two files' content.

    Raises:
        UserError: the pipeline's class is of no known family.
    """
    name = index.get("_class_name")
    family = next((family for family in FAMILIES.values() if family.pipeline == name), None)
    if family is None:
        known = ", ".join(family.pipeline for family in FAMILIES.values())
        raise UserError(f"A generator of the class {name} is not supported; known are {known}.")
    distilled = _is_distilled(family, index, scheduler)
    prediction: Prediction = "velocity" if family.flow else scheduler.get("prediction_type", "epsilon")
    components = {
        part: (str(entry[0]), str(entry[1]))
        for part, entry in index.items()
        if isinstance(entry, list) and len(entry) == 2 and entry[0] and entry[1]
    }
    return Described(family, family.distilled if distilled else family.usual, prediction, distilled, components)


def _is_distilled(family: Family, index: Mapping[str, Any], scheduler: Mapping[str, Any]) -> bool:
    """Whether a model draws in a few unguided steps.

    Stable Diffusion 3.5 Large Turbo has the same files as its teacher: its steps and guidance are to be set.
    """
    match family.key:
        case "flux2-klein":
            return bool(index.get("is_distilled", False))
        case "z-image":
            return float(scheduler.get("shift", 3.0)) < 4.5  # Turbo has 3, the undistilled model 6
        case "sdxl" | "sd":
            if scheduler.get("_class_name") in ("LCMScheduler", "TCDScheduler"):
                return True
            # adversarially distilled models were trained on the last step; so were, with v-prediction, models with
            # zero terminal signal, which are not distilled
            plain = scheduler.get("prediction_type", "epsilon") == "epsilon"
            return scheduler.get("timestep_spacing") == "trailing" and plain and not zero_snr(scheduler)
    return False


def zero_snr(scheduler: Mapping[str, Any]) -> bool:
    """Whether the noise schedule ends in pure noise."""
    return bool(scheduler.get("rescale_betas_zero_snr", False))


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
