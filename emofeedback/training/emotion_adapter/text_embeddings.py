"""Text embeddings of prompt pairs, made once with a pipeline's text encoders alone and kept on disk.

No diffusion network and no autoencoder is loaded. Embeddings are kept in bfloat16, as files that are mapped into
memory: those of a large language model take megabytes per prompt.
"""

import hashlib
import inspect
import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.generators.pipelines.conditioning import PromptEncoder
from emofeedback.generators.pipelines.emotion_text_adapter import INDEX, encoders_of
from emofeedback.generators.pipelines.families import describe
from emofeedback.generators.pipelines.repository_files import ELSEWHERE, needed_files, variant_of
from emofeedback.servers.hub import listing, snapshot
from emofeedback.training.emotion_adapter.emotion_pairs import EmotionPair

logger = logging.getLogger(__name__)
META = "pairs.json"
PARTS = ("scheduler",)  # beside text encoders and tokenizers, small


def fetch_text_encoders(name: str) -> Path:
    """A repository's text encoders, tokenizers and small files in the cache; no diffusion network is downloaded.

    Args:
        name: OWNER/NAME[@REVISION].

    Raises:
        UserError: the repository is missing, gated, of no known family, or cannot be reached.
    """
    _, names = listing(name, ELSEWHERE)
    if INDEX not in names:
        raise UserError(f"{name} is no pipeline of diffusers ({INDEX} is missing); choose another model.")
    folder = snapshot(name, [INDEX, "scheduler/scheduler_config.json"], elsewhere=ELSEWHERE)
    wanted = needed_files(names, describe(folder), True, name)
    texts = [file for file in wanted if file.startswith(("text_encoder", "tokenizer")) or file.endswith(".json")]
    return snapshot(name, texts, elsewhere=ELSEWHERE)


def load_text_encoders(folder: Path, device: str) -> PromptEncoder:
    """The text encoders and tokenizers of a pipeline in diffusers format; everything else stays unloaded.

    Raises:
        UserError: the folder holds no supported pipeline, or its text encoders cannot be loaded.
    """
    described = describe(folder)
    kind = getattr(diffusers, described.family.pipeline)
    kept = {part for part in described.components if part.startswith(("text_encoder", "tokenizer")) or part in PARTS}
    takes = inspect.signature(kind.__init__).parameters.values()
    left_out: dict[str, Any] = {  # settings have defaults and stay as the folder has them
        p.name: None for p in takes if p.name not in ("self", *kept) and p.default in (p.empty, None)
    }
    variant = variant_of(folder, described)
    more: dict[str, Any] = {} if variant is None else {"variant": variant}
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    try:
        pipe: DiffusionPipeline = kind.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, local_files_only=True, **more, **left_out
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
        what = " ".join(str(error).split())[:160]
        raise UserError(f"The text encoders of {folder} cannot be loaded ({what}); fetch the model again.") from None
    described.family.complete_text_part(pipe, folder)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.requires_grad_(False).eval()
    return PromptEncoder(pipe.to(device), described.family)


@dataclass(frozen=True, slots=True)
class PairBatch:
    """B pairs: embeddings [B, L, D], mask [B, L] of the neutral prompts' tokens, pooled [B, P] or None."""

    neutral: Tensor
    emotional: Tensor
    mask: Tensor
    pooled_neutral: Tensor | None
    pooled_emotional: Tensor | None
    valence: Tensor
    arousal: Tensor


