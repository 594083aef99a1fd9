"""What every part of `train` begins with: the run that the options ask for, and rendered scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emofeedback.cli.train_options import TrainOptions
from emofeedback.settings import Settings

if TYPE_CHECKING:
    from emofeedback.training.common.scene_data import Kind, SceneCache
    from emofeedback.training.common.training_loop import TrainingRun


def training_run(arguments: TrainOptions, settings: Settings, other_seed: int = 0) -> TrainingRun:
    """The run that the command line asks for.

    Args:
        other_seed: added to the seed.
    """
    from emofeedback.training.common.training_loop import TrainingRun

    return TrainingRun(
        minutes=arguments.minutes,
        resume=arguments.resume,
        seed=settings.seed + other_seed,
        threads=settings.threads or 2,
        save_seconds=arguments.save_every,
    )


def rendered(arguments: TrainOptions, seed: int, count: int, size: int, kind: Kind = "any") -> SceneCache:
    """Scenes of the training split in the working folder, rendered where they are missing."""
    from emofeedback.scenes.draw.subjects import subject_boxes
    from emofeedback.training.common.scene_data import render_cache

    name = f"scenes-{size}-{count}-{seed}" if kind == "any" else f"{kind}-{size}-{count}-{seed}"
    return render_cache(arguments.work / name, count, size, seed, "train", boxes=subject_boxes, kind=kind)
