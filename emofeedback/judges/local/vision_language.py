"""Any vision-language model of transformers as a judge: SmolVLM2, Qwen2.5-VL, Qwen3-VL, Qwen3.5, Gemma, InternVL.

A rating is the expected value over the labels of a nine-point scale, from one forward pass per axis and order of the
scale (Q-Align, Wu et al. 2023, arXiv 2312.17090); the two orders are averaged, since these models favour labels by
their place. The picture alone is rated: no prompt and no target is shown with it. Whether it shows a prompt is another
question, asked only by `shows`.
"""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, PreTrainedModel, ProcessorMixin

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.judges.local.processing import AnswerLabels, ModelInputs, load_processor
from emofeedback.judges.local.writing import Writer
from emofeedback.judges.questions import advice_question, describe_question, rating_questions, shows_question
from emofeedback.judges.ratings import MIN_MASS, expected_value
from emofeedback.judges.readings import AxisRating, average, names_everything
from emofeedback.judges.replies import content_schema, critique_among, critique_schema, seen_in
from emofeedback.machine.loading import one_at_a_time
from emofeedback.records import Attempt, Critique, Picture, Reading, Seen

logger = logging.getLogger(__name__)

MAX_CONTENT_TOKENS = 160
MAX_ADVICE_TOKENS = 400


