"""`train judge` beyond the bundled supervised stage, and `train adapter`: what has a base that is trained already."""

from pathlib import Path

from emofeedback.cli.console import CommandResult, Console, UsageError, usage
from emofeedback.cli.train_options import TrainOptions
from emofeedback.cli.training_data import rendered, training_run
from emofeedback.settings import Settings, checkpoint_folder

BASE_SIDE = 256  # pixels of the renders that a base learns from, unless --size says otherwise


def train_on_base(arguments: TrainOptions, settings: Settings, out: Path, console: Console) -> CommandResult:
    """A vision-language model becomes a judge: LoRA, supervised and GRPO."""
    from emofeedback.build import prepare_device
    from emofeedback.judges.sources import fetch, is_scene_judge
    from emofeedback.servers.hub import is_repo
    from emofeedback.training.judge.base_model_stages import train_judge_base

    base = arguments.base or ""
    folder = Path(base)
    if not folder.is_dir():
        if not is_repo(base):
            raise UsageError(f"There is no folder {base}, and it is no repository OWNER/NAME; give one with --base.")
        console.progress(f"fetching {base}")
        folder = fetch(base)
    if is_scene_judge(folder):
        if arguments.stage != "grpo":
            raise UsageError("A scene judge as the base has its supervised stage behind it; give --stage grpo.")
        return train_advice(arguments, settings, out, folder)
    stage = arguments.stage or "all"
    shown = _rated(arguments, settings) if arguments.ratings is not None else _rendered(arguments, settings)
    train_judge_base(
        folder,
        shown,
        out,
        training_run(arguments, settings),
        stage,
        device=prepare_device(settings),
        base_name=base.partition("@")[0] if is_repo(base) else None,
    )
    data = {"part": "judge", "base": base, "stage": stage, "out": str(out), "minutes": arguments.minutes}
    return CommandResult(data, f"The judge is in {out}; use it with --judge {out}.")


def train_advice(arguments: TrainOptions, settings: Settings, out: Path, base: Path | None = None) -> CommandResult:
    """The bundled judge's second stage, from its supervised checkpoint."""
    from emofeedback.build import prepare_device
    from emofeedback.judges.scene.scene_judge import SceneJudge
    from emofeedback.training.common.scene_data import render_cache
    from emofeedback.training.judge.judge_comparison import finish_grpo
    from emofeedback.training.judge.judge_grpo import train_judge_grpo

    base = base or checkpoint_folder(settings, "scene-judge")
    device, seed = prepare_device(settings), settings.seed
    before = SceneJudge.from_pretrained(base, device)
    size = before.size
    cache = rendered(arguments, seed, arguments.scenes, size)
    held_out = render_cache(arguments.work / f"held-out-{size}-512-{seed}", 512, size, seed + 1, "held-out")
    after, facts = train_judge_grpo(base, cache, out, training_run(arguments, settings), device=device)
    comparison = finish_grpo(before, after, held_out, out, facts)
    data = {"part": "judge", "stage": "grpo", "out": str(out), **facts, "comparison": comparison}
    return CommandResult(data, f"The judge is in {out}; what the stage gained stands in {out / 'grpo.json'}.")


def train_text_emotion(arguments: TrainOptions, settings: Settings, out: Path, console: Console) -> CommandResult:
    """An emotion adapter on the text encoders of a generator."""
    from emofeedback.build import prepare_device
    from emofeedback.servers.hub import is_repo
    from emofeedback.training.emotion_adapter.text_adapter_recipe import train_text_adapter
    from emofeedback.training.emotion_adapter.text_embeddings import fetch_text_encoders

    base: str | None = arguments.base
    folder = checkpoint_folder(settings, "scene-generator") if base is None else Path(base)
    if not folder.is_dir():
        if base is None or not is_repo(base):
            raise UsageError(f"There is no folder {folder}, and it is no repository OWNER/NAME; give one with --base.")
        console.progress(f"fetching the text encoders of {base}")
        folder = fetch_text_encoders(base)
    command = f"python -m emofeedback train adapter --minutes {arguments.minutes:g}"
    command += f" --base {base}" if base else ""
    metrics = train_text_adapter(
        folder,
        out,
        training_run(arguments, settings),
        pairs=arguments.pairs,
        device=prepare_device(settings),
        command=command,
    )
    data = {"part": "adapter", "base": base or "bundled", "out": str(out), "errors": metrics}
    return CommandResult(data, f"The emotion adapter is in {out}; set EMOFEEDBACK_EMOTION_ADAPTER to it.")


def _rated(arguments: TrainOptions, settings: Settings) -> list:
    from emofeedback.evaluation.protocols.human_ratings import load_ratings, parse_scale
    from emofeedback.files.open_picture import open_picture
    from emofeedback.training.judge.lessons import LessonPicture

    if arguments.ratings is None or arguments.images is None:
        raise UsageError("--ratings needs the folder of the rated pictures; give it with --images.")
    with usage():
        ratings = load_ratings(arguments.ratings, arguments.images, parse_scale(arguments.scale), seed=settings.seed)
    return [LessonPicture(open_picture(row.path), row.affect) for row in ratings.rows]


def _rendered(arguments: TrainOptions, settings: Settings) -> list:
    from emofeedback.training.judge.lessons import shown_scenes

    cache = rendered(arguments, settings.seed, min(arguments.scenes, 4000), max(arguments.size, BASE_SIDE))
    return shown_scenes(cache.pictures, cache.scenes)
