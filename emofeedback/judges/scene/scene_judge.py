"""The bundled judge: a small vision-language model that reads scenes and advises on prompts.

A reading is one forward pass over the picture and fixed queries; no word of the prompt or the target can reach
it. Advice continues the same sequence with the attempts and the target, and is written token by token.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.files.checksums import verify_folder
from emofeedback.flow.pixels import from_images
from emofeedback.judges.ratings import MIN_MASS, expected_rating
from emofeedback.judges.replies import critique_for
from emofeedback.judges.scene.foresight import SURE, most_promising
from emofeedback.judges.scene.judge_language import UNREMARKABLE, JudgeTokens
from emofeedback.judges.sources import fingerprint
from emofeedback.machine.loading import one_at_a_time
from emofeedback.machine.progress_bars import without_bars
from emofeedback.records import Attempt, Critique, Picture, Reading, Seen
from emofeedback.scenes import captions
from emofeedback.scenes.outcomes import content_shown

logger = logging.getLogger(__name__)

MAX_REPLY_TOKENS = 200
DRAFT_TEMPERATURE = 0.8


class SceneJudge:
    """Implements `protocols.Judge` for scenes.

    Args:
        model: a LLaVA-class model whose picture takes `config.image_seq_length` positions.
        tokenizer: the one it was trained with.
        name: how readings name their judge.
        batch: pictures per forward pass.
        drafts: replies written for one piece of advice, of which the most promising counts; 1 takes the first.
        plan: let edits planned on what the judge sees compete with those it writes.
    """

    def __init__(
        self,
        model: LlavaForConditionalGeneration,
        tokenizer: PreTrainedTokenizerFast,
        name: str = "scene-judge",
        device: str = "cpu",
        batch: int = 32,
        drafts: int = 8,
        plan: bool = True,
    ) -> None:
        # Weights that need gradients would leave their graph in LeViT's cache of attention biases.
        self.model = model.requires_grad_(False).eval().to(device)
        self.tokens = JudgeTokens(tokenizer, model.config.image_seq_length)
        self.name = name
        self.identity = name  # what calibrations are bound to
        self.device = torch.device(device)
        self.batch = batch
        self.drafts, self.plan = drafts, plan
        self.size: int = model.config.vision_config.image_size  # type: ignore[union-attr]

    @classmethod
    def from_pretrained(cls, path: str | Path, device: str = "cpu") -> "SceneJudge":
        """Load a checkpoint folder; computation is in float32.

        Raises:
            UserError: the folder is missing, damaged or not a scene judge.
        """
        folder = Path(path)
        verify_folder(folder, "config.json")
        try:
            with one_at_a_time(), without_bars():
                model = LlavaForConditionalGeneration.from_pretrained(
                    folder, dtype=torch.float32, local_files_only=True
                )
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
            judge = cls(model, tokenizer, name=folder.name, device=device)
        except (ValueError, OSError, KeyError, RuntimeError) as error:
            logger.debug("loading %s failed", folder, exc_info=True)
            raise UserError(f"{folder} does not hold a scene judge ({error}); give a folder that does.") from error
        judge.identity = f"{folder.name}:{fingerprint(folder)}"
        return judge

    def tower(self) -> torch.nn.Module:
        """The vision tower: pictures [B, 3, S, S] in [-1, 1] -> an output with `last_hidden_state` [B, n n, E]."""
        return self.model.model.vision_tower

    def query_logits(self, pixels: Tensor) -> Tensor:
        """Next-token logits at the queries, [B, queries, vocabulary], for pixels [B, 3, H, W] in [-1, 1]."""
        if pixels.shape[-2:] != (self.size, self.size):
            pixels = F.interpolate(pixels, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False)
        ids = torch.tensor(self.tokens.reading(), device=self.device).expand(len(pixels), -1)
        count = len(self.tokens.query_ids)
        return self.model(input_ids=ids, pixel_values=pixels, logits_to_keep=count, use_cache=False).logits

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """One reading per picture from its pixels alone; None = too little probability on ratings."""
        return self.read_images([picture.image for picture in pictures])

    @torch.no_grad()
    def read_images(self, images: Sequence[Image.Image]) -> list[Reading | None]:
        """`read` for bare images."""
        readings: list[Reading | None] = []
        for start in range(0, len(images), self.batch):
            pixels = from_images(images[start : start + self.batch], self.size).to(self.device)
            readings += self._readings(self.query_logits(pixels))
        return readings

    def _readings(self, logits: Tensor) -> list[Reading | None]:
        rating = expected_rating(logits[:, :2], self.tokens.rating_ids.to(self.device))
        probabilities = logits[:, 2:].float().softmax(-1)
        named = []
        for i, (aspect, options) in enumerate(self.tokens.aspects.items()):
            best = probabilities[:, i, self.tokens.answer_ids[aspect].to(self.device)].max(-1)
            named.append(
                [(aspect, options[k], p) for k, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
            )
        means, sds, masses = rating.mean.tolist(), rating.sd.tolist(), rating.mass.tolist()
        readings: list[Reading | None] = []
        for i, (mean, sd, mass) in enumerate(zip(means, sds, masses, strict=True)):
            if not min(mass) >= MIN_MASS:  # also when it is not a number
                readings.append(None)
                continue
            seen = tuple(Seen(*row[i]) for row in named if row[i][1] not in UNREMARKABLE)
            readings.append(Reading(Affect.clamped(*mean), sd[0], sd[1], min(mass), seen, self.name))
        return readings

    @torch.no_grad()
    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        """Advice on the last attempt, the two before it in view; None = no reply could be read.

        The first draft is decoded greedily, the others are sampled with a fixed seed; of those that can be read and
        fit the prompt, and of edits planned on what it sees, the most promising count (see `foresight`).
        """
        if not attempts:
            raise ValueError("advice needs at least one attempt")
        last = attempts[-1]
        history = [(a.prompt, a.reading.affect if a.reading else None) for a in attempts]
        ids = torch.tensor([self.tokens.advice(history, target)], device=self.device)
        pixels = from_images([last.picture.image], self.size).to(self.device)
        replies = self._write(ids, pixels, self.drafts)
        drafts = [critique for text in replies if (critique := critique_for(text, last.prompt)) is not None]
        if self.drafts == 1 and not self.plan:
            return drafts[0] if drafts else None
        return most_promising(
            drafts, last.prompt, last.reading, target, self.plan, last.original, self.tokens.concepts()
        )

    def _write(self, ids: Tensor, pixels: Tensor, count: int) -> list[str]:
        """`count` replies in JSON to ids [1, prefix], the first greedy, written together through the key-value cache.

        Replies that are finished leave the batch.
        """
        generator = torch.Generator(self.device).manual_seed(0)
        prefix = self.model(input_ids=ids, pixel_values=pixels, logits_to_keep=1, use_cache=True)
        cache, logits = prefix.past_key_values, prefix.logits[:, -1].float().expand(count, -1)
        cache.batch_repeat_interleave(count)
        replies: list[list[int]] = [[] for _ in range(count)]
        writing = list(range(count))
        for _ in range(MAX_REPLY_TOKENS):
            tokens = torch.multinomial((logits / DRAFT_TEMPERATURE).softmax(-1), 1, generator=generator)[:, 0]
            if writing[0] == 0:
                tokens[0] = logits[0].argmax()
            going = (tokens != self.tokens.end_id).nonzero()[:, 0]
            if len(going) < len(writing):
                if not len(going):
                    break
                cache.batch_select_indices(going)
                writing, tokens = [writing[i] for i in going.tolist()], tokens[going]
            for i, token in zip(writing, tokens.tolist(), strict=True):
                replies[i].append(token)
            logits = self.model(input_ids=tokens[:, None], past_key_values=cache, use_cache=True).logits[:, -1].float()
        return [self.tokens.text(reply) for reply in replies]

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """Whether the place and the subjects that the prompt names are seen; None when that cannot be told.

        It cannot where the prompt names none, or what this judge has no word for (see `content_shown`). No subject is
        missing where the judge is not sure of what it sees in its stead.
        """
        places = {seen.word for seen in reading.seen if seen.aspect == "place"}
        subjects = {seen.word for seen in reading.seen if seen.aspect in ("subject", "companion")}
        known = self.tokens.aspects
        shown = content_shown(prompt, places, subjects, known["place"], known["subject"])
        sure = max((seen.probability for seen in reading.seen if seen.aspect == "subject"), default=0.0) >= SURE
        if shown is False and not sure:
            there = captions.parse(prompt).subjects
            return False if content_shown(prompt, places, there, known["place"], known["subject"]) is False else None
        return shown


def named_content(prompt: str) -> tuple[str | None, set[str]]:
    """The place and the subjects of the scene world that a prompt names."""
    found = captions.parse(prompt)
    return found.place, set(found.subjects)
