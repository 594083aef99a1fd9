"""The families of text-to-image pipelines: all that the rest of the package needs to know of a family.

A family is told by what a repository says of itself, never by its name: model_index.json names the pipeline's class;
the scheduler's configuration tells distilled models from others where the class is the same. What is declared here
holds for diffusers 0.42.

To add a family, write a class and add it to FAMILIES at the end of this file:
- a `FlowFamily` where the network predicts velocities, else a `UNetFamily`; both say what is abstract in `Family`;
- the facts are class attributes (see `Family`); the recipes come from the model card;
- `encode` and `tokenizer_of` say how its text encoders are asked, `call_embeds` how its pipeline takes embeddings;
- a flow family also says how its latents are made from the autoencoder's and what its transformer is called with;
- `ip_adapter` names a public IP-Adapter where there is one.
Then offer a model of it in deploy/models.json, and let tests/unit/tiny_pipelines.py make a tiny one: the tests of the
pipelines run over all families there.
"""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import torch
from diffusers import DiffusionPipeline, SD3Transformer2DModel
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from diffusers.pipelines.stable_diffusion_3.pipeline_stable_diffusion_3 import calculate_shift
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.generators.sampling_defaults import SamplingDefaults
from emofeedback.picture_size import Sizes

INDEX = "model_index.json"
TIMESTEPS = 1000.0
"""Of the noise level 1, for transformers that take timesteps."""
Prediction = Literal["velocity", "epsilon", "v_prediction", "sample"]
"""velocity: noise less picture along the straight path x = (1 - sigma) picture + sigma noise; the others are DDPM's."""


@dataclass(frozen=True, slots=True)
class TextCondition:
    """One prompt, encoded: token embeddings [L, D] and, in some families, a pooled embedding [P]."""

    embeds: Tensor
    pooled: Tensor | None


@dataclass(frozen=True, slots=True)
class IpAdapterSource:
    """Where an IP-Adapter lies: a repository or a folder, a folder inside, the weights' file (safetensors)."""

    repo: str
    subfolder: str
    weights: str


