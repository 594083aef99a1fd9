"""`train`: the bundled models from scratch, data included. Everything lies in one working folder and can be resumed."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emofeedback.cli.console import CommandResult, Console, UsageError
from emofeedback.cli.settings_given import settings_from
from emofeedback.cli.train_options import TrainOptions
from emofeedback.cli.training_data import rendered, training_run
from emofeedback.errors import UserError
from emofeedback.settings import Settings, checkpoint_folder

if TYPE_CHECKING:
    from emofeedback.training.common.scene_data import SceneCache
    from emofeedback.training.common.training_loop import TrainingRun

AUTOENCODER_SHARE = 0.2  # of the minutes of `train generator`
UPSCALER_SCENES = 6000  # at most: they are rendered at four times the side
UPSCALING = 4  # times the side
UPSCALER_PAIRS = 2000  # with the flats beside them
RATER_SEED = 1000
WEIGHTS = "diffusion_pytorch_model.safetensors"


def run(arguments: TrainOptions, console: Console) -> CommandResult:
    """Train one part; SIGINT saves the state and ends with exit code 1."""
    settings = settings_from(arguments)
    out: Path = settings.out or arguments.work / arguments.part
    if os.path.isdir(out) and os.listdir(out) and not arguments.resume:
        raise UsageError(f"{out} is not empty; give --resume to go on, or another folder with --out.")
    if arguments.start_from is not None and not _goes_on(arguments):
        raise UsageError(
            "--start-from is for few-step, rater, upscaler, and the bundled judge's supervised stage; leave it out."
        )
    _folders(arguments.work, out)
    if arguments.part == "few-step":
        return _few_step(arguments, settings, out)
    if arguments.part == "bank":
        from emofeedback.cli.train_bank import train_bank

        return train_bank(arguments, settings, out)
    if arguments.part == "adapter":
        from emofeedback.cli.train_judge import train_text_emotion

        return train_text_emotion(arguments, settings, out, console)
    if arguments.part == "judge" and arguments.base is not None:
        from emofeedback.cli.train_judge import train_on_base

        return train_on_base(arguments, settings, out, console)
    if arguments.part == "judge" and arguments.stage == "all":
        raise UsageError("The bundled judge's stages are two runs: --stage supervised, then --stage grpo --base DIR.")
    if arguments.part == "judge" and arguments.stage == "grpo":
        from emofeedback.cli.train_judge import train_advice

        return train_advice(arguments, settings, out)
    # The rater learns from other data and other seeds than the models that it grades.
    training = training_run(arguments, settings, RATER_SEED if arguments.part == "rater" else 0)
    if arguments.part == "upscaler":
        scenes = _upscaler(arguments, settings, out, training)
    elif arguments.part == "decoder":
        scenes = _decoder(arguments, settings, out, training)
    elif arguments.part == "sketch-finish":
        scenes = _sketch_finish(arguments, settings, out, training)
    else:
        scenes = _train(arguments, out, training)
    data = {"part": arguments.part, "out": str(out), "minutes": arguments.minutes, "scenes": scenes}
    return CommandResult(data, f"The {arguments.part} is in {out}.")


def _goes_on(arguments: TrainOptions) -> bool:
    """Whether the part can begin with weights of its own kind."""
    supervised = arguments.base is None and arguments.stage in (None, "supervised")
    return arguments.part in ("few-step", "rater", "upscaler") or (arguments.part == "judge" and supervised)


def _folders(work: Path, out: Path) -> None:
    try:
        work.mkdir(parents=True, exist_ok=True)
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{error.filename} cannot be made ({error.strerror}); choose another with --work or --out."
        raise UserError(message) from None


def _few_step(arguments: TrainOptions, settings: Settings, out: Path) -> CommandResult:
    """Distil a generator; its folder is written to only where --install is given."""
    from emofeedback.build import prepare_device
    from emofeedback.training.few_step.distillation import DistillRecipe, train_few_step
    from emofeedback.training.few_step.student_export import install_few_step

    teacher: Path = arguments.teacher or checkpoint_folder(settings, "scene-generator")
    count, use, minutes = arguments.trajectories, arguments.install, arguments.minutes
    command = f"python -m emofeedback train few-step --minutes {minutes:g} --trajectories {count}"
    command += " --critic" if arguments.critic else ""
    command += " --rendered" if arguments.rendered else ""
    command += " --start-from DIR" if arguments.start_from else ""
    student = train_few_step(
        teacher,
        out,
        training_run(arguments, settings),
        count,
        arguments.work / f"{'rendered' if arguments.rendered else 'trajectories'}-{settings.seed}",
        DistillRecipe(critic=arguments.critic),
        prepare_device(settings),
        command,
        arguments.rendered,
        arguments.start_from,
    )
    if use is not None:
        install_few_step(student, teacher, use == "default")
    data = {"part": "few-step", "out": str(student), "minutes": minutes, "trajectories": count, "installed": use}
    where = f"{student}" if use is None else f"{student} and in {teacher}"
    return CommandResult(data, f"The few-step student is in {where}.")


def _train(arguments: TrainOptions, out: Path, training: TrainingRun) -> int:
    """Render what is missing, train, and return the number of scenes."""
    from emofeedback.training.generator.autoencoder import train_autoencoder

    work = arguments.work
    cache = rendered(arguments, training.seed, arguments.scenes, arguments.size)
    posed = None if arguments.part == "autoencoder" else _posed(arguments, training)
    match arguments.part:
        case "autoencoder":
            train_autoencoder(cache, out, training)
        case "generator":
            from emofeedback.training.generator.generator_recipe import train_generator

            autoencoder = _autoencoder(work)
            if autoencoder is None:
                autoencoder = work / "autoencoder"
                begin = replace(training, minutes=training.minutes * AUTOENCODER_SHARE, resume=True)
                train_autoencoder(cache, autoencoder, begin)
            rest = replace(training, minutes=training.minutes * (1 - AUTOENCODER_SHARE))
            train_generator(cache, autoencoder, out, rest, judge=arguments.align_with, posed=posed)
        case "judge":
            from emofeedback.training.judge.judge_recipe import train_judge

            start, vae = arguments.start_from, _autoencoder(work)
            train_judge(cache, out, training, vae_dir=vae, posed=posed, start_from=start)
        case _:
            from emofeedback.training.rater.rater_recipe import train_rater

            start, vae = arguments.start_from, _autoencoder(work)
            train_rater(cache, out, training, vae_dir=vae, posed=posed, start_from=start)
    return len(cache)


def _posed(arguments: TrainOptions, training: TrainingRun) -> SceneCache | None:
    """People and animals in poses, as many as were asked for."""
    count = arguments.scenes * 2 // 5 if arguments.posed is None else arguments.posed
    return rendered(arguments, training.seed, count, arguments.size, "posed") if count else None


def _sketch_finish(arguments: TrainOptions, settings: Settings, out: Path, training: TrainingRun) -> int:
    """Train the finish of a generator's sketched pictures; its folder is written to only where --install is given."""
    from emofeedback.training.generator.sketch_finish_recipe import install_sketch_finish, train_sketch_finish

    teacher: Path = arguments.teacher or checkpoint_folder(settings, "scene-generator")
    cache = rendered(arguments, training.seed, arguments.scenes, arguments.size)
    finish = train_sketch_finish(teacher, cache, out, training, posed=_posed(arguments, training))
    if arguments.install is not None:
        install_sketch_finish(finish, teacher)
    return len(cache)


