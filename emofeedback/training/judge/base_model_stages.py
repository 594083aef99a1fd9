"""EmoFeedback2's first stage on any vision-language model: supervised lessons, then GRPO with multi-task rewards.

Both stages train one LoRA through peft and trl (SFTTrainer, GRPOTrainer); the questions are those that the product
asks, so that the trained model is a judge as it stands. On renders of the scene world all rewards apply; on pictures
that people rated only the ratings' do.
"""

import importlib.util
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForImageTextToText, PreTrainedModel, ProcessorMixin

from emofeedback.errors import UserError
from emofeedback.judges.local.processing import ModelInputs, load_processor
from emofeedback.judges.local.vision_language import default_dtype
from emofeedback.machine.progress_bars import without_bars
from emofeedback.training.common.optim import Schedule
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.common.trl_run import Progress, train_with_trl, trl_settings
from emofeedback.training.judge.judge_export import replace_files
from emofeedback.training.judge.lesson_grader import LessonGrader
from emofeedback.training.judge.lessons import Lesson, LessonPicture, lesson_for

NO_TRL = "Training a judge on a base needs trl; install it with `pip install -r requirements-extra.txt`."
SKIPPED_LAYERS = r"^(?!.*(visual|vision|projector|connector|merger|lm_head)).*\.(q|k|v|o|gate|up|down)_proj$"
"""LoRA goes onto the language layers: what the model sees stays as it is."""


STAGES = {
    "all": "supervised lessons, then GRPO with multi-task rewards",
    "supervised": "supervised lessons",
    "grpo": "GRPO with multi-task rewards",
}
CARD = """# A judge of emotion in pictures

`{base}` with a LoRA (rank {rank}) on its language layers, merged; the LoRA alone is in `lora/`. The base's licence
holds. It rates valence and arousal, names content and advises on prompts, asked by EmoFeedback's own questions:

```
python -m emofeedback estimate PICTURE --judge THIS_FOLDER
```

Trained on {count} {truth}, {minutes:g} minutes, seed {seed}:
{stage}.
Its quality was not measured; `python -m emofeedback evaluate judge --judge THIS_FOLDER` does that.
"""


@dataclass(frozen=True, slots=True)
class BaseRecipe:
    """How a base becomes a judge.

    Attributes:
        supervised_share: of the minutes; the rest is GRPO's.
        batch: lessons per supervised step; groups x replies: of a GRPO update.
    """

    rank: int = 16
    lessons: int = 4000
    supervised_share: float = 0.5
    batch: int = 8
    supervised_lr: float = 2e-4
    groups: int = 4
    replies: int = 8
    grpo_lr: float = 1e-5
    beta: float = 0.01
    most: int = 256
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=10))


@dataclass(frozen=True, slots=True)
class _Stage:
    """What both trainers are built from."""

    model: PeftModel
    processor: ProcessorMixin
    lessons: Sequence[Lesson]
    shown: Sequence[LessonPicture]
    labels: Sequence[str]
    work: Path
    run: TrainingRun
    device: str
    recipe: BaseRecipe


def train_judge_base(
    base: Path,
    shown: Sequence[LessonPicture],
    out: Path,
    run: TrainingRun,
    stage: str = "all",
    recipe: BaseRecipe | None = None,
    device: str = "cpu",
    base_name: str | None = None,
) -> Path:
    """Train a LoRA on the model in `base` and write the merged judge, with its processor, to `out`.

    Args:
        shown: pictures with their truth.
        stage: "supervised", "grpo" (from a LoRA that the supervised stage left in `out`, where there is one) or "all".
        base_name: how the model card names the base; None = by its folder.

    Raises:
        Cancelled: SIGTERM or SIGINT came; `run.resume` goes on from the saved state.
        UserError: trl is missing, or the base cannot be used.
    """
    if importlib.util.find_spec("trl") is None:
        raise UserError(NO_TRL)
    recipe = recipe or BaseRecipe()
    run.prepare()
    processor = load_processor(base)
    # a processor without its parts for video cannot be saved, and the trainers' checkpoints need none
    processor.save_pretrained = lambda *_, **__: []  # type: ignore[method-assign, assignment]
    inputs = ModelInputs(processor)
    labels = inputs.answer_labels().labels
    lessons = [lesson_for(i, i % len(shown), shown[i % len(shown)], labels, run.seed) for i in range(recipe.lessons)]
    share = {"supervised": 1.0, "grpo": 0.0, "all": recipe.supervised_share}[stage]
    trained, model = out / "lora", None
    for name, part in zip(("supervised", "grpo"), run.split(share), strict=True):
        work = out / "training" / name
        if part.minutes == 0.0 or part.steps == 0 or (run.resume and (work / "finished").is_file()):
            continue
        model = _adapted(base, trained, device, recipe)
        with_stage = _Stage(model, processor, lessons, shown, labels, work, part, device, recipe)
        build = _supervised_trainer if name == "supervised" else _grpo_trainer
        train_with_trl(partial(build, with_stage), part, work, "the judge")
        model.save_pretrained(str(trained), selected_adapters=["default"])  # GRPO adds its reference as another
        (work / "finished").touch()
    if model is None:
        model = _adapted(base, trained, device, recipe)
    _export(
        model.merge_and_unload(),
        base,
        out,
        CARD.format(
            base=base_name or base.resolve().name,
            stage=STAGES[stage],
            count=len(shown),
            truth="rendered scenes" if shown[0].scene is not None else "pictures that people rated",
            minutes=run.minutes,
            rank=recipe.rank,
            seed=run.seed,
        ),
    )
    return out


