"""Checks of an installation: Python, packages, machine, checkpoints."""

import importlib.metadata
import os
import sys
from dataclasses import dataclass

from emofeedback.deploy.models import offered
from emofeedback.errors import UserError
from emofeedback.files.checksums import verify_folder
from emofeedback.generators.pipelines.families import FAMILIES
from emofeedback.generators.pipelines.memory import fitting, gpu_gigabytes, machine_gigabytes
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.repository_files import (
    check_pipeline_folder,
    fetch_pipeline,
    is_cached,
    is_scene_generator,
    weights_gigabytes,
)
from emofeedback.home import expanded
from emofeedback.judges.sources import fetch, is_scene_judge, is_url
from emofeedback.redaction import redacted
from emofeedback.servers.chat import host_of
from emofeedback.servers.hub import HOSTED, is_repo
from emofeedback.settings import Settings, checkpoint_folder

NEEDED = ("torch", "diffusers", "transformers", "safetensors", "numpy", "scipy", "pillow", "gradio", "resvg-py")
OPTIONAL = ("peft", "accelerate", "outlines", "bitsandbytes", "torchao")
WAYS = (  # how a real model may be placed, in words
    (PipelineOptions(), "whole"),
    (PipelineOptions(offload="model"), "with model offload"),
    (PipelineOptions(quantisation="bnb-8bit"), "in 8 bits"),
    (PipelineOptions(quantisation="bnb-4bit"), "in 4 bits"),
)
UPSCALER = "scene-upscaler"
"""Nothing is said where it is not there: pictures then stay as they are drawn."""
CHECKPOINTS = {  # name: (the file that makes it one, what it does, needed)
    "scene-generator": ("model_index.json", "draws pictures", True),
    "scene-judge": ("config.json", "reads pictures and advises", True),
    "scene-rater": ("config.json", "evaluates", False),
    "scene-visual-prompts": ("visual_prompts.json", "guides drawings by pictures", False),
    UPSCALER: ("config.json", "enlarges finished pictures", False),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `needed` tells whether the main job fails without it."""

    name: str
    ok: bool
    needed: bool
    detail: str


def examine(settings: Settings) -> list[Check]:
    """All checks, none of which loads a model."""
    version = ".".join(map(str, sys.version_info[:3]))
    checks = [Check("python", sys.version_info >= (3, 11), True, f"{version} (3.11 or later is needed)")]
    checks += [_package(name, True) for name in NEEDED] + [_package(name, False) for name in OPTIONAL]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    checks.append(Check("cores", True, False, f"{cores} usable"))
    memory = memory_gigabytes()
    if memory is not None:
        checks.append(Check("memory", memory >= 2, False, f"{memory:.1f} GB (2 GB are enough)"))
    extra = checkpoint_folder(settings, UPSCALER).is_dir()
    checks += [_checkpoint(settings, name) for name in CHECKPOINTS if extra or name != UPSCALER]
    if settings.generator != "bundled":
        checks.append(_generator(settings.generator))
    if settings.judge != "bundled":
        checks.append(_judge(settings.judge))
    return checks + fitting_checks(machine_gigabytes(), gpu_gigabytes())


def fitting_checks(memory: float | None, gpu: tuple[str, float] | None) -> list[Check]:
    """What of the real models fits: memory against need, per family and per quantisation.

    Args:
        memory: gigabytes of the machine; gpu: name and gigabytes of its GPU, None where there is none.
    """
    if gpu is None and memory is None:
        return []
    where, room = (f"{gpu[0]} with {gpu[1]:.0f} GB", gpu[1]) if gpu else (f"CPU with {memory:.0f} GB", memory or 0.0)
    checks = []
    for family in FAMILIES.values():
        entries = [entry for entry in offered("generator") if entry.family == family.key]
        for entry in {entry.parts: entry for entry in reversed(entries)}.values():
            needs = [f"{entry.gigabytes(options):.0f} GB {words}" for options, words in WAYS if gpu or words == "whole"]
            found = fitting(entry.parts, room, entry.size, gpu is not None)
            verdict = "does not fit" if found is None else f"fits, {found.text()}"
            checks.append(Check(entry.repo, found is not None, False, f"{verdict} ({where}; needs {', '.join(needs)})"))
    return checks


def _generator(name: str) -> Check:
    """The generator that the settings name, without asking the network: what it is and whether it is here."""
    if name.startswith(HOSTED):
        return Check(
            "generator", True, True, f"{redacted(name.removeprefix(HOSTED))}, which runs elsewhere, not asked here"
        )
    try:
        folder = expanded(name)
        if not folder.is_dir():
            folder = fetch_pipeline(name, offline=True)
        elif is_scene_generator(folder):
            verify_folder(folder, "model_index.json")
            return Check("generator", True, True, f"{name}: a generator of the scene world, whole")
        described = check_pipeline_folder(folder, name)
    except UserError as error:
        if is_repo(name) and not is_cached(name):
            return Check("generator", True, True, f"{name} is not downloaded yet, or only in part")
        return Check("generator", False, True, str(error))
    size = sum(weights_gigabytes(folder, described))
    kind = f"{described.family.title}{', distilled' if described.distilled else ''}, {described.prediction}"
    return Check("generator", True, True, f"{name}: {kind}, {size:.1f} GB of weights on this machine")


def memory_gigabytes() -> float | None:
    """Physical memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return None


def _package(name: str, needed: bool) -> Check:
    try:
        return Check(name, True, needed, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, False, needed, f"not installed; run `pip install {name}`")


def _judge(name: str) -> Check:
    """The judge that the settings name, without asking the network: what it is and whether it is here."""
    if is_url(name):
        return Check("judge", True, True, f"the chat server at {host_of(name.partition('#')[0])}, not asked here")
    if name.startswith(HOSTED):
        return Check("judge", True, True, f"{name.removeprefix(HOSTED)}, hosted through Hugging Face, not asked here")
    try:
        folder = expanded(name)
        here = folder.is_dir()
        if not here:
            folder = fetch(name, offline=True)
    except UserError:
        return Check("judge", is_repo(name), True, f"{name} is not downloaded yet" if is_repo(name) else f"no {name!r}")
    try:
        if here:
            verify_folder(folder, "config.json")
    except UserError as error:
        return Check("judge", False, True, str(error))
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e9
    kind = "a judge of the scene world" if is_scene_judge(folder) else "a vision-language model"
    return Check("judge", True, True, f"{name}: {kind}, {size:.1f} GB of weights on this machine")


def _checkpoint(settings: Settings, name: str) -> Check:
    index, job, needed = CHECKPOINTS[name]
    folder = checkpoint_folder(settings, name)
    try:
        verify_folder(folder, index)
    except UserError as error:
        return Check(name, False, needed, str(error))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    return Check(name, True, needed, f"whole, {size:.0f} MB, {job}")
