"""Replies written by a local model, held to a JSON schema where outlines is installed.

Without outlines the model writes freely. Either way the reply is validated by `replies`, so that a malformed one is
never taken for advice.
"""

import importlib.util
import json
import logging
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedModel

from emofeedback.judges.local.processing import ModelInputs
from emofeedback.judges.replies import Piece

logger = logging.getLogger(__name__)

RETRY_TEMPERATURE = 0.7


class _Recorder(LogitsProcessor):
    """Notes the log-probability of every token chosen, before any constraint changes the distribution."""

    def __init__(self) -> None:
        self.chosen: list[Tensor] = []  # one [B] per token but the last
        self._last: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self._last is not None:
            self.chosen.append(self._last.gather(1, input_ids[:, -1:]).squeeze(1))
        self._last = scores.float().log_softmax(-1)
        return scores


class Writer:
    """Writes replies to questions about pictures.

    Args:
        constrain: hold replies to the schema; None = where outlines is installed.
    """

    def __init__(self, model: PreTrainedModel, inputs: ModelInputs, constrain: bool | None = None) -> None:
        self.model, self.inputs = model, inputs
        self.constrained = importlib.util.find_spec("outlines") is not None if constrain is None else constrain
        self._outlines: Any = None
        self._compiled: dict[str, Any] = {}  # a schema's automaton over the whole vocabulary takes seconds to build

    @torch.no_grad()
    def write(
        self,
        images: Sequence[Image.Image],
        questions: Sequence[str],
        schema: dict[str, Any],
        max_tokens: int,
        sample: bool = False,
    ) -> list[list[Piece]]:
        """One reply per picture and question, as tokens with their log-probabilities.

        Greedy, or sampled with a fixed seed.
        """
        batch = self.inputs.encode(images, [self.inputs.text(question) for question in questions])
        batch = batch.to(self.model.device, dtype=self.model.dtype)
        recorder = _Recorder()
        end = self._end_ids()
        config = GenerationConfig(
            max_new_tokens=max_tokens,
            do_sample=sample,
            temperature=RETRY_TEMPERATURE if sample else None,
            pad_token_id=self.inputs.tokenizer.pad_token_id,
            eos_token_id=end,
        )
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(0)
            ids = self.model.generate(
                **batch,
                generation_config=config,
                logits_processor=LogitsProcessorList([recorder, *self._guides(schema)]),
            )
        replies = ids[:, batch["input_ids"].shape[1] :].tolist()
        logs = torch.stack(recorder.chosen, 1).tolist() if recorder.chosen else [[] for _ in replies]
        return [self._pieces(reply, row, end) for reply, row in zip(replies, logs, strict=True)]

    def _pieces(self, ids: list[int], logs: list[float], end: list[int]) -> list[Piece]:
        """Texts of the tokens up to the end; a character spread over several tokens is told by its last one."""
        pieces: list[Piece] = []
        before = ""
        for k, token in enumerate(ids):
            if token in end:
                break
            now = str(self.inputs.tokenizer.decode(ids[: k + 1], skip_special_tokens=True))
            now = now.rstrip("\ufffd")
            pieces.append((now[len(before) :], logs[k] if k < len(logs) else 0.0))
            before = max(before, now, key=len)
        return pieces

    def _end_ids(self) -> list[int]:
        """Where a reply ends: the tokenizer's end and those of the model's own generation settings."""
        configured = getattr(self.model.generation_config, "eos_token_id", None)
        ends = configured if isinstance(configured, list) else [configured]
        return [token for token in dict.fromkeys([self.inputs.tokenizer.eos_token_id, *ends]) if token is not None]

    def _guides(self, schema: dict[str, Any]) -> list[LogitsProcessor]:
        if not self.constrained:
            return []
        import outlines
        from outlines.backends import get_json_schema_logits_processor

        text = json.dumps(schema)
        if self._outlines is None:
            self._outlines = outlines.from_transformers(self.model, self.inputs.tokenizer)
        if text not in self._compiled:
            self._compiled[text] = get_json_schema_logits_processor(None, self._outlines, text)
        self._compiled[text].reset()
        return [self._compiled[text]]
