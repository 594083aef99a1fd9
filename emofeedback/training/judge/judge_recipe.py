"""The recipe of the bundled judge: a LLaVA-class model from random weights, on renders, in minutes on a CPU.

Each step reads one batch of pictures (cross-entropy on the queries' answers) and writes advice for another (the
same readings, then cross-entropy on the teacher's reply). Vision is LeViT's convolutional stem and attention: a
plain patch ViT of this size learns small objects too slowly from scratch (Xiao et al. 2021, arXiv 2106.14881).
"""

import copy
import math
from collections.abc import Sequence
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
from emofeedback.errors import Cancelled
from emofeedback.files.training_state import load_state, save_state
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
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.captions import vocabulary
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.augmentation import augment, round_trips
from emofeedback.training.common.budget import Budget, RunLog, StopSignal, prepare_host
from emofeedback.training.common.optim import Muon, Optimisers, WeightAverage, trapezoid
from emofeedback.training.common.scene_data import SceneCache, batch_indices, render_cache
from emofeedback.training.judge.advice_lessons import Example, prepare_examples
from emofeedback.training.judge.judge_export import export_judge, measure_judge

SAVE_SECONDS = 300.0
WARMUP, COOLDOWN = 60, 0.35  # steps; share of the budget
ROUND_TRIP_SHARE = 1 / 3  # of the cache also seen through the autoencoder
ROUND_TRIP_NOISE = (0.0, 0.25)  # on the latents, in units of theirs: a generator's small errors


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


def _optimisers(model: LlavaForConditionalGeneration, lr: float) -> Optimisers:
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
    return Optimisers([Muon(hidden, lr=25 * lr), adam])


