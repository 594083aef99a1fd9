"""Settings -> models, in plain match statements. Importing this imports torch."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from emofeedback.errors import UserError
from emofeedback.evaluation.grading import GradingRater
from emofeedback.evaluation.rater import SceneRater
from emofeedback.generators.diffusion import SceneDiffusionGenerator
from emofeedback.judges.lvlm import SceneJudge
from emofeedback.protocols import Generator, Judge
from emofeedback.settings import Settings, checkpoint_folder

if TYPE_CHECKING:
    from emofeedback.training.finetune_job import FinetuneJob
    from emofeedback.training.finetune_order import FinetuneOrder

logger = logging.getLogger(__name__)


def load(settings: Settings) -> tuple[Generator, Judge]:
    """The generator and the judge of the main job."""
    return build_generator(settings), build_judge(settings)


def build_generator(settings: Settings) -> SceneDiffusionGenerator:
    """The generator that the settings name.

    Raises:
        UserError: there is no such model, it is damaged, or the device is missing.
    """
    folder = _folder(settings, "generator", settings.generator)
    generator = SceneDiffusionGenerator.from_pretrained(folder, device=prepare_device(settings))
    if settings.adapter is not None:
        generator.load_adapter(*parse_adapter(settings.adapter))
    return generator


def build_judge(settings: Settings) -> SceneJudge:
    """The judge that the settings name.

    Raises:
        UserError: there is no such model, it is damaged, or the device is missing.
    """
    return SceneJudge.from_pretrained(_folder(settings, "judge", settings.judge), device=prepare_device(settings))


def build_rater(settings: Settings) -> GradingRater:
    """The second rater; it evaluates and never guides.

    Raises:
        UserError: there is no such model, or it is damaged.
    """
    folder = _folder(settings, "rater", settings.rater)
    return GradingRater(SceneRater.from_pretrained(folder, device=prepare_device(settings)))


def build_finetune_job(settings: Settings, order: "FinetuneOrder", judge: Judge, out: Path) -> "FinetuneJob":
    """A fine-tuning job on a generator of its own; `judge` rewards, the second rater audits.

    Args:
        out: the job's folder; nothing is written yet.

    Raises:
        UserError: the order contradicts itself, or a model that the job needs is not there.
    """
    from emofeedback.training.finetune_build import build_finetuner  # training is not needed to draw and to read
    from emofeedback.training.finetune_job import FinetuneJob, job_settings, job_tasks

    job, tasks = job_settings(order), job_tasks(order)
    if settings.adapter is not None:
        raise UserError("Fine-tuning starts from the generator itself; start the app again without an adapter.")
    if not isinstance(judge, SceneJudge):
        raise UserError(f"The judge {judge.name!r} cannot reward fine-tuning; start the app with the bundled judge.")
    folder = _folder(settings, "rater", settings.rater)
    if not folder.is_dir():
        raise UserError(f"Fine-tuning needs the second rater to audit it, and there is none in {folder}; fetch it.")
    generator = build_generator(settings)
    return FinetuneJob(build_finetuner(generator, judge, build_rater(settings), job, tasks, out))


def parse_adapter(text: str) -> tuple[Path, float]:
    """PATH[:SCALE] -> the path and the scale, 1 where none is given.

    Raises:
        UserError: the scale is not a number from 0 to 4.
    """
    path, colon, tail = text.rpartition(":")
    try:
        scale = float(tail) if colon else 1.0
    except ValueError:
        return Path(text).expanduser(), 1.0  # the colon belongs to the path
    if not 0 <= scale <= 4:
        raise UserError(f"The adapter's scale must lie between 0 and 4, but is {tail}.")
    return Path(path if colon else text).expanduser(), scale


def prepare_device(settings: Settings) -> str:
    """The device's name, checked; sets torch's threads on the way.

    Raises:
        UserError: the machine has no such device.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    match settings.device.split(":", 1)[0]:
        case "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        case "cpu":
            return "cpu"
        case kind:
            try:
                torch.empty(1, device=settings.device)
            except (RuntimeError, AssertionError, NotImplementedError):
                raise UserError(f"This machine has no {kind} device {settings.device!r}; use --device cpu.") from None
            return settings.device


def _folder(settings: Settings, kind: str, name: str) -> Path:
    if name == "bundled":
        return checkpoint_folder(settings, f"scene-{kind}")
    try:
        found = Path(name).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):
        found = False
    if not found:
        raise UserError(f"There is no {kind} {name!r}; known are 'bundled' and folders that hold a checkpoint.")
    return Path(name).expanduser()
