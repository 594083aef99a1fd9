"""Any supported pipeline of diffusers as a generator: FLUX.2-klein, SD3/3.5, Z-Image, SDXL, Stable Diffusion and Turbo.

The pipelines' own loops draw. A request's emotion comes in through an adapter on the text embeddings where one is
given, else through words that are added to the prompt (`emotion_words`).
"""

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from PIL import Image

from emofeedback.errors import OutOfMemory, UserError
from emofeedback.flow.pixels import from_images
from emofeedback.flow.schedule import interpolate
from emofeedback.generators.lora import load_lora
from emofeedback.generators.pipelines.batches import BatchSettings, StepCounter, batch_settings, fitted
from emofeedback.generators.pipelines.conditioning import (
    PromptEncoder,
    call_arguments,
    is_out_of_memory,
    with_emotion,
)
from emofeedback.generators.pipelines.emotion_text_adapter import TextEmotionAdapter
from emofeedback.generators.pipelines.emotion_words import with_emotion_words
from emofeedback.generators.pipelines.families import Described, TextCondition, linear_sigmas
from emofeedback.generators.pipelines.flow_view import FlowCondition, FlowView
from emofeedback.generators.pipelines.ip_adapter import IpAdapterPrompts
from emofeedback.generators.pipelines.memory import free_memory
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.pipeline_loading import TooLarge, image_to_image, open_pipeline, place
from emofeedback.generators.pipelines.repository_files import check_pipeline_folder
from emofeedback.generators.pipelines.safety_check import SafetyCheck
from emofeedback.generators.sampling_defaults import SamplingDefaults
from emofeedback.picture_size import Sizes
from emofeedback.protocols import OnStep
from emofeedback.records import Picture, PictureRequest

logger = logging.getLogger(__name__)


