"""The recipe of the bundled judge: a LLaVA-class model from random weights, on renders, in minutes on a CPU.

Each step reads one batch of pictures (cross-entropy on the queries' answers) and writes advice for another (the
same readings, then cross-entropy on the teacher's reply). Some pictures are read with a melted subject, and then as the
scene without it: what is no subject any more must not be named. Vision is LeViT's convolutional stem and attention: a
plain patch ViT of this size learns small objects too slowly from scratch (Xiao et al. 2021, arXiv 2106.14881).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    LevitConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from emofeedback.affect import Affect
from emofeedback.flow.pixels import from_bytes
from emofeedback.judges.ratings import rating_loss
from emofeedback.judges.scene.judge_language import (
    ASPECTS,
    IMAGE,
    JudgeTokens,
    answer_token,
    answers_of,
    build_tokenizer,
)
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import vocabulary
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.augmentation import augment, melt, round_trips, without_subject
from emofeedback.training.common.optim import GOING_ON, Learner, Muon, Schedule
from emofeedback.training.common.scene_data import Box, SceneCache, ScenePool, batch_indices, render_cache
from emofeedback.training.common.training_loop import TrainingRun, step_generator, train
from emofeedback.training.judge.advice_lessons import AdviceExample, prepare_examples
from emofeedback.training.judge.judge_export import export_judge, measure_judge

HELD_OUT = 512  # scenes that measure
MELTED = 0.1  # share of the pictures read that have a melted subject, where the scenes have boxes
ROUND_TRIP_SHARE = 1 / 3  # of the cache also seen through the autoencoder
ROUND_TRIP_NOISE = (0.0, 0.25)  # on the latents, in units of theirs: a generator's small errors


@dataclass(frozen=True, slots=True)
class JudgeRecipe:
    """Hyper-parameters of the judge's training; Muon has 25 times AdamW's rate.

    Attributes:
        examples: pieces of advice that the teacher writes first, some milliseconds each.
        readings, lessons: pictures read, and pieces of advice written, per step.
    """

    examples: int = 24_000
    readings: int = 56
    lessons: int = 10
    lr: float = 8e-4
    schedule: Schedule = field(default_factory=lambda: Schedule(warmup=60))
    average_decay: float = 0.998


def build_judge(
    tokenizer: PreTrainedTokenizerFast,
    size: int = 128,
    vision_width: int = 256,
    vision_layers: int = 5,
    width: int = 256,
    layers: int = 4,
    feed_forward: int = 640,
) -> LlavaForConditionalGeneration:
    """A LLaVA of about 7 M weights, random; `size` a multiple of 16, widths multiples of 64."""
    patches = (size // 16) ** 2
    vision = LevitConfig(  # type: ignore[call-arg]
        image_size=size,
        hidden_sizes=[vision_width, vision_width],
        num_attention_heads=[vision_width // 32],
        depths=[vision_layers],
        key_dim=[32],
        mlp_ratio=[2],
        attention_ratio=[2],
        down_ops=[[""]],  # one stage without subsampling: all patches reach the language model
        hidden_size=vision_width,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        num_key_value_heads=width // 64,
        max_position_embeddings=patches + 512,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    config = LlavaConfig(  # type: ignore[call-arg]
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.get_vocab()[IMAGE],
        image_seq_length=patches,
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlavaForConditionalGeneration(config)


def _optimisers(model: LlavaForConditionalGeneration, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for matrices and for the stem's kernels at 25 times the rate of AdamW, which has all the rest.

    With the stem under AdamW the readings' loss stood still: the first layers saw too little.
    """
    hidden: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, param in model.named_parameters():
        inside = ".layers." in name or "multi_modal_projector" in name
        matrix = param.ndim == 2 and inside and "bias" not in name and "norm" not in name
        kernel = param.ndim == 4 and "embedding_layer_1" not in name
        (hidden if matrix or kernel else rest).append(param)
    adam = torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    return [Muon(hidden, lr=25 * lr), adam]


def _begun(folder: Path) -> tuple[PreTrainedTokenizerFast, LlavaForConditionalGeneration]:
    """Words and weights of a judge, ready to learn and to be written as they were read."""
    judge = SceneJudge.from_pretrained(folder)
    vision, tokenizer = judge.model.config.vision_config, judge.tokens.tokenizer
    vision.down_ops = vision.down_ops[: len(vision.depths)]  # LeViT's own code adds to them
    for where_from in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(where_from, None)
    return tokenizer, judge.model.float().train().requires_grad_(True)


