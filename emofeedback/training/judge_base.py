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

from emofeedback.affect import Affect
from emofeedback.errors import Cancelled, UserError
from emofeedback.judges.processing import ModelInputs, load_processor
from emofeedback.judges.replies import critique_for, parse_content, parse_label
from emofeedback.judges.vision_language import default_dtype
from emofeedback.training.budget import Budget, StopSignal, prepare_host
from emofeedback.training.judge_grpo import MinuteLimit, spent_seconds
from emofeedback.training.judge_lessons import Lesson, Shown, lesson_for
from emofeedback.training.judge_rewards import (
    Outcome,
    advice_outcome,
    attributes_reward,
    keeping_reward,
    label_reward,
    move_reward,
)
from emofeedback.training.optim import trapezoid

logger = logging.getLogger(__name__)
MOST_STEPS, SAVE_STEPS = 1_000_000, 50  # the minutes end a stage, not the steps
NO_TRL = "Training a judge on a base needs trl; install it with `pip install -r requirements-extra.txt`."
SKIPPED_LAYERS = r"^(?!.*(visual|vision|projector|connector|merger|lm_head)).*\.(q|k|v|o|gate|up|down)_proj$"
"""LoRA goes onto the language layers: what the model sees stays as it is."""


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


class LessonGrader:
    """Rewards of written replies, as trl calls them; None where a reward does not apply to a lesson."""

    def __init__(self, lessons: Sequence[Lesson], shown: Sequence[Shown], labels: Sequence[str]) -> None:
        self.lessons, self.shown, self.labels = lessons, shown, labels

    def rating(self, lesson: Lesson, text: str) -> float | None:
        """Valence or arousal right within a threshold, and graded by distance."""
        if lesson.task != "rate":
            return None
        label = parse_label(text, self.labels)
        return label_reward(None if label is None else lesson.values[label], lesson.true)

    def form(self, lesson: Lesson, text: str) -> float:
        """Whether the product's own parser can read the reply."""
        match lesson.task:
            case "rate":
                return float(parse_label(text, self.labels) is not None)
            case "describe":
                return float(parse_content(text) is not None)
        return float(critique_for(text, lesson.prompt) is not None)

    def content(self, lesson: Lesson, text: str) -> float | None:
        """Attribute answers that are right."""
        if lesson.task != "describe":
            return None
        named = parse_content(text)
        return attributes_reward(None if named is None else _first_words(named), lesson.content)

    def movement(self, lesson: Lesson, text: str) -> float | None:
        """Whether the suggestion moves the emotion to the target, tried on the known scene."""
        return move_reward(self._outcome(lesson, text)) if lesson.task == "advise" else None

    def keeping(self, lesson: Lesson, text: str) -> float | None:
        """Whether the suggestion keeps the content and changes nothing needlessly."""
        return keeping_reward(self._outcome(lesson, text)) if lesson.task == "advise" else None

    def _outcome(self, lesson: Lesson, text: str) -> Outcome | None:
        scene, critique = self.shown[lesson.index].scene, critique_for(text, lesson.prompt)
        if scene is None or critique is None:
            return None
        return advice_outcome(scene, lesson.prompt, Affect(*lesson.target), critique)

    def functions(self) -> list[Callable[..., list[float | None]]]:
        """One function of trl's kind per reward."""
        return [_as_reward(self, name) for name in ("rating", "form", "content", "movement", "keeping")]


def _as_reward(grader: LessonGrader, name: str) -> Callable[..., list[float | None]]:
    score = getattr(grader, name)

    def reward(completions: list, lesson: list[int], **_: Any) -> list[float | None]:
        return [score(grader.lessons[k], _text(reply)) for k, reply in zip(lesson, completions, strict=True)]

    reward.__name__ = name  # trl names its figures after the functions
    return reward


