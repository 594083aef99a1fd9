"""From pictures and questions to a model's inputs, through the processor and the chat template of its repository.

Video is not needed here, and its processors want torchvision: a repository whose processor asks for one is loaded
without it. Which tokens stand for the labels of a scale is found out in the very text that precedes the answer.
"""

import inspect
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from PIL import Image
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoProcessor,
    AutoTokenizer,
    BatchFeature,
    Idefics3Processor,
    ProcessorMixin,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from emofeedback.errors import UserError
from emofeedback.judges.questions import LABEL_SETS, YES_NO, rating_questions, shows_question

logger = logging.getLogger(__name__)

MAX_SIDE = 1024
"""Longer pictures are scaled down first: a rating needs no more, and every picture token costs time."""


def load_processor(folder: Path) -> ProcessorMixin:
    """The processor of a repository's folder; without video where torchvision is absent.

    Raises:
        UserError: a package that the processor needs is missing, or the folder holds no picture processor.
    """
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    except (ImportError, TypeError) as error:
        logger.debug("loading the whole processor of %s failed; trying without video", folder, exc_info=True)
        try:
            return _still_processor(folder)
        except (ImportError, TypeError):
            raise UserError(
                f"The processor of {folder.name} needs a package that is not installed "
                f"({' '.join(str(error).split())[:160]}); install it, torchvision for most of these."
            ) from None
    if not isinstance(processor, ProcessorMixin) or getattr(processor, "image_processor", None) is None:
        raise UserError(f"{folder.name} has no picture processor; choose a vision-language model.")
    return processor


def _still_processor(folder: Path) -> ProcessorMixin:
    """The processor from its parts, those for video and sound left out."""
    kind = PROCESSOR_MAPPING[type(AutoConfig.from_pretrained(folder, local_files_only=True))]
    pictures = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    words = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    stored, _ = kind.get_processor_dict(folder, local_files_only=True)
    template = stored.get("chat_template") or words.chat_template
    if kind.__name__ == "SmolVLMProcessor":  # for still pictures it is Idefics 3's, and that one needs no num2words
        length = {"image_seq_len": stored["image_seq_len"]} if "image_seq_len" in stored else {}
        return Idefics3Processor(pictures, words, chat_template=template, **length)

    class StillProcessor(kind):  # type: ignore[misc, valid-type]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

    StillProcessor.__name__ = kind.__name__
    parts: dict[str, Any] = dict.fromkeys(kind.get_attributes())  # video and sound stay None
    parts |= {"image_processor": pictures, "tokenizer": words}
    accepted = inspect.signature(kind.__init__).parameters
    lengths = {name: value for name, value in stored.items() if name in accepted and name not in parts}
    return StillProcessor(**{**lengths, **parts, "chat_template": template})


@dataclass(frozen=True, slots=True)
class AnswerLabels:
    """Labels that are one distinct token each where the answer begins, and the text to put before them."""

    labels: tuple[str, ...]
    ids: tuple[int, ...]
    prefix: str


class ModelInputs:
    """A processor with its chat template.

    Raises:
        UserError: there is no chat template, so the model cannot be asked anything.
    """

    def __init__(self, processor: ProcessorMixin) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.tokenizer.padding_side = "left"  # the answer follows the last position of every row
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self._template = getattr(processor, "chat_template", None) or self.tokenizer.chat_template
        if isinstance(self._template, dict):
            self._template = self._template.get("default")
        if not self._template:
            raise UserError("This model has no chat template; choose an instruction-tuned one (often named -Instruct).")

    def text(self, question: str, pictures: int = 1, answer: str | None = None) -> str:
        """One question behind its pictures as the model was trained to see it, up to where its answer begins.

        With `answer`, the whole exchange. Models that may think aloud are told not to.
        """
        content = [{"type": "image"}] * pictures + [{"type": "text", "text": question}]
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if answer is not None:
            messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        return self.tokenizer.apply_chat_template(
            messages,
            chat_template=self._template,
            tokenize=False,
            add_generation_prompt=answer is None,
            enable_thinking=False,
        )

    def encode(self, images: Sequence[Image.Image], texts: Sequence[str]) -> BatchFeature:
        """Rows of one picture and one text each -> padded tensors."""
        pictures = []
        for image in images:
            small = image.convert("RGB")
            small.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
            pictures.append([small])
        return self.processor(
            images=pictures,
            text=list(texts),
            padding=True,
            return_tensors="pt",
            add_special_tokens=not self._begins_itself(texts[0]),
        )

    def _begins_itself(self, text: str) -> bool:
        return bool(self.tokenizer.bos_token) and text.startswith(self.tokenizer.bos_token)

    def answer_labels(self) -> AnswerLabels:
        """The first set of labels that the tokenizer spells with one distinct token each.

        Raises:
            UserError: there is no such set, with what went wrong for each.
        """
        reasons = []
        for labels in LABEL_SETS:
            found = self._labels(labels, rating_questions(labels)[0].text())
            if isinstance(found, AnswerLabels):
                return found
            reasons.append(f"{labels[0]}-{labels[-1]}: {found}")
        raise UserError(f"This model cannot rate by single tokens ({'; '.join(reasons)}); choose another judge.")

    def yes_no(self) -> AnswerLabels:
        """Yes and no in every spelling that is one distinct token: yes at the even places, no at the odd ones.

        Raises:
            UserError: there is no such spelling, with what went wrong for each.
        """
        kept: AnswerLabels | None = None
        reasons = []
        for labels in YES_NO:
            found = self._labels(labels, shows_question("a picture"))
            if not isinstance(found, AnswerLabels):
                reasons.append(f"{labels[0]}-{labels[1]}: {found}")
            elif kept is None:
                kept = found
            elif found.prefix == kept.prefix and not set(found.ids) & set(kept.ids):
                kept = AnswerLabels(kept.labels + found.labels, kept.ids + found.ids, kept.prefix)
        if kept is None:
            raise UserError(f"This model cannot say yes or no by single tokens ({'; '.join(reasons)}); choose another.")
        return kept

    def _labels(self, labels: tuple[str, ...], question: str) -> AnswerLabels | str:
        before = self.text(question)
        try:
            whole = self.text(question, answer=labels[0])
        except (TemplateError, TypeError):  # a template that takes no answers says nothing about what precedes one
            whole = before
        # what the template puts between the generation prompt and an answer, such as a blank
        prefix = whole[len(before) :].split(labels[0])[0] if whole.startswith(before) else ""
        rows = [self._ids(before + prefix + label) for label in labels]
        common = self._ids(before + prefix)
        used = prefix
        if rows[0][:-1] != common:  # the blank belongs to the label's own token
            used = prefix.rstrip()
            common = self._ids(before + used)
        if any(row[:-1] != common for row in rows):
            return "a label takes more than one token"
        ids = tuple(row[-1] for row in rows)
        if len(set(ids)) != len(ids) or self.tokenizer.unk_token_id in ids:
            return "two labels share a token or are unknown to it"
        return AnswerLabels(labels, ids, used)

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]