class PairEmbeddings:
    """Embeddings of pairs in a folder that `embed_pairs` wrote."""

    def __init__(self, folder: Path, pairs: Sequence[EmotionPair]) -> None:
        self.pairs = list(pairs)
        self._embeds = np.load(folder / "embeds.npy", mmap_mode="r")  # bfloat16's bits, int16 [N, 2, L, D]
        self._lengths = np.load(folder / "lengths.npy")  # int64 [N, 2]
        pooled = folder / "pooled.npy"
        self._pooled = np.load(pooled) if pooled.is_file() else None  # float32 [N, 2, P]
        self.points = np.array([[pair.valence, pair.arousal] for pair in self.pairs])

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def prompt_dim(self) -> int:
        return int(self._embeds.shape[-1])

    @property
    def pooled_dim(self) -> int | None:
        return None if self._pooled is None else int(self._pooled.shape[-1])

    def batch(self, indices: Sequence[int], device: str) -> PairBatch:
        """Some pairs. Beyond the shorter prompt of a pair, where lengths differ, both are the neutral one."""
        rows = np.asarray(indices)
        both = torch.from_numpy(np.array(self._embeds[rows])).view(torch.bfloat16).float().to(device)
        lengths = torch.from_numpy(self._lengths[rows]).to(device)
        places = torch.arange(both.shape[2], device=device)
        mask = places < lengths[:, :1]
        shared = (mask & (places < lengths[:, 1:])).unsqueeze(-1)
        points = torch.from_numpy(self.points[rows]).float().to(device)
        pooled = None if self._pooled is None else torch.from_numpy(self._pooled[rows]).to(device)
        return PairBatch(
            both[:, 0],
            torch.where(shared, both[:, 1], both[:, 0]),
            mask,
            None if pooled is None else pooled[:, 0],
            None if pooled is None else pooled[:, 1],
            points[:, 0],
            points[:, 1],
        )


def embed_pairs(folder: Path, base: Path, pairs: Sequence[EmotionPair], device: str) -> PairEmbeddings:
    """Embed all pairs with the text encoders of `base` into `folder`; one that holds exactly these is used as it is.

    Raises:
        UserError: as `load_text_encoders`, or the disk has no room.
    """
    digest = hashlib.sha256(json.dumps([asdict(pair) for pair in pairs]).encode()).hexdigest()
    meta = {"encoders": encoders_of(base), "pairs": digest}
    if (folder / META).is_file() and json.loads((folder / META).read_text(encoding="utf-8")) == meta:
        return PairEmbeddings(folder, pairs)
    encoder = load_text_encoders(base, device)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write(partial, encoder, pairs)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise UserError(f"The embeddings do not fit {folder.parent} ({error.strerror}); give fewer pairs.") from None
    (partial / META).write_text(json.dumps(meta), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    return PairEmbeddings(folder, pairs)


def _write(folder: Path, encoder: PromptEncoder, pairs: Sequence[EmotionPair]) -> None:
    first = encoder.encode(pairs[0].neutral)
    width = first.embeds.shape[1]
    shape = (len(pairs), 2, _longest(encoder, pairs), width)
    embeds = np.lib.format.open_memmap(folder / "embeds.npy", mode="w+", dtype=np.int16, shape=shape)
    lengths = np.zeros((len(pairs), 2), np.int64)
    pooled = None if first.pooled is None else np.zeros((len(pairs), 2, len(first.pooled)), np.float32)
    for i, pair in enumerate(pairs):
        for k, text in enumerate((pair.neutral, pair.emotional)):
            found = encoder.encode(text)
            kept = found.embeds[: _tokens(found.embeds)]
            lengths[i, k] = len(kept)
            embeds[i, k, : len(kept)] = kept.to(torch.bfloat16).cpu().view(torch.int16).numpy()
            if pooled is not None and found.pooled is not None:
                pooled[i, k] = found.pooled.float().cpu().numpy()
        if i % 200 == 0:
            logger.info("Embedded %d of %d pairs.", i, len(pairs))
    embeds.flush()
    np.save(folder / "lengths.npy", lengths)
    if pooled is not None:
        np.save(folder / "pooled.npy", pooled)


def _longest(encoder: PromptEncoder, pairs: Sequence[EmotionPair]) -> int:
    """Places that the embeddings of any prompt take: most encoders pad to one length, some keep each prompt's own."""
    lengths = {_tokens(encoder.encode(text).embeds) for text in ("a", "a dog by the sea at night")}
    if len(lengths) == 1:
        return lengths.pop()
    return max(_tokens(encoder.encode(text).embeds) for pair in pairs for text in (pair.neutral, pair.emotional))


def _tokens(embeds: Tensor) -> int:
    """Rows [L, D] up to the last that is not all zeros: zeros stand for a text encoder that was left out."""
    return int(embeds.ne(0).any(-1).nonzero().max()) + 1
