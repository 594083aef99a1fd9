"""`train`: the bundled models from scratch, data included. Everything lies in one working folder and can be resumed."""

import os
from pathlib import Path

from emofeedback.cli.console import Console, Outcome, UsageError
from emofeedback.cli.settings_given import settings_from
from emofeedback.cli.train_options import TrainOptions
from emofeedback.errors import UserError
from emofeedback.settings import Settings, checkpoint_folder

AUTOENCODER_SHARE = 0.2  # of the minutes of `train generator`
STATE = Path("training") / "state.safetensors"
RATER_SEED = 1000
WEIGHTS = "diffusion_pytorch_model.safetensors"


def run(arguments: TrainOptions, console: Console) -> Outcome:
    """Train one part; SIGINT saves the state and ends with exit code 1."""
    settings = settings_from(arguments)
    out: Path = settings.out or arguments.work / arguments.part
    if os.path.isdir(out) and os.listdir(out) and not arguments.resume:
        raise UsageError(f"{out} is not empty; give --resume to go on, or another folder with --out.")
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
    seed = settings.seed + (RATER_SEED if arguments.part == "rater" else 0)
    scenes = _train(arguments, out, settings.threads or 2, seed)
    data = {"part": arguments.part, "out": str(out), "minutes": arguments.minutes, "scenes": scenes}
    return Outcome(data, f"The {arguments.part} is in {out}.")


def _folders(work: Path, out: Path) -> None:
    try:
        work.mkdir(parents=True, exist_ok=True)
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{error.filename} cannot be made ({error.strerror}); choose another with --work or --out."
        raise UserError(message) from None


def _few_step(arguments: TrainOptions, settings: Settings, out: Path) -> Outcome:
    """Distil a generator; its folder is written to only where --install is given."""
    from emofeedback.build import prepare_device
    from emofeedback.training.few_step.distillation import train_few_step
    from emofeedback.training.few_step.student_export import install_few_step

    teacher: Path = arguments.teacher or checkpoint_folder(settings, "scene-generator")
    count, use, minutes = arguments.trajectories, arguments.install, arguments.minutes
    command = f"python -m emofeedback train few-step --minutes {minutes:g} --trajectories {count}"
    student = train_few_step(
        teacher,
        out,
        minutes,
        count,
        arguments.work / f"trajectories-{settings.seed}",
        arguments.resume and (out / STATE).is_file(),
        settings.threads or 2,
        settings.seed,
        prepare_device(settings),
        command=command,
    )
    if use is not None:
        install_few_step(student, teacher, use == "default")
    data = {"part": "few-step", "out": str(student), "minutes": minutes, "trajectories": count, "installed": use}
    where = f"{student}" if use is None else f"{student} and in {teacher}"
    return Outcome(data, f"The few-step student is in {where}.")


def _train(arguments: TrainOptions, out: Path, threads: int, seed: int) -> int:
    """Render what is missing, train, and return the number of scenes."""
    from emofeedback.training.common.scene_data import render_cache
    from emofeedback.training.generator.autoencoder import train_autoencoder

    work, minutes = arguments.work, arguments.minutes
    folder = work / f"scenes-{arguments.size}-{arguments.scenes}-{seed}"
    cache = render_cache(folder, arguments.scenes, arguments.size, seed, "train", workers=threads)
    resume = arguments.resume and (out / STATE).is_file()
    match arguments.part:
        case "autoencoder":
            train_autoencoder(cache, out, minutes, resume, threads, seed)
        case "generator":
            from emofeedback.training.generator.generator_recipe import train_generator

            autoencoder = _autoencoder(work)
            if autoencoder is None:
                autoencoder = work / "autoencoder"
                begun = (autoencoder / STATE).is_file()
                train_autoencoder(cache, autoencoder, minutes * AUTOENCODER_SHARE, begun, threads, seed)
            train_generator(
                cache,
                autoencoder,
                out,
                minutes * (1 - AUTOENCODER_SHARE),
                resume,
                threads,
                seed,
                judge=arguments.align_with,
            )
        case "judge":
            from emofeedback.training.judge.judge_recipe import train_judge

            train_judge(cache, out, minutes, resume, threads, seed, vae_dir=_autoencoder(work))
        case _:
            from emofeedback.training.rater.rater_recipe import train_rater

            train_rater(cache, out, minutes, resume, threads, seed, vae_dir=_autoencoder(work))
    return len(cache)


def _autoencoder(work: Path) -> Path | None:
    """The finished autoencoder of the working folder, if there is one."""
    folder = work / "autoencoder"
    return folder if (folder / WEIGHTS).is_file() else None