class JudgeData:
    """Tensors for steps: pixels, true ratings, true answers and advice sequences. Step k is a function of (seed, k)."""

    def __init__(
        self, cache: SceneCache, examples: Sequence[Example], tokens: JudgeTokens, trips: NDArray[np.uint8], seed: int
    ) -> None:
        self.cache, self.examples, self.tokens, self.trips, self.seed = cache, examples, tokens, trips, seed
        self.ratings, self.answers = truth(cache.scenes, tokens)
        self._lessons = [(tokens.advice(e.history(), Affect(*e.target)), tokens.reply(e.reply)) for e in examples]

    def pixels(self, indices: NDArray[np.int64], generator: torch.Generator) -> Tensor:
        """Augmented pictures [B, 3, S, S]; half of those that have a round trip come as it."""
        pictures = np.stack([self.cache.pictures[i] for i in indices])
        coins = torch.rand(len(indices), generator=generator).tolist()
        for k, (i, coin) in enumerate(zip(indices, coins, strict=True)):
            if i < len(self.trips) and coin < 0.5:
                pictures[k] = self.trips[i]
        return augment(from_bytes(pictures), generator)

    def reading_indices(self, step: int, batch: int) -> NDArray[np.int64]:
        return batch_indices(self.seed, step, batch, len(self.cache))

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
) -> tuple[float, float]:
    """Forward and backward of one step; returns the losses of reading and of advice."""
    generator = torch.Generator().manual_seed(data.seed * 1_000_003 + step)
    queries, rating_ids = len(data.tokens.query_ids), data.tokens.rating_ids
    indices = data.reading_indices(step, readings)
    ids = torch.tensor(data.tokens.reading()).expand(readings, -1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(
            input_ids=ids, pixel_values=data.pixels(indices, generator), logits_to_keep=queries, use_cache=False
        ).logits
    read = reading_loss(logits, data.ratings[indices], data.answers[indices], rating_ids)
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
    return float(read.detach()), float(said.detach())


def train_judge(
    cache: SceneCache,
    out: Path,
    minutes: float,
    resume: bool = False,
    threads: int = 2,
    seed: int = 0,
    vae_dir: Path | None = None,
    held_out: SceneCache | None = None,
    examples: int = 24_000,
    workers: int = 2,
    batch: tuple[int, int] = (56, 10),
    lr: float = 8e-4,
    architecture: dict[str, int] | None = None,
) -> LlavaForConditionalGeneration:
    """Train for `minutes` (earlier sittings included), measure on held-out scenes, export to `out`.

    Args:
        vae_dir: the autoencoder whose round trips the judge shall know; None does without.
        held_out: scenes to measure on; None renders 512 of the held-out split.
        examples: pieces of advice that the teacher writes first (some milliseconds each, `workers` processes).
        batch: pictures read, and pieces of advice written, per step.
        architecture: other sizes than `build_judge`'s.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `resume` goes on from it.
        UserError: `resume` without a saved state.
    """
    prepare_host(threads)
    torch.manual_seed(seed)
    work = out / "training"
    lessons = prepare_examples(work / "lessons.jsonl", cache.scenes, examples, seed, workers)
    texts = [
        " ".join(sorted(vocabulary())),
        *(e.reply for e in lessons),
        *(p for e in lessons for p, _, _ in e.attempts),
    ]
    tokenizer = build_tokenizer(texts)
    model = build_judge(tokenizer, cache.size, **(architecture or {})).train()
    tokens = JudgeTokens(tokenizer, model.config.image_seq_length)
    trips = cache.pictures[:0]
    if vae_dir is not None:
        some = cache.pictures[: math.ceil(len(cache) * ROUND_TRIP_SHARE)]
        trips = round_trips(some, vae_dir, work / "round_trips.npy", ROUND_TRIP_NOISE, seed)
    data = JudgeData(cache, lessons, tokens, trips, seed)
    average, facts = _fit(model, data, out, minutes, resume, seed, batch, lr)
    held_out = held_out or render_cache(work / "held-out", 512, cache.size, seed + 1, "held-out", workers)
    facts |= {"scenes": len(cache), "round trips": len(trips), "lessons": len(lessons), "held out": len(held_out)}
    facts |= {"optimiser": f"Muon {25 * lr:g} and AdamW {lr:g}", "threads": threads, "seed": seed}
    export_judge(average, tokenizer, out, facts, measure_judge(average, tokenizer, held_out, seed))
    return average


def _fit(
    model: LlavaForConditionalGeneration,
    data: JudgeData,
    out: Path,
    minutes: float,
    resume: bool,
    seed: int,
    batch: tuple[int, int],
    lr: float,
) -> tuple[LlavaForConditionalGeneration, dict[str, float | int | str]]:
    """The loop: returns the averaged model and the facts of the run."""
    average = copy.deepcopy(model)
    ema, optimisers = WeightAverage(model, average, decay=0.998), _optimisers(model, lr)
    path, log = out / "training" / "state.safetensors", RunLog(out / "training")
    step, spent = 0, 0.0
    if resume:
        state = load_state(path)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimisers.load_state_dict(state["optimisers"])
        step, spent = state["step"], state["elapsed"]
    budget, saved, smooth = Budget(minutes, spent), spent, [math.nan, math.nan]

    def save() -> None:
        trained: dict[str, Any] = {"model": model.state_dict(), "average": average.state_dict()}
        trained |= {"optimisers": optimisers.state_dict(), "step": step, "elapsed": budget.elapsed(), "seed": seed}
        save_state(path, trained)

    with StopSignal() as stop:
        while budget.progress() < 1.0:
            losses = _step_loss(model, data, step, *batch)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimisers.step(trapezoid(step, budget.progress(), WARMUP, COOLDOWN))
            ema.update(step)
            for kept, current in zip(average.buffers(), model.buffers(), strict=True):
                kept.copy_(current)  # statistics of LeViT's batch norms
            keep = 0.0 if math.isnan(smooth[0]) else 0.97
            smooth = [keep * s + (1 - keep) * x if keep else x for s, x in zip(smooth, losses, strict=True)]
            step += 1
            elapsed = budget.elapsed()
            if step % 20 == 0:
                rate = step * sum(batch) / elapsed
                log.write(
                    step=step, reading=smooth[0], advice=smooth[1], pictures_per_second=rate, elapsed=round(elapsed, 1)
                )
            if stop.stopped or elapsed - saved > SAVE_SECONDS:
                save()
                saved = elapsed
            if stop.stopped:
                raise Cancelled("Training of the judge was stopped; its state is saved.")
    save()
    facts: dict[str, float | int | str] = {"steps": step, "minutes": round(budget.elapsed() / 60, 1)}
    facts |= {"pictures per step": sum(batch), "reading loss": smooth[0], "advice loss": smooth[1]}
    return average, facts
