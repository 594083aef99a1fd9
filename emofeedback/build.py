"""Settings -> models, in plain match statements. Importing this imports torch."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from emofeedback.checksums import verify_folder
from emofeedback.errors import UserError
from emofeedback.evaluation.grading import GradingRater
from emofeedback.evaluation.rater import SceneRater
from emofeedback.generators.diffusion import SceneDiffusionGenerator
from emofeedback.judges.calibration import CalibratedJudge, load_calibration
from emofeedback.judges.chat_server import ChatServer, only_model
from emofeedback.judges.loading import (
    HOSTED,
    fetch,
    fingerprint,
    hosted_key,
    hosted_parts,
    is_repo,
    is_scene_judge,
    is_url,
    split_revision,
)
from emofeedback.judges.lvlm import SceneJudge
from emofeedback.judges.remote import RemoteJudge
from emofeedback.judges.vision_language import VisionLanguageJudge
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


def build_judge(settings: Settings) -> Judge:
    """The judge that the settings name, calibrated where they name a calibration.

    `bundled` or a folder of the scene world gives a SceneJudge; another folder or OWNER/NAME[@REVISION] any
    vision-language model of transformers; http(s)://...[#MODEL] a chat server; hosted:OWNER/NAME[:PROVIDER] a model
    hosted through Hugging Face.

    Raises:
        UserError: there is no such model, it is damaged, the device is missing, or the calibration is another judge's.
    """
    judge = _bare_judge(settings)
    if settings.calibration is None:
        return judge
    return CalibratedJudge(judge, load_calibration(settings.calibration))


def build_reward_judge(settings: Settings) -> SceneJudge:
    """The judge as fine-tuning needs it: differentiable in the pixels.

    Raises:
        UserError: as `build_judge`, or this judge cannot reward fine-tuning.
    """
    judge = build_judge(settings)
    if not isinstance(judge, SceneJudge):
        raise UserError(f"The judge {judge.name!r} cannot reward fine-tuning; use the bundled judge, uncalibrated.")
    return judge


def _bare_judge(settings: Settings) -> Judge:
    name = settings.judge
    key = os.environ.get("EMOFEEDBACK_JUDGE_KEY") or None
    if is_url(name):
        url, _, model = name.partition("#")
        return RemoteJudge(ChatServer(model or only_model(url, key), url, key=key))
    if name.startswith(HOSTED):
        repo, provider = hosted_parts(name)
        return RemoteJudge(ChatServer(repo, provider=provider, key=hosted_key(key)))
    if name != "bundled" and not _is_folder(name) and is_repo(name):
        device = prepare_device(settings)
        folder = fetch(name)
        identity = f"{split_revision(name)[0]}@{folder.name[:12]}"
        return VisionLanguageJudge.from_folder(folder, name=name, identity=identity, device=device)
    folder = _folder(settings, "judge", name)
    if name == "bundled" or is_scene_judge(folder):
        return SceneJudge.from_pretrained(folder, device=prepare_device(settings))
    verify_folder(folder, "config.json")
    identity = f"{folder.name}:{fingerprint(folder)}"
    return VisionLanguageJudge.from_folder(folder, name=folder.name, identity=identity, device=prepare_device(settings))


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
    if not _is_folder(name):
        known = "'bundled' and folders that hold a checkpoint"
        if kind == "judge":
            known += ", OWNER/NAME of Hugging Face, and a server's http address"
        raise UserError(f"There is no {kind} {name!r}; known are {known}.")
    return Path(name).expanduser()


def _is_folder(name: str) -> bool:
    try:
        return Path(name).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):
        return False