def _upscaler(arguments: TrainOptions, settings: Settings, out: Path, training: TrainingRun) -> int:
    """Learn from what a generator draws after its plans, or, without sketches, from scenes at two sizes."""
    from emofeedback.generators.scene.scene_generator import SKETCH_FOLDER
    from emofeedback.training.upscaler.drawn_pairs import draw_pairs
    from emofeedback.training.upscaler.upscaler_recipe import UpscalerRecipe, train_on_pairs, train_upscaler

    count, teacher = min(arguments.scenes, UPSCALER_SCENES), arguments.teacher or _bundled(settings)
    if teacher is not None and (teacher / SKETCH_FOLDER).is_dir():
        count = min(count, UPSCALER_PAIRS)
        command = f"python -m emofeedback train upscaler --minutes {training.minutes:g} --scenes {count}"
        command += " --start-from DIR" if arguments.start_from else ""
        work = arguments.work / f"pairs-{training.seed}"
        pairs = draw_pairs(teacher, count, UPSCALING, work, UpscalerRecipe(), training.seed)
        train_on_pairs(pairs, count, out, training, command, arguments.start_from)
        return count
    small = rendered(arguments, training.seed, count, arguments.size)
    large = rendered(arguments, training.seed, count, UPSCALING * arguments.size)
    train_upscaler(small, large, out, training, generator_dir=teacher, start_from=arguments.start_from)
    return len(small)


def _decoder(arguments: TrainOptions, settings: Settings, out: Path, training: TrainingRun) -> int:
    """Finish a generator's decoder; its folder is written to only where --install is given."""
    from emofeedback.training.generator.decoder_finish import install_decoder, train_decoder

    teacher: Path = arguments.teacher or checkpoint_folder(settings, "scene-generator")
    cache = rendered(arguments, training.seed, arguments.scenes, arguments.size)
    vae = train_decoder(teacher, cache, out, training)
    if arguments.install is not None:
        install_decoder(vae, teacher)
    return len(cache)


def _bundled(settings: Settings) -> Path | None:
    """The bundled generator's folder, where there is one."""
    folder = checkpoint_folder(settings, "scene-generator")
    return folder if folder.is_dir() else None


def _autoencoder(work: Path) -> Path | None:
    """The finished autoencoder of the working folder, if there is one."""
    folder = work / "autoencoder"
    return folder if (folder / WEIGHTS).is_file() else None
