"""The few-step student and what it is taught: the chords of piecewise rectified flow."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import StableDiffusion3Pipeline
from peft import LoraConfig, set_peft_model_state_dict
from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.flow.schedule import euler_step, expand
from emofeedback.generators.scene.few_step import FEW_STEP
from emofeedback.generators.scene.scene_condition import SceneCondition
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.scene.sketch import LEVELS
from emofeedback.records import PictureRequest
from emofeedback.training.generator.networks import PlainJointAttention

LAYERS = (
    "attn.to_q",
    "attn.to_k",
    "attn.to_v",
    "attn.to_out.0",
    "attn.add_q_proj",
    "attn.add_k_proj",
    "attn.add_v_proj",
    "attn.to_add_out",
    "ff.net.0.proj",
    "ff.net.2",
    "ff_context.net.0.proj",
    "ff_context.net.2",
    "norm1.linear",
    "norm1_context.linear",
    "norm_out.linear",
    "proj_out",
)


@dataclass(frozen=True, slots=True)
class Points:
    """Latents [B, C, h, w] on the windows' chords, their noise levels [B] and the chords' velocities [B, C, h, w].

    Attributes:
        arrival: noise levels [B] of the windows' ends.
    """

    noisy: Tensor
    times: Tensor
    velocity: Tensor
    arrival: Tensor

    def arrived(self, velocity: Tensor) -> Tensor:
        """Latents [B, C, h, w] at the windows' ends, reached at a constant velocity [B, C, h, w]."""
        noisy, span = self.noisy.to(velocity.device), (self.arrival - self.times).to(velocity.device)
        return noisy + expand(span, noisy) * velocity


def chord_points(ends: Tensor, levels: Tensor, windows: Tensor, places: Tensor) -> Points:
    """Points of piecewise rectified flow.

    Args:
        ends: [B, K + 1, C, h, w] of a trajectory, noise first.
        levels: [K + 1] noise levels of the ends.
        windows: [B] window of each point, in [0, K).
        places: [B] in [0, 1): 0 = the window's start, its noisier end.
    """
    rows = torch.arange(len(ends))
    first, last = ends[rows, windows], ends[rows, windows + 1]
    begin, end = levels[windows], levels[windows + 1]
    noisy = torch.lerp(first, last, expand(places, first))
    return Points(noisy, torch.lerp(begin, end, places), (last - first) / expand(end - begin, first), end)


class Student:
    """The teacher's transformer with a LoRA that learns; all else is frozen.

    Args:
        generator: the teacher in float32; it is changed in place and draws with the LoRA from now on.
        steps: forward passes of a picture.
        rank: of the LoRA; alpha equals it, so that a loader that knows no alpha scales the exported file right.
        seed: of the LoRA's first matrices; the second are zero, so that the student begins as the unguided teacher.
        start_from: the folder of a student of the same rank to begin as, in place of that.

    Raises:
        UserError: `start_from` holds no such student.
    """

    def __init__(
        self, generator: SceneDiffusionGenerator, steps: int, rank: int, seed: int, start_from: Path | None = None
    ) -> None:
        self.generator, self.pipeline = generator, generator.pipeline
        for module in (*self.pipeline.components.values(), generator.adapter, generator.sketch, generator.finish):
            if isinstance(module, nn.Module):
                module.requires_grad_(False)
        transformer = self.pipeline.transformer
        if generator.device.type == "cpu":
            transformer.set_attn_processor(PlainJointAttention())
        config = LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(LAYERS))
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")
            torch.manual_seed(seed)
            transformer.add_adapter(config, adapter_name=FEW_STEP)
        if start_from is not None:
            _begin_as(transformer, start_from, rank)
        self.levels = generator.levels(steps)
        self._sketches: dict[PictureRequest, Tensor | None] = {}
        self.weights = nn.ParameterList(p for p in transformer.parameters() if p.requires_grad)

    @torch.no_grad()
    def conditions(self, requests: Sequence[PictureRequest]) -> SceneCondition:
        """As `SceneDiffusionGenerator.conditioning` for unguided requests, but all prompts in one pass."""
        embeds, pooled = self.generator.texts.together(list(map(self.generator.words_drawn, requests)))
        told = self.generator.with_emotion(embeds, pooled, requests)
        sketches = self._sketches_of(requests)
        return SceneCondition(*told, None, sketches, self.generator.residuals_of(sketches))

    def _sketches_of(self, requests: Sequence[PictureRequest]) -> Tensor | None:
        """As `planned_sketches`; kept in bytes, since each request is learned from many times."""
        for request in requests:
            if request not in self._sketches:
                drawn = self.generator.planned_sketches([request])
                self._sketches[request] = None if drawn is None else (drawn[0] * LEVELS).round().to(torch.uint8)
        kept = [self._sketches[request] for request in requests]
        blank = next((torch.zeros_like(sketch) for sketch in kept if sketch is not None), None)
        if blank is None:
            return None
        return torch.stack([blank if sketch is None else sketch for sketch in kept]).float() / LEVELS

    def velocity(self, noisy: Tensor, times: Tensor, requests: Sequence[PictureRequest]) -> Tensor:
        """One unguided pass in bfloat16, the answer in float32; a gradient reaches the LoRA."""
        with torch.autocast(self.generator.device.type, dtype=torch.bfloat16):
            return self.generator.velocity(noisy.to(self.generator.device), times, self.conditions(requests))

    @torch.no_grad()
    def draw(self, noise: Tensor, requests: Sequence[PictureRequest]) -> Tensor:
        """Clean latents [B, C, h, w] in the student's few steps."""
        latents = noise.to(self.generator.device)
        for level, level_next in zip(self.levels[:-1].tolist(), self.levels[1:].tolist(), strict=True):
            times = torch.full((len(latents),), level)
            latents = euler_step(latents, self.velocity(latents, times, requests), level, level_next)
        return latents


def _begin_as(transformer: nn.Module, folder: Path, rank: int) -> None:
    """Put the weights of a student's folder on the transformer's LoRA."""
    try:
        state = StableDiffusion3Pipeline.lora_state_dict(folder, local_files_only=True)
        layers = {key.removeprefix("transformer."): value.float() for key, value in state.items()}
        found = set_peft_model_state_dict(transformer, layers, adapter_name=FEW_STEP)
    except (OSError, ValueError, RuntimeError):
        found = None
    if found is None or found.unexpected_keys:
        raise UserError(f"{folder} holds no student of rank {rank} to begin as; name another folder, or none.")


def chord_loss(predicted: Tensor, points: Points) -> Tensor:
    """Mean squared error of a predicted velocity [B, C, h, w]; 0 for a student that goes straight through a window."""
    return (predicted - points.velocity.to(predicted.device)).pow(2).mean()
