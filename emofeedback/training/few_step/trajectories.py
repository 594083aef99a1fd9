"""Trajectories on disk: what the few-step student learns from, drawn once.

They are the teacher's own, or lead straight from the noise to the rendered scene of a picture's plan: after a sketch
hardly anything is open, so the straight ways of one noise level hardly cross, and what they lead to is the world itself
rather than the teacher's memory of it. Trajectory i of a seed is a pure function of (teacher, seed, i). They lie in
shards; a shard appears whole, so a run that is killed loses the shard it was at, and a longer cache begins with a
shorter one.
"""

import json
import logging
import os
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.flow.schedule import euler_step
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.records import PictureRequest
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import ASPECTS, describe, random_aspects
from emofeedback.scenes.draw.render import render
from emofeedback.scenes.sampling import sample_posed_scene, sample_training_scene

logger = logging.getLogger(__name__)
META = "trajectories.json"
SEEDS = 2**40, 2**53
"""Noise of the trajectories comes from seeds that nobody types."""
POSED = 0.35  # share of the trajectories that show a person or an animal, mostly in a pose


@dataclass(frozen=True, slots=True)
class TrajectoryPlan:
    """What a cache of trajectories holds.

    Attributes:
        base: digest of the teacher's weights.
        seed: of prompts, emotions and noise.
        windows: pieces that a trajectory is cut into; its ends are kept.
        teacher_steps: guided steps of a trajectory, a multiple of `windows`.
        guidance, emotion_guidance: of the teacher.
        shard, batch: trajectories of one file, and drawn at once.
        rendered: whether pictures with a plan end at its rendered scene, and not where the teacher ends.
    """

    base: str
    seed: int
    windows: int
    teacher_steps: int
    guidance: float
    emotion_guidance: float
    shard: int = 64
    batch: int = 32
    rendered: bool = False

    def __post_init__(self) -> None:
        if self.teacher_steps % self.windows:
            raise ValueError(f"{self.teacher_steps} steps do not divide into {self.windows} windows")

    @classmethod
    def of(
        cls, teacher: SceneDiffusionGenerator, base: str, seed: int, windows: int, rendered: bool = False
    ) -> "TrajectoryPlan":
        """The teacher as it draws by default, in the next number of steps that the windows divide."""
        usual = type(teacher).default_steps  # of the class: those of a teacher that has a student may be the student's
        steps = -(-usual // windows) * windows
        guidance = teacher.default_guidance, teacher.emotion_guidance
        return cls(base, seed, windows, steps, *guidance, rendered=rendered)


def request_at(seed: int, index: int) -> PictureRequest:
    """What trajectory `index` draws, mostly as a person would ask for it.

    Half of the captions name place and subject alone, most others a few more things. Valence and arousal are the
    scene's own in half of the cases, else any point of the plane, whatever the words say; a tenth has none, and a
    tenth has them at another strength. People and animals in poses come more often than in the world: they are what
    people ask for, and hardest to draw.
    """
    rng = random.Random(f"{seed}/trajectory/{index}")
    scene = sample_posed_scene(rng) if rng.random() < POSED else sample_training_scene(rng)
    draw, aspects = rng.random(), random_aspects(rng)
    if draw < 0.5:
        aspects = ()
    elif draw < 0.85:
        aspects = tuple(aspect for aspect in ASPECTS if rng.random() < 0.35)
    prompt = "" if rng.random() < 0.03 else describe(scene, rng, aspects, every_kind=True)
    own = scene_affect(scene)
    point = Affect.clamped(own.valence, own.arousal)
    if rng.random() < 0.5:
        point = Affect(rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0))
    kind, strength, noise = rng.random(), rng.uniform(0.0, 2.0), rng.randrange(*SEEDS)
    if kind < 0.1:
        return PictureRequest(prompt, None, noise)
    return PictureRequest(prompt, point, noise, strength if kind < 0.2 else 1.0)