def _export(merged: PreTrainedModel, base: Path, out: Path, card: str) -> None:
    """Write the judge with its base's processor and a model card; files appear in `out` when all are there."""
    made = out / ".export"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    with without_bars():
        merged.save_pretrained(made)
    for file in base.iterdir():
        small = file.suffix in (".json", ".jinja", ".txt", ".model") and not file.name.endswith(".index.json")
        if small and not (made / file.name).exists():
            shutil.copyfile(file, made / file.name)
    (made / "README.md").write_text(card, encoding="utf-8")
    shutil.copyfile(made / "README.md", out / "lora" / "README.md")  # in place of peft's empty form
    replace_files(made, out)


def _adapted(base: Path, trained: Path, device: str, recipe: BaseRecipe) -> PeftModel:
    """The base with a fresh LoRA, or with the one that an earlier stage left.

    Raises:
        UserError: it holds no vision-language model with safetensors.
    """
    try:
        with without_bars():
            model = AutoModelForImageTextToText.from_pretrained(
                base, dtype=default_dtype(device), use_safetensors=True, local_files_only=True
            )
    except (ValueError, OSError, KeyError, RuntimeError, TypeError, ImportError) as error:
        what = " ".join(str(error).split())[:160]
        raise UserError(f"{base} cannot be trained as a judge ({what}); give a vision-language model.") from None
    if (trained / "adapter_config.json").is_file():
        return PeftModel.from_pretrained(model.to(device), str(trained), is_trainable=True)
    config = LoraConfig(r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules=SKIPPED_LAYERS, task_type="CAUSAL_LM")
    return get_peft_model(model.to(device), config)


def _shared(stage: _Stage, lr: float) -> dict[str, Any]:
    """Settings of both trainers."""
    return {
        **trl_settings(stage.run, stage.work),
        "learning_rate": lr,
        "max_grad_norm": 1.0,
        "gradient_accumulation_steps": 1,
        "bf16": default_dtype(stage.device) == torch.bfloat16,
        "gradient_checkpointing": stage.device != "cpu",
        "use_cpu": stage.device == "cpu",
    }


def _scheduled(stage: _Stage, progress: Progress, lr: float) -> tuple[Any, Any]:
    learned = [p for p in stage.model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=lr, weight_decay=0.0)
    schedule = stage.recipe.schedule
    shape = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: schedule(step, progress(step)))
    return optimiser, shape


def _questions(lessons: Sequence[Lesson], shown: Sequence[LessonPicture], answered: bool) -> Any:
    """The lessons as trl's data set; `answered` ones to imitate, others named by their number for the grader."""
    from datasets import Dataset

    def rows(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        chosen = [lessons[k] for k in batch["lesson"]]
        found: dict[str, list[Any]] = {
            "images": [[shown[lesson.index].image] for lesson in chosen],
            "prompt": [[{"role": "user", "content": lesson.question}] for lesson in chosen],
        }
        if answered:
            return {**found, "completion": [[{"role": "assistant", "content": lesson.answer}] for lesson in chosen]}
        return {**found, "lesson": batch["lesson"]}

    return Dataset.from_dict({"lesson": range(len(lessons))}).with_transform(rows)


def _supervised_trainer(stage: _Stage, progress: Progress) -> Any:
    from trl import SFTConfig, SFTTrainer

    recipe = stage.recipe
    config = SFTConfig(
        **_shared(stage, recipe.supervised_lr),
        per_device_train_batch_size=recipe.batch,
        max_length=None,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    return SFTTrainer(
        stage.model,
        config,
        train_dataset=_questions(stage.lessons, stage.shown, answered=True),
        processing_class=stage.processor,
        optimizers=_scheduled(stage, progress, recipe.supervised_lr),
    )


def _grpo_trainer(stage: _Stage, progress: Progress) -> Any:
    from trl import GRPOConfig, GRPOTrainer

    recipe = stage.recipe
    config = GRPOConfig(
        **_shared(stage, recipe.grpo_lr),
        per_device_train_batch_size=recipe.groups * recipe.replies,
        steps_per_generation=1,
        num_generations=recipe.replies,
        max_completion_length=recipe.most,
        beta=recipe.beta,
        chat_template_kwargs={"enable_thinking": False},
    )
    return GRPOTrainer(
        stage.model,
        LessonGrader(stage.lessons, stage.shown, stage.labels).functions(),
        config,
        _questions(stage.lessons, stage.shown, answered=False),
        processing_class=stage.processor,
        optimizers=_scheduled(stage, progress, recipe.grpo_lr),
    )
