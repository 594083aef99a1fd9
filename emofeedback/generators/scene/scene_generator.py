"""The bundled generator: a small Stable Diffusion 3 pipeline with an emotion adapter.

The denoising loop is our own so that requests with different words, emotions, seeds, strengths and guidance share
one batch (guided and unguided halves in one forward pass), and so that a caller can stop between two steps.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from diffusers import StableDiffusion3Pipeline
from PIL import Image
from torch import Tensor, nn

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.flow.pixels import from_images, to_images
from emofeedback.flow.schedule import euler_step, expand, guided, interpolate, sigmas
from emofeedback.generators.lora import load_lora
from emofeedback.generators.scene.checkpoint_loading import drawing_dtype, load_pipeline
from emofeedback.generators.scene.emotion_adapter import EmotionAdapter
from emofeedback.generators.scene.few_step import FewStep, StudentTransformer, base_digest, read_few_step
from emofeedback.generators.scene.known_words import CAPTIONS, VOCABULARY, read_vocabulary
from emofeedback.generators.scene.prompt_embeddings import ScenePromptEncoder
from emofeedback.generators.scene.scene_condition import SceneCondition
from emofeedback.generators.scene.sketch import CHANNELS, SketchAdapter, sketch_of
from emofeedback.generators.scene.sketch_finish import SketchFinish
from emofeedback.generators.visual.visual_prompts import VisualCondition, VisualPrompts, shows
from emofeedback.picture_size import Sizes
from emofeedback.protocols import OnStep
from emofeedback.records import Picture, PictureRequest
from emofeedback.scenes.grammar import Scene
from emofeedback.scenes.planning import Plan, planned

ADAPTER_FOLDER, SKETCH_FOLDER, FINISH_FOLDER = "emotion_adapter", "sketch_adapter", "sketch_finish"
TIMESTEPS = 1000.0
BATCH = 32  # pictures drawn at once
PLANNED_GUIDANCE = 3.0, 1.0  # towards words and emotion, where the words say most of the emotion


class SceneDiffusionGenerator:
    """Draws pictures from words and valence-arousal; implements `protocols.Generator`.

    Args:
        pipeline: without a T5 encoder; its modules may be of any dtype.
        adapter: of the same dtype; None = emotion is given by the words alone.
        vocabulary: the words seen in training; empty = any word.
        few_step: the student that draws requests of its number of steps, or of a divisor of it, that leave the guidance
            open.
        captions: the edition of the captions seen in training (see `ScenePromptEncoder`).
        sketch: of the same dtype; None = plans are drawn from their words alone.
        finish: of pictures that were drawn after a sketch, of the same dtype; None = they stay as they are decoded.

    Attributes:
        plans: whether what the words leave open is chosen first, by the emotion (see `scenes.planning`); only where the
            generator was trained on the captions of today.
        sketches: whether a planned picture is drawn after a sketch of its scene, and finished along it.
    """

    default_steps = guided_steps = 10
    preview_steps = moving_steps = 4
    default_guidance = 3.5
    emotion_guidance = 3.5
    takes_negative = True
    sizes: Sizes | None = None

    def __init__(
        self,
        pipeline: StableDiffusion3Pipeline,
        adapter: EmotionAdapter | None,
        vocabulary: Sequence[str] = (),
        name: str = "scene-generator",
        device: str = "cpu",
        few_step: FewStep | None = None,
        captions: int = 1,
        sketch: SketchAdapter | None = None,
        finish: SketchFinish | None = None,
    ) -> None:
        self.pipeline, self.adapter, self.sketch, self.finish = pipeline, adapter, sketch, finish
        self.base_name = self.name = name
        self.device = torch.device(device)
        self.dtype: torch.dtype = pipeline.transformer.dtype
        self.size = int(pipeline.transformer.config.sample_size * pipeline.vae_scale_factor)
        self.few_step, self._student = few_step, None if few_step is None else StudentTransformer(few_step)
        if few_step is not None:
            self.preview_steps = self.moving_steps = few_step.steps
            if sketch is not None:
                self.preview_steps, self.moving_steps = few_step.preview_steps, 1
            if few_step.default:
                self.default_steps = few_step.steps
        self.texts = ScenePromptEncoder(pipeline, vocabulary, self.device, captions)
        self.plans = captions >= CAPTIONS
        self.sketches = sketch is not None
        if self.plans:
            self.default_guidance, self.emotion_guidance = PLANNED_GUIDANCE
        self.visual: VisualPrompts | None = None
        self.loaded_adapter: tuple[Path, float] | None = None
        self._folder: Path | None = None

    @classmethod
    def from_pretrained(
        cls, path: str | Path, device: str = "cpu", dtype: torch.dtype | None = None
    ) -> "SceneDiffusionGenerator":
        """Load a checkpoint folder, checked.

        Raises:
            UserError: it is incomplete, damaged or holds pickled weights.
        """
        folder = Path(path)
        dtype = dtype or drawing_dtype(device)
        pipeline = load_pipeline(folder, dtype).to(device)
        pipeline.vae.to(memory_format=torch.channels_last)
        adapter = None
        if (folder / ADAPTER_FOLDER).is_dir():
            adapter = EmotionAdapter.from_pretrained(folder / ADAPTER_FOLDER, dtype).to(device)
        sketch, finish = None, None
        if (folder / SKETCH_FOLDER).is_dir():
            sketch = SketchAdapter.from_pretrained(folder / SKETCH_FOLDER, dtype).to(device)
        if (folder / FINISH_FOLDER).is_dir():
            finish = SketchFinish.from_pretrained(folder / FINISH_FOLDER, dtype).to(device)
        words: tuple[str, ...] = ()
        captions = 1
        if (folder / VOCABULARY).is_file():
            try:
                words, captions = read_vocabulary(folder / VOCABULARY)
            except ValueError as error:
                raise UserError(f"{folder} has a damaged vocabulary ({error}); fetch the checkpoint again.") from error
        few_step = read_few_step(folder)
        generator = cls(pipeline, adapter, words, folder.resolve().name, device, few_step, captions, sketch, finish)
        generator._folder = folder
        return generator

    def load_adapter(self, path: str | Path, scale: float = 1.0) -> None:
        """Put a LoRA on the transformer in place of the one before, which goes even where this one is refused.

        `scale` 0 draws exactly as the base does.

        Args:
            path: a folder with pytorch_lora_weights.safetensors, or a .safetensors file.

        Raises:
            UserError: it is missing, damaged, or was made for another generator.
        """
        self.loaded_adapter = None  # a load that fails leaves none
        self.name = self.base_name
        load_lora(self.pipeline, Path(path), scale)
        self.loaded_adapter = Path(path), scale
        self.name = f"{self.base_name}+{Path(path).resolve().stem}"

    def load_visual(self, path: str | Path) -> None:
        """Take visual prompts from a checkpoint folder; pictures without one are drawn as before.

        Raises:
            UserError: it is missing, damaged, or was made for another generator.
        """
        base = None if self._folder is None else base_digest(self._folder)
        self.use_visual(VisualPrompts.from_pretrained(Path(path), base, self.dtype, str(self.device)))

    def use_visual(self, visual: VisualPrompts) -> None:
        """Take visual prompts that are loaded; raises UserError where they are of another generator's size."""
        visual.attach(self.pipeline)
        self.visual, self._student = visual, None if self.few_step is None else StudentTransformer(self.few_step)

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        """Words of the prompt that training never showed, in order, each once."""
        return self.texts.unknown(prompt)

    def left_out(self, prompt: str) -> str:
        """The end of a prompt that lies beyond what the text encoders read; empty where they read all of it."""
        return self.texts.left_out(prompt)

    @torch.inference_mode()
    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        """Yield one picture per request, in order; requests with one schedule are drawn together.

        Raises:
            UserError: a request's steps, strength or start strength is out of range.
            Cancelled: raised by `on_step`.
        """
        groups: dict[tuple[tuple[int, float, bool], bool], list[int]] = {}
        for i, request in enumerate(requests):
            # one batch either shows pictures or does not: what it does depends on each request alone
            groups.setdefault((self._schedule_of(request), shows(request)), []).append(i)
        batches = [
            (key, members[i : i + BATCH]) for key, members in groups.items() for i in range(0, len(members), BATCH)
        ]
        total = sum(_run_steps(steps, share) for ((steps, share, _), _), _ in batches)
        drawn: dict[int, Picture] = {}
        done, following = 0, 0
        for ((steps, share, few), shown), members in batches:
            begin = time.perf_counter()
            batch = [replace(requests[i], guidance=1.0) if few else requests[i] for i in members]
            latents = self._start(batch, steps, share, few)
            levels = self.levels(steps, few)[-_run_steps(steps, share) - 1 :]
            condition, visual = self.conditioning(batch), None
            if shown:
                condition, visual = self.visual_conditioning(batch, condition, few)
            student = self._student.transformer(self.pipeline) if few and self._student is not None else None
            for level, level_next in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
                predicted = self.velocity(latents, level, condition, student, visual)
                latents = euler_step(latents, predicted, level, level_next)
                done += 1
                if on_step is not None:
                    on_step(done, total)
            images = to_images(self.finished(self.decode(latents), condition.sketches))
            seconds = (time.perf_counter() - begin) / len(members)
            for i, image in zip(members, images, strict=True):
                words = self.words_drawn(requests[i])
                drawn_as = words if words != requests[i].prompt else None
                scene = self._scene_drawn(requests[i])
                drawn[i] = Picture(image, requests[i], self.name, seconds, drawn_as=drawn_as, scene=scene)
            while following in drawn:
                yield drawn.pop(following)
                following += 1

    def levels(self, steps: int, few: bool = False) -> Tensor:
        """Noise levels [steps + 1] from 1 down to 0, those of the student where it draws."""
        if few and self.few_step is not None:
            return torch.tensor(self.few_step.levels(steps))
        return sigmas(steps, float(self.pipeline.scheduler.config.shift))

    def _schedule_of(self, request: PictureRequest) -> tuple[int, float, bool]:
        """What a batch has in common: steps, the share of them that is run, whether the student draws."""
        steps = self.default_steps if request.steps is None else request.steps
        if request.negative and request.guidance == 1.0:
            raise UserError("A negative prompt needs guidance; set it above 1, or leave the negative prompt out.")
        if request.size not in (None, (self.size, self.size)):
            raise UserError(f"{self.name} draws pictures of {self.size}x{self.size} pixels only; leave the size out.")
        if not 1 <= steps <= 1000:
            raise UserError(f"steps must lie between 1 and 1000, but is {steps}.")
        if request.negative and request.guidance is None and self.few_step is not None and self.few_step.has(steps):
            steps = self.guided_steps  # the student draws without guidance, which leads away from a negative prompt
        if request.strength < 0:
            raise UserError(f"strength must be 0 or more, but is {request.strength:g}.")
        few = self.few_step is not None and self.few_step.draws(request, steps)
        if request.start is None:
            return steps, 1.0, few
        if not 0 < request.start_strength <= 1:
            raise UserError(f"The start strength must be above 0 and at most 1, but is {request.start_strength:g}.")
        return steps, request.start_strength, few

    def noise(self, seeds: Sequence[int]) -> Tensor:
        """Noise [B, C, h, w] that pictures of these seeds start from; drawn on the CPU, so alike on every device."""
        config = self.pipeline.transformer.config
        shape = (1, config.in_channels, config.sample_size, config.sample_size)
        sources = (torch.Generator().manual_seed(seed) for seed in seeds)
        return torch.cat([torch.randn(shape, generator=source) for source in sources]).to(self.device)

    def _start(self, batch: Sequence[PictureRequest], steps: int, share: float, few: bool = False) -> Tensor:
        """Noise [B, C, h, w] by seed; requests with a start picture start from it, noised."""
        noise = self.noise([r.seed for r in batch])
        begun = [i for i, r in enumerate(batch) if r.start is not None]
        if begun:
            clean = self.latents_of([r.start for r in batch if r.start is not None])
            level = self.levels(steps, few)[-_run_steps(steps, share) - 1]
            noise[begun] = interpolate(clean, noise[begun], level.expand(len(begun)))
        return noise

    def plan_of(self, request: PictureRequest) -> Plan | None:
        """What is chosen for all that a request's words leave open: by its emotion, else by that of its visual prompt,
        else as on an ordinary day.

        None where nothing is chosen: a picture that starts from another keeps what that one shows, and a person's own
        pictures say themselves what theirs is to be.
        """
        if not self.plans or request.start is not None:
            return None
        emotion, strength, visual, target = request.affect, request.strength, request.visual, None
        if (emotion is None or strength == 0) and visual is not None and shows(request) and self.visual is not None:
            if emotion is None and visual.emotion is None:
                return None
            bank, strength = self.visual.bank, min(1.0, visual.strength)
            emotion = bank.groups[bank.group(emotion, visual.emotion)]
        if emotion is not None and strength > 0:
            target = Affect.clamped(strength * emotion.valence, strength * emotion.arousal)
        seed = request.seed if request.plan_seed is None else request.plan_seed
        return planned(request.prompt, target, seed, request.negative)

    def words_drawn(self, request: PictureRequest) -> str:
        """The words that a picture is drawn from: the prompt, and as much of its plan as the text encoders read."""
        plan = self.plan_of(request)
        if plan is None:
            return request.prompt
        words, *more = plan.words
        while more and self.texts.left_out(", ".join([words, *more])):
            more.pop()
        return ", ".join([words, *more]) if more else request.prompt

    def _scene_drawn(self, request: PictureRequest) -> str | None:
        """JSON of the scene whose sketch a picture is drawn after, None where there is none."""
        plan = self.plan_of(request) if self.sketch is not None and self.sketches else None
        return None if plan is None or plan.scene is None else json.dumps(asdict(plan.scene))

    def sketches_of(self, scenes: Sequence[Scene | None]) -> Tensor | None:
        """The sketches [B, 4, S, S] of scenes, blank where there is none.

        None where there is none at all, or without a sketch adapter.
        """
        if self.sketch is None or not self.sketches or all(scene is None for scene in scenes):
            return None
        side = self.sketch.shape.pixels
        blank = torch.zeros(CHANNELS, side, side)
        drawn = [blank if scene is None else sketch_of(scene, side) for scene in scenes]
        return torch.stack(drawn).to(self.device)

    def planned_sketches(self, batch: Sequence[PictureRequest]) -> Tensor | None:
        """The sketches of what was planned for requests; as `sketches_of`."""
        plans = [self.plan_of(request) for request in batch]
        return self.sketches_of([None if plan is None else plan.scene for plan in plans])

    def residuals_of(self, sketches: Tensor | None) -> Tensor | None:
        """What sketches [B, 4, S, S] add to the picture tokens, [B, R, N, W]; 0 for blank ones."""
        if sketches is None or self.sketch is None:
            return None
        residuals: Tensor = self.sketch(sketches.to(self.dtype))
        return residuals * sketches.flatten(1).any(1)[:, None, None, None]

    def finished(self, pixels: Tensor, sketches: Tensor | None) -> Tensor:
        """Decoded pictures [B, 3, S, S], those with a sketch [B, 4, S, S] drawn to the end along it; float32."""
        if self.finish is None or sketches is None:
            return pixels
        sketched = sketches.flatten(1).any(1)[:, None, None, None]
        drawn = pixels.clamp(-1, 1).to(self.dtype, memory_format=torch.channels_last)
        return torch.where(sketched, self.finish(drawn, sketches.to(self.dtype)).float(), pixels)

    def conditioning(self, batch: Sequence[PictureRequest]) -> SceneCondition:
        """What the transformer is told about a batch."""
        found = self.texts([*map(self.words_drawn, batch), *(r.negative for r in batch)])
        found, away = found[: len(batch)], found[len(batch) :]
        words = torch.cat([embeds for embeds, _ in found]), torch.cat([pooled for _, pooled in found])
        guidance = [self.default_guidance if r.guidance is None else r.guidance for r in batch]
        parts = [self.with_emotion(*words, batch, 1.0)]
        weights = [guidance]
        if any(w != 1.0 for w in guidance):
            if self.adapter is not None and any(r.affect and r.strength for r in batch):
                parts.insert(0, self.with_emotion(*words, batch, -1.0))
                weights.append([self.emotion_guidance if w != 1.0 else 0.0 for w in guidance])
            parts.insert(0, (torch.cat([embeds for embeds, _ in away]), torch.cat([pooled for _, pooled in away])))
        prompt, pooled = (torch.cat(rows) for rows in zip(*parts, strict=True))
        guided_by = torch.tensor(weights, device=self.device) if len(parts) > 1 else None
        sketches = self.planned_sketches(batch)
        return SceneCondition(prompt, pooled, guided_by, sketches, self.residuals_of(sketches))

    def visual_conditioning(
        self, batch: Sequence[PictureRequest], condition: SceneCondition, student: bool = False
    ) -> tuple[SceneCondition, VisualCondition]:
        """The conditioning of a batch with its visual prompts; as `VisualPrompts.condition`."""
        if self.visual is None:
            raise UserError(f"{self.name} has no visual prompts; set the visual strength to 0, or train them.")
        return self.visual.condition(batch, condition, self.texts.features, self.latents_of, student)

    def latents_of(self, images: Sequence[Image.Image]) -> Tensor:
        """Latents [B, C, h, w] of pictures, such as a person's own."""
        return self.encode(from_images(images, self.size))

    def with_emotion(
        self, prompt: Tensor, pooled: Tensor, batch: Sequence[PictureRequest], sign: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Embeddings with each request's emotion in them (sign 1) or with the opposite one (sign -1)."""
        if self.adapter is None:
            return prompt, pooled
        points = [(r.affect.valence, r.affect.arousal, r.strength) if r.affect else (0.0, 0.0, 0.0) for r in batch]
        valence, arousal, strength = torch.tensor(points, device=self.device, dtype=torch.float32).unbind(1)
        return self.adapter(prompt, pooled, sign * valence, sign * arousal, strength)

    def velocity(
        self,
        latents: Tensor,
        level: float | Tensor,
        condition: SceneCondition,
        transformer: nn.Module | None = None,
        visual: VisualCondition | None = None,
    ) -> Tensor:
        """Guided velocity [B, C, h, w] in float32 at one noise level, or one for each picture [B].

        v = u + w (c - u) + w_e (c - o) + w_v (c - n): c with words, emotion, sketch and visual prompt, u with none of
        them, or with the negative prompt, o with the words and the opposite emotion, n with the negative visual prompt
        or without any, after composable guidance (Liu et al. 2022). Words alone fix most of a picture; the last terms
        let a small change of valence or arousal, or of the visual prompt, show.
        """
        prompt, pooled, guidance, _, residuals = condition
        levels = torch.as_tensor(level, dtype=torch.float32, device=self.device).expand(len(latents))
        copies = len(prompt) // len(latents)
        added = None
        if residuals is not None:
            rows = [residuals if guidance is None else torch.zeros_like(residuals), *[residuals] * (copies - 1)]
            added = list(torch.cat(rows).to(self.dtype).unbind(1))
        predicted = (transformer or self.pipeline.transformer)(
            hidden_states=latents.repeat(copies, 1, 1, 1).to(self.dtype),
            timestep=levels.repeat(copies) * TIMESTEPS,
            encoder_hidden_states=prompt.to(self.dtype),
            pooled_projections=pooled.to(self.dtype),
            block_controlnet_hidden_states=added,
            return_dict=False,
            **({} if visual is None else {"joint_attention_kwargs": visual.joint()}),
        )[0].float()
        *others, conditional = predicted.chunk(copies)
        away = others.pop() if visual is not None and visual.guidance is not None else None
        velocity = conditional
        if guidance is not None:
            velocity = guided(conditional, others[0], guidance[0])
            if len(others) > 1:
                velocity = velocity + expand(guidance[1], velocity) * (conditional - others[1])
        if away is not None and visual is not None and visual.guidance is not None:
            velocity = velocity + expand(visual.guidance, velocity) * (conditional - away)
        return velocity

    def encode(self, pixels: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] in [-1, 1] -> scaled latents [B, C, h, w], float32."""
        vae = self.pipeline.vae
        mean = vae.encode(pixels.to(self.device, vae.dtype)).latent_dist.mean.float()
        return (mean - vae.config.shift_factor) * vae.config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Scaled latents [B, C, h, w] -> pictures [B, 3, H, W] about [-1, 1], float32."""
        vae = self.pipeline.vae
        plain = latents / vae.config.scaling_factor + vae.config.shift_factor
        return vae.decode(plain.to(vae.dtype)).sample.float()


def _run_steps(steps: int, share: float) -> int:
    """Steps that are run when the last `share` of the schedule is."""
    return max(1, round(steps * share))
