"""Settings -> models, in plain match statements. Importing this imports torch."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from emofeedback.deploy.models import Kind, entry_of
from emofeedback.errors import UserError
from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.evaluation.raters.grading import GradingRater, is_scene_rater, same_model, same_name
from emofeedback.evaluation.raters.scene_rater import SceneRater
from emofeedback.generators.hosted import HostedGenerator
from emofeedback.generators.pipelines.emotion_text_adapter import TextEmotionAdapter
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.generators.pipelines.repository_files import fetch_pipeline, is_scene_generator
from emofeedback.generators.scene.known_words import drawn_words
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.scene.upscaler import SceneUpscaler
from emofeedback.generators.visual.visual_loading import take_visual
from emofeedback.home import expanded
from emofeedback.judges.calibration import CalibratedJudge, load_calibration
from emofeedback.judges.opening import identity_at, is_remote, open_judge
from emofeedback.judges.sources import fetch, is_url
from emofeedback.protocols import Generator, Judge, Upscaler
from emofeedback.rewriting.company import Company
from emofeedback.rewriting.embedded import EmbeddedThinker
from emofeedback.rewriting.viewers import choose_viewers, load_viewers
from emofeedback.servers.chat import ChatServer, only_model
from emofeedback.servers.hub import HOSTED, OnDownload, hosted_key, hosted_parts, is_repo
from emofeedback.settings import Settings, checkpoint_folder

if TYPE_CHECKING:
    from emofeedback.finetuning.job import FinetuneJob
    from emofeedback.finetuning.order import FinetuneOrder

logger = logging.getLogger(__name__)


def load(settings: Settings) -> tuple[Generator, Judge]:
    """The generator and the judge of the main job."""
    return build_shown_generator(settings), build_judge(settings)


def build_shown_generator(settings: Settings, environ: Mapping[str, str] = os.environ) -> Any:
    """As `build_generator`, for whoever shows its pictures: it carries the `upscaler` that the settings name, or None.

    Raises:
        UserError: as `build_generator` and `build_upscaler`.
    """
    generator = build_generator(settings, environ)
    generator.upscaler = build_upscaler(settings)
    return generator


def build_upscaler(settings: Settings) -> Upscaler | None:
    """The upscaler that the settings name.

    `bundled` is the one that ships, for the bundled generator; None for others, and where its checkpoint is not there.
    A folder holds a SceneUpscaler, a pipeline of diffusers or a model of transformers; so does OWNER/NAME[@REVISION],
    but for the first. The scene upscaler stays on the CPU, where it is quick enough.

    Raises:
        UserError: there is no such upscaler, it is damaged, or the device is missing.
    """
    name = settings.upscaler
    if name == "none":
        return None
    if name == "bundled":
        shipped = checkpoint_folder(settings, "scene-upscaler")
        there = settings.generator == "bundled" and shipped.is_dir()
        return SceneUpscaler.from_pretrained(shipped) if there else None
    if _is_folder(name) and SceneUpscaler.is_in(folder := expanded(name)):
        return SceneUpscaler.from_pretrained(folder)
    if not _is_folder(name) and not is_repo(name):
        raise UserError(f"There is no upscaler {name!r}; known are bundled, none, a folder, and OWNER/NAME[@REVISION].")
    from emofeedback.generators.pipelines.upscalers import open_upscaler  # other models' pictures may need none

    return open_upscaler(
        name, expanded(name) if _is_folder(name) else None, prepare_device(settings), PipelineOptions.of(settings)
    )


def build_generator(settings: Settings, environ: Mapping[str, str] = os.environ) -> Any:
    """The generator that the settings name: a SceneDiffusionGenerator, a PipelineGenerator or a HostedGenerator.

    `bundled` or a folder of the scene world gives the first; another folder or OWNER/NAME[@REVISION] any supported
    pipeline of diffusers; hosted:OWNER/NAME[:PROVIDER] or hosted:http(s)://... a model that runs elsewhere.

    Args:
        environ: its EMOFEEDBACK_GENERATOR_KEY goes to that server.

    Raises:
        UserError: there is no such model, it is damaged, it does not fit, or the device is missing.
    """
    generator = _bare_generator(settings, environ)
    shipped = checkpoint_folder(settings, "scene-visual-prompts") if settings.generator == "bundled" else None
    take_visual(generator, settings.visual_prompts, shipped)
    if settings.adapter is not None:
        if not hasattr(generator, "load_adapter"):
            raise UserError(f"The generator {generator.name} runs elsewhere and takes no adapter; leave --adapter out.")
        generator.load_adapter(*parse_adapter(settings.adapter))
    return generator


def _bare_generator(settings: Settings, environ: Mapping[str, str]) -> Generator:
    name = settings.generator
    if name.startswith(HOSTED):
        return _hosted_generator(settings, name.removeprefix(HOSTED), environ)
    if name != "bundled" and not _is_folder(name) and is_repo(name):
        device = prepare_device(settings)
        folder = fetch_pipeline(name, half=settings.dtype != "float32")
        return _pipeline_generator(settings, folder, device, name, revision=folder.name)
    folder = _folder(settings, "generator", name)
    if name == "bundled" or is_scene_generator(folder):
        if settings.emotion_adapter is not None:
            raise UserError("The scene generator has its own emotion adapter; unset EMOFEEDBACK_EMOTION_ADAPTER.")
        return SceneDiffusionGenerator.from_pretrained(folder, device=prepare_device(settings))
    return _pipeline_generator(settings, folder, prepare_device(settings), folder.resolve().name)


def _pipeline_generator(
    settings: Settings, folder: Path, device: str, name: str, revision: str | None = None
) -> PipelineGenerator:
    """Any pipeline of diffusers, with its trained emotion adapter where the settings name one."""
    entry = entry_of("generator", name)
    emotion = None
    if settings.emotion_adapter is not None:
        emotion = TextEmotionAdapter.from_pretrained(settings.emotion_adapter, folder)
    return PipelineGenerator(
        folder,
        name=name,
        device=device,
        options=PipelineOptions.of(settings),
        emotion=emotion,
        revision=revision,
        sampling=None if entry is None else entry.sampling,
    )


def _hosted_generator(settings: Settings, name: str, environ: Mapping[str, str]) -> HostedGenerator:
    key = environ.get("EMOFEEDBACK_GENERATOR_KEY") or None
    if is_url(name):
        return HostedGenerator(name, key=key, size=settings.size)
    repo, provider = hosted_parts(name, "generator")
    entry = entry_of("generator", repo)
    sampling = None if entry is None else entry.sampling
    return HostedGenerator(repo, provider, key=hosted_key(key, "generator"), size=settings.size, sampling=sampling)


def fetch_model(settings: Settings, kind: Kind, name: str, progress: OnDownload) -> None:
    """Download what a generator or a judge needs; nothing is loaded, and nothing is done where it is no repository.

    Raises:
        UserError: there is no such repository, or it cannot be fetched.
        Cancelled: raised by `progress`.
    """
    if name == "bundled" or name.startswith(HOSTED) or is_url(name) or _is_folder(name) or not is_repo(name):
        return
    if kind == "generator":
        fetch_pipeline(name, half=settings.dtype != "float32", progress=progress)
    else:
        fetch(name, progress=progress)


def build_judge(settings: Settings, environ: Mapping[str, str] = os.environ) -> Judge:
    """The judge that the settings name, calibrated where they name a calibration.

    `bundled` or a folder of the scene world gives a SceneJudge; another folder or OWNER/NAME[@REVISION] any
    vision-language model of transformers; http(s)://...[#MODEL] a chat server; hosted:OWNER/NAME[:PROVIDER] a model
    hosted through Hugging Face.

    Args:
        environ: its EMOFEEDBACK_JUDGE_KEY goes to that server.

    Raises:
        UserError: there is no such model, it is damaged, the device is missing, or the calibration is another judge's.
    """
    name = settings.judge
    local = name == "bundled" or _is_folder(name) or not is_remote(name)
    folder = _folder(settings, "judge", name) if local else None
    judge = open_judge(name, folder, lambda: prepare_device(settings), environ)
    if settings.calibration is None:
        return judge
    return CalibratedJudge(judge, load_calibration(settings.calibration))


def build_rewriter(settings: Settings, names: Sequence[str] = ()) -> Company | None:
    """The company of viewers that rewrites prompts; None where the settings say "none".

    `embedded` thinks with the scene world's norms; a folder or OWNER/NAME[@REVISION] is a causal language model of
    transformers; http(s)://...[#MODEL] a chat server, with EMOFEEDBACK_REWRITER_KEY as its key.

    Args:
        names: of the viewers; () = all.

    Raises:
        UserError: there is no such model or viewer, it is damaged, or the device is missing.
    """
    name = settings.rewriter
    if name == "none":
        return None
    viewers = load_viewers(settings.viewers_dir)
    viewers = choose_viewers(viewers, names) if names else viewers
    if name == "embedded":
        return Company(EmbeddedThinker(drawn_words(settings)), viewers)
    from emofeedback.rewriting.language import LanguageThinker  # language models are not needed to draw and to read
    from emofeedback.rewriting.language_models import LocalLanguageModel, ServerLanguageModel

    if is_url(name):
        url, _, model = name.partition("#")
        key = os.environ.get("EMOFEEDBACK_REWRITER_KEY") or None
        server = ChatServer(model or only_model(url, key), url, key=key, key_name="EMOFEEDBACK_REWRITER_KEY")
        return Company(LanguageThinker(ServerLanguageModel(server)), viewers)
    if not _is_folder(name) and not is_repo(name):
        raise UserError(
            f"There is no rewriter {name!r}; known are none, embedded, a language model's folder or OWNER/NAME, and a "
            "server's http address."
        )
    folder = expanded(name) if _is_folder(name) else fetch(name)
    local = LocalLanguageModel.from_folder(folder, name=name, device=prepare_device(settings))
    return Company(LanguageThinker(local), viewers)


def build_rater(settings: Settings, judge: Judge | None = None) -> Reader:
    """The second rater; it evaluates and never guides.

    `bundled` or a folder with a rater of the scene world gives a GradingRater; every other name what it gives for a
    judge, with EMOFEEDBACK_RATER_KEY as the key of its server.

    Args:
        judge: who guides what is graded; None = nobody.

    Raises:
        UserError: there is no such model, it is damaged, or it is the judge's.
    """
    name = settings.rater
    local = name == "bundled" or _is_folder(name) or not is_remote(name)
    folder = _folder(settings, "rater", name) if local else None
    if folder is not None and (name == "bundled" or is_scene_rater(folder)):
        return GradingRater(SceneRater.from_pretrained(folder, device=prepare_device(settings)))
    refused = UserError(f"The rater {name} is the model that judges, and who guides never grades; name another rater.")
    if judge is not None and same_name(judge, identity_at(name, folder)):
        raise refused  # before it is loaded a second time
    rater = open_judge(name, folder, lambda: prepare_device(settings), os.environ, "rater")
    if judge is not None and same_model(judge, rater):
        raise refused
    return rater


def build_finetune_job(settings: Settings, order: "FinetuneOrder", judge: Judge, out: Path) -> "FinetuneJob":
    """A fine-tuning job on a generator of its own; `judge` rewards, the second rater audits.

    Args:
        out: the job's folder; nothing is written yet.

    Raises:
        UserError: the order contradicts itself, or a model that the job needs is not there.
    """
    from emofeedback.finetuning.build_finetuner import build_finetuner  # training is not needed to draw and to read
    from emofeedback.finetuning.job import FinetuneJob, settings_for
    from emofeedback.finetuning.job_settings import tasks_of

    job, tasks = settings_for(order, judge), tasks_of(order)
    if settings.adapter is not None:
        raise UserError("Fine-tuning starts from the generator itself; start the app again without an adapter.")
    if settings.rater == "bundled" and not (folder := checkpoint_folder(settings, "scene-rater")).is_dir():
        raise UserError(f"Fine-tuning needs the second rater to audit it, and there is none in {folder}; fetch it.")
    rater = build_rater(settings, judge)
    generator = build_generator(settings)
    if isinstance(generator, HostedGenerator):
        raise UserError(f"{generator.name} runs elsewhere and cannot be fine-tuned; choose a local generator.")
    return FinetuneJob(build_finetuner(generator, judge, rater, job, tasks, out))


def parse_adapter(text: str) -> tuple[Path, float]:
    """PATH[:SCALE] -> the path and the scale, 1 where none is given.

    Raises:
        UserError: the scale is not a number from 0 to 4.
    """
    path, colon, tail = text.rpartition(":")
    try:
        scale = float(tail) if colon else 1.0
    except ValueError:
        return expanded(text), 1.0  # the colon belongs to the path
    if not 0 <= scale <= 4:
        raise UserError(f"The adapter's scale must lie between 0 and 4, but is {tail}.")
    return expanded(path if colon else text), scale


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
        if kind == "generator":
            known += ", OWNER/NAME[@REVISION] of Hugging Face, and hosted:OWNER/NAME[:PROVIDER]"
        if kind in ("judge", "rater"):
            known += ", OWNER/NAME of Hugging Face, and a server's http address"
        raise UserError(f"There is no {kind} {name!r}; known are {known}.")
    return expanded(name)


def _is_folder(name: str) -> bool:
    try:
        return expanded(name).is_dir()
    except (OSError, RuntimeError, ValueError):
        return False