class JudgeData:
    """Tensors for steps: pixels, true ratings, true answers and advice sequences. Step k is a function of (seed, k).

    Args:
        examples: advice on pictures of the pool's first cache.
        trips: the round trips of its first pictures.
    """

    def __init__(
        self,
        pool: ScenePool,
        examples: Sequence[AdviceExample],
        tokens: JudgeTokens,
        trips: NDArray[np.uint8],
        seed: int,
    ) -> None:
        self.pool, self.examples, self.tokens, self.trips, self.seed = pool, examples, tokens, trips, seed
        self.ratings, self.answers = truth(pool.scenes, tokens)
        self._lessons = [(tokens.advice(e.history(), Affect(*e.target)), tokens.reply(e.reply)) for e in examples]

    def pixels(
        self,
        indices: NDArray[np.int64],
        generator: torch.Generator,
        melted: Sequence[Sequence[Box]] | None = None,
    ) -> Tensor:
        """Augmented pictures [B, 3, S, S]; half of those that have a round trip come as it.

        Args:
            melted: boxes of each picture that lose their content; None = none.
        """
        pictures = self.pool.pictures_of(indices)
        coins = torch.rand(len(indices), generator=generator).tolist()
        for k, (i, coin) in enumerate(zip(indices, coins, strict=True)):
            if i < len(self.trips) and coin < 0.5:
                pictures[k] = self.trips[i]
        pixels = from_bytes(pictures)
        if melted is not None and any(melted):
            pixels = melt(pixels, melted, generator)
        return augment(pixels, generator)

    def readings(self, step: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures [B, 3, S, S] to read with their true ratings [B, 2] and answers [B, aspects]."""
        indices = self.pool.batch(self.seed, step, batch)
        ratings, answers = self.ratings[indices].clone(), self.answers[indices].clone()
        boxes = self.pool.boxes_of(indices)
        coins = torch.rand(batch, generator=generator).tolist()
        melted = [k for k, coin in enumerate(coins) if coin < MELTED and boxes[k]]
        if melted:
            scenes = [without_subject(self.pool.scenes[indices[k]]) for k in melted]
            ratings[melted], answers[melted] = truth(scenes, self.tokens)
        shown = [found if k in melted else [] for k, found in enumerate(boxes)]
        return self.pixels(indices, generator, shown), ratings, answers

    def lessons(self, step: int, batch: int) -> tuple[NDArray[np.int64], Tensor, Tensor]:
        """Picture indices [B], ids [B, L] padded on the right, labels [B, L] (-100 outside of the replies)."""
        numbers = batch_indices(self.seed + 1, step, batch, len(self.examples))
        rows = [self._lessons[n] for n in numbers]
        length = max(len(prefix) + len(reply) for prefix, reply in rows)
        ids = torch.full((batch, length), self.tokens.pad_id)
        labels = torch.full((batch, length), -100)
        for k, (prefix, reply) in enumerate(rows):
            end = len(prefix) + len(reply)
            ids[k, :end] = torch.tensor(prefix + reply)
            labels[k, len(prefix) - 1 : end - 1] = torch.tensor(reply)  # each position predicts the next token
        return np.array([self.examples[n].index for n in numbers]), ids, labels


def truth(scenes: Sequence[Scene], tokens: JudgeTokens) -> tuple[Tensor, Tensor]:
    """True (valence, arousal) [N, 2] and the ids of the true answers [N, aspects]."""
    affects = [scene_affect(scene) for scene in scenes]
    ratings = torch.tensor([[a.valence, a.arousal] for a in affects], dtype=torch.float32)
    ids = tokens.tokenizer.get_vocab()
    answers = [[ids[answer_token(found[aspect])] for aspect in ASPECTS] for found in map(answers_of, scenes)]
    return ratings, torch.tensor(answers)


def reading_loss(logits: Tensor, ratings: Tensor, answers: Tensor, rating_ids: Tensor) -> Tensor:
    """Mean loss of the queries: logits [B, queries, vocabulary], ratings [B, 2], answers [B, aspects]."""
    named = F.cross_entropy(logits[:, 2:].flatten(0, 1).float(), answers.flatten())
    return rating_loss(logits[:, :2], rating_ids, ratings) + named


def _step_loss(
    model: LlavaForConditionalGeneration, data: JudgeData, step: int, readings: int, lessons: int
) -> dict[str, float]:
    """Forward and backward of one step; returns the losses of reading and of advice."""
    generator = step_generator(data.seed, step)
    queries, rating_ids = len(data.tokens.query_ids), data.tokens.rating_ids
    pixels, ratings, answers = data.readings(step, readings, generator)
    ids = torch.tensor(data.tokens.reading()).expand(readings, -1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(input_ids=ids, pixel_values=pixels, logits_to_keep=queries, use_cache=False).logits
    read = reading_loss(logits, ratings, answers, rating_ids)
    read.backward()
    indices, ids, labels = data.lessons(step, lessons)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.model(
            input_ids=ids, pixel_values=data.pixels(indices, generator), use_cache=False
        ).last_hidden_state
        first = data.tokens.image_tokens
        query_logits = model.lm_head(hidden[:, first : first + queries])
        reply_logits = model.lm_head(hidden[labels != -100])
    said = F.cross_entropy(reply_logits.float(), labels[labels != -100])
    again = reading_loss(query_logits, data.ratings[indices], data.answers[indices], rating_ids)
    (said + 0.5 * again).backward()
    return {"reading": float(read.detach()), "advice": float(said.detach())}


class JudgeTraining:
    """What the training loop steps."""

    name = "the judge"

    def __init__(self, model: LlavaForConditionalGeneration, data: JudgeData, recipe: JudgeRecipe) -> None:
        self.model, self.data, self.recipe = model, data, recipe
        self.learner = Learner(model, _optimisers(model, recipe.lr), recipe.schedule, recipe.average_decay)
        self.averaged: LlavaForConditionalGeneration = self.learner.average.copy  # type: ignore[assignment]

    @property
    def samples(self) -> int:
        return self.recipe.readings + self.recipe.lessons

    def state(self) -> dict[str, Any]:
        return self.learner.state()

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load(state)

    def step(self, number: int, progress: float) -> dict[str, float]:
        losses = _step_loss(self.model, self.data, number, self.recipe.readings, self.recipe.lessons)
        self.learner.update(number, progress)
        return losses

    def look(self, sheet_path: Path) -> dict[str, float]:
        return {}


def train_judge(
    cache: SceneCache,
    out: Path,
    run: TrainingRun,
    recipe: JudgeRecipe | None = None,
    vae_dir: Path | None = None,
    held_out: SceneCache | None = None,
    architecture: dict[str, int] | None = None,
    posed: SceneCache | None = None,
    start_from: Path | None = None,
) -> LlavaForConditionalGeneration:
    """Train, measure on held-out scenes, export to `out`.

    Args:
        vae_dir: the autoencoder whose round trips the judge shall know; None does without.
        held_out: scenes to measure on; None renders some of the held-out split.
        architecture: other sizes than `build_judge`'s.
        posed: more scenes to read, of people and animals in poses.
        start_from: the folder of a judge whose weights and words this one begins with; it learns more slowly then.

    Raises:
        Cancelled, UserError: as `training_loop.train`; UserError: `start_from` holds no bundled judge.
    """
    run.prepare()
    work, recipe, seed = out / "training", recipe or JudgeRecipe(), run.seed
    if start_from is not None:
        recipe = replace(recipe, lr=GOING_ON * recipe.lr)
    lessons = prepare_examples(work / "lessons.jsonl", cache.scenes, recipe.examples, seed, run.threads or 1)
    texts = [
        " ".join(sorted(vocabulary())),
        *(e.reply for e in lessons),
        *(p for e in lessons for p, _, _ in e.attempts),
    ]
    if start_from is None:
        tokenizer = build_tokenizer(texts)
        model = build_judge(tokenizer, cache.size, **(architecture or {})).train()
    else:
        tokenizer, model = _begun(start_from)
    tokens = JudgeTokens(tokenizer, model.config.image_seq_length)
    trips = cache.pictures[:0]
    if vae_dir is not None:
        some = cache.pictures[: math.ceil(len(cache) * ROUND_TRIP_SHARE)]
        trips = round_trips(some, vae_dir, work / "round_trips.npy", ROUND_TRIP_NOISE, seed)
    pool = ScenePool.of(cache, posed)
    training = JudgeTraining(model, JudgeData(pool, lessons, tokens, trips, seed), recipe)
    trained = train(training, run, work)
    held_out = held_out or render_cache(work / "held-out", HELD_OUT, cache.size, seed + 1, "held-out")
    facts: dict[str, float | int | str] = {"steps": trained.steps, "minutes": trained.minutes}
    facts |= {"pictures per step": training.samples}
    facts |= {"reading loss": trained.loss("reading"), "advice loss": trained.loss("advice")}
    facts |= {"scenes": len(pool), "round trips": len(trips), "lessons": len(lessons), "held out": len(held_out)}
    facts |= {"begun as": "random weights" if start_from is None else "an earlier judge"}
    facts |= {"optimiser": f"Muon {25 * recipe.lr:g} and AdamW {recipe.lr:g}"}
    facts |= {"threads": str(run.threads), "seed": seed}
    export_judge(training.averaged, tokenizer, out, facts, measure_judge(training.averaged, tokenizer, held_out, seed))
    return training.averaged