class Family(ABC):
    """What holds for all models of one pipeline class.

    Attributes:
        key: what the catalogue and tests call it; title: what people read.
        pipeline: diffusers' class.
        network: the component that predicts: transformer or unet.
        flow: it predicts velocities; else the scheduler's prediction_type says what.
        usual, few_steps: recipes of the undistilled and of the distilled models.
        image_to_image: class of diffusers' pipeline for it; None = noised latents are handed to the pipeline itself.
        pooled: whether a pooled text embedding goes with the token embeddings.
        quantised: components whose weights may be quantised.
        size: side of a picture in pixels where the weights name none.
        added_to_guidance: the pipeline computes c + g (c - u), so g = w - 1.
        ip_adapter: a public IP-Adapter (Ye et al. 2023); None = visual prompts are not to be had.
    """

    key: str
    title: str
    pipeline: str
    network: str
    flow: bool
    usual: SamplingDefaults
    few_steps: SamplingDefaults
    image_to_image: str | None
    pooled: bool
    quantised: tuple[str, ...]
    size: int
    added_to_guidance: bool = False
    ip_adapter: IpAdapterSource | None = None

    @abstractmethod
    def is_distilled(self, index: Mapping[str, Any], scheduler: Mapping[str, Any]) -> bool:
        """Whether a model draws in a few unguided steps, by model_index.json and the scheduler's configuration."""

    @abstractmethod
    def encode(self, pipe: DiffusionPipeline, prompt: str) -> TextCondition:
        """One prompt by the pipeline's text encoders."""

    @abstractmethod
    def tokenizer_of(self, pipe: DiffusionPipeline) -> tuple[Any, int]:
        """The tokenizer of the text encoder that reads most, and how many tokens of a prompt it reads."""

    def unconditional_is_zero(self, pipe: DiffusionPipeline) -> bool:
        """Whether guidance leads away from zeros in the place of the empty prompt."""
        return False

    def sizes(self, pipe: DiffusionPipeline, native: int) -> Sizes:
        """The sizes that a pipeline draws: from a fourth of its native side to twice of it.

        Latents are halved once more in a transformer's patches.
        """
        multiple = 2 * int(pipe.vae_scale_factor)
        return Sizes(multiple, max(multiple, native // 4), max(multiple, 2 * native))

    def call_embeds(self, embeds: list[Tensor]) -> Tensor | list[Tensor]:
        """Embeddings [L, D] of a batch as the pipeline takes them."""
        return torch.stack(embeds)

    def complete_text_part(self, pipe: DiffusionPipeline, folder: Path) -> None:
        """Make a pipeline that was loaded with nothing but its text encoders able to encode."""
        return


class FlowFamily(Family):
    """A family whose transformer predicts velocities. Latents are [B, C, h, w] as its pipeline takes in `latents=`."""

    network = "transformer"
    flow = True
    latent_side = 1  # latents of the autoencoder that one side of a latent here holds

    def schedule(self, config: Mapping[str, Any], steps: int, height: int, width: int) -> dict[str, Any]:
        """Arguments of the scheduler's `set_timesteps`.

        Args:
            config: the scheduler's; height, width: of the latents.
        """
        shifted = config.get("use_dynamic_shifting")
        return {"num_inference_steps": steps} | ({"mu": _shift(config, height, width)} if shifted else {})

    def from_vae(self, pipe: DiffusionPipeline, mean: Tensor) -> Tensor:
        """The autoencoder's latents -> scaled latents."""
        config = pipe.vae.config
        return (mean - config.shift_factor) * config.scaling_factor

    def to_vae(self, pipe: DiffusionPipeline, latents: Tensor) -> Tensor:
        """Scaled latents -> the autoencoder's."""
        config = pipe.vae.config
        return latents / config.scaling_factor + config.shift_factor

    @abstractmethod
    def predict(
        self, pipe: DiffusionPipeline, latents: Tensor, levels: Tensor, conditions: Sequence[TextCondition]
    ) -> Tensor:
        """Velocity [B, C, h, w], noise less picture, in float32.

        Args:
            latents: [B, C, h, w] in the transformer's number format; levels: noise levels [B], float32.
        """


class UNetFamily(Family):
    """A family of latent diffusion with a UNet: CLIP text encoders, DDPM's predictions."""

    network = "unet"
    flow = False
    few_steps = SamplingDefaults(2, 1, 1.0)
    quantised = ("unet",)

    def is_distilled(self, index: Mapping[str, Any], scheduler: Mapping[str, Any]) -> bool:
        if scheduler.get("_class_name") in ("LCMScheduler", "TCDScheduler"):
            return True
        # adversarially distilled models were trained on the last step; so were, with v-prediction, models with zero
        # terminal signal, which are not distilled
        plain = scheduler.get("prediction_type", "epsilon") == "epsilon"
        zero_terminal = bool(scheduler.get("rescale_betas_zero_snr", False))
        return scheduler.get("timestep_spacing") == "trailing" and plain and not zero_terminal

    def tokenizer_of(self, pipe: DiffusionPipeline) -> tuple[Any, int]:
        return pipe.tokenizer, _clip_length(pipe.tokenizer)

    def sizes(self, pipe: DiffusionPipeline, native: int) -> Sizes:
        usual = super().sizes(pipe, native)
        multiple = math.lcm(8, usual.multiple)  # diffusers asks for 8, whatever the autoencoder is
        return Sizes(multiple, max(multiple, usual.low), max(multiple, usual.high))


class Flux2Klein(FlowFamily):
    """FLUX.2-klein: a language model encodes; latents are folded 2 x 2 and normalised."""

    key, title, pipeline = "flux2-klein", "FLUX.2-klein", "Flux2KleinPipeline"
    usual, few_steps = SamplingDefaults(50, 12, 4.0), SamplingDefaults(4, 2, 1.0)
    image_to_image = None
    pooled = False
    quantised = ("transformer", "text_encoder")
    size = 1024
    latent_side = 2

    def is_distilled(self, index: Mapping[str, Any], scheduler: Mapping[str, Any]) -> bool:
        return bool(index.get("is_distilled", False))

    def encode(self, pipe: DiffusionPipeline, prompt: str) -> TextCondition:
        return TextCondition(pipe.encode_prompt([prompt])[0][0], None)

    def tokenizer_of(self, pipe: DiffusionPipeline) -> tuple[Any, int]:
        return pipe.tokenizer, CHAT_LENGTH

    def schedule(self, config: Mapping[str, Any], steps: int, height: int, width: int) -> dict[str, Any]:
        return {"sigmas": linear_sigmas(steps), "mu": compute_empirical_mu(height * width, steps)}

    def from_vae(self, pipe: DiffusionPipeline, mean: Tensor) -> Tensor:
        folded = pipe._patchify_latents(mean)
        centre, scale = self._normalisation(pipe, folded)
        return (folded - centre) / scale

    def to_vae(self, pipe: DiffusionPipeline, latents: Tensor) -> Tensor:
        centre, scale = self._normalisation(pipe, latents)
        return pipe._unpatchify_latents(latents * scale + centre)

    @staticmethod
    def _normalisation(pipe: DiffusionPipeline, like: Tensor) -> tuple[Tensor, Tensor]:
        norm, config = pipe.vae.bn, pipe.vae.config
        mean = norm.running_mean.view(1, -1, 1, 1).to(like)
        return mean, (norm.running_var.view(1, -1, 1, 1) + config.batch_norm_eps).sqrt().to(like)

    def predict(
        self, pipe: DiffusionPipeline, latents: Tensor, levels: Tensor, conditions: Sequence[TextCondition]
    ) -> Tensor:
        words = torch.stack([c.embeds for c in conditions]).to(latents.dtype)
        cells = pipe._prepare_latent_ids(latents).to(latents.device)
        packed = pipe.transformer(
            hidden_states=pipe._pack_latents(latents),
            timestep=levels.to(latents.dtype),
            guidance=None,
            encoder_hidden_states=words,
            txt_ids=pipe._prepare_text_ids(words).to(latents.device),
            img_ids=cells,
            return_dict=False,
        )[0]
        return pipe._unpack_latents_with_ids(packed, cells, *latents.shape[2:]).float()


class StableDiffusion3(FlowFamily):
    """Stable Diffusion 3 and 3.5: two CLIP text encoders with a pooled embedding, and T5 where it was kept."""

    key, title, pipeline = "sd3", "Stable Diffusion 3 and 3.5", "StableDiffusion3Pipeline"
    usual, few_steps = SamplingDefaults(28, 10, 4.5), SamplingDefaults(4, 4, 1.0)
    image_to_image = "StableDiffusion3Img2ImgPipeline"
    pooled = True
    quantised = ("transformer", "text_encoder_3")
    size = 1024

    def is_distilled(self, index: Mapping[str, Any], scheduler: Mapping[str, Any]) -> bool:
        return False  # 3.5 Large Turbo has the same files as its teacher: its steps and guidance are to be set

    def sizes(self, pipe: DiffusionPipeline, native: int) -> Sizes:
        usual, config = super().sizes(pipe, native), pipe.transformer.config
        table = int(config.pos_embed_max_size * config.patch_size * pipe.vae_scale_factor)  # of positions
        return replace(usual, high=min(usual.high, table))

    def encode(self, pipe: DiffusionPipeline, prompt: str) -> TextCondition:
        embeds, _, pooled, _ = pipe.encode_prompt([prompt], None, None, do_classifier_free_guidance=False)
        return TextCondition(embeds[0], pooled[0])

    def tokenizer_of(self, pipe: DiffusionPipeline) -> tuple[Any, int]:
        if pipe.text_encoder_3 is not None:
            return pipe.tokenizer_3, 256
        return pipe.tokenizer, _clip_length(pipe.tokenizer)

    def complete_text_part(self, pipe: DiffusionPipeline, folder: Path) -> None:
        if pipe.text_encoder_3 is None:  # without T5 the pipeline fills up with zeros as wide as its network says
            config = SD3Transformer2DModel.load_config(folder / "transformer")
            pipe.transformer = SimpleNamespace(config=SimpleNamespace(**config))

    def predict(
        self, pipe: DiffusionPipeline, latents: Tensor, levels: Tensor, conditions: Sequence[TextCondition]
    ) -> Tensor:
        pooled = torch.stack([c.pooled for c in conditions if c.pooled is not None])
        return pipe.transformer(
            hidden_states=latents,
            timestep=levels * TIMESTEPS,
            encoder_hidden_states=torch.stack([c.embeds for c in conditions]).to(latents.dtype),
            pooled_projections=pooled.to(latents.dtype),
            return_dict=False,
        )[0].float()


class ZImage(FlowFamily):
    """Z-Image: a language model encodes, prompts are not padded, and time is counted from noise to picture."""

    key, title, pipeline = "z-image", "Z-Image", "ZImagePipeline"
    usual, few_steps = SamplingDefaults(40, 14, 5.0), SamplingDefaults(8, 4, 1.0)
    image_to_image = "ZImageImg2ImgPipeline"
    pooled = False
    quantised = ("transformer", "text_encoder")
    size = 1024
    added_to_guidance = True

    def is_distilled(self, index: Mapping[str, Any], scheduler: Mapping[str, Any]) -> bool:
        return float(scheduler.get("shift", 3.0)) < 4.5  # Turbo has 3, the undistilled model 6

    def encode(self, pipe: DiffusionPipeline, prompt: str) -> TextCondition:
        return TextCondition(pipe.encode_prompt([prompt], do_classifier_free_guidance=False)[0][0], None)

    def tokenizer_of(self, pipe: DiffusionPipeline) -> tuple[Any, int]:
        return pipe.tokenizer, CHAT_LENGTH

    def call_embeds(self, embeds: list[Tensor]) -> Tensor | list[Tensor]:
        return embeds

    def schedule(self, config: Mapping[str, Any], steps: int, height: int, width: int) -> dict[str, Any]:
        given = super().schedule(config, steps, height, width)
        del given["num_inference_steps"]
        return given | {"sigmas": linear_sigmas(steps)}

    def predict(
        self, pipe: DiffusionPipeline, latents: Tensor, levels: Tensor, conditions: Sequence[TextCondition]
    ) -> Tensor:
        pictures = list(latents.unsqueeze(2).unbind(0))
        words = [c.embeds.to(latents.dtype) for c in conditions]
        outputs = pipe.transformer(pictures, 1.0 - levels, words, return_dict=False)[0]
        return -torch.stack([output.float() for output in outputs]).squeeze(2)  # it predicts picture less noise


class StableDiffusionXL(UNetFamily):
    """SDXL and SDXL-Turbo: two CLIP text encoders with a pooled embedding."""

    key, title, pipeline = "sdxl", "SDXL and SDXL-Turbo", "StableDiffusionXLPipeline"
    usual = SamplingDefaults(30, 12, 5.0)
    image_to_image = "StableDiffusionXLImg2ImgPipeline"
    pooled = True
    size = 1024
    ip_adapter = IpAdapterSource("h94/IP-Adapter", "sdxl_models", "ip-adapter_sdxl.safetensors")

    def encode(self, pipe: DiffusionPipeline, prompt: str) -> TextCondition:
        embeds, _, pooled, _ = pipe.encode_prompt([prompt], do_classifier_free_guidance=False)
        return TextCondition(embeds[0], pooled[0])

    def unconditional_is_zero(self, pipe: DiffusionPipeline) -> bool:
        return bool(pipe.config.get("force_zeros_for_empty_prompt", True))


class StableDiffusion(UNetFamily):
    """Stable Diffusion 1.x, 2.x and SD-Turbo: one CLIP text encoder. The IP-Adapter is for version 1.5."""

    key, title, pipeline = "sd", "Stable Diffusion 1.x, 2.x and SD-Turbo", "StableDiffusionPipeline"
    usual = SamplingDefaults(25, 10, 7.0)
    image_to_image = "StableDiffusionImg2ImgPipeline"
    pooled = False
    size = 512
    ip_adapter = IpAdapterSource("h94/IP-Adapter", "models", "ip-adapter_sd15.safetensors")

    def encode(self, pipe: DiffusionPipeline, prompt: str) -> TextCondition:
        return TextCondition(pipe.encode_prompt([prompt], pipe._execution_device, 1, False)[0][0], None)


CHAT_LENGTH = 512 - 16
"""Tokens of a prompt that a language model reads as text encoder: the chat template has words of its own."""


def _clip_length(tokenizer: Any) -> int:
    return min(int(tokenizer.model_max_length), 77)


def linear_sigmas(steps: int) -> list[float]:
    """Noise levels before a scheduler shifts them, without the last 0."""
    return [1.0 - i / steps for i in range(steps)]


def _shift(config: Mapping[str, Any], height: int, width: int) -> float:
    """The shift that a size of latents asks for; the transformer's tokens are 2 x 2 latents."""
    return calculate_shift(
        (height // 2) * (width // 2),
        config.get("base_image_seq_len", 256),
        config.get("max_image_seq_len", 4096),
        config.get("base_shift", 0.5),
        config.get("max_shift", 1.15),
    )


FAMILIES: dict[str, Family] = {
    family.key: family
    for family in (Flux2Klein(), StableDiffusion3(), ZImage(), StableDiffusionXL(), StableDiffusion())
}


@dataclass(frozen=True, slots=True)
class Described:
    """What a folder in diffusers format says of itself."""

    family: Family
    sampling: SamplingDefaults
    prediction: Prediction
    distilled: bool
    components: Mapping[str, tuple[str, str]]  # name: (library, class)


def describe(folder: Path) -> Described:
    """Family, sampling and convention of the pipeline in a folder; reads two small files.

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
    distilled = family.is_distilled(index, scheduler)
    prediction: Prediction = "velocity" if family.flow else scheduler.get("prediction_type", "epsilon")
    components = {
        part: (str(entry[0]), str(entry[1]))
        for part, entry in index.items()
        if isinstance(entry, list) and len(entry) == 2 and entry[0] and entry[1]
    }
    return Described(family, family.few_steps if distilled else family.usual, prediction, distilled, components)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
