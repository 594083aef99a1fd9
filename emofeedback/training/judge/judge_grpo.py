"""The second stage of the bundled judge: GRPO on its advice, graded on the scenes that the pictures are known to show.

The supervised stage teaches one way to write advice; this stage rewards what the advice does: replies are sampled,
each is tried on the render's own scene, and those that lead closer to the target than the others of their group
become likelier (GRPO, Shao et al. 2024, arXiv 2402.03300, through trl). The vision tower and the word table stay
still, the divergence from the supervised judge is paid for, and its readings are tied to their old distribution.
"""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.judges.replies import critique_for
from emofeedback.judges.scene.judge_language import IMAGE, JudgeTokens
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.records import Critique
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.budget import fast_bfloat16
from emofeedback.training.common.optim import Schedule
from emofeedback.training.common.scene_data import SceneCache
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.common.trl_run import Progress, train_with_trl, trl_settings
from emofeedback.training.judge.advice_lessons import example_for
from emofeedback.training.judge.judge_rewards import (
    AdviceOutcome,
    advice_outcome,
    explanation_reward,
    keeping_reward,
    move_reward,
)

if TYPE_CHECKING:
    from emofeedback.training.judge.judge_grpo_trainer import SceneJudgeTrainer

TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}" + IMAGE + "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}"
)
"""The judge's sequences hold their own marks for attempts, target and reply: this only sets the picture first."""
READ_BATCH = 64


@dataclass(frozen=True, slots=True)
class GrpoRecipe:
    """How the second stage learns.

    Attributes:
        groups: questions per update; replies: sampled per question.
        lr: of AdamW on the language layers.
        beta: weight of the replies' divergence from the supervised judge; anchor: of the readings'.
        most: tokens of a reply at most.
        tasks: questions that the data holds; more than a run sees.
        weights: of movement, keeping and explanation.
    """

    groups: int = 12
    replies: int = 8
    lr: float = 1e-3
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=5, cooldown=0.4))
    beta: float = 0.01
    anchor: float = 20.0
    temperature: float = 1.0
    most: int = 96
    tasks: int = 3000
    weights: tuple[float, ...] = (1.0, 0.5, 0.25)


@dataclass(frozen=True, slots=True)
class AdviceTask:
    """A question for advice on picture `index`, with the judge's own reading of it, as in the loop."""

    index: int
    attempts: tuple[tuple[str, Affect | None], ...]
    target: Affect

    @property
    def prompt(self) -> str:
        return self.attempts[-1][0]


def advice_tasks(cache: SceneCache, judge: SceneJudge, count: int, seed: int) -> list[AdviceTask]:
    """Questions on the first `count` pictures; task i is a function of (seed, i) and of what the judge reads."""
    count = min(count, len(cache))
    tasks = []
    for start in range(0, count, READ_BATCH):
        numbers = range(start, min(start + READ_BATCH, count))
        readings = judge.read_images([Image.fromarray(cache.pictures[i]) for i in numbers])
        for i, reading in zip(numbers, readings, strict=True):
            lesson = example_for(i, i, cache.scenes[i], seed)
            last = (lesson.attempts[-1][0], reading.affect if reading else None)
            tasks.append(AdviceTask(i, (*lesson.history()[:-1], last), Affect(*lesson.target)))
    return tasks


class AdviceGrader:
    """Tries replies on known scenes; remembers the last batch, since every reward asks for the same outcomes."""

    def __init__(self, tasks: Sequence[AdviceTask], scenes: Sequence[Scene], tokens: JudgeTokens) -> None:
        self.tasks, self.scenes, self.tokens = tasks, scenes, tokens
        self._last: tuple[list[list[int]], list[tuple[Critique, AdviceOutcome] | None]] = ([], [])

    def grade(self, task: AdviceTask, text: str) -> tuple[Critique, AdviceOutcome] | None:
        """What the product reads in a reply, and what that does to the scene; None = it cannot be read."""
        critique = critique_for(text, task.prompt)
        if critique is None:
            return None
        return critique, advice_outcome(self.scenes[task.index], task.prompt, task.target, critique)

    def graded(self, completion_ids: list[list[int]], task: list[int]) -> list[tuple[Critique, AdviceOutcome] | None]:
        if self._last[0] is not completion_ids:
            texts = [self.tokens.text([t for t in ids if t != self.tokens.end_id]) for ids in completion_ids]
            found = [self.grade(self.tasks[k], text) for k, text in zip(task, texts, strict=True)]
            self._last = (completion_ids, found)
        return self._last[1]

    def rewards(self) -> list[Callable[..., list[float]]]:
        """trl's reward functions: movement, keeping, explanation."""

        def movement(completion_ids: list, task: list, **_: Any) -> list[float]:
            return [move_reward(found[1] if found else None) for found in self.graded(completion_ids, task)]

        def keeping(completion_ids: list, task: list, **_: Any) -> list[float]:
            return [keeping_reward(found[1] if found else None) for found in self.graded(completion_ids, task)]

        def explanation(completion_ids: list, task: list, **_: Any) -> list[float]:
            return [
                explanation_reward(self.scenes[self.tasks[k].index], self.tasks[k].target, found[0]) if found else 0.0
                for k, found in zip(task, self.graded(completion_ids, task), strict=True)
            ]

        return [movement, keeping, explanation]