@torch.inference_mode()
def draw_trajectories(
    teacher: SceneDiffusionGenerator, requests: Sequence[PictureRequest], steps: int, windows: int
) -> Tensor:
    """The teacher's guided latents [B, windows + 1, C, h, w] at the ends of the windows, noise first; float32."""
    latents = teacher.noise([r.seed for r in requests])
    condition, levels = teacher.conditioning(requests), teacher.levels(steps).tolist()
    ends = [latents]
    for i, (level, level_next) in enumerate(zip(levels[:-1], levels[1:], strict=True), start=1):
        latents = euler_step(latents, teacher.velocity(latents, level, condition), level, level_next)
        if i % (steps // windows) == 0:
            ends.append(latents)
    return torch.stack(ends, dim=1)


@torch.inference_mode()
def straight_trajectories(teacher: SceneDiffusionGenerator, requests: Sequence[PictureRequest], windows: int) -> Tensor:
    """Latents [B, windows + 1, C, h, w], noise first, on the straight ways to the rendered scenes of plans; float32.

    Requests without a scene are the teacher's (`draw_trajectories`).
    """
    plans = [teacher.plan_of(request) for request in requests]
    scenes = [None if plan is None else plan.scene for plan in plans]
    noise, levels = teacher.noise([r.seed for r in requests]), teacher.levels(windows)
    ends = torch.empty(len(requests), windows + 1, *noise.shape[1:], device=noise.device)
    shown = [i for i, scene in enumerate(scenes) if scene is not None]
    if shown:
        clean = teacher.latents_of([render(scene, teacher.size) for scene in scenes if scene is not None])
        for k, level in enumerate(levels.tolist()):
            ends[shown, k] = torch.lerp(clean, noise[shown], level)
    open_ended = [i for i, scene in enumerate(scenes) if scene is None]
    if open_ended:
        steps = TrajectoryPlan.of(teacher, "", 0, windows).teacher_steps
        ends[open_ended] = draw_trajectories(teacher, [requests[i] for i in open_ended], steps, windows)
    return ends


def make_trajectories(folder: Path, teacher: SceneDiffusionGenerator, plan: TrajectoryPlan, count: int) -> None:
    """Draw the shards of the first `count` trajectories (rounded up to whole shards) that are not there yet.

    Raises:
        UserError: the folder holds trajectories of another plan.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / META
    if note.is_file():
        if json.loads(note.read_text(encoding="utf-8")) != asdict(plan):
            raise UserError(f"{folder} holds trajectories of another teacher or recipe; delete it.")
    else:
        _write(note, json.dumps(asdict(plan), indent=1).encode())
    wanted = range(-(-count // plan.shard))
    missing = [i for i in wanted if not _shard(folder, i).is_file()]
    begin = time.monotonic()
    for done, i in enumerate(missing, start=1):
        requests = [request_at(plan.seed, i * plan.shard + j) for j in range(plan.shard)]
        batches = [requests[first : first + plan.batch] for first in range(0, plan.shard, plan.batch)]
        parts = [
            straight_trajectories(teacher, batch, plan.windows)
            if plan.rendered
            else draw_trajectories(teacher, batch, plan.teacher_steps, plan.windows)
            for batch in batches
        ]
        _write(_asked(folder, i), json.dumps([_record(request) for request in requests]).encode())
        _save(_shard(folder, i), torch.cat(parts).cpu().numpy().astype(np.float16))  # last: it stands for both
        rate = done * plan.shard / (time.monotonic() - begin)
        logger.info("Drew %d of %d trajectories (%.2f a second).", (i + 1) * plan.shard, len(wanted) * plan.shard, rate)


class TrajectoryCache:
    """The first `count` trajectories of a folder (rounded up to whole shards), memory-mapped.

    Raises:
        UserError: they are not all there.
    """

    def __init__(self, folder: Path, plan: TrajectoryPlan, count: int) -> None:
        self.plan, self._shards, self._asked = plan, list[NDArray[np.float16]](), list[PictureRequest]()
        try:
            for i in range(-(-count // plan.shard)):
                self._shards.append(np.load(_shard(folder, i), mmap_mode="r"))
                records = json.loads(_asked(folder, i).read_text(encoding="utf-8"))
                self._asked += [_request(*record) for record in records]
        except (OSError, ValueError, TypeError):
            raise UserError(f"Trajectories are missing from {folder} or damaged; delete it.") from None

    def __len__(self) -> int:
        return len(self._asked)

    def latents(self, indices: Sequence[int]) -> Tensor:
        """Window ends float32 [B, windows + 1, C, h, w] of some trajectories."""
        rows = [self._shards[i // self.plan.shard][i % self.plan.shard] for i in indices]
        return torch.from_numpy(np.stack(rows).astype(np.float32))

    def requests(self, indices: Sequence[int]) -> list[PictureRequest]:
        """What those trajectories draw."""
        return [self._asked[i] for i in indices]


def _shard(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:05d}.npy"


def _asked(folder: Path, number: int) -> Path:
    return _shard(folder, number).with_suffix(".json")


def _record(request: PictureRequest) -> list[str | float | int | None]:
    valence, arousal = (request.affect.valence, request.affect.arousal) if request.affect else (None, None)
    return [request.prompt, valence, arousal, request.strength, request.seed]


def _request(prompt: str, valence: float | None, arousal: float | None, strength: float, seed: int) -> PictureRequest:
    point = None if valence is None or arousal is None else Affect(valence, arousal)
    return PictureRequest(prompt, point, seed, strength)


def _save(path: Path, rows: NDArray[np.float16]) -> None:
    temporary = path.with_name(f".{path.name}")  # numpy insists on the ending
    np.save(temporary, rows)
    os.replace(temporary, path)


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    os.replace(temporary, path)
