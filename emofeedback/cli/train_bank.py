"""`train bank`: visual prompts from rendered scenes, or a bank from a folder of captioned, rated pictures."""

from pathlib import Path

from emofeedback.cli.console import CommandResult, UsageError
from emofeedback.cli.train_options import TrainOptions
from emofeedback.cli.training_data import rendered, training_run
from emofeedback.settings import Settings, checkpoint_folder


def train_bank(arguments: TrainOptions, settings: Settings, out: Path) -> CommandResult:
    """Build the bank with the encoders that are asked for; from scenes, train the adapter that draws from it too."""
    from emofeedback.build import build_generator, build_judge, prepare_device
    from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
    from emofeedback.generators.visual.encoders import (
        NamedTexts,
        PictureEncoder,
        TextEncoder,
        TowerEncoder,
        TransformersPictures,
        TransformersTexts,
    )
    from emofeedback.judges.scene.scene_judge import SceneJudge
    from emofeedback.training.visual_prompts.visual_prompts_recipe import bank_of_folder, train_visual_prompts

    scale, device = _scale(arguments.scale), prepare_device(settings)
    own = arguments.text_encoder == "bundled", arguments.picture_encoder == "bundled"
    if arguments.pictures is None and not all(own):
        raise UsageError("Scenes are encoded by the bundled encoders; name others together with --pictures DIR.")
    texts: TextEncoder
    pictures: PictureEncoder
    if own[0]:
        generator = build_generator(settings)
        if not isinstance(generator, SceneDiffusionGenerator):
            raise UsageError("This generator's text encoders are not the bundled ones; name one by --text-encoder.")
        texts = NamedTexts(generator.base_name, generator.texts.many)
    else:
        texts = TransformersTexts(arguments.text_encoder, device)
    if own[1]:
        judge = build_judge(settings)
        if not isinstance(judge, SceneJudge):
            raise UsageError("This judge has no vision tower here; use the bundled judge, or name --picture-encoder.")
        pictures = TowerEncoder(judge.tower(), judge.size, judge.name)
    else:
        pictures = TransformersPictures(arguments.picture_encoder, device)
    if arguments.pictures is not None:
        shipped = checkpoint_folder(settings, "scene-visual-prompts")
        bank_of_folder(arguments.pictures, texts, pictures, out, scale, base=shipped if all(own) else None)
        return CommandResult({"part": "bank", "out": str(out)}, f"The bank of {arguments.pictures} is in {out}.")
    minutes = arguments.minutes
    cache = rendered(arguments, settings.seed, arguments.scenes, arguments.size)
    named = settings.generator != "bundled"
    base = Path(settings.generator) if named else checkpoint_folder(settings, "scene-generator")
    command = f"python -m emofeedback train bank --minutes {minutes:g} --scenes {len(cache)}"
    run = training_run(arguments, settings)
    train_visual_prompts(cache, base, (texts, pictures), out, run, command=command)
    data = {"part": "bank", "out": str(out), "minutes": minutes, "scenes": len(cache)}
    return CommandResult(data, f"The visual prompts are in {out}.")


def _scale(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise UsageError(f"--scale must be LOW:HIGH such as 1:9, not {text!r}.") from None
    if not low < high:
        raise UsageError(f"--scale must rise from LOW to HIGH, not {text!r}.")
    return low, high