class VisionLanguageJudge:
    """Implements `protocols.Judge` and `ShowsPrompt` with a model that transformers loads for pictures and text.

    Args:
        model: any class of AutoModelForImageTextToText.
        processor: its processor, with a chat template.
        name: how readings name their judge.
        identity: what calibrations are bound to; the name where none is given.
        describe: also name what the pictures show (one written reply per picture).
        constrain: hold replies to their JSON schema with outlines; None = where it is installed.

    Attributes:
        batch: rows per forward pass; each picture takes four rows.
        min_mass: probability that must lie on the labels, else the picture counts as not read.

    Raises:
        UserError: the tokenizer has no usable labels, or there is no chat template.
    """

    batch = 8
    min_mass = MIN_MASS

    def __init__(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        name: str,
        *,
        identity: str | None = None,
        device: str = "cpu",
        describe: bool = True,
        constrain: bool | None = None,
    ) -> None:
        self.model = model.requires_grad_(False).eval().to(device)  # type: ignore[arg-type]
        self.inputs = ModelInputs(processor)
        self.answers = self.inputs.answer_labels()
        self.writer = Writer(self.model, self.inputs, constrain)
        self.name, self.identity = name, identity or name
        self.describe = describe
        self.method = f"expected value of {self.answers.labels[0]}-{self.answers.labels[-1]}, both orders"

    @classmethod
    def from_folder(
        cls, folder: Path, *, name: str, identity: str, device: str, dtype: torch.dtype | None = None
    ) -> "VisionLanguageJudge":
        """Load a folder with safetensors and a processor; nothing is fetched and no code of the folder runs.

        Raises:
            UserError: the folder holds no such model, or it does not fit the memory.
        """
        try:
            with one_at_a_time():
                model = AutoModelForImageTextToText.from_pretrained(
                    folder, dtype=dtype or default_dtype(device), use_safetensors=True, local_files_only=True
                )
        except (ValueError, OSError, KeyError, RuntimeError, TypeError, ImportError) as error:
            logger.debug("loading %s failed", folder, exc_info=True)
            what = " ".join(str(error).split())[:200]
            raise UserError(
                f"{name} cannot be loaded as a judge ({what}); give a vision-language model with safetensors."
            ) from error
        try:
            return cls(model, load_processor(folder), name, identity=identity, device=device)
        except torch.OutOfMemoryError:
            raise UserError(f"{name} does not fit the memory of {device}; choose a smaller judge.") from None

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """One reading per picture from its pixels alone; None = too little probability on the labels."""
        return self.read_images([picture.image for picture in pictures])

    def read_images(self, images: Sequence[Image.Image]) -> list[Reading | None]:
        """`read` for bare images."""
        rated = self.rate_images(images)
        seen: dict[int, tuple[Seen, ...]] = {}
        known = [i for i, rating in enumerate(rated) if rating is not None]
        if self.describe and known:
            seen = dict(zip(known, self.describe_images([images[i] for i in known]), strict=True))
        readings: list[Reading | None] = []
        for i, rating in enumerate(rated):
            if rating is None:
                readings.append(None)
                continue
            valence, arousal = rating
            affect = Affect.clamped(valence.mean, arousal.mean)
            mass = min(valence.mass, arousal.mass)
            readings.append(
                Reading(affect, valence.sd, arousal.sd, mass, seen.get(i, ()), self.name, method=self.method)
            )
        return readings

    @torch.no_grad()
    def rate_images(self, images: Sequence[Image.Image]) -> list[tuple[AxisRating, AxisRating] | None]:
        """Valence and arousal of each image, or None where a question got too little probability on its labels."""
        questions = rating_questions(self.answers.labels)
        texts = [self.inputs.text(question.text()) + self.answers.prefix for question in questions]
        jobs = [(image, k) for image in images for k in range(len(questions))]
        parts: list[AxisRating] = []
        ids = torch.tensor(self.answers.ids, device=self.model.device)
        values = torch.tensor([question.values() for question in questions], device=self.model.device)
        for start in range(0, len(jobs), self.batch):
            rows = jobs[start : start + self.batch]
            logits = self._next_logits([image for image, _ in rows], [texts[k] for _, k in rows])
            rating = expected_value(logits, ids, values[[k for _, k in rows]])
            parts += map(AxisRating, rating.mean.tolist(), rating.sd.tolist(), rating.mass.tolist())
        rated: list[tuple[AxisRating, AxisRating] | None] = []
        for start in range(0, len(parts), 4):
            four = parts[start : start + 4]
            readable = all(part.mass >= self.min_mass for part in four)  # False also for a mass that is not a number
            rated.append((average(four[:2]), average(four[2:])) if readable else None)
        return rated

    @torch.no_grad()
    def shows(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[float | None]:
        """P(yes) / (P(yes) + P(no)) for each picture and its prompt, in one forward pass; None = `read`'s reason.

        VQAScore (Lin et al. 2024, arXiv 2404.01291), normalised over the two answers.

        Raises:
            UserError: the tokenizer has no single tokens for yes and no.
        """
        answers = self._yes_no
        texts = [self.inputs.text(shows_question(prompt)) + answers.prefix for prompt in prompts]
        images = [picture.image for picture in pictures]
        ids = torch.tensor(answers.ids, device=self.model.device)
        values = torch.tensor([1.0, 0.0], device=self.model.device).repeat(len(answers.ids) // 2)
        found: list[float | None] = []
        for start in range(0, len(images), self.batch):
            rows = slice(start, start + self.batch)
            yes = expected_value(self._next_logits(images[rows], texts[rows]), ids, values)
            readable = zip(yes.mean.tolist(), yes.mass.tolist(), strict=True)
            found += [mean if mass >= self.min_mass else None for mean, mass in readable]
        return found

    @cached_property
    def _yes_no(self) -> AnswerLabels:
        return self.inputs.yes_no()

    def _next_logits(self, images: Sequence[Image.Image], texts: Sequence[str]) -> torch.Tensor:
        """Logits of the answer's first token, [B, vocabulary]."""
        batch = self.inputs.encode(images, texts).to(self.model.device, dtype=self.model.dtype)
        return self.model(**batch, use_cache=False, logits_to_keep=1).logits[:, -1]

    def describe_images(self, images: Sequence[Image.Image]) -> list[tuple[Seen, ...]]:
        """What each image shows; () where no reply could be read, also not the one sampled retry."""
        found: list[tuple[Seen, ...] | None] = [None] * len(images)
        for sample in (False, True):
            missing = [i for i, seen in enumerate(found) if seen is None]
            for start in range(0, len(missing), self.batch):
                some = missing[start : start + self.batch]
                questions = [describe_question()] * len(some)
                replies = self.writer.write(
                    [images[i] for i in some], questions, content_schema(), MAX_CONTENT_TOKENS, sample
                )
                for i, pieces in zip(some, replies, strict=True):
                    found[i] = seen_in(pieces)
        return [seen or () for seen in found]

    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        """Advice on the last attempt, the two before it in view; None = no reply could be read.

        Decoding is greedy; a reply that cannot be read, or none of whose edits fits the prompt, is sampled once more.
        """
        question = advice_question(attempts, target)
        image, schema = attempts[-1].picture.image, critique_schema()
        written = (
            self.writer.write([image], [question], schema, MAX_ADVICE_TOKENS, sample)[0] for sample in (False, True)
        )
        replies = ("".join(piece for piece, _ in pieces) for pieces in written)
        critique = critique_among(replies, attempts[-1].prompt)
        if critique is None:
            logger.warning("%s: the judge's reply could not be read", self.name)
        return critique

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """True when a subject that was seen stands in the prompt; else None: other words prove nothing."""
        return names_everything(prompt, reading)


def default_dtype(device: str) -> torch.dtype:
    """bfloat16 on a GPU that multiplies it, else float32."""
    return torch.bfloat16 if device.startswith("cuda") and torch.cuda.is_bf16_supported() else torch.float32