def _text(completion: Any) -> str:
    content = completion if isinstance(completion, str) else completion[-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _first_words(named: Sequence[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for aspect, word in named:
        found.setdefault(aspect, word)
    return found


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
) -> Path:
    """Train a LoRA on the model in `base` and write the merged judge, with its processor, to `out`.

    Args:
        shown: pictures with their truth.
        stage: "supervised", "grpo" (from a LoRA that the supervised stage left in `out`, where there is one) or "all".

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
        model.save_pretrained(str(trained))
        (work / "finished").touch()
    if model is None:
        model = _adapted(base, trained, device, recipe)
    merged: PreTrainedModel = model.merge_and_unload()
    merged.save_pretrained(out)
    for file in base.iterdir():  # its processor and tokenizer as they are
        if file.suffix in (".json", ".jinja", ".txt", ".model") and not (out / file.name).exists():
            shutil.copyfile(file, out / file.name)
    return out


def _adapted(base: Path, trained: Path, device: str, recipe: BaseRecipe) -> PeftModel:
    """The base with a fresh LoRA, or with the one that an earlier stage left.

    Raises:
        UserError: it holds no vision-language model with safetensors.
    """
    try:
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
    build: Callable[..., Any], model: PeftModel, processor: ProcessorMixin, lessons: Sequence[Lesson],
    shown: Sequence[Shown], labels: Sequence[str], work: Path, minutes: float, resume: bool, seed: int, device: str,
    recipe: BaseRecipe,
) -> None:  # fmt: skip
    from transformers.trainer_utils import get_last_checkpoint

    work.mkdir(parents=True, exist_ok=True)
    last = get_last_checkpoint(str(work)) if resume else None
    budget = Budget(minutes, spent_seconds(work / "log.jsonl") if last else 0.0)
    trainer = build(model, processor, lessons, shown, labels, work, budget, seed, device, recipe)
    with StopSignal() as stop:
        trainer.add_callback(MinuteLimit(budget, work / "log.jsonl", stop))
        trainer.train(resume_from_checkpoint=last)
    if stop.stopped:
        raise Cancelled("Training of the judge was stopped; its state is saved.")


def _shared(work: Path, seed: int, device: str, lr: float) -> dict[str, Any]:
    """Settings of both trainers."""
    return {
        "output_dir": str(work), "max_steps": MOST_STEPS, "learning_rate": lr, "max_grad_norm": 1.0,
        "gradient_accumulation_steps": 1, "bf16": default_dtype(device) == torch.bfloat16, "logging_steps": 1,
        "gradient_checkpointing": device != "cpu", "use_cpu": device == "cpu", "save_steps": SAVE_STEPS,
        "save_total_limit": 2, "report_to": "none", "disable_tqdm": True, "seed": seed,
    }  # fmt: skip


def _schedule(model: PeftModel, budget: Budget, lr: float) -> tuple[Any, Any]:
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=0.0)
    shape = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: trapezoid(step, budget.progress(), 10, 0.3))
    return optimiser, shape


def _supervised_trainer(
    model: PeftModel, processor: ProcessorMixin, lessons: Sequence[Lesson], shown: Sequence[Shown],
    labels: Sequence[str], work: Path, budget: Budget, seed: int, device: str, recipe: BaseRecipe,
) -> Any:  # fmt: skip
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    def rows(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        chosen = [lessons[k] for k in batch["lesson"]]
        return {
            "images": [[shown[lesson.index].image] for lesson in chosen],
            "prompt": [[{"role": "user", "content": lesson.question}] for lesson in chosen],
            "completion": [[{"role": "assistant", "content": lesson.answer}] for lesson in chosen],
        }

    config = SFTConfig(
        **_shared(work, seed, device, recipe.supervised_lr), per_device_train_batch_size=recipe.batch,
        max_length=None, remove_unused_columns=False, dataset_kwargs={"skip_prepare_dataset": True},
    )  # fmt: skip
    data = Dataset.from_dict({"lesson": range(len(lessons))}).with_transform(rows)
    return SFTTrainer(
        model, config, train_dataset=data, processing_class=processor,
        optimizers=_schedule(model, budget, recipe.supervised_lr),
    )  # fmt: skip


def _grpo_trainer(
    model: PeftModel, processor: ProcessorMixin, lessons: Sequence[Lesson], shown: Sequence[Shown],
    labels: Sequence[str], work: Path, budget: Budget, seed: int, device: str, recipe: BaseRecipe,
) -> Any:  # fmt: skip
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    def rows(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        chosen = [lessons[k] for k in batch["lesson"]]
        return {
            "images": [[shown[lesson.index].image] for lesson in chosen],
            "prompt": [[{"role": "user", "content": lesson.question}] for lesson in chosen],
            "lesson": batch["lesson"],
        }

    config = GRPOConfig(
        **_shared(work, seed, device, recipe.grpo_lr), per_device_train_batch_size=recipe.groups * recipe.replies,
        steps_per_generation=1, num_generations=recipe.replies, max_completion_length=recipe.most, beta=recipe.beta,
        chat_template_kwargs={"enable_thinking": False},
    )  # fmt: skip
    data = Dataset.from_dict({"lesson": range(len(lessons))}).with_transform(rows)
    return GRPOTrainer(
        model, LessonGrader(lessons, shown, labels).functions(), config, data, processing_class=processor,
        optimizers=_schedule(model, budget, recipe.grpo_lr),
    )  # fmt: skip
