"""EmoFeedback2's first stage on any vision-language model: supervised lessons, then GRPO with multi-task rewards.

Both stages train one LoRA through peft and trl (SFTTrainer, GRPOTrainer); the questions are those that the product
asks, so that the trained model is a judge as it stands. On renders of the scene world all rewards apply; on pictures
that people rated only the ratings' do.
"""

import importlib.util
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForImageTextToText, PreTrainedModel, ProcessorMixin

from emofeedback.errors import Cancelled, UserError
from emofeedback.judges.local.processing import ModelInputs, load_processor
from emofeedback.judges.local.vision_language import default_dtype
from emofeedback.machine.progress_bars import without_bars
from emofeedback.training.common.budget import Budget, StopSignal, prepare_host
from emofeedback.training.common.optim import trapezoid
from emofeedback.training.judge.judge_export import replace_files
from emofeedback.training.judge.judge_grpo import MinuteLimit, spent_seconds
from emofeedback.training.judge.lesson_grader import LessonGrader
from emofeedback.training.judge.lessons import Lesson, Shown, lesson_for

logger = logging.getLogger(__name__)
MOST_STEPS, SAVE_STEPS = 1_000_000, 50  # the minutes end a stage, not the steps
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


def train_judge_base(
    base: Path,
    shown: Sequence[Shown],
    out: Path,
    minutes: float,
    stage: str = "all",
    resume: bool = False,
    threads: int = 2,
    seed: int = 0,
    device: str = "cpu",
    recipe: BaseRecipe | None = None,
    base_name: str | None = None,
) -> Path:
    """Train a LoRA on the model in `base` and write the merged judge, with its processor, to `out`.

    Args:
        shown: pictures with their truth.
        stage: "supervised", "grpo" (from a LoRA that the supervised stage left in `out`, where there is one) or "all".
        base_name: how the model card names the base; None = by its folder.

    Raises:
        Cancelled: SIGTERM or SIGINT came; `resume` goes on from the saved state.
        UserError: trl is missing, or the base cannot be used.
    """
    if importlib.util.find_spec("trl") is None:
        raise UserError(NO_TRL)
    recipe = recipe or BaseRecipe()
    prepare_host(threads)
    torch.manual_seed(seed)
    processor = load_processor(base)
    # a processor without its parts for video cannot be saved, and the trainers' checkpoints need none
    processor.save_pretrained = lambda *_, **__: []  # type: ignore[method-assign, assignment]
    inputs = ModelInputs(processor)
    labels = inputs.answer_labels().labels
    lessons = [lesson_for(i, i % len(shown), shown[i % len(shown)], labels, seed) for i in range(recipe.lessons)]
    share = {"supervised": 1.0, "grpo": 0.0, "all": recipe.supervised_share}[stage]
    trained, model = out / "lora", None
    for name, part in (("supervised", share), ("grpo", 1.0 - share)):
        work = out / "training" / name
        if part == 0.0 or (resume and (work / "finished").is_file()):
            continue
        model = _adapted(base, trained, device, recipe)
        build = _supervised_trainer if name == "supervised" else _grpo_trainer
        _run_stage(build, model, processor, lessons, shown, labels, work, part * minutes, resume, seed, device, recipe)
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
            minutes=minutes,
            rank=recipe.rank,
            seed=seed,
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


def _run_stage(
    build: Callable[..., Any],
    model: PeftModel,
    processor: ProcessorMixin,
    lessons: Sequence[Lesson],
    shown: Sequence[Shown],
    labels: Sequence[str],
    work: Path,
    minutes: float,
    resume: bool,
    seed: int,
    device: str,
    recipe: BaseRecipe,
) -> None:
    from transformers.trainer_callback import PrinterCallback
    from transformers.trainer_utils import get_last_checkpoint

    work.mkdir(parents=True, exist_ok=True)
    last = get_last_checkpoint(str(work)) if resume else None
    budget = Budget(minutes, spent_seconds(work / "log.jsonl") if last else 0.0)
    trainer = build(model, processor, lessons, shown, labels, work, budget, seed, device, recipe)
    with StopSignal() as stop:
        trainer.remove_callback(PrinterCallback)  # what it would print stands in the log
        trainer.add_callback(MinuteLimit(budget, work / "log.jsonl", stop))
        trainer.train(resume_from_checkpoint=last)
    if stop.stopped:
        raise Cancelled("Training of the judge was stopped; its state is saved.")


def _shared(work: Path, seed: int, device: str, lr: float) -> dict[str, Any]:
    """Settings of both trainers."""
    return {
        "output_dir": str(work),
        "max_steps": MOST_STEPS,
        "learning_rate": lr,
        "max_grad_norm": 1.0,
        "gradient_accumulation_steps": 1,
        "bf16": default_dtype(device) == torch.bfloat16,
        "logging_steps": 1,
        "gradient_checkpointing": device != "cpu",
        "use_cpu": device == "cpu",
        "save_steps": SAVE_STEPS,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "seed": seed,
    }


def _schedule(model: PeftModel, budget: Budget, lr: float) -> tuple[Any, Any]:
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=0.0)
    shape = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: trapezoid(step, budget.progress(), 10, 0.3))
    return optimiser, shape


def _questions(lessons: Sequence[Lesson], shown: Sequence[Shown], answered: bool) -> Any:
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


def _supervised_trainer(
    model: PeftModel,
    processor: ProcessorMixin,
    lessons: Sequence[Lesson],
    shown: Sequence[Shown],
    labels: Sequence[str],
    work: Path,
    budget: Budget,
    seed: int,
    device: str,
    recipe: BaseRecipe,
) -> Any:
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(
        **_shared(work, seed, device, recipe.supervised_lr),
        per_device_train_batch_size=recipe.batch,
        max_length=None,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    return SFTTrainer(
        model,
        config,
        train_dataset=_questions(lessons, shown, answered=True),
        processing_class=processor,
        optimizers=_schedule(model, budget, recipe.supervised_lr),
    )


def _grpo_trainer(
    model: PeftModel,
    processor: ProcessorMixin,
    lessons: Sequence[Lesson],
    shown: Sequence[Shown],
    labels: Sequence[str],
    work: Path,
    budget: Budget,
    seed: int,
    device: str,
    recipe: BaseRecipe,
) -> Any:
    from trl import GRPOConfig, GRPOTrainer

    config = GRPOConfig(
        **_shared(work, seed, device, recipe.grpo_lr),
        per_device_train_batch_size=recipe.groups * recipe.replies,
        steps_per_generation=1,
        num_generations=recipe.replies,
        max_completion_length=recipe.most,
        beta=recipe.beta,
        chat_template_kwargs={"enable_thinking": False},
    )
    return GRPOTrainer(
        model,
        LessonGrader(lessons, shown, labels).functions(),
        config,
        _questions(lessons, shown, answered=False),
        processing_class=processor,
        optimizers=_schedule(model, budget, recipe.grpo_lr),
    )