class PipelineGenerator:
    """Implements `protocols.Generator` with a folder in diffusers format.

    Args:
        folder: a pipeline of a known family with weights in safetensors.
        name: how pictures name their model.
        sampling: steps and guidance in place of the family's.
        emotion: puts valence and arousal into text embeddings; None = words are added to the prompt.
        revision: the commit of the repository, where it is one.

    Raises:
        UserError: the folder is incomplete, damaged, of no known family, has pickled weights only, or does not fit.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str | None = None,
        device: str = "cpu",
        options: PipelineOptions | None = None,
        sampling: SamplingDefaults | None = None,
        emotion: TextEmotionAdapter | None = None,
        revision: str | None = None,
    ) -> None:
        self.folder, self.device_name, self.options = Path(folder), device, options or PipelineOptions()
        self.base_name = self.name = name or self.folder.resolve().name
        self.described = self._describe()
        self.family, self.revision = self.described.family, revision
        sampling = sampling or self.described.sampling
        self.default_steps, self.preview_steps = sampling.steps, sampling.preview_steps
        self.default_guidance = sampling.guidance
        self.batch = self.options.batch
        self._adapter: tuple[Path, float] | None = None  # the LoRA and its scale
        self.visual: IpAdapterPrompts | None = None
        self._open()
        self.emotion = emotion
        if emotion is not None:
            emotion.to(self.pipeline._execution_device).eval()

    def _describe(self) -> Described:
        return check_pipeline_folder(self.folder, self.base_name)

    def _load(self) -> DiffusionPipeline:
        """The pipeline, placed as the options say; TooLarge where it does not fit."""
        extend = None if self.visual is None else self.visual.attach
        return open_pipeline(self.folder, self.described, self.options, self.device_name, self.base_name, extend)

    def _open(self) -> None:
        """Load; where the memory does not suffice, with the next cheaper setting if that is allowed."""
        opened: DiffusionPipeline | None = None
        while opened is None:
            with suppress(TooLarge):
                opened = self._load()
            if opened is None:  # only here is the error gone, and with it what its frames hold
                free_memory()
                self._cheaper()
        self.pipeline: DiffusionPipeline = opened
        self._check = SafetyCheck(self.pipeline)
        self.texts = PromptEncoder(self.pipeline, self.family)
        self._from_image: DiffusionPipeline | None = None
        self.size = self.options.size or self._native_size()
        if self._adapter is not None:
            load_lora(self.pipeline, *self._adapter, self.family.network)

    def _cheaper(self) -> None:
        """The next cheaper setting, or one sentence."""
        following = self.options.next_cheaper(self.device_name)
        if not self.options.cheaper or following is None:
            advice = "set EMOFEEDBACK_CHEAPER=1, or choose a smaller model; `doctor` says what fits"
            raise OutOfMemory(f"{self.base_name} does not fit the memory with {self.options.text()}; {advice}.")
        logger.warning("%s does not fit the memory; trying %s", self.base_name, following.text())
        self.options = following

    def _native_size(self) -> int:
        """Side of the pictures that the model was trained on."""
        network = getattr(self.pipeline, self.family.network)
        sample = network.config.get("sample_size")
        if isinstance(sample, (list, tuple)):
            sample = sample[0]
        return int(sample) * int(self.pipeline.vae_scale_factor) if sample else self.family.size

    @property
    def device(self) -> torch.device:
        return self.pipeline._execution_device

    @property
    def loaded_adapter(self) -> tuple[Path, float] | None:
        """The LoRA on the model and its scale; None = there is none."""
        return self._adapter

    def load_adapter(self, path: str | Path, scale: float = 1.0) -> None:
        """Put a LoRA on the model in place of the one before, which goes even where this one is refused.

        `scale` 0 draws exactly as the base does.

        Raises:
            UserError: it is missing, damaged, pickled, or was made for another model.
        """
        self._adapter = None
        self.name = self.base_name
        self.texts.forget()
        load_lora(self.pipeline, Path(path), scale, self.family.network)
        self._adapter = Path(path), scale
        self.name = f"{self.base_name}+{Path(path).resolve().stem}"

    def use_visual(self, visual: IpAdapterPrompts) -> None:
        """Take visual prompts; pictures are drawn one by one from now on, for an adapter has one strength at a time.

        They stay where the memory makes the model be loaded anew with a cheaper setting.

        Raises:
            UserError: the model takes none, or they do not fit it.
        """
        try:
            visual.attach(self.pipeline)
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemory(
                    f"{self.base_name} does not fit the memory with visual prompts; do without."
                ) from None
            raise
        if self.options.offload != "none":
            place(self.pipeline, self.options, self.device_name)  # the new parts are to be moved too
        self._from_image = None  # it has only the parts that the pipeline had before
        self.visual, self.batch = visual, 1

    @property
    def safety(self) -> str | None:
        """Name of the safety checker that came with the model; None = it came without one."""
        return self._check.name

    def unsafe(self, pictures: Sequence[Picture]) -> list[bool]:
        """For each picture, whether that checker flags it."""
        return self._check.flags([picture.image for picture in pictures])

    @property
    def takes_negative(self) -> bool:
        """Whether it draws with guidance, which a negative prompt needs."""
        return self.default_guidance > 1.0

    @property
    def sizes(self) -> Sizes:
        """The sizes that its pipeline draws."""
        return self.family.sizes(self.pipeline, self.size)

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        """None: the vocabulary is open."""
        return ()

    def left_out(self, prompt: str) -> str:
        """The end of a prompt that lies beyond what the text encoders read."""
        return self.texts.left_out(prompt)

    def drawn_prompt(self, request: PictureRequest) -> str:
        """The words that are drawn: the prompt, with words that carry the emotion where no adapter does."""
        if self.emotion is not None or request.affect is None:
            return request.prompt
        return with_emotion_words(request.prompt, request.affect, request.strength)

    def condition(self, request: PictureRequest) -> TextCondition:
        """The text condition of a request, its emotion included."""
        condition = self.texts.encode(self.drawn_prompt(request))
        return condition if self.emotion is None else with_emotion(condition, request, self.emotion)

    def flow(self) -> FlowView:
        """The pipeline as a flow: noise, levels, velocity, encode, decode.

        Raises:
            UserError: the family predicts no velocities.
        """
        return FlowView(self.pipeline, self.family, self.size)

    def conditioning(self, batch: Sequence[PictureRequest]) -> FlowCondition:
        """What the transformer is told about requests of one guidance, for `flow().velocity`."""
        guidance = self.default_guidance if batch[0].guidance is None else batch[0].guidance
        away = self.texts.unconditional() if guidance != 1.0 else None
        return FlowCondition([self.condition(request) for request in batch], away, guidance)

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        """Yield one picture per request, in order; requests of one schedule are drawn together.

        Raises:
            UserError: a request is out of range, or the memory does not suffice.
            Cancelled: raised by `on_step`.
        """
        if self.visual is None and any(r.visual is not None and r.visual.strength > 0 for r in requests):
            raise UserError(f"{self.name} has no visual prompts; set EMOFEEDBACK_VISUAL_PROMPTS, or leave them out.")
        groups: dict[BatchSettings, list[int]] = {}
        for i, request in enumerate(requests):
            if request.size is not None:
                self.sizes.check(*request.size)
            groups.setdefault(batch_settings(request, self.default_steps, self.default_guidance), []).append(i)
        queue = deque(part for shared, members in groups.items() for part in self._batches(shared, members))
        drawn: dict[int, Picture] = {}
        done = following = 0
        while queue:
            shared, members = queue.popleft()
            tick = StepCounter(on_step, done, shared.run, sum(other.run for other, _ in queue))
            begin = time.perf_counter()
            images: list[Image.Image] | None = None
            try:
                images = self._draw([requests[i] for i in members], shared, tick)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            if images is None:  # only here is the error gone, and with it what its frames hold
                self._use_less_memory(len(members))
                queue.extendleft(reversed(self._batches(shared, members)))
                continue
            done += tick.steps
            seconds = (time.perf_counter() - begin) / len(members)
            drawn.update(
                (i, Picture(image, requests[i], self.name, seconds)) for i, image in zip(members, images, strict=True)
            )
            while following in drawn:
                yield drawn.pop(following)
                following += 1

    def _batches(self, shared: BatchSettings, members: list[int]) -> list[tuple[BatchSettings, list[int]]]:
        return [(shared, members[i : i + self.batch]) for i in range(0, len(members), self.batch)]

    def _use_less_memory(self, pictures: int) -> None:
        """Smaller batches, which change no picture; for a single one the next cheaper setting, if that is allowed.

        Raises:
            UserError: it is not, or there is none.
        """
        free_memory()
        if pictures > 1:
            self.batch = -(-pictures // 2)
            logger.warning("%d pictures at once do not fit the memory; now %d", pictures, self.batch)
            return
        self._cheaper()
        del self.pipeline, self.texts
        self._from_image = None
        free_memory()
        self._open()

    def _draw(self, batch: Sequence[PictureRequest], shared: BatchSettings, tick: StepCounter) -> list[Image.Image]:
        """The pictures of one batch."""
        guided = shared.guidance > 1.0
        given = call_arguments(
            self.family,
            [self.condition(r) for r in batch],
            [self.texts.away(r.negative) for r in batch] if guided else None,
        )
        scale = max(0.0, shared.guidance - 1.0) if self.family.added_to_guidance else shared.guidance
        given |= {
            "num_inference_steps": shared.steps,
            "guidance_scale": scale,
            "generator": [torch.Generator().manual_seed(r.seed) for r in batch],
            "callback_on_step_end": tick,
        }
        if self.visual is not None:
            given |= self.visual.arguments(self.pipeline, batch[0])
        pipe = self.pipeline
        width, height = shared.size or (self.size, self.size)
        if shared.strength is None:
            given |= {"height": height, "width": width}
        elif self.family.image_to_image is None:
            given |= {"height": height, "width": width} | self._started(batch, shared, shared.strength)
        else:
            if self._from_image is None:
                self._from_image = image_to_image(self.pipeline, self.described)
            pipe = self._from_image
            given |= {"image": [fitted(r.start, (width, height)) for r in batch], "strength": shared.strength}
            if self.family.flow:
                given |= {"height": height, "width": width}
        try:
            return list(pipe(**given).images)
        finally:
            if self.options.offload != "none":
                self.pipeline.maybe_free_model_hooks()

    @torch.no_grad()
    def _started(self, batch: Sequence[PictureRequest], shared: BatchSettings, strength: float) -> dict[str, Any]:
        """Noised latents of the start pictures and the rest of the schedule, for pipelines that take both."""
        size = shared.size or (self.size, self.size)
        view = FlowView(self.pipeline, self.family, size)
        first = shared.steps - shared.run
        clean = view.encode(from_images([fitted(r.start, size) for r in batch]))
        level = view.levels(shared.steps)[first].to(clean.device)
        noise = view.noise([r.seed for r in batch])
        return {
            "latents": interpolate(clean, noise, level.expand(len(batch))),
            "sigmas": linear_sigmas(shared.steps)[first:],
        }