def judge_processor(tokenizer: PreTrainedTokenizerFast, size: int) -> LlavaProcessor:
    """The judge's processor with a chat template, as trl wants to ask questions about pictures."""
    images = CLIPImageProcessorPil(
        size={"height": size, "width": size}, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return LlavaProcessor(
        images, tokenizer, patch_size=16, vision_feature_select_strategy="full", chat_template=TEMPLATE
    )


def question_text(task: AdviceTask, tokens: JudgeTokens) -> str:
    """A task's sequence behind the picture, as text that the tokenizer turns back into exactly its ids."""
    ids = tokens.advice(task.attempts, task.target)[tokens.image_tokens :]
    return " ".join(tokens.tokenizer.convert_ids_to_tokens(ids))


def train_judge_grpo(
    base: Path,
    cache: SceneCache,
    out: Path,
    run: TrainingRun,
    recipe: GrpoRecipe | None = None,
    device: str = "cpu",
    reference: Path | None = None,
) -> tuple[SceneJudge, dict[str, float | int | str]]:
    """Train the advice of the judge in `base`; state and log go to `out`/training.

    Args:
        reference: the judge from which divergences are measured; None = `base`. A run that goes on from a judge of
            this stage names the supervised one.

    Returns:
        The trained judge and the facts of the run.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `run.resume` goes on from it.
        UserError: trl is not installed, or `base` holds no scene judge.
    """
    if importlib.util.find_spec("trl") is None:
        raise UserError("The GRPO stage needs trl; install it with `pip install -r requirements-extra.txt`.")
    recipe = recipe or GrpoRecipe()
    run.prepare()
    judge = SceneJudge.from_pretrained(base, device)

    def build(progress: Progress) -> "SceneJudgeTrainer":
        trainer = _trainer(judge, cache, out / "training", run, recipe, progress)
        if reference is not None:
            trainer.ref_model.load_state_dict(SceneJudge.from_pretrained(reference, device).model.state_dict())
        return trainer

    trainer, seconds = train_with_trl(build, run, out / "training", "the judge's advice")
    trained = trainer.accelerator.unwrap_model(trainer.model)
    step = int(trainer.state.global_step)
    facts: dict[str, float | int | str] = {"updates": step, "minutes": round(seconds / 60, 1)}
    facts |= {"replies per update": recipe.groups * recipe.replies, "learning rate": recipe.lr}
    facts |= {"divergence weight": recipe.beta, "readings' anchor": recipe.anchor}
    facts |= {"threads": str(run.threads), "seed": run.seed}
    return SceneJudge(trained, judge.tokens.tokenizer, name=out.name, device=device), facts


def _trainer(
    judge: SceneJudge, cache: SceneCache, work: Path, run: TrainingRun, recipe: GrpoRecipe, progress: Progress
) -> "SceneJudgeTrainer":
    from datasets import Dataset

    from emofeedback.training.judge.judge_grpo_trainer import GRPOConfig, SceneJudgeTrainer

    tokens, model = judge.tokens, judge.model
    tasks = advice_tasks(cache, judge, recipe.tasks, run.seed)

    def rows(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        chosen = [tasks[k] for k in batch["task"]]
        prompts = [[{"role": "user", "content": question_text(task, tokens)}] for task in chosen]
        images = [Image.fromarray(cache.pictures[task.index]) for task in chosen]
        return {"prompt": prompts, "image": images, "task": batch["task"]}

    model.requires_grad_(False)
    learned = [p for name, p in model.model.language_model.named_parameters() if name.startswith(("layers.", "norm."))]
    for parameter in learned:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(learned, lr=recipe.lr, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: recipe.schedule(step, progress(step)))
    size = recipe.groups * recipe.replies
    config = GRPOConfig(
        **trl_settings(run, work),
        per_device_train_batch_size=size,
        steps_per_generation=1,
        gradient_accumulation_steps=1,
        num_generations=recipe.replies,
        max_completion_length=recipe.most,
        temperature=recipe.temperature,
        beta=0.0,
        loss_type="bnpo",
        scale_rewards="batch",
        reward_weights=list(recipe.weights),
        gradient_checkpointing=False,
        bf16=fast_bfloat16() or None,
        use_cpu=judge.device.type == "cpu",
        learning_rate=recipe.lr,
        max_grad_norm=1.0,
    )
    grader = AdviceGrader(tasks, cache.scenes, tokens)
    return SceneJudgeTrainer(
        model,
        grader.rewards(),
        config,
        Dataset.from_dict({"task": range(len(tasks))}).with_transform(rows),
        processing_class=judge_processor(tokens.tokenizer, judge.size),
        optimizers=(optimiser, schedule),
        tokens=tokens,
        beta=recipe.beta,
        anchor=recipe.anchor,
    )
